//! Just enough SIP text for a test phone: read a header, answer a request. Written apart from the server's own SIP code.

use std::net::SocketAddr;

/// The value of the first header of this name; servers that write compact forms are not expected here.
pub fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.split("\r\n").take_while(|line| !line.is_empty()).skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// What stands between angle brackets, or the whole.
pub fn uri(value: &str) -> &str {
    value.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(value, |(uri, _)| uri)
}

/// The user part of an address's URI.
pub fn user(value: &str) -> Option<&str> {
    uri(value).strip_prefix("sip:")?.split_once('@').map(|(user, _)| user)
}

pub fn status(message: &str) -> Option<u16> {
    message.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}

/// Address of the audio in a session description.
pub fn media(message: &str) -> Option<SocketAddr> {
    let (_, body) = message.split_once("\r\n\r\n")?;
    let address = body.lines().find_map(|line| line.strip_prefix("c=IN IP4 "))?;
    let port = body.lines().find_map(|line| line.strip_prefix("m=audio "))?.split(' ').next()?;
    Some(SocketAddr::new(address.trim().parse().ok()?, port.parse().ok()?))
}

/// The payload type under which a description has keys (RFC 4733).
pub fn keys_type(message: &str) -> Option<u8> {
    let line = message.lines().find(|line| line.to_ascii_lowercase().contains("telephone-event/8000"))?;
    line.strip_prefix("a=rtpmap:")?.split(' ').next()?.parse().ok()
}

pub fn sdp(port: u16, formats: &str, keys: u8) -> String {
    format!(
        "v=0\r\no=bench 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP {formats} {keys}\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:{keys} telephone-event/8000\r\na=fmtp:{keys} 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    )
}

/// A response to `request` (RFC 3261 section 8.2.6.2); `tag` is added to a To that has none.
pub fn response(request: &str, status: &str, tag: &str, extra: &str, body: &str) -> String {
    let mut out = format!("SIP/2.0 {status}\r\n");
    for line in request.split("\r\n").take_while(|line| !line.is_empty()).skip(1) {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        match name.as_str() {
            "to" if !line.contains(";tag=") => out.push_str(&format!("{line};tag={tag}\r\n")),
            "via" | "from" | "to" | "call-id" | "cseq" | "record-route" => out.push_str(&format!("{line}\r\n")),
            _ => {}
        }
    }
    out.push_str(extra);
    out.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    out
}

//! Bytes to `rsip` messages and back, with the minimum that `rsip` 0.4 needs around it.
//!
//! `rsip` reads no folded lines, no compact header names, no white space before a colon and no IPv6 reference. So a
//! message is unfolded and spelled out first, and an address in brackets travels through `rsip` as a made-up domain
//! (`[::1]` as `v6---1.invalid`) that is turned back when the message is written or a value is read.

use std::net::{IpAddr, Ipv6Addr};

use rsip::headers::{Header, Headers, UntypedHeader};
use rsip::{Request, Response, SipMessage};

/// The compact forms of RFC 3261 section 7.3.3 and of the extensions that one meets.
const COMPACT: [(&str, &str); 12] = [
    ("i", "Call-ID"),
    ("m", "Contact"),
    ("e", "Content-Encoding"),
    ("l", "Content-Length"),
    ("c", "Content-Type"),
    ("f", "From"),
    ("s", "Subject"),
    ("k", "Supported"),
    ("t", "To"),
    ("v", "Via"),
    ("r", "Refer-To"),
    ("b", "Referred-By"),
];

/// Reads one message; the error says in words what `rsip` did not like, with the start line.
pub fn parse(bytes: &[u8]) -> Result<SipMessage, String> {
    let split = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or("no empty line after the headers")?;
    let (head, rest) = bytes.split_at(split);
    let head = std::str::from_utf8(head).map_err(|_| "headers are not UTF-8".to_owned())?;
    let mut plain = spelled_out(head).into_bytes();
    plain.extend_from_slice(rest);
    SipMessage::try_from(plain).map_err(|error| {
        let start = head.lines().next().unwrap_or_default();
        format!("rsip: {error} in {start:?}")
    })
}

/// Header lines unfolded, names spelled out, IPv6 references hidden.
fn spelled_out(head: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in head.split("\r\n") {
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push(line.to_owned()),
        }
    }
    for line in lines.iter_mut().skip(1) {
        let Some((name, value)) = line.split_once(':') else { continue };
        let name = name.trim();
        let name = COMPACT.iter().find(|(short, _)| short.eq_ignore_ascii_case(name)).map_or(name, |(_, long)| long);
        *line = format!("{name}: {}", value.trim());
    }
    hide_v6(&lines.join("\r\n"))
}

/// The message as it goes out, with its Content-Length.
pub fn write(message: &SipMessage) -> Vec<u8> {
    let text = message.to_string();
    let body = message.body();
    // rsip prints the body after the first empty line: only the head is turned back.
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let mut bytes = format!("{}\r\nContent-Length: {}\r\n\r\n", show_v6(head), body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// `[::1]` becomes `v6---1.invalid`, which `rsip` takes for a domain.
pub fn hide_v6(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        out.push_str(before);
        match after.split_once(']') {
            Some((address, tail)) if address.parse::<Ipv6Addr>().is_ok() => {
                out.push_str(&format!("v6-{}.invalid", address.replace(':', "-")));
                rest = tail;
            }
            _ => {
                out.push('[');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The way back of [`hide_v6`].
pub fn show_v6(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("v6-") {
        out.push_str(before);
        match after.split_once(".invalid").map(|(hidden, tail)| (hidden.replace('-', ":"), tail)) {
            Some((address, tail)) if address.parse::<Ipv6Addr>().is_ok() => {
                out.push_str(&format!("[{address}]"));
                rest = tail;
            }
            _ => {
                out.push_str("v6-");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// A URI for `rsip`, IPv6 references allowed.
pub fn uri(text: &str) -> Result<rsip::Uri, String> {
    if !text.starts_with("sip:") || text.contains(char::is_whitespace) {
        return Err(format!("{text:?} is not a sip: URI"));
    }
    rsip::Uri::try_from(hide_v6(text)).map_err(|error| format!("rsip: {error} in {text:?}"))
}

/// A URI as `rsip` prints it in a request line (`transport=TCP`): what a digest answer must name.
pub fn printed(text: &str) -> String {
    uri(text).map_or_else(|_| text.to_owned(), |uri| show_v6(&uri.to_string()))
}

/// Host (an address where it is one) and port of a URI; 5060 when it names none.
pub fn host_port(uri: &rsip::Uri) -> (String, u16) {
    let host = show_v6(&uri.host_with_port.host.to_string());
    let host = host.trim_matches(['[', ']']).to_owned();
    (host, uri.port().map_or(5060, |port| *port.value()))
}

/// An address as it stands in a URI or Via.
pub fn bracketed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

/// A header by name: of its own kind where `rsip` asks for it by kind, else an `Other`, which prints alike.
pub fn header(name: &str, value: &str) -> Header {
    let value = hide_v6(value);
    match name {
        "Via" => Header::Via(rsip::headers::Via::new(value)),
        "From" => Header::From(rsip::headers::From::new(value)),
        "To" => Header::To(rsip::headers::To::new(value)),
        "Call-ID" => Header::CallId(rsip::headers::CallId::new(value)),
        "CSeq" => Header::CSeq(rsip::headers::CSeq::new(value)),
        "Contact" => Header::Contact(rsip::headers::Contact::new(value)),
        "Max-Forwards" => Header::MaxForwards(rsip::headers::MaxForwards::new(value)),
        _ => Header::Other(name.to_owned(), value),
    }
}

/// Every value of a header, in order, one a line of the message.
pub fn values(headers: &Headers, name: &str) -> Vec<String> {
    headers
        .iter()
        .filter_map(|header| {
            let line = header.to_string();
            let (found, value) = line.split_once(':')?;
            found.trim().eq_ignore_ascii_case(name).then(|| show_v6(value.trim()))
        })
        .collect()
}

/// The first value of a header.
pub fn value(headers: &Headers, name: &str) -> Option<String> {
    values(headers, name).into_iter().next()
}

/// A parameter of a header value: `;tag=x` after the closing bracket, where there is one.
pub fn param<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let tail = value.rsplit_once('>').map_or(value, |(_, tail)| tail);
    tail.split(';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

/// The URI within a From, To, Contact or Route value.
pub fn uri_of(value: &str) -> &str {
    match value.split_once('<').and_then(|(_, tail)| tail.split_once('>')) {
        Some((uri, _)) => uri,
        None => value.split(';').next().unwrap_or(value).trim(),
    }
}

/// User and display name of a From or To value, by `rsip`.
pub fn user_and_display(value: &str) -> (Option<String>, Option<String>) {
    use rsip::headers::ToTypedHeader;
    let Ok(typed) = rsip::headers::From::new(hide_v6(value)).typed() else { return (None, None) };
    // rsip keeps the quotes of a quoted display name.
    let display = typed.display_name.map(|name| name.trim().trim_matches('"').replace("\\\"", "\""));
    (typed.uri.user().map(str::to_owned), display.filter(|name| !name.is_empty()))
}

/// Number and method of the CSeq header.
pub fn cseq(headers: &Headers) -> Option<(u32, String)> {
    let value = value(headers, "CSeq")?;
    let (number, method) = value.split_once(' ')?;
    Some((number.trim().parse().ok()?, method.trim().to_ascii_uppercase()))
}

/// The branch of the topmost Via.
pub fn branch(headers: &Headers) -> Option<String> {
    let via = value(headers, "Via")?;
    param(via.split(',').next()?, "branch").map(str::to_owned)
}

/// A response with what it takes over from its request (RFC 3261 section 8.2.6.2).
pub fn response_to(request: &Request, status: u16, to_tag: &str) -> Response {
    let mut headers = Headers::default();
    for via in values(&request.headers, "Via") {
        headers.push(header("Via", &via));
    }
    for name in ["From", "To", "Call-ID", "CSeq"] {
        let Some(mut value) = value(&request.headers, name) else { continue };
        if name == "To" && status > 100 && param(&value, "tag").is_none() {
            value = format!("{value};tag={to_tag}");
        }
        headers.push(header(name, &value));
    }
    Response { status_code: rsip::StatusCode::from(status), version: rsip::Version::V2, headers, body: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_folded_and_v6_messages_get_through_rsip() {
        let text = "INVITE sip:7000@[2001:db8::9]:5070 SIP/2.0\r\nv: SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bKa\r\n\
            f: \"4 West\" <sip:4710@[2001:db8::1]>;tag=1\r\nt: <sip:7000@[2001:db8::9]>\r\ni : abc@x\r\nCSeq: 1\r\n \
            INVITE\r\ns: hello\r\nl: 0\r\n\r\n";
        let SipMessage::Request(request) = parse(text.as_bytes()).unwrap() else { panic!("a request") };
        assert_eq!(show_v6(&request.uri.to_string()), "sip:7000@[2001:db8::9]:5070");
        assert_eq!(host_port(&request.uri), ("2001:db8::9".to_owned(), 5070));
        assert_eq!(value(&request.headers, "Call-ID").unwrap(), "abc@x");
        assert_eq!(value(&request.headers, "subject").unwrap(), "hello");
        assert_eq!(cseq(&request.headers).unwrap(), (1, "INVITE".to_owned()));
        assert_eq!(branch(&request.headers).unwrap(), "z9hG4bKa");
        let from = value(&request.headers, "From").unwrap();
        assert_eq!(user_and_display(&from), (Some("4710".to_owned()), Some("4 West".to_owned())));
        let reply = write(&response_to(&request, 486, "t2").into());
        let reply = String::from_utf8(reply).unwrap();
        assert!(reply.contains("Via: SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bKa\r\n"), "{reply}");
        assert!(reply.contains("To: <sip:7000@[2001:db8::9]>;tag=t2\r\n"), "{reply}");
        assert!(reply.ends_with("Content-Length: 0\r\n\r\n"), "{reply}");
    }
}

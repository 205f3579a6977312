//! Requests and responses as values, and their way back to bytes. The way from bytes is in `parse`.

use std::fmt::{self, Write};

use bytes::Bytes;

use super::fault::ParseError;
use super::headers::Headers;
use super::method::Method;
use super::name_addr::NameAddr;
use super::parse;
use super::status::Status;
use super::uri::Uri;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Request(Request),
    Response(Response),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    pub uri: Uri,
    pub headers: Headers,
    pub body: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: Status,
    /// As on the wire; may be empty. Controls are written as blanks.
    pub reason: String,
    pub headers: Headers,
    pub body: Bytes,
}

impl Message {
    /// Reads one datagram, or one message cut out of a stream by [`stream::Framer`](super::stream::Framer).
    ///
    /// What follows the Content-Length is ignored, as a datagram may have it (§18.3). Empty lines before the message
    /// are skipped (§7.5). A message that comes back from here has Via, From, To, Call-ID and CSeq, each well formed,
    /// every single-value header once, and Contact, Route and Record-Route well formed where present.
    pub fn parse(bytes: &Bytes) -> Result<Message, ParseError> {
        parse::parse(bytes)
    }

    /// Whether a datagram holds nothing but a keep-alive: CR, LF and NUL only, or nothing.
    pub fn is_keep_alive(bytes: &[u8]) -> bool {
        bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0))
    }

    pub fn to_bytes(&self) -> Bytes {
        match self {
            Message::Request(request) => request.to_bytes(),
            Message::Response(response) => response.to_bytes(),
        }
    }

    pub fn headers(&self) -> &Headers {
        match self {
            Message::Request(request) => &request.headers,
            Message::Response(response) => &response.headers,
        }
    }
}

impl From<Request> for Message {
    fn from(request: Request) -> Message {
        Message::Request(request)
    }
}

impl From<Response> for Message {
    fn from(response: Response) -> Message {
        Message::Response(response)
    }
}

impl Request {
    /// Without any header yet.
    pub fn new(method: Method, uri: Uri) -> Request {
        Request { method, uri, headers: Headers::new(), body: Bytes::new() }
    }

    pub fn with_body(mut self, content_type: &str, body: impl Into<Bytes>) -> Request {
        self.headers.set("Content-Type", content_type);
        self.body = body.into();
        self
    }

    /// The bytes for the wire. Content-Length is always the body's: corrected in place, or added at the end.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Writer::new(self.headers.len(), self.body.len());
        out.start(format_args!("{} {} SIP/2.0", Solid(&self.method), Solid(&self.uri)));
        out.rest(&self.headers, &self.body)
    }
}

impl Response {
    /// Without any header yet.
    pub fn new(status: Status) -> Response {
        Response { status, reason: status.reason().to_owned(), headers: Headers::new(), body: Bytes::new() }
    }

    /// The skeleton of a response: Via lines, From, To, Call-ID and CSeq copied, Timestamp into a 100 (§8.2.6).
    pub fn to_request(request: &Request, status: Status) -> Response {
        Response::to_headers(&request.headers, status)
    }

    pub(super) fn to_headers(of: &Headers, status: Status) -> Response {
        let mut headers = Headers::sharing(of);
        headers.copy("Via", of);
        for name in ["From", "To", "Call-ID", "CSeq"] {
            headers.copy_first(name, of);
        }
        if status == Status::TRYING {
            headers.copy_first("Timestamp", of);
        }
        Response { status, reason: status.reason().to_owned(), headers, body: Bytes::new() }
    }

    pub fn with_reason(mut self, reason: impl Into<String>) -> Response {
        self.reason = reason.into();
        self
    }

    /// Adds our tag to To, unless it has one (§8.2.6.2) or cannot be read.
    pub fn with_to_tag(mut self, tag: &str) -> Response {
        if let Some(to) = self.headers.get("To")
            && NameAddr::parse(to).is_ok_and(|to| to.tag().is_none())
        {
            let tagged = format!("{to};tag={tag}");
            self.headers.set("To", tagged);
        }
        self
    }

    /// Adds one header.
    pub fn with_header(mut self, name: &str, value: impl fmt::Display) -> Response {
        self.headers.push(name, value);
        self
    }

    pub fn with_body(mut self, content_type: &str, body: impl Into<Bytes>) -> Response {
        self.headers.set("Content-Type", content_type);
        self.body = body.into();
        self
    }

    /// The bytes for the wire. Content-Length is always the body's: corrected in place, or added at the end.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Writer::new(self.headers.len(), self.body.len());
        out.start(format_args!("SIP/2.0 {} {}", self.status, Line(&self.reason)));
        out.rest(&self.headers, &self.body)
    }
}

struct Writer(String);

impl Writer {
    fn new(headers: usize, body: usize) -> Writer {
        Writer(String::with_capacity(128 + headers * 64 + body))
    }

    fn start(&mut self, line: fmt::Arguments<'_>) {
        // Writing into a String cannot fail.
        let _ = self.0.write_fmt(line);
        self.0.push_str("\r\n");
    }

    fn rest(mut self, headers: &Headers, body: &[u8]) -> Bytes {
        let mut measured = false;
        for (name, value) in headers.iter() {
            if name.eq_ignore_ascii_case("Content-Length") || name.eq_ignore_ascii_case("l") {
                if !measured {
                    let _ = write!(self.0, "{name}: {}\r\n", body.len());
                    measured = true;
                }
                continue;
            }
            for part in [name, ": ", value, "\r\n"] {
                self.0.push_str(part);
            }
        }
        if !measured {
            let _ = write!(self.0, "Content-Length: {}\r\n", body.len());
        }
        self.0.push_str("\r\n");
        let mut bytes = self.0.into_bytes();
        bytes.extend_from_slice(body);
        bytes.into()
    }
}

/// Prints a value whose text must hold neither blank nor control: such characters are left out. Parsed values have
/// none; this guards what code of ours puts together.
struct Solid<T>(T);

impl<T: fmt::Display> fmt::Display for Solid<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Filter { f, keep: |c| !c.is_ascii_control() && c != ' ' };
        write!(out, "{}", self.0)
    }
}

/// Prints text without its controls.
struct Line<'a>(&'a str);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Filter { f, keep: is_text };
        out.write_str(self.0)
    }
}

/// What a line of text may hold.
pub(super) fn is_text(c: char) -> bool {
    !c.is_ascii_control() || c == '\t'
}

struct Filter<'a, 'b> {
    f: &'a mut fmt::Formatter<'b>,
    keep: fn(char) -> bool,
}

impl Write for Filter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.chars().all(self.keep) {
            return self.f.write_str(text);
        }
        text.chars().filter(|c| (self.keep)(*c)).try_for_each(|c| self.f.write_char(c))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Host;

    fn invite() -> Request {
        let text = "INVITE sip:4710@pbx SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP b\r\nv: SIP/2.0/TCP c\r\n\
            From: <sip:x@y>;tag=1\r\nt: sip:z@w\r\ni: id\r\nCSeq: 7 INVITE\r\nTimestamp: 54\r\nX-Ward: 4 West\r\n\r\n";
        match Message::parse(&Bytes::from_static(text.as_bytes())) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_response_copies_what_8_2_6_2_says() {
        let ringing = Response::to_request(&invite(), Status::RINGING).with_to_tag("t9").with_reason("Ring ring");
        assert_eq!(
            ringing.to_bytes(),
            "SIP/2.0 180 Ring ring\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP b\r\nv: SIP/2.0/TCP c\r\n\
            From: <sip:x@y>;tag=1\r\nTo: sip:z@w;tag=t9\r\ni: id\r\nCSeq: 7 INVITE\r\nContent-Length: 0\r\n\r\n"
        );
        assert_eq!(ringing.clone().with_to_tag("other"), ringing);
        assert_eq!(Response::to_request(&invite(), Status::TRYING).headers.get("Timestamp"), Some("54"));
    }

    #[test]
    fn content_length_is_always_the_bodys() {
        let mut request = invite();
        request.headers.push("l", "999");
        request.headers.push("Content-Length", "5");
        request = request.with_body("text/plain", "hello");
        let text = String::from_utf8(request.to_bytes().to_vec()).unwrap();
        assert!(text.contains("\r\nl: 5\r\n") && !text.contains("Content-Length") && text.ends_with("\r\n\r\nhello"));
    }

    #[test]
    fn nothing_set_by_hand_can_end_the_start_line() {
        let mut request = invite();
        request.uri = Uri::sip(None, Host::Name("h SIP/2.0\r\nVia: evil".to_owned()), None);
        assert!(request.to_bytes().starts_with(b"INVITE sip:hSIP/2.0Via:evil SIP/2.0\r\nVia: SIP"));
        let response = Response::new(Status::OK).with_reason("fine\r\nVia: evil");
        assert!(response.to_bytes().starts_with(b"SIP/2.0 200 fineVia: evil\r\nContent-Length: 0\r\n"));
    }

    #[test]
    fn keep_alives_are_blank() {
        assert!(
            Message::is_keep_alive(b"\r\n\r\n") && Message::is_keep_alive(b"\0\0\0\0") && Message::is_keep_alive(b"")
        );
        assert!(!Message::is_keep_alive(b"\r\nx"));
    }
}

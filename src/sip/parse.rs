//! From bytes to a [`Message`]: the head's lines become spans of one shared text, then everything that decides where a
//! message goes is checked in place.
//!
//! A first fault does not end the reading: the rest is still needed to answer a broken request with its own Via, From,
//! To, Call-ID and CSeq.

use std::sync::Arc;

use bytes::Bytes;
use memchr::memmem;

use super::fault::{Fault, ParseError};
use super::grammar;
use super::headers::{self, Headers};
use super::limits::{MAX_BODY, MAX_HEAD, MAX_HEADERS};
use super::message::{self, Message, Request, Response};
use super::method::Method;
use super::name_addr::NameAddrRef;
use super::names::Kind;
use super::status::Status;
use super::uri::{Uri, UriRef};
use super::via::ViaRef;

pub(super) fn parse(bytes: &Bytes) -> Result<Message, ParseError> {
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let bytes = bytes.slice(blank..);
    if bytes.is_empty() {
        return Err(ParseError { fault: Fault::Empty, reply: None });
    }
    let (head, body) = split_head(&bytes);
    if head.len() > MAX_HEAD {
        return Err(ParseError { fault: Fault::HeadTooLarge, reply: None });
    }
    let Head { start, headers, mut fault } = read_head(text(&head));
    match read_start(&start) {
        Start::Response(line) => {
            let checked = fault.map_or_else(|| check(&headers, None), Err);
            let finish = || {
                let (status, reason) = line?;
                checked?;
                let body = measure(&headers, body)?;
                Ok(Message::Response(Response { status, reason, headers, body }))
            };
            finish().map_err(|fault| ParseError { fault, reply: None })
        }
        Start::Request { method, uri } => {
            let parsed = uri.and_then(|uri| Method::parse(method).map(|method| (method, uri)));
            let checked = fault.take().map_or_else(|| check(&headers, Some(method)), Err);
            let finish = |headers: &Headers| {
                let (method, uri) = parsed?;
                checked?;
                Ok((method, uri, measure(headers, body)?))
            };
            match finish(&headers) {
                Ok((method, uri, body)) => Ok(Message::Request(Request { method, uri, headers, body })),
                Err(fault) => Err(ParseError { fault, reply: reply(method, &headers, fault) }),
            }
        }
    }
}

/// Everything up to and with the empty line, and what follows. A head without an empty line takes all.
fn split_head(bytes: &Bytes) -> (Bytes, Bytes) {
    let end = memmem::find(bytes, b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    (bytes.slice(..end), bytes.slice(end..))
}

/// The body's length that a stream's head declares, for the framer; without one it is 0. `None` when the head is not to
/// be trusted for it: any malformed line, or a length that is repeated or no number.
pub(super) fn content_length(head: &[u8]) -> Option<usize> {
    let Head { headers, fault, .. } = read_head(text(head));
    if fault.is_some() {
        return None;
    }
    let mut lengths = headers.kinds().filter(|(kind, _)| *kind == Kind::ContentLength);
    match (lengths.next(), lengths.next()) {
        (None, _) => Some(0),
        (Some((_, length)), None) => grammar::digits(length).map(|length| length as usize),
        (Some(_), Some(_)) => None,
    }
}

/// The head as text. Old phones send display names in Latin-1: octets that are not UTF-8 are read so, which keeps the
/// call where refusing it would not.
fn text(head: &[u8]) -> Arc<str> {
    if let Ok(text) = str::from_utf8(head) {
        return text.into();
    }
    let mut text = String::with_capacity(head.len() * 2);
    for chunk in head.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| char::from(*byte)));
    }
    text.into()
}

struct Head {
    start: String,
    headers: Headers,
    /// The first thing wrong with a line.
    fault: Option<Fault>,
}

fn read_head(source: Arc<str>) -> Head {
    let source = match unfold(&source) {
        Some(unfolded) => unfolded.into(),
        None => source,
    };
    let mut headers = Headers::over(Arc::clone(&source));
    let mut fault = None;
    let mut at = source.find('\n').map_or(source.len(), |end| end + 1);
    let first = source.get(..at).unwrap_or_default();
    let start = first.strip_suffix("\r\n").unwrap_or_else(|| {
        fault = Some(Fault::LineEnd);
        first.trim_end_matches('\n')
    });
    if start.contains('\r') {
        fault = Some(Fault::LineEnd);
    }
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        let line = rest.find('\n').map_or(rest, |end| rest.get(..=end).unwrap_or(rest));
        match read_line(line) {
            Ok(None) => break,
            Ok(Some(_)) if headers.len() == MAX_HEADERS => {
                fault = fault.or(Some(Fault::TooManyHeaders));
                break;
            }
            Ok(Some((name, value))) => {
                headers.push_span((at + name.0, at + name.1), (at + value.0, at + value.1));
            }
            Err(found) => fault = fault.or(Some(found)),
        }
        at += line.len();
    }
    Head { start: start.to_owned(), headers, fault }
}

type Span = (usize, usize);

/// One header line: where name and value stand in it. `None` for the empty line.
fn read_line(line: &str) -> Result<Option<(Span, Span)>, Fault> {
    let Some(content) = line.strip_suffix("\r\n").or_else(|| (!line.ends_with('\n')).then_some(line)) else {
        return if line == "\n" { Ok(None) } else { Err(Fault::LineEnd) };
    };
    if content.is_empty() {
        return Ok(None);
    }
    if content.contains('\r') {
        return Err(Fault::LineEnd);
    }
    let (name, value) = content.split_once(':').ok_or(Fault::NoColon)?;
    // Blanks before the colon are legal (§7.3.1) and must not hide a header from who strips it (line C51); anything
    // else that is no token, a NUL above all, is refused.
    let name = name.trim_end_matches([' ', '\t']);
    if !grammar::is_token(name) {
        return Err(Fault::HeaderName);
    }
    let start = content.len() - grammar::trim_start(value).len();
    Ok(Some(((0, name.len()), (start, start + grammar::trim(value).len()))))
}

/// Joins folded lines (§7.3.1): each fold becomes one blank. `None` when there is none, the usual case.
fn unfold(source: &str) -> Option<String> {
    let is_fold = |at: usize| matches!(source.as_bytes().get(at + 2), Some(b' ' | b'\t'));
    // The start line cannot be folded: a fold there stays and becomes a malformed header line.
    let first = memmem::find(source.as_bytes(), b"\r\n")?;
    let mut folds = memmem::find_iter(source.as_bytes(), b"\r\n").filter(|at| *at > first && is_fold(*at)).peekable();
    folds.peek()?;
    let mut unfolded = String::with_capacity(source.len());
    let mut done = 0;
    for fold in folds {
        // A fold among the blanks of the one before is already passed.
        if fold >= done {
            unfolded.push_str(source.get(done..fold).unwrap_or_default());
            unfolded.push(' ');
        }
        let rest = source.get(fold + 2..).unwrap_or_default();
        done = source.len() - grammar::trim_start(rest).len();
    }
    unfolded.push_str(source.get(done..).unwrap_or_default());
    Some(unfolded)
}

enum Start<'a> {
    Request { method: &'a str, uri: Result<Uri, Fault> },
    Response(Result<(Status, String), Fault>),
}

/// Request-Line or Status-Line, single blanks between the parts (§7.1, §7.2).
fn read_start(line: &str) -> Start<'_> {
    if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/")) {
        return Start::Response(read_status_line(line));
    }
    let (method, rest) = line.split_once(' ').unwrap_or((line, ""));
    let uri = match rest.split_once(' ') {
        Some((uri, version)) => check_version(version).and_then(|()| request_uri(uri)),
        None => Err(Fault::StartLine),
    };
    Start::Request { method, uri }
}

fn read_status_line(line: &str) -> Result<(Status, String), Fault> {
    let (version, rest) = line.split_once(' ').ok_or(Fault::StartLine)?;
    check_version(version)?;
    let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    if code.len() != 3 {
        return Err(Fault::StatusCode);
    }
    let status = grammar::digits(code).and_then(|code| u16::try_from(code).ok()).and_then(Status::new);
    let reason = reason.chars().filter(|c| message::is_text(*c)).collect();
    Ok((status.ok_or(Fault::StatusCode)?, reason))
}

fn check_version(version: &str) -> Result<(), Fault> {
    if version.eq_ignore_ascii_case("SIP/2.0") {
        return Ok(());
    }
    let numbers = version.get(..4).filter(|name| name.eq_ignore_ascii_case("SIP/")).and_then(|_| version.get(4..));
    match numbers.and_then(|numbers| numbers.split_once('.')) {
        Some((major, minor)) if grammar::digits(major).is_some() && grammar::digits(minor).is_some() => {
            Err(Fault::Version)
        }
        Some(_) | None => Err(Fault::StartLine),
    }
}

/// Headers are not allowed in a Request-URI (§19.1.1, table 1), so none can be smuggled in there.
fn request_uri(text: &str) -> Result<Uri, Fault> {
    let uri = UriRef::parse(text).map_err(|_| Fault::RequestUri)?;
    if uri.has_headers() { Err(Fault::RequestUri) } else { uri.to_uri().map_err(|_| Fault::RequestUri) }
}

/// What every message must have once, and what must be well formed because it decides where messages go.
/// `method` is the request's.
fn check(headers: &Headers, method: Option<&str>) -> Result<(), Fault> {
    let mut seen = 0u32;
    for (kind, value) in headers.kinds() {
        if let Some(name) = kind.single()
            && seen & bit(kind) != 0
        {
            return Err(Fault::Repeated(name));
        }
        seen |= bit(kind);
        check_value(kind, value, method)?;
    }
    for (kind, name) in
        [(Kind::Via, "Via"), (Kind::From, "From"), (Kind::To, "To"), (Kind::CallId, "Call-ID"), (Kind::Cseq, "CSeq")]
    {
        if seen & bit(kind) == 0 {
            return Err(Fault::Missing(name));
        }
    }
    Ok(())
}

fn bit(kind: Kind) -> u32 {
    1 << (kind as u32)
}

fn check_value(kind: Kind, value: &str, method: Option<&str>) -> Result<(), Fault> {
    match kind {
        Kind::Via => every(value, "Via", |via| ViaRef::parse(via).is_ok()),
        Kind::From => every_one(NameAddrRef::parse(value).is_ok(), "From"),
        Kind::To => every_one(NameAddrRef::parse(value).is_ok(), "To"),
        Kind::CallId => every_one(!value.is_empty() && !value.contains([' ', '\t']), "Call-ID"),
        Kind::Cseq => {
            let (_, of) = headers::cseq_parts(value)?;
            if method.is_some_and(|method| method != of) { Err(Fault::CseqMethod) } else { Ok(()) }
        }
        Kind::MaxForwards => headers::read_max_forwards(value).map(drop),
        Kind::Contact if value == "*" => Ok(()),
        Kind::Contact => every(value, "Contact", |address| NameAddrRef::parse(address).is_ok()),
        Kind::Route => every(value, "Route", |address| NameAddrRef::parse(address).is_ok()),
        Kind::RecordRoute => every(value, "Record-Route", |address| NameAddrRef::parse(address).is_ok()),
        Kind::Other
        | Kind::AcceptContact
        | Kind::AllowEvents
        | Kind::ContentEncoding
        | Kind::ContentLength
        | Kind::ContentType
        | Kind::Event
        | Kind::Expires
        | Kind::Identity
        | Kind::ReferTo
        | Kind::ReferredBy
        | Kind::RejectContact
        | Kind::Replaces
        | Kind::RequestDisposition
        | Kind::Require
        | Kind::SessionExpires
        | Kind::Subject
        | Kind::Supported => Ok(()),
    }
}

/// At least one element, and each as it should be.
fn every(value: &str, name: &'static str, good: impl Fn(&str) -> bool) -> Result<(), Fault> {
    let mut elements = grammar::list(value).peekable();
    every_one(elements.peek().is_some() && elements.all(good), name)
}

fn every_one(good: bool, name: &'static str) -> Result<(), Fault> {
    if good { Ok(()) } else { Err(Fault::Malformed(name)) }
}

/// Cuts the body to its Content-Length; without one it is all there is (§18.3).
fn measure(headers: &Headers, body: Bytes) -> Result<Bytes, Fault> {
    let length = match headers.get("Content-Length") {
        Some(text) => grammar::digits(text).ok_or(Fault::Malformed("Content-Length"))? as usize,
        None => body.len(),
    };
    if length > MAX_BODY {
        return Err(Fault::BodyTooLarge);
    }
    if length > body.len() {
        return Err(Fault::ContentLengthExceedsBody);
    }
    Ok(body.slice(..length))
}

/// The refusal of a request, when its way back can be read. An ACK is never answered.
fn reply(method: &str, headers: &Headers, fault: Fault) -> Option<Box<Response>> {
    if method == "ACK" || !grammar::is_token(method) {
        return None;
    }
    headers.top_via().ok()?;
    let status = fault.status();
    let reason = format!("{} ({fault})", status.reason());
    Some(Box::new(Response::to_headers(headers, status).with_reason(reason).with_to_tag(&tag(headers))))
}

/// A To tag that is the same for each copy of a request (§8.2.7), without any state: FNV-1a of what identifies it.
fn tag(headers: &Headers) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for text in [headers.get("Via"), headers.get("Call-ID"), headers.get("CSeq")] {
        for byte in text.unwrap_or_default().bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests;

//! What the parser takes, what it refuses, and with which reply.

use bytes::Bytes;

use crate::sip::limits::{MAX_BODY, MAX_HEADERS};
use crate::sip::{Fault, Message, Method, ParseError, Request, Status};

/// A request of ours, every mandatory header in place, with `extra` lines added.
fn options(extra: &str) -> String {
    format!(
        "OPTIONS sip:desk@hotline.test SIP/2.0\r\nVia: SIP/2.0/UDP ward.test;branch=z9hG4bKw1\r\nFrom: <sip:4710@pbx.test>;tag=w\r\n\
        To: <sip:desk@hotline.test>\r\nCall-ID: c1@ward\r\nCSeq: 3 OPTIONS\r\n{extra}\r\n"
    )
}

fn parse(text: &str) -> Result<Message, ParseError> {
    Message::parse(&Bytes::copy_from_slice(text.as_bytes()))
}

fn request(text: &str) -> Request {
    match parse(text) {
        Ok(Message::Request(request)) => request,
        other => panic!("{text}\n{other:?}"),
    }
}

fn fault(text: &str) -> Fault {
    parse(text).expect_err(text).fault
}

#[test]
fn unknown_headers_keep_order_spelling_and_value() {
    let request = request(&options("X-Ward: 4 West\r\nx-WARD:2\r\nP-Weird : ;;,,;\t\"\r\nEmpty:\r\n"));
    let tail: Vec<_> = request.headers.iter().skip(5).collect();
    assert_eq!(tail, [("X-Ward", "4 West"), ("x-WARD", "2"), ("P-Weird", ";;,,;\t\""), ("Empty", "")]);
}

#[test]
fn folds_become_one_blank() {
    let request = request(&options("Subject: a\r\n   b \r\n\t\r\n  c\r\nX: d\r\n"));
    assert_eq!(request.headers.get("subject"), Some("a b   c"));
    assert_eq!(request.headers.get("X"), Some("d"));
}

#[test]
fn a_folded_start_line_is_refused() {
    assert_eq!(fault(&options("").replacen("\r\nVia", "\r\n Via", 1)), Fault::HeaderName);
}

// Line C51.
#[test]
fn no_disguise_hides_a_header_from_who_strips_it() {
    for disguise in ["P-Asserted-Identity :", "P-ASSERTED-identity\t:", "P-Asserted-Identity:\r\n"] {
        let mut request = request(&options(&format!("{disguise} <sip:chief@h>\r\n")));
        assert_eq!(request.headers.remove("P-Asserted-Identity"), 1, "{disguise:?}");
        assert!(!request.to_bytes().windows(5).any(|word| word == b"chief"));
    }
    for disguise in [
        "P-Asserted-Identity\0:",
        "P-Asserted-Identity\0 :",
        "P-Asserted Identity:",
        "\0P-Asserted-Identity:",
        "\u{b}P:",
    ] {
        assert_eq!(fault(&options(&format!("{disguise} <sip:chief@h>\r\n"))), Fault::HeaderName, "{disguise:?}");
    }
    for line_end in ["X: a\nP-Asserted-Identity: <sip:chief@h>\r\n", "X: a\rP-Asserted-Identity: <sip:chief@h>\r\n"] {
        assert_eq!(fault(&options(line_end)), Fault::LineEnd, "{line_end:?}");
    }
}

#[test]
fn content_length_cuts_a_datagram_and_may_not_exceed_it() {
    assert_eq!(request(&(options("l: 3\r\n") + "abcdef")).body, "abc");
    assert_eq!(request(&(options("") + "abcdef")).body, "abcdef");
    for (length, expected) in [
        ("7", Fault::ContentLengthExceedsBody),
        ("-1", Fault::Malformed("Content-Length")),
        ("+3", Fault::Malformed("Content-Length")),
        ("", Fault::Malformed("Content-Length")),
        ("99999999999999999999999", Fault::BodyTooLarge),
        ("3\r\nContent-Length: 3", Fault::Repeated("Content-Length")),
    ] {
        assert_eq!(fault(&(options(&format!("Content-Length: {length}\r\n")) + "abcdef")), expected, "{length}");
    }
    assert_eq!(fault(&(options("") + &"x".repeat(MAX_BODY + 1))), Fault::BodyTooLarge);
}

#[test]
fn mandatory_headers_stand_exactly_once() {
    for (line, name) in [
        ("Via: SIP/2.0/UDP ward.test;branch=z9hG4bKw1\r\n", "Via"),
        ("From: <sip:4710@pbx.test>;tag=w\r\n", "From"),
        ("To: <sip:desk@hotline.test>\r\n", "To"),
        ("Call-ID: c1@ward\r\n", "Call-ID"),
        ("CSeq: 3 OPTIONS\r\n", "CSeq"),
    ] {
        assert_eq!(fault(&options("").replace(line, "")), Fault::Missing(name));
        if name != "Via" {
            assert_eq!(fault(&options(line)), Fault::Repeated(name));
        }
    }
    assert_eq!(fault(&options("Max-Forwards: 7\r\nMax-Forwards: 7\r\n")), Fault::Repeated("Max-Forwards"));
}

#[test]
fn start_lines_are_exact() {
    let start = |line: &str| fault(&options("").replacen("OPTIONS sip:desk@hotline.test SIP/2.0", line, 1));
    assert_eq!(start("OPTIONS sip:a@b SIP/7.0"), Fault::Version);
    assert_eq!(start("OPTIONS sip:a@b HTTP/1.1"), Fault::StartLine);
    assert_eq!(start("OPTIONS sip:a@b"), Fault::StartLine);
    assert_eq!(start("OPTIONS  sip:a@b SIP/2.0"), Fault::StartLine);
    assert_eq!(start("OPTIONS sip:a@b SIP/2.0 "), Fault::StartLine);
    assert_eq!(start("OPTIONS <sip:a@b> SIP/2.0"), Fault::RequestUri);
    assert_eq!(start("OPTIONS sip:a@b?Route=%3Csip:c%3E SIP/2.0"), Fault::RequestUri);
    assert_eq!(start("INVITE sip:a@b SIP/2.0"), Fault::CseqMethod);
    assert_eq!(start("OPT(IONS sip:a@b SIP/2.0"), Fault::Malformed("method"));
    assert_eq!(start("SIP/2.0 4294967301 x"), Fault::StatusCode);
    assert_eq!(start("SIP/2.0 700 x"), Fault::StatusCode);
    assert_eq!(start("SIP/2.0 099 x"), Fault::StatusCode);
}

#[test]
fn a_refusal_finds_its_way_back() {
    let reply = parse(&options("Max-Forwards: 256\r\n")).unwrap_err().reply.expect("answerable");
    assert_eq!(reply.status, Status::BAD_REQUEST);
    assert_eq!(reply.reason, "Bad Request (malformed Max-Forwards)");
    assert_eq!(reply.headers.get("Via"), Some("SIP/2.0/UDP ward.test;branch=z9hG4bKw1"));
    assert_eq!(reply.headers.cseq().unwrap().method, Method::Options);
    let tag = reply.headers.to().unwrap().tag().map(str::to_owned);
    assert!(tag.is_some());
    let again = parse(&options("Max-Forwards: 256\r\n")).unwrap_err().reply.expect("answerable");
    assert_eq!(again.headers.to().unwrap().tag(), tag.as_deref(), "a copy gets the same tag");
    assert_eq!(
        parse(&options("").replace("SIP/2.0\r\n", "SIP/3.1\r\n")).unwrap_err().reply.unwrap().status.code(),
        505
    );
}

#[test]
fn what_cannot_be_answered_has_no_reply() {
    let ack = options("Max-Forwards: 256\r\n").replace("OPTIONS", "ACK");
    assert!(parse(&ack).unwrap_err().reply.is_none());
    let response = options("CSeq: x\r\n").replace("OPTIONS sip:desk@hotline.test SIP/2.0", "SIP/2.0 200 OK");
    assert!(parse(&response).unwrap_err().reply.is_none());
    assert!(parse(&options("").replace("SIP/2.0/UDP ward", "SIP/2.0 ward")).unwrap_err().reply.is_none());
    assert_eq!(fault("\r\n\r\n"), Fault::Empty);
}

#[test]
fn header_lines_are_bounded() {
    request(&options(&"Ward: y\r\n".repeat(MAX_HEADERS - 5)));
    assert_eq!(fault(&options(&"Ward: y\r\n".repeat(MAX_HEADERS - 4))), Fault::TooManyHeaders);
    assert_eq!(fault(&options(&format!("Ward: {}\r\n", "y".repeat(65_536)))), Fault::HeadTooLarge);
}

#[test]
fn latin_1_names_of_old_phones_are_read() {
    let bytes = options("").replace("<sip:4710", "\"M\u{1}ller\" <sip:4710").into_bytes();
    let bytes: Vec<u8> = bytes.into_iter().map(|byte| if byte == 1 { 0xfc } else { byte }).collect();
    let Ok(Message::Request(request)) = Message::parse(&bytes.into()) else { panic!("parses") };
    assert_eq!(request.headers.from().unwrap().display.as_deref(), Some("Müller"));
}

#[test]
fn blank_lines_before_and_a_missing_one_behind_are_forgiven() {
    assert_eq!(request(&format!("\r\n\r\n{}", options(""))).method, Method::Options);
    assert_eq!(request(options("").trim_end()).headers.cseq().unwrap().number, 3);
}

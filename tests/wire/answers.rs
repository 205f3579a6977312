//! Torture through the whole switch: what each message is answered with, by datagram and by stream, and that it leaves
//! nothing open.

use wardline::sip::{Message, Response, Transport};

use super::build::message;
use super::desk::{Desk, T1_64};
use super::look::{Expect, Row};
use super::torture::{Published, published};
use super::{rfc4475, rfc5118};

const PBX: &str = "10.0.1.1:5060";
const SDP: &str = "v=0\r\no=w 1 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n";

/// Gives `bytes` to a new desk as a trunk's and returns the first final answer. Whatever follows is over in time: what
/// was accepted is given up after 64*T1 without ACK, and the BYE of it after as long again.
fn answer_to(name: &str, transport: Transport, bytes: &[u8]) -> Option<Response> {
    let mut desk = Desk::new();
    match transport {
        Transport::Udp => desk.datagram(PBX, bytes.to_vec()),
        Transport::Tcp | Transport::Tls => desk.stream(PBX, bytes),
    }
    let answer = desk.finals().first().map(|answer| (*answer).clone());
    desk.run(T1_64);
    if answer.as_ref().is_some_and(|answer| answer.status.is_success()) && !desk.requests().is_empty() {
        desk.run(T1_64);
    }
    desk.assert_empty(&format!("{name} over {transport:?}"));
    // On a stream, a second message may follow the first.
    if transport == Transport::Udp {
        assert!(desk.finals().len() <= 1, "{name}: {:?}", desk.finals());
    }
    answer
}

fn status(answer: Option<&Response>) -> u16 {
    answer.map_or(0, |answer| answer.status.code())
}

/// What every answer of this status carries.
fn assert_complete(name: &str, answer: &Response) {
    let wanted: &[&str] = match answer.status.code() {
        401 => &["WWW-Authenticate"],
        405 | 501 => &["Allow"],
        420 => &["Unsupported"],
        _ => &[],
    };
    for header in wanted.iter().chain(&["Via", "From", "Call-ID", "CSeq"]) {
        assert!(answer.headers.get(header).is_some() || answer.status.code() == 400, "{name}: no {header}: {answer:?}");
    }
    let tagged = answer.headers.to().is_ok_and(|to| to.tag().is_some());
    assert!(tagged || answer.status.code() == 400, "{name}: no To tag: {answer:?}");
}

#[test]
fn our_messages_of_each_section_are_answered_and_leave_nothing() {
    let rows = [rfc4475::SYNTAX_GOOD, rfc4475::SYNTAX_BAD, rfc4475::MEANING, rfc5118::ROWS];
    for row in rows.into_iter().flatten() {
        let Row { section, about, start, lines, body, expect } = row;
        let name = format!("{section} {about}");
        let expected = match expect {
            Expect::Taken(answer, _) => *answer,
            Expect::Refused(answer) => *answer,
            Expect::Discarded => 0,
        };
        let bytes = message(start, lines, body);
        let answer = answer_to(&name, Transport::Udp, &bytes);
        assert_eq!(status(answer.as_ref()), expected, "{name}: {answer:?}");
        answer.iter().for_each(|answer| assert_complete(&name, answer));
        let on_stream = status(answer_to(&name, Transport::Tcp, &bytes).as_ref());
        // A stream waits for what Content-Length promises, and cannot be cut without it (RFC 3261 section 18.3).
        let differs = matches!((*section, on_stream), ("3.1.2.2", 0) | ("3.4.1", 400));
        assert!(on_stream == expected || differs, "{name} on a stream: {on_stream}");
    }
}

fn accepts(published: &Published, answer: Option<&Response>) -> bool {
    published.line.accepted.iter().any(|accepted| match (accepted.as_str(), answer) {
        ("any", _) | ("none", None) => true,
        ("any-but-400", Some(answer)) => answer.status.code() != 400,
        (code, Some(answer)) => answer.status.to_string() == code,
        (_, None) => false,
    })
}

#[test]
fn published_messages_are_answered_as_their_manifests_say_and_leave_nothing() {
    for published in published() {
        let file = &published.line.file;
        let answer = answer_to(file, Transport::Udp, &published.bytes);
        assert!(accepts(&published, answer.as_ref()), "{file}: {answer:?}");
        answer.iter().for_each(|answer| assert_complete(file, answer));
        let on_stream = answer_to(file, Transport::Tcp, &published.bytes);
        let no_length = file == "inv2543.dat" && status(on_stream.as_ref()) == 400;
        assert!(accepts(&published, on_stream.as_ref()) || no_length, "{file} on a stream: {on_stream:?}");
    }
}

/// The published INVITEs know no number of ours; dialled at the hotline, the valid ones get as far as a call can.
#[test]
fn published_valid_invites_dialled_at_the_hotline_are_taken_or_refused_for_their_session() {
    let dialled = |published: &Published| -> Option<Vec<u8>> {
        let valid = published.line.class == "valid" || published.line.class == "backcompat";
        let end = published.bytes.windows(2).position(|pair| pair == b"\r\n")?;
        let rest = published.bytes.get(end..)?;
        (valid && published.line.method == "INVITE")
            .then(|| [b"INVITE sip:7100@10.0.0.10 SIP/2.0".as_slice(), rest].concat())
    };
    for published in published() {
        let Some(bytes) = dialled(&published) else { continue };
        for transport in [Transport::Udp, Transport::Tcp] {
            let answer = answer_to(&published.line.file, transport, &bytes);
            // 481: inside of a dialog that is not ours.
            let no_length = transport == Transport::Tcp && published.line.file == "inv2543.dat";
            let fine = matches!(status(answer.as_ref()), 200 | 415 | 481 | 488) || no_length;
            assert!(fine, "{} over {transport:?}: {answer:?}", published.line.file);
        }
    }
}

/// Requests as a server must answer them (RFC 3261 section 8.2, 12.2.2): start line, header lines, body, status, and a
/// header of the answer.
const REQUESTS: &[(&str, &str, &str, u16, &str)] = &[
    (
        "INVITE sip:7100@10.0.0.10 SIP/2.0",
        "Contact: <sip:4710@10.0.1.1>\nContent-Type: application/sdp",
        SDP,
        200,
        "Content-Type: application/sdp",
    ),
    (
        "INVITE sip:7100@10.0.0.10 SIP/2.0",
        "Contact: <sip:4710@10.0.1.1>\nc: Application/SDP;charset=utf-8",
        SDP,
        200,
        "",
    ),
    ("INVITE sip:7100@10.0.0.10 SIP/2.0", "Contact: <sip:4710@10.0.1.1>", "", 200, "Content-Type: application/sdp"),
    ("INVITE sip:7100@10.0.0.10 SIP/2.0", "Contact: <sip:4710@10.0.1.1>\nMax-Forwards: 0", "", 200, ""),
    (
        "INVITE sip:7100@10.0.0.10 SIP/2.0",
        "Contact: <sip:4710@10.0.1.1>\nContent-Type: application/x-ward",
        "<bed/>",
        415,
        "Accept: application/sdp",
    ),
    (
        "INVITE sip:7100@10.0.0.10 SIP/2.0",
        "Contact: <sip:4710@10.0.1.1>\nContent-Type: application/sdp\nContent-Encoding: gzip",
        SDP,
        415,
        "Accept-Encoding: identity",
    ),
    (
        "INVITE sip:7100@10.0.0.10 SIP/2.0",
        "Contact: <sip:4710@10.0.1.1>\nContent-Type: multipart/mixed;boundary=w",
        "--w\r\nContent-Type: text/plain\r\n\r\nBed 12\r\n--w--\r\n",
        415,
        "Accept: application/sdp",
    ),
    (
        "INVITE sip:7100@10.0.0.10 SIP/2.0",
        "Contact: <sip:4710@10.0.1.1>\nContent-Type: multipart/mixed;boundary=w",
        "--w\r\nContent-Type: application/isup\r\n\r\n\x01\x02\r\n--w\r\nContent-Type: application/sdp\r\n\r\nv=0\r\no=w 1 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n\r\n--w--\r\n",
        200,
        "Content-Type: application/sdp",
    ),
    (
        "INVITE sip:7100@10.0.0.10 SIP/2.0",
        "Contact: <sip:4710@10.0.1.1>\nContent-Type: application/sdp",
        "v=0\r\n",
        400,
        "",
    ),
    (
        "INVITE sip:7100@10.0.0.10 SIP/2.0",
        "Contact: <sip:4710@10.0.1.1>\nRequire: 100rel, timer, precondition",
        "",
        420,
        "Unsupported: precondition",
    ),
    (
        "INVITE sip:7100@10.0.0.10 SIP/2.0",
        "Contact: <sip:4710@10.0.1.1>\nProxy-Require: ward",
        "",
        420,
        "Unsupported: ward",
    ),
    ("INVITE sip:7100@10.0.0.10 SIP/2.0", "", "", 400, ""),
    ("INVITE sip:7100@10.0.0.10 SIP/2.0", "From: <sip:4710@10.0.1.1>", "", 200, ""),
    ("INVITE sip:7100@10.0.0.10 SIP/2.0", "Contact: <ward:4710>", "", 400, ""),
    ("INVITE ward:7100 SIP/2.0", "Contact: <sip:4710@10.0.1.1>", "", 416, ""),
    ("INVITE sip:7999@10.0.0.10 SIP/2.0", "Contact: <sip:4710@10.0.1.1>", "", 404, ""),
    ("INVITE sip:7100@10.0.0.10 SIP/2.0", "To: <sip:7100@10.0.0.10>;tag=gone", "", 481, ""),
    ("BYE sip:7100@10.0.0.10 SIP/2.0", "", "", 481, ""),
    ("BYE sip:7100@10.0.0.10 SIP/2.0", "To: <sip:7100@10.0.0.10>;tag=gone\nRequire: ward", "", 481, ""),
    ("CANCEL sip:7100@10.0.0.10 SIP/2.0", "", "", 481, ""),
    ("INFO sip:7100@10.0.0.10 SIP/2.0", "", "", 481, ""),
    ("UPDATE sip:7100@10.0.0.10 SIP/2.0", "Contact: <sip:4710@10.0.1.1>", "", 481, ""),
    ("PRACK sip:7100@10.0.0.10 SIP/2.0", "RAck: 1 1 INVITE", "", 481, ""),
    ("NOTIFY sip:7100@10.0.0.10 SIP/2.0", "Event: refer", "", 481, ""),
    ("SUBSCRIBE sip:7100@10.0.0.10 SIP/2.0", "Event: dialog", "", 489, ""),
    ("REFER sip:7100@10.0.0.10 SIP/2.0", "Refer-To: <sip:4780@10.0.1.1>", "", 405, "Allow: "),
    ("MESSAGE sip:7100@10.0.0.10 SIP/2.0", "Content-Type: text/plain", "Bed 12", 405, "Allow: "),
    ("PUBLISH sip:7100@10.0.0.10 SIP/2.0", "Event: presence", "", 405, "Allow: "),
    ("PAGE sip:7100@10.0.0.10 SIP/2.0", "", "", 501, "Allow: "),
    ("PAGE sip:7100@10.0.0.10 SIP/2.0", "To: <sip:7100@10.0.0.10>;tag=gone", "", 501, "Allow: "),
    ("OPTIONS sip:7100@10.0.0.10 SIP/2.0", "", "", 200, "Accept: application/sdp"),
    ("OPTIONS sip:7100@10.0.0.10 SIP/2.0", "To: <sip:7100@10.0.0.10>;tag=gone", "", 481, ""),
    ("REGISTER sip:desk.test SIP/2.0", "To: <sip:nobody@desk.test>", "", 401, "WWW-Authenticate: Digest "),
    ("ACK sip:7100@10.0.0.10 SIP/2.0", "To: <sip:7100@10.0.0.10>;tag=gone", "", 0, ""),
];

#[test]
fn requests_are_answered_in_the_order_of_section_8_2() {
    for (start, lines, body, expected, header) in REQUESTS {
        let name = format!("{start} {lines:?}");
        for transport in [Transport::Udp, Transport::Tcp] {
            let answer = answer_to(&name, transport, &message(start, lines, body));
            assert_eq!(status(answer.as_ref()), *expected, "{name}: {answer:?}");
            let Some(answer) = answer else { continue };
            assert_complete(&name, &answer);
            let (header, value) = header.split_once(": ").unwrap_or_default();
            let found = answer.headers.get(header).unwrap_or_default();
            assert!(found.starts_with(value), "{name}: {header}: {found}");
        }
    }
}

/// A 200 to an INVITE of before a restart is let go, and only such a one: its Via is ours (RFC 3261 section 18.1.2).
#[test]
fn only_a_stray_answer_to_an_invite_of_ours_is_acknowledged_and_ended() {
    let stray = |via: &str| {
        let lines = format!(
            "Via: SIP/2.0/UDP {via};branch=z9hG4bKbefore\nTo: <sip:4901@10.0.1.1>;tag=a\nContact: <sip:4901@10.0.1.1>\nCSeq: 1 INVITE"
        );
        message("SIP/2.0 200 OK", &lines, "")
    };
    let sent = |remote: &str, via: &str| {
        let mut desk = Desk::new();
        desk.datagram(remote, stray(via));
        let sent: Vec<String> = desk.requests().iter().map(|request| request.method.to_string()).collect();
        desk.run(T1_64);
        desk.assert_empty(via);
        sent
    };
    assert_eq!(sent(PBX, "10.0.0.10:5060"), ["ACK", "BYE"]);
    assert_eq!(sent(PBX, "10.0.0.99:5060"), [""; 0], "the Via is another's");
    assert_eq!(sent("198.51.100.7:5060", "10.0.0.10:5060"), [""; 0], "a stranger has no call of ours");
}

/// What is sent again gets the same answer again, and a stream that cannot be cut is closed.
#[test]
fn copies_get_the_same_answer_and_a_broken_stream_is_closed() {
    let mut desk = Desk::new();
    let options = message("OPTIONS sip:7100@10.0.0.10 SIP/2.0", "", "");
    desk.datagram(PBX, options.clone());
    desk.datagram(PBX, options);
    assert_eq!((desk.sent.len(), desk.finals().len()), (2, 1));
    assert!(matches!(&desk.sent[0], Message::Response(response) if response.status.code() == 200));

    let mut desk = Desk::new();
    let broken = message("OPTIONS sip:7100@10.0.0.10 SIP/2.0", "Content-Length: -1", "");
    desk.stream(PBX, &[broken.clone(), broken].concat());
    assert_eq!((status(desk.finals().first().copied()), desk.finals().len(), desk.closed.len()), (400, 1, 1));
}

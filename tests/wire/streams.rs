//! Streams cut anywhere, and messages whose size is wrong or too large (lines D52 and D56), through framing and switch.

use wardline::sip::Message;

use super::build::message;
use super::desk::{Desk, T1_64};

const PBX: &str = "10.0.1.1:5060";
const OPTIONS: &str = "OPTIONS sip:7100@10.0.0.10 SIP/2.0";
const SDP: &str = "v=0\r\no=w 1 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n";

/// Status and CSeq of everything that was answered, in order.
fn answers(desk: &Desk) -> Vec<(u16, u32)> {
    let responses = desk.sent.iter().filter_map(|message| match message {
        Message::Response(response) => Some(response),
        Message::Request(_) => None,
    });
    let number = |response: &wardline::sip::Response| response.headers.cseq().map_or(0, |cseq| cseq.number);
    responses.map(|response| (response.status.code(), number(response))).collect()
}

fn options(number: u32) -> Vec<u8> {
    let lines = format!("Via: SIP/2.0/TCP 10.0.1.1:5060;branch=z9hG4bKping{number}\nCSeq: {number} OPTIONS");
    message(OPTIONS, &lines, "")
}

/// A call's whole way on one stream.
fn call() -> Vec<u8> {
    let via = |name: &str| format!("Via: SIP/2.0/TCP 10.0.1.1:5060;branch=z9hG4bK{name}");
    let contact = "Contact: <sip:4710@10.0.1.1;transport=tcp>";
    let lines = format!("{}\n{contact}\nContent-Type: application/sdp", via("invite"));
    let invite = message("INVITE sip:7100@10.0.0.10 SIP/2.0", &lines, SDP);
    let ping = b"\r\n\r\n".to_vec();
    [ping.clone(), invite, ping, options(9)].concat()
}

#[test]
fn d52_a_stream_in_single_octets_is_served_as_one_in_whole_messages() {
    let bytes = call();
    let whole = {
        let mut desk = Desk::new();
        desk.stream_in(PBX, [bytes.as_slice()]);
        answers(&desk)
    };
    assert_eq!(whole, [(200, 1), (200, 9)]);
    for size in [1, 2, 3, 64, 1_000] {
        let mut desk = Desk::new();
        desk.stream_in(PBX, bytes.chunks(size));
        assert_eq!(answers(&desk), whole, "in pieces of {size}");
        assert!(desk.closed.is_empty());
        let opened = desk.media.iter().filter(|command| format!("{command:?}").starts_with("Open")).count();
        assert!(opened >= 1, "the INVITE's media leg");
        // Without ACK it is given up, with a BYE that nobody answers.
        desk.run(T1_64);
        desk.run(T1_64);
        desk.assert_empty("a call in pieces");
    }
}

#[test]
fn d52_fifty_messages_in_one_write_are_answered_once_each_and_in_order() {
    let bytes: Vec<u8> = (1..=50).flat_map(options).collect();
    let mut desk = Desk::new();
    desk.stream_in(PBX, [bytes.as_slice()]);
    let expected: Vec<(u16, u32)> = (1..=50).map(|number| (200, number)).collect();
    assert_eq!(answers(&desk), expected);
    desk.run(T1_64);
    desk.assert_empty("fifty pings");
}

#[test]
fn d56_the_largest_datagram_is_answered() {
    let head = message(OPTIONS, "X-Padding: ", "").len();
    let largest = |lines: &str| message(OPTIONS, lines, "");
    let bytes = largest(&format!("X-Padding: {}", "x".repeat(65_507 - head)));
    assert_eq!(bytes.len(), 65_507);
    let mut desk = Desk::new();
    desk.datagram(PBX, bytes);
    assert_eq!(answers(&desk).len(), 1);
    // As much in the body, of a kind that OPTIONS has no use for.
    let empty = message(OPTIONS, "Content-Length: 00000", "").len();
    desk.datagram(
        PBX,
        message(
            OPTIONS,
            "Via: SIP/2.0/UDP 10.0.1.1;branch=z9hG4bKbody\nCSeq: 2 OPTIONS",
            &"x".repeat(65_507 - empty - 64),
        ),
    );
    assert_eq!(answers(&desk).last(), Some(&(200, 2)));
    desk.run(T1_64);
    desk.assert_empty("large datagrams");
}

#[test]
fn d56_a_content_length_beyond_a_datagram_is_400_and_a_stream_waits_for_the_rest() {
    let short = message(OPTIONS, "Content-Length: 500", "only this");
    let mut desk = Desk::new();
    desk.datagram(PBX, short.clone());
    assert_eq!(answers(&desk), [(400, 1)]);
    let mut desk = Desk::new();
    desk.stream_in(PBX, [short.as_slice()]);
    assert_eq!(answers(&desk), [], "the rest may come yet; how long is the runtime's to say");
    desk.stream_in(PBX, [options(2).as_slice()]);
    assert_eq!(answers(&desk), [(200, 2)], "and another stream is served");
}

#[test]
fn d56_what_follows_a_content_length_of_0_is_dropped_from_a_datagram_and_ends_a_stream() {
    let bytes = message(OPTIONS, "Content-Length: 0", "not announced");
    let mut desk = Desk::new();
    desk.datagram(PBX, bytes.clone());
    assert_eq!(answers(&desk), [(200, 1)], "RFC 3261 section 18.3: discarded");
    let mut desk = Desk::new();
    // On a stream the next message begins there, and this is none.
    desk.stream_in(PBX, [bytes.as_slice(), b"\r\n\r\n", &options(2)]);
    assert_eq!(answers(&desk).first(), Some(&(200, 1)));
    assert_eq!(desk.closed.len(), 1);
    assert!(!answers(&desk).contains(&(200, 2)), "nothing after it is read");
}

#[test]
fn d56_five_megabytes_over_tcp_are_refused_at_the_head_and_the_stream_closed() {
    let bytes = message(OPTIONS, "", &"x".repeat(5 << 20));
    let mut desk = Desk::new();
    desk.stream_in(PBX, bytes.chunks(16 * 1024));
    let answered = answers(&desk);
    assert!(matches!(answered.as_slice(), [(400 | 413 | 513, _)]), "{answered:?}");
    assert_eq!(desk.closed.len(), 1);
    desk.run(T1_64);
    desk.assert_empty("5 MB");
    // A head without end is cut off as well.
    let endless = [message(OPTIONS, "", "")[..60].to_vec(), b"X: y\r\n".repeat(1 << 20)].concat();
    let mut desk = Desk::new();
    desk.stream_in(PBX, endless.chunks(16 * 1024));
    assert_eq!(desk.closed.len(), 1);
    desk.run(T1_64);
    desk.assert_empty("a head of 6 MB");
}

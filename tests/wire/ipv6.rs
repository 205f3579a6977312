//! A call over IPv6 through the whole switch (line B39): every address in it is of one family.

use wardline::call::media::MediaCommand;
use wardline::sip::Message;

use super::build::message;
use super::desk::{Desk, T1_64};

const CALLER: &str = "[::1]:5070";
const CALLER_V4: &str = "10.0.1.1:5060";
const SDP6: &str = "v=0\r\no=w 1 1 IN IP6 ::1\r\ns=-\r\nc=IN IP6 ::1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n";
const SDP4: &str =
    "v=0\r\no=w 1 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n";
const VIA6: &str = "Via: SIP/2.0/UDP [::1]:5070;branch=z9hG4bKward6";

fn invite(host: &str, via: &str, sdp: &str) -> Vec<u8> {
    let lines = format!("{via}\nContact: <sip:4710@{CALLER}>\nContent-Type: application/sdp");
    message(&format!("INVITE sip:7100@{host} SIP/2.0"), &lines, sdp)
}

#[test]
fn b39_a_call_over_ipv6_is_answered_with_ipv6_throughout() {
    let mut desk = Desk::new();
    desk.datagram(CALLER, invite("[::1]:5060", VIA6, SDP6));
    let answer = desk.answer();
    assert_eq!(answer.status.code(), 200, "{answer:?}");
    let sdp = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(sdp.contains("\r\nc=IN IP6 ::1\r\n") && !sdp.contains("IP4"), "{sdp}");
    assert_eq!(answer.headers.get("Contact"), Some("<sip:wardline@[::1]:5060>"));
    let opened = |command: &MediaCommand| {
        if let MediaCommand::Open { local, .. } = command { Some(local.to_string()) } else { None }
    };
    assert_eq!(desk.media.iter().find_map(opened).as_deref(), Some("::1"));

    let to = answer.headers.get("To").expect("To").to_owned();
    let inside = |method: &str, cseq: u32, branch: &str| {
        let lines = format!("Via: SIP/2.0/UDP [::1]:5070;branch=z9hG4bK{branch}\nTo: {to}\nCSeq: {cseq} {method}");
        message(&format!("{method} sip:wardline@[::1]:5060 SIP/2.0"), &lines, "")
    };
    desk.datagram(CALLER, inside("ACK", 1, "ack"));
    desk.sent.clear();
    desk.datagram(CALLER, inside("BYE", 2, "bye"));
    let bye = desk.sent.iter().find_map(|sent| match sent {
        Message::Response(response) => Some(response.status.code()),
        Message::Request(_) => None,
    });
    assert_eq!(bye, Some(200));
    desk.run(T1_64);
    desk.assert_empty("a call over IPv6");
}

#[test]
fn b39_a_session_of_the_other_family_is_refused() {
    let via4 = "Via: SIP/2.0/UDP 10.0.1.1;branch=z9hG4bKward4";
    let cases = [(CALLER, "[::1]:5060", VIA6, SDP4), (CALLER_V4, "10.0.0.10", via4, SDP6)];
    for (caller, host, via, sdp) in cases {
        let mut desk = Desk::new();
        desk.datagram(caller, invite(host, via, sdp));
        let answer = desk.answer();
        assert_eq!(answer.status.code(), 488, "{answer:?}");
        assert!(answer.headers.get("Warning").is_some_and(|warning| warning.starts_with("301 ")), "{answer:?}");
        desk.run(T1_64);
        desk.assert_empty("a call that is refused");
    }
}

//! Offer/answer by the lines of the checklist.

use super::*;
use crate::sip::sdp::work;

const V4: &str = "192.0.2.1";

fn leg_at(address: &str) -> Negotiation {
    let local = MediaEndpoint { address: address.parse().unwrap(), port: MediaPort(20_000) };
    Negotiation::new(77, local, MediaPolicy::default())
}

fn leg() -> Negotiation {
    leg_at(V4)
}

/// A peer's description: version of `o=`, then everything from `c=` on, lines parted by "|".
fn peer(version: u32, rest: &str) -> Vec<u8> {
    format!("v=0\r\no=peer 5 {version} IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\n{}\r\n", rest.replace('|', "\r\n"))
        .into_bytes()
}

fn status(result: Result<String, Refusal>) -> (u16, Option<String>) {
    let refusal = result.unwrap_err();
    (refusal.status.code(), refusal.warning)
}

fn direction_line(text: &str) -> &str {
    text.lines().find(|line| ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"].contains(line)).unwrap()
}

fn version(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("o=- 77 ")).unwrap().split(' ').next().unwrap()
}

#[test]
fn an_answer_names_one_codec_and_the_offers_telephone_event() {
    let mut leg = leg();
    let offer =
        peer(1, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 18 8 0 96|a=rtpmap:96 telephone-event/8000|a=ptime:30");
    let answer = leg.answer(&offer).unwrap();
    assert_eq!(
        answer,
        "v=0\r\no=- 77 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
         m=audio 20000 RTP/AVP 0 96\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\n\
         a=ptime:20\r\na=sendrecv\r\n"
    );
    let session = MediaSession {
        remote: Some("192.0.2.9:4000".parse().unwrap()),
        remote_rtcp: Some("192.0.2.9:4001".parse().unwrap()),
        codec: Codec::Pcmu,
        send_payload_type: 0,
        receive_payload_type: 0,
        telephone_event: Some(crate::bridge::TelephoneEvent { send: 96, receive: 96 }),
        direction: Direction::SendRecv,
        ptime_ms: 30,
        latch: Latch::Signalled,
        srtp: None,
    };
    assert_eq!(leg.session(), Some(session));
    assert!(leg.changed());
}

#[test]
fn the_other_legs_codec_is_taken_when_it_is_offered() {
    let offer = peer(1, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0 8");
    let mut leg = leg();
    leg.prefer(Some(Codec::Pcma));
    leg.answer(&offer).unwrap();
    assert_eq!(leg.session().unwrap().codec, Codec::Pcma);
    // G.722 is not on offer: our own order decides among the rest, and the codec in use stays.
    leg.prefer(Some(Codec::G722));
    leg.answer(&peer(2, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0 8")).unwrap();
    assert_eq!(leg.session().unwrap().codec, Codec::Pcma);
}

#[test]
fn b26_a_late_offer_names_all_codecs_and_the_ack_settles_one() {
    let mut leg = leg();
    let offer = leg.offer();
    assert_eq!(
        offer,
        "v=0\r\no=- 77 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
         m=audio 20000 RTP/AVP 0 8 9 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:9 G722/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    );
    assert_eq!(leg.session(), None);
    assert!(leg.offering());
    let answer = "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 9 97|a=rtpmap:97 telephone-event/8000|a=ptime:10";
    leg.accept_answer(&peer(1, answer)).unwrap();
    let session = leg.session().unwrap();
    assert_eq!((session.codec, session.ptime_ms), (Codec::G722, 10));
    assert_eq!(session.telephone_event, Some(crate::bridge::TelephoneEvent { send: 97, receive: 101 }));
    assert!(!leg.offering());
}

#[test]
fn b28_no_common_codec_is_488_with_warning_305() {
    let offer = peer(1, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 18 3 97|a=rtpmap:97 PCMU/16000");
    let warning = "305 wardline \"Incompatible media format\"".to_owned();
    assert_eq!(status(leg().answer(&offer)), (488, Some(warning)));
}

#[test]
fn b29_a_broken_offer_is_400_and_changes_nothing() {
    let mut leg = leg();
    leg.answer(&peer(1, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0")).unwrap();
    let before = leg.session();
    let refusal = leg.answer(b"v=0\r\nwhat is this\r\n").unwrap_err();
    assert_eq!((refusal.status.code(), refusal.reason.as_str()), (400, "line 2: not of the form x=value"));
    assert_eq!(leg.session(), before);
}

#[test]
fn b30_the_worst_legal_description_is_answered() {
    // 128 formats, each sought among 4,000 maps of which only the last is ours.
    let formats: Vec<String> = (0..128).map(|number| number.to_string()).collect();
    let maps = "a=rtpmap:1 X/1\r\n".repeat(4_000);
    let body = format!("c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP {}|{maps}a=rtpmap:99 PCMA/8000", formats.join(" "));
    let mut leg = leg();
    leg.prefer(Some(Codec::Pcma));
    leg.answer(&peer(1, &body)).unwrap();
    assert_eq!(leg.session().unwrap().send_payload_type, 8);
}

/// Two passes over each line to parse it and find `o=`, one for each thing that is asked of a stream: a description that is as
/// large as may be costs as much as its size, whatever stands in it.
#[test]
fn b30_no_description_is_looked_at_more_often_than_a_stream_is_asked() {
    const QUESTIONS: usize = 8;
    let formats: Vec<String> = (0..128).map(|number| number.to_string()).collect();
    let audio = format!("m=audio 4000 RTP/AVP {}", formats.join(" "));
    let head = "c=IN IP4 192.0.2.9";
    let bodies = [
        // Formats that are all sought among maps of which only the last is ours, and among none.
        format!("{head}|{audio}|{}a=rtpmap:99 PCMA/8000", "a=rtpmap:1 X/1|".repeat(3_700)),
        format!("{head}|m=audio 4000 RTP/AVP 0|{}a=x", "a=x:1|".repeat(8_000)),
        // Lines of the session, before streams that none of them serves.
        format!(
            "{head}|{}{}m=audio 4000 RTP/AVP 8",
            "a=x:1|".repeat(5_000),
            format!("{audio}|a=rtpmap:8 X/1|").repeat(31)
        ),
        // Streams with many lines of their own, none of which can be served.
        format!("{head}|{}", format!("m=audio 4000 RTP/AVP 18|{}", "a=x:1|".repeat(240)).repeat(32)),
    ];
    for (place, body) in bodies.iter().enumerate() {
        let body = peer(1, body.trim_end_matches('|'));
        assert!(body.len() > 40_000 && body.len() < 65_536, "{place}: {} bytes", body.len());
        let lines = body.iter().filter(|byte| **byte == b'\n').count();
        work::taken();
        let answered = leg().answer(&body);
        let looked_at = work::taken();
        assert_eq!(answered.is_ok(), place < 3, "{place}: {answered:?}");
        assert!(looked_at <= QUESTIONS * lines, "{place}: {looked_at} looks at {lines} lines");
    }
}

#[test]
fn b31_every_way_of_hold_gets_the_matching_direction_and_resume_ends_it() {
    let cases = [
        ("c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0|a=sendonly", "a=recvonly", Direction::RecvOnly, true),
        ("c=IN IP4 192.0.2.9|a=sendonly|m=audio 4000 RTP/AVP 0", "a=recvonly", Direction::RecvOnly, true),
        ("c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0|a=inactive", "a=inactive", Direction::Inactive, true),
        ("c=IN IP4 0.0.0.0|m=audio 4000 RTP/AVP 0", "a=recvonly", Direction::RecvOnly, false),
        ("c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0|c=IN IP4 0.0.0.0", "a=recvonly", Direction::RecvOnly, false),
        ("c=IN IP4 0.0.0.0|m=audio 4000 RTP/AVP 0|a=sendonly", "a=recvonly", Direction::RecvOnly, false),
        ("c=IN IP4 0.0.0.0|m=audio 4000 RTP/AVP 0|a=inactive", "a=inactive", Direction::Inactive, false),
        ("c=IN IP4 0.0.0.0|m=audio 4000 RTP/AVP 0|a=recvonly", "a=inactive", Direction::Inactive, false),
    ];
    for (hold, line, direction, placed) in cases {
        let mut leg = leg();
        leg.answer(&peer(1, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0")).unwrap();
        let answer = leg.answer(&peer(2, hold)).unwrap();
        assert_eq!(direction_line(&answer), line, "{hold}");
        let session = leg.session().unwrap();
        assert_eq!((session.direction, session.remote.is_some()), (direction, placed), "{hold}");
        assert!(leg.held_by_peer(), "{hold}");
        let answer = leg.answer(&peer(3, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0")).unwrap();
        assert_eq!(direction_line(&answer), "a=sendrecv", "{hold}");
        assert!(!leg.held_by_peer(), "{hold}");
        assert_eq!(leg.session().unwrap().direction, Direction::SendRecv, "{hold}");
    }
}

#[test]
fn b31_recvonly_is_no_hold() {
    let mut leg = leg();
    let answer = leg.answer(&peer(1, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0|a=recvonly")).unwrap();
    assert_eq!(direction_line(&answer), "a=sendonly");
    assert!(!leg.held_by_peer());
}

#[test]
fn b31_our_own_hold_and_resume() {
    let mut leg = leg();
    leg.answer(&peer(1, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0")).unwrap();
    let hold = leg.hold(Hold::Music);
    assert_eq!((direction_line(&hold), version(&hold)), ("a=sendonly", "2"));
    assert!(leg.holding());
    leg.accept_answer(&peer(2, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0|a=recvonly")).unwrap();
    assert_eq!(leg.session().unwrap().direction, Direction::SendOnly);
    assert!(!leg.held_by_peer());
    // The peer asks for more than we give.
    let answer = leg.answer(&peer(3, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0")).unwrap();
    assert_eq!(direction_line(&answer), "a=sendonly");
    // Both hold.
    let answer = leg.answer(&peer(4, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0|a=sendonly")).unwrap();
    assert_eq!(direction_line(&answer), "a=inactive");
    assert!(leg.held_by_peer());

    let resume = leg.resume();
    assert_eq!(direction_line(&resume), "a=sendrecv");
    leg.accept_answer(&peer(5, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0")).unwrap();
    assert_eq!(leg.session().unwrap().direction, Direction::SendRecv);
    assert!(!leg.held_by_peer() && !leg.holding());

    assert_eq!(direction_line(&leg.hold(Hold::Silent)), "a=inactive");
    leg.accept_answer(&peer(6, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0|a=inactive")).unwrap();
    assert!(!leg.held_by_peer(), "`inactive` was our own wish");
}

#[test]
fn b32_the_session_level_address_serves_and_none_at_all_is_488() {
    let mut with = leg();
    with.answer(&peer(1, "c=IN IP4 192.0.2.50|m=audio 4000 RTP/AVP 0")).unwrap();
    assert_eq!(with.session().unwrap().remote, Some("192.0.2.50:4000".parse().unwrap()));
    let none = peer(1, "m=audio 4000 RTP/AVP 0");
    assert_eq!(status(leg().answer(&none)), (488, Some("399 wardline \"no c= line\"".to_owned())));
}

#[test]
fn b34_a_later_answer_replaces_the_early_one() {
    let mut leg = leg();
    leg.offer();
    leg.accept_answer(&peer(1, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0")).unwrap();
    assert!(leg.changed());
    leg.accept_answer(&peer(1, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0")).unwrap();
    assert!(!leg.changed());
    leg.accept_answer(&peer(2, "c=IN IP4 192.0.2.8|m=audio 5000 RTP/AVP 8")).unwrap();
    assert!(leg.changed());
    assert_eq!(leg.session().unwrap().remote, Some("192.0.2.8:5000".parse().unwrap()));
    assert_eq!(leg.session().unwrap().codec, Codec::Pcma);
}

#[test]
fn b35_a_refused_reoffer_leaves_the_old_session_and_takes_the_wish_back() {
    let mut leg = leg();
    leg.answer(&peer(1, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0")).unwrap();
    let before = leg.session();
    leg.hold(Hold::Music);
    leg.rollback();
    assert_eq!(leg.session(), before);
    assert!(!leg.holding() && !leg.offering());
    let answer = leg.answer(&peer(2, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0")).unwrap();
    assert_eq!((direction_line(&answer), version(&answer)), ("a=sendrecv", "3"));
}

#[test]
fn an_offer_that_crosses_ours_is_491() {
    let mut leg = leg();
    leg.answer(&peer(1, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0")).unwrap();
    leg.reoffer();
    assert_eq!(status(leg.answer(&peer(2, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0"))), (491, None));
}

#[test]
fn b36_telephone_event_at_another_clock_or_absent_is_none() {
    for formats in ["0", "0 101|a=rtpmap:101 telephone-event/16000", "0 101", "0 101|a=rtpmap:101 CN/8000"] {
        let mut leg = leg();
        let answer = leg.answer(&peer(1, &format!("c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP {formats}"))).unwrap();
        assert!(answer.contains("m=audio 20000 RTP/AVP 0\r\n"), "{formats}");
        assert_eq!(leg.session().unwrap().telephone_event, None, "{formats}");
    }
    let mut leg = leg();
    let two = "0 99 98|a=rtpmap:99 telephone-event/48000|a=rtpmap:98 TELEPHONE-EVENT/8000";
    leg.answer(&peer(1, &format!("c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP {two}"))).unwrap();
    assert_eq!(leg.session().unwrap().telephone_event.unwrap().send, 98);
    // In our next offer the number in use stays.
    assert!(leg.reoffer().contains("RTP/AVP 0 8 9 98\r\n"));
}

#[test]
fn dynamic_numbers_of_known_codecs_are_used() {
    let mut leg = leg();
    let offer = "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 96 97|a=rtpmap:96 opus/48000/2|a=rtpmap:97 pcma/8000/1";
    assert!(leg.answer(&peer(1, offer)).unwrap().contains("m=audio 20000 RTP/AVP 97\r\na=rtpmap:97 PCMA/8000\r\n"));
    let session = leg.session().unwrap();
    assert_eq!((session.codec, session.send_payload_type, session.receive_payload_type), (Codec::Pcma, 97, 97));
}

#[test]
fn b37_secured_media_is_488_where_plain_is_required() {
    for protocol in ["RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF", "udp", "TCP/MSRP"] {
        let offer = peer(1, &format!("c=IN IP4 192.0.2.9|m=audio 4000 {protocol} 0"));
        let warning = "302 wardline \"Incompatible transport protocol\"".to_owned();
        assert_eq!(status(leg().answer(&offer)), (488, Some(warning)), "{protocol}");
    }
    let mut leg = leg();
    let both = "c=IN IP4 192.0.2.9|m=audio 4000 RTP/SAVP 0|m=audio 4002 RTP/AVP 0|a=crypto:1 AES_CM_128_HMAC_SHA1_80 x";
    let answer = leg.answer(&peer(1, both)).unwrap();
    assert!(answer.contains("m=audio 0 RTP/SAVP 0\r\nm=audio 20000 RTP/AVP 0\r\n"));
}

#[test]
fn b38_each_stream_is_answered_and_only_one_served() {
    let mut leg = leg();
    let offer = "c=IN IP4 192.0.2.9|m=video 4010 RTP/AVP 31 34|m=audio 4000 RTP/AVP 0|m=audio 4002 RTP/AVP 0|\
                 m=application 0 UDP/BFCP *";
    let answer = leg.answer(&peer(1, offer)).unwrap();
    let media: Vec<&str> = answer.lines().filter(|line| line.starts_with("m=")).collect();
    let served = "m=audio 20000 RTP/AVP 0";
    assert_eq!(media, ["m=video 0 RTP/AVP 31", served, "m=audio 0 RTP/AVP 0", "m=application 0 UDP/BFCP *"]);

    // Our own offer keeps every line in its place.
    let offer = leg.hold(Hold::Music);
    let media: Vec<&str> = offer.lines().filter(|line| line.starts_with("m=")).collect();
    let served = "m=audio 20000 RTP/AVP 0 8 9 101";
    assert_eq!(media, ["m=video 0 RTP/AVP 31", served, "m=audio 0 RTP/AVP 0", "m=application 0 UDP/BFCP *"]);
    let short = peer(2, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0");
    assert_eq!(leg.accept_answer(&short).unwrap_err().status.code(), 488);
    leg.rollback();

    // Fewer lines, and in another order, as RFC 3264 forbids: answered as they come.
    let answer = leg.answer(&peer(3, "c=IN IP4 192.0.2.9|m=audio 4006 RTP/AVP 0|m=video 4010 RTP/AVP 31")).unwrap();
    assert!(answer.contains("m=audio 20000 RTP/AVP 0\r\n"));
    assert_eq!(leg.session().unwrap().remote.unwrap().port(), 4006);
}

#[test]
fn b38_port_0_ends_a_stream_and_begins_no_call() {
    let off = "c=IN IP4 192.0.2.9|m=audio 0 RTP/AVP 0";
    let warning = "304 wardline \"Media type not available\"".to_owned();
    assert_eq!(status(leg().answer(&peer(1, off))), (488, Some(warning.clone())));
    assert_eq!(status(leg().answer(&peer(1, "c=IN IP4 192.0.2.9|m=video 9 RTP/AVP 0"))), (488, Some(warning)));

    let mut leg = leg();
    leg.answer(&peer(1, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 8")).unwrap();
    assert!(leg.answer(&peer(2, "m=audio 0 RTP/AVP 8")).unwrap().contains("m=audio 0 RTP/AVP 8\r\n"));
    let session = leg.session().unwrap();
    assert_eq!((session.remote, session.direction, session.codec), (None, Direction::Inactive, Codec::Pcma));
    assert!(leg.held_by_peer());
    leg.answer(&peer(3, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 8")).unwrap();
    assert_eq!(leg.session().unwrap().direction, Direction::SendRecv);
}

#[test]
fn b39_the_address_family_must_be_ours() {
    let warning = Some("301 wardline \"Incompatible network address formats\"".to_owned());
    let (v4, v6) = ("c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0", "c=IN IP6 2001:db8::9|m=audio 4000 RTP/AVP 0");
    assert_eq!(status(leg().answer(&peer(1, v6))), (488, warning.clone()));
    assert_eq!(status(leg_at("::1").answer(&peer(1, v4))), (488, warning.clone()));

    let mut whole = leg_at("::1");
    let answer = whole.answer(&peer(1, v6)).unwrap();
    assert!(answer.contains("o=- 77 1 IN IP6 ::1\r\n") && answer.contains("c=IN IP6 ::1\r\n"));
    assert_eq!(whole.session().unwrap().remote, Some("[2001:db8::9]:4000".parse().unwrap()));

    // Alternatives (RFC 4091): the one that fits is served, the other refused.
    let both = "a=group:ANAT 1 2|m=audio 4000 RTP/AVP 0|c=IN IP6 2001:db8::9|a=mid:1|m=audio 4002 RTP/AVP 0|\
                c=IN IP4 192.0.2.9|a=mid:2";
    let answer = leg().answer(&peer(1, both)).unwrap();
    assert!(answer.contains("m=audio 0 RTP/AVP 0\r\nm=audio 20000 RTP/AVP 0\r\n"));
}

#[test]
fn rfc_5118_4_9_mapped_addresses_and_other_traps_are_never_sent_to() {
    for (connection, code) in [
        ("IN IP6 ::ffff:192.0.2.2", "301"),
        ("IN IP4 224.2.36.42/127", "330"),
        ("IN IP4 255.255.255.255", "301"),
        ("IN IP4 media.example.com", "301"),
    ] {
        for address in [V4, "::1"] {
            let (status, warning) =
                status(leg_at(address).answer(&peer(1, &format!("c={connection}|m=audio 4 RTP/AVP 0"))));
            assert_eq!(status, 488, "{connection}");
            assert!(warning.is_some_and(|text| text.starts_with(code)), "{connection} at {address}");
        }
    }
}

#[test]
fn b40_a_request_for_an_offer_in_mid_call_gets_a_full_one() {
    let mut leg = leg();
    leg.answer(&peer(1, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 8 96|a=rtpmap:96 telephone-event/8000")).unwrap();
    let offer = leg.offer();
    assert!(offer.contains("m=audio 20000 RTP/AVP 8 0 9 96\r\n"));
    assert_eq!(version(&offer), "2");
    leg.accept_answer(&peer(2, "c=IN IP4 192.0.2.20|m=audio 6000 RTP/AVP 8 96|a=rtpmap:96 telephone-event/8000"))
        .unwrap();
    assert_eq!(leg.session().unwrap().remote, Some("192.0.2.20:6000".parse().unwrap()));
}

#[test]
fn an_unchanged_origin_changes_nothing_and_our_version_stays() {
    let mut leg = leg();
    let first = leg.answer(&peer(4, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0")).unwrap();
    let before = leg.session();
    let again = leg.answer(&peer(4, "c=IN IP4 192.0.2.66|m=audio 6666 RTP/AVP 0|a=inactive")).unwrap();
    assert_eq!(again, first);
    assert_eq!(leg.session(), before);
    assert!(!leg.changed() && !leg.held_by_peer());
    // A new version with the same content is news for latching, but not for our description.
    let same = leg.answer(&peer(5, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0")).unwrap();
    assert_eq!(same, first);
    assert!(leg.changed());
    let held = leg.answer(&peer(6, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0|a=sendonly")).unwrap();
    assert_eq!(version(&held), "2");
}

#[test]
fn an_unchanged_origin_over_other_streams_is_a_new_offer() {
    let mut leg = leg();
    leg.answer(&peer(4, "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0")).unwrap();
    let answer = leg.answer(&peer(4, "c=IN IP4 192.0.2.9|m=video 4002 RTP/AVP 31|m=audio 4000 RTP/AVP 8")).unwrap();
    assert!(answer.contains("m=video 0 RTP/AVP 31\r\nm=audio 20000 RTP/AVP 8\r\n"), "{answer}");
    assert_eq!(leg.session().unwrap().codec, Codec::Pcma);
    assert!(leg.changed());
    // What we offer later has the same streams.
    let offer = leg.hold(Hold::Music);
    assert!(offer.contains("m=video 0 RTP/AVP 31\r\nm=audio 20000 RTP/AVP 8"), "{offer}");
}

#[test]
fn rfc_3605_names_the_rtcp_port() {
    let cases = [
        ("a=rtcp:53020", Some("192.0.2.9:53020")),
        ("a=rtcp:53020 IN IP4 192.0.2.7", Some("192.0.2.7:53020")),
        ("a=rtcp:53020 IN IP6 2001:db8::1", Some("192.0.2.9:4001")),
        ("a=rtcp:nonsense", Some("192.0.2.9:4001")),
    ];
    for (line, expected) in cases {
        let mut leg = leg();
        leg.answer(&peer(1, &format!("c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0|{line}"))).unwrap();
        assert_eq!(leg.session().unwrap().remote_rtcp, expected.map(|text| text.parse().unwrap()), "{line}");
    }
    let mut leg = leg();
    leg.answer(&peer(1, "c=IN IP4 192.0.2.9|m=audio 65535 RTP/AVP 0")).unwrap();
    assert_eq!(leg.session().unwrap().remote_rtcp, None);
}

#[test]
fn packets_are_as_long_as_the_peer_wants_within_bounds() {
    for (lines, expected) in [
        ("a=ptime:20", 20),
        ("a=ptime:10", 10),
        ("a=ptime:60", 60),
        ("a=ptime:5", 10),
        ("a=ptime:4000000000", 60),
        ("a=ptime:33.3", 30),
        ("a=ptime:40|a=maxptime:30", 30),
        ("a=maxptime:10", 10),
        ("a=ptime:x", 20),
    ] {
        let mut leg = leg();
        let answer = leg.answer(&peer(1, &format!("c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0|{lines}"))).unwrap();
        assert_eq!(leg.session().unwrap().ptime_ms, expected, "{lines}");
        assert!(answer.contains("a=ptime:20\r\n"), "{lines}");
    }
}

#[test]
fn answers_that_agree_to_nothing_are_refused() {
    for (answer, code) in [
        ("c=IN IP4 192.0.2.9|m=audio 0 RTP/AVP 0", 304),
        ("c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 18", 305),
        ("c=IN IP4 192.0.2.9|m=audio 4000 RTP/SAVP 0", 302),
        ("c=IN IP6 2001:db8::9|m=audio 4000 RTP/AVP 0", 301),
        ("m=audio 4000 RTP/AVP 0", 399),
    ] {
        let mut leg = leg();
        leg.offer();
        let refusal = leg.accept_answer(&peer(1, answer)).unwrap_err();
        assert!(refusal.warning.is_some_and(|text| text.starts_with(&code.to_string())), "{answer}");
        assert_eq!(leg.session(), None);
    }
}

proptest::proptest! {
    #[test]
    fn whatever_is_offered_the_answer_has_its_streams_and_one_at_most_is_ours(
        media in proptest::collection::vec(("(audio|video|m)", 0u16..3, "RTP/S?AVPF?", "[0-9]{1,3}( [0-9]{1,3}){0,3}", "(sendonly|inactive|rtpmap:97 PCMA/8000|rtcp:9|ptime:0)"), 0..6),
        connection in "(c=IN IP4 (0.0.0.0|192.0.2.9|224.0.0.1)|c=IN IP6 ::1|a=x)",
    ) {
        let mut rest = connection;
        for (kind, port, protocol, formats, attribute) in &media {
            rest.push_str(&format!("|m={kind} {port} {protocol} {formats}|a={attribute}"));
        }
        let mut leg = leg();
        for version in 1..3 {
            if let Ok(answer) = leg.answer(&peer(version, &rest)) {
                let answer = SessionDescription::parse(answer.as_bytes()).unwrap();
                proptest::prop_assert_eq!(answer.media.len(), media.len());
                proptest::prop_assert!(answer.media.iter().filter(|media| media.line.port != 0).count() <= 1);
                proptest::prop_assert!((10..=60).contains(&leg.session().unwrap().ptime_ms));
            }
        }
    }
}

// -- Secured media ------------------------------------------------------------------------------------------------------

fn secured() -> Negotiation {
    let local = MediaEndpoint { address: "10.0.0.1".parse().expect("address"), port: MediaPort(20_000) };
    let keys = [MasterKey::new(Suite::AeadAes128Gcm, [1; 30]), MasterKey::new(Suite::AesCm128HmacSha1, [2; 30])];
    Negotiation::new(77, local, MediaPolicy { security: Security::Secured(keys), ..MediaPolicy::default() })
}

fn secured_sdp(protocol: &str, cryptos: &[Crypto]) -> String {
    let lines: String = cryptos.iter().map(|crypto| format!("a=crypto:{crypto}\r\n")).collect();
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 {protocol} 0\r\n{lines}"
    )
}

fn theirs(tag: u32, suite: Suite) -> Crypto {
    Crypto { tag, master: MasterKey::new(suite, [9; 30]) }
}

fn cryptos(sdp: &str) -> Vec<Crypto> {
    SessionDescription::parse(sdp.as_bytes()).expect("ours").media.first().expect("a stream").cryptos().collect()
}

#[test]
fn b37_a_secured_offer_is_answered_with_its_tag_and_a_key_of_our_own() {
    for suite in Suite::ALL {
        let mut negotiation = secured();
        let unknown = "a=crypto:1 F8_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\na=crypto:7";
        let offer = secured_sdp("RTP/SAVP", &[theirs(7, suite)]).replacen("a=crypto:7", unknown, 1);
        let answer = negotiation.answer(offer.as_bytes()).expect("answered");
        assert!(answer.contains("m=audio 20000 RTP/SAVP 0"), "{answer}");
        let [ours] = cryptos(&answer)[..] else { panic!("one line is due: {answer}") };
        assert_eq!((ours.tag, ours.master.suite), (7, suite));
        let agreed = negotiation.session().and_then(|session| session.srtp).expect("secured");
        assert_eq!((agreed.send, agreed.receive), (ours.master, theirs(7, suite).master));
    }
}

#[test]
fn b37_where_media_is_to_be_secured_nothing_in_clear_is_taken() {
    let refused = |sdp: String| secured().answer(sdp.as_bytes()).expect_err("refused").status;
    for protocol in ["RTP/AVP", "RTP/AVPF", "UDP/TLS/RTP/SAVPF"] {
        assert_eq!(refused(secured_sdp(protocol, &[theirs(1, Suite::AesCm128HmacSha1)])), Status::NOT_ACCEPTABLE_HERE);
    }
    assert_eq!(refused(secured_sdp("RTP/SAVP", &[])), Status::NOT_ACCEPTABLE_HERE, "no key");
    let ours = Crypto { tag: 1, master: MasterKey::new(Suite::AesCm128HmacSha1, [2; 30]) };
    assert_eq!(refused(secured_sdp("RTP/SAVP", &[ours])), Status::NOT_ACCEPTABLE_HERE, "our own key");
}

#[test]
fn our_secured_offer_names_both_suites_and_the_answer_must_take_one_of_its_lines() {
    let mut negotiation = secured();
    let offer = negotiation.offer();
    assert!(offer.contains("m=audio 20000 RTP/SAVP 0 8 9 101"), "{offer}");
    let suites: Vec<_> = cryptos(&offer).iter().map(|crypto| (crypto.tag, crypto.master.suite)).collect();
    assert_eq!(suites, [(1, Suite::AeadAes128Gcm), (2, Suite::AesCm128HmacSha1)]);
    for wrong in [theirs(1, Suite::AesCm128HmacSha1), theirs(3, Suite::AesCm128HmacSha1)] {
        let refusal = negotiation.accept_answer(secured_sdp("RTP/SAVP", &[wrong]).as_bytes()).expect_err("refused");
        assert_eq!(refusal.reason, "the answer takes a key that was not offered");
    }
    let answer = secured_sdp("RTP/SAVP", &[theirs(2, Suite::AesCm128HmacSha1)]);
    negotiation.accept_answer(answer.as_bytes()).expect("taken");
    let agreed = negotiation.session().and_then(|session| session.srtp).expect("secured");
    assert_eq!(agreed.send, MasterKey::new(Suite::AesCm128HmacSha1, [2; 30]));
}

#[test]
fn a_new_key_of_the_peer_is_news_even_under_an_old_origin_and_ours_stays() {
    let mut negotiation = secured();
    negotiation.answer(secured_sdp("RTP/SAVP", &[theirs(1, Suite::AesCm128HmacSha1)]).as_bytes()).expect("answered");
    let before = negotiation.session().and_then(|session| session.srtp).expect("secured");
    let rekeyed = Crypto { tag: 1, master: MasterKey::new(Suite::AesCm128HmacSha1, [8; 30]) };
    negotiation.answer(secured_sdp("RTP/SAVP", &[rekeyed]).as_bytes()).expect("answered");
    let after = negotiation.session().and_then(|session| session.srtp).expect("secured");
    assert!(negotiation.changed());
    assert_eq!((after.send, after.receive), (before.send, rekeyed.master));
}

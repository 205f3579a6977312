//! Reading and writing session descriptions.

use proptest::prelude::*;

use super::*;

const OFFER: &str = "v=0\r\n\
o=anna 2890844526 2890844527 IN IP4 phone.example.net\r\n\
s=a call\r\n\
c=IN IP4 192.0.2.10\r\n\
b=AS:80\r\n\
t=0 0\r\n\
a=recvonly\r\n\
X=from the future\r\n\
m=audio 49170/2 RTP/AVP 0 8 101\r\n\
a=rtpmap:101 telephone-event/8000\r\n\
a=fmtp:101 0-16\r\n\
a=ptime:30\r\n\
a=maxptime:60\r\n\
a=rtcp:53020 IN IP4 192.0.2.11\r\n\
a=x-unknown:kept = as is\r\n\
m=video 0 RTP/AVP 31\r\n\
c=IN IP6 2001:db8::7\r\n\
a=sendonly\r\n";

fn broken_at(text: &str) -> Option<usize> {
    SessionDescription::parse(text.as_bytes()).unwrap_err().line()
}

#[test]
fn prints_what_it_read_unknown_lines_too() {
    let parsed = SessionDescription::parse(OFFER.as_bytes()).unwrap();
    assert_eq!(parsed.to_string(), OFFER);
}

#[test]
fn reads_attributes_as_types() {
    let parsed = SessionDescription::parse(OFFER.as_bytes()).unwrap();
    let audio = &parsed.media[0];
    assert_eq!(audio.line.port, 49170);
    assert_eq!(audio.line.port_count, Some(2));
    assert_eq!(audio.line.formats, ["0", "8", "101"]);
    let event = RtpMap { payload_type: 101, encoding: "telephone-event".into(), clock_hz: 8000, channels: 1 };
    assert_eq!(audio.rtpmaps(), [event]);
    assert_eq!(audio.fmtp(101), Some("0-16"));
    assert_eq!(audio.fmtp(100), None);
    assert_eq!(audio.ptime_ms(), Some(30));
    assert_eq!(audio.maxptime_ms(), Some(60));
    let rtcp = RtcpAddress { port: 53020, connection: Some(Connection::ip("192.0.2.11".parse().unwrap())) };
    assert_eq!(audio.rtcp(), Some(rtcp));
    assert_eq!(parsed.origin().unwrap().version, "2890844527");
    assert_eq!(parsed.timing(), "0 0");
}

#[test]
fn a_stream_overrules_the_session_in_address_and_direction() {
    let parsed = SessionDescription::parse(OFFER.as_bytes()).unwrap();
    let (audio, video) = (&parsed.media[0], &parsed.media[1]);
    assert_eq!(parsed.connection_of(audio), Some(Connection::ip("192.0.2.10".parse().unwrap())));
    assert_eq!(parsed.connection_of(video), Some(Connection::ip("2001:db8::7".parse().unwrap())));
    assert_eq!(parsed.direction_of(audio), Direction::RecvOnly);
    assert_eq!(parsed.direction_of(video), Direction::SendOnly);
}

#[test]
fn bare_line_feeds_blank_ends_and_a_missing_name_are_taken() {
    let parsed = SessionDescription::parse(b"v=0\no=- 1 1 IN IP4 192.0.2.1\nm=audio 4 RTP/AVP 0\n\r\n\n").unwrap();
    assert_eq!(parsed.to_string(), "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio 4 RTP/AVP 0\r\n");
}

#[test]
fn text_that_is_not_utf8_prints_as_it_came() {
    let body = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=Station f\xfcnf\r\n";
    assert_eq!(SessionDescription::parse(body).unwrap().to_bytes(), body);
}

#[test]
fn b29_a_broken_description_names_its_line() {
    const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n";
    let cases: &[(&str, usize)] = &[
        ("", 1),
        ("hello", 1),
        ("v=1\r\n", 1),
        ("o=- 1 1 IN IP4 192.0.2.1\r\nv=0\r\n", 1),
        ("v=0\r\ns=no origin\r\n", 2),
        ("v=0\r\no=- 1 IN IP4 192.0.2.1\r\n", 2),
        ("v=0\r\no=- one 1 IN IP4 192.0.2.1\r\n", 2),
        (&format!("{HEAD}s\r\n"), 3),
        (&format!("{HEAD}\r\nt=0 0\r\n"), 3),
        (&format!("{HEAD}ab=c\r\n"), 3),
        (&format!("{HEAD}c=IN IP4 2001:db8::1\r\n"), 3),
        (&format!("{HEAD}c=IN IP6 192.0.2.1\r\n"), 3),
        (&format!("{HEAD}c=IN IP4 192.0.2.256\r\n"), 3),
        (&format!("{HEAD}c=ATM NSAP 1\r\n"), 3),
        (&format!("{HEAD}m=audio 65536 RTP/AVP 0\r\n"), 3),
        (&format!("{HEAD}m=audio -1 RTP/AVP 0\r\n"), 3),
        (&format!("{HEAD}m=audio 4000 RTP/AVP\r\n"), 3),
        (&format!("{HEAD}m=audio\r\n"), 3),
        (&format!("{HEAD}o=- 2 2 IN IP4 192.0.2.1\r\n"), 3),
        (&format!("{HEAD}v=0\r\n"), 3),
        (&format!("{HEAD}a=x\0y\r\n"), 3),
    ];
    for (text, line) in cases {
        assert_eq!(broken_at(text), Some(*line), "{text:?}");
    }
}

#[test]
fn b30_ten_thousand_attributes_are_read_and_more_than_64_kb_refused() {
    let mut text = String::from("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\n");
    for _ in 0..10_000 {
        text.push_str("a=x:1\n");
    }
    let parsed = SessionDescription::parse(text.as_bytes()).unwrap();
    assert_eq!(parsed.media[0].lines.len(), 10_000);
    assert_eq!(parsed.media[0].rtpmaps(), []);

    let large = vec![b'a'; MAX_SDP + 1];
    let error = SessionDescription::parse(&large).unwrap_err();
    assert_eq!((error.clone(), error.status().code()), (SdpError::TooLarge(65_537), 413));
}

#[test]
fn b30_streams_lines_and_formats_are_bounded() {
    let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n";
    let many = format!("{head}{}", "m=audio 4000 RTP/AVP 0\r\n".repeat(33));
    let error = SessionDescription::parse(many.as_bytes()).unwrap_err();
    assert_eq!((error.clone(), error.status().code()), (SdpError::TooManyMedia { line: 35 }, 488));

    let lines = format!("{head}{}", "a=\n".repeat(16_000));
    assert_eq!(SessionDescription::parse(lines.as_bytes()).unwrap_err().status().code(), 413);

    let formats = format!("{head}m=audio 4000 RTP/AVP{}\r\n", " 0".repeat(129));
    assert_eq!(SessionDescription::parse(formats.as_bytes()).unwrap_err().status().code(), 400);
}

proptest! {
    #[test]
    fn anything_at_all_is_read_or_refused_without_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = SessionDescription::parse(&body);
    }

    #[test]
    fn mangled_descriptions_are_read_or_refused_and_print_again(
        at in 0usize..OFFER.len(), byte in any::<u8>(), cut in 0usize..OFFER.len(),
    ) {
        let mut body = OFFER.as_bytes().to_vec();
        body[at] = byte;
        body.truncate(cut.max(1));
        if let Ok(parsed) = SessionDescription::parse(&body) {
            let _ = (parsed.media.first().map(|media| (media.rtpmaps(), media.rtcp(), media.ptime_ms())), parsed.origin());
            prop_assert_eq!(SessionDescription::parse(&parsed.to_bytes()).unwrap().to_bytes(), parsed.to_bytes());
        }
    }

    #[test]
    fn lines_survive_the_round_trip(
        session in proptest::collection::vec(("[abiptkuz]", "[ -~é]{0,30}"), 0..8),
        media in proptest::collection::vec(
            ("[a-z]{3,8}", any::<u16>(), proptest::collection::vec("[0-9]{1,3}", 1..6),
             proptest::collection::vec(("[abik]", "[ -~]{0,40}"), 0..6)), 0..5),
    ) {
        let mut text = String::from("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n");
        for (kind, value) in &session {
            text.push_str(&format!("{kind}={value}\r\n"));
        }
        for (kind, port, formats, lines) in &media {
            text.push_str(&format!("m={kind} {port} RTP/AVP {}\r\n", formats.join(" ")));
            for (kind, value) in lines {
                text.push_str(&format!("{kind}={value}\r\n"));
            }
        }
        let parsed = SessionDescription::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(parsed.media.len(), media.len());
        prop_assert_eq!(parsed.to_string(), text);
    }
}

//! Two probe phones calling each other over loopback: what one sends, the other measures.

use std::net::SocketAddr;
use std::time::Duration;

use rsip::SipMessage;

use super::audio::Source;
use super::auth::Credentials;
use super::phone::{AnswerPlan, CallPlan, Phone};
use super::report::{CallReport, Ending};
use super::script::{HoldBy, KeyBy, keys};
use super::sdp::Codec;
use super::talk::TalkPlan;
use super::transport::Endpoint;
use super::wire;

const LOOPBACK: &str = "127.0.0.1:0";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn talk(hz: u32, expect: u32) -> TalkPlan {
    TalkPlan { source: Source::Tone(hz), expect_tones: vec![expect], ..TalkPlan::default() }
}

fn calling(talk: TalkPlan) -> CallPlan {
    CallPlan {
        to: String::new(),
        from: "4710".to_owned(),
        display: Some("4 West".to_owned()),
        credentials: None,
        tcp: false,
        late_offer: false,
        headers: vec![("Subject".to_owned(), "charting".to_owned())],
        cancel_at: None,
        answer_within: Duration::from_secs(5),
        talk,
    }
}

fn answering(talk: TalkPlan) -> AnswerPlan {
    AnswerPlan { ring_after: Duration::ZERO, delay: ms(50), reject: None, talk }
}

/// One call between two phones on `address`: the caller's report, then the answerer's.
fn between(address: &str, mut call: CallPlan, answer: AnswerPlan) -> (CallReport, CallReport) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let address: SocketAddr = address.parse().unwrap();
        let (caller, answerer) = (Phone::bind(address).await.unwrap(), Phone::bind(address).await.unwrap());
        call.to = format!("sip:7000@{}", answerer.local());
        let both =
            async { tokio::join!(caller.call(call), async { answerer.ringing().await.unwrap().answer(answer).await }) };
        let (caller, answerer) = tokio::time::timeout(Duration::from_secs(20), both).await.expect("the call ends");
        (caller.unwrap(), answerer.unwrap())
    })
}

fn lasting(span: Duration, plan: TalkPlan) -> TalkPlan {
    TalkPlan { duration: Some(span), ..plan }
}

#[test]
fn a_tone_each_way_is_measured_and_the_caller_is_named() {
    let (caller, answerer) =
        between(LOOPBACK, calling(lasting(ms(1_000), talk(1000, 700))), answering(talk(700, 1000)));
    assert_eq!((caller.status, caller.ended_by, answerer.ended_by), (200, Ending::Us, Ending::Peer));
    assert!(caller.met && answerer.met, "{}\n{}", caller.summary(), answerer.summary());
    assert_eq!(answerer.from_user.as_deref(), Some("4710"));
    assert_eq!(answerer.from_display.as_deref(), Some("4 West"));
    assert_eq!(answerer.subject.as_deref(), Some("charting"));
    assert_eq!((caller.codec, caller.rtp.lost), (Some("PCMU"), 0));
    assert!(caller.rtp.received > 30 && caller.first_rtp_s.is_some());
    let ladder: Vec<&str> = caller.ladder.iter().map(|step| step.text.split(' ').next().unwrap()).collect();
    assert_eq!(ladder, ["INVITE", "180", "200", "ACK", "BYE", "200"]);
}

#[test]
fn every_codec_carries_over_tcp_and_ipv6() {
    let chosen = |codec, plan| TalkPlan { codecs: vec![codec], ..plan };
    let call = CallPlan { tcp: true, ..calling(lasting(ms(800), chosen(Codec::G722, talk(1000, 500)))) };
    let (caller, answerer) = between(LOOPBACK, call, answering(chosen(Codec::G722, talk(500, 1000))));
    assert!(caller.met && answerer.met, "{}\n{}", caller.summary(), answerer.summary());
    let call = calling(lasting(ms(800), chosen(Codec::Pcma, talk(1000, 500))));
    let (caller, answerer) = between("[::1]:0", call, answering(talk(500, 1000)));
    assert!(caller.met && answerer.met, "{}\n{}", caller.summary(), answerer.summary());
    assert_eq!(answerer.codecs_heard, ["PCMA"]);
}

#[test]
fn a_late_offer_is_answered_in_the_ack() {
    let call = CallPlan { late_offer: true, ..calling(lasting(ms(800), talk(1000, 500))) };
    let (caller, answerer) = between(LOOPBACK, call, answering(talk(500, 1000)));
    assert!(caller.met && answerer.met, "{}\n{}", caller.summary(), answerer.summary());
}

#[test]
fn keys_arrive_by_each_method() {
    for key_by in [KeyBy::Rtp, KeyBy::Info, KeyBy::Inband] {
        let plan = TalkPlan { key_by, keys: keys("1@50ms,1@300ms,#@550ms").unwrap(), ..talk(1000, 500) };
        // The keys leave too little of the tone to expect it.
        let listener =
            TalkPlan { expect_keys: Some("11#".to_owned()), source: Source::Tone(500), ..TalkPlan::default() };
        let (_, answerer) = between(LOOPBACK, calling(lasting(ms(900), plan)), answering(listener));
        assert!(answerer.met, "{key_by:?}\n{}", answerer.summary());
        assert!(answerer.keys_heard.iter().all(|key| key.by == key_by), "{}", answerer.summary());
    }
}

#[test]
fn hold_silences_and_resume_brings_the_sound_back() {
    let plan =
        TalkPlan { hold_at: Some(ms(700)), resume_at: Some(ms(1_500)), hold_by: HoldBy::Inactive, ..talk(1000, 500) };
    let (caller, answerer) = between(LOOPBACK, calling(lasting(ms(2_300), plan)), answering(talk(500, 1000)));
    for report in [&caller, &answerer] {
        assert_eq!(report.tones.len(), 2, "{}", report.summary());
        let (first, second) = (&report.tones[0], &report.tones[1]);
        let pause = second.start_s - first.start_s - first.length_s;
        assert!((0.6..1.0).contains(&pause), "{}", report.summary());
    }
}

#[test]
fn a_key_is_pressed_after_the_other_tone_has_stopped() {
    // The caller goes silent by holding; the answerer keys 1 half a second later.
    let plan = TalkPlan { hold_at: Some(ms(600)), expect_keys: Some("1".to_owned()), ..talk(1000, 500) };
    let listener = TalkPlan { after_tone: keys("1@100ms").unwrap(), key_by: KeyBy::Info, ..talk(500, 1000) };
    let (caller, _) = between(LOOPBACK, calling(lasting(ms(2_200), plan)), answering(listener));
    assert!(caller.met, "{}", caller.summary());
}

#[test]
fn a_call_can_be_cancelled_and_refused() {
    let call = CallPlan { cancel_at: Some(ms(200)), ..calling(talk(1000, 500)) };
    let slow = AnswerPlan { delay: Duration::from_secs(5), ..answering(talk(500, 1000)) };
    let (caller, answerer) = between(LOOPBACK, call, slow);
    assert_eq!((caller.status, caller.ended_by), (487, Ending::Cancelled));
    assert_eq!((answerer.status, answerer.ended_by, answerer.answered), (487, Ending::Cancelled, false));

    let busy = AnswerPlan { reject: Some(486), ring_after: Duration::from_secs(9), ..answering(talk(500, 1000)) };
    let (caller, answerer) = between(LOOPBACK, calling(talk(1000, 500)), busy);
    assert_eq!((caller.status, caller.ended_by, caller.ringing_s), (486, Ending::Rejected, None));
    assert_eq!(answerer.ended_by, Ending::Rejected);
}

#[test]
fn the_report_keeps_its_field_names() {
    let (caller, _) = between(LOOPBACK, calling(lasting(ms(300), talk(1000, 500))), answering(talk(500, 1000)));
    let json = serde_json::to_value(&caller).unwrap();
    let names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "role",
        "call_id",
        "from_user",
        "from_display",
        "subject",
        "to",
        "status",
        "answered",
        "ringing_s",
        "answer_s",
        "talk_s",
        "ended_by",
        "codec",
        "codecs_heard",
        "first_rtp_s",
        "first_sound_s",
        "sound_s",
        "rtp",
        "tones",
        "keys_heard",
        "keys_sent",
        "expectations",
        "met",
        "errors",
        "unparsed",
        "ladder",
    ];
    expected.sort_unstable();
    let mut names = names;
    names.sort_unstable();
    assert_eq!(names, expected);
}

/// Answers each request with the next of the statuses, a challenge with every 401, and returns what it was sent.
async fn scripted_server(endpoint: &Endpoint, statuses: &[u16]) -> Vec<rsip::Request> {
    let mut seen: Vec<rsip::Request> = Vec::new();
    for status in statuses {
        let (request, flow) = loop {
            let packet = endpoint.fresh().await.unwrap();
            let SipMessage::Request(request) = packet.message else { continue };
            // The ACK of a refusal, and copies of what was answered.
            if request.method != rsip::Method::Ack
                && wire::branch(&request.headers) != seen.last().and_then(|last| wire::branch(&last.headers))
            {
                break (request, packet.flow);
            }
        };
        let mut response = wire::response_to(&request, *status, "server");
        if *status == 401 {
            let challenge = "Digest realm=\"mercy\", nonce=\"n1\", algorithm=SHA-256, qop=\"auth\"";
            response.headers.push(wire::header("WWW-Authenticate", challenge));
        }
        endpoint.send(flow, &wire::write(&response.into())).await.unwrap();
        seen.push(request);
    }
    seen
}

#[test]
fn a_challenged_register_and_invite_are_sent_again_with_an_answer() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let who = Credentials { user: "ada".to_owned(), password: "secret".to_owned() };
    let seen = runtime.block_on(async {
        let server = Endpoint::bind(LOOPBACK.parse().unwrap()).await.unwrap();
        let phone = Phone::bind(LOOPBACK.parse().unwrap()).await.unwrap();
        let uri = format!("sip:{};transport=tcp", server.local());
        let client = async {
            phone.register(&uri, who.clone(), true, 60).await.unwrap();
            let plan =
                CallPlan { to: uri.clone(), credentials: Some(who.clone()), tcp: true, ..calling(talk(1000, 500)) };
            let report = phone.call(plan).await.unwrap();
            assert_eq!((report.status, report.ended_by), (486, Ending::Rejected));
        };
        tokio::join!(scripted_server(&server, &[401, 200, 401, 486]), client).0
    });
    let answers: Vec<Option<String>> =
        seen.iter().map(|request| wire::value(&request.headers, "Authorization")).collect();
    assert!(answers[0].is_none() && answers[2].is_none());
    for (answer, request) in [(&answers[1], &seen[1]), (&answers[3], &seen[3])] {
        let answer = answer.as_ref().unwrap();
        assert!(answer.starts_with("Digest username=\"ada\", realm=\"mercy\", nonce=\"n1\""), "{answer}");
        assert!(answer.contains(&format!("uri=\"{}\"", wire::show_v6(&request.uri.to_string()))), "{answer}");
        assert!(answer.contains("algorithm=SHA-256, qop=auth, nc=00000001"), "{answer}");
    }
    let cseqs: Vec<u32> = seen.iter().map(|request| wire::cseq(&request.headers).unwrap().0).collect();
    assert_eq!(cseqs, [1, 2, 1, 2]);
}

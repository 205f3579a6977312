//! Packet scripts for one leg, numbered by the lines of the behaviour checklist.
//!
//! A script is the ladder that must come out: `MS SIGN WORDS` a line. Signs that happen to us: `<` a message from the
//! peer, `!` a command of the call or a word of the transactions. Signs that must follow: `>` a message sent, `*` an
//! event. The last line `MS .` says until when to run. Our tag is `us`, the peer's `peer` unless `to=` or `from=` says
//! another (`-`: none). A session description is one word.

mod challenges;
mod pair;
mod rules;
mod reliable;
mod timers;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use bytes::Bytes;

use super::*;
use crate::ids::ServerKey;
use crate::sip::{CSeq, Message, NameAddr};
use crate::time::Instant;

pub(super) fn local() -> LocalIdentity {
    LocalIdentity {
        contact: Uri::parse("sip:desk@192.0.2.1:5060").unwrap(),
        tag: "us".to_owned(),
        seed: 7,
        session: None,
    }
}

fn word<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

/// Headers and body that a script's words ask for.
fn rest(words: &[&str]) -> String {
    let mut text = String::new();
    for header in words.iter().filter_map(|word| word.strip_prefix("h=")) {
        let (name, value) = header.split_once(':').unwrap();
        text.push_str(&format!("{name}: {}\r\n", value.replace('_', " ")));
    }
    if let Some(sdp) = word(words, "sdp") {
        text.push_str(&format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len()));
    } else if let Some(body) = word(words, "body") {
        text.push_str(&format!("Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    } else {
        text.push_str("Content-Length: 0\r\n\r\n");
    }
    text
}

fn tagged(address: &str, tag: &str) -> String {
    match tag {
        "-" => address.to_owned(),
        tag => format!("{address};tag={tag}"),
    }
}

/// `METHOD CSEQ words...` of the peer.
pub(super) fn peer_request(words: &[&str]) -> Request {
    let (method, cseq) = (words[0], words[1]);
    let from = tagged("<sip:w@192.0.2.9>", word(words, "from").unwrap_or("peer"));
    let to = tagged("<sip:desk@192.0.2.1>", word(words, "to").unwrap_or("us"));
    let contact = match word(words, "contact").unwrap_or("sip:w@192.0.2.9:5062") {
        "-" => String::new(),
        uri => format!("Contact: <{uri}>\r\n"),
    };
    let text = format!(
        "{method} sip:desk@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK{method}{cseq}\r\n\
         From: {from}\r\nTo: {to}\r\nCall-ID: c1\r\nCSeq: {cseq} {method}\r\n{contact}{}",
        rest(words)
    );
    match Message::parse(&Bytes::from(text.clone())).unwrap_or_else(|error| panic!("{error}: {text}")) {
        Message::Request(request) => request,
        Message::Response(_) => panic!("{text}"),
    }
}

/// `STATUS CSEQ METHOD words...` of the peer.
pub(super) fn peer_response(words: &[&str]) -> Response {
    let (status, cseq, method) = (words[0], words[1], words[2]);
    let to = tagged("<sip:a@192.0.2.9>", word(words, "to").unwrap_or("peer"));
    let text = format!(
        "SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:desk@192.0.2.1>;tag=us\r\n\
         To: {to}\r\nCall-ID: c1\r\nCSeq: {cseq} {method}\r\nContact: <sip:a@192.0.2.9:5062>\r\n{}",
        rest(words)
    );
    match Message::parse(&Bytes::from(text.clone())).unwrap_or_else(|error| panic!("{error}: {text}")) {
        Message::Response(response) => response,
        Message::Request(_) => panic!("{text}"),
    }
}

fn text(sdp: &Option<Bytes>) -> String {
    sdp.as_ref().map_or("-".to_owned(), |sdp| String::from_utf8(sdp.to_vec()).unwrap())
}

pub(super) fn event_words(event: &UsageEvent) -> String {
    match event {
        UsageEvent::Ringing { status } => format!("ringing {status}"),
        UsageEvent::EarlyMedia { sdp } => format!("early {}", text(&Some(sdp.clone()))),
        UsageEvent::Answered { sdp } => format!("answered {}", text(sdp)),
        UsageEvent::Rejected(Rejection { status, retry_after, source, .. }) => {
            let retry = retry_after.map_or(String::new(), |seconds| format!(" retry={seconds}"));
            format!("rejected {status} {source:?}{retry}")
        }
        UsageEvent::Redirected { status, contacts } => {
            let contacts: Vec<String> = contacts.iter().map(|contact| contact.uri.to_string()).collect();
            format!("redirected {status} {}", contacts.join(","))
        }
        UsageEvent::Confirmed { sdp } => format!("confirmed {}", text(sdp)),
        UsageEvent::NoAck => "no ACK".to_owned(),
        UsageEvent::NoAnswerInAck => "no answer in ACK".to_owned(),
        UsageEvent::Offer { sdp } => format!("offer {}", text(sdp)),
        UsageEvent::OfferWithdrawn => "offer withdrawn".to_owned(),
        UsageEvent::OfferAnswered { sdp } => format!("offer answered {}", text(&Some(sdp.clone()))),
        UsageEvent::OfferRefused { status, will_retry: true } => format!("offer put off {status}"),
        UsageEvent::OfferRefused { status, will_retry: false } => format!("offer refused {status}"),
        UsageEvent::OfferAgain => "offer again".to_owned(),
        UsageEvent::RefreshDue => "refresh due".to_owned(),
        UsageEvent::SessionExpired => "session expired".to_owned(),
        UsageEvent::Info { content_type, body } => {
            format!("info {} {}", content_type.as_deref().unwrap_or("-"), text(&Some(body.clone())))
        }
        UsageEvent::Refer(refer) => {
            let replaces = refer.replaces.as_deref().map_or(String::new(), |replaces| format!(" {replaces}"));
            format!("refer {}{replaces}", refer.refer_to.uri.raw_user().unwrap_or("-"))
        }
        UsageEvent::ProbeAnswered => "probe answered".to_owned(),
        UsageEvent::PeerLost => "peer lost".to_owned(),
        UsageEvent::Ended { by_peer, cause, reason } => {
            let reason = reason.as_deref().map_or(String::new(), |reason| format!(" {reason}"));
            format!("ended by {} {cause:?}{reason}", if *by_peer { "peer" } else { "us" })
        }
    }
}

fn sent_words(request: &Request) -> String {
    let cseq = request.headers.cseq().unwrap();
    assert_eq!(cseq.method, request.method);
    let mut words = format!("{} {}", request.method, cseq.number);
    if let Some(tag) = request.headers.to().unwrap().tag().filter(|tag| *tag != "peer") {
        words.push_str(&format!(" to={tag}"));
    }
    if let Some(rack) = request.headers.get("RAck") {
        words.push_str(&format!(" rack={}", rack.replace(' ', "_")));
    }
    if let Some(interval) = request.headers.get("Session-Expires") {
        words.push_str(&format!(" se={interval}"));
    }
    words + &body_words(&request.headers, &request.body)
}

fn body_words(headers: &crate::sip::Headers, body: &Bytes) -> String {
    match headers.content_type() {
        Some("application/sdp") => format!(" sdp={}", text(&Some(body.clone()))),
        Some("message/sipfrag") => {
            let state = headers.get("Subscription-State").unwrap().split(';').next().unwrap();
            format!(" {} {state} {}", headers.get("Event").unwrap(), text(&Some(body.clone())).trim_end())
        }
        Some(_) | None => String::new(),
    }
}

fn output_words(output: Output) -> String {
    match output {
        Output::Request { request, .. } => format!("> {}", sent_words(&request)),
        Output::Ack { request, .. } => format!("> {}", sent_words(&request)),
        Output::Cancel { reason } => format!("> CANCEL{}", reason.map_or(String::new(), |reason| format!(" {reason}"))),
        Output::Respond { response, .. } => {
            let cseq = response.headers.cseq().unwrap();
            let mut words = format!("> {} {} {}", response.status, cseq.method, cseq.number);
            if let Some(seconds) = response.headers.get("Retry-After") {
                assert!(seconds.parse::<u32>().unwrap() <= 10, "14.2: {seconds}");
                words.push_str(" retry");
            }
            for (name, word) in [("Session-Expires", "se"), ("Min-SE", "min")] {
                if let Some(interval) = response.headers.get(name) {
                    words.push_str(&format!(" {word}={interval}"));
                }
            }
            if response.status.code() > 100 {
                assert_eq!(response.headers.to().unwrap().tag(), Some(response_tag(&response)), "{response:?}");
            }
            words + &body_words(&response.headers, &response.body)
        }
        Output::Event(event) => format!("* {}", event_words(&event)),
    }
}

/// Every response of ours carries the request's To tag, or else our own.
fn response_tag(response: &Response) -> &'static str {
    match response.headers.to().unwrap().tag() {
        Some("nobody") => "nobody",
        Some(_) | None => "us",
    }
}

struct Rig {
    usage: Usage,
    log: Vec<String>,
    first: ServerKey,
    next_key: u64,
}

impl Rig {
    fn drain(&mut self, ms: u64) {
        while let Some(output) = self.usage.poll_output() {
            self.log.push(format!("{ms} {}", output_words(output)));
        }
    }

    fn advance(&mut self, until_ms: u64) {
        while let Some(at) = self.usage.poll_timeout().filter(|at| *at <= Instant::from_millis(until_ms)) {
            self.usage.handle_timeout(at);
            self.drain(at.as_micros() / 1000);
        }
    }

    fn peer(&mut self, ms: u64, words: &[&str]) {
        if words[0].starts_with(|c: char| c.is_ascii_digit()) {
            return self.usage.receive_response(Instant::from_millis(ms), &peer_response(words));
        }
        let request = peer_request(words);
        if request.method == Method::Ack {
            self.usage.receive_ack(&request);
        } else if request.method == Method::Cancel {
            // A CANCEL means the request that came last, or the first INVITE.
            let invite = if words[1] == "1" { self.first } else { ServerKey(self.next_key) };
            self.usage.receive_cancel(invite, &request);
        } else {
            self.next_key += 1;
            self.usage.receive_request(Instant::from_millis(ms), ServerKey(self.next_key), &request);
        }
    }

    fn command(&mut self, ms: u64, words: &[&str]) {
        let (now, usage) = (Instant::from_millis(ms), &mut self.usage);
        let status = |code: &str| Status::new(code.parse().unwrap()).unwrap();
        match words {
            ["ring"] => usage.ring(now),
            ["progress", code, sdp] => usage.progress(now, status(code), Some(sdp)),
            ["answer", sdp] => usage.answer(now, sdp),
            ["reject", code] => usage.reject(status(code), &[]),
            ["reinvite", sdp] => {
                if usage.reinvite((*sdp != "-").then_some(sdp)).is_err() {
                    self.log.push(format!("{ms} not now"));
                }
            }
            ["accept", sdp] => usage.accept_offer(now, sdp),
            ["deny", code] => usage.reject_offer(status(code), &[]),
            ["bye"] => usage.bye(None),
            ["elsewhere"] => usage.cancel(Some(&Reason::completed_elsewhere())),
            ["info", body] => usage.info("application/dtmf-relay", Bytes::from(body.to_string())),
            ["probe"] => usage.options_probe(),
            ["refer", "yes"] => usage.refer_accept(),
            ["refer", code] => usage.refer_refuse(status(code)),
            ["notify", code] => usage.notify_refer(status(code), status(code).reason()),
            ["gone"] => usage.caller_unreachable(),
            // A step of ours breaks, with the phase in its hands.
            ["break"] => {
                let step = AssertUnwindSafe(|| usage.step(|_, _| resume_unwind(Box::new("a fault made on purpose"))));
                assert!(catch_unwind(step).is_err());
            }
            ["failed", method, number] => {
                let cseq = CSeq { number: number.parse().unwrap(), method: Method::parse(method).unwrap() };
                usage.request_failed(&cseq, Failure::TimedOut);
            }
            ["unreachable", method, number] => {
                let cseq = CSeq { number: number.parse().unwrap(), method: Method::parse(method).unwrap() };
                usage.request_failed(&cseq, Failure::Unreachable);
            }
            other => panic!("{other:?}"),
        }
    }

    fn play(mut self, script: &str) -> Usage {
        let lines: Vec<&str> = script.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        for line in &lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            let ms: u64 = words[0].parse().unwrap();
            if !matches!(words[1], "<" | "!" | ".") {
                continue;
            }
            self.advance(ms);
            self.log.push(words.join(" "));
            match words[1] {
                "<" => self.peer(ms, &words[2..]),
                "!" => self.command(ms, &words[2..]),
                _ => {}
            }
            self.drain(ms);
        }
        assert_eq!(self.log.join("\n"), lines.join("\n"), "left: what happened");
        self.usage
    }
}

/// A leg that calls us, with the offer `O` unless `late`.
fn called(late: bool, script: &str) -> Usage {
    let words = ["INVITE", "1", "to=-", "sdp=O"];
    let invite = peer_request(if late { &words[..3] } else { &words });
    let usage = Usage::uas(ServerKey(1), &invite, local()).unwrap();
    Rig { usage, log: Vec::new(), first: ServerKey(1), next_key: 1 }.play(script)
}

pub(super) fn our_invite(sdp: Option<&str>) -> Invite {
    Invite {
        request_uri: Uri::parse("sip:a@192.0.2.9").unwrap(),
        from: NameAddr::parse("\"4 West\" <sip:4710@192.0.2.1>").unwrap(),
        to: NameAddr::parse("<sip:a@192.0.2.9>").unwrap(),
        call_id: "c1".to_owned(),
        local: local(),
        route: Vec::new(),
        headers: vec![("Subject".to_owned(), "4 West".to_owned())],
        sdp: sdp.map(str::to_owned),
    }
}

/// A leg that we call, with the offer `O` unless `late`. Its script begins after the INVITE.
fn calling(late: bool, script: &str) -> Usage {
    let mut usage = Usage::uac(our_invite((!late).then_some("O")));
    assert!(matches!(usage.poll_output(), Some(Output::Request { .. })));
    Rig { usage, log: Vec::new(), first: ServerKey(0), next_key: 0 }.play(script)
}

/// The same with a session timer of 30 min. Both scripts of a timed leg begin with its INVITE's 2xx.
fn called_timed(words: &[&str], script: &str) -> Usage {
    let words: Vec<&str> = ["INVITE", "1", "to=-", "sdp=O"].iter().chain(words).copied().collect();
    let usage = Usage::uas(ServerKey(1), &peer_request(&words), timed()).unwrap();
    Rig { usage, log: Vec::new(), first: ServerKey(1), next_key: 1 }.play(script)
}

fn calling_timed(script: &str) -> Usage {
    let mut usage = Usage::uac(Invite { local: timed(), ..our_invite(Some("O")) });
    let Some(Output::Request { request, .. }) = usage.poll_output() else { panic!() };
    assert_eq!(request.headers.get("Supported"), Some("100rel, norefersub, timer"));
    assert_eq!((request.headers.get("Session-Expires"), request.headers.get("Min-SE")), (Some("1800"), Some("90")));
    Rig { usage, log: Vec::new(), first: ServerKey(0), next_key: 0 }.play(script)
}

fn timed() -> LocalIdentity {
    LocalIdentity { session: Some(Duration::from_secs(1_800)), ..local() }
}

/// A leg that called us and is talking.
fn talking(script: &str) -> Usage {
    let opening = "0 ! answer A\n0 > 200 INVITE 1 sdp=A\n0 < ACK 1\n0 * confirmed -\n";
    called(false, &format!("{opening}{script}"))
}

/// A leg that we called and that is talking.
fn talking_to(script: &str) -> Usage {
    let opening = "0 < 200 1 INVITE sdp=A\n0 > ACK 1\n0 * answered A\n";
    calling(false, &format!("{opening}{script}"))
}

//! Messages that no simulated phone would write: as text, part by part, so that each part can be wrong.

use std::fmt::Write;

use wardline::sip::Transport;
use wardline::sip::digest::{Algorithm, Challenge, RequestLine};

use crate::world::{Seen, World};

pub const SDP: &str =
    "v=0\r\no=w 1 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 101\r\n";

/// A request from `source`.
#[derive(Clone, Debug)]
pub struct Raw {
    pub method: &'static str,
    pub uri: String,
    pub source: String,
    pub transport: Transport,
    pub branch: String,
    pub call_id: String,
    pub cseq: u32,
    pub from: String,
    pub to: String,
    /// Further header lines, each with its end.
    pub lines: String,
    pub body: String,
}

impl Raw {
    pub fn new(method: &'static str, call_id: &str, source: &str) -> Raw {
        Raw {
            method,
            uri: "sip:7100@10.0.0.10".to_owned(),
            source: source.to_owned(),
            transport: Transport::Udp,
            branch: format!("z9hG4bK-{call_id}-{method}"),
            call_id: call_id.to_owned(),
            cseq: 1,
            from: "<sip:4710@10.0.1.1>;tag=a".to_owned(),
            to: "<sip:7100@10.0.0.10>".to_owned(),
            lines: "Max-Forwards: 70\r\n".to_owned(),
            body: String::new(),
        }
    }

    /// An INVITE with a description; the Call-ID begins as those of all phones do.
    pub fn invite(name: &str, source: &str, sdp: &str) -> Raw {
        Raw::new("INVITE", &format!("call-{name}"), source).with_sdp(sdp)
    }

    pub fn with_sdp(mut self, sdp: &str) -> Raw {
        self.line("Content-Type: application/sdp");
        self.body = sdp.to_owned();
        self
    }

    pub fn line(&mut self, line: &str) {
        let _ = write!(self.lines, "{line}\r\n");
    }

    pub fn text(&self) -> String {
        let transport = self.transport.in_via();
        let contact = if self.lines.contains("Contact:") || self.method == "REGISTER" {
            String::new()
        } else {
            format!("Contact: <sip:4710@{}>\r\n", self.source)
        };
        format!(
            "{} {} SIP/2.0\r\nVia: SIP/2.0/{transport} {};branch={}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\n\
             CSeq: {} {}\r\n{contact}{}Content-Length: {}\r\n\r\n{}",
            self.method,
            self.uri,
            self.source,
            self.branch,
            self.from,
            self.to,
            self.call_id,
            self.cseq,
            self.method,
            self.lines,
            self.body.len(),
            self.body,
        )
    }

    /// Sends it and returns how the desk answers it at once; "" when it does not.
    pub fn send(&self, world: &mut World) -> String {
        let before = world.seen.len();
        world.send_raw(&self.source, self.transport, self.text());
        let answers = world.seen[before..].iter().filter_map(|(_, seen)| match seen {
            Seen::Sent { from, bytes, .. } if from == "desk" => Some(String::from_utf8_lossy(bytes).into_owned()),
            Seen::Sent { .. } | Seen::Heard { .. } | Seen::Joined { .. } => None,
        });
        let cseq = format!("{} {}", self.cseq, self.method);
        let own = answers.filter(|text| {
            status(text) != 0 && header(text, "Call-ID") == self.call_id && header(text, "CSeq") == cseq
        });
        own.last().unwrap_or_default()
    }

    /// The request inside the dialog that `response` made: its tag, the next number, no body.
    pub fn next(&self, method: &'static str, response: &str) -> Raw {
        let mut next = Raw::new(method, &self.call_id, &self.source);
        next.transport = self.transport;
        next.from.clone_from(&self.from);
        next.to = header(response, "To").to_owned();
        next.cseq = if method == "ACK" { self.cseq } else { self.cseq + 1 };
        next
    }
}

/// The status of a response's text, 0 when there is none.
pub fn status(response: &str) -> u16 {
    response.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// The first value of a header in a message's text.
pub fn header<'a>(text: &'a str, name: &str) -> &'a str {
    headers(text, name).first().copied().unwrap_or_default()
}

pub fn headers<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
}

/// A response to a request of the desk's, as a phone at `contact` gives it; without `tag` the To stays as it came.
pub fn response_to(request: &str, status: u16, tag: Option<&str>, contact: &str, sdp: &str) -> String {
    let vias: String = headers(request, "Via").iter().map(|via| format!("Via: {via}\r\n")).collect();
    let tag = tag.map(|tag| format!(";tag={tag}")).unwrap_or_default();
    let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "SIP/2.0 {status} x\r\n{vias}From: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <{contact}>\r\n\
         {kind}Content-Length: {}\r\n\r\n{sdp}",
        header(request, "From"),
        header(request, "To"),
        header(request, "Call-ID"),
        header(request, "CSeq"),
        sdp.len(),
    )
}

/// Somebody with a password who writes each request by hand.
pub struct Hand {
    pub source: String,
    pub user: String,
    pub password: String,
    pub call_id: String,
    pub cseq: u32,
    serial: u32,
    challenge: Option<Challenge>,
    count: u32,
}

impl Hand {
    pub fn new(user: &str, password: &str, source: &str) -> Hand {
        Hand {
            source: source.to_owned(),
            user: user.to_owned(),
            password: password.to_owned(),
            call_id: format!("hand-{user}"),
            cseq: 0,
            serial: 0,
            challenge: None,
            count: 0,
        }
    }

    /// REGISTERs `lines` for an address of `user`, with the answer to the last challenge; returns the response.
    pub fn register(&mut self, world: &mut World, user: &str, lines: &[&str]) -> String {
        let raw = self.request("REGISTER", "sip:desk.test", lines);
        let raw = Raw { from: format!("<sip:{user}@desk.test>;tag=r"), to: format!("<sip:{user}@desk.test>"), ..raw };
        self.authorized(world, raw)
    }

    /// Calls the hotline with these further lines, once it has registered.
    pub fn invite(&mut self, world: &mut World, from: &str, lines: &[&str]) -> (Raw, String) {
        self.invite_to(world, "7100", from, lines)
    }

    /// As who it is.
    pub fn dial(&mut self, world: &mut World, number: &str) -> (Raw, String) {
        let user = self.user.clone();
        self.invite_to(world, number, &user, &[])
    }

    fn invite_to(&mut self, world: &mut World, number: &str, from: &str, lines: &[&str]) -> (Raw, String) {
        let mut raw = self.request("INVITE", &format!("sip:{number}@10.0.0.10"), lines).with_sdp(SDP);
        raw.from = format!("<sip:{from}@desk.test>;tag=r");
        raw.call_id = format!("call-{}-{}", self.user, self.serial);
        let response = self.authorized(world, raw.clone());
        (raw, response)
    }

    fn request(&mut self, method: &'static str, uri: &str, lines: &[&str]) -> Raw {
        let mut raw = Raw::new(method, &self.call_id, &self.source);
        uri.clone_into(&mut raw.uri);
        lines.iter().for_each(|line| raw.line(line));
        raw
    }

    fn authorized(&mut self, world: &mut World, mut raw: Raw) -> String {
        if self.challenge.is_none() {
            self.number(&mut raw);
            let response = raw.send(world);
            if status(&response) != 401 {
                return response;
            }
            self.learn(&response);
        }
        self.number(&mut raw);
        let Some(challenge) = &self.challenge else { return String::new() };
        self.count += 1;
        let method = wardline::sip::Method::parse(raw.method).expect("a method");
        let line = RequestLine { method: &method, uri: &raw.uri };
        let answer = challenge.answer(&self.user, &self.password, line, "cnonce", self.count);
        raw.line(&format!("Authorization: {answer}"));
        raw.send(world)
    }

    fn number(&mut self, raw: &mut Raw) {
        self.cseq += 1;
        self.serial += 1;
        // A call is numbered by itself.
        raw.cseq = if raw.method == "INVITE" { 1 } else { self.cseq };
        raw.branch = format!("z9hG4bK-{}-{}", self.user, self.serial);
    }

    /// Takes the SHA-256 challenge of a 401; counts begin anew.
    pub fn learn(&mut self, response: &str) {
        let challenges = headers(response, "WWW-Authenticate");
        let parsed = challenges.iter().filter_map(|value| Challenge::parse(value).ok());
        self.challenge = parsed.into_iter().find(|challenge| challenge.algorithm == Algorithm::Sha256);
        self.count = 0;
        assert!(self.challenge.is_some(), "{response}");
    }
}

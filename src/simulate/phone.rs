//! SIP as simulated phones speak it: enough of a user agent for a network that loses nothing. Messages are written as
//! text, and read by the program's parser.

use std::fmt::Write;
use std::net::SocketAddr;

use bytes::Bytes;

use crate::simulate::Who;
use crate::simulate::cast::Cast;
use crate::sip::{Message, Method, Request, Response, Transport};

/// Where the media of a simulated phone would go; nothing is ever sent there.
const MEDIA_PORT: u16 = 40_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Our INVITE has no final answer yet.
    Calling,
    /// The desk's INVITE has none.
    Ringing,
    Up,
    Over,
}

/// Nobody hears a simulated call. Our offers have this suite under this tag.
const KEY: &str = "a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:c2ltdWxhdGVkIGNhbGxzIGhhdmUgbm8gYXVkaW8u\r\n";

/// One phone's side of one SIP call.
pub(super) struct Session {
    /// Who has the phone.
    pub who: Who,
    pub call_id: String,
    pub address: SocketAddr,
    state: State,
    transport: Transport,
    /// Our side and theirs as From and To say it, with tags.
    local: String,
    remote: String,
    /// Where requests within the call go.
    target: String,
    cseq: u32,
    /// The desk's INVITE, while it is to be answered.
    invite: Option<Request>,
    /// Its media is secured.
    secured: bool,
    /// Where the desk wants our RTP.
    media_port: Option<u16>,
}

impl Session {
    pub fn is_ringing(&self) -> bool {
        self.state == State::Ringing
    }

    pub fn is_up(&self) -> bool {
        self.state == State::Up
    }

    pub fn media_port(&self) -> Option<u16> {
        self.media_port
    }

    // -- The caller --------------------------------------------------------------------------------------------------

    /// The caller's phone dials the hotline.
    pub fn dial(cast: &Cast, from: &str, number: &str) -> (Session, Bytes) {
        let flow = cast.caller_flow();
        let uri = format!("sip:{number}@{}", cast.local());
        let from = match from {
            "" => "\"Anonymous\" <sip:anonymous@anonymous.invalid>".to_owned(),
            number => format!("<sip:{number}@{}>", flow.remote),
        };
        let mut session = Session {
            who: Who::Caller,
            call_id: "simulated-call".to_owned(),
            address: flow.remote,
            state: State::Calling,
            transport: cast.transport(),
            local: format!("{from};tag=caller"),
            remote: format!("<{uri}>"),
            target: uri,
            cseq: 0,
            invite: None,
            secured: cast.secured(),
            media_port: None,
        };
        let sdp = session.sdp();
        let invite = session.request(Method::Invite, &sdp);
        (session, invite)
    }

    // -- A phone that the desk rings ---------------------------------------------------------------------------------

    /// What a request outside of any call of this phone leads to. An INVITE rings at once.
    pub fn ring(who: Option<Who>, address: SocketAddr, request: Request) -> (Option<Session>, Vec<Bytes>) {
        let transport = Transport::Udp;
        let call_id = request.headers.call_id().to_owned();
        let tag = format!("phone-{call_id}");
        let header = |name: &str| request.headers.get(name).unwrap_or_default().to_owned();
        let Some(who) = who else {
            // A probe is answered; a number of nobody's is not there.
            let status = if request.method == Method::Invite { 404 } else { 200 };
            let answer = write_response(&request, status, &tag, address, "");
            return (None, if request.method == Method::Ack { Vec::new() } else { vec![answer] });
        };
        if request.method != Method::Invite {
            return (None, vec![write_response(&request, 200, &tag, address, "")]);
        }
        let ringing = write_response(&request, 180, &tag, address, "");
        let contact = request.headers.contact().map(|contact| contact.uri.to_string());
        let session = Session {
            who,
            call_id,
            address,
            state: State::Ringing,
            transport,
            local: format!("{};tag={tag}", header("To")),
            remote: header("From"),
            target: contact.unwrap_or_default(),
            cseq: 0,
            secured: is_secured(&request.body),
            media_port: media_port(&request.body),
            invite: Some(request),
        };
        (Some(session), vec![ringing])
    }

    /// Picks up.
    pub fn answer(&mut self) -> Vec<Bytes> {
        let sdp = self.sdp();
        let answer = self.invite.take().map(|invite| self.respond(&invite, 200, &sdp));
        self.state = State::Up;
        answer.into_iter().collect()
    }

    pub fn decline(&mut self) -> Vec<Bytes> {
        let answer = self.invite.take().map(|invite| self.respond(&invite, 603, ""));
        self.state = State::Over;
        answer.into_iter().collect()
    }

    pub fn hang_up(&mut self) -> Vec<Bytes> {
        self.state = State::Over;
        vec![self.request(Method::Bye, "")]
    }

    // -- What the desk sends within the call -------------------------------------------------------------------------

    pub fn receive(&mut self, message: Message) -> Vec<Bytes> {
        match message {
            Message::Request(request) => self.receive_request(&request),
            Message::Response(response) => self.receive_response(&response),
        }
    }

    fn receive_request(&mut self, request: &Request) -> Vec<Bytes> {
        match &request.method {
            Method::Ack => Vec::new(),
            Method::Cancel => {
                let mut answers = vec![self.respond(request, 200, "")];
                if let Some(invite) = self.invite.take() {
                    self.state = State::Over;
                    answers.push(self.respond(&invite, 487, ""));
                }
                answers
            }
            Method::Bye => {
                self.state = State::Over;
                vec![self.respond(request, 200, "")]
            }
            // Hold, resume, a renewed session: taken as it is offered.
            Method::Invite | Method::Update => {
                self.media_port = media_port(&request.body).or(self.media_port);
                let sdp = self.sdp();
                vec![self.respond(request, 200, &sdp)]
            }
            Method::Register
            | Method::Options
            | Method::Prack
            | Method::Info
            | Method::Refer
            | Method::Notify
            | Method::Subscribe
            | Method::Publish
            | Method::Message
            | Method::Other(_) => vec![self.respond(request, 200, "")],
        }
    }

    fn receive_response(&mut self, response: &Response) -> Vec<Bytes> {
        let status = response.status.code();
        let to_invite = response.headers.cseq().is_ok_and(|cseq| cseq.method == Method::Invite);
        if !to_invite || status < 200 {
            return Vec::new();
        }
        if status >= 300 {
            self.state = State::Over;
            return vec![self.acknowledge(response)];
        }
        self.state = State::Up;
        self.remote = response.headers.get("To").unwrap_or_default().to_owned();
        if let Some(contact) = response.headers.contact() {
            self.target = contact.uri.to_string();
        }
        self.media_port = media_port(&response.body);
        vec![self.acknowledge(response)]
    }

    // -- Writing -----------------------------------------------------------------------------------------------------

    /// The ACK to a refusal belongs to the INVITE's transaction (RFC 3261 section 17.1.1.3); one to a 200 needs no
    /// particular branch.
    fn acknowledge(&self, response: &Response) -> Bytes {
        let to = response.headers.get("To").unwrap_or_default();
        self.write(&Method::Ack, self.cseq, to, "")
    }

    fn request(&mut self, method: Method, body: &str) -> Bytes {
        self.cseq += 1;
        self.write(&method, self.cseq, &self.remote, body)
    }

    fn write(&self, method: &Method, cseq: u32, to: &str, body: &str) -> Bytes {
        let (via, address) = (self.transport.in_via(), self.address);
        let mut text = format!(
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/{via} {address};branch=z9hG4bK-{}-{cseq}\r\nMax-Forwards: 70\r\n\
             From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\nContact: <sip:phone@{address}>\r\n",
            self.target, self.call_id, self.local, self.call_id,
        );
        finish(&mut text, body);
        Bytes::from(text)
    }

    fn respond(&self, request: &Request, status: u16, body: &str) -> Bytes {
        let tag = format!("phone-{}", self.call_id);
        write_response(request, status, &tag, self.address, body)
    }

    fn sdp(&self) -> String {
        let family = if self.address.is_ipv6() { "IP6" } else { "IP4" };
        let ip = self.address.ip();
        let (protocol, key) = if self.secured { ("RTP/SAVP", KEY) } else { ("RTP/AVP", "") };
        format!(
            "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {MEDIA_PORT} {protocol} 0 101\r\n\
             a=rtpmap:101 telephone-event/8000\r\n{key}"
        )
    }
}

fn is_secured(offer: &[u8]) -> bool {
    String::from_utf8_lossy(offer).contains(" RTP/SAVP ")
}

fn write_response(request: &Request, status: u16, tag: &str, address: SocketAddr, body: &str) -> Bytes {
    let mut text = format!("SIP/2.0 {status} Simulated\r\n");
    for via in request.headers.all("Via") {
        let _ = write!(text, "Via: {via}\r\n");
    }
    let header = |name: &str| request.headers.get(name).unwrap_or_default();
    let to = header("To");
    let tag = if to.contains("tag=") { String::new() } else { format!(";tag={tag}") };
    let (from, call_id, cseq) = (header("From"), header("Call-ID"), header("CSeq"));
    let _ = write!(text, "From: {from}\r\nTo: {to}{tag}\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n");
    if status < 300 {
        let _ = write!(text, "Contact: <sip:phone@{address}>\r\n");
    }
    finish(&mut text, body);
    Bytes::from(text)
}

fn finish(text: &mut String, body: &str) {
    if !body.is_empty() {
        text.push_str("Content-Type: application/sdp\r\n");
    }
    let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
}

/// The port of the first audio stream.
fn media_port(sdp: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(sdp).ok()?;
    let audio = text.lines().find_map(|line| line.strip_prefix("m=audio "))?;
    audio.split(' ').next()?.parse().ok().filter(|port| *port != 0)
}

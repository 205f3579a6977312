//! One dialog of a probe with its transactions (RFC 3261 sections 12 and 17), by the real clock.
//!
//! ```text
//! request ──▶ Client: sent again at T1, 2·T1 … (UDP) ──▶ response, or timed out after 64·T1
//! reply   ──▶ Reply: repeated for each copy of its request
//!         ──▶ final reply to INVITE: sent again until the ACK (2xx on TCP too, section 13.3.1.4)
//! ```
// A test phone works in real time: it reads the clock.
#![allow(clippy::disallowed_methods)]

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rsip::{Method, Request, Response, SipMessage};
use tokio::sync::mpsc;

use super::media::MediaEvent;
use super::report::{Step, rounded};
use super::sdp::Description;
use super::transport::{Endpoint, Flow, Packet};
use super::wire;

/// The timers of RFC 3261 section 17.1.1.1.
const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
const GIVE_UP: Duration = Duration::from_secs(32);
/// Replies kept for repetition.
const MAX_REPLIES: usize = 32;
/// Lines of a ladder; a flood must not fill the memory.
const MAX_LADDER: usize = 2_000;

/// Random letters for tags, branches and Call-IDs.
pub fn token() -> String {
    format!("{:016x}", getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id())))
}

/// What the dialog's owner is woken for.
#[derive(Debug)]
pub enum Wake {
    Request(Request),
    Response {
        method: Method,
        response: Response,
    },
    /// No response to that method; for ACK: our answer was never acknowledged.
    TimedOut(Method),
    Media(MediaEvent),
    /// The time that was asked for has come.
    Due,
}

struct Client {
    request: Request,
    branch: String,
    bytes: Vec<u8>,
    again: Option<Instant>,
    interval: Duration,
    give_up: Option<Instant>,
    provisional: bool,
}

struct Reply {
    branch: String,
    method: Method,
    bytes: Vec<u8>,
    flow: Flow,
}

/// A final reply to INVITE that waits for its ACK.
struct Unacknowledged {
    cseq: u32,
    bytes: Vec<u8>,
    flow: Flow,
    again: Option<Instant>,
    interval: Duration,
    give_up: Instant,
}

/// A dialog, from its first request on.
pub struct Session {
    endpoint: Arc<Endpoint>,
    inbox: mpsc::Receiver<Packet>,
    pub flow: Flow,
    pub call_id: String,
    pub tag: String,
    /// From and To of our requests.
    pub local: String,
    pub remote: String,
    /// Request URI of our requests: the other side's Contact once known.
    pub target: String,
    pub routes: Vec<String>,
    pub contact: String,
    cseq: u32,
    clients: Vec<Client>,
    replies: VecDeque<Reply>,
    unacknowledged: Option<Unacknowledged>,
    /// The ACK of the last 2xx, for its copies.
    ack: Option<(u32, Vec<u8>)>,
    pub start: Instant,
    pub ladder: Vec<Step>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.endpoint.leave(&self.call_id);
    }
}

impl Session {
    /// Our own request will open it.
    pub fn outgoing(endpoint: Arc<Endpoint>, flow: Flow, target: &str, user: &str, display: Option<&str>) -> Session {
        let tag = token();
        let mine = endpoint.address_towards(flow.peer());
        let call_id = format!("{}@{}", token(), mine.ip());
        let inbox = endpoint.join(&call_id);
        let quoted = display.map(|name| format!("\"{}\" ", name.replace('"', "'"))).unwrap_or_default();
        let local = format!("{quoted}<sip:{user}@{}>;tag={tag}", wire::bracketed(mine.ip()));
        Session::new(endpoint, inbox, flow, call_id, tag, local, format!("<{target}>"), target.to_owned(), user)
    }

    /// Opened by somebody's INVITE, which has been read.
    pub fn incoming(endpoint: Arc<Endpoint>, flow: Flow, invite: &Request) -> Option<Session> {
        let headers = &invite.headers;
        let call_id = wire::value(headers, "Call-ID")?;
        let tag = token();
        let inbox = endpoint.join(&call_id);
        let local = format!("{};tag={tag}", wire::value(headers, "To")?);
        let remote = wire::value(headers, "From")?;
        let target = wire::value(headers, "Contact").map(|contact| wire::uri_of(&contact).to_owned())?;
        let user = invite.uri.user().unwrap_or("probe").to_owned();
        let mut session = Session::new(endpoint, inbox, flow, call_id, tag, local, remote, target, &user);
        session.routes = wire::values(headers, "Record-Route");
        session.note("<-", describe(&invite.clone().into()));
        Some(session)
    }

    #[allow(clippy::too_many_arguments)]
    fn new(
        endpoint: Arc<Endpoint>,
        inbox: mpsc::Receiver<Packet>,
        flow: Flow,
        call_id: String,
        tag: String,
        local: String,
        remote: String,
        target: String,
        user: &str,
    ) -> Session {
        let mine = endpoint.address_towards(flow.peer());
        let transport = if matches!(flow, Flow::Tcp(_)) { ";transport=tcp" } else { "" };
        let contact = format!("<sip:{user}@{}:{}{transport}>", wire::bracketed(mine.ip()), mine.port());
        Session {
            endpoint,
            inbox,
            flow,
            call_id,
            tag,
            local,
            remote,
            target,
            routes: Vec::new(),
            contact,
            cseq: 0,
            clients: Vec::new(),
            replies: VecDeque::new(),
            unacknowledged: None,
            ack: None,
            start: Instant::now(),
            ladder: Vec::new(),
        }
    }

    pub fn elapsed(&self, at: Instant) -> f64 {
        rounded(at.saturating_duration_since(self.start).as_secs_f64())
    }

    pub fn note(&mut self, dir: &'static str, text: String) {
        if self.ladder.len() < MAX_LADDER {
            self.ladder.push(Step { at_s: self.elapsed(Instant::now()), dir, text });
        }
    }

    /// Our address as the peer sees it.
    pub fn address(&self) -> SocketAddr {
        self.endpoint.address_towards(self.flow.peer())
    }

    pub fn unparsed(&self) -> Vec<String> {
        self.endpoint.unparsed()
    }

    // ---- requests of ours ------------------------------------------------------------------------------------------

    fn build(&mut self, method: Method, cseq: u32, branch: &str) -> Result<Request, String> {
        let mine = self.address();
        let mut headers = rsip::Headers::default();
        let via = format!(
            "SIP/2.0/{} {}:{};branch={branch};rport",
            self.flow.name(),
            wire::bracketed(mine.ip()),
            mine.port()
        );
        headers.push(wire::header("Via", &via));
        for route in &self.routes {
            headers.push(wire::header("Route", route));
        }
        headers.push(wire::header("Max-Forwards", "70"));
        headers.push(wire::header("From", &self.local));
        headers.push(wire::header("To", &self.remote));
        headers.push(wire::header("Call-ID", &self.call_id));
        headers.push(wire::header("CSeq", &format!("{cseq} {method}")));
        headers.push(wire::header("Contact", &self.contact));
        headers.push(wire::header("User-Agent", concat!("wardline-probe/", env!("CARGO_PKG_VERSION"))));
        if method == Method::Invite {
            headers.push(wire::header("Allow", "INVITE, ACK, CANCEL, BYE, INFO, OPTIONS, UPDATE, NOTIFY"));
        }
        let uri = wire::uri(&self.target)?;
        Ok(Request { method, uri, version: rsip::Version::V2, headers, body: Vec::new() })
    }

    /// Sends a request and watches over it. The body is its type and text.
    pub async fn request(
        &mut self,
        method: Method,
        extra: &[(String, String)],
        body: Option<(&str, String)>,
    ) -> Result<(), String> {
        self.cseq += 1;
        let branch = format!("z9hG4bK{}", token());
        let mut request = self.build(method, self.cseq, &branch)?;
        for (name, value) in extra {
            request.headers.push(wire::header(name, value));
        }
        if let Some((kind, text)) = body {
            request.headers.push(wire::header("Content-Type", kind));
            request.body = text.into_bytes();
        }
        let bytes = wire::write(&request.clone().into());
        let now = Instant::now();
        self.note("->", describe(&request.clone().into()));
        self.transmit(self.flow, &bytes).await?;
        self.clients.push(Client {
            request,
            branch,
            bytes,
            again: matches!(self.flow, Flow::Udp(_)).then(|| now + T1),
            interval: T1,
            give_up: Some(now + GIVE_UP),
            provisional: false,
        });
        Ok(())
    }

    async fn transmit(&self, flow: Flow, bytes: &[u8]) -> Result<(), String> {
        self.endpoint.send(flow, bytes).await.map_err(|error| format!("cannot send to {}: {error}", flow.peer()))
    }

    /// Whether an INVITE of ours is still without a final response, and whether a provisional one has come.
    pub fn inviting(&self) -> Option<bool> {
        self.clients.iter().find(|client| client.request.method == Method::Invite).map(|client| client.provisional)
    }

    /// CANCEL of the INVITE under way: same branch, same CSeq number (section 9.1).
    pub async fn cancel(&mut self) -> Result<(), String> {
        let Some(client) = self.clients.iter().find(|client| client.request.method == Method::Invite) else {
            return Ok(());
        };
        let (branch, cseq) = (client.branch.clone(), self.cseq);
        let request = self.build(Method::Cancel, cseq, &branch)?;
        let bytes = wire::write(&request.clone().into());
        self.note("->", describe(&request.clone().into()));
        self.transmit(self.flow, &bytes).await?;
        let now = Instant::now();
        let again = matches!(self.flow, Flow::Udp(_)).then(|| now + T1);
        let give_up = Some(now + GIVE_UP);
        self.clients.push(Client { request, branch, bytes, again, interval: T1, give_up, provisional: false });
        Ok(())
    }

    /// Takes over what a 2xx or 101-199 to our INVITE says of the dialog (section 12.1.2).
    pub fn establish(&mut self, response: &Response) {
        if let Some(to) = wire::value(&response.headers, "To") {
            self.remote = to;
        }
        if let Some(contact) = wire::value(&response.headers, "Contact") {
            self.target = wire::uri_of(&contact).to_owned();
        }
        self.routes = wire::values(&response.headers, "Record-Route").into_iter().rev().collect();
        self.retarget();
    }

    /// The next hop of later requests: the first route or the remote target, where it is an address. TCP stays on its
    /// connection.
    pub fn retarget(&mut self) {
        let next = self.routes.first().map_or(self.target.as_str(), |route| wire::uri_of(route));
        let Ok(uri) = wire::uri(next) else { return };
        let (host, port) = wire::host_port(&uri);
        if let (Ok(ip), Flow::Udp(_)) = (host.parse::<IpAddr>(), self.flow) {
            self.flow = Flow::Udp(SocketAddr::new(ip, port));
        }
    }

    /// ACK of a 2xx: a transaction of its own (section 13.2.2.4).
    pub async fn acknowledge(&mut self, response: &Response, body: Option<String>) -> Result<(), String> {
        let Some((cseq, _)) = wire::cseq(&response.headers) else { return Err("2xx without CSeq".to_owned()) };
        let branch = format!("z9hG4bK{}", token());
        let mut ack = self.build(Method::Ack, cseq, &branch)?;
        if let Some(text) = body {
            ack.headers.push(wire::header("Content-Type", "application/sdp"));
            ack.body = text.into_bytes();
        }
        let bytes = wire::write(&ack.clone().into());
        self.note("->", describe(&ack.into()));
        self.transmit(self.flow, &bytes).await?;
        self.ack = Some((cseq, bytes));
        Ok(())
    }

    // ---- replies of ours -------------------------------------------------------------------------------------------

    /// Answers a request; kept, and repeated as its kind asks for.
    pub async fn reply(&mut self, request: &Request, status: u16, extra: &[(String, String)], sdp: Option<String>) {
        let mut response = wire::response_to(request, status, &self.tag);
        for route in wire::values(&request.headers, "Record-Route") {
            response.headers.push(wire::header("Record-Route", &route));
        }
        if request.method == Method::Invite && status > 100 {
            response.headers.push(wire::header("Contact", &self.contact));
        }
        for (name, value) in extra {
            response.headers.push(wire::header(name, value));
        }
        if let Some(text) = sdp {
            response.headers.push(wire::header("Content-Type", "application/sdp"));
            response.body = text.into_bytes();
        }
        let bytes = wire::write(&response.clone().into());
        self.note("->", describe(&response.into()));
        if let Err(error) = self.transmit(self.flow, &bytes).await {
            self.note("--", error);
        }
        let branch = wire::branch(&request.headers).unwrap_or_default();
        self.replies.retain(|reply| (&reply.branch, reply.method) != (&branch, request.method));
        self.replies.push_back(Reply { branch, method: request.method, bytes: bytes.clone(), flow: self.flow });
        if self.replies.len() > MAX_REPLIES {
            self.replies.pop_front();
        }
        if request.method == Method::Invite && status >= 200 {
            let now = Instant::now();
            let repeated = status < 300 || matches!(self.flow, Flow::Udp(_));
            self.unacknowledged = Some(Unacknowledged {
                cseq: wire::cseq(&request.headers).map_or(0, |(number, _)| number),
                bytes,
                flow: self.flow,
                again: repeated.then(|| now + T1),
                interval: T1,
                give_up: now + GIVE_UP,
            });
        }
    }

    /// Whether a final reply to INVITE still waits for its ACK.
    pub fn unacknowledged(&self) -> bool {
        self.unacknowledged.is_some()
    }

    // ---- what happens ----------------------------------------------------------------------------------------------

    /// The next thing that concerns the owner, at `until` at the latest.
    pub async fn next(&mut self, until: Instant, mut media: Option<&mut mpsc::Receiver<MediaEvent>>) -> Wake {
        enum Got {
            Packet(Option<Box<Packet>>),
            Media(MediaEvent),
            Time,
        }
        loop {
            let now = Instant::now();
            if let Some(method) = self.run_timers(now).await {
                return Wake::TimedOut(method);
            }
            if now >= until {
                return Wake::Due;
            }
            let at = self.next_timer().map_or(until, |timer| timer.min(until));
            let event = async {
                match &mut media {
                    Some(events) => match events.recv().await {
                        Some(event) => event,
                        None => std::future::pending().await,
                    },
                    None => std::future::pending().await,
                }
            };
            let got = tokio::select! {
                packet = self.inbox.recv() => Got::Packet(packet.map(Box::new)),
                event = event => Got::Media(event),
                () = tokio::time::sleep_until(at.into()) => Got::Time,
            };
            let wake = match got {
                Got::Packet(Some(packet)) => match packet.message {
                    SipMessage::Request(request) => self.on_request(request, packet.flow).await,
                    SipMessage::Response(response) => self.on_response(response).await,
                },
                Got::Media(event) => Some(Wake::Media(event)),
                Got::Packet(None) | Got::Time => None,
            };
            if let Some(wake) = wake {
                return wake;
            }
        }
    }

    fn next_timer(&self) -> Option<Instant> {
        let clients = self.clients.iter().flat_map(|client| [client.again, client.give_up]).flatten();
        let waiting = self.unacknowledged.iter().flat_map(|waiting| [waiting.again, Some(waiting.give_up)]).flatten();
        clients.chain(waiting).min()
    }

    /// Timers A, B, E, F for requests, G and H (and their like of section 13.3.1.4) for answers.
    async fn run_timers(&mut self, now: Instant) -> Option<Method> {
        let mut out = Vec::new();
        for client in &mut self.clients {
            if client.again.is_some_and(|again| again <= now) {
                let invite = client.request.method == Method::Invite;
                client.interval = if invite { client.interval * 2 } else { (client.interval * 2).min(T2) };
                client.again = Some(now + client.interval);
                out.push((self.flow, client.bytes.clone(), format!("{} (again)", client.request.method)));
            }
        }
        if let Some(waiting) = &mut self.unacknowledged
            && waiting.again.is_some_and(|again| again <= now)
        {
            waiting.interval = (waiting.interval * 2).min(T2);
            waiting.again = Some(now + waiting.interval);
            out.push((waiting.flow, waiting.bytes.clone(), "final response (again)".to_owned()));
        }
        for (flow, bytes, text) in out {
            self.note("->", text);
            if let Err(error) = self.transmit(flow, &bytes).await {
                self.note("--", error);
            }
        }
        if self.unacknowledged.as_ref().is_some_and(|waiting| waiting.give_up <= now) {
            self.unacknowledged = None;
            return Some(Method::Ack);
        }
        let late = self.clients.iter().position(|client| client.give_up.is_some_and(|give_up| give_up <= now))?;
        Some(self.clients.swap_remove(late).request.method)
    }

    async fn on_request(&mut self, request: Request, flow: Flow) -> Option<Wake> {
        let branch = wire::branch(&request.headers).unwrap_or_default();
        self.note("<-", describe(&request.clone().into()));
        if request.method == Method::Ack {
            let cseq = wire::cseq(&request.headers).map(|(number, _)| number);
            let waited = self.unacknowledged.as_ref().is_some_and(|waiting| Some(waiting.cseq) == cseq);
            if waited {
                self.unacknowledged = None;
            }
            return waited.then_some(Wake::Request(request));
        }
        let known = self.replies.iter().find(|reply| reply.branch == branch && reply.method == request.method);
        if let Some((flow, bytes)) = known.map(|reply| (reply.flow, reply.bytes.clone())) {
            self.note("->", "reply (again)".to_owned());
            if let Err(error) = self.transmit(flow, &bytes).await {
                self.note("--", error);
            }
            return None;
        }
        // Answers go where the request came from (rport, RFC 3581), and so do our own requests on TCP.
        self.flow = flow;
        Some(Wake::Request(request))
    }

    async fn on_response(&mut self, response: Response) -> Option<Wake> {
        self.note("<-", describe(&response.clone().into()));
        let branch = wire::branch(&response.headers)?;
        let (cseq, method) = wire::cseq(&response.headers)?;
        let status = response.status_code.code();
        let index = self
            .clients
            .iter()
            .position(|client| client.branch == branch && client.request.method.to_string() == method);
        let Some(index) = index else {
            // A copy of a 2xx: its ACK was lost.
            if let Some((number, bytes)) = &self.ack
                && method == "INVITE"
                && (200..300).contains(&status)
                && *number == cseq
            {
                let bytes = bytes.clone();
                self.note("->", "ACK (again)".to_owned());
                let _ = self.transmit(self.flow, &bytes).await;
            }
            return None;
        };
        let client = self.clients.get_mut(index)?;
        let method = client.request.method;
        if status < 200 {
            client.provisional = true;
            if method == Method::Invite {
                // Timers A and B stop; how long it may ring is the caller's plan.
                (client.again, client.give_up) = (None, None);
            } else {
                client.interval = T2;
            }
            return Some(Wake::Response { method, response });
        }
        let client = self.clients.swap_remove(index);
        if method == Method::Invite && status >= 300 {
            self.acknowledge_failure(&client, &response).await;
        }
        Some(Wake::Response { method, response })
    }

    /// ACK of a final response of 300 or more: same branch, their To (section 17.1.1.3).
    async fn acknowledge_failure(&mut self, client: &Client, response: &Response) {
        let mut ack = client.request.clone();
        ack.method = Method::Ack;
        ack.body = Vec::new();
        let keep = ["via", "route", "max-forwards", "from", "call-id"];
        ack.headers.retain(|header| {
            let line = header.to_string();
            keep.iter().any(|name| line.split(':').next().is_some_and(|found| found.eq_ignore_ascii_case(name)))
        });
        let to = wire::value(&response.headers, "To").unwrap_or_else(|| self.remote.clone());
        ack.headers.push(wire::header("To", &to));
        let number = wire::cseq(&response.headers).map_or(self.cseq, |(number, _)| number);
        ack.headers.push(wire::header("CSeq", &format!("{number} ACK")));
        let bytes = wire::write(&ack.clone().into());
        self.note("->", describe(&ack.into()));
        if let Err(error) = self.transmit(self.flow, &bytes).await {
            self.note("--", error);
        }
    }
}

/// One line of the ladder.
fn describe(message: &SipMessage) -> String {
    let sdp = match Description::parse(message.body()) {
        Some(description) => format!("  [{}]", description.summary()),
        None if message.body().is_empty() => String::new(),
        None => format!("  [{} bytes]", message.body().len()),
    };
    match message {
        SipMessage::Request(request) => format!("{} {}{sdp}", request.method, wire::show_v6(&request.uri.to_string())),
        SipMessage::Response(response) => {
            let method = wire::cseq(&response.headers).map_or_else(|| "?".to_owned(), |(_, method)| method);
            format!("{} ({method}){sdp}", response.status_code)
        }
    }
}

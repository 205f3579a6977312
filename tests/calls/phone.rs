//! A simulated SIP phone: its own small UAC and UAS, written apart from the code under test. It writes its messages as
//! text and only reads with the program's parser.
//!
//! A phone does by itself what every phone does: repeats over UDP, acknowledges, answers BYE, INFO and OPTIONS. What its
//! user does (pick up, press, hang up) comes from [`Pickup`] or from the script.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;

use bytes::Bytes;
use wardline::sip::digest::{Algorithm, Authorization, Challenge, RequestLine, ha1};
use wardline::sip::{Message, Method, Request, Response, Transport};
use wardline::time::{Duration, Instant};

const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
const GIVE_UP: Duration = Duration::from_secs(32);

/// What happens to a call that reaches the phone.
#[derive(Clone, Debug, PartialEq)]
pub enum Pickup {
    /// Rings at once, is picked up after so many ms.
    Answers(u64),
    /// As `Answers`, but 183 with early media instead of 180.
    AnswersEarly(u64),
    /// As `AnswersEarly`, but the 183 wants a PRACK (RFC 3262): it is repeated until that comes, and the 200 then has no body.
    AnswersReliably(u64),
    /// Rings until it is cancelled.
    Rings,
    /// Rings, then refuses after so many ms.
    Refuses(u16, u64),
    /// 302 to these contacts.
    Redirects(Vec<String>),
    /// Takes everything in and never says a word: crashed, or its cable is out.
    Dead,
    /// ICMP port unreachable.
    Gone,
}

/// How a phone keeps a session timer (RFC 4028).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timed {
    /// Seconds: what it asks for, and takes at most.
    pub interval: u64,
    /// It answers 422 to less.
    pub least: u64,
    /// It says that the refreshes are its own.
    pub refreshes: bool,
    /// It does not send them.
    pub forgets: bool,
    /// It allows UPDATE, and refreshes by it.
    pub updates: bool,
}

impl Timed {
    pub const DESK_REFRESHES: Timed =
        Timed { interval: 1_800, least: 90, refreshes: false, forgets: false, updates: true };
    pub const REFRESHES: Timed = Timed { refreshes: true, ..Timed::DESK_REFRESHES };

    fn allow(self) -> &'static str {
        match self.updates {
            true => "Supported: timer\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, REFER, NOTIFY, UPDATE\r\n",
            false => "Supported: timer\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, REFER, NOTIFY\r\n",
        }
    }
}

/// Direction and address that a session description carries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Hold {
    No,
    SendOnly,
    Inactive,
    /// c=0.0.0.0, as phones of RFC 2543 hold.
    ZeroAddress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Our INVITE has no final answer.
    Calling,
    /// Their INVITE has no final answer.
    Ringing,
    Up,
    Over,
}

/// One call at this phone.
#[derive(Clone, Debug)]
pub struct Session {
    pub call_id: String,
    pub state: State,
    pub caller: bool,
    local_tag: String,
    remote_tag: Option<String>,
    local: String,
    remote: String,
    target: String,
    cseq: u32,
    invite: Option<Request>,
    invite_branch: String,
    invite_cseq: u32,
    pub version: u32,
    pub hold: Hold,
    /// What we send in the next answer or offer.
    pub media_port: u16,
    /// Where the desk wants our media.
    pub remote_media: Option<SocketAddr>,
    /// `a=` direction in the desk's last description.
    pub remote_direction: String,
    /// Final statuses to our INVITEs, each once.
    pub finals: Vec<u16>,
    acked_late_offer: bool,
    cancelled: bool,
    /// The ACK to their re-INVITE or INVITE has come.
    pub acked: bool,
    /// PRACKs that came, which count from 1 like our numbers.
    pub pracked: u32,
}

impl Session {
    /// The latest INVITE of ours, as it was sent.
    pub fn invite_bytes(&self) -> Bytes {
        self.invite.as_ref().expect("an INVITE").to_bytes()
    }
}

struct ClientTx {
    method: Method,
    branch: String,
    session: Option<usize>,
    bytes: Bytes,
    interval: Duration,
    again: Option<Instant>,
    until: Instant,
}

/// A final response to an INVITE, repeated until its ACK.
struct Kept {
    call_id: String,
    cseq: u32,
    bytes: Bytes,
    interval: Duration,
    again: Instant,
    until: Instant,
}

enum Todo {
    Ring,
    Early,
    /// 183 that wants a PRACK, with its number.
    Reliable(u32, Duration),
    Answer,
    Refuse(u16),
    /// Half of the session interval is over.
    Refresh,
}

pub struct Phone {
    pub name: String,
    pub user: String,
    pub addr: SocketAddr,
    pub transport: Transport,
    pub pickup: Pickup,
    /// Payload types in its descriptions.
    pub formats: &'static str,
    /// Whether it acknowledges 2xx.
    pub acks: bool,
    /// Answers a late offer in its ACK.
    pub answers_late_offer: bool,
    /// Whether RTP comes from it while it is up.
    pub voice: bool,
    pub password: Option<&'static str>,
    /// Extra header lines of its INVITEs.
    pub headers: String,
    pub sessions: Vec<Session>,
    clients: Vec<ClientTx>,
    kept: Vec<Kept>,
    /// By branch and method: what we answered, to answer copies the same.
    answered: BTreeMap<(String, String), Bytes>,
    due: Vec<(Instant, usize, Todo)>,
    pub out: Vec<Bytes>,
    serial: u32,
    desk: SocketAddr,
    /// Statuses of final responses to requests other than INVITE, in order.
    pub replies: Vec<(Method, u16)>,
    /// sipfrag bodies of NOTIFYs.
    pub notified: Vec<String>,
    /// Headers of the last INVITE that came in.
    pub last_invite: Option<Request>,
    pub challenges: Vec<String>,
    /// 401s to REGISTERs.
    pub challenged: u32,
    /// It was dead or gone at some time, so it may have missed a CANCEL.
    pub was_deaf: bool,
    /// Answers a BYE with 401, to see whether a password is spent on it.
    pub challenges_bye: bool,
    /// Asks for this password before it takes an INVITE, BYE or UPDATE, as user "wardline" of the realm "pbx".
    pub demands: Option<&'static str>,
    /// Authorization headers that came, whoever may have meant them.
    pub told: Vec<String>,
    nonces: Vec<String>,
    /// Its descriptions name an address of IPv6.
    pub ipv6_media: bool,
    pub timed: Option<Timed>,
    /// Session intervals that the desk agreed to or asked for, as it wrote them.
    pub intervals: Vec<String>,
}

impl Phone {
    pub fn new(name: &str, user: &str, addr: SocketAddr, desk: SocketAddr) -> Phone {
        Phone {
            name: name.to_owned(),
            user: user.to_owned(),
            addr,
            transport: Transport::Udp,
            pickup: Pickup::Rings,
            formats: "0 101",
            acks: true,
            answers_late_offer: true,
            voice: true,
            password: None,
            headers: String::new(),
            sessions: Vec::new(),
            clients: Vec::new(),
            kept: Vec::new(),
            answered: BTreeMap::new(),
            due: Vec::new(),
            out: Vec::new(),
            serial: 0,
            desk,
            replies: Vec::new(),
            notified: Vec::new(),
            last_invite: None,
            challenges: Vec::new(),
            challenged: 0,
            was_deaf: false,
            challenges_bye: false,
            demands: None,
            told: Vec::new(),
            nonces: Vec::new(),
            ipv6_media: false,
            timed: None,
            intervals: Vec::new(),
        }
    }

    /// Its user behaves so from now on.
    pub fn change(&mut self, pickup: Pickup) {
        let deaf = |pickup: &Pickup| matches!(pickup, Pickup::Dead | Pickup::Gone);
        self.was_deaf |= deaf(&self.pickup) || deaf(&pickup);
        self.pickup = pickup;
    }

    fn serial(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }

    fn branch(&mut self) -> String {
        let serial = self.serial();
        format!("z9hG4bK-{}-{serial}", self.name)
    }

    // -- What its user does ------------------------------------------------------------------------------------------

    /// Dials; returns the session's number. Without `sdp` the offer is left to the desk.
    pub fn dial(&mut self, now: Instant, number: &str, sdp: bool) -> usize {
        let serial = self.serial();
        let uri = format!("sip:{number}@{}", self.desk);
        let session = Session {
            call_id: format!("call-{}-{serial}", self.name),
            state: State::Calling,
            caller: true,
            local_tag: format!("tag-{}-{serial}", self.name),
            remote_tag: None,
            local: format!("<sip:{}@{}>", self.user, self.addr.ip()),
            remote: format!("<{uri}>"),
            target: uri,
            cseq: 0,
            invite: None,
            invite_branch: String::new(),
            invite_cseq: 0,
            version: 1,
            hold: Hold::No,
            media_port: 30_000 + u16::try_from(serial * 2).expect("few calls"),
            remote_media: None,
            remote_direction: String::new(),
            finals: Vec::new(),
            acked_late_offer: false,
            cancelled: false,
            acked: false,
            pracked: 0,
        };
        self.sessions.push(session);
        let id = self.sessions.len() - 1;
        let body = if sdp { self.sdp(id) } else { String::new() };
        self.send(now, id, Method::Invite, "", &body);
        id
    }

    /// Hangs up in the way that fits: CANCEL, BYE, 603.
    pub fn hang_up(&mut self, now: Instant, id: usize) {
        self.due.retain(|(_, session, _)| *session != id);
        let session = &mut self.sessions[id];
        match (session.state, session.caller) {
            (State::Calling, _) => {
                session.cancelled = true;
                let via = session.invite_branch.clone();
                self.cancel(now, id, &via);
            }
            (State::Ringing, _) => self.refuse(now, id, 603),
            (State::Up, _) => {
                session.state = State::Over;
                self.send(now, id, Method::Bye, "", "");
            }
            (State::Over, _) => {}
        }
    }

    /// A new description in mid-call; `None`: a re-INVITE without one.
    pub fn reinvite(&mut self, now: Instant, id: usize, hold: Option<Hold>) {
        let session = &mut self.sessions[id];
        session.version += 1;
        let body = match hold {
            Some(hold) => {
                session.hold = hold;
                self.sdp(id)
            }
            None => String::new(),
        };
        self.send(now, id, Method::Invite, "", &body);
    }

    pub fn refer(&mut self, now: Instant, id: usize, to: &str) {
        let headers = format!("Refer-To: <sip:{to}@{}>\r\n", self.desk);
        self.send(now, id, Method::Refer, &headers, "");
    }

    /// A request inside the dialog, with header lines and a body of its own.
    pub fn request(&mut self, now: Instant, id: usize, method: Method, headers: &str, body: &str) {
        self.send(now, id, method, headers, body);
    }

    /// Sets the CSeq back, or with a negative number forward.
    pub fn rewind(&mut self, id: usize, by: i32) {
        let cseq = &mut self.sessions[id].cseq;
        *cseq = cseq.saturating_add_signed(-by);
    }

    pub fn register(&mut self, now: Instant) {
        self.send_register(now, "");
    }

    /// The call that is up or on its way, the latest first.
    pub fn current(&self) -> Option<usize> {
        self.sessions.iter().rposition(|session| session.state != State::Over)
    }

    // -- Time --------------------------------------------------------------------------------------------------------

    pub fn poll_timeout(&self) -> Option<Instant> {
        let clients = self.clients.iter().flat_map(|tx| tx.again.into_iter().chain([tx.until]));
        let kept = self.kept.iter().map(|kept| kept.again.min(kept.until));
        clients.chain(kept).chain(self.due.iter().map(|(at, _, _)| *at)).min()
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        let reliable = self.transport == Transport::Tcp;
        for tx in &mut self.clients {
            if tx.again.is_some_and(|at| at <= now) {
                self.out.push(tx.bytes.clone());
                tx.interval *= 2;
                if tx.method != Method::Invite {
                    tx.interval = tx.interval.min(T2);
                }
                tx.again = (!reliable).then_some(now + tx.interval);
            }
        }
        let lost: Vec<usize> = self
            .clients
            .iter()
            .filter(|tx| tx.until <= now && tx.method == Method::Invite)
            .filter_map(|tx| tx.session)
            .collect();
        self.clients.retain(|tx| tx.until > now);
        for id in lost {
            if self.sessions[id].state == State::Calling {
                self.sessions[id].state = State::Over;
            }
        }
        for kept in &mut self.kept {
            if kept.again <= now {
                self.out.push(kept.bytes.clone());
                kept.interval = (kept.interval * 2).min(T2);
                kept.again = now + kept.interval;
            }
        }
        let unacknowledged: Vec<String> =
            self.kept.iter().filter(|kept| kept.until <= now).map(|kept| kept.call_id.clone()).collect();
        self.kept.retain(|kept| kept.until > now);
        for call_id in unacknowledged {
            if let Some(id) = self.sessions.iter().position(|session| session.call_id == call_id) {
                self.hang_up(now, id);
            }
        }
        let due = std::mem::take(&mut self.due);
        let (ready, later) = due.into_iter().partition(|(at, _, _)| *at <= now);
        self.due = later;
        for (_, id, todo) in ready {
            self.perform(now, id, todo);
        }
    }

    fn perform(&mut self, now: Instant, id: usize, todo: Todo) {
        if let (Todo::Refresh, State::Up, Some(timed)) = (&todo, self.sessions[id].state, self.timed) {
            return self.refresh(now, id, timed);
        }
        if self.sessions[id].state != State::Ringing {
            return;
        }
        match todo {
            Todo::Ring => self.provisionally(id, 180, ""),
            Todo::Early => {
                let body = self.sdp(id);
                self.provisionally(id, 183, &body);
            }
            Todo::Reliable(rseq, pause) => {
                if self.sessions[id].pracked >= rseq {
                    return;
                }
                let body = self.sdp(id);
                let headers = format!("Require: 100rel\r\nRSeq: {rseq}\r\n");
                self.provisionally_with(id, 183, &headers, &body);
                self.due.push((now + pause, id, Todo::Reliable(rseq, pause * 2)));
            }
            Todo::Answer if matches!(self.pickup, Pickup::AnswersReliably(_)) && self.sessions[id].pracked == 0 => {
                self.due.push((now + T1, id, Todo::Answer));
            }
            Todo::Answer => {
                let agreed = self.sessions[id].pracked > 0;
                let body = if agreed { String::new() } else { self.sdp(id) };
                self.finally(now, id, 200, &body);
                self.sessions[id].state = State::Up;
            }
            Todo::Refuse(status) => self.refuse(now, id, status),
            Todo::Refresh => {}
        }
    }

    // -- What comes in -----------------------------------------------------------------------------------------------

    pub fn has_session(&self, call_id: &str) -> bool {
        self.sessions.iter().any(|session| session.call_id == call_id)
    }

    pub fn receive(&mut self, now: Instant, message: Message) {
        if matches!(self.pickup, Pickup::Dead | Pickup::Gone) {
            return;
        }
        match message {
            Message::Request(request) => self.received_request(now, request),
            Message::Response(response) => self.received_response(now, &response),
        }
    }

    fn received_request(&mut self, now: Instant, request: Request) {
        let branch = request.headers.top_via().expect("Via").branch().unwrap_or_default().to_owned();
        if let Some(bytes) = self.answered.get(&(branch.clone(), request.method.to_string())) {
            self.out.push(bytes.clone());
            return;
        }
        if let Some(password) = self.demands
            && !self.is_told(&request, password)
        {
            return self.demand(&request, branch, password);
        }
        let call_id = request.headers.call_id().to_owned();
        let known = self.sessions.iter().position(|session| session.call_id == call_id);
        match (&request.method, known) {
            (Method::Ack, _) => {
                let cseq = request.headers.cseq().expect("CSeq").number;
                self.kept.retain(|kept| kept.call_id != call_id || kept.cseq != cseq);
                if let Some(id) = known {
                    self.sessions[id].acked = true;
                    if !request.body.is_empty() {
                        self.read_media(id, &request.body);
                    }
                }
            }
            (Method::Invite, None) => self.called(now, request, branch),
            (Method::Invite, Some(id)) => {
                self.read_media(id, &request.body);
                self.sessions[id].invite = Some(request);
                let body = self.sdp(id);
                self.finally(now, id, 200, &body);
            }
            (Method::Prack, Some(id)) => {
                let rack = request.headers.get("RAck").expect("RAck");
                self.sessions[id].pracked += 1;
                let known = rack == format!("{} {} INVITE", self.sessions[id].pracked, self.sessions[id].invite_cseq);
                self.reply(&request, if known { 200 } else { 481 }, None);
            }
            (Method::Update, Some(id)) if self.timed.is_some() => {
                let (status, headers) = self.timed_answer(now, id, &request);
                let bytes = self.response(&request, status, None, &headers, "");
                self.answered.insert((branch, "UPDATE".to_owned()), bytes.clone());
                self.out.push(bytes);
            }
            (Method::Cancel, Some(id)) => {
                self.reply(&request, 200, None);
                if self.sessions[id].state == State::Ringing {
                    self.refuse(now, id, 487);
                }
            }
            (Method::Bye, Some(_)) if self.challenges_bye => {
                let challenge = "WWW-Authenticate: Digest realm=\"desk.test\", nonce=\"n\", qop=\"auth\"\r\n";
                let bytes = self.response(&request, 401, None, challenge, "");
                self.out.push(bytes);
            }
            (Method::Bye, Some(id)) => {
                self.sessions[id].state = State::Over;
                self.due.retain(|(_, session, _)| *session != id);
                self.kept.retain(|kept| kept.call_id != call_id);
                self.reply(&request, 200, None);
            }
            (Method::Notify, Some(_)) => {
                self.notified.push(String::from_utf8_lossy(&request.body).trim().to_owned());
                self.reply(&request, 200, None);
            }
            (_, Some(_)) => self.reply(&request, 200, None),
            (Method::Options, None) => self.reply(&request, 200, None),
            (_, None) => self.reply(&request, 481, None),
        }
    }

    /// Whether nothing is demanded of this request, or it carries the answer to a challenge of ours.
    fn is_told(&mut self, request: &Request, password: &str) -> bool {
        if !matches!(request.method, Method::Invite | Method::Bye | Method::Update) {
            return true;
        }
        let Some(value) = request.headers.get("Authorization") else { return false };
        self.told.push(value.to_owned());
        let given = Authorization::parse(value).expect("an Authorization");
        let secret = ha1(Algorithm::Md5, "wardline", "pbx", password);
        self.nonces.contains(&given.nonce) && given.proves(&secret, &request.method)
    }

    fn demand(&mut self, request: &Request, branch: String, password: &str) {
        assert!(!password.is_empty());
        let nonce = format!("nonce-{}", self.serial());
        let challenge = format!("WWW-Authenticate: Digest realm=\"pbx\", nonce=\"{nonce}\", qop=\"auth\"\r\n");
        self.nonces.push(nonce);
        let bytes = self.response(request, 401, Some("demanding"), &challenge, "");
        self.answered.insert((branch, request.method.to_string()), bytes.clone());
        self.out.push(bytes);
    }

    fn called(&mut self, now: Instant, request: Request, branch: String) {
        let serial = self.serial();
        let from = request.headers.from().expect("From");
        let to = request.headers.to().expect("To");
        let session = Session {
            call_id: request.headers.call_id().to_owned(),
            state: State::Ringing,
            caller: false,
            local_tag: format!("tag-{}-{serial}", self.name),
            remote_tag: from.tag().map(str::to_owned),
            local: format!("<{}>", to.uri),
            remote: format!("<{}>", from.uri),
            target: request.headers.contact().expect("Contact").uri.to_string(),
            cseq: 0,
            invite: None,
            invite_branch: branch,
            invite_cseq: request.headers.cseq().expect("CSeq").number,
            version: 1,
            hold: Hold::No,
            media_port: 30_000 + u16::try_from(serial * 2).expect("few calls"),
            remote_media: None,
            remote_direction: String::new(),
            finals: Vec::new(),
            acked_late_offer: false,
            cancelled: false,
            acked: false,
            pracked: 0,
        };
        self.sessions.push(session);
        let id = self.sessions.len() - 1;
        self.read_media(id, &request.body);
        self.last_invite = Some(request.clone());
        let (status, headers) = self.timed_answer(now, id, &request);
        self.sessions[id].invite = Some(request);
        if status == 422 {
            self.finally_with(now, id, 422, &headers, "");
            self.sessions[id].state = State::Over;
            // The same INVITE comes again with another number: a new call to a phone that has seen none.
            self.sessions[id].call_id.push_str("-refused");
            return;
        }
        let after = |ms: u64| now + Duration::from_millis(ms);
        match self.pickup.clone() {
            Pickup::Answers(ms) => {
                self.perform(now, id, Todo::Ring);
                self.due.push((after(ms), id, Todo::Answer));
            }
            Pickup::AnswersEarly(ms) => {
                self.perform(now, id, Todo::Early);
                self.due.push((after(ms), id, Todo::Answer));
            }
            Pickup::AnswersReliably(ms) => {
                self.perform(now, id, Todo::Reliable(1, T1));
                self.due.push((after(ms), id, Todo::Answer));
            }
            Pickup::Rings => self.perform(now, id, Todo::Ring),
            Pickup::Refuses(status, 0) => self.refuse(now, id, status),
            Pickup::Refuses(status, ms) => {
                self.perform(now, id, Todo::Ring);
                self.due.push((after(ms), id, Todo::Refuse(status)));
            }
            Pickup::Redirects(contacts) => {
                let headers: String = contacts.iter().map(|contact| format!("Contact: <{contact}>\r\n")).collect();
                self.finally_with(now, id, 302, &headers, "");
                self.sessions[id].state = State::Over;
            }
            Pickup::Dead | Pickup::Gone => {}
        }
    }

    fn received_response(&mut self, now: Instant, response: &Response) {
        let branch = response.headers.top_via().expect("Via").branch().unwrap_or_default().to_owned();
        let method = response.headers.cseq().expect("CSeq").method;
        let status = response.status.code();
        let position = self.clients.iter().position(|tx| tx.branch == branch && tx.method == method);
        if method == Method::Invite {
            self.invite_response(now, position, response, &branch);
            return;
        }
        let Some(position) = position else { return };
        if status < 200 {
            return;
        }
        self.clients.remove(position);
        if method == Method::Update && status == 200 {
            let call_id = response.headers.call_id();
            if let Some(id) = self.sessions.iter().position(|session| session.call_id == call_id) {
                self.agreed(now, id, response);
            }
        }
        if method == Method::Register && status == 401 && self.password.is_some() {
            self.challenged += 1;
            self.challenges = response.headers.all("WWW-Authenticate").map(str::to_owned).collect();
            let credentials = self.credentials();
            self.send_register(now, &credentials);
            return;
        }
        self.replies.push((method, status));
    }

    fn invite_response(&mut self, now: Instant, tx: Option<usize>, response: &Response, branch: &str) {
        let call_id = response.headers.call_id();
        let Some(id) = self.sessions.iter().position(|session| session.call_id == call_id) else { return };
        let status = response.status.code();
        if status < 200 {
            if let Some(tx) = tx {
                self.clients[tx].again = None;
                self.clients[tx].until = now + Duration::from_secs(180);
            }
            return;
        }
        if let Some(tx) = tx {
            self.clients.remove(tx);
        }
        let cseq = response.headers.cseq().expect("CSeq").number;
        let session = &mut self.sessions[id];
        if tx.is_some() {
            session.finals.push(status);
        }
        if (200..300).contains(&status) {
            session.remote_tag = response.headers.to().expect("To").tag().map(str::to_owned);
            if let Some(contact) = response.headers.contact() {
                session.target = contact.uri.to_string();
            }
            let first = session.state == State::Calling;
            if first {
                session.state = State::Up;
            }
            self.read_media(id, &response.body);
            self.agreed(now, id, response);
            if self.acks {
                self.acknowledge(id, cseq);
            }
            if first && self.sessions[id].cancelled {
                self.sessions[id].state = State::Up;
                self.hang_up(now, id);
            }
        } else {
            if session.state == State::Calling {
                session.state = State::Over;
            }
            let to = response.headers.get("To").expect("To").to_owned();
            self.ack_refusal(id, cseq, branch, &to);
        }
    }

    fn acknowledge(&mut self, id: usize, cseq: u32) {
        let late = self.sessions[id].invite.as_ref().is_some_and(|invite| invite.body.is_empty())
            && self.sessions[id].invite_cseq == cseq;
        let body = if late && self.answers_late_offer { self.sdp(id) } else { String::new() };
        self.sessions[id].acked_late_offer |= late;
        let branch = self.branch();
        let bytes = self.write(id, &Method::Ack, cseq, &branch, "", &body);
        self.out.push(bytes);
    }

    fn ack_refusal(&mut self, id: usize, cseq: u32, branch: &str, to: &str) {
        let session = &self.sessions[id];
        let uri = session.invite.as_ref().map(|invite| invite.uri.to_string()).unwrap_or_default();
        let text = format!(
            "ACK {uri} SIP/2.0\r\nVia: SIP/2.0/{} {};branch={branch}\r\nMax-Forwards: 70\r\nFrom: {};tag={}\r\nTo: {to}\r\n\
             Call-ID: {}\r\nCSeq: {cseq} ACK\r\nContent-Length: 0\r\n\r\n",
            self.via_transport(),
            self.addr,
            session.local,
            session.local_tag,
            session.call_id,
        );
        self.out.push(Bytes::from(text));
    }

    // -- Writing -----------------------------------------------------------------------------------------------------

    fn via_transport(&self) -> &'static str {
        if self.transport == Transport::Tcp { "TCP" } else { "UDP" }
    }

    fn contact(&self) -> String {
        let transport = if self.transport == Transport::Tcp { ";transport=tcp" } else { "" };
        format!("<sip:{}@{}{transport}>", self.user, self.addr)
    }

    fn send(&mut self, now: Instant, id: usize, method: Method, headers: &str, body: &str) {
        self.sessions[id].cseq += 1;
        let cseq = self.sessions[id].cseq;
        let branch = self.branch();
        let mut extra =
            if method == Method::Invite { format!("{}{headers}", self.headers) } else { headers.to_owned() };
        if let Some(timed) = self.timed.filter(|_| matches!(method, Method::Invite | Method::Update)) {
            let role = if timed.refreshes { "uac" } else { "uas" };
            let _ = write!(extra, "{}Session-Expires: {};refresher={role}\r\n", timed.allow(), timed.interval);
        }
        let bytes = self.write(id, &method, cseq, &branch, &extra, body);
        if method == Method::Invite {
            let session = &mut self.sessions[id];
            session.invite_branch = branch.clone();
            session.invite_cseq = cseq;
            session.invite = match Message::parse(&bytes) {
                Ok(Message::Request(request)) => Some(request),
                Ok(Message::Response(_)) | Err(_) => None,
            };
        }
        self.begin(now, method, branch, Some(id), bytes);
    }

    fn begin(&mut self, now: Instant, method: Method, branch: String, session: Option<usize>, bytes: Bytes) {
        self.out.push(bytes.clone());
        let again = (self.transport == Transport::Udp).then_some(now + T1);
        self.clients.push(ClientTx { method, branch, session, bytes, interval: T1, again, until: now + GIVE_UP });
    }

    fn cancel(&mut self, now: Instant, id: usize, branch: &str) {
        let session = &self.sessions[id];
        let text = format!(
            "CANCEL {} SIP/2.0\r\nVia: SIP/2.0/{} {};branch={branch}\r\nMax-Forwards: 70\r\nFrom: {};tag={}\r\nTo: {}\r\n\
             Call-ID: {}\r\nCSeq: {} CANCEL\r\nContent-Length: 0\r\n\r\n",
            session.target,
            self.via_transport(),
            self.addr,
            session.local,
            session.local_tag,
            session.remote,
            session.call_id,
            session.invite_cseq,
        );
        self.begin(now, Method::Cancel, branch.to_owned(), Some(id), Bytes::from(text));
    }

    fn write(&self, id: usize, method: &Method, cseq: u32, branch: &str, headers: &str, body: &str) -> Bytes {
        let session = &self.sessions[id];
        let mut text = String::with_capacity(700);
        let to_tag = session.remote_tag.as_ref().map(|tag| format!(";tag={tag}")).unwrap_or_default();
        let _ = write!(
            text,
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/{} {};branch={branch}\r\nMax-Forwards: 70\r\nFrom: {};tag={}\r\n\
             To: {}{to_tag}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\nContact: {}\r\n{headers}",
            session.target,
            self.via_transport(),
            self.addr,
            session.local,
            session.local_tag,
            session.remote,
            session.call_id,
            self.contact(),
        );
        if !body.is_empty() && !headers.contains("Content-Type") {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
        Bytes::from(text)
    }

    pub fn send_register(&mut self, now: Instant, credentials: &str) {
        let serial = self.serial();
        let branch = self.branch();
        let text = format!(
            "REGISTER sip:desk.test SIP/2.0\r\nVia: SIP/2.0/{} {};branch={branch}\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@desk.test>;tag=reg-{}\r\nTo: <sip:{user}@desk.test>\r\nCall-ID: reg-{}\r\n\
             CSeq: {serial} REGISTER\r\nContact: {}\r\nExpires: 3600\r\n{credentials}Content-Length: 0\r\n\r\n",
            self.via_transport(),
            self.addr,
            self.name,
            self.name,
            self.contact(),
            user = self.user,
        );
        self.begin(now, Method::Register, branch, None, Bytes::from(text));
    }

    /// An Authorization line for the first challenge that a phone of today takes: SHA-256.
    pub fn credentials(&self) -> String {
        let challenges = self.challenges.iter().filter_map(|challenge| Challenge::parse(challenge).ok());
        let Some(challenge) = challenges.into_iter().max_by_key(|challenge| challenge.algorithm == Algorithm::Sha256)
        else {
            return String::new();
        };
        let request = RequestLine { method: &Method::Register, uri: "sip:desk.test" };
        let answer = challenge.answer(&self.user, self.password.unwrap_or_default(), request, "cnonce", 1);
        format!("Authorization: {answer}\r\n")
    }

    fn response(&self, request: &Request, status: u16, tag: Option<&str>, headers: &str, body: &str) -> Bytes {
        let mut text = format!("SIP/2.0 {status} x\r\n");
        for via in request.headers.all("Via") {
            let _ = write!(text, "Via: {via}\r\n");
        }
        let get = |name: &str| request.headers.get(name).unwrap_or_default();
        let tag = tag.filter(|_| !get("To").contains("tag=")).map(|tag| format!(";tag={tag}")).unwrap_or_default();
        let _ = write!(
            text,
            "From: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{headers}",
            get("From"),
            get("To"),
            get("Call-ID"),
            get("CSeq")
        );
        if status < 300 {
            let _ = write!(text, "Contact: {}\r\n", self.contact());
        }
        if !body.is_empty() {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
        Bytes::from(text)
    }

    fn reply(&mut self, request: &Request, status: u16, tag: Option<&str>) {
        let bytes = self.response(request, status, tag, "", "");
        let branch = request.headers.top_via().expect("Via").branch().unwrap_or_default().to_owned();
        self.answered.insert((branch, request.method.to_string()), bytes.clone());
        self.out.push(bytes);
    }

    fn provisionally(&mut self, id: usize, status: u16, body: &str) {
        self.provisionally_with(id, status, "", body);
    }

    fn provisionally_with(&mut self, id: usize, status: u16, headers: &str, body: &str) {
        let Some(invite) = self.sessions[id].invite.clone() else { return };
        let tag = self.sessions[id].local_tag.clone();
        let bytes = self.response(&invite, status, Some(&tag), headers, body);
        self.note_answered(&invite, &bytes);
        self.out.push(bytes);
    }

    fn finally(&mut self, now: Instant, id: usize, status: u16, body: &str) {
        let invite = self.sessions[id].invite.clone();
        let headers = match (status, invite) {
            (200, Some(invite)) => self.timed_answer(now, id, &invite).1,
            (_, _) => String::new(),
        };
        self.finally_with(now, id, status, &headers, body);
    }

    // -- The session timer -------------------------------------------------------------------------------------------

    /// How an INVITE or UPDATE is answered, and with which headers.
    fn timed_answer(&mut self, now: Instant, id: usize, request: &Request) -> (u16, String) {
        let Some(timed) = self.timed else { return (200, String::new()) };
        let Some(asked) = request.headers.get("Session-Expires").map(str::to_owned) else {
            return (200, String::new());
        };
        let (seconds, role) = asked.split_once(";refresher=").unwrap_or((&asked, ""));
        let seconds: u64 = seconds.parse().expect("seconds");
        self.intervals.push(asked.clone());
        if seconds < timed.least {
            return (422, format!("Min-SE: {}\r\n", timed.least));
        }
        let interval = seconds.min(timed.interval);
        let ours = if role.is_empty() { timed.refreshes } else { role == "uas" };
        if ours {
            self.refresh_later(now, id, timed, interval);
        }
        let (role, require) = if ours { ("uas", "") } else { ("uac", "Require: timer\r\n") };
        (200, format!("{}{require}Session-Expires: {interval};refresher={role}\r\n", timed.allow()))
    }

    /// A 2xx of the desk to our INVITE or UPDATE.
    fn agreed(&mut self, now: Instant, id: usize, response: &Response) {
        let (Some(timed), Some(agreed)) = (self.timed, response.headers.get("Session-Expires")) else { return };
        self.intervals.push(agreed.to_owned());
        if let Some(seconds) = agreed.strip_suffix(";refresher=uac") {
            self.refresh_later(now, id, timed, seconds.parse().expect("seconds"));
        }
    }

    fn refresh_later(&mut self, now: Instant, id: usize, timed: Timed, interval: u64) {
        self.due.retain(|(_, session, todo)| *session != id || !matches!(todo, Todo::Refresh));
        if !timed.forgets {
            self.due.push((now + Duration::from_secs(interval) / 2, id, Todo::Refresh));
        }
    }

    fn refresh(&mut self, now: Instant, id: usize, timed: Timed) {
        if timed.updates {
            self.send(now, id, Method::Update, "", "");
        } else {
            let body = self.sdp(id);
            self.send(now, id, Method::Invite, "", &body);
        }
    }

    fn finally_with(&mut self, now: Instant, id: usize, status: u16, headers: &str, body: &str) {
        let Some(invite) = self.sessions[id].invite.clone() else { return };
        let tag = self.sessions[id].local_tag.clone();
        let bytes = self.response(&invite, status, Some(&tag), headers, body);
        self.note_answered(&invite, &bytes);
        self.kept.push(Kept {
            call_id: self.sessions[id].call_id.clone(),
            cseq: invite.headers.cseq().expect("CSeq").number,
            bytes: bytes.clone(),
            interval: T1,
            again: now + T1,
            until: now + GIVE_UP,
        });
        self.out.push(bytes);
    }

    fn note_answered(&mut self, invite: &Request, bytes: &Bytes) {
        let branch = invite.headers.top_via().expect("Via").branch().unwrap_or_default().to_owned();
        self.answered.insert((branch, "INVITE".to_owned()), bytes.clone());
    }

    fn refuse(&mut self, now: Instant, id: usize, status: u16) {
        self.finally(now, id, status, "");
        self.sessions[id].state = State::Over;
    }

    // -- Descriptions ------------------------------------------------------------------------------------------------

    fn sdp(&self, id: usize) -> String {
        let session = &self.sessions[id];
        let address = match session.hold {
            Hold::ZeroAddress => "0.0.0.0".to_owned(),
            Hold::No | Hold::SendOnly | Hold::Inactive => self.addr.ip().to_string(),
        };
        let direction = match session.hold {
            Hold::No | Hold::ZeroAddress => "sendrecv",
            Hold::SendOnly => "sendonly",
            Hold::Inactive => "inactive",
        };
        let sdp = format!(
            "v=0\r\no=- 7 {} IN IP4 {}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio {} RTP/AVP {}\r\n\
             a=rtpmap:101 telephone-event/8000\r\na={direction}\r\n",
            session.version,
            self.addr.ip(),
            session.media_port,
            self.formats,
        );
        if self.ipv6_media { sdp.replace(&format!("IP4 {address}"), "IP6 2001:db8::1") } else { sdp }
    }

    fn read_media(&mut self, id: usize, body: &[u8]) {
        let text = String::from_utf8_lossy(body);
        let connection = text.lines().find_map(|line| line.strip_prefix("c=IN IP4 "));
        let audio = text.lines().find_map(|line| line.strip_prefix("m=audio "));
        let port = audio.and_then(|line| line.split(' ').next()).and_then(|port| port.parse().ok());
        if let (Some(Ok(ip)), Some(port)) = (connection.map(str::parse), port) {
            self.sessions[id].remote_media = Some(SocketAddr::new(ip, port));
        }
        let directions = ["sendrecv", "sendonly", "recvonly", "inactive"];
        if let Some(direction) = directions.into_iter().find(|known| text.contains(&format!("a={known}"))) {
            self.sessions[id].remote_direction = direction.to_owned();
        }
    }
}

//! The table of all transactions: matching, flows, and one ordered set of wake-ups.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use bytes::Bytes;

use super::build::{self, stateless_response};
use super::client::Client;
use super::invite_client::InviteClient;
use super::invite_server::{AckFor, InviteServer};
use super::matching::{ClientMatch, MergeMatch, ServerMatch};
use super::paths::Paths;
use super::server::Server;
use super::timers::{Ending, Step, reliable};
use super::{ClientKey, Event, Received, ServerKey};
use crate::ids::ConnId;
use crate::sip::{CSeq, Flow, Host, MAGIC_COOKIE, Message, Method, Request, Response, Status, Transport, Via};
use crate::time::Instant;

/// Transactions of both kinds at a time. Each holds a message or two, about 4 kB: so 128 MB at most. At 50 calls a
/// second with ten transactions each that linger 32 s, 16,000 are in use.
pub const MAX_TRANSACTIONS: usize = 32_768;
/// From here on new INVITEs get 503, while what ends or keeps calls (BYE, re-registration, our own requests) goes on:
/// a full table must be able to empty itself.
pub const MAX_INVITE_TRANSACTIONS: usize = MAX_TRANSACTIONS / 8 * 7;

/// Of them, server transactions of [`Peer::Other`]. The 10,000 phones of line C47 may all register within the 32 s that
/// one lingers; INVITEs of trunks keep 16,384 whatever phones and strangers send.
pub const MAX_OTHER_TRANSACTIONS: usize = 12_288;

/// What of the table a sender of requests may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A trunk, or whoever names a dialog of ours.
    Trusted,
    /// Anybody else, phones included: a source over UDP can be forged.
    Other,
}

/// What stands in our Via for a listener: the address or name that peers can send to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentBy {
    pub host: Host,
    pub port: Option<u16>,
}

#[derive(Debug, Default)]
pub struct Transactions {
    /// By [`Flow::local`]; a listener that is not here advertises its own address.
    sent_by: BTreeMap<SocketAddr, SentBy>,
    servers: BTreeMap<ServerKey, ServerEntry>,
    clients: BTreeMap<ClientKey, ClientEntry>,
    server_index: BTreeMap<ServerMatch, ServerKey>,
    merge_index: BTreeMap<MergeMatch, ServerKey>,
    client_index: BTreeMap<ClientMatch, ClientKey>,
    server_paths: Paths<ServerKey>,
    client_paths: Paths<ClientKey>,
    /// Server transactions of [`Peer::Other`].
    others: usize,
    /// At most one entry for each transaction: its earliest deadline.
    wakeups: BTreeSet<(Instant, Wakeup)>,
    last_key: u64,
    transmits: VecDeque<(Flow, Bytes)>,
    events: VecDeque<Event>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wakeup {
    Server(ServerKey),
    Client(ClientKey),
}

#[derive(Debug)]
struct ServerEntry {
    machine: ServerMachine,
    peer: Peer,
    /// Where responses go (18.2.2).
    flow: Flow,
    matching: ServerMatch,
    merge: Option<MergeMatch>,
    /// The tag of our responses so far, for the 200 to a CANCEL (9.2).
    to_tag: Option<String>,
    wakeup: Option<Instant>,
}

#[derive(Debug)]
enum ServerMachine {
    Invite(InviteServer),
    Other(Server),
}

#[derive(Debug)]
struct ClientEntry {
    machine: ClientMachine,
    flow: Flow,
    matching: ClientMatch,
    cseq: CSeq,
    wakeup: Option<Instant>,
}

#[derive(Debug)]
enum ClientMachine {
    /// With the INVITE as it was sent: ACK and CANCEL repeat its headers.
    Invite(InviteClient, Box<Request>),
    Other(Client),
}

impl ClientMachine {
    fn is_pending(&self) -> bool {
        match self {
            ClientMachine::Invite(machine, _) => machine.is_pending(),
            ClientMachine::Other(machine) => machine.is_pending(),
        }
    }

    fn is_unanswered(&self) -> bool {
        match self {
            ClientMachine::Invite(machine, _) => machine.is_unanswered(),
            ClientMachine::Other(machine) => machine.is_unanswered(),
        }
    }
}

impl Transactions {
    /// `sent_by`: what each listener, by its local address, writes into Via.
    pub fn new(sent_by: BTreeMap<SocketAddr, SentBy>) -> Transactions {
        Transactions { sent_by, ..Transactions::default() }
    }

    /// Transactions in the table.
    pub fn len(&self) -> usize {
        self.servers.len() + self.clients.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn poll_transmit(&mut self) -> Option<(Flow, Bytes)> {
        self.transmits.pop_front()
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.wakeups.first().map(|(at, _)| *at)
    }

    /// Fires everything that is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(at, wakeup)) = self.wakeups.first() {
            if at > now {
                break;
            }
            match wakeup {
                Wakeup::Server(key) => self.server_timeout(now, key),
                Wakeup::Client(key) => self.client_timeout(now, key),
            }
        }
    }

    // Messages in.

    /// One message from the network.
    pub fn receive(&mut self, now: Instant, flow: Flow, peer: Peer, message: Message) -> Received {
        match message {
            Message::Request(request) => self.receive_request(now, flow, peer, request),
            Message::Response(response) => self.receive_response(now, flow, response),
        }
    }

    /// Whether a request belongs to a transaction that is still here: a copy of one that was answered, the ACK to its
    /// refusal, its CANCEL.
    pub fn knows(&self, request: &Request) -> bool {
        let kind = match matches!(request.method, Method::Ack | Method::Cancel) {
            true => Method::Invite,
            false => request.method.clone(),
        };
        let matching = request.headers.top_via().ok().and_then(|via| ServerMatch::of(request, &via, kind));
        matching.is_some_and(|matching| self.server_index.contains_key(&matching))
    }

    fn receive_request(&mut self, now: Instant, flow: Flow, peer: Peer, mut request: Request) -> Received {
        let Ok(mut via) = request.headers.top_via() else {
            return Received::Refused("request without a readable Via");
        };
        // Copies are told by what the peer wrote, before the stamp of this one's source is set over it.
        let kind = match matches!(request.method, Method::Ack | Method::Cancel) {
            true => Method::Invite,
            false => request.method.clone(),
        };
        let (Some(matching), Ok(cseq)) = (ServerMatch::of(&request, &via, kind), request.headers.cseq()) else {
            return Received::Refused("request without Call-ID or CSeq");
        };
        via.stamp(flow.remote);
        request.headers.set_top_via(&via);
        if cseq.method != request.method {
            return self.refuse(flow, &via, &request, Status::BAD_REQUEST, "CSeq names another method");
        }
        let known = self.server_index.get(&matching).copied();
        match request.method {
            Method::Ack => self.receive_ack(now, known, request),
            Method::Cancel => self.receive_cancel(now, flow, peer, &via, known, request),
            Method::Invite
            | Method::Bye
            | Method::Register
            | Method::Options
            | Method::Info
            | Method::Update
            | Method::Prack
            | Method::Refer
            | Method::Notify
            | Method::Subscribe
            | Method::Message
            | Method::Publish
            | Method::Other(_) => match known {
                Some(key) => {
                    self.request_again(key);
                    Received::Absorbed
                }
                None => self.new_request(now, flow, peer, &via, matching, request),
            },
        }
    }

    fn request_again(&mut self, key: ServerKey) {
        let Some(entry) = self.servers.get_mut(&key) else { return };
        let step = match &mut entry.machine {
            ServerMachine::Invite(machine) => machine.invite_again(),
            ServerMachine::Other(machine) => machine.request_again(),
        };
        self.server_step(key, step);
    }

    fn new_request(
        &mut self,
        now: Instant,
        flow: Flow,
        peer: Peer,
        via: &Via,
        matching: ServerMatch,
        request: Request,
    ) -> Received {
        // A request of our own that came back (line D59).
        if ClientMatch::of(&request.headers, via).is_some_and(|own| self.client_index.contains_key(&own)) {
            return self.refuse(flow, via, &request, Status::LOOP_DETECTED, "our own request came back");
        }
        let merge = MergeMatch::of(&request);
        if merge.as_ref().is_some_and(|merge| self.merge_index.contains_key(merge)) {
            return self.refuse(flow, via, &request, Status::LOOP_DETECTED, "merged request");
        }
        let limit = match request.method == Method::Invite {
            true => MAX_INVITE_TRANSACTIONS,
            false => MAX_TRANSACTIONS,
        };
        if self.len() >= limit || self.is_others_share_full(peer) {
            // Without Retry-After, which would silence a whole trunk (21.5.4, line G93).
            return self.refuse(flow, via, &request, Status::SERVICE_UNAVAILABLE, "too many transactions");
        }
        let server = self.open_server(now, flow, via, matching, merge, &request);
        self.charge(server, peer);
        Received::Request { server, request }
    }

    fn open_server(
        &mut self,
        now: Instant,
        flow: Flow,
        via: &Via,
        matching: ServerMatch,
        merge: Option<MergeMatch>,
        request: &Request,
    ) -> ServerKey {
        let reliable = reliable(flow.transport);
        let machine = match request.method == Method::Invite {
            true => {
                let trying = Response::to_request(request, Status::TRYING).to_bytes();
                ServerMachine::Invite(InviteServer::new(now, trying, reliable))
            }
            false => ServerMachine::Other(Server::new(now, reliable)),
        };
        self.last_key += 1;
        let key = ServerKey(self.last_key);
        self.server_index.insert(matching.clone(), key);
        if let Some(merge) = &merge {
            self.merge_index.insert(merge.clone(), key);
        }
        let flow = response_flow(flow, via);
        self.server_paths.insert(&flow, key);
        let peer = Peer::Trusted;
        self.servers.insert(key, ServerEntry { machine, peer, flow, matching, merge, to_tag: None, wakeup: None });
        self.server_step(key, Step::nothing());
        key
    }

    fn is_others_share_full(&self, peer: Peer) -> bool {
        peer == Peer::Other && self.others >= MAX_OTHER_TRANSACTIONS
    }

    /// Counts a new transaction within its peer's share.
    fn charge(&mut self, server: ServerKey, peer: Peer) {
        if let Some(entry) = self.servers.get_mut(&server) {
            entry.peer = peer;
            self.others += usize::from(peer == Peer::Other);
        }
    }

    fn receive_ack(&mut self, now: Instant, known: Option<ServerKey>, request: Request) -> Received {
        let Some((key, ServerMachine::Invite(machine))) =
            known.and_then(|key| self.servers.get_mut(&key).map(|entry| (key, &mut entry.machine)))
        else {
            return Received::Ack { request };
        };
        let (ack_for, step) = machine.ack(now);
        self.server_step(key, step);
        match ack_for {
            AckFor::Transaction => Received::Absorbed,
            AckFor::Dialog => Received::Ack { request },
        }
    }

    fn receive_cancel(
        &mut self,
        now: Instant,
        flow: Flow,
        peer: Peer,
        via: &Via,
        invite: Option<ServerKey>,
        request: Request,
    ) -> Received {
        let Some(matching) = ServerMatch::of(&request, via, Method::Cancel) else {
            return Received::Refused("CANCEL without Call-ID or CSeq");
        };
        if let Some(copy) = self.server_index.get(&matching).copied() {
            self.request_again(copy);
            return Received::Absorbed;
        }
        let status = if invite.is_some() { Status::OK } else { Status::NO_SUCH_TRANSACTION };
        // One that finds its INVITE goes above the limit: it frees a transaction.
        if invite.is_none() && (self.len() >= MAX_TRANSACTIONS || self.is_others_share_full(peer)) {
            return self.refuse(flow, via, &request, status, "CANCEL of nothing, too many transactions");
        }
        let server = self.open_server(now, flow, via, matching, None, &request);
        self.charge(server, peer);
        let invite_tag = invite.and_then(|key| self.servers.get(&key)).and_then(|entry| entry.to_tag.clone());
        let response = match invite_tag {
            Some(tag) => Response::to_request(&request, status).with_to_tag(&tag),
            None => stateless_response(&request, status),
        };
        self.respond(now, &server, response);
        Received::Cancel { server, invite, request }
    }

    fn receive_response(&mut self, now: Instant, flow: Flow, response: Response) -> Received {
        let Ok(via) = response.headers.top_via() else {
            return Received::Refused("response without a readable Via");
        };
        let Ok(cseq) = response.headers.cseq() else {
            return Received::Refused("response without a readable CSeq");
        };
        let known = ClientMatch::of(&response.headers, &via).and_then(|own| self.client_index.get(&own).copied());
        let Some(key) = known else {
            return match cseq.method == Method::Invite && response.status.is_success() {
                true => Received::Stray { response },
                false => Received::Refused("response to no request of ours"),
            };
        };
        let Some(entry) = self.clients.get_mut(&key) else {
            return Received::Refused("response to no request of ours");
        };
        // The stream that the request opened is known by the first response on it.
        if entry.flow.conn.is_none() && entry.flow.transport == flow.transport && entry.flow.remote == flow.remote {
            self.client_paths.remove(&entry.flow, key);
            entry.flow.conn = flow.conn;
            self.client_paths.insert(&entry.flow, key);
        }
        let status = response.status.code();
        let (news, step) = match &mut entry.machine {
            ClientMachine::Invite(machine, invite) => {
                machine.response(now, status, || build::ack(invite, &response).to_bytes())
            }
            ClientMachine::Other(machine) => machine.response(now, status),
        };
        self.client_step(key, step);
        match news {
            true => Received::Response { client: key, response },
            false => Received::Absorbed,
        }
    }

    // Messages out.

    /// A response to a request that was handed up. Dropped when the transaction is over, or has its final response
    /// (a 2xx to an INVITE may be repeated).
    pub fn respond(&mut self, now: Instant, server: &ServerKey, response: Response) {
        let Some(entry) = self.servers.get_mut(server) else { return };
        if let Some(tag) = response.headers.to().ok().and_then(|to| to.tag().map(str::to_owned)) {
            entry.to_tag = Some(tag);
        }
        let (status, bytes) = (response.status.code(), response.to_bytes());
        let step = match &mut entry.machine {
            ServerMachine::Invite(machine) => machine.respond(now, status, bytes),
            ServerMachine::Other(machine) => machine.respond(now, status, bytes),
        };
        self.server_step(*server, step);
    }

    /// Answers a request that gets no transaction, to where its transaction would (18.2.2). Its top Via need not be
    /// stamped; each copy gets the same To tag (8.2.7), whatever tag `response` had.
    pub fn respond_stateless(&mut self, flow: Flow, request: &Request, mut response: Response) {
        let Ok(mut via) = request.headers.top_via() else { return };
        via.stamp(flow.remote);
        response.headers.set_top_via(&via);
        if let Some(to) = request.headers.get("To") {
            response.headers.set("To", to);
        }
        let response = response.with_to_tag(&build::stateless_tag(request));
        self.transmits.push_back((response_flow(flow, &via), response.to_bytes()));
    }

    /// Sends a request (anything but ACK and CANCEL) to `flow`. Via, and Max-Forwards if it has none, are added here;
    /// `branch` must never have been used before, and gets the magic cookie if it has none.
    pub fn request(&mut self, now: Instant, flow: Flow, mut request: Request, branch: &str) -> ClientKey {
        let branch = with_cookie(branch);
        self.finish_headers(&mut request, &flow, &branch);
        self.last_key += 1;
        let key = ClientKey(self.last_key);
        let number = request.headers.cseq().map(|cseq| cseq.number).unwrap_or_default();
        let cseq = CSeq { number, method: request.method.clone() };
        if self.len() >= MAX_TRANSACTIONS {
            self.events.push_back(Event::ClientUnreachable { client: key, cseq });
            self.events.push_back(Event::ClientEnded { client: key });
            return key;
        }
        let matching = ClientMatch::new(&branch, request.method.clone());
        let (bytes, reliable) = (request.to_bytes(), reliable(flow.transport));
        let machine = match request.method == Method::Invite {
            true => ClientMachine::Invite(InviteClient::new(now, bytes.clone(), reliable), Box::new(request)),
            false => ClientMachine::Other(Client::new(now, bytes.clone(), reliable)),
        };
        self.open_client(key, ClientEntry { machine, flow, matching, cseq, wakeup: None }, bytes);
        key
    }

    fn open_client(&mut self, key: ClientKey, entry: ClientEntry, bytes: Bytes) {
        self.client_index.insert(entry.matching.clone(), key);
        self.client_paths.insert(&entry.flow, key);
        self.clients.insert(key, entry);
        self.client_step(key, Step::send(bytes));
    }

    /// Cancels an INVITE of ours (9.1); `reason` is a Reason header's value. `None`, and nothing is sent, while it has no
    /// provisional response or once it has a final one. If no final response comes within 64*T1 the INVITE ends as
    /// [`Event::ClientTimedOut`].
    pub fn cancel(&mut self, now: Instant, invite: &ClientKey, reason: Option<&str>) -> Option<ClientKey> {
        let entry = self.clients.get_mut(invite)?;
        let ClientMachine::Invite(machine, request) = &mut entry.machine else { return None };
        if !machine.cancel(now) {
            return None;
        }
        let (flow, cancel) = (entry.flow, build::cancel(request, reason));
        let branch = cancel.headers.top_via().ok()?.branch()?.to_owned();
        let cseq = CSeq { number: entry.cseq.number, method: Method::Cancel };
        let (bytes, matching) = (cancel.to_bytes(), ClientMatch::new(&branch, Method::Cancel));
        let machine = ClientMachine::Other(Client::new(now, bytes.clone(), reliable(flow.transport)));
        self.last_key += 1;
        let key = ClientKey(self.last_key);
        // Above the limit too: it frees a transaction.
        self.open_client(key, ClientEntry { machine, flow, matching, cseq, wakeup: None }, bytes);
        self.client_step(*invite, Step::nothing());
        Some(key)
    }

    /// Sends the ACK to a 2xx: no transaction, no response (13.2.2.4). `branch` must be new for the first sending; a
    /// repetition for a copy of the 2xx has the same one.
    pub fn send_ack(&mut self, flow: Flow, mut ack: Request, branch: &str) {
        self.finish_headers(&mut ack, &flow, &with_cookie(branch));
        self.transmits.push_back((flow, ack.to_bytes()));
    }

    fn finish_headers(&self, request: &mut Request, flow: &Flow, branch: &str) {
        if request.headers.get("Max-Forwards").is_none() {
            request.headers.push_front("Max-Forwards", build::MAX_FORWARDS);
        }
        let mut via = Via::new(flow.transport.in_via(), flow.local, branch);
        if let Some(sent_by) = self.sent_by.get(&flow.local) {
            via.host = sent_by.host.clone();
            via.port = sent_by.port;
        }
        request.headers.push_front("Via", via);
    }

    // What the network tells.

    /// The peer of `flow` cannot be reached: ICMP, connection refused, or a write that failed.
    ///
    /// Over UDP this ends requests that have no response at all: one stray ICMP (or a forged one) must not end what
    /// a peer has already answered, nor a caller whose phone restarts its socket. A stream that failed ends everything
    /// that still needs it.
    pub fn unreachable(&mut self, _now: Instant, flow: Flow) {
        let stream = reliable(flow.transport);
        let same_stream = |other: &Flow| flow.conn.is_none() || other.conn.is_none() || other.conn == flow.conn;
        let dead = |entry: &ClientEntry| {
            same_stream(&entry.flow) && if stream { entry.machine.is_pending() } else { entry.machine.is_unanswered() }
        };
        let clients = self.client_paths.to(&flow).filter(|key| self.clients.get(key).is_some_and(dead)).collect();
        let served = |key: &ServerKey| stream && self.servers.get(key).is_some_and(|entry| same_stream(&entry.flow));
        let servers = self.server_paths.to(&flow).filter(served).collect();
        self.lose(clients, servers);
    }

    /// A stream is gone, with everything that still needed it (line D55).
    pub fn stream_closed(&mut self, _now: Instant, conn: ConnId) {
        let pending = |key: &ClientKey| self.clients.get(key).is_some_and(|entry| entry.machine.is_pending());
        let clients = self.client_paths.on(conn).filter(pending).collect();
        let servers = self.server_paths.on(conn).collect();
        self.lose(clients, servers);
    }

    fn lose(&mut self, clients: Vec<ClientKey>, servers: Vec<ServerKey>) {
        for client in clients {
            if let Some(entry) = self.clients.get(&client) {
                self.events.push_back(Event::ClientUnreachable { client, cseq: entry.cseq.clone() });
                self.client_step(client, Step::ended(Ending::Done));
            }
        }
        for server in servers {
            let Some(entry) = self.servers.get(&server) else { continue };
            if let ServerMachine::Invite(machine) = &entry.machine
                && machine.is_proceeding()
            {
                self.events.push_back(Event::ServerUnreachable { server });
            }
            self.server_step(server, Step::ended(Ending::Done));
        }
    }

    // Timers, and what a machine's step does to the table.

    fn server_timeout(&mut self, now: Instant, key: ServerKey) {
        let Some(entry) = self.servers.get_mut(&key) else { return };
        let step = match &mut entry.machine {
            ServerMachine::Invite(machine) => machine.timeout(now),
            ServerMachine::Other(machine) => machine.timeout(),
        };
        let timer_h = matches!(entry.machine, ServerMachine::Invite(_)) && step.ended == Some(Ending::TimedOut);
        if timer_h {
            self.events.push_back(Event::ServerTimedOut { server: key });
        }
        self.server_step(key, step);
    }

    fn client_timeout(&mut self, now: Instant, key: ClientKey) {
        let Some(entry) = self.clients.get_mut(&key) else { return };
        let step = match &mut entry.machine {
            ClientMachine::Invite(machine, _) => machine.timeout(now),
            ClientMachine::Other(machine) => machine.timeout(now),
        };
        if step.ended == Some(Ending::TimedOut) {
            self.events.push_back(Event::ClientTimedOut { client: key, cseq: entry.cseq.clone() });
        }
        self.client_step(key, step);
    }

    fn server_step(&mut self, key: ServerKey, step: Step) {
        let Some(entry) = self.servers.get_mut(&key) else { return };
        if let Some(bytes) = step.send {
            self.transmits.push_back((entry.flow, bytes));
        }
        let next = match &entry.machine {
            ServerMachine::Invite(machine) => machine.deadline(),
            ServerMachine::Other(machine) => machine.deadline(),
        };
        let next = if step.ended.is_some() { None } else { next };
        reschedule(&mut self.wakeups, &mut entry.wakeup, next, Wakeup::Server(key));
        if step.ended.is_some()
            && let Some(entry) = self.servers.remove(&key)
        {
            self.server_index.remove(&entry.matching);
            self.server_paths.remove(&entry.flow, key);
            self.others -= usize::from(entry.peer == Peer::Other);
            if let Some(merge) = entry.merge {
                self.merge_index.remove(&merge);
            }
        }
    }

    fn client_step(&mut self, key: ClientKey, step: Step) {
        let Some(entry) = self.clients.get_mut(&key) else { return };
        if let Some(bytes) = step.send {
            self.transmits.push_back((entry.flow, bytes));
        }
        let next = match &entry.machine {
            ClientMachine::Invite(machine, _) => machine.deadline(),
            ClientMachine::Other(machine) => machine.deadline(),
        };
        let next = if step.ended.is_some() { None } else { next };
        reschedule(&mut self.wakeups, &mut entry.wakeup, next, Wakeup::Client(key));
        if step.ended.is_some()
            && let Some(entry) = self.clients.remove(&key)
        {
            self.client_index.remove(&entry.matching);
            self.client_paths.remove(&entry.flow, key);
            self.events.push_back(Event::ClientEnded { client: key });
        }
    }

    fn refuse(&mut self, flow: Flow, via: &Via, request: &Request, status: Status, why: &'static str) -> Received {
        if request.method != Method::Ack {
            self.transmit_stateless(flow, via, request, status);
        }
        Received::Refused(why)
    }

    fn transmit_stateless(&mut self, flow: Flow, via: &Via, request: &Request, status: Status) {
        self.transmits.push_back((response_flow(flow, via), stateless_response(request, status).to_bytes()));
    }
}

/// Where responses to a request go: back on its stream, or by UDP where its stamped Via says (18.2.2, RFC 3581). `maddr`
/// is not followed: it would let anybody aim our responses at a third party.
fn response_flow(flow: Flow, via: &Via) -> Flow {
    match flow.transport {
        Transport::Tcp | Transport::Tls => flow,
        Transport::Udp => Flow { remote: via.response_address().unwrap_or(flow.remote), ..flow },
    }
}

fn reschedule(
    wakeups: &mut BTreeSet<(Instant, Wakeup)>,
    scheduled: &mut Option<Instant>,
    next: Option<Instant>,
    wakeup: Wakeup,
) {
    if *scheduled == next {
        return;
    }
    if let Some(at) = scheduled.take() {
        wakeups.remove(&(at, wakeup));
    }
    if let Some(at) = next {
        wakeups.insert((at, wakeup));
    }
    *scheduled = next;
}

fn with_cookie(branch: &str) -> String {
    match branch.starts_with(MAGIC_COOKIE) {
        true => branch.to_owned(),
        false => format!("{MAGIC_COOKIE}{branch}"),
    }
}

//! The whole desk as one value: inputs in, actions out, nothing else. No clock, no socket, no thread, and randomness only
//! from the seed it was given.
//!
//! ```text
//!  Input ──▶ handle(now) ──▶ transactions ──▶ ingress ─┬─▶ a call ──effects──▶ carry ──▶ Action
//!                                                      ├─▶ registrar
//!                                                      └─▶ trunks (probes, names)
//! ```
//! After every input: drain [`Switch::poll_action`], then ask [`Switch::poll_timeout`]. Records come out before the
//! packets that depend on them.
//!
//! Files in the order an INVITE meets them: `contract`, `ingress`, `refusals`, `counts`, `reach`, `carry`, `trunks`,
//! `strangers`, `callbacks`, `incidents`, `attest`, `standing`, `command`, `memory`.

mod attest;
mod callbacks;
mod carry;
mod command;
mod contract;
mod counts;
mod incidents;
mod ingress;
mod memory;
mod reach;
mod refusals;
mod standing;
mod strangers;
#[cfg(test)]
mod tests;
mod trunks;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use jiff::Timestamp;

pub use contract::{Action, Answer, Command, Input, Publication, Query, Reply, Status};
pub use counts::Count;
pub use incidents::untold;
pub use memory::{CutCall, Memory, OwedCallback};
pub use refusals::TurnedDown;
pub use trunks::Health;

use crate::call::media::MediaEvent;
use crate::call::{Call, KnownTickets, Numbers, OpenTickets, Ports};
use crate::config::Config;
use crate::identity::{Lockouts, Pins};
use crate::ids::{AnalystId, CallId, ClientKey, LegId, QueryId, Seq, ServerKey, TicketNumber, TrunkId};
use crate::registrar::{Change, Registrar, RegistrarConfig, Suspect};
use crate::routing::{Attestations, Continuity, Desk, Incidents, Staff, WaitingLine};
use crate::sip::Host;
use crate::ticket::{Event, Record, Standings};
use crate::time::{Clock, Duration, Instant};
use crate::transaction::{SentBy, Transactions};
use callbacks::Callbacks;
use counts::Counts;
use reach::fixed_phones;
use refusals::Refusals;
use strangers::{PerWindow, Strangers};
use trunks::{Asked, Trunks};

/// Questions to the edge that wait for an answer; more would mean that the edge is gone. It keeps room for that many
/// answers, so that none is lost; a question beyond is answered "no" at once.
pub const MAX_QUERIES: usize = 10_000;
/// Rounds of "somebody was freed" for one input; each round can free more people by moving offers on.
const MAX_FREED_ROUNDS: usize = 4;
/// The staff's shifts are looked at again at the latest after this.
const SHIFTS_AGAIN: Duration = Duration::from_secs(3600);

pub struct Switch {
    config: Arc<Config>,
    /// The configuration's, with what was attested since.
    staff: Staff,
    clock: Clock,
    numbers: Numbers,
    next_seq: Seq,
    next_ticket: TicketNumber,
    next_query: u64,

    transactions: Transactions,
    registrar: Registrar,
    trunks: Trunks,
    strangers: Strangers,
    lock_audit: PerWindow,
    refusals: Refusals,
    /// Where phones at fixed addresses are.
    fixed_phones: BTreeSet<IpAddr>,
    desk: Desk,
    line: WaitingLine,
    continuity: Continuity,
    incidents: Incidents,
    standings: Standings,
    open_tickets: OpenTickets,
    tickets: KnownTickets,
    pins: Pins,
    lockouts: Lockouts,
    ports: Ports,

    calls: BTreeMap<CallId, Call>,
    legs: BTreeMap<LegId, LegIndex>,
    /// By SIP Call-ID and our tag.
    dialogs: BTreeMap<(String, String), LegId>,
    servers: BTreeMap<ServerKey, LegId>,
    clients: BTreeMap<ClientKey, ClientOwner>,
    queries: BTreeMap<QueryId, Pending>,
    /// Questions that found no room, until the end of this input.
    unasked: VecDeque<QueryId>,
    callbacks: Callbacks,
    /// The record of each call's latest booking, until it is stored.
    promises: BTreeMap<CallId, Seq>,
    wakes: BTreeMap<CallId, Instant>,
    wake_order: BTreeSet<(Instant, CallId)>,
    shifts_at: Instant,

    draining: bool,
    counts: Counts,
    records: VecDeque<Record>,
    actions: VecDeque<Action>,
}

/// What the switch knows of a leg without asking its call.
struct LegIndex {
    call: CallId,
    dialog: (String, String),
    /// The client transaction of our INVITE, for a CANCEL.
    invite: Option<ClientKey>,
    servers: Vec<ServerKey>,
}

/// Whose request it was.
enum ClientOwner {
    Leg(LegId),
    /// OPTIONS to one address of a trunk.
    Probe(TrunkId, SocketAddr),
    /// Nobody waits for the answer: the BYE to a stray 200.
    Nobody,
}

enum Pending {
    Reserve { call: CallId, analyst: AnalystId },
    Trunk(Asked),
}

impl Switch {
    /// `seed` is the only source of randomness; `wall` is the wall time at `now`.
    pub fn new(config: Arc<Config>, memory: Memory, seed: [u8; 32], now: Instant, wall: Timestamp) -> Switch {
        let node = &config.node;
        let sent_by = node.listeners.values().map(|listener| {
            let host = Host::from(listener.advertised.ip());
            (listener.bind, SentBy { host, port: Some(listener.advertised.port()) })
        });
        let mut switch = Switch {
            staff: config.staff.clone().with_attested(Attestations::new(memory.attested.clone())),
            clock: Clock::new(now, wall),
            numbers: Numbers::new(seed),
            next_seq: memory.next_seq,
            next_ticket: memory.next_ticket,
            next_query: 0,
            transactions: Transactions::new(sent_by.collect()),
            registrar: Registrar::new(registrar_config(&config), memory.accounts.clone(), memory.nonce_key.clone()),
            trunks: Trunks::default(),
            strangers: Strangers::default(),
            lock_audit: PerWindow::of_locks(),
            refusals: Refusals::default(),
            fixed_phones: fixed_phones(&config),
            desk: Desk::new(),
            line: WaitingLine::new(),
            continuity: Continuity::new(),
            incidents: Incidents::new(memory.incidents.clone(), memory.next_incident),
            standings: memory.standings.clone(),
            open_tickets: OpenTickets::default(),
            tickets: KnownTickets::default(),
            pins: Pins::default(),
            lockouts: Lockouts::default(),
            ports: Ports::new(node.media.first_port..=node.media.last_port, node.media.quarantine),
            calls: BTreeMap::new(),
            legs: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            servers: BTreeMap::new(),
            clients: BTreeMap::new(),
            queries: BTreeMap::new(),
            unasked: VecDeque::new(),
            callbacks: Callbacks::default(),
            promises: BTreeMap::new(),
            wakes: BTreeMap::new(),
            wake_order: BTreeSet::new(),
            shifts_at: now,
            draining: false,
            counts: Counts::default(),
            records: VecDeque::new(),
            actions: VecDeque::new(),
            config,
        };
        switch.trunks.apply(&switch.config, now);
        switch.name_peers();
        switch.remember(now, memory);
        switch
    }

    /// Takes one input. Whatever follows from it is in the actions afterwards.
    pub fn handle(&mut self, now: Instant, input: Input) {
        // First of all, so that a wrap-up that ends now frees its analyst for the oldest call and not for this one.
        self.expire_desk(now);
        self.offer_freed(now);
        match input {
            Input::Message { flow, bytes } => self.receive(now, flow, bytes),
            Input::Overdue { flow, bytes } => self.refuse_overdue(now, flow, bytes),
            Input::StreamClosed { conn } => {
                self.transactions.stream_closed(now, conn);
                self.registrar.stream_closed(conn);
                self.trunks.stream_closed(conn);
            }
            Input::Certified { conn, names } => self.trunks.certified(conn, names),
            Input::Unreachable { flow } => {
                self.count(Count::Unreachable);
                self.transactions.unreachable(now, flow);
            }
            Input::Media(event) => self.media(now, event),
            Input::Answer { query, answer } => self.answered(now, query, answer),
            Input::Stored(upto) => self.stored(now, upto),
            Input::Command { id, command } => self.command(now, id, command),
            Input::Config { config, accounts, publication } => self.configure(now, config, accounts, publication),
            Input::Accounts(accounts) => {
                let changes = self.registrar.set_accounts(accounts);
                self.registrations_changed(now, changes);
            }
            Input::Pins(pins) => self.pins = pins,
            Input::Wall(wall) => self.clock = Clock::new(now, wall),
            Input::Timeout => self.timeout(now),
        }
        self.settle(now);
    }

    pub fn poll_action(&mut self) -> Option<Action> {
        if let Some(record) = self.records.pop_front() {
            return Some(Action::Record(record));
        }
        self.actions.pop_front()
    }

    /// When to give [`Input::Timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        [
            self.transactions.poll_timeout(),
            self.registrar.poll_timeout(),
            self.trunks.poll_timeout(),
            self.desk.poll_timeout(),
            self.callbacks_due_at(),
            self.wake_order.first().map(|(at, _)| *at),
            Some(self.shifts_at),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Nothing is up that a stop would cut.
    pub fn is_quiet(&self) -> bool {
        self.calls.is_empty()
    }

    pub fn status(&self) -> Status {
        Status {
            calls: self.callers(),
            calling_back: self.attempts(),
            legs: self.legs.len(),
            dialogs: self.dialogs.len(),
            transactions: self.transactions.len(),
            timers: self.wake_order.len(),
            ports_free: self.ports.free(),
            ports_used: self.ports.used(),
            ports_resting: self.ports.resting(),
            bindings: self.registrar.len(),
            waiting: self.line.callers(),
            callbacks: self.callbacks.len(),
            incidents: self.incidents.iter().cloned().collect(),
            standings: self.standings_now(),
            callbacks_failed: self.callbacks.failed(),
            trunks: self.config.node.trunks.keys().map(|id| (id.clone(), self.trunks.health(id))).collect(),
            plain: self.config.node.plain().map(|(id, reason)| (id.clone(), reason.to_owned())).collect(),
            draining: self.draining,
            counters: self.counted(),
        }
    }

    fn counted(&self) -> BTreeMap<String, u64> {
        let mut counted = self.counts.all();
        counted.insert(Count::CallbacksRefused.as_str().to_owned(), self.callbacks.refused());
        counted
    }

    // -- Inputs that are not SIP -------------------------------------------------------------------------------------

    fn media(&mut self, now: Instant, event: MediaEvent) {
        let leg = match &event {
            MediaEvent::OpenFailed { leg, .. }
            | MediaEvent::PlayDone { leg, .. }
            | MediaEvent::Key { leg, .. }
            | MediaEvent::FirstRtp { leg, .. }
            | MediaEvent::Silent { leg, .. }
            | MediaEvent::Revived { leg }
            | MediaEvent::Report { leg, .. } => *leg,
        };
        if let Some(index) = self.legs.get(&leg) {
            self.with_call(now, index.call, |call, ctx| call.media(ctx, leg, event));
        }
    }

    /// What was booked up to there may be promised.
    fn stored(&mut self, now: Instant, upto: Seq) {
        let kept: Vec<CallId> =
            self.promises.extract_if(.., |_, booked| *booked <= upto).map(|(call, _)| call).collect();
        for call in kept {
            self.with_call(now, call, |call, ctx| call.callback_kept(ctx));
        }
    }

    fn answered(&mut self, now: Instant, query: QueryId, answer: Answer) {
        match (self.queries.remove(&query), answer) {
            (Some(Pending::Reserve { call, analyst }), Answer::Reserved(granted)) => {
                if !self.calls.contains_key(&call) {
                    self.desk.call_over(call, now);
                }
                self.with_call(now, call, |call, ctx| call.reserved(ctx, &analyst, granted));
            }
            (Some(Pending::Trunk(asked)), Answer::Resolved(addresses)) => {
                if addresses.is_err() {
                    self.count(Count::ResolveFailed);
                }
                self.trunks.resolved(now, &asked, addresses);
                self.name_peers();
            }
            // An answer of the wrong kind, or a second one, means nothing.
            (Some(Pending::Reserve { .. } | Pending::Trunk(_)) | None, Answer::Reserved(_) | Answer::Resolved(_)) => {}
        }
    }

    /// A new version: people, phones, plans and trunks are taken over; calls in progress keep their plan.
    fn configure(
        &mut self,
        now: Instant,
        config: Arc<Config>,
        accounts: Vec<crate::registrar::Account>,
        publication: Publication,
    ) {
        self.staff = config.staff.clone().with_attested(self.staff.attested().clone());
        self.config = config;
        self.fixed_phones = fixed_phones(&self.config);
        self.trunks.apply(&self.config, now);
        self.name_peers();
        self.registrar.set_config(registrar_config(&self.config));
        let changes = self.registrar.set_accounts(accounts);
        self.registrations_changed(now, changes);
        self.desk.keep_only(&self.config.staff);
        self.desk.shifts_changed();
        self.shifts_at = now;
        let Publication { actor, action, object, reason } = publication;
        self.record(now, None, Event::Audit { actor, action, object, reason });
    }

    fn timeout(&mut self, now: Instant) {
        self.transactions.handle_timeout(now);
        let changes = self.registrar.handle_timeout(now);
        self.registrations_changed(now, changes);
        for work in self.trunks.handle_timeout(now, &self.config) {
            self.trunk_work(now, work);
        }
        if self.shifts_at <= now {
            self.shifts_at = self.next_shift_change(now);
            self.desk.shifts_changed();
            self.continuity.forget(self.clock.wall(now));
        }
        // Each due call once: whatever is due again already has its turn at the next timeout.
        let due: Vec<CallId> = self.wake_order.iter().take_while(|(at, _)| *at <= now).map(|(_, call)| *call).collect();
        for call in due {
            self.unwake(call);
            self.with_call(now, call, |call, ctx| call.timeout(ctx));
        }
        self.callbacks_due(now);
    }

    fn expire_desk(&mut self, now: Instant) {
        if self.desk.poll_timeout().is_some_and(|at| at <= now) {
            for _ in self.desk.expire(now) {
                // The hunt ends its offers itself; a lease that lapses means that it did not.
                self.count(Count::LeaseLapsed);
            }
        }
    }

    fn next_shift_change(&self, now: Instant) -> Instant {
        let wall = self.clock.wall(now);
        let change =
            self.staff.next_change(wall).and_then(|change| Duration::try_from(change.duration_since(wall)).ok());
        now + change.unwrap_or(SHIFTS_AGAIN).clamp(Duration::from_secs(1), SHIFTS_AGAIN)
    }

    // -- After every input -------------------------------------------------------------------------------------------

    /// Carries what the transactions have to say to its owners, offers freed analysts to waiting calls, and puts
    /// outgoing messages into the actions.
    fn settle(&mut self, now: Instant) {
        self.transaction_events(now);
        self.answer_unasked(now);
        self.offer_freed(now);
        while let Some((flow, bytes)) = self.transactions.poll_transmit() {
            self.actions.push_back(Action::Transmit { flow, bytes });
        }
    }

    /// Gives whoever is free to the calls that wait, the longest wait first.
    fn offer_freed(&mut self, now: Instant) {
        for _ in 0..MAX_FREED_ROUNDS {
            self.make_room(now);
            if !self.desk.take_freed() {
                return;
            }
            let waiting: Vec<CallId> = self.line.in_order().collect();
            for call in waiting {
                self.with_call(now, call, |call, ctx| call.desk_freed(ctx));
            }
            self.transaction_events(now);
        }
    }

    fn transaction_events(&mut self, now: Instant) {
        while let Some(event) = self.transactions.poll_event() {
            self.transaction_event(now, event);
        }
    }

    fn transaction_event(&mut self, now: Instant, event: crate::transaction::Event) {
        use crate::dialog::Failure;
        use crate::transaction::Event as Transaction;
        match event {
            Transaction::ClientTimedOut { client, cseq } => {
                self.client_failed(now, client, &cseq, Failure::TimedOut);
            }
            Transaction::ClientUnreachable { client, cseq } => {
                self.client_failed(now, client, &cseq, Failure::Unreachable);
            }
            Transaction::ClientEnded { client } => {
                self.clients.remove(&client);
            }
            Transaction::ServerTimedOut { .. } => self.count(Count::RefusalNotAcknowledged),
            Transaction::ServerUnreachable { server } => {
                if let Some(leg) = self.servers.get(&server).copied()
                    && let Some(index) = self.legs.get(&leg)
                {
                    self.with_call(now, index.call, |call, ctx| call.caller_unreachable(ctx, leg));
                }
            }
        }
    }

    fn client_failed(
        &mut self,
        now: Instant,
        client: ClientKey,
        cseq: &crate::sip::CSeq,
        failure: crate::dialog::Failure,
    ) {
        match self.clients.get(&client) {
            Some(ClientOwner::Leg(leg)) => {
                let leg = *leg;
                if let Some(index) = self.legs.get(&leg) {
                    self.with_call(now, index.call, |call, ctx| call.failed(ctx, leg, cseq, failure));
                }
            }
            Some(ClientOwner::Probe(trunk, remote)) => {
                let (trunk, remote) = (trunk.clone(), *remote);
                self.probed(now, &trunk, remote, false);
            }
            Some(ClientOwner::Nobody) | None => {}
        }
    }

    fn registrations_changed(&mut self, now: Instant, changes: Vec<Change>) {
        for change in changes {
            let event = match change {
                Change::BindingSet(record) => Event::BindingSet(record),
                Change::BindingRemoved { aor, contact } => Event::BindingRemoved { aor, contact },
                Change::NonceUsed(used) => {
                    Event::NonceUsed { nonce: used.nonce, count: used.count, expires: used.expires }
                }
                Change::Locked(locked) => {
                    self.count(Count::RegistrationLocked);
                    if self.lock_audit.takes(now).is_none() {
                        continue;
                    }
                    let object = match locked.suspect {
                        Suspect::User(user) => format!("user {user}"),
                        Suspect::Source(source) => format!("source {source}"),
                    };
                    let action = format!("lock for {} s after {} failures", locked.lasts.as_secs(), locked.failures);
                    Event::Audit { actor: "registrar".to_owned(), action, object, reason: None }
                }
                Change::ForeignAor { user, aor } => {
                    self.count(Count::RegistrationForeign);
                    let action = "refused: register somebody else's address".to_owned();
                    Event::Audit { actor: user, action, object: aor, reason: None }
                }
            };
            self.record(now, None, event);
        }
        self.note_reachable(now);
    }

    /// Tells the desk which analysts' registered phones can be rung.
    fn note_reachable(&mut self, now: Instant) {
        for analyst in self.config.staff.iter() {
            let bound = analyst.phones.iter().any(|phone| match &phone.kind {
                crate::routing::PhoneKind::Registered { user } => !self.registrar.bindings(user, now).is_empty(),
                crate::routing::PhoneKind::Sip { .. } | crate::routing::PhoneKind::Trunk { .. } => false,
            });
            if self.desk.reachable(&analyst.id) != bound {
                self.desk.set_reachable(&analyst.id, bound);
            }
        }
    }

    fn record(&mut self, now: Instant, call: Option<CallId>, event: Event) {
        let record = Record { seq: self.next_seq, at: self.clock.wall(now), call, event };
        self.next_seq = Seq(self.next_seq.0 + 1);
        self.records.push_back(record);
    }

    fn count(&mut self, what: Count) {
        self.counts.add(what);
    }

    fn query(&mut self, pending: Pending, query: Query) {
        self.next_query += 1;
        let id = QueryId(self.next_query);
        if self.queries.len() >= MAX_QUERIES {
            self.count(Count::QueryRefused);
            self.unasked.push_back(id);
        } else {
            self.actions.push_back(Action::Query { id, query });
        }
        self.queries.insert(id, pending);
    }

    /// Whoever asked one question too many hears no, and moves on as after any other no.
    fn answer_unasked(&mut self, now: Instant) {
        while let Some(id) = self.unasked.pop_front() {
            let answer = match self.queries.get(&id) {
                Some(Pending::Reserve { .. }) => Answer::Reserved(false),
                Some(Pending::Trunk(_)) => Answer::Resolved(Err("too many questions are open".to_owned())),
                None => continue,
            };
            self.answered(now, id, answer);
        }
    }
}

fn registrar_config(config: &Config) -> RegistrarConfig {
    let registration = &config.node.registration;
    RegistrarConfig {
        min_expires: registration.min_expires,
        max_expires: registration.max_expires,
        ..RegistrarConfig::new(&registration.realm)
    }
}

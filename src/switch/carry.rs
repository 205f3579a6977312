//! Lends a call its surroundings for one input, and carries out what it wants done.
//!
//! A panic inside a call ends that call alone: its ticket is closed, its phones hear BYE, whoever and whatever it held is
//! free, everybody else goes on.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::call::{Aftermath, Call, Context, Effect};
use crate::config::Trunk;
use crate::ids::{CallId, LegId, TrunkId};
use crate::sip::{Flow, Method, Request, Transport};
use crate::switch::reach::Routes;
use crate::switch::trunks::TrunkWork;
use crate::switch::{Action, ClientOwner, Count, LegIndex, Pending, Query, Switch};
use crate::ticket::{Event, HangupCause};
use crate::time::Instant;

/// INVITE server transactions remembered of one leg, for CANCEL: the first and the latest re-INVITEs.
const MAX_SERVERS_PER_LEG: usize = 8;

/// The value, or `None` when making it panicked.
pub(super) fn guarded<T>(make: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(make)).ok()
}

impl Switch {
    /// Runs one step of a call, then its effects. A call that does not exist any more is passed over. `false`: it broke.
    pub(super) fn with_call(
        &mut self,
        now: Instant,
        id: CallId,
        step: impl FnOnce(&mut Call, &mut Context<'_>),
    ) -> bool {
        let Some(mut call) = self.calls.remove(&id) else { return true };
        let (whole, effects) = self.in_context(now, id, |ctx| guarded(|| step(&mut call, ctx)).is_some());
        self.carry(now, id, effects);
        if !whole {
            self.break_off(now, &mut call);
        }
        self.keep(now, call);
        whole
    }

    /// One step of a call, for tests of what a step that breaks leaves behind.
    #[doc(hidden)]
    pub fn step_call(&mut self, now: Instant, id: CallId, step: impl FnOnce(&mut Call, &mut Context<'_>)) {
        self.with_call(now, id, step);
        self.settle(now);
    }

    /// A step of this call broke, wherever it stood: it ends like any other if it can, and otherwise leg by leg. What it held
    /// is given back from our own books; what is left of it says goodbye to its phones.
    fn break_off(&mut self, now: Instant, call: &mut Call) {
        let id = call.id;
        self.count(Count::CallFault);
        self.attempt(now, id, |ctx| call.hang_up(ctx, HangupCause::InternalError));
        self.attempt(now, id, |ctx| call.close_book(ctx));
        for leg in call.leg_ids() {
            if !self.attempt(now, id, |ctx| call.let_go(ctx, leg)) {
                call.drop_leg(leg);
            }
        }
        self.release(now, id, &call.leg_ids());
    }

    /// One more try with a call that broke.
    fn attempt(&mut self, now: Instant, id: CallId, step: impl FnOnce(&mut Context<'_>)) -> bool {
        let (whole, effects) = self.in_context(now, id, |ctx| guarded(|| step(ctx)).is_some());
        self.carry(now, id, effects);
        whole
    }

    /// Gives `step` the surroundings of a call and returns what it left behind.
    pub(super) fn in_context<R>(
        &mut self,
        now: Instant,
        call: CallId,
        step: impl FnOnce(&mut Context<'_>) -> R,
    ) -> (R, Vec<Effect>) {
        let routes = Routes { config: &self.config, registrar: &self.registrar, trunks: &self.trunks, now };
        let mut ctx = Context {
            call,
            now,
            wall: self.clock.wall(now),
            config: &self.config,
            staff: &self.staff,
            desk: &mut self.desk,
            line: &mut self.line,
            continuity: &mut self.continuity,
            incidents: &self.incidents,
            open_tickets: &self.open_tickets,
            tickets: &self.tickets,
            pins: &self.pins,
            lockouts: &mut self.lockouts,
            numbers: &mut self.numbers,
            ports: &mut self.ports,
            reach: &routes,
            effects: Vec::new(),
        };
        let result = step(&mut ctx);
        (result, ctx.effects)
    }

    /// Puts a call back with its next wake-up, or closes its book.
    pub(super) fn keep(&mut self, now: Instant, call: Call) {
        let id = call.id;
        self.unwake(id);
        if call.is_over() {
            self.line.leave(id);
            self.desk.call_over(id, now);
            self.promises.remove(&id);
            if let Some(ticket) = call.ended_ticket() {
                self.open_tickets.note(ticket);
            }
            if let Some(ticket) = call.known_ticket() {
                self.tickets.note(ticket);
            }
            match call.aftermath(now) {
                Aftermath::Nothing => {}
                Aftermath::Due(at, due) => {
                    self.callbacks.note_way(now, &due);
                    self.callbacks.add_at(at, *due);
                }
                Aftermath::WhenFixed(incident, at, due) => self.call_when_fixed(incident, at, *due),
                Aftermath::Failed => self.callbacks.leave_to_a_person(id),
            }
            return;
        }
        if let Some(at) = call.poll_timeout() {
            // A deadline that has passed already is due at once, not never.
            self.wakes.insert(id, at);
            self.wake_order.insert((at, id));
        }
        self.calls.insert(id, call);
    }

    pub(super) fn unwake(&mut self, call: CallId) {
        if let Some(at) = self.wakes.remove(&call) {
            self.wake_order.remove(&(at, call));
        }
    }

    /// Nobody is held any more by a call that broke before it was one.
    pub(super) fn forget_call(&mut self, now: Instant, id: CallId) {
        self.unwake(id);
        self.release(now, id, &[]);
    }

    /// What a broken call held is free: analysts, its place in the line, its ports (after their rest), and legs that it does
    /// not know any more.
    fn release(&mut self, now: Instant, id: CallId, known: &[LegId]) {
        self.line.leave(id);
        self.desk.call_over(id, now);
        self.promises.remove(&id);
        self.ports.give_all_back(now, id);
        let lost = |(leg, index): &(&LegId, &LegIndex)| index.call == id && !known.contains(leg);
        let lost: BTreeSet<LegId> = self.legs.iter().filter(lost).map(|(leg, _)| *leg).collect();
        for leg in lost {
            self.send_cancel(now, leg, None);
            self.actions.push_back(Action::Media(crate::call::media::MediaCommand::Close { leg }));
            self.forget_leg(leg);
        }
    }

    // -- Effects -----------------------------------------------------------------------------------------------------

    pub(super) fn carry(&mut self, now: Instant, call: CallId, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Record(event) => {
                    if matches!(event, Event::CallbackBooked { .. }) {
                        self.promises.insert(call, self.next_seq);
                    }
                    self.record(now, Some(call), event);
                }
                Effect::Media(command) => self.actions.push_back(Action::Media(command)),
                Effect::Request { leg, request, flow } => self.send_request(now, leg, request, flow),
                Effect::Cancel { leg, reason } => self.send_cancel(now, leg, reason.as_deref()),
                Effect::Ack { request, flow, branch } => self.transactions.send_ack(flow, request, &branch),
                Effect::Respond { server, response } => self.transactions.respond(now, &server, response),
                Effect::Reserve { analyst } => {
                    let query = Query::Reserve { analyst: analyst.clone(), call };
                    self.query(Pending::Reserve { call, analyst }, query);
                }
                Effect::LegOpened { leg, sip_call_id, local_tag } => {
                    let dialog = (sip_call_id, local_tag);
                    self.dialogs.insert(dialog.clone(), leg);
                    self.legs.insert(leg, LegIndex { call, dialog, invite: None, servers: Vec::new() });
                }
                Effect::LegClosed { leg } => self.forget_leg(leg),
            }
        }
    }

    fn send_request(&mut self, now: Instant, leg: LegId, request: Request, flow: Flow) {
        let invite = request.method == Method::Invite;
        let branch = self.numbers.branch();
        let client = self.transactions.request(now, flow, request, &branch);
        self.clients.insert(client, ClientOwner::Leg(leg));
        if let Some(index) = self.legs.get_mut(&leg).filter(|_| invite) {
            index.invite = Some(client);
        }
    }

    fn send_cancel(&mut self, now: Instant, leg: LegId, reason: Option<&str>) {
        let Some(invite) = self.legs.get(&leg).and_then(|index| index.invite) else { return };
        if let Some(client) = self.transactions.cancel(now, &invite, reason) {
            self.clients.insert(client, ClientOwner::Leg(leg));
        }
    }

    /// Notes which leg an INVITE transaction belongs to, so that its CANCEL finds it.
    pub(super) fn note_server(&mut self, leg: LegId, server: crate::ids::ServerKey) {
        let Some(index) = self.legs.get_mut(&leg) else { return };
        if index.servers.len() >= MAX_SERVERS_PER_LEG {
            let oldest = index.servers.remove(0);
            self.servers.remove(&oldest);
        }
        index.servers.push(server);
        self.servers.insert(server, leg);
    }

    fn forget_leg(&mut self, leg: LegId) {
        if let Some(index) = self.legs.remove(&leg) {
            self.dialogs.remove(&index.dialog);
            for server in index.servers {
                self.servers.remove(&server);
            }
        }
    }

    // -- Trunks ------------------------------------------------------------------------------------------------------

    pub(super) fn trunk_work(&mut self, now: Instant, work: TrunkWork) {
        match work {
            TrunkWork::Resolve(asked) => {
                let query = Query::Resolve { host: asked.host.clone(), port: asked.port, transport: asked.transport };
                self.query(Pending::Trunk(asked), query);
            }
            TrunkWork::Probe { trunk, flow } => {
                let options = self.options_to(flow);
                let branch = self.numbers.branch();
                let client = self.transactions.request(now, flow, options, &branch);
                self.clients.insert(client, ClientOwner::Probe(trunk, flow.remote));
            }
        }
    }

    /// Where no trunk speaks TLS there is nothing to say.
    pub(super) fn name_peers(&mut self) {
        let encrypted = |trunk: &Trunk| trunk.transport == Transport::Tls;
        if self.config.node.trunks.values().any(encrypted) {
            self.actions.push_back(Action::PeerNames(self.trunks.peer_names(&self.config)));
        }
    }

    pub(super) fn probed(&mut self, now: Instant, trunk: &TrunkId, remote: SocketAddr, answered: bool) {
        if let Some(news) = self.trunks.probed(trunk, remote, answered) {
            let action = format!("trunk is {:?}", news.trunk).to_lowercase();
            let reason = news.address.map(|health| format!("{remote} is {health:?}").to_lowercase());
            let event = Event::Audit { actor: "probe".to_owned(), action, object: trunk.to_string(), reason };
            self.record(now, None, event);
        }
    }
}

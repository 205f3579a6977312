//! Two legs of two machines that talk over a network which loses, delays and reorders, in virtual time: transactions
//! and usage at both ends, everything real but the wires.
//!
//! Whatever the network does, at the end both sides have ended once, and nothing is left: no transaction, no timer.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::{event_words, local, our_invite};
use crate::dialog::{Failure, LocalIdentity, Output, Usage, UsageEvent};
use crate::ids::{ClientKey, ServerKey};
use crate::sip::{Flow, Message, Method, Transport, Uri};
use crate::time::{Duration, Instant};
use crate::transaction::{Event, Peer, Received, Transactions, stateless_response};

/// How the wires behave.
#[derive(Clone, Copy)]
struct Weather {
    loss_percent: u64,
    delay_ms: u64,
    jitter_ms: u64,
    transport: Transport,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Caller,
    Callee,
}

impl Side {
    fn other(self) -> Side {
        match self {
            Side::Caller => Side::Callee,
            Side::Callee => Side::Caller,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Command {
    Answer,
    Reinvite,
    HangUp,
}

struct End {
    table: Transactions,
    usage: Option<Usage>,
    flow: Flow,
    invite: Option<ClientKey>,
    branches: u32,
    events: Vec<String>,
}

impl End {
    fn new(flow: Flow) -> End {
        let table = Transactions::new(BTreeMap::new());
        End { table, usage: None, flow, invite: None, branches: 0, events: Vec::new() }
    }

    fn branch(&mut self) -> String {
        self.branches += 1;
        format!("{}-{}", self.flow.local.port(), self.branches)
    }

    fn receive(&mut self, now: Instant, bytes: &Bytes) {
        let message = Message::parse(bytes).unwrap();
        match self.table.receive(now, self.flow, Peer::Trusted, message) {
            Received::Request { server, request } => self.request(now, server, &request),
            Received::Ack { request } => self.with(|usage| usage.receive_ack(&request)),
            Received::Cancel { invite: Some(invite), request, .. } => {
                self.with(|usage| usage.receive_cancel(invite, &request));
            }
            Received::Response { response, .. } => self.with(|usage| usage.receive_response(now, &response)),
            Received::Cancel { invite: None, .. } | Received::Absorbed => {}
            Received::Stray { response } => {
                let (ack, bye, _) = crate::dialog::hang_up_stray(&response).unwrap();
                let (first, second) = (self.branch(), self.branch());
                self.table.send_ack(self.flow, ack, &first);
                self.table.request(now, self.flow, bye, &second);
            }
            Received::Refused(why) => assert_eq!(why, "response to no request of ours"),
        }
    }

    fn request(&mut self, now: Instant, server: ServerKey, request: &crate::sip::Request) {
        let in_dialog = request.headers.to().unwrap().tag().is_some();
        match (&mut self.usage, in_dialog) {
            (Some(usage), true) => {
                usage.receive_request(now, server, request);
            }
            (None, false) if request.method == Method::Invite && self.events.is_empty() => {
                let contact = Uri::parse("sip:a@192.0.2.2:5060").unwrap();
                let identity = LocalIdentity { contact, tag: "callee".to_owned(), seed: 99, session: None };
                let mut usage = Usage::uas(server, request, identity).unwrap();
                usage.ring(now);
                self.events.push("called".to_owned());
                self.usage = Some(usage);
            }
            (Some(_) | None, _) => {
                let response = stateless_response(request, crate::sip::Status::NO_SUCH_TRANSACTION);
                self.table.respond(now, &server, response);
            }
        }
    }

    fn with(&mut self, act: impl FnOnce(&mut Usage)) {
        if let Some(usage) = &mut self.usage {
            act(usage);
        }
    }

    /// Carries out what the usage wants until it wants nothing more; returns what goes onto the wire.
    fn settle(&mut self, now: Instant) -> Vec<Bytes> {
        loop {
            if let Some(output) = self.usage.as_mut().and_then(Usage::poll_output) {
                self.carry_out(now, output);
            } else if let Some(event) = self.table.poll_event() {
                match event {
                    Event::ClientTimedOut { cseq, .. } => {
                        self.with(|usage| usage.request_failed(&cseq, Failure::TimedOut));
                    }
                    Event::ClientUnreachable { cseq, .. } => {
                        self.with(|usage| usage.request_failed(&cseq, Failure::Unreachable));
                    }
                    Event::ClientEnded { .. } | Event::ServerTimedOut { .. } | Event::ServerUnreachable { .. } => {}
                }
            } else {
                break;
            }
        }
        if self.usage.as_ref().is_some_and(Usage::is_finished) {
            self.usage = None;
        }
        std::iter::from_fn(|| self.table.poll_transmit()).map(|(_, bytes)| bytes).collect()
    }

    fn carry_out(&mut self, now: Instant, output: Output) {
        match output {
            Output::Request { request, .. } => {
                let (branch, is_invite) = (self.branch(), request.method == Method::Invite);
                let key = self.table.request(now, self.flow, request, &branch);
                if is_invite {
                    self.invite = Some(key);
                }
            }
            Output::Ack { request, branch, .. } => self.table.send_ack(self.flow, request, &branch),
            Output::Cancel { reason } => {
                let invite = self.invite.unwrap();
                self.table.cancel(now, &invite, reason.as_deref());
            }
            Output::Respond { server, response } => self.table.respond(now, &server, response),
            Output::Event(event) => {
                self.events.push(event_words(&event));
                if matches!(event, UsageEvent::Offer { .. }) {
                    self.with(|usage| usage.accept_offer(now, "v=answer"));
                } else if event == UsageEvent::OfferAgain {
                    self.with(|usage| usage.reinvite(Some("v=again")).unwrap());
                }
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        [self.table.poll_timeout(), self.usage.as_ref().and_then(Usage::poll_timeout)].into_iter().flatten().min()
    }

    fn is_empty(&self) -> bool {
        self.table.is_empty() && self.usage.is_none()
    }
}

struct World {
    now: Instant,
    caller: End,
    callee: End,
    wires: BTreeMap<(Instant, u64), (Side, Bytes)>,
    commands: VecDeque<(u64, Side, Command)>,
    sent: u64,
    draws: u64,
    weather: Weather,
}

impl World {
    fn new(seed: u64, weather: Weather, commands: &[(u64, Side, Command)]) -> World {
        let flow = |local: &str, remote: &str| Flow {
            transport: weather.transport,
            local: local.parse().unwrap(),
            remote: remote.parse().unwrap(),
            conn: None,
        };
        let mut caller = End::new(flow("192.0.2.1:5060", "192.0.2.2:5061"));
        caller.usage = Some(Usage::uac(our_invite(Some("v=offer"))));
        let callee = End::new(flow("192.0.2.2:5061", "192.0.2.1:5060"));
        let commands = commands.iter().copied().collect();
        let draws = seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(1);
        World { now: Instant::ZERO, caller, callee, wires: BTreeMap::new(), commands, sent: 0, draws, weather }
    }

    fn draw(&mut self, bound: u64) -> u64 {
        self.draws = self.draws.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.draws >> 33) % bound
    }

    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Caller => &mut self.caller,
            Side::Callee => &mut self.callee,
        }
    }

    fn flush(&mut self) {
        for side in [Side::Caller, Side::Callee] {
            let now = self.now;
            for bytes in self.end(side).settle(now) {
                self.sent += 1;
                let lost = self.draw(100) < self.weather.loss_percent;
                let delay = self.weather.delay_ms + self.draw(self.weather.jitter_ms.max(1));
                if !lost {
                    self.wires.insert((now + Duration::from_millis(delay), self.sent), (side.other(), bytes));
                }
            }
        }
    }

    /// Runs until nothing is left to happen; panics when that takes more than ten minutes.
    fn run(&mut self) {
        self.flush();
        loop {
            let wire = self.wires.keys().next().map(|(at, _)| *at);
            let command = self.commands.front().map(|(ms, _, _)| Instant::from_millis(*ms));
            let next = [wire, command, self.caller.deadline(), self.callee.deadline()].into_iter().flatten().min();
            let Some(next) = next else { return };
            assert!(next < Instant::from_millis(600_000), "it never ends");
            self.now = next.max(self.now);
            let now = self.now;
            if wire == Some(next) {
                let (_, (side, bytes)) = self.wires.pop_first().unwrap();
                self.end(side).receive(now, &bytes);
            } else if command == Some(next) {
                let (_, side, command) = self.commands.pop_front().unwrap();
                self.end(side).with(|usage| match command {
                    Command::Answer => usage.answer(now, "v=answer"),
                    // Refused while another is under way: then there is none.
                    Command::Reinvite => drop(usage.reinvite(Some("v=hold"))),
                    Command::HangUp => usage.bye(None),
                });
            } else {
                for side in [Side::Caller, Side::Callee] {
                    let end = self.end(side);
                    end.table.handle_timeout(now);
                    end.with(|usage| usage.handle_timeout(now));
                }
            }
            self.flush();
        }
    }
}

const CALL: [(u64, Side, Command); 6] = [
    (1_000, Side::Callee, Command::Answer),
    (3_000, Side::Caller, Command::Reinvite),
    (3_000, Side::Callee, Command::Reinvite),
    (20_000, Side::Caller, Command::HangUp),
    (20_010, Side::Callee, Command::HangUp),
    // A callee who never got so far as to be answered hangs up too.
    (100_000, Side::Callee, Command::HangUp),
];

fn ended(events: &[String]) -> usize {
    events.iter().filter(|event| event.starts_with("ended")).count()
}

#[test]
fn on_a_good_network_a_call_with_glare_is_talked_through_and_ends() {
    assert_eq!(local().tag, "us");
    let weather = Weather { loss_percent: 0, delay_ms: 20, jitter_ms: 0, transport: Transport::Udp };
    let mut world = World::new(1, weather, &CALL);
    world.run();
    // The owner of the Call-ID waits at least 2.1 s (14.1): the callee, who waits 2 s at most, offers first.
    let caller = [
        "ringing 180",
        "answered v=answer",
        "offer put off 491",
        "offer v=again",
        "offer again",
        "offer answered v=answer",
        "ended by us Bye",
    ];
    let callee = [
        "called",
        "confirmed -",
        "offer put off 491",
        "offer again",
        "offer answered v=answer",
        "offer v=again",
        "ended by us Bye",
    ];
    assert_eq!(world.caller.events, caller);
    assert_eq!(world.callee.events, callee);
    assert!(world.caller.is_empty() && world.callee.is_empty());
}

#[test]
fn a_cancel_at_every_moment_of_the_set_up_leaves_nothing() {
    for hang_up_ms in (0..2_000).step_by(10) {
        let weather = Weather { loss_percent: 0, delay_ms: 45, jitter_ms: 0, transport: Transport::Udp };
        let commands = [(1_000, Side::Callee, Command::Answer), (hang_up_ms, Side::Caller, Command::HangUp)];
        let mut commands = commands.to_vec();
        commands.sort_by_key(|(ms, _, _)| *ms);
        let mut world = World::new(hang_up_ms, weather, &commands);
        world.run();
        assert!(world.caller.is_empty() && world.callee.is_empty(), "at {hang_up_ms} ms");
        assert_eq!(ended(&world.caller.events), 1, "at {hang_up_ms} ms: {:?}", world.caller.events);
        assert_eq!(ended(&world.callee.events), 1, "at {hang_up_ms} ms: {:?}", world.callee.events);
    }
}

#[test]
fn whatever_the_network_loses_both_ends_end_once_and_keep_nothing() {
    for seed in 0..1_000 {
        let transport = if seed % 4 == 0 { Transport::Tcp } else { Transport::Udp };
        let weather = Weather { loss_percent: seed % 60, delay_ms: 5, jitter_ms: seed % 400, transport };
        let mut world = World::new(seed, weather, &CALL);
        world.run();
        assert!(world.caller.is_empty() && world.callee.is_empty(), "seed {seed}");
        assert_eq!(ended(&world.caller.events), 1, "seed {seed}: {:?}", world.caller.events);
        let reached = !world.callee.events.is_empty();
        assert_eq!(ended(&world.callee.events), usize::from(reached), "seed {seed}: {:?}", world.callee.events);
    }
}

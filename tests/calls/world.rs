//! The simulated world around one switch: phones, a seeded network, a media worker and a store, all in virtual time.
//!
//! ```text
//!  phones ──bytes──▶ network ──▶ Switch ──▶ network ──▶ phones
//!                                 │  ▲
//!              MediaCommand, Query┘  └ MediaEvent, Answer      every Record is kept
//! ```
//! Everything that happens is a function of the seed and the script.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use wardline::call::media::{MediaCommand, MediaEvent};
use wardline::config::Config;
use wardline::digit::{Digit, DigitSource};
use wardline::ids::{AnalystId, CallId, CommandId, ConnId, LegId, OfferId, QueryId, Seq};
use wardline::routing::Presence;
use wardline::sip::{Flow, Message, Transport};
use wardline::switch::{Action, Answer, Command, Input, Memory, Publication, Query, Reply, Status, Switch, TurnedDown};
use wardline::ticket::{Disposition, DispositionCode, Event, Record, Ticket};
use wardline::time::{Duration, Instant};

use crate::hush::Offers;
use crate::media::MediaWorker;
use crate::phone::{Phone, Pickup, State};
use crate::setting::{
    accounts, desk_config, encrypted_config, named_config, phones, pins, planned_config, probed_config,
    untrusting_config,
};

pub const DESK: &str = "10.0.0.10:5060";
pub const PBX: &str = "10.0.1.1:5060";
/// A node of the PBX that is switched off: what is sent there comes back as ICMP.
pub const DEAD_PBX: &str = "10.0.1.9:5060";
/// A Monday, ten in the morning in New York.
pub const WALL: &str = "2026-11-23T15:00:00Z";
/// The switch is not asked to begin at zero: real processes do not either.
const START: Instant = Instant::from_millis(10_000);
const SILENT_AFTER: Duration = wardline::call::media::RTP_SILENT_AFTER;
/// Steps that one instant may take; more is a loop that time does not end.
const MAX_STEPS_AN_INSTANT: u32 = 5_000;

/// SplitMix64: small, fast, the same everywhere.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` up to, but not including, `high`.
    pub fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.range(0, of.len() as u64)).expect("an index")]
    }
}

/// What the network does to datagrams. Streams lose nothing.
#[derive(Clone, Debug)]
pub struct Net {
    pub loss_percent: u64,
    pub copy_percent: u64,
    /// Milliseconds; a spread reorders.
    pub delay: (u64, u64),
    pub reserve_delay: (u64, u64),
}

impl Default for Net {
    fn default() -> Net {
        Net { loss_percent: 0, copy_percent: 0, delay: (5, 6), reserve_delay: (0, 1) }
    }
}

/// What the name server answers, so many ms late.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Names {
    Known,
    /// These addresses, in the order of their SRV records.
    At(&'static [&'static str]),
    Fail(u64),
    Never,
}

/// Loses the next messages whose label begins so.
struct Loss {
    label: String,
    left: u32,
}

enum Happening {
    ToDesk {
        flow: Flow,
        bytes: Bytes,
    },
    ToPhone {
        from: SocketAddr,
        to: SocketAddr,
        message: Box<Message>,
    },
    Media(MediaEvent),
    Rtp {
        leg: LegId,
        tries: u32,
    },
    Listen {
        leg: LegId,
    },
    Answer {
        query: QueryId,
        answer: Answer,
    },
    Unreachable(Flow),
    Stored(Seq),
    /// By now no offer that has ended may ring there.
    Hush(AnalystId, OfferId),
    Act(Act),
}

/// A step of a script that is due at its time.
#[derive(Clone, Debug)]
pub enum Act {
    Dial {
        phone: usize,
        number: String,
        sdp: bool,
    },
    HangUp {
        phone: usize,
    },
    Press {
        phone: usize,
        key: char,
    },
    Pickup {
        phone: usize,
        pickup: Pickup,
    },
    Reinvite {
        phone: usize,
        hold: crate::phone::Hold,
    },
    Refer {
        phone: usize,
        to: String,
    },
    Info {
        phone: usize,
        key: char,
    },
    Command(Command),
    /// This version comes into force.
    Publish(Arc<Config>),
    /// The phone's stream breaks.
    CloseStream {
        phone: usize,
    },
    /// A step of the oldest call breaks.
    Break(Fault),
}

/// Where a step of ours breaks.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    AtOnce,
    /// With a port in its hands that no leg knows.
    WithAPort,
    /// Its legs are gone from the call and not from the switch's books.
    WithoutItsLegs,
}

pub enum Seen {
    Sent { from: String, to: String, bytes: Bytes, lost: bool },
    Heard { who: LegId, what: String },
    Joined { a: LegId, b: LegId },
}

pub struct World {
    pub now: Instant,
    pub t0: Instant,
    pub config: Arc<Config>,
    pub switch: Switch,
    pub phones: Vec<Phone>,
    pub media: MediaWorker,
    pub records: Vec<Record>,
    pub seen: Vec<(Instant, Seen)>,
    /// What certificates of called peers must bear.
    pub peer_names: BTreeMap<SocketAddr, Vec<String>>,
    pub net: Net,
    pub rng: Rng,
    pub replies: Vec<Reply>,
    /// Lines of the log on refusals.
    pub turned_down: Vec<TurnedDown>,
    /// Final responses to INVITEs that opened or would open a call: by Call-ID, CSeq and branch.
    pub finals: BTreeMap<(String, u32, String), BTreeSet<(u16, String)>>,
    /// Phones that rang or were picked up when the desk called them: user and Call-ID.
    pub wards_rang: BTreeSet<(String, String)>,
    /// INVITEs that reached the desk: Call-ID, CSeq, branch.
    pub invites: BTreeSet<(String, u32, String)>,
    /// Who was signed in at the start.
    pub signed_in: Vec<AnalystId>,
    /// Steps that broke on purpose.
    pub broken_calls: u64,
    /// The store answers nothing any more.
    pub mute_queries: bool,
    /// What the name server does.
    pub names: Names,
    /// The journal keeps nothing for good.
    pub journal_stuck: bool,
    pub leases_refused: BTreeSet<AnalystId>,
    /// The journal takes so long over each batch that its packets leave this much later.
    pub journal_ms: u64,
    pub offers: Offers,
    losses: Vec<Loss>,
    queue: BTreeMap<(Instant, u64), Happening>,
    serial: u64,
    steps: (Instant, u32),
}

pub const GENERALISTS: [&str; 4] = ["ana", "ben", "cho", "dev"];
pub const EVERYBODY: [&str; 8] = ["ana", "ben", "cho", "dev", "eva", "finn", "gus", "ivy"];

impl World {
    /// A desk at which these analysts are signed in; the first has been idle longest.
    pub fn new(signed_in: &[&str]) -> World {
        World::seeded(1, signed_in)
    }

    pub fn seeded(seed: u64, signed_in: &[&str]) -> World {
        World::of(desk_config(), Names::Known, seed, signed_in)
    }

    /// A desk that takes its PBX's word for nothing.
    pub fn untrusting(signed_in: &[&str]) -> World {
        World::of(untrusting_config(), Names::Known, 1, signed_in)
    }

    /// A desk whose PBX is known by name alone.
    pub fn named(signed_in: &[&str], names: Names) -> World {
        World::of(named_config(), names, 1, signed_in)
    }

    /// A desk whose hotline has another plan.
    pub fn planned(plan: &str, signed_in: &[&str]) -> World {
        World::of(planned_config(plan), Names::Known, 1, signed_in)
    }

    /// A desk whose PBX is spoken to over TLS alone.
    pub fn encrypted(signed_in: &[&str]) -> World {
        World::of(encrypted_config(), Names::Known, 1, signed_in)
    }

    /// The same, with OPTIONS to its addresses every 30 s.
    pub fn probed(signed_in: &[&str], names: Names) -> World {
        World::of(probed_config(), names, 1, signed_in)
    }

    /// A desk with other files.
    pub fn configured(config: Arc<Config>, signed_in: &[&str]) -> World {
        World::of(config, Names::Known, 1, signed_in)
    }

    fn of(config: Arc<Config>, names: Names, seed: u64, signed_in: &[&str]) -> World {
        let mut memory = Memory::blank([7; 32]);
        memory.accounts = accounts();
        memory.pins = pins();
        for (place, analyst) in signed_in.iter().enumerate() {
            let idle = Duration::from_secs(3_600 - place as u64 * 60);
            memory.analysts.push((AnalystId::new(analyst), Presence::Available, idle));
        }
        let mut rng = Rng::new(seed);
        let mut bits = [0; 32];
        for chunk in bits.chunks_mut(8) {
            chunk.copy_from_slice(&rng.next().to_le_bytes());
        }
        let wall = WALL.parse().expect("a time");
        let switch = Switch::new(Arc::clone(&config), memory, bits, START, wall);
        let mut world = World {
            now: START,
            t0: START,
            config,
            switch,
            phones: phones(),
            media: MediaWorker::default(),
            records: Vec::new(),
            seen: Vec::new(),
            peer_names: BTreeMap::new(),
            net: Net::default(),
            rng,
            replies: Vec::new(),
            turned_down: Vec::new(),
            finals: BTreeMap::new(),
            wards_rang: BTreeSet::new(),
            invites: BTreeSet::new(),
            signed_in: signed_in.iter().map(|analyst| AnalystId::new(analyst)).collect(),
            broken_calls: 0,
            mute_queries: false,
            names,
            journal_stuck: false,
            leases_refused: BTreeSet::new(),
            journal_ms: 0,
            offers: Offers::default(),
            losses: Vec::new(),
            queue: BTreeMap::new(),
            serial: 0,
            steps: (START, 0),
        };
        world.drain();
        if signed_in.contains(&"cho") {
            let cho = world.index("cho");
            world.phones[cho].register(world.now);
            world.send_of(cho);
            world.run(100);
        }
        world.t0 = world.now;
        world.seen.clear();
        world
    }

    // -- The script --------------------------------------------------------------------------------------------------

    pub fn index(&self, name: &str) -> usize {
        self.phones.iter().position(|phone| phone.name == name).unwrap_or_else(|| panic!("no phone {name}"))
    }

    pub fn phone(&mut self, name: &str) -> &mut Phone {
        let index = self.index(name);
        &mut self.phones[index]
    }

    pub fn pickup(&mut self, name: &str, pickup: Pickup) {
        self.phone(name).pickup = pickup;
    }

    /// The hotline's number is dialled; times count from here.
    pub fn dial(&mut self, name: &str) -> usize {
        self.dial_with(name, true)
    }

    pub fn dial_with(&mut self, name: &str, sdp: bool) -> usize {
        self.t0 = self.now;
        let index = self.index(name);
        let session = self.phones[index].dial(self.now, "7100", sdp);
        self.send_of(index);
        session
    }

    pub fn hang_up(&mut self, name: &str) {
        let phone = self.index(name);
        self.act(Act::HangUp { phone });
    }

    pub fn press(&mut self, name: &str, key: char) {
        let phone = self.index(name);
        self.act(Act::Press { phone, key });
    }

    pub fn reinvite(&mut self, name: &str, hold: Option<crate::phone::Hold>) {
        let (index, now) = (self.index(name), self.now);
        let session = self.phones[index].current().expect("a call");
        self.phones[index].reinvite(now, session, hold);
        self.send_of(index);
    }

    /// Whoever of these is in a call presses the key.
    pub fn press_any(&mut self, names: &[&str], key: char) {
        for name in names {
            self.press(name, key);
        }
    }

    /// Something a phone of the script does by itself, with what it wrote sent on.
    pub fn with_phone(&mut self, name: &str, step: impl FnOnce(&mut Phone, Instant)) {
        let (index, now) = (self.index(name), self.now);
        step(&mut self.phones[index], now);
        self.send_of(index);
    }

    pub fn at(&mut self, ms: u64, act: Act) {
        self.push(self.t0 + Duration::from_millis(ms), Happening::Act(act));
    }

    /// The next `times` messages whose label begins with `label` are lost.
    pub fn lose(&mut self, label: &str, times: u32) {
        self.losses.push(Loss { label: label.to_owned(), left: times });
    }

    /// Bytes of nobody's phone.
    pub fn send_raw(&mut self, from: &str, transport: Transport, bytes: impl Into<Bytes>) {
        let remote: SocketAddr = from.parse().expect("an address");
        let conn = transport.is_stream().then_some(ConnId(9_000));
        let flow = Flow { transport, local: DESK.parse().expect("an address"), remote, conn };
        self.handle(Input::Message { flow, bytes: bytes.into() });
    }

    pub fn command(&mut self, command: Command) -> Reply {
        self.handle(Input::Command { id: CommandId(1), command });
        self.replies.pop().expect("every command is answered")
    }

    /// Somebody says how a call ended for the desk.
    pub fn dispose(&mut self, ticket: &Ticket, by: &str, code: DispositionCode) -> Reply {
        let disposition = Disposition { code, solved: None, note: None };
        self.command(Command::SetDisposition {
            call: ticket.call,
            ticket: ticket.number,
            hospital: ticket.hospital.clone(),
            by: AnalystId::new(by),
            disposition,
            actor: "test".to_owned(),
        })
    }

    pub fn media_event(&mut self, event: MediaEvent) {
        self.handle(Input::Media(event));
    }

    /// This version comes into force.
    pub fn publish(&mut self, config: &Arc<Config>) {
        let publication = Publication {
            actor: "ann".to_owned(),
            action: "publish".to_owned(),
            object: format!("version {}", config.version),
            reason: Some("why".to_owned()),
        };
        self.handle(Input::Config { config: Arc::clone(config), accounts: accounts(), publication });
    }

    fn act(&mut self, act: Act) {
        let now = self.now;
        match act {
            Act::Dial { phone, number, sdp } => {
                self.phones[phone].dial(now, &number, sdp);
                self.send_of(phone);
            }
            Act::HangUp { phone } => {
                if let Some(session) = self.phones[phone].current() {
                    self.phones[phone].hang_up(now, session);
                    self.send_of(phone);
                }
            }
            Act::Press { phone, key } => self.key(phone, key),
            Act::Pickup { phone, pickup } => self.phones[phone].change(pickup),
            Act::Reinvite { phone, hold } => {
                if let Some(session) = self.talking(phone) {
                    self.phones[phone].reinvite(now, session, Some(hold));
                    self.send_of(phone);
                }
            }
            Act::Refer { phone, to } => {
                if let Some(session) = self.talking(phone) {
                    self.phones[phone].refer(now, session, &to);
                    self.send_of(phone);
                }
            }
            Act::Info { phone, key } => {
                if let Some(session) = self.talking(phone) {
                    let body = format!("Signal={key}\r\nDuration=160\r\n");
                    let headers = "Content-Type: application/dtmf-relay\r\n";
                    self.phones[phone].request(now, session, wardline::sip::Method::Info, headers, &body);
                    self.send_of(phone);
                }
            }
            Act::Command(command) => {
                self.command(command);
            }
            Act::Publish(config) => self.publish(&config),
            Act::Break(fault) => self.break_call(fault),
            Act::CloseStream { phone } => self.handle(Input::StreamClosed { conn: ConnId(phone as u64) }),
        }
    }

    /// A step of the oldest call breaks, wherever it is by now.
    pub fn break_call(&mut self, fault: Fault) {
        let Reply::Calls { calls } = self.command(Command::Calls) else { return };
        let live = |call: &CallId| calls.iter().any(|live| live["call"] == call.to_string());
        let Some(call) = self.records.iter().filter_map(|record| record.call).find(live) else { return };
        self.broken_calls += 1;
        self.switch.step_call(self.now, call, |call, ctx| {
            match fault {
                Fault::AtOnce => {}
                Fault::WithAPort => drop(ctx.take_port()),
                Fault::WithoutItsLegs => call.leg_ids().into_iter().for_each(|leg| call.drop_leg(leg)),
            }
            std::panic::resume_unwind(Box::new("a fault made on purpose"));
        });
        self.drain();
    }

    fn talking(&self, phone: usize) -> Option<usize> {
        let session = self.phones[phone].current()?;
        (self.phones[phone].sessions[session].state == State::Up).then_some(session)
    }

    /// A key as telephone-event: the media worker of the leg hears it.
    fn key(&mut self, phone: usize, key: char) {
        let digit = Digit::from_char(key).expect("a key");
        let Some(session) = self.phones[phone].current() else { return };
        let Some(remote) = self.phones[phone].sessions[session].remote_media else { return };
        if let Some(leg) = self.media.by_port(remote.port()) {
            let event = MediaEvent::Key { leg, digit, source: DigitSource::TelephoneEvent };
            self.push(self.now + Duration::from_millis(30), Happening::Media(event));
        }
    }

    // -- Time --------------------------------------------------------------------------------------------------------

    pub fn run(&mut self, ms: u64) {
        self.run_until(self.now + Duration::from_millis(ms));
    }

    /// Until so many ms after the call was dialled.
    pub fn run_to(&mut self, ms: u64) {
        self.run_until(self.t0 + Duration::from_millis(ms));
    }

    pub fn run_until(&mut self, end: Instant) {
        while let Some(at) = self.next_at().filter(|at| *at <= end) {
            self.now = self.now + at.since(self.now);
            self.step();
        }
        self.now = self.now + end.since(self.now);
    }

    fn next_at(&self) -> Option<Instant> {
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        let phones = self.phones.iter().filter_map(Phone::poll_timeout);
        phones.chain(queued).chain(self.switch.poll_timeout()).min()
    }

    fn step(&mut self) {
        if self.steps.0 != self.now {
            self.steps = (self.now, 0);
        }
        self.steps.1 += 1;
        assert!(self.steps.1 < MAX_STEPS_AN_INSTANT, "time does not go on at {:?}", self.now);
        if let Some(first) = self.queue.first_entry().filter(|first| first.key().0 <= self.now) {
            let happening = first.remove();
            self.happen(happening);
            return;
        }
        let now = self.now;
        if let Some(index) = self.phones.iter().position(|phone| phone.poll_timeout().is_some_and(|at| at <= now)) {
            self.phones[index].handle_timeout(now);
            self.send_of(index);
            return;
        }
        self.handle(Input::Timeout);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::ToDesk { flow, bytes } => {
                self.note_invite(&bytes);
                self.handle(Input::Message { flow, bytes });
            }
            Happening::ToPhone { from, to, .. } if to.to_string() == DEAD_PBX => {
                let flow = Flow { transport: Transport::Udp, local: from, remote: to, conn: None };
                self.push(self.now, Happening::Unreachable(flow));
            }
            Happening::ToPhone { from, to, message } => {
                if let Some(index) = self.phone_for(to, &message) {
                    if self.phones[index].pickup == Pickup::Gone {
                        let transport = self.phones[index].transport;
                        let flow = Flow { transport, local: from, remote: to, conn: None };
                        self.push(self.now, Happening::Unreachable(flow));
                        return;
                    }
                    self.phones[index].receive(self.now, *message);
                    self.send_of(index);
                }
            }
            Happening::Media(event) => {
                if self.media.passes(&event) {
                    self.handle(Input::Media(event));
                }
            }
            Happening::Rtp { leg, tries } => self.first_rtp(leg, tries),
            Happening::Listen { leg } => self.listen(leg),
            Happening::Answer { query, answer } => self.handle(Input::Answer { query, answer }),
            Happening::Unreachable(flow) => self.handle(Input::Unreachable { flow }),
            Happening::Stored(upto) => self.handle(Input::Stored(upto)),
            Happening::Hush(analyst, offer) => self.expect_hush(&analyst, offer),
            Happening::Act(act) => self.act(act),
        }
    }

    pub fn handle(&mut self, input: Input) {
        self.switch.handle(self.now, input);
        self.drain();
    }

    fn push(&mut self, at: Instant, happening: Happening) {
        self.serial += 1;
        self.queue.insert((at, self.serial), happening);
    }

    /// A new process takes over from one that died: phones and network go on, everything else is what it remembers.
    pub fn take_over(&mut self, memory: Memory) {
        self.queue.retain(|_, happening| match happening {
            Happening::ToDesk { .. } | Happening::ToPhone { .. } | Happening::Unreachable(_) | Happening::Act(_) => {
                true
            }
            Happening::Media(_)
            | Happening::Rtp { .. }
            | Happening::Listen { .. }
            | Happening::Answer { .. }
            | Happening::Hush(..)
            | Happening::Stored(_) => false,
        });
        self.media = MediaWorker::default();
        let bits = [self.rng.next() as u8; 32];
        self.switch = Switch::new(Arc::clone(&self.config), memory, bits, self.now, self.switch_wall());
        self.drain();
    }

    // -- What the switch wants ---------------------------------------------------------------------------------------

    fn drain(&mut self) {
        let kept = self.records.len();
        while let Some(action) = self.switch.poll_action() {
            match action {
                Action::Record(record) => {
                    if let Some((analyst, offer, patience)) = self.note_offer(&record.event) {
                        self.push(self.now + patience, Happening::Hush(analyst, offer));
                    }
                    self.records.push(record);
                }
                Action::Transmit { flow, bytes } => self.transmit(flow, bytes),
                Action::CloseStream { .. } => {}
                Action::PeerNames(names) => self.peer_names = names,
                Action::TurnedDown(told) => self.turned_down.push(*told),
                Action::Media(command) => self.media_command(command),
                Action::Query { id, query } => self.query(id, query),
                Action::Reply { reply, .. } => self.replies.push(reply),
            }
        }
        if self.records.len() > kept && !self.journal_stuck {
            let upto = self.records.last().expect("a record").seq;
            self.push(self.now + Duration::from_millis(self.journal_ms), Happening::Stored(upto));
        }
    }

    fn query(&mut self, query: QueryId, what: Query) {
        if self.mute_queries {
            return;
        }
        let (low, high) = self.net.reserve_delay;
        let mut delay = self.rng.range(low, high);
        let answer = match (what, self.names) {
            (Query::Reserve { analyst, .. }, _) => Answer::Reserved(!self.leases_refused.contains(&analyst)),
            (Query::Resolve { .. }, Names::Known) => Answer::Resolved(Ok(vec![PBX.parse().expect("an address")])),
            (Query::Resolve { .. }, Names::At(addresses)) => {
                Answer::Resolved(Ok(addresses.iter().map(|at| at.parse().expect("an address")).collect()))
            }
            (Query::Resolve { .. }, Names::Never) => return,
            (Query::Resolve { .. }, Names::Fail(late)) => {
                delay = late;
                Answer::Resolved(Err("no such name".to_owned()))
            }
        };
        self.push(self.now + Duration::from_millis(delay), Happening::Answer { query, answer });
    }

    fn media_command(&mut self, command: MediaCommand) {
        let now = self.now;
        match &command {
            MediaCommand::Play { leg, play, items, repeat } => {
                let prompts = self.media.prompts(items);
                let words = if *repeat {
                    let names: Vec<&str> = prompts.iter().map(|(_, prompt)| prompt.as_str()).collect();
                    format!("~{}", names.join(" "))
                } else {
                    let ids: Vec<_> = prompts.iter().map(|(_, prompt)| prompt.clone()).collect();
                    let language = prompts.first().map(|(language, _)| language.clone()).expect("a prompt");
                    let length = self.config.prompts.total_length(&language, &ids);
                    let done = MediaEvent::PlayDone { leg: *leg, play: *play };
                    self.push(now + length, Happening::Media(done));
                    format!("\"{}\"", self.config.prompts.words(&language, &ids))
                };
                self.seen.push((now, Seen::Heard { who: *leg, what: words }));
            }
            MediaCommand::StopPlay { leg } => {
                self.seen.push((now, Seen::Heard { who: *leg, what: "nothing".to_owned() }));
            }
            MediaCommand::Bridge { a, b } => self.seen.push((now, Seen::Joined { a: *a, b: *b })),
            MediaCommand::Session { leg, .. } => {
                if self.media.is_new(*leg) {
                    self.push(now + Duration::from_millis(40), Happening::Rtp { leg: *leg, tries: 0 });
                }
            }
            MediaCommand::Close { leg } => {
                let codec = Some(wardline::bridge::Codec::Pcmu);
                let report = wardline::bridge::MediaReport { codec, received: 50, sent: 50, ..Default::default() };
                let event = MediaEvent::Report { leg: *leg, report, last: true };
                self.push(now + Duration::from_millis(1), Happening::Media(event));
            }
            MediaCommand::Open { .. } | MediaCommand::Unbridge { .. } | MediaCommand::SendDigit { .. } => {}
        }
        self.media.take(command);
    }

    fn note_invite(&mut self, bytes: &Bytes) {
        if bytes.starts_with(b"INVITE ")
            && let Ok(Message::Request(invite)) = Message::parse(bytes)
            && let (Ok(cseq), Ok(via)) = (invite.headers.cseq(), invite.headers.top_via())
        {
            let branch = via.branch().unwrap_or_default().to_owned();
            self.invites.insert((invite.headers.call_id().to_owned(), cseq.number, branch));
        }
    }

    fn note_ring(&mut self, index: usize, bytes: &Bytes) {
        if let Ok(Message::Response(response)) = Message::parse(bytes)
            && response.headers.cseq().is_ok_and(|cseq| cseq.method == wardline::sip::Method::Invite)
            && matches!(response.status.code(), 180..=299)
        {
            self.wards_rang.insert((self.phones[index].user.clone(), response.headers.call_id().to_owned()));
        }
    }

    /// A phone speaks once it is up.
    fn first_rtp(&mut self, leg: LegId, tries: u32) {
        let Some(port) = self.media.port_of(leg) else { return };
        let speaks = self.phones.iter().any(|phone| {
            phone.voice
                && phone.sessions.iter().any(|session| {
                    session.state == State::Up && session.remote_media.is_some_and(|remote| remote.port() == port)
                })
        });
        if speaks {
            let at = self.switch_wall();
            self.handle(Input::Media(MediaEvent::FirstRtp { leg, at }));
            self.push(self.now + SILENT_AFTER, Happening::Listen { leg });
        } else if tries < 25 {
            let again = self.now + Duration::from_millis(40 << tries.min(8));
            self.push(again, Happening::Rtp { leg, tries: tries + 1 });
        } else {
            self.silent(leg);
        }
    }

    /// The worker notices that a phone has gone: no RTP, no RTCP.
    fn listen(&mut self, leg: LegId) {
        let Some(port) = self.media.port_of(leg) else { return };
        let speaks = self.phones.iter().any(|phone| {
            !matches!(phone.pickup, Pickup::Dead | Pickup::Gone)
                && phone.sessions.iter().any(|session| {
                    session.state != State::Over && session.remote_media.is_some_and(|remote| remote.port() == port)
                })
        });
        if speaks {
            self.push(self.now + SILENT_AFTER, Happening::Listen { leg });
        } else {
            self.silent(leg);
        }
    }

    fn silent(&mut self, leg: LegId) {
        self.handle(Input::Media(MediaEvent::Silent { leg, quiet: SILENT_AFTER, rtcp_alive: false }));
    }

    pub fn switch_wall(&self) -> Timestamp {
        let wall: Timestamp = WALL.parse().expect("a time");
        wall + self.now.since(START)
    }

    // -- The network -------------------------------------------------------------------------------------------------

    /// Puts what a phone wrote onto its line.
    pub fn send_of(&mut self, index: usize) {
        let out = std::mem::take(&mut self.phones[index].out);
        for bytes in out {
            let phone = &self.phones[index];
            if matches!(phone.pickup, Pickup::Dead | Pickup::Gone) {
                continue;
            }
            let conn = phone.transport.is_stream().then_some(ConnId(index as u64));
            let local = DESK.parse().expect("an address");
            let flow = Flow { transport: phone.transport, local, remote: phone.addr, conn };
            let name = phone.name.clone();
            let lost = self.lost(&bytes, flow.transport);
            self.seen.push((self.now, Seen::Sent { from: name, to: "desk".to_owned(), bytes: bytes.clone(), lost }));
            if lost {
                continue;
            }
            self.note_ring(index, &bytes);
            for at in self.arrivals(flow.transport) {
                self.push(at, Happening::ToDesk { flow, bytes: bytes.clone() });
            }
        }
    }

    fn transmit(&mut self, flow: Flow, bytes: Bytes) {
        let message = match Message::parse(&bytes) {
            Ok(message) => Box::new(message),
            Err(error) => panic!("the desk sends what it could not read: {error}\n{}", String::from_utf8_lossy(&bytes)),
        };
        if let Message::Response(response) = &*message {
            let cseq = response.headers.cseq().expect("CSeq");
            if cseq.method == wardline::sip::Method::Invite && response.status.is_final() {
                let branch = response.headers.top_via().ok().and_then(|via| via.branch().map(str::to_owned));
                let key = (response.headers.call_id().to_owned(), cseq.number, branch.unwrap_or_default());
                let tag = response.headers.to().ok().and_then(|to| to.tag().map(str::to_owned)).unwrap_or_default();
                self.finals.entry(key).or_default().insert((response.status.code(), tag));
            }
        }
        let to = self.phone_for(flow.remote, &message);
        let to = to.map_or_else(|| flow.remote.to_string(), |index| self.phones[index].name.clone());
        let lost = self.lost(&bytes, flow.transport);
        self.seen.push((self.now, Seen::Sent { from: "desk".to_owned(), to, bytes, lost }));
        if lost {
            return;
        }
        let written = Duration::from_millis(self.journal_ms);
        for at in self.arrivals(flow.transport) {
            let message = message.clone();
            self.push(at + written, Happening::ToPhone { from: flow.local, to: flow.remote, message });
        }
    }

    fn lost(&mut self, bytes: &Bytes, transport: Transport) -> bool {
        if !self.losses.is_empty() {
            let label = crate::ladder::label(bytes);
            let due = self.losses.iter_mut().find(|loss| loss.left > 0 && label.starts_with(&loss.label));
            if let Some(loss) = due {
                loss.left -= 1;
                return true;
            }
        }
        transport == Transport::Udp && self.net.loss_percent > 0 && self.rng.chance(self.net.loss_percent)
    }

    /// When the copies of a packet arrive: one, seldom two.
    fn arrivals(&mut self, transport: Transport) -> Vec<Instant> {
        let (low, high) = self.net.delay;
        if transport.is_stream() {
            return vec![self.now + Duration::from_millis(low)];
        }
        let copies = if self.net.copy_percent > 0 && self.rng.chance(self.net.copy_percent) { 2 } else { 1 };
        (0..copies).map(|_| self.now + Duration::from_millis(self.rng.range(low, high))).collect()
    }

    /// Whose message it is: the phone with that call, else the phone of that number at the address.
    fn phone_for(&self, to: SocketAddr, message: &Message) -> Option<usize> {
        let call_id = message.headers().call_id();
        let here = || self.phones.iter().enumerate().filter(|(_, phone)| phone.addr == to);
        if let Some((index, _)) = here().find(|(_, phone)| phone.has_session(call_id)) {
            return Some(index);
        }
        match message {
            Message::Request(request) => {
                let user = request.uri.user()?;
                here().find(|(_, phone)| phone.user == *user).map(|(index, _)| index)
            }
            Message::Response(_) => here().next().map(|(index, _)| index),
        }
    }

    // -- What is asked afterwards ------------------------------------------------------------------------------------

    pub fn status(&self) -> Status {
        self.switch.status()
    }

    pub fn counter(&self, name: &str) -> u64 {
        self.status().counters[name]
    }

    /// Every ticket by its call, as the store would project it.
    pub fn tickets(&self) -> BTreeMap<CallId, Ticket> {
        let mut tickets: BTreeMap<CallId, Ticket> = BTreeMap::new();
        for record in &self.records {
            let Some(call) = record.call else { continue };
            match tickets.get_mut(&call) {
                Some(ticket) => ticket.apply(record),
                None => {
                    let ticket = Ticket::open(record).unwrap_or_else(|| panic!("a record before its call: {record:?}"));
                    tickets.insert(call, ticket);
                }
            }
        }
        tickets
    }

    pub fn ticket(&self) -> Ticket {
        let mut tickets = self.tickets();
        assert_eq!(tickets.len(), 1, "one call, one ticket");
        tickets.pop_first().expect("a ticket").1
    }

    /// Milliseconds from dialling to the record's time.
    pub fn ms(&self, at: Timestamp) -> i64 {
        let wall: Timestamp = WALL.parse().expect("a time");
        let zero = wall + self.t0.since(START);
        i64::try_from(at.duration_since(zero).as_millis()).expect("a span of a test")
    }

    pub fn events(&self) -> impl Iterator<Item = (i64, &Event)> {
        self.records.iter().filter(|record| record.call.is_some()).map(|record| (self.ms(record.at), &record.event))
    }
}

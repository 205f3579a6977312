//! One call on paper: the very [`Switch`] of live calls, in virtual time, with simulated phones around it. What an admin
//! tries here is what callers get: the same interpreter, the same router, the same records.
//!
//! ```text
//!  Deed ──▶ phones ──SIP──▶ Switch ──Record──▶ Happening
//!              ▲               │
//!              └──SIP, media───┘
//! ```
//! The network takes no time and loses nothing, so every time that is shown is Wardline's own. `cast` says which phone is
//! whose, `phone` speaks SIP for all of them, `deed` is what people do, `case` a table of expectations.

mod case;
mod cast;
mod deed;
mod phone;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

pub use case::{Case, Cases, Expected, Judged};
pub use cast::{SceneError, Standing, Who};
pub use cast::{read_pin, read_ticket};
pub use deed::{Deed, DeedError, span};

use crate::bridge::MediaReport;
use crate::call::media::{MediaCommand, MediaEvent, PlayItem};
use crate::config::Config;
use crate::digit::{Digit, DigitSource};
use crate::ids::{
    AnalystId, ClinicianId, ConnId, Extension, HospitalId, IncidentId, LegId, PlayId, QueryId, Seq, TicketNumber,
};
use crate::registrar::{Account, DigestPolicy};
use crate::routing::{Attestation, Trouble};
use crate::sip::{Flow, Message, Transport};
use crate::switch::{Action, Answer, Input, Memory, Query, Switch};
use crate::ticket::{Event, Record, Ticket};
use crate::time::{Duration, Instant};
use cast::Cast;
use phone::Session;

/// Real processes do not begin at zero either.
const START: Instant = Instant::from_millis(10_000);
/// What one instant may take; more would be a loop that time does not end.
const MAX_STEPS_AN_INSTANT: usize = 10_000;
/// From an agreed session to the first word of whoever is there.
const FIRST_VOICE: Duration = Duration::from_millis(40);
/// How often a phone that is not up yet is asked again whether it speaks.
const VOICE_AGAIN: Duration = Duration::from_millis(200);
/// Between two keys that are given together.
const KEY_EVERY: Duration = Duration::from_millis(200);

/// What a simulated call begins from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    pub hospital: HospitalId,
    /// The hotline's number.
    pub dial: Extension,
    /// Keys that the PBX sends behind it, as of a speed dial `7100,,3`.
    pub digits: Option<String>,
    /// The calling number as the PBX sends it; empty: withheld.
    pub from: String,
    pub at: Timestamp,
    /// Who is not as the shifts say: everybody else is available while on shift, and signed out otherwise.
    pub standing: BTreeMap<AnalystId, Standing>,
    /// Known problems, opened before the call.
    pub incidents: Vec<Trouble>,
    /// The caller has a ticket that is not closed.
    pub open_ticket: bool,
    /// PINs of people of the hospital; nobody else has one.
    pub pins: Vec<(ClinicianId, String)>,
    /// Earlier tickets that a caller may key, with whoever had them.
    pub tickets: Vec<(TicketNumber, AnalystId)>,
    /// Who took the caller's last call, and how long ago.
    pub helped: Option<(Duration, AnalystId)>,
    /// What was vouched for at a node since the files were written.
    pub attested: Vec<Attestation>,
}

/// As a PBX writes it, with one comma for each pause of a speed dial.
fn dialled(scene: &Scene) -> String {
    match &scene.digits {
        Some(digits) => format!("{},,{digits}", scene.dial),
        None => scene.dial.to_string(),
    }
}

/// Something that is remembered of the call, with its time since the INVITE.
#[derive(Clone, Debug)]
pub struct Happening {
    pub after: Duration,
    pub record: Record,
}

/// One call and the desk around it.
pub struct Simulation {
    config: Arc<Config>,
    cast: Cast,
    switch: Switch,
    now: Instant,
    t0: Instant,
    wall: Timestamp,
    /// The caller's own session is the first.
    sessions: Vec<Session>,
    /// By the desk's RTP port.
    legs: BTreeMap<u16, LegId>,
    plays: BTreeMap<LegId, PlayId>,
    queue: BTreeMap<(Instant, u64), Due>,
    serial: u64,
    records: Vec<Record>,
    happenings: VecDeque<Happening>,
}

enum Due {
    PlayDone {
        leg: LegId,
        play: PlayId,
    },
    Voice {
        leg: LegId,
    },
    Key {
        leg: LegId,
        digit: Digit,
    },
    Answer {
        query: QueryId,
        answer: Answer,
    },
    ToDesk {
        flow: Flow,
        bytes: Bytes,
    },
    Media(MediaEvent),
    /// Everything up to there is kept, as by a journal that works.
    Stored(Seq),
}

impl Simulation {
    /// Dials. The first happenings are there already.
    ///
    /// # Errors
    /// When the scene names what the configuration does not have.
    pub fn begin(config: Arc<Config>, scene: &Scene) -> Result<Simulation, SceneError> {
        let cast = Cast::of(&config, scene)?;
        let mut memory = Memory::blank([7; 32]);
        memory.accounts = cast.users().map(account).collect();
        memory.bindings = cast.bindings(scene.at);
        memory.analysts = cast.presences(&config, scene);
        memory.elsewhere = cast.elsewhere(scene);
        memory.incidents = cast::incidents(scene);
        memory.tickets = cast::tickets(scene);
        memory.known_tickets = cast::known_tickets(scene);
        memory.pins = cast::pins(scene);
        memory.continuity = cast::helped(scene);
        memory.attested.clone_from(&scene.attested);
        memory.next_incident = IncidentId(memory.incidents.len() as u64 + 1);
        let switch = Switch::new(Arc::clone(&config), memory, [1; 32], START, scene.at);
        let mut simulation = Simulation {
            config,
            cast,
            switch,
            now: START,
            t0: START,
            wall: scene.at,
            sessions: Vec::new(),
            legs: BTreeMap::new(),
            plays: BTreeMap::new(),
            queue: BTreeMap::new(),
            serial: 0,
            records: Vec::new(),
            happenings: VecDeque::new(),
        };
        simulation.drain();
        simulation.run_to(Duration::ZERO);
        simulation.happenings.clear();
        simulation.records.clear();
        let (session, invite) = Session::dial(&simulation.cast, &scene.from, &dialled(scene));
        let flow = simulation.cast.caller_flow();
        simulation.sessions.push(session);
        simulation.handle(Input::Message { flow, bytes: invite });
        simulation.run_to(Duration::ZERO);
        Ok(simulation)
    }

    // -- Time --------------------------------------------------------------------------------------------------------

    /// Since the INVITE.
    pub fn elapsed(&self) -> Duration {
        self.now.since(self.t0)
    }

    /// Lets time pass until so long after the INVITE.
    pub fn run_to(&mut self, after: Duration) {
        let end = self.t0 + after;
        let mut steps = 0;
        while let Some(at) = self.next_at().filter(|at| *at <= end) {
            steps = if at > self.now { 0 } else { steps + 1 };
            if steps > MAX_STEPS_AN_INSTANT {
                break;
            }
            self.now = self.now.max(at);
            self.step();
        }
        self.now = self.now.max(end);
    }

    /// Lets time pass until something is remembered of the call, at most until so long after the INVITE.
    pub fn run_to_next(&mut self, latest: Duration) {
        let end = self.t0 + latest;
        let mut steps = 0;
        while self.happenings.is_empty() {
            let Some(at) = self.next_at().filter(|at| *at <= end) else {
                self.now = self.now.max(end);
                return;
            };
            steps = if at > self.now { 0 } else { steps + 1 };
            if steps > MAX_STEPS_AN_INSTANT {
                return;
            }
            self.now = self.now.max(at);
            self.step();
        }
        // What happens at the same instant belongs together.
        self.run_to(self.elapsed());
    }

    fn next_at(&self) -> Option<Instant> {
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        queued.into_iter().chain(self.switch.poll_timeout()).min()
    }

    fn step(&mut self) {
        match self.queue.first_entry().filter(|first| first.key().0 <= self.now) {
            Some(first) => {
                let due = first.remove();
                self.due(due);
            }
            None => self.handle(Input::Timeout),
        }
    }

    fn due(&mut self, due: Due) {
        match due {
            Due::PlayDone { leg, play } => {
                // The end of a playback that was replaced is not reported.
                if self.plays.get(&leg) == Some(&play) {
                    self.plays.remove(&leg);
                    self.handle(Input::Media(MediaEvent::PlayDone { leg, play }));
                }
            }
            Due::Voice { leg } => self.voice(leg),
            Due::Key { leg, digit } => {
                let source = DigitSource::TelephoneEvent;
                self.handle(Input::Media(MediaEvent::Key { leg, digit, source }));
            }
            Due::Answer { query, answer } => self.handle(Input::Answer { query, answer }),
            Due::ToDesk { flow, bytes } => self.handle(Input::Message { flow, bytes }),
            Due::Media(event) => self.handle(Input::Media(event)),
            Due::Stored(upto) => self.handle(Input::Stored(upto)),
        }
    }

    fn push(&mut self, wait: Duration, due: Due) {
        self.serial += 1;
        self.queue.insert((self.now + wait, self.serial), due);
    }

    // -- What people do ----------------------------------------------------------------------------------------------

    /// Does it now.
    ///
    /// # Errors
    /// When it cannot be done now: the phone does not ring, the call is over.
    pub fn deed(&mut self, deed: &Deed) -> Result<(), DeedError> {
        match deed {
            Deed::Keys { who, keys } => self.keys(who, keys)?,
            Deed::Answers(who) => self.on_ringing(who, Session::answer)?,
            Deed::Declines(who) => self.on_ringing(who, Session::decline)?,
            Deed::HangsUp(who) => {
                let index = self.talking(who)?;
                self.write(index, Session::hang_up);
            }
        }
        self.run_to(self.elapsed());
        Ok(())
    }

    fn keys(&mut self, who: &Who, keys: &[Digit]) -> Result<(), DeedError> {
        let index = self.talking(who)?;
        let port = self.sessions.get(index).and_then(Session::media_port);
        let leg = port.and_then(|port| self.legs.get(&port)).copied();
        let leg = leg.ok_or_else(|| DeedError::NotTalking(who.clone()))?;
        let mut wait = Duration::ZERO;
        for digit in keys {
            self.push(wait, Due::Key { leg, digit: *digit });
            wait += KEY_EVERY;
        }
        Ok(())
    }

    fn on_ringing(&mut self, who: &Who, act: fn(&mut Session) -> Vec<Bytes>) -> Result<(), DeedError> {
        let ringing = |session: &Session| session.who == *who && session.is_ringing();
        let index = self.sessions.iter().position(ringing).ok_or_else(|| DeedError::NotRinging(who.clone()))?;
        self.write(index, act);
        Ok(())
    }

    fn talking(&self, who: &Who) -> Result<usize, DeedError> {
        let up = |session: &Session| session.who == *who && session.is_up();
        self.sessions.iter().position(up).ok_or_else(|| DeedError::NotTalking(who.clone()))
    }

    /// Who could pick up now.
    pub fn ringing(&self) -> Vec<&Who> {
        let mut ringing: Vec<&Who> =
            self.sessions.iter().filter(|session| session.is_ringing()).map(|session| &session.who).collect();
        ringing.dedup();
        ringing
    }

    /// Nothing of the call is up or owed within this second.
    pub fn is_over(&self) -> bool {
        self.switch.is_quiet()
    }

    // -- What is remembered ------------------------------------------------------------------------------------------

    pub fn poll_happening(&mut self) -> Option<Happening> {
        self.happenings.pop_front()
    }

    /// The call's ticket so far; `None` when the call was refused.
    pub fn ticket(&self) -> Option<Ticket> {
        let mut ticket: Option<Ticket> = None;
        for record in &self.records {
            match &mut ticket {
                Some(ticket) => ticket.apply(record),
                None => ticket = Ticket::open(record),
            }
        }
        ticket
    }

    /// Everything that was remembered, in order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// When a record was written, since the INVITE.
    pub fn after(&self, at: Timestamp) -> Duration {
        Duration::try_from(at.duration_since(self.wall)).unwrap_or_default()
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    // -- The switch --------------------------------------------------------------------------------------------------

    fn handle(&mut self, input: Input) {
        self.switch.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        let mut stored = None;
        while let Some(action) = self.switch.poll_action() {
            match action {
                Action::Record(record) => {
                    stored = Some(record.seq);
                    if record.call.is_some() {
                        let after = self.after(record.at);
                        self.happenings.push_back(Happening { after, record: record.clone() });
                        self.records.push(record);
                    }
                }
                Action::Transmit { flow, bytes } => self.received(flow, &bytes),
                Action::Media(command) => self.media(command),
                Action::Query { id, query } => {
                    let answer = match query {
                        Query::Reserve { .. } => Answer::Reserved(true),
                        Query::Resolve { host, .. } => Answer::Resolved(Ok(vec![self.cast.resolve(&host)])),
                    };
                    self.push(Duration::ZERO, Due::Answer { query: id, answer });
                }
                Action::CloseStream { .. } | Action::PeerNames(_) | Action::Reply { .. } | Action::TurnedDown(_) => {}
            }
        }
        if let Some(upto) = stored {
            self.push(Duration::ZERO, Due::Stored(upto));
        }
    }

    fn media(&mut self, command: MediaCommand) {
        match command {
            MediaCommand::Open { leg, port, .. } => {
                self.legs.insert(port.0, leg);
            }
            MediaCommand::Session { leg, .. } => self.push(FIRST_VOICE, Due::Voice { leg }),
            MediaCommand::Play { leg, play, items, repeat } => {
                self.plays.insert(leg, play);
                if !repeat {
                    let length = items.iter().map(|item| self.length(item)).sum();
                    self.push(length, Due::PlayDone { leg, play });
                }
            }
            MediaCommand::StopPlay { leg } => {
                self.plays.remove(&leg);
            }
            MediaCommand::Close { leg } => {
                self.legs.retain(|_, open| *open != leg);
                self.plays.remove(&leg);
                let report = MediaReport::default();
                self.push(Duration::ZERO, Due::Media(MediaEvent::Report { leg, report, last: true }));
            }
            MediaCommand::Bridge { .. } | MediaCommand::Unbridge { .. } | MediaCommand::SendDigit { .. } => {}
        }
    }

    fn length(&self, item: &PlayItem) -> Duration {
        match item {
            PlayItem::Prompt { language, prompt } => self.config.prompts.length(language, prompt).unwrap_or_default(),
            PlayItem::Silence(length) => *length,
        }
    }

    /// Whoever is up speaks; a phone that still rings is asked again.
    fn voice(&mut self, leg: LegId) {
        let Some(port) = self.legs.iter().find(|(_, open)| **open == leg).map(|(port, _)| *port) else { return };
        let of_leg = |session: &&Session| session.media_port() == Some(port);
        let up = self.sessions.iter().filter(of_leg).any(Session::is_up);
        if up {
            let wall = self.wall.checked_add(self.now.since(self.t0)).unwrap_or(self.wall);
            self.handle(Input::Media(MediaEvent::FirstRtp { leg, at: wall }));
        } else {
            self.push(VOICE_AGAIN, Due::Voice { leg });
        }
    }

    // -- The phones --------------------------------------------------------------------------------------------------

    /// The desk has sent something to a phone.
    fn received(&mut self, flow: Flow, bytes: &Bytes) {
        // The switch writes only what its own parser reads.
        let Ok(message) = Message::parse(bytes) else { return };
        let call_id = message.headers().call_id().to_owned();
        let known = self.sessions.iter().position(|session| session.call_id == call_id);
        let answers = match (known, message) {
            (Some(index), message) => self.sessions.get_mut(index).map(|session| session.receive(message)),
            (None, Message::Request(request)) => {
                let who = self.cast.who(flow.remote, &request);
                let silent = who.as_ref().is_some_and(|who| self.cast.is_silent(who));
                (!silent).then(|| {
                    let (session, answers) = Session::ring(who, flow.remote, request);
                    self.sessions.extend(session);
                    answers
                })
            }
            (None, Message::Response(_)) => None,
        };
        for bytes in answers.into_iter().flatten() {
            self.push(Duration::ZERO, Due::ToDesk { flow: answered_over(flow), bytes });
        }
    }

    fn write(&mut self, index: usize, act: impl FnOnce(&mut Session) -> Vec<Bytes>) {
        let Some(session) = self.sessions.get_mut(index) else { return };
        let remote = session.address;
        let written = act(session);
        let flow = self.cast.flow_from(remote);
        for bytes in written {
            self.push(Duration::ZERO, Due::ToDesk { flow, bytes });
        }
    }
}

/// A record as a line for people; `None` for what says nothing to them.
pub fn words(record: &Record) -> Option<String> {
    if let Event::StepEntered { step } = &record.event {
        return Some(format!("Step {step}."));
    }
    // No audio flows.
    if let Event::MediaMeasured { .. } = &record.event {
        return None;
    }
    crate::ticket::line_of(record).map(|line| line.text)
}

/// What comes back by the way something went.
fn answered_over(flow: Flow) -> Flow {
    let conn = match flow.transport {
        Transport::Udp => None,
        Transport::Tcp | Transport::Tls => flow.conn.or(Some(ConnId(1))),
    };
    Flow { conn, ..flow }
}

/// A phone that is registered already needs no password.
fn account(user: &str) -> Account {
    Account { user: user.to_owned(), ha1_md5: None, ha1_sha256: None, digest: DigestPolicy::default() }
}

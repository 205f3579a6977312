//! One ticket as the projection of its call's records. See lifecycle.rs for the states it goes through.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::lifecycle::Lifecycle;
use super::line::{self, Line};
use super::{
    CallOpened, CallbackOutcome, CallbackReason, Disposition, DispositionCode, Event, HangupCause, MediaProblem,
    NeedSource, Party, Record,
};
use crate::bridge::MediaReport;
use crate::digit::Digit;
use crate::identity::Caller;
use crate::ids::{
    AnalystId, CallId, Extension, HospitalId, IncidentId, Language, OfferId, PlanId, RungId, Seq, StepId, SystemId,
    TicketNumber, TrunkId, UnitId,
};
use crate::routing::{Choice, Decision, Need, OfferOutcome, Others, PassedOver, Priority};

/// Keys kept for the story of a call; a child at the phone doesn't grow the ticket.
const MAX_KEYS: usize = 64;
/// Prompts, decisions, holds, problems and transfers kept, each. The journal and the events table keep all of them.
const MAX_KEPT: usize = 64;
/// Offers kept: three rungs of a large desk.
const MAX_OFFERS: usize = 256;
/// Hold is counted this long after the first word ("fast pick-up, then hold").
pub(crate) const HOLD_WINDOW_S: f64 = 60.0;
/// A call of the same unit and system, or of the same person, within this time is a repeat.
pub(crate) const REPEAT_HOURS: i64 = 72;

/// What is known of one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    pub number: TicketNumber,
    pub call: CallId,
    pub hospital: HospitalId,
    pub plan: PlanId,
    pub language: Language,
    pub trunk: Option<TrunkId>,
    /// As signalled; empty when anonymous.
    pub calling: String,
    pub dialled: String,
    pub sip_call_id: String,
    /// A call of the canary: left out of every figure.
    pub test: bool,
    /// The hospital was in rehearsal: left out of every figure.
    #[serde(default)]
    pub rehearsal: bool,
    /// The call whose callback this one works off, when it has a ticket of its own.
    pub continues: Option<CallId>,
    /// When the INVITE was accepted: t0.
    pub opened: Timestamp,
    pub caller: Option<Caller>,
    /// Our 200.
    pub answered: Option<Timestamp>,
    pub confirmed: Option<Timestamp>,
    pub spoken: Vec<String>,
    pub keys: Vec<Digit>,
    /// Keys that the caller pressed while talking, as far as they were noted.
    #[serde(default)]
    pub keys_in_talk: u32,
    pub collected: Vec<(StepId, bool)>,
    pub questions_skipped: Vec<StepId>,
    #[serde(default)]
    pub priority: Priority,
    /// The known problem that the caller was told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Told>,
    /// The earlier ticket that the caller keyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<TicketNumber>,
    pub need: Option<Need>,
    pub need_by: Option<NeedSource>,
    /// Every routing decision, in order: the "why". Its inputs, for replaying it, stand in the record only.
    pub decisions: Vec<Routed>,
    pub offers: Vec<Offer>,
    pub first_offer: Option<Timestamp>,
    /// Who took the call, in order, each once. The last one owns it.
    pub owners: Vec<AnalystId>,
    /// First RTP of an analyst's voice.
    pub human_heard: Option<Timestamp>,
    /// First RTP of the operator's or another target's voice.
    pub target_heard: Option<Timestamp>,
    pub holds: Vec<Hold>,
    pub transfers: Vec<Transfer>,
    /// The operator and other targets that took the call, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    pub problems: Vec<(Timestamp, Party, MediaProblem)>,
    /// The latest measurement of each party.
    pub media: Vec<(Party, MediaReport)>,
    /// How the caller's own call ended. A callback that follows doesn't change it.
    pub end: Option<End>,
    /// The end of the latest call of this ticket (a callback's, else the caller's own).
    pub last_end: Option<Timestamp>,
    pub callback: Option<Callback>,
    /// Every disposition that was set, oldest first; the last one holds.
    pub dispositions: Vec<SetDisposition>,
    /// Earlier tickets with the same trouble, newest first.
    pub repeats: Vec<Repeat>,
    /// Whom the caller is joined with now.
    pub bridged: Option<Party>,
    /// The call, or a callback of it, is up now.
    pub up: bool,
    /// The caller's own call is over, and what comes now belongs to a callback.
    pub calling_back: bool,
    /// The last record applied: an older one is not applied again.
    pub last_seq: Seq,
    /// One line a step. Stored as rows of their own.
    #[serde(skip)]
    pub timeline: Vec<Line>,
}

/// A known problem that the caller was told of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub incident: IncidentId,
    pub note: String,
}

impl Told {
    fn new(incident: IncidentId, note: &str) -> Told {
        Told { incident, note: note.to_owned() }
    }
}

/// What was decided on one rung, and why, in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Routed {
    pub at: Timestamp,
    pub rung: RungId,
    pub chosen: Vec<Choice>,
    pub passed_over: Vec<PassedOver>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub others: Vec<Others>,
}

impl Routed {
    fn new(at: Timestamp, decision: &Decision) -> Routed {
        let Decision { rung, chosen, passed_over, others, .. } = decision.clone();
        Routed { at, rung, chosen, passed_over, others }
    }
}

/// One analyst being alerted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    pub offer: OfferId,
    /// The call it was made for (a callback's call differs from the ticket's).
    pub call: CallId,
    pub analyst: AnalystId,
    pub rung: RungId,
    pub outside: bool,
    pub sent: Timestamp,
    pub ringing: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    pub outcome: Option<OfferOutcome>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub by: Party,
    pub from: Timestamp,
    pub to: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    pub at: Timestamp,
    pub target: String,
    pub ok: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub at: Timestamp,
    pub cause: HangupCause,
    pub by: Party,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    pub number: Extension,
    pub booked: Timestamp,
    pub due: Timestamp,
    pub reason: CallbackReason,
    pub attempts: u8,
    pub last_outcome: Option<CallbackOutcome>,
    pub state: CallbackState,
    /// Both spoke: the only thing that counts as done.
    pub both_spoke: bool,
    pub closed: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallbackState {
    Due,
    /// Closed after both spoke.
    Done,
    /// Wardline tries no more by itself: still owed, by a person.
    Failed,
    /// Not needed any more: an analyst answered the same call after all.
    Lapsed,
    /// A person has dealt with it: a disposition was set.
    Settled,
}

impl CallbackState {
    /// The desk still owes it.
    pub fn is_owed(self) -> bool {
        match self {
            CallbackState::Due | CallbackState::Failed => true,
            CallbackState::Done | CallbackState::Lapsed | CallbackState::Settled => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetDisposition {
    pub at: Timestamp,
    pub by: AnalystId,
    pub disposition: Disposition,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    pub earlier: TicketNumber,
    pub by: RepeatBy,
    /// Hours between the two INVITEs, rounded down.
    pub hours: u32,
    /// The same time in minutes.
    #[serde(default)]
    pub minutes: u32,
}

impl Repeat {
    pub(crate) fn new(earlier: TicketNumber, by: RepeatBy, apart: SignedDuration) -> Repeat {
        // Neither is negative, nor more than three days.
        let [hours, minutes] = [apart.as_hours(), apart.as_mins()].map(|span| u32::try_from(span).unwrap_or(0));
        Repeat { earlier, by, hours, minutes }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepeatBy {
    Person,
    UnitAndSystem,
}

/// How the audio was, from the measurements and the problems of all parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaQuality {
    Unmeasured,
    Good,
    Fair,
    Poor,
}

impl Ticket {
    /// The ticket of a call that has just been accepted; `None` for any other record.
    pub fn open(record: &Record) -> Option<Ticket> {
        let Event::CallOpened(opened) = &record.event else { return None };
        let mut ticket = Ticket::blank(record.call?, opened, record.at);
        ticket.last_seq = record.seq;
        ticket.timeline.extend(line::line(record, &[]));
        Some(ticket)
    }

    fn blank(call: CallId, opened: &CallOpened, at: Timestamp) -> Ticket {
        Ticket {
            number: opened.ticket,
            call,
            hospital: opened.hospital.clone(),
            plan: opened.plan.clone(),
            language: opened.language.clone(),
            trunk: opened.trunk.clone(),
            calling: opened.calling.clone(),
            dialled: opened.dialled.clone(),
            sip_call_id: opened.sip_call_id.clone(),
            test: opened.test,
            rehearsal: opened.rehearsal,
            continues: opened.continues,
            opened: at,
            caller: None,
            answered: None,
            confirmed: None,
            spoken: Vec::new(),
            keys: Vec::new(),
            keys_in_talk: 0,
            collected: Vec::new(),
            questions_skipped: Vec::new(),
            priority: Priority::Normal,
            incident: None,
            follows: None,
            need: None,
            need_by: None,
            decisions: Vec::new(),
            offers: Vec::new(),
            first_offer: None,
            owners: Vec::new(),
            human_heard: None,
            target_heard: None,
            holds: Vec::new(),
            transfers: Vec::new(),
            targets: Vec::new(),
            problems: Vec::new(),
            media: Vec::new(),
            end: None,
            last_end: None,
            callback: None,
            dispositions: Vec::new(),
            repeats: Vec::new(),
            bridged: None,
            up: true,
            calling_back: false,
            last_seq: Seq(0),
            timeline: Vec::new(),
        }
    }

    /// Takes the next record of this ticket's calls. A record that was applied before changes nothing.
    pub fn apply(&mut self, record: &Record) {
        if record.seq <= self.last_seq {
            return;
        }
        self.last_seq = record.seq;
        self.timeline.extend(line::line(record, &self.transfers));
        let call = record.call.unwrap_or(self.call);
        self.apply_event(call, record.at, &record.event);
    }

    /// One arm an event, in the order of [`Event`].
    fn apply_event(&mut self, call: CallId, at: Timestamp, event: &Event) {
        match event {
            Event::CallOpened(_) => self.continued(),
            Event::CallerIdentified { caller } => self.caller = Some(caller.as_ref().clone()),
            Event::Answered => _ = self.answered.get_or_insert(at),
            Event::Confirmed => _ = self.confirmed.get_or_insert(at),
            Event::Spoken { words, .. } => push(&mut self.spoken, words.clone(), MAX_KEPT),
            Event::KeyPressed { digit, .. } => push(&mut self.keys, *digit, MAX_KEYS),
            Event::KeyInTalk { by: Party::Caller } => self.keys_in_talk = self.keys_in_talk.saturating_add(1),
            Event::Collected { step, accepted } => push(&mut self.collected, (step.clone(), *accepted), MAX_KEPT),
            Event::NeedSettled { need, by } => (self.need, self.need_by) = (Some(need.clone()), Some(*by)),
            Event::TicketLinked { ticket } => self.follows = Some(*ticket),
            Event::QuestionSkipped { step } => push(&mut self.questions_skipped, step.clone(), MAX_KEPT),
            Event::PrioritySet { priority } => self.priority = *priority,
            Event::IncidentTold { incident, note } => self.incident = Some(Told::new(*incident, note)),
            Event::RouteDecided { decision } => push(&mut self.decisions, Routed::new(at, decision), MAX_KEPT),
            Event::OfferSent { .. } => self.offer_sent(call, at, event),
            Event::OfferRinging { offer, .. } => self.offer_rings(call, *offer, at),
            Event::OfferEnded { offer, outcome, .. } => self.offer_ended(call, *offer, at, *outcome),
            Event::AnalystAnswered { offer, analyst } => self.analyst_answered(call, *offer, at, analyst),
            Event::Bridged { with } => self.bridged = Some(*with),
            Event::HumanHeard => self.heard(at),
            Event::Held { by } => push(&mut self.holds, Hold { by: *by, from: at, to: None }, MAX_KEPT),
            Event::Resumed { by } => self.resumed(*by, at),
            Event::TransferAsked { target } => self.transfer_asked(at, target),
            Event::TransferEnded { target, ok } => self.transfer_ended(target, *ok),
            Event::MediaProblem { party, problem } => push(&mut self.problems, (at, *party, *problem), MAX_KEPT),
            Event::MediaMeasured { party, report } => self.measured(*party, report),
            Event::DispositionSet { by, disposition } => self.disposition_set(at, by, disposition),
            Event::CallEnded { cause, by } => self.ended(at, *cause, *by),
            Event::CallbackBooked { .. }
            | Event::CallbackAttempted { .. }
            | Event::CallbackGivenUp
            | Event::CallbackClosed => self.apply_callback(at, event),
            Event::StepEntered { .. }
            | Event::KeyInTalk { .. }
            | Event::TargetRung { .. }
            | Event::NodeStarted { .. }
            | Event::NodeStopped
            | Event::AnalystStateSet { .. }
            | Event::IncidentOpened(_)
            | Event::IncidentResolved { .. }
            | Event::Attested(_)
            | Event::StandingSet { .. }
            | Event::ItemConfirmed { .. }
            | Event::BindingSet(_)
            | Event::BindingRemoved { .. }
            | Event::NonceUsed { .. }
            | Event::WrongCounted(_)
            | Event::TallyCleared { .. }
            | Event::Audit { .. } => {}
        }
    }

    fn offer_sent(&mut self, call: CallId, at: Timestamp, event: &Event) {
        let Event::OfferSent { offer, analyst, rung, outside } = event else { return };
        let (offer, analyst, rung, outside) = (*offer, analyst.clone(), rung.clone(), *outside);
        let sent = Offer { offer, call, analyst, rung, outside, sent: at, ringing: None, ended: None, outcome: None };
        // An offer for a call that is over is made for its callback.
        if self.end.is_some() && !self.up {
            self.continued();
        }
        self.first_offer.get_or_insert(at);
        push(&mut self.offers, sent, MAX_OFFERS);
    }

    fn resumed(&mut self, by: Party, at: Timestamp) {
        if let Some(hold) = self.holds.iter_mut().rev().find(|hold| hold.by == by && hold.to.is_none()) {
            hold.to = Some(at);
        }
    }

    fn transfer_ended(&mut self, target: &str, ok: bool) {
        if ok {
            push(&mut self.targets, target.to_owned(), MAX_KEPT);
        }
        if let Some(transfer) = self.transfers.iter_mut().rev().find(|transfer| transfer.target == target) {
            transfer.ok = Some(ok);
        }
    }

    /// A callback's call began that continues this ticket.
    fn continued(&mut self) {
        self.up = true;
        self.calling_back = true;
        self.bridged = None;
    }

    fn offer(&mut self, call: CallId, id: OfferId) -> Option<&mut Offer> {
        self.offers.iter_mut().rev().find(|offer| offer.offer == id && offer.call == call)
    }

    fn offer_rings(&mut self, call: CallId, id: OfferId, at: Timestamp) {
        if let Some(offer) = self.offer(call, id) {
            offer.ringing.get_or_insert(at);
        }
    }

    fn offer_ended(&mut self, call: CallId, id: OfferId, at: Timestamp, outcome: OfferOutcome) {
        if let Some(offer) = self.offer(call, id) {
            offer.ended.get_or_insert(at);
            offer.outcome.get_or_insert(outcome);
        }
    }

    /// Who answered last owns it.
    fn analyst_answered(&mut self, call: CallId, offer: OfferId, at: Timestamp, analyst: &AnalystId) {
        self.offer_ended(call, offer, at, OfferOutcome::Answered);
        self.owners.retain(|owner| owner != analyst);
        push(&mut self.owners, analyst.clone(), MAX_KEPT);
    }

    fn transfer_asked(&mut self, at: Timestamp, target: &str) {
        push(&mut self.transfers, Transfer { at, target: target.to_owned(), ok: None }, MAX_KEPT);
    }

    /// The last report of a party counts.
    fn measured(&mut self, party: Party, report: &MediaReport) {
        self.media.retain(|(measured, _)| *measured != party);
        push(&mut self.media, (party, report.clone()), MAX_KEPT);
    }

    fn disposition_set(&mut self, at: Timestamp, by: &AnalystId, disposition: &Disposition) {
        let set = SetDisposition { at, by: by.clone(), disposition: disposition.clone() };
        push(&mut self.dispositions, set, MAX_KEPT);
        self.settle_callback(at, disposition.code);
    }

    /// "Seconds to human" is an analyst's voice; the operator's is kept apart.
    fn heard(&mut self, at: Timestamp) {
        match self.bridged {
            Some(Party::Target) => _ = self.target_heard.get_or_insert(at),
            Some(Party::Analyst | Party::Caller | Party::Desk) | None => {
                self.human_heard.get_or_insert(at);
                // Who waits for a fix is called then, whoever was heard before.
                if let Some(callback) = &mut self.callback
                    && callback.state == CallbackState::Due
                    && callback.reason != CallbackReason::Incident
                    && self.end.is_none()
                {
                    callback.state = CallbackState::Lapsed;
                    callback.closed = Some(at);
                }
            }
        }
    }

    fn ended(&mut self, at: Timestamp, cause: HangupCause, by: Party) {
        self.end.get_or_insert(End { at, cause, by });
        self.down(at);
    }

    /// The caller's call, or an attempt to call back, is over.
    fn down(&mut self, at: Timestamp) {
        self.up = false;
        self.bridged = None;
        self.last_end = Some(at);
        for hold in &mut self.holds {
            hold.to.get_or_insert(at);
        }
        for offer in &mut self.offers {
            offer.ended.get_or_insert(at);
            offer.outcome.get_or_insert(OfferOutcome::Withdrawn);
        }
    }

    fn apply_callback(&mut self, at: Timestamp, event: &Event) {
        if let Event::CallbackBooked { number, due, reason } = event {
            let attempts = self.callback.as_ref().map_or(0, |callback| callback.attempts);
            self.callback = Some(Callback {
                number: number.clone(),
                booked: at,
                due: *due,
                reason: *reason,
                attempts,
                last_outcome: None,
                state: CallbackState::Due,
                both_spoke: false,
                closed: None,
            });
            return;
        }
        if matches!(event, Event::CallbackAttempted { .. }) && self.end.is_some() {
            self.down(at);
        }
        let Some(callback) = &mut self.callback else { return };
        if let Event::CallbackAttempted { attempt, outcome } = event {
            callback.attempts = callback.attempts.max(*attempt);
            callback.last_outcome = Some(*outcome);
            callback.both_spoke |= *outcome == CallbackOutcome::BothSpoke;
        }
        if matches!(event, Event::CallbackGivenUp) && callback.state == CallbackState::Due {
            callback.state = CallbackState::Failed;
        }
        if matches!(event, Event::CallbackClosed) {
            // Whatever a record says: once it was tried, only both of them speaking makes it done.
            if callback.both_spoke {
                callback.state = CallbackState::Done;
            } else if callback.attempts == 0 && callback.state.is_owed() {
                callback.state = CallbackState::Lapsed;
            }
            if !callback.state.is_owed() {
                callback.closed.get_or_insert(at);
            }
        }
    }

    /// A person has said how the call ended: what is owed is dealt with. "Work goes on" leaves alone what Wardline still
    /// tries by itself.
    fn settle_callback(&mut self, at: Timestamp, code: DispositionCode) {
        let over = self.end.is_some();
        let Some(callback) = self.callback.as_mut().filter(|_| over) else { return };
        let settled = match callback.state {
            CallbackState::Due => code.settles_callback(),
            CallbackState::Failed => true,
            CallbackState::Done | CallbackState::Lapsed | CallbackState::Settled => false,
        };
        if settled {
            callback.state = CallbackState::Settled;
            callback.closed = Some(at);
        }
    }

    /// The desk owes the caller a call back.
    pub fn owes_callback(&self) -> bool {
        self.callback.as_ref().is_some_and(|callback| callback.state.is_owed())
    }

    pub fn state(&self) -> Lifecycle {
        Lifecycle::of(self)
    }

    /// The disposition that holds; `None` while it is due.
    pub fn disposition(&self) -> Option<&SetDisposition> {
        self.dispositions.last()
    }

    /// Solved at first contact, by the analyst's word.
    pub fn solved(&self) -> Option<bool> {
        self.disposition().and_then(|set| set.disposition.solved)
    }

    /// Said to be solved, and later to be open again.
    pub fn reopened(&self) -> bool {
        let mut solved = false;
        for set in &self.dispositions {
            match set.disposition.code {
                DispositionCode::Solved => solved = true,
                DispositionCode::Open if solved => return true,
                DispositionCode::Open | DispositionCode::NotForUs | DispositionCode::Test => {}
            }
        }
        false
    }

    /// Who owns it: the analyst who took it last.
    pub fn analyst(&self) -> Option<&AnalystId> {
        self.owners.last()
    }

    /// INVITE to the first RTP of an analyst's voice, over a callback if need be.
    pub fn seconds_to_human(&self) -> Option<f64> {
        self.human_heard.map(|heard| seconds(self.opened, heard))
    }

    /// The analyst was heard in the caller's own call, not only in a callback.
    pub fn heard_in_own_call(&self) -> bool {
        match (&self.human_heard, &self.end) {
            (Some(heard), Some(end)) => *heard <= end.at,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// Seconds of hold by our side in the first 60 s after the analyst was first heard.
    pub fn hold_in_first_minute_s(&self) -> f64 {
        let Some(heard) = self.human_heard else { return 0.0 };
        let last = self.last_end.unwrap_or(self.opened);
        self.holds
            .iter()
            .filter(|hold| matches!(hold.by, Party::Analyst | Party::Desk))
            .map(|hold| {
                let from = seconds(heard, hold.from).max(0.0);
                let to = seconds(heard, hold.to.unwrap_or(last.max(hold.from))).min(HOLD_WINDOW_S);
                (to - from).max(0.0)
            })
            // A sum of nothing would be -0.
            .fold(0.0, |sum, held| sum + held)
    }

    /// Unit of the caller's phone, when it is mapped.
    pub fn unit(&self) -> Option<&UnitId> {
        self.caller.as_ref()?.place.as_ref().map(|place| &place.value.unit)
    }

    /// As people say it: "4 West".
    pub fn unit_name(&self) -> Option<&str> {
        self.caller.as_ref()?.place.as_ref().map(|place| place.value.unit_name.as_str())
    }

    /// The system this call is about: what the need says, else what runs where the caller stands.
    pub fn system(&self) -> Option<&SystemId> {
        let needed = self.need.as_ref().and_then(|need| need.system.as_ref());
        needed.or_else(|| Some(&self.caller.as_ref()?.ehr.as_ref()?.value.system))
    }

    /// The extension that a callback would ring.
    pub fn extension(&self) -> Option<&Extension> {
        self.caller.as_ref()?.extension.as_ref().map(|extension| &extension.value)
    }

    /// Whether this call repeats `earlier`: the same person, or the same unit and system, within 72 h, whatever the
    /// ticket says. A callback's call repeats nothing.
    pub fn repeats(&self, earlier: &Ticket) -> Option<Repeat> {
        let hours = self.opened.duration_since(earlier.opened).as_hours();
        let same_call = self.number == earlier.number || self.continues == Some(earlier.call);
        if same_call || earlier.opened > self.opened || hours >= REPEAT_HOURS || self.hospital != earlier.hospital {
            return None;
        }
        let person = |ticket: &Ticket| Some(ticket.caller.as_ref()?.person.as_ref()?.value.clone());
        let place = |ticket: &Ticket| Some((ticket.unit()?.clone(), ticket.system()?.clone()));
        let by = if person(self).is_some() && person(self) == person(earlier) {
            RepeatBy::Person
        } else if place(self).is_some() && place(self) == place(earlier) {
            RepeatBy::UnitAndSystem
        } else {
            return None;
        };
        Some(Repeat::new(earlier.number, by, self.opened.duration_since(earlier.opened)))
    }

    /// The worst of what was measured. A problem that recovered leaves the call fair, one that stayed leaves it poor.
    pub fn media_quality(&self) -> MediaQuality {
        let mut worst = MediaQuality::Unmeasured;
        for (_, report) in &self.media {
            let expected = report.received.saturating_add(report.lost);
            #[expect(clippy::cast_precision_loss, reason = "a share for people, not an account")]
            let loss = if expected == 0 { 0.0 } else { report.lost as f64 / expected as f64 };
            let quality = if report.received == 0 || loss > 0.05 {
                MediaQuality::Poor
            } else if loss > 0.01 || report.jitter_ms > 30.0 || report.max_gap_ms > 400 {
                MediaQuality::Fair
            } else {
                MediaQuality::Good
            };
            worst = worst.max(quality);
        }
        if !self.problems.is_empty() {
            worst = worst.max(MediaQuality::Fair);
        }
        if self.silent_parties().is_empty() { worst } else { MediaQuality::Poor }
    }

    /// Whose audio was missed and did not come back.
    fn silent_parties(&self) -> BTreeSet<Party> {
        let mut silent = BTreeSet::new();
        for (_, party, problem) in &self.problems {
            match problem {
                MediaProblem::Dead | MediaProblem::OneWay | MediaProblem::Gone => _ = silent.insert(*party),
                MediaProblem::Recovered => _ = silent.remove(party),
                MediaProblem::KeysLost => {}
            }
        }
        silent
    }

    /// Audio came from the caller and from whom they talked to, and neither was missing at the end. Known once the caller's
    /// phone has been measured: when it hangs up, whether or not the analyst is still asked if it is solved.
    pub fn heard_both_ways(&self) -> bool {
        let human = self.human_heard.is_some() || self.target_heard.is_some();
        human && self.caller_media().is_some_and(|report| report.received > 0) && self.silent_parties().is_empty()
    }

    /// What was measured of the caller's phone.
    pub fn caller_media(&self) -> Option<&MediaReport> {
        self.media.iter().find(|(party, _)| *party == Party::Caller).map(|(_, report)| report)
    }

    /// Dated lines for people, oldest first.
    pub fn timeline(&self) -> &[Line] {
        &self.timeline
    }
}

/// Seconds from `from` to `to`; negative when `to` is earlier.
pub(crate) fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// Appends within a bound. What is beyond it stays in the journal and in the events table.
fn push<T>(list: &mut Vec<T>, item: T, limit: usize) {
    if list.len() < limit {
        list.push(item);
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

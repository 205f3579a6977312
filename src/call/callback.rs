//! Callbacks in their simple form: an analyst first, then the calling extension, three attempts. A callback is owed from
//! the moment it is booked until both spoke or a person has dealt with it; the switch keeps what is due.
//!
//! ```text
//!  None ──booked──▶ Owed ──the call ends──▶ (due, in the switch) ──▶ Attempt ──both spoke──▶ closed
//!            └──a human answers──▶ closed        ▲  ▲                 │ │ │
//!                                                │  └─no analyst found┘ │ └─three times, or too late─▶ Failed: a person's
//!                                                └──the ward was rung───┘
//! ```
//! An attempt is one in which the ward's phone was rung. One that found no analyst, or no way to the ward, is not counted
//! and is tried again after a longer and longer pause, until [`TRY_FOR`] is over.
//!
//! Until the ward answers nobody waits on the line, so an attempt makes room for whoever does: it stands behind all callers
//! in the line, and while it looks for an analyst it is put off as soon as a caller waits for one of the same system.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::call::context::Context;
use crate::call::guide::Guided;
use crate::call::leg::Role;
use crate::call::open::need_of;
use crate::call::{Call, EndedTicket, KnownTicket, Owner, Stage};
use crate::config::Hospital;
use crate::identity::Caller;
use crate::ids::{CallId, Extension, HospitalId, IncidentId, Language, LegId, PromptId, TicketNumber};
use crate::ivr::prompts::{CALL_BACK_FOR, NO_ANSWER, RINGBACK};
use crate::ivr::timing::PLAY_GRACE;
use crate::ivr::{CallbackCause, Origin, Plan};
use crate::routing::{Need, Priority};
use crate::sip::Status;
use crate::ticket::{CallbackOutcome, CallbackReason, DispositionCode, Event, HangupCause, Party};
use crate::time::{Duration, Instant};

/// Attempts before a callback is left to a person.
pub const MAX_ATTEMPTS: u8 = 3;
/// From the end of the call to the first attempt: time to put the phone down.
pub const FIRST_ATTEMPT_AFTER: Duration = Duration::from_secs(20);
/// Between tries; doubled for each further one in a row that found no analyst.
pub const NEXT_ATTEMPT_AFTER: Duration = Duration::from_secs(120);
/// The longest pause between two tries.
pub const MAX_PAUSE: Duration = Duration::from_secs(3_600);
/// From the booking: nothing is tried by itself later than this. Whoever could not be called back within a shift is not
/// rung in the middle of the next one, but called by a person.
pub const TRY_FOR: Duration = Duration::from_secs(8 * 3_600);
/// How long the ward phone rings.
const CLINICIAN_RINGS_FOR: Duration = Duration::from_secs(30);

/// What this call owes its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackState {
    None,
    Owed {
        reason: CallbackReason,
    },
    /// This call works off a callback.
    Attempt(Tries),
    /// Wardline tries no more by itself.
    Failed,
}

/// What was tried so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    /// Attempts: tries in which the ward's phone was rung.
    pub attempts: u8,
    /// Tries in a row since then in which it was not.
    pub in_vain: u8,
    /// The last one ended for a reason that has nothing to do with it.
    pub put_off: bool,
    /// The last one found no way to the hospital: others would not, either.
    pub no_way: bool,
    /// Nothing is tried later.
    pub until: Instant,
}

impl Tries {
    pub fn none(until: Instant) -> Tries {
        Tries { attempts: 0, in_vain: 0, put_off: false, no_way: false, until }
    }

    /// The pause before the next try.
    pub fn pause(&self) -> Duration {
        if self.put_off {
            return NEXT_ATTEMPT_AFTER;
        }
        let doubled = 1_u32.checked_shl(u32::from(self.in_vain.saturating_sub(1))).unwrap_or(u32::MAX);
        NEXT_ATTEMPT_AFTER.saturating_mul(doubled).min(MAX_PAUSE)
    }

    pub fn note(&mut self, outcome: CallbackOutcome) {
        self.no_way = outcome == CallbackOutcome::NoWay;
        self.put_off = matches!(outcome, CallbackOutcome::PutOff | CallbackOutcome::Cut);
        if outcome.rang() {
            self.attempts = self.attempts.saturating_add(1);
            self.in_vain = 0;
        } else if !self.put_off {
            self.in_vain = self.in_vain.saturating_add(1);
        }
    }

    pub fn are_over(&self, now: Instant) -> bool {
        self.attempts >= MAX_ATTEMPTS || now + self.pause() > self.until
    }
}

/// What an ended call leaves behind.
#[derive(Clone, Debug)]
pub enum Aftermath {
    Nothing,
    /// A callback, to be tried at that time.
    Due(Instant, Box<CallbackDue>),
    /// A callback for when the incident is resolved; for that time, if it is already.
    WhenFixed(IncidentId, Instant, Box<CallbackDue>),
    /// A callback that a person must make.
    Failed,
}

/// A callback that waits for its time: all that is needed to ring both sides, also after a restart.
#[derive(Clone, Debug)]
pub struct CallbackDue {
    pub call: CallId,
    pub ticket: TicketNumber,
    pub hospital: HospitalId,
    pub plan: Arc<Plan>,
    pub language: Language,
    pub caller: Caller,
    pub need: Need,
    pub tries: Tries,
    pub test: bool,
}

/// An analyst waits on the line while the clinician's phone rings, and then hears that nobody was reached.
pub(super) struct Dialling {
    analyst: LegId,
    pub(super) clinician: Option<LegId>,
    until: Instant,
    /// The clinician's phone rings: only then it is an attempt.
    rings: bool,
    /// The attempt is over, and the analyst is being told.
    telling: bool,
}

impl Dialling {
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// What it means that the clinician's phone is not picked up; `refused`: it said so.
    fn unanswered(&self, refused: Option<Status>) -> CallbackOutcome {
        match refused.map(Status::code) {
            _ if self.rings => CallbackOutcome::ClinicianNoAnswer,
            Some(486 | 600) => CallbackOutcome::ClinicianBusy,
            Some(408 | 503) | None => CallbackOutcome::NoWay,
            Some(_) => CallbackOutcome::ClinicianUnreachable,
        }
    }
}

impl Call {
    // -- Owing -------------------------------------------------------------------------------------------------------

    /// Where the caller can be called back: an extension of the hospital, or what was keyed for it, and never a number
    /// outside that the hospital does not allow (toll fraud).
    pub fn call_back_number(&self) -> Option<&Extension> {
        self.caller.call_back_number()
    }

    /// On which side of the PBX a keyed number is called back, while the hospital allows it; `None` where nobody is, and where
    /// the trunk would dial 911.
    pub(super) fn way_to_keyed(ctx: &Context<'_>, hospital: &Hospital, number: &Extension) -> Option<Origin> {
        let way = hospital.way_to(number)?;
        let trunk = ctx.config.trunk(&hospital.trunk);
        let emergency = trunk.is_some_and(|trunk| trunk.dials_emergency(number, way == Origin::Outside));
        (!emergency).then_some(way)
    }

    /// The plan books it.
    pub(super) fn book_callback(&mut self, ctx: &mut Context<'_>, cause: CallbackCause) {
        let reason = match cause {
            CallbackCause::Waiting => CallbackReason::Waiting,
            CallbackCause::Asked => CallbackReason::Asked,
            CallbackCause::NobodyFree => CallbackReason::NobodyFree,
            CallbackCause::OperatorSilent => CallbackReason::OperatorSilent,
            CallbackCause::Abandoned => CallbackReason::Abandoned,
            // Of a problem that was solved meanwhile there is nothing to wait for.
            CallbackCause::Incident if self.waits_for(ctx).is_none() => CallbackReason::Asked,
            CallbackCause::Incident => CallbackReason::Incident,
        };
        self.owe(ctx, reason);
    }

    /// The incident that the caller was told of, while it is active.
    fn waits_for(&self, ctx: &Context<'_>) -> Option<IncidentId> {
        self.incident.filter(|incident| ctx.incidents.get(*incident).is_some())
    }

    /// Books a callback, if there is a number to call; a later reason replaces an earlier one.
    pub(super) fn owe(&mut self, ctx: &mut Context<'_>, reason: CallbackReason) {
        let Some(number) = self.call_back_number().cloned() else { return };
        if self.is_callback_attempt() {
            return;
        }
        self.callback = CallbackState::Owed { reason };
        let due = ctx.wall.checked_add(FIRST_ATTEMPT_AFTER).unwrap_or(ctx.wall);
        ctx.record(Event::CallbackBooked { number, due, reason });
    }

    /// A human answered: what was booked by itself is not owed any more. Who waits for a fix still is.
    pub(super) fn cancel_callback(&mut self, ctx: &mut Context<'_>) {
        if matches!(self.callback, CallbackState::Owed { reason } if reason != CallbackReason::Incident) {
            self.callback = CallbackState::None;
            ctx.record(Event::CallbackClosed);
        }
    }

    /// A person has said how it ended. What an attempt under way still brings is noted, and nothing is tried after it.
    pub fn callback_settled(&mut self, code: DispositionCode) {
        self.disposition = Some(code);
        let settles = code.settles_callback() || self.callback == CallbackState::Failed;
        self.callback_settled |= self.ended && settles;
    }

    /// Whose ticket it is.
    pub(super) fn owner(&self) -> Owner {
        Owner {
            number: self.caller.number.as_ref().map(|number| number.value.clone()),
            unit: self.caller.place.as_ref().map(|place| place.value.unit.clone()),
            person: self.caller.person.as_ref().map(|person| person.value.clone()),
        }
    }

    /// How the ticket of this ended call stands; `None` for a call of the canary.
    pub fn ended_ticket(&self) -> Option<EndedTicket> {
        let owed = self.callback != CallbackState::None && !self.callback_settled;
        let open = match self.disposition {
            _ if owed => true,
            Some(code) => code == DispositionCode::Open,
            None => !self.spoke.is_empty(),
        };
        let (call, hospital) = (self.id, self.hospital.clone());
        (!self.test).then(|| EndedTicket { call, hospital, owner: self.owner(), open })
    }

    /// What a later caller may key of this ended call; `None` for a call of the canary.
    pub fn known_ticket(&self) -> Option<KnownTicket> {
        let (number, hospital, analyst) = (self.ticket, self.hospital.clone(), self.spoke.last().cloned());
        (!self.test).then_some(KnownTicket { number, hospital, analyst })
    }

    /// What this ended call leaves behind.
    pub fn aftermath(self, now: Instant) -> Aftermath {
        if self.callback_settled {
            return Aftermath::Nothing;
        }
        let (at, tries) = match self.callback {
            CallbackState::None => return Aftermath::Nothing,
            CallbackState::Failed => return Aftermath::Failed,
            CallbackState::Owed { .. } => (now + FIRST_ATTEMPT_AFTER, Tries::none(now + TRY_FOR)),
            CallbackState::Attempt(tries) => (now + tries.pause(), tries),
        };
        let waits_for = match self.callback {
            CallbackState::Owed { reason: CallbackReason::Incident } => self.incident,
            CallbackState::Owed { .. } | CallbackState::None | CallbackState::Attempt(_) | CallbackState::Failed => {
                None
            }
        };
        let due = CallbackDue {
            call: self.id,
            ticket: self.ticket,
            hospital: self.hospital,
            plan: self.plan,
            language: self.language,
            caller: self.caller,
            need: self.need,
            tries,
            test: self.test,
        };
        match waits_for {
            Some(incident) => Aftermath::WhenFixed(incident, at, Box::new(due)),
            None => Aftermath::Due(at, Box::new(due)),
        }
    }

    // -- An attempt --------------------------------------------------------------------------------------------------

    pub(super) fn is_callback_attempt(&self) -> bool {
        matches!(self.callback, CallbackState::Attempt(_) | CallbackState::Failed)
    }

    /// An attempt to call back whose ward is not on the line: nobody waits in it.
    pub fn is_without_caller(&self) -> bool {
        self.caller_leg.is_none()
    }

    /// Its analyst is still looked for, and perhaps rung.
    pub fn seeks_analyst(&self) -> bool {
        self.is_without_caller() && matches!(self.stage, Stage::Guided(_))
    }

    /// An attempt ends before an analyst was found, and is made another time.
    pub fn put_off(&mut self, ctx: &mut Context<'_>, outcome: CallbackOutcome) {
        if self.seeks_analyst() {
            self.attempt_failed(ctx, outcome);
        }
        self.settle(ctx, VecDeque::new());
    }

    /// Works off a callback: the hunt for an analyst begins at once, under the same ticket.
    pub fn calling_back(ctx: &mut Context<'_>, due: CallbackDue) -> Call {
        let hunting = Arc::clone(&due.plan.hunting);
        let need = Need { site: due.need.site.clone().or(need_of(&due.caller, &due.language).site), ..due.need };
        let mut call = Call {
            id: due.call,
            ticket: due.ticket,
            hospital: due.hospital,
            plan: due.plan,
            language: due.language,
            caller: due.caller,
            incident: None,
            follows: None,
            need,
            priority: Priority::Normal,
            disposition: None,
            test: due.test,
            trunk: None,
            opened: ctx.now,
            caller_leg: None,
            legs: BTreeMap::new(),
            stage: Stage::Guided(Box::new(Guided::again(Arc::clone(&hunting), None))),
            callback: CallbackState::Attempt(due.tries),
            callback_settled: false,
            spoke: Vec::new(),
            lost: BTreeSet::new(),
            returns: 0,
            // The call itself ended long ago; an attempt has its own records.
            ended: true,
            attempt_settled: false,
            plan_effects: VecDeque::new(),
            carrying: false,
            #[cfg(test)]
            breaks_at_the_end: false,
        };
        call.begin_hunt(ctx, &hunting);
        call.settle(ctx, VecDeque::new());
        call
    }

    /// An analyst is on the line: ring the ward.
    pub(super) fn dial_clinician(&mut self, ctx: &mut Context<'_>, analyst: LegId) {
        let target = self.hospital(ctx).and_then(|hospital| {
            let number = self.call_back_number()?;
            // What was keyed must be allowed still.
            let outside =
                self.caller.call_back.is_some() && Call::way_to_keyed(ctx, hospital, number)? == Origin::Outside;
            ctx.reach.number(&hospital.trunk, number.as_str(), outside)
        });
        let clinician = target.and_then(|target| self.invite(ctx, Role::Caller, target));
        let until = ctx.now + CLINICIAN_RINGS_FOR;
        self.stage = Stage::Dialling(Dialling { analyst, clinician, until, rings: false, telling: false });
        if clinician.is_none() {
            self.attempt_failed(ctx, CallbackOutcome::NoWay);
            return;
        }
        let (language, words) = (self.language.clone(), self.call_back_words(ctx));
        if let Some(leg) = self.legs.get_mut(&analyst) {
            leg.say(ctx, &language, &words);
        }
    }

    /// "Call back for four west."
    fn call_back_words(&self, ctx: &Context<'_>) -> Vec<PromptId> {
        [PromptId::new(CALL_BACK_FOR)].into_iter().chain(self.unit_prompt(ctx)).collect()
    }

    pub(super) fn dialling_words_done(&mut self, ctx: &mut Context<'_>, id: LegId) {
        let language = self.language.clone();
        let Stage::Dialling(dialling) = &self.stage else { return };
        if dialling.analyst != id {
            return;
        }
        if dialling.telling {
            self.attempt_over(ctx);
        } else if let Some(leg) = self.legs.get_mut(&id) {
            leg.play_loop(ctx, &language, PromptId::new(RINGBACK));
        }
    }

    pub(super) fn clinician_rings(&mut self, id: LegId) {
        if let Stage::Dialling(dialling) = &mut self.stage
            && dialling.clinician == Some(id)
        {
            dialling.rings = true;
        }
    }

    pub(super) fn clinician_answered(&mut self, ctx: &mut Context<'_>, id: LegId) {
        let Stage::Dialling(dialling) = &self.stage else { return };
        if dialling.clinician != Some(id) {
            self.cancel_legs(&[id], None);
            return;
        }
        let analyst = dialling.analyst;
        self.caller_leg = Some(id);
        self.talk(ctx, analyst, Party::Analyst);
    }

    pub(super) fn dialling_timeout(&mut self, ctx: &mut Context<'_>) {
        let Stage::Dialling(dialling) = &self.stage else { return };
        if dialling.until > ctx.now {
            return;
        }
        if dialling.telling {
            self.attempt_over(ctx);
        } else {
            let outcome = dialling.unanswered(None);
            self.attempt_failed(ctx, outcome);
        }
    }

    /// The clinician's phone said no, or nobody is there.
    pub(super) fn clinician_refused(&mut self, ctx: &mut Context<'_>, id: LegId, status: Status) {
        let Stage::Dialling(dialling) = &self.stage else { return };
        if dialling.clinician == Some(id) {
            let outcome = dialling.unanswered(Some(status));
            self.attempt_failed(ctx, outcome);
        }
    }

    /// The analyst hung up while the clinician's phone was called.
    pub(super) fn dialling_analyst_left(&mut self, ctx: &mut Context<'_>) {
        let Stage::Dialling(dialling) = &self.stage else { return };
        let outcome = if dialling.rings { CallbackOutcome::Failed } else { CallbackOutcome::AnalystLeft };
        self.attempt_failed(ctx, outcome);
    }

    /// Nobody, or not both: the next attempt comes in its time. An analyst who is on the line is told first.
    pub(super) fn attempt_failed(&mut self, ctx: &mut Context<'_>, outcome: CallbackOutcome) {
        if !self.is_callback_attempt() || matches!(self.stage, Stage::Over) {
            return;
        }
        self.stop_hunt(ctx);
        self.attempted(ctx, outcome);
        if !self.tell_analyst(ctx) {
            self.attempt_over(ctx);
        }
    }

    /// "Call back for four west. No answer." `false`: there is nobody to be told, or who was told already.
    fn tell_analyst(&mut self, ctx: &mut Context<'_>) -> bool {
        let mut words = self.call_back_words(ctx);
        words.push(PromptId::new(NO_ANSWER));
        words.retain(|prompt| ctx.config.prompts.contains(&self.language, prompt));
        let language = self.language.clone();
        let Stage::Dialling(dialling) = &mut self.stage else { return false };
        let called = dialling.clinician.take();
        let listens = self.legs.get_mut(&dialling.analyst).filter(|leg| !leg.usage.has_ended());
        let Some(leg) = listens.filter(|_| !dialling.telling && !words.is_empty()) else { return false };
        dialling.telling = true;
        dialling.until = ctx.now + leg.say(ctx, &language, &words) + PLAY_GRACE;
        self.cancel_legs(called.as_slice(), None);
        true
    }

    /// Whoever is still on the line is let go; an analyst who answered has time to note it.
    fn attempt_over(&mut self, ctx: &mut Context<'_>) {
        if let Stage::Dialling(dialling) = std::mem::replace(&mut self.stage, Stage::Over) {
            self.free_analyst(ctx, dialling.analyst);
        }
        ctx.desk.call_over(self.id, ctx.now);
        self.let_all_go(ctx, None);
    }

    /// An attempt is over by the end of its conversation, or cut short: done only when both spoke and a person ended it. A
    /// fault of ours counts as an attempt, so that the same one is not met for ever.
    pub(super) fn settle_callback(&mut self, ctx: &mut Context<'_>, cause: HangupCause) {
        let by_a_person = matches!(cause, HangupCause::Normal | HangupCause::Transferred);
        let outcome = match &self.stage {
            _ if cause == HangupCause::Shutdown => CallbackOutcome::Cut,
            _ if cause == HangupCause::InternalError => CallbackOutcome::Failed,
            Stage::Talking(_) if by_a_person && self.both_heard() => CallbackOutcome::BothSpoke,
            Stage::Dialling(dialling) if dialling.rings => CallbackOutcome::Failed,
            _ if self.caller_leg.is_some() => CallbackOutcome::Failed,
            Stage::Guided(_) | Stage::Dialling(_) | Stage::Talking(_) | Stage::Survey(_) | Stage::Over => {
                CallbackOutcome::Cut
            }
        };
        self.attempted(ctx, outcome);
    }

    fn both_heard(&self) -> bool {
        let Stage::Talking(talk) = &self.stage else { return false };
        let heard = |id: &LegId| self.legs.get(id).is_some_and(|leg| leg.heard);
        self.caller_leg.as_ref().is_some_and(heard) && heard(&talk.peer)
    }

    /// How it went, once.
    fn attempted(&mut self, ctx: &mut Context<'_>, outcome: CallbackOutcome) {
        let CallbackState::Attempt(tries) = &mut self.callback else { return };
        if std::mem::replace(&mut self.attempt_settled, true) {
            return;
        }
        tries.note(outcome);
        ctx.record(Event::CallbackAttempted { attempt: tries.attempts, outcome });
        if outcome == CallbackOutcome::BothSpoke {
            ctx.record(Event::CallbackClosed);
            self.callback = CallbackState::None;
        } else if tries.are_over(ctx.now) {
            ctx.record(Event::CallbackGivenUp);
            self.callback = CallbackState::Failed;
        }
    }
}

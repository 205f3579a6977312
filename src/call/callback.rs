//! Callbacks in their simple form: an analyst first, then the calling extension, three attempts. A callback is owed from
//! the moment it is booked until both spoke or a person has dealt with it; the switch keeps what is due.
//!
//! ```text
//!  None ──booked──▶ Owed ──the call ends──▶ (due, in the switch) ──▶ Attempt ──both spoke──▶ closed
//!            └──a human answers──▶ closed        ▲  ▲                 │ │ │
//!                                                │  └─no analyst found┘ │ └─three times, or too late─▶ Failed: a person's
//!                                                └──the ward was rung───┘
//! ```
//! An attempt is one in which the ward's phone was rung. One that found no analyst is not counted and is tried again after
//! a longer and longer pause, until [`TRY_FOR`] is over.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::call::context::Context;
use crate::call::guide::Guided;
use crate::call::leg::Role;
use crate::call::open::need_of;
use crate::call::{Call, EndedTicket, KnownTicket, Owner, Stage};
use crate::config::Hospital;
use crate::identity::Caller;
use crate::ids::{CallId, Extension, HospitalId, IncidentId, Language, LegId, PromptId, TicketNumber};
use crate::ivr::prompts::{CALL_BACK_FOR, RINGBACK};
use crate::ivr::{CallbackCause, Origin, Plan};
use crate::routing::{Need, Priority};
use crate::ticket::{CallbackOutcome, CallbackReason, DispositionCode, Event, Party};
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
    /// Nothing is tried later.
    pub until: Instant,
}

impl Tries {
    pub fn none(until: Instant) -> Tries {
        Tries { attempts: 0, in_vain: 0, until }
    }

    /// The pause before the next try.
    pub fn pause(&self) -> Duration {
        let doubled = 1_u32.checked_shl(u32::from(self.in_vain.saturating_sub(1))).unwrap_or(u32::MAX);
        NEXT_ATTEMPT_AFTER.saturating_mul(doubled).min(MAX_PAUSE)
    }

    pub fn note(&mut self, outcome: CallbackOutcome) {
        if outcome.rang() {
            self.attempts = self.attempts.saturating_add(1);
            self.in_vain = 0;
        } else {
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

/// An analyst waits on the line while the clinician's phone rings.
pub(super) struct Dialling {
    analyst: LegId,
    pub(super) clinician: Option<LegId>,
    until: Instant,
}

impl Dialling {
    pub(super) fn until(&self) -> Instant {
        self.until
    }
}

impl Call {
    // -- Owing -------------------------------------------------------------------------------------------------------

    /// Where the caller can be called back: an extension of the hospital, or what was keyed for it, and never a number
    /// outside that the hospital does not allow (toll fraud).
    pub(super) fn call_back_number(&self) -> Option<&Extension> {
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
            stage: Stage::Guided(Box::new(Guided::again(Arc::clone(&hunting)))),
            callback: CallbackState::Attempt(due.tries),
            callback_settled: false,
            spoke: Vec::new(),
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
        self.stage = Stage::Dialling(Dialling { analyst, clinician, until: ctx.now + CLINICIAN_RINGS_FOR });
        let mut words = vec![PromptId::new(CALL_BACK_FOR)];
        words.extend(self.unit_prompt(ctx));
        let language = self.language.clone();
        if let Some(leg) = self.legs.get_mut(&analyst) {
            leg.say(ctx, &language, &words);
        }
        if clinician.is_none() {
            self.attempt_failed(ctx, CallbackOutcome::NoWay);
        }
    }

    pub(super) fn dialling_words_done(&mut self, ctx: &mut Context<'_>, id: LegId) {
        let language = self.language.clone();
        if let (Stage::Dialling(dialling), Some(leg)) = (&self.stage, self.legs.get_mut(&id))
            && dialling.analyst == id
        {
            leg.play_loop(ctx, &language, PromptId::new(RINGBACK));
        }
    }

    pub(super) fn clinician_answered(&mut self, ctx: &mut Context<'_>, id: LegId) {
        let Stage::Dialling(dialling) = &self.stage else { return };
        if dialling.clinician != Some(id) {
            return;
        }
        let analyst = dialling.analyst;
        self.caller_leg = Some(id);
        self.talk(ctx, analyst, Party::Analyst);
    }

    pub(super) fn dialling_timeout(&mut self, ctx: &mut Context<'_>) {
        if matches!(&self.stage, Stage::Dialling(dialling) if dialling.until <= ctx.now) {
            self.attempt_failed(ctx, CallbackOutcome::ClinicianNoAnswer);
        }
    }

    /// Nobody, or not both: the next attempt comes in its time.
    pub(super) fn attempt_failed(&mut self, ctx: &mut Context<'_>, outcome: CallbackOutcome) {
        if !self.is_callback_attempt() || matches!(self.stage, Stage::Over) {
            return;
        }
        self.stop_hunt(ctx);
        self.attempted(ctx, outcome);
        self.stage = Stage::Over;
        ctx.desk.call_over(self.id, ctx.now);
        self.let_all_go(ctx, None);
    }

    /// An attempt is over by the end of its conversation, or by ours: done only when both spoke.
    pub(super) fn settle_callback(&mut self, ctx: &mut Context<'_>) {
        if !self.is_callback_attempt() || std::mem::replace(&mut self.attempt_settled, true) {
            return;
        }
        let outcome = match &self.stage {
            Stage::Talking(_) if self.both_heard() => CallbackOutcome::BothSpoke,
            Stage::Guided(_) => CallbackOutcome::NoAnalyst,
            Stage::Talking(_) | Stage::Dialling(_) | Stage::Survey(_) | Stage::Over => CallbackOutcome::Failed,
        };
        self.attempted(ctx, outcome);
    }

    fn both_heard(&self) -> bool {
        let Stage::Talking(talk) = &self.stage else { return false };
        let heard = |id: &LegId| self.legs.get(id).is_some_and(|leg| leg.heard);
        self.caller_leg.as_ref().is_some_and(heard) && heard(&talk.peer)
    }

    fn attempted(&mut self, ctx: &mut Context<'_>, outcome: CallbackOutcome) {
        let CallbackState::Attempt(tries) = &mut self.callback else { return };
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

//! Callbacks in their simple form: an analyst first, then the calling extension, three attempts. A callback is owed from
//! the moment it is booked until both spoke, or the attempts are used up; the switch keeps what is due.
//!
//! ```text
//!  None ──booked──▶ Owed ──the call ends──▶ (due, in the switch) ──▶ Attempt 1..3 ──both spoke──▶ closed
//!            └──a human answers──▶ closed                  ▲               └──nobody──┘
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::call::context::Context;
use crate::call::guide::{Guided, RINGBACK};
use crate::call::leg::Role;
use crate::call::open::need_of;
use crate::call::{Call, Stage};
use crate::identity::Caller;
use crate::ids::{CallId, Extension, HospitalId, Language, LegId, PromptId, TicketNumber};
use crate::ivr::{CallbackCause, Plan};
use crate::routing::Need;
use crate::ticket::{CallbackOutcome, CallbackReason, Event, Party};
use crate::time::{Duration, Instant};

/// Attempts before a callback is given up and shown as failed.
pub const MAX_ATTEMPTS: u8 = 3;
/// From the end of the call to the first attempt: time to put the phone down.
pub const FIRST_ATTEMPT_AFTER: Duration = Duration::from_secs(20);
/// Between attempts.
pub const NEXT_ATTEMPT_AFTER: Duration = Duration::from_secs(120);
/// How long the ward phone rings.
const CLINICIAN_RINGS_FOR: Duration = Duration::from_secs(30);

/// What this call owes its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackState {
    None,
    Owed {
        reason: CallbackReason,
    },
    /// This call is the attempt of that number, from 1.
    Attempt {
        number: u8,
    },
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
    /// Attempts already made.
    pub attempts: u8,
    pub test: bool,
}

/// An analyst waits on the line while the clinician's phone rings.
pub(super) struct Dialling {
    analyst: LegId,
    clinician: Option<LegId>,
    until: Instant,
}

impl Dialling {
    pub(super) fn until(&self) -> Instant {
        self.until
    }
}

impl Call {
    // -- Owing -------------------------------------------------------------------------------------------------------

    /// Where the caller can be called back: an extension of the hospital, never a number outside (toll fraud).
    pub(super) fn call_back_number(&self) -> Option<&Extension> {
        self.caller.extension.as_ref().map(|extension| &extension.value)
    }

    /// The plan books it.
    pub(super) fn book_callback(&mut self, ctx: &mut Context<'_>, cause: CallbackCause) {
        let reason = match cause {
            CallbackCause::Waiting => CallbackReason::Waiting,
            CallbackCause::Asked => CallbackReason::Asked,
            CallbackCause::NobodyFree => CallbackReason::NobodyFree,
            CallbackCause::OperatorSilent => CallbackReason::OperatorSilent,
            CallbackCause::Abandoned => CallbackReason::Abandoned,
        };
        self.owe(ctx, reason);
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

    /// A human answered: what was booked by itself is not owed any more.
    pub(super) fn cancel_callback(&mut self, ctx: &mut Context<'_>) {
        if matches!(self.callback, CallbackState::Owed { .. }) {
            self.callback = CallbackState::None;
            ctx.record(Event::CallbackClosed { done: true });
        }
    }

    /// The callback that this ended call leaves behind.
    pub fn into_due(self) -> Option<CallbackDue> {
        let attempts = match self.callback {
            CallbackState::None => return None,
            CallbackState::Owed { .. } => 0,
            CallbackState::Attempt { number } => number,
        };
        Some(CallbackDue {
            call: self.id,
            ticket: self.ticket,
            hospital: self.hospital,
            plan: self.plan,
            language: self.language,
            caller: self.caller,
            need: self.need,
            attempts,
            test: self.test,
        })
    }

    // -- An attempt --------------------------------------------------------------------------------------------------

    pub(super) fn is_callback_attempt(&self) -> bool {
        matches!(self.callback, CallbackState::Attempt { .. })
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
            need,
            test: due.test,
            trunk: None,
            opened: ctx.now,
            caller_leg: None,
            legs: BTreeMap::new(),
            stage: Stage::Guided(Box::new(Guided::again(Arc::clone(&hunting)))),
            callback: CallbackState::Attempt { number: due.attempts + 1 },
            spoke: Vec::new(),
            // The call itself ended long ago; an attempt has its own records.
            ended: true,
            attempt_settled: false,
            plan_effects: VecDeque::new(),
            carrying: false,
        };
        call.begin_hunt(ctx, &hunting);
        call.settle(ctx, VecDeque::new());
        call
    }

    /// An analyst is on the line: ring the ward.
    pub(super) fn dial_clinician(&mut self, ctx: &mut Context<'_>, analyst: LegId) {
        let target = self.hospital(ctx).map(|hospital| hospital.trunk.clone()).and_then(|trunk| {
            let number = self.call_back_number()?;
            ctx.reach.number(&trunk, number.as_str(), false)
        });
        let clinician = target.and_then(|target| self.invite(ctx, Role::Caller, target));
        self.stage = Stage::Dialling(Dialling { analyst, clinician, until: ctx.now + CLINICIAN_RINGS_FOR });
        let mut words = vec![PromptId::new("call-back-for")];
        words.extend(self.unit_prompt(ctx));
        let language = self.language.clone();
        if let Some(leg) = self.legs.get_mut(&analyst) {
            leg.say(ctx, &language, &words);
        }
        if clinician.is_none() {
            self.attempt_failed(ctx, CallbackOutcome::Failed);
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
        let CallbackState::Attempt { number } = self.callback else { return };
        if matches!(self.stage, Stage::Over) {
            return;
        }
        self.stop_hunt(ctx);
        self.attempted(ctx, number, outcome);
        self.stage = Stage::Over;
        ctx.desk.call_over(self.id, ctx.now);
        self.let_all_go(ctx, None);
    }

    /// The conversation of an attempt is over: done only when both spoke.
    pub(super) fn settle_callback(&mut self, ctx: &mut Context<'_>) {
        let CallbackState::Attempt { number } = self.callback else { return };
        if std::mem::replace(&mut self.attempt_settled, true) {
            return;
        }
        let both = matches!(self.stage, Stage::Talking(_)) && self.both_heard();
        self.attempted(ctx, number, if both { CallbackOutcome::BothSpoke } else { CallbackOutcome::Failed });
    }

    fn both_heard(&self) -> bool {
        let Stage::Talking(talk) = &self.stage else { return false };
        let heard = |id: &LegId| self.legs.get(id).is_some_and(|leg| leg.heard);
        self.caller_leg.as_ref().is_some_and(heard) && heard(&talk.peer)
    }

    fn attempted(&mut self, ctx: &mut Context<'_>, attempt: u8, outcome: CallbackOutcome) {
        ctx.record(Event::CallbackAttempted { attempt, outcome });
        let done = outcome == CallbackOutcome::BothSpoke;
        if done || attempt >= MAX_ATTEMPTS {
            ctx.record(Event::CallbackClosed { done });
            self.callback = CallbackState::None;
        }
    }
}

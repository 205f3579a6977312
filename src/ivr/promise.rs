//! The `callback` step: booked first, kept for good, and only then promised in words.
//!
//! ```text
//!  enter ──no number to call──▶ Closing (no_number, else "Sorry, a fault. Please call again.")
//!    └──book──▶ Promising ──Kept──▶ Closing (say)
//!                   └──PROMISE_WITHIN──▶ Closing (the same)
//! ```
//! A callback that could not be kept in time stays booked: it is made if it can be, and promised to nobody.

use std::sync::Arc;

use crate::ids::PromptId;
use crate::ivr::facts::{CallbackCause, World};
use crate::ivr::interpreter::{Interpreter, State};
use crate::ivr::plan::{At, Callback, StepKind, Utterance, Word};
use crate::ivr::prompts::FAULT;
use crate::time::{Duration, Instant};

/// A journal that works keeps a record within some ms; the caller hears the ringing tone or nothing meanwhile.
pub const PROMISE_WITHIN: Duration = Duration::from_secs(1);

/// What is said when nobody can promise to call back: never nothing, whatever a slot holds.
pub fn unpromised<R>(callback: &Callback<R>) -> Utterance {
    let plain = callback.no_number.clone();
    let is_heard = plain.0.iter().any(|word| word.prompt().is_some());
    if is_heard { plain } else { Utterance(vec![Word::Prompt(PromptId::new(FAULT))]) }
}

impl Interpreter {
    pub(super) fn enter_callback(&mut self, now: Instant, at: At, callback: &Callback<At>) -> Option<At> {
        self.withdraw();
        if callback.cause == CallbackCause::Incident {
            // Whoever stays on is rung for anew.
            self.alerted = None;
        }
        if !self.facts.can_call_back {
            return self.last_words(callback, &unpromised(callback));
        }
        self.book(callback.cause);
        if self.kept {
            return self.last_words(callback, &callback.say);
        }
        self.state = State::Promising { at, until: now + PROMISE_WITHIN };
        None
    }

    pub(super) fn callback_kept(&mut self, now: Instant, world: &dyn World) {
        self.kept = true;
        self.promised(now, world, |callback| callback.say.clone());
    }

    pub(super) fn promise_overdue(&mut self, now: Instant, world: &dyn World) {
        self.promised(now, world, unpromised);
    }

    /// What is said of the callback is known now.
    fn promised(&mut self, now: Instant, world: &dyn World, words: impl FnOnce(&Callback<At>) -> Utterance) {
        let State::Promising { at, .. } = self.state else { return };
        let plan = Arc::clone(&self.plan);
        let StepKind::Callback(callback) = &plan.step(at).kind else { return };
        if let Some(next) = self.last_words(callback, &words(callback)) {
            self.go(next, now, world);
        }
    }

    /// Where to go at once, when there is nothing to say.
    fn last_words(&mut self, callback: &Callback<At>, words: &Utterance) -> Option<At> {
        self.state = State::Closing { next: callback.next };
        if self.say(words) {
            return None;
        }
        if callback.next.is_none() {
            self.hang_up();
        }
        callback.next
    }
}

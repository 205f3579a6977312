//! The `collect` step: a number is asked for, keyed, and looked up.
//!
//! ```text
//!  Collect ──complete, time-out──▶ Effect::Check, Checking ──Checked──▶ accepted
//!     ▲                                                        ├──▶ asked again while tries are left
//!     └────────────────────────────────────────────────────────┘      else rejected
//! ```
//! The verdict comes in the same instant, from whoever carries the effect out: it takes no time of the call.

use std::sync::Arc;

use crate::digit::Digit;
use crate::ids::StepId;
use crate::ivr::entry::{Entered, Entry, Keyed as EntryKey};
use crate::ivr::facts::World;
use crate::ivr::interpreter::{Effect, Interpreter, State};
use crate::ivr::plan::{At, Collect, Number, StepKind};
use crate::time::Instant;

impl Interpreter {
    pub(super) fn ask_number(
        &mut self,
        now: Instant,
        at: At,
        collect: &Collect<At>,
        tries_left: u8,
        world: &dyn World,
    ) -> Option<At> {
        self.state = State::Collect { at, tries_left, entry: Entry::new(collect.number), until: None };
        if self.typed.is_empty() {
            if !self.say(&collect.say) {
                self.after_words(now, world);
            }
            return None;
        }
        // Keys that were typed ahead end with the number that they complete.
        while matches!(self.state, State::Collect { at: asked, tries_left: left, .. } if asked == at && left == tries_left)
        {
            let Some(key) = self.typed.pop_front() else { break };
            self.collect_key(now, key, world);
        }
        None
    }

    pub(super) fn collect_key(&mut self, now: Instant, key: Digit, world: &dyn World) {
        self.quiet();
        let State::Collect { entry, until, .. } = &mut self.state else { return };
        *until = Some(entry.until(now));
        match entry.key(key) {
            EntryKey::More => {}
            EntryKey::Complete => {
                let entered = entry.clone().complete();
                self.collected(now, entered, world);
            }
            EntryKey::Emergency => {
                if !self.operator(now, world) {
                    self.collected(now, Entered::Nothing, world);
                }
            }
        }
    }

    pub(super) fn collected(&mut self, now: Instant, entered: Entered, world: &dyn World) {
        let State::Collect { at, tries_left, .. } = &self.state else { return };
        let (at, tries_left) = (*at, *tries_left);
        let plan = Arc::clone(&self.plan);
        let StepKind::Collect(collect) = &plan.step(at).kind else { return };
        let way = match entered {
            Entered::Number(digits) => {
                self.state = State::Checking { at, tries_left, what: collect.number.what };
                self.check(now, plan.step(at).id.clone(), collect.number, digits);
                return;
            }
            Entered::Person if self.person(now, world) => return,
            Entered::Operator if self.operator(now, world) => return,
            Entered::Nothing | Entered::Person | Entered::Operator => collect.silence,
        };
        self.asked_again(now, at, tries_left, way, world);
    }

    /// The verdict on what was keyed last.
    pub(super) fn checked(&mut self, now: Instant, accepted: bool, world: &dyn World) {
        let plan = Arc::clone(&self.plan);
        match &mut self.state {
            State::Checking { at, tries_left, .. } => {
                let (at, tries_left) = (*at, *tries_left);
                let StepKind::Collect(collect) = &plan.step(at).kind else { return };
                if accepted {
                    self.go(collect.accepted, now, world);
                } else {
                    self.asked_again(now, at, tries_left, collect.rejected, world);
                }
            }
            State::Connect(ringing) => ringing.checked(accepted),
            State::Idle
            | State::Play { .. }
            | State::Menu { .. }
            | State::Collect { .. }
            | State::Transfer { .. }
            | State::Promising { .. }
            | State::Closing { .. }
            | State::Ended => {}
        }
    }

    pub(super) fn check(&mut self, now: Instant, step: StepId, number: Number, digits: String) {
        if number.what.is_secret() {
            // Whoever keys more digits than were asked for keys them now.
            self.hidden_until = Some(now + number.wait);
        }
        self.effects.push_back(Effect::Check { step, what: number.what, digits });
    }

    /// Asked again while tries are left, then on to `way`.
    fn asked_again(&mut self, now: Instant, at: At, tries_left: u8, way: At, world: &dyn World) {
        let plan = Arc::clone(&self.plan);
        let StepKind::Collect(collect) = &plan.step(at).kind else { return };
        if tries_left > 1 {
            self.ask_number(now, at, collect, tries_left - 1, world);
        } else {
            self.go(way, now, world);
        }
    }
}

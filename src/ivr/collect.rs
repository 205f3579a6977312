//! The `collect` step: a number is asked for, keyed, and looked up.

use std::sync::Arc;

use crate::digit::Digit;
use crate::ivr::entry::{Entered, Entry, Keyed as EntryKey};
use crate::ivr::facts::World;
use crate::ivr::interpreter::{Effect, Interpreter, State};
use crate::ivr::plan::{At, Collect, StepKind};
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
                let what = collect.number.what;
                let accepted = world.knows(what, &digits);
                self.effects.push_back(Effect::Collected { step: plan.step(at).id.clone(), what, digits, accepted });
                if accepted {
                    self.go(collect.accepted, now, world);
                    return;
                }
                collect.rejected
            }
            Entered::Person if self.person(now, world) => return,
            Entered::Operator if self.operator(now, world) => return,
            Entered::Nothing | Entered::Person | Entered::Operator => collect.silence,
        };
        if tries_left > 1 {
            self.ask_number(now, at, collect, tries_left - 1, world);
        } else {
            self.go(way, now, world);
        }
    }
}

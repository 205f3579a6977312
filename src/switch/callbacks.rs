//! The callback book: what is owed, in order of time. Each attempt is a call of its own kind under the old ticket.

use std::collections::{BTreeMap, BTreeSet};

use crate::call::Call;
use crate::call::{CallbackDue, NEXT_ATTEMPT_AFTER};
use crate::ids::{CallId, IncidentId};
use crate::switch::carry::guarded;
use crate::switch::{Count, Switch};
use crate::ticket::{CallbackOutcome, DispositionCode, Event};
use crate::time::{Duration, Instant};

/// Callbacks owed at a time: an outage of a whole hospital.
const MAX_CALLBACKS: usize = 2_000;
/// Attempts begun within one second, so that a restart after an outage does not ring the whole desk at once.
const MAX_AT_ONCE: usize = 4;
const BREATHER: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Callbacks {
    due: BTreeMap<(Instant, CallId), CallbackDue>,
    /// What waits for a known problem to be fixed; it counts among [`MAX_CALLBACKS`].
    when_fixed: BTreeMap<(IncidentId, CallId), CallbackDue>,
    /// Not tried any more: a person must call.
    failed: BTreeSet<CallId>,
    /// No attempt begins before this.
    next_batch: Instant,
    refused: u64,
}

impl Callbacks {
    pub(super) fn add_at(&mut self, at: Instant, due: CallbackDue) {
        if self.len() < MAX_CALLBACKS {
            self.due.insert((at, due.call), due);
        } else {
            // Its ticket still says that it is owed.
            self.refused += 1;
        }
    }

    pub(super) fn add_when_fixed(&mut self, incident: IncidentId, due: CallbackDue) {
        if self.len() < MAX_CALLBACKS {
            self.when_fixed.insert((incident, due.call), due);
        } else {
            self.refused += 1;
        }
    }

    /// Takes out everything that waits for it.
    pub(super) fn fixed(&mut self, incident: IncidentId) -> Vec<CallbackDue> {
        self.when_fixed.extract_if(.., |(waited_for, _), _| *waited_for == incident).map(|(_, due)| due).collect()
    }

    /// Counts what Wardline tries no more by itself.
    pub(super) fn leave_to_a_person(&mut self, call: CallId) {
        if self.failed.len() < MAX_CALLBACKS {
            self.failed.insert(call);
        } else {
            self.refused += 1;
        }
    }

    /// A person has set the ticket's disposition. What is still tried ends only by a word that ends the matter.
    pub(super) fn settle(&mut self, call: CallId, code: DispositionCode) {
        self.failed.remove(&call);
        if code.settles_callback() {
            self.due.retain(|(_, due), _| *due != call);
            self.when_fixed.retain(|(_, due), _| *due != call);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due.keys().next().map(|(at, _)| (*at).max(self.next_batch))
    }

    pub(super) fn len(&self) -> usize {
        self.due.len() + self.when_fixed.len()
    }

    pub(super) fn failed(&self) -> usize {
        self.failed.len()
    }

    /// Callbacks that found the book full.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }
}

impl Switch {
    /// Begins the attempts that are due, a few at a time. While draining they wait for the next process.
    pub(super) fn callbacks_due(&mut self, now: Instant) {
        if now < self.callbacks.next_batch {
            return;
        }
        for _ in 0..MAX_AT_ONCE {
            let Some(entry) = self.callbacks.due.first_entry().filter(|entry| entry.key().0 <= now) else { return };
            let due = entry.remove();
            if self.draining {
                self.callbacks.add_at(now + NEXT_ATTEMPT_AFTER, due);
                continue;
            }
            let id = due.call;
            let broken = due.clone();
            let (call, effects) = self.in_context(now, id, |ctx| guarded(|| Call::calling_back(ctx, due)));
            self.carry(now, id, effects);
            match call {
                Some(call) => self.keep(now, call),
                None => self.attempt_broke(now, broken),
            }
        }
        self.callbacks.next_batch = now + BREATHER;
    }

    /// An attempt that panicked as it began counts as one, so that the same fault is not met for ever.
    fn attempt_broke(&mut self, now: Instant, mut due: CallbackDue) {
        self.count(Count::CallFault);
        self.forget_call(now, due.call);
        let outcome = CallbackOutcome::Failed;
        due.tries.note(outcome);
        self.record(now, Some(due.call), Event::CallbackAttempted { attempt: due.tries.attempts, outcome });
        if due.tries.are_over(now) {
            self.record(now, Some(due.call), Event::CallbackGivenUp);
            self.callbacks.leave_to_a_person(due.call);
        } else {
            self.callbacks.add_at(now + due.tries.pause(), due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::LegId;
    use crate::switch::tests::owing;
    use crate::switch::{Action, LegIndex};

    #[test]
    fn an_attempt_that_breaks_as_it_begins_leaves_nothing_and_is_made_three_times() {
        let call = CallId(ulid::Ulid(7));
        let mut switch = owing(call);
        let mut now = Instant::ZERO;
        for attempt in 1..=3 {
            let ((at, _), due) = switch.callbacks.due.pop_first().expect("owed");
            now = at;
            let dialog = ("call".to_owned(), "tag".to_owned());
            let leg = LegIndex { call, dialog, invite: None, servers: Vec::new() };
            switch.legs.insert(LegId(attempt), leg);
            switch.attempt_broke(now, due);
            assert!(switch.legs.is_empty());
            assert_eq!(switch.callbacks.due.len() as u64, u64::from(attempt < 3));
        }
        assert_eq!(switch.callbacks.failed(), 1);
        assert!(now >= Instant::ZERO + NEXT_ATTEMPT_AFTER * 2, "with pauses between");
        let closed = switch.actions.iter().filter(|action| matches!(action, Action::Media(_))).count();
        assert_eq!(closed, 3);
    }
}

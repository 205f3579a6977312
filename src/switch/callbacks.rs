//! The callback book: what is owed, in order of time. Each attempt is a call of its own kind under the old ticket, and
//! comes behind everybody who is on the line.

use std::collections::{BTreeMap, BTreeSet};

use crate::call::{Call, CallbackDue, NEXT_ATTEMPT_AFTER};
use crate::ids::{CallId, HospitalId, IncidentId};
use crate::switch::carry::guarded;
use crate::switch::trunks::Health;
use crate::switch::{Count, Switch};
use crate::ticket::{CallbackOutcome, DispositionCode, Event};
use crate::time::{Duration, Instant};

/// Callbacks owed at a time: an outage of a whole hospital.
const MAX_CALLBACKS: usize = 2_000;
/// Attempts begun within one second, so that a restart after an outage does not ring the whole desk at once.
const MAX_AT_ONCE: usize = 4;
const BREATHER: Duration = Duration::from_secs(1);
/// Attempts under way that have not reached the ward yet: one in so many of the calls that the node may carry, so that its
/// ports and the desk's phones are there for those who call.
const CALLS_AN_ATTEMPT: usize = 4;

#[derive(Default)]
pub(super) struct Callbacks {
    due: BTreeMap<(Instant, CallId), CallbackDue>,
    /// What waits for a known problem to be fixed; it counts among [`MAX_CALLBACKS`].
    when_fixed: BTreeMap<(IncidentId, CallId), CallbackDue>,
    /// Not tried any more: a person must call.
    failed: BTreeSet<CallId>,
    /// No attempt begins before this.
    next_batch: Instant,
    /// Hospitals that could not be reached of late, and until when nobody is rung for another callback there.
    no_way: BTreeMap<HospitalId, Instant>,
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

    /// An attempt is over: where it found no way to the hospital, an analyst is not rung for the next one at once, to hear
    /// the same.
    pub(super) fn note_way(&mut self, now: Instant, due: &CallbackDue) {
        if due.tries.no_way {
            self.no_way.insert(due.hospital.clone(), now + NEXT_ATTEMPT_AFTER);
        } else {
            self.no_way.remove(&due.hospital);
        }
    }

    /// Takes out the first that is due and may begin.
    fn take_due(&mut self, now: Instant, may_begin: impl Fn(&CallbackDue) -> bool) -> Option<CallbackDue> {
        let has_way = |due: &CallbackDue| self.no_way.get(&due.hospital).is_none_or(|until| *until <= now);
        let mut due = self.due.iter().take_while(|((at, _), _)| *at <= now);
        let first = due.find(|(_, due)| has_way(due) && may_begin(due)).map(|(key, _)| *key)?;
        self.due.remove(&first)
    }

    /// Takes out those that were put off until it was too late to try them.
    fn take_late(&mut self, now: Instant) -> Vec<CallbackDue> {
        let is_late = |(at, _): &(Instant, CallId), due: &mut CallbackDue| *at <= now && due.tries.until <= now;
        self.due.extract_if(.., is_late).map(|(_, due)| due).collect()
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
    /// When [`Switch::callbacks_due`] has something to do. While draining they wait for the next process.
    pub(super) fn callbacks_due_at(&self) -> Option<Instant> {
        self.callbacks.poll_timeout().filter(|_| !self.draining)
    }

    /// Begins attempts that are due, a few at a time and behind everybody who is on the line: none while anybody waits for
    /// an analyst of the same system, the ward has called again, the node has no room, or the hospital's PBX is known not to
    /// answer.
    pub(super) fn callbacks_due(&mut self, now: Instant) {
        if self.callbacks_due_at().is_none_or(|at| now < at) {
            return;
        }
        self.callbacks.next_batch = now + BREATHER;
        for late in self.callbacks.take_late(now) {
            self.record(now, Some(late.call), Event::CallbackGivenUp);
            self.callbacks.leave_to_a_person(late.call);
        }
        for _ in 0..MAX_AT_ONCE {
            // Whoever has just become free is theirs who wait already.
            self.offer_freed(now);
            if !self.has_room_for_an_attempt() {
                return;
            }
            let (line, trunks, config, calls) = (&self.line, &self.trunks, &self.config, &self.calls);
            let is_down = |due: &CallbackDue| {
                config.hospital(&due.hospital).is_some_and(|hospital| trunks.health(&hospital.trunk) == Health::Down)
            };
            // Who has called again is on the line, and would only be heard to be busy.
            let is_on_the_line = |due: &CallbackDue| {
                let number = due.caller.call_back_number();
                let is_theirs = |call: &Call| call.hospital == due.hospital && call.call_back_number() == number;
                number.is_some() && calls.values().any(|call| !call.is_without_caller() && is_theirs(call))
            };
            let may_begin =
                |due: &CallbackDue| !line.anybody_waits_for(&due.need) && !is_down(due) && !is_on_the_line(due);
            let Some(due) = self.callbacks.take_due(now, may_begin) else { return };
            self.begin_attempt(now, due);
        }
    }

    fn has_room_for_an_attempt(&self) -> bool {
        let (most, attempts) = (self.config.node.max_calls, self.attempts());
        attempts < most.div_ceil(CALLS_AN_ATTEMPT) && self.callers() + attempts < most
    }

    fn begin_attempt(&mut self, now: Instant, due: CallbackDue) {
        let id = due.call;
        let broken = due.clone();
        let (call, effects) = self.in_context(now, id, |ctx| guarded(|| Call::calling_back(ctx, due)));
        self.carry(now, id, effects);
        match call {
            Some(call) => self.keep(now, call),
            None => self.attempt_broke(now, broken),
        }
    }

    /// Calls with somebody on the line who called, or was called back.
    pub(super) fn callers(&self) -> usize {
        self.calls.values().filter(|call| !call.is_without_caller()).count()
    }

    /// Attempts to call back that have not reached the ward.
    pub(super) fn attempts(&self) -> usize {
        self.calls.values().filter(|call| call.is_without_caller()).count()
    }

    /// A caller has begun to wait: attempts that ring or look for somebody of the same system make room, so that whoever
    /// they hold is free.
    pub(super) fn make_room(&mut self, now: Instant) {
        if self.line.take_news() {
            let line = &self.line;
            let in_the_way = |call: &&Call| call.seeks_analyst() && line.caller_waits_for(call.need());
            let attempts: Vec<CallId> = self.calls.values().filter(in_the_way).map(|call| call.id).collect();
            self.put_off(now, attempts, CallbackOutcome::PutOff);
        }
    }

    /// Nobody waits for attempts that have found no analyst yet; the next process makes them.
    pub(super) fn cut_attempts(&mut self, now: Instant) {
        let attempts = self.calls.values().filter(|call| call.seeks_analyst()).map(|call| call.id).collect();
        self.put_off(now, attempts, CallbackOutcome::Cut);
    }

    fn put_off(&mut self, now: Instant, attempts: Vec<CallId>, outcome: CallbackOutcome) {
        for attempt in attempts {
            self.with_call(now, attempt, |call, ctx| call.put_off(ctx, outcome));
        }
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

//! The callback book: what is owed, in order of time. Each attempt is a call of its own kind under the old ticket.

use std::collections::BTreeMap;

use crate::call::Call;
use crate::call::{CallbackDue, FIRST_ATTEMPT_AFTER, NEXT_ATTEMPT_AFTER};
use crate::ids::CallId;
use crate::switch::Switch;
use crate::switch::carry::guarded;
use crate::time::{Duration, Instant};

/// Callbacks owed at a time: an outage of a whole hospital.
const MAX_CALLBACKS: usize = 2_000;
/// Attempts begun within one second, so that a restart after an outage does not ring the whole desk at once.
const MAX_AT_ONCE: usize = 4;
const BREATHER: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Callbacks {
    due: BTreeMap<(Instant, CallId), CallbackDue>,
    /// No attempt begins before this.
    next_batch: Instant,
    refused: u64,
}

impl Callbacks {
    /// Takes what an ended call left behind.
    pub(super) fn add(&mut self, now: Instant, due: CallbackDue) {
        let wait = if due.attempts == 0 { FIRST_ATTEMPT_AFTER } else { NEXT_ATTEMPT_AFTER };
        self.add_at(now + wait, due);
    }

    pub(super) fn add_at(&mut self, at: Instant, due: CallbackDue) {
        if self.due.len() < MAX_CALLBACKS {
            self.due.insert((at, due.call), due);
        } else {
            // Its ticket still says that it is owed.
            self.refused += 1;
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due.keys().next().map(|(at, _)| (*at).max(self.next_batch))
    }

    pub(super) fn len(&self) -> usize {
        self.due.len()
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
            let again = due.clone();
            let (call, effects) = self.in_context(now, |ctx| guarded(|| Call::calling_back(ctx, due)));
            self.carry(now, id, effects);
            match call {
                Some(call) => self.keep(now, call),
                None => {
                    self.count("call_fault");
                    self.callbacks.add_at(now + NEXT_ATTEMPT_AFTER, again);
                }
            }
        }
        self.callbacks.next_batch = now + BREATHER;
    }
}

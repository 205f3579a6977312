//! Calls that nobody could take at once, the longest wait first. A freed analyst is offered to them in this order.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::CallId;
use crate::time::Instant;

/// Waiting calls at once: more than any desk's trunks carry. Beyond it a call still hunts, but last of all.
pub const MAX_WAITING: usize = 2_000;

/// Who waits, and since when. The switch gives [`crate::routing::HuntInput::Freed`] to the hunts in this order after every
/// change of the desk, carrying out each hunt's actions before the next is asked.
#[derive(Clone, Debug, Default)]
pub struct WaitingLine {
    order: BTreeSet<(Instant, CallId)>,
    since: BTreeMap<CallId, Instant>,
}

impl WaitingLine {
    pub fn new() -> WaitingLine {
        WaitingLine::default()
    }

    /// Puts the call in line. A call keeps its first place; `false` when the line is full.
    pub fn join(&mut self, call: CallId, since: Instant) -> bool {
        if self.since.contains_key(&call) {
            return true;
        }
        if self.since.len() >= MAX_WAITING {
            return false;
        }
        self.since.insert(call, since);
        self.order.insert((since, call));
        true
    }

    /// Answered, left or given up.
    pub fn leave(&mut self, call: CallId) {
        if let Some(since) = self.since.remove(&call) {
            self.order.remove(&(since, call));
        }
    }

    /// The longest wait first; the older call first of two that began to wait together.
    pub fn in_order(&self) -> impl Iterator<Item = CallId> + '_ {
        self.order.iter().map(|&(_, call)| call)
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

//! Calls that nobody could take at once: urgent ones first, then the longest wait. A freed analyst is offered to them in
//! this order.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ids::CallId;
use crate::time::Instant;

/// Waiting calls at once: more than any desk's trunks carry. Beyond it a call still hunts, but last of all.
pub const MAX_WAITING: usize = 2_000;

/// Urgent calls that wait before all others at once. Where everything is urgent nothing is: further ones wait in their turn.
pub const MAX_URGENT: usize = 20;

/// How a plan ranks a call among those that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// Before all that are not.
    Urgent,
    #[default]
    Normal,
}

impl Priority {
    pub const NAMES: [&'static str; 2] = ["urgent", "normal"];

    pub fn from_name(name: &str) -> Option<Priority> {
        match name {
            "urgent" => Some(Priority::Urgent),
            "normal" => Some(Priority::Normal),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Priority::Urgent => "urgent",
            Priority::Normal => "normal",
        }
    }
}

/// Who waits, and since when. The switch gives [`crate::routing::HuntInput::Freed`] to the hunts in this order after every
/// change of the desk, carrying out each hunt's actions before the next is asked.
#[derive(Clone, Debug, Default)]
pub struct WaitingLine {
    order: BTreeSet<(Priority, Instant, CallId)>,
    places: BTreeMap<CallId, (Priority, Instant)>,
}

impl WaitingLine {
    pub fn new() -> WaitingLine {
        WaitingLine::default()
    }

    /// Puts the call in line. A call keeps its first place; `false` when the line is full.
    pub fn join(&mut self, call: CallId, since: Instant, priority: Priority) -> bool {
        if self.places.contains_key(&call) {
            return true;
        }
        if self.places.len() >= MAX_WAITING {
            return false;
        }
        let urgent = self.order.iter().take_while(|(priority, ..)| *priority == Priority::Urgent).count();
        let priority = if urgent < MAX_URGENT { priority } else { Priority::Normal };
        self.places.insert(call, (priority, since));
        self.order.insert((priority, since, call));
        true
    }

    /// Answered, left or given up.
    pub fn leave(&mut self, call: CallId) {
        if let Some((priority, since)) = self.places.remove(&call) {
            self.order.remove(&(priority, since, call));
        }
    }

    /// Urgent ones, then the longest wait first; the older call first of two that began to wait together.
    pub fn in_order(&self) -> impl Iterator<Item = CallId> + '_ {
        self.order.iter().map(|&(_, _, call)| call)
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

//! Calls that nobody could take at once: urgent ones first, then the longest wait, and callbacks that look for an analyst
//! behind everybody who is on the line. A freed analyst is offered to them in this order.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ids::CallId;
use crate::routing::need::Need;
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

/// Where a call stands among those that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Somebody is on the line.
    Caller(Priority),
    /// Nobody is: a callback, which rings its analyst first.
    Callback,
}

/// Who waits, for what and since when. The switch gives [`crate::routing::HuntInput::Freed`] to the hunts in this order
/// after every change of the desk, carrying out each hunt's actions before the next is asked.
#[derive(Clone, Debug, Default)]
pub struct WaitingLine {
    order: BTreeSet<(Rank, Instant, CallId)>,
    places: BTreeMap<CallId, Place>,
    /// A caller has joined since this was last asked.
    news: bool,
}

#[derive(Clone, Debug)]
struct Place {
    rank: Rank,
    since: Instant,
    need: Need,
}

impl Place {
    fn is_callers(&self) -> bool {
        matches!(self.rank, Rank::Caller(_))
    }
}

impl WaitingLine {
    pub fn new() -> WaitingLine {
        WaitingLine::default()
    }

    /// Puts the call in line. A call keeps its first place; `false` when the line is full.
    pub fn join(&mut self, call: CallId, since: Instant, rank: Rank, need: Need) -> bool {
        if self.places.contains_key(&call) {
            return true;
        }
        if self.places.len() >= MAX_WAITING {
            return false;
        }
        let is_urgent = |rank: Rank| rank == Rank::Caller(Priority::Urgent);
        let urgent = self.order.iter().take_while(|(rank, ..)| is_urgent(*rank)).count();
        let rank = if is_urgent(rank) && urgent >= MAX_URGENT { Rank::Caller(Priority::Normal) } else { rank };
        let place = Place { rank, since, need };
        self.news |= place.is_callers();
        self.places.insert(call, place);
        self.order.insert((rank, since, call));
        true
    }

    /// Answered, left or given up.
    pub fn leave(&mut self, call: CallId) {
        if let Some(Place { rank, since, .. }) = self.places.remove(&call) {
            self.order.remove(&(rank, since, call));
        }
    }

    /// Urgent ones, then the longest wait first, then callbacks; the older call first of two that began to wait together.
    pub fn in_order(&self) -> impl Iterator<Item = CallId> + '_ {
        self.order.iter().map(|&(_, _, call)| call)
    }

    /// Whether a caller has joined since this was last asked: callbacks must make room.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    /// Whether somebody on the line waits whom an analyst for this need might serve.
    pub fn caller_waits_for(&self, need: &Need) -> bool {
        self.places.values().any(|place| place.is_callers() && place.need.competes_with(need))
    }

    /// The same, or a callback that has found nobody yet.
    pub fn anybody_waits_for(&self, need: &Need) -> bool {
        self.places.values().any(|place| place.need.competes_with(need))
    }

    /// Callers who wait; callbacks that look for an analyst are not among them.
    pub fn callers(&self) -> usize {
        self.places.values().filter(|place| place.is_callers()).count()
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

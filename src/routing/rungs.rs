//! What an admin declares of the ringing: which people, in which order, for how long.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ids::RungId;
use crate::time::Duration;

/// Rungs of one ladder: more than these would outlast any give-up time.
pub const MAX_RUNGS: usize = 8;
/// Analysts rung at once: each is a leg; beyond this a race only annoys people.
pub const MAX_AT_ONCE: u8 = 5;
/// No caller waits longer than this for a person, whatever is declared.
pub const MAX_GIVE_UP: Duration = Duration::from_secs(300);
/// A phone that rings shorter than this can't be reached by hand.
pub const MIN_RING: Duration = Duration::from_secs(3);

/// How calls of one plan find their analyst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunting {
    /// In the order in which they widen the search; a rung that has begun stays in force.
    pub rungs: Vec<Rung>,
    /// Analysts of one rung who are rung at once, when more than [`crate::routing::choose::FEW`] are free.
    pub at_once: u8,
    /// Waiting longer than this books a callback.
    pub book_callback_after: Duration,
    /// From the start of the hunt; then the call ends with the callback.
    pub give_up_after: Duration,
}

/// One declared step: who is alerted, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    pub id: RungId,
    /// In this order until `at_once` phones ring; those on call are counted apart, and ring beside the others.
    pub who: Vec<Who>,
    /// How long one phone of this rung rings before its analyst counts as not answering.
    pub ring_for: Duration,
    /// From the start of the hunt: begins at the latest now. `None`: only when the rungs before have nobody (left) to ring.
    /// Either way it begins at once when they have nobody.
    pub after: Option<Duration>,
}

/// A group of people. Each but [`Who::Supervisor`] must hold the call's qualification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// On shift, available and idle.
    Qualified,
    /// On shift and available, still finishing the last call.
    WrapUp,
    /// Named by the on-call plan, at the on-call phone; a forgotten pause or sign-out does not matter.
    OnCall,
    /// Any supervisor of the hospital, whatever the qualification: the declared exception.
    Supervisor,
}

impl Who {
    /// As admins write them.
    pub const NAMES: [&'static str; 4] = ["qualified", "wrap-up", "on-call", "supervisor"];

    pub fn from_name(name: &str) -> Option<Who> {
        [Who::Qualified, Who::WrapUp, Who::OnCall, Who::Supervisor].into_iter().find(|group| group.as_str() == name)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Who::Qualified => "qualified",
            Who::WrapUp => "wrap-up",
            Who::OnCall => "on-call",
            Who::Supervisor => "supervisor",
        }
    }
}

/// Why declared rungs cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HuntingError {
    #[error("no rung is declared, so nobody would ever be rung")]
    NoRungs,
    #[error("{0} rungs; at most {MAX_RUNGS}")]
    TooManyRungs(usize),
    #[error("two rungs are called {0}")]
    DuplicateRung(RungId),
    #[error("rung {0} names nobody")]
    NobodyNamed(RungId),
    #[error("rung {0} rings for less than 3 s: nobody answers so fast")]
    RingTooShort(RungId),
    #[error("rung {0} begins before the rung above it")]
    OutOfOrder(RungId),
    #[error("at_once is {0}; it must be 1 to {MAX_AT_ONCE}")]
    AtOnce(u8),
    #[error("give_up_after must be longer than book_callback_after and at most 300 s")]
    GiveUp,
}

impl Hunting {
    /// HOTLINE.md's ladder: qualified; then wrap-up together with on-call; a supervisor at 20 s; 90 s at most.
    pub fn standard() -> Hunting {
        let rung = |id: &str, who: &[Who], ring_for: u64, after: Option<u64>| Rung {
            id: RungId::new(id),
            who: who.to_vec(),
            ring_for: Duration::from_secs(ring_for),
            after: after.map(Duration::from_secs),
        };
        Hunting {
            rungs: vec![
                rung("qualified", &[Who::Qualified], 12, None),
                rung("backup", &[Who::WrapUp, Who::OnCall], 20, Some(12)),
                rung("supervisor", &[Who::Supervisor], 20, Some(20)),
            ],
            at_once: 2,
            book_callback_after: Duration::from_secs(10),
            give_up_after: Duration::from_secs(90),
        }
    }

    /// Every rule that the ladder breaks, for the admin.
    pub fn check(&self) -> Vec<HuntingError> {
        let mut errors = Vec::new();
        if self.rungs.is_empty() {
            errors.push(HuntingError::NoRungs);
        }
        if self.rungs.len() > MAX_RUNGS {
            errors.push(HuntingError::TooManyRungs(self.rungs.len()));
        }
        let mut seen = BTreeSet::new();
        let mut latest = Duration::ZERO;
        for rung in &self.rungs {
            if !seen.insert(&rung.id) {
                errors.push(HuntingError::DuplicateRung(rung.id.clone()));
            }
            if rung.who.is_empty() {
                errors.push(HuntingError::NobodyNamed(rung.id.clone()));
            }
            if rung.ring_for < MIN_RING {
                errors.push(HuntingError::RingTooShort(rung.id.clone()));
            }
            if rung.after.is_some_and(|after| after < latest) {
                errors.push(HuntingError::OutOfOrder(rung.id.clone()));
            }
            latest = rung.after.unwrap_or(latest);
        }
        if self.at_once == 0 || self.at_once > MAX_AT_ONCE {
            errors.push(HuntingError::AtOnce(self.at_once));
        }
        if self.give_up_after <= self.book_callback_after || self.give_up_after > MAX_GIVE_UP {
            errors.push(HuntingError::GiveUp);
        }
        errors
    }
}

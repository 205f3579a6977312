//! Proves a dial plan: how late its first offer, its first offer to somebody qualified, and its end can come, over **all**
//! paths, each with the path that attains it.
//!
//! t0 is the INVITE. The caller is an adversary: keys come at the worst instant or never, wrong ones too; numbers are
//! keyed as slowly as they may be; `0` and `9` jump wherever they work. The world is free: conditions may change between
//! two steps, so every case may be taken and every question may be skipped or not; numbers may be known or not, and there
//! may be none to call back unless one was keyed; slots hold the longest that is recorded. Speech begins 1.0 s after the
//! 200, and playback ends at its deadline. On top of all stands [`MARGIN`], for queues and threads; the caller's ACK is
//! taken to come within the 2 s after which offers are withdrawn.
//!
//! Each plane holds the plan's steps once, and says what has happened to the call: whether somebody has been offered it,
//! whether analysts have been alerted, whether they ring, whether a number to call was keyed, whether `0` or `9` has been used
//! up. A way leads to a later step, a jump to a later plane, so the longest path is found in one pass: linear in the plan's
//! size.
//!
//! The bounds hold in any case. They are exact where conditions are free, unless a path reaches its `connect` only after
//! ringing has given up, an announcement gives the key of an earlier one another meaning, a path books one callback
//! twice, or one breath holds a slot twice, filled once and once not.

pub mod coverage;
mod judge;
mod ladder;
mod planes;
mod walk;
mod witness;

use std::time::Duration;

use crate::ids::StepId;
use crate::ivr::draw::{Goal, Slowest};
use crate::ivr::{Longest, Plan};

pub use judge::judge;
pub use ladder::{Coverage, LaterRung};
pub use witness::{Exit, Outcome, Stay, Walked, Witness, seconds};

/// What a loaded machine may add between an instant and what is done at it. Declared; its breach is an alarm.
pub const MARGIN: Duration = Duration::from_millis(300);

/// The bounds of one plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The first INVITE to anybody: an analyst, given that the rung in force has a candidate, or a declared target.
    /// A caller who has asked for a call back is owed none, where there is a number to call. `None` when no path rings
    /// anybody.
    pub first_offer: Option<Bound>,
    /// The first offer to somebody who holds the qualification, given `coverage`. `None` when no path alerts, or no rung
    /// asks for a qualification, or nothing bounds when it begins (see [`Coverage::within`]).
    pub qualified_offer: Option<Bound>,
    pub coverage: Coverage,
    /// A call that reaches nobody is over, its last words said: with a callback where there is a number to call.
    pub end: Option<Bound>,
    /// How calls come to ring no analyst at all: the operator, another target.
    pub no_analyst: Vec<Detour>,
    /// A call may end without anybody being rung, and no call back that its caller asked for is booked.
    pub rings_nobody: Option<Witness>,
}

/// How late something comes, at the worst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// From the INVITE, [`MARGIN`] included.
    pub within: Duration,
    /// What the plan declares.
    pub limit: Duration,
    pub witness: Witness,
}

impl Bound {
    pub fn holds(&self) -> bool {
        self.within <= self.limit
    }
}

impl Proof {
    /// The slowest paths, to be drawn.
    pub fn slowest(&self) -> Vec<Slowest> {
        let bounds = [
            (Goal::FirstOffer, &self.first_offer),
            (Goal::QualifiedOffer, &self.qualified_offer),
            (Goal::End, &self.end),
        ];
        let drawn = |(to, bound): (Goal, &Option<Bound>)| {
            let Bound { within, limit, witness } = bound.as_ref()?;
            Some(Slowest { to, within: *within, margin: MARGIN, limit: *limit, hops: witness.hops() })
        };
        bounds.into_iter().filter_map(drawn).collect()
    }
}

/// A way past the analysts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Detour {
    /// Where it leads.
    pub to: StepId,
    /// `None`: from every step (key `9`), or the plan's start.
    pub from: Option<StepId>,
    pub exit: Option<Exit>,
}

/// Walks all paths of a plan at once. `longest` measures its words.
pub fn prove(plan: &Plan, longest: &Longest<'_>) -> Proof {
    let found = planes::search(plan, longest);
    let coverage = Coverage::of(&plan.hunting);
    let bound = |latest: &planes::Latest, more: Duration, limit: Duration| {
        let witness = walk::witness(plan, longest, latest);
        Bound { within: latest.at + more + MARGIN, limit, witness }
    };
    let limits = &plan.limits;
    let delay = coverage.within;
    let alert = found.alert.as_ref().zip(delay);
    Proof {
        first_offer: found.offer.as_ref().map(|latest| bound(latest, Duration::ZERO, limits.first_offer.within)),
        qualified_offer: alert.map(|(latest, delay)| bound(latest, delay, limits.qualified_offer.within)),
        end: found.end.as_ref().map(|latest| bound(latest, Duration::ZERO, limits.end.within)),
        rings_nobody: found.rings_nobody.as_ref().map(|latest| walk::witness(plan, longest, latest)),
        no_analyst: found.no_analyst,
        coverage,
    }
}

#[cfg(test)]
mod tests;

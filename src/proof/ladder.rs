//! What the declared rungs make of an alert: who is offered the call, and how much later at the worst.

use std::time::Duration;

use crate::ids::RungId;
use crate::routing::{Hunting, Who};

/// What the bound of the qualified offer takes for granted, and what comes where it fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// The first rung that asks for the qualification: somebody of it can be rung when the alert comes, at a phone of
    /// their own. `None`: no rung asks for one.
    pub rung: Option<RungId>,
    pub who: Vec<Who>,
    /// From the alert to the beginning of that rung. `None` when only the people before it decide.
    pub within: Option<Duration>,
    /// Rungs after it.
    pub later: Vec<LaterRung>,
}

/// A rung for the case that nobody of those before can be rung, or answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaterRung {
    pub rung: RungId,
    pub who: Vec<Who>,
    /// From the alert. At once when nobody of the rungs before can be rung; `None`: only then, or when all have been.
    pub within: Option<Duration>,
}

impl Coverage {
    pub(super) fn of(hunting: &Hunting) -> Coverage {
        // Supervisors are rung whatever they hold.
        let asks = |who: &Who| match who {
            Who::Qualified | Who::WrapUp | Who::OnCall => true,
            Who::Supervisor => false,
        };
        let position = hunting.rungs.iter().position(|rung| rung.who.iter().any(asks));
        let first = position.and_then(|position| hunting.rungs.get(position));
        let later = position.map_or(0, |position| position + 1);
        Coverage {
            rung: first.map(|rung| rung.id.clone()),
            who: first.map(|rung| rung.who.iter().copied().filter(asks).collect()).unwrap_or_default(),
            within: position.and_then(|position| begins_within(hunting, position)),
            later: (later..hunting.rungs.len())
                .filter_map(|position| {
                    let rung = hunting.rungs.get(position)?;
                    let within = begins_within(hunting, position);
                    Some(LaterRung { rung: rung.id.clone(), who: rung.who.clone(), within })
                })
                .collect(),
        }
    }
}

/// How long after the alert a rung begins at the latest: at its own time, or at that of a later one, which it precedes.
fn begins_within(hunting: &Hunting, position: usize) -> Option<Duration> {
    if position == 0 {
        return Some(Duration::ZERO);
    }
    let declared = hunting.rungs.iter().skip(position).filter_map(|rung| rung.after).min();
    declared.filter(|after| *after < hunting.give_up_after)
}

//! The longest paths. Every pair of plane and step is one node: what has happened to a call stands in its plane.
//!
//! Ways lead to later steps, keys `0` and `9` to planes of a later jump; so the planes are walked by jump, and within one
//! jump the steps in their order, and every node is left only after all that lead to it.
//!
//! A `connect` gives up so long after the *alert*, so beside the latest arrival at a step the latest alert on the ways to
//! it is kept: what leaves a `connect` last is the later of the two, each with its own path.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::ivr::plan::Connect;
use crate::ivr::{At, CallbackCause, Keyed, Longest, Plan, StepKind, Way};
use crate::proof::Detour;
use crate::proof::walk::{self, Entered};
use crate::proof::witness::{Exit, Outcome, Stay};

/// What has happened to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plane {
    jump: Jump,
    /// Somebody has been offered the call, or a callback is booked that the caller asked for: no first offer is owed any
    /// more.
    served: bool,
    /// Analysts have been alerted, once at least.
    rung: bool,
    /// They count as ringing: another `alert` changes nothing.
    ringing: bool,
    /// A number was keyed at which the caller can be called. Where none was, there may be one or not.
    number: bool,
}

/// How far the keys that jump have been used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Jump {
    None,
    /// The step of key `0` has been passed.
    Person,
    /// The step of key `9` has been passed: no key jumps any more.
    Operator,
}

const JUMPS: [Jump; 3] = [Jump::None, Jump::Person, Jump::Operator];
/// Four flags to each jump.
const PLANES: usize = JUMPS.len() * (1 << 4);

impl Plane {
    const START: Plane = Plane { jump: Jump::None, served: false, rung: false, ringing: false, number: false };

    fn of(jump: Jump) -> impl Iterator<Item = Plane> {
        (0..1 << 4u8).map(move |flags: u8| Plane {
            jump,
            served: flags & 8 != 0,
            rung: flags & 4 != 0,
            ringing: flags & 2 != 0,
            number: flags & 1 != 0,
        })
    }

    fn index(self) -> usize {
        let flag = |set: bool, bit: usize| if set { bit } else { 0 };
        let flags = flag(self.served, 8) + flag(self.rung, 4) + flag(self.ringing, 2) + flag(self.number, 1);
        self.jump as usize * (1 << 4) + flags
    }

    /// Whether this plane's caller may have no number to call, and stays unserved by a callback that was asked for.
    fn may_be_unbooked(self, kind: &StepKind) -> bool {
        let asked = |cause: CallbackCause| matches!(cause, CallbackCause::Asked | CallbackCause::Incident);
        !self.served && !self.number && matches!(kind, StepKind::Callback(step) if asked(step.cause))
    }

    /// After a step has been left by one of its ways, or by a key. `booked`: a callback of it was.
    fn after(self, kind: &StepKind, booked: bool) -> Plane {
        match kind {
            StepKind::Alert(_) => Plane { served: true, rung: true, ringing: true, ..self },
            StepKind::Transfer(_) => Plane { served: true, ..self },
            StepKind::Callback(step) => match step.cause {
                CallbackCause::Asked => Plane { served: self.served || booked, ..self },
                // Whoever stays on is rung for anew.
                CallbackCause::Incident => Plane { served: self.served || booked, ringing: false, ..self },
                CallbackCause::NobodyFree
                | CallbackCause::OperatorSilent
                | CallbackCause::Waiting
                | CallbackCause::Abandoned => self,
            },
            StepKind::Play(_)
            | StepKind::Notice(_)
            | StepKind::Menu(_)
            | StepKind::Collect(_)
            | StepKind::Branch(_)
            | StepKind::Set(_)
            | StepKind::Connect(_)
            | StepKind::Hangup(_) => self,
        }
    }

    /// After the way out of a question: what was accepted may be a number to call.
    fn keyed(self, kind: &StepKind, way: Way) -> Plane {
        let numbers = |what: Keyed| matches!(what, Keyed::CallbackNumber | Keyed::Extension);
        let known = matches!(kind, StepKind::Collect(step) if way == Way::Accepted && numbers(step.number.what));
        Plane { number: self.number || known, ..self }
    }

    /// Having come to a step. Key `0` and `9` lead to theirs once, however those are reached.
    fn at(self, plan: &Plan, next: At) -> Plane {
        let jump = if next == plan.operator {
            Jump::Operator
        } else if next == plan.person {
            self.jump.max(Jump::Person)
        } else {
            self.jump
        };
        Plane { jump, ..self }
    }
}

/// A step on a path, and how the path leaves it.
#[derive(Clone, Copy, Debug)]
struct Hop {
    plane: Plane,
    at: At,
    exit: Exit,
    /// The path that leads to it is the one with the latest alert, not the one that arrives last.
    by_alert: bool,
    /// A callback that was asked for is not booked: there is no number to call.
    unbooked: bool,
}

#[derive(Clone, Copy, Debug)]
struct Arrival {
    at: Duration,
    from: Option<Hop>,
}

/// The latest instant of something, without the margin, and the path to it. The last step has no exit where its being
/// entered is what counts.
#[derive(Clone, Debug)]
pub(super) struct Latest {
    pub at: Duration,
    pub path: Vec<Passed>,
    pub outcome: Outcome,
}

/// A step on the path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    pub at: At,
    pub exit: Option<Exit>,
    /// There is no number to call.
    pub unbooked: bool,
}

/// The same while the search goes on: its last step, and whether it is left.
#[derive(Clone, Debug)]
struct Found {
    at: Duration,
    from: Option<Hop>,
    last: At,
    outcome: Outcome,
}

#[derive(Debug)]
pub(super) struct Search {
    pub offer: Option<Latest>,
    pub alert: Option<Latest>,
    pub end: Option<Latest>,
    pub rings_nobody: Option<Latest>,
    pub no_analyst: Vec<Detour>,
}

struct Planes<'a> {
    plan: &'a Plan,
    longest: &'a Longest<'a>,
    /// Latest arrival, by plane and step.
    latest: [Vec<Option<Arrival>>; PLANES],
    /// Latest alert on a way to the step, on the planes on which phones ring.
    rang: [Vec<Option<Arrival>>; PLANES],
    /// Steps from which an `alert` can be reached.
    alerts: Vec<bool>,
    offer: Option<Found>,
    alert: Option<Found>,
    end: Option<Found>,
    rings_nobody: Option<Found>,
    no_analyst: BTreeSet<Detour>,
}

pub(super) fn search(plan: &Plan, longest: &Longest<'_>) -> Search {
    let steps = plan.steps().len();
    let mut planes = Planes {
        plan,
        longest,
        latest: std::array::from_fn(|_| vec![None; steps]),
        rang: std::array::from_fn(|_| vec![None; steps]),
        alerts: leads_to_alert(plan),
        offer: None,
        alert: None,
        end: None,
        rings_nobody: None,
        no_analyst: BTreeSet::new(),
    };
    planes.arrive(Plane::START, plan.start, Duration::ZERO, None);
    planes.dialled(plan.person);
    planes.dialled(plan.operator);
    for jump in JUMPS {
        for index in 0..steps {
            for plane in Plane::of(jump) {
                planes.leave(plane, index);
            }
        }
    }
    let path = |found: &Option<Found>| found.as_ref().map(|found| planes.path(found));
    Search {
        offer: path(&planes.offer),
        alert: path(&planes.alert),
        end: path(&planes.end),
        rings_nobody: path(&planes.rings_nobody),
        no_analyst: planes.no_analyst.iter().cloned().collect(),
    }
}

fn leads_to_alert(plan: &Plan) -> Vec<bool> {
    let mut alerts = vec![false; plan.steps().len()];
    for (index, step) in plan.steps().iter().enumerate().rev() {
        let mut ways = step.kind.ways().into_iter();
        let later = ways.any(|(_, next)| alerts.get(next.index()).copied().unwrap_or_default());
        if let Some(slot) = alerts.get_mut(index) {
            *slot = later || matches!(step.kind, StepKind::Alert(_));
        }
    }
    alerts
}

impl Planes<'_> {
    fn arrival(&self, plane: Plane, index: usize) -> Option<Arrival> {
        self.latest.get(plane.index())?.get(index).copied().flatten()
    }

    fn alert_before(&self, plane: Plane, index: usize) -> Option<Arrival> {
        self.rang.get(plane.index())?.get(index).copied().flatten()
    }

    /// A path has come to a step.
    fn arrive(&mut self, plane: Plane, next: At, at: Duration, from: Option<Hop>) {
        let plane = plane.at(self.plan, next);
        let slot = self.latest.get_mut(plane.index()).and_then(|steps| steps.get_mut(next.index()));
        later(slot, Arrival { at, from });
        if !plane.served
            && let StepKind::Transfer(transfer) = &self.plan.step(next).kind
        {
            let outcome = Outcome::TargetRings(transfer.target.clone());
            latest(&mut self.offer, Found { at, from, last: next, outcome });
        }
        if !plane.rung && !self.leads_to_alert(next) && from.is_none_or(|hop| self.leads_to_alert(hop.at)) {
            let everywhere = from.is_none_or(|hop| hop.exit == Exit::Operator);
            self.no_analyst.insert(Detour {
                to: self.plan.step(next).id.clone(),
                from: from.filter(|_| !everywhere).map(|hop| self.plan.step(hop.at).id.clone()),
                exit: from.map(|hop| hop.exit),
            });
        }
    }

    /// `0` or `9` stood in the dial string: what other ways come to later, this one comes to at once.
    fn dialled(&mut self, next: At) {
        let plane = Plane::START.at(self.plan, next);
        let slot = self.latest.get_mut(plane.index()).and_then(|steps| steps.get_mut(next.index()));
        later(slot, Arrival { at: Duration::ZERO, from: None });
    }

    fn leads_to_alert(&self, at: At) -> bool {
        self.alerts.get(at.index()).copied().unwrap_or_default()
    }

    /// All ways out of a step that a path has come to, at the last instant.
    fn leave(&mut self, plane: Plane, index: usize) {
        let (Some(arrival), Some(at)) = (self.arrival(plane, index), self.plan.at(index)) else { return };
        self.leave_as(plane, at, arrival, false);
        if plane.may_be_unbooked(&self.plan.step(at).kind) {
            self.leave_as(plane, at, arrival, true);
        }
    }

    fn leave_as(&mut self, plane: Plane, at: At, arrival: Arrival, unbooked: bool) {
        let plan = self.plan;
        let kind = &plan.step(at).kind;
        let alert = self.alert_before(plane, at.index()).filter(|_| plane.ringing);
        let entered = Entered { at: arrival.at, rang: alert.map(|alert| alert.at), unbooked };
        let (stay, left) = walk::stay(plan, self.longest, kind, entered);
        // Ringing gives up by the alert's time, unless the call came to it later still.
        let by_alert = matches!(kind, StepKind::Connect(_)) && alert.is_some() && left > arrival.at;
        let hop = |exit: Exit| Hop { plane, at, exit, by_alert, unbooked };
        let rings = matches!(kind, StepKind::Alert(_)) && !plane.ringing;
        if rings {
            self.alerted(plane, at, arrival);
        }
        let after = plane.after(kind, !unbooked);
        for (way, next) in ways(plan, kind) {
            let exit = Exit::Way(way);
            let to = after.keyed(kind, way);
            let when = if way == Way::Skip { arrival.at } else { left };
            self.arrive(to, next, when, Some(hop(exit)));
            let began = if rings { Some(arrival.at) } else { alert.map(|alert| alert.at) };
            if let Some(at) = began.filter(|_| to.ringing) {
                let from = Some(Hop { by_alert: !rings, ..hop(exit) });
                let slot = self.rang.get_mut(to.at(plan, next).index());
                later(slot.and_then(|steps| steps.get_mut(next.index())), Arrival { at, from });
            }
        }
        if presses_zero(kind, &stay) && plane.jump == Jump::None && !plane.ringing {
            self.arrive(after, plan.person, left, Some(hop(Exit::Person)));
        }
        if presses_nine(kind, &stay) && plane.jump != Jump::Operator {
            self.arrive(after, plan.operator, left, Some(hop(Exit::Operator)));
        }
        if ends(kind) {
            let found = Found { at: left, from: Some(hop(Exit::Over)), last: at, outcome: Outcome::Over };
            if !after.served {
                latest(&mut self.rings_nobody, found.clone());
            }
            latest(&mut self.end, found);
        }
    }

    fn alerted(&mut self, plane: Plane, at: At, arrival: Arrival) {
        let found = Found { at: arrival.at, from: arrival.from, last: at, outcome: Outcome::PhonesRing };
        if !plane.served {
            // Where key 9 at the last instant comes to the same, the analysts are what is told.
            let same = |there: &Found| there.at == found.at && matches!(there.outcome, Outcome::TargetRings(_));
            self.offer.take_if(|there| same(there));
            latest(&mut self.offer, found.clone());
        }
        if !plane.rung {
            latest(&mut self.alert, found);
        }
    }

    /// From the last step back to the start.
    fn path(&self, found: &Found) -> Latest {
        let over = found.from.is_some_and(|hop| hop.exit == Exit::Over);
        let last = Passed { at: found.last, exit: None, unbooked: false };
        let mut path = if over { Vec::new() } else { vec![last] };
        let mut from = found.from;
        while let Some(hop) = from {
            path.push(Passed { at: hop.at, exit: Some(hop.exit), unbooked: hop.unbooked });
            let arrival = if hop.by_alert {
                self.alert_before(hop.plane, hop.at.index())
            } else {
                self.arrival(hop.plane, hop.at.index())
            };
            from = arrival.and_then(|arrival| arrival.from);
        }
        path.reverse();
        Latest { at: found.at, path, outcome: found.outcome.clone() }
    }
}

/// Keeps the later of the two; the first of equals.
fn later(slot: Option<&mut Option<Arrival>>, arrival: Arrival) {
    if let Some(slot) = slot
        && slot.is_none_or(|there| there.at < arrival.at)
    {
        *slot = Some(arrival);
    }
}

fn latest(slot: &mut Option<Found>, found: Found) {
    if slot.as_ref().is_none_or(|there| there.at < found.at) {
        *slot = Some(found);
    }
}

/// Where a step leads at run time. What is announced only after ringing has given up is never offered; the first
/// announcement may be made early, when nobody can be rung.
fn ways(plan: &Plan, kind: &StepKind) -> Vec<(Way, At)> {
    let offered = |connect: &Connect<At>| {
        let give_up = plan.hunting.give_up_after;
        let said = connect.waiting.iter().enumerate().filter(|(number, said)| *number == 0 || said.at < give_up);
        let keys = said.flat_map(|(_, said)| said.keys.iter().map(|(key, next)| (Way::Key(*key), *next)));
        keys.chain([(Way::GiveUp, connect.give_up)]).collect()
    };
    match kind {
        StepKind::Connect(connect) => offered(connect),
        StepKind::Play(_)
        | StepKind::Menu(_)
        | StepKind::Collect(_)
        | StepKind::Notice(_)
        | StepKind::Branch(_)
        | StepKind::Set(_)
        | StepKind::Alert(_)
        | StepKind::Callback(_)
        | StepKind::Transfer(_)
        | StepKind::Hangup(_) => {
            let mut ways: Vec<_> = kind.ways().into_iter().map(|(way, next)| (way, *next)).collect();
            // Of ways that come to the same, silence is the plainest to tell.
            ways.sort_by_key(|(way, _)| matches!(way, Way::Key(_)));
            ways
        }
    }
}

fn ends(kind: &StepKind) -> bool {
    match kind {
        StepKind::Hangup(_) => true,
        StepKind::Callback(step) => step.next.is_none(),
        StepKind::Play(_)
        | StepKind::Notice(_)
        | StepKind::Menu(_)
        | StepKind::Collect(_)
        | StepKind::Branch(_)
        | StepKind::Set(_)
        | StepKind::Alert(_)
        | StepKind::Connect(_)
        | StepKind::Transfer(_) => false,
    }
}

/// Before analysts' phones ring.
fn presses_zero(kind: &StepKind, stay: &Stay) -> bool {
    match kind {
        StepKind::Play(_) | StepKind::Notice(_) => matches!(stay, Stay::Speaks { .. }),
        StepKind::Menu(_) | StepKind::Collect(_) | StepKind::Transfer(_) => true,
        StepKind::Branch(_)
        | StepKind::Set(_)
        | StepKind::Alert(_)
        | StepKind::Connect(_)
        | StepKind::Callback(_)
        | StepKind::Hangup(_) => false,
    }
}

/// Also while phones ring, and into the last words.
fn presses_nine(kind: &StepKind, stay: &Stay) -> bool {
    match kind {
        StepKind::Connect(_) | StepKind::Callback(_) => true,
        StepKind::Hangup(_) => matches!(stay, Stay::Speaks { .. }),
        StepKind::Play(_)
        | StepKind::Notice(_)
        | StepKind::Menu(_)
        | StepKind::Collect(_)
        | StepKind::Branch(_)
        | StepKind::Set(_)
        | StepKind::Alert(_)
        | StepKind::Transfer(_) => presses_zero(kind, stay),
    }
}

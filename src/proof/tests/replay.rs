//! A witness walked again: a caller and a world that do what it says, at the instants it says.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use super::caller::{Due, Line, Seen, Verdicts, facts, problem};
use crate::digit::Digit;
use crate::ivr::plan::{Callback, Case};
use crate::ivr::promise::unpromised;
use crate::ivr::{At, Facts, HuntNews, Input, KnownProblem, Longest, NeedPatch, Plan, Prompts, StepKind, Way, World};
use crate::proof::{Exit, Stay, Walked, Witness};
use crate::time::{Duration, Instant};

/// Answers in the order in which the path asks; beyond it, and while phones ring, no.
#[derive(Default)]
struct Obedient {
    on_shift: RefCell<VecDeque<bool>>,
    would_change: RefCell<VecDeque<bool>>,
    knows: RefCell<bool>,
}

impl World for Obedient {
    fn would_change(&self, _: &[NeedPatch]) -> bool {
        self.would_change.borrow_mut().pop_front().unwrap_or_default()
    }

    fn on_shift(&self) -> bool {
        self.on_shift.borrow_mut().pop_front().unwrap_or_default()
    }

    fn incident(&self, _: &NeedPatch) -> Option<KnownProblem> {
        Some(problem())
    }

    fn open_ticket(&self) -> bool {
        false
    }

    fn last_helped(&self, _: &NeedPatch) -> Option<Duration> {
        None
    }

    fn system_down(&self, _: &NeedPatch) -> bool {
        false
    }
}

impl Verdicts for Obedient {
    fn accepts(&self) -> bool {
        *self.knows.borrow()
    }
}

struct Replay<'a> {
    plan: &'a Arc<Plan>,
    longest: &'a Longest<'a>,
    witness: &'a Witness,
    world: Obedient,
    line: Line,
    pressed: usize,
}

/// More than any witness needs.
const MAX_KEYS: usize = 1_000;

/// Whether the witness can be attained: nobody can leave a `connect` by a key once its ringing has given up, and a callback
/// that is kept already is not waited for again.
pub fn is_exact(plan: &Plan, longest: &Longest<'_>, witness: &Witness) -> bool {
    let in_time = witness.walked.iter().all(|walked| match walked.stay {
        Stay::Waits { since, give_up_after } => {
            walked.entered < since + give_up_after || walked.exit == Some(Exit::Way(Way::GiveUp))
        }
        Stay::Passes
        | Stay::Speaks { .. }
        | Stay::Promises { .. }
        | Stay::Unpromised { .. }
        | Stay::Asks { .. }
        | Stay::Number { .. }
        | Stay::Dials { .. } => true,
    });
    let booked = witness.walked.iter().filter_map(|walked| match (walked.stay, &plan.step(walked.at).kind) {
        (Stay::Promises { .. }, StepKind::Callback(callback)) => Some((callback.cause, is_kept(callback, longest))),
        _ => None,
    });
    let booked: Vec<_> = booked.collect();
    in_time && booked.windows(2).all(|pair| pair[0] != (pair[1].0, true))
}

/// Whether the longer words are those of a callback that is kept.
fn is_kept(callback: &Callback<At>, longest: &Longest<'_>) -> bool {
    longest.of(&callback.say) > longest.of(&unpromised(callback))
}

pub fn replay(plan: &Arc<Plan>, prompts: &Arc<Prompts>, longest: &Longest<'_>, witness: &Witness) -> Seen {
    let first = witness.walked.first().map(|walked| walked.at);
    let digits = match first {
        Some(at) if at == plan.start => None,
        Some(at) if at == plan.person => Some("0".to_owned()),
        Some(_) | None => Some("9".to_owned()),
    };
    let line = Line::new(plan, prompts, Facts { digits, ..facts("en") }, Instant::from_millis(1_000));
    let mut replay = Replay { plan, longest, witness, world: Obedient::default(), line, pressed: 0 };
    replay.prepare(0);
    replay.line.begin(&replay.world);
    for (number, walked) in witness.walked.iter().enumerate() {
        if holds(walked) {
            replay.leave(number, walked);
        }
        assert_eq!(replay.line.now, Instant::ZERO + walked.left, "leaves {} at another time: {witness}", walked.step);
    }
    let walked: Vec<_> = witness.walked.iter().map(|walked| walked.step.clone()).collect();
    assert!(replay.line.entered.starts_with(&walked), "another path: {:?}, not {witness}", replay.line.entered);
    replay.line.seen
}

/// Whether the call is held in the step at all.
fn holds(walked: &Walked) -> bool {
    match walked.stay {
        Stay::Passes => false,
        Stay::Waits { since, give_up_after } => walked.entered < since + give_up_after,
        Stay::Speaks { .. }
        | Stay::Promises { .. }
        | Stay::Unpromised { .. }
        | Stay::Asks { .. }
        | Stay::Number { .. }
        | Stay::Dials { .. } => walked.exit.is_some(),
    }
}

fn key(exit: Option<Exit>) -> Option<Digit> {
    match exit {
        Some(Exit::Way(Way::Key(key))) => Some(key),
        Some(Exit::Person) => Some(Digit::D0),
        Some(Exit::Operator) => Some(Digit::D9),
        Some(Exit::Way(
            Way::Next
            | Way::Silence
            | Way::Wrong
            | Way::Skip
            | Way::Accepted
            | Way::Rejected
            | Way::Case(_)
            | Way::Otherwise
            | Way::NoAnswer
            | Way::GiveUp,
        ))
        | Some(Exit::Over)
        | None => None,
    }
}

impl Replay<'_> {
    /// What the steps from here on will ask of the world, up to the one that holds the call next.
    fn prepare(&mut self, from: usize) {
        self.number_to_call(true);
        for walked in self.witness.walked.iter().skip(from) {
            match &self.plan.step(walked.at).kind {
                StepKind::Menu(menu) if menu.skip.is_some() => {
                    let asked = walked.exit != Some(Exit::Way(Way::Skip));
                    self.world.would_change.borrow_mut().push_back(asked);
                }
                StepKind::Branch(branch) => {
                    let taken = match walked.exit {
                        Some(Exit::Way(Way::Case(number))) => number,
                        _ => branch.cases.len(),
                    };
                    let wanted = |case: &Case<At>| case.when.on_shift.expect("a free condition");
                    let cases = branch.cases.iter().enumerate().take(taken + 1);
                    let answers = cases.map(|(number, case)| (number == taken) == wanted(case));
                    self.world.on_shift.borrow_mut().extend(answers);
                }
                StepKind::Callback(_) => self.number_to_call(!matches!(walked.stay, Stay::Unpromised { .. })),
                StepKind::Menu(_)
                | StepKind::Play(_)
                | StepKind::Notice(_)
                | StepKind::Collect(_)
                | StepKind::Set(_)
                | StepKind::Alert(_)
                | StepKind::Connect(_)
                | StepKind::Transfer(_)
                | StepKind::Hangup(_) => {}
            }
            if holds(walked) {
                break;
            }
        }
    }

    fn leave(&mut self, number: usize, walked: &Walked) {
        let left = Instant::ZERO + walked.left;
        if let (Stay::Promises { wait, .. }, StepKind::Callback(step)) = (walked.stay, &self.plan.step(walked.at).kind)
            && is_kept(step, self.longest)
        {
            self.pass_before(Instant::ZERO + walked.entered + wait);
            self.line.input(Input::Kept, &self.world);
        }
        match (walked.stay, key(walked.exit)) {
            (Stay::Number { spoken, wait, digits, tries }, _) => {
                let words = spoken.map_or(Duration::ZERO, |spoken| spoken.length + Duration::from_millis(250));
                let mut ends = Instant::ZERO + spoken.map_or(walked.entered, |spoken| spoken.from);
                for attempt in 1..=tries {
                    ends += words + wait * u32::from(digits);
                    self.hold_number(ends);
                    if attempt < tries {
                        self.press(Digit::Pound);
                    }
                }
                self.prepare(number + 1);
                self.end_number(digits, walked.exit);
            }
            (Stay::Waits { .. }, Some(key)) => {
                self.line.input(Input::Hunting(HuntNews::NobodyFree), &self.world);
                // At the last instant one key is left to press, so all others come just before.
                self.pass_before(Instant::from_micros(left.as_micros() - 1));
                while self.line.walk.collects().is_some() || !self.line.walk.acts_on(key) {
                    let collects = self.line.walk.collects().is_some();
                    self.press(if collects { Digit::Pound } else { Digit::A });
                }
                self.line.now = left;
                self.prepare(number + 1);
                self.press(key);
            }
            (Stay::Asks { .. }, None) if walked.exit == Some(Exit::Way(Way::Wrong)) => {
                self.pass_before(left);
                self.prepare(number + 1);
                while self.line.entered.len() <= number + 1 {
                    self.press(Digit::A);
                }
            }
            (_, Some(key)) => {
                self.pass_before(left);
                self.prepare(number + 1);
                self.press(key);
            }
            (_, None) => {
                self.pass_before(left);
                self.prepare(number + 1);
                while self.line.entered.len() <= number + 1 && self.line.seen.over.is_none() {
                    let (next, due) = self.line.due().expect("something is due while a call is held");
                    assert!(next <= left, "{} is held longer than proved", walked.step);
                    self.line.pass(next, due, &self.world);
                }
            }
        }
    }

    fn number_to_call(&mut self, can_call_back: bool) {
        let facts = self.line.walk.facts().clone();
        self.line.learn(Facts { can_call_back, ..facts });
    }

    fn press(&mut self, key: Digit) {
        self.pressed += 1;
        assert!(self.pressed < MAX_KEYS, "another path: {:?}, not {}", self.line.entered, self.witness);
        self.line.input(Input::Key(key), &self.world);
    }

    /// All that happens by itself before `at`; then it is `at`.
    fn pass_before(&mut self, at: Instant) {
        while let Some((next, due)) = self.line.due().filter(|(next, _)| *next < at) {
            self.line.pass(next, due, &self.world);
        }
        self.line.now = at;
    }

    /// Begins the number anew at the last instant of each wait, until there is no more.
    fn hold_number(&mut self, ends: Instant) {
        while let Some((next, due)) = self.line.due().filter(|(next, _)| *next < ends) {
            match due {
                Due::Timeout => {
                    self.line.now = next;
                    self.press(Digit::Star);
                }
                Due::Start | Due::Spoken => self.line.pass(next, due, &self.world),
            }
        }
        self.line.now = ends;
    }

    fn end_number(&mut self, digits: u8, exit: Option<Exit>) {
        *self.world.knows.borrow_mut() = exit == Some(Exit::Way(Way::Accepted));
        match (exit, key(exit)) {
            (_, Some(alone)) => {
                self.press(alone);
                let (next, due) = self.line.due().expect("the time-out");
                self.line.pass(next, due, &self.world);
            }
            (Some(Exit::Way(Way::Silence)), None) => self.press(Digit::Pound),
            (_, None) => {
                self.press(Digit::D1);
                if digits > 1 {
                    self.press(Digit::Pound);
                }
            }
        }
    }
}

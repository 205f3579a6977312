//! A call through the real interpreter in virtual time: a phone line that can be driven, and a caller who does the worst
//! that comes to mind.

use std::cell::RefCell;
use std::sync::Arc;

use super::any_plan::Rng;
use crate::digit::Digit;
use crate::ids::{IncidentId, Language, PromptId, StepId};
use crate::ivr::{
    CallbackCause, Effect, Facts, HuntNews, Input, Interpreter, KnownProblem, NeedPatch, Origin, Plan, Prompts,
    StepKind, World,
};
use crate::time::{Duration, Instant};

/// A playback ends when its words do, or at its deadline.
const GRACE: Duration = Duration::from_millis(250);

/// What a call came to, and when.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub offer: Option<Instant>,
    pub alert: Option<Instant>,
    pub over: Option<Instant>,
    /// The caller has asked for a call back: no first offer is owed any more.
    pub asked: bool,
}

/// Somebody of whom everything is known that plans of the tests speak of.
pub fn facts(language: &str) -> Facts {
    Facts {
        mapped: true,
        unit_prompt: Some(PromptId::new("unit-b")),
        can_call_back: true,
        code_number: Some("7777".to_owned()),
        ..Facts::unknown(Origin::Inside, Language::new(language))
    }
}

/// A known problem, in as many words as are allowed.
pub fn problem() -> KnownProblem {
    KnownProblem { id: IncidentId(1), prompt: PromptId::new("problem") }
}

/// An interpreter with a clock, an ear for its words, and a record of what it did.
pub struct Line {
    pub walk: Interpreter,
    pub now: Instant,
    prompts: Arc<Prompts>,
    /// Speech may begin then.
    start: Option<Instant>,
    /// What is being said ends then.
    spoken: Option<Instant>,
    /// Playback takes its grace.
    pub slow: bool,
    pub seen: Seen,
    plan: Arc<Plan>,
    /// Steps entered or skipped so far.
    pub entered: Vec<StepId>,
}

/// What happens by itself next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    Start,
    Spoken,
    Timeout,
}

impl Line {
    pub fn new(plan: &Arc<Plan>, prompts: &Arc<Prompts>, facts: Facts, start: Instant) -> Line {
        Line {
            walk: Interpreter::new(Arc::clone(plan), Arc::clone(prompts), facts),
            now: Instant::ZERO,
            prompts: Arc::clone(prompts),
            start: Some(start),
            spoken: None,
            slow: true,
            plan: Arc::clone(plan),
            seen: Seen::default(),
            entered: Vec::new(),
        }
    }

    pub fn begin(&mut self, world: &dyn Verdicts) {
        self.walk.begin(self.now, world);
        self.carry_out(world);
    }

    pub fn input(&mut self, input: Input, world: &dyn Verdicts) {
        self.walk.handle(self.now, input, world);
        self.carry_out(world);
    }

    /// Effects, and the verdict on each number in the same instant.
    fn carry_out(&mut self, world: &dyn Verdicts) {
        while self.drain() {
            self.walk.handle(self.now, Input::Checked { accepted: world.accepts() }, world);
        }
    }

    pub fn due(&self) -> Option<(Instant, Due)> {
        let due = [
            self.start.map(|at| (at, Due::Start)),
            self.spoken.map(|at| (at, Due::Spoken)),
            self.walk.poll_timeout().map(|at| (at.max(self.now), Due::Timeout)),
        ];
        due.into_iter().flatten().min()
    }

    /// Lets the next thing happen by itself.
    pub fn pass(&mut self, at: Instant, due: Due, world: &dyn Verdicts) {
        assert!(at >= self.now, "time goes back");
        self.now = at;
        match due {
            Due::Start => {
                self.start = None;
                self.input(Input::Start, world);
            }
            Due::Spoken => {
                self.spoken = None;
                self.input(Input::SpokenDone, world);
            }
            Due::Timeout => self.input(Input::Timeout, world),
        }
    }

    fn offered(&mut self) {
        if !self.seen.asked {
            self.seen.offer.get_or_insert(self.now);
        }
    }

    /// True when a number waits for its verdict.
    fn drain(&mut self) -> bool {
        let mut keyed = false;
        while let Some(effect) = self.walk.poll_effect() {
            match effect {
                Effect::Say { language, prompts } => {
                    let grace = if self.slow { GRACE } else { Duration::ZERO };
                    self.spoken = Some(self.now + self.prompts.total_length(&language, &prompts) + grace);
                }
                Effect::StopSaying | Effect::Ringback | Effect::Hold => self.spoken = None,
                Effect::Alert { .. } => {
                    self.offered();
                    self.seen.alert.get_or_insert(self.now);
                }
                Effect::Dial { .. } => self.offered(),
                Effect::Hangup => self.seen.over = Some(self.now),
                Effect::Entered(step) | Effect::Skipped(step) => {
                    let at = self.plan.find(&step).expect("a step of the plan");
                    self.seen.asked |= matches!(&self.plan.step(at).kind, StepKind::Callback(step) if matches!(step.cause, CallbackCause::Asked | CallbackCause::Incident));
                    self.entered.push(step);
                }
                Effect::Set(_)
                | Effect::Prioritise(_)
                | Effect::Told { .. }
                | Effect::Withdraw
                | Effect::BookCallback { .. }
                | Effect::CancelCallback => {}
                Effect::Check { .. } => keyed = true,
            }
        }
        keyed
    }
}

/// A world that judges what is keyed.
pub trait Verdicts: World {
    fn accepts(&self) -> bool;
}

/// Answers as it likes, every time anew.
struct Fickle(RefCell<Rng>);

impl World for Fickle {
    fn would_change(&self, _: &[NeedPatch]) -> bool {
        self.0.borrow_mut().once_in(2)
    }

    fn on_shift(&self) -> bool {
        self.0.borrow_mut().once_in(2)
    }

    fn incident(&self, _: &NeedPatch) -> Option<KnownProblem> {
        let known = !self.0.borrow_mut().once_in(3);
        known.then(problem)
    }

    fn open_ticket(&self) -> bool {
        false
    }

    fn last_helped(&self, _: &NeedPatch) -> Option<Duration> {
        None
    }

    fn system_down(&self, _: &NeedPatch) -> bool {
        self.0.borrow_mut().once_in(2)
    }
}

impl Verdicts for Fickle {
    fn accepts(&self) -> bool {
        self.0.borrow_mut().once_in(2)
    }
}

/// Keys that one caller presses; then only time passes, so that every run ends.
const MAX_KEYS: usize = 24;
/// More than any walk of a generated plan takes.
const MAX_MOVES: usize = 5_000;

/// One call at the worst instants: nothing, or a key at once, or a key just before the deadline.
pub fn adversary(plan: &Arc<Plan>, prompts: &Arc<Prompts>, language: &str, seed: u64) -> Seen {
    let mut rng = Rng(seed);
    let world = Fickle(RefCell::new(Rng(seed ^ 0x5555)));
    let start = Instant::from_millis(if rng.once_in(3) { 400 } else { 1_000 });
    let mut line = Line::new(plan, prompts, facts(language), start);
    line.begin(&world);
    let (patience, mut keys) = (1 + rng.below(6), 0);
    for _ in 0..MAX_MOVES {
        let Some((at, due)) = line.due().filter(|_| !line.walk.is_over()) else { return line.seen };
        line.slow = !rng.once_in(4);
        if rng.once_in(8) {
            let mut facts = facts(language);
            facts.can_call_back = rng.once_in(2);
            facts.unit_prompt = facts.unit_prompt.filter(|_| !rng.once_in(3));
            line.walk.learn(facts);
        }
        if keys < MAX_KEYS && rng.once_in(patience) {
            keys += 1;
            // The deadline itself comes after what came at the same instant.
            if !rng.once_in(4) {
                line.now = at;
            }
            let key = *rng.pick(&[
                &Digit::D0,
                &Digit::D9,
                &Digit::D1,
                &Digit::D2,
                &Digit::D3,
                &Digit::D1,
                &Digit::Star,
                &Digit::Pound,
                &Digit::A,
            ]);
            line.input(Input::Key(key), &world);
        } else if rng.once_in(6) {
            let news = [HuntNews::Ringing, HuntNews::OnCall, HuntNews::AllBusy, HuntNews::NobodyFree];
            line.input(Input::Hunting(news[rng.below(4)]), &world);
        } else if rng.once_in(40) {
            line.input(Input::TargetFailed, &world);
        } else if rng.once_in(10) {
            // The journal's word, at once or at the last instant.
            line.now = if rng.once_in(2) { at } else { line.now };
            line.input(Input::Kept, &world);
        } else {
            line.pass(at, due, &world);
        }
    }
    panic!("the call does not end");
}

//! A call through the real interpreter in virtual time: a phone line that can be driven, and a caller who does the worst
//! that comes to mind.

use std::cell::RefCell;
use std::sync::Arc;

use super::any_plan::Rng;
use crate::digit::Digit;
use crate::ids::{IncidentId, Language, PromptId, StepId};
use crate::ivr::{
    CallbackCause, Effect, Facts, HuntNews, Input, Interpreter, Keyed, KnownProblem, NeedPatch, Origin, Plan, Prompts,
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
    /// A call back that the caller has asked for is booked: no first offer is owed any more.
    pub asked: bool,
    /// A call back is booked; or there is no number to call, and the caller has heard what is said then.
    pub promised: bool,
    /// Phones were withdrawn that had hardly rung, and the caller had chosen nothing.
    pub hurried: bool,
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
    /// Analysts' phones ring since then.
    rings: Option<Instant>,
    /// The caller has pressed a key that the plan gives a meaning, then or ahead.
    chose: bool,
    /// A number was keyed at which the caller can be called.
    numbered: bool,
    /// In a callback for which there is no number.
    numberless: bool,
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
            rings: None,
            chose: false,
            numbered: false,
            numberless: false,
        }
    }

    pub fn begin(&mut self, world: &dyn Verdicts) {
        self.walk.begin(self.now, world);
        self.carry_out(world);
    }

    pub fn input(&mut self, input: Input, world: &dyn Verdicts) {
        self.chose |= matches!(input, Input::Key(key) if self.plan.keys().contains(&key));
        self.walk.handle(self.now, input, world);
        self.carry_out(world);
    }

    /// Effects, and the verdict on each number in the same instant.
    fn carry_out(&mut self, world: &dyn Verdicts) {
        while let Some(keyed) = self.drain() {
            let accepted = world.accepts();
            if accepted && matches!(keyed, Keyed::CallbackNumber | Keyed::Extension) {
                self.numbered = true;
                self.learn(self.walk.facts().clone());
            }
            self.walk.handle(self.now, Input::Checked { accepted }, world);
        }
    }

    /// A number that was keyed is not forgotten.
    pub fn learn(&mut self, facts: Facts) {
        let can_call_back = facts.can_call_back || self.numbered;
        self.walk.learn(Facts { can_call_back, ..facts });
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

    /// Phones that nobody chose to leave ring as long as the plan says.
    fn withdrawn(&mut self) {
        if let Some(since) = self.rings.take() {
            self.seen.hurried |= !self.chose && self.now.since(since) < self.plan.hunting.give_up_after;
        }
    }

    /// The number that waits for its verdict.
    fn drain(&mut self) -> Option<Keyed> {
        let mut keyed = None;
        while let Some(effect) = self.walk.poll_effect() {
            match effect {
                Effect::Say { language, prompts } => {
                    let grace = if self.slow { GRACE } else { Duration::ZERO };
                    self.spoken = Some(self.now + self.prompts.total_length(&language, &prompts) + grace);
                    self.seen.promised |= self.numberless;
                }
                Effect::StopSaying | Effect::Ringback | Effect::Hold => self.spoken = None,
                Effect::Alert { .. } => {
                    self.offered();
                    self.seen.alert.get_or_insert(self.now);
                    self.rings = Some(self.now);
                }
                Effect::Withdraw => self.withdrawn(),
                Effect::BookCallback { cause } => {
                    self.seen.promised = true;
                    self.seen.asked |= matches!(cause, CallbackCause::Asked | CallbackCause::Incident);
                }
                Effect::CancelCallback => self.seen.promised = false,
                Effect::Dial { .. } => self.offered(),
                Effect::Hangup => self.seen.over = Some(self.now),
                Effect::Entered(step) | Effect::Skipped(step) => {
                    let at = self.plan.find(&step).expect("a step of the plan");
                    let callback = matches!(self.plan.step(at).kind, StepKind::Callback(_));
                    self.numberless = callback && !self.walk.facts().can_call_back;
                    self.entered.push(step);
                }
                Effect::Set(_) | Effect::Prioritise(_) | Effect::Told { .. } => {}
                Effect::Check { what, .. } => keyed = Some(what),
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
    let dialled = [None, None, None, Some("0"), Some("9"), Some("911"), Some("1"), Some("19")];
    let digits = dialled[rng.below(dialled.len())].map(str::to_owned);
    let mut line = Line::new(plan, prompts, Facts { digits: digits.clone(), ..facts(language) }, start);
    line.chose = digits.is_some();
    line.begin(&world);
    let (patience, mut keys) = (1 + rng.below(6), 0);
    for _ in 0..MAX_MOVES {
        let Some((at, due)) = line.due().filter(|_| !line.walk.is_over()) else { return line.seen };
        line.slow = !rng.once_in(4);
        if rng.once_in(8) {
            let mut facts = facts(language);
            facts.digits = digits.clone();
            facts.can_call_back = rng.once_in(2);
            facts.unit_prompt = facts.unit_prompt.filter(|_| !rng.once_in(3));
            line.learn(facts);
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

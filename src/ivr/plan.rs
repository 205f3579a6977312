//! A checked dial plan. Steps stand in an order in which every step leads only to later ones, so a plan cannot loop, and
//! a reference to a step cannot dangle: neither can be written down here.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;
use std::time::Duration;

use crate::digit::Digit;
use crate::identity::PhoneClass;
use crate::ids::{Language, PlanId, PromptId, StepId, TargetId};
use crate::ivr::condition::Condition;
use crate::ivr::facts::{CallbackCause, NeedPatch};
use crate::routing::{Hunting, Priority};

/// Steps of one plan: a plan that a person can still read.
pub const MAX_STEPS: usize = 500;
/// Times that one menu or one number may be asked for.
pub const MAX_TRIES: u8 = 3;
/// Longest wait for a key after a question; longer would break the promise of the first offer.
pub const MAX_WAIT: Duration = Duration::from_secs(10);
/// Fewer would end a number before 911 is keyed, which goes to the operator on its last digit.
pub const MIN_DIGITS: u8 = 3;
/// Digits of one number; the longest badge and telephone numbers fit.
pub const MAX_DIGITS: u8 = 20;
/// Questions and announcements while a phone rings.
pub const MAX_WHILE_RINGING: usize = 8;
/// Longest ringing of a transfer target.
pub const MAX_TARGET_RING: Duration = Duration::from_secs(60);
/// Prompts of one utterance; the number that is spoken digit by digit included.
pub const MAX_WORDS: usize = 8;
/// No plan may promise less than this: beyond it a caller has long hung up.
pub const MAX_LIMIT: Duration = Duration::from_secs(600);
/// The house's promise for the first offer, and for one to somebody qualified (DESIGN.md, "The promise").
pub const OFFER_WITHIN: Duration = Duration::from_secs(8);
/// The longest call that reaches nobody: 90 s of ringing, then the operator, and the words around them.
pub const ENDS_WITHIN: Duration = Duration::from_secs(120);
/// No single prompt, and no utterance, is longer.
pub const LONGEST_PROMPT: Duration = Duration::from_secs(4);

/// A step of its plan. Only made by the check, so it always leads somewhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At(u16);

impl At {
    /// For the check alone: `index` has been found in the plan.
    pub(super) fn new(index: usize) -> At {
        At(u16::try_from(index).expect("a plan has at most MAX_STEPS steps"))
    }

    /// Place in [`Plan::steps`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Debug for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A checked plan: immutable, shared by the calls that walk it. Only the check makes one; whoever has it can read what it
/// declares, and change nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub(super) declared: Declared,
    /// Every step stands before those it leads to.
    pub(super) steps: Vec<Step>,
}

/// What a plan says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    pub id: PlanId,
    /// Where it says so.
    pub named: Range<usize>,
    /// The file it came from, as diagnostics name it.
    pub file: Arc<str>,
    /// Spoken unless the caller's facts say otherwise.
    pub language: Language,
    pub hunting: Arc<Hunting>,
    /// A call begins here.
    pub start: At,
    /// Key `0`, until ringing has begun: rings a person now.
    pub person: At,
    /// Key `9` and 911, once a call: the hospital operator.
    pub operator: At,
    /// A mapped phone of these classes that hangs up before a human answered is called back.
    pub call_back_abandoned: Vec<PhoneClass>,
    pub limits: Limits,
}

impl Deref for Plan {
    type Target = Declared;

    fn deref(&self) -> &Declared {
        &self.declared
    }
}

/// How late things may be at the worst, on any path. The plan declares it; the prover holds it to that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// First offer to anybody: an analyst, or a declared target.
    pub first_offer: Limit,
    /// First offer to somebody who holds the qualification.
    pub qualified_offer: Limit,
    /// A person, or the end of the plan.
    pub end: Limit,
}

/// From the INVITE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub within: Duration,
    /// Where it is declared; the plan's name where it is not.
    pub span: Range<usize>,
}

impl Plan {
    pub fn step(&self, at: At) -> &Step {
        self.steps.get(at.index()).expect("an At is only made for a step of its plan")
    }

    /// The step that stands there in [`Plan::steps`].
    pub fn at(&self, index: usize) -> Option<At> {
        (index < self.steps.len()).then(|| At::new(index))
    }

    /// In walking order: every step stands before those it leads to.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub fn find(&self, id: &StepId) -> Option<At> {
        self.steps.iter().position(|step| step.id == *id).map(At::new)
    }

    /// Every prompt that the plan may speak, slots left out.
    pub fn prompts(&self) -> impl Iterator<Item = &PromptId> {
        let spoken = self.steps.iter().flat_map(|step| step.kind.utterances());
        spoken.flat_map(|utterance| utterance.0.iter()).filter_map(Word::prompt)
    }

    /// Keys that some menu or announcement listens to, with `0` and `9`: a code number must not begin with one.
    pub fn keys(&self) -> Vec<Digit> {
        let mut keys = vec![Digit::D0, Digit::D9];
        for (way, _) in self.steps.iter().flat_map(|step| step.kind.ways()) {
            if let Way::Key(digit) = way {
                keys.push(digit);
            }
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

/// One named step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub id: StepId,
    pub kind: StepKind,
    /// Its name in the file.
    pub span: Range<usize>,
}

/// What a step does. `R` is how it names other steps: [`At`] in a checked plan, a name with its place while it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepKind<R = At> {
    Play(Play<R>),
    Notice(Notice<R>),
    Menu(Menu<R>),
    Collect(Collect<R>),
    Branch(Branch<R>),
    Set(Set<R>),
    Alert(Alert<R>),
    Connect(Connect<R>),
    Callback(Callback<R>),
    Transfer(Transfer<R>),
    Hangup(Hangup),
}

/// Speaks, and goes on. A key cuts it and is kept for the next question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Play<R> {
    pub say: Utterance,
    pub next: R,
}

/// Tells of the known problem that concerns the caller, and goes on; nothing is said where none does. Any key cuts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice<R> {
    /// Said instead of the incident's own prompt.
    pub say: Option<Utterance>,
    pub next: R,
}

/// Asks for one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Menu<R> {
    pub say: Utterance,
    pub keys: BTreeMap<Digit, Answer<R>>,
    /// No key within `wait` after the words, in the last try.
    pub silence: R,
    /// A key that is not offered, in the last try.
    pub wrong: R,
    pub wait: Duration,
    pub tries: u8,
    /// `Some`: asked only if an answer would change who is rung, else the call goes there.
    pub skip: Option<R>,
}

/// What one key means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<R> {
    pub set: NeedPatch,
    pub next: R,
}

/// Asks for a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collect<R> {
    pub say: Utterance,
    pub number: Number,
    pub tries: u8,
    /// It is known, or right.
    pub accepted: R,
    pub rejected: R,
    pub silence: R,
}

/// A number that is keyed: complete after `digits` keys, `#`, or `wait` without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    pub what: Keyed,
    pub digits: u8,
    pub wait: Duration,
}

/// What a keyed number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keyed {
    Badge,
    Extension,
    /// An earlier ticket of the hospital.
    Ticket,
    /// Where the caller wants to be called back.
    CallbackNumber,
    /// Of the person whose badge was keyed, or whose phone it is.
    Pin,
}

impl Keyed {
    pub const NAMES: [&'static str; 5] = ["badge", "extension", "ticket", "callback-number", "pin"];

    pub fn from_name(name: &str) -> Option<Keyed> {
        match name {
            "badge" => Some(Keyed::Badge),
            "extension" => Some(Keyed::Extension),
            "ticket" => Some(Keyed::Ticket),
            "callback-number" => Some(Keyed::CallbackNumber),
            "pin" => Some(Keyed::Pin),
            _ => None,
        }
    }

    /// Its digits are a person's: of them only the verdict is remembered.
    pub fn is_secret(self) -> bool {
        match self {
            Keyed::Badge | Keyed::Pin => true,
            Keyed::Extension | Keyed::Ticket | Keyed::CallbackNumber => false,
        }
    }
}

/// Goes where the first case that holds says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch<R> {
    pub cases: Vec<Case<R>>,
    pub otherwise: R,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case<R> {
    pub when: Condition,
    pub next: R,
}

/// Settles something of the need, and goes on. Once phones ring it is only noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set<R> {
    pub set: NeedPatch,
    pub priority: Option<Priority>,
    pub next: R,
}

/// Phones begin to ring; the plan goes on at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert<R> {
    pub set: NeedPatch,
    pub next: R,
}

/// Holds the caller while phones ring, says what happens, and gives up after the plan's `give_up_after`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect<R> {
    /// Said when a qualified analyst's phone rings.
    pub ringing: Utterance,
    /// Said when nobody is signed in and the on-call phone rings.
    pub on_call: Utterance,
    /// Said when all who are qualified are on calls.
    pub all_busy: Utterance,
    /// In the order of their times, like `waiting`.
    pub asks: Vec<RingAsk>,
    pub waiting: Vec<Announcement<R>>,
    /// Nobody came in time.
    pub give_up: R,
}

/// A number that is asked while phones ring, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingAsk {
    /// After ringing began.
    pub at: Duration,
    pub when: Condition,
    pub say: Utterance,
    pub number: Number,
    /// Said when the number is known, or right.
    pub accepted: Utterance,
}

/// Said once, this long after ringing began; its keys work from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement<R> {
    pub at: Duration,
    pub say: Utterance,
    pub keys: BTreeMap<Digit, R>,
}

/// Withdraws what rings, books a callback, says so, and ends the call (or goes on).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback<R> {
    pub cause: CallbackCause,
    pub say: Utterance,
    /// Said instead when there is no number that could be called.
    pub no_number: Utterance,
    pub next: Option<R>,
}

/// Withdraws what rings, and rings a declared target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer<R> {
    pub target: TargetId,
    pub say: Utterance,
    pub ring_for: Duration,
    pub no_answer: R,
}

/// Says its words and ends the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hangup {
    pub say: Utterance,
}

/// Which way leads from a step to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Next,
    Key(Digit),
    Silence,
    Wrong,
    Skip,
    Accepted,
    Rejected,
    /// Number of the case, from 0.
    Case(usize),
    Otherwise,
    NoAnswer,
    GiveUp,
}

impl<R> StepKind<R> {
    /// As plans write it.
    pub fn name(&self) -> &'static str {
        match self {
            StepKind::Play(_) => "play",
            StepKind::Notice(_) => "notice",
            StepKind::Menu(_) => "menu",
            StepKind::Collect(_) => "collect",
            StepKind::Branch(_) => "branch",
            StepKind::Set(_) => "set",
            StepKind::Alert(_) => "alert",
            StepKind::Connect(_) => "connect",
            StepKind::Callback(_) => "callback",
            StepKind::Transfer(_) => "transfer",
            StepKind::Hangup(_) => "hangup",
        }
    }

    pub const NAMES: [&'static str; 11] =
        ["play", "notice", "menu", "collect", "branch", "set", "alert", "connect", "callback", "transfer", "hangup"];

    /// Where it leads, in the order in which the file's reference lists the keys.
    pub fn ways(&self) -> Vec<(Way, &R)> {
        match self {
            StepKind::Play(step) => vec![(Way::Next, &step.next)],
            StepKind::Notice(step) => vec![(Way::Next, &step.next)],
            StepKind::Menu(step) => {
                let mut ways: Vec<_> = step.keys.iter().map(|(key, answer)| (Way::Key(*key), &answer.next)).collect();
                ways.push((Way::Silence, &step.silence));
                ways.push((Way::Wrong, &step.wrong));
                ways.extend(step.skip.iter().map(|skip| (Way::Skip, skip)));
                ways
            }
            StepKind::Collect(step) => {
                vec![(Way::Accepted, &step.accepted), (Way::Rejected, &step.rejected), (Way::Silence, &step.silence)]
            }
            StepKind::Branch(step) => {
                let cases = step.cases.iter().enumerate().map(|(number, case)| (Way::Case(number), &case.next));
                cases.chain([(Way::Otherwise, &step.otherwise)]).collect()
            }
            StepKind::Set(step) => vec![(Way::Next, &step.next)],
            StepKind::Alert(step) => vec![(Way::Next, &step.next)],
            StepKind::Connect(step) => {
                let keys =
                    step.waiting.iter().flat_map(|said| said.keys.iter().map(|(key, next)| (Way::Key(*key), next)));
                keys.chain([(Way::GiveUp, &step.give_up)]).collect()
            }
            StepKind::Callback(step) => step.next.iter().map(|next| (Way::Next, next)).collect(),
            StepKind::Transfer(step) => vec![(Way::NoAnswer, &step.no_answer)],
            StepKind::Hangup(_) => Vec::new(),
        }
    }

    /// Everything it may say.
    pub fn utterances(&self) -> Vec<&Utterance> {
        match self {
            StepKind::Play(step) => vec![&step.say],
            StepKind::Notice(step) => step.say.iter().collect(),
            StepKind::Menu(step) => vec![&step.say],
            StepKind::Collect(step) => vec![&step.say],
            StepKind::Branch(_) | StepKind::Set(_) | StepKind::Alert(_) => Vec::new(),
            StepKind::Connect(step) => {
                let mut all = vec![&step.ringing, &step.on_call, &step.all_busy];
                all.extend(step.asks.iter().flat_map(|ask| [&ask.say, &ask.accepted]));
                all.extend(step.waiting.iter().map(|said| &said.say));
                all
            }
            StepKind::Callback(step) => vec![&step.say, &step.no_number],
            StepKind::Transfer(step) => vec![&step.say],
            StepKind::Hangup(step) => vec![&step.say],
        }
    }

    /// The same step with its references named otherwise.
    pub(super) fn map<S>(self, mut to: impl FnMut(R) -> S) -> StepKind<S> {
        match self {
            StepKind::Play(Play { say, next }) => StepKind::Play(Play { say, next: to(next) }),
            StepKind::Notice(Notice { say, next }) => StepKind::Notice(Notice { say, next: to(next) }),
            StepKind::Menu(Menu { say, keys, silence, wrong, wait, tries, skip }) => StepKind::Menu(Menu {
                say,
                keys: keys
                    .into_iter()
                    .map(|(key, answer)| (key, Answer { set: answer.set, next: to(answer.next) }))
                    .collect(),
                silence: to(silence),
                wrong: to(wrong),
                wait,
                tries,
                skip: skip.map(to),
            }),
            StepKind::Collect(Collect { say, number, tries, accepted, rejected, silence }) => {
                let (accepted, rejected, silence) = (to(accepted), to(rejected), to(silence));
                StepKind::Collect(Collect { say, number, tries, accepted, rejected, silence })
            }
            StepKind::Branch(Branch { cases, otherwise }) => StepKind::Branch(Branch {
                cases: cases.into_iter().map(|case| Case { when: case.when, next: to(case.next) }).collect(),
                otherwise: to(otherwise),
            }),
            StepKind::Set(Set { set, priority, next }) => StepKind::Set(Set { set, priority, next: to(next) }),
            StepKind::Alert(Alert { set, next }) => StepKind::Alert(Alert { set, next: to(next) }),
            StepKind::Connect(Connect { ringing, on_call, all_busy, asks, waiting, give_up }) => {
                let waiting = waiting
                    .into_iter()
                    .map(|said| Announcement {
                        at: said.at,
                        say: said.say,
                        keys: said.keys.into_iter().map(|(key, next)| (key, to(next))).collect(),
                    })
                    .collect();
                StepKind::Connect(Connect { ringing, on_call, all_busy, asks, waiting, give_up: to(give_up) })
            }
            StepKind::Callback(Callback { cause, say, no_number, next }) => {
                StepKind::Callback(Callback { cause, say, no_number, next: next.map(to) })
            }
            StepKind::Transfer(Transfer { target, say, ring_for, no_answer }) => {
                StepKind::Transfer(Transfer { target, say, ring_for, no_answer: to(no_answer) })
            }
            StepKind::Hangup(step) => StepKind::Hangup(step),
        }
    }
}

/// What is said in one breath: prompts, some of them chosen by the call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Utterance(pub Vec<Word>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    Prompt(PromptId),
    /// Filled in by the call; `otherwise` when it has nothing to say there, or left out.
    Slot {
        slot: Slot,
        otherwise: Option<PromptId>,
    },
}

impl Word {
    /// The prompt that stands in the plan, if any.
    pub fn prompt(&self) -> Option<&PromptId> {
        match self {
            Word::Prompt(prompt) => Some(prompt),
            Word::Slot { otherwise, .. } => otherwise.as_ref(),
        }
    }
}

/// Written `{unit}`, or `{unit|you}` with what is said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// The caller's unit: "four west".
    Unit,
    /// The module of the need: prompt `module-…`.
    Module,
    /// The system of the need: prompt `system-…`.
    System,
    /// The hospital's code number, digit by digit.
    Code,
}

impl Slot {
    pub const NAMES: [&'static str; 4] = ["unit", "module", "system", "code"];

    pub fn from_name(name: &str) -> Option<Slot> {
        match name {
            "unit" => Some(Slot::Unit),
            "module" => Some(Slot::Module),
            "system" => Some(Slot::System),
            "code" => Some(Slot::Code),
            _ => None,
        }
    }
}

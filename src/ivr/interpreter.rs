//! One call's walk through its plan. Pure: keys, ends of playback, news of the hunt and deadlines in; effects out.
//!
//! ```text
//!            begin (INVITE)                     Start (speech may begin)
//!  Idle ───────────────────► steps that neither speak nor wait ───► the first words
//!                                     │
//!    ┌──────────┬───────────┬─────────┴──┬─────────────┬───────────────┐
//!    ▼          ▼           ▼            ▼             ▼               ▼
//!  Play       Menu       Collect      Connect       Transfer        Closing
//!    │ done,    │ key,      │ Check and  │ Answered    │ TargetAnswered│ last words said
//!    │ key      │ silence   │ Checked    │ give-up     │ no answer     │
//!    └──────────┴─────┬─────┴────────────┴──────┬──────┘               ▼
//!                     ▼ next step               ▼                    Ended
//! ```
//! Ringing does not wait for speech: `alert` steps reached by [`Interpreter::begin`] ring before the first word. Every
//! step leads to later ones only; `0` and `9` jump at most once each, so every walk ends.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::digit::Digit;
use crate::ids::{IncidentId, Language, PromptId, StepId, TargetId};
use crate::ivr::ahead::Ahead;
use crate::ivr::entry::Entry;
use crate::ivr::facts::{CallbackCause, Facts, HuntNews, NeedPatch, SettledBy, World};
use crate::ivr::plan::{At, Keyed, Menu, Notice, Plan, Slot, StepKind, Transfer, Utterance, Word};
use crate::ivr::prompts::{self, Prompts};
use crate::ivr::ringing::Ringing;
use crate::routing::{Hunting, Priority};
use crate::time::Instant;

/// Everything that can happen to the walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Speech may begin: the ACK and a little more, or the 200 and a little more.
    Start,
    /// What was last said has been heard to its end.
    SpokenDone,
    Key(Digit),
    /// `now` has reached [`Interpreter::poll_timeout`].
    Timeout,
    Hunting(HuntNews),
    /// After [`HuntNews::NobodyFree`]: a phone rings for this call again.
    RingsAgain,
    /// An analyst has the call: everything stops.
    Answered,
    /// The dialled target has the call.
    TargetAnswered,
    /// The dialled target is busy, unreachable or declined.
    TargetFailed,
    /// The callback that was booked last is kept for good: it may be promised.
    Kept,
    /// The verdict on [`Effect::Check`], in the same instant.
    Checked {
        accepted: bool,
    },
    /// The caller is gone.
    CallerGone,
}

/// Everything that the walk asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    Entered(StepId),
    /// A question was left out: no answer to it would change who is rung.
    Skipped(StepId),
    /// Replaces whatever plays. [`Input::SpokenDone`] is due when it has been heard.
    Say {
        language: Language,
        prompts: Vec<PromptId>,
    },
    /// Silence now: a key, an answer or the way on cut it.
    StopSaying,
    /// Ringing tone until something else is said or stopped.
    Ringback,
    /// Hold music, likewise: the call waits, and no phone rings.
    Hold,
    /// What an answer says of the need. After [`Effect::Alert`] it only annotates.
    Set(NeedPatch),
    /// The call waits before others.
    Prioritise(Priority),
    /// The caller is told of this known problem.
    Told {
        incident: IncidentId,
    },
    /// Phones begin to ring: once a call, and again for whoever stays on after asking to be called about an incident.
    Alert {
        hunting: Arc<Hunting>,
        by: SettledBy,
    },
    /// Whatever rings for this call stops: offers and target.
    Withdraw,
    /// At most one callback a call is owed; a later cause replaces the earlier.
    BookCallback {
        cause: CallbackCause,
    },
    /// The callback that was booked by itself is not owed any more.
    CancelCallback,
    /// A number was keyed. Whoever carries this out looks it up, lets the plan [`Interpreter::learn`] what it says of the
    /// caller, and answers at once with [`Input::Checked`]: so a wrong number is counted before the next is heard.
    Check {
        step: StepId,
        what: Keyed,
        digits: String,
    },
    /// Ring a declared target for so long.
    Dial {
        target: TargetId,
    },
    /// The plan is at its end.
    Hangup,
}

#[derive(Clone, Debug)]
pub(super) enum State {
    Idle,
    Play {
        next: At,
    },
    /// `until`: set once the words have been heard.
    Menu {
        at: At,
        tries_left: u8,
        until: Option<Instant>,
    },
    Collect {
        at: At,
        tries_left: u8,
        entry: Entry,
        until: Option<Instant>,
    },
    /// A number waits for its verdict.
    Checking {
        at: At,
        tries_left: u8,
        what: Keyed,
    },
    Connect(Ringing),
    Transfer {
        at: At,
        until: Instant,
    },
    /// A callback is booked, and not yet kept for good.
    Promising {
        at: At,
        until: Instant,
    },
    /// Last words; then on, or the end.
    Closing {
        next: Option<At>,
    },
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sounding {
    Nothing,
    Words,
    Ringback,
    Hold,
}

/// One call's place in its plan.
#[derive(Debug)]
pub struct Interpreter {
    pub(super) plan: Arc<Plan>,
    prompts: Arc<Prompts>,
    pub(super) facts: Facts,
    /// What was answered so far.
    pub(super) set: NeedPatch,
    pub(super) state: State,
    pub(super) may_speak: bool,
    /// Words that wait for [`Input::Start`].
    held: Option<Vec<PromptId>>,
    pub(super) sounding: Sounding,
    pub(super) typed: VecDeque<Digit>,
    pub(super) settled: SettledBy,
    pub(super) alerted: Option<Instant>,
    /// Offers or a target ring for this call.
    pub(super) something_rings: bool,
    pub(super) news: Option<HuntNews>,
    /// The hunt has nobody to ring right now.
    pub(super) nothing_rings: bool,
    person_taken: bool,
    operator_taken: bool,
    pub(super) callback: Option<CallbackCause>,
    /// It is kept for good.
    pub(super) kept: bool,
    /// Keys until then may be the rest of a secret number.
    pub(super) hidden_until: Option<Instant>,
    pub(super) effects: VecDeque<Effect>,
}

impl Interpreter {
    pub fn new(plan: Arc<Plan>, prompts: Arc<Prompts>, facts: Facts) -> Interpreter {
        Interpreter {
            plan,
            prompts,
            facts,
            set: NeedPatch::default(),
            state: State::Idle,
            may_speak: false,
            held: None,
            sounding: Sounding::Nothing,
            typed: VecDeque::new(),
            settled: SettledBy::Place,
            alerted: None,
            something_rings: false,
            news: None,
            nothing_rings: false,
            person_taken: false,
            operator_taken: false,
            callback: None,
            kept: false,
            hidden_until: None,
            effects: VecDeque::new(),
        }
    }

    /// At the INVITE: walks to the first words or the first wait. What needs no speech (ringing above all) happens now, and
    /// `0`, `9` and 911 of the dial string do at once what they do anywhere.
    pub fn begin(&mut self, now: Instant, world: &dyn World) {
        if matches!(self.state, State::Idle) {
            let ahead = self.facts.digits.clone().unwrap_or_default();
            for key in ahead.chars().filter_map(Digit::from_char) {
                self.type_ahead(key);
            }
            let first = self.first_step();
            self.go(first, now, world);
            self.settle(now, world);
        }
    }

    /// As [`Interpreter::begin`], where 9 was meant from the first: an emergency number was dialled.
    pub fn begin_at_operator(&mut self, now: Instant, world: &dyn World) {
        if matches!(self.state, State::Idle) {
            self.go(self.plan.operator, now, world);
            self.settle(now, world);
        }
    }

    pub fn handle(&mut self, now: Instant, input: Input, world: &dyn World) {
        if matches!(self.state, State::Ended) {
            return;
        }
        match input {
            Input::Start => self.start(now, world),
            Input::SpokenDone => self.spoken_done(now, world),
            Input::Key(key) => self.key(now, key, world),
            Input::Timeout => self.time_out(now, world),
            Input::Hunting(HuntNews::NobodyFree) => self.nothing_rings = true,
            Input::Hunting(news) => {
                self.news = Some(news);
                self.nothing_rings &= news == HuntNews::AllBusy;
            }
            Input::RingsAgain => self.nothing_rings = false,
            Input::Answered => self.answered(),
            Input::TargetAnswered => self.target_answered(),
            Input::TargetFailed => {
                // Nothing rings any more that would have to be withdrawn.
                self.something_rings &= !matches!(self.state, State::Transfer { .. });
                self.target_failed(now, world);
            }
            Input::Kept => self.callback_kept(now, world),
            Input::Checked { accepted } => self.checked(now, accepted, world),
            Input::CallerGone => self.caller_gone(),
        }
        self.settle(now, world);
    }

    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Menu { until, .. } | State::Collect { until, .. } => *until,
            State::Connect(ringing) => Some(ringing.poll_timeout(self)),
            State::Transfer { until, .. } | State::Promising { until, .. } => Some(*until),
            State::Idle | State::Play { .. } | State::Checking { .. } | State::Closing { .. } | State::Ended => None,
        }
    }

    /// More is known of the caller: a keyed extension was mapped, a badge named a person.
    pub fn learn(&mut self, facts: Facts) {
        self.facts = facts;
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The hunt has said last that nobody can be rung right now.
    pub fn nothing_rings(&self) -> bool {
        self.nothing_rings
    }

    /// Whether this key would do something now, or answers a question that is being asked. Others may be the beginning
    /// of a number that nobody asked for yet, and are nobody's business.
    pub fn acts_on(&self, key: Digit) -> bool {
        let everywhere = matches!(key, Digit::D0 | Digit::D9);
        match &self.state {
            State::Menu { .. } => true,
            State::Connect(ringing) => everywhere || ringing.offers(key),
            State::Idle
            | State::Play { .. }
            | State::Transfer { .. }
            | State::Promising { .. }
            | State::Closing { .. } => everywhere,
            State::Collect { .. } | State::Checking { .. } => true,
            State::Ended => false,
        }
    }

    /// The number that keys are collected for right now, if any.
    pub fn collects(&self) -> Option<Keyed> {
        match &self.state {
            State::Collect { entry, .. } => Some(entry.number.what),
            State::Checking { what, .. } => Some(*what),
            State::Connect(ringing) => ringing.collects(),
            State::Idle
            | State::Play { .. }
            | State::Menu { .. }
            | State::Transfer { .. }
            | State::Promising { .. }
            | State::Closing { .. }
            | State::Ended => None,
        }
    }

    /// Whether a key now may belong to a number of which only the verdict is remembered, and may stand nowhere.
    pub fn hides_keys(&self, now: Instant) -> bool {
        self.collects().is_some_and(Keyed::is_secret) || self.hidden_until.is_some_and(|until| now < until)
    }

    /// Nothing more will come of this walk: answered, hung up, or at its end.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    // -- Inputs ----------------------------------------------------------------------------------------------------------

    fn start(&mut self, now: Instant, world: &dyn World) {
        self.may_speak = true;
        if matches!(self.state, State::Idle) {
            self.go(self.plan.start, now, world);
        } else if let Some(prompts) = self.held.take() {
            let language = self.spoken_language();
            self.effects.push_back(Effect::Say { language, prompts });
        } else if matches!(self.state, State::Transfer { .. }) {
            self.ringback();
        }
    }

    fn spoken_done(&mut self, now: Instant, world: &dyn World) {
        if self.sounding != Sounding::Words || self.held.is_some() {
            return;
        }
        self.sounding = Sounding::Nothing;
        self.after_words(now, world);
    }

    /// The words of the state have been heard, or there were none.
    pub(super) fn after_words(&mut self, now: Instant, world: &dyn World) {
        let plan = Arc::clone(&self.plan);
        match &mut self.state {
            State::Play { next } => {
                let next = *next;
                self.go(next, now, world);
            }
            State::Menu { at, until, .. } => {
                if let StepKind::Menu(menu) = &plan.step(*at).kind {
                    *until = Some(now + menu.wait);
                }
            }
            State::Collect { entry, until, .. } => *until = Some(entry.until(now)),
            State::Connect(ringing) => ringing.spoken(now),
            State::Transfer { .. } => self.ringback(),
            State::Closing { next } => {
                let next = *next;
                self.close(next, now, world);
            }
            State::Idle | State::Checking { .. } | State::Promising { .. } | State::Ended => {}
        }
    }

    fn key(&mut self, now: Instant, key: Digit, world: &dyn World) {
        match &self.state {
            State::Idle | State::Checking { .. } => self.type_ahead(key),
            State::Play { next } => {
                let next = *next;
                if self.everywhere(now, key, world) {
                    return;
                }
                self.type_ahead(key);
                self.quiet();
                self.go(next, now, world);
            }
            State::Menu { at, tries_left, .. } => {
                let (at, tries_left) = (*at, *tries_left);
                self.quiet();
                self.menu_key(now, at, tries_left, key, world);
            }
            State::Collect { .. } => self.collect_key(now, key, world),
            State::Connect(_) => self.ringing_key(now, key, world),
            // Of the operator, who answers emergencies, there is nothing better to go to.
            State::Transfer { .. } => {
                if !self.everywhere(now, key, world) && self.sounding == Sounding::Words {
                    self.quiet();
                    self.ringback();
                }
            }
            // Only the way to the operator stays open: a key pressed twice must not cut the last words.
            State::Promising { .. } | State::Closing { .. } => {
                if key == Digit::D9 {
                    self.operator(now, world);
                }
            }
            State::Ended => {}
        }
    }

    fn time_out(&mut self, now: Instant, world: &dyn World) {
        let plan = Arc::clone(&self.plan);
        match &self.state {
            State::Menu { at, tries_left, until: Some(until) } if *until <= now => {
                let (at, tries_left) = (*at, *tries_left);
                if let StepKind::Menu(menu) = &plan.step(at).kind {
                    self.unanswered(now, at, menu, menu.silence, tries_left, world);
                }
            }
            State::Collect { entry, until: Some(until), .. } if *until <= now => {
                let entered = entry.clone().time_out();
                self.collected(now, entered, world);
            }
            State::Transfer { until, .. } if *until <= now => self.target_failed(now, world),
            State::Promising { until, .. } if *until <= now => self.promise_overdue(now, world),
            State::Idle
            | State::Play { .. }
            | State::Menu { .. }
            | State::Collect { .. }
            | State::Checking { .. }
            | State::Connect(_)
            | State::Transfer { .. }
            | State::Promising { .. }
            | State::Closing { .. }
            | State::Ended => {}
        }
    }

    fn answered(&mut self) {
        self.quiet();
        self.something_rings = false;
        if self.callback == Some(CallbackCause::Waiting) {
            self.callback = None;
            self.effects.push_back(Effect::CancelCallback);
        }
        self.state = State::Ended;
    }

    fn target_answered(&mut self) {
        if matches!(self.state, State::Transfer { .. }) {
            self.quiet();
            self.something_rings = false;
            self.state = State::Ended;
        }
    }

    fn target_failed(&mut self, now: Instant, world: &dyn World) {
        let State::Transfer { at, .. } = &self.state else { return };
        let plan = Arc::clone(&self.plan);
        if let StepKind::Transfer(transfer) = &plan.step(*at).kind {
            self.quiet();
            self.withdraw();
            self.go(transfer.no_answer, now, world);
        }
    }

    fn caller_gone(&mut self) {
        self.held = None;
        self.sounding = Sounding::Nothing;
        self.withdraw();
        let owed = self.facts.class.is_some_and(|class| self.plan.call_back_abandoned.contains(&class));
        if owed && self.facts.mapped && self.facts.can_call_back && self.callback.is_none() {
            self.book(CallbackCause::Abandoned);
        }
        self.state = State::Ended;
    }

    // -- Steps -----------------------------------------------------------------------------------------------------------

    /// Walks from `at` until something must be waited for.
    pub(super) fn go(&mut self, at: At, now: Instant, world: &dyn World) {
        let mut next = Some(at);
        while let Some(at) = next {
            next = self.enter(at, now, world);
        }
    }

    fn enter(&mut self, at: At, now: Instant, world: &dyn World) -> Option<At> {
        let plan = Arc::clone(&self.plan);
        let step = plan.step(at);
        self.person_taken |= at == plan.person;
        self.operator_taken |= at == plan.operator;
        if let StepKind::Menu(Menu { skip: Some(skip), keys, .. }) = &step.kind {
            let options: Vec<NeedPatch> = keys.values().map(|answer| answer.set.clone()).collect();
            if !world.would_change(&options) {
                self.effects.push_back(Effect::Skipped(step.id.clone()));
                return Some(*skip);
            }
        }
        self.effects.push_back(Effect::Entered(step.id.clone()));
        match &step.kind {
            StepKind::Play(play) => {
                self.state = State::Play { next: play.next };
                // Somebody who has keyed ahead knows the words.
                if !self.typed.is_empty() || !self.say(&play.say) {
                    return Some(play.next);
                }
                None
            }
            StepKind::Notice(notice) => self.enter_notice(notice, world),
            StepKind::Menu(menu) => self.ask_menu(now, at, menu, menu.tries, world),
            StepKind::Collect(collect) => self.ask_number(now, at, collect, collect.tries, world),
            StepKind::Branch(branch) => {
                let case = branch.cases.iter().find(|case| case.when.holds(&self.facts, &self.set, world));
                Some(case.map_or(branch.otherwise, |case| case.next))
            }
            StepKind::Set(step) => {
                self.apply(&step.set);
                self.effects.extend(step.priority.map(Effect::Prioritise));
                if self.alerted.is_none() && !step.set.is_empty() {
                    self.settled = SettledBy::Plan;
                }
                Some(step.next)
            }
            StepKind::Alert(alert) => {
                self.alert(now, &alert.set);
                Some(alert.next)
            }
            StepKind::Connect(_) => {
                let ahead = self.ahead();
                self.typed.clear();
                if ahead == Ahead::Operator && !self.operator_taken {
                    return Some(self.plan.operator);
                }
                let since = *self.alerted.get_or_insert(now);
                self.state = State::Connect(Ringing::new(at, since, now));
                None
            }
            StepKind::Callback(callback) => self.enter_callback(now, at, callback),
            StepKind::Transfer(transfer) => self.enter_transfer(now, at, transfer),
            StepKind::Hangup(hangup) => {
                self.state = State::Closing { next: None };
                if !self.say(&hangup.say) {
                    self.close(None, now, world);
                }
                None
            }
        }
    }

    /// A key ahead of the words skips them as one during them does; the ticket is linked all the same.
    fn enter_notice(&mut self, notice: &Notice<At>, world: &dyn World) -> Option<At> {
        let Some(problem) = world.incident(&self.set) else { return Some(notice.next) };
        self.effects.push_back(Effect::Told { incident: problem.id });
        self.state = State::Play { next: notice.next };
        let own = Utterance(vec![Word::Prompt(problem.prompt)]);
        let spoken = self.typed.is_empty() && self.say(notice.say.as_ref().unwrap_or(&own));
        (!spoken).then_some(notice.next)
    }

    fn alert(&mut self, now: Instant, set: &NeedPatch) {
        if !set.is_empty() {
            self.apply(set);
            self.settled = SettledBy::Plan;
        }
        if self.alerted.is_none() {
            self.alerted = Some(now);
            self.something_rings = true;
            self.nothing_rings = false;
            self.effects.push_back(Effect::Alert { hunting: Arc::clone(&self.plan.hunting), by: self.settled });
        }
    }

    fn enter_transfer(&mut self, now: Instant, at: At, transfer: &Transfer<At>) -> Option<At> {
        self.withdraw();
        self.typed.clear();
        self.something_rings = true;
        self.effects.push_back(Effect::Dial { target: transfer.target.clone() });
        self.state = State::Transfer { at, until: now + transfer.ring_for };
        if !self.say(&transfer.say) {
            self.ringback();
        }
        None
    }

    /// Last words have been said.
    fn close(&mut self, next: Option<At>, now: Instant, world: &dyn World) {
        match next {
            Some(next) => self.go(next, now, world),
            None => self.hang_up(),
        }
    }

    pub(super) fn hang_up(&mut self) {
        self.withdraw();
        self.effects.push_back(Effect::Hangup);
        self.state = State::Ended;
    }

    // -- Menu ------------------------------------------------------------------------------------------------------------

    fn ask_menu(&mut self, now: Instant, at: At, menu: &Menu<At>, tries_left: u8, world: &dyn World) -> Option<At> {
        self.state = State::Menu { at, tries_left, until: None };
        if let Some(key) = self.typed.pop_front() {
            self.menu_key(now, at, tries_left, key, world);
        } else if !self.say(&menu.say) {
            self.after_words(now, world);
        }
        None
    }

    fn menu_key(&mut self, now: Instant, at: At, tries_left: u8, key: Digit, world: &dyn World) {
        let plan = Arc::clone(&self.plan);
        let StepKind::Menu(menu) = &plan.step(at).kind else { return };
        if let Some(answer) = menu.keys.get(&key) {
            self.apply(&answer.set);
            self.settled = SettledBy::Key;
            self.go(answer.next, now, world);
        } else if !self.everywhere(now, key, world) {
            self.unanswered(now, at, menu, menu.wrong, tries_left, world);
        }
    }

    /// Silence or a wrong key: asked again while tries are left, then on to `way`.
    fn unanswered(&mut self, now: Instant, at: At, menu: &Menu<At>, way: At, tries_left: u8, world: &dyn World) {
        if tries_left > 1 {
            self.ask_menu(now, at, menu, tries_left - 1, world);
        } else {
            self.settled = SettledBy::NoKey;
            self.go(way, now, world);
        }
    }

    // -- Keys that work everywhere -----------------------------------------------------------------------------------------

    /// `0` and `9`. False when the key is another, or has nowhere to go any more.
    fn everywhere(&mut self, now: Instant, key: Digit, world: &dyn World) -> bool {
        match key {
            Digit::D0 => self.person(now, world),
            Digit::D9 => self.operator(now, world),
            Digit::D1
            | Digit::D2
            | Digit::D3
            | Digit::D4
            | Digit::D5
            | Digit::D6
            | Digit::D7
            | Digit::D8
            | Digit::Star
            | Digit::Pound
            | Digit::A
            | Digit::B
            | Digit::C
            | Digit::D => false,
        }
    }

    pub(super) fn person(&mut self, now: Instant, world: &dyn World) -> bool {
        if self.person_taken || self.operator_taken || self.alerted.is_some() {
            return false;
        }
        self.settled = SettledBy::NoKey;
        self.typed.clear();
        self.quiet();
        self.withdraw();
        self.go(self.plan.person, now, world);
        true
    }

    pub(super) fn operator(&mut self, now: Instant, world: &dyn World) -> bool {
        if self.operator_taken {
            return false;
        }
        self.quiet();
        self.go(self.plan.operator, now, world);
        true
    }

    // -- Small things ------------------------------------------------------------------------------------------------------

    fn apply(&mut self, patch: &NeedPatch) {
        if patch.is_empty() {
            return;
        }
        let NeedPatch { system, module, language, level } = patch.clone();
        self.set.system = system.or(self.set.system.take());
        self.set.module = module.or(self.set.module.take());
        self.set.level = level.or(self.set.level);
        if let Some(language) = language {
            self.facts.language = language;
        }
        self.effects.push_back(Effect::Set(patch.clone()));
    }

    pub(super) fn book(&mut self, cause: CallbackCause) {
        if self.callback != Some(cause) {
            self.callback = Some(cause);
            self.kept = false;
            self.effects.push_back(Effect::BookCallback { cause });
        }
    }

    pub(super) fn withdraw(&mut self) {
        if self.something_rings {
            self.something_rings = false;
            self.effects.push_back(Effect::Withdraw);
        }
    }

    /// False when there is nothing to say: then nobody will report its end.
    pub(super) fn say(&mut self, utterance: &Utterance) -> bool {
        let prompts = self.fill(utterance);
        if prompts.is_empty() {
            return false;
        }
        self.sounding = Sounding::Words;
        if self.may_speak {
            let language = self.spoken_language();
            self.effects.push_back(Effect::Say { language, prompts });
        } else {
            self.held = Some(prompts);
        }
        true
    }

    pub(super) fn ringback(&mut self) {
        self.tone(Sounding::Ringback, Effect::Ringback);
    }

    pub(super) fn hold(&mut self) {
        self.tone(Sounding::Hold, Effect::Hold);
    }

    fn tone(&mut self, tone: Sounding, effect: Effect) {
        if self.may_speak && self.sounding != Sounding::Words && self.sounding != tone {
            self.sounding = tone;
            self.effects.push_back(effect);
        }
    }

    pub(super) fn quiet(&mut self) {
        let was_heard = self.sounding != Sounding::Nothing && self.held.is_none();
        self.held = None;
        self.sounding = Sounding::Nothing;
        if was_heard {
            self.effects.push_back(Effect::StopSaying);
        }
    }

    /// The caller's language where it is recorded, else the plan's.
    fn spoken_language(&self) -> Language {
        let theirs = &self.facts.language;
        if self.prompts.has_language(theirs) { theirs.clone() } else { self.plan.language.clone() }
    }

    fn fill(&self, utterance: &Utterance) -> Vec<PromptId> {
        let language = self.spoken_language();
        let mut spoken = Vec::new();
        for word in &utterance.0 {
            match word {
                Word::Prompt(prompt) => spoken.push(prompt.clone()),
                Word::Slot { slot, otherwise } => {
                    let filled = self.slot(*slot, &language);
                    spoken.extend(if filled.is_empty() { otherwise.iter().cloned().collect() } else { filled });
                }
            }
        }
        spoken
    }

    fn slot(&self, slot: Slot, language: &Language) -> Vec<PromptId> {
        let known = |prompt: PromptId| self.prompts.contains(language, &prompt).then_some(prompt);
        let one = match slot {
            Slot::Unit => self.facts.unit_prompt.clone().and_then(known),
            Slot::Module => {
                let module = self.set.module.as_ref().or(self.facts.module.as_ref());
                module.map(prompts::module_prompt).and_then(known)
            }
            Slot::System => {
                let system = self.set.system.as_ref().or(self.facts.system.as_ref());
                system.map(prompts::system_prompt).and_then(known)
            }
            Slot::Code => return self.facts.code_number.as_deref().map(prompts::digits).unwrap_or_default(),
        };
        one.into_iter().collect()
    }
}

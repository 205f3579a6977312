//! The `connect` step: the caller hears what happens while phones ring, may key a number, and never waits unbounded.
//!
//! Everything that falls due is said in the order of its time, one after the other; while a number is keyed the rest
//! waits. Times count from the beginning of the ringing, not of this step.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::digit::Digit;
use crate::ids::PromptId;
use crate::ivr::entry::{Entered, Entry, Keyed};
use crate::ivr::facts::{CallbackCause, HuntNews, NEWS_WITHIN, World};
use crate::ivr::interpreter::{Interpreter, Sounding, State};
use crate::ivr::plan::{At, Connect, Plan, StepKind, Utterance, Word};
use crate::time::Instant;

/// Something that waits to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    News(HuntNews),
    Ask(usize),
    Accepted(usize),
    Waiting(usize),
}

/// A number that is keyed while phones ring.
#[derive(Clone, Debug)]
struct Asking {
    ask: usize,
    entry: Entry,
    /// Set once the words have been heard, or with the first key.
    until: Option<Instant>,
}

#[derive(Clone, Debug)]
pub(super) struct Ringing {
    at: At,
    /// Ringing began.
    since: Instant,
    /// Without news until then, the caller hears that it rings.
    news_by: Option<Instant>,
    said: BTreeSet<HuntNews>,
    next_ask: usize,
    next_waiting: usize,
    due: VecDeque<Due>,
    asking: Option<Asking>,
    /// The question whose number waits for its verdict.
    checking: Option<usize>,
    /// Keys of the announcements that were made.
    keys: BTreeMap<Digit, At>,
    booked: bool,
}

impl Ringing {
    /// Whether an announcement has offered this key.
    pub(super) fn offers(&self, key: Digit) -> bool {
        self.keys.contains_key(&key)
    }

    /// The number that is being asked for while phones ring.
    pub(super) fn collects(&self) -> Option<crate::ivr::plan::Keyed> {
        self.asking.as_ref().map(|asking| asking.entry.number.what)
    }

    /// The verdict on the number that was keyed last.
    pub(super) fn checked(&mut self, accepted: bool) {
        if let Some(ask) = self.checking.take().filter(|_| accepted) {
            self.due.push_front(Due::Accepted(ask));
        }
    }

    pub(super) fn new(at: At, since: Instant, now: Instant) -> Ringing {
        Ringing {
            at,
            since,
            news_by: Some(now + NEWS_WITHIN),
            said: BTreeSet::new(),
            next_ask: 0,
            next_waiting: 0,
            due: VecDeque::new(),
            asking: None,
            checking: None,
            keys: BTreeMap::new(),
            booked: false,
        }
    }

    /// The words have been heard: a number that was asked for is waited for.
    pub(super) fn spoken(&mut self, now: Instant) {
        if let Some(asking) = &mut self.asking
            && asking.until.is_none()
        {
            asking.until = Some(asking.entry.until(now));
        }
    }

    pub(super) fn poll_timeout(&self, walk: &Interpreter) -> Instant {
        let mut first = self.since + walk.plan.hunting.give_up_after;
        let mut sooner = |at: Instant| first = first.min(at);
        if !self.booked && walk.facts.can_call_back {
            sooner(self.since + walk.plan.hunting.book_callback_after);
        }
        if let Some(news_by) = self.news_by {
            sooner(news_by);
        }
        if let Some(until) = self.asking.as_ref().and_then(|asking| asking.until) {
            sooner(until);
        }
        if let StepKind::Connect(connect) = &walk.plan.step(self.at).kind {
            if let Some(ask) = connect.asks.get(self.next_ask) {
                sooner(self.since + ask.at);
            }
            if let Some(said) = connect.waiting.get(self.next_waiting) {
                sooner(self.since + said.at);
            }
        }
        first
    }

    /// Puts what has fallen due in line: questions before announcements of the same time.
    fn collect_due(&mut self, now: Instant, connect: &Connect<At>, walk: &Interpreter, world: &dyn World) {
        let waited = now.since(self.since);
        loop {
            let ask = connect.asks.get(self.next_ask).filter(|ask| ask.at <= waited);
            let said = connect.waiting.get(self.next_waiting).filter(|said| said.at <= waited);
            match (ask, said) {
                (Some(ask), said) if said.is_none_or(|said| ask.at <= said.at) => {
                    if ask.when.holds(&walk.facts, &walk.set, world) {
                        self.due.push_back(Due::Ask(self.next_ask));
                    }
                    self.next_ask += 1;
                }
                (_, Some(_)) => self.announce_next(connect, walk),
                (Some(_), None) | (None, None) => return,
            }
        }
    }

    /// An offer of a callback is left out when there is no number to call.
    fn announce_next(&mut self, connect: &Connect<At>, walk: &Interpreter) {
        let Some(said) = connect.waiting.get(self.next_waiting) else { return };
        let offers_callback =
            said.keys.values().any(|next| matches!(walk.plan.step(*next).kind, StepKind::Callback(_)));
        if walk.facts.can_call_back || !offers_callback {
            self.due.push_back(Due::Waiting(self.next_waiting));
        }
        self.next_waiting += 1;
    }

    /// A number that nobody has begun to key gives way to an announcement.
    fn hurry(&mut self, sounding: Sounding) {
        let announcement = self.due.iter().any(|due| matches!(due, Due::Waiting(_)));
        if announcement && sounding != Sounding::Words {
            self.asking.take_if(|asking| asking.entry.is_empty());
        }
    }

    /// Takes the hunt's latest word, or after a while assumes the usual one.
    fn hear_news(&mut self, now: Instant, connect: &Connect<At>, walk: &mut Interpreter) {
        let overdue = self.news_by.is_some_and(|by| by <= now) && !walk.nothing_rings;
        let mut news = walk.news.take().or(overdue.then_some(HuntNews::Ringing));
        if walk.nothing_rings {
            news = self.unless_stale(news);
        }
        if let Some(news) = news {
            self.news_by = None;
            if self.said.insert(news) {
                self.due.push_front(Due::News(news));
            }
        }
        // Nothing rings at all: what is offered to those who wait is offered now.
        if walk.nothing_rings {
            self.news_by = None;
            if self.said.insert(HuntNews::NobodyFree) && self.next_waiting == 0 {
                self.announce_next(connect, walk);
            }
        }
    }

    /// What rang is gone before the caller was told of it: they hear that all are busy instead.
    fn unless_stale(&mut self, news: Option<HuntNews>) -> Option<HuntNews> {
        let waiting = self.due.len();
        self.due.retain(|due| !matches!(due, Due::News(HuntNews::Ringing | HuntNews::OnCall)));
        let dropped = self.due.len() < waiting;
        match news {
            Some(HuntNews::Ringing | HuntNews::OnCall) => Some(HuntNews::AllBusy),
            Some(HuntNews::AllBusy | HuntNews::NobodyFree) => news,
            None => dropped.then_some(HuntNews::AllBusy),
        }
    }
}

impl Interpreter {
    /// A caller whom a transfer or a phone that is gone left alone comes back to the plan: to the `connect` of whoever keys
    /// 0, with what it offers, and 9 as in the beginning; where a plan has none, to the operator. `fault` is heard first. Without `rings`
    /// nobody is rung any more, and the caller goes the way of those who waited in vain. True: phones are to ring.
    pub fn begin_again(&mut self, now: Instant, fault: Option<PromptId>, rings: bool, world: &dyn World) -> bool {
        let plan = Arc::clone(&self.plan);
        self.may_speak = true;
        let connect = waits_at(&plan);
        let seeks = match connect {
            Some((at, _)) if rings => {
                self.something_rings = true;
                self.go(at, now, world);
                self.say(&Utterance(fault.into_iter().map(Word::Prompt).collect()));
                true
            }
            Some((_, give_up)) => {
                self.go(give_up, now, world);
                false
            }
            None => {
                self.go(plan.operator, now, world);
                false
            }
        };
        self.settle(now, world);
        seeks
    }

    /// Before [`Interpreter::begin_again`]: the caller is called back when an incident is resolved, as was promised.
    pub fn owes_for_incident(&mut self) {
        self.callback = Some(CallbackCause::Incident);
        self.kept = true;
    }

    /// Brings a ringing call up to date: what is due is booked, said, or ends the ringing.
    pub(super) fn settle(&mut self, now: Instant, world: &dyn World) {
        let plan = Arc::clone(&self.plan);
        let State::Connect(ringing) = &self.state else { return };
        let StepKind::Connect(connect) = &plan.step(ringing.at).kind else { return };
        let mut ringing = ringing.clone();
        let waited = now.since(ringing.since);
        if !ringing.booked && waited >= plan.hunting.book_callback_after && self.facts.can_call_back {
            ringing.booked = true;
            // Who waits for the fix stays on for company: that call back is owed in its time.
            if self.callback != Some(CallbackCause::Incident) {
                self.book(CallbackCause::Waiting);
            }
        }
        if waited >= plan.hunting.give_up_after {
            self.quiet();
            self.go(connect.give_up, now, world);
            return;
        }
        if let Some(asking) = ringing.asking.take_if(|asking| asking.until.is_some_and(|until| until <= now)) {
            // One key and no more is no number: it answers the offer that was made before the number was asked for.
            if let Some(next) = asking.entry.lone_key().and_then(|key| ringing.keys.get(&key)) {
                self.quiet();
                self.go(*next, now, world);
                return;
            }
            let entered = asking.entry.time_out();
            if self.number_entered(now, &mut ringing, asking.ask, entered, connect, world) {
                return;
            }
        }
        ringing.hear_news(now, connect, self);
        ringing.collect_due(now, connect, self, world);
        ringing.hurry(self.sounding);
        self.say_due(&mut ringing, connect, now);
        self.state = State::Connect(ringing);
    }

    /// Says the next thing that waits, if nothing is being said or keyed; then the tone of what happens goes on.
    fn say_due(&mut self, ringing: &mut Ringing, connect: &Connect<At>, now: Instant) {
        if ringing.checking.is_some() {
            return;
        }
        while self.sounding != Sounding::Words && ringing.asking.is_none() {
            let Some(due) = ringing.due.pop_front() else { break };
            match due {
                Due::News(HuntNews::Ringing) => self.say(&connect.ringing),
                Due::News(HuntNews::OnCall) => self.say(&connect.on_call),
                Due::News(HuntNews::AllBusy) => self.say(&connect.all_busy),
                Due::News(HuntNews::NobodyFree) => false,
                Due::Accepted(ask) => connect.asks.get(ask).is_some_and(|ask| self.say(&ask.accepted)),
                Due::Waiting(number) => connect.waiting.get(number).is_some_and(|said| {
                    ringing.keys.extend(said.keys.iter().map(|(key, next)| (*key, *next)));
                    self.say(&said.say)
                }),
                Due::Ask(number) => connect.asks.get(number).is_some_and(|ask| {
                    let spoken = self.say(&ask.say);
                    let mut entry = Entry::new(ask.number);
                    let until = (!spoken).then(|| entry.until(now));
                    ringing.asking = Some(Asking { ask: number, entry, until });
                    spoken
                }),
            };
        }
        // Before the first news it is not known whether anything rings.
        if ringing.news_by.is_some() {
            return;
        }
        if self.nothing_rings {
            self.hold();
        } else {
            self.ringback();
        }
    }

    pub(super) fn ringing_key(&mut self, now: Instant, key: Digit, world: &dyn World) {
        let plan = Arc::clone(&self.plan);
        let State::Connect(ringing) = &self.state else { return };
        let StepKind::Connect(connect) = &plan.step(ringing.at).kind else { return };
        let mut ringing = ringing.clone();
        if self.sounding == Sounding::Words {
            self.quiet();
        }
        if let Some(mut asking) = ringing.asking.take() {
            asking.until = Some(asking.entry.until(now));
            match asking.entry.key(key) {
                Keyed::More => ringing.asking = Some(asking),
                Keyed::Complete => {
                    let entered = asking.entry.complete();
                    if self.number_entered(now, &mut ringing, asking.ask, entered, connect, world) {
                        return;
                    }
                }
                Keyed::Emergency => {
                    if self.operator(now, world) {
                        return;
                    }
                }
            }
            self.state = State::Connect(ringing);
            return;
        }
        if key == Digit::D9 && self.operator(now, world) {
            return;
        }
        if let Some(next) = ringing.keys.get(&key) {
            self.quiet();
            self.go(*next, now, world);
        } else {
            // `0` too: somebody is being rung already.
            self.state = State::Connect(ringing);
        }
    }

    /// A number asked while ringing. True when the call has left the step.
    fn number_entered(
        &mut self,
        now: Instant,
        ringing: &mut Ringing,
        ask: usize,
        entered: Entered,
        connect: &Connect<At>,
        world: &dyn World,
    ) -> bool {
        match entered {
            Entered::Nothing | Entered::Person => false,
            Entered::Operator => self.operator(now, world),
            Entered::Number(digits) => {
                let Some(number) = connect.asks.get(ask).map(|ask| ask.number) else { return false };
                ringing.checking = Some(ask);
                let step = self.plan.step(ringing.at).id.clone();
                self.check(now, step, number, digits);
                false
            }
        }
    }
}

/// Where a caller waits who keys 0, and where that leads in vain. Every way leads to a later step: the first that is found is
/// the nearest.
fn waits_at(plan: &Plan) -> Option<(At, At)> {
    let mut reached = BTreeSet::from([plan.person]);
    while let Some(at) = reached.pop_first() {
        let kind = &plan.step(at).kind;
        if let StepKind::Connect(connect) = kind {
            return Some((at, connect.give_up));
        }
        reached.extend(kind.ways().into_iter().map(|(_, next)| *next));
    }
    None
}

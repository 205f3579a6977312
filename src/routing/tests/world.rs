//! Hunts of several calls around one desk, in virtual time: what the switch does with their actions, and a log of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::fixture::{call, id, monday};
use crate::ids::{AnalystId, CallId};
use crate::routing::hunt::ACCEPT_WITHIN;
use crate::routing::*;
use crate::time::{Duration, Instant};

/// Steps after which a world counts as stuck in a loop.
const MAX_STEPS: usize = 10_000;

pub struct World {
    pub staff: Staff,
    pub desk: Desk,
    pub hunts: BTreeMap<CallId, Hunt>,
    pub line: WaitingLine,
    pub now: Instant,
    /// "seconds call what", one line an action.
    pub log: Vec<String>,
    pub decisions: Vec<Decision>,
    pub over: BTreeMap<CallId, Instant>,
    steps: usize,
}

impl World {
    pub fn new(staff: Staff, desk: Desk) -> World {
        World {
            staff,
            desk,
            hunts: BTreeMap::new(),
            line: WaitingLine::new(),
            now: Instant::ZERO,
            log: Vec::new(),
            decisions: Vec::new(),
            over: BTreeMap::new(),
            steps: 0,
        }
    }

    pub fn wall(&self) -> Timestamp {
        monday().checked_add(self.now.since(Instant::ZERO)).expect("a day in 2026")
    }

    /// A call comes and rings somebody at once.
    pub fn begin(&mut self, number: u128, hunting: Hunting, need: Need, continuity: Option<AnalystId>) {
        self.hunts.insert(call(number), Hunt::new(hunting, need, continuity));
        self.give(call(number), HuntInput::Begin);
    }

    pub fn give(&mut self, call: CallId, input: HuntInput) {
        self.give_one(call, input);
        self.settle();
    }

    /// Runs every timer that is due until `millis`, and stays there.
    pub fn run_to(&mut self, millis: u64) {
        let end = Instant::from_millis(millis);
        loop {
            self.settle();
            let hunts = self.hunts.values().filter_map(Hunt::poll_timeout);
            let Some(next) = hunts.chain(self.desk.poll_timeout()).min().filter(|next| *next <= end) else { break };
            self.now = next.max(self.now);
            self.step();
            assert_eq!(self.desk.expire(self.now), [], "a lease lapsed");
            let due: Vec<CallId> = self
                .hunts
                .iter()
                .filter(|(_, hunt)| hunt.poll_timeout().is_some_and(|at| at <= self.now))
                .map(|(c, _)| *c)
                .collect();
            for call in due {
                self.give_one(call, HuntInput::Tick);
            }
        }
        self.now = end;
    }

    /// Gives `Freed` to those who wait, in order, until nothing more comes free.
    pub fn settle(&mut self) {
        while self.desk.take_freed() {
            self.step();
            let order: Vec<CallId> = self.line.in_order().collect();
            for call in order {
                self.give_one(call, HuntInput::Freed);
            }
        }
    }

    fn give_one(&mut self, call: CallId, input: HuntInput) {
        if let HuntInput::Ended { analyst, outcome } = &input
            && self.hunts.get(&call).is_some_and(|hunt| hunt.alerting().any(|who| who == analyst))
        {
            self.desk.ended(analyst, call, *outcome, self.now);
        }
        let wall = self.wall();
        let Some(hunt) = self.hunts.get_mut(&call) else { return };
        hunt.handle(self.now, input, &self.staff, &self.desk, wall);
        self.carry_out(call);
        if self.hunts.get(&call).is_some_and(Hunt::is_over) {
            self.line.leave(call);
            self.over.entry(call).or_insert(self.now);
            assert_eq!(self.held_by(call).len(), usize::from(self.talks(call)), "held after the end");
        }
    }

    fn talks(&self, call: CallId) -> bool {
        self.held_by(call).into_iter().any(|analyst| self.desk.occupied(analyst) == Occupied::OnCall)
    }

    pub fn held_by(&self, call: CallId) -> Vec<&AnalystId> {
        let held = |analyst: &&Analyst| self.desk.holder(&analyst.id) == Some(call);
        self.staff.iter().filter(held).map(|analyst| &analyst.id).collect()
    }

    fn carry_out(&mut self, call: CallId) {
        loop {
            self.step();
            let Some(action) = self.hunts.get_mut(&call).and_then(Hunt::poll) else { return };
            match action {
                HuntAction::Reserve { analyst, phones } => {
                    let kinds = phones.into_iter().map(|phone| phone.kind).collect();
                    let granted = self.desk.reserve(&analyst, call, kinds, self.now);
                    let wall = self.wall();
                    let Some(hunt) = self.hunts.get_mut(&call) else { return };
                    hunt.handle(self.now, HuntInput::Reserved { analyst, granted }, &self.staff, &self.desk, wall);
                }
                HuntAction::Ring { analyst, rung, ring_for, outside, .. } => {
                    let until = self.now + ring_for + ACCEPT_WITHIN + Duration::from_secs(1);
                    assert!(self.desk.offered(&analyst, call, self.now, until), "{analyst} is rung without a lease");
                    let place = if outside { " outside" } else { "" };
                    self.note(call, format!("ring {analyst}{place} ({rung})"));
                }
                HuntAction::Withdraw { analyst, outcome } => {
                    self.desk.ended(&analyst, call, outcome, self.now);
                    self.note(call, format!("withdraw {analyst} {outcome:?}"));
                }
                HuntAction::Decided(decision) => self.decisions.push(*decision),
                HuntAction::News(news) => {
                    if let (HuntNews::WaitingSince { since }, Some(hunt)) = (&news, self.hunts.get(&call)) {
                        self.line.join(call, *since, Rank::Caller(Priority::Normal), hunt.need().clone());
                    }
                    self.note(call, format!("{news:?}"));
                }
            }
        }
    }

    fn note(&mut self, call: CallId, what: String) {
        let millis = self.now.as_micros() / 1_000;
        self.log.push(format!("{}.{:03} #{} {what}", millis / 1_000, millis % 1_000, call.0.0));
    }

    fn step(&mut self) {
        self.steps += 1;
        assert!(self.steps < MAX_STEPS, "the hunts go round in a loop:\n{}", self.log.join("\n"));
    }

    /// Everybody who is rung or leased, over all calls: each at most once.
    pub fn alerted(&self) -> BTreeSet<AnalystId> {
        let mut seen = BTreeSet::new();
        for hunt in self.hunts.values() {
            for analyst in hunt.alerting() {
                assert!(seen.insert(analyst.clone()), "{analyst} has two offers");
            }
        }
        seen
    }
}

pub fn ringing(name: &str) -> HuntInput {
    HuntInput::Ringing { analyst: id(name) }
}

pub fn ended(name: &str, outcome: OfferOutcome) -> HuntInput {
    HuntInput::Ended { analyst: id(name), outcome }
}

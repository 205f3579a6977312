//! One call's search for its analyst, through time: which rungs are in force, whose phones ring, what the caller is told.
//!
//! ```text
//!  New ──Begin──▶ Hunting ──Ended(Answered)──▶ Won      the others lose the race
//!                    │ ├──Stop────────────────▶ Over     the caller left or took a callback
//!                    │ └──give_up_after, or nobody there─▶ Over     NobodyFree
//!                    │
//!                    └─ one offer: Reserve ─granted─▶ Ring ─180─▶ rings ─▶ picked up (an outside phone: press 1)
//!                                  └refused: the next analyst   └─ no 180 in 1 s (4 s outside): does not count,
//!                                                                   the next is rung as well
//! ```
//!
//! After every input the hunt *refills*: each rung that has begun chooses as many more as it lacks, and when no phone that
//! counts rings at all, the next rung begins at once. A rung also begins at its declared time. A rung that has begun stays
//! in force, so a qualified analyst freed later is rung beside the on-call phone.
//!
//! The switch carries actions out on the [`Desk`] (reserve, offered, ended) before it gives the next input to any hunt.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;

use crate::ids::{AnalystId, RungId};
use crate::routing::choose::{self, Ask};
use crate::routing::decision::{Choice, Decision, Person, Snapshot, WithThisCall};
use crate::routing::desk::Desk;
use crate::routing::need::{Need, OfferOutcome};
use crate::routing::qualify::{self, Refusal};
use crate::routing::rungs::{Hunting, Rung, Who};
use crate::routing::staff::{Phone, Staff};
use crate::time::{Duration, Instant};

/// A phone inside says 180 or 183 within this, or it does not count.
pub const SIGN_INSIDE: Duration = Duration::from_secs(1);
/// The same for a phone outside: a mobile network has to find it first.
pub const SIGN_OUTSIDE: Duration = Duration::from_secs(4);
/// A lease that is not granted within this is another's.
pub const RESERVE_WITHIN: Duration = Duration::from_secs(1);
/// Once an outside phone is picked up: time to hear "press one to accept" twice and press. A voicemail never does. It may
/// outlast every other timer of the hunt, once, by this much. The words' own time-out and the lease follow from it.
pub const ACCEPT_WITHIN: Duration = Duration::from_secs(10);
/// Decisions of one hunt that ring nobody are kept only when a rung begins, and those that do are bounded by people; this
/// bounds the rest, against a desk that flaps.
pub const MAX_DECISIONS: usize = 64;

/// One call's hunt.
#[derive(Clone, Debug)]
pub struct Hunt {
    hunting: Hunting,
    need: Need,
    continuity: Option<AnalystId>,
    state: State,
    offers: BTreeMap<AnalystId, Offer>,
    so_far: BTreeMap<AnalystId, WithThisCall>,
    told: Told,
    decisions: usize,
    actions: VecDeque<HuntAction>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Hunting {
        since: Instant,
        /// Rungs in force, from the first.
        rungs: usize,
        /// Since nobody of the first rung has been there to ring.
        waiting: Option<Instant>,
        /// Nobody who may take the call is even busy: waiting is pointless.
        hopeless: bool,
        callback: Callback,
        /// Time is up; only a picked-up outside phone may still win.
        giving_up: bool,
    },
    Won,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Callback {
    NotYet,
    Booked,
}

/// What the caller has heard of so far; each is said once.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    ringing: bool,
    on_call: bool,
    all_busy: bool,
    /// The most of the first rung who were busy at one look.
    busy: usize,
}

/// One analyst being alerted.
#[derive(Clone, Debug, PartialEq)]
struct Offer {
    who: Who,
    rung: RungId,
    phones: Vec<Phone>,
    ring_for: Duration,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The lease is asked for.
    Asked {
        until: Instant,
    },
    /// The INVITE is out. `sign_by` passes into `Silent`.
    Sent {
        sign_by: Instant,
        until: Instant,
    },
    /// No sign of ringing in time: does not count, but may still be answered.
    Silent {
        until: Instant,
    },
    Rings {
        until: Instant,
    },
    /// An outside phone was picked up and has to press 1.
    PickedUp {
        until: Instant,
    },
}

/// What happens to a hunt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HuntInput {
    /// The need is known: ring somebody.
    Begin,
    /// The answer to [`HuntAction::Reserve`].
    Reserved { analyst: AnalystId, granted: bool },
    /// 180, 183 or the console's acknowledgement.
    Ringing { analyst: AnalystId },
    /// An outside phone was picked up; whether it presses 1 comes as `Ended`.
    PickedUp { analyst: AnalystId },
    /// The phones' own end of it: `Answered` (an outside phone: accepted) wins, all else moves on.
    Ended { analyst: AnalystId, outcome: OfferOutcome },
    /// The desk changed: somebody may be free.
    Freed,
    /// The caller left, took a callback, or a person was found otherwise.
    Stop,
    /// [`Hunt::poll_timeout`] has come.
    Tick,
}

/// What a hunt wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum HuntAction {
    /// Lease the analyst (at these phones) and answer with [`HuntInput::Reserved`].
    Reserve {
        analyst: AnalystId,
        phones: Vec<Phone>,
    },
    /// Ring all these phones; the lease should last a little longer than `ring_for` and [`ACCEPT_WITHIN`] together.
    Ring {
        analyst: AnalystId,
        phones: Vec<Phone>,
        rung: RungId,
        ring_for: Duration,
        outside: bool,
    },
    /// Stop ringing (CANCEL) and free the analyst. Also for one that was only leased.
    Withdraw {
        analyst: AnalystId,
        outcome: OfferOutcome,
    },
    /// To be stored with the call.
    Decided(Box<Decision>),
    News(HuntNews),
}

/// What the caller, the board and the callback book should know. Each comes once a hunt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HuntNews {
    /// The first phone of an analyst at work is being rung.
    Ringing,
    /// The first on-call phone is being rung. `busy` qualified analysts are at work but not free; none: it is night.
    TryingOnCall { busy: usize },
    /// Nobody of the first rung can be rung; this many are at work and busy.
    AllBusy { busy: usize },
    /// The call waits for an analyst of the first rung from here on: its place in the [`crate::routing::WaitingLine`].
    WaitingSince { since: Instant },
    /// It has waited long enough to be owed a callback.
    BookCallback,
    /// The hunt is over without a person.
    NobodyFree,
}

impl Hunt {
    /// `continuity`: who took this caller's last call, from [`crate::routing::Continuity`].
    pub fn new(hunting: Hunting, need: Need, continuity: Option<AnalystId>) -> Hunt {
        Hunt {
            hunting,
            need,
            continuity,
            state: State::New,
            offers: BTreeMap::new(),
            so_far: BTreeMap::new(),
            told: Told::default(),
            decisions: 0,
            actions: VecDeque::new(),
        }
    }

    /// These had the call, and their phones were gone in it: they are not rung for it again.
    pub fn without(mut self, lost: &BTreeSet<AnalystId>) -> Hunt {
        self.so_far.extend(lost.iter().map(|analyst| (analyst.clone(), WithThisCall::Tried)));
        self
    }

    /// Takes one input; then drain [`Hunt::poll`]. Inputs about analysts who are not being rung are stale and ignored, but
    /// for a lease granted late, which is given back.
    pub fn handle(&mut self, now: Instant, input: HuntInput, staff: &Staff, desk: &Desk, wall: Timestamp) {
        match input {
            HuntInput::Begin => self.begin(now),
            HuntInput::Reserved { analyst, granted } => self.reserved(now, analyst, granted),
            HuntInput::Ringing { analyst } => self.ringing(&analyst),
            HuntInput::PickedUp { analyst } => self.picked_up(now, &analyst),
            HuntInput::Ended { analyst, outcome: OfferOutcome::Answered } => self.answered(&analyst),
            HuntInput::Ended { analyst, outcome: _ } => self.moved_on(&analyst),
            HuntInput::Freed => self.so_far.retain(|_, so_far| *so_far != WithThisCall::Refused),
            HuntInput::Stop => self.end(State::Over, OfferOutcome::Withdrawn),
            HuntInput::Tick => {}
        }
        self.expire(now);
        self.refill(now, staff, desk, wall);
        self.mind_the_wait(now);
    }

    pub fn poll(&mut self) -> Option<HuntAction> {
        self.actions.pop_front()
    }

    /// When to give [`HuntInput::Tick`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        let State::Hunting { since, rungs, waiting, callback, giving_up, .. } = self.state else { return None };
        let offers = self.offers.values().map(|offer| match offer.stage {
            Stage::Sent { sign_by, until } => sign_by.min(until),
            Stage::Asked { until } | Stage::Silent { until } | Stage::Rings { until } | Stage::PickedUp { until } => {
                until
            }
        });
        let next_rung = self.begins_at(rungs, since);
        let book_at = waiting.map(|waiting| waiting + self.hunting.book_callback_after);
        let book = book_at.filter(|_| callback == Callback::NotYet);
        let give_up = since + self.hunting.give_up_after;
        let others = next_rung.into_iter().chain(book).chain([give_up]).filter(|_| !giving_up);
        offers.chain(others).min()
    }

    // -- What is read ------------------------------------------------------------------------------------------------

    pub fn need(&self) -> &Need {
        &self.need
    }

    /// Won, stopped or given up: no timer is left and nobody rings.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Won | State::Over)
    }

    /// Since when the call has waited for an analyst of its first rung.
    pub fn waiting_since(&self) -> Option<Instant> {
        match self.state {
            State::Hunting { waiting, .. } => waiting,
            State::New | State::Won | State::Over => None,
        }
    }

    /// Who is leased or rung for this call.
    pub fn alerting(&self) -> impl Iterator<Item = &AnalystId> {
        self.offers.keys()
    }

    // -- Inputs, in the order of the diagram -------------------------------------------------------------------------

    fn begin(&mut self, now: Instant) {
        if self.state == State::New {
            self.state = State::Hunting {
                since: now,
                rungs: 0,
                waiting: None,
                hopeless: false,
                callback: Callback::NotYet,
                giving_up: false,
            };
        }
    }

    fn reserved(&mut self, now: Instant, analyst: AnalystId, granted: bool) {
        let asked = self.offers.get_mut(&analyst).filter(|offer| matches!(offer.stage, Stage::Asked { .. }));
        let Some(offer) = asked else {
            let rung = self.offers.contains_key(&analyst);
            if granted && !rung {
                // Too late for this hunt; nobody else would give the lease back.
                self.actions.push_back(HuntAction::Withdraw { analyst, outcome: OfferOutcome::Withdrawn });
            }
            return;
        };
        if !granted {
            self.offers.remove(&analyst);
            self.so_far.insert(analyst, WithThisCall::Refused);
            return;
        }
        let outside = offer.phones.iter().all(|phone| phone.outside);
        let sign_within = if outside { SIGN_OUTSIDE } else { SIGN_INSIDE };
        offer.stage = Stage::Sent { sign_by: now + sign_within, until: now + offer.ring_for };
        let (who, rung, phones, ring_for) = (offer.who, offer.rung.clone(), offer.phones.clone(), offer.ring_for);
        self.actions.push_back(HuntAction::Ring { analyst, phones, rung, ring_for, outside });
        self.tell_ringing(who);
    }

    fn ringing(&mut self, analyst: &AnalystId) {
        let Some(offer) = self.offers.get_mut(analyst) else { return };
        match offer.stage {
            Stage::Sent { until, .. } | Stage::Silent { until } => {
                offer.stage = Stage::Rings { until };
                let counts = WithThisCall::Rung { who: offer.who, counts: true };
                self.so_far.insert(analyst.clone(), counts);
            }
            Stage::Asked { .. } | Stage::Rings { .. } | Stage::PickedUp { .. } => {}
        }
    }

    fn picked_up(&mut self, now: Instant, analyst: &AnalystId) {
        let Some(offer) = self.offers.get_mut(analyst) else { return };
        match offer.stage {
            Stage::Sent { .. } | Stage::Silent { .. } | Stage::Rings { .. } => {
                offer.stage = Stage::PickedUp { until: now + ACCEPT_WITHIN };
                let counts = WithThisCall::Rung { who: offer.who, counts: true };
                self.so_far.insert(analyst.clone(), counts);
            }
            Stage::Asked { .. } | Stage::PickedUp { .. } => {}
        }
    }

    fn answered(&mut self, analyst: &AnalystId) {
        if self.offers.remove(analyst).is_some() {
            self.end(State::Won, OfferOutcome::LostRace);
        }
    }

    /// No answer, busy, unreachable, declined, not accepted: excluded for this call, and the next is rung at once.
    fn moved_on(&mut self, analyst: &AnalystId) {
        if self.offers.remove(analyst).is_some() {
            self.so_far.insert(analyst.clone(), WithThisCall::Tried);
        }
    }

    // -- Time --------------------------------------------------------------------------------------------------------

    fn expire(&mut self, now: Instant) {
        let mut over = Vec::new();
        for (analyst, offer) in &mut self.offers {
            match offer.stage {
                Stage::Asked { until } if until <= now => over.push((analyst.clone(), None)),
                Stage::Sent { until, .. } | Stage::Silent { until } | Stage::Rings { until } if until <= now => {
                    let signed = matches!(offer.stage, Stage::Rings { .. });
                    let outcome = if signed { OfferOutcome::NoAnswer } else { OfferOutcome::Unreachable };
                    over.push((analyst.clone(), Some(outcome)));
                }
                Stage::PickedUp { until } if until <= now => {
                    over.push((analyst.clone(), Some(OfferOutcome::NotAccepted)));
                }
                Stage::Sent { sign_by, until } if sign_by <= now => {
                    offer.stage = Stage::Silent { until };
                    self.so_far.insert(analyst.clone(), WithThisCall::Rung { who: offer.who, counts: false });
                }
                Stage::Asked { .. }
                | Stage::Sent { .. }
                | Stage::Silent { .. }
                | Stage::Rings { .. }
                | Stage::PickedUp { .. } => {}
            }
        }
        for (analyst, outcome) in over {
            self.offers.remove(&analyst);
            let so_far = if outcome.is_some() { WithThisCall::Tried } else { WithThisCall::Refused };
            self.so_far.insert(analyst.clone(), so_far);
            let outcome = outcome.unwrap_or(OfferOutcome::Withdrawn);
            self.actions.push_back(HuntAction::Withdraw { analyst, outcome });
        }
    }

    /// Rings whom the rungs in force lack, and widens them when their time has come or nothing rings.
    fn refill(&mut self, now: Instant, staff: &Staff, desk: &Desk, wall: Timestamp) {
        let State::Hunting { since, giving_up: false, .. } = self.state else { return };
        if since + self.hunting.give_up_after <= now {
            return;
        }
        let Some(first) = self.hunting.rungs.first() else { return };
        let ask = Ask {
            rung: first,
            at_once: self.hunting.at_once,
            so_far: &self.so_far,
            continuity: self.continuity.as_ref(),
            now,
            wall,
        };
        let mut inputs = choose::survey(staff, desk, &self.need, &ask);
        let mut position = 0;
        while let Some(rung) = self.hunting.rungs.get(position).cloned() {
            let begins = position >= self.rungs_begun();
            if begins && self.begins_at(position, since).is_none_or(|at| now < at) && self.any_counts() {
                break;
            }
            inputs.who.clone_from(&rung.who);
            if begins || choose::has_candidate(&inputs, &self.need) {
                let decision = choose::decide(self.need.clone(), rung.id.clone(), &inputs);
                for choice in &decision.chosen {
                    self.reserve(now, choice, &rung, staff, &mut inputs);
                }
                self.decided(decision);
            }
            if position == 0 {
                self.note_first_rung(now, &rung.id, &inputs);
            }
            position += 1;
            if let State::Hunting { rungs, .. } = &mut self.state {
                *rungs = position.max(*rungs);
            }
        }
        let all_begun = position == self.hunting.rungs.len();
        let nobody = all_begun && self.offers.is_empty() && !self.any_prospect(&mut inputs);
        if let State::Hunting { hopeless, .. } = &mut self.state {
            *hopeless = nobody;
        }
    }

    fn decided(&mut self, decision: Decision) {
        if self.decisions < MAX_DECISIONS {
            self.decisions += 1;
            self.actions.push_back(HuntAction::Decided(Box::new(decision)));
        }
    }

    fn reserve(&mut self, now: Instant, choice: &Choice, rung: &Rung, staff: &Staff, inputs: &mut Snapshot) {
        let Some(analyst) = staff.get(&choice.analyst) else { return };
        let phones: Vec<Phone> =
            choice.phones.iter().filter_map(|position| analyst.phones.get(*position)).cloned().collect();
        let stage = Stage::Asked { until: now + RESERVE_WITHIN };
        let (id, ring_for) = (rung.id.clone(), rung.ring_for);
        let offer = Offer { who: choice.who, rung: id, phones: phones.clone(), ring_for, stage };
        self.offers.insert(choice.analyst.clone(), offer);
        let rung_now = WithThisCall::Rung { who: choice.who, counts: true };
        self.so_far.insert(choice.analyst.clone(), rung_now);
        for person in inputs.people.iter_mut().filter(|person| person.id == choice.analyst) {
            person.with_this_call = rung_now;
        }
        self.actions.push_back(HuntAction::Reserve { analyst: choice.analyst.clone(), phones });
    }

    /// Waiting begins when nobody of the first rung is rung, and never ends but with the hunt: the place in line stays.
    fn note_first_rung(&mut self, now: Instant, first: &RungId, inputs: &Snapshot) {
        if self.offers.values().any(|offer| offer.rung == *first) {
            return;
        }
        if let State::Hunting { waiting: waiting @ None, .. } = &mut self.state {
            *waiting = Some(now);
            self.actions.push_back(HuntAction::News(HuntNews::WaitingSince { since: now }));
        }
        let busy = refused(inputs, &self.need, |_, refusal| refusal.is_busy()).count();
        self.told.busy = self.told.busy.max(busy);
        if busy > 0 && !self.told.all_busy {
            self.told.all_busy = true;
            self.actions.push_back(HuntAction::News(HuntNews::AllBusy { busy }));
        }
    }

    /// Whether anybody of any rung may yet take the call: busy, on a break, or at work with a phone that is gone.
    fn any_prospect(&self, inputs: &mut Snapshot) -> bool {
        inputs.who = self.hunting.rungs.iter().flat_map(|rung| &rung.who).copied().collect();
        let may_yet = |who, refusal: &Refusal| {
            let at_work = matches!(who, Who::Qualified | Who::WrapUp);
            let may_return = matches!(refusal, Refusal::Paused { .. } | Refusal::NoPhone);
            refusal.is_busy() || (at_work && may_return)
        };
        refused(inputs, &self.need, may_yet).next().is_some()
    }

    /// Tells once that it waits, that a callback is due, and that the time is up.
    fn mind_the_wait(&mut self, now: Instant) {
        let State::Hunting { since, waiting, hopeless, callback, giving_up, .. } = &mut self.state else { return };
        let waited = waiting.is_some_and(|waiting| waiting + self.hunting.book_callback_after <= now);
        if waited && *callback == Callback::NotYet {
            *callback = Callback::Booked;
            self.actions.push_back(HuntAction::News(HuntNews::BookCallback));
        }
        let time_is_up = *since + self.hunting.give_up_after <= now;
        if time_is_up && self.offers.values().any(|offer| matches!(offer.stage, Stage::PickedUp { .. })) {
            *giving_up = true;
            self.withdraw(OfferOutcome::Withdrawn, |offer| !matches!(offer.stage, Stage::PickedUp { .. }));
        } else if time_is_up || (waited && *hopeless && self.offers.is_empty()) {
            self.end(State::Over, OfferOutcome::Withdrawn);
            self.actions.push_back(HuntAction::News(HuntNews::NobodyFree));
        }
    }

    // -- Helpers -----------------------------------------------------------------------------------------------------

    /// When the rung at this position begins at the latest: at its own time, or at that of a later one, which it precedes.
    fn begins_at(&self, position: usize, since: Instant) -> Option<Instant> {
        self.hunting.rungs.iter().skip(position).filter_map(|rung| rung.after).min().map(|after| since + after)
    }

    fn rungs_begun(&self) -> usize {
        match self.state {
            State::Hunting { rungs, .. } => rungs,
            State::New | State::Won | State::Over => 0,
        }
    }

    fn any_counts(&self) -> bool {
        self.offers.values().any(|offer| !matches!(offer.stage, Stage::Silent { .. }))
    }

    fn tell_ringing(&mut self, who: Who) {
        match who {
            Who::OnCall if !self.told.on_call => {
                self.told.on_call = true;
                self.actions.push_back(HuntAction::News(HuntNews::TryingOnCall { busy: self.told.busy }));
            }
            Who::Qualified | Who::WrapUp | Who::Supervisor if !self.told.ringing => {
                self.told.ringing = true;
                self.actions.push_back(HuntAction::News(HuntNews::Ringing));
            }
            Who::Qualified | Who::WrapUp | Who::OnCall | Who::Supervisor => {}
        }
    }

    fn end(&mut self, state: State, outcome: OfferOutcome) {
        self.withdraw(outcome, |_| true);
        if !self.is_over() {
            self.state = state;
        }
    }

    /// Somebody who was only leased never heard it ring, so lost no race.
    fn withdraw(&mut self, outcome: OfferOutcome, which: impl Fn(&Offer) -> bool) {
        let withdrawn = self.offers.extract_if(.., |_, offer| which(offer));
        for (analyst, offer) in withdrawn {
            let leased = matches!(offer.stage, Stage::Asked { .. });
            let outcome = if leased { OfferOutcome::Withdrawn } else { outcome };
            self.actions.push_back(HuntAction::Withdraw { analyst, outcome });
        }
    }
}

/// People whom one of the groups in `inputs` refuses for a reason like this.
fn refused<'a>(
    inputs: &'a Snapshot,
    need: &'a Need,
    reason: impl Fn(Who, &Refusal) -> bool,
) -> impl Iterator<Item = &'a Person> {
    inputs.people.iter().filter(move |person| {
        let refuses = |who: &Who| qualify::judge(person, *who, need).is_err_and(|refusal| reason(*who, &refusal));
        inputs.who.iter().any(refuses)
    })
}

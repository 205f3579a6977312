//! What must hold after every run, whatever happened in it (DESIGN.md, "The pure contract").

use std::collections::{BTreeMap, BTreeSet};

use wardline::ids::{AnalystId, CallId, ModuleId, OfferId, SystemId};
use wardline::routing::{Need, OfferOutcome, replay};
use wardline::switch::{Command, Reply};
use wardline::ticket::{AnalystStateRecord, CallbackReason, DispositionCode, Event, Lifecycle};
use wardline::time::Duration;

use crate::phone::{Pickup, State};
use crate::world::World;

/// Virtual time in which everything must have come to rest but callbacks that find no analyst: three attempts of 90 s and
/// the pauses between.
const REST_WITHIN_MS: u64 = 720_000;
/// The longest wrap-up.
const WRAP_UP_MS: u64 = 31_000;

impl World {
    /// Every phone hangs up and the network behaves; then all must come to rest, and the invariants hold.
    #[track_caller]
    pub fn expect_quiet(&mut self) {
        self.net.loss_percent = 0;
        for index in 0..self.phones.len() {
            while let Some(session) = self.phones[index].current() {
                self.phones[index].hang_up(self.now, session);
                if self.phones[index].sessions[session].state != State::Over {
                    break;
                }
            }
            self.send_of(index);
            // Whoever is called from now on does not answer, so that callbacks end too.
            if matches!(
                self.phones[index].pickup,
                Pickup::Answers(_) | Pickup::AnswersEarly(_) | Pickup::AnswersReliably(_) | Pickup::Rings
            ) {
                self.phones[index].pickup = Pickup::Refuses(486, 0);
            }
        }
        let end = self.now + Duration::from_millis(REST_WITHIN_MS);
        while self.now < end && !self.is_at_rest() {
            self.run(10_000);
        }
        self.run(WRAP_UP_MS);
        self.settle_callbacks();
        let end = self.now + Duration::from_millis(REST_WITHIN_MS);
        while self.now < end && !self.is_at_rest() {
            self.run(10_000);
        }
        let broken = self.broken();
        assert!(broken.is_empty(), "{}\n{}", self.story(), broken.join("\n"));
    }

    /// Whom Wardline could not call back, a person has.
    fn settle_callbacks(&mut self) {
        for ticket in self.tickets().into_values() {
            if ticket.owes_callback() {
                self.dispose(&ticket, "ivy", DispositionCode::Solved);
            }
        }
    }

    fn is_at_rest(&self) -> bool {
        let status = self.status();
        status.calls + status.calling_back == 0
            && status.transactions == 0
            && (status.callbacks == 0 || status.draining)
    }

    /// Every invariant that does not hold, in words.
    pub fn broken(&mut self) -> Vec<String> {
        let mut broken = Vec::new();
        self.nothing_is_left(&mut broken);
        self.one_final_response_per_invite(&mut broken);
        self.one_closed_ticket_per_call(&mut broken);
        self.everybody_is_free(&mut broken);
        self.only_the_qualified_were_rung(&mut broken);
        self.callers_come_before_callbacks(&mut broken);
        self.attempts_are_those_that_rang(&mut broken);
        broken.append(&mut self.offers.faults);
        broken.append(&mut self.media.faults);
        broken
    }

    fn nothing_is_left(&self, broken: &mut Vec<String>) {
        let status = self.status();
        let gauges = [
            ("calls", status.calls),
            ("callback attempts", status.calling_back),
            ("legs", status.legs),
            ("dialogs", status.dialogs),
            ("transactions", status.transactions),
            ("timers", status.timers),
            ("ports", status.ports_used),
            ("waiting calls", status.waiting),
            ("callbacks", status.callbacks),
            ("callbacks for a person", status.callbacks_failed),
            ("media legs", self.media.open()),
        ];
        broken
            .extend(gauges.into_iter().filter(|(_, left)| *left > 0).map(|(what, left)| format!("{left} {what} left")));
        for (fault, expected) in [("call_fault", self.broken_calls), ("lease_lapsed", 0), ("query_refused", 0)] {
            if self.counter(fault) != expected {
                broken.push(format!("{fault}: {}, not {expected}", self.counter(fault)));
            }
        }
        for phone in &self.phones {
            let alive = !matches!(phone.pickup, Pickup::Dead | Pickup::Gone);
            let open = phone.sessions.iter().filter(|session| session.state != State::Over).count();
            if alive && open > 0 {
                broken.push(format!("{} is left off the hook in {open} calls", phone.name));
            }
        }
    }

    fn one_final_response_per_invite(&self, broken: &mut Vec<String>) {
        for invite in &self.invites {
            match self.finals.get(invite) {
                None => broken.push(format!("no final response to {invite:?}")),
                Some(finals) if finals.len() > 1 => broken.push(format!("{finals:?} to {invite:?}")),
                Some(_) => {}
            }
        }
    }

    fn one_closed_ticket_per_call(&self, broken: &mut Vec<String>) {
        let accepted: BTreeSet<&String> = self
            .finals
            .iter()
            // Phones name the calls they make so; others are those that the desk made to them.
            .filter(|((call_id, cseq, _), finals)| {
                call_id.starts_with("call-") && *cseq == 1 && finals.iter().any(|(status, _)| *status == 200)
            })
            .map(|((call_id, _, _), _)| call_id)
            .collect();
        let opened: Vec<&String> = self
            .records
            .iter()
            .filter_map(
                |record| if let Event::CallOpened(opened) = &record.event { Some(&opened.sip_call_id) } else { None },
            )
            .collect();
        let distinct: BTreeSet<&String> = opened.iter().copied().collect();
        if distinct != accepted || distinct.len() != opened.len() {
            broken.push(format!("accepted {accepted:?}, but tickets of {opened:?}"));
        }
        for ticket in self.tickets().into_values() {
            let state = ticket.state();
            let closed = match state {
                Lifecycle::Open => false,
                Lifecycle::CallbackDue => false,
                Lifecycle::WrapUpDue | Lifecycle::Working | Lifecycle::Closed => true,
            };
            if !closed || ticket.end.is_none() {
                broken.push(format!("ticket {} is {state:?}, end {:?}", ticket.number, ticket.end));
            }
        }
    }

    fn everybody_is_free(&mut self, broken: &mut Vec<String>) {
        let Reply::Analysts { analysts } = self.command(Command::Analysts) else { return };
        for analyst in analysts {
            let status = analyst["status"].as_str().unwrap_or_default();
            if ["reserved", "offered", "ringing", "on-call"].contains(&status) {
                broken.push(format!("{} is still {status}", analyst["analyst"]));
            }
        }
    }

    /// Judges each offer by the staff's files, written down here once more, and by what had happened until then.
    fn only_the_qualified_were_rung(&self, broken: &mut Vec<String>) {
        let mut needs: BTreeMap<CallId, Need> = BTreeMap::new();
        let mut offered: BTreeMap<AnalystId, OfferId> = BTreeMap::new();
        let mut present: BTreeSet<AnalystId> = self.signed_in.iter().cloned().collect();
        let mut spoke: BTreeSet<AnalystId> = BTreeSet::new();
        let mut decided: BTreeMap<CallId, BTreeSet<AnalystId>> = BTreeMap::new();
        for record in &self.records {
            let call = record.call;
            match (&record.event, call) {
                (Event::NeedSettled { need, .. }, Some(call)) => {
                    needs.insert(call, need.clone());
                }
                (Event::AnalystStateSet { analyst, state, .. }, _) => {
                    match state {
                        AnalystStateRecord::Available => present.insert(analyst.clone()),
                        AnalystStateRecord::SignedOut | AnalystStateRecord::Paused => present.remove(analyst),
                    };
                }
                (Event::RouteDecided { decision }, Some(call)) => {
                    let chosen: Vec<AnalystId> = decision.chosen.iter().map(|choice| choice.analyst.clone()).collect();
                    if replay(decision) != chosen {
                        broken.push(format!("a decision does not replay: {chosen:?}"));
                    }
                    decided.entry(call).or_default().extend(chosen);
                }
                (Event::OfferSent { offer, analyst, rung, .. }, Some(call)) => {
                    if let Some(other) = offered.insert(analyst.clone(), *offer) {
                        broken.push(format!("{analyst} is offered {offer} while offered {other}"));
                    }
                    if !decided.get(&call).is_some_and(|chosen| chosen.contains(analyst)) {
                        broken.push(format!("{analyst} was rung without a decision"));
                    }
                    let Some(need) = needs.get(&call) else {
                        // A callback of a call that never came to a need: only a place is known.
                        continue;
                    };
                    let may = match rung.as_str() {
                        "qualified" => covers(analyst, need) && present.contains(analyst),
                        "backup" => {
                            covers(analyst, need)
                                && (analyst.as_str() == "hal" || present.contains(analyst) && spoke.contains(analyst))
                        }
                        "supervisor" => analyst.as_str() == "ivy",
                        _ => false,
                    };
                    if !may {
                        broken.push(format!("{analyst} was rung on {rung} for {need:?}"));
                    }
                }
                (Event::OfferEnded { offer, analyst, .. }, _) => {
                    let open = offered.remove(analyst) == Some(*offer);
                    broken.extend((!open).then(|| format!("offer {offer} to {analyst} ended, but it was not open")));
                }
                (Event::AnalystAnswered { analyst, .. }, _) => {
                    spoke.insert(analyst.clone());
                }
                _ => {}
            }
        }
        broken.extend(offered.iter().map(|(analyst, offer)| format!("offer {offer} to {analyst} never ended")));
    }

    /// No callback rings anybody while a caller waits who wants somebody of the same system: one whom no decision on the
    /// first rung found anybody for, and who has since neither been answered nor left nor been given something else. Whom they
    /// have tried in vain in this call is taken from nobody.
    fn callers_come_before_callbacks(&self, broken: &mut Vec<String>) {
        let mut needs: BTreeMap<CallId, Need> = BTreeMap::new();
        let (mut confirmed, mut waiting, mut ended) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut tried: BTreeSet<(CallId, &AnalystId)> = BTreeSet::new();
        for record in &self.records {
            let Some(call) = record.call else { continue };
            match (&record.event, ended.contains(&call)) {
                (Event::NeedSettled { need, .. }, _) => _ = needs.insert(call, need.clone()),
                (Event::Confirmed, _) => _ = confirmed.insert(call),
                (Event::RouteDecided { decision }, false) if decision.rung.as_str() == "qualified" => {
                    if decision.chosen.is_empty() {
                        waiting.insert(call)
                    } else {
                        waiting.remove(&call)
                    };
                }
                (Event::Bridged { .. } | Event::TargetRung { .. } | Event::AnalystAnswered { .. }, _) => {
                    waiting.remove(&call);
                }
                (Event::CallbackBooked { reason, .. }, _) if *reason != CallbackReason::Waiting => {
                    _ = waiting.remove(&call)
                }
                (Event::CallEnded { .. }, _) => {
                    waiting.remove(&call);
                    ended.insert(call);
                }
                (Event::OfferEnded { analyst, outcome, .. }, false) if *outcome != OfferOutcome::Withdrawn => {
                    _ = tried.insert((call, analyst))
                }
                (Event::OfferSent { analyst, .. }, true) => {
                    let Some(need) = needs.get(&call) else { continue };
                    let wants = |other: &Need| match (&need.system, &other.system) {
                        (Some(one), Some(another)) => one == another && need.hospital == other.hospital,
                        (None, _) | (_, None) => need.hospital == other.hospital,
                    };
                    let passed = waiting
                        .intersection(&confirmed)
                        .find(|other| needs.get(other).is_some_and(wants) && !tried.contains(&(**other, analyst)));
                    if let Some(passed) = passed {
                        broken.push(format!("{analyst} is rung for a callback at {} while {passed} waits", record.at));
                    }
                }
                _ => {}
            }
        }
    }

    /// No more attempts to call a number back are counted than times its phone rang or was picked up.
    fn attempts_are_those_that_rang(&self, broken: &mut Vec<String>) {
        let mut counted: BTreeMap<String, usize> = BTreeMap::new();
        for back in self.tickets().into_values().filter_map(|ticket| ticket.callback) {
            *counted.entry(back.number.to_string()).or_default() += usize::from(back.attempts);
        }
        for (number, attempts) in counted {
            let rang = self.wards_rang.iter().filter(|(user, _)| *user == number).count();
            // A fault of ours in the middle of one counts, too.
            if attempts > rang + usize::try_from(self.broken_calls).unwrap_or(usize::MAX) {
                broken.push(format!("{number} rang {rang} times, but {attempts} attempts are counted"));
            }
        }
    }
}

/// Who takes what, as desk/analysts.toml says.
fn covers(analyst: &AnalystId, need: &Need) -> bool {
    let system = need.system.as_ref().map(SystemId::as_str);
    let module = need.module.as_ref().map(ModuleId::as_str);
    let takes = |of: &str, only: Option<&str>| {
        system.is_none_or(|system| system == of) && (only.is_none() || module.is_none() || module == only)
    };
    match analyst.as_str() {
        "ana" | "ben" | "cho" | "dev" => takes("ehr", None),
        "eva" => takes("amb", Some("charting")),
        "finn" => takes("amb", Some("sign-in")),
        "gus" => takes("amb", Some("equipment")),
        "hal" => takes("ehr", None) || takes("amb", None),
        _ => false,
    }
}

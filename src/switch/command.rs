//! What the control socket asks. Every change is journaled with its author in the same batch.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::call::Call;
use crate::identity::Suspect;
use crate::ids::{AnalystId, CallId, CommandId, HospitalId, TicketNumber};
use crate::routing::{self, Attestation, Phone, PhoneKind, PhoneUse, Presence};
use crate::switch::{Action, Command, Reply, Switch};
use crate::ticket::{AnalystStateRecord, Disposition, DispositionCode, Event, HangupCause};
use crate::time::Instant;

impl Switch {
    pub(super) fn command(&mut self, now: Instant, id: CommandId, command: Command) {
        let reply = match command {
            Command::Status => Reply::Status(Box::new(self.status())),
            Command::Calls => Reply::Calls { calls: self.calls.values().map(|call| call_view(call, now)).collect() },
            Command::Analysts => Reply::Analysts { analysts: self.analyst_views(now) },
            Command::SetAnalystState { analyst, state, actor, reason } => {
                self.set_analyst_state(now, &analyst, state, actor, reason)
            }
            Command::SetDisposition { call, ticket, hospital, by, disposition, actor } => {
                self.set_disposition(now, (call, ticket, &hospital), by, disposition, actor)
            }
            Command::Incidents => Reply::Incidents { incidents: self.incidents.iter().cloned().collect() },
            Command::OpenIncident { what, by, actor } => self.open_incident(now, what, by, actor),
            Command::ResolveIncident { incident, by, actor } => self.resolve_incident(now, incident, &by, actor),
            Command::Attest { analyst, hospital, system, modules, release, evidence, by, actor } => {
                let made = self.clock.wall(now);
                let withdrawn = false;
                let new = Attestation { analyst, hospital, system, modules, release, evidence, by, made, withdrawn };
                self.attest(now, new, actor)
            }
            Command::Withdraw { analyst, hospital, system, modules, release, reason, by, actor } => {
                let (made, evidence, withdrawn) = (self.clock.wall(now), reason, true);
                let new = Attestation { analyst, hospital, system, modules, release, evidence, by, made, withdrawn };
                self.withdraw(now, new, actor)
            }
            Command::Standings => Reply::Standings(Box::new(self.standings.clone())),
            Command::SetStanding { hospital, passage, by, actor } => {
                self.set_standing(now, hospital, passage, by, actor)
            }
            Command::Confirm { hospital, item, by, note, actor } => {
                self.confirm(now, hospital, (item, by, note), actor)
            }
            Command::Tallies => {
                let tallies = self.lockouts.tallies(now, self.clock.wall(now)).collect();
                Reply::Tallies { tallies }
            }
            Command::ClearTally { hospital, suspect, actor } => self.clear_tally(now, hospital, suspect, actor),
            Command::Drain { actor } => {
                self.draining = true;
                self.audit(now, actor, "drain", "node", None);
                self.cut_attempts(now);
                Reply::Done
            }
            Command::HangUpAll { actor } => {
                self.audit(now, actor, "hang up all calls", "node", None);
                let calls: Vec<CallId> = self.calls.keys().copied().collect();
                for call in calls {
                    self.with_call(now, call, |call, ctx| call.hang_up(ctx, HangupCause::Shutdown));
                }
                Reply::Done
            }
            Command::Stop => {
                self.draining = true;
                self.record(now, None, Event::NodeStopped);
                Reply::Done
            }
            Command::Audit { actor, action, object, reason } => {
                self.audit(now, actor, &action, &object, reason);
                Reply::Done
            }
        };
        self.actions.push_back(Action::Reply { id, reply });
    }

    fn set_analyst_state(
        &mut self,
        now: Instant,
        analyst: &AnalystId,
        state: AnalystStateRecord,
        actor: String,
        reason: Option<String>,
    ) -> Reply {
        if let Err(reason) = self.known_analyst(analyst) {
            return Reply::Refused { reason };
        }
        let presence = match state {
            AnalystStateRecord::SignedOut => Presence::SignedOut,
            AnalystStateRecord::Available => Presence::Available,
            AnalystStateRecord::Paused => Presence::Paused { reason: reason.clone() },
        };
        self.desk.declare(analyst, presence, now);
        let set = Event::AnalystStateSet { analyst: analyst.clone(), state, reason: reason.clone() };
        self.record(now, None, set);
        self.audit(now, actor, "set analyst state", analyst.as_str(), reason);
        Reply::Done
    }

    pub(super) fn known_analyst(&self, analyst: &AnalystId) -> Result<&routing::Analyst, String> {
        let near = || crate::diagnostic::nearest(analyst.as_str(), self.staff.iter().map(|known| known.id.as_str()));
        let hint = || near().map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        self.staff.get(analyst).ok_or_else(|| format!("no analyst is called {analyst}{}", hint()))
    }

    /// By somebody who serves the ticket's hospital: no other hospital's people settle what is owed to its callers.
    fn set_disposition(
        &mut self,
        now: Instant,
        (call, ticket, hospital): (CallId, TicketNumber, &HospitalId),
        by: AnalystId,
        disposition: Disposition,
        actor: String,
    ) -> Reply {
        match self.known_analyst(&by) {
            Err(reason) => return Reply::Refused { reason },
            Ok(analyst) if !analyst.hospitals.contains(hospital) => {
                let reason = format!("{by} does not serve {hospital}, whose ticket {ticket} is");
                return Reply::Refused { reason };
            }
            Ok(_) => {}
        }
        let code = disposition.code;
        let reason = format!("{}, by {by}", code.as_str());
        self.audit(now, actor, "set disposition", &format!("ticket {ticket}"), Some(reason));
        self.record(now, Some(call), Event::DispositionSet { by: by.clone(), disposition });
        self.callbacks.settle(call, code);
        self.open_tickets.set(call, code == DispositionCode::Open);
        if let Some(call) = self.calls.get_mut(&call) {
            call.callback_settled(code);
        }
        self.desk.finish_wrap_up(&by, call, now);
        Reply::Done
    }

    fn clear_tally(&mut self, now: Instant, hospital: HospitalId, suspect: Suspect, actor: String) -> Reply {
        if !self.lockouts.forget(&hospital, &suspect) {
            return Reply::Refused { reason: format!("nothing wrong is counted of {suspect} of {hospital}") };
        }
        self.audit(now, actor, "unlock", &format!("{suspect} of {hospital}"), None);
        self.record(now, None, Event::TallyCleared { hospital, suspect });
        Reply::Done
    }

    pub(super) fn audit(&mut self, now: Instant, actor: String, action: &str, object: &str, reason: Option<String>) {
        let event = Event::Audit { actor, action: action.to_owned(), object: object.to_owned(), reason };
        self.record(now, None, event);
    }

    fn analyst_views(&self, now: Instant) -> Vec<Value> {
        let wall = self.clock.wall(now);
        let locked = |analyst: &routing::Analyst| -> Vec<Value> {
            let users = analyst.phones.iter().filter_map(|phone| phone.kind.user());
            let locked = users.filter_map(|user| Some((user, self.registrar.locked_for(now, user)?)));
            locked.map(|(user, left)| json!({ "user": user, "seconds": left.as_secs() })).collect()
        };
        let view = |analyst: &routing::Analyst| {
            let (status, detail) = words(&self.desk.status(&analyst.id, now), now);
            let status = self.cannot_be_rung(analyst, wall).filter(|_| status == "idle").unwrap_or(status);
            json!({
                "analyst": analyst.id, "name": analyst.name, "status": status, "detail": detail,
                "reachable": self.desk.reachable(&analyst.id),
                "on_shift": analyst.on_shift(wall), "on_call": analyst.on_call(wall),
                "missed": self.desk.missed(&analyst.id).0, "locked": locked(analyst),
                "qualifications": self.staff.standing(analyst, wall),
            })
        };
        self.config.staff.iter().map(view).collect()
    }

    /// What keeps somebody who is signed in and has no call from being rung at the desk, in a word.
    fn cannot_be_rung(&self, analyst: &routing::Analyst, wall: Timestamp) -> Option<&'static str> {
        let is_there = |phone: &Phone| match phone.kind {
            PhoneKind::Registered { .. } => self.desk.reachable(&analyst.id),
            PhoneKind::Sip { .. } | PhoneKind::Trunk { .. } => true,
        };
        if !analyst.on_shift(wall) {
            Some("off-shift")
        } else if !analyst.phones.iter().any(|phone| phone.usage == PhoneUse::Desk && is_there(phone)) {
            Some("no-phone")
        } else {
            None
        }
    }
}

/// A status in a word, and what goes with it.
fn words(status: &routing::Status, now: Instant) -> (&'static str, Option<String>) {
    let seconds = |since: &Instant| Some(format!("{} s", now.since(*since).as_secs()));
    match status {
        routing::Status::SignedOut => ("signed-out", None),
        routing::Status::Paused { reason } => ("paused", reason.clone()),
        routing::Status::Idle { for_how_long, .. } => ("idle", Some(format!("{} s", for_how_long.as_secs()))),
        routing::Status::Reserved { .. } => ("reserved", None),
        routing::Status::Offered { since, .. } => ("ringing", seconds(since)),
        routing::Status::OnCall { since, .. } => ("on-call", seconds(since)),
        routing::Status::WrapUp { until, .. } => ("wrap-up", Some(format!("{} s left", until.since(now).as_secs()))),
    }
}

fn call_view(call: &Call, now: Instant) -> Value {
    let place = call.caller.place.as_ref().map(|place| place.value.unit_name.clone());
    json!({
        "call": call.id, "ticket": call.ticket, "hospital": call.hospital, "stage": call.stage_name(),
        "unit": place, "seconds": now.since(call.opened()).as_secs(), "legs": call.legs(),
        "analyst": call.last_analyst(),
    })
}

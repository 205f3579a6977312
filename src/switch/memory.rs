//! What a start knows of the process before: the switch takes it over, closes what was cut, and owes callbacks.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::call::{CallbackDue, EndedTicket, KnownTicket, TRY_FOR, Tries};
use crate::config::{Config, Hospital};
use crate::identity::{Caller, NumberRules, Pins, Signalled, Tally, identify};
use crate::ids::{AnalystId, CallId, Extension, HospitalId, IncidentId, Language, PlanId, Seq, TicketNumber};
use crate::ivr::Plan;
use crate::registrar::{Account, BindingRecord, NonceKey, NonceRecord};
use crate::routing::{Attestation, Earlier, Incident, Level, Need, Presence};
use crate::switch::Switch;
use crate::ticket::{CallbackOutcome, CallbackReason, Event, HangupCause, Party, Standings};
use crate::time::{Duration, Instant};

/// Cut calls are called back at once: nobody chose to hang up.
const CUT_CALL_BACK_AFTER: Duration = Duration::from_secs(5);

/// Everything a start reads from the store, as pure values.
#[derive(Debug)]
pub struct Memory {
    pub next_seq: Seq,
    pub next_ticket: TicketNumber,
    pub nonce_key: NonceKey,
    pub accounts: Vec<Account>,
    pub bindings: Vec<BindingRecord>,
    pub nonces: Vec<NonceRecord>,
    /// With the time since each analyst's last call.
    pub analysts: Vec<(AnalystId, Presence, Duration)>,
    /// Analysts who talk on calls that this process does not carry.
    pub elsewhere: Vec<AnalystId>,
    /// Calls that were up when the process before died.
    pub cut: Vec<CutCall>,
    pub callbacks: Vec<OwedCallback>,
    /// Active ones, and the number of the next.
    pub incidents: Vec<Incident>,
    pub next_incident: IncidentId,
    /// In the order of time.
    pub attested: Vec<Attestation>,
    pub standings: Standings,
    /// Those that are not closed, in the order of time.
    pub tickets: Vec<EndedTicket>,
    /// The newest, in the order of their numbers.
    pub known_tickets: Vec<KnownTicket>,
    /// Wrong PINs and badges that were counted.
    pub tallies: Vec<Tally>,
    pub pins: Pins,
    /// In the order of time.
    pub continuity: Vec<Earlier>,
    /// Software version, for the record of the start.
    pub version: String,
}

impl Memory {
    /// Of a first start: nothing.
    pub fn blank(nonce_key: [u8; 32]) -> Memory {
        Memory {
            next_seq: Seq(1),
            next_ticket: TicketNumber(1000),
            nonce_key: NonceKey::new(nonce_key),
            accounts: Vec::new(),
            bindings: Vec::new(),
            nonces: Vec::new(),
            analysts: Vec::new(),
            elsewhere: Vec::new(),
            cut: Vec::new(),
            callbacks: Vec::new(),
            incidents: Vec::new(),
            next_incident: IncidentId(1),
            attested: Vec::new(),
            standings: Standings::default(),
            tickets: Vec::new(),
            known_tickets: Vec::new(),
            tallies: Vec::new(),
            pins: Pins::default(),
            continuity: Vec::new(),
            version: String::new(),
        }
    }
}

/// A call that a failure of the node cut off.
#[derive(Clone, Debug)]
pub struct CutCall {
    pub call: CallId,
    pub ticket: TicketNumber,
    pub hospital: HospitalId,
    pub plan: PlanId,
    pub language: Language,
    /// The hotline's number.
    pub dialled: String,
    pub caller: Option<Caller>,
    pub need: Option<Need>,
    pub test: bool,
    /// Its own end was recorded already; only an attempt to call back was cut, after so many others. What is owed stands
    /// among [`Memory::callbacks`].
    pub attempt_after: Option<u8>,
}

/// A callback that is owed since an earlier process.
#[derive(Clone, Debug)]
pub struct OwedCallback {
    pub call: CallId,
    pub ticket: TicketNumber,
    pub hospital: HospitalId,
    pub plan: PlanId,
    pub language: Language,
    pub dialled: String,
    pub number: Extension,
    /// Not to be tried before this known problem is fixed.
    pub waits_for: Option<IncidentId>,
    pub booked: Timestamp,
    pub due: Timestamp,
    /// In which the ward's phone was rung.
    pub attempts: u8,
    /// Not tried any more: a person must call.
    pub failed: bool,
    pub caller: Option<Caller>,
    pub need: Option<Need>,
    pub test: bool,
}

impl Switch {
    pub(super) fn remember(&mut self, now: Instant, memory: Memory) {
        let wall = self.clock.wall(now);
        let started = Event::NodeStarted { version: memory.version, config: self.config.version.clone() };
        self.record(now, None, started);
        for (analyst, presence, idle_for) in memory.analysts {
            self.desk.restore(&analyst, presence, idle_for, 0, now);
        }
        for analyst in memory.elsewhere {
            let call = self.numbers.call_id(wall);
            self.desk.elsewhere(&analyst, call, now);
        }
        for earlier in memory.continuity {
            self.continuity.note(earlier);
        }
        for ticket in memory.tickets {
            self.open_tickets.note(ticket);
        }
        for ticket in memory.known_tickets {
            self.tickets.note(ticket);
        }
        for tally in memory.tallies {
            self.lockouts.restore(tally, now, wall);
        }
        self.pins = memory.pins;
        let changes = self.registrar.restore(memory.bindings, memory.nonces, now, wall);
        self.registrations_changed(now, changes);
        // What a cut call had booked itself is booked anew with its end.
        let booked_anew: BTreeSet<CallId> =
            memory.cut.iter().filter(|cut| cut.attempt_after.is_none()).map(|cut| cut.call).collect();
        for call in memory.cut {
            self.close_cut(now, call);
        }
        for owed in memory.callbacks.into_iter().filter(|owed| !booked_anew.contains(&owed.call)) {
            self.owe_again(now, owed);
        }
    }

    /// "Node failure" on the ticket, and a callback where there is a number.
    fn close_cut(&mut self, now: Instant, cut: CutCall) {
        let wall = self.clock.wall(now);
        if let Some(attempt) = cut.attempt_after {
            let attempted = Event::CallbackAttempted { attempt, outcome: CallbackOutcome::Cut };
            self.record(now, Some(cut.call), attempted);
            return;
        }
        let ended = Event::CallEnded { cause: HangupCause::NodeFailure, by: Party::Desk };
        self.record(now, Some(cut.call), ended);
        let Some(number) = cut.caller.as_ref().and_then(|caller| caller.call_back_number().cloned()) else { return };
        let due = wall.checked_add(CUT_CALL_BACK_AFTER).unwrap_or(wall);
        let booked = Event::CallbackBooked { number: number.clone(), due, reason: CallbackReason::NodeFailure };
        self.record(now, Some(cut.call), booked);
        let owed = OwedCallback {
            call: cut.call,
            ticket: cut.ticket,
            hospital: cut.hospital,
            plan: cut.plan,
            language: cut.language,
            dialled: cut.dialled,
            number,
            waits_for: None,
            booked: wall,
            due,
            attempts: 0,
            failed: false,
            caller: cut.caller,
            need: cut.need,
            test: cut.test,
        };
        self.owe_again(now, owed);
    }

    /// Into the book at its time, or soon where that has passed. What is too late, or can't be tried any more because its
    /// hospital is gone, is a person's.
    fn owe_again(&mut self, now: Instant, owed: OwedCallback) {
        let wall = self.clock.wall(now);
        let waits_for = owed.waits_for.filter(|incident| !owed.failed && self.incidents.get(*incident).is_some());
        if let Some(incident) = waits_for
            && let Some(due) = self.owed(owed.clone(), now + TRY_FOR, wall)
        {
            self.callbacks.add_when_fixed(incident, due);
            return;
        }
        let (call, failed) = (owed.call, owed.failed);
        let wait = Duration::try_from(owed.due.duration_since(wall)).unwrap_or_default().max(CUT_CALL_BACK_AFTER);
        let age = Duration::try_from(wall.duration_since(owed.booked)).unwrap_or_default();
        let until = now + TRY_FOR.saturating_sub(age);
        let due = self.owed(owed, until, wall).filter(|_| !failed && now + wait <= until);
        match due {
            Some(due) => self.callbacks.add_at(now + wait, due),
            None => {
                if !failed {
                    self.record(now, Some(call), Event::CallbackGivenUp);
                }
                self.callbacks.leave_to_a_person(call);
            }
        }
    }

    /// A callback with all that ringing needs; `None` when its hospital is not ours any more.
    fn owed(&self, owed: OwedCallback, until: Instant, wall: Timestamp) -> Option<CallbackDue> {
        let hospital = self.config.hospital(&owed.hospital)?;
        let plan = self.config.plans.get(&owed.plan).cloned();
        let plan = plan.or_else(|| todays_plan(&self.config, hospital, &owed.dialled))?;
        let language = owed.language;
        let caller = owed.caller.unwrap_or_else(|| {
            let signalled = Signalled { from: Some(owed.number.to_string()), ..Signalled::default() };
            identify(&signalled, &NumberRules::default(), &hospital.directory, wall)
        });
        let need = owed.need.unwrap_or_else(|| Need {
            hospital: owed.hospital.clone(),
            site: None,
            system: caller.ehr.as_ref().map(|ehr| ehr.value.system.clone()),
            module: None,
            release: None,
            language: language.clone(),
            level: Level::default(),
        });
        Some(CallbackDue {
            call: owed.call,
            ticket: owed.ticket,
            hospital: owed.hospital,
            plan,
            language,
            caller,
            need,
            tries: Tries { attempts: owed.attempts, ..Tries::none(until) },
            test: owed.test,
        })
    }
}

/// Where the call's own plan is gone: the plan that its hotline has now, else that of the hospital's first hotline.
fn todays_plan(config: &Config, hospital: &Hospital, dialled: &str) -> Option<Arc<Plan>> {
    let own = hospital.hotlines.get(&Extension::new(dialled));
    let hotline = own.or_else(|| hospital.hotlines.values().next())?;
    config.plans.get(&hotline.plan).cloned()
}

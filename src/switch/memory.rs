//! What a start knows of the process before: the switch takes it over, closes what was cut, and owes callbacks.

use jiff::Timestamp;

use crate::call::CallbackDue;
use crate::config::Config;
use crate::identity::{Caller, NumberRules, Signalled, identify};
use crate::ids::{AnalystId, CallId, Extension, HospitalId, PlanId, Seq, TicketNumber};
use crate::registrar::{Account, BindingRecord, NonceKey, NonceRecord};
use crate::routing::{Earlier, Level, Need, Presence};
use crate::switch::Switch;
use crate::ticket::{CallbackReason, Event, HangupCause, Party};
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
    /// Calls that were up when the process before died.
    pub cut: Vec<CutCall>,
    pub callbacks: Vec<OwedCallback>,
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
            cut: Vec::new(),
            callbacks: Vec::new(),
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
    pub caller: Option<Caller>,
    pub need: Option<Need>,
    pub plan: Option<PlanId>,
    pub test: bool,
    /// Attempts to call back that were made already.
    pub attempts: u8,
    /// Its own end was recorded already; only a callback's attempt was cut.
    pub attempt: bool,
}

/// A callback that is owed since an earlier process.
#[derive(Clone, Debug)]
pub struct OwedCallback {
    pub call: CallId,
    pub ticket: TicketNumber,
    pub hospital: HospitalId,
    pub number: Extension,
    pub due: Timestamp,
    pub attempts: u8,
    pub caller: Option<Caller>,
    pub need: Option<Need>,
    pub plan: Option<PlanId>,
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
        for earlier in memory.continuity {
            self.continuity.note(earlier);
        }
        let changes = self.registrar.restore(memory.bindings, memory.nonces, now, wall);
        self.registrations_changed(now, changes);
        let cut: Vec<CallId> = memory.cut.iter().map(|cut| cut.call).collect();
        for call in memory.cut {
            self.close_cut(now, call);
        }
        for owed in memory.callbacks.into_iter().filter(|owed| !cut.contains(&owed.call)) {
            let wait = Duration::try_from(owed.due.duration_since(wall)).unwrap_or_default();
            if let Some(due) = self.owed(owed, wall) {
                self.callbacks.add_at(now + wait.max(CUT_CALL_BACK_AFTER), due);
            }
        }
    }

    /// "Node failure" on the ticket, and a callback where there is a number.
    fn close_cut(&mut self, now: Instant, cut: CutCall) {
        let wall = self.clock.wall(now);
        if !cut.attempt {
            let ended = Event::CallEnded { cause: HangupCause::NodeFailure, by: Party::Desk };
            self.record(now, Some(cut.call), ended);
        }
        let Some(number) = cut.caller.as_ref().and_then(|caller| caller.extension.clone()) else { return };
        let due = wall.checked_add(CUT_CALL_BACK_AFTER).unwrap_or(wall);
        let number = number.value;
        let booked = Event::CallbackBooked { number: number.clone(), due, reason: CallbackReason::NodeFailure };
        self.record(now, Some(cut.call), booked);
        let owed = OwedCallback {
            call: cut.call,
            ticket: cut.ticket,
            hospital: cut.hospital,
            number,
            due,
            attempts: cut.attempts,
            caller: cut.caller,
            need: cut.need,
            plan: cut.plan,
            test: cut.test,
        };
        if let Some(due) = self.owed(owed, wall) {
            self.callbacks.add_at(now + CUT_CALL_BACK_AFTER, due);
        }
    }

    /// A callback with all that ringing needs; `None` when its hospital is not ours any more.
    fn owed(&self, owed: OwedCallback, wall: Timestamp) -> Option<CallbackDue> {
        let hospital = self.config.hospital(&owed.hospital)?;
        let plan = owed.plan.as_ref().and_then(|plan| self.config.plans.get(plan).cloned());
        let plan = plan.or_else(|| first_plan(&self.config, &owed.hospital))?;
        let language = hospital.language();
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
            attempts: owed.attempts,
            test: owed.test,
        })
    }
}

/// The plan of the hospital's first hotline: its rungs serve callbacks after a restart.
fn first_plan(config: &Config, hospital: &HospitalId) -> Option<std::sync::Arc<crate::ivr::Plan>> {
    let hotline = config.hospital(hospital)?.hotlines.values().next()?;
    config.plans.get(&hotline.plan).cloned()
}

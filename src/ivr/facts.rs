//! What a plan may know of the call it walks: facts of the caller, news of the hunt, and questions to the world.

use std::time::Duration;

use jiff::civil::{Time, Weekday};
use serde::{Deserialize, Serialize};

use crate::identity::PhoneClass;
use crate::ids::{CalendarId, Extension, IncidentId, Language, ModuleId, PromptId, SiteId, SystemId, TrunkId, UnitId};
use crate::routing::Level;

/// Longest silence between a step that begins to ring and the hunt's first news; then "ringing" is said anyway.
pub const NEWS_WITHIN: Duration = Duration::from_millis(200);

/// The caller as identity knows it. Replaced as a whole when more becomes known ([`crate::ivr::Interpreter::learn`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub language: Language,
    pub class: Option<PhoneClass>,
    /// The calling number stands in the extension map (or the caller keyed an extension that does).
    pub mapped: bool,
    pub origin: Origin,
    /// The caller's name is known, if only as a claim.
    pub person_known: bool,
    pub extension: Option<Extension>,
    pub site: Option<SiteId>,
    pub unit: Option<UnitId>,
    /// The recorded name of the unit; `None` greets without it.
    pub unit_prompt: Option<PromptId>,
    /// What the place says of the need, before anything is asked.
    pub system: Option<SystemId>,
    pub module: Option<ModuleId>,
    pub trunk: Option<TrunkId>,
    pub dialled: String,
    /// There is a number that can be called back.
    pub can_call_back: bool,
    /// The hospital's emergency code number, spoken digit by digit when the operator is silent.
    pub code_number: Option<String>,
    /// The hospital's clock and day at the INVITE.
    pub local_time: Time,
    pub weekday: Weekday,
    /// The hospital's holiday.
    pub holiday: bool,
    /// Calendars of the hospital's file that hold at the INVITE.
    pub calendars: Vec<CalendarId>,
    /// Digits that the PBX sent behind the dialled number (`7100,,3`): keyed ahead.
    pub digits: Option<String>,
}

impl Facts {
    /// A call of which nothing is known but where it came from. The rest is filled in by fields.
    pub fn unknown(origin: Origin, language: Language) -> Facts {
        Facts {
            language,
            class: None,
            mapped: false,
            origin,
            person_known: false,
            extension: None,
            site: None,
            unit: None,
            unit_prompt: None,
            system: None,
            module: None,
            trunk: None,
            dialled: String::new(),
            can_call_back: false,
            code_number: None,
            local_time: Time::midnight(),
            weekday: Weekday::Monday,
            holiday: false,
            calendars: Vec::new(),
            digits: None,
        }
    }
}

/// Which side of the hospital's PBX a call came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    Inside,
    Outside,
}

impl Origin {
    /// As plans write them.
    pub const NAMES: [&'static str; 2] = ["inside", "outside"];

    pub fn from_name(name: &str) -> Option<Origin> {
        match name {
            "inside" => Some(Origin::Inside),
            "outside" => Some(Origin::Outside),
            _ => None,
        }
    }
}

/// What an answer would change of the need. Empty fields change nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NeedPatch {
    pub system: Option<SystemId>,
    pub module: Option<ModuleId>,
    pub language: Option<Language>,
    pub level: Option<Level>,
}

impl NeedPatch {
    pub fn is_empty(&self) -> bool {
        *self == NeedPatch::default()
    }
}

/// What settled the need when ringing began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettledBy {
    /// The place says it all, or no question was open.
    Place,
    Key,
    /// Silence, a wrong key, or `0`.
    NoKey,
    Plan,
}

/// Why a callback is booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallbackCause {
    /// By itself, after the declared wait.
    Waiting,
    /// The caller pressed for it.
    Asked,
    NobodyFree,
    OperatorSilent,
    /// The caller hung up before a human answered.
    Abandoned,
    /// The caller waits for the known problem to be fixed.
    Incident,
}

impl CallbackCause {
    /// As plans write it. [`CallbackCause::Waiting`] and [`CallbackCause::Abandoned`] happen by themselves.
    pub fn from_name(name: &str) -> Option<CallbackCause> {
        match name {
            "asked" => Some(CallbackCause::Asked),
            "nobody-free" => Some(CallbackCause::NobodyFree),
            "operator-silent" => Some(CallbackCause::OperatorSilent),
            "incident" => Some(CallbackCause::Incident),
            _ => None,
        }
    }

    pub const NAMES: [&'static str; 4] = ["asked", "nobody-free", "operator-silent", "incident"];
}

/// What the hunt tells the caller's side. Each kind is said once a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HuntNews {
    /// A qualified analyst's phone rings.
    Ringing,
    /// Nobody is signed in; the on-call phone is rung.
    OnCall,
    /// All who are qualified are on calls; the next rung is tried.
    AllBusy,
    /// Nobody at all can be rung now: the call waits.
    NobodyFree,
}

/// An active incident, as far as a plan speaks of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownProblem {
    pub id: IncidentId,
    /// At most [`crate::ivr::plan::LONGEST_PROMPT`] long.
    pub prompt: PromptId,
}

/// What the interpreter asks of the world, answered at once from the local snapshot.
pub trait World {
    /// Whether two of these answers (or one of them and silence) would ring different people.
    fn would_change(&self, options: &[NeedPatch]) -> bool;
    /// Whether anybody of the caller's hospital is on shift now.
    fn on_shift(&self) -> bool;
    /// The known problem that concerns this caller, with what was settled in this walk so far.
    fn incident(&self, settled: &NeedPatch) -> Option<KnownProblem>;
    /// Whether the caller's system does not work at all.
    fn system_down(&self, settled: &NeedPatch) -> bool;
    /// Whether this caller, or the unit, has a ticket that is not closed; this call's own apart.
    fn open_ticket(&self) -> bool;
    /// How long ago an analyst took a call of this number, or of this unit about this module.
    fn last_helped(&self, settled: &NeedPatch) -> Option<Duration>;
}

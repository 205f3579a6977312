//! Who is rung. A pure function of logged inputs: the hard filter of qualifications, then continuity, then longest idle.

use serde::{Deserialize, Serialize};

use crate::ids::{AnalystId, HospitalId, Language, ModuleId, RungId, SiteId, SystemId};

/// What a call requires of the analyst who takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    pub hospital: HospitalId,
    pub site: Option<SiteId>,
    pub system: Option<SystemId>,
    pub module: Option<ModuleId>,
    /// Release of the system where the caller stands, when known.
    pub release: Option<String>,
    pub language: Language,
    pub level: Level,
}

/// How far an analyst is qualified; a need asks for at least one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    #[default]
    Basic,
    Advanced,
    Expert,
}

/// How one offer to one analyst ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OfferOutcome {
    /// Won the call.
    Answered,
    /// Somebody else was first. Not a missed call.
    LostRace,
    /// Rang out.
    NoAnswer,
    /// 486, 600.
    Busy,
    /// 603 or the phone's decline key.
    Declined,
    /// No route, ICMP unreachable, no 1xx in time, 4xx/5xx.
    Unreachable,
    /// Answered, but nobody pressed 1 (a voicemail, an outside phone).
    NotAccepted,
    /// The caller left, took a callback, or the call ended otherwise.
    Withdrawn,
}

/// Why these were rung and the others not: stored with the call, and replayable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub need: Need,
    pub rung: RungId,
    /// Who is rung, in order.
    pub chosen: Vec<Choice>,
    /// Everybody else of the hospital, with the first filter that ruled them out, in words.
    pub passed_over: Vec<PassedOver>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    pub analyst: AnalystId,
    /// One sentence for people: "Holds charting (expert) for epic-prod; idle longest, 12 min."
    pub because: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassedOver {
    pub analyst: AnalystId,
    pub because: String,
}

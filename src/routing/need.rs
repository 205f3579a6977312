//! What a call requires, and what came of ringing somebody.

use serde::{Deserialize, Serialize};

use crate::ids::{HospitalId, Language, ModuleId, SiteId, SystemId};

/// What a call requires of the analyst who takes it. What is unknown restricts nobody.
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

impl Need {
    /// Whether somebody who may take one of the two may be wanted for the other as well, as far as hospital and system
    /// tell; what is unknown wants anybody.
    pub fn competes_with(&self, other: &Need) -> bool {
        let systems = self.system.as_ref().zip(other.system.as_ref());
        self.hospital == other.hospital && systems.is_none_or(|(one, another)| one == another)
    }
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

impl Level {
    /// As admins write them.
    pub const NAMES: [&'static str; 3] = ["basic", "advanced", "expert"];

    pub fn from_name(name: &str) -> Option<Level> {
        [Level::Basic, Level::Advanced, Level::Expert].into_iter().find(|level| level.as_str() == name)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Level::Basic => "basic",
            Level::Advanced => "advanced",
            Level::Expert => "expert",
        }
    }
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

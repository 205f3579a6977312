//! Who is calling, from where, with which EHR context. Every field carries where it came from and how far it may be
//! trusted; nothing here waits for anybody.

mod directory;
mod identify;
mod lockout;
mod number;
mod pins;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{ClinicianId, Extension, HospitalId, ModuleId, SiteId, SystemId, UnitId};

pub use directory::{Clinician, Directory, DirectoryParts, Numbers, Phone, Site, System, Unit};
pub use identify::{Signalled, claim_badge, claim_callback, claim_extension, identify, verify_by_pin};
pub use lockout::{
    Counted, LOCK, LONGEST_LOCK, LockoutRules, Lockouts, MAX_WRONG, Suspect, Tally, WITHIN, WRONG_FOR_PERSON,
    WRONG_FROM_NUMBER,
};
pub use number::{MAX_NUMBER_DIGITS, Number, NumberRules, is_public_emergency};
pub use pins::{PIN_DIGITS, PinTag, Pins, WeakPin, judge_pin};

/// A fact with its origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sourced<T> {
    pub value: T,
    pub source: Source,
    pub confidence: Confidence,
    pub at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// P-Asserted-Identity of a trusted trunk (RFC 3325).
    AssertedIdentity,
    /// Remote-Party-ID of a trusted trunk.
    RemotePartyId,
    From,
    /// Diversion (RFC 5806) or History-Info (RFC 7044) of a trusted trunk.
    Diversion,
    /// The hospital's extension map.
    ExtensionMap,
    /// Keyed by the caller.
    Keyed,
    /// The person's own PIN, keyed by the caller.
    Pin,
    /// A phone that registered with a password.
    Registration,
    /// The trunk that the call came over.
    Trunk,
}

/// How far a fact may be trusted. Caller ID and badge numbers are claims; a PIN or a call back verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    Unknown,
    Claimed,
    Verified,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PhoneClass {
    Ward,
    Office,
    Patient,
    Public,
}

impl PhoneClass {
    /// As admins write them.
    pub const NAMES: [&'static str; 4] = ["ward", "office", "patient", "public"];

    pub fn from_name(name: &str) -> Option<PhoneClass> {
        match name {
            "ward" => Some(PhoneClass::Ward),
            "office" => Some(PhoneClass::Office),
            "patient" => Some(PhoneClass::Patient),
            "public" => Some(PhoneClass::Public),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            PhoneClass::Ward => "ward",
            PhoneClass::Office => "office",
            PhoneClass::Patient => "patient",
            PhoneClass::Public => "public",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub site: SiteId,
    pub unit: UnitId,
    /// As people say it: "4 West".
    pub unit_name: String,
    pub room: Option<String>,
    pub workstation: Option<String>,
}

/// Which EHR runs where the caller stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EhrContext {
    pub system: SystemId,
    pub product: String,
    pub instance: String,
    /// "production", "training", "downtime".
    pub environment: String,
    pub release: Option<String>,
    /// Set when the workstation runs one module only.
    pub module: Option<ModuleId>,
}

/// Everything known of the caller so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    pub hospital: HospitalId,
    /// The number as signalled; `None` when anonymous.
    pub number: Option<Sourced<String>>,
    /// Set when the number is an extension of the hospital.
    pub extension: Option<Sourced<Extension>>,
    pub class: Option<Sourced<PhoneClass>>,
    pub place: Option<Sourced<Place>>,
    pub ehr: Option<Sourced<EhrContext>>,
    pub person: Option<Sourced<ClinicianId>>,
    /// Where the caller wants to be called back, when it is not where the call comes from: a claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_back: Option<Sourced<Extension>>,
}

impl Caller {
    /// Where this caller can be called back: the number that was keyed for it, else the calling extension.
    pub fn call_back_number(&self) -> Option<&Extension> {
        self.call_back.as_ref().or(self.extension.as_ref()).map(|number| &number.value)
    }
}

#[cfg(test)]
mod tests;

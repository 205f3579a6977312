//! Whether a hospital's desk is in rehearsal or live, and what people have confirmed on the way: facts that are journaled,
//! audited and kept over restarts and versions. What must be shown before a desk goes live stands in [`crate::golive`].
//!
//! ```text
//!               Declare (all green)
//!  ┌───────────┐ Override (a reason)  ┌──────────────────────┐
//!  │ Rehearsal ├─────────────────────▶│ Declared, Overridden │
//!  └───────────┘                      └──────────┬───────────┘
//!        ▲  Declare, Override                    │ Rehearse (a reason)
//!  ┌─────┴─────┐                                 │
//!  │ Returned  │◄────────────────────────────────┘   what was shown before does not count any more
//!  └───────────┘
//! ```

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::HospitalId;

/// Where one hospital's desk stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "kebab-case")]
pub enum Standing {
    /// Nobody has declared it live yet.
    #[default]
    Rehearsal,
    /// It was taken back.
    Returned { by: String, reason: String, at: Timestamp },
    /// Live: everything had been shown.
    Declared { by: String, at: Timestamp },
    /// Live though not everything had been shown.
    Overridden { by: String, reason: String, at: Timestamp },
}

impl Standing {
    pub fn is_rehearsal(&self) -> bool {
        match self {
            Standing::Rehearsal | Standing::Returned { .. } => true,
            Standing::Declared { .. } | Standing::Overridden { .. } => false,
        }
    }

    /// What was shown before this counts no more.
    pub fn counts_from(&self) -> Option<Timestamp> {
        match self {
            Standing::Returned { at, .. } => Some(*at),
            Standing::Rehearsal | Standing::Declared { .. } | Standing::Overridden { .. } => None,
        }
    }
}

/// What changes a standing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "kebab-case")]
pub enum Passage {
    Declare,
    Override { reason: String },
    Rehearse { reason: String },
}

/// What no record can show: a person says that it is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Vouched {
    /// Each phone stands where the map says: the greeting named the unit, or the analyst read it out.
    Places,
    /// The hospital's code number reaches its people from a ward phone.
    CodeNumber,
    /// The public emergency number is routed by the PBX and never comes to the desk.
    #[serde(rename = "911")]
    Emergency,
    /// A rota that is kept elsewhere leaves no hour of the next four weeks to nobody.
    Rota,
}

impl Vouched {
    pub const ALL: [Vouched; 4] = [Vouched::Places, Vouched::CodeNumber, Vouched::Emergency, Vouched::Rota];

    /// As people write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Vouched::Places => "places",
            Vouched::CodeNumber => "code-number",
            Vouched::Emergency => "911",
            Vouched::Rota => "rota",
        }
    }

    pub fn parse(text: &str) -> Option<Vouched> {
        Vouched::ALL.into_iter().find(|item| item.as_str() == text)
    }
}

/// One person's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    pub item: Vouched,
    pub by: String,
    /// How it was seen.
    pub note: String,
    pub at: Timestamp,
}

/// The standing of every hospital. One that nothing was said of is in rehearsal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standings {
    standing: BTreeMap<HospitalId, Standing>,
    confirmed: BTreeMap<HospitalId, BTreeMap<Vouched, Confirmation>>,
}

impl Standings {
    pub fn of(&self, hospital: &HospitalId) -> &Standing {
        const UNSAID: &Standing = &Standing::Rehearsal;
        self.standing.get(hospital).unwrap_or(UNSAID)
    }

    pub fn set(&mut self, hospital: HospitalId, standing: Standing) {
        self.standing.insert(hospital, standing);
    }

    /// The latest word on each item.
    pub fn confirmed(&self, hospital: &HospitalId) -> impl Iterator<Item = &Confirmation> {
        self.confirmed.get(hospital).into_iter().flat_map(BTreeMap::values)
    }

    pub fn confirm(&mut self, hospital: HospitalId, confirmation: Confirmation) {
        self.confirmed.entry(hospital).or_default().insert(confirmation.item, confirmation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_read_as_it_is_written() {
        for item in Vouched::ALL {
            assert_eq!(Vouched::parse(item.as_str()), Some(item));
            assert_eq!(serde_json::to_value(item).expect("JSON"), item.as_str());
        }
        assert_eq!(Vouched::parse("112"), None);
    }

    #[test]
    fn a_hospital_that_nothing_was_said_of_is_in_rehearsal() {
        let (mut standings, here) = (Standings::default(), HospitalId::new("here"));
        assert!(standings.of(&here).is_rehearsal());
        let at = Timestamp::UNIX_EPOCH;
        standings.set(here.clone(), Standing::Declared { by: "kim".to_owned(), at });
        assert!(!standings.of(&here).is_rehearsal());
        assert!(standings.of(&HospitalId::new("there")).is_rehearsal());
    }
}

//! The people who take calls: what they may take, when, and at which phones. Checked values; what is true of them right
//! now (signed in, on a call) lives in [`crate::routing::Desk`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ids::{AnalystId, HospitalId, Language, ModuleId, SiteId, SystemId, TrunkId};
use crate::release::ReleaseLine;
use crate::routing::attest::{Attestation, Attestations};
use crate::routing::need::Level;
use crate::routing::shifts::Schedule;

/// Analysts of all hospitals together. Every call looks at each of its hospital once, so this bounds a decision's time.
pub const MAX_ANALYSTS: usize = 2_000;
/// Phones of one analyst: each is one SIP leg when the analyst is rung.
pub const MAX_PHONES: usize = 4;
/// Qualifications of one analyst: systems times modules, with room.
pub const MAX_QUALIFICATIONS: usize = 200;

/// The people of all hospitals, and what tells which of their qualifications count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Staff {
    analysts: BTreeMap<AnalystId, Analyst>,
    /// Of systems whose release is known.
    releases: BTreeMap<HospitalId, BTreeMap<SystemId, ReleaseLine>>,
    pub(super) attested: Attestations,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Analyst {
    pub id: AnalystId,
    /// As people say it.
    pub name: String,
    /// Whose calls this person may take. Empty: nobody's.
    pub hospitals: BTreeSet<HospitalId>,
    /// Limit to these sites; `None`: every site of those hospitals.
    pub sites: Option<BTreeSet<SiteId>>,
    pub languages: BTreeSet<Language>,
    pub phones: Vec<Phone>,
    pub qualifications: Vec<Qualification>,
    /// The days of `valid_from` and `valid_until` begin and end here.
    pub zone: TimeZone,
    /// When this person works at the desk. [`Schedule::Always`]: whenever signed in.
    pub shifts: Schedule,
    /// When this person is on call.
    pub on_call: Schedule,
    /// May be rung by a supervisor rung, whatever the qualification.
    pub supervisor: bool,
}

impl Analyst {
    /// An analyst who holds nothing yet: no phone, no qualification, on shift whenever signed in, never on call.
    pub fn new(id: AnalystId, name: &str, zone: TimeZone) -> Analyst {
        Analyst {
            id,
            name: name.to_owned(),
            hospitals: BTreeSet::new(),
            sites: None,
            languages: BTreeSet::new(),
            phones: Vec::new(),
            qualifications: Vec::new(),
            zone,
            shifts: Schedule::Always,
            on_call: Schedule::Never,
            supervisor: false,
        }
    }

    /// Whether the shift plan has this person at the desk.
    pub fn on_shift(&self, wall: Timestamp) -> bool {
        self.shifts.covers(wall)
    }

    /// Whether the on-call plan names this person.
    pub fn on_call(&self, wall: Timestamp) -> bool {
        self.on_call.covers(wall)
    }

    /// When [`Analyst::on_shift`] or [`Analyst::on_call`] next changes.
    pub fn next_change(&self, wall: Timestamp) -> Option<Timestamp> {
        match (self.shifts.next_change(wall), self.on_call.next_change(wall)) {
            (Some(shift), Some(on_call)) => Some(shift.min(on_call)),
            (shift, on_call) => shift.or(on_call),
        }
    }

    /// The calendar day at this person's desk.
    pub fn today(&self, wall: Timestamp) -> Date {
        self.zone.to_datetime(wall).date()
    }
}

/// One phone at which an analyst can be rung.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Phone {
    pub kind: PhoneKind,
    /// Beyond the hospital's own network (a mobile): wins a call only by pressing 1, and has 4 s to ring instead of 1 s.
    pub outside: bool,
    pub usage: PhoneUse,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhoneKind {
    /// Registers with us under this user name; reachable while it has a binding.
    Registered { user: String },
    /// A fixed SIP address.
    Sip { uri: String },
    /// A number behind a trunk: an extension of the PBX, a mobile.
    Trunk { trunk: TrunkId, number: String },
}

impl PhoneKind {
    /// Whom it registers as.
    pub fn user(&self) -> Option<&str> {
        match self {
            PhoneKind::Registered { user } => Some(user),
            PhoneKind::Sip { .. } | PhoneKind::Trunk { .. } => None,
        }
    }
}

/// When a phone is rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhoneUse {
    /// While its owner is signed in.
    Desk,
    /// By an on-call rung, or a supervisor rung while its owner is away from the desk.
    OnCall,
}

/// What an analyst may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Qualification {
    /// Counts for this hospital only; `None`: every hospital of the analyst that runs the system.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hospital: Option<HospitalId>,
    pub system: SystemId,
    pub modules: Modules,
    pub level: Level,
    pub releases: Releases,
    /// When it was shown; without `releases`, what had gone live by then is what it counts for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attested: Option<Date>,
    /// What shows it. For people; no decision keeps it.
    #[serde(skip)]
    pub evidence: Option<String>,
    /// First day on which it counts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub valid_from: Option<Date>,
    /// Last day on which it counts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub valid_until: Option<Date>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Modules {
    All,
    Only(BTreeSet<ModuleId>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Releases {
    Any,
    Only(BTreeSet<String>),
}

/// Why a list of people is no staff.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StaffError {
    #[error("two analysts are called {0}")]
    Duplicate(AnalystId),
    #[error("{0} analysts; at most {MAX_ANALYSTS} fit")]
    TooMany(usize),
    #[error("{analyst} has {count} phones; at most {MAX_PHONES} can be rung together")]
    TooManyPhones { analyst: AnalystId, count: usize },
    #[error("{analyst} has {count} qualifications; at most {MAX_QUALIFICATIONS} fit (use modules = \"all\")")]
    TooManyQualifications { analyst: AnalystId, count: usize },
}

impl Staff {
    pub fn new(analysts: impl IntoIterator<Item = Analyst>) -> Result<Staff, StaffError> {
        let mut staff = Staff::default();
        for analyst in analysts {
            if analyst.phones.len() > MAX_PHONES {
                return Err(StaffError::TooManyPhones { analyst: analyst.id, count: analyst.phones.len() });
            }
            if analyst.qualifications.len() > MAX_QUALIFICATIONS {
                let count = analyst.qualifications.len();
                return Err(StaffError::TooManyQualifications { analyst: analyst.id, count });
            }
            let id = analyst.id.clone();
            if staff.analysts.insert(id.clone(), analyst).is_some() {
                return Err(StaffError::Duplicate(id));
            }
        }
        if staff.analysts.len() > MAX_ANALYSTS {
            return Err(StaffError::TooMany(staff.analysts.len()));
        }
        Ok(staff)
    }

    /// With the releases of these systems.
    #[must_use]
    pub fn with_release(mut self, hospital: &HospitalId, system: &SystemId, line: ReleaseLine) -> Staff {
        self.releases.entry(hospital.clone()).or_default().insert(system.clone(), line);
        self
    }

    /// With what was attested since the files were written.
    #[must_use]
    pub fn with_attested(mut self, attested: Attestations) -> Staff {
        self.attested = attested;
        self
    }

    /// Counts from now on. `false` when the analyst has too many already.
    pub fn attest(&mut self, attestation: Attestation) -> bool {
        self.attested.note(attestation)
    }

    /// Which release of a system runs when; `None` when that is not known.
    pub fn line(&self, hospital: &HospitalId, system: &SystemId) -> Option<&ReleaseLine> {
        self.releases.get(hospital)?.get(system)
    }

    /// All of a hospital's.
    pub fn lines(&self, hospital: &HospitalId) -> impl Iterator<Item = (&SystemId, &ReleaseLine)> {
        self.releases.get(hospital).into_iter().flatten()
    }

    pub fn attested(&self) -> &Attestations {
        &self.attested
    }

    pub fn get(&self, id: &AnalystId) -> Option<&Analyst> {
        self.analysts.get(id)
    }

    /// Everybody, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Analyst> {
        self.analysts.values()
    }

    /// Everybody who takes this hospital's calls, by id.
    pub fn of<'a>(&'a self, hospital: &'a HospitalId) -> impl Iterator<Item = &'a Analyst> {
        self.iter().filter(move |analyst| analyst.hospitals.contains(hospital))
    }

    /// Whose registered phone this is.
    pub fn by_user(&self, user: &str) -> Option<&Analyst> {
        self.iter().find(|analyst| {
            analyst
                .phones
                .iter()
                .any(|phone| matches!(&phone.kind, PhoneKind::Registered { user: mine } if mine == user))
        })
    }

    /// When anybody's shift or on-call duty next changes, or a release goes live.
    pub fn next_change(&self, wall: Timestamp) -> Option<Timestamp> {
        let go_lives = self.releases.values().flat_map(BTreeMap::values).filter_map(|line| line.next_after(wall));
        let duties = self.iter().filter_map(|analyst| analyst.next_change(wall));
        duties.chain(go_lives.map(|go_live| go_live.from)).min()
    }

    pub fn len(&self) -> usize {
        self.analysts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.analysts.is_empty()
    }
}

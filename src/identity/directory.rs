//! What a hospital knows of itself: sites, units, EHR systems, phones and people. Built by `config` from checked files;
//! every look-up is a map access in memory, so that nothing of it can delay a call.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::identity::{EhrContext, PhoneClass, Place};
use crate::ids::{ClinicianId, Extension, HospitalId, Language, ModuleId, PromptId, SiteId, SystemId, UnitId};
use crate::release::ReleaseLine;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    pub id: SiteId,
    pub name: String,
}

/// A nursing unit or department.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    pub id: UnitId,
    pub site: SiteId,
    /// As people say it: "4 West".
    pub name: String,
    /// The recording of its name; without one the unit is greeted without it.
    pub spoken: Option<PromptId>,
    /// What runs at its workstations unless the phone says otherwise.
    pub system: Option<SystemId>,
}

/// One running EHR installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    pub id: SystemId,
    /// As people say it: "Meridian inpatient".
    pub name: String,
    pub product: String,
    pub instance: String,
    /// "production", "training", "downtime".
    pub environment: String,
    /// `None`: not known.
    pub releases: Option<ReleaseLine>,
    /// Its parts that have experts of their own.
    pub modules: Vec<ModuleId>,
    /// The recording of its name.
    pub spoken: Option<PromptId>,
}

/// The numbers of one line of the extension map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Numbers {
    One(Extension),
    /// All numbers of `digits` digits from `first` to `last`, both included.
    Range {
        digits: usize,
        first: u64,
        last: u64,
    },
}

impl Numbers {
    pub fn contains(&self, number: &Extension) -> bool {
        match self {
            Numbers::One(one) => one == number,
            Numbers::Range { digits, first, last } => {
                number.as_str().len() == *digits
                    && number.as_str().parse::<u64>().is_ok_and(|value| (*first..=*last).contains(&value))
            }
        }
    }

    /// How many numbers these are.
    pub fn count(&self) -> u64 {
        match self {
            Numbers::One(_) => 1,
            Numbers::Range { first, last, .. } => last.saturating_sub(*first) + 1,
        }
    }
}

/// A line of the extension map: one phone, or a range of like ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    pub numbers: Numbers,
    pub class: PhoneClass,
    /// `None` for phones that belong to a person and stand nowhere.
    pub unit: Option<UnitId>,
    pub room: Option<String>,
    pub workstation: Option<String>,
    /// Overrides the unit's system.
    pub system: Option<SystemId>,
    /// Set when the workstation runs one module only.
    pub module: Option<ModuleId>,
    /// Set when the phone is personal.
    pub person: Option<ClinicianId>,
}

/// A person who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clinician {
    pub id: ClinicianId,
    /// Shown to analysts, never spoken.
    pub name: String,
    pub role: Option<String>,
    /// Digits, as keyed on a phone.
    pub badge: Option<String>,
    pub language: Option<Language>,
}

/// The parts a [`Directory`] is built of. References between them hold: `config` has checked them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryParts {
    pub sites: Vec<Site>,
    pub units: Vec<Unit>,
    pub systems: Vec<System>,
    pub phones: Vec<Phone>,
    pub clinicians: Vec<Clinician>,
    /// How many digits an inside number may have; tells an unmapped ward phone from the world outside.
    pub inside_digits: Vec<usize>,
}

/// A hospital's extension map and people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    hospital: HospitalId,
    sites: BTreeMap<SiteId, Site>,
    units: BTreeMap<UnitId, Unit>,
    systems: BTreeMap<SystemId, System>,
    clinicians: BTreeMap<ClinicianId, Clinician>,
    badges: BTreeMap<String, ClinicianId>,
    phones: Vec<Phone>,
    /// Positions in `phones`.
    single: BTreeMap<Extension, usize>,
    /// By (digits, first number); ranges do not overlap.
    ranges: BTreeMap<(usize, u64), usize>,
    inside_digits: Vec<usize>,
}

impl Directory {
    pub fn new(hospital: HospitalId, parts: DirectoryParts) -> Directory {
        let mut single = BTreeMap::new();
        let mut ranges = BTreeMap::new();
        for (position, phone) in parts.phones.iter().enumerate() {
            match &phone.numbers {
                Numbers::One(extension) => {
                    single.insert(extension.clone(), position);
                }
                Numbers::Range { digits, first, .. } => {
                    ranges.insert((*digits, *first), position);
                }
            }
        }
        let badges = parts.clinicians.iter().filter_map(|person| Some((person.badge.clone()?, person.id.clone())));
        Directory {
            hospital,
            badges: badges.collect(),
            sites: parts.sites.into_iter().map(|site| (site.id.clone(), site)).collect(),
            units: parts.units.into_iter().map(|unit| (unit.id.clone(), unit)).collect(),
            systems: parts.systems.into_iter().map(|system| (system.id.clone(), system)).collect(),
            clinicians: parts.clinicians.into_iter().map(|person| (person.id.clone(), person)).collect(),
            phones: parts.phones,
            single,
            ranges,
            inside_digits: parts.inside_digits,
        }
    }

    pub fn hospital(&self) -> &HospitalId {
        &self.hospital
    }

    /// The map's line for a number: a single number is more specific than a range that holds it.
    pub fn phone(&self, number: &Extension) -> Option<&Phone> {
        if let Some(position) = self.single.get(number) {
            return self.phones.get(*position);
        }
        let value = number.as_str().parse::<u64>().ok()?;
        let digits = number.as_str().len();
        let (_, position) = self.ranges.range(..=(digits, value)).next_back()?;
        self.phones.get(*position).filter(|phone| phone.numbers.contains(number))
    }

    /// Whether a number is dialled inside the hospital, mapped or not.
    pub fn is_inside(&self, number: &Extension) -> bool {
        self.phone(number).is_some() || self.inside_digits.contains(&number.as_str().len())
    }

    /// Where a phone stands; `None` for a personal phone without a unit.
    pub fn place(&self, phone: &Phone) -> Option<Place> {
        let unit = self.units.get(phone.unit.as_ref()?)?;
        Some(Place {
            site: unit.site.clone(),
            unit: unit.id.clone(),
            unit_name: unit.name.clone(),
            room: phone.room.clone(),
            workstation: phone.workstation.clone(),
        })
    }

    /// What runs where a phone stands, and which release of it then: its own system, else its unit's.
    pub fn ehr(&self, phone: &Phone, at: Timestamp) -> Option<EhrContext> {
        let of_unit = || self.units.get(phone.unit.as_ref()?)?.system.as_ref();
        let system = self.systems.get(phone.system.as_ref().or_else(of_unit)?)?;
        Some(EhrContext {
            system: system.id.clone(),
            product: system.product.clone(),
            instance: system.instance.clone(),
            environment: system.environment.clone(),
            release: system.releases.as_ref().map(|releases| releases.at(at).to_owned()),
            module: phone.module.clone(),
        })
    }

    /// The person whose badge number was keyed.
    pub fn badge(&self, keyed: &str) -> Option<&Clinician> {
        self.clinicians.get(self.badges.get(keyed)?)
    }

    pub fn site(&self, id: &SiteId) -> Option<&Site> {
        self.sites.get(id)
    }

    pub fn unit(&self, id: &UnitId) -> Option<&Unit> {
        self.units.get(id)
    }

    pub fn system(&self, id: &SystemId) -> Option<&System> {
        self.systems.get(id)
    }

    pub fn clinician(&self, id: &ClinicianId) -> Option<&Clinician> {
        self.clinicians.get(id)
    }

    pub fn clinicians(&self) -> impl Iterator<Item = &Clinician> {
        self.clinicians.values()
    }

    pub fn sites(&self) -> impl Iterator<Item = &Site> {
        self.sites.values()
    }

    pub fn units(&self) -> impl Iterator<Item = &Unit> {
        self.units.values()
    }

    pub fn systems(&self) -> impl Iterator<Item = &System> {
        self.systems.values()
    }

    pub fn phones(&self) -> &[Phone] {
        &self.phones
    }
}

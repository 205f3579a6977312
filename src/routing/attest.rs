//! What holds of a qualification when releases go live: it counts for the releases that it names or was given for, and for
//! those that somebody has attested since. From the instant of a go-live it is stale for the new release.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::ids::{AnalystId, HospitalId, ModuleId, SystemId};
use crate::release::ReleaseLine;
use crate::routing::decision::{Held, Standing};
use crate::routing::qualify;
use crate::routing::staff::{Analyst, MAX_QUALIFICATIONS, Modules, Qualification, Releases, Staff};

/// Attestations of one analyst: each qualification once for some releases.
pub const MAX_ATTESTATIONS: usize = 2 * MAX_QUALIFICATIONS;

/// Somebody vouches that an analyst knows a release. It renews what the analyst holds, and gives nothing new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    pub analyst: AnalystId,
    /// Whose system it is: another hospital's of the same id is another one, with releases of its own. `None` of those that
    /// were made before it was asked for: they count wherever the analyst works, as they did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hospital: Option<HospitalId>,
    pub system: SystemId,
    /// `None`: all modules that the analyst holds of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub modules: Option<BTreeSet<ModuleId>>,
    pub release: String,
    /// What shows it: a course, a test, a signed list.
    pub evidence: String,
    /// Who vouches.
    pub by: String,
    /// When. Not `at`, which is the journal's own word.
    pub made: Timestamp,
    /// It takes back the one that said the same; `evidence` is why.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub withdrawn: bool,
}

/// Everything that was attested, by analyst.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attestations(BTreeMap<AnalystId, Vec<Attestation>>);

impl Attestations {
    pub fn new(all: impl IntoIterator<Item = Attestation>) -> Attestations {
        let mut attestations = Attestations::default();
        for attestation in all {
            attestations.note(attestation);
        }
        attestations
    }

    /// A second one of the same takes the place of the first; one that is withdrawn is none. `false` when there are too many.
    pub fn note(&mut self, new: Attestation) -> bool {
        let own = self.0.entry(new.analyst.clone()).or_default();
        own.retain(|old| !old.is_same_as(&new));
        if new.withdrawn {
            return true;
        }
        let fits = own.len() < MAX_ATTESTATIONS;
        if fits {
            own.push(new);
        }
        fits
    }

    pub fn of(&self, analyst: &AnalystId) -> &[Attestation] {
        self.0.get(analyst).map_or(&[], Vec::as_slice)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Attestation> {
        self.0.values().flatten()
    }
}

impl Staff {
    /// What an analyst holds at a hospital at one instant, each with how it stands to the release that runs then. One that
    /// is attested for some of its modules only is taken apart.
    pub fn held(&self, analyst: &Analyst, hospital: &HospitalId, wall: Timestamp) -> Vec<Held> {
        let here = |held: &&Qualification| held.hospital.as_ref().is_none_or(|only| only == hospital);
        let own = analyst.qualifications.iter().filter(here);
        let attested: Vec<&Attestation> =
            self.attested.of(&analyst.id).iter().filter(|one| one.counts_at(hospital)).collect();
        let standing = own.flat_map(|qualification| match self.line(hospital, &qualification.system) {
            None => vec![Held { qualification: qualification.clone(), release: None }],
            Some(line) => {
                Judged { qualification, line, attested: &attested, zone: &analyst.zone }.at(line.position(wall))
            }
        });
        standing.collect()
    }

    /// All that an analyst holds, with what shows it and why it does not count.
    pub fn standing(&self, analyst: &Analyst, wall: Timestamp) -> Vec<HeldAt> {
        let today = analyst.today(wall);
        let of_hospital = |hospital: &HospitalId| {
            let at = |held: Held| {
                let counts_not = qualify::lapsed(&held, today).map(|refusal| refusal.to_string());
                let own = held.qualification.evidence.clone();
                let here = self.attested.of(&analyst.id).iter().filter(|one| one.counts_at(hospital));
                let renewing = here.filter(|one| one.renews(&held.qualification));
                let renewing = renewing.map(|one| {
                    let day = analyst.zone.to_datetime(one.made).date();
                    let anywhere = if one.hospital.is_none() { ", for every hospital" } else { "" };
                    format!("{}: {} ({}, {day}{anywhere})", one.release, one.evidence, one.by)
                });
                HeldAt {
                    hospital: hospital.clone(),
                    evidence: own.into_iter().chain(renewing).collect(),
                    counts_not,
                    held,
                }
            };
            self.held(analyst, hospital, wall).into_iter().map(at).collect::<Vec<_>>()
        };
        // What counts at one hospital only was filtered by it; the rest is told once for each that runs the system.
        analyst.hospitals.iter().flat_map(of_hospital).collect()
    }
}

impl Attestation {
    /// It says the same of the same; when and by whom may differ.
    fn is_same_as(&self, other: &Attestation) -> bool {
        let said =
            |one: &Attestation| (one.hospital.clone(), one.system.clone(), one.release.clone(), one.modules.clone());
        said(self) == said(other)
    }

    /// As somebody may mean it who wants to take it back: one that was made for every hospital counts at each.
    pub fn is_meant_by(&self, other: &Attestation) -> bool {
        let said = |one: &Attestation| (one.system.clone(), one.release.clone(), one.modules.clone());
        said(self) == said(other) && other.hospital.as_ref().is_none_or(|hospital| self.counts_at(hospital))
    }

    fn counts_at(&self, hospital: &HospitalId) -> bool {
        self.hospital.as_ref().is_none_or(|only| only == hospital)
    }

    /// Whether it concerns something of this qualification.
    fn renews(&self, held: &Qualification) -> bool {
        let modules = match (&self.modules, &held.modules) {
            (None, _) | (_, Modules::All) => true,
            (Some(modules), Modules::Only(own)) => !modules.is_disjoint(own),
        };
        self.system == held.system && modules
    }
}

/// One qualification at one hospital, as people look at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldAt {
    pub hospital: HospitalId,
    #[serde(flatten)]
    pub held: Held,
    /// Of its own, and of the attestations that renew it.
    pub evidence: Vec<String>,
    /// `None`: it counts today.
    pub counts_not: Option<String>,
}

/// A qualification beside all that tells whether it is stale.
struct Judged<'a> {
    qualification: &'a Qualification,
    line: &'a ReleaseLine,
    /// Those that count at this hospital.
    attested: &'a [&'a Attestation],
    zone: &'a TimeZone,
}

/// How much of a qualification counts for a release.
enum Share {
    All,
    Only(BTreeSet<ModuleId>),
}

impl Judged<'_> {
    /// While the release at this place of the line runs.
    fn at(&self, running: usize) -> Vec<Held> {
        let held = |modules: Modules, standing: Standing| Held {
            qualification: Qualification { modules, ..self.qualification.clone() },
            release: Some(standing),
        };
        let all = || self.qualification.modules.clone();
        match self.share(running) {
            Share::All => vec![held(all(), Standing::Current)],
            Share::Only(modules) if modules.is_empty() => vec![held(all(), self.lapsed(running))],
            Share::Only(modules) => {
                let rest = match &self.qualification.modules {
                    Modules::All => Modules::All,
                    Modules::Only(own) => Modules::Only(own - &modules),
                };
                vec![held(Modules::Only(modules), Standing::Current), held(rest, self.lapsed(running))]
            }
        }
    }

    /// Stale since the go-live after the last release that it counts for.
    fn lapsed(&self, running: usize) -> Standing {
        let counted = |position: &usize| match self.share(*position) {
            Share::All => true,
            Share::Only(modules) => !modules.is_empty(),
        };
        let release = self.line.name(running).to_owned();
        match (0..running).rev().find(counted).and_then(|last| self.line.go_live(last + 1)) {
            Some(go_live) => Standing::Stale { release, since: go_live.clock },
            None => Standing::Never { release },
        }
    }

    fn share(&self, position: usize) -> Share {
        if self.given_for(position) {
            return Share::All;
        }
        let mut modules = BTreeSet::new();
        let release = self.line.name(position);
        for one in self.attested.iter().filter(|one| one.system == self.qualification.system && one.release == release)
        {
            match (&one.modules, &self.qualification.modules) {
                (None, _) => return Share::All,
                (Some(attested), Modules::All) => modules.extend(attested.iter().cloned()),
                (Some(attested), Modules::Only(own)) => modules.extend(own & attested),
            }
        }
        match &self.qualification.modules {
            Modules::Only(own) if *own == modules => Share::All,
            Modules::Only(_) | Modules::All => Share::Only(modules),
        }
    }

    /// Without `releases` it is for those that had gone live before the day on which it was given: it can't be
    /// evidence of one that came later. The first release is that of whoever says nothing.
    fn given_for(&self, position: usize) -> bool {
        match &self.qualification.releases {
            Releases::Only(names) => names.contains(self.line.name(position)),
            Releases::Any => self.line.go_live(position).is_none_or(|go_live| {
                let given = self.qualification.attested.or(self.qualification.valid_from);
                let morning = given.and_then(|day| day.to_zoned(self.zone.clone()).ok());
                morning.is_some_and(|morning| go_live.from <= morning.timestamp())
            }),
        }
    }
}

//! Known problems: an incident of a system, perhaps of one module or at some sites only. Callers whom it concerns hear of
//! it, and may ask to be called when it is fixed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{HospitalId, IncidentId, ModuleId, PromptId, SiteId, SystemId};
use crate::routing::Need;

/// Incidents that are active at once; a board with more tells nobody anything.
pub const MAX_INCIDENTS: usize = 100;
/// Sites that one incident names; one that concerns more concerns all.
pub const MAX_INCIDENT_SITES: usize = 50;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub id: IncidentId,
    #[serde(flatten)]
    pub what: Trouble,
    /// Who opened it.
    pub by: String,
    pub opened: Timestamp,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    pub hospital: HospitalId,
    pub system: SystemId,
    /// `None`: all of the system.
    #[serde(default)]
    pub module: Option<ModuleId>,
    /// Empty: everywhere.
    #[serde(default)]
    pub sites: Vec<SiteId>,
    /// What callers hear of it.
    pub prompt: PromptId,
    /// What analysts read of it.
    pub note: String,
    /// The system does not work at all.
    #[serde(default)]
    pub down: bool,
}

impl Trouble {
    /// Whether a call with this need is about it. Who has not said which module may mean this one; where the caller stands
    /// or which system runs there must be known.
    pub fn concerns(&self, need: &Need) -> bool {
        let module = match (&self.module, &need.module) {
            (Some(module), Some(needed)) => module == needed,
            (None, _) | (_, None) => true,
        };
        let here = self.sites.is_empty() || need.site.as_ref().is_some_and(|site| self.sites.contains(site));
        self.hospital == need.hospital && need.system.as_ref() == Some(&self.system) && module && here
    }
}

/// The active incidents.
#[derive(Clone, Debug)]
pub struct Incidents {
    active: BTreeMap<IncidentId, Incident>,
    next: IncidentId,
}

impl Incidents {
    /// `next` numbers the next one: no number is used twice.
    pub fn new(active: Vec<Incident>, next: IncidentId) -> Incidents {
        Incidents { active: active.into_iter().map(|incident| (incident.id, incident)).collect(), next }
    }

    /// `None` when there are too many.
    pub fn open(&mut self, what: Trouble, by: String, at: Timestamp) -> Option<&Incident> {
        if self.active.len() >= MAX_INCIDENTS {
            return None;
        }
        let id = self.next;
        self.next = IncidentId(id.0 + 1);
        Some(self.active.entry(id).or_insert(Incident { id, what, by, opened: at }))
    }

    pub fn resolve(&mut self, id: IncidentId) -> Option<Incident> {
        self.active.remove(&id)
    }

    pub fn get(&self, id: IncidentId) -> Option<&Incident> {
        self.active.get(&id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Incident> {
        self.active.values()
    }

    /// What a caller with this need is told: what names their module before what concerns the whole system, then the
    /// latest.
    pub fn find(&self, need: &Need) -> Option<&Incident> {
        let concerning = self.active.values().filter(|incident| incident.what.concerns(need));
        let named = |incident: &Incident| need.module.is_some() && incident.what.module == need.module;
        concerning.max_by_key(|incident| (named(incident), incident.id))
    }

    /// Whether the need's system does not work at all there.
    pub fn is_down(&self, need: &Need) -> bool {
        self.active.values().any(|incident| incident.what.down && incident.what.concerns(need))
    }
}

//! Who took the last call of this caller, or of this unit about this module: for 72 hours a repeat goes back to them.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::ids::{AnalystId, CallId, HospitalId, ModuleId, SystemId, UnitId};

/// How long a call is remembered.
pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(72);
/// Calls remembered at once: 72 hours of a desk with 5 calls a minute. The oldest are forgotten first.
pub const MAX_REMEMBERED: usize = 20_000;

/// An earlier call that an analyst took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    pub call: CallId,
    pub at: Timestamp,
    pub analyst: AnalystId,
    pub hospital: HospitalId,
    /// The calling number; `None` when it was withheld.
    pub caller: Option<String>,
    pub unit: Option<UnitId>,
    pub system: Option<SystemId>,
    pub module: Option<ModuleId>,
}

/// The index. Fed by each answered call, and from the journal after a restart, in the order of time.
#[derive(Clone, Debug, Default)]
pub struct Continuity {
    calls: VecDeque<Earlier>,
    by_caller: BTreeMap<(HospitalId, String), Earlier>,
    by_unit: BTreeMap<(HospitalId, UnitId, ModuleId), Earlier>,
}

impl Continuity {
    pub fn new() -> Continuity {
        Continuity::default()
    }

    /// An analyst took this call.
    pub fn note(&mut self, earlier: Earlier) {
        self.forget(earlier.at);
        while self.calls.len() >= MAX_REMEMBERED {
            self.forget_oldest();
        }
        if let Some(caller) = &earlier.caller {
            self.by_caller.insert((earlier.hospital.clone(), caller.clone()), earlier.clone());
        }
        if let (Some(unit), Some(module)) = (&earlier.unit, &earlier.module) {
            let key = (earlier.hospital.clone(), unit.clone(), module.clone());
            self.by_unit.insert(key, earlier.clone());
        }
        self.calls.push_back(earlier);
    }

    /// The latest call of this number; without one, the latest of this unit about this module.
    pub fn find(
        &self,
        hospital: &HospitalId,
        caller: Option<&str>,
        unit: Option<&UnitId>,
        module: Option<&ModuleId>,
        wall: Timestamp,
    ) -> Option<&Earlier> {
        let fresh = |earlier: &&Earlier| wall.duration_since(earlier.at) <= REMEMBERED;
        let same_caller = caller.and_then(|caller| self.by_caller.get(&(hospital.clone(), caller.to_owned())));
        same_caller.filter(fresh).or_else(|| {
            let key = (hospital.clone(), unit?.clone(), module?.clone());
            self.by_unit.get(&key).filter(fresh)
        })
    }

    /// Drops what is older than 72 hours at `wall`.
    pub fn forget(&mut self, wall: Timestamp) {
        while self.calls.front().is_some_and(|oldest| wall.duration_since(oldest.at) > REMEMBERED) {
            self.forget_oldest();
        }
    }

    pub fn len(&self) -> usize {
        self.calls.len()
    }

    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.calls.pop_front() else { return };
        if let Some(caller) = oldest.caller {
            let key = (oldest.hospital.clone(), caller);
            if self.by_caller.get(&key).is_some_and(|latest| latest.call == oldest.call) {
                self.by_caller.remove(&key);
            }
        }
        if let (Some(unit), Some(module)) = (oldest.unit, oldest.module) {
            let key = (oldest.hospital, unit, module);
            if self.by_unit.get(&key).is_some_and(|latest| latest.call == oldest.call) {
                self.by_unit.remove(&key);
            }
        }
    }
}

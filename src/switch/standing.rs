//! Which hospitals are live. A desk in rehearsal takes its calls as ever; its tickets say so and stay out of the figures.

use std::collections::BTreeMap;

use crate::diagnostic::nearest;
use crate::ids::HospitalId;
use crate::switch::{Reply, Switch};
use crate::ticket::{Confirmation, Event, Passage, Standing, Vouched};
use crate::time::Instant;

impl Switch {
    /// Of the hospitals that there are.
    pub(super) fn standings_now(&self) -> BTreeMap<HospitalId, Standing> {
        self.config.hospitals.keys().map(|id| (id.clone(), self.standings.of(id).clone())).collect()
    }

    pub(super) fn set_standing(
        &mut self,
        now: Instant,
        hospital: HospitalId,
        passage: Passage,
        by: String,
        actor: String,
    ) -> Reply {
        if let Some(reason) = self.unknown_hospital(&hospital) {
            return Reply::Refused { reason };
        }
        let at = self.clock.wall(now);
        let (standing, action, why) = match (self.standings.of(&hospital), passage) {
            (Standing::Declared { .. }, Passage::Declare | Passage::Override { .. })
            | (Standing::Overridden { .. }, Passage::Override { .. }) => {
                return Reply::Refused { reason: format!("{hospital} is live already") };
            }
            (Standing::Rehearsal | Standing::Returned { .. } | Standing::Overridden { .. }, Passage::Declare) => {
                (Standing::Declared { by: by.clone(), at }, "declare live", by)
            }
            (Standing::Rehearsal | Standing::Returned { .. }, Passage::Override { reason }) => {
                let why = format!("{by}: {reason}");
                (Standing::Overridden { by, reason, at }, "declare live by override", why)
            }
            (_, Passage::Rehearse { reason }) => {
                let why = format!("{by}: {reason}");
                (Standing::Returned { by, reason, at }, "back to rehearsal", why)
            }
        };
        self.standings.set(hospital.clone(), standing.clone());
        self.record(now, None, Event::StandingSet { hospital: hospital.clone(), standing });
        self.audit(now, actor, action, hospital.as_str(), Some(why));
        Reply::Done
    }

    pub(super) fn confirm(
        &mut self,
        now: Instant,
        hospital: HospitalId,
        (item, by, note): (Vouched, String, String),
        actor: String,
    ) -> Reply {
        if let Some(reason) = self.unknown_hospital(&hospital) {
            return Reply::Refused { reason };
        }
        let why = format!("{by}: {note}");
        let confirmation = Confirmation { item, by, note, at: self.clock.wall(now) };
        self.standings.confirm(hospital.clone(), confirmation.clone());
        self.record(now, None, Event::ItemConfirmed { hospital: hospital.clone(), confirmation });
        let action = format!("confirm {}", item.as_str());
        self.audit(now, actor, &action, hospital.as_str(), Some(why));
        Reply::Done
    }

    fn unknown_hospital(&self, wanted: &HospitalId) -> Option<String> {
        let hospitals = &self.config.hospitals;
        if hospitals.contains_key(wanted) {
            return None;
        }
        let near = nearest(wanted.as_str(), hospitals.keys().map(HospitalId::as_str));
        let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        Some(format!("no hospital is called {wanted}{near}"))
    }
}

//! What is vouched for since the files were written: it counts at once, and after a restart.

use std::collections::BTreeSet;

use crate::diagnostic::nearest;
use crate::ids::{HospitalId, ModuleId};
use crate::routing::{Attestation, MAX_ATTESTATIONS, Modules, Qualification};
use crate::switch::{Reply, Switch};
use crate::ticket::Event;
use crate::time::Instant;

impl Switch {
    /// Where the hospital is not said, it is the only one that can be meant.
    pub(super) fn attest(&mut self, now: Instant, new: Attestation, actor: String) -> Reply {
        let hospital = match self.attestable(&new) {
            Ok(hospital) => hospital,
            Err(reason) => return Reply::Refused { reason },
        };
        let new = Attestation { hospital: Some(hospital.clone()), ..new };
        if !self.staff.attest(new.clone()) {
            let reason =
                format!("{} has {MAX_ATTESTATIONS} attestations already; write `releases` into the file", new.analyst);
            return Reply::Refused { reason };
        }
        let Attestation { analyst, system, release, by, evidence, .. } = &new;
        let action = format!("attest {system} {release}{} of {hospital}", modules(&new));
        let (object, reason) = (analyst.to_string(), format!("{by}: {evidence}"));
        self.record(now, None, Event::Attested(Box::new(new)));
        self.audit(now, actor, &action, &object, Some(reason));
        // Whom nobody could be found for may be found now.
        self.desk.shifts_changed();
        Reply::Attested { hospital }
    }

    /// Whatever of it can still be meant: also of what the analyst holds no more.
    pub(super) fn withdraw(&mut self, now: Instant, new: Attestation, actor: String) -> Reply {
        if let Err(reason) = self.known_analyst(&new.analyst) {
            return Reply::Refused { reason };
        }
        let all = self.staff.attested().of(&new.analyst);
        let meant: Vec<&Attestation> = all.iter().filter(|one| one.is_meant_by(&new)).collect();
        let hospital = match meant.as_slice() {
            [] => {
                let all: Vec<String> = all.iter().map(told).collect();
                let all = if all.is_empty() { "nothing".to_owned() } else { all.join("; ") };
                let reason = format!("that was not attested of {}; attested is: {all}", new.analyst);
                return Reply::Refused { reason };
            }
            [only] => only.hospital.clone(),
            several => {
                let all = several.iter().map(|one| told(one)).collect::<Vec<_>>().join("; ");
                return Reply::Refused { reason: format!("say whose is meant with --hospital: {all}") };
            }
        };
        let new = Attestation { hospital, ..new };
        self.staff.attest(new.clone());
        let (action, object) = (format!("withdraw {}", told(&new)), new.analyst.to_string());
        let reason = format!("{}: {}", new.by, new.evidence);
        self.record(now, None, Event::Attested(Box::new(new)));
        self.audit(now, actor, &action, &object, Some(reason));
        Reply::Done
    }

    /// It renews what the analyst holds at a hospital, for a release that is declared there.
    fn attestable(&self, new: &Attestation) -> Result<HospitalId, String> {
        let analyst = self.known_analyst(&new.analyst)?;
        let mut held = analyst.qualifications.iter().filter(|held| held.system == new.system).peekable();
        if held.peek().is_none() {
            let known = analyst.qualifications.iter().map(|held| held.system.as_str()).collect();
            return Err(unknown(format!("{} holds nothing of {}", analyst.id, new.system), new.system.as_str(), known));
        }
        let held: Vec<&Qualification> = held.collect();
        let holds_at = |hospital: &&HospitalId| {
            held.iter().any(|held| held.hospital.as_ref().is_none_or(|only| only == *hospital))
        };
        let holding: Vec<&HospitalId> = analyst.hospitals.iter().filter(holds_at).collect();
        if let Some(named) = new.hospital.as_ref().filter(|named| !holding.contains(named)) {
            let known = holding.iter().map(|hospital| hospital.as_str()).collect();
            let what = format!("{} holds nothing of {} at {named}", analyst.id, new.system);
            return Err(unknown(what, named.as_str(), known));
        }
        let meant = holding.into_iter().filter(|hospital| new.hospital.as_ref().is_none_or(|named| named == *hospital));
        let lines = meant.filter_map(|hospital| Some((hospital, self.staff.line(hospital, &new.system)?)));
        let (hospital, line) = match lines.collect::<Vec<_>>().as_slice() {
            [] => {
                return Err(format!(
                    "which release of {} runs is not declared; nothing of it can be stale",
                    new.system
                ));
            }
            [only] => *only,
            several => {
                let where_: Vec<&str> = several.iter().map(|(hospital, _)| hospital.as_str()).collect();
                let (system, all) = (&new.system, where_.join(", "));
                return Err(format!(
                    "{system} runs at several hospitals: say whose is meant with --hospital, one of {all}"
                ));
            }
        };
        if !line.names().any(|name| name == new.release) {
            let what = format!("{} has no release {}", new.system, new.release);
            return Err(unknown(what, &new.release, line.names().collect()));
        }
        self.holds_modules(&held, hospital, new)?;
        Ok(hospital.clone())
    }

    fn holds_modules(&self, held: &[&Qualification], hospital: &HospitalId, new: &Attestation) -> Result<(), String> {
        let declared = self.config.hospital(hospital).and_then(|own| own.directory.system(&new.system));
        let holds = |module: &ModuleId| {
            let here = held.iter().filter(|held| held.hospital.as_ref().is_none_or(|only| only == hospital));
            here.into_iter().any(|held| match &held.modules {
                Modules::All => declared.is_some_and(|system| system.modules.contains(module)),
                Modules::Only(own) => own.contains(module),
            })
        };
        match new.modules.iter().flatten().find(|module| !holds(module)) {
            Some(module) => Err(format!("{} does not hold {module} of {}", new.analyst, new.system)),
            None => Ok(()),
        }
    }
}

fn unknown(what: String, written: &str, known: Vec<&str>) -> String {
    match nearest(written, known.iter().copied()) {
        Some(near) => format!("{what}; did you mean {near}?"),
        None => format!("{what}; it may be one of: {}", known.join(", ")),
    }
}

/// "ehr 2026.2 (charting) of harbor".
fn told(one: &Attestation) -> String {
    let at = one.hospital.as_ref().map_or_else(|| "every hospital".to_owned(), HospitalId::to_string);
    format!("{} {}{} of {at}", one.system, one.release, modules(one))
}

fn modules(new: &Attestation) -> String {
    let names = |names: &BTreeSet<ModuleId>| {
        let names: Vec<&str> = names.iter().map(ModuleId::as_str).collect();
        format!(" ({})", names.join(", "))
    };
    new.modules.as_ref().map(names).unwrap_or_default()
}

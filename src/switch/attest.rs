//! What is vouched for since the files were written: it counts at once, and after a restart.

use crate::diagnostic::nearest;
use crate::routing::{Attestation, MAX_ATTESTATIONS, Modules};
use crate::switch::{Reply, Switch};
use crate::ticket::Event;
use crate::time::Instant;

impl Switch {
    pub(super) fn attest(&mut self, now: Instant, new: Attestation, actor: String) -> Reply {
        if let Err(reason) = self.attestable(&new) {
            return Reply::Refused { reason };
        }
        if !self.staff.attest(new.clone()) {
            let reason =
                format!("{} has {MAX_ATTESTATIONS} attestations already; write `releases` into the file", new.analyst);
            return Reply::Refused { reason };
        }
        let Attestation { analyst, system, release, by, evidence, .. } = &new;
        let action = format!("attest {system} {release}{}", modules(&new));
        let (object, reason) = (analyst.to_string(), format!("{by}: {evidence}"));
        self.record(now, None, Event::Attested(Box::new(new)));
        self.audit(now, actor, &action, &object, Some(reason));
        // Whom nobody could be found for may be found now.
        self.desk.shifts_changed();
        Reply::Done
    }

    /// It renews what the analyst holds, for a release that is declared.
    fn attestable(&self, new: &Attestation) -> Result<(), String> {
        let analyst = self.known_analyst(&new.analyst)?;
        let unknown = |what: String, written: &str, known: Vec<&str>| match nearest(written, known.iter().copied()) {
            Some(near) => format!("{what}; did you mean {near}?"),
            None => format!("{what}; it may be one of: {}", known.join(", ")),
        };
        let held: Vec<_> = analyst.qualifications.iter().filter(|held| held.system == new.system).collect();
        if held.is_empty() {
            let known = analyst.qualifications.iter().map(|held| held.system.as_str()).collect();
            return Err(unknown(format!("{} holds nothing of {}", analyst.id, new.system), new.system.as_str(), known));
        }
        let lines: Vec<_> =
            analyst.hospitals.iter().filter_map(|hospital| self.staff.line(hospital, &new.system)).collect();
        let releases: Vec<&str> = lines.iter().flat_map(|line| line.names()).collect();
        if releases.is_empty() {
            return Err(format!("which release of {} runs is not declared; nothing of it can be stale", new.system));
        }
        if !releases.contains(&new.release.as_str()) {
            return Err(unknown(format!("{} has no release {}", new.system, new.release), &new.release, releases));
        }
        for module in new.modules.iter().flatten() {
            let declared =
                |system: &&crate::identity::System| system.id == new.system && system.modules.contains(module);
            let holds = held.iter().any(|held| match &held.modules {
                Modules::All => analyst.hospitals.iter().any(|hospital| {
                    let systems = self.config.hospital(hospital).into_iter().flat_map(|own| own.directory.systems());
                    systems.filter(declared).count() > 0
                }),
                Modules::Only(own) => own.contains(module),
            });
            if !holds {
                return Err(format!("{} does not hold {module} of {}", analyst.id, new.system));
            }
        }
        Ok(())
    }
}

fn modules(new: &Attestation) -> String {
    let names = |names: &std::collections::BTreeSet<crate::ids::ModuleId>| {
        let names: Vec<&str> = names.iter().map(crate::ids::ModuleId::as_str).collect();
        format!(" ({})", names.join(", "))
    };
    new.modules.as_ref().map(names).unwrap_or_default()
}

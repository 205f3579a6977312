//! What a plan asks for and nobody may take now: somebody holds it, by a qualification that has expired, is stale, or does not
//! count yet. A warning and no error: the configuration was right on the day it was published, and its node must start.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::config::check_asked::{asked, needed};
use crate::config::{Config, Hospital};
use crate::diagnostic::Diagnostic;
use crate::ids::PlanId;
use crate::ivr::NeedPatch;
use crate::routing::{Need, Refusal, Staff, at_best, qualify};

pub fn untaken(config: &Config, staff: &Staff, now: Timestamp) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for hospital in config.hospitals.values().filter(|hospital| staff.of(&hospital.id).next().is_some()) {
        let plans: BTreeSet<&PlanId> = hospital.hotlines.values().map(|hotline| &hotline.plan).collect();
        for plan in plans.into_iter().filter_map(|id| config.plans.get(id)) {
            for (step, key, patch) in asked(plan).filter(|(.., patch)| !patch.is_empty()) {
                let Some(refusals) = refused(hospital, staff, patch, now) else { continue };
                let who = key.map_or_else(|| "the step".to_owned(), |key| format!("key {}", key.as_char()));
                let what = format!("{who} asks for {}, which nobody of `{}` may take now", needed(patch), hospital.id);
                let finding = Diagnostic::warning(&plan.file, step.span.clone(), what).why(refusals.join("; "));
                let remedy =
                    "renew it in analysts.toml or attest it (`wardline analysts attest`), or take it out of the plan";
                found.push(finding.remedy(remedy));
            }
        }
    }
    found
}

/// Why those who come closest may not take it; `None` when somebody may, or when it is not of this hospital.
fn refused(hospital: &Hospital, staff: &Staff, patch: &NeedPatch, now: Timestamp) -> Option<Vec<String>> {
    let mut told = BTreeSet::new();
    let of_module = |modules: &[_]| patch.module.as_ref().is_none_or(|module| modules.contains(module));
    let systems = hospital.directory.systems().filter(|system| of_module(&system.modules));
    let mut systems = systems.filter(|system| patch.system.as_ref().is_none_or(|only| *only == system.id)).peekable();
    systems.peek()?;
    for system in systems {
        for analyst in staff.of(&hospital.id) {
            // A key that names no language asks for none in particular.
            let Some(language) = patch.language.as_ref().or(analyst.languages.first()) else { continue };
            let need = Need {
                hospital: hospital.id.clone(),
                site: None,
                system: Some(system.id.clone()),
                module: patch.module.clone(),
                release: None,
                language: language.clone(),
                level: patch.level.unwrap_or_default(),
            };
            match qualify::qualified(&at_best(staff, analyst, &need, now), &need) {
                Ok(_) => return None,
                Err(refusal) if is_of_time(&refusal) => _ = told.insert(format!("{}: {refusal}", analyst.id)),
                Err(_) => {}
            }
        }
    }
    Some(told.into_iter().collect())
}

/// What was right on another day, or will be.
fn is_of_time(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::Expired { .. } | Refusal::NotYetValid { .. } | Refusal::Release { .. } | Refusal::Stale { .. }
    )
}

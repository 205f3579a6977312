//! Whatever a key or a step asks for, somebody of the hospital is qualified for it, and its system is one of the hospital's.

use std::collections::BTreeSet;

use crate::config::check::Files;
use crate::config::raw_analysts::RawAnalyst;
use crate::config::raw_hospital::HospitalFile;
use crate::config::reader::Problems;
use crate::diagnostic::Diagnostic;
use crate::digit::Digit;
use crate::ids::{PlanId, TrunkId};
use crate::ivr::condition::Pattern;
use crate::ivr::{At, Condition, NeedPatch, Plan, Step, StepKind};

/// Of a hospital without any analyst this says nothing: there it is not the plan that is wrong.
pub fn check(file: &HospitalFile, files: &Files, problems: &Problems) {
    let staffed = files.analysts.iter().any(|analyst| serves(analyst, file));
    let mut told: BTreeSet<(&PlanId, &NeedPatch)> = BTreeSet::new();
    for hotline in file.hotlines.iter().filter(|_| files.analysts_complete && staffed) {
        let Some(plan) = files.plan(&hotline.plan.value) else { continue };
        for (step, key, patch) in met(plan, file, files).flat_map(asked_by) {
            if patch.is_empty() || held(patch, file, files) || !told.insert((&hotline.plan.value, patch)) {
                continue;
            }
            let who = key.map_or_else(|| "the step".to_owned(), |key| format!("key {}", key.as_char()));
            let what = format!("{who} asks for {}, which nobody of `{}` may take", needed(patch), file.id.value);
            let why = format!("calls of step `{}` would ring nobody who is qualified", step.id);
            let foreign = patch.system.as_ref().is_some_and(|system| !file.names.systems.contains_key(system));
            let remedy = if foreign {
                "lead to the step by a case of the other hospital's `site`, `unit`, `trunk` or `dialled`, or take it out"
            } else {
                "qualify somebody in analysts.toml, or take it out of the plan"
            };
            let finding = Diagnostic::error(&plan.file, step.span.clone(), what).why(why).remedy(remedy);
            let place = &hotline.number.place;
            problems.push(finding.related(&place.file, place.span.clone(), "the hotline that the plan answers"));
        }
    }
}

/// The steps that calls of this hospital may come to: a plan may serve several, and part them by cases.
fn met<'a>(plan: &'a Plan, file: &HospitalFile, files: &Files) -> impl Iterator<Item = &'a Step> {
    let mut reached: BTreeSet<At> = BTreeSet::from([plan.start, plan.person, plan.operator]);
    // A step leads only to later ones.
    for at in (0..plan.steps().len()).filter_map(|index| plan.at(index)) {
        if reached.contains(&at) {
            let kind = &plan.step(at).kind;
            if let StepKind::Branch(branch) = kind {
                let cases = branch.cases.iter().filter(|case| may_hold(&case.when, file, files));
                reached.extend(cases.map(|case| case.next).chain([branch.otherwise]));
            } else {
                reached.extend(kind.ways().into_iter().map(|(_, next)| *next));
            }
        }
    }
    reached.into_iter().map(|at| plan.step(at))
}

/// Whether a condition can hold for a call to this hospital, as far as it names places, trunks and hotlines.
fn may_hold(when: &Condition, file: &HospitalFile, files: &Files) -> bool {
    let owned = |trunk: &TrunkId| {
        let owner = files.node.trunk_names.get(trunk).and_then(|places| places.hospital.as_ref());
        owner.is_none_or(|owner| owner.value == file.id.value)
    };
    let called = |pattern: &Pattern| file.hotlines.iter().any(|hotline| pattern.matches(hotline.number.value.as_str()));
    (when.site.is_empty() || when.site.iter().any(|site| file.names.sites.contains(site)))
        && (when.unit.is_empty() || when.unit.iter().any(|unit| file.names.units.contains(unit)))
        && (when.trunk.is_empty() || when.trunk.iter().any(owned))
        && (when.dialled.is_empty() || when.dialled.iter().any(called))
}

/// Everything that a plan settles of the need: by which step, and by which key of it.
pub(super) fn asked(plan: &Plan) -> impl Iterator<Item = (&Step, Option<Digit>, &NeedPatch)> {
    plan.steps().iter().flat_map(asked_by)
}

fn asked_by(step: &Step) -> Vec<(&Step, Option<Digit>, &NeedPatch)> {
    let patches: Vec<(Option<Digit>, &NeedPatch)> = match &step.kind {
        StepKind::Menu(menu) => menu.keys.iter().map(|(key, answer)| (Some(*key), &answer.set)).collect(),
        StepKind::Alert(alert) => vec![(None, &alert.set)],
        StepKind::Set(step) => vec![(None, &step.set)],
        StepKind::Play(_)
        | StepKind::Notice(_)
        | StepKind::Collect(_)
        | StepKind::Branch(_)
        | StepKind::Connect(_)
        | StepKind::Callback(_)
        | StepKind::Transfer(_)
        | StepKind::Hangup(_) => Vec::new(),
    };
    patches.into_iter().map(|(key, patch)| (step, key, patch)).collect()
}

/// Whether some analyst holds what is asked for, on whatever day; language apart, which an analyst has for all.
fn held(patch: &NeedPatch, file: &HospitalFile, files: &Files) -> bool {
    let own = |analyst: &&RawAnalyst| {
        serves(analyst, file) && patch.language.as_ref().is_none_or(|language| analyst.languages.contains(language))
    };
    files.analysts.iter().filter(own).flat_map(|analyst| &analyst.qualifications).any(|held| {
        let here = held.hospital.as_ref().is_none_or(|hospital| hospital.value == file.id.value);
        let system = patch.system.as_ref().is_none_or(|system| *system == held.system.value);
        let level = patch.level.is_none_or(|level| held.level >= level);
        let of_system = file.names.systems.get(&held.system.value);
        let module = patch.module.as_ref().is_none_or(|module| match &held.modules {
            None => of_system.is_some_and(|modules| modules.contains(module)),
            Some(modules) => modules.iter().any(|own| own.value == *module),
        });
        here && system && level && module
    })
}

fn serves(analyst: &RawAnalyst, file: &HospitalFile) -> bool {
    analyst.hospitals.iter().any(|hospital| hospital.value == file.id.value)
}

/// "module `charting` with level `expert`".
pub(super) fn needed(patch: &NeedPatch) -> String {
    let parts = [
        patch.system.as_ref().map(|system| format!("system `{system}`")),
        patch.module.as_ref().map(|module| format!("module `{module}`")),
        patch.level.map(|level| format!("level `{}`", level.as_str())),
        patch.language.as_ref().map(|language| format!("language `{language}`")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" with ")
}

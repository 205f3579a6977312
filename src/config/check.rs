//! What one file cannot know by itself: references between files, clashes, and that hospitals stay apart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::raw_analysts::{RawAnalyst, Reach};
use crate::config::raw_hospital::{HospitalFile, RawTarget, known};
use crate::config::raw_node::NodeFile;
use crate::config::reader::{Problems, Spanned};
use crate::config::{
    Hospital, Hotline, Node, Surroundings, Target, check_asked, check_emergency, check_node, check_staff,
};
use crate::diagnostic::Diagnostic;
use crate::digit::Digit;
use crate::identity::Directory;
use crate::ids::{Extension, HospitalId, Language, PlanId, PromptId, TargetId, TrunkId};
use crate::ivr::{Plan, Prompts, Slot, Step, Word, prompts};
use crate::routing::Staff;

/// A hotline and a code number that differ in less are one slip of a finger apart.
pub const MIN_DIGITS_APART: usize = 2;

/// Everything that was read, before it is tied together.
#[derive(Debug)]
pub struct Files {
    pub node: NodeFile,
    pub hospitals: Vec<HospitalFile>,
    /// Those of `hospitals`.
    pub hospital_ids: BTreeSet<HospitalId>,
    /// Every hospital's file could be read: else an unknown hospital is no news.
    pub hospitals_complete: bool,
    pub analysts: Vec<RawAnalyst>,
    /// Every analysts' file could be read: else a qualification that nobody holds is no news.
    pub analysts_complete: bool,
    /// `None` for a plan that could not be read: references to it are no further error.
    pub plans: BTreeMap<PlanId, Option<Arc<Plan>>>,
    pub prompts: Prompts,
}

impl Files {
    pub fn plan(&self, id: &PlanId) -> Option<&Plan> {
        self.plans.get(id)?.as_deref()
    }
}

/// What comes out when `problems` hold no error.
#[derive(Debug)]
pub struct Checked {
    pub node: Node,
    pub hospitals: BTreeMap<HospitalId, Hospital>,
    pub staff: Staff,
    pub plans: BTreeMap<PlanId, Arc<Plan>>,
    pub prompts: Prompts,
}

pub fn check(mut files: Files, surroundings: &Surroundings, problems: &Problems) -> Checked {
    check_node::check(&files, problems);
    let distinct = distinct_hospitals(std::mem::take(&mut files.hospitals), problems);
    for file in distinct.values() {
        check_hospital(file, &files, problems);
    }
    check_emergency::check(&distinct, &files, problems);
    let staff = check_staff::check(&files, &distinct, surroundings, problems);
    let hospitals = distinct.into_iter().map(|(id, file)| (id, hospital(file, &files)));
    let hospitals = hospitals.collect();
    let plans = files.plans.into_iter().filter_map(|(id, plan)| Some((id, plan?))).collect();
    Checked { node: files.node.node, hospitals, staff, plans, prompts: files.prompts }
}

/// One file a hospital.
fn distinct_hospitals(files: Vec<HospitalFile>, problems: &Problems) -> BTreeMap<HospitalId, HospitalFile> {
    let mut distinct: BTreeMap<HospitalId, HospitalFile> = BTreeMap::new();
    for file in files {
        if let Some(first) = distinct.get(&file.id.value) {
            let finding = file.id.place.error(format!("two files declare the hospital `{}`", file.id.value));
            let finding = finding.remedy("give each hospital its own id, or join the files");
            problems.push(finding.related(&first.id.place.file, first.id.place.span.clone(), "first declared here"));
            continue;
        }
        distinct.insert(file.id.value.clone(), file);
    }
    distinct
}

fn check_hospital(file: &HospitalFile, files: &Files, problems: &Problems) {
    let own = |trunk: &Spanned<TrunkId>| own_trunk(trunk, &file.id.value, files, problems);
    if let Some(trunk) = &file.trunk {
        own(trunk);
        let leads_out = |id| files.node.node.trunks.get(id).is_none_or(|trunk| trunk.next_hop.is_some());
        let unreadable = files.node.trunk_names.get(&trunk.value).is_some_and(|places| places.has_host);
        if !leads_out(&trunk.value) && !unreadable {
            let finding = trunk.place.error(format!("trunk `{}` says not where calls go out", trunk.value));
            let finding = finding.why("callbacks and the operator are dialled over it");
            problems.push(finding.remedy(format!("add `host` to [trunks.{}] in wardline.toml", trunk.value)));
        }
    }
    for target in &file.targets {
        target.trunk.iter().for_each(own);
    }
    let spoken: Vec<&str> = files.prompts.languages().map(Language::as_str).collect();
    for language in file.languages.iter().filter(|language| !files.prompts.has_language(&language.value)) {
        let finding = language.place.error(format!("no prompts are installed in `{}`", language.value));
        let copy = format!("copy a manifest to prompts/{}/, translate it and record its words", language.value);
        problems.push(finding.remedy(format!("{copy}; installed are: {}", spoken.join(", "))));
    }
    for hotline in &file.hotlines {
        known(&hotline.plan, "plan", files.plans.keys().map(PlanId::as_str), problems);
        if let Some(language) = &hotline.language {
            known(
                language,
                "language of this hospital",
                file.languages.iter().map(|known| known.value.as_str()),
                problems,
            );
        }
    }
    check_plan_languages(file, files, problems);
    check_asked::check(file, files, problems);
    check_code_is_told(file, files, problems);
    check_numbers(file, problems);
    check_operator_is_not_told(file, problems);
    check_dials_no_hotline(file, files, problems);
    check_code_numbers(file, files, problems);
    check_spoken(file, files, problems);
    check_spoken_by_itself(file, files, problems);
}

/// A plan is checked in its own language; a hotline may speak it in another.
fn check_plan_languages(file: &HospitalFile, files: &Files, problems: &Problems) {
    for hotline in &file.hotlines {
        let language = hotline.language.as_ref().or(file.languages.first());
        let (Some(language), Some(plan)) = (language, files.plan(&hotline.plan.value)) else { continue };
        if *language.value.as_str() == *plan.language.as_str() || !files.prompts.has_language(&language.value) {
            continue;
        }
        let missing: BTreeSet<&str> = plan
            .prompts()
            .filter(|prompt| !files.prompts.contains(&language.value, prompt))
            .map(PromptId::as_str)
            .collect();
        if !missing.is_empty() {
            let what = format!("plan `{}` speaks prompts that `{}` does not have", plan.id, language.value);
            let missing: Vec<&str> = missing.into_iter().take(12).collect();
            let finding = hotline.number.place.error(what).why(format!("missing: {}", missing.join(", ")));
            problems.push(finding.remedy("record them, or give the hotline a plan in its language"));
        }
    }
}

/// A plan that tells the code number needs one to tell.
fn check_code_is_told(file: &HospitalFile, files: &Files, problems: &Problems) {
    if !file.code_numbers.is_empty() {
        return;
    }
    for hotline in &file.hotlines {
        let Some(plan) = files.plan(&hotline.plan.value) else { continue };
        let tells = |word: &Word| matches!(word, Word::Slot { slot: Slot::Code, otherwise: None });
        if let Some(step) = plan.steps().iter().find(|step| speaks(step, tells)) {
            let what = format!("step `{}` tells the code number, and `{}` declares none", step.id, file.id.value);
            let finding = Diagnostic::error(&plan.file, step.span.clone(), what)
                .why("whoever could not reach the operator would be told to dial nothing")
                .remedy("add code_numbers = [\"…\"] to the hospital's file");
            let place = &hotline.number.place;
            problems.push(finding.related(&place.file, place.span.clone(), "the hotline that the plan answers"));
            return;
        }
    }
}

fn speaks(step: &Step, wanted: impl Fn(&Word) -> bool) -> bool {
    step.kind.utterances().into_iter().flat_map(|said| &said.0).any(wanted)
}

/// Hospital isolation: whatever a hospital dials goes over its own trunks.
pub fn own_trunk(trunk: &Spanned<TrunkId>, hospital: &HospitalId, files: &Files, problems: &Problems) {
    let names = &files.node.trunk_names;
    if !known(trunk, "trunk", names.keys().map(TrunkId::as_str), problems) {
        return;
    }
    let owner = names.get(&trunk.value).and_then(|places| places.hospital.as_ref());
    // An owner that does not exist has been reported.
    let foreign = |owner: &&Spanned<HospitalId>| owner.value != *hospital && files.hospital_ids.contains(&owner.value);
    let Some(owner) = owner.filter(foreign) else { return };
    let what = format!("trunk `{}` belongs to hospital `{}`, not to `{hospital}`", trunk.value, owner.value);
    let finding = trunk.place.error(what).why("hospitals are isolated: a call never leaves over another's trunk");
    let finding = finding.remedy(format!("name a trunk of `{hospital}`"));
    problems.push(finding.related(&owner.place.file, owner.place.span.clone(), "declared here"));
}

/// A number that callers dial must mean one thing.
fn check_numbers(file: &HospitalFile, problems: &Problems) {
    let hotlines = || file.hotlines.iter().map(|hotline| &hotline.number);
    for phone in &file.parts.phones {
        for hotline in hotlines().filter(|hotline| phone.numbers.contains(&hotline.value)) {
            let finding = hotline.place.error(format!("hotline {} is also an extension of the map", hotline.value));
            problems.push(finding.remedy("take it out of [[extensions]]: a phone that is the hotline cannot call it"));
        }
    }
    let operator = file.operator.iter().map(|operator| ("the operator", operator));
    let targets = file.code_numbers.iter().map(|code| ("a code number", code));
    for (what, number) in operator.chain(targets) {
        if let Some(hotline) = hotlines().find(|hotline| hotline.value == number.value) {
            let finding = number.place.error(format!("{what} cannot be the hotline {}", hotline.value));
            let finding = finding.remedy("write the number of the PBX's own line");
            problems.push(finding.related(&hotline.place.file, hotline.place.span.clone(), "the hotline"));
        }
    }
}

/// Whoever could not reach the operator is told another number than the operator's.
fn check_operator_is_not_told(file: &HospitalFile, problems: &Problems) {
    let Some(operator) = &file.operator else { return };
    if let Some(code) = file.code_numbers.iter().find(|code| code.value == operator.value) {
        let finding = operator.place.error(format!("the operator cannot be the code number {}", code.value));
        let finding = finding.why("whoever could not reach the operator would be told to dial the same phone");
        let finding = finding.remedy("write the operator's own number, or a code number that somebody else answers");
        problems.push(finding.related(&code.place.file, code.place.span.clone(), "the code number"));
    }
}

/// What the desk dials must not ring the desk.
fn check_dials_no_hotline(file: &HospitalFile, files: &Files, problems: &Problems) {
    let is_ours = |trunk: &TrunkId| {
        let owner = files.node.trunk_names.get(trunk).and_then(|places| places.hospital.as_ref());
        owner.map_or(file.trunk.as_ref().is_some_and(|own| own.value == *trunk), |owner| owner.value == file.id.value)
    };
    let targets = file.targets.iter().filter(|target| !target.outside);
    let targets = targets.map(|target| (format!("target `{}`", target.id), &target.number));
    let phones = files.analysts.iter().flat_map(|analyst| {
        let inside = analyst.phones.iter().filter(|phone| !phone.outside);
        inside.filter_map(|phone| match &phone.reach {
            Reach::Trunk { trunk, number } if is_ours(&trunk.value) => {
                Some((format!("a phone of `{}`", analyst.id), number))
            }
            Reach::Trunk { .. } | Reach::Registered(_) | Reach::Sip(_) => None,
        })
    });
    for (what, number) in targets.chain(phones) {
        if let Some(hotline) = file.hotlines.iter().find(|hotline| hotline.number.value == number.value) {
            let finding = number.place.error(format!("{what} cannot be the hotline {}", number.value));
            let finding =
                finding.why("the desk would call itself, and ring as a new call").remedy("write another number");
            let place = &hotline.number.place;
            problems.push(finding.related(&place.file, place.span.clone(), "the hotline"));
        }
    }
}

/// Nobody may reach the desk by a slip while dialling for a code team, nor lose the first digit to a menu.
fn check_code_numbers(file: &HospitalFile, files: &Files, problems: &Problems) {
    for code in &file.code_numbers {
        for hotline in &file.hotlines {
            let number = &hotline.number;
            let apart = strsim::levenshtein(code.value.as_str(), number.value.as_str());
            // Equal numbers are reported by `check_numbers`.
            if (1..MIN_DIGITS_APART).contains(&apart) {
                let what = format!("code number {} and hotline {} differ in one digit only", code.value, number.value);
                let finding = code.place.error(what).why("one slip while dialling for a code team reaches the desk");
                let finding = finding.remedy("choose a hotline number that differs in at least two digits");
                problems.push(finding.related(&number.place.file, number.place.span.clone(), "the hotline"));
            }
            let first = code.value.as_str().chars().next().and_then(Digit::from_char);
            let keys = files.plan(&hotline.plan.value).map(Plan::keys).unwrap_or_default();
            if let Some(key) = first.filter(|first| keys.contains(first)) {
                let plan = &hotline.plan;
                let what =
                    format!("code number {} begins with {}, a key of plan `{}`", code.value, key.as_char(), plan.value);
                let finding = code.place.error(what).why("somebody keying it in the menu would choose that answer");
                let finding = finding.remedy("give that answer of the plan another key");
                problems.push(finding.related(&plan.place.file, plan.place.span.clone(), "the hotline's plan"));
            }
        }
    }
}

fn check_spoken(file: &HospitalFile, files: &Files, problems: &Problems) {
    for language in &file.languages {
        if !files.prompts.has_language(&language.value) {
            continue;
        }
        let prompts: BTreeSet<&str> = files.prompts.of(&language.value).map(|(id, _)| id.as_str()).collect();
        for spoken in &file.spoken {
            known(spoken, &format!("prompt in `{}`", language.value), prompts.iter().copied(), problems);
        }
        for unit in file.parts.units.iter().filter(|unit| unit.spoken.is_none()) {
            let Some(place) = file.unit_places.get(&unit.id) else { continue };
            let prompt = format!("unit-{}", unit.id);
            if !prompts.contains(prompt.as_str()) {
                let finding =
                    place.warning(format!("the name of unit `{}` is not recorded in `{}`", unit.id, language.value));
                let finding = finding.why("its callers are greeted without it");
                let remedy = format!("record prompt `{prompt}`, or name another by spoken = \"…\"");
                problems.push(finding.remedy(remedy));
            }
        }
    }
}

/// What is spoken whatever plans say, and every digit where one of them tells a number.
fn check_spoken_by_itself(file: &HospitalFile, files: &Files, problems: &Problems) {
    let plans = || file.hotlines.iter().filter_map(|hotline| files.plan(&hotline.plan.value));
    let code = |word: &Word| matches!(word, Word::Slot { slot: Slot::Code, .. });
    let told = plans().any(|plan| plan.steps().iter().any(|step| speaks(step, code)));
    let digits = if told { prompts::digits("0123456789") } else { Vec::new() };
    let needed: BTreeSet<PromptId> = prompts::BY_ITSELF.iter().map(|id| PromptId::new(id)).chain(digits).collect();
    for language in &file.languages {
        let (place, language) = (&language.place, &language.value);
        if !files.prompts.has_language(language) {
            continue;
        }
        let missing: Vec<&str> =
            needed.iter().filter(|id| !files.prompts.contains(language, id)).map(PromptId::as_str).collect();
        if !missing.is_empty() {
            let finding = place.error(format!("prompts of `{language}` that the desk speaks by itself are missing"));
            let finding = finding.why(format!("missing: {}", missing.join(", ")));
            let remedy = format!("add them to prompts/{language}/manifest.toml and run `make prompts`");
            // A number that cannot be told to its end is worse than no start.
            let runs = missing.iter().all(|id| prompts::BY_ITSELF.contains(id));
            let finding = finding.remedy(remedy);
            problems.push(if runs { finding.yet_runs() } else { finding });
        }
    }
}

/// The checked hospital. Where an error was reported, something harmless stands in: it is never run.
fn hospital(file: HospitalFile, files: &Files) -> Hospital {
    let trunk = file.trunk.map_or_else(|| TrunkId::new(""), |trunk| trunk.value);
    let operator = file.operator.map_or_else(|| Extension::new("0"), |operator| operator.value);
    let languages: Vec<Language> = file.languages.into_iter().map(|language| language.value).collect();
    let mut parts = file.parts;
    for unit in parts.units.iter_mut().filter(|unit| unit.spoken.is_none()) {
        unit.spoken = languages.first().and_then(|language| files.prompts.unit(language, &unit.id));
    }
    let by_trunk = |raw: RawTarget| {
        let trunk = raw.trunk.map_or_else(|| trunk.clone(), |trunk| trunk.value);
        (raw.id.clone(), Target { id: raw.id, name: raw.name, number: raw.number.value, trunk, outside: raw.outside })
    };
    let mut targets: BTreeMap<TargetId, Target> = file.targets.into_iter().map(by_trunk).collect();
    let id = TargetId::new("operator");
    let name = "Hospital operator".to_owned();
    let (number, over) = (operator.clone(), trunk.clone());
    targets.insert(id.clone(), Target { id, name, number, trunk: over, outside: false });
    let hotlines = file.hotlines.into_iter().map(|raw| {
        let (number, plan) = (raw.number.value, raw.plan.value);
        (number.clone(), Hotline { number, plan, language: raw.language.map(|language| language.value) })
    });
    Hospital {
        directory: Directory::new(file.id.value.clone(), parts),
        id: file.id.value,
        name: file.name,
        time_zone: file.time_zone,
        trunk,
        operator,
        code_numbers: file.code_numbers.into_iter().map(|code| code.value).collect(),
        hotlines: hotlines.collect(),
        targets,
        holidays: file.holidays,
        calendars: file.calendars,
        system_places: file.system_places,
        callbacks_outside: file.callbacks_outside,
        lockout: file.lockout,
        languages,
    }
}

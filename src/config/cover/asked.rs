//! What the calls of a hospital ask for, hotline by hotline: whom its plan rings, in which language, and how well they must
//! know it. A hotline is covered by whom its own plan rings, whatever the plan of another rings.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Config, Hospital};
use crate::ids::{Extension, Language, ModuleId, SiteId, SystemId};
use crate::ivr::{Condition, NeedPatch, Plan, StepKind, Way};
use crate::proof::coverage::{self, Cover, Demand, Wanted, Window, joined};
use crate::routing::{Level, Staff, Who};

/// One thing to be covered, and whose calls ask for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Empty: no hotline of the hospital rings anybody.
    pub hotlines: BTreeSet<Extension>,
    pub demand: Demand,
    /// Systems of which not every module is asked for.
    in_part: BTreeSet<SystemId>,
    /// " on hotline 7300, level expert": what tells it from what all calls ask. Empty for that.
    pub apart: String,
}

impl Asked {
    pub fn cover(&self, staff: &Staff, window: Window) -> Cover {
        let mut cover = coverage::cover(staff, &self.demand, window);
        for row in cover.rows.iter_mut().filter(|row| self.in_part.contains(&row.system)) {
            row.whole = false;
        }
        cover
    }
}

/// How calls ask, whatever they are about. In the order in which it is told: what most calls ask comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Manner {
    level: Level,
    /// Not in the hospital's first language.
    foreign: bool,
    language: Language,
    rings_at_work: Reverse<bool>,
    rings_on_call: Reverse<bool>,
}

/// What they are about; `None` is any.
type Matter = (Option<SystemId>, Option<ModuleId>);

#[derive(Default)]
struct Callers {
    hotlines: BTreeSet<Extension>,
    matters: BTreeSet<Matter>,
}

/// Of every hotline: its language, and each language and level that its plan may settle before phones ring. A key that is
/// offered at some hours only, by a branch on the clock, is left out: see [`at_some_hours`].
pub fn asked(config: &Config, hospital: &Hospital) -> Vec<Asked> {
    gathered(config, hospital, |plan, language| {
        let is_usual = |need: &NeedPatch| {
            need.level.unwrap_or_default() == Level::default()
                && need.language.as_ref().is_none_or(|own| own == language)
        };
        let usual = needs(plan, true).into_iter().filter(is_usual);
        usual.chain(needs(plan, false)).collect()
    })
}

/// For calls of this level and language, whatever the plans ask.
pub fn asked_as(config: &Config, hospital: &Hospital, level: Level, language: Option<&Language>) -> Vec<Asked> {
    let language = language.cloned().unwrap_or_else(|| hospital.language());
    let need = NeedPatch { level: Some(level), language: Some(language), ..NeedPatch::default() };
    gathered(config, hospital, |plan, _| if needs(plan, true).is_empty() { Vec::new() } else { vec![need.clone()] })
}

/// "level expert on hotline 7100": what keys ask at some hours only. Whether they are covered then is not looked at.
pub fn at_some_hours(config: &Config, hospital: &Hospital) -> Vec<String> {
    let always = asked(config, hospital);
    let sometimes = gathered(config, hospital, |plan, _| needs(plan, true).into_iter().collect());
    let known = |one: &Asked| {
        always.iter().any(|known| {
            let (known, one) = (&known.demand, &one.demand);
            known.level == one.level && known.language == one.language && known.systems == one.systems
        })
    };
    sometimes.iter().filter(|one| !known(one)).map(|one| one.apart.trim_start_matches([' ', ',']).to_owned()).collect()
}

fn gathered(config: &Config, hospital: &Hospital, needs: impl Fn(&Plan, &Language) -> Vec<NeedPatch>) -> Vec<Asked> {
    let first = hospital.language();
    let mut all: BTreeMap<Manner, Callers> = BTreeMap::new();
    for hotline in hospital.hotlines.values() {
        let Some(plan) = config.plans.get(&hotline.plan) else { continue };
        let language = hotline.language.clone().unwrap_or_else(|| first.clone());
        let rings = |group: Who| plan.hunting.rungs.iter().any(|rung| rung.who.contains(&group));
        for need in needs(plan, &language) {
            let language = need.language.unwrap_or_else(|| language.clone());
            let manner = Manner {
                level: need.level.unwrap_or_default(),
                foreign: language != first,
                language,
                // Whoever finishes a call may be rung as such, but nobody can be counted on to do so.
                rings_at_work: Reverse(rings(Who::Qualified)),
                rings_on_call: Reverse(rings(Who::OnCall)),
            };
            let callers = all.entry(manner).or_default();
            callers.hotlines.insert(hotline.number.clone());
            callers.matters.insert((need.system, need.module));
        }
    }
    if all.is_empty() {
        let (foreign, nobody) = (false, Reverse(false));
        let nothing =
            Manner { level: Level::default(), foreign, language: first, rings_at_work: nobody, rings_on_call: nobody };
        all.insert(nothing, Callers { matters: BTreeSet::from([(None, None)]), ..Callers::default() });
    }
    let every = all.values().flat_map(|callers| callers.hotlines.iter().cloned()).collect();
    let all = all.into_iter().map(|(manner, callers)| of_callers(hospital, manner, callers, &every));
    // A plan of several hospitals may ask for what this one does not have.
    all.filter(|asked| asked.apart.is_empty() || !asked.demand.systems.is_empty()).collect()
}

fn of_callers(hospital: &Hospital, manner: Manner, callers: Callers, every: &BTreeSet<Extension>) -> Asked {
    let Callers { hotlines, matters } = callers;
    let mut apart = String::new();
    if hotlines != *every {
        let numbers: Vec<&Extension> = hotlines.iter().collect();
        apart += &format!(" on hotline {}", joined(&numbers));
    }
    if manner.foreign {
        apart += &format!(", in `{}`", manner.language);
    }
    if manner.level > Level::default() {
        apart += &format!(", level {}", manner.level.as_str());
    }
    let systems = wanted(hospital, &matters);
    let modules =
        |id: &SystemId| hospital.directory.systems().find(|system| system.id == *id).map(|of| of.modules.len());
    let in_part = systems.iter().filter(|wanted| modules(&wanted.system) != Some(wanted.modules.len()));
    let in_part = in_part.map(|wanted| wanted.system.clone()).collect();
    let demand = Demand {
        hospital: hospital.id.clone(),
        zone: hospital.time_zone.clone(),
        language: manner.language,
        level: manner.level,
        rings_at_work: manner.rings_at_work.0,
        rings_on_call: manner.rings_on_call.0,
        systems,
    };
    Asked { hotlines, demand, in_part, apart }
}

fn wanted(hospital: &Hospital, matters: &BTreeSet<Matter>) -> Vec<Wanted> {
    let sites = |system: &SystemId| -> Vec<SiteId> {
        let units = hospital.directory.units().filter(|unit| unit.system.as_ref() == Some(system));
        let mut sites: Vec<SiteId> = units.map(|unit| unit.site.clone()).collect();
        sites.sort();
        sites.dedup();
        sites
    };
    let systems = hospital.directory.systems().map(|system| {
        let mine = matters.iter().filter(|(of, _)| of.as_ref().is_none_or(|of| *of == system.id));
        let modules: Vec<Option<&ModuleId>> = mine.map(|(_, module)| module.as_ref()).collect();
        let is_wanted = |module: &&ModuleId| modules.contains(&None) || modules.contains(&Some(module));
        let modules = system.modules.iter().filter(is_wanted).cloned().collect();
        Wanted { system: system.id.clone(), modules, sites: sites(&system.id) }
    });
    systems.filter(|wanted| !wanted.modules.is_empty()).collect()
}

/// What may be settled when phones begin to ring, on any way through the plan: at all hours, or, where `clock` is set, also
/// on ways that a branch opens at some hours only.
fn needs(plan: &Plan, clock: bool) -> BTreeSet<NeedPatch> {
    let mut settled: Vec<BTreeSet<NeedPatch>> = vec![BTreeSet::new(); plan.steps().len()];
    for entry in [plan.start, plan.person] {
        settled.get_mut(entry.index()).into_iter().for_each(|needs| _ = needs.insert(NeedPatch::default()));
    }
    let mut rung = BTreeSet::new();
    // Steps lead to later ones only, so each is complete when its turn comes.
    for (place, step) in plan.steps().iter().enumerate() {
        let here = settled.get_mut(place).map(std::mem::take).unwrap_or_default();
        if let StepKind::Alert(alert) = &step.kind {
            rung.extend(here.iter().map(|need| over(need, &alert.set)));
        }
        for (way, next) in step.kind.ways() {
            if !clock && opens_at_hours(&step.kind, way) {
                continue;
            }
            let answer = answered(&step.kind, way);
            let then = here.iter().map(|need| answer.map_or_else(|| need.clone(), |answer| over(need, answer)));
            settled.get_mut(next.index()).into_iter().for_each(|needs| needs.extend(then.clone()));
        }
    }
    rung
}

fn answered(kind: &StepKind, way: Way) -> Option<&NeedPatch> {
    match (kind, way) {
        (StepKind::Menu(menu), Way::Key(key)) => menu.keys.get(&key).map(|answer| &answer.set),
        (StepKind::Set(set), _) => Some(&set.set),
        (StepKind::Alert(alert), _) => Some(&alert.set),
        (
            StepKind::Play(_)
            | StepKind::Notice(_)
            | StepKind::Menu(_)
            | StepKind::Collect(_)
            | StepKind::Branch(_)
            | StepKind::Connect(_)
            | StepKind::Callback(_)
            | StepKind::Transfer(_)
            | StepKind::Hangup(_),
            _,
        ) => None,
    }
}

fn opens_at_hours(kind: &StepKind, way: Way) -> bool {
    let (StepKind::Branch(branch), Way::Case(number)) = (kind, way) else { return false };
    branch.cases.get(number).is_some_and(|case| asks_the_clock(&case.when))
}

/// Who is on shift is a matter of the clock, too.
fn asks_the_clock(when: &Condition) -> bool {
    let Condition { on_shift, holiday, calendar, hours, days, .. } = when;
    on_shift.is_some() || holiday.is_some() || !calendar.is_empty() || hours.is_some() || !days.is_empty()
}

fn over(need: &NeedPatch, patch: &NeedPatch) -> NeedPatch {
    NeedPatch {
        system: patch.system.clone().or_else(|| need.system.clone()),
        module: patch.module.clone().or_else(|| need.module.clone()),
        language: patch.language.clone().or_else(|| need.language.clone()),
        level: patch.level.or(need.level),
    }
}

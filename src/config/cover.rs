//! What of a checked configuration has to be covered, and the hours of it that nobody covers, as findings.

use jiff::Timestamp;

use crate::config::{Config, Hospital};
use crate::diagnostic::Diagnostic;
use crate::ids::{Language, SiteId, SystemId};
use crate::proof::coverage::{self, Because, Cover, Demand, Row, Wanted, Window};
use crate::routing::{Level, Staff, Who};

/// How far `wardline check` looks.
pub const CHECKED_WEEKS: u8 = 4;
/// Holes that one warning tells; `wardline coverage` tells all.
const MAX_TOLD: usize = 4;

/// For each hospital, with what its plans ring: somebody whom no rung names covers nothing.
pub fn demands(config: &Config, level: Level, language: Option<&Language>) -> Vec<Demand> {
    config.hospitals.values().map(|hospital| demand(config, hospital, level, language)).collect()
}

pub fn demand(config: &Config, hospital: &Hospital, level: Level, language: Option<&Language>) -> Demand {
    let plans = hospital.hotlines.values().filter_map(|hotline| config.plans.get(&hotline.plan));
    let groups: Vec<Who> = plans.flat_map(|plan| &plan.hunting.rungs).flat_map(|rung| &rung.who).copied().collect();
    let sites = |system: &SystemId| -> Vec<SiteId> {
        let units = hospital.directory.units().filter(|unit| unit.system.as_ref() == Some(system));
        let mut sites: Vec<SiteId> = units.map(|unit| unit.site.clone()).collect();
        sites.sort();
        sites.dedup();
        sites
    };
    let wanted = hospital.directory.systems().map(|system| {
        let sites = sites(&system.id);
        Wanted { system: system.id.clone(), modules: system.modules.clone(), sites }
    });
    Demand {
        hospital: hospital.id.clone(),
        zone: hospital.time_zone.clone(),
        language: language.cloned().unwrap_or_else(|| hospital.language()),
        level,
        rings_at_work: groups.iter().any(|who| matches!(who, Who::Qualified | Who::WrapUp)),
        rings_on_call: groups.contains(&Who::OnCall),
        systems: wanted.collect(),
    }
}

/// Hours of the next weeks in which nobody is on shift or on call: one warning for each system or group of its modules.
pub fn warnings(config: &Config, staff: &Staff, now: Timestamp) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for demand in demands(config, Level::default(), None) {
        let Some(window) = Window::weeks(now, &demand.zone, CHECKED_WEEKS) else { continue };
        let cover = coverage::cover(staff, &demand, window);
        for row in &cover.rows {
            found.extend(config.hospital(&demand.hospital).and_then(|hospital| warning(hospital, &cover, row)));
        }
    }
    found
}

fn warning(hospital: &Hospital, cover: &Cover, row: &Row) -> Option<Diagnostic> {
    let holes = row.holes();
    if holes.is_empty() {
        return None;
    }
    let place = hospital.system_places.get(&row.system)?;
    let modules = if row.whole { String::new() } else { format!(" ({})", coverage::joined(&row.modules)) };
    let sites = if row.sites.is_empty() { String::new() } else { format!(" at {}", coverage::joined(&row.sites)) };
    let what = format!("`{}`{modules}{sites}", row.system);
    let whenever = match row.whenever.as_slice() {
        [] => String::new(),
        people => format!("; {} may be signed in at any hour", coverage::joined(people)),
    };
    // Where nobody has shifts, the rota is kept elsewhere: `wardline coverage` says so, a warning would say nothing new.
    if row.stretches.iter().all(|stretch| stretch.people() == 0) && !row.whenever.is_empty() {
        return None;
    }
    let what = format!("{} of the next {CHECKED_WEEKS} weeks have no analyst for {what}", coverage::hours(&holes));
    let why = format!("{}{whenever}", first(&holes, cover));
    let mut finding = place.warning(what).why(why);
    finding.remedy = Some(remedy(cover, row));
    Some(finding)
}

/// The first of these times, in words.
fn first(holes: &[Window], cover: &Cover) -> String {
    let mut told = coverage::spells(holes, &cover.zone, cover.window);
    let more = told.len().saturating_sub(MAX_TOLD);
    told.truncate(MAX_TOLD);
    let more = if more == 0 { String::new() } else { format!("; and {more} more") };
    format!("{}{more}", told.join("; "))
}

/// What nobody covers of a hospital in the next weeks: a line for each system or group of its modules, such as
/// "tidewater-lab: orders for 20 h: Mon–Fri 14:30–15:30, every week". People without shifts are not counted.
pub fn holes(config: &Config, hospital: &Hospital, staff: &Staff, now: Timestamp) -> Vec<String> {
    let demand = demand(config, hospital, Level::default(), None);
    let Some(window) = Window::weeks(now, &demand.zone, CHECKED_WEEKS) else {
        return vec!["everything: the calendar ends within four weeks".to_owned()];
    };
    let cover = coverage::cover(staff, &demand, window);
    let told = |row: &Row| {
        let holes = row.holes();
        let told = || format!("{} for {}: {}", row.name(), coverage::hours(&holes), first(&holes, &cover));
        (!holes.is_empty()).then(told)
    };
    cover.rows.iter().filter_map(told).collect()
}

/// A release that goes live is the cause to be named, where it is one.
fn remedy(cover: &Cover, row: &Row) -> String {
    let lapses =
        row.stretches.iter().flat_map(|stretch| &stretch.lapsed).filter_map(|number| cover.lapses.get(*number));
    let release = lapses.into_iter().find_map(|lapse| match &lapse.because {
        Because::Stale { release } => Some(release),
        Because::Expires { .. } => None,
    });
    match release {
        Some(release) => format!(
            "attest who knows release {release} (`wardline analysts attest`), or add shifts; `wardline coverage` shows all hours"
        ),
        None => "add shifts or on-call hours in analysts.toml; `wardline coverage` shows all hours".to_owned(),
    }
}

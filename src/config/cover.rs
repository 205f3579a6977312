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
    // `wardline coverage` says so; a warning would say nothing new.
    if kept_elsewhere(row) {
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

/// Nobody who may take it has shifts, and somebody may be signed in: the rota is kept elsewhere, and no file tells of it.
fn kept_elsewhere(row: &Row) -> bool {
    row.stretches.iter().all(|stretch| stretch.people() == 0) && !row.whenever.is_empty()
}

/// What the files leave open of the next weeks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// A line for each system or group of its modules, such as "tidewater-lab: orders for 20 h: Mon–Fri 14:30–15:30, every
    /// week". People without shifts are not counted.
    pub holes: Vec<String>,
    /// Systems, or groups of modules, whose rota is kept elsewhere.
    pub elsewhere: Vec<String>,
}

pub fn gaps(config: &Config, hospital: &Hospital, staff: &Staff, now: Timestamp) -> Gaps {
    let demand = demand(config, hospital, Level::default(), None);
    let mut gaps = Gaps::default();
    let Some(window) = Window::weeks(now, &demand.zone, CHECKED_WEEKS) else {
        gaps.holes.push("everything: the calendar ends within four weeks".to_owned());
        return gaps;
    };
    let cover = coverage::cover(staff, &demand, window);
    for row in &cover.rows {
        let holes = row.holes();
        if kept_elsewhere(row) {
            gaps.elsewhere.push(row.name());
        } else if !holes.is_empty() {
            gaps.holes.push(format!("{} for {}: {}", row.name(), coverage::hours(&holes), first(&holes, &cover)));
        }
    }
    gaps
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{Surroundings, load};
    use crate::ids::HospitalId;
    use crate::routing::{Analyst, Schedule};

    /// A Tuesday.
    const NOW: &str = "2026-12-01T15:00:00Z";

    fn sample() -> Config {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-config");
        let surroundings = Surroundings { variables: BTreeMap::new(), now: NOW.parse().expect("a time") };
        load(&folder, &surroundings).expect("the sample is valid").config
    }

    /// What is open of Cedar Point, each of whose analysts is first changed.
    fn cedar_with(change: fn(&mut Analyst)) -> Gaps {
        let config = sample();
        let people = config.staff.iter().cloned().map(|mut analyst| {
            change(&mut analyst);
            analyst
        });
        let staff = Staff::new(people).expect("as many as before");
        let cedar = config.hospital(&HospitalId::new("cedar-point")).expect("a hospital of the sample");
        gaps(&config, cedar, &staff, NOW.parse().expect("a time"))
    }

    #[test]
    fn without_any_shift_the_rota_is_kept_elsewhere_and_nothing_of_it_is_a_hole() {
        assert_eq!(cedar_with(|_| ()), Gaps::default());
        let unplanned = cedar_with(|analyst| {
            analyst.shifts = Schedule::Always;
            analyst.on_call = Schedule::Never;
        });
        assert_eq!(unplanned.holes, Vec::<String>::new());
        assert_eq!(unplanned.elsewhere, ["cedar-ehr"]);
    }

    #[test]
    fn where_somebody_has_hours_whatever_they_leave_is_a_hole() {
        let on_call_only = cedar_with(|analyst| analyst.shifts = Schedule::Always);
        assert_eq!(on_call_only.elsewhere, Vec::<String>::new());
        assert_eq!(on_call_only.holes.len(), 1, "{on_call_only:?}");
        assert!(on_call_only.holes[0].starts_with("cedar-ehr for "), "{on_call_only:?}");
    }
}

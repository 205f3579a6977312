//! What of a checked configuration has to be covered, and the hours of it that nobody covers, as findings.

mod asked;
mod untaken;

use jiff::Timestamp;

use crate::config::{Config, Hospital};
use crate::diagnostic::Diagnostic;
use crate::proof::coverage::{self, Because, Cover, Row, Window};
use crate::routing::Staff;

pub use asked::{Asked, asked, asked_as, at_some_hours};

/// How far `wardline check` looks.
pub const CHECKED_WEEKS: u8 = 4;
/// Holes that one warning tells; `wardline coverage` tells all.
const MAX_TOLD: usize = 4;

/// The next weeks of one hospital, asked in every manner in which its calls ask.
struct Look {
    covers: Vec<(Asked, Cover)>,
}

impl Look {
    /// `None` at the edge of the calendar.
    fn at(config: &Config, hospital: &Hospital, staff: &Staff, now: Timestamp) -> Option<Look> {
        let window = Window::weeks(now, &hospital.time_zone, CHECKED_WEEKS)?;
        let covers = asked(config, hospital).into_iter().map(|asked| {
            let cover = asked.cover(staff, window);
            (asked, cover)
        });
        Some(Look { covers: covers.collect() })
    }

    /// What nobody covers, each hole once: calls that ask for more find it, too, and it is told of those that ask for least.
    fn holes(&self) -> Vec<Hole<'_>> {
        let mut holes: Vec<Hole<'_>> = Vec::new();
        for (asked, cover) in &self.covers {
            for row in &cover.rows {
                let hole = Hole { apart: &asked.apart, cover, row, windows: row.holes() };
                if !hole.windows.is_empty() && !holes.iter().any(|told| told.tells(&hole)) {
                    holes.push(hole);
                }
            }
        }
        holes
    }
}

struct Hole<'a> {
    apart: &'a str,
    cover: &'a Cover,
    row: &'a Row,
    windows: Vec<Window>,
}

impl Hole<'_> {
    /// Whoever reads of this one knows the other.
    fn tells(&self, other: &Hole<'_>) -> bool {
        let (mine, others) = (self.row, other.row);
        self.apart.is_empty()
            && self.windows == other.windows
            && mine.system == others.system
            && (mine.sites.is_empty() || mine.sites == others.sites)
            && others.modules.iter().all(|module| mine.modules.contains(module))
    }

    /// Nobody who may take it has shifts, and somebody may be signed in: the rota is kept elsewhere, and no file tells of it.
    fn kept_elsewhere(&self) -> bool {
        self.row.stretches.iter().all(|stretch| stretch.people() == 0) && !self.row.whenever.is_empty()
    }

    /// "tidewater-lab: orders on hotline 7300".
    fn name(&self) -> String {
        format!("{}{}", self.row.name(), self.apart)
    }
}

/// What the rota and the days of qualifications leave open: hours of the next weeks in which nobody is on shift or on call,
/// one warning for each system or group of its modules; and what a plan asks for and nobody may take now.
pub fn warnings(config: &Config, staff: &Staff, now: Timestamp) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for hospital in config.hospitals.values() {
        let Some(look) = Look::at(config, hospital, staff, now) else { continue };
        // `wardline coverage` says which rota is kept elsewhere; a warning would say nothing new.
        let holes = look.holes().into_iter().filter(|hole| !hole.kept_elsewhere());
        found.extend(holes.filter_map(|hole| warning(hospital, &hole)));
    }
    found.extend(untaken::untaken(config, staff, now));
    found
}

fn warning(hospital: &Hospital, hole: &Hole<'_>) -> Option<Diagnostic> {
    let Hole { apart, cover, row, windows } = hole;
    let place = hospital.system_places.get(&row.system)?;
    let modules = if row.whole { String::new() } else { format!(" ({})", coverage::joined(&row.modules)) };
    let sites = if row.sites.is_empty() { String::new() } else { format!(" at {}", coverage::joined(&row.sites)) };
    let what = format!("`{}`{modules}{sites}{apart}", row.system);
    let whenever = match row.whenever.as_slice() {
        [] => String::new(),
        people => format!("; {} may be signed in at any hour", coverage::joined(people)),
    };
    let what = format!("{} of the next {CHECKED_WEEKS} weeks have no analyst for {what}", coverage::hours(windows));
    let why = format!("{}{whenever}", first(windows, cover));
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
    let mut gaps = Gaps::default();
    let Some(look) = Look::at(config, hospital, staff, now) else {
        gaps.holes.push("everything: the calendar ends within four weeks".to_owned());
        return gaps;
    };
    for hole in look.holes() {
        if hole.kept_elsewhere() {
            gaps.elsewhere.push(hole.name());
        } else {
            let (name, hours) = (hole.name(), coverage::hours(&hole.windows));
            gaps.holes.push(format!("{name} for {hours}: {}", first(&hole.windows, hole.cover)));
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
    use std::sync::Arc;

    use super::*;
    use crate::config::{Hotline, Surroundings, load};
    use crate::diagnostic::Report;
    use crate::ids::{Extension, HospitalId, Language, PlanId, SystemId};
    use crate::ivr::{Known, Plan};
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

    fn mercy(config: &mut Config) -> &mut Hospital {
        config.hospitals.get_mut(&HospitalId::new("mercy-harbor")).expect("a hospital of the sample")
    }

    fn open(config: &Config) -> Vec<String> {
        let hospital = config.hospital(&HospitalId::new("mercy-harbor")).expect("a hospital of the sample");
        gaps(config, hospital, &config.staff, NOW.parse().expect("a time")).holes
    }

    /// The sample's plan under another name, changed in its text.
    fn with_second_plan(config: &mut Config, change: impl Fn(String) -> String) {
        let file = "sip-config/plans/second.toml";
        let text = include_str!("../../sip-config/plans/hotline.toml").replacen("\"hotline\"", "\"second\"", 1);
        let mut report = Report::new();
        let plan = Plan::load(file, &change(text), &Known::default(), &mut report).expect("a plan");
        config.plans.insert(plan.id.clone(), Arc::new(plan));
        let number = Extension::new("7300");
        let hotline = Hotline { number: number.clone(), plan: PlanId::new("second"), language: None };
        mercy(config).hotlines.insert(number, hotline);
    }

    fn exchanged(from: &'static str, to: &'static str) -> impl Fn(String) -> String {
        move |text| {
            assert!(text.contains(from), "no {from}");
            text.replacen(from, to, 1)
        }
    }

    const BACKUP: &str = r#"    { name = "backup", who = ["wrap-up", "on-call"], ring_for = "20s", after = "12s" },"#;
    const QUALIFIED: &str = r#"    { name = "qualified", who = ["qualified"], ring_for = "12s" },"#;
    const KEY_2: &str = r#"keys.2 = { module = "sign-in", next = "ring" }"#;

    #[test]
    fn a_hotline_is_covered_by_whom_its_own_plan_rings() {
        let mut config = sample();
        assert_eq!(open(&config), Vec::<String>::new());
        with_second_plan(&mut config, exchanged(BACKUP, ""));
        let holes = open(&config);
        assert!(!holes.is_empty());
        let apart = |hole: &String| hole.contains(" on hotline 7300 for ");
        assert!(holes.iter().all(apart), "7100 rings the on-call phones at night: {holes:#?}");
    }

    #[test]
    fn wrap_up_covers_nothing() {
        let mut config = sample();
        let by_day_too = exchanged(QUALIFIED, "");
        with_second_plan(&mut config, move |text| by_day_too(text).replacen(", \"on-call\"", "", 1));
        let holes = open(&config);
        let systems = mercy(&mut config).directory.systems().count();
        assert_eq!(holes.len(), systems, "{holes:#?}");
        assert!(holes.iter().all(|hole| hole.contains(" on hotline 7300 for 672 h: ")), "{holes:#?}");
    }

    #[test]
    fn a_hotline_in_another_language_and_a_level_that_a_key_names_are_covered_apart() {
        let mut config = sample();
        let number = Extension::new("7400");
        let french =
            Hotline { number: number.clone(), plan: PlanId::new("hotline"), language: Some(Language::new("fr")) };
        mercy(&mut config).hotlines.insert(number, french);
        let holes = open(&config);
        assert!(!holes.is_empty());
        assert!(holes.iter().all(|hole| hole.contains(" on hotline 7400, in `fr` for ")), "{holes:#?}");

        let mut config = sample();
        with_second_plan(
            &mut config,
            exchanged(KEY_2, r#"keys.2 = { module = "charting", level = "expert", next = "ring" }"#),
        );
        let holes = open(&config);
        assert!(!holes.is_empty());
        let expert =
            |hole: &String| hole.contains(": charting") && hole.contains(" on hotline 7300, level expert for ");
        assert!(holes.iter().all(expert), "{holes:#?}");
    }

    #[test]
    fn what_is_asked_at_some_hours_only_is_named_and_not_looked_at() {
        let mut config = sample();
        with_second_plan(&mut config, |text| {
            let case = r#"    { incident = true, next = "known-problem" },"#;
            let night = r#"    { incident = true, next = "known-problem" },
    { hours = "19:00-07:00", next = "night" },"#;
            let step = "\n[steps.night]\ntype = \"set\"\nlevel = \"expert\"\nnext = \"ring\"\n";
            exchanged(case, night)(text) + step
        });
        assert_eq!(open(&config), Vec::<String>::new());
        let hospital = config.hospital(&HospitalId::new("mercy-harbor")).expect("a hospital of the sample");
        assert_eq!(at_some_hours(&config, hospital), ["on hotline 7300, level expert"]);
    }

    #[test]
    fn a_key_for_what_nobody_may_take_any_more_is_warned_of_and_refuses_no_start() {
        let mut config = sample();
        let expert = r#"keys.2 = { system = "tidewater-lab", level = "expert", next = "ring" }"#;
        with_second_plan(&mut config, exchanged(KEY_2, expert));
        let now = NOW.parse().expect("a time");
        let told = |staff: &Staff| -> Vec<String> {
            let found = untaken::untaken(&config, staff, now).into_iter();
            found.map(|one| format!("{}: {}", one.what, one.why.unwrap_or_default())).collect()
        };
        assert_eq!(told(&config.staff), Vec::<String>::new());
        let people = config.staff.iter().cloned().map(|mut analyst| {
            for held in analyst.qualifications.iter_mut().filter(|held| held.system == SystemId::new("tidewater-lab")) {
                held.valid_until = Some(jiff::civil::date(2026, 1, 1));
            }
            analyst
        });
        let staff = Staff::new(people).expect("as many as before");
        let expected = "key 2 asks for system `tidewater-lab` with level `expert`, which nobody of `mercy-harbor` may \
                        take now: mei-tanaka: expired on 2026-01-01";
        assert_eq!(told(&staff), [expected]);
    }

    #[test]
    fn where_somebody_has_hours_whatever_they_leave_is_a_hole() {
        let on_call_only = cedar_with(|analyst| analyst.shifts = Schedule::Always);
        assert_eq!(on_call_only.elsewhere, Vec::<String>::new());
        assert_eq!(on_call_only.holes.len(), 1, "{on_call_only:?}");
        assert!(on_call_only.holes[0].starts_with("cedar-ehr for "), "{on_call_only:?}");
    }
}

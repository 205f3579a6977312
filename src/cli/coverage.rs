//! `wardline coverage`: who covers what, when; the hours that nobody covers, and what will uncover more of them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::cli::exit::{Outcome, Refused, Usage};
use crate::cli::out::{Out, green, red, yellow};
use crate::cli::place::Place;
use crate::config::cover::{self, Asked};
use crate::config::{self, Config, Hospital, Surroundings, render};
use crate::diagnostic::nearest;
use crate::ids::{HospitalId, Language};
use crate::proof::coverage::heatmap::{self, Cell};
use crate::proof::coverage::{Because, Cover, Lapse, MAX_WEEKS, Row, Stretch, Window, hours, joined, moment, spells};
use crate::release::GoLive;
use crate::routing::{Level, Staff};

pub const EXAMPLES: &str = "Examples:
  wardline coverage                                  the next four weeks
  wardline coverage --from 2027-03-06 --weeks 2      after a release has gone live
  wardline coverage --hospital mercy-harbor --svg cover.svg
  wardline coverage --level expert                   if every call asked for experts
  wardline coverage --holes                          only the hours with nobody, and those with one person

Counted is who is on shift or on call, holds the qualification on that day and for the release that runs then, and
would be rung by the hotline's own plan. Hotlines whose plans ring others, other languages, and levels that keys ask for
are shown apart. Whoever has no shifts is on duty whenever signed in: named, never counted.
Attestations of the node's data directory are taken into account; the files are those of --config, published or not.

Exits 0 when somebody is there for everything at every instant, 1 when there are holes.";

#[derive(Debug, Args)]
pub struct CoverageArgs {
    /// How far to look
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_WEEKS)))]
    weeks: u8,
    /// The first day, such as 2027-03-06; today without it
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// This one only
    #[arg(long, value_name = "ID")]
    hospital: Option<String>,
    /// As if every call asked for at least this level: basic, advanced or expert; without it, as the plans ask
    #[arg(long, value_name = "LEVEL")]
    level: Option<String>,
    /// As if every call came in this language; without it, as hotlines and plans have it
    #[arg(long, value_name = "ID")]
    language: Option<String>,
    /// Only the hours with nobody and those with one person: nothing of what is covered, expires or is announced
    #[arg(long, conflicts_with = "json")]
    holes: bool,
    /// Draw it as a heat map
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<PathBuf>,
    /// Every stretch of time with its people, and every quarter of an hour as a digit
    #[arg(long)]
    json: bool,
}

/// What is seen of one hospital, for one manner in which its calls ask.
struct Seen {
    asked: Asked,
    cover: Cover,
    /// Releases that go live after the window, each with the cover from then on for as many weeks.
    ahead: Vec<(GoLive, Cover)>,
    /// What keys of this hospital ask at some hours only.
    unlooked: Vec<String>,
}

pub fn run(folder: &Path, args: &CoverageArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let now = Timestamp::now();
    let loaded = config::load(folder, &Surroundings::of_process(now));
    let config = loaded.map_err(|report| Refused(render::text(&report, true)))?.config;
    let staff = Place::attested_staff(&config)?;
    let seen = see(&config, &staff, args, now)?;
    let whole = seen.iter().all(|seen| seen.cover.is_whole());
    if let Some(path) = &args.svg {
        let covers: Vec<(&Cover, &str)> = seen.iter().map(|seen| (&seen.cover, seen.asked.apart.as_str())).collect();
        fs::write(path, heatmap::draw(&covers)).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if args.json {
        out.json(&json!({ "whole": whole, "hospitals": seen.iter().map(as_json).collect::<Vec<_>>() }))?;
    } else if args.holes {
        for seen in &seen {
            only_holes(seen, out)?;
        }
    } else {
        for seen in &seen {
            text(seen, args.weeks, out)?;
        }
    }
    Ok(if whole { Outcome::Done } else { Outcome::Refused })
}

fn see(config: &Config, staff: &Staff, args: &CoverageArgs, now: Timestamp) -> anyhow::Result<Vec<Seen>> {
    let wanted = args.hospital.as_deref().map(HospitalId::new);
    if let Some(unknown) = wanted.as_ref().filter(|wanted| config.hospital(wanted).is_none()) {
        let near = nearest(unknown.as_str(), config.hospitals.keys().map(HospitalId::as_str));
        let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        return Err(Usage(format!("no hospital is called {unknown}{hint}")).into());
    }
    let mut seen = Vec::new();
    for hospital in config.hospitals.values().filter(|one| wanted.as_ref().is_none_or(|wanted| *wanted == one.id)) {
        let (all, mut unlooked) = asked(config, hospital, args)?;
        for asked in all {
            let unlooked = std::mem::take(&mut unlooked);
            let demand = &asked.demand;
            let first = args.from.unwrap_or_else(|| demand.zone.to_datetime(now).date());
            let far = || Usage(format!("{first} is too far away"));
            let window = Window::of_days(first, &demand.zone, args.weeks).ok_or_else(far)?;
            let (cover, ahead) = (asked.cover(staff, window), ahead(staff, &asked, window, args.weeks));
            seen.push(Seen { cover, ahead, unlooked, asked });
        }
    }
    Ok(seen)
}

/// As the plans ask, with what they ask at some hours only; or as the command line does.
fn asked(config: &Config, hospital: &Hospital, args: &CoverageArgs) -> anyhow::Result<(Vec<Asked>, Vec<String>)> {
    let of_name = |name: &str| {
        let level = Level::from_name(name);
        level.ok_or_else(|| Usage(format!("--level is one of {}", Level::NAMES.join(", "))))
    };
    let level = args.level.as_deref().map(of_name).transpose()?;
    let language = args.language.as_deref().map(Language::new);
    if level.is_none() && language.is_none() {
        return Ok((cover::asked(config, hospital), cover::at_some_hours(config, hospital)));
    }
    Ok((cover::asked_as(config, hospital, level.unwrap_or_default(), language.as_ref()), Vec::new()))
}

/// Releases that go live after the window, each with the cover of as many weeks from then on.
fn ahead(staff: &Staff, asked: &Asked, window: Window, weeks: u8) -> Vec<(GoLive, Cover)> {
    let demand = &asked.demand;
    let announced = staff.lines(&demand.hospital).flat_map(|(_, line)| line.go_lives());
    let mut announced: Vec<&GoLive> = announced.filter(|go_live| go_live.from >= window.until).collect();
    announced.sort_by_key(|go_live| go_live.from);
    announced.dedup_by_key(|go_live| go_live.from);
    let later = |go_live: &GoLive| {
        let window = Window::weeks(go_live.from, &demand.zone, weeks)?;
        Some((go_live.clone(), asked.cover(staff, window)))
    };
    announced.into_iter().filter_map(later).collect()
}

// -- For people -------------------------------------------------------------------------------------------------------

fn heading(seen: &Seen) -> String {
    let Seen { asked, cover, .. } = seen;
    let until = cover.zone.to_datetime(cover.window.until);
    let from = cover.zone.to_datetime(cover.window.from);
    let zone = cover.zone.iana_name().unwrap_or("local time");
    let (hospital, apart) = (&cover.hospital, &asked.apart);
    format!("{hospital}{apart}: {} to {} ({zone})", from.strftime("%a %F"), until.strftime("%a %F"))
}

/// Rows without either are left out; a hospital of which all are says so.
fn only_holes(seen: &Seen, out: &mut Out) -> anyhow::Result<()> {
    let cover = &seen.cover;
    let alone = |row: &Row| row.when(|stretch| stretch.people() == 1);
    let thin: Vec<&Row> = cover.rows.iter().filter(|row| !row.holes().is_empty() || !alone(row).is_empty()).collect();
    if thin.is_empty() {
        writeln!(out, "{}: {}", heading(seen), green("at least two people at every hour"))?;
        return Ok(());
    }
    writeln!(out, "{}", heading(seen))?;
    for row in thin {
        let (holes, single) = (row.holes(), alone(row));
        let nobody = (!holes.is_empty()).then(|| red(&format!("nobody for {}", hours(&holes))));
        let one = (!single.is_empty()).then(|| format!("one person for {}", hours(&single)));
        let both: Vec<String> = nobody.into_iter().chain(one).collect();
        writeln!(out, "  {}: {}", row.name(), both.join("; "))?;
        times(cover, &holes, &single, out)?;
    }
    Ok(())
}

fn times(cover: &Cover, holes: &[Window], single: &[Window], out: &mut Out) -> anyhow::Result<()> {
    for words in spells(holes, &cover.zone, cover.window) {
        writeln!(out, "    nobody  {words}")?;
    }
    for words in spells(single, &cover.zone, cover.window) {
        writeln!(out, "    one     {words}")?;
    }
    Ok(())
}

fn text(seen: &Seen, weeks: u8, out: &mut Out) -> anyhow::Result<()> {
    let Seen { asked, cover, ahead, unlooked } = seen;
    writeln!(out, "{}", heading(seen))?;
    for what in unlooked {
        writeln!(out, "  asked at some hours only, and not looked at: {what}")?;
    }
    if asked.hotlines.is_empty() {
        writeln!(out, "  no plan of its hotlines rings anybody")?;
    } else {
        let plans = if asked.hotlines.len() == 1 { "its plan rings" } else { "their plans ring" };
        for (rings, whom) in
            [(asked.demand.rings_at_work, "analysts at work"), (asked.demand.rings_on_call, "people on call")]
        {
            if !rings {
                writeln!(out, "  {plans} no {whom}, so they are not counted")?;
            }
        }
    }
    for row in &cover.rows {
        of_row(cover, row, out)?;
    }
    for lapse in cover.lapses.iter().filter(|lapse| lapse.at >= cover.window.from) {
        writeln!(out, "  {}", yellow(&ends(lapse, &cover.zone)))?;
    }
    let before: Vec<&Lapse> = cover.lapses.iter().filter(|lapse| lapse.at < cover.window.from).collect();
    for lapse in before {
        writeln!(out, "  {}", yellow(&ends(lapse, &cover.zone)))?;
    }
    uncovered(cover, out)?;
    for (go_live, after) in ahead {
        let at = moment(go_live.from, &after.zone);
        let gone: Vec<&Lapse> = after.lapses.iter().filter(|lapse| lapse.at == go_live.from).collect();
        let mut systems: Vec<&str> = gone.iter().map(|lapse| lapse.system.as_str()).collect();
        systems.dedup();
        systems.sort_unstable();
        systems.dedup();
        writeln!(out, "  ahead: release {} goes live on {at}", go_live.release)?;
        if gone.is_empty() {
            writeln!(out, "    {}", green("everybody who is needed is attested for it"))?;
            continue;
        }
        let names: Vec<String> = gone.iter().map(|lapse| of_modules(lapse)).collect();
        writeln!(out, "    stale from then on for {}, unless attested: {}", systems.join(", "), names.join("; "))?;
        writeln!(out, "    in the {weeks} weeks after it:")?;
        uncovered(after, out)?;
    }
    Ok(())
}

fn of_row(cover: &Cover, row: &Row, out: &mut Out) -> anyhow::Result<()> {
    let (holes, single) = (row.holes(), row.when(|stretch| stretch.people() == 1));
    let total = [cover.window];
    let state = match holes.as_slice() {
        [] => green("covered throughout"),
        _ => red(&format!("nobody for {} of {}", hours(&holes), hours(&total))),
    };
    writeln!(out, "  {}: {state}; one person for {}", row.name(), hours(&single))?;
    times(cover, &holes, &single, out)?;
    if !row.whenever.is_empty() {
        writeln!(out, "    whenever signed in, and not counted: {}", joined(&row.whenever))?;
    }
    Ok(())
}

/// "Sat 2027-03-06 02:00: mei-tanaka goes stale for meridian-amb (results), release 2026.1".
fn ends(lapse: &Lapse, zone: &TimeZone) -> String {
    let what = match &lapse.because {
        Because::Stale { release } => format!("is stale for {} from release {release} on", lapse.system),
        Because::Expires { .. } => format!("is not qualified for {} any more", lapse.system),
    };
    let modules = if lapse.modules.is_empty() { String::new() } else { format!(" ({})", joined(&lapse.modules)) };
    format!("{}: {} {what}{modules}", moment(lapse.at, zone), lapse.analyst)
}

fn of_modules(lapse: &Lapse) -> String {
    if lapse.modules.is_empty() {
        lapse.analyst.to_string()
    } else {
        format!("{} ({})", lapse.analyst, joined(&lapse.modules))
    }
}

/// Hours that somebody would cover but for a lapse.
fn uncovered(cover: &Cover, out: &mut Out) -> anyhow::Result<()> {
    for row in &cover.rows {
        let lost = row.when(|stretch| !stretch.lapsed.is_empty());
        if !lost.is_empty() {
            let words = spells(&lost, &cover.zone, cover.window).join("; ");
            writeln!(out, "    {}", red(&format!("that leaves {} for {} of it: {words}", row.name(), hours(&lost))))?;
        }
    }
    Ok(())
}

// -- For programs -----------------------------------------------------------------------------------------------------

fn as_json(seen: &Seen) -> Value {
    let (mut value, asked) = (cover_json(&seen.cover), &seen.asked);
    value["hotlines"] = json!(asked.hotlines);
    value["language"] = json!(asked.demand.language);
    value["level"] = json!(asked.demand.level);
    value["at_some_hours"] = json!(seen.unlooked);
    let ahead = seen.ahead.iter().map(
        |(go_live, cover)| json!({ "release": go_live.release, "from": go_live.from, "cover": cover_json(cover) }),
    );
    value["ahead"] = ahead.collect();
    value
}

fn cover_json(cover: &Cover) -> Value {
    let rows: Vec<Value> = cover.rows.iter().map(|row| row_json(cover, row)).collect();
    let lapse = |lapse: &Lapse| {
        let (why, release) = match &lapse.because {
            Because::Stale { release } => ("stale", Some(release)),
            Because::Expires { .. } => ("expires", None),
        };
        json!({
            "analyst": lapse.analyst, "system": lapse.system, "modules": lapse.modules, "at": lapse.at,
            "because": why, "release": release,
        })
    };
    json!({
        "hospital": cover.hospital, "time_zone": cover.zone.iana_name(), "from": cover.window.from,
        "until": cover.window.until, "rows": rows, "lapses": cover.lapses.iter().map(lapse).collect::<Vec<_>>(),
    })
}

fn row_json(cover: &Cover, row: &Row) -> Value {
    let stretch = |stretch: &Stretch| {
        json!({
            "from": stretch.from, "until": stretch.until, "on_shift": stretch.on_shift, "on_call": stretch.on_call,
            "single": stretch.single, "lapsed": stretch.lapsed,
        })
    };
    let minutes = |spells: &[Window]| {
        spells.iter().map(|spell| spell.until.duration_since(spell.from).as_secs()).sum::<i64>() / 60
    };
    json!({
        "system": row.system, "modules": row.modules, "sites": row.sites, "whenever_signed_in": row.whenever,
        "minutes_with_nobody": minutes(&row.holes()),
        "minutes_with_one": minutes(&row.when(|stretch| stretch.people() == 1)),
        "stretches": row.stretches.iter().map(stretch).collect::<Vec<_>>(),
        "quarters": quarters(cover, row),
    })
}

/// By day, one digit for each of its quarters in order: 96, or 92 or 100 where clocks change; 9 is nine or more.
fn quarters(cover: &Cover, row: &Row) -> Map<String, Value> {
    let mut days: Map<String, Value> = Map::new();
    let mut at = cover.window.from;
    while at < cover.window.until {
        let next = at.checked_add(jiff::SignedDuration::from_mins(15)).unwrap_or(cover.window.until);
        let digit = match heatmap::quarter(row, at, next) {
            Some(Cell::Covered { people, .. }) => char::from_digit(u32::try_from(people.min(9)).unwrap_or(9), 10),
            Some(Cell::None) | None => None,
        };
        let day = days.entry(cover.zone.to_datetime(at).date().to_string()).or_insert_with(|| json!(""));
        if let (Value::String(quarters), Some(digit)) = (day, digit) {
            quarters.push(digit);
        }
        at = next;
    }
    days
}

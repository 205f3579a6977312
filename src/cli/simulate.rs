//! `wardline simulate`: a phone at the terminal, in virtual time; or a table of cases, judged one by one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::cli::exit::{Outcome, Refused, Usage};
use crate::cli::moment;
use crate::cli::out::{Out, green, red, yellow};
use crate::cli::place::Place;
use crate::config::{self, Config, Hospital, Surroundings, render};
use crate::diagnostic::Report;
use crate::ids::{AnalystId, Extension, HospitalId, ModuleId, TargetId};
use crate::ivr::draw::wrapped;
use crate::plural::counted;
use crate::routing::Trouble;
use crate::simulate::{Cases, Deed, Judged, Scene, Simulation, Standing, read_pin, read_ticket, span, words};
use crate::time::Duration;

pub const EXAMPLES: &str = "Examples:
  wardline simulate --from 4710                        a ward phone calls now; type what happens next
  wardline simulate --from 5310 --at 2026-11-24T03:00  the same hotline at 3 a.m.
  wardline simulate --from 4710 --busy amara-osei --do '6s lena-brandt answers' --do '20s hang up'
  wardline simulate --from 4712 --incident meridian-prod/charting=known-problem-charting
  wardline simulate --script sip-config/cases/hotline.toml

Attestations of the node's data directory count; in cases they do not, so that a case comes out alike on every machine.";

const HELP: &str = "  Enter          wait until something happens
  2.5s           wait so long
  1   12#        the caller presses keys
  NAME answers   (or: declines, hangs up, keys 1); NAME is an analyst, a target or caller
  hang up        the caller hangs up
  q              leave";

/// Letters of a line, without its time: whom a decision passed over, and why, is longer than a terminal is wide.
const WIDTH: usize = 88;
/// The longest that Enter waits.
const PATIENCE: Duration = Duration::from_secs(120);
/// A call that nobody ends is not shown for ever.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// The calling number, as the PBX sends it; none: withheld
    #[arg(long, value_name = "NUMBER", default_value = "")]
    from: String,
    /// The hotline that is dialled, keys of a speed dial behind it (7100,,3); the hospital's first otherwise
    #[arg(long, value_name = "NUMBER")]
    dial: Option<String>,
    /// Needed when there are several hospitals
    #[arg(long, value_name = "ID")]
    hospital: Option<String>,
    /// When, on the hospital's clock: 2026-11-24T03:00; now otherwise
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Only these are signed in. Otherwise everybody is whose shift it is
    #[arg(long, value_name = "ANALYST", value_delimiter = ',')]
    only: Vec<String>,
    /// Signed in and free, whatever the shifts say
    #[arg(long, value_name = "ANALYST", value_delimiter = ',')]
    available: Vec<String>,
    /// Talking on another call
    #[arg(long, value_name = "ANALYST", value_delimiter = ',')]
    busy: Vec<String>,
    /// Signed in, and paused
    #[arg(long, value_name = "ANALYST", value_delimiter = ',')]
    paused: Vec<String>,
    /// Not signed in, whatever the shifts say
    #[arg(long, value_name = "ANALYST", value_delimiter = ',')]
    signed_out: Vec<String>,
    /// Signed in, but the phone gives no sign
    #[arg(long, value_name = "ANALYST", value_delimiter = ',')]
    silent: Vec<String>,
    /// A known problem that is active
    #[arg(long = "incident", value_name = "SYSTEM[/MODULE]=PROMPT")]
    incidents: Vec<String>,
    /// The systems of these incidents do not work at all
    #[arg(long, requires = "incidents")]
    down: bool,
    /// The caller has a ticket that is not closed
    #[arg(long)]
    open_ticket: bool,
    /// A person's PIN, invented: 'anika-rao 274913'
    #[arg(long = "pin", value_name = "PERSON PIN")]
    pins: Vec<String>,
    /// An earlier ticket that the caller may key, and who had it: '1042 amara-osei'
    #[arg(long = "ticket", value_name = "NUMBER ANALYST")]
    tickets: Vec<String>,
    /// Who took the caller's last call, and how long ago: '40m amara-osei'
    #[arg(long, value_name = "AGO ANALYST")]
    helped: Option<String>,
    /// What happens, with its time since the INVITE: '6s amara-osei answers'. Nothing is asked then
    #[arg(long = "do", value_name = "DEED")]
    deeds: Vec<String>,
    /// Files of cases; exits 1 when one fails
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["from", "deeds"])]
    script: Vec<PathBuf>,
    /// With --script: as JSON
    #[arg(long, requires = "script")]
    json: bool,
}

pub fn run(folder: &Path, args: &SimulateArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let now = Timestamp::now();
    let loaded = config::load(folder, &Surroundings::of_process(now));
    let config = loaded.map_err(|report| Refused(render::text(&report, true)))?.config;
    let config = Arc::new(config);
    if !args.script.is_empty() {
        return cases(&config, args, out);
    }
    let hospital = hospital(&config, args.hospital.as_deref())?;
    let scene = scene(&config, hospital, args, now)?;
    let simulation = Simulation::begin(Arc::clone(&config), &scene).map_err(|error| Usage(error.to_string()))?;
    let mut phone = Phone { simulation, targets: hospital.targets.keys().cloned().collect() };
    let when = scene.at.to_zoned(hospital.time_zone.clone());
    let from = if scene.from.is_empty() { "a withheld number" } else { &scene.from };
    let when = when.strftime("%a %-d %b %Y %H:%M");
    writeln!(out, "{from} dials {} of {} on {when}. Seconds count from the INVITE.", scene.dial, hospital.name)?;
    phone.show(out)?;
    if args.deeds.is_empty() { phone.talk(out) } else { phone.play(&args.deeds, out) }
}

fn hospital<'a>(config: &'a Config, named: Option<&str>) -> anyhow::Result<&'a Hospital> {
    let known: Vec<&str> = config.hospitals.keys().map(HospitalId::as_str).collect();
    match named {
        Some(name) => config
            .hospitals
            .get(name)
            .ok_or_else(|| Usage(format!("there is no hospital `{name}`; known are {}", known.join(", "))).into()),
        None => match config.hospitals.values().collect::<Vec<_>>().as_slice() {
            [only] => Ok(only),
            _ => Err(Usage(format!("say which hospital: --hospital, one of {}", known.join(", "))).into()),
        },
    }
}

fn scene(config: &Config, hospital: &Hospital, args: &SimulateArgs, now: Timestamp) -> anyhow::Result<Scene> {
    let zone: &TimeZone = &hospital.time_zone;
    let at = args.at.as_deref().map_or(Ok(now), |text| moment::read(text, now, || Ok(zone.clone())))?;
    let first = hospital.hotlines.keys().next();
    let (dialled, digits) = match args.dial.as_deref().map(|dial| dial.split_once(',').unwrap_or((dial, ""))) {
        None => (None, None),
        Some((number, behind)) => (Some(number), Some(behind.replace(',', "")).filter(|digits| !digits.is_empty())),
    };
    let dial = dialled.map(Extension::new).or_else(|| first.cloned());
    let dial = dial.ok_or_else(|| Usage(format!("{} has no hotline", hospital.id)))?;
    let incidents = args.incidents.iter().map(|text| trouble(&hospital.id, text, args.down));
    let incidents = incidents.collect::<anyhow::Result<_>>()?;
    let (hospital, from, standing) = (hospital.id.clone(), args.from.clone(), standing(config, args));
    let helped = args.helped.as_deref().map(helped).transpose()?;
    let pins = args.pins.iter().map(|text| {
        read_pin(text).ok_or_else(|| Usage(format!("`{text}` is not a person and a PIN; write 'anika-rao 274913'")))
    });
    let pins = pins.collect::<Result<_, _>>()?;
    let tickets = args.tickets.iter().map(|text| {
        read_ticket(text)
            .ok_or_else(|| Usage(format!("`{text}` is not a ticket and who had it; write '1042 amara-osei'")))
    });
    let tickets = tickets.collect::<Result<_, _>>()?;
    let open_ticket = args.open_ticket;
    let attested = Place::attested_staff(config)?.attested().iter().cloned().collect();
    Ok(Scene { hospital, dial, digits, from, at, standing, incidents, open_ticket, pins, tickets, helped, attested })
}

fn helped(text: &str) -> anyhow::Result<(Duration, AnalystId)> {
    let read = text.trim().split_once(' ').and_then(|(ago, who)| Some((span(ago)?, AnalystId::new(who.trim()))));
    Ok(read.ok_or_else(|| Usage(format!("`{text}` says not how long ago and who; write '40m amara-osei'")))?)
}

/// "meridian-prod/charting=known-problem-charting".
fn trouble(hospital: &HospitalId, text: &str, down: bool) -> anyhow::Result<Trouble> {
    let what = text.split_once('=').filter(|(_, prompt)| !prompt.is_empty());
    let (place, prompt) = what.ok_or_else(|| Usage(format!("`{text}` is no SYSTEM[/MODULE]=PROMPT")))?;
    let (system, module) = place.split_once('/').map_or((place, None), |(system, module)| (system, Some(module)));
    Ok(Trouble {
        hospital: hospital.clone(),
        system: system.into(),
        module: module.map(ModuleId::new),
        sites: Vec::new(),
        prompt: prompt.into(),
        note: String::new(),
        down,
    })
}

fn standing(config: &Config, args: &SimulateArgs) -> BTreeMap<AnalystId, Standing> {
    let lists = [
        (&args.only, Standing::Available),
        (&args.available, Standing::Available),
        (&args.busy, Standing::Busy),
        (&args.paused, Standing::Paused),
        (&args.signed_out, Standing::SignedOut),
        (&args.silent, Standing::Silent),
    ];
    let named = lists.into_iter().flat_map(|(names, how)| names.iter().map(move |name| (AnalystId::new(name), how)));
    let others = config.staff.iter().filter(|_| !args.only.is_empty());
    others.map(|analyst| (analyst.id.clone(), Standing::SignedOut)).chain(named).collect()
}

// -- One call ------------------------------------------------------------------------------------------------------------

struct Phone {
    simulation: Simulation,
    targets: Vec<TargetId>,
}

impl Phone {
    /// Does what was given with its times, and lets the call come to its end.
    fn play(&mut self, deeds: &[String], out: &mut Out) -> anyhow::Result<Outcome> {
        for deed in deeds {
            let (when, what) = deed.trim().split_once(' ').unwrap_or((deed, ""));
            let when =
                span(when).ok_or_else(|| Usage(format!("`{deed}` has no time; write '6s amara-osei answers'")))?;
            let what = Deed::read(what, &self.targets).map_err(|error| Usage(error.to_string()))?;
            self.simulation.run_to(when);
            self.show(out)?;
            self.simulation.deed(&what).map_err(|error| Refused(format!("at {deed}: {error}")))?;
            self.show(out)?;
        }
        self.simulation.run_to(self.simulation.elapsed() + PATIENCE);
        self.show(out)?;
        Ok(Outcome::Done)
    }

    /// Asks what happens next, until the call is over or the reader leaves.
    fn talk(&mut self, out: &mut Out) -> anyhow::Result<Outcome> {
        let asks = io::stdin().is_terminal();
        if asks {
            writeln!(out, "{HELP}")?;
        }
        let mut lines = io::stdin().lock().lines();
        while !self.simulation.is_over() && self.simulation.elapsed() < LONGEST {
            if asks {
                self.ask(out)?;
            }
            let Some(line) = lines.next() else { break };
            let line = line.context("standard input cannot be read")?;
            match line.trim() {
                "q" | "quit" => break,
                "?" | "help" => writeln!(out, "{HELP}")?,
                "" => self.simulation.run_to_next(self.simulation.elapsed() + PATIENCE),
                text => self.take(text, out)?,
            }
            self.show(out)?;
        }
        self.show(out)?;
        Ok(Outcome::Done)
    }

    fn ask(&self, out: &mut Out) -> anyhow::Result<()> {
        let ringing: Vec<String> = self.simulation.ringing().iter().map(ToString::to_string).collect();
        let rings = if ringing.is_empty() { String::new() } else { format!(" rings: {}", ringing.join(", ")) };
        write!(out, "{:>8.2}{rings} > ", self.simulation.elapsed().as_secs_f64())?;
        out.flush()?;
        Ok(())
    }

    fn take(&mut self, text: &str, out: &mut Out) -> anyhow::Result<()> {
        if let Some(wait) = span(text) {
            self.simulation.run_to(self.simulation.elapsed() + wait);
            return Ok(());
        }
        let done = Deed::read(text, &self.targets).and_then(|deed| self.simulation.deed(&deed));
        if let Err(error) = done {
            writeln!(out, "         {}", yellow(&error.to_string()))?;
        }
        Ok(())
    }

    fn show(&mut self, out: &mut Out) -> anyhow::Result<()> {
        while let Some(happening) = self.simulation.poll_happening() {
            if let Some(text) = words(&happening.record) {
                for (number, line) in wrapped(&text, WIDTH).into_iter().enumerate() {
                    let when =
                        if number == 0 { format!("{:.2}", happening.after.as_secs_f64()) } else { String::new() };
                    writeln!(out, "{when:>8}  {}{line}", if number == 0 { "" } else { "  " })?;
                }
            }
        }
        Ok(())
    }
}

// -- Cases ---------------------------------------------------------------------------------------------------------------

fn cases(config: &Arc<Config>, args: &SimulateArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let mut report = Report::new();
    let mut judged: Vec<Judged> = Vec::new();
    for path in &args.script {
        let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let file = path.display().to_string();
        if let Some(Cases(cases)) = Cases::read(&file, &bytes, config, &mut report) {
            judged.extend(cases.iter().map(|case| case.run(config)));
        }
    }
    if report.has_errors() {
        return Err(Refused(render::text(&report, true)).into());
    }
    let failed = judged.iter().filter(|case| !case.passed()).count();
    if args.json {
        out.json(&json!({ "cases": judged.len(), "failed": failed, "results": judged }))?;
    } else {
        tell_cases(&judged, failed, out)?;
    }
    Ok(if failed == 0 { Outcome::Done } else { Outcome::Refused })
}

fn tell_cases(judged: &[Judged], failed: usize, out: &mut Out) -> anyhow::Result<()> {
    for case in judged {
        let verdict = if case.passed() { green("ok    ") } else { red("failed") };
        writeln!(out, "{verdict} {}", case.name)?;
        if case.passed() {
            continue;
        }
        writeln!(out, "       {}", case.place)?;
        for wrong in &case.wrong {
            writeln!(out, "       {wrong}")?;
        }
        for (after, text) in &case.timeline {
            writeln!(out, "       {after:>8.2}  {text}")?;
        }
    }
    writeln!(out, "{}, {} passed, {failed} failed", counted(judged.len(), "case"), judged.len() - failed)?;
    Ok(())
}

//! A table of cases: who calls, when, from where, what people do, and what has to come of it. Read from TOML with
//! places, so that what is wrong points at its line; run one by one, each in a world of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::DateTime;
use serde::Serialize;

use crate::config::Config;
use crate::config::grammar::{CASES, MAX_DEEDS};
use crate::config::reader::{Fields, Problems, Spanned};
use crate::config::tree::{self, Tree};
use crate::diagnostic::Report;
use crate::ids::{AnalystId, Extension, HospitalId, TargetId};
use crate::routing::{Need, Trouble};
use crate::simulate::deed::span;
use crate::simulate::{Deed, Scene, Simulation, Standing, read_pin, read_ticket};
use crate::ticket::{Event, Record};
use crate::time::Duration;

/// How long a case goes on where it says nothing else: past every ladder's give-up time.
const UNTIL: Duration = Duration::from_secs(180);
/// After the caller's call has ended: the analyst keys a disposition meanwhile, and no callback is due yet.
const AFTERWARDS: Duration = Duration::from_secs(15);

/// The cases of one file.
#[derive(Debug)]
pub struct Cases(pub Vec<Case>);

#[derive(Debug)]
pub struct Case {
    pub name: String,
    /// "sip-config/cases/hotline.toml:12".
    pub place: String,
    pub scene: Scene,
    /// In the order of their times since the INVITE.
    pub deeds: Vec<(Duration, Deed)>,
    pub until: Duration,
    pub expected: Expected,
}

/// What has to come of a case. What is not written does not matter.
#[derive(Debug, Default)]
pub struct Expected {
    /// Every step, in order.
    pub steps: Option<Vec<String>>,
    /// Questions that were left out.
    pub skipped: Option<Vec<String>>,
    /// "meridian-prod/medication", "meridian-prod", "any".
    pub need: Option<String>,
    /// Everybody who was rung, in order.
    pub rung: Option<Vec<String>>,
    /// From the INVITE to the first offer, or the first ringing of a target.
    pub first_offer_within: Option<Duration>,
    /// Spoken one after the other; other words may stand between them.
    pub says: Option<Vec<String>>,
    /// The target that was rung.
    pub target: Option<String>,
    /// Who has talked with the caller.
    pub answered_by: Option<String>,
    /// Why a callback is owed at the end; "none".
    pub callback: Option<String>,
    /// The hangup cause; "up" when the call is not over.
    pub ends: Option<String>,
}

/// How a case came out.
#[derive(Debug, Serialize)]
pub struct Judged {
    pub name: String,
    pub place: String,
    /// One line each: what was expected, and what came.
    pub wrong: Vec<String>,
    /// The call, told by its timeline: seconds since the INVITE, and words.
    pub timeline: Vec<(f64, String)>,
}

impl Judged {
    pub fn passed(&self) -> bool {
        self.wrong.is_empty()
    }
}

// -- Reading -------------------------------------------------------------------------------------------------------------

impl Cases {
    /// Reads a file of cases. `None` when something is wrong; the report says what.
    pub fn read(file: &str, bytes: &[u8], config: &Config, report: &mut Report) -> Option<Cases> {
        let before = report.errors();
        let tree = tree::parse(file, bytes, report)?;
        let problems = Problems::default();
        let cases = read_cases(&tree, config, &problems, report);
        problems.into_report(report);
        report.sort();
        (report.errors() == before).then_some(Cases(cases?))
    }
}

/// What holds for every case that says nothing else.
struct Defaults {
    hospital: Option<Spanned<HospitalId>>,
    dial: Option<Spanned<Extension>>,
    at: Option<Spanned<DateTime>>,
}

fn read_cases(tree: &Tree, config: &Config, problems: &Problems, report: &Report) -> Option<Vec<Case>> {
    let fields = Fields::of(tree, "the file of cases", &CASES, problems)?;
    let defaults =
        Defaults { hospital: fields.optional("hospital"), dial: fields.optional("dial"), at: fields.optional("at") };
    let tables = fields.tables("cases", "a case");
    if tables.is_empty() {
        let finding = fields.place.error("the file holds no case");
        problems.push(finding.remedy("add [[cases]] with `name`, `from` and `expect`"));
    }
    Some(tables.iter().filter_map(|table| read_case(table, &defaults, config, problems, report)).collect())
}

fn read_case(
    fields: &Fields<'_>,
    defaults: &Defaults,
    config: &Config,
    problems: &Problems,
    report: &Report,
) -> Option<Case> {
    let name: Option<Spanned<String>> = fields.required("name", "\"a known ward phone\"");
    let from: Option<String> = fields.optional("from");
    let hospital = fields.optional("hospital").or_else(|| defaults.hospital.clone());
    let dial = fields.optional("dial").or_else(|| defaults.dial.clone());
    let digits = fields.optional::<Extension>("digits").map(|digits| digits.to_string());
    let at = fields.optional("at").or_else(|| defaults.at.clone());
    let until = fields.optional::<Spanned<String>>("until");
    let deeds: Vec<Spanned<String>> = fields.or("do", Vec::new());
    let standing = read_standing(fields, config, problems);
    let open_ticket = fields.or("open_ticket", false);
    let helped = fields.optional::<Spanned<String>>("helped");
    let pins: Vec<Spanned<String>> = fields.or("pins", Vec::new());
    let tickets: Vec<Spanned<String>> = fields.or("tickets", Vec::new());
    let troubles = fields.tables("incidents", "an incident");
    let name = name?;
    let place = match report.position(&name.place.file, name.place.span.start) {
        Some(position) => format!("{}:{}", name.place.file, position.line),
        None => name.place.file.to_string(),
    };
    let hospital = hospital_of(hospital, config, fields, problems)?;
    let targets: Vec<TargetId> = config.hospital(&hospital)?.targets.keys().cloned().collect();
    let Some(at) = at else {
        problems.push(fields.place.error("the case does not say when").remedy("add at = \"2026-11-24T10:00\""));
        return None;
    };
    let zone = config.hospital(&hospital)?.time_zone.clone();
    let Ok(zoned) = at.value.to_zoned(zone) else {
        problems.push(at.place.error("there is no such time in the hospital's zone"));
        return None;
    };
    let dial = match dial {
        Some(dial) => dial.value,
        None => config.hospital(&hospital)?.hotlines.keys().next()?.clone(),
    };
    let expected = fields.table("expect").map(|table| {
        let plan = config.hospital(&hospital).and_then(|hospital| hospital.hotlines.get(&dial));
        let plan = plan.and_then(|hotline| config.plans.get(&hotline.plan));
        let steps = plan.map(|plan| plan.steps().iter().map(|step| step.id.to_string()).collect());
        let analysts = config.staff.iter().map(|analyst| analyst.id.to_string()).collect();
        let names = Names { steps, analysts, targets: targets.iter().map(TargetId::to_string).collect() };
        read_expected(&table, &names, problems)
    });
    let deeds = read_deeds(deeds, &targets, config, problems)?;
    let until = match until {
        None => UNTIL,
        Some(text) => span_of(&text, problems)?,
    };
    let incidents = troubles.iter().map(|trouble| read_trouble(trouble, &hospital)).collect::<Option<Vec<_>>>()?;
    let from = from.unwrap_or_default();
    let helped = match helped {
        None => None,
        Some(text) => Some(read_helped(&text, config, problems)?),
    };
    let at = zoned.timestamp();
    let pins = read_each(&pins, read_pin, "a person and a PIN, such as \"anika-rao 274913\"", problems)?;
    let tickets = read_each(&tickets, read_ticket, "a ticket and an analyst, such as \"1042 amara-osei\"", problems)?;
    // A case comes out alike wherever it is run: what a node of this machine remembers is no part of it.
    let attested = Vec::new();
    let scene =
        Scene { hospital, dial, digits, from, at, standing, incidents, open_ticket, pins, tickets, helped, attested };
    Some(Case { name: name.value, place, scene, deeds, until, expected: expected.unwrap_or_default() })
}

/// Texts of a form of their own; each that is not is an error.
fn read_each<T>(
    texts: &[Spanned<String>],
    read: fn(&str) -> Option<T>,
    wanted: &str,
    problems: &Problems,
) -> Option<Vec<T>> {
    let each = texts.iter().map(|text| {
        let value = read(&text.value);
        if value.is_none() {
            problems.push(text.place.error("this cannot be read").remedy(format!("write {wanted}")));
        }
        value
    });
    each.collect()
}

/// "40m amara-osei".
fn read_helped(text: &Spanned<String>, config: &Config, problems: &Problems) -> Option<(Duration, AnalystId)> {
    let (ago, analyst) = text.value.split_once(' ').unwrap_or((&text.value, ""));
    let ago = span_of(&Spanned { value: ago.to_owned(), place: text.place.clone() }, problems)?;
    let analyst = Spanned { value: AnalystId::new(analyst.trim()), place: text.place.clone() };
    known_analyst(&analyst, config, problems);
    Some((ago, analyst.value))
}

fn read_trouble(fields: &Fields<'_>, hospital: &HospitalId) -> Option<Trouble> {
    let system = fields.required("system", "\"meridian-prod\"");
    let prompt = fields.required("prompt", "\"known-problem-charting\"");
    let (module, sites) = (fields.optional("module"), fields.or("sites", Vec::new()));
    let note = fields.optional("note").unwrap_or_default();
    let down = fields.or("down", false);
    Some(Trouble { hospital: hospital.clone(), system: system?, module, sites, prompt: prompt?, note, down })
}

fn hospital_of(
    written: Option<Spanned<HospitalId>>,
    config: &Config,
    fields: &Fields<'_>,
    problems: &Problems,
) -> Option<HospitalId> {
    let known = || config.hospitals.keys().map(HospitalId::as_str);
    match written {
        Some(hospital) if config.hospital(&hospital.value).is_some() => Some(hospital.value),
        Some(hospital) => {
            let finding = hospital.place.error(format!("unknown hospital `{}`", hospital.value));
            problems.push(finding.nearest(hospital.value.as_str(), known()));
            None
        }
        None if config.hospitals.len() == 1 => config.hospitals.keys().next().cloned(),
        None => {
            let names: Vec<&str> = known().collect();
            let finding = fields.place.error("the case does not say which hospital");
            problems.push(finding.remedy(format!("add hospital = \"…\", one of {}", names.join(", "))));
            None
        }
    }
}

fn read_standing(fields: &Fields<'_>, config: &Config, problems: &Problems) -> BTreeMap<AnalystId, Standing> {
    let lists = [
        ("available", Standing::Available),
        ("paused", Standing::Paused),
        ("signed_out", Standing::SignedOut),
        ("busy", Standing::Busy),
        ("silent", Standing::Silent),
    ];
    let mut standing = BTreeMap::new();
    // Beside those who are named in any way, nobody is signed in.
    if let Some(only) = fields.optional::<Vec<Spanned<AnalystId>>>("only") {
        standing.extend(config.staff.iter().map(|analyst| (analyst.id.clone(), Standing::SignedOut)));
        note(only, Standing::Available, config, problems, &mut standing);
    }
    for (key, how) in lists {
        note(fields.or(key, Vec::new()), how, config, problems, &mut standing);
    }
    standing
}

fn note(
    named: Vec<Spanned<AnalystId>>,
    how: Standing,
    config: &Config,
    problems: &Problems,
    standing: &mut BTreeMap<AnalystId, Standing>,
) {
    for id in named {
        known_analyst(&id, config, problems);
        standing.insert(id.value, how);
    }
}

fn known_analyst(id: &Spanned<AnalystId>, config: &Config, problems: &Problems) {
    if config.staff.get(&id.value).is_none() {
        let known = config.staff.iter().map(|analyst| analyst.id.as_str());
        let finding = id.place.error(format!("unknown analyst `{}`", id.value));
        problems.push(finding.nearest(id.value.as_str(), known));
    }
}

/// "1.2s 1", "6s amara-osei answers".
fn read_deeds(
    texts: Vec<Spanned<String>>,
    targets: &[TargetId],
    config: &Config,
    problems: &Problems,
) -> Option<Vec<(Duration, Deed)>> {
    let mut deeds = Vec::with_capacity(texts.len().min(MAX_DEEDS));
    let mut last = Duration::ZERO;
    for text in texts.into_iter().take(MAX_DEEDS) {
        let Some((when, what)) = text.value.trim().split_once(' ') else {
            let finding = text.place.error("a deed has a time and something that is done");
            problems.push(finding.remedy("write \"1.2s 1\" or \"6s amara-osei answers\""));
            return None;
        };
        let when = span_of(&Spanned { value: when.to_owned(), place: text.place.clone() }, problems)?;
        if when < last {
            problems.push(text.place.error("this is done before what stands above it").remedy("write deeds in order"));
        }
        last = when;
        match Deed::read(what, targets) {
            Ok(deed) => {
                if let Some(analyst) = deed.analyst() {
                    known_analyst(&Spanned { value: analyst.clone(), place: text.place }, config, problems);
                }
                deeds.push((when, deed));
            }
            Err(error) => problems.push(text.place.error(error.to_string())),
        }
    }
    Some(deeds)
}

fn span_of(text: &Spanned<String>, problems: &Problems) -> Option<Duration> {
    let read = span(&text.value);
    if read.is_none() {
        let finding = text.place.error(format!("`{}` is no time since the INVITE", text.value));
        problems.push(finding.remedy("write \"1.2s\", \"800ms\" or \"2m\""));
    }
    read
}

/// What an expectation may name.
struct Names {
    /// Of the plan that is dialled, if there is one.
    steps: Option<Vec<String>>,
    analysts: Vec<String>,
    targets: Vec<String>,
}

/// Stands for nobody and nothing.
const NONE: &str = "none";

fn read_expected(fields: &Fields<'_>, names: &Names, problems: &Problems) -> Expected {
    let one = |key: &'static str, what: &str, known: &[&[String]]| -> Option<String> {
        let named: Spanned<String> = fields.optional(key)?;
        if named.value != NONE {
            known_name(&named, what, known, problems);
        }
        Some(named.value)
    };
    let list = |key: &'static str, what: &str, known: &[&[String]]| -> Option<Vec<String>> {
        let named: Vec<Spanned<String>> = fields.optional(key)?;
        named.iter().for_each(|name| known_name(name, what, known, problems));
        Some(named.into_iter().map(|name| name.value).collect())
    };
    let steps: Vec<&[String]> = names.steps.as_deref().into_iter().collect();
    let people: [&[String]; 2] = [&names.analysts, &names.targets];
    let within = fields.optional::<Spanned<String>>("first_offer_within");
    Expected {
        steps: list("steps", "step", &steps),
        skipped: list("skipped", "step", &steps),
        need: fields.optional("need"),
        rung: list("rung", "analyst", &[&names.analysts]),
        first_offer_within: within.and_then(|text| span_of(&text, problems)),
        says: fields.optional("says"),
        target: one("target", "target", &[&names.targets]),
        answered_by: one("answered_by", "analyst or target", &people),
        callback: fields.optional("callback"),
        ends: fields.optional("ends"),
    }
}

/// Nothing is said where nothing is known to compare with.
fn known_name(name: &Spanned<String>, what: &str, known: &[&[String]], problems: &Problems) {
    let known = || known.iter().copied().flatten().map(String::as_str);
    if known().next().is_some() && !known().any(|known| known == name.value) {
        let finding = name.place.error(format!("unknown {what} `{}`", name.value));
        problems.push(finding.nearest(&name.value, known()));
    }
}

// -- Running -------------------------------------------------------------------------------------------------------------

impl Case {
    /// Runs the case in a world of its own.
    pub fn run(&self, config: &Arc<Config>) -> Judged {
        let mut wrong = Vec::new();
        let mut timeline = Vec::new();
        match Simulation::begin(Arc::clone(config), &self.scene) {
            Err(error) => wrong.push(error.to_string()),
            Ok(mut simulation) => {
                for (when, deed) in &self.deeds {
                    simulation.run_to(*when);
                    if let Err(error) = simulation.deed(deed) {
                        wrong.push(format!("at {:.1} s: {error}", when.as_secs_f64()));
                    }
                }
                finish(&mut simulation, self.until);
                timeline = told(&simulation);
                wrong.extend(self.expected.judge(&simulation));
            }
        }
        Judged { name: self.name.clone(), place: self.place.clone(), wrong, timeline }
    }
}

/// Lets the call come to its end, and a little more for what is keyed after it.
fn finish(simulation: &mut Simulation, until: Duration) {
    let ended = |simulation: &Simulation| {
        let mut records = simulation.records().iter();
        records.any(|record| matches!(record.event, Event::CallEnded { .. }))
    };
    while !ended(simulation) && simulation.elapsed() < until {
        while simulation.poll_happening().is_some() {}
        simulation.run_to_next(until);
    }
    simulation.run_to(until.min(simulation.elapsed() + AFTERWARDS));
}

/// The call by its timeline: seconds since the INVITE, and words.
fn told(simulation: &Simulation) -> Vec<(f64, String)> {
    let after = |record: &Record| simulation.after(record.at).as_secs_f64();
    simulation.records().iter().filter_map(|record| Some((after(record), super::words(record)?))).collect()
}

impl Expected {
    fn judge(&self, simulation: &Simulation) -> Vec<String> {
        let seen = Seen::of(simulation);
        let mut wrong = Vec::new();
        let mut compare = |what: &str, expected: Option<String>, came: String| {
            if let Some(expected) = expected.filter(|expected| *expected != came) {
                wrong.push(format!("{what}: expected {expected}, came {came}"));
            }
        };
        let list = |items: &Option<Vec<String>>| items.as_ref().map(|items| listed(items));
        compare("steps", list(&self.steps), listed(&seen.steps));
        compare("skipped", list(&self.skipped), listed(&seen.skipped));
        compare("rung", list(&self.rung), listed(&seen.rung));
        compare("need", self.need.clone(), seen.need.clone());
        compare("target", self.target.clone(), seen.target.clone());
        compare("answered_by", self.answered_by.clone(), seen.answered_by.clone());
        compare("callback", self.callback.clone(), seen.callback.clone());
        compare("ends", self.ends.clone(), seen.ends.clone());
        if let Some(limit) = self.first_offer_within {
            match seen.first_offer {
                Some(after) if after <= limit => {}
                Some(after) => wrong.push(format!(
                    "first_offer_within: expected {:.2} s, came {:.2} s",
                    limit.as_secs_f64(),
                    after.as_secs_f64()
                )),
                None => wrong.push("first_offer_within: nobody was ever rung".to_owned()),
            }
        }
        if let Some(words) = &self.says {
            let mut spoken = seen.says.iter();
            if let Some(missing) = words.iter().find(|word| !spoken.any(|said| said == *word)) {
                wrong.push(format!("says: \"{missing}\" was not said there; said was {}", listed(&seen.says)));
            }
        }
        wrong
    }
}

fn listed(items: &[String]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

/// What expectations compare with.
#[derive(Default)]
struct Seen {
    steps: Vec<String>,
    skipped: Vec<String>,
    need: String,
    rung: Vec<String>,
    first_offer: Option<Duration>,
    says: Vec<String>,
    target: String,
    answered_by: String,
    callback: String,
    ends: String,
}

impl Seen {
    fn of(simulation: &Simulation) -> Seen {
        let none = || "none".to_owned();
        let mut seen = Seen {
            need: none(),
            target: none(),
            answered_by: none(),
            callback: none(),
            ends: "up".to_owned(),
            ..Seen::default()
        };
        for record in simulation.records() {
            seen.note(simulation.after(record.at), &record.event);
        }
        seen
    }

    fn note(&mut self, after: Duration, event: &Event) {
        if let Event::StepEntered { step } = event {
            self.steps.push(step.to_string());
        }
        if let Event::QuestionSkipped { step } = event {
            self.skipped.push(step.to_string());
        }
        if let Event::NeedSettled { need, .. } = event {
            self.need = need_word(need);
        }
        if let Event::Spoken { words, .. } = event {
            self.says.push(words.clone());
        }
        // Who is rung for a callback afterwards is another story.
        if let Event::OfferSent { analyst, .. } = event
            && self.ends == "up"
        {
            self.first_offer.get_or_insert(after);
            self.rung.push(analyst.to_string());
        }
        if let Event::TargetRung { target } = event {
            self.first_offer.get_or_insert(after);
            self.target = target.to_string();
        }
        if let Event::AnalystAnswered { analyst, .. } = event {
            self.answered_by = analyst.to_string();
        }
        if let Event::TransferEnded { target, ok: true } = event {
            self.answered_by.clone_from(target);
        }
        if let Event::CallbackBooked { reason, .. } = event {
            self.callback = kebab(reason);
        }
        if matches!(event, Event::CallbackClosed) {
            "none".clone_into(&mut self.callback);
        }
        if let Event::CallEnded { cause, .. } = event
            && self.ends == "up"
        {
            self.ends = kebab(cause);
        }
    }
}

fn need_word(need: &Need) -> String {
    match (&need.system, &need.module) {
        (Some(system), Some(module)) => format!("{system}/{module}"),
        (Some(system), None) => system.to_string(),
        (None, Some(module)) => format!("any/{module}"),
        (None, None) => "any".to_owned(),
    }
}

/// An enum's name as records write it.
fn kebab(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(_) | Err(_) => String::new(),
    }
}

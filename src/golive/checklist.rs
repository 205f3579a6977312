//! The list itself: one line a point, green or open with what is missing by name.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::cover::Gaps;
use crate::config::{Config, Hospital};
use crate::ids::{HospitalId, UnitId};
use crate::routing::{Analyst, PhoneUse};
use crate::ticket::{Confirmation, Standing, Standings, Vouched};

use super::evidence::{Evidence, Shown};
use crate::plural::counted;

/// What must be shown, in the order of the walk-round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// A call from each unit, at the place that the map says.
    Units,
    /// Audio both ways, from each unit.
    Audio,
    /// A key heard, from each unit.
    Keys,
    /// A codec agreed, with each unit.
    Codec,
    /// No call today from a phone that is not on the map.
    Unmapped,
    /// Each analyst has answered a ring.
    Analysts,
    /// Each on-call phone outside has pressed 1.
    OnCall,
    /// The hospital's operator was reached and heard.
    Operator,
    /// By a person's word, as the two that follow.
    Places,
    CodeNumber,
    #[serde(rename = "911")]
    Emergency,
    /// Somebody qualified at every hour of the next four weeks, by the files or, where the rota is kept elsewhere, by a
    /// person's word.
    Coverage,
    /// Consent to recording.
    Consent,
    /// A restore from the backup, drilled.
    Restore,
}

impl Point {
    /// A word for a narrow column.
    pub fn as_str(self) -> &'static str {
        match self {
            Point::Units => "units",
            Point::Audio => "audio",
            Point::Keys => "keys",
            Point::Codec => "codec",
            Point::Unmapped => "unmapped",
            Point::Analysts => "analysts",
            Point::OnCall => "on call",
            Point::Operator => "operator",
            Point::Places => "places",
            Point::CodeNumber => "code number",
            Point::Emergency => "911",
            Point::Coverage => "coverage",
            Point::Consent => "consent",
            Point::Restore => "restore",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    Green,
    Open,
    /// This version of Wardline cannot do it yet: it keeps nobody from going live.
    NotAvailable,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub point: Point,
    pub progress: Progress,
    pub found: String,
    /// What is open, by name.
    pub missing: Vec<String>,
    /// What to do.
    pub next: Option<String>,
}

impl Line {
    fn green(point: Point, found: impl Into<String>) -> Line {
        Line { point, progress: Progress::Green, found: found.into(), missing: Vec::new(), next: None }
    }

    fn open(point: Point, found: impl Into<String>, missing: Vec<String>, next: impl Into<String>) -> Line {
        Line { point, progress: Progress::Open, found: found.into(), missing, next: Some(next.into()) }
    }

    fn not_available(point: Point, found: impl Into<String>) -> Line {
        Line { point, progress: Progress::NotAvailable, found: found.into(), missing: Vec::new(), next: None }
    }

    /// Green when nothing is missing.
    fn by_name(point: Point, found: String, missing: Vec<String>, next: impl Into<String>) -> Line {
        if missing.is_empty() { Line::green(point, found) } else { Line::open(point, found, missing, next) }
    }
}

/// What one unit's calls have shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitProgress {
    pub unit: UnitId,
    pub name: String,
    /// A phone of it is on the map; without one nothing else can be shown.
    pub mapped: bool,
    pub called: bool,
    pub audio: bool,
    pub keys: bool,
    pub codecs: Vec<String>,
}

/// Where a hospital stands on its way to going live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checklist {
    pub hospital: HospitalId,
    pub name: String,
    pub standing: Standing,
    /// Calls and confirmations from here on count.
    pub counts_from: Timestamp,
    pub green: bool,
    pub lines: Vec<Line>,
    pub units: Vec<UnitProgress>,
}

impl Checklist {
    pub fn is_live(&self) -> bool {
        !self.standing.is_rehearsal()
    }

    pub fn open(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.progress == Progress::Open)
    }
}

/// Whose list it is.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub config: &'a Config,
    pub hospital: &'a Hospital,
    pub standings: &'a Standings,
    /// What the rota leaves open in the next four weeks.
    pub gaps: &'a Gaps,
}

pub fn checklist(subject: &Subject<'_>, evidence: &Evidence) -> Checklist {
    let Subject { hospital, standings, .. } = *subject;
    let units = units(hospital, evidence);
    let number = dialled(subject);
    let mut lines = of_units(&units, &number);
    lines.push(unmapped(evidence));
    lines.push(analysts(subject, evidence));
    lines.push(on_call(subject, evidence));
    lines.push(operator(hospital, evidence, &number));
    lines.push(places(subject, evidence));
    lines.push(code_number(subject, evidence));
    lines.push(emergency(subject, evidence));
    lines.push(coverage(subject, evidence));
    lines.push(Line::not_available(Point::Consent, "calls are not recorded in this version, so none is asked for"));
    lines.push(Line::not_available(Point::Restore, "a drill that restores the backup comes with a later version"));
    Checklist {
        hospital: hospital.id.clone(),
        name: hospital.name.clone(),
        standing: standings.of(&hospital.id).clone(),
        counts_from: evidence.since,
        green: lines.iter().all(|line| line.progress != Progress::Open),
        lines,
        units,
    }
}

// -- The walk-round ---------------------------------------------------------------------------------------------------

fn units(hospital: &Hospital, evidence: &Evidence) -> Vec<UnitProgress> {
    let nothing = Shown::default();
    let progress = |unit: &crate::identity::Unit| {
        let shown = evidence.units.get(&unit.id);
        let Shown { audio, keys, codecs } = shown.unwrap_or(&nothing);
        UnitProgress {
            unit: unit.id.clone(),
            name: unit.name.clone(),
            mapped: hospital.directory.phones().iter().any(|phone| phone.unit.as_ref() == Some(&unit.id)),
            called: shown.is_some(),
            audio: *audio,
            keys: *keys,
            codecs: codecs.iter().map(|codec| (*codec).to_owned()).collect(),
        }
    };
    hospital.directory.units().map(progress).collect()
}

/// The number that people dial: not the canary's.
fn dialled(subject: &Subject<'_>) -> String {
    let canary = subject.config.node.canary.as_ref().filter(|canary| canary.hospital == subject.hospital.id);
    let mut hotlines = subject.hospital.hotlines.keys();
    let number = hotlines.find(|number| canary.is_none_or(|canary| canary.number != **number));
    number.map_or_else(|| "the hotline".to_owned(), ToString::to_string)
}

fn of_units(units: &[UnitProgress], number: &str) -> Vec<Line> {
    if units.is_empty() {
        let next =
            "write [units] and [[extensions]] into the hospital's file, or let `wardline import phones` suggest both";
        let none = |point| Line::open(point, "no unit is on the map", Vec::new(), next);
        return [Point::Units, Point::Audio, Point::Keys, Point::Codec].map(none).to_vec();
    }
    let all = units.len();
    // A unit that has not called is named once, in the first line.
    let shown = |point, what: &str, with: &str, shows: &dyn Fn(&UnitProgress) -> bool, next: &str| {
        let seen = units.iter().filter(|unit| shows(unit)).count();
        let found = format!("{what} {seen} of {}{with}", counted(all, "unit"));
        if seen == all {
            return Line::green(point, found);
        }
        let missing = units.iter().filter(|unit| unit.called && !shows(unit)).map(|unit| unit.name.clone());
        Line::open(point, found, missing.collect(), next)
    };
    let audio =
        "call again, let an analyst answer, and let both speak; `wardline tickets show N` has the audio of each side";
    let keys = "press a key while the call is up: 5 s into ringing, or when the analyst has answered";
    let codec = "let the call be answered and end; then `wardline tickets show N` tells what was measured";
    let mut codecs: Vec<&str> = units.iter().flat_map(|unit| &unit.codecs).map(String::as_str).collect();
    codecs.sort_unstable();
    codecs.dedup();
    let agreed = if codecs.is_empty() { String::new() } else { format!(" ({})", codecs.join(", ")) };
    vec![
        called(units, number),
        shown(Point::Audio, "heard both ways from", "", &|unit| unit.audio, audio),
        shown(Point::Keys, "keys heard from", "", &|unit| unit.keys, keys),
        shown(Point::Codec, "a codec was agreed with", &agreed, &|unit| !unit.codecs.is_empty(), codec),
    ]
}

fn called(units: &[UnitProgress], number: &str) -> Line {
    let (silent, heard): (Vec<&UnitProgress>, Vec<&UnitProgress>) = units.iter().partition(|unit| !unit.called);
    let has = if heard.len() == 1 { "has" } else { "have" };
    let found = format!("{} of {} units {has} called from a phone that the map puts there", heard.len(), units.len());
    let name = |unit: &&UnitProgress| match unit.mapped {
        true => unit.name.clone(),
        false => format!("{} (no phone of it is on the map)", unit.name),
    };
    let phoneless: Vec<&str> = silent.iter().filter(|unit| !unit.mapped).map(|unit| unit.name.as_str()).collect();
    let call = format!("call {number} from a phone of each; the greeting names the unit");
    let map = format!(
        "no phone of {} is on the map: `wardline import phones`, or take it out of [units] if nobody calls from there; \
         then `wardline publish`",
        phoneless.join(", ")
    );
    let next = match (phoneless.len(), silent.len()) {
        (0, _) => call,
        (without, silent) if without == silent => map,
        _ => format!("{call}; {map}"),
    };
    Line::by_name(Point::Units, found, silent.iter().map(name).collect(), next)
}

fn unmapped(evidence: &Evidence) -> Line {
    let times = |calls: &usize| if *calls == 1 { "once".to_owned() } else { format!("{calls} times") };
    let called = evidence.unmapped.iter().map(|(number, calls)| format!("{number} ({})", times(calls)));
    let called: Vec<String> = called.collect();
    let found = match called.len() {
        0 => "no call today from a phone that is not on the map".to_owned(),
        1 => "1 phone called today that is not on the map".to_owned(),
        phones => format!("{phones} phones called today that are not on the map"),
    };
    Line::by_name(
        Point::Unmapped,
        found,
        called,
        "put it into [[extensions]] of the hospital's file, then `wardline publish`",
    )
}

// -- The people -------------------------------------------------------------------------------------------------------

/// Who takes calls of people here; the canary's own analyst is a machine.
fn staff<'a>(subject: &'a Subject<'_>) -> impl Iterator<Item = &'a Analyst> {
    let canary = subject.config.node.canary.as_ref();
    let people = subject.config.staff.of(&subject.hospital.id);
    people.filter(move |analyst| canary.is_none_or(|canary| canary.analyst != analyst.id))
}

fn analysts(subject: &Subject<'_>, evidence: &Evidence) -> Line {
    let desk_phones = |analyst: &&Analyst| analyst.phones.iter().any(|phone| phone.usage == PhoneUse::Desk);
    let asked: Vec<&Analyst> = staff(subject).filter(desk_phones).collect();
    let answered = |analyst: &Analyst| {
        let mut desk = analyst.phones.iter().filter(|phone| phone.usage == PhoneUse::Desk);
        let outside = desk.all(|phone| phone.outside);
        evidence.answered.contains(&analyst.id) || (outside && evidence.accepted.contains(&analyst.id))
    };
    let missing: Vec<String> = named(asked.iter().filter(|analyst| !answered(analyst)));
    let have = if asked.len() == 1 { "has" } else { "have" };
    let (done, all) = (asked.len() - missing.len(), counted(asked.len(), "analyst"));
    let found = format!("{done} of {all} {have} answered a ring at the desk");
    if asked.is_empty() {
        return Line::open(Point::Analysts, "nobody takes this hospital's calls at a desk", missing, "add analysts");
    }
    let next = "sign each in (`wardline analysts set-state ID available`), call, and let that phone be answered";
    Line::by_name(Point::Analysts, found, missing, next)
}

fn on_call(subject: &Subject<'_>, evidence: &Evidence) -> Line {
    let mobile =
        |analyst: &&Analyst| analyst.phones.iter().any(|phone| phone.usage == PhoneUse::OnCall && phone.outside);
    let asked: Vec<&Analyst> = staff(subject).filter(mobile).collect();
    if asked.is_empty() {
        return Line::green(Point::OnCall, "nobody is on call at a phone outside");
    }
    let missing = named(asked.iter().filter(|analyst| !evidence.accepted.contains(&analyst.id)));
    let found = format!("{} of {} on-call phones have pressed 1", asked.len() - missing.len(), asked.len());
    let next = "call while they are on call and nobody is signed in; they answer and press 1";
    Line::by_name(Point::OnCall, found, missing, next)
}

fn named<'a>(analysts: impl Iterator<Item = &'a &'a Analyst>) -> Vec<String> {
    analysts.map(|analyst| analyst.name.clone()).collect()
}

/// Holes in what the files say are open. Where they say nothing because the rota is kept elsewhere, a person's word counts.
fn coverage(subject: &Subject<'_>, evidence: &Evidence) -> Line {
    let Subject { hospital, gaps, .. } = *subject;
    let point = Point::Coverage;
    if hospital.directory.systems().next().is_none() {
        let next = "declare what runs here in [systems] of the hospital's file, then `wardline publish`";
        return Line::open(point, "no system is declared, so there is nothing that anybody covers", Vec::new(), next);
    }
    let elsewhere = format!("no shifts are declared for {}", gaps.elsewhere.join(", "));
    let said = if gaps.elsewhere.is_empty() { None } else { word(Vouched::Rota, subject, evidence) };
    if !gaps.holes.is_empty() {
        let found = "hours of the next four weeks have nobody on shift or on call";
        let next = "see `wardline coverage` for all of them; add shifts or on-call hours, then `wardline publish`";
        let unsaid = (!gaps.elsewhere.is_empty() && said.is_none()).then_some(elsewhere);
        return Line::open(point, found, gaps.holes.iter().cloned().chain(unsaid).collect(), next);
    }
    match said {
        Some(said) => Line::green(point, format!("{elsewhere}, whose rota is kept elsewhere; {said}")),
        None if gaps.elsewhere.is_empty() => {
            Line::green(point, "somebody is on shift or on call for every system, at every hour of the next four weeks")
        }
        None => {
            let confirm = confirming(Vouched::Rota, hospital, "which rota, and who keeps it");
            let next = format!("add shifts and `wardline publish`; or, if the rota is kept elsewhere, {confirm}");
            Line::open(point, elsewhere, Vec::new(), next)
        }
    }
}

// -- What lies beyond the desk ----------------------------------------------------------------------------------------

fn operator(hospital: &Hospital, evidence: &Evidence, number: &str) -> Line {
    if evidence.operator {
        return Line::green(Point::Operator, format!("the operator ({}) was reached and heard", hospital.operator));
    }
    let next = format!("call {number}, press 9, and speak with the operator");
    Line::open(Point::Operator, format!("the operator ({}) was not reached", hospital.operator), Vec::new(), next)
}

fn places(subject: &Subject<'_>, evidence: &Evidence) -> Line {
    vouched(Vouched::Places, Point::Places, "each phone stands where the map says", subject, evidence)
}

fn code_number(subject: &Subject<'_>, evidence: &Evidence) -> Line {
    let numbers: Vec<&str> = subject.hospital.code_numbers.iter().map(|number| number.as_str()).collect();
    if numbers.is_empty() {
        return Line::green(Point::CodeNumber, "no code number is declared, so callers are told none");
    }
    let what = format!("{}, dialled at a ward phone, reaches its people", numbers.join(" and "));
    vouched(Vouched::CodeNumber, Point::CodeNumber, &what, subject, evidence)
}

fn emergency(subject: &Subject<'_>, evidence: &Evidence) -> Line {
    let what = "911 is routed by the PBX and does not come here";
    vouched(Vouched::Emergency, Point::Emergency, what, subject, evidence)
}

fn vouched(item: Vouched, point: Point, what: &str, subject: &Subject<'_>, evidence: &Evidence) -> Line {
    match word(item, subject, evidence) {
        Some(said) => Line::green(point, format!("{what}; {said}")),
        None => {
            let next = confirming(item, subject.hospital, "how it was seen");
            Line::open(point, format!("{what}: nobody has confirmed it"), Vec::new(), next)
        }
    }
}

/// Who confirmed it, when and with what note; nothing where the latest word is too old to count.
fn word(item: Vouched, subject: &Subject<'_>, evidence: &Evidence) -> Option<String> {
    let Subject { hospital, standings, .. } = *subject;
    let mut said = standings.confirmed(&hospital.id);
    let Confirmation { by, note, at, .. } = said.find(|said| said.item == item && said.at >= evidence.since)?;
    let day = at.to_zoned(hospital.time_zone.clone()).strftime("%Y-%m-%d");
    Some(format!("{by} on {day}: {note}"))
}

fn confirming(item: Vouched, hospital: &Hospital, note: &str) -> String {
    format!("`wardline golive confirm {} --hospital {} --by NAME --note \"{note}\"`", item.as_str(), hospital.id)
}

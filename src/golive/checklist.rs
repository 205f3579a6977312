//! The list itself: one line a point, green or open with what is missing by name.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Hospital};
use crate::ids::{HospitalId, UnitId};
use crate::routing::{Analyst, PhoneUse};
use crate::ticket::{Confirmation, Standing, Standings, Vouched};

use super::evidence::{Evidence, Shown};

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
    Operator,
    /// By a person's word, as the two that follow.
    Places,
    CodeNumber,
    #[serde(rename = "911")]
    Emergency,
    /// Somebody qualified at every hour of the next four weeks.
    Coverage,
    /// Consent to recording.
    Consent,
    /// A restore from the backup, drilled.
    Restore,
}

impl Point {
    fn of(item: Vouched) -> Point {
        match item {
            Vouched::Places => Point::Places,
            Vouched::CodeNumber => Point::CodeNumber,
            Vouched::Emergency => Point::Emergency,
        }
    }

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
    /// What nobody covers in the next four weeks, in words; empty when every hour of every system is covered.
    pub uncovered: &'a [String],
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
    lines.extend(Vouched::ALL.map(|item| vouched(item, subject, evidence)));
    lines.push(coverage(subject));
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
    let all = units.len();
    let names = |wanted: &dyn Fn(&UnitProgress) -> bool| -> Vec<String> {
        units.iter().filter(|unit| wanted(unit)).map(|unit| unit.name.clone()).collect()
    };
    let silent = names(&|unit| !unit.called);
    let called = all - silent.len();
    let has = if called == 1 { "has" } else { "have" };
    let found = format!("{called} of {all} units {has} called from a phone that the map puts there");
    let next = format!("call {number} from a phone of each; the greeting names the unit");
    let first = Line::by_name(Point::Units, found, silent, next);
    // A unit that has not called is named once, above.
    let shown = |point, what: &str, with: &str, shows: &dyn Fn(&UnitProgress) -> bool, next: &str| {
        let seen = units.iter().filter(|unit| shows(unit)).count();
        let found = format!("{what} {seen} of {all} units{with}");
        if seen == all {
            return Line::green(point, found);
        }
        Line::open(point, found, names(&|unit| unit.called && !shows(unit)), next)
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
        first,
        shown(Point::Audio, "heard both ways from", "", &|unit| unit.audio, audio),
        shown(Point::Keys, "keys heard from", "", &|unit| unit.keys, keys),
        shown(Point::Codec, "a codec was agreed with", &agreed, &|unit| !unit.codecs.is_empty(), codec),
    ]
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
    let found = format!("{} of {} analysts have answered a ring at the desk", asked.len() - missing.len(), asked.len());
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

fn coverage(subject: &Subject<'_>) -> Line {
    let found = match subject.uncovered.len() {
        0 => "somebody is on shift or on call for every system, at every hour of the next four weeks".to_owned(),
        _ => "hours of the next four weeks have nobody on shift or on call".to_owned(),
    };
    let next = "see `wardline coverage` for all of them; add shifts or on-call hours, then `wardline publish`";
    Line::by_name(Point::Coverage, found, subject.uncovered.to_vec(), next)
}

// -- What lies beyond the desk ----------------------------------------------------------------------------------------

fn operator(hospital: &Hospital, evidence: &Evidence, number: &str) -> Line {
    if evidence.operator {
        return Line::green(Point::Operator, format!("the operator ({}) was reached and heard", hospital.operator));
    }
    let next = format!("call {number}, press 9, and speak with the operator");
    Line::open(Point::Operator, format!("the operator ({}) was not reached", hospital.operator), Vec::new(), next)
}

fn vouched(item: Vouched, subject: &Subject<'_>, evidence: &Evidence) -> Line {
    let Subject { hospital, standings, .. } = *subject;
    let point = Point::of(item);
    if item == Vouched::CodeNumber && hospital.code_numbers.is_empty() {
        return Line::green(point, "no code number is declared, so callers are told none");
    }
    let mut said = standings.confirmed(&hospital.id);
    let said = said.find(|said| said.item == item && said.at >= evidence.since);
    let what = match item {
        Vouched::Places => "each phone stands where the map says".to_owned(),
        Vouched::CodeNumber => {
            let numbers: Vec<&str> = hospital.code_numbers.iter().map(|number| number.as_str()).collect();
            format!("{}, dialled at a ward phone, reaches its people", numbers.join(" and "))
        }
        Vouched::Emergency => "911 is routed by the PBX and does not come here".to_owned(),
    };
    match said {
        Some(Confirmation { by, note, at, .. }) => {
            let day = at.to_zoned(hospital.time_zone.clone()).strftime("%Y-%m-%d");
            Line::green(point, format!("{what}; {by} on {day}: {note}"))
        }
        None => {
            let (item, id) = (item.as_str(), &hospital.id);
            let next = format!("`wardline golive confirm {item} --hospital {id} --by NAME --note \"how it was seen\"`");
            Line::open(point, format!("{what}: nobody has confirmed it"), Vec::new(), next)
        }
    }
}

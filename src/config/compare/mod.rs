//! What changed between two configurations, in the words that admins think in: hospitals, units, extensions, hotlines,
//! steps, rungs, people. Comments and layout are no change; a range of extensions is one line.
//!
//! It reads what is written, not what was checked: so it compares versions that an older program accepted, and drafts
//! that no program would.

mod extensions;
mod fields;
mod lines;
mod plain;
mod recordings;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::content::Content;
use crate::config::tree;
use crate::diagnostic::Report;
use crate::plural::counted;
use plain::Plain;

pub use lines::text_difference;

/// The parts that differ; empty when only comments or layout do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    pub groups: Vec<Group>,
}

/// A hospital, a plan, the people, the node, the recordings of a language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// "plan hotline".
    pub what: String,
    pub changes: Vec<Change>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub kind: Kind,
    /// "steps.question"; empty for the group itself.
    pub subject: String,
    /// "wait 1.5s → 2s".
    pub details: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Added,
    Removed,
    Changed,
}

impl Comparison {
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// A line a change, at most so many.
    pub fn text(&self, most: usize) -> String {
        let mut lines = Vec::new();
        for group in &self.groups {
            lines.push(group.what.clone());
            for change in &group.changes {
                let sign = match change.kind {
                    Kind::Added => '+',
                    Kind::Removed => '-',
                    Kind::Changed => '~',
                };
                let details = change.details.join("; ");
                lines.push(match (change.subject.is_empty(), details.is_empty()) {
                    (true, _) => format!("  {sign} {details}"),
                    (false, true) => format!("  {sign} {}", change.subject),
                    (false, false) => format!("  {sign} {}: {details}", change.subject),
                });
            }
        }
        let more = lines.len().saturating_sub(most);
        lines.truncate(most);
        if more > 0 {
            lines.push(format!("… and {} more", counted(more, "line")));
        }
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// What turns `old` into `new`.
pub fn compare(old: &Content, new: &Content) -> Comparison {
    let (before, after) = (parts(old), parts(new));
    let mut groups = Vec::new();
    for part in union(before.keys(), after.keys()) {
        let changes = match (before.get(part), after.get(part)) {
            (Some(Ok(was)), Some(Ok(is))) => within(part, was, is),
            (None, Some(Ok(is))) => whole(part, Kind::Added, is),
            (Some(Ok(was)), None) => whole(part, Kind::Removed, was),
            (Some(Err(was)), Some(Err(is))) if was == is => Vec::new(),
            (_, Some(Err(_))) | (Some(Err(_)), _) => vec![Change {
                kind: Kind::Changed,
                subject: String::new(),
                details: vec!["it cannot be read as TOML on one side; see `wardline diff --text`".to_owned()],
            }],
            (None, None) => Vec::new(),
        };
        if !changes.is_empty() {
            groups.push(Group { what: part.name(), changes });
        }
    }
    groups.extend(recordings::compare(old, new));
    Comparison { groups }
}

/// What a file speaks of; in this order they are shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Node,
    Hospital(String),
    People,
    Plan(String),
    Cases(String),
    Rules,
}

impl Part {
    fn name(&self) -> String {
        match self {
            Part::Node => "node".to_owned(),
            Part::Hospital(id) => format!("hospital {id}"),
            Part::People => "people who take calls".to_owned(),
            Part::Plan(id) => format!("plan {id}"),
            Part::Cases(stem) => format!("cases {stem}"),
            Part::Rules => "rules of import".to_owned(),
        }
    }
}

/// What is no TOML stands as its text.
type Parts = BTreeMap<Part, Result<BTreeMap<String, Plain>, Vec<u8>>>;

fn parts(content: &Content) -> Parts {
    let mut parts = Parts::new();
    for (name, bytes) in content.iter().filter(|(name, _)| name.ends_with(".toml") && !recordings::is_one(name)) {
        let stem = name.trim_end_matches(".toml");
        let read = tree::parse(name, bytes, &mut Report::new());
        let table = read.map(|tree| plain::of_table(&tree)).ok_or_else(|| bytes.to_vec());
        let part = if let Some(plan) = stem.strip_prefix("plans/") {
            Part::Plan(plan.to_owned())
        } else if let Some(cases) = stem.strip_prefix("cases/") {
            Part::Cases(cases.to_owned())
        } else if stem == "import" {
            Part::Rules
        } else if stem == "wardline" {
            Part::Node
        } else if stem.starts_with("hospital") {
            let id = table.as_ref().ok().and_then(|table| table.get("id").map(Plain::short));
            Part::Hospital(id.unwrap_or_else(|| stem.to_owned()))
        } else {
            Part::People
        };
        // People may stand in several files; who moves from one to another has not changed.
        match (parts.get_mut(&part), table) {
            (Some(Ok(known)), Ok(table)) => merge(known, table),
            (Some(known), Err(bytes)) => *known = Err(bytes),
            (Some(Err(_)), Ok(_)) => {}
            (None, table) => {
                parts.insert(part, table);
            }
        }
    }
    parts
}

fn merge(into: &mut BTreeMap<String, Plain>, more: BTreeMap<String, Plain>) {
    for (key, value) in more {
        match (into.get_mut(&key), value) {
            (Some(Plain::Table(known)), Plain::Table(table)) => known.extend(table),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// Keys of both, in order, each once.
fn union<'a, T: Ord + 'a>(one: impl Iterator<Item = &'a T>, other: impl Iterator<Item = &'a T>) -> Vec<&'a T> {
    let mut all: Vec<&T> = one.chain(other).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// A part that only one side has.
fn whole(part: &Part, kind: Kind, table: &BTreeMap<String, Plain>) -> Vec<Change> {
    let counts = table.iter().filter_map(|(key, value)| match value {
        Plain::Table(entries) if named(value) => Some(format!("{} {key}", entries.len())),
        Plain::List(items) if key == "extensions" => Some(format!("{} of extensions", counted(items.len(), "line"))),
        Plain::Table(_) | Plain::List(_) | Plain::Scalar(_) => None,
    });
    let what = match part {
        Part::Node => "wardline.toml",
        Part::Hospital(_) => "the whole hospital",
        Part::People => "everybody",
        Part::Plan(_) => "the whole plan",
        Part::Cases(_) => "all its cases",
        Part::Rules => "all rules",
    };
    vec![Change { kind, subject: what.to_owned(), details: counts.collect() }]
}

fn within(part: &Part, was: &BTreeMap<String, Plain>, is: &BTreeMap<String, Plain>) -> Vec<Change> {
    let plan = matches!(part, Part::Plan(_));
    let mut changes = Vec::new();
    let mut own = Vec::new();
    for key in union(was.keys(), is.keys()) {
        let (old, new) = (was.get(key), is.get(key));
        if old == new {
            continue;
        }
        if key == "extensions" {
            changes.extend(extensions::compare(old, new));
        } else if old.into_iter().chain(new).all(named) {
            changes.extend(entries(key, old, new, plan));
        } else if old.into_iter().chain(new).all(|value| matches!(value, Plain::Table(_))) {
            changes.extend(entry(key, old, new, plan));
        } else {
            fields::differences(key, old, new, plan, &mut own);
        }
    }
    if !own.is_empty() {
        changes.insert(0, Change { kind: Kind::Changed, subject: String::new(), details: own });
    }
    changes
}

/// A table of named things: [steps.…], [units.…].
fn named(value: &Plain) -> bool {
    match value {
        Plain::Table(entries) => entries.values().all(|entry| matches!(entry, Plain::Table(_))),
        Plain::List(_) | Plain::Scalar(_) => false,
    }
}

fn entries(key: &str, old: Option<&Plain>, new: Option<&Plain>, plan: bool) -> Vec<Change> {
    let none = BTreeMap::new();
    let table = |side: Option<&Plain>| match side {
        Some(Plain::Table(entries)) => entries.clone(),
        Some(Plain::List(_) | Plain::Scalar(_)) | None => none.clone(),
    };
    let (was, is) = (table(old), table(new));
    let names = union(was.keys(), is.keys());
    names.into_iter().filter_map(|name| entry(&format!("{key}.{name}"), was.get(name), is.get(name), plan)).collect()
}

fn entry(subject: &str, old: Option<&Plain>, new: Option<&Plain>, plan: bool) -> Option<Change> {
    let subject = subject.to_owned();
    match (old, new) {
        (Some(old), Some(new)) => {
            let mut details = Vec::new();
            fields::differences("", Some(old), Some(new), plan, &mut details);
            (!details.is_empty()).then_some(Change { kind: Kind::Changed, subject, details })
        }
        (None, Some(new)) => Some(Change { kind: Kind::Added, subject, details: fields::all(new) }),
        (Some(_), None) => Some(Change { kind: Kind::Removed, subject, details: Vec::new() }),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests;

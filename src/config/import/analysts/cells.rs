//! One row of the table, read against what the hospital has. Each fault is a sentence that says what to write.

use std::collections::BTreeSet;

use crate::config::first::answers::id as id_of;
use crate::config::import::analysts::{COLUMNS, Held, Known, Person, shifts};
use crate::config::import::sheet::{Column, Row, Sheet};
use crate::config::values::dialable;
use crate::diagnostic::nearest;
use crate::routing::Level;

/// Roles whose bearer is rung by the plan's last rung, and one that says nothing.
const LEADS: [&str; 3] = ["supervisor", "lead", "team lead"];
const NO_LEAD: &str = "analyst";

/// For every module that a system has, now and later.
const ALL: [&str; 2] = ["all", "*"];

/// Where a column stands, by its first name that the table has.
pub fn position(columns: &[Column], what: &str) -> Option<usize> {
    let names = COLUMNS.iter().find_map(|(name, headers)| (*name == what).then_some(*headers))?;
    names.iter().find_map(|name| columns.iter().position(|column| column.key == *name))
}

pub struct Cells<'a> {
    pub sheet: &'a Sheet,
    pub row: &'a Row,
}

impl Cells<'_> {
    fn text(&self, what: &str) -> &str {
        position(&self.sheet.columns, what).map_or("", |at| self.row.cell(at))
    }

    /// Parts by `;`, `|`, `,` or a line break.
    fn list(&self, what: &str) -> Vec<&str> {
        let parts = self.text(what).split([';', '|', ',', '\n', '\r']).map(str::trim);
        parts.filter(|part| !part.is_empty()).collect()
    }
}

/// A person as far as the row is right; the id is empty where neither Id nor Name gives one.
pub fn person(cells: &Cells<'_>, known: &Known, faults: &mut Vec<String>) -> Person {
    let name = cells.text("name").split_whitespace().collect::<Vec<_>>().join(" ");
    let id = id_of(if cells.text("id").is_empty() { &name } else { cells.text("id") });
    if name.is_empty() {
        faults.push("Name is empty; every row has one".to_owned());
    } else if id.is_empty() {
        faults.push(format!("no id can be made of `{name}`; fill in Id, in Latin letters or digits, such as li-lei"));
    }
    let user = Some(cells.text("user")).filter(|user| !user.is_empty());
    if user.is_some_and(|user| user.contains(char::is_whitespace)) {
        faults.push(format!("`{}` is no user name of a phone: it has no blanks", user.unwrap_or_default()));
    }
    let role = cells.text("role").to_lowercase();
    let supervisor = LEADS.contains(&role.as_str());
    if !supervisor && !role.is_empty() && role != NO_LEAD {
        faults.push(format!("`{role}` is no role; write lead for whom the last rung rings, else {NO_LEAD} or nothing"));
    }
    let level = match cells.text("level").to_lowercase().as_str() {
        "" => Level::Basic,
        word => Level::from_name(word).unwrap_or_else(|| {
            faults.push(format!("`{word}` is no level; write {}", Level::NAMES.join(", ")));
            Level::Basic
        }),
    };
    let languages = known_words(cells.list("languages"), "language of the hospital", &known.languages, faults);
    let sites = known_words(cells.list("sites"), "site", &known.sites, faults);
    Person {
        line: cells.row.line,
        user: user.map(str::to_owned),
        extension: number(cells.text("extension"), faults),
        mobile: number(cells.text("mobile"), faults),
        supervisor,
        held: held(cells, level, known, faults),
        shifts: shifts::read(cells.text("shifts"), faults),
        on_call: shifts::read(cells.text("on call"), faults),
        id,
        name,
        languages,
        sites,
    }
}

/// Each word as it is declared, however it is spelt here.
fn known_words(words: Vec<&str>, what: &str, known: &BTreeSet<String>, faults: &mut Vec<String>) -> Vec<String> {
    let find = |word: &str| known.iter().find(|name| name.eq_ignore_ascii_case(word)).cloned();
    let mut found = Vec::new();
    for word in words {
        match find(word) {
            Some(name) if found.contains(&name) => {}
            Some(name) => found.push(name),
            None => faults.push(unknown(word, what, known.iter().map(String::as_str))),
        }
    }
    found
}

fn unknown<'a>(word: &str, what: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let hint = match nearest(word, known.clone()) {
        Some(near) => format!("; did you mean {near}?"),
        None => format!("; there are {}", known.take(8).collect::<Vec<_>>().join(", ")),
    };
    format!("`{word}` is no {what}{hint}")
}

/// Blanks, brackets and dashes are how people write numbers.
fn number(text: &str, faults: &mut Vec<String>) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    let digits: String = text.chars().filter(|letter| !matches!(letter, ' ' | '(' | ')' | '-' | '.' | '/')).collect();
    if !dialable(&digits) {
        faults.push(format!("`{text}` is no number to dial"));
        return None;
    }
    Some(digits)
}

fn held(cells: &Cells<'_>, level: Level, known: &Known, faults: &mut Vec<String>) -> Vec<Held> {
    let names: BTreeSet<String> = known.systems.keys().cloned().collect();
    let systems = known_words(cells.list("systems"), "system", &names, faults);
    let (every, wanted): (Vec<&str>, Vec<&str>) =
        cells.list("modules").into_iter().partition(|module| ALL.iter().any(|all| module.eq_ignore_ascii_case(all)));
    if systems.is_empty() {
        if !(every.is_empty() && wanted.is_empty()) && cells.text("systems").is_empty() {
            faults.push("modules are named, but no system; fill in Systems".to_owned());
        }
        return Vec::new();
    }
    let all: BTreeSet<&str> =
        systems.iter().filter_map(|system| known.systems.get(system)).flatten().map(String::as_str).collect();
    match (every.is_empty(), wanted.is_empty()) {
        // Who takes everything, a cell that somebody forgot does not say.
        (true, true) if !all.is_empty() => faults.push(format!(
            "Modules is empty; write all, or those that they know: {}",
            all.iter().copied().collect::<Vec<_>>().join(", ")
        )),
        (false, false) => faults.push("Modules says all and names some; write one of them".to_owned()),
        (true | false, _) => {}
    }
    for module in &wanted {
        if !all.iter().any(|name| name.eq_ignore_ascii_case(module)) {
            faults.push(unknown(module, "module of these systems", all.iter().copied()));
        }
    }
    let mut held = Vec::new();
    for system in systems {
        let own = known.systems.get(&system).into_iter().flatten();
        let modules: Vec<String> =
            own.filter(|name| wanted.iter().any(|module| name.eq_ignore_ascii_case(module))).cloned().collect();
        if modules.is_empty() && !wanted.is_empty() {
            faults.push(format!("{system} has none of these modules; write it in a row of its own"));
        }
        held.push(Held { system, modules, level });
    }
    held
}

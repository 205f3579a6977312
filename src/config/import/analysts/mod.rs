//! People from a table: who takes calls, by which phone, for what, and when. Several rows of one person add up.

mod cells;
pub mod shifts;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use crate::config::import::analysts::cells::{Cells, position};
use crate::config::import::analysts::shifts::Span;
use crate::config::import::sheet::{self, Column, Unreadable, Wrong};
use crate::routing::Level;
pub use text::text;

/// What rows may name, and who is there already.
#[derive(Debug, Default)]
pub struct Known {
    pub hospital: String,
    pub trunk: String,
    pub systems: BTreeMap<String, BTreeSet<String>>,
    pub sites: BTreeSet<String>,
    pub languages: BTreeSet<String>,
    /// Their names by their ids.
    pub analysts: BTreeMap<String, String>,
    /// User names of phones that register.
    pub users: BTreeSet<String>,
}

/// What the columns are called; each by any of several headers.
const COLUMNS: [(&str, &[&str]); 13] = [
    ("name", &["name", "analyst", "full name"]),
    ("id", &["id", "login"]),
    ("user", &["user", "register", "sip user", "phone user"]),
    ("extension", &["extension", "ext", "phone"]),
    ("mobile", &["mobile", "cell", "on call phone", "on call number"]),
    ("role", &["role"]),
    ("systems", &["systems", "system"]),
    ("modules", &["modules", "module"]),
    ("level", &["level"]),
    ("languages", &["languages", "language"]),
    ("sites", &["sites", "site"]),
    ("shifts", &["shifts", "shift", "hours"]),
    ("on call", &["on call", "oncall"]),
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub system: String,
    /// Empty: all.
    pub modules: Vec<String>,
    pub level: Level,
}

/// A person to be added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    pub line: u64,
    pub id: String,
    pub name: String,
    pub user: Option<String>,
    pub extension: Option<String>,
    pub mobile: Option<String>,
    pub supervisor: bool,
    pub languages: Vec<String>,
    pub sites: Vec<String>,
    pub held: Vec<Held>,
    pub shifts: Vec<Span>,
    pub on_call: Vec<Span>,
}

/// What an import of people would do.
#[derive(Debug, Default)]
pub struct People {
    pub new: Vec<Person>,
    /// Declared already, by whatever file, and left as they are; with the rows that tell of them.
    pub there: BTreeMap<String, Vec<u64>>,
    /// Every other row that adds nothing to anybody, and why.
    pub wrong: Vec<Wrong>,
    /// Headers of columns that mean nothing here.
    pub unread: Vec<String>,
}

/// Reads a table of people.
///
/// # Errors
/// When it has no column of names, or one that is read twice.
pub fn read(bytes: &[u8], known: &Known) -> Result<People, Unreadable> {
    let named = |columns: &[Column]| position(columns, "name").is_some();
    let sheet =
        sheet::read(bytes, named, "a column Name is wanted, beside User, Extension, Mobile, Systems, Shifts, …")?;
    let read: BTreeSet<usize> = COLUMNS.iter().filter_map(|(what, _)| position(&sheet.columns, what)).collect();
    let of_read = read.iter().filter_map(|at| sheet.columns.get(*at));
    sheet::refuse_twice(&sheet.columns, of_read.map(|column| column.key.as_str()))?;
    let unread = sheet.columns.iter().enumerate().filter(|(at, column)| !read.contains(at) && !column.name.is_empty());
    let unread = unread.map(|(_, column)| column.name.clone()).collect();
    let mut people = People { wrong: sheet.wrong.clone(), unread, ..People::default() };
    let mut rows = Rows::default();
    for row in &sheet.rows {
        let cells = Cells { sheet: &sheet, row };
        let mut faults = Vec::new();
        let person = cells::person(&cells, known, &mut faults);
        match known.analysts.get(&person.id) {
            None => people.wrong.extend(rows.take(person, faults)),
            Some(there) if same(there, &person.name) => people.there.entry(person.id).or_default().push(row.line),
            Some(there) => {
                let why = another(&person, there, "is declared already");
                people.wrong.push(Wrong { line: row.line, why });
            }
        }
    }
    let mut users = known.users.clone();
    for Found { person, lines, mut refused } in rows.people {
        if refused.is_none()
            && let Some(why) = unreachable(&person, &mut users)
        {
            refused = Some(person.line);
            people.wrong.push(Wrong { line: person.line, why });
        }
        let Some(first) = refused else {
            people.new.push(person);
            continue;
        };
        // Half a person would be rung for half of what they can do.
        let told: BTreeSet<u64> = people.wrong.iter().map(|wrong| wrong.line).collect();
        let why = format!("left out, as line {first} is of the same person ({}) and refused", person.id);
        people
            .wrong
            .extend(lines.into_iter().filter(|line| !told.contains(line)).map(|line| Wrong { line, why: why.clone() }));
    }
    people.wrong.sort_by_key(|wrong| wrong.line);
    Ok(people)
}

// -- Rows of one person -----------------------------------------------------------------------------------------------

/// People in the order of their first rows.
#[derive(Default)]
struct Rows {
    people: Vec<Found>,
    by_id: BTreeMap<String, usize>,
}

struct Found {
    person: Person,
    lines: Vec<u64>,
    /// The first of them with a fault.
    refused: Option<u64>,
}

impl Rows {
    /// One row more, with its faults. What is told are these, and where it does not go with the rows before it.
    fn take(&mut self, person: Person, mut faults: Vec<String>) -> Vec<Wrong> {
        let line = person.line;
        if let Some(found) = self.by_id.get(&person.id).and_then(|at| self.people.get_mut(*at)) {
            found.lines.push(line);
            add(&mut found.person, person, &mut faults);
            found.refused = found.refused.or((!faults.is_empty()).then_some(line));
        } else if !person.id.is_empty() {
            self.by_id.insert(person.id.clone(), self.people.len());
            self.people.push(Found { person, lines: vec![line], refused: (!faults.is_empty()).then_some(line) });
        }
        faults.into_iter().map(|why| Wrong { line, why }).collect()
    }
}

/// What a further row of the same person says beside the first.
fn add(person: &mut Person, more: Person, faults: &mut Vec<String>) {
    if !same(&person.name, &more.name) {
        faults.push(another(&more, &person.name, &format!("stands in line {}", person.line)));
        return;
    }
    let (name, line) = (&person.name, person.line);
    let mut one = |what: &str, there: &mut Option<String>, more: Option<String>| match (&there, more) {
        (Some(first), Some(second)) if *first != second => faults.push(format!(
            "{name} has {what} `{first}` in line {line} and `{second}` here; one person has one, and two people of one \
             name are told apart by a column Id"
        )),
        (Some(_), _) => {}
        (None, more) => *there = more,
    };
    one("User", &mut person.user, more.user);
    one("Extension", &mut person.extension, more.extension);
    one("Mobile", &mut person.mobile, more.mobile);
    for held in more.held {
        if let Some(other) = person.held.iter().find(|other| held.contradicts(other)) {
            let (system, first, second) = (&held.system, other.level.as_str(), held.level.as_str());
            faults.push(format!(
                "{name} is {first} in a row above and {second} here for the same of {system}; write one level"
            ));
        }
        join(&mut person.held, [held]);
    }
    join(&mut person.shifts, more.shifts);
    join(&mut person.on_call, more.on_call);
    join(&mut person.sites, more.sites);
    join(&mut person.languages, more.languages);
    person.supervisor |= more.supervisor;
}

impl Held {
    /// Whether both are of a same module, and differ in level.
    fn contradicts(&self, other: &Held) -> bool {
        let all = self.modules.is_empty() || other.modules.is_empty();
        let shared = all || self.modules.iter().any(|module| other.modules.contains(module));
        self.system == other.system && self.level != other.level && shared
    }
}

fn join<T: PartialEq>(there: &mut Vec<T>, more: impl IntoIterator<Item = T>) {
    for one in more {
        if !there.contains(&one) {
            there.push(one);
        }
    }
}

fn same(name: &str, other: &str) -> bool {
    name.to_lowercase() == other.to_lowercase()
}

/// Two names that give one id: "José" and "Jose".
fn another(person: &Person, there: &str, stands: &str) -> String {
    let (name, id) = (&person.name, &person.id);
    format!(
        "{name} has the id `{id}`, and so has {there}, who {stands}; write one person's name alike, or give two of them \
         different ids in a column Id"
    )
}

/// Why nobody could ring this person.
fn unreachable(person: &Person, users: &mut BTreeSet<String>) -> Option<String> {
    if person.user.is_none() && person.extension.is_none() && person.mobile.is_none() {
        let name = &person.name;
        return Some(format!("{name} has no phone: fill in User (a phone that registers), Extension or Mobile"));
    }
    let taken = person.user.as_ref().filter(|user| !users.insert((*user).clone()))?;
    Some(format!("another phone registers as `{taken}`; write a User of this phone's own"))
}

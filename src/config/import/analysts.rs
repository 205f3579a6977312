//! People from a table: who takes calls, by which phone, for what, and when. Several rows of one person add up.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::first::answers::id as id_of;
use crate::config::import::sheet::{self, Column, Row, Sheet, Unreadable, Wrong};
use crate::config::values::dialable;
use crate::diagnostic::nearest;
use crate::ivr::condition::DAY_NAMES;
use crate::routing::Level;

/// What rows may name, and who is there already.
#[derive(Debug, Default)]
pub struct Known {
    pub hospital: String,
    pub trunk: String,
    pub systems: BTreeMap<String, BTreeSet<String>>,
    pub sites: BTreeSet<String>,
    pub languages: BTreeSet<String>,
    pub analysts: BTreeSet<String>,
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

/// Days and hours as they are written into the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub days: Vec<&'static str>,
    pub from: String,
    pub to: String,
}

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
    /// Declared already, by whatever file; left as they are.
    pub there: BTreeSet<String>,
    pub wrong: Vec<Wrong>,
}

/// Reads a table of people.
///
/// # Errors
/// When it has no column of names.
pub fn read(bytes: &[u8], known: &Known) -> Result<People, Unreadable> {
    let named = |columns: &[Column]| position(columns, "name").is_some();
    let sheet =
        sheet::read(bytes, named, "a column Name is wanted, beside User, Extension, Mobile, Systems, Shifts, …")?;
    let mut people = People::default();
    let mut found: BTreeMap<String, Person> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    let mut refused: BTreeSet<String> = BTreeSet::new();
    for row in &sheet.rows {
        let cells = Cells { sheet: &sheet, row };
        let mut faults = Vec::new();
        let person = person(&cells, known, &mut faults);
        if !faults.is_empty() {
            refused.insert(person.id.clone());
            people.wrong.extend(faults.into_iter().map(|why| Wrong { line: row.line, why }));
        } else if known.analysts.contains(&person.id) {
            people.there.insert(person.id);
        } else if let Some(first) = found.get_mut(&person.id) {
            add(first, person);
        } else {
            order.push(person.id.clone());
            found.insert(person.id.clone(), person);
        }
    }
    let mut users = known.users.clone();
    for id in order {
        // Half a person would be rung for half of what they can do.
        let Some(person) = found.remove(&id).filter(|_| !refused.contains(&id)) else { continue };
        let why = if person.user.is_none() && person.extension.is_none() && person.mobile.is_none() {
            Some(format!("{} has no phone: fill in User (a phone that registers), Extension or Mobile", person.name))
        } else {
            let taken = person.user.as_ref().filter(|user| !users.insert((*user).clone()));
            taken.map(|user| format!("another phone registers as {user} already"))
        };
        match why {
            Some(why) => people.wrong.push(Wrong { line: person.line, why }),
            None => people.new.push(person),
        }
    }
    people.wrong.sort_by_key(|wrong| wrong.line);
    Ok(people)
}

fn position(columns: &[Column], what: &str) -> Option<usize> {
    let names = COLUMNS.iter().find_map(|(name, headers)| (*name == what).then_some(*headers))?;
    names.iter().find_map(|name| columns.iter().position(|column| column.key == *name))
}

struct Cells<'a> {
    sheet: &'a Sheet,
    row: &'a Row,
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

fn person(cells: &Cells<'_>, known: &Known, faults: &mut Vec<String>) -> Person {
    let name = cells.text("name").split_whitespace().collect::<Vec<_>>().join(" ");
    let id = id_of(if cells.text("id").is_empty() { &name } else { cells.text("id") });
    if id.is_empty() {
        faults.push("a person has a name".to_owned());
    }
    let user = Some(cells.text("user")).filter(|user| !user.is_empty());
    if user.is_some_and(|user| user.contains(char::is_whitespace)) {
        faults.push(format!("`{}` is no user name of a phone: it has no blanks", user.unwrap_or_default()));
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
        supervisor: ["supervisor", "lead", "team lead"].contains(&cells.text("role").to_lowercase().as_str()),
        held: held(cells, level, known, faults),
        shifts: spans(cells.text("shifts"), faults),
        on_call: spans(cells.text("on call"), faults),
        id,
        name,
        languages,
        sites,
    }
}

/// What a further row of the same person says beside the first.
fn add(person: &mut Person, more: Person) {
    let new = |held: &Held, there: &[Held]| !there.contains(held);
    let further: Vec<Held> = more.held.into_iter().filter(|held| new(held, &person.held)).collect();
    person.held.extend(further);
    person.shifts.extend(more.shifts.into_iter().filter(|span| !person.shifts.contains(span)).collect::<Vec<_>>());
    person.on_call.extend(more.on_call.into_iter().filter(|span| !person.on_call.contains(span)).collect::<Vec<_>>());
    person.user = person.user.take().or(more.user);
    person.extension = person.extension.take().or(more.extension);
    person.mobile = person.mobile.take().or(more.mobile);
    person.supervisor |= more.supervisor;
}

/// Each word as it is declared, however it is spelt here.
fn known_words(words: Vec<&str>, what: &str, known: &BTreeSet<String>, faults: &mut Vec<String>) -> Vec<String> {
    let find = |word: &str| known.iter().find(|name| name.eq_ignore_ascii_case(word)).cloned();
    let mut found = Vec::new();
    for word in words {
        match find(word) {
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
    let wanted: Vec<&str> =
        cells.list("modules").into_iter().filter(|module| *module != "*" && *module != "all").collect();
    if systems.is_empty() {
        if !wanted.is_empty() && cells.text("systems").is_empty() {
            faults.push("modules are named, but no system".to_owned());
        }
        return Vec::new();
    }
    let all: BTreeSet<&String> = systems.iter().filter_map(|system| known.systems.get(system)).flatten().collect();
    for module in &wanted {
        if !all.iter().any(|name| name.eq_ignore_ascii_case(module)) {
            faults.push(unknown(module, "module of these systems", all.iter().map(|name| name.as_str())));
        }
    }
    let of = |system: String| {
        let own = known.systems.get(&system).into_iter().flatten();
        let modules: Vec<String> =
            own.filter(|name| wanted.iter().any(|module| name.eq_ignore_ascii_case(module))).cloned().collect();
        // A module that another of the systems has says nothing of this one.
        (wanted.is_empty() || !modules.is_empty()).then_some(Held { system, modules, level })
    };
    systems.into_iter().filter_map(of).collect()
}

/// "mon-fri 07:00-15:30; sat,sun 8-20".
fn spans(text: &str, faults: &mut Vec<String>) -> Vec<Span> {
    let mut spans = Vec::new();
    for part in text.split([';', '|', '\n']).map(str::trim).filter(|part| !part.is_empty()) {
        match span(part) {
            Some(span) => spans.push(span),
            None => faults.push(format!("`{part}` is no shift; write days and hours, such as mon-fri 07:00-15:30")),
        }
    }
    spans
}

fn span(text: &str) -> Option<Span> {
    let (days, hours) = text.rsplit_once(char::is_whitespace)?;
    let (from, to) = hours.split_once(['-', '–'])?;
    let mut all = BTreeSet::new();
    for part in days.split([',', ' ', '+', '&']).map(str::trim).filter(|part| !part.is_empty()) {
        if ["daily", "all", "every"].contains(&part.to_lowercase().as_str()) {
            all.extend(0..DAY_NAMES.len());
            continue;
        }
        let (first, last) = part.split_once(['-', '–']).unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        // From Friday to Monday goes over the weekend.
        let length = (last + DAY_NAMES.len() - first) % DAY_NAMES.len();
        all.extend((0..=length).map(|more| (first + more) % DAY_NAMES.len()));
    }
    let days: Vec<&'static str> = all.into_iter().filter_map(|day| DAY_NAMES.get(day).copied()).collect();
    (!days.is_empty()).then_some(Span { days, from: time(from, false)?, to: time(to, true)? })
}

/// By its first three letters.
fn day(text: &str) -> Option<usize> {
    let start: String = text.trim().to_lowercase().chars().take(3).collect();
    DAY_NAMES.iter().position(|day| *day == start)
}

/// "7", "7:30", "0730" and "07:30" as "07:30"; 24:00 ends a day.
fn time(text: &str, end: bool) -> Option<String> {
    let text = text.trim();
    let digits = |text: &str| -> Option<u32> {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
    };
    let (hours, minutes) = match text.split_once([':', '.']) {
        Some((hours, minutes)) => (digits(hours)?, digits(minutes)?),
        None if text.len() == 4 && text.is_ascii() => (digits(&text[..2])?, digits(&text[2..])?),
        None => (digits(text)?, 0),
    };
    let whole = end && hours == 24 && minutes == 0;
    (whole || (hours < 24 && minutes < 60)).then(|| format!("{hours:02}:{minutes:02}"))
}

// -- As TOML ----------------------------------------------------------------------------------------------------------

/// A person as they stand in analysts.toml, with an empty line above.
pub fn text(person: &Person, known: &Known) -> String {
    let quoted = |text: &str| toml_edit::Value::from(text).to_string();
    let list = |words: &[String]| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(", ");
    let trunk = quoted(&known.trunk);
    let mut phones = Vec::new();
    phones.extend(person.user.as_ref().map(|user| format!("{{ register = {} }}", quoted(user))));
    let number = |number: &String| format!("{{ trunk = {trunk}, number = {} }}", quoted(number));
    phones.extend(person.extension.as_ref().map(number));
    let mobile = |number: &String| {
        format!("{{ trunk = {trunk}, number = {}, outside = true, role = \"on-call\" }}", quoted(number))
    };
    phones.extend(person.mobile.as_ref().map(mobile));
    let held = |held: &Held| {
        let modules = if held.modules.is_empty() { quoted("*") } else { list(&held.modules) };
        format!(
            "{{ system = {}, modules = [{modules}], level = {} }}",
            quoted(&held.system),
            quoted(held.level.as_str())
        )
    };
    let span = |span: &Span| {
        let days: Vec<String> = span.days.iter().map(|day| quoted(day)).collect();
        format!("{{ days = [{}], from = {}, to = {} }}", days.join(", "), quoted(&span.from), quoted(&span.to))
    };
    let mut lines = vec![
        format!("\n[analysts.{}]", person.id),
        format!("name = {}", quoted(&person.name)),
        format!("hospitals = [{}]", quoted(&known.hospital)),
    ];
    if person.supervisor {
        lines.push("supervisor = true".to_owned());
    }
    for (key, words) in [("sites", &person.sites), ("languages", &person.languages)] {
        if !words.is_empty() {
            lines.push(format!("{key} = [{}]", list(words)));
        }
    }
    let all = [
        ("phones", phones),
        ("qualifications", person.held.iter().map(held).collect()),
        ("shifts", person.shifts.iter().map(span).collect()),
        ("on_call", person.on_call.iter().map(span).collect()),
    ];
    lines.extend(all.into_iter().filter(|(_, tables)| !tables.is_empty()).map(|(key, tables)| tables_of(key, &tables)));
    lines.join("\n") + "\n"
}

/// On one line where it is one, else one a line.
fn tables_of(key: &str, tables: &[String]) -> String {
    match tables {
        [one] => format!("{key} = [{one}]"),
        many => format!("{key} = [\n    {},\n]", many.join(",\n    ")),
    }
}

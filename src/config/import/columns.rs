//! Which column of a phone export says what: CUCM, Avaya, FreePBX, or any table whose header is understood. Columns that
//! hold passwords and the like are never looked at: only those named here are read, and whoever names one gets a refusal.

use crate::config::import::list_station;
use crate::config::import::sheet::{self, Column, Row, Unreadable, Wrong};

/// What a text of the export is, for rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    Description,
    Name,
    Location,
    Pool,
    Device,
}

impl Field {
    pub const NAMES: [&str; 5] = ["description", "name", "location", "pool", "device"];
    /// In the order in which a unit is looked for: what somebody wrote of the phone comes before where it is wired.
    pub const ALL: [Field; 5] = [Field::Description, Field::Name, Field::Location, Field::Pool, Field::Device];

    pub fn read(word: &str) -> Option<Field> {
        Field::ALL.into_iter().zip(Field::NAMES).find_map(|(field, name)| (name == word).then_some(field))
    }
}

/// Whose export it seems to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Cucm,
    Avaya,
    FreePbx,
    Table,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Cucm => "CUCM",
            Kind::Avaya => "Avaya",
            Kind::FreePbx => "FreePBX",
            Kind::Table => "a table",
        }
    }
}

/// Columns that the caller names, by their header; they come before what is guessed.
#[derive(Clone, Debug, Default)]
pub struct Named {
    pub number: Option<String>,
    pub text: Vec<String>,
}

/// One phone line of the export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Of the file.
    pub line: u64,
    /// As written.
    pub number: String,
    pub texts: Vec<(Field, String)>,
    pub room: Option<String>,
}

impl Exported {
    /// What people call it: the first thing that it says.
    pub fn shown(&self) -> &str {
        self.texts.first().map_or("", |(_, text)| text.as_str())
    }
}

/// An export, read.
#[derive(Debug)]
pub struct Export {
    pub kind: Kind,
    pub encoding: sheet::Encoding,
    /// Headers of the columns that numbers were taken from.
    pub number_columns: Vec<String>,
    pub phones: Vec<Exported>,
    /// Rows that are of no phone, for their cells cannot be told apart.
    pub wrong: Vec<Wrong>,
}

/// Headers under which numbers stand, where lines are not counted; the likeliest first.
const NUMBERS: [&str; 14] = [
    "extension",
    "ext",
    "dn",
    "directory number",
    "extension number",
    "station",
    "station extension",
    "number",
    "phone number",
    "phone",
    "telephone",
    "telephone number",
    "internal number",
    "user extension",
];

/// Headers of texts. A number at their end says which line of the phone they belong to.
const TEXTS: [(&str, Field); 24] = [
    ("description", Field::Description),
    ("line description", Field::Description),
    ("comment", Field::Description),
    ("notes", Field::Description),
    ("line text label", Field::Description),
    ("alerting name", Field::Name),
    ("ascii alerting name", Field::Name),
    ("display", Field::Name),
    ("ascii display", Field::Name),
    ("line display", Field::Name),
    ("display name", Field::Name),
    ("name", Field::Name),
    ("station name", Field::Name),
    ("label", Field::Name),
    ("location", Field::Location),
    ("building", Field::Location),
    ("floor", Field::Location),
    ("site", Field::Location),
    ("department", Field::Location),
    ("unit", Field::Location),
    ("device pool", Field::Pool),
    ("devicepool", Field::Pool),
    ("device name", Field::Device),
    ("device", Field::Device),
];

const ROOMS: [&str; 3] = ["room", "room number", "site data room"];

/// A header with one of these words is of a column of secrets.
const SECRET_WORDS: [&str; 14] = [
    "password",
    "passwd",
    "passwort",
    "kennwort",
    "pwd",
    "pw",
    "pin",
    "passcode",
    "passphrase",
    "secret",
    "digest",
    "credential",
    "credentials",
    "token",
];
const SECURITY_CODE: &str = "security code";

/// Where things stand in each row.
struct Layout {
    /// Column of a number, and the line of the phone it is of, where lines are counted.
    numbers: Vec<(usize, Option<u32>)>,
    texts: Vec<(usize, Field, Option<u32>)>,
    room: Option<usize>,
}

/// Reads an export. The terminal's `list station` is understood, too.
///
/// # Errors
/// When no column of numbers is found, or a column that is read stands there twice or holds secrets.
pub fn read(bytes: &[u8], named: &Named) -> Result<Export, Unreadable> {
    if let Some(secret) = named.number.iter().chain(&named.text).find(|name| is_secret(&key(name))) {
        return Err(format!("the column `{secret}` holds secrets by its name, and an import reads none"));
    }
    let (text, encoding) = sheet::decode(bytes.get(..sheet::MAX_BYTES.min(bytes.len())).unwrap_or_default());
    if named.number.is_none()
        && let Some(phones) = list_station::read(&text)
    {
        let number_columns = vec!["Ext".to_owned()];
        return Ok(Export { kind: Kind::Avaya, encoding, number_columns, phones, wrong: Vec::new() });
    }
    drop(text);
    let wanted = match &named.number {
        Some(name) => format!("a column `{name}` is wanted"),
        None => {
            "a column such as Extension or Directory Number 1 is wanted (or name it with --number-column)".to_owned()
        }
    };
    let sheet = sheet::read(bytes, |columns| layout(columns, named).is_some(), &wanted)?;
    let Some(layout) = layout(&sheet.columns, named) else { return Err(wanted) };
    if let Some(missing) = named.text.iter().find(|name| position(&sheet.columns, name).is_none()) {
        return Err(format!("the file has no column `{missing}`"));
    }
    let of_numbers: Vec<&Column> = layout.numbers.iter().filter_map(|(at, _)| sheet.columns.get(*at)).collect();
    let read_once = of_numbers.iter().copied().chain(layout.room.and_then(|at| sheet.columns.get(at)));
    sheet::refuse_twice(&sheet.columns, read_once.map(|column| column.key.as_str()))?;
    Ok(Export {
        kind: kind(&sheet.columns),
        encoding: sheet.encoding,
        number_columns: of_numbers.into_iter().map(|column| column.name.clone()).collect(),
        phones: sheet.rows.iter().flat_map(|row| phones(row, &layout)).collect(),
        wrong: sheet.wrong,
    })
}

fn is_secret(key: &str) -> bool {
    key.contains(SECURITY_CODE) || key.split(' ').any(|word| SECRET_WORDS.contains(&word))
}

fn layout(columns: &[Column], named: &Named) -> Option<Layout> {
    let numbers = match &named.number {
        Some(name) => vec![(position(columns, name)?, None)],
        None => numbers(columns)?,
    };
    let taken = |at: usize| numbers.iter().any(|(number, _)| *number == at);
    let text = |(at, column): (usize, &Column)| {
        let (name, line) = counted(&column.key);
        let field = TEXTS.iter().find_map(|(known, field)| (*known == name).then_some(*field))?;
        (!taken(at)).then_some((at, field, line))
    };
    let texts = match named.text.is_empty() {
        true => columns.iter().enumerate().filter_map(text).collect(),
        false => {
            named.text.iter().filter_map(|name| Some((position(columns, name)?, Field::Description, None))).collect()
        }
    };
    let room = columns.iter().position(|column| ROOMS.contains(&column.key.as_str()));
    Some(Layout { numbers, texts, room })
}

/// Every "Directory Number N", else the likeliest single column.
fn numbers(columns: &[Column]) -> Option<Vec<(usize, Option<u32>)>> {
    let line = |(at, column): (usize, &Column)| {
        let (name, line) = counted(&column.key);
        (name == "directory number" && line.is_some()).then_some((at, line))
    };
    let lines: Vec<(usize, Option<u32>)> = columns.iter().enumerate().filter_map(line).collect();
    if !lines.is_empty() {
        return Some(lines);
    }
    let known = NUMBERS.iter().find_map(|name| columns.iter().position(|column| column.key == *name))?;
    Some(vec![(known, None)])
}

fn position(columns: &[Column], name: &str) -> Option<usize> {
    let key = key(name);
    columns.iter().position(|column| column.key == key)
}

fn key(header: &str) -> String {
    sheet::words(header).join(" ")
}

/// "alerting name 2" is of line 2; "description" of the phone.
fn counted(key: &str) -> (&str, Option<u32>) {
    let counted = key.rsplit_once(' ').and_then(|(name, line)| Some((name, line.parse().ok()?)));
    counted.map_or((key, None), |(name, line)| (name, Some(line)))
}

fn kind(columns: &[Column]) -> Kind {
    let has = |key: &str| columns.iter().any(|column| column.key == key);
    if has("directory number 1") || has("device pool") {
        Kind::Cucm
    } else if has("cor") || has("cos") || has("coverage path 1") || has("set type") || (has("port") && has("name")) {
        Kind::Avaya
    } else if has("extension") && (has("voicemail") || has("ringtimer") || has("outboundcid") || has("tech")) {
        Kind::FreePbx
    } else {
        Kind::Table
    }
}

/// A phone for each of the row's lines that has a number.
fn phones<'a>(row: &'a Row, layout: &'a Layout) -> impl Iterator<Item = Exported> + 'a {
    let numbers = layout.numbers.iter().filter(|(at, _)| !row.cell(*at).is_empty());
    numbers.map(|(at, line)| {
        let of_line = |(_, _, of): &&(usize, Field, Option<u32>)| of.is_none() || of == line;
        let texts = layout.texts.iter().filter(of_line).map(|(at, field, _)| (*field, one_line(row.cell(*at))));
        let mut texts: Vec<(Field, String)> = texts.filter(|(_, text)| !text.is_empty()).collect();
        texts.sort_by_key(|(field, _)| *field);
        let room = layout.room.map(|at| one_line(row.cell(at))).filter(|room| !room.is_empty());
        Exported { line: row.line, number: row.cell(*at).to_owned(), texts, room }
    })
}

/// Quoted line breaks become blanks.
pub fn one_line(text: &str) -> String {
    text.split(|letter: char| letter.is_whitespace() || letter.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

//! A TOML file as a tree in which every value knows its file and bytes; the environment lays its values over it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml_edit::{Datetime, Document, Item, TableLike};

use crate::diagnostic::{Diagnostic, Report};
use crate::ivr::not_toml;

/// Larger files are no work of an admin's hand: a hospital of 20,000 extensions has under 2 MB.
pub const MAX_FILE_BYTES: usize = 4 << 20;

/// What stands for a file in findings about the environment.
pub const ENVIRONMENT: &str = "environment";

/// Variables that begin so override `wardline.toml`: `WARDLINE__MEDIA__PORTS=20000-20999`.
const PREFIX: &str = "WARDLINE";

/// Between the steps of a key in a variable's name.
const SEPARATOR: &str = "__";

/// Some bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: Arc<str>,
    pub span: Range<usize>,
}

impl Place {
    pub fn error(&self, what: impl Into<String>) -> Diagnostic {
        Diagnostic::error(&self.file, self.span.clone(), what)
    }

    pub fn warning(&self, what: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(&self.file, self.span.clone(), what)
    }
}

#[derive(Clone, Debug)]
pub struct Tree {
    pub place: Place,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub enum Value {
    Text(String),
    /// From the environment: its type is whatever is wanted.
    Loose(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Date(Datetime),
    List(Vec<Tree>),
    Table(Vec<Entry>),
}

/// One key of a table. Keys are unique within it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub key: String,
    pub key_place: Place,
    pub tree: Tree,
}

impl Value {
    /// What was found, for people: "the integer 5".
    pub fn describe(&self) -> String {
        let short = |text: &str| -> String {
            let start: String = text.chars().take(40).collect();
            if start.len() < text.len() { format!("\"{start}…\"") } else { format!("\"{start}\"") }
        };
        match self {
            Value::Text(text) | Value::Loose(text) => format!("the text {}", short(text)),
            Value::Integer(number) => format!("the integer {number}"),
            Value::Float(number) => format!("the number {number}"),
            Value::Boolean(value) => format!("`{value}`"),
            Value::Date(date) => format!("the date or time {date}"),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Table(_) => "a table".to_owned(),
        }
    }
}

/// Reads one file's bytes. `None` when it is no TOML at all; the report says why.
pub fn parse(file: &str, bytes: &[u8], report: &mut Report) -> Option<Tree> {
    if bytes.len() > MAX_FILE_BYTES {
        let name = report.add_source(file, "");
        let what = format!("the file has {} bytes, more than the {MAX_FILE_BYTES} that are read", bytes.len());
        report.push(Diagnostic::error(&name, 0..0, what).remedy("split it: further hospitals go into hospital-*.toml"));
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = error.valid_up_to();
            let start = bytes.get(..valid).and_then(|start| std::str::from_utf8(start).ok()).unwrap_or_default();
            let name = report.add_source(file, start);
            let finding = Diagnostic::error(&name, valid..valid, "the file is not UTF-8 text from here on");
            report.push(finding.remedy("save it as UTF-8 in your editor"));
            return None;
        }
    };
    let name = report.add_source(file, text);
    match Document::parse(text) {
        Ok(document) => Some(of_table(document.as_table(), Place { file: name, span: 0..0 })),
        Err(error) => {
            report.push(not_toml(&name, text, &error));
            None
        }
    }
}

fn of_table(table: &dyn TableLike, place: Place) -> Tree {
    let mut entries = Vec::with_capacity(table.len());
    for (name, item) in table.iter() {
        let key_span = table.key(name).and_then(toml_edit::Key::span).unwrap_or_else(|| place.span.clone());
        let key_place = Place { file: Arc::clone(&place.file), span: key_span };
        if let Some(tree) = of_item(item, &key_place) {
            entries.push(Entry { key: name.to_owned(), key_place, tree });
        }
    }
    Tree { place, value: Value::Table(entries) }
}

/// `around` is the place of the key: implicit tables have none of their own.
fn of_item(item: &Item, around: &Place) -> Option<Tree> {
    let place = Place { file: Arc::clone(&around.file), span: item.span().unwrap_or_else(|| around.span.clone()) };
    match item {
        Item::None => None,
        Item::Value(value) => Some(of_value(value, around)),
        Item::Table(table) => Some(of_table(table, place)),
        Item::ArrayOfTables(tables) => {
            let items = tables.iter().map(|table| {
                let span = table.span().unwrap_or_else(|| around.span.clone());
                of_table(table, Place { file: Arc::clone(&around.file), span })
            });
            Some(Tree { place, value: Value::List(items.collect()) })
        }
    }
}

fn of_value(value: &toml_edit::Value, around: &Place) -> Tree {
    let place = Place { file: Arc::clone(&around.file), span: value.span().unwrap_or_else(|| around.span.clone()) };
    let read = match value {
        toml_edit::Value::String(text) => Value::Text(text.value().clone()),
        toml_edit::Value::Integer(number) => Value::Integer(*number.value()),
        toml_edit::Value::Float(number) => Value::Float(*number.value()),
        toml_edit::Value::Boolean(value) => Value::Boolean(*value.value()),
        toml_edit::Value::Datetime(date) => Value::Date(*date.value()),
        toml_edit::Value::Array(items) => Value::List(items.iter().map(|item| of_value(item, &place)).collect()),
        toml_edit::Value::InlineTable(table) => return of_table(table, place),
    };
    Tree { place, value: read }
}

/// Lays the variables that begin with `WARDLINE__` over `tree`. Their names and values become the text of a source
/// called "environment", so that findings can point into it.
pub fn overlay(tree: &mut Tree, environment: &BTreeMap<String, String>, report: &mut Report) {
    let variables = environment.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let source = ::config::Environment::with_prefix(PREFIX).separator(SEPARATOR).source(Some(variables));
    let Ok(values) = ::config::Source::collect(&source) else { return };
    let values: BTreeMap<String, String> =
        values.into_iter().filter_map(|(key, value)| Some((key, value.into_string().ok()?))).collect();
    if values.is_empty() {
        return;
    }
    let mut text = String::new();
    let mut given = Vec::new();
    for (key, value) in &values {
        let start = text.len();
        text.push_str(&format!("{PREFIX}{SEPARATOR}{}=", key.replace('.', SEPARATOR).to_uppercase()));
        let value_start = text.len();
        text.push_str(value);
        given.push((key, value, start..value_start - 1, value_start..text.len()));
        text.push('\n');
    }
    let file = report.add_source(ENVIRONMENT, &text);
    for (key, value, key_span, span) in given {
        let key_place = Place { file: Arc::clone(&file), span: key_span };
        let leaf = Tree { place: Place { file: Arc::clone(&file), span }, value: Value::Loose(value.clone()) };
        let steps: Vec<&str> = key.split('.').collect();
        if !insert(tree, &steps, &key_place, leaf) {
            let finding = key_place.error("this variable goes through a key that holds a value, not a table");
            report.push(finding.remedy("unset it, or name a key of wardline.toml"));
        }
    }
}

/// Puts `leaf` where `steps` lead; tables that are missing on the way are made.
fn insert(tree: &mut Tree, steps: &[&str], key_place: &Place, leaf: Tree) -> bool {
    let Value::Table(entries) = &mut tree.value else { return false };
    let Some((step, rest)) = steps.split_first() else { return false };
    let position = match entries.iter().position(|entry| same_name(&entry.key, step)) {
        Some(position) => position,
        None => {
            let empty = Tree { place: key_place.clone(), value: Value::Table(Vec::new()) };
            entries.push(Entry { key: (*step).to_owned(), key_place: key_place.clone(), tree: empty });
            entries.len() - 1
        }
    };
    let Some(entry) = entries.get_mut(position) else { return false };
    if rest.is_empty() {
        entry.tree = leaf;
        entry.key_place = key_place.clone();
        return true;
    }
    insert(&mut entry.tree, rest, key_place, leaf)
}

/// Variable names know neither case nor hyphens.
fn same_name(key: &str, step: &str) -> bool {
    key.len() == step.len() && key.chars().zip(step.chars()).all(|(a, b)| plain(a) == plain(b))
}

fn plain(character: char) -> char {
    if character == '-' { '_' } else { character.to_ascii_lowercase() }
}

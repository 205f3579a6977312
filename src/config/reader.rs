//! Typed values out of a [`Tree`], collecting every error instead of stopping at the first.
//!
//! [`Fields`] is one table, with what its grammar says may stand in it; keys that it does not know are reported with the
//! nearest that it does when the `Fields` is dropped.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::config::tree::{Entry, Place, Tree, Value};
use crate::diagnostic::{Diagnostic, Report};
use crate::grammar::{self, Kind};

/// Words in names of keys whose value is never shown.
const SECRETS: [&str; 4] = ["password", "passwd", "secret", "token"];

/// Errors so far. Shared by all [`Fields`] of one reading.
#[derive(Default)]
pub struct Problems {
    found: RefCell<Vec<Diagnostic>>,
    /// Places whose text no finding may show.
    secrets: RefCell<Vec<Place>>,
}

impl Problems {
    pub fn push(&self, diagnostic: Diagnostic) {
        self.found.borrow_mut().push(diagnostic);
    }

    pub fn hide(&self, place: &Place) {
        self.secrets.borrow_mut().push(place.clone());
    }

    pub fn into_report(self, report: &mut Report) {
        for place in self.secrets.into_inner() {
            report.redact(&place.file, place.span);
        }
        report.extend(self.found.into_inner());
    }
}

/// A value that is not what is wanted.
#[derive(Debug)]
pub struct Wrong {
    pub place: Place,
    pub found: String,
    /// With its article: "a duration".
    pub wanted: String,
    pub remedy: Option<String>,
    pub nearest: Option<String>,
}

impl Wrong {
    pub fn of(tree: &Tree, wanted: &str) -> Wrong {
        Wrong {
            place: tree.place.clone(),
            found: tree.value.describe(),
            wanted: wanted.to_owned(),
            remedy: None,
            nearest: None,
        }
    }

    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Wrong {
        self.remedy = Some(remedy.into());
        self
    }
}

/// Something that stands in a file as one value.
pub trait Read: Sized {
    fn read(tree: &Tree) -> Result<Self, Vec<Wrong>>;
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    pub value: T,
    pub place: Place,
}

impl<T: Read> Read for Spanned<T> {
    fn read(tree: &Tree) -> Result<Spanned<T>, Vec<Wrong>> {
        Ok(Spanned { value: T::read(tree)?, place: tree.place.clone() })
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(tree: &Tree) -> Result<Vec<T>, Vec<Wrong>> {
        let split;
        let items = match &tree.value {
            Value::List(items) => items,
            Value::Loose(text) => {
                split = loose_items(text, &tree.place);
                &split
            }
            Value::Text(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Date(_)
            | Value::Table(_) => {
                return Err(vec![Wrong::of(tree, "a list").remedy("write it in brackets: [ … ]")]);
            }
        };
        let mut read = Vec::with_capacity(items.len());
        let mut wrong = Vec::new();
        for item in items {
            match T::read(item) {
                Ok(value) => read.push(value),
                Err(errors) => wrong.extend(errors),
            }
        }
        if wrong.is_empty() { Ok(read) } else { Err(wrong) }
    }
}

/// A list in the environment is split at its commas.
fn loose_items(text: &str, place: &Place) -> Vec<Tree> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| Tree { place: place.clone(), value: Value::Loose(part.to_owned()) }).collect()
}

/// One table being read.
pub struct Fields<'a> {
    entries: &'a [Entry],
    pub place: Place,
    /// What it is, for people: "trunk `mercy-pbx`".
    subject: String,
    pub problems: &'a Problems,
    grammar: &'static grammar::Table,
}

impl<'a> Fields<'a> {
    /// `None`, with an error, when `tree` is no table.
    pub fn of(
        tree: &'a Tree,
        subject: impl Into<String>,
        grammar: &'static grammar::Table,
        problems: &'a Problems,
    ) -> Option<Fields<'a>> {
        let subject = subject.into();
        let Value::Table(entries) = &tree.value else {
            let finding = tree.place.error(format!("{subject} must be a table"));
            problems.push(finding.why(format!("found {}", tree.value.describe())));
            return None;
        };
        Some(Fields { entries, place: tree.place.clone(), subject, problems, grammar })
    }

    fn find(&self, key: &'static str) -> Option<&'a Entry> {
        let _ = self.kind(key);
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// What the grammar says of a key.
    fn kind(&self, key: &'static str) -> Option<Kind> {
        self.grammar.asked(key).map(|key| key.kind)
    }

    /// Least and most of a number.
    pub fn bounds(&self, key: &'static str) -> (u64, u64) {
        match self.kind(key) {
            Some(Kind::Number { least, most }) => (least, most),
            Some(_) | None => (0, u64::MAX),
        }
    }

    pub fn has(&self, key: &'static str) -> bool {
        self.find(key).is_some()
    }

    /// The place of a key, or of the table when it is absent.
    pub fn key_place(&self, key: &'static str) -> Place {
        self.find(key).map_or_else(|| self.place.clone(), |entry| entry.key_place.clone())
    }

    /// `None` when absent or wrong; only the latter is an error.
    pub fn optional<T: Read>(&self, key: &'static str) -> Option<T> {
        let entry = self.find(key)?;
        T::read(&entry.tree).map_err(|wrong| self.report(key, wrong)).ok()
    }

    /// `None` when absent or wrong: both are errors.
    pub fn required<T: Read>(&self, key: &'static str, example: &str) -> Option<T> {
        if !self.has(key) {
            let finding = self.place.error(format!("{} has no `{key}`", self.subject));
            self.problems.push(finding.remedy(format!("add a line like {key} = {example}")));
        }
        self.optional(key)
    }

    /// `default` when absent or wrong (then the error is reported).
    pub fn or<T: Read>(&self, key: &'static str, default: T) -> T {
        self.optional(key).unwrap_or(default)
    }

    fn report(&self, key: &str, wrong: Vec<Wrong>) {
        for Wrong { place, found, wanted, remedy, nearest } in wrong {
            let mut finding = place.error(format!("`{key}` of {} must be {wanted}", self.subject));
            finding.why = Some(format!("found {found}"));
            finding.remedy = remedy;
            finding.nearest = nearest;
            self.problems.push(finding);
        }
    }

    /// A table within this one.
    pub fn table(&self, key: &'static str) -> Option<Fields<'a>> {
        let entry = self.find(key)?;
        let grammar = self.kind(key).and_then(Kind::table)?;
        if !matches!(entry.tree.value, Value::Table(_)) && is_secret(key) {
            // The secret itself stands where its place should be named: nothing of it is shown.
            self.problems.hide(&entry.tree.place);
            let finding = entry.tree.place.error(format!("`{key}` stands in the file itself"));
            let finding = finding.why("files are published, kept, compared and shown");
            let remedy = format!("name the environment variable that holds it: {key} = {{ env = \"NAME\" }}");
            self.problems.push(finding.remedy(remedy));
            return None;
        }
        Fields::of(&entry.tree, format!("`{key}`"), grammar, self.problems)
    }

    /// Names and values of a table of named tables, without judging them.
    pub fn entries_of(&self, key: &'static str) -> Vec<(&'a str, &'a Tree)> {
        match self.find(key).map(|entry| &entry.tree.value) {
            Some(Value::Table(entries)) => entries.iter().map(|entry| (entry.key.as_str(), &entry.tree)).collect(),
            Some(_) | None => Vec::new(),
        }
    }

    /// A table of named tables: `[units.4-west]`. `what` is one of them: "unit".
    pub fn named(&self, key: &'static str, what: &str) -> Vec<(Spanned<String>, Fields<'a>)> {
        let entries = match self.find(key).map(|entry| (&entry.tree.value, entry)) {
            None => return Vec::new(),
            Some((Value::Table(entries), _)) => entries,
            Some((other, entry)) => {
                let finding = entry.tree.place.error(format!("`{key}` must be a table of named tables"));
                let remedy = format!("write each {what} as [{key}.its-name]");
                self.problems.push(finding.why(format!("found {}", other.describe())).remedy(remedy));
                return Vec::new();
            }
        };
        let Some(grammar) = self.kind(key).and_then(Kind::table) else { return Vec::new() };
        let each = entries.iter().filter_map(|entry| {
            let name = Spanned { value: entry.key.clone(), place: entry.key_place.clone() };
            if !is_name(&entry.key) {
                let finding = entry.key_place.error(format!("`{}` cannot name a {what}", entry.key));
                let remedy = "use small letters, digits and hyphens, 1 to 40 of them";
                self.problems.push(finding.remedy(remedy));
            }
            Some((name, Fields::of(&entry.tree, format!("{what} `{}`", entry.key), grammar, self.problems)?))
        });
        each.collect()
    }

    /// A list of tables: `[[extensions]]`, or inline tables in brackets.
    pub fn tables(&self, key: &'static str, what: &str) -> Vec<Fields<'a>> {
        let Some(entry) = self.find(key) else { return Vec::new() };
        let Value::List(items) = &entry.tree.value else {
            let finding = entry.tree.place.error(format!("`{key}` must be a list of tables"));
            let remedy = format!("write {key} = [ {{ … }}, … ] or [[{key}]]");
            self.problems.push(finding.why(format!("found {}", entry.tree.value.describe())).remedy(remedy));
            return Vec::new();
        };
        let Some(Kind::Tables(grammar, most)) = self.kind(key) else { return Vec::new() };
        if items.len() > most {
            let finding = entry.key_place.error(format!("more than {most} entries in `{key}`"));
            self.problems.push(finding.remedy(format!("write at most {most}")));
            return Vec::new();
        }
        items.iter().filter_map(|item| Fields::of(item, what, grammar, self.problems)).collect()
    }
}

/// The texts of a list within a table, without judging them.
pub fn texts<T: for<'t> From<&'t str> + Ord>(tree: &Tree, key: &str) -> BTreeSet<T> {
    let Value::Table(entries) = &tree.value else { return BTreeSet::new() };
    let Some(Value::List(items)) = entries.iter().find(|entry| entry.key == key).map(|entry| &entry.tree.value) else {
        return BTreeSet::new();
    };
    let text = |item: &Tree| match &item.value {
        Value::Text(text) => Some(T::from(text)),
        Value::Loose(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Date(_)
        | Value::List(_)
        | Value::Table(_) => None,
    };
    items.iter().filter_map(text).collect()
}

fn is_secret(key: &str) -> bool {
    SECRETS.iter().any(|word| key.to_ascii_lowercase().contains(word))
}

/// Ids that admins write: they show in URLs, metrics and logs.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    (1..=40).contains(&name.len()) && name.bytes().all(plain)
}

impl Drop for Fields<'_> {
    /// Reports the keys that the grammar does not know.
    fn drop(&mut self) {
        let known = self.grammar.names();
        for entry in self.entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            // No key of ours holds a secret, but somebody may have written one where they hoped for such a key.
            if is_secret(&entry.key) {
                self.problems.hide(&entry.tree.place);
            }
            let finding = entry.key_place.error(format!("unknown key `{}` in {}", entry.key, self.subject));
            let mut finding = finding.nearest(&entry.key, known.iter().copied());
            if finding.nearest.is_none() {
                finding.remedy = Some(format!("known keys are {}", known.join(", ")));
            }
            self.problems.push(finding);
        }
    }
}

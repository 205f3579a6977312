//! Reads typed values out of TOML and remembers what was wrong, with its place. A value that cannot be used reads as
//! absent, so that one run finds every mistake.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use toml_edit::{Item, TableLike, TomlError, Value};

use crate::diagnostic::{Diagnostic, Report};
use crate::grammar::{self, Kind};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Range<usize>,
}

/// One table of the file, with its place.
#[derive(Clone)]
pub struct Table<'a> {
    items: &'a dyn TableLike,
    pub span: Range<usize>,
    /// What may stand in it; `None` where the admin chooses the names.
    grammar: Option<&'static grammar::Table>,
}

/// The file that is read, and what was found in it.
pub struct Reader<'r> {
    pub file: Arc<str>,
    pub report: &'r mut Report,
}

/// The place of an item; `outer` when it has none of its own.
fn place(item: &Item, outer: &Range<usize>) -> Range<usize> {
    item.span().unwrap_or_else(|| outer.clone())
}

fn kind(item: &Item) -> &'static str {
    match item {
        Item::None => "nothing",
        Item::Value(value) => value.type_name(),
        Item::Table(_) => "table",
        Item::ArrayOfTables(_) => "array of tables",
    }
}

impl<'a> Table<'a> {
    pub fn new(items: &'a dyn TableLike, span: Range<usize>) -> Table<'a> {
        Table { items, span, grammar: None }
    }

    /// The same table, read as this one of the grammar.
    #[must_use]
    pub fn of(mut self, grammar: &'static grammar::Table) -> Table<'a> {
        self.grammar = Some(grammar);
        self
    }

    fn get(&self, key: &str) -> Option<&'a Item> {
        let _ = self.kind(key);
        self.items.get(key)
    }

    /// What the grammar says of a key.
    fn kind(&self, key: &str) -> Option<Kind> {
        self.grammar.and_then(|grammar| grammar.asked(key)).map(|key| key.kind)
    }

    /// The words that may be written at a key.
    pub fn words(&self, key: &str) -> &'static [&'static str] {
        self.kind(key).map_or(&[], Kind::words)
    }

    /// Keys with the place of each, in the file's order.
    pub fn keys(&self) -> Vec<Spanned<String>> {
        self.items
            .iter()
            .filter(|(_, item)| !item.is_none())
            .map(|(key, _)| Spanned { value: key.to_owned(), span: self.key_span(key) })
            .collect()
    }

    pub fn has(&self, key: &str) -> bool {
        self.items.contains_key(key)
    }

    pub fn is_text(&self, key: &str) -> bool {
        self.items.get(key).is_some_and(Item::is_str)
    }

    pub fn key_span(&self, key: &str) -> Range<usize> {
        self.items.key(key).and_then(|key| key.span()).unwrap_or_else(|| self.span.clone())
    }

    /// Place of the value under `key`, else of the table.
    pub fn value_span(&self, key: &str) -> Range<usize> {
        self.items.get(key).map_or_else(|| self.span.clone(), |item| place(item, &self.span))
    }
}

/// Text that is no TOML: what is wrong, and of a key that is written twice where it stands first.
pub fn not_toml(file: &Arc<str>, text: &str, error: &TomlError) -> Diagnostic {
    let mut lines = error.message().lines();
    let what = format!("this is not TOML: {}", lines.next().unwrap_or("it cannot be read").trim());
    let span = error.span().unwrap_or(0..0);
    let finding = Diagnostic::error(file, span.clone(), what);
    if error.message().starts_with("duplicate key") {
        let finding = finding.remedy("keep one of the two: a key, and a table, is written once");
        return match first_of(text, span.start) {
            Some(first) => finding.related(file, first, "first written here"),
            None => finding,
        };
    }
    let finding = match lines.next() {
        Some(expected) => finding.why(expected.trim()),
        None => finding,
    };
    finding.remedy("look at the quotes, the brackets and the `=` here and in the line above")
}

/// Where the key or the table that stands in the line at `at` is written before, in the same table.
fn first_of(text: &str, at: usize) -> Option<Range<usize>> {
    let begins = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let (before, from) = text.split_at_checked(begins)?;
    let is_header = |line: &str| line.trim_start().starts_with('[');
    let named = |line: &str| {
        if is_header(line) { line.trim() } else { line.split('=').next().unwrap_or_default().trim() }.to_owned()
    };
    let twice = from.lines().next()?;
    let mut end = before.len();
    for line in before.split_inclusive('\n').rev() {
        end -= line.len();
        if named(line) == named(twice) {
            let start = end + line.len() - line.trim_start().len();
            return Some(start..start + named(line).len());
        }
        if is_header(line) && !is_header(twice) {
            return None;
        }
    }
    None
}

impl Reader<'_> {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.report.push(diagnostic);
    }

    pub fn error(&mut self, span: Range<usize>, what: impl Into<String>, remedy: impl Into<String>) {
        let diagnostic = Diagnostic::error(&self.file, span, what).remedy(remedy);
        self.report.push(diagnostic);
    }

    /// Refuses keys that the table's grammar does not know, naming the nearest that it does.
    pub fn only(&mut self, table: &Table) {
        let Some(grammar) = table.grammar else { return };
        let known = grammar.names();
        for key in table.keys() {
            if !known.contains(&key.value.as_str()) {
                let what = format!("unknown key `{}` in {}", key.value, grammar.subject);
                let diagnostic = Diagnostic::error(&self.file, key.span, what)
                    .nearest(&key.value, known.iter().copied())
                    .remedy(format!("use one of: {}", known.join(", ")));
                self.push(diagnostic);
            }
        }
    }

    fn wrong_type(&mut self, table: &Table, key: &str, wanted: &str) {
        let found = table.items.get(key).map_or("nothing", kind);
        self.error(table.value_span(key), format!("`{key}` is of type {found}"), format!("write {wanted}"));
    }

    /// For keys that must be there.
    pub fn required<T>(&mut self, table: &Table, of: &str, key: &str, value: Option<T>) -> Option<T> {
        // A value that is there but wrong has been reported already.
        if value.is_none() && !table.has(key) {
            let doc = table.grammar.and_then(|grammar| grammar.asked(key)).map(|key| format!(": {}", key.doc));
            let remedy = format!("add `{key}`{}", doc.unwrap_or_default());
            self.error(table.span.clone(), format!("{of} has no `{key}`"), remedy);
        }
        value
    }

    pub fn string(&mut self, table: &Table, key: &str) -> Option<Spanned<String>> {
        let item = table.get(key)?;
        let Some(text) = item.as_str() else {
            self.wrong_type(table, key, "a text in quotes");
            return None;
        };
        Some(Spanned { value: text.to_owned(), span: place(item, &table.span) })
    }

    pub fn bool(&mut self, table: &Table, key: &str) -> Option<bool> {
        let value = table.get(key)?.as_bool();
        if value.is_none() {
            self.wrong_type(table, key, "true or false");
        }
        value
    }

    /// A whole number within the bounds of its grammar.
    pub fn number(&mut self, table: &Table, key: &str) -> Option<u8> {
        let item = table.get(key)?;
        let (least, most) = match table.kind(key) {
            Some(Kind::Number { least, most }) => (least, most),
            Some(_) | None => (0, u64::from(u8::MAX)),
        };
        let wanted = format!("a whole number from {least} to {most}");
        let Some(number) = item.as_integer() else {
            self.wrong_type(table, key, &wanted);
            return None;
        };
        let number = u8::try_from(number).ok().filter(|number| (least..=most).contains(&u64::from(*number)));
        if number.is_none() {
            self.error(table.value_span(key), format!("`{key}` is out of range"), format!("write {wanted}"));
        }
        number
    }

    /// "8s", "1.5s", "300ms", "2m"; within the bounds of its grammar.
    pub fn duration(&mut self, table: &Table, key: &str) -> Option<Duration> {
        let item = table.get(key)?;
        let Some(text) = item.as_str() else {
            // A bare number is meant in seconds, most likely.
            let seconds = item.as_integer().filter(|seconds| *seconds >= 0);
            let wanted = seconds.map_or_else(|| "\"1.5s\"".to_owned(), |seconds| format!("\"{seconds}s\""));
            self.wrong_type(table, key, &format!("a duration in quotes, such as {wanted}"));
            return None;
        };
        let text = Spanned { value: text.to_owned(), span: place(item, &table.span) };
        let (least, most) = match table.kind(key) {
            Some(Kind::Duration { least, most }) => (least, most),
            Some(_) | None => (Duration::ZERO, Duration::MAX),
        };
        let Some(duration) = grammar::duration(&text.value) else {
            let what = format!("`{key}` is no duration: \"{}\"", text.value);
            self.error(text.span, what, "write a duration such as \"1.5s\", \"300ms\" or \"2m\"");
            return None;
        };
        if duration > most {
            let what = format!("`{key}` is longer than {} s", most.as_secs_f64());
            self.error(text.span, what, format!("write at most \"{}s\"", most.as_secs_f64()));
            return None;
        }
        if duration < least {
            let what = format!("`{key}` is shorter than {} s", least.as_secs_f64());
            self.error(text.span, what, format!("write at least \"{}s\"", least.as_secs_f64()));
            return None;
        }
        Some(duration)
    }

    /// A list of texts; a single text reads as a list of one.
    pub fn strings(&mut self, table: &Table, key: &str) -> Option<Vec<Spanned<String>>> {
        let item = table.get(key)?;
        if let Some(text) = item.as_str() {
            return Some(vec![Spanned { value: text.to_owned(), span: place(item, &table.span) }]);
        }
        let Some(array) = item.as_array() else {
            self.wrong_type(table, key, "a list of texts");
            return None;
        };
        if let Some(Kind::OneOrMore(_, most)) = table.kind(key)
            && array.len() > most
        {
            let what = format!("more than {most} entries in `{key}`");
            self.error(place(item, &table.span), what, format!("write at most {most}"));
            return None;
        }
        let mut texts = Vec::with_capacity(array.len());
        for value in array {
            let span = value.span().unwrap_or_else(|| place(item, &table.span));
            match value.as_str() {
                Some(text) => texts.push(Spanned { value: text.to_owned(), span }),
                None => self.error(span, format!("`{key}` lists a {}", value.type_name()), "write texts in quotes"),
            }
        }
        Some(texts)
    }

    pub fn table<'a>(&mut self, table: &Table<'a>, key: &str) -> Option<Table<'a>> {
        let item = table.get(key)?;
        let grammar = if let Some(Kind::Table(below)) = table.kind(key) { Some(below) } else { None };
        let found = item.as_table_like().map(|items| {
            let span = self.table_span(table, key, item);
            Table { items, span, grammar }
        });
        if found.is_none() {
            self.wrong_type(table, key, "a table");
        }
        found
    }

    /// A header's name shows better than the whole table's text.
    fn table_span(&self, table: &Table, key: &str, item: &Item) -> Range<usize> {
        match item {
            Item::Table(_) => table.key_span(key),
            Item::Value(_) | Item::None | Item::ArrayOfTables(_) => place(item, &table.span),
        }
    }

    /// `[[key]]`, or a list of inline tables.
    pub fn tables<'a>(&mut self, table: &Table<'a>, key: &str) -> Option<Vec<Table<'a>>> {
        let item = table.get(key)?;
        let bound = if let Some(Kind::Tables(below, most)) = table.kind(key) { Some((below, most)) } else { None };
        let grammar = bound.map(|(below, _)| below);
        if let Some((_, most)) = bound
            && item.as_array_of_tables().map_or(item.as_array().map_or(0, toml_edit::Array::len), |tables| tables.len())
                > most
        {
            let what = format!("more than {most} entries in `{key}`");
            self.error(table.value_span(key), what, format!("write at most {most}"));
            return None;
        }
        if let Some(tables) = item.as_array_of_tables() {
            let span = table.key_span(key);
            let of = |items: &'a dyn TableLike, own: Option<Range<usize>>| {
                let span = own.unwrap_or_else(|| span.clone());
                Table { items, span, grammar }
            };
            return Some(tables.iter().map(|items| of(items, items.span())).collect());
        }
        let Some(array) = item.as_array() else {
            self.wrong_type(table, key, "a list of tables");
            return None;
        };
        let outer = place(item, &table.span);
        let mut tables = Vec::with_capacity(array.len());
        for value in array {
            let span = value.span().unwrap_or_else(|| outer.clone());
            match value {
                Value::InlineTable(items) => tables.push(Table { items, span, grammar }),
                Value::String(_)
                | Value::Integer(_)
                | Value::Float(_)
                | Value::Boolean(_)
                | Value::Datetime(_)
                | Value::Array(_) => {
                    self.error(span, format!("`{key}` lists a {}", value.type_name()), "write { … } tables");
                }
            }
        }
        Some(tables)
    }
}

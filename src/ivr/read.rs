//! Reads typed values out of TOML and remembers what was wrong, with its place. A value that cannot be used reads as
//! absent, so that one run finds every mistake.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use toml_edit::{Item, TableLike, Value};

use crate::diagnostic::{Diagnostic, Report};

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
        Table { items, span }
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

impl Reader<'_> {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.report.push(diagnostic);
    }

    pub fn error(&mut self, span: Range<usize>, what: impl Into<String>, remedy: impl Into<String>) {
        let diagnostic = Diagnostic::error(&self.file, span, what).remedy(remedy);
        self.report.push(diagnostic);
    }

    /// Refuses keys that are not `known`, naming the nearest that is.
    pub fn only(&mut self, table: &Table, of: &str, known: &[&str]) {
        for key in table.keys() {
            if !known.contains(&key.value.as_str()) {
                let diagnostic =
                    Diagnostic::error(&self.file, key.span, format!("unknown key `{}` in {of}", key.value))
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
            self.error(table.span.clone(), format!("{of} has no `{key}`"), format!("add `{key}`"));
        }
        value
    }

    pub fn string(&mut self, table: &Table, key: &str) -> Option<Spanned<String>> {
        let item = table.items.get(key)?;
        let Some(text) = item.as_str() else {
            self.wrong_type(table, key, "a text in quotes");
            return None;
        };
        Some(Spanned { value: text.to_owned(), span: place(item, &table.span) })
    }

    pub fn bool(&mut self, table: &Table, key: &str) -> Option<bool> {
        let value = table.items.get(key)?.as_bool();
        if value.is_none() {
            self.wrong_type(table, key, "true or false");
        }
        value
    }

    /// A whole number within `range`.
    pub fn number(&mut self, table: &Table, key: &str, range: std::ops::RangeInclusive<u8>) -> Option<u8> {
        let item = table.items.get(key)?;
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        let Some(number) = item.as_integer() else {
            self.wrong_type(table, key, &wanted);
            return None;
        };
        let number = u8::try_from(number).ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.error(table.value_span(key), format!("`{key}` is out of range"), format!("write {wanted}"));
        }
        number
    }

    /// "8s", "1.5s", "300ms", "2m"; at most `most`.
    pub fn duration(&mut self, table: &Table, key: &str, most: Duration) -> Option<Duration> {
        let text = self.string(table, key)?;
        let Some(duration) = duration(&text.value) else {
            let what = format!("`{key}` is no duration: \"{}\"", text.value);
            self.error(text.span, what, "write a duration such as \"1.5s\", \"300ms\" or \"2m\"");
            return None;
        };
        if duration > most {
            let what = format!("`{key}` is longer than {} s", most.as_secs_f64());
            self.error(text.span, what, format!("write at most \"{}s\"", most.as_secs_f64()));
            return None;
        }
        Some(duration)
    }

    /// A list of texts; a single text reads as a list of one.
    pub fn strings(&mut self, table: &Table, key: &str) -> Option<Vec<Spanned<String>>> {
        let item = table.items.get(key)?;
        if let Some(text) = item.as_str() {
            return Some(vec![Spanned { value: text.to_owned(), span: place(item, &table.span) }]);
        }
        let Some(array) = item.as_array() else {
            self.wrong_type(table, key, "a list of texts");
            return None;
        };
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
        let item = table.items.get(key)?;
        let found = item.as_table_like().map(|items| Table::new(items, self.table_span(table, key, item)));
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
        let item = table.items.get(key)?;
        if let Some(tables) = item.as_array_of_tables() {
            let span = table.key_span(key);
            return Some(
                tables.iter().map(|items| Table::new(items, items.span().unwrap_or_else(|| span.clone()))).collect(),
            );
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
                Value::InlineTable(items) => tables.push(Table::new(items, span)),
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

/// "8s", "1.5s", "300ms", "2m". `None` when it is none, or absurd.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..)?;
    if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let number: f64 = digits.parse().ok()?;
    let millis = match unit {
        "ms" => number,
        "s" => number * 1_000.0,
        "m" => number * 60_000.0,
        _ => return None,
    };
    // Below a day by the length of `digits` and the check here, so the conversion is exact enough and cannot fail.
    (millis <= 86_400_000.0).then(|| Duration::from_millis(millis.round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_their_unit() {
        assert_eq!(duration("8s"), Some(Duration::from_secs(8)));
        assert_eq!(duration("1.5s"), Some(Duration::from_millis(1_500)));
        assert_eq!(duration("300ms"), Some(Duration::from_millis(300)));
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        for wrong in ["8", "s", "", "-1s", "1h", "1.2.3s", "9999999999s", "8 s"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }
}

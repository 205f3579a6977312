//! TOML without its places: what two files say is compared, not where.

use std::collections::BTreeMap;

use crate::config::tree::{Tree, Value};

/// Longer values are cut where they are shown.
const SHOWN: usize = 120;
/// Never shown: whoever reads a difference need not read badges.
const HIDDEN: [&str; 2] = ["badge", "pin"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plain {
    Scalar(Scalar),
    List(Vec<Plain>),
    Table(BTreeMap<String, Plain>),
}

/// A value as written, and what it means: "1500ms" and "1.5s" are equal, `4` and `"4"` are not.
#[derive(Clone, Debug)]
pub struct Scalar {
    pub shown: String,
    meaning: Meaning,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Meaning {
    /// Microseconds.
    Duration(u64),
    Text(String),
    Other(String),
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Scalar) -> bool {
        self.meaning == other.meaning
    }
}

impl Eq for Scalar {}

impl Scalar {
    fn text(text: &str) -> Scalar {
        let meaning = duration(text).map_or_else(|| Meaning::Text(text.to_owned()), Meaning::Duration);
        Scalar { shown: text.to_owned(), meaning }
    }

    fn other(text: String) -> Scalar {
        Scalar { meaning: Meaning::Other(text.clone()), shown: text }
    }
}

/// "8s", "1.5s", "250ms" in microseconds.
fn duration(text: &str) -> Option<u64> {
    let unit_at = text.find(|character: char| !character.is_ascii_digit() && character != '.')?;
    let (amount, unit) = text.split_at_checked(unit_at)?;
    let unit: u64 = match unit {
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return None,
    };
    let (whole, part) = amount.split_once('.').unwrap_or((amount, "0"));
    let scale = 10u64.checked_pow(u32::try_from(part.len()).ok()?)?;
    let part = part.parse::<u64>().ok()?.checked_mul(unit)? / scale;
    whole.parse::<u64>().ok()?.checked_mul(unit)?.checked_add(part)
}

/// A file's root. The tree of a file is always a table.
pub fn of_table(tree: &Tree) -> BTreeMap<String, Plain> {
    match of(tree) {
        Plain::Table(table) => table,
        Plain::List(_) | Plain::Scalar(_) => BTreeMap::new(),
    }
}

fn of(tree: &Tree) -> Plain {
    match &tree.value {
        Value::Text(text) | Value::Loose(text) => Plain::Scalar(Scalar::text(text)),
        Value::Integer(number) => Plain::Scalar(Scalar::other(number.to_string())),
        Value::Float(number) => Plain::Scalar(Scalar::other(number.to_string())),
        Value::Boolean(value) => Plain::Scalar(Scalar::other(value.to_string())),
        Value::Date(date) => Plain::Scalar(Scalar::other(date.to_string())),
        Value::List(items) => Plain::List(items.iter().map(of).collect()),
        Value::Table(entries) => {
            Plain::Table(entries.iter().map(|entry| (entry.key.clone(), hidden(&entry.key, of(&entry.tree)))).collect())
        }
    }
}

/// Keeps that a secret changed, and not what to.
fn hidden(key: &str, value: Plain) -> Plain {
    match value {
        Plain::Scalar(scalar) if HIDDEN.contains(&key) => {
            Plain::Scalar(Scalar { shown: "(not shown)".to_owned(), meaning: scalar.meaning })
        }
        Plain::Scalar(_) | Plain::List(_) | Plain::Table(_) => value,
    }
}

impl Plain {
    /// On one line.
    pub fn short(&self) -> String {
        let text = self.whole();
        match text.char_indices().nth(SHOWN) {
            Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
            None => text,
        }
    }

    fn whole(&self) -> String {
        match self {
            Plain::Scalar(scalar) => scalar.shown.clone(),
            Plain::List(items) => format!("[{}]", join(items.iter().map(Plain::whole), ", ")),
            Plain::Table(table) => hours(table).unwrap_or_else(|| {
                let fields = table.iter().map(|(key, value)| format!("{key} {}", value.whole()));
                format!("{{ {} }}", join(fields, ", "))
            }),
        }
    }

    pub fn field(&self, key: &str) -> Option<&Plain> {
        match self {
            Plain::Table(table) => table.get(key),
            Plain::List(_) | Plain::Scalar(_) => None,
        }
    }
}

/// A shift: "mon tue wed 07:00-15:30".
fn hours(table: &BTreeMap<String, Plain>) -> Option<String> {
    let (Plain::List(days), from, to) = (table.get("days")?, table.get("from")?, table.get("to")?) else { return None };
    (table.len() == 3).then(|| format!("{} {}-{}", join(days.iter().map(Plain::whole), " "), from.whole(), to.whole()))
}

fn join(parts: impl Iterator<Item = String>, between: &str) -> String {
    parts.collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_durations_are_equal_however_they_are_written() {
        assert_eq!(Scalar::text("1500ms"), Scalar::text("1.5s"));
        assert_eq!(Scalar::text("60s"), Scalar::text("1m"));
        assert_ne!(Scalar::text("1s"), Scalar::text("2s"));
        assert_ne!(Scalar::text("4"), Scalar::other("4".to_owned()));
        assert_eq!(duration("1.2.3s"), None);
        assert_eq!(duration("s"), None);
    }
}

//! What may be written in a file: its tables, their keys, and what each key takes. The readers take names, words and
//! bounds from here, and the JSON Schemas and docs/reference.md are made of it: a key is described in one place.
//!
//! Plans are described in `ivr::grammar`, the other files in `config::grammar`.

use std::time::Duration;

/// One table that an admin writes.
#[derive(Debug)]
pub struct Table {
    /// Unique among all files: "menu", "trunk". Names the definition in the schema and the section of the reference.
    pub name: &'static str,
    /// As findings call it: "a `menu` step". Where a table has a name of its own, findings use that instead.
    pub subject: &'static str,
    /// How it is written: "[trunks.NAME]".
    pub written: &'static str,
    /// What it is for; a few sentences at most.
    pub doc: &'static str,
    /// For steps: what their `type` says.
    pub tag: Option<&'static str>,
    pub keys: &'static [Key],
    /// Further keys, shared with other tables.
    pub with: Option<&'static Table>,
    pub choice: Choice,
    /// A small piece of a file, whole in itself. Tests read it.
    pub example: &'static str,
}

/// For `..BLANK` in descriptions.
pub const BLANK: Table = Table {
    name: "",
    subject: "",
    written: "",
    doc: "",
    tag: None,
    keys: &[],
    with: None,
    choice: Choice::Free,
    example: "",
};

/// One key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    pub need: Need,
    /// One line, without a full stop at its end.
    pub doc: &'static str,
}

/// Shortens tables of keys.
macro_rules! key {
    ($name:literal, $kind:expr, $need:expr, $doc:literal) => {
        $crate::grammar::Key { name: $name, kind: $kind, need: $need, doc: $doc }
    };
}
pub(crate) use key;

/// Whether a key has to be there, else what holds without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Required,
    /// A value as it would be written: "\"1.5s\"".
    Default(&'static str),
    /// In words: "the unit's".
    Without(&'static str),
}

/// Keys of which a table needs some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    Free,
    /// Exactly one of these.
    One(&'static [&'static str]),
    /// At least one of these.
    Some(&'static [&'static str]),
}

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Some text on one line.
    Text,
    Form(&'static Form),
    /// One of a few.
    Words(&'static [&'static str]),
    Flag,
    Number {
        least: u64,
        most: u64,
    },
    Duration {
        least: Duration,
        most: Duration,
    },
    List(&'static Kind),
    /// One, or a list of at most so many.
    OneOrMore(&'static Kind, usize),
    /// Names chosen by the admin, each with a text.
    Texts,
    Table(&'static Table),
    /// A list of tables, at most so many.
    Tables(&'static Table, usize),
    /// Tables under names that the admin chooses.
    Named(&'static Table, &'static Form),
    /// Steps under names that the admin chooses; `type` says which table.
    Steps(&'static [&'static Table]),
    /// Keys of a phone, each leading to a step; with a table where a key may say more.
    Keypad(Option<&'static Table>),
}

/// A text with a form.
#[derive(Debug)]
pub struct Form {
    /// "address and port".
    pub name: &'static str,
    /// A regular expression over the whole text that holds for whatever the reader takes; the reader may be stricter.
    pub pattern: &'static str,
}

impl Table {
    /// Its own keys, then those it shares.
    pub fn keys(&'static self) -> impl Iterator<Item = &'static Key> + Clone {
        self.keys.iter().chain(self.with.map_or(&[] as &[Key], |table| table.keys))
    }

    pub fn key(&'static self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }

    /// Whatever may be written; `type` of a step included.
    pub fn names(&'static self) -> Vec<&'static str> {
        self.tag.map(|_| "type").into_iter().chain(self.keys().map(|key| key.name)).collect()
    }

    /// The key that a reader asks for, as it is described. A reader that asks for another is noticed by its first test.
    pub fn asked(&'static self, name: &str) -> Option<&'static Key> {
        let found = self.key(name);
        debug_assert!(found.is_some(), "`{name}` of {} is not described in its grammar", self.name);
        #[cfg(test)]
        trace::note(self.name, name);
        found
    }
}

impl Kind {
    /// The table that stands at this key, or in it many times.
    pub fn table(self) -> Option<&'static Table> {
        match self {
            Kind::Table(table) | Kind::Tables(table, _) | Kind::Named(table, _) => Some(table),
            Kind::Keypad(table) => table,
            Kind::Text
            | Kind::Form(_)
            | Kind::Words(_)
            | Kind::Flag
            | Kind::Number { .. }
            | Kind::Duration { .. }
            | Kind::List(_)
            | Kind::OneOrMore(..)
            | Kind::Texts
            | Kind::Steps(_) => None,
        }
    }

    /// Every table that may stand below this key.
    pub fn tables(self) -> Vec<&'static Table> {
        match self {
            Kind::Steps(steps) => steps.to_vec(),
            Kind::Table(_)
            | Kind::Tables(..)
            | Kind::Named(..)
            | Kind::Keypad(_)
            | Kind::Text
            | Kind::Form(_)
            | Kind::Words(_)
            | Kind::Flag
            | Kind::Number { .. }
            | Kind::Duration { .. }
            | Kind::List(_)
            | Kind::OneOrMore(..)
            | Kind::Texts => self.table().into_iter().collect(),
        }
    }

    /// The words that may be written here, one or several of them.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Kind::Words(words) => words,
            Kind::List(inner) | Kind::OneOrMore(inner, _) => inner.words(),
            Kind::Text
            | Kind::Form(_)
            | Kind::Flag
            | Kind::Number { .. }
            | Kind::Duration { .. }
            | Kind::Texts
            | Kind::Table(_)
            | Kind::Tables(..)
            | Kind::Named(..)
            | Kind::Steps(_)
            | Kind::Keypad(_) => &[],
        }
    }
}

/// A table and all below it, each once, in the order of reading.
pub fn all(root: &'static Table) -> Vec<&'static Table> {
    let (mut found, mut next) = (Vec::new(), vec![root]);
    while let Some(table) = next.pop() {
        if found.iter().any(|known: &&Table| known.name == table.name) {
            continue;
        }
        found.push(table);
        let below: Vec<&'static Table> = table.keys().flat_map(|key| key.kind.tables()).collect();
        next.extend(below.into_iter().rev());
    }
    found
}

/// "8s", "1.5s", "300ms", "2m", "1h", "3d". `None` when it is none, or absurd.
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = text.get(digits.len()..)?;
    let number = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !number || digits.len() > 9 || !digits.starts_with(|first: char| first.is_ascii_digit()) || digits.ends_with('.')
    {
        return None;
    }
    let amount: f64 = digits.parse().ok()?;
    let millis = match unit {
        "ms" => amount,
        "s" => amount * 1_000.0,
        "m" => amount * 60_000.0,
        "h" => amount * 3_600_000.0,
        "d" => amount * 86_400_000.0,
        _ => return None,
    };
    // At most nine digits of days: far below what 64 bits of milliseconds hold, and exact in a double.
    Some(Duration::from_millis(millis.round() as u64))
}

/// What a duration looks like, for schemas.
pub const DURATION_PATTERN: &str = "[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)";

/// Which keys readers asked for, so that a test sees a key that is described but read by nobody.
#[cfg(test)]
pub mod trace {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    type Asked = BTreeSet<(&'static str, String)>;

    thread_local! {
        static ASKED: RefCell<Asked> = RefCell::default();
    }

    pub fn note(table: &'static str, key: &str) {
        ASKED.with_borrow_mut(|asked| {
            asked.insert((table, key.to_owned()));
        });
    }

    /// What this thread asked for since the last `take`.
    pub fn take() -> Asked {
        ASKED.take()
    }
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
        assert_eq!(duration("1h"), Some(Duration::from_secs(3_600)));
        assert_eq!(duration("3d"), Some(Duration::from_secs(259_200)));
        for wrong in ["8", "s", "", "-1s", "1w", "1.2.3s", ".5s", "1.s", "9999999999s", "8 s"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }
}

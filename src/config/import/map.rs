//! The extension map as it stands in a hospital's file, and how an import changes it: entries that an import wrote carry a
//! mark and may be replaced by the next one; all others are somebody's own and stay as they are.

use std::collections::{BTreeMap, BTreeSet};

use toml_edit::{ArrayOfTables, DocumentMut, InlineTable, Item, Table, Value};

use crate::config::import::rules::Facts;
use crate::config::values::NumberRange;
use crate::identity::PhoneClass;
use crate::ids::{ModuleId, SiteId, SystemId, UnitId};

/// Stands behind the number of an entry that an import wrote; whoever takes the entry over by hand removes it.
pub const MARK: &str = "# imported";
/// The column of the mark.
const MARK_AT: usize = 40;

/// A number in order: by length, then by value, as ranges are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub digits: usize,
    pub value: u64,
}

impl Key {
    /// Of an extension: up to 15 digits.
    pub fn of(number: &str) -> Option<Key> {
        let digits = (1..=15).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        Some(Key { digits: number.len(), value: number.parse().ok().filter(|_| digits)? })
    }

    pub fn shown(self) -> String {
        format!("{:0digits$}", self.value, digits = self.digits)
    }
}

/// Numbers that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    pub first: Key,
    pub last: Key,
}

impl Range {
    pub fn read(text: &str) -> Option<Range> {
        match NumberRange::parse(text)? {
            NumberRange::One(one) => Key::of(one.as_str()).map(|key| Range { first: key, last: key }),
            NumberRange::Many { digits, first, last } => {
                Some(Range { first: Key { digits, value: first }, last: Key { digits, value: last } })
            }
        }
    }

    pub fn holds(&self, key: Key) -> bool {
        key.digits == self.first.digits && (self.first.value..=self.last.value).contains(&key.value)
    }

    pub fn is_one(&self) -> bool {
        self.first == self.last
    }

    /// "4710", "4700-4715".
    pub fn shown(&self) -> String {
        match self.is_one() {
            true => self.first.shown(),
            false => format!("{}-{}", self.first.shown(), self.last.shown()),
        }
    }
}

/// Numbers as few ranges, in order.
pub fn ranges(numbers: impl IntoIterator<Item = Key>) -> Vec<Range> {
    let numbers: BTreeSet<Key> = numbers.into_iter().collect();
    let mut ranges: Vec<Range> = Vec::new();
    for key in numbers {
        match ranges.last_mut() {
            Some(open) if open.last.digits == key.digits && open.last.value + 1 == key.value => open.last = key,
            Some(_) | None => ranges.push(Range { first: key, last: key }),
        }
    }
    ranges
}

/// One `[[extensions]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub range: Range,
    /// `None` for a personal phone that stands nowhere.
    pub facts: Option<Facts>,
    /// An import wrote it.
    pub imported: bool,
}

/// A unit of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    pub name: String,
    pub site: Option<SiteId>,
}

/// What a hospital's file says that an import must know.
#[derive(Debug, Default)]
pub struct Present {
    /// One for each `[[extensions]]` that can be read, in the file's order: those that an import wrote, and others.
    imported: Vec<Entry>,
    own: Vec<Entry>,
    pub units: BTreeMap<UnitId, Declared>,
    pub sites: Vec<SiteId>,
    pub systems: Vec<SystemId>,
    pub hotlines: Vec<String>,
}

impl Present {
    /// # Errors
    /// When the map is written in a way that an import cannot add to, in one sentence.
    pub fn read(document: &DocumentMut) -> Result<Present, String> {
        let entries: Vec<Entry> = match document.get("extensions") {
            None => Vec::new(),
            Some(Item::ArrayOfTables(tables)) => tables.iter().filter_map(entry).collect(),
            Some(Item::Value(_) | Item::Table(_) | Item::None) => {
                return Err("`extensions` is written as one list; write each entry as [[extensions]] first".to_owned());
            }
        };
        let keys = |name: &str| -> Vec<String> {
            let table = document.get(name).and_then(Item::as_table_like);
            table.map(|table| table.iter().map(|(key, _)| key.to_owned()).collect()).unwrap_or_default()
        };
        let units = document.get("units").and_then(Item::as_table_like);
        let units = units.into_iter().flat_map(|units| units.iter()).map(|(id, unit)| {
            let word = |key: &str| unit.as_table_like().and_then(|unit| unit.get(key)).and_then(Item::as_str);
            let name = word("name").unwrap_or(id).to_owned();
            (UnitId::new(id), Declared { name, site: word("site").map(SiteId::new) })
        });
        let (imported, own) = entries.into_iter().partition(|entry| entry.imported);
        Ok(Present {
            imported,
            own,
            units: units.collect(),
            sites: keys("sites").iter().map(|site| SiteId::new(site)).collect(),
            systems: keys("systems").iter().map(|system| SystemId::new(system)).collect(),
            hotlines: keys("hotlines"),
        })
    }

    /// Of every entry.
    pub fn ranges(&self) -> impl Iterator<Item = Range> {
        self.imported.iter().chain(&self.own).map(|entry| entry.range)
    }

    /// The entry of somebody's own that a number falls under: a single number is an exception from its range.
    pub fn own(&self, key: Key) -> Option<&Entry> {
        let found = || self.own.iter().filter(move |entry| entry.range.holds(key));
        found().find(|entry| entry.range.is_one()).or_else(|| found().next())
    }

    /// Every number that an import put on the map, with what it said.
    pub fn imported(&self) -> BTreeMap<Key, Facts> {
        let mut all = BTreeMap::new();
        for entry in &self.imported {
            let Some(facts) = &entry.facts else { continue };
            for value in entry.range.first.value..=entry.range.last.value.min(entry.range.first.value + MOST) {
                all.insert(Key { digits: entry.range.first.digits, value }, facts.clone());
            }
        }
        all
    }
}

/// No import writes a longer range: an export holds no more rows.
const MOST: u64 = 100_000;

fn entry(table: &Table) -> Option<Entry> {
    let text = |key: &str| table.get(key).and_then(Item::as_str);
    let number = table.get("number")?;
    let class = text("class").map_or(Some(PhoneClass::Ward), PhoneClass::from_name)?;
    let facts = text("unit").map(|unit| Facts {
        unit: UnitId::new(unit),
        class,
        system: text("system").map(SystemId::new),
        module: text("module").map(ModuleId::new),
        room: text("room").map(str::to_owned),
    });
    let remark = number.as_value().and_then(|value| value.decor().suffix()).and_then(|suffix| suffix.as_str());
    let imported = remark.is_some_and(|remark| remark.trim() == MARK);
    Some(Entry { range: Range::read(number.as_str()?)?, facts, imported })
}

// -- Writing ----------------------------------------------------------------------------------------------------------

/// A unit that the import declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUnit {
    pub id: UnitId,
    pub name: String,
    pub site: SiteId,
    pub system: Option<SystemId>,
}

/// Makes the imported part of the map `wanted`, and declares units. Entries that stay the same are not touched, nor is
/// anything else in the file; remarks above an entry that goes are kept above the next.
pub fn write(document: &mut DocumentMut, wanted: &BTreeMap<Key, Facts>, units: &[NewUnit]) {
    declare(document, units);
    let mut by_facts: BTreeMap<&Facts, Vec<Key>> = BTreeMap::new();
    for (key, facts) in wanted {
        by_facts.entry(facts).or_default().push(*key);
    }
    let lines =
        by_facts.into_iter().flat_map(|(facts, keys)| ranges(keys).into_iter().map(move |range| (range, facts)));
    let mut lines: BTreeMap<Range, &Facts> = lines.collect();
    let old = match document.remove("extensions") {
        Some(Item::ArrayOfTables(old)) => old,
        Some(_) | None => ArrayOfTables::new(),
    };
    let mut new = ArrayOfTables::new();
    let mut orphaned = String::new();
    let mut position = old.iter().filter_map(Table::position).last();
    if old.is_empty() && !lines.is_empty() {
        // The first entries stand at the end, below the remarks that stand there.
        orphaned.push_str(document.trailing().as_str().filter(|end| end.contains('#')).unwrap_or_default());
        document.set_trailing("");
    }
    for mut table in old {
        let known = entry(&table);
        if let Some(known) = known.filter(|entry| entry.imported) {
            if lines.get(&known.range).is_some_and(|facts| Some(*facts) == known.facts.as_ref()) {
                lines.remove(&known.range);
            } else {
                orphaned.push_str(remarks(&table));
                continue;
            }
        }
        put_above(&mut table, &mut orphaned);
        new.push(table);
    }
    for (range, facts) in lines {
        let mut table = extension(range, facts);
        put_above(&mut table, &mut orphaned);
        // Behind the last of the map, wherever that stands in the file.
        if let Some(position) = &mut position {
            table.set_position(Some(*position));
        }
        new.push(table);
    }
    if !new.is_empty() {
        document.insert("extensions", Item::ArrayOfTables(new));
    }
    if !orphaned.trim().is_empty() {
        let end = document.trailing().as_str().unwrap_or_default().to_owned();
        document.set_trailing(format!("{orphaned}{end}"));
    }
}

/// The lines of remarks above a table.
fn remarks(table: &Table) -> &str {
    let above = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
    if above.contains('#') { above } else { "" }
}

fn put_above(table: &mut Table, orphaned: &mut String) {
    if !orphaned.is_empty() {
        let above = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
        let all = format!("{orphaned}{above}");
        table.decor_mut().set_prefix(all);
        orphaned.clear();
    }
}

fn extension(range: Range, facts: &Facts) -> Table {
    let mut table = Table::new();
    table.decor_mut().set_prefix("\n");
    let shown = range.shown();
    // "number = " and two quotes.
    let blanks = MARK_AT.saturating_sub(shown.len() + 11).max(1);
    let mut number = Value::from(shown);
    number.decor_mut().set_suffix(format!("{:blanks$}{MARK}", ""));
    number.decor_mut().set_prefix(" ");
    table.insert("number", Item::Value(number));
    table.insert("unit", toml_edit::value(facts.unit.as_str()));
    if facts.class != PhoneClass::Ward {
        table.insert("class", toml_edit::value(facts.class.as_str()));
    }
    let words = [
        ("system", facts.system.as_ref().map(SystemId::as_str)),
        ("module", facts.module.as_ref().map(ModuleId::as_str)),
        ("room", facts.room.as_deref()),
    ];
    for (key, word) in words {
        if let Some(word) = word {
            table.insert(key, toml_edit::value(word));
        }
    }
    table
}

fn declare(document: &mut DocumentMut, units: &[NewUnit]) {
    if units.is_empty() {
        return;
    }
    let all = document.entry("units").or_insert_with(|| Item::Table(Table::new()));
    let Some(all) = all.as_table_like_mut() else { return };
    for unit in units {
        let mut declared = InlineTable::new();
        declared.insert("site", unit.site.as_str().into());
        declared.insert("name", unit.name.as_str().into());
        if let Some(system) = &unit.system {
            declared.insert("system", system.as_str().into());
        }
        all.insert(unit.id.as_str(), Item::Value(Value::InlineTable(declared)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: &str) -> Key {
        Key::of(number).expect("a number")
    }

    fn facts(unit: &str) -> Facts {
        Facts { unit: UnitId::new(unit), class: PhoneClass::Ward, system: None, module: None, room: None }
    }

    fn wanted(unit: &str, numbers: std::ops::RangeInclusive<u64>) -> BTreeMap<Key, Facts> {
        numbers.map(|value| (Key { digits: 4, value }, facts(unit))).collect()
    }

    const FILE: &str = r#"id = "mercy"   # as ever
[units]
icu = { site = "main", name = "ICU" }
# The map.
[[extensions]]
number = "4700-4709"                    # imported
unit = "icu"

# The medication room.
[[extensions]]
number = "4710"
unit = "icu"
module = "medication"

# Who calls.
[people.rao]
name = "Dr. Rao"
"#;

    fn written(wanted: &BTreeMap<Key, Facts>, units: &[NewUnit]) -> String {
        let mut document: DocumentMut = FILE.parse().expect("TOML");
        write(&mut document, wanted, units);
        document.to_string()
    }

    #[test]
    fn what_stays_the_same_is_not_touched() {
        assert_eq!(written(&wanted("icu", 4700..=4709), &[]), FILE);
    }

    #[test]
    fn only_imported_entries_change_and_remarks_are_kept() {
        let text = written(&wanted("icu", 4700..=4712), &[]);
        assert_eq!(
            text,
            FILE.replace(
                "# The map.\n[[extensions]]\nnumber = \"4700-4709\"                    # imported\nunit = \"icu\"\n\n# The medication",
                "# The map.\n\n# The medication"
            )
            .replace(
                "module = \"medication\"\n",
                "module = \"medication\"\n\n[[extensions]]\nnumber = \"4700-4712\"                    # imported\nunit = \"icu\"\n"
            )
        );
    }

    #[test]
    fn a_number_of_somebodys_own_is_found_before_its_range() {
        let document: DocumentMut = FILE.parse().expect("TOML");
        let present = Present::read(&document).expect("readable");
        assert_eq!(
            present.own(key("4710")).and_then(|entry| entry.facts.clone()).and_then(|facts| facts.module),
            Some(ModuleId::new("medication"))
        );
        assert_eq!(present.own(key("4705")), None);
        assert_eq!(present.imported().len(), 10);
    }

    #[test]
    fn the_first_entries_stand_below_the_remarks_at_the_end_of_the_file() {
        let bare = "[units]\nicu = { site = \"main\" }\n# med = { site = \"main\" }\n\n# The map; by hand:\n# [[extensions]]\n";
        let mut document: DocumentMut = bare.parse().expect("TOML");
        write(&mut document, &wanted("icu", 4700..=4701), &[]);
        let text = document.to_string();
        let entry = "\n[[extensions]]\nnumber = \"4700-4701\"                    # imported\nunit = \"icu\"\n";
        assert_eq!(text, format!("{bare}{entry}"));
        let mut again: DocumentMut = text.parse().expect("TOML");
        write(&mut again, &BTreeMap::new(), &[]);
        assert_eq!(again.to_string().trim_end(), bare.trim_end());
    }

    #[test]
    fn a_remark_that_only_begins_like_the_mark_is_somebodys_own() {
        let theirs = FILE.replace("# imported", "# imported from the old PBX by Rao; keep");
        let present = Present::read(&theirs.parse().expect("TOML")).expect("readable");
        assert!(present.imported().is_empty());
        assert!(present.own(key("4705")).is_some());
    }

    #[test]
    fn a_new_unit_stands_with_the_others() {
        let unit =
            NewUnit { id: UnitId::new("4-west"), name: "4 West".to_owned(), site: SiteId::new("main"), system: None };
        let text = written(&wanted("4-west", 4800..=4800), &[unit]);
        assert!(
            text.contains(
                "icu = { site = \"main\", name = \"ICU\" }\n4-west = { site = \"main\", name = \"4 West\" }\n"
            ),
            "{text}"
        );
        assert!(text.contains("number = \"4800\"                         # imported\nunit = \"4-west\"\n"), "{text}");
        assert!(text.find("4800").expect("there") < text.find("# Who calls.").expect("there"), "{text}");
    }

    #[test]
    fn numbers_of_different_lengths_are_never_one_range() {
        let numbers = ["0999", "1000", "1001", "01002", "1003"].map(key);
        let shown: Vec<String> = ranges(numbers).iter().map(Range::shown).collect();
        assert_eq!(shown, ["0999-1001", "1003", "01002"]);
    }
}

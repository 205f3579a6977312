//! What an export of phones would change: each phone is placed, compared with the map as it stands, and counted.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::import::columns::{Export, Exported};
use crate::config::import::map::{Entry, Key, NewUnit, Present, Range, ranges};
use crate::config::import::rules::{self, By, Facts, KnownUnit, Placement, Rule};
use crate::config::import::sheet::{Wrong, rows};
use crate::identity::{Number, NumberRules};
use crate::ids::{SiteId, SystemId, UnitId};
use crate::plural::counted;

/// What an import is to do beside adding and changing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    pub remove: Option<Removal>,
}

/// Imported numbers that the export lacks are to go off the map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// How many of them somebody has looked at.
    pub confirmed: Option<usize>,
    /// The export is of these sites alone, and numbers of others stay. Empty: it is of the whole hospital.
    pub sites: BTreeSet<SiteId>,
}

/// A phone that the map and the export place differently; the map stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    pub number: Key,
    pub line: u64,
    pub map: Option<Facts>,
    pub export: Facts,
}

/// A phone that nobody could place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unplaced {
    pub number: Key,
    pub line: u64,
    pub text: String,
    /// Its texts name several.
    pub between: Vec<UnitId>,
}

/// A unit after the import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitCount {
    pub phones: usize,
    pub ranges: Vec<Range>,
    /// How many of them each rule (by its number) or the unit's name placed.
    pub by: BTreeMap<Option<usize>, usize>,
}

/// Everything that an import would do, and what it could not.
#[derive(Debug, Default)]
pub struct Proposal {
    /// The imported part of the map afterwards.
    pub wanted: BTreeMap<Key, Facts>,
    pub new_units: Vec<NewUnit>,
    pub units: BTreeMap<UnitId, UnitCount>,
    pub added: BTreeMap<Key, Facts>,
    pub changed: BTreeMap<Key, (Facts, Facts)>,
    /// What a rule leaves out now, what became somebody's own, and `lost`.
    pub removed: BTreeMap<Key, Facts>,
    /// Imported before, not in the export now, and to go.
    pub lost: BTreeSet<Key>,
    /// Sites of which every imported number is lost, with their count: perhaps the export is not of them.
    pub emptied: Vec<(SiteId, usize)>,
    /// Imported before, not in the export now, but kept.
    pub gone: BTreeSet<Key>,
    /// As before, by an import or by hand.
    pub unchanged: usize,
    pub conflicts: Vec<Conflict>,
    pub unplaced: Vec<Unplaced>,
    /// Left out by a rule.
    pub skipped: usize,
    pub wrong: Vec<Wrong>,
}

impl Proposal {
    pub fn changes_nothing(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty() && self.new_units.is_empty()
    }

    /// Whether some row was understood: it is placed, was before, or is left out by a rule.
    pub fn is_of_use(&self) -> bool {
        !self.units.is_empty() || self.unchanged > 0 || self.skipped > 0
    }

    /// Whether numbers that the export lacks may go: every row was read, and somebody has looked at what would go.
    ///
    /// # Errors
    /// Why not, in one sentence.
    pub fn may_remove(&self, removal: &Removal, writes: bool) -> Result<(), String> {
        if !self.wrong.is_empty() {
            return Err(format!(
                "--remove needs an export of which every row is read, and {} may be of phones that would go: mend \
                 them, or leave them out by a rule with skip = true",
                counted(rows(&self.wrong), "refused row")
            ));
        }
        if !self.is_of_use() {
            return Err("no row of the export could be placed, and by such a one nothing goes".to_owned());
        }
        let lost = counted(self.lost.len(), "number");
        match removal.confirmed {
            Some(count) if count != self.lost.len() => {
                Err(format!("--remove={count} confirms {count}, but {lost} would go; look at them again"))
            }
            None if writes && !self.lost.is_empty() => Err(format!(
                "{lost} would go off the map; look at them, then confirm how many: --write --remove={}",
                self.lost.len()
            )),
            Some(_) | None => Ok(()),
        }
    }
}

/// Compares an export with the map.
pub fn propose(
    export: &Export,
    rules: &[Rule],
    present: &Present,
    numbering: &NumberRules,
    wishes: &Wishes,
) -> Proposal {
    let mut proposal = Proposal { wrong: export.wrong.clone(), ..Proposal::default() };
    let (lines, mut seen) = proposal.sort(export, rules, present, numbering);
    let before = present.imported();
    let mut wanted = BTreeMap::new();
    for (key, rows) in &lines {
        proposal.settle(*key, rows, present, &before, &mut wanted);
    }
    seen.extend(lines.keys());
    proposal.declare(rules, present, &before, &mut wanted);
    proposal.compare(before, wanted, &seen, present, wishes);
    proposal.wrong.sort_by_key(|wrong| wrong.line);
    proposal
}

/// A row and where it stands: rows that a rule leaves out are none.
type Placed<'a> = (&'a Exported, Placement);

impl Proposal {
    /// The rows of each number, in order, and numbers that a rule leaves out.
    fn sort<'a>(
        &mut self,
        export: &'a Export,
        rules: &[Rule],
        present: &Present,
        numbering: &NumberRules,
    ) -> (BTreeMap<Key, Vec<Placed<'a>>>, BTreeSet<Key>) {
        let units: Vec<KnownUnit> = present.units.iter().map(|(id, unit)| KnownUnit::new(id, &unit.name)).collect();
        let mut lines: BTreeMap<Key, Vec<Placed<'a>>> = BTreeMap::new();
        let mut skipped = BTreeSet::new();
        for phone in &export.phones {
            let key = number(&phone.number, numbering);
            let shown = key.map_or_else(String::new, Key::shown);
            match (key, rules::place(&shown, phone, rules, &units)) {
                (Some(key), Placement::Skipped(_)) => {
                    skipped.insert(key);
                }
                (None, Placement::Skipped(_)) => self.skipped += 1,
                (None, _) => self.wrong.push(Wrong { line: phone.line, why: no_extension(&phone.number) }),
                (Some(_), _) if present.hotlines.contains(&shown) => {
                    let why = format!(
                        "{shown} is the hotline, which stands on no map; a rule with skip = true leaves it out"
                    );
                    self.wrong.push(Wrong { line: phone.line, why });
                }
                (Some(key), placement) => lines.entry(key).or_default().push((phone, placement)),
            }
        }
        self.skipped += skipped.iter().filter(|key| !lines.contains_key(key)).count();
        (lines, skipped)
    }

    /// A number by all its rows: the same line on several phones is usual. Rows that place it must agree.
    fn settle(
        &mut self,
        key: Key,
        rows: &[Placed<'_>],
        present: &Present,
        before: &BTreeMap<Key, Facts>,
        wanted: &mut BTreeMap<Key, Facts>,
    ) {
        let placed = |(phone, placement): &Placed<'_>| match placement {
            Placement::At(facts, by) => Some((phone.line, facts.clone(), *by)),
            Placement::Skipped(_) | Placement::Nowhere | Placement::Between(_) => None,
        };
        let mut all = rows.iter().filter_map(placed);
        let Some((line, mut facts, by)) = all.next() else {
            let between = rows.iter().find_map(|(_, placement)| match placement {
                Placement::Between(units) => Some(units.clone()),
                Placement::At(..) | Placement::Skipped(_) | Placement::Nowhere => None,
            });
            if let Some((phone, _)) = rows.first() {
                self.leave(key, phone, between.unwrap_or_default(), present, before, wanted);
            }
            return;
        };
        for (other, theirs, _) in all {
            if (&theirs.unit, theirs.class) != (&facts.unit, facts.class) {
                let number = key.shown();
                let why = format!(
                    "{number} is {} here and {} in line {line}; say which by a rule with numbers = \"{number}\"",
                    theirs.place(),
                    facts.place()
                );
                self.wrong.push(Wrong { line: other, why });
                wanted.extend(before.get(&key).filter(|_| present.own(key).is_none()).map(|old| (key, old.clone())));
                return;
            }
            // A line that rings in two rooms tells neither.
            facts.room = facts.room.filter(|room| theirs.room.as_ref() == Some(room));
        }
        self.take(key, line, facts, by, present, wanted);
    }
}

fn no_extension(written: &str) -> String {
    let shown: String = written.chars().take(40).collect();
    let remedy = match shown.trim_start_matches('\\').starts_with('+') {
        true => "name what stands before the extension in the trunk's strip_prefixes",
        false => "write its digits alone, or leave such rows out by a rule with match and skip = true",
    };
    format!("`{shown}` is no extension of 1 to 15 digits; {remedy}")
}

/// As PBXs and spreadsheets write extensions: CUCM escapes "+", a spreadsheet guards zeros (`="0700"`, `'0700`), and prefixes
/// of the trunk are taken off. "2702.0" and "2705-2709" are no numbers: only long ones are written with signs in between.
fn number(written: &str, numbering: &NumberRules) -> Option<Key> {
    let guarded = written.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"'));
    let plain = guarded.or_else(|| written.strip_prefix('\'')).unwrap_or(written).trim();
    let number = Number::read(&plain.replace('\\', ""), numbering)?;
    match &number.stripped {
        Some(short) => Key::of(short),
        None => Key::of(plain),
    }
}

impl Proposal {
    /// A phone whose place is known.
    fn take(
        &mut self,
        key: Key,
        line: u64,
        facts: Facts,
        by: By,
        present: &Present,
        wanted: &mut BTreeMap<Key, Facts>,
    ) {
        let count = self.units.entry(facts.unit.clone()).or_default();
        count.phones += 1;
        let rule = match by {
            By::Rule(number) => Some(number),
            By::Name(_) => None,
        };
        *count.by.entry(rule).or_default() += 1;
        count.ranges.push(Range { first: key, last: key });
        match present.own(key) {
            None => {
                wanted.insert(key, facts);
            }
            Some(own) if agrees(own, &facts) => self.unchanged += 1,
            Some(own) => {
                let map = own.facts.clone();
                self.conflicts.push(Conflict { number: key, line, map, export: facts });
            }
        }
    }

    /// A phone that nothing places. What the map says of it already stays.
    fn leave(
        &mut self,
        key: Key,
        phone: &Exported,
        between: Vec<UnitId>,
        present: &Present,
        before: &BTreeMap<Key, Facts>,
        wanted: &mut BTreeMap<Key, Facts>,
    ) {
        if present.own(key).is_some() {
            self.unchanged += 1;
        } else if let Some(facts) = before.get(&key) {
            wanted.insert(key, facts.clone());
        } else {
            let text = phone.shown().to_owned();
            self.unplaced.push(Unplaced { number: key, line: phone.line, text, between });
        }
    }

    /// Units that rules name and the hospital does not have yet. Where their site is not told, their phones are left out.
    fn declare(
        &mut self,
        rules: &[Rule],
        present: &Present,
        before: &BTreeMap<Key, Facts>,
        wanted: &mut BTreeMap<Key, Facts>,
    ) {
        let named: BTreeSet<UnitId> = wanted.values().map(|facts| facts.unit.clone()).collect();
        for id in named.into_iter().filter(|id| !present.units.contains_key(id)) {
            let of = |rule: &&Rule| rule.unit.as_ref() == Some(&id);
            let told = rules.iter().filter(of).find_map(|rule| rule.declare.site.clone());
            let Some(site) = told.or_else(|| only(&present.sites)) else {
                let number = rules.iter().find(of).map_or(0, |rule| rule.number);
                let why =
                    format!("rule {number} names unit `{id}`, which is not declared: add site = \"…\" to the rule");
                self.wrong.push(Wrong { line: 0, why });
                // They stay where an import put them before.
                let lost: Vec<Key> = wanted.extract_if(.., |_, facts| facts.unit == id).map(|(key, _)| key).collect();
                wanted.extend(lost.iter().filter_map(|key| Some((*key, before.get(key)?.clone()))));
                continue;
            };
            let name = rules.iter().filter(of).find_map(|rule| rule.declare.name.clone());
            let name = name.unwrap_or_else(|| titled(id.as_str()));
            self.new_units.push(NewUnit { id, name, site, system: only::<SystemId>(&present.systems) });
        }
    }

    fn compare(
        &mut self,
        mut before: BTreeMap<Key, Facts>,
        mut wanted: BTreeMap<Key, Facts>,
        seen: &BTreeSet<Key>,
        present: &Present,
        wishes: &Wishes,
    ) {
        let site = |facts: &Facts| present.units.get(&facts.unit).and_then(|unit| unit.site.clone());
        let mut kept: BTreeSet<SiteId> = wanted.values().filter_map(site).collect();
        for (key, facts) in &wanted {
            match before.remove(key) {
                None => {
                    self.added.insert(*key, facts.clone());
                }
                Some(old) if old == *facts => self.unchanged += 1,
                Some(old) => {
                    self.changed.insert(*key, (old, facts.clone()));
                }
            }
        }
        let mut lost: BTreeMap<SiteId, usize> = BTreeMap::new();
        for (key, facts) in before {
            let at = site(&facts);
            let of_export = |removal: &Removal| {
                removal.sites.is_empty() || at.as_ref().is_some_and(|site| removal.sites.contains(site))
            };
            // What a rule skips now, or what became somebody's own, goes; what the export lacks goes only when asked.
            if seen.contains(&key) {
                self.removed.insert(key, facts);
            } else if wishes.remove.as_ref().is_some_and(of_export) {
                if let Some(site) = at {
                    *lost.entry(site).or_default() += 1;
                }
                self.lost.insert(key);
                self.removed.insert(key, facts);
            } else {
                kept.extend(at);
                self.gone.insert(key);
                wanted.insert(key, facts);
            }
        }
        self.emptied = lost.into_iter().filter(|(site, _)| !kept.contains(site)).collect();
        for count in self.units.values_mut() {
            count.ranges = ranges(count.ranges.iter().map(|range| range.first));
        }
        self.wanted = wanted;
    }
}

/// Whether an entry of somebody's own says what the export says; a room only where both tell one.
fn agrees(own: &Entry, facts: &Facts) -> bool {
    own.facts.as_ref().is_some_and(|mine| {
        let room = mine.room.is_none() || facts.room.is_none() || mine.room == facts.room;
        mine.unit == facts.unit && mine.class == facts.class && room
    })
}

fn only<T: Clone>(all: &[T]) -> Option<T> {
    match all {
        [one] => Some(one.clone()),
        [] | [_, _, ..] => None,
    }
}

/// "labor-delivery" is "Labor Delivery".
fn titled(id: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    };
    id.split(['-', '_']).map(word).collect::<Vec<_>>().join(" ")
}

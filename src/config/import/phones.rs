//! What an export of phones would change: each phone is placed, compared with the map as it stands, and counted.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::import::columns::{Export, Exported};
use crate::config::import::map::{Entry, Key, NewUnit, Present, Range, ranges};
use crate::config::import::rules::{self, By, Facts, KnownUnit, Placement, Rule};
use crate::config::import::sheet::{Wrong, words};
use crate::identity::{Number, NumberRules};
use crate::ids::{SystemId, UnitId};

/// What an import is to do beside adding and changing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    /// Take imported numbers off the map that the export no longer has.
    pub remove: bool,
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
    pub removed: BTreeMap<Key, Facts>,
    /// Imported before and not in the export now, but kept.
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
}

/// Compares an export with the map.
pub fn propose(
    export: &Export,
    rules: &[Rule],
    present: &Present,
    numbering: &NumberRules,
    wishes: Wishes,
) -> Proposal {
    let mut proposal = Proposal { wrong: export.wrong.clone(), ..Proposal::default() };
    let lines = distinct(export, numbering, &mut proposal.wrong);
    let known: Vec<KnownUnit> = present.units.iter().map(|(id, name)| KnownUnit::new(id, name)).collect();
    let before = present.imported();
    let mut wanted = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (key, phone) in &lines {
        seen.insert(*key);
        if present.hotlines.iter().any(|hotline| *hotline == key.shown()) {
            let why = format!("{} is the hotline; it stands on no map", key.shown());
            proposal.wrong.push(Wrong { line: phone.line, why });
            continue;
        }
        match rules::place(&key.shown(), phone, rules, &known) {
            Placement::At(facts, by) => proposal.take(*key, phone, facts, by, present, &mut wanted),
            Placement::Skipped(_) => proposal.skipped += 1,
            Placement::Nowhere => proposal.leave(*key, phone, Vec::new(), present, &before, &mut wanted),
            Placement::Between(units) => proposal.leave(*key, phone, units, present, &before, &mut wanted),
        }
    }
    proposal.declare(rules, present, &mut wanted);
    proposal.compare(before, wanted, &seen, wishes);
    proposal.wrong.sort_by_key(|wrong| wrong.line);
    proposal
}

/// Each number once: the first row that has it. Others are told when they say something else.
fn distinct<'a>(export: &'a Export, numbering: &NumberRules, wrong: &mut Vec<Wrong>) -> BTreeMap<Key, &'a Exported> {
    let mut lines: BTreeMap<Key, &Exported> = BTreeMap::new();
    for phone in &export.phones {
        let Some(key) = number(&phone.number, numbering) else {
            let shown: String = phone.number.chars().take(40).collect();
            let mut why = format!("`{shown}` is no extension of 1 to 15 digits");
            if shown.contains('+') {
                why.push_str("; name what stands before the extension in the trunk's strip_prefixes");
            }
            wrong.push(Wrong { line: phone.line, why });
            continue;
        };
        let Some(first) = lines.get(&key) else {
            lines.insert(key, phone);
            continue;
        };
        // The same line on several phones is usual.
        if first.texts != phone.texts {
            let why = format!(
                "{} stands in line {} already, as \"{}\"; that row counts",
                key.shown(),
                first.line,
                first.shown()
            );
            wrong.push(Wrong { line: phone.line, why });
        }
    }
    lines
}

/// As PBXs write extensions: CUCM escapes "+", and prefixes of the trunk are taken off.
fn number(written: &str, numbering: &NumberRules) -> Option<Key> {
    let number = Number::read(&written.replace('\\', ""), numbering)?;
    let short = number.stripped.as_deref().and_then(Key::of);
    short.or_else(|| Key::of(&number.full))
}

impl Proposal {
    /// A phone whose place is known.
    fn take(
        &mut self,
        key: Key,
        phone: &Exported,
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
                self.conflicts.push(Conflict { number: key, line: phone.line, map, export: facts });
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
    fn declare(&mut self, rules: &[Rule], present: &Present, wanted: &mut BTreeMap<Key, Facts>) {
        let named: BTreeSet<UnitId> = wanted.values().map(|facts| facts.unit.clone()).collect();
        for id in named.into_iter().filter(|id| !present.units.contains_key(id)) {
            let of = |rule: &&Rule| rule.unit.as_ref() == Some(&id);
            let told = rules.iter().filter(of).find_map(|rule| rule.declare.site.clone());
            let Some(site) = told.or_else(|| only(&present.sites)) else {
                let number = rules.iter().find(of).map_or(0, |rule| rule.number);
                let why =
                    format!("rule {number} names unit `{id}`, which is not declared: add site = \"…\" to the rule");
                self.wrong.push(Wrong { line: 0, why });
                wanted.retain(|_, facts| facts.unit != id);
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
        wishes: Wishes,
    ) {
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
        for (key, facts) in before {
            // What a rule skips now, or what became somebody's own, goes; what the export lacks goes only when asked.
            if seen.contains(&key) || wishes.remove {
                self.removed.insert(key, facts);
            } else {
                self.gone.insert(key);
                wanted.insert(key, facts);
            }
        }
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

/// Phones that begin alike, and a rule that would place them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// "4W*".
    pub pattern: String,
    /// A unit's id that their beginning gives.
    pub unit: String,
    pub phones: usize,
    pub ranges: Vec<Range>,
}

/// Unplaced phones by how their texts begin, the largest groups first. A number at the beginning takes the next word along.
pub fn suggest(unplaced: &[Unplaced]) -> Vec<Suggestion> {
    let mut groups: BTreeMap<String, Vec<Key>> = BTreeMap::new();
    for phone in unplaced.iter().filter(|phone| phone.between.is_empty()) {
        let words = words(&phone.text);
        let Some(first) = words.first() else { continue };
        let number = first.bytes().all(|byte| byte.is_ascii_digit());
        let Some(beginning) = words.get(..if number { 2 } else { 1 }) else { continue };
        // The text itself, as far as the words go, so that the rule fits it.
        let lower = phone.text.to_lowercase();
        let last = beginning.last().map_or("", String::as_str);
        let end = lower.find(last).map_or(0, |at| at + last.len());
        let Some(start) = phone.text.get(..end).filter(|start| !start.contains(['*', '?'])) else { continue };
        groups.entry(start.to_lowercase()).or_default().push(phone.number);
    }
    let suggestion = |(start, keys): (String, Vec<Key>)| {
        let unit = crate::config::first::answers::id(&start);
        let pattern = format!("{start}*");
        Suggestion { pattern, unit, phones: keys.len(), ranges: ranges(keys) }
    };
    let mut all: Vec<Suggestion> = groups.into_iter().map(suggestion).filter(|group| !group.unit.is_empty()).collect();
    all.sort_by(|one, other| other.phones.cmp(&one.phones).then_with(|| one.pattern.cmp(&other.pattern)));
    all
}

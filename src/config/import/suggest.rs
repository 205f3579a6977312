//! Rules for phones that nothing places, as a beginning for import.toml.

use std::collections::BTreeMap;

use crate::config::first::answers::id;
use crate::config::import::map::{Key, Range, ranges};
use crate::config::import::phones::Unplaced;
use crate::config::import::sheet::words;

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

/// Phones that begin alike by chance are no place; most of those that stand alone are named after a person.
const FEWEST_ALIKE: usize = 2;

/// First words that say what a phone is, or whose: a unit of that name would be none. They are those that PBXs write by
/// themselves and that people write of phones at any place.
const NO_PLACES: [&str; 48] = [
    "analog",
    "ata",
    "auto",
    "bed",
    "bedside",
    "charge",
    "cisco",
    "conf",
    "conference",
    "cordless",
    "dect",
    "desk",
    "director",
    "doctor",
    "dr",
    "elevator",
    "ext",
    "extension",
    "fax",
    "guest",
    "hallway",
    "head",
    "ip",
    "line",
    "manager",
    "md",
    "modem",
    "new",
    "nurse",
    "office",
    "old",
    "patient",
    "phone",
    "printer",
    "reception",
    "rn",
    "room",
    "secretary",
    "sip",
    "someone",
    "spare",
    "station",
    "supervisor",
    "temp",
    "test",
    "unassigned",
    "user",
    "voicemail",
];

/// Unplaced phones by how their texts begin, the largest groups first. A number at the beginning takes the next word along.
pub fn rules(unplaced: &[Unplaced]) -> Vec<Suggestion> {
    let mut groups: BTreeMap<String, Vec<Key>> = BTreeMap::new();
    for phone in unplaced.iter().filter(|phone| phone.between.is_empty()) {
        let words = words(&phone.text);
        let Some(first) = words.first().filter(|first| !NO_PLACES.contains(&first.as_str())) else { continue };
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
        let unit = id(&start);
        let pattern = format!("{start}*");
        Suggestion { pattern, unit, phones: keys.len(), ranges: ranges(keys) }
    };
    let mut all: Vec<Suggestion> = groups
        .into_iter()
        .map(suggestion)
        .filter(|group| group.phones >= FEWEST_ALIKE && !group.unit.is_empty())
        .collect();
    all.sort_by(|one, other| other.phones.cmp(&one.phones).then_with(|| one.pattern.cmp(&other.pattern)));
    all
}

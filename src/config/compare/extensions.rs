//! The extension map: what each number is before and after, told by ranges of numbers that change alike.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::compare::plain::Plain;
use crate::config::compare::{Change, Kind, fields};
use crate::config::values::{FromText, NumberRange};

/// Numbers of equal length; a single number is more specific than a range that holds it.
#[derive(Default)]
struct Map<'a> {
    single: BTreeMap<u64, &'a Plain>,
    /// By the first number, with the last.
    ranges: BTreeMap<u64, (u64, &'a Plain)>,
}

impl<'a> Map<'a> {
    fn at(&self, number: u64) -> Option<&'a Plain> {
        let range = || self.ranges.range(..=number).next_back().filter(|(_, (last, _))| *last >= number);
        self.single.get(&number).copied().or_else(|| range().map(|(_, (_, line))| *line))
    }

    /// Where something begins, and one after where it ends.
    fn edges(&self) -> impl Iterator<Item = u64> {
        let single = self.single.keys().flat_map(|number| [*number, number + 1]);
        single.chain(self.ranges.iter().flat_map(|(first, (last, _))| [*first, last + 1]))
    }
}

/// By the count of digits.
fn maps(list: Option<&Plain>) -> BTreeMap<usize, Map<'_>> {
    let mut maps: BTreeMap<usize, Map> = BTreeMap::new();
    let Some(Plain::List(lines)) = list else { return maps };
    for line in lines {
        match line.field("number").and_then(|number| NumberRange::from_text(&number.short())) {
            Some(NumberRange::One(number)) => {
                let Ok(value) = number.as_str().parse() else { continue };
                maps.entry(number.as_str().len()).or_default().single.insert(value, line);
            }
            Some(NumberRange::Many { digits, first, last }) => {
                maps.entry(digits).or_default().ranges.insert(first, (last, line));
            }
            None => {}
        }
    }
    maps
}

/// Without its number, which is what it is about.
fn rest(line: &Plain) -> Plain {
    match line {
        Plain::Table(table) => Plain::Table(
            table.iter().filter(|(key, _)| *key != "number").map(|(k, v)| (k.clone(), v.clone())).collect(),
        ),
        Plain::List(_) | Plain::Scalar(_) => line.clone(),
    }
}

/// What happens to a number, and to which numbers it happens: digits, first and last, in order.
type Alike = (Kind, Vec<String>, Vec<(usize, u64, u64)>);

pub fn compare(old: Option<&Plain>, new: Option<&Plain>) -> Vec<Change> {
    let (was, is) = (maps(old), maps(new));
    let none = Map::default();
    let mut alike: Vec<Alike> = Vec::new();
    for digits in was.keys().chain(is.keys()).copied().collect::<BTreeSet<usize>>() {
        let (before, after) = (was.get(&digits).unwrap_or(&none), is.get(&digits).unwrap_or(&none));
        let edges: BTreeSet<u64> = before.edges().chain(after.edges()).collect();
        let edges: Vec<u64> = edges.into_iter().collect();
        for (first, end) in edges.iter().zip(edges.iter().skip(1)) {
            let Some((kind, details)) = change(before.at(*first), after.at(*first)) else { continue };
            let (first, last) = (*first, end - 1);
            match alike.iter_mut().find(|(known, said, _)| *known == kind && *said == details) {
                Some((_, _, numbers)) => match numbers.last_mut() {
                    Some((same, _, until)) if *same == digits && *until + 1 == first => *until = last,
                    Some(_) | None => numbers.push((digits, first, last)),
                },
                None => alike.push((kind, details, vec![(digits, first, last)])),
            }
        }
    }
    let change = |(kind, details, numbers): Alike| {
        let numbers: Vec<String> = numbers.into_iter().map(shown).collect();
        Change { kind, subject: format!("extensions {}", numbers.join(", ")), details }
    };
    alike.into_iter().map(change).collect()
}

fn change(old: Option<&Plain>, new: Option<&Plain>) -> Option<(Kind, Vec<String>)> {
    match (old.map(rest), new.map(rest)) {
        (Some(old), Some(new)) => {
            let mut details = Vec::new();
            fields::differences("", Some(&old), Some(&new), false, &mut details);
            (!details.is_empty()).then_some((Kind::Changed, details))
        }
        (None, Some(new)) => Some((Kind::Added, fields::all(&new))),
        (Some(_), None) => Some((Kind::Removed, Vec::new())),
        (None, None) => None,
    }
}

fn shown((digits, first, last): (usize, u64, u64)) -> String {
    if first == last { format!("{first:0digits$}") } else { format!("{first:0digits$}-{last:0digits$}") }
}

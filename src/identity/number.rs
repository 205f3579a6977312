//! Telephone numbers as PBXs write them, brought to the form that the extension map uses.

use crate::ids::Extension;

/// Longer numbers are no telephone numbers: E.164 allows 15 digits, prefixes add a few.
pub const MAX_NUMBER_DIGITS: usize = 24;

/// Words that stand for "no number" in the user part (RFC 3323 section 4.1 and what PBXs send).
const WITHHELD: [&str; 6] = ["anonymous", "restricted", "unavailable", "unknown", "private", "withheld"];

/// Whether dialling this reaches the public network's emergency service, an access digit before it or not. Wardline never
/// dials it; an extension that ends so is told apart by the map alone.
pub fn is_public_emergency(number: &str) -> bool {
    ["911", "112"].iter().any(|emergency| number.strip_suffix(emergency).is_some_and(|before| before.len() <= 2))
}

/// How one trunk writes numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberRules {
    /// What the PBX puts before an extension ("+1555010", "8"); the longest that fits is taken off.
    pub strip: Vec<String>,
}

/// A calling number, cleaned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// Digits with an optional leading "+", without visual separators.
    pub full: String,
    /// The same without the trunk's prefix, when one fitted.
    pub stripped: Option<String>,
}

impl Number {
    /// Reads a user part or a tel URI's number. `None` when it is withheld, or no telephone number at all.
    pub fn read(text: &str, rules: &NumberRules) -> Option<Number> {
        let text = text.trim().trim_matches('"');
        let text = text.strip_prefix("tel:").or_else(|| text.strip_prefix("sip:")).unwrap_or(text);
        // Parameters (";phone-context=…", RFC 3966) and a host are no part of the number.
        let text = text.split([';', '@']).next().unwrap_or_default();
        if WITHHELD.iter().any(|word| text.eq_ignore_ascii_case(word)) {
            return None;
        }
        let full = digits(text)?;
        let mut prefixes: Vec<&String> = rules.strip.iter().filter(|prefix| !prefix.is_empty()).collect();
        prefixes.sort_by_key(|prefix| std::cmp::Reverse(prefix.len()));
        let rest = prefixes.iter().find_map(|prefix| full.strip_prefix(prefix.as_str()));
        let stripped = rest.filter(|rest| !rest.is_empty()).map(str::to_owned);
        Some(Number { full, stripped })
    }

    /// What the extension map may know it as, most likely first.
    pub fn extensions(&self) -> impl Iterator<Item = Extension> {
        let as_written = Some(self.full.as_str()).filter(|full| !full.starts_with('+'));
        as_written.into_iter().chain(self.stripped.as_deref()).map(Extension::new)
    }
}

/// Digits with an optional leading "+"; visual separators of RFC 3966 section 5.1.1 are dropped.
fn digits(text: &str) -> Option<String> {
    let mut number = String::new();
    for (position, character) in text.char_indices() {
        match character {
            '+' if position == 0 => number.push('+'),
            '0'..='9' | '*' | '#' => number.push(character),
            '-' | '.' | '(' | ')' | ' ' => {}
            _ => return None,
        }
        if number.len() > MAX_NUMBER_DIGITS {
            return None;
        }
    }
    number.contains(|character: char| character.is_ascii_digit()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_emergency_number_is_known_behind_an_access_digit_too() {
        for number in ["911", "9911", "00911", "112", "0112"] {
            assert!(is_public_emergency(number), "{number}");
        }
        for number in ["4710", "12125550911", "9110", "91", ""] {
            assert!(!is_public_emergency(number), "{number}");
        }
    }

    #[test]
    fn numbers_are_read_in_the_forms_that_pbxs_send() {
        let rules = NumberRules { strip: vec!["8".into(), "+1555010".into()] };
        type Read = Option<(&'static str, Option<&'static str>)>;
        let table: [(&str, Read); 11] = [
            ("4710", Some(("4710", None))),
            ("84710", Some(("84710", Some("4710")))),
            ("+15550104710", Some(("+15550104710", Some("4710")))),
            ("tel:+1-555-010-4710", Some(("+15550104710", Some("4710")))),
            ("4710;phone-context=mercy.example", Some(("4710", None))),
            ("(555) 200.3000", Some(("5552003000", None))),
            ("Anonymous", None),
            ("", None),
            ("front-desk", None),
            ("+", None),
            ("1111111111111111111111111", None),
        ];
        for (text, expected) in table {
            let read = Number::read(text, &rules);
            let found = read.as_ref().map(|number| (number.full.as_str(), number.stripped.as_deref()));
            assert_eq!(found, expected, "{text}");
        }
    }
}

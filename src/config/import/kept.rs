//! What an import writes leaves the rest of the file as it is: remarks and layout, wherever they stand.

use std::collections::BTreeMap;

use proptest::prelude::*;
use toml_edit::DocumentMut;

use super::map::{Key, write};
use super::rules::Facts;
use crate::identity::PhoneClass;
use crate::ids::UnitId;

const SAMPLE: &str = include_str!("../../../sip-config/hospital.toml");

/// Lines that stay comments wherever they stand, and blanks.
const REMARKS: &[&str] = &["# the night's way", "\t# ä ü 日本", "", "   ", "#", "# [units.icu] = \"not a unit\""];

/// The sample with remarks of its own between its lines.
fn remarked(remarks: &[(prop::sample::Index, &str)]) -> String {
    let mut lines: Vec<&str> = SAMPLE.lines().collect();
    for (place, remark) in remarks {
        lines.insert(place.index(lines.len() + 1), remark);
    }
    lines.join("\n") + "\n"
}

fn imported(text: &str, numbers: &[(u64, &str)]) -> String {
    let facts =
        |unit: &str| Facts { unit: UnitId::new(unit), class: PhoneClass::Ward, system: None, module: None, room: None };
    let wanted = numbers.iter().map(|(value, unit)| (Key { digits: 4, value: *value }, facts(unit)));
    let wanted: BTreeMap<Key, Facts> = wanted.collect();
    let mut document: DocumentMut = text.parse().expect("TOML");
    write(&mut document, &wanted, &[]);
    document.to_string()
}

/// The lines of `text` that are missing in `printed`, in their order there.
fn lost<'a>(text: &'a str, printed: &str) -> Option<&'a str> {
    let mut there = printed.lines();
    text.lines().find(|line| !there.any(|printed| printed == *line))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn an_import_loses_no_line_and_a_second_one_changes_nothing(
        remarks in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(REMARKS)), 0..12),
        numbers in prop::collection::vec((6_000..6_400u64, prop::sample::select(&["4-west", "icu"][..])), 0..20),
    ) {
        let text = remarked(&remarks);
        let once = imported(&text, &numbers);
        prop_assert_eq!(lost(&text, &once), None, "{}", once);
        prop_assert_eq!(imported(&once, &numbers), once.as_str());
        // What an import has written it takes away again, and that alone.
        let gone = imported(&once, &[]);
        prop_assert_eq!(lost(&text, &gone), None, "{}", gone);
        prop_assert!(!gone.contains(super::map::MARK), "{}", gone);
    }
}

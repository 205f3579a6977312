//! Exports and tables, and what an import makes of them.

mod any_bytes;
mod formats;
mod people;
mod placing;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use toml_edit::DocumentMut;

use super::columns::{self, Export, Field, Kind, Named};
use super::map::{self, Key, Present, Range, ranges};
use super::phones::{self, Proposal, Removal, Wishes};
use super::rules::{self, Rule};
use super::sheet::Encoding;
use super::{analysts, sheet, suggest};
use crate::config::reader::Problems;
use crate::config::tree;
use crate::diagnostic::Report;
use crate::identity::NumberRules;
use crate::ids::SiteId;

const CUCM: &[u8] = include_bytes!("../../../../tests/cli/exports/cucm.csv");
const FREEPBX: &[u8] = include_bytes!("../../../../tests/cli/exports/freepbx.csv");
const LIST_STATION: &[u8] = include_bytes!("../../../../tests/cli/exports/avaya-list-station.txt");
const AVAYA: &[u8] = include_bytes!("../../../../tests/cli/exports/avaya.csv");
const RULES: &[u8] = include_bytes!("../../../../tests/cli/exports/import.toml");

const HOSPITAL: &str = r#"id = "mercy"
[hotlines.7100]
plan = "hotline"
[sites.main]
name = "Main"
[systems.ehr]
product = "EHR"
modules = ["charting"]

# Units of the house.
[units]
4-west = { site = "main", name = "4 West", system = "ehr" }
icu = { site = "main", name = "ICU" }
emergency = { site = "main", name = "Emergency" }

# Ours: the medication room.
[[extensions]]
number = "2707"
unit = "4-west"
module = "charting"

# People.
[people.rao]
name = "Dr. Rao"
"#;

fn read(bytes: &[u8]) -> Export {
    columns::read(bytes, &Named::default()).expect("an export")
}

fn rules_of(text: &[u8]) -> Vec<Rule> {
    let (mut report, problems) = (Report::new(), Problems::default());
    let tree = tree::parse("import.toml", text, &mut report).expect("TOML");
    let rules = rules::read(&tree, "import.toml", &problems);
    problems.into_report(&mut report);
    assert!(!report.has_errors(), "{:?}", report.diagnostics());
    rules
}

fn propose(export: &Export, rules: &[Rule], file: &str, remove: bool) -> Proposal {
    let document: DocumentMut = file.parse().expect("TOML");
    let present = Present::read(&document).expect("readable");
    let numbering = NumberRules { strip: vec!["+1555010".to_owned()] };
    let wishes = Wishes { remove: remove.then(Removal::default) };
    phones::propose(export, rules, &present, &numbering, &wishes)
}

fn written(file: &str, proposal: &Proposal) -> String {
    let mut document: DocumentMut = file.parse().expect("TOML");
    map::write(&mut document, &proposal.wanted, &proposal.new_units);
    document.to_string()
}

fn shown<T>(of: &BTreeMap<Key, T>) -> Vec<String> {
    ranges(of.keys().copied()).iter().map(Range::shown).collect()
}

fn known() -> analysts::Known {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<String>>();
    analysts::Known {
        hospital: "mercy".to_owned(),
        trunk: "pbx".to_owned(),
        systems: [("ehr".to_owned(), words(&["charting", "orders"])), ("lab".to_owned(), words(&["results"]))].into(),
        sites: words(&["main"]),
        languages: words(&["en", "es"]),
        analysts: [("amara-osei".to_owned(), "Amara Osei".to_owned())].into(),
        users: words(&["amara"]),
    }
}

//! What is described is read, what is read is described, and all that is made of the description is up to date.

use std::collections::BTreeSet;
use std::fs;

use toml_edit::{DocumentMut, Item, TableLike};

use super::{root, surroundings};
use crate::config::grammar::{ANALYSTS, FILES, HOSPITAL, NODE};
use crate::config::import::rules;
use crate::config::reader::Problems;
use crate::config::{Config, load, raw_analysts, raw_hospital, raw_node, reference, schema, tree};
use crate::diagnostic::Report;
use crate::grammar::{self, Kind, Need, Table, trace};
use crate::ivr::{Known, Plan};
use crate::simulate::Cases;

/// Every step that an example leads to, so that each example is a plan together with this.
const STEPS_AROUND: &str = r#"
start = "question"
[steps.question]
type = "menu"
say = ["desk-question"]
silence = "ring"
wrong = "known"
[steps.known]
type = "alert"
next = "greet"
[steps.greet]
type = "play"
say = ["desk"]
next = "connect"
[steps.asked]
type = "callback"
cause = "asked"
say = ["done"]
"#;

/// What is in `over` replaces what is in `text`, table by table.
pub fn merged(text: &str, over: &str) -> String {
    fn lay(over: &dyn TableLike, under: &mut dyn TableLike) {
        for (key, item) in over.iter() {
            match (item.as_table_like(), under.get_mut(key).and_then(Item::as_table_like_mut)) {
                // A step is replaced whole, not mixed with another.
                (Some(over), Some(under)) if !over.contains_key("type") => lay(over, under),
                _ => {
                    under.insert(key, item.clone());
                }
            }
        }
    }
    let mut under: DocumentMut = text.parse().expect("TOML");
    let over: DocumentMut = over.parse().expect("TOML");
    lay(over.as_table(), under.as_table_mut());
    under.to_string()
}

/// A whole file in which an example can stand.
fn whole(file: &'static Table, example: &str) -> String {
    let around = match file.name {
        "plan" => STEPS_AROUND,
        "hospital" => "people.anika-rao = { name = \"Dr. Anika Rao\" }",
        _ => "",
    };
    merged(&merged(file.example, around), example)
}

/// Reads a whole file. What was read, without places, or what is wrong with it.
fn read(file: &'static Table, text: &str) -> Result<String, String> {
    let (mut report, problems) = (Report::new(), Problems::default());
    let mut tree = || tree::parse("example.toml", text.as_bytes(), &mut report).expect("TOML");
    let read = match file.name {
        "wardline" => format!("{:?}", raw_node::read(&tree(), &root(), &problems)),
        "hospital" => format!("{:?}", raw_hospital::read(&tree(), "example.toml", &problems)),
        "analysts" => format!("{:?}", raw_analysts::read(&tree(), "example.toml", &problems)),
        "plan" => format!("{:?}", Plan::load("plans/example.toml", text, &Known::default(), &mut report)),
        "prompts" => read_manifest(text, &mut report),
        "import" => {
            let tree = tree::parse("example.toml", text.as_bytes(), &mut report).expect("TOML");
            format!("{:?}", rules::read(&tree, "example.toml", &problems))
        }
        "cases" => format!("{:?}", Cases::read("cases/example.toml", text.as_bytes(), &sample(), &mut report)),
        other => panic!("nobody reads `{other}`"),
    };
    problems.into_report(&mut report);
    // An example shows one step; that nothing leads to it is no fault of what it shows.
    let wrong = report.diagnostics().iter().filter(|finding| !finding.what.starts_with("no call ever reaches step"));
    let wrong: Vec<&str> = wrong.map(|finding| finding.what.as_str()).collect();
    if wrong.is_empty() { Ok(placeless(&read)) } else { Err(wrong.join("; ")) }
}

fn sample() -> Config {
    load(&root().join("sip-config"), &surroundings()).expect("the sample is valid").config
}

fn read_manifest(text: &str, report: &mut Report) -> String {
    let mut prompts = crate::ivr::Prompts::default();
    let mut wav = |_: &str| fs::read(root().join("prompts/en/beep.wav"));
    prompts.add(&crate::ids::Language::new("en"), text, &mut wav, report);
    format!("{prompts:?}")
}

/// The same without "span: 3..8": where something stands is not what it says.
pub fn placeless(shown: &str) -> String {
    let mut parts = shown.split("span: ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| out + part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.'))
}

fn tables() -> impl Iterator<Item = (&'static Table, &'static Table)> {
    FILES.iter().flat_map(|file| grammar::all(file).into_iter().map(|table| (*file, table)))
}

#[test]
fn every_example_of_the_reference_is_read_without_a_finding() {
    for (file, table) in tables() {
        assert_eq!(read(file, &whole(file, table.example)).err(), None, "the example of `{}`", table.name);
    }
}

#[test]
fn every_key_that_is_described_is_read_and_no_other() {
    trace::take();
    load(&root().join("sip-config"), &surroundings()).expect("the sample is valid");
    for (file, table) in tables() {
        let _ = read(file, &whole(file, table.example));
    }
    let asked = trace::take();
    let described: BTreeSet<(&str, String)> =
        tables().flat_map(|(_, table)| table.keys().map(|key| (table.name, key.name.to_owned()))).collect();
    let unread: Vec<_> = described.difference(&asked).collect();
    assert!(unread.is_empty(), "described, but no reader asks for them: {unread:?}");
    let unknown: Vec<_> = asked.difference(&described).collect();
    assert!(unknown.is_empty(), "read, but not described: {unknown:?}");
}

/// The first table of a document that is described by `wanted`.
fn find<'a>(own: &'static Table, wanted: &str, table: &'a mut dyn TableLike) -> Option<&'a mut dyn TableLike> {
    if own.name == wanted {
        return Some(table);
    }
    let kind = |name: &str| own.key(name).map(|key| key.kind);
    for (name, item) in table.iter_mut() {
        let Some(kind) = kind(&name) else { continue };
        let below: Vec<(&'static Table, &'a mut dyn TableLike)> = below(kind, item);
        for (own, table) in below {
            if let Some(found) = find(own, wanted, table) {
                return Some(found);
            }
        }
    }
    None
}

fn below(kind: Kind, item: &mut Item) -> Vec<(&'static Table, &mut dyn TableLike)> {
    let one = |item| -> Option<&mut dyn TableLike> { Item::as_table_like_mut(item) };
    match kind {
        Kind::Table(own) => one(item).map(|table| (own, table)).into_iter().collect(),
        Kind::Tables(own, _) => match item {
            Item::ArrayOfTables(tables) => tables.iter_mut().map(|table| (own, table as &mut dyn TableLike)).collect(),
            Item::Value(toml_edit::Value::Array(items)) => {
                let tables = items.iter_mut().filter_map(toml_edit::Value::as_inline_table_mut);
                tables.map(|table| (own, table as &mut dyn TableLike)).collect()
            }
            Item::None | Item::Value(_) | Item::Table(_) => Vec::new(),
        },
        Kind::Named(own, _) | Kind::Keypad(Some(own)) => {
            let all = one(item).into_iter().flat_map(|all| all.iter_mut());
            all.filter_map(|(_, item)| Some((own, one(item)?))).collect()
        }
        Kind::Steps(steps) => {
            let all = one(item).into_iter().flat_map(|all| all.iter_mut());
            let all = all.filter_map(|(_, item)| one(item));
            all.filter_map(|table| {
                let tag = table.get("type").and_then(Item::as_str);
                let own = steps.iter().find(|step| step.tag == tag)?;
                Some((*own, table))
            })
            .collect()
        }
        Kind::Text
        | Kind::Form(_)
        | Kind::Words(_)
        | Kind::Flag
        | Kind::Number { .. }
        | Kind::Duration { .. }
        | Kind::List(_)
        | Kind::OneOrMore(..)
        | Kind::Texts
        | Kind::Keypad(None) => Vec::new(),
    }
}

/// A whole file with a key written (or left out, for `None`) in the first table of a kind.
fn with_key(file: &'static Table, table: &'static Table, key: &str, value: Option<&str>) -> String {
    let mut document: DocumentMut = whole(file, table.example).parse().expect("TOML");
    let found = find(file, table.name, document.as_table_mut()).expect("an example shows its own table");
    // `skip` goes with `ask` alone.
    if key == "ask" {
        found.remove("skip");
    }
    match value {
        None => {
            found.remove(key);
        }
        Some(value) => {
            let written: DocumentMut = format!("value = {value}").parse().expect("a default is written as TOML");
            found.insert(key, written["value"].clone());
        }
    }
    document.to_string()
}

#[test]
fn without_a_key_its_described_default_holds() {
    let mut judged = 0;
    for (file, table) in tables() {
        for key in table.keys() {
            let Need::Default(value) = key.need else { continue };
            let without = read(file, &with_key(file, table, key.name, None)).expect("readable without it");
            let with = read(file, &with_key(file, table, key.name, Some(value))).expect("readable with it");
            assert_eq!(without, with, "`{}` of `{}`", key.name, table.name);
            judged += 1;
        }
    }
    assert!(judged > 25, "only {judged} defaults were judged");
}

#[test]
fn a_required_key_that_is_missing_is_an_error() {
    for (file, table) in tables() {
        for key in table.keys().filter(|key| key.need == Need::Required) {
            // Missed where people are tied to their hospitals, not where their file is read.
            if (table.name, key.name) == ("analyst", "phones") {
                continue;
            }
            let text = with_key(file, table, key.name, None);
            assert!(read(file, &text).is_err(), "`{}` of `{}` is not missed", key.name, table.name);
        }
    }
}

/// Compares a committed file with what it is made of; UPDATE_GENERATED=1 writes it.
#[track_caller]
pub fn committed(path: &str, generated: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::write(&file, generated).expect("written");
    }
    let there = fs::read_to_string(&file).unwrap_or_default();
    assert!(there == generated, "{path} is not what the grammar says: run with UPDATE_GENERATED=1");
}

#[test]
fn the_committed_schemas_and_the_reference_say_what_the_grammar_says() {
    for file in FILES {
        committed(&format!("sip-config/schema/{}.json", file.name), &schema::text(file));
    }
    committed("docs/reference.md", &reference::text());
}

#[test]
fn a_sections_name_is_its_own() {
    let mut seen = BTreeSet::new();
    for (_, table) in tables() {
        assert!(seen.insert(table.name), "two tables are called `{}`", table.name);
        assert!(!table.doc.is_empty() && !table.example.is_empty(), "`{}` is not explained", table.name);
    }
    assert!(seen.contains(NODE.name) && seen.contains(HOSPITAL.name) && seen.contains(ANALYSTS.name));
}

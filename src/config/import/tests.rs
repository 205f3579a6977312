//! Exports as PBXs write them, in every encoding, and what an import makes of them.

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

const CUCM: &[u8] = include_bytes!("../../../tests/cli/exports/cucm.csv");
const FREEPBX: &[u8] = include_bytes!("../../../tests/cli/exports/freepbx.csv");
const LIST_STATION: &[u8] = include_bytes!("../../../tests/cli/exports/avaya-list-station.txt");
const AVAYA: &[u8] = include_bytes!("../../../tests/cli/exports/avaya.csv");
const RULES: &[u8] = include_bytes!("../../../tests/cli/exports/import.toml");

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

// -- Formats ----------------------------------------------------------------------------------------------------------

#[test]
fn each_pbxs_export_is_read_by_its_own_columns() {
    for (bytes, kind, lines) in
        [(CUCM, Kind::Cucm, 25), (FREEPBX, Kind::FreePbx, 4), (LIST_STATION, Kind::Avaya, 4), (AVAYA, Kind::Avaya, 3)]
    {
        let export = read(bytes);
        assert_eq!((export.kind, export.phones.len()), (kind, lines), "{:?}", export.number_columns);
    }
}

#[test]
fn the_lines_of_a_phone_keep_their_own_texts() {
    let export = read(CUCM);
    let second: Vec<_> = export.phones.iter().filter(|phone| phone.number == "2790").collect();
    assert_eq!(second.len(), 2);
    let names: Vec<&str> =
        second[0].texts.iter().filter(|(field, _)| *field == Field::Name).map(|(_, text)| text.as_str()).collect();
    assert_eq!(names, ["4 West main line"]);
    assert_eq!(second[0].shown(), "4W Charge Nurse");
}

#[test]
fn the_terminals_list_is_read_by_its_columns_over_pages() {
    let export = read(LIST_STATION);
    let first = &export.phones[0];
    assert_eq!(
        (first.number.as_str(), first.shown(), first.room.as_deref()),
        ("2700", "4 West Nurse 1", Some("4W-10"))
    );
    assert_eq!((export.phones[2].shown(), export.phones[2].room.as_deref()), ("ICU Bay 1", None));
    assert_eq!((export.phones[3].number.as_str(), export.phones[3].line), ("2721", 21));
}

#[test]
fn avayas_csv_is_cut_at_its_separators_and_never_by_position() {
    let told = |bytes: &[u8]| -> Vec<(String, String, Option<String>)> {
        let phones = read(bytes).phones.into_iter();
        phones.map(|phone| (phone.number.clone(), phone.shown().to_owned(), phone.room)).collect()
    };
    let phone =
        |number: &str, name: &str, room: Option<&str>| (number.to_owned(), name.to_owned(), room.map(str::to_owned));
    let expected = [
        phone("2700", "4 West Nurse 1", Some("4W-10")),
        phone("2701", "4 West Nurse 2", Some("4W-11")),
        phone("2720", "ICU Bay 1", None),
    ];
    assert_eq!(told(AVAYA), expected);
    let text = std::str::from_utf8(AVAYA).expect("UTF-8");
    for separator in [",", "\t", "|"] {
        assert_eq!(told(text.replace(';', separator).as_bytes()), expected, "cut at {separator:?}");
    }
    let short = "Ext;Port;Name;Room;Security Code\n2700;S0;ICU;1;8841\n";
    assert_eq!(told(short.as_bytes()), [phone("2700", "ICU", Some("1"))]);
}

#[test]
fn the_terminals_list_ends_a_name_where_the_next_column_begins() {
    let text = "Ext    Port    Room    Name       Security Code\n2700   S00001  4W-10   4 West 10  8841\n";
    let export = read(text.as_bytes());
    let phone = &export.phones[0];
    assert_eq!((phone.shown(), phone.room.as_deref()), ("4 West 10", Some("4W-10")));
}

/// Each export with the words that stand in it under Password, Secret or Security Code.
const SECRETS: [(&[u8], &str); 3] = [(CUCM, "secret-pw"), (FREEPBX, "not-to-be-read"), (AVAYA, "8841")];

#[test]
fn secrets_of_an_export_reach_neither_what_is_shown_nor_the_file() {
    for (bytes, secret) in SECRETS {
        assert!(String::from_utf8_lossy(bytes).contains(secret), "the sample has none");
        let export = read(bytes);
        let proposal = propose(&export, &rules_of(RULES), HOSPITAL, false);
        let all = format!("{export:?}{proposal:?}{}", written(HOSPITAL, &proposal));
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

#[test]
fn a_column_of_secrets_is_read_for_nobody() {
    for header in ["Password", "Security Code", "PIN", "Digest User", "SIP Secret", "Voicemail Password", "Kennwort"] {
        let text = format!("Extension;{header}\n2700;8841\n");
        let named = Named { number: None, text: vec![header.to_lowercase()] };
        let refused = columns::read(text.as_bytes(), &named).expect_err("refused");
        assert!(refused.contains("secret") && !refused.contains("8841"), "{refused}");
        let named = Named { number: Some(header.to_owned()), text: Vec::new() };
        assert!(columns::read(text.as_bytes(), &named).expect_err("refused").contains("secret"));
    }
}

#[test]
fn a_row_whose_cells_have_slipped_is_refused() {
    let text = "extension,name,secret,room\n2700,ICU, Bay 1,8841,\n2701,ICU,8841\n";
    let export = read(text.as_bytes());
    assert_eq!(export.phones.iter().map(|phone| phone.number.as_str()).collect::<Vec<_>>(), ["2701"]);
    let wrong: Vec<(u64, &str)> = export.wrong.iter().map(|wrong| (wrong.line, wrong.why.as_str())).collect();
    let why = "this row has 5 cells and the header 4; put quotes around a text that holds `,`";
    assert_eq!(wrong, [(2, why)]);
}

#[test]
fn a_file_without_a_header_is_refused_and_its_cells_are_not_told() {
    let refused = columns::read(b"2700;4 West;hunter2\n", &Named::default()).expect_err("no header");
    assert!(refused.contains("begins with rows of numbers") && !refused.contains("hunter2"), "{refused}");
    let workbook = columns::read(b"PK\x03\x04\x14\x00", &Named::default()).expect_err("no table");
    assert!(workbook.contains("save it as CSV"), "{workbook}");
}

#[test]
fn a_column_that_stands_there_twice_is_refused() {
    for header in ["Extension,Name,extension", "Extension,Room,Name,Room", "Directory Number 1,Directory Number 1"] {
        let refused = columns::read(format!("{header}\n2700,x,2701,y\n").as_bytes(), &Named::default());
        assert!(refused.expect_err("refused").contains("two columns are called"), "{header}");
    }
}

// -- Quotes -----------------------------------------------------------------------------------------------------------

#[test]
fn a_quote_that_is_never_closed_refuses_the_file_and_says_where_it_opened() {
    let refused = |text: &str| columns::read(text.as_bytes(), &Named::default()).expect_err("refused");
    let open = refused("extension,name\r\n2700,ICU 1\r\n2701,\"ICU 2\r\n2702,ICU 3\r\n");
    assert!(open.starts_with("line 3, column 6: a quote opens here and is never closed"), "{open}");
    let late = refused("extension,name\n2701,\"ICU 2\n2702,\"ICU 3\"\n2703,ICU 4\n");
    assert!(late.starts_with("line 2, column 6: a quote opens here and closes at line 3, column 6"), "{late}");
    let far = format!("extension,name\n2701,\"{}\",\n", "x\n".repeat(40));
    assert!(refused(&far).starts_with("line 2, column 6: a quote opens here and closes only after more than"));
    let unheard = refused("colour,shape\n1,\"2\n");
    assert!(unheard.contains("no header") && unheard.contains("line 2, column 3"), "{unheard}");
}

#[test]
fn quotes_that_are_written_right_are_no_trouble() {
    let text = "extension,name\n2700,\"the \"\"A\"\" desk,\nsecond floor\" \n2701,12\" screen\n2702,\"\"\n";
    let shown: Vec<String> = read(text.as_bytes()).phones.iter().map(|phone| phone.shown().to_owned()).collect();
    assert_eq!(shown, ["the \"A\" desk, second floor", "12\" screen", ""]);
}

#[test]
fn every_encoding_reads_the_same_rows() {
    let text = std::str::from_utf8(CUCM).expect("UTF-8");
    let utf16 = |to: fn(u16) -> [u8; 2], mark: &[u8]| -> Vec<u8> {
        mark.iter().copied().chain(text.encode_utf16().flat_map(to)).collect()
    };
    let latin: Vec<u8> = text.chars().map(|letter| u8::try_from(u32::from(letter)).expect("Latin-1")).collect();
    let plain = read(CUCM).phones;
    assert!(plain.iter().any(|phone| phone.shown() == "Cafétéria second floor"), "a quoted line break is a blank");
    let all = [
        ([b"\xEF\xBB\xBF", CUCM].concat(), Encoding::Utf8),
        (utf16(u16::to_le_bytes, b"\xFF\xFE"), Encoding::Utf16),
        (utf16(u16::to_be_bytes, b"\xFE\xFF"), Encoding::Utf16),
        (utf16(u16::to_le_bytes, b""), Encoding::Utf16),
        (latin, Encoding::Windows1252),
    ];
    for (bytes, encoding) in all {
        let export = read(&bytes);
        assert_eq!(export.encoding, encoding);
        assert_eq!(export.phones, plain);
    }
    assert_eq!(sheet::decode(b"\x80 caf\xe9").0, "€ café");
}

#[test]
fn any_table_is_read_with_remarks_above_its_header_and_by_named_columns() {
    let text = "Phones of the house\n;;\nRaum;Nebenstelle;Wer\n4W-10;2700;Nurse\n";
    let named = Named { number: Some("Nebenstelle".to_owned()), text: vec!["Raum".to_owned()] };
    let export = columns::read(text.as_bytes(), &named).expect("a table");
    assert_eq!(
        (export.phones[0].number.as_str(), export.phones[0].shown(), export.phones[0].line),
        ("2700", "4W-10", 4)
    );
    let without = columns::read(text.as_bytes(), &Named::default()).expect_err("no known header");
    assert!(without.contains("--number-column") && without.contains("Phones of the house"), "{without}");
    let missing = Named { text: vec!["Zimmer".to_owned()], ..named };
    assert_eq!(
        columns::read(text.as_bytes(), &missing).expect_err("no such column"),
        "the file has no column `Zimmer`"
    );
}

// -- What is made of it -----------------------------------------------------------------------------------------------

#[test]
fn an_export_is_placed_by_rules_and_by_names_and_what_nobody_places_is_listed() {
    let proposal = propose(&read(CUCM), &rules_of(RULES), HOSPITAL, false);
    assert_eq!(shown(&proposal.added), ["2002", "2600-2603", "2700-2706", "2720-2723", "2790"]);
    let class = |number: &str| proposal.wanted[&Key::of(number).expect("a number")].class.as_str();
    assert_eq!([class("2600"), class("2700"), class("2002")], ["patient", "ward", "public"]);
    assert_eq!(proposal.skipped, 1);
    let unplaced: Vec<(String, u64)> =
        proposal.unplaced.iter().map(|phone| (phone.number.shown(), phone.line)).collect();
    assert_eq!(unplaced, [("2003".to_owned(), 20), ("2004".to_owned(), 22), ("2005".to_owned(), 23)]);
    let wrong: Vec<(u64, &str)> = proposal.wrong.iter().map(|wrong| (wrong.line, wrong.why.as_str())).collect();
    assert_eq!(wrong.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [24, 25], "{wrong:?}");
    assert!(wrong[0].1.contains("`*99` is no extension of 1 to 15 digits"), "{wrong:?}");
    assert!(wrong[1].1.contains("7100 is the hotline"), "{wrong:?}");
}

#[test]
fn what_stands_there_by_hand_stays_and_differences_are_told() {
    let by_hand = HOSPITAL.replace("number = \"2707\"\nunit = \"4-west\"", "number = \"2700-2707\"\nunit = \"icu\"");
    let proposal = propose(&read(CUCM), &rules_of(RULES), &by_hand, false);
    assert_eq!(proposal.conflicts.len(), 8);
    let first = &proposal.conflicts[0];
    assert_eq!((first.number.shown(), first.line, first.export.unit.as_str()), ("2700".to_owned(), 2, "4-west"));
    let text = written(&by_hand, &proposal);
    assert!(
        text.contains("# Ours: the medication room.\n[[extensions]]\nnumber = \"2700-2707\"\nunit = \"icu\""),
        "{text}"
    );
    assert_eq!(Present::read(&text.parse().expect("TOML")).expect("readable").imported().len(), proposal.added.len());
}

#[test]
fn a_second_import_of_the_same_changes_nothing() {
    let (export, rules) = (read(CUCM), rules_of(RULES));
    let once = written(HOSPITAL, &propose(&export, &rules, HOSPITAL, false));
    let again = propose(&export, &rules, &once, true);
    assert!(again.changes_nothing(), "{again:?}");
    assert_eq!(written(&once, &again), once);
    for remark in ["# Units of the house.", "# Ours: the medication room.", "# People."] {
        assert!(once.contains(remark), "{remark} is lost in {once}");
    }
}

#[test]
fn a_phone_that_moved_is_changed_and_one_that_is_gone_stays_until_it_is_asked_to_go() {
    let first = "extension,name\n2700,4 West 1\n2701,4 West 2\n2702,4 West 3\n";
    let then = "extension,name\n2700,4 West 1\n2701,ICU 2\n";
    let once = written(HOSPITAL, &propose(&read(first.as_bytes()), &[], HOSPITAL, false));
    let kept = propose(&read(then.as_bytes()), &[], &once, false);
    assert_eq!((shown(&kept.changed), kept.removed.len(), kept.gone.len()), (vec!["2701".to_owned()], 0, 1));
    assert!(written(&once, &kept).contains("number = \"2702\""));
    let removed = propose(&read(then.as_bytes()), &[], &once, true);
    assert_eq!(shown(&removed.removed), ["2702"]);
    assert!(!written(&once, &removed).contains("2702"));
}

/// A hospital of two sites: the ICU stands in the other one.
fn two_sites() -> String {
    let two = HOSPITAL.replace("[sites.main]", "[sites.north]\nname = \"North\"\n[sites.main]");
    two.replace("icu = { site = \"main\"", "icu = { site = \"north\"")
}

fn removing(export: &str, rules: &[Rule], file: &str, sites: &[&str]) -> Proposal {
    let present = Present::read(&file.parse().expect("TOML")).expect("readable");
    let sites = sites.iter().map(|site| SiteId::new(site)).collect();
    let wishes = Wishes { remove: Some(Removal { confirmed: None, sites }) };
    phones::propose(&read(export.as_bytes()), rules, &present, &NumberRules::default(), &wishes)
}

#[test]
fn nothing_goes_off_the_map_by_an_export_with_a_row_that_is_not_read() {
    let once = written(HOSPITAL, &propose(&read(b"extension,name\n2700,ICU\n2701,ICU\n"), &[], HOSPITAL, false));
    let then = "extension,name\n2700,ICU\n27O1,ICU parking\n";
    let proposal = removing(then, &[], &once, &[]);
    for confirmed in [None, Some(1)] {
        let removal = Removal { confirmed, ..Removal::default() };
        let refused = proposal.may_remove(&removal, confirmed.is_some()).expect_err("refused");
        assert!(refused.contains("1 refused row may be") && refused.contains("skip = true"), "{refused}");
    }
    let rules = rules_of(b"[[rules]]\nmatch = [\"parking\"]\nskip = true\n");
    let left_out = removing(then, &rules, &once, &[]);
    assert_eq!((left_out.skipped, left_out.wrong.len(), left_out.lost.len()), (1, 0, 1));
    assert_eq!(left_out.may_remove(&Removal { confirmed: Some(1), ..Removal::default() }, true), Ok(()));
}

#[test]
fn as_many_numbers_go_as_somebody_confirmed() {
    let first = "extension,name\n2700,ICU\n2701,ICU\n2702,ICU\n";
    let once = written(HOSPITAL, &propose(&read(first.as_bytes()), &[], HOSPITAL, false));
    let proposal = removing("extension,name\n2700,ICU\n", &[], &once, &[]);
    let may = |confirmed, writes| proposal.may_remove(&Removal { confirmed, ..Removal::default() }, writes);
    assert_eq!(may(None, false), Ok(()), "a preview is free");
    assert!(may(None, true).expect_err("unseen").contains("--write --remove=2"));
    assert!(may(Some(3), true).expect_err("another count").contains("2 numbers would go"));
    assert_eq!(may(Some(2), true), Ok(()));
}

#[test]
fn an_export_of_one_site_takes_nothing_from_another_and_a_site_that_would_be_emptied_is_told() {
    let two = two_sites();
    let first = "extension,name\n2700,ICU\n2701,ICU\n2600,4 West\n2601,4 West\n";
    let once = written(&two, &propose(&read(first.as_bytes()), &[], &two, false));
    let west_alone = "extension,name\n2600,4 West\n";
    let whole = removing(west_alone, &[], &once, &[]);
    assert_eq!(shown(&whole.removed), ["2601", "2700-2701"]);
    assert_eq!(whole.emptied, [(SiteId::new("north"), 2)]);
    let of_main = removing(west_alone, &[], &once, &["main"]);
    assert_eq!((shown(&of_main.removed), of_main.gone.len()), (vec!["2601".to_owned()], 2));
    assert!(of_main.emptied.is_empty());
    assert!(written(&once, &of_main).contains("number = \"2700-2701\""));
}

#[test]
fn a_line_on_several_phones_is_placed_where_all_of_them_say_and_else_not_at_all() {
    let of = |rows: &str, rules: &[Rule]| {
        propose(&read(format!("extension,name,room\n{rows}").as_bytes()), rules, HOSPITAL, false)
    };
    let alike = of("2790,ICU 1,A\n2790,ICU 2,B\n2791,nobody,C\n2791,ICU 3,C\n", &[]);
    assert!(alike.wrong.is_empty() && alike.unplaced.is_empty(), "{alike:?}");
    let rooms: Vec<Option<&str>> = alike.wanted.values().map(|facts| facts.room.as_deref()).collect();
    assert_eq!(rooms, [None, Some("C")], "a line in two rooms is in neither");
    let apart = of("2790,ICU 1,\n2790,4 West,\n", &[]);
    assert!(apart.wanted.is_empty());
    assert_eq!(apart.wrong[0].line, 3);
    let why = "2790 is 4-west here and icu in line 2; say which by a rule with numbers = \"2790\"";
    assert_eq!(apart.wrong[0].why, why);
    let decided = rules_of(b"[[rules]]\nnumbers = \"2790\"\nunit = \"icu\"\n");
    assert_eq!(of("2790,ICU 1,\n2790,4 West,\n", &decided).wanted.len(), 1);
}

#[test]
fn a_rule_that_cannot_declare_its_unit_moves_no_phone() {
    let two = two_sites();
    let export = read(b"extension,name\n2700,ICU\n");
    let once = written(&two, &propose(&export, &[], &two, false));
    let rules = rules_of(b"[[rules]]\nmatch = [\"ICU\"]\nunit = \"new-wing\"\n");
    let proposal = propose(&export, &rules, &once, false);
    assert!(proposal.wrong[0].why.contains("`new-wing`"), "{:?}", proposal.wrong);
    assert_eq!(written(&once, &proposal), once);
}

#[test]
fn no_unit_is_made_of_a_device_a_role_or_a_person() {
    let text = "extension,name\n1,Fax 1\n2,Fax 2\n3,\"Someone, Else\"\n4,\"Someone, New\"\n5,Nurse 1\n6,nurse 2\n\
                7,Rao Desk\n8,Imaging 1\n9,Imaging 2\n";
    let all = suggest::rules(&propose(&read(text.as_bytes()), &[], HOSPITAL, false).unplaced);
    let units: Vec<(&str, usize)> = all.iter().map(|one| (one.unit.as_str(), one.phones)).collect();
    assert_eq!(units, [("imaging", 2)]);
}

#[test]
fn a_unit_that_a_rule_names_is_declared_where_its_site_is_known() {
    let rules = rules_of(b"[[rules]]\nmatch = [\"Boardroom*\"]\nunit = \"admin-wing\"\nclass = \"office\"\n");
    let proposal = propose(&read(CUCM), &rules, HOSPITAL, false);
    let unit = &proposal.new_units[0];
    assert_eq!((unit.id.as_str(), unit.name.as_str(), unit.site.as_str()), ("admin-wing", "Admin Wing", "main"));
    let two = HOSPITAL.replace("[sites.main]", "[sites.north]\nname = \"North\"\n[sites.main]");
    let refused = propose(&read(CUCM), &rules, &two, false);
    assert!(refused.new_units.is_empty() && !shown(&refused.added).contains(&"2004-2005".to_owned()));
    assert!(refused.wrong[0].why.contains("rule 1 names unit `admin-wing`"), "{:?}", refused.wrong);
}

#[test]
fn unplaced_phones_suggest_rules_that_place_them() {
    let bare = HOSPITAL.replace("4-west = { site = \"main\", name = \"4 West\", system = \"ehr\" }\n", "");
    let bare = bare.replace("number = \"2707\"\nunit = \"4-west\"", "number = \"2707\"\nunit = \"icu\"");
    let proposal = propose(&read(CUCM), &[], &bare, false);
    let all = suggest::rules(&proposal.unplaced);
    assert_eq!((all[0].pattern.as_str(), all[0].unit.as_str(), all[0].phones), ("4w*", "4w", 12));
    for suggestion in &all {
        let text = format!("[[rules]]\nmatch = [\"{}\"]\nunit = \"{}\"\n", suggestion.pattern, suggestion.unit);
        let placed = propose(&read(CUCM), &rules_of(text.as_bytes()), &bare, false);
        let unit: BTreeSet<Key> = placed
            .wanted
            .iter()
            .filter(|(_, facts)| facts.unit.as_str() == suggestion.unit)
            .map(|(key, _)| *key)
            .collect();
        assert!(unit.len() >= suggestion.phones, "{suggestion:?} places {unit:?}");
    }
}

// -- People -----------------------------------------------------------------------------------------------------------

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

#[test]
fn people_are_read_with_their_shifts_and_every_wrong_row_says_why() {
    let people = analysts::read(include_bytes!("../../../tests/cli/exports/people.csv"), &known()).expect("a table");
    let ids: Vec<&str> = people.new.iter().map(|person| person.id.as_str()).collect();
    assert_eq!(ids, ["lena-brandt", "ruth-okafor", "dana-kowalski"]);
    assert_eq!(people.there, [("amara-osei".to_owned(), vec![7])].into());
    let told: Vec<(u64, &str)> = people.wrong.iter().map(|wrong| (wrong.line, wrong.why.as_str())).collect();
    assert_eq!(told.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [5, 6, 6, 6][..told.len()].to_vec(), "{told:?}");
    assert!(told[0].1.contains("has no phone"), "{told:?}");
    assert!(told.iter().any(|(_, why)| why.contains("did you mean ehr?")), "{told:?}");
    assert!(told.iter().any(|(_, why)| why.contains("`mon-fry 7-15` is no shift")), "{told:?}");
    let ruth = analysts::text(&people.new[1], &known());
    assert_eq!(
        ruth,
        r#"
[analysts.ruth-okafor]
name = "Ruth Okafor"
hospitals = ["mercy"]
phones = [
    { register = "ruth" },
    { trunk = "pbx", number = "2905" },
]
qualifications = [{ system = "ehr", modules = ["*"], level = "expert" }]
shifts = [
    { days = ["mon", "tue", "wed", "thu", "fri"], from = "15:00", to = "23:00" },
    { days = ["sat", "sun"], from = "08:00", to = "20:00" },
]
"#
    );
    let dana = analysts::text(&people.new[2], &known());
    assert!(dana.contains("number = \"+12025550117\", outside = true, role = \"on-call\""), "{dana}");
    assert!(dana.contains("supervisor = true"), "{dana}");
    assert!(dana.contains("from = \"00:00\", to = \"24:00\""), "{dana}");
}

fn people(text: &str) -> analysts::People {
    analysts::read(text.as_bytes(), &known()).expect("a table")
}

/// Line and reason of each refused row.
fn refused(people: &analysts::People) -> Vec<(u64, &str)> {
    people.wrong.iter().map(|wrong| (wrong.line, wrong.why.as_str())).collect()
}

#[test]
fn rows_of_one_person_add_up_with_their_sites_and_languages() {
    let people = people(
        "Name,User,Systems,Modules,Level,Sites,Languages\nLena Brandt,lena,ehr,charting,expert,,en\n\
         Lena Brandt,,lab,ALL,,main,\nlena brandt,lena,ehr,Charting,expert,Main,es\n",
    );
    assert_eq!(refused(&people), []);
    let lena = &people.new[0];
    let held: Vec<(&str, usize, &str)> =
        lena.held.iter().map(|held| (held.system.as_str(), held.modules.len(), held.level.as_str())).collect();
    assert_eq!(held, [("ehr", 1, "expert"), ("lab", 0, "basic")]);
    assert_eq!(
        (lena.sites.as_slice(), lena.languages.as_slice()),
        (&["main".to_owned()][..], &["en".to_owned(), "es".to_owned()][..])
    );
}

#[test]
fn one_wrong_row_leaves_a_person_out_and_each_of_their_rows_is_told() {
    let people = people(
        "Name,User,Systems,Modules\nJoel,joel,ehr,all\nJoel,,nothing,\nJoel,,lab,all\nLena,lena,ehr,all\nTwin,lena,ehr,all\n\
         Alone,,ehr,all\nAlone,,lab,all\n",
    );
    assert_eq!(people.new.iter().map(|person| person.name.as_str()).collect::<Vec<_>>(), ["Lena"]);
    let told = refused(&people);
    assert_eq!(told.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 4, 6, 7, 8], "{told:?}");
    assert_eq!(told[0].1, "left out, as line 3 is of the same person (joel) and refused");
    assert_eq!(told[2].1, told[0].1);
    assert!(told[3].1.contains("another phone registers as `lena`"), "{told:?}");
    assert!(told[4].1.contains("has no phone") && told[5].1.contains("line 7"), "{told:?}");
}

#[test]
fn two_people_of_one_id_never_become_one() {
    let two = people("Name,User,Systems,Modules\nJose Silva,jose,ehr,all\nJosé Silva,jose2,lab,all\n");
    assert!(two.new.is_empty());
    let told = refused(&two);
    assert!(
        told[1].1.starts_with("José Silva has the id `jose-silva`, and so has Jose Silva, who stands in line 2"),
        "{told:?}"
    );
    assert!(told[0].1.contains("left out, as line 3"), "{told:?}");
    let named = people("Name,Id,User,Systems,Modules\nJose Silva,js1,jose,ehr,all\nJosé Silva,js2,jose2,lab,all\n");
    assert_eq!((named.new.len(), refused(&named)), (2, vec![]));
    let declared = people("Name,User\nAmära Osei,x\n");
    assert!(refused(&declared)[0].1.contains("and so has Amara Osei, who is declared already"), "{declared:?}");
    let phones = people("Name,User,Mobile\nMaria Silva,maria,\nMaria Silva,msilva,\n");
    assert!(refused(&phones)[1].1.contains("`maria` in line 2 and `msilva` here"), "{phones:?}");
    let levels = people("Name,User,Systems,Modules,Level\nLena,lena,ehr,all,basic\nLena,,ehr,orders,expert\n");
    assert!(refused(&levels)[1].1.contains("basic in a row above and expert here"), "{levels:?}");
}

#[test]
fn who_takes_every_module_is_said_and_never_left_empty() {
    let why = |systems: &str, modules: &str| -> String {
        let people = people(&format!("Name,User,Systems,Modules\nLena,lena,{systems},{modules}\n"));
        refused(&people).first().map(|(_, why)| (*why).to_owned()).unwrap_or_default()
    };
    assert_eq!(why("ehr", ""), "Modules is empty; write all, or those that they know: charting, orders");
    assert_eq!(why("ehr", "all; orders"), "Modules says all and names some; write one of them");
    assert_eq!(why("ehr; lab", "orders"), "lab has none of these modules; write it in a row of its own");
    assert_eq!(why("", "all"), "modules are named, but no system; fill in Systems");
    for fine in [("ehr", "All"), ("ehr", "*"), ("ehr; lab", "orders; results"), ("", "")] {
        assert_eq!(why(fine.0, fine.1), "", "{fine:?}");
    }
}

#[test]
fn a_cell_that_is_not_understood_is_a_fault_and_a_column_that_is_not_is_told() {
    let odd =
        people("Name,Id,User,Role,Moble,Notes\n李雷,,lei,,,\nLena,,lena,boss,,\n,x,y,,,\n韩梅,han-mei,han,Lead,,\n");
    let told = refused(&odd);
    assert!(told[0].1.contains("no id can be made of `李雷`; fill in Id"), "{told:?}");
    assert!(told[1].1.contains("`boss` is no role"), "{told:?}");
    assert!(told[2].1.contains("Name is empty"), "{told:?}");
    assert_eq!((odd.new[0].id.as_str(), odd.new[0].supervisor), ("han-mei", true));
    assert_eq!(odd.unread, ["Moble", "Notes"]);
    let twice = analysts::read(b"Name,Level,Level\nLena,basic,expert\n", &known()).expect_err("refused");
    assert!(twice.contains("two columns are called `Level`"), "{twice}");
}

// -- Any bytes --------------------------------------------------------------------------------------------------------

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_and_never_break_the_file(
        bytes in proptest::collection::vec(any::<u8>(), 0..2_000),
        header in prop_oneof![
            Just(&b""[..]),
            Just(&b"extension,name,room\n"[..]),
            Just(&b"Directory Number 1;Description;Location\n"[..]),
            Just(&b"Ext/   Port/  Name/    Room/\n"[..]),
        ],
    ) {
        let bytes = [header, bytes.as_slice()].concat();
        if let Ok(export) = columns::read(&bytes, &Named::default()) {
            let proposal = propose(&export, &rules_of(RULES), HOSPITAL, true);
            let text = written(HOSPITAL, &proposal);
            let again = propose(&export, &rules_of(RULES), &text, true);
            prop_assert!(again.changes_nothing(), "{:?}", again);
        }
        let _ = analysts::read(&[b"name,user,shifts,systems\n", bytes.as_slice()].concat(), &known());
    }

    #[test]
    fn any_phones_of_known_units_are_on_the_map_once_after_an_import(
        rows in proptest::collection::vec((0u32..3_000, "[0-9]{1,5}", prop_oneof![Just("4 West"), Just("ICU"), Just("Fax"), Just("x")]), 0..60),
    ) {
        let mut text = "extension,name\n".to_owned();
        for (number, odd, name) in &rows {
            text.push_str(&format!("{number:04},{name}\n{odd},{name}\n"));
        }
        let export = read(text.as_bytes());
        let file = written(HOSPITAL, &propose(&export, &[], HOSPITAL, false));
        let present = Present::read(&file.parse().expect("TOML")).expect("readable");
        let mut seen = BTreeSet::new();
        for entry in present.entries.iter().flatten() {
            for value in entry.range.first.value..=entry.range.last.value {
                prop_assert!(seen.insert((entry.range.first.digits, value)), "twice: {value} in {file}");
            }
        }
    }
}

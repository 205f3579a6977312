//! The admin's first day: `wardline init` in an empty folder, then check and a simulated call.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::{Run, nowhere, program, says, wardline};

/// Every flag that has no suggestion.
const FLAGS: [&str; 16] = [
    "--hospital-name",
    "Mercy Harbor",
    "--time-zone",
    "America/New_York",
    "--hotline",
    "7100",
    "--operator",
    "4000",
    "--code-number",
    "5555",
    "--pbx-address",
    "10.20.0.10",
    "--listen",
    "10.20.0.5",
    "--analyst",
    "Amara Osei",
];

fn init(folder: &Path, more: &[&str]) -> Run {
    let words: Vec<&str> = ["init"].into_iter().chain(FLAGS).chain(more.iter().copied()).collect();
    wardline(folder, &words)
}

fn typed(folder: &Path, words: &[&str], lines: &str) -> Run {
    let mut child = program(folder, words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    child.stdin.take().expect("standard input").write_all(lines.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("it ends");
    Run {
        code: output.status.code().expect("it ended by itself"),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

#[test]
fn init_by_flags_passes_check_and_a_call_rings_the_analyst() {
    let folder = nowhere();
    let run = init(folder.path(), &["--pbx", "cucm"]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    says(&run.out, &["sip-config is valid", "Calling Party Selection", "Originator", "Caller ID DN", "import phones"]);
    let check = wardline(folder.path(), &["check"]);
    assert_eq!(check.code, 0, "{}", check.out);
    assert!(!check.out.contains("warning"), "{}", check.out);
    let call = wardline(
        folder.path(),
        &["simulate", "--from", "2001", "--at", "2026-11-24T10:00", "--do", "3s amara-osei answers"],
    );
    assert_eq!(call.code, 0, "{}{}", call.out, call.err);
    says(&call.out, &["Rung qualified chose amara-osei", "The caller hears a human"]);
    let page = fs::read_to_string(folder.path().join("sip-config/PBX-SETUP.md")).expect("the page");
    says(&page, &["10.20.0.5", "7100", "not proven on site"]);
    let first = fs::read_to_string(folder.path().join("sip-config/hospital.toml")).expect("the file");
    assert!(first.starts_with("#:schema ./schema/hospital.json"), "{first}");
    assert!(folder.path().join("sip-config/schema/hospital.json").is_file());
}

#[test]
fn init_asks_again_with_a_reason_until_an_answer_holds() {
    let folder = nowhere();
    let lines = "Mercy Harbor\nNew York\nAmerica/New_York\nLantern\n7100\n\n7100\n4000\n7101\n5555\n9\nmitel\nfreepbx\n\
                 pbx.example\n10.20.0.10\n10.20.0.10\n10.20.0.5\n\n\n";
    let run = typed(folder.path(), &["init"], lines);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    says(
        &run.out,
        &[
            "did you mean America/New_York?",
            "7100 is the hotline",
            "differ in less than 2 digits",
            "`mitel` has no steps here",
            "`pbx.example` is no IP address",
            "10.20.0.10 is the PBX",
            "Intra-Company",
        ],
    );
    assert_eq!(wardline(folder.path(), &["check"]).code, 0);
}

#[test]
fn init_overwrites_nothing_and_a_second_run_says_what_is_there() {
    let folder = nowhere();
    assert_eq!(init(folder.path(), &[]).code, 0);
    let hospital = folder.path().join("sip-config/hospital.toml");
    fs::write(&hospital, "mine").expect("written");
    let again = init(folder.path(), &[]);
    assert_eq!(again.code, 1);
    says(&again.err, &["hospital.toml", "overwrites nothing", "wardline init DIR"]);
    assert_eq!(fs::read_to_string(&hospital).expect("there"), "mine");
}

#[test]
fn a_flag_that_is_wrong_or_missing_writes_nothing() {
    let folder = nowhere();
    let wrong = init(folder.path(), &["--outside-prefix", "nine"]);
    assert_eq!(wrong.code, 64, "{}", wrong.out);
    says(&wrong.err, &["--outside-prefix", "such as 9"]);
    let missing = wardline(folder.path(), &["init", "--hospital-name", "Mercy Harbor"]);
    assert_eq!(missing.code, 64);
    says(&missing.err, &["give --", "Nothing was written"]);
    assert!(!folder.path().join("sip-config").exists());
    assert!(!folder.path().join("prompts").exists());
}

#[test]
fn a_code_number_that_begins_with_a_menu_key_gets_a_plan_without_that_key() {
    let folder = nowhere();
    let words: Vec<&str> = FLAGS.into_iter().map(|word| if word == "5555" { "2222" } else { word }).collect();
    let run = wardline(folder.path(), &[&["init"], words.as_slice()].concat());
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    let check = wardline(folder.path(), &["check"]);
    assert_eq!(check.code, 0, "{}", check.out);
}

// -- import -----------------------------------------------------------------------------------------------------------

const CUCM: &str = include_str!("exports/cucm.csv");
const RULES: &str = include_str!("exports/import.toml");
const PEOPLE: &str = include_str!("exports/people.csv");

/// A first configuration, with an export and rules beside it.
fn first_day() -> tempfile::TempDir {
    let folder = nowhere();
    assert_eq!(init(folder.path(), &["--outside-prefix", "9"]).code, 0);
    fs::write(folder.path().join("phones.csv"), CUCM).expect("written");
    fs::write(folder.path().join("people.csv"), PEOPLE).expect("written");
    fs::write(folder.path().join("sip-config/import.toml"), RULES).expect("written");
    folder
}

fn hospital_file(folder: &Path) -> String {
    fs::read_to_string(folder.join("sip-config/hospital.toml")).expect("the file")
}

#[test]
fn an_export_is_shown_first_and_written_when_asked_and_passes_check() {
    let folder = first_day();
    let before = hospital_file(folder.path());
    let shown = wardline(folder.path(), &["import", "phones", "phones.csv"]);
    assert_eq!(shown.code, 1, "{}{}", shown.out, shown.err);
    says(&shown.err, &["6 rows were refused"]);
    says(
        &shown.out,
        &[
            "25 lines with a number, read as CUCM (UTF-8, numbers from `Directory Number 1`, `Directory Number 2`)",
            "4-west",
            "2600-2603, 2700-2707, 2790",
            "+ unit 4-west \"4 West\" (site main, system ehr)",
            "line 25: 7100 is the hotline",
            "2004 \"Boardroom\"",
            "could not be placed",
            "[[rules]]",
            "nothing is written yet",
        ],
    );
    assert!(!shown.out.contains("secret-pw"), "{}", shown.out);
    assert_eq!(hospital_file(folder.path()), before);
    let wrote = wardline(folder.path(), &["import", "phones", "phones.csv", "--write"]);
    assert_eq!(wrote.code, 1, "{}{}", wrote.out, wrote.err);
    says(&wrote.err, &["6 rows were refused; the others are written"]);
    says(&wrote.out, &["written to sip-config/hospital.toml"]);
    let after = hospital_file(folder.path());
    says(&after, &["number = \"2700-2707\"", "# imported", "class = \"patient\"", "# The extension map", "# holidays"]);
    let check = wardline(folder.path(), &["check"]);
    assert_eq!(check.code, 0, "{}", check.out);
    let call = wardline(
        folder.path(),
        &["simulate", "--from", "2701", "--at", "2026-11-24T10:00", "--do", "3s amara-osei answers"],
    );
    says(&call.out, &["Caller: 4 West, extension 2701, ward phone"]);
    let again = wardline(folder.path(), &["import", "phones", "phones.csv", "--write"]);
    says(&again.out, &["nothing to write: the map says all of this already"]);
    assert_eq!(hospital_file(folder.path()), after, "a second import of the same changes nothing");
}

#[test]
fn an_import_speaks_json_to_scripts() {
    let folder = first_day();
    let run = wardline(folder.path(), &["import", "phones", "phones.csv", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!(told["read_as"], "CUCM");
    assert_eq!(told["written"], false);
    assert_eq!(run.code, 1);
    // 13 on 4 West and the lobby's; the four of the ICU are exported with a prefix that this trunk does not name.
    assert_eq!(told["added"].as_array().map(Vec::len), Some(14));
    let wrong = told["wrong"].as_array().expect("rows");
    let prefixed = wrong.iter().filter(|wrong| wrong["why"].as_str().is_some_and(|why| why.contains("strip_prefixes")));
    assert_eq!(prefixed.count(), 4, "{wrong:?}");
    assert_eq!(told["unplaced"][0]["line"], 20);
}

/// Runs an import of phones that are written here.
fn phones(folder: &Path, text: &str, more: &[&str]) -> Run {
    fs::write(folder.join("these.csv"), text).expect("written");
    wardline(folder, &[&["import", "phones", "these.csv"], more].concat())
}

#[test]
fn an_import_exits_0_only_when_every_row_was_read_and_one_was_placed() {
    let folder = first_day();
    let code = |text: &str| phones(folder.path(), text, &[]).code;
    assert_eq!(code("extension,name\n2701,4 West\n2702,nobody's\n2600,Fax\n"), 0, "unplaced and skipped are no fault");
    assert_eq!(code("extension,name\n2701,4 West\nx,4 West\n"), 1);
    assert_eq!(code("extension,name\nx,4 West\ny,4 West\n"), 1);
    let none = phones(folder.path(), "extension,name\n2701,nobody's\n", &[]);
    assert_eq!(none.code, 1);
    says(&none.err, &["no row of the export could be placed"]);
    let broken = phones(folder.path(), "extension,name\n2701,\"4 West\n", &["--write"]);
    assert_eq!(broken.code, 1);
    says(&broken.err, &["these.csv: line 2, column 6: a quote opens here and is never closed"]);
}

#[test]
fn numbers_go_off_the_map_when_their_count_is_confirmed_and_every_row_was_read() {
    let folder = first_day();
    let all = "extension,name\n2701,4 West\n2702,4 West\n2703,4 West\n";
    assert_eq!(phones(folder.path(), all, &["--write"]).code, 0);
    let before = hospital_file(folder.path());
    let fewer = "extension,name\n2701,4 West\n";
    let shown = phones(folder.path(), fewer, &["--remove"]);
    assert_eq!(shown.code, 0, "{}{}", shown.out, shown.err);
    says(&shown.out, &["- 2702-2703: 4-west", "2 removed", "--write --remove=2 does it"]);
    let unseen = phones(folder.path(), fewer, &["--remove", "--write"]);
    assert_eq!(unseen.code, 1, "{}", unseen.out);
    says(&unseen.err, &["2 numbers would go off the map", "--write --remove=2", "Nothing was written"]);
    let with_fault = phones(folder.path(), "extension,name\n2701,4 West\n27O2,4 West\n", &["--remove=2", "--write"]);
    says(&with_fault.err, &["1 refused row may be of phones that would go", "Nothing was written"]);
    let nowhere = phones(folder.path(), fewer, &["--remove", "--site", "mian"]);
    assert_eq!(nowhere.code, 64);
    says(&nowhere.err, &["there is no site `mian`"]);
    assert_eq!(hospital_file(folder.path()), before);
    let gone = phones(folder.path(), fewer, &["--remove=2", "--write"]);
    assert_eq!(gone.code, 0, "{}{}", gone.out, gone.err);
    assert!(!hospital_file(folder.path()).contains("2703"));
}

#[test]
fn a_file_that_is_no_export_and_rules_that_are_wrong_are_refused_with_a_reason() {
    let folder = first_day();
    fs::write(folder.path().join("odd.csv"), "colour,shape\nred,round\n").expect("written");
    let odd = wardline(folder.path(), &["import", "phones", "odd.csv", "--write"]);
    assert_eq!(odd.code, 1);
    says(&odd.err, &["no header", "its first row has 2 cells", "--number-column"]);
    let rules = RULES.replace("unit = \"icu\"", "unit = \"icu\"\nclas = \"ward\"");
    fs::write(folder.path().join("sip-config/import.toml"), rules).expect("written");
    let wrong = wardline(folder.path(), &["import", "phones", "phones.csv"]);
    assert_eq!(wrong.code, 1, "{}", wrong.out);
    says(&wrong.err, &["unknown key `clas`", "did you mean `class`?"]);
    let check = wardline(folder.path(), &["check"]);
    assert_eq!(check.code, 1);
    says(&check.out, &["import.toml", "did you mean `class`?"]);
}

#[test]
fn people_are_added_from_a_table_and_pass_check() {
    let folder = first_day();
    let file = folder.path().join("sip-config/analysts.toml");
    let before = fs::read_to_string(&file).expect("the file");
    let shown = wardline(folder.path(), &["import", "analysts", "people.csv"]);
    assert_eq!(shown.code, 1, "{}{}", shown.out, shown.err);
    says(&shown.err, &["2 rows were refused"]);
    says(
        &shown.out,
        &["lena-brandt", "line 5: Nobody Reachable has no phone", "line 6", "did you mean ehr?", "amara-osei"],
    );
    assert_eq!(fs::read_to_string(&file).expect("the file"), before);
    let wrote = wardline(folder.path(), &["import", "analysts", "people.csv", "--write"]);
    assert_eq!(wrote.code, 1, "{}{}", wrote.out, wrote.err);
    let after = fs::read_to_string(&file).expect("the file");
    assert!(after.starts_with(&before), "what stood there stands there: {after}");
    says(&after, &["[analysts.dana-kowalski]", "role = \"on-call\"", "supervisor = true"]);
    let check = wardline(folder.path(), &["check"]);
    assert_eq!(check.code, 0, "{}", check.out);
    let again = wardline(folder.path(), &["import", "analysts", "people.csv", "--write"]);
    says(&again.out, &["nothing to write"]);
    assert_eq!(fs::read_to_string(&file).expect("the file"), after);
}

// -- stickers ---------------------------------------------------------------------------------------------------------

#[test]
fn every_unit_gets_a_sticker_with_the_number_and_the_keys() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = wardline(root, &["stickers", "--hospital", "mercy-harbor"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(run.out.matches("<section class=\"sticker\">").count(), 10);
    says(
        &run.out,
        &[
            "size: A6",
            "Clinical service desk",
            ">7100<",
            "Labor and Delivery",
            "Say nothing about patients",
            "the operator",
        ],
    );
    let one = wardline(root, &["stickers", "--hospital", "mercy-harbor", "--unit", "icu"]);
    assert_eq!(one.out.matches("<section").count(), 1);
    let wrong = wardline(root, &["stickers", "--hospital", "mercy-harbor", "--unit", "icuu"]);
    assert_eq!(wrong.code, 64);
    says(&wrong.err, &["did you mean icu?"]);
    let several = wardline(root, &["stickers"]);
    says(&several.err, &["say which hospital", "mercy-harbor"]);
}

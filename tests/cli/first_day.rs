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
                 pbx.example\n10.20.0.10\n10.20.0.10\n10.20.0.5\n\n";
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

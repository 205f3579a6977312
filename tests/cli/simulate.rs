//! `wardline simulate`: a table of cases, and a call by hand.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::{program, says, wardline, with};

/// Where the sample's sip-config/ lies.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_case_of_the_sample_comes_out_as_written() {
    let run = wardline(root(), &["simulate", "--json", "--script", "sip-config/cases/hotline.toml"]);
    let told: serde_json::Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}{}", run.out, run.err));
    assert_eq!(told["failed"], 0, "{told:#}");
    assert!(told["cases"].as_u64().expect("a count") >= 22, "one case a row of the hotline's table, and more");
    assert_eq!(run.code, 0);
}

#[test]
fn a_case_that_does_not_come_out_says_what_came_instead() {
    let folder = with(&[(
        "case.toml",
        "hospital = \"mercy-harbor\"\nat = \"2026-11-24T10:00\"\n[[cases]]\nname = \"asked\"\nfrom = \"4712\"\n\
         do = [\"2s dana-kowalski answers\"]\nexpect = { skipped = [], need = \"tidewater-lab\", ends = \"abandoned\" }\n",
    )]);
    let script = folder.path().join("sip-config/case.toml");
    let run = wardline(root(), &["simulate", "--script", script.to_str().expect("a path")]);
    assert_eq!(run.code, 1);
    says(
        &run.out,
        &[
            "failed asked",
            "case.toml:4",
            "at 2.0 s: dana-kowalski's phone does not ring",
            "skipped: expected none, came question",
            "need: expected tidewater-lab, came meridian-prod",
            "1 case, 0 passed, 1 failed",
        ],
    );
}

#[test]
fn a_mistake_in_a_case_points_at_its_line() {
    let folder = with(&[(
        "case.toml",
        "hospital = \"mercy-harbor\"\nat = \"2026-11-24T10:00\"\n[[cases]]\nname = \"typo\"\nbusy = [\"amara-osai\"]\n\
         do = [\"soon 1\"]\nexpct = {}\n",
    )]);
    let script = folder.path().join("sip-config/case.toml");
    let run = wardline(root(), &["simulate", "--script", script.to_str().expect("a path")]);
    assert_eq!(run.code, 1);
    says(
        &run.err,
        &[
            "case.toml:5:9",
            "unknown analyst `amara-osai`",
            "amara-osei",
            "`soon` is no time",
            "unknown key `expct`",
            "expect",
        ],
    );
}

#[test]
fn a_call_is_tried_by_hand_at_any_hour() {
    let words = ["simulate", "--hospital", "mercy-harbor", "--from", "4712", "--at", "2026-11-24T03:00"];
    let words = [&words[..], &["--signed-out", "amara-osei"]].concat();
    let mut child = program(root(), &words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("wardline starts");
    let mut typed = child.stdin.take().expect("standard input");
    typed
        .write_all(b"3s\nlena-brandt answers\ndana-kowalski answers\ndana-kowalski keys 1\n2s\nhang up\n")
        .expect("typed");
    drop(typed);
    let out = child.wait_with_output().expect("wardline ends");
    let text = String::from_utf8_lossy(&out.stdout);
    says(
        &text,
        &[
            "4712 dials 7100 of Mercy Harbor on Tue 24 Nov 2026 03:00",
            "Ringing dana-kowalski on an outside phone (rung backup).",
            "Calling the on-call analyst.",
            "lena-brandt's phone does not ring",
            "dana-kowalski answered.",
            "The caller hears a human.",
            "The caller hung up.",
        ],
    );
}

/// A call of the sample's ward phone, and what makes a condition hold or not: options of `simulate`.
const WARD: &[&str] = &["--from", "4712"];
const OUTPATIENT: &[&str] = &["--from", "5310"];
const OUTSIDE: &[&str] = &["--from", "+12025550155"];
const NOON: &[&str] = &["--at", "2026-11-24T12:00"];
const CHARTING: &str = "meridian-prod/medication=known-problem-charting";

/// A condition, a call for which it holds, and one for which it does not.
type Condition = (&'static str, &'static [&'static [&'static str]], &'static [&'static [&'static str]]);

const CONDITIONS: &[Condition] = &[
    ("trunk = \"lab-pbx\"", &[WARD], &[]),
    ("trunk = \"cedar-pbx\"", &[], &[WARD]),
    ("dialled = \"7100\"", &[WARD], &[]),
    ("dialled = \"72*\"", &[], &[WARD]),
    ("digits = \"3*\"", &[WARD, &["--dial", "7100,,31"]], &[WARD, &["--dial", "7100,,13"]]),
    ("extension = \"47*\"", &[WARD], &[OUTPATIENT]),
    ("unit = \"outpatient\"", &[OUTPATIENT], &[WARD]),
    ("site = \"bayview\"", &[OUTPATIENT], &[WARD]),
    ("class = \"office\"", &[&["--from", "5100"]], &[WARD]),
    ("mapped = false", &[&["--from", "4999"]], &[WARD]),
    ("from = \"outside\"", &[OUTSIDE], &[WARD]),
    ("person_known = true", &[&["--from", "5100"]], &[WARD]),
    ("language = \"en\"", &[WARD], &[]),
    ("calendar = \"clinic\"", &[WARD, &["--at", "2026-11-25T12:00"]], &[WARD, &["--at", "2026-11-26T12:00"]]),
    ("holiday = true", &[WARD, &["--at", "2026-11-26T12:00"]], &[WARD, &["--at", "2026-11-27T12:00"]]),
    ("hours = \"19:00-07:00\"", &[WARD, &["--at", "2026-11-25T03:00"]], &[WARD, NOON]),
    ("days = [\"sat\", \"sun\"]", &[WARD, &["--at", "2026-11-28T12:00"]], &[WARD, NOON]),
    ("on_shift = false", &[WARD, &["--at", "2026-11-25T03:00", "--only", "dana-kowalski"]], &[WARD, NOON]),
    ("incident = true", &[&["--from", "4710", "--incident", CHARTING]], &[WARD]),
    ("system_down = true", &[WARD, &["--incident", CHARTING, "--down"]], &[WARD, &["--incident", CHARTING]]),
    ("open_ticket = true", &[WARD, &["--open-ticket"]], &[WARD]),
    ("repeat_within = \"1h\"", &[WARD, &["--helped", "40m amara-osei"]], &[WARD, &["--helped", "90m amara-osei"]]),
];

/// Every condition of a plan, tried as an admin tries it: the call goes the way of its case, or does not.
#[test]
fn every_condition_of_a_branch_can_be_tried_and_leads_its_own_way() {
    let sample = |name: &str| std::fs::read_to_string(root().join("sip-config").join(name)).expect("the sample");
    let hospital = sample("hospital.toml") + "\n[calendars.clinic]\nhours = \"08:00-17:00\"\nholiday = false\n";
    let plan = sample("plans/hotline.toml");
    let (before, rest) = plan.split_once("cases = [\n").expect("the sample's first branch");
    let (_, after) = rest.split_once("\n]\n").expect("its end");
    let rest = "\n[steps.asked-for]\ntype = \"set\"\npriority = \"urgent\"\nnext = \"patient\"\n\
                [steps.others]\ntype = \"branch\"\ncases = [{ incident = true, days = [\"mon\"], next = \"known-problem\" },\n\
                { from = \"outside\", next = \"outside\" }]\nelse = \"question\"\n";
    let names = ["wardline.toml", "hospital-cedar-point.toml", "analysts.toml", "analysts-cedar-point.toml"];
    let files = names.map(|name| (name, sample(name)));
    for (condition, holds, does_not) in CONDITIONS {
        let text = format!("{before}cases = [{{ {condition}, next = \"asked-for\" }}]\n{after}{rest}").replacen(
            "else = \"question\"",
            "else = \"others\"",
            1,
        );
        let mut own: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        own.extend([("hospital.toml", hospital.as_str()), ("plans/hotline.toml", text.as_str())]);
        let folder = with(&own);
        std::os::unix::fs::symlink(root().join("prompts"), folder.path().join("prompts")).expect("linked");
        for (call, expected) in [(holds, true), (does_not, false)] {
            if call.is_empty() {
                continue;
            }
            let mut words = vec!["simulate", "--hospital", "mercy-harbor", "--do", "200ms hang up"];
            words.extend(call.iter().flat_map(|words| words.iter()));
            if !words.contains(&"--at") {
                words.extend(NOON);
            }
            let run = wardline(folder.path(), &words);
            assert_eq!(run.code, 0, "{condition}: {}{}", run.out, run.err);
            says(&run.out, &["Step who."]);
            assert_eq!(run.out.contains("Step asked-for."), expected, "{condition}, {words:?}:\n{}", run.out);
        }
    }
}

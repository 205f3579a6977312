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
            "1 cases, 0 passed, 1 failed",
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

//! `people`: PINs are set from a script, shown by their being there alone, and taken away; what is wrong changes nothing.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::publish::Site;
use crate::{Run, says};

const SET: [&str; 4] = ["people", "set-pin", "anika-rao", "--stdin"];

/// Runs with this on standard input.
fn typed(site: &Site, words: &[&str], input: &str) -> Run {
    let mut command = site.command(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("started");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("ended");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Run { code: output.status.code().expect("an exit"), out: text(output.stdout), err: text(output.stderr) }
}

fn has_pin(site: &Site, person: &str) -> bool {
    let list: Value = serde_json::from_str(&site.done(&["people", "list", "--json"])).expect("JSON");
    let people = list["people"].as_array().expect("a list");
    let found = people.iter().find(|row| row["person"] == person).expect("the person");
    found["pin"].as_bool().expect("yes or no")
}

#[test]
fn a_pin_is_set_before_a_start_and_at_a_running_node_and_is_never_shown() {
    let site = Site::new();
    assert!(!has_pin(&site, "anika-rao"));
    let set = typed(&site, &SET, "274913\n");
    assert_eq!(set.code, 0, "{}", set.err);
    says(&set.out, &["the PIN of anika-rao of mercy-harbor is in force when the server starts"]);
    assert!(has_pin(&site, "anika-rao") && !has_pin(&site, "marcus-bell"));
    let node = site.serve();
    let again = typed(&site, &SET, "274913\n");
    says(&again.out, &["the PIN of anika-rao of mercy-harbor is in force now"]);
    let list = site.done(&["people", "list", "--hospital", "mercy-harbor"]);
    says(&list, &["anika-rao", "badge  PIN"]);
    assert!(!list.contains("274913"), "{list}");
    let made = site.run(&["people", "set-pin", "marcus-bell", "--generate"]);
    let pin = made.out.trim();
    assert!(pin.len() == 6 && pin.bytes().all(|digit| digit.is_ascii_digit()), "the PIN alone: {:?}", made.out);
    says(&made.err, &["the PIN of marcus-bell of mercy-harbor is in force now"]);
    says(&site.done(&["people", "clear-pin", "anika-rao"]), &["anika-rao of mercy-harbor has no PIN any more"]);
    assert!(!has_pin(&site, "anika-rao") && has_pin(&site, "marcus-bell"));
    says(&site.done(&["people", "list", "--locked"]), &["no wrong PIN or badge is counted"]);
    let why = site.refused(&["people", "unlock", "anika-rao"]);
    says(&why, &["nothing wrong is counted of", "mercy-harbor"]);
    node.stop();
}

#[test]
fn a_weak_pin_and_an_unknown_person_change_nothing() {
    let site = Site::new();
    for weak in ["911274", "204170", "27", "abc123"] {
        let set = typed(&site, &SET, &format!("{weak}\n"));
        assert_ne!(set.code, 0, "{weak}");
        says(&set.err, &["nothing was changed"]);
        assert!(!set.err.contains(weak), "{weak} is told back: {}", set.err);
    }
    assert!(!has_pin(&site, "anika-rao"));
    let set = typed(&site, &["people", "set-pin", "anika-roa", "--stdin"], "274913\n");
    assert_eq!(set.code, 1);
    says(&set.err, &["no person is called anika-roa; did you mean anika-rao?"]);
}

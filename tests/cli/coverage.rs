//! `coverage` and `analysts attest`: the rota's holes in every form of output, and what a person is attested for at a node.

use std::fs;

use serde_json::Value;

use crate::publish::Site;
use crate::says;

const CEDAR: [&str; 3] = ["coverage", "--hospital", "cedar-point"];
/// Of whoever is on call at Cedar Point by day on weekends; nobody else is there then.
const WEEKENDS: &str = r#"    { days = ["sat", "sun"], from = "07:00", to = "16:00" },"#;

fn coverage<'a>(words: &[&'a str]) -> Vec<&'a str> {
    [CEDAR.as_slice(), words].concat()
}

#[test]
fn coverage_exits_0_without_a_hole_and_1_with_one_that_it_tells_in_words_json_and_svg() {
    let site = Site::new();
    says(&site.done(&CEDAR), &["cedar-point: ", "(America/Chicago)", "cedar-ehr: covered throughout"]);
    let whole: Value = serde_json::from_str(&site.done(&coverage(&["--json"]))).expect("JSON");
    assert_eq!(whole["whole"], true);
    assert_eq!(whole["hospitals"][0]["rows"][0]["minutes_with_nobody"], 0);

    site.edit("analysts-cedar-point.toml", WEEKENDS, "");
    let text = site.run(&CEDAR);
    assert_eq!(text.code, 1, "{}", text.err);
    // Four weekends of 2 x 9 hours.
    says(&text.out, &["cedar-ehr: nobody for 72 h of ", "nobody  Sat, Sun 07:00–16:00, every week"]);
    let json = site.run(&coverage(&["--json"]));
    assert_eq!(json.code, 1, "{}", json.err);
    let json: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(json["whole"], false);
    assert_eq!(json["hospitals"][0]["hospital"], "cedar-point");
    assert_eq!(json["hospitals"][0]["rows"][0]["minutes_with_nobody"], 72 * 60);
    let drawn = site.run(&coverage(&["--svg", "cover.svg"]));
    assert_eq!(drawn.code, 1, "{}", drawn.err);
    let svg = fs::read_to_string(site.home.path().join("cover.svg")).expect("drawn");
    assert!(svg.starts_with("<svg"), "{}", svg.lines().next().unwrap_or_default());
}

#[test]
fn coverage_holes_tells_the_hours_with_nobody_and_with_one_person_and_nothing_else() {
    let site = Site::new();
    let both = ["coverage", "--holes"];
    let whole = site.run(&both);
    assert_eq!(whole.code, 0, "one person is no hole: {}", whole.out);
    says(&whole.out, &["cedar-point: ", "cedar-ehr: one person for "]);
    for word in ["nobody  ", "covered throughout", "whenever signed in", "ahead"] {
        assert!(!whole.out.contains(word), "{word}: {}", whole.out);
    }
    site.edit("analysts-cedar-point.toml", WEEKENDS, "");
    let holes = site.run(&coverage(&["--holes"]));
    assert_eq!(holes.code, 1, "{}", holes.err);
    says(&holes.out, &["cedar-ehr: nobody for 72 h; one person for ", "    nobody  Sat, Sun 07:00–16:00, every week"]);
    assert!(!holes.out.contains("mercy-harbor"));
}

#[test]
fn an_attestation_at_a_running_node_is_shown_at_once_and_after_a_restart() {
    let site = Site::new();
    let node = site.serve();
    let before = site.done(&["analysts", "show", "lena-brandt"]);
    says(&before, &["lena-brandt  Lena Brandt, ", "meridian-amb of mercy-harbor: charting, orders; basic"]);
    assert!(!before.contains("2026.1"), "{before}");
    let attest = |analyst, system| {
        ["analysts", "attest", analyst, "--system", system, "--release", "2026.1", "--evidence", "upgrade course"]
            .into_iter()
            .chain(["--by", "V. Lindqvist"])
            .collect::<Vec<&str>>()
    };
    let done = site.done(&attest("lena-brandt", "meridian-amb"));
    says(&done, &["lena-brandt is attested for meridian-amb 2026.1 of mercy-harbor, from now on"]);
    let shown = site.done(&["analysts", "show", "lena-brandt"]);
    says(&shown, &["    evidence: 2026.1: upgrade course (V. Lindqvist, "]);
    says(&site.refused(&attest("lena-brandt", "tidewater-lab")), &["lena-brandt", "tidewater-lab"]);
    // A call on paper counts it as a call at the node would, once the release has gone live.
    let after = ["simulate", "--hospital", "mercy-harbor", "--from", "5300", "--at", "2027-03-09T10:00"];
    let after = [after.as_slice(), &["--only", "lena-brandt,grace-lindholm", "--do", "3s hang up"]].concat();
    let told = site.done(&after);
    says(&told, &["lena-brandt"]);
    let stale = "release 2026.1";
    let lena = |told: &str| told.lines().any(|line| line.contains("lena-brandt") && line.contains(stale));
    assert!(!lena(&told), "{told}");
    node.stop();
    let node = site.serve();
    let again = site.done(&["analysts", "show", "lena-brandt"]);
    says(&again, &["    evidence: 2026.1: upgrade course (V. Lindqvist, "]);
    let withdraw = ["--withdraw", "another Lena", "--by", "V. Lindqvist"];
    let withdraw: Vec<&str> = attest("lena-brandt", "meridian-amb")[..7].iter().copied().chain(withdraw).collect();
    says(&site.done(&withdraw), &["lena-brandt is attested for meridian-amb 2026.1 no more"]);
    says(&site.refused(&withdraw), &["attested is: nothing"]);
    node.stop();
    let node = site.serve();
    assert!(!site.done(&["analysts", "show", "lena-brandt"]).contains("2026.1"));
    node.stop();
}

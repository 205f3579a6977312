//! What a hospital's file says of releases, and what its readers say of it.

use super::{ANALYSTS, HOSPITAL, NODE, folder, try_folder};
use crate::config::Config;
use crate::ids::{HospitalId, SystemId};

const SYSTEM: &str = "systems.prod = { product = \"Meridian\", modules";

fn with(releases: &str) -> String {
    assert!(HOSPITAL.contains(SYSTEM));
    HOSPITAL.replacen(SYSTEM, &format!("systems.prod = {{ product = \"Meridian\", {releases}, modules"), 1)
}

fn config(releases: &str, analysts: &str) -> Config {
    let loaded = try_folder(&folder(NODE, &[&with(releases)], analysts));
    loaded.unwrap_or_else(|report| panic!("{:#?}", report.diagnostics())).config
}

/// What, and what to do, of everything that is found.
fn found(releases: &str, analysts: &str) -> Vec<String> {
    let report = super::findings(try_folder(&folder(NODE, &[&with(releases)], analysts)));
    report.diagnostics().iter().map(|one| format!("{} ({})", one.what, one.remedy.as_deref().unwrap_or(""))).collect()
}

fn go_lives(releases: &str) -> Vec<(String, String)> {
    let config = config(releases, ANALYSTS);
    let line = config.staff.line(&HospitalId::new("mercy"), &SystemId::new("prod")).expect("a release");
    line.go_lives().iter().map(|one| (one.release.clone(), one.from.to_string())).collect()
}

#[test]
fn go_lives_are_read_on_the_hospitals_clock_also_where_it_skips_or_repeats_an_hour() {
    let releases = "release = \"1\", releases = [\n\
        { release = \"2\", from = \"2027-03-06T02:00\" },\n\
        { release = \"3\", from = \"2027-03-14T02:30\" },\n\
        { release = \"4\", from = \"2027-11-07T01:30:00\" },\n]";
    let expected = [
        // Eastern Standard Time.
        ("2", "2027-03-06T07:00:00Z"),
        // There is no 02:30 on that day: the clocks show 03:30 of daylight time then.
        ("3", "2027-03-14T07:30:00Z"),
        // 01:30 comes twice: the first is meant.
        ("4", "2027-11-07T05:30:00Z"),
    ];
    assert_eq!(go_lives(releases), expected.map(|(release, from)| (release.to_owned(), from.to_owned())));
}

#[test]
fn releases_out_of_order_twice_or_without_a_first_are_refused() {
    let order = "release = \"1\", releases = [{ release = \"3\", from = \"2027-06-05T02:00\" }, \
                 { release = \"2\", from = \"2027-03-06T02:00\" }]";
    assert_eq!(
        found(order, ANALYSTS),
        ["release `2` goes live no later than `3` before it (write the releases in the order in which they go live)"]
    );
    let twice = "release = \"1\", releases = [{ release = \"1\", from = \"2027-06-05T02:00\" }]";
    assert_eq!(found(twice, ANALYSTS), ["release `1` is written twice (keep the one that tells when it goes live)"]);
    let first = "releases = [{ release = \"2\", from = \"2027-06-05T02:00\" }]";
    assert_eq!(
        found(first, ANALYSTS),
        ["`releases` says not what runs before the first of them (add release = \"…\": what runs until then)"]
    );
    let key =
        "release = \"1\", releases = [{ release = \"2\", form = \"2027-06-05T02:00\", from = \"2027-06-05T02:00\" }]";
    assert_eq!(found(key, ANALYSTS), ["unknown key `form` in a release ()"]);
}

#[test]
fn a_qualification_for_no_release_that_runs_or_is_announced_is_warned_of() {
    let releases = "release = \"2026.1\", releases = [{ release = \"2026.2\", from = \"2027-03-06T02:00\" }]";
    let held = |names: &str| {
        ANALYSTS.replacen("modules = [\"*\"] }", &format!("modules = [\"*\"], releases = [{names}] }}"), 1)
    };
    assert_eq!(found(releases, &held("\"2025.2\", \"2026.2\"")), Vec::<String>::new());
    assert_eq!(
        found(releases, &held("\"2025.2\", \"2026.l\"")),
        [
            "this qualification of `amara` counts for no release of `prod` (name the release, or remove the qualification)"
        ]
    );
}

#[test]
fn level_evidence_and_day_of_a_qualification_are_read() {
    let written = "modules = [\"*\"], attested = \"2026-05-12\", evidence = \"vendor course\" }";
    let config = config("release = \"1\"", &ANALYSTS.replacen("modules = [\"*\"] }", written, 1));
    let amara = config.staff.get(&"amara".into()).expect("amara");
    let held = &amara.qualifications[0];
    assert_eq!(held.evidence.as_deref(), Some("vendor course"));
    assert_eq!(held.attested, Some(jiff::civil::date(2026, 5, 12)));
}

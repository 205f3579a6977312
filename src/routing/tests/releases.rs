//! Releases go live: what counts for the new one, what is stale, and what an attestation renews.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, date};

use super::fixture::*;
use crate::ids::{HospitalId, ModuleId, SystemId};
use crate::release::{GoLive, ReleaseLine};
use crate::routing::*;

/// epic-prod runs 2026.1, then 2026.2 from Saturday 6 June at 02:00, then 2027.1 from 5 December.
fn line() -> ReleaseLine {
    let go_live = |release: &str, clock: DateTime| {
        let from = clock.to_zoned(zone()).expect("a plain night").timestamp();
        GoLive { release: release.to_owned(), from, clock }
    };
    let second = go_live("2026.2", date(2026, 6, 6).at(2, 0, 0, 0));
    ReleaseLine::new("2026.1", vec![second, go_live("2027.1", date(2026, 12, 5).at(2, 0, 0, 0))])
}

fn upgraded(people: impl IntoIterator<Item = Analyst>) -> Staff {
    staff(people).with_release(&HospitalId::new("mercy-harbor"), &SystemId::new("epic-prod"), line())
}

fn when(month: i8, day: i8, hour: i8, minute: i8) -> Timestamp {
    date(2026, month, day).at(hour, minute, 0, 0).to_zoned(zone()).expect("a plain time").timestamp()
}

fn decided(staff: &Staff, need: &Need, wall: Timestamp) -> Decision {
    let rung = rung("rung", &[Who::Qualified]);
    choose(staff, &all_signed_in(&["ana"]), need, &Ask::first(&rung, 2, at(1_000), wall))
}

/// Why Ana is passed over; `None` when she is rung. The choice made again from what is kept is the same.
fn refusal(staff: &Staff, need: &Need, wall: Timestamp) -> Option<String> {
    let decision = decided(staff, need, wall);
    let stored = serde_json::to_string(&decision).expect("written");
    let again: Decision = serde_json::from_str(&stored).expect("read");
    assert_eq!(replay(&again), replay(&decision));
    assert_eq!(names(&decision.chosen), replay(&again).iter().map(|id| id.as_str()).collect::<Vec<_>>());
    decision.chosen.is_empty().then(|| decision.passed_over.into_iter().map(|passed| passed.because).collect())
}

fn given(releases: Releases, attested: Option<Date>) -> Analyst {
    let mut ana = charter("ana");
    ana.qualifications[0].releases = releases;
    ana.qualifications[0].attested = attested;
    ana
}

fn only(releases: &[&str]) -> Releases {
    Releases::Only(releases.iter().map(|release| (*release).to_owned()).collect())
}

fn attestation(modules: Option<&[&str]>, release: &str) -> Attestation {
    Attestation {
        analyst: id("ana"),
        hospital: Some(HospitalId::new("mercy-harbor")),
        system: SystemId::new("epic-prod"),
        modules: modules.map(|modules| modules.iter().map(|module| ModuleId::new(module)).collect()),
        release: release.to_owned(),
        evidence: "upgrade course".to_owned(),
        by: "Ivy".to_owned(),
        made: monday(),
        withdrawn: false,
    }
}

const STALE: &str = "stale since 2026-06-06 02:00 (release 2026.2)";

#[test]
fn what_names_an_older_release_is_stale_from_the_very_instant_of_the_go_live() {
    let staff = upgraded([given(only(&["2025.2", "2026.1"]), None)]);
    assert_eq!(refusal(&staff, &charting(), when(6, 6, 1, 59)), None);
    assert_eq!(refusal(&staff, &charting(), when(6, 6, 2, 0)).as_deref(), Some(STALE));
}

#[test]
fn it_is_stale_also_where_the_call_does_not_know_the_system() {
    let staff = upgraded([given(only(&["2026.1"]), None)]);
    let unknown = Need { system: None, module: None, ..charting() };
    assert_eq!(refusal(&staff, &unknown, when(6, 6, 1, 59)), None);
    assert_eq!(refusal(&staff, &unknown, when(6, 6, 2, 0)).as_deref(), Some(STALE));
}

#[test]
fn what_names_only_the_new_release_counts_from_the_go_live_on() {
    let staff = upgraded([given(only(&["2026.2"]), None)]);
    let early = refusal(&staff, &charting(), when(6, 6, 1, 59));
    assert_eq!(early.as_deref(), Some("release 2026.1 not covered"), "it was never any other");
    assert_eq!(refusal(&staff, &charting(), when(6, 6, 2, 0)), None);
}

#[test]
fn without_releases_it_counts_for_what_had_gone_live_before_the_day_it_was_given() {
    let cases =
        [(None, true), (Some(date(2026, 6, 5)), true), (Some(date(2026, 6, 6)), true), (Some(date(2026, 6, 7)), false)];
    for (attested, stale) in cases {
        let staff = upgraded([given(Releases::Any, attested)]);
        assert_eq!(refusal(&staff, &charting(), when(6, 5, 12, 0)), None, "{attested:?} before");
        let after = refusal(&staff, &charting(), when(6, 10, 12, 0));
        assert_eq!(after.as_deref(), stale.then_some(STALE), "{attested:?} after");
    }
    // `valid_from` says it where nothing else does.
    let mut ana = given(Releases::Any, None);
    ana.qualifications[0].valid_from = Some(date(2026, 6, 8));
    assert_eq!(refusal(&upgraded([ana]), &charting(), when(6, 10, 12, 0)), None);
}

#[test]
fn an_attestation_renews_it_until_the_next_release() {
    let mut staff = upgraded([given(Releases::Any, None)]);
    assert_eq!(refusal(&staff, &charting(), when(6, 6, 2, 0)).as_deref(), Some(STALE));
    assert!(staff.attest(attestation(None, "2026.2")));
    assert_eq!(refusal(&staff, &charting(), when(6, 6, 2, 0)), None);
    let next = refusal(&staff, &charting(), when(12, 5, 2, 0));
    assert_eq!(next.as_deref(), Some("stale since 2026-12-05 02:00 (release 2027.1)"));
}

#[test]
fn an_attestation_for_some_modules_renews_those_and_gives_no_others() {
    let mut ana = given(Releases::Any, None);
    ana.qualifications[0].modules = Modules::Only(BTreeSet::from(["charting", "orders"].map(ModuleId::new)));
    let mut staff = upgraded([ana]);
    assert!(staff.attest(attestation(Some(&["charting", "imaging"]), "2026.2")));
    let after = when(6, 6, 2, 0);
    let of = |module: Option<&str>| refusal(&staff, &need_of("epic-prod", module), after);
    assert_eq!(of(Some("charting")), None);
    assert_eq!(of(None), None, "what is unknown restricts nobody");
    assert_eq!(of(Some("orders")).as_deref(), Some(STALE));
    assert_eq!(of(Some("imaging")).as_deref(), Some("epic-prod, but not imaging"));
}

#[test]
fn another_systems_attestation_renews_nothing() {
    let mut staff = upgraded([given(Releases::Any, None)]);
    assert!(staff.attest(Attestation { system: SystemId::new("meridian-lab"), ..attestation(None, "2026.2") }));
    assert_eq!(refusal(&staff, &charting(), when(6, 6, 2, 0)).as_deref(), Some(STALE));
}

/// Ana takes calls of two hospitals, each of which has an installation called epic-prod, and both go to 2026.2 at once.
fn at_two_hospitals() -> Staff {
    let mut ana = given(Releases::Any, None);
    ana.hospitals.insert(HospitalId::new("cedar-point"));
    upgraded([ana]).with_release(&HospitalId::new("cedar-point"), &SystemId::new("epic-prod"), line())
}

fn at_cedar_point() -> Need {
    Need { hospital: HospitalId::new("cedar-point"), ..charting() }
}

#[test]
fn an_attestation_of_one_hospitals_system_says_nothing_of_anothers_with_the_same_id() {
    let after = when(6, 6, 2, 0);
    let mut staff = at_two_hospitals();
    assert!(staff.attest(attestation(None, "2026.2")));
    assert_eq!(refusal(&staff, &charting(), after), None);
    assert_eq!(refusal(&staff, &at_cedar_point(), after).as_deref(), Some(STALE));
    let shown = staff.standing(staff.get(&id("ana")).expect("Ana"), after);
    let shown: Vec<(&str, usize)> = shown.iter().map(|one| (one.hospital.as_str(), one.evidence.len())).collect();
    assert_eq!(shown, [("cedar-point", 0), ("mercy-harbor", 1)]);
    // Both are kept: the second does not take the place of the first.
    let other = Attestation { hospital: Some(HospitalId::new("cedar-point")), ..attestation(None, "2026.2") };
    assert!(staff.attest(other));
    assert_eq!(refusal(&staff, &charting(), after), None);
    assert_eq!(refusal(&staff, &at_cedar_point(), after), None);
}

#[test]
fn an_attestation_from_before_hospitals_were_asked_for_counts_at_each_as_it_did() {
    let stored = serde_json::json!({
        "analyst": "ana", "system": "epic-prod", "release": "2026.2", "evidence": "upgrade course", "by": "Ivy",
        "made": "2026-06-01T12:00:00Z",
    });
    let mut staff = at_two_hospitals();
    assert!(staff.attest(serde_json::from_value(stored).expect("an attestation of an earlier version")));
    assert_eq!(refusal(&staff, &charting(), when(6, 6, 2, 0)), None);
    assert_eq!(refusal(&staff, &at_cedar_point(), when(6, 6, 2, 0)), None);
    let shown = staff.standing(staff.get(&id("ana")).expect("Ana"), when(6, 6, 2, 0));
    assert_eq!(shown[0].evidence, ["2026.2: upgrade course (Ivy, 2026-06-01, for every hospital)"]);
}

#[test]
fn a_decision_of_before_there_were_go_lives_still_gives_the_same_choice() {
    let staff = staff([given(only(&["2026.1"]), None)]);
    for (release, chosen) in [("2026.1", 1), ("2026.2", 0)] {
        let need = Need { release: Some(release.to_owned()), ..charting() };
        let decision = decided(&staff, &need, monday());
        let stored = serde_json::to_value(&decision).expect("written");
        assert!(stored["inputs"]["people"][0]["qualifications"][0].get("release").is_none(), "{stored}");
        let again: Decision = serde_json::from_value(stored).expect("read");
        assert_eq!(replay(&again).len(), chosen);
    }
}

#[test]
fn waiting_calls_look_again_when_a_release_goes_live() {
    let staff = upgraded([charter("ana")]);
    assert_eq!(staff.next_change(monday()), Some(when(6, 6, 2, 0)));
    assert_eq!(staff.next_change(when(6, 6, 2, 0)), Some(when(12, 5, 2, 0)));
}

#[test]
fn what_was_attested_twice_is_kept_once_and_their_number_is_bounded() {
    let mut attestations = Attestations::default();
    assert!(attestations.note(attestation(None, "2026.2")));
    assert!(attestations.note(Attestation { by: "Zoe".to_owned(), ..attestation(None, "2026.2") }));
    assert_eq!(attestations.of(&id("ana")).iter().map(|one| one.by.as_str()).collect::<Vec<_>>(), ["Zoe"]);
    assert!(attestations.note(Attestation { withdrawn: true, ..attestation(None, "2026.2") }));
    assert_eq!(attestations.of(&id("ana")), [], "and what takes one back takes no room");
    assert!(attestations.note(attestation(None, "2026.2")));
    for release in 1..MAX_ATTESTATIONS {
        assert!(attestations.note(attestation(None, &release.to_string())));
    }
    assert!(!attestations.note(attestation(None, "one more")));
}

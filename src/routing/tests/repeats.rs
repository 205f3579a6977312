use jiff::{SignedDuration, Timestamp};

use super::fixture::*;
use crate::ids::{HospitalId, ModuleId, SystemId, UnitId};
use crate::routing::continuity::MAX_REMEMBERED;
use crate::routing::{Continuity, Earlier};

fn took(number: u128, name: &str, caller: Option<&str>, unit: &str, module: &str, at: Timestamp) -> Earlier {
    Earlier {
        call: call(number),
        at,
        analyst: id(name),
        hospital: HospitalId::new("mercy-harbor"),
        caller: caller.map(str::to_owned),
        unit: Some(UnitId::new(unit)),
        system: Some(SystemId::new("epic-prod")),
        module: Some(ModuleId::new(module)),
    }
}

/// Whom a call of `caller` from `unit` about `module` goes back to, `hours` after Monday morning.
fn back(continuity: &Continuity, caller: Option<&str>, unit: &str, module: Option<&str>, hours: i64) -> Option<String> {
    let wall = monday() + SignedDuration::from_hours(hours);
    let (unit, module) = (UnitId::new(unit), module.map(ModuleId::new));
    let hospital = HospitalId::new("mercy-harbor");
    let found = continuity.find(&hospital, caller, Some(&unit), module.as_ref(), wall);
    found.map(|earlier| earlier.analyst.to_string())
}

#[test]
fn a_repeat_goes_back_by_number_first_then_by_unit_and_module() {
    let mut continuity = Continuity::new();
    continuity.note(took(1, "ana", Some("4710"), "4-west", "charting", monday()));
    continuity.note(took(2, "ben", Some("4711"), "4-west", "charting", monday()));
    assert_eq!(back(&continuity, Some("4710"), "4-west", Some("charting"), 1).as_deref(), Some("ana"));
    assert_eq!(back(&continuity, Some("4799"), "4-west", Some("charting"), 1).as_deref(), Some("ben"));
    assert_eq!(back(&continuity, None, "4-west", Some("charting"), 1).as_deref(), Some("ben"));
    assert_eq!(back(&continuity, Some("4799"), "4-west", Some("orders"), 1), None);
    assert_eq!(back(&continuity, Some("4799"), "4-west", None, 1), None);
    assert_eq!(back(&continuity, Some("4710"), "elsewhere", None, 1).as_deref(), Some("ana"));
}

#[test]
fn a_call_is_remembered_for_72_hours() {
    let mut continuity = Continuity::new();
    continuity.note(took(1, "ana", Some("4710"), "4-west", "charting", monday()));
    assert!(back(&continuity, Some("4710"), "4-west", None, 72).is_some());
    assert!(back(&continuity, Some("4710"), "4-west", None, 73).is_none());
    continuity.forget(monday() + SignedDuration::from_hours(73));
    assert!(continuity.is_empty());
}

#[test]
fn an_old_call_of_the_number_does_not_hide_a_new_one_of_the_unit() {
    let mut continuity = Continuity::new();
    continuity.note(took(1, "ana", Some("4710"), "4-west", "charting", monday()));
    let later = monday() + SignedDuration::from_hours(70);
    continuity.note(took(2, "ben", Some("4711"), "4-west", "charting", later));
    assert_eq!(back(&continuity, Some("4710"), "4-west", Some("charting"), 80).as_deref(), Some("ben"));
}

#[test]
fn forgetting_an_old_call_keeps_the_newer_one_of_the_same_number() {
    let mut continuity = Continuity::new();
    continuity.note(took(1, "ana", Some("4710"), "4-west", "charting", monday()));
    let later = monday() + SignedDuration::from_hours(70);
    continuity.note(took(2, "ben", Some("4710"), "4-west", "charting", later));
    continuity.forget(monday() + SignedDuration::from_hours(100));
    assert_eq!(back(&continuity, Some("4710"), "4-west", None, 100).as_deref(), Some("ben"));
}

#[test]
fn another_hospital_has_a_memory_of_its_own() {
    let mut continuity = Continuity::new();
    let elsewhere = HospitalId::new("st-elsewhere");
    continuity.note(took(1, "ana", Some("4710"), "4-west", "charting", monday()));
    assert_eq!(continuity.find(&elsewhere, Some("4710"), None, None, monday()), None);
}

#[test]
fn the_memory_is_bounded_and_forgets_the_oldest() {
    let mut continuity = Continuity::new();
    for number in 0..=MAX_REMEMBERED {
        let caller = format!("{number}");
        continuity.note(took(number as u128, "ana", Some(&caller), "4-west", "charting", monday()));
    }
    assert_eq!(continuity.len(), MAX_REMEMBERED);
    assert_eq!(back(&continuity, Some("0"), "nowhere", None, 1), None);
    assert!(back(&continuity, Some("1"), "nowhere", None, 1).is_some());
}

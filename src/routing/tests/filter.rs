use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Weekday, date, time};

use super::fixture::*;
use crate::ids::{HospitalId, Language, ModuleId, SiteId};
use crate::routing::*;
use crate::time::Duration;

/// Why `analyst`, at the desk and idle but for what `change` does, is passed over; `None` when rung.
fn refusal_as(who: Who, analyst: Analyst, need: &Need, change: impl FnOnce(&mut Desk)) -> Option<String> {
    let name = analyst.id.as_str().to_owned();
    let mut desk = all_signed_in(&[&name]);
    change(&mut desk);
    let rung = rung("rung", &[who]);
    let decision = choose(&staff([analyst]), &desk, need, &Ask::first(&rung, 2, at(1_000), monday()));
    match decision.chosen.as_slice() {
        [] => Some(decision.passed_over.into_iter().map(|passed| passed.because).collect()),
        [_] => None,
        more => panic!("one person, {} choices", more.len()),
    }
}

fn refusal(analyst: Analyst, need: &Need) -> Option<String> {
    refusal_as(Who::Qualified, analyst, need, |_| {})
}

fn because(words: &str) -> Option<String> {
    Some(words.to_owned())
}

#[test]
fn a_qualified_analyst_at_the_desk_fits() {
    assert_eq!(refusal(charter("ana"), &charting()), None);
}

#[test]
fn an_analyst_of_another_hospital_is_not_even_named() {
    let mut ana = charter("ana");
    ana.hospitals = BTreeSet::from([HospitalId::new("st-elsewhere")]);
    assert_eq!(refusal(ana, &charting()), because(""));
}

#[test]
fn the_filter_itself_says_that_somebody_belongs_to_another_hospital() {
    let rung = rung("rung", &[Who::Qualified]);
    let desk = all_signed_in(&["ana"]);
    let mut decision = choose(&staff([charter("ana")]), &desk, &charting(), &Ask::first(&rung, 2, at(1_000), monday()));
    decision.inputs.people[0].of_hospital = false;
    let refusal =
        qualify::judge(&decision.inputs.people[0], Who::Qualified, &charting()).expect_err("another hospital");
    assert_eq!(refusal.to_string(), "belongs to another hospital");
}

#[test]
fn a_site_out_of_reach_is_refused_and_an_unknown_site_is_not() {
    let mut ana = charter("ana");
    ana.sites = Some(BTreeSet::from([SiteId::new("main")]));
    let north = Need { site: Some(SiteId::new("north")), ..charting() };
    let main = Need { site: Some(SiteId::new("main")), ..charting() };
    assert_eq!(refusal(ana.clone(), &north), because("does not serve site north"));
    assert_eq!(refusal(ana.clone(), &main), None);
    assert_eq!(refusal(ana, &charting()), None);
}

#[test]
fn a_language_is_named_as_people_call_it() {
    let spanish = Need { language: Language::new("es"), ..charting() };
    let klingon = Need { language: Language::new("tlh"), ..charting() };
    assert_eq!(refusal(charter("ana"), &spanish), because("speaks no Spanish"));
    assert_eq!(refusal(charter("ana"), &klingon), because("speaks no tlh"));
}

#[test]
fn a_system_without_qualification_is_named() {
    let lab = need_of("meridian-lab", Some("orders"));
    assert_eq!(refusal(charter("ana"), &lab), because("no qualification for meridian-lab"));
    let unknown = Need { system: None, module: None, ..charting() };
    assert_eq!(refusal(person("ana"), &unknown), because("no qualification"));
    assert_eq!(refusal(charter("ana"), &unknown), None);
}

#[test]
fn a_module_must_be_held_unless_all_are_or_none_is_asked() {
    let orders = need_of("epic-prod", Some("orders"));
    assert_eq!(refusal(charter("ana"), &orders), because("epic-prod, but not orders"));
    assert_eq!(refusal(holding(person("ana"), "epic-prod", &[]), &orders), None);
    assert_eq!(refusal(charter("ana"), &need_of("epic-prod", None)), None);
}

#[test]
fn a_level_below_the_need_is_refused() {
    let mut ana = charter("ana");
    ana.qualifications[0].level = Level::Advanced;
    let expert = Need { level: Level::Expert, ..charting() };
    let advanced = Need { level: Level::Advanced, ..charting() };
    assert_eq!(refusal(ana.clone(), &expert), because("advanced for epic-prod, expert is needed"));
    assert_eq!(refusal(ana, &advanced), None);
}

#[test]
fn a_release_out_of_scope_is_refused_and_an_unknown_one_is_not() {
    let mut ana = charter("ana");
    ana.qualifications[0].releases = Releases::Only(BTreeSet::from(["2024.2".to_owned()]));
    let newer = Need { release: Some("2025.1".to_owned()), ..charting() };
    let same = Need { release: Some("2024.2".to_owned()), ..charting() };
    assert_eq!(refusal(ana.clone(), &newer), because("release 2025.1 not covered"));
    assert_eq!(refusal(ana.clone(), &same), None);
    assert_eq!(refusal(ana, &charting()), None);
}

#[test]
fn validity_counts_whole_days_at_the_analysts_desk() {
    // The wall clock says Monday, 2026-06-01.
    let table = [
        (None, Some(date(2026, 5, 1)), because("expired on 2026-05-01")),
        (None, Some(date(2026, 5, 31)), because("expired on 2026-05-31")),
        (None, Some(date(2026, 6, 1)), None),
        (Some(date(2026, 6, 1)), None, None),
        (Some(date(2026, 6, 2)), None, because("valid only from 2026-06-02")),
    ];
    for (from, until, expected) in table {
        let mut ana = charter("ana");
        ana.qualifications[0].valid_from = from;
        ana.qualifications[0].valid_until = until;
        assert_eq!(refusal(ana, &charting()), expected, "{from:?} to {until:?}");
    }
}

#[test]
fn a_qualification_for_one_hospital_counts_there_only() {
    let mut ana = charter("ana");
    ana.qualifications[0].hospital = Some(HospitalId::new("st-elsewhere"));
    assert_eq!(refusal(ana, &charting()), because("no qualification for epic-prod"));
}

#[test]
fn of_several_qualifications_the_one_that_covers_wins_and_else_the_nearest_speaks() {
    let mut ana = charter("ana");
    let expired = Qualification { valid_until: Some(date(2026, 5, 1)), ..qualification("epic-prod", &["charting"]) };
    ana.qualifications.insert(0, expired);
    assert_eq!(refusal(ana.clone(), &charting()), None);
    ana.qualifications[1].modules = Modules::Only(BTreeSet::from([ModuleId::new("orders")]));
    assert_eq!(refusal(ana, &charting()), because("expired on 2026-05-01"));
}

#[test]
fn what_an_analyst_does_now_is_said() {
    let ana = id("ana");
    let of = |change: &dyn Fn(&mut Desk)| refusal_as(Who::Qualified, charter("ana"), &charting(), |desk| change(desk));
    let paused = |reason: Option<&str>| Presence::Paused { reason: reason.map(str::to_owned) };
    assert_eq!(of(&|desk| desk.declare(&ana, Presence::SignedOut, at(1))), because("not signed in"));
    assert_eq!(of(&|desk| desk.declare(&ana, paused(Some("lunch")), at(1))), because("paused: lunch"));
    assert_eq!(of(&|desk| desk.declare(&ana, paused(None), at(1))), because("paused"));
    assert_eq!(of(&|desk| engage(desk, "ana")), because("on a call"));
    assert_eq!(of(&|desk| assert!(desk.reserve(&ana, call(7), vec![], at(1)))), because("rings for another call"));
    assert_eq!(of(&|desk| desk.set_reachable(&ana, false)), because("no phone reachable"));
    let wrap_up = |desk: &mut Desk| {
        engage(desk, "ana");
        desk.hung_up(&ana, call(999), at(1), Duration::from_secs(60));
    };
    assert_eq!(of(&wrap_up), because("wrap-up"));
    assert_eq!(refusal_as(Who::WrapUp, charter("ana"), &charting(), wrap_up), None);
    assert_eq!(refusal_as(Who::WrapUp, charter("ana"), &charting(), |_| {}), because("not in wrap-up"));
}

#[test]
fn somebody_off_shift_is_not_rung_though_signed_in() {
    let mut ana = charter("ana");
    let nights = vec![Span::new([Weekday::Monday], time(22, 0, 0, 0), time(6, 0, 0, 0))];
    ana.shifts = Schedule::Weekly(Weekly { zone: zone(), spans: nights, exceptions: BTreeMap::new() });
    assert_eq!(refusal(ana, &charting()), because("off shift"));
}

#[test]
fn what_this_call_has_had_to_do_with_an_analyst_is_said() {
    let rung = rung("rung", &[Who::Qualified]);
    let table = [
        (WithThisCall::Tried, "already tried for this call"),
        (WithThisCall::Refused, "another call was faster"),
        (WithThisCall::Rung { who: Who::Qualified, counts: true }, "rings for this call"),
    ];
    for (with_this_call, words) in table {
        let so_far = BTreeMap::from([(id("ana"), with_this_call)]);
        let ask = Ask { so_far: &so_far, ..Ask::first(&rung, 2, at(1_000), monday()) };
        let decision = choose(&staff([charter("ana")]), &all_signed_in(&["ana"]), &charting(), &ask);
        assert_eq!(decision.chosen, []);
        assert_eq!(decision.passed_over[0].because, words);
    }
}

#[test]
fn on_call_needs_the_plan_and_the_qualification_but_no_sign_in() {
    let asleep = |desk: &mut Desk| desk.declare(&id("oto"), Presence::SignedOut, at(1));
    assert_eq!(refusal_as(Who::OnCall, on_call("oto"), &charting(), asleep), None);
    assert_eq!(refusal_as(Who::OnCall, charter("oto"), &charting(), asleep), because("not on call now"));
    let lab = need_of("meridian-lab", None);
    assert_eq!(refusal_as(Who::OnCall, on_call("oto"), &lab, asleep), because("no qualification for meridian-lab"));
    let forgotten_pause = |desk: &mut Desk| desk.declare(&id("oto"), Presence::Paused { reason: None }, at(1));
    assert_eq!(refusal_as(Who::OnCall, on_call("oto"), &charting(), forgotten_pause), None);
}

#[test]
fn a_supervisor_is_asked_for_no_qualification() {
    assert_eq!(refusal_as(Who::Supervisor, supervisor("sue"), &charting(), |_| {}), None);
    assert_eq!(refusal_as(Who::Supervisor, charter("ana"), &charting(), |_| {}), because("no supervisor"));
    assert_eq!(
        refusal_as(Who::Qualified, supervisor("sue"), &charting(), |_| {}),
        because("no qualification for epic-prod")
    );
}

#[test]
fn each_group_is_rung_at_its_own_phones() {
    let phones = |who, analyst: Analyst, change: &dyn Fn(&mut Desk)| {
        let name = analyst.id.as_str().to_owned();
        let mut desk = all_signed_in(&[&name]);
        change(&mut desk);
        let rung = rung("rung", &[who]);
        let decision = choose(&staff([analyst]), &desk, &charting(), &Ask::first(&rung, 2, at(1_000), monday()));
        decision.chosen.first().map(|choice| choice.phones.clone())
    };
    // Position 0 is the desk phone, 1 the mobile.
    assert_eq!(phones(Who::Qualified, on_call("oto"), &|_| {}), Some(vec![0]));
    assert_eq!(phones(Who::OnCall, on_call("oto"), &|_| {}), Some(vec![1]));
    assert_eq!(phones(Who::Supervisor, supervisor("sue"), &|_| {}), Some(vec![0]));
    let away = |desk: &mut Desk| desk.declare(&id("sue"), Presence::SignedOut, at(1));
    assert_eq!(phones(Who::Supervisor, supervisor("sue"), &away), Some(vec![1]));
    let unplugged = |desk: &mut Desk| desk.set_reachable(&id("sue"), false);
    assert_eq!(phones(Who::Supervisor, supervisor("sue"), &unplugged), Some(vec![1]));
    // On call without a phone for it: at the desk phone.
    let mut ana = charter("ana");
    ana.on_call = Schedule::Always;
    assert_eq!(phones(Who::OnCall, ana, &|_| {}), Some(vec![0]));
}

//! Conditions that ask the calendar and the desk's memory, keys that came with the number, and `set`.

use super::world::{Desk, SAMPLE, Script, assert_ladder, plan, ward_phone};
use crate::diagnostic::Report;
use crate::ids::CalendarId;
use crate::ivr::condition::{Condition, Pattern};
use crate::ivr::{Facts, Known, NeedPatch, Plan};
use crate::time::Duration;

fn holds(condition: &Condition, facts: &Facts, remembers: bool) -> bool {
    let world = Desk { matters: false, on_shift: true, incident: remembers };
    condition.holds(facts, &NeedPatch::default(), &world)
}

#[test]
fn a_repeat_lies_within_its_time_and_an_open_ticket_is_open() {
    // The world's last call was half an hour ago.
    let within =
        |minutes: u64| Condition { repeat_within: Some(Duration::from_secs(minutes * 60)), ..Condition::default() };
    assert!(holds(&within(30), &ward_phone(), true) && !holds(&within(29), &ward_phone(), true));
    assert!(!holds(&within(4_320), &ward_phone(), false), "nobody was helped");
    let open = |open: bool| Condition { open_ticket: Some(open), ..Condition::default() };
    assert!(holds(&open(true), &ward_phone(), true) && !holds(&open(true), &ward_phone(), false));
    assert!(holds(&open(false), &ward_phone(), false));
}

#[test]
fn holidays_and_calendars_are_those_of_the_call() {
    let facts = Facts { holiday: true, calendars: vec![CalendarId::new("clinic")], ..ward_phone() };
    let holiday = |holiday: bool| Condition { holiday: Some(holiday), ..Condition::default() };
    assert!(holds(&holiday(true), &facts, false) && !holds(&holiday(false), &facts, false));
    assert!(holds(&holiday(false), &ward_phone(), false));
    let calendar = Condition { calendar: vec!["night".into(), "clinic".into()], ..Condition::default() };
    assert!(holds(&calendar, &facts, false) && !holds(&calendar, &ward_phone(), false));
}

#[test]
fn digits_behind_the_number_can_be_asked_for_and_are_keyed_ahead() {
    let facts = Facts { digits: Some("31".to_owned()), ..ward_phone() };
    let digits = |text: &str| Condition { digits: vec![Pattern::parse(text).expect("digits")], ..Condition::default() };
    assert!(holds(&digits("3*"), &facts, false) && !holds(&digits("3"), &facts, false));
    assert!(!holds(&digits("3*"), &ward_phone(), false));
    // The question is not even spoken: its answer came with the number.
    let facts = Facts { digits: Some("1".to_owned()), ..ward_phone() };
    assert_ladder(
        &Script { matters: true, until: 2_000, ..Script::of(facts) }.ladder(),
        "0.000 > who
         0.000 > question
         0.000 set charting
         0.000 > ring
         0.000 alert by key
         0.000 > connect
         0.500 say ringing",
    );
}

#[test]
fn set_settles_the_need_before_phones_ring_and_is_only_noted_after() {
    let set = "\n[steps.first]\ntype = \"set\"\nmodule = \"charting\"\npriority = \"urgent\"\nnext = \"known\"\n\
               [steps.later]\ntype = \"set\"\nmodule = \"orders\"\nnext = \"connect\"\n";
    let text = SAMPLE.replace("else = \"question\"", "else = \"first\"");
    let text = text.replace(
        "{ from = \"outside\", person_known",
        "{ from = \"outside\", mapped = true, next = \"question\" },\n    { from = \"outside\", person_known",
    );
    let text =
        text.replace("say = [\"desk\", \"{unit}\"]\nnext = \"connect\"", "say = [\"desk\"]\nnext = \"later\"") + set;
    let ladder = Script { until: 1_900, ..Script::of(ward_phone()) }.ladder_of(&plan(&text));
    assert_ladder(
        &ladder,
        "0.000 > who
         0.000 > first
         0.000 set charting
         0.000 priority urgent
         0.000 > known
         0.000 alert by plan
         0.000 > greet
         0.500 say desk
         1.800 > later
         1.800 set orders
         1.800 > connect
         1.800 say ringing",
    );
}

#[test]
fn a_set_that_sets_nothing_and_a_calendar_that_nobody_declares_are_refused() {
    let known = Known { calendars: Some([CalendarId::new("clinic")].into()), ..Known::default() };
    let wrong = |from: &str, to: &str| -> Vec<String> {
        let mut report = Report::new();
        let plan = Plan::load("plans/test.toml", &SAMPLE.replacen(from, to, 1), &known, &mut report);
        assert!(plan.is_none());
        report.diagnostics().iter().map(|finding| finding.what.clone()).collect()
    };
    let set = wrong("[steps.known]\ntype = \"alert\"", "[steps.known]\ntype = \"set\"");
    assert!(set.contains(&"the step sets nothing".to_owned()), "{set:?}");
    let calendar = wrong("incident = true", "calendar = [\"clinics\"]");
    assert!(calendar.contains(&"calendar `clinics` is not declared".to_owned()), "{calendar:?}");
    let priority = wrong("[steps.known]\ntype = \"alert\"", "[steps.known]\ntype = \"set\"\npriority = \"urgend\"");
    assert!(priority.contains(&"unknown priority `urgend`".to_owned()), "{priority:?}");
}

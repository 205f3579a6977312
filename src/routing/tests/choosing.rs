use std::collections::BTreeMap;

use super::fixture::*;
use crate::routing::choose::{FEW, MAX_NEXT_LISTED, MAX_REFUSED_LISTED};
use crate::routing::*;
use crate::time::Duration;

fn decide(people: &[&str], desk: &Desk, continuity: Option<&str>) -> Decision {
    let rung = rung("qualified", &[Who::Qualified]);
    let continuity = continuity.map(id);
    let ask = Ask { continuity: continuity.as_ref(), ..Ask::first(&rung, 2, at(1_000), monday()) };
    choose(&staff(people.iter().map(|name| charter(name))), desk, &charting(), &ask)
}

#[test]
fn two_ring_when_more_than_three_are_free_and_else_one() {
    assert_eq!(FEW, 3);
    let everybody = ["ana", "ben", "cho", "dee", "eva"];
    for (count, expected) in
        [(5, vec!["ana", "ben"]), (4, vec!["ana", "ben"]), (3, vec!["ana"]), (1, vec!["ana"]), (0, vec![])]
    {
        let people = &everybody[..count];
        assert_eq!(names(&decide(people, &all_signed_in(people), None).chosen), expected, "{count} free");
    }
}

#[test]
fn whoever_is_busy_does_not_count_as_free() {
    let people = ["ana", "ben", "cho", "dee"];
    let mut desk = all_signed_in(&people);
    engage(&mut desk, "dee");
    assert_eq!(names(&decide(&people, &desk, None).chosen), ["ana"]);
}

#[test]
fn the_longest_idle_rings_first_and_a_tie_goes_by_name() {
    let people = ["ana", "ben", "cho", "dee"];
    let mut desk = Desk::new();
    for (name, idle_s) in [("ana", 10), ("ben", 90), ("cho", 90), ("dee", 5)] {
        sign_in(&mut desk, name, Duration::from_secs(idle_s));
    }
    assert_eq!(names(&decide(&people, &desk, None).chosen), ["ben", "cho"]);
}

#[test]
fn a_repeat_goes_back_to_its_analyst_before_the_longest_idle() {
    let people = ["ana", "ben", "cho", "dee"];
    let decision = decide(&people, &all_signed_in(&people), Some("dee"));
    assert_eq!(names(&decision.chosen), ["dee", "ana"]);
    assert_eq!(decision.chosen[0].because, "Holds charting (basic) for epic-prod; took the last call from here.");
}

#[test]
fn a_repeat_whose_analyst_is_busy_or_unqualified_goes_to_the_others() {
    let people = ["ana", "ben"];
    let mut desk = all_signed_in(&people);
    engage(&mut desk, "ben");
    assert_eq!(names(&decide(&people, &desk, Some("ben")).chosen), ["ana"]);
    assert_eq!(names(&decide(&people, &desk, Some("left-the-house")).chosen), ["ana"]);
}

#[test]
fn the_decision_says_why_in_words() {
    let people = ["ana", "ben", "cho"];
    let mut desk = all_signed_in(&people);
    engage(&mut desk, "cho");
    let decision = decide(&people, &desk, None);
    assert_eq!(decision.chosen[0].because, "Holds charting (basic) for epic-prod; idle longest, 10 min.");
    let passed: Vec<_> = decision.passed_over.iter().map(|p| (p.analyst.as_str(), p.because.as_str())).collect();
    assert_eq!(passed, [("ben", "fits, but others are rung first (idle 10 min)"), ("cho", "on a call")]);
}

#[test]
fn those_who_ring_already_count_and_those_whose_phone_is_silent_do_not() {
    let people = ["ana", "ben", "cho", "dee", "eva"];
    let rung = rung("qualified", &[Who::Qualified]);
    let staff = staff(people.iter().map(|name| charter(name)));
    let desk = all_signed_in(&people);
    for (counts, expected) in [(true, vec!["ben"]), (false, vec!["ben", "cho"])] {
        let so_far = BTreeMap::from([(id("ana"), WithThisCall::Rung { who: Who::Qualified, counts })]);
        let ask = Ask { so_far: &so_far, ..Ask::first(&rung, 2, at(1_000), monday()) };
        assert_eq!(names(&choose(&staff, &desk, &charting(), &ask).chosen), expected, "counts: {counts}");
    }
}

#[test]
fn the_groups_of_a_rung_ring_together() {
    let mut desk = all_signed_in(&["ana"]);
    engage(&mut desk, "ana");
    desk.hung_up(&id("ana"), call(999), at(0), Duration::from_secs(60));
    let rung = rung("backup", &[Who::WrapUp, Who::OnCall]);
    let staff = staff([charter("ana"), on_call("oto"), on_call("pia")]);
    let decision = choose(&staff, &desk, &charting(), &Ask::first(&rung, 2, at(1_000), monday()));
    let chosen: Vec<_> = decision.chosen.iter().map(|c| (c.analyst.as_str(), c.who, c.because.as_str())).collect();
    assert_eq!(
        chosen,
        [
            ("ana", Who::WrapUp, "Holds charting (basic) for epic-prod; finishing the last call."),
            ("oto", Who::OnCall, "Holds charting (basic) for epic-prod; on call now."),
        ]
    );
}

#[test]
fn the_groups_of_a_rung_share_the_phones_rung_at_once_and_the_earlier_group_comes_first() {
    let people = ["ana", "ben", "cho", "dee", "eva"];
    let wrapping_up = |names: &[&str]| {
        let mut desk = all_signed_in(&people);
        for name in names {
            engage(&mut desk, name);
            desk.hung_up(&id(name), call(999), at(0), Duration::from_secs(60));
        }
        desk
    };
    let rung = rung("both", &[Who::Qualified, Who::WrapUp]);
    let chosen = |at_once: u8, people: &[&str], desk: &Desk| {
        let staff = staff(people.iter().map(|name| charter(name)));
        let decision = choose(&staff, desk, &charting(), &Ask::first(&rung, at_once, at(1_000), monday()));
        decision.chosen.iter().map(|c| format!("{} {}", c.analyst, c.who.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(chosen(1, &people, &wrapping_up(&["ana", "ben"])), ["cho qualified"]);
    assert_eq!(chosen(2, &people, &wrapping_up(&["ana", "ben"])), ["cho qualified", "dee qualified"]);
    assert_eq!(chosen(2, &people, &wrapping_up(&["ana", "ben", "cho", "dee"])), ["eva qualified", "ana wrap-up"]);
    assert_eq!(chosen(2, &people[..3], &wrapping_up(&["ana"])), ["ben qualified"], "three who may be rung: one");
    assert_eq!(chosen(1, &people, &wrapping_up(&people)), ["ana wrap-up"]);
}

#[test]
fn two_on_call_who_share_a_mobile_are_one_phone() {
    let shared = |name: &str| {
        let mut analyst = on_call(name);
        analyst.phones = vec![mobile("5550100")];
        analyst
    };
    let people = ["ana", "ben", "cho", "dee"];
    let staff = staff(people.map(shared));
    let rung = rung("on-call", &[Who::OnCall]);
    let mut desk = Desk::new();
    let decision = choose(&staff, &desk, &charting(), &Ask::first(&rung, 2, at(0), monday()));
    assert_eq!(names(&decision.chosen), ["ana"]);
    // While it rings for one call, nobody can be rung at it for another.
    assert!(desk.reserve(&id("ana"), call(1), vec![mobile("5550100").kind], at(0)));
    let decision = choose(&staff, &desk, &charting(), &Ask::first(&rung, 2, at(0), monday()));
    assert_eq!(decision.chosen, []);
    assert_eq!(decision.passed_over[1].because, "the phone is in use for another call");
}

#[test]
fn a_decision_is_made_again_from_what_it_kept_even_after_the_journal() {
    let people = ["ana", "ben", "cho", "dee"];
    let mut desk = all_signed_in(&people);
    engage(&mut desk, "ben");
    desk.declare(&id("cho"), Presence::Paused { reason: Some("lunch".to_owned()) }, at(1));
    let decision = decide(&people, &desk, Some("dee"));
    let text = serde_json::to_string(&decision).expect("plain data");
    let read: Decision = serde_json::from_str(&text).expect("what was written");
    assert_eq!(read, decision);
    assert_eq!(replay(&read), [id("dee")]);
}

#[test]
fn of_a_large_desk_the_next_in_line_are_named_and_the_others_counted() {
    assert_eq!((MAX_NEXT_LISTED, MAX_REFUSED_LISTED), (6, 10));
    let names_of = |prefix: &str, count: usize| -> Vec<String> {
        (0..count).map(|number| format!("{prefix}-{number:02}")).collect()
    };
    let (free, busy, strangers) = (names_of("free", 20), names_of("busy", 4), names_of("alien", 90));
    let mut desk = Desk::new();
    for (number, name) in (0..).zip(&free) {
        sign_in(&mut desk, name, Duration::from_secs(900 - number));
    }
    for name in &busy {
        sign_in(&mut desk, name, Duration::from_secs(5));
        engage(&mut desk, name);
    }
    let people = free.iter().chain(&busy).map(|name| charter(name)).chain(strangers.iter().map(|name| person(name)));
    let rung = rung("qualified", &[Who::Qualified]);
    let last_time = id("alien-89");
    let ask = Ask { continuity: Some(&last_time), ..Ask::first(&rung, 2, at(1_000), monday()) };
    let decision = choose(&staff(people), &desk, &charting(), &ask);
    assert_eq!(names(&decision.chosen), ["free-00", "free-01"]);
    let listed: Vec<&str> = decision.passed_over.iter().map(|passed| passed.analyst.as_str()).collect();
    assert_eq!(
        listed,
        [
            "free-02", "free-03", "free-04", "free-05", "free-06", "free-07", "alien-89", "busy-00", "busy-01",
            "busy-02", "busy-03", "alien-00", "alien-01", "alien-02", "alien-03", "alien-04",
        ]
    );
    let others: Vec<_> = decision.others.iter().map(|others| (others.count, others.because.as_str())).collect();
    assert_eq!(others, [(12, "behind in line"), (84, "without a qualification")]);
    assert_eq!((decision.inputs.people.len(), decision.inputs.unlisted), (18, 96));
    assert_eq!(decision.inputs.behind, Behind { at_work: 12, on_call: 0 });
    assert_eq!(replay(&decision), [id("free-00"), id("free-01")]);
}

#[test]
fn a_decision_is_as_small_at_a_desk_of_a_thousand() {
    let size = |count: usize| {
        let people: Vec<String> = (0..count).map(|number| format!("ana-{number:04}")).collect();
        let names: Vec<&str> = people.iter().map(String::as_str).collect();
        let mut desk = Desk::new();
        for name in &names {
            sign_in(&mut desk, name, Duration::from_secs(600));
        }
        serde_json::to_string(&decide(&names, &desk, None)).expect("plain data").len()
    };
    let (hundred, thousand) = (size(100), size(1_000));
    assert!(thousand <= hundred + 10, "{thousand} bytes at a thousand, {hundred} at a hundred");
    assert!(thousand < 6_000, "{thousand} bytes");
}

#[test]
fn a_decision_of_an_older_version_can_be_made_again() {
    let people = ["ana", "ben", "cho", "dee"];
    let decision = decide(&people, &all_signed_in(&people), None);
    let mut old = serde_json::to_value(&decision).expect("plain data");
    for person in old["inputs"]["people"].as_array_mut().expect("people") {
        for (name, value) in [("of_hospital", true), ("of_site", true), ("on_shift", true), ("on_call", false)] {
            person[name] = value.into();
        }
        person["occupied"] = "free".into();
        person["with_this_call"] = "nothing".into();
    }
    let read: Decision = serde_json::from_value(old).expect("every field said");
    assert_eq!(read, decision);
    assert_eq!(replay(&read), [id("ana"), id("ben")]);
}

// -- Is the question worth asking? --------------------------------------------------------------------------------------

fn asks(people: Vec<Analyst>, desk: &Desk, continuity: Option<&str>) -> bool {
    let base = need_of("epic-prod", None);
    let options = [need_of("epic-prod", Some("charting")), need_of("epic-prod", Some("orders"))];
    let continuity = continuity.map(id);
    let hunting = Hunting::standard();
    let question = Question {
        base: &base,
        options: &options,
        hunting: &hunting,
        continuity: continuity.as_ref(),
        now: at(0),
        wall: monday(),
    };
    would_change(&staff(people), desk, &question)
}

fn generalist(name: &str) -> Analyst {
    holding(person(name), "epic-prod", &[])
}

#[test]
fn nothing_is_asked_where_everybody_covers_everything() {
    let people = vec![generalist("ana"), generalist("ben")];
    assert!(!asks(people, &all_signed_in(&["ana", "ben"]), None));
}

#[test]
fn the_question_is_asked_when_an_answer_rings_somebody_else() {
    let people = vec![charter("ana"), holding(person("ben"), "epic-prod", &["orders"])];
    assert!(asks(people, &all_signed_in(&["ana", "ben"]), None));
}

#[test]
fn an_expert_who_is_not_there_changes_nothing() {
    let people = vec![generalist("ana"), charter("ben")];
    assert!(!asks(people, &all_signed_in(&["ana"]), None));
}

#[test]
fn the_rung_counts_as_much_as_the_person() {
    // Ana takes charting at her desk; orders only the on-call rung could reach, and that is Ana, too.
    let mut ana = charter("ana");
    ana.on_call = Schedule::Always;
    ana.phones.push(mobile("ana"));
    let mut night = all_signed_in(&["ana"]);
    assert!(asks(vec![ana.clone()], &night, None));
    // With nobody at all for either answer, nothing is worth asking.
    night.declare(&id("ana"), Presence::SignedOut, at(0));
    ana.on_call = Schedule::Never;
    assert!(!asks(vec![ana], &night, None));
}

#[test]
fn a_repeat_that_goes_back_to_its_analyst_is_asked_nothing() {
    let people = vec![charter("ana"), holding(person("ben"), "epic-prod", &["orders"])];
    let mut desk = all_signed_in(&["ana", "ben"]);
    assert!(!asks(people.clone(), &desk, Some("ana")));
    engage(&mut desk, "ana");
    assert!(asks(people, &desk, Some("ana")));
}

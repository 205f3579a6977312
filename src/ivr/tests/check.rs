//! What the check refuses, each mistake made in the sample plan: what is written, by what it is replaced, where the
//! report points, and what it says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::world::{SAMPLE, prompts};
use crate::diagnostic::{Diagnostic, Report};
use crate::ids::{Language, TargetId};
use crate::ivr::{Known, Plan, Prompts};

fn findings(text: &str) -> (Option<Plan>, Vec<String>, Vec<Diagnostic>) {
    let prompts = prompts();
    let known = Known {
        prompts: Some(&prompts),
        targets: Some(BTreeSet::from([TargetId::new("operator")])),
        ..Known::default()
    };
    let mut report = Report::new();
    let plan = Plan::load("plans/hotline.toml", text, &known, &mut report);
    report.sort();
    let said = report
        .diagnostics()
        .iter()
        .map(|found| {
            let position = report.position(&found.file, found.span.start).expect("the file was read");
            let nearest = found.nearest.as_ref().map(|nearest| format!(" ({nearest}?)")).unwrap_or_default();
            format!("{} {}{nearest}", position.line, found.what)
        })
        .collect();
    (plan, said, report.diagnostics().to_vec())
}

/// Replaces the first `written` of the sample; the report must say exactly `expected`, lines counted from the change.
#[track_caller]
fn refused(written: &str, by: &str, expected: &[&str]) {
    let (before, after) = SAMPLE.split_once(written).expect("the sample has it");
    let (plan, said, _) = findings(&format!("{before}{by}{after}"));
    let line = before.matches('\n').count() + 1;
    let said: Vec<String> = said
        .iter()
        .map(|said| {
            let (at, what) = said.split_once(' ').expect("line and text");
            let at: i64 = at.parse().expect("a line");
            format!("{:+} {what}", at - i64::try_from(line).expect("a short file"))
        })
        .collect();
    assert_eq!(said, expected);
    assert!(plan.is_none());
}

#[test]
fn the_sample_plan_is_clean_with_the_rendered_prompts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts");
    let mut report = Report::new();
    let prompts = Prompts::load(&[Language::new("en")], |path| fs::read(root.join(path)), &mut report);
    let known = Known { prompts: Some(&prompts), ..Known::default() };
    let plan = Plan::load("plans/hotline.toml", SAMPLE, &known, &mut report);
    assert!(report.is_empty(), "{:#?}", report.diagnostics());
    assert_eq!(plan.expect("a plan").steps().len(), 17);
}

#[test]
fn every_step_stands_before_those_it_leads_to() {
    let plan = findings(SAMPLE).0.expect("a plan");
    for (index, step) in plan.steps().iter().enumerate() {
        for (_, next) in step.kind.ways() {
            assert!(next.index() > index, "{} leads back", step.id);
        }
    }
}

#[test]
fn unknown_names_are_answered_with_the_nearest_known_one() {
    refused("next = \"greet\"", "next = \"gret\"", &["+0 there is no step `gret` (greet?)"]);
    refused(
        "say = [\"desk-question\"]",
        "say = [\"desk-questoin\"]",
        &["+0 no prompt `desk-questoin` in prompts/en/manifest.toml (desk-question?)"],
    );
    refused(
        "silence = \"ring\"",
        "silense = \"ring\"",
        &["-8 the menu has no `silence`", "+0 unknown key `silense` in a `menu` step (silence?)"],
    );
    refused("type = \"play\"", "type = \"plan\"", &["+0 unknown step type `plan` (play?)"]);
    refused("class = \"patient\"", "class = \"pateint\"", &["+0 unknown phone class `pateint` (patient?)"]);
    refused("{module|our}", "{modul|our}", &["+0 unknown slot `modul` (module?)"]);
    refused("target = \"operator\"", "target = \"oprator\"", &["+0 target `oprator` is not declared (operator?)"]);
    refused("who = [\"qualified\"]", "who = [\"qualifed\"]", &["+0 unknown group of people `qualifed` (qualified?)"]);
    refused("language = \"en\"", "language = \"em\"", &["+0 no prompts are installed in `em`"]);
}

#[test]
fn wrong_values_say_what_to_write() {
    refused("wait = \"1.5s\"", "wait = 1.5", &["+0 `wait` is of type float"]);
    let text = SAMPLE.replacen("wait = \"1.5s\"", "wait = 2", 1);
    let mut report = Report::new();
    assert!(Plan::load("plans/hotline.toml", &text, &Known::default(), &mut report).is_none());
    let remedy = report.diagnostics()[0].remedy.as_deref();
    assert_eq!(remedy, Some("write a duration in quotes, such as \"2s\""));
    refused("wait = \"1.5s\"", "wait = \"1.5\"", &["+0 `wait` is no duration: \"1.5\""]);
    refused("wait = \"1.5s\"", "wait = \"11s\"", &["+0 `wait` is longer than 10 s"]);
    refused("wait = \"1.5s\"", "tries = 4", &["+0 `tries` is out of range"]);
    refused("at_once = 2", "at_once = 9", &["+0 `at_once` is out of range"]);
    refused("keys.1 =", "keys.9 =", &["+0 key `9` has its meaning in every plan"]);
    refused("keys.1 =", "keys.11 =", &["+0 `11` is no key of a phone"]);
    refused(
        "keys = { 1 = \"asked\" }",
        "keys = { 0 = \"asked\" }",
        &["+0 key `0` has its meaning in every plan", "+4 no call ever reaches step `asked`"],
    );
}

#[test]
fn a_question_that_may_be_skipped_must_matter_and_say_where_to() {
    refused("skip = \"known\"", "", &["-1 the menu may be skipped, but does not say where to"]);
    refused("ask = \"if-it-matters\"\n", "", &["+0 `skip` without `ask = \"if-it-matters\"`"]);
}

#[test]
fn steps_that_go_round_are_named_in_their_order() {
    refused(
        "no_answer = \"operator-silent\"",
        "no_answer = \"nobody\"\n[steps.x]\ntype = \"play\"\nsay = [\"done\"]\nnext = \"x\"",
        &[
            // Only what a call reaches is walked; the circle stands alone and nothing leads to it.
            "+1 no call ever reaches step `x`",
            "+6 no call ever reaches step `operator-silent`",
        ],
    );
    let text = SAMPLE.replace("give_up = \"nobody\"", "give_up = \"known\"");
    let (plan, said, found) = findings(&text);
    assert!(plan.is_none());
    assert_eq!(said.len(), 1);
    assert!(said[0].ends_with("steps go round: known → greet → connect → known"), "{said:?}");
    assert_eq!(found[0].related.len(), 2);
}

#[test]
fn f79_a_step_that_leads_to_itself_is_refused() {
    let (plan, said, _) = findings(&SAMPLE.replace("next = \"greet\"", "next = \"known\""));
    assert!(plan.is_none());
    assert!(said.iter().any(|said| said.ends_with("steps go round: known → known")), "{said:?}");
}

#[test]
fn f79_a_plan_of_a_hundred_thousand_steps_is_refused_whole() {
    for (count, why) in [(600, "more than 500 steps"), (100_000, "the plan is longer than 1 MiB")] {
        let step = |number| format!("[steps.s{number}]\ntype = \"alert\"\nnext = \"s{}\"\n", number + 1);
        let (plan, said, _) = findings(&format!("{SAMPLE}\n{}", (0..count).map(step).collect::<String>()));
        assert!(plan.is_none());
        assert!(said.iter().any(|said| said.contains(why)), "{:?}", said.first());
        assert!(said.len() <= crate::diagnostic::MAX_DIAGNOSTICS);
    }
}

#[test]
fn nobody_waits_without_a_ringing_phone_and_no_call_ends_before_somebody_was_tried() {
    let text = SAMPLE.replace("[steps.known]\ntype = \"alert\"", "[steps.known]\ntype = \"play\"\nsay = [\"done\"]");
    assert!(findings(&text).1[0].ends_with("step `connect` may wait for a person while no phone rings"));
    let text = SAMPLE.replace("next = \"greet\"", "next = \"ring\"");
    let said = findings(&text).1;
    assert!(said.iter().any(|said| said.ends_with("step `ring` may ring a second time")), "{said:?}");
    let text =
        format!("{}\n[steps.bye]\ntype = \"hangup\"\n", SAMPLE.replace("silence = \"operator\"", "silence = \"bye\""));
    assert!(findings(&text).1[0].ends_with("step `bye` may end a call that was promised nothing"));
}

#[test]
fn a_call_is_not_hung_up_on_after_a_silent_phone_without_a_callback() {
    let bye = "\n[steps.bye]\ntype = \"hangup\"\n";
    for (written, by) in [
        ("no_answer = \"operator-silent\"", "no_answer = \"bye\""),
        ("give_up = \"nobody\"\n\n[steps.asked]", "give_up = \"bye\"\n\n[steps.asked]"),
    ] {
        assert!(SAMPLE.contains(written));
        let (plan, said, _) = findings(&format!("{}{bye}", SAMPLE.replace(written, by)));
        assert!(plan.is_none());
        let wanted = "step `bye` may end a call that was promised nothing";
        assert!(said.iter().any(|said| said.ends_with(wanted)), "{said:?}");
    }
    // The words of a callback are last words, and more may follow.
    let written = "no_number = [\"nobody-free\", \"call-again\"]";
    let text = format!("{}{bye}", SAMPLE.replace(written, &format!("{written}\nnext = \"bye\"")));
    assert_eq!(findings(&text).1, [""; 0]);
}

#[test]
fn phones_that_were_made_to_ring_are_not_withdrawn_at_once() {
    let ring = "[steps.ring]\ntype = \"alert\"\nnext = \"connect\"";
    assert!(SAMPLE.contains(ring));
    let leads = |to: &str, step: &str| {
        SAMPLE.replace(ring, &format!("[steps.ring]\ntype = \"alert\"\nnext = \"{to}\"\n{step}"))
    };
    let menu = |keys: &str, silence: &str| {
        let words = "say = [\"staff-desk\"]\nwrong = \"connect\"\n";
        format!("[steps.menu]\ntype = \"menu\"\n{words}keys.1 = \"{keys}\"\nsilence = \"{silence}\"\n")
    };
    for text in [leads("nobody", ""), leads("operator", ""), leads("menu", &menu("connect", "nobody"))] {
        let (plan, said, _) = findings(&text);
        assert!(plan.is_none());
        assert!(said.iter().any(|said| said.ends_with("may withdraw phones that hardly rang")), "{said:?}");
    }
    // By a key the caller has chosen it.
    assert_eq!(findings(&leads("menu", &menu("nobody", "connect"))).1, [""; 0]);
    refused("give_up_after = \"90s\"", "give_up_after = \"2s\"", &["+0 `give_up_after` is shorter than 3 s"]);
    refused("ring_for = \"6s\"", "ring_for = \"0s\"", &["+0 `ring_for` is shorter than 3 s"]);
}

#[test]
fn a_number_has_room_for_911() {
    refused("digits = 6", "digits = 2", &["+0 `digits` is out of range"]);
    let ask = "number = \"extension\", digits = 4";
    refused(ask, "number = \"extension\", digits = 1", &["+0 `digits` is out of range"]);
}

#[test]
fn the_keys_that_work_everywhere_lead_where_they_promise() {
    let text = SAMPLE.replace("person = \"ring\"", "person = \"operator\"");
    assert!(findings(&text).1[0].ends_with("`person` names a step of type `transfer`"));
    let text = SAMPLE.replace("operator = \"operator\" ", "operator = \"nobody\" ");
    assert!(findings(&text).1[0].ends_with("`operator` names a step of type `callback`"));
}

#[test]
fn more_than_four_seconds_in_one_breath_is_refused() {
    let text = SAMPLE.replace("say = [\"desk\", \"{unit}\"]", "say = [\"desk\", \"staff-desk\"]");
    let (plan, said, found) = findings(&text);
    assert!(plan.is_none() && found[0].is_error());
    assert!(said[0].ends_with("up to 5.00 s of en speech in one breath"), "{said:?}");
}

#[test]
fn every_mistake_is_reported_in_one_run() {
    let text = SAMPLE
        .replace("tries", "x")
        .replace("wait = \"1.5s\"", "wait = 1")
        .replace("type = \"transfer\"", "type = \"transfre\"")
        .replace("cause = \"asked\"", "cause = \"aksed\"");
    let said = findings(&text).1;
    assert_eq!(said.len(), 4, "{said:?}");
}

#[test]
fn text_that_is_no_toml_is_pointed_at() {
    let (plan, said, _) = findings("name = \"hotline\nstart = 1");
    assert!(plan.is_none());
    assert!(said[0].starts_with("1 "), "{said:?}");
}

#[test]
fn what_is_written_twice_shows_where_it_stands_first() {
    let first_of = |text: &str, twice: &str| {
        let (plan, said, found) = findings(text);
        assert!(plan.is_none());
        let [finding] = found.as_slice() else { panic!("{said:?}") };
        assert!(finding.what.starts_with("this is not TOML: duplicate key"), "{said:?}");
        assert!(finding.remedy.is_some());
        let [first] = finding.related.as_slice() else { panic!("one place: {finding:?}") };
        assert_eq!(text.get(first.span.clone()), Some(twice));
        (first.span.start, finding.span.start)
    };
    let key = SAMPLE.replacen("wait = \"1.5s\"", "wait = \"1.5s\"\nsilence = \"known\"", 1);
    let (first, then) = first_of(&key, "silence");
    assert!(first < then && key[first..then].matches('[').count() == 0, "in the same step");
    let step = format!("{SAMPLE}\n[steps.ring]\ntype = \"alert\"\n");
    let (first, then) = first_of(&step, "[steps.ring]");
    assert!(first < then);
}

/// Warnings, each with the text that it points at.
fn warnings(text: &str) -> Vec<(String, String)> {
    let (plan, said, found) = findings(text);
    assert!(plan.is_some(), "{said:?}");
    let pointed = |found: &Diagnostic| (found.what.clone(), text[found.span.clone()].to_owned());
    found.iter().map(pointed).collect()
}

#[test]
fn what_comes_after_ringing_has_given_up_is_warned_of() {
    let told = |written: &str, by: &str| {
        assert!(SAMPLE.contains(written));
        warnings(&SAMPLE.replacen(written, by, 1))
    };
    let said = |what: &str, at: &str| vec![(what.to_owned(), at.to_owned())];
    assert_eq!(
        told("after = \"20s\"", "after = \"90s\""),
        said("rung `supervisor` never begins by its time", "\"90s\"")
    );
    assert_eq!(told("at = \"5s\"", "at = \"95s\""), said("this question is never asked", "\"95s\""));
    let early = "this announcement comes only where nobody can be rung";
    assert_eq!(told("at = \"10s\"", "at = \"91s\""), said(early, "\"91s\""));
    assert_eq!(told("at = \"10s\"", "at = \"89s\""), []);
}

#[test]
fn a_case_behind_a_wider_one_is_warned_of() {
    let case = "{ incident = true, next = \"known-problem\" },";
    assert!(SAMPLE.contains(case));
    let with = |more: &str| warnings(&SAMPLE.replacen(case, &format!("{case}\n    {more},"), 1));
    let never = |at: &str| vec![("this case never comes".to_owned(), at.to_owned())];
    for hidden in [
        "{ incident = true, next = \"known\" }",
        "{ incident = true, hours = \"08:00-17:00\", next = \"known\" }",
        "{ from = \"outside\", person_known = false, extension = \"1202*\", next = \"known\" }",
    ] {
        assert_eq!(with(hidden), never(hidden));
    }
    for comes in [
        "{ incident = false, next = \"known\" }",
        "{ from = \"outside\", next = \"known\" }",
        "{ class = [\"ward\", \"patient\"], next = \"known\" }",
    ] {
        assert_eq!(with(comes), [], "{comes}");
    }
    let narrower = "{ digits = \"3*\", next = \"known\" },\n    { digits = [\"31\", \"32*\"], next = \"ring\" }";
    assert_eq!(with(narrower), never("{ digits = [\"31\", \"32*\"], next = \"ring\" }"));
    let wider = "{ digits = \"31\", next = \"known\" },\n    { digits = \"3*\", next = \"ring\" }";
    assert_eq!(with(wider), []);
}

//! What no single file can see, each with the text that an admin reads: file, line, column, why, what to do.

use super::{ANALYSTS, HOSPITAL, NODE, PLAN, broken, check, file, findings, folder, place, try_folder};
use crate::config::{Folder, compose, render};
use crate::diagnostic::{Diagnostic, Report};

/// The whole report on these files.
#[track_caller]
fn report(hospital: &str, analysts: &str, plan: &str) -> String {
    let mut folder = folder(NODE, &[hospital], analysts);
    folder.plans = vec![file("plans/hotline", plan)];
    render::text(&findings(try_folder(&folder)), false)
}

#[track_caller]
fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "there is no {from:?}");
    text.replacen(from, to, 1)
}

#[test]
fn an_utterance_of_more_than_four_seconds_is_refused_also_when_it_is_joined() {
    let plan = changed(PLAN, "say = [\"desk-question\"]", "say = [\"desk-question\", \"key-badge\"]");
    let said = report(HOSPITAL, ANALYSTS, &plan);
    let (first, rest) = said.split_once('\n').expect("lines");
    // The seconds are those of the recorded voice.
    assert!(first.starts_with("error: up to 5.") && first.ends_with(" s of en speech in one breath"), "{first}");
    let expected = r#"  --> sip-config/plans/hotline.toml:13:7
   |
13 | say = ["desk-question", "key-badge"]
   |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ callers listen for 4 s, and what follows waits for it
   |
   = help: say it in fewer words, or in two steps

1 error
"#;
    assert_eq!(rest, expected);
}

#[test]
fn a_plan_that_rings_only_who_finishes_a_call_is_warned_of() {
    let plan = changed(PLAN, "who = [\"qualified\"]", "who = [\"wrap-up\"]");
    let expected = r#"warning: no rung rings `qualified`: analysts who are free are never rung
  --> sip-config/plans/hotline.toml:10:9
   |
10 | rungs = [{ name = "qualified", who = ["wrap-up"], ring_for = "12s" }]
   |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   |
   = help: name `qualified` in the first rung

1 warning
"#;
    assert_eq!(report(HOSPITAL, ANALYSTS, &plan), expected);
}

#[test]
fn a_target_that_is_not_declared_is_refused() {
    let plan = changed(
        PLAN,
        "no_answer = \"nobody\"\n",
        "no_answer = \"pharmacy\"\n[steps.pharmacy]\ntype = \"transfer\"\ntarget = \"pharmcy\"\nno_answer = \"nobody\"\n",
    );
    let hospital = format!("{HOSPITAL}[targets.pharmacy]\nnumber = \"4780\"\n");
    let expected = r#"error: target `pharmcy` is not declared
  --> sip-config/plans/hotline.toml:37:10
   |
37 | target = "pharmcy"
   |          ^^^^^^^^^
   |
   = help: did you mean `pharmacy`?
   = help: declare it in the hospital's file, or use one that is

1 error
"#;
    assert_eq!(report(&hospital, ANALYSTS, &plan), expected);
}

#[test]
fn key_nine_and_911_must_ring_the_hospitals_own_operator() {
    let plan = changed(PLAN, "target = \"operator\"", "target = \"vendor\"");
    let hospital = format!("{HOSPITAL}[targets.vendor]\nnumber = \"12025550143\"\noutside = true\n");
    let expected = r#"error: key 9 and 911 ring `vendor`, not the hospital operator
  --> sip-config/plans/hotline.toml:5:12
   |
 5 | operator = "operator"
   |            ^^^^^^^^^^ who keys 911 must reach the human who can send help
   |
  ::: sip-config/plans/hotline.toml:30:8
   |
30 | [steps.operator]
   |        -------- this step
   |
   = help: write target = "operator" in step `operator`, or name a step that has it

1 error
"#;
    assert_eq!(report(&hospital, ANALYSTS, &plan), expected);
}

#[test]
fn an_entry_that_names_the_wrong_kind_of_step_is_one_error_whatever_follows_from_it() {
    let expected = r#"error: `operator` names a step of type `alert`
 --> sip-config/plans/hotline.toml:5:12
  |
5 | operator = "ring"
  |            ^^^^^^
  |
  = help: name a step of type `transfer`

1 error
"#;
    assert_eq!(report(HOSPITAL, ANALYSTS, &changed(PLAN, "operator = \"operator\"", "operator = \"ring\"")), expected);
    let said = report(HOSPITAL, ANALYSTS, &changed(PLAN, "person = \"ring\"", "person = \"operator\""));
    assert!(said.starts_with("error: `person` names a step of type `transfer`\n"), "{said}");
    assert!(said.ends_with("\n1 error\n"), "{said}");
}

#[test]
fn who_is_told_to_dial_the_code_number_is_told_one() {
    let plan = changed(PLAN, "say = [\"connecting-operator\"]", "say = [\"no-answer-dial\", \"{code}\"]");
    let hospital = changed(HOSPITAL, "code_numbers = [\"5555\"]\n", "");
    let expected = r#"error: step `operator` tells the code number, and `mercy` declares none
  --> sip-config/plans/hotline.toml:30:8
   |
30 | [steps.operator]
   |        ^^^^^^^^ whoever could not reach the operator would be told to dial nothing
   |
  ::: sip-config/hospital.toml:7:10
   |
 7 | hotlines.7100 = { plan = "hotline" }
   |          ---- the hotline that the plan answers
   |
   = help: add code_numbers = ["…"] to the hospital's file

1 error
"#;
    assert_eq!(report(&hospital, ANALYSTS, &plan), expected);
}

#[test]
fn a_code_number_must_not_begin_with_a_key_of_the_plan() {
    let hospital = changed(HOSPITAL, "code_numbers = [\"5555\"]", "code_numbers = [\"1555\"]");
    let expected = r#"error: code number 1555 begins with 1, a key of plan `hotline`
 --> sip-config/hospital.toml:7:17
  |
7 | code_numbers = ["1555"]
  |                 ^^^^^^ somebody keying it in the menu would choose that answer
  |
 ::: sip-config/hospital.toml:8:26
  |
8 | hotlines.7100 = { plan = "hotline" }
  |                          --------- the hotline's plan
  |
  = help: give that answer of the plan another key

1 error
"#;
    assert_eq!(report(&hospital, ANALYSTS, PLAN), expected);
}

#[test]
fn a_hotline_and_a_code_number_differ_in_two_digits() {
    let hospital = changed(HOSPITAL, "code_numbers = [\"5555\"]", "code_numbers = [\"7700\"]");
    let expected = r#"error: code number 7700 and hotline 7100 differ in one digit only
 --> sip-config/hospital.toml:7:17
  |
7 | code_numbers = ["7700"]
  |                 ^^^^^^ one slip while dialling for a code team reaches the desk
  |
 ::: sip-config/hospital.toml:8:10
  |
8 | hotlines.7100 = { plan = "hotline" }
  |          ---- the hotline
  |
  = help: choose a hotline number that differs in at least two digits

1 error
"#;
    assert_eq!(report(&hospital, ANALYSTS, PLAN), expected);
}

#[test]
fn a_key_asks_for_nothing_that_nobody_may_take() {
    let analysts = changed(ANALYSTS, "modules = [\"*\"]", "modules = [\"orders\"]");
    let analysts = changed(&analysts, "modules = [\"charting\"]", "modules = [\"orders\"]");
    let expected = r#"error: key 1 asks for module `charting`, which nobody of `mercy` may take
  --> sip-config/plans/hotline.toml:11:8
   |
11 | [steps.question]
   |        ^^^^^^^^ calls of step `question` would ring nobody who is qualified
   |
  ::: sip-config/hospital.toml:8:10
   |
 8 | hotlines.7100 = { plan = "hotline" }
   |          ---- the hotline that the plan answers
   |
   = help: qualify somebody in analysts.toml, or take it out of the plan

1 error
"#;
    assert_eq!(report(HOSPITAL, &analysts, PLAN), expected);
    // A level is part of it; another hospital's people do not count, and who cannot be read is no news.
    let plan = changed(PLAN, "module = \"charting\"", "module = \"charting\", level = \"expert\"");
    assert!(report(HOSPITAL, ANALYSTS, &plan).contains("module `charting` with level `expert`, which nobody"));
    let expert = changed(ANALYSTS, "modules = [\"*\"]", "modules = [\"*\"], level = \"expert\"");
    assert_eq!(report(HOSPITAL, &expert, &plan), "");
    assert!(!report(HOSPITAL, "[analysts", &plan).contains("which nobody"));
}

#[test]
fn a_language_without_recordings_is_refused() {
    let hospital = changed(HOSPITAL, "languages = [\"en\"]", "languages = [\"en\", \"fr\"]");
    let expected = r#"error: no prompts are installed in `fr`
 --> sip-config/hospital.toml:4:20
  |
4 | languages = ["en", "fr"]
  |                    ^^^^
  |
  = help: copy a manifest to prompts/fr/, translate it and record its words; installed are: en

1 error
"#;
    assert_eq!(report(&hospital, ANALYSTS, PLAN), expected);
}

#[test]
fn a_name_that_is_like_no_other_is_answered_with_those_there_are() {
    let plan = changed(PLAN, "module = \"charting\"", "module = \"pharmacy\"");
    let said = report(HOSPITAL, ANALYSTS, &plan);
    let help = "   = help: declare it in the hospital's file, or use one of: charting, orders\n";
    assert!(said.starts_with("error: module `pharmacy` is not declared\n") && said.contains(help), "{said}");
    assert!(!said.contains("did you mean"), "{said}");
}

#[test]
fn without_any_hospital_only_that_is_said() {
    let empty = Folder { hospitals: Vec::new(), ..folder(NODE, &[], ANALYSTS) };
    let report = findings(try_folder(&empty));
    let said: Vec<&str> = report.diagnostics().iter().map(|finding| finding.what.as_str()).collect();
    assert_eq!(said, ["the folder holds no hospital.toml"]);
}

#[test]
fn a_hotline_may_not_take_emergency_calls() {
    let said =
        |number: &str| report(&changed(HOSPITAL, "hotlines.7100", &format!("hotlines.{number}")), ANALYSTS, PLAN);
    let expected = r#"error: hotline 911 would take emergency calls
 --> sip-config/hospital.toml:8:10
  |
8 | hotlines.911 = { plan = "hotline" }
  |          ^^^ who dials it needs the public emergency line, which the PBX reaches
  |
  = help: choose another number; 911 stays on the PBX

1 error
"#;
    assert_eq!(said("911"), expected);
    assert!(said("9110").is_empty(), "a number of four digits is another number");
    // With the digit for an outside line before it, where the trunk has one.
    assert!(said("9911").is_empty());
    let node = NODE.replace("[trunks.pbx]", "[trunks.pbx]\noutside_prefix = \"9\"");
    let mut with_prefix = folder(&node, &[&changed(HOSPITAL, "hotlines.7100", "hotlines.9911")], ANALYSTS);
    with_prefix.plans = vec![file("plans/hotline", PLAN)];
    let said = render::text(&findings(try_folder(&with_prefix)), false);
    assert!(said.starts_with("error: hotline 9911 would take emergency calls\n"), "{said}");
}

#[test]
fn the_desk_dials_911_for_nobody() {
    let node = NODE.replace("[trunks.pbx]", "[trunks.pbx]\noutside_prefix = \"9\"");
    let said = |target: &str| {
        let hospital = format!("{HOSPITAL}[targets.help]\n{target}\n");
        let mut folder = folder(&node, &[&hospital], ANALYSTS);
        folder.plans = vec![file("plans/hotline", PLAN)];
        render::text(&findings(try_folder(&folder)), false)
    };
    let expected = r#"error: for target `help` the desk would dial 911, an emergency call
  --> sip-config/hospital.toml:20:10
   |
20 | number = "911"
   |          ^^^^^ the desk never dials 911: key 9 and 911 ring the hospital operator
   |
   = help: write the number of those who are meant

1 error
"#;
    assert_eq!(said("number = \"911\""), expected);
    // However the digits come about: keyed with the prefix, made by it, or begun with it.
    for (target, dialled) in [
        ("number = \"9911\"", "9911"),
        ("number = \"911\"\noutside = true", "9911"),
        ("number = \"11\"\noutside = true", "911"),
        ("number = \"112\"\noutside = true", "9112"),
    ] {
        let text = said(target);
        assert!(text.starts_with(&format!("error: for target `help` the desk would dial {dialled}, ")), "{text}");
    }
    assert!(said("number = \"12025550143\"\noutside = true").is_empty());
    let analysts = ANALYSTS.replacen("phones = [", "phones = [{ trunk = \"pbx\", number = \"911\" }, ", 1);
    let text = report(HOSPITAL, &analysts, PLAN);
    assert!(text.starts_with("error: for a phone of `"), "{text}");
    let text = report(&changed(HOSPITAL, "operator = \"4000\"", "operator = \"911\""), ANALYSTS, PLAN);
    assert!(text.starts_with("error: for the operator the desk would dial 911, "), "{text}");
}

#[test]
fn a_long_list_of_what_may_be_written_fits_a_terminal() {
    let plan = changed(PLAN, "give_up = \"nobody\"", "give_up = \"nobody\"\ngive_in = \"nobody\"");
    let plan = changed(&plan, "name = \"hotline\"", "name = \"hotline\"\nfrist_offer_within = \"5s\"");
    let said = report(HOSPITAL, ANALYSTS, &plan);
    assert!(said.contains("did you mean `first_offer_within`?"), "{said}");
    // A remedy goes on in a line of its own, below its first word.
    assert!(
        said.contains("\n          qualified_offer_within") || said.contains("\n          first_offer_within"),
        "{said}"
    );
    assert!(said.lines().all(|line| line.chars().count() <= 110), "{said}");
}

const AUTH: &str = "trusted = true\nauth = { user = \"wardline\", password = { env = \"PBX_PASSWORD\" } }";

#[test]
fn a_trunks_password_stands_in_no_file() {
    let node =
        changed(NODE, "trusted = true", "trusted = true\nauth = { user = \"wardline\", password = \"hunter2\" }");
    let found = findings(try_folder(&folder(&node, &[HOSPITAL], ANALYSTS)));
    let shown = render::text(&found, false);
    assert!(shown.starts_with("error: `password` stands in the file itself\n"), "{shown}");
    assert!(
        shown.contains("help: name the environment variable that holds it: password = { env = \"NAME\" }"),
        "{shown}"
    );
    assert!(!shown.contains("hunter2") && !format!("{found:?}").contains("hunter2"), "{shown}");
}

#[test]
fn a_trunks_password_comes_out_of_the_environment_or_is_missed_by_name() {
    let folder = folder(&changed(NODE, "trusted = true", AUTH), &[HOSPITAL], ANALYSTS);
    let missed = try_folder(&folder).expect("a warning only");
    let shown = render::text(&missed.warnings, false);
    assert!(shown.contains("warning: the environment variable `PBX_PASSWORD` is not set here\n"), "{shown}");
    assert!(shown.contains("without it calls that trunk `pbx` challenges fail"), "{shown}");
    assert_eq!(missed.config.node.trunks["pbx"].auth, None);
    let mut surroundings = super::surroundings();
    surroundings.variables.insert("PBX_PASSWORD".to_owned(), "hunter2".to_owned());
    let loaded = compose(&folder, &surroundings, Report::new()).expect("whole");
    let auth = loaded.config.node.trunks["pbx"].auth.as_ref().expect("credentials");
    assert_eq!((auth.username.as_str(), auth.realm.as_deref(), auth.password.as_str()), ("wardline", None, "hunter2"));
    assert!(!format!("{:?}", loaded.config.node).contains("hunter2"));
}

#[test]
fn a_plan_that_calls_itself_otherwise_is_shown_where_it_does() {
    let mut folder = folder(NODE, &[HOSPITAL], ANALYSTS);
    folder.plans = vec![file("plans/hotline", &PLAN.replacen("name = \"hotline\"", "name = \"hotlin\"", 1))];
    let expected = "\
error: this plan calls itself `hotlin`
 --> sip-config/plans/hotline.toml:1:8
  |
1 | name = \"hotlin\"
  |        ^^^^^^^^
  |
  = help: write name = \"hotline\", as the file is called

1 error
";
    assert_eq!(render::text(&findings(try_folder(&folder)), false), expected);
}

#[test]
fn a_slip_in_a_hospitals_id_is_told_once_for_all_who_serve_there() {
    let hospital = changed(HOSPITAL, "id = \"mercy\"", "id = \"mercyy\"");
    let report = findings(try_folder(&folder(NODE, &[&hospital], ANALYSTS)));
    let of_people: Vec<&Diagnostic> =
        report.diagnostics().iter().filter(|finding| finding.file.ends_with("analysts.toml")).collect();
    let [finding] = of_people.as_slice() else { panic!("{}", render::text(&report, false)) };
    assert_eq!(place(&report, finding), "sip-config/analysts.toml:3:14");
    assert_eq!((finding.what.as_str(), finding.nearest.as_deref()), ("unknown hospital `mercy`", Some("mercyy")));
    assert_eq!(finding.related.len(), 1, "Lena's");
}

#[test]
fn the_desk_dials_neither_itself_nor_an_operator_who_is_the_code_number() {
    check(&[
        broken(
            "hospital",
            "operator = \"4000\"",
            "operator = \"5555\"",
            "hospital.toml:6:12",
            &["the operator cannot be the code number 5555"],
        ),
        broken(
            "hospital",
            "[people.rao]",
            "[targets.network]\nname = \"Network\"\nnumber = \"7100\"\n[people.rao]",
            "hospital.toml:18:10",
            &["target `network` cannot be the hotline 7100"],
        ),
        broken(
            "analysts",
            "number = \"4801\"",
            "number = \"7100\"",
            "analysts.toml:9:37",
            &["a phone of `lena` cannot be the hotline 7100"],
        ),
    ]);
}

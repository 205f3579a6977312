//! What keys do where: 0 and 9, numbers, keys typed ahead, and who is heard when.

use super::world::{Desk, SAMPLE, Script, assert_ladder, at, plan, prompts, unmapped_phone, ward_phone};
use crate::digit::Digit;
use crate::ids::{Language, PromptId};
use crate::ivr::{Effect, Facts, HuntNews, Input, Interpreter};

const HEAD: &str = "name = \"t\"\nlanguage = \"en\"\nperson = \"ring\"\noperator = \"op\"\n";
const TAIL: &str = r#"
[steps.ring]
type = "alert"
next = "connect"
[steps.connect]
type = "connect"
ringing = ["ringing"]
give_up = "end"
[steps.op]
type = "transfer"
target = "operator"
no_answer = "end"
[steps.end]
type = "callback"
cause = "nobody-free"
say = ["nobody-free"]
"#;

fn small(start: &str, steps: &str) -> std::sync::Arc<crate::ivr::Plan> {
    plan(&format!("{HEAD}start = \"{start}\"\n{steps}{TAIL}"))
}

const BADGE: &str = r#"
[steps.badge]
type = "collect"
say = ["key-badge"]
number = "badge"
digits = 5
wait = "2s"
tries = 2
accepted = "ring"
rejected = "end-of-badge"
silence = "ring"
[steps.end-of-badge]
type = "transfer"
target = "operator"
say = ["connecting-operator"]
no_answer = "end"
"#;

#[test]
fn zero_rings_a_person_now_and_is_nothing_new_while_it_rings() {
    let script = Script { matters: true, until: 4_000, ..Script::of(ward_phone()) };
    assert_ladder(
        &script.keys(1_000, "0").keys(1_500, "0").ladder(),
        "0.000 > who
         0.000 > question
         0.500 say desk-question
         1.000 stop
         1.000 > ring
         1.000 alert by no key
         1.000 > connect
         1.000 say ringing
         1.500 stop
         1.500 ringback",
    );
}

#[test]
fn somebody_keying_911_reaches_the_operator_on_the_first_digit() {
    let script = Script { matters: true, until: 3_000, ..Script::of(ward_phone()) };
    assert_ladder(
        &script.keys(1_000, "911").ladder(),
        "0.000 > who
         0.000 > question
         0.500 say desk-question
         1.000 stop
         1.000 > operator
         1.000 dial operator
         1.000 say connecting-operator
         1.200 stop
         1.200 ringback",
    );
}

#[test]
fn a_number_begun_anew_again_and_again_ends_all_the_same() {
    let plan = small("badge", BADGE);
    // Begun anew every 1.9 s, before each time-out of 2 s: five digits take 10 s at the most, from the first key on.
    let script = (0..12).fold(Script { until: 24_000, ..Script::of(ward_phone()) }, |script, star| {
        script.at(1_000 + 1_900 * star, Input::Key(Digit::Star))
    });
    let ladder = script.ladder_of(&plan);
    assert!(ladder.contains("11.000 say key-badge\n12.400 stop\n22.400 > ring\n"), "{ladder}");
}

#[test]
fn while_a_number_is_keyed_911_goes_to_the_operator_on_its_last_digit() {
    let plan = small("badge", BADGE);
    let script = Script { until: 3_000, ..Script::of(ward_phone()) };
    assert_ladder(
        &script.keys(1_000, "911").ladder_of(&plan),
        "0.000 > badge
         0.500 say key-badge
         1.000 stop
         1.400 > op
         1.400 dial operator
         1.400 ringback",
    );
}

#[test]
fn while_a_number_is_keyed_zero_and_nine_act_only_alone_at_the_time_out() {
    let plan = small("badge", BADGE);
    let nine = Script { until: 4_000, ..Script::of(ward_phone()) }.keys(1_000, "9").ladder_of(&plan);
    assert!(nine.ends_with("1.000 stop\n3.000 > op\n3.000 dial operator\n3.000 ringback\n"), "{nine}");
    let zero = Script { until: 4_000, ..Script::of(ward_phone()) }.keys(1_000, "0").ladder_of(&plan);
    let expected = "1.000 stop\n3.000 > ring\n3.000 alert by no key\n3.000 > connect\n3.000 say ringing\n";
    assert!(zero.ends_with(expected), "{zero}");
    let number = Script { directory: &["90210"], until: 2_000, ..Script::of(ward_phone()) };
    let number = number.keys(1_000, "90210").ladder_of(&plan);
    assert!(number.contains("1.800 badge 90210 known\n1.800 > ring\n"), "{number}");
}

#[test]
fn a_number_is_asked_again_as_often_as_declared_and_never_more() {
    let plan = small("badge", BADGE);
    let script = Script { until: 8_000, ..Script::of(ward_phone()) };
    assert_ladder(
        &script.keys(1_000, "11#").keys(3_000, "12345").ladder_of(&plan),
        "0.000 > badge
         0.500 say key-badge
         1.000 stop
         1.400 badge 11 unknown
         1.400 say key-badge
         3.000 stop
         3.800 badge 12345 unknown
         3.800 > end-of-badge
         3.800 dial operator
         3.800 say connecting-operator
         6.100 ringback",
    );
}

#[test]
fn keys_are_carried_across_the_edges_of_prompts() {
    let steps = r#"
[steps.hello]
type = "play"
say = ["desk"]
next = "menu"
[steps.menu]
type = "menu"
say = ["desk-question"]
keys.2 = { module = "orders", next = "badge" }
silence = "ring"
wrong = "ring"
"#;
    let plan = small("hello", &format!("{steps}{BADGE}"));
    // "2" for the menu and the badge behind it, all during the first word.
    let script = Script { directory: &["12345"], until: 2_500, ..Script::of(ward_phone()) };
    assert_ladder(
        &script.keys(600, "212345").ladder_of(&plan),
        "0.000 > hello
         0.500 say desk
         0.600 stop
         0.600 > menu
         0.600 set orders
         0.600 > badge
         0.600 say key-badge
         0.800 stop
         1.600 badge 12345 known
         1.600 > ring
         1.600 alert by key
         1.600 > connect
         1.600 say ringing",
    );
}

#[test]
fn a_menu_asks_again_as_often_as_declared_then_silence_and_wrong_keys_go_their_ways() {
    let steps = r#"
[steps.menu]
type = "menu"
say = ["desk"]
keys.1 = "ring"
tries = 2
wait = "1s"
silence = "ring"
wrong = "op"
"#;
    let plan = small("menu", steps);
    let silent = Script { until: 5_200, ..Script::of(ward_phone()) }.ladder_of(&plan);
    assert_ladder(
        &silent,
        "0.000 > menu
         0.500 say desk
         2.800 say desk
         5.100 > ring
         5.100 alert by no key
         5.100 > connect
         5.100 say ringing",
    );
    let wrong = Script { until: 2_000, ..Script::of(ward_phone()) }.keys(1_000, "55").ladder_of(&plan);
    assert!(
        wrong.ends_with("1.000 stop\n1.000 say desk\n1.200 stop\n1.200 > op\n1.200 dial operator\n1.200 ringback\n"),
        "{wrong}"
    );
}

#[test]
fn a_badge_keyed_while_it_rings_is_checked_and_nobody_has_to() {
    let known = Script { directory: &["123456"], until: 8_000, ..Script::of(ward_phone()) };
    let known = known.keys(5_500, "123456").ladder();
    assert!(known.contains("5.500 stop\n5.500 ringback\n6.500 badge 123456 known\n6.500 say thank-you\n"), "{known}");
    let wrong = Script { until: 9_000, ..Script::of(ward_phone()) }.keys(5_500, "12").ladder();
    assert!(wrong.ends_with("5.500 ringback\n8.700 badge 12 unknown\n"), "{wrong}");
    let emergency = Script { until: 7_000, ..Script::of(ward_phone()) }.keys(5_500, "911").ladder();
    assert!(emergency.contains("5.900 > operator\n5.900 withdraw\n5.900 dial operator\n"), "{emergency}");
}

#[test]
fn a_number_half_keyed_delays_the_offer_of_a_callback_and_an_unbegun_one_does_not() {
    let begun = Script { until: 14_000, ..Script::of(ward_phone()) }.keys(8_000, "12").ladder();
    assert!(begun.contains("10.000 book waiting\n11.200 badge 12 unknown\n11.200 say callback-offer\n"), "{begun}");
}

#[test]
fn an_answer_cuts_everything_and_takes_back_the_callback_that_booked_itself() {
    let ladder = Script::of(ward_phone()).at(11_000, Input::Answered).ladder();
    assert!(ladder.ends_with("10.000 say callback-offer\n11.000 stop\n11.000 cancel callback\n"), "{ladder}");
}

#[test]
fn last_words_are_not_cut_by_a_second_press_but_nine_still_reaches_the_operator() {
    let twice = Script { until: 20_000, ..Script::of(ward_phone()) }.keys(11_000, "11").ladder();
    assert!(twice.ends_with("11.000 say done we-will-call unit-4-west\n13.000 hangup\n"), "{twice}");
    let nine = Script { until: 12_000, ..Script::of(ward_phone()) }.keys(11_000, "19").ladder();
    assert!(nine.contains("11.200 stop\n11.200 > operator\n11.200 dial operator\n"), "{nine}");
}

#[test]
fn a_busy_operator_is_not_waited_for() {
    let script = Script { until: 20_000, ..Script::of(unmapped_phone()) };
    let ladder = script.keys(600, "9").at(2_000, Input::TargetFailed).ladder();
    assert!(ladder.contains("2.000 stop\n2.000 > operator-silent\n2.000 book operator-silent\n"), "{ladder}");
}

#[test]
fn when_nobody_at_all_can_be_rung_the_callback_is_offered_at_once() {
    let script = Script { news: &[(0, HuntNews::NobodyFree)], until: 4_000, ..Script::of(ward_phone()) };
    let ladder = script.ladder();
    assert!(ladder.ends_with("2.800 > connect\n2.800 say callback-offer\n"), "{ladder}");
}

#[test]
fn a_phone_that_is_gone_before_the_caller_hears_of_it_is_not_said_to_ring() {
    let news = &[(0, HuntNews::Ringing), (6, HuntNews::NobodyFree)];
    let facts = Facts { person_known: true, ..ward_phone() };
    let script = Script { news, until: 40_000, ..Script::of(facts) };
    let ladder = script.at(20_000, Input::RingsAgain).at(30_000, Input::Hunting(HuntNews::NobodyFree)).ladder();
    let expected = "2.800 > connect\n2.800 say our analysts-on-calls\n6.300 say callback-offer\n9.300 hold\n";
    assert!(ladder.contains(expected), "{ladder}");
    assert!(!ladder.contains("say ringing"), "{ladder}");
    assert!(ladder.contains("20.000 ringback\n") && ladder.contains("30.000 hold\n"), "{ladder}");
}

#[test]
fn who_cannot_be_called_back_is_not_promised_it() {
    let facts = Facts { can_call_back: false, person_known: true, ..ward_phone() };
    let ladder = Script::of(facts).ladder();
    assert!(!ladder.contains("callback-offer") && !ladder.contains("book"), "{ladder}");
    assert!(ladder.ends_with("90.000 withdraw\n90.000 say nobody-free call-again\n91.000 hangup\n"), "{ladder}");
}

#[test]
fn news_that_comes_late_is_said_once_and_silence_of_the_hunt_means_ringing() {
    let news = &[(3_500, HuntNews::AllBusy), (4_500, HuntNews::AllBusy), (7_900, HuntNews::Ringing)];
    let facts = Facts { person_known: true, ..ward_phone() };
    let ladder = Script { news, until: 9_000, ..Script::of(facts) }.ladder();
    let expected = "3.000 say ringing\n4.600 say our analysts-on-calls\n8.100 ringback\n";
    assert!(ladder.ends_with(expected), "{ladder}");
}

#[test]
fn what_comes_twice_or_late_changes_nothing() {
    let world = Desk { matters: false, on_shift: true, incident: false };
    let mut walk = Interpreter::new(plan(SAMPLE), prompts(), ward_phone());
    walk.begin(at(0), &world);
    walk.begin(at(0), &world);
    walk.handle(at(10), Input::SpokenDone, &world);
    walk.handle(at(500), Input::Start, &world);
    walk.handle(at(500), Input::Start, &world);
    let spoken = |walk: &mut Interpreter| {
        std::iter::from_fn(|| walk.poll_effect()).filter(|effect| matches!(effect, Effect::Say { .. })).count()
    };
    assert_eq!(spoken(&mut walk), 1);
    walk.handle(at(900), Input::Answered, &world);
    assert!(walk.is_over());
    walk.handle(at(950), Input::Key(Digit::D9), &world);
    walk.handle(at(960), Input::SpokenDone, &world);
    assert_eq!((spoken(&mut walk), walk.poll_timeout()), (0, None));
}

#[test]
fn a_language_without_recordings_is_spoken_in_the_plans_own() {
    let world = Desk { matters: false, on_shift: true, incident: false };
    let facts = Facts { language: Language::new("es"), ..ward_phone() };
    let mut walk = Interpreter::new(plan(SAMPLE), prompts(), facts);
    walk.begin(at(0), &world);
    walk.handle(at(500), Input::Start, &world);
    let said = std::iter::from_fn(|| walk.poll_effect()).last();
    let prompts = ["desk", "unit-4-west"].map(PromptId::new).to_vec();
    assert_eq!(said, Some(Effect::Say { language: Language::new("en"), prompts }));
}

#[test]
fn zero_and_nine_of_the_dial_string_act_where_nothing_is_asked() {
    let plan = small("ring", "");
    let dialled = |digits: &str| {
        let facts = Facts { digits: Some(digits.to_owned()), ..ward_phone() };
        Script { until: 900, ..Script::of(facts) }.ladder_of(&plan)
    };
    let operator = "0.000 > op\n0.000 dial operator\n";
    assert!(dialled("9").starts_with(operator), "{}", dialled("9"));
    assert!(dialled("911").starts_with(operator), "{}", dialled("911"));
    assert!(dialled("0").starts_with("0.000 > ring\n0.000 alert"), "{}", dialled("0"));
    // An answer to nothing is none.
    assert!(dialled("90210").starts_with("0.000 > ring\n0.000 alert by place\n0.000 > connect\n"));
    let menu =
        "[steps.menu]\ntype = \"menu\"\nsay = [\"desk\"]\nkeys.1 = \"ring\"\nsilence = \"ring\"\nwrong = \"ring\"\n";
    let facts = Facts { digits: Some("19".to_owned()), ..ward_phone() };
    let after = Script { until: 900, ..Script::of(facts) }.ladder_of(&small("menu", menu));
    assert!(after.contains("> op\n0.000 withdraw\n0.000 dial operator\n"), "{after}");
}

/// Patients' calls go to the switchboard of another house first.
const ELSEWHERE: &str = r#"
[steps.elsewhere]
type = "transfer"
target = "switchboard"
say = ["transferring"]
ring_for = "20s"
no_answer = "ring"
"#;

#[test]
fn while_another_target_rings_nine_reaches_the_operator_and_zero_a_person() {
    let plan = small("elsewhere", ELSEWHERE);
    let nine = Script { until: 3_000, ..Script::of(ward_phone()) }.keys(2_000, "911").ladder_of(&plan);
    let expected = "2.000 > op\n2.000 withdraw\n2.000 dial operator\n2.000 ringback\n";
    assert!(nine.ends_with(expected), "{nine}");
    let zero = Script { until: 3_000, ..Script::of(ward_phone()) }.keys(2_000, "0").ladder_of(&plan);
    assert!(zero.contains("2.000 withdraw\n2.000 > ring\n2.000 alert by no key\n2.000 > connect\n"), "{zero}");
    // Any other key says nothing, and the operator is not rung anew.
    let other = Script { until: 3_000, ..Script::of(ward_phone()) }.keys(2_000, "5").ladder_of(&plan);
    assert!(!other.contains("> op") && !other.contains("withdraw"), "{other}");
    let again = Script { until: 3_000, ..Script::of(ward_phone()) }.keys(2_000, "9999").ladder_of(&plan);
    assert_eq!(again.matches("dial operator").count(), 1, "{again}");
}

/// Nothing rings, so the offer comes before its time, and the badge is asked for right behind it.
#[test]
fn one_key_of_a_number_that_nobody_goes_on_with_answers_the_offer_before_it() {
    let script = || Script { news: &[(0, HuntNews::NobodyFree)], until: 30_000, ..Script::of(ward_phone()) };
    let heard = script().ladder();
    assert!(heard.contains("say callback-offer\n5.800 say key-badge\n"), "{heard}");
    let booked = script().keys(6_100, "1").ladder();
    assert!(booked.contains("6.100 stop\n6.100 hold\n"), "{booked}");
    assert!(!booked.contains("unknown"), "a badge of one digit\n{booked}");
    assert!(booked.contains("> asked\n"), "{booked}");
    assert!(booked.contains("book asked"), "{booked}");
    // A number that is keyed to its end is one, whatever it begins with.
    let badge = Script { directory: &["190210"], ..script() }.keys(6_100, "190210").ladder();
    assert!(badge.contains("badge 190210 known\n"), "{badge}");
    assert!(!badge.contains("> asked\n"), "{badge}");
}

#[test]
fn who_asks_for_a_call_back_and_has_no_number_hears_so() {
    let steps = r#"
[steps.menu]
type = "menu"
say = ["staff-desk"]
keys.1 = "asked"
silence = "ring"
wrong = "ring"
[steps.asked]
type = "callback"
cause = "asked"
say = ["done", "we-will-call"]
"#;
    let plan = small("menu", steps);
    let facts = Facts { can_call_back: false, ..unmapped_phone() };
    let ladder = Script { until: 9_000, ..Script::of(facts) }.keys(1_000, "1").ladder_of(&plan);
    let expected = "1.000 stop\n1.000 > asked\n1.000 say please-call-again\n1.500 hangup\n";
    assert!(ladder.ends_with(expected), "{ladder}");
}

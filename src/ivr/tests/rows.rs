//! HOTLINE.md's table: one test a row, on the sample plan. INVITE at 0, answered at 0.100, speech from 0.500.

use super::world::{SAMPLE, Script, assert_ladder, plan, unmapped_phone, ward_phone};
use crate::identity::PhoneClass;
use crate::ids::Language;
use crate::ivr::{Facts, HuntNews, Input, Origin};

#[test]
fn known_ward_phone_is_asked_nothing_and_rings_with_the_invite() {
    let ladder = Script::of(ward_phone()).at(6_000, Input::Answered).ladder();
    assert_ladder(
        &ladder,
        "0.000 > who
         0.000 skip question
         0.000 > known
         0.000 alert by place
         0.000 > greet
         0.500 say desk unit-4-west
         2.800 > connect
         2.800 say ringing
         4.400 ringback
         5.000 say key-badge
         6.000 stop",
    );
}

#[test]
fn the_answer_matters_so_one_question_is_asked_and_a_key_rings_at_once() {
    let script = Script { matters: true, ..Script::of(ward_phone()) };
    let ladder = script.keys(2_000, "1").at(4_500, Input::Answered).ladder();
    assert_ladder(
        &ladder,
        "0.000 > who
         0.000 > question
         0.500 say desk-question
         2.000 stop
         2.000 set charting
         2.000 > ring
         2.000 alert by key
         2.000 > connect
         2.000 say ringing
         3.600 ringback
         4.500 stop",
    );
}

#[test]
fn the_answer_matters_and_no_ack_comes_so_ringing_begins_at_six_point_seven_seconds_at_the_worst() {
    // Answered at 0.200, no ACK: speech 1.0 s later.
    let script = Script { matters: true, start: 1_200, until: 7_000, ..Script::of(ward_phone()) };
    assert_ladder(
        &script.ladder(),
        "0.000 > who
         0.000 > question
         1.200 say desk-question
         6.700 > ring
         6.700 alert by no key
         6.700 > connect
         6.700 say ringing",
    );
}

#[test]
fn unknown_inside_phone_is_asked_for_its_extension_while_it_rings() {
    let script = Script { matters: true, directory: &["4712"], ..Script::of(unmapped_phone()) };
    let ladder = script.keys(1_000, "1").keys(4_000, "4712").at(5_800, Input::Answered).ladder();
    assert_ladder(
        &ladder,
        "0.000 > who
         0.000 > question
         0.500 say desk-question
         1.000 stop
         1.000 set charting
         1.000 > ring
         1.000 alert by key
         1.000 > connect
         1.000 say ringing
         2.600 ringback
         3.000 say key-extension
         4.000 stop
         4.000 ringback
         4.600 extension 4712 known
         4.600 say thank-you
         5.100 ringback
         5.800 stop",
    );
}

#[test]
fn personal_phone_is_greeted_without_unit_and_not_asked_for_a_badge() {
    let facts =
        Facts { class: Some(PhoneClass::Office), person_known: true, unit: None, unit_prompt: None, ..ward_phone() };
    let ladder = Script::of(facts).at(9_000, Input::Answered).ladder();
    assert_ladder(
        &ladder,
        "0.000 > who
         0.000 skip question
         0.000 > known
         0.000 alert by place
         0.000 > greet
         0.500 say desk
         1.800 > connect
         1.800 say ringing
         3.400 ringback
         9.000 stop",
    );
}

#[test]
fn night_is_as_by_day_but_says_that_the_on_call_analyst_is_rung() {
    let script = Script { on_shift: false, news: &[(0, HuntNews::OnCall)], until: 4_900, ..Script::of(ward_phone()) };
    assert_ladder(
        &script.ladder(),
        "0.000 > who
         0.000 skip question
         0.000 > known
         0.000 alert by place
         0.000 > greet
         0.500 say desk unit-4-west
         2.800 > connect
         2.800 say calling-on-call
         4.800 ringback",
    );
}

#[test]
fn nobody_qualified_free_is_said_and_bounded_and_ends_in_a_callback() {
    let script = Script { matters: true, news: &[(0, HuntNews::AllBusy)], ..Script::of(ward_phone()) };
    let ladder = script.keys(1_000, "1").ladder();
    assert_ladder(
        &ladder,
        "0.000 > who
         0.000 > question
         0.500 say desk-question
         1.000 stop
         1.000 set charting
         1.000 > ring
         1.000 alert by key
         1.000 > connect
         1.000 say module-charting analysts-on-calls
         4.800 ringback
         6.000 say key-badge
         8.000 ringback
         11.000 book waiting
         11.000 say callback-offer
         14.000 ringback
         91.000 stop
         91.000 > nobody
         91.000 withdraw
         91.000 book nobody-free
         91.000 say nobody-free we-will-call unit-4-west back
         93.500 hangup",
    );
}

#[test]
fn one_after_the_offer_takes_the_callback_and_withdraws_what_rings() {
    let script = Script { news: &[(0, HuntNews::AllBusy)], ..Script::of(ward_phone()) };
    let ladder = script.keys(11_000, "1").ladder();
    assert_ladder(
        &ladder,
        "0.000 > who
         0.000 skip question
         0.000 > known
         0.000 alert by place
         0.000 > greet
         0.500 say desk unit-4-west
         2.800 > connect
         2.800 say our analysts-on-calls
         6.300 say key-badge
         8.300 ringback
         10.000 book waiting
         10.000 say callback-offer
         11.000 stop
         11.000 > asked
         11.000 withdraw
         11.000 book asked
         11.000 say done we-will-call unit-4-west
         13.000 hangup",
    );
}

#[test]
fn presses_nothing_and_rings_without_a_loop() {
    let script = Script { matters: true, until: 8_000, ..Script::of(ward_phone()) };
    assert_ladder(
        &script.ladder(),
        "0.000 > who
         0.000 > question
         0.500 say desk-question
         6.000 > ring
         6.000 alert by no key
         6.000 > connect
         6.000 say ringing
         7.600 ringback",
    );
}

#[test]
fn hangs_up_so_everything_is_withdrawn_and_a_mapped_ward_is_called_back() {
    let ladder = Script::of(ward_phone()).at(5_000, Input::CallerGone).ladder();
    assert!(
        ladder.ends_with("4.400 ringback\n5.000 say key-badge\n5.000 withdraw\n5.000 book abandoned\n"),
        "{ladder}"
    );

    let unmapped = Script::of(unmapped_phone()).at(1_000, Input::CallerGone).ladder();
    assert!(unmapped.ends_with("0.500 say desk\n1.000 withdraw\n"), "{unmapped}");
}

#[test]
fn same_problem_again_is_asked_nothing_since_the_same_analyst_is_rung_first() {
    // Continuity decides whom to ring whatever the answer: the world says that no answer would change it.
    let script = Script { matters: false, until: 3_000, ..Script::of(ward_phone()) };
    assert_ladder(
        &script.ladder(),
        "0.000 > who
         0.000 skip question
         0.000 > known
         0.000 alert by place
         0.000 > greet
         0.500 say desk unit-4-west
         2.800 > connect
         2.800 say ringing",
    );
}

fn outside_phone() -> Facts {
    Facts { code_number: Some("5555".to_owned()), ..Facts::unknown(Origin::Outside, Language::new("en")) }
}

#[test]
fn outside_number_that_is_not_staff_hears_of_nine_and_rings_five_seconds_after_the_answer() {
    let script = Script { until: 7_000, ..Script::of(outside_phone()) };
    assert_ladder(
        &script.ladder(),
        "0.000 > who
         0.000 > outside
         0.500 say staff-desk
         5.200 > ring
         5.200 alert by no key
         5.200 > connect
         5.200 say ringing
         6.800 ringback",
    );
}

#[test]
fn nine_reaches_the_operator_and_a_silent_operator_ends_in_the_code_number_and_a_callback() {
    let ladder = Script::of(ward_phone()).keys(3_000, "9").ladder();
    assert_ladder(
        &ladder,
        "0.000 > who
         0.000 skip question
         0.000 > known
         0.000 alert by place
         0.000 > greet
         0.500 say desk unit-4-west
         2.800 > connect
         2.800 say ringing
         3.000 stop
         3.000 > operator
         3.000 withdraw
         3.000 dial operator
         3.000 say connecting-operator
         5.300 ringback
         9.000 stop
         9.000 withdraw
         9.000 > operator-silent
         9.000 book operator-silent
         9.000 say no-answer-dial digit-5 digit-5 digit-5 digit-5
         13.000 hangup",
    );
}

#[test]
fn a_bedside_phone_that_stays_silent_goes_to_the_operator() {
    let facts = Facts { class: Some(PhoneClass::Patient), ..ward_phone() };
    let ladder = Script::of(facts).at(7_000, Input::TargetAnswered).ladder();
    assert_ladder(
        &ladder,
        "0.000 > who
         0.000 > patient
         0.500 say staff-desk
         5.700 > operator
         5.700 dial operator
         5.700 say connecting-operator
         7.000 stop",
    );
}

#[test]
fn an_active_incident_is_told_then_phones_ring_then_one_withdraws_them() {
    let script = Script { incident: true, ..Script::of(ward_phone()) };
    let ladder = script.keys(7_000, "1").at(12_000, Input::CallerGone).ladder();
    assert_ladder(
        &ladder,
        "0.000 > who
         0.000 > known-problem
         0.000 told of 7
         0.500 say known-problem-charting
         3.600 > known-problem-rings
         3.600 alert by place
         3.600 > known-problem-waits
         3.600 say callback-when-fixed
         6.100 ringback
         7.000 stop
         7.000 > when-fixed
         7.000 withdraw
         7.000 book incident
         7.000 say done we-will-call unit-4-west
         9.000 > stay
         9.000 say or-stay-on
         11.500 > ring
         11.500 alert by no key
         11.500 > connect
         11.500 say ringing
         12.000 withdraw",
    );
}

#[test]
fn any_key_skips_the_notice_and_is_no_answer_to_what_comes_later() {
    let script = Script { incident: true, until: 5_000, ..Script::of(ward_phone()) };
    assert_ladder(
        &script.keys(1_000, "1").ladder(),
        "0.000 > who
         0.000 > known-problem
         0.000 told of 7
         0.500 say known-problem-charting
         1.000 stop
         1.000 > known-problem-rings
         1.000 alert by place
         1.000 > known-problem-waits
         1.000 say callback-when-fixed
         3.500 ringback",
    );
}

#[test]
fn nine_during_the_notice_reaches_the_operator() {
    let script = Script { incident: true, until: 1_500, ..Script::of(ward_phone()) };
    assert!(script.keys(1_000, "9").ladder().ends_with("1.000 dial operator\n1.000 say connecting-operator\n"));
}

#[test]
fn who_stays_on_for_company_is_still_owed_the_call_about_the_fix() {
    let script = Script { incident: true, until: 40_000, ..Script::of(ward_phone()) };
    let ladder = script.keys(7_000, "1").at(35_000, Input::Answered).ladder();
    assert_eq!(ladder.matches("book").count(), 1, "{ladder}");
    assert!(!ladder.contains("cancel callback"), "{ladder}");
}

#[test]
fn a_plan_may_tell_in_words_of_its_own_and_says_nothing_of_nothing() {
    let text = SAMPLE.replace("type = \"notice\"", "type = \"notice\"\nsay = [\"our\"]");
    let of_its_own = Script { incident: true, until: 2_000, ..Script::of(ward_phone()) };
    assert!(of_its_own.ladder_of(&plan(&text)).contains("0.500 say our\n"));
    // Led there without a condition, and no problem is known.
    let text = SAMPLE.replace("incident = true", "class = \"ward\"");
    let nothing = Script { until: 500, ..Script::of(ward_phone()) }.ladder_of(&plan(&text));
    assert!(
        nothing.contains("0.000 > known-problem\n0.000 > known-problem-rings\n0.000 alert by place\n"),
        "{nothing}"
    );
}

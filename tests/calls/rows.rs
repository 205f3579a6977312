//! HOTLINE.md's table, one test a row, each with its whole ladder in `ladders/`. Times are in ms from the INVITE; the
//! network takes 5 ms each way.

use wardline::digit::Digit;
use wardline::identity::Confidence;
use wardline::ids::{AnalystId, ModuleId};
use wardline::routing::OfferOutcome;
use wardline::ticket::{
    CallbackOutcome, CallbackReason, CallbackState, DispositionCode, Event, HangupCause, Lifecycle, NeedSource, Party,
};

use crate::phone::Pickup;
use crate::world::{EVERYBODY, GENERALISTS, World};

/// The latest that anybody may be rung, whatever the caller does or does not do.
const WORST_ALERT_MS: i64 = 6_800;

#[test]
fn known_ward_phone() {
    let mut world = World::new(&GENERALISTS);
    world.pickup("ana", Pickup::Answers(6_000));
    world.dial("4710");
    world.run_to(20_000);
    world.hang_up("4710");
    world.run(3_000);
    world.press("ana", '1');
    world.run(5_000);
    world.expect_ladder("known_ward_phone");
    let ticket = world.ticket();
    assert_eq!(ticket.unit_name(), Some("4 West"));
    assert_eq!(ticket.analyst().map(AnalystId::as_str), Some("ana"));
    assert_eq!(ticket.need_by, Some(NeedSource::Place));
    assert_eq!(ticket.questions_skipped.len(), 1);
    assert_eq!(world.ms(ticket.first_offer.expect("an offer")), 5);
    assert_eq!(ticket.seconds_to_human(), Some(6.05));
    assert_eq!(ticket.solved(), Some(true));
    assert_eq!(ticket.end.as_ref().map(|end| (end.cause, end.by)), Some((HangupCause::Normal, Party::Caller)));
    assert_eq!(ticket.state(), Lifecycle::Closed);
    let measured: Vec<Party> = ticket.media.iter().map(|(party, _)| *party).collect();
    assert_eq!(measured, [Party::Caller, Party::Analyst], "both legs were measured");
    // The analyst's phone shows who calls and from where.
    let invite = world.phone("ana").last_invite.clone().expect("an INVITE");
    let from = invite.headers.from().expect("From");
    assert_eq!(from.display.as_deref(), Some("4 West"));
    assert_eq!(from.uri.user().as_deref(), Some("4710"));
    world.expect_quiet();
}

#[test]
fn the_answer_matters_so_the_question_is_asked_and_the_key_decides() {
    let mut world = World::new(&EVERYBODY);
    world.pickup("finn", Pickup::Answers(2_000));
    world.dial("5310");
    world.run_to(3_000);
    assert_eq!(
        world.heard("5310"),
        [(415, "\"Service desk. Charting one, sign-in two, equipment three.\"".to_owned())]
    );
    assert_eq!(world.rung(), [], "nobody is rung before the answer");
    world.press("5310", '2');
    world.run(3_000);
    assert_eq!(world.rung(), [(3_030, "finn".to_owned())], "only who takes sign-in there");
    assert_eq!(world.joined(), [(5_040, "5310 = finn".to_owned())]);
    let ticket = world.ticket();
    assert_eq!(ticket.need_by, Some(NeedSource::Key));
    assert_eq!(ticket.need.as_ref().and_then(|need| need.module.clone()), Some(ModuleId::new("sign-in")));
    assert_eq!(ticket.keys, [Digit::D2]);
    world.hang_up("5310");
    world.run(2_000);
    world.expect_ladder("the_answer_matters");
    world.expect_quiet();
}

#[test]
fn the_answer_matters_and_no_ack_has_come_yet_alerting_by_6_8_s() {
    let mut world = World::new(&EVERYBODY);
    world.lose("ACK", 2);
    world.dial("5310");
    world.run_to(7_000);
    let words = world.heard("5310");
    assert_eq!(words[0].0, 1_005, "without an ACK speech begins 1 s after the 200");
    let rung = world.rung();
    assert!(!rung.is_empty(), "somebody is rung without a key");
    assert!(rung[0].0 <= WORST_ALERT_MS, "{rung:?}");
    world.hang_up("5310");
    world.run(2_000);
    world.expect_ladder("the_answer_matters_no_ack");
    world.expect_quiet();
}

#[test]
fn unknown_inside_phone() {
    let mut world = World::new(&["eva", "finn", "gus"]);
    world.dial("7741");
    world.run_to(3_000);
    world.press("7741", '1');
    world.run_to(8_000);
    let heard = world.heard("7741");
    assert_eq!(heard[0], (415, "\"Service desk. Charting one, sign-in two, equipment three.\"".to_owned()));
    let asked = heard.iter().find(|(_, words)| words == "\"Key your extension, or just wait.\"");
    assert_eq!(asked.map(|(at, _)| *at), Some(5_030), "2 s into the ringing: {heard:?}");
    for key in ['4', '7', '1', '2'] {
        world.press("7741", key);
    }
    world.run(3_000);
    let ticket = world.ticket();
    assert_eq!(ticket.unit_name(), Some("4 West"), "as the keyed extension says");
    let place = ticket.caller.as_ref().and_then(|caller| caller.place.clone()).expect("a place");
    assert_eq!(place.confidence, Confidence::Claimed);
    assert!(world.heard("7741").iter().any(|(_, words)| words == "\"Thank you.\""));
    world.hang_up("7741");
    world.run(2_000);
    world.expect_ladder("unknown_inside_phone");
    world.expect_quiet();
}

#[test]
fn personal_phone_names_its_owner_as_a_claim_and_asks_for_no_badge() {
    let mut world = World::new(&GENERALISTS);
    world.dial("5100");
    world.run_to(9_000);
    let heard: Vec<String> = world.heard("5100").into_iter().map(|(_, words)| words).collect();
    assert_eq!(heard, ["\"Clinical service desk.\"", "\"Ringing your analyst.\"", "~ringback"]);
    let ticket = world.ticket();
    let person = ticket.caller.as_ref().and_then(|caller| caller.person.clone()).expect("a person");
    assert_eq!((person.value.as_str(), person.confidence), ("anika-rao", Confidence::Claimed));
    world.hang_up("5100");
    world.run(2_000);
    world.expect_ladder("personal_phone");
    world.expect_quiet();
}

#[test]
fn night() {
    let mut world = World::new(&[]);
    world.pickup("hal", Pickup::Answers(3_000));
    world.dial("4710");
    world.run_to(9_000);
    assert_eq!(world.rung(), [(5, "hal".to_owned())]);
    let heard = world.heard("4710");
    assert_eq!(heard[0], (415, "\"Clinical service desk. four west.\"".to_owned()));
    assert!(heard.iter().any(|(_, words)| words == "\"Calling the on-call analyst.\""), "{heard:?}");
    assert_eq!(world.heard("hal")[0], (3_015, "\"four west. Press one to accept.\"".to_owned()));
    assert_eq!(world.joined(), [], "an answer alone wins nothing: it may be a voicemail");
    world.press("hal", '1');
    world.run(1_000);
    assert_eq!(world.joined(), [(9_030, "4710 = hal".to_owned())]);
    world.hang_up("4710");
    world.run(2_000);
    world.expect_ladder("night");
    world.expect_quiet();
}

#[test]
fn night_a_voicemail_never_wins() {
    let mut world = World::new(&[]);
    world.pickup("hal", Pickup::Answers(3_000));
    world.dial("4710");
    world.run_to(95_000);
    assert_eq!(world.joined(), []);
    let ticket = world.ticket();
    assert_eq!(ticket.offers[0].outcome, Some(OfferOutcome::NotAccepted));
    assert_eq!(ticket.end.as_ref().map(|end| end.cause), Some(HangupCause::PlanEnded));
    world.run(2_000);
    world.expect_ladder("night_a_voicemail_never_wins");
    world.expect_quiet();
}

#[test]
fn nobody_qualified_free() {
    let mut world = World::new(&["ana", "ivy"]);
    world.pickup("ana", Pickup::Answers(500));
    world.dial("4711");
    world.run(5_000);
    world.seen.clear();
    world.dial("4710");
    world.run_to(95_000);
    let rung: Vec<_> = world.rung().into_iter().filter(|(at, _)| *at >= 0).collect();
    assert_eq!(rung, [(5, "hal".to_owned()), (20_005, "ivy".to_owned())], "on-call at once, the supervisor at 20 s");
    let heard = world.heard("4710");
    let at = |words: &str| heard.iter().find(|(_, said)| said.contains(words)).map(|(at, _)| *at);
    assert_eq!(at("analysts are all on calls. Trying on-call."), Some(2_545), "{heard:?}");
    assert_eq!(at("For a call back here, press one."), Some(10_005), "{heard:?}");
    assert_eq!(at("Nobody is free. We will call four west. back."), Some(90_005), "{heard:?}");
    let waiting = world.tickets().into_values().last().expect("the second ticket");
    assert_eq!(waiting.state(), Lifecycle::CallbackDue);
    assert_eq!(waiting.end.as_ref().map(|end| (end.cause, end.by)), Some((HangupCause::PlanEnded, Party::Desk)));
    let booked: Vec<(i64, CallbackReason)> = world
        .events()
        .filter_map(
            |(at, event)| {
                if let Event::CallbackBooked { reason, .. } = event { Some((at, *reason)) } else { None }
            },
        )
        .collect();
    assert_eq!(booked, [(10_005, CallbackReason::Waiting), (90_005, CallbackReason::NobodyFree)]);
    world.hang_up("4711");
    world.run(2_000);
    world.expect_ladder("nobody_qualified_free");
    world.expect_quiet();
}

#[test]
fn nobody_free_a_freed_analyst_goes_to_the_call_that_waits_longest() {
    let mut world = World::new(&["ana"]);
    world.pickup("hal", Pickup::Gone);
    world.pickup("ana", Pickup::Answers(500));
    world.dial("4711");
    world.run(5_000);
    world.seen.clear();
    world.dial("4710");
    world.run(1_000);
    world.phone("4712");
    let first = world.t0;
    world.dial("4712");
    world.t0 = first;
    world.run_to(8_000);
    world.hang_up("ana");
    world.run_to(50_000);
    let rung: Vec<_> = world.joined();
    assert_eq!(rung.first().map(|(_, who)| who.clone()), Some("4710 = ana".to_owned()), "{}", world.ladder());
    world.hang_up("4710");
    world.hang_up("4712");
    world.run(2_000);
    world.expect_ladder("nobody_free_a_freed_analyst");
    world.expect_quiet();
}

#[test]
fn presses_nothing() {
    let mut world = World::new(&EVERYBODY);
    world.dial("5310");
    world.run_to(8_000);
    let rung = world.rung();
    assert!(!rung.is_empty() && rung[0].0 <= WORST_ALERT_MS, "{rung:?}");
    assert_eq!(world.ticket().need_by, Some(NeedSource::NoKey));
    let questions = world.heard("5310").iter().filter(|(_, words)| words.contains("Charting one")).count();
    assert_eq!(questions, 1, "asked once, never in a loop");
    world.hang_up("5310");
    world.run(2_000);
    world.expect_ladder("presses_nothing");
    world.expect_quiet();
}

#[test]
fn hangs_up_and_is_called_back() {
    let mut world = World::new(&GENERALISTS);
    world.dial("4710");
    world.run_to(5_000);
    world.hang_up("4710");
    world.run(100);
    assert_eq!(world.sent("desk", "ana", "CANCEL"), [5_005], "at once");
    assert_eq!(world.sent("desk", "ben", "CANCEL"), [5_005]);
    assert_eq!(world.ticket().end.as_ref().map(|end| end.cause), Some(HangupCause::Abandoned));
    assert_eq!(world.ticket().callback.map(|callback| callback.reason), Some(CallbackReason::Abandoned));
    // Twenty seconds later an analyst is rung first, then the ward phone.
    for analyst in GENERALISTS {
        world.pickup(analyst, Pickup::Answers(2_000));
    }
    world.pickup("4710", Pickup::Answers(3_000));
    world.run_to(45_000);
    assert_eq!(world.sent("desk", "4710", "INVITE"), [27_025], "{}", world.ladder());
    assert_eq!(world.joined().len(), 1);
    world.hang_up("4710");
    world.run(2_000);
    world.press_any(&GENERALISTS, '1');
    world.run(5_000);
    let ticket = world.ticket();
    let callback = ticket.callback.clone().expect("a callback");
    assert_eq!(callback.state, CallbackState::Done);
    assert!(world.events().any(|(_, event)| {
        matches!(event, Event::CallbackAttempted { attempt: 1, outcome: CallbackOutcome::BothSpoke })
    }));
    assert_eq!(ticket.state(), Lifecycle::Closed);
    world.run(2_000);
    world.expect_ladder("hangs_up_and_is_called_back");
    world.expect_quiet();
}

#[test]
fn same_problem_again_goes_back_to_the_same_analyst_unasked() {
    let mut world = World::new(&EVERYBODY);
    world.pickup("gus", Pickup::Answers(1_000));
    world.dial("5310");
    world.run_to(2_000);
    world.press("5310", '3');
    world.run_to(10_000);
    world.hang_up("5310");
    world.run(60_000);
    world.seen.clear();
    world.dial("5310");
    world.run_to(5_000);
    let rung: Vec<_> = world.rung().into_iter().filter(|(at, _)| *at >= 0).collect();
    assert_eq!(rung, [(5, "gus".to_owned())], "at once and alone");
    assert!(!world.heard("5310").iter().any(|(_, words)| words.contains("Charting one")), "and nothing is asked");
    let second = world.tickets().into_values().last().expect("a second ticket");
    assert_eq!(second.analyst().map(AnalystId::as_str), Some("gus"));
    world.hang_up("5310");
    world.run(2_000);
    world.expect_ladder("same_problem_again");
    world.expect_quiet();
}

#[test]
fn outside_number_not_staff() {
    let mut world = World::new(&EVERYBODY);
    world.dial("outside");
    world.run_to(6_000);
    assert_eq!(world.heard("outside")[0], (415, "\"Staff desk. Patients and visitors, press nine.\"".to_owned()));
    let rung = world.rung();
    assert!(!rung.is_empty() && rung[0].0 <= 5_100, "{rung:?}");
    world.hang_up("outside");
    world.run(2_000);
    world.expect_ladder("outside_number_not_staff");
    world.expect_quiet();
}

#[test]
fn nine_reaches_the_operator() {
    let mut world = World::new(&GENERALISTS);
    world.pickup("4000", Pickup::Answers(2_000));
    world.dial("4710");
    world.run_to(1_000);
    world.press("4710", '9');
    world.run_to(8_000);
    assert_eq!(world.sent("desk", "4000", "INVITE"), [1_030]);
    assert_eq!(world.sent("desk", "ana", "CANCEL"), [1_030], "the analysts' phones stop");
    assert!(world.heard("4710").contains(&(1_030, "\"Connecting the hospital operator.\"".to_owned())));
    assert_eq!(world.joined(), [(3_040, "4710 = 4000".to_owned())]);
    world.hang_up("4710");
    world.run(2_000);
    world.expect_ladder("nine_reaches_the_operator");
    world.expect_quiet();
    assert_eq!(world.ticket().disposition().map(|set| set.disposition.code), None::<DispositionCode>);
}

#[test]
fn nine_and_the_operator_is_silent() {
    let mut world = World::new(&GENERALISTS);
    world.dial("4710");
    world.run_to(1_000);
    world.press("4710", '9');
    world.run_to(20_000);
    let heard = world.heard("4710");
    let at = heard.iter().find(|(_, words)| words == "\"No answer. Hang up and dial five five five five\"");
    assert_eq!(at.map(|(at, _)| *at), Some(7_030), "6 s later: {heard:?}");
    assert_eq!(world.sent("desk", "4000", "CANCEL"), [7_030]);
    assert_eq!(world.ticket().callback.map(|callback| callback.reason), Some(CallbackReason::OperatorSilent));
    world.run(2_000);
    world.expect_ladder("nine_and_the_operator_is_silent");
    world.expect_quiet();
}

#[test]
fn a_bedside_phone_that_stays_silent_reaches_the_operator() {
    let mut world = World::new(&GENERALISTS);
    world.pickup("4000", Pickup::Answers(1_000));
    world.dial("4600");
    world.run_to(10_000);
    assert_eq!(world.rung(), []);
    assert_eq!(world.joined().len(), 1);
    world.hang_up("4600");
    world.run(2_000);
    world.expect_ladder("a_silent_bedside_phone");
    world.expect_quiet();
}

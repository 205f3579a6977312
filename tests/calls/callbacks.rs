//! What is owed to callers whom nobody answered: who is called back, how often, until when, and what the ticket says.

use wardline::switch::Reply;
use wardline::ticket::{CallbackOutcome, CallbackState, DispositionCode, Event, HangupCause, Lifecycle, Party};

use crate::lines_a::talking;
use crate::phone::Pickup;
use crate::world::World;

/// Four west waits while the only analyst talks with somebody else.
fn waiting() -> World {
    let mut world = World::new(&["ana"]);
    world.pickup("ana", Pickup::Answers(500));
    world.dial("4711");
    world.run(5_000);
    world.seen.clear();
    world.dial("4710");
    world
}

#[test]
fn whoever_hangs_up_while_the_call_back_is_promised_has_left_by_themselves() {
    let mut world = waiting();
    world.run_to(14_000);
    world.press("4710", '1');
    world.run_to(14_500);
    let heard = world.heard("4710");
    assert!(heard.iter().any(|(_, words)| words.contains("Done. We will call four west.")), "{heard:?}");
    world.hang_up("4710");
    world.run(100);
    let ticket = world.tickets().into_values().last().expect("the second ticket");
    assert_eq!(ticket.end.map(|end| (end.cause, end.by)), Some((HangupCause::Abandoned, Party::Caller)));
    world.hang_up("4711");
    world.expect_quiet();
}

#[test]
fn whom_a_transfer_left_alone_has_spoken_with_somebody_before_hanging_up() {
    let mut world = talking();
    world.pickup("4780", Pickup::Rings);
    world.with_phone("ana", |phone, now| phone.refer(now, 0, "4780"));
    world.run(1_000);
    world.hang_up("ana");
    world.pickup("ana", Pickup::Rings);
    world.pickup("hal", Pickup::Rings);
    world.run_to(30_000);
    assert_eq!(world.status().calls, 1, "the desk is rung again");
    world.hang_up("4710");
    world.run(100);
    let end = world.ticket().end.map(|end| (end.cause, end.by));
    assert_eq!(end, Some((HangupCause::Normal, Party::Caller)), "{}", world.ladder());
    world.expect_quiet();
}

const MINUTE_MS: u64 = 60_000;

/// Four west has left after 5 s, and is called back after 20 s.
fn left() -> World {
    let mut world = World::new(&["ana"]);
    world.dial("4710");
    world.run_to(5_000);
    world.hang_up("4710");
    world.run(100);
    assert_eq!(world.ticket().state(), Lifecycle::CallbackDue);
    world
}

fn tries(world: &World) -> Vec<(u8, CallbackOutcome)> {
    let tried = |event: &Event| {
        if let Event::CallbackAttempted { attempt, outcome } = event { Some((*attempt, *outcome)) } else { None }
    };
    world.events().filter_map(|(_, event)| tried(event)).collect()
}

fn set(world: &mut World, code: DispositionCode) {
    let ticket = world.ticket();
    assert!(matches!(world.dispose(&ticket, "ana", code), Reply::Done));
}

#[test]
fn a_try_that_finds_no_analyst_is_no_attempt_and_the_next_comes_after_a_longer_pause() {
    let mut world = left();
    for analyst in ["ana", "hal"] {
        world.pickup(analyst, Pickup::Refuses(486, 0));
    }
    world.seen.clear();
    world.run_to(30 * MINUTE_MS);
    // Each try ends after ten seconds with nobody to wait for; then 2, 4, 8 and 16 minutes pass.
    let rung: Vec<i64> = world.sent("desk", "ana", "INVITE").iter().map(|at| at / 1_000).collect();
    assert_eq!(rung, [25, 155, 405, 895], "{}", world.ladder());
    assert_eq!(tries(&world), [(0, CallbackOutcome::NoAnalyst); 4]);
    assert_eq!(world.sent("desk", "4710", "INVITE").len(), 0, "the ward was never rung");
    // An hour later there is somebody: that is the first attempt.
    world.pickup("ana", Pickup::Answers(1_000));
    world.pickup("4710", Pickup::Answers(1_000));
    world.run_to(32 * MINUTE_MS);
    assert_eq!(world.joined().len(), 1);
    world.hang_up("4710");
    world.run(20_000);
    assert_eq!(tries(&world).last(), Some(&(1, CallbackOutcome::BothSpoke)));
    assert_eq!(world.ticket().callback.map(|callback| callback.state), Some(CallbackState::Done));
    world.expect_quiet();
}

#[test]
fn phones_that_are_busy_for_ever_leave_the_callback_to_a_person_after_eight_hours() {
    let mut world = left();
    for analyst in ["ana", "hal"] {
        world.pickup(analyst, Pickup::Refuses(486, 0));
    }
    world.run_to(7 * 60 * MINUTE_MS);
    assert_eq!((world.status().callbacks, world.status().callbacks_failed), (1, 0), "still tried");
    world.run_to(9 * 60 * MINUTE_MS);
    assert_eq!((world.status().callbacks, world.status().callbacks_failed), (0, 1));
    assert_eq!(tries(&world).len(), 12);
    let ticket = world.ticket();
    assert_eq!(ticket.callback.as_ref().map(|back| (back.state, back.attempts)), Some((CallbackState::Failed, 0)));
    assert_eq!(ticket.state(), Lifecycle::CallbackDue, "owed until a person deals with it");
    set(&mut world, DispositionCode::Open);
    assert_eq!(world.status().callbacks_failed, 0);
    assert_eq!(world.ticket().state(), Lifecycle::Working);
    assert_eq!(world.ticket().callback.map(|callback| callback.state), Some(CallbackState::Settled));
    world.expect_quiet();
}

#[test]
fn a_ward_that_never_answers_is_rung_three_times_and_then_owed_by_a_person() {
    let mut world = left();
    world.pickup("ana", Pickup::Answers(1_000));
    world.pickup("4710", Pickup::Rings);
    world.seen.clear();
    world.run_to(20 * MINUTE_MS);
    assert_eq!(world.sent("desk", "4710", "INVITE").len(), 3);
    let unanswered = CallbackOutcome::ClinicianNoAnswer;
    assert_eq!(tries(&world), [(1, unanswered), (2, unanswered), (3, unanswered)]);
    assert_eq!(world.ticket().state(), Lifecycle::CallbackDue);
    assert_eq!(world.status().callbacks_failed, 1);
    set(&mut world, DispositionCode::Solved);
    assert_eq!(world.ticket().state(), Lifecycle::Closed);
    assert_eq!(world.status().callbacks_failed, 0);
    world.expect_quiet();
}

#[test]
fn what_a_person_has_settled_is_not_tried_any_more() {
    let mut world = left();
    set(&mut world, DispositionCode::Open);
    assert_eq!(world.status().callbacks, 1, "work goes on: the ward is called back all the same");
    set(&mut world, DispositionCode::Solved);
    assert_eq!(world.status().callbacks, 0);
    world.seen.clear();
    world.run_to(10 * MINUTE_MS);
    assert_eq!(world.sent("desk", "ana", "INVITE").len(), 0);
    assert_eq!(world.ticket().state(), Lifecycle::Closed);
    world.expect_quiet();
}

#[test]
fn nobody_is_promised_a_call_back_that_the_journal_does_not_keep() {
    let mut world = waiting();
    world.pickup("hal", Pickup::Rings);
    world.journal_stuck = true;
    world.run_to(95_000);
    let heard = world.heard("4710");
    assert!(!heard.iter().any(|(_, words)| words.contains("We will call")), "{heard:?}");
    assert!(heard.contains(&(91_005, "\"Nobody is free. Please call again.\"".to_owned())), "{heard:?}");
    let ticket = world.tickets().into_values().last().expect("the second ticket");
    assert!(ticket.owes_callback(), "it is owed all the same, and made if it can be");
    world.hang_up("4711");
    world.expect_quiet();
}

#[test]
fn who_asks_for_a_call_back_that_the_journal_does_not_keep_hears_of_the_fault() {
    let mut world = waiting();
    world.pickup("hal", Pickup::Rings);
    world.journal_stuck = true;
    world.run_to(14_000);
    world.press("4710", '1');
    world.run_to(20_000);
    let heard = world.heard("4710");
    assert!(!heard.iter().any(|(_, words)| words.contains("will call")), "{heard:?}");
    assert!(heard.contains(&(15_030, "\"Sorry, a fault. Please call again.\"".to_owned())), "{heard:?}");
    world.hang_up("4711");
    world.expect_quiet();
}

//! What is owed to callers whom nobody answered: who is called back, how often, until when, and what the ticket says.

use wardline::ids::AnalystId;
use wardline::switch::{Command, Reply};
use wardline::ticket::{
    AnalystStateRecord, CallbackOutcome, CallbackReason, CallbackState, DispositionCode, Event, HangupCause, Lifecycle,
    MediaProblem, Party,
};
use wardline::time::Duration;

use crate::lines_a::talking;
use crate::phone::{Pickup, State};
use crate::setting::desk_with;
use crate::world::{Fault, World};

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

// -- Behind those who are on the line ------------------------------------------------------------------------------------

/// So many wards are owed a callback, and nobody is there to make it.
fn owing(wards: &[&str]) -> World {
    let mut world = World::new(&["ana"]);
    for ward in wards {
        world.dial(ward);
        world.run_to(5_000);
        world.hang_up(ward);
        world.run(100);
    }
    world.pickup("hal", Pickup::Refuses(486, 0));
    set_state(&mut world, "ana", AnalystStateRecord::Paused);
    world.seen.clear();
    world
}

fn set_state(world: &mut World, analyst: &str, state: AnalystStateRecord) {
    let (analyst, actor) = (AnalystId::new(analyst), "test".to_owned());
    world.command(Command::SetAnalystState { analyst, state, actor, reason: None });
}

const WARDS: [&str; 6] = ["4710", "4711", "4712", "5310", "5311", "5100"];

#[test]
fn callbacks_that_find_nobody_take_no_room_from_those_who_call() {
    let mut world = World::configured(desk_with(&[("wardline", "max_calls = 50", "max_calls = 4")]), &["ana"]);
    for ward in WARDS {
        world.dial(ward);
        world.run_to(3_000);
        world.hang_up(ward);
        world.run(100);
    }
    world.pickup("hal", Pickup::Rings);
    set_state(&mut world, "ana", AnalystStateRecord::Paused);
    for _ in 0..60 {
        world.run(1_000);
        let status = world.status();
        assert_eq!((status.calls, status.waiting), (0, 0), "nobody is on the line");
        assert!(status.calling_back <= 1, "one in four of the calls: {}", status.calling_back);
        assert!(status.callbacks + status.calling_back >= 5, "still owed");
    }
    world.dial("7741");
    world.run(1_000);
    let finals = world.phone("7741").sessions[0].finals.clone();
    assert_eq!(finals, [200], "{}", world.story());
    world.hang_up("7741");
    world.expect_quiet();
}

#[test]
fn a_freed_analyst_goes_to_the_nurse_who_waits_and_to_callbacks_afterwards() {
    let mut world = owing(&["4710", "4711"]);
    world.run(30_000);
    assert_eq!(world.status().calling_back, 1, "one seeks an analyst, the other waits for its turn");
    world.pickup("ana", Pickup::Answers(1_000));
    world.dial("4712");
    world.run(5_000);
    assert_eq!((world.status().waiting, world.status().calling_back), (1, 0), "it has made room: {}", world.story());
    assert_eq!(tries(&world).last(), Some(&(0, CallbackOutcome::PutOff)));
    world.run(5_000);
    set_state(&mut world, "ana", AnalystStateRecord::Available);
    world.run(3_000);
    let joined: Vec<String> = world.joined().into_iter().map(|(_, who)| who).collect();
    assert_eq!(joined, ["4712 = ana"], "{}", world.story());
    assert_eq!(world.sent("desk", "ana", "INVITE").len(), 1, "her phone rang for the nurse alone");
    world.pickup("4710", Pickup::Answers(1_000));
    world.pickup("4711", Pickup::Answers(1_000));
    world.hang_up("4712");
    world.run(10_000);
    world.press("ana", '1');
    world.run(180_000);
    assert_eq!(world.joined().len(), 2, "then the wards are called back: {}", world.story());
    world.expect_quiet();
}

#[test]
fn an_analyst_who_rings_for_a_callback_rings_for_the_nurse_as_soon_as_nobody_else_is_free() {
    let mut world = left();
    world.pickup("ana", Pickup::Rings);
    world.pickup("hal", Pickup::Rings);
    world.run_to(27_000);
    assert_eq!(world.sent("desk", "ana", "INVITE").len(), 2, "for the callback");
    world.dial("4711");
    world.run(200);
    assert_eq!(world.sent("desk", "ana", "INVITE").len(), 3, "and now for the nurse: {}", world.ladder());
    assert_eq!(tries(&world), [(0, CallbackOutcome::PutOff)]);
    world.hang_up("4711");
    world.expect_quiet();
}

#[test]
fn callbacks_that_never_had_their_turn_are_a_persons_after_eight_hours() {
    let mut world = left();
    for analyst in ["ana", "hal", "ivy"] {
        world.pickup(analyst, Pickup::Rings);
    }
    // Somebody waits at any time.
    for round in 0..9 * 45 {
        let ward = ["4711", "4712"][round % 2];
        world.dial(ward);
        world.run(79_000);
        world.hang_up(ward);
        world.run(1_000);
    }
    let ticket = world.tickets().into_values().next().expect("the first ticket");
    let back = ticket.callback.expect("owed");
    assert_eq!((back.state, back.attempts), (CallbackState::Failed, 0), "the ward was never rung");
}

#[test]
fn a_node_that_drains_waits_for_no_callback_that_has_nobody_on_the_line() {
    let mut world = owing(&["4710", "4711"]);
    world.run(30_000);
    assert_eq!(world.status().calling_back, 1);
    world.command(Command::Drain { actor: "test".to_owned() });
    world.run(1_000);
    assert!(world.switch.is_quiet(), "{}", world.story());
    assert_eq!(world.status().callbacks, 2, "the next process makes them");
    assert_eq!(tries(&world).last(), Some(&(0, CallbackOutcome::Cut)));
    world.run(10 * MINUTE_MS);
    assert_eq!(world.status().calling_back, 0);
}

// -- What counts as an attempt -------------------------------------------------------------------------------------------

#[test]
fn only_a_ward_whose_phone_rang_was_attempted() {
    let cases = [
        (Pickup::Gone, 0, CallbackOutcome::NoWay),
        (Pickup::Dead, 0, CallbackOutcome::NoWay),
        (Pickup::Refuses(404, 0), 0, CallbackOutcome::ClinicianUnreachable),
        (Pickup::Refuses(408, 0), 0, CallbackOutcome::NoWay),
        (Pickup::Refuses(480, 0), 0, CallbackOutcome::ClinicianUnreachable),
        (Pickup::Refuses(503, 0), 0, CallbackOutcome::NoWay),
        (Pickup::Refuses(486, 0), 0, CallbackOutcome::ClinicianBusy),
        (Pickup::Refuses(486, 3_000), 1, CallbackOutcome::ClinicianNoAnswer),
        (Pickup::Refuses(603, 3_000), 1, CallbackOutcome::ClinicianNoAnswer),
        (Pickup::Rings, 1, CallbackOutcome::ClinicianNoAnswer),
    ];
    for (ward, attempt, outcome) in cases {
        let mut world = left();
        world.pickup("ana", Pickup::Answers(1_000));
        world.pickup("4710", ward.clone());
        world.seen.clear();
        while world.sent("desk", "ana", "BYE").is_empty() && world.now < world.t0 + Duration::from_millis(90_000) {
            world.run(500);
        }
        assert_eq!(tries(&world), [(attempt, outcome)], "{ward:?}: {}", world.ladder());
        let heard = world.heard("ana");
        let told = heard.iter().any(|(_, words)| words == "\"Call back for four west. No answer.\"");
        assert!(told, "{ward:?}: {heard:?}");
        let (said, gone) = (heard.last().map(|(at, _)| *at), world.sent("desk", "ana", "BYE"));
        assert!(said.is_some_and(|said| gone[0] >= said + 1_500), "she has heard it: {said:?}, {gone:?}");
        let back = world.ticket().callback.expect("owed");
        assert_eq!((back.state, back.attempts), (CallbackState::Due, attempt), "{ward:?}");
        assert_eq!(world.analyst("ana")["status"], "wrap-up", "a moment to note it");
        world.pickup("4710", Pickup::Rings);
        world.expect_quiet();
    }
}

#[test]
fn a_pbx_that_is_gone_is_not_tried_for_one_ward_after_the_other() {
    let mut world = owing(&["4710", "4711", "4712"]);
    set_state(&mut world, "ana", AnalystStateRecord::Available);
    world.pickup("ana", Pickup::Answers(1_000));
    for ward in ["4710", "4711", "4712"] {
        world.pickup(ward, Pickup::Gone);
    }
    world.seen.clear();
    world.run(110_000);
    assert_eq!(tries(&world), [(0, CallbackOutcome::NoWay)], "{}", world.ladder());
    assert_eq!(world.sent("desk", "ana", "INVITE").len(), 1, "she is rung once, and not for each");
    for ward in ["4710", "4711", "4712"] {
        world.pickup(ward, Pickup::Rings);
    }
    world.run(10 * MINUTE_MS);
    let attempted = |ward: &str| !world.sent("desk", ward, "INVITE").is_empty();
    assert!(["4710", "4711", "4712"].into_iter().all(attempted), "{}", world.ladder());
    world.expect_quiet();
}

#[test]
fn an_analyst_who_hangs_up_before_the_ward_rings_has_attempted_nothing() {
    let mut world = left();
    world.pickup("ana", Pickup::Answers(1_000));
    world.pickup("4710", Pickup::Dead);
    world.run_to(28_000);
    world.hang_up("ana");
    world.run(1_000);
    assert_eq!(tries(&world), [(0, CallbackOutcome::AnalystLeft)]);
    world.pickup("4710", Pickup::Rings);
    world.expect_quiet();
}

#[test]
fn a_misdial_wakes_nobody_and_a_nurse_who_was_called_away_is_called_back() {
    for (left_after, owed) in [(600, false), (1_900, false), (3_000, true)] {
        let mut world = World::new(&["ana"]);
        world.dial("4710");
        world.run_to(left_after);
        world.hang_up("4710");
        world.run(MINUTE_MS);
        assert_eq!(world.ticket().callback.is_some(), owed, "left after {left_after} ms");
        assert_eq!(world.sent("desk", "ana", "INVITE").len(), 1 + usize::from(owed));
        world.expect_quiet();
    }
}

#[test]
fn a_ward_that_has_called_again_is_not_called_back_meanwhile() {
    let mut world = World::new(&["ana", "ben"]);
    world.dial("4710");
    world.run_to(5_000);
    world.hang_up("4710");
    world.run(100);
    assert!(world.ticket().owes_callback());
    for analyst in ["ana", "ben"] {
        world.pickup(analyst, Pickup::Answers(1_000));
    }
    world.dial("4710");
    for _ in 0..120 {
        world.run(1_000);
        let status = world.status();
        assert_eq!((status.calls, status.calling_back, status.callbacks), (1, 0, 1), "{}", world.story());
    }
    world.hang_up("4710");
    world.run(60_000);
    assert_eq!(world.sent("desk", "4710", "INVITE").len(), 1, "its turn comes afterwards");
    world.expect_quiet();
}

// -- Phones that are gone in mid-call ------------------------------------------------------------------------------------

#[test]
fn an_analyst_whose_phone_dies_in_mid_call_leaves_the_caller_to_the_next() {
    for death in [Pickup::Dead, Pickup::Gone] {
        let mut world = World::new(&["ana", "ben"]);
        world.pickup("ana", Pickup::Answers(1_000));
        world.dial("4710");
        world.run_to(10_000);
        assert_eq!(world.joined().len(), 1);
        world.pickup("ben", Pickup::Answers(3_000));
        world.pickup("ana", death.clone());
        world.seen.clear();
        world.run(70_000);
        let heard = world.heard("4710");
        let words: Vec<&str> = heard.iter().map(|(_, words)| words.as_str()).collect();
        let told = ["\"Sorry, a fault.\"", "\"Ringing your analyst.\"", "~ringback"];
        assert!(words.windows(3).any(|three| three == told), "{death:?}: {heard:?}");
        let joined: Vec<String> = world.joined().into_iter().map(|(_, who)| who).collect();
        assert_eq!(joined, ["4710 = ben"], "{death:?}: {}", world.story());
        assert_eq!(world.sent("desk", "4710", "BYE").len(), 0, "the caller stays on the line");
        world.hang_up("4710");
        world.run(20_000);
        let ticket = world.ticket();
        assert!(
            ticket
                .problems
                .iter()
                .any(|(_, party, problem)| (*party, *problem) == (Party::Analyst, MediaProblem::Gone))
        );
        assert!(!ticket.owes_callback());
        world.expect_quiet();
    }
}

#[test]
fn a_caller_whose_analysts_phone_dies_and_whom_nobody_takes_is_called_back() {
    let mut world = talking();
    for name in ["hal", "ivy"] {
        world.pickup(name, Pickup::Refuses(486, 0));
    }
    world.pickup("ana", Pickup::Gone);
    world.run(30_000);
    world.hang_up("4710");
    world.run(1_000);
    assert!(world.ticket().owes_callback(), "{}", world.story());
    world.expect_quiet();
}

#[test]
fn a_caller_whose_phone_dies_in_mid_call_is_called_back_unless_the_analyst_says_that_it_is_solved() {
    for (key, owed) in [('1', false), ('2', true)] {
        let mut world = talking();
        world.pickup("4710", Pickup::Gone);
        world.seen.clear();
        world.run(22_000);
        let heard = world.heard("ana");
        assert!(heard.iter().any(|(_, words)| words.contains("Solved? One yes, two no.")), "{heard:?}");
        world.press("ana", key);
        world.run(1_000);
        let ticket = world.ticket();
        assert_eq!(ticket.end.as_ref().map(|end| end.cause), Some(HangupCause::PeerLost));
        assert_eq!(ticket.callback.as_ref().map(|back| back.reason), Some(CallbackReason::LineLost));
        assert_eq!(ticket.owes_callback(), owed, "{}", world.story());
        world.pickup("4710", Pickup::Answers(1_000));
        world.phone("4710").sessions.iter_mut().for_each(|session| session.state = State::Over);
        world.pickup("ana", Pickup::Answers(1_000));
        world.run(40_000);
        assert_eq!(world.joined().len(), usize::from(owed), "{}", world.story());
        world.expect_quiet();
    }
}

// -- Conversations of an attempt that nobody ended -----------------------------------------------------------------------

/// Four west was called back, and both have been heard.
fn called_back() -> World {
    let mut world = left();
    world.pickup("ana", Pickup::Answers(1_000));
    world.pickup("4710", Pickup::Answers(1_000));
    world.run_to(35_000);
    assert_eq!(world.joined().len(), 1, "{}", world.story());
    world
}

#[test]
fn a_callback_that_a_stop_cuts_in_mid_talk_is_owed_still_and_no_attempt() {
    let mut world = called_back();
    world.command(Command::HangUpAll { actor: "test".to_owned() });
    world.run(1_000);
    assert_eq!(tries(&world), [(0, CallbackOutcome::Cut)], "{}", world.story());
    let back = world.ticket().callback.expect("owed");
    assert_eq!((back.state, back.attempts), (CallbackState::Due, 0));
    assert_eq!(world.status().callbacks, 1);
    world.expect_quiet();
}

#[test]
fn a_callback_whose_ward_is_gone_in_mid_talk_is_done_only_if_the_analyst_says_so() {
    for (key, owed) in [('1', false), ('2', true)] {
        let mut world = called_back();
        world.pickup("4710", Pickup::Gone);
        world.run(22_000);
        world.press("ana", key);
        world.run(1_000);
        assert_eq!(tries(&world), [(1, CallbackOutcome::Failed)], "{}", world.story());
        assert_eq!(world.ticket().owes_callback(), owed, "key {key}: {}", world.story());
        assert_eq!(world.status().callbacks, usize::from(owed));
        world.pickup("4710", Pickup::Rings);
        world.phone("4710").sessions.iter_mut().for_each(|session| session.state = State::Over);
        world.expect_quiet();
    }
}

#[test]
fn a_fault_of_ours_in_the_middle_of_attempts_is_met_three_times_and_no_more() {
    let mut world = left();
    world.pickup("ana", Pickup::Rings);
    world.pickup("hal", Pickup::Rings);
    for _ in 0..40 {
        world.run(15_000);
        if world.status().calling_back == 1 {
            world.break_call(Fault::AtOnce);
        }
    }
    let failed = CallbackOutcome::Failed;
    assert_eq!(tries(&world), [(1, failed), (2, failed), (3, failed)], "{}", world.story());
    assert_eq!((world.status().callbacks, world.status().callbacks_failed), (0, 1));
    world.expect_quiet();
}

// -- Callers who were left alone -------------------------------------------------------------------------------------------

/// At night Ana is alone, and her phone dies while she talks with four west.
fn left_alone() -> World {
    let mut world = talking();
    for name in ["hal", "ivy"] {
        world.pickup(name, Pickup::Refuses(486, 0));
    }
    world.pickup("ana", Pickup::Gone);
    world.seen.clear();
    world.run(40_000);
    world
}

#[test]
fn whom_a_dead_phone_left_alone_hears_what_is_true_and_is_promised_a_call_back_before_the_end() {
    let mut world = left_alone();
    world.run(150_000);
    let heard = world.heard("4710");
    let at = |what: &str| heard.iter().position(|(_, words)| words.contains(what));
    assert!(at("Sorry, a fault.").is_some(), "{heard:?}");
    assert_eq!(at("Ringing your analyst."), None, "nobody rings: {heard:?}");
    assert!(at("We will call four west").is_some(), "{heard:?}");
    assert!(world.ticket().owes_callback());
    assert_eq!(world.ticket().end.as_ref().map(|end| end.cause), Some(HangupCause::PlanEnded));
    world.pickup("4710", Pickup::Rings);
    world.expect_quiet();
}

#[test]
fn nine_works_for_whom_a_dead_phone_left_alone() {
    let mut world = left_alone();
    world.pickup("4000", Pickup::Answers(1_000));
    world.press("4710", '9');
    world.run(5_000);
    let joined: Vec<String> = world.joined().into_iter().map(|(_, who)| who).collect();
    assert_eq!(joined, ["4710 = 4000"], "{}", world.story());
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn a_phone_without_audio_is_not_given_its_own_caller_back() {
    let mut world = World::new(&["ana"]);
    world.phone("ana").voice = false;
    world.pickup("ana", Pickup::Answers(1_000));
    for name in ["hal", "ivy"] {
        world.pickup(name, Pickup::Refuses(486, 0));
    }
    world.dial("4710");
    world.run_to(10 * MINUTE_MS);
    let call = world.tickets().into_keys().next().expect("a call");
    let ended = world.ticket().end.as_ref().map(|end| end.cause);
    assert_eq!(ended, Some(HangupCause::PlanEnded), "{call}: {}", world.story());
    let bridged = world.events().filter(|(_, event)| matches!(event, Event::Bridged { .. })).map(|(at, _)| at);
    let before_the_end = bridged.filter(|at| *at < 240_000).count();
    assert_eq!(before_the_end, 1, "{}", world.story());
}

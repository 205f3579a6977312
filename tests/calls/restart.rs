//! kill -9 in mid-call: a new switch is built from what the records say, through the real store, and goes on.

use wardline::ids::AnalystId;
use wardline::runtime::recall;
use wardline::store::{self, journal};
use wardline::switch::{Command, Memory};
use wardline::ticket::{
    AnalystStateRecord, CallbackOutcome, CallbackReason, CallbackState, Event, HangupCause, Lifecycle, Party,
};

use crate::phone::Pickup;
use crate::setting::{accounts, pins};
use crate::world::World;

/// The process dies at this instant, and the next one starts at once on the same folder.
pub fn killed(world: &mut World) {
    let folder = tempfile::tempdir().expect("a folder");
    let now = world.switch_wall();
    let (store, _) = store::open(folder.path(), journal::Options::default(), now).expect("a store");
    for record in &world.records {
        assert_eq!(store.journal.append(record), store::Appended::Written);
    }
    drop(store);
    let (_store, restored) = store::open(folder.path(), journal::Options::default(), now).expect("the same store");
    // Passwords and PINs are no records: the store of a real node still has them.
    let memory = Memory { accounts: accounts(), pins: pins(), ..recall::memory(&world.config, &restored, now) };
    world.take_over(memory);
}

/// Ana and the supervisor are signed in, and the journal knows it.
pub fn desk() -> World {
    let mut world = World::new(&["ana", "ivy"]);
    for analyst in ["ana", "ivy"] {
        let (state, actor) = (AnalystStateRecord::Available, "test".to_owned());
        world.command(Command::SetAnalystState { analyst: AnalystId::new(analyst), state, actor, reason: None });
    }
    world
}

fn tries(world: &World) -> Vec<(u8, CallbackOutcome)> {
    let tried = |event: &Event| {
        if let Event::CallbackAttempted { attempt, outcome } = event { Some((*attempt, *outcome)) } else { None }
    };
    world.events().filter_map(|(_, event)| tried(event)).collect()
}

#[test]
fn a_call_that_was_cut_is_called_back_by_its_own_plan_the_analyst_first() {
    let mut world = desk();
    world.pickup("ana", Pickup::Answers(1_000));
    world.pickup("4710", Pickup::Answers(2_000));
    world.dial("4710");
    world.run_to(5_000);
    assert_eq!(world.joined().len(), 1);
    killed(&mut world);
    assert_eq!((world.status().calls, world.status().callbacks), (0, 1));
    let ticket = world.ticket();
    assert_eq!(ticket.end.as_ref().map(|end| (end.cause, end.by)), Some((HangupCause::NodeFailure, Party::Desk)));
    assert_eq!(ticket.callback.as_ref().map(|back| back.reason), Some(CallbackReason::NodeFailure));
    // Both put the dead call down.
    world.hang_up("4710");
    world.hang_up("ana");
    world.run(1_000);
    world.seen.clear();
    world.run_to(20_000);
    assert_eq!(world.sent("desk", "ana", "INVITE"), [10_000], "five seconds after the start");
    assert_eq!(world.sent("desk", "4710", "INVITE"), [11_010], "when the analyst is there: {}", world.ladder());
    assert_eq!(world.sent("desk", "ivy", "INVITE").len(), 0, "another hotline's plan would ring the supervisor");
    assert_eq!(world.joined().len(), 1);
    world.hang_up("4710");
    world.run(20_000);
    assert_eq!(tries(&world), [(1, CallbackOutcome::BothSpoke)]);
    assert_eq!(world.ticket().callback.map(|back| back.state), Some(CallbackState::Done));
    world.expect_quiet();
}

#[test]
fn an_attempt_that_was_cut_is_made_again_and_those_before_it_still_count() {
    let mut world = desk();
    world.pickup("4710", Pickup::Rings);
    world.dial("4710");
    world.run_to(5_000);
    world.hang_up("4710");
    world.pickup("ana", Pickup::Answers(1_000));
    world.run_to(100_000);
    let unanswered = CallbackOutcome::ClinicianNoAnswer;
    assert_eq!(tries(&world), [(1, unanswered)]);
    let booked = world.events().filter(|(_, event)| matches!(event, Event::CallbackBooked { .. })).count();
    // The second attempt: the ward rings, and the process dies.
    world.run_to(185_000);
    assert_eq!(world.sent("desk", "4710", "INVITE").len(), 2, "{}", world.ladder());
    killed(&mut world);
    world.hang_up("ana");
    assert_eq!(tries(&world).last(), Some(&(1, CallbackOutcome::Cut)), "whether it rang is not known");
    world.run(20 * 60_000);
    assert_eq!(tries(&world)[2..], [(2, unanswered), (3, unanswered)]);
    let again = world.events().filter(|(_, event)| matches!(event, Event::CallbackBooked { .. })).count();
    assert_eq!(again, booked, "it was owed already");
    // What is a person's by now is so after the next start, and nobody is rung for it.
    assert_eq!(world.status().callbacks_failed, 1);
    world.seen.clear();
    killed(&mut world);
    world.run(20 * 60_000);
    assert_eq!((world.status().callbacks, world.status().callbacks_failed), (0, 1));
    assert_eq!(world.sent("desk", "ana", "INVITE").len(), 0);
    assert_eq!(world.ticket().state(), Lifecycle::CallbackDue);
    world.expect_quiet();
}

#[test]
fn a_node_that_was_down_all_night_leaves_old_callbacks_to_a_person() {
    let mut world = desk();
    world.pickup("ana", Pickup::Refuses(486, 0));
    world.pickup("hal", Pickup::Refuses(486, 0));
    world.pickup("ivy", Pickup::Refuses(486, 0));
    world.dial("4710");
    world.run_to(5_000);
    world.hang_up("4710");
    world.run_to(10_000);
    let last = world.records.len();
    world.run(9 * 3_600_000);
    world.records.truncate(last);
    killed(&mut world);
    assert_eq!((world.status().callbacks, world.status().callbacks_failed), (0, 1));
    assert_eq!(world.ticket().callback.map(|back| back.state), Some(CallbackState::Failed));
    assert_eq!(world.ticket().state(), Lifecycle::CallbackDue);
}

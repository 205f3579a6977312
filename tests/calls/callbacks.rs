//! What is owed to callers whom nobody answered: who is called back, how often, until when, and what the ticket says.

use wardline::ticket::{HangupCause, Party};

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

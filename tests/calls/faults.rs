//! A step of ours breaks (a panic in a call), in every state that a call can be in: that call ends for everybody, its ticket is
//! closed, nothing of it is left, and other calls notice nothing.

use wardline::switch::{Command, Reply};
use wardline::ticket::{Event, HangupCause};

use crate::phone::{Hold, Pickup};
use crate::world::{Act, EVERYBODY, Fault, GENERALISTS, World};

const FAULTS: [Fault; 3] = [Fault::AtOnce, Fault::WithAPort, Fault::WithoutItsLegs];

/// Brings a desk into a state; the call that breaks is its oldest.
type Scene = fn() -> World;

fn spoken_to() -> World {
    let mut world = World::new(&EVERYBODY);
    world.dial("5310");
    world.run_to(1_500);
    world
}

fn rung() -> World {
    let mut world = World::new(&GENERALISTS);
    world.dial("4710");
    world.run_to(3_000);
    assert!(world.status().legs > 1, "somebody is rung");
    world
}

fn waiting() -> World {
    let mut world = World::new(&["ana"]);
    world.pickup("ana", Pickup::Refuses(486, 100));
    world.pickup("hal", Pickup::Refuses(486, 100));
    world.dial("4710");
    world.run_to(9_000);
    assert_eq!(world.status().waiting, 1);
    world
}

/// The on-call mobile has been picked up and is asked to press 1.
fn accepting() -> World {
    let mut world = World::new(&[]);
    world.pickup("hal", Pickup::Answers(1_000));
    world.dial("4710");
    world.run_to(2_500);
    world
}

fn talking() -> World {
    let mut world = World::new(&["ana"]);
    world.pickup("ana", Pickup::Answers(500));
    world.dial("4710");
    world.run_to(4_000);
    assert!(world.events().any(|(_, event)| matches!(event, Event::AnalystAnswered { .. })));
    world
}

fn held() -> World {
    let mut world = talking();
    world.reinvite("ana", Some(Hold::SendOnly));
    world.run(500);
    world
}

fn transferring() -> World {
    let mut world = talking();
    let phone = world.index("ana");
    world.at(4_100, Act::Refer { phone, to: "4780".to_owned() });
    world.run(1_000);
    assert!(world.status().legs > 2, "the target is rung");
    world
}

fn asked_whether_solved() -> World {
    let mut world = talking();
    world.hang_up("4710");
    world.run(1_000);
    assert_eq!(world.status().calls, 1, "the analyst is asked");
    world
}

fn broken(scene: Scene, fault: Fault) -> World {
    let mut world = scene();
    world.break_call(fault);
    world
}

#[test]
fn a_call_that_breaks_in_any_state_leaves_nothing() {
    let scenes: [Scene; 8] = [spoken_to, rung, waiting, accepting, talking, held, transferring, asked_whether_solved];
    for (place, scene) in scenes.into_iter().enumerate() {
        for fault in FAULTS {
            let mut world = broken(scene, fault);
            let status = world.status();
            assert_eq!((status.ports_used, status.waiting), (0, 0), "scene {place}, {fault:?}: {status:?}");
            assert!(status.ports_resting > 0, "scene {place}, {fault:?}: ports rest first");
            let Reply::Analysts { analysts } = world.command(Command::Analysts) else { panic!("no analysts") };
            let busy = |analyst: &serde_json::Value| {
                ["reserved", "offered", "on-call"].contains(&analyst["status"].as_str().unwrap_or_default())
            };
            assert!(!analysts.iter().any(busy), "scene {place}, {fault:?}: {analysts:?}");
            let end = world.ticket().end.as_ref().map(|end| end.cause);
            let expected = if place == 7 { HangupCause::Normal } else { HangupCause::InternalError };
            assert_eq!(end, Some(expected), "scene {place}, {fault:?}");
            world.expect_quiet();
        }
    }
}

#[test]
fn phones_of_a_call_that_breaks_hear_bye_or_cancel_and_the_caller_is_called_back() {
    let mut world = broken(talking, Fault::AtOnce);
    world.run(100);
    assert_eq!(world.sent("desk", "4710", "BYE").len(), 1);
    assert_eq!(world.sent("desk", "ana", "BYE").len(), 1);
    assert!(world.ticket().callback.is_some(), "nobody chose this ending");
    world.expect_quiet();
    let mut world = broken(rung, Fault::AtOnce);
    world.run(100);
    assert_eq!(world.sent("desk", "ana", "CANCEL").len(), 1);
    world.expect_quiet();
}

#[test]
fn other_calls_notice_nothing() {
    let mut world = World::new(&GENERALISTS);
    for name in ["ana", "ben", "cho", "dev"] {
        world.pickup(name, Pickup::Answers(500));
    }
    world.dial("4710");
    world.run_to(4_000);
    world.dial("4711");
    world.run_to(4_000);
    world.break_call(Fault::AtOnce);
    world.run(60_000);
    assert_eq!(world.status().calls, 1);
    let open: Vec<_> = world.tickets().into_values().filter(|ticket| ticket.end.is_none()).collect();
    assert_eq!(open.len(), 1, "the other call talks on");
    assert!(world.sent("desk", "4711", "BYE").is_empty());
    world.hang_up("4711");
    world.expect_quiet();
}

#[test]
fn a_request_in_a_call_that_breaks_is_answered() {
    let mut world = talking();
    world.break_call(Fault::WithoutItsLegs);
    world.run(100);
    // Its phones are not told, as their legs are gone; what they say next is.
    world.hang_up("4710");
    world.run(1_000);
    assert_eq!(world.sent("desk", "4710", "481 BYE").len(), 1);
    world.expect_quiet();
}

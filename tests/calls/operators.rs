//! What the desk tells its operators, and what it takes from them.

use wardline::ids::TrunkId;
use wardline::switch::Reply;
use wardline::ticket::{CallbackState, DispositionCode, Event};

use crate::setting::two_hospitals;
use crate::world::{Act, World};

/// Ben works for the other hospital alone.
fn of_two_hospitals() -> World {
    let moved = [("analysts", "hospitals = [\"harbor\"]", "hospitals = [\"inland\"]")];
    World::configured(two_hospitals(&moved), &["ana"])
}

#[test]
fn a_ticket_is_set_by_nobody_who_does_not_serve_its_hospital_and_its_callback_stays_owed() {
    let mut world = of_two_hospitals();
    world.dial("4710");
    world.run_to(5_000);
    world.hang_up("4710");
    world.run(100);
    let ticket = world.ticket();
    for (by, why) in [("ben", "ben does not serve harbor, whose ticket"), ("bem", "no analyst is called bem; did you")]
    {
        let Reply::Refused { reason } = world.dispose(&ticket, by, DispositionCode::Solved) else {
            panic!("{by} has set it")
        };
        assert!(reason.starts_with(why), "{reason}");
    }
    assert_eq!(world.ticket().callback.map(|callback| callback.state), Some(CallbackState::Due));
    assert_eq!(world.status().callbacks, 1);
    assert!(matches!(world.dispose(&ticket, "ana", DispositionCode::Solved), Reply::Done));
    assert_eq!(world.status().callbacks, 0);
    let audited = world.records.iter().rev().find_map(|record| {
        let Event::Audit { action, object, reason, .. } = &record.event else { return None };
        Some((action.clone(), object.clone(), reason.clone()))
    });
    let object = format!("ticket {}", ticket.number);
    assert_eq!(audited, Some(("set disposition".to_owned(), object, Some("solved, by ana".to_owned()))));
}

#[test]
fn a_wrong_dialled_number_is_counted_and_told_without_any_number() {
    let mut world = World::new(&["ana"]);
    let phone = world.index("4710");
    for at in 0..40 {
        world.at(at * 100, Act::Dial { phone, number: "7999".to_owned(), sdp: true });
    }
    world.run_to(70_000);
    assert_eq!((world.counter("invites"), world.counter("calls_refused"), world.counter("calls")), (40, 40, 0));
    assert_eq!(world.turned_down.len(), 30, "a line each, within a bound");
    let told = &world.turned_down[0];
    assert_eq!((told.status.code(), told.trunk.clone(), told.untold), (404, Some(TrunkId::new("pbx")), 0));
    assert!(!told.reason.chars().any(|letter| letter.is_ascii_digit()), "{}", told.reason);
    world.at(70_000, Act::Dial { phone, number: "7999".to_owned(), sdp: true });
    world.run_to(71_000);
    assert_eq!(world.turned_down.last().map(|told| told.untold), Some(10), "the next line says how many had none");
}

#[test]
fn a_phone_with_a_wrong_password_is_counted_and_told() {
    let mut world = World::new(&["ana"]);
    let cho = world.index("cho");
    world.phones[cho].password = Some("not-hers");
    world.phones[cho].register(world.now);
    world.send_of(cho);
    world.run(1_000);
    assert!(world.counter("registration_refused") >= 1);
    let told = world.turned_down.first().expect("a line");
    assert_eq!((told.method.to_string(), told.trunk.clone()), ("REGISTER".to_owned(), None));
    assert_eq!(told.reason, "a wrong password, or no such user");
}

/// Whoever asks for a rise sees the first event only where there was a 0 before.
#[test]
fn everything_that_is_counted_is_shown_from_the_start() {
    let counted = World::new(&[]).status().counters;
    assert_eq!(counted.len(), 20);
    assert!(counted.values().all(|count| *count == 0), "{counted:?}");
    assert_eq!(counted["call_fault"], 0);
}

//! What a plan may ask the desk's memory and the number that was dialled, and how it ranks those who wait.

use wardline::ids::{AnalystId, ModuleId};
use wardline::routing::Priority;
use wardline::switch::Command;
use wardline::ticket::{AnalystStateRecord, DispositionCode, Ticket};

use crate::phone::Pickup;
use crate::restart::killed;
use crate::setting::SAMPLE;
use crate::world::{Act, World};

/// The sample plan with one more case, which makes a call urgent.
fn urgent_if(condition: &str) -> String {
    let case = format!("cases = [\n    {{ {condition}, next = \"urgent\" }},\n");
    let set = "\n[steps.urgent]\ntype = \"set\"\npriority = \"urgent\"\nnext = \"question\"\n";
    SAMPLE.replacen("cases = [\n", &case, 1) + set
}

fn ticket_of(world: &World, calling: &str) -> Ticket {
    world.tickets().into_values().rfind(|ticket| ticket.calling == calling).expect("a ticket")
}

#[test]
fn an_urgent_call_is_given_the_next_free_analyst_before_one_that_has_waited_longer() {
    let mut world = World::planned(&urgent_if("extension = [\"4711\"]"), &["ana"]);
    world.pickup("ana", Pickup::Answers(500));
    for other in ["hal", "ivy"] {
        world.pickup(other, Pickup::Refuses(486, 0));
    }
    world.dial("4712");
    world.run_to(3_000);
    world.dial("4710");
    world.run_to(6_000);
    world.dial("4711");
    world.run_to(9_000);
    assert_eq!(ticket_of(&world, "4711").priority, Priority::Urgent);
    assert_eq!(world.status().waiting, 2);
    world.hang_up("4712");
    world.run_to(60_000);
    let (urgent, other) = (ticket_of(&world, "4711"), ticket_of(&world, "4710"));
    assert_eq!(urgent.analyst(), Some(&AnalystId::new("ana")), "{}", world.ladder());
    assert_eq!(other.analyst(), None);
}

#[test]
fn digits_that_the_pbx_sends_behind_the_number_are_keys() {
    let mut world = World::new(&["eva", "finn", "gus"]);
    let phone = world.index("5310");
    world.at(0, Act::Dial { phone, number: "7100,,2".to_owned(), sdp: true });
    world.run_to(500);
    let ticket = world.ticket();
    assert_eq!(ticket.dialled, "7100");
    assert_eq!(ticket.need.and_then(|need| need.module), Some(ModuleId::new("sign-in")));
    assert_eq!(world.sent("desk", "finn", "INVITE").len(), 1, "nothing had to be asked");
}

#[test]
fn an_open_ticket_of_the_unit_is_known_until_it_is_closed_also_after_a_restart() {
    let plan = urgent_if("open_ticket = true, calendar = [\"week\"], holiday = false");
    let mut world = World::planned(&plan, &["ana"]);
    let (state, actor) = (AnalystStateRecord::Available, "test".to_owned());
    world.command(Command::SetAnalystState { analyst: AnalystId::new("ana"), state, actor, reason: None });
    world.pickup("ana", Pickup::Answers(500));
    let call = |world: &mut World, phone: &str| {
        world.dial(phone);
        world.run(5_000);
        world.hang_up(phone);
        world.run(60_000);
        ticket_of(world, phone).priority
    };
    assert_eq!(call(&mut world, "4710"), Priority::Normal);
    // Nobody has said how that ended: four west has an open ticket, another unit has none.
    assert_eq!(call(&mut world, "4711"), Priority::Urgent);
    assert_eq!(call(&mut world, "5310"), Priority::Normal);
    killed(&mut world);
    assert_eq!(call(&mut world, "4710"), Priority::Urgent);
    for ticket in world.tickets().into_values() {
        world.dispose(&ticket, "ana", DispositionCode::Solved);
    }
    assert_eq!(call(&mut world, "4711"), Priority::Normal);
}

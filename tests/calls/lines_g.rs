//! SIP-BEHAVIOUR.md, part G: faults of the node, as far as the switch decides what they mean.

use wardline::sip::Transport;
use wardline::switch::Command;
use wardline::ticket::{Event, HangupCause};

use crate::lines_a::talking;
use crate::phone::{Pickup, State};
use crate::raw::{Raw, SDP, header, status};
use crate::restart::killed;
use crate::world::{GENERALISTS, PBX, World};

#[test]
fn g81_killed_with_calls_in_every_state_every_ticket_is_there_and_phones_ring_without_registering_anew() {
    let mut world = World::new(&GENERALISTS);
    for name in ["ana", "ben", "dev"] {
        world.pickup(name, Pickup::Refuses(486, 0));
    }
    world.pickup("cho", Pickup::Answers(500));
    let reason = Some("back".to_owned());
    let (state, actor) = (wardline::ticket::AnalystStateRecord::Available, "lead".to_owned());
    world.command(Command::SetAnalystState { analyst: "cho".into(), state, actor, reason });
    // One talks, one waits, one hears the question, one has left already.
    for name in ["4710", "4711", "5310", "4712"] {
        world.dial(name);
        world.run_to(2_500);
    }
    world.hang_up("4712");
    world.run(100);
    let opened = |world: &World| world.events().filter(|(_, event)| matches!(event, Event::CallOpened(_))).count();
    assert_eq!(opened(&world), 4);
    assert_eq!(world.status().calls, 3);
    killed(&mut world);
    let tickets = world.tickets();
    assert_eq!(tickets.len(), 4, "every INVITE that was accepted");
    let cut =
        |cause| tickets.values().filter(|ticket| ticket.end.as_ref().is_some_and(|end| end.cause == cause)).count();
    assert_eq!((cut(HangupCause::NodeFailure), cut(HangupCause::Abandoned)), (3, 1));
    assert!(tickets.values().all(|ticket| ticket.callback.is_some()), "and each caller is called back");
    // The phones put their dead calls down; the one that registered before is rung as ever.
    for name in ["4710", "4711", "5310", "cho"] {
        world.hang_up(name);
        world.phone(name).sessions.iter_mut().for_each(|session| session.state = State::Over);
    }
    assert_eq!(world.status().bindings, 1, "nobody registers anew");
    world.seen.clear();
    world.run(10_000);
    assert!(!world.sent("desk", "cho", "INVITE").is_empty(), "{}", world.ladder());
    assert!(world.sent("cho", "desk", "REGISTER").is_empty());
}

#[test]
fn g83_a_draining_node_sends_new_calls_elsewhere_and_ends_the_last_by_bye() {
    let mut world = talking();
    world.command(Command::Drain { actor: "test".to_owned() });
    let invite = Raw::invite("drained", PBX, SDP).send(&mut world);
    assert_eq!((status(&invite), header(&invite, "Retry-After")), (503, "10"));
    let options = Raw::new("OPTIONS", "drained-too", PBX).send(&mut world);
    assert_eq!((status(&options), header(&options, "Retry-After")), (503, "10"));
    let mut over_tcp = Raw::new("OPTIONS", "drained-on-tcp", PBX);
    over_tcp.transport = Transport::Tcp;
    assert_eq!(status(&over_tcp.send(&mut world)), 503);
    world.run(50_000);
    assert_eq!(world.status().calls, 1, "the call that is up goes on");
    world.command(Command::HangUpAll { actor: "test".to_owned() });
    world.run(1_000);
    for name in ["4710", "ana"] {
        assert_eq!(world.sent("desk", name, "BYE").len(), 1, "{name}");
    }
    let ticket = world.ticket();
    assert_eq!(ticket.end.as_ref().map(|end| end.cause), Some(HangupCause::Shutdown));
    world.run(32_000);
    assert!(world.switch.is_quiet());
}

//! SIP-BEHAVIOUR.md, part F: what the service does when phones fail, and when callers leave.

use wardline::bridge::MediaPort;
use wardline::call::media::MediaEvent;
use wardline::routing::OfferOutcome;
use wardline::sip::Method;
use wardline::switch::Command;
use wardline::ticket::{AnalystStateRecord, CallbackReason, Event, HangupCause, MediaProblem};

use crate::lines_a::talking;
use crate::phone::{Pickup, State};
use crate::setting::desk_with;
use crate::world::{Act, EVERYBODY, GENERALISTS, World};

#[test]
fn f72_every_way_an_analysts_phone_fails_the_next_is_rung() {
    let cases = [
        (Pickup::Rings, OfferOutcome::NoAnswer, 12_100),
        (Pickup::Refuses(480, 0), OfferOutcome::Unreachable, 100),
        (Pickup::Refuses(486, 0), OfferOutcome::Busy, 100),
        (Pickup::Refuses(603, 0), OfferOutcome::Declined, 100),
        (Pickup::Refuses(500, 0), OfferOutcome::Unreachable, 100),
        (Pickup::Refuses(486, 2_000), OfferOutcome::Busy, 2_100),
        (Pickup::Gone, OfferOutcome::Unreachable, 100),
        (Pickup::Dead, OfferOutcome::Unreachable, 1_100),
        (Pickup::Redirects(vec!["sip:ana@10.0.0.10:5060".to_owned()]), OfferOutcome::Unreachable, 100),
        (
            Pickup::Redirects((0..5).map(|host| format!("sip:x@10.0.9.{host}")).collect()),
            OfferOutcome::Unreachable,
            100,
        ),
    ];
    for (pickup, outcome, by_ms) in cases {
        let mut world = World::new(&["ana", "ben"]);
        world.pickup("ana", pickup.clone());
        world.pickup("ben", Pickup::Answers(1_500));
        world.dial("4710");
        world.run_to(30_000);
        let rung = world.rung();
        assert_eq!(rung[0].1, "ana", "{pickup:?}");
        assert_eq!(rung[1].1, "ben", "{pickup:?}");
        assert!(rung[1].0 <= by_ms, "{pickup:?}: {rung:?}");
        assert_eq!(world.joined().len(), 1, "{pickup:?}\n{}", world.story());
        assert_eq!(world.rung().iter().filter(|(_, analyst)| analyst == "ana").count(), 1, "{pickup:?}: once a call");
        let ended = world.events().find_map(|(_, event)| {
            let Event::OfferEnded { analyst, outcome, .. } = event else { return None };
            (analyst.as_str() == "ana").then_some(*outcome)
        });
        // A phone without a sign still rings on beside the next one, and loses the race.
        let silent = pickup == Pickup::Dead;
        assert_eq!(ended, Some(if silent { OfferOutcome::LostRace } else { outcome }), "{pickup:?}");
        world.hang_up("4710");
        world.expect_quiet();
    }
}

#[test]
fn f72_a_media_port_that_another_program_holds_moves_the_call_on_at_once() {
    let mut world = World::new(&["ana", "ben"]);
    world.dial("4710");
    world.run_to(100);
    let port = world.phone("ana").sessions[0].remote_media.expect("a port").port();
    let leg = world.media.by_port(port).expect("ana's leg");
    world.media_event(MediaEvent::OpenFailed { leg, port: MediaPort(port), reason: "in use".to_owned() });
    world.run_to(200);
    assert_eq!(world.sent("desk", "ana", "CANCEL"), [100]);
    assert_eq!(world.rung(), [(5, "ana".to_owned()), (100, "ben".to_owned())]);
    assert_eq!(world.ticket().offers[0].outcome, Some(OfferOutcome::Unreachable));
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn f73_a_blind_transfer_to_a_declared_target() {
    let mut world = talking();
    world.pickup("4780", Pickup::Answers(2_000));
    world.with_phone("ana", |phone, now| phone.refer(now, 0, "4780"));
    world.run(5_000);
    assert_eq!(world.phone("ana").replies.first(), Some(&(Method::Refer, 202)));
    assert_eq!(world.joined().last().map(|(_, who)| who.as_str()), Some("4710 = 4780"));
    assert_eq!(world.phone("ana").notified.last().map(String::as_str), Some("SIP/2.0 200 OK"));
    assert_eq!(world.phone("ana").sessions[0].state, State::Over);
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn f73_a_transfer_that_fails_leaves_the_caller_with_the_analyst() {
    let mut world = talking();
    world.pickup("4780", Pickup::Refuses(486, 0));
    world.with_phone("ana", |phone, now| phone.refer(now, 0, "4780"));
    world.run(3_000);
    assert_eq!(world.phone("ana").notified.last().map(|text| text.contains("486")), Some(true));
    assert_eq!(world.phone("ana").sessions[0].state, State::Up);
    assert_eq!(world.status().calls, 1);
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn f73_the_caller_leaves_while_the_target_rings_and_the_transfer_is_over() {
    let mut world = talking();
    world.pickup("4780", Pickup::Rings);
    world.with_phone("ana", |phone, now| phone.refer(now, 0, "4780"));
    world.run(1_000);
    world.hang_up("4710");
    world.run(500);
    assert_eq!(world.phone("ana").notified.last().map(|text| text.contains("487")), Some(true));
    assert_eq!(world.ticket().transfers[0].ok, Some(false));
    assert_eq!(world.phone("4780").sessions[0].state, State::Over);
    world.expect_quiet();
}

#[test]
fn f73_nothing_is_transferred_to_an_undeclared_number() {
    let mut world = talking();
    world.with_phone("ana", |phone, now| phone.refer(now, 0, "915551234567"));
    world.run(3_000);
    let reply = world.phone("ana").replies.first().cloned();
    assert!(matches!(reply, Some((Method::Refer, 403 | 603 | 404))), "{reply:?}");
    assert_eq!(world.status().legs, 2);
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn f73_the_analyst_leaves_and_the_target_fails_so_the_desk_is_rung_again() {
    let mut world = talking();
    world.pickup("4780", Pickup::Rings);
    world.with_phone("ana", |phone, now| phone.refer(now, 0, "4780"));
    world.run(1_000);
    world.hang_up("ana");
    world.pickup("ana", Pickup::Rings);
    world.pickup("hal", Pickup::Rings);
    world.run(30_000);
    assert_eq!(world.status().calls, 1);
    assert!(world.rung().len() >= 2, "{:?}", world.rung());
    world.run(100_000);
    let heard = world.heard("4710");
    assert!(heard.iter().any(|(_, words)| words.contains("We will call four west")), "{heard:?}");
    assert_eq!(world.phone("4710").sessions[0].state, State::Over, "nobody is left with ringback for ever");
    assert_eq!(world.ticket().end.as_ref().map(|end| end.cause), Some(HangupCause::PlanEnded));
    world.expect_quiet();
}

/// Every caller leaves at every 20 ms of the way through the plan: nothing may be left.
fn leaves_at_every_20_ms(caller: &str, signed_in: &[&str], keys: &[(u64, char)], until_ms: u64) {
    for at in (0..until_ms).step_by(20) {
        let mut world = World::seeded(at, signed_in);
        let phone = world.index(caller);
        world.dial(caller);
        for (ms, key) in keys {
            world.at(*ms, Act::Press { phone, key: *key });
        }
        world.run_to(at);
        world.hang_up(caller);
        world.expect_quiet();
    }
}

#[test]
fn f75_a_caller_leaves_at_every_20_ms_of_the_greeting_and_the_ringing() {
    leaves_at_every_20_ms("4710", &GENERALISTS, &[], 9_000);
}

#[test]
fn f75_a_caller_leaves_at_every_20_ms_of_the_question() {
    leaves_at_every_20_ms("5310", &EVERYBODY, &[(4_000, '2')], 8_000);
}

#[test]
fn f75_a_caller_leaves_at_every_20_ms_of_the_way_to_the_operator() {
    leaves_at_every_20_ms("4710", &GENERALISTS, &[(1_000, '9')], 11_000);
}

/// The same with phones that behave so.
fn leaves_while(at_ms: std::ops::Range<usize>, signed_in: &[&str], pickups: &[(&str, Pickup)]) {
    for at in at_ms.step_by(20) {
        let mut world = World::seeded(at as u64, signed_in);
        for (name, pickup) in pickups {
            world.pickup(name, pickup.clone());
        }
        world.dial("4710");
        world.run_to(at as u64);
        world.hang_up("4710");
        world.expect_quiet();
    }
}

#[test]
fn f75_a_caller_leaves_at_every_20_ms_while_a_mobile_is_asked_to_press_1() {
    leaves_while(900..4_500, &[], &[("hal", Pickup::Answers(1_000))]);
}

#[test]
fn f75_a_caller_leaves_at_every_20_ms_of_the_offer_of_a_callback_and_of_the_end() {
    let busy =
        [("ana", Pickup::Refuses(486, 50)), ("hal", Pickup::Refuses(486, 50)), ("ivy", Pickup::Refuses(486, 50))];
    leaves_while(9_900..12_000, &["ana"], &busy);
    leaves_while(90_800..93_200, &["ana"], &busy);
}

#[test]
fn f72_when_every_phone_fails_each_is_rung_once_the_caller_is_never_in_silence_and_it_ends() {
    let mut world = World::new(&["ana", "ben", "ivy"]);
    world.pickup("ana", Pickup::Redirects(vec!["sip:ben@10.0.2.2".to_owned(), "sip:ana@10.0.0.10".to_owned()]));
    world.pickup("ben", Pickup::Rings);
    world.pickup("hal", Pickup::Refuses(503, 0));
    world.pickup("ivy", Pickup::Refuses(480, 0));
    world.dial("4710");
    world.run_to(120_000);
    // Later it rings for the callback.
    let rung: Vec<String> = world.rung().into_iter().filter(|(ms, _)| *ms < 100_000).map(|(_, who)| who).collect();
    assert_eq!(rung, ["ana", "ben", "hal", "ivy"]);
    let heard = world.heard("4710");
    assert!(heard[0].0 <= 2_000, "{heard:?}");
    assert!(heard.iter().any(|(_, what)| what.starts_with("~hold")), "{heard:?}");
    let silent = |pair: &[(i64, String)]| pair[0].1 == "nothing" && pair[1].0 - pair[0].0 > 2_000;
    assert!(!heard.windows(2).any(silent), "{heard:?}");
    assert_eq!(world.ticket().end.as_ref().map(|end| end.cause), Some(HangupCause::PlanEnded));
    assert!(world.ticket().owes_callback());
    world.expect_quiet();
}

#[test]
fn f77_a_call_that_nobody_ends_is_ended_after_four_hours() {
    let mut world = talking();
    world.run_to(4 * 3_600_000 - 1_000);
    assert_eq!(world.status().calls, 1);
    world.run(3_000);
    let ticket = world.ticket();
    assert_eq!(ticket.end.as_ref().map(|end| end.cause), Some(HangupCause::TooLong));
    assert_eq!(ticket.callback.as_ref().map(|back| back.reason), Some(CallbackReason::TooLong));
    assert_eq!((world.sent("desk", "4710", "BYE").len(), world.sent("desk", "ana", "BYE").len()), (1, 1));
    world.expect_quiet();
}

#[test]
fn f77_both_phones_vanish_and_the_call_is_cleared_by_dead_rtp_and_a_probe() {
    let mut world = talking();
    world.pickup("ana", Pickup::Dead);
    world.pickup("4710", Pickup::Dead);
    world.run(80_000);
    // No RTP for 20 s: OPTIONS inside the dialog, which nobody answers for 32 s.
    assert_eq!(world.ticket().end.as_ref().map(|end| end.cause), Some(HangupCause::PeerLost));
    assert!(!world.ticket().problems.is_empty(), "and the ticket says what was wrong with the audio");
    assert!(world.ticket().owes_callback(), "nobody chose this ending");
    world.expect_quiet();
}

#[test]
fn e68_silence_with_rtcp_is_legal_and_a_phone_that_speaks_again_is_noted() {
    let mut world = talking();
    let port = world.phone("ana").sessions[0].remote_media.expect("a port").port();
    let leg = world.media.by_port(port).expect("a leg");
    let quiet = wardline::call::media::RTP_SILENT_AFTER;
    world.media_event(MediaEvent::Silent { leg, quiet, rtcp_alive: true });
    world.run(2_000);
    assert_eq!(world.sent("desk", "ana", "OPTIONS").len(), 1, "the phone is asked");
    assert!(world.ticket().problems.is_empty(), "comfort noise and voice activity detection send nothing");
    world.media_event(MediaEvent::Silent { leg, quiet, rtcp_alive: false });
    world.run(30_000);
    world.media_event(MediaEvent::Revived { leg });
    world.run(90_000);
    assert_eq!(world.status().calls, 1, "the call lives on");
    let problems: Vec<MediaProblem> = world.ticket().problems.iter().map(|(_, _, problem)| *problem).collect();
    assert_eq!(problems, [MediaProblem::OneWay, MediaProblem::Recovered]);
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn f78_no_answer_of_the_edge_ever_comes_and_the_caller_is_not_lost() {
    let mut world = World::new(&GENERALISTS);
    world.mute_queries = true;
    world.dial("4710");
    world.run_to(100_000);
    assert_eq!(world.sent("desk", "4710", "200 INVITE"), [5], "the call is answered");
    assert_eq!(world.ticket().end.as_ref().map(|end| end.cause), Some(HangupCause::PlanEnded));
    assert!(world.ticket().callback.is_some(), "and called back");
    world.expect_quiet();
}

#[test]
fn who_is_signed_in_and_cannot_be_rung_is_not_called_idle() {
    let shift = "[analysts.ben]\nname = \"Ben\"\nshifts = [{ days = [\"mon\"], from = \"20:00\", to = \"22:00\" }]";
    let mut world =
        World::configured(desk_with(&[("analysts", "[analysts.ben]\nname = \"Ben\"", shift)]), &["ana", "ben"]);
    let (state, actor) = (AnalystStateRecord::Available, "test".to_owned());
    world.command(Command::SetAnalystState { analyst: "cho".into(), state, actor, reason: None });
    let now = ["ana", "ben", "cho", "dev"].map(|name| world.analyst(name)["status"].clone());
    assert_eq!(now, ["idle", "off-shift", "no-phone", "signed-out"]);
    world.expect_quiet();
}

#[test]
fn f80_a_callers_number_cannot_write_headers_into_the_analysts_invite() {
    let mut world = World::new(&["ana"]);
    let evil = "P-Asserted-Identity: \"a\" <sip:47%0d%0aEvil:%20yes@10.0.1.1>\r\n";
    world.phone("7741").headers = evil.to_owned();
    world.dial("7741");
    world.run_to(8_000);
    let invite = world.phone("ana").last_invite.clone().expect("an INVITE");
    assert!(!invite.headers.has("Evil"));
    world.hang_up("7741");
    world.expect_quiet();
}

#[test]
fn g83_a_draining_node_refuses_calls_and_finishes_those_it_has() {
    let mut world = talking();
    world.command(Command::Drain { actor: "test".to_owned() });
    world.dial("4711");
    world.run(1_000);
    assert_eq!(world.phone("4711").sessions[0].finals, [503]);
    assert_eq!(world.status().calls, 1);
    world.hang_up("4710");
    world.run(30_000);
    assert!(world.switch.is_quiet());
    world.expect_quiet();
}

//! SIP-BEHAVIOUR.md, part D: streams that break, names that do not resolve, phones that move, through the whole switch.

use wardline::ids::{AnalystId, ConnId, QueryId};
use wardline::routing::OfferOutcome;
use wardline::sip::Transport;
use wardline::switch::{Answer, Command, Health, Input};
use wardline::ticket::{AnalystStateRecord, HangupCause};

use crate::lines_a::talking;
use crate::phone::{Hold, Pickup, State};
use crate::raw::{Raw, SDP, response_to, status};
use crate::setting::{encrypted_by_host_config, moved_config};
use crate::world::{DEAD_PBX, Names, PBX, Seen, World};

/// The connection of [`World::send_raw`].
const CONN: ConnId = ConnId(9_000);

#[test]
fn d55_a_connection_with_two_hundred_open_invites_is_reset_and_nothing_is_left() {
    let mut world = World::new(&["ana", "ben"]);
    let mut statuses = Vec::new();
    for number in 0..200 {
        let mut invite = Raw::invite(&format!("reset-{number}"), "10.0.1.77:40000", SDP);
        invite.transport = Transport::Tcp;
        statuses.push(status(&invite.send(&mut world)));
    }
    // max_calls = 50; the others are told so at once.
    assert_eq!(statuses, [[200; 50].as_slice(), &[503; 150]].concat());
    world.run(100);
    assert_eq!(world.status().calls, 50);
    world.handle(Input::StreamClosed { conn: CONN });
    // Nobody will ever acknowledge: 64*T1 after their 200s they are given up, and so are their BYEs.
    world.run(70_000);
    let status = world.status();
    assert_eq!((status.calls, status.legs, status.dialogs, status.ports_used), (0, 0, 0, 0));
    let causes: Vec<_> = world.tickets().into_values().map(|ticket| ticket.end.map(|end| end.cause)).collect();
    assert_eq!(causes, [Some(HangupCause::NoAck); 50]);
    world.pickup("ben", Pickup::Answers(500));
    world.pickup("ana", Pickup::Answers(500));
    world.dial("4710");
    world.run_to(2_000);
    assert_eq!(world.joined().len(), 1, "and the desk lives");
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn d55_the_stream_of_a_ringing_phone_breaks_and_the_next_one_rings() {
    let mut world = World::new(&["ben"]);
    world.phone("cho").transport = Transport::Tcp;
    let (analyst, state) = (AnalystId::new("cho"), AnalystStateRecord::Available);
    world.command(Command::SetAnalystState { analyst, state, actor: "test".to_owned(), reason: None });
    world.with_phone("cho", |phone, now| phone.register(now));
    world.run(100);
    world.phone("ben").pickup = Pickup::Refuses(486, 0);
    world.dial("4710");
    world.run_to(1_000);
    assert_eq!(world.sent("cho", "desk", "180 INVITE").len(), 1, "{}", world.ladder());
    let conn = ConnId(world.index("cho") as u64);
    world.pickup("cho", Pickup::Dead);
    world.handle(Input::StreamClosed { conn });
    world.run(100);
    let outcome =
        world.ticket().offers.iter().find(|offer| offer.analyst.as_str() == "cho").and_then(|offer| offer.outcome);
    assert_eq!(outcome, Some(OfferOutcome::Unreachable));
    assert_eq!(world.rung().last().map(|(_, who)| who.as_str()), Some("hal"), "on call is rung at once");
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn d60_a_name_that_does_not_resolve_fails_only_the_calls_that_need_it() {
    // 10 s late, never, and "no such name": dev's phone is behind the trunk that has only a name, ana's is not.
    for names in [Names::Never, Names::Fail(0), Names::Fail(10_000)] {
        let mut world = World::named(&["dev", "ana"], names);
        world.pickup("ana", Pickup::Answers(1_000));
        world.dial("4710");
        world.run_to(3_000);
        assert_eq!(world.sent("desk", "4710", "200 INVITE"), [5], "{names:?}: the call is answered");
        let rung = world.rung();
        assert!(rung.contains(&(5, "ana".to_owned())), "{names:?}: {rung:?}");
        assert_eq!(world.joined(), [(1_015, "4710 = ana".to_owned())], "{names:?}: no other call is late");
        assert!(world.labels_to("dev").is_empty(), "{names:?}");
        world.hang_up("4710");
        world.run(40_000);
        assert!(matches!(world.status().trunks.values().next(), Some(Health::Unknown | Health::Down)), "{names:?}");
        world.expect_quiet();
    }
}

#[test]
fn d60_a_call_that_only_the_dead_name_could_serve_goes_to_the_next_rung_at_once() {
    let mut world = World::named(&["dev"], Names::Fail(0));
    world.dial("4710");
    world.run_to(15_000);
    assert!(world.labels_to("dev").is_empty());
    let heard = world.heard("4710");
    assert!(!heard.is_empty(), "the caller is told something: {heard:?}");
    world.run_to(95_000);
    assert!(world.ticket().callback.is_some(), "and called back");
    world.expect_quiet();
}

/// The operator is behind a PBX of two nodes, of which one is dead; 9 is pressed at 1.0 s.
fn operator_is_asked_for(world: &mut World, operator: Pickup) {
    world.pickup("4000", operator);
    world.dial("4710");
    world.run_to(1_000);
    world.press("4710", '9');
    world.run_to(8_000);
}

#[test]
fn d61_the_operator_is_reached_over_the_trunks_second_address_when_the_first_is_dead() {
    let mut world = World::named(&["ana"], Names::At(&[DEAD_PBX, PBX]));
    operator_is_asked_for(&mut world, Pickup::Answers(2_000));
    assert_eq!(world.sent("desk", DEAD_PBX, "INVITE"), [1_030], "the first SRV record first, once");
    assert_eq!(world.sent("desk", "4000", "INVITE"), [1_035], "the second as soon as ICMP has said so");
    assert_eq!(world.joined(), [(3_045, "4710 = 4000".to_owned())]);
    assert!(world.ticket().callback.is_none(), "the caller has noticed nothing");
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn d61_a_503_of_one_address_leads_to_the_next_and_a_busy_phone_does_not() {
    for (status, tried) in [(503, 1), (486, 0)] {
        let mut world = World::named(&["ana"], Names::At(&[PBX, DEAD_PBX]));
        operator_is_asked_for(&mut world, Pickup::Refuses(status, 0));
        assert_eq!(world.sent("desk", "4000", "INVITE").len(), 1, "{status}");
        assert_eq!(world.sent("desk", DEAD_PBX, "INVITE").len(), tried, "{status}: and no address twice");
        assert!(world.ticket().callback.is_some(), "{status}: nobody took the call");
        world.hang_up("4710");
        world.expect_quiet();
    }
}

#[test]
fn d61_an_address_that_probing_knows_to_be_down_is_not_called() {
    let mut world = World::probed(&["ana"], Names::At(&[DEAD_PBX, PBX]));
    world.run(100);
    assert_eq!(world.sent("desk", DEAD_PBX, "OPTIONS").len(), 1, "each address is asked");
    let probe = world.seen.iter().find_map(|(_, seen)| match seen {
        Seen::Sent { to, bytes, .. } if to == PBX => Some(String::from_utf8_lossy(bytes).into_owned()),
        Seen::Sent { .. } | Seen::Heard { .. } | Seen::Joined { .. } => None,
    });
    let answer = response_to(&probe.expect("asked"), 200, Some("pbx"), "sip:10.0.1.1:5060", "");
    world.send_raw(PBX, Transport::Udp, answer);
    assert_eq!(world.status().trunks.into_values().collect::<Vec<_>>(), [Health::Up], "one of two is enough");
    operator_is_asked_for(&mut world, Pickup::Answers(2_000));
    assert!(world.sent("desk", DEAD_PBX, "INVITE").is_empty());
    assert_eq!(world.sent("desk", "4000", "INVITE"), [1_030], "at once");
    assert_eq!(world.joined(), [(3_040, "4710 = 4000".to_owned())]);
}

#[test]
fn d60_a_pbx_that_has_moved_to_another_name_is_known_by_the_old_one_no_more() {
    // What the old name brought was known before the reload, or came after it.
    for late in [false, true] {
        let mut world = World::named(&["ana"], if late { Names::Never } else { Names::Known });
        world.run(100);
        world.names = Names::Never;
        world.publish(&moved_config());
        if late {
            let addresses = vec![PBX.parse().expect("an address")];
            world.handle(Input::Answer { query: QueryId(1), answer: Answer::Resolved(Ok(addresses)) });
        }
        let answer = Raw::invite("stranger", PBX, SDP).send(&mut world);
        assert_eq!(status(&answer), 403, "late: {late}");
    }
}

#[test]
fn d61_an_unreachable_phone_is_left_for_the_next_one_within_a_second() {
    let mut world = World::new(&["ana", "ben"]);
    world.pickup("ana", Pickup::Gone);
    world.pickup("ben", Pickup::Answers(1_000));
    world.dial("4710");
    world.run_to(2_000);
    assert_eq!(world.rung(), [(5, "ana".to_owned()), (10, "ben".to_owned())]);
    assert_eq!(world.sent("desk", "ana", "INVITE"), [5], "and it is not tried again");
    assert_eq!(world.joined(), [(1_020, "4710 = ben".to_owned())]);
    let outcome = world.ticket().offers[0].outcome;
    assert_eq!(outcome, Some(OfferOutcome::Unreachable));
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn d61_a_phone_that_is_gone_is_not_said_to_ring() {
    let mut world = World::new(&["ana"]);
    world.pickup("ana", Pickup::Gone);
    world.pickup("hal", Pickup::Refuses(480, 0));
    world.dial("4710");
    world.run_to(20_000);
    let heard: Vec<String> = world.heard("4710").into_iter().map(|(_, words)| words).collect();
    assert!(heard.iter().all(|words| !words.contains("Ringing") && words != "~ringback"), "{heard:?}");
    assert_eq!(heard.last().map(String::as_str), Some("~hold"), "{heard:?}");
    world.hang_up("4710");
}

#[test]
fn d62_a_phone_that_moves_is_found_at_its_new_contact() {
    let mut world = talking();
    // Its PBX gives it another port in mid-call; a re-INVITE says so.
    world.phone("4710").addr = "10.0.1.1:5999".parse().expect("an address");
    world.reinvite("4710", Some(Hold::No));
    world.run(500);
    assert_eq!(world.phone("4710").sessions[0].finals, [200, 200]);
    world.hang_up("ana");
    world.run(2_000);
    assert_eq!(world.sent("desk", "4710", "BYE").len(), 1, "to where it is now: {}", world.ladder());
    assert_eq!(world.phone("4710").sessions[0].state, State::Over);
    world.expect_quiet();
}

#[test]
fn d62_a_registered_phone_that_moves_is_rung_at_its_new_contact() {
    let mut world = World::new(&["cho"]);
    world.pickup("cho", Pickup::Answers(1_000));
    world.dial("4710");
    world.run_to(3_000);
    assert_eq!(world.joined().len(), 1);
    // Another port in mid-call: registered anew, the call goes on with a re-INVITE.
    world.phone("cho").addr = "10.0.2.3:5777".parse().expect("an address");
    world.with_phone("cho", |phone, now| phone.register(now));
    world.run(200);
    world.reinvite("cho", Some(Hold::No));
    world.run(200);
    world.hang_up("4710");
    world.run(1_000);
    assert_eq!(world.phone("cho").sessions[0].state, State::Up, "asked whether it was solved");
    world.press("cho", '1');
    world.run(40_000);
    assert_eq!(world.phone("cho").sessions[0].state, State::Over, "our BYE found it");
    world.seen.clear();
    world.dial("4711");
    world.run_to(2_000);
    assert!(!world.sent("desk", "cho", "INVITE").is_empty(), "{}", world.ladder());
    world.hang_up("4711");
    world.expect_quiet();
}

#[test]
fn d62_a_re_invite_out_of_order_moves_nobody() {
    let mut world = World::new(&["cho"]);
    world.pickup("cho", Pickup::Answers(1_000));
    world.dial("4710");
    world.run_to(3_000);
    world.phone("cho").rewind(0, -10);
    world.reinvite("cho", Some(Hold::No));
    world.run(200);
    let home = world.phone("cho").addr;
    // An old one, from elsewhere.
    world.phone("cho").addr = "10.0.2.3:5777".parse().expect("an address");
    world.with_phone("cho", |phone, now| {
        phone.rewind(0, 5);
        phone.reinvite(now, 0, None);
    });
    world.phone("cho").addr = home;
    world.run(200);
    assert_eq!(world.phone("cho").sessions[0].state, State::Up);
    world.hang_up("4710");
    world.run(1_000);
    world.press("cho", '1');
    world.run(40_000);
    assert_eq!(world.phone("cho").sessions[0].state, State::Over, "our BYE goes where it is");
}

#[test]
fn d59_a_contact_that_points_at_ourselves_makes_no_loop() {
    let mut world = World::new(&["ana"]);
    let text = "INVITE sip:7100@10.0.0.10 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bK-loop\r\n\
         Max-Forwards: 70\r\nFrom: <sip:4799@10.0.1.1>;tag=a\r\nTo: <sip:7100@10.0.0.10>\r\nCall-ID: call-loop\r\n\
         CSeq: 1 INVITE\r\nContact: <sip:wardline@10.0.0.10:5060>\r\nContent-Length: 0\r\n\r\n";
    world.send_raw(PBX, Transport::Udp, text);
    world.run(100_000);
    let to_us = world.labels_to("10.0.0.10:5060");
    assert_eq!(to_us, Vec::<String>::new(), "nothing is sent to ourselves");
    world.expect_quiet();
}

/// An INVITE over a connection whose peer showed a certificate with these names; the status, and the Contact of a 200.
fn invited(world: &mut World, name: &str, transport: Transport, source: &str, names: &[&str]) -> (u16, String) {
    if !names.is_empty() {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        world.handle(Input::Certified { conn: CONN, names });
    }
    let mut invite = Raw::invite(name, source, SDP);
    invite.transport = transport;
    let answer = invite.send(world);
    if transport.is_stream() {
        world.handle(Input::StreamClosed { conn: CONN });
    }
    (status(&answer), crate::raw::header(&answer, "Contact").to_owned())
}

#[test]
fn d58_over_an_encrypted_trunk_nothing_comes_in_clear() {
    let mut world = World::encrypted(&["ana"]);
    let pbx = "10.0.1.77:40000";
    assert_eq!(invited(&mut world, "udp", Transport::Udp, pbx, &[]).0, 403);
    assert_eq!(invited(&mut world, "tcp", Transport::Tcp, pbx, &[]).0, 403);
    let (status, contact) = invited(&mut world, "tls", Transport::Tls, pbx, &[]);
    assert_eq!((status, contact.contains(";transport=tls")), (200, true), "{contact}");
}

#[test]
fn d58_a_peer_is_who_its_certificate_says_wherever_it_is() {
    let mut world = World::encrypted(&["ana"]);
    let (pbx, elsewhere) = ("10.0.1.77:40000", "203.0.113.9:40000");
    let names = ["node-2.harbor.test", "PBX.harbor.test"];
    assert_eq!(invited(&mut world, "named", Transport::Tls, elsewhere, &names).0, 200);
    assert_eq!(
        invited(&mut world, "other", Transport::Tls, pbx, &["other.test"]).0,
        403,
        "the address alone is not enough"
    );
    assert_eq!(invited(&mut world, "stranger", Transport::Tls, elsewhere, &["other.test"]).0, 403);
    // The names went with their connection.
    assert_eq!(invited(&mut world, "later", Transport::Tls, elsewhere, &[]).0, 403);
}

/// Its host name stands for the names that nobody wrote.
#[test]
fn d58_a_peer_without_written_names_bears_its_host_name() {
    let mut world = World::configured(encrypted_by_host_config(), &["ana"]);
    let (pbx, elsewhere) = ("10.0.1.77:40000", "203.0.113.9:40000");
    assert_eq!(invited(&mut world, "other", Transport::Tls, pbx, &["other.test"]).0, 403);
    assert_eq!(invited(&mut world, "named", Transport::Tls, elsewhere, &["pbx.harbor.test"]).0, 200);
}

#[test]
fn d58_the_names_that_a_called_peer_must_bear_are_told_before_anything_is_sent_there() {
    let world = World::encrypted(&["ana"]);
    let named = [("10.0.1.1:5061".parse().expect("an address"), vec!["pbx.harbor.test".to_owned()])];
    assert_eq!(world.peer_names, named.into_iter().collect());
}

//! SIP-BEHAVIOUR.md, part A: transactions and dialogs under loss and races, through the whole switch.

use wardline::sip::{Method, Transport};
use wardline::ticket::{HangupCause, Lifecycle};

use crate::phone::{Hold, Pickup, State};
use crate::world::{GENERALISTS, PBX, World};

/// 4710 talks with ana since 1015 ms.
pub fn talking() -> World {
    let mut world = World::new(&["ana"]);
    world.pickup("ana", Pickup::Answers(1_000));
    world.dial("4710");
    world.run_to(5_000);
    assert_eq!(world.joined(), [(1_015, "4710 = ana".to_owned())]);
    world
}

#[test]
fn a1_an_invite_sent_seven_times_is_one_call_and_one_ticket() {
    let mut world = World::new(&GENERALISTS);
    world.lose("200 INVITE", 1);
    world.dial("4710");
    let invite = world.phone("4710").sessions[0].invite_bytes();
    for _ in 0..6 {
        world.run(20);
        world.send_raw(PBX, Transport::Udp, invite.clone());
    }
    world.run_to(400);
    assert_eq!(world.status().calls, 1);
    assert_eq!(world.tickets().len(), 1);
    let answers = world.sent("desk", "4710", "");
    assert_eq!(answers.len(), world.sent("desk", "4710", "200 INVITE").len(), "the same response each time");
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn a2_a_lost_200_is_repeated_until_the_ack() {
    let mut world = World::new(&GENERALISTS);
    world.lose("200 INVITE", 3);
    world.dial("4710");
    world.run_to(10_000);
    let sent = world.sent("desk", "4710", "200 INVITE");
    assert_eq!(sent, [5, 505, 1_505, 3_505], "after T1, 2*T1, 4*T1, and no more after the ACK");
    assert_eq!(world.phone("4710").sessions[0].state, State::Up);
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn a2_over_tcp_too_the_200_is_repeated_until_the_ack() {
    let mut world = World::new(&GENERALISTS);
    world.phone("4710").transport = Transport::Tcp;
    world.lose("ACK", 2);
    world.dial("4710");
    world.run_to(10_000);
    assert_eq!(world.sent("desk", "4710", "200 INVITE"), [5, 505, 1_505]);
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn a3_no_ack_ever_bye_after_64_t1_and_the_ticket_says_so() {
    let mut world = World::new(&GENERALISTS);
    world.phone("4710").acks = false;
    world.dial("4710");
    world.run_to(31_900);
    assert_eq!(world.sent("desk", "ana", "CANCEL"), [2_005], "offers are withdrawn after 2 s without an ACK");
    assert_eq!(world.sent("desk", "4710", "BYE").len(), 0);
    world.run_to(33_000);
    assert_eq!(world.sent("desk", "4710", "BYE"), [32_005]);
    assert_eq!(world.ticket().end.as_ref().map(|end| end.cause), Some(HangupCause::NoAck));
    world.expect_quiet();
}

#[test]
fn a3_without_an_ack_nobody_is_rung_again_however_the_plan_goes_on() {
    let mut world = World::new(&["eva", "finn", "gus"]);
    world.phone("5310").acks = false;
    world.dial("5310");
    world.run_to(31_000);
    assert_eq!(world.rung(), []);
    world.expect_quiet();
}

#[test]
fn a4_a_refusal_is_repeated_until_its_ack() {
    let mut world = World::new(&GENERALISTS);
    world.phone("4710").formats = "99";
    world.lose("ACK", 3);
    world.dial("4710");
    world.run_to(40_000);
    let refusals = world.sent("desk", "4710", "488 INVITE");
    assert_eq!(refusals, [5, 505, 1_505, 3_505]);
    assert_eq!(world.tickets().len(), 0);
    world.expect_quiet();
}

#[test]
fn a5_a_copy_of_the_invite_after_its_ack_is_absorbed() {
    let mut world = talking();
    let invite = world.phone("4710").sessions[0].invite_bytes();
    world.send_raw(PBX, Transport::Udp, invite);
    world.run(1_000);
    assert_eq!(world.tickets().len(), 1);
    assert_eq!(world.status().calls, 1);
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn a6_a_cancel_that_overtakes_the_invite_is_481_and_the_invite_is_new() {
    let mut world = World::new(&GENERALISTS);
    world.lose("INVITE", 1);
    world.dial("4710");
    world.run_to(100);
    world.hang_up("4710");
    world.run_to(3_000);
    assert_eq!(world.phone("4710").replies, [(Method::Cancel, 481), (Method::Bye, 200)]);
    // The INVITE is sent again at T1; its 200 meets a phone that has hung up: ACK and BYE.
    assert_eq!(world.tickets().len(), 1);
    assert_eq!(world.sent("4710", "desk", "BYE").len(), 1);
    world.expect_quiet();
}

#[test]
fn a7_a_cancel_that_crosses_the_200_ends_the_call() {
    let mut world = World::new(&GENERALISTS);
    world.dial("4710");
    world.run_to(7);
    world.hang_up("4710");
    world.run_to(2_000);
    assert_eq!(world.phone("4710").replies.first(), Some(&(Method::Cancel, 200)));
    assert_eq!(world.phone("4710").sessions[0].finals, [200], "the call was answered before");
    assert_eq!(world.sent("4710", "desk", "BYE").len(), 1);
    assert_eq!(world.sent("desk", "ana", "CANCEL").len(), 1, "and the analysts' phones stop");
    assert_eq!(world.status().calls, 0);
    world.expect_quiet();
}

#[test]
fn a7_our_cancel_crosses_the_analysts_200_and_the_analyst_is_not_left_off_the_hook() {
    let mut world = World::new(&GENERALISTS);
    world.pickup("ana", Pickup::Answers(4_990));
    world.dial("4710");
    world.run_to(4_993);
    world.hang_up("4710");
    world.run_to(8_000);
    assert_eq!(world.sent("desk", "ana", "CANCEL").len(), 1);
    assert_eq!(world.sent("ana", "desk", "200 INVITE").len(), 1);
    assert_eq!(world.sent("desk", "ana", "ACK").len(), 1);
    assert_eq!(world.sent("desk", "ana", "BYE").len(), 1);
    assert_eq!(world.phone("ana").sessions[0].state, State::Over);
    world.expect_quiet();
}

#[test]
fn a8_a_cancel_of_nothing_is_481() {
    let mut world = World::new(&GENERALISTS);
    world.send_raw(PBX, Transport::Udp, stray("CANCEL", "INVITE sip:7100"));
    world.run(100);
    assert_eq!(world.labels_to_pbx(), ["481 CANCEL"]);
    world.expect_quiet();
}

#[test]
fn a9_two_answers_in_one_millisecond_one_is_bridged_and_the_other_let_go() {
    let mut world = World::new(&GENERALISTS);
    world.pickup("ana", Pickup::Answers(2_000));
    world.pickup("ben", Pickup::Answers(2_000));
    world.dial("4710");
    world.run_to(10_000);
    assert_eq!(world.joined(), [(2_015, "4710 = ana".to_owned())]);
    assert_eq!(world.sent("desk", "ben", "ACK").len(), 1);
    assert_eq!(world.sent("desk", "ben", "BYE"), [2_015]);
    assert_eq!(world.phone("ben").sessions[0].state, State::Over);
    let ticket = world.ticket();
    assert_eq!(ticket.owners.len(), 1, "one owner on the ticket");
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn a1_a_bye_whose_200_was_lost_is_answered_again_though_the_call_is_gone() {
    let mut world = talking();
    world.lose("200 BYE", 1);
    world.hang_up("ana");
    world.run(100);
    assert_eq!(world.phone("ana").replies, []);
    world.run(2_000);
    assert_eq!(world.phone("ana").replies, [(Method::Bye, 200)], "the same 200, not 403");
    world.expect_quiet();
}

#[test]
fn a12_a_reinvite_that_crosses_our_bye_is_answered_and_the_call_is_gone_once() {
    let mut world = talking();
    let now = world.now;
    world.hang_up("ana");
    world.run_until(now + wardline::time::Duration::from_millis(7));
    world.reinvite("4710", Some(Hold::SendOnly));
    world.run(2_000);
    let answers: Vec<_> = world.phone("4710").sessions[0].finals.clone();
    assert!(answers.len() == 2 && [481, 487].contains(&answers[1]), "{answers:?}");
    assert_eq!(world.sent("desk", "4710", "BYE").len(), 1);
    world.expect_quiet();
}

#[test]
fn a13_a_reinvite_without_sdp_after_our_bye_is_refused() {
    let mut world = talking();
    world.lose("200 BYE", 20);
    world.hang_up("ana");
    world.run(1_000);
    // The phone knows nothing of the BYE: bring its session back to life.
    world.phone("4710").sessions[0].state = State::Up;
    world.reinvite("4710", None);
    world.run(1_000);
    let last = world.phone("4710").sessions[0].finals.last().copied();
    assert!(matches!(last, Some(481 | 487)), "{last:?}");
    world.phone("4710").sessions[0].state = State::Over;
    world.expect_quiet();
}

#[test]
fn a14_bye_crossing_bye_and_bye_twice_make_one_ending() {
    let mut world = talking();
    world.hang_up("ana");
    world.run(7);
    world.hang_up("4710");
    world.run(2_000);
    world.with_phone("4710", |phone, now| phone.request(now, 0, Method::Bye, "", ""));
    world.run(2_000);
    let replies = world.phone("4710").replies.clone();
    assert!(
        replies.iter().all(|(method, status)| *method == Method::Bye && [200, 481].contains(status)),
        "{replies:?}"
    );
    let ends = world.events().filter(|(_, event)| event.kind() == "call-ended").count();
    assert_eq!(ends, 1);
    world.expect_quiet();
}

#[test]
fn a20_requests_of_no_dialog_are_481_and_a_stray_ack_is_dropped() {
    let mut world = World::new(&GENERALISTS);
    for method in ["BYE", "INFO", "UPDATE", "PRACK", "NOTIFY"] {
        world.send_raw(PBX, Transport::Udp, stray(method, method));
        world.run(50);
    }
    world.send_raw(PBX, Transport::Udp, stray("ACK", "ACK"));
    world.run(50);
    assert_eq!(world.labels_to_pbx(), ["481 BYE", "481 INFO", "481 UPDATE", "481 PRACK", "481 NOTIFY"]);
    world.expect_quiet();
}

#[test]
fn a21_one_request_by_two_paths_is_482() {
    let mut world = World::new(&GENERALISTS);
    world.dial("4710");
    let invite = world.phone("4710").sessions[0].invite_bytes();
    let text = String::from_utf8_lossy(&invite).replace("branch=z9hG4bK-", "branch=z9hG4bK-other-");
    world.run(2);
    world.send_raw(PBX, Transport::Udp, text);
    world.run(1_000);
    let mut statuses: Vec<u16> =
        world.finals.values().flat_map(|finals| finals.iter().map(|(status, _)| *status)).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 482], "whichever comes first is served, the other refused");
    assert_eq!(world.tickets().len(), 1);
}

#[test]
fn a22_a_lower_cseq_is_500() {
    let mut world = talking();
    world.with_phone("4710", |phone, now| {
        phone.request(now, 0, Method::Options, "", "");
        phone.rewind(0, 3);
        phone.request(now, 0, Method::Options, "", "");
    });
    world.run(1_000);
    assert_eq!(world.phone("4710").replies.iter().map(|(_, status)| *status).collect::<Vec<_>>(), [200, 500]);
    world.phone("4710").rewind(0, -10);
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn a24_an_unknown_require_is_420() {
    let mut world = World::new(&GENERALISTS);
    world.phone("4710").headers = "Require: teleport\r\n".to_owned();
    world.dial("4710");
    world.run(1_000);
    assert_eq!(world.phone("4710").sessions[0].finals, [420]);
    assert_eq!(world.rung(), []);
    world.expect_quiet();
}

#[test]
fn a25_a_cancelled_phone_that_says_nothing_more_is_forgotten() {
    let mut world = World::new(&GENERALISTS);
    world.dial("5100");
    world.run_to(1_000);
    world.pickup("ana", Pickup::Dead);
    world.hang_up("5100");
    world.run_to(80_000);
    assert_eq!(world.status().legs, 0);
    assert_eq!(world.ticket().state(), Lifecycle::Closed);
    world.expect_quiet();
}

/// A request of the PBX inside no dialog of ours.
fn stray(method: &str, line: &str) -> String {
    let method_of_cseq = method;
    let uri = line.split(' ').nth(1).unwrap_or("sip:wardline@10.0.0.10:5060");
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {PBX};branch=z9hG4bK-stray-{method}\r\nMax-Forwards: 70\r\n\
         From: <sip:4710@10.0.1.1>;tag=a\r\nTo: <sip:7100@10.0.0.10>;tag=nobody\r\nCall-ID: stray-{method}\r\n\
         CSeq: 7 {method_of_cseq}\r\nContent-Length: 0\r\n\r\n"
    )
}

//! SIP-BEHAVIOUR.md, part A: transactions and dialogs under loss and races, through the whole switch.

use wardline::sip::{Method, Transport};
use wardline::ticket::{HangupCause, Lifecycle};

use crate::phone::{Hold, Pickup, State};
use crate::raw::{Raw, SDP, header, response_to, status};
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

// -- Forks, glare, odd ACKs and odd responses: written by hand, as no simulated phone does so ---------------------------

/// A PBX node that no simulated phone stands behind.
const NODE: &str = "10.0.1.77:5060";
const ANSWER: &str =
    "v=0\r\no=a 1 1 IN IP4 10.0.2.1\r\ns=-\r\nc=IN IP4 10.0.2.1\r\nt=0 0\r\nm=audio 30002 RTP/AVP 0\r\n";

/// ana's phone says nothing by itself; returns the desk's INVITE to it.
fn rings_a_silent_phone(world: &mut World) -> String {
    world.pickup("ana", Pickup::Dead);
    world.dial("4710");
    world.run_to(100);
    world.seen_text("desk", "ana", "INVITE")
}

fn says(world: &mut World, response: &str) {
    world.send_raw("10.0.2.1:5060", Transport::Udp, response.to_owned());
}

#[test]
fn a10_the_first_of_several_200s_of_a_forked_phone_wins_and_the_others_get_ack_and_bye() {
    let mut world = World::new(&["ana"]);
    let invite = rings_a_silent_phone(&mut world);
    let (desk_phone, soft_phone) = ("sip:ana@10.0.2.31:5060", "sip:ana@10.0.2.32:5060");
    says(&mut world, &response_to(&invite, 180, Some("desk"), desk_phone, ""));
    says(&mut world, &response_to(&invite, 180, Some("soft"), soft_phone, ""));
    world.run(1_000);
    says(&mut world, &response_to(&invite, 200, Some("soft"), soft_phone, ANSWER));
    world.run(10);
    let second = response_to(&invite, 200, Some("desk"), desk_phone, ANSWER);
    says(&mut world, &second);
    says(&mut world, &second);
    world.run(10);
    assert_eq!(world.labels_to("10.0.2.32:5060"), ["ACK"], "the one that won");
    assert_eq!(world.labels_to("10.0.2.31:5060"), ["ACK", "BYE", "ACK"], "one BYE, and each copy its ACK");
    let bye = world.seen_text("desk", "10.0.2.31:5060", "BYE");
    assert!(header(&bye, "To").ends_with(";tag=desk"), "{bye}");
    assert_eq!(world.joined().len(), 1);
    says(&mut world, &response_to(&bye, 200, None, desk_phone, ""));
    assert_eq!((world.status().calls, world.status().legs), (1, 2), "the call goes on with the first");
    assert_eq!(world.ticket().owners.len(), 1);
    world.hang_up("4710");
    world.run(100);
    let bye = world.seen_text("desk", "10.0.2.32:5060", "BYE");
    says(&mut world, &response_to(&bye, 200, None, soft_phone, ""));
    assert_eq!(world.ticket().end.as_ref().map(|end| end.cause), Some(HangupCause::Normal));
    world.expect_quiet();
}

#[test]
fn a10_each_copy_of_a_200_gets_the_same_ack() {
    let mut world = World::new(&["ana"]);
    world.pickup("ana", Pickup::Answers(1_000));
    world.dial("4710");
    world.run_to(500);
    world.lose("ACK", 2);
    world.run_to(5_000);
    let acks = world.texts("desk", "ana", "ACK");
    assert_eq!(acks.len(), 3, "two were lost, so two more 200s came");
    assert!(acks.iter().all(|ack| *ack == acks[0]), "{acks:#?}");
    assert_eq!(world.joined(), [(1_015, "4710 = ana".to_owned())]);
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn a11_a_reinvite_while_our_offer_waits_for_its_answer_is_491_and_the_call_goes_on() {
    let mut world = World::new(&GENERALISTS);
    // A late offer: ours is in the 200, and its ACK with the answer has not come when the phone re-INVITEs.
    let mut invite = Raw::new("INVITE", "call-glare", NODE);
    invite.from = "<sip:4711@10.0.1.1>;tag=a".to_owned();
    let answer = invite.send(&mut world);
    assert_eq!(status(&answer), 200);
    let mut again = invite.next("INVITE", &answer).with_sdp(SDP);
    again.branch = "z9hG4bK-again".to_owned();
    let glare = again.send(&mut world);
    assert_eq!(status(&glare), 491);
    let mut refused = again.next("ACK", &glare);
    refused.branch = again.branch.clone();
    refused.send(&mut world);
    invite.next("ACK", &answer).with_sdp(SDP).send(&mut world);
    world.run(1_000);
    assert_eq!((world.status().calls, world.rung().len()), (1, 2), "and analysts ring");
    // 14.1: the phone tries again some seconds later.
    let mut third = invite.next("INVITE", &answer).with_sdp(SDP);
    (third.cseq, third.branch) = (3, "z9hG4bK-third".to_owned());
    let accepted = third.send(&mut world);
    assert_eq!(status(&accepted), 200);
    third.next("ACK", &accepted).send(&mut world);
    let mut bye = invite.next("BYE", &answer);
    bye.cseq = 4;
    assert_eq!(status(&bye.send(&mut world)), 200);
    assert_eq!(world.ticket().end.as_ref().map(|end| end.cause), Some(HangupCause::Abandoned));
    world.expect_quiet();
}

#[test]
fn a11_a_ringing_phone_that_invites_us_in_its_early_dialog_is_491() {
    let mut world = World::new(&["ana"]);
    world.dial("4710");
    world.run_to(1_000);
    world.with_phone("ana", |phone, now| phone.reinvite(now, 0, Some(Hold::No)));
    world.run(100);
    assert_eq!(world.sent("desk", "ana", "491 INVITE").len(), 1);
    assert_eq!(world.status().legs, 2, "its own INVITE goes on");
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn a15_two_reinvites_in_one_instant_have_one_final_response_each_and_the_last_counts() {
    let mut world = talking();
    world.seen.clear();
    world.with_phone("4710", |phone, now| {
        phone.reinvite(now, 0, Some(Hold::SendOnly));
        phone.reinvite(now, 0, Some(Hold::No));
    });
    world.run(3_000);
    assert_eq!(world.phone("4710").sessions[0].finals, [200, 200, 200]);
    assert_eq!(world.texts("desk", "4710", "200 INVITE").len(), 2, "neither is repeated: both have their ACK");
    assert_eq!(world.phone("4710").sessions[0].remote_direction, "sendrecv");
    assert_eq!(world.heard("ana").last().map(|(_, what)| what.clone()), Some("nothing".to_owned()), "no hold music");
    assert_eq!(world.status().calls, 1);
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn a15_an_invite_while_the_first_waits_for_its_ack_leaves_one_call() {
    let mut world = World::new(&GENERALISTS);
    let invite = Raw::invite("twice", NODE, SDP);
    let answer = invite.send(&mut world);
    let mut second = invite.next("INVITE", &answer).with_sdp(SDP);
    second.branch = "z9hG4bK-second".to_owned();
    let accepted = second.send(&mut world);
    // Ours is final, so the second is no fault (14.2 speaks of one that is not); it stands for the lost ACK as well.
    assert_eq!(status(&accepted), 200);
    second.next("ACK", &accepted).send(&mut world);
    world.run(40_000);
    assert_eq!(world.labels_to(NODE).iter().filter(|label| *label == "BYE").count(), 0, "the call is not given up");
    assert_eq!((world.status().calls, world.tickets().len()), (1, 1));
    let mut bye = invite.next("BYE", &answer);
    bye.cseq = 3;
    assert_eq!(status(&bye.send(&mut world)), 200);
    world.expect_quiet();
}

#[test]
fn a17_a_phone_that_wants_pracks_gets_one_for_each_response_and_is_talked_to() {
    let mut world = World::new(&["ana"]);
    world.pickup("ana", Pickup::AnswersReliably(2_000));
    world.lose("PRACK", 1);
    world.dial("4710");
    world.run_to(10_000);
    // Lost, and sent again by its transaction; the copies of the 183 bring no other.
    assert_eq!(world.sent("desk", "ana", "PRACK").len(), 2, "{}", world.ladder());
    assert_eq!(world.phone("ana").sessions[0].pracked, 1);
    assert_eq!(world.sent("ana", "desk", "200 INVITE"), [2_010], "without a body: the 183 had the answer");
    assert_eq!(world.joined(), [(2_015, "4710 = ana".to_owned())]);
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn a17_a_caller_that_requires_100rel_is_served() {
    let mut world = World::new(&["ana"]);
    world.phone("4710").headers = "Require: 100rel\r\n".to_owned();
    world.pickup("ana", Pickup::Answers(1_000));
    world.dial("4710");
    world.run_to(5_000);
    assert_eq!(
        world.phone("4710").sessions[0].finals,
        [200],
        "at once: there is no provisional response to acknowledge"
    );
    assert_eq!(world.joined().len(), 1);
    world.with_phone("4710", |phone, now| {
        phone.request(now, 0, Method::Prack, "", "");
        phone.request(now, 0, Method::Prack, "RAck: 1 1 INVITE\r\n", "");
    });
    world.run(1_000);
    assert_eq!(world.phone("4710").replies, [(Method::Prack, 400), (Method::Prack, 481)]);
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn a18_an_ack_with_any_branch_counts_and_one_with_another_number_does_not() {
    for (branch, cseq, counts) in
        [("z9hG4bK-its-own", 1, true), ("z9hG4bK-call-ack-INVITE", 1, true), ("z9hG4bK-x", 2, false)]
    {
        let mut world = World::new(&GENERALISTS);
        let invite = Raw::invite("ack", NODE, SDP);
        let answer = invite.send(&mut world);
        let mut ack = invite.next("ACK", &answer);
        (ack.branch, ack.cseq) = (branch.to_owned(), cseq);
        ack.send(&mut world);
        world.run(31_000);
        let repeated = world.labels_to(NODE).iter().filter(|label| *label == "200 INVITE +sdp").count();
        assert_eq!(repeated == 1, counts, "{branch} {cseq}: the 200 was sent {repeated} times");
        assert_eq!(world.ticket().confirmed.is_some(), counts, "{branch} {cseq}");
        world.run(2_000);
        let cause = world.ticket().end.as_ref().map(|end| end.cause);
        assert_eq!(cause, (!counts).then_some(HangupCause::NoAck), "{branch} {cseq}: line 3");
        if counts {
            assert_eq!(status(&invite.next("BYE", &answer).send(&mut world)), 200);
        } else {
            let bye = world.texts("desk", NODE, "BYE").pop().expect("a BYE");
            world.send_raw(NODE, Transport::Udp, response_to(&bye, 200, None, "sip:4710@10.0.1.77", ""));
        }
        world.expect_quiet();
    }
}

#[test]
fn a18_an_ack_to_a_refusal_needs_the_branch() {
    let mut world = World::new(&["ana"]);
    let invite = Raw::invite("refused", NODE, &SDP.replace("0 101", "99"));
    let refusal = invite.send(&mut world);
    assert_eq!(status(&refusal), 488);
    invite.next("ACK", &refusal).send(&mut world);
    world.run(600);
    assert_eq!(world.labels_to(NODE), ["488 INVITE"; 2], "another branch acknowledges nothing");
    let mut ack = invite.next("ACK", &refusal);
    ack.branch = invite.branch.clone();
    ack.send(&mut world);
    world.run(10_000);
    assert_eq!(world.labels_to(NODE), ["488 INVITE"; 2]);
    assert_eq!((world.status().transactions, world.tickets().len()), (0, 0));
    world.expect_quiet();
}

#[test]
fn a19_a_ringing_phone_that_sends_bye_is_left_and_the_next_one_rings() {
    let mut world = World::new(&["ana", "ben"]);
    world.dial("4710");
    world.run_to(2_000);
    world.with_phone("ana", |phone, now| phone.request(now, 0, Method::Bye, "", ""));
    world.run(100);
    assert_eq!(world.phone("ana").replies, [(Method::Bye, 200)]);
    assert_eq!(world.sent("desk", "ana", "CANCEL").len(), 1, "our INVITE is withdrawn");
    assert_eq!(world.rung().last().map(|(_, who)| who.as_str()), Some("ben"));
    assert_eq!(world.status().legs, 2);
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn a19_a_caller_that_sends_bye_before_its_ack_is_gone_at_once() {
    let mut world = World::new(&["ana"]);
    world.phone("4710").acks = false;
    world.dial("4710");
    world.run_to(100);
    world.hang_up("4710");
    world.run(100);
    assert_eq!(world.phone("4710").replies, [(Method::Bye, 200)]);
    assert_eq!(world.sent("desk", "ana", "CANCEL").len(), 1);
    assert_eq!((world.status().calls, world.status().ports_used), (0, 0));
    assert_eq!(world.ticket().end.as_ref().map(|end| end.cause), Some(HangupCause::Abandoned));
    world.expect_quiet();
}

#[test]
fn a19_responses_without_a_to_tag_end_that_offer_and_not_the_call() {
    for (code, sdp) in [(183, ANSWER), (183, ""), (200, ANSWER), (200, "")] {
        let mut world = World::new(&["ana", "ben"]);
        let invite = rings_a_silent_phone(&mut world);
        says(&mut world, &response_to(&invite, code, None, "sip:ana@10.0.2.1:5060", sdp));
        world.run(100);
        let to_ana = world.labels_to("ana");
        let expected: &[&str] = if code == 200 { &["INVITE +sdp", "ACK", "BYE"] } else { &["INVITE +sdp", "CANCEL"] };
        assert_eq!(to_ana, expected, "{code} {sdp:?}");
        assert_eq!(world.rung().last().map(|(_, who)| who.as_str()), Some("ben"), "{code}: the next one rings");
        assert_eq!((world.joined().len(), world.status().calls), (0, 1), "{code}");
        world.hang_up("4710");
        world.expect_quiet();
    }
}

#[test]
fn a23_max_forwards_0_1_and_none_are_served_by_us_and_256_is_400() {
    let cases = [("Max-Forwards: 0\r\n", 200), ("Max-Forwards: 1\r\n", 200), ("", 200), ("Max-Forwards: 256\r\n", 400)];
    for (line, expected) in cases {
        let mut world = World::new(&GENERALISTS);
        let options = Raw { lines: line.to_owned(), ..Raw::new("OPTIONS", "ping", NODE) };
        assert_eq!(status(&options.send(&mut world)), expected, "OPTIONS {line:?}");
        let mut invite = Raw::new("INVITE", "call-hops", NODE);
        line.clone_into(&mut invite.lines);
        let invite = invite.with_sdp(SDP);
        let answer = invite.send(&mut world);
        assert_eq!(status(&answer), expected, "INVITE {line:?}");
        world.run(50);
        assert_eq!(world.tickets().len(), usize::from(expected == 200));
        assert_eq!(world.rung().is_empty(), expected == 400);
        if expected == 200 {
            invite.next("ACK", &answer).send(&mut world);
            assert_eq!(status(&invite.next("BYE", &answer).send(&mut world)), 200);
        }
        world.expect_quiet();
    }
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

//! SIP-BEHAVIOUR.md, part B: offer and answer, through the whole switch.

use wardline::bridge::Codec;
use wardline::sip::{Method, Transport};
use wardline::ticket::{Event, HangupCause};

use crate::lines_a::talking;
use crate::phone::{Hold, Pickup, State};
use crate::world::{GENERALISTS, PBX, World};

#[test]
fn b26_an_invite_without_sdp_is_offered_to_in_the_200() {
    let mut world = World::new(&["ana"]);
    world.pickup("ana", Pickup::Answers(1_000));
    world.dial_with("4710", false);
    world.run_to(5_000);
    assert_eq!(world.sent("desk", "4710", "200 INVITE +sdp"), [5]);
    assert_eq!(world.sent("4710", "desk", "ACK +sdp"), [10]);
    assert_eq!(world.joined().len(), 1);
    let port = world.phone("4710").sessions[0].remote_media.expect("a port").port();
    let leg = world.media.by_port(port).expect("a leg");
    let session = world.media.session(leg).expect("a session");
    assert_eq!((session.codec, session.direction.sends()), (Codec::Pcmu, true));
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn b27_a_late_offer_without_an_answer_ends_soon_and_gives_its_port_back() {
    let mut world = World::new(&GENERALISTS);
    world.phone("4710").answers_late_offer = false;
    world.dial_with("4710", false);
    world.run_to(3_000);
    assert_eq!(world.sent("desk", "4710", "BYE"), [15]);
    assert_eq!(world.ticket().end.as_ref().map(|end| end.cause), Some(HangupCause::MediaRefused));
    assert_eq!(world.status().ports_used, 0);
    world.expect_quiet();
}

#[test]
fn b28_no_common_codec_is_488_and_nobody_is_rung() {
    let mut world = World::new(&GENERALISTS);
    world.phone("4710").formats = "99";
    world.dial("4710");
    world.run_to(1_000);
    assert_eq!(world.phone("4710").sessions[0].finals, [488]);
    let warning = world.seen_text("desk", "4710", "488").contains("Warning: 305 ");
    assert!(warning, "with Warning 305");
    assert_eq!((world.rung().len(), world.tickets().len(), world.status().ports_used), (0, 0, 0));
    world.expect_quiet();
}

#[test]
fn b29_a_broken_sdp_is_refused_and_the_desk_lives() {
    let mut world = World::new(&["ana"]);
    for (number, body) in
        ["v=0\r\nm=audio", "nonsense", "v=0\r\no=-\r\ns=-\r\nt=0 0\r\nm=audio x RTP/AVP 0\r\n"].into_iter().enumerate()
    {
        world.send_raw(PBX, Transport::Udp, invite_with(number, body));
        world.run(100);
    }
    let statuses: Vec<u16> =
        world.finals.values().flat_map(|finals| finals.iter().map(|(status, _)| *status)).collect();
    assert_eq!(statuses.len(), 3);
    assert!(statuses.iter().all(|status| [400, 488].contains(status)), "{statuses:?}");
    world.run(40_000);
    assert_eq!(world.status().transactions, 0);
    world.pickup("ana", Pickup::Answers(500));
    world.dial("4710");
    world.run_to(2_000);
    assert_eq!(world.joined().len(), 1);
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn b31_hold_in_each_of_its_ways_and_resume() {
    for (hold, answered) in [(Hold::SendOnly, "recvonly"), (Hold::Inactive, "inactive"), (Hold::ZeroAddress, "")] {
        let mut world = talking();
        world.seen.clear();
        world.reinvite("ana", Some(hold));
        world.run(1_000);
        assert_eq!(world.phone("ana").sessions[0].finals.last(), Some(&200), "{hold:?}");
        let direction = world.phone("ana").sessions[0].remote_direction.clone();
        assert!(answered.is_empty() || direction == answered, "{hold:?} is answered {direction}");
        assert!(world.heard("4710").iter().any(|(_, what)| what == "~hold"), "{hold:?}: who is held hears music");
        world.run(90_000);
        assert_eq!(world.status().calls, 1, "{hold:?}: silence is legal while held");
        world.reinvite("ana", Some(Hold::No));
        world.run(1_000);
        assert_eq!(world.phone("ana").sessions[0].remote_direction, "sendrecv", "{hold:?}");
        assert_eq!(world.heard("4710").last().map(|(_, what)| what.as_str()), Some("nothing"), "{hold:?}: resumed");
        let holds: Vec<&str> =
            world.events().map(|(_, event)| event.kind()).filter(|kind| ["held", "resumed"].contains(kind)).collect();
        assert_eq!(holds, ["held", "resumed"], "{hold:?}");
        world.hang_up("4710");
        world.expect_quiet();
    }
}

#[test]
fn b33_early_media_of_an_analysts_phone_is_not_passed_on() {
    let mut world = World::new(&["ana"]);
    world.pickup("ana", Pickup::AnswersEarly(5_000));
    world.dial("4710");
    world.run_to(4_900);
    assert!(world.heard("4710").iter().any(|(_, what)| what == "~ringback"), "the caller hears ringback of ours");
    assert_eq!(world.joined(), []);
    assert!(world.events().any(|(_, event)| matches!(event, Event::OfferRinging { .. })), "183 counts as ringing");
    world.run_to(6_000);
    assert_eq!(world.joined().len(), 1);
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn b35_a_reinvite_that_is_refused_leaves_the_session_as_it_was() {
    let mut world = talking();
    let port = world.phone("4710").sessions[0].remote_media.expect("a port").port();
    let leg = world.media.by_port(port).expect("a leg");
    let before = world.media.session(leg);
    world.phone("4710").formats = "99";
    world.reinvite("4710", Some(Hold::No));
    world.run(1_000);
    assert_eq!(world.phone("4710").sessions[0].finals, [200, 488]);
    assert_eq!(world.media.session(leg), before);
    assert_eq!(world.status().calls, 1);
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn b40_a_reinvite_without_sdp_is_offered_everything_anew() {
    let mut world = talking();
    world.seen.clear();
    world.reinvite("4710", None);
    world.run(1_000);
    assert_eq!(world.sent("desk", "4710", "200 INVITE +sdp").len(), 1);
    assert_eq!(world.sent("4710", "desk", "ACK +sdp").len(), 1);
    assert_eq!(world.status().calls, 1);
    let offer = world.seen_text("desk", "4710", "200 INVITE");
    assert!(offer.contains("m=audio") && offer.contains("RTP/AVP 0 8 9"), "a full offer: {offer}");
    world.run(40_000);
    assert_eq!(world.status().calls, 1, "and the call goes on");
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn b36_a_key_by_info_reaches_the_other_phone() {
    let mut world = talking();
    let body = "Signal=5\r\nDuration=160\r\n";
    let headers = "Content-Type: application/dtmf-relay\r\n";
    world.with_phone("4710", |phone, now| phone.request(now, 0, Method::Info, headers, body));
    world.run(500);
    let port = world.phone("ana").sessions[0].remote_media.expect("a port").port();
    let leg = world.media.by_port(port).expect("a leg");
    assert_eq!(world.media.keys_sent(leg), "5");
    assert_eq!(world.phone("4710").replies, [(Method::Info, 200)]);
    world.hang_up("4710");
    world.expect_quiet();
    assert_eq!(world.phone("ana").sessions[0].state, State::Over);
}

fn invite_with(number: usize, body: &str) -> String {
    format!(
        "INVITE sip:7100@10.0.0.10 SIP/2.0\r\nVia: SIP/2.0/UDP {PBX};branch=z9hG4bK-broken-{number}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:4799@10.0.1.1>;tag=a\r\nTo: <sip:7100@10.0.0.10>\r\n\
         Call-ID: broken-{number}\r\nCSeq: 1 INVITE\r\nContact: <sip:4799@{PBX}>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

//! SIP-BEHAVIOUR.md, part B: offer and answer, through the whole switch.

use wardline::bridge::Codec;
use wardline::sip::{Method, Transport};
use wardline::ticket::{Event, HangupCause};

use crate::lines_a::talking;
use crate::phone::{Hold, Pickup, State};
use crate::raw::{Raw, SDP, status};
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

// -- Descriptions that no simulated phone writes -------------------------------------------------------------------------

/// A PBX node that no simulated phone stands behind.
const NODE: &str = "10.0.1.77:5060";

/// The m= lines of the description in a message.
fn streams(text: &str) -> Vec<&str> {
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    body.lines().filter(|line| line.starts_with("m=")).collect()
}

/// Acknowledges the 200, hangs up, and sees that nothing is left.
fn ends_well(world: &mut World, invite: &Raw, answer: &str) {
    invite.next("ACK", answer).send(world);
    world.run(1_000);
    let mut bye = invite.next("BYE", answer);
    bye.cseq += 10;
    assert_eq!(status(&bye.send(world)), 200);
    world.run(100);
    assert_eq!((world.status().calls, world.status().ports_used), (0, 0));
    world.expect_quiet();
}

#[test]
fn b30_a_description_of_60_kb_over_tcp_is_answered_and_a_larger_one_refused() {
    let lines = |count: usize, line: &str| format!("{SDP}{}", line.repeat(count));
    let (many, long) = (lines(10_000, "a=x\r\n"), lines(60, &format!("a=x:{}\r\n", "y".repeat(990))));
    let too_many = lines(10_000, "a=x:1\r\n");
    assert!(many.len() > 50_000 && long.len() > 59_000 && long.len() < 64_000 && too_many.len() > 65_536);
    let cases = [
        (many, &[200][..]),
        (long, &[200]),
        (too_many, &[413]),
        (lines(400, &format!("a=x:{}\r\n", "y".repeat(400))), &[413, 488, 400]),
    ];
    for (number, (sdp, expected)) in cases.into_iter().enumerate() {
        let mut world = World::new(&["ana"]);
        let mut invite = Raw::invite(&format!("large-{number}"), NODE, &sdp);
        invite.transport = Transport::Tcp;
        let answer = invite.send(&mut world);
        assert!(expected.contains(&status(&answer)), "{number}: {answer}");
        if status(&answer) == 200 {
            assert_eq!(streams(&answer).len(), 1);
            ends_well(&mut world, &invite, &answer);
        } else {
            assert_eq!((world.tickets().len(), world.status().ports_used), (0, 0));
            world.expect_quiet();
        }
    }
}

#[test]
fn b32_an_address_at_either_level_serves_and_none_at_all_is_488() {
    let session = "v=0\r\no=w 1 1 IN IP4 10.0.1.1\r\ns=-\r\n";
    let media = "t=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    let cases = [
        (format!("{session}c=IN IP4 10.0.1.55\r\n{media}"), Some("10.0.1.55:4000")),
        (format!("{session}{media}c=IN IP4 10.0.1.56\r\n"), Some("10.0.1.56:4000")),
        (format!("{session}c=IN IP4 10.0.1.55\r\n{media}c=IN IP4 10.0.1.57\r\n"), Some("10.0.1.57:4000")),
        (format!("{session}{media}"), None),
    ];
    for (sdp, remote) in cases {
        let mut world = World::new(&["ana"]);
        let invite = Raw::invite("connection", NODE, &sdp);
        let answer = invite.send(&mut world);
        assert_eq!(status(&answer), if remote.is_some() { 200 } else { 488 }, "{sdp}");
        match remote {
            Some(remote) => {
                assert_eq!(world.media.remotes(), [remote.parse().expect("an address")], "{sdp}");
                ends_well(&mut world, &invite, &answer);
            }
            None => {
                assert_eq!((world.tickets().len(), world.rung().len(), world.status().ports_used), (0, 0, 0));
                world.expect_quiet();
            }
        }
    }
}

#[test]
fn b34_media_goes_where_the_last_answer_says_and_not_where_the_early_one_did() {
    let mut world = World::new(&["ana"]);
    world.pickup("ana", Pickup::AnswersEarly(3_000));
    world.dial("4710");
    world.run_to(1_000);
    let early = world.phone("ana").sessions[0].media_port;
    world.phone("ana").sessions[0].media_port = early + 2_000;
    world.run_to(4_000);
    assert_eq!(world.joined().len(), 1);
    let port = world.phone("ana").sessions[0].remote_media.expect("a port").port();
    let leg = world.media.by_port(port).expect("a leg");
    let remote = world.media.session(leg).and_then(|session| session.remote);
    assert_eq!(remote, Some(format!("10.0.2.1:{}", early + 2_000).parse().expect("an address")));
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn b38_every_stream_is_answered_in_its_place_and_one_is_served() {
    let head = "v=0\r\no=w 1 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\n";
    let (audio, second, video) = (
        "m=audio 4000 RTP/AVP 0\r\n",
        "m=audio 4002 RTP/AVP 8\r\n",
        "m=video 4004 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n",
    );
    let off = "m=audio 0 RTP/AVP 0\r\n";
    let cases: [(&[&str], Option<usize>); 6] = [
        (&[audio, second], Some(0)),
        (&[audio, video], Some(0)),
        (&[video, audio], Some(1)),
        (&[off, second], Some(1)),
        (&[off], None),
        (&[video], None),
    ];
    for (lines, served) in cases {
        let mut world = World::new(&["ana"]);
        let invite = Raw::invite("streams", NODE, &format!("{head}{}", lines.concat()));
        let answer = invite.send(&mut world);
        let Some(served) = served else {
            assert_eq!(status(&answer), 488, "{lines:?}");
            assert_eq!((world.tickets().len(), world.status().ports_used), (0, 0));
            world.expect_quiet();
            continue;
        };
        assert_eq!(status(&answer), 200, "{lines:?}");
        let answered = streams(&answer);
        assert_eq!(answered.len(), lines.len(), "{lines:?}: {answered:?}");
        for (place, (ours, theirs)) in answered.iter().zip(lines).enumerate() {
            assert_eq!(ours.split(' ').next(), theirs.split(' ').next(), "{lines:?}: the same kind at {place}");
            assert_eq!(ours.split(' ').nth(1) == Some("0"), place != served, "{lines:?}: {answered:?}");
        }
        ends_well(&mut world, &invite, &answer);
    }
}

#[test]
fn b38_a_reinvite_with_fewer_or_turned_streams_is_answered_line_by_line_and_the_call_goes_on() {
    let head = "v=0\r\no=w 1 VERSION IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\n";
    let (audio, video) = ("m=audio 4000 RTP/AVP 0\r\n", "m=video 4004 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n");
    for (number, lines) in
        [&[audio][..], &[video, audio], &[audio, video, "m=audio 0 RTP/AVP 8\r\n"]].iter().enumerate()
    {
        let mut world = World::new(&["ana"]);
        let invite =
            Raw::invite(&format!("turned-{number}"), NODE, &format!("{head}{audio}{video}").replace("VERSION", "1"));
        let answer = invite.send(&mut world);
        invite.next("ACK", &answer).send(&mut world);
        world.run(100);
        let mut again =
            invite.next("INVITE", &answer).with_sdp(&format!("{head}{}", lines.concat()).replace("VERSION", "2"));
        again.branch = "z9hG4bK-turned".to_owned();
        let second = again.send(&mut world);
        match status(&second) {
            200 => assert_eq!(streams(&second).len(), lines.len(), "{lines:?}: {second}"),
            // RFC 3264 section 8: an offer never has fewer lines than the session.
            other => assert_eq!((other, lines.len()), (488, 1), "{lines:?}"),
        }
        let mut ack = again.next("ACK", &second);
        if status(&second) != 200 {
            ack.branch = again.branch.clone();
        }
        ack.send(&mut world);
        world.run(1_000);
        assert_eq!(world.status().calls, 1, "{lines:?}");
        ends_well(&mut world, &invite, &answer);
    }
}

#[test]
fn b39_a_description_of_the_other_address_family_is_488() {
    let mut world = World::new(&["ana"]);
    let sdp6 = SDP.replace("IP4 10.0.1.1", "IP6 2001:db8::1");
    let invite = Raw::invite("six", NODE, &sdp6);
    let answer = invite.send(&mut world);
    assert_eq!(status(&answer), 488, "{answer}");
    assert_eq!((world.tickets().len(), world.rung().len(), world.status().ports_used), (0, 0, 0));
    let mut ack = invite.next("ACK", &answer);
    ack.branch = invite.branch.clone();
    ack.send(&mut world);
    // In mid-call the old session stays.
    let mut world = talking();
    let port = world.phone("4710").sessions[0].remote_media.expect("a port").port();
    let leg = world.media.by_port(port).expect("a leg");
    let before = world.media.session(leg);
    world.phone("4710").ipv6_media = true;
    world.reinvite("4710", Some(Hold::No));
    world.run(1_000);
    assert_eq!(world.phone("4710").sessions[0].finals, [200, 488]);
    assert_eq!((world.media.session(leg), world.status().calls), (before, 1));
    world.hang_up("4710");
    world.expect_quiet();
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

//! SIP-BEHAVIOUR.md, line F74: session timers (RFC 4028) on both sides of long calls, in virtual time.

use wardline::dialog::SUPPORTED;
use wardline::sip::{Message, Request};
use wardline::ticket::MediaProblem;

use crate::phone::{Pickup, State, Timed};
use crate::setting::desk_with;
use crate::world::{Seen, World};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// 4710 talks with ana, each with its own habit.
fn talking(caller: Option<Timed>, analyst: Option<Timed>) -> World {
    talking_in(World::new(&["ana"]), caller, analyst)
}

fn talking_in(mut world: World, caller: Option<Timed>, analyst: Option<Timed>) -> World {
    world.phone("4710").timed = caller;
    world.phone("ana").timed = analyst;
    world.pickup("ana", Pickup::Answers(1_000));
    world.dial("4710");
    world.run_to(5_000);
    assert_eq!(world.joined().len(), 1, "{}", world.story());
    world
}

/// INVITEs of the desk to ana, as they were written.
fn invites(world: &World) -> Vec<Request> {
    let sent = world.seen.iter().filter_map(|(_, seen)| match seen {
        Seen::Sent { from, to, bytes, .. } if from == "desk" && to == "ana" => Message::parse(bytes).ok(),
        Seen::Sent { .. } | Seen::Heard { .. } | Seen::Joined { .. } => None,
    });
    sent.filter_map(|message| match message {
        Message::Request(request) if request.method.as_str() == "INVITE" => Some(request),
        Message::Request(_) | Message::Response(_) => None,
    })
    .collect()
}

#[test]
fn f74_a_call_of_three_hours_is_refreshed_by_update_on_both_legs() {
    let mut world = talking(Some(Timed::DESK_REFRESHES), Some(Timed::DESK_REFRESHES));
    world.run_to(3 * HOUR_MS);
    assert_eq!(world.sent("desk", "ana", "UPDATE").len(), 11, "each 15 min: {}", world.ladder());
    assert_eq!(world.sent("desk", "4710", "UPDATE").len(), 11);
    assert_eq!(world.phone("4710").intervals[0], "1800;refresher=uas");
    assert_eq!(world.phone("ana").intervals[1..3], ["1800".to_owned(), "1800;refresher=uac".to_owned()]);
    assert_eq!(world.status().calls, 1);
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn f74_phones_that_refresh_themselves_get_their_200_and_none_of_ours() {
    let mut world = talking(Some(Timed::REFRESHES), Some(Timed { updates: false, ..Timed::REFRESHES }));
    world.run_to(2 * HOUR_MS);
    assert_eq!(world.sent("4710", "desk", "UPDATE").len(), 7);
    assert_eq!(world.sent("desk", "4710", "200 UPDATE").len(), 7);
    assert_eq!(world.sent("ana", "desk", "INVITE +sdp").len(), 7, "{}", world.ladder());
    assert!(world.sent("desk", "ana", "UPDATE").is_empty() && invites(&world).len() == 1);
    assert_eq!(world.status().calls, 1);
    world.hang_up("ana");
    world.expect_quiet();
}

#[test]
fn f74_a_refresh_by_re_invite_changes_nothing_of_the_session() {
    let mut world = talking(None, Some(Timed { updates: false, ..Timed::DESK_REFRESHES }));
    let sessions = world.media.sessions;
    world.run_to(HOUR_MS);
    let invites = invites(&world);
    assert_eq!(invites.len(), 4, "the call's own, and one each 15 min");
    let origin = |invite: &Request| {
        let text = String::from_utf8_lossy(&invite.body).into_owned();
        text.lines().find(|line| line.starts_with("o=")).map(str::to_owned)
    };
    for invite in &invites[1..] {
        assert_eq!(origin(invite), origin(&invites[0]), "RFC 4028 section 7.4");
        assert_eq!(invite.headers.get("Session-Expires"), Some("1800;refresher=uac"));
        assert_eq!(invite.headers.get("Supported"), Some(SUPPORTED));
    }
    assert_eq!(world.media.sessions, sessions, "the media workers hear nothing of it");
    assert_eq!(world.joined().len(), 1);
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn f74_a_phone_that_refreshes_no_more_is_let_go_before_the_expiry() {
    let cases = [(Timed { forgets: true, ..Timed::REFRESHES }, None), (Timed::DESK_REFRESHES, Some("UPDATE"))];
    for (habit, lost) in cases {
        let mut world = talking(None, Some(habit));
        if let Some(label) = lost {
            world.lose(label, 100);
        }
        // 1800 s less 32, from when her 200 came.
        world.run_to(1_700_000);
        assert!(world.sent("desk", "ana", "BYE").is_empty());
        world.run_to(1_800_000);
        assert_eq!(world.sent("desk", "ana", "BYE"), [1_769_015], "{habit:?}");
        let ticket = world.ticket();
        assert!(ticket.problems.iter().any(|(.., problem)| *problem == MediaProblem::Gone), "and the ticket says so");
        assert!(ticket.end.is_none(), "who calls is still there, and others are rung");
        assert_eq!(world.phone("4710").sessions[0].state, State::Up);
        world.hang_up("4710");
        world.expect_quiet();
    }
}

#[test]
fn f74_the_least_interval_ends_a_third_of_it_earlier() {
    let mut world = talking(Some(Timed { interval: 90, forgets: true, ..Timed::REFRESHES }), None);
    world.run_to(80_000);
    assert_eq!(world.sent("desk", "4710", "BYE"), [60_005], "90 s less 30, from our 200");
    world.expect_quiet();
}

#[test]
fn f74_a_phone_that_wants_longer_intervals_is_asked_again_and_rings() {
    let mut world = talking(None, Some(Timed { least: 3_600, interval: 7_200, ..Timed::DESK_REFRESHES }));
    assert_eq!(world.sent("ana", "desk", "422 INVITE").len(), 1);
    let invites = invites(&world);
    let asked = |invite: &Request| {
        ["CSeq", "Session-Expires", "Min-SE"].map(|name| invite.headers.get(name).map(str::to_owned))
    };
    assert_eq!(asked(&invites[0]), ["1 INVITE", "1800", "90"].map(|text| Some(text.to_owned())));
    assert_eq!(asked(&invites[1]), ["2 INVITE", "3600", "3600"].map(|text| Some(text.to_owned())));
    assert_eq!(invites[0].headers.call_id(), invites[1].headers.call_id(), "RFC 4028 section 7.4");
    world.run_to(2 * HOUR_MS);
    assert_eq!(world.sent("desk", "ana", "UPDATE").len(), 3, "each 30 min");
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn f74_a_caller_who_wants_less_than_90_s_gets_422_and_no_ticket() {
    let mut world = World::new(&["ana"]);
    world.phone("4710").timed = Some(Timed { interval: 60, ..Timed::REFRESHES });
    world.dial("4710");
    world.run_to(1_000);
    assert_eq!(world.phone("4710").sessions[0].finals, [422]);
    assert!(world.tickets().is_empty());
    world.expect_quiet();
}

#[test]
fn f74_a_trunk_says_which_interval_is_asked_for() {
    let timer = ("wardline", "trusted = true", "trusted = true\nsession_timer = \"10m\"");
    let world = World::configured(desk_with(&[timer]), &["dev"]);
    let mut world = talking_to_dev(world);
    assert_eq!(world.phone("4710").intervals, ["600;refresher=uas"], "over the trunk");
    assert_eq!(world.phone("dev").intervals[0], "600");
    world.hang_up("4710");
    world.expect_quiet();
}

fn talking_to_dev(mut world: World) -> World {
    for name in ["4710", "dev"] {
        world.phone(name).timed = Some(Timed::DESK_REFRESHES);
    }
    world.pickup("dev", Pickup::Answers(1_000));
    world.dial("4710");
    world.run_to(5_000);
    world
}

#[test]
fn f74_a_phone_that_knows_no_timer_is_not_timed() {
    let mut world = talking(None, None);
    world.run_to(2 * HOUR_MS);
    assert_eq!(world.status().calls, 1);
    assert!(world.sent("desk", "ana", "UPDATE").is_empty() && world.sent("desk", "4710", "UPDATE").is_empty());
    world.hang_up("4710");
    world.expect_quiet();
}

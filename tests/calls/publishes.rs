//! A version comes into force in the midst of calls: they finish on the one they began with, and nothing is lost (line F79).

use std::sync::Arc;

use wardline::config::Config;
use wardline::ids::AnalystId;
use wardline::switch::{Command, Reply};
use wardline::ticket::{AnalystStateRecord, DispositionCode, Event};

use crate::lines_a::talking;
use crate::phone::Pickup;
use crate::setting::desk_with;
use crate::world::{Act, EVERYBODY, GENERALISTS, World};

/// Other words, other waits, other rungs, other names of steps: nothing of it may reach a call that is up.
pub fn other_plan() -> Arc<Config> {
    desk_with(&[
        ("hotline", "start = \"who\"", "start = \"page\""),
        ("hotline", "at_once = 2", "at_once = 1"),
        ("hotline", "ring_for = \"12s\"", "ring_for = \"5s\""),
        ("hotline", "after = \"12s\"", "after = \"6s\""),
        ("hotline", "[steps.who]", "[steps.page]\ntype = \"play\"\nsay = [\"thank-you\"]\nnext = \"who\"\n[steps.who]"),
        ("hotline", "ringing = [\"ringing\"]", "ringing = [\"desk\"]"),
        ("hotline", "say = [\"callback-offer\"]", "say = [\"thank-you\"]"),
    ])
}

impl World {
    pub fn analyst(&mut self, name: &str) -> serde_json::Value {
        let Reply::Analysts { analysts } = self.command(Command::Analysts) else { panic!("analysts were asked for") };
        let found = analysts.into_iter().find(|analyst| analyst["analyst"] == name);
        found.unwrap_or_else(|| panic!("no analyst {name}"))
    }
}

// -- Running calls keep their plan ------------------------------------------------------------------------------------

/// One call told whole, with a version published `at` so many ms after it was dialled.
fn told(caller: &str, signed_in: &[&str], keys: &[(u64, char)], at: Option<u64>) -> String {
    let mut world = World::new(signed_in);
    for name in EVERYBODY {
        world.pickup(name, Pickup::Rings);
    }
    // Ana and Ben are rung first, in vain.
    world.pickup("cho", Pickup::Answers(3_000));
    world.pickup("eva", Pickup::Answers(8_000));
    let phone = world.index(caller);
    world.dial(caller);
    for (ms, key) in keys {
        world.at(*ms, Act::Press { phone, key: *key });
    }
    world.at(24_000, Act::HangUp { phone });
    if let Some(at) = at {
        world.run_to(at);
        world.publish(&other_plan());
    }
    world.run_to(40_000);
    let ladder = world.ladder();
    world.expect_quiet();
    ladder
}

fn same_whenever(caller: &str, signed_in: &[&str], keys: &[(u64, char)]) {
    let expected = told(caller, signed_in, keys, None);
    assert!(expected.contains(" = "), "it reaches somebody:\n{expected}");
    // The INVITE is there after 5 ms.
    for at in (10..26_000).step_by(390) {
        let is = told(caller, signed_in, keys, Some(at));
        assert_eq!(is, expected, "published at {at} ms");
    }
    assert_ne!(told(caller, signed_in, keys, Some(0)), expected, "a call that begins after it walks the new plan");
}

#[test]
fn f79_a_ward_call_walks_the_plan_it_began_with_whenever_a_version_is_published() {
    same_whenever("4710", &GENERALISTS, &[]);
}

#[test]
fn f79_a_call_that_is_asked_a_question_keeps_its_question() {
    same_whenever("5310", &EVERYBODY, &[(3_000, '1')]);
}

#[test]
fn f79_a_call_goes_on_though_its_plan_its_hotline_and_its_unit_are_gone() {
    let gone = desk_with(&[("hospital", "[hotlines.7100]", "[hotlines.7300]"), ("hospital", "4700-4715", "4740-4745")]);
    for at in [100, 1_000, 3_000, 8_000] {
        let mut world = World::new(&["ana"]);
        world.pickup("ana", Pickup::Answers(6_000));
        world.dial("4710");
        world.run_to(at);
        world.publish(&gone);
        world.run_to(12_000);
        assert_eq!(world.joined().len(), 1, "published at {at} ms\n{}", world.story());
        assert_eq!(world.ticket().unit_name(), Some("4 West"));
        world.dial("4711");
        world.run(1_000);
        assert_eq!(world.phone("4711").sessions[0].finals, [404], "nobody answers that number any more");
        world.hang_up("4710");
        world.expect_quiet();
    }
}

#[test]
fn f79_an_analyst_who_is_rung_and_removed_may_still_answer_and_is_rung_no_more() {
    let without = desk_with(&[("analysts", "[analysts.ana]", "[analysts.zed]"), ("analysts", "Ana", "Zed")]);
    for at in [60, 200, 1_000, 3_000] {
        let mut world = World::new(&["ana", "ben"]);
        world.pickup("ana", Pickup::Answers(4_000));
        world.pickup("ben", Pickup::Rings);
        world.dial("4710");
        world.run_to(at);
        let rung = world.rung().iter().any(|(_, analyst)| analyst == "ana");
        world.publish(&without);
        world.run_to(10_000);
        assert!(rung, "ana rings by then");
        assert_eq!(world.joined().last().map(|(_, who)| who.as_str()), Some("4710 = ana"), "{}", world.story());
        world.hang_up("4710");
        world.run(40_000);
        world.dial("4711");
        world.run(2_000);
        let second = world.tickets().into_values().next_back().expect("a ticket");
        assert_eq!(second.extension().map(ToString::to_string).as_deref(), Some("4711"));
        assert_eq!(world.rung().iter().filter(|(_, analyst)| analyst == "ana").count(), 1);
        world.hang_up("4711");
        world.publish(&desk_with(&[]));
        world.expect_quiet();
    }
}

#[test]
fn f79_an_analyst_who_is_removed_while_the_phone_rings_in_vain_makes_room_for_the_next() {
    let without = desk_with(&[("analysts", "[analysts.ana]", "[analysts.zed]"), ("analysts", "Ana", "Zed")]);
    let mut world = World::new(&["ana", "ivy"]);
    world.pickup("ana", Pickup::Rings);
    world.pickup("hal", Pickup::Rings);
    world.pickup("ivy", Pickup::Answers(500));
    world.dial("4710");
    world.run_to(1_000);
    world.publish(&without);
    world.run_to(30_000);
    assert_eq!(world.joined().last().map(|(_, who)| who.as_str()), Some("4710 = ivy"), "{}", world.story());
    world.publish(&desk_with(&[]));
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn f79_a_removed_analyst_talks_on_until_the_call_ends() {
    let without = desk_with(&[("analysts", "[analysts.ana]", "[analysts.zed]"), ("analysts", "Ana", "Zed")]);
    let mut world = talking();
    world.publish(&without);
    world.run(60_000);
    assert_eq!(world.status().legs, 2);
    world.hang_up("4710");
    world.run(60_000);
    assert_eq!(world.ticket().owners.len(), 1);
    world.publish(&desk_with(&[]));
    world.expect_quiet();
}

// -- What survives ----------------------------------------------------------------------------------------------------

#[test]
fn f79_presence_registrations_and_a_pause_survive() {
    let mut world = World::new(&["ana", "ben", "cho"]);
    let pause = Command::SetAnalystState {
        analyst: AnalystId::new("ben"),
        state: AnalystStateRecord::Paused,
        actor: "test".to_owned(),
        reason: Some("lunch".to_owned()),
    };
    world.command(pause);
    let before = ["ana", "ben", "cho", "dev"].map(|name| world.analyst(name)["status"].clone());
    world.publish(&other_plan());
    let after = ["ana", "ben", "cho", "dev"].map(|name| world.analyst(name)["status"].clone());
    assert_eq!(before, ["idle", "paused", "idle", "signed-out"]);
    assert_eq!(after, before);
    assert_eq!(world.analyst("ben")["detail"], "lunch");
    assert_eq!(world.status().bindings, 1, "cho's phone need not register anew");
    assert_eq!(world.analyst("cho")["reachable"], true);
    world.expect_quiet();
}

#[test]
fn f79_a_waiting_call_keeps_its_place_and_a_lease_is_answered_after_a_version() {
    let mut world = World::new(&["ana"]);
    world.pickup("ana", Pickup::Answers(1_000));
    world.pickup("hal", Pickup::Refuses(486, 0));
    world.pickup("ivy", Pickup::Refuses(486, 0));
    world.dial("4710");
    world.run_to(5_000);
    for name in ["4711", "4712"] {
        world.dial(name);
        world.run(3_000);
    }
    assert_eq!(world.status().waiting, 2, "{}", world.story());
    world.publish(&other_plan());
    assert_eq!(world.status().waiting, 2);
    world.hang_up("4710");
    world.hang_up("ana");
    world.run(500);
    // The answer to the next lease comes 200 ms after it was asked for: a version comes between.
    world.net.reserve_delay = (200, 201);
    let ticket = world.tickets().into_values().next().expect("a call");
    world.dispose(&ticket, "ana", DispositionCode::Solved);
    world.run(100);
    world.publish(&other_plan());
    world.run(5_000);
    let joined = world.joined();
    assert_eq!(joined.get(1).map(|(_, who)| who.as_str()), Some("4711 = ana"), "the longest wait first: {joined:?}");
    world.hang_up("4711");
    world.run(60_000);
    world.hang_up("4712");
    world.expect_quiet();
}

#[test]
fn f79_who_published_what_and_why_is_journaled_with_it() {
    let mut world = World::new(&["ana"]);
    let config = other_plan();
    world.publish(&config);
    let line = world.records.iter().rev().find_map(|record| {
        let Event::Audit { actor, action, object, reason } = &record.event else { return None };
        Some((actor.clone(), action.clone(), object.clone(), reason.clone()))
    });
    let object = format!("version {}", config.version);
    assert_eq!(line, Some(("ann".to_owned(), "publish".to_owned(), object, Some("why".to_owned()))));
}

// -- A thousand publishes under load ----------------------------------------------------------------------------------

const PUBLISHES: usize = 1_000;
const EVERY_MS: u64 = 170;
const CALLERS: [&str; 6] = ["4710", "4711", "4712", "5100", "7741", "outside"];

/// Ready configurations, handed to the switch in virtual time. The whole way of a version, from files to `in force`, is gone
/// twenty times by `twenty_publishes_during_calls_lose_none_of_them`.
#[test]
fn f79_a_thousand_publishes_under_load_lose_no_call() {
    let versions = [
        desk_with(&[]),
        other_plan(),
        desk_with(&[("analysts", "[analysts.ben]", "[analysts.zed]"), ("analysts", "\"Ben\"", "\"Zed\"")]),
        desk_with(&[("wardline", "max_calls = 50", "max_calls = 40"), ("hospital", "\"4000\"", "\"4001\"")]),
    ];
    let mut world = World::new(&EVERYBODY);
    for (place, name) in EVERYBODY.into_iter().enumerate() {
        world.pickup(name, Pickup::Answers(400 * place as u64 + 200));
    }
    world.pickup("hal", Pickup::Answers(1_000));
    let end = PUBLISHES as u64 * EVERY_MS;
    let mut dialled = 0;
    for (place, name) in CALLERS.into_iter().enumerate() {
        let phone = world.index(name);
        // Each phone calls again and again, and talks between 1 and 11 s.
        for at in (200 * place as u64..end).step_by(17_000) {
            world.at(at, Act::Dial { phone, number: "7100".to_owned(), sdp: true });
            world.at(at + 4_000 + 1_300 * (at % 7), Act::HangUp { phone });
            dialled += 1;
        }
    }
    for number in 0..PUBLISHES {
        world.run_to(number as u64 * EVERY_MS);
        world.publish(&versions[(number * 7 + number / 4) % versions.len()]);
    }
    world.run_to(end + 20_000);
    world.publish(&versions[0]);
    // Whoever left with a version and comes back with another has to sign in again.
    world.command(Command::SetAnalystState {
        analyst: AnalystId::new("ben"),
        state: AnalystStateRecord::Available,
        actor: "test".to_owned(),
        reason: None,
    });
    let sessions = world.phones.iter().filter(|phone| CALLERS.contains(&phone.name.as_str()));
    let calls = sessions.flat_map(|phone| &phone.sessions).filter(|session| session.caller);
    let finals: Vec<u16> = calls.flat_map(|session| session.finals.clone()).collect();
    assert_eq!(finals.len(), dialled);
    assert!(finals.iter().all(|status| *status == 200), "{finals:?}");
    let tickets = world.tickets();
    assert_eq!(tickets.len(), dialled);
    let reached = tickets.values().filter(|ticket| ticket.human_heard.is_some()).count();
    assert!(reached * 2 > dialled, "{reached} of {dialled} reached a person");
    assert_eq!(world.status().bindings, 1);
    world.expect_quiet();
}

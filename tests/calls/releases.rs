//! A release goes live at its stated instant: whoever knows only the older one is not rung as qualified any more, until it
//! is attested; a restart forgets nothing of it.

use std::collections::BTreeSet;

use wardline::ids::{AnalystId, HospitalId, ModuleId, SystemId};
use wardline::routing::{Who, replay};
use wardline::switch::{Command, Reply};
use wardline::ticket::Event;

use crate::phone::Pickup;
use crate::restart::killed;
use crate::setting::{desk_with, two_hospitals};
use crate::world::World;

/// 4710's system goes to 2026.2 sixty seconds after the world begins, on a clock in New York.
fn world() -> World {
    let go_live = "release = \"2026.1\"\nreleases = [{ release = \"2026.2\", from = \"2026-11-23T10:01\" }]";
    let config = desk_with(&[("hospital", "release = \"2026.1\"", go_live)]);
    let mut world = World::configured(config, &["ana"]);
    world.pickup("ana", Pickup::Rings);
    world.pickup("hal", Pickup::Rings);
    world
}

/// The same go-live at both of Ana's hospitals, each of which calls its system `ehr`.
fn of_two_hospitals() -> World {
    let go_live = "release = \"2026.1\"\nreleases = [{ release = \"2026.2\", from = \"2026-11-23T10:01\" }]";
    let edit = |stem| (stem, "release = \"2026.1\"", go_live);
    World::configured(two_hospitals(&[edit("hospital"), edit("inland")]), &["ana"])
}

fn attest(world: &mut World, modules: Option<&[&str]>, release: &str) -> Reply {
    let modules = modules.map(|modules| modules.iter().map(|module| ModuleId::new(module)).collect::<BTreeSet<_>>());
    world.command(Command::Attest {
        analyst: AnalystId::new("ana"),
        hospital: None,
        system: SystemId::new("ehr"),
        modules,
        release: release.to_owned(),
        evidence: "upgrade course".to_owned(),
        by: "Ivy".to_owned(),
        actor: "test".to_owned(),
    })
}

/// Who of Ana and Hal is rung by a call of ten seconds from here.
fn rung(world: &mut World) -> Vec<&'static str> {
    world.seen.clear();
    world.dial("4710");
    world.run(10_000);
    let rung = ["ana", "hal"].into_iter().filter(|name| !world.sent("desk", name, "INVITE").is_empty()).collect();
    world.hang_up("4710");
    world.run(10_000);
    rung
}

/// What the last decision of whom to ring as qualified says of Ana, having been made again from what it kept.
fn because(world: &World) -> String {
    let decided =
        |event: &Event| if let Event::RouteDecided { decision } = event { Some(decision.clone()) } else { None };
    let decisions = world.events().filter_map(|(_, event)| decided(event));
    let decision =
        decisions.filter(|decision| decision.inputs.who.contains(&Who::Qualified)).last().expect("a decision");
    let again: Vec<AnalystId> = decision.chosen.iter().map(|choice| choice.analyst.clone()).collect();
    assert_eq!(replay(&decision), again);
    let passed = decision.passed_over.iter().find(|passed| passed.analyst.as_str() == "ana");
    passed.map(|passed| passed.because.clone()).unwrap_or_default()
}

#[test]
fn at_the_stated_instant_the_older_release_is_stale_until_it_is_attested_also_after_a_restart() {
    let mut world = world();
    assert_eq!(rung(&mut world), ["ana"], "{}", world.ladder());
    world.run_to(60_000);
    assert_eq!(rung(&mut world), Vec::<&str>::new(), "Hal's is of the older release as well: {}", world.ladder());
    assert_eq!(because(&world), "stale since 2026-11-23 10:01 (release 2026.2)");
    assert!(matches!(attest(&mut world, None, "2026.2"), Reply::Attested { .. }));
    assert_eq!(rung(&mut world), ["ana"], "at once, without a new version: {}", world.ladder());
    killed(&mut world);
    let available = Command::SetAnalystState {
        analyst: AnalystId::new("ana"),
        state: wardline::ticket::AnalystStateRecord::Available,
        actor: "test".to_owned(),
        reason: None,
    };
    world.command(available);
    assert_eq!(rung(&mut world), ["ana"], "{}", world.ladder());
    let audited = |event: &Event| {
        let Event::Audit { action, object, reason, .. } = event else { return None };
        Some((action.clone(), object.clone(), reason.clone()))
    };
    let attested = ("attest ehr 2026.2 of harbor".to_owned(), "ana".to_owned(), Some("Ivy: upgrade course".to_owned()));
    assert!(world.records.iter().filter_map(|record| audited(&record.event)).any(|line| line == attested));
}

#[test]
fn a_call_that_waits_is_offered_to_whoever_is_attested_meanwhile() {
    let mut world = world();
    world.run_to(60_000);
    world.pickup("ivy", Pickup::Rings);
    world.dial("4710");
    world.run(3_000);
    assert_eq!(world.sent("desk", "ana", "INVITE").len(), 0);
    assert!(matches!(attest(&mut world, Some(&["charting"]), "2026.2"), Reply::Attested { .. }));
    world.run(100);
    assert_eq!(world.sent("desk", "ana", "INVITE").len(), 1, "{}", world.ladder());
    world.hang_up("4710");
    world.run(20_000);
}

#[test]
fn only_what_is_held_and_what_is_declared_can_be_attested() {
    let mut world = world();
    let refused = |reply: Reply| {
        let Reply::Refused { reason } = reply else { panic!("{reply:?}") };
        reason
    };
    assert_eq!(refused(attest(&mut world, None, "2026.22")), "ehr has no release 2026.22; did you mean 2026.2?");
    assert_eq!(refused(attest(&mut world, Some(&["imaging"]), "2026.2")), "ana does not hold imaging of ehr");
    let of = |analyst: &str, system: &str| Command::Attest {
        analyst: AnalystId::new(analyst),
        hospital: None,
        system: SystemId::new(system),
        modules: None,
        release: "2026.2".to_owned(),
        evidence: "course".to_owned(),
        by: "Ivy".to_owned(),
        actor: "test".to_owned(),
    };
    assert_eq!(refused(world.command(of("anna", "ehr"))), "no analyst is called anna; did you mean ana?");
    assert_eq!(refused(world.command(of("ana", "amb"))), "ana holds nothing of amb; it may be one of: ehr");
}

#[test]
fn where_two_hospitals_run_a_system_of_one_name_it_is_said_whose_is_meant_and_counts_there_only() {
    let mut world = of_two_hospitals();
    world.run_to(60_000);
    let of = |hospital: Option<&str>| Command::Attest {
        analyst: AnalystId::new("ana"),
        hospital: hospital.map(HospitalId::new),
        system: SystemId::new("ehr"),
        modules: None,
        release: "2026.2".to_owned(),
        evidence: "course".to_owned(),
        by: "Ivy".to_owned(),
        actor: "test".to_owned(),
    };
    let refused = |reply: Reply| {
        let Reply::Refused { reason } = reply else { panic!("{reply:?}") };
        reason
    };
    let which = "ehr runs at several hospitals: say whose is meant with --hospital, one of harbor, inland";
    assert_eq!(refused(world.command(of(None))), which);
    assert_eq!(refused(world.command(of(Some("inlamd")))), "ana holds nothing of ehr at inlamd; did you mean inland?");
    let reply = world.command(of(Some("harbor")));
    assert!(matches!(&reply, Reply::Attested { hospital } if hospital.as_str() == "harbor"), "{reply:?}");
    let reply = world.command(of(Some("inland")));
    assert!(matches!(&reply, Reply::Attested { hospital } if hospital.as_str() == "inland"), "{reply:?}");
    let standing = |world: &mut World| -> Vec<(String, bool)> {
        let Reply::Analysts { analysts } = world.command(Command::Analysts) else { panic!("no analysts") };
        let ana = analysts.iter().find(|view| view["analyst"] == "ana").expect("Ana");
        let held = ana["qualifications"].as_array().expect("a list").iter();
        held.map(|held| (held["hospital"].as_str().unwrap_or_default().to_owned(), held["counts_not"].is_null()))
            .collect()
    };
    // At Harbor it was a mistake.
    let withdraw = |hospital: Option<&str>, release: &str| Command::Withdraw {
        analyst: AnalystId::new("ana"),
        hospital: hospital.map(HospitalId::new),
        system: SystemId::new("ehr"),
        modules: None,
        release: release.to_owned(),
        reason: "another Ana".to_owned(),
        by: "Ivy".to_owned(),
        actor: "test".to_owned(),
    };
    let all = "ehr 2026.2 of harbor; ehr 2026.2 of inland";
    let reason = refused(world.command(withdraw(None, "2026.2")));
    assert_eq!(reason, format!("say whose is meant with --hospital: {all}"));
    let reason = refused(world.command(withdraw(Some("harbor"), "2026.1")));
    assert_eq!(reason, format!("that was not attested of ana; attested is: {all}"));
    assert!(matches!(world.command(withdraw(Some("harbor"), "2026.2")), Reply::Done));
    let audited = world.records.iter().any(|record| {
        let Event::Audit { action, reason, .. } = &record.event else { return false };
        action == "withdraw ehr 2026.2 of harbor" && reason.as_deref() == Some("Ivy: another Ana")
    });
    assert!(audited);
    let only_inland = [("harbor".to_owned(), false), ("inland".to_owned(), true)];
    assert_eq!(standing(&mut world), only_inland);
    killed(&mut world);
    assert_eq!(standing(&mut world), only_inland);
}

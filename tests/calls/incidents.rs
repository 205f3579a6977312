//! Known problems: who is told, what is owed when one is fixed, and what a restart remembers of them.

use std::sync::Arc;

use wardline::ids::{HospitalId, IncidentId, ModuleId, PromptId, SystemId};
use wardline::ivr::Prompts;
use wardline::routing::Trouble;
use wardline::switch::{Command, Reply, untold};
use wardline::ticket::{CallbackReason, CallbackState, Event, Lifecycle};

use crate::phone::Pickup;
use crate::restart::{desk, killed};
use crate::setting::desk_with;
use crate::world::World;

const MINUTE_MS: u64 = 60_000;

fn charting() -> Trouble {
    Trouble {
        hospital: HospitalId::new("harbor"),
        system: SystemId::new("ehr"),
        module: Some(ModuleId::new("charting")),
        sites: Vec::new(),
        prompt: PromptId::new("known-problem-charting"),
        note: "Charting takes 20 s.".to_owned(),
        down: false,
    }
}

fn open(world: &mut World, what: Trouble) -> Reply {
    world.command(Command::OpenIncident { what, by: "lead".to_owned(), actor: "test".to_owned() })
}

fn resolve(world: &mut World, incident: u64) -> Reply {
    let incident = IncidentId(incident);
    world.command(Command::ResolveIncident { incident, by: "lead".to_owned(), actor: "test".to_owned() })
}

/// Four west was told, asked to be called when it is fixed, and has hung up.
fn waiting_for_the_fix() -> World {
    let mut world = desk();
    assert!(matches!(open(&mut world, charting()), Reply::Opened { incident: IncidentId(1) }));
    world.dial("4710");
    world.run_to(6_000);
    let heard = world.heard("4710");
    assert!(heard.iter().any(|(_, words)| words.contains("Known problem: charting is slow.")), "{heard:?}");
    assert!(heard.iter().any(|(_, words)| words.contains("For a call when it is fixed, press one.")), "{heard:?}");
    assert_eq!(world.sent("desk", "ana", "INVITE").len(), 1, "phones ring all the same");
    world.press("4710", '1');
    world.run_to(8_000);
    assert_eq!(world.sent("desk", "ana", "CANCEL").len(), 1, "the offers are withdrawn");
    let heard = world.heard("4710");
    assert!(heard.iter().any(|(_, words)| words.contains("Done. We will call four west.")), "{heard:?}");
    world.hang_up("4710");
    world.run(100);
    world
}

#[test]
fn whoever_asked_is_called_when_the_problem_is_fixed_and_not_before() {
    let mut world = waiting_for_the_fix();
    let ticket = world.ticket();
    assert_eq!(ticket.incident.as_ref().map(|told| told.incident), Some(IncidentId(1)));
    assert_eq!(ticket.callback.as_ref().map(|owed| owed.reason), Some(CallbackReason::Incident));
    assert_eq!(ticket.state(), Lifecycle::CallbackDue);
    world.seen.clear();
    // A day goes by, longer than any other callback is tried for.
    world.run(24 * 60 * MINUTE_MS);
    assert_eq!(world.sent("desk", "ana", "INVITE").len(), 0);
    assert_eq!((world.status().callbacks, world.status().callbacks_failed), (1, 0));
    world.pickup("ana", Pickup::Answers(1_000));
    world.pickup("4710", Pickup::Answers(1_000));
    assert!(matches!(resolve(&mut world, 1), Reply::Done));
    world.run(10_000);
    assert_eq!(world.joined().len(), 1, "{}", world.ladder());
    world.hang_up("4710");
    world.run(20_000);
    let callback = world.ticket().callback.expect("booked");
    assert_eq!((callback.state, callback.reason), (CallbackState::Done, CallbackReason::IncidentResolved));
    assert!(world.status().incidents.is_empty());
    world.expect_quiet();
}

#[test]
fn a_restart_remembers_the_problem_and_who_waits_for_its_end() {
    let mut world = waiting_for_the_fix();
    killed(&mut world);
    let known = world.status().incidents;
    assert_eq!(known.iter().map(|one| (one.id, one.what.clone())).collect::<Vec<_>>(), [(IncidentId(1), charting())]);
    world.run(10 * MINUTE_MS);
    assert_eq!((world.status().callbacks, world.status().callbacks_failed), (1, 0));
    world.seen.clear();
    assert!(matches!(resolve(&mut world, 1), Reply::Done));
    killed(&mut world);
    world.pickup("ana", Pickup::Answers(1_000));
    world.pickup("4710", Pickup::Answers(1_000));
    world.run(20_000);
    assert_eq!(world.joined().len(), 1, "due at once, by the process that follows: {}", world.ladder());
    world.hang_up("4710");
    world.run(20_000);
    assert!(world.status().incidents.is_empty());
    assert!(matches!(open(&mut world, charting()), Reply::Opened { incident: IncidentId(2) }), "no number twice");
    world.run(60_000);
}

#[test]
fn an_incident_is_told_in_words_of_the_version_in_force() {
    let mut world = desk();
    let mut next = desk_with(&[]);
    let config = Arc::get_mut(&mut next).expect("nobody else has it yet");
    config.prompts = Arc::new(Prompts::default().with_those_of(&config.prompts));
    let refused = |reply: Reply| {
        let Reply::Refused { reason } = reply else { panic!("{reply:?}") };
        reason
    };
    let sound = Trouble { prompt: PromptId::new("beep"), ..charting() };
    assert!(refused(open(&mut world, sound)).starts_with("no prompt is called beep"), "a sound tells nothing");
    assert!(matches!(open(&mut world, charting()), Reply::Opened { .. }));
    let Reply::Incidents { incidents } = world.command(Command::Incidents) else { panic!("no incidents") };
    assert_eq!(untold(&world.config, &incidents), None);
    let words = untold(&next, &incidents).expect("its recording is gone");
    assert!(words.starts_with("callers hear nothing of open incident 1 after a restart"), "{words}");
    world.publish(&next);
    assert!(refused(open(&mut world, charting())).starts_with("no prompt is called known-problem-charting"));
}

#[test]
fn a_problem_that_is_fixed_while_the_caller_stays_on_leaves_an_ordinary_callback() {
    let mut world = desk();
    open(&mut world, charting());
    world.dial("4710");
    world.run_to(6_000);
    world.press("4710", '1');
    world.run_to(7_000);
    assert!(matches!(resolve(&mut world, 1), Reply::Done));
    world.hang_up("4710");
    world.seen.clear();
    world.run(30_000);
    assert_eq!(world.sent("desk", "ana", "INVITE").len(), 1, "called back after the usual 20 s");
}

#[test]
fn only_those_whom_it_concerns_are_told() {
    let mut world = desk();
    open(&mut world, charting());
    // The ambulatory system has no such problem.
    world.dial("5310");
    world.run_to(6_000);
    assert!(!world.heard("5310").iter().any(|(_, words)| words.contains("Known problem")));
    world.hang_up("5310");
    world.run(100);
    assert!(matches!(resolve(&mut world, 1), Reply::Done));
    world.dial("4710");
    world.run(6_000);
    assert!(!world.heard("4710").iter().any(|(_, words)| words.contains("Known problem")));
}

#[test]
fn what_is_not_declared_is_refused_with_the_nearest_name_and_every_change_is_audited() {
    let mut world = desk();
    let mut refused = |what: Trouble| {
        let Reply::Refused { reason } = open(&mut world, what) else { panic!("taken") };
        reason
    };
    let named = refused(Trouble { system: SystemId::new("ehrr"), ..charting() });
    assert_eq!(named, "no system is called ehrr; did you mean ehr?");
    let named = refused(Trouble { module: Some(ModuleId::new("chartin")), ..charting() });
    assert_eq!(named, "no module is called chartin; did you mean charting?");
    let named = refused(Trouble { prompt: PromptId::new("known-problem-chart"), ..charting() });
    assert!(named.contains("did you mean known-problem-charting?"), "{named}");
    assert!(matches!(resolve(&mut world, 1), Reply::Refused { .. }));
    open(&mut world, charting());
    resolve(&mut world, 1);
    let audited = |event: &Event| {
        let Event::Audit { action, object, .. } = event else { return None };
        action.contains("incident").then(|| format!("{action} {object}"))
    };
    let audit: Vec<String> = world.records.iter().filter_map(|record| audited(&record.event)).collect();
    assert_eq!(audit, ["open incident 1", "resolve incident 1"]);
}

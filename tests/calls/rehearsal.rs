//! A hospital is in rehearsal until somebody lets it go live: its tickets say so, and nothing that was said is forgotten.

use wardline::config::cover::Gaps;
use wardline::golive::{Checklist, Evidence, Point, Progress, Subject, checklist};
use wardline::ids::{AnalystId, HospitalId};
use wardline::switch::{Command, Reply};
use wardline::ticket::{AnalystStateRecord, Event, Passage, Period, Standing, Standings, Vouched, figures};

use crate::phone::Pickup;
use crate::publishes::other_plan;
use crate::restart::{desk, killed};
use crate::world::World;

fn harbor() -> HospitalId {
    HospitalId::new("harbor")
}

fn pass(world: &mut World, passage: Passage) -> Reply {
    let (by, actor) = ("J. Kim".to_owned(), "kim".to_owned());
    world.command(Command::SetStanding { hospital: harbor(), passage, by, actor })
}

fn standings(world: &mut World) -> Standings {
    let Reply::Standings(standings) = world.command(Command::Standings) else { panic!("standings were asked for") };
    *standings
}

fn why(text: &str) -> String {
    text.to_owned()
}

/// A ward phone calls, Ana answers, and it hangs up.
fn call(world: &mut World) {
    world.pickup("ana", Pickup::Answers(1_000));
    world.dial("4710");
    world.run(7_000);
    world.hang_up("4710");
    world.run(20_000);
}

fn audit(world: &World) -> Vec<(String, String, Option<String>)> {
    let line = |event: &Event| {
        let Event::Audit { actor, action, reason, .. } = event else { return None };
        (actor == "kim").then(|| (actor.clone(), action.clone(), reason.clone()))
    };
    world.records.iter().filter_map(|record| line(&record.event)).collect()
}

fn list(world: &mut World) -> Checklist {
    let (standings, now) = (standings(world), world.switch_wall());
    let hospital = world.config.hospital(&harbor()).expect("the hospital");
    let mut evidence = Evidence::new(standings.of(&harbor()), now);
    world.tickets().values().for_each(|ticket| evidence.take(hospital, ticket));
    checklist(&Subject { config: &world.config, hospital, standings: &standings, gaps: &Gaps::default() }, &evidence)
}

#[test]
fn calls_of_a_hospital_in_rehearsal_say_so_and_stay_out_of_the_figures_until_it_is_live() {
    let mut world = desk();
    call(&mut world);
    assert_eq!(world.status().standings[&harbor()], Standing::Rehearsal);
    assert!(matches!(pass(&mut world, Passage::Override { reason: why("walked on Friday") }), Reply::Done));
    call(&mut world);
    let mut tickets: Vec<_> = world.tickets().into_values().collect();
    tickets.sort_by_key(|ticket| ticket.number);
    assert_eq!(tickets.iter().map(|ticket| ticket.rehearsal).collect::<Vec<_>>(), [true, false]);
    let period = Period { from: tickets[0].opened, to: jiff::Timestamp::MAX };
    let report = figures(&tickets, period, None, world.switch_wall());
    assert_eq!((report.tickets, report.counted, report.seconds_to_human.calls), (2, 1, 1));
    let left_out = &report.exclusions[0];
    assert_eq!(
        (left_out.reason, left_out.author.as_str(), &left_out.tickets[..]),
        ("rehearsal", "Wardline", &[tickets[0].number][..])
    );
    world.expect_quiet();
}

#[test]
fn a_standing_and_a_confirmation_outlive_the_process_and_a_new_version() {
    let mut world = desk();
    let (by, note, actor) = (why("J. Kim"), why("dialled 5555 on 4 West"), why("kim"));
    let confirm = Command::Confirm { hospital: harbor(), item: Vouched::CodeNumber, by, note, actor };
    assert!(matches!(world.command(confirm), Reply::Done));
    assert!(matches!(pass(&mut world, Passage::Override { reason: why("walked on Friday") }), Reply::Done));
    let said = standings(&mut world);
    assert!(!said.of(&harbor()).is_rehearsal());
    killed(&mut world);
    assert_eq!(standings(&mut world), said);
    world.publish(&other_plan());
    assert_eq!(standings(&mut world), said);
    call(&mut world);
    assert!(!world.ticket().rehearsal);
    assert_eq!(
        audit(&world),
        [
            (why("kim"), why("confirm code-number"), Some(why("J. Kim: dialled 5555 on 4 West"))),
            (why("kim"), why("declare live by override"), Some(why("J. Kim: walked on Friday"))),
        ]
    );
}

#[test]
fn a_live_hospital_is_declared_once_and_goes_back_to_rehearsal_with_a_reason() {
    let mut world = desk();
    assert!(matches!(pass(&mut world, Passage::Declare), Reply::Done));
    for again in [Passage::Declare, Passage::Override { reason: why("again") }] {
        let Reply::Refused { reason } = pass(&mut world, again) else { panic!("it is live already") };
        assert_eq!(reason, "harbor is live already");
    }
    assert!(matches!(pass(&mut world, Passage::Rehearse { reason: why("a new PBX") }), Reply::Done));
    killed(&mut world);
    call(&mut world);
    assert!(world.ticket().rehearsal);
    let by_mistake = Command::SetStanding {
        hospital: HospitalId::new("harbour"),
        passage: Passage::Declare,
        by: why("J. Kim"),
        actor: why("kim"),
    };
    let Reply::Refused { reason } = world.command(by_mistake) else { panic!("there is no such hospital") };
    assert_eq!(reason, "no hospital is called harbour; did you mean harbor?");
}

#[test]
fn one_call_of_the_walk_round_shows_its_unit_its_audio_its_key_and_its_analyst() {
    let mut world = desk();
    world.pickup("4000", Pickup::Answers(1_000));
    call(&mut world);
    world.dial("5310");
    world.run(2_000);
    world.press("5310", '9');
    world.run(8_000);
    world.hang_up("5310");
    world.run(20_000);
    let list = list(&mut world);
    let shown: Vec<_> =
        list.units.iter().map(|unit| (unit.unit.as_str(), unit.called, unit.audio, unit.keys)).collect();
    assert_eq!(shown, [("4-west", true, true, false), ("outpatient", true, true, true)], "4 West pressed no key");
    let line = |point| list.lines.iter().find(|line| line.point == point).expect("a line");
    assert!(!line(Point::Analysts).missing.contains(&"Ana".to_owned()));
    assert_eq!(line(Point::Operator).progress, Progress::Green, "key 9 reached the operator");
    assert_eq!(line(Point::OnCall).missing, ["Hal"]);
}

/// One call of a ward phone that this analyst answers, alone at the desk; a key is pressed while they talk.
fn walked_by(world: &mut World, phone: &str, analyst: &str) {
    let set = |world: &mut World, state| {
        let (analyst, actor) = (AnalystId::new(analyst), why("test"));
        world.command(Command::SetAnalystState { analyst, state, actor, reason: None });
    };
    set(world, AnalystStateRecord::Available);
    world.pickup(analyst, Pickup::Answers(500));
    world.dial(phone);
    world.run(3_000);
    // Outside it is asked for; whoever talks sends it to the other side.
    world.press(analyst, '1');
    // Whoever holds no qualification is rung as supervisor, once nobody else could be.
    world.run(30_000);
    world.press(phone, '5');
    world.run(2_000);
    world.hang_up(phone);
    world.run(40_000);
    set(world, AnalystStateRecord::SignedOut);
    world.pickup(analyst, Pickup::Rings);
}

#[test]
fn a_hospital_that_was_walked_by_real_calls_and_vouched_for_is_declared_live_and_its_calls_count() {
    let mut world = World::new(&[]);
    world.with_phone("cho", |phone, now| phone.register(now));
    world.run(1_000);
    world.pickup("4000", Pickup::Answers(1_000));
    for (phone, analyst) in [("4710", "ana"), ("4710", "ben"), ("4711", "cho"), ("4711", "dev"), ("5310", "eva")] {
        walked_by(&mut world, phone, analyst);
    }
    for (phone, analyst) in [("5310", "finn"), ("5311", "gus"), ("4712", "hal"), ("4710", "ivy")] {
        walked_by(&mut world, phone, analyst);
    }
    world.dial("5310");
    world.run(2_000);
    world.press("5310", '9');
    world.run(8_000);
    world.hang_up("5310");
    world.run(20_000);
    let open = |list: &Checklist| list.open().map(|line| (line.point, line.missing.clone())).collect::<Vec<_>>();
    let vouched = [Point::Places, Point::CodeNumber, Point::Emergency].map(|point| (point, Vec::<String>::new()));
    assert_eq!(open(&list(&mut world)), vouched, "what calls can show is shown");
    for item in [Vouched::Places, Vouched::CodeNumber, Vouched::Emergency] {
        let (by, note, actor) = (why("J. Kim"), why("seen on the round"), why("kim"));
        let confirm = Command::Confirm { hospital: harbor(), item, by, note, actor };
        assert!(matches!(world.command(confirm), Reply::Done));
    }
    assert!(list(&mut world).green);
    assert!(matches!(pass(&mut world, Passage::Declare), Reply::Done));
    assert!(matches!(world.status().standings[&harbor()], Standing::Declared { .. }));
    let before = world.tickets().len();
    walked_by(&mut world, "4710", "ana");
    let tickets: Vec<_> = world.tickets().into_values().collect();
    let counting = tickets.iter().filter(|ticket| !ticket.rehearsal).count();
    assert_eq!((tickets.len(), counting), (before + 1, 1), "calls from the declaration on count");
}

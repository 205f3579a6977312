//! What holds whatever happens: random people, random calls, random answers.

use proptest::prelude::*;

use super::fixture::*;
use super::world::*;
use crate::routing::hunt::ACCEPT_WITHIN;
use crate::routing::*;
use crate::time::{Duration, Instant};

const NAMES: [&str; 8] = ["ana", "ben", "cho", "dee", "eva", "fay", "gus", "hal"];

/// What a person is, and whether they are at the desk.
#[derive(Clone, Debug)]
struct Someone {
    modules: Option<Vec<&'static str>>,
    on_call: bool,
    shared_mobile: bool,
    supervisor: bool,
    presence: Presence,
    reachable: bool,
    idle_s: u64,
}

fn someone() -> impl Strategy<Value = Someone> {
    let modules =
        prop_oneof![Just(None), Just(Some(vec![])), Just(Some(vec!["charting"])), Just(Some(vec!["orders"])),];
    let presence = prop_oneof![
        3 => Just(Presence::Available),
        1 => Just(Presence::SignedOut),
        1 => Just(Presence::Paused { reason: None }),
    ];
    (modules, any::<bool>(), any::<bool>(), any::<bool>(), presence, any::<bool>(), 0_u64..600).prop_map(
        |(modules, on_call, shared_mobile, supervisor, presence, reachable, idle_s)| Someone {
            modules,
            on_call,
            shared_mobile,
            supervisor,
            presence,
            reachable,
            idle_s,
        },
    )
}

fn hire(name: &str, someone: &Someone) -> Analyst {
    let mut analyst = person(name);
    if let Some(modules) = &someone.modules {
        analyst = holding(analyst, "epic-prod", modules);
    }
    analyst.supervisor = someone.supervisor;
    if someone.on_call {
        analyst.on_call = Schedule::Always;
        analyst.phones.push(mobile(if someone.shared_mobile { "shared" } else { name }));
    }
    analyst
}

fn open(people: &[Someone]) -> World {
    let named = || NAMES.iter().zip(people);
    let mut desk = Desk::new();
    for (name, someone) in named() {
        desk.restore(&id(name), someone.presence.clone(), Duration::from_secs(someone.idle_s), 0, at(0));
        desk.set_reachable(&id(name), someone.reachable);
    }
    World::new(staff(named().map(|(name, someone)| hire(name, someone))), desk)
}

/// What happens next: to a call of the world, or at the desk.
#[derive(Clone, Debug)]
enum Happens {
    Call(Option<&'static str>, Option<usize>),
    Given(u128, usize, Given),
    Desk(usize, AtDesk),
}

#[derive(Clone, Copy, Debug)]
enum Given {
    Ringing,
    PickedUp,
    Ended(OfferOutcome),
    Stop,
}

#[derive(Clone, Copy, Debug)]
enum AtDesk {
    SignsIn,
    SignsOut,
    PhoneGone,
    PhoneBack,
    HangsUp,
}

fn happens() -> impl Strategy<Value = Happens> {
    let module = prop_oneof![Just(None), Just(Some("charting")), Just(Some("orders"))];
    let outcome = prop_oneof![
        Just(OfferOutcome::Answered),
        Just(OfferOutcome::NoAnswer),
        Just(OfferOutcome::Busy),
        Just(OfferOutcome::Declined),
        Just(OfferOutcome::Unreachable),
        Just(OfferOutcome::NotAccepted),
    ];
    let given = prop_oneof![
        4 => Just(Given::Ringing),
        1 => Just(Given::PickedUp),
        3 => outcome.prop_map(Given::Ended),
        1 => Just(Given::Stop),
    ];
    let desk = prop_oneof![
        Just(AtDesk::SignsIn),
        Just(AtDesk::SignsOut),
        Just(AtDesk::PhoneGone),
        Just(AtDesk::PhoneBack),
        Just(AtDesk::HangsUp),
    ];
    prop_oneof![
        2 => (module, proptest::option::of(0..NAMES.len())).prop_map(|(module, back)| Happens::Call(module, back)),
        4 => (1_u128..6, 0..NAMES.len(), given).prop_map(|(call, who, given)| Happens::Given(call, who, given)),
        2 => (0..NAMES.len(), desk).prop_map(|(who, desk)| Happens::Desk(who, desk)),
    ]
}

fn happen(world: &mut World, calls: &mut u128, what: &Happens) {
    match what {
        Happens::Call(module, back) => {
            *calls += 1;
            let back = back.map(|position| id(NAMES[position]));
            world.begin(*calls, Hunting::standard(), need_of("epic-prod", *module), back);
        }
        Happens::Given(number, who, given) => {
            let analyst = id(NAMES[*who]);
            let input = match given {
                Given::Ringing => HuntInput::Ringing { analyst },
                Given::PickedUp => HuntInput::PickedUp { analyst },
                Given::Ended(outcome) => HuntInput::Ended { analyst, outcome: *outcome },
                Given::Stop => HuntInput::Stop,
            };
            world.give(call(*number), input);
        }
        Happens::Desk(who, desk) => {
            let analyst = id(NAMES[*who]);
            match desk {
                AtDesk::SignsIn => world.desk.declare(&analyst, Presence::Available, world.now),
                AtDesk::SignsOut => world.desk.declare(&analyst, Presence::SignedOut, world.now),
                AtDesk::PhoneGone => world.desk.set_reachable(&analyst, false),
                AtDesk::PhoneBack => world.desk.set_reachable(&analyst, true),
                AtDesk::HangsUp => {
                    if let Some(call) = world.desk.holder(&analyst)
                        && world.desk.occupied(&analyst) == Occupied::OnCall
                    {
                        world.desk.hung_up(&analyst, call, world.now, Duration::from_secs(5));
                    }
                }
            }
            world.settle();
        }
    }
}

/// Written apart from the filter: what "may be rung as one of this group" means, for the people made here.
fn may(world: &World, choice: &Choice, need: &Need) -> bool {
    let analyst = world.staff.get(&choice.analyst).expect("one of the staff");
    let holds = analyst.qualifications.iter().any(|held| match (&held.modules, &need.module) {
        (Modules::All, _) | (_, None) => true,
        (Modules::Only(modules), Some(module)) => modules.contains(module),
    });
    match choice.who {
        Who::Qualified | Who::WrapUp => holds,
        Who::OnCall => holds && analyst.on_call == Schedule::Always,
        Who::Supervisor => analyst.supervisor,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_happens_the_hunts_keep_their_promises(
        people in prop::collection::vec(someone(), 1..=NAMES.len()),
        script in prop::collection::vec((0_u64..8_000, happens()), 1..60),
    ) {
        let mut world = open(&people);
        let mut calls = 0;
        let mut begun: Vec<Instant> = Vec::new();
        let mut millis = 0;
        for (pause, what) in &script {
            millis += pause;
            world.run_to(millis);
            happen(&mut world, &mut calls, what);
            // One analyst never has two offers.
            world.alerted();
            while begun.len() < usize::try_from(calls).expect("few calls") {
                begun.push(world.now);
            }
        }
        world.run_to(millis + 200_000);

        // Every hunt ends, and within its time.
        for (number, since) in (1_u128..).zip(&begun) {
            let over = world.over.get(&call(number));
            prop_assert!(over.is_some(), "call {number} hunts for ever");
            prop_assert!(over.is_some_and(|over| over.since(*since) <= Duration::from_secs(90) + ACCEPT_WITHIN));
        }
        prop_assert!(world.line.is_empty());
        prop_assert!(world.alerted().is_empty());

        for decision in &world.decisions {
            // Nobody outside the rung's filter is ever chosen.
            for choice in &decision.chosen {
                prop_assert!(may(&world, choice, &decision.need), "{choice:?}");
                prop_assert!(decision.inputs.who.contains(&choice.who));
            }
            // Replaying gives the same people, through the journal too.
            let chosen: Vec<_> = decision.chosen.iter().map(|choice| choice.analyst.clone()).collect();
            let text = serde_json::to_string(decision).expect("plain data");
            let read: Decision = serde_json::from_str(&text).expect("what was written");
            prop_assert_eq!(replay(&read), chosen);
        }
    }

    #[test]
    fn everybody_of_the_hospital_is_chosen_or_passed_over_with_words(
        people in prop::collection::vec(someone(), 1..=NAMES.len()),
    ) {
        let world = open(&people);
        for rung in Hunting::standard().rungs {
            let decision = choose(&world.staff, &world.desk, &charting(), &Ask::first(&rung, 2, at(0), monday()));
            let named = decision.chosen.len() + decision.passed_over.len();
            let counted: usize = decision.others.iter().map(|others| others.count).sum();
            prop_assert_eq!(named + counted, people.len());
            prop_assert!(decision.passed_over.iter().all(|passed| !passed.because.is_empty()));
        }
    }

    #[test]
    fn what_a_decision_of_a_large_desk_leaves_out_changes_no_choice(
        people in prop::collection::vec((someone(), 0_u8..6), 20..60),
        at_once in 1_u8..6,
        back in 0_usize..60,
    ) {
        let names: Vec<String> = (0..people.len()).map(|number| format!("p{number:02}")).collect();
        let mut desk = Desk::new();
        let mut so_far = std::collections::BTreeMap::new();
        for (name, (someone, so)) in names.iter().zip(&people) {
            desk.restore(&id(name), someone.presence.clone(), Duration::from_secs(someone.idle_s), 0, at(0));
            desk.set_reachable(&id(name), someone.reachable);
            match so {
                0 => _ = so_far.insert(id(name), WithThisCall::Tried),
                1 => _ = so_far.insert(id(name), WithThisCall::Rung { who: Who::Qualified, counts: someone.on_call }),
                _ => {}
            }
        }
        let staff = staff(names.iter().zip(&people).map(|(name, (someone, _))| hire(name, someone)));
        let back = names.get(back).map(|name| id(name));
        let groups = [Who::Qualified, Who::WrapUp, Who::OnCall, Who::Supervisor];
        for who in [&groups[..1], &groups[2..], &groups[..]] {
            let rung = rung("any", who);
            let ask = Ask { so_far: &so_far, continuity: back.as_ref(), ..Ask::first(&rung, at_once, at(0), monday()) };
            let decision = choose(&staff, &desk, &charting(), &ask);
            let chosen: Vec<_> = decision.chosen.iter().map(|choice| choice.analyst.clone()).collect();
            prop_assert_eq!(replay(&decision), chosen);
            let counted: usize = decision.others.iter().map(|others| others.count).sum();
            prop_assert_eq!(decision.chosen.len() + decision.passed_over.len() + counted, people.len());
            prop_assert!(decision.inputs.people.len() + decision.inputs.unlisted == people.len());
        }
    }
}

//! The ladder's part of the proof, against hunts of the router itself: a supervisor's rung first, then the qualified.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ulid::Ulid;

use super::any_plan::Rng;
use crate::ids::{AnalystId, CallId, HospitalId, Language, RungId, SystemId};
use crate::proof::ladder::Coverage;
use crate::routing::{
    Analyst, Desk, Hunt, HuntAction, HuntInput, Hunting, Level, Modules, Need, OfferOutcome, Phone, PhoneKind,
    PhoneUse, Presence, Qualification, Releases, Rung, Schedule, Staff, Who,
};
use crate::time::{Duration, Instant};

const CALL: CallId = CallId(Ulid(1));

fn need() -> Need {
    Need {
        hospital: HospitalId::new("sample"),
        site: None,
        system: Some(SystemId::new("ehr")),
        module: None,
        release: None,
        language: Language::new("en"),
        level: Level::Basic,
    }
}

fn analyst(name: &str, supervisor: bool) -> Analyst {
    let mut analyst = Analyst::new(AnalystId::new(name), name, TimeZone::UTC);
    analyst.hospitals = BTreeSet::from([HospitalId::new("sample")]);
    analyst.languages = BTreeSet::from([Language::new("en")]);
    let kind = PhoneKind::Registered { user: name.to_owned() };
    analyst.phones = vec![Phone { kind, outside: false, usage: PhoneUse::Desk }];
    analyst.supervisor = supervisor;
    analyst.on_call = Schedule::Always;
    if !supervisor {
        analyst.qualifications.push(Qualification {
            hospital: None,
            system: SystemId::new("ehr"),
            modules: Modules::All,
            level: Level::Basic,
            releases: Releases::Any,
            attested: None,
            evidence: None,
            valid_from: None,
            valid_until: None,
        });
    }
    analyst
}

/// When the qualified analyst's phone first rings. Supervisors let it ring, give no sign, or decline, as the seed says.
fn qualified_rings(hunting: &Hunting, supervisors: usize, seed: u64) -> Option<Duration> {
    let mut rng = Rng(seed);
    let names: Vec<String> = (0..supervisors).map(|number| format!("supervisor-{number}")).collect();
    let people = names.iter().map(|name| analyst(name, true)).chain([analyst("qualified", false)]);
    let staff = Staff::new(people).expect("no name twice");
    let mut desk = Desk::new();
    for name in names.iter().map(String::as_str).chain(["qualified"]) {
        desk.restore(&AnalystId::new(name), Presence::Available, Duration::from_secs(60), 0, Instant::ZERO);
        desk.set_reachable(&AnalystId::new(name), true);
    }
    let (mut now, mut hunt) = (Instant::ZERO, Hunt::new(hunting.clone(), need(), None));
    let mut inputs = vec![HuntInput::Begin];
    loop {
        for input in std::mem::take(&mut inputs) {
            if let HuntInput::Ended { analyst, outcome } = &input {
                desk.ended(analyst, CALL, *outcome, now);
            }
            hunt.handle(now, input, &staff, &desk, Timestamp::UNIX_EPOCH);
        }
        while let Some(action) = hunt.poll() {
            match action {
                HuntAction::Reserve { analyst, phones } => {
                    let kinds = phones.into_iter().map(|phone| phone.kind).collect();
                    let granted = desk.reserve(&analyst, CALL, kinds, now);
                    inputs.push(HuntInput::Reserved { analyst, granted });
                }
                HuntAction::Ring { analyst, .. } if analyst.as_str() == "qualified" => {
                    return Some(now.since(Instant::ZERO));
                }
                HuntAction::Ring { analyst, ring_for, .. } => {
                    desk.offered(&analyst, CALL, now, now + ring_for + Duration::from_secs(20));
                    match rng.below(4) {
                        0 => {}
                        1 => inputs.push(HuntInput::Ended { analyst, outcome: OfferOutcome::Declined }),
                        _ => inputs.push(HuntInput::Ringing { analyst }),
                    }
                }
                HuntAction::Withdraw { analyst, outcome } => desk.ended(&analyst, CALL, outcome, now),
                HuntAction::Decided(_) | HuntAction::News(_) => {}
            }
        }
        if inputs.is_empty() {
            now = hunt.poll_timeout()?;
            inputs.push(HuntInput::Tick);
        }
    }
}

fn rung(name: &str, who: Who, after: Option<u64>) -> Rung {
    let ring_for = Duration::from_secs(30);
    Rung { id: RungId::new(name), who: vec![who], ring_for, after: after.map(Duration::from_secs) }
}

#[test]
fn no_hunt_rings_the_qualified_later_than_their_rung_is_proved_to_begin() {
    let ladders = [
        (vec![rung("chief", Who::Supervisor, None), rung("desk", Who::Qualified, Some(15))], Some(15)),
        (
            vec![
                rung("chief", Who::Supervisor, None),
                rung("desk", Who::Qualified, None),
                rung("night", Who::OnCall, Some(25)),
            ],
            Some(25),
        ),
        (vec![rung("desk", Who::Qualified, None), rung("chief", Who::Supervisor, Some(5))], Some(0)),
        (vec![rung("chief", Who::Supervisor, None), rung("desk", Who::Qualified, None)], None),
        (vec![rung("chief", Who::Supervisor, None), rung("desk", Who::Qualified, Some(95))], None),
    ];
    for (rungs, within) in ladders {
        let hunting = Hunting { rungs, ..Hunting::standard() };
        let coverage = Coverage::of(&hunting);
        assert_eq!(coverage.rung, Some(RungId::new("desk")));
        assert_eq!(coverage.within, within.map(Duration::from_secs));
        let rings = (0..200u64).map(|seed| qualified_rings(&hunting, seed as usize % 5, seed));
        let worst = rings.map(|rings| rings.unwrap_or(Duration::MAX)).max().expect("200 hunts");
        match coverage.within {
            // Attained, too: a supervisor's phone rings all the time.
            Some(within) => assert_eq!(worst, within),
            // Four supervisors, one after the other, outlast the ringing.
            None => assert_eq!(worst, Duration::MAX),
        }
    }
}

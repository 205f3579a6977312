//! A small hospital to choose in: Mercy Harbor, its meridian-lab and epic-prod, and people made in one line each.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use ulid::Ulid;

use crate::ids::{AnalystId, CallId, HospitalId, Language, ModuleId, RungId, SystemId, TrunkId};
use crate::routing::*;
use crate::time::{Duration, Instant};

/// A Monday, 10:00 in Chicago.
pub fn monday() -> Timestamp {
    date(2026, 6, 1).at(10, 0, 0, 0).to_zoned(zone()).expect("a plain morning").timestamp()
}

pub fn zone() -> TimeZone {
    TimeZone::get("America/Chicago").expect("bundled with jiff")
}

pub fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

pub fn id(name: &str) -> AnalystId {
    AnalystId::new(name)
}

pub fn call(number: u128) -> CallId {
    CallId(Ulid(number))
}

/// Charting of epic-prod at Mercy Harbor, in English.
pub fn charting() -> Need {
    Need {
        hospital: HospitalId::new("mercy-harbor"),
        site: None,
        system: Some(SystemId::new("epic-prod")),
        module: Some(ModuleId::new("charting")),
        release: None,
        language: Language::new("en"),
        level: Level::Basic,
    }
}

pub fn need_of(system: &str, module: Option<&str>) -> Need {
    Need { system: Some(SystemId::new(system)), module: module.map(ModuleId::new), ..charting() }
}

/// At the desk with a registered phone and an English tongue, qualified for nothing.
pub fn person(name: &str) -> Analyst {
    let mut analyst = Analyst::new(id(name), name, zone());
    analyst.hospitals = BTreeSet::from([HospitalId::new("mercy-harbor")]);
    analyst.languages = BTreeSet::from([Language::new("en")]);
    analyst.phones = vec![desk_phone(name)];
    analyst
}

pub fn holding(mut analyst: Analyst, system: &str, modules: &[&str]) -> Analyst {
    analyst.qualifications.push(qualification(system, modules));
    analyst
}

/// At the desk, charting of epic-prod.
pub fn charter(name: &str) -> Analyst {
    holding(person(name), "epic-prod", &["charting"])
}

/// Charting of epic-prod, on call at a mobile day and night.
pub fn on_call(name: &str) -> Analyst {
    let mut analyst = charter(name);
    analyst.on_call = Schedule::Always;
    analyst.phones.push(mobile(name));
    analyst
}

pub fn supervisor(name: &str) -> Analyst {
    let mut analyst = person(name);
    analyst.supervisor = true;
    analyst.phones.push(mobile(name));
    analyst
}

pub fn qualification(system: &str, modules: &[&str]) -> Qualification {
    Qualification {
        hospital: None,
        system: SystemId::new(system),
        modules: match modules {
            [] => Modules::All,
            modules => Modules::Only(modules.iter().map(|module| ModuleId::new(module)).collect()),
        },
        level: Level::Basic,
        releases: Releases::Any,
        attested: None,
        evidence: None,
        valid_from: None,
        valid_until: None,
    }
}

pub fn desk_phone(user: &str) -> Phone {
    Phone { kind: PhoneKind::Registered { user: user.to_owned() }, outside: false, usage: PhoneUse::Desk }
}

pub fn mobile(number: &str) -> Phone {
    let kind = PhoneKind::Trunk { trunk: TrunkId::new("carrier"), number: number.to_owned() };
    Phone { kind, outside: true, usage: PhoneUse::OnCall }
}

pub fn staff(people: impl IntoIterator<Item = Analyst>) -> Staff {
    Staff::new(people).expect("no name twice")
}

/// Everybody signed in with a registered phone, the first of the list idle longest, one second apart.
pub fn all_signed_in(names: &[&str]) -> Desk {
    let mut desk = Desk::new();
    for (place, name) in names.iter().enumerate() {
        sign_in(&mut desk, name, Duration::from_secs(600 - place as u64));
    }
    desk
}

pub fn sign_in(desk: &mut Desk, name: &str, idle_for: Duration) {
    desk.restore(&id(name), Presence::Available, idle_for, 0, at(0));
    desk.set_reachable(&id(name), true);
}

/// Puts somebody on a conversation that has nothing to do with the test.
pub fn engage(desk: &mut Desk, name: &str) {
    assert!(desk.reserve(&id(name), call(999), vec![desk_phone(name).kind], at(0)));
    desk.ended(&id(name), call(999), OfferOutcome::Answered, at(0));
}

pub fn rung(name: &str, who: &[Who]) -> Rung {
    Rung { id: RungId::new(name), who: who.to_vec(), ring_for: Duration::from_secs(20), after: None }
}

pub fn names(chosen: &[Choice]) -> Vec<&str> {
    chosen.iter().map(|choice| choice.analyst.as_str()).collect()
}

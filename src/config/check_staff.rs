//! Checks of the people against the hospitals they serve, and the [`Staff`] that comes out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use crate::config::Surroundings;
use crate::config::check::{Files, own_trunk};
use crate::config::raw_analysts::{RawAnalyst, RawPhone, RawQualification, Reach};
use crate::config::raw_hospital::{HospitalFile, known, unknown};
use crate::config::reader::{Problems, Spanned};
use crate::config::tree::Place;
use crate::ids::{AnalystId, HospitalId, ModuleId, SiteId, SystemId};
use crate::release::ReleaseLine;
use crate::routing::{
    Analyst, Hours, Modules, Phone, PhoneKind, PhoneUse, Qualification, Releases, Schedule, Span, Staff, Weekly,
};

type Hospitals = BTreeMap<HospitalId, HospitalFile>;

pub fn check(files: &Files, hospitals: &Hospitals, surroundings: &Surroundings, problems: &Problems) -> Staff {
    let mut seen: BTreeMap<&AnalystId, &Place> = BTreeMap::new();
    let mut users: BTreeMap<&str, &Place> = BTreeMap::new();
    let mut analysts = Vec::new();
    let mut nowhere: BTreeMap<&HospitalId, Vec<&Spanned<HospitalId>>> = BTreeMap::new();
    for raw in &files.analysts {
        if let Some(first) = seen.insert(&raw.id, &raw.place) {
            let finding = raw.place.error(format!("analyst `{}` is declared twice", raw.id)).remedy("keep one of them");
            problems.push(finding.related(&first.file, first.span.clone(), "first declared here"));
            continue;
        }
        for hospital in &raw.hospitals {
            if files.hospitals_complete && !hospitals.contains_key(&hospital.value) {
                nowhere.entry(&hospital.value).or_default().push(hospital);
            }
        }
        let served = served(raw, hospitals);
        check_sites(raw, &served, problems);
        check_phones(raw, files, hospitals, &mut users, problems);
        for qualification in &raw.qualifications {
            check_qualification(qualification, raw, &served, surroundings, problems);
        }
        if !raw.has_qualifications && !raw.supervisor {
            let finding =
                raw.place.warning(format!("analyst `{}` holds no qualification and is no supervisor", raw.id));
            problems.push(finding.why("no call will ever ring there").remedy("add `qualifications`"));
        }
        analysts.push(analyst(raw, served.first().copied()));
    }
    serve_nowhere(&nowhere, hospitals, problems);
    match Staff::new(analysts) {
        Ok(staff) => with_releases(staff, hospitals),
        Err(error) => {
            if let Some(first) = files.analysts.first() {
                problems.push(first.place.error(error.to_string()).remedy("declare fewer"));
            }
            Staff::default()
        }
    }
}

/// With what runs at the hospitals, and from when.
fn with_releases(staff: Staff, hospitals: &Hospitals) -> Staff {
    let lines = hospitals.iter().flat_map(|(id, file)| {
        let known = file.parts.systems.iter().filter_map(|system| Some((&system.id, system.releases.clone()?)));
        known.map(move |(system, line)| (id, system, line))
    });
    lines.fold(staff, |staff, (hospital, system, line)| staff.with_release(hospital, system, line))
}

/// The hospitals an analyst serves, those that exist.
fn served<'a>(raw: &RawAnalyst, hospitals: &'a Hospitals) -> Vec<&'a HospitalFile> {
    raw.hospitals.iter().filter_map(|hospital| hospitals.get(&hospital.value)).collect()
}

/// Other places of one mistake that its finding shows.
const MAX_PLACES: usize = 4;

/// A slip in the id of a hospital is one mistake, however many people serve there.
fn serve_nowhere(
    nowhere: &BTreeMap<&HospitalId, Vec<&Spanned<HospitalId>>>,
    hospitals: &Hospitals,
    problems: &Problems,
) {
    for places in nowhere.values() {
        let Some((first, others)) = places.split_first() else { continue };
        let mut finding = unknown(first, "hospital", hospitals.keys().map(HospitalId::as_str));
        for other in others.iter().take(MAX_PLACES) {
            finding = finding.related(&other.place.file, other.place.span.clone(), "and here");
        }
        if others.len() > MAX_PLACES {
            finding = finding.why(format!("{} analysts name it", places.len()));
        }
        problems.push(finding);
    }
}

fn check_sites(raw: &RawAnalyst, served: &[&HospitalFile], problems: &Problems) {
    let names: BTreeSet<&str> = served.iter().flat_map(|file| &file.names.sites).map(SiteId::as_str).collect();
    // A hospital that is unknown has been reported; its sites cannot be judged.
    if served.len() == raw.hospitals.len() {
        for site in raw.sites.iter().flatten() {
            known(site, "site", names.iter().copied(), problems);
        }
    }
}

fn check_phones<'a>(
    raw: &'a RawAnalyst,
    files: &Files,
    hospitals: &Hospitals,
    users: &mut BTreeMap<&'a str, &'a Place>,
    problems: &Problems,
) {
    if !raw.has_phones {
        let finding = raw.place.error(format!("analyst `{}` has no phone", raw.id));
        problems.push(finding.remedy("add phones = [{ register = \"user\" }]"));
    }
    for phone in &raw.phones {
        match &phone.reach {
            Reach::Sip(_) => {}
            Reach::Registered(user) => {
                if let Some(first) = users.insert(&user.value, &user.place) {
                    let finding = user.place.error(format!("two phones register as `{}`", user.value));
                    let finding = finding.remedy("give each phone a user name of its own");
                    problems.push(finding.related(&first.file, first.span.clone(), "first used here"));
                }
            }
            Reach::Trunk { trunk, .. } => {
                let owner = files.node.trunk_names.get(&trunk.value).and_then(|places| places.hospital.as_ref());
                let owner = owner.map(|owner| &owner.value);
                let serves = |id: &HospitalId| raw.hospitals.iter().any(|hospital| hospital.value == *id);
                if owner.is_none_or(|owner| hospitals.contains_key(owner) && !serves(owner)) {
                    let first = raw.hospitals.first().map(|hospital| hospital.value.clone());
                    own_trunk(trunk, &first.unwrap_or_else(|| HospitalId::new("")), files, problems);
                }
            }
        }
    }
}

fn check_qualification(
    held: &RawQualification,
    raw: &RawAnalyst,
    served: &[&HospitalFile],
    surroundings: &Surroundings,
    problems: &Problems,
) {
    if let Some(hospital) = &held.hospital {
        known(hospital, "hospital of this analyst", raw.hospitals.iter().map(|own| own.value.as_str()), problems);
    }
    let mut systems: BTreeMap<&SystemId, BTreeSet<&str>> = BTreeMap::new();
    let counts = |file: &&&HospitalFile| held.hospital.as_ref().is_none_or(|only| only.value == file.id.value);
    for (system, modules) in served.iter().filter(counts).flat_map(|file| &file.names.systems) {
        systems.entry(system).or_default().extend(modules.iter().map(ModuleId::as_str));
    }
    if served.len() == raw.hospitals.len() && !served.is_empty() {
        known(&held.system, "system", systems.keys().map(|id| id.as_str()), problems);
    }
    if let Some(modules) = systems.get(&held.system.value) {
        for module in held.modules.iter().flatten() {
            known(module, &format!("module of `{}`", held.system.value), modules.iter().copied(), problems);
        }
    }
    let of_system = served.iter().filter(counts).flat_map(|file| &file.parts.systems);
    let lines: Vec<&ReleaseLine> = of_system
        .filter(|system| system.id == held.system.value)
        .filter_map(|system| system.releases.as_ref())
        .collect();
    check_releases(held, raw, &lines, problems);
    let zone = served.first().map_or(TimeZone::UTC, |file| file.time_zone.clone());
    let today = zone.to_datetime(surroundings.now).date();
    if let Some(Spanned { value, place }) = held.valid_until.as_ref().filter(|until| until.value < today) {
        let finding = place.warning(format!("this qualification of `{}` expired on {value}", raw.id));
        problems.push(finding.why("no call is routed by it").remedy("renew it or remove it"));
    }
}

/// Old releases may stand in the list, but one that runs or is announced should.
fn check_releases(held: &RawQualification, raw: &RawAnalyst, lines: &[&ReleaseLine], problems: &Problems) {
    let Some(named) = held.releases.as_ref().filter(|_| !lines.is_empty()) else { return };
    let declared = || lines.iter().flat_map(|line| line.names());
    if let Some(last) = named.last().filter(|_| !named.iter().any(|name| declared().any(|known| known == name.value))) {
        let what = format!("this qualification of `{}` counts for no release of `{}`", raw.id, held.system.value);
        let names: Vec<&str> = declared().collect();
        let finding = last.place.warning(what).why(format!("it runs, or will run, {}", names.join(", ")));
        problems.push(finding.nearest(&last.value, names).remedy("name the release, or remove the qualification"));
    }
}

/// The checked person. Shifts and dates are read in the first hospital's time zone.
fn analyst(raw: &RawAnalyst, home: Option<&HospitalFile>) -> Analyst {
    let zone = home.map_or(TimeZone::UTC, |file| file.time_zone.clone());
    let holidays: Vec<Date> = home.map(|file| file.holidays.iter().copied().collect()).unwrap_or_default();
    let mut analyst = Analyst::new(raw.id.clone(), &raw.name, zone.clone());
    analyst.hospitals = raw.hospitals.iter().map(|hospital| hospital.value.clone()).collect();
    analyst.sites = raw.sites.as_ref().map(|sites| sites.iter().map(|site| site.value.clone()).collect());
    analyst.languages = raw.languages.clone();
    analyst.phones = raw.phones.iter().map(phone).collect();
    analyst.qualifications = raw.qualifications.iter().map(qualification).collect();
    analyst.supervisor = raw.supervisor;
    if !raw.shifts.is_empty() {
        let exceptions = holidays.iter().map(|holiday| (*holiday, Vec::new())).collect();
        analyst.shifts = Schedule::Weekly(Weekly { zone: zone.clone(), spans: raw.shifts.clone(), exceptions });
    }
    if !raw.on_call.is_empty() {
        let exceptions = holidays.iter().map(|holiday| (*holiday, holiday_duty(&raw.on_call, *holiday))).collect();
        analyst.on_call = Schedule::Weekly(Weekly { zone, spans: raw.on_call.clone(), exceptions });
    }
    analyst
}

/// Whoever is on call for a part of a holiday is on call for the whole of it, as nobody is on shift.
fn holiday_duty(on_call: &[Span], holiday: Date) -> Vec<Hours> {
    let mut hours: Vec<Hours> =
        on_call.iter().filter(|span| span.begins_on(holiday.weekday())).map(|span| span.hours).collect();
    if !hours.is_empty() {
        hours.push(Hours { from: Time::midnight(), until: Time::midnight() });
    }
    hours
}

fn phone(raw: &RawPhone) -> Phone {
    let kind = match &raw.reach {
        Reach::Registered(user) => PhoneKind::Registered { user: user.value.clone() },
        Reach::Sip(uri) => PhoneKind::Sip { uri: uri.clone() },
        Reach::Trunk { trunk, number } => {
            PhoneKind::Trunk { trunk: trunk.value.clone(), number: number.value.to_string() }
        }
    };
    let usage: PhoneUse = raw.usage;
    Phone { kind, outside: raw.outside, usage }
}

fn qualification(raw: &RawQualification) -> Qualification {
    let modules = raw.modules.as_ref().map(|modules| modules.iter().map(|module| module.value.clone()).collect());
    let names = |releases: &Vec<Spanned<String>>| releases.iter().map(|release| release.value.clone()).collect();
    let releases = raw.releases.as_ref().map(names);
    Qualification {
        hospital: raw.hospital.as_ref().map(|hospital| hospital.value.clone()),
        system: raw.system.value.clone(),
        modules: modules.map_or(Modules::All, Modules::Only),
        level: raw.level,
        releases: releases.map_or(Releases::Any, Releases::Only),
        attested: raw.attested,
        evidence: raw.evidence.clone(),
        valid_from: raw.valid_from,
        valid_until: raw.valid_until.as_ref().map(|until| until.value),
    }
}

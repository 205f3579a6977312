//! One `hospital*.toml` as written: read into a [`crate::identity::Directory`] and its numbers. What the file names within itself is
//! checked here; what it names elsewhere (trunks, plans, prompts) is kept with its place for `check`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::config::grammar::HOSPITAL;
use crate::config::hospital::Calendar;
use crate::config::lockout;
use crate::config::reader::{Fields, Problems, Spanned};
use crate::config::tree::{Place, Tree};
use crate::config::values::NumberRange;
use crate::diagnostic::Diagnostic;
use crate::identity::{Clinician, DirectoryParts, LockoutRules, Numbers, Phone, PhoneClass, Site, System, Unit};
use crate::ids::{
    CalendarId, ClinicianId, Extension, HospitalId, Language, ModuleId, PlanId, PromptId, SiteId, SystemId, TargetId,
    TrunkId, UnitId,
};
use crate::ivr::condition::Pattern;
use crate::release::{GoLive, ReleaseLine};

/// The largest hospital has some 20,000 phones; more lines are a runaway export.
pub const MAX_PHONES: usize = 50_000;
/// A badge that is keyed on a phone.
const MAX_BADGE_DIGITS: usize = 12;

/// A hospital's file, before it is tied to the others.
#[derive(Debug)]
pub struct HospitalFile {
    pub id: Spanned<HospitalId>,
    pub name: String,
    pub time_zone: TimeZone,
    pub languages: Vec<Spanned<Language>>,
    pub trunk: Option<Spanned<TrunkId>>,
    pub operator: Option<Spanned<Extension>>,
    pub code_numbers: Vec<Spanned<Extension>>,
    pub hotlines: Vec<RawHotline>,
    pub targets: Vec<RawTarget>,
    pub holidays: BTreeSet<Date>,
    pub calendars: BTreeMap<CalendarId, Calendar>,
    pub callbacks_outside: Vec<Pattern>,
    pub lockout: LockoutRules,
    pub parts: DirectoryParts,
    pub unit_places: BTreeMap<UnitId, Place>,
    pub system_places: BTreeMap<SystemId, Place>,
    /// Prompts that units and systems name, and which of the two kinds.
    pub spoken: Vec<Spanned<PromptId>>,
    /// Everything declared, also what could not be read whole.
    pub names: Names,
}

#[derive(Debug)]
pub struct RawHotline {
    pub number: Spanned<Extension>,
    pub plan: Spanned<PlanId>,
    pub language: Option<Spanned<Language>>,
}

#[derive(Debug)]
pub struct RawTarget {
    pub id: TargetId,
    pub name: String,
    pub number: Spanned<Extension>,
    pub trunk: Option<Spanned<TrunkId>>,
    pub outside: bool,
}

/// What a hospital declares, for references.
#[derive(Debug, Default)]
pub struct Names {
    pub sites: BTreeSet<SiteId>,
    pub units: BTreeSet<UnitId>,
    pub systems: BTreeMap<SystemId, BTreeSet<ModuleId>>,
    pub people: BTreeSet<ClinicianId>,
    pub calendars: BTreeSet<CalendarId>,
}

impl Names {
    fn collect(fields: &Fields<'_>) -> Names {
        let modules = |name: &'static str| -> BTreeMap<SystemId, BTreeSet<ModuleId>> {
            let systems = fields.entries_of(name).into_iter();
            systems.map(|(key, tree)| (SystemId::new(key), crate::config::reader::texts(tree, "modules"))).collect()
        };
        let keys = |name: &'static str| fields.entries_of(name).into_iter().map(|(key, _)| key);
        Names {
            sites: keys("sites").map(SiteId::new).collect(),
            units: keys("units").map(UnitId::new).collect(),
            systems: modules("systems"),
            people: keys("people").map(ClinicianId::new).collect(),
            calendars: keys("calendars").map(CalendarId::new).collect(),
        }
    }
}

/// Reports a name that is not declared, with the nearest one that is.
pub fn known<'a, T: std::fmt::Display>(
    reference: &Spanned<T>,
    what: &str,
    declared: impl Iterator<Item = &'a str> + Clone,
    problems: &Problems,
) -> bool {
    let written = reference.value.to_string();
    if declared.clone().any(|name| name == written) {
        return true;
    }
    problems.push(unknown(reference, what, declared));
    false
}

/// The finding on a reference to nothing, with the nearest of what is declared.
pub fn unknown<'a, T: std::fmt::Display>(
    reference: &Spanned<T>,
    what: &str,
    declared: impl Iterator<Item = &'a str> + Clone,
) -> Diagnostic {
    let written = reference.value.to_string();
    let mut finding = reference.place.error(format!("unknown {what} `{written}`")).nearest(&written, declared.clone());
    if finding.nearest.is_none() {
        let names: Vec<&str> = declared.take(12).collect();
        finding.remedy = Some(match names.is_empty() {
            true => format!("declare the {what} first"),
            false => format!("declare it, or name one of: {}", names.join(", ")),
        });
    }
    finding
}

/// Reads the tree of a hospital's file; `file` names it in findings.
pub fn read(tree: &Tree, file: &str, problems: &Problems) -> Option<HospitalFile> {
    let fields = Fields::of(tree, file, &HOSPITAL, problems)?;
    let names = Names::collect(&fields);
    let id = fields.required::<Spanned<HospitalId>>("id", "\"mercy-harbor\"");
    let name = fields.required::<String>("name", "\"Mercy Harbor\"").unwrap_or_default();
    let time_zone = fields.required::<TimeZone>("time_zone", "\"America/New_York\"").unwrap_or(TimeZone::UTC);
    let languages = read_languages(&fields);
    let trunk = fields.required("trunk", "\"pbx\"");
    let operator = fields.required("operator", "\"4000\"");
    let code_numbers = fields.optional("code_numbers").unwrap_or_default();
    let inside_digits = fields.optional::<Vec<usize>>("inside_digits");
    let holidays = fields.optional::<Vec<Date>>("holidays").unwrap_or_default();
    let hotlines = read_hotlines(&fields);
    let (mut spoken, mut unit_places, mut system_places) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    let sites = read_sites(&fields);
    let systems = read_systems(&fields, &time_zone, &mut spoken, &mut system_places);
    let units = read_units(&fields, &names, &mut spoken, &mut unit_places);
    let mut phones = read_phones(&fields, &names);
    let clinicians = read_people(&fields, &mut phones);
    check_overlaps(&phones, problems);
    let phones: Vec<Phone> = phones.into_iter().map(|phone| phone.value).collect();
    let inside_digits = inside_digits.unwrap_or_else(|| lengths(&phones));
    let parts = DirectoryParts { sites, units, systems, phones, clinicians, inside_digits };
    let targets = read_targets(&fields);
    let calendars = read_calendars(&fields);
    let callbacks_outside = fields.or("callbacks_outside", Vec::new());
    let lockout = lockout::read(fields.table("lockout"));
    let holidays = holidays.into_iter().collect();
    drop(fields);
    Some(HospitalFile {
        id: id?,
        name,
        time_zone,
        languages,
        trunk,
        operator,
        code_numbers,
        hotlines,
        targets,
        holidays,
        calendars,
        callbacks_outside,
        lockout,
        parts,
        unit_places,
        system_places,
        spoken,
        names,
    })
}

fn read_languages(fields: &Fields<'_>) -> Vec<Spanned<Language>> {
    let read = fields.required::<Vec<Spanned<Language>>>("languages", "[\"en\"]");
    if read.as_ref().is_some_and(Vec::is_empty) {
        let finding = fields.key_place("languages").error("a desk needs a language to speak");
        fields.problems.push(finding.remedy("write languages = [\"en\"]"));
    }
    read.unwrap_or_default()
}

/// Without `inside_digits`: numbers as long as those on the map are inside.
fn lengths(phones: &[Phone]) -> Vec<usize> {
    let digits = phones.iter().filter(|phone| phone.unit.is_some()).map(|phone| match &phone.numbers {
        Numbers::One(number) => number.as_str().len(),
        Numbers::Range { digits, .. } => *digits,
    });
    digits.collect::<BTreeSet<usize>>().into_iter().collect()
}

fn read_hotlines(fields: &Fields<'_>) -> Vec<RawHotline> {
    let named = fields.named("hotlines", "hotline");
    if named.is_empty() {
        let finding = fields.key_place("hotlines").error("no hotline is declared, so nobody can call the desk");
        fields.problems.push(finding.remedy("add [hotlines.7100] with plan = \"hotline\""));
    }
    let mut hotlines = Vec::new();
    for (name, entry) in named {
        let plan = entry.required("plan", "\"hotline\"");
        let language = entry.optional("language");
        if !crate::config::values::dialable(&name.value) {
            let finding = name.place.error(format!("`{}` is no number to dial", name.value));
            entry.problems.push(finding.remedy("name a hotline by its number: [hotlines.7100]"));
        }
        let number = Spanned { value: Extension::new(&name.value), place: name.place };
        hotlines.extend(plan.map(|plan| RawHotline { number, plan, language }));
    }
    hotlines
}

fn read_calendars(fields: &Fields<'_>) -> BTreeMap<CalendarId, Calendar> {
    let named = fields.named("calendars", "calendar").into_iter();
    let calendar = |(name, entry): (Spanned<String>, Fields<'_>)| {
        let (days, hours) = (entry.or("days", Vec::new()), entry.optional("hours"));
        let (from, until) = (entry.optional("from"), entry.optional::<Spanned<Date>>("until"));
        if let (Some(from), Some(until)) = (from, &until)
            && until.value < from
        {
            let finding = until.place.error(format!("calendar `{}` is over before it begins", name.value));
            entry.problems.push(finding.remedy(format!("write a day from {from} on")));
        }
        let until = until.map(|until| until.value);
        let holiday = entry.optional("holiday");
        (CalendarId::new(&name.value), Calendar { days, hours, holiday, from, until })
    };
    named.map(calendar).collect()
}

fn read_sites(fields: &Fields<'_>) -> Vec<Site> {
    let named = fields.named("sites", "site").into_iter();
    let site = |(name, entry): (Spanned<String>, Fields<'_>)| {
        Some(Site { id: SiteId::new(&name.value), name: entry.required("name", "\"Main campus\"")? })
    };
    named.filter_map(site).collect()
}

fn read_systems(
    fields: &Fields<'_>,
    zone: &TimeZone,
    spoken: &mut Vec<Spanned<PromptId>>,
    places: &mut BTreeMap<SystemId, Place>,
) -> Vec<System> {
    let mut systems = Vec::new();
    for (name, entry) in fields.named("systems", "system") {
        let title = entry.or("name", name.value.clone());
        let product = entry.required::<String>("product", "\"Meridian\"");
        let instance = entry.or("instance", name.value.clone());
        let environment = entry.or("environment", "production".to_owned());
        let releases = read_releases(&entry, zone);
        let modules = entry.required::<Vec<ModuleId>>("modules", "[\"charting\", \"orders\"]").unwrap_or_default();
        let prompt = entry.optional::<Spanned<PromptId>>("spoken");
        let id = SystemId::new(&name.value);
        let Some(product) = product else { continue };
        let (environment, said) = (environment, prompt.as_ref().map(|prompt| prompt.value.clone()));
        spoken.extend(prompt);
        places.insert(id.clone(), name.place);
        systems.push(System { id, name: title, product, instance, environment, releases, modules, spoken: said });
    }
    systems
}

/// What runs now and what is announced, in the order in which it goes live.
fn read_releases(entry: &Fields<'_>, zone: &TimeZone) -> Option<ReleaseLine> {
    let first = entry.optional::<Spanned<String>>("release");
    let mut later: Vec<(GoLive, Place)> = Vec::new();
    let mut names: BTreeSet<String> = first.iter().map(|first| first.value.clone()).collect();
    for announced in entry.tables("releases", "a release") {
        let release = announced.required::<Spanned<String>>("release", "\"2026.2\"");
        let clock = announced.required::<Spanned<DateTime>>("from", "\"2027-03-06T02:00\"");
        let (Some(release), Some(clock)) = (release, clock) else { continue };
        if !names.insert(release.value.clone()) {
            let finding = release.place.error(format!("release `{}` is written twice", release.value));
            entry.problems.push(finding.remedy("keep the one that tells when it goes live"));
        }
        // A time that the clocks skip is read as the one after the gap; of a time that they repeat, the first is meant.
        let Ok(from) = zone.to_ambiguous_timestamp(clock.value).compatible() else { continue };
        if let Some((before, place)) = later.last().filter(|(before, _)| from <= before.from) {
            let what = format!("release `{}` goes live no later than `{}` before it", release.value, before.release);
            let finding = clock.place.error(what).remedy("write the releases in the order in which they go live");
            entry.problems.push(finding.related(&place.file, place.span.clone(), "the one before"));
        }
        later.push((GoLive { release: release.value, from, clock: clock.value }, clock.place));
    }
    match (first, later.first()) {
        (Some(first), _) => {
            Some(ReleaseLine::new(&first.value, later.into_iter().map(|(go_live, _)| go_live).collect()))
        }
        (None, Some(_)) if !entry.has("release") => {
            let finding = entry.key_place("releases").error("`releases` says not what runs before the first of them");
            entry.problems.push(finding.remedy("add release = \"…\": what runs until then"));
            None
        }
        (None, _) => None,
    }
}

fn read_units(
    fields: &Fields<'_>,
    names: &Names,
    spoken: &mut Vec<Spanned<PromptId>>,
    places: &mut BTreeMap<UnitId, Place>,
) -> Vec<Unit> {
    let mut units = Vec::new();
    for (name, entry) in fields.named("units", "unit") {
        let id = UnitId::new(&name.value);
        places.insert(id.clone(), name.place.clone());
        let title = entry.or("name", name.value.clone());
        let site = entry.required::<Spanned<SiteId>>("site", "\"hotline\"");
        let system = entry.optional::<Spanned<SystemId>>("system");
        let prompt = entry.optional::<Spanned<PromptId>>("spoken");
        let said = prompt.as_ref().map(|prompt| prompt.value.clone());
        spoken.extend(prompt);
        let known_system = |system: &Spanned<SystemId>| {
            known(system, "system", names.systems.keys().map(SystemId::as_str), entry.problems)
        };
        let system = system.filter(known_system).map(|system| system.value);
        let Some(site) = site else { continue };
        known(&site, "site", names.sites.iter().map(SiteId::as_str), entry.problems);
        units.push(Unit { id, site: site.value, name: title, spoken: said, system });
    }
    units
}

fn read_phones(fields: &Fields<'_>, names: &Names) -> Vec<Spanned<Phone>> {
    let tables = fields.tables("extensions", "an extension");
    tables.iter().filter_map(|entry| read_phone(entry, names)).collect()
}

fn read_phone(entry: &Fields<'_>, names: &Names) -> Option<Spanned<Phone>> {
    let number = entry.required::<Spanned<NumberRange>>("number", "\"4710\"");
    let class = entry.or("class", PhoneClass::Ward);
    let unit = entry.optional::<Spanned<UnitId>>("unit");
    let system = entry.optional::<Spanned<SystemId>>("system");
    let module = entry.optional::<Spanned<ModuleId>>("module");
    let person = entry.optional::<Spanned<ClinicianId>>("person");
    let (room, workstation) = (entry.optional("room"), entry.optional("workstation"));
    let problems = entry.problems;
    if let Some(unit) = &unit {
        known(unit, "unit", names.units.iter().map(UnitId::as_str), problems);
    } else if person.is_none() && !entry.has("person") && !entry.has("unit") {
        let finding = entry.place.error("an extension belongs to a unit, a person or both");
        problems.push(finding.remedy("add unit = \"4-west\""));
    }
    if let Some(system) = &system {
        known(system, "system", names.systems.keys().map(SystemId::as_str), problems);
    }
    if let Some(module) = &module {
        let of_system = |system: &Spanned<SystemId>| names.systems.get(&system.value);
        let modules: BTreeSet<&str> = match system.as_ref().and_then(of_system) {
            Some(modules) => modules.iter().map(ModuleId::as_str).collect(),
            None => names.systems.values().flatten().map(ModuleId::as_str).collect(),
        };
        known(module, "module", modules.iter().copied(), problems);
    }
    if let Some(person) = &person {
        known(person, "person", names.people.iter().map(ClinicianId::as_str), problems);
    }
    let number = number?;
    let numbers = match number.value {
        NumberRange::One(extension) => Numbers::One(extension),
        NumberRange::Many { digits, first, last } => Numbers::Range { digits, first, last },
    };
    let phone = Phone {
        numbers,
        class,
        unit: unit.map(|unit| unit.value),
        room,
        workstation,
        system: system.map(|system| system.value),
        module: module.map(|module| module.value),
        person: person.map(|person| person.value),
    };
    Some(Spanned { value: phone, place: number.place })
}

/// Two lines may name the same number only when one is a single number inside a range: then it is the exception.
fn check_overlaps(phones: &[Spanned<Phone>], problems: &Problems) {
    let mut single: BTreeMap<&Extension, &Place> = BTreeMap::new();
    let mut ranges: Vec<(usize, u64, u64, &Place)> = Vec::new();
    for phone in phones {
        match &phone.value.numbers {
            Numbers::One(number) => match single.get(number) {
                Some(first) => {
                    let finding = phone.place.error(format!("extension {number} is declared twice"));
                    let finding = finding.remedy("keep one of the two lines");
                    problems.push(finding.related(&first.file, first.span.clone(), "first declared here"));
                }
                None => {
                    single.insert(number, &phone.place);
                }
            },
            Numbers::Range { digits, first, last } => ranges.push((*digits, *first, *last, &phone.place)),
        }
    }
    ranges.sort_by_key(|(digits, first, last, place)| (*digits, *first, *last, place.span.start));
    for pair in ranges.windows(2) {
        let [(digits, _, last, one), (other_digits, first, other_last, other)] = pair else { continue };
        if digits == other_digits && first <= last {
            let shared = format!("{first:0digits$}-{:0digits$}", last.min(other_last), digits = *digits);
            let finding = other.error(format!("these ranges of extensions overlap in {shared}"));
            let finding = finding.remedy("part them; a single number may be an exception inside a range");
            problems.push(finding.related(&one.file, one.span.clone(), "the other range"));
        }
    }
}

/// People, and a line of the map for each of their own phones that has none yet.
fn read_people(fields: &Fields<'_>, phones: &mut Vec<Spanned<Phone>>) -> Vec<Clinician> {
    let mut people = Vec::new();
    let mut badges: BTreeMap<String, Place> = BTreeMap::new();
    for (name, entry) in fields.named("people", "person") {
        let id = ClinicianId::new(&name.value);
        let title = entry.required::<String>("name", "\"Dr. Rao\"");
        let role = entry.optional("role");
        let language = entry.optional("language");
        let badge = read_badge(&entry, &mut badges);
        for number in entry.optional::<Vec<Spanned<Extension>>>("phones").unwrap_or_default() {
            own_phone(&id, number, phones);
        }
        people.extend(title.map(|name| Clinician { id, name, role, badge, language }));
    }
    people
}

fn read_badge(entry: &Fields<'_>, badges: &mut BTreeMap<String, Place>) -> Option<String> {
    let badge = entry.optional::<Spanned<String>>("badge")?;
    let digits = badge.value.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || badge.value.len() > MAX_BADGE_DIGITS {
        let finding = badge.place.error("a badge number that is keyed on a phone has 1 to 12 digits, nothing else");
        entry.problems.push(finding.remedy("write the digits of the badge in quotes"));
        return None;
    }
    if let Some(first) = badges.insert(badge.value.clone(), badge.place.clone()) {
        let finding = badge.place.error("two people have this badge number").remedy("correct one of them");
        entry.problems.push(finding.related(&first.file, first.span, "first used here"));
    }
    Some(badge.value)
}

fn own_phone(id: &ClinicianId, number: Spanned<Extension>, phones: &mut Vec<Spanned<Phone>>) {
    let own = Numbers::One(number.value.clone());
    if let Some(phone) = phones.iter_mut().find(|phone| phone.value.numbers == own && phone.value.person.is_none()) {
        phone.value.person = Some(id.clone());
        return;
    }
    let phone = Phone {
        numbers: own,
        class: PhoneClass::Office,
        unit: None,
        room: None,
        workstation: None,
        system: None,
        module: None,
        person: Some(id.clone()),
    };
    phones.push(Spanned { value: phone, place: number.place });
}

fn read_targets(fields: &Fields<'_>) -> Vec<RawTarget> {
    let mut targets = Vec::new();
    for (name, entry) in fields.named("targets", "target") {
        let title = entry.or("name", name.value.clone());
        let number = entry.required::<Spanned<Extension>>("number", "\"4100\"");
        let (trunk, outside) = (entry.optional("trunk"), entry.or("outside", false));
        if name.value == "operator" {
            let finding = name.place.error("the target `operator` is declared by the key `operator`");
            entry.problems.push(finding.remedy("remove it here"));
            continue;
        }
        let id = TargetId::new(&name.value);
        targets.extend(number.map(|number| RawTarget { id, name: title, number, trunk, outside }));
    }
    targets
}

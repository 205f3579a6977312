//! The cover against live routing, asked at every quarter of an hour; and what clocks, holidays, last days and releases do.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime, Time, Weekday, date, time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::any_plan::Rng;
use crate::ids::{AnalystId, HospitalId, Language, ModuleId, RungId, SiteId, SystemId, TrunkId};
use crate::proof::coverage::heatmap::{Cell, day};
use crate::proof::coverage::{Because, Cover, Demand, Row, Wanted, Window, cover, hours, spells};
use crate::release::{GoLive, ReleaseLine};
use crate::routing::qualify::judge;
use crate::routing::{
    Analyst, Ask, Attestation, Desk, Hours, Level, Modules, Need, Phone, PhoneKind, PhoneUse, Presence, Qualification,
    Releases, Rung, Schedule, Span, Staff, Weekly, Who, choose,
};
use crate::time::{Duration, Instant};

const MODULES: [&str; 3] = ["charting", "orders", "results"];
const QUARTER: SignedDuration = SignedDuration::from_mins(15);

fn new_york() -> TimeZone {
    TimeZone::get("America/New_York").expect("bundled with jiff")
}

fn clock(text: &str) -> Timestamp {
    let clock: DateTime = text.parse().expect("a date and time");
    clock.to_zoned(new_york()).expect("a time").timestamp()
}

fn hospital() -> HospitalId {
    HospitalId::new("mercy")
}

fn demand() -> Demand {
    let modules = MODULES.map(ModuleId::new).to_vec();
    Demand {
        hospital: hospital(),
        zone: new_york(),
        language: Language::new("en"),
        level: Level::Basic,
        rings_at_work: true,
        rings_on_call: true,
        systems: vec![Wanted { system: SystemId::new("ehr"), modules, sites: Vec::new() }],
    }
}

fn all_of_ehr() -> Qualification {
    Qualification {
        hospital: None,
        system: SystemId::new("ehr"),
        modules: Modules::All,
        level: Level::Basic,
        releases: Releases::Any,
        attested: None,
        evidence: None,
        valid_from: None,
        valid_until: None,
    }
}

/// Holds everything, and has a phone for each duty.
fn analyst(name: &str) -> Analyst {
    let mut analyst = Analyst::new(AnalystId::new(name), name, new_york());
    analyst.hospitals = BTreeSet::from([hospital()]);
    analyst.languages = BTreeSet::from([Language::new("en")]);
    let mobile = PhoneKind::Trunk { trunk: TrunkId::new("pbx"), number: "12025550117".to_owned() };
    analyst.phones = vec![
        Phone { kind: PhoneKind::Registered { user: name.to_owned() }, outside: false, usage: PhoneUse::Desk },
        Phone { kind: mobile, outside: true, usage: PhoneUse::OnCall },
    ];
    analyst.qualifications = vec![all_of_ehr()];
    analyst
}

const DAYS: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

fn weekly(days: &[Weekday], from: Time, until: Time) -> Schedule {
    let spans = vec![Span::new(days.iter().copied(), from, until)];
    Schedule::Weekly(Weekly { zone: new_york(), spans, exceptions: Default::default() })
}

fn working(name: &str, from: Time, until: Time) -> Analyst {
    let mut analyst = analyst(name);
    analyst.shifts = weekly(&DAYS, from, until);
    analyst
}

fn staff(people: impl IntoIterator<Item = Analyst>) -> Staff {
    Staff::new(people).expect("no name twice")
}

fn of(staff: &Staff, first: Date, weeks: u8) -> Cover {
    let window = Window::of_days(first, &new_york(), weeks).expect("within the calendar");
    cover(staff, &demand(), window)
}

fn only(cover: &Cover) -> &Row {
    let [row] = cover.rows.as_slice() else { panic!("{:#?}", cover.rows) };
    row
}

fn told(cover: &Cover, row: &Row) -> Vec<String> {
    spells(&row.holes(), &cover.zone, cover.window)
}

fn upgrade(clock_text: &str) -> ReleaseLine {
    let from = clock(clock_text);
    let go_live = GoLive { release: "2".to_owned(), from, clock: clock_text.parse().expect("a date and time") };
    ReleaseLine::new("1", vec![go_live])
}

// -- Against live routing ---------------------------------------------------------------------------------------------

/// Everybody signed in and in reach.
fn full_desk(staff: &Staff) -> Desk {
    let mut desk = Desk::new();
    for one in staff.iter() {
        desk.restore(&one.id, Presence::Available, Duration::from_secs(60), 0, Instant::from_millis(0));
        desk.set_reachable(&one.id, true);
    }
    desk
}

/// People on shift, and others on call, whom the router would ring at this instant.
fn rung(staff: &Staff, desk: &Desk, module: &ModuleId, site: Option<&SiteId>, wall: Timestamp) -> (usize, usize) {
    let need = Need {
        hospital: hospital(),
        site: site.cloned(),
        system: Some(SystemId::new("ehr")),
        module: Some(module.clone()),
        release: None,
        language: Language::new("en"),
        level: Level::Basic,
    };
    let id = RungId::new("any");
    let rung = Rung { id, who: vec![Who::Qualified, Who::OnCall], ring_for: Duration::from_secs(20), after: None };
    let decision = choose(staff, desk, &need, &Ask::first(&rung, 255, Instant::from_millis(0), wall));
    assert_eq!(decision.inputs.unlisted, 0, "everybody is listed, or the test counts too few");
    let people = &decision.inputs.people;
    let unscheduled = |id: &AnalystId| staff.get(id).is_some_and(|one| one.shifts == Schedule::Always);
    let fits = |who| {
        let fitting = people.iter().filter(|person| judge(person, who, &need).is_ok());
        fitting.map(|person| person.id.clone()).collect::<BTreeSet<AnalystId>>()
    };
    let mut at_work = fits(Who::Qualified);
    at_work.retain(|id| !unscheduled(id));
    let on_call = fits(Who::OnCall).difference(&at_work).count();
    (at_work.len(), on_call)
}

fn any_time(rng: &mut Rng) -> Time {
    let quarter = i8::try_from(rng.below(96)).expect("below 96");
    time(quarter / 4, quarter % 4 * 15, 0, 0)
}

fn any_schedule(rng: &mut Rng, zone: &TimeZone) -> Schedule {
    let spans = (0..=rng.below(2)).map(|_| {
        let days: Vec<Weekday> = DAYS.into_iter().filter(|_| rng.below(2) == 0).collect();
        Span::new(days, any_time(rng), any_time(rng))
    });
    let spans = spans.collect();
    let mut exceptions = std::collections::BTreeMap::new();
    if rng.below(2) == 0 {
        let all_day = Hours { from: Time::midnight(), until: Time::midnight() };
        exceptions.insert(date(2026, 10, 30), if rng.below(2) == 0 { Vec::new() } else { vec![all_day] });
    }
    Schedule::Weekly(Weekly { zone: zone.clone(), spans, exceptions })
}

fn any_day(rng: &mut Rng) -> Option<Date> {
    let day = i8::try_from(rng.below(14)).expect("below 14");
    (rng.below(3) == 0).then(|| date(2026, 10, 26).saturating_add(jiff::Span::new().days(i64::from(day))))
}

fn any_analyst(rng: &mut Rng, place: usize) -> Analyst {
    let mut one = analyst(&format!("analyst-{place}"));
    // Midnight and clock changes come at other instants there.
    one.zone = TimeZone::get(["America/New_York", "Europe/Berlin", "UTC"][rng.below(3)]).expect("bundled with jiff");
    one.shifts = if rng.below(5) == 0 { Schedule::Always } else { any_schedule(rng, &one.zone.clone()) };
    one.on_call = if rng.below(2) == 0 { Schedule::Never } else { any_schedule(rng, &one.zone.clone()) };
    if rng.below(4) == 0 {
        one.sites = Some(BTreeSet::from([SiteId::new("north")]));
    }
    if rng.below(4) == 0 {
        one.phones.remove(rng.below(2));
    }
    one.qualifications = (0..=rng.below(2))
        .map(|_| {
            let named = ["1", "2"].into_iter().filter(|_| rng.below(2) == 0).map(str::to_owned).collect();
            let modules = MODULES.into_iter().filter(|_| rng.below(2) == 0).map(ModuleId::new).collect();
            let (valid_from, valid_until) = (any_day(rng), any_day(rng));
            Qualification {
                modules: if rng.below(2) == 0 { Modules::All } else { Modules::Only(modules) },
                releases: if rng.below(2) == 0 { Releases::Any } else { Releases::Only(named) },
                attested: any_day(rng),
                valid_from,
                valid_until,
                ..all_of_ehr()
            }
        })
        .collect();
    one
}

#[test]
fn at_every_quarter_of_an_hour_the_cover_is_what_live_routing_would_ring() {
    for seed in 0..12 {
        let mut rng = Rng(seed);
        let people: Vec<Analyst> = (0..6).map(|place| any_analyst(&mut rng, place)).collect();
        let mut staff = staff(people).with_release(&hospital(), &SystemId::new("ehr"), upgrade("2026-11-04T02:20"));
        if rng.below(2) == 0 {
            staff.attest(Attestation {
                withdrawn: false,
                analyst: AnalystId::new("analyst-0"),
                hospital: Some(hospital()),
                system: SystemId::new("ehr"),
                modules: Some(BTreeSet::from([ModuleId::new("orders")])),
                release: "2".to_owned(),
                evidence: "course".to_owned(),
                by: "Ivy".to_owned(),
                made: clock("2026-10-26T09:00"),
            });
        }
        let mut demand = demand();
        demand.systems[0].sites = ["north", "south"].map(SiteId::new).to_vec();
        // Berlin leaves daylight time within it, and New York a week later.
        let window = Window::of_days(date(2026, 10, 24), &new_york(), 2).expect("within the calendar");
        let cover = cover(&staff, &demand, window);
        let desk = full_desk(&staff);
        for module in MODULES.map(ModuleId::new) {
            for site in ["north", "south"].map(SiteId::new) {
                let mine =
                    |row: &&Row| row.modules.contains(&module) && (row.sites.is_empty() || row.sites.contains(&site));
                let rows: Vec<&Row> = cover.rows.iter().filter(mine).collect();
                let [row] = rows.as_slice() else { panic!("seed {seed}: {} rows for {module} at {site}", rows.len()) };
                let (mut at, mut quarters) = (window.from, 0);
                while at < window.until {
                    let counted = row.at(at).map(|stretch| (stretch.on_shift, stretch.on_call));
                    let expected = rung(&staff, &desk, &module, Some(&site), at);
                    assert_eq!(counted, Some(expected), "seed {seed}: {module} at {site}, {at}");
                    (at, quarters) = (at + QUARTER, quarters + 1);
                }
                assert_eq!(quarters, 14 * 96 + 4, "the day on which New York's clocks go back has 100");
            }
        }
    }
}

// -- Clocks and calendars ---------------------------------------------------------------------------------------------

#[test]
fn the_day_on_which_clocks_go_forward_has_92_quarters_and_a_night_shift_an_hour_less() {
    let staff = staff([working("ana", time(22, 0, 0, 0), time(6, 0, 0, 0))]);
    let cover = of(&staff, date(2027, 3, 14), 1);
    let row = only(&cover);
    let sunday: Vec<_> = row.when(|stretch| stretch.people() == 1).into_iter().take(1).collect();
    assert_eq!(hours(&sunday), "5 h", "from midnight until six, less the hour from two until three");
    let cells = day(row, date(2027, 3, 14), &new_york());
    assert_eq!(cells.iter().filter(|cell| **cell == Cell::None).count(), 4);
    assert_eq!(cells[8..12], [Cell::None; 4]);
    assert_eq!(cover.window.until.duration_since(cover.window.from), SignedDuration::from_hours(7 * 24 - 1));
}

#[test]
fn the_day_on_which_clocks_go_back_has_100_quarters_and_a_night_shift_an_hour_more() {
    let staff = staff([working("ana", time(22, 0, 0, 0), time(6, 0, 0, 0))]);
    let cover = of(&staff, date(2026, 11, 1), 1);
    let sunday: Vec<_> = only(&cover).when(|stretch| stretch.people() == 1).into_iter().take(1).collect();
    assert_eq!(hours(&sunday), "7 h");
    assert_eq!(hours(&only(&cover).holes()), "112 h", "sixteen hours of each day");
    assert_eq!(cover.window.until.duration_since(cover.window.from), SignedDuration::from_hours(7 * 24 + 1));
}

#[test]
fn a_holiday_has_no_shifts_and_whoever_is_on_call_has_all_of_it() {
    let thanksgiving = date(2026, 11, 26);
    let mut day_shift = working("ana", time(8, 0, 0, 0), time(20, 0, 0, 0));
    let mut nights = analyst("bo");
    let all_day = Hours { from: Time::midnight(), until: Time::midnight() };
    nights.on_call = weekly(&DAYS, time(20, 0, 0, 0), time(6, 0, 0, 0));
    for (schedule, hours) in [(&mut day_shift.shifts, vec![]), (&mut nights.on_call, vec![all_day])] {
        let Schedule::Weekly(weekly) = schedule else { panic!("weekly hours") };
        weekly.exceptions.insert(thanksgiving, hours);
    }
    let cover = of(&staff([day_shift, nights]), date(2026, 11, 23), 1);
    let row = only(&cover);
    // Thursday is covered by Bo alone, all day; Friday morning by nobody, as Thursday's night duty gave way to it.
    let expected = [
        "Mon 2026-11-23 06:00–08:00",
        "Tue 2026-11-24 06:00–08:00",
        "Wed 2026-11-25 06:00–08:00",
        "Fri 2026-11-27 00:00–08:00",
        "Sat 2026-11-28 06:00–08:00",
        "Sun 2026-11-29 06:00–08:00",
    ];
    assert_eq!(told(&cover, row), expected);
    let noon = row.at(clock("2026-11-26T12:00")).expect("within");
    assert_eq!((noon.on_shift, noon.on_call, noon.single.as_ref().map(AnalystId::as_str)), (0, 1, Some("bo")));
}

#[test]
fn whoever_has_no_shifts_is_named_and_not_counted() {
    let cover = of(&staff([analyst("ana"), working("bo", time(8, 0, 0, 0), time(20, 0, 0, 0))]), date(2026, 12, 7), 1);
    let row = only(&cover);
    assert_eq!(row.whenever, [AnalystId::new("ana")]);
    assert_eq!(hours(&row.holes()), "84 h", "half of the week, whether Ana is there or not");
}

#[test]
fn somebody_on_shift_and_on_call_at_once_is_one_person() {
    let mut ana = working("ana", time(8, 0, 0, 0), time(20, 0, 0, 0));
    ana.on_call = weekly(&DAYS, time(12, 0, 0, 0), time(22, 0, 0, 0));
    let cover = of(&staff([ana]), date(2026, 12, 7), 1);
    let at = |text| only(&cover).at(clock(text)).map(|stretch| (stretch.on_shift, stretch.on_call));
    assert_eq!(at("2026-12-07T13:00"), Some((1, 0)));
    assert_eq!(at("2026-12-07T21:00"), Some((0, 1)));
}

#[test]
fn on_call_covers_nothing_where_no_plan_rings_it() {
    let mut ana = analyst("ana");
    ana.on_call = Schedule::Always;
    let window = Window::of_days(date(2026, 12, 7), &new_york(), 1).expect("within the calendar");
    let staff = staff([ana]);
    assert!(cover(&staff, &demand(), window).is_whole());
    assert!(!cover(&staff, &Demand { rings_on_call: false, ..demand() }, window).is_whole());
}

#[test]
fn what_comes_back_every_week_is_told_once_with_the_weeks_that_lack_it() {
    let weekdays = &DAYS[..5];
    let mut ana = analyst("ana");
    ana.shifts = weekly(weekdays, time(0, 0, 0, 0), time(14, 30, 0, 0));
    let mut bo = analyst("bo");
    bo.shifts = weekly(&DAYS, time(19, 0, 0, 0), time(0, 0, 0, 0));
    let mut cy = analyst("cy");
    cy.shifts = weekly(&DAYS[5..], time(0, 0, 0, 0), time(19, 0, 0, 0));
    // On one Friday Cy stands in.
    let Schedule::Weekly(weekly) = &mut cy.shifts else { panic!("weekly hours") };
    weekly.exceptions.insert(date(2026, 12, 18), vec![Hours { from: time(14, 0, 0, 0), until: time(19, 0, 0, 0) }]);
    let cover = of(&staff([ana, bo, cy]), date(2026, 12, 7), 4);
    assert_eq!(
        told(&cover, only(&cover)),
        ["Mon–Thu 14:30–19:00, every week", "Fri 14:30–19:00, every week but 2026-12-18"]
    );
}

// -- What lapses ------------------------------------------------------------------------------------------------------

#[test]
fn a_last_day_in_the_window_ends_the_cover_at_its_midnight_and_is_named_as_the_cause() {
    let mut ana = working("ana", time(0, 0, 0, 0), time(0, 0, 0, 0));
    ana.qualifications[0].valid_until = Some(date(2026, 12, 9));
    let cover = of(&staff([ana]), date(2026, 12, 7), 1);
    assert_eq!(told(&cover, only(&cover)), ["Thu 2026-12-10 00:00 until Mon 2026-12-14 00:00"]);
    let lapse = &cover.lapses[0];
    assert_eq!((lapse.at, &lapse.because), (clock("2026-12-10T00:00"), &Because::Expires { on: date(2026, 12, 9) }));
    assert_eq!(only(&cover).stretches.last().map(|stretch| stretch.lapsed.clone()), Some(vec![0]));
}

#[test]
fn a_go_live_uncovers_the_hours_of_whoever_is_not_attested_and_an_attestation_covers_them_again() {
    let people =
        || [working("ana", time(8, 0, 0, 0), time(20, 0, 0, 0)), working("bo", time(16, 0, 0, 0), time(8, 0, 0, 0))];
    let mut staff = staff(people()).with_release(&hospital(), &SystemId::new("ehr"), upgrade("2026-12-12T02:00"));
    let uncovered = |staff: &Staff| {
        let cover = of(staff, date(2026, 12, 7), 1);
        let row = only(&cover);
        let causes: Vec<String> = cover.lapses.iter().map(|lapse| lapse.analyst.to_string()).collect();
        (spells(&row.when(|stretch| !stretch.lapsed.is_empty()), &cover.zone, cover.window), causes)
    };
    assert_eq!(
        uncovered(&staff),
        (vec!["Sat 2026-12-12 02:00 until Mon 2026-12-14 00:00".to_owned()], vec!["ana".to_owned(), "bo".to_owned()])
    );
    assert!(staff.attest(Attestation {
        withdrawn: false,
        analyst: AnalystId::new("ana"),
        hospital: Some(hospital()),
        system: SystemId::new("ehr"),
        modules: None,
        release: "2".to_owned(),
        evidence: "course".to_owned(),
        by: "Ivy".to_owned(),
        made: clock("2026-12-01T00:00"),
    }));
    let (spells, causes) = uncovered(&staff);
    let left =
        ["Sat 2026-12-12 02:00–08:00", "Sat 2026-12-12 20:00–08:00 of the next day", "Sun 2026-12-13 20:00–24:00"];
    assert_eq!((spells, causes), (left.map(str::to_owned).to_vec(), vec!["bo".to_owned()]));
}

#[test]
fn two_hundred_analysts_over_four_weeks_are_counted_right_in_every_module() {
    let people = (0..200).map(|place| {
        let hour = i8::try_from(place % 24).expect("below 24");
        let mut one = working(&format!("analyst-{place:03}"), time(hour, 0, 0, 0), time((hour + 8) % 24, 0, 0, 0));
        one.qualifications[0].modules = Modules::Only(BTreeSet::from([ModuleId::new(MODULES[place % 3])]));
        one
    });
    let cover = of(&staff(people), date(2026, 12, 7), 4);
    assert_eq!(cover.rows.len(), 3);
    let total: usize =
        cover.rows.iter().filter_map(|row| row.at(clock("2026-12-16T12:30"))).map(|stretch| stretch.on_shift).sum();
    // Whoever began in the eight hours before; 200 people begin 8 or 9 at each hour.
    let began = (0..200).filter(|place| (5..=12).contains(&(place % 24))).count();
    assert_eq!(total, began);
}

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Weekday, date, time};
use jiff::tz::TimeZone;

use crate::routing::{Hours, Schedule, Span, Weekly};

const WORKDAYS: [Weekday; 5] =
    [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday];

fn chicago(spans: Vec<Span>) -> Weekly {
    Weekly { zone: TimeZone::get("America/Chicago").expect("bundled"), spans, exceptions: BTreeMap::new() }
}

fn utc(text: &str) -> Timestamp {
    text.parse().expect("a timestamp")
}

fn hours(from: i8, until: i8) -> (jiff::civil::Time, jiff::civil::Time) {
    (time(from, 0, 0, 0), time(until, 0, 0, 0))
}

fn check(schedule: &Schedule, table: &[(&str, bool, Option<&str>)]) {
    for (wall, covered, next) in table {
        assert_eq!(schedule.covers(utc(wall)), *covered, "at {wall}");
        assert_eq!(schedule.next_change(utc(wall)), next.map(utc), "after {wall}");
    }
}

#[test]
fn a_day_shift_starts_with_its_first_instant_and_ends_before_its_last() {
    let (from, until) = hours(7, 15);
    // June in Chicago is UTC−5.
    let schedule = Schedule::Weekly(chicago(vec![Span::new(WORKDAYS, from, until)]));
    check(
        &schedule,
        &[
            ("2026-06-01T11:59:59Z", false, Some("2026-06-01T12:00:00Z")),
            ("2026-06-01T12:00:00Z", true, Some("2026-06-01T20:00:00Z")),
            ("2026-06-01T19:59:59Z", true, Some("2026-06-01T20:00:00Z")),
            ("2026-06-01T20:00:00Z", false, Some("2026-06-02T12:00:00Z")),
            // Friday evening: the next is Monday.
            ("2026-06-05T20:00:00Z", false, Some("2026-06-08T12:00:00Z")),
        ],
    );
}

#[test]
fn a_night_shift_runs_over_midnight_and_into_a_day_that_has_none() {
    let (from, until) = hours(23, 7);
    let schedule = Schedule::Weekly(chicago(vec![Span::new([Weekday::Friday], from, until)]));
    check(
        &schedule,
        &[
            ("2026-06-06T03:59:59Z", false, Some("2026-06-06T04:00:00Z")),
            ("2026-06-06T04:00:00Z", true, Some("2026-06-06T12:00:00Z")),
            ("2026-06-06T11:59:59Z", true, Some("2026-06-06T12:00:00Z")),
            ("2026-06-06T12:00:00Z", false, Some("2026-06-13T04:00:00Z")),
        ],
    );
}

#[test]
fn shifts_that_touch_are_one_duty() {
    let (early, late) = (hours(7, 15), hours(15, 23));
    let spans = vec![Span::new(WORKDAYS, early.0, early.1), Span::new(WORKDAYS, late.0, late.1)];
    let schedule = Schedule::Weekly(chicago(spans));
    check(&schedule, &[("2026-06-01T19:59:59Z", true, Some("2026-06-02T04:00:00Z"))]);
}

#[test]
fn equal_times_are_a_whole_day_and_midnight_ends_it() {
    let (from, until) = hours(0, 0);
    let schedule = Schedule::Weekly(chicago(vec![Span::new([Weekday::Sunday], from, until)]));
    check(
        &schedule,
        &[
            ("2026-06-07T05:00:00Z", true, Some("2026-06-08T05:00:00Z")),
            ("2026-06-08T05:00:00Z", false, Some("2026-06-14T05:00:00Z")),
        ],
    );
}

#[test]
fn the_night_in_which_clocks_spring_forward_is_an_hour_shorter() {
    // 2026-03-08, 02:00 CST becomes 03:00 CDT in Chicago.
    let (from, until) = hours(23, 7);
    let schedule = Schedule::Weekly(chicago(vec![Span::new([Weekday::Saturday], from, until)]));
    check(
        &schedule,
        &[
            ("2026-03-08T05:00:00Z", true, Some("2026-03-08T12:00:00Z")),
            ("2026-03-08T12:00:00Z", false, Some("2026-03-15T04:00:00Z")),
        ],
    );
}

#[test]
fn the_night_in_which_clocks_fall_back_is_an_hour_longer() {
    // 2026-11-01, 02:00 CDT becomes 01:00 CST.
    let (from, until) = hours(23, 7);
    let schedule = Schedule::Weekly(chicago(vec![Span::new([Weekday::Saturday], from, until)]));
    check(
        &schedule,
        &[
            ("2026-11-01T04:00:00Z", true, Some("2026-11-01T13:00:00Z")),
            ("2026-11-01T12:59:59Z", true, Some("2026-11-01T13:00:00Z")),
        ],
    );
}

#[test]
fn a_change_of_shift_inside_the_skipped_or_repeated_hour_leaves_no_hole() {
    let half = |hour| time(hour, 30, 0, 0);
    let skipped = vec![
        Span::new([Weekday::Saturday], time(22, 0, 0, 0), half(2)),
        Span::new([Weekday::Sunday], half(2), time(10, 0, 0, 0)),
    ];
    // 02:30 does not exist: it is read as 03:30 CDT, 08:30 UTC.
    check(
        &Schedule::Weekly(chicago(skipped)),
        &[
            ("2026-03-08T08:29:59Z", true, Some("2026-03-08T15:00:00Z")),
            ("2026-03-08T08:30:00Z", true, Some("2026-03-08T15:00:00Z")),
        ],
    );
    let repeated = vec![Span::new([Weekday::Saturday], time(22, 0, 0, 0), half(1))];
    // 01:30 comes twice: its first time, CDT, ends the shift.
    check(
        &Schedule::Weekly(chicago(repeated)),
        &[
            ("2026-11-01T06:29:59Z", true, Some("2026-11-01T06:30:00Z")),
            ("2026-11-01T07:29:59Z", false, Some("2026-11-08T04:00:00Z")),
        ],
    );
}

#[test]
fn a_holiday_has_the_hours_that_are_named_for_it_and_no_others() {
    let (from, until) = hours(7, 15);
    let mut weekly = chicago(vec![Span::new(WORKDAYS, from, until)]);
    // Independence Day is observed on Friday; on Thursday they close at noon.
    weekly.exceptions.insert(date(2026, 7, 3), vec![]);
    weekly.exceptions.insert(date(2026, 7, 2), vec![Hours { from, until: time(12, 0, 0, 0) }]);
    check(
        &Schedule::Weekly(weekly),
        &[
            ("2026-07-02T16:59:59Z", true, Some("2026-07-02T17:00:00Z")),
            ("2026-07-02T17:00:00Z", false, Some("2026-07-06T12:00:00Z")),
            ("2026-07-03T14:00:00Z", false, Some("2026-07-06T12:00:00Z")),
        ],
    );
}

#[test]
fn a_shift_that_began_before_a_holiday_runs_to_its_end() {
    let (from, until) = hours(23, 7);
    let mut weekly = chicago(vec![Span::new(WORKDAYS, from, until)]);
    weekly.exceptions.insert(date(2026, 7, 3), vec![]);
    check(
        &Schedule::Weekly(weekly),
        &[
            ("2026-07-03T11:00:00Z", true, Some("2026-07-03T12:00:00Z")),
            ("2026-07-04T05:00:00Z", false, Some("2026-07-07T04:00:00Z")),
        ],
    );
}

#[test]
fn a_plan_without_hours_never_changes() {
    check(&Schedule::Weekly(chicago(vec![])), &[("2026-06-01T12:00:00Z", false, None)]);
    check(&Schedule::Always, &[("2026-06-01T12:00:00Z", true, None)]);
    check(&Schedule::Never, &[("2026-06-01T12:00:00Z", false, None)]);
}

#[test]
fn another_zone_reads_the_same_hours_elsewhere() {
    let (from, until) = hours(8, 16);
    let zone = TimeZone::get("Asia/Kolkata").expect("bundled");
    let spans = vec![Span::new([Weekday::Monday], from, until)];
    let schedule = Schedule::Weekly(Weekly { zone, spans, exceptions: BTreeMap::new() });
    check(&schedule, &[("2026-06-01T02:30:00Z", true, Some("2026-06-01T10:30:00Z"))]);
}

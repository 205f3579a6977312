//! The figures, by hand-made tickets.

use super::super::script::{Script, at, call, opened};
use super::super::*;
use super::*;

const HOUR: f64 = 3_600.0;

fn day(from_h: f64, to_h: f64) -> Period {
    Period { from: at(from_h * HOUR), to: at(to_h * HOUR) }
}

fn report(script: &Script) -> Report {
    let tickets: Vec<Ticket> = fold(&script.records).into_values().collect();
    figures(&tickets, day(0.0, 24.0), None, at(100.0 * HOUR))
}

/// Ten calls, one unit each: ada helps nine after 1 to 8 and 100 s, and one waits for a callback that never comes.
fn ten_calls() -> Script {
    let mut script = Script::new();
    for (number, wait) in [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0), (5, 5.0), (6, 6.0), (7, 7.0), (8, 8.0), (9, 100.0)] {
        let start = number as f64 * 60.0;
        script.open(number, start).from(start, &format!("unit-{number}"), "epic");
        script.helped(start + wait, 1, "ada").ended(start + wait + 60.0, HangupCause::Normal, Party::Caller);
    }
    script.open(10, 900.0).from(900.0, "unit-10", "epic");
    script.booked(910.0, 1_000.0, CallbackReason::Waiting).ended(920.0, HangupCause::Abandoned, Party::Caller);
    script
}

#[test]
fn seconds_to_human_keeps_long_waits_and_callbacks_as_failures() {
    let human = report(&ten_calls()).seconds_to_human;
    assert_eq!(
        human,
        SecondsToHuman {
            calls: 10,
            p50: Some(Wait::Seconds(5.0)),
            p90: Some(Wait::Seconds(100.0)),
            max: Some(Wait::Never),
            within_10_s: 8,
            failures: 2,
            never: 1,
        }
    );
}

#[test]
fn a_callback_that_was_done_stays_a_failure_with_its_true_wait() {
    let mut script = Script::new();
    script.open(1, 0.0).booked(10.0, 60.0, CallbackReason::Waiting).ended(12.0, HangupCause::Abandoned, Party::Caller);
    script.push(600.0, Some(call(2)), Event::CallOpened(CallOpened { continues: Some(call(1)), ..opened(1) }));
    script.on(2).helped(615.0, 1, "ada").ended(700.0, HangupCause::Normal, Party::Caller);
    script.on(1).event(700.0, Event::CallbackAttempted { attempt: 1, outcome: CallbackOutcome::BothSpoke });
    script.event(700.0, Event::CallbackClosed);
    let report = report(&script);
    assert_eq!(report.tickets, 1);
    assert_eq!(report.seconds_to_human.max, Some(Wait::Seconds(615.0)));
    assert_eq!((report.seconds_to_human.failures, report.seconds_to_human.never), (1, 0));
    assert_eq!((report.abandonment.abandoned, report.callbacks.done), (1, 1));
}

#[test]
fn abandonment_is_shown_with_and_without_short_calls() {
    let mut script = Script::new();
    script.open(1, 0.0).helped(3.0, 1, "ada").ended(60.0, HangupCause::Normal, Party::Caller);
    script.open(2, 100.0).ended(103.0, HangupCause::Abandoned, Party::Caller);
    script.open(3, 200.0).ended(220.0, HangupCause::Normal, Party::Caller);
    script.open(4, 300.0).event(303.0, Event::Bridged { with: Party::Target }).event(304.0, Event::HumanHeard);
    script.ended(320.0, HangupCause::Normal, Party::Caller);
    let report = report(&script);
    assert_eq!(
        report.abandonment,
        Abandonment {
            calls: 4,
            abandoned: 2,
            short_calls: 1,
            short_abandoned: 1,
            rate: Some(50.0),
            rate_without_short: Some(33.3),
        }
    );
    assert_eq!(report.target_only, 1);
}

#[test]
fn first_contact_needs_one_owner_no_reopening_and_no_repeat() {
    let mut script = Script::new();
    let helped = |script: &mut Script, number: u64, hours: f64, unit: &str| {
        let start = hours * HOUR;
        script.open(number, start).from(start, unit, "epic").helped(start + 4.0, 1, "ada");
        script.ended(start + 60.0, HangupCause::Normal, Party::Caller);
    };
    helped(&mut script, 1, 1.0, "4-west");
    script.disposition(HOUR + 70.0, "ada", DispositionCode::Solved, Some(true));
    // Repeats ticket 1 after the period, 30 h later.
    helped(&mut script, 2, 31.0, "4-west");
    helped(&mut script, 3, 2.0, "5-east");
    script.disposition(2.0 * HOUR + 70.0, "ada", DispositionCode::Solved, Some(true));
    script.disposition(2.0 * HOUR + 99.0, "ada", DispositionCode::Open, None);
    helped(&mut script, 4, 3.0, "6-north");
    helped(&mut script, 5, 4.0, "icu");
    script.event(4.0 * HOUR + 30.0, Event::AnalystAnswered { offer: crate::ids::OfferId(2), analyst: "ben".into() });
    let report = report(&script);
    assert_eq!(
        report.first_contact,
        FirstContact {
            calls: 4,
            resolved: 1,
            rate: Some(25.0),
            several_owners: 1,
            reopened: 1,
            repeated: 1,
            said_open: 1,
            provisional: 0,
            self_marked: 1,
            disposition_due: 2,
        }
    );
}

#[test]
fn repeats_count_by_unit_and_system_in_24_and_72_hours() {
    let mut script = Script::new();
    for (number, hours) in [(1, -40.0), (2, 1.0), (3, 3.0)] {
        script.open(number, hours * HOUR).from(hours * HOUR, "4-west", "epic");
        script.ended(hours * HOUR + 9.0, HangupCause::Abandoned, Party::Caller);
    }
    script.open(4, 5.0 * HOUR).from(5.0 * HOUR, "4-west", "cerner").ended(6.0 * HOUR, HangupCause::Normal, Party::Desk);
    let repeats = report(&script).repeats;
    // 2 repeats 1 after 41 h, 3 repeats 2 after 2 h; 4 is about another system.
    assert_eq!((repeats.calls, repeats.within_24_h, repeats.within_72_h), (3, 1, 2));
    assert_eq!((repeats.rate_24_h, repeats.rate_72_h), (Some(33.3), Some(66.7)));
    let pairs = [(TicketNumber(2), TicketNumber(1)), (TicketNumber(3), TicketNumber(2))];
    assert_eq!(repeats.pairs, pairs);
}

#[test]
fn excluded_calls_are_listed_with_count_and_author_and_stand_in_no_figure() {
    let mut script = Script::new();
    script.push(0.0, Some(call(1)), Event::CallOpened(CallOpened { test: true, ..opened(1) }));
    script.on(1).helped(1.0, 1, "probe").ended(5.0, HangupCause::Normal, Party::Caller);
    for number in [2, 3] {
        script.open(number, 10.0).helped(12.0, 1, "ada").ended(30.0, HangupCause::Normal, Party::Caller);
        script.disposition(31.0, "ada", DispositionCode::NotForUs, None);
    }
    script.open(4, 50.0).helped(52.0, 1, "ben").ended(70.0, HangupCause::Normal, Party::Caller);
    // One of a rehearsal, and one that is also said to be a test.
    for number in [5, 6] {
        script.push(80.0, Some(call(number)), Event::CallOpened(CallOpened { rehearsal: true, ..opened(number) }));
        script.on(number).helped(82.0, 1, "ada").ended(95.0, HangupCause::Normal, Party::Caller);
    }
    script.disposition(96.0, "ada", DispositionCode::Test, None);
    let report = report(&script);
    assert_eq!((report.tickets, report.counted), (6, 1));
    assert_eq!(report.seconds_to_human.calls, 1);
    let listed: Vec<_> = report.exclusions.iter().map(|e| (e.reason, e.author.as_str(), e.tickets.len())).collect();
    assert_eq!(listed, [("not for us", "ada", 2), ("rehearsal", "Wardline", 2), ("test call", "Wardline", 1)]);
}

#[test]
fn the_calls_of_a_rehearsal_have_figures_of_their_own_with_what_is_left_out_of_every_figure() {
    let mut script = Script::new();
    script.open(4, 50.0).helped(52.0, 1, "ben").ended(70.0, HangupCause::Normal, Party::Caller);
    for number in [5, 6] {
        script.push(80.0, Some(call(number)), Event::CallOpened(CallOpened { rehearsal: true, ..opened(number) }));
        script.on(number).helped(82.0, 1, "ada").ended(95.0, HangupCause::Normal, Party::Caller);
    }
    script.disposition(96.0, "ada", DispositionCode::Test, None);
    let tickets: Vec<Ticket> = fold(&script.records).into_values().collect();
    let period = Period { from: at(0.0), to: at(1_000.0) };
    let report = rehearsed(&tickets, period, None, at(2_000.0));
    assert_eq!((report.tickets, report.counted), (2, 1), "the live call is none of them");
    assert_eq!(report.seconds_to_human.calls, 1);
    assert_eq!(report.exclusions[0].reason, "test");
    let text = render(&report, &jiff::tz::TimeZone::UTC);
    assert!(text.starts_with("Report of all hospitals in rehearsal, "), "{text}");
    assert!(!render(&figures(&tickets, period, None, at(2_000.0)), &jiff::tz::TimeZone::UTC).contains("in rehearsal,"));
}

#[test]
fn hold_in_the_first_minute_is_summed() {
    let mut script = Script::new();
    script.open(1, 0.0).helped(2.0, 1, "ada").event(5.0, Event::Held { by: Party::Analyst });
    script.event(25.0, Event::Resumed { by: Party::Analyst }).ended(60.0, HangupCause::Normal, Party::Caller);
    script.open(2, 100.0).helped(102.0, 1, "ada").ended(160.0, HangupCause::Normal, Party::Caller);
    assert_eq!(report(&script).hold, HoldFigures { calls: 1, total_s: 20.0, longest_s: 20.0 });
}

#[test]
fn a_phone_that_cannot_be_reached_is_no_missed_ring() {
    let ends = [
        OfferOutcome::NoAnswer,
        OfferOutcome::NotAccepted,
        OfferOutcome::Unreachable,
        OfferOutcome::Busy,
        OfferOutcome::Declined,
        OfferOutcome::Declined,
        OfferOutcome::LostRace,
        OfferOutcome::Withdrawn,
    ];
    let mut script = Script::new();
    script.open(1, 0.0);
    for (offer, outcome) in ends.into_iter().enumerate() {
        script.offer(1.0, offer as u64, "ada").offer_ended(13.0, offer as u64, "ada", outcome);
    }
    script.ended(20.0, HangupCause::Abandoned, Party::Caller);
    let report = report(&script);
    assert_eq!((report.missed_rings, report.declined_rings, report.unreachable_phones), (2, 3, 1));
    assert!(
        render(&report, &jiff::tz::TimeZone::UTC)
            .contains("Rings            2 missed, 3 declined or busy, 1 to phones that could not be reached")
    );
}

#[test]
fn callbacks_have_a_line_of_their_own() {
    let mut script = Script::new();
    script.open(1, 0.0).booked(10.0, 60.0, CallbackReason::Waiting).helped(20.0, 1, "ada");
    script.ended(60.0, HangupCause::Normal, Party::Caller);
    script.open(2, 100.0).booked(110.0, 200.0, CallbackReason::Asked).ended(115.0, HangupCause::PlanEnded, Party::Desk);
    script.open(3, 200.0).booked(210.0, 300.0, CallbackReason::Asked).ended(215.0, HangupCause::PlanEnded, Party::Desk);
    script.event(400.0, Event::CallbackAttempted { attempt: 3, outcome: CallbackOutcome::ClinicianNoAnswer });
    script.event(401.0, Event::CallbackGivenUp);
    let expected = CallbackFigures { booked: 3, done: 0, settled: 0, lapsed: 1, due: 2, failed: 1, overdue: 2 };
    assert_eq!(report(&script).callbacks, expected, "given up is still due");
    let disposition = Disposition { code: DispositionCode::Open, solved: None, note: None };
    script.event(500.0, Event::DispositionSet { by: "ada".into(), disposition });
    let expected = CallbackFigures { settled: 1, due: 1, failed: 0, overdue: 1, ..expected };
    assert_eq!(report(&script).callbacks, expected);
}

#[test]
fn an_empty_period_has_no_figures_and_no_fault() {
    let report = report(&Script::new());
    assert_eq!((report.seconds_to_human.p50, report.abandonment.rate, report.first_contact.rate), (None, None, None));
    assert!(render(&report, &jiff::tz::TimeZone::UTC).contains("p50 -, p90 -, max -"));
}

#[test]
fn the_text_shows_each_figure() {
    let text = render(&report(&ten_calls()), &jiff::tz::TimeZone::get("America/New_York").expect("a zone"));
    let head = text.lines().next().expect("a heading");
    assert!(head.contains(" EST to ") || head.contains(" EDT to "), "in the hospital's time: {head}");
    for line in [
        "Calls            10 counted, 0 still up, 10 in all",
        "Seconds to human p50 5.0, p90 100.0, max never; 8 of 10 within 10 s; 2 failures (over 90 s or by callback), 1 of them never",
        "Abandoned        1 of 10 (10.0 %); without calls under 5 s: 1 of 10 (10.0 %)",
        "Callbacks        1 booked: 0 done (both spoke), 0 settled by a person, 0 not needed, 1 due (1 overdue, 0 left to a person)",
    ] {
        assert!(text.contains(line), "{line}\nis not in\n{text}");
    }
}

//! The report as people read it. JSON is `serde_json` of [`Report`] itself.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::report::{Report, Wait};
use crate::plural::counted;

/// Lists longer than this are cut, with the number of what is left out.
const MAX_LISTED: usize = 10;

/// The whole report as text, a figure a line; its times in `zone`.
pub fn render(report: &Report, zone: &TimeZone) -> String {
    let mut out = String::new();
    // Writing into a String can't fail.
    let _ = write_report(&mut out, report, zone);
    out
}

fn at(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

fn write_report(out: &mut String, report: &Report, zone: &TimeZone) -> std::fmt::Result {
    let hospital = report.hospital.as_ref().map_or("all hospitals", |hospital| hospital.as_str());
    let hospital = if report.rehearsal { format!("{hospital} in rehearsal") } else { hospital.to_owned() };
    writeln!(out, "Report of {hospital}, {} to {}", at(report.period.from, zone), at(report.period.to, zone))?;
    writeln!(
        out,
        "Calls            {} counted, {} still up, {} in all",
        report.counted, report.still_open, report.tickets
    )?;
    let human = &report.seconds_to_human;
    writeln!(
        out,
        "Seconds to human p50 {}, p90 {}, max {}; {} of {} within 10 s; {} (over 90 s or by callback), {} of them never",
        wait(human.p50),
        wait(human.p90),
        wait(human.max),
        human.within_10_s,
        human.calls,
        counted(human.failures, "failure"),
        human.never
    )?;
    let left = &report.abandonment;
    writeln!(
        out,
        "Abandoned        {} of {} ({}); without calls under 5 s: {} of {} ({})",
        left.abandoned,
        left.calls,
        rate(left.rate),
        left.abandoned - left.short_abandoned,
        left.calls - left.short_calls,
        rate(left.rate_without_short)
    )?;
    let back = &report.callbacks;
    writeln!(
        out,
        "Callbacks        {} booked: {} done (both spoke), {} settled by a person, {} not needed, {} due ({} overdue, {} left to a person)",
        back.booked, back.done, back.settled, back.lapsed, back.due, back.overdue, back.failed
    )?;
    write_first_contact(out, report)?;
    let again = &report.repeats;
    writeln!(
        out,
        "Repeats          {} within 24 h ({}), {} within 72 h ({}); {} more of known problems",
        again.within_24_h,
        rate(again.rate_24_h),
        again.within_72_h,
        rate(again.rate_72_h),
        again.of_incidents
    )?;
    let hold = &report.hold;
    writeln!(
        out,
        "Hold in first 60 s  {}, {:.0} s together, longest {:.0} s",
        counted(hold.calls, "call"),
        hold.total_s,
        hold.longest_s
    )?;
    writeln!(
        out,
        "Rings            {} missed, {} declined or busy, {} to phones that could not be reached",
        report.missed_rings, report.declined_rings, report.unreachable_phones
    )?;
    writeln!(
        out,
        "Also             {} with the operator only, {} cut by a fault of ours",
        report.target_only, report.cut
    )?;
    write_exclusions(out, report)?;
    write_unmapped(out, report)
}

fn write_first_contact(out: &mut String, report: &Report) -> std::fmt::Result {
    let first = &report.first_contact;
    writeln!(
        out,
        "First contact    {} of {} ({}), {} provisional; not: {} several owners, {} reopened, {} repeated, {} said to be open",
        first.resolved,
        first.calls,
        rate(first.rate),
        first.provisional,
        first.several_owners,
        first.reopened,
        first.repeated,
        first.said_open
    )?;
    writeln!(
        out,
        "                 by the analysts' own word {} of {}; disposition due on {}",
        first.self_marked, first.calls, first.disposition_due
    )
}

fn write_exclusions(out: &mut String, report: &Report) -> std::fmt::Result {
    if report.exclusions.is_empty() {
        return writeln!(out, "Left out         nothing");
    }
    for exclusion in &report.exclusions {
        let numbers: Vec<String> = exclusion.tickets.iter().take(MAX_LISTED).map(ToString::to_string).collect();
        let more = exclusion.tickets.len().saturating_sub(MAX_LISTED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let count = exclusion.tickets.len();
        let (reason, author) = (exclusion.reason, &exclusion.author);
        writeln!(out, "Left out         {count} \"{reason}\" by {author}: {}{more}", numbers.join(", "))?;
    }
    Ok(())
}

fn write_unmapped(out: &mut String, report: &Report) -> std::fmt::Result {
    for (number, calls) in report.unmapped.iter().take(MAX_LISTED) {
        writeln!(out, "Unmapped         {number}: {}", counted(*calls, "call"))?;
    }
    Ok(())
}

fn wait(wait: Option<Wait>) -> String {
    match wait {
        Some(Wait::Seconds(seconds)) => format!("{seconds:.1}"),
        Some(Wait::Never) => "never".to_owned(),
        None => "-".to_owned(),
    }
}

fn rate(rate: Option<f64>) -> String {
    rate.map_or("-".to_owned(), |rate| format!("{rate:.1} %"))
}

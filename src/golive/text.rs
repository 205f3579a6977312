//! The list as people read it. JSON is `serde_json` of [`Checklist`] itself.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::checklist::{Checklist, Line, Point, Progress};
use super::evidence::EVIDENCE_DAYS;
use crate::ticket::Standing;

/// Names of one line; the rest is counted.
const MAX_NAMED: usize = 12;

/// How a word is set off, where it is.
pub type Paint = fn(Progress, &str) -> String;

/// The whole list with its verdict and what to do next.
pub fn render(list: &Checklist, zone: &TimeZone, paint: Paint) -> String {
    let mut out = format!("{} ({}) is {}.\n", list.name, list.hospital, standing(&list.standing, zone));
    // Writing into a String can't fail; so below.
    let _ = match list.standing.counts_from().filter(|from| *from == list.counts_from) {
        Some(from) => writeln!(out, "What was shown since then counts, {}.\n", local(from, zone)),
        None => writeln!(out, "Calls and confirmations of the last {EVIDENCE_DAYS} days count.\n"),
    };
    for line in &list.lines {
        write_line(&mut out, line, paint);
    }
    let _ = writeln!(out, "\n{}", verdict(list));
    out
}

fn write_line(out: &mut String, line: &Line, paint: Paint) {
    let word = match line.progress {
        Progress::Green => "ok   ",
        Progress::Open => "open ",
        Progress::NotAvailable => "later",
    };
    let _ = writeln!(out, "{}  {:<11}  {}", paint(line.progress, word), line.point.as_str(), line.found);
    if !line.missing.is_empty() {
        let named: Vec<&str> = line.missing.iter().take(MAX_NAMED).map(String::as_str).collect();
        let more = line.missing.len().saturating_sub(MAX_NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let what = if line.point == Point::Unmapped { "called" } else { "missing" };
        // Times have commas of their own: each system's stand on a line.
        let between = if line.point == Point::Coverage { format!(",\n{:29}", "") } else { ", ".to_owned() };
        let _ = writeln!(out, "{:20}{what}: {}{more}", "", named.join(&between));
    }
}

/// "in rehearsal: nobody has declared it live"; "live since 2026-12-01 09:00 EST, declared by J. Kim".
pub fn standing(standing: &Standing, zone: &TimeZone) -> String {
    match standing {
        Standing::Rehearsal => "in rehearsal: nobody has declared it live".to_owned(),
        Standing::Returned { by, reason, at } => {
            format!("in rehearsal again since {}, by {by}: {reason}", local(*at, zone))
        }
        Standing::Declared { by, at } => format!("live since {}, declared by {by}", local(*at, zone)),
        Standing::Overridden { by, reason, at } => {
            format!("live since {}, overridden by {by}: {reason}", local(*at, zone))
        }
    }
}

/// "3 of 12 lines are open (units, keys, 911)".
pub fn opened(list: &Checklist) -> String {
    let open: Vec<&str> = list.open().map(|line| line.point.as_str()).collect();
    format!("{} ({})", counted(list), open.join(", "))
}

fn counted(list: &Checklist) -> String {
    let open = list.open().count();
    let all = list.lines.iter().filter(|line| line.progress != Progress::NotAvailable).count();
    let are = if open == 1 { "is" } else { "are" };
    format!("{open} of {all} lines {are} open")
}

fn verdict(list: &Checklist) -> String {
    let id = &list.hospital;
    let next = list.open().find_map(|line| Some((line, line.next.as_ref()?)));
    let next = next.map(|(line, next)| format!("Next, for {}: {next}.", line.point.as_str())).unwrap_or_default();
    match (&list.standing, list.green) {
        (Standing::Declared { .. }, true) => "Live, and every line is green.".to_owned(),
        (Standing::Declared { .. }, false) => format!("Live. Since then {}. {next}", opened(list)),
        (Standing::Overridden { .. }, true) => format!(
            "Live by override, and every line is green now. Next: `wardline golive declare --hospital {id} --by NAME`."
        ),
        (Standing::Overridden { .. }, false) => format!("Live by override; {}. {next}", opened(list)),
        (Standing::Rehearsal | Standing::Returned { .. }, true) => {
            format!("Every line is green. Next: `wardline golive declare --hospital {id} --by NAME`.")
        }
        (Standing::Rehearsal | Standing::Returned { .. }, false) => {
            format!("In rehearsal: {}.\n{next}", counted(list))
        }
    }
}

fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

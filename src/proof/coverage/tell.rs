//! Times as people plan them: "Mon–Fri 14:30–19:00, every week" instead of twenty lines, with what falls out of the week's
//! pattern told by date.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;

use super::Window;

/// A pattern that lacks more of its weeks than this is told date by date.
const MAX_EXCEPTIONS: usize = 2;

/// "3 h 30 min" of all these together.
pub fn hours(spells: &[Window]) -> String {
    let seconds: i64 = spells.iter().map(|spell| spell.until.duration_since(spell.from).as_secs()).sum();
    match (seconds / 3600, seconds % 3600 / 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// Clock times that come back on some days of the week.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Pattern {
    from: Time,
    until: Time,
    /// Midnights between.
    days: i32,
}

/// Each in words, in the order of time; `window` is what "every week" means.
pub fn spells(spells: &[Window], zone: &TimeZone, window: Window) -> Vec<String> {
    let mut patterns: BTreeMap<Pattern, BTreeMap<i8, BTreeSet<Date>>> = BTreeMap::new();
    for spell in spells {
        let (from, until) = (zone.to_datetime(spell.from), zone.to_datetime(spell.until));
        let days = from.date().until(until.date()).map_or(0, |span| span.get_days());
        let pattern = Pattern { from: from.time(), until: until.time(), days };
        let of_day = patterns.entry(pattern).or_default();
        of_day.entry(from.weekday().to_monday_one_offset()).or_default().insert(from.date());
    }
    let mut told: Vec<(Date, Time, String)> = Vec::new();
    for (pattern, days) in patterns {
        // Days of the week that lack the same weeks are told together.
        let mut weekly: BTreeMap<Vec<Date>, Vec<(i8, Date)>> = BTreeMap::new();
        for (day, dates) in days {
            let Some(first) = dates.first().copied() else { continue };
            let lacking: Vec<Date> = all(day, zone, window).into_iter().filter(|date| !dates.contains(date)).collect();
            if dates.len() >= 2 && lacking.len() <= MAX_EXCEPTIONS.min(dates.len() - 1) {
                weekly.entry(lacking).or_default().push((day, first));
            } else {
                let each = dates.into_iter().map(|date| (date, pattern.from, pattern.dated(date)));
                told.extend(each);
            }
        }
        for (lacking, days) in weekly {
            let Some(first) = days.iter().map(|(_, first)| *first).min() else { continue };
            let names: Vec<i8> = days.into_iter().map(|(day, _)| day).collect();
            let but = if lacking.is_empty() {
                "every week".to_owned()
            } else {
                let dates: Vec<String> = lacking.iter().map(ToString::to_string).collect();
                format!("every week but {}", dates.join(" and "))
            };
            told.push((first, pattern.from, format!("{} {}, {but}", weekdays(&names), pattern.clock())));
        }
    }
    told.sort();
    told.into_iter().map(|(_, _, words)| words).collect()
}

impl Pattern {
    /// "14:30–19:00", "19:00–07:00", "08:00 until 3 days later 06:00".
    fn clock(&self) -> String {
        let (from, until) = (self.from.strftime("%H:%M"), self.until.strftime("%H:%M"));
        match self.days {
            0 => format!("{from}–{until}"),
            1 if self.until == Time::midnight() => format!("{from}–24:00"),
            1 => format!("{from}–{until} of the next day"),
            days => format!("{from} until {days} days later, {until}"),
        }
    }

    fn dated(&self, date: Date) -> String {
        let day = date.strftime("%a %F");
        match (self.days, date.checked_add(jiff::Span::new().days(self.days))) {
            (2.., Ok(last)) => {
                format!(
                    "{day} {} until {} {}",
                    self.from.strftime("%H:%M"),
                    last.strftime("%a %F"),
                    self.until.strftime("%H:%M")
                )
            }
            _ => format!("{day} {}", self.clock()),
        }
    }
}

/// The dates of the window that are this day of the week.
fn all(day: i8, zone: &TimeZone, window: Window) -> Vec<Date> {
    let (first, end) = (zone.to_datetime(window.from).date(), zone.to_datetime(window.until));
    let last = if end.time() == Time::midnight() { end.date().yesterday().unwrap_or(end.date()) } else { end.date() };
    let days = first.series(jiff::Span::new().days(1)).take_while(|date| *date <= last);
    days.filter(|date| date.weekday().to_monday_one_offset() == day).collect()
}

/// "Mon–Fri", "Mon, Wed", "daily".
fn weekdays(days: &[i8]) -> String {
    if days.len() == 7 {
        return "daily".to_owned();
    }
    let name = |day: &i8| match Weekday::from_monday_one_offset(*day) {
        Ok(Weekday::Monday) => "Mon",
        Ok(Weekday::Tuesday) => "Tue",
        Ok(Weekday::Wednesday) => "Wed",
        Ok(Weekday::Thursday) => "Thu",
        Ok(Weekday::Friday) => "Fri",
        Ok(Weekday::Saturday) => "Sat",
        Ok(Weekday::Sunday) | Err(_) => "Sun",
    };
    let mut runs: Vec<Vec<i8>> = Vec::new();
    for day in days {
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(|last| last + 1 == *day) => run.push(*day),
            Some(_) | None => runs.push(vec![*day]),
        }
    }
    let words = runs.iter().flat_map(|run| match run.as_slice() {
        [first, .., last] if run.len() > 2 => vec![format!("{}–{}", name(first), name(last))],
        few => few.iter().map(|day| name(day).to_owned()).collect(),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// "Sat 2027-03-06 02:00".
pub fn moment(at: Timestamp, zone: &TimeZone) -> String {
    let clock: DateTime = zone.to_datetime(at);
    clock.strftime("%a %F %H:%M").to_string()
}

//! Weekly working hours with a time zone: over midnight, right on the days when clocks change, with exceptions by date.
//!
//! Hours are what people read on a clock of that zone. A time that a spring change skips is read as the one after the
//! gap; a time that an autumn change repeats means its first occurrence. The end of one shift and the start of the next
//! are read alike, so a change opens no hole between them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

/// How far ahead [`Schedule::next_change`] looks: a plan that stays the same for so long counts as unchanging.
const HORIZON_DAYS: u32 = 62;

/// When somebody is on duty.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Schedule {
    #[default]
    Never,
    Always,
    Weekly(Weekly),
}

/// The same hours every week, but for the dates named.
#[derive(Clone, Debug, PartialEq)]
pub struct Weekly {
    pub zone: TimeZone,
    pub spans: Vec<Span>,
    /// On these dates the hours here begin instead of the weekly ones; a holiday has none. A shift that began the day
    /// before still runs to its end.
    pub exceptions: BTreeMap<Date, Vec<Hours>>,
}

/// Hours that begin on each of some weekdays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Monday is 1 (ISO 8601), Sunday 7.
    days: BTreeSet<i8>,
    pub hours: Hours,
}

/// From one clock time to the next occurrence of another: `until` not after `from` means on the next day, so equal
/// times are a whole day and `until` 00:00 is midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    pub from: Time,
    pub until: Time,
}

impl Span {
    pub fn new(days: impl IntoIterator<Item = Weekday>, from: Time, until: Time) -> Span {
        let days = days.into_iter().map(Weekday::to_monday_one_offset).collect();
        Span { days, hours: Hours { from, until } }
    }

    pub fn begins_on(&self, day: Weekday) -> bool {
        self.days.contains(&day.to_monday_one_offset())
    }
}

impl Schedule {
    /// Whether `wall` lies in a span; its start belongs to it, its end does not.
    pub fn covers(&self, wall: Timestamp) -> bool {
        match self {
            Schedule::Never => false,
            Schedule::Always => true,
            Schedule::Weekly(weekly) => weekly.covers(wall),
        }
    }

    /// When it covers, from one instant until another: in order, each as long as it can be.
    pub fn spells(&self, from: Timestamp, until: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        match self {
            Schedule::Never => Vec::new(),
            Schedule::Always => vec![(from, until)],
            Schedule::Weekly(weekly) => weekly.spells(from, until),
        }
    }

    /// The next instant after `wall` at which [`Schedule::covers`] changes; `None` when it does not within two months.
    pub fn next_change(&self, wall: Timestamp) -> Option<Timestamp> {
        match self {
            Schedule::Never | Schedule::Always => None,
            Schedule::Weekly(weekly) => weekly.next_change(wall),
        }
    }
}

impl Weekly {
    fn covers(&self, wall: Timestamp) -> bool {
        let today = self.zone.to_datetime(wall).date();
        // A span is at most a day long, so only yesterday's and today's can hold this instant.
        let yesterday = today.yesterday().ok();
        yesterday
            .into_iter()
            .chain([today])
            .any(|date| self.spans_of(date).any(|(from, until)| from <= wall && wall < until))
    }

    fn spells(&self, from: Timestamp, until: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let first = self.zone.to_datetime(from).date();
        // What began the day before may still run.
        let first = first.yesterday().unwrap_or(first);
        let last = self.zone.to_datetime(until).date();
        let dates = first.series(jiff::Span::new().days(1)).take_while(|date| *date <= last);
        let spans = dates.flat_map(|date| self.spans_of(date).collect::<Vec<_>>());
        let within = spans.map(|(begin, end)| (begin.max(from), end.min(until))).filter(|(begin, end)| begin < end);
        let mut within: Vec<(Timestamp, Timestamp)> = within.collect();
        within.sort_unstable();
        within.dedup_by(|next, kept| {
            let joins = next.0 <= kept.1;
            if joins {
                kept.1 = kept.1.max(next.1);
            }
            joins
        });
        within
    }

    fn next_change(&self, wall: Timestamp) -> Option<Timestamp> {
        let now = self.covers(wall);
        let mut date = self.zone.to_datetime(wall).date();
        let mut edges: Vec<Timestamp> = Vec::new();
        if let Ok(yesterday) = date.yesterday() {
            edges.extend(self.spans_of(yesterday).flat_map(|(from, until)| [from, until]));
        }
        for _ in 0..HORIZON_DAYS {
            edges.extend(self.spans_of(date).flat_map(|(from, until)| [from, until]));
            edges.sort_unstable();
            let tomorrow = date.tomorrow().ok()?;
            // Edges beyond tomorrow's start may still be overtaken by one of tomorrow's spans.
            let known_until = self.instant(tomorrow, Time::midnight())?;
            let change = edges.iter().find(|&&edge| edge > wall && edge < known_until && self.covers(edge) != now);
            if let Some(change) = change {
                return Some(*change);
            }
            edges.retain(|&edge| edge >= known_until);
            date = tomorrow;
        }
        None
    }

    /// The spans that begin on `date`, as instants. A span that a clock change swallows whole is left out.
    fn spans_of(&self, date: Date) -> impl Iterator<Item = (Timestamp, Timestamp)> + '_ {
        let exception = self.exceptions.get(&date);
        let weekly = self.spans.iter().filter(move |span| exception.is_none() && span.begins_on(date.weekday()));
        let hours = weekly.map(|span| &span.hours).chain(exception.into_iter().flatten());
        hours.filter_map(move |hours| {
            let end_date = if hours.until > hours.from { date } else { date.tomorrow().ok()? };
            let from = self.instant(date, hours.from)?;
            let until = self.instant(end_date, hours.until)?;
            (from < until).then_some((from, until))
        })
    }

    /// A clock time as an instant; `None` at the edge of the calendar.
    fn instant(&self, date: Date, time: Time) -> Option<Timestamp> {
        self.zone.to_ambiguous_timestamp(date.to_datetime(time)).compatible().ok()
    }
}

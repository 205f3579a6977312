//! When a branch is taken: everything that is written must hold; what is not written does not matter.

use std::time::Duration;

use jiff::civil::{Time, Weekday};

use crate::identity::PhoneClass;
use crate::ids::{CalendarId, Language, SiteId, TrunkId, UnitId};
use crate::ivr::facts::{Facts, NeedPatch, Origin, World};

/// A conjunction. Empty lists and `None` hold always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    pub class: Vec<PhoneClass>,
    pub from: Option<Origin>,
    /// The calling extension stands in the map.
    pub mapped: Option<bool>,
    pub person_known: Option<bool>,
    pub on_shift: Option<bool>,
    /// A known problem concerns the caller.
    pub incident: Option<bool>,
    /// The caller's system does not work at all.
    pub system_down: Option<bool>,
    /// This caller, or the unit, has a ticket that is not closed.
    pub open_ticket: Option<bool>,
    /// An analyst took a call of the same number, or of the unit about the module, so long ago at most.
    pub repeat_within: Option<Duration>,
    pub holiday: Option<bool>,
    /// Calendars of the hospital's file.
    pub calendar: Vec<CalendarId>,
    /// Digits that came with the dialled number.
    pub digits: Vec<Pattern>,
    pub unit: Vec<UnitId>,
    pub site: Vec<SiteId>,
    pub trunk: Vec<TrunkId>,
    pub language: Vec<Language>,
    pub extension: Vec<Pattern>,
    pub dialled: Vec<Pattern>,
    pub hours: Option<Hours>,
    pub days: Vec<Weekday>,
}

impl Condition {
    /// `settled`: what was answered so far.
    pub fn holds(&self, facts: &Facts, settled: &NeedPatch, world: &dyn World) -> bool {
        one_of(&self.class, facts.class.as_ref())
            && one_of(&self.unit, facts.unit.as_ref())
            && one_of(&self.site, facts.site.as_ref())
            && one_of(&self.trunk, facts.trunk.as_ref())
            && one_of(&self.language, Some(&facts.language))
            && one_of(&self.days, Some(&facts.weekday))
            && self.from.is_none_or(|from| from == facts.origin)
            && self.mapped.is_none_or(|mapped| mapped == facts.mapped)
            && self.person_known.is_none_or(|known| known == facts.person_known)
            && self.on_shift.is_none_or(|on| on == world.on_shift())
            && self.incident.is_none_or(|told| told == world.incident(settled).is_some())
            && self.system_down.is_none_or(|down| down == world.system_down(settled))
            && self.open_ticket.is_none_or(|open| open == world.open_ticket())
            && self.repeat_within.is_none_or(|most| world.last_helped(settled).is_some_and(|ago| ago <= most))
            && self.holiday.is_none_or(|holiday| holiday == facts.holiday)
            && (self.calendar.is_empty() || facts.calendars.iter().any(|held| self.calendar.contains(held)))
            && matches_one(&self.digits, facts.digits.as_deref())
            && self.hours.is_none_or(|hours| hours.contains(facts.local_time))
            && matches_one(&self.extension, facts.extension.as_ref().map(|extension| extension.as_str()))
            && matches_one(&self.dialled, Some(&facts.dialled))
    }

    /// Whether this holds wherever the other does, as far as what is written tells: then a case of the other behind it never
    /// comes.
    pub fn covers(&self, other: &Condition) -> bool {
        let flags = [
            (self.mapped, other.mapped),
            (self.person_known, other.person_known),
            (self.on_shift, other.on_shift),
            (self.incident, other.incident),
            (self.system_down, other.system_down),
            (self.open_ticket, other.open_ticket),
            (self.holiday, other.holiday),
        ];
        flags.into_iter().all(|(own, its)| own.is_none() || own == its)
            && wider(&self.class, &other.class)
            && wider(&self.unit, &other.unit)
            && wider(&self.site, &other.site)
            && wider(&self.trunk, &other.trunk)
            && wider(&self.language, &other.language)
            && wider(&self.days, &other.days)
            && wider(&self.calendar, &other.calendar)
            && wider_numbers(&self.digits, &other.digits)
            && wider_numbers(&self.extension, &other.extension)
            && wider_numbers(&self.dialled, &other.dialled)
            && (self.from.is_none() || self.from == other.from)
            && (self.hours.is_none() || self.hours == other.hours)
            && self.repeat_within.is_none_or(|most| other.repeat_within.is_some_and(|within| within <= most))
    }

    /// Whether nothing is written: such a case hides all that stand after it.
    pub fn is_empty(&self) -> bool {
        *self == Condition::default()
    }
}

fn one_of<T: PartialEq>(listed: &[T], value: Option<&T>) -> bool {
    listed.is_empty() || value.is_some_and(|value| listed.contains(value))
}

fn wider<T: PartialEq>(own: &[T], its: &[T]) -> bool {
    own.is_empty() || !its.is_empty() && its.iter().all(|one| own.contains(one))
}

fn wider_numbers(own: &[Pattern], its: &[Pattern]) -> bool {
    own.is_empty() || !its.is_empty() && its.iter().all(|one| own.iter().any(|wide| wide.covers(one)))
}

fn matches_one(patterns: &[Pattern], number: Option<&str>) -> bool {
    patterns.is_empty() || number.is_some_and(|number| patterns.iter().any(|pattern| pattern.matches(number)))
}

/// A number, or its beginning: "4710", "77*".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    Whole(String),
    Beginning(String),
}

impl Pattern {
    /// `None` when it is not digits (with `+` in front or `*` at the end).
    pub fn parse(text: &str) -> Option<Pattern> {
        let (number, open) = match text.strip_suffix('*') {
            Some(number) => (number, true),
            None => (text, false),
        };
        let digits = number.strip_prefix('+').unwrap_or(number);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(if open { Pattern::Beginning(number.to_owned()) } else { Pattern::Whole(number.to_owned()) })
    }

    /// Whether every number that the other matches is one of this.
    fn covers(&self, other: &Pattern) -> bool {
        match (self, other) {
            (Pattern::Whole(own), Pattern::Whole(its)) => own == its,
            (Pattern::Whole(_), Pattern::Beginning(_)) => false,
            (Pattern::Beginning(start), Pattern::Whole(its) | Pattern::Beginning(its)) => {
                its.starts_with(start.as_str())
            }
        }
    }

    pub fn matches(&self, number: &str) -> bool {
        match self {
            Pattern::Whole(whole) => whole == number,
            Pattern::Beginning(start) => number.starts_with(start.as_str()),
        }
    }
}

/// Hours of the hospital's day, the end left out; may go past midnight ("19:00-07:00").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    pub from: Time,
    pub to: Time,
}

impl Hours {
    /// "HH:MM-HH:MM".
    pub fn parse(text: &str) -> Option<Hours> {
        let (from, to) = text.split_once('-')?;
        let clock = |text: &str| {
            let (hour, minute) = text.trim().split_once(':')?;
            if hour.len() > 2 || minute.len() != 2 {
                return None;
            }
            Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
        };
        let hours = Hours { from: clock(from)?, to: clock(to)? };
        (hours.from != hours.to).then_some(hours)
    }

    pub fn contains(self, time: Time) -> bool {
        if self.from < self.to { self.from <= time && time < self.to } else { self.from <= time || time < self.to }
    }
}

/// "mon" … "sun".
pub fn weekday(name: &str) -> Option<Weekday> {
    let days = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];
    DAY_NAMES.iter().zip(days).find(|(known, _)| **known == name).map(|(_, day)| day)
}

pub const DAY_NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_may_cross_midnight_and_leave_their_end_out() {
        let night = Hours::parse("19:00-07:00").expect("hours");
        let at = |hour, minute| Time::new(hour, minute, 0, 0).expect("time");
        assert!(night.contains(at(19, 0)) && night.contains(at(3, 30)) && !night.contains(at(7, 0)));
        assert!(!night.contains(at(12, 0)));
        assert_eq!(Hours::parse("7-19"), None);
        assert_eq!(Hours::parse("07:00-07:00"), None);
        assert_eq!(Hours::parse("07:00-25:00"), None);
    }

    #[test]
    fn a_pattern_is_a_number_or_its_beginning() {
        assert!(Pattern::parse("77*").expect("pattern").matches("7741"));
        assert!(!Pattern::parse("774").expect("pattern").matches("7741"));
        assert!(Pattern::parse("+1555*").expect("pattern").matches("+15550100"));
        assert_eq!(Pattern::parse("*"), None);
        assert_eq!(Pattern::parse("7a"), None);
    }
}

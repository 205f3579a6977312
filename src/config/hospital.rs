//! What one `hospital*.toml` settles: the numbers, the phones, the people and the systems of one hospital.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;

use crate::config::tree::Place;
use crate::identity::{Directory, LockoutRules, MAX_NUMBER_DIGITS};
use crate::ids::{CalendarId, Extension, HospitalId, Language, PlanId, SystemId, TargetId, TrunkId};
use crate::ivr::Origin;
use crate::ivr::condition::{Hours, Pattern};

/// Digits of a telephone number outside; shorter ones are services.
const SHORTEST_OUTSIDE: usize = 7;

/// One hospital, isolated from every other.
#[derive(Clone, Debug, PartialEq)]
pub struct Hospital {
    pub id: HospitalId,
    pub name: String,
    pub time_zone: TimeZone,
    /// What its desk speaks; the first is the one it begins with. Never empty.
    pub languages: Vec<Language>,
    /// The PBX: callbacks, the operator and analysts' extensions are dialled over it.
    pub trunk: TrunkId,
    /// Key 9 and what must reach a person of the hospital.
    pub operator: Extension,
    /// What callers are told to dial in an emergency ("5555"). The desk never dials them.
    pub code_numbers: Vec<Extension>,
    pub hotlines: BTreeMap<Extension, Hotline>,
    /// Where a call may be transferred to; always holds "operator".
    pub targets: BTreeMap<TargetId, Target>,
    /// Days on which shifts do not run and on-call does.
    pub holidays: BTreeSet<Date>,
    /// Times that plans may ask for by name.
    pub calendars: BTreeMap<CalendarId, Calendar>,
    pub directory: Directory,
    /// Where each system is declared, for findings that only the whole configuration shows.
    pub system_places: BTreeMap<SystemId, Place>,
    /// Numbers outside that a caller may ask to be called back at.
    pub callbacks_outside: Vec<Pattern>,
    /// When wrong PINs and badges lock.
    pub lockout: LockoutRules,
}

impl Hospital {
    pub fn language(&self) -> Language {
        self.languages.first().cloned().unwrap_or_else(|| Language::new("en"))
    }

    /// On which side of the PBX a keyed number is called back; `None` where nobody is.
    pub fn way_to(&self, number: &Extension) -> Option<Origin> {
        if self.directory.is_inside(number) {
            return Some(Origin::Inside);
        }
        let plausible = (SHORTEST_OUTSIDE..=MAX_NUMBER_DIGITS).contains(&number.as_str().len());
        let allowed = self.callbacks_outside.iter().any(|pattern| pattern.matches(number.as_str()));
        (plausible && allowed).then_some(Origin::Outside)
    }
}

/// All that is written must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Empty: all.
    pub days: Vec<Weekday>,
    /// `None`: all day.
    pub hours: Option<Hours>,
    pub holiday: Option<bool>,
    /// The first day and the last, both included.
    pub from: Option<Date>,
    pub until: Option<Date>,
}

impl Calendar {
    pub fn holds(&self, at: DateTime, holiday: bool) -> bool {
        let day = self.days.is_empty() || self.days.contains(&at.weekday());
        let hours = self.hours.is_none_or(|hours| hours.contains(at.time()));
        let begun = self.from.is_none_or(|from| from <= at.date());
        let over = self.until.is_some_and(|until| until < at.date());
        day && hours && begun && !over && self.holiday.is_none_or(|wanted| wanted == holiday)
    }
}

/// A number that callers dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hotline {
    pub number: Extension,
    pub plan: PlanId,
    /// `None`: the hospital's first.
    pub language: Option<Language>,
}

/// A declared transfer target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub id: TargetId,
    pub name: String,
    pub number: Extension,
    pub trunk: TrunkId,
    /// Leaves the hospital: dialled with the trunk's outside prefix.
    pub outside: bool,
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_calendar_of_days_holds_from_its_first_to_the_end_of_its_last() {
        let (from, until) = (Some(date(2026, 12, 5)), Some(date(2026, 12, 6)));
        let calendar = Calendar { days: Vec::new(), hours: None, holiday: None, from, until };
        let holds = |day: Date, hour: i8| calendar.holds(day.at(hour, 59, 59, 0), false);
        assert!(!holds(date(2026, 12, 4), 23) && holds(date(2026, 12, 5), 0));
        assert!(holds(date(2026, 12, 6), 23) && !holds(date(2026, 12, 7), 0));
        let open = Calendar { until: None, ..calendar.clone() };
        assert!(open.holds(date(2027, 1, 1).at(0, 0, 0, 0), true));
    }
}

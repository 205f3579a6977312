//! Who covers what, when: at each instant of some weeks, how many analysts are on shift or on call who would be rung for a
//! hospital's system and module; where nobody is; what expires or goes stale, and which hours that uncovers.
//!
//! The filter is the one of live calls ([`crate::routing::qualify::judge`]), asked of everybody as if they were signed in,
//! free and at a reachable phone. Nothing is looked at quarter by quarter: whether somebody may take a call changes only
//! when a day of validity begins or ends or a release goes live, and whether somebody is on duty only at the edges of
//! shifts; both are joined, and one sweep over their edges counts.
//!
//! Somebody without shifts is on duty whenever signed in, which no calendar tells: such people are named, and never counted.

mod holds;
mod sweep;
mod tell;
pub mod heatmap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::ids::{AnalystId, HospitalId, Language, ModuleId, SiteId, SystemId};
use crate::routing::{Level, Staff};

pub use tell::{hours, moment, spells};

/// Weeks that one look reaches over; a rota that is planned further ahead than a year is none.
pub const MAX_WEEKS: u8 = 53;

/// What of a hospital is to be covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    pub hospital: HospitalId,
    pub zone: TimeZone,
    pub language: Language,
    pub level: Level,
    /// Its plans ring people at work, and people on call. Whom no plan rings covers nothing.
    pub rings_at_work: bool,
    pub rings_on_call: bool,
    pub systems: Vec<Wanted>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub system: SystemId,
    pub modules: Vec<ModuleId>,
    /// Where it is used. Empty: not known, as of a caller whose place is not.
    pub sites: Vec<SiteId>,
}

/// From one instant to another, the latter left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: Timestamp,
    pub until: Timestamp,
}

impl Window {
    /// So many weeks from an instant on, as the clocks of `zone` count them: a day on which they change has 23 or 25 hours.
    /// `None` at the edge of the calendar.
    pub fn weeks(from: Timestamp, zone: &TimeZone, weeks: u8) -> Option<Window> {
        let until = from.to_zoned(zone.clone()).checked_add(i64::from(weeks).weeks()).ok()?;
        Some(Window { from, until: until.timestamp() })
    }

    /// As [`Window::weeks`], from the beginning of a day on.
    pub fn of_days(first: Date, zone: &TimeZone, weeks: u8) -> Option<Window> {
        Window::weeks(first.to_zoned(zone.clone()).ok()?.timestamp(), zone, weeks)
    }
}

/// A hospital's cover over a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cover {
    pub hospital: HospitalId,
    pub zone: TimeZone,
    pub window: Window,
    pub rows: Vec<Row>,
    /// By analyst, system and time.
    pub lapses: Vec<Lapse>,
}

/// A system, or those of its modules that the same people cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub system: SystemId,
    pub modules: Vec<ModuleId>,
    /// These are all that the system has.
    pub whole: bool,
    /// At these sites of it only; empty: wherever it is used.
    pub sites: Vec<SiteId>,
    /// Without a gap from the window's beginning to its end; each differs from the one before.
    pub stretches: Vec<Stretch>,
    /// Who may take it whenever signed in, at some time of the window. Not among those counted.
    pub whenever: Vec<AnalystId>,
}

/// Some time in which the cover is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub from: Timestamp,
    pub until: Timestamp,
    pub on_shift: usize,
    /// Of those who are not on shift.
    pub on_call: usize,
    /// The one there is, where there is one.
    pub single: Option<AnalystId>,
    /// Where there is nobody: who would be but for these, as positions in [`Cover::lapses`].
    pub lapsed: Vec<usize>,
}

impl Stretch {
    pub fn people(&self) -> usize {
        self.on_shift + self.on_call
    }
}

/// A qualification that ends to count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lapse {
    pub analyst: AnalystId,
    pub system: SystemId,
    pub at: Timestamp,
    pub because: Because,
    /// Empty: all that the analyst holds of the system.
    pub modules: Vec<ModuleId>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Because {
    /// `on` is the last day on which it counts.
    Expires { on: Date },
    /// This release goes live.
    Stale { release: String },
}

/// Looks at everybody once.
pub fn cover(staff: &Staff, demand: &Demand, window: Window) -> Cover {
    let mut lapses = holds::Lapses::default();
    let mut rows = Vec::new();
    for wanted in &demand.systems {
        let people = holds::People::of(staff, demand, wanted, window);
        for group in people.groups(&mut lapses) {
            rows.push(sweep::row(wanted, group, &people, window));
        }
    }
    let lapses = lapses.into_sorted(&mut rows);
    Cover { hospital: demand.hospital.clone(), zone: demand.zone.clone(), window, rows, lapses }
}

impl Cover {
    /// Somebody is on shift or on call for everything at every instant.
    pub fn is_whole(&self) -> bool {
        self.rows.iter().all(|row| row.stretches.iter().all(|stretch| stretch.people() > 0))
    }
}

impl Row {
    /// "meridian-prod", "tidewater-lab: orders, sign-in at harbor".
    pub fn name(&self) -> String {
        let mut name = self.system.to_string();
        if !self.whole {
            name += &format!(": {}", joined(&self.modules));
        }
        if !self.sites.is_empty() {
            name += &format!(" at {}", joined(&self.sites));
        }
        name
    }

    /// The cover at an instant; `None` outside of the window.
    pub fn at(&self, wall: Timestamp) -> Option<&Stretch> {
        let after = self.stretches.partition_point(|stretch| stretch.from <= wall);
        self.stretches.get(after.checked_sub(1)?).filter(|stretch| wall < stretch.until)
    }

    /// The times at which this holds, each as long as it can be.
    pub fn when(&self, holds: impl Fn(&Stretch) -> bool) -> Vec<Window> {
        let mut found: Vec<Window> = Vec::new();
        for stretch in self.stretches.iter().filter(|stretch| holds(stretch)) {
            match found.last_mut() {
                Some(last) if last.until == stretch.from => last.until = stretch.until,
                Some(_) | None => found.push(Window { from: stretch.from, until: stretch.until }),
            }
        }
        found
    }

    pub fn holes(&self) -> Vec<Window> {
        self.when(|stretch| stretch.people() == 0)
    }
}

/// "orders, sign-in".
pub fn joined<T: std::fmt::Display>(names: &[T]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

//! Locks against guessing at a telephone (line F76): wrong PINs are counted for each person, and wrong PINs and badges
//! for each calling number, across calls and restarts.
//!
//! ```text
//! Counting ── n wrong ──► Locked for `lock`, then twice as long … a day ── time ──► Counting (anew)
//!     ├────── the right PIN (a person's count only), or an admin ──► forgotten
//!     └────── `within` without a wrong one ──► the count is forgotten, the number of locks a week later
//! ```
//! While somebody is locked, whatever is keyed is refused and nothing is counted, so the right PIN looks like any other.
//! Nothing here waits for a timer: what is over is found to be so when it is asked for.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{ClinicianId, HospitalId};
use crate::time::{Duration, Instant};

/// Wrong PINs of one person before the lock: somebody who mistypes has found out by then.
pub const WRONG_FOR_PERSON: u32 = 5;
/// Wrong PINs and badges from one calling number: a ward's phone has many hands.
pub const WRONG_FROM_NUMBER: u32 = 20;
/// Most that an admin may allow of either.
pub const MAX_WRONG: u32 = 100;
/// Wrong ones further apart are not counted together.
pub const WITHIN: Duration = Duration::from_secs(3_600);
/// The first lock; each further one is twice as long.
pub const LOCK: Duration = Duration::from_secs(15 * 60);
pub const LONGEST_LOCK: Duration = Duration::from_secs(24 * 3_600);
/// After the last lock: a guesser who waits for less meets a longer one.
const LOCKS_REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3_600);
/// People and numbers counted at once. Numbers outside can be invented; people cannot.
const MAX_TALLIES: usize = 10_000;

/// What the hospital declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockoutRules {
    pub wrong_for_person: u32,
    pub wrong_from_number: u32,
    pub within: Duration,
    pub lock: Duration,
}

impl Default for LockoutRules {
    fn default() -> LockoutRules {
        LockoutRules {
            wrong_for_person: WRONG_FOR_PERSON,
            wrong_from_number: WRONG_FROM_NUMBER,
            within: WITHIN,
            lock: LOCK,
        }
    }
}

/// Who is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Suspect {
    /// Whose PIN is tried.
    Person(ClinicianId),
    /// A calling number as signalled; empty: all who withhold theirs.
    Number(String),
}

impl fmt::Display for Suspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Suspect::Person(person) => write!(f, "person {person}"),
            Suspect::Number(number) if number.is_empty() => f.write_str("withheld numbers"),
            Suspect::Number(number) => write!(f, "number {number}"),
        }
    }
}

/// A count as it is journaled and shown: never what was keyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub hospital: HospitalId,
    pub suspect: Suspect,
    /// Since the last lock.
    pub wrong: u32,
    /// The count is forgotten then.
    pub counts_until: Timestamp,
    pub locks: u32,
    /// The number of locks is forgotten then.
    pub remembered_until: Timestamp,
    pub locked_until: Option<Timestamp>,
}

impl Tally {
    pub fn is_locked(&self, at: Timestamp) -> bool {
        self.locked_until.is_some_and(|until| at < until)
    }
}

/// A wrong number was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    pub tally: Tally,
    /// A lock has begun with it: after so many wrong ones, for so long.
    pub locked: Option<(u32, Duration)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    wrong: u32,
    counts_until: Instant,
    locks: u32,
    remembered_until: Instant,
    locked_until: Option<Instant>,
}

impl Entry {
    fn is_locked(&self, now: Instant) -> bool {
        self.locked_until.is_some_and(|until| now < until)
    }

    fn is_forgotten(&self, now: Instant) -> bool {
        !self.is_locked(now) && self.counts_until <= now && self.remembered_until <= now
    }

    /// Counts are forgotten in their time.
    fn at(mut self, now: Instant) -> Entry {
        if self.counts_until <= now {
            self.wrong = 0;
        }
        if self.remembered_until <= now && !self.is_locked(now) {
            self.locks = 0;
        }
        self
    }
}

/// Everybody who is counted.
#[derive(Clone, Debug, Default)]
pub struct Lockouts {
    entries: BTreeMap<(HospitalId, Suspect), Entry>,
}

impl Lockouts {
    pub fn is_locked(&self, now: Instant, hospital: &HospitalId, suspect: &Suspect) -> bool {
        self.entries.get(&(hospital.clone(), suspect.clone())).is_some_and(|entry| entry.is_locked(now))
    }

    /// Counts a wrong number of whoever is not locked.
    pub fn wrong(
        &mut self,
        (now, wall): (Instant, Timestamp),
        rules: &LockoutRules,
        hospital: &HospitalId,
        suspect: Suspect,
    ) -> Counted {
        let key = (hospital.clone(), suspect);
        self.make_room(now, &key);
        let limit = match &key.1 {
            Suspect::Person(_) => rules.wrong_for_person,
            Suspect::Number(_) => rules.wrong_from_number,
        };
        let entry = self.entries.entry(key.clone()).or_default();
        *entry = entry.at(now);
        entry.wrong += 1;
        entry.counts_until = now + rules.within;
        let wrong = entry.wrong;
        let lasts = (wrong >= limit).then(|| {
            let lasts = rules.lock.saturating_mul(1 << entry.locks.min(10)).min(LONGEST_LOCK);
            *entry = Entry {
                wrong: 0,
                counts_until: now,
                locks: entry.locks.saturating_add(1),
                remembered_until: now + lasts + LOCKS_REMEMBERED,
                locked_until: Some(now + lasts),
            };
            lasts
        });
        let tally = tally(&key, entry, now, wall);
        Counted { tally, locked: lasts.map(|lasts| (wrong, lasts)) }
    }

    /// The right PIN, or an admin's word. False when there was nothing to forget.
    pub fn forget(&mut self, hospital: &HospitalId, suspect: &Suspect) -> bool {
        self.entries.remove(&(hospital.clone(), suspect.clone())).is_some()
    }

    /// What an earlier process counted.
    pub fn restore(&mut self, tally: Tally, now: Instant, wall: Timestamp) {
        let then = |at: Timestamp| now + Duration::try_from(at.duration_since(wall)).unwrap_or_default();
        let entry = Entry {
            wrong: tally.wrong,
            counts_until: then(tally.counts_until),
            locks: tally.locks,
            remembered_until: then(tally.remembered_until),
            locked_until: tally.locked_until.map(then),
        };
        if !entry.is_forgotten(now) && self.entries.len() < MAX_TALLIES {
            self.entries.insert((tally.hospital, tally.suspect), entry);
        }
    }

    /// Everybody of whom something is counted now.
    pub fn tallies(&self, now: Instant, wall: Timestamp) -> impl Iterator<Item = Tally> {
        let known = self.entries.iter().filter(move |(_, entry)| !entry.is_forgotten(now));
        known.map(move |(key, entry)| tally(key, &entry.at(now), now, wall))
    }

    /// When the table is full, what is over goes first, then the calling number that is forgotten soonest.
    fn make_room(&mut self, now: Instant, key: &(HospitalId, Suspect)) {
        if self.entries.len() < MAX_TALLIES || self.entries.contains_key(key) {
            return;
        }
        self.entries.retain(|_, entry| !entry.is_forgotten(now));
        if self.entries.len() < MAX_TALLIES {
            return;
        }
        let numbers = self.entries.iter().filter(|((_, suspect), _)| matches!(suspect, Suspect::Number(_)));
        let soonest = numbers.min_by_key(|(_, entry)| entry.counts_until.max(entry.remembered_until));
        if let Some(soonest) = soonest.map(|(key, _)| key.clone()) {
            self.entries.remove(&soonest);
        }
    }
}

fn tally((hospital, suspect): &(HospitalId, Suspect), entry: &Entry, now: Instant, wall: Timestamp) -> Tally {
    let then = |at: Instant| wall.checked_add(at.since(now)).unwrap_or(Timestamp::MAX);
    Tally {
        hospital: hospital.clone(),
        suspect: suspect.clone(),
        wrong: entry.wrong,
        counts_until: then(entry.counts_until),
        locks: entry.locks,
        remembered_until: then(entry.remembered_until),
        locked_until: entry.locked_until.filter(|until| now < *until).map(then),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: LockoutRules = LockoutRules {
        wrong_for_person: 3,
        wrong_from_number: 5,
        within: Duration::from_secs(600),
        lock: Duration::from_secs(60),
    };

    fn harbor() -> HospitalId {
        HospitalId::new("harbor")
    }

    fn rao() -> Suspect {
        Suspect::Person(ClinicianId::new("rao"))
    }

    fn at(seconds: u64) -> (Instant, Timestamp) {
        let wall = Timestamp::from_second(1_800_000_000 + i64::try_from(seconds).expect("small")).expect("a time");
        (Instant::from_millis(seconds * 1_000), wall)
    }

    fn wrong(lockouts: &mut Lockouts, seconds: u64, suspect: &Suspect) -> Option<u64> {
        let counted = lockouts.wrong(at(seconds), &RULES, &harbor(), suspect.clone());
        counted.locked.map(|(_, lasts)| lasts.as_secs())
    }

    fn locked(lockouts: &Lockouts, seconds: u64, suspect: &Suspect) -> bool {
        lockouts.is_locked(at(seconds).0, &harbor(), suspect)
    }

    #[test]
    fn f76_the_third_wrong_pin_locks_a_person_and_each_lock_is_twice_as_long() {
        let mut lockouts = Lockouts::default();
        assert_eq!([0, 100, 200].map(|seconds| wrong(&mut lockouts, seconds, &rao())), [None, None, Some(60)]);
        assert!(locked(&lockouts, 259, &rao()) && !locked(&lockouts, 260, &rao()));
        assert!(!locked(&lockouts, 210, &Suspect::Person(ClinicianId::new("bell"))));
        assert!(!lockouts.is_locked(at(210).0, &HospitalId::new("cedar"), &rao()));
        assert_eq!([300, 301, 302].map(|seconds| wrong(&mut lockouts, seconds, &rao())), [None, None, Some(120)]);
        // Far apart they are not counted together, but the locks are remembered for a week.
        assert_eq!([1_000, 1_700, 2_400].map(|seconds| wrong(&mut lockouts, seconds, &rao())), [None, None, None]);
        assert_eq!([2_500, 2_600].map(|seconds| wrong(&mut lockouts, seconds, &rao())), [None, Some(240)]);
        let week = 2_600 + 240 + 7 * 24 * 3_600;
        assert_eq!([0, 1, 2].map(|second| wrong(&mut lockouts, week + second, &rao())), [None, None, Some(60)]);
    }

    #[test]
    fn f76_no_lock_is_longer_than_a_day() {
        let (mut lockouts, mut seconds) = (Lockouts::default(), 0);
        let mut longest = 0;
        for _ in 0..60 {
            longest = wrong(&mut lockouts, seconds, &rao()).unwrap_or(longest);
            seconds += if locked(&lockouts, seconds, &rao()) { longest } else { 1 };
        }
        assert_eq!(longest, 60 * 1_024, "2^10 times the first");
        let rules = LockoutRules { lock: LONGEST_LOCK, wrong_for_person: 1, ..RULES };
        let counted = lockouts.wrong(at(seconds), &rules, &harbor(), rao());
        assert_eq!(counted.locked, Some((1, Duration::from_secs(24 * 3_600))));
    }

    #[test]
    fn f76_a_calling_number_is_counted_whomever_it_tries_and_the_right_pin_forgets_only_the_person() {
        let (mut lockouts, phone) = (Lockouts::default(), Suspect::Number("4710".into()));
        for seconds in 0..4 {
            assert_eq!(wrong(&mut lockouts, seconds, &phone), None);
        }
        wrong(&mut lockouts, 4, &rao());
        assert!(lockouts.forget(&harbor(), &rao()) && !lockouts.forget(&harbor(), &rao()));
        assert_eq!(wrong(&mut lockouts, 5, &phone), Some(60));
    }

    #[test]
    fn f76_a_lock_and_a_count_go_on_after_a_restart() {
        let mut before = Lockouts::default();
        for seconds in 0..3 {
            wrong(&mut before, seconds, &rao());
        }
        let phone = Suspect::Number(String::new());
        wrong(&mut before, 10, &phone);
        let tallies: Vec<Tally> = before.tallies(at(20).0, at(20).1).collect();
        assert_eq!(tallies.len(), 2);
        // The next process has a clock of its own, 30 s later by the wall.
        let mut after = Lockouts::default();
        for tally in tallies {
            let text = serde_json::to_string(&tally).expect("JSON");
            after.restore(serde_json::from_str(&text).expect("the same"), Instant::from_millis(7_000), at(50).1);
        }
        assert!(after.is_locked(Instant::from_millis(7_000 + 11_900), &harbor(), &rao()));
        assert!(!after.is_locked(Instant::from_millis(7_000 + 12_000), &harbor(), &rao()));
        let counted = after.wrong((Instant::from_millis(7_000), at(50).1), &RULES, &harbor(), phone);
        assert_eq!(counted.tally.wrong, 2);
    }

    #[test]
    fn the_table_is_bounded_and_keeps_people_before_numbers() {
        let mut lockouts = Lockouts::default();
        wrong(&mut lockouts, 0, &rao());
        for number in 0..MAX_TALLIES as u64 + 100 {
            wrong(&mut lockouts, 1, &Suspect::Number(number.to_string()));
        }
        assert_eq!(lockouts.entries.len(), MAX_TALLIES);
        assert_eq!([2, 3].map(|seconds| wrong(&mut lockouts, seconds, &rao())), [None, Some(60)]);
    }
}

//! Sources that belong to no trunk get nothing useful: a few 403s, then silence, and a count.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::time::{Duration, Instant};

/// 403s that one source gets in a [`WINDOW`]; a misconfigured PBX sees the reason, a scanner learns little.
const ANSWERS_PER_SOURCE: u32 = 5;
/// 403s to all strangers together in a [`WINDOW`]: bounds what a flood of spoofed sources makes us send.
const ANSWERS_TOGETHER: u32 = 100;
/// Challenges that one source gets in a [`WINDOW`]: a ward's worth of phones behind one address that all restart.
const CHALLENGES_PER_SOURCE: u32 = 200;
/// Challenges to all of them together in a [`WINDOW`]: 10,000 phones register within a minute (line C47).
const CHALLENGES_TOGETHER: u32 = 3_000;
/// Locks that are written into the audit in a [`LOCK_WINDOW`]; more are counted. A row stays for years, and whoever has
/// many addresses can begin many locks.
const LOCK_ROWS: u32 = 60;
const LOCK_WINDOW: Duration = Duration::from_secs(60);
const WINDOW: Duration = Duration::from_secs(10);
/// Sources remembered in a window; more are answered by the common bound alone.
const MAX_SOURCES: usize = 4_096;

#[derive(Debug, Default)]
pub struct Strangers {
    window_ends: Instant,
    together: u32,
    sources: BTreeMap<IpAddr, u32>,
    challenged: u32,
    challenges: BTreeMap<IpAddr, u32>,
}

impl Strangers {
    /// Whether a request from `source` is worth a 403 at `now`.
    pub fn answer(&mut self, now: Instant, source: IpAddr) -> bool {
        self.turn_window(now);
        spend(&mut self.together, ANSWERS_TOGETHER, &mut self.sources, ANSWERS_PER_SOURCE, source)
    }

    /// Whether a REGISTER from `source` that answers no challenge of ours is worth an answer at `now`.
    pub fn challenge(&mut self, now: Instant, source: IpAddr) -> bool {
        self.turn_window(now);
        spend(&mut self.challenged, CHALLENGES_TOGETHER, &mut self.challenges, CHALLENGES_PER_SOURCE, source)
    }

    fn turn_window(&mut self, now: Instant) {
        if now >= self.window_ends {
            *self = Strangers { window_ends: now + WINDOW, ..Strangers::default() };
        }
    }
}

/// Bounds what others make us write: so many lines in a window of time.
#[derive(Debug)]
pub struct PerWindow {
    most: u32,
    window: Duration,
    ends: Instant,
    taken: u32,
    untold: u64,
}

impl PerWindow {
    pub fn new(most: u32, window: Duration) -> PerWindow {
        PerWindow { most, window, ends: Instant::default(), taken: 0, untold: 0 }
    }

    /// Of locks, for the audit.
    pub fn of_locks() -> PerWindow {
        PerWindow::new(LOCK_ROWS, LOCK_WINDOW)
    }

    /// Whether there is room for a line at `now`; with it, how many found none since the line before.
    pub fn takes(&mut self, now: Instant) -> Option<u64> {
        if now >= self.ends {
            (self.ends, self.taken) = (now + self.window, 0);
        }
        if self.taken >= self.most {
            self.untold += 1;
            return None;
        }
        self.taken += 1;
        Some(std::mem::take(&mut self.untold))
    }
}

/// One answer out of the common budget and the source's own.
fn spend(
    together: &mut u32,
    most_together: u32,
    sources: &mut BTreeMap<IpAddr, u32>,
    most_each: u32,
    source: IpAddr,
) -> bool {
    if *together >= most_together {
        return false;
    }
    if sources.len() < MAX_SOURCES || sources.contains_key(&source) {
        let count = sources.entry(source).or_insert(0);
        if *count >= most_each {
            return false;
        }
        *count += 1;
    }
    *together += 1;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_hears_five_refusals_in_ten_seconds() {
        let mut strangers = Strangers::default();
        let source: IpAddr = "192.0.2.7".parse().expect("address");
        let answered = (0..20).filter(|_| strangers.answer(Instant::from_millis(1), source)).count();
        assert_eq!(answered, 5);
        assert!(strangers.answer(Instant::from_millis(10_001), source), "the next window begins anew");
    }

    #[test]
    fn a_line_says_how_many_found_no_room_before_it() {
        let mut lines = PerWindow::new(2, Duration::from_secs(60));
        let told: Vec<_> = (0..5).map(|n| lines.takes(Instant::from_millis(n))).collect();
        assert_eq!(told, [Some(0), Some(0), None, None, None]);
        assert_eq!(lines.takes(Instant::from_millis(60_001)), Some(3));
        assert_eq!(lines.takes(Instant::from_millis(60_002)), Some(0));
    }

    #[test]
    fn a_flood_of_sources_is_answered_a_hundred_times() {
        let mut strangers = Strangers::default();
        let answered = (0..10_000u32)
            .filter(|n| strangers.answer(Instant::from_millis(1), IpAddr::V4(std::net::Ipv4Addr::from_bits(*n))))
            .count();
        assert_eq!(answered, 100);
    }
}

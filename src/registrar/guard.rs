//! Locks against guessing (line C45): failures are counted for each user name, known or not, and for each source; only
//! wrong answers to nonces that the source was given come here, so a forged source counts for nothing.
//!
//! ```text
//! Counting ── LIMIT failures ──► Locked for 30 s, 60 s, … 15 min ── time ──► Counting (anew, next lock is longer)
//!     └────── a success (user name only), or 30 min without failure ──► forgotten
//! ```

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use crate::time::{Duration, Instant};

/// A person who mistypes a password into a phone has found out by then.
const FAILURES_PER_USER: u32 = 5;
/// More, as many phones can stand behind one address.
const FAILURES_PER_SOURCE: u32 = 20;
const FIRST_LOCK: Duration = Duration::from_secs(30);
const LONGEST_LOCK: Duration = Duration::from_secs(15 * 60);
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30 * 60);
/// Entries of each table; a scan from more addresses than that loses its oldest quarter.
const MAX_ENTRIES: usize = 10_000;
/// Longest part of a user name that is told apart. Real ones are shorter.
const MAX_NAME: usize = 64;

/// Who is locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suspect {
    /// A user name as sent; it need not exist.
    User(String),
    /// An address; of IPv6 its network of 64 bits.
    Source(IpAddr),
}

/// A lock has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    pub suspect: Suspect,
    pub failures: u32,
    pub lasts: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    failures: u32,
    locks: u32,
    last: Instant,
    locked_until: Option<Instant>,
    /// Of a user: where the last failure came from.
    from: Option<IpAddr>,
}

#[derive(Default)]
pub(super) struct Guard {
    users: BTreeMap<String, Entry>,
    sources: BTreeMap<IpAddr, Entry>,
}

impl Guard {
    pub fn user_locked(&self, now: Instant, user: &str) -> bool {
        self.users.get(&name(user)).is_some_and(|entry| entry.locked(now))
    }

    pub fn source_locked(&self, now: Instant, source: IpAddr) -> bool {
        self.sources.get(&network(source)).is_some_and(|entry| entry.locked(now))
    }

    /// Counts a wrong password. What is returned is new and belongs in the audit.
    pub fn failed(&mut self, now: Instant, user: &str, source: IpAddr) -> Vec<Locked> {
        let (user, source) = (name(user), network(source));
        let of_user = entry(&mut self.users, user.clone(), now);
        of_user.from = Some(source);
        let user_lock = of_user.fail(now, FAILURES_PER_USER);
        let source_lock = entry(&mut self.sources, source, now).fail(now, FAILURES_PER_SOURCE);
        let user_lock = user_lock.map(|lasts| (Suspect::User(user), FAILURES_PER_USER, lasts));
        let source_lock = source_lock.map(|lasts| (Suspect::Source(source), FAILURES_PER_SOURCE, lasts));
        let locks = user_lock.into_iter().chain(source_lock);
        locks.map(|(suspect, failures, lasts)| Locked { suspect, failures, lasts }).collect()
    }

    /// The right password clears the user name. Not the source: it may own one account and guess at others.
    pub fn succeeded(&mut self, user: &str) {
        self.users.remove(&name(user));
    }

    /// Somebody who may do so has set a new password: what the old one did wrong counts no more, neither for the name nor for
    /// where it was tried last, which is the phone that shall register now.
    pub fn pardon(&mut self, user: &str) {
        if let Some(source) = self.users.remove(&name(user)).and_then(|entry| entry.from) {
            self.sources.remove(&source);
        }
    }

    /// How long the user name, or the source at which it was wrong last, is locked yet.
    pub fn locked_for(&self, now: Instant, user: &str) -> Option<Duration> {
        let of_user = self.users.get(&name(user))?;
        let of_source = of_user.from.and_then(|source| self.sources.get(&source));
        let until = [Some(of_user), of_source].into_iter().flatten().filter_map(|entry| entry.locked_until).max()?;
        (now < until).then(|| until.since(now))
    }
}

impl Entry {
    fn locked(&self, now: Instant) -> bool {
        self.locked_until.is_some_and(|until| now < until)
    }

    fn fail(&mut self, now: Instant, limit: u32) -> Option<Duration> {
        if self.locked(now) {
            return None;
        }
        self.failures += 1;
        self.last = now;
        if self.failures < limit {
            return None;
        }
        let lasts = FIRST_LOCK.saturating_mul(1 << self.locks.min(10)).min(LONGEST_LOCK);
        self.failures = 0;
        self.locks += 1;
        self.locked_until = Some(now + lasts);
        Some(lasts)
    }

    fn forgotten(&self, now: Instant) -> bool {
        now.since(self.last.max(self.locked_until.unwrap_or_default())) >= FORGOTTEN_AFTER
    }
}

fn entry<K: Ord + Clone>(table: &mut BTreeMap<K, Entry>, key: K, now: Instant) -> &mut Entry {
    if table.get(&key).is_some_and(|entry| entry.forgotten(now)) {
        table.remove(&key);
    }
    if table.len() >= MAX_ENTRIES && !table.contains_key(&key) {
        let mut ages: Vec<Instant> = table.values().map(|entry| entry.last).collect();
        let (_, limit, _) = ages.select_nth_unstable(MAX_ENTRIES / 4);
        let limit = *limit;
        // `<=` drops a quarter at least, so the work of it is spread over as many insertions.
        table.retain(|_, entry| entry.last > limit);
    }
    table.entry(key).or_default()
}

fn name(user: &str) -> String {
    user.chars().take(MAX_NAME).collect()
}

/// Whoever has one IPv6 address has its whole network.
fn network(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    #[test]
    fn c45_a_user_name_is_locked_after_five_failures_and_each_time_longer() {
        let mut guard = Guard::default();
        for _ in 0..4 {
            assert_eq!(guard.failed(at(0), "anna", source(1)), []);
        }
        assert!(!guard.user_locked(at(0), "anna"));
        let locked = |seconds| {
            let suspect = Suspect::User("anna".into());
            vec![Locked { suspect, failures: 5, lasts: Duration::from_secs(seconds) }]
        };
        assert_eq!(guard.failed(at(0), "anna", source(2)), locked(30));
        assert!(guard.user_locked(at(29), "anna") && !guard.user_locked(at(30), "anna"));
        assert!(!guard.user_locked(at(0), "bert"));
        for _ in 0..4 {
            guard.failed(at(31), "anna", source(3));
        }
        assert_eq!(guard.failed(at(31), "anna", source(3)), locked(60));
        guard.succeeded("anna");
        assert!(!guard.user_locked(at(32), "anna"));
    }

    #[test]
    fn c45_a_source_is_locked_after_twenty_failures_whatever_the_names() {
        let mut guard = Guard::default();
        for number in 0..19 {
            assert_eq!(guard.failed(at(0), &format!("user{number}"), source(1)), []);
        }
        let [locked] = &guard.failed(at(0), "user19", source(1))[..] else { panic!("no lock") };
        assert_eq!(locked.suspect, Suspect::Source(source(1)));
        assert!(guard.source_locked(at(1), source(1)) && !guard.source_locked(at(1), source(2)));
        assert!(!guard.source_locked(at(30), source(1)));
    }

    #[test]
    fn an_ipv6_source_is_its_network() {
        let mut guard = Guard::default();
        for number in 0..20u128 {
            let source = IpAddr::V6(Ipv6Addr::from(0x2001_0db8 << 96 | number));
            guard.failed(at(0), &format!("user{number}"), source);
        }
        assert!(guard.source_locked(at(0), "2001:db8::ffff".parse().unwrap()));
        assert!(!guard.source_locked(at(0), "2001:db8:0:1::1".parse().unwrap()));
    }

    #[test]
    fn the_tables_are_bounded_and_keep_the_newest() {
        let mut guard = Guard::default();
        for number in 0..30_000u32 {
            guard.failed(at(u64::from(number)), "anna", IpAddr::from(number.to_be_bytes()));
        }
        assert!(guard.sources.len() <= 10_000);
        assert!(guard.sources.contains_key(&IpAddr::from(29_999u32.to_be_bytes())));
        assert_eq!(guard.users.len(), 1);
    }
}

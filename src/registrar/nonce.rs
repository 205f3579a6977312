//! Nonces that need no memory: time and a random number under a MAC, so a restart invalidates none (line C44). Only the
//! highest nonce count is remembered, and journaled, so that nothing is taken twice.
//!
//! The MAC also covers the address that the nonce was given to, not its port, which a NAT may change: so whoever sends
//! one from there has heard our answer there, and has not forged the source.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::time::Duration;

/// Nonces whose count is remembered: two for each of the 10,000 phones of line C47.
pub(super) const MAX_NONCES: usize = 20_000;
/// A nonce may lie this far ahead of a clock that was set back.
const CLOCK_SLACK_SECONDS: i64 = 60;

/// The persisted key of nonces; whoever has it can make nonces, not passwords. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct NonceKey([u8; 32]);

impl NonceKey {
    pub fn new(bytes: [u8; 32]) -> NonceKey {
        NonceKey(bytes)
    }

    /// HMAC-SHA256 of `parts`, `label` first, so that no use of the key speaks for another.
    pub(super) fn mac(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(label.as_bytes());
        for part in parts {
            mac.update(&[0]);
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NonceKey")
    }
}

/// Highest count seen with a nonce. What the journal keeps of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NonceRecord {
    pub nonce: String,
    pub count: u32,
    /// From then on the nonce is refused anyway.
    pub expires: Timestamp,
}

/// A nonce of ours, by what stands in it. Orders by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Issued {
    /// Seconds of Unix time.
    at: i64,
    random: u64,
}

pub(super) struct Nonces {
    key: NonceKey,
    life: Duration,
    highest: BTreeMap<Issued, u32>,
    /// Nonces issued up to here are refused: their counts had to be forgotten.
    forgotten: Option<i64>,
}

impl Nonces {
    pub fn new(key: NonceKey, life: Duration) -> Nonces {
        Nonces { key, life, highest: BTreeMap::new(), forgotten: None }
    }

    pub fn key(&self) -> &NonceKey {
        &self.key
    }

    /// A new nonce for `source`: time, `random` and their MAC, in hexadecimal.
    pub fn issue(&self, wall: Timestamp, random: u64, source: IpAddr) -> String {
        self.write(Issued { at: wall.as_second().max(0), random }, source)
    }

    /// Whether we gave `nonce` to `source` at any time.
    pub fn gave(&self, nonce: &str, source: IpAddr) -> bool {
        self.read(nonce, source).is_some()
    }

    /// Whether we gave `nonce` to `source`, and it may still be used.
    pub fn is_live(&self, wall: Timestamp, nonce: &str, source: IpAddr) -> bool {
        self.read(nonce, source).is_some_and(|issued| self.in_time(wall, issued))
    }

    /// Whether `nonce` is ours, in time, and `count` higher than any before. Then `count` is remembered, and what is
    /// returned belongs in the journal.
    pub fn spend(&mut self, wall: Timestamp, nonce: &str, source: IpAddr, count: u32) -> Option<NonceRecord> {
        self.sweep(wall);
        let issued = self.read(nonce, source).filter(|issued| self.in_time(wall, *issued))?;
        if self.highest.get(&issued).is_some_and(|highest| count <= *highest) {
            return None;
        }
        self.remember(issued, count);
        Some(NonceRecord { nonce: nonce.to_owned(), count, expires: self.expiry(issued) })
    }

    fn in_time(&self, wall: Timestamp, issued: Issued) -> bool {
        let now = wall.as_second();
        let old = issued.at.saturating_add(self.life_seconds()) <= now;
        !old && issued.at <= now + CLOCK_SLACK_SECONDS && self.forgotten.is_none_or(|until| issued.at > until)
    }

    /// Takes a count from the journal, which holds only nonces whose MAC was right.
    pub fn restore(&mut self, record: &NonceRecord) {
        if let Some(issued) = Issued::parse(&record.nonce) {
            let highest = self.highest.get(&issued).copied().unwrap_or(0);
            self.remember(issued, record.count.max(highest));
        }
    }

    fn remember(&mut self, issued: Issued, count: u32) {
        self.highest.insert(issued, count);
        while self.highest.len() > MAX_NONCES {
            if let Some((oldest, _)) = self.highest.pop_first() {
                self.forgotten = self.forgotten.max(Some(oldest.at));
            }
        }
    }

    /// Counts of nonces that are too old are of no use.
    fn sweep(&mut self, wall: Timestamp) {
        let life = self.life_seconds();
        while let Some(oldest) = self.highest.first_entry() {
            if oldest.key().at.saturating_add(life) > wall.as_second() {
                return;
            }
            // Kept out for good, also when the clock is set back afterwards.
            self.forgotten = self.forgotten.max(Some(oldest.key().at));
            oldest.remove();
        }
    }

    fn life_seconds(&self) -> i64 {
        i64::try_from(self.life.as_secs()).unwrap_or(i64::MAX)
    }

    fn expiry(&self, issued: Issued) -> Timestamp {
        Timestamp::from_second(issued.at.saturating_add(self.life_seconds())).unwrap_or(Timestamp::MAX)
    }

    fn write(&self, issued: Issued, source: IpAddr) -> String {
        // A peer of a listener for both families is the same as one of a listener for IPv4.
        let source = source.to_canonical().to_string();
        let parts = [&issued.at.to_be_bytes()[..], &issued.random.to_be_bytes(), source.as_bytes()];
        let mac = self.key.mac("nonce", &parts);
        let (mac, _) = mac.split_at(16);
        let mut text = format!("{:010x}{:016x}", issued.at, issued.random);
        mac.iter().for_each(|byte| text.push_str(&format!("{byte:02x}")));
        text
    }

    /// The parts of a nonce whose MAC is ours.
    fn read(&self, nonce: &str, source: IpAddr) -> Option<Issued> {
        let issued = Issued::parse(nonce)?;
        crate::sip::digest::same(&self.write(issued, source), nonce).then_some(issued)
    }
}

impl Issued {
    /// What stands in front of the MAC.
    fn parse(nonce: &str) -> Option<Issued> {
        let at = i64::from_str_radix(nonce.get(..10)?, 16).ok()?;
        let random = u64::from_str_radix(nonce.get(10..26)?, 16).ok()?;
        Some(Issued { at, random })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(300);
    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 10));

    fn nonces() -> Nonces {
        Nonces::new(NonceKey::new([7; 32]), LIFE)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn c44_any_count_may_begin_and_none_is_taken_twice() {
        let mut nonces = nonces();
        let nonce = nonces.issue(at(0), 1, HOME);
        assert_eq!(nonce.len(), 58);
        let record = nonces.spend(at(1), &nonce, HOME, 7).unwrap();
        assert_eq!(record, NonceRecord { nonce: nonce.clone(), count: 7, expires: at(300) });
        for replayed in [7, 6, 1] {
            assert_eq!(nonces.spend(at(2), &nonce, HOME, replayed), None);
        }
        assert!(nonces.spend(at(2), &nonce, HOME, 8).is_some());
        assert!(nonces.spend(at(299), &nonce, HOME, 9).is_some());
        assert_eq!(nonces.spend(at(300), &nonce, HOME, 10), None);
    }

    #[test]
    fn c44_a_restart_keeps_nonces_and_their_counts() {
        let mut before = nonces();
        let (used, fresh) = (before.issue(at(0), 1, HOME), before.issue(at(0), 2, HOME));
        let record = before.spend(at(1), &used, HOME, 5).unwrap();
        let mut after = nonces();
        after.restore(&record);
        assert_eq!(after.spend(at(2), &used, HOME, 5), None);
        assert!(after.spend(at(2), &used, HOME, 6).is_some());
        assert!(after.spend(at(2), &fresh, HOME, 1).is_some());
    }

    #[test]
    fn nonces_of_others_and_of_the_future_are_refused() {
        let mut nonces = nonces();
        let other = Nonces::new(NonceKey::new([8; 32]), LIFE).issue(at(0), 1, HOME);
        for nonce in ["", "é", "00", other.as_str(), &format!("{}0", nonces.issue(at(0), 1, HOME)), &"0".repeat(58)] {
            assert_eq!(nonces.spend(at(0), nonce, HOME, 1), None, "{nonce}");
        }
        let elsewhere: IpAddr = "192.0.2.11".parse().unwrap();
        let given = nonces.issue(at(0), 1, HOME);
        assert_eq!(nonces.spend(at(0), &given, elsewhere, 1), None);
        assert!(!nonces.gave(&given, elsewhere) && nonces.gave(&given, "::ffff:192.0.2.10".parse().unwrap()));
        let ahead = nonces.issue(at(61), 1, HOME);
        assert_eq!(nonces.spend(at(0), &ahead, HOME, 1), None);
    }

    #[test]
    fn the_table_is_bounded_and_what_it_forgets_stays_refused() {
        let mut nonces = nonces();
        let first = nonces.issue(at(0), 0, HOME);
        nonces.spend(at(1), &first, HOME, 1).unwrap();
        for random in 0..20_000 {
            let nonce = nonces.issue(at(1), random, HOME);
            nonces.spend(at(1), &nonce, HOME, 1).unwrap();
        }
        assert_eq!(nonces.highest.len(), 20_000);
        assert_eq!(nonces.spend(at(2), &first, HOME, 2), None);
    }
}

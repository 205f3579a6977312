//! The free-list of RTP/RTCP port pairs. First in, first out, and each pair rests before it is given out again, so
//! that late packets of one call never reach the next (line E71). Who holds which pair stands here and not in the calls alone:
//! of one that breaks, nothing else can be trusted.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

use crate::bridge::MediaPort;
use crate::ids::CallId;
use crate::time::{Duration, Instant};

#[derive(Debug)]
pub struct Ports {
    free: VecDeque<MediaPort>,
    /// Ordered by the instant at which each may be used again.
    resting: VecDeque<(Instant, MediaPort)>,
    used: BTreeMap<MediaPort, CallId>,
    quarantine: Duration,
}

impl Ports {
    /// Every even port of `range` whose odd neighbour (RTCP) is in it too.
    pub fn new(range: RangeInclusive<u16>, quarantine: Duration) -> Ports {
        let last = *range.end();
        let free = range.filter(|port| port % 2 == 0 && *port < last).map(MediaPort).collect();
        Ports { free, resting: VecDeque::new(), used: BTreeMap::new(), quarantine }
    }

    /// The pair that has rested longest, or `None` when every pair is in use or resting.
    pub fn take(&mut self, now: Instant, call: CallId) -> Option<MediaPort> {
        while let Some((ready, port)) = self.resting.front().copied() {
            if ready > now {
                break;
            }
            self.resting.pop_front();
            self.free.push_back(port);
        }
        let port = self.free.pop_front()?;
        self.used.insert(port, call);
        Some(port)
    }

    pub fn give_back(&mut self, now: Instant, port: MediaPort) {
        let held = self.used.remove(&port).is_some();
        debug_assert!(held, "port {} given back twice", port.0);
        if held {
            self.resting.push_back((now + self.quarantine, port));
        }
    }

    /// Whatever this call still holds.
    pub fn give_all_back(&mut self, now: Instant, call: CallId) {
        let left: Vec<MediaPort> =
            self.used.extract_if(.., |_, holder| *holder == call).map(|(port, _)| port).collect();
        self.resting.extend(left.into_iter().map(|port| (now + self.quarantine, port)));
    }

    /// A port that could not be bound is somebody else's: it rests like a used one and is tried again later.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    pub fn used(&self) -> usize {
        self.used.len()
    }

    pub fn resting(&self) -> usize {
        self.resting.len()
    }

    /// Whether `pairs` more can be had at `now`.
    pub fn has(&self, now: Instant, pairs: usize) -> bool {
        let rested = self.resting.iter().take_while(|(ready, _)| *ready <= now).count();
        self.free.len() + rested >= pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(30);
    const CALL: CallId = CallId(ulid::Ulid(1));

    #[test]
    fn e71_only_whole_pairs_are_given_out() {
        let mut ports = Ports::new(20_001..=20_006, REST);
        assert_eq!(ports.take(Instant::ZERO, CALL), Some(MediaPort(20_002)));
        assert_eq!(ports.take(Instant::ZERO, CALL), Some(MediaPort(20_004)));
        assert_eq!(ports.take(Instant::ZERO, CALL), None, "20006 has no RTCP port in the range");
    }

    #[test]
    fn e71_a_port_is_reused_only_after_its_rest() {
        let mut ports = Ports::new(20_000..=20_001, REST);
        let port = ports.take(Instant::ZERO, CALL).expect("one pair");
        ports.give_back(Instant::from_millis(1_000), port);
        assert_eq!(ports.take(Instant::from_millis(30_999), CALL), None);
        assert!(ports.has(Instant::from_millis(31_000), 1));
        assert_eq!(ports.take(Instant::from_millis(31_000), CALL), Some(port));
        assert_eq!((ports.free(), ports.used(), ports.resting()), (0, 1, 0));
    }

    #[test]
    fn what_a_broken_call_holds_rests_too_and_other_calls_keep_theirs() {
        let mut ports = Ports::new(20_000..=20_005, REST);
        let other = CallId(ulid::Ulid(2));
        for call in [CALL, other, CALL] {
            assert!(ports.take(Instant::ZERO, call).is_some());
        }
        ports.give_all_back(Instant::ZERO, CALL);
        assert_eq!((ports.free(), ports.used(), ports.resting()), (0, 1, 2));
        assert_eq!(ports.take(Instant::from_millis(29_999), CALL), None);
        assert_eq!(ports.take(Instant::from_millis(30_000), CALL), Some(MediaPort(20_000)));
    }
}

//! The free-list of RTP/RTCP port pairs. First in, first out, and each pair rests before it is given out again, so
//! that late packets of one call never reach the next (line E71).

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use crate::bridge::MediaPort;
use crate::time::{Duration, Instant};

#[derive(Debug)]
pub struct Ports {
    free: VecDeque<MediaPort>,
    /// Ordered by the instant at which each may be used again.
    resting: VecDeque<(Instant, MediaPort)>,
    used: usize,
    quarantine: Duration,
}

impl Ports {
    /// Every even port of `range` whose odd neighbour (RTCP) is in it too.
    pub fn new(range: RangeInclusive<u16>, quarantine: Duration) -> Ports {
        let last = *range.end();
        let free = range.filter(|port| port % 2 == 0 && *port < last).map(MediaPort).collect();
        Ports { free, resting: VecDeque::new(), used: 0, quarantine }
    }

    /// The pair that has rested longest, or `None` when every pair is in use or resting.
    pub fn take(&mut self, now: Instant) -> Option<MediaPort> {
        while let Some((ready, port)) = self.resting.front().copied() {
            if ready > now {
                break;
            }
            self.resting.pop_front();
            self.free.push_back(port);
        }
        let port = self.free.pop_front()?;
        self.used += 1;
        Some(port)
    }

    pub fn give_back(&mut self, now: Instant, port: MediaPort) {
        debug_assert!(self.used > 0, "port {} given back twice", port.0);
        self.used = self.used.saturating_sub(1);
        self.resting.push_back((now + self.quarantine, port));
    }

    /// A port that could not be bound is somebody else's: it rests like a used one and is tried again later.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    pub fn used(&self) -> usize {
        self.used
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

    #[test]
    fn e71_only_whole_pairs_are_given_out() {
        let mut ports = Ports::new(20_001..=20_006, REST);
        assert_eq!(ports.take(Instant::ZERO), Some(MediaPort(20_002)));
        assert_eq!(ports.take(Instant::ZERO), Some(MediaPort(20_004)));
        assert_eq!(ports.take(Instant::ZERO), None, "20006 has no RTCP port in the range");
    }

    #[test]
    fn e71_a_port_is_reused_only_after_its_rest() {
        let mut ports = Ports::new(20_000..=20_001, REST);
        let port = ports.take(Instant::ZERO).expect("one pair");
        ports.give_back(Instant::from_millis(1_000), port);
        assert_eq!(ports.take(Instant::from_millis(30_999)), None);
        assert!(ports.has(Instant::from_millis(31_000), 1));
        assert_eq!(ports.take(Instant::from_millis(31_000)), Some(port));
        assert_eq!((ports.free(), ports.used(), ports.resting()), (0, 1, 0));
    }
}

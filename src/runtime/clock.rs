//! The only place that asks what time it is for the switch.

use jiff::Timestamp;

use crate::time::{Duration, Instant};

/// The process's monotonic clock, counted from its start.
#[derive(Clone, Copy, Debug)]
pub struct MonotonicClock {
    start: std::time::Instant,
}

impl MonotonicClock {
    #[allow(clippy::new_without_default)]
    pub fn new() -> MonotonicClock {
        MonotonicClock { start: std::time::Instant::now() }
    }

    pub fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    /// How long to wait until `deadline`; zero when it has passed.
    pub fn until(&self, deadline: Instant) -> Duration {
        deadline.since(self.now())
    }

    pub fn wall() -> Timestamp {
        Timestamp::now()
    }
}

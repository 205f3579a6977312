//! Time as the pure core sees it: a monotonic instant that is handed in, never asked for.
//!
//! Timers use [`Instant`] alone, so a stepped wall clock drops no call. Shifts, tickets and validity dates use
//! [`jiff::Timestamp`]; the switch derives one from the other through [`Clock`], which the runtime re-anchors.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
pub use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Microseconds since an origin of the runtime's choosing (process start, or zero in a test). Never goes back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Instant {
    micros: u64,
}

impl Instant {
    pub const ZERO: Instant = Instant { micros: 0 };

    pub const fn from_micros(micros: u64) -> Instant {
        Instant { micros }
    }

    pub const fn from_millis(millis: u64) -> Instant {
        Instant { micros: millis * 1_000 }
    }

    pub const fn as_micros(self) -> u64 {
        self.micros
    }

    /// Time that has passed since `earlier`; zero when `earlier` lies ahead.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_micros(self.micros.saturating_sub(earlier.micros))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, span: Duration) -> Instant {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Instant { micros: self.micros.saturating_add(micros) }
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Instant) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.micros / 1_000_000, self.micros % 1_000_000)
    }
}

/// Wall time as a function of monotonic time. Re-anchored by the runtime, so a stepped clock moves only what
/// people read, never a timer.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    anchor: Instant,
    wall: Timestamp,
}

impl Clock {
    pub fn new(anchor: Instant, wall: Timestamp) -> Clock {
        Clock { anchor, wall }
    }

    /// The wall time at `now`. Instants before the anchor read as the anchor.
    pub fn wall(&self, now: Instant) -> Timestamp {
        self.wall.checked_add(now.since(self.anchor)).unwrap_or(Timestamp::MAX)
    }
}

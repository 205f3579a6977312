//! The timers of RFC 3261 section 17 (table 4 of appendix A) and RFC 6026, by letter.

use crate::sip::Transport;
use crate::time::{Duration, Instant};

/// Estimate of the round trip (17.1.1.1).
pub const T1: Duration = Duration::from_millis(500);
/// Longest pause between two retransmissions of a non-INVITE request or an INVITE response (17.1.2.1).
pub const T2: Duration = Duration::from_secs(4);
/// How long a message may stay in the network (17.1.2.1).
pub const T4: Duration = Duration::from_secs(5);
const T1_64: Duration = Duration::from_secs(32);

/// INVITE request again, doubling each time; unreliable transports only (17.1.1.2).
pub const TIMER_A: Duration = T1;
/// An INVITE without any answer is given up (17.1.1.2).
pub const TIMER_B: Duration = T1_64;
/// How long a refused INVITE acknowledges copies of the refusal; zero on reliable transports (17.1.1.2).
pub const TIMER_D: Duration = Duration::from_secs(32);
/// Non-INVITE request again, doubling up to [`T2`]; unreliable transports only (17.1.2.2).
pub const TIMER_E: Duration = T1;
/// A non-INVITE request without a final answer is given up (17.1.2.2).
pub const TIMER_F: Duration = T1_64;
/// INVITE refusal again, doubling up to [`T2`]; unreliable transports only (17.2.1).
pub const TIMER_G: Duration = T1;
/// An INVITE refusal without ACK is given up (17.2.1).
pub const TIMER_H: Duration = T1_64;
/// How long copies of the ACK are absorbed; zero on reliable transports (17.2.1).
pub const TIMER_I: Duration = T4;
/// How long copies of a non-INVITE request are answered again; zero on reliable transports (17.2.2).
pub const TIMER_J: Duration = T1_64;
/// How long copies of a final answer to a non-INVITE request are absorbed; zero on reliable transports (17.1.2.2).
pub const TIMER_K: Duration = T4;
/// How long copies of an INVITE that was answered 2xx are absorbed (RFC 6026 section 7.1).
pub const TIMER_L: Duration = T1_64;
/// How long further 2xx to an INVITE are passed up (RFC 6026 section 7.2).
pub const TIMER_M: Duration = T1_64;

/// 100 Trying goes out by itself when the user of the transaction has said nothing for this long (17.2.1).
pub const TRYING_AFTER: Duration = Duration::from_millis(200);
/// An INVITE that was cancelled and still gets no final answer is forgotten (9.1).
pub const CANCEL_GIVE_UP: Duration = T1_64;
/// A non-INVITE request that we have not answered by now has no client left that listens: its Timer F has run out.
pub const UNANSWERED_GIVE_UP: Duration = TIMER_F;

/// On a reliable transport nothing is sent twice, and the waits for stray copies are zero.
pub fn reliable(transport: Transport) -> bool {
    transport.is_stream()
}

/// A retransmission that doubles its pause: the next moment, and the pause that led to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeat {
    pub at: Instant,
    pause: Duration,
}

impl Repeat {
    /// `None` on a reliable transport.
    pub fn start(now: Instant, first: Duration, reliable: bool) -> Option<Repeat> {
        (!reliable).then_some(Repeat { at: now + first, pause: first })
    }

    /// Doubles the pause, up to `cap`.
    pub fn next(&mut self, now: Instant, cap: Duration) {
        self.pause = (self.pause * 2).min(cap);
        self.at = now + self.pause;
    }
}

/// What a machine wants done after one input or one timer: at most one message, and its end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    pub send: Option<bytes::Bytes>,
    pub ended: Option<Ending>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The protocol has run its course.
    Done,
    /// Timer B, F or H, or the wait after a CANCEL.
    TimedOut,
}

impl Step {
    pub fn nothing() -> Step {
        Step::default()
    }

    pub fn send(message: bytes::Bytes) -> Step {
        Step { send: Some(message), ended: None }
    }

    pub fn ended(ending: Ending) -> Step {
        Step { send: None, ended: Some(ending) }
    }
}

/// The earlier of a retransmission, if any, and a deadline.
pub(super) fn earliest(repeat: Option<Repeat>, deadline: Instant) -> Instant {
    repeat.map_or(deadline, |repeat| repeat.at.min(deadline))
}

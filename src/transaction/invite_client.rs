//! The INVITE client transaction (RFC 3261 section 17.1.1, as changed by RFC 6026 section 7.2).
//!
//! ```text
//!                    INVITE: send
//!                       |
//!                       v
//!                 +---------+  Timer A: INVITE again
//!      +----------| Calling |--- Timer B: timed out -------------+
//!      |          +---------+                                    |
//!      |   2xx      |     | 1xx: pass up                         |
//!      |   +--------+     v                                      |
//!      |   |       +------------+  1xx: pass up                  |
//!      |   |<------| Proceeding |--- cancelled, 64*T1: timed out-+
//!      |   |  2xx  +------------+                                |
//!      |   |              | 300-699: pass up, ACK                |
//!      |   |              v                                      |
//!      |   |        +-----------+  300-699: ACK again            |
//!      +---|------->| Completed |                                |
//!  300-699 |        +-----------+                                |
//!          v              | Timer D                              |
//!    +----------+         v                                      |
//!    | Accepted |--->   over  <----------------------------------+
//!    +----------+  Timer M
//!      2xx: pass up (the dialog sends its ACK)
//! ```

use bytes::Bytes;

use super::timers::{CANCEL_GIVE_UP, Ending, Repeat, Step, TIMER_A, TIMER_B, TIMER_D, TIMER_M, earliest};
use crate::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct InviteClient {
    state: State,
    reliable: bool,
}

#[derive(Debug)]
enum State {
    Calling {
        request: Bytes,
        timer_a: Option<Repeat>,
        timer_b: Instant,
    },
    Proceeding {
        /// Set by a CANCEL: then the final response is waited for only so long (9.1).
        give_up: Option<Instant>,
    },
    Completed {
        ack: Bytes,
        timer_d: Instant,
    },
    Accepted {
        timer_m: Instant,
    },
    Over,
}

impl InviteClient {
    /// The caller sends `request` for the first time.
    pub fn new(now: Instant, request: Bytes, reliable: bool) -> InviteClient {
        let timer_a = Repeat::start(now, TIMER_A, reliable);
        InviteClient { state: State::Calling { request, timer_a, timer_b: now + TIMER_B }, reliable }
    }

    /// A response; `ack` makes the ACK to a refusal (17.1.1.3). True: it is news to the user of the transaction.
    pub fn response(&mut self, now: Instant, status: u16, ack: impl FnOnce() -> Bytes) -> (bool, Step) {
        match &self.state {
            State::Calling { .. } | State::Proceeding { .. } => match status {
                100..=199 => {
                    if let State::Calling { .. } = self.state {
                        self.state = State::Proceeding { give_up: None };
                    }
                    (true, Step::nothing())
                }
                200..=299 => {
                    self.state = State::Accepted { timer_m: now + TIMER_M };
                    (true, Step::nothing())
                }
                _refusal => (true, self.refused(now, ack())),
            },
            State::Completed { ack, .. } if status >= 300 => (false, Step::send(ack.clone())),
            State::Accepted { .. } => ((200..=299).contains(&status), Step::nothing()),
            State::Completed { .. } | State::Over => (false, Step::nothing()),
        }
    }

    fn refused(&mut self, now: Instant, ack: Bytes) -> Step {
        if self.reliable {
            self.state = State::Over;
            return Step { send: Some(ack), ended: Some(Ending::Done) };
        }
        self.state = State::Completed { ack: ack.clone(), timer_d: now + TIMER_D };
        Step::send(ack)
    }

    /// Starts the wait of section 9.1. False: a CANCEL may not be sent now, for lack of a provisional response or
    /// because a final one is there.
    pub fn cancel(&mut self, now: Instant) -> bool {
        match &mut self.state {
            State::Proceeding { give_up: give_up @ None } => {
                *give_up = Some(now + CANCEL_GIVE_UP);
                true
            }
            State::Proceeding { give_up: Some(_) }
            | State::Calling { .. }
            | State::Completed { .. }
            | State::Accepted { .. }
            | State::Over => false,
        }
    }

    /// No final response yet.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Calling { .. } | State::Proceeding { .. })
    }

    /// No response at all yet.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.state, State::Calling { .. })
    }

    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Calling { timer_a, timer_b, .. } => Some(earliest(*timer_a, *timer_b)),
            State::Proceeding { give_up } => *give_up,
            State::Completed { timer_d, .. } => Some(*timer_d),
            State::Accepted { timer_m } => Some(*timer_m),
            State::Over => None,
        }
    }

    pub fn timeout(&mut self, now: Instant) -> Step {
        let ending = match &mut self.state {
            State::Calling { request, timer_a, timer_b } if now < *timer_b => {
                if let Some(timer_a) = timer_a {
                    // Timer A doubles without a cap (17.1.1.2); Timer B ends it.
                    timer_a.next(now, Duration::MAX);
                }
                return Step::send(request.clone());
            }
            State::Calling { .. } | State::Proceeding { .. } => Ending::TimedOut,
            State::Completed { .. } | State::Accepted { .. } => Ending::Done,
            State::Over => return Step::nothing(),
        };
        self.state = State::Over;
        Step::ended(ending)
    }
}

//! The INVITE server transaction (RFC 3261 section 17.2.1, as changed by RFC 6026 section 7.1).
//!
//! ```text
//!                     INVITE / 100 after 200 ms
//!                        |
//!                        v
//!                 +------------+  INVITE: last 1xx again
//!      +----------| Proceeding |  1xx from us: send
//!      |          +------------+
//!      | 2xx            | 300-699: send
//!      v                v
//! +----------+    +-----------+  INVITE, Timer G: response again
//! | Accepted |    | Completed |--- Timer H: timed out ---+
//! +----------+    +-----------+                          |
//!   | INVITE: absorbed  | ACK                            |
//!   | 2xx: send         v                                |
//!   | ACK: pass up +-----------+                         |
//!   | Timer L      | Confirmed |  ACK: absorbed          |
//!   |              +-----------+                         |
//!   |                   | Timer I                        |
//!   +------------------>+<-------------------------------+
//!                      over
//! ```

use bytes::Bytes;

use super::timers::{Ending, Repeat, Step, T2, TIMER_G, TIMER_H, TIMER_I, TIMER_L, TRYING_AFTER, earliest};
use crate::time::Instant;

#[derive(Debug)]
pub(super) struct InviteServer {
    state: State,
    reliable: bool,
}

#[derive(Debug)]
enum State {
    Proceeding {
        /// The 100 that goes out by itself, and when.
        trying: Option<(Instant, Bytes)>,
        provisional: Option<Bytes>,
    },
    Completed {
        response: Bytes,
        timer_g: Option<Repeat>,
        timer_h: Instant,
    },
    Confirmed {
        timer_i: Instant,
    },
    Accepted {
        timer_l: Instant,
    },
    Over,
}

/// Whose an ACK is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AckFor {
    /// Ours: it acknowledges the refusal, or copies such an ACK.
    Transaction,
    /// The dialog's: it acknowledges a 2xx (some peers reuse the INVITE's branch for it).
    Dialog,
}

impl InviteServer {
    pub fn new(now: Instant, trying: Bytes, reliable: bool) -> InviteServer {
        let state = State::Proceeding { trying: Some((now + TRYING_AFTER, trying)), provisional: None };
        InviteServer { state, reliable }
    }

    /// A copy of the INVITE.
    pub fn invite_again(&mut self) -> Step {
        match &mut self.state {
            State::Proceeding { trying, provisional } => {
                // A peer that repeats itself has heard nothing: the 100 is due now, not at its 200 ms.
                if provisional.is_none() {
                    *provisional = trying.take().map(|(_, trying)| trying);
                }
                Step { send: provisional.clone(), ended: None }
            }
            State::Completed { response, .. } => Step::send(response.clone()),
            State::Confirmed { .. } | State::Accepted { .. } | State::Over => Step::nothing(),
        }
    }

    /// A response from the user of the transaction. One that comes too late for the state is dropped.
    pub fn respond(&mut self, now: Instant, status: u16, response: Bytes) -> Step {
        match &mut self.state {
            State::Proceeding { trying, provisional } => match status {
                100..=199 => {
                    *trying = None;
                    *provisional = Some(response.clone());
                }
                200..=299 => self.state = State::Accepted { timer_l: now + TIMER_L },
                _final => {
                    self.state = State::Completed {
                        response: response.clone(),
                        timer_g: Repeat::start(now, TIMER_G, self.reliable),
                        timer_h: now + TIMER_H,
                    };
                }
            },
            // The dialog repeats its 2xx until the ACK; this machine only lets it through (RFC 6026 section 7.1).
            State::Accepted { .. } if (200..=299).contains(&status) => {}
            State::Accepted { .. } | State::Completed { .. } | State::Confirmed { .. } | State::Over => {
                return Step::nothing();
            }
        }
        Step::send(response)
    }

    pub fn ack(&mut self, now: Instant) -> (AckFor, Step) {
        match &self.state {
            State::Accepted { .. } => (AckFor::Dialog, Step::nothing()),
            State::Completed { .. } if self.reliable => {
                self.state = State::Over;
                (AckFor::Transaction, Step::ended(Ending::Done))
            }
            State::Completed { .. } => {
                self.state = State::Confirmed { timer_i: now + TIMER_I };
                (AckFor::Transaction, Step::nothing())
            }
            State::Proceeding { .. } | State::Confirmed { .. } | State::Over => (AckFor::Transaction, Step::nothing()),
        }
    }

    /// Still without a final response.
    pub fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Proceeding { trying, .. } => trying.as_ref().map(|(at, _)| *at),
            State::Completed { timer_g, timer_h, .. } => Some(earliest(*timer_g, *timer_h)),
            State::Confirmed { timer_i } => Some(*timer_i),
            State::Accepted { timer_l } => Some(*timer_l),
            State::Over => None,
        }
    }

    pub fn timeout(&mut self, now: Instant) -> Step {
        match &mut self.state {
            State::Proceeding { trying, provisional } => {
                *provisional = trying.take().map(|(_, trying)| trying);
                Step { send: provisional.clone(), ended: None }
            }
            State::Completed { timer_h, .. } if now >= *timer_h => self.end(Ending::TimedOut),
            State::Completed { response, timer_g, .. } => {
                if let Some(timer_g) = timer_g {
                    timer_g.next(now, T2);
                }
                Step::send(response.clone())
            }
            State::Confirmed { .. } | State::Accepted { .. } => self.end(Ending::Done),
            State::Over => Step::nothing(),
        }
    }

    fn end(&mut self, ending: Ending) -> Step {
        self.state = State::Over;
        Step::ended(ending)
    }
}

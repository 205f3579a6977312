//! The non-INVITE client transaction (RFC 3261 section 17.1.2).
//!
//! ```text
//!           request: send
//!              |
//!              v
//!         +--------+  Timer E: request again, T1 doubling to T2
//!      +--| Trying |--- Timer F: timed out ---+
//!      |  +--------+                          |
//!      |       | 1xx: pass up                 |
//!      |       v                              |
//!      |  +------------+  Timer E: again, T2  |
//!      |  | Proceeding |--- Timer F ----------+
//!      |  +------------+                      |
//!      |       | 200-699: pass up             |
//!      v       v                              |
//!      +-----------+  copies: absorbed        |
//!      | Completed |                          |
//!      +-----------+                          |
//!            | Timer K                        |
//!            v                                |
//!          over  <----------------------------+
//! ```

use bytes::Bytes;

use super::timers::{Ending, Repeat, Step, T2, TIMER_E, TIMER_F, TIMER_K, earliest};
use crate::time::Instant;

#[derive(Debug)]
pub(super) struct Client {
    state: State,
    reliable: bool,
}

#[derive(Debug)]
enum State {
    Trying { request: Bytes, timer_e: Option<Repeat>, timer_f: Instant },
    Proceeding { request: Bytes, timer_e: Option<Repeat>, timer_f: Instant },
    Completed { timer_k: Instant },
    Over,
}

impl Client {
    /// The caller sends `request` for the first time.
    pub fn new(now: Instant, request: Bytes, reliable: bool) -> Client {
        let timer_e = Repeat::start(now, TIMER_E, reliable);
        Client { state: State::Trying { request, timer_e, timer_f: now + TIMER_F }, reliable }
    }

    /// True: the response is news to the user of the transaction.
    pub fn response(&mut self, now: Instant, status: u16) -> (bool, Step) {
        match &self.state {
            State::Trying { request, timer_f, .. } if status < 200 => {
                let timer_e = Repeat::start(now, T2, self.reliable);
                self.state = State::Proceeding { request: request.clone(), timer_e, timer_f: *timer_f };
                (true, Step::nothing())
            }
            State::Proceeding { .. } if status < 200 => (true, Step::nothing()),
            State::Trying { .. } | State::Proceeding { .. } if self.reliable => {
                self.state = State::Over;
                (true, Step::ended(Ending::Done))
            }
            State::Trying { .. } | State::Proceeding { .. } => {
                self.state = State::Completed { timer_k: now + TIMER_K };
                (true, Step::nothing())
            }
            State::Completed { .. } | State::Over => (false, Step::nothing()),
        }
    }

    /// No final response yet.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Trying { .. } | State::Proceeding { .. })
    }

    /// No response at all yet.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.state, State::Trying { .. })
    }

    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Trying { timer_e, timer_f, .. } | State::Proceeding { timer_e, timer_f, .. } => {
                Some(earliest(*timer_e, *timer_f))
            }
            State::Completed { timer_k } => Some(*timer_k),
            State::Over => None,
        }
    }

    pub fn timeout(&mut self, now: Instant) -> Step {
        let ending = match &mut self.state {
            State::Trying { request, timer_e, timer_f } | State::Proceeding { request, timer_e, timer_f }
                if now < *timer_f =>
            {
                if let Some(timer_e) = timer_e {
                    timer_e.next(now, T2);
                }
                return Step::send(request.clone());
            }
            State::Trying { .. } | State::Proceeding { .. } => Ending::TimedOut,
            State::Completed { .. } => Ending::Done,
            State::Over => return Step::nothing(),
        };
        self.state = State::Over;
        Step::ended(ending)
    }
}

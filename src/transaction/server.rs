//! The non-INVITE server transaction (RFC 3261 section 17.2.2).
//!
//! ```text
//!        request
//!           |
//!           v
//!      +--------+  request: absorbed        nobody answers in 64*T1
//!      | Trying |------------------------------------------+
//!      +--------+                                          |
//!        |    | 1xx: send                                  |
//!        |    v                                            |
//!        |  +------------+  request, 1xx: send (again)     |
//!        |  | Proceeding |--------------------------------->+
//!        |  +------------+                                 |
//!        |    | 200-699: send                              |
//!        v    v                                            |
//!      +-----------+  request: response again              |
//!      | Completed |                                       |
//!      +-----------+                                       |
//!           | Timer J                                      |
//!           v                                              |
//!         over  <------------------------------------------+
//! ```

use bytes::Bytes;

use super::timers::{Ending, Step, TIMER_J, UNANSWERED_GIVE_UP};
use crate::time::Instant;

#[derive(Debug)]
pub(super) struct Server {
    state: State,
    reliable: bool,
}

#[derive(Debug)]
enum State {
    Trying { give_up: Instant },
    Proceeding { give_up: Instant, provisional: Bytes },
    Completed { response: Bytes, timer_j: Instant },
    Over,
}

impl Server {
    pub fn new(now: Instant, reliable: bool) -> Server {
        Server { state: State::Trying { give_up: now + UNANSWERED_GIVE_UP }, reliable }
    }

    /// A copy of the request.
    pub fn request_again(&self) -> Step {
        match &self.state {
            State::Trying { .. } | State::Over => Step::nothing(),
            State::Proceeding { provisional: response, .. } | State::Completed { response, .. } => {
                Step::send(response.clone())
            }
        }
    }

    pub fn respond(&mut self, now: Instant, status: u16, response: Bytes) -> Step {
        match &self.state {
            State::Trying { give_up } | State::Proceeding { give_up, .. } if status < 200 => {
                self.state = State::Proceeding { give_up: *give_up, provisional: response.clone() };
                Step::send(response)
            }
            State::Trying { .. } | State::Proceeding { .. } if self.reliable => {
                self.state = State::Over;
                Step { send: Some(response), ended: Some(Ending::Done) }
            }
            State::Trying { .. } | State::Proceeding { .. } => {
                self.state = State::Completed { response: response.clone(), timer_j: now + TIMER_J };
                Step::send(response)
            }
            State::Completed { .. } | State::Over => Step::nothing(),
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Trying { give_up } | State::Proceeding { give_up, .. } => Some(*give_up),
            State::Completed { timer_j, .. } => Some(*timer_j),
            State::Over => None,
        }
    }

    pub fn timeout(&mut self) -> Step {
        let ending = match &self.state {
            State::Trying { .. } | State::Proceeding { .. } => Ending::TimedOut,
            State::Completed { .. } => Ending::Done,
            State::Over => return Step::nothing(),
        };
        self.state = State::Over;
        Step::ended(ending)
    }
}

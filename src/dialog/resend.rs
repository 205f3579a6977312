//! Our 2xx to an INVITE, repeated until its ACK (RFC 3261 sections 13.3.1.4 and 14.2), over TCP too: a proxy between us
//! and the caller may use UDP.
//!
//! ```text
//!  2xx --T1--> 2xx --2T1--> 2xx ... --T2--> 2xx ... 64*T1: given up
//!                    ACK with its CSeq number, any branch: done
//! ```
//! A provisional response that wants a PRACK is repeated likewise, at intervals that go on doubling (RFC 3262 section 3).

use super::{ACK_GIVE_UP, T1, T2};
use crate::ids::ServerKey;
use crate::sip::Response;
use crate::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Resend {
    pub server: ServerKey,
    pub response: Response,
    /// Number of the INVITE, and so of the ACK (line A18).
    pub cseq: u32,
    /// The 2xx carries our offer; the ACK must bring the answer.
    pub offered: bool,
    next: Instant,
    pause: Duration,
    longest: Duration,
    give_up: Instant,
}

pub(super) enum Due {
    Nothing,
    Again,
    GiveUp,
}

impl Resend {
    pub fn new(now: Instant, server: ServerKey, response: Response, cseq: u32, offered: bool) -> Resend {
        Resend { server, response, cseq, offered, next: now + T1, pause: T1, longest: T2, give_up: now + ACK_GIVE_UP }
    }

    /// A reliable provisional response to the INVITE numbered `cseq`.
    pub fn provisional(now: Instant, server: ServerKey, response: Response, cseq: u32) -> Resend {
        Resend { longest: ACK_GIVE_UP, ..Resend::new(now, server, response, cseq, false) }
    }

    pub fn deadline(&self) -> Instant {
        self.next.min(self.give_up)
    }

    pub fn timeout(&mut self, now: Instant) -> Due {
        if now >= self.give_up {
            return Due::GiveUp;
        }
        if now < self.next {
            return Due::Nothing;
        }
        self.pause = (self.pause * 2).min(self.longest);
        self.next = now + self.pause;
        Due::Again
    }
}

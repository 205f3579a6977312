//! Offers in a confirmed dialog: re-INVITE and UPDATE of the peer, re-INVITE of ours (RFC 3261 section 14, RFC 3311).
//!
//! ```text
//!  theirs:  Idle --INVITE or UPDATE: Offer--> Asked --accept: 200, reject: 488, CANCEL or BYE: 487--> Idle
//!           a second one while Asked: 500 + Retry-After; one while ours is under way: 491
//!
//!  ours:    Idle --reinvite--> Sent --2xx: ACK, OfferAnswered--> Idle
//!            ^                  | |
//!            |  OfferAgain      | +--2xx with their offer: AnswerDue --accept_offer: ACK--> Idle
//!            +------- Glare <---+ 491, or 500 + Retry-After
//!                               +--488, time-out ...: OfferRefused, the old session goes on --> Idle
//! ```

use super::body::{SDP, session_description};
use super::confirmed::{Confirmed, Pending};
use super::context::Context;
use super::event::{EndCause, Failure, UsageEvent};
use super::resend::Resend;
use super::usage::{NotNow, Phase};
use super::{MAX_GLARE_RETRIES, MAX_RETRY_AFTER_S, requests};
use crate::ids::ServerKey;
use crate::sip::{Method, Request, Response, Status};
use crate::time::{Duration, Instant};

/// When a retry comes due while the peer's own offer is under way, it is looked at again after this.
const RETRY_POSTPONED: Duration = Duration::from_millis(500);

/// Our re-INVITE.
#[derive(Debug)]
pub(super) enum Ours {
    Idle,
    Sent { cseq: u32, offered: bool },
    AnswerDue { cseq: u32 },
    Glare { retry_at: Instant },
}

impl Ours {
    /// Number of the re-INVITE that has no final response.
    pub fn open_reinvite(&self) -> Option<u32> {
        match self {
            Ours::Sent { cseq, .. } => Some(*cseq),
            Ours::Idle | Ours::AnswerDue { .. } | Ours::Glare { .. } => None,
        }
    }

    /// The re-INVITE under way has another number from now on.
    pub fn renumber(&mut self, old: u32, new: u32) {
        if let Ours::Sent { cseq, .. } = self
            && *cseq == old
        {
            *cseq = new;
        }
    }

    pub fn retry_at(&self) -> Option<Instant> {
        match self {
            Ours::Glare { retry_at } => Some(*retry_at),
            Ours::Idle | Ours::Sent { .. } | Ours::AnswerDue { .. } => None,
        }
    }

    fn under_way(&self) -> bool {
        matches!(self, Ours::Sent { .. } | Ours::AnswerDue { .. })
    }
}

/// A re-INVITE or UPDATE of the peer that waits for the call's word.
#[derive(Debug)]
pub(super) enum Theirs {
    Idle,
    /// `wants_offer`: it came without one.
    Asked {
        server: ServerKey,
        request: Box<Request>,
        wants_offer: bool,
    },
}

impl Theirs {
    pub fn is_invite(&self, key: ServerKey) -> bool {
        matches!(self, Theirs::Asked { server, request, .. } if *server == key && request.method == Method::Invite)
    }

    fn take(&mut self) -> Theirs {
        std::mem::replace(self, Theirs::Idle)
    }
}

/// The peer's offers.
impl Confirmed {
    pub(super) fn reinvited(&mut self, cx: &mut Context, server: ServerKey, request: &Request) {
        // Ours is under way, or the offer in our 2xx has no answer yet (14.2).
        if self.ours.under_way() || self.resend.as_ref().is_some_and(|resend| resend.offered) {
            return cx.reply(server, request, Status::REQUEST_PENDING);
        }
        if let Theirs::Asked { .. } = self.theirs {
            return cx.reply_later(server, request);
        }
        if cx.timer.refuses(&request.headers) {
            return cx.too_brief(server, request);
        }
        // Whoever sends a re-INVITE has our 2xx: its ACK was lost or is late (RFC 5407 section 3.1.4).
        if self.resend.take().is_some() && std::mem::take(&mut self.unconfirmed) {
            cx.event(UsageEvent::Confirmed { sdp: None });
        }
        self.dialog.refresh_target(&request.headers);
        self.ask(cx, server, request);
    }

    pub(super) fn updated(&mut self, cx: &mut Context, now: Instant, server: ServerKey, request: &Request) {
        if cx.timer.refuses(&request.headers) {
            return cx.too_brief(server, request);
        }
        if let Ok(None) = session_description(&request.headers, &request.body) {
            self.dialog.refresh_target(&request.headers);
            let response = cx.refreshed(now, request);
            return cx.respond(server, response);
        }
        // RFC 3311 section 5.2 (line A16).
        if self.ours.under_way() || self.resend.as_ref().is_some_and(|resend| resend.offered) {
            return cx.reply(server, request, Status::REQUEST_PENDING);
        }
        if let Theirs::Asked { .. } = self.theirs {
            return cx.reply_later(server, request);
        }
        self.dialog.refresh_target(&request.headers);
        self.ask(cx, server, request);
    }

    fn ask(&mut self, cx: &mut Context, server: ServerKey, request: &Request) {
        match session_description(&request.headers, &request.body) {
            Ok(sdp) => {
                let wants_offer = sdp.is_none();
                self.theirs = Theirs::Asked { server, request: Box::new(request.clone()), wants_offer };
                cx.event(UsageEvent::Offer { sdp });
            }
            Err(error) => {
                let response = error.response(request, &cx.local.tag);
                cx.respond(server, response);
            }
        }
    }

    pub fn accept_offer(&mut self, cx: &mut Context, now: Instant, sdp: &str) {
        if let Theirs::Asked { server, request, wants_offer } = self.theirs.take() {
            let response = cx.refreshed(now, &request).with_body(SDP, sdp.to_owned());
            cx.respond(server, response.clone());
            if request.method == Method::Invite {
                let cseq = request.headers.cseq().map(|cseq| cseq.number).unwrap_or_default();
                self.resend = Some(Resend::new(now, server, response, cseq, wants_offer));
            }
        } else if let Ours::AnswerDue { cseq } = self.ours {
            cx.send_ack(&self.dialog, cseq, Some(sdp));
            self.ours = Ours::Idle;
        }
    }

    pub fn reject_offer(mut self: Box<Self>, cx: &mut Context, status: Status, headers: &[(&str, &str)]) -> Phase {
        if let Theirs::Asked { server, request, .. } = self.theirs.take() {
            let mut response = cx.response(&request, status);
            for (name, value) in headers {
                response.headers.push(name, value);
            }
            cx.respond(server, response);
        } else if let Ours::AnswerDue { .. } = self.ours {
            // The ACK must carry an answer; without one there is no session (13.2.2.4).
            cx.end(false, EndCause::Bye, None);
            return self.hang_up(cx, None);
        }
        Phase::Confirmed(self)
    }

    /// 487 to an offer that the peer took back, or that a BYE has overtaken.
    pub(super) fn withdraw_theirs(&mut self, cx: &mut Context) {
        if let Theirs::Asked { server, request, .. } = self.theirs.take() {
            cx.reply(server, &request, Status::REQUEST_TERMINATED);
            cx.event(UsageEvent::OfferWithdrawn);
        }
    }

    /// Whatever the peer still waits for, when the dialog ends (15.1.2).
    pub(super) fn terminate_theirs(&mut self, cx: &mut Context) {
        self.withdraw_theirs(cx);
        self.refer_refuse(cx, Status::REQUEST_TERMINATED);
    }
}

/// Our offers.
impl Confirmed {
    pub fn reinvite(&mut self, cx: &mut Context, sdp: Option<&str>) -> Result<(), NotNow> {
        // One INVITE at a time, in either direction (14.1).
        let free = matches!(self.ours, Ours::Idle) && matches!(self.theirs, Theirs::Idle) && self.resend.is_none();
        if !free {
            return Err(NotNow::OfferUnderWay);
        }
        let mut request = self.dialog.request(Method::Invite);
        request.headers.push("Contact", format_args!("<{}>", cx.local.contact));
        request.headers.push("Allow", super::ALLOW);
        request.headers.push("Supported", cx.timer.supported());
        for (name, value) in cx.timer.ask() {
            request.headers.push(name, value);
        }
        if let Some(sdp) = sdp {
            request = request.with_body(SDP, sdp.to_owned());
        }
        let cseq = request.headers.cseq().map(|cseq| cseq.number).unwrap_or_default();
        self.ours = Ours::Sent { cseq, offered: sdp.is_some() };
        cx.send(&self.dialog, request);
        Ok(())
    }

    pub(super) fn invite_response(
        mut self: Box<Self>,
        cx: &mut Context,
        now: Instant,
        cseq: u32,
        response: &Response,
    ) -> Phase {
        match self.ours {
            Ours::Sent { cseq: sent, offered } if sent == cseq => {
                if response.status.is_success() {
                    self.ours = Ours::Idle;
                    self.glares = 0;
                    self.dialog.refresh_target(&response.headers);
                    cx.timer.accepted(now, &response.headers);
                    self.reinvite_accepted(cx, cseq, offered, response);
                } else if response.status.is_final() {
                    return self.reinvite_refused(cx, now, response);
                }
            }
            // The answer is still being made; its ACK will serve for the copies.
            Ours::AnswerDue { cseq: due } if due == cseq && self.is_own(response) => {}
            Ours::Idle | Ours::Sent { .. } | Ours::AnswerDue { .. } | Ours::Glare { .. } => {
                self.other_2xx(cx, cseq, response);
            }
        }
        Phase::Confirmed(self)
    }

    fn is_own(&self, response: &Response) -> bool {
        super::context::to_tag(&response.headers) == self.dialog.id().remote_tag
    }

    /// A copy of a 2xx, or the 2xx of another fork of our first INVITE (line A10).
    fn other_2xx(&mut self, cx: &mut Context, cseq: u32, response: &Response) {
        if !response.status.is_success() || cx.ack_again(cseq, &response.headers) {
            return;
        }
        if let Some(invite) = &self.invite
            && !self.is_own(response)
            && invite.headers.cseq().is_ok_and(|own| own.number == cseq)
        {
            cx.hang_up_fork(invite, cseq, response);
        }
    }

    fn reinvite_accepted(&mut self, cx: &mut Context, cseq: u32, offered: bool, response: &Response) {
        let sdp = session_description(&response.headers, &response.body).ok().flatten();
        match (offered, sdp) {
            (true, Some(sdp)) => {
                cx.send_ack(&self.dialog, cseq, None);
                cx.event(UsageEvent::OfferAnswered { sdp });
            }
            (false, Some(sdp)) => {
                self.ours = Ours::AnswerDue { cseq };
                cx.event(UsageEvent::Offer { sdp: Some(sdp) });
            }
            (_, None) => {
                cx.send_ack(&self.dialog, cseq, None);
                cx.event(UsageEvent::OfferRefused { status: Status::NOT_ACCEPTABLE_HERE, will_retry: false });
            }
        }
    }

    fn reinvite_refused(mut self: Box<Self>, cx: &mut Context, now: Instant, response: &Response) -> Phase {
        self.ours = Ours::Idle;
        let status = response.status;
        let retry_after = requests::retry_after(&response.headers).filter(|seconds| *seconds <= MAX_RETRY_AFTER_S);
        let delay = match (status, retry_after) {
            (Status::REQUEST_PENDING, _) => Some(cx.glare_delay(self.invite.is_some())),
            // With the interval that the 422 names (RFC 4028 section 7.4).
            (Status::SESSION_INTERVAL_TOO_SMALL, _) => cx.timer.too_brief(&response.headers).then_some(Duration::ZERO),
            (Status::SERVER_INTERNAL_ERROR, Some(seconds)) => Some(Duration::from_secs(u64::from(seconds))),
            _ => None,
        };
        match delay {
            Some(delay) if self.glares < MAX_GLARE_RETRIES => {
                self.glares += 1;
                self.ours = Ours::Glare { retry_at: now + delay };
                cx.event(UsageEvent::OfferRefused { status, will_retry: true });
            }
            Some(_) | None if status == Status::NO_SUCH_TRANSACTION => return self.lost(cx, false),
            Some(_) | None => {
                self.glares = 0;
                cx.event(UsageEvent::OfferRefused { status, will_retry: false });
                if status == Status::REQUEST_TIMEOUT {
                    self.probe(cx);
                }
            }
        }
        Phase::Confirmed(self)
    }

    /// Line B35 wants the old session to go on, section 12.2.1.2 the dialog ended: a probe finds out which is right.
    pub(super) fn reinvite_failed(&mut self, cx: &mut Context, cseq: u32, failure: Failure) {
        if self.ours.open_reinvite() == Some(cseq) {
            self.ours = Ours::Idle;
            self.glares = 0;
            cx.event(UsageEvent::OfferRefused { status: failure.status(), will_retry: false });
            // Where we refresh, the timer tries again and ends the call in its time (line F74).
            if !cx.timer.is_ours() {
                self.probe(cx);
            }
        }
    }

    pub(super) fn retry_when_due(&mut self, cx: &mut Context, now: Instant) {
        let Ours::Glare { retry_at } = self.ours else { return };
        if now < retry_at {
            return;
        }
        if matches!(self.theirs, Theirs::Idle) && self.resend.is_none() {
            self.ours = Ours::Idle;
            cx.event(UsageEvent::OfferAgain);
        } else {
            self.ours = Ours::Glare { retry_at: now + RETRY_POSTPONED };
        }
    }
}

/// Refreshes of ours (RFC 4028 section 10).
impl Confirmed {
    /// By UPDATE where the peer allows it: it carries no session description. Else by a re-INVITE, whose description the
    /// call has. While another offer is under way it waits: what that one brings may be the refresh.
    pub(super) fn refresh(&mut self, cx: &mut Context, now: Instant) {
        let busy = !matches!((&self.ours, &self.theirs), (Ours::Idle, Theirs::Idle)) || self.resend.is_some();
        if busy {
            cx.timer.refresh_in(now, RETRY_POSTPONED);
        } else if !cx.timer.by_update() {
            cx.event(UsageEvent::RefreshDue);
        } else if !self.pending.iter().any(|(_, pending)| *pending == Pending::Refresh) {
            let mut update = self.dialog.request(Method::Update);
            update.headers.push("Contact", format_args!("<{}>", cx.local.contact));
            update.headers.push("Allow", super::ALLOW);
            update.headers.push("Supported", cx.timer.supported());
            for (name, value) in cx.timer.ask() {
                update.headers.push(name, value);
            }
            self.track(&update, Pending::Refresh);
            cx.send(&self.dialog, update);
        }
    }

    /// A final response to the UPDATE. What is not said here is tried again by the timer.
    pub(super) fn refresh_answered(mut self: Box<Self>, cx: &mut Context, now: Instant, response: &Response) -> Phase {
        match (response.status, requests::retry_after(&response.headers)) {
            (status, _) if status.is_success() => {
                self.dialog.refresh_target(&response.headers);
                cx.timer.accepted(now, &response.headers);
            }
            (Status::NO_SUCH_TRANSACTION, _) => return self.lost(cx, false),
            (Status::METHOD_NOT_ALLOWED | Status::NOT_IMPLEMENTED | Status::BAD_EXTENSION, _) => {
                cx.timer.no_update();
                cx.timer.refresh_in(now, Duration::ZERO);
            }
            (Status::SESSION_INTERVAL_TOO_SMALL, _) if cx.timer.too_brief(&response.headers) => {
                cx.timer.refresh_in(now, Duration::ZERO);
            }
            (Status::REQUEST_PENDING, _) => {
                let pause = cx.glare_delay(self.invite.is_some());
                cx.timer.refresh_in(now, pause);
            }
            (Status::SERVER_INTERNAL_ERROR, Some(seconds)) if seconds <= MAX_RETRY_AFTER_S => {
                cx.timer.refresh_in(now, Duration::from_secs(u64::from(seconds)));
            }
            (_, _) => {}
        }
        Phase::Confirmed(self)
    }
}

//! A leg that is answered: until BYE of either side, or the peer is lost (RFC 3261 sections 13.3.1.4, 14 and 15).
//!
//! ```text
//!   we answered                                 we called
//!       |                                           |
//!       v                                           v
//!  +------------------+   ACK, or re-INVITE   +-----------+
//!  | 2xx not acked    |---------------------->| Confirmed |<--+ re-INVITE, UPDATE either way (offers.rs)
//!  | (resend is here) |                       +-----------+---+ INFO, OPTIONS, REFER (requests.rs)
//!  +------------------+                          |     |   |
//!     | 64*T1: NoAck, BYE        their BYE: 200  |     |   | peer lost (481: no BYE; silent: BYE)
//!     | ACK without answer: BYE                  |     |   |
//!     v                                          v     |   v
//!  Closing                                      Over   |  Over or Closing
//!                                                      v our BYE
//!                                                   Closing
//! ```

use super::MAX_PENDING_REQUESTS;
use super::body::session_description;
use super::challenge::Answered;
use super::closing::Closing;
use super::context::{Context, peer_reason};
use super::event::{EndCause, Failure, Reason, UsageEvent};
use super::offers::{Ours, Theirs};
use super::requests::{self, Refer};
use super::resend::{Due, Resend};
use super::session_timer;
use super::state::Dialog;
use super::usage::Phase;
use crate::ids::ServerKey;
use crate::sip::{CSeq, Method, Request, Response, Status};
use crate::time::Instant;

#[derive(Debug)]
pub(super) struct Confirmed {
    pub(super) dialog: Dialog,
    /// Our first INVITE, if we called: then the Call-ID is ours, and forks may still answer.
    pub(super) invite: Option<Request>,
    /// A 2xx of ours without its ACK.
    pub(super) resend: Option<Resend>,
    /// The first ACK has not come yet.
    pub(super) unconfirmed: bool,
    pub(super) ours: Ours,
    pub(super) theirs: Theirs,
    /// Offers of ours put off for the peer's, in a row.
    pub(super) glares: u8,
    pub(super) refer: Refer,
    /// By CSeq number, oldest first.
    pub(super) pending: Vec<(u32, Pending)>,
}

/// A request of ours that is neither INVITE nor BYE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pending {
    Probe,
    Info,
    Notify,
    /// An UPDATE that refreshes the session.
    Refresh,
}

impl Confirmed {
    /// We answered; `resend` is the 2xx.
    pub fn called(dialog: Dialog, resend: Resend) -> Confirmed {
        Confirmed::new(dialog, None, Some(resend), Ours::Idle)
    }

    /// The peer answered. `answer_due`: number of our INVITE when its 2xx brought the offer.
    pub fn calling(dialog: Dialog, invite: Request, answer_due: Option<u32>) -> Confirmed {
        let ours = answer_due.map_or(Ours::Idle, |cseq| Ours::AnswerDue { cseq });
        Confirmed::new(dialog, Some(invite), None, ours)
    }

    fn new(dialog: Dialog, invite: Option<Request>, resend: Option<Resend>, ours: Ours) -> Confirmed {
        let unconfirmed = resend.is_some();
        Confirmed {
            dialog,
            invite,
            resend,
            unconfirmed,
            ours,
            theirs: Theirs::Idle,
            glares: 0,
            refer: Refer::Idle,
            pending: Vec::new(),
        }
    }

    pub fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    // The ACK to our 2xx.

    pub fn ack(mut self: Box<Self>, cx: &mut Context, ack: &Request) -> Phase {
        let matches = |resend: &mut Resend| ack.headers.cseq().is_ok_and(|cseq| cseq.number == resend.cseq);
        let Some(resend) = self.resend.take_if(matches) else {
            return Phase::Confirmed(self);
        };
        let sdp = session_description(&ack.headers, &ack.body).ok().flatten();
        match (self.unconfirmed, resend.offered, sdp) {
            (true, true, None) => {
                cx.event(UsageEvent::NoAnswerInAck);
                cx.end(false, EndCause::NoAnswerInAck, None);
                let reason = Reason::sip(Status::NOT_ACCEPTABLE_HERE, "ACK without answer");
                return self.hang_up(cx, Some(&reason));
            }
            (true, true, Some(answer)) => cx.event(UsageEvent::Confirmed { sdp: Some(answer) }),
            (true, false, _) => cx.event(UsageEvent::Confirmed { sdp: None }),
            (false, true, Some(answer)) => cx.event(UsageEvent::OfferAnswered { sdp: answer }),
            // Our full new offer (14.2) was not taken up: as if it had been refused.
            (false, true, None) => {
                cx.event(UsageEvent::OfferRefused { status: Status::NOT_ACCEPTABLE_HERE, will_retry: false });
            }
            (false, false, _) => {}
        }
        self.unconfirmed = false;
        Phase::Confirmed(self)
    }

    // Requests.

    pub fn request(mut self: Box<Self>, cx: &mut Context, now: Instant, server: ServerKey, request: &Request) -> Phase {
        if !requests::admit(cx, &mut self.dialog, server, request) {
            return Phase::Confirmed(self);
        }
        match request.method {
            Method::Bye => {
                cx.reply(server, request, Status::OK);
                self.terminate_theirs(cx);
                cx.end(true, EndCause::Bye, peer_reason(request));
                return self.ended_by_peer();
            }
            Method::Invite => self.reinvited(cx, server, request),
            Method::Update => self.updated(cx, now, server, request),
            Method::Refer => self.refer(cx, server, request),
            Method::Info
            | Method::Options
            | Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Prack
            | Method::Notify
            | Method::Subscribe
            | Method::Message
            | Method::Publish
            | Method::Other(_) => requests::answer_plain(cx, server, request),
        }
        Phase::Confirmed(self)
    }

    /// A CANCEL of their re-INVITE.
    pub fn cancel(mut self: Box<Self>, cx: &mut Context, invite: ServerKey) -> Phase {
        if self.theirs.is_invite(invite) {
            self.withdraw_theirs(cx);
        }
        Phase::Confirmed(self)
    }

    fn ended_by_peer(self) -> Phase {
        match self.ours.open_reinvite() {
            Some(cseq) => Closing::draining(self.dialog, self.invite, cseq),
            None => Phase::Over,
        }
    }

    // Our BYE.

    /// Ends the signalling; the call was told before.
    pub fn hang_up(mut self: Box<Self>, cx: &mut Context, reason: Option<&Reason>) -> Phase {
        self.terminate_theirs(cx);
        if let Ours::AnswerDue { cseq } = self.ours {
            // The 2xx wants its ACK even though we have no answer to give.
            cx.send_ack(&self.dialog, cseq, None);
        }
        // Before its ACK the caller may not know the dialog (15); a re-INVITE's 2xx holds nothing back.
        if self.unconfirmed
            && let Some(resend) = self.resend.take()
        {
            return Closing::after_ack(self.dialog, resend, reason.cloned());
        }
        let reinvite = self.ours.open_reinvite();
        Closing::with_open_reinvite(cx, self.dialog, self.invite, reinvite, reason)
    }

    // Responses.

    pub fn response(mut self: Box<Self>, cx: &mut Context, now: Instant, cseq: &CSeq, response: &Response) -> Phase {
        if cseq.method == Method::Invite {
            return self.invite_response(cx, now, cseq.number, response);
        }
        if !response.status.is_final() {
            return Phase::Confirmed(self);
        }
        let Some(pending) = self.take_pending(cseq.number) else {
            return Phase::Confirmed(self);
        };
        match (pending, response.status) {
            (Pending::Notify, status) => {
                if !status.is_success() {
                    // Only the subscription is gone (RFC 5057 section 5.1).
                    self.refer = Refer::Idle;
                }
                Phase::Confirmed(self)
            }
            (Pending::Refresh, _) => self.refresh_answered(cx, now, response),
            (Pending::Probe | Pending::Info, Status::NO_SUCH_TRANSACTION) => self.lost(cx, false),
            (Pending::Probe, Status::REQUEST_TIMEOUT) => self.lost(cx, true),
            (Pending::Probe, _) => {
                cx.event(UsageEvent::ProbeAnswered);
                Phase::Confirmed(self)
            }
            (Pending::Info, _) => Phase::Confirmed(self),
        }
    }

    pub fn failed(mut self: Box<Self>, cx: &mut Context, cseq: &CSeq, failure: Failure) -> Phase {
        if cseq.method == Method::Invite {
            self.reinvite_failed(cx, cseq.number, failure);
            return Phase::Confirmed(self);
        }
        match self.take_pending(cseq.number) {
            Some(Pending::Probe) => self.lost(cx, true),
            Some(Pending::Info) => {
                self.probe(cx);
                Phase::Confirmed(self)
            }
            Some(Pending::Notify) => {
                self.refer = Refer::Idle;
                Phase::Confirmed(self)
            }
            // The timer tries again, or ends the call in its time.
            Some(Pending::Refresh) | None => Phase::Confirmed(self),
        }
    }

    /// The peer wants to know who asks (RFC 3261 section 22.2).
    pub fn challenged(&mut self, cx: &mut Context, cseq: &CSeq, mut answered: Answered) -> bool {
        let invite = cseq.method == Method::Invite && self.ours.open_reinvite() == Some(cseq.number);
        let at = self.pending.iter().position(|(number, _)| *number == cseq.number).filter(|_| !invite);
        if !invite && at.is_none() {
            return false;
        }
        let number = answered.renumber(&mut self.dialog);
        self.ours.renumber(cseq.number, number);
        if let Some((pending, _)) = at.and_then(|at| self.pending.get_mut(at)) {
            *pending = number;
        }
        cx.send_answered(answered);
        true
    }

    /// The peer has lost the dialog, or does not answer (12.2.1.2). Who does not answer gets a BYE, should it ever
    /// hear again.
    pub(super) fn lost(mut self: Box<Self>, cx: &mut Context, bye: bool) -> Phase {
        cx.event(UsageEvent::PeerLost);
        cx.end(true, EndCause::PeerLost, None);
        if bye {
            return self.hang_up(cx, None);
        }
        self.terminate_theirs(cx);
        Phase::Over
    }

    pub(super) fn track(&mut self, request: &Request, pending: Pending) {
        if self.pending.len() >= MAX_PENDING_REQUESTS {
            self.pending.remove(0);
        }
        let number = request.headers.cseq().map(|cseq| cseq.number).unwrap_or_default();
        self.pending.push((number, pending));
    }

    fn take_pending(&mut self, cseq: u32) -> Option<Pending> {
        let at = self.pending.iter().position(|(number, _)| *number == cseq)?;
        Some(self.pending.remove(at).1)
    }

    // Time.

    pub fn deadline(&self) -> Option<Instant> {
        let resend = self.resend.as_ref().map(Resend::deadline);
        [resend, self.ours.retry_at()].into_iter().flatten().min()
    }

    pub fn timeout(mut self: Box<Self>, cx: &mut Context, now: Instant) -> Phase {
        match cx.timer.timeout(now) {
            session_timer::Due::Nothing => {}
            session_timer::Due::Refresh => self.refresh(cx, now),
            session_timer::Due::Expired => {
                cx.event(UsageEvent::SessionExpired);
                cx.end(false, EndCause::SessionExpired, None);
                return self.hang_up(cx, Some(&Reason::sip(Status::REQUEST_TIMEOUT, "Session expired")));
            }
        }
        self.retry_when_due(cx, now);
        match self.resend.as_mut().map(|resend| resend.timeout(now)) {
            None | Some(Due::Nothing) => Phase::Confirmed(self),
            Some(Due::Again) => {
                if let Some(resend) = &self.resend {
                    cx.respond(resend.server, resend.response.clone());
                }
                Phase::Confirmed(self)
            }
            Some(Due::GiveUp) => {
                // Nothing waits for an ACK any more: the BYE goes out at once.
                self.resend = None;
                cx.event(UsageEvent::NoAck);
                cx.end(false, EndCause::NoAck, None);
                self.hang_up(cx, Some(&Reason::sip(Status::REQUEST_TIMEOUT, "no ACK")))
            }
        }
    }
}

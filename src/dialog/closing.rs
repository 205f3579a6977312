//! A leg that is over for the call, while its signalling comes to an end (RFC 3261 section 15).
//!
//! ```text
//!   our 2xx not acknowledged                            BYE sent
//!      +------------+  ACK, or 64*T1: BYE (15)       +-----------+
//!      | WaitsForAck|------------------------------->| ByeSent   |--- any final response, or none: Over
//!      +------------+                                +-----------+
//!           | their BYE: 200                         their BYE: 200 (they cross, line A14)
//!           v
//!         Over         their BYE came first, our re-INVITE is open: Draining --- its final response: Over
//! ```
//!
//! Meanwhile any other request gets 481, and each 2xx to an INVITE of ours its ACK.

use super::challenge::Answered;
use super::context::Context;
use super::event::{EndCause, Reason};
use super::resend::{Due, Resend};
use super::state::Dialog;
use super::usage::Phase;
use crate::ids::ServerKey;
use crate::sip::{CSeq, Method, Request, Response, Status};
use crate::time::Instant;

#[derive(Debug)]
pub(super) struct Closing {
    dialog: Dialog,
    /// Our first INVITE, if we called: its forks may still answer.
    invite: Option<Request>,
    /// Number of a re-INVITE of ours that has no final response.
    reinvite: Option<u32>,
    state: State,
}

#[derive(Debug)]
enum State {
    WaitsForAck { resend: Resend, reason: Option<Reason> },
    ByeSent { cseq: u32 },
    Draining,
}

impl Closing {
    /// Sends the BYE now.
    pub fn with_bye(cx: &mut Context, dialog: Dialog, invite: Option<Request>, reason: Option<&Reason>) -> Phase {
        Closing::with_open_reinvite(cx, dialog, invite, None, reason)
    }

    pub fn with_open_reinvite(
        cx: &mut Context,
        mut dialog: Dialog,
        invite: Option<Request>,
        reinvite: Option<u32>,
        reason: Option<&Reason>,
    ) -> Phase {
        let cseq = cx.send_bye(&mut dialog, reason);
        Phase::Closing(Box::new(Closing { dialog, invite, reinvite, state: State::ByeSent { cseq } }))
    }

    /// What is left of a leg whose phase a fault of ours took: BYE by the dialog as it was confirmed, or CANCEL of an INVITE
    /// that has no answer.
    pub fn of_wreck(cx: &mut Context, reason: Option<&Reason>) -> Phase {
        let farewell = cx.farewell.take();
        let cause = if farewell.is_some() { EndCause::Bye } else { EndCause::Cancelled };
        cx.end(false, cause, reason.map(Reason::to_string));
        match farewell {
            Some(dialog) => Closing::with_bye(cx, dialog.after_many(), None, reason),
            None => {
                cx.send_cancel(reason);
                Phase::Over
            }
        }
    }

    /// The BYE waits for the ACK to our 2xx (15): before it the caller may not know the dialog.
    pub fn after_ack(dialog: Dialog, resend: Resend, reason: Option<Reason>) -> Phase {
        let state = State::WaitsForAck { resend, reason };
        Phase::Closing(Box::new(Closing { dialog, invite: None, reinvite: None, state }))
    }

    /// The peer has ended the leg; only a re-INVITE of ours is open.
    pub fn draining(dialog: Dialog, invite: Option<Request>, reinvite: u32) -> Phase {
        Phase::Closing(Box::new(Closing { dialog, invite, reinvite: Some(reinvite), state: State::Draining }))
    }

    pub fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::WaitsForAck { resend, .. } => Some(resend.deadline()),
            State::ByeSent { .. } | State::Draining => None,
        }
    }

    pub fn timeout(mut self: Box<Self>, cx: &mut Context, now: Instant) -> Phase {
        let State::WaitsForAck { resend, .. } = &mut self.state else { return Phase::Closing(self) };
        match resend.timeout(now) {
            Due::Nothing => Phase::Closing(self),
            Due::Again => {
                cx.respond(resend.server, resend.response.clone());
                Phase::Closing(self)
            }
            Due::GiveUp => self.send_bye(cx),
        }
    }

    pub fn ack(self: Box<Self>, cx: &mut Context, ack: &Request) -> Phase {
        match &self.state {
            State::WaitsForAck { resend, .. } if ack.headers.cseq().is_ok_and(|cseq| cseq.number == resend.cseq) => {
                self.send_bye(cx)
            }
            State::WaitsForAck { .. } | State::ByeSent { .. } | State::Draining => Phase::Closing(self),
        }
    }

    fn send_bye(mut self: Box<Self>, cx: &mut Context) -> Phase {
        let reason = match &self.state {
            State::WaitsForAck { reason, .. } => reason.clone(),
            State::ByeSent { .. } | State::Draining => None,
        };
        let cseq = cx.send_bye(&mut self.dialog, reason.as_ref());
        self.state = State::ByeSent { cseq };
        Phase::Closing(self)
    }

    pub fn request(self: Box<Self>, cx: &mut Context, server: ServerKey, request: &Request) -> Phase {
        if request.method != Method::Bye || !self.dialog.matches(&request.headers) {
            cx.reply(server, request, Status::NO_SUCH_TRANSACTION);
            return Phase::Closing(self);
        }
        cx.reply(server, request, Status::OK);
        match &self.state {
            State::WaitsForAck { .. } => Phase::Over,
            State::ByeSent { .. } | State::Draining => Phase::Closing(self),
        }
    }

    pub fn response(mut self: Box<Self>, cx: &mut Context, cseq: &CSeq, response: &Response) -> Phase {
        if !response.status.is_final() {
            return Phase::Closing(self);
        }
        if cseq.method == Method::Invite && response.status.is_success() {
            self.late_2xx(cx, cseq.number, response);
        }
        self.settle(cseq)
    }

    fn late_2xx(&mut self, cx: &mut Context, cseq: u32, response: &Response) {
        if cx.ack_again(cseq, &response.headers) {
            return;
        }
        match &self.invite {
            Some(invite) if invite.headers.cseq().is_ok_and(|own| own.number == cseq) => {
                cx.hang_up_fork(invite, cseq, response);
            }
            Some(_) | None => cx.send_ack(&self.dialog, cseq, None),
        }
    }

    /// The peer wants to know who hangs up.
    pub fn challenged(&mut self, cx: &mut Context, cseq: &CSeq, mut answered: Answered) -> bool {
        let State::ByeSent { cseq: bye } = &mut self.state else { return false };
        if cseq.method != Method::Bye || *bye != cseq.number {
            return false;
        }
        *bye = answered.renumber(&mut self.dialog);
        cx.send_answered(answered);
        true
    }

    pub fn failed(self: Box<Self>, cseq: &CSeq) -> Phase {
        self.settle(cseq)
    }

    /// One of our requests is done; the last one ends it all.
    fn settle(mut self: Box<Self>, done: &CSeq) -> Phase {
        if done.method == Method::Invite && self.reinvite == Some(done.number) {
            self.reinvite = None;
        }
        if let State::ByeSent { cseq } = self.state
            && done.method == Method::Bye
            && done.number == cseq
        {
            self.state = State::Draining;
        }
        match &self.state {
            State::Draining if self.reinvite.is_none() => Phase::Over,
            State::Draining | State::ByeSent { .. } | State::WaitsForAck { .. } => Phase::Closing(self),
        }
    }
}

//! A leg that calls us, until our final response (RFC 3261 sections 13.3 and 9.2).
//!
//! ```text
//!                INVITE
//!                  |
//!                  v
//!            +----------+  ring, progress: 1xx with our tag
//!            | Incoming |  INVITE: 500 + Retry-After (14.2)
//!            +----------+  UPDATE, INFO, OPTIONS: answered
//!              |  |  |  |
//!  answer: 200 |  |  |  | BYE: 200, and 487 to the INVITE
//!              |  |  | CANCEL: 487 to the INVITE
//!              |  | reject: 300-699
//!              v  v  v  v
//!      Confirmed  +--+--+--> Over
//! ```

use bytes::Bytes;

use super::RELIABLE;
use super::body::{SDP, session_description};
use super::confirmed::Confirmed;
use super::context::{Context, peer_reason};
use super::event::EndCause;
use super::requests;
use super::resend::{Due, Resend};
use super::state::{Dialog, DialogError};
use super::usage::Phase;
use crate::ids::ServerKey;
use crate::sip::{Method, Request, Response, Status};
use crate::time::Instant;

#[derive(Debug)]
pub(super) struct Incoming {
    dialog: Dialog,
    server: ServerKey,
    invite: Request,
    offer: Option<Bytes>,
    /// The caller wants its provisional responses acknowledged (RFC 3262). Nothing is owed where we answer at once.
    reliable: bool,
    /// Number of the last one that was sent so.
    rseq: u32,
    unacknowledged: Option<Resend>,
    /// The latest that waits for it.
    waiting: Option<(Status, Option<String>)>,
}

impl Incoming {
    pub fn new(server: ServerKey, invite: &Request, cx: &Context) -> Result<Incoming, DialogError> {
        let dialog = Dialog::of_callee(invite, &cx.local.tag)?;
        if cx.timer.refuses(&invite.headers) {
            return Err(DialogError::TooBrief);
        }
        let offer = session_description(&invite.headers, &invite.body)?;
        let reliable = invite.headers.lists("Require", RELIABLE);
        let invite = invite.clone();
        Ok(Incoming { dialog, server, invite, offer, reliable, rseq: 0, unacknowledged: None, waiting: None })
    }

    pub fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    pub fn offer(&self) -> Option<&Bytes> {
        self.offer.as_ref()
    }

    pub fn progress(&mut self, cx: &mut Context, now: Instant, status: Status, sdp: Option<&str>) {
        // One at a time (RFC 3262 section 3): what comes meanwhile says the latest.
        if self.unacknowledged.is_some() {
            self.waiting = Some((status, sdp.map(str::to_owned)));
            return;
        }
        let mut response = self.with_dialog(cx.capable(&self.invite, status));
        if self.reliable {
            self.rseq = if self.rseq == 0 { cx.first_rseq() } else { self.rseq + 1 };
            response = response.with_header("Require", RELIABLE).with_header("RSeq", self.rseq);
        }
        let response = match sdp {
            Some(sdp) => response.with_body(SDP, sdp.to_owned()),
            None => response,
        };
        if self.reliable {
            self.unacknowledged = Some(Resend::provisional(now, self.server, response.clone(), self.number()));
        }
        cx.respond(self.server, response);
    }

    fn number(&self) -> u32 {
        self.invite.headers.cseq().map(|cseq| cseq.number).unwrap_or_default()
    }

    /// PRACK (RFC 3262 section 3, line A17).
    fn prack(&mut self, cx: &mut Context, now: Instant, server: ServerKey, request: &Request) {
        let Some(rack) = requests::rack(&request.headers) else {
            return cx.reply(server, request, Status::BAD_REQUEST);
        };
        let wanted = (self.rseq, self.number());
        if rack != wanted || self.unacknowledged.take().is_none() {
            return cx.reply(server, request, Status::NO_SUCH_TRANSACTION);
        }
        cx.reply(server, request, Status::OK);
        if let Some((status, sdp)) = self.waiting.take() {
            self.progress(cx, now, status, sdp.as_deref());
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.unacknowledged.as_ref().map(Resend::deadline)
    }

    pub fn timeout(mut self: Box<Self>, cx: &mut Context, now: Instant) -> Phase {
        match self.unacknowledged.as_mut().map(|resend| resend.timeout(now)) {
            None | Some(Due::Nothing) => Phase::Incoming(self),
            Some(Due::Again) => {
                if let Some(resend) = &self.unacknowledged {
                    cx.respond(resend.server, resend.response.clone());
                }
                Phase::Incoming(self)
            }
            Some(Due::GiveUp) => {
                cx.reply(self.server, &self.invite, Status::SERVER_TIMEOUT);
                cx.end(true, EndCause::PeerLost, None);
                Phase::Over
            }
        }
    }

    /// A response that makes the dialog repeats the INVITE's Record-Route and names our Contact (12.1.1).
    fn with_dialog(&self, mut response: Response) -> Response {
        response.headers.copy("Record-Route", &self.invite.headers);
        response
    }

    pub fn answer(self: Box<Self>, cx: &mut Context, now: Instant, sdp: &str) -> Phase {
        let response = self.with_dialog(cx.refreshed(now, &self.invite)).with_body(SDP, sdp.to_owned());
        cx.respond(self.server, response.clone());
        let resend = Resend::new(now, self.server, response, self.number(), self.offer.is_none());
        Phase::Confirmed(Box::new(Confirmed::called(self.dialog, resend)))
    }

    pub fn reject(self: Box<Self>, cx: &mut Context, status: Status, headers: &[(&str, &str)]) -> Phase {
        let mut response = cx.response(&self.invite, status);
        for (name, value) in headers {
            response.headers.push(name, value);
        }
        cx.respond(self.server, response);
        cx.end(false, EndCause::Rejected, None);
        Phase::Over
    }

    pub fn cancel(self: Box<Self>, cx: &mut Context, invite: ServerKey, cancel: &Request) -> Phase {
        if invite != self.server {
            return Phase::Incoming(self);
        }
        cx.reply(self.server, &self.invite, Status::REQUEST_TERMINATED);
        cx.end(true, EndCause::Cancelled, peer_reason(cancel));
        Phase::Over
    }

    pub fn request(mut self: Box<Self>, cx: &mut Context, now: Instant, server: ServerKey, request: &Request) -> Phase {
        if !requests::admit(cx, &mut self.dialog, server, request) {
            return Phase::Incoming(self);
        }
        match request.method {
            Method::Invite => cx.reply_later(server, request),
            Method::Bye => {
                cx.reply(server, request, Status::OK);
                cx.reply(self.server, &self.invite, Status::REQUEST_TERMINATED);
                cx.end(true, EndCause::Bye, peer_reason(request));
                return Phase::Over;
            }
            Method::Update => self.update(cx, server, request),
            Method::Prack => self.prack(cx, now, server, request),
            Method::Info
            | Method::Options
            | Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Refer
            | Method::Notify
            | Method::Subscribe
            | Method::Message
            | Method::Publish
            | Method::Other(_) => requests::answer_plain(cx, server, request),
        }
        Phase::Incoming(self)
    }

    /// Without an offer it only refreshes the target. An offer must wait: theirs in the INVITE has no answer yet, or we
    /// owe one ourselves (RFC 3311 section 5.2).
    fn update(&mut self, cx: &mut Context, server: ServerKey, request: &Request) {
        match session_description(&request.headers, &request.body) {
            Ok(None) => {
                self.dialog.refresh_target(&request.headers);
                let response = cx.capable(request, Status::OK);
                cx.respond(server, response);
            }
            Ok(Some(_)) if self.offer.is_some() => cx.reply_later(server, request),
            Ok(Some(_)) => cx.reply(server, request, Status::REQUEST_PENDING),
            Err(error) => {
                let response = error.response(request, &cx.local.tag);
                cx.respond(server, response);
            }
        }
    }
}

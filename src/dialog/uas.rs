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

use super::body::{SDP, session_description};
use super::confirmed::Confirmed;
use super::context::{Context, peer_reason};
use super::event::EndCause;
use super::requests;
use super::resend::Resend;
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
}

impl Incoming {
    pub fn new(server: ServerKey, invite: &Request, cx: &Context) -> Result<Incoming, DialogError> {
        let dialog = Dialog::of_callee(invite, &cx.local.tag)?;
        if cx.timer.refuses(&invite.headers) {
            return Err(DialogError::TooBrief);
        }
        let offer = session_description(&invite.headers, &invite.body)?;
        Ok(Incoming { dialog, server, invite: invite.clone(), offer })
    }

    pub fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    pub fn offer(&self) -> Option<&Bytes> {
        self.offer.as_ref()
    }

    pub fn progress(&self, cx: &mut Context, status: Status, sdp: Option<&str>) {
        let response = self.with_dialog(cx.capable(&self.invite, status));
        let response = match sdp {
            Some(sdp) => response.with_body(SDP, sdp.to_owned()),
            None => response,
        };
        cx.respond(self.server, response);
    }

    /// A response that makes the dialog repeats the INVITE's Record-Route and names our Contact (12.1.1).
    fn with_dialog(&self, mut response: Response) -> Response {
        response.headers.copy("Record-Route", &self.invite.headers);
        response
    }

    pub fn answer(self: Box<Self>, cx: &mut Context, now: Instant, sdp: &str) -> Phase {
        let response = self.with_dialog(cx.refreshed(now, &self.invite)).with_body(SDP, sdp.to_owned());
        cx.respond(self.server, response.clone());
        let cseq = self.invite.headers.cseq().map(|cseq| cseq.number).unwrap_or_default();
        let resend = Resend::new(now, self.server, response, cseq, self.offer.is_none());
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

    pub fn request(mut self: Box<Self>, cx: &mut Context, server: ServerKey, request: &Request) -> Phase {
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
            Method::Info
            | Method::Options
            | Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Prack
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

//! A leg that we call, until a final response (RFC 3261 sections 13.2 and 9.1).
//!
//! ```text
//!                    INVITE
//!                      |
//!                      v
//!                 +---------+  cancel   +-------------+
//!                 | Calling |---------->| CancelWaits |  no CANCEL before the first 1xx (9.1)
//!                 +---------+           +-------------+
//!                      | 1xx                   | 1xx: CANCEL
//!                      v                       v
//!                +------------+  cancel  +------------+
//!                | Proceeding |--------->| Cancelling |
//!                +------------+  CANCEL  +------------+
//!   2xx: ACK       |        |                 |    |
//!   Confirmed <----+        | 300-699,        |    | 2xx crossed: ACK, BYE
//!                           | failure         |    +------> Closing
//!                           v                 v 300-699, 64*T1
//!                          Over <-------------+
//! ```

use bytes::Bytes;

use super::MAX_EARLY_DIALOGS;
use super::body::{SDP, session_description};
use super::challenge::Answered;
use super::closing::Closing;
use super::confirmed::Confirmed;
use super::context::{Context, peer_reason, to_tag};
use super::event::{EndCause, Failure, Reason, RejectSource, Rejection, UsageEvent};
use super::requests;
use super::state::Dialog;
use super::usage::{LocalIdentity, Phase};
use crate::ids::ServerKey;
use crate::sip::{CSeq, Method, NameAddr, Request, Response, Status, Uri};
use crate::time::Instant;

/// A call of ours to make.
#[derive(Clone, Debug)]
pub struct Invite {
    pub request_uri: Uri,
    /// Without a tag; the tag comes from `local`.
    pub from: NameAddr,
    pub to: NameAddr,
    pub call_id: String,
    pub local: LocalIdentity,
    /// Proxies to pass first (8.1.2), loose routers.
    pub route: Vec<NameAddr>,
    /// More headers, by name and value.
    pub headers: Vec<(String, String)>,
    /// Our offer; `None` asks the peer for one.
    pub sdp: Option<String>,
}

#[derive(Debug)]
pub(super) struct Outgoing {
    invite: Request,
    next_hop: Uri,
    offered: bool,
    state: State,
    early: Vec<Early>,
}

#[derive(Debug)]
enum State {
    Calling,
    Proceeding,
    CancelWaits { reason: Option<Reason> },
    Cancelling,
}

/// A dialog made by a provisional response, and its last session description.
#[derive(Debug)]
struct Early {
    dialog: Dialog,
    sdp: Option<Bytes>,
    /// Number of the last response that was acknowledged by PRACK.
    rseq: Option<u32>,
}

impl Outgoing {
    pub fn start(cx: &mut Context, invite: Invite) -> Outgoing {
        let mut request = Request::new(Method::Invite, invite.request_uri.clone());
        for route in &invite.route {
            request.headers.push("Route", route);
        }
        request.headers.push("From", invite.from.with_tag(&invite.local.tag));
        request.headers.push("To", &invite.to);
        request.headers.push("Call-ID", &invite.call_id);
        request.headers.push("CSeq", "1 INVITE");
        request.headers.push("Contact", format_args!("<{}>", invite.local.contact));
        request.headers.push("Allow", super::ALLOW);
        request.headers.push("Supported", cx.timer.supported());
        for (name, value) in cx.timer.ask() {
            request.headers.push(name, value);
        }
        for (name, value) in &invite.headers {
            request.headers.push(name, value);
        }
        let offered = invite.sdp.is_some();
        if let Some(sdp) = invite.sdp {
            request = request.with_body(SDP, sdp);
        }
        let next_hop = invite.route.first().map_or(invite.request_uri, |route| route.uri.clone());
        cx.send_first(request.clone(), next_hop.clone());
        Outgoing { invite: request, next_hop, offered, state: State::Calling, early: Vec::new() }
    }

    /// The latest early dialog.
    pub fn dialog(&self) -> Option<&Dialog> {
        self.early.last().map(|early| &early.dialog)
    }

    pub fn response(mut self: Box<Self>, cx: &mut Context, now: Instant, cseq: &CSeq, response: &Response) -> Phase {
        // The response to our CANCEL says nothing: the INVITE's own final response counts (9.1).
        if cseq.method != Method::Invite {
            return Phase::Outgoing(self);
        }
        match response.status.code() {
            100..=199 => {
                self.provisional(cx, response);
                Phase::Outgoing(self)
            }
            200..=299 => self.accepted(cx, now, cseq.number, response),
            300..=399 => {
                let contacts = response.headers.addresses("Contact").unwrap_or_default();
                if let State::Calling | State::Proceeding = self.state {
                    cx.event(UsageEvent::Redirected { status: response.status, contacts });
                    cx.end(true, EndCause::Rejected, None);
                }
                Phase::Over
            }
            422 if self.goes_on() && cx.timer.too_brief(&response.headers) => {
                for (name, value) in cx.timer.ask() {
                    self.invite.headers.set(name, value);
                }
                self.send_again(cx);
                Phase::Outgoing(self)
            }
            _refusal => {
                if let State::Calling | State::Proceeding = self.state {
                    cx.event(UsageEvent::Rejected(Rejection {
                        status: response.status,
                        phrase: response.reason.clone(),
                        retry_after: requests::retry_after(&response.headers),
                        source: RejectSource::Peer,
                    }));
                    cx.end(true, EndCause::Rejected, response.headers.get("Reason").map(str::to_owned));
                }
                Phase::Over
            }
        }
    }

    /// Nobody has taken the INVITE back.
    fn goes_on(&self) -> bool {
        matches!(self.state, State::Calling | State::Proceeding)
    }

    /// The same INVITE with the next number (8.1.3.5), after a refusal that told how it would do.
    fn number_again(&mut self) {
        let number = self.invite.headers.cseq().map(|cseq| cseq.number).unwrap_or_default();
        self.invite.headers.set("CSeq", format_args!("{} INVITE", number + 1));
        self.early.clear();
        self.state = State::Calling;
    }

    /// The peer wants to know who calls (22.2). False: nobody calls any more.
    pub fn challenged(&mut self, cx: &mut Context, cseq: &CSeq, mut answered: Answered) -> bool {
        if cseq.method != Method::Invite || !self.goes_on() {
            return false;
        }
        self.invite = answered.request;
        self.number_again();
        answered.request = self.invite.clone();
        cx.send_answered(answered);
        true
    }

    fn send_again(&mut self, cx: &mut Context) {
        self.number_again();
        cx.send_first(self.invite.clone(), self.next_hop.clone());
    }

    fn provisional(&mut self, cx: &mut Context, response: &Response) {
        match &self.state {
            State::Calling => self.state = State::Proceeding,
            State::CancelWaits { reason } => {
                cx.send_cancel(reason.as_ref());
                self.state = State::Cancelling;
            }
            State::Proceeding | State::Cancelling => {}
        }
        let State::Proceeding = self.state else { return };
        // 199 only says that one fork is gone (RFC 6228).
        if matches!(response.status.code(), 100 | 199) {
            return;
        }
        if to_tag(&response.headers).is_none() && response.status == Status::SESSION_PROGRESS {
            // Progress without a dialog to it: no session can be told from it (line A19).
            cx.send_cancel(None);
            self.state = State::Cancelling;
            return cx.end(true, EndCause::BrokenPeer, None);
        }
        let number = self.invite.headers.cseq().map(|cseq| cseq.number).unwrap_or_default();
        let Some(early) = self.early_dialog(response) else {
            return cx.event(UsageEvent::Ringing { status: response.status });
        };
        if let Some(rseq) = requests::rseq(&response.headers) {
            // A copy, or one that has overtaken another: its turn comes when it is sent again (RFC 3262 section 4).
            if early.rseq.is_some_and(|last| rseq != last.wrapping_add(1)) {
                return;
            }
            early.rseq = Some(rseq);
            let mut prack = early.dialog.request(Method::Prack);
            prack.headers.push("RAck", format_args!("{rseq} {number} INVITE"));
            cx.send(&early.dialog, prack);
        }
        cx.event(UsageEvent::Ringing { status: response.status });
        let sdp = session_description(&response.headers, &response.body).ok().flatten();
        if let Some(sdp) = sdp
            && early.sdp.as_ref() != Some(&sdp)
        {
            early.sdp = Some(sdp.clone());
            cx.event(UsageEvent::EarlyMedia { sdp });
        }
    }

    /// The dialog of a provisional response. `None`: it makes none.
    fn early_dialog(&mut self, response: &Response) -> Option<&mut Early> {
        let tag = to_tag(&response.headers)?;
        let known = self.early.iter().position(|early| early.dialog.id().remote_tag.as_deref() == Some(tag.as_str()));
        if let Some(at) = known {
            return self.early.get_mut(at);
        }
        let dialog = Dialog::of_caller(&self.invite, response).ok()?;
        if self.early.len() >= MAX_EARLY_DIALOGS {
            self.early.remove(0);
        }
        self.early.push(Early { dialog, sdp: None, rseq: None });
        self.early.last_mut()
    }

    fn accepted(mut self: Box<Self>, cx: &mut Context, now: Instant, cseq: u32, response: &Response) -> Phase {
        let Ok(new) = Dialog::of_caller(&self.invite, response) else {
            cx.end(true, EndCause::BrokenPeer, None);
            return Phase::Over;
        };
        let tag = new.id().remote_tag.clone();
        let early = self.early.iter().position(|early| early.dialog.id().remote_tag == tag);
        let early = early.map(|at| self.early.swap_remove(at));
        // The 2xx has the last word on route set and target (13.2.2.4), but the peer's CSeq runs on.
        let dialog = match &early {
            Some(early) => new.continuing(&early.dialog),
            None => new,
        };
        if tag.is_none() || !matches!(self.state, State::Calling | State::Proceeding) {
            cx.send_ack(&dialog, cseq, None);
            cx.end(true, EndCause::BrokenPeer, None);
            return Closing::with_bye(cx, dialog, Some(self.invite), None);
        }
        cx.timer.accepted(now, &response.headers);
        let sdp = session_description(&response.headers, &response.body).ok().flatten();
        if self.offered {
            cx.send_ack(&dialog, cseq, None);
            let sdp = sdp.or_else(|| early.and_then(|early| early.sdp));
            cx.event(UsageEvent::Answered { sdp });
            return Phase::Confirmed(Box::new(Confirmed::calling(dialog, self.invite, None)));
        }
        let Some(offer) = sdp else {
            // We asked for an offer and got none: there is no session to have.
            cx.send_ack(&dialog, cseq, None);
            cx.end(true, EndCause::BrokenPeer, None);
            return Closing::with_bye(cx, dialog, Some(self.invite), None);
        };
        cx.event(UsageEvent::Answered { sdp: None });
        cx.event(UsageEvent::Offer { sdp: Some(offer) });
        Phase::Confirmed(Box::new(Confirmed::calling(dialog, self.invite, Some(cseq))))
    }

    pub fn failed(self: Box<Self>, cx: &mut Context, cseq: &CSeq, failure: Failure) -> Phase {
        // A CANCEL without a response changes nothing: the INVITE has its own end, 64*T1 later at most (9.1, line A25).
        if cseq.method != Method::Invite {
            return Phase::Outgoing(self);
        }
        if let State::Calling | State::Proceeding = self.state {
            let (status, source) = match failure {
                Failure::TimedOut => (failure.status(), RejectSource::TimedOut),
                Failure::Unreachable => (failure.status(), RejectSource::Unreachable),
            };
            let phrase = status.reason().to_owned();
            cx.event(UsageEvent::Rejected(Rejection { status, phrase, retry_after: None, source }));
            cx.end(true, EndCause::Rejected, None);
        }
        Phase::Over
    }

    pub fn cancel(mut self: Box<Self>, cx: &mut Context, reason: Option<&Reason>) -> Phase {
        match self.state {
            State::Calling => self.state = State::CancelWaits { reason: reason.cloned() },
            State::Proceeding => {
                cx.send_cancel(reason);
                self.state = State::Cancelling;
            }
            State::CancelWaits { .. } | State::Cancelling => {}
        }
        cx.end(false, EndCause::Cancelled, reason.map(Reason::to_string));
        Phase::Outgoing(self)
    }

    /// A request of the callee inside an early dialog.
    pub fn request(mut self: Box<Self>, cx: &mut Context, server: ServerKey, request: &Request) -> Phase {
        let Some(early) = self.early.iter_mut().find(|early| early.dialog.matches(&request.headers)) else {
            cx.reply(server, request, Status::NO_SUCH_TRANSACTION);
            return Phase::Outgoing(self);
        };
        if !requests::admit(cx, &mut early.dialog, server, request) {
            return Phase::Outgoing(self);
        }
        match request.method {
            // A callee may not send it here (15.1.1), but what it means is plain: our INVITE is withdrawn.
            Method::Bye => {
                cx.reply(server, request, Status::OK);
                if let State::Calling | State::Proceeding = self.state {
                    cx.send_cancel(None);
                    self.state = State::Cancelling;
                }
                cx.end(true, EndCause::Bye, peer_reason(request));
            }
            // Our INVITE is still under way (14.2).
            Method::Invite => cx.reply(server, request, Status::REQUEST_PENDING),
            Method::Update => match session_description(&request.headers, &request.body) {
                Ok(None) => {
                    early.dialog.refresh_target(&request.headers);
                    let response = cx.capable(request, Status::OK);
                    cx.respond(server, response);
                }
                // Our offer has no answer yet (RFC 3311 section 5.2).
                Ok(Some(_)) => cx.reply(server, request, Status::REQUEST_PENDING),
                Err(error) => {
                    let response = error.response(request, &cx.local.tag);
                    cx.respond(server, response);
                }
            },
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
        Phase::Outgoing(self)
    }
}

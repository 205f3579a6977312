//! Requests inside a dialog that change no session: order and admission (RFC 3261 section 12.2.2), INFO, OPTIONS, REFER
//! with its NOTIFYs (RFC 3515), and what is refused.
//!
//! ```text
//!  REFER --> Asked --refer_refuse: 603...--> Idle
//!              | refer_accept: 202, NOTIFY "100 Trying"
//!              v
//!            Active --notify_refer 1xx: NOTIFY active--> Active
//!              | notify_refer final: NOTIFY terminated; NOTIFY refused
//!              v
//!            Idle
//! ```

use bytes::Bytes;

use super::body::SDP;
use super::confirmed::{Confirmed, Pending};
use super::context::Context;
use super::event::{ReferRequest, UsageEvent};
use super::state::Dialog;
use super::{ALLOW, RELIABLE};
use crate::ids::ServerKey;
use crate::sip::{Headers, Method, NameAddr, Request, Status, grammar};

/// How long a transfer's subscription is said to last, in seconds: longer than any ringing.
const REFER_EXPIRES_S: u32 = 180;

/// The REFER of the peer.
#[derive(Debug)]
pub(super) enum Refer {
    Idle,
    Asked {
        server: ServerKey,
        request: Box<Request>,
    },
    /// NOTIFYs are owed; the id is the REFER's CSeq number (RFC 3515 section 2.4.6).
    Active {
        id: u32,
    },
}

/// Whether a request may come in: it belongs to the dialog (481), and its number is not below the last (500).
pub(super) fn admit(cx: &mut Context, dialog: &mut Dialog, server: ServerKey, request: &Request) -> bool {
    if !dialog.matches(&request.headers) {
        cx.reply(server, request, Status::NO_SUCH_TRANSACTION);
        return false;
    }
    let number = request.headers.cseq().map(|cseq| cseq.number).unwrap_or_default();
    let in_order = dialog.check_cseq(number).is_ok();
    if !in_order {
        cx.reply(server, request, Status::SERVER_INTERNAL_ERROR);
    }
    cx.admitted = in_order;
    in_order
}

/// Answers what every phase answers alike.
pub(super) fn answer_plain(cx: &mut Context, server: ServerKey, request: &Request) {
    match request.method {
        Method::Info => {
            cx.reply(server, request, Status::OK);
            let content_type = request.headers.content_type().map(str::to_owned);
            cx.event(UsageEvent::Info { content_type, body: request.body.clone() });
        }
        Method::Options => {
            let response = cx.capable(request, Status::OK).with_header("Accept", SDP);
            cx.respond(server, response);
        }
        // No reliable response of ours waits for it (RFC 3262 section 3, line A17).
        Method::Prack if rack(&request.headers).is_none() => cx.reply(server, request, Status::BAD_REQUEST),
        // Nor is there a subscription for a NOTIFY (RFC 6665 section 4.1.3).
        Method::Prack | Method::Notify => cx.reply(server, request, Status::NO_SUCH_TRANSACTION),
        Method::Subscribe => cx.reply(server, request, Status::BAD_EVENT),
        Method::Invite
        | Method::Ack
        | Method::Bye
        | Method::Cancel
        | Method::Register
        | Method::Update
        | Method::Refer
        | Method::Message
        | Method::Publish => {
            let response = cx.response(request, Status::METHOD_NOT_ALLOWED).with_header("Allow", ALLOW);
            cx.respond(server, response);
        }
        Method::Other(_) => {
            let response = cx.response(request, Status::NOT_IMPLEMENTED).with_header("Allow", ALLOW);
            cx.respond(server, response);
        }
    }
}

/// What a PRACK acknowledges: RSeq and CSeq number of a response to an INVITE (RFC 3262 section 7.2).
pub(super) fn rack(headers: &Headers) -> Option<(u32, u32)> {
    let mut words = headers.get("RAck")?.split_ascii_whitespace();
    let (rseq, cseq, method) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?);
    (method == Method::Invite.as_str() && words.next().is_none()).then_some((rseq, cseq))
}

/// The number of a provisional response that wants a PRACK (section 7.1).
pub(super) fn rseq(headers: &Headers) -> Option<u32> {
    headers.lists("Require", RELIABLE).then(|| headers.get("RSeq")?.trim().parse().ok()).flatten()
}

/// Retry-After in seconds; comments and parameters are left out (20.33).
pub(super) fn retry_after(headers: &Headers) -> Option<u32> {
    let value = headers.get("Retry-After")?;
    let digits = value.trim().split([';', '(', ' ', '\t']).next().unwrap_or_default();
    digits.parse().ok()
}

/// What we ask of the peer.
impl Confirmed {
    pub fn info(&mut self, cx: &mut Context, content_type: &str, body: Bytes) {
        let request = self.dialog.request(Method::Info).with_body(content_type, body);
        self.track(&request, Pending::Info);
        cx.send(&self.dialog, request);
    }

    pub fn probe(&mut self, cx: &mut Context) {
        let mut request = self.dialog.request(Method::Options);
        request.headers.push("Accept", SDP);
        self.track(&request, Pending::Probe);
        cx.send(&self.dialog, request);
    }
}

/// Transfers that the peer asks of us.
impl Confirmed {
    pub(super) fn refer(&mut self, cx: &mut Context, server: ServerKey, request: &Request) {
        // One at a time: the second waits for the first one's end.
        if !matches!(self.refer, Refer::Idle) {
            return cx.reply(server, request, Status::REQUEST_PENDING);
        }
        // Exactly one Refer-To (RFC 3515 section 2.4.2).
        let mut targets = request.headers.all("Refer-To");
        let (Some(Ok(refer_to)), None) = (targets.next().map(NameAddr::parse), targets.next()) else {
            return cx.reply(server, request, Status::BAD_REQUEST);
        };
        let replaces = refer_to.uri.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("Replaces"));
        let replaces = replaces.map(|(_, value)| grammar::unescape(value).into_owned());
        let referred_by = request.headers.get("Referred-By").map(str::to_owned);
        self.refer = Refer::Asked { server, request: Box::new(request.clone()) };
        cx.event(UsageEvent::Refer(Box::new(ReferRequest { refer_to, replaces, referred_by })));
    }

    pub fn refer_accept(&mut self, cx: &mut Context) {
        let Refer::Asked { server, request } = std::mem::replace(&mut self.refer, Refer::Idle) else { return };
        let response = cx.response(&request, Status::ACCEPTED);
        let response = response.with_header("Contact", format_args!("<{}>", cx.local.contact));
        // The peer may want no NOTIFYs (RFC 4488 section 4).
        if request.headers.get("Refer-Sub").is_some_and(|value| value.trim().eq_ignore_ascii_case("false")) {
            return cx.respond(server, response.with_header("Refer-Sub", "false"));
        }
        cx.respond(server, response);
        let id = request.headers.cseq().map(|cseq| cseq.number).unwrap_or_default();
        self.refer = Refer::Active { id };
        self.notify_refer(cx, Status::TRYING, Status::TRYING.reason());
    }

    pub fn refer_refuse(&mut self, cx: &mut Context, status: Status) {
        if let Refer::Asked { server, request } = std::mem::replace(&mut self.refer, Refer::Idle) {
            cx.reply(server, &request, status);
        }
    }

    pub fn notify_refer(&mut self, cx: &mut Context, status: Status, phrase: &str) {
        let Refer::Active { id } = self.refer else { return };
        let mut notify = self.dialog.request(Method::Notify);
        notify.headers.push("Contact", format_args!("<{}>", cx.local.contact));
        notify.headers.push("Event", format_args!("refer;id={id}"));
        match status.is_final() {
            true => notify.headers.push("Subscription-State", "terminated;reason=noresource"),
            false => notify.headers.push("Subscription-State", format_args!("active;expires={REFER_EXPIRES_S}")),
        }
        let phrase: String = phrase.chars().filter(|sign| !sign.is_control()).collect();
        let notify = notify.with_body("message/sipfrag;version=2.0", format!("SIP/2.0 {status} {phrase}\r\n"));
        self.track(&notify, Pending::Notify);
        cx.send(&self.dialog, notify);
        if status.is_final() {
            self.refer = Refer::Idle;
        }
    }
}

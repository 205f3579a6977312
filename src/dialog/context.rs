//! What every phase of a usage shares: our identity, the outputs, the ACKs kept for repetition, and the drawing of
//! delays.

use std::collections::VecDeque;

use super::challenge::{Answered, Challenges};
use super::event::{EndCause, Output, Reason, UsageEvent};
use super::session_timer::SessionTimer;
use super::state::{Dialog, DialogError};
use super::usage::LocalIdentity;
use super::{ALLOW, MAX_KEPT_ACKS, MAX_RETRY_AFTER_S};
use crate::ids::ServerKey;
use crate::sip::{Headers, Method, Request, Response, Status, Uri};
use crate::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Context {
    pub local: LocalIdentity,
    out: VecDeque<Output>,
    ended: bool,
    /// The request at hand belongs to the dialog and comes in order.
    pub admitted: bool,
    /// The dialog as it was confirmed: all that is left for a BYE when a step of ours breaks.
    pub farewell: Option<Dialog>,
    pub timer: SessionTimer,
    pub challenges: Challenges,
    acks: VecDeque<KeptAck>,
    /// How many ACKs were made: each has a branch of its own.
    acks_made: u64,
    draws: u64,
}

/// An ACK as it was sent: each copy of its 2xx gets it again (13.2.2.4).
#[derive(Debug)]
struct KeptAck {
    cseq: u32,
    remote_tag: Option<String>,
    request: Request,
    next_hop: Uri,
    branch: String,
}

impl KeptAck {
    fn output(&self) -> Output {
        let KeptAck { request, next_hop, branch, .. } = self;
        Output::Ack { request: request.clone(), next_hop: next_hop.clone(), branch: branch.clone() }
    }
}

impl Context {
    pub fn new(local: LocalIdentity) -> Context {
        let draws = local.seed;
        let timer = SessionTimer::new(local.session);
        Context {
            local,
            out: VecDeque::new(),
            ended: false,
            admitted: false,
            farewell: None,
            timer,
            challenges: Challenges::default(),
            acks: VecDeque::new(),
            acks_made: 0,
            draws,
        }
    }

    pub fn pop(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    pub fn has_output(&self) -> bool {
        !self.out.is_empty()
    }

    pub fn event(&mut self, event: UsageEvent) {
        self.out.push_back(Output::Event(event));
    }

    /// Tells the call that the leg is over, once.
    pub fn end(&mut self, by_peer: bool, cause: EndCause, reason: Option<String>) {
        if !self.ended {
            self.ended = true;
            self.event(UsageEvent::Ended { by_peer, cause, reason });
        }
    }

    pub fn has_ended(&self) -> bool {
        self.ended
    }

    pub fn respond(&mut self, server: ServerKey, response: Response) {
        self.out.push_back(Output::Respond { server, response });
    }

    /// A bare response with our tag.
    pub fn reply(&mut self, server: ServerKey, request: &Request, status: Status) {
        let response = self.response(request, status);
        self.respond(server, response);
    }

    pub fn response(&self, request: &Request, status: Status) -> Response {
        Response::to_request(request, status).with_to_tag(&self.local.tag)
    }

    /// A 200 that says where we are and what we can do: to INVITE, UPDATE and OPTIONS.
    pub fn capable(&self, request: &Request, status: Status) -> Response {
        self.response(request, status)
            .with_header("Contact", format_args!("<{}>", self.local.contact))
            .with_header("Allow", ALLOW)
            .with_header("Supported", self.timer.supported())
    }

    /// The 200 to an INVITE or UPDATE that makes or refreshes the session, with what the timer says of it (RFC 4028).
    pub fn refreshed(&mut self, now: Instant, request: &Request) -> Response {
        self.timer.note_allow(&request.headers);
        let response = self.capable(request, Status::OK);
        let timer = self.timer.answer(now, &request.headers);
        timer.into_iter().fold(response, |response, (name, value)| response.with_header(name, value))
    }

    /// 500 with a Retry-After between 0 and 10 s (14.2).
    pub fn reply_later(&mut self, server: ServerKey, request: &Request) {
        let seconds = self.draw(u64::from(MAX_RETRY_AFTER_S) + 1);
        let response = self.response(request, Status::SERVER_INTERNAL_ERROR).with_header("Retry-After", seconds);
        self.respond(server, response);
    }

    /// 422 to a session interval below ours (RFC 4028 section 9).
    pub fn too_brief(&mut self, server: ServerKey, request: &Request) {
        let response = DialogError::TooBrief.response(request, &self.local.tag);
        self.respond(server, response);
    }

    pub fn send(&mut self, dialog: &Dialog, request: Request) {
        self.challenges.note(&request, &dialog.next_hop());
        self.out.push_back(Output::Request { request, next_hop: dialog.next_hop() });
    }

    /// The answer to a challenge, with its new number.
    pub fn send_answered(&mut self, answered: Answered) {
        self.challenges.note_answered(&answered);
        self.out.push_back(Output::Request { request: answered.request, next_hop: answered.next_hop });
    }

    pub fn send_first(&mut self, request: Request, next_hop: Uri) {
        self.challenges.note(&request, &next_hop);
        self.out.push_back(Output::Request { request, next_hop });
    }

    pub fn send_cancel(&mut self, reason: Option<&Reason>) {
        self.out.push_back(Output::Cancel { reason: reason.map(Reason::to_string) });
    }

    /// Sends a BYE and returns its CSeq number.
    pub fn send_bye(&mut self, dialog: &mut Dialog, reason: Option<&Reason>) -> u32 {
        let mut bye = dialog.request(Method::Bye);
        if let Some(reason) = reason {
            bye.headers.push("Reason", reason);
        }
        let number = bye.headers.cseq().map(|cseq| cseq.number).unwrap_or_default();
        self.send(dialog, bye);
        number
    }

    /// Sends the ACK to a 2xx and keeps it.
    pub fn send_ack(&mut self, dialog: &Dialog, cseq: u32, sdp: Option<&str>) {
        let mut request = dialog.ack(cseq);
        if let Some(sdp) = sdp {
            request = request.with_body(super::body::SDP, sdp.to_owned());
        }
        for (name, value) in self.challenges.for_ack(cseq) {
            request.headers.push(name, value);
        }
        self.acks_made += 1;
        // As unique as our tag, which no other leg ever has (8.1.1.7).
        let branch = format!("{}-{}", self.local.tag, self.acks_made);
        let remote_tag = dialog.id().remote_tag.clone();
        let kept = KeptAck { cseq, remote_tag, request, next_hop: dialog.next_hop(), branch };
        self.out.push_back(kept.output());
        if self.acks.len() >= MAX_KEPT_ACKS {
            self.acks.pop_front();
        }
        self.acks.push_back(kept);
    }

    /// Acknowledges a copy of a 2xx. False: this 2xx is a new one.
    pub fn ack_again(&mut self, cseq: u32, headers: &Headers) -> bool {
        let tag = to_tag(headers);
        let Some(kept) = self.acks.iter().find(|kept| kept.cseq == cseq && kept.remote_tag == tag) else {
            return false;
        };
        self.out.push_back(kept.output());
        true
    }

    /// A 2xx to our first INVITE from another phone than the one that won: ACK, then BYE (13.2.2.4, line A10).
    pub fn hang_up_fork(&mut self, invite: &Request, cseq: u32, response: &Response) {
        if let Ok(mut fork) = Dialog::of_caller(invite, response) {
            self.send_ack(&fork, cseq, None);
            self.send_bye(&mut fork, Some(&Reason::completed_elsewhere()));
        }
    }

    /// Uniform over 0 to `bound` - 1: splitmix64 over the seed that was handed in.
    pub fn draw(&mut self, bound: u64) -> u64 {
        self.draws = self.draws.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.draws;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }

    /// The number of a first reliable response: uniform over 1 to 2^31 - 1 (RFC 3262 section 3); half of that leaves room to
    /// count up.
    pub fn first_rseq(&mut self) -> u32 {
        u32::try_from(self.draw(1 << 30)).unwrap_or_default() + 1
    }

    /// How long a 491 puts our re-INVITE off, in steps of 10 ms (14.1): 2.1 to 4 s for the owner of the Call-ID, 0 to 2 s
    /// for the other.
    pub fn glare_delay(&mut self, owns_call_id: bool) -> Duration {
        let steps = match owns_call_id {
            true => 210 + self.draw(191),
            false => self.draw(201),
        };
        Duration::from_millis(steps * 10)
    }
}

pub(super) fn to_tag(headers: &Headers) -> Option<String> {
    headers.to().ok().and_then(|to| to.tag().map(str::to_owned))
}

/// The Reason that the peer gave for its CANCEL or BYE (RFC 3326).
pub(super) fn peer_reason(request: &Request) -> Option<String> {
    request.headers.get("Reason").map(str::to_owned)
}

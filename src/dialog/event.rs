//! What a [`Usage`](super::Usage) asks of the layers below it and tells the call above it.

use std::fmt;

use bytes::Bytes;

use crate::ids::ServerKey;
use crate::sip::{NameAddr, Request, Response, Status, Uri};

/// Drain these after every call of the usage, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send by `Transactions::request`. For an INVITE keep the key: a later
    /// [`Output::Cancel`] means the INVITE sent last.
    Request { request: Request, next_hop: Uri },
    /// Send by `Transactions::send_ack`. An ACK that comes again comes with the same `branch`: it is the same ACK.
    Ack { request: Request, next_hop: Uri, branch: String },
    /// Send by `Transactions::cancel`, with this Reason header's value.
    Cancel { reason: Option<String> },
    /// Send by `Transactions::respond`.
    Respond { server: ServerKey, response: Response },
    /// For the call.
    Event(UsageEvent),
}

/// What the call hears of one leg. Session descriptions are bytes as they came.
#[derive(Clone, Debug, PartialEq)]
pub enum UsageEvent {
    /// Our INVITE: 180 to 189 (and every other 1xx but 100).
    Ringing { status: Status },
    /// Our INVITE: a provisional response with a session description, new or changed (line B34).
    EarlyMedia { sdp: Bytes },
    /// Our INVITE: 2xx. The ACK is on its way, unless our INVITE had no offer; then [`UsageEvent::Offer`] follows.
    /// `sdp`: the answer, from the 2xx or, if it has none, from the last provisional response.
    Answered { sdp: Option<Bytes> },
    /// Our INVITE was refused. [`UsageEvent::Ended`] follows.
    Rejected(Rejection),
    /// Our INVITE: 3xx. [`UsageEvent::Ended`] follows.
    Redirected { status: Status, contacts: Vec<NameAddr> },
    /// The ACK to our first 2xx is here. `sdp`: the answer to a late offer.
    Confirmed { sdp: Option<Bytes> },
    /// Nobody acknowledged our 2xx in 64*T1: BYE is sent (13.3.1.4). [`UsageEvent::Ended`] follows.
    NoAck,
    /// The ACK to our late offer brings no answer: BYE is sent (line B27). [`UsageEvent::Ended`] follows.
    NoAnswerInAck,
    /// The peer's re-INVITE or UPDATE. Answer by `accept_offer` or `reject_offer`. Without `sdp` it asks for an offer of
    /// ours (line B40), whose answer comes as [`UsageEvent::OfferAnswered`].
    Offer { sdp: Option<Bytes> },
    /// The peer took its offer back (CANCEL, BYE): roll back, answer nothing.
    OfferWithdrawn,
    /// Our offer is answered.
    OfferAnswered { sdp: Bytes },
    /// Our offer was refused, the session goes on as before it: roll back (14.1, line B35). With `will_retry` the peer
    /// had one under way itself; [`UsageEvent::OfferAgain`] comes in its time.
    OfferRefused { status: Status, will_retry: bool },
    /// The session wants a refresh that says the same again (RFC 4028 section 7.4): call `reinvite` with the description in
    /// force. What comes of it comes as for every other offer.
    RefreshDue,
    /// Nobody has refreshed the session in time: BYE is sent (RFC 4028 section 10). [`UsageEvent::Ended`] follows.
    SessionExpired,
    /// The time to retry after glare has come: call `reinvite` with a fresh offer, if it is still wanted.
    OfferAgain,
    /// INFO, already answered 200.
    Info { content_type: Option<String>, body: Bytes },
    /// A transfer is asked for (RFC 3515): `refer_accept` or `refer_refuse` it.
    Refer(Box<ReferRequest>),
    /// `options_probe`: the peer knows the dialog and answers.
    ProbeAnswered,
    /// The peer does not know the dialog any more, or does not answer. [`UsageEvent::Ended`] follows.
    PeerLost,
    /// The leg is over for the call. Comes exactly once, last; the usage may still have signalling to finish
    /// ([`Usage::is_finished`](super::Usage::is_finished)).
    Ended { by_peer: bool, cause: EndCause, reason: Option<String> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndCause {
    /// BYE, of either side.
    Bye,
    /// CANCEL, of either side.
    Cancelled,
    /// A final response other than 2xx to the first INVITE, of either side.
    Rejected,
    NoAck,
    NoAnswerInAck,
    PeerLost,
    /// The session timer ran out.
    SessionExpired,
    /// A response that makes no dialog (line A19).
    BrokenPeer,
}

/// Why our INVITE did not come through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// 408 and 503 stand for a time-out and an unreachable peer (8.1.3.1).
    pub status: Status,
    pub phrase: String,
    /// Seconds.
    pub retry_after: Option<u32>,
    pub source: RejectSource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectSource {
    Peer,
    TimedOut,
    Unreachable,
}

/// What the transaction layer says of a request that got no final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    TimedOut,
    Unreachable,
}

impl Failure {
    /// The response that it counts as (8.1.3.1).
    pub fn status(self) -> Status {
        match self {
            Failure::TimedOut => Status::REQUEST_TIMEOUT,
            Failure::Unreachable => Status::SERVICE_UNAVAILABLE,
        }
    }
}

/// A REFER (RFC 3515).
#[derive(Clone, Debug, PartialEq)]
pub struct ReferRequest {
    pub refer_to: NameAddr,
    /// The Replaces of an attended transfer (RFC 3891), unescaped.
    pub replaces: Option<String>,
    pub referred_by: Option<String>,
}

/// A Reason header's value (RFC 3326).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub protocol: ReasonProtocol,
    pub cause: u16,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasonProtocol {
    /// Causes are status codes.
    Sip,
    /// Causes are those of Q.850.
    Q850,
}

impl Reason {
    pub fn sip(status: Status, text: &str) -> Reason {
        Reason { protocol: ReasonProtocol::Sip, cause: status.code(), text: text.to_owned() }
    }

    /// The other phone answered: this one has missed nothing.
    pub fn completed_elsewhere() -> Reason {
        Reason::sip(Status::OK, "Call completed elsewhere")
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            ReasonProtocol::Sip => "SIP",
            ReasonProtocol::Q850 => "Q.850",
        };
        write!(f, "{protocol};cause={};text={}", self.cause, crate::sip::grammar::quote(&self.text))
    }
}

//! Offer/answer of one leg (RFC 3264, RFC 6337): SDP in, SDP out, and the session that the media workers follow.
//!
//! ```text
//!              answer(their offer)                      answer(their offer)
//!         ┌────────────────────────────┐            ┌───────────────────────┐
//!   New ──┤                            ├─► Agreed ──┤                       ├─► Agreed
//!         └─ offer() ─► Offered ───────┘            └─ reoffer/hold/resume ─► Offered
//!                        accept_answer                     accept_answer ─► Agreed (new)
//!                                                          rollback      ─► Agreed (as before)
//! ```
//!
//! An answer that comes again (183, then 200 with another port) replaces the one before (line B34). An SDP offer whose
//! `o=` is that of the last one changes nothing (RFC 3264 section 8).

mod read;
mod write;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::bridge::{Codec, Direction, Latch, MediaPort, MediaSession};
use crate::sip::Status;
use crate::sip::sdp::{Crypto, MasterKey, MediaLine, Origin, SdpError, SessionDescription, Suite};

/// The shortest packet that we make, in milliseconds of audio; all packets are multiples of it.
pub const MIN_PTIME_MS: u8 = 10;
/// The longest packet that we make.
pub const MAX_PTIME_MS: u8 = 60;
/// Payload type that our first offer gives telephone-event; what everybody uses.
const TELEPHONE_EVENT_PAYLOAD_TYPE: u8 = 101;

/// Where this leg's media comes in. RTCP comes in on the port above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaEndpoint {
    /// As the peer must write it to reach us.
    pub address: IpAddr,
    pub port: MediaPort,
}

/// What we send may be secured with: one key for each suite, in the order of our preference.
pub type OurKeys = [MasterKey; 2];

/// Which transport of media is allowed (line B37).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Security {
    /// RTP/AVP and RTP/AVPF alone; SAVP, SAVPF and DTLS are refused with 488.
    #[default]
    PlainOnly,
    /// RTP/SAVP and RTP/SAVPF with keys in SDP (RFC 4568) alone; what goes in clear is refused with 488.
    Secured(OurKeys),
}

impl Security {
    /// The transport that our own first offer names.
    fn protocol(self) -> &'static str {
        match self {
            Security::PlainOnly => "RTP/AVP",
            Security::Secured(_) => "RTP/SAVP",
        }
    }

    /// The lines of our offer, in the order of our preference; none in clear.
    fn offer(self) -> Vec<Crypto> {
        match self {
            Security::PlainOnly => Vec::new(),
            Security::Secured(keys) => (1..).zip(keys).map(|(tag, master)| Crypto { tag, master }).collect(),
        }
    }

    /// Our key for a suite.
    fn key(self, suite: Suite) -> Option<MasterKey> {
        match self {
            Security::PlainOnly => None,
            Security::Secured(keys) => keys.into_iter().find(|key| key.suite == suite),
        }
    }
}

/// What we allow on one leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaPolicy {
    /// In the order of our preference; never empty.
    pub codecs: Vec<Codec>,
    /// Whether telephone-event is offered and accepted.
    pub telephone_event: bool,
    /// Milliseconds of audio that we want in the packets we receive, and make when the peer wants nothing else.
    pub ptime_ms: u8,
    pub latch: Latch,
    pub security: Security,
}

impl Default for MediaPolicy {
    fn default() -> MediaPolicy {
        MediaPolicy {
            codecs: vec![Codec::Pcmu, Codec::Pcma, Codec::G722],
            telephone_event: true,
            ptime_ms: 20,
            latch: Latch::Signalled,
            security: Security::PlainOnly,
        }
    }
}

/// How we put a peer on hold (RFC 3264 section 8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The peer hears our hold music: `sendonly`.
    Music,
    /// Nothing flows: `inactive`.
    Silent,
}

/// Why a peer's description is not taken, as the response says it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {reason}")]
pub struct Refusal {
    /// 400, 413, 488 or 491.
    pub status: Status,
    /// Value of a Warning header (RFC 3261 section 20.43).
    pub warning: Option<String>,
    /// For our log and the ticket.
    pub reason: String,
}

impl Refusal {
    /// 488 with a warning of RFC 3261 section 20.43.
    fn not_acceptable(code: u16, reason: &str) -> Refusal {
        let text = match code {
            301 => "Incompatible network address formats",
            302 => "Incompatible transport protocol",
            304 => "Media type not available",
            305 => "Incompatible media format",
            330 => "Multicast not available",
            _ => reason,
        };
        Refusal {
            status: Status::NOT_ACCEPTABLE_HERE,
            warning: Some(format!("{code} wardline \"{text}\"")),
            reason: reason.to_owned(),
        }
    }

    /// Our own offer is still open (RFC 3261 section 14.2).
    fn glare() -> Refusal {
        Refusal { status: Status::REQUEST_PENDING, warning: None, reason: "our own offer is still open".to_owned() }
    }
}

impl From<SdpError> for Refusal {
    fn from(error: SdpError) -> Refusal {
        let warning = (error.status() == Status::NOT_ACCEPTABLE_HERE)
            .then(|| "399 wardline \"Too many media streams\"".to_owned());
        Refusal { status: error.status(), warning, reason: error.to_string() }
    }
}

/// One `m=` line of the leg as it stands: every later description must have it at the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Slot {
    /// The one stream that we serve.
    Audio { protocol: String },
    /// Refused with port 0, and repeated so for ever (RFC 3264 section 8).
    Refused(MediaLine),
}

/// What both sides have agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Agreed {
    session: MediaSession,
    /// `o=` of the peer's last description.
    peer: Option<Origin>,
    /// The peer takes no media from us.
    peer_holds: bool,
    slots: Vec<Slot>,
}

impl Agreed {
    /// The same `o=` again: RFC 3264 section 8 says it is the same in all else too. Where its streams or formats differ
    /// all the same, it counts as new: our answer must speak of those, and the session must be what it says.
    fn repeats(&self, before: &Agreed) -> bool {
        let formats = |agreed: &Agreed| {
            let session = agreed.session;
            let types = (session.send_payload_type, session.receive_payload_type, session.telephone_event);
            (session.codec, types, session.srtp)
        };
        self.peer.is_some()
            && self.peer == before.peer
            && self.slots == before.slots
            && formats(self) == formats(before)
    }
}

/// Our offer that waits for its answer, and what to go back to without one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Offered {
    codecs: Vec<Codec>,
    telephone_event: Option<u8>,
    slots: Vec<Slot>,
    /// An answer came; another may follow it and replace it.
    answered: bool,
    /// The wish to go back to.
    before: Direction,
    /// It says what was said before: a refresh.
    repeats: bool,
}

/// One leg's offer/answer. All texts that it returns are whole bodies of type application/sdp.
#[derive(Clone, Debug)]
pub struct Negotiation {
    session_id: u64,
    /// `o=` version of our last description; counts up by one with each change (RFC 3264 section 8).
    version: u64,
    local: MediaEndpoint,
    policy: MediaPolicy,
    preferred: Option<Codec>,
    /// What we want of the stream, seen from us: `SendRecv` unless we hold the peer.
    wanted: Direction,
    agreed: Option<Agreed>,
    offered: Option<Offered>,
    /// Our last description, to see whether the next one differs.
    last: Option<SessionDescription>,
    changed: bool,
}

impl Negotiation {
    /// `session_id` names our side for the life of the leg (`o=`); unique among our legs.
    pub fn new(session_id: u64, local: MediaEndpoint, policy: MediaPolicy) -> Negotiation {
        Negotiation {
            session_id,
            version: 0,
            local,
            policy,
            preferred: None,
            wanted: Direction::SendRecv,
            agreed: None,
            offered: None,
            last: None,
            changed: false,
        }
    }

    /// The codec of the other leg: taken before our own order when it is possible, so that media passes through.
    pub fn prefer(&mut self, codec: Option<Codec>) {
        self.preferred = codec;
    }

    /// Answers the peer's offer, first or renewed. On a refusal everything stays as it was (line B35).
    pub fn answer(&mut self, offer: &[u8]) -> Result<String, Refusal> {
        self.changed = false;
        if self.offered.as_ref().is_some_and(|offered| !offered.answered) {
            return Err(Refusal::glare());
        }
        let offer = SessionDescription::parse(offer)?;
        let stream = self.choose_stream(&offer)?;
        let new = self.agree_as_answerer(&offer, &stream)?;
        let again = self.agreed.as_ref().filter(|before| new.repeats(before)).cloned();
        self.changed = again.is_none();
        let agreed = again.unwrap_or(new);
        let description = self.describe_answer(&offer, &stream, agreed.session.direction);
        self.agreed = Some(agreed);
        self.offered = None;
        Ok(self.publish(description))
    }

    /// Our first offer, or a full new one in mid-call for a re-INVITE without SDP (line B40, RFC 6337 section 5.3).
    pub fn offer(&mut self) -> String {
        self.make_offer(self.wanted)
    }

    /// A new offer that says the same again, with the codec order that [`Negotiation::prefer`] now gives.
    pub fn reoffer(&mut self) -> String {
        self.offer()
    }

    /// Our last description again, `o=` and all, as an offer that refreshes the session (RFC 4028 section 7.4). `None` while
    /// nothing is agreed, or an offer of ours is open.
    pub fn refresh(&mut self) -> Option<String> {
        let (Some(agreed), Some(last), false) = (&self.agreed, &self.last, self.offering()) else { return None };
        let session = agreed.session;
        let text = last.to_string();
        self.changed = false;
        self.offered = Some(Offered {
            codecs: vec![session.codec],
            telephone_event: session.telephone_event.map(|event| event.receive),
            slots: agreed.slots.clone(),
            answered: false,
            before: self.wanted,
            repeats: true,
        });
        Some(text)
    }

    /// An offer that puts the peer on hold.
    pub fn hold(&mut self, hold: Hold) -> String {
        self.make_offer(match hold {
            Hold::Music => Direction::SendOnly,
            Hold::Silent => Direction::Inactive,
        })
    }

    /// An offer that ends our hold.
    pub fn resume(&mut self) -> String {
        self.make_offer(Direction::SendRecv)
    }

    /// Takes the peer's answer to our offer, also a later one that replaces it. A refusal here means that the offer
    /// failed: [`Negotiation::rollback`], or BYE when it was the first.
    pub fn accept_answer(&mut self, answer: &[u8]) -> Result<(), Refusal> {
        self.changed = false;
        let Some(offered) = self.offered.clone() else {
            return Err(Refusal::not_acceptable(399, "an answer without an offer of ours"));
        };
        let answer = SessionDescription::parse(answer)?;
        let mut agreed = self.agree_as_offerer(&offered, &answer)?;
        if let (true, Some(before)) = (offered.repeats, &self.agreed) {
            // What we receive was settled by the description that this one repeats.
            agreed.session.receive_payload_type = before.session.receive_payload_type;
        }
        let same_origin = self.agreed.as_ref().is_some_and(|before| before.peer == agreed.peer);
        // The first answer to an offer may stand on an unchanged `o=`; then only a different session is a change.
        self.changed = !same_origin || self.agreed.as_ref().map(|before| before.session) != Some(agreed.session);
        self.agreed = Some(agreed);
        if let Some(offered) = &mut self.offered {
            offered.answered = true;
        }
        Ok(())
    }

    /// Our renewed offer was refused or timed out: the session before it goes on (RFC 3261 section 14.1).
    pub fn rollback(&mut self) {
        self.changed = false;
        if let Some(offered) = self.offered.take_if(|offered| !offered.answered) {
            self.wanted = offered.before;
        }
    }

    /// What the media workers follow; `None` until the first agreement.
    pub fn session(&self) -> Option<MediaSession> {
        self.agreed.as_ref().map(|agreed| agreed.session)
    }

    /// Whether the last `answer` or `accept_answer` is news for the media workers. A session equal to the one before
    /// may still be news: a new answer resets latching, unless its `o=` is the old one.
    pub fn changed(&self) -> bool {
        self.changed
    }

    /// The peer takes no media from us: `sendonly`, `inactive`, c=0.0.0.0 or port 0, whoever made the offer.
    pub fn held_by_peer(&self) -> bool {
        self.agreed.as_ref().is_some_and(|agreed| agreed.peer_holds)
    }

    /// We hold the peer, or have offered to.
    pub fn holding(&self) -> bool {
        self.wanted != Direction::SendRecv
    }

    /// An offer of ours waits for its answer.
    pub fn offering(&self) -> bool {
        self.offered.as_ref().is_some_and(|offered| !offered.answered)
    }

    pub fn local(&self) -> MediaEndpoint {
        self.local
    }

    fn make_offer(&mut self, wanted: Direction) -> String {
        self.changed = false;
        // An offer on top of an unanswered one replaces it; the way back stays the agreed state.
        let before = match &self.offered {
            Some(offered) if !offered.answered => offered.before,
            Some(_) | None => self.wanted,
        };
        self.wanted = wanted;
        let offered = Offered {
            codecs: self.codecs_in_order(),
            telephone_event: self.policy.telephone_event.then(|| self.telephone_event_to_offer()),
            slots: match &self.agreed {
                Some(agreed) => agreed.slots.clone(),
                None => vec![Slot::Audio { protocol: self.policy.security.protocol().to_owned() }],
            },
            answered: false,
            before,
            repeats: false,
        };
        let description = self.describe_offer(&offered);
        self.offered = Some(offered);
        self.publish(description)
    }

    /// The payload type in use stays what it is: RFC 3264 section 8.3.2 forbids to map it anew.
    fn telephone_event_to_offer(&self) -> u8 {
        let agreed = self.session().and_then(|session| session.telephone_event).map(|event| event.receive);
        let taken = |number: &u8| self.policy.codecs.iter().any(|codec| codec.payload_type() == *number);
        agreed.filter(|number| !taken(number)).unwrap_or(TELEPHONE_EVENT_PAYLOAD_TYPE)
    }

    /// The preferred codec first, then the one in use, then our order; only what policy allows.
    fn codecs_in_order(&self) -> Vec<Codec> {
        let current = self.session().map(|session| session.codec);
        let mut codecs = self.policy.codecs.clone();
        codecs.sort_by_key(|codec| (Some(*codec) != self.preferred, Some(*codec) != current));
        codecs
    }
}

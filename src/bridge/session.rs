//! What offer/answer agrees for one leg, in the words that the media workers understand.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub use crate::sip::sdp::Direction;
use crate::sip::sdp::MasterKey;

/// The even port RTP is received on; RTCP is received on the next one (RFC 3550 section 11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaPort(pub u16);

/// What the media path can encode and decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Codec {
    /// G.711 µ-law, payload type 0, 8 kHz.
    Pcmu,
    /// G.711 A-law, payload type 8, 8 kHz.
    Pcma,
    /// G.722 at 64 kbit/s, payload type 9: samples at 16 kHz, RTP clock at 8 kHz (RFC 3551 section 4.5.2).
    G722,
}

impl Codec {
    /// The static payload type (RFC 3551 table 4).
    pub const fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
            Codec::G722 => 9,
        }
    }

    /// Encoding name as `a=rtpmap` writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
        }
    }

    /// RTP clock in Hz; 8000 for all three.
    pub const fn clock_hz(self) -> u32 {
        8_000
    }
}

/// Whose source address a leg accepts (line E67).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Latch {
    /// Only the signalled address; its port may differ once (symmetric RTP), then it is locked.
    Signalled,
    /// `nat = true`: the first source that sends valid RTP after an answer, then locked.
    Nat,
}

/// telephone-event as agreed (RFC 4733). The two payload types may differ: each side names what it wants to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TelephoneEvent {
    /// Payload type that we send.
    pub send: u8,
    /// Payload type that we receive.
    pub receive: u8,
}

/// The keys of a secured stream, one in each direction (RFC 4568).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Srtp {
    /// Ours, for what we send.
    pub send: MasterKey,
    /// The peer's.
    pub receive: MasterKey,
}

/// One leg's agreed session. A new value replaces the old one as a whole and resets latching.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaSession {
    /// Where RTP goes; `None` while the peer named none (0.0.0.0 or port 0).
    pub remote: Option<SocketAddr>,
    /// Where RTCP goes (`a=rtcp`, RFC 3605, else RTP port + 1).
    pub remote_rtcp: Option<SocketAddr>,
    pub codec: Codec,
    /// Payload types of `codec` in each direction (static ones are equal).
    pub send_payload_type: u8,
    pub receive_payload_type: u8,
    /// `None`: digits come by SIP INFO or in-band only.
    pub telephone_event: Option<TelephoneEvent>,
    /// Seen from us.
    pub direction: Direction,
    /// Milliseconds of audio in each packet that we make ourselves, 10 to 60.
    pub ptime_ms: u8,
    pub latch: Latch,
    /// `None`: RTP goes in clear. Keys stand in no journal.
    #[serde(skip)]
    pub srtp: Option<Srtp>,
}

/// Quality of one leg since it opened. Counts are packets unless they say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MediaReport {
    pub codec: Option<Codec>,
    pub received: u64,
    pub sent: u64,
    /// Expected by sequence numbers and never seen (RFC 3550 A.3).
    pub lost: u64,
    /// Interarrival jitter (RFC 3550 A.8).
    pub jitter_ms: f32,
    /// Longest hole between two packets.
    pub max_gap_ms: u32,
    /// Dropped for a wrong source, version or size.
    pub refused: u64,
    /// Loss that the peer's RTCP reports for what we send, 0 to 1.
    pub remote_loss: Option<f32>,
    pub round_trip_ms: Option<f32>,
    pub keys: u32,
}

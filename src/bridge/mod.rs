//! Offer/answer of two legs (RFC 3264), hold and transfer.

pub mod negotiation;
pub mod pair;
mod session;
pub mod transfer;

pub use negotiation::{Hold, MediaEndpoint, MediaPolicy, Negotiation, OurKeys, Refusal, Security};
pub use session::{Codec, Direction, Latch, MediaPort, MediaReport, MediaSession, Srtp, TelephoneEvent};

//! Offer/answer of two legs (RFC 3264), hold and transfer.

mod session;

pub use session::{Codec, Direction, Latch, MediaPort, MediaReport, MediaSession, TelephoneEvent};

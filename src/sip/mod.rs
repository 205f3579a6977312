//! SIP as bytes and values (RFC 3261): messages, URIs, headers, SDP, digest. Knows nothing else here.

mod flow;
pub mod sdp;

pub use flow::{Flow, Transport};

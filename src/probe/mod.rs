//! Independent test phones: what `wardline call`, `wardline answer`, the canary and the demo caller are made of.
//!
//! They speak SIP through crate `rsip` and carry an SDP, RTP, G.711, DTMF and tone code of their own, so an error in the
//! server's codec cannot hide from its own test. Nothing here imports the server's layers, and a probe is always its own
//! process. From the wire up:
//!
//! [`wire`] bytes and `rsip` messages · [`transport`] UDP and TCP · [`auth`] digest · [`sdp`] session descriptions ·
//! [`audio`] codecs, tones, WAV · [`media`] and [`ear`] one RTP stream · [`dialog`] transactions and one dialog · [`talk`] what both
//! sides do once connected · [`phone`] calling, answering, registering · [`report`] what was measured.
//!
//! Not done: SRV look-ups, RTCP, SRTP, following a 3xx, more than one early dialog (the first final answer wins).

#![allow(clippy::wildcard_enum_match_arm)] // Edge: methods of another SIP library.
pub mod audio;
pub mod auth;
pub mod dialog;
pub mod ear;
pub mod media;
pub mod phone;
pub mod report;
pub mod script;
pub mod sdp;
pub mod talk;
pub mod transport;
pub mod wire;

#[cfg(test)]
mod tests;

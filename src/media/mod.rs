//! The media path: RTP in, RTP out, by worker threads that own their sockets. It meets the switch only in
//! [`MediaCommand`](crate::call::media::MediaCommand) and [`MediaEvent`](crate::call::media::MediaEvent).
//!
//! Sans-IO pieces, each a file: the clock and the sockets are in `worker` alone.

pub mod codec;

pub mod rtcp;
pub mod rtp;
pub mod srtp;

mod counters;
mod exchange;
mod health;
mod leg;
mod ear;
mod outbox;
mod outlet;
mod dtmf_event;
mod goertzel;
mod jitter;
mod latch;
mod player;
mod ports;
mod prompts;
mod report;
mod tones;
mod worker;
mod wire;
mod workers;

pub use counters::Counters;
pub use prompts::{MAX_PROMPT, Prompt, PromptError, PromptLibrary};
pub use workers::{MediaOptions, Overloaded, Workers};

#[cfg(test)]
mod tests;

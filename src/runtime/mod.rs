//! Sockets, clock, randomness, signals, threads and shutdown: what carries the switch's actions out.

#![allow(clippy::wildcard_enum_match_arm)] // Edge: what a lane does not look into it hands on.
#![allow(clippy::disallowed_methods)] // The runtime is where the clock is read.

pub mod canary;
pub mod carrier;
pub mod clock;
pub mod inbox;
pub mod names;
pub mod tcp;
pub mod tls;
mod told;
pub mod udp;
pub mod recall;
pub mod drafts;
pub mod publish;
pub mod versions;
pub mod serve;

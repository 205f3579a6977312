//! Sockets, clock, randomness, signals, threads and shutdown: what carries the switch's actions out.
#![allow(clippy::disallowed_methods)] // The runtime is where the clock is read.

pub mod clock;
pub mod inbox;
pub mod udp;

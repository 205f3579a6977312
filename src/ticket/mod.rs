//! Tickets: what is remembered of every call, and how it reads.

mod event;

pub use event::*;

//! The state machine of one call.

pub mod media;

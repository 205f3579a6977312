//! The instants that bound what a caller hears: kept here, because calls run by them and the prover counts with them.

use std::time::Duration;

/// Speech starts this long after the ACK; sooner, the phone's own click clips the first word (HOTLINE.md).
pub const SPEECH_AFTER_ACK: Duration = Duration::from_millis(400);
/// Without an ACK, speech starts this long after the 200 all the same.
pub const SPEECH_AFTER_200: Duration = Duration::from_millis(1_000);
/// How much longer than its prompts a playback may take before the core moves on without the worker's word.
pub const PLAY_GRACE: Duration = Duration::from_millis(250);

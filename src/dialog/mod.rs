//! Dialogs (RFC 3261 section 12) and their INVITE usage (RFC 5057).
mod state;
const MAX_FORWARDS: &str = "70";

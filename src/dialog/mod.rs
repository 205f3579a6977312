//! Dialogs (RFC 3261 section 12) and their INVITE usage (RFC 5057).
mod state;
pub use state::{Dialog, DialogError, DialogId, OutOfOrder};

//! Dialogs (RFC 3261 section 12) and their INVITE usage (RFC 5057): everything of one leg's signalling above the
//! transactions, as one value without I/O.
//!
//! [`Usage`] is one leg, called or calling. Requests, responses, failures, commands and time go in; drain
//! [`Usage::poll_output`] after each. Its life is a chain of phases, one file each, in this order: [`uas`](self) or
//! `uac` (no final response yet), `confirmed` (with `offers` and `requests`), `closing`.
//!
//! What is absent: session descriptions are bytes here (bridge reads them), and nobody's password is kept: without
//! [`Usage::answer_challenge`] a 401 or 407 to us is a rejection like any other (lines C48 and C49).

mod body;
mod challenge;
mod closing;
mod confirmed;
mod context;
mod event;
mod offers;
mod requests;
mod resend;
mod session_timer;
mod state;
mod uac;
mod uas;
mod usage;

#[cfg(test)]
mod tests;

use crate::sip::{Method, Request, Response, Status, Uri};
use crate::time::Duration;

pub use event::{EndCause, Failure, Output, Reason, ReasonProtocol, ReferRequest, RejectSource, Rejection, UsageEvent};
pub use state::{Dialog, DialogError, DialogId, OutOfOrder};
pub use uac::Invite;
pub use usage::{LocalIdentity, NotNow, Usage};

/// What we do with requests inside and outside dialogs (RFC 3261 section 20.5).
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, REFER, NOTIFY";
/// Extensions that we understand (section 20.37): RFC 3262, RFC 4488, RFC 4028.
pub const SUPPORTED: &str = "100rel, norefersub, timer";
/// The same on a leg without a session timer.
const WITHOUT_TIMER: &str = "100rel, norefersub";
/// The option tag of RFC 3262.
const RELIABLE: &str = "100rel";
/// The option tag of RFC 4028.
const TIMER: &str = "timer";

/// First pause between two copies of our 2xx (13.3.1.4).
const T1: Duration = Duration::from_millis(500);
/// Longest pause between them.
const T2: Duration = Duration::from_secs(4);
/// 64*T1 without an ACK end the call (13.3.1.4).
pub const ACK_GIVE_UP: Duration = Duration::from_secs(32);
/// Early dialogs of one INVITE that are remembered: more phones than fork behind any one target.
pub const MAX_EARLY_DIALOGS: usize = 8;
/// ACKs that are kept to be repeated: the first INVITE's forks and the latest re-INVITEs.
pub const MAX_KEPT_ACKS: usize = 12;
/// Requests of ours inside a dialog that wait for a response, re-INVITE and BYE aside: digits, probes, NOTIFYs.
pub const MAX_PENDING_REQUESTS: usize = 16;
/// Times that one offer of ours is put off for the peer's; then it counts as refused.
pub const MAX_GLARE_RETRIES: u8 = 5;
/// Upper end of the Retry-After in a 500 to a second INVITE, in seconds (14.2).
pub const MAX_RETRY_AFTER_S: u32 = 10;

/// The 481 to a request inside a dialog that nobody knows (12.2.2). `None` for an ACK, which is dropped without a word.
pub fn no_dialog(request: &Request, to_tag: &str) -> Option<Response> {
    let response = Response::to_request(request, Status::NO_SUCH_TRANSACTION).with_to_tag(to_tag);
    (request.method != Method::Ack).then_some(response)
}

/// ACK and BYE for a 2xx that no leg waits for, and where they go. `None` when the response makes no dialog.
pub fn hang_up_stray(response: &Response) -> Option<(Request, Request, Uri)> {
    let mut dialog = Dialog::of_stray(response).ok()?;
    let ack = dialog.ack(response.headers.cseq().ok()?.number);
    Some((ack, dialog.request(Method::Bye), dialog.next_hop()))
}

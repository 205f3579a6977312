//! Transactions (RFC 3261 section 17, RFC 6026): one request, its copies, and its responses.
//!
//! [`Transactions`] holds the four machines, one file each, and gives every message to the one it belongs to. Messages
//! and time go in; what must be sent, what the user of a transaction must hear, and the next wake-up come out. After any
//! input, drain [`Transactions::poll_transmit`] and [`Transactions::poll_event`].
//!
//! What is absent: it knows no dialog, makes no branch (they are handed in), resolves no name, and repeats no 2xx (the
//! dialog does that until the ACK).

mod build;
mod client;
mod invite_client;
mod invite_server;
mod matching;
mod paths;
mod server;
mod table;
mod timers;

#[cfg(test)]
mod tests;

pub use crate::ids::{ClientKey, ServerKey};
pub use build::{MAX_FORWARDS, stateless_response, stateless_tag};
pub use table::{MAX_INVITE_TRANSACTIONS, MAX_OTHER_TRANSACTIONS, MAX_TRANSACTIONS, Peer, SentBy, Transactions};
pub use timers::{
    CANCEL_GIVE_UP, T1, T2, T4, TIMER_A, TIMER_B, TIMER_D, TIMER_E, TIMER_F, TIMER_G, TIMER_H, TIMER_I, TIMER_J,
    TIMER_K, TIMER_L, TIMER_M, TRYING_AFTER, reliable,
};

use crate::sip::{CSeq, Request, Response};

/// What a message turned out to be.
#[derive(Debug)]
pub enum Received {
    /// A new request, neither ACK nor CANCEL. Answer it by [`Transactions::respond`]. Its top Via is stamped with the
    /// real source (RFC 3581).
    Request { server: ServerKey, request: Request },
    /// An ACK that no INVITE refusal waits for: it belongs to a dialog's 2xx, whatever its branch, or to nothing
    /// (then drop it without a word). Never answer it.
    Ack { request: Request },
    /// A CANCEL, already answered: 200 when `invite` is there, else 481 (9.2). The INVITE itself is still to be answered
    /// 487 by its user, unless it was answered before.
    Cancel { server: ServerKey, invite: Option<ServerKey>, request: Request },
    /// A response to a request of ours. For an INVITE every 2xx comes here, copies and forks too, for 64*T1.
    Response { client: ClientKey, response: Response },
    /// A 2xx to an INVITE that no transaction knows any more, or never knew (before a restart): whoever sent it waits
    /// for an ACK, and then for a BYE.
    Stray { response: Response },
    /// A copy, dealt with.
    Absorbed,
    /// Answered if it could be, and of no use to anybody; the reason is for counters and DEBUG logs.
    Refused(&'static str),
}

/// What happens to transactions by time or by the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Timer B or F, or no final response 64*T1 after a CANCEL. Counts as a 408 (8.1.3.1).
    ClientTimedOut { client: ClientKey, cseq: CSeq },
    /// The transport cannot reach the peer, or the table is full. Counts as a 503 (8.1.3.1).
    ClientUnreachable { client: ClientKey, cseq: CSeq },
    /// A client transaction is over: forget the key. Comes once for each, last.
    ClientEnded { client: ClientKey },
    /// Timer H: nobody acknowledged our refusal of an INVITE. Nothing is left to do.
    ServerTimedOut { server: ServerKey },
    /// The stream that this request came on is gone, and it has no final response yet: its caller is, too.
    ServerUnreachable { server: ServerKey },
}

//! Where a ticket stands. Derived from its facts after every record, so it can't disagree with them.
//!
//! ```text
//!            CallOpened
//!                │
//!                ▼
//!             ┌──────┐  CallOpened that continues it (a callback under way)
//!             │ Open │◄──────────────────────────────┐
//!             └──┬───┘                               │
//!      CallEnded │                                   │
//!        ┌───────┴─────────────┬──────────────┐      │
//!        │ callback owed       │ human heard  │ neither: nothing left to do
//!        ▼                     ▼              │      │
//!  ┌─────────────┐ settled ┌───────────┐      │      │
//!  │ CallbackDue ├────────►│ WrapUpDue │      │      │
//!  └──────┬──────┘         └─────┬─────┘      │      │
//!         │                      │ DispositionSet    │
//!         └──────────────────────┼────────────┼──────┘
//!                  "open" │      │ any other  │
//!                         ▼      ▼            ▼
//!                   ┌─────────┐     ┌────────┐
//!                   │ Working ├────►│ Closed │   DispositionSet "open" after "solved" is a reopening:
//!                   └─────────┘◄────┴────────┘   counted, and never first contact again
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

use super::facts::Ticket;
use super::line::party_words;
use super::{DispositionCode, HangupCause, Party};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lifecycle {
    /// The call is up: the caller's own, or one in which the caller was called back and has answered.
    Open,
    /// The call is over and the desk owes a call back: by itself, or, once that has failed, by a person.
    CallbackDue,
    /// A human was heard; the analyst has yet to say how it ended.
    WrapUpDue,
    /// The analyst said that work goes on.
    Working,
    Closed,
}

impl Lifecycle {
    pub const ALL: [Lifecycle; 5] =
        [Lifecycle::Open, Lifecycle::CallbackDue, Lifecycle::WrapUpDue, Lifecycle::Working, Lifecycle::Closed];

    /// Where the ticket stands by its facts.
    pub fn of(ticket: &Ticket) -> Lifecycle {
        // While a callback looks for its analyst and rings the ward, it is still owed.
        let on_the_line = !ticket.calling_back || ticket.bridged.is_some();
        if ticket.up && on_the_line {
            return Lifecycle::Open;
        }
        if ticket.owes_callback() {
            return Lifecycle::CallbackDue;
        }
        match ticket.disposition().map(|set| set.disposition.code) {
            Some(DispositionCode::Open) => Lifecycle::Working,
            Some(DispositionCode::Solved | DispositionCode::NotForUs | DispositionCode::Test) => Lifecycle::Closed,
            None if ticket.human_heard.is_some() && !ticket.test => Lifecycle::WrapUpDue,
            None => Lifecycle::Closed,
        }
    }

    /// As stored and as filters name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Lifecycle::Open => "open",
            Lifecycle::CallbackDue => "callback-due",
            Lifecycle::WrapUpDue => "wrap-up-due",
            Lifecycle::Working => "working",
            Lifecycle::Closed => "closed",
        }
    }

    pub fn parse(text: &str) -> Option<Lifecycle> {
        Lifecycle::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl HangupCause {
    /// How a call ended that `by` ended, as a sentence without its full stop.
    pub fn words(self, by: Party) -> String {
        let why = match self {
            HangupCause::Normal => return format!("{} hung up", capitalized(party_words(by))),
            HangupCause::Abandoned => return "The caller left before a human answered".to_owned(),
            HangupCause::NoAck => "because the phone never confirmed our answer",
            HangupCause::MediaRefused => "because no audio could be agreed",
            HangupCause::RtpTimeout => "because no audio came any more",
            HangupCause::PeerLost => "because the phone stopped answering",
            HangupCause::SessionExpired => "because the phone did not confirm that it was still there",
            HangupCause::TooLong => "because it had lasted as long as a call may",
            HangupCause::PlanEnded => "as the dial plan says",
            HangupCause::Transferred => "by a transfer",
            HangupCause::NoCapacity => "for want of capacity",
            HangupCause::NodeFailure => "because the node failed",
            HangupCause::Shutdown => "because Wardline was shut down",
            HangupCause::InternalError => "by a fault of Wardline",
        };
        match by {
            Party::Desk => format!("The call ended {why}"),
            Party::Caller | Party::Analyst | Party::Target => format!("The call ended {why} ({})", party_words(by)),
        }
    }
}

fn capitalized(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

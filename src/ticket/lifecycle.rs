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
//!  ┌─────────────┐  closed ┌───────────┐      │      │
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

use super::facts::{CallbackState, Ticket};
use super::{DispositionCode, HangupCause};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lifecycle {
    /// The call is up.
    Open,
    /// The call is over and the desk owes a call back.
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
        if ticket.up {
            return Lifecycle::Open;
        }
        if ticket.callback.as_ref().is_some_and(|callback| callback.state == CallbackState::Due) {
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
    /// As people read it, after "ended": "by a hang-up", "because the node failed".
    pub fn words(self) -> &'static str {
        match self {
            HangupCause::Normal => "by a hang-up",
            HangupCause::Abandoned => "before a human answered",
            HangupCause::Cancelled => "before Wardline answered",
            HangupCause::NoAck => "because the phone never confirmed our answer",
            HangupCause::MediaRefused => "because no audio could be agreed",
            HangupCause::RtpTimeout => "because no audio came any more",
            HangupCause::PeerLost => "because the phone stopped answering",
            HangupCause::PlanEnded => "as the dial plan says",
            HangupCause::Transferred => "by a transfer",
            HangupCause::NoCapacity => "for want of capacity",
            HangupCause::NodeFailure => "because the node failed",
            HangupCause::Shutdown => "because Wardline was shut down",
            HangupCause::InternalError => "by a fault of Wardline",
        }
    }
}

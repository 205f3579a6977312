//! Tickets: what is remembered of every call, and how it reads.
//!
//! [`Record`]s go in, a [`Ticket`] comes out. Everything here is a pure function of the records, so the store, the
//! command line and the tests tell the same story of a call.

mod event;
mod explain;
mod lifecycle;
mod line;
mod one_number;
mod report;
mod report_text;
mod facts;
mod standing;

#[cfg(test)]
pub(crate) mod script;

pub use event::*;
pub use explain::explain;
pub(crate) use facts::REPEAT_HOURS;
pub use facts::{
    Callback, CallbackState, End, Hold, MediaQuality, Offer, Repeat, RepeatBy, Routed, SetDisposition, Ticket, Told,
    Transfer,
};
pub use lifecycle::Lifecycle;
pub use line::{Line, line_of};
pub use one_number::{MAX_CALLS as MAX_CALLS_COMPARED, OneNumber, one_number};
pub use report::{
    Abandonment, CallbackFigures, Exclusion, FirstContact, HoldFigures, Period, RepeatFigures, Report, SecondsToHuman,
    Wait, figures, fold, rehearsed,
};
pub use report_text::render;
pub use standing::{Confirmation, Passage, Standing, Standings, Vouched};

//! The journal: every record, in order, in preallocated segment files.
//!
//! ```text
//!          append ok                       write fails
//!       ┌────────────┐    ┌─────────┐ ───────────────────► ┌──────────┐ ring over 3/4  ┌──────┐
//!       └────────────┴───►│ Healthy │                      │ Degraded │ ─────────────► │ Full │
//!                         └─────────┘ ◄─────────────────── └──────────┘ ◄───────────── └──────┘
//!                                     ring written (retried every 250 ms)
//! ```
//!
//! [`Journal::append`] writes in the caller's thread, so a record is in the page cache before the packet that it
//! explains leaves: kill -9 loses nothing. A thread of its own makes it durable (fdatasync) within 5 ms, so a power
//! loss loses at most that. When the disk refuses, records wait in a bounded ring; calls go on and the alarm is up.
//!
//! A failed fdatasync may have dropped pages without telling again, so what was not yet durable is written once more
//! to a new segment; readers skip what they have seen, by sequence number.

mod disk;
mod frame;
mod reader;
mod writer;

pub use disk::{Disk, Files, Segment};
pub use frame::MAX_PAYLOAD;
pub use reader::{Damage, Entry, Reader};
pub use writer::{Appended, Journal, JournalState, Options, Replay, Trouble};

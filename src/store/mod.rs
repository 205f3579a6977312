//! Everything that happens, kept: the journal first, then SQLite as its projection.
//!
//! ```text
//!  switch ──Record──► Journal::append (write(2), before the packets leave)
//!                        │ fdatasync within 5 ms, on its own thread
//!                        ▼
//!                     segment files ──► projector thread ──► SQLite (tickets, events, audit, bindings …)
//!                        ▲                                      │ position in the same transaction
//!                        └── deleted once projected ◄───────────┤
//!                                                  Stored(seq) ◄┘
//! ```
//!
//! What is not here: nothing in this module is asked by the call path. A slow, full or broken store delays nobody; the
//! projection catches up from the journal.
//!
//! A data directory holds `journal/`, `wardline.db` (with -wal and -shm), `store.key` (0600) and `lock`.

pub mod journal;

pub use journal::{Appended, Journal, JournalState};

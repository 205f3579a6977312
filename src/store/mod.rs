//! Everything that happens, kept: the journal first, then SQLite as its projection.
//!
//! ```text
//!  switch ──Record──► Journal::append (write(2), before the packets leave)
//!                        │ fdatasync within 5 ms, on its own thread ──▶ Stored(seq)
//!                        ▼
//!                     segment files ──► projector thread ──► SQLite (tickets, events, audit, bindings …)
//!                        ▲                                      │ position in the same transaction
//!                        └── deleted once projected ◄───────────┘
//! ```
//!
//! What is not here: nothing in this module is asked by the call path. A slow, full or broken store delays nobody; the
//! projection catches up from the journal.
//!
//! The order at a start: [`open`] takes the journal, projects its rest and gives [`Restored`]; the runtime then feeds
//! [`Journal::append`] and hands [`Journal::watch_durable`] to the switch as `Input::Stored`.
//!
//! A data directory holds `journal/` (with its `lock`), `wardline.db` (with -wal and -shm), `store.key` and `published/`
//! (the versions of the configuration; see [`published`]). Who makes it is
//! the only one who may enter: directories are 0700, files 0600.

#![allow(clippy::disallowed_methods)] // An edge module: a start has to know what has expired.

pub mod journal;
mod projection;
mod projector;
pub mod published;
mod restore;
mod rows;
mod secrets;
mod sqlite;
mod tickets;
mod view;

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use jiff::Timestamp;

pub use journal::{Appended, Journal, JournalState};
pub use projector::{Projected, Projector};
pub use restore::{AnalystStateAt, CallbackOwed, Continuity, NonceCount, OpenCall, Restored};
pub use secrets::{Credential, SecretKey, credentials, pins, set_password, set_pin};
pub use tickets::{Filter, SqliteTickets, Tickets};
pub use view::{
    AuditLine, MAX_AUDIT_LINES, View, attested, export_csv, export_json, open_readonly, render_list, render_ticket,
};

const JOURNAL_DIR: &str = "journal";

/// A data directory in use by this process.
pub struct Store {
    /// Stops first, so that its last batch is still read from an open journal.
    pub projector: Projector,
    pub journal: Arc<Journal>,
    /// What the journal looked like at the start: damage and torn bytes belong in the log and the alarms.
    pub replay: journal::Replay,
}

/// Opens (or makes) a data directory, restores its state as it stands at `now` and starts the projector. Blocks until the
/// state is there; may be called inside or outside of an async runtime.
///
/// # Errors
/// When another process holds it, or when journal, database or key can't be read. Nothing is repaired by guessing.
pub fn open(dir: &Path, options: journal::Options, now: Timestamp) -> Result<(Store, Restored)> {
    make_dir(dir)?;
    let (journal, replay) = Journal::open(&dir.join(JOURNAL_DIR), options)?;
    let vault = secrets::Vault::open(dir)?;
    let (restored, stored) = blocking(|| async {
        let mut connection = sqlite::connect(dir).await?;
        let restored = restore::restore(&mut connection, &vault, &journal, &replay, now).await?;
        let stored = sqlite::position(&mut connection).await?;
        anyhow::Ok((restored, stored))
    })??;
    let journal = Arc::new(journal);
    let projector = Projector::start(dir, Arc::clone(&journal), stored)?;
    Ok((Store { projector, journal, replay }, restored))
}

/// Makes a directory that only its owner may enter, and what is missing above it. One that is there stays as it is.
///
/// # Errors
/// When it can't be made.
pub fn make_dir(dir: &Path) -> Result<()> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.with_context(|| format!("cannot make {}", dir.display()))
}

/// Runs what `ask` gives to its end on a thread of its own, so that synchronous code (the command line, a start inside a
/// runtime) can ask the store too.
///
/// # Errors
/// When no thread or runtime can be made, or the future panicked.
pub fn blocking<T: Send, F: Future<Output = T>>(ask: impl FnOnce() -> F + Send) -> Result<T> {
    let work = || -> Result<T> {
        // Made and dropped on this thread: a runtime may not be dropped inside another one.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(ask()))
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("store".to_owned()).spawn_scoped(scope, work)?;
        thread.join().map_err(|_| anyhow::anyhow!("the store's thread panicked"))?
    })
}

#[cfg(test)]
mod tests;

//! The projector: a thread of its own that follows the journal into the database.
//!
//! ```text
//!            ┌──────────► Following ──records──► one transaction ──ok──► Stored(seq), prune ─┐
//!            │                ▲                        │                                     │
//!            │                └────────────────────────┼─────────────────────────────────────┘
//!            │                                         │ database slow, locked, full, gone
//!            └──── reconnected, position read ◄─── Waiting (100 ms … 5 s)
//! ```
//!
//! It reads the journal's files, which are in the page cache, and no queue: so nothing can overflow, an appender never
//! waits for it, and after any trouble it goes on from the position that the database itself holds.
#![allow(clippy::disallowed_methods)] // An edge module: it waits between attempts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::watch;

use super::journal::{Entry, Journal, Reader};
use super::projection::project;
use super::sqlite::{connect, position};
use crate::ids::Seq;
use crate::ticket::Record;

/// Records of one transaction: one commit (fdatasync) for many under load, one for one when idle.
const MAX_BATCH: usize = 512;
/// Looks at the journal at least this often, whatever it heard.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_secs(5);

/// What the projector says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projected {
    /// Everything up to here is in the database. `Input::Stored` for the switch.
    pub stored: Seq,
    /// Why it does not get on now; `None` while it does.
    pub error: Option<String>,
    /// Records skipped since the start because the database refuses them for good. They stay in the journal's files.
    pub skipped: u64,
}

/// The running projector. Dropping it stops it after the batch in hand.
pub struct Projector {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    state: watch::Receiver<Projected>,
}

impl Projector {
    /// Follows `journal` into the database of `dir`.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn start(dir: &Path, journal: Arc<Journal>, stored: Seq) -> Result<Projector> {
        let (tell, state) = watch::channel(Projected { stored, error: None, skipped: 0 });
        let stop = Arc::new(AtomicBool::new(false));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let thread = std::thread::Builder::new().name("projector".to_owned()).spawn({
            let (dir, stop) = (dir.to_owned(), Arc::clone(&stop));
            move || runtime.block_on(Follower { dir, journal, stop, tell }.run())
        })?;
        Ok(Projector { stop, thread: Some(thread), state })
    }

    /// Changes whenever more is stored, or trouble begins or ends.
    pub fn watch(&self) -> watch::Receiver<Projected> {
        self.state.clone()
    }

    pub fn now(&self) -> Projected {
        self.state.borrow().clone()
    }
}

impl Drop for Projector {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the thread itself.
            let _ = thread.join();
        }
    }
}

struct Follower {
    dir: PathBuf,
    journal: Arc<Journal>,
    stop: Arc<AtomicBool>,
    tell: watch::Sender<Projected>,
}

impl Follower {
    async fn run(self) {
        let mut retry = RETRY_FIRST;
        while !self.stop.load(Ordering::Acquire) {
            let Err(error) = self.follow(&mut retry).await else { return };
            tracing::error!(error = format!("{error:#}"), "the store does not take records; calls go on");
            self.tell.send_modify(|projected| projected.error = Some(format!("{error:#}")));
            tokio::time::sleep(retry).await;
            retry = (retry * 2).min(RETRY_LAST);
        }
    }

    /// Until it is stopped, or until something fails.
    async fn follow(&self, retry: &mut Duration) -> Result<()> {
        let mut connection = connect(&self.dir).await?;
        let mut reader = self.journal.reader(position(&mut connection).await?);
        let mut durable = self.journal.watch_durable();
        loop {
            let stopping = self.stop.load(Ordering::Acquire);
            let (records, upto) = batch(&mut reader)?;
            if let Some(upto) = upto {
                let skipped = commit(&mut connection, &records, upto).await?;
                *retry = RETRY_FIRST;
                self.tell.send_modify(|projected| {
                    projected.stored = projected.stored.max(upto);
                    projected.error = None;
                    projected.skipped += skipped;
                });
                self.journal.prune(upto);
            } else if stopping {
                return Ok(());
            } else {
                // A time-out is as good as news, and so is the end of the journal.
                let _ = tokio::time::timeout(LOOK_EVERY, durable.changed()).await;
            }
        }
    }
}

/// Projects everything that the journal holds beyond the database.
pub(super) async fn catch_up(connection: &mut SqliteConnection, journal: &Journal) -> Result<()> {
    let mut reader = journal.reader(position(connection).await?);
    while let (records, Some(upto)) = batch(&mut reader)? {
        commit(connection, &records, upto).await?;
    }
    Ok(())
}

/// The next records, and the position after them; no position when there is nothing new.
pub(super) fn batch(reader: &mut Reader) -> Result<(Vec<Record>, Option<Seq>)> {
    let mut records = Vec::new();
    let mut upto = None;
    while records.len() < MAX_BATCH {
        match reader.next_entry()? {
            None => break,
            Some(Entry::Record(record)) => {
                upto = Some(record.seq);
                records.push(*record);
            }
            Some(Entry::Unreadable { seq, reason }) => {
                tracing::error!(seq = seq.0, reason, "a record cannot be read by this version and is not projected");
                upto = Some(seq);
            }
            Some(Entry::Damaged(damage)) => {
                let segment = damage.segment.display();
                tracing::error!(%segment, offset = damage.offset, bytes = damage.bytes, "the journal is damaged here");
            }
        }
    }
    Ok((records, upto))
}

/// One batch; when the database refuses it for good, one record at a time without those it refuses. Returns how many
/// were left out.
async fn commit(connection: &mut SqliteConnection, records: &[Record], upto: Seq) -> Result<u64> {
    match project(connection, records, upto).await {
        Ok(()) => return Ok(0),
        Err(error) if for_good(&error) => {}
        Err(error) => return Err(error.into()),
    }
    let mut skipped = 0;
    for record in records {
        match project(connection, std::slice::from_ref(record), record.seq).await {
            Ok(()) => {}
            Err(error) if for_good(&error) => {
                tracing::error!(seq = record.seq.0, kind = record.event.kind(), %error, "a record cannot be projected");
                skipped += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    project(connection, &[], upto).await?;
    Ok(skipped)
}

/// Whether trying again can't help: a broken rule of the schema, or a value that does not read back.
fn for_good(error: &sqlx::Error) -> bool {
    let broken_rule = error.as_database_error().is_some_and(|database| {
        database.is_unique_violation() || database.is_foreign_key_violation() || database.is_check_violation()
    });
    broken_rule || matches!(error, sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. })
}

//! The projector: a thread of its own that follows the journal into the database.
//!
//! ```text
//!            ┌──────────► Following ──records──► one transaction ──ok──► Stored(seq) ──► Gathering (250 ms) ─┐
//!            │                ▲                        │                  now and then: checkpoint, prune       │
//!            │                └────────────────────────┼────────────────────────────────────────────────────────┘
//!            │                                         │ database slow, locked, full, gone
//!            └──── reconnected, position read ◄─── Waiting (100 ms … 5 s)
//! ```
//!
//! The first record after a pause is stored at once; those that follow are gathered, so that a call of twenty records
//! costs a few transactions shared with the calls beside it, and its ticket is written once in each.
//!
//! It reads the journal's files, which are in the page cache, and no queue: so nothing can overflow, an appender never
//! waits for it, and after any trouble it goes on from the position that the database itself holds.
#![allow(clippy::disallowed_methods)] // An edge module: it waits between attempts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::journal::{Entry, Journal, Reader};
use super::projection::project;
use super::sqlite::{checkpoint, connect_projector, position};
use crate::ids::Seq;
use crate::ticket::Record;

/// Records of one transaction, and so what it may take of memory: a few megabytes.
pub(super) const MAX_BATCH: usize = 1_024;
/// Between two transactions that are not full. Nobody on a call waits for the store.
const GATHER: Duration = Duration::from_millis(250);
/// The write-ahead log is brought into the database after so many records or so much time, whichever is first; only then
/// may the journal's segments go.
const CHECKPOINT_RECORDS: usize = 4_096;
const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);
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
    stop: watch::Sender<bool>,
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
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let thread = std::thread::Builder::new().name("projector".to_owned()).spawn({
            let follower = Follower { dir: dir.to_owned(), journal, stopped, tell };
            move || runtime.block_on(follower.run())
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
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the thread itself.
            let _ = thread.join();
        }
    }
}

struct Follower {
    dir: PathBuf,
    journal: Arc<Journal>,
    stopped: watch::Receiver<bool>,
    tell: watch::Sender<Projected>,
}

impl Follower {
    async fn run(mut self) {
        let mut retry = RETRY_FIRST;
        while !*self.stopped.borrow() {
            let Err(error) = self.follow(&mut retry).await else { return };
            tracing::error!(error = format!("{error:#}"), "the store does not take records; calls go on");
            self.tell.send_modify(|projected| projected.error = Some(format!("{error:#}")));
            self.pause(retry).await;
            retry = (retry * 2).min(RETRY_LAST);
        }
    }

    /// Until it is stopped, or until something fails.
    async fn follow(&mut self, retry: &mut Duration) -> Result<()> {
        let mut connection = connect_projector(&self.dir).await?;
        let mut committed = position(&mut connection).await?;
        let mut reader = self.journal.reader(committed);
        let mut durable = self.journal.watch_durable();
        let (mut unchecked, mut checked) = (0, Instant::now());
        // What was committed before may free the very space that is missing now.
        if checkpoint(&mut connection).await.unwrap_or(false) {
            self.journal.prune(committed);
        }
        loop {
            let stopping = *self.stopped.borrow();
            // Whatever becomes durable from here on wakes the wait below.
            durable.borrow_and_update();
            let begun = Instant::now();
            let (records, upto) = batch(&mut reader)?;
            if let Some(upto) = upto {
                let skipped = commit(&mut connection, &records, upto).await?;
                *retry = RETRY_FIRST;
                (committed, unchecked) = (upto, unchecked + records.len());
                self.tell(committed, skipped);
                if records.len() < MAX_BATCH && !stopping {
                    self.pause_until(begun + GATHER).await;
                }
            } else if stopping {
                return Ok(());
            } else {
                self.tell(committed, 0);
                let mut stopped = self.stopped.clone();
                // A time-out is as good as news, and so is the end of the journal.
                let news = async {
                    tokio::select! { _ = durable.changed() => {}, _ = stopped.changed() => {} }
                };
                let _ = timeout(LOOK_EVERY, news).await;
            }
            let due = unchecked >= CHECKPOINT_RECORDS || (unchecked > 0 && checked.elapsed() >= CHECKPOINT_EVERY);
            if due && !stopping {
                if checkpoint(&mut connection).await? {
                    self.journal.prune(committed);
                }
                (unchecked, checked) = (0, Instant::now());
            }
        }
    }

    /// Stored is what is committed here and durable in the journal: no power loss takes it back.
    fn tell(&self, committed: Seq, skipped: u64) {
        let stored = committed.min(self.journal.durable_seq());
        self.tell.send_if_modified(|projected| {
            let before = projected.clone();
            projected.stored = projected.stored.max(stored);
            projected.error = None;
            projected.skipped += skipped;
            *projected != before
        });
    }

    async fn pause(&mut self, length: Duration) {
        self.pause_until(Instant::now() + length).await;
    }

    /// Less when it is stopped meanwhile.
    async fn pause_until(&mut self, until: Instant) {
        tokio::select! {
            () = sleep_until(until) => {}
            _ = self.stopped.changed() => {}
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
pub(super) async fn commit(connection: &mut SqliteConnection, records: &[Record], upto: Seq) -> Result<u64> {
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

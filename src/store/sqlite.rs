//! Opening the database, and what every query shares.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row};

use crate::ids::Seq;

/// Never a released file changed, never a number used again; src/store/migrations/README.md says why, and why there is no 2.
static MIGRATIONS: Migrator = sqlx::migrate!("src/store/migrations");

pub(super) const DATABASE: &str = "wardline.db";
/// Another process (the command line) may hold the write lock for one short transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Readers beside the projector: the API and the metrics.
const MAX_READERS: u32 = 4;

/// WAL, and FULL: what a person changes (a password) stands nowhere else, so its commit must survive power loss.
fn writing(dir: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(dir.join(DATABASE))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
}

/// One connection that may write, with the schema brought up to date.
///
/// # Errors
/// When the database can't be opened, is damaged, or was made by a newer version.
pub(super) async fn connect(dir: &Path) -> Result<SqliteConnection> {
    open(dir, writing(dir)).await
}

/// The projector's connection: WAL, and NORMAL. Its commits are not flushed to the disk each, because the journal is what
/// is durable: after a power loss the database is whole and perhaps a moment old, and catches up from its position.
/// [`checkpoint`] says up to where the journal is not needed for that any more.
///
/// # Errors
/// As [`connect`].
pub(super) async fn connect_projector(dir: &Path) -> Result<SqliteConnection> {
    let options = writing(dir).synchronous(SqliteSynchronous::Normal).pragma("wal_autocheckpoint", "0");
    open(dir, options).await
}

async fn open(dir: &Path, options: SqliteConnectOptions) -> Result<SqliteConnection> {
    let path = dir.join(DATABASE);
    let mut connection = options.connect().await.with_context(|| format!("cannot open {}", path.display()))?;
    owner_only(&path)?;
    MIGRATIONS
        .run_direct(None, &mut connection, false)
        .await
        .with_context(|| format!("cannot bring {} up to date", path.display()))?;
    Ok(connection)
}

/// Names of callers stand in it.
fn owner_only(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("cannot restrict {} to its owner", path.display()))
}

/// Connections that read while the projector writes. The database must exist.
pub(super) async fn readers(dir: &Path) -> Result<SqlitePool> {
    let options = writing(dir).create_if_missing(false).read_only(true);
    SqlitePoolOptions::new()
        .max_connections(MAX_READERS)
        .connect_with(options)
        .await
        .with_context(|| format!("cannot read {}", dir.join(DATABASE).display()))
}

/// One connection that reads, for the command line. Works beside a running server, after a stopped one, and on a
/// read-only file system; `None` when there is no database yet.
pub(super) async fn reader(dir: &Path) -> Result<Option<SqliteConnection>> {
    let path = dir.join(DATABASE);
    if !path.exists() {
        return Ok(None);
    }
    let options = SqliteConnectOptions::new().filename(&path).busy_timeout(BUSY_TIMEOUT).read_only(true);
    let connection = match options.clone().connect().await {
        Ok(connection) => connection,
        // WAL needs its -shm file; where that can't be made nobody writes either.
        Err(_) => options.immutable(true).connect().await.with_context(|| format!("cannot read {}", path.display()))?,
    };
    Ok(Some(connection))
}

/// How far the journal is projected.
pub(super) async fn position(connection: &mut SqliteConnection) -> Result<Seq, sqlx::Error> {
    let row = sqlx::query("SELECT seq FROM projection WHERE id = 1").fetch_one(connection).await?;
    Ok(Seq(unsigned(row.try_get(0)?)))
}

/// Brings the write-ahead log into the database file and both to the disk. Waits for no reader. Whether everything that
/// was committed before is durable now: a reader may hold some of it back until the next time.
pub(super) async fn checkpoint(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let row = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(connection).await?;
    let (busy, in_log, brought): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(busy == 0 && in_log == brought)
}

/// SQLite's integers are signed; ours stay far below 2^63.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// A value of the database that does not read back as what it was written from.
pub(super) fn decode<E: std::error::Error + Send + Sync + 'static>(error: E) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new migration takes the next number and a line here; nothing else of this list ever changes.
    #[test]
    fn every_migration_keeps_its_number() {
        let known: Vec<(i64, &str)> = MIGRATIONS.iter().map(|one| (one.version, one.description.as_ref())).collect();
        assert_eq!(known, [(1, "desk"), (3, "incidents"), (4, "standings"), (5, "pins"), (6, "attestations")]);
    }
}

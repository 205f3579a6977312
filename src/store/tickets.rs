//! Reading tickets: one trait for every store, and SQLite's answer to it.

use std::path::Path;

use anyhow::Result;
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::{QueryBuilder, Row, Sqlite};

use super::sqlite::{self, decode, micros, signed, unsigned};
use crate::ids::{AnalystId, CallId, HospitalId, Seq, TicketNumber, UnitId};
use crate::ticket::{Lifecycle, Line, Record, Ticket};

/// Tickets of one answer, unless the filter asks for fewer.
pub const MAX_LISTED: usize = 10_000;

/// Which tickets. Everything that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub hospital: Option<HospitalId>,
    /// Opened at or after.
    pub since: Option<Timestamp>,
    /// Opened before.
    pub until: Option<Timestamp>,
    pub state: Option<Lifecycle>,
    pub analyst: Option<AnalystId>,
    pub unit: Option<UnitId>,
    /// The caller's extension or number.
    pub calling: Option<String>,
    /// Only tickets whose callback is due.
    pub callback_due: bool,
    /// Test calls too.
    pub tests: bool,
    /// Only tickets with lower numbers: what follows the last one of a page. Numbers are never equal, times may be.
    pub before: Option<TicketNumber>,
    /// At most this many, newest first; none means [`MAX_LISTED`].
    pub limit: Option<usize>,
}

impl Filter {
    pub fn matches(&self, ticket: &Ticket) -> bool {
        self.hospital.as_ref().is_none_or(|hospital| ticket.hospital == *hospital)
            && self.since.is_none_or(|since| ticket.opened >= since)
            && self.until.is_none_or(|until| ticket.opened < until)
            && self.state.is_none_or(|state| ticket.state() == state)
            && self.analyst.as_ref().is_none_or(|analyst| ticket.analyst() == Some(analyst))
            && self.unit.as_ref().is_none_or(|unit| ticket.unit() == Some(unit))
            && self.calling.as_ref().is_none_or(|calling| {
                ticket.calling == *calling || ticket.extension().is_some_and(|extension| extension.as_str() == calling)
            })
            && (!self.callback_due || callback_due(ticket))
            && self.before.is_none_or(|before| ticket.number < before)
            && (self.tests || !ticket.test)
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.unwrap_or(MAX_LISTED).min(MAX_LISTED)
    }
}

pub(super) fn callback_due(ticket: &Ticket) -> bool {
    ticket.owes_callback()
}

/// What the desk may ask of its tickets, whichever store keeps them.
pub trait Tickets: Send + Sync {
    /// With its timeline.
    fn by_number(&self, number: TicketNumber) -> impl Future<Output = Result<Option<Ticket>>> + Send;
    /// With its timeline. A callback's call finds the ticket that it continues.
    fn by_call(&self, call: CallId) -> impl Future<Output = Result<Option<Ticket>>> + Send;
    /// Newest first, without timelines.
    fn list(&self, filter: &Filter) -> impl Future<Output = Result<Vec<Ticket>>> + Send;
    /// The raw records of one ticket, in order.
    fn records(&self, number: TicketNumber) -> impl Future<Output = Result<Vec<Record>>> + Send;
    /// Tickets that are owed a callback, longest due first.
    fn callbacks_due(&self) -> impl Future<Output = Result<Vec<Ticket>>> + Send;
    /// How far the journal is stored.
    fn stored(&self) -> impl Future<Output = Result<Seq>> + Send;
}

/// Tickets of the running server. Reads beside the projector.
#[derive(Clone)]
pub struct SqliteTickets {
    pool: SqlitePool,
}

impl SqliteTickets {
    /// Opens the database of a data directory in which a server was started before.
    ///
    /// # Errors
    /// When there is none, or it can't be read.
    pub async fn open(dir: &Path) -> Result<SqliteTickets> {
        Ok(SqliteTickets { pool: sqlite::readers(dir).await? })
    }
}

impl Tickets for SqliteTickets {
    async fn by_number(&self, number: TicketNumber) -> Result<Option<Ticket>> {
        Ok(load_whole(&mut *self.pool.acquire().await?, number).await?)
    }

    async fn by_call(&self, call: CallId) -> Result<Option<Ticket>> {
        let mut connection = self.pool.acquire().await?;
        match number_of(&mut connection, call).await? {
            Some(number) => Ok(load_whole(&mut connection, number).await?),
            None => Ok(None),
        }
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Ticket>> {
        Ok(load_list(&mut *self.pool.acquire().await?, filter, filter.limit()).await?)
    }

    async fn records(&self, number: TicketNumber) -> Result<Vec<Record>> {
        Ok(load_records(&mut *self.pool.acquire().await?, number).await?)
    }

    async fn callbacks_due(&self) -> Result<Vec<Ticket>> {
        Ok(load_callbacks_due(&mut *self.pool.acquire().await?).await?)
    }

    async fn stored(&self) -> Result<Seq> {
        Ok(sqlite::position(&mut *self.pool.acquire().await?).await?)
    }
}

pub(super) async fn number_of(
    connection: &mut SqliteConnection,
    call: CallId,
) -> Result<Option<TicketNumber>, sqlx::Error> {
    let row = sqlx::query("SELECT ticket FROM calls WHERE call_id = ?")
        .bind(call.to_string())
        .fetch_optional(connection)
        .await?;
    row.map(|row| Ok(TicketNumber(unsigned(row.try_get(0)?)))).transpose()
}

/// Without its timeline.
pub(super) async fn load_ticket(
    connection: &mut SqliteConnection,
    number: TicketNumber,
) -> Result<Option<Ticket>, sqlx::Error> {
    let row = sqlx::query("SELECT doc FROM tickets WHERE number = ?")
        .bind(signed(number.0))
        .fetch_optional(connection)
        .await?;
    row.map(|row| serde_json::from_str(row.try_get(0)?).map_err(decode)).transpose()
}

pub(super) async fn load_whole(
    connection: &mut SqliteConnection,
    number: TicketNumber,
) -> Result<Option<Ticket>, sqlx::Error> {
    let Some(mut ticket) = load_ticket(connection, number).await? else { return Ok(None) };
    let rows = sqlx::query("SELECT seq, at_us, kind, line FROM events WHERE ticket = ? AND line NOT NULL ORDER BY seq")
        .bind(signed(number.0))
        .fetch_all(connection)
        .await?;
    for row in rows {
        ticket.timeline.push(Line {
            seq: Seq(unsigned(row.try_get("seq")?)),
            at: Timestamp::from_microsecond(row.try_get("at_us")?).map_err(decode)?,
            kind: row.try_get("kind")?,
            text: row.try_get("line")?,
        });
    }
    Ok(Some(ticket))
}

/// At most `limit` tickets, whatever the filter's own limit.
pub(super) async fn load_list(
    connection: &mut SqliteConnection,
    filter: &Filter,
    limit: usize,
) -> Result<Vec<Ticket>, sqlx::Error> {
    let mut query: QueryBuilder<Sqlite> = QueryBuilder::new("SELECT doc FROM tickets WHERE 1 = 1");
    if let Some(hospital) = &filter.hospital {
        query.push(" AND hospital = ").push_bind(hospital.to_string());
    }
    if let Some(since) = filter.since {
        query.push(" AND opened_us >= ").push_bind(micros(since));
    }
    if let Some(until) = filter.until {
        query.push(" AND opened_us < ").push_bind(micros(until));
    }
    if let Some(state) = filter.state {
        query.push(" AND state = ").push_bind(state.as_str());
    }
    if let Some(analyst) = &filter.analyst {
        query.push(" AND analyst = ").push_bind(analyst.to_string());
    }
    if let Some(unit) = &filter.unit {
        query.push(" AND unit = ").push_bind(unit.to_string());
    }
    if let Some(calling) = &filter.calling {
        query.push(" AND ").push_bind(calling.clone()).push(" IN (calling, extension)");
    }
    if filter.callback_due {
        query.push(" AND number IN (SELECT ticket FROM callbacks WHERE state IN ('due', 'failed'))");
    }
    if !filter.tests {
        query.push(" AND test = 0");
    }
    if let Some(before) = filter.before {
        query.push(" AND number < ").push_bind(signed(before.0));
    }
    query.push(" ORDER BY number DESC LIMIT ").push_bind(signed(limit as u64));
    docs(query.build().fetch_all(connection).await?)
}

pub(super) async fn load_callbacks_due(connection: &mut SqliteConnection) -> Result<Vec<Ticket>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT doc FROM tickets JOIN callbacks ON callbacks.ticket = tickets.number
         WHERE callbacks.state IN ('due', 'failed') ORDER BY due_us, tickets.number",
    );
    docs(rows.fetch_all(connection).await?)
}

pub(super) async fn load_records(
    connection: &mut SqliteConnection,
    number: TicketNumber,
) -> Result<Vec<Record>, sqlx::Error> {
    let rows = sqlx::query("SELECT record FROM events WHERE ticket = ? ORDER BY seq")
        .bind(signed(number.0))
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| serde_json::from_str(row.try_get(0)?).map_err(decode)).collect()
}

pub(super) fn docs(rows: Vec<sqlx::sqlite::SqliteRow>) -> Result<Vec<Ticket>, sqlx::Error> {
    rows.iter().map(|row| serde_json::from_str(row.try_get(0)?).map_err(decode)).collect()
}

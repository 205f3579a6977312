//! Tickets for the command line: beside a running server, after a stopped one, or after one that died.
//!
//! The database is read in one transaction, and what stands only in the journal yet is laid over it in memory; nothing
//! is written.
#![allow(clippy::disallowed_methods)] // An edge module: figures say what is overdue now.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::journal::Reader;
use super::projector::batch;
use super::sqlite::{micros, position, reader};
use super::tickets::{Filter, callback_due, load_list, load_records, load_whole, number_of};
use crate::ids::{CallId, HospitalId, Seq, TicketNumber};
use crate::routing::Attestation;
use crate::ticket::{Event, Period, REPEAT_HOURS, Record, Report, Ticket, figures, rehearsed};

/// Lines of the audit in one answer.
pub const MAX_AUDIT_LINES: usize = 10_000;

/// What was attested in a data directory, in the order of time; nothing where no server has run.
///
/// # Errors
/// When it can't be read.
pub async fn attested(dir: &Path) -> Result<Vec<Attestation>> {
    if is_data_dir(dir) { open_readonly(dir).await?.attested().await } else { Ok(Vec::new()) }
}

fn is_data_dir(dir: &Path) -> bool {
    dir.join(super::JOURNAL_DIR).is_dir() || dir.join(super::sqlite::DATABASE).exists()
}

/// A data directory as it is now. See [`open_readonly`].
pub struct View {
    database: Option<SqliteConnection>,
    /// Tickets with records that are in the journal only, whole.
    overlay: BTreeMap<TicketNumber, Ticket>,
    calls: BTreeMap<CallId, TicketNumber>,
    fresh: Vec<Record>,
    /// How far the database reaches, and the journal.
    pub stored: Seq,
    pub journaled: Seq,
}

impl View {
    /// Everything that was attested, in the order of time.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn attested(&mut self) -> Result<Vec<Attestation>> {
        let mut all = Vec::new();
        if let Some(connection) = &mut self.database {
            // One that an earlier version wrote has no such table until this version runs on it.
            let known = sqlx::query("SELECT 1 FROM sqlite_master WHERE name = 'attestations'");
            if known.fetch_optional(&mut *connection).await?.is_some() {
                all = super::restore::attested(connection).await?;
            }
        }
        let fresh = self.fresh.iter().filter_map(|record| {
            if let Event::Attested(attestation) = &record.event { Some((**attestation).clone()) } else { None }
        });
        all.extend(fresh);
        Ok(all)
    }
}

/// One line of the audit: a change that somebody made, or a lock that began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditLine {
    pub at: Timestamp,
    /// The system's user, and in whose name.
    pub actor: String,
    pub action: String,
    pub object: String,
    pub reason: Option<String>,
}

impl View {
    /// The audit from `since` on, oldest first: the newest [`MAX_AUDIT_LINES`] of it.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn audit(&mut self, since: Timestamp) -> Result<Vec<AuditLine>> {
        let mut lines = Vec::new();
        if let Some(connection) = &mut self.database {
            let rows = sqlx::query(
                "SELECT at_us, actor, action, object, reason FROM audit WHERE at_us >= ? ORDER BY at_us DESC LIMIT ?",
            )
            .bind(micros(since))
            .bind(i64::try_from(MAX_AUDIT_LINES)?)
            .fetch_all(connection)
            .await?;
            for row in rows {
                let at = Timestamp::from_microsecond(row.try_get("at_us")?)?;
                let (actor, action) = (row.try_get("actor")?, row.try_get("action")?);
                let (object, reason) = (row.try_get("object")?, row.try_get("reason")?);
                lines.push(AuditLine { at, actor, action, object, reason });
            }
        }
        let fresh = self.fresh.iter().filter(|record| record.at >= since).filter_map(|record| {
            let Event::Audit { actor, action, object, reason } = record.event.clone() else { return None };
            Some(AuditLine { at: record.at, actor, action, object, reason })
        });
        lines.extend(fresh);
        lines.sort_by_key(|line| line.at);
        Ok(lines.split_off(lines.len().saturating_sub(MAX_AUDIT_LINES)))
    }
}

/// Opens a data directory for reading.
///
/// # Errors
/// When it is none, or can't be read.
pub async fn open_readonly(dir: &Path) -> Result<View> {
    let journal = dir.join(super::JOURNAL_DIR);
    if !is_data_dir(dir) {
        anyhow::bail!("{} is not a data directory: no server has run there", dir.display());
    }
    let mut database = reader(dir).await?;
    let mut stored = Seq(0);
    if let Some(connection) = &mut database {
        // One snapshot for everything: the projector may go on meanwhile.
        sqlx::query("BEGIN").execute(&mut *connection).await?;
        stored = position(connection).await.context("the database has no position")?;
    }
    let mut view = View {
        database,
        overlay: BTreeMap::new(),
        calls: BTreeMap::new(),
        fresh: Vec::new(),
        stored,
        journaled: stored,
    };
    let mut tail = Reader::new(&journal, stored);
    while let (records, Some(upto)) = batch(&mut tail)? {
        for record in records {
            view.lay_over(&record).await?;
            view.fresh.push(record);
        }
        view.journaled = upto;
    }
    Ok(view)
}

impl View {
    async fn lay_over(&mut self, record: &Record) -> Result<()> {
        let Some(call) = record.call else { return Ok(()) };
        let number =
            if let Event::CallOpened(opened) = &record.event { Some(opened.ticket) } else { self.number(call).await? };
        let Some(number) = number else { return Ok(()) };
        self.calls.insert(call, number);
        if !self.overlay.contains_key(&number) {
            let known = match &mut self.database {
                Some(connection) => load_whole(connection, number).await?,
                None => None,
            };
            self.overlay.extend(known.or_else(|| Ticket::open(record)).map(|ticket| (number, ticket)));
        }
        if let Some(ticket) = self.overlay.get_mut(&number) {
            ticket.apply(record);
        }
        Ok(())
    }

    async fn number(&mut self, call: CallId) -> Result<Option<TicketNumber>> {
        if let Some(number) = self.calls.get(&call) {
            return Ok(Some(*number));
        }
        match &mut self.database {
            Some(connection) => Ok(number_of(connection, call).await?),
            None => Ok(None),
        }
    }

    /// One ticket with its timeline.
    ///
    /// # Errors
    /// When the database can't be read; so for all that follow.
    pub async fn by_number(&mut self, number: TicketNumber) -> Result<Option<Ticket>> {
        if let Some(ticket) = self.overlay.get(&number) {
            return Ok(Some(ticket.clone()));
        }
        match &mut self.database {
            Some(connection) => Ok(load_whole(connection, number).await?),
            None => Ok(None),
        }
    }

    pub async fn by_call(&mut self, call: CallId) -> Result<Option<Ticket>> {
        match self.number(call).await? {
            Some(number) => self.by_number(number).await,
            None => Ok(None),
        }
    }

    /// Newest first, without timelines.
    pub async fn list(&mut self, filter: &Filter) -> Result<Vec<Ticket>> {
        let mut found: BTreeMap<TicketNumber, Ticket> = BTreeMap::new();
        if let Some(connection) = &mut self.database {
            // As many more as the overlay may take away again.
            let stored = load_list(connection, filter, filter.limit() + self.overlay.len()).await?;
            found.extend(stored.into_iter().map(|ticket| (ticket.number, ticket)));
        }
        let newer: BTreeSet<TicketNumber> = self.overlay.keys().copied().collect();
        found.retain(|number, _| !newer.contains(number));
        for ticket in self.overlay.values().filter(|ticket| filter.matches(ticket)) {
            found.insert(ticket.number, Ticket { timeline: Vec::new(), ..ticket.clone() });
        }
        Ok(found.into_values().rev().take(filter.limit()).collect())
    }

    /// Tickets that are owed a callback, longest due first.
    pub async fn callbacks_due(&mut self) -> Result<Vec<Ticket>> {
        let mut due = self.list(&Filter { callback_due: true, tests: true, ..Filter::default() }).await?;
        due.retain(callback_due);
        due.sort_by_key(|ticket| ticket.callback.as_ref().map(|callback| (callback.due, ticket.number)));
        Ok(due)
    }

    /// The raw records of one ticket, in order.
    pub async fn records(&mut self, number: TicketNumber) -> Result<Vec<Record>> {
        let mut records = match &mut self.database {
            Some(connection) => load_records(connection, number).await?,
            None => Vec::new(),
        };
        let calls = &self.calls;
        let ours = |record: &&Record| record.call.and_then(|call| calls.get(&call)) == Some(&number);
        records.extend(self.fresh.iter().filter(ours).cloned());
        Ok(records)
    }

    /// Every ticket that the filter finds, once, newest first, without timelines. The filter's limit is that of a page: a
    /// quarter of a large desk is more than one answer holds.
    pub async fn each(&mut self, mut filter: Filter, mut take: impl FnMut(Ticket)) -> Result<()> {
        loop {
            let page = self.list(&filter).await?;
            let full = page.len() == filter.limit();
            filter.before = page.last().map(|ticket| ticket.number);
            page.into_iter().for_each(&mut take);
            if !full || filter.before.is_none() {
                return Ok(());
            }
        }
    }

    /// The desk's figures of a period.
    pub async fn report(&mut self, period: Period, hospital: Option<&HospitalId>) -> Result<Report> {
        let tickets = self.around(period, hospital).await?;
        Ok(figures(&tickets, period, hospital, Timestamp::now()))
    }

    /// The figures of calls of a rehearsal, which [`View::report`] leaves out.
    ///
    /// # Errors
    /// As there.
    pub async fn rehearsal(&mut self, period: Period, hospital: Option<&HospitalId>) -> Result<Report> {
        let tickets = self.around(period, hospital).await?;
        Ok(rehearsed(&tickets, period, hospital, Timestamp::now()))
    }

    /// With what may be repeated before it, and repeat it after.
    async fn around(&mut self, period: Period, hospital: Option<&HospitalId>) -> Result<Vec<Ticket>> {
        let beyond = SignedDuration::from_hours(REPEAT_HOURS);
        let mut tickets = Vec::new();
        let until = Some(period.to.checked_add(beyond).unwrap_or(Timestamp::MAX));
        let since = Some(period.from.checked_sub(beyond).unwrap_or(Timestamp::MIN));
        let filter = Filter { hospital: hospital.cloned(), since, until, tests: true, ..Filter::default() };
        self.each(filter, |ticket| tickets.push(ticket)).await?;
        tickets.sort_by_key(|ticket| ticket.number);
        Ok(tickets)
    }
}

/// One line a ticket, for `tickets list`, each in the zone of its own hospital.
pub fn render_list(tickets: &[Ticket], zone: impl Fn(&HospitalId) -> TimeZone) -> String {
    let mut out = String::new();
    for ticket in tickets {
        let place = ticket.unit_name().unwrap_or("unmapped");
        let calling = if ticket.calling.is_empty() { "anonymous" } else { ticket.calling.as_str() };
        let from = ticket.extension().map_or(calling, |extension| extension.as_str());
        let analyst = ticket.analyst().map_or("-", |analyst| analyst.as_str());
        let human = ticket.seconds_to_human().map_or("-".to_owned(), |seconds| format!("{seconds:.1} s"));
        let (number, state) = (ticket.number.to_string(), ticket.state().as_str());
        let opened = dated(ticket.opened, &zone(&ticket.hospital));
        let rehearsal = if ticket.rehearsal { "  rehearsal" } else { "" };
        // Writing into a String can't fail; so below.
        let _ = writeln!(
            out,
            "{number:<6} {opened:<24}  {state:<12}  {from:<9} {place:<20} {analyst:<16} {human}{rehearsal}"
        );
    }
    out
}

/// A ticket and its timeline, for `tickets show`.
pub fn render_ticket(ticket: &Ticket, zone: &TimeZone) -> String {
    let rehearsal = if ticket.rehearsal { " · rehearsal" } else { "" };
    let mut out = format!("Ticket {} · {}{rehearsal} · call {}\n", ticket.number, ticket.state(), ticket.call);
    let _ = writeln!(out, "{}\n", crate::ticket::explain(ticket, zone));
    for line in ticket.timeline() {
        // The store keeps microseconds: the first lines may stand a part of one before the INVITE.
        let after = line.at.duration_since(ticket.opened).as_secs_f64().max(0.0);
        let _ = writeln!(out, "{}  +{after:>8.3}  {}", dated(line.at, zone), line.text);
    }
    out
}

fn dated(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// Tickets as one JSON array.
///
/// # Errors
/// Only if a number in them is no JSON number.
pub fn export_json(tickets: &[Ticket]) -> Result<String> {
    Ok(serde_json::to_string_pretty(tickets)?)
}

/// Tickets as CSV (RFC 4180) with a header line.
pub fn export_csv(tickets: &[Ticket]) -> String {
    let mut out = String::from(
        "ticket,call,hospital,state,opened,ended,calling,extension,unit,system,module,analyst,seconds_to_human,\
         cause,disposition,solved,callback,test,rehearsal\r\n",
    );
    for ticket in tickets {
        let need = ticket.need.as_ref();
        let cells = [
            ticket.number.to_string(),
            ticket.call.to_string(),
            ticket.hospital.to_string(),
            ticket.state().to_string(),
            ticket.opened.to_string(),
            text(ticket.last_end),
            ticket.calling.clone(),
            text(ticket.extension()),
            text(ticket.unit()),
            text(ticket.system()),
            text(need.and_then(|need| need.module.as_ref())),
            text(ticket.analyst()),
            ticket.seconds_to_human().map_or(String::new(), |seconds| format!("{seconds:.3}")),
            word(ticket.end.as_ref().map(|end| end.cause)),
            word(ticket.disposition().map(|set| set.disposition.code)),
            text(ticket.solved()),
            word(ticket.callback.as_ref().map(|callback| callback.state)),
            ticket.test.to_string(),
            ticket.rehearsal.to_string(),
        ];
        let _ = write!(out, "{}\r\n", cells.map(|cell| quoted(&cell)).join(","));
    }
    out
}

fn text<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn word<T: serde::Serialize>(value: Option<T>) -> String {
    let value = value.and_then(|value| serde_json::to_value(value).ok());
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A cell that a spreadsheet neither splits nor runs: a caller chooses what stands in "calling".
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guarded = if formula { format!("'{cell}") } else { cell.to_owned() };
    if guarded.contains([',', '"', '\n', '\r']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

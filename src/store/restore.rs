//! What a start needs of the past: the rest of the journal is projected, then everything is read from the database.

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::projector;
use super::secrets::{self, Credential, SecretKey, Vault};
use super::sqlite::{decode, micros, position, signed, unsigned};
use super::tickets::{docs, load_callbacks_due};
use crate::call::{EndedTicket, KnownTicket, MAX_KNOWN, MAX_TICKETS, Owner};
use crate::identity::{Caller, Pins, Tally};
use crate::ids::{
    AnalystId, CallId, Extension, HospitalId, IncidentId, Language, ModuleId, PlanId, Seq, SystemId, TicketNumber,
    UnitId,
};
use crate::routing::{Attestation, Incident, Need};
use crate::ticket::{
    AnalystStateRecord, BindingRecord, CallbackReason, CallbackState, Event, REPEAT_HOURS, Standings, Ticket,
};

use super::journal::{Journal, Replay};

/// Tickets are numbered from here: four digits can be read over the phone from the first day.
const FIRST_TICKET: u64 = 1000;
/// Pairs of continuity that are given back: a busy desk's 72 hours.
const MAX_CONTINUITY: i64 = 20_000;

/// The state that the switch goes on from.
#[derive(Clone, Debug)]
pub struct Restored {
    pub next_ticket: TicketNumber,
    pub next_seq: Seq,
    /// Not expired at the start.
    pub bindings: Vec<BindingRecord>,
    pub nonces: Vec<NonceCount>,
    pub analyst_states: Vec<AnalystStateAt>,
    /// Calls that were up when the process died: the switch records their end (node failure) and books callbacks.
    pub open_calls: Vec<OpenCall>,
    pub callbacks_due: Vec<CallbackOwed>,
    /// Those that are active, and the number of the next.
    pub incidents: Vec<Incident>,
    pub next_incident: IncidentId,
    /// In the order of time.
    pub attested: Vec<Attestation>,
    /// Who is live, and what people have confirmed.
    pub standings: Standings,
    /// Those of the last 72 h that are not closed, in the order of time.
    pub tickets: Vec<EndedTicket>,
    /// The newest, whatever became of them, in the order of their numbers.
    pub known_tickets: Vec<KnownTicket>,
    /// Wrong PINs and badges that are not forgotten.
    pub tallies: Vec<Tally>,
    pub pins: Pins,
    /// Who helped whom in the last 72 h, newest first.
    pub continuity: Vec<Continuity>,
    /// When each analyst's last call ended: the start of "idle longest".
    pub idle_since: Vec<(AnalystId, Timestamp)>,
    pub nonce_key: SecretKey,
    pub credentials: Vec<Credential>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonceCount {
    pub nonce: String,
    pub count: u32,
    pub expires: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnalystStateAt {
    pub analyst: AnalystId,
    pub state: AnalystStateRecord,
    pub reason: Option<String>,
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq)]
pub struct OpenCall {
    /// The call that is up: the caller's own, or a callback's.
    pub call: CallId,
    pub ticket: TicketNumber,
    pub hospital: HospitalId,
    pub plan: PlanId,
    pub language: Language,
    /// The hotline's number.
    pub dialled: String,
    pub opened: Timestamp,
    /// As signalled; empty when anonymous.
    pub calling: String,
    pub caller: Option<Caller>,
    pub need: Option<Need>,
    pub test: bool,
    /// It was a callback's call.
    pub calling_back: bool,
    /// Attempts to call back that were made before.
    pub attempts: u8,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CallbackOwed {
    pub call: CallId,
    pub ticket: TicketNumber,
    pub hospital: HospitalId,
    pub plan: PlanId,
    pub language: Language,
    pub dialled: String,
    pub number: Extension,
    pub booked: Timestamp,
    pub due: Timestamp,
    pub attempts: u8,
    /// Not tried any more by Wardline itself: a person must call.
    pub failed: bool,
    pub reason: CallbackReason,
    /// The known problem whose end it waits for.
    pub waits_for: Option<IncidentId>,
    pub caller: Option<Caller>,
    pub need: Option<Need>,
    pub test: bool,
}

/// One helped call: routing sends the same caller, or the same unit and module, to the same analyst again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuity {
    pub hospital: HospitalId,
    pub analyst: AnalystId,
    pub at: Timestamp,
    /// As signalled; empty when anonymous.
    pub calling: String,
    pub extension: Option<Extension>,
    pub person: Option<crate::ids::ClinicianId>,
    pub unit: Option<UnitId>,
    pub system: Option<SystemId>,
    pub module: Option<ModuleId>,
}

/// Projects what the journal has beyond the database, then reads the state. `now` decides what has expired.
pub(super) async fn restore(
    connection: &mut SqliteConnection,
    vault: &Vault,
    journal: &Journal,
    replay: &Replay,
    now: Timestamp,
) -> Result<Restored> {
    projector::catch_up(connection, journal).await.context("cannot project the journal")?;
    let stored = position(connection).await?;
    let since = now.checked_sub(SignedDuration::from_hours(REPEAT_HOURS)).unwrap_or(Timestamp::MIN);
    Ok(Restored {
        next_ticket: next_ticket(connection).await?,
        next_seq: Seq(stored.max(replay.last).0 + 1),
        bindings: bindings(connection, now).await?,
        nonces: nonces(connection, now).await?,
        analyst_states: analyst_states(connection).await?,
        open_calls: open_calls(connection).await?,
        callbacks_due: load_callbacks_due(connection).await?.iter().filter_map(owed).collect(),
        incidents: incidents(connection).await?,
        next_incident: next_incident(connection).await?,
        attested: attested(connection).await?,
        standings: standings(connection).await?,
        tickets: tickets(connection, since).await?,
        known_tickets: known_tickets(connection).await?,
        tallies: tallies(connection, now).await?,
        pins: secrets::load_pins(connection, vault).await?,
        continuity: continuity(connection, since).await?,
        idle_since: idle_since(connection, since).await?,
        nonce_key: secrets::nonce_key(connection, vault).await?,
        credentials: secrets::load_credentials(connection, vault).await?,
    })
}

async fn next_ticket(connection: &mut SqliteConnection) -> Result<TicketNumber> {
    let row = sqlx::query("SELECT COALESCE(MAX(number), 0) FROM tickets").fetch_one(connection).await?;
    Ok(TicketNumber((unsigned(row.try_get(0)?) + 1).max(FIRST_TICKET)))
}

async fn incidents(connection: &mut SqliteConnection) -> Result<Vec<Incident>> {
    let rows = sqlx::query("SELECT doc FROM incidents WHERE resolved_us IS NULL ORDER BY id");
    rows.fetch_all(connection).await?.iter().map(|row| Ok(serde_json::from_str(row.try_get(0)?)?)).collect()
}

pub(super) async fn attested(connection: &mut SqliteConnection) -> Result<Vec<Attestation>> {
    let rows = sqlx::query("SELECT doc FROM attestations ORDER BY seq");
    rows.fetch_all(connection).await?.iter().map(|row| Ok(serde_json::from_str(row.try_get(0)?)?)).collect()
}

async fn next_incident(connection: &mut SqliteConnection) -> Result<IncidentId> {
    let row = sqlx::query("SELECT COALESCE(MAX(id), 0) FROM incidents").fetch_one(connection).await?;
    Ok(IncidentId(unsigned(row.try_get(0)?) + 1))
}

async fn standings(connection: &mut SqliteConnection) -> Result<Standings> {
    let mut standings = Standings::default();
    let rows = sqlx::query("SELECT hospital, doc FROM standings ORDER BY hospital").fetch_all(&mut *connection).await?;
    for row in rows {
        standings.set(HospitalId::new(row.try_get("hospital")?), serde_json::from_str(row.try_get("doc")?)?);
    }
    let rows = sqlx::query("SELECT hospital, doc FROM confirmations ORDER BY hospital, item").fetch_all(connection);
    for row in rows.await? {
        standings.confirm(HospitalId::new(row.try_get("hospital")?), serde_json::from_str(row.try_get("doc")?)?);
    }
    Ok(standings)
}

async fn bindings(connection: &mut SqliteConnection, now: Timestamp) -> Result<Vec<BindingRecord>> {
    let rows = sqlx::query("SELECT doc FROM bindings WHERE expires_us > ? ORDER BY aor, contact")
        .bind(micros(now))
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok(serde_json::from_str(row.try_get(0)?)?)).collect()
}

async fn nonces(connection: &mut SqliteConnection, now: Timestamp) -> Result<Vec<NonceCount>> {
    let rows = sqlx::query("SELECT nonce, count, expires_us FROM nonces WHERE expires_us > ? ORDER BY nonce")
        .bind(micros(now))
        .fetch_all(connection)
        .await?;
    let nonce = |row: &sqlx::sqlite::SqliteRow| -> Result<NonceCount> {
        let expires = Timestamp::from_microsecond(row.try_get("expires_us")?)?;
        Ok(NonceCount { nonce: row.try_get("nonce")?, count: row.try_get("count")?, expires })
    };
    rows.iter().map(nonce).collect()
}

async fn analyst_states(connection: &mut SqliteConnection) -> Result<Vec<AnalystStateAt>> {
    let rows = sqlx::query("SELECT analyst, state, reason, at_us FROM analyst_states ORDER BY analyst");
    let rows = rows.fetch_all(connection).await?;
    let state = |row: &sqlx::sqlite::SqliteRow| -> Result<AnalystStateAt> {
        let word: String = row.try_get("state")?;
        Ok(AnalystStateAt {
            analyst: AnalystId::new(row.try_get("analyst")?),
            state: serde_json::from_value(serde_json::Value::String(word))?,
            reason: row.try_get("reason")?,
            at: Timestamp::from_microsecond(row.try_get("at_us")?)?,
        })
    };
    rows.iter().map(state).collect()
}

async fn open_calls(connection: &mut SqliteConnection) -> Result<Vec<OpenCall>> {
    let up =
        docs(sqlx::query("SELECT doc FROM tickets WHERE up = 1 ORDER BY number").fetch_all(&mut *connection).await?)?;
    let mut calls = Vec::new();
    for ticket in up {
        // The call that is up is the last that was opened for this ticket.
        let last = sqlx::query(
            "SELECT record FROM events WHERE ticket = ? AND kind = 'call-opened' ORDER BY seq DESC LIMIT 1",
        )
        .bind(signed(ticket.number.0))
        .fetch_optional(&mut *connection)
        .await?;
        let record = last.map(|row| serde_json::from_str::<crate::ticket::Record>(row.try_get(0)?).map_err(decode));
        let record = record.transpose()?;
        let opened = record.as_ref().map_or(ticket.opened, |record| record.at);
        let call = record.as_ref().and_then(|record| record.call).unwrap_or(ticket.call);
        debug_assert!(record.is_none_or(|record| matches!(record.event, Event::CallOpened(_))), "selected by kind");
        calls.push(OpenCall {
            call,
            ticket: ticket.number,
            hospital: ticket.hospital.clone(),
            plan: ticket.plan.clone(),
            language: ticket.language.clone(),
            dialled: ticket.dialled.clone(),
            opened,
            calling: ticket.calling.clone(),
            need: ticket.need.clone(),
            test: ticket.test,
            calling_back: ticket.calling_back,
            attempts: ticket.callback.as_ref().map_or(0, |callback| callback.attempts),
            caller: ticket.caller,
        });
    }
    Ok(calls)
}

fn owed(ticket: &Ticket) -> Option<CallbackOwed> {
    let callback = ticket.callback.as_ref()?;
    Some(CallbackOwed {
        call: ticket.call,
        ticket: ticket.number,
        hospital: ticket.hospital.clone(),
        plan: ticket.plan.clone(),
        language: ticket.language.clone(),
        dialled: ticket.dialled.clone(),
        number: callback.number.clone(),
        booked: callback.booked,
        due: callback.due,
        attempts: callback.attempts,
        failed: callback.state == CallbackState::Failed,
        reason: callback.reason,
        waits_for: ticket
            .incident
            .as_ref()
            .filter(|_| callback.reason == CallbackReason::Incident)
            .map(|told| told.incident),
        caller: ticket.caller.clone(),
        need: ticket.need.clone(),
        test: ticket.test,
    })
}

async fn tickets(connection: &mut SqliteConnection, since: Timestamp) -> Result<Vec<EndedTicket>> {
    let rows = sqlx::query(
        "SELECT doc FROM tickets WHERE opened_us >= ? AND state NOT IN ('open', 'closed') AND test = 0
         ORDER BY number DESC LIMIT ?",
    );
    let rows = rows.bind(micros(since)).bind(signed(MAX_TICKETS as u64)).fetch_all(connection).await?;
    let ended = |ticket: Ticket| {
        let caller = ticket.caller.as_ref();
        let owner = Owner {
            number: caller.and_then(|caller| Some(caller.number.as_ref()?.value.clone())),
            unit: ticket.unit().cloned(),
            person: caller.and_then(|caller| Some(caller.person.as_ref()?.value.clone())),
        };
        EndedTicket { call: ticket.call, hospital: ticket.hospital.clone(), owner, open: true }
    };
    Ok(docs(rows)?.into_iter().rev().map(ended).collect())
}

async fn known_tickets(connection: &mut SqliteConnection) -> Result<Vec<KnownTicket>> {
    let newest = "SELECT number, hospital, analyst FROM tickets WHERE test = 0 ORDER BY number DESC LIMIT ?";
    let rows = sqlx::query(newest).bind(signed(MAX_KNOWN as u64)).fetch_all(connection).await?;
    let known = |row: &sqlx::sqlite::SqliteRow| -> Result<KnownTicket> {
        let (hospital, analyst): (&str, Option<&str>) = (row.try_get(1)?, row.try_get(2)?);
        Ok(KnownTicket {
            number: TicketNumber(unsigned(row.try_get(0)?)),
            hospital: HospitalId::new(hospital),
            analyst: analyst.map(AnalystId::new),
        })
    };
    rows.iter().rev().map(known).collect()
}

async fn tallies(connection: &mut SqliteConnection, now: Timestamp) -> Result<Vec<Tally>> {
    let rows = sqlx::query("SELECT doc FROM tallies WHERE forgotten_us > ? ORDER BY hospital, suspect");
    let rows = rows.bind(micros(now)).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(serde_json::from_str(row.try_get(0)?)?)).collect()
}

async fn continuity(connection: &mut SqliteConnection, since: Timestamp) -> Result<Vec<Continuity>> {
    let rows = sqlx::query(
        "SELECT doc FROM tickets WHERE opened_us >= ? AND analyst NOT NULL AND test = 0 ORDER BY number DESC LIMIT ?",
    )
    .bind(micros(since))
    .bind(MAX_CONTINUITY)
    .fetch_all(connection)
    .await?;
    let helped = |ticket: Ticket| {
        Some(Continuity {
            hospital: ticket.hospital.clone(),
            analyst: ticket.analyst()?.clone(),
            at: ticket.last_end.or(ticket.human_heard).unwrap_or(ticket.opened),
            extension: ticket.extension().cloned(),
            person: ticket.caller.as_ref().and_then(|caller| Some(caller.person.as_ref()?.value.clone())),
            unit: ticket.unit().cloned(),
            system: ticket.system().cloned(),
            module: ticket.need.as_ref().and_then(|need| need.module.clone()),
            calling: ticket.calling,
        })
    };
    Ok(docs(rows)?.into_iter().filter_map(helped).collect())
}

async fn idle_since(connection: &mut SqliteConnection, since: Timestamp) -> Result<Vec<(AnalystId, Timestamp)>> {
    let rows = sqlx::query(
        "SELECT analyst, MAX(ended_us) AS ended FROM tickets
         WHERE opened_us >= ? AND analyst NOT NULL AND ended_us NOT NULL AND test = 0 GROUP BY analyst ORDER BY analyst",
    )
    .bind(micros(since))
    .fetch_all(connection)
    .await?;
    let idle = |row: &sqlx::sqlite::SqliteRow| -> Result<(AnalystId, Timestamp)> {
        Ok((AnalystId::new(row.try_get("analyst")?), Timestamp::from_microsecond(row.try_get("ended")?)?))
    };
    rows.iter().map(idle).collect()
}

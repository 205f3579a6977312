//! One batch of records into the database, in one transaction with the position.
//!
//! Applying a record twice changes nothing: tickets skip what they have seen, rows are written under the record's own
//! keys, and the position only grows.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};

use super::sqlite::{decode, micros, signed};
use super::tickets::{load_ticket, number_of};
use crate::ids::{CallId, Seq, TicketNumber};
use crate::ticket::{AnalystStateRecord, BindingRecord, Event, Record, Ticket};

/// Nearest earlier tickets that a ticket is linked to.
const MAX_REPEATS: i64 = 16;

/// Projects `records` (in order) and stores `upto` as the new position.
pub(super) async fn project(
    connection: &mut SqliteConnection,
    records: &[Record],
    upto: Seq,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut batch = Batch { connection: &mut transaction, tickets: BTreeMap::new(), numbers: BTreeMap::new() };
    for record in records {
        batch.record(record).await?;
    }
    batch.write_tickets().await?;
    sqlx::query("UPDATE projection SET seq = MAX(seq, ?) WHERE id = 1")
        .bind(signed(upto.0))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// The tickets that a batch touches, each read and written once.
struct Batch<'c> {
    connection: &'c mut SqliteConnection,
    tickets: BTreeMap<TicketNumber, Ticket>,
    numbers: BTreeMap<CallId, TicketNumber>,
}

impl Batch<'_> {
    async fn record(&mut self, record: &Record) -> Result<(), sqlx::Error> {
        if let Some(call) = record.call {
            self.of_call(call, record).await?;
        }
        match &record.event {
            Event::AnalystStateSet { analyst, state, reason } => {
                self.analyst_state(record, analyst.as_str(), *state, reason.as_deref()).await
            }
            Event::BindingSet(binding) => self.binding(binding).await,
            Event::BindingRemoved { aor, contact } => {
                let delete = sqlx::query("DELETE FROM bindings WHERE aor = ? AND contact = ?").bind(aor).bind(contact);
                delete.execute(&mut *self.connection).await.map(drop)
            }
            Event::NonceUsed { nonce, count, expires } => sqlx::query(
                "INSERT INTO nonces (nonce, count, expires_us) VALUES (?, ?, ?)
                     ON CONFLICT (nonce) DO UPDATE SET count = MAX(count, excluded.count)",
            )
            .bind(nonce)
            .bind(*count)
            .bind(micros(*expires))
            .execute(&mut *self.connection)
            .await
            .map(drop),
            Event::Audit { actor, action, object, reason } => sqlx::query(
                "INSERT INTO audit (seq, at_us, actor, action, object, reason) VALUES (?, ?, ?, ?, ?, ?)
                     ON CONFLICT (seq) DO NOTHING",
            )
            .bind(signed(record.seq.0))
            .bind(micros(record.at))
            .bind(actor)
            .bind(action)
            .bind(object)
            .bind(reason)
            .execute(&mut *self.connection)
            .await
            .map(drop),
            Event::NodeStarted { version, config } => self.node(record, Some(version), Some(config)).await,
            Event::NodeStopped => self.node(record, None, None).await,
            Event::CallOpened(_)
            | Event::CallerIdentified { .. }
            | Event::Answered
            | Event::Confirmed
            | Event::StepEntered { .. }
            | Event::Spoken { .. }
            | Event::KeyPressed { .. }
            | Event::Collected { .. }
            | Event::NeedSettled { .. }
            | Event::QuestionSkipped { .. }
            | Event::RouteDecided { .. }
            | Event::OfferSent { .. }
            | Event::OfferRinging { .. }
            | Event::OfferEnded { .. }
            | Event::AnalystAnswered { .. }
            | Event::Bridged { .. }
            | Event::HumanHeard
            | Event::Held { .. }
            | Event::Resumed { .. }
            | Event::TransferAsked { .. }
            | Event::TransferEnded { .. }
            | Event::TargetRung { .. }
            | Event::MediaProblem { .. }
            | Event::MediaMeasured { .. }
            | Event::DispositionSet { .. }
            | Event::CallEnded { .. }
            | Event::CallbackBooked { .. }
            | Event::CallbackAttempted { .. }
            | Event::CallbackClosed { .. } => Ok(()),
        }
    }

    /// A record of a call: its ticket is opened or goes on, and the record is kept as it is.
    async fn of_call(&mut self, call: CallId, record: &Record) -> Result<(), sqlx::Error> {
        let number = if let Event::CallOpened(opened) = &record.event {
            if self.ticket(opened.ticket).await?.is_none()
                && let Some(ticket) = Ticket::open(record)
            {
                self.open(ticket).await?;
            }
            self.alias(call, opened.ticket).await?;
            opened.ticket
        } else if let Some(number) = self.number(call).await? {
            number
        } else {
            tracing::warn!(seq = record.seq.0, %call, "a record of a call that was never opened is skipped");
            return Ok(());
        };
        let Some(ticket) = self.ticket(number).await? else { return Ok(()) };
        ticket.apply(record);
        let line = ticket.timeline.iter().rev().find(|line| line.seq == record.seq).map(|line| line.text.clone());
        sqlx::query(
            "INSERT INTO events (seq, ticket, at_us, kind, line, record) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (seq) DO NOTHING",
        )
        .bind(signed(record.seq.0))
        .bind(signed(number.0))
        .bind(micros(record.at))
        .bind(record.event.kind())
        .bind(line)
        .bind(serde_json::to_string(record).map_err(decode)?)
        .execute(&mut *self.connection)
        .await
        .map(drop)
    }

    async fn open(&mut self, ticket: Ticket) -> Result<(), sqlx::Error> {
        // The row exists from the first record on, because others refer to it; the batch's end completes it.
        write_ticket(self.connection, &ticket).await?;
        self.tickets.insert(ticket.number, ticket);
        Ok(())
    }

    async fn alias(&mut self, call: CallId, number: TicketNumber) -> Result<(), sqlx::Error> {
        self.numbers.insert(call, number);
        sqlx::query("INSERT INTO calls (call_id, ticket) VALUES (?, ?) ON CONFLICT (call_id) DO NOTHING")
            .bind(call.to_string())
            .bind(signed(number.0))
            .execute(&mut *self.connection)
            .await
            .map(drop)
    }

    async fn number(&mut self, call: CallId) -> Result<Option<TicketNumber>, sqlx::Error> {
        if let Some(number) = self.numbers.get(&call) {
            return Ok(Some(*number));
        }
        let number = number_of(self.connection, call).await?;
        self.numbers.extend(number.map(|number| (call, number)));
        Ok(number)
    }

    async fn ticket(&mut self, number: TicketNumber) -> Result<Option<&mut Ticket>, sqlx::Error> {
        if !self.tickets.contains_key(&number) {
            let loaded = load_ticket(self.connection, number).await?;
            self.tickets.extend(loaded.map(|ticket| (number, ticket)));
        }
        Ok(self.tickets.get_mut(&number))
    }

    async fn write_tickets(&mut self) -> Result<(), sqlx::Error> {
        let mut tickets = std::mem::take(&mut self.tickets);
        // Rows first, so that two calls of one batch find each other as repeats.
        for ticket in tickets.values() {
            write_ticket(self.connection, ticket).await?;
        }
        for ticket in tickets.values_mut() {
            self.link_repeats(ticket).await?;
            write_ticket(self.connection, ticket).await?;
            self.write_offers(ticket).await?;
            self.write_callback(ticket).await?;
        }
        Ok(())
    }

    /// Earlier tickets of the same person, or of the same unit and system, within 72 h.
    async fn link_repeats(&mut self, ticket: &mut Ticket) -> Result<(), sqlx::Error> {
        let person = ticket.caller.as_ref().and_then(|caller| caller.person.as_ref());
        let rows = sqlx::query(
            "SELECT doc FROM (
                 SELECT doc, opened_us FROM tickets WHERE person = ?1 AND opened_us BETWEEN ?4 AND ?5 AND number <> ?6
                 UNION
                 SELECT doc, opened_us FROM tickets
                     WHERE unit = ?2 AND system = ?3 AND opened_us BETWEEN ?4 AND ?5 AND number <> ?6
             ) ORDER BY opened_us DESC LIMIT ?7",
        )
        .bind(person.map(|person| person.value.to_string()))
        .bind(ticket.unit().map(ToString::to_string))
        .bind(ticket.system().map(ToString::to_string))
        .bind(micros(ticket.opened) - 72 * 3_600_000_000)
        .bind(micros(ticket.opened))
        .bind(signed(ticket.number.0))
        .bind(MAX_REPEATS)
        .fetch_all(&mut *self.connection)
        .await?;
        ticket.repeats.clear();
        for row in rows {
            let earlier: Ticket = serde_json::from_str(row.try_get(0)?).map_err(decode)?;
            ticket.repeats.extend(ticket.repeats(&earlier));
        }
        for repeat in &ticket.repeats {
            sqlx::query(
                "INSERT INTO repeats (ticket, earlier, by, hours) VALUES (?, ?, ?, ?)
                 ON CONFLICT (ticket, earlier) DO UPDATE SET by = excluded.by",
            )
            .bind(signed(ticket.number.0))
            .bind(signed(repeat.earlier.0))
            .bind(word(&repeat.by)?)
            .bind(repeat.hours)
            .execute(&mut *self.connection)
            .await?;
        }
        Ok(())
    }

    async fn write_offers(&mut self, ticket: &Ticket) -> Result<(), sqlx::Error> {
        for offer in &ticket.offers {
            sqlx::query(
                "INSERT INTO offers
                     (call_id, offer, ticket, analyst, rung, outside, sent_us, ringing_us, ended_us, outcome)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (call_id, offer) DO UPDATE SET
                     ringing_us = excluded.ringing_us, ended_us = excluded.ended_us, outcome = excluded.outcome",
            )
            .bind(offer.call.to_string())
            .bind(signed(offer.offer.0))
            .bind(signed(ticket.number.0))
            .bind(offer.analyst.as_str())
            .bind(offer.rung.as_str())
            .bind(offer.outside)
            .bind(micros(offer.sent))
            .bind(offer.ringing.map(micros))
            .bind(offer.ended.map(micros))
            .bind(offer.outcome.as_ref().map(word).transpose()?)
            .execute(&mut *self.connection)
            .await?;
        }
        Ok(())
    }

    async fn write_callback(&mut self, ticket: &Ticket) -> Result<(), sqlx::Error> {
        let Some(callback) = &ticket.callback else { return Ok(()) };
        sqlx::query(
            "INSERT INTO callbacks (ticket, hospital, number, due_us, reason, attempts, state)
             VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (ticket) DO UPDATE SET number = excluded.number, due_us = excluded.due_us,
                 reason = excluded.reason, attempts = excluded.attempts, state = excluded.state",
        )
        .bind(signed(ticket.number.0))
        .bind(ticket.hospital.as_str())
        .bind(callback.number.as_str())
        .bind(micros(callback.due))
        .bind(word(&callback.reason)?)
        .bind(callback.attempts)
        .bind(word(&callback.state)?)
        .execute(&mut *self.connection)
        .await
        .map(drop)
    }

    async fn analyst_state(
        &mut self,
        record: &Record,
        analyst: &str,
        state: AnalystStateRecord,
        reason: Option<&str>,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO analyst_states (analyst, state, reason, at_us) VALUES (?, ?, ?, ?)
             ON CONFLICT (analyst) DO UPDATE SET
                 state = excluded.state, reason = excluded.reason, at_us = excluded.at_us",
        )
        .bind(analyst)
        .bind(word(&state)?)
        .bind(reason)
        .bind(micros(record.at))
        .execute(&mut *self.connection)
        .await
        .map(drop)
    }

    async fn binding(&mut self, binding: &BindingRecord) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO bindings (aor, contact, expires_us, doc) VALUES (?, ?, ?, ?)
             ON CONFLICT (aor, contact) DO UPDATE SET expires_us = excluded.expires_us, doc = excluded.doc",
        )
        .bind(&binding.aor)
        .bind(&binding.contact)
        .bind(micros(binding.expires))
        .bind(serde_json::to_string(binding).map_err(decode)?)
        .execute(&mut *self.connection)
        .await
        .map(drop)
    }

    /// A start or stop of the server, which is also when expired bindings and nonces are swept.
    async fn node(
        &mut self,
        record: &Record,
        version: Option<&String>,
        config: Option<&String>,
    ) -> Result<(), sqlx::Error> {
        for sweep in ["DELETE FROM bindings WHERE expires_us < ?", "DELETE FROM nonces WHERE expires_us < ?"] {
            sqlx::query(sweep).bind(micros(record.at)).execute(&mut *self.connection).await?;
        }
        sqlx::query(
            "INSERT INTO nodes (seq, at_us, kind, version, config) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (seq) DO NOTHING",
        )
        .bind(signed(record.seq.0))
        .bind(micros(record.at))
        .bind(record.event.kind())
        .bind(version)
        .bind(config)
        .execute(&mut *self.connection)
        .await
        .map(drop)
    }
}

async fn write_ticket(connection: &mut SqliteConnection, ticket: &Ticket) -> Result<(), sqlx::Error> {
    let need = ticket.need.as_ref();
    let person = ticket.caller.as_ref().and_then(|caller| caller.person.as_ref());
    sqlx::query(
        "INSERT INTO tickets (number, call_id, hospital, state, opened_us, ended_us, up, test, calling, extension,
             unit, system, module, person, analyst, disposition, human_us, doc)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (number) DO UPDATE SET state = excluded.state, ended_us = excluded.ended_us, up = excluded.up,
             extension = excluded.extension, unit = excluded.unit, system = excluded.system,
             module = excluded.module, person = excluded.person, analyst = excluded.analyst,
             disposition = excluded.disposition, human_us = excluded.human_us, doc = excluded.doc",
    )
    .bind(signed(ticket.number.0))
    .bind(ticket.call.to_string())
    .bind(ticket.hospital.as_str())
    .bind(ticket.state().as_str())
    .bind(micros(ticket.opened))
    .bind(ticket.last_end.map(micros))
    .bind(ticket.up)
    .bind(ticket.test)
    .bind(&ticket.calling)
    .bind(ticket.extension().map(ToString::to_string))
    .bind(ticket.unit().map(ToString::to_string))
    .bind(ticket.system().map(ToString::to_string))
    .bind(need.and_then(|need| need.module.as_ref()).map(ToString::to_string))
    .bind(person.map(|person| person.value.to_string()))
    .bind(ticket.analyst().map(ToString::to_string))
    .bind(ticket.disposition().map(|set| word(&set.disposition.code)).transpose()?)
    .bind(ticket.human_heard.map(micros))
    .bind(serde_json::to_string(ticket).map_err(decode)?)
    .execute(connection)
    .await
    .map(drop)
}

/// The word that an enum of ours has in JSON.
fn word<T: Serialize>(value: &T) -> Result<String, sqlx::Error> {
    let value = serde_json::to_value(value).map_err(decode)?;
    Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

//! One batch of records into the database, in one transaction with the position.
//!
//! ```text
//!  records ─▶ what the database knows of their calls (2 queries) ─▶ applied in memory, record by record
//!          ─▶ earlier tickets of new callers (1 query a call) ─▶ each touched row once, many rows a statement
//! ```
//! Applying a record twice changes nothing: tickets skip what they have seen, rows are written under the record's own
//! keys, and the position only grows. How records are cut into batches changes nothing either.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};
use ulid::Ulid;

use super::rows::{self, Cell};
use super::sqlite::{decode, micros, signed, unsigned};
use crate::identity::{Suspect, Tally};
use crate::ids::{AnalystId, CallId, ClinicianId, HospitalId, IncidentId, Seq, SystemId, TicketNumber, UnitId};
use crate::routing::{Attestation, Incident};
use crate::ticket::{
    AnalystStateRecord, BindingRecord, Callback, Confirmation, Event, Offer, REPEAT_HOURS, Record, Repeat, RepeatBy,
    Standing, Ticket, Vouched,
};

/// Nearest earlier tickets that a ticket is linked to.
pub(super) const MAX_REPEATS: usize = 16;
const HOUR_US: i64 = 3_600_000_000;

/// Projects `records` (in order) and stores `upto` as the new position.
pub(super) async fn project(
    connection: &mut SqliteConnection,
    records: &[Record],
    upto: Seq,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut batch = Batch::load(&mut transaction, records).await?;
    for record in records {
        batch.take(record)?;
    }
    batch.link_repeats(&mut transaction).await?;
    batch.write(&mut transaction).await?;
    sqlx::query("UPDATE projection SET seq = MAX(seq, ?) WHERE id = 1")
        .bind(signed(upto.0))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// Everything that a batch touches, each read and written once.
#[derive(Default)]
struct Batch {
    tickets: BTreeMap<TicketNumber, Touched>,
    numbers: BTreeMap<CallId, TicketNumber>,
    calls: Vec<[Cell; 2]>,
    events: Vec<[Cell; 6]>,
    desk: Desk,
}

/// A ticket in work, and what of it the database holds already.
struct Touched {
    ticket: Ticket,
    changed: bool,
    offers: Vec<Offer>,
    callback: Option<Callback>,
    /// Opened by an earlier batch.
    stored: bool,
    /// Set when caller or need became known: its repeats are looked for, with those found in this batch itself.
    link: Option<Vec<(Timestamp, Repeat)>>,
}

impl Touched {
    fn new(ticket: Ticket, stored: bool) -> Touched {
        let (offers, callback) =
            if stored { (ticket.offers.clone(), ticket.callback.clone()) } else { (Vec::new(), None) };
        Touched { ticket, changed: !stored, offers, callback, stored, link: None }
    }
}

/// What is not of a call. The last word on each holds.
#[derive(Default)]
struct Desk {
    /// Rows that expired before this are swept, before the others are written.
    sweep: Option<Timestamp>,
    /// `None`: removed.
    bindings: BTreeMap<(String, String), Option<BindingRecord>>,
    nonces: BTreeMap<String, (u32, Timestamp)>,
    /// `None`: cleared.
    tallies: BTreeMap<(HospitalId, Suspect), Option<Tally>>,
    states: BTreeMap<AnalystId, (AnalystStateRecord, Option<String>, Timestamp)>,
    audit: Vec<[Cell; 6]>,
    incidents: Vec<[Cell; 4]>,
    attested: Vec<[Cell; 4]>,
    resolved: Vec<(IncidentId, String, Timestamp)>,
    standings: BTreeMap<HospitalId, Standing>,
    confirmations: BTreeMap<(HospitalId, Vouched), Confirmation>,
    nodes: Vec<[Cell; 5]>,
}

/// What two calls share when one repeats the other.
#[derive(PartialEq, Eq)]
struct Keys {
    person: Option<ClinicianId>,
    place: Option<(UnitId, SystemId)>,
}

impl Keys {
    fn of(ticket: &Ticket) -> Keys {
        let person = ticket.caller.as_ref().and_then(|caller| Some(caller.person.as_ref()?.value.clone()));
        let place = ticket.unit().and_then(|unit| Some((unit.clone(), ticket.system()?.clone())));
        Keys { person, place }
    }
}

// -- What the database knows ------------------------------------------------------------------------------------------

impl Batch {
    async fn load(connection: &mut SqliteConnection, records: &[Record]) -> Result<Batch, sqlx::Error> {
        let mut batch = Batch::default();
        let mut opened = BTreeSet::new();
        let mut unknown = BTreeSet::new();
        let mut wanted = BTreeSet::new();
        for record in records {
            let Some(call) = record.call else { continue };
            if let Event::CallOpened(open) = &record.event {
                opened.insert(call);
                wanted.insert(open.ticket);
            } else if !opened.contains(&call) {
                unknown.insert(call.to_string());
            }
        }
        if !unknown.is_empty() {
            let rows =
                sqlx::query("SELECT call_id, ticket FROM calls WHERE call_id IN (SELECT value FROM json_each(?))")
                    .bind(json(&unknown)?)
                    .fetch_all(&mut *connection)
                    .await?;
            for row in rows {
                let call: &str = row.try_get(0)?;
                let number = TicketNumber(unsigned(row.try_get(1)?));
                batch.numbers.insert(CallId(Ulid::from_string(call).map_err(decode)?), number);
                wanted.insert(number);
            }
        }
        if !wanted.is_empty() {
            let rows = sqlx::query("SELECT doc FROM tickets WHERE number IN (SELECT value FROM json_each(?))")
                .bind(json(&wanted)?)
                .fetch_all(&mut *connection)
                .await?;
            for row in rows {
                let ticket: Ticket = serde_json::from_str(row.try_get(0)?).map_err(decode)?;
                batch.tickets.insert(ticket.number, Touched::new(ticket, true));
            }
        }
        Ok(batch)
    }
}

// -- The records ------------------------------------------------------------------------------------------------------

impl Batch {
    fn take(&mut self, record: &Record) -> Result<(), sqlx::Error> {
        if let Some(call) = record.call {
            self.of_call(call, record)?;
        }
        match &record.event {
            Event::AnalystStateSet { analyst, state, reason } => {
                self.desk.states.insert(analyst.clone(), (*state, reason.clone(), record.at));
            }
            Event::BindingSet(binding) => {
                let key = (binding.aor.clone(), binding.contact.clone());
                self.desk.bindings.insert(key, Some(binding.clone()));
            }
            Event::BindingRemoved { aor, contact } => {
                self.desk.bindings.insert((aor.clone(), contact.clone()), None);
            }
            Event::NonceUsed { nonce, count, expires } => {
                let known = self.desk.nonces.entry(nonce.clone()).or_insert((*count, *expires));
                known.0 = known.0.max(*count);
            }
            Event::Audit { .. } => self.desk.audited(record),
            Event::IncidentOpened(incident) => self.desk.incidents.push(incident_row(incident)?),
            Event::IncidentResolved { incident, by } => self.desk.resolved.push((*incident, by.clone(), record.at)),
            Event::Attested(attestation) => self.desk.attested.push(attested_row(record.seq, attestation)?),
            Event::StandingSet { hospital, standing } => self.desk.stands(hospital, standing),
            Event::ItemConfirmed { hospital, confirmation } => self.desk.confirmed(hospital, confirmation),
            Event::WrongCounted(_) | Event::TallyCleared { .. } => self.desk.tally(&record.event),
            Event::NodeStarted { version, config } => self.desk.node(record, Some(version), Some(config)),
            Event::NodeStopped => self.desk.node(record, None, None),
            Event::CallOpened(_)
            | Event::CallerIdentified { .. }
            | Event::Answered
            | Event::Confirmed
            | Event::StepEntered { .. }
            | Event::Spoken { .. }
            | Event::KeyPressed { .. }
            | Event::KeyInTalk { .. }
            | Event::Collected { .. }
            | Event::TicketLinked { .. }
            | Event::NeedSettled { .. }
            | Event::QuestionSkipped { .. }
            | Event::PrioritySet { .. }
            | Event::IncidentTold { .. }
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
            | Event::CallbackGivenUp
            | Event::CallbackClosed => {}
        }
        Ok(())
    }

    /// A record of a call: its ticket is opened or goes on, and the record is kept as it is.
    fn of_call(&mut self, call: CallId, record: &Record) -> Result<(), sqlx::Error> {
        let number = if let Event::CallOpened(opened) = &record.event {
            if !self.tickets.contains_key(&opened.ticket)
                && let Some(ticket) = Ticket::open(record)
            {
                self.tickets.insert(opened.ticket, Touched::new(ticket, false));
            }
            self.numbers.insert(call, opened.ticket);
            self.calls.push([call.to_string().into(), signed(opened.ticket.0).into()]);
            opened.ticket
        } else if let Some(number) = self.numbers.get(&call) {
            *number
        } else {
            tracing::warn!(seq = record.seq.0, %call, "a record of a call that was never opened is skipped");
            return Ok(());
        };
        let Some(touched) = self.tickets.get_mut(&number) else { return Ok(()) };
        let before = Keys::of(&touched.ticket);
        touched.changed |= record.seq > touched.ticket.last_seq;
        touched.ticket.apply(record);
        let line = touched.ticket.timeline.iter().rev().find(|line| line.seq == record.seq);
        self.events.push([
            signed(record.seq.0).into(),
            signed(number.0).into(),
            micros(record.at).into(),
            record.event.kind().into(),
            line.map(|line| line.text.clone()).into(),
            json(record)?.into(),
        ]);
        if Keys::of(&touched.ticket) != before {
            self.note_repeats(number);
        }
        Ok(())
    }

    /// Caller or need became known: earlier tickets of this batch are compared as they are now; those of the database
    /// are as they were before the batch, so they can wait.
    fn note_repeats(&mut self, number: TicketNumber) {
        let Some(touched) = self.tickets.get(&number) else { return };
        let others = self.tickets.values().map(|other| &other.ticket);
        let repeat = |earlier: &Ticket| Some((earlier.opened, touched.ticket.repeats(earlier)?));
        let found = others.filter_map(repeat).collect();
        if let Some(touched) = self.tickets.get_mut(&number) {
            touched.link = Some(found);
        }
    }
}

impl Desk {
    fn stands(&mut self, hospital: &HospitalId, standing: &Standing) {
        self.standings.insert(hospital.clone(), standing.clone());
    }

    fn confirmed(&mut self, hospital: &HospitalId, said: &Confirmation) {
        self.confirmations.insert((hospital.clone(), said.item), said.clone());
    }

    fn audited(&mut self, record: &Record) {
        let Event::Audit { actor, action, object, reason } = &record.event else { return };
        self.audit.push([
            signed(record.seq.0).into(),
            micros(record.at).into(),
            actor.as_str().into(),
            action.as_str().into(),
            object.as_str().into(),
            reason.clone().into(),
        ]);
    }

    /// The last word on a count.
    fn tally(&mut self, event: &Event) {
        if let Event::WrongCounted(tally) = event {
            let key = (tally.hospital.clone(), tally.suspect.clone());
            self.tallies.insert(key, Some(tally.as_ref().clone()));
        } else if let Event::TallyCleared { hospital, suspect } = event {
            self.tallies.insert((hospital.clone(), suspect.clone()), None);
        }
    }

    /// A start or stop of the server, which is also when expired bindings and nonces are swept.
    fn node(&mut self, record: &Record, version: Option<&String>, config: Option<&String>) {
        self.sweep = self.sweep.max(Some(record.at));
        for binding in self.bindings.values_mut() {
            *binding = binding.take().filter(|binding| binding.expires >= record.at);
        }
        self.nonces.retain(|_, (_, expires)| *expires >= record.at);
        self.nodes.push([
            signed(record.seq.0).into(),
            micros(record.at).into(),
            record.event.kind().into(),
            version.cloned().into(),
            config.cloned().into(),
        ]);
    }
}

// -- Repeats ----------------------------------------------------------------------------------------------------------

/// Earlier tickets of the same person, and of the same unit and system, newest first; the bound holds for each. Only
/// columns are read, along an index: a ticket's document may be long, and a busy unit has hundreds of tickets.
const EARLIER: &str = "SELECT * FROM (SELECT number, opened_us, 1 AS person FROM tickets
         WHERE person = ?1 AND opened_us > ?4 AND opened_us <= ?5 AND hospital = ?6 AND call_id IS NOT ?7
             AND number NOT IN (SELECT value FROM json_each(?8))
         ORDER BY opened_us DESC, number DESC LIMIT ?9)
     UNION ALL SELECT * FROM (SELECT number, opened_us, 0 AS person FROM tickets
         WHERE unit = ?2 AND system = ?3 AND opened_us > ?4 AND opened_us <= ?5 AND hospital = ?6 AND call_id IS NOT ?7
             AND number NOT IN (SELECT value FROM json_each(?8))
         ORDER BY opened_us DESC, number DESC LIMIT ?9)";

impl Batch {
    /// Looks for repeats of each call whose caller or need became known in this batch: once a call, or twice if a key
    /// changed what it is about.
    async fn link_repeats(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        if self.tickets.values().all(|touched| touched.link.is_none()) {
            return Ok(());
        }
        // Tickets in work were compared already, as they were at that record.
        let in_work = self.tickets.values().filter(|touched| touched.stored).map(|touched| touched.ticket.number);
        let in_work = json(&in_work.collect::<Vec<_>>())?;
        for touched in self.tickets.values_mut() {
            let Some(found) = &mut touched.link else { continue };
            found.extend(earlier(connection, &touched.ticket, &in_work).await?);
            found.sort_by_key(|(opened, repeat)| (Reverse(*opened), Reverse(repeat.earlier), repeat.by));
            found.dedup_by_key(|(_, repeat)| repeat.earlier);
            found.truncate(MAX_REPEATS);
            touched.ticket.repeats = found.iter().map(|(_, repeat)| repeat.clone()).collect();
        }
        Ok(())
    }
}

async fn earlier(
    connection: &mut SqliteConnection,
    ticket: &Ticket,
    in_work: &str,
) -> Result<Vec<(Timestamp, Repeat)>, sqlx::Error> {
    let Keys { person, place } = Keys::of(ticket);
    let (unit, system) = place.unzip();
    let rows = sqlx::query(EARLIER)
        .bind(person.map(|person| person.to_string()))
        .bind(unit.map(|unit| unit.to_string()))
        .bind(system.map(|system| system.to_string()))
        .bind(micros(ticket.opened) - REPEAT_HOURS * HOUR_US)
        .bind(micros(ticket.opened))
        .bind(ticket.hospital.as_str())
        .bind(ticket.continues.map(|call| call.to_string()))
        .bind(in_work)
        .bind(signed(MAX_REPEATS as u64))
        .fetch_all(connection)
        .await?;
    let repeat = |row: &sqlx::sqlite::SqliteRow| -> Result<(Timestamp, Repeat), sqlx::Error> {
        let opened = Timestamp::from_microsecond(row.try_get(1)?).map_err(decode)?;
        let by = if row.try_get(2)? { RepeatBy::Person } else { RepeatBy::UnitAndSystem };
        let number = TicketNumber(unsigned(row.try_get(0)?));
        Ok((opened, Repeat::new(number, by, ticket.opened.duration_since(opened))))
    };
    rows.iter().map(repeat).collect()
}

// -- What is written --------------------------------------------------------------------------------------------------

impl Batch {
    /// Tickets first, because the others refer to them.
    async fn write(self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let changed: Vec<&Touched> = self.tickets.values().filter(|touched| touched.changed).collect();
        let tickets = changed.iter().map(|touched| ticket_row(&touched.ticket)).collect::<Result<_, _>>()?;
        rows::write(connection, &rows::TICKETS, tickets).await?;
        rows::write(connection, &rows::CALLS, self.calls).await?;
        rows::write(connection, &rows::EVENTS, self.events).await?;
        let (mut offers, mut callbacks, mut repeats, mut relinked) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for Touched { ticket, offers: stored, callback, link, stored: known, .. } in changed {
            let news = ticket.offers.iter().enumerate().filter(|(at, offer)| stored.get(*at) != Some(offer));
            for (_, offer) in news {
                offers.push(offer_row(ticket, offer)?);
            }
            if ticket.callback != *callback {
                callbacks.extend(ticket.callback.as_ref().map(|callback| callback_row(ticket, callback)).transpose()?);
            }
            if link.is_some() {
                relinked.extend(known.then_some(ticket.number));
                for repeat in &ticket.repeats {
                    repeats.push(repeat_row(ticket.number, repeat)?);
                }
            }
        }
        rows::write(connection, &rows::OFFERS, offers).await?;
        rows::write(connection, &rows::CALLBACKS, callbacks).await?;
        if !relinked.is_empty() {
            let delete = sqlx::query("DELETE FROM repeats WHERE ticket IN (SELECT value FROM json_each(?))");
            delete.bind(json(&relinked)?).execute(&mut *connection).await?;
        }
        rows::write(connection, &rows::REPEATS, repeats).await?;
        self.desk.write(connection).await
    }
}

impl Desk {
    async fn write(self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        if let Some(at) = self.sweep {
            for sweep in [
                "DELETE FROM bindings WHERE expires_us < ?",
                "DELETE FROM nonces WHERE expires_us < ?",
                "DELETE FROM tallies WHERE forgotten_us < ?",
            ] {
                sqlx::query(sweep).bind(micros(at)).execute(&mut *connection).await?;
            }
        }
        let mut bindings = Vec::new();
        for ((aor, contact), binding) in self.bindings {
            if let Some(binding) = binding {
                let (expires, doc) = (micros(binding.expires), json(&binding)?);
                bindings.push([aor.into(), contact.into(), expires.into(), doc.into()]);
            } else {
                let delete = sqlx::query("DELETE FROM bindings WHERE aor = ? AND contact = ?").bind(aor).bind(contact);
                delete.execute(&mut *connection).await?;
            }
        }
        let mut tallies = Vec::new();
        for ((hospital, suspect), tally) in self.tallies {
            let name = json(&suspect)?;
            if let Some(tally) = tally {
                let forgotten = tally.counts_until.max(tally.remembered_until);
                tallies.push([hospital.as_str().into(), name.into(), micros(forgotten).into(), json(&tally)?.into()]);
            } else {
                let delete = sqlx::query("DELETE FROM tallies WHERE hospital = ? AND suspect = ?");
                delete.bind(hospital.as_str()).bind(name).execute(&mut *connection).await?;
            }
        }
        rows::write(connection, &rows::TALLIES, tallies).await?;
        let nonces = self.nonces.into_iter();
        let nonces =
            nonces.map(|(nonce, (count, expires))| [nonce.into(), i64::from(count).into(), micros(expires).into()]);
        let mut states = Vec::new();
        for (analyst, (state, reason, at)) in self.states {
            states.push([analyst.as_str().into(), word(&state)?.into(), reason.into(), micros(at).into()]);
        }
        rows::write(connection, &rows::BINDINGS, bindings).await?;
        rows::write(connection, &rows::NONCES, nonces.collect()).await?;
        rows::write(connection, &rows::ANALYST_STATES, states).await?;
        rows::write(connection, &rows::AUDIT, self.audit).await?;
        rows::write(connection, &rows::INCIDENTS, self.incidents).await?;
        for (incident, by, at) in self.resolved {
            let resolve = "UPDATE incidents SET resolved_us = ?, resolved_by = ? WHERE id = ? AND resolved_us IS NULL";
            let resolve = sqlx::query(resolve).bind(micros(at)).bind(by).bind(signed(incident.0));
            resolve.execute(&mut *connection).await?;
        }
        rows::write(connection, &rows::ATTESTATIONS, self.attested).await?;
        let standings: Result<Vec<[Cell; 2]>, _> = self.standings.iter().map(standing_row).collect();
        rows::write(connection, &rows::STANDINGS, standings?).await?;
        let confirmations: Result<Vec<[Cell; 3]>, _> = self.confirmations.iter().map(confirmation_row).collect();
        rows::write(connection, &rows::CONFIRMATIONS, confirmations?).await?;
        rows::write(connection, &rows::NODES, self.nodes).await
    }
}

fn ticket_row(ticket: &Ticket) -> Result<[Cell; 18], sqlx::Error> {
    let need = ticket.need.as_ref();
    let person = ticket.caller.as_ref().and_then(|caller| caller.person.as_ref());
    Ok([
        signed(ticket.number.0).into(),
        ticket.call.to_string().into(),
        ticket.hospital.as_str().into(),
        ticket.state().as_str().into(),
        micros(ticket.opened).into(),
        ticket.last_end.map(micros).into(),
        ticket.up.into(),
        ticket.test.into(),
        ticket.calling.as_str().into(),
        ticket.extension().map(ToString::to_string).into(),
        ticket.unit().map(ToString::to_string).into(),
        ticket.system().map(ToString::to_string).into(),
        need.and_then(|need| need.module.as_ref()).map(ToString::to_string).into(),
        person.map(|person| person.value.to_string()).into(),
        ticket.analyst().map(ToString::to_string).into(),
        ticket.disposition().map(|set| word(&set.disposition.code)).transpose()?.into(),
        ticket.human_heard.map(micros).into(),
        json(ticket)?.into(),
    ])
}

fn incident_row(incident: &Incident) -> Result<[Cell; 4], sqlx::Error> {
    let hospital = incident.what.hospital.as_str();
    Ok([signed(incident.id.0).into(), hospital.into(), micros(incident.opened).into(), json(incident)?.into()])
}

fn attested_row(seq: Seq, attestation: &Attestation) -> Result<[Cell; 4], sqlx::Error> {
    let analyst = attestation.analyst.as_str();
    Ok([signed(seq.0).into(), analyst.into(), micros(attestation.made).into(), json(attestation)?.into()])
}

fn standing_row((hospital, standing): (&HospitalId, &Standing)) -> Result<[Cell; 2], sqlx::Error> {
    Ok([hospital.as_str().into(), json(standing)?.into()])
}

fn confirmation_row(
    ((hospital, item), said): (&(HospitalId, Vouched), &Confirmation),
) -> Result<[Cell; 3], sqlx::Error> {
    Ok([hospital.as_str().into(), item.as_str().into(), json(said)?.into()])
}

fn offer_row(ticket: &Ticket, offer: &Offer) -> Result<[Cell; 10], sqlx::Error> {
    Ok([
        offer.call.to_string().into(),
        signed(offer.offer.0).into(),
        signed(ticket.number.0).into(),
        offer.analyst.as_str().into(),
        offer.rung.as_str().into(),
        offer.outside.into(),
        micros(offer.sent).into(),
        offer.ringing.map(micros).into(),
        offer.ended.map(micros).into(),
        offer.outcome.as_ref().map(word).transpose()?.into(),
    ])
}

fn callback_row(ticket: &Ticket, callback: &Callback) -> Result<[Cell; 7], sqlx::Error> {
    Ok([
        signed(ticket.number.0).into(),
        ticket.hospital.as_str().into(),
        callback.number.as_str().into(),
        micros(callback.due).into(),
        word(&callback.reason)?.into(),
        i64::from(callback.attempts).into(),
        word(&callback.state)?.into(),
    ])
}

fn repeat_row(ticket: TicketNumber, repeat: &Repeat) -> Result<[Cell; 4], sqlx::Error> {
    let (earlier, by) = (signed(repeat.earlier.0), word(&repeat.by)?);
    Ok([signed(ticket.0).into(), earlier.into(), by.into(), i64::from(repeat.hours).into()])
}

fn json<T: Serialize>(value: &T) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(decode)
}

/// The word that an enum of ours has in JSON.
fn word<T: Serialize>(value: &T) -> Result<String, sqlx::Error> {
    let value = serde_json::to_value(value).map_err(decode)?;
    Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

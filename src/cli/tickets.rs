//! `wardline tickets` and `wardline explain`: what is remembered of calls. Reading needs no server; setting does.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::json;

use crate::api::wire::{Done, SetDisposition};
use crate::cli::client::Client;
use crate::cli::exit::{Outcome, Refused, Usage};
use crate::cli::out::Out;
use crate::cli::place::Place;
use crate::diagnostic::nearest;
use crate::ids::{AnalystId, HospitalId, TicketNumber, UnitId};
use crate::store::{Filter, blocking, export_csv, export_json, open_readonly, render_list, render_ticket};
use crate::ticket::{DispositionCode, Lifecycle, Record, Ticket, explain};

/// Shown by `list` unless it is asked for more: a screenful or two.
const LISTED: usize = 50;

#[derive(Debug, Subcommand)]
pub enum TicketsCommand {
    /// The newest tickets, one a line
    List {
        #[command(flatten)]
        which: Which,
        /// At most this many
        #[arg(long, default_value_t = LISTED)]
        limit: usize,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One ticket: the call in a paragraph, then every step with its time
    Show {
        /// The ticket's number
        number: u64,
        /// As JSON, with the timeline
        #[arg(long, conflicts_with = "records")]
        json: bool,
        /// The raw journal records instead, one JSON object a line
        #[arg(long)]
        records: bool,
    },
    /// All tickets of a time, for a spreadsheet or another program
    #[command(group = ArgGroup::new("format").args(["csv", "json"]))]
    Export {
        #[command(flatten)]
        which: Which,
        /// As CSV (RFC 4180); the default
        #[arg(long)]
        csv: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Into this file instead of standard output; it is made anew
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Say how a call ended for the desk
    #[command(after_help = "Examples:
  wardline tickets set 1042 --solved yes --by amara-osei
  wardline tickets set 1042 --code not-for-us --note \"patient, sent to the operator\" --by amara-osei")]
    #[command(group = ArgGroup::new("what").args(["solved", "code"]).required(true))]
    Set {
        /// The ticket's number
        number: u64,
        /// Solved at first contact: yes closes the ticket, no leaves work to do
        #[arg(long, value_enum)]
        solved: Option<YesNo>,
        /// The disposition itself
        #[arg(long, value_enum)]
        code: Option<Code>,
        /// What the next one should know
        #[arg(long)]
        note: Option<String>,
        /// Whose word it is
        #[arg(long, value_name = "ANALYST")]
        by: String,
    },
}

/// Which tickets.
#[derive(Debug, Args)]
pub struct Which {
    /// Of this hospital
    #[arg(long)]
    hospital: Option<String>,
    /// Opened since: 7d, 24h, today, 2026-07-01, 2026-07-01T08:00
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Opened before
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// In this state: open, callback-due, wrap-up-due, working, closed
    #[arg(long, value_parser = lifecycle)]
    state: Option<Lifecycle>,
    /// Taken by this analyst
    #[arg(long)]
    analyst: Option<String>,
    /// From this unit
    #[arg(long)]
    unit: Option<String>,
    /// From this extension or number
    #[arg(long, value_name = "NUMBER")]
    from: Option<String>,
    /// Whose callback is due
    #[arg(long)]
    callback_due: bool,
    /// Test calls too
    #[arg(long)]
    tests: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum YesNo {
    Yes,
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Code {
    /// Done
    Solved,
    /// Work goes on after the call
    Open,
    /// A patient, a visitor, a wrong number: left out of the figures, and listed
    NotForUs,
    /// Not a real call: left out of the figures, and listed
    Test,
}

fn lifecycle(text: &str) -> Result<Lifecycle, String> {
    let known: Vec<&str> = Lifecycle::ALL.into_iter().map(Lifecycle::as_str).collect();
    Lifecycle::parse(text).ok_or_else(|| format!("write one of {}", known.join(", ")))
}

pub fn run(place: &Place, command: &TicketsCommand, out: &mut Out) -> anyhow::Result<Outcome> {
    match command {
        TicketsCommand::List { which, limit, json } => list(place, which, *limit, *json, out),
        TicketsCommand::Show { number, json, records } => show(place, TicketNumber(*number), *json, *records, out),
        TicketsCommand::Export { which, csv: _, json, output } => export(place, which, *json, output.as_ref(), out),
        TicketsCommand::Set { number, solved, code, note, by } => {
            let (code, solved) = disposition(*code, *solved)?;
            let wanted = SetDisposition { by: AnalystId::new(by), code, solved, note: note.clone() };
            let client = Client::new(&place.socket)?;
            let done: Done = client.post(&format!("/v1/tickets/{number}/disposition"), &wanted)?;
            writeln!(out, "{}", done.done)?;
            Ok(Outcome::Done)
        }
    }
}

/// `--solved` alone chooses the code as the survey at the phone does: yes is solved, no leaves the ticket open.
fn disposition(code: Option<Code>, solved: Option<YesNo>) -> anyhow::Result<(DispositionCode, Option<bool>)> {
    let solved = solved.map(|solved| solved == YesNo::Yes);
    let code = match (code, solved) {
        (Some(Code::Solved), _) => DispositionCode::Solved,
        (Some(Code::Open), _) => DispositionCode::Open,
        (Some(Code::NotForUs), _) => DispositionCode::NotForUs,
        (Some(Code::Test), _) => DispositionCode::Test,
        (None, Some(true)) => DispositionCode::Solved,
        (None, Some(false)) => DispositionCode::Open,
        (None, None) => return Err(Usage("say --solved yes, --solved no or --code".to_owned()).into()),
    };
    Ok((code, solved))
}

fn filter(place: &Place, which: &Which, limit: Option<usize>) -> anyhow::Result<Filter> {
    let hospital = which.hospital.as_deref().map(HospitalId::new);
    place.knows_hospital(hospital.as_ref())?;
    known_names(place, which)?;
    let now = Timestamp::now();
    let since = which.since.as_deref().map(|since| place.since(since, now, hospital.as_ref())).transpose()?;
    let until = which.until.as_deref().map(|until| place.until(until, now, hospital.as_ref())).transpose()?;
    Ok(Filter {
        since,
        until,
        hospital,
        state: which.state,
        analyst: which.analyst.as_deref().map(AnalystId::new),
        unit: which.unit.as_deref().map(UnitId::new),
        calling: which.from.clone(),
        callback_due: which.callback_due,
        tests: which.tests,
        before: None,
        limit,
    })
}

/// A mistyped name would be no ticket, which is an answer as well. What the files do not name any more has tickets yet, so it
/// is taken where a ticket says it.
fn known_names(place: &Place, which: &Which) -> anyhow::Result<()> {
    let Some(config) = &place.config else { return Ok(()) };
    let used = |filter: Filter| -> anyhow::Result<bool> {
        let filter = Filter { tests: true, limit: Some(1), ..filter };
        Ok(place.data_dir.exists() && !found(place, &filter)?.is_empty())
    };
    if let Some(written) = &which.analyst {
        let analyst = Some(AnalystId::new(written));
        let known: Vec<&str> = config.staff.iter().map(|analyst| analyst.id.as_str()).collect();
        if !known.contains(&written.as_str()) && !used(Filter { analyst, ..Filter::default() })? {
            return Err(nobody("analyst", written, &known).into());
        }
    }
    if let Some(written) = &which.unit {
        let unit = Some(UnitId::new(written));
        let known: Vec<&str> = config
            .hospitals
            .values()
            .flat_map(|hospital| hospital.directory.units())
            .map(|unit| unit.id.as_str())
            .collect();
        if !known.contains(&written.as_str()) && !used(Filter { unit, ..Filter::default() })? {
            return Err(nobody("unit", written, &known).into());
        }
    }
    Ok(())
}

fn nobody(what: &str, written: &str, known: &[&str]) -> Usage {
    let near = nearest(written, known.iter().copied()).map(|near| format!("; did you mean {near}?"));
    Usage(format!("no {what} is called {written}{}", near.unwrap_or_default()))
}

fn found(place: &Place, filter: &Filter) -> anyhow::Result<Vec<Ticket>> {
    blocking(async || open_readonly(&place.data_dir).await?.list(filter).await)?
}

fn list(place: &Place, which: &Which, limit: usize, json: bool, out: &mut Out) -> anyhow::Result<Outcome> {
    let filter = filter(place, which, Some(limit))?;
    let tickets = found(place, &filter)?;
    if json {
        writeln!(out, "{}", export_json(&tickets)?)?;
    } else if tickets.is_empty() {
        writeln!(out, "no tickets")?;
    } else {
        write!(out, "{}", render_list(&tickets, |hospital| place.zone_of(hospital)))?;
    }
    Ok(Outcome::Done)
}

/// One ticket, and its raw records where they are asked for.
fn one(place: &Place, number: TicketNumber, records: bool) -> anyhow::Result<(Ticket, Vec<Record>)> {
    let found = blocking(async || {
        let mut view = open_readonly(&place.data_dir).await?;
        let Some(ticket) = view.by_number(number).await? else { return anyhow::Ok(None) };
        let records = if records { view.records(number).await? } else { Vec::new() };
        Ok(Some((ticket, records)))
    })??;
    found.ok_or_else(|| Refused(format!("there is no ticket {number}")).into())
}

fn show(place: &Place, number: TicketNumber, json: bool, records: bool, out: &mut Out) -> anyhow::Result<Outcome> {
    let (ticket, raw) = one(place, number, records)?;
    if records {
        for record in raw {
            writeln!(out, "{}", serde_json::to_string(&record)?)?;
        }
    } else if json {
        let mut value = serde_json::to_value(&ticket)?;
        let line = |line: &crate::ticket::Line| json!({ "at": line.at, "kind": line.kind, "text": line.text });
        value["timeline"] = ticket.timeline().iter().map(line).collect();
        value["state"] = json!(ticket.state());
        value["seconds_to_human"] = json!(ticket.seconds_to_human());
        out.json(&value)?;
    } else {
        write!(out, "{}", render_ticket(&ticket, &place.zone_of(&ticket.hospital)))?;
    }
    Ok(Outcome::Done)
}

fn export(
    place: &Place,
    which: &Which,
    json: bool,
    output: Option<&PathBuf>,
    out: &mut Out,
) -> anyhow::Result<Outcome> {
    let filter = filter(place, which, None)?;
    // All of them: more than one answer holds, a page after the other.
    let mut tickets = Vec::new();
    blocking(async || open_readonly(&place.data_dir).await?.each(filter, |ticket| tickets.push(ticket)).await)??;
    let text = if json { export_json(&tickets)? + "\n" } else { export_csv(&tickets) };
    match output {
        Some(path) => std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?,
        None => write!(out, "{text}")?,
    }
    Ok(Outcome::Done)
}

/// `wardline explain N`.
pub fn explained(place: &Place, number: TicketNumber, json: bool, out: &mut Out) -> anyhow::Result<Outcome> {
    let (ticket, _) = one(place, number, false)?;
    let explanation = explain(&ticket, &place.zone_of(&ticket.hospital));
    if json {
        out.json(&json!({ "ticket": ticket.number, "call": ticket.call, "explanation": explanation }))?;
    } else {
        writeln!(out, "{explanation}")?;
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solved_alone_chooses_the_code_as_the_phone_survey_does() {
        let read = |code, solved| disposition(code, solved).expect("a disposition");
        assert_eq!(read(None, Some(YesNo::Yes)), (DispositionCode::Solved, Some(true)));
        assert_eq!(read(None, Some(YesNo::No)), (DispositionCode::Open, Some(false)));
        assert_eq!(read(Some(Code::NotForUs), None), (DispositionCode::NotForUs, None));
        assert!(disposition(None, None).is_err());
    }
}

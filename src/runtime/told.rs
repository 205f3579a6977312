//! What the log says of a record: what happened, in which call, and what came of it. Nothing personal: no name, no number, no key,
//! and no word that somebody wrote.

use serde::Serialize;

use crate::ids::{HospitalId, RungId, TicketNumber, TrunkId};
use crate::switch::TurnedDown;
use crate::ticket::{Event, Party, Record};

/// Fields beside the kind; those of one kind of event, and absent from the others.
#[derive(Default)]
struct Detail<'a> {
    ticket: Option<TicketNumber>,
    hospital: Option<&'a HospitalId>,
    rung: Option<&'a RungId>,
    outcome: Option<String>,
    cause: Option<String>,
    by: Option<Party>,
}

/// One line. A callback that is left to a person is a warning: nobody is called unless somebody reads it.
pub fn tell(record: &Record) {
    let (kind, seq) = (record.event.kind(), record.seq.0);
    let Some(call) = record.call else { return tracing::debug!(seq, "{kind}") };
    let detail = detail(&record.event);
    let (ticket, hospital) = (detail.ticket.map(|ticket| ticket.0), detail.hospital.map(HospitalId::as_str));
    let (rung, outcome, cause) = (detail.rung.map(RungId::as_str), detail.outcome, detail.cause);
    let by = detail.by.as_ref().and_then(word);
    if let Event::CallbackGivenUp = record.event {
        tracing::warn!(%call, seq, "{kind}");
    } else {
        tracing::info!(%call, seq, ticket, hospital, rung, outcome, cause, by, "{kind}");
    }
}

/// A request that was refused.
pub fn turned_down(down: &TurnedDown) {
    let TurnedDown { method, status, reason, trunk, remote, untold } = down;
    let (status, trunk) = (status.code(), trunk.as_ref().map(TrunkId::as_str));
    let untold = Some(*untold).filter(|untold| *untold > 0);
    tracing::info!(status, reason, trunk, %remote, untold, "{method} refused");
}

fn detail(event: &Event) -> Detail<'_> {
    let none = Detail::default();
    match event {
        Event::CallOpened(opened) => Detail { ticket: Some(opened.ticket), hospital: Some(&opened.hospital), ..none },
        Event::OfferSent { rung, .. } => Detail { rung: Some(rung), ..none },
        Event::OfferEnded { outcome, .. } => Detail { outcome: word(outcome), ..none },
        Event::Bridged { with } => Detail { by: Some(*with), ..none },
        Event::Held { by } | Event::Resumed { by } => Detail { by: Some(*by), ..none },
        Event::TransferEnded { ok, .. } => {
            Detail { outcome: Some(if *ok { "done" } else { "failed" }.to_owned()), ..none }
        }
        Event::MediaProblem { party, problem } => Detail { cause: word(problem), by: Some(*party), ..none },
        Event::DispositionSet { disposition, .. } => {
            Detail { outcome: Some(disposition.code.as_str().to_owned()), ..none }
        }
        Event::CallEnded { cause, by } => Detail { cause: word(cause), by: Some(*by), ..none },
        Event::CallbackBooked { reason, .. } => Detail { cause: word(reason), ..none },
        Event::CallbackAttempted { outcome, .. } => Detail { outcome: word(outcome), ..none },
        _ => none,
    }
}

/// The word that the journal has for a variant; `None` for what is more than a word.
fn word<T: Serialize>(value: &T) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

//! One record as a line that people read.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::facts::Transfer;
use super::{
    CallOpened, CallbackOutcome, CallbackReason, Disposition, DispositionCode, Event, MediaProblem, NeedSource, Party,
    Record,
};
use crate::bridge::MediaReport;
use crate::identity::{Caller, Confidence, PhoneClass, Tally};
use crate::ids::{Extension, IncidentId, Seq, StepId};
use crate::plural::counted;
use crate::routing::{Choice, Decision, Level, Need, OfferOutcome, Priority};

/// One dated line of a ticket's timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub seq: Seq,
    pub at: Timestamp,
    pub kind: String,
    pub text: String,
}

/// The line of a record; `None` for what says nothing to people (steps, bindings, nonces). `asked`: the transfers that
/// analysts asked for before.
pub(crate) fn line(record: &Record, asked: &[Transfer]) -> Option<Line> {
    let text = words(record, asked)?;
    Some(Line { seq: record.seq, at: record.at, kind: record.event.kind().to_owned(), text })
}

/// The line of a record alone, whatever was asked for before.
pub fn line_of(record: &Record) -> Option<Line> {
    line(record, &[])
}

fn words(record: &Record, asked: &[Transfer]) -> Option<String> {
    Some(match &record.event {
        Event::CallOpened(opened) => opened_words(opened),
        Event::CallerIdentified { caller } => format!("Caller: {}.", caller_words(caller)),
        Event::Answered => "Wardline answered.".to_owned(),
        Event::Confirmed => "The caller's phone confirmed.".to_owned(),
        Event::Spoken { words, .. } => format!("Said \"{words}\""),
        Event::KeyPressed { digit, .. } => format!("Key {}.", digit.as_char()),
        Event::KeyInTalk { by } => format!("A key of {} went to the other side.", party_words(*by)),
        Event::Collected { step, accepted } => collected_words(step, *accepted),
        Event::TicketLinked { ticket } => format!("The caller keyed ticket {ticket}: this call is about it."),
        Event::NeedSettled { need, by } => format!("Needed: {} ({}).", need_words(need), need_source_words(need, *by)),
        Event::QuestionSkipped { step } => format!("Nothing asked (step {step}): no answer would change who is rung."),
        Event::PrioritySet { priority } => priority_words(*priority).to_owned(),
        Event::IncidentTold { incident, note } => told_words(*incident, note),
        Event::RouteDecided { decision } => decision_words(decision),
        Event::OfferSent { .. } | Event::OfferRinging { .. } | Event::OfferEnded { .. } => {
            return offer_words(&record.event);
        }
        Event::AnalystAnswered { analyst, .. } => format!("{analyst} answered."),
        Event::Bridged { with } => format!("Caller joined with {}.", party_words(*with)),
        Event::HumanHeard => "The caller hears a human.".to_owned(),
        Event::Held { by } => format!("On hold by {}.", party_words(*by)),
        Event::Resumed { by } => format!("Hold ended by {}.", party_words(*by)),
        Event::TransferAsked { target } => format!("Transfer to {target} asked for."),
        Event::TransferEnded { target, ok } => transfer_words(target, *ok, asked),
        Event::TargetRung { target } => format!("Ringing {target}."),
        Event::MediaProblem { party, problem } => problem_words(*party, *problem),
        Event::MediaMeasured { party, report } => {
            format!("Audio of {}: {}.", party_words(*party), media_words(report))
        }
        Event::DispositionSet { by, disposition } => format!("{by} set: {}.", disposition_words(disposition)),
        Event::CallEnded { cause, by } => format!("{}.", cause.words(*by)),
        Event::CallbackBooked { number, due, reason } => booked_words(number, *reason, record.at, *due),
        Event::CallbackAttempted { attempt, outcome } => attempted_words(*attempt, *outcome),
        Event::CallbackGivenUp => "Callback given up by Wardline; a person must call.".to_owned(),
        Event::CallbackClosed => "Callback closed.".to_owned(),
        Event::WrongCounted(tally) => counted_words(tally, record.at)?,
        Event::Audit { actor, action, object, reason } => audit_words(actor, action, object, reason.as_deref()),
        Event::StepEntered { .. }
        | Event::NodeStarted { .. }
        | Event::NodeStopped
        | Event::AnalystStateSet { .. }
        | Event::IncidentOpened(_)
        | Event::IncidentResolved { .. }
        | Event::Attested(_)
        | Event::StandingSet { .. }
        | Event::ItemConfirmed { .. }
        | Event::BindingSet(_)
        | Event::BindingRemoved { .. }
        | Event::NonceUsed { .. }
        | Event::TallyCleared { .. } => return None,
    })
}

/// A phone is rung, rings, and stops to; that it was answered is said by a line of its own.
fn offer_words(event: &Event) -> Option<String> {
    if let Event::OfferSent { analyst, rung, outside, .. } = event {
        let phone = if *outside { " on an outside phone" } else { "" };
        return Some(format!("Ringing {analyst}{phone} (rung {rung})."));
    }
    if let Event::OfferRinging { analyst, .. } = event {
        return Some(format!("{analyst}'s phone rings."));
    }
    let Event::OfferEnded { analyst, outcome, .. } = event else { return None };
    (*outcome != OfferOutcome::Answered).then(|| format!("{analyst} {}.", outcome_words(*outcome)))
}

fn booked_words(number: &Extension, reason: CallbackReason, now: Timestamp, due: Timestamp) -> String {
    if reason == CallbackReason::Incident {
        return format!("Callback to {number} booked for when the known problem is fixed.");
    }
    format!("Callback to {number} booked, due {}: {}.", due_words(now, due), callback_reason_words(reason))
}

fn attempted_words(attempt: u8, outcome: CallbackOutcome) -> String {
    let words = callback_outcome_words(outcome);
    if outcome.rang() {
        format!("Callback attempt {attempt}: {words}.")
    } else {
        format!("Callback tried, the ward was not rung: {words}.")
    }
}

fn audit_words(actor: &str, action: &str, object: &str, reason: Option<&str>) -> String {
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{actor} did {action} on {object}{reason}.")
}

fn collected_words(step: &StepId, accepted: bool) -> String {
    format!("Keyed number {} ({step}).", if accepted { "accepted" } else { "not accepted" })
}

/// Told when it locks: an analyst should know why the caller is not verified.
fn counted_words(tally: &Tally, at: Timestamp) -> Option<String> {
    let until = tally.locked_until.filter(|_| tally.is_locked(at))?;
    Some(format!(
        "Too many wrong numbers were keyed: {} is locked; the lock ends {}.",
        tally.suspect,
        due_words(at, until)
    ))
}

fn opened_words(opened: &CallOpened) -> String {
    let from = if opened.calling.is_empty() { "an anonymous number" } else { opened.calling.as_str() };
    let over = opened.trunk.as_ref().map_or("a registered phone".to_owned(), |trunk| format!("trunk {trunk}"));
    let test = if opened.test { " (test call)" } else { "" };
    match opened.continues {
        Some(_) => format!("Calling back {from} over {over}{test}."),
        None => format!("Call from {from} to {} over {over}{test}.", opened.dialled),
    }
}

/// "4 West, room 12, extension 4710, ward phone, epic-prod production (extension map), person unknown".
pub(crate) fn caller_words(caller: &Caller) -> String {
    let mut parts = Vec::new();
    match &caller.place {
        Some(place) => {
            parts.push(place.value.unit_name.clone());
            parts.extend(place.value.room.as_ref().map(|room| format!("room {room}")));
            parts.extend(place.value.workstation.as_ref().map(|station| format!("workstation {station}")));
        }
        None => parts.push("place unknown".to_owned()),
    }
    match (&caller.extension, &caller.number) {
        (Some(extension), _) => parts.push(format!("extension {}", extension.value)),
        (None, Some(number)) => parts.push(format!("number {}", number.value)),
        (None, None) => parts.push("number withheld".to_owned()),
    }
    parts.extend(caller.class.as_ref().map(|class| class_words(class.value).to_owned()));
    parts.extend(caller.ehr.as_ref().map(|ehr| format!("{} {}", ehr.value.system, ehr.value.environment)));
    parts.push(match &caller.person {
        Some(person) => format!("person {} ({})", person.value, confidence_words(person.confidence)),
        None => "person unknown".to_owned(),
    });
    parts.join(", ")
}

fn class_words(class: PhoneClass) -> &'static str {
    match class {
        PhoneClass::Ward => "ward phone",
        PhoneClass::Office => "office phone",
        PhoneClass::Patient => "patient's phone",
        PhoneClass::Public => "public phone",
    }
}

fn confidence_words(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Unknown => "unknown",
        Confidence::Claimed => "claimed",
        Confidence::Verified => "verified",
    }
}

fn priority_words(priority: Priority) -> &'static str {
    match priority {
        Priority::Urgent => "Urgent by the dial plan: where calls wait, it waits before others.",
        Priority::Normal => "Not urgent, by the dial plan.",
    }
}

fn told_words(incident: IncidentId, note: &str) -> String {
    if note.is_empty() {
        format!("Told of incident {incident}.")
    } else {
        format!("Told of incident {incident}: {note}")
    }
}

/// "charting of epic-prod, expert".
pub(crate) fn need_words(need: &Need) -> String {
    let mut words = match (&need.module, &need.system) {
        (Some(module), Some(system)) => format!("{module} of {system}"),
        (Some(module), None) => module.to_string(),
        (None, Some(system)) => system.to_string(),
        (None, None) => "any analyst".to_owned(),
    };
    match need.level {
        Level::Basic => {}
        Level::Advanced => words.push_str(", advanced"),
        Level::Expert => words.push_str(", expert"),
    }
    words
}

pub(crate) fn need_source_words(need: &Need, by: NeedSource) -> &'static str {
    match by {
        // Of a phone that no extension map knows.
        NeedSource::Place if need.module.is_none() && need.system.is_none() => "nothing more is known",
        NeedSource::Place => "the place says it",
        NeedSource::Key => "by the caller's key",
        NeedSource::NoKey => "no key",
        NeedSource::Plan => "by the dial plan",
    }
}

fn decision_words(decision: &Decision) -> String {
    let because = |choice: &Choice| format!("{}: {}.", choice.analyst, choice.because.trim_end_matches('.'));
    let chosen: Vec<String> = decision.chosen.iter().map(because).collect();
    let chosen = if chosen.is_empty() { "nobody.".to_owned() } else { chosen.join(" ") };
    let mut words = format!("Rung {} chose {chosen}", decision.rung);
    if !decision.passed_over.is_empty() {
        let passed: Vec<String> =
            decision.passed_over.iter().map(|passed| format!("{} ({})", passed.analyst, passed.because)).collect();
        words.push_str(&format!(" Passed over: {}.", passed.join(", ")));
    }
    if !decision.others.is_empty() {
        let others: Vec<String> =
            decision.others.iter().map(|others| format!("{} {}", others.count, others.because)).collect();
        let all = counted(decision.inputs.unlisted, "other");
        words.push_str(&format!(" And {all}: {}.", others.join(", ")));
    }
    words
}

/// The same record ends an analyst's transfer and the ringing of a target by the dial plan.
fn transfer_words(target: &str, ok: bool, asked: &[Transfer]) -> String {
    let asked = asked.iter().any(|transfer| transfer.target == target && transfer.ok.is_none());
    match (asked, ok) {
        (true, true) => format!("Transferred to {target}."),
        (true, false) => format!("Transfer to {target} failed; the caller is back."),
        (false, true) => format!("{target} answered."),
        // A REFER that was refused: the reason stands in the target's place. Ids have no spaces.
        (false, false) if target.contains(' ') => format!("Transfer refused: {target}."),
        (false, false) => format!("{target} did not take the call."),
    }
}

/// "in 50 s"; a line is written once, and read in any zone.
fn due_words(now: Timestamp, due: Timestamp) -> String {
    let seconds = due.duration_since(now).as_secs();
    match seconds {
        ..=0 => "now".to_owned(),
        1..120 => format!("in {seconds} s"),
        120.. => format!("in {} min", seconds / 60),
    }
}

pub(crate) fn outcome_words(outcome: OfferOutcome) -> &'static str {
    match outcome {
        OfferOutcome::Answered => "answered",
        OfferOutcome::LostRace => "was not needed: somebody else was first",
        OfferOutcome::NoAnswer => "did not answer",
        OfferOutcome::Busy => "was busy",
        OfferOutcome::Declined => "declined",
        OfferOutcome::Unreachable => "could not be reached",
        OfferOutcome::NotAccepted => "picked up but did not press 1",
        OfferOutcome::Withdrawn => "was no longer needed: the call had ended",
    }
}

pub(crate) fn party_words(party: Party) -> &'static str {
    match party {
        Party::Caller => "the caller",
        Party::Analyst => "the analyst",
        Party::Target => "the transfer target",
        Party::Desk => "Wardline",
    }
}

fn problem_words(party: Party, problem: MediaProblem) -> String {
    let party = party_words(party);
    match problem {
        MediaProblem::Dead => format!("No audio comes from {party}."),
        MediaProblem::OneWay => format!("Audio is one-way: {party} is not heard."),
        MediaProblem::Recovered => format!("Audio of {party} came back."),
        MediaProblem::KeysLost => format!("Keys of {party} were lost."),
        MediaProblem::Gone => format!("The phone of {party} is gone; others are rung."),
    }
}

/// "PCMU, 1500 packets received, 3 lost, jitter 2.1 ms, longest gap 40 ms".
pub(crate) fn media_words(report: &MediaReport) -> String {
    let codec = report.codec.map_or("no codec", |codec| codec.name());
    format!(
        "{codec}, {} received, {} lost, jitter {:.1} ms, longest gap {} ms",
        counted(report.received, "packet"),
        report.lost,
        report.jitter_ms,
        report.max_gap_ms
    )
}

pub(crate) fn disposition_words(disposition: &Disposition) -> String {
    let code = match disposition.code {
        DispositionCode::Solved => "solved",
        DispositionCode::Open => "work goes on",
        DispositionCode::NotForUs => "not for us",
        DispositionCode::Test => "test",
    };
    match disposition.solved {
        Some(true) => format!("{code}, solved at first contact"),
        Some(false) => format!("{code}, not solved at first contact"),
        None => code.to_owned(),
    }
}

pub(crate) fn callback_reason_words(reason: CallbackReason) -> &'static str {
    match reason {
        CallbackReason::Waiting => "the caller has waited",
        CallbackReason::Asked => "the caller asked for it",
        CallbackReason::NobodyFree => "nobody was free",
        CallbackReason::OperatorSilent => "the operator did not answer",
        CallbackReason::Abandoned => "the caller left before a human answered",
        CallbackReason::NodeFailure => "the call was cut by a failure of the node",
        CallbackReason::LineLost => "a phone was gone in the middle of the call",
        CallbackReason::TooLong => "the call had lasted as long as a call may",
        CallbackReason::Shutdown => "the call was cut when Wardline was stopped",
        CallbackReason::Incident => "the caller waits for a known problem to be fixed",
        CallbackReason::IncidentResolved => "the known problem is fixed",
    }
}

fn callback_outcome_words(outcome: CallbackOutcome) -> &'static str {
    match outcome {
        CallbackOutcome::NoAnalyst => "no analyst answered",
        CallbackOutcome::PutOff => "it made room for a caller who waited on the line",
        CallbackOutcome::AnalystLeft => "the analyst hung up before",
        CallbackOutcome::NoWay => "its PBX could not be reached",
        CallbackOutcome::ClinicianUnreachable => "its phone could not be reached",
        CallbackOutcome::ClinicianBusy => "its phone was busy",
        CallbackOutcome::Cut => "a stop or a failure of the node cut it",
        CallbackOutcome::ClinicianNoAnswer => "nobody picked up on the ward",
        CallbackOutcome::BothSpoke => "both spoke",
        CallbackOutcome::Failed => "it failed",
    }
}

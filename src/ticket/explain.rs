//! One call in a paragraph: who called from where, what was asked, who was rung and why, what came of it.
//!
//! Keyed numbers and analysts' notes are left out: the paragraph may be read aloud.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::ids::StepId;
use crate::routing::Priority;

use super::facts::{CallbackState, MediaQuality, Offer, RepeatBy, Ticket, seconds};
use super::line::{
    callback_reason_words, caller_words, disposition_words, need_source_words, need_words, outcome_words,
};
use super::{CallbackReason, Lifecycle, Party};

/// The whole call as one paragraph of plain sentences, its times in `zone`: the hospital's.
pub fn explain(ticket: &Ticket, zone: &TimeZone) -> String {
    let mut sentences = vec![who(ticket, zone)];
    sentences.extend(asked(ticket));
    sentences.extend(told(ticket));
    sentences.push(needed(ticket));
    if ticket.priority == Priority::Urgent {
        sentences.push("The dial plan made it urgent: where calls wait, it waits before others.".to_owned());
    }
    sentences.extend(rung(ticket));
    sentences.push(outcome(ticket));
    sentences.extend(holds_and_transfers(ticket));
    sentences.extend(audio(ticket));
    sentences.extend(ended(ticket));
    sentences.extend(callback(ticket, zone));
    sentences.push(disposition(ticket));
    sentences.extend(repeats(ticket));
    sentences.join(" ")
}

/// "2026-11-23 07:00:00 EST".
fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

fn who(ticket: &Ticket, zone: &TimeZone) -> String {
    let caller = match &ticket.caller {
        Some(caller) => caller_words(caller),
        None if ticket.calling.is_empty() => "an anonymous caller".to_owned(),
        None => ticket.calling.clone(),
    };
    let test = match (ticket.test, ticket.rehearsal) {
        (true, _) => "test call ",
        (false, true) => "call in rehearsal ",
        (false, false) => "",
    };
    let opened = local(ticket.opened, zone);
    format!("Ticket {}: {test}on {opened} from {caller}, to {}.", ticket.number, ticket.dialled)
}

fn asked(ticket: &Ticket) -> Option<String> {
    let keyed = keyed(ticket);
    if ticket.spoken.is_empty() && keyed.is_empty() {
        return None;
    }
    let said: Vec<String> = ticket.spoken.iter().map(|words| format!("\"{words}\"")).collect();
    let said = if said.is_empty() { "nothing".to_owned() } else { said.join(", ") };
    let keyed = match keyed.split_last() {
        None => "no key was pressed".to_owned(),
        Some((only, [])) => format!("the caller {only}"),
        Some((last, others)) => format!("the caller {} and {last}", others.join(", ")),
    };
    let mut sentence = format!("Wardline said {said}; {keyed}.");
    if !ticket.questions_skipped.is_empty() {
        sentence.push_str(" A question was left out because no answer would have changed who is rung.");
    }
    Some(sentence)
}

/// What the caller did with keys. Of a badge or a PIN, and of keys that went to the other side, no digit is known here.
fn keyed(ticket: &Ticket) -> Vec<String> {
    let plural = |count: usize| if count == 1 { "a key".to_owned() } else { format!("{count} keys") };
    let keys: String = ticket.keys.iter().map(|key| key.as_char()).collect();
    let pressed = match keys.len() {
        0 => None,
        1 => Some(format!("pressed {keys}")),
        count => Some(format!("pressed {count} keys ({keys})")),
    };
    let number = |(step, accepted): &(StepId, bool)| {
        format!("keyed a number ({step}) that was {}", if *accepted { "accepted" } else { "not accepted" })
    };
    let talking = usize::try_from(ticket.keys_in_talk).unwrap_or(usize::MAX);
    let talking = (talking > 0).then(|| format!("pressed {} while talking", plural(talking)));
    let mut deeds: Vec<String> =
        pressed.into_iter().chain(ticket.collected.iter().map(number)).chain(talking).collect();
    // The plan does nothing with a key that nothing asks for, and keeps none; the media worker counts them all.
    let heard = ticket.caller_media().map_or(0, |report| report.keys);
    if deeds.is_empty() && heard > 0 {
        deeds.push(format!(
            "pressed {} that nothing had asked for",
            plural(usize::try_from(heard).unwrap_or(usize::MAX))
        ));
    }
    deeds
}

fn told(ticket: &Ticket) -> Option<String> {
    let told = ticket.incident.as_ref()?;
    let note = told.note.trim_end_matches('.');
    let note = if note.is_empty() { String::new() } else { format!(": {note}") };
    Some(format!("The caller was told of incident {}{note}.", told.incident))
}

fn needed(ticket: &Ticket) -> String {
    match (&ticket.need, ticket.need_by) {
        (Some(need), Some(by)) => format!("It was about {} ({}).", need_words(need), need_source_words(need, by)),
        (Some(need), None) => format!("It was about {}.", need_words(need)),
        (None, _) => "What it was about was not settled.".to_owned(),
    }
}

/// Who was rung, when, why, and how each ended.
fn rung(ticket: &Ticket) -> Vec<String> {
    if ticket.offers.is_empty() {
        let last = ticket.decisions.last();
        let nobody = last.map(|decision| format!("Nobody was rung: rung {} had no candidate.", decision.rung));
        return vec![nobody.unwrap_or_else(|| "Nobody was rung.".to_owned())];
    }
    ticket.offers.iter().map(|offer| one_offer(ticket, offer)).collect()
}

fn one_offer(ticket: &Ticket, offer: &Offer) -> String {
    // The store keeps microseconds: an offer may stand a part of one before the INVITE.
    let after = seconds(ticket.opened, offer.sent).max(0.0);
    let because = ticket
        .decisions
        .iter()
        .filter(|decision| decision.rung == offer.rung)
        .flat_map(|decision| &decision.chosen)
        .find(|choice| choice.analyst == offer.analyst)
        .map(|choice| format!(", because: {}", choice.because.trim_end_matches('.')))
        .unwrap_or_default();
    let outside = if offer.outside { " on an outside phone" } else { "" };
    let outcome = offer.outcome.map_or("is ringing", outcome_words);
    format!(
        "{} was rung{outside} {after:.1} s after the INVITE (rung {}{because}) and {outcome}.",
        offer.analyst, offer.rung
    )
    .replace("and is ringing", "and still rings")
}

fn outcome(ticket: &Ticket) -> String {
    match (ticket.seconds_to_human(), ticket.analyst()) {
        (Some(heard), Some(analyst)) if ticket.heard_in_own_call() => {
            format!("The caller heard {analyst} {heard:.1} s after the INVITE.")
        }
        (Some(heard), Some(analyst)) => {
            format!("The caller heard {analyst} in the callback, {heard:.0} s after the INVITE.")
        }
        (Some(heard), None) => format!("The caller heard a human {heard:.1} s after the INVITE."),
        (None, _) if ticket.target_heard.is_some() => {
            "The caller spoke with the operator or another target, and with no analyst.".to_owned()
        }
        (None, Some(analyst)) => format!("{analyst} answered, but no voice was heard."),
        (None, None) => "No analyst was heard.".to_owned(),
    }
}

fn holds_and_transfers(ticket: &Ticket) -> Vec<String> {
    let mut sentences = Vec::new();
    let by_caller = ticket.holds.iter().filter(|hold| hold.by == Party::Caller).count();
    let by_desk = ticket.holds.len() - by_caller;
    let times = |count: usize| if count == 1 { "once".to_owned() } else { format!("{count} times") };
    if by_desk > 0 {
        let early = ticket.hold_in_first_minute_s();
        sentences.push(format!(
            "The desk had the caller on hold {}, {early:.0} s of it in the first minute.",
            times(by_desk)
        ));
    }
    if by_caller > 0 {
        sentences.push(format!("The caller had the desk on hold {}.", times(by_caller)));
    }
    for transfer in &ticket.transfers {
        let how = match transfer.ok {
            Some(true) => "succeeded",
            Some(false) => "failed",
            None => "was asked for",
        };
        sentences.push(format!("A transfer to {} {how}.", transfer.target));
    }
    sentences
}

fn audio(ticket: &Ticket) -> Option<String> {
    let quality = match ticket.media_quality() {
        MediaQuality::Unmeasured => return None,
        MediaQuality::Good => "good",
        MediaQuality::Fair => "fair",
        MediaQuality::Poor => "poor",
    };
    Some(format!("The audio was {quality}."))
}

fn ended(ticket: &Ticket) -> Option<String> {
    let end = ticket.end.as_ref()?;
    let length = seconds(ticket.opened, end.at).max(0.0);
    Some(format!("{}; the call lasted {length:.0} s.", end.cause.words(end.by)))
}

fn callback(ticket: &Ticket, zone: &TimeZone) -> Option<String> {
    let callback = ticket.callback.as_ref()?;
    let state = match callback.state {
        CallbackState::Due if callback.reason == CallbackReason::Incident => "is made when it is".to_owned(),
        CallbackState::Due => format!("is due on {}, after {} attempts", local(callback.due, zone), callback.attempts),
        CallbackState::Done => format!("was done, both spoke (attempt {})", callback.attempts),
        CallbackState::Failed => {
            format!("failed after {} attempts and is owed since {}", callback.attempts, local(callback.due, zone))
        }
        CallbackState::Settled => "was settled by a person".to_owned(),
        CallbackState::Lapsed => "was not needed, because an analyst answered after all".to_owned(),
    };
    let reason = callback_reason_words(callback.reason);
    Some(format!("A callback to {} was booked because {reason}; it {state}.", callback.number))
}

fn disposition(ticket: &Ticket) -> String {
    match (ticket.disposition(), ticket.state()) {
        (None, _) if ticket.up && ticket.calling_back => "The caller is being called back now.".to_owned(),
        (Some(set), _) => format!("{} set the disposition: {}.", set.by, disposition_words(&set.disposition)),
        (None, Lifecycle::Open) => "The call is up now.".to_owned(),
        (None, Lifecycle::WrapUpDue) => "The disposition is due.".to_owned(),
        (None, Lifecycle::CallbackDue | Lifecycle::Working | Lifecycle::Closed) => "No disposition was set.".to_owned(),
    }
}

fn repeats(ticket: &Ticket) -> Option<String> {
    let latest = ticket.repeats.first()?;
    let by = match latest.by {
        RepeatBy::Person => "the same person",
        RepeatBy::UnitAndSystem => "the same unit and system",
    };
    let before = match (latest.hours, latest.minutes) {
        (0, 0) => "less than a minute".to_owned(),
        (0, minutes) => format!("{minutes} min"),
        (hours, _) => format!("{hours} h"),
    };
    Some(format!("It repeats ticket {} of {by}, {before} earlier.", latest.earlier))
}

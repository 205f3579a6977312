//! The desk's figures, by definitions that can't be gamed. Each is computed from the raw records' tickets.
//!
//! | figure | definition |
//! |---|---|
//! | seconds to human | INVITE → first RTP of an analyst's voice. A wait over 90 s is a failure; so is a call that needed its callback, with the time until the callback's first word, or "never". Nearest-rank percentiles |
//! | abandonment | no human voice (the operator's counts as one) and the caller ended it; with and without calls under 5 s. A callback booked afterwards doesn't take it out |
//! | callbacks | a line of their own; done only when both spoke; due until then, or until a person has dealt with it |
//! | first contact | of all calls an analyst was heard in: one owner, not reopened, not said to be open or unsolved, and not followed by a repeat in 72 h |
//! | repeat | same unit + system, or same person, within 24/72 h, whatever the ticket; calls whose caller was told of a known problem apart |
//! | exclusions | test calls, calls of a hospital in rehearsal and "not for us", listed with count and author |
//! | missed rings | phones that rang out, or were picked up without pressing 1; declined and unreachable ones are shown apart |
//! | hold | seconds on hold by our side within 60 s of the first word |

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::facts::{CallbackState, REPEAT_HOURS, Ticket, seconds};
use super::{DispositionCode, Event, HangupCause, Party, Record};
use crate::ids::{AnalystId, CallId, HospitalId, TicketNumber};
use crate::routing::OfferOutcome;

/// A wait longer than this is a failure, however it ended.
pub const FAILED_AFTER_S: f64 = 90.0;
/// Calls shorter than this are shown apart in abandonment.
pub const SHORT_CALL_S: f64 = 5.0;
/// Target: this share of callers talk to a human within [`TARGET_S`].
pub const TARGET_S: f64 = 10.0;

/// `from` is inside, `to` is outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Period {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Period {
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// One caller's wait for a human.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Wait {
    Seconds(f64),
    /// No analyst's voice was ever heard.
    Never,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SecondsToHuman {
    /// Calls in the figure: heard by an analyst, or owed a callback, or waited over 90 s.
    pub calls: usize,
    pub p50: Option<Wait>,
    pub p90: Option<Wait>,
    pub max: Option<Wait>,
    /// Heard within 10 s.
    pub within_10_s: usize,
    /// Over 90 s, or only by a callback, or never.
    pub failures: usize,
    /// No analyst was ever heard, of the failures.
    pub never: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Abandonment {
    pub calls: usize,
    pub abandoned: usize,
    /// Calls shorter than 5 s, and how many of them were abandoned.
    pub short_calls: usize,
    pub short_abandoned: usize,
    /// Percent, short ones in and out of both numbers; `None` without calls.
    pub rate: Option<f64>,
    pub rate_without_short: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CallbackFigures {
    pub booked: usize,
    /// Both spoke.
    pub done: usize,
    /// A person dealt with it.
    pub settled: usize,
    /// An analyst answered the same call after all.
    pub lapsed: usize,
    /// Still owed.
    pub due: usize,
    /// Due, and Wardline tries no more by itself: a person must call.
    pub failed: usize,
    /// Due, and its time has passed.
    pub overdue: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FirstContact {
    /// Calls an analyst was heard in.
    pub calls: usize,
    pub resolved: usize,
    pub rate: Option<f64>,
    /// Why the others are not; a call may stand in several.
    pub several_owners: usize,
    pub reopened: usize,
    pub repeated: usize,
    pub said_open: usize,
    /// Younger than 72 h: a repeat may still come.
    pub provisional: usize,
    /// Analysts' own word, for comparison only.
    pub self_marked: usize,
    pub disposition_due: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RepeatFigures {
    pub calls: usize,
    /// Repeats whose caller was told of a known problem, within 72 h; in none of the numbers below.
    pub of_incidents: usize,
    pub within_24_h: usize,
    pub within_72_h: usize,
    pub rate_24_h: Option<f64>,
    pub rate_72_h: Option<f64>,
    /// Which ticket repeats which.
    pub pairs: Vec<(TicketNumber, TicketNumber)>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HoldFigures {
    /// Calls put on hold within 60 s of the first word.
    pub calls: usize,
    pub total_s: f64,
    pub longest_s: f64,
}

/// Calls left out of every figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exclusion {
    /// "test call", "rehearsal", "test", "not for us".
    pub reason: &'static str,
    /// Who said so; the canary's calls are said to be tests by Wardline itself.
    pub author: String,
    pub tickets: Vec<TicketNumber>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub period: Period,
    pub hospital: Option<HospitalId>,
    /// Of the calls of a rehearsal, and of no others.
    pub rehearsal: bool,
    /// All tickets of the period, excluded ones too.
    pub tickets: usize,
    /// Those that the figures are of.
    pub counted: usize,
    /// Still up: in no figure yet.
    pub still_open: usize,
    pub seconds_to_human: SecondsToHuman,
    pub abandonment: Abandonment,
    pub callbacks: CallbackFigures,
    pub first_contact: FirstContact,
    pub repeats: RepeatFigures,
    pub hold: HoldFigures,
    /// Spoke with the operator or another target and with no analyst.
    pub target_only: usize,
    /// Analysts' phones that rang and were not taken: losing a race, or a caller who left, is none.
    pub missed_rings: usize,
    /// Declined, or busy with another call.
    pub declined_rings: usize,
    /// Phones that could not be rung: a fault of the network, not of the analyst.
    pub unreachable_phones: usize,
    /// Cut by a failure of a node, a shutdown or a fault of ours.
    pub cut: usize,
    pub exclusions: Vec<Exclusion>,
    /// Callers' numbers that no extension map knows, with how often they called.
    pub unmapped: Vec<(String, usize)>,
}

/// Tickets from raw records, as the store projects them: exactly one for each call that was opened, a callback's call
/// joined to the ticket whose number it carries.
pub fn fold<'a>(records: impl IntoIterator<Item = &'a Record>) -> BTreeMap<TicketNumber, Ticket> {
    let mut tickets: BTreeMap<TicketNumber, Ticket> = BTreeMap::new();
    let mut numbers: BTreeMap<CallId, TicketNumber> = BTreeMap::new();
    for record in records {
        let Some(call) = record.call else { continue };
        if let Event::CallOpened(opened) = &record.event {
            numbers.insert(call, opened.ticket);
            if !tickets.contains_key(&opened.ticket) {
                tickets.extend(Ticket::open(record).map(|ticket| (opened.ticket, ticket)));
                continue;
            }
        }
        if let Some(ticket) = numbers.get(&call).and_then(|number| tickets.get_mut(number)) {
            ticket.apply(record);
        }
    }
    tickets
}

/// All figures of one hospital (or all) in a period.
///
/// `tickets` should reach 72 h beyond the period on both sides, for repeats; `now` tells what is overdue or young.
pub fn figures(tickets: &[Ticket], period: Period, hospital: Option<&HospitalId>, now: Timestamp) -> Report {
    let ours = |ticket: &&Ticket| hospital.is_none_or(|hospital| ticket.hospital == *hospital);
    // A callback's own ticket is the desk's call, not a caller's.
    let all: Vec<&Ticket> = tickets.iter().filter(ours).filter(|ticket| ticket.continues.is_none()).collect();
    let inside: Vec<&Ticket> = all.iter().copied().filter(|ticket| period.contains(ticket.opened)).collect();
    let counted: Vec<&Ticket> = inside.iter().copied().filter(|ticket| exclusion(ticket).is_none()).collect();
    let over: Vec<&Ticket> = counted.iter().copied().filter(|ticket| ticket.end.is_some()).collect();
    let context: Vec<&Ticket> = all.iter().copied().filter(|ticket| exclusion(ticket).is_none()).collect();
    let links = RepeatLinks::new(&context);
    Report {
        period,
        hospital: hospital.cloned(),
        rehearsal: false,
        tickets: inside.len(),
        counted: counted.len(),
        still_open: counted.len() - over.len(),
        seconds_to_human: seconds_to_human(&over),
        abandonment: abandonment(&over),
        callbacks: callbacks(&counted, now),
        first_contact: first_contact(&over, &links, now),
        repeats: repeats(&counted, &links),
        hold: hold(&over),
        target_only: over.iter().filter(|t| t.target_heard.is_some() && t.human_heard.is_none()).count(),
        missed_rings: offers_ended(&over, &[OfferOutcome::NoAnswer, OfferOutcome::NotAccepted]),
        declined_rings: offers_ended(&over, &[OfferOutcome::Declined, OfferOutcome::Busy]),
        unreachable_phones: offers_ended(&over, &[OfferOutcome::Unreachable]),
        cut: over.iter().filter(|ticket| cut(ticket)).count(),
        exclusions: exclusions(&inside),
        unmapped: unmapped(&counted),
    }
}

/// The same figures of the calls of a rehearsal alone, as if each had come to a hospital that is live.
pub fn rehearsed(tickets: &[Ticket], period: Period, hospital: Option<&HospitalId>, now: Timestamp) -> Report {
    let of_rehearsal = tickets.iter().filter(|ticket| ticket.rehearsal);
    let as_if_live: Vec<Ticket> = of_rehearsal.map(|ticket| Ticket { rehearsal: false, ..ticket.clone() }).collect();
    Report { rehearsal: true, ..figures(&as_if_live, period, hospital, now) }
}

/// Why and by whom a ticket is left out of the figures.
fn exclusion(ticket: &Ticket) -> Option<(&'static str, String)> {
    if ticket.test {
        return Some(("test call", "Wardline".to_owned()));
    }
    if ticket.rehearsal {
        return Some(("rehearsal", "Wardline".to_owned()));
    }
    let set = ticket.disposition()?;
    match set.disposition.code {
        DispositionCode::NotForUs => Some(("not for us", set.by.to_string())),
        DispositionCode::Test => Some(("test", set.by.to_string())),
        DispositionCode::Solved | DispositionCode::Open => None,
    }
}

fn exclusions(tickets: &[&Ticket]) -> Vec<Exclusion> {
    let mut grouped: BTreeMap<(&'static str, String), Vec<TicketNumber>> = BTreeMap::new();
    for ticket in tickets {
        if let Some(key) = exclusion(ticket) {
            grouped.entry(key).or_default().push(ticket.number);
        }
    }
    grouped.into_iter().map(|((reason, author), tickets)| Exclusion { reason, author, tickets }).collect()
}

/// The caller's wait and whether it failed; `None` for a call that left early without being owed anything.
fn wait(ticket: &Ticket) -> Option<(Wait, bool)> {
    let end = ticket.end.as_ref()?;
    match ticket.seconds_to_human() {
        Some(heard) if ticket.heard_in_own_call() => Some((Wait::Seconds(heard), heard > FAILED_AFTER_S)),
        Some(heard) => Some((Wait::Seconds(heard), true)),
        None if ticket.target_heard.is_some() => None,
        None if ticket.callback.is_some() => Some((Wait::Never, true)),
        None if seconds(ticket.opened, end.at) > FAILED_AFTER_S => Some((Wait::Never, true)),
        None => None,
    }
}

fn seconds_to_human(tickets: &[&Ticket]) -> SecondsToHuman {
    let waits: Vec<(Wait, bool)> = tickets.iter().filter_map(|ticket| wait(ticket)).collect();
    let never = waits.iter().filter(|(wait, _)| *wait == Wait::Never).count();
    let mut heard: Vec<f64> = waits
        .iter()
        .filter_map(|(wait, _)| match wait {
            Wait::Seconds(seconds) => Some(*seconds),
            Wait::Never => None,
        })
        .collect();
    heard.sort_by(f64::total_cmp);
    SecondsToHuman {
        calls: waits.len(),
        p50: percentile(&heard, waits.len(), 50),
        p90: percentile(&heard, waits.len(), 90),
        max: percentile(&heard, waits.len(), 100),
        within_10_s: heard.iter().filter(|seconds| **seconds <= TARGET_S).count(),
        failures: waits.iter().filter(|(_, failed)| *failed).count(),
        never,
    }
}

/// Nearest rank over `total` waits, of which those beyond `heard` were never ended by a human.
fn percentile(heard: &[f64], total: usize, percent: usize) -> Option<Wait> {
    let rank = (total * percent).div_ceil(100).max(1);
    if total == 0 { None } else { Some(heard.get(rank - 1).map_or(Wait::Never, |seconds| Wait::Seconds(*seconds))) }
}

fn abandoned(ticket: &Ticket) -> bool {
    let Some(end) = &ticket.end else { return false };
    let heard = ticket.heard_in_own_call() || ticket.target_heard.is_some();
    let left = match end.cause {
        HangupCause::Abandoned => true,
        HangupCause::Normal => end.by == Party::Caller,
        HangupCause::NoAck
        | HangupCause::MediaRefused
        | HangupCause::RtpTimeout
        | HangupCause::PeerLost
        | HangupCause::SessionExpired
        | HangupCause::TooLong
        | HangupCause::PlanEnded
        | HangupCause::Transferred
        | HangupCause::NoCapacity
        | HangupCause::NodeFailure
        | HangupCause::Shutdown
        | HangupCause::InternalError => false,
    };
    left && !heard
}

fn short(ticket: &Ticket) -> bool {
    ticket.end.as_ref().is_some_and(|end| seconds(ticket.opened, end.at) < SHORT_CALL_S)
}

fn abandonment(tickets: &[&Ticket]) -> Abandonment {
    let short_calls = tickets.iter().filter(|ticket| short(ticket)).count();
    let abandoned_calls = tickets.iter().filter(|ticket| abandoned(ticket)).count();
    let short_abandoned = tickets.iter().filter(|ticket| short(ticket) && abandoned(ticket)).count();
    Abandonment {
        calls: tickets.len(),
        abandoned: abandoned_calls,
        short_calls,
        short_abandoned,
        rate: percent(abandoned_calls, tickets.len()),
        rate_without_short: percent(abandoned_calls - short_abandoned, tickets.len() - short_calls),
    }
}

fn callbacks(tickets: &[&Ticket], now: Timestamp) -> CallbackFigures {
    let mut figures = CallbackFigures::default();
    for callback in tickets.iter().filter_map(|ticket| ticket.callback.as_ref()) {
        figures.booked += 1;
        match callback.state {
            CallbackState::Done => figures.done += 1,
            CallbackState::Settled => figures.settled += 1,
            CallbackState::Lapsed => figures.lapsed += 1,
            CallbackState::Due => {}
            CallbackState::Failed => figures.failed += 1,
        }
        if callback.state.is_owed() {
            figures.due += 1;
            figures.overdue += usize::from(callback.due < now);
        }
    }
    figures
}

/// For each call its nearest earlier one with the same trouble, in hours between the two.
struct RepeatLinks {
    earlier: BTreeMap<TicketNumber, (TicketNumber, u32)>,
    repeated: BTreeSet<TicketNumber>,
}

impl RepeatLinks {
    fn new(tickets: &[&Ticket]) -> RepeatLinks {
        let mut sorted = tickets.to_vec();
        sorted.sort_by_key(|ticket| (ticket.opened, ticket.number));
        let mut links = RepeatLinks { earlier: BTreeMap::new(), repeated: BTreeSet::new() };
        for (position, ticket) in sorted.iter().enumerate() {
            let before = sorted.iter().take(position).rev();
            let within =
                before.take_while(|earlier| ticket.opened.duration_since(earlier.opened).as_hours() < REPEAT_HOURS);
            for repeat in within.filter_map(|earlier| ticket.repeats(earlier)) {
                links.earlier.entry(ticket.number).or_insert((repeat.earlier, repeat.hours));
                links.repeated.insert(repeat.earlier);
            }
        }
        links
    }
}

fn repeats(tickets: &[&Ticket], links: &RepeatLinks) -> RepeatFigures {
    let mut figures = RepeatFigures { calls: tickets.len(), ..RepeatFigures::default() };
    for ticket in tickets {
        if let Some((earlier, hours)) = links.earlier.get(&ticket.number) {
            if ticket.incident.is_some() {
                figures.of_incidents += 1;
                continue;
            }
            figures.within_72_h += 1;
            figures.within_24_h += usize::from(*hours < 24);
            figures.pairs.push((ticket.number, *earlier));
        }
    }
    figures.rate_24_h = percent(figures.within_24_h, figures.calls);
    figures.rate_72_h = percent(figures.within_72_h, figures.calls);
    figures
}

fn first_contact(tickets: &[&Ticket], links: &RepeatLinks, now: Timestamp) -> FirstContact {
    let mut figures = FirstContact::default();
    for ticket in tickets.iter().filter(|ticket| ticket.human_heard.is_some()) {
        let set = ticket.disposition().map(|set| &set.disposition);
        let several = owners(ticket) > 1;
        let repeated = links.repeated.contains(&ticket.number);
        let open = set.is_some_and(|set| set.code == DispositionCode::Open || set.solved == Some(false));
        figures.calls += 1;
        figures.several_owners += usize::from(several);
        figures.reopened += usize::from(ticket.reopened());
        figures.repeated += usize::from(repeated);
        figures.said_open += usize::from(open);
        figures.provisional += usize::from(now.duration_since(ticket.opened).as_hours() < REPEAT_HOURS);
        figures.self_marked += usize::from(ticket.solved() == Some(true));
        figures.disposition_due += usize::from(set.is_none());
        figures.resolved += usize::from(!several && !repeated && !open && !ticket.reopened());
    }
    figures.rate = percent(figures.resolved, figures.calls);
    figures
}

/// Analysts who took the call; a transfer away to a declared target is one more owner, a vendor conference is not.
fn owners(ticket: &Ticket) -> usize {
    let analysts: BTreeSet<&AnalystId> = ticket.owners.iter().collect();
    analysts.len() + ticket.transfers.iter().filter(|transfer| transfer.ok == Some(true)).count()
}

fn hold(tickets: &[&Ticket]) -> HoldFigures {
    let mut figures = HoldFigures::default();
    for held in tickets.iter().map(|ticket| ticket.hold_in_first_minute_s()).filter(|held| *held > 0.0) {
        figures.calls += 1;
        figures.total_s += held;
        figures.longest_s = figures.longest_s.max(held);
    }
    figures
}

fn offers_ended(tickets: &[&Ticket], outcomes: &[OfferOutcome]) -> usize {
    let offers = tickets.iter().flat_map(|ticket| &ticket.offers);
    offers.filter(|offer| offer.outcome.is_some_and(|outcome| outcomes.contains(&outcome))).count()
}

fn cut(ticket: &Ticket) -> bool {
    ticket.end.as_ref().is_some_and(|end| {
        matches!(end.cause, HangupCause::NodeFailure | HangupCause::Shutdown | HangupCause::InternalError)
    })
}

fn unmapped(tickets: &[&Ticket]) -> Vec<(String, usize)> {
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    for ticket in tickets.iter().filter(|ticket| ticket.unit().is_none() && !ticket.calling.is_empty()) {
        *numbers.entry(ticket.calling.clone()).or_default() += 1;
    }
    let mut list: Vec<(String, usize)> = numbers.into_iter().collect();
    list.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    list
}

/// Percent with one decimal; `None` without a whole.
fn percent(part: usize, whole: usize) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "counts of calls stay far below 2^52")]
    let share = (whole > 0).then(|| part as f64 / whole as f64);
    share.map(|share| (share * 1000.0).round() / 10.0)
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
#[cfg(test)]
#[path = "report_days.rs"]
mod days;

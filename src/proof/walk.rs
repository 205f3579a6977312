//! How long one step holds a call at the most, and a found path told step by step.

use std::time::Duration;

use crate::ivr::plan::LONGEST_PROMPT;
use crate::ivr::promise::{PROMISE_WITHIN, unpromised};
use crate::ivr::timing::{PLAY_GRACE, SPEECH_AFTER_200};
use crate::ivr::{CallbackCause, Longest, Plan, StepKind, Way};
use crate::proof::planes::{Latest, Passed};
use crate::proof::witness::{Exit, Spoken, Stay, Walked, Witness};

/// How a path has come to a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entered {
    pub at: Duration,
    /// Phones have rung since then.
    pub rang: Option<Duration>,
    /// The step is a callback, and there is no number to call.
    pub unbooked: bool,
}

/// What a step does until the last instant at which it is left, and that instant.
pub(super) fn stay(plan: &Plan, longest: &Longest<'_>, kind: &StepKind, come: Entered) -> (Stay, Duration) {
    let entered = come.at;
    match kind {
        StepKind::Play(step) => speaks(longest.of(&step.say), entered),
        // The words of an incident are bounded where it is opened.
        StepKind::Notice(step) => {
            let said = step.say.as_ref().map_or(Some(LONGEST_PROMPT), |say| longest.of(say));
            speaks(said, entered)
        }
        StepKind::Menu(step) => {
            let said = longest.of(&step.say);
            let (spoken, left) = asked(said, step.tries, step.wait, entered);
            (Stay::Asks { spoken, wait: step.wait, tries: step.tries }, left)
        }
        StepKind::Collect(step) => {
            let said = longest.of(&step.say);
            let number = step.number;
            let (spoken, left) = asked(said, step.tries, number.wait * u32::from(number.digits), entered);
            (Stay::Number { spoken, wait: number.wait, digits: number.digits, tries: step.tries }, left)
        }
        StepKind::Branch(_) | StepKind::Set(_) | StepKind::Alert(_) => (Stay::Passes, entered),
        StepKind::Connect(_) => {
            let since = come.rang.unwrap_or(entered);
            let give_up_after = plan.hunting.give_up_after;
            (Stay::Waits { since, give_up_after }, entered.max(since + give_up_after))
        }
        StepKind::Callback(step) if come.unbooked => {
            let (spoken, left) = said_at(longest.of(&unpromised(step)), entered);
            (Stay::Unpromised { spoken }, left)
        }
        StepKind::Callback(step) => {
            // Booked, and kept at the last instant or not at all: one of the two is said.
            let said = [longest.of(&step.say), longest.of(&unpromised(step))].into_iter().flatten().max();
            let (spoken, left) = said_at(said, entered + PROMISE_WITHIN);
            (Stay::Promises { wait: PROMISE_WITHIN, spoken }, left)
        }
        StepKind::Transfer(step) => (Stay::Dials { ring_for: step.ring_for }, entered + step.ring_for),
        StepKind::Hangup(step) => speaks(longest.of(&step.say), entered),
    }
}

fn speaks(said: Option<Duration>, entered: Duration) -> (Stay, Duration) {
    let (spoken, left) = said_at(said, entered);
    (spoken.map_or(Stay::Passes, |spoken| Stay::Speaks { spoken }), left)
}

/// Said once: the words, and when they have been heard.
fn said_at(said: Option<Duration>, at: Duration) -> (Option<Spoken>, Duration) {
    let spoken = said.map(|length| Spoken { from: at.max(SPEECH_AFTER_200), length });
    (spoken, spoken.map_or(at, |spoken| spoken.from + spoken.length + PLAY_GRACE))
}

/// Words and a wait, so many times.
fn asked(said: Option<Duration>, tries: u8, wait: Duration, entered: Duration) -> (Option<Spoken>, Duration) {
    let spoken = said.map(|length| Spoken { from: entered.max(SPEECH_AFTER_200), length });
    let mut left = entered;
    for _ in 0..tries {
        if let Some(length) = said {
            left = left.max(SPEECH_AFTER_200) + length + PLAY_GRACE;
        }
        left += wait;
    }
    (spoken, left)
}

/// The found path with its times.
pub(super) fn witness(plan: &Plan, longest: &Longest<'_>, latest: &Latest) -> Witness {
    let (mut now, mut rang) = (Duration::ZERO, None);
    let mut walked = Vec::with_capacity(latest.path.len());
    for &Passed { at, exit, unbooked } in &latest.path {
        let step = plan.step(at);
        let entered = now;
        match &step.kind {
            StepKind::Alert(_) => rang = rang.or(Some(entered)),
            StepKind::Callback(callback) if callback.cause == CallbackCause::Incident => rang = None,
            StepKind::Play(_)
            | StepKind::Notice(_)
            | StepKind::Menu(_)
            | StepKind::Collect(_)
            | StepKind::Branch(_)
            | StepKind::Set(_)
            | StepKind::Connect(_)
            | StepKind::Callback(_)
            | StepKind::Transfer(_)
            | StepKind::Hangup(_) => {}
        }
        let (stay, left) = match exit {
            // Not asked at all, or where the path has arrived.
            Some(Exit::Way(Way::Skip)) | None => (Stay::Passes, entered),
            Some(Exit::Way(_) | Exit::Person | Exit::Operator | Exit::Over) => {
                stay(plan, longest, &step.kind, Entered { at: entered, rang, unbooked })
            }
        };
        now = left;
        walked.push(Walked { at, step: step.id.clone(), span: step.span.clone(), entered, stay, left, exit });
    }
    Witness { walked, at: now, outcome: latest.outcome.clone() }
}

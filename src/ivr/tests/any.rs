//! What holds for any text and any keys: the check never panics, and every walk ends with few effects.

use std::sync::Arc;

use proptest::prelude::*;

use super::world::{Desk, SAMPLE, at, plan, prompts, unmapped_phone, ward_phone};
use crate::diagnostic::Report;
use crate::digit::Digit;
use crate::identity::PhoneClass;
use crate::ids::Language;
use crate::ivr::{Effect, Facts, HuntNews, Input, Interpreter, Known, Origin, Plan};

/// Words that plans are made of, so that mutations stay near what can be read.
const PIECES: &[&str] = &[
    "\"ring\"",
    "\"operator\"",
    "\"connect\"",
    "[",
    "]",
    "{",
    "}",
    "=",
    "\n",
    "\"",
    "1",
    "[[x]]",
    "type = \"menu\"",
    "next",
    "\"{unit|you}\"",
    "\"{\"",
    "\"{}\"",
    "\"|\"",
    "\"1.5s\"",
    "\"999999999s\"",
    "keys.1 =",
    "steps",
    "ä",
    "\u{0}",
    "-",
    "true",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn no_text_makes_the_check_panic(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..40, prop::sample::select(PIECES)), 1..6)
    ) {
        let mut text = SAMPLE.to_owned();
        for (place, length, piece) in cuts {
            let mut from = place.index(text.len());
            while !text.is_char_boundary(from) {
                from -= 1;
            }
            let mut to = (from + length).min(text.len());
            while !text.is_char_boundary(to) {
                to += 1;
            }
            text.replace_range(from..to, piece);
        }
        let mut report = Report::new();
        let plan = Plan::load("plans/any.toml", &text, &Known::default(), &mut report);
        prop_assert_eq!(plan.is_none(), report.has_errors());
    }

    #[test]
    fn no_bytes_make_the_check_panic(text in "\\PC*") {
        Plan::load("plans/any.toml", &text, &Known::default(), &mut Report::new());
    }

    #[test]
    fn every_walk_ends_whatever_is_keyed_and_heard(
        inputs in prop::collection::vec((0u64..6_000, 0usize..24), 0..120),
        who in 0usize..4,
        matters: bool,
        on_shift: bool,
        incident: bool,
    ) {
        let facts = match who {
            0 => ward_phone(),
            1 => unmapped_phone(),
            2 => Facts { class: Some(PhoneClass::Patient), ..ward_phone() },
            _ => Facts::unknown(Origin::Outside, Language::new("en")),
        };
        let world = Desk { matters, on_shift, incident };
        let effects = walk(facts, &world, &inputs)?;
        let count = |wanted: fn(&Effect) -> bool| effects.iter().filter(|effect| wanted(effect)).count();
        prop_assert!(count(|effect| matches!(effect, Effect::Alert { .. })) <= 1 + usize::from(incident), "rung twice");
        prop_assert!(count(|effect| matches!(effect, Effect::Hangup)) <= 1);
        prop_assert!(count(|effect| matches!(effect, Effect::Dial { .. })) <= 1, "dialled twice");
        prop_assert!(count(|effect| matches!(effect, Effect::Entered(_))) <= 26);
        // Two for each key that cuts something, and a few dozen of the plan's own.
        prop_assert!(effects.len() <= 60 + 3 * inputs.len(), "{} effects", effects.len());
    }
}

fn walk(facts: Facts, world: &Desk, inputs: &[(u64, usize)]) -> Result<Vec<Effect>, TestCaseError> {
    thread_local! {
        static SHARED: (Arc<Plan>, Arc<crate::ivr::Prompts>) = (plan(SAMPLE), prompts());
    }
    let mut walk = SHARED.with(|(plan, prompts)| Interpreter::new(Arc::clone(plan), Arc::clone(prompts), facts));
    let mut effects = Vec::new();
    let (mut now, mut started) = (0, false);
    walk.begin(at(now), world);
    let mut inputs = inputs.iter();
    // After the script only time passes and words end; that alone must end the walk.
    for _ in 0..2_000 {
        let before = effects.len();
        effects.extend(std::iter::from_fn(|| walk.poll_effect()));
        let mut keyed = None;
        for effect in &effects[before..] {
            if let Effect::Check { digits, .. } = effect {
                keyed = Some(["123456", "4712"].contains(&digits.as_str()));
            }
        }
        if let Some(accepted) = keyed {
            walk.handle(at(now), Input::Checked { accepted }, world);
            continue;
        }
        if walk.is_over() {
            return Ok(effects);
        }
        let input = match inputs.next() {
            Some(&(wait, which)) => {
                now += wait;
                any_input(which)
            }
            None => {
                let due = walk.poll_timeout().map_or(0, |due| due.as_micros() / 1_000);
                let started = std::mem::replace(&mut started, true);
                let speaking = effects.iter().rev().find_map(|effect| match effect {
                    Effect::Say { .. } => Some(true),
                    Effect::StopSaying | Effect::Ringback | Effect::Hold => Some(false),
                    Effect::Entered(_)
                    | Effect::Skipped(_)
                    | Effect::Told { .. }
                    | Effect::Prioritise(_)
                    | Effect::Set(_)
                    | Effect::Alert { .. }
                    | Effect::Withdraw
                    | Effect::BookCallback { .. }
                    | Effect::CancelCallback
                    | Effect::Check { .. }
                    | Effect::Dial { .. }
                    | Effect::Hangup => None,
                });
                if !started {
                    Input::Start
                } else if due == 0 || (speaking == Some(true) && due > now + 500) {
                    now += 500;
                    Input::SpokenDone
                } else {
                    now = now.max(due);
                    Input::Timeout
                }
            }
        };
        walk.handle(at(now), input, world);
    }
    Err(TestCaseError::fail("the walk does not end"))
}

fn any_input(which: usize) -> Input {
    match which {
        0..16 => Input::Key(Digit::ALL[which]),
        16 => Input::Start,
        17 => Input::SpokenDone,
        18 => Input::Hunting(HuntNews::AllBusy),
        19 => Input::Hunting(HuntNews::NobodyFree),
        20 => Input::Hunting(HuntNews::Ringing),
        21 => Input::TargetFailed,
        22 => Input::RingsAgain,
        _ => Input::Timeout,
    }
}

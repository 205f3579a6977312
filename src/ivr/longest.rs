//! How long an utterance can be, whatever fills its slots and whichever installed language it is spoken in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ids::{Language, PromptId};
use crate::ivr::plan::{Slot, Utterance, Word};
use crate::ivr::prompts::{self, Prompts};

/// Digits of a code number where no hospital declares one.
const CODE_DIGITS: u32 = 4;

/// Measures utterances at their longest.
#[derive(Clone, Debug)]
pub struct Longest<'a> {
    prompts: &'a Prompts,
    /// What the slots can hold, by language.
    slots: BTreeMap<&'a Language, Slots>,
}

#[derive(Clone, Copy, Debug)]
struct Slots {
    unit: Duration,
    module: Duration,
    system: Duration,
    code: Duration,
}

impl<'a> Longest<'a> {
    /// `spoken_units`: prompts that units name instead of `unit-…`. `code_digits`: of the longest code number.
    pub fn new(prompts: &'a Prompts, spoken_units: &BTreeSet<PromptId>, code_digits: Option<u32>) -> Longest<'a> {
        let slots = |language: &Language| {
            let length = |prompt: &PromptId| prompts.length(language, prompt).unwrap_or_default();
            let longest_of = |prefix: &str| {
                let named = prompts.of(language).filter(|(id, _)| id.as_str().starts_with(prefix));
                named.filter_map(|(_, prompt)| prompt.length).max().unwrap_or_default()
            };
            let digit = prompts::digits("0123456789").iter().map(length).max().unwrap_or_default();
            Slots {
                unit: spoken_units.iter().map(length).max().unwrap_or_default().max(longest_of("unit-")),
                module: longest_of("module-"),
                system: longest_of("system-"),
                code: digit * code_digits.unwrap_or(CODE_DIGITS),
            }
        };
        Longest { prompts, slots: prompts.languages().map(|language| (language, slots(language))).collect() }
    }

    /// Zero for a language that is not installed.
    pub fn in_language(&self, language: &Language, utterance: &Utterance) -> Duration {
        let Some(slots) = self.slots.get(language) else { return Duration::ZERO };
        let length = |prompt: &PromptId| self.prompts.length(language, prompt).unwrap_or_default();
        let words = utterance.0.iter().map(|word| match word {
            Word::Prompt(prompt) => length(prompt),
            Word::Slot { slot, otherwise } => {
                let filled = match slot {
                    Slot::Unit => slots.unit,
                    Slot::Module => slots.module,
                    Slot::System => slots.system,
                    Slot::Code => slots.code,
                };
                filled.max(otherwise.as_ref().map(length).unwrap_or_default())
            }
        });
        words.sum()
    }

    /// In the slowest language; `None` when it can never be spoken: there are no words, and nothing fills its slots.
    pub fn of(&self, utterance: &Utterance) -> Option<Duration> {
        let longest = self.slots.keys().map(|language| self.in_language(language, utterance)).max().unwrap_or_default();
        let written = utterance.0.iter().any(|word| word.prompt().is_some());
        (written || longest > Duration::ZERO).then_some(longest)
    }
}

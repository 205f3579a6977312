//! The two short dialogs with an analyst at a plain phone. Each is one question and one key.
//!
//! ```text
//! AcceptWhisper    words ─► words again … ─┬─ 1 ──► Accepted          (an outside phone has answered)
//!                                          └─ time-out, other keys ──► Refused after ACCEPT_WITHIN
//! SolvedQuestion   words ─┬─ 1 ──► Solved(true)                      (the caller has hung up)
//!                         ├─ 2 ──► Solved(false)
//!                         └─ ANSWER_WITHIN ──► Unanswered: the disposition stays due
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use crate::digit::Digit;
use crate::ids::PromptId;
use crate::ivr::prompts::{CALL_BACK_FOR, PRESS_ONE, SOLVED};
use crate::routing::ACCEPT_WITHIN;
use crate::time::Instant;

/// Pause between two rounds of the words.
pub const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// HOTLINE.md: the analyst hears the question for 10 s after the caller has hung up.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhisperInput {
    /// The phone can hear.
    Start,
    SpokenDone,
    Key(Digit),
    Timeout,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhisperEffect {
    Say(Vec<PromptId>),
    StopSaying,
    /// 1 was pressed: the outside phone takes the call.
    Accepted,
    /// Nobody pressed 1 in time.
    Refused,
    /// The analyst's word on "solved at first contact".
    Solved(bool),
    /// No answer: the disposition stays due.
    Unanswered,
}

/// "Four west, charting. Press one to accept."
#[derive(Clone, Debug)]
pub struct AcceptWhisper {
    words: Vec<PromptId>,
    speaking: bool,
    /// Next round of the words.
    again: Option<Instant>,
    /// `None` before [`WhisperInput::Start`] and after the end.
    until: Option<Instant>,
    over: bool,
    effects: VecDeque<WhisperEffect>,
}

impl AcceptWhisper {
    /// `unit` and `module` are the recorded names, where there are any; a callback says so first.
    pub fn new(callback: bool, unit: Option<PromptId>, module: Option<PromptId>) -> AcceptWhisper {
        let mut words: Vec<PromptId> = callback.then(|| PromptId::new(CALL_BACK_FOR)).into_iter().collect();
        words.extend(unit);
        words.extend(module);
        words.push(PromptId::new(PRESS_ONE));
        AcceptWhisper { words, speaking: false, again: None, until: None, over: false, effects: VecDeque::new() }
    }

    pub fn handle(&mut self, now: Instant, input: WhisperInput) {
        if self.over {
            return;
        }
        match input {
            WhisperInput::Start => {
                if self.until.is_none() {
                    self.until = Some(now + ACCEPT_WITHIN);
                    self.say();
                }
            }
            WhisperInput::SpokenDone => {
                if self.speaking {
                    self.speaking = false;
                    self.again = Some(now + ACCEPT_PAUSE);
                }
            }
            WhisperInput::Key(Digit::D1) => self.end(WhisperEffect::Accepted),
            // Another key says nothing: somebody may have hit it in the dark.
            WhisperInput::Key(_) => {}
            WhisperInput::Timeout => self.time_out(now),
        }
    }

    fn time_out(&mut self, now: Instant) {
        if self.until.is_some_and(|until| until <= now) {
            self.end(WhisperEffect::Refused);
        } else if self.again.is_some_and(|again| again <= now) {
            self.say();
        }
    }

    fn say(&mut self) {
        self.again = None;
        self.speaking = true;
        self.effects.push_back(WhisperEffect::Say(self.words.clone()));
    }

    fn end(&mut self, effect: WhisperEffect) {
        if self.speaking {
            self.effects.push_back(WhisperEffect::StopSaying);
        }
        self.effects.push_back(effect);
        self.over = true;
    }

    pub fn poll_effect(&mut self) -> Option<WhisperEffect> {
        self.effects.pop_front()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.over {
            return None;
        }
        [self.until, self.again].into_iter().flatten().min()
    }
}

/// "Solved? One yes, two no."
#[derive(Clone, Debug, Default)]
pub struct SolvedQuestion {
    speaking: bool,
    until: Option<Instant>,
    over: bool,
    effects: VecDeque<WhisperEffect>,
}

impl SolvedQuestion {
    pub fn new() -> SolvedQuestion {
        SolvedQuestion::default()
    }

    pub fn handle(&mut self, now: Instant, input: WhisperInput) {
        if self.over {
            return;
        }
        match input {
            WhisperInput::Start => {
                if self.until.is_none() {
                    self.until = Some(now + ANSWER_WITHIN);
                    self.speaking = true;
                    self.effects.push_back(WhisperEffect::Say(vec![PromptId::new(SOLVED)]));
                }
            }
            WhisperInput::SpokenDone => self.speaking = false,
            WhisperInput::Key(Digit::D1) => self.end(WhisperEffect::Solved(true)),
            WhisperInput::Key(Digit::D2) => self.end(WhisperEffect::Solved(false)),
            WhisperInput::Key(_) => {}
            WhisperInput::Timeout => {
                if self.until.is_some_and(|until| until <= now) {
                    self.end(WhisperEffect::Unanswered);
                }
            }
        }
    }

    fn end(&mut self, effect: WhisperEffect) {
        if self.speaking {
            self.effects.push_back(WhisperEffect::StopSaying);
        }
        self.effects.push_back(effect);
        self.over = true;
    }

    pub fn poll_effect(&mut self) -> Option<WhisperEffect> {
        self.effects.pop_front()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.over { None } else { self.until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn drain(mut next: impl FnMut() -> Option<WhisperEffect>) -> Vec<WhisperEffect> {
        std::iter::from_fn(&mut next).collect()
    }

    #[test]
    fn an_outside_phone_takes_the_call_only_by_pressing_one() {
        let mut whisper =
            AcceptWhisper::new(false, Some(PromptId::new("unit-4-west")), Some(PromptId::new("module-charting")));
        whisper.handle(at(0), WhisperInput::Start);
        let words = ["unit-4-west", "module-charting", "press-one-to-accept"].map(PromptId::new).to_vec();
        assert_eq!(drain(|| whisper.poll_effect()), [WhisperEffect::Say(words)]);
        whisper.handle(at(900), WhisperInput::Key(Digit::D5));
        assert_eq!(drain(|| whisper.poll_effect()), []);
        whisper.handle(at(1_000), WhisperInput::Key(Digit::D1));
        assert_eq!(drain(|| whisper.poll_effect()), [WhisperEffect::StopSaying, WhisperEffect::Accepted]);
        assert_eq!(whisper.poll_timeout(), None);
    }

    #[test]
    fn a_voicemail_hears_the_words_again_and_is_refused_after_ten_seconds() {
        let mut whisper = AcceptWhisper::new(true, None, None);
        whisper.handle(at(0), WhisperInput::Start);
        whisper.handle(at(3_000), WhisperInput::SpokenDone);
        assert_eq!(whisper.poll_timeout(), Some(at(4_000)));
        whisper.handle(at(4_000), WhisperInput::Timeout);
        whisper.handle(at(9_999), WhisperInput::Timeout);
        whisper.handle(at(10_000), WhisperInput::Timeout);
        let words = ["call-back-for", "press-one-to-accept"].map(PromptId::new).to_vec();
        let expected = [
            WhisperEffect::Say(words.clone()),
            WhisperEffect::Say(words),
            WhisperEffect::StopSaying,
            WhisperEffect::Refused,
        ];
        assert_eq!(drain(|| whisper.poll_effect()), expected);
    }

    #[test]
    fn the_analyst_keys_solved_or_not_or_leaves_it_due() {
        for (input, when, last) in [
            (WhisperInput::Key(Digit::D1), 2_000, WhisperEffect::Solved(true)),
            (WhisperInput::Key(Digit::D2), 2_000, WhisperEffect::Solved(false)),
            (WhisperInput::Timeout, 10_000, WhisperEffect::Unanswered),
        ] {
            let mut question = SolvedQuestion::new();
            question.handle(at(0), WhisperInput::Start);
            question.handle(at(1_600), WhisperInput::SpokenDone);
            question.handle(at(when), input);
            let said = WhisperEffect::Say(vec![PromptId::new("solved-question")]);
            assert_eq!(drain(|| question.poll_effect()), [said, last]);
        }
    }
}

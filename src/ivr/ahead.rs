//! Keys that came before anybody asked: in the dial string (`7100,,3`), or while something was said.

use crate::digit::Digit;
use crate::ivr::facts::SettledBy;
use crate::ivr::interpreter::Interpreter;
use crate::ivr::plan::At;

/// Keys that are kept for the next question. Nobody knows a longer way by heart.
const MAX_TYPED_AHEAD: usize = 16;

/// What all that was typed ahead means where no question has taken it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ahead {
    Person,
    Operator,
    /// An answer, if it is asked for.
    Answer,
}

impl Interpreter {
    pub(super) fn type_ahead(&mut self, key: Digit) {
        if self.typed.len() < MAX_TYPED_AHEAD {
            self.typed.push_back(key);
        }
    }

    /// Where the walk begins.
    pub(super) fn first_step(&mut self) -> At {
        let ahead = self.ahead();
        if ahead != Ahead::Answer {
            self.typed.clear();
        }
        match ahead {
            Ahead::Person => {
                self.settled = SettledBy::NoKey;
                self.plan.person
            }
            Ahead::Operator => self.plan.operator,
            Ahead::Answer => self.plan.start,
        }
    }

    /// `0` and `9` alone, and 911: in a longer number they are digits.
    pub(super) fn ahead(&self) -> Ahead {
        let typed: String = self.typed.iter().map(|key| key.as_char()).collect();
        match typed.as_str() {
            "0" => Ahead::Person,
            "9" | "911" => Ahead::Operator,
            _ => Ahead::Answer,
        }
    }
}

//! A number on its way through the keys. `0` and `9` are digits here; alone before the time-out they mean what they mean
//! everywhere, and 911 goes to the operator on its last digit (HOTLINE.md). However it is keyed, begun anew or not, a
//! number takes no longer than its digits times its wait.

use crate::digit::Digit;
use crate::ivr::plan::Number;
use crate::time::Instant;

/// Digits keyed so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub number: Number,
    digits: String,
    /// Set when keys are first waited for.
    ends: Option<Instant>,
}

/// What a key did to the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyed {
    More,
    Complete,
    /// 911.
    Emergency,
}

/// What stands there when no further key came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entered {
    Nothing,
    Person,
    Operator,
    Number(String),
}

impl Entry {
    pub(super) fn new(number: Number) -> Entry {
        Entry { number, digits: String::new(), ends: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.digits.is_empty()
    }

    /// The key that stands there alone.
    pub(super) fn lone_key(&self) -> Option<Digit> {
        let mut digits = self.digits.chars();
        digits.next().filter(|_| digits.next().is_none()).and_then(Digit::from_char)
    }

    /// How long the next key is waited for, from now. The whole number ends: `*` over and over holds nobody in it.
    pub(super) fn until(&mut self, now: Instant) -> Instant {
        let Number { wait, digits, .. } = self.number;
        let ends = *self.ends.get_or_insert(now + wait * u32::from(digits));
        ends.min(now + wait)
    }

    /// `#` ends the number, `*` begins it anew.
    pub(super) fn key(&mut self, key: Digit) -> Keyed {
        match key {
            Digit::Pound => return Keyed::Complete,
            Digit::Star => self.digits.clear(),
            Digit::A | Digit::B | Digit::C | Digit::D => {}
            Digit::D0
            | Digit::D1
            | Digit::D2
            | Digit::D3
            | Digit::D4
            | Digit::D5
            | Digit::D6
            | Digit::D7
            | Digit::D8
            | Digit::D9 => self.digits.push(key.as_char()),
        }
        if self.digits == "911" {
            Keyed::Emergency
        } else if self.digits.len() >= usize::from(self.number.digits) {
            Keyed::Complete
        } else {
            Keyed::More
        }
    }

    /// Complete by `#` or by its last digit: what stands there is the number.
    pub(super) fn complete(self) -> Entered {
        if self.digits.is_empty() { Entered::Nothing } else { Entered::Number(self.digits) }
    }

    /// No further key in time.
    pub(super) fn time_out(self) -> Entered {
        match self.digits.as_str() {
            "0" => Entered::Person,
            "9" => Entered::Operator,
            _ => self.complete(),
        }
    }
}

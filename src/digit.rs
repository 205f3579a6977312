//! The keys of a phone.

use serde::{Deserialize, Serialize};

use crate::time::{Duration, Instant};

/// A key of the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Digit {
    #[serde(rename = "0")]
    D0,
    #[serde(rename = "1")]
    D1,
    #[serde(rename = "2")]
    D2,
    #[serde(rename = "3")]
    D3,
    #[serde(rename = "4")]
    D4,
    #[serde(rename = "5")]
    D5,
    #[serde(rename = "6")]
    D6,
    #[serde(rename = "7")]
    D7,
    #[serde(rename = "8")]
    D8,
    #[serde(rename = "9")]
    D9,
    #[serde(rename = "*")]
    Star,
    #[serde(rename = "#")]
    Pound,
    A,
    B,
    C,
    D,
}

impl Digit {
    pub const ALL: [Digit; 16] = [
        Digit::D0,
        Digit::D1,
        Digit::D2,
        Digit::D3,
        Digit::D4,
        Digit::D5,
        Digit::D6,
        Digit::D7,
        Digit::D8,
        Digit::D9,
        Digit::Star,
        Digit::Pound,
        Digit::A,
        Digit::B,
        Digit::C,
        Digit::D,
    ];

    /// The event code of RFC 4733 section 3.2 (0–15), which is also the position in [`Digit::ALL`].
    pub fn event(self) -> u8 {
        self as u8
    }

    pub fn from_event(event: u8) -> Option<Digit> {
        Digit::ALL.get(usize::from(event)).copied()
    }

    pub fn as_char(self) -> char {
        char::from(b"0123456789*#ABCD"[self as usize])
    }

    pub fn from_char(key: char) -> Option<Digit> {
        let key = key.to_ascii_uppercase();
        Digit::ALL.into_iter().find(|digit| digit.as_char() == key)
    }
}

/// How a key reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DigitSource {
    /// RTP telephone-event (RFC 4733).
    TelephoneEvent,
    /// SIP INFO, application/dtmf-relay or application/dtmf.
    Info,
    /// Tones in the audio.
    InBand,
}

/// A method that says nothing of a key for this long is done with it: the slowest INFO comes within it.
pub const KEY_MERGE_WINDOW: Duration = Duration::from_millis(1_500);

/// Gives each key once, although a phone may send it by two or three methods at a time (line E65).
///
/// Each method counts the presses of a digit; a press is news when its method has counted more of them than were given so far.
/// So two quick presses of 5 stay two, by whichever methods they come and in whichever order the methods arrive.
#[derive(Clone, Debug, Default)]
pub struct KeyMerge {
    digits: [Presses; 16],
}

#[derive(Clone, Copy, Debug, Default)]
struct Presses {
    /// By method: telephone-event, INFO, in-band.
    counts: [u32; 3],
    given: u32,
    last_at: Instant,
}

impl KeyMerge {
    /// Whether this press is a new one.
    pub fn is_new(&mut self, now: Instant, digit: Digit, source: DigitSource) -> bool {
        // Sixteen digits, three sources: both indexes are the enums' own positions.
        let presses = &mut self.digits[digit as usize];
        if now.since(presses.last_at) > KEY_MERGE_WINDOW {
            *presses = Presses::default();
        }
        presses.last_at = now;
        let count = &mut presses.counts[source as usize];
        *count = count.saturating_add(1);
        let new = *count > presses.given;
        if new {
            presses.given = *count;
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DigitSource::{InBand, Info, TelephoneEvent};

    /// The given presses, as digits, of `(ms, key, source)`.
    fn merged(presses: &[(u64, char, DigitSource)]) -> String {
        let mut merge = KeyMerge::default();
        presses
            .iter()
            .filter(|(at, key, source)| {
                merge.is_new(Instant::from_millis(*at), Digit::from_char(*key).unwrap(), *source)
            })
            .map(|(_, key, _)| *key)
            .collect()
    }

    #[test]
    fn e65_a_key_by_three_methods_is_one_key() {
        assert_eq!(merged(&[(0, '5', TelephoneEvent), (60, '5', InBand), (700, '5', Info)]), "5");
        assert_eq!(merged(&[(0, '5', Info), (10, '5', InBand), (10, '5', TelephoneEvent)]), "5");
    }

    #[test]
    fn e65_two_quick_presses_stay_two() {
        assert_eq!(merged(&[(0, '5', TelephoneEvent), (150, '5', TelephoneEvent)]), "55");
        let both = [(0, '5', TelephoneEvent), (60, '5', InBand), (200, '5', TelephoneEvent), (260, '5', InBand)];
        assert_eq!(merged(&both), "55");
        let lagging = [(0, '5', TelephoneEvent), (200, '5', TelephoneEvent), (300, '5', Info), (500, '5', Info)];
        assert_eq!(merged(&lagging), "55");
    }

    #[test]
    fn e65_a_method_that_misses_one_costs_nothing() {
        assert_eq!(merged(&[(0, '1', TelephoneEvent), (300, '1', TelephoneEvent), (360, '1', InBand)]), "11");
    }

    #[test]
    fn e65_later_presses_by_another_method_count_again() {
        assert_eq!(merged(&[(0, '1', TelephoneEvent), (4_000, '1', Info), (8_000, '1', InBand)]), "111");
    }
}

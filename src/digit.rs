//! The keys of a phone.

use serde::{Deserialize, Serialize};

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

//! The little language of the command line: spans (`10s`, `500ms`) and keys in time (`1@3s,2@5s`).

use std::time::Duration;

use serde::Serialize;

use crate::digit::Digit;

/// No script of a test phone runs longer.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A key and when it is pressed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeyPress {
    pub digit: Digit,
    pub at: Duration,
}

/// How keys are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum KeyBy {
    /// RTP telephone-event (RFC 4733).
    Rtp,
    /// SIP INFO, application/dtmf-relay.
    Info,
    /// Two tones in the audio.
    Inband,
}

impl KeyBy {
    pub fn name(self) -> &'static str {
        match self {
            KeyBy::Rtp => "rtp",
            KeyBy::Info => "info",
            KeyBy::Inband => "inband",
        }
    }
}

/// How a call is put on hold: all three are met in the field (RFC 3264 section 8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum HoldBy {
    Sendonly,
    Inactive,
    /// The old way: `c=0.0.0.0`.
    Zero,
}

/// A span: `10s`, `1.5s`, `500ms`, `2m`, or a bare number of seconds.
pub fn span(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let (number, scale) = if let Some(number) = text.strip_suffix("ms") {
        (number, 0.001)
    } else if let Some(number) = text.strip_suffix('s') {
        (number, 1.0)
    } else if let Some(number) = text.strip_suffix('m') {
        (number, 60.0)
    } else {
        (text, 1.0)
    };
    let seconds: f64 =
        number.trim().parse().map_err(|_| format!("{text:?} is not a time span such as 10s or 500ms"))?;
    Duration::try_from_secs_f64(seconds * scale)
        .ok()
        .filter(|span| *span <= LONGEST)
        .ok_or_else(|| format!("{text:?} is not between 0 and 24 hours"))
}

/// Keys in time: `1@3s,2@5s`. Several digits before the `@` are pressed 300 ms apart: `4711@2s`.
pub fn keys(text: &str) -> Result<Vec<KeyPress>, String> {
    const APART: Duration = Duration::from_millis(300);
    let mut presses = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (digits, at) = part.split_once('@').ok_or_else(|| format!("{part:?} is not KEYS@TIME such as 1@3s"))?;
        let mut at = span(at)?;
        for key in digits.trim().chars() {
            let digit = Digit::from_char(key).ok_or_else(|| format!("{key:?} is no key of a phone"))?;
            presses.push(KeyPress { digit, at });
            at += APART;
        }
    }
    Ok(presses)
}

/// A value and its time: `sip:5555@10.0.0.1@8s`, split at the last `@`.
pub fn timed(text: &str) -> Result<(String, Duration), String> {
    let (what, at) = text.rsplit_once('@').ok_or_else(|| format!("{text:?} is not VALUE@TIME"))?;
    Ok((what.to_owned(), span(at)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_take_a_unit_or_mean_seconds() {
        assert_eq!(span("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(span("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(span("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(span("2m"), Ok(Duration::from_secs(120)));
        assert!(span("-1s").is_err() && span("soon").is_err() && span("9999999m").is_err());
    }

    #[test]
    fn keys_of_one_time_follow_each_other() {
        let at = |digit, ms| KeyPress { digit, at: Duration::from_millis(ms) };
        assert_eq!(keys("1@3s, 47@5s"), Ok(vec![at(Digit::D1, 3000), at(Digit::D4, 5000), at(Digit::D7, 5300)]));
        assert!(keys("x@1s").is_err() && keys("1").is_err());
    }
}

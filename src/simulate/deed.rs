//! What people do in a simulated call, as it is typed and as cases write it: `1`, `amara-osei answers`, `hang up`,
//! `operator declines`, `dana-kowalski keys 1`.

use thiserror::Error;

use crate::digit::Digit;
use crate::ids::{AnalystId, TargetId};
use crate::simulate::Who;
use crate::time::Duration;

/// Keys of one deed: a long number, keyed at once.
const MAX_KEYS: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    Keys { who: Who, keys: Vec<Digit> },
    Answers(Who),
    Declines(Who),
    HangsUp(Who),
}

/// Why a deed cannot be done, or read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeedError {
    #[error("{0}'s phone does not ring")]
    NotRinging(Who),
    #[error("{0} is not on the phone")]
    NotTalking(Who),
    #[error(
        "`{0}` is nothing that somebody does; write keys (1, 12#), hang up, NAME answers, NAME declines, NAME hangs up, NAME keys 1"
    )]
    Unreadable(String),
}

impl Deed {
    /// The analyst who does it, if it is one.
    pub fn analyst(&self) -> Option<&AnalystId> {
        let (Deed::Keys { who, .. } | Deed::Answers(who) | Deed::Declines(who) | Deed::HangsUp(who)) = self;
        match who {
            Who::Analyst(id) => Some(id),
            Who::Caller | Who::Target(_) => None,
        }
    }

    /// Reads a deed. A name that is no transfer target (`targets`) is an analyst's.
    ///
    /// # Errors
    /// [`DeedError::Unreadable`].
    pub fn read(text: &str, targets: &[TargetId]) -> Result<Deed, DeedError> {
        let unreadable = || DeedError::Unreadable(text.to_owned());
        let words: Vec<&str> = text.split_whitespace().collect();
        let who = |name: &str| match name {
            "caller" => Who::Caller,
            name => match targets.iter().find(|target| target.as_str() == name) {
                Some(target) => Who::Target(target.clone()),
                None => Who::Analyst(AnalystId::new(name)),
            },
        };
        match words.as_slice() {
            ["hang", "up"] => Ok(Deed::HangsUp(Who::Caller)),
            [name, "answers"] => Ok(Deed::Answers(who(name))),
            [name, "declines"] => Ok(Deed::Declines(who(name))),
            [name, "hangs", "up"] => Ok(Deed::HangsUp(who(name))),
            [name, "keys", keys] => {
                let keys = digits(keys).ok_or_else(unreadable)?;
                Ok(Deed::Keys { who: who(name), keys })
            }
            [keys] => {
                let keys = digits(keys).ok_or_else(unreadable)?;
                Ok(Deed::Keys { who: Who::Caller, keys })
            }
            _ => Err(unreadable()),
        }
    }
}

fn digits(text: &str) -> Option<Vec<Digit>> {
    let digits: Option<Vec<Digit>> = text.chars().map(Digit::from_char).collect();
    digits.filter(|digits| (1..=MAX_KEYS).contains(&digits.len()))
}

/// "6s", "1.25s", "800ms", "2m": shorter than a day.
pub fn span(text: &str) -> Option<Duration> {
    let (number, unit_ms) = match text {
        text if text.ends_with("ms") => (text.strip_suffix("ms")?, 1.0),
        text if text.ends_with('s') => (text.strip_suffix('s')?, 1_000.0),
        text if text.ends_with('m') => (text.strip_suffix('m')?, 60_000.0),
        _ => return None,
    };
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 = number.parse().ok().filter(|_| plain)?;
    let seconds = number * unit_ms / 1_000.0;
    (0.0..86_400.0).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

//! A worst path, to be printed and to be walked again: each step with its times and with what leads on.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use crate::digit::Digit;
use crate::ids::{StepId, TargetId};
use crate::ivr::draw::Hop;
use crate::ivr::{At, Way};
use crate::proof::MARGIN;

/// The path that attains a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// From the start. The last one is entered only, unless the call is over with it.
    pub walked: Vec<Walked>,
    /// From the INVITE, without the margin.
    pub at: Duration,
    pub outcome: Outcome,
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Analysts are alerted.
    PhonesRing,
    /// A declared target is rung.
    TargetRings(TargetId),
    /// The plan has ended the call.
    Over,
}

/// One step of a path. Times are from the INVITE, without the margin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walked {
    pub at: At,
    pub step: StepId,
    /// Its name in the file.
    pub span: Range<usize>,
    pub entered: Duration,
    pub stay: Stay,
    pub left: Duration,
    /// `None` where the path has arrived.
    pub exit: Option<Exit>,
}

/// How a step is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    Way(Way),
    /// Key `0`.
    Person,
    /// Key `9`, or 911.
    Operator,
    /// The call ends with it.
    Over,
}

/// What holds a call in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// Nothing.
    Passes,
    Speaks {
        spoken: Spoken,
    },
    /// A callback is being booked; then the words.
    Promises {
        wait: Duration,
        spoken: Option<Spoken>,
    },
    /// The words of a callback for which there is no number.
    Unpromised {
        spoken: Option<Spoken>,
    },
    /// `wait` after the words, `tries` times.
    Asks {
        spoken: Option<Spoken>,
        wait: Duration,
        tries: u8,
    },
    /// `digits` times `wait` after the words, `tries` times.
    Number {
        spoken: Option<Spoken>,
        wait: Duration,
        digits: u8,
        tries: u8,
    },
    /// Phones ring since the alert.
    Waits {
        since: Duration,
        give_up_after: Duration,
    },
    /// A target rings.
    Dials {
        ring_for: Duration,
    },
}

/// Words, at their longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// Of the first try.
    pub from: Duration,
    pub length: Duration,
}

impl Witness {
    /// "who → question (silence) → ring".
    pub fn path(&self) -> String {
        let mut path = String::new();
        for (number, walked) in self.walked.iter().enumerate() {
            if number > 0 {
                path.push_str(" → ");
            }
            path.push_str(walked.step.as_str());
            if let Some(exit) = walked.exit.and_then(Exit::told) {
                path.push_str(&format!(" ({exit})"));
            }
        }
        path
    }

    /// The same, to be drawn.
    pub fn hops(&self) -> Vec<Hop> {
        let hop = |(one, next): (&Walked, &Walked)| {
            let jump = match one.exit {
                Some(Exit::Person) => Some(Digit::D0),
                Some(Exit::Operator) => Some(Digit::D9),
                Some(Exit::Way(_) | Exit::Over) | None => None,
            };
            Hop { from: one.at, to: next.at, at: one.left, jump }
        };
        self.walked.iter().zip(self.walked.iter().skip(1)).map(hop).collect()
    }
}

/// "0 INVITE · 1 question: speaks 3.7, waits 1.5, silence → ring · 6.45 phones ring · 0.3 margin".
impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0 INVITE")?;
        for (number, walked) in self.walked.iter().enumerate() {
            if let Some(what) = walked.told() {
                write!(f, " · {} {}: {what}", seconds(walked.begins()), walked.step)?;
                if let Some(next) = self.walked.get(number + 1) {
                    write!(f, " → {}", next.step)?;
                }
            }
        }
        write!(f, " · {} {} · {} margin", seconds(self.at), self.outcome, seconds(MARGIN))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::PhonesRing => f.write_str("phones ring"),
            Outcome::TargetRings(target) => write!(f, "{target} rings"),
            Outcome::Over => f.write_str("the call is over"),
        }
    }
}

impl Walked {
    /// When what holds the call begins: its first word, if it begins with words.
    pub fn begins(&self) -> Duration {
        let spoken = match self.stay {
            Stay::Speaks { .. } | Stay::Unpromised { .. } | Stay::Asks { .. } | Stay::Number { .. } => {
                self.stay.spoken()
            }
            Stay::Passes | Stay::Promises { .. } | Stay::Waits { .. } | Stay::Dials { .. } => None,
        };
        spoken.map_or(self.entered, |spoken| spoken.from)
    }

    /// What takes time, and what ends it; `None` for a step that only leads on.
    pub fn told(&self) -> Option<String> {
        let exit = self.exit.and_then(Exit::told).map(|exit| format!(", {exit}")).unwrap_or_default();
        let words = |spoken: Option<Spoken>| {
            spoken.map(|spoken| format!("speaks {}, ", seconds(spoken.length))).unwrap_or_default()
        };
        let times = |tries: u8| if tries > 1 { format!(", {tries} times") } else { String::new() };
        let then = |spoken: Option<Spoken>| {
            spoken.map(|spoken| format!(", speaks {}", seconds(spoken.length))).unwrap_or_default()
        };
        match self.stay {
            Stay::Passes => None,
            Stay::Speaks { spoken } => Some(format!("speaks {}{exit}", seconds(spoken.length))),
            Stay::Promises { wait, spoken } => Some(format!("books for {}{}{exit}", seconds(wait), then(spoken))),
            Stay::Unpromised { spoken } => Some(format!("no number to call{}{exit}", then(spoken))),
            Stay::Asks { spoken, wait, tries } => {
                Some(format!("{}waits {}{}{exit}", words(spoken), seconds(wait), times(tries)))
            }
            Stay::Number { spoken, wait, digits, tries } => {
                Some(format!("{}{digits} keys every {}{}{exit}", words(spoken), seconds(wait), times(tries)))
            }
            Stay::Waits { since, give_up_after } => {
                let until = seconds(since + give_up_after);
                let before = match since {
                    since if since == self.entered => "ring".to_owned(),
                    since => format!("have rung since {},", seconds(since)),
                };
                Some(format!("phones {before} until {until}{exit}"))
            }
            Stay::Dials { ring_for } => Some(format!("rings {}{exit}", seconds(ring_for))),
        }
    }
}

impl Stay {
    pub fn spoken(&self) -> Option<Spoken> {
        match self {
            Stay::Speaks { spoken } => Some(*spoken),
            Stay::Asks { spoken, .. }
            | Stay::Number { spoken, .. }
            | Stay::Promises { spoken, .. }
            | Stay::Unpromised { spoken } => *spoken,
            Stay::Passes | Stay::Waits { .. } | Stay::Dials { .. } => None,
        }
    }
}

impl Exit {
    /// `None` where nothing is to be said of it: the only way on, a branch, the end.
    pub fn told(self) -> Option<String> {
        let told = match self {
            Exit::Way(Way::Next | Way::Case(_) | Way::Otherwise) | Exit::Over => return None,
            Exit::Way(Way::Key(key)) => return Some(format!("key {}", key.as_char())),
            Exit::Way(Way::Silence) => "silence",
            Exit::Way(Way::Wrong) => "wrong key",
            Exit::Way(Way::Skip) => "not asked",
            Exit::Way(Way::Accepted) => "accepted",
            Exit::Way(Way::Rejected) => "rejected",
            Exit::Way(Way::NoAnswer) => "no answer",
            Exit::Way(Way::GiveUp) => "gives up",
            Exit::Person => "key 0",
            Exit::Operator => "key 9",
        };
        Some(told.to_owned())
    }
}

/// In hundredths, rounded up: a bound is never told as less than it is.
pub fn seconds(span: Duration) -> String {
    let hundredths = span.as_micros().div_ceil(10_000);
    let (whole, part) = (hundredths / 100, hundredths % 100);
    match part {
        0 => whole.to_string(),
        tenths if tenths % 10 == 0 => format!("{whole}.{}", tenths / 10),
        _ => format!("{whole}.{part:02}"),
    }
}

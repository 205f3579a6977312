//! One choice of whom to ring, as it is stored with the call: the outcome in words for people, and the inputs that it was
//! made from, so that it can be made again.
//!
//! A large desk has hundreds of people, and a decision stays small all the same. In full stand those who are rung, those
//! who ring already, the next in line and some of those refused; the others are counted by reason, and those among them
//! who fit once more. That is enough to make the choice again: it goes down the line, and who stands behind the last one rung
//! counts in it only by number.

use jiff::civil::{Date, DateTime};
use serde::{Deserialize, Serialize};

use crate::ids::{AnalystId, Language, RungId};
use crate::routing::need::Need;
use crate::routing::rungs::Who;
use crate::routing::staff::{PhoneUse, Qualification};

/// Why these were rung and the others not: stored with the call, and replayable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub need: Need,
    pub rung: RungId,
    /// Who is rung, in order.
    pub chosen: Vec<Choice>,
    /// The next in line, and others of the hospital with the first filter that ruled them out, in words.
    pub passed_over: Vec<PassedOver>,
    /// Everybody else of the hospital, counted by reason.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub others: Vec<Others>,
    /// What the choice was made from.
    pub inputs: Snapshot,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    pub analyst: AnalystId,
    /// As which of the rung's groups.
    pub who: Who,
    /// Which of the analyst's phones ring: positions in [`crate::routing::Analyst::phones`].
    pub phones: Vec<usize>,
    /// One sentence for people: "Holds charting (expert) for epic-prod; idle longest, 12 min."
    pub because: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassedOver {
    pub analyst: AnalystId,
    pub because: String,
}

/// People who were passed over for one reason and are not listed by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Others {
    pub because: String,
    pub count: usize,
}

/// Everything that a choice reads, and nothing else: no phone number, nobody of another hospital.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The rung's groups, in order.
    pub who: Vec<Who>,
    pub at_once: u8,
    /// Of this caller's earlier call.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub continuity: Option<AnalystId>,
    /// By id.
    pub people: Vec<Person>,
    /// How many more there were.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub unlisted: usize,
    /// How many of those fit, all of them behind in line: N depends on how many are free.
    #[serde(skip_serializing_if = "is_default", default)]
    pub behind: Behind,
}

/// People who fit a rung and are not listed, as its phones are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    pub at_work: usize,
    pub on_call: usize,
}

/// One analyst at the moment of the choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Person {
    pub id: AnalystId,
    /// The calendar day at this person's desk.
    pub today: Date,
    /// Serves the hospital of the need.
    #[serde(skip_serializing_if = "is_true", default = "yes")]
    pub of_hospital: bool,
    /// Serves the site of the need, or the need names none.
    #[serde(skip_serializing_if = "is_true", default = "yes")]
    pub of_site: bool,
    pub languages: Vec<Language>,
    /// Those for the hospital and system of the need; all of the hospital's when the need names no system.
    pub qualifications: Vec<Held>,
    #[serde(skip_serializing_if = "is_false", default)]
    pub supervisor: bool,
    #[serde(skip_serializing_if = "is_true", default = "yes")]
    pub on_shift: bool,
    #[serde(skip_serializing_if = "is_false", default)]
    pub on_call: bool,
    pub presence: Presence,
    #[serde(skip_serializing_if = "is_default", default)]
    pub occupied: Occupied,
    /// Still finishing the last call.
    #[serde(skip_serializing_if = "is_false", default)]
    pub wrap_up: bool,
    pub idle_ms: u64,
    pub phones: Vec<PhoneState>,
    #[serde(skip_serializing_if = "is_default", default)]
    pub with_this_call: WithThisCall,
}

/// A qualification, and how it stands to the release that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    #[serde(flatten)]
    pub qualification: Qualification,
    /// `None`: which release runs is not known, and restricts nobody.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub release: Option<Standing>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Counts for it.
    Current,
    /// Counted for an older one, until this time of the hospital's clock.
    Stale { release: String, since: DateTime },
    /// Never counted for any that has run.
    Never { release: String },
}

/// What the analyst declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    SignedOut,
    Available,
    Paused { reason: Option<String> },
}

/// Whether a call holds the analyst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occupied {
    #[default]
    Free,
    /// Leased to a call or rung for one.
    Ringing,
    OnCall,
}

/// What this call has had to do with the analyst so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WithThisCall {
    #[default]
    Nothing,
    /// Is being rung for it, as one of this group. `counts` is false while the phone gives no sign of ringing.
    Rung { who: Who, counts: bool },
    /// Did not take it.
    Tried,
    /// The lease was refused: another call was faster.
    Refused,
}

/// One phone of an analyst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneState {
    pub usage: PhoneUse,
    #[serde(skip_serializing_if = "is_false", default)]
    pub outside: bool,
    /// A fixed address, or registered now.
    #[serde(skip_serializing_if = "is_true", default = "yes")]
    pub reachable: bool,
    /// Another analyst is rung or talks at the same phone.
    #[serde(skip_serializing_if = "is_false", default)]
    pub taken: bool,
    /// Phones with one number here are the same phone, shared by several people.
    pub line: u16,
}

// What is usual is left out of the journal.

fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn is_false(value: &bool) -> bool {
    !*value
}

fn is_true(value: &bool) -> bool {
    *value
}

fn yes() -> bool {
    true
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

//! The dial plan: what is said, what is asked, when ringing begins. Keys and deadlines in, effects out.
//!
//! [`Plan`] is an admin's TOML, checked until it can hold nothing invalid; [`Prompts`] are the recorded words and their
//! lengths; [`Interpreter`] walks one call through a plan; [`whisper`] holds the two short dialogs with an analyst at a
//! plain phone. The interpreter never waits for anybody: ringing begins as soon as the need is known, and what can still
//! be asked is asked while a phone rings.

pub mod prompts;
mod entry;
mod collect;
mod read;
pub mod condition;
pub mod plan;
pub mod parse;
pub mod ahead;
mod check;
pub mod draw;
pub mod facts;
pub mod grammar;
pub mod longest;
pub mod timing;
pub mod interpreter;
pub mod ringing;
pub mod promise;
pub mod whisper;

pub use condition::Condition;
pub use facts::{CallbackCause, Facts, HuntNews, KnownProblem, NeedPatch, Origin, SettledBy, World};
pub use interpreter::{Effect, Input, Interpreter};
pub use longest::Longest;
pub use parse::Known;
pub use plan::{At, Keyed, Plan, Slot, Step, StepKind, Utterance, Way, Word};
pub use prompts::{PromptError, Prompts};
pub use read::not_toml;
pub use whisper::{AcceptWhisper, SolvedQuestion, WhisperEffect, WhisperInput};

#[cfg(test)]
mod tests;

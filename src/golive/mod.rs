//! What must be shown before a hospital's desk goes live, and how much of it has been: a pure function of its tickets, of
//! the configuration in force and of what people have confirmed.
//!
//! ```text
//!  tickets ──▶ Evidence (one unit, phone, analyst at a time) ──┐
//!  config in force ────────────────────────────────────────────┼──▶ Checklist: a line a point, green or open, by name
//!  confirmations, standing ────────────────────────────────────┘
//! ```
//! A hospital is in rehearsal until every line is green and somebody declares it live, or somebody overrides the list with
//! a reason. Its callers notice nothing of either.

mod checklist;
mod evidence;
mod text;

pub use checklist::{Checklist, Line, Point, Progress, Subject, UnitProgress, checklist};
pub use evidence::{EVIDENCE_DAYS, Evidence};
pub use text::{Paint, opened, render, standing};

#[cfg(test)]
mod tests;

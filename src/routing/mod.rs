//! Who is rung. A pure function of logged inputs: the hard filter of qualifications, then continuity, then longest idle.
//!
//! The modules stand in the order in which a call meets them: what it needs, who there is and when they work, what they
//! do right now, who may take it, who is chosen, and how the rungs widen in time.

pub mod need;
pub mod staff;
pub mod attest;
pub mod shifts;
pub mod desk;
pub mod continuity;
pub mod decision;
pub mod qualify;
pub mod choose;
pub mod rungs;
pub mod hunt;
pub mod waiting;
pub mod incident;

pub use attest::{Attestation, Attestations, HeldAt, MAX_ATTESTATIONS};
pub use choose::{Ask, Question, at_best, choose, replay, would_change};
pub use continuity::{Continuity, Earlier};
pub use decision::{
    Behind, Choice, Decision, Held, Occupied, Others, PassedOver, Person, PhoneState, Presence, Snapshot, Standing,
    WithThisCall,
};
pub use desk::{Desk, Status};
pub use hunt::{ACCEPT_WITHIN, Hunt, HuntAction, HuntInput, HuntNews};
pub use incident::{Incident, Incidents, MAX_INCIDENT_SITES, MAX_INCIDENTS, Trouble};
pub use need::{Level, Need, OfferOutcome};
pub use qualify::Refusal;
pub use rungs::{Hunting, HuntingError, Rung, Who};
pub use shifts::{Hours, Schedule, Span, Weekly};
pub use staff::{Analyst, Modules, Phone, PhoneKind, PhoneUse, Qualification, Releases, Staff, StaffError};
pub use waiting::{Priority, Rank, WaitingLine};

#[cfg(test)]
mod tests;

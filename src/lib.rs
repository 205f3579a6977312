//! Wardline: a clinical service desk hotline server.
//!
//! A clinician dials one number from a ward phone. Wardline answers, knows from the phone where it stands and which EHR
//! runs there, asks a key only if the answer changes who is rung, rings a qualified analyst, bridges the call, and
//! keeps a ticket of it. The modules stand in the order in which a call meets them.

// Foundations.
pub mod diagnostic;
pub mod digit;
pub mod grammar;
pub mod ids;
pub mod plural;
pub mod release;
pub mod time;

// The pure core: no clock, no socket, no async, no randomness of its own.
pub mod sip;
pub mod transaction;
pub mod dialog;
pub mod registrar;
pub mod identity;
pub mod ivr;
pub mod routing;
pub mod bridge;
pub mod ticket;
pub mod call;
pub mod switch;
pub mod simulate;

// What admins write, proved and checked.
pub mod proof;
pub mod config;
pub mod golive;

// The edge.
pub mod media;
pub mod store;
pub mod api;
pub mod runtime;

// The command line, and the probe phones that speak SIP by another library.
pub mod cli;
pub mod probe;

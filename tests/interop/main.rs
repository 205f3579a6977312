//! Real phones and tools that nobody here wrote, against the running server: SIPp, baresip, linphone, pjsua2.
//!
//! Every test starts a node of its own (its own loopback address, folder, data and ports), dials it, measures the tones
//! that each side heard, and looks at what remains: one ticket, no call, no leg, no port. Peers come from
//! `tools/install.sh peers`; a missing one fails.
//!
//! `desk`, `node` and `papers` are the server's side, `peer` the bounded life of a process, `baresip`, `linphone`, `pjsua` and `sipp`
//! the peers, `tone` what is heard. The rest are the tests.

#![allow(clippy::disallowed_methods)] // Real phones take real time: waits are bounded, and look again and again.
#![allow(clippy::print_stdout, clippy::print_stderr)] // What was measured is told, and what a peer said when it failed.

mod baresip;
mod desk;
mod linphone;
mod node;
mod papers;
mod peer;
mod pjsua;
mod sipp;
mod tone;

mod bridged_calls;
mod encrypted;
mod full_house;
mod keys;
mod late_offer;
mod moves;
mod node_failure;
mod publishes;
mod races;
mod torture;

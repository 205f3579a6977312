//! Messages on the wire: the torture tests of RFC 4475 and RFC 5118, round trips, and seeded mutations of a corpus.

mod build;
mod fuzz;
mod look;
mod mutate;
mod rfc4475;
mod rfc5118;
mod roundtrip;
mod torture;

//! Whatever comes in from outside: the torture tests of RFC 4475 and RFC 5118, read alone and answered by the whole
//! switch, round trips, and seeded mutations of what the wire and admins' files may hold.

mod answers;
mod build;
mod desk;
mod fuzz;
mod fuzz_files;
mod fuzz_media;
mod ipv6;
mod look;
mod mutate;
mod rfc4475;
mod rfc5118;
mod roundtrip;
mod streams;
mod torture;

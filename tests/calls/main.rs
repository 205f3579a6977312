//! The simulated world: phones, a seeded network, a media worker and a store around the real switch, in virtual time.
//!
//! `world` is the stage and `phone`, `media` the players; `ladder` tells what happened. `rows` are HOTLINE.md's table,
//! `lines_*` the lines of SIP-BEHAVIOUR.md by number, `seeds` ten thousand random days.

mod callbacks;
mod invariants;
mod ladder;
mod lines_a;
mod lines_b;
mod lines_f;
mod media;
mod phone;
mod rows;
mod seeds;
mod world;

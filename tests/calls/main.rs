//! The simulated world: phones, a seeded network, a media worker and a store around the real switch, in virtual time.
//!
//! `world` is the stage, `setting` what stands on it, `phone` and `media` the players, `raw` what no phone would write;
//! `ladder` tells what happened, `invariants` and `hush` say what must hold after every run. `rows` are HOTLINE.md's table,
//! `lines_*` and `timers` the lines of SIP-BEHAVIOUR.md by number, `seeds` ten thousand random days.
//!
//! What callers meet: `conditions`, `keyed`, `callbacks`, `incidents`. What operators do: `operators`, `publishes`, `releases`,
//! `rehearsal`. What goes wrong: `faults`, `floods`, `restart`.

mod callbacks;
mod conditions;
mod faults;
mod floods;
mod hush;
mod incidents;
mod invariants;
mod keyed;
mod ladder;
mod lines_a;
mod lines_b;
mod lines_c;
mod lines_d;
mod lines_f;
mod lines_g;
mod media;
mod operators;
mod phone;
mod publishes;
mod raw;
mod rehearsal;
mod releases;
mod restart;
mod rows;
mod seeds;
mod setting;
mod timers;
mod world;

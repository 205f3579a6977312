//! What the routing promises, as tables and scripts. Expected values are written by hand.

mod fixture;
mod world;

mod shifts;
mod filter;
mod desk;
mod choosing;
mod releases;
mod repeats;
mod ladders;
mod laws;

//! Tables that other programs exported, made into what stands in the files: the PBX's phones into the extension map,
//! people into analysts. Everything here is text in, text out; `wardline import` reads and writes.

pub mod analysts;
pub mod columns;
pub mod grammar;
pub mod list_station;
pub mod map;
pub mod phones;
pub mod quotes;
pub mod rules;
pub mod sheet;
pub mod suggest;

#[cfg(test)]
mod kept;
#[cfg(test)]
mod tests;

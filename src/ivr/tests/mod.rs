//! The plan and its interpreter as callers meet them: HOTLINE.md's table row by row, what the check refuses, and what
//! holds for any text and any keys.

mod any;
mod check;
mod conditions;
mod keys;
mod printed;
mod rows;
pub(crate) mod world;

//! A plan as a picture: what each step says, which way leads where, and how long it takes. [`chart`] turns a plan into boxes and
//! arrows with their words; [`svg`] has them placed and writes them.

mod chart;
mod svg;

use crate::ivr::{Plan, Prompts};

/// The picture as SVG, legible on light and dark ground. The same plan and prompts always give the same bytes.
pub fn draw(plan: &Plan, prompts: &Prompts) -> String {
    svg::write(&chart::of(plan, prompts))
}

#[cfg(test)]
mod tests;

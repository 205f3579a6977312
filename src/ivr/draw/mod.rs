//! A plan as a picture: what each step says, which way leads where, and how long it takes. [`chart`] turns a plan into boxes and
//! arrows with their words; [`svg`] has them placed and writes them.

mod chart;
mod svg;

use crate::ivr::{Plan, Prompts};

/// The picture as SVG, legible on light and dark ground. The same plan and prompts always give the same bytes.
pub fn draw(plan: &Plan, prompts: &Prompts) -> String {
    svg::write(&chart::of(plan, prompts))
}

/// Everything on the picture in words, one line a box and an arrow: two plans that read the same do the same.
#[cfg(test)]
pub fn words(plan: &Plan, prompts: &Prompts) -> Vec<String> {
    let chart = chart::of(plan, prompts);
    let boxes = chart.boxes.iter().map(|own| format!("{} {:?} {:?}", own.name, own.look, own.lines));
    let arrows = chart.arrows.iter().map(|arrow| format!("{} > {} {:?}", arrow.from, arrow.to, arrow.lines));
    boxes.chain(arrows).collect()
}

#[cfg(test)]
mod tests;

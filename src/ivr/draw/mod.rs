//! A plan as a picture: what each step says, which way leads where, how long it takes, and which path is the slowest.
//! [`chart`] turns a plan into boxes and arrows with their words; [`svg`] has them placed and writes them.

mod chart;
mod svg;

use std::time::Duration;

use crate::digit::Digit;
use crate::ivr::{At, Plan, Prompts};

pub use chart::wrapped;

/// The slowest path to something, as the prover found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slowest {
    pub to: Goal,
    /// From the INVITE, `margin` included.
    pub within: Duration,
    pub margin: Duration,
    /// What the plan declares.
    pub limit: Duration,
    pub hops: Vec<Hop>,
}

/// What a slowest path leads to, which gives it its colour, its dashes and the name on its ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Goal {
    FirstOffer,
    QualifiedOffer,
    End,
}

impl Goal {
    /// As `wardline check` and the picture name it.
    pub fn name(self) -> &'static str {
        match self {
            Goal::FirstOffer => "first offer",
            Goal::QualifiedOffer => "qualified offer",
            Goal::End => "end",
        }
    }
}

/// From one step of a path to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    pub from: At,
    pub to: At,
    /// From the INVITE, without the margin.
    pub at: Duration,
    /// The key that jumps here from anywhere, `0` or `9`; the step itself declares no such way.
    pub jump: Option<Digit>,
}

/// The picture as SVG, legible on light and dark ground. The same plan, prompts and paths always give the same bytes.
pub fn draw(plan: &Plan, prompts: &Prompts, slowest: &[Slowest]) -> String {
    svg::write(&chart::of(plan, prompts, slowest), slowest)
}

/// Everything on the picture in words, one line a box and an arrow: two plans that read the same do the same.
#[cfg(test)]
pub fn words(plan: &Plan, prompts: &Prompts) -> Vec<String> {
    let chart = chart::of(plan, prompts, &[]);
    let boxes = chart.boxes.iter().map(|own| format!("{} {:?} {:?}", own.name, own.look, own.lines));
    let arrows = chart.arrows.iter().map(|arrow| format!("{} > {} {:?}", arrow.from, arrow.to, arrow.lines));
    boxes.chain(arrows).collect()
}

#[cfg(test)]
mod tests;

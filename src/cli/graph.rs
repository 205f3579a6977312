//! `wardline graph`: a dial plan as a picture, its slowest paths marked.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;

use crate::cli::exit::{Outcome, Refused, Usage};
use crate::cli::out::Out;
use crate::config::{self, Surroundings, render};
use crate::ids::PlanId;
use crate::ivr::draw;
use crate::proof::Proof;

#[derive(Debug, Args)]
pub struct GraphArgs {
    /// The plan; may be left out where there is only one
    plan: Option<String>,
    /// Write it here instead of printing it
    #[arg(long, value_name = "FILE.svg")]
    out: Option<PathBuf>,
}

pub fn run(folder: &Path, args: &GraphArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let loaded = config::load(folder, &Surroundings::of_process(Timestamp::now()));
    let config = loaded.map_err(|report| Refused(render::text(&report, true)))?.config;
    let known: Vec<&str> = config.plans.keys().map(PlanId::as_str).collect();
    let plan = match (&args.plan, config.plans.values().collect::<Vec<_>>().as_slice()) {
        (Some(name), _) => config.plans.get(name.as_str()),
        (None, [only]) => Some(*only),
        (None, _) => None,
    };
    let Some(plan) = plan else {
        return Err(Usage(format!("say which plan: one of {}", known.join(", "))).into());
    };
    let slowest = config.proofs.get(&plan.id).map(Proof::slowest).unwrap_or_default();
    let picture = draw::draw(plan, &config.prompts, &slowest);
    match &args.out {
        Some(path) => fs::write(path, picture).with_context(|| format!("cannot write {}", path.display()))?,
        None => write!(out, "{picture}")?,
    }
    Ok(Outcome::Done)
}

//! `wardline stickers`: a page of A6 stickers, one for each unit.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;

use crate::cli::exit::{Outcome, Refused, Usage};
use crate::cli::out::{Out, tell};
use crate::config::{self, Hospital, Hotline, Surroundings, render, stickers};
use crate::diagnostic::nearest;
use crate::identity::Unit;
use crate::plural::counted;

#[derive(Debug, Args)]
pub struct StickersArgs {
    /// Whose units; may be left out where there is one hospital
    #[arg(long, value_name = "ID")]
    hospital: Option<String>,
    /// The number that is printed; the first hotline, unless given
    #[arg(long, value_name = "NUMBER")]
    hotline: Option<String>,
    /// Only these units
    #[arg(long, value_name = "ID")]
    unit: Vec<String>,
    /// Write it here instead of printing it
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
}

pub fn run(folder: &Path, args: &StickersArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let loaded = config::load(folder, &Surroundings::of_process(Timestamp::now()));
    let config = loaded.map_err(|report| Refused(render::text(&report, true)))?.config;
    let hospital = config.one_hospital(args.hospital.as_deref()).map_err(Usage)?;
    let hotline = hotline(hospital, args.hotline.as_deref())?;
    let units = units(hospital, &args.unit)?;
    if units.is_empty() {
        return Err(Refused(format!("{} has no units yet: `wardline import phones` or [units]", hospital.name)).into());
    }
    let stickers = counted(units.len(), "sticker");
    let page = stickers::page(hospital, hotline, units.into_iter());
    match &args.out {
        Some(path) => {
            fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?;
            tell(&format!("{stickers} in {}; print them from a browser on A6, without margins", path.display()));
        }
        None => write!(out, "{page}")?,
    }
    Ok(Outcome::Done)
}

fn hotline<'a>(hospital: &'a Hospital, wanted: Option<&str>) -> anyhow::Result<&'a Hotline> {
    let all: Vec<&str> = hospital.hotlines.keys().map(|number| number.as_str()).collect();
    let found = match wanted {
        Some(number) => hospital.hotlines.values().find(|hotline| hotline.number.as_str() == number),
        None => hospital.hotlines.values().next(),
    };
    Ok(found.ok_or_else(|| Usage(format!("no hotline has this number; there are {}", all.join(", "))))?)
}

fn units<'a>(hospital: &'a Hospital, wanted: &[String]) -> anyhow::Result<Vec<&'a Unit>> {
    let all: Vec<&Unit> = hospital.directory.units().collect();
    for id in wanted {
        if !all.iter().any(|unit| unit.id.as_str() == id) {
            let near = nearest(id, all.iter().map(|unit| unit.id.as_str()));
            let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            return Err(Usage(format!("no unit is called {id}{hint}")).into());
        }
    }
    let chosen = |unit: &&Unit| wanted.is_empty() || wanted.iter().any(|id| id == unit.id.as_str());
    Ok(all.into_iter().filter(chosen).collect())
}

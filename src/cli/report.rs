//! `wardline report`: the desk's figures of a time, computed anew from the raw events.

use std::io::Write;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::exit::{Outcome, Usage};
use crate::cli::out::Out;
use crate::cli::place::Place;
use crate::ids::HospitalId;
use crate::store::{blocking, open_readonly};
use crate::ticket::{Period, render};

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// From then on: 7d, 24h, today, 2026-07-01
    #[arg(long, value_name = "TIME", default_value = "7d")]
    pub since: String,
    /// Until then; now, unless given
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Of this hospital alone
    #[arg(long)]
    pub hospital: Option<String>,
    /// Of the calls of hospitals in rehearsal instead, which the report leaves out otherwise
    #[arg(long)]
    pub rehearsal: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

pub fn run(place: &Place, args: &ReportArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let hospital = args.hospital.as_deref().map(HospitalId::new);
    place.knows_hospital(hospital.as_ref())?;
    let now = Timestamp::now();
    let from = place.since(&args.since, now, hospital.as_ref())?;
    let to = args.until.as_deref().map_or(Ok(now), |until| place.until(until, now, hospital.as_ref()))?;
    if from >= to {
        return Err(Usage("--since must be before --until".to_owned()).into());
    }
    let period = Period { from, to };
    let report = blocking(async || {
        let mut view = open_readonly(&place.data_dir).await?;
        match args.rehearsal {
            true => view.rehearsal(period, hospital.as_ref()).await,
            false => view.report(period, hospital.as_ref()).await,
        }
    })??;
    if args.json {
        out.json(&report)?;
    } else {
        let zone = hospital.map_or_else(|| place.one_zone(), |hospital| Some(place.zone_of(&hospital)));
        let zone = zone.unwrap_or(TimeZone::UTC);
        write!(out, "{}", render(&report, &zone))?;
    }
    Ok(Outcome::Done)
}

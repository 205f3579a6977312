//! `wardline incidents`: known problems, opened and resolved by hand. Callers whom one concerns hear of it.

use std::io::Write;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::api::wire::{Done, IncidentList, OpenIncident, ResolveIncident};
use crate::cli::client::Client;
use crate::cli::exit::Outcome;
use crate::cli::out::{Out, padded};
use crate::cli::place::Place;
use crate::ids::{ModuleId, PromptId, SiteId, SystemId};
use crate::routing::{Incident, Trouble};

#[derive(Debug, Subcommand)]
pub enum IncidentsCommand {
    /// Tell callers of a known problem from now on
    #[command(after_help = "Example:
  wardline incidents open --system meridian-prod --module charting --prompt known-problem-charting \\
      --note \"Charting takes 20 s to open since 7:40; vendor ticket 8812\" --by \"J. Kim\"")]
    Open(OpenArgs),
    /// The active ones
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// It is fixed: nobody is told any more, and whoever asked for it is called
    Resolve {
        /// Its number
        incident: u64,
        /// Who says so
        #[arg(long, value_name = "NAME")]
        by: String,
    },
}

#[derive(Debug, Args)]
pub struct OpenArgs {
    /// Needed when several hospitals have the system
    #[arg(long, value_name = "ID")]
    hospital: Option<String>,
    /// Which system has it
    #[arg(long, value_name = "ID")]
    system: String,
    /// Only this module of it
    #[arg(long, value_name = "ID")]
    module: Option<String>,
    /// Only at these sites
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    sites: Vec<String>,
    /// What callers hear: a prompt of prompts/LANGUAGE/manifest.toml, at most 4 s
    #[arg(long, value_name = "PROMPT")]
    prompt: String,
    /// What analysts read
    #[arg(long, value_name = "TEXT")]
    note: String,
    /// The system does not work at all: plans may branch on `system_down`
    #[arg(long)]
    down: bool,
    /// Who says so
    #[arg(long, value_name = "NAME")]
    by: String,
}

pub fn run(place: &Place, command: &IncidentsCommand, out: &mut Out) -> anyhow::Result<Outcome> {
    let client = Client::new(&place.socket)?;
    match command {
        IncidentsCommand::Open(args) => {
            let wanted = OpenIncident { by: args.by.clone(), what: trouble(place, args)? };
            let done: Done = client.post("/v1/incidents", &wanted)?;
            writeln!(out, "{}", done.done)?;
        }
        IncidentsCommand::List { json } => list(&client.get::<IncidentList>("/v1/incidents")?.incidents, *json, out)?,
        IncidentsCommand::Resolve { incident, by } => {
            let wanted = ResolveIncident { by: by.clone() };
            let done: Done = client.post(&format!("/v1/incidents/{incident}/resolve"), &wanted)?;
            writeln!(out, "{}", done.done)?;
        }
    }
    Ok(Outcome::Done)
}

fn trouble(place: &Place, args: &OpenArgs) -> anyhow::Result<Trouble> {
    let system = SystemId::new(&args.system);
    Ok(Trouble {
        hospital: place.hospital_with(args.hospital.as_deref(), &system)?,
        system,
        module: args.module.as_deref().map(ModuleId::new),
        sites: args.sites.iter().map(|site| SiteId::new(site)).collect(),
        prompt: PromptId::new(&args.prompt),
        note: args.note.clone(),
        down: args.down,
    })
}

fn list(incidents: &[Incident], json: bool, out: &mut Out) -> anyhow::Result<()> {
    if json {
        return out.json(&json!({ "incidents": incidents }));
    }
    if incidents.is_empty() {
        writeln!(out, "no incident is active")?;
    }
    for incident in incidents {
        let what = &incident.what;
        let module = what.module.as_ref().map(|module| format!("/{module}")).unwrap_or_default();
        let sites: Vec<&str> = what.sites.iter().map(SiteId::as_str).collect();
        let place = if sites.is_empty() { "everywhere".to_owned() } else { sites.join(", ") };
        let down = if what.down { ", down" } else { "" };
        writeln!(
            out,
            "{} {} {}  {} (since {} by {})",
            padded(&incident.id.to_string(), 4),
            padded(&format!("{}{module}{down}", what.system), 28),
            padded(&place, 16),
            what.note,
            incident.opened.strftime("%Y-%m-%d %H:%M UTC"),
            incident.by,
        )?;
    }
    Ok(())
}

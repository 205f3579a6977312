//! `wardline golive`: what must still be shown before a hospital's desk goes live, and who let it go live.

use std::io::Write;

use clap::{Args, Subcommand};

use crate::api::wire::{Confirm, Done, GoLive, SetStanding};
use crate::cli::client::{Client, segment};
use crate::cli::exit::{Outcome, Usage};
use crate::cli::out::{Out, green, yellow};
use crate::cli::place::Place;
use crate::diagnostic::nearest;
use crate::golive::{Checklist, Progress, render};
use crate::ids::HospitalId;
use crate::ticket::{Passage, Vouched};

pub const EXAMPLES: &str = "Examples:
  wardline golive                            what is still open, by name
  wardline golive confirm code-number --by \"J. Kim\" --note \"dialled 5555 on 4 West at 10:10, the switchboard answered\"
  wardline golive declare --by \"J. Kim\"      only when every line is green
  wardline golive override --by \"J. Kim\" --reason \"Oncology moves in on Friday and is walked then\"

Exits 0 when each hospital that is shown is live or green, 1 while one is open, 2 without a running server.";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct GoliveArgs {
    /// This hospital alone
    #[arg(long, value_name = "ID")]
    hospital: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    deed: Option<Deed>,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Say that something is so which no call can show: places, code-number, 911, rota
    Confirm {
        /// places: each phone stands where the map says; code-number: it was dialled at a ward phone and reached its people;
        /// 911: the PBX routes it, and it does not come to the desk; rota: it is kept elsewhere, and leaves no hour to nobody
        #[arg(value_parser = vouched)]
        item: Vouched,
        #[command(flatten)]
        who: Who,
        /// How it was seen
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
    /// Go live: only when every line is green
    Declare {
        #[command(flatten)]
        who: Who,
    },
    /// Go live with lines still open, in somebody's name and for a reason
    Override {
        #[command(flatten)]
        who: Who,
        /// Why it goes live all the same
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Back to rehearsal: what was shown before does not count any more
    Rehearse {
        #[command(flatten)]
        who: Who,
        /// What has changed
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

#[derive(Debug, Args)]
struct Who {
    /// Needed when there are several hospitals
    #[arg(long, value_name = "ID")]
    hospital: Option<String>,
    /// Who says so
    #[arg(long, value_name = "NAME")]
    by: String,
}

fn vouched(text: &str) -> Result<Vouched, String> {
    Vouched::parse(text).ok_or_else(|| format!("write one of {}", Vouched::ALL.map(Vouched::as_str).join(", ")))
}

pub fn run(place: &Place, args: &GoliveArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let client = Client::new(&place.socket)?;
    let (who, passage) = match &args.deed {
        None => return show(place, &client, args, out),
        Some(Deed::Confirm { item, who, note }) => {
            let wanted = Confirm { item: *item, by: who.by.clone(), note: note.clone() };
            return ask(place, &client, who, "confirm", &wanted, out);
        }
        Some(Deed::Declare { who }) => (who, Passage::Declare),
        Some(Deed::Override { who, reason }) => (who, Passage::Override { reason: reason.clone() }),
        Some(Deed::Rehearse { who, reason }) => (who, Passage::Rehearse { reason: reason.clone() }),
    };
    ask(place, &client, who, "standing", &SetStanding { by: who.by.clone(), passage }, out)
}

fn ask(
    place: &Place,
    client: &Client,
    who: &Who,
    what: &str,
    wanted: &impl serde::Serialize,
    out: &mut Out,
) -> anyhow::Result<Outcome> {
    let hospital = place.hospital(who.hospital.as_deref())?;
    let done: Done = client.post(&format!("/v1/golive/{}/{what}", segment(hospital.as_str())), wanted)?;
    writeln!(out, "{}", done.done)?;
    Ok(Outcome::Done)
}

fn show(place: &Place, client: &Client, args: &GoliveArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let mut hospitals = client.get::<GoLive>("/v1/golive")?.hospitals;
    if let Some(wanted) = &args.hospital {
        let known: Vec<String> = hospitals.iter().map(|list| list.hospital.to_string()).collect();
        hospitals.retain(|list| list.hospital.as_str() == wanted);
        if hospitals.is_empty() {
            let near = nearest(wanted, known.iter().map(String::as_str));
            let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            return Err(Usage(format!("no hospital is called {wanted}{near}")).into());
        }
    }
    let ready = hospitals.iter().all(|list| list.is_live() || list.green);
    if args.json {
        out.json(&GoLive { hospitals })?;
    } else {
        let text = |list: &Checklist| render(list, &place.zone_of(&list.hospital), paint);
        write!(out, "{}", hospitals.iter().map(text).collect::<Vec<_>>().join("\n"))?;
    }
    Ok(if ready { Outcome::Done } else { Outcome::Refused })
}

fn paint(progress: Progress, word: &str) -> String {
    match progress {
        Progress::Green => green(word),
        Progress::Open => yellow(word),
        Progress::NotAvailable => word.to_owned(),
    }
}

/// "mercy-harbor, cedar-point" of those in rehearsal.
pub fn named<'a>(hospitals: impl Iterator<Item = &'a HospitalId>) -> String {
    hospitals.map(HospitalId::as_str).collect::<Vec<_>>().join(", ")
}

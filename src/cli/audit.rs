//! `wardline audit`: who changed what, when and why. Reading needs no server.

use std::io::Write;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::exit::Outcome;
use crate::cli::out::{Out, tell};
use crate::cli::place::Place;
use crate::store::{MAX_AUDIT_LINES, blocking, open_readonly};

#[derive(Debug, Args)]
pub struct AuditArgs {
    /// From then on: 7d, 24h, today, 2026-07-01
    #[arg(long, value_name = "TIME", default_value = "7d")]
    since: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub fn run(place: &Place, args: &AuditArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let since = place.since(&args.since, Timestamp::now(), None)?;
    let lines = blocking(async || open_readonly(&place.data_dir).await?.audit(since).await)??;
    if lines.len() == MAX_AUDIT_LINES {
        tell(&format!(
            "wardline: only the newest {MAX_AUDIT_LINES} lines are shown; a later --since shows all of its time"
        ));
    }
    if args.json {
        out.json(&lines)?;
        return Ok(Outcome::Done);
    }
    let zone = place.one_zone().unwrap_or(TimeZone::UTC);
    for line in &lines {
        let at = line.at.to_zoned(zone.clone());
        let reason = line.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let at = at.strftime("%Y-%m-%d %H:%M:%S %Z");
        writeln!(out, "{at}  {}  {} {}{reason}", line.actor, line.action, line.object)?;
    }
    if lines.is_empty() {
        writeln!(out, "nothing was changed")?;
    }
    Ok(Outcome::Done)
}

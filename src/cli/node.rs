//! `wardline serve`, `reload` and `drain`: the node itself.

use std::io::{IsTerminal, Write};
use std::path::Path;

use clap::Args;
use serde_json::json;

use crate::api::ReloadKind;
use crate::api::wire::{Done, NodeStatus, Reload};
use crate::cli::client::Client;
use crate::cli::exit::{Outcome, Unreachable};
use crate::cli::logging;
use crate::cli::out::{Out, tell};
use crate::cli::place::Place;
use crate::plural::counted;
use crate::runtime::publish::Invalid;
use crate::runtime::{serve, versions};
use crate::time::Duration;

/// How often `drain --wait` looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub struct DrainArgs {
    /// Come back only when the last call has ended; 1 after this many seconds with calls still up
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
}

/// Runs until a signal stops it.
pub fn serve(folder: &Path) -> anyhow::Result<Outcome> {
    let chosen = versions::choose(folder).map_err(for_stderr);
    // Held to the end: the last lines are written when it is dropped.
    let _logging = logging::start(chosen.as_ref().ok().map(|chosen| &chosen.loaded.config.node.log));
    logging::panics_to_log();
    serve::serve(chosen?)?;
    Ok(Outcome::Done)
}

/// Standard error is the log unless somebody looks at it: then it repeats nothing of the files.
fn for_stderr(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<Invalid>() {
        Ok(invalid) if !std::io::stderr().is_terminal() => {
            let text = format!("the configuration is not valid at {}: see `wardline check`", invalid.places);
            Invalid { text, ..invalid }.into()
        }
        Ok(invalid) => invalid.into(),
        Err(error) => error,
    }
}

pub fn reload(place: &Place, out: &mut Out) -> anyhow::Result<Outcome> {
    let client = Client::new(&place.socket)?;
    let done: Done = client.post("/v1/reload", &Reload { what: ReloadKind::Config })?;
    writeln!(out, "{}", done.done)?;
    Ok(Outcome::Done)
}

pub fn drain(place: &Place, args: &DrainArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let client = Client::new(&place.socket)?;
    let done: Done = client.post("/v1/drain", &json!({}))?;
    writeln!(out, "{}", done.done)?;
    let Some(seconds) = args.wait else { return Ok(Outcome::Done) };
    let deadline = std::time::Instant::now() + Duration::from_secs(seconds);
    loop {
        let up = match client.get::<NodeStatus>("/v1/status") {
            Ok(status) => status.switch.calls + status.switch.calling_back,
            // It stopped meanwhile.
            Err(error) if error.is::<Unreachable>() => 0,
            Err(error) => return Err(error),
        };
        if up == 0 {
            writeln!(out, "no call is up")?;
            return Ok(Outcome::Done);
        }
        if std::time::Instant::now() >= deadline {
            let are = if up == 1 { "is" } else { "are" };
            tell(&format!("wardline: {} {are} still up", counted(up, "call")));
            return Ok(Outcome::Refused);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

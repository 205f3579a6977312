//! The command line: what may be typed, and who does it. Nothing here is on a call's way; commands that change a running
//! node talk to its control socket, commands that only read look into the data directory themselves.

#![allow(clippy::wildcard_enum_match_arm)] // Edge: foreign error kinds are shown as they read.
#![allow(clippy::disallowed_methods)] // An edge module: people ask what is true now.

mod analysts;
pub mod answer;
mod audit;
pub mod call;
mod check;
mod client;
mod coverage;
mod doctor;
mod exit;
mod golive;
mod graph;
mod import;
mod incidents;
mod init;
mod logging;
mod moment;
mod node;
mod out;
mod people;
mod place;
mod proofs;
mod report;
mod simulate;
mod schema;
mod stickers;
mod tickets;
mod versions;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Styles};
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::cli::exit::Outcome;
use crate::cli::out::Out;
use crate::cli::place::Place;
use crate::ids::TicketNumber;

pub use client::Client;
pub use exit::{Refused, Unreachable};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "Examples:
  wardline init                              a first configuration from a few questions
  wardline import phones phones.csv          which phone stands where, from the PBX's export
  wardline check                             is what stands in sip-config/ right?
  wardline simulate --from 4710              try a call without a phone
  wardline coverage --weeks 4                which hours has nobody?
  wardline serve                             run the node until SIGTERM or Ctrl-C
  wardline analysts set-password amara       give a phone its password
  wardline analysts set-state amara-osei available
  wardline tickets list --since today        what happened today
  wardline incidents open --system meridian-prod --prompt known-problem-charting --note … --by …
  wardline golive                            what is open before a hospital goes live?
  wardline explain 1042                      one call in a paragraph
  wardline call sip:7100@127.0.0.1:5060 --from 4710 --ladder
  wardline diff                              what would change if I published now?
  wardline publish -m 'night rota'           check what was edited, and put it into force
  wardline versions                          who published what, when and why
  wardline rollback 7 -m 'as on Monday'      an earlier version again, files included";

/// Clinical service desk hotline: a ward phone calls, a qualified analyst answers, a ticket remains
#[derive(Debug, Parser)]
#[command(name = "wardline", version, styles = STYLES, max_term_width = 100)]
#[command(after_help = "`wardline --help` has examples and exit codes; `wardline COMMAND --help` tells more of each.")]
#[command(after_long_help = format!("{EXAMPLES}\n\n{}", exit::TABLE))]
pub struct Arguments {
    /// The folder that holds wardline.toml, hospital.toml, analysts.toml and plans/
    #[arg(long, global = true, env = "WARDLINE_CONFIG", default_value = "sip-config", value_name = "DIR")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the node
    ///
    /// Runs until SIGTERM or SIGINT: then new calls are refused, calls that are up may finish within `drain`, and the
    /// rest are ended. The newest published version runs; the files are drafts of the next one, and the log says where
    /// they differ. Where nothing was published, the files become version 1. SIGHUP publishes them. The log goes to
    /// standard error: text on a terminal, JSON otherwise. Exits 64 when neither a version nor the files can run.
    #[command(after_long_help = exit::TABLE)]
    Serve,
    /// Make a first configuration from a few questions, and tell what to set at the PBX
    ///
    /// Asks at the terminal for what no flag gives; each answer is checked at once. Overwrites nothing. The files pass
    /// `wardline check` as they are, and the plan is proved.
    #[command(after_help = init::EXAMPLES)]
    Init(Box<init::InitArgs>),
    /// Take what other programs export into the files: the PBX's phones, people
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// Check the configuration: every error at once, with file, line, column and remedy
    #[command(
        after_help = "Exits 1 when the configuration is refused. Any value of wardline.toml may be overridden by the
environment: WARDLINE__MEDIA__PORTS=30000-30999 stands for `ports` in [media]."
    )]
    Check(check::CheckArgs),
    /// Try a call without a phone: the very interpreter and router of live calls, at any time of any day
    #[command(after_help = simulate::EXAMPLES)]
    Simulate(Box<simulate::SimulateArgs>),
    /// Who covers what, when: holes, hours with one person, what expires or goes stale and which hours that uncovers
    #[command(after_help = coverage::EXAMPLES)]
    Coverage(coverage::CoverageArgs),
    /// Draw a dial plan as SVG: what is said, which key leads where, how long it takes
    Graph(graph::GraphArgs),
    /// Make a page of A6 stickers for printing, one for each unit: the number, and what the keys do
    #[command(after_help = "Examples:
  wardline stickers --out stickers.html      then print it from a browser
  wardline stickers --unit icu --out icu.html")]
    Stickers(stickers::StickersArgs),
    /// Print the JSON Schema of a file, for completion in editors
    #[command(after_help = "Examples:
  wardline schema plan
  wardline schema --out sip-config/schema    all of them; the sample files name them in their first line")]
    Schema(schema::SchemaArgs),
    /// Call as a test phone: dial, key, play, record, measure
    Call(Box<call::CallArgs>),
    /// Answer calls as an analyst's test phone
    Answer(Box<answer::AnswerArgs>),
    /// What is remembered of calls
    #[command(subcommand)]
    Tickets(tickets::TicketsCommand),
    /// Tell one call in a paragraph: who called, who was rung and why, what came of it
    Explain {
        /// The ticket's number
        number: u64,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// The people who take calls
    #[command(subcommand)]
    Analysts(analysts::AnalystsCommand),
    /// The clinicians who call: their PINs, and who is locked out
    #[command(subcommand)]
    People(people::PeopleCommand),
    /// Known problems that callers are told of
    #[command(subcommand)]
    Incidents(incidents::IncidentsCommand),
    /// What must be shown before a hospital goes live, and what is still open
    ///
    /// A hospital is in rehearsal until every line is green and somebody declares it live, or somebody overrides the list
    /// with a reason. Callers notice nothing of it: their calls are answered as ever. Tickets of a rehearsal say so, and stay
    /// out of the figures.
    #[command(after_help = golive::EXAMPLES)]
    Golive(golive::GoliveArgs),
    /// The desk's figures: seconds to human, abandonment, callbacks, first contact, repeats
    #[command(after_help = "Examples:
  wardline report                            the last seven days
  wardline report --since 2026-07-01 --until 2026-08-01 --hospital mercy-harbor --json")]
    Report(report::ReportArgs),
    /// Who changed what, when and why, oldest first
    Audit(audit::AuditArgs),
    /// Look at everything that can keep the node from answering calls; exits 1 when something does
    Doctor(doctor::DoctorArgs),
    /// Put the edited files into force as a new version: checked, numbered, kept
    ///
    /// Calls that are up finish on the version they began with; nobody is signed out. Files with errors change nothing
    /// and are shown. If somebody else has published since your files were taken, nothing is published and you are shown
    /// what they changed. Without a running node the next start runs the new version.
    #[command(after_help = "Examples:
  wardline publish -m \"ring the night mobile for 20 s\"
  wardline publish --onto 9 -m \"both rotas\"           after taking version 9 in
  wardline publish --at-restart -m \"second listener\"  for what needs a restart")]
    Publish(versions::PublishArgs),
    /// What was published: number, time, author, digest, why, and which is active
    Versions(versions::VersionsArgs),
    /// What differs: steps, rungs, people, extensions, field by field
    #[command(after_help = "Examples:
  wardline diff           from the active version to the files
  wardline diff 7         from version 7 to the files
  wardline diff 7 9       from version 7 to version 9
  wardline diff --text    line by line, comments included")]
    Diff(versions::DiffArgs),
    /// Make an earlier version the next one; the files follow, and what was edited by hand is kept beside
    Rollback(versions::RollbackArgs),
    /// Show a version's files, or write them into a folder
    ShowVersion(versions::ShowVersionArgs),
    /// Publish the running node's own files, as SIGHUP does; invalid ones change nothing and are shown
    Reload,
    /// Refuse new calls from now on, as before a restart; calls that are up go on
    Drain(node::DrainArgs),
}

/// Reads the arguments, does what they say and gives the exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help that nobody reads is no failure.
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return ExitCode::from(if asked { exit::OK } else { exit::USAGE });
        }
    };
    exit::code(run(&arguments.config, &arguments.command, &mut Out::standard()))
}

fn run(folder: &Path, command: &Command, out: &mut Out) -> anyhow::Result<Outcome> {
    match command {
        Command::Call(args) => Ok(Outcome::Judged(call::run(args))),
        Command::Answer(args) => Ok(Outcome::Judged(answer::run(args))),
        Command::Serve => node::serve(folder),
        Command::Init(args) => init::run(folder, args, out),
        Command::Import(command) => import::run(folder, command, out),
        Command::Check(args) => check::run(folder, args, out),
        Command::Simulate(args) => simulate::run(folder, args, out),
        Command::Coverage(args) => coverage::run(folder, args, out),
        Command::Graph(args) => graph::run(folder, args, out),
        Command::Stickers(args) => stickers::run(folder, args, out),
        Command::Schema(args) => schema::run(args, out),
        Command::Tickets(command) => tickets::run(&Place::find(folder)?, command, out),
        Command::Explain { number, json } => {
            tickets::explained(&Place::find(folder)?, TicketNumber(*number), *json, out)
        }
        Command::Analysts(command) => analysts::run(&Place::find(folder)?, command, out),
        Command::People(command) => people::run(&Place::find(folder)?, command, out),
        Command::Incidents(command) => incidents::run(&Place::find(folder)?, command, out),
        Command::Golive(args) => golive::run(&Place::find(folder)?, args, out),
        Command::Report(args) => report::run(&Place::find(folder)?, args, out),
        Command::Audit(args) => audit::run(&Place::find(folder)?, args, out),
        Command::Doctor(args) => doctor::run(folder, args, out),
        Command::Publish(args) => versions::publish(folder, args, out),
        Command::Versions(args) => versions::versions(folder, args, out),
        Command::Diff(args) => versions::diff(folder, args, out),
        Command::Rollback(args) => versions::rollback(folder, args, out),
        Command::ShowVersion(args) => versions::show(folder, args, out),
        Command::Reload => node::reload(&Place::find(folder)?, out),
        Command::Drain(args) => node::drain(&Place::find(folder)?, args, out),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_hold_together() {
        Arguments::command().debug_assert();
    }
}

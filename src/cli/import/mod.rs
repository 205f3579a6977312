//! `wardline import`: what other programs export, into the files: shown first, written when asked.

mod people;
mod phones;

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::Context;
use clap::Subcommand;
use jiff::Timestamp;

use crate::cli::exit::{Outcome, Refused};
use crate::cli::out::{Out, tell};
use crate::config::import::sheet::{MAX_BYTES, Wrong, rows};
use crate::config::{self, File, Folder, Loaded, Surroundings, compose, gather, render};
use crate::diagnostic::{Diagnostic, Report};
use crate::plural::counted;
use crate::runtime::drafts;

/// Lines of each kind that are shown; --all shows the rest.
const SHOWN: usize = 12;

#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// The PBX's phone export: which phone stands where
    ///
    /// Shows what would change, and writes nothing without --write. Units come from the rules of import.toml, then from
    /// the names of the hospital's units; what neither places is listed. Entries that somebody wrote by hand stay. Exits 1
    /// when a row was refused, or none could be placed.
    #[command(
        after_help = "Reads CUCM (Bulk Administration, export phones), Avaya (`list station`, CSV of Site Administration),
FreePBX (Bulk Handler), and any table with a header. UTF-8, UTF-16 and Windows-1252.
Examples:
  wardline import phones phones.csv                     what would change?
  wardline import phones phones.csv --write             change it
  wardline import phones list.csv --number-column Nebenstelle --text-column Raum"
    )]
    Phones(phones::PhonesArgs),
    /// People from a table: who takes calls, by which phone, for what, and when
    ///
    /// Shows who would be added, and writes nothing without --write. Several rows of one person add up; of somebody with a
    /// refused row none is taken. Who is declared already stays as they are. Exits 1 when a row was refused.
    #[command(
        after_help = "Columns, in any order, all but Name optional: Name, Id, User (a phone that registers), Extension,
Mobile (on-call; presses 1), Role (lead: rung by the last rung), Systems, Modules (names, or all), Level (basic unless
written), Languages, Sites, Shifts and On call: 'mon-fri 07:00-15:30; sat,sun 8-20'.
Examples:
  wardline import analysts people.csv
  wardline import analysts people.csv --write"
    )]
    Analysts(people::PeopleArgs),
}

pub fn run(folder: &Path, command: &ImportCommand, out: &mut Out) -> anyhow::Result<Outcome> {
    match command {
        ImportCommand::Phones(args) => phones::run(folder, args, out),
        ImportCommand::Analysts(args) => people::run(folder, args, out),
    }
}

// -- Files ------------------------------------------------------------------------------------------------------------

/// The folder as bytes and as it is understood: an import adds to what is right.
fn valid(folder: &Path) -> anyhow::Result<(Folder, Loaded)> {
    let mut report = Report::new();
    let files = gather(folder, &mut report);
    let loaded = config::load(folder, &Surroundings::of_process(Timestamp::now()));
    match (files, loaded) {
        (Some(files), Ok(loaded)) => Ok((files, loaded)),
        (_, Err(report)) => Err(Refused(format!(
            "{}an import adds to a valid folder; mend this first (`wardline check`)",
            render::text(&report, true)
        ))
        .into()),
        (None, Ok(_)) => Err(Refused(render::text(&report, true)).into()),
    }
}

fn text_of(files: &[File], at: usize) -> anyhow::Result<String> {
    let bytes = files.get(at).map(|file| file.bytes.clone()).unwrap_or_default();
    String::from_utf8(bytes).context("the file is no UTF-8")
}

fn input(path: &Path) -> anyhow::Result<Vec<u8>> {
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = match path == Path::new("-") {
        true => io::stdin().take(limit).read_to_end(&mut bytes),
        false => fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)),
    };
    read.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes)
}

/// Which of the folder's files changes.
#[derive(Clone, Copy)]
enum At {
    Hospital(usize),
    Analysts(usize),
}

/// Nothing is written that `wardline check` would refuse afterwards.
fn refuse_what_check_refuses(files: &mut Folder, at: At, text: &str) -> anyhow::Result<()> {
    let changed = match at {
        At::Hospital(at) => files.hospitals.get_mut(at),
        At::Analysts(at) => files.analysts.get_mut(at),
    };
    if let Some(file) = changed {
        file.bytes = text.as_bytes().to_vec();
    }
    match compose(files, &Surroundings::of_process(Timestamp::now()), Report::new()) {
        Ok(_) => Ok(()),
        Err(report) => {
            let errors = report.diagnostics().iter().filter(|finding| Diagnostic::is_error(finding)).count();
            let errors = counted(errors, "error");
            let shown = render::text(&report, true);
            Err(Refused(format!("{shown}with this import check would find {errors}; nothing was written")).into())
        }
    }
}

/// `name` is as findings have it: "sip-config/hospital.toml".
fn write_back(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let file = name.rsplit('/').next().unwrap_or(name);
    let path = folder.join(file);
    // A link to a file of another folder stays a link.
    drafts::replace(&path.canonicalize().unwrap_or(path), text.as_bytes())
}

// -- What is shown ----------------------------------------------------------------------------------------------------

/// Rows that are of no use, each with its line.
fn wrong_rows(wrong: &[Wrong], all: bool, out: &mut Out) -> anyhow::Result<()> {
    if wrong.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{} refused:", counted(rows(wrong), "row"))?;
    lines(wrong, all, out, |wrong| match wrong.line {
        0 => wrong.why.clone(),
        line => format!("line {line}: {}", wrong.why),
    })
}

fn lines<T>(all: &[T], every: bool, out: &mut Out, line: impl Fn(&T) -> String) -> anyhow::Result<()> {
    let most = if every { all.len() } else { SHOWN };
    for one in all.iter().take(most) {
        writeln!(out, "  {}", line(one))?;
    }
    if all.len() > most {
        writeln!(out, "  … and {} more (--all shows them)", all.len() - most)?;
    }
    Ok(())
}

/// Refused rows fail the command, whatever became of the others: a script must not take half for all.
fn ended(wrong: &[Wrong], wrote: bool) -> Outcome {
    if wrong.is_empty() {
        return Outcome::Done;
    }
    let others = if wrote { "; the others are written" } else { "" };
    let count = rows(wrong);
    let was = if count == 1 { "was" } else { "were" };
    tell(&format!("wardline: {} {was} refused{others}", counted(count, "row")));
    Outcome::Refused
}

//! `wardline check`: the files of sip-config/ as one program, everything that is wrong with them, and what was proved of
//! their plans.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::exit::Outcome;
use crate::cli::out::{Out, green};
use crate::cli::place::Place;
use crate::cli::proofs;
use crate::config::{self, Config, Folder, Loaded, Node, Surroundings, cover, render};
use crate::diagnostic::Report;
use crate::runtime::drafts;
use crate::simulate::Cases;

/// Hex digits, as `wardline versions` shows them.
const DIGEST_SHOWN: usize = 12;
use crate::plural::counted;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// As a compiler shows it: file, line, column, the marked text, what to do
    Text,
    /// One object: errors, warnings, findings
    Json,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// How findings are shown
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// Refused when there is an error; warnings alone pass.
pub fn run(folder: &Path, args: &CheckArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let now = Timestamp::now();
    let mut result = config::load(folder, &Surroundings::of_process(now));
    let mut digest = String::new();
    if let Ok(loaded) = &mut result {
        add_warnings(loaded, now)?;
        // The digest by which `wardline versions` and the log know the same content.
        if let Ok(drafts) = drafts::read(folder) {
            digest = config::digest(&drafts.content);
            read_cases(&drafts.files, loaded);
        }
    }
    let result = result.and_then(|loaded| if loaded.warnings.has_errors() { Err(loaded.warnings) } else { Ok(loaded) });
    let (report, config) = match &result {
        Ok(loaded) => (&loaded.warnings, Some(&loaded.config)),
        Err(report) => (report, None),
    };
    match args.format {
        Format::Text => text(folder, report, config, &digest, out)?,
        Format::Json => {
            let mut value = render::json(report);
            value["valid"] = json!(config.is_some());
            value["digest"] = json!(config.map(|_| &digest));
            value["proofs"] = json!(config.map(|config| proofs::json(&config.proofs)));
            value["plain"] = json!(config.map(|config| config.node.plain().collect::<BTreeMap<_, _>>()));
            value["node"] = json!(config.map(|config| node(&config.node)));
            out.json(&value)?;
        }
    }
    Ok(if config.is_some() { Outcome::Done } else { Outcome::Refused })
}

/// What the rota leaves open, attestations of the data directory counted.
pub fn add_warnings(loaded: &mut Loaded, now: Timestamp) -> anyhow::Result<()> {
    let staff = Place::attested_staff(&loaded.config)?;
    loaded.warnings.extend(cover::warnings(&loaded.config, &staff, now));
    loaded.warnings.sort();
    Ok(())
}

/// Cases are no part of what runs, so only here an error in them counts.
fn read_cases(files: &Folder, loaded: &mut Loaded) {
    for file in &files.cases {
        Cases::read(&file.name, &file.bytes, &loaded.config, &mut loaded.warnings);
    }
}

fn text(folder: &Path, report: &Report, config: Option<&Config>, digest: &str, out: &mut Out) -> anyhow::Result<()> {
    // The writer takes the colours out where they are not wanted.
    write!(out, "{}", render::text(report, true))?;
    let Some(config) = config else { return Ok(()) };
    let hotlines: usize = config.hospitals.values().map(|hospital| hospital.hotlines.len()).sum();
    let counts = [
        counted(config.hospitals.len(), "hospital"),
        counted(hotlines, "hotline"),
        counted(config.plans.len(), "plan"),
        counted(config.staff.len(), "analyst"),
        counted(config.node.trunks.len(), "trunk"),
    ];
    let (folder, digest) = (folder.display(), digest.get(..DIGEST_SHOWN).unwrap_or(digest));
    writeln!(out, "{folder} is {}: {} ({digest})", green("valid"), counts.join(", "))?;
    for (trunk, reason) in config.node.plain() {
        writeln!(out, "trunk {trunk} goes unencrypted: {reason}")?;
    }
    write!(out, "{}", proofs::text(&config.proofs))?;
    Ok(())
}

/// Where a script finds the node, overrides of the environment included.
fn node(node: &Node) -> Value {
    let sip: Vec<_> = node.listeners.values().map(|listener| listener.bind).collect();
    json!({
        "name": node.name, "data_dir": node.data_dir, "control_socket": node.control_socket,
        "metrics": node.metrics, "sip": sip,
    })
}

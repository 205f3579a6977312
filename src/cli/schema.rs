//! `wardline schema`: the JSON Schemas by which editors complete and explain what admins write.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::cli::exit::Outcome;
use crate::cli::out::Out;
use crate::config::{grammar, schema};
use crate::grammar::Table;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Name {
    Wardline,
    Hospital,
    Analysts,
    Plan,
    Prompts,
    Cases,
    Import,
}

impl Name {
    fn table(self) -> &'static Table {
        match self {
            Name::Wardline => &grammar::NODE,
            Name::Hospital => &grammar::HOSPITAL,
            Name::Analysts => &grammar::ANALYSTS,
            Name::Plan => &crate::ivr::grammar::PLAN,
            Name::Prompts => &crate::ivr::grammar::MANIFEST,
            Name::Cases => &grammar::CASES,
            Name::Import => &crate::config::import::grammar::IMPORT,
        }
    }
}

#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// The file whose schema is printed
    #[arg(value_enum, required_unless_present = "out")]
    name: Option<Name>,
    /// Write NAME.json into this folder instead; without NAME all of them
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub fn run(args: &SchemaArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let Some(folder) = &args.out else {
        if let Some(name) = args.name {
            write!(out, "{}", schema::text(name.table()))?;
        }
        return Ok(Outcome::Done);
    };
    let names = args.name.map_or_else(|| Name::value_variants().to_vec(), |name| vec![name]);
    for path in write_some(folder, names)? {
        writeln!(out, "{}", path.display())?;
    }
    Ok(Outcome::Done)
}

/// Writes the schemas of all files into a folder.
pub fn write(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    write_some(folder, Name::value_variants().to_vec())
}

fn write_some(folder: &Path, names: Vec<Name>) -> anyhow::Result<Vec<PathBuf>> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut written = Vec::new();
    for table in names.into_iter().map(Name::table) {
        let path = folder.join(format!("{}.json", table.name));
        fs::write(&path, schema::text(table)).with_context(|| format!("cannot write {}", path.display()))?;
        written.push(path);
    }
    Ok(written)
}

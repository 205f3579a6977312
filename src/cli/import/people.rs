//! `wardline import analysts`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::exit::{Outcome, Refused, Usage};
use crate::cli::import::{self, At};
use crate::cli::out::{Out, green};
use crate::config::import::analysts::{self, Known, People, Person};
use crate::config::{Config, Hospital};
use crate::plural::counted;
use crate::routing::PhoneKind;

#[derive(Debug, Args)]
pub struct PeopleArgs {
    /// The table; - reads standard input
    file: PathBuf,
    /// Whose calls they take; may be left out where there is one hospital
    #[arg(long, value_name = "ID")]
    hospital: Option<String>,
    /// Show who would be added (that is what happens without --write)
    #[arg(long, conflicts_with = "write")]
    preview: bool,
    /// Write them into the hospital's file of analysts
    #[arg(long)]
    write: bool,
    /// Show everybody, not the first of each kind
    #[arg(long)]
    all: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub fn run(folder: &Path, args: &PeopleArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let (mut files, loaded) = import::valid(folder)?;
    let hospital = loaded.config.one_hospital(args.hospital.as_deref()).map_err(Usage)?;
    let known = known(&loaded.config, hospital);
    let people = analysts::read(&import::input(&args.file)?, &known);
    let people = people.map_err(|why| Refused(format!("{}: {why}", args.file.display())))?;
    // A hospital's own file, where there are several.
    let own = format!("analysts-{}", hospital.id);
    let at = files.analysts.iter().position(|file| file.stem == own).unwrap_or(0);
    let before = import::text_of(&files.analysts, at)?;
    let name = files.analysts.get(at).context("a valid folder has a file of analysts")?.name.clone();
    let added: String = people.new.iter().map(|person| analysts::text(person, &known)).collect();
    let writes = args.write && !added.is_empty();
    if writes {
        let after = format!("{}\n{added}", before.trim_end_matches('\n'));
        import::refuse_what_check_refuses(&mut files, At::Analysts(at), &after)?;
        import::write_back(folder, &name, &after)?;
    }
    if args.json {
        out.json(&as_json(&people, &name, writes))?;
    } else {
        told(&people, &name, writes, args.all, out)?;
    }
    Ok(import::ended(&people.wrong, writes))
}

fn known(config: &Config, hospital: &Hospital) -> Known {
    let systems = hospital.directory.systems();
    let modules = |system: &crate::identity::System| system.modules.iter().map(ToString::to_string).collect();
    let phones = config.staff.iter().flat_map(|analyst| &analyst.phones);
    let users = phones.filter_map(|phone| match &phone.kind {
        PhoneKind::Registered { user } => Some(user.clone()),
        PhoneKind::Sip { .. } | PhoneKind::Trunk { .. } => None,
    });
    Known {
        hospital: hospital.id.to_string(),
        trunk: hospital.trunk.to_string(),
        systems: systems.map(|system| (system.id.to_string(), modules(system))).collect(),
        sites: hospital.directory.sites().map(|site| site.id.to_string()).collect(),
        languages: hospital.languages.iter().map(ToString::to_string).collect(),
        analysts: config.staff.iter().map(|analyst| (analyst.id.to_string(), analyst.name.clone())).collect(),
        users: users.collect(),
    }
}

fn told(people: &People, file: &str, wrote: bool, all: bool, out: &mut Out) -> anyhow::Result<()> {
    writeln!(out, "{file}: {} to add", counted(people.new.len(), "analyst"))?;
    import::lines(&people.new, all, out, |person| format!("{} {}: {}", green("+"), person.id, summary(person)))?;
    if !people.there.is_empty() {
        let there: Vec<&str> = people.there.keys().map(String::as_str).collect();
        writeln!(out, "\ndeclared already, left as they are (edit {file} itself): {}", there.join(", "))?;
    }
    if !people.unread.is_empty() {
        writeln!(out, "\ncolumns that mean nothing here: {}", people.unread.join(", "))?;
    }
    import::wrong_rows(&people.wrong, all, out)?;
    let end = match (wrote, people.new.is_empty()) {
        (true, _) => {
            format!("written to {file}; phones that register need a password: `wardline analysts set-password USER`")
        }
        (false, true) => "nothing to write".to_owned(),
        (false, false) => "nothing is written yet; --write does it".to_owned(),
    };
    writeln!(out, "\n{end}")?;
    Ok(())
}

/// "registers as lena; ehr (charting, orders) advanced; 1 shift".
fn summary(person: &Person) -> String {
    let user = person.user.as_ref().map(|user| format!("registers as {user}"));
    let extension = person.extension.as_ref().map(|number| format!("extension {number}"));
    let mobile = person.mobile.as_ref().map(|_| "a mobile".to_owned());
    let held = person.held.iter().map(|held| {
        let modules = if held.modules.is_empty() { "all".to_owned() } else { held.modules.join(", ") };
        format!("{} ({modules}) {}", held.system, held.level.as_str())
    });
    let shifts = (!person.shifts.is_empty()).then(|| counted(person.shifts.len(), "shift"));
    let duty = (!person.on_call.is_empty()).then(|| "on call".to_owned());
    let lead = person.supervisor.then(|| "lead".to_owned());
    let parts =
        [user, extension, mobile].into_iter().flatten().chain(held).chain([shifts, duty, lead].into_iter().flatten());
    parts.collect::<Vec<_>>().join("; ")
}

fn as_json(people: &People, file: &str, wrote: bool) -> Value {
    let new: Vec<Value> =
        people.new.iter().map(|person| json!({ "line": person.line, "id": person.id, "name": person.name })).collect();
    let wrong: Vec<Value> = people.wrong.iter().map(|wrong| json!({ "line": wrong.line, "why": wrong.why })).collect();
    json!({ "file": file, "written": wrote, "added": new, "there": people.there, "wrong": wrong, "unread": people.unread })
}

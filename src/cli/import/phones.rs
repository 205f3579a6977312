//! `wardline import phones`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};
use toml_edit::DocumentMut;

use crate::cli::exit::{Outcome, Refused, Usage};
use crate::cli::import::{self, At};
use crate::cli::out::{Out, green, padded, red, yellow};
use crate::config::import::columns::{self, Export, Named};
use crate::config::import::map::{self, Key, Present, Range, ranges};
use crate::config::import::phones::{self, Proposal, Removal, Wishes};
use crate::config::import::rules::{Facts, Rule};
use crate::config::import::sheet::rows;
use crate::config::import::suggest::{self, Suggestion};
use crate::config::{self, File, Folder, render};
use crate::diagnostic::Report;
use crate::identity::{NumberRules, PhoneClass};
use crate::ids::SiteId;
use crate::plural::counted;

/// Rules that are proposed at a time.
const SUGGESTED: usize = 8;

#[derive(Debug, Args)]
pub struct PhonesArgs {
    /// The export; - reads standard input
    file: PathBuf,
    /// Whose phones; may be left out where there is one hospital
    #[arg(long, value_name = "ID")]
    hospital: Option<String>,
    /// Rules that place phones; import.toml of the folder, unless given
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Show what would change (that is what happens without --write)
    #[arg(long, conflicts_with = "write")]
    preview: bool,
    /// Write it into the hospital's file
    #[arg(long)]
    write: bool,
    /// Take imported numbers off the map that the export lacks; with --write, COUNT says how many you have seen to go
    #[arg(long, value_name = "COUNT", num_args = 0..=1, require_equals = true)]
    remove: Option<Option<usize>>,
    /// The export is of this site alone: --remove leaves the others' numbers; may be given several times
    #[arg(long, value_name = "ID", requires = "remove")]
    site: Vec<String>,
    /// The header of the column of extensions
    #[arg(long, value_name = "HEADER")]
    number_column: Option<String>,
    /// The header of a column that tells the place; may be given several times
    #[arg(long, value_name = "HEADER")]
    text_column: Vec<String>,
    /// Show every phone, not the first of each kind
    #[arg(long)]
    all: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub fn run(folder: &Path, args: &PhonesArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let (mut files, loaded) = import::valid(folder)?;
    let hospital = loaded.config.one_hospital(args.hospital.as_deref()).map_err(Usage)?;
    let at = file_of(&files, hospital.id.as_str())?;
    let text = import::text_of(&files.hospitals, at)?;
    let mut document: DocumentMut = text.parse().context("the hospital's file is no TOML")?;
    let name = files.hospitals.get(at).map_or("", |file| file.name.as_str()).to_owned();
    let present = Present::read(&document).map_err(|why| Refused(format!("{name}: {why}")))?;
    let rules = read_rules(folder, args.rules.as_deref())?;
    let named = Named { number: args.number_column.clone(), text: args.text_column.clone() };
    let export = columns::read(&import::input(&args.file)?, &named);
    let export = export.map_err(|why| Refused(format!("{}: {why}", args.file.display())))?;
    let numbering =
        loaded.config.trunk(&hospital.trunk).map_or_else(NumberRules::default, |trunk| trunk.numbers.clone());
    let wishes = Wishes { remove: removal(args, &present)? };
    let proposal = phones::propose(&export, &rules, &present, &numbering, &wishes);
    let refused = wishes.remove.as_ref().and_then(|removal| proposal.may_remove(removal, args.write).err());
    map::write(&mut document, &proposal.wanted, &proposal.new_units);
    let after = document.to_string();
    let writes = args.write && after != text && refused.is_none();
    if writes {
        import::refuse_what_check_refuses(&mut files, At::Hospital(at), &after)?;
        import::write_back(folder, &name, &after)?;
    }
    let shown = Shown {
        export: &export,
        proposal: &proposal,
        file: &name,
        wrote: writes,
        refused: refused.is_some(),
        all: args.all,
    };
    match args.json {
        true => out.json(&shown.json())?,
        false => shown.text(args.write, out)?,
    }
    match (refused, proposal.is_of_use()) {
        (Some(why), _) => Err(Refused(format!("{why}. Nothing was written")).into()),
        (None, false) => {
            let refused = match rows(&proposal.wrong) {
                0 => String::new(),
                count => format!(", and {} refused", counted(count, "row")),
            };
            Err(Refused(format!("no row of the export could be placed{refused}")).into())
        }
        (None, true) => Ok(import::ended(&proposal.wrong, writes)),
    }
}

fn removal(args: &PhonesArgs, present: &Present) -> anyhow::Result<Option<Removal>> {
    for site in &args.site {
        if !present.sites.iter().any(|known| known.as_str() == site) {
            let known: Vec<&str> = present.sites.iter().map(SiteId::as_str).collect();
            return Err(Usage(format!("there is no site `{site}`; there are {}", known.join(", "))).into());
        }
    }
    let sites = || args.site.iter().map(|site| SiteId::new(site)).collect();
    Ok(args.remove.map(|confirmed| Removal { confirmed, sites: sites() }))
}

/// The file that declares a hospital.
fn file_of(files: &Folder, id: &str) -> anyhow::Result<usize> {
    let declares = |file: &File| {
        let text = String::from_utf8_lossy(&file.bytes);
        let document = toml_edit::Document::parse(text.as_ref()).ok();
        document.is_some_and(|document| document.get("id").and_then(toml_edit::Item::as_str) == Some(id))
    };
    files.hospitals.iter().position(declares).with_context(|| format!("no file declares {id}"))
}

/// The rules that are named, or those of the folder, or none.
fn read_rules(folder: &Path, given: Option<&Path>) -> anyhow::Result<Vec<Rule>> {
    let path = given.map_or_else(|| folder.join("import.toml"), Path::to_owned);
    if given.is_none() && !path.exists() {
        return Ok(Vec::new());
    }
    let bytes = import::input(&path)?;
    let mut report = Report::new();
    let rules = config::import_rules(&path.to_string_lossy(), &bytes, &mut report);
    match report.has_errors() {
        true => Err(Refused(render::text(&report, true)).into()),
        false => Ok(rules),
    }
}

// -- What is shown ----------------------------------------------------------------------------------------------------

struct Shown<'a> {
    export: &'a Export,
    proposal: &'a Proposal,
    file: &'a str,
    wrote: bool,
    /// Numbers may not go, and so nothing is done.
    refused: bool,
    all: bool,
}

impl Shown<'_> {
    fn text(&self, asked_to_write: bool, out: &mut Out) -> anyhow::Result<()> {
        let (export, proposal) = (self.export, self.proposal);
        let from = export.number_columns.iter().take(3).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let more = if export.number_columns.len() > 3 { ", …" } else { "" };
        let (kind, encoding) = (export.kind.as_str(), export.encoding.as_str());
        writeln!(
            out,
            "{} with a number, read as {kind} ({encoding}, numbers from {from}{more})",
            counted(export.phones.len(), "line")
        )?;
        self.units(out)?;
        let count = |label: &str, count: usize| format!("{count} {label}");
        let sums = [
            count("added", proposal.added.len()),
            count("changed", proposal.changed.len()),
            count("removed", proposal.removed.len()),
            count("as before", proposal.unchanged),
            count("left out by a rule", proposal.skipped),
        ];
        writeln!(out, "\n{}: {}", self.file, sums.join(", "))?;
        for unit in &proposal.new_units {
            let system = unit.system.as_ref().map(|system| format!(", system {system}")).unwrap_or_default();
            writeln!(out, "  {} unit {} \"{}\" (site {}{system})", green("+"), unit.id, unit.name, unit.site)?;
        }
        import::lines(&grouped(&proposal.added), self.all, out, |(range, facts)| {
            format!("{} {range}: {}", green("+"), told(facts))
        })?;
        let changed = grouped(&proposal.changed);
        import::lines(&changed, self.all, out, |(range, (old, new))| {
            format!("{} {range}: {} → {}", yellow("~"), told(old), told(new))
        })?;
        import::lines(&grouped(&proposal.removed), self.all, out, |(range, facts)| {
            format!("{} {range}: {}", red("-"), told(facts))
        })?;
        for (site, count) in &proposal.emptied {
            let all = counted(*count, "imported number");
            writeln!(
                out,
                "  {} no number of site {site} is in this export, and {all} would go: if it is of other sites, name them with --site",
                yellow("!")
            )?;
        }
        self.troubles(out)?;
        let end = match (self.wrote, proposal.changes_nothing()) {
            (true, _) => {
                format!("written to {}; `wardline diff` shows it, `wardline publish` puts it into force", self.file)
            }
            (false, true) if proposal.is_of_use() => "nothing to write: the map says all of this already".to_owned(),
            (false, true) => "nothing to write".to_owned(),
            (false, false) if asked_to_write => "nothing to write".to_owned(),
            (false, false) if self.refused => "nothing is written".to_owned(),
            (false, false) if proposal.lost.is_empty() => "nothing is written yet; --write does it".to_owned(),
            (false, false) => {
                format!("nothing is written yet; --write --remove={} does it", proposal.lost.len())
            }
        };
        writeln!(out, "\n{end}")?;
        Ok(())
    }

    fn units(&self, out: &mut Out) -> anyhow::Result<()> {
        let widest = self.proposal.units.keys().map(|unit| unit.as_str().len()).max().unwrap_or(0);
        for (unit, count) in &self.proposal.units {
            let by = |(rule, phones): (&Option<usize>, &usize)| match rule {
                Some(rule) => format!("{phones} by rule {rule}"),
                None => format!("{phones} by its name"),
            };
            let by: Vec<String> = count.by.iter().map(by).collect();
            let name = padded(unit.as_str(), widest);
            writeln!(out, "  {name} {:>5}  {}  ({})", count.phones, shown_ranges(&count.ranges), by.join(", "))?;
        }
        Ok(())
    }

    /// What the import could not decide; each with its line in the export.
    fn troubles(&self, out: &mut Out) -> anyhow::Result<()> {
        let proposal = self.proposal;
        if !proposal.gone.is_empty() {
            let gone = shown_ranges(&ranges(proposal.gone.iter().copied()));
            writeln!(out, "\nimported before, not in this export, kept (--remove takes them off): {gone}")?;
        }
        if !proposal.conflicts.is_empty() {
            writeln!(out, "\n{} differ from what somebody wrote by hand, which stays:", proposal.conflicts.len())?;
            import::lines(&proposal.conflicts, self.all, out, |conflict| {
                let map = conflict.map.as_ref().map_or_else(|| "a personal phone".to_owned(), told);
                let (number, export) = (conflict.number.shown(), told(&conflict.export));
                format!("line {}: {number} is {map}; the export says {export}", conflict.line)
            })?;
        }
        import::wrong_rows(&proposal.wrong, self.all, out)?;
        if !proposal.unplaced.is_empty() {
            writeln!(out, "\n{} could not be placed, and stay off the map:", proposal.unplaced.len())?;
            import::lines(&proposal.unplaced, self.all, out, |phone| {
                let between: Vec<&str> = phone.between.iter().map(|unit| unit.as_str()).collect();
                let between =
                    if between.is_empty() { String::new() } else { format!(" (names {})", between.join(" and ")) };
                format!("line {}: {} \"{}\"{between}", phone.line, phone.number.shown(), phone.text)
            })?;
            suggested(&suggest::rules(&proposal.unplaced), out)?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let proposal = self.proposal;
        let of = |(number, facts): (&Key, &Facts)| json!({ "number": number.shown(), "is": facts_json(facts) });
        let units: Vec<Value> = proposal
            .units
            .iter()
            .map(|(unit, count)| {
                let by_rule: Vec<Value> =
                    count.by.iter().map(|(rule, phones)| json!({ "rule": rule, "phones": phones })).collect();
                let ranges: Vec<String> = count.ranges.iter().map(Range::shown).collect();
                json!({ "unit": unit, "phones": count.phones, "ranges": ranges, "by": by_rule })
            })
            .collect();
        let changed = proposal.changed.iter().map(
            |(number, (old, new))| json!({ "number": number.shown(), "was": facts_json(old), "is": facts_json(new) }),
        );
        let conflicts = proposal.conflicts.iter().map(|conflict| {
            json!({
                "line": conflict.line, "number": conflict.number.shown(),
                "map": conflict.map.as_ref().map(facts_json), "export": facts_json(&conflict.export),
            })
        });
        let unplaced = proposal.unplaced.iter().map(|phone| {
            json!({
                "line": phone.line, "number": phone.number.shown(), "text": phone.text, "between": phone.between,
            })
        });
        let new_units = proposal.new_units.iter().map(|unit| {
            json!({
                "unit": unit.id, "name": unit.name, "site": unit.site, "system": unit.system,
            })
        });
        json!({
            "read_as": self.export.kind.as_str(),
            "encoding": self.export.encoding.as_str(),
            "lines": self.export.phones.len(),
            "file": self.file,
            "written": self.wrote,
            "units": units,
            "new_units": new_units.collect::<Vec<_>>(),
            "added": proposal.added.iter().map(of).collect::<Vec<_>>(),
            "changed": changed.collect::<Vec<_>>(),
            "removed": proposal.removed.iter().map(of).collect::<Vec<_>>(),
            "lost": proposal.lost.iter().map(|number| number.shown()).collect::<Vec<_>>(),
            "gone": proposal.gone.iter().map(|number| number.shown()).collect::<Vec<_>>(),
            "unchanged": proposal.unchanged,
            "skipped": proposal.skipped,
            "conflicts": conflicts.collect::<Vec<_>>(),
            "unplaced": unplaced.collect::<Vec<_>>(),
            "wrong": proposal.wrong.iter().map(|wrong| json!({ "line": wrong.line, "why": wrong.why })).collect::<Vec<_>>(),
        })
    }
}

/// Equal neighbours as one range.
fn grouped<T: Clone + Ord>(all: &BTreeMap<Key, T>) -> Vec<(String, T)> {
    let mut by: BTreeMap<&T, Vec<Key>> = BTreeMap::new();
    for (key, what) in all {
        by.entry(what).or_default().push(*key);
    }
    let lines =
        by.into_iter().flat_map(|(what, keys)| ranges(keys).into_iter().map(move |range| (range, what.clone())));
    let mut lines: Vec<(Range, T)> = lines.collect();
    lines.sort_by_key(|(range, _)| *range);
    lines.into_iter().map(|(range, what)| (range.shown(), what)).collect()
}

/// "4-west, patient, room 12".
fn told(facts: &Facts) -> String {
    let class = (facts.class != PhoneClass::Ward).then(|| facts.class.as_str().to_owned());
    let parts = [
        Some(facts.unit.as_str().to_owned()),
        class,
        facts.system.as_ref().map(|system| format!("system {system}")),
        facts.module.as_ref().map(|module| format!("module {module}")),
        facts.room.as_ref().map(|room| format!("room {room}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn facts_json(facts: &Facts) -> Value {
    json!({
        "unit": facts.unit, "class": facts.class.as_str(), "system": facts.system,
        "module": facts.module, "room": facts.room,
    })
}

fn shown_ranges(ranges: &[Range]) -> String {
    let shown: Vec<String> = ranges.iter().take(6).map(Range::shown).collect();
    let more = if ranges.len() > 6 { format!(", … ({} in all)", ranges.len()) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

fn suggested(suggestions: &[Suggestion], out: &mut Out) -> anyhow::Result<()> {
    if suggestions.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nRules that would place them; correct the units, and put them into import.toml:")?;
    for group in suggestions.iter().take(SUGGESTED) {
        let phones = counted(group.phones, "phone");
        let pattern = toml_edit::Value::from(group.pattern.as_str());
        writeln!(out, "\n  [[rules]]                               # {phones}: {}", shown_ranges(&group.ranges))?;
        writeln!(out, "  match = [{pattern}]")?;
        writeln!(out, "  unit = \"{}\"", group.unit)?;
    }
    Ok(())
}

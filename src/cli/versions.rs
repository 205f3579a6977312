//! `wardline publish`, `versions`, `diff`, `rollback` and `show-version`: the configuration like code. A running node is
//! asked; without one the version is made all the same, and runs from the next start.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::api::text;
use crate::api::wire::{self, NodeStatus};
use crate::cli::check;
use crate::cli::client::{Client, author};
use crate::cli::exit::{Outcome, Refused, Unreachable, Usage};
use crate::cli::out::{Out, green, padded, tell};
use crate::config::compare::{Comparison, Kind, compare, text_difference};
use crate::config::{Content, Surroundings, Whereabouts, render, whereabouts};
use crate::diagnostic::Report;
use crate::runtime::drafts::{self, Restored};
use crate::runtime::publish::{self, Invalid, Wish, draft_of};
use crate::store::published::{Published, Version, Whole};

#[derive(Debug, Args)]
pub struct PublishArgs {
    /// Why: the sentence that `wardline versions` and the audit show
    #[arg(short, long, value_name = "WHY")]
    message: String,
    /// The files take that version in, whatever .base says: for after somebody else has published
    #[arg(long, value_name = "N")]
    onto: Option<u32>,
    /// Make it the version of the next start: for what cannot change while the node runs, such as listeners
    #[arg(long)]
    at_restart: bool,
}

#[derive(Debug, Args)]
pub struct VersionsArgs {
    /// At most so many, newest first
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct DiffArgs {
    /// A version; without any: from the active one to the files
    from: Option<u32>,
    /// Another version; without it: the files
    to: Option<u32>,
    /// Line by line, comments included
    #[arg(long, conflicts_with = "json")]
    text: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// The version whose content becomes the next version
    version: u32,
    /// Why: the sentence that `wardline versions` and the audit show
    #[arg(short, long, value_name = "WHY")]
    message: String,
    /// Make it the version of the next start
    #[arg(long)]
    at_restart: bool,
}

#[derive(Debug, Args)]
pub struct ShowVersionArgs {
    /// The version's number
    version: u32,
    /// Write its files into this new folder: sip-config/ and prompts/
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// As JSON
    #[arg(long, conflicts_with = "out")]
    json: bool,
}

/// The node that `--config` means, and its versions.
struct Site {
    folder: PathBuf,
    at: Whereabouts,
    published: Published,
    surroundings: Surroundings,
}

impl Site {
    fn find(folder: &Path) -> anyhow::Result<Site> {
        let surroundings = Surroundings::of_process(Timestamp::now());
        if let Err(error) = std::fs::metadata(folder) {
            let folder = folder.display();
            return Err(Usage(format!("{folder} cannot be read ({error}); name the folder with --config")).into());
        }
        let at = whereabouts(folder, &surroundings);
        Ok(Site { published: Published::of(&at.data_dir), folder: folder.to_path_buf(), at, surroundings })
    }

    /// `None`: no node runs. One that cannot be reached for another reason is an error.
    fn ask<T>(&self, question: impl FnOnce(&Client) -> anyhow::Result<T>) -> anyhow::Result<Option<T>> {
        match Client::new(&self.at.control_socket).and_then(|client| question(&client)) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.downcast_ref::<Unreachable>().is_some_and(|gone| gone.nobody) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What a new version changes, whoever made the one before it, and what `wardline check` warns of in it.
    fn tell_new(&self, before: Option<&Whole>, number: u32, out: &mut Out) -> anyhow::Result<()> {
        if before.is_some_and(|before| before.version.number == number) {
            return Ok(());
        }
        let is = self.published.whole(number)?;
        if let Some(Whole { version: was, content }) = before {
            tell_difference(
                &format!("version {}", was.number),
                &format!("version {number}"),
                content,
                &is.content,
                out,
            )?;
        }
        let files = publish::of_version(&is.content, &self.folder);
        let mut loaded = publish::check(&files, Report::new(), &self.surroundings)?;
        check::add_warnings(&mut loaded, self.surroundings.now)?;
        if !loaded.warnings.is_empty() {
            write!(out, "{}", render::text(&loaded.warnings, true))?;
        }
        Ok(())
    }

    fn drafts(&self) -> anyhow::Result<Content> {
        let drafts = drafts::read(&self.folder);
        Ok(drafts.map_err(|report| Refused(render::text(&report, false)))?.content)
    }
}

/// The same exit code as when a node refuses.
fn refused(error: anyhow::Error) -> anyhow::Error {
    if error.is::<Invalid>() { Refused(error.to_string()).into() } else { error }
}

/// An empty sentence helps nobody who looks for a cause at night.
fn said(message: &str) -> anyhow::Result<()> {
    anyhow::ensure!(!message.trim().is_empty(), Usage("the message is empty: say why".to_owned()));
    text::fits("message", message).map_err(Usage)?;
    Ok(())
}

fn offline(version: &Version, new: bool, published: &Published) -> String {
    if new {
        let (label, data_dir) = (version.label(), published.data_dir());
        format!("version {label} is published in {data_dir}; no node runs: the next start runs it")
    } else {
        format!("nothing has changed: version {} has this content", version.number)
    }
}

// -- Change -----------------------------------------------------------------------------------------------------------

pub fn publish(folder: &Path, args: &PublishArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let site = Site::find(folder)?;
    said(&args.message)?;
    let PublishArgs { message, onto, at_restart } = args;
    // The node has a working directory of its own.
    let folder = Some(site.folder.canonicalize()?);
    let wanted = wire::Publish { folder, message: message.clone(), onto: *onto, at_restart: *at_restart };
    let before = site.published.newest()?.whole;
    if let Some(published) = site.ask(|client| client.post::<wire::Published>("/v1/publish", &wanted))? {
        writeln!(out, "{}", published.done)?;
        site.tell_new(before.as_ref(), published.version, out)?;
        return Ok(Outcome::Done);
    }
    let wish = Wish { folder: site.folder.clone(), author: author(), message: message.clone(), onto: *onto };
    let judged = publish::judge(wish, &site.folder, &site.published, &site.surroundings).map_err(refused)?;
    let (version, new) = publish::without_node(judged, &site.published)?;
    publish::note_base(&site.folder, &version);
    writeln!(out, "{}", offline(&version, new, &site.published))?;
    site.tell_new(before.as_ref(), version.number, out)?;
    Ok(Outcome::Done)
}

pub fn rollback(folder: &Path, args: &RollbackArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let site = Site::find(folder)?;
    said(&args.message)?;
    let RollbackArgs { version: to, message, at_restart } = args;
    let wanted = site.published.whole(*to)?;
    let before = site.published.newest()?.whole;
    // What the files were taken from: whatever differs from it was edited by hand.
    let base = match drafts::base(&site.folder, &site.published) {
        Some(base) => site.published.whole(base).ok(),
        None => before.clone(),
    };
    let request = wire::Rollback { to: *to, message: message.clone(), at_restart: *at_restart };
    let (number, done) = match site.ask(|client| client.post::<wire::Published>("/v1/rollback", &request))? {
        Some(published) => (published.version, published.done),
        None => {
            let draft = draft_of(author(), message.clone(), site.surroundings.now);
            let judged = publish::judge_rollback(*to, draft, &site.folder, &site.published, &site.surroundings);
            let judged = judged.map_err(refused)?;
            let (version, new) = publish::without_node(judged, &site.published)?;
            (version.number, offline(&version, new, &site.published))
        }
    };
    writeln!(out, "{done}")?;
    let base = base.map(|base| base.content).unwrap_or_default();
    let Restored { written, removed, kept } = drafts::restore(&site.folder, &wanted.content, &base, number)?;
    publish::note_base(&site.folder, &site.published.version(number)?);
    for name in &written {
        writeln!(out, "  {name} is as in version {to}")?;
    }
    for name in &removed {
        writeln!(out, "  {name} is removed: version {to} does not have it")?;
    }
    for path in &kept {
        writeln!(out, "  what was edited by hand is kept as {}", path.display())?;
    }
    site.tell_new(before.as_ref(), number, out)?;
    Ok(Outcome::Done)
}

// -- Look -------------------------------------------------------------------------------------------------------------

pub fn versions(folder: &Path, args: &VersionsArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let site = Site::find(folder)?;
    // A node of another user may run: then the versions are shown as the disk has them.
    let status = site.ask(|client| client.get::<NodeStatus>("/v1/status")).ok().flatten();
    let running = status.map(|status| status.published.version);
    let active = site.published.newest()?.whole.map(|whole| whole.version.number);
    let mut numbers = site.published.numbers()?;
    numbers.reverse();
    numbers.truncate(args.limit);
    if args.json {
        let all = numbers.iter().map(|number| {
            let (active, running) = (active == Some(*number), running == Some(*number));
            as_json(*number, site.published.version(*number), active, running)
        });
        out.json(&all.collect::<Vec<Value>>())?;
        return Ok(Outcome::Done);
    }
    if numbers.is_empty() {
        writeln!(out, "nothing is published yet; the first start or `wardline publish` makes version 1")?;
    }
    let zone = TimeZone::system();
    for number in numbers {
        let mark = match (active == Some(number), running) {
            (true, Some(running)) if running != number => "  from the next start on".to_owned(),
            (true, _) => format!("  {}", green("active")),
            (false, Some(running)) if running == number => format!("  {} until the next start", green("runs")),
            (false, _) => String::new(),
        };
        match site.published.version(number) {
            Ok(version) => {
                let at = version.at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
                let digest = version.digest.get(..12).unwrap_or_default();
                let author = padded(&version.author, 10);
                let back = version.restores.map(|to| format!("(back to {to}) ")).unwrap_or_default();
                writeln!(out, "{number:>5}  {at}  {author}  {digest}  {back}{}{mark}", version.message)?;
            }
            Err(error) => writeln!(out, "{number:>5}  {error:#}")?,
        }
    }
    Ok(Outcome::Done)
}

fn as_json(number: u32, version: anyhow::Result<Version>, active: bool, running: bool) -> Value {
    match version {
        Ok(version) => json!({
            "version": number, "at": version.at, "author": version.author, "message": version.message,
            "digest": version.digest, "base": version.base, "restores": version.restores,
            "active": active, "running": running, "damaged": null,
        }),
        Err(error) => {
            json!({ "version": number, "active": active, "running": running, "damaged": format!("{error:#}") })
        }
    }
}

pub fn diff(folder: &Path, args: &DiffArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let site = Site::find(folder)?;
    let was = match args.from {
        Some(number) => site.published.whole(number)?,
        None => site.published.newest()?.whole.ok_or_else(|| anyhow::anyhow!("nothing is published yet"))?,
    };
    let is = match args.to {
        Some(number) => site.published.whole(number)?.content,
        None => site.drafts()?,
    };
    if args.text {
        write!(out, "{}", text_difference(&was.content, &is))?;
        return Ok(Outcome::Done);
    }
    let from = was.version.number;
    let to = args.to.map_or_else(|| "the files".to_owned(), |number| format!("version {number}"));
    if args.json {
        let files = drafts::differences(&was.content, &is);
        let groups = compare(&was.content, &is).groups;
        out.json(&json!({ "from": from, "to": args.to, "files": files, "groups": groups }))?;
    } else {
        tell_difference(&format!("version {from}"), &to, &was.content, &is, out)?;
    }
    Ok(Outcome::Done)
}

fn tell_difference(from: &str, to: &str, was: &Content, is: &Content, out: &mut Out) -> anyhow::Result<()> {
    let (comparison, files) = (compare(was, is), drafts::differences(was, is));
    if files.is_empty() {
        writeln!(out, "{from} and {to} are the same")?;
    } else if comparison.is_empty() {
        let files = files.join(", ");
        writeln!(out, "from {from} to {to} only comments or layout differ ({files}); see `wardline diff --text`")?;
    } else {
        writeln!(out, "from {from} to {to}, {}:", counted(&comparison))?;
        write!(out, "{}", comparison.text(usize::MAX))?;
    }
    Ok(())
}

fn counted(comparison: &Comparison) -> String {
    let count = |kind: Kind| {
        let changes = comparison.groups.iter().flat_map(|group| &group.changes);
        changes.filter(|change| change.kind == kind).count()
    };
    format!("{} changed, {} added, {} removed", count(Kind::Changed), count(Kind::Added), count(Kind::Removed))
}

pub fn show(folder: &Path, args: &ShowVersionArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let site = Site::find(folder)?;
    if let Some(target) = &args.out {
        let whole = site.published.whole(args.version)?;
        if target.exists() {
            tell(&format!("wardline: {} is there already; name a new folder", target.display()));
            return Ok(Outcome::Refused);
        }
        let folder = target.join("sip-config");
        drafts::restore(&folder, &whole.content, &Content::new(), args.version)?;
        writeln!(out, "version {} is in {}", args.version, folder.display())?;
        return Ok(Outcome::Done);
    }
    let version = site.published.version(args.version)?;
    if args.json {
        out.json(&version)?;
        return Ok(Outcome::Done);
    }
    writeln!(out, "{}", version.told())?;
    writeln!(out, "digest {}", version.digest)?;
    for (name, object) in &version.files {
        writeln!(out, "{:>9}  {name}", object.bytes)?;
    }
    Ok(Outcome::Done)
}

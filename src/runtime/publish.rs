//! From drafts to a version: compared, checked, and made. The running node and the command line without one do the same.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use thiserror::Error;

use crate::config::compare::compare;
use crate::config::{Content, Folder, Loaded, Surroundings, compose, digest, render};
use crate::diagnostic::Report;
use crate::runtime::drafts;
use crate::store::published::{Draft, Published, Version, Whole};

/// Lines of a difference that a refusal carries; `wardline diff` shows all.
const MAX_SHOWN: usize = 200;
/// Versions that a refusal names.
const MAX_NAMED: usize = 10;

/// A configuration that cannot run.
#[derive(Debug, Error)]
#[error("{text}")]
pub struct Invalid {
    /// The report as people read it, with lines of the files.
    pub text: String,
    /// What a log may say of it.
    pub places: String,
}

impl From<Report> for Invalid {
    fn from(report: Report) -> Invalid {
        Invalid { text: render::text(&report, false), places: report.places() }
    }
}

/// A refusal in words that a log may keep: reports show lines of the files, and people's names in them.
pub fn for_the_log(error: &anyhow::Error) -> String {
    if let Some(invalid) = error.downcast_ref::<Invalid>() {
        return format!("the configuration is not valid at {}", invalid.places);
    }
    format!("{error:#}").lines().next().unwrap_or_default().to_owned()
}

/// Somebody else published meanwhile; in words, with what changed.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Conflict(pub String);

/// Who wants what published.
#[derive(Clone, Debug)]
pub struct Wish {
    pub folder: PathBuf,
    pub author: String,
    pub message: String,
    /// "These files are based on that version, whatever the folder says."
    pub onto: Option<u32>,
}

/// What becomes of a wish.
pub enum Judged {
    /// The active version has this very content.
    Same(Version),
    New(Box<Ready>),
}

/// Checked, and ready to become a version.
pub struct Ready {
    pub content: Content,
    pub loaded: Loaded,
    pub draft: Draft,
}

/// Compares and checks drafts. `home` is the node's own folder of drafts: relative paths mean there what they mean at a
/// start.
///
/// # Errors
/// [`Conflict`] or [`Invalid`]; nothing has changed.
pub fn judge(wish: Wish, home: &Path, published: &Published, surroundings: &Surroundings) -> anyhow::Result<Judged> {
    let drafts = drafts::read(&wish.folder).map_err(Invalid::from)?;
    let active = published.newest()?.whole;
    let base = match &active {
        Some(active) if active.version.digest == digest(&drafts.content) => {
            return Ok(Judged::Same(active.version.clone()));
        }
        Some(active) => Some(based_on(&wish, active, published, &drafts.content)?),
        None => {
            not_of_another_node(&wish, published)?;
            None
        }
    };
    let files = Folder { base: base_of(home), ..drafts.files };
    let loaded = check(&files, drafts.report, surroundings)?;
    let Wish { folder, author, message, .. } = wish;
    // Told apart by path, whatever name leads there.
    let folder = Some(folder.canonicalize().unwrap_or(folder));
    let draft = Draft { author, at: surroundings.now, message, base, restores: None, folder };
    Ok(Judged::New(Box::new(Ready { content: drafts.content, loaded, draft })))
}

/// The content of an earlier version as the next one.
///
/// # Errors
/// When there is no such version, it is damaged, or [`Invalid`] for this program.
pub fn judge_rollback(
    to: u32,
    draft: Draft,
    home: &Path,
    published: &Published,
    surroundings: &Surroundings,
) -> anyhow::Result<Judged> {
    let wanted = published.whole(to)?;
    let active = published.newest()?.whole.map(|active| active.version);
    if let Some(active) = active.as_ref().filter(|active| active.digest == wanted.version.digest) {
        return Ok(Judged::Same(active.clone()));
    }
    let loaded = check(&of_version(&wanted.content, home), Report::new(), surroundings)?;
    let draft = Draft { base: active.map(|active| active.number), restores: Some(to), ..draft };
    Ok(Judged::New(Box::new(Ready { content: wanted.content, loaded, draft })))
}

/// A version's files, as if they stood in the node's own folder.
pub fn of_version(content: &Content, home: &Path) -> Folder {
    let name = home.file_name().map_or_else(|| "sip-config".to_owned(), |name| name.to_string_lossy().into_owned());
    Folder::of_content(&name, &base_of(home), content)
}

/// The folder that relative paths start from.
fn base_of(home: &Path) -> PathBuf {
    home.parent().unwrap_or(Path::new("")).to_path_buf()
}

/// # Errors
/// [`Invalid`].
pub fn check(files: &Folder, report: Report, surroundings: &Surroundings) -> anyhow::Result<Loaded> {
    Ok(compose(files, surroundings, report).map_err(Invalid::from)?)
}

/// Where nothing is published, files that were taken from a version are most likely those of a node that lives elsewhere.
fn not_of_another_node(wish: &Wish, published: &Published) -> Result<(), Conflict> {
    let Some((number, _)) = drafts::noted(&wish.folder).filter(|_| drafts::base(&wish.folder, published).is_none())
    else {
        return Ok(());
    };
    let (files, data_dir) = (wish.folder.display(), published.data_dir());
    Err(Conflict(format!(
        "{files} was taken from version {number} of another node: nothing is published in {data_dir}, the data directory \
         of these files.\nPublish in the folder that its node is started in, or name its data directory by \
         WARDLINE__DATA_DIR. If this is to be a node of its own: rm {files}/{}",
        drafts::BASE
    )))
}

/// The version that the drafts are based on: it must be the active one.
fn based_on(wish: &Wish, active: &Whole, published: &Published, drafts: &Content) -> Result<u32, Conflict> {
    let now = active.version.number;
    let base = wish.onto.or_else(|| drafts::base(&wish.folder, published));
    if base == Some(now) {
        return Ok(now);
    }
    let again = format!("wardline publish --onto {now} -m \"…\"");
    let Some(base) = base else {
        let changes = compare(&active.content, drafts).text(MAX_SHOWN);
        let (files, data_dir) = (wish.folder.display(), published.data_dir());
        let taken = match drafts::noted(&wish.folder) {
            Some((number, digest)) => {
                let digest = digest.get(..12).unwrap_or(&digest);
                format!("{files} was taken from a version {number} ({digest}) that {data_dir} does not know")
            }
            None => format!("{files} does not say which version it was taken from"),
        };
        return Err(Conflict(format!(
            "{taken}, and version {now} is active there:\n  {}\n\
             Publishing it would change:\n{}\nIf that is what you want: {again}",
            active.version.told(),
            or_nothing(changes)
        )));
    };
    let numbers = published.numbers().unwrap_or_default();
    let since = numbers.into_iter().rev().take_while(|number| *number > base).take(MAX_NAMED);
    let told = since.map(|number| match published.version(number) {
        Ok(version) => format!("  {}\n", version.told()),
        Err(error) => format!("  version {number}: {error:#}\n"),
    });
    let told: String = told.collect();
    let changes = match published.whole(base) {
        Ok(was) => or_nothing(compare(&was.content, &active.content).text(MAX_SHOWN)),
        Err(error) => format!("{error:#}\n"),
    };
    Err(Conflict(format!(
        "your files were taken from version {base}, and version {now} is active now:\n{told}\
         Changed from version {base} to version {now}:\n{changes}\nTake it in, then {again}"
    )))
}

fn or_nothing(changes: String) -> String {
    if changes.is_empty() { "  comments or layout only\n".to_owned() } else { changes }
}

/// What is judged without a running node: it runs at the next start. Whether the version is new comes with it.
///
/// # Errors
/// When the version can't be written.
pub fn without_node(judged: Judged, published: &Published) -> anyhow::Result<(Version, bool)> {
    match judged {
        Judged::Same(version) => Ok((version, false)),
        Judged::New(ready) => Ok((published.add(ready.draft, &ready.content)?, true)),
    }
}

/// Best effort: a folder that can't be written is known by its path.
pub fn note_base(folder: &Path, version: &Version) {
    if let Err(error) = drafts::set_base(folder, version) {
        tracing::info!(error = format!("{error:#}"), "the folder is not told which version it holds");
    }
}

/// A draft's frame: whoever runs this process, now.
pub fn draft_of(author: String, message: String, at: Timestamp) -> Draft {
    Draft { author, at, message, base: None, restores: None, folder: None }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::config::Config;

    fn sample() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-config")
    }

    fn surroundings() -> Surroundings {
        let now = "2026-03-10T12:00:00Z".parse().expect("a time");
        Surroundings { variables: std::collections::BTreeMap::new(), now }
    }

    fn draft(message: &str) -> Draft {
        draft_of("ann".to_owned(), message.to_owned(), surroundings().now)
    }

    fn same(one: &Config, other: &Config) -> bool {
        let people = |config: &Config| (config.staff.clone(), config.md5_phones.clone());
        one.node == other.node
            && one.hospitals == other.hospitals
            && people(one) == people(other)
            && one.plans == other.plans
            && one.prompts == other.prompts
    }

    /// Deletes a line, or writes another number into it.
    fn edited(content: &Content, file: usize, line: usize, number: Option<u16>) -> Content {
        let mut content = content.clone();
        let names: Vec<String> = content.keys().filter(|name| name.ends_with(".toml")).cloned().collect();
        let name = &names[file % names.len()];
        let text = String::from_utf8(content[name].to_vec()).expect("UTF-8");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let at = line % lines.len();
        match number {
            None => _ = lines.remove(at),
            Some(number) => {
                let digits = lines[at].find(|character: char| character.is_ascii_digit());
                let start = digits.unwrap_or(lines[at].len());
                let rest = lines[at][start..].trim_start_matches(|character: char| character.is_ascii_digit());
                lines[at] = format!("{}{number}{rest}", &lines[at][..start]);
            }
        }
        content.insert(name.clone(), Bytes::from(lines.join("\n")));
        content
    }

    /// One data directory for all cases: only what differs is written, and flushed to the disk, for the next one.
    #[test]
    fn a_rollback_brings_back_what_was_and_nothing_that_is_refused_becomes_a_version() {
        let data = tempfile::tempdir().expect("a folder");
        let (published, home) = (Published::of(data.path()), sample());
        let folder = data.path().join("sip-config");
        let before = drafts::read(&home).expect("the sample").content;
        let check = |content: &Content| check(&of_version(content, &home), Report::new(), &surroundings());
        let ran = check(&before).expect("the sample is valid").config;
        let edits = prop::collection::vec((any::<usize>(), any::<usize>(), prop::option::of(any::<u16>())), 1..4);
        proptest!(ProptestConfig::with_cases(40), |(edits in edits)| {
            let first = published.add(draft("the sample"), &before).expect("added");
            let after = edits.iter().fold(before.clone(), |content, (file, line, number)| edited(&content, *file, *line, *number));
            let here = drafts::read(&folder).map(|drafts| drafts.content).unwrap_or_default();
            drafts::restore(&folder, &after, &here, first.number).expect("written");
            let (author, message, onto) = ("ben".to_owned(), "edits".to_owned(), Some(first.number));
            let wish = Wish { folder: folder.clone(), author, message, onto };
            match judge(wish, &home, &published, &surroundings()) {
                Ok(Judged::Same(version)) => prop_assert_eq!(version.number, first.number),
                Ok(Judged::New(ready)) => {
                    prop_assert!(check(&after).is_ok());
                    prop_assert_eq!(&ready.content, &after);
                    let second = published.add(ready.draft, &ready.content).expect("added");
                    prop_assert_eq!(second.number, first.number + 1);
                    let Judged::New(back) = judge_rollback(first.number, draft("back"), &home, &published, &surroundings())
                        .expect("it ran before") else { panic!("its content differs") };
                    prop_assert_eq!(back.draft.restores, Some(first.number));
                    prop_assert_eq!(back.draft.base, Some(second.number));
                    prop_assert!(same(&back.loaded.config, &ran));
                    let version = published.add(back.draft, &back.content).expect("added");
                    prop_assert_eq!(version.digest, first.digest);
                }
                Err(error) => {
                    prop_assert!(error.is::<Invalid>(), "{error:#}");
                    prop_assert!(check(&after).is_err());
                    prop_assert_eq!(published.numbers().expect("read").last().copied(), Some(first.number));
                }
            }
        });
    }

    #[test]
    fn a_copied_folder_makes_no_first_version_of_a_node_that_is_not_there() {
        let (data, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let node = Published::of(data.path());
        let content = drafts::read(&sample()).expect("the sample").content;
        let version = node.add(draft("the sample"), &content).expect("added");
        let folder = elsewhere.path().join("sip-config");
        drafts::restore(&folder, &content, &Content::new(), 1).expect("written");
        note_base(&folder, &version);
        let published = Published::of(&elsewhere.path().join("data"));
        let wish = || Wish { folder: folder.clone(), author: "ben".to_owned(), message: "why".to_owned(), onto: None };
        let refused = judge(wish(), &folder, &published, &surroundings()).err().expect("of another node");
        assert!(refused.is::<Conflict>());
        let told = refused.to_string();
        assert!(told.contains("was taken from version 1 of another node: nothing is published in /"), "{told}");
        assert!(told.contains("/data, the data directory of these files"), "{told}");
        assert_eq!(fs::read_to_string(folder.join(drafts::BASE)).expect("kept"), format!("1 {}\n", version.digest));
        // Another node's version 1 has another content: that is not the same as to say nothing.
        published.add(draft("its own"), &Content::new()).expect("added");
        let told = judge(wish(), &folder, &published, &surroundings()).err().expect("of another node").to_string();
        assert!(told.contains("was taken from a version 1 ("), "{told}");
        fs::remove_file(folder.join(drafts::BASE)).expect("removed");
        let told = judge(wish(), &folder, &published, &surroundings()).err().expect("of no version").to_string();
        assert!(told.contains("does not say which version it was taken from, and version 1 is active there"), "{told}");
    }

    #[test]
    fn comments_are_published_and_compared_as_such() {
        let data = tempfile::tempdir().expect("a folder");
        let published = Published::of(data.path());
        let before = drafts::read(&sample()).expect("the sample").content;
        published.add(draft("the sample"), &before).expect("added");
        let mut after = before.clone();
        let plan = [&after["plans/hotline.toml"][..], b"# a note for the night\n"].concat();
        after.insert("plans/hotline.toml".to_owned(), Bytes::from(plan));
        published.add(Draft { base: Some(1), ..draft("a note") }, &after).expect("added");
        let folder = data.path().join("sip-config");
        drafts::restore(&folder, &before, &Content::new(), 1).expect("written");
        fs::write(folder.join("analysts.toml"), "# everybody left\n").expect("written");
        let wish = Wish { folder, author: "ben".to_owned(), message: "why".to_owned(), onto: Some(1) };
        let refused = judge(wish, &sample(), &published, &surroundings()).err().expect("somebody was faster");
        assert!(refused.is::<Conflict>());
        let told = refused.to_string();
        assert!(told.contains("Changed from version 1 to version 2:\n  comments or layout only\n"), "{told}");
    }
}

//! The files that admins edit, as drafts of the next version: which version they were taken from, how they differ from
//! the one that runs, and how they are put back to an earlier one.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::config::{Content, Folder, gather};
use crate::diagnostic::Report;
use crate::store::published::{Published, Version};

/// In the folder of drafts: "7 DIGEST", the version that they were taken from. No part of a version, and not for git.
pub const BASE: &str = ".base";
/// Copies of one file that are kept beside it.
const MAX_KEPT: u32 = 100;

/// A folder's files and recordings in memory, unchecked.
#[derive(Debug)]
pub struct Drafts {
    pub files: Folder,
    pub content: Content,
    /// What could not be read.
    pub report: Report,
}

/// # Errors
/// The report, when there is no such folder.
pub fn read(folder: &Path) -> Result<Drafts, Report> {
    let mut report = Report::new();
    let Some(mut files) = gather(folder, &mut report) else { return Err(report) };
    files.hold_recordings(&mut report);
    let content = files.content();
    Ok(Drafts { files, content, report })
}

/// Names of files that are not the same on both sides, in order.
pub fn differences(one: &Content, other: &Content) -> Vec<String> {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
}

// -- Which version they were taken from -------------------------------------------------------------------------------

/// As the folder says; where it says nothing of this node, the newest version that was published from this very folder.
pub fn base(folder: &Path, published: &Published) -> Option<u32> {
    if let Some((number, digest)) = noted(folder)
        && published.version(number).is_ok_and(|version| version.digest == digest)
    {
        return Some(number);
    }
    let here = folder.canonicalize().ok()?;
    let numbers = published.numbers().ok()?;
    let from_here = |number: &u32| {
        published.version(*number).is_ok_and(|version| version.folder.as_deref() == Some(here.as_path()))
    };
    numbers.into_iter().rev().find(from_here)
}

/// What the folder says: number and digest of a version of whatever node.
pub fn noted(folder: &Path) -> Option<(u32, String)> {
    let said = fs::read_to_string(folder.join(BASE)).ok()?;
    let mut words = said.split_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.to_owned()))
}

/// Notes that the files are those of `version`.
///
/// # Errors
/// When the folder can't be written: then [`base`] goes by the folder's path.
pub fn set_base(folder: &Path, version: &Version) -> Result<()> {
    replace(&folder.join(BASE), format!("{} {}\n", version.number, version.digest).as_bytes())
}

// -- Back to an earlier version ---------------------------------------------------------------------------------------

/// Where a file of a content stands: recordings lie beside the folder.
pub fn place(folder: &Path, name: &str) -> PathBuf {
    if name.starts_with("prompts/") { folder.parent().unwrap_or(Path::new("")).join(name) } else { folder.join(name) }
}

/// What [`restore`] did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Restored {
    pub written: Vec<String>,
    pub removed: Vec<String>,
    /// Files that were edited by hand, where they are kept now.
    pub kept: Vec<PathBuf>,
}

/// What versions have held since some later program: a version with none of them is from before, and says nothing of them.
const KEPT_LATER: [&str; 2] = ["cases/", "import.toml"];

/// Makes the files those of `wanted`, each atomically. Kinds of files that no version knew in its time stay. A file that is not
/// as `base` has it was edited by hand: it is kept beside as FILE.draft-`number`.
///
/// # Errors
/// When a file can't be written; those before it are done, and nothing is lost.
pub fn restore(folder: &Path, wanted: &Content, base: &Content, number: u32) -> Result<Restored> {
    let mut restored = Restored::default();
    let here = match read(folder) {
        Ok(drafts) => drafts.content,
        Err(_) => Content::new(),
    };
    let names: BTreeSet<&String> = wanted.keys().chain(here.keys()).collect();
    let of = |kind: &str, names: &Content| names.keys().any(|name| name.starts_with(kind));
    let unknown: Vec<&str> = KEPT_LATER.into_iter().filter(|kind| !of(kind, wanted)).collect();
    for name in names.into_iter().filter(|name| !unknown.iter().any(|kind| name.starts_with(kind))) {
        let (path, draft) = (place(folder, name), here.get(name));
        if draft == wanted.get(name) {
            continue;
        }
        // A link to a file of another folder stays a link.
        let path = path.canonicalize().unwrap_or(path);
        if draft.is_some() && draft != base.get(name) {
            restored.kept.push(keep_beside(&path, number)?);
        }
        match wanted.get(name) {
            Some(bytes) => {
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
                }
                replace(&path, bytes)?;
                restored.written.push(name.clone());
            }
            None => {
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
                restored.removed.push(name.clone());
            }
        }
    }
    Ok(restored)
}

fn keep_beside(path: &Path, number: u32) -> Result<PathBuf> {
    let name = path.to_string_lossy();
    for copy in 1..=MAX_KEPT {
        let end = if copy == 1 { String::new() } else { format!("-{copy}") };
        let beside = PathBuf::from(format!("{name}.draft-{number}{end}"));
        match fs::hard_link(path, &beside) {
            Ok(()) => return Ok(beside),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("cannot keep {} beside", path.display())),
        }
    }
    anyhow::bail!("{name} has {MAX_KEPT} copies of version {number} beside it; move them away")
}

/// Writes a file aside and renames it, with the mode and owner that it had.
///
/// # Errors
/// When it can't be written; what was there stays.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    ensure!(!name.is_empty(), "{} is no file", path.display());
    let aside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file = fs::File::create(&aside)?;
        file.write_all(bytes)?;
        if let Ok(known) = fs::metadata(path) {
            file.set_permissions(known.permissions())?;
            // Only root can give a file away; for anybody else it is theirs already, or their group's.
            let _ = std::os::unix::fs::fchown(&file, Some(known.uid()), Some(known.gid()));
        }
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    write().inspect_err(|_| _ = fs::remove_file(&aside)).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use jiff::Timestamp;

    use super::*;
    use crate::store::published::Draft;

    fn content(files: &[(&str, &str)]) -> Content {
        files.iter().map(|(name, text)| ((*name).to_owned(), Bytes::copy_from_slice(text.as_bytes()))).collect()
    }

    fn lay(folder: &Path, content: &Content) {
        for (name, bytes) in content {
            let path = place(folder, name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, bytes).expect("written");
        }
    }

    fn draft(folder: Option<PathBuf>) -> Draft {
        Draft {
            author: "ann".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            message: "why".to_owned(),
            base: None,
            restores: None,
            folder,
        }
    }

    #[test]
    fn files_follow_a_rollback_and_what_was_edited_by_hand_is_kept_beside() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("sip-config");
        let sound = ("prompts/en/manifest.toml", "language = \"en\"");
        let old = content(&[("wardline.toml", "old # with comments"), ("plans/a.toml", "a"), sound]);
        let base = content(&[("wardline.toml", "new"), ("plans/a.toml", "a2"), ("plans/b.toml", "b"), sound]);
        lay(&folder, &base);
        fs::write(folder.join("plans/a.toml"), "half an idea").expect("written");
        fs::write(folder.join("plans/c.toml"), "another").expect("written");
        fs::write(folder.join("notes.txt"), "not ours").expect("written");
        let done = restore(&folder, &old, &base, 8).expect("restored");
        assert_eq!(done.written, ["plans/a.toml", "wardline.toml"]);
        assert_eq!(done.removed, ["plans/b.toml", "plans/c.toml"]);
        let kept: Vec<_> = done.kept.iter().map(|path| path.file_name().expect("a name").to_string_lossy()).collect();
        assert_eq!(kept, ["a.toml.draft-8", "c.toml.draft-8"]);
        assert_eq!(fs::read_to_string(folder.join("plans/a.toml.draft-8")).expect("kept"), "half an idea");
        assert_eq!(fs::read_to_string(folder.join("notes.txt")).expect("still there"), "not ours");
        // The copies are no drafts, and a second rollback finds nothing to do.
        assert_eq!(read(&folder).ok().map(|drafts| drafts.content), Some(old.clone()));
        assert_eq!(restore(&folder, &old, &old, 9).expect("restored"), Restored::default());
    }

    #[test]
    fn a_version_from_before_cases_and_rules_were_kept_takes_neither_away() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("sip-config");
        let (case, rules) = (("cases/night.toml", "a"), ("import.toml", "b"));
        let base = content(&[("wardline.toml", "new"), case, rules]);
        lay(&folder, &base);
        restore(&folder, &content(&[("wardline.toml", "old")]), &base, 8).expect("restored");
        assert_eq!(read(&folder).expect("there").content, content(&[("wardline.toml", "old"), case, rules]));
        let knows = content(&[("wardline.toml", "old"), ("cases/day.toml", "c")]);
        let done = restore(&folder, &knows, &base, 9).expect("restored");
        assert_eq!(done.removed, ["cases/night.toml"], "a version that has cases says which");
    }

    #[test]
    fn a_second_copy_never_overwrites_the_first() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("sip-config");
        let wanted = content(&[("wardline.toml", "wanted")]);
        for text in ["one idea", "another"] {
            lay(&folder, &content(&[("wardline.toml", text)]));
            restore(&folder, &wanted, &wanted, 8).expect("restored");
        }
        assert_eq!(fs::read_to_string(folder.join("wardline.toml.draft-8")).expect("kept"), "one idea");
        assert_eq!(fs::read_to_string(folder.join("wardline.toml.draft-8-2")).expect("kept"), "another");
    }

    #[test]
    fn a_folder_knows_its_version_by_its_note_or_by_its_path() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("sip-config");
        let published = Published::of(&home.path().join("data"));
        lay(&folder, &content(&[("wardline.toml", "1")]));
        assert_eq!(base(&folder, &published), None);
        let here = folder.canonicalize().expect("there");
        let first = published.add(draft(Some(here)), &content(&[("wardline.toml", "1")])).expect("added");
        let second = published.add(draft(None), &content(&[("wardline.toml", "2")])).expect("added");
        assert_eq!(base(&folder, &published), Some(1), "published from here, and nothing later was");
        set_base(&folder, &second).expect("noted");
        assert_eq!(base(&folder, &published), Some(2));
        // The note of another node: the same number is another content there.
        fs::write(folder.join(BASE), format!("2 {}\n", first.digest)).expect("written");
        assert_eq!(base(&folder, &published), Some(1));
    }
}

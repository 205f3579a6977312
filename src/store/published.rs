//! The published versions of the configuration: what runs, what ran, and whose work it was.
//!
//! ```text
//!  published/0007.json            who, when, why, from which version; every file's name, size and SHA-256
//!  published/objects/ab/cdef…     the bytes, by their SHA-256: versions share what they have in common
//!  published/audited              up to here the journal knows of the versions
//! ```
//! A version is made whole or not at all: objects first, each written aside, synced and renamed; its JSON last, by a link
//! that fails where the number is taken. Nothing here is ever changed or removed, and every read is checked against its
//! digest. A start needs no database for it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::{Content, digest_of, hash};
use crate::store::make_dir;

const FOLDER: &str = "published";
const OBJECTS: &str = "objects";
const AUDITED: &str = "audited";
/// One every ten minutes for two years; then an admin has to look at what publishes so often.
const MAX_VERSIONS: u32 = 100_000;
/// Hex digits of a digest that people are shown.
const SHOWN: usize = 12;

/// One published version. Immutable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// From 1, without gaps.
    pub number: u32,
    /// Over every file's name and hash; see [`crate::config::digest`].
    pub digest: String,
    pub author: String,
    pub at: Timestamp,
    pub message: String,
    /// What its author had in front of them.
    pub base: Option<u32>,
    /// Set by a rollback: whose content this is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub restores: Option<u32>,
    /// The folder that it was read from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub folder: Option<PathBuf>,
    /// By name: "plans/hotline.toml", "prompts/en/desk.wav".
    pub files: BTreeMap<String, Object>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    pub sha256: String,
    pub bytes: u64,
}

impl Version {
    /// "7 (3fa9c1d20b44)".
    pub fn label(&self) -> String {
        format!("{} ({})", self.number, self.digest.get(..SHOWN).unwrap_or(&self.digest))
    }

    /// In the words of the audit.
    pub fn action(&self) -> &'static str {
        if self.restores.is_some() { "rollback" } else { "publish" }
    }

    /// "published by ann at 2026-03-10T12:00:00Z: night rota".
    pub fn told(&self) -> String {
        let Version { number, author, at, message, .. } = self;
        let how = match self.restores {
            Some(restored) => format!("brought back version {restored}"),
            None => "published".to_owned(),
        };
        format!("version {number}, {how} by {author} at {at:.0}: {message}")
    }
}

/// What a new version is made of, beside its content.
#[derive(Clone, Debug)]
pub struct Draft {
    pub author: String,
    pub at: Timestamp,
    pub message: String,
    pub base: Option<u32>,
    pub restores: Option<u32>,
    pub folder: Option<PathBuf>,
}

/// A version whose files are all there and whole.
#[derive(Clone, Debug)]
pub struct Whole {
    pub version: Version,
    pub content: Content,
}

/// The newest that is whole, and why newer ones are not.
#[derive(Debug, Default)]
pub struct Newest {
    pub whole: Option<Whole>,
    pub damaged: Vec<(u32, String)>,
}

/// The versions of a data directory.
#[derive(Clone, Debug)]
pub struct Published {
    folder: PathBuf,
}

impl Published {
    /// Reads and makes nothing yet.
    pub fn of(data_dir: &Path) -> Published {
        Published { folder: data_dir.join(FOLDER) }
    }

    /// The data directory as people find it, from wherever they stand.
    pub fn data_dir(&self) -> String {
        let data_dir = self.folder.parent().unwrap_or(&self.folder);
        std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_path_buf()).display().to_string()
    }

    /// Every number that is taken, lowest first.
    ///
    /// # Errors
    /// When the folder is there and can't be read.
    pub fn numbers(&self) -> Result<Vec<u32>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", self.folder.display())),
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut numbers: Vec<u32> = names.filter_map(|name| name.strip_suffix(".json")?.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// # Errors
    /// When there is no such version, or its description is damaged.
    pub fn version(&self, number: u32) -> Result<Version> {
        let path = self.description(number);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => bail!("there is no version {number}"),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let version: Version =
            serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?;
        ensure!(version.number == number, "{} calls itself version {}", path.display(), version.number);
        let digest = digest_of(version.files.iter().map(|(name, object)| (name.as_str(), object.sha256.clone())));
        ensure!(digest == version.digest, "{} is damaged: its digest is another", path.display());
        Ok(version)
    }

    /// Its files, each checked.
    ///
    /// # Errors
    /// When one is missing or was changed; it is named.
    pub fn content(&self, version: &Version) -> Result<Content> {
        let mut content = Content::new();
        for (name, object) in &version.files {
            let path = self.object(&object.sha256);
            let bytes = fs::read(&path).with_context(|| format!("{name} is missing ({})", path.display()))?;
            ensure!(hash(&bytes) == object.sha256, "{name} is damaged ({})", path.display());
            content.insert(name.clone(), Bytes::from(bytes));
        }
        Ok(content)
    }

    /// # Errors
    /// As [`Published::version`] and [`Published::content`].
    pub fn whole(&self, number: u32) -> Result<Whole> {
        let version = self.version(number)?;
        let content = self.content(&version)?;
        Ok(Whole { version, content })
    }

    /// # Errors
    /// When the folder can't be read.
    pub fn newest(&self) -> Result<Newest> {
        let mut newest = Newest::default();
        for number in self.numbers()?.into_iter().rev() {
            match self.whole(number) {
                Ok(whole) => {
                    newest.whole = Some(whole);
                    break;
                }
                Err(error) => newest.damaged.push((number, format!("{error:#}"))),
            }
        }
        Ok(newest)
    }

    /// Makes the next version. When it comes back, the version is on the disk.
    ///
    /// # Errors
    /// When something can't be written, or somebody else made a version meanwhile: then there is no new version.
    pub fn add(&self, draft: Draft, content: &Content) -> Result<Version> {
        make_dir(&self.folder.join(OBJECTS))?;
        let number = self.numbers()?.last().map_or(1, |last| last + 1);
        ensure!(number <= MAX_VERSIONS, "{MAX_VERSIONS} versions were published; move {} away", self.folder.display());
        let mut files = BTreeMap::new();
        for (name, bytes) in content {
            let sha256 = hash(bytes);
            self.keep(&sha256, bytes).with_context(|| format!("cannot keep {name}"))?;
            files.insert(name.clone(), Object { sha256, bytes: bytes.len() as u64 });
        }
        sync(&self.folder.join(OBJECTS))?;
        let digest = digest_of(files.iter().map(|(name, object)| (name.as_str(), object.sha256.clone())));
        let Draft { author, at, message, base, restores, folder } = draft;
        let version = Version { number, digest, author, at, message, base, restores, folder, files };
        let text = serde_json::to_vec_pretty(&version)?;
        let aside = write_aside(&self.folder, &text)?;
        // A link, unlike a rename, never takes a number from somebody else.
        let linked = fs::hard_link(&aside, self.description(number));
        let _ = fs::remove_file(&aside);
        match linked {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                bail!("somebody else published version {number} meanwhile; look at it with `wardline diff`")
            }
            Err(error) => return Err(error).context("cannot write the version"),
        }
        sync(&self.folder)?;
        Ok(version)
    }

    /// The last version that the journal was told of.
    pub fn audited(&self) -> u32 {
        let text = fs::read_to_string(self.folder.join(AUDITED)).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }

    /// # Errors
    /// When it can't be written; then the journal is told once more at the next start.
    pub fn set_audited(&self, number: u32) -> Result<()> {
        let aside = write_aside(&self.folder, format!("{number}\n").as_bytes())?;
        fs::rename(&aside, self.folder.join(AUDITED)).context("cannot note what the journal knows")
    }

    fn keep(&self, sha256: &str, bytes: &[u8]) -> Result<()> {
        let path = self.object(sha256);
        // One that was damaged is written anew.
        if fs::read(&path).is_ok_and(|known| known == bytes) {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(&self.folder);
        make_dir(folder)?;
        let aside = write_aside(folder, bytes)?;
        fs::rename(&aside, &path).with_context(|| format!("cannot write {}", path.display()))?;
        sync(folder)
    }

    fn description(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number:04}.json"))
    }

    fn object(&self, sha256: &str) -> PathBuf {
        let (start, rest) = sha256.split_at_checked(2).unwrap_or(("", sha256));
        self.folder.join(OBJECTS).join(start).join(rest)
    }
}

/// A file of its own name, whole and on the disk, that nobody reads yet.
fn write_aside(folder: &Path, bytes: &[u8]) -> Result<PathBuf> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!(".aside-{}-{serial}", std::process::id()));
    // What a killed process of the same id left behind.
    let _ = fs::remove_file(&path);
    let write = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().inspect_err(|_| _ = fs::remove_file(&path)).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// Makes new names in a folder last (fsync(2), of directories).
fn sync(folder: &Path) -> Result<()> {
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("cannot sync {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(files: &[(&str, &str)]) -> Content {
        files.iter().map(|(name, text)| ((*name).to_owned(), Bytes::copy_from_slice(text.as_bytes()))).collect()
    }

    fn draft(message: &str) -> Draft {
        let at = "2026-03-10T12:00:00Z".parse().expect("a time");
        Draft { author: "ann".to_owned(), at, message: message.to_owned(), base: None, restores: None, folder: None }
    }

    fn objects(data: &Path) -> Vec<PathBuf> {
        let folders = fs::read_dir(data.join("published/objects")).expect("objects");
        let folders = folders.map(|folder| folder.expect("a folder").path());
        let mut all: Vec<PathBuf> = folders
            .flat_map(|folder| fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()))
            .collect();
        all.sort();
        all
    }

    #[test]
    fn versions_count_from_one_and_share_what_is_the_same() {
        let data = tempfile::tempdir().expect("a folder");
        let published = Published::of(data.path());
        assert_eq!(published.numbers().expect("none"), Vec::<u32>::new());
        let first = content(&[("a.toml", "1"), ("prompts/en/desk.wav", "sound")]);
        let second = content(&[("a.toml", "2"), ("prompts/en/desk.wav", "sound")]);
        assert_eq!(published.add(draft("one"), &first).expect("added").number, 1);
        let version = published.add(draft("two"), &second).expect("added");
        assert_eq!((version.number, objects(data.path()).len()), (2, 3));
        assert_eq!(published.whole(1).expect("whole").content, first);
        assert_eq!(published.newest().expect("read").whole.expect("whole").version, version);
        assert_eq!(version.digest, crate::config::digest(&second));
    }

    #[test]
    fn a_damaged_or_missing_object_is_named_and_the_version_before_it_stands() {
        let data = tempfile::tempdir().expect("a folder");
        let published = Published::of(data.path());
        for text in ["1", "2", "3"] {
            published.add(draft(text), &content(&[("a.toml", text)])).expect("added");
        }
        let path = |text: &str| published.object(&hash(text.as_bytes()));
        fs::write(path("3"), "4").expect("written");
        fs::remove_file(path("2")).expect("removed");
        let newest = published.newest().expect("read");
        assert_eq!(newest.whole.expect("whole").version.number, 1);
        let told: Vec<(u32, bool, bool)> = newest
            .damaged
            .iter()
            .map(|(number, why)| (*number, why.contains("a.toml is damaged"), why.contains("a.toml is missing")))
            .collect();
        assert_eq!(told, [(3, true, false), (2, false, true)]);
        // The next number is not one that was taken, and what was damaged is written anew.
        let next = published.add(draft("again"), &content(&[("a.toml", "3")])).expect("added");
        assert_eq!(next.number, 4);
        assert!(published.whole(3).is_ok());
    }

    #[test]
    fn a_changed_description_is_seen() {
        let data = tempfile::tempdir().expect("a folder");
        let published = Published::of(data.path());
        published.add(draft("one"), &content(&[("a.toml", "1")])).expect("added");
        let path = published.description(1);
        let text = fs::read_to_string(&path).expect("read").replace("a.toml", "b.toml");
        fs::write(&path, text).expect("written");
        assert!(published.version(1).expect_err("damaged").to_string().contains("its digest is another"));
        fs::write(&path, "{").expect("written");
        assert!(published.version(1).is_err());
        assert!(published.version(9).expect_err("none").to_string().contains("there is no version 9"));
    }

    #[test]
    fn two_who_publish_at_once_never_share_a_number() {
        let data = tempfile::tempdir().expect("a folder");
        let published = Published::of(data.path());
        let made: Vec<Result<Version>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|writer| {
                    let published = &published;
                    scope.spawn(move || published.add(draft("race"), &content(&[("a.toml", &writer.to_string())])))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        let mut numbers: Vec<u32> = made.iter().flatten().map(|version| version.number).collect();
        numbers.sort_unstable();
        let expected: Vec<u32> = (1..).take(numbers.len()).collect();
        assert_eq!(numbers, expected);
        assert!(!numbers.is_empty());
        for version in made.iter().flatten() {
            assert_eq!(published.version(version.number).expect("whole"), *version);
        }
    }
}

//! A whole configuration as bytes by name, recordings included: what is published, compared and put back.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::config::load::{File, Folder, Recordings, Surroundings};
use crate::diagnostic::{Diagnostic, Report};
use crate::ivr::prompts::{MAX_PROMPTS, MAX_WAV_BYTES};

/// What makes a folder of prompts/ a language.
pub const MANIFEST: &str = "manifest.toml";
/// Where recordings stand in a [`Content`].
const PROMPTS: &str = "prompts/";

/// Every file by its name: "wardline.toml", "plans/hotline.toml", "prompts/en/desk.wav".
pub type Content = BTreeMap<String, Bytes>;

/// SHA-256 in hex over every name and the SHA-256 of its bytes, in the order of names. Equal contents have equal digests
/// wherever they lie.
pub fn digest(content: &Content) -> String {
    digest_of(content.iter().map(|(name, bytes)| (name.as_str(), hash(bytes))))
}

/// As [`digest`], of files that are known by their hashes.
pub fn digest_of<'a>(files: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut all = Sha256::new();
    for (name, hash) in files {
        all.update(name.len().to_be_bytes());
        all.update(name.as_bytes());
        all.update(hash.as_bytes());
    }
    hex(&all.finalize())
}

/// SHA-256 in hex.
pub fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Folder {
    /// Takes every recording of prompts/ into memory, so that what is checked is what is published and played.
    pub fn hold_recordings(&mut self, report: &mut Report) {
        let mut held = BTreeMap::new();
        let prompts = self.base.join("prompts");
        for (language, folder) in installed(&prompts) {
            let mut names = wav_names(&folder);
            if names.len() > MAX_PROMPTS {
                let file = Arc::from(format!("{PROMPTS}{language}"));
                let what = format!("this folder holds more than {MAX_PROMPTS} recordings");
                report.push(Diagnostic::error(&file, 0..0, what).remedy("remove those that nothing speaks"));
            }
            names.truncate(MAX_PROMPTS);
            names.push(MANIFEST.to_owned());
            for name in names {
                match read_bounded(&folder.join(&name)) {
                    Ok(bytes) => {
                        held.insert(format!("{language}/{name}"), bytes);
                    }
                    Err(error) => {
                        let file = Arc::from(format!("{PROMPTS}{language}/{name}"));
                        let finding = Diagnostic::error(&file, 0..0, format!("this file cannot be read: {error}"));
                        report.push(finding.remedy("give the user that runs Wardline leave to read it"));
                    }
                }
            }
        }
        self.recordings = Recordings::Held(held);
    }

    /// The bytes of every file that is read; recordings when they are held.
    pub fn content<'a>(&'a self) -> Content {
        let top = self.node.iter().chain(&self.hospitals).chain(&self.analysts).chain(&self.rules);
        let top = top.map(|file| (format!("{}.toml", file.stem), file));
        let within = |folder: &'static str, files: &'a [File]| {
            files.iter().map(move |file| (format!("{folder}/{}.toml", file.stem), file))
        };
        let inner = within("plans", &self.plans).chain(within("cases", &self.cases));
        let mut content: Content =
            top.chain(inner).map(|(name, file)| (name, Bytes::copy_from_slice(&file.bytes))).collect();
        if let Recordings::Held(held) = &self.recordings {
            content.extend(held.iter().map(|(name, bytes)| (format!("{PROMPTS}{name}"), bytes.clone())));
        }
        content
    }

    /// The other way round: `name` and `base` are where the files are said to stand.
    pub fn of_content(name: &str, base: &Path, content: &Content) -> Folder {
        let mut folder = Folder { name: name.to_owned(), base: base.to_path_buf(), ..Folder::default() };
        let mut held = BTreeMap::new();
        for (path, bytes) in content {
            if let Some(recording) = path.strip_prefix(PROMPTS) {
                held.insert(recording.to_owned(), bytes.clone());
                continue;
            }
            let Some(inner) = path.strip_suffix(".toml") else { continue };
            let stem = inner.rsplit('/').next().unwrap_or(inner).to_owned();
            let file = File { name: format!("{name}/{path}"), stem: stem.clone(), bytes: bytes.to_vec() };
            if path.starts_with("plans/") {
                folder.plans.push(file);
            } else if path.starts_with("cases/") {
                folder.cases.push(file);
            } else if stem == "import" {
                folder.rules = Some(file);
            } else if stem == "wardline" {
                folder.node = Some(file);
            } else if stem == "hospital" || stem.starts_with("hospital-") {
                folder.hospitals.push(file);
            } else {
                folder.analysts.push(file);
            }
        }
        folder.recordings = Recordings::Held(held);
        folder
    }
}

/// Languages of prompts/ with their folders, in order.
fn installed(prompts: &Path) -> BTreeMap<String, PathBuf> {
    let entries = fs::read_dir(prompts).into_iter().flatten().filter_map(Result::ok);
    let languages = entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())));
    languages.filter(|(_, path)| path.join(MANIFEST).is_file()).collect()
}

fn wav_names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".wav")).collect();
    names.sort_unstable();
    names
}

/// One byte more than allowed is enough for the check to see that it is too large.
fn read_bounded(path: &Path) -> io::Result<Bytes> {
    let limit = u64::try_from(MAX_WAV_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// Where the node lives. Read of the files as they are, however wrong they may be otherwise: the published version is
/// found by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    pub data_dir: PathBuf,
    pub control_socket: PathBuf,
}

/// `data_dir` and `control_socket` of wardline.toml, or of the environment over it.
pub fn whereabouts(folder: &Path, surroundings: &Surroundings) -> Whereabouts {
    let text = fs::read_to_string(folder.join("wardline.toml")).unwrap_or_default();
    let base = folder.parent().unwrap_or(Path::new(""));
    let written = |key: &str| -> Option<PathBuf> {
        let variable = surroundings.variables.get(&format!("WARDLINE__{}", key.to_uppercase()));
        Some(base.join(variable.cloned().or_else(|| top_level(&text, key))?))
    };
    let data_dir = written("data_dir").unwrap_or_else(|| base.join("data"));
    let control_socket = written("control_socket").unwrap_or_else(|| data_dir.join("control.sock"));
    Whereabouts { data_dir, control_socket }
}

/// A text of the root table. Each line is read by itself, so that an error further down hides nothing.
fn top_level(text: &str, key: &str) -> Option<String> {
    let root = text.lines().take_while(|line| !line.trim_start().starts_with('['));
    root.filter_map(|line| toml_edit::Document::parse(line).ok())
        .find_map(|line| Some(line.get(key)?.as_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(files: &[(&str, &str)]) -> Content {
        files.iter().map(|(name, text)| ((*name).to_owned(), Bytes::copy_from_slice(text.as_bytes()))).collect()
    }

    #[test]
    fn a_digest_tells_names_and_bytes_apart() {
        let one = digest(&content(&[("a.toml", "bc"), ("d.toml", "")]));
        assert_eq!(one.len(), 64);
        assert_eq!(one, digest(&content(&[("d.toml", ""), ("a.toml", "bc")])));
        for other in [
            content(&[("a.toml", "b"), ("d.toml", "c")]),
            content(&[("a.tomlb", "c"), ("d.toml", "")]),
            content(&[("a.toml", "bc")]),
        ] {
            assert_ne!(one, digest(&other));
        }
    }

    #[test]
    fn a_folder_and_its_content_are_the_same_files() {
        let content = content(&[
            ("wardline.toml", "name = \"x\""),
            ("hospital-2.toml", "id = \"b\""),
            ("hospital.toml", "id = \"a\""),
            ("analysts.toml", ""),
            ("plans/hotline.toml", "name = \"hotline\""),
            ("prompts/en/manifest.toml", "language = \"en\""),
            ("prompts/en/desk.wav", "RIFF"),
        ]);
        let folder = Folder::of_content("sip-config", Path::new("/somewhere"), &content);
        assert_eq!(folder.hospitals.len(), 2);
        assert_eq!(folder.plans.first().map(|plan| plan.name.as_str()), Some("sip-config/plans/hotline.toml"));
        assert_eq!(folder.content(), content);
    }

    #[test]
    fn a_broken_file_still_says_where_the_data_lie() {
        let folder = tempfile::tempdir().expect("a folder");
        let sip_config = folder.path().join("sip-config");
        fs::create_dir(&sip_config).expect("made");
        let text = "name = = 7\ndata_dir = \"there\"  # as ever\n[log\ncontrol_socket = \"no\"\n";
        fs::write(sip_config.join("wardline.toml"), text).expect("written");
        let mut surroundings = Surroundings { variables: BTreeMap::new(), now: jiff::Timestamp::UNIX_EPOCH };
        let found = whereabouts(&sip_config, &surroundings);
        assert_eq!(found.data_dir, folder.path().join("there"));
        assert_eq!(found.control_socket, folder.path().join("there/control.sock"));
        surroundings.variables.insert("WARDLINE__DATA_DIR".to_owned(), "/elsewhere".to_owned());
        assert_eq!(whereabouts(&sip_config, &surroundings).data_dir, Path::new("/elsewhere"));
    }
}

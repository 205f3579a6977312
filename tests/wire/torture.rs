//! The published torture messages, where they are at hand: `WARDLINE_TORTURE` or `../shared/torture` beside the
//! repository. Their files are not ours to commit; `rfc4475.rs` and `rfc5118.rs` stand alone.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use wardline::sip::Message;
use wardline::sip::stream::{Frame, Framer};

/// One line of a MANIFEST.csv.
pub struct Line {
    pub file: String,
    pub class: String,
    pub method: String,
    /// Final statuses, or "none" (no answer), "any", "any-but-400".
    pub accepted: Vec<String>,
}

/// A published message with what is said of it.
pub struct Published {
    pub line: Line,
    pub bytes: Vec<u8>,
}

/// Every published message of both RFCs; none where they are not at hand.
pub fn published() -> Vec<Published> {
    let found = folder();
    if found.is_none() {
        let why = "the published torture messages are not at hand (WARDLINE_TORTURE names their folder): none is tried";
        let _ = writeln!(std::io::stderr(), "{why}");
    }
    let folders = found.into_iter().flat_map(|folder| ["rfc4475", "rfc5118"].map(|rfc| folder.join(rfc)));
    let read =
        |folder: &Path, line: Line| Published { bytes: fs::read(folder.join(&line.file)).expect("a message"), line };
    folders.flat_map(|folder| manifest(&folder).into_iter().map(move |line| read(&folder, line))).collect()
}

fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/torture");
    // A worktree may lie one level deeper than the repository.
    let deeper = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/torture");
    std::env::var_os("WARDLINE_TORTURE")
        .map(PathBuf::from)
        .into_iter()
        .chain([beside, deeper])
        .find(|path| path.is_dir())
}

fn manifest(folder: &Path) -> Vec<Line> {
    let text = fs::read_to_string(folder.join("MANIFEST.csv")).expect("a manifest");
    let line = |line: &str| {
        let columns: Vec<&str> = line.splitn(7, ',').collect();
        Line {
            file: columns[0].to_owned(),
            class: columns[3].to_owned(),
            method: columns[4].to_owned(),
            accepted: columns[5].split('|').map(str::to_owned).collect(),
        }
    };
    text.lines().skip(1).filter(|text| !text.is_empty()).map(line).collect()
}

fn verdict(line: &Line, bytes: &Bytes) {
    let accepts = |what: &str| line.accepted.iter().any(|accepted| accepted == what);
    let parsed = Message::parse(bytes);
    let must_parse = line.class.starts_with("valid") || accepts("any-but-400");
    let must_fail = line.class == "invalid-response"
        || line.accepted.iter().all(|accepted| matches!(accepted.as_str(), "400" | "505"))
        || (line.class == "invalid" && !accepts("any"));
    match parsed {
        Ok(message) => {
            assert!(!must_fail, "{}: taken: {message:?}", line.file);
            let printed = message.to_bytes();
            let again = Message::parse(&printed).map(|message| message.to_bytes());
            assert_eq!(again.ok(), Some(printed), "{}: print and parse", line.file);
        }
        Err(error) => {
            assert!(!must_parse, "{}: refused: {error}", line.file);
            let status = error.reply.map_or("none".to_owned(), |reply| reply.status.to_string());
            assert!(accepts("any") || accepts(&status) || (status == "none" && must_fail), "{}: {status}", line.file);
        }
    }
}

#[test]
fn published_messages_are_judged_as_their_manifests_say() {
    let Some(folder) = folder() else { return };
    for (rfc, count) in [("rfc4475", 50), ("rfc5118", 12)] {
        let folder = folder.join(rfc);
        let lines = manifest(&folder);
        assert_eq!(lines.len(), count, "{rfc}: lines of the manifest");
        for line in lines {
            verdict(&line, &fs::read(folder.join(&line.file)).expect("a message").into());
        }
    }
}

#[test]
fn published_valid_messages_come_out_of_a_stream_too() {
    let Some(folder) = folder() else { return };
    for rfc in ["rfc4475", "rfc5118"] {
        let folder = folder.join(rfc);
        for line in manifest(&folder).into_iter().filter(|line| line.class.starts_with("valid")) {
            let bytes = fs::read(folder.join(&line.file)).expect("a message");
            let mut framer = Framer::new();
            let mut frames = Vec::new();
            for byte in bytes {
                framer.push(&[byte]);
                frames.extend(framer.next_frame());
            }
            let Some(Frame::Message(first)) = frames.first() else { panic!("{}: {frames:?}", line.file) };
            assert!(Message::parse(first).is_ok(), "{}", line.file);
        }
    }
}

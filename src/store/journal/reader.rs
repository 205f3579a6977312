//! Reads the journal from a position on, while it is being written or afterwards.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::frame::{FRAME_HEADER, MAGIC, Step, step};
use crate::ids::Seq;
use crate::ticket::Record;

/// Bytes read at once: some hundred records.
const CHUNK: usize = 256 * 1024;
pub(super) const EXTENSION: &str = "journal";

/// What the journal holds next.
#[derive(Debug)]
pub enum Entry {
    Record(Box<Record>),
    /// A whole frame that this version can't read: written by a newer one.
    Unreadable {
        seq: Seq,
        reason: String,
    },
    /// Bytes that are no record, with good ones after them.
    Damaged(Damage),
}

/// A hole in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub segment: PathBuf,
    pub offset: u64,
    pub bytes: u64,
}

/// Yields the records after a position, in order, each once. `None` means: nothing more yet; ask again later.
pub struct Reader {
    dir: PathBuf,
    last: Seq,
    at: Option<Cursor>,
}

/// A place in one segment.
struct Cursor {
    index: u64,
    path: PathBuf,
    file: File,
    /// Of `buffer`'s first byte.
    offset: u64,
    buffer: Vec<u8>,
    position: usize,
}

/// A frame as it lies in the segment.
pub(super) struct Frame {
    pub seq: Seq,
    pub payload: Vec<u8>,
}

pub(super) enum Raw {
    Frame(Frame),
    Damaged(Damage),
}

impl Reader {
    /// Reads the records of `dir` (the journal's directory) with a sequence number above `after`.
    pub fn new(dir: &Path, after: Seq) -> Reader {
        Reader { dir: dir.to_owned(), last: after, at: None }
    }

    /// The next entry; `None` at the end so far.
    ///
    /// # Errors
    /// When a segment can't be read. The position stays, so the call can be repeated.
    pub fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        Ok(self.next_raw()?.map(|raw| match raw {
            Raw::Frame(frame) => match serde_json::from_slice::<Record>(&frame.payload) {
                Ok(record) => Entry::Record(Box::new(record)),
                // Its own words may repeat the record's.
                Err(error) => Entry::Unreadable {
                    seq: frame.seq,
                    reason: format!("{:?} at octet {}", error.classify(), error.column()).to_lowercase(),
                },
            },
            Raw::Damaged(damage) => Entry::Damaged(damage),
        }))
    }

    pub(super) fn next_raw(&mut self) -> io::Result<Option<Raw>> {
        loop {
            if self.at.is_none() && !self.enter(0)? {
                return Ok(None);
            }
            let Some(cursor) = &mut self.at else { return Ok(None) };
            match cursor.next(self.last)? {
                Some(Raw::Frame(frame)) if frame.seq <= self.last => {}
                Some(Raw::Frame(frame)) => {
                    self.last = frame.seq;
                    return Ok(Some(Raw::Frame(frame)));
                }
                Some(Raw::Damaged(damage)) => return Ok(Some(Raw::Damaged(damage))),
                None => {
                    // A segment is left only when a later one exists, and then looked at once more: its last frames
                    // were written before the later one was made.
                    let next = cursor.index + 1;
                    let later = segments(&self.dir)?.into_iter().find(|(index, _)| *index >= next);
                    let Some((index, _)) = later else { return Ok(None) };
                    match cursor.next(self.last)? {
                        Some(Raw::Frame(frame)) if frame.seq <= self.last => {}
                        Some(Raw::Frame(frame)) => {
                            self.last = frame.seq;
                            return Ok(Some(Raw::Frame(frame)));
                        }
                        Some(Raw::Damaged(damage)) => return Ok(Some(Raw::Damaged(damage))),
                        None => match cursor.resync(self.last)? {
                            Some(raw) => return Ok(Some(raw)),
                            None => _ = self.enter(index)?,
                        },
                    }
                }
            }
        }
    }

    /// Opens the first segment at or after `index`.
    fn enter(&mut self, index: u64) -> io::Result<bool> {
        let Some((index, path)) = segments(&self.dir)?.into_iter().find(|(found, _)| *found >= index) else {
            return Ok(false);
        };
        let file = match File::open(&path) {
            Ok(file) => file,
            // Deleted between listing and opening: its records are projected.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.enter(index + 1),
            Err(error) => return Err(error),
        };
        let offset = MAGIC.len() as u64;
        self.at = Some(Cursor { index, path, file, offset, buffer: Vec::new(), position: 0 });
        Ok(true)
    }

    /// At the end of the last segment of a journal that nobody writes: looks behind a hole for good frames.
    pub(super) fn behind_hole(&mut self) -> io::Result<Option<Raw>> {
        let last = self.last;
        self.at.as_mut().map_or(Ok(None), |cursor| cursor.resync(last))
    }

    /// Where the last good frame of the current segment ends.
    pub(super) fn end(&self) -> Option<(&Path, u64)> {
        self.at.as_ref().map(|cursor| (cursor.path.as_path(), cursor.offset + cursor.position as u64))
    }

    pub(super) fn index(&self) -> Option<u64> {
        self.at.as_ref().map(|cursor| cursor.index)
    }
}

impl Cursor {
    /// The next frame. Something that is no frame counts as damage only when a good frame follows it; otherwise it is a
    /// record that is being written now, or was when the process died.
    fn next(&mut self, last: Seq) -> io::Result<Option<Raw>> {
        self.fill(FRAME_HEADER)?;
        if let Some(raw) = self.take_frame()? {
            return Ok(Some(raw));
        }
        if self.blank() {
            return Ok(None);
        }
        // Looked at again with fresh bytes: the first look may have met a write half done.
        self.buffer.truncate(self.position);
        self.fill(FRAME_HEADER)?;
        if let Some(raw) = self.take_frame()? {
            return Ok(Some(raw));
        }
        self.resync(last)
    }

    fn take_frame(&mut self) -> io::Result<Option<Raw>> {
        if let Step::Short { needed } = step(self.rest()) {
            self.fill(needed)?;
        }
        match step(self.rest()) {
            Step::Frame { seq, size } => {
                let payload = self.rest().get(FRAME_HEADER..size).unwrap_or_default().to_vec();
                self.position += size;
                Ok(Some(Raw::Frame(Frame { seq, payload })))
            }
            Step::Blank => {
                // Zeros may be written over later, so they are not kept.
                self.buffer.truncate(self.position);
                Ok(None)
            }
            Step::Short { .. } | Step::Bad => Ok(None),
        }
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.position..).unwrap_or_default()
    }

    fn blank(&self) -> bool {
        self.rest().is_empty()
    }

    /// Has at least `needed` bytes in the buffer, if the file does.
    fn fill(&mut self, needed: usize) -> io::Result<()> {
        if self.rest().len() >= needed {
            return Ok(());
        }
        self.buffer.drain(..self.position);
        self.offset += self.position as u64;
        self.position = 0;
        let have = self.buffer.len();
        self.buffer.resize(needed.max(CHUNK), 0);
        let mut end = have;
        while let Some(room) = self.buffer.get_mut(end..).filter(|room| !room.is_empty()) {
            let count = self.file.read_at(room, self.offset + end as u64)?;
            if count == 0 {
                break;
            }
            end += count;
        }
        self.buffer.truncate(end);
        Ok(())
    }

    /// Looks for the next good frame behind something that is none.
    fn resync(&mut self, last: Seq) -> io::Result<Option<Raw>> {
        let mut rest = vec![0; usize::try_from(self.file.metadata()?.len()).unwrap_or(usize::MAX)];
        let from = self.offset + self.position as u64;
        let mut count = 0;
        while let Some(room) = rest.get_mut(count..).filter(|room| !room.is_empty()) {
            match self.file.read_at(room, from + count as u64)? {
                0 => break,
                more => count += more,
            }
        }
        rest.truncate(count);
        let good = |at: &usize| {
            let ahead = rest.get(*at..).unwrap_or_default();
            // The cheap look first: a checksum over each byte's offset would take minutes.
            matches!(ahead.get(..4), Some([_, _, _, 0])) && matches!(step(ahead), Step::Frame { seq, .. } if seq > last)
        };
        // The preallocated rest is zeros, and a good frame has a length within its first three bytes.
        let Some(first) = rest.iter().position(|byte| *byte != 0) else { return Ok(None) };
        let Some(skip) = (first.saturating_sub(3).max(1)..rest.len()).find(good) else { return Ok(None) };
        let damage = Damage { segment: self.path.clone(), offset: from, bytes: skip as u64 };
        self.buffer.clear();
        self.position = 0;
        self.offset = from + skip as u64;
        Ok(Some(Raw::Damaged(damage)))
    }
}

/// Segment files of `dir`, oldest first.
pub(super) fn segments(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION)
            && let Some(index) = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok())
        {
            found.push((index, path));
        }
    }
    found.sort();
    Ok(found)
}

//! The writing side: the caller's thread appends, the journal's own thread makes durable, retries and prepares.
#![allow(clippy::disallowed_methods)] // An edge module: it measures how long the disk takes.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::sync::watch;

use super::disk::{Disk, Files, Segment};
use super::frame::{FRAME_HEADER, MAGIC, MAX_PAYLOAD, seal};
use super::reader::{Damage, EXTENSION, Raw, Reader, segments};
use crate::ids::Seq;
use crate::ticket::Record;

/// Written but not yet durable frames that are kept for a second writing, in bytes. Beyond it the oldest are let go:
/// they are in the page cache, and only a failed fdatasync would miss them.
const MAX_UNDURABLE_BYTES: usize = 4 << 20;
/// Ring frames written back in one hold of the lock, so that an append never waits for the whole ring.
const RETRY_BATCH: usize = 32;
/// The disk has not confirmed for this long: the alarm goes up though writing still works.
const STALLED_AFTER: Duration = Duration::from_secs(2);

/// Sizes and times of a journal.
#[derive(Clone)]
pub struct Options {
    /// A segment's size; at least twice the largest record.
    pub segment_bytes: u64,
    /// Projected segments kept for replaying calls.
    pub keep_segments: usize,
    /// What is kept in memory while the disk refuses. At three quarters of it new calls should be refused.
    pub ring_bytes: usize,
    /// An append waits at most this long for company before fdatasync starts.
    pub sync_after: Duration,
    pub retry_after: Duration,
    pub disk: Arc<dyn Disk>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            segment_bytes: 16 << 20,
            keep_segments: 4,
            ring_bytes: 16 << 20,
            sync_after: Duration::from_millis(2),
            retry_after: Duration::from_millis(250),
            disk: Arc::new(Files),
        }
    }
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// In the page cache: survives kill -9 now, power loss within 5 ms.
    Written,
    /// The disk refuses: in memory until it takes records again.
    Held,
    /// The ring is full, or the record is larger than a record may be. Counted in [`Trouble::lost`].
    Lost,
    /// Its sequence number is not above the last one's: a fault of the caller, nothing was written.
    OutOfOrder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JournalState {
    Healthy,
    /// Not written or not durable: the alarm is up, calls go on.
    Degraded,
    /// The ring is nearly full: new INVITEs are refused, calls that are up still have the last quarter.
    Full,
}

/// Why the journal is not healthy, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    pub reason: String,
    pub held_records: usize,
    pub held_bytes: usize,
    /// Records lost since the process started.
    pub lost: u64,
}

/// What was found when the journal was opened.
#[derive(Clone, Debug)]
pub struct Replay {
    dir: PathBuf,
    /// The highest sequence number; zero for an empty journal.
    pub last: Seq,
    pub records: u64,
    pub damaged: Vec<Damage>,
    /// Bytes of a record whose writing was cut short, taken off.
    pub torn_bytes: u64,
}

impl Replay {
    /// Reads the records after `after`.
    pub fn reader(&self, after: Seq) -> Reader {
        Reader::new(&self.dir, after)
    }
}

/// The one writer of a journal directory.
pub struct Journal {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    dir: PathBuf,
    /// Held while the journal is open: a second process is refused.
    _lock: File,
}

struct Shared {
    writer: Mutex<Writer>,
    state: AtomicU8,
    written: AtomicU64,
    /// Something awaits fdatasync; set by appends, taken by the journal's thread.
    dirty: AtomicBool,
    stop: AtomicBool,
    bell: Mutex<()>,
    wake: Condvar,
    durable: watch::Sender<Seq>,
}

struct Writer {
    dir: PathBuf,
    options: Options,
    current: Option<Current>,
    spare: Option<(PathBuf, Arc<dyn Segment>)>,
    next_index: u64,
    past: Vec<Past>,
    /// Full segments that were not made durable yet.
    unsynced: Vec<Arc<dyn Segment>>,
    new_names: bool,
    last: Seq,
    undurable: VecDeque<Frame>,
    undurable_bytes: usize,
    undurable_since: Option<Instant>,
    ring: VecDeque<Frame>,
    ring_bytes: usize,
    reason: Option<String>,
    lost: u64,
    scratch: Vec<u8>,
}

struct Current {
    index: u64,
    path: PathBuf,
    segment: Arc<dyn Segment>,
    offset: u64,
    last: Seq,
}

struct Past {
    index: u64,
    path: PathBuf,
    last: Seq,
}

struct Frame {
    seq: Seq,
    bytes: Box<[u8]>,
}

impl Journal {
    /// Opens (or makes) the journal in `dir`, takes off a torn tail and starts the journal's thread.
    ///
    /// # Errors
    /// When the directory can't be made, read or locked. A full disk is no error: the journal starts degraded.
    pub fn open(dir: &Path, options: Options) -> Result<(Journal, Replay)> {
        crate::store::make_dir(dir)?;
        let lock = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(dir.join("lock"));
        let lock = lock.with_context(|| format!("cannot make {}/lock", dir.display()))?;
        if lock.try_lock().is_err() {
            bail!("{} is in use by another process", dir.display());
        }
        remove_leftovers(dir)?;
        let (replay, past) = scan(dir).with_context(|| format!("cannot read {}", dir.display()))?;
        let mut writer = Writer::new(dir, options.clone(), replay.last, past);
        writer.prepare_first();
        let shared = Arc::new(Shared {
            state: AtomicU8::new(0),
            written: AtomicU64::new(replay.last.0),
            dirty: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            bell: Mutex::new(()),
            wake: Condvar::new(),
            durable: watch::Sender::new(replay.last),
            writer: Mutex::new(writer),
        });
        shared.refresh(&shared.lock());
        let thread = std::thread::Builder::new().name("journal".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run(&options)
        })?;
        Ok((Journal { shared, thread: Some(thread), dir: dir.to_owned(), _lock: lock }, replay))
    }

    /// Writes one record. Takes some microseconds; never waits for the disk to confirm.
    pub fn append(&self, record: &Record) -> Appended {
        let mut writer = self.shared.lock();
        let appended = writer.append(record);
        self.shared.refresh(&writer);
        if appended == Appended::Written {
            self.shared.written.store(record.seq.0, Ordering::Release);
            drop(writer);
            if !self.shared.dirty.swap(true, Ordering::AcqRel) {
                self.shared.ring_bell();
            }
        }
        appended
    }

    /// Whether new calls may be taken, and whether the alarm is up.
    pub fn state(&self) -> JournalState {
        match self.shared.state.load(Ordering::Relaxed) {
            0 => JournalState::Healthy,
            1 => JournalState::Degraded,
            _ => JournalState::Full,
        }
    }

    /// What is wrong; `None` while healthy and nothing was lost.
    pub fn trouble(&self) -> Option<Trouble> {
        let writer = self.shared.lock();
        let reason = writer.reason.clone().or_else(|| writer.stalled().then(|| "the disk does not confirm".to_owned()));
        (reason.is_some() || writer.lost > 0).then(|| Trouble {
            reason: reason.unwrap_or_default(),
            held_records: writer.ring.len(),
            held_bytes: writer.ring_bytes,
            lost: writer.lost,
        })
    }

    /// Everything up to here survives power loss.
    pub fn durable_seq(&self) -> Seq {
        *self.shared.durable.borrow()
    }

    /// Everything up to here survives kill -9 (or was lost, see [`Journal::trouble`]).
    pub fn written_seq(&self) -> Seq {
        Seq(self.shared.written.load(Ordering::Acquire))
    }

    /// Wakes its watchers whenever [`Journal::durable_seq`] grows.
    pub fn watch_durable(&self) -> watch::Receiver<Seq> {
        self.shared.durable.subscribe()
    }

    /// Reads what is written, while it is being written.
    pub fn reader(&self, after: Seq) -> Reader {
        Reader::new(&self.dir, after)
    }

    /// Deletes old segments whose records are all projected. Keeps some for replaying calls, unless space is short.
    pub fn prune(&self, projected: Seq) {
        let (paths, disk) = {
            let mut writer = self.shared.lock();
            (writer.prunable(projected), Arc::clone(&writer.options.disk))
        };
        for path in paths {
            if let Err(error) = disk.remove(&path) {
                tracing::warn!(segment = %path.display(), %error, "cannot delete a projected journal segment");
            }
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.ring_bell();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the thread itself.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring_bell(&self) {
        let _bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        self.wake.notify_one();
    }

    /// Waits for the bell, at most `limit`.
    fn wait(&self, limit: Duration) {
        let bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.dirty.load(Ordering::Acquire) && !self.stop.load(Ordering::Acquire) {
            drop(self.wake.wait_timeout(bell, limit));
        }
    }

    /// Publishes the state that follows from the writer's.
    fn refresh(&self, writer: &Writer) {
        let state = if writer.ring_bytes > writer.options.ring_bytes / 4 * 3 {
            2
        } else {
            u8::from(writer.reason.is_some() || writer.stalled())
        };
        self.state.store(state, Ordering::Relaxed);
    }

    /// The journal's thread.
    fn run(&self, options: &Options) {
        loop {
            self.wait(options.retry_after);
            let stopping = self.stop.load(Ordering::Acquire);
            if self.dirty.load(Ordering::Acquire) && !stopping {
                std::thread::sleep(options.sync_after);
            }
            self.write_ring();
            self.prepare_spare();
            // Taken before the frames are looked at: what is written after this rings again.
            self.dirty.store(false, Ordering::Release);
            self.make_durable();
            self.refresh(&self.lock());
            if stopping {
                return;
            }
        }
    }

    /// Writes what the disk refused before, in small pieces.
    fn write_ring(&self) {
        loop {
            let mut writer = self.lock();
            if writer.ring.is_empty() {
                return;
            }
            let written = writer.write_ring(RETRY_BATCH);
            self.refresh(&writer);
            match written {
                Ok(seq) => {
                    self.written.fetch_max(seq.0, Ordering::AcqRel);
                    self.dirty.store(true, Ordering::Release);
                }
                Err(error) => {
                    writer.reason = Some(error.to_string());
                    return;
                }
            }
        }
    }

    /// Has the next segment ready before it is needed, so that no append waits for preallocation.
    fn prepare_spare(&self) {
        let wanted = {
            let mut writer = self.lock();
            writer.wants_spare().then(|| (writer.spare_path(), writer.options.clone()))
        };
        let Some((path, options)) = wanted else { return };
        if let Ok(segment) = options.disk.prepare(&path, options.segment_bytes) {
            self.lock().spare = Some((path, segment));
        }
    }

    fn make_durable(&self) {
        let (segments, upto, names, dir, disk) = {
            let mut writer = self.lock();
            if writer.undurable_since.is_none() {
                return;
            }
            let upto = Seq(self.written.load(Ordering::Acquire));
            let mut segments = std::mem::take(&mut writer.unsynced);
            segments.extend(writer.current.as_ref().map(|current| Arc::clone(&current.segment)));
            let names = std::mem::take(&mut writer.new_names);
            (segments, upto, names, writer.dir.clone(), Arc::clone(&writer.options.disk))
        };
        let synced = segments
            .iter()
            .try_for_each(|segment| segment.sync())
            .and_then(|()| if names { disk.sync_dir(&dir) } else { Ok(()) });
        let mut writer = self.lock();
        match synced {
            Ok(()) => {
                writer.durable(upto);
                drop(writer);
                self.durable.send_if_modified(|durable| {
                    let grown = upto > *durable;
                    *durable = upto.max(*durable);
                    grown
                });
            }
            Err(error) => {
                tracing::error!(%error, "the journal cannot be made durable; writing it again to a new segment");
                writer.write_again(format!("not durable: {error}"));
            }
        }
    }
}

impl Writer {
    fn new(dir: &Path, options: Options, last: Seq, past: Vec<Past>) -> Writer {
        let next_index = past.last().map_or(1, |past| past.index + 1);
        Writer {
            dir: dir.to_owned(),
            options,
            current: None,
            spare: None,
            next_index,
            past,
            unsynced: Vec::new(),
            new_names: false,
            last,
            undurable: VecDeque::new(),
            undurable_bytes: 0,
            undurable_since: None,
            ring: VecDeque::new(),
            ring_bytes: 0,
            reason: None,
            lost: 0,
            scratch: Vec::new(),
        }
    }

    /// The disk's first answer; a refusal is known before the first call comes.
    fn prepare_first(&mut self) {
        let path = self.spare_path();
        match self.options.disk.prepare(&path, self.options.segment_bytes) {
            Ok(segment) => self.spare = Some((path, segment)),
            Err(error) => self.reason = Some(error.to_string()),
        }
    }

    fn spare_path(&mut self) -> PathBuf {
        self.dir.join(format!("next-{}.tmp", self.next_index))
    }

    fn wants_spare(&self) -> bool {
        let half_full = self.current.as_ref().is_none_or(|current| current.offset > self.options.segment_bytes / 2);
        self.spare.is_none() && half_full
    }

    fn append(&mut self, record: &Record) -> Appended {
        if record.seq <= self.last {
            tracing::error!(seq = record.seq.0, last = self.last.0, "a record came out of order");
            return Appended::OutOfOrder;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.resize(FRAME_HEADER, 0);
        let encoded = serde_json::to_writer(&mut scratch, record);
        let appended = if encoded.is_err() || scratch.len() - FRAME_HEADER > MAX_PAYLOAD {
            tracing::error!(seq = record.seq.0, kind = record.event.kind(), "a record is too large to be kept");
            self.lost += 1;
            Appended::Lost
        } else {
            self.last = record.seq;
            seal(&mut scratch, record.seq);
            self.take(record.seq, &scratch)
        };
        self.scratch = scratch;
        appended
    }

    fn take(&mut self, seq: Seq, frame: &[u8]) -> Appended {
        // Order is kept: while older records wait, so does this one.
        if self.ring.is_empty() {
            match self.write(seq, frame) {
                Ok(()) => {
                    // What an empty disk refused at the start is forgiven by the first record it takes.
                    self.reason = None;
                    self.remember(Frame { seq, bytes: frame.into() });
                    return Appended::Written;
                }
                Err(error) => {
                    tracing::error!(%error, "the journal cannot be written; records are held in memory");
                    self.reason = Some(error.to_string());
                }
            }
        }
        if self.ring_bytes + frame.len() > self.options.ring_bytes {
            self.lost += 1;
            return Appended::Lost;
        }
        self.ring_bytes += frame.len();
        self.ring.push_back(Frame { seq, bytes: frame.into() });
        Appended::Held
    }

    fn write(&mut self, seq: Seq, frame: &[u8]) -> io::Result<()> {
        let size = frame.len() as u64;
        let room = |current: &Current, segment_bytes: u64| current.offset + size <= segment_bytes;
        if !self.current.as_ref().is_some_and(|current| room(current, self.options.segment_bytes)) {
            self.rotate(seq)?;
        }
        if let Some(current) = &mut self.current {
            current.segment.write_at(frame, current.offset)?;
            current.offset += size;
            current.last = seq;
        }
        Ok(())
    }

    /// Goes on in a new segment, whose header is written and whose name is known before its first frame.
    fn rotate(&mut self, first: Seq) -> io::Result<()> {
        let (path, segment) = match self.spare.take() {
            Some(spare) => spare,
            None => {
                // Not the spare's own name: the journal's thread may be preparing that one now.
                let path = self.dir.join(format!("now-{}.tmp", self.next_index));
                let segment = self.options.disk.prepare(&path, self.options.segment_bytes)?;
                (path, segment)
            }
        };
        segment.write_at(MAGIC, 0)?;
        let named = self.dir.join(format!("{:08}.{EXTENSION}", self.next_index));
        self.options.disk.rename(&path, &named)?;
        self.retire();
        let offset = MAGIC.len() as u64;
        let last = Seq(first.0.saturating_sub(1));
        self.current = Some(Current { index: self.next_index, path: named, segment, offset, last });
        self.next_index += 1;
        self.new_names = true;
        Ok(())
    }

    fn retire(&mut self) {
        if let Some(full) = self.current.take() {
            self.unsynced.push(full.segment);
            self.past.push(Past { index: full.index, path: full.path, last: full.last });
        }
    }

    fn remember(&mut self, frame: Frame) {
        self.undurable_since.get_or_insert_with(Instant::now);
        self.undurable_bytes += frame.bytes.len();
        self.undurable.push_back(frame);
        while self.undurable_bytes > MAX_UNDURABLE_BYTES {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(frame) = self.undurable.pop_front() {
            self.undurable_bytes -= frame.bytes.len();
        }
    }

    fn durable(&mut self, upto: Seq) {
        while self.undurable.front().is_some_and(|frame| frame.seq <= upto) {
            self.forget_oldest();
        }
        self.undurable_since = (!self.undurable.is_empty()).then(Instant::now);
        if self.ring.is_empty() {
            self.reason = None;
        }
    }

    fn stalled(&self) -> bool {
        self.undurable_since.is_some_and(|since| since.elapsed() > STALLED_AFTER)
    }

    /// After a failed fdatasync: nothing of it may be trusted, so it goes to a new segment.
    fn write_again(&mut self, reason: String) {
        self.retire();
        self.unsynced.clear();
        self.new_names = true;
        self.undurable_since = None;
        self.ring_bytes += self.undurable_bytes;
        self.undurable_bytes = 0;
        let mut frames = std::mem::take(&mut self.undurable);
        frames.append(&mut self.ring);
        self.ring = frames;
        self.reason = Some(reason);
    }

    /// Writes up to `count` frames of the ring; the last sequence number written.
    fn write_ring(&mut self, count: usize) -> io::Result<Seq> {
        let mut written = Seq(0);
        for _ in 0..count {
            let Some(frame) = self.ring.pop_front() else { break };
            if let Err(error) = self.write(frame.seq, &frame.bytes) {
                self.ring.push_front(frame);
                return Err(error);
            }
            self.ring_bytes -= frame.bytes.len();
            written = frame.seq;
            self.remember(frame);
        }
        Ok(written)
    }

    /// Takes the segments off the list that may be deleted now.
    fn prunable(&mut self, projected: Seq) -> Vec<PathBuf> {
        let keep = if self.reason.is_some() { 0 } else { self.options.keep_segments };
        let durable = self.undurable.front().map_or(Seq(u64::MAX), |frame| frame.seq);
        let mut paths = Vec::new();
        while self.past.len() > keep
            && self.past.first().is_some_and(|past| past.last <= projected && past.last < durable)
        {
            paths.push(self.past.remove(0).path);
        }
        paths
    }
}

/// Segments that were being prepared when the last process ended.
fn remove_leftovers(dir: &Path) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tmp") {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Reads everything once: the last sequence number, what each segment ends with, damage, and the torn tail.
fn scan(dir: &Path) -> io::Result<(Replay, Vec<Past>)> {
    let mut replay = Replay { dir: dir.to_owned(), last: Seq(0), records: 0, damaged: Vec::new(), torn_bytes: 0 };
    let mut past: Vec<Past> =
        segments(dir)?.into_iter().map(|(index, path)| Past { index, path, last: Seq(0) }).collect();
    let mut reader = Reader::new(dir, Seq(0));
    loop {
        let raw = match reader.next_raw()? {
            Some(raw) => raw,
            None => match reader.behind_hole()? {
                Some(raw) => raw,
                None => break,
            },
        };
        match raw {
            Raw::Frame(frame) => {
                replay.last = frame.seq;
                replay.records += 1;
                let index = reader.index();
                if let Some(segment) = past.iter_mut().find(|past| Some(past.index) == index) {
                    segment.last = frame.seq;
                }
            }
            Raw::Damaged(damage) => {
                tracing::error!(segment = %damage.segment.display(), offset = damage.offset, bytes = damage.bytes,
                    "the journal is damaged here; the records after it are whole");
                replay.damaged.push(damage);
            }
        }
    }
    // Nothing is ever appended to a segment of an earlier process, so its preallocated rest is given back.
    if let Some((path, end)) = reader.end() {
        let file = File::options().write(true).open(path)?;
        replay.torn_bytes = torn(path, end)?;
        file.set_len(end)?;
    }
    Ok((replay, past))
}

/// Bytes of `path` from `end` to its last one that is not zero.
fn torn(path: &Path, end: u64) -> io::Result<u64> {
    let bytes = std::fs::read(path)?;
    let tail = bytes.get(usize::try_from(end).unwrap_or(usize::MAX)..).unwrap_or_default();
    Ok(tail.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

#![allow(clippy::disallowed_methods)] // Deadlines of what another thread does.

use std::sync::atomic::AtomicBool;

use tempfile::TempDir;

use super::super::reader::Entry;
use super::*;
use crate::ticket::script::{Script, at, call};
use crate::ticket::{Event, HangupCause, Party};

/// A disk that can be full, or fail to make anything durable. It flushes nothing: no test here takes the power away, and some
/// open a journal a thousand times.
#[derive(Default)]
struct Faulty {
    full: AtomicBool,
    fails_sync: AtomicBool,
}

struct FaultySegment {
    disk: Arc<Faulty>,
    file: Arc<dyn Segment>,
}

struct FaultyDisk(Arc<Faulty>);

fn no_space() -> io::Error {
    io::Error::from(io::ErrorKind::StorageFull)
}

impl Disk for FaultyDisk {
    fn prepare(&self, path: &Path, bytes: u64) -> io::Result<Arc<dyn Segment>> {
        if self.0.full.load(Ordering::SeqCst) {
            return Err(no_space());
        }
        let file = Files.prepare(path, bytes)?;
        Ok(Arc::new(FaultySegment { disk: Arc::clone(&self.0), file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Files.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Files.remove(path)
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

impl Segment for FaultySegment {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.disk.full.load(Ordering::SeqCst) {
            // A short write: what a full disk does with the last record.
            self.file.write_at(bytes.get(..bytes.len() / 2).unwrap_or_default(), offset)?;
            return Err(no_space());
        }
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        if self.disk.fails_sync.load(Ordering::SeqCst) {
            return Err(io::Error::other("EIO"));
        }
        Ok(())
    }
}

fn small(disk: &Arc<Faulty>) -> Options {
    Options {
        segment_bytes: 8 << 10,
        ring_bytes: 4 << 10,
        keep_segments: 1,
        retry_after: Duration::from_millis(5),
        disk: Arc::new(FaultyDisk(Arc::clone(disk))),
        ..Options::default()
    }
}

fn plain() -> Options {
    small(&Arc::default())
}

/// For a few frames, opened a thousand times.
fn tiny() -> Options {
    Options { segment_bytes: 1 << 10, sync_after: Duration::ZERO, ..plain() }
}

fn record(seq: u64) -> Record {
    Record { seq: Seq(seq), at: at(seq as f64), call: Some(call(1)), event: Event::Answered }
}

fn open(dir: &TempDir, options: Options) -> (Journal, Replay) {
    Journal::open(dir.path(), options).unwrap()
}

/// Sequence numbers that a fresh reader finds, and the holes.
fn read(dir: &Path) -> (Vec<u64>, usize) {
    let (mut seqs, mut holes) = (Vec::new(), 0);
    let mut reader = Reader::new(dir, Seq(0));
    while let Some(entry) = reader.next_entry().unwrap() {
        match entry {
            Entry::Record(record) => seqs.push(record.seq.0),
            Entry::Damaged(_) => holes += 1,
            Entry::Unreadable { seq, reason } => panic!("{seq}: {reason}"),
        }
    }
    (seqs, holes)
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what} did not happen");
        std::thread::yield_now();
    }
}

#[test]
fn records_come_back_as_they_were_written() {
    let dir = TempDir::new().unwrap();
    let mut script = Script::new();
    script.open(1000, 0.0).from(0.0, "4-west", "epic").need(0.1, "charting", "epic").helped(4.0, 1, "ada");
    script.ended(60.0, HangupCause::Normal, Party::Caller);
    let (journal, replay) = open(&dir, Options::default());
    assert_eq!((replay.last, replay.records), (Seq(0), 0));
    for record in &script.records {
        assert_eq!(journal.append(record), Appended::Written);
    }
    drop(journal);
    let (_journal, replay) = open(&dir, Options::default());
    assert_eq!((replay.last, replay.records, replay.torn_bytes), (Seq(8), 8, 0));
    let mut reader = replay.reader(Seq(2));
    for expected in script.records.iter().skip(2) {
        assert!(matches!(reader.next_entry().unwrap(), Some(Entry::Record(read)) if *read == *expected));
    }
    assert!(reader.next_entry().unwrap().is_none());
}

#[test]
fn what_is_appended_becomes_durable() {
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(&dir, plain());
    journal.append(&record(1));
    until("fdatasync", || journal.durable_seq() == Seq(1));
    assert_eq!(journal.state(), JournalState::Healthy);
}

/// The bytes of three frames in one segment, and where each frame ends.
fn three_frames() -> (Vec<u8>, [usize; 3]) {
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(&dir, tiny());
    for seq in 1..=3 {
        journal.append(&record(seq));
    }
    drop(journal);
    let bytes = std::fs::read(dir.path().join("00000001.journal")).unwrap();
    let payload = serde_json::to_vec(&record(1)).unwrap().len();
    let frame = 16 + payload;
    (bytes, [8 + frame, 8 + 2 * frame, 8 + 3 * frame])
}

fn segment_of(bytes: &[u8]) -> TempDir {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("00000001.journal"), bytes).unwrap();
    dir
}

#[test]
fn a_journal_torn_at_any_byte_gives_back_all_complete_records() {
    let (bytes, ends) = three_frames();
    for cut in 0..=ends[2] {
        let whole = ends.iter().filter(|end| **end <= cut).count() as u64;
        let expected: Vec<u64> = (1..=whole).collect();
        // Cut off, and cut within preallocated zeros.
        let mut zeroed = bytes.clone();
        zeroed[cut..].fill(0);
        for torn in [&bytes[..cut], &zeroed[..]] {
            let dir = segment_of(torn);
            assert_eq!(read(dir.path()), (expected.clone(), 0), "cut at {cut}");
            let (journal, replay) = open(&dir, tiny());
            assert_eq!((replay.records, replay.last), (whole, Seq(whole)), "cut at {cut}");
            assert_eq!(journal.append(&record(whole + 1)), Appended::Written);
            drop(journal);
            assert_eq!(read(dir.path()).0, (1..=whole + 1).collect::<Vec<u64>>(), "cut at {cut}");
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_in_a_record_is_found_and_costs_that_record_only() {
    let (bytes, ends) = three_frames();
    for place in ends[0]..ends[1] {
        let mut flipped = bytes.clone();
        flipped[place] ^= 0x10;
        let dir = segment_of(&flipped);
        assert_eq!(read(dir.path()), (vec![1, 3], 1), "flipped at {place}");
        let (_journal, replay) = open(&dir, tiny());
        assert_eq!((replay.damaged.len(), replay.last), (1, Seq(3)), "flipped at {place}");
        assert_eq!(replay.damaged[0].offset, ends[0] as u64);
    }
}

#[test]
fn a_hole_of_zeros_before_good_records_is_found_at_the_next_start() {
    let (mut bytes, ends) = three_frames();
    bytes[ends[0]..ends[1]].fill(0);
    let dir = segment_of(&bytes);
    let (journal, replay) = open(&dir, plain());
    assert_eq!((replay.damaged.len(), replay.last), (1, Seq(3)));
    journal.append(&record(4));
    drop(journal);
    assert_eq!(read(dir.path()), (vec![1, 3, 4], 1));
}

#[test]
fn segments_follow_each_other_and_go_once_projected() {
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(&dir, plain());
    for seq in 1..=500 {
        assert_eq!(journal.append(&record(seq)), Appended::Written);
    }
    let before = segments(dir.path()).unwrap().len();
    assert!(before > 5, "{before}");
    assert_eq!(read(dir.path()), ((1..=500).collect(), 0));
    until("fdatasync", || journal.durable_seq() == Seq(500));
    journal.prune(Seq(0));
    assert_eq!(segments(dir.path()).unwrap().len(), before);
    journal.prune(Seq(500));
    // The current one, and one that is kept for replaying calls.
    assert_eq!(segments(dir.path()).unwrap().len(), 2);
    drop(journal);
    let (_journal, replay) = open(&dir, plain());
    assert_eq!(replay.last, Seq(500));
}

#[test]
fn a_reader_follows_the_writer() {
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(&dir, plain());
    let mut reader = journal.reader(Seq(0));
    for seq in 1..=400 {
        assert!(reader.next_entry().unwrap().is_none());
        journal.append(&record(seq));
        assert!(matches!(reader.next_entry().unwrap(), Some(Entry::Record(read)) if read.seq == Seq(seq)));
    }
}

#[test]
fn a_full_disk_holds_records_in_memory_then_refuses_calls_and_recovers_without_restart() {
    let dir = TempDir::new().unwrap();
    let disk = Arc::<Faulty>::default();
    let (journal, _) = open(&dir, small(&disk));
    assert_eq!(journal.append(&record(1)), Appended::Written);
    disk.full.store(true, Ordering::SeqCst);
    assert_eq!(journal.append(&record(2)), Appended::Held);
    assert_eq!(journal.state(), JournalState::Degraded);
    let mut seq = 2;
    while journal.state() == JournalState::Degraded {
        seq += 1;
        assert_eq!(journal.append(&record(seq)), Appended::Held);
    }
    assert_eq!(journal.state(), JournalState::Full);
    let trouble = journal.trouble().unwrap();
    assert_eq!((trouble.held_records as u64, trouble.lost), (seq - 1, 0));
    assert_eq!(journal.written_seq(), Seq(1));
    disk.full.store(false, Ordering::SeqCst);
    until("recovery", || journal.state() == JournalState::Healthy);
    assert_eq!(journal.append(&record(seq + 1)), Appended::Written);
    until("fdatasync", || journal.durable_seq() == Seq(seq + 1));
    assert_eq!(journal.trouble(), None);
    assert_eq!(read(dir.path()), ((1..=seq + 1).collect(), 0));
}

#[test]
fn records_beyond_the_ring_are_lost_and_counted() {
    let dir = TempDir::new().unwrap();
    let disk = Arc::<Faulty>::default();
    let (journal, _) = open(&dir, small(&disk));
    disk.full.store(true, Ordering::SeqCst);
    let mut held = 0;
    while journal.append(&record(held + 1)) == Appended::Held {
        held += 1;
    }
    assert_eq!(journal.trouble().unwrap().lost, 1);
    disk.full.store(false, Ordering::SeqCst);
    until("recovery", || journal.append(&record(held + 2)) != Appended::Lost || journal.written_seq() >= Seq(held));
    until("recovery", || journal.state() == JournalState::Healthy);
    assert_eq!(read(dir.path()).0.iter().filter(|seq| **seq <= held).count() as u64, held);
}

#[test]
fn a_start_on_a_full_disk_is_degraded_and_recovers() {
    let dir = TempDir::new().unwrap();
    let disk = Arc::<Faulty>::default();
    disk.full.store(true, Ordering::SeqCst);
    let (journal, _) = open(&dir, small(&disk));
    assert_eq!(journal.state(), JournalState::Degraded);
    assert_eq!(journal.append(&record(1)), Appended::Held);
    disk.full.store(false, Ordering::SeqCst);
    until("recovery", || journal.durable_seq() == Seq(1));
    assert_eq!(read(dir.path()), (vec![1], 0));
}

#[test]
fn a_failed_fdatasync_acknowledges_nothing_and_is_written_again() {
    let dir = TempDir::new().unwrap();
    let disk = Arc::<Faulty>::default();
    let (journal, _) = open(&dir, small(&disk));
    journal.append(&record(1));
    until("fdatasync", || journal.durable_seq() == Seq(1));
    disk.fails_sync.store(true, Ordering::SeqCst);
    journal.append(&record(2));
    until("the alarm", || journal.state() == JournalState::Degraded);
    journal.append(&record(3));
    assert_eq!(journal.durable_seq(), Seq(1));
    disk.fails_sync.store(false, Ordering::SeqCst);
    until("recovery", || journal.durable_seq() == Seq(3));
    until("recovery", || journal.state() == JournalState::Healthy);
    assert_eq!(read(dir.path()), (vec![1, 2, 3], 0));
    assert!(segments(dir.path()).unwrap().len() >= 2);
}

#[test]
fn a_restart_storm_loses_nothing() {
    let dir = TempDir::new().unwrap();
    for round in 0..10 {
        let (journal, replay) = open(&dir, plain());
        assert_eq!(replay.last, Seq(round * 5));
        for seq in 1..=5 {
            journal.append(&record(round * 5 + seq));
        }
    }
    assert_eq!(read(dir.path()), ((1..=50).collect(), 0));
}

#[test]
fn one_directory_has_one_writer() {
    let dir = TempDir::new().unwrap();
    let (_journal, _) = open(&dir, plain());
    let refused = Journal::open(dir.path(), plain()).err().map(|error| error.to_string());
    assert!(refused.unwrap().contains("in use by another process"));
}

#[test]
fn a_record_out_of_order_is_refused() {
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(&dir, plain());
    journal.append(&record(2));
    assert_eq!(journal.append(&record(2)), Appended::OutOfOrder);
    assert_eq!(journal.append(&record(1)), Appended::OutOfOrder);
    drop(journal);
    assert_eq!(read(dir.path()), (vec![2], 0));
}

#[test]
fn a_record_of_a_newer_version_is_told_and_passed() {
    let dir = TempDir::new().unwrap();
    let mut bytes = MAGIC.to_vec();
    for (seq, payload) in
        [(1, br#"{"seq":1,"kind":"from-the-future"}"#.to_vec()), (2, serde_json::to_vec(&record(2)).unwrap())]
    {
        let mut frame = vec![0; FRAME_HEADER];
        frame.extend(payload);
        seal(&mut frame, Seq(seq));
        bytes.extend(frame);
    }
    std::fs::write(dir.path().join("00000001.journal"), bytes).unwrap();
    let mut reader = Reader::new(dir.path(), Seq(0));
    assert!(matches!(reader.next_entry().unwrap(), Some(Entry::Unreadable { seq: Seq(1), .. })));
    assert!(matches!(reader.next_entry().unwrap(), Some(Entry::Record(read)) if read.seq == Seq(2)));
}

//! A small seeded fuzzer. To add a target: put inputs into `tests/fuzz/corpus/<name>/`, describe it by a [`Target`], and
//! call [`Target::run`] in a test. A failure prints the seed and the input; `WARDLINE_FUZZ_SEED` replays it;
//! `WARDLINE_FUZZ_TIMES` runs so many times longer.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Inputs never grow beyond this, so that a run stays within seconds.
const MAX_INPUT: usize = 8 * 1024;
/// Mutations stacked on one input.
const MAX_STACK: u64 = 6;
const DEFAULT_SEED: u64 = 4710;

/// SplitMix64: tiny, and the same on every machine.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `bound` - 1; 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % (bound.max(1) as u64)) as usize
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }
}

/// What is fuzzed.
pub struct Target {
    /// Also the folder under `tests/fuzz/corpus`.
    pub name: &'static str,
    /// Further inputs: files of the repository, by their path from its root.
    pub samples: &'static [&'static str],
    /// Words of the format, put in at random places.
    pub dictionary: &'static [&'static str],
    /// Feeds one input; a panic or `Err` is a finding. The rng is for choices that belong to the input (chunk sizes …).
    pub feed: fn(&[u8], &mut Rng) -> Result<(), String>,
}

impl Target {
    /// Every corpus file as it is, then `rounds` mutations of them.
    pub fn run(&self, rounds: u64) {
        let corpus = self.corpus();
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let (seed, times) = (number("WARDLINE_FUZZ_SEED"), number("WARDLINE_FUZZ_TIMES").unwrap_or(1));
        for (name, input) in &corpus {
            self.feed_one(input, 0, name);
        }
        if let Some(seed) = seed {
            return self.round(&corpus, seed);
        }
        for round in 0..rounds * times {
            self.round(&corpus, DEFAULT_SEED.wrapping_add(round));
        }
    }

    fn round(&self, corpus: &[(String, Vec<u8>)], seed: u64) {
        let mut rng = Rng::new(seed);
        let (name, input) = rng.pick(corpus).expect("the corpus is not empty");
        let mut input = input.clone();
        for _ in 0..=rng.next() % MAX_STACK {
            let other = rng.pick(corpus).map(|(_, other)| other.as_slice()).unwrap_or_default();
            mutate(&mut input, other, self.dictionary, &mut rng);
        }
        self.feed_one(&input, seed, name);
    }

    fn feed_one(&self, input: &[u8], seed: u64, from: &str) {
        let mut rng = Rng::new(seed ^ 1);
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.feed)(input, &mut rng)));
        let finding = match outcome {
            Ok(Ok(())) => return,
            Ok(Err(finding)) => finding,
            Err(_) => "panicked (see above)".to_owned(),
        };
        panic!("{}: {finding}\nWARDLINE_FUZZ_SEED={seed}, from {from}:\n{}", self.name, input.escape_ascii());
    }

    fn corpus(&self) -> Vec<(String, Vec<u8>)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = root.join("tests/fuzz/corpus").join(self.name);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut files: Vec<_> = entries.map(|entry| entry.expect("entry").path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{} is empty", folder.display());
        files.extend(self.samples.iter().map(|sample| root.join(sample)));
        files.into_iter().map(|path| (path.display().to_string(), fs::read(path).expect("a corpus file"))).collect()
    }
}

/// Changes `input` in one way. `other` is a second input to splice from.
pub fn mutate(input: &mut Vec<u8>, other: &[u8], dictionary: &[&str], rng: &mut Rng) {
    let at = rng.below(input.len() + 1);
    match rng.below(10) {
        0 => flip_bit(input, rng),
        1 => set_byte(input, rng),
        2 => input.truncate(at),
        3 => drop(cut(input, rng)),
        4 => {
            let piece = cut(&mut input.clone(), rng);
            insert(input, at, &piece);
        }
        5 => {
            let piece = cut(&mut other.to_vec(), rng);
            insert(input, at, &piece);
        }
        6 => {
            input.truncate(at);
            input.extend_from_slice(&other[rng.below(other.len() + 1)..]);
        }
        7 => duplicate_line(input, rng),
        _ => {
            let word = rng.pick(dictionary).copied().unwrap_or_default();
            insert(input, at, word.as_bytes());
        }
    }
    input.truncate(MAX_INPUT);
}

fn flip_bit(input: &mut [u8], rng: &mut Rng) {
    let at = rng.below(input.len());
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << rng.below(8);
    }
}

fn set_byte(input: &mut [u8], rng: &mut Rng) {
    let at = rng.below(input.len());
    let value = *rng.pick(b"\0\r\n \t\"\\<>;,:=@%[]?/*0\x7f\x80\xff").expect("a list");
    if let Some(byte) = input.get_mut(at) {
        *byte = value;
    }
}

/// Takes up to 64 octets out.
fn cut(input: &mut Vec<u8>, rng: &mut Rng) -> Vec<u8> {
    let start = rng.below(input.len());
    let end = (start + rng.below(65)).min(input.len());
    input.drain(start..end).collect()
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    let at = at.min(input.len());
    input.splice(at..at, piece.iter().copied());
}

/// Puts one line in a second time, somewhere else at a line's start.
fn duplicate_line(input: &mut Vec<u8>, rng: &mut Rng) {
    let lines: Vec<Vec<u8>> = input.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let Some(line) = rng.pick(&lines) else { return };
    let at = lines.iter().take(rng.below(lines.len())).map(Vec::len).sum();
    insert(input, at, line);
}

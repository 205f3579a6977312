//! Every prompt of `prompts/<language>/*.wav`, encoded once: playing one costs a copy of bytes a frame.
//!
//! A start does not wait for the encoding. A thread does it while the sockets are opened and the first calls come, G.711
//! of all prompts first, because G.722 takes five times as long and fewer phones want it. What is played before its turn
//! is encoded by whoever plays it, so that nothing is spoken late: a prompt of 4 s takes about 10 ms then.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use thiserror::Error;

use super::codec::{BYTES_PER_MS, at_narrow_rate, encode_all, encoded_length, sample_rate};
use crate::bridge::Codec;
use crate::config::{Content, hash};
use crate::ids::{Language, PromptId};
use crate::plural::counted;
use crate::time::Duration;

/// The longest prompt taken: hold music fits, a forgotten recording of an hour does not (24 kB of memory a second).
pub const MAX_PROMPT: Duration = Duration::from_secs(300);
/// WAV files of one language.
pub const MAX_PROMPTS: usize = 2_000;

/// Why the prompts could not be loaded. The first wrong file is named.
#[derive(Debug, Error)]
pub enum PromptError {
    #[error("cannot read {path}: {reason}")]
    Unreadable { path: PathBuf, reason: String },
    #[error("{path} is {found}; a prompt is 16-bit mono PCM at 8000 or 16000 Hz")]
    Format { path: PathBuf, found: String },
    #[error("{path} lasts {seconds} s; the longest prompt is {} s", MAX_PROMPT.as_secs())]
    TooLong { path: PathBuf, seconds: u64 },
    #[error("{path} holds more than {MAX_PROMPTS} WAV files")]
    TooMany { path: PathBuf },
}

/// One prompt in every codec, 8 bytes a millisecond, in whole 20 ms frames.
#[derive(Debug)]
pub struct Prompt {
    /// Encoded bytes: the same in every codec.
    length: usize,
    rate: usize,
    /// Let go once every codec has its bytes.
    samples: Mutex<Arc<[i16]>>,
    narrow: OnceLock<Narrow>,
    g722: OnceLock<Vec<u8>>,
}

#[derive(Debug)]
struct Narrow {
    pcmu: Vec<u8>,
    pcma: Vec<u8>,
}

impl Prompt {
    /// Of 16-bit mono samples at `rate` (8000 or 16000) Hz.
    pub fn new(samples: Vec<i16>, rate: usize) -> Prompt {
        Prompt {
            length: encoded_length(samples.len(), rate),
            rate,
            samples: Mutex::new(samples.into()),
            narrow: OnceLock::new(),
            g722: OnceLock::new(),
        }
    }

    /// The whole prompt as `codec` sends it. Encodes it if nobody did before.
    pub fn bytes(&self, codec: Codec) -> &[u8] {
        match codec {
            Codec::Pcmu => &self.narrow().pcmu,
            Codec::Pcma => &self.narrow().pcma,
            Codec::G722 => self.g722.get_or_init(|| encode_all(&self.samples(), self.rate, Codec::G722)),
        }
    }

    fn narrow(&self) -> &Narrow {
        self.narrow.get_or_init(|| {
            let samples = at_narrow_rate(&self.samples(), self.rate);
            let encode = |codec| encode_all(&samples, sample_rate(codec), codec);
            Narrow { pcmu: encode(Codec::Pcmu), pcma: encode(Codec::Pcma) }
        })
    }

    fn samples(&self) -> Arc<[i16]> {
        Arc::clone(&self.samples.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets the samples go if they are needed no more.
    fn release(&self) {
        if self.narrow.get().is_some() && self.g722.get().is_some() {
            *self.samples.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
        }
    }

    /// Encoded bytes, in every codec.
    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Playing time, padded to whole frames.
    pub fn duration(&self) -> Duration {
        Duration::from_millis((self.length / BYTES_PER_MS) as u64)
    }
}

/// All prompts of all languages. Immutable: a new version makes a new one (see [`super::Workers::set_library`]).
#[derive(Debug, Default)]
pub struct PromptLibrary {
    languages: BTreeMap<Language, BTreeMap<PromptId, Kept>>,
}

#[derive(Clone, Debug)]
struct Kept {
    audio: Arc<Prompt>,
    /// SHA-256 of the WAV file; empty where there was none.
    source: String,
}

impl PromptLibrary {
    /// Every `prompts/<language>/<prompt>.wav` of the content, of these languages; [`PromptLibrary::encode`] does the rest.
    /// What `before` has of the same file is taken over as it is. What only `before` has is kept: calls that began with
    /// it still speak it.
    ///
    /// # Errors
    /// Names the first recording that is no prompt.
    pub fn of(content: &Content, languages: &[&Language], before: Option<&PromptLibrary>) -> Result<Self, PromptError> {
        let mut library = PromptLibrary::default();
        for language in languages {
            let start = format!("prompts/{language}/");
            for (path, bytes) in content {
                let name = path.strip_prefix(&start).and_then(|name| name.strip_suffix(".wav"));
                let Some(prompt) = name.map(PromptId::new) else { continue };
                let source = hash(bytes);
                let known = before.and_then(|before| before.kept(language, &prompt));
                let kept = match known.filter(|known| known.source == source) {
                    Some(known) => known.clone(),
                    None => {
                        let (samples, rate) = read_wav(Path::new(path), bytes)?;
                        Kept { audio: Arc::new(Prompt::new(samples, rate)), source }
                    }
                };
                let of_language = library.languages.entry((*language).clone()).or_default();
                of_language.insert(prompt, kept);
                if of_language.len() > MAX_PROMPTS {
                    return Err(PromptError::TooMany { path: start.into() });
                }
            }
        }
        for (language, prompts) in before.iter().flat_map(|before| &before.languages) {
            let of_language = library.languages.entry(language.clone()).or_default();
            for (prompt, kept) in prompts {
                if of_language.len() < MAX_PROMPTS && !of_language.contains_key(prompt) {
                    of_language.insert(prompt.clone(), kept.clone());
                }
            }
        }
        Ok(library)
    }

    fn kept(&self, language: &Language, prompt: &PromptId) -> Option<&Kept> {
        self.languages.get(language)?.get(prompt)
    }

    pub fn insert(&mut self, language: Language, prompt: PromptId, audio: Prompt) {
        let kept = Kept { audio: Arc::new(audio), source: String::new() };
        self.languages.entry(language).or_default().insert(prompt, kept);
    }

    pub fn get(&self, language: &Language, prompt: &PromptId) -> Option<&Arc<Prompt>> {
        self.kept(language, prompt).map(|kept| &kept.audio)
    }

    /// Encodes what was not played yet, G.711 first. Takes a second or so of one core.
    pub fn encode(&self) {
        let all = || self.languages.values().flat_map(BTreeMap::values).map(|kept| &kept.audio);
        for prompt in all() {
            prompt.narrow();
        }
        for prompt in all() {
            prompt.bytes(Codec::G722);
            prompt.release();
        }
    }

    /// [`PromptLibrary::encode`] on a thread of its own.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn encode_apart(self: &Arc<Self>) -> io::Result<()> {
        let library = Arc::clone(self);
        std::thread::Builder::new().name("prompts".to_owned()).spawn(move || library.encode()).map(drop)
    }

    /// Every prompt with its playing time.
    pub fn durations(&self) -> impl Iterator<Item = (&Language, &PromptId, Duration)> {
        self.languages
            .iter()
            .flat_map(|(language, prompts)| prompts.iter().map(move |(id, kept)| (language, id, kept.audio.duration())))
    }

    /// Number of prompts, over all languages.
    pub fn len(&self) -> usize {
        self.languages.values().map(BTreeMap::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Samples and rate of one WAV file.
fn read_wav(path: &Path, file: &[u8]) -> Result<(Vec<i16>, usize), PromptError> {
    let unreadable = |error: hound::Error| PromptError::Unreadable { path: path.to_owned(), reason: error.to_string() };
    let reader = hound::WavReader::new(file).map_err(unreadable)?;
    let spec = reader.spec();
    let fits = spec.channels == 1
        && spec.bits_per_sample == 16
        && spec.sample_format == hound::SampleFormat::Int
        && matches!(spec.sample_rate, 8_000 | 16_000);
    if !fits {
        let kind = match spec.sample_format {
            hound::SampleFormat::Int => "PCM",
            hound::SampleFormat::Float => "float",
        };
        let found = format!(
            "{}-bit {kind} with {} at {} Hz",
            spec.bits_per_sample,
            counted(spec.channels, "channel"),
            spec.sample_rate
        );
        return Err(PromptError::Format { path: path.to_owned(), found });
    }
    let seconds = u64::from(reader.duration() / spec.sample_rate);
    if seconds >= MAX_PROMPT.as_secs() {
        return Err(PromptError::TooLong { path: path.to_owned(), seconds });
    }
    let mut bytes = vec![0; reader.len() as usize * size_of::<i16>()];
    // After the header the file holds the samples, least byte first.
    reader.into_inner().read_exact(&mut bytes).map_err(|error| unreadable(error.into()))?;
    let samples = bytes.as_chunks().0.iter().map(|sample| i16::from_le_bytes(*sample)).collect();
    Ok((samples, spec.sample_rate as usize))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn wav(channels: u16, rate: u32, count: u32) -> Bytes {
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut file = io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
        (0..count).for_each(|n| writer.write_sample((n % 100) as i16 * 50).unwrap());
        writer.finalize().unwrap();
        file.into_inner().into()
    }

    fn content<const N: usize>(files: [(&str, Bytes); N]) -> Content {
        files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
    }

    fn english(content: &Content, before: Option<&PromptLibrary>) -> Result<PromptLibrary, PromptError> {
        PromptLibrary::of(content, &[&"en".into()], before)
    }

    #[test]
    fn loads_both_rates_in_whole_frames() {
        let library = english(
            &content([
                ("prompts/en/beep.wav", wav(1, 8_000, 1_600)),
                ("prompts/en/manifest.toml", Bytes::new()),
                ("prompts/en/welcome.wav", wav(1, 16_000, 16_100)),
                ("prompts/de/welcome.wav", wav(1, 16_000, 16_100)),
            ]),
            None,
        )
        .unwrap();
        let all: Vec<_> = library.durations().map(|(_, id, duration)| (id.as_str(), duration.as_millis())).collect();
        assert_eq!(all, [("beep", 200), ("welcome", 1_020)]);
        let prompt = library.get(&"en".into(), &"welcome".into()).unwrap();
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
            assert_eq!(prompt.bytes(codec).len(), 51 * 160);
            assert_eq!(prompt.len(), 51 * 160);
        }
    }

    #[test]
    fn whether_encoded_before_or_when_played_a_prompt_sounds_the_same() {
        let tone: Vec<i16> = (0..16_100).map(|n| (n % 100) as i16 * 50).collect();
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
            let mut library = PromptLibrary::default();
            library.insert("en".into(), "tone".into(), Prompt::new(tone.clone(), 16_000));
            let prompt = Arc::clone(library.get(&"en".into(), &"tone".into()).unwrap());
            // Played first by a phone that wants this codec; then the thread comes to it.
            let played = prompt.bytes(codec).to_vec();
            assert_eq!(played, encode_all(&tone, 16_000, codec));
            library.encode();
            assert_eq!(prompt.bytes(codec), played);
            assert_eq!(prompt.samples().len(), 0, "the samples are let go");
            assert_eq!(prompt.bytes(Codec::G722), encode_all(&tone, 16_000, Codec::G722));
            assert_eq!(prompt.bytes(Codec::Pcma), encode_all(&tone, 16_000, Codec::Pcma));
        }
    }

    #[test]
    fn two_phones_that_play_it_at_once_hear_the_same() {
        let prompt = Prompt::new(vec![1_000; 32_000], 16_000);
        let heard: Vec<&[u8]> = std::thread::scope(|scope| {
            let phones: Vec<_> = (0..4).map(|_| scope.spawn(|| prompt.bytes(Codec::G722))).collect();
            phones.into_iter().map(|phone| phone.join().unwrap()).collect()
        });
        assert!(heard.iter().all(|bytes| bytes.len() == 16_000 && bytes == &heard[0]));
    }

    #[test]
    fn refuses_stereo_and_names_the_file() {
        let error = english(&content([("prompts/en/wide.wav", wav(2, 44_100, 100))]), None).unwrap_err().to_string();
        assert!(error.contains("en/wide.wav is 16-bit PCM with 2 channels at 44100 Hz"), "{error}");
    }

    #[test]
    fn a_new_version_takes_over_what_is_the_same_and_keeps_what_calls_may_still_speak() {
        let (same, gone) = (("prompts/en/same.wav", wav(1, 8_000, 800)), ("prompts/en/gone.wav", wav(1, 8_000, 160)));
        let first = english(&content([same.clone(), gone, ("prompts/en/new.wav", wav(1, 8_000, 160))]), None).unwrap();
        let next = english(&content([same, ("prompts/en/new.wav", wav(1, 8_000, 320))]), Some(&first)).unwrap();
        let of = |library: &PromptLibrary, name: &str| Arc::clone(library.get(&"en".into(), &name.into()).unwrap());
        assert!(Arc::ptr_eq(&of(&first, "same"), &of(&next, "same")), "not encoded anew");
        assert!(Arc::ptr_eq(&of(&first, "gone"), &of(&next, "gone")));
        assert_eq!(of(&next, "new").duration(), Duration::from_millis(40));
    }
}

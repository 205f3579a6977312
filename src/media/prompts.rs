//! Every prompt of `prompts/<language>/*.wav`, encoded once at start: playing one costs a copy of bytes a frame.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::codec::{BYTES_PER_MS, encode_all};
use crate::bridge::Codec;
use crate::ids::{Language, PromptId};
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
#[derive(Debug, PartialEq, Eq)]
pub struct Prompt {
    pcmu: Vec<u8>,
    pcma: Vec<u8>,
    g722: Vec<u8>,
}

impl Prompt {
    /// Encodes 16-bit mono samples at `rate` (8000 or 16000) Hz.
    pub fn encode(samples: &[i16], rate: usize) -> Prompt {
        Prompt {
            pcmu: encode_all(samples, rate, Codec::Pcmu),
            pcma: encode_all(samples, rate, Codec::Pcma),
            g722: encode_all(samples, rate, Codec::G722),
        }
    }

    /// The whole prompt as `codec` sends it.
    pub fn bytes(&self, codec: Codec) -> &[u8] {
        match codec {
            Codec::Pcmu => &self.pcmu,
            Codec::Pcma => &self.pcma,
            Codec::G722 => &self.g722,
        }
    }

    /// Playing time, padded to whole frames.
    pub fn duration(&self) -> Duration {
        Duration::from_millis((self.pcmu.len() / BYTES_PER_MS) as u64)
    }
}

/// All prompts of all languages. Immutable: a reload makes a new one (see [`super::Workers::set_library`]).
#[derive(Debug, Default)]
pub struct PromptLibrary {
    languages: BTreeMap<Language, BTreeMap<PromptId, Arc<Prompt>>>,
}

impl PromptLibrary {
    /// Reads and encodes `dir/<language>/<prompt>.wav` of every given language. The file's name is the prompt's id.
    pub fn load(dir: &Path, languages: &[Language]) -> Result<PromptLibrary, PromptError> {
        let mut library = PromptLibrary::default();
        for language in languages {
            for path in wav_files(&dir.join(language.as_str()))? {
                let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
                let (samples, rate) = read_wav(&path)?;
                library.insert(language.clone(), PromptId::new(name), Prompt::encode(&samples, rate));
            }
        }
        Ok(library)
    }

    pub fn insert(&mut self, language: Language, prompt: PromptId, audio: Prompt) {
        self.languages.entry(language).or_default().insert(prompt, Arc::new(audio));
    }

    pub fn get(&self, language: &Language, prompt: &PromptId) -> Option<&Arc<Prompt>> {
        self.languages.get(language)?.get(prompt)
    }

    /// Every prompt with its playing time.
    pub fn durations(&self) -> impl Iterator<Item = (&Language, &PromptId, Duration)> {
        self.languages
            .iter()
            .flat_map(|(language, prompts)| prompts.iter().map(move |(id, prompt)| (language, id, prompt.duration())))
    }

    /// Number of prompts, over all languages.
    pub fn len(&self) -> usize {
        self.languages.values().map(BTreeMap::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The WAV files of a folder, sorted.
fn wav_files(folder: &Path) -> Result<Vec<PathBuf>, PromptError> {
    let unreadable =
        |error: std::io::Error| PromptError::Unreadable { path: folder.to_owned(), reason: error.to_string() };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wav")) {
            files.push(path);
        }
        if files.len() > MAX_PROMPTS {
            return Err(PromptError::TooMany { path: folder.to_owned() });
        }
    }
    files.sort();
    Ok(files)
}

/// Samples and rate of one WAV file.
fn read_wav(path: &Path) -> Result<(Vec<i16>, usize), PromptError> {
    let unreadable = |error: hound::Error| PromptError::Unreadable { path: path.to_owned(), reason: error.to_string() };
    let mut reader = hound::WavReader::open(path).map_err(unreadable)?;
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
        let found =
            format!("{}-bit {kind} with {} channel(s) at {} Hz", spec.bits_per_sample, spec.channels, spec.sample_rate);
        return Err(PromptError::Format { path: path.to_owned(), found });
    }
    let seconds = u64::from(reader.duration() / spec.sample_rate);
    if seconds >= MAX_PROMPT.as_secs() {
        return Err(PromptError::TooLong { path: path.to_owned(), seconds });
    }
    let samples = reader.samples::<i16>().collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    Ok((samples, spec.sample_rate as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, channels: u16, rate: u32, count: u32) {
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec).unwrap();
        (0..count).for_each(|n| writer.write_sample((n % 100) as i16 * 50).unwrap());
        writer.finalize().unwrap();
    }

    #[test]
    fn loads_both_rates_in_whole_frames() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("en")).unwrap();
        write(&dir.path().join("en/welcome.wav"), 1, 16_000, 16_100);
        write(&dir.path().join("en/beep.wav"), 1, 8_000, 1_600);
        fs::write(dir.path().join("en/manifest.toml"), "").unwrap();
        let library = PromptLibrary::load(dir.path(), &["en".into()]).unwrap();
        let all: Vec<_> = library.durations().map(|(_, id, duration)| (id.as_str(), duration.as_millis())).collect();
        assert_eq!(all, [("beep", 200), ("welcome", 1_020)]);
        let prompt = library.get(&"en".into(), &"welcome".into()).unwrap();
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
            assert_eq!(prompt.bytes(codec).len(), 51 * 160);
        }
    }

    #[test]
    fn refuses_stereo_and_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("en")).unwrap();
        write(&dir.path().join("en/wide.wav"), 2, 44_100, 100);
        let error = PromptLibrary::load(dir.path(), &["en".into()]).unwrap_err().to_string();
        assert!(error.contains("en/wide.wav is 16-bit PCM with 2 channel(s) at 44100 Hz"), "{error}");
    }

    #[test]
    fn a_missing_language_folder_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(PromptLibrary::load(dir.path(), &["xx".into()]), Err(PromptError::Unreadable { .. })));
    }
}

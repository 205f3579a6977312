//! The recorded words: what `prompts/<language>/manifest.toml` says, and how long each WAV is. Numbers are spoken by
//! joining recorded pieces. Bytes are handed in; only the edge reads files.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use toml_edit::Document;

use crate::diagnostic::{Diagnostic, Report};
use crate::ids::{Language, ModuleId, PromptId, SystemId, UnitId};
use crate::ivr::grammar::MANIFEST;
use crate::ivr::plan::LONGEST_PROMPT;
use crate::ivr::read::{Reader, Table, not_toml};

/// Prompts of one language: far more than plans speak, and a bound on what is read at start.
pub const MAX_PROMPTS: usize = 2_000;
/// One WAV; four minutes of hold music at 16 kHz, 16 bit.
pub const MAX_WAV_BYTES: usize = 8 << 20;
/// Largest number that is spoken in words; larger ones are spoken digit by digit.
const MAX_SPOKEN_NUMBER: u32 = 999_999;

/// To a phone outside: who presses takes the call.
pub const PRESS_ONE: &str = "press-one-to-accept";
/// To the analyst: a callback, and no call.
pub const CALL_BACK_FOR: &str = "call-back-for";
/// To the analyst: the ward that is called back was not reached.
pub const NO_ANSWER: &str = "no-answer";
/// To a caller whose analyst's phone is gone in mid-call.
pub const A_FAULT: &str = "a-fault";
/// To the analyst, when the caller has hung up.
pub const SOLVED: &str = "solved-question";
/// Where the plan has no words of its own for whom nobody can promise to call back.
pub const FAULT: &str = "please-call-again";
/// What plays while a phone rings.
pub const RINGBACK: &str = "ringback";
/// What a held phone hears, and a caller who waits while no phone rings.
pub const HOLD: &str = "hold";
/// Heard whatever plans say, so recorded in every language of a hospital.
pub const BY_ITSELF: [&str; 8] = [PRESS_ONE, CALL_BACK_FOR, NO_ANSWER, A_FAULT, SOLVED, FAULT, RINGBACK, HOLD];

/// Why a WAV cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PromptError {
    #[error("is no WAV file")]
    NoWav,
    #[error("is not 16-bit PCM, mono")]
    Format,
    #[error("has a sample rate other than 8000 or 16000 Hz")]
    Rate,
    #[error("holds no sound")]
    Empty,
    #[error("is larger than 8 MiB")]
    TooLarge,
}

/// All languages that are installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompts {
    languages: BTreeMap<Language, BTreeMap<PromptId, Prompt>>,
}

/// One recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// What is spoken, as a timeline quotes it; of a sound, what is heard.
    pub words: Arc<str>,
    /// `None` when the WAV is missing or unusable (reported).
    pub length: Option<Duration>,
    /// A tone or music: no words, so no bound on its length.
    pub sound: bool,
    /// Of an earlier version, for calls that began with it: nothing new may speak it.
    pub gone: bool,
}

impl Prompts {
    /// Reads `<language>/manifest.toml` and each WAV that it names, through `read`, whose path is relative to prompts/.
    /// What is wrong goes into `report`; what is right is kept.
    pub fn load(
        languages: &[Language],
        mut read: impl FnMut(&str) -> io::Result<Vec<u8>>,
        report: &mut Report,
    ) -> Prompts {
        let mut prompts = Prompts::default();
        for language in languages {
            let path = format!("{language}/manifest.toml");
            let text = match read(&path).map(String::from_utf8) {
                Ok(Ok(text)) => text,
                Ok(Err(_)) => {
                    report.push(Diagnostic::error(
                        &Arc::from(format!("prompts/{path}")),
                        0..0,
                        "the file is not UTF-8",
                    ));
                    continue;
                }
                Err(error) => {
                    let what = format!("language `{language}` has no manifest: {error}");
                    report.push(
                        Diagnostic::error(&Arc::from(format!("prompts/{path}")), 0..0, what)
                            .remedy("run `make prompts`"),
                    );
                    continue;
                }
            };
            prompts.add(language, &text, &mut read, report);
        }
        prompts
    }

    /// One language: its manifest's text, and its WAVs through `read`.
    pub fn add(
        &mut self,
        language: &Language,
        text: &str,
        read: &mut impl FnMut(&str) -> io::Result<Vec<u8>>,
        report: &mut Report,
    ) {
        let file = report.add_source(&format!("prompts/{language}/manifest.toml"), text);
        let document = match Document::parse(text) {
            Ok(document) => document,
            Err(error) => {
                report.push(not_toml(&file, text, &error));
                return;
            }
        };
        let mut reader = Reader { file, report };
        let root = Table::new(document.as_table(), 0..0).of(&MANIFEST);
        reader.only(&root);
        if let Some(said) = reader.string(&root, "language")
            && said.value != language.as_str()
        {
            reader.error(said.span, format!("the folder is `{language}`"), "name the folder's language");
        }
        // For the voice engine alone, but a mistake in it is one all the same.
        if let Some(table) = reader.table(&root, "say-as") {
            for key in table.keys() {
                reader.string(&table, &key.value);
            }
        }
        let mut entries = BTreeMap::new();
        for (section, sound) in [("prompts", false), ("sounds", true)] {
            let Some(table) = reader.table(&root, section) else { continue };
            for key in table.keys().into_iter().take(MAX_PROMPTS) {
                let Some(words) = reader.string(&table, &key.value) else { continue };
                let length = match length_of(&key.value, language, sound, read) {
                    Ok(length) => Some(length),
                    Err((what, remedy)) => {
                        reader.error(key.span, what, remedy);
                        None
                    }
                };
                entries.insert(
                    PromptId::new(&key.value),
                    Prompt { words: Arc::from(words.value), length, sound, gone: false },
                );
            }
        }
        self.languages.insert(language.clone(), entries);
    }

    /// Beside its own those of an earlier version that are gone: calls that began with it still speak them.
    pub fn with_those_of(mut self, before: &Prompts) -> Prompts {
        for (language, prompts) in &before.languages {
            let own = self.languages.entry(language.clone()).or_default();
            for (id, prompt) in prompts {
                if own.len() < MAX_PROMPTS && !own.contains_key(id) {
                    own.insert(id.clone(), Prompt { gone: true, ..prompt.clone() });
                }
            }
        }
        self
    }

    pub fn languages(&self) -> impl Iterator<Item = &Language> {
        self.languages.keys()
    }

    pub fn has_language(&self, language: &Language) -> bool {
        self.languages.contains_key(language)
    }

    pub fn get(&self, language: &Language, prompt: &PromptId) -> Option<&Prompt> {
        self.languages.get(language)?.get(prompt)
    }

    /// One of the version in force, with words in it.
    pub fn spoken(&self, language: &Language, prompt: &PromptId) -> Option<&Prompt> {
        self.get(language, prompt).filter(|prompt| !prompt.gone && !prompt.sound)
    }

    pub fn contains(&self, language: &Language, prompt: &PromptId) -> bool {
        self.get(language, prompt).is_some()
    }

    /// Every prompt and sound of a language, by id.
    pub fn of(&self, language: &Language) -> impl Iterator<Item = (&PromptId, &Prompt)> {
        self.languages.get(language).into_iter().flatten()
    }

    /// Of one prompt; `None` when it is unknown or has no usable WAV.
    pub fn length(&self, language: &Language, prompt: &PromptId) -> Option<Duration> {
        self.get(language, prompt)?.length
    }

    /// Of several, joined. What has no WAV takes no time.
    pub fn total_length(&self, language: &Language, prompts: &[PromptId]) -> Duration {
        prompts.iter().filter_map(|prompt| self.length(language, prompt)).sum()
    }

    /// What is spoken when these are joined.
    pub fn words(&self, language: &Language, prompts: &[PromptId]) -> String {
        let words: Vec<&str> =
            prompts.iter().filter_map(|prompt| self.get(language, prompt)).map(|prompt| &*prompt.words).collect();
        words.join(" ")
    }

    /// The recorded name of a unit, if there is one.
    pub fn unit(&self, language: &Language, unit: &UnitId) -> Option<PromptId> {
        let prompt = PromptId::new(&format!("unit-{unit}"));
        self.contains(language, &prompt).then_some(prompt)
    }
}

/// The prompt that names a module.
pub fn module_prompt(module: &ModuleId) -> PromptId {
    PromptId::new(&format!("module-{module}"))
}

/// The prompt that names a system.
pub fn system_prompt(system: &SystemId) -> PromptId {
    PromptId::new(&format!("system-{system}"))
}

/// Digit by digit: "4172" is four, one, seven, two. Other characters are silent.
pub fn digits(text: &str) -> Vec<PromptId> {
    text.chars().filter(char::is_ascii_digit).map(|digit| PromptId::new(&format!("digit-{digit}"))).collect()
}

/// In words: 40 312 is forty, thousand, three, hundred, twelve. From a million on digit by digit.
pub fn number(value: u32) -> Vec<PromptId> {
    if value > MAX_SPOKEN_NUMBER {
        return digits(&value.to_string());
    }
    if value == 0 {
        return vec![PromptId::new("digit-0")];
    }
    let mut spoken = Vec::new();
    if value >= 1_000 {
        below_thousand(value / 1_000, &mut spoken);
        spoken.push(PromptId::new("number-thousand"));
    }
    below_thousand(value % 1_000, &mut spoken);
    spoken
}

fn below_thousand(value: u32, spoken: &mut Vec<PromptId>) {
    if value >= 100 {
        spoken.push(PromptId::new(&format!("digit-{}", value / 100)));
        spoken.push(PromptId::new("number-hundred"));
    }
    let rest = value % 100;
    if rest >= 20 {
        spoken.push(PromptId::new(&format!("number-{}", rest - rest % 10)));
    }
    match if rest >= 20 { rest % 10 } else { rest } {
        0 => {}
        teen @ 10..=19 => spoken.push(PromptId::new(&format!("number-{teen}"))),
        digit => spoken.push(PromptId::new(&format!("digit-{digit}"))),
    }
}

/// Reads and measures one WAV; else what is wrong and what to do.
fn length_of(
    id: &str,
    language: &Language,
    sound: bool,
    read: &mut impl FnMut(&str) -> io::Result<Vec<u8>>,
) -> Result<Duration, (String, String)> {
    let well_named = id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !well_named || id.is_empty() {
        return Err((format!("`{id}` is no prompt id"), "use small letters, digits and `-`".to_owned()));
    }
    let path = format!("{language}/{id}.wav");
    let bytes = read(&path)
        .map_err(|error| (format!("prompts/{path} cannot be read: {error}"), "run `make prompts`".to_owned()))?;
    let length = wav_length(&bytes)
        .map_err(|error| (format!("prompts/{path} {error}"), "use 16 kHz, 16-bit, mono PCM".to_owned()))?;
    if length > LONGEST_PROMPT && !sound {
        let what = format!("prompts/{path} is {:.2} s long; a prompt is at most 4 s", length.as_secs_f64());
        return Err((what, "say it in fewer words".to_owned()));
    }
    Ok(length)
}

/// Length of a RIFF/WAVE file: 16-bit PCM, mono, 8 or 16 kHz (the header of Microsoft's "New Multimedia Data Types").
pub fn wav_length(bytes: &[u8]) -> Result<Duration, PromptError> {
    if bytes.len() > MAX_WAV_BYTES {
        return Err(PromptError::TooLarge);
    }
    let wav = hound::WavReader::new(bytes).map_err(|_| PromptError::NoWav)?;
    let spec = wav.spec();
    if spec.channels != 1 || spec.bits_per_sample != 16 || spec.sample_format != hound::SampleFormat::Int {
        return Err(PromptError::Format);
    }
    if spec.sample_rate != 8_000 && spec.sample_rate != 16_000 {
        return Err(PromptError::Rate);
    }
    // The header may claim more than the file holds.
    let samples = u64::from(wav.duration()).min(bytes.len() as u64 / 2);
    if samples == 0 {
        return Err(PromptError::Empty);
    }
    Ok(Duration::from_micros(samples * 1_000_000 / u64::from(spec.sample_rate)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[&str]) -> Vec<PromptId> {
        names.iter().map(|name| PromptId::new(name)).collect()
    }

    fn wav(rate: u32, channels: u16, samples: usize) -> Vec<u8> {
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut bytes = io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).expect("writer");
        for _ in 0..samples * usize::from(channels) {
            writer.write_sample(0i16).expect("sample");
        }
        writer.finalize().expect("finalized");
        bytes.into_inner()
    }

    #[test]
    fn numbers_are_joined_from_recorded_pieces() {
        assert_eq!(number(0), ids(&["digit-0"]));
        assert_eq!(number(17), ids(&["number-17"]));
        assert_eq!(number(40), ids(&["number-40"]));
        assert_eq!(number(95), ids(&["number-90", "digit-5"]));
        assert_eq!(number(300), ids(&["digit-3", "number-hundred"]));
        assert_eq!(number(40_312), ids(&["number-40", "number-thousand", "digit-3", "number-hundred", "number-12"]));
        assert_eq!(number(1_000_000).len(), 7);
        assert_eq!(digits("4-17"), ids(&["digit-4", "digit-1", "digit-7"]));
    }

    #[test]
    fn a_wav_is_measured_and_a_wrong_one_named() {
        assert_eq!(wav_length(&wav(16_000, 1, 24_000)), Ok(Duration::from_millis(1_500)));
        assert_eq!(wav_length(&wav(8_000, 1, 800)), Ok(Duration::from_millis(100)));
        assert_eq!(wav_length(&wav(44_100, 1, 10)), Err(PromptError::Rate));
        assert_eq!(wav_length(&wav(16_000, 2, 10)), Err(PromptError::Format));
        assert_eq!(wav_length(&wav(16_000, 1, 0)), Err(PromptError::Empty));
        assert_eq!(wav_length(b"RIFF"), Err(PromptError::NoWav));
    }

    #[test]
    fn a_manifest_is_checked_against_its_files() {
        let text = "language = \"en\"\n[prompts]\ndesk = \"Desk.\"\nlong = \"Long.\"\ngone = \"Gone.\"\n[sounds]\nhold = \"music\"\n";
        let mut read = |path: &str| match path {
            "en/desk.wav" => Ok(wav(16_000, 1, 16_000)),
            "en/long.wav" => Ok(wav(16_000, 1, 64_001)),
            "en/hold.wav" => Ok(wav(16_000, 1, 160_000)),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        let (mut prompts, mut report) = (Prompts::default(), Report::new());
        let en = Language::new("en");
        prompts.add(&en, text, &mut read, &mut report);
        let said: Vec<&str> = report.diagnostics().iter().map(|diagnostic| diagnostic.what.as_str()).collect();
        assert_eq!(
            said,
            [
                "prompts/en/long.wav is 4.00 s long; a prompt is at most 4 s",
                "prompts/en/gone.wav cannot be read: entity not found"
            ]
        );
        assert_eq!(prompts.length(&en, &PromptId::new("desk")), Some(Duration::from_secs(1)));
        assert_eq!(prompts.words(&en, &ids(&["desk", "gone"])), "Desk. Gone.");
    }
}

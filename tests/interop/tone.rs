//! Tones: written as WAV files for peers to say, and measured in what peers heard (Goertzel's algorithm).

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

/// Peak of every tone that is played; a sine of it has -15.05 dBFS RMS.
const PEAK: f64 = 0.25;
/// Level of what is played, dBFS RMS.
pub const SENT_DB: f64 = -15.05;
/// One measurement spans this many samples per 1000 Hz of sampling: 100 ms.
const WINDOW_MS: usize = 100;
/// A window is the tone when this share of its power lies at the tone's frequency.
const PURE: f64 = 0.9;
/// Quieter than this is silence, dBFS RMS.
const SILENCE_DB: f64 = -40.0;

/// What was heard of one tone.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    /// Time during which it was the only thing to be heard.
    pub seconds: f64,
    /// Its mean level over that time, dBFS RMS.
    pub level_db: f64,
}

/// Samples of a mono WAV, -1 to 1.
pub struct Sound {
    pub rate: u32,
    pub samples: Vec<f64>,
}

impl Sound {
    /// Reads 16-bit PCM. A recorder that died leaves a header that says 0 bytes: then the sound goes to the file's end.
    pub fn read(path: &Path) -> Sound {
        let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let number = |at: usize| -> Option<u32> { Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?)) };
        let (mut at, mut rate) = (12, 0);
        while let (Some(name), Some(size)) = (bytes.get(at..at + 4), number(at + 4)) {
            let size = usize::try_from(size).expect("32 bits fit");
            match name {
                b"fmt " => rate = number(at + 12).expect("a format chunk has a rate"),
                b"data" => {
                    let from = at + 8;
                    let to = if size == 0 { bytes.len() } else { bytes.len().min(from + size) };
                    let sample = |pair: &[u8]| f64::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0;
                    return Sound { rate, samples: bytes[from..to].chunks_exact(2).map(sample).collect() };
                }
                _ => {}
            }
            at += 8 + size.next_multiple_of(2);
        }
        panic!("{}: no WAV file", path.display())
    }

    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.rate)
    }

    /// Measures `hz` in windows of 100 ms.
    pub fn heard(&self, hz: f64) -> Heard {
        let window = usize::try_from(self.rate).expect("32 bits fit") / 1_000 * WINDOW_MS;
        let levels: Vec<f64> =
            self.samples.chunks_exact(window).filter_map(|part| level(part, hz, self.rate)).collect();
        let seconds = levels.len() as f64 * WINDOW_MS as f64 / 1_000.0;
        let power: f64 = levels.iter().map(|db| 10f64.powf(db / 10.0)).sum::<f64>() / levels.len().max(1) as f64;
        Heard { seconds, level_db: decibels(power) }
    }
}

/// The tone's level in dBFS RMS, when the window holds it and little else.
fn level(part: &[f64], hz: f64, rate: u32) -> Option<f64> {
    let count = part.len() as f64;
    let all: f64 = part.iter().map(|sample| sample * sample).sum::<f64>() / count;
    let coefficient = 2.0 * (TAU * hz / f64::from(rate)).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in part {
        (last, before) = (sample + coefficient * last - before, last);
    }
    let power = (last * last + before * before - coefficient * last * before) * 2.0 / (count * count);
    let db = decibels(power);
    (all > 0.0 && power / all > PURE && db > SILENCE_DB).then_some(db)
}

fn decibels(power: f64) -> f64 {
    10.0 * power.max(1e-12).log10()
}

/// Asserts that the tone was heard for at least `seconds`, as loud as it was sent, and tells the figures.
#[track_caller]
pub fn assert_heard(who: &str, recording: &Path, hz: f64, seconds: f64) {
    let sound = Sound::read(recording);
    let heard = sound.heard(hz);
    println!("{who}: {hz} Hz for {:.1} of {:.1} s at {:.2} dBFS", heard.seconds, sound.seconds(), heard.level_db);
    assert!(heard.seconds >= seconds, "{who} heard {hz} Hz for {:.1} s, wanted {seconds}", heard.seconds);
    assert!((heard.level_db - SENT_DB).abs() < 1.0, "{who} heard {hz} Hz at {:.2} dBFS", heard.level_db);
}

/// Asserts that the tone was heard for at most `seconds`.
#[track_caller]
pub fn assert_not_heard(who: &str, recording: &Path, hz: f64, seconds: f64) {
    let heard = Sound::read(recording).heard(hz);
    println!("{who}: {hz} Hz for {:.1} s", heard.seconds);
    assert!(heard.seconds <= seconds, "{who} heard {hz} Hz for {:.1} s, wanted silence of it", heard.seconds);
}

/// Writes a sine of ten seconds; players loop it without a click where `hz` is whole.
pub fn write_tone(path: &Path, rate: u32, hz: f64) {
    let count = rate * 10;
    write(path, rate, (0..count).map(|n| PEAK * (TAU * hz * f64::from(n) / f64::from(rate)).sin()));
}

/// Writes one key's two tones (ITU-T Q.23) for 120 ms, between silences.
pub fn write_key(path: &Path, rate: u32, key: char) {
    let column = |key: char| match key {
        '1' | '4' | '7' => 1_209.0,
        '2' | '5' | '8' | '0' => 1_336.0,
        _ => 1_477.0,
    };
    let row = match key {
        '1'..='3' => 697.0,
        '4'..='6' => 770.0,
        '7'..='9' => 852.0,
        _ => 941.0,
    };
    let at = |n: u32, hz: f64| 0.2 * (TAU * hz * f64::from(n) / f64::from(rate)).sin();
    let sounds = |n: u32| (rate / 5..rate / 5 + rate * 12 / 100).contains(&n);
    let sample = |n: u32| if sounds(n) { at(n, row) + at(n, column(key)) } else { 0.0 };
    // Long enough that a looping player says it once in a test.
    write(path, rate, (0..rate * 60).map(sample));
}

fn write(path: &Path, rate: u32, samples: impl Iterator<Item = f64>) {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = hound::WavWriter::create(path, spec).expect("a WAV file");
    for sample in samples {
        #[expect(clippy::cast_possible_truncation, reason = "below 1 by construction")]
        file.write_sample((sample * 32_767.0) as i16).expect("room on the disk");
    }
    file.finalize().expect("room on the disk");
}

#[test]
fn a_tone_is_measured_at_its_own_frequency_and_level_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tone.wav");
    write_tone(&path, 8_000, 523.0);
    let sound = Sound::read(&path);
    let heard = sound.heard(523.0);
    assert!((heard.seconds - 10.0).abs() < 0.01 && (heard.level_db - SENT_DB).abs() < 0.05, "{heard:?}");
    assert!(sound.heard(1_004.0).seconds < 0.01);
}

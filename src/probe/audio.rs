//! Sound at 8 kHz: G.711 and G.722, tones, what is heard (tones and keys, by Goertzel), WAV files.

use std::f32::consts::TAU;
use std::path::Path;

use anyhow::{Context, Result, bail};
use ezk_g722::libg722::{Bitrate, decoder::Decoder, encoder::Encoder};

use super::sdp::Codec;
use crate::digit::Digit;

/// Samples a second; G.722 is brought down to it.
pub const RATE: u32 = 8_000;
/// Samples of one packet: 20 ms.
pub const FRAME: usize = 160;
/// Row and column tones of the keypad (ITU-T Q.23), in the order of `1 2 3 A 4 5 6 B …`.
const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
const PAD: &[u8; 16] = b"123A456B789C*0#D";
/// Quieter than this is silence: about -50 dBFS.
const SILENCE_RMS: f32 = 100.0;

/// A-law and mu-law in one pair of functions (ITU-T G.711), by arithmetic.
fn mulaw_encode(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80u8 } else { 0 };
    let magnitude = i32::from(sample).abs().min(32_635) + 132;
    let exponent = (magnitude.ilog2() as i32 - 7).max(0);
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    !(sign | ((exponent as u8) << 4) | mantissa as u8)
}

fn mulaw_decode(byte: u8) -> i16 {
    let byte = !byte;
    let exponent = i32::from((byte >> 4) & 7);
    let magnitude = (((i32::from(byte & 0x0f) << 3) + 132) << exponent) - 132;
    (if byte & 0x80 != 0 { -magnitude } else { magnitude }) as i16
}

fn alaw_encode(sample: i16) -> u8 {
    let sign = if sample >= 0 { 0x80u8 } else { 0 };
    // One's complement keeps the two halves alike.
    let magnitude = i32::from(if sample < 0 { !sample } else { sample }) >> 3;
    let code = if magnitude < 32 {
        magnitude >> 1
    } else {
        let exponent = magnitude.ilog2() as i32 - 4;
        (exponent << 4) | ((magnitude >> exponent) & 0x0f)
    };
    (sign | code as u8) ^ 0x55
}

fn alaw_decode(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let (exponent, mantissa) = (i32::from((byte >> 4) & 7), i32::from(byte & 0x0f));
    let magnitude = if exponent == 0 { (mantissa << 4) + 8 } else { ((mantissa << 4) + 0x108) << (exponent - 1) };
    (if byte & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

/// One direction's coder. G.722 keeps state from packet to packet.
pub enum Coder {
    Pcmu,
    Pcma,
    G722(Box<Encoder>, Box<Decoder>),
}

impl Coder {
    pub fn new(codec: Codec) -> Coder {
        match codec {
            Codec::Pcmu => Coder::Pcmu,
            Codec::Pcma => Coder::Pcma,
            Codec::G722 => Coder::G722(
                // Both work at 16 kHz (the crate's own 8 kHz mode yields a constant): doubled before, halved after.
                Box::new(Encoder::new(Bitrate::Mode1_64000, false, false)),
                Box::new(Decoder::new(Bitrate::Mode1_64000, false, false)),
            ),
        }
    }

    pub fn encode(&mut self, samples: &[i16]) -> Vec<u8> {
        match self {
            Coder::Pcmu => samples.iter().map(|sample| mulaw_encode(*sample)).collect(),
            Coder::Pcma => samples.iter().map(|sample| alaw_encode(*sample)).collect(),
            Coder::G722(encoder, _) => encoder.encode(&doubled(samples)),
        }
    }

    pub fn decode(&mut self, payload: &[u8]) -> Vec<i16> {
        match self {
            Coder::Pcmu => payload.iter().map(|byte| mulaw_decode(*byte)).collect(),
            Coder::Pcma => payload.iter().map(|byte| alaw_decode(*byte)).collect(),
            Coder::G722(_, decoder) => resample(&decoder.decode(payload), 2 * RATE),
        }
    }
}

/// 8 kHz to 16 kHz by the mean of neighbours.
fn doubled(samples: &[i16]) -> Vec<i16> {
    let next = samples.iter().skip(1).chain(samples.last());
    let mean = |a: i16, b: i16| ((i32::from(a) + i32::from(b)) / 2) as i16;
    samples.iter().zip(next).flat_map(|(now, next)| [*now, mean(*now, *next)]).collect()
}

/// What the probe sends.
#[derive(Clone, Debug, Default)]
pub enum Source {
    #[default]
    Silence,
    Tone(u32),
    /// Played once, then silence.
    Samples(std::sync::Arc<[i16]>),
}

impl Source {
    /// The sample at a position since the start of the call, tones at about -14 dBFS.
    pub fn sample(&self, position: u64) -> i16 {
        match self {
            Source::Silence => 0,
            Source::Tone(hz) => sine(*hz as f32, position, 6_500.0) as i16,
            Source::Samples(samples) => {
                usize::try_from(position).ok().and_then(|index| samples.get(index)).copied().unwrap_or(0)
            }
        }
    }
}

fn sine(hz: f32, position: u64, amplitude: f32) -> f32 {
    // The phase is kept small first: f32 has no digits to spare on a long call.
    let turns = (position as f64 * f64::from(hz) / f64::from(RATE)).fract() as f32;
    (turns * TAU).sin() * amplitude
}

/// A key as two tones in the audio.
pub fn key_sample(digit: Digit, position: u64) -> i16 {
    let index = PAD.iter().position(|key| char::from(*key) == digit.as_char()).unwrap_or(0);
    let (row, column) = (ROWS.get(index / 4).unwrap_or(&ROWS[0]), COLUMNS.get(index % 4).unwrap_or(&COLUMNS[0]));
    (sine(*row, position, 5_000.0) + sine(*column, position, 5_000.0)) as i16
}

/// The share of a block's energy that lies at one frequency: 1 for that tone alone.
fn goertzel(block: &[i16], hz: f32, energy: f32) -> f32 {
    let step = 2.0 * (TAU * hz / RATE as f32).cos();
    let (mut s1, mut s2) = (0.0f32, 0.0f32);
    for sample in block {
        let s0 = f32::from(*sample) + step * s1 - s2;
        (s2, s1) = (s1, s0);
    }
    let power = s1 * s1 + s2 * s2 - step * s1 * s2;
    power * 2.0 / (energy * block.len() as f32)
}

fn energy(block: &[i16]) -> f32 {
    block.iter().map(|sample| f32::from(*sample) * f32::from(*sample)).sum()
}

/// Root mean square of a block.
pub fn rms(block: &[i16]) -> f32 {
    (energy(block) / block.len().max(1) as f32).sqrt()
}

/// A level in dBFS of a full-scale sine's peak.
pub fn dbfs(rms: f32) -> f32 {
    20.0 * (rms.max(1.0) / 32_768.0).log10()
}

/// Whether a block can be heard at all.
pub fn audible(block: &[i16]) -> bool {
    rms(block) > SILENCE_RMS
}

/// The frequency of a block that is one pure tone, else `None`.
///
/// A sine obeys `x[n] + x[n-2] = 2 cos(w) x[n-1]`: least squares give w, Goertzel at w tells whether the block is that tone.
pub fn pure_tone(block: &[i16]) -> Option<f32> {
    let energy = energy(block);
    if (energy / block.len().max(1) as f32).sqrt() < SILENCE_RMS {
        return None;
    }
    let (mut both, mut square) = (0.0f64, 0.0f64);
    for three in block.windows(3) {
        let [before, middle, after] = three else { continue };
        let middle = f64::from(*middle);
        both += middle * (f64::from(*before) + f64::from(*after));
        square += middle * middle;
    }
    let cosine = both / (2.0 * square);
    if square <= 0.0 || cosine.abs() >= 1.0 {
        return None;
    }
    let hz = (cosine.acos() * f64::from(RATE) / std::f64::consts::TAU) as f32;
    ((100.0..3_900.0).contains(&hz) && goertzel(block, hz, energy) > 0.85).then_some(hz)
}

/// The key whose two tones a block is made of.
pub fn pad_key(block: &[i16]) -> Option<Digit> {
    let energy = energy(block);
    if (energy / block.len().max(1) as f32).sqrt() < SILENCE_RMS {
        return None;
    }
    let strongest = |tones: &[f32; 4]| {
        let shares = tones.iter().map(|hz| goertzel(block, *hz, energy)).enumerate();
        shares.max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, share)| *share > 0.2)
    };
    let ((row, low), (column, high)) = (strongest(&ROWS)?, strongest(&COLUMNS)?);
    let key = PAD.get(row * 4 + column)?;
    (low + high > 0.75).then(|| Digit::from_char(char::from(*key)))?
}

/// Reads a WAV file as 8 kHz mono.
pub fn read_wav(path: &Path) -> Result<Vec<i16>> {
    let mut reader = hound::WavReader::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let spec = reader.spec();
    if spec.sample_format != hound::SampleFormat::Int || spec.bits_per_sample != 16 {
        bail!("{}: only 16-bit integer WAV is played", path.display());
    }
    let channels = usize::from(spec.channels.max(1));
    let all: Vec<i16> = reader.samples::<i16>().collect::<Result<_, _>>()?;
    let mono: Vec<i16> = all.chunks(channels).filter_map(|frame| frame.first().copied()).collect();
    Ok(resample(&mono, spec.sample_rate))
}

/// Means over each output sample's span going down, nearest going up: enough for a test phone.
fn resample(samples: &[i16], rate: u32) -> Vec<i16> {
    if rate == RATE || rate == 0 {
        return samples.to_vec();
    }
    let step = f64::from(rate) / f64::from(RATE);
    let count = (samples.len() as f64 / step) as usize;
    (0..count)
        .map(|index| {
            let from = (index as f64 * step) as usize;
            let to = (((index + 1) as f64 * step) as usize).max(from + 1).min(samples.len());
            let span = samples.get(from..to).unwrap_or_default();
            (span.iter().map(|sample| i64::from(*sample)).sum::<i64>() / span.len().max(1) as i64) as i16
        })
        .collect()
}

/// Writes what was heard: 8 kHz, mono, 16 bit.
pub fn write_wav(path: &Path, samples: &[i16]) -> Result<()> {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer =
        hound::WavWriter::create(path, spec).with_context(|| format!("cannot write {}", path.display()))?;
    for sample in samples {
        writer.write_sample(*sample)?;
    }
    Ok(writer.finalize()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g711_matches_the_tables_of_the_recommendation() {
        assert_eq!([0, 1000, -1000, 32_767, -32_768].map(mulaw_encode), [0xff, 0xce, 0x4e, 0x80, 0x00]);
        assert_eq!([0xff, 0xce, 0x4e, 0x80, 0x00].map(mulaw_decode), [0, 988, -988, 32_124, -32_124]);
        assert_eq!([0, 1000, -1000, 32_767, -32_768].map(alaw_encode), [0xd5, 0xfa, 0x7a, 0xaa, 0x2a]);
        assert_eq!([0xd5, 0xfa, 0x7a, 0xaa, 0x2a].map(alaw_decode), [8, 1008, -1008, 32_256, -32_256]);
    }

    #[test]
    fn a_tone_is_named_through_each_codec_and_a_chord_is_not() {
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
            let (mut out, mut back) = (Coder::new(codec), Coder::new(codec));
            let tone: Vec<i16> = (0..1600).map(|at| Source::Tone(1000).sample(at)).collect();
            let heard = back.decode(&out.encode(&tone));
            let hz = pure_tone(&heard[800..1120]).unwrap();
            assert!((995.0..1005.0).contains(&hz), "{codec:?} {hz}");
        }
        let chord: Vec<i16> = (0..320).map(|at| key_sample(Digit::D5, at)).collect();
        assert_eq!(pure_tone(&chord), None);
    }

    #[test]
    fn each_key_is_heard_as_itself() {
        for digit in Digit::ALL {
            let block: Vec<i16> = (0..320).map(|at| key_sample(digit, at)).collect();
            assert_eq!(pad_key(&block), Some(digit));
        }
        let tone: Vec<i16> = (0..320).map(|at| Source::Tone(1000).sample(at)).collect();
        assert_eq!(pad_key(&tone), None);
    }

    #[test]
    fn a_16_khz_file_is_played_at_its_own_pitch() {
        // 1000 Hz at 16 kHz: 16 samples a turn.
        let wide: Vec<i16> =
            (0..16_000).map(|at| ((f64::from(at) * std::f64::consts::FRAC_PI_8).sin() * 9_000.0) as i16).collect();
        let narrow = resample(&wide, 16_000);
        assert_eq!(narrow.len(), 8_000);
        let hz = pure_tone(&narrow[..320]).unwrap();
        assert!((995.0..1005.0).contains(&hz), "{hz}");
    }
}

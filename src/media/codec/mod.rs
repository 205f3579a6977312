//! Speech codecs: bytes to samples and back. All three carry 8 bytes in a millisecond, so a byte is one tick of the 8 kHz
//! RTP clock whatever the codec (RFC 3551 section 4.5.2 for G.722), and encoded audio can be cut at any millisecond.

pub mod g711;
pub mod resample;

use ezk_g722::libg722::{Bitrate, decoder::Decoder as G722Decoder, encoder::Encoder as G722Encoder};

use crate::bridge::Codec;
use resample::{Doubler, Halver};

/// Encoded bytes, and RTP clock ticks, in a millisecond: the same for PCMU, PCMA and G.722 at 64 kbit/s.
pub const BYTES_PER_MS: usize = 8;
/// The frame in which we decode, encode and play.
pub const FRAME_MS: usize = 20;
/// Encoded bytes of one frame.
pub const FRAME_BYTES: usize = FRAME_MS * BYTES_PER_MS;

/// Samples in a second of a codec's decoded audio.
pub const fn sample_rate(codec: Codec) -> usize {
    match codec {
        Codec::Pcmu | Codec::Pcma => 8_000,
        Codec::G722 => 16_000,
    }
}

/// Turns one stream of a codec into samples at [`sample_rate`]. G.722 adapts to what came before, so a stream keeps its own.
pub enum Decoder {
    Pcmu,
    Pcma,
    G722(Box<G722Decoder>),
}

impl Decoder {
    pub fn new(codec: Codec) -> Decoder {
        match codec {
            Codec::Pcmu => Decoder::Pcmu,
            Codec::Pcma => Decoder::Pcma,
            Codec::G722 => Decoder::G722(Box::new(G722Decoder::new(Bitrate::Mode1_64000, false, false))),
        }
    }

    pub fn codec(&self) -> Codec {
        match self {
            Decoder::Pcmu => Codec::Pcmu,
            Decoder::Pcma => Codec::Pcma,
            Decoder::G722(_) => Codec::G722,
        }
    }

    /// Appends the samples of `payload`.
    pub fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) {
        match self {
            Decoder::Pcmu => g711::decode_ulaw(payload, samples),
            Decoder::Pcma => g711::decode_alaw(payload, samples),
            Decoder::G722(decoder) => samples.extend(decoder.decode(payload)),
        }
    }
}

/// Turns samples at [`sample_rate`] into one stream of a codec.
pub enum Encoder {
    Pcmu,
    Pcma,
    G722(Box<G722Encoder>),
}

impl Encoder {
    pub fn new(codec: Codec) -> Encoder {
        match codec {
            Codec::Pcmu => Encoder::Pcmu,
            Codec::Pcma => Encoder::Pcma,
            Codec::G722 => Encoder::G722(Box::new(G722Encoder::new(Bitrate::Mode1_64000, false, false))),
        }
    }

    pub fn codec(&self) -> Codec {
        match self {
            Encoder::Pcmu => Codec::Pcmu,
            Encoder::Pcma => Codec::Pcma,
            Encoder::G722(_) => Codec::G722,
        }
    }

    /// Appends the bytes of `samples`, which G.722 takes in pairs.
    pub fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) {
        match self {
            Encoder::Pcmu => payload.extend(samples.iter().map(|sample| g711::ulaw(*sample))),
            Encoder::Pcma => payload.extend(samples.iter().map(|sample| g711::alaw(*sample))),
            Encoder::G722(encoder) => payload.extend(encoder.encode(samples)),
        }
    }
}

/// Samples at one rate into another, of the two that there are. Keeps the filter's memory between frames.
#[derive(Default)]
pub struct Converter {
    up: Doubler,
    down: Halver,
}

impl Converter {
    /// Appends `samples`, which are at `from` Hz, at `to` Hz.
    pub fn convert(&mut self, samples: &[i16], from: usize, to: usize, output: &mut Vec<i16>) {
        match from.cmp(&to) {
            std::cmp::Ordering::Less => self.up.process(samples, output),
            std::cmp::Ordering::Equal => output.extend_from_slice(samples),
            std::cmp::Ordering::Greater => self.down.process(samples, output),
        }
    }
}

/// One frame of silence in `codec`. G.722 has no fixed silence byte: this is what its encoder says once it has settled.
pub fn silence(codec: Codec) -> [u8; FRAME_BYTES] {
    match codec {
        Codec::Pcmu => [g711::ULAW_SILENCE; FRAME_BYTES],
        Codec::Pcma => [g711::ALAW_SILENCE; FRAME_BYTES],
        Codec::G722 => *G722_SILENCE,
    }
}

static G722_SILENCE: std::sync::LazyLock<[u8; FRAME_BYTES]> = std::sync::LazyLock::new(|| {
    let mut encoder = Encoder::new(Codec::G722);
    let mut frame = Vec::new();
    for _ in 0..10 {
        frame.clear();
        encoder.encode(&[0; 2 * FRAME_BYTES], &mut frame);
    }
    let mut settled = [0; FRAME_BYTES];
    settled.iter_mut().zip(frame).for_each(|(to, from)| *to = from);
    settled
});

/// A whole recording, 16-bit mono at `rate` (8000 or 16000) Hz, as bytes of `codec`, padded with silence to whole frames.
pub fn encode_all(samples: &[i16], rate: usize, codec: Codec) -> Vec<u8> {
    let converted = at_rate(samples, rate, sample_rate(codec));
    let frame_samples = sample_rate(codec) / 1_000 * FRAME_MS;
    let mut payload = Vec::with_capacity(converted.len());
    let mut encoder = Encoder::new(codec);
    for frame in converted.chunks(frame_samples) {
        encoder.encode(frame, &mut payload);
    }
    payload
}

/// A whole recording as both kinds of G.711 take it: 8000 Hz, in whole frames.
pub fn at_narrow_rate(samples: &[i16], rate: usize) -> Vec<i16> {
    at_rate(samples, rate, sample_rate(Codec::Pcmu))
}

/// In whole frames, as many at each rate.
fn at_rate(samples: &[i16], from: usize, to: usize) -> Vec<i16> {
    let whole = encoded_length(samples.len(), from) * to / sample_rate(Codec::Pcmu);
    let mut converted = Vec::with_capacity(whole);
    Converter::default().convert(samples, from, to, &mut converted);
    converted.resize(whole, 0);
    converted
}

/// Bytes that [`encode_all`] gives for so many samples, whatever the codec.
pub fn encoded_length(samples: usize, rate: usize) -> usize {
    let narrow = (samples * sample_rate(Codec::Pcmu)).div_ceil(rate.max(1));
    narrow.next_multiple_of(FRAME_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(rate: usize, count: usize) -> Vec<i16> {
        (0..count).map(|n| (8_000.0 * (std::f64::consts::TAU * 440.0 * n as f64 / rate as f64).sin()) as i16).collect()
    }

    #[test]
    fn all_codecs_carry_eight_bytes_a_millisecond() {
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
            for rate in [8_000, 16_000] {
                // 1.005 s is padded to 51 frames.
                let bytes = encode_all(&sine(rate, rate + rate / 200), rate, codec);
                assert_eq!(bytes.len(), 51 * 160, "{codec:?} from {rate} Hz");
            }
            for (rate, samples, expected) in
                [(8_000, 160, 160), (8_000, 161, 320), (16_000, 1, 160), (16_000, 320, 160), (16_000, 321, 320)]
            {
                let bytes = encode_all(&sine(rate, samples), rate, codec);
                assert_eq!(
                    (bytes.len(), encoded_length(samples, rate)),
                    (expected, expected),
                    "{codec:?} from {rate} Hz"
                );
            }
        }
    }

    #[test]
    fn loudness_survives_each_codec() {
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
            let bytes = encode_all(&sine(16_000, 16_000), 16_000, codec);
            let mut samples = Vec::new();
            Decoder::new(codec).decode(&bytes, &mut samples);
            let settled = &samples[samples.len() / 4..samples.len() * 3 / 4];
            let rms = (settled.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / settled.len() as f64).sqrt();
            // 8000 / √2 = 5657.
            assert!((5_400.0..5_900.0).contains(&rms), "{codec:?} gives {rms}");
        }
    }

    #[test]
    fn silence_decodes_to_silence() {
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
            let mut samples = Vec::new();
            Decoder::new(codec).decode(&silence(codec), &mut samples);
            assert!(samples.iter().all(|s| s.abs() <= 64), "{codec:?} is loud: {:?}", samples.iter().max());
        }
    }
}

//! Keys heard in the audio: eight Goertzel filters over short overlapping windows, and the tests that keep speech from being
//! taken for keys (ITU-T Q.24; line E65).

use super::tones::{COLUMNS, KEYPAD, ROWS};
use crate::digit::Digit;

/// Samples at 8 kHz of one window: long enough to part neighbouring rows, short enough that a frequency 1.5 % off still counts.
const WINDOW: usize = 106;
/// Windows begin this many samples apart, so a tone of 40 ms holds four whole ones wherever it begins.
const HOP: usize = WINDOW / 2;
/// Windows in a row that must agree: 33 ms of tone.
const HITS: u8 = 4;
/// Windows in a row without the key after which it counts as released: a dropout of 10 ms is none, a pause of 30 ms is.
const MISSES: u8 = 4;
/// Quieter than this (root mean square; about −44 dBm0) is no key.
const MIN_RMS: f32 = 140.0;
/// Share of all power that the two tones hold. Speech spreads it over many more harmonics.
const MIN_SHARE: f32 = 0.74;
/// The strongest of a group stands this far above the next (8 dB).
const MIN_PEAK: f32 = 6.3;
/// The high group at most this much louder than the low, and the other way round (8 dB; 8 dB).
const MAX_TWIST: f32 = 6.3;

/// The key heard in one stream of 8 kHz samples.
#[derive(Debug)]
pub struct ToneDetector {
    window: Vec<f32>,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Quiet,
    /// Heard, not yet long enough.
    Rising {
        digit: Digit,
        hits: u8,
    },
    /// Given; waits for its end.
    Held {
        digit: Digit,
        misses: u8,
    },
}

impl Default for ToneDetector {
    fn default() -> ToneDetector {
        ToneDetector { window: Vec::with_capacity(4 * WINDOW), state: State::Quiet }
    }
}

impl ToneDetector {
    /// Takes samples at 8 kHz, and calls `key` once for each key heard for long enough.
    pub fn listen(&mut self, samples: &[i16], mut key: impl FnMut(Digit)) {
        self.window.extend(samples.iter().map(|sample| f32::from(*sample)));
        let mut taken = 0;
        while let Some(window) = self.window.get(taken..taken + WINDOW) {
            let heard = classify(window);
            if let Some(digit) = self.step(heard) {
                key(digit);
            }
            taken += HOP;
        }
        self.window.drain(..taken);
    }

    fn step(&mut self, heard: Option<Digit>) -> Option<Digit> {
        let (next, given) = match (self.state, heard) {
            (State::Held { digit, .. }, Some(again)) if again == digit => (State::Held { digit, misses: 0 }, None),
            (State::Held { digit, misses }, None) if misses + 1 < MISSES => {
                (State::Held { digit, misses: misses + 1 }, None)
            }
            (State::Rising { digit, hits }, Some(again)) if again == digit => {
                if hits + 1 >= HITS {
                    (State::Held { digit, misses: 0 }, Some(digit))
                } else {
                    (State::Rising { digit, hits: hits + 1 }, None)
                }
            }
            (State::Quiet | State::Rising { .. } | State::Held { .. }, Some(digit)) => {
                (State::Rising { digit, hits: 1 }, None)
            }
            (State::Quiet | State::Rising { .. } | State::Held { .. }, None) => (State::Quiet, None),
        };
        self.state = next;
        given
    }
}

/// The key in one window, if it holds two tones and little else.
fn classify(window: &[f32]) -> Option<Digit> {
    let energy: f32 = window.iter().map(|sample| sample * sample).sum();
    if energy < MIN_RMS * MIN_RMS * WINDOW as f32 {
        return None;
    }
    let (row, row_power) = strongest(window, &ROWS)?;
    let (column, column_power) = strongest(window, &COLUMNS)?;
    // A sine that fills the window has Goertzel power energy * WINDOW / 2.
    let share = 2.0 * (row_power + column_power) / (energy * WINDOW as f32);
    let twist = column_power / row_power;
    if share < MIN_SHARE || !(1.0 / MAX_TWIST..=MAX_TWIST).contains(&twist) {
        return None;
    }
    KEYPAD.get(row)?.get(column).copied()
}

/// The strongest frequency of a group, if it stands out, and its power.
fn strongest(window: &[f32], group: &[f32; 4]) -> Option<(usize, f32)> {
    let powers = group.map(|frequency| power(window, frequency));
    let (best, strongest) = powers.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let others = powers.iter().enumerate().filter(|(n, _)| *n != best).map(|(_, power)| *power);
    (others.fold(0.0, f32::max) * MIN_PEAK <= strongest).then_some((best, strongest))
}

/// The squared magnitude of `window` at `frequency` Hz, sampled at 8 kHz.
pub fn power(window: &[f32], frequency: f32) -> f32 {
    let coefficient = 2.0 * (std::f32::consts::TAU * frequency / 8_000.0).cos();
    let (mut one, mut two) = (0.0f32, 0.0f32);
    for sample in window {
        let next = sample + coefficient * one - two;
        two = one;
        one = next;
    }
    one * one + two * two - coefficient * one * two
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tones::ToneSender;

    fn heard(samples: &[i16]) -> String {
        let mut keys = String::new();
        let mut detector = ToneDetector::default();
        samples.chunks(160).for_each(|frame| detector.listen(frame, |digit| keys.push(digit.as_char())));
        keys
    }

    /// Two sines, as a phone with its own frequency error and levels makes them.
    fn pair(row: f32, column: f32, row_level: f32, column_level: f32, ms: usize) -> Vec<i16> {
        let tone = |n: usize, frequency: f32, level: f32| {
            level * (std::f64::consts::TAU * f64::from(frequency) * n as f64 / 8_000.0).sin() as f32
        };
        (0..ms * 8).map(|n| (tone(n, row, row_level) + tone(n, column, column_level)) as i16).collect()
    }

    /// The tone with `before` samples of silence before it and 60 ms behind.
    fn among_silence(before: usize, tone: &[i16]) -> Vec<i16> {
        [&vec![0; before], tone, &[0; 480]].concat()
    }

    /// A generator of noise that gives the same each time.
    fn noise(count: usize, level: i16) -> Vec<i16> {
        let mut seed = 0x2545_F491u32;
        (0..count)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((seed >> 16) as i32 % (2 * i32::from(level) + 1) - i32::from(level)) as i16
            })
            .collect()
    }

    #[test]
    fn e65_every_key_of_40_ms_is_heard_once_wherever_it_begins() {
        for digit in Digit::ALL {
            for before in (0..160).step_by(11) {
                let mut tone = Vec::new();
                ToneSender::new(digit, 40, 8_000).fill(320, &mut tone);
                assert_eq!(heard(&among_silence(before, &tone)), digit.as_char().to_string(), "after {before}");
            }
        }
    }

    #[test]
    fn e65_a_long_key_is_one_and_two_are_two() {
        let five = pair(770.0, 1_336.0, 5_000.0, 6_000.0, 2_000);
        assert_eq!(heard(&among_silence(0, &five)), "5");
        let short = pair(770.0, 1_336.0, 5_000.0, 6_000.0, 60);
        assert_eq!(heard(&[among_silence(13, &short), among_silence(7, &short)].concat()), "55");
        let dropout = [&short[..], &[0; 40], &short[..]].concat();
        assert_eq!(heard(&among_silence(0, &dropout)), "5", "5 ms of nothing is no release");
    }

    #[test]
    fn e65_frequency_twist_level_and_noise_within_limits() {
        for (off, row_level, column_level) in [
            (1.015, 5_000.0, 5_000.0),
            (0.985, 5_000.0, 5_000.0),
            (1.0, 2_500.0, 6_000.0),
            (1.0, 6_000.0, 2_500.0),
            (1.0, 250.0, 250.0),
        ] {
            let tone = pair(941.0 * off, 1_633.0 * off, row_level, column_level, 50);
            assert_eq!(heard(&among_silence(29, &tone)), "D", "off {off}, levels {row_level} {column_level}");
        }
        let mut noisy = among_silence(0, &pair(697.0, 1_477.0, 5_000.0, 5_000.0, 60));
        let hiss = noise(noisy.len(), 1_200);
        noisy.iter_mut().zip(hiss).for_each(|(sample, hiss)| *sample += hiss);
        assert_eq!(heard(&noisy), "3");
    }

    #[test]
    fn e65_what_is_no_key_is_not_taken_for_one() {
        assert_eq!(heard(&pair(770.0, 0.0, 8_000.0, 0.0, 500)), "", "one tone");
        assert_eq!(heard(&pair(350.0, 440.0, 5_000.0, 5_000.0, 500)), "", "dial tone");
        assert_eq!(heard(&pair(770.0, 1_336.0, 8_000.0, 1_000.0, 500)), "", "18 dB of twist");
        assert_eq!(heard(&pair(730.0, 1_270.0, 5_000.0, 5_000.0, 500)), "", "between the rows");
        assert_eq!(heard(&among_silence(0, &pair(770.0, 1_336.0, 5_000.0, 5_000.0, 18))), "", "18 ms");
        assert_eq!(heard(&noise(80_000, 8_000)), "", "noise");
    }

    /// A minute of vowels: a glottal pulse train of gliding pitch through three gliding formants.
    #[test]
    fn e65_speech_is_no_key() {
        let mut formants = [[0f32; 2]; 3];
        let mut phase = 0f32;
        let breath = noise(480_000, 100);
        let samples: Vec<i16> = (0..480_000usize)
            .map(|n| {
                let t = n as f32 / 8_000.0;
                let pitch = 150.0 + 70.0 * (t * 1.7).sin() + 30.0 * (t * 5.3).sin();
                phase += pitch / 8_000.0;
                let mut excitation = f32::from(breath[n]) * 0.2;
                if phase >= 1.0 {
                    phase -= 1.0;
                    excitation += 3_000.0;
                }
                let centres = [
                    550.0 + 300.0 * (t * 2.1).sin(),
                    1_450.0 + 500.0 * (t * 1.3).cos(),
                    2_600.0 + 300.0 * (t * 0.7).sin(),
                ];
                let voice: f32 = formants
                    .iter_mut()
                    .zip(centres)
                    .map(|(memory, centre)| {
                        let radius = 0.97f32;
                        let turn = 2.0 * radius * (std::f32::consts::TAU * centre / 8_000.0).cos();
                        let out = excitation * 0.3 + turn * memory[0] - radius * radius * memory[1];
                        *memory = [out, memory[0]];
                        out
                    })
                    .sum();
                // Syllables.
                (voice * (0.6 + 0.4 * (t * 12.0).sin())).clamp(-32_000.0, 32_000.0) as i16
            })
            .collect();
        assert!(samples.iter().any(|sample| sample.abs() > 2_000), "the voice is audible");
        assert_eq!(heard(&samples), "");
    }
}

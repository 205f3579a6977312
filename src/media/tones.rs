//! Keys as tones in the audio (ITU-T Q.23), for legs that agreed no telephone-event.

use crate::digit::Digit;

/// Row and column frequencies in Hz, low group and high group.
pub const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
pub const COLUMNS: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
/// The keypad, row by row.
pub const KEYPAD: [[Digit; 4]; 4] = [
    [Digit::D1, Digit::D2, Digit::D3, Digit::A],
    [Digit::D4, Digit::D5, Digit::D6, Digit::B],
    [Digit::D7, Digit::D8, Digit::D9, Digit::C],
    [Digit::Star, Digit::D0, Digit::Pound, Digit::D],
];
/// Peak amplitudes: about −9 and −7 dBm0, the high group 2 dB louder as Q.23 likes it.
const ROW_AMPLITUDE: f32 = 5_800.0;
const COLUMN_AMPLITUDE: f32 = 7_300.0;
/// The tone swells and fades this long, so that it doesn't click.
const RAMP_MS: usize = 3;

/// One key being sung.
#[derive(Debug)]
pub struct ToneSender {
    row: f32,
    column: f32,
    rate: usize,
    at: usize,
    total: usize,
}

impl ToneSender {
    /// A key of `duration_ms` (taken as 40 to 8000) at `rate` Hz.
    pub fn new(digit: Digit, duration_ms: u32, rate: usize) -> ToneSender {
        let place = KEYPAD.iter().zip(ROWS).find_map(|(keys, row)| {
            let column = keys.iter().zip(COLUMNS).find(|(key, _)| **key == digit)?.1;
            Some((row, column))
        });
        // All sixteen digits are on the keypad.
        let (row, column) = place.unwrap_or((0.0, 0.0));
        ToneSender { row, column, rate, at: 0, total: duration_ms.clamp(40, 8_000) as usize * rate / 1_000 }
    }

    /// Appends `count` samples, silence after the end. False once all of the tone was given.
    pub fn fill(&mut self, count: usize, samples: &mut Vec<i16>) -> bool {
        let more = self.at < self.total;
        let ramp = (RAMP_MS * self.rate / 1_000).max(1);
        for _ in 0..count {
            let left = self.total.saturating_sub(self.at);
            let gain = self.at.min(left).min(ramp) as f32 / ramp as f32;
            let turn = std::f32::consts::TAU * self.at as f32 / self.rate as f32;
            let tone = ROW_AMPLITUDE * (turn * self.row).sin() + COLUMN_AMPLITUDE * (turn * self.column).sin();
            samples.push((gain * tone) as i16);
            self.at += 1;
        }
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_has_its_length_and_no_click() {
        let mut samples = Vec::new();
        let mut sender = ToneSender::new(Digit::D5, 100, 8_000);
        while sender.fill(160, &mut samples) {}
        assert_eq!(samples.len(), 960, "five frames of tone and one that says it is over");
        assert!(samples[800..].iter().all(|sample| *sample == 0));
        assert!(samples[..4].iter().all(|sample| sample.abs() < 2_500));
        assert!(samples.iter().all(|sample| sample.abs() < 14_000));
    }
}

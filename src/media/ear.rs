//! Hears one leg: jitter buffer, decoder, and a guess at what was lost. Exists only where audio is decoded.

use super::codec::{Decoder, FRAME_MS, sample_rate};
use super::jitter::JitterBuffer;
use super::rtp::Packet;
use crate::bridge::Codec;
use crate::time::{Duration, Instant};

/// Lost blocks of 10 ms that are filled with a fading repetition; after that there is silence.
const MAX_CONCEALED: u32 = 6;
/// What remains of the loudness with each repetition.
const FADE_PERCENT: i32 = 75;
/// Without a packet for this long nothing is decoded any more, until one comes.
const IDLE_AFTER: Duration = Duration::from_secs(1);

/// One leg's audio as samples, a frame each 20 ms.
pub struct Ear {
    buffer: JitterBuffer,
    decoder: Decoder,
    /// The last 10 ms that were heard.
    last: Vec<i16>,
    holes: u32,
    due: Option<Instant>,
    frame: Vec<i16>,
}

impl Ear {
    pub fn new(codec: Codec) -> Ear {
        let samples = sample_rate(codec) / 1_000 * FRAME_MS;
        Ear {
            buffer: JitterBuffer::default(),
            decoder: Decoder::new(codec),
            last: Vec::with_capacity(samples),
            holes: MAX_CONCEALED,
            due: None,
            frame: Vec::with_capacity(samples),
        }
    }

    pub fn codec(&self) -> Codec {
        self.decoder.codec()
    }

    /// When the next frame is due; `None` while nothing is said.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    pub fn hear(&mut self, now: Instant, packet: &Packet<'_>) {
        self.buffer.push(now, packet.ssrc, packet.sequence, packet.timestamp, packet.payload);
        self.due.get_or_insert(now);
    }

    /// The 20 ms due at [`Ear::due`], at the codec's [`sample_rate`].
    pub fn frame(&mut self) -> &[i16] {
        self.frame.clear();
        let Some(due) = self.due else { return &self.frame };
        for half in [Duration::ZERO, Duration::from_millis(10)] {
            self.block(due + half);
        }
        let idle = self.buffer.last_at().is_none_or(|last| due.since(last) > IDLE_AFTER);
        self.due = (!idle).then(|| due + Duration::from_millis(FRAME_MS as u64));
        &self.frame
    }

    /// Leaves out the frames up to `next`, when we fell behind.
    pub fn catch_up(&mut self, next: Instant) {
        if self.due.is_some() {
            self.due = Some(next);
        }
    }

    /// Appends 10 ms to the frame: what came, or a guess.
    fn block(&mut self, at: Instant) {
        let start = self.frame.len();
        match self.buffer.pop(at) {
            Some(bytes) => {
                self.decoder.decode(bytes, &mut self.frame);
                self.holes = 0;
                self.last.clear();
                self.last.extend(self.frame.iter().skip(start));
            }
            None if self.holes < MAX_CONCEALED && !self.last.is_empty() => {
                self.holes += 1;
                for sample in &mut self.last {
                    *sample = (i32::from(*sample) * FADE_PERCENT / 100) as i16;
                }
                self.frame.extend_from_slice(&self.last);
            }
            None => self.frame.resize(start + sample_rate(self.decoder.codec()) / 100, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e63_a_frame_each_20_ms_whatever_comes() {
        let mut ear = Ear::new(Codec::Pcmu);
        let mut samples = 0;
        let mut loud = 0;
        for n in 0..100u16 {
            let now = Instant::from_millis(u64::from(n) * 20);
            if n % 10 != 5 {
                let packet = Packet {
                    marker: false,
                    payload_type: 0,
                    sequence: n,
                    timestamp: u32::from(n) * 160,
                    ssrc: 1,
                    payload: &[0xAF; 160],
                };
                ear.hear(now, &packet);
            }
            assert_eq!(ear.due(), Some(now));
            let frame = ear.frame();
            samples += frame.len();
            loud += frame.iter().filter(|sample| **sample > 1_500).count();
        }
        assert_eq!(samples, 16_000);
        assert!(loud > 15_000, "holes are filled: {loud} of 16000");
    }

    #[test]
    fn sleeps_when_nothing_is_said() {
        let mut ear = Ear::new(Codec::G722);
        assert_eq!(ear.due(), None);
        let packet = Packet { marker: true, payload_type: 9, sequence: 1, timestamp: 0, ssrc: 1, payload: &[0; 160] };
        ear.hear(Instant::ZERO, &packet);
        let mut frames = 0;
        while ear.due().is_some() {
            assert_eq!(ear.frame().len(), 320);
            frames += 1;
        }
        assert_eq!(frames, 52, "a second and the frame that sees it over");
    }
}

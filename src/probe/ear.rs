//! The receiving half of a stream: order, loss, tones, keys, recording.
//!
//! ```text
//! packet → in order again (≤ 60 ms) → decoded → one timeline → tones, keys, recording
//! ```
// A test phone measures real time: it reads the clock.
#![allow(clippy::disallowed_methods)]

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::audio::{Coder, FRAME, RATE, audible, dbfs, pad_key, pure_tone, rms};
use super::sdp::{Agreed, Codec};
use crate::digit::Digit;

/// How long a late packet is waited for.
const REORDER_WAIT: Duration = Duration::from_millis(60);
/// A step of the RTP clock up to this much is silence of the sender; more is a new start.
const MAX_GAP_SAMPLES: i32 = 16_000;
/// The timeline stops growing here: an hour of audio.
const MAX_TIMELINE: usize = 3_600 * RATE as usize;
/// A tone is bridged over this much loss; a tone shorter than [`MIN_TONE`] is not reported.
const TONE_BRIDGE: usize = RATE as usize / 10;
const MIN_TONE: usize = RATE as usize / 10;
/// Silence of the tone after which the other side counts as gone, and how long it must have sounded.
const TONE_GONE: usize = RATE as usize * 4 / 10;
const TONE_REAL: usize = RATE as usize * 3 / 10;
/// Bounds of what is kept.
const MAX_TONES: usize = 500;
const MAX_KEYS: usize = 200;
/// Sequence numbers remembered to tell a duplicate: ten seconds.
const MAX_SEEN: usize = 512;

/// A tone that was heard.
#[derive(Clone, Copy, Debug)]
pub struct Tone {
    pub hz: f32,
    pub start: Instant,
    pub length: Duration,
    pub level_dbfs: f32,
}

/// A key that was heard: by telephone-event, or in the audio.
#[derive(Clone, Copy, Debug)]
pub struct HeardKey {
    pub digit: Digit,
    pub at: Instant,
    pub inband: bool,
}

/// What one stream was.
#[derive(Debug, Default)]
pub struct Heard {
    pub sent: u64,
    pub received: u64,
    pub lost: u64,
    pub duplicates: u64,
    pub late: u64,
    pub malformed: u64,
    pub ssrcs: u64,
    pub jitter_ms: f64,
    pub max_gap_ms: u64,
    pub codecs: Vec<&'static str>,
    pub first_rtp: Option<Instant>,
    pub first_sound: Option<Instant>,
    pub last_rtp: Option<Instant>,
    pub sound_s: f64,
    pub tones: Vec<Tone>,
    pub keys: Vec<HeardKey>,
    pub recording: Vec<i16>,
}

/// A packet that was read (RFC 3550 section 5.1).
struct Rtp<'a> {
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload: &'a [u8],
}

fn read_rtp(bytes: &[u8]) -> Option<Rtp<'_>> {
    let [first, second, s1, s2, t1, t2, t3, t4, c1, c2, c3, c4, ..] = *bytes else { return None };
    if first >> 6 != 2 {
        return None;
    }
    let mut start = 12 + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let [_, _, high, low] = *bytes.get(start..start + 4)? else { return None };
        start += 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
    }
    let padding = if first & 0x20 != 0 { usize::from(*bytes.last()?) } else { 0 };
    let payload = bytes.get(start..bytes.len().checked_sub(padding)?)?;
    Some(Rtp {
        payload_type: second & 0x7f,
        sequence: u16::from_be_bytes([s1, s2]),
        timestamp: u32::from_be_bytes([t1, t2, t3, t4]),
        ssrc: u32::from_be_bytes([c1, c2, c3, c4]),
        payload,
    })
}

/// One sender's numbering.
struct Numbering {
    ssrc: u32,
    first: u64,
    highest: u64,
    /// Sequence numbers seen lately: a second one is a duplicate.
    seen: VecDeque<u64>,
    next: u64,
    expected_timestamp: Option<u32>,
    transit: Option<f64>,
    coder: (Codec, Coder),
    last_event: Option<u32>,
}

impl Numbering {
    fn new(rtp: &Rtp<'_>, codec: Codec) -> Numbering {
        // One wrap up, so that an earlier packet that comes late has a number too.
        let first = u64::from(rtp.sequence) + 65_536;
        Numbering {
            ssrc: rtp.ssrc,
            first,
            highest: first,
            seen: VecDeque::new(),
            next: first,
            expected_timestamp: None,
            transit: None,
            coder: (codec, Coder::new(codec)),
            last_event: None,
        }
    }

    /// The sequence number nearest to the highest so far, wraps counted (RFC 3550 appendix A.1); `None` for a duplicate.
    fn take(&mut self, sequence: u16) -> Option<u64> {
        let step = sequence.wrapping_sub(self.highest as u16) as i16;
        let sequence = self.highest.saturating_add_signed(i64::from(step));
        if self.seen.contains(&sequence) {
            return None;
        }
        self.seen.push_back(sequence);
        if self.seen.len() > MAX_SEEN {
            self.seen.pop_front();
        }
        self.first = self.first.min(sequence);
        self.highest = self.highest.max(sequence);
        Some(sequence)
    }

    /// Interarrival jitter (RFC 3550 section 6.4.1).
    fn jitter(&mut self, arrival_ms: f64, timestamp: u32, jitter_ms: &mut f64) {
        let transit = arrival_ms - f64::from(timestamp) / 8.0;
        if let Some(before) = self.transit.replace(transit) {
            let difference = (transit - before).abs();
            // A wrap or a new start of the clock is no jitter.
            if difference < 2_000.0 {
                *jitter_ms += (difference - *jitter_ms) / 16.0;
            }
        }
    }
}

struct Waiting {
    payload_type: u8,
    timestamp: u32,
    payload: Vec<u8>,
    at: Instant,
}

/// The receiving half.
#[derive(Default)]
pub struct Ear {
    pub heard: Heard,
    numbering: Option<Numbering>,
    waiting: BTreeMap<u64, Waiting>,
    types: (u8, Option<u8>),
    /// Instant of the timeline's first sample.
    origin: Option<Instant>,
    analysed: usize,
    tone: Option<OpenTone>,
    key: Option<(Digit, usize, bool)>,
    /// Tones that have stopped since one last looked.
    pub gone: VecDeque<f32>,
    unique: u64,
}

struct OpenTone {
    hz_sum: f32,
    level_sum: f32,
    frames: f32,
    start: usize,
    end: usize,
}

impl Ear {
    pub fn packet(&mut self, now: Instant, bytes: &[u8], agreed: Option<&Agreed>) {
        let Some(rtp) = read_rtp(bytes) else {
            self.heard.malformed += 1;
            return;
        };
        if let Some(agreed) = agreed {
            self.types = (agreed.payload_type, agreed.telephone_event);
        }
        self.heard.received += 1;
        self.heard.first_rtp.get_or_insert(now);
        if let Some(last) = self.heard.last_rtp.replace(now) {
            self.heard.max_gap_ms = self.heard.max_gap_ms.max((now - last).as_millis() as u64);
        }
        if self.numbering.as_ref().is_none_or(|numbering| numbering.ssrc != rtp.ssrc) {
            self.release(now, true);
            self.count_lost();
            self.heard.ssrcs += 1;
            self.numbering = Some(Numbering::new(&rtp, agreed.map_or(Codec::Pcmu, |agreed| agreed.codec)));
        }
        let Some(numbering) = &mut self.numbering else { return };
        let Some(sequence) = numbering.take(rtp.sequence) else {
            self.heard.duplicates += 1;
            return;
        };
        self.unique += 1;
        // Audio only: a key's packets share one timestamp.
        if Some(rtp.payload_type) != self.types.1 {
            let arrival = self.heard.first_rtp.map_or(0.0, |first| (now - first).as_secs_f64() * 1_000.0);
            numbering.jitter(arrival, rtp.timestamp, &mut self.heard.jitter_ms);
        }
        if sequence < numbering.next {
            self.heard.late += 1;
            return;
        }
        let waiting = Waiting {
            payload_type: rtp.payload_type,
            timestamp: rtp.timestamp,
            payload: rtp.payload.to_vec(),
            at: now,
        };
        self.waiting.insert(sequence, waiting);
        self.release(now, false);
    }

    fn count_lost(&mut self) {
        if let Some(numbering) = &self.numbering {
            self.heard.lost += (numbering.highest - numbering.first + 1).saturating_sub(self.unique);
        }
        self.unique = 0;
    }

    /// Plays out what is in order, or has waited long enough.
    fn release(&mut self, now: Instant, all: bool) {
        while let Some((sequence, head)) = self.waiting.first_key_value() {
            let Some(numbering) = &mut self.numbering else { return };
            let due = *sequence == numbering.next || now - head.at >= REORDER_WAIT;
            if !due && !all {
                return;
            }
            numbering.next = sequence + 1;
            if let Some((_, packet)) = self.waiting.pop_first() {
                self.play(&packet);
            }
        }
    }

    fn play(&mut self, packet: &Waiting) {
        let Some(numbering) = &mut self.numbering else { return };
        if Some(packet.payload_type) == self.types.1 {
            // Each event is one timestamp, however many packets tell of it (RFC 4733 section 2.5.1.2).
            let key = packet.payload.first().and_then(|event| Digit::from_event(*event));
            if numbering.last_event.replace(packet.timestamp) != Some(packet.timestamp)
                && let Some(digit) = key
                && self.heard.keys.len() < MAX_KEYS
            {
                self.heard.keys.push(HeardKey { digit, at: packet.at, inband: false });
            }
            return;
        }
        let codec = match packet.payload_type {
            0 => Codec::Pcmu,
            8 => Codec::Pcma,
            9 => Codec::G722,
            other if other == self.types.0 => numbering.coder.0,
            // Comfort noise and what else was not agreed on is no sound.
            _ => return,
        };
        if !self.heard.codecs.contains(&codec.name()) {
            self.heard.codecs.push(codec.name());
        }
        if numbering.coder.0 != codec {
            numbering.coder = (codec, Coder::new(codec));
        }
        let samples = numbering.coder.1.decode(&packet.payload);
        let origin = *self.origin.get_or_insert(packet.at);
        let wall = ((packet.at - origin).as_secs_f64() * f64::from(RATE)) as usize;
        let timeline = &mut self.heard.recording;
        let step = numbering.expected_timestamp.map(|expected| packet.timestamp.wrapping_sub(expected) as i32);
        let silence = match step {
            Some(0) => 0,
            Some(step @ 1..=MAX_GAP_SAMPLES) => step as usize,
            // A new start of the sender's clock: the wall clock says how much was missed.
            Some(_) | None => wall.saturating_sub(timeline.len()),
        };
        numbering.expected_timestamp = Some(packet.timestamp.wrapping_add(samples.len() as u32));
        let room = MAX_TIMELINE.saturating_sub(timeline.len());
        timeline.resize(timeline.len() + silence.min(room), 0);
        let room = MAX_TIMELINE.saturating_sub(timeline.len());
        timeline.extend(samples.into_iter().take(room));
        self.analyse();
    }

    /// Looks at each new 20 ms with the 20 ms before it.
    fn analyse(&mut self) {
        while self.analysed + FRAME <= self.heard.recording.len() {
            let end = self.analysed + FRAME;
            self.analysed = end;
            let frame = self.heard.recording.get(end - FRAME..end).unwrap_or_default();
            let both = self.heard.recording.get(end.saturating_sub(2 * FRAME)..end).unwrap_or_default();
            let (tone, key, level, loud) = (pure_tone(both), pad_key(both), rms(both), audible(frame));
            if loud {
                self.heard.sound_s += FRAME as f64 / f64::from(RATE);
                if self.heard.first_sound.is_none() {
                    self.heard.first_sound = Some(self.instant(end - FRAME));
                }
            }
            self.hear_tone(end, tone, level);
            self.hear_key(end, key);
        }
    }

    fn instant(&self, sample: usize) -> Instant {
        let origin = self.origin.unwrap_or_else(Instant::now);
        origin + Duration::from_secs_f64(sample as f64 / f64::from(RATE))
    }

    /// ```text
    /// no tone ──same hz twice──▶ open ──other hz──▶ closed, next opened
    ///                            open ──400 ms without──▶ told gone, closed
    /// ```
    fn hear_tone(&mut self, end: usize, hz: Option<f32>, level: f32) {
        if let Some(open) = &mut self.tone {
            let mean = open.hz_sum / open.frames;
            let quiet = end - open.end;
            let real = open.end - open.start >= TONE_REAL;
            match hz {
                Some(hz) if (hz - mean).abs() <= 8.0 + mean * 0.02 => {
                    if quiet <= TONE_BRIDGE {
                        open.hz_sum += hz;
                        open.level_sum += level;
                        open.frames += 1.0;
                        open.end = end;
                        return;
                    }
                }
                Some(_) if real => self.gone.push_back(mean),
                None if quiet < TONE_GONE => return,
                None if real => self.gone.push_back(mean),
                Some(_) | None => {}
            }
            self.close_tone();
        }
        if let Some(hz) = hz {
            let start = end.saturating_sub(2 * FRAME);
            self.tone = Some(OpenTone { hz_sum: hz, level_sum: level, frames: 1.0, start, end });
        }
    }

    /// Time passes: late packets are no longer waited for, and a sender that fell silent stops its tone.
    pub fn tick(&mut self, now: Instant) {
        self.release(now, false);
        let Some(open) = &self.tone else { return };
        let quiet = (now - self.instant(open.end)).as_secs_f64() * f64::from(RATE);
        // Packets still on their way are given as long again.
        if quiet >= 2.0 * TONE_GONE as f64 {
            if open.end - open.start >= TONE_REAL {
                self.gone.push_back(open.hz_sum / open.frames);
            }
            self.close_tone();
        }
    }

    fn close_tone(&mut self) {
        let Some(open) = self.tone.take() else { return };
        let length = open.end - open.start;
        if length >= MIN_TONE && self.heard.tones.len() < MAX_TONES {
            self.heard.tones.push(Tone {
                hz: open.hz_sum / open.frames,
                start: self.instant(open.start),
                length: Duration::from_secs_f64(length as f64 / f64::from(RATE)),
                level_dbfs: dbfs(open.level_sum / open.frames),
            });
        }
    }

    /// A key in the audio counts when two looks in a row agree, and once until it stops.
    fn hear_key(&mut self, end: usize, key: Option<Digit>) {
        match (key, &mut self.key) {
            (Some(digit), Some((open, last, told))) if *open == digit => {
                *last = end;
                if !std::mem::replace(told, true) && self.heard.keys.len() < MAX_KEYS {
                    let at = self.instant(end.saturating_sub(2 * FRAME));
                    self.heard.keys.push(HeardKey { digit, at, inband: true });
                }
            }
            (Some(digit), _) => self.key = Some((digit, end, false)),
            (None, Some((_, last, _))) if end - *last > 2 * FRAME => self.key = None,
            (None, _) => {}
        }
    }

    pub fn finish(mut self) -> Heard {
        self.release(Instant::now(), true);
        self.count_lost();
        self.close_tone();
        self.heard
    }
}

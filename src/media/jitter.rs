//! The jitter buffer, used only where audio is decoded: packets in as the network brings them, a block each 10 ms out (lines
//! E63, E66).
//!
//! Our codecs have one byte a tick, so the buffer is a line of blocks on a time line of its own. What arrives twice or out
//! of order falls into its place; what never arrives leaves its block empty. Output is driven by our clock alone, so a
//! recording is as long as the call whatever the sender's clock does.
//!
//! The delay follows the network: the spread between the fastest and the slowest packet of the last seconds, plus 10 ms. It
//! grows at once by repeating, shrinks by leaving out one block each half second.

use crate::time::{Duration, Instant};

/// Ticks, and encoded bytes, of one block: 10 ms.
pub const BLOCK: usize = 80;
/// Blocks held: 2 s, more than the longest delay and the largest burst.
const BLOCKS: usize = 200;
/// Bounds of the delay, in ticks: 40 ms and 200 ms.
const MIN_DELAY: i64 = 320;
const MAX_DELAY: i64 = 1_600;
/// Transit times are remembered for one to two of these.
const WINDOW: Duration = Duration::from_secs(2);
/// A timestamp that differs from the clock by more than this (1 s) has jumped.
const JUMP: i64 = 8_000;
/// A hole in arrivals longer than this (60 ms) is a pause of the speaker, not a new timeline that follows at once.
const PAUSE: i64 = 480;
/// More delay than needed, in ticks, before any is taken out: 40 ms.
const SLACK: i64 = 320;
/// Blocks played with too much delay before one is left out: half a second.
const PATIENCE: u32 = 50;
/// Further off than this (1 s), position is set anew at once.
const LOST_TRACK: i64 = 8_000;
/// Packets of the SSRC before are late ones for this long after a change.
const OLD_SSRC: Duration = Duration::from_millis(500);

/// One stream's buffer.
#[derive(Debug)]
pub struct JitterBuffer {
    blocks: Vec<Block>,
    newest: Option<Newest>,
    /// SSRC before the present one, and when it ended.
    old_ssrc: Option<(u32, Instant)>,
    transit: Window,
    /// Next tick to be played, at a block's beginning.
    position: Option<i64>,
    patience: u32,
}

/// 10 ms of audio.
#[derive(Clone, Debug)]
struct Block {
    number: i64,
    /// One bit for each millisecond present.
    present: u16,
    bytes: [u8; BLOCK],
}

/// All ten milliseconds are there.
const WHOLE: u16 = 0x3FF;

/// The newest packet, on the wire and on our time line.
#[derive(Clone, Copy, Debug)]
struct Newest {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    tick: i64,
    length: i64,
    at: Instant,
}

/// Fastest and slowest transit of the last seconds, in ticks of a difference that only has meaning relative to others.
#[derive(Clone, Copy, Debug)]
struct Window {
    since: Instant,
    now: Option<(i64, i64)>,
    before: Option<(i64, i64)>,
}

impl Window {
    fn add(&mut self, now: Instant, transit: i64) {
        if now.since(self.since) > WINDOW {
            self.before = self.now.take();
            self.since = now;
        }
        let (low, high) = self.now.unwrap_or((transit, transit));
        self.now = Some((low.min(transit), high.max(transit)));
    }

    fn bounds(&self) -> Option<(i64, i64)> {
        match (self.now, self.before) {
            (Some(now), Some(before)) => Some((now.0.min(before.0), now.1.max(before.1))),
            (one, other) => one.or(other),
        }
    }
}

impl Default for JitterBuffer {
    fn default() -> JitterBuffer {
        let empty = Block { number: i64::MIN, present: 0, bytes: [0; BLOCK] };
        JitterBuffer {
            blocks: vec![empty; BLOCKS],
            newest: None,
            old_ssrc: None,
            transit: Window { since: Instant::ZERO, now: None, before: None },
            position: None,
            patience: 0,
        }
    }
}

impl JitterBuffer {
    /// When the newest packet came.
    pub fn last_at(&self) -> Option<Instant> {
        self.newest.map(|newest| newest.at)
    }

    /// Takes one packet's payload. The marker bit is not asked for: phones set it as they like.
    pub fn push(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32, payload: &[u8]) {
        let Some(tick) = self.place(now, ssrc, sequence, timestamp, payload.len() as i64) else { return };
        self.transit.add(now, clock(now) - tick);
        let end = tick + payload.len() as i64;
        match self.position {
            Some(position) if end <= position => return,
            Some(position) if tick >= position + (BLOCKS * BLOCK) as i64 => return,
            Some(_) | None => {}
        }
        // Millisecond by millisecond: a payload may begin or end within a block.
        for (n, bytes) in payload.chunks_exact(8).take(BLOCKS * 10).enumerate() {
            self.put(tick + n as i64 * 8, bytes);
        }
    }

    /// Stores one millisecond.
    fn put(&mut self, tick: i64, bytes: &[u8]) {
        let number = tick.div_euclid(BLOCK as i64);
        let offset = tick.rem_euclid(BLOCK as i64) as usize;
        let Some(block) = self.blocks.get_mut(number.rem_euclid(BLOCKS as i64) as usize) else { return };
        if block.number != number {
            block.number = number;
            block.present = 0;
        }
        if let Some(place) = block.bytes.get_mut(offset..offset + 8) {
            place.copy_from_slice(bytes);
            block.present |= 1 << (offset / 8);
        }
    }

    /// The packet's place on our time line; `None` for a straggler of a time line that has ended.
    fn place(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32, length: i64) -> Option<i64> {
        let Some(newest) = self.newest else {
            self.newest = Some(Newest { ssrc, sequence, timestamp, tick: 0, length, at: now });
            return Some(0);
        };
        let elapsed = clock(now) - clock(newest.at);
        let step = i64::from(timestamp.wrapping_sub(newest.timestamp) as i32);
        let tick = if ssrc != newest.ssrc {
            if self.old_ssrc.is_some_and(|(old, since)| old == ssrc && now.since(since) < OLD_SSRC) {
                return None;
            }
            self.old_ssrc = Some((newest.ssrc, now));
            follow(&newest, elapsed)
        } else if (step - elapsed).abs() > JUMP {
            let behind = newest.sequence.wrapping_sub(sequence);
            if (1..100).contains(&behind) {
                return None;
            }
            follow(&newest, elapsed)
        } else if step <= 0 {
            return Some(newest.tick + step);
        } else {
            newest.tick + step
        };
        self.newest = Some(Newest { ssrc, sequence, timestamp, tick, length, at: now });
        Some(tick)
    }

    /// The next 10 ms, due at `now`; `None` when they are missing, or to let the delay grow.
    pub fn pop(&mut self, now: Instant) -> Option<&[u8; BLOCK]> {
        let (fastest, slowest) = self.transit.bounds()?;
        let spread = slowest - fastest + BLOCK as i64;
        let delay = spread.clamp(MIN_DELAY, MAX_DELAY);
        let ideal = (clock(now) - fastest - delay).div_euclid(BLOCK as i64) * BLOCK as i64;
        let mut position = self.position.unwrap_or(ideal);
        let surplus = ideal - position;
        if surplus.abs() > LOST_TRACK {
            position = ideal;
        } else if surplus < 0 {
            self.position = Some(position);
            return None;
        } else if surplus >= SLACK {
            self.patience += 1;
            // An empty block is left out unheard.
            if self.patience >= PATIENCE || !self.holds(position) {
                position += BLOCK as i64;
                self.patience = 0;
            }
        } else {
            self.patience = 0;
        }
        self.position = Some(position + BLOCK as i64);
        let number = position.div_euclid(BLOCK as i64);
        let block = self.blocks.get(number.rem_euclid(BLOCKS as i64) as usize)?;
        (block.number == number && block.present == WHOLE).then_some(&block.bytes)
    }

    fn holds(&self, position: i64) -> bool {
        let number = position.div_euclid(BLOCK as i64);
        let block = self.blocks.get(number.rem_euclid(BLOCKS as i64) as usize);
        block.is_some_and(|block| block.number == number && block.present == WHOLE)
    }
}

/// Where a new time line begins: right behind the old one, or later if the speaker paused; at a block's edge.
fn follow(newest: &Newest, elapsed: i64) -> i64 {
    let gap = if elapsed > newest.length + PAUSE { elapsed } else { newest.length };
    let block = BLOCK as i64;
    (newest.tick + gap + block - 1).div_euclid(block) * block
}

/// `now` in ticks of 125 µs.
fn clock(now: Instant) -> i64 {
    (now.as_micros() / 125) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One 20 ms packet of a script: arrival in ms, SSRC, sequence, timestamp, and the byte it is filled with.
    type Line = (u64, u32, u16, u32, u8);

    /// What is played from 0 to `until` ms: a byte for each block, 0 for a hole.
    fn played(lines: &[Line], until: u64) -> Vec<u8> {
        let mut sorted = lines.to_vec();
        sorted.sort_by_key(|line| line.0);
        let mut buffer = JitterBuffer::default();
        let mut arriving = sorted.into_iter().peekable();
        let mut blocks = Vec::new();
        for now in (0..until).step_by(10) {
            while let Some((at, ssrc, sequence, timestamp, fill)) = arriving.next_if(|line| line.0 <= now) {
                buffer.push(Instant::from_millis(at), ssrc, sequence, timestamp, &[fill; 160]);
            }
            blocks.push(buffer.pop(Instant::from_millis(now)).map_or(0, |block| block[0]));
        }
        blocks
    }

    /// `count` packets in time, numbered from `sequence` and `timestamp` on, filled with 1, 2, 3 …
    fn stream(count: u64, ssrc: u32, sequence: u16, timestamp: u32) -> Vec<Line> {
        (0..count)
            .map(|n| {
                let fill = (n % 250 + 1) as u8;
                (n * 20, ssrc, sequence.wrapping_add(n as u16), timestamp.wrapping_add(n as u32 * 160), fill)
            })
            .collect()
    }

    /// Length in ms of the longest hole once audio began.
    fn longest_hole(blocks: &[u8]) -> usize {
        let begun: Vec<u8> = blocks.iter().copied().skip_while(|byte| *byte == 0).collect();
        begun.split(|byte| *byte != 0).map(<[u8]>::len).max().unwrap_or(0) * 10
    }

    /// Share of packets of which at least a block was heard.
    fn heard(blocks: &[u8], lines: &[Line]) -> f64 {
        let fills: std::collections::BTreeSet<u8> = blocks.iter().copied().collect();
        lines.iter().filter(|line| fills.contains(&line.4)).count() as f64 / lines.len() as f64
    }

    #[test]
    fn e63_a_clean_stream_comes_out_whole_and_in_order() {
        let blocks = played(&stream(50, 1, 0, 0), 1_000);
        let begun: Vec<u8> = blocks.iter().copied().skip_while(|byte| *byte == 0).collect();
        assert!(blocks.len() - begun.len() <= 5, "begins within 50 ms");
        let expected: Vec<u8> = (1..=50).flat_map(|n| [n, n]).take(begun.len()).collect();
        assert_eq!(begun, expected);
    }

    #[test]
    fn e63_jitter_of_80_ms_loss_reordering_and_duplicates() {
        let mut seed = 7u32;
        let mut random = move |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % below
        };
        let mut lines = Vec::new();
        // A minute; the first second is clean, then the network turns bad.
        for (at, ssrc, sequence, timestamp, _) in stream(3_000, 1, 0, 0) {
            let fill = 1 + (at / 20 % 2) as u8;
            let delay = if at < 1_000 { 0 } else { u64::from(random(80)) };
            if random(100) >= 10 {
                lines.push((at + delay, ssrc, sequence, timestamp, fill));
                if random(100) < 2 {
                    lines.push((at + delay + 5, ssrc, sequence, timestamp, fill));
                }
            }
        }
        let blocks = played(&lines, 60_000);
        assert_eq!(blocks.len(), 6_000, "as long as the call");
        let missing = blocks.iter().filter(|byte| **byte == 0).count();
        assert!((500..800).contains(&missing), "10 % were lost and hardly more is missing: {missing} of 6000 blocks");
        // Once the delay has grown, all that is played is in order: 1 1 2 2 1 1 2 2.
        let tail = &blocks[5_000..];
        let doubled = tail.windows(3).filter(|w| w[0] != 0 && w[0] == w[1] && w[1] == w[2]).count();
        assert!(doubled <= 4, "{doubled} repeats");
    }

    #[test]
    fn e63_the_delay_shrinks_again() {
        let mut lines = stream(1_000, 1, 0, 0);
        for line in lines.iter_mut().filter(|line| (2_000..4_000).contains(&line.0)) {
            line.0 += line.0 / 20 % 2 * 100;
        }
        let mut buffer = JitterBuffer::default();
        let mut arriving = lines.into_iter().peekable();
        let mut worst = 0;
        for now in (0..20_000).step_by(10) {
            while let Some((at, ssrc, sequence, timestamp, fill)) = arriving.next_if(|line| line.0 <= now) {
                buffer.push(Instant::from_millis(at), ssrc, sequence, timestamp, &[fill; 160]);
            }
            buffer.pop(Instant::from_millis(now));
            let delay = now as i64 * 8 - buffer.position.unwrap();
            worst = worst.max(delay);
            if now > 12_000 {
                assert!(delay <= 90 * 8, "at {now} ms still {} ms", delay / 8);
            }
        }
        assert!(worst >= 100 * 8, "it had grown");
    }

    #[test]
    fn e63_a_sender_whose_clock_drifts_leaves_no_drift() {
        // 300 ppm fast and slow over five minutes: 90 ms.
        for (numerator, what) in [(10_003u64, "slow"), (9_997, "fast")] {
            let lines: Vec<Line> = stream(15_000, 1, 0, 0)
                .into_iter()
                .map(|(at, ssrc, seq, ts, fill)| (at * numerator / 10_000, ssrc, seq, ts, fill))
                .collect();
            let blocks = played(&lines, 299_000);
            let missing = blocks.iter().filter(|byte| **byte == 0).count();
            assert!(missing < 60, "{what}: {missing} of 29900 blocks");
        }
    }

    #[test]
    fn e66_wraps_go_unheard() {
        let lines = stream(100, 1, 65_530, u32::MAX - 3_000);
        let blocks = played(&lines, 2_000);
        assert_eq!(longest_hole(&blocks[..190]), 0);
        assert_eq!(heard(&blocks, &lines[..90]), 1.0);
    }

    #[test]
    fn e66_a_timestamp_jump_makes_no_hole() {
        for jump in [1_000_000u32, 0u32.wrapping_sub(1_000_000), 0x8000_0000] {
            let mut lines = stream(100, 1, 0, 5_000);
            lines[50..].iter_mut().for_each(|line| line.3 = line.3.wrapping_add(jump));
            let blocks = played(&lines, 2_000);
            assert!(longest_hole(&blocks[..190]) <= 60, "hole of {} ms", longest_hole(&blocks[..190]));
            assert_eq!(heard(&blocks, &lines[..90]), 1.0);
        }
    }

    #[test]
    fn e66_a_new_ssrc_makes_no_hole_and_late_packets_of_the_old_one_nothing() {
        let mut lines = stream(100, 1, 0, 5_000);
        for (n, line) in lines[50..].iter_mut().enumerate() {
            (line.1, line.2, line.3) = (2, 30_000 + n as u16, 77_777 + n as u32 * 160);
        }
        lines[49].0 += 45; // the last of the old SSRC comes after two of the new
        let blocks = played(&lines, 2_000);
        assert!(longest_hole(&blocks[..190]) <= 60);
        assert_eq!(heard(&blocks, &lines[50..90]), 1.0);
    }

    #[test]
    fn a_pause_of_the_speaker_is_a_pause() {
        let mut lines = stream(100, 1, 0, 0);
        lines.drain(40..60);
        let blocks = played(&lines, 2_000);
        assert_eq!(longest_hole(&blocks[..190]), 400);
    }

    #[test]
    fn any_packet_length_is_taken() {
        let mut buffer = JitterBuffer::default();
        for (n, length) in [0usize, 1, 7, 8, 13, 80, 240, 480, 1_400].into_iter().enumerate() {
            buffer.push(Instant::from_millis(n as u64 * 20), 1, n as u16, n as u32 * 160, &vec![1; length]);
            buffer.pop(Instant::from_millis(n as u64 * 20));
        }
    }

    mod any_input {
        use super::*;
        use proptest::prelude::*;

        proptest! {
            #[test]
            fn e66_nothing_panics(lines in proptest::collection::vec((0u64..5_000, 0u32..3, any::<u16>(), any::<u32>()), 0..200)) {
                let lines: Vec<Line> = lines.into_iter().map(|(at, ssrc, seq, ts)| (at, ssrc, seq, ts, 1)).collect();
                prop_assert_eq!(played(&lines, 5_000).len(), 500);
            }
        }
    }
}

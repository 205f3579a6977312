//! Keys as RTP telephone-events (RFC 4733): received each once, whatever the network does to the packets, and sent.
//!
//! A key is named by its RTP timestamp: all of its packets carry the timestamp of its beginning (section 2.5.1.2). It is
//! reported with the first packet that arrives of it, be that its last, so neither loss nor repetition matters.

use crate::digit::Digit;
use crate::time::{Duration, Instant};

/// End packets of each key that we send (section 2.5.1.4).
pub const END_PACKETS: u8 = 3;
/// Milliseconds between two packets of a key that we send.
pub const EVENT_PERIOD_MS: u32 = 20;
/// Volume of the keys that we send: −10 dBm0 (section 2.3.4).
const VOLUME: u8 = 10;
/// Keys remembered, so that a late packet of one is known as such.
const MEMORY: usize = 4;
/// Some phones move the timestamp on with each packet of one key; a new key lies further ahead than this (50 ms).
const CREEP_TICKS: u32 = 400;
/// The longest that two packets of one such key lie apart.
const CREEP_PAUSE: Duration = Duration::from_millis(70);
/// A new key may reach us by packets this much older than the newest one.
const MAX_REORDER: u16 = 16;
/// After this long without a packet of a key, numbers say nothing of old and new any more: they may have gone half round.
const STALE: Duration = Duration::from_secs(2);
/// A key longer than this many ticks goes on as a new segment with a new timestamp (section 2.5.1.3).
const SEGMENT_TICKS: u32 = 0xFFFF;

/// The keys of one RTP stream.
#[derive(Debug, Default)]
pub struct EventReceiver {
    ssrc: Option<u32>,
    /// The newest packet's sequence number.
    sequence: u16,
    current: Option<Press>,
    recent: [Option<u32>; MEMORY],
    next: usize,
}

/// The key that the newest packets are of.
#[derive(Clone, Copy, Debug)]
struct Press {
    event: u8,
    timestamp: u32,
    duration: u16,
    ended: bool,
    at: Instant,
}

/// The RTP side of one telephone-event packet.
#[derive(Clone, Copy, Debug)]
pub struct EventPacket<'a> {
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
    pub marker: bool,
    pub payload: &'a [u8],
}

impl EventReceiver {
    /// Takes one packet; gives the key when it is the first of one. Events that are no keys (flash, fax) give nothing.
    pub fn receive(&mut self, now: Instant, packet: &EventPacket<'_>) -> Option<Digit> {
        let [event, flags, d0, d1, ..] = *packet.payload else { return None };
        let (ended, duration) = (flags & 0x80 != 0, u16::from_be_bytes([d0, d1]));
        let digit = Digit::from_event(event)?;
        if self.ssrc != Some(packet.ssrc) {
            *self = EventReceiver { ssrc: Some(packet.ssrc), ..EventReceiver::default() };
        }
        let press = Press { event, timestamp: packet.timestamp, duration, ended, at: now };
        let Some(current) = self.current.filter(|current| now.since(current.at) <= STALE) else {
            return self.begin(packet.sequence, press, digit);
        };
        let ahead = packet.sequence.wrapping_sub(self.sequence);
        if ahead == 0 {
            return None;
        }
        if ahead >= 0x8000 {
            // Older than what we have seen. A key of which nothing came before is still a key.
            let near = self.sequence.wrapping_sub(packet.sequence) <= MAX_REORDER;
            let behind = current.timestamp.wrapping_sub(packet.timestamp) < 0x8000_0000;
            if near && behind && !self.recent.contains(&Some(packet.timestamp)) {
                self.remember(packet.timestamp);
                return Some(digit);
            }
            return None;
        }
        if same_key(&current, &press, packet.marker) {
            self.sequence = packet.sequence;
            self.current = Some(Press { ended: current.ended || ended, ..press });
            if press.timestamp != current.timestamp {
                self.remember(press.timestamp);
            }
            return None;
        }
        if press.timestamp != current.timestamp && self.recent.contains(&Some(press.timestamp)) {
            self.sequence = packet.sequence;
            return None;
        }
        self.begin(packet.sequence, press, digit)
    }

    /// Whether more packets of the newest key may come: it is held, or its ends are sent again.
    pub fn may_be_held(&self, now: Instant) -> bool {
        self.current.is_some_and(|current| now.since(current.at) <= STALE)
    }

    fn begin(&mut self, sequence: u16, press: Press, digit: Digit) -> Option<Digit> {
        self.sequence = sequence;
        self.current = Some(press);
        self.remember(press.timestamp);
        Some(digit)
    }

    fn remember(&mut self, timestamp: u32) {
        if let Some(place) = self.recent.get_mut(self.next % MEMORY) {
            *place = Some(timestamp);
        }
        self.next = (self.next + 1) % MEMORY;
    }
}

/// Whether `press`, from a newer packet, belongs to the key `current`.
fn same_key(current: &Press, press: &Press, marker: bool) -> bool {
    if press.event != current.event {
        return false;
    }
    let ahead = press.timestamp.wrapping_sub(current.timestamp);
    if ahead == 0 {
        // A phone that gives two keys one timestamp begins again after its end packets.
        return !current.ended || press.ended && !marker || press.duration > current.duration;
    }
    if current.ended || marker {
        return false;
    }
    let creeps = ahead <= CREEP_TICKS && press.at.since(current.at) <= CREEP_PAUSE;
    let segment = ahead == SEGMENT_TICKS || ahead == SEGMENT_TICKS + 1;
    creeps || segment
}

/// One key on its way out: give [`EventSender`] a packet each [`EVENT_PERIOD_MS`].
#[derive(Debug)]
pub struct EventSender {
    event: u8,
    total: u16,
    sent: u16,
    ends: u8,
    first: bool,
}

/// One packet of a key. The RTP timestamp is that of the key's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPayload {
    pub marker: bool,
    pub payload: [u8; 4],
}

impl EventSender {
    /// A key of `duration`, taken as 40 ms to 8 s.
    pub fn new(digit: Digit, duration: Duration) -> EventSender {
        let ms = u16::try_from(duration.as_millis()).unwrap_or(u16::MAX).clamp(40, 8_000);
        EventSender { event: digit.event(), total: ms * 8, sent: 0, ends: 0, first: true }
    }

    /// RTP ticks of the whole key.
    pub fn ticks(&self) -> u32 {
        u32::from(self.total)
    }

    /// The next packet; `None` when the key and its repeated ends have been sent.
    pub fn next_packet(&mut self) -> Option<EventPayload> {
        if self.ends >= END_PACKETS {
            return None;
        }
        self.sent = self.sent.saturating_add((EVENT_PERIOD_MS * 8) as u16).min(self.total);
        let end = self.sent >= self.total;
        self.ends += u8::from(end);
        let marker = std::mem::take(&mut self.first);
        let [d0, d1] = self.sent.to_be_bytes();
        Some(EventPayload { marker, payload: [self.event, if end { 0x80 } else { 0 } | VOLUME, d0, d1] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet of a script: sequence, timestamp, event, duration, end, marker.
    type Line = (u16, u32, u8, u16, bool, bool);

    /// A key of three packets and three ends, as a good phone sends it.
    fn key(sequence: u16, timestamp: u32, event: u8) -> Vec<Line> {
        (0..6u16)
            .map(|n| {
                let duration = (n + 1).min(4) * 160;
                (sequence.wrapping_add(n), timestamp, event, duration, n >= 3, n == 0)
            })
            .collect()
    }

    fn heard(lines: &[Line]) -> String {
        let mut receiver = EventReceiver::default();
        let keys = lines.iter().enumerate().filter_map(|(n, line)| {
            let (sequence, timestamp, event, duration, end, marker) = *line;
            let [d0, d1] = duration.to_be_bytes();
            let payload = [event, if end { 0x8A } else { 0x0A }, d0, d1];
            let packet = EventPacket { ssrc: 1, sequence, timestamp, marker, payload: &payload };
            receiver.receive(Instant::from_millis(n as u64 * 20), &packet)
        });
        keys.map(Digit::as_char).collect()
    }

    fn without(lines: &[Line], lost: &[usize]) -> Vec<Line> {
        lines.iter().enumerate().filter(|(n, _)| !lost.contains(n)).map(|(_, line)| *line).collect()
    }

    #[test]
    fn e64_a_key_is_given_once() {
        assert_eq!(heard(&key(10, 1_000, 5)), "5");
        assert_eq!(heard(&[key(10, 1_000, 5), key(16, 2_600, 5), key(22, 4_200, 11)].concat()), "55#");
    }

    #[test]
    fn e64_any_loss_that_leaves_one_packet_gives_the_key_once() {
        let two = [key(10, 1_000, 5), key(16, 2_600, 5)].concat();
        for first_left in 0..6 {
            for second_left in 6..12 {
                let left = [two[first_left], two[second_left]];
                assert_eq!(heard(&left), "55", "only packets {first_left} and {second_left} came");
            }
        }
        assert_eq!(heard(&without(&two, &[3, 4, 5])), "55", "all ends of the first are lost");
    }

    #[test]
    fn e64_duplicates_and_reordering_make_no_phantom() {
        let one = key(10, 1_000, 7);
        let doubled: Vec<_> = one.iter().flat_map(|line| [*line, *line]).collect();
        assert_eq!(heard(&doubled), "7");
        let mut ends_again = one.clone();
        ends_again.extend_from_slice(&one[3..]);
        assert_eq!(heard(&ends_again), "7", "the three ends once more");
        let mut reversed = one.clone();
        reversed.reverse();
        assert_eq!(heard(&reversed), "7");
        let mut late = key(10, 1_000, 7);
        let tail = late.split_off(4);
        late.extend(key(16, 2_600, 8));
        late.extend(tail);
        assert_eq!(heard(&late), "78", "ends of the first after the second");
    }

    #[test]
    fn e64_a_key_overtaken_by_the_next_is_still_a_key() {
        let first = key(10, 1_000, 7);
        let second = key(16, 2_600, 8);
        assert_eq!(heard(&[second[0], first[5], second[1], first[4]]), "87");
    }

    #[test]
    fn e64_a_timestamp_repeated_for_the_next_key() {
        assert_eq!(heard(&[key(10, 1_000, 5), key(16, 1_000, 6)].concat()), "56", "another digit");
        assert_eq!(heard(&[key(10, 1_000, 5), key(16, 1_000, 5)].concat()), "55", "the same digit, begun anew");
    }

    #[test]
    fn e64_a_timestamp_that_creeps_is_one_key() {
        let lines: Vec<Line> =
            (0..6u16).map(|n| (10 + n, 1_000 + u32::from(n) * 160, 3, 160 * (n + 1), n >= 5, n == 0)).collect();
        assert_eq!(heard(&lines), "3");
    }

    #[test]
    fn e64_a_key_longer_than_a_segment_is_one_key() {
        let lines = [
            (1, 1_000, 1, 65_000, false, true),
            (2, 1_000, 1, 65_535, false, false),
            (3, 1_000 + 65_535, 1, 160, false, false),
            (4, 1_000 + 65_535, 1, 320, true, false),
        ];
        assert_eq!(heard(&lines), "1");
    }

    #[test]
    fn e64_numbers_may_wrap_within_a_key() {
        assert_eq!(heard(&[key(65_533, u32::MAX - 100, 5), key(3, 1_500, 5)].concat()), "55");
    }

    #[test]
    fn events_that_are_no_keys_and_short_payloads_are_ignored() {
        assert_eq!(heard(&key(1, 1_000, 16)), "");
        let packet = EventPacket { ssrc: 1, sequence: 1, timestamp: 1, marker: true, payload: &[5, 0, 1] };
        assert_eq!(EventReceiver::default().receive(Instant::ZERO, &packet), None);
    }

    #[test]
    fn sends_a_marker_growing_durations_and_three_ends() {
        let mut sender = EventSender::new(Digit::Pound, Duration::from_millis(60));
        let mut sent = Vec::new();
        while let Some(packet) = sender.next_packet() {
            sent.push((packet.marker, packet.payload));
        }
        let expected = [
            (true, [11, 0x0A, 0x00, 0xA0]),
            (false, [11, 0x0A, 0x01, 0x40]),
            (false, [11, 0x8A, 0x01, 0xE0]),
            (false, [11, 0x8A, 0x01, 0xE0]),
            (false, [11, 0x8A, 0x01, 0xE0]),
        ];
        assert_eq!(sent, expected);
    }

    mod random_networks {
        use super::*;
        use proptest::prelude::*;

        proptest! {
            /// 40 ms keys (two packets, three ends) under 20 % loss, 5 % duplication and neighbours swapped: each key of which
            /// anything arrives is given once.
            #[test]
            fn e64_each_key_once(digits in proptest::collection::vec(0u8..12, 1..12),
                                 fate in proptest::collection::vec((0u8..100, 0u8..100, 0u8..100), 72)) {
                let mut arriving = Vec::new();
                let mut expected = String::new();
                for (n, digit) in digits.iter().enumerate() {
                    let lines = key(60_000u16.wrapping_add(n as u16 * 6), n as u32 * 1_600 + 5, *digit);
                    let mut came = false;
                    for (k, line) in lines.into_iter().enumerate() {
                        let (lose, double, _) = fate[n * 6 + k];
                        if lose >= 20 {
                            came = true;
                            arriving.push(line);
                            if double < 5 {
                                arriving.push(line);
                            }
                        }
                    }
                    if came {
                        expected.push(Digit::from_event(*digit).unwrap().as_char());
                    }
                }
                for n in 1..arriving.len() {
                    // Swaps stay within a key: between keys the phone pauses for longer than a network reorders.
                    if fate[n % 72].2 < 10 && arriving[n].1 == arriving[n - 1].1 {
                        arriving.swap(n, n - 1);
                    }
                }
                prop_assert_eq!(heard(&arriving), expected);
            }
        }
    }
}

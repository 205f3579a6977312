//! The one RTP stream that a leg's phone gets from us. Prompts, tones, keys and the bridged peer take turns in it, yet it has one
//! SSRC, numbers without a gap of our making, and timestamps that go on with the clock: the phone never sees a new stream.

use super::rtp::Packet;
use crate::time::Instant;

/// Our own frames up to this many of their lengths after the last one go on with its timestamp, since those that are late are
/// all sent in the end; after a longer pause the clock says the timestamp.
const LATE_FRAMES: u32 = 4;
/// A relayed timestamp that differs from the clock by more (1 s) has jumped.
const JUMP_TICKS: i64 = 8_000;
/// Sequence steps of a relayed stream outside these bounds are a restart (RFC 3550 A.1).
const MAX_DROPOUT: u16 = 3_000;
const MAX_MISORDER: u16 = 100;

/// One leg's outgoing stream.
#[derive(Debug)]
pub struct Outlet {
    ssrc: u32,
    /// Of the newest packet sent.
    sequence: u16,
    timestamp: u32,
    /// Ticks that the newest packet covers.
    ticks: u32,
    /// When `timestamp` was.
    last_at: Option<Instant>,
    /// The newest packet was a frame of our own.
    own: bool,
    relay: Option<Relay>,
    packets: u64,
    octets: u64,
}

/// How a relayed stream's numbers become ours.
#[derive(Clone, Copy, Debug)]
struct Relay {
    ssrc: u32,
    sequence_shift: u16,
    timestamp_shift: u32,
    /// Older packets than this have no number left in our stream.
    floor: u16,
    newest: u16,
    newest_timestamp: u32,
    newest_at: Instant,
}

impl Outlet {
    /// A stream that begins at random numbers, as RFC 3550 section 5.1 asks.
    pub fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Outlet {
        Outlet { ssrc, sequence, timestamp, ticks: 0, last_at: None, own: false, relay: None, packets: 0, octets: 0 }
    }

    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Packets and payload octets sent.
    pub fn totals(&self) -> (u64, u64) {
        (self.packets, self.octets)
    }

    /// The RTP timestamp of `now` in this stream.
    pub fn timestamp(&self, now: Instant) -> u32 {
        self.timestamp.wrapping_add(self.elapsed(now))
    }

    fn elapsed(&self, now: Instant) -> u32 {
        self.last_at.map_or(0, |last| u32::try_from(now.since(last).as_micros() / 125).unwrap_or(u32::MAX))
    }

    /// The timestamp of something that begins now: as late as the clock says, never within what was sent.
    fn resume(&self, now: Instant) -> u32 {
        self.timestamp.wrapping_add(self.elapsed(now).max(self.ticks))
    }

    /// A frame of our own making, `ticks` long.
    pub fn own<'a>(&mut self, now: Instant, payload_type: u8, ticks: u32, payload: &'a [u8]) -> Packet<'a> {
        let going_on = self.own && self.elapsed(now) <= self.ticks * LATE_FRAMES;
        self.timestamp = if going_on { self.timestamp.wrapping_add(self.ticks) } else { self.resume(now) };
        self.sequence = self.sequence.wrapping_add(1);
        self.ticks = ticks;
        self.last_at = Some(now);
        self.own = true;
        self.relay = None;
        self.count(payload);
        self.packet(!going_on, payload_type, payload)
    }

    /// Begins a key: all of its packets carry the timestamp returned.
    pub fn begin_event(&mut self, now: Instant) -> u32 {
        self.relay = None;
        self.own = false;
        self.timestamp = self.resume(now);
        self.last_at = Some(now);
        self.ticks = 0;
        self.timestamp
    }

    /// One packet of a key that began at `timestamp`.
    pub fn event<'a>(&mut self, payload_type: u8, marker: bool, timestamp: u32, payload: &'a [u8]) -> Packet<'a> {
        self.sequence = self.sequence.wrapping_add(1);
        self.count(payload);
        Packet { timestamp, ..self.packet(marker, payload_type, payload) }
    }

    /// The key is over, after `ticks` in which its packets were sent: what follows begins behind it.
    pub fn end_event(&mut self, ticks: u32) {
        self.ticks = ticks;
    }

    /// A peer's packet, renumbered into our stream; `None` for one that is too old to have a place in it. `audio`: its
    /// timestamp says when it was spoken, as that of a telephone-event does not.
    pub fn relay<'a>(
        &mut self,
        now: Instant,
        packet: &Packet<'_>,
        payload_type: u8,
        audio: bool,
        payload: &'a [u8],
    ) -> Option<Packet<'a>> {
        let (relay, fresh) = match self.relay.filter(|relay| !relay.broken(now, packet, audio)) {
            Some(relay) => (relay, false),
            None => (self.splice(now, packet), true),
        };
        if packet.sequence.wrapping_sub(relay.floor) >= 0x8000 {
            return None;
        }
        let sequence = packet.sequence.wrapping_add(relay.sequence_shift);
        let timestamp = packet.timestamp.wrapping_add(relay.timestamp_shift);
        let mut relay = relay;
        if fresh || packet.sequence.wrapping_sub(relay.newest) < 0x8000 {
            relay.newest = packet.sequence;
            // Moves along, lest half a wrap later everything looked older than it.
            if relay.newest.wrapping_sub(relay.floor) > MAX_MISORDER {
                relay.floor = relay.newest.wrapping_sub(MAX_MISORDER);
            }
            self.sequence = sequence;
            if audio {
                relay.newest_timestamp = packet.timestamp;
                relay.newest_at = now;
                self.timestamp = timestamp;
                self.ticks = payload.len() as u32;
                self.last_at = Some(now);
            }
        }
        self.relay = Some(relay);
        self.own = false;
        self.count(payload);
        let marker = packet.marker || fresh && audio;
        Some(Packet { marker, payload_type, sequence, timestamp, ssrc: self.ssrc, payload })
    }

    /// A peer's packet that is kept from the phone on purpose takes no number, so that it doesn't look lost.
    pub fn skip(&mut self, packet: &Packet<'_>) {
        if let Some(relay) = self.relay.as_mut().filter(|relay| relay.ssrc == packet.ssrc)
            && packet.sequence.wrapping_sub(relay.newest).wrapping_sub(1) < MAX_MISORDER
        {
            relay.newest = packet.sequence;
            relay.floor = packet.sequence.wrapping_add(1);
            relay.sequence_shift = relay.sequence_shift.wrapping_sub(1);
        }
    }

    /// How a stream that begins with `packet` goes on from what was sent before.
    fn splice(&self, now: Instant, packet: &Packet<'_>) -> Relay {
        Relay {
            ssrc: packet.ssrc,
            sequence_shift: self.sequence.wrapping_add(1).wrapping_sub(packet.sequence),
            timestamp_shift: self.resume(now).wrapping_sub(packet.timestamp),
            floor: packet.sequence,
            newest: packet.sequence,
            newest_timestamp: packet.timestamp,
            newest_at: now,
        }
    }

    fn count(&mut self, payload: &[u8]) {
        self.packets += 1;
        self.octets += payload.len() as u64;
    }

    fn packet<'a>(&self, marker: bool, payload_type: u8, payload: &'a [u8]) -> Packet<'a> {
        let (sequence, timestamp, ssrc) = (self.sequence, self.timestamp, self.ssrc);
        Packet { marker, payload_type, sequence, timestamp, ssrc, payload }
    }
}

impl Relay {
    /// Whether `packet` is of another stream, or of the same one begun anew.
    fn broken(&self, now: Instant, packet: &Packet<'_>, audio: bool) -> bool {
        let ahead = packet.sequence.wrapping_sub(self.newest);
        let near = !(MAX_DROPOUT..=u16::MAX - MAX_MISORDER).contains(&ahead);
        let newer = (1..0x8000).contains(&ahead);
        let step = i64::from(packet.timestamp.wrapping_sub(self.newest_timestamp) as i32);
        let elapsed = (now.since(self.newest_at).as_micros() / 125) as i64;
        packet.ssrc != self.ssrc || !near || audio && newer && (step - elapsed).abs() > JUMP_TICKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlet() -> Outlet {
        Outlet::new(0xABCD, 65_533, u32::MAX - 200)
    }

    fn from_peer(ssrc: u32, sequence: u16, timestamp: u32) -> Packet<'static> {
        Packet { marker: false, payload_type: 0, sequence, timestamp, ssrc, payload: &[0; 160] }
    }

    /// Number, timestamp and marker of a relayed packet.
    fn relayed(outlet: &mut Outlet, ms: u64, packet: Packet<'static>) -> Option<(u16, u32, bool)> {
        let sent = outlet.relay(Instant::from_millis(ms), &packet, 0, true, packet.payload)?;
        assert_eq!(sent.ssrc, 0xABCD);
        Some((sent.sequence, sent.timestamp, sent.marker))
    }

    fn own(outlet: &mut Outlet, ms: u64) -> (u16, u32, bool) {
        let sent = outlet.own(Instant::from_millis(ms), 0, 160, &[0; 160]);
        (sent.sequence, sent.timestamp, sent.marker)
    }

    #[test]
    fn a_prompt_then_the_bridge_then_a_prompt_is_one_stream() {
        let mut outlet = outlet();
        let base = u32::MAX - 200;
        assert_eq!(own(&mut outlet, 0), (65_534, base, true));
        assert_eq!(own(&mut outlet, 21), (65_535, base.wrapping_add(160), false));
        assert_eq!(own(&mut outlet, 39), (0, base.wrapping_add(320), false));
        // 61 ms later the peer is heard: 488 ticks.
        assert_eq!(relayed(&mut outlet, 100, from_peer(9, 700, 5_000)), Some((1, base.wrapping_add(808), true)));
        assert_eq!(relayed(&mut outlet, 118, from_peer(9, 701, 5_160)), Some((2, base.wrapping_add(968), false)));
        assert_eq!(relayed(&mut outlet, 161, from_peer(9, 703, 5_480)), Some((4, base.wrapping_add(1_288), false)));
        assert_eq!(relayed(&mut outlet, 162, from_peer(9, 702, 5_320)), Some((3, base.wrapping_add(1_128), false)));
        assert_eq!(own(&mut outlet, 171), (5, base.wrapping_add(1_448), true), "never within what was sent");
    }

    #[test]
    fn e66_jumps_and_new_sources_of_the_peer_are_smoothed() {
        let mut outlet = outlet();
        let base = u32::MAX - 200;
        relayed(&mut outlet, 0, from_peer(9, 700, 5_000));
        assert_eq!(
            relayed(&mut outlet, 20, from_peer(9, 701, 1_005_160)),
            Some((65_535, base.wrapping_add(160), true))
        );
        assert_eq!(relayed(&mut outlet, 40, from_peer(9, 702, 1_005_320)), Some((0, base.wrapping_add(320), false)));
        assert_eq!(relayed(&mut outlet, 60, from_peer(8, 9, 77)), Some((1, base.wrapping_add(480), true)));
        assert_eq!(relayed(&mut outlet, 80, from_peer(8, 40_000, 237)), Some((2, base.wrapping_add(640), true)));
        assert_eq!(relayed(&mut outlet, 81, from_peer(8, 39_999, 77)), None, "no number is left for it");
    }

    #[test]
    fn e66_a_wrap_of_the_peer_is_no_event() {
        let mut outlet = outlet();
        relayed(&mut outlet, 0, from_peer(9, 65_535, u32::MAX - 79));
        let base = u32::MAX - 200;
        assert_eq!(relayed(&mut outlet, 20, from_peer(9, 0, 80)), Some((65_535, base.wrapping_add(160), false)));
    }

    #[test]
    fn what_is_kept_back_does_not_look_lost() {
        let mut outlet = outlet();
        assert_eq!(relayed(&mut outlet, 0, from_peer(9, 700, 5_000)).map(|sent| sent.0), Some(65_534));
        outlet.skip(&from_peer(9, 701, 5_160));
        outlet.skip(&from_peer(9, 702, 5_160));
        assert_eq!(relayed(&mut outlet, 60, from_peer(9, 703, 5_480)).map(|sent| sent.0), Some(65_535));
    }

    #[test]
    fn audio_goes_on_behind_a_key() {
        let mut outlet = outlet();
        let base = u32::MAX - 200;
        own(&mut outlet, 0);
        let start = outlet.begin_event(Instant::from_millis(20));
        assert_eq!(start, base.wrapping_add(160));
        for n in 0..3 {
            let packet = outlet.event(101, n == 0, start, &[5, 10, 0, 160]);
            assert_eq!((packet.sequence, packet.timestamp), (65_535u16.wrapping_add(n), start));
        }
        outlet.end_event(480);
        assert_eq!(own(&mut outlet, 80), (2, base.wrapping_add(640), true));
    }
}

//! What the sans-IO pieces want sent and told. Reused from sweep to sweep: once it has grown, nothing is allocated any more.

use std::net::SocketAddr;

use crate::call::media::MediaEvent;
use crate::time::{Clock, Instant};

/// Seconds from the NTP era of 1900 to 1970 (RFC 3550 section 4).
const NTP_OFFSET: i64 = 2_208_988_800;

/// Which of a leg's two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    Rtp,
    Rtcp,
}

/// One datagram to be sent from the sockets of the leg at `slot`.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing {
    pub slot: usize,
    pub channel: Channel,
    pub to: SocketAddr,
    start: usize,
    end: usize,
}

#[derive(Debug)]
pub struct Outbox {
    bytes: Vec<u8>,
    packets: Vec<Outgoing>,
    pub events: Vec<MediaEvent>,
    /// For what people read (first RTP) and for RTCP's NTP time; never for a timer.
    pub clock: Clock,
}

impl Outbox {
    pub fn new(clock: Clock) -> Outbox {
        Outbox { bytes: Vec::new(), packets: Vec::new(), events: Vec::new(), clock }
    }

    /// Adds whatever `write` appends; nothing where it appends nothing.
    pub fn add(&mut self, slot: usize, channel: Channel, to: SocketAddr, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        if self.bytes.len() == start {
            return;
        }
        self.packets.push(Outgoing { slot, channel, to, start, end: self.bytes.len() });
    }

    /// Everything to be sent, in order.
    pub fn packets(&self) -> impl Iterator<Item = (Outgoing, &[u8])> {
        self.packets.iter().map(|packet| (*packet, self.bytes.get(packet.start..packet.end).unwrap_or(&[])))
    }

    /// Forgets the packets; the events stay until they are taken.
    pub fn clear_packets(&mut self) {
        self.bytes.clear();
        self.packets.clear();
    }

    /// NTP time of `now`, 32.32 fixed point.
    pub fn ntp(&self, now: Instant) -> u64 {
        let wall = self.clock.wall(now);
        let seconds = (wall.as_second() + NTP_OFFSET) as u64;
        let nanos = u64::try_from(wall.subsec_nanosecond()).unwrap_or(0);
        (seconds << 32) | ((nanos << 32) / 1_000_000_000)
    }
}

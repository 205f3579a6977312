//! What one leg receives, counted as RFC 3550 appendix A says: A.1 sequence numbers, A.3 losses, A.8 jitter.

use super::rtcp::ReportBlock;
use crate::bridge::MediaReport;
use crate::time::Instant;

/// A step forward larger than this is a restart of the source, not a loss (A.1 MAX_DROPOUT).
const MAX_DROPOUT: u16 = 3_000;
/// A step back larger than this is a restart, not reordering (A.1 MAX_MISORDER).
const MAX_MISORDER: u16 = 100;

/// The statistics of everything a leg receives, over all sources that it ever heard.
#[derive(Debug, Default)]
pub struct Reception {
    source: Option<Source>,
    /// Sums of the sources before the present one.
    earlier_expected: u64,
    earlier_received: u64,
    received: u64,
    jitter_ticks: f64,
    last_at: Option<Instant>,
    max_gap_ms: u32,
}

/// One SSRC between restarts of its numbering.
#[derive(Debug)]
struct Source {
    ssrc: u32,
    first: u32,
    /// Highest sequence number, extended by the count of wraps.
    highest: u32,
    received: u64,
    /// The number that would confirm a restart (A.1 bad_seq).
    restart: Option<u16>,
    /// Arrival minus timestamp of the last audio packet (A.8).
    transit: Option<i32>,
    expected_before: u64,
    received_before: u64,
}

impl Source {
    fn new(ssrc: u32, sequence: u16) -> Source {
        Source {
            ssrc,
            first: u32::from(sequence),
            highest: u32::from(sequence),
            received: 0,
            restart: None,
            transit: None,
            expected_before: 0,
            received_before: 0,
        }
    }

    fn expected(&self) -> u64 {
        u64::from(self.highest.wrapping_sub(self.first)) + 1
    }
}

impl Reception {
    /// Counts one packet. `audio`: its timestamp says when it was spoken, as that of a telephone-event does not.
    pub fn count(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32, audio: bool) {
        self.received += 1;
        if let Some(last) = self.last_at {
            self.max_gap_ms = self.max_gap_ms.max(u32::try_from(now.since(last).as_millis()).unwrap_or(u32::MAX));
        }
        self.last_at = Some(now);
        if self.restarted(ssrc, sequence) {
            self.retire();
            self.source = Some(Source::new(ssrc, sequence));
        }
        let Some(source) = &mut self.source else { return };
        source.received += 1;
        if audio {
            let transit = ticks(now).wrapping_sub(timestamp) as i32;
            if let Some(before) = source.transit {
                let change = f64::from(transit.wrapping_sub(before).unsigned_abs());
                // A timestamp that jumped says nothing about the network.
                if change < 8_000.0 {
                    self.jitter_ticks += (change - self.jitter_ticks) / 16.0;
                }
            }
            source.transit = Some(transit);
        }
    }

    /// Steps the sequence on; true when a new source, or a new numbering of the old one, begins with this packet.
    fn restarted(&mut self, ssrc: u32, sequence: u16) -> bool {
        let Some(source) = self.source.as_mut().filter(|source| source.ssrc == ssrc) else { return true };
        let ahead = sequence.wrapping_sub(source.highest as u16);
        if ahead < MAX_DROPOUT {
            source.highest = source.highest.wrapping_add(u32::from(ahead));
            source.restart = None;
        } else if ahead <= u16::MAX - MAX_MISORDER {
            if source.restart == Some(sequence) {
                return true;
            }
            source.restart = Some(sequence.wrapping_add(1));
        }
        false
    }

    fn retire(&mut self) {
        if let Some(source) = self.source.take() {
            self.earlier_expected += source.expected();
            self.earlier_received += source.received;
        }
    }

    /// The peer stops sending by agreement (hold): the time until it comes back is no hole.
    pub fn pause(&mut self) {
        self.last_at = None;
    }

    /// Expected and never seen (A.3); never negative, whatever was duplicated.
    fn lost(&self) -> u64 {
        let (expected, received) = match &self.source {
            Some(source) => (source.expected(), source.received),
            None => (0, 0),
        };
        (self.earlier_expected + expected).saturating_sub(self.earlier_received + received)
    }

    /// Writes what was received into a report.
    pub fn fill(&self, report: &mut MediaReport) {
        report.received = self.received;
        report.lost = self.lost();
        report.jitter_ms = (self.jitter_ticks / 8.0) as f32;
        report.max_gap_ms = self.max_gap_ms;
    }

    /// The block of the next RTCP report (A.3); the fraction is counted from the last call on.
    pub fn block(&mut self, last_sr: u32, delay_since_sr: u32) -> Option<ReportBlock> {
        let jitter = self.jitter_ticks as u32;
        let source = self.source.as_mut()?;
        let expected = source.expected() - source.expected_before;
        let lost = expected.saturating_sub(source.received - source.received_before);
        source.expected_before = source.expected();
        source.received_before = source.received;
        let cumulative = source.expected() as i64 - source.received as i64;
        Some(ReportBlock {
            ssrc: source.ssrc,
            fraction_lost: (lost * 256).checked_div(expected).unwrap_or(0).min(255) as u8,
            cumulative_lost: cumulative.clamp(-0x80_0000, 0x7F_FFFF) as i32,
            highest_sequence: source.highest,
            jitter,
            last_sr,
            delay_since_sr,
        })
    }
}

/// `now` on the 8 kHz RTP clock.
pub fn ticks(now: Instant) -> u32 {
    (now.as_micros() / 125) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts packets `(sequence, arrival ms)`, each 20 ms of audio.
    fn heard(packets: &[(u16, u64)]) -> Reception {
        let mut reception = Reception::default();
        for (sequence, at) in packets {
            reception.count(Instant::from_millis(*at), 1, *sequence, u32::from(*sequence) * 160, true);
        }
        reception
    }

    #[test]
    fn counts_losses_across_the_wrap() {
        let reception = heard(&[(65_534, 0), (65_535, 20), (1, 60), (2, 80)]);
        assert_eq!((reception.received, reception.lost()), (4, 1));
    }

    #[test]
    fn duplicates_and_reordering_lose_nothing() {
        let reception = heard(&[(1, 0), (3, 40), (2, 41), (2, 42), (4, 60)]);
        assert_eq!((reception.received, reception.lost()), (5, 0));
    }

    #[test]
    fn a_restart_needs_two_packets_and_loses_nothing() {
        let reception = heard(&[(1, 0), (2, 20), (40_000, 40), (40_001, 60), (40_002, 80)]);
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn jitter_follows_a_8() {
        // Transit alternates by 2 ms = 16 ticks: the estimate tends to 16.
        let packets: Vec<_> = (0..200u16).map(|n| (n, u64::from(n) * 20 + u64::from(n % 2) * 2)).collect();
        let mut report = MediaReport::default();
        heard(&packets).fill(&mut report);
        assert!((1.9..2.1).contains(&report.jitter_ms), "{}", report.jitter_ms);
        assert_eq!(report.max_gap_ms, 22);
    }

    #[test]
    fn fraction_lost_counts_one_interval() {
        let mut reception = heard(&[(0, 0), (1, 20), (3, 60)]);
        assert_eq!(reception.block(0, 0).unwrap().fraction_lost, 64, "one of four");
        reception.count(Instant::from_millis(80), 1, 4, 640, true);
        let block = reception.block(0, 0).unwrap();
        assert_eq!((block.fraction_lost, block.cumulative_lost, block.highest_sequence), (0, 1, 4));
    }

    #[test]
    fn a_hold_is_no_hole() {
        let mut reception = heard(&[(0, 0), (1, 20)]);
        reception.pause();
        reception.count(Instant::from_millis(60_000), 1, 2, 320, true);
        let mut report = MediaReport::default();
        reception.fill(&mut report);
        assert_eq!(report.max_gap_ms, 20);
    }
}

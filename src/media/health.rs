//! Whether a leg lives: the first RTP, silence and its end (line E68), the report each 5 s, and RTCP both ways.

use std::net::SocketAddr;

use super::counters::Counters;
use super::leg::Leg;
use super::outbox::Outbox;
use super::rtcp::{self, Item, SenderInfo};
use crate::bridge::MediaReport;
use crate::call::media::{MEDIA_REPORT_EVERY, MediaEvent, RTP_SILENT_AFTER};
use crate::ids::LegId;
use crate::time::{Duration, Instant};

/// How often a leg looks at itself.
const CHORES_EVERY: Duration = Duration::from_secs(1);
/// RTCP is sent this often (RFC 3550 section 6.2: 5 s at least), spread by up to a tenth so that legs don't keep step.
const RTCP_EVERY_MS: u64 = 4_500;
const RTCP_SPREAD_MS: u64 = 1_000;

/// What is known of one leg's life.
#[derive(Debug)]
pub struct Health {
    /// Packets dropped for a wrong source, version or size.
    pub refused: u64,
    pub keys: u32,
    first_heard: bool,
    /// RTP came, or was agreed to come.
    heard_at: Option<Instant>,
    /// Silence was told and is not over.
    silent: bool,
    /// Times that it was told since RTP was last expected.
    told: u32,
    rtcp_at: Option<Instant>,
    rtcp_source: Option<SocketAddr>,
    /// The middle of the last SR's NTP time, and when it came.
    last_sr: Option<(u32, Instant)>,
    remote_lost: Option<i32>,
    round_trip_ms: Option<f32>,
    chores_due: Instant,
    report_due: Instant,
    rtcp_due: Instant,
    /// Packets sent when the last RTCP report was.
    sent_before: u64,
}

impl Health {
    pub fn new(now: Instant) -> Health {
        Health {
            refused: 0,
            keys: 0,
            first_heard: false,
            heard_at: None,
            silent: false,
            told: 0,
            rtcp_at: None,
            rtcp_source: None,
            last_sr: None,
            remote_lost: None,
            round_trip_ms: None,
            chores_due: now + CHORES_EVERY,
            report_due: now + MEDIA_REPORT_EVERY,
            rtcp_due: now + Duration::from_millis(RTCP_EVERY_MS / 2),
            sent_before: 0,
        }
    }

    pub fn due(&self) -> Instant {
        self.chores_due
    }

    /// A new session: silence is counted from here.
    pub fn expect_from(&mut self, now: Instant) {
        self.heard_at = Some(now);
        self.told = 0;
    }

    /// Valid RTP came.
    pub fn heard(&mut self, now: Instant, leg: LegId, out: &mut Outbox) {
        self.heard_at = Some(now);
        if !self.first_heard {
            self.first_heard = true;
            let at = out.clock.wall(now);
            out.events.push(MediaEvent::FirstRtp { leg, at });
        }
        self.told = 0;
        if std::mem::take(&mut self.silent) {
            out.events.push(MediaEvent::Revived { leg });
        }
    }

    /// Tells of silence once each [`RTP_SILENT_AFTER`].
    fn check_silence(&mut self, now: Instant, leg: LegId, expected: bool, out: &mut Outbox) {
        let Some(heard_at) = self.heard_at else { return };
        if !expected {
            self.heard_at = Some(now);
            return;
        }
        let quiet = now.since(heard_at);
        if quiet >= RTP_SILENT_AFTER * (self.told + 1) {
            self.told += 1;
            self.silent = true;
            let rtcp_alive = self.rtcp_at.is_some_and(|at| now.since(at) < RTP_SILENT_AFTER);
            out.events.push(MediaEvent::Silent { leg, quiet, rtcp_alive });
        }
    }
}

impl Leg {
    /// What is to be done each second.
    pub fn chores(&mut self, now: Instant, cname: &str, out: &mut Outbox) {
        if now < self.health.chores_due {
            return;
        }
        self.health.chores_due = now + CHORES_EVERY;
        let expected = self.session.is_some_and(|session| session.remote.is_some() && session.direction.receives());
        self.health.check_silence(now, self.id, expected, out);
        if now >= self.health.report_due {
            self.health.report_due = now + MEDIA_REPORT_EVERY;
            out.events.push(MediaEvent::Report { leg: self.id, report: self.report(), last: false });
        }
        if now >= self.health.rtcp_due {
            let spread = u64::from(self.outlet.timestamp(now)) % RTCP_SPREAD_MS;
            self.health.rtcp_due = now + Duration::from_millis(RTCP_EVERY_MS + spread);
            self.send_rtcp(now, cname, false, out);
        }
    }

    /// Says goodbye to the phone, and everything that there is to say of the leg to the switch.
    pub fn close(&mut self, now: Instant, cname: &str, out: &mut Outbox) {
        self.send_rtcp(now, cname, true, out);
        out.events.push(MediaEvent::Report { leg: self.id, report: self.report(), last: true });
    }

    pub fn report(&self) -> MediaReport {
        let (sent, _) = self.outlet.totals();
        let loss = |lost: i32| (lost.max(0) as f32 / sent.max(1) as f32).min(1.0);
        let mut report = MediaReport {
            codec: self.session.map(|session| session.codec),
            sent,
            refused: self.health.refused,
            remote_loss: self.health.remote_lost.map(loss),
            round_trip_ms: self.health.round_trip_ms,
            keys: self.health.keys,
            ..MediaReport::default()
        };
        self.reception.fill(&mut report);
        report
    }

    /// Where RTCP goes: to the signalled address, or beside the RTP of a phone that sits elsewhere.
    fn rtcp_target(&self) -> Option<SocketAddr> {
        let session = self.session.as_ref()?;
        let holder = self.latch.target()?;
        if Some(holder) == session.remote {
            return session.remote_rtcp;
        }
        let beside = SocketAddr::new(holder.ip(), holder.port().checked_add(1)?);
        Some(self.health.rtcp_source.filter(|source| source.ip() == holder.ip()).unwrap_or(beside))
    }

    fn send_rtcp(&mut self, now: Instant, cname: &str, goodbye: bool, out: &mut Outbox) {
        let Some(to) = self.rtcp_target() else { return };
        let ntp = out.ntp(now);
        let (packets, octets) = self.outlet.totals();
        let sender = (packets > self.health.sent_before).then(|| SenderInfo {
            ntp,
            rtp: self.outlet.timestamp(now),
            packets: packets as u32,
            octets: octets as u32,
        });
        self.health.sent_before = packets;
        let (last_sr, delay) = match self.health.last_sr {
            Some((middle, at)) => (middle, (now.since(at).as_micros() * 65_536 / 1_000_000) as u32),
            None => (0, 0),
        };
        let block = self.reception.block(last_sr, delay);
        let report = rtcp::Report { ssrc: self.outlet.ssrc(), sender, block, cname, goodbye };
        self.wire.rtcp(self.slot, to, |bytes| rtcp::write(&report, bytes), out);
    }

    /// Reads one datagram of the RTCP socket, or one of the RTP socket that is RTCP (`mixed`, RFC 5761).
    pub fn receive_rtcp(
        &mut self,
        now: Instant,
        source: SocketAddr,
        bytes: &[u8],
        mixed: bool,
        counters: &mut Counters,
        out: &Outbox,
    ) {
        let Ok(items) = rtcp::parse(bytes) else {
            counters.junk += 1;
            self.health.refused += 1;
            return;
        };
        let signalled = self.session.and_then(|session| session.remote_rtcp).map(|address| address.ip());
        if !self.latch.trusts_host(source) && signalled != Some(source.ip()) {
            counters.wrong_source += 1;
            self.health.refused += 1;
            return;
        }
        counters.rtcp_received += 1;
        self.health.rtcp_at = Some(now);
        if !mixed {
            self.health.rtcp_source = Some(source);
        }
        for item in items {
            match item {
                Item::Sender { info, .. } => self.health.last_sr = Some(((info.ntp >> 16) as u32, now)),
                Item::Block(block) if block.ssrc == self.outlet.ssrc() => {
                    self.health.remote_lost = Some(block.cumulative_lost);
                    if block.last_sr != 0 {
                        // RFC 3550 section 6.4.1: now - LSR - DLSR, all in 1/65536 s.
                        let middle = (out.ntp(now) >> 16) as u32;
                        let trip = middle.wrapping_sub(block.last_sr).wrapping_sub(block.delay_since_sr) as i32;
                        // A peer that lies, or a wall clock that was set, makes it negative or absurd.
                        if (0..655_360).contains(&trip) {
                            self.health.round_trip_ms = Some(trip as f32 * 1_000.0 / 65_536.0);
                        }
                    }
                }
                Item::Block(_) | Item::Goodbye => {}
            }
        }
    }
}

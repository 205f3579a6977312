//! Whose packets a leg takes, and where it sends its own (line E67).
//!
//! The rule, which starts anew with every new session value:
//!
//! | | [`Latch::Signalled`] | [`Latch::Nat`] |
//! |---|---|---|
//! | may take the lock | the signalled address; or, while nobody has it, the signalled IP from another port (symmetric RTP) | the signalled address at once; anybody else by two packets in sequence from one source |
//! | may take it from its holder | the exact signalled address | within [`NAT_RACE`] the signalled IP; later only who continues the holder's stream: same SSRC, next sequence numbers, twice, after the holder was silent for [`REBIND_SILENCE`] |
//! | all others | refused | refused |
//!
//! We send to the signalled address until the lock, then to its holder. So an attacker who doesn't see the stream can neither
//! be heard nor hear: it would have to guess an SSRC and a sequence number while the phone is silent. With `Nat` it can win only
//! a race before the phone's own second packet; where that matters, the trunk should not say `nat = true`.
//!
//! When only the direction or codec changes, the last holder is the one we go on sending to until someone has the lock: a
//! phone behind NAT that is on hold sends nothing, and would not hear the hold music else.

use std::net::SocketAddr;

use crate::bridge::Latch;
use crate::time::{Duration, Instant};

/// After a lock the signalled IP may still take it for this long.
pub const NAT_RACE: Duration = Duration::from_secs(3);
/// So long must the holder be silent before a stream may go on from another address.
pub const REBIND_SILENCE: Duration = Duration::from_millis(100);
/// A stream that goes on elsewhere may have lost this many packets on the way (10 s).
const REBIND_MAX_LOST: u16 = 500;
/// The second packet of a newcomer may be this much ahead of the first.
const PROBE_MAX_STEP: u16 = 3;
/// Newcomers watched at a time, so that one can't hinder another.
const MAX_PROBES: usize = 4;

/// What is known of a packet before its payload is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    pub source: SocketAddr,
    pub ssrc: u32,
    pub sequence: u16,
}

#[derive(Debug)]
pub struct Latcher {
    mode: Latch,
    signalled: Option<SocketAddr>,
    holder: Option<Holder>,
    probes: Vec<Claim>,
    /// Holder of the session before, at the same signalled address.
    last_holder: Option<SocketAddr>,
}

#[derive(Clone, Copy, Debug)]
struct Holder {
    source: SocketAddr,
    since: Instant,
    last_at: Instant,
    ssrc: u32,
    sequence: u16,
}

impl Latcher {
    pub fn new() -> Latcher {
        Latcher {
            mode: Latch::Signalled,
            signalled: None,
            holder: None,
            probes: Vec::with_capacity(MAX_PROBES),
            last_holder: None,
        }
    }

    /// Starts anew for a session that was just agreed.
    pub fn reset(&mut self, signalled: Option<SocketAddr>, mode: Latch) {
        let same_peer = signalled == self.signalled && mode == self.mode;
        self.last_holder = if same_peer { self.holder.map(|holder| holder.source).or(self.last_holder) } else { None };
        self.mode = mode;
        self.signalled = signalled;
        self.holder = None;
        self.probes.clear();
    }

    /// Where to send; `None` while the peer named no address.
    pub fn target(&self) -> Option<SocketAddr> {
        let signalled = self.signalled?;
        Some(self.holder.map(|holder| holder.source).or(self.last_holder).unwrap_or(signalled))
    }

    /// Whether RTCP from `source` is believed: same host as the RTP.
    pub fn trusts_host(&self, source: SocketAddr) -> bool {
        self.target().is_some_and(|target| target.ip() == source.ip())
            || self.signalled.is_some_and(|signalled| signalled.ip() == source.ip())
    }

    /// Whether this packet may be heard. Call it only for packets that are valid RTP of an agreed payload type.
    pub fn admit(&mut self, now: Instant, claim: Claim) -> bool {
        if let Some(holder) = self.holder.as_mut().filter(|holder| holder.source == claim.source) {
            let ahead = claim.sequence.wrapping_sub(holder.sequence);
            if holder.ssrc != claim.ssrc || ahead < 0x8000 {
                holder.ssrc = claim.ssrc;
                holder.sequence = claim.sequence;
            }
            holder.last_at = now;
            return true;
        }
        let Some(signalled) = self.signalled else { return false };
        let taken = match (self.mode, self.holder) {
            (Latch::Signalled, None) => claim.source.ip() == signalled.ip(),
            (Latch::Signalled, Some(_)) => claim.source == signalled,
            (Latch::Nat, None) => {
                claim.source == signalled || Some(claim.source) == self.last_holder || self.probed(claim)
            }
            (Latch::Nat, Some(holder)) => {
                let early = now.since(holder.since) < NAT_RACE && claim.source.ip() == signalled.ip();
                early && holder.source.ip() != signalled.ip() || self.continues(now, holder, claim)
            }
        };
        if taken {
            let since = self.holder.map_or(now, |holder| holder.since);
            self.holder =
                Some(Holder { source: claim.source, since, last_at: now, ssrc: claim.ssrc, sequence: claim.sequence });
            self.probes.clear();
        }
        taken
    }

    /// Whether the claim goes on with the holder's stream from another address.
    fn continues(&mut self, now: Instant, holder: Holder, claim: Claim) -> bool {
        let ahead = claim.sequence.wrapping_sub(holder.sequence);
        claim.ssrc == holder.ssrc
            && (1..=REBIND_MAX_LOST).contains(&ahead)
            && now.since(holder.last_at) >= REBIND_SILENCE
            && self.probed(claim)
    }

    /// Whether this is a newcomer's second packet in sequence; else remembers it as the first.
    fn probed(&mut self, claim: Claim) -> bool {
        let seen = self.probes.iter_mut().find(|probe| probe.source == claim.source);
        match seen {
            Some(probe) => {
                let step = claim.sequence.wrapping_sub(probe.sequence);
                let sequential = probe.ssrc == claim.ssrc && (1..=PROBE_MAX_STEP).contains(&step);
                *probe = claim;
                sequential
            }
            None => {
                if self.probes.len() >= MAX_PROBES {
                    self.probes.remove(0);
                }
                self.probes.push(claim);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: &str = "192.0.2.10:4000";
    const ATTACKER: &str = "203.0.113.66:666";

    fn latcher(mode: Latch) -> Latcher {
        let mut latcher = Latcher::new();
        latcher.reset(Some(PHONE.parse().unwrap()), mode);
        latcher
    }

    fn sends(latcher: &mut Latcher, at_ms: u64, source: &str, ssrc: u32, sequence: u16) -> bool {
        latcher.admit(Instant::from_millis(at_ms), Claim { source: source.parse().unwrap(), ssrc, sequence })
    }

    fn target(latcher: &Latcher) -> String {
        latcher.target().unwrap().to_string()
    }

    #[test]
    fn e67_signalled_takes_the_signalled_address_and_nobody_else() {
        let mut latcher = latcher(Latch::Signalled);
        assert!(!sends(&mut latcher, 0, ATTACKER, 1, 1), "before the phone");
        assert!(sends(&mut latcher, 1, PHONE, 7, 1));
        assert!(!sends(&mut latcher, 2, ATTACKER, 7, 2), "even with the right SSRC and number");
        assert!(!sends(&mut latcher, 2, "192.0.2.10:5555", 7, 2), "another port of the phone, once locked");
        assert_eq!(target(&latcher), PHONE);
    }

    #[test]
    fn e67_signalled_port_may_differ_once() {
        let mut latcher = latcher(Latch::Signalled);
        assert!(sends(&mut latcher, 0, "192.0.2.10:5000", 7, 1));
        assert_eq!(target(&latcher), "192.0.2.10:5000");
        assert!(!sends(&mut latcher, 20, "192.0.2.10:5001", 7, 2));
        assert!(sends(&mut latcher, 40, PHONE, 7, 3), "the signalled address itself always may");
        assert!(!sends(&mut latcher, 60, "192.0.2.10:5000", 7, 4));
        assert_eq!(target(&latcher), PHONE);
    }

    #[test]
    fn e67_nat_locks_on_two_packets_in_sequence() {
        let mut latcher = latcher(Latch::Nat);
        assert!(!sends(&mut latcher, 0, "198.51.100.1:9000", 7, 10));
        assert_eq!(target(&latcher), PHONE, "not yet");
        assert!(sends(&mut latcher, 20, "198.51.100.1:9000", 7, 11));
        assert_eq!(target(&latcher), "198.51.100.1:9000");
        assert!(!sends(&mut latcher, 40, ATTACKER, 1, 1));
        assert!(!sends(&mut latcher, 60, ATTACKER, 1, 2));
        assert!(!sends(&mut latcher, 61, ATTACKER, 7, 12), "guessed it all, but the phone is not silent");
        assert_eq!(target(&latcher), "198.51.100.1:9000");
    }

    #[test]
    fn e67_nat_race_of_random_packets_is_lost_by_them() {
        let mut latcher = latcher(Latch::Nat);
        for n in 0..3u16 {
            assert!(!sends(&mut latcher, 0, ATTACKER, u32::from(n), n.wrapping_mul(7_919)));
        }
        assert!(!sends(&mut latcher, 1, "198.51.100.1:9000", 7, 10));
        assert!(!sends(&mut latcher, 2, ATTACKER, 5, 60_000));
        assert!(sends(&mut latcher, 21, "198.51.100.1:9000", 7, 11));
    }

    #[test]
    fn e67_nat_race_in_the_first_seconds_is_won_by_the_signalled_host() {
        let mut latcher = latcher(Latch::Nat);
        assert!(!sends(&mut latcher, 0, ATTACKER, 1, 1));
        assert!(sends(&mut latcher, 1, ATTACKER, 1, 2), "two in sequence before the phone");
        assert!(sends(&mut latcher, 500, "192.0.2.10:5000", 7, 1));
        assert!(!sends(&mut latcher, 520, ATTACKER, 1, 3));
        assert_eq!(target(&latcher), "192.0.2.10:5000");
    }

    #[test]
    fn e67_nat_rebinding_goes_on_with_the_stream() {
        let mut latcher = latcher(Latch::Nat);
        sends(&mut latcher, 0, "198.51.100.1:9000", 7, 10);
        sends(&mut latcher, 20, "198.51.100.1:9000", 7, 11);
        // 4 s later the NAT forgets the mapping.
        assert!(!sends(&mut latcher, 4_000, ATTACKER, 8, 12), "wrong SSRC");
        assert!(!sends(&mut latcher, 4_020, ATTACKER, 8, 13));
        assert!(!sends(&mut latcher, 4_040, ATTACKER, 7, 11), "a number already used");
        assert!(!sends(&mut latcher, 4_060, "198.51.100.1:9777", 7, 14));
        assert!(sends(&mut latcher, 4_080, "198.51.100.1:9777", 7, 15));
        assert!(!sends(&mut latcher, 4_090, "198.51.100.1:9000", 7, 16));
        assert_eq!(target(&latcher), "198.51.100.1:9777");
    }

    #[test]
    fn a_new_session_latches_anew_but_keeps_sending_to_the_same_peer() {
        let mut latcher = latcher(Latch::Nat);
        sends(&mut latcher, 0, "198.51.100.1:9000", 7, 10);
        sends(&mut latcher, 20, "198.51.100.1:9000", 7, 11);
        latcher.reset(Some(PHONE.parse().unwrap()), Latch::Nat);
        assert_eq!(target(&latcher), "198.51.100.1:9000", "hold music finds its way");
        assert!(sends(&mut latcher, 40, "198.51.100.1:9000", 7, 12));
        latcher.reset(Some("192.0.2.99:4000".parse().unwrap()), Latch::Nat);
        assert_eq!(target(&latcher), "192.0.2.99:4000");
        latcher.reset(None, Latch::Nat);
        assert_eq!(latcher.target(), None);
        assert!(!sends(&mut latcher, 60, ATTACKER, 1, 1));
        assert!(!sends(&mut latcher, 80, ATTACKER, 1, 2));
    }
}

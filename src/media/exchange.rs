//! All legs of one worker, sans-IO, and who is joined to whom.
//!
//! ```text
//!   datagram ─▶ Leg::receive ─▶ pass_on ─┬ same codec ───────▶ peer's Outlet::relay   (payload untouched)
//!                                        ├ µ-law ↔ A-law ────▶ one table, then relay
//!                                        └ otherwise ─▶ Ear ─(each 20 ms)─▶ Leg::speak of the peer
//! ```

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::codec::{FRAME_MS, g711, sample_rate};
use super::counters::Counters;
use super::leg::{Content, Leg, MAX_BURST};
use super::outbox::{Channel, Outbox};
use super::outlet::Outlet;
use super::player::Playlist;
use super::prompts::PromptLibrary;
use super::rtp::{self, Packet};
use crate::bridge::{Codec, MediaSession};
use crate::call::media::MediaCommand;
use crate::digit::Digit;
use crate::ids::LegId;
use crate::time::{Duration, Instant};

/// How long a key is dialled as a tone towards a phone that has no telephone-event.
const FORWARDED_KEY: Duration = Duration::from_millis(120);
/// Who cares for a slot that has no leg: nobody, for a lifetime.
const NEVER: Instant = Instant::from_micros(u64::MAX);

/// The legs of one worker.
pub struct Exchange {
    legs: Vec<Option<Box<Leg>>>,
    /// By slot, beside the legs so that a look for what is due touches little memory.
    due: Vec<Instant>,
    slots: HashMap<LegId, usize>,
    free: Vec<usize>,
    library: Arc<PromptLibrary>,
    random: ChaCha8Rng,
    cname: String,
    /// Reused where a payload is rewritten.
    scratch: Vec<u8>,
    samples: Vec<i16>,
    /// A secured datagram once it is decrypted.
    opened: Vec<u8>,
    pub counters: Counters,
}

impl Exchange {
    /// `seed` makes SSRCs, first numbers and timestamps, which strangers shouldn't guess (RFC 3550 section 5.1).
    pub fn new(library: Arc<PromptLibrary>, seed: [u8; 32]) -> Exchange {
        let mut random = ChaCha8Rng::from_seed(seed);
        // RFC 7022: a CNAME that says nothing of the host.
        let cname = format!("{:016x}", random.next_u64());
        Exchange {
            legs: Vec::new(),
            due: Vec::new(),
            slots: HashMap::new(),
            free: Vec::new(),
            library,
            random,
            cname,
            scratch: Vec::new(),
            samples: Vec::new(),
            opened: Vec::new(),
            counters: Counters::default(),
        }
    }

    pub fn set_library(&mut self, library: Arc<PromptLibrary>) {
        self.library = library;
    }

    /// Begins a leg and gives its slot, by which its sockets are known. A leg of the same id must have been closed before.
    pub fn open(&mut self, now: Instant, id: LegId) -> usize {
        let slot = self.free.pop().unwrap_or(self.legs.len());
        // In the lower half, lest a phone that misses the first packets counts the wrap of SRTP wrongly (RFC 3711 section 3.3.1).
        let sequence = self.random.next_u32() as u16 & 0x7FFF;
        let outlet = Outlet::new(self.random.next_u32(), sequence, self.random.next_u32());
        let leg = Leg::new(id, slot, now, outlet);
        if slot == self.legs.len() {
            self.legs.push(None);
            self.due.push(NEVER);
        }
        if let (Some(place), Some(due)) = (self.legs.get_mut(slot), self.due.get_mut(slot)) {
            *due = leg.due();
            *place = Some(Box::new(leg));
        }
        self.slots.insert(id, slot);
        self.counters.legs_open += 1;
        slot
    }

    /// Ends a leg: the last words are in `out`. Gives its slot, whose sockets may go once those are sent.
    pub fn close(&mut self, now: Instant, id: LegId, out: &mut Outbox) -> Option<usize> {
        let slot = self.slots.remove(&id)?;
        let mut leg = self.legs.get_mut(slot)?.take()?;
        leg.close(now, &self.cname, out);
        if let Some(peer) = leg.peer.and_then(|peer| self.leg_mut(peer)) {
            peer.peer = None;
        }
        if let Some(due) = self.due.get_mut(slot) {
            *due = NEVER;
        }
        self.free.push(slot);
        self.counters.legs_open -= 1;
        Some(slot)
    }

    /// The slot of an open leg.
    pub fn slot(&self, id: LegId) -> Option<usize> {
        self.slots.get(&id).copied()
    }

    fn leg_mut(&mut self, slot: usize) -> Option<&mut Leg> {
        self.legs.get_mut(slot)?.as_deref_mut()
    }

    fn leg(&self, slot: usize) -> Option<&Leg> {
        self.legs.get(slot)?.as_deref()
    }

    /// Carries out a command other than Open and Close, which concern sockets too. Unknown legs are counted.
    pub fn command(&mut self, now: Instant, command: MediaCommand) {
        let known = match command {
            MediaCommand::Session { leg, session } => self.with(leg, |leg| leg.agree(now, session)),
            MediaCommand::Play { leg, play, items, repeat } => {
                let playlist = Playlist::new(play, &items, repeat, &self.library, &mut self.counters.prompts_missing);
                self.with(leg, |leg| leg.play(now, playlist))
            }
            MediaCommand::StopPlay { leg } => self.with(leg, Leg::stop_play),
            MediaCommand::Bridge { a, b } => self.bridge(now, a, b),
            MediaCommand::Unbridge { a, b } => self.unbridge(a, b),
            MediaCommand::SendDigit { leg, digit, duration } => self.with(leg, |leg| leg.dial(now, digit, duration)),
            MediaCommand::Open { .. } | MediaCommand::Close { .. } => None,
        };
        if known.is_none() {
            self.counters.commands_ignored += 1;
        }
    }

    fn with(&mut self, id: LegId, change: impl FnOnce(&mut Leg)) -> Option<()> {
        let slot = self.slot(id)?;
        change(self.leg_mut(slot)?);
        self.reschedule(slot);
        Some(())
    }

    /// Joins two legs; whoever was joined to one of them before is alone now.
    fn bridge(&mut self, now: Instant, a: LegId, b: LegId) -> Option<()> {
        let (one, other) = (self.slot(a)?, self.slot(b)?);
        if one == other {
            return None;
        }
        for (slot, partner) in [(one, other), (other, one)] {
            let leg = self.leg_mut(slot)?;
            let former = leg.peer.filter(|former| *former != partner);
            if leg.peer != Some(partner) {
                leg.join(now, partner);
            }
            if let Some(former) = former.and_then(|former| self.leg_mut(former)) {
                former.peer = None;
            }
        }
        Some(())
    }

    fn unbridge(&mut self, a: LegId, b: LegId) -> Option<()> {
        let (one, other) = (self.slot(a)?, self.slot(b)?);
        for (slot, partner) in [(one, other), (other, one)] {
            let leg = self.leg_mut(slot)?;
            if leg.peer == Some(partner) {
                leg.peer = None;
            }
        }
        Some(())
    }

    fn reschedule(&mut self, slot: usize) {
        let due = self.leg(slot).map_or(NEVER, Leg::due);
        if let Some(place) = self.due.get_mut(slot) {
            *place = due;
        }
    }

    /// When [`Exchange::tick`] has something to do next.
    pub fn next_due(&self) -> Instant {
        self.due.iter().copied().min().unwrap_or(NEVER)
    }

    /// Takes one datagram that came to a leg's socket, secured or in clear as was agreed.
    pub fn receive(
        &mut self,
        now: Instant,
        slot: usize,
        channel: Channel,
        source: SocketAddr,
        datagram: &[u8],
        out: &mut Outbox,
    ) {
        let Some(leg) = self.legs.get_mut(slot).and_then(Option::as_deref_mut) else { return };
        if leg.wire.is_clear() {
            return self.receive_clear(now, slot, channel, source, datagram, out);
        }
        let mut opened = std::mem::take(&mut self.opened);
        match leg.wire.open(channel, datagram, &mut opened) {
            Ok(bytes) => self.receive_clear(now, slot, channel, source, bytes, out),
            Err(_) => {
                leg.health.refused += 1;
                self.counters.forged += 1;
            }
        }
        self.opened = opened;
    }

    fn receive_clear(
        &mut self,
        now: Instant,
        slot: usize,
        channel: Channel,
        source: SocketAddr,
        bytes: &[u8],
        out: &mut Outbox,
    ) {
        let Some(leg) = self.legs.get_mut(slot).and_then(Option::as_deref_mut) else { return };
        let mixed = channel == Channel::Rtp && rtp::is_rtcp(bytes);
        if channel == Channel::Rtcp || mixed {
            leg.receive_rtcp(now, source, bytes, mixed, &mut self.counters, out);
            return;
        }
        let Some((packet, content)) = leg.receive(now, source, bytes, &mut self.counters, out) else { return };
        let (peer, tones) = (leg.peer, leg.detects_tones());
        let codec = leg.session.map(|session| session.codec);
        match content {
            Content::Audio(codec) => {
                let decode = self.pass_audio(now, peer, &packet, codec, out);
                if (decode || tones)
                    && let Some(leg) = self.leg_mut(slot)
                {
                    leg.listen(now, &packet, codec);
                    self.reschedule(slot);
                }
            }
            Content::Event { key, ours: false } => self.pass_key(now, peer, codec, &packet, key, out),
            // We never agreed comfort noise with the peer: it hears a pause. So it does of a key that was for us.
            Content::Noise | Content::Event { ours: true, .. } => {
                if let Some(peer) = peer.and_then(|peer| self.leg_mut(peer)) {
                    peer.outlet.skip(&packet);
                }
            }
        }
    }

    /// Passes audio on to the bridged leg where no decoding is needed; true where it is.
    fn pass_audio(
        &mut self,
        now: Instant,
        peer: Option<usize>,
        packet: &Packet<'_>,
        codec: Codec,
        out: &mut Outbox,
    ) -> bool {
        let Some(peer) = peer.and_then(|peer| self.legs.get_mut(peer)?.as_deref_mut()) else { return false };
        let Some(session) = peer.session else { return false };
        if peer.is_busy() {
            return false;
        }
        // On hold, or not found yet: what it does not get is not lost on the way.
        let Some(to) = peer.target() else {
            peer.outlet.skip(packet);
            return false;
        };
        let payload = match (codec, session.codec) {
            (from, to) if from == to => packet.payload,
            (Codec::Pcmu, Codec::Pcma) | (Codec::Pcma, Codec::Pcmu) => {
                self.scratch.clear();
                self.scratch.extend_from_slice(packet.payload);
                match codec {
                    Codec::Pcmu => g711::ulaw_to_alaw(&mut self.scratch),
                    Codec::Pcma | Codec::G722 => g711::alaw_to_ulaw(&mut self.scratch),
                }
                &self.scratch
            }
            (Codec::Pcmu | Codec::Pcma | Codec::G722, _) => return true,
        };
        if let Some(sent) = peer.outlet.relay(now, packet, session.send_payload_type, true, payload) {
            peer.wire.rtp(peer.slot, to, &sent, out);
            self.counters.rtp_sent += 1;
            self.counters.rtp_relayed += 1;
        }
        false
    }

    /// Passes a key on: packet by packet under the peer's payload type. Where there is no stream of relayed packets that it
    /// could be part of, because audio is decoded or the peer knows no telephone-event, we dial the key ourselves.
    fn pass_key(
        &mut self,
        now: Instant,
        peer: Option<usize>,
        codec: Option<Codec>,
        packet: &Packet<'_>,
        key: Option<Digit>,
        out: &mut Outbox,
    ) {
        let Some(peer) = peer.and_then(|peer| self.legs.get_mut(peer)?.as_deref_mut()) else { return };
        let (Some(to), Some(session)) = (peer.target(), peer.session) else { return };
        let relays = codec.is_some_and(|codec| !decodes(codec, session.codec));
        match session.telephone_event.filter(|_| relays) {
            Some(event) if !peer.is_busy() => {
                if let Some(sent) = peer.outlet.relay(now, packet, event.send, false, packet.payload) {
                    peer.wire.rtp(peer.slot, to, &sent, out);
                    self.counters.rtp_sent += 1;
                    self.counters.rtp_relayed += 1;
                }
            }
            Some(_) => {}
            None => {
                peer.outlet.skip(packet);
                // A playback hides the peer, its keys included.
                if let Some(digit) = key.filter(|_| !peer.plays()) {
                    peer.dial(now, digit, FORWARDED_KEY);
                    let slot = peer.slot;
                    self.reschedule(slot);
                }
            }
        }
    }

    /// Does everything that is due.
    pub fn tick(&mut self, now: Instant, out: &mut Outbox) {
        for slot in 0..self.due.len() {
            if self.due.get(slot).is_none_or(|due| *due > now) {
                continue;
            }
            if let Some(leg) = self.legs.get_mut(slot).and_then(Option::as_deref_mut) {
                leg.own_frames(now, &mut self.counters, out);
                leg.chores(now, &self.cname, out);
            }
            self.hear_frames(now, slot, out);
            self.reschedule(slot);
        }
    }

    /// Decodes the frames of one leg that are due, for whoever listens: the bridged leg, and the ear for keys.
    fn hear_frames(&mut self, now: Instant, slot: usize, out: &mut Outbox) {
        let mut samples = std::mem::take(&mut self.samples);
        for burst in 0..=MAX_BURST {
            let Some(leg) = self.legs.get_mut(slot).and_then(Option::as_deref_mut) else { break };
            let Some(ear) = leg.ear.as_mut().filter(|ear| ear.due().is_some_and(|due| due <= now)) else { break };
            if burst == MAX_BURST {
                self.counters.pacing_skips += 1;
                ear.catch_up(now + Duration::from_millis(FRAME_MS as u64));
                break;
            }
            samples.clear();
            samples.extend_from_slice(ear.frame());
            let (codec, peer) = (ear.codec(), leg.peer);
            leg.seek_tones(now, &samples, sample_rate(codec), out);
            let transcodes = |session: MediaSession| decodes(codec, session.codec);
            let peer = peer.and_then(|peer| self.legs.get_mut(peer)?.as_deref_mut());
            if let Some(peer) = peer.filter(|peer| peer.session.is_some_and(transcodes)) {
                peer.speak(now, &samples, sample_rate(codec), &mut self.counters, out);
            }
        }
        self.samples = samples;
    }
}

/// Whether audio must become samples on its way from one codec to another.
fn decodes(from: Codec, to: Codec) -> bool {
    from != to && (from == Codec::G722 || to == Codec::G722)
}

#[cfg(test)]
mod tests;

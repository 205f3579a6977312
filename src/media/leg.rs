//! One leg: everything between one phone and us, sans-IO. Datagrams and the time come in, packets and events go out.
//!
//! What a leg sends comes from one source at a time, the first of these that has something: a key that we dial, a playback,
//! the bridged peer (which [`Exchange`](super::exchange::Exchange) brings).

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::codec::{BYTES_PER_MS, Converter, Encoder, FRAME_MS, sample_rate};
use super::counters::Counters;
use super::dtmf_event::{EVENT_PERIOD_MS, EventPacket, EventReceiver, EventSender};
use super::ear::Ear;
use super::goertzel::ToneDetector;
use super::health::Health;
use super::latch::{Claim, Latcher};
use super::outbox::Outbox;
use super::outlet::Outlet;
use super::player::Playlist;
use super::report::Reception;
use super::rtp::{self, COMFORT_NOISE, Packet};
use super::tones::ToneSender;
use super::wire::Wire;
use crate::bridge::{Codec, MediaSession};
use crate::call::media::MediaEvent;
use crate::digit::{Digit, DigitSource, KeyMerge};
use crate::ids::LegId;
use crate::time::{Duration, Instant};

/// Frames sent at once when we are late; further behind, the clock is set anew instead.
pub const MAX_BURST: u32 = 3;
/// Keys that wait to be dialled.
const MAX_DIGITS: usize = 32;
/// Silence between two keys that we dial.
const DIGIT_PAUSE: Duration = Duration::from_millis(60);
/// Bounds of the packet length that we make ourselves.
const MIN_PTIME_MS: u8 = 10;
const MAX_PTIME_MS: u8 = 60;

/// One party's media.
pub struct Leg {
    pub id: LegId,
    pub slot: usize,
    pub session: Option<MediaSession>,
    pub latch: Latcher,
    pub reception: Reception,
    pub outlet: Outlet,
    pub wire: Wire,
    pub health: Health,
    /// Slot of the bridged leg.
    pub peer: Option<usize>,
    pub ear: Option<Ear>,
    keys_in: EventReceiver,
    /// A key may still be held that was begun before the bridge.
    old_key: bool,
    keys: KeyMerge,
    /// It has sent a telephone-event: its audio is free of keys, or says the same once more.
    sends_events: bool,
    tones: Option<ToneEar>,
    play: Option<Playlist>,
    dialling: Option<Dialling>,
    digits: VecDeque<(Digit, Duration)>,
    /// When the next frame of our own is due.
    frame_due: Option<Instant>,
    voice: Option<Voice>,
    /// Reused for each frame.
    payload: Vec<u8>,
    samples: Vec<i16>,
}

/// Listens for in-band keys.
#[derive(Default)]
struct ToneEar {
    detector: ToneDetector,
    converter: Converter,
    samples: Vec<i16>,
}

/// A key that we dial.
enum Dialling {
    Event { sender: EventSender, payload_type: u8, timestamp: u32, slots: u32 },
    Tone { sender: ToneSender, encoder: Encoder },
    Pause,
}

/// Encodes a bridged peer's samples.
struct Voice {
    encoder: Encoder,
    converter: Converter,
    /// Encoded bytes that don't fill a packet yet.
    pending: Vec<u8>,
}

/// What a packet holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Audio(Codec),
    /// A telephone-event; `key` when it is the first packet of a key. `ours`: the rest of a key that was begun before the
    /// bridge, and was for us.
    Event {
        key: Option<Digit>,
        ours: bool,
    },
    /// Comfort noise: silence, but alive.
    Noise,
}

impl Leg {
    pub fn new(id: LegId, slot: usize, now: Instant, outlet: Outlet) -> Leg {
        Leg {
            id,
            slot,
            session: None,
            latch: Latcher::new(),
            reception: Reception::default(),
            outlet,
            wire: Wire::default(),
            health: Health::new(now),
            peer: None,
            ear: None,
            keys_in: EventReceiver::default(),
            old_key: false,
            keys: KeyMerge::default(),
            sends_events: false,
            tones: None,
            play: None,
            dialling: None,
            digits: VecDeque::new(),
            frame_due: None,
            voice: None,
            payload: Vec::new(),
            samples: Vec::new(),
        }
    }

    /// Takes an agreed session. The same once more changes nothing; another one starts latching anew.
    pub fn agree(&mut self, now: Instant, session: MediaSession) {
        if self.session == Some(session) {
            return;
        }
        self.latch.reset(session.remote, session.latch);
        self.wire.agree(session.srtp);
        if self.session.is_some_and(|old| old.codec != session.codec) {
            self.voice = None;
            self.ear = None;
        }
        self.sends_events &= session.telephone_event.is_some();
        self.reception.pause();
        self.health.expect_from(now);
        self.session = Some(session);
    }

    /// Reads one datagram of the RTP socket. Gives what another leg may hear of it.
    pub fn receive<'a>(
        &mut self,
        now: Instant,
        source: SocketAddr,
        bytes: &'a [u8],
        counters: &mut Counters,
        out: &mut Outbox,
    ) -> Option<(Packet<'a>, Content)> {
        let Ok(packet) = rtp::parse(bytes) else {
            counters.junk += 1;
            self.health.refused += 1;
            return None;
        };
        let session = self.session?;
        let Some(mut kind) = content(&session, packet.payload_type) else {
            counters.unknown_type += 1;
            self.health.refused += 1;
            return None;
        };
        let claim = Claim { source, ssrc: packet.ssrc, sequence: packet.sequence };
        if !self.latch.admit(now, claim) {
            counters.wrong_source += 1;
            self.health.refused += 1;
            return None;
        }
        counters.rtp_received += 1;
        let audio = matches!(kind, Content::Audio(_));
        self.reception.count(now, packet.ssrc, packet.sequence, packet.timestamp, audio);
        self.health.heard(now, self.id, out);
        if let Content::Event { key, ours } = &mut kind {
            *key = self.key_event(now, &packet, out);
            self.old_key &= key.is_none();
            *ours = self.old_key && packet.payload.first().is_some_and(|event| Digit::from_event(*event).is_some());
        }
        // Held: what the peer says is nobody's to hear, what it dials still counts.
        session.direction.receives().then_some((packet, kind))
    }

    /// Joined with another leg: a key that is still held was pressed for us, and its rest is not passed on.
    pub fn join(&mut self, now: Instant, peer: usize) {
        self.peer = Some(peer);
        self.old_key = self.keys_in.may_be_held(now);
        self.tones = None;
    }

    fn key_event(&mut self, now: Instant, packet: &Packet<'_>, out: &mut Outbox) -> Option<Digit> {
        let Packet { ssrc, sequence, timestamp, marker, payload, .. } = *packet;
        let event = EventPacket { ssrc, sequence, timestamp, marker, payload };
        let digit = self.keys_in.receive(now, &event)?;
        self.sends_events = true;
        self.tones = None;
        self.tell_key(now, digit, DigitSource::TelephoneEvent, out);
        Some(digit)
    }

    fn tell_key(&mut self, now: Instant, digit: Digit, source: DigitSource, out: &mut Outbox) {
        if self.keys.is_new(now, digit, source) {
            self.health.keys += 1;
            out.events.push(MediaEvent::Key { leg: self.id, digit, source });
        }
    }

    /// Whether keys are sought in the audio. A gateway may agree on events and send tones all the same, so agreement alone says
    /// nothing: a leg that has sent no event is listened to while it talks with us. Of two that talk with each other, only a phone
    /// without telephone-event is: for the others no packet is decoded.
    pub fn detects_tones(&self) -> bool {
        let agreed = self.session.is_some_and(|session| session.telephone_event.is_some());
        !self.sends_events && (!agreed || self.peer.is_none())
    }

    /// Decodes this packet when its frame is due.
    pub fn listen(&mut self, now: Instant, packet: &Packet<'_>, codec: Codec) {
        if self.ear.as_ref().is_none_or(|ear| ear.codec() != codec) {
            self.ear = Some(Ear::new(codec));
        }
        if let Some(ear) = &mut self.ear {
            ear.hear(now, packet);
        }
    }

    /// Looks for keys in 20 ms of this leg's decoded audio.
    pub fn seek_tones(&mut self, now: Instant, samples: &[i16], rate: usize, out: &mut Outbox) {
        if !self.detects_tones() {
            return;
        }
        let mut tones = self.tones.take().unwrap_or_default();
        tones.samples.clear();
        tones.converter.convert(samples, rate, 8_000, &mut tones.samples);
        let mut heard = None;
        tones.detector.listen(&tones.samples, |digit| heard = Some(digit));
        self.tones = Some(tones);
        if let Some(digit) = heard {
            self.tell_key(now, digit, DigitSource::InBand, out);
        }
    }

    /// Replaces what is played.
    pub fn play(&mut self, now: Instant, playlist: Playlist) {
        self.play = Some(playlist);
        self.frame_due.get_or_insert(now);
    }

    pub fn stop_play(&mut self) {
        self.play = None;
    }

    pub fn plays(&self) -> bool {
        self.play.is_some()
    }

    /// Dials a key after those that wait.
    pub fn dial(&mut self, now: Instant, digit: Digit, duration: Duration) {
        if self.digits.len() < MAX_DIGITS {
            self.digits.push_back((digit, duration));
            self.frame_due.get_or_insert(now);
        }
    }

    /// Whether the phone gets something of our own, so that the peer is not heard on this leg.
    pub fn is_busy(&self) -> bool {
        self.play.is_some() || self.dialling.is_some() || !self.digits.is_empty()
    }

    /// Where RTP may be sent now.
    pub fn target(&self) -> Option<SocketAddr> {
        if !self.session.as_ref()?.direction.sends() {
            return None;
        }
        self.latch.target()
    }

    /// When something here is due next.
    pub fn due(&self) -> Instant {
        let ear = self.ear.as_ref().and_then(Ear::due);
        [self.frame_due, ear].into_iter().flatten().fold(self.health.due(), Instant::min)
    }

    /// Sends the frames of our own that are due: at most [`MAX_BURST`] at once.
    pub fn own_frames(&mut self, now: Instant, counters: &mut Counters, out: &mut Outbox) {
        for _ in 0..MAX_BURST {
            let Some(due) = self.frame_due.filter(|due| *due <= now) else { return };
            self.frame_due = self.own_frame(now, counters, out).map(|length| due + length);
        }
        if self.frame_due.is_some_and(|due| due <= now) {
            counters.pacing_skips += 1;
            self.frame_due = Some(now + Duration::from_millis(FRAME_MS as u64));
        }
    }

    /// One frame of our own and its length; `None` when there is nothing left to send.
    fn own_frame(&mut self, now: Instant, counters: &mut Counters, out: &mut Outbox) -> Option<Duration> {
        if self.dialling.is_none()
            && let Some((digit, duration)) = self.digits.pop_front()
        {
            self.dialling = Some(self.begin_dialling(now, digit, duration));
        }
        if let Some(dialling) = self.dialling.take() {
            return Some(self.dial_frame(now, dialling, counters, out));
        }
        if let Some(done) = self.play.take_if(|play| play.is_done()) {
            // A round of nothing has no end to tell of either.
            if !done.repeat {
                out.events.push(MediaEvent::PlayDone { leg: self.id, play: done.play });
            }
        }
        let play = self.play.as_mut()?;
        let (codec, ptime_ms) = self.session.map_or((Codec::Pcmu, 20), |session| (session.codec, ptime(&session)));
        self.payload.clear();
        play.fill(codec, ptime_ms as usize * BYTES_PER_MS, &mut self.payload);
        self.send_payload(now, counters, out);
        Some(Duration::from_millis(ptime_ms))
    }

    fn begin_dialling(&mut self, now: Instant, digit: Digit, duration: Duration) -> Dialling {
        let codec = self.session.map_or(Codec::Pcmu, |session| session.codec);
        match self.session.and_then(|session| session.telephone_event) {
            Some(event) => Dialling::Event {
                sender: EventSender::new(digit, duration),
                payload_type: event.send,
                timestamp: self.outlet.begin_event(now),
                slots: 0,
            },
            None => Dialling::Tone {
                sender: ToneSender::new(digit, duration.as_millis() as u32, sample_rate(codec)),
                encoder: Encoder::new(codec),
            },
        }
    }

    /// One packet of a key, and how long until the next.
    fn dial_frame(&mut self, now: Instant, dialling: Dialling, counters: &mut Counters, out: &mut Outbox) -> Duration {
        const PERIOD: Duration = Duration::from_millis(EVENT_PERIOD_MS as u64);
        match dialling {
            Dialling::Event { mut sender, payload_type, timestamp, slots } => {
                let Some(event) = sender.next_packet() else {
                    self.outlet.end_event((slots * EVENT_PERIOD_MS * 8).max(sender.ticks()));
                    self.dialling = Some(Dialling::Pause);
                    return DIGIT_PAUSE;
                };
                if let Some(to) = self.target() {
                    let packet = self.outlet.event(payload_type, event.marker, timestamp, &event.payload);
                    self.wire.rtp(self.slot, to, &packet, out);
                    counters.rtp_sent += 1;
                }
                self.dialling = Some(Dialling::Event { sender, payload_type, timestamp, slots: slots + 1 });
                PERIOD
            }
            Dialling::Tone { mut sender, mut encoder } => {
                let ptime_ms = self.session.map_or(20, |session| ptime(&session));
                self.samples.clear();
                let count = sample_rate(encoder.codec()) / 1_000 * ptime_ms as usize;
                let more = sender.fill(count, &mut self.samples);
                if !more {
                    self.dialling = Some(Dialling::Pause);
                    return DIGIT_PAUSE;
                }
                self.payload.clear();
                encoder.encode(&self.samples, &mut self.payload);
                self.send_payload(now, counters, out);
                self.dialling = Some(Dialling::Tone { sender, encoder });
                Duration::from_millis(ptime_ms)
            }
            Dialling::Pause => Duration::ZERO,
        }
    }

    /// Sends `self.payload` as a frame of our own.
    fn send_payload(&mut self, now: Instant, counters: &mut Counters, out: &mut Outbox) {
        let (Some(to), Some(session)) = (self.target(), self.session) else { return };
        let ticks = self.payload.len() as u32;
        let packet = self.outlet.own(now, session.send_payload_type, ticks, &self.payload);
        self.wire.rtp(self.slot, to, &packet, out);
        counters.rtp_sent += 1;
    }

    /// Says a peer's samples to this phone, in its codec and packet length.
    pub fn speak(&mut self, now: Instant, samples: &[i16], rate: usize, counters: &mut Counters, out: &mut Outbox) {
        let Some(session) = self.session else { return };
        if self.is_busy() || self.target().is_none() {
            return;
        }
        let mut voice = self.voice.take().filter(|voice| voice.encoder.codec() == session.codec).unwrap_or_else(|| {
            Voice { encoder: Encoder::new(session.codec), converter: Converter::default(), pending: Vec::new() }
        });
        self.samples.clear();
        voice.converter.convert(samples, rate, sample_rate(session.codec), &mut self.samples);
        voice.encoder.encode(&self.samples, &mut voice.pending);
        counters.frames_transcoded += 1;
        let wanted = ptime(&session) as usize * BYTES_PER_MS;
        while voice.pending.len() >= wanted {
            self.payload.clear();
            self.payload.extend(voice.pending.drain(..wanted));
            self.send_payload(now, counters, out);
        }
        self.voice = Some(voice);
    }
}

/// What a payload type means in this session. The static ones are understood even when another was agreed: some phones
/// change between what they offered without asking.
fn content(session: &MediaSession, payload_type: u8) -> Option<Content> {
    if payload_type == session.receive_payload_type {
        return Some(Content::Audio(session.codec));
    }
    if session.telephone_event.is_some_and(|event| event.receive == payload_type) {
        return Some(Content::Event { key: None, ours: false });
    }
    match payload_type {
        0 => Some(Content::Audio(Codec::Pcmu)),
        8 => Some(Content::Audio(Codec::Pcma)),
        9 => Some(Content::Audio(Codec::G722)),
        COMFORT_NOISE => Some(Content::Noise),
        _ => None,
    }
}

/// Milliseconds of each packet that we make.
fn ptime(session: &MediaSession) -> u64 {
    u64::from(session.ptime_ms.clamp(MIN_PTIME_MS, MAX_PTIME_MS))
}

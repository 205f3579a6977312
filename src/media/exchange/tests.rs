//! Whole calls through one worker's legs, in virtual time.
#![allow(clippy::wildcard_enum_match_arm)] // A test looks for one event and passes over the rest.

use std::collections::BTreeMap;

use super::*;
use crate::bridge::{Direction, Latch, TelephoneEvent};
use crate::call::media::{MediaEvent, PlayItem};
use crate::digit::DigitSource;
use crate::ids::PlayId;
use crate::media::codec::{Decoder, Encoder};
use crate::media::dtmf_event::{EventPacket, EventReceiver};
use crate::media::goertzel::{ToneDetector, power};
use crate::media::prompts::Prompt;
use crate::media::rtcp;
use crate::time::Clock;

mod keys;
mod lossy;

const A: LegId = LegId(1);
const B: LegId = LegId(2);
const PLAY: PlayId = PlayId(7);

/// A packet that we sent, owned.
#[derive(Clone, Debug)]
struct Sent {
    ms: u64,
    to: String,
    marker: bool,
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload: Vec<u8>,
}

/// Two phones, the legs that they talk to, and a clock.
struct World {
    exchange: Exchange,
    out: Outbox,
    ms: u64,
    sent: Vec<Sent>,
    rtcp: Vec<(String, Vec<u8>)>,
    events: Vec<(u64, MediaEvent)>,
    sequences: BTreeMap<LegId, u16>,
}

fn address(leg: LegId) -> SocketAddr {
    format!("192.0.2.{}:4000", leg.0).parse().unwrap()
}

fn session(leg: LegId, codec: Codec) -> MediaSession {
    let mut rtcp = address(leg);
    rtcp.set_port(4_001);
    MediaSession {
        remote: Some(address(leg)),
        remote_rtcp: Some(rtcp),
        codec,
        send_payload_type: codec.payload_type(),
        receive_payload_type: codec.payload_type(),
        telephone_event: Some(TelephoneEvent { send: 101, receive: 101 }),
        direction: Direction::SendRecv,
        ptime_ms: 20,
        latch: Latch::Signalled,
        srtp: None,
    }
}

/// Encoded once: G.722 takes its time.
static LIBRARY: std::sync::LazyLock<Arc<PromptLibrary>> = std::sync::LazyLock::new(|| {
    let mut library = PromptLibrary::default();
    library.insert("en".into(), "short".into(), tone_prompt(100));
    library.insert("en".into(), "long".into(), tone_prompt(10_000));
    Arc::new(library)
});

fn tone_prompt(ms: usize) -> Prompt {
    Prompt::new(vec![4_000; ms * 8], 8_000)
}

impl World {
    fn new() -> World {
        let clock = Clock::new(Instant::ZERO, "2026-01-01T00:00:00Z".parse().unwrap());
        World {
            exchange: Exchange::new(LIBRARY.clone(), [1; 32]),
            out: Outbox::new(clock),
            ms: 0,
            sent: Vec::new(),
            rtcp: Vec::new(),
            events: Vec::new(),
            sequences: BTreeMap::new(),
        }
    }

    /// Legs A and B with sessions, joined.
    fn bridged(a: MediaSession, b: MediaSession) -> World {
        let mut world = World::new();
        for (leg, session) in [(A, a), (B, b)] {
            world.open(leg, session);
        }
        world.order(MediaCommand::Bridge { a: A, b: B });
        world
    }

    fn now(&self) -> Instant {
        Instant::from_millis(self.ms)
    }

    fn open(&mut self, leg: LegId, session: MediaSession) {
        self.exchange.open(self.now(), leg);
        self.order(MediaCommand::Session { leg, session });
    }

    fn order(&mut self, command: MediaCommand) {
        self.exchange.command(self.now(), command);
    }

    fn play(&mut self, leg: LegId, prompt: &str, repeat: bool) {
        let items = vec![PlayItem::Prompt { language: "en".into(), prompt: prompt.into() }];
        self.order(MediaCommand::Play { leg, play: PLAY, items, repeat });
    }

    fn close(&mut self, leg: LegId) {
        self.exchange.close(self.now(), leg, &mut self.out);
        self.collect();
    }

    /// Lets time pass.
    fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.exchange.tick(self.now(), &mut self.out);
            self.collect();
            self.ms += 1;
        }
    }

    fn collect(&mut self) {
        for (packet, bytes) in self.out.packets() {
            match packet.channel {
                Channel::Rtcp => self.rtcp.push((packet.to.to_string(), bytes.to_vec())),
                Channel::Rtp => {
                    let rtp = rtp::parse(bytes).unwrap();
                    self.sent.push(Sent {
                        ms: self.ms,
                        to: packet.to.to_string(),
                        marker: rtp.marker,
                        payload_type: rtp.payload_type,
                        sequence: rtp.sequence,
                        timestamp: rtp.timestamp,
                        ssrc: rtp.ssrc,
                        payload: rtp.payload.to_vec(),
                    });
                }
            }
        }
        self.out.clear_packets();
        let ms = self.ms;
        self.events.extend(self.out.events.drain(..).map(|event| (ms, event)));
    }

    fn datagram(&mut self, leg: LegId, source: &str, bytes: &[u8]) {
        let slot = self.exchange.slot(leg).unwrap();
        let now = self.now();
        self.exchange.receive(now, slot, Channel::Rtp, source.parse().unwrap(), bytes, &mut self.out);
        self.collect();
    }

    /// The phone of `leg` says `payload` now.
    fn says(&mut self, leg: LegId, payload_type: u8, marker: bool, timestamp: u32, payload: &[u8]) {
        let sequence = self.sequences.entry(leg).or_insert(100);
        *sequence = sequence.wrapping_add(1);
        let packet =
            Packet { marker, payload_type, sequence: *sequence, timestamp, ssrc: 0x1000 + leg.0 as u32, payload };
        self.datagram(leg, &address(leg).to_string(), &written(&packet));
    }

    /// A second of audio in 20 ms packets of `codec`, each filled with `byte`.
    fn talks(&mut self, leg: LegId, codec: Codec, packets: u64, byte: u8) {
        for _ in 0..packets {
            let timestamp = (self.ms * 8) as u32;
            self.says(leg, codec.payload_type(), false, timestamp, &[byte; 160]);
            self.run(20);
        }
    }

    /// The phone of `leg` presses a key for 100 ms.
    fn presses(&mut self, leg: LegId, payload_type: u8, digit: Digit) {
        self.holds(leg, payload_type, digit, (self.ms * 8) as u32, 1..=8);
    }

    /// The phone of `leg` presses a key for 80 ms that is heard in its audio, and is silent for the rest of 400 ms.
    fn sounds(&mut self, leg: LegId, codec: Codec, digit: Digit) {
        let rate = sample_rate(codec);
        let mut encoder = Encoder::new(codec);
        let mut sender = crate::media::tones::ToneSender::new(digit, 80, rate);
        for _ in 0..20 {
            let (mut samples, mut payload) = (Vec::new(), Vec::new());
            sender.fill(rate / 50, &mut samples);
            encoder.encode(&samples, &mut payload);
            self.says(leg, codec.payload_type(), false, (self.ms * 8) as u32, &payload);
            self.run(20);
        }
    }

    /// These packets of a key of 100 ms, of which the last three are its ends.
    fn holds(
        &mut self,
        leg: LegId,
        payload_type: u8,
        digit: Digit,
        start: u32,
        packets: std::ops::RangeInclusive<u16>,
    ) {
        for n in packets {
            let [d0, d1] = (n.min(5) * 160).to_be_bytes();
            let flags = if n >= 5 { 0x8A } else { 0x0A };
            self.says(leg, payload_type, n == 1, start, &[digit.event(), flags, d0, d1]);
            self.run(20);
        }
    }

    fn to(&self, leg: LegId) -> Vec<Sent> {
        self.sent.iter().filter(|sent| sent.to == address(leg).to_string()).cloned().collect()
    }

    fn keys(&self) -> String {
        let key = |event: &(u64, MediaEvent)| match &event.1 {
            MediaEvent::Key { digit, .. } => Some(digit.as_char()),
            _ => None,
        };
        self.events.iter().filter_map(key).collect()
    }

    fn told(&self, wanted: impl Fn(&MediaEvent) -> bool) -> Vec<u64> {
        self.events.iter().filter(|(_, event)| wanted(event)).map(|(ms, _)| *ms).collect()
    }
}

fn written(packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    rtp::write(packet, &mut bytes);
    bytes
}

/// One SSRC, numbers one by one, timestamps that keep to the clock within 45 ms.
fn assert_one_stream(sent: &[Sent]) {
    for pair in sent.windows(2) {
        let [one, two] = pair else { unreachable!() };
        assert_eq!(one.ssrc, two.ssrc);
        assert_eq!(two.sequence, one.sequence.wrapping_add(1), "at {} ms", two.ms);
        let drift = i64::from(two.timestamp.wrapping_sub(sent[0].timestamp)) - ((two.ms - sent[0].ms) * 8) as i64;
        assert!(drift.abs() <= 360, "timestamp is {drift} ticks off at {} ms", two.ms);
    }
}

#[test]
fn the_same_codec_is_passed_untouched_in_one_stream() {
    let mut world = World::bridged(session(A, Codec::Pcma), session(B, Codec::Pcma));
    world.talks(A, Codec::Pcma, 10, 0x42);
    world.talks(B, Codec::Pcma, 10, 0x43);
    assert_eq!(world.to(B).len(), 10);
    assert!(world.to(B).iter().all(|sent| sent.payload == [0x42; 160] && sent.payload_type == 8));
    assert!(world.to(A).iter().all(|sent| sent.payload == [0x43; 160]));
    assert_ne!(world.to(B)[0].ssrc, 0x1001, "a stream of our own");
    assert_one_stream(&world.to(B));
}

#[test]
fn what_a_phone_on_hold_does_not_get_is_not_lost() {
    let mut world = World::bridged(session(A, Codec::Pcmu), session(B, Codec::Pcmu));
    world.talks(A, Codec::Pcmu, 5, 0x11);
    let b_holds = MediaSession { direction: Direction::RecvOnly, ..session(B, Codec::Pcmu) };
    world.order(MediaCommand::Session { leg: B, session: b_holds });
    world.talks(A, Codec::Pcmu, 150, 0x12);
    world.order(MediaCommand::Session { leg: B, session: session(B, Codec::Pcmu) });
    world.talks(A, Codec::Pcmu, 5, 0x13);
    let heard = world.to(B);
    assert_eq!(heard.len(), 10);
    assert!(heard[..5].iter().all(|sent| sent.payload[0] == 0x11));
    assert!(heard[5..].iter().all(|sent| sent.payload[0] == 0x13));
    assert_one_stream(&heard);
}

#[test]
fn mu_law_to_a_law_needs_no_delay() {
    let mut world = World::bridged(session(A, Codec::Pcmu), session(B, Codec::Pcma));
    world.talks(A, Codec::Pcmu, 1, 0xFF);
    assert_eq!(world.to(B)[0].payload, [0xD5; 160]);
    world.talks(B, Codec::Pcma, 1, 0xD5);
    assert_eq!(world.to(A)[0].payload, [0xFE; 160], "A-law has no zero: its smallest step is 8");
}

#[test]
fn a_playback_replaces_the_peer_and_is_one_stream_with_it() {
    let mut world = World::bridged(session(A, Codec::Pcmu), session(B, Codec::Pcmu));
    world.talks(A, Codec::Pcmu, 5, 0x11);
    world.play(B, "short", false);
    world.talks(A, Codec::Pcmu, 8, 0x22);
    world.talks(A, Codec::Pcmu, 5, 0x33);
    let sent = world.to(B);
    assert_one_stream(&sent);
    let played = sent.iter().filter(|sent| sent.payload[0] == 0xAF).count();
    assert_eq!(played, 5);
    assert!(sent.iter().filter(|sent| sent.payload[0] == 0x22).count() <= 3);
    assert_eq!(sent.iter().filter(|sent| sent.payload[0] == 0x33).count(), 5);
}

#[test]
fn play_done_comes_once_when_the_last_frame_is_over() {
    let mut world = World::new();
    world.open(A, session(A, Codec::G722));
    world.play(A, "short", false);
    world.run(1_000);
    let done = world.told(|event| matches!(event, MediaEvent::PlayDone { leg: A, play: PLAY }));
    assert_eq!(done, [100]);
    assert_eq!(world.to(A).len(), 5);
    assert!(world.to(A)[0].marker);
    assert_one_stream(&world.to(A));
}

#[test]
fn a_repeated_a_replaced_or_a_stopped_playback_is_not_told_done() {
    let mut world = World::new();
    world.open(A, session(A, Codec::Pcmu));
    world.play(A, "short", true);
    world.run(1_000);
    assert_eq!(world.to(A).len(), 50, "it goes round");
    world.play(A, "long", false);
    world.run(100);
    world.order(MediaCommand::StopPlay { leg: A });
    world.run(1_000);
    assert_eq!(world.to(A).len(), 55);
    assert!(world.told(|event| matches!(event, MediaEvent::PlayDone { .. })).is_empty());
}

#[test]
fn a_playback_on_hold_or_without_prompt_still_ends() {
    let mut world = World::new();
    world.open(A, MediaSession { direction: Direction::Inactive, ..session(A, Codec::Pcmu) });
    world.play(A, "short", false);
    world.run(200);
    world.play(A, "nobody-recorded-this", false);
    world.run(100);
    assert_eq!(world.told(|event| matches!(event, MediaEvent::PlayDone { .. })), [100, 200]);
    assert!(world.sent.is_empty());
    assert_eq!(world.exchange.counters.prompts_missing, 1);
}

#[test]
fn packets_have_the_length_that_was_agreed() {
    for (ptime_ms, bytes) in [(10, 80), (20, 160), (30, 240), (60, 480)] {
        let mut world = World::new();
        world.open(A, MediaSession { ptime_ms, ..session(A, Codec::Pcmu) });
        world.play(A, "long", false);
        world.run(600);
        assert!(world.to(A).iter().all(|sent| sent.payload.len() == bytes));
        assert_eq!(world.to(A).len() * bytes, 600 * 8);
        assert_one_stream(&world.to(A));
    }
}

#[test]
fn a_late_worker_sends_three_frames_at_once_and_no_more() {
    let mut world = World::new();
    world.open(A, session(A, Codec::Pcmu));
    world.play(A, "long", false);
    world.run(100);
    world.ms += 500;
    world.run(1);
    let late = world.to(A).iter().filter(|sent| sent.ms == 600).count();
    assert_eq!(late, 3);
    world.ms += 45;
    world.run(200);
    assert!(world.exchange.counters.pacing_skips >= 1);
    let gap = world.to(A).windows(2).filter(|pair| pair[1].ms - pair[0].ms > 66).count();
    assert_eq!(gap, 1);
}

#[test]
fn e67_an_attacker_is_neither_heard_nor_hears() {
    let mut world = World::bridged(session(A, Codec::Pcmu), session(B, Codec::Pcmu));
    let mut packet = Vec::new();
    let forged =
        Packet { marker: true, payload_type: 0, sequence: 101, timestamp: 0, ssrc: 0x1001, payload: &[0x66; 160] };
    rtp::write(&forged, &mut packet);
    world.datagram(A, "203.0.113.66:666", &packet);
    world.talks(A, Codec::Pcmu, 2, 0x11);
    world.datagram(A, "203.0.113.66:666", &packet);
    world.talks(B, Codec::Pcmu, 2, 0x12);
    assert!(world.sent.iter().all(|sent| sent.payload[0] != 0x66 && !sent.to.starts_with("203")));
    assert_eq!(world.exchange.counters.wrong_source, 2);
    // The same session once more changes nothing; another address starts anew.
    let same = session(A, Codec::Pcmu);
    world.order(MediaCommand::Session { leg: A, session: same });
    world.datagram(A, "203.0.113.66:666", &packet);
    assert_eq!(world.exchange.counters.wrong_source, 3);
    let moved = MediaSession { remote: Some("203.0.113.66:666".parse().unwrap()), ..same };
    world.order(MediaCommand::Session { leg: A, session: moved });
    world.datagram(A, "203.0.113.66:666", &packet);
    assert_eq!(world.exchange.counters.wrong_source, 3);
}

#[test]
fn e68_silence_is_told_each_20_s_and_its_end() {
    let mut world = World::new();
    world.open(A, session(A, Codec::Pcmu));
    world.talks(A, Codec::Pcmu, 50, 0x11);
    world.run(45_000);
    let silent = world.told(|event| matches!(event, MediaEvent::Silent { leg: A, rtcp_alive: false, .. }));
    assert_eq!(silent.len(), 2);
    assert!((20_900..22_100).contains(&silent[0]), "{silent:?}");
    world.talks(A, Codec::Pcmu, 1, 0x11);
    assert_eq!(world.told(|event| matches!(event, MediaEvent::Revived { leg: A })).len(), 1);
    assert_eq!(world.told(|event| matches!(event, MediaEvent::FirstRtp { .. })), [0]);
}

#[test]
fn e68_no_silence_on_hold_nor_with_comfort_noise() {
    let mut world = World::new();
    world.open(A, MediaSession { direction: Direction::SendOnly, ..session(A, Codec::Pcmu) });
    world.open(B, session(B, Codec::Pcmu));
    for _ in 0..12 {
        let timestamp = (world.ms * 8) as u32;
        world.says(B, 13, false, timestamp, &[40]);
        world.run(5_000);
    }
    assert!(world.told(|event| matches!(event, MediaEvent::Silent { .. })).is_empty());
    world.order(MediaCommand::Session { leg: A, session: session(A, Codec::Pcmu) });
    world.run(19_000);
    assert!(
        world.told(|event| matches!(event, MediaEvent::Silent { leg: A, .. })).is_empty(),
        "counted from the resume"
    );
    world.run(3_000);
    assert_eq!(world.told(|event| matches!(event, MediaEvent::Silent { leg: A, .. })).len(), 1);
}

#[test]
fn e68_rtcp_shows_that_a_silent_phone_lives() {
    let mut world = World::new();
    world.open(A, session(A, Codec::Pcmu));
    let mut bytes = Vec::new();
    rtcp::write(&rtcp::Report { ssrc: 5, sender: None, block: None, cname: "p", goodbye: false }, &mut bytes);
    for _ in 0..5 {
        world.run(5_000);
        world.datagram(A, "192.0.2.1:4001", &bytes);
    }
    assert_eq!(world.told(|event| matches!(event, MediaEvent::Silent { rtcp_alive: true, .. })).len(), 1);
}

#[test]
fn e69_junk_is_counted_and_harms_nothing() {
    let mut world = World::bridged(session(A, Codec::Pcmu), session(B, Codec::Pcmu));
    for junk in [&[][..], &[0; 1_500], &[0x8F; 20], &[0x80, 200, 0xFF, 0xFF], &[0xFF; 40]] {
        world.datagram(A, "192.0.2.1:4000", junk);
    }
    assert_eq!(world.exchange.counters.junk, 5);
    world.says(A, 77, false, 0, &[1; 160]);
    assert_eq!(world.exchange.counters.unknown_type, 1);
    world.talks(A, Codec::Pcmu, 2, 0x11);
    assert_eq!(world.to(B).len(), 2);
}

#[test]
fn rtcp_is_sent_and_measures_the_way_there_and_back() {
    let mut world = World::new();
    world.open(A, session(A, Codec::Pcmu));
    world.play(A, "long", false);
    world.run(3_100);
    let (to, bytes) = world.rtcp[0].clone();
    assert_eq!(to, "192.0.2.1:4001");
    let rtcp::Item::Sender { ssrc, info } = rtcp::parse(&bytes).unwrap().next().unwrap() else { panic!("no SR") };
    // We sent at 3,000 ms. The phone waits for 50 ms; its answer is here at 3,100 ms.
    let block = rtcp::ReportBlock {
        ssrc,
        fraction_lost: 25,
        cumulative_lost: 15,
        highest_sequence: 0,
        jitter: 0,
        last_sr: (info.ntp >> 16) as u32,
        delay_since_sr: 65_536 / 20,
    };
    let mut answer = Vec::new();
    rtcp::write(&rtcp::Report { ssrc: 5, sender: None, block: Some(block), cname: "p", goodbye: false }, &mut answer);
    world.datagram(A, "192.0.2.1:4001", &answer);
    world.close(A);
    let Some((_, MediaEvent::Report { report, last: true, .. })) = world.events.last() else { panic!("no report") };
    assert_eq!(report.sent, 155);
    assert!((0.09..0.11).contains(&report.remote_loss.unwrap()));
    let trip = report.round_trip_ms.unwrap();
    assert!((49.0..51.0).contains(&trip), "{trip}");
    let goodbye: Vec<_> = rtcp::parse(&world.rtcp.last().unwrap().1).unwrap().collect();
    assert_eq!(goodbye.last(), Some(&rtcp::Item::Goodbye));
}

#[test]
fn reports_come_each_5_s_and_a_last_one() {
    let mut world = World::bridged(session(A, Codec::Pcmu), session(B, Codec::Pcmu));
    world.talks(A, Codec::Pcmu, 600, 0x11);
    world.close(A);
    let reports = world.told(|event| matches!(event, MediaEvent::Report { leg: A, last: false, .. }));
    assert_eq!(reports.len(), 2);
    let Some((_, MediaEvent::Report { leg: A, report, last: true })) = world.events.last() else { panic!("none") };
    assert_eq!((report.received, report.lost, report.codec), (600, 0, Some(Codec::Pcmu)));
    assert_eq!(report.max_gap_ms, 20);
    world.talks(B, Codec::Pcmu, 2, 0x11);
    assert_eq!(world.to(A).len(), 0, "B is alone now");
    world.close(B);
    assert_eq!(world.exchange.counters.legs_open, 0);
    assert_eq!(world.exchange.next_due(), NEVER);
}

#[test]
fn commands_for_unknown_legs_are_counted() {
    let mut world = World::new();
    world.order(MediaCommand::Bridge { a: A, b: B });
    world.order(MediaCommand::StopPlay { leg: A });
    assert_eq!(world.exchange.counters.commands_ignored, 2);
}

#[test]
fn a_third_leg_takes_the_place_of_the_second() {
    let c = LegId(3);
    let mut world = World::bridged(session(A, Codec::Pcmu), session(B, Codec::Pcmu));
    world.open(c, session(c, Codec::Pcmu));
    world.order(MediaCommand::Bridge { a: A, b: c });
    world.talks(A, Codec::Pcmu, 2, 0x11);
    world.talks(B, Codec::Pcmu, 2, 0x12);
    assert_eq!((world.to(c).len(), world.to(B).len(), world.to(A).len()), (2, 0, 0));
}

/// Share of the power of `samples` (8 kHz) that lies at 440 Hz, by windows of 50 ms, and their count.
fn purity(samples: &[i16]) -> f32 {
    let windows: Vec<f32> = samples
        .chunks_exact(400)
        .map(|chunk| {
            let window: Vec<f32> = chunk.iter().map(|sample| f32::from(*sample)).collect();
            let energy: f32 = window.iter().map(|sample| sample * sample).sum();
            2.0 * power(&window, 440.0) / (energy.max(1.0) * 400.0)
        })
        .collect();
    windows.iter().sum::<f32>() / windows.len() as f32
}

#[test]
fn e63_transcoding_keeps_the_tone_and_the_time() {
    for (from, to) in [(Codec::Pcmu, Codec::G722), (Codec::G722, Codec::Pcma)] {
        let mut world = World::bridged(session(A, from), session(B, to));
        let rate = sample_rate(from);
        let mut encoder = Encoder::new(from);
        for frame in 0..250usize {
            let samples: Vec<i16> = (0..rate / 50)
                .map(|n| {
                    let at = (frame * rate / 50 + n) as f64 / rate as f64;
                    (8_000.0 * (std::f64::consts::TAU * 440.0 * at).sin()) as i16
                })
                .collect();
            let mut payload = Vec::new();
            encoder.encode(&samples, &mut payload);
            let timestamp = (world.ms * 8) as u32;
            // 2 % lost.
            if frame % 50 != 33 {
                world.says(A, from.payload_type(), false, timestamp, &payload);
            } else {
                *world.sequences.entry(A).or_insert(100) += 1;
            }
            world.run(20);
        }
        let sent = world.to(B);
        assert!((248..=250).contains(&sent.len()), "{} frames of 250", sent.len());
        assert_one_stream(&sent);
        let (mut wide, mut samples) = (Vec::new(), Vec::new());
        let mut decoder = Decoder::new(to);
        sent.iter().for_each(|sent| decoder.decode(&sent.payload, &mut wide));
        crate::media::codec::Converter::default().convert(&wide, sample_rate(to), 8_000, &mut samples);
        let purity = purity(&samples[2_000..38_000]);
        assert!(purity > 0.95, "{from:?} to {to:?}: {purity}");
    }
}

#[test]
fn e66_an_hour_is_relayed_without_a_hole_and_a_late_key_is_a_key() {
    let mut world = World::bridged(session(A, Codec::Pcmu), session(B, Codec::Pcmu));
    world.presses(A, 101, Digit::D1);
    for _ in 0..180_000u32 {
        let timestamp = (world.ms * 8) as u32;
        world.says(A, 0, false, timestamp, &[0x11; 160]);
        world.ms += 20;
        world.sent.clear();
    }
    assert_eq!(world.exchange.counters.rtp_relayed, 180_008);
    // More than half a wrap of sequence numbers since the first key: the second is not an old one.
    world.presses(A, 101, Digit::D2);
    assert_eq!(world.keys(), "12");
}

mod anything_at_all {
    use super::*;
    use proptest::prelude::*;

    fn session_of(leg: LegId, choice: u8) -> MediaSession {
        let codec = [Codec::Pcmu, Codec::Pcma, Codec::G722][usize::from(choice % 3)];
        let direction = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
        MediaSession {
            telephone_event: (choice & 4 == 0).then_some(TelephoneEvent { send: 101, receive: 101 }),
            direction: direction[usize::from(choice >> 3) % 4],
            latch: if choice & 32 == 0 { Latch::Signalled } else { Latch::Nat },
            srtp: None,
            ptime_ms: choice,
            remote: (choice & 64 == 0).then(|| address(leg)),
            ..session(leg, codec)
        }
    }

    proptest! {
        // Each case is seconds of virtual time in steps of 1 ms.
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Any order of commands, packets and junk: no panic, and each packet sent is one that can be read.
        #[test]
        fn e69_nothing_panics(steps in proptest::collection::vec((0u8..12, 1u64..4, any::<u8>(), any::<u16>(), any::<u32>()), 1..120)) {
            let mut world = World::new();
            for (what, leg, choice, number, word) in steps {
                let leg = LegId(leg);
                let other = LegId(u64::from(choice % 3) + 1);
                let open = world.exchange.slot(leg).is_some();
                match what {
                    0 if !open => world.open(leg, session_of(leg, choice)),
                    0 => world.close(leg),
                    1 => world.order(MediaCommand::Session { leg, session: session_of(leg, choice) }),
                    2 => world.play(leg, if choice & 1 == 0 { "short" } else { "long" }, choice & 2 == 0),
                    3 => world.order(MediaCommand::Bridge { a: leg, b: other }),
                    4 => world.order(MediaCommand::Unbridge { a: leg, b: other }),
                    5 | 6 => world.order(MediaCommand::SendDigit {
                        leg,
                        digit: Digit::ALL[usize::from(choice % 16)],
                        duration: Duration::from_millis(u64::from(number)),
                    }),
                    7 if open => {
                        let mut bytes = vec![0x80 | choice & 0x3F, 0x80 | choice];
                        bytes.extend(word.to_be_bytes().repeat(usize::from(choice % 50)));
                        world.datagram(leg, "192.0.2.1:4000", &bytes);
                    }
                    8 | 9 if open => {
                        let kind = [0, 8, 9, 13, 101][usize::from(choice % 5)];
                        let packet = Packet {
                            marker: choice & 1 == 0,
                            payload_type: kind,
                            sequence: number,
                            timestamp: word,
                            ssrc: u32::from(choice & 1),
                            payload: &[choice; 320][..usize::from(number % 320)],
                        };
                        let mut bytes = Vec::new();
                        rtp::write(&packet, &mut bytes);
                        world.datagram(leg, &address(leg).to_string(), &bytes);
                    }
                    10 => world.ms += u64::from(number),
                    _ => world.run(u64::from(choice % 64)),
                }
            }
            for leg in [LegId(1), LegId(2), LegId(3)] {
                world.close(leg);
            }
            prop_assert_eq!(world.exchange.counters.legs_open, 0);
            prop_assert_eq!(world.exchange.next_due(), NEVER);
        }
    }
}

//! Real workers and real sockets on the loopback: what a phone on the network hears.
#![allow(clippy::disallowed_methods)] // Phones of flesh and blood have a clock.
#![allow(clippy::wildcard_enum_match_arm)] // A test looks for one event and passes over the rest.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, channel};

use super::codec::{Converter, Decoder, Encoder, sample_rate};
use super::goertzel::power;
use super::rtp::{self, Packet};
use super::{MediaOptions, Prompt, PromptLibrary, Workers};
use crate::bridge::{Codec, Direction, Latch, MediaPort, MediaSession, TelephoneEvent};
use crate::call::media::{MediaCommand, MediaEvent, PlayItem};
use crate::digit::Digit;
use crate::ids::{CallId, LegId, PlayId};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const CALL: CallId = CallId(ulid::Ulid(5));
/// No test waits longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A leg of ours and the phone at its other end.
struct Phone {
    leg: LegId,
    port: MediaPort,
    socket: UdpSocket,
    codec: Codec,
    encoder: Encoder,
    sequence: u16,
    at: usize,
    heard: Vec<i16>,
    decoder: Decoder,
}

/// An even port that is free together with the next.
fn free_port() -> MediaPort {
    loop {
        let port = UdpSocket::bind((HOME, 0)).unwrap().local_addr().unwrap().port() & !1;
        if UdpSocket::bind((HOME, port)).is_ok() && UdpSocket::bind((HOME, port + 1)).is_ok() {
            return MediaPort(port);
        }
    }
}

fn started(workers: usize) -> (Workers, Receiver<MediaEvent>) {
    let mut library = PromptLibrary::default();
    let tone: Vec<i16> = (0..3_200).map(|n| sine(440.0, 8_000, n)).collect();
    library.insert("en".into(), "tone".into(), Prompt::new(tone, 8_000));
    let (sender, events) = channel(256);
    let options = MediaOptions { workers, ..MediaOptions::default() };
    (Workers::start(options, Arc::new(library), sender).unwrap(), events)
}

fn sine(frequency: f64, rate: usize, n: usize) -> i16 {
    (8_000.0 * (std::f64::consts::TAU * frequency * n as f64 / rate as f64).sin()) as i16
}

impl Phone {
    fn connect(workers: &Workers, leg: u64, codec: Codec) -> Phone {
        let (leg, port) = (LegId(leg), free_port());
        let socket = UdpSocket::bind((HOME, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let session = MediaSession {
            remote: Some(socket.local_addr().unwrap()),
            remote_rtcp: None,
            codec,
            send_payload_type: codec.payload_type(),
            receive_payload_type: codec.payload_type(),
            telephone_event: Some(TelephoneEvent { send: 101, receive: 101 }),
            direction: Direction::SendRecv,
            ptime_ms: 20,
            latch: Latch::Signalled,
            srtp: None,
        };
        workers.send(MediaCommand::Open { call: CALL, leg, local: HOME, port }).unwrap();
        // A worker looks at its orders before it reads a packet: nothing that is sent from now on comes before the session.
        workers.send(MediaCommand::Session { leg, session }).unwrap();
        let (encoder, decoder) = (Encoder::new(codec), Decoder::new(codec));
        Phone { leg, port, socket, codec, encoder, sequence: 0, at: 0, heard: Vec::new(), decoder }
    }

    fn send(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) {
        self.sequence = self.sequence.wrapping_add(1);
        let packet = Packet {
            marker: false,
            payload_type,
            sequence: self.sequence,
            timestamp,
            ssrc: 0x5000 + self.leg.0 as u32,
            payload,
        };
        let mut bytes = Vec::new();
        rtp::write(&packet, &mut bytes);
        self.socket.send_to(&bytes, SocketAddr::new(HOME, self.port.0)).unwrap();
    }

    /// Says 20 ms of a sine.
    fn says(&mut self, frequency: f64) {
        let rate = sample_rate(self.codec);
        let samples: Vec<i16> = (0..rate / 50).map(|n| sine(frequency, rate, self.at * rate / 50 + n)).collect();
        let mut payload = Vec::new();
        self.encoder.encode(&samples, &mut payload);
        let timestamp = self.at as u32 * 160;
        self.at += 1;
        self.send(self.codec.payload_type(), timestamp, &payload);
    }

    /// Takes what has come; gives the number of packets.
    fn hears(&mut self) -> usize {
        let mut bytes = [0; 2_000];
        let mut count = 0;
        while let Ok((length, _)) = self.socket.recv_from(&mut bytes) {
            let packet = rtp::parse(&bytes[..length]).unwrap();
            if packet.payload_type == self.codec.payload_type() {
                self.decoder.decode(packet.payload, &mut self.heard);
            }
            count += 1;
        }
        count
    }

    /// Takes packets until that many have come, or nobody would wait longer; gives the number of those that came.
    fn hears_all(&mut self, wanted: usize) -> usize {
        let end = Instant::now() + PATIENCE;
        let mut count = self.hears();
        while count < wanted && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
            count += self.hears();
        }
        count
    }

    /// Share of what was heard that lies at `frequency`; the first 100 ms and the last are left out.
    fn purity(&self, frequency: f32) -> f32 {
        let mut samples = Vec::new();
        Converter::default().convert(&self.heard, sample_rate(self.codec), 8_000, &mut samples);
        let windows: Vec<f32> = samples[800..samples.len() - 800]
            .chunks_exact(400)
            .map(|chunk| {
                let window: Vec<f32> = chunk.iter().map(|sample| f32::from(*sample)).collect();
                let energy: f32 = window.iter().map(|sample| sample * sample).sum();
                2.0 * power(&window, frequency) / (energy.max(1.0) * 400.0)
            })
            .collect();
        windows.iter().sum::<f32>() / windows.len() as f32
    }
}

/// Waits for the first event that fits.
fn wait_for<T>(events: &mut Receiver<MediaEvent>, fits: impl Fn(&MediaEvent) -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        while let Ok(event) = events.try_recv() {
            if let Some(found) = fits(&event) {
                return found;
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("the event never came");
}

/// Both phones say a tone for a second, in real time.
fn talk(a: &mut Phone, b: &mut Phone) {
    let start = Instant::now();
    let (mut by_a, mut by_b) = (0, 0);
    for n in 0..50u32 {
        a.says(440.0);
        b.says(1_000.0);
        std::thread::sleep((start + Duration::from_millis(20) * (n + 1)).saturating_duration_since(Instant::now()));
        by_a += a.hears();
        by_b += b.hears();
    }
    // What a worker holds back to put it in order is not missed.
    a.hears_all(44usize.saturating_sub(by_a));
    b.hears_all(44usize.saturating_sub(by_b));
}

#[test]
fn bridged_phones_hear_each_other() {
    for (one, other, purest) in
        [(Codec::Pcmu, Codec::Pcmu, 0.99), (Codec::Pcmu, Codec::G722, 0.9), (Codec::G722, Codec::Pcma, 0.9)]
    {
        let (workers, _events) = started(2);
        let (mut a, mut b) = (Phone::connect(&workers, 1, one), Phone::connect(&workers, 2, other));
        workers.send(MediaCommand::Bridge { a: a.leg, b: b.leg }).unwrap();
        talk(&mut a, &mut b);
        assert!(b.heard.len() * 50 / sample_rate(other) >= 44, "{one:?} to {other:?}: {} samples", b.heard.len());
        assert!(b.purity(440.0) > purest, "{one:?} to {other:?}: {}", b.purity(440.0));
        assert!(a.purity(1_000.0) > purest, "{other:?} to {one:?}: {}", a.purity(1_000.0));
    }
}

#[test]
fn a_prompt_is_heard_and_told_done() {
    let (workers, mut events) = started(1);
    let mut phone = Phone::connect(&workers, 1, Codec::G722);
    let items = vec![PlayItem::Prompt { language: "en".into(), prompt: "tone".into() }];
    let begun = Instant::now();
    workers.send(MediaCommand::Play { leg: phone.leg, play: PlayId(3), items, repeat: false }).unwrap();
    wait_for(&mut events, |event| matches!(event, MediaEvent::PlayDone { play: PlayId(3), .. }).then_some(()));
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(395), "paced: {took:?}");
    assert_eq!(phone.hears(), 20);
    assert!(phone.purity(440.0) > 0.95, "{}", phone.purity(440.0));
}

#[test]
fn e64_a_key_is_told_once_and_the_first_rtp_too() {
    let (workers, mut events) = started(1);
    let mut phone = Phone::connect(&workers, 1, Codec::Pcmu);
    for n in 1..=6u16 {
        let [d0, d1] = (n.min(4) * 160).to_be_bytes();
        phone.send(101, 1_000, &[8, if n >= 4 { 0x8A } else { 0x0A }, d0, d1]);
    }
    wait_for(&mut events, |event| matches!(event, MediaEvent::FirstRtp { .. }).then_some(()));
    let key = wait_for(&mut events, |event| match event {
        MediaEvent::Key { digit, .. } => Some(*digit),
        _ => None,
    });
    assert_eq!(key, Digit::D8);
    let end = Instant::now() + PATIENCE;
    while workers.counters().rtp_received < 6 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    workers.send(MediaCommand::Close { leg: phone.leg }).unwrap();
    let report = wait_for(&mut events, |event| match event {
        MediaEvent::Report { report, last: true, .. } => Some(report.clone()),
        MediaEvent::Key { .. } => panic!("a phantom"),
        _ => None,
    });
    assert_eq!((report.received, report.keys), (6, 1));
}

#[test]
fn e71_a_closed_leg_is_silent_and_its_port_serves_the_next() {
    let (workers, mut events) = started(2);
    let (mut a, mut b) = (Phone::connect(&workers, 1, Codec::Pcmu), Phone::connect(&workers, 2, Codec::Pcmu));
    workers.send(MediaCommand::Bridge { a: a.leg, b: b.leg }).unwrap();
    a.says(440.0);
    wait_for(&mut events, |event| matches!(event, MediaEvent::FirstRtp { .. }).then_some(()));
    assert_eq!(b.hears_all(1), 1);
    workers.send(MediaCommand::Close { leg: a.leg }).unwrap();
    wait_for(&mut events, |event| matches!(event, MediaEvent::Report { last: true, .. }).then_some(()));
    for _ in 0..5 {
        a.says(440.0);
    }
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(b.hears(), 0);
    // Another call, on the other worker, takes the same port: it hears nothing of the five packets.
    let next = LegId(9);
    let other = CallId(ulid::Ulid(CALL.0.0 + 1));
    workers.send(MediaCommand::Open { call: other, leg: next, local: HOME, port: a.port }).unwrap();
    let session = MediaSession {
        remote: Some(a.socket.local_addr().unwrap()),
        remote_rtcp: None,
        codec: Codec::Pcmu,
        send_payload_type: 0,
        receive_payload_type: 0,
        telephone_event: None,
        direction: Direction::SendRecv,
        ptime_ms: 20,
        latch: Latch::Signalled,
        srtp: None,
    };
    workers.send(MediaCommand::Session { leg: next, session }).unwrap();
    workers.send(MediaCommand::Close { leg: next }).unwrap();
    let report = wait_for(&mut events, |event| match event {
        MediaEvent::Report { leg, report, last: true } if *leg == next => Some(report.clone()),
        _ => None,
    });
    assert_eq!((report.received, report.refused), (0, 0));
    assert!(UdpSocket::bind((HOME, a.port.0)).is_err(), "the port stays ours");
}

#[test]
fn a_port_that_cannot_be_bound_is_told() {
    let (workers, mut events) = started(1);
    let taken = UdpSocket::bind((HOME, 0)).unwrap();
    let port = MediaPort(taken.local_addr().unwrap().port());
    workers.send(MediaCommand::Open { call: CALL, leg: LegId(1), local: HOME, port }).unwrap();
    wait_for(&mut events, |event| matches!(event, MediaEvent::OpenFailed { leg: LegId(1), .. }).then_some(()));
    workers.send(MediaCommand::StopPlay { leg: LegId(1) }).unwrap();
    assert_eq!(workers.counters().commands_ignored, 1);
}

#[test]
fn a_slow_switch_loses_no_key_and_stops_no_audio() {
    let (sender, mut events) = channel(1);
    let workers = Workers::start(MediaOptions::default(), Arc::new(PromptLibrary::default()), sender).unwrap();
    let mut phone = Phone::connect(&workers, 1, Codec::Pcmu);
    for digit in 0..10u8 {
        phone.send(101, 1_000 + u32::from(digit) * 800, &[digit, 0x8A, 1, 0x40]);
    }
    std::thread::sleep(Duration::from_millis(50));
    let mut keys = String::new();
    while keys.len() < 10 {
        keys.push(wait_for(&mut events, |event| match event {
            MediaEvent::Key { digit, .. } => Some(digit.as_char()),
            _ => None,
        }));
    }
    assert_eq!(keys, "0123456789");
}

#[test]
fn a_busy_worker_sweeps_and_loses_nothing() {
    let (workers, _events) = started(1);
    let mut phones: Vec<Phone> = (0..40).map(|leg| Phone::connect(&workers, leg, Codec::Pcmu)).collect();
    for pair in 0..20 {
        workers.send(MediaCommand::Bridge { a: LegId(pair * 2), b: LegId(pair * 2 + 1) }).unwrap();
    }
    // 2,000 packets a second each way.
    let start = Instant::now();
    let mut heard = 0;
    for n in 0..40u32 {
        phones.iter_mut().for_each(|phone| phone.says(440.0));
        std::thread::sleep((start + Duration::from_millis(20) * (n + 1)).saturating_duration_since(Instant::now()));
        heard += phones.iter_mut().map(Phone::hears).sum::<usize>();
    }
    let end = Instant::now() + PATIENCE;
    while (heard < 40 * 40 || workers.counters().rtp_relayed < 40 * 40) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
        heard += phones.iter_mut().map(Phone::hears).sum::<usize>();
    }
    assert_eq!((heard, workers.counters().rtp_relayed), (40 * 40, 40 * 40));
}

//! One RTP stream of the probe: a thread that sends every 20 ms and measures what comes in.
//!
//! What comes in is measured by [`Ear`].
// A test phone measures real time: it reads the clock.
#![allow(clippy::disallowed_methods)]

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::audio::{Coder, FRAME, Source, key_sample};
use super::ear::{Ear, Heard};
use super::sdp::Agreed;
use crate::digit::Digit;

/// One packet's sound.
const TICK: Duration = Duration::from_millis(20);
/// A key is held this long and followed by as much silence as makes two presses two.
const KEY_HELD: Duration = Duration::from_millis(120);
const KEY_GAP: Duration = Duration::from_millis(80);
/// Keys that wait for their turn.
const MAX_QUEUED_KEYS: usize = 100;

/// What the session is told while the call runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MediaEvent {
    /// A tone that had sounded has stopped.
    ToneGone { hz: f32 },
}

enum Order {
    Agree(Agreed),
    Rtp(Digit),
    Inband(Digit),
    Stop,
}

/// The handle of the thread.
pub struct Media {
    pub local: SocketAddr,
    orders: mpsc::Sender<Order>,
    pub events: tokio::sync::mpsc::Receiver<MediaEvent>,
    thread: Option<JoinHandle<Heard>>,
}

impl Media {
    /// Opens an even port (RFC 3550 section 11) and starts to listen; nothing is sent before [`Media::agree`].
    pub fn open(ip: IpAddr, source: Source) -> io::Result<Media> {
        let socket = even_port(ip)?;
        let local = socket.local_addr()?;
        let (orders, inbox) = mpsc::channel();
        let (outbox, events) = tokio::sync::mpsc::channel(64);
        let stream = Stream::new(socket, source, outbox);
        let thread = std::thread::Builder::new().name("probe-rtp".to_owned()).spawn(move || stream.run(&inbox))?;
        Ok(Media { local, orders, events, thread: Some(thread) })
    }

    pub fn agree(&self, agreed: Agreed) {
        let _ = self.orders.send(Order::Agree(agreed));
    }

    pub fn key(&self, digit: Digit, inband: bool) {
        let _ = self.orders.send(if inband { Order::Inband(digit) } else { Order::Rtp(digit) });
    }

    /// Ends the stream and tells what it was.
    pub fn stop(mut self) -> Heard {
        let _ = self.orders.send(Order::Stop);
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Stop);
    }
}

fn even_port(ip: IpAddr) -> io::Result<UdpSocket> {
    for _ in 0..50 {
        let socket = UdpSocket::bind((ip, 0))?;
        if socket.local_addr()?.port() % 2 == 0 {
            return Ok(socket);
        }
    }
    UdpSocket::bind((ip, 0))
}

/// A key on its way out.
struct Sending {
    digit: Digit,
    inband: bool,
    since: Instant,
    timestamp: u32,
    position: u64,
    /// Packets with the end bit that were sent: three in all (RFC 4733 section 2.5.1.4).
    ends: u8,
}

struct Stream {
    socket: UdpSocket,
    source: Source,
    events: tokio::sync::mpsc::Sender<MediaEvent>,
    agreed: Option<(Agreed, Coder)>,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    position: u64,
    queued: VecDeque<(Digit, bool)>,
    sending: Option<Sending>,
    marker: bool,
    ear: Ear,
}

impl Stream {
    fn new(socket: UdpSocket, source: Source, events: tokio::sync::mpsc::Sender<MediaEvent>) -> Stream {
        let random = getrandom::u64().unwrap_or(0x5eed);
        Stream {
            socket,
            source,
            events,
            agreed: None,
            ssrc: random as u32,
            sequence: (random >> 32) as u16,
            timestamp: (random >> 16) as u32,
            position: 0,
            queued: VecDeque::new(),
            sending: None,
            marker: true,
            ear: Ear::default(),
        }
    }

    fn run(mut self, orders: &mpsc::Receiver<Order>) -> Heard {
        let mut next = Instant::now() + TICK;
        let mut buffer = [0u8; 2_048];
        loop {
            let now = Instant::now();
            if now < next {
                // At least a millisecond: a time-out of zero would mean for ever.
                let wait = (next - now).max(Duration::from_millis(1));
                if self.socket.set_read_timeout(Some(wait)).is_err() {
                    break;
                }
                if let Ok((length, _)) = self.socket.recv_from(&mut buffer) {
                    let packet = buffer.get(..length).unwrap_or_default();
                    self.ear.packet(Instant::now(), packet, self.agreed.as_ref().map(|(agreed, _)| agreed));
                }
                continue;
            }
            // After a stall the pace is taken up anew instead of sending a burst.
            next = if now - next > Duration::from_millis(200) { now + TICK } else { next + TICK };
            if !self.take_orders(orders) {
                break;
            }
            self.send(now);
            self.ear.tick(now);
            while let Some(hz) = self.ear.gone.pop_front() {
                let _ = self.events.try_send(MediaEvent::ToneGone { hz });
            }
        }
        self.ear.finish()
    }

    /// False when the stream is to end.
    fn take_orders(&mut self, orders: &mpsc::Receiver<Order>) -> bool {
        loop {
            match orders.try_recv() {
                Ok(Order::Agree(agreed)) => {
                    let same = self.agreed.as_ref().is_some_and(|(old, _)| old.codec == agreed.codec);
                    self.marker |= !self.agreed.as_ref().is_some_and(|(old, _)| old.direction.sends());
                    match &mut self.agreed {
                        Some((old, _)) if same => *old = agreed,
                        _ => self.agreed = Some((agreed, Coder::new(agreed.codec))),
                    }
                }
                Ok(Order::Rtp(digit)) if self.queued.len() < MAX_QUEUED_KEYS => self.queued.push_back((digit, false)),
                Ok(Order::Inband(digit)) if self.queued.len() < MAX_QUEUED_KEYS => self.queued.push_back((digit, true)),
                Ok(Order::Rtp(_) | Order::Inband(_)) => {}
                Ok(Order::Stop) | Err(mpsc::TryRecvError::Disconnected) => return false,
                Err(mpsc::TryRecvError::Empty) => return true,
            }
        }
    }

    fn send(&mut self, now: Instant) {
        let Some((agreed, _)) = &self.agreed else { return };
        let agreed = *agreed;
        let timestamp = self.timestamp;
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
        let position = self.position;
        self.position += FRAME as u64;
        if !agreed.direction.sends() {
            return;
        }
        if self.sending.is_none()
            && let Some((digit, inband)) = self.queued.pop_front()
        {
            self.sending = Some(Sending { digit, inband, since: now, timestamp, position, ends: 0 });
        }
        if self.sending.as_ref().is_some_and(|key| now - key.since >= KEY_HELD + KEY_GAP) {
            self.sending = None;
        }
        match (&mut self.sending, agreed.telephone_event) {
            (Some(key), Some(payload_type)) if !key.inband && key.ends < 3 => {
                let held = now - key.since >= KEY_HELD;
                key.ends += u8::from(held);
                let duration = timestamp.wrapping_sub(key.timestamp).wrapping_add(FRAME as u32).min(65_535) as u16;
                let [high, low] = duration.to_be_bytes();
                // Volume 10: -10 dBm0.
                let payload = [key.digit.event(), if held { 0x80 | 10 } else { 10 }, high, low];
                let (first, at) = (duration == FRAME as u16, key.timestamp);
                self.transmit(agreed.remote, payload_type, first, at, &payload);
            }
            (key, _) => {
                let pressed = key.as_ref().filter(|key| key.inband && now - key.since < KEY_HELD);
                let samples: Vec<i16> = match pressed {
                    Some(key) => {
                        let start = position - key.position;
                        (start..start + FRAME as u64).map(|at| key_sample(key.digit, at)).collect()
                    }
                    None => (position..position + FRAME as u64).map(|at| self.source.sample(at)).collect(),
                };
                let Some((_, coder)) = &mut self.agreed else { return };
                let payload = coder.encode(&samples);
                let marker = std::mem::take(&mut self.marker);
                self.transmit(agreed.remote, agreed.payload_type, marker, timestamp, &payload);
            }
        }
    }

    fn transmit(&mut self, to: SocketAddr, payload_type: u8, marker: bool, timestamp: u32, payload: &[u8]) {
        let mut packet = vec![0x80, payload_type | if marker { 0x80 } else { 0 }];
        packet.extend_from_slice(&self.sequence.to_be_bytes());
        packet.extend_from_slice(&timestamp.to_be_bytes());
        packet.extend_from_slice(&self.ssrc.to_be_bytes());
        packet.extend_from_slice(payload);
        self.sequence = self.sequence.wrapping_add(1);
        // A port that refuses is the other side's loss, not ours.
        if self.socket.send_to(&packet, to).is_ok() {
            self.ear.heard.sent += 1;
        }
    }
}

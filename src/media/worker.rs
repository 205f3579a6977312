//! One worker thread: the only place of the media path with sockets and a clock.
//!
//! When there is little to do it sleeps in epoll and wakes for each packet at once. Above [`BUSY_PACKETS`] in
//! [`BUSY_WINDOW`] it looks at all sockets together once a sweep (1 ms): the same packets, a fraction of the wake-ups.
//! Sockets are level-triggered and read once a look, so no phone can take more than its turn.
#![allow(clippy::disallowed_methods)] // The media path's edge: its threads ask the clock and hand `now` inwards.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread::JoinHandle;
use std::{io, thread};

use jiff::Timestamp;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::counters::SharedCounters;
use super::exchange::Exchange;
use super::outbox::{Channel, Outbox};
use super::ports::PortPair;
use super::prompts::PromptLibrary;
use super::rtp::MAX_PACKET;
use crate::call::media::{MediaCommand, MediaEvent};
use crate::ids::LegId;
use crate::time::{Clock, Duration, Instant};

/// Packets in [`BUSY_WINDOW`] from which on a worker sweeps: 1,000 a second, ten bridged calls.
const BUSY_PACKETS: u32 = 10;
const BUSY_WINDOW: Duration = Duration::from_millis(10);
/// Sockets looked at in one go; those left over come with the next.
const MAX_READY: usize = 512;
/// Orders carried out between two looks at the sockets.
const MAX_ORDERS: usize = 256;
/// Events that wait while the switch is slow. 30 s of a busy hospital's keys and ends of prompts.
const MAX_EVENTS: usize = 4_096;
/// Counters are published, and events offered again, this often.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);
/// While events wait, they are offered again this often.
const RETRY_EVENTS: Duration = Duration::from_millis(5);
/// Wall time is asked anew this often, so that a clock that was set shows in what people read.
const ANCHOR_EVERY: Duration = Duration::from_secs(5);
/// epoll's name for the command queue; sockets have `2 * slot` and `2 * slot + 1`.
const WAKE: u64 = u64::MAX;

/// What the front tells a worker.
pub enum Order {
    Open { leg: LegId, sockets: Arc<PortPair> },
    Command(MediaCommand),
    Library(Arc<PromptLibrary>),
}

/// What a worker is connected to.
pub struct Wiring {
    pub queue: Receiver<Order>,
    pub wake: Arc<EventFd>,
    pub counters: Arc<SharedCounters>,
    pub events: Sender<MediaEvent>,
    pub library: Arc<PromptLibrary>,
    pub sweep: Duration,
}

/// Starts the thread.
pub fn spawn(number: usize, wiring: Wiring) -> io::Result<JoinHandle<()>> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&*wiring.wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    thread::Builder::new().name(format!("media-{number}")).spawn(move || Worker::new(wiring, epoll, seed).run())
}

struct Worker {
    wiring: Wiring,
    epoll: Epoll,
    exchange: Exchange,
    /// By slot.
    sockets: Vec<Option<Arc<PortPair>>>,
    out: Outbox,
    waiting: VecDeque<MediaEvent>,
    origin: std::time::Instant,
    load: Load,
}

/// How much comes in.
struct Load {
    since: Instant,
    packets: u32,
    busy: bool,
}

impl Worker {
    fn new(wiring: Wiring, epoll: Epoll, seed: [u8; 32]) -> Worker {
        Worker {
            exchange: Exchange::new(wiring.library.clone(), seed),
            wiring,
            epoll,
            sockets: Vec::new(),
            out: Outbox::new(Clock::new(Instant::ZERO, Timestamp::now())),
            waiting: VecDeque::new(),
            origin: std::time::Instant::now(),
            load: Load { since: Instant::ZERO, packets: 0, busy: false },
        }
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.origin.elapsed().as_micros() as u64)
    }

    fn run(mut self) {
        let mut ready = vec![EpollEvent::empty(); MAX_READY];
        let (mut publish_due, mut anchor_due) = (Instant::ZERO, Instant::ZERO);
        let mut swept = Instant::ZERO;
        loop {
            if self.load.busy {
                // All that comes within a sweep is taken in one look.
                thread::sleep(self.wiring.sweep.saturating_sub(self.now().since(swept)));
            }
            let count = self.wait(publish_due, &mut ready);
            swept = self.now();
            // What was ordered before a packet came is in force for that packet.
            if !self.take_orders() {
                return;
            }
            for event in ready.iter().take(count) {
                self.read(swept, event.data());
            }
            self.exchange.tick(swept, &mut self.out);
            self.flush();
            self.load.count(swept, count as u32);
            if swept >= publish_due {
                publish_due = swept + PUBLISH_EVERY;
                self.wiring.counters.publish(&self.exchange.counters);
            }
            if swept >= anchor_due {
                anchor_due = swept + ANCHOR_EVERY;
                self.out.clock = Clock::new(swept, Timestamp::now());
            }
        }
    }

    /// Waits for sockets and orders until something is due; gives the number of those that are ready.
    fn wait(&self, publish_due: Instant, ready: &mut [EpollEvent]) -> usize {
        let now = self.now();
        let retry = if self.waiting.is_empty() { publish_due } else { now + RETRY_EVENTS };
        let idle = self.exchange.next_due().min(publish_due).min(retry).since(now);
        // Rounded up: waking a moment early would only mean waiting once more.
        let ms = if self.load.busy { 0 } else { idle.as_micros().div_ceil(1_000) };
        let timeout = EpollTimeout::from(u16::try_from(ms).unwrap_or(1_000));
        // The only error that can come is an interruption by a signal: look again.
        self.epoll.wait(ready, timeout).unwrap_or(0)
    }

    /// Carries out what the front ordered; false when it is gone.
    fn take_orders(&mut self) -> bool {
        for _ in 0..MAX_ORDERS {
            match self.wiring.queue.try_recv() {
                Ok(order) => self.obey(order),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        // More wait: don't sleep before them.
        let _ = self.wiring.wake.write(1);
        true
    }

    fn obey(&mut self, order: Order) {
        let now = self.now();
        match order {
            Order::Open { leg, sockets } => self.open(now, leg, sockets),
            Order::Command(MediaCommand::Close { leg }) => self.close(now, leg),
            Order::Command(command) => self.exchange.command(now, command),
            Order::Library(library) => self.exchange.set_library(library),
        }
    }

    fn open(&mut self, now: Instant, leg: LegId, sockets: Arc<PortPair>) {
        // The switch counts legs up and never opens one twice; if it did, the new one replaces the old.
        self.close(now, leg);
        let slot = self.exchange.open(now, leg);
        let names = [(&sockets.rtp, slot as u64 * 2), (&sockets.rtcp, slot as u64 * 2 + 1)];
        for (socket, name) in names {
            if let Err(error) = self.epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, name)) {
                tracing::error!(%leg, %error, "media socket can't be watched");
            }
        }
        if self.sockets.len() <= slot {
            self.sockets.resize(slot + 1, None);
        }
        if let Some(place) = self.sockets.get_mut(slot) {
            *place = Some(sockets);
        }
    }

    fn close(&mut self, now: Instant, leg: LegId) {
        let Some(slot) = self.exchange.close(now, leg, &mut self.out) else { return };
        self.flush();
        if let Some(sockets) = self.sockets.get_mut(slot).and_then(Option::take) {
            // Kept bound by the front, no longer watched by us.
            let _ = self.epoll.delete(&sockets.rtp);
            let _ = self.epoll.delete(&sockets.rtcp);
        }
    }

    /// Takes one datagram from a ready socket.
    fn read(&mut self, now: Instant, name: u64) {
        if name == WAKE {
            let _ = self.wiring.wake.read();
            return;
        }
        let slot = (name / 2) as usize;
        let channel = if name.is_multiple_of(2) { Channel::Rtp } else { Channel::Rtcp };
        let Some(sockets) = self.sockets.get(slot).and_then(Option::as_ref) else { return };
        let socket = if channel == Channel::Rtp { &sockets.rtp } else { &sockets.rtcp };
        // One byte more than a packet may have, so that a longer one is seen to be junk.
        let mut bytes = [0; MAX_PACKET + 1];
        // An ICMP error reported here concerns something that we sent, and says nothing about what comes.
        let Ok((length, source)) = socket.recv_from(&mut bytes) else { return };
        let Some(datagram) = bytes.get(..length) else { return };
        self.exchange.receive(now, slot, channel, plain(source), datagram, &mut self.out);
    }

    /// Sends what is to be sent and tells what is to be told. Never waits.
    fn flush(&mut self) {
        let mut failed = 0;
        for (packet, bytes) in self.out.packets() {
            let Some(sockets) = self.sockets.get(packet.slot).and_then(Option::as_ref) else { continue };
            let socket = match packet.channel {
                Channel::Rtp => &sockets.rtp,
                Channel::Rtcp => &sockets.rtcp,
            };
            if socket.send_to(bytes, packet.to).is_err() {
                failed += 1;
            }
        }
        self.exchange.counters.send_failed += failed;
        self.out.clear_packets();
        if !self.out.events.is_empty() || !self.waiting.is_empty() {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let counters = &mut self.exchange.counters;
        while let Some(event) = self.waiting.pop_front() {
            match self.wiring.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.waiting.push_front(event);
                    break;
                }
                Err(TrySendError::Closed(_)) => counters.events_dropped += 1,
            }
        }
        for event in self.out.events.drain(..) {
            let event = if self.waiting.is_empty() {
                match self.wiring.events.try_send(event) {
                    Ok(()) => continue,
                    Err(TrySendError::Full(event)) => event,
                    Err(TrySendError::Closed(_)) => {
                        counters.events_dropped += 1;
                        continue;
                    }
                }
            } else {
                event
            };
            counters.events_delayed += 1;
            if !make_room(&mut self.waiting) {
                counters.events_dropped += 1;
            }
            self.waiting.push_back(event);
        }
    }
}

/// Keeps the ring within bounds; false when an event had to go. The oldest passing report goes first: the next one says more.
fn make_room(waiting: &mut VecDeque<MediaEvent>) -> bool {
    if waiting.len() < MAX_EVENTS {
        return true;
    }
    let passing = waiting.iter().position(|event| matches!(event, MediaEvent::Report { last: false, .. }));
    waiting.remove(passing.unwrap_or(0));
    false
}

impl Load {
    fn count(&mut self, now: Instant, packets: u32) {
        self.packets += packets;
        if now.since(self.since) >= BUSY_WINDOW {
            self.busy = self.packets >= BUSY_PACKETS;
            self.since = now;
            self.packets = 0;
        }
    }
}

/// An IPv4 address as such, even from a socket that shows it within IPv6.
fn plain(source: SocketAddr) -> SocketAddr {
    SocketAddr::new(source.ip().to_canonical(), source.port())
}

//! The front of the media path: starts the worker threads, hands each command to the worker that has its leg, and owns the
//! sockets, which stay bound from first use on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use nix::sys::eventfd::{EfdFlags, EventFd};
use thiserror::Error;
use tokio::sync::mpsc::Sender;

use super::counters::{Counters, SharedCounters};
use super::ports::Ports;
use super::prompts::PromptLibrary;
use super::worker::{self, Order, Wiring};
use crate::call::media::{MediaCommand, MediaEvent};
use crate::ids::{CallId, LegId};
use crate::time::Duration;

/// Commands that may wait for one worker. A worker empties its queue each millisecond; a full one means it is stuck.
pub const MAX_COMMANDS: usize = 8_192;
/// Worker threads at most: more than any machine of a hospital has cores for.
pub const MAX_WORKERS: usize = 64;

/// How the media path runs.
#[derive(Clone, Debug)]
pub struct MediaOptions {
    /// Worker threads, 1 to [`MAX_WORKERS`].
    pub workers: usize,
    /// Under load a worker looks at its sockets this often instead of waking for each packet.
    pub sweep: Duration,
    /// DSCP of what we send, 0 to 63. 46 is Expedited Forwarding (RFC 3246).
    pub dscp: u8,
}

impl Default for MediaOptions {
    fn default() -> MediaOptions {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        MediaOptions { workers: (cores / 2).clamp(1, MAX_WORKERS), sweep: Duration::from_millis(1), dscp: 46 }
    }
}

/// A worker's queue is full; the command was not taken.
#[derive(Debug, Error)]
#[error("media worker overloaded")]
pub struct Overloaded;

/// The running media workers. Dropping it stops the threads and closes every socket.
pub struct Workers {
    workers: Vec<Worker>,
    routes: Mutex<Routes>,
    events: Sender<MediaEvent>,
    front: AtomicU64,
    refused: AtomicU64,
}

struct Worker {
    orders: SyncSender<Order>,
    wake: Arc<EventFd>,
    counters: Arc<SharedCounters>,
    thread: Option<JoinHandle<()>>,
}

/// Which worker has which leg, and every socket that was ever bound.
struct Routes {
    legs: HashMap<LegId, usize>,
    ports: Ports,
}

impl Workers {
    /// Starts the threads. Events are given to `events` without ever waiting for it: what does not fit waits in a bounded
    /// ring in the worker, from which reports are dropped first.
    pub fn start(
        options: MediaOptions,
        library: Arc<PromptLibrary>,
        events: Sender<MediaEvent>,
    ) -> std::io::Result<Workers> {
        let mut workers = Vec::new();
        for number in 0..options.workers.clamp(1, MAX_WORKERS) {
            let (orders, queue) = sync_channel(MAX_COMMANDS);
            let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?);
            let counters = Arc::new(SharedCounters::default());
            let wiring = Wiring {
                queue,
                wake: wake.clone(),
                counters: counters.clone(),
                events: events.clone(),
                library: library.clone(),
                sweep: options.sweep,
            };
            let thread = worker::spawn(number, wiring)?;
            workers.push(Worker { orders, wake, counters, thread: Some(thread) });
        }
        let routes = Mutex::new(Routes { legs: HashMap::new(), ports: Ports::new(options.dscp) });
        Ok(Workers { workers, routes, events, front: AtomicU64::new(0), refused: AtomicU64::new(0) })
    }

    /// Hands a command to the worker that has its leg; never waits. A command for a leg that nobody knows is counted.
    pub fn send(&self, command: MediaCommand) -> Result<(), Overloaded> {
        // A panic elsewhere can't leave the tables half-written: each is changed by single calls.
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let (leg, partner) = legs_of(&command);
        if let MediaCommand::Open { call, leg, local, port } = command {
            return match routes.ports.take(local, port) {
                Ok(sockets) => {
                    let worker = self.worker_of(call);
                    routes.legs.insert(leg, worker);
                    self.order(worker, Order::Open { leg, sockets })
                }
                Err(error) => {
                    let reason = error.to_string();
                    if self.events.try_send(MediaEvent::OpenFailed { leg, port, reason }).is_err() {
                        self.refused.fetch_add(1, Ordering::Relaxed);
                        return Err(Overloaded);
                    }
                    Ok(())
                }
            };
        }
        let worker = match &command {
            MediaCommand::Close { leg } => routes.legs.remove(leg),
            MediaCommand::Open { .. }
            | MediaCommand::Session { .. }
            | MediaCommand::Play { .. }
            | MediaCommand::StopPlay { .. }
            | MediaCommand::Bridge { .. }
            | MediaCommand::Unbridge { .. }
            | MediaCommand::SendDigit { .. } => routes.legs.get(&leg).copied(),
        };
        let apart = partner.is_some_and(|partner| routes.legs.get(&partner).copied() != worker);
        drop(routes);
        match worker {
            Some(worker) if !apart => self.order(worker, Order::Command(command)),
            _ => {
                self.front.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Gives every worker a new set of prompts. What plays now plays on from the old one.
    pub fn set_library(&self, library: Arc<PromptLibrary>) {
        for worker in &self.workers {
            // A worker whose queue is full keeps the old prompts; the counter of refused commands says so.
            if worker.orders.try_send(Order::Library(library.clone())).is_err() {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
            let _ = worker.wake.write(1);
        }
    }

    /// Totals over all workers, at most 100 ms old.
    pub fn counters(&self) -> Counters {
        let mut total = Counters::default();
        self.workers.iter().for_each(|worker| worker.counters.add_to(&mut total));
        total.commands_ignored += self.front.load(Ordering::Relaxed);
        total.commands_refused += self.refused.load(Ordering::Relaxed);
        total
    }

    /// All legs of a call sit on one worker: relaying needs no thread but its own.
    fn worker_of(&self, call: CallId) -> usize {
        (call.0.0 % self.workers.len().max(1) as u128) as usize
    }

    fn order(&self, worker: usize, order: Order) -> Result<(), Overloaded> {
        let Some(worker) = self.workers.get(worker) else { return Err(Overloaded) };
        match worker.orders.try_send(order) {
            Ok(()) => {
                // The counter of an eventfd can't overflow by ones within a process's life.
                let _ = worker.wake.write(1);
                Ok(())
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                Err(Overloaded)
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            // The sender goes with the worker below; the wake makes the thread look and find it gone.
            let (closed, _) = sync_channel(1);
            worker.orders = closed;
            let _ = worker.wake.write(1);
        }
        for worker in &mut self.workers {
            if let Some(thread) = worker.thread.take() {
                let _ = thread.join();
            }
        }
    }
}

/// The leg a command is about, and the other one where it joins or parts two.
fn legs_of(command: &MediaCommand) -> (LegId, Option<LegId>) {
    match command {
        MediaCommand::Open { leg, .. }
        | MediaCommand::Session { leg, .. }
        | MediaCommand::Play { leg, .. }
        | MediaCommand::StopPlay { leg }
        | MediaCommand::SendDigit { leg, .. }
        | MediaCommand::Close { leg } => (*leg, None),
        MediaCommand::Bridge { a, b } | MediaCommand::Unbridge { a, b } => (*a, Some(*b)),
    }
}

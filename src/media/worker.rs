//! One worker thread: the only place of the media path with sockets and a clock.
#![allow(clippy::disallowed_methods)] // The media path's edge: its threads ask the clock and hand `now` inwards.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;

use nix::sys::eventfd::EventFd;
use tokio::sync::mpsc::Sender;

use super::counters::SharedCounters;
use super::ports::PortPair;
use super::prompts::PromptLibrary;
use crate::call::media::{MediaCommand, MediaEvent};
use crate::ids::LegId;
use crate::time::Duration;

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
pub fn spawn(number: usize, wiring: Wiring) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(format!("media-{number}")).spawn(move || while wiring.queue.recv().is_ok() {})
}

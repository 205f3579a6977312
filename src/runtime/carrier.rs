//! The thread that owns the switch: inputs in, the journal first, then everything else out.
//!
//! ```text
//!  inbox ─batch─▶ switch.handle … ─▶ records ──▶ journal (write(2))
//!                                 └▶ then: UDP, TCP, media, queries, replies
//! ```
//! Nothing here waits for a store, a name server or a slow peer: each has a queue of its own with a bound.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::ids::CommandId;
use crate::media::Workers;
use crate::runtime::clock::MonotonicClock;
use crate::runtime::inbox::{Inbox, Lane};
use crate::runtime::names::Names;
use crate::runtime::tcp::SipTcp;
use crate::runtime::tls::Secure;
use crate::runtime::told;
use crate::runtime::udp::UdpListener;
use crate::sip::{Flow, Transport};
use crate::store::{Appended, Journal, JournalState};
use crate::switch::{Action, Answer, Command, Input, Query, Reply, Switch};
use crate::ticket::Record;
use crate::time::Duration;

/// How often the switch is told the wall time, so that a stepped clock shows in tickets soon and in timers never.
const WALL_EVERY: Duration = Duration::from_secs(30);
/// Commands that wait for their reply; the control socket serves a handful of people.
const MAX_COMMANDS: usize = 256;

/// Whoever waits for the answer to a command.
#[derive(Default)]
pub struct Replies {
    waiting: Mutex<BTreeMap<CommandId, oneshot::Sender<Reply>>>,
    next: AtomicU64,
}

impl Replies {
    /// Asks the switch and waits for its reply.
    ///
    /// # Errors
    /// When too many commands wait already, or the switch is gone.
    pub async fn ask(&self, inbox: &Inbox, command: Command) -> anyhow::Result<Reply> {
        let id = CommandId(self.next.fetch_add(1, Ordering::Relaxed));
        let (sender, reply) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            anyhow::ensure!(waiting.len() < MAX_COMMANDS, "too many commands wait for an answer");
            waiting.insert(id, sender);
        }
        if !inbox.push(Lane::Control, Input::Command { id, command }) {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            anyhow::bail!("the switch takes no commands now");
        }
        Ok(reply.await?)
    }

    fn reply(&self, id: CommandId, reply: Reply) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some(waiting) = waiting {
            // Whoever asked may have gone away meanwhile.
            let _ = waiting.send(reply);
        }
    }
}

/// Every way out of the switch.
pub struct Carrier {
    pub clock: MonotonicClock,
    pub inbox: Arc<Inbox>,
    pub journal: Arc<Journal>,
    pub udp: Arc<BTreeMap<SocketAddr, UdpListener>>,
    pub tcp: Arc<BTreeMap<SocketAddr, SipTcp>>,
    /// `None`: nothing here speaks TLS.
    pub secure: Option<Arc<Secure>>,
    pub media: Arc<Workers>,
    pub names: Names,
    pub desk: Arc<Replies>,
}

impl Carrier {
    /// Runs until the inbox is closed.
    pub fn run(self, mut switch: Switch) {
        let mut wall_at = self.clock.now() + WALL_EVERY;
        self.carry_out(&mut switch);
        loop {
            let deadline = switch.poll_timeout().map_or(wall_at, |at| at.min(wall_at));
            let Some(batch) = self.inbox.take(Some(deadline)) else { return };
            let full = self.journal.state() == JournalState::Full;
            for input in batch {
                let input = if full { refuse_new(input) } else { input };
                switch.handle(self.clock.now(), input);
            }
            let now = self.clock.now();
            if now >= wall_at {
                wall_at = now + WALL_EVERY;
                switch.handle(now, Input::Wall(MonotonicClock::wall()));
            }
            if switch.poll_timeout().is_some_and(|at| at <= now) {
                switch.handle(now, Input::Timeout);
            }
            self.carry_out(&mut switch);
        }
    }

    /// Records of the whole batch reach the journal before any of its packets leave.
    fn carry_out(&self, switch: &mut Switch) {
        let mut rest = Vec::new();
        while let Some(action) = switch.poll_action() {
            match action {
                Action::Record(record) => self.keep(&record),
                other => rest.push(other),
            }
        }
        for action in rest {
            match action {
                // All records came out above.
                Action::Record(_) => {}
                Action::Transmit { flow, bytes } => self.transmit(flow, bytes),
                Action::CloseStream { conn } => self.tcp.values().for_each(|listener| listener.close_after(conn)),
                Action::PeerNames(names) => {
                    if let Some(secure) = &self.secure {
                        secure.expect(names);
                    }
                }
                Action::Media(command) => {
                    if self.media.send(command).is_err() {
                        tracing::error!("a media worker takes no commands");
                    }
                }
                Action::Query { id, query } => match query {
                    // One node: whoever the switch's own desk has leased is leased.
                    Query::Reserve { .. } => {
                        self.inbox.push(Lane::Answers, Input::Answer { query: id, answer: Answer::Reserved(true) });
                    }
                    Query::Resolve { host, port, transport } => self.names.resolve(id, host, port, transport),
                },
                Action::Reply { id, reply } => self.desk.reply(id, reply),
                Action::TurnedDown(down) => told::turned_down(&down),
            }
        }
    }

    /// Into the journal, and as a line of the log.
    fn keep(&self, record: &Record) {
        match self.journal.append(record) {
            Appended::Written | Appended::Held => {}
            Appended::Lost | Appended::OutOfOrder => {
                tracing::error!(seq = record.seq.0, "a record could not be kept");
            }
        }
        told::tell(record);
    }

    fn transmit(&self, flow: Flow, bytes: Bytes) {
        let sent = match flow.transport {
            Transport::Udp => self.udp.get(&flow.local).is_some_and(|listener| {
                listener.send(flow.remote, &bytes).inspect_err(|error| self.send_failed(flow, error)).is_ok()
            }),
            Transport::Tcp | Transport::Tls => {
                let listener = self.tcp.get(&flow.local).filter(|listener| listener.transport() == flow.transport);
                if let Some(listener) = listener {
                    listener.send(flow, bytes);
                }
                listener.is_some()
            }
        };
        if !sent && flow.transport.is_stream() {
            self.inbox.push(Lane::Responses, Input::Unreachable { flow });
        }
    }

    fn send_failed(&self, flow: Flow, error: &std::io::Error) {
        tracing::debug!(remote = %flow.remote, %error, "sending SIP failed");
        // No room is our own trouble and passes; everything else says that nobody is there.
        let no_room = matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::OutOfMemory)
            || error.raw_os_error() == Some(libc::ENOBUFS);
        if !no_room {
            self.inbox.push(Lane::Responses, Input::Unreachable { flow });
        }
    }
}

/// While the journal can keep nothing more, no new call begins: its ticket could be lost.
fn refuse_new(input: Input) -> Input {
    match input {
        Input::Message { flow, bytes } if Lane::of_message(&bytes) == Lane::Invites => Input::Overdue { flow, bytes },
        other => other,
    }
}

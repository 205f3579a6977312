//! The life of a node: read, open, bind, serve, drain, stop.
//!
//! ```text
//!  version ─▶ store (restore) ─▶ prompts read ─▶ sockets ─▶ switch thread ─▶ ready
//!                                     └──▶ encoded on a thread of their own
//!     SIGHUP, `wardline publish`, `rollback`, `reload`: a new version, or a report of what is wrong with it
//!     SIGTERM, SIGINT: drain (503 to new calls), at most `drain`, BYE to the rest, journal flushed, exit 0
//! ```
//! `serve` never supervises itself: systemd or compose restarts it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::api::{ApiState, Change, ChangeRequest, Gauges};
use crate::call::media::MediaEvent;
use crate::config::{Config, Content};
use crate::ids::{HospitalId, Language};
use crate::media::{MediaOptions, PromptLibrary, Workers};
use crate::runtime::canary::{self, CanaryWatch};
use crate::runtime::carrier::{Carrier, Replies};
use crate::runtime::clock::MonotonicClock;
use crate::runtime::inbox::{Inbox, Lane};
use crate::runtime::names::Names;
use crate::runtime::recall;
use crate::runtime::tcp::{SipTcp, Wire};
use crate::runtime::tls::Secure;
use crate::runtime::udp::UdpListener;
use crate::runtime::versions::{Chosen, Publisher};
use crate::sip::Transport;
use crate::store::{self, Restored, Store};
use crate::switch::{Command, Input, Memory, Reply, Switch, untold};
use crate::time::Duration;

/// Threads for everything that is not the switch, a media worker or a UDP receiver.
const ASYNC_THREADS: usize = 2;
/// Media events between the workers and the inbox.
const MEDIA_EVENTS: usize = 16_384;
/// Changes that wait: each reads a whole folder.
const MAX_CHANGES: usize = 8;
/// How often a draining node looks whether its last call has gone.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// After BYE went to the last calls: time for their answers.
const GOODBYE: Duration = Duration::from_secs(2);

/// Serves what was [`chosen`](crate::runtime::versions::choose) until a signal stops it.
///
/// # Errors
/// What could not be opened or bound, in words.
pub fn serve(chosen: Chosen) -> anyhow::Result<()> {
    let (store, restored) =
        store::open(&chosen.loaded.config.node.data_dir, store::journal::Options::default(), MonotonicClock::wall())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(ASYNC_THREADS).enable_all().build()?;
    if chosen.loaded.warnings.warnings() > 0 {
        tracing::warn!(places = chosen.loaded.warnings.places(), "what runs has warnings: see `wardline check`");
    }
    tell_damage(&store);
    let served = runtime.block_on(run(chosen, &store, restored));
    // The journal and the projector's last batch are closed properly, whatever came before.
    drop(store);
    tracing::info!("stopped");
    served
}

async fn run(chosen: Chosen, store: &Store, restored: Restored) -> anyhow::Result<()> {
    // Before anything serves: a signal that comes while the node starts is obeyed once it has.
    let signals = Signals::caught()?;
    Serving::begun(chosen, store, restored).await?.until_stopped(signals).await
}

/// A node that serves, by what it takes to stop it.
struct Serving {
    inbox: Arc<Inbox>,
    desk: Arc<Replies>,
    /// The thread that owns the switch, and what resolves when it has ended.
    switch: (std::thread::JoinHandle<()>, oneshot::Receiver<()>),
    /// Whether new calls are welcome; /readyz shows it.
    ready: watch::Sender<bool>,
    changes: mpsc::Sender<ChangeRequest>,
    publisher: JoinHandle<()>,
    control: JoinHandle<()>,
    drain: Duration,
}

impl Serving {
    /// Ears first, then the switch, then what asks it: by the line "ready" everything serves.
    async fn begun(chosen: Chosen, store: &Store, restored: Restored) -> anyhow::Result<Serving> {
        let clock = MonotonicClock::new();
        let (content, (config, versions)) = (chosen.content.clone(), chosen.settled()?);
        let inbox = Arc::new(Inbox::new(clock));
        let memory = recall::memory(&config, &restored, MonotonicClock::wall());
        if let Some(untold) = untold(&config, &memory.incidents) {
            tracing::warn!("{untold}");
        }
        let library = library(&content, &config)?;
        let media = Arc::new(start_media(&library, &config, &inbox)?);
        let (udp, tcp, secure) = bind(&config, &inbox).await?;
        let rehearsing = rehearsing(&config, &memory);
        let switch = Switch::new(Arc::clone(&config), memory, seed()?, clock.now(), MonotonicClock::wall());
        let desk = Arc::new(Replies::default());
        let carrier = Carrier {
            clock,
            inbox: Arc::clone(&inbox),
            journal: Arc::clone(&store.journal),
            udp: Arc::clone(&udp),
            tcp: Arc::clone(&tcp),
            secure: secure.clone(),
            media: Arc::clone(&media),
            names: Names::new(tokio::runtime::Handle::current(), Arc::clone(&inbox))?,
            desk: Arc::clone(&desk),
        };
        let switch = on_its_thread(carrier, switch)?;
        follow_journal(store, &inbox);

        let canary = canary::start(&config, clock)?;
        let (ready, ready_seen) = watch::channel(true);
        let (changes, wanted) = mpsc::channel(MAX_CHANGES);
        let published = versions.clone();
        let (told, config_seen) = watch::channel(Arc::clone(&config));
        let state = Arc::new(ApiState {
            inbox: Arc::clone(&inbox),
            desk: Arc::clone(&desk),
            data_dir: config.node.data_dir.clone(),
            ready: ready_seen,
            changes: changes.clone(),
            config: config_seen,
            published: Arc::new(move || published.status()),
            gauges: gauges(clock, store, &media, &inbox, (&udp, &tcp), canary),
        });
        let control = open_api(state, &config).await?;
        let (name, drain, plain) = (config.node.name.clone(), config.node.drain, unencrypted(&config));
        let (changed, asked) = (Arc::clone(&inbox), Arc::clone(&desk));
        let publisher =
            Publisher { versions, current: config, told, library, inbox: changed, desk: asked, media, secure };
        let publisher = publisher.start(wanted).await;
        tracing::info!(node = %name, version = env!("CARGO_PKG_VERSION"), %plain, rehearsal = %rehearsing, "ready");
        Ok(Serving { inbox, desk, switch, ready, changes, publisher, control, drain })
    }

    /// Until a signal, or until the switch breaks.
    ///
    /// # Errors
    /// The latter: nothing can be served any more.
    async fn until_stopped(self, signals: Signals) -> anyhow::Result<()> {
        let (switch, ended) = self.switch;
        let fault = tokio::select! {
            () = signals.wait_for_stop(&self.changes) => None,
            _ = ended => Some(anyhow::anyhow!("the switch ended by a fault of ours; the message above says where")),
        };
        self.ready.send_replace(false);
        if fault.is_none() {
            stop(&self.inbox, &self.desk, self.drain).await;
        }
        self.publisher.abort();
        self.control.abort();
        self.inbox.close();
        // A panic of that thread is on stderr already.
        let _ = switch.join();
        fault.map_or(Ok(()), Err)
    }
}

// -- Starting ---------------------------------------------------------------------------------------------------------

fn tell_damage(store: &Store) {
    for damage in &store.replay.damaged {
        tracing::error!(?damage, "the journal was damaged here; the records around it are whole");
    }
}

/// The thread that owns the switch, and what resolves when it has ended.
fn on_its_thread(
    carrier: Carrier,
    switch: Switch,
) -> anyhow::Result<(std::thread::JoinHandle<()>, oneshot::Receiver<()>)> {
    // Dropped when the thread ends, by a panic too: without a switch there is nothing to serve.
    let (running, ended) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new().name("switch".to_owned()).spawn(move || {
        let _running = running;
        carrier.run(switch);
    })?;
    Ok((thread, ended))
}

/// The hospitals that are not live yet, "none" where all are.
fn rehearsing(config: &Config, memory: &Memory) -> String {
    let rehearsing = config.hospitals.keys().filter(|id| memory.standings.of(id).is_rehearsal());
    let names: Vec<&str> = rehearsing.map(HospitalId::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The trunks that go unencrypted, "none" where every one speaks TLS. Why, are words of the files: not for the log.
fn unencrypted(config: &Config) -> String {
    let plain: Vec<String> = config.node.plain().map(|(trunk, _)| trunk.to_string()).collect();
    if plain.is_empty() { "none".to_owned() } else { plain.join(", ") }
}

fn seed() -> anyhow::Result<[u8; 32]> {
    let mut seed = [0u8; 32];
    getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(seed)
}

fn library(content: &Content, config: &Config) -> anyhow::Result<Arc<PromptLibrary>> {
    let languages: Vec<&Language> = config.prompts.languages().collect();
    Ok(Arc::new(PromptLibrary::of(content, &languages, None)?))
}

async fn open_api(state: Arc<ApiState>, config: &Config) -> anyhow::Result<JoinHandle<()>> {
    let control = crate::api::control(Arc::clone(&state), &config.node.control_socket).await?;
    if let Some(address) = config.node.metrics {
        crate::api::public(state, address).await?;
    }
    Ok(control)
}

fn start_media(library: &Arc<PromptLibrary>, config: &Config, inbox: &Arc<Inbox>) -> anyhow::Result<Workers> {
    let (events, mut heard) = mpsc::channel::<MediaEvent>(MEDIA_EVENTS);
    library.encode_apart()?;
    let options = MediaOptions { workers: config.node.media.workers, ..MediaOptions::default() };
    let workers = Workers::start(options, Arc::clone(library), events)?;
    let inbox = Arc::clone(inbox);
    tokio::spawn(async move {
        while let Some(event) = heard.recv().await {
            inbox.push(Lane::Media, Input::Media(event));
        }
    });
    Ok(workers)
}

type Bound = (Listeners<UdpListener>, Listeners<SipTcp>, Option<Arc<Secure>>);

async fn bind(config: &Config, inbox: &Arc<Inbox>) -> anyhow::Result<Bound> {
    let udp = bind_udp(config, inbox)?;
    let secure = config.node.tls.as_ref().map(Secure::open).transpose()?.map(Arc::new);
    if let Some(secure) = &secure {
        secure.serve(&config.node);
    }
    let tcp = bind_streams(config, inbox, secure.as_ref()).await?;
    Ok((Arc::new(udp), Arc::new(tcp), secure))
}

fn bind_udp(config: &Config, inbox: &Arc<Inbox>) -> anyhow::Result<BTreeMap<SocketAddr, UdpListener>> {
    let wanted = config.node.listeners.values().filter(|listener| listener.transports.contains(&Transport::Udp));
    wanted.map(|listener| Ok((listener.bind, UdpListener::bind(listener.bind, Arc::clone(inbox))?))).collect()
}

/// Of one listener, tcp or tls: `check` refuses both on one port.
async fn bind_streams(
    config: &Config,
    inbox: &Arc<Inbox>,
    secure: Option<&Arc<Secure>>,
) -> anyhow::Result<BTreeMap<SocketAddr, SipTcp>> {
    let ids = Arc::new(AtomicU64::new(1));
    let mut bound = BTreeMap::new();
    for listener in config.node.listeners.values() {
        let wire = match secure {
            Some(secure) if listener.transports.contains(&Transport::Tls) => Wire::Secure(Arc::clone(secure)),
            Some(_) | None if listener.transports.contains(&Transport::Tcp) => Wire::Plain,
            Some(_) | None => continue,
        };
        let stream = SipTcp::bind(listener.bind, wire, Arc::clone(inbox), Arc::clone(&ids)).await?;
        bound.insert(listener.bind, stream);
    }
    Ok(bound)
}

/// Tells the switch how far the journal is durable.
fn follow_journal(store: &Store, inbox: &Arc<Inbox>) {
    let (mut durable, inbox) = (store.journal.watch_durable(), Arc::clone(inbox));
    tokio::spawn(async move {
        while durable.changed().await.is_ok() {
            let upto = *durable.borrow_and_update();
            inbox.push(Lane::Control, Input::Stored(upto));
        }
    });
}

/// By the address that they are bound to.
type Listeners<L> = Arc<BTreeMap<SocketAddr, L>>;

/// What /metrics shows beside the switch's own figures.
fn gauges(
    clock: MonotonicClock,
    store: &Store,
    media: &Arc<Workers>,
    inbox: &Arc<Inbox>,
    (udp, tcp): (&Listeners<UdpListener>, &Listeners<SipTcp>),
    canary: Option<CanaryWatch>,
) -> Arc<dyn Fn() -> Gauges + Send + Sync> {
    let (journal, media) = (Arc::clone(&store.journal), Arc::clone(media));
    let (inbox, udp, tcp) = (Arc::clone(inbox), Arc::clone(udp), Arc::clone(tcp));
    // A watch receiver is read through a lock of its own; two scrapes at a time are not worth more.
    let projected = Mutex::new(store.projector.watch());
    Arc::new(move || {
        let projected = projected.lock().unwrap_or_else(PoisonError::into_inner).borrow().clone();
        Gauges {
            uptime: clock.now().since(crate::time::Instant::ZERO),
            journal: journal.state(),
            trouble: journal.trouble(),
            written: journal.written_seq(),
            projected,
            media: media.counters(),
            inbox_dropped: inbox.dropped(),
            inbox_stale: inbox.stale(),
            tcp_connections: tcp.values().map(SipTcp::connections).sum(),
            tcp_refused: tcp.values().map(SipTcp::refused).sum(),
            udp_send_errors: udp.values().map(UdpListener::send_errors).sum(),
            canary: canary.as_ref().map(CanaryWatch::gauge),
        }
    })
}

// -- Stopping ---------------------------------------------------------------------------------------------------------

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn caught() -> anyhow::Result<Signals> {
        let caught = |kind| signal(kind).context("cannot catch signals");
        Ok(Signals {
            terminate: caught(SignalKind::terminate())?,
            interrupt: caught(SignalKind::interrupt())?,
            hang_up: caught(SignalKind::hangup())?,
        })
    }

    /// Returns at SIGTERM or SIGINT; SIGHUP publishes on the way.
    async fn wait_for_stop(mut self, changes: &mpsc::Sender<ChangeRequest>) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {
                    let (reply, _) = oneshot::channel();
                    let actor = "SIGHUP".to_owned();
                    let request = ChangeRequest { change: Change::reload(&actor), actor, reply };
                    if changes.try_send(request).is_err() {
                        tracing::warn!("too many changes wait already");
                    }
                }
            }
        }
    }
}

/// Line G83: new calls get 503, those that are up may finish, then BYE.
async fn stop(inbox: &Inbox, desk: &Replies, drain: Duration) {
    let actor = || "signal".to_owned();
    tell(inbox, desk, Command::Drain { actor: actor() }).await;
    tracing::info!(seconds = drain.as_secs(), "draining");
    if !quiet_within(inbox, desk, drain).await {
        tell(inbox, desk, Command::HangUpAll { actor: actor() }).await;
        quiet_within(inbox, desk, GOODBYE).await;
    }
    tell(inbox, desk, Command::Stop).await;
}

/// A command of the stop. A switch that does not answer must not keep the process from ending.
async fn tell(inbox: &Inbox, desk: &Replies, command: Command) {
    if !matches!(tokio::time::timeout(GOODBYE, desk.ask(inbox, command)).await, Ok(Ok(_))) {
        tracing::error!("the switch does not answer");
    }
}

async fn quiet_within(inbox: &Inbox, desk: &Replies, at_most: Duration) -> bool {
    let quiet = async {
        loop {
            match desk.ask(inbox, Command::Status).await {
                Ok(Reply::Status(status)) if status.calls + status.calling_back > 0 => {
                    tokio::time::sleep(LOOK_EVERY).await
                }
                Ok(_) | Err(_) => return,
            }
        }
    };
    tokio::time::timeout(at_most, quiet).await.is_ok()
}

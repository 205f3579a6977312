//! The life of a node: read, open, bind, serve, drain, stop.
//!
//! ```text
//!  config ─▶ store (restore) ─▶ prompts read ─▶ sockets ─▶ switch thread ─▶ ready
//!                                    └──▶ encoded on a thread of their own
//!     SIGHUP, `wardline reload`: a new configuration, or a report of what is wrong with it
//!     SIGTERM, SIGINT: drain (503 to new calls), at most `drain`, BYE to the rest, journal flushed, exit 0
//! ```
//! `serve` never supervises itself: systemd or compose restarts it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};

use crate::api::{ApiState, Gauges, ReloadKind, ReloadRequest};
use crate::call::media::MediaEvent;
use crate::config::{Config, Loaded, Node, Surroundings};
use crate::ids::Language;
use crate::media::{MediaOptions, PromptLibrary, Workers};
use crate::runtime::canary::{self, CanaryWatch};
use crate::runtime::carrier::{Carrier, Replies};
use crate::runtime::clock::MonotonicClock;
use crate::runtime::inbox::{Inbox, Lane};
use crate::runtime::names::Names;
use crate::runtime::recall;
use crate::runtime::tcp::SipTcp;
use crate::runtime::udp::UdpListener;
use crate::sip::Transport;
use crate::store::{self, Restored, Store};
use crate::switch::{Command, Input, Reply, Switch};
use crate::time::Duration;

/// Threads for everything that is not the switch, a media worker or a UDP receiver.
const ASYNC_THREADS: usize = 2;
/// Media events between the workers and the inbox.
const MEDIA_EVENTS: usize = 16_384;
/// Reloads that wait: each reads the whole folder.
const MAX_RELOADS: usize = 8;
/// How often a draining node looks whether its last call has gone.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// After BYE went to the last calls: time for their answers.
const GOODBYE: Duration = Duration::from_secs(2);

/// A configuration that cannot run, rendered for people: exit code 64.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

/// Serves what was [`load`]ed from the folder `config_dir` until a signal stops it.
///
/// # Errors
/// What could not be opened or bound, in words.
pub fn serve(config_dir: &Path, loaded: Loaded) -> anyhow::Result<()> {
    let (store, restored) = store::open(&loaded.config.node.data_dir, store::journal::Options::default())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(ASYNC_THREADS).enable_all().build()?;
    for warning in loaded.warnings.diagnostics() {
        tracing::warn!(file = %warning.file, "{}", warning.what);
    }
    let served = runtime.block_on(run(config_dir.to_path_buf(), Arc::new(loaded.config), &store, restored));
    // The journal and the projector's last batch are closed properly, whatever came before.
    drop(store);
    tracing::info!("stopped");
    served
}

/// Reads and checks the folder.
///
/// # Errors
/// [`Invalid`] when there is nothing valid to run.
pub fn load(config_dir: &Path) -> anyhow::Result<Loaded> {
    let surroundings = Surroundings::of_process(MonotonicClock::wall());
    Ok(crate::config::load(config_dir, &surroundings)
        .map_err(|report| Invalid(crate::config::render::text(&report, false)))?)
}

async fn run(config_dir: PathBuf, config: Arc<Config>, store: &Store, restored: Restored) -> anyhow::Result<()> {
    let clock = MonotonicClock::new();
    let inbox = Arc::new(Inbox::new(clock));
    let data_dir = config.node.data_dir.clone();
    for damage in &store.replay.damaged {
        tracing::error!(?damage, "the journal was damaged here; the records around it are whole");
    }
    let memory = recall::memory(&config, &restored, MonotonicClock::wall());
    let media = Arc::new(start_media(&config_dir, &config, &inbox)?);
    let udp = Arc::new(bind_udp(&config, &inbox)?);
    let tcp = Arc::new(bind_tcp(&config, &inbox).await?);
    let mut seed = [0u8; 32];
    getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    let switch = Switch::new(Arc::clone(&config), memory, seed, clock.now(), MonotonicClock::wall());
    let desk = Arc::new(Replies::default());
    let carrier = Carrier {
        clock,
        inbox: Arc::clone(&inbox),
        journal: Arc::clone(&store.journal),
        udp: Arc::clone(&udp),
        tcp: Arc::clone(&tcp),
        media: Arc::clone(&media),
        names: Names::new(tokio::runtime::Handle::current(), Arc::clone(&inbox))?,
        desk: Arc::clone(&desk),
    };
    // Dropped when the thread ends, by a panic too: without a switch there is nothing to serve.
    let (running, ended) = oneshot::channel::<()>();
    let switch_thread = std::thread::Builder::new().name("switch".to_owned()).spawn(move || {
        let _running = running;
        carrier.run(switch);
    })?;
    follow_journal(store, &inbox);

    let canary = canary::start(&config, clock)?;
    let (ready, ready_seen) = watch::channel(true);
    let (reload, reloads) = mpsc::channel(MAX_RELOADS);
    let state = Arc::new(ApiState {
        inbox: Arc::clone(&inbox),
        desk: Arc::clone(&desk),
        data_dir,
        ready: ready_seen,
        reload: reload.clone(),
        gauges: gauges(clock, store, &media, &inbox, (&udp, &tcp), canary),
    });
    let control = crate::api::control(Arc::clone(&state), &config.node.control_socket).await?;
    if let Some(address) = config.node.metrics {
        crate::api::public(Arc::clone(&state), address).await?;
    }
    let (name, drain) = (config.node.name.clone(), config.node.drain);
    let reloader = tokio::spawn(serve_reloads(config_dir, config, Arc::clone(&inbox), Arc::clone(&media), reloads));
    tracing::info!(node = %name, version = env!("CARGO_PKG_VERSION"), "ready");

    let fault = tokio::select! {
        stopped = wait_for_stop(&reload) => stopped.err(),
        _ = ended => Some(anyhow::anyhow!("the switch ended by a fault of ours; the message above says where")),
    };
    ready.send_replace(false);
    if fault.is_none() {
        stop(&inbox, &desk, drain).await;
    }
    reloader.abort();
    control.abort();
    inbox.close();
    // A panic of that thread is on stderr already.
    let _ = switch_thread.join();
    fault.map_or(Ok(()), Err)
}

// -- Starting ---------------------------------------------------------------------------------------------------------

fn start_media(config_dir: &Path, config: &Config, inbox: &Arc<Inbox>) -> anyhow::Result<Workers> {
    let (events, mut heard) = mpsc::channel::<MediaEvent>(MEDIA_EVENTS);
    let library = Arc::new(library(config_dir, config)?);
    library.encode_apart()?;
    let options = MediaOptions { workers: config.node.media.workers, ..MediaOptions::default() };
    let workers = Workers::start(options, library, events)?;
    let inbox = Arc::clone(inbox);
    tokio::spawn(async move {
        while let Some(event) = heard.recv().await {
            inbox.push(Lane::Media, Input::Media(event));
        }
    });
    Ok(workers)
}

/// prompts/ lies beside the configuration folder.
fn library(config_dir: &Path, config: &Config) -> anyhow::Result<PromptLibrary> {
    let folder = config_dir.parent().unwrap_or(Path::new("")).join("prompts");
    let languages: Vec<Language> = config.prompts.languages().cloned().collect();
    PromptLibrary::load(&folder, &languages).with_context(|| format!("cannot load {}", folder.display()))
}

fn bind_udp(config: &Config, inbox: &Arc<Inbox>) -> anyhow::Result<BTreeMap<SocketAddr, UdpListener>> {
    let wanted = config.node.listeners.values().filter(|listener| listener.transports.contains(&Transport::Udp));
    wanted.map(|listener| Ok((listener.bind, UdpListener::bind(listener.bind, Arc::clone(inbox))?))).collect()
}

async fn bind_tcp(config: &Config, inbox: &Arc<Inbox>) -> anyhow::Result<BTreeMap<SocketAddr, SipTcp>> {
    let ids = Arc::new(AtomicU64::new(1));
    let mut bound = BTreeMap::new();
    for listener in config.node.listeners.values().filter(|listener| listener.transports.contains(&Transport::Tcp)) {
        bound.insert(listener.bind, SipTcp::bind(listener.bind, Arc::clone(inbox), Arc::clone(&ids)).await?);
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

// -- While it runs ----------------------------------------------------------------------------------------------------

/// Applies new versions one at a time. An invalid one changes nothing and says why.
async fn serve_reloads(
    config_dir: PathBuf,
    mut current: Arc<Config>,
    inbox: Arc<Inbox>,
    media: Arc<Workers>,
    mut requests: mpsc::Receiver<ReloadRequest>,
) {
    while let Some(request) = requests.recv().await {
        let applied = match request.what {
            ReloadKind::Accounts => apply_accounts(&current, &inbox).await,
            ReloadKind::Config => match apply_config(&config_dir, &current, &inbox, &media, &request.actor).await {
                Ok((next, told)) => {
                    current = next;
                    Ok(told)
                }
                Err(error) => Err(error),
            },
        };
        match &applied {
            Ok(told) => tracing::info!(actor = %request.actor, "{told}"),
            Err(error) => tracing::warn!(actor = %request.actor, %error, "reload refused; nothing changed"),
        }
        // Whoever asked may have gone away meanwhile.
        let _ = request.reply.send(applied.map_err(|error| error.to_string()));
    }
}

async fn apply_accounts(config: &Config, inbox: &Inbox) -> anyhow::Result<String> {
    let credentials = store::credentials(&config.node.data_dir).await?;
    let accounts = recall::accounts(config, &credentials);
    let told = format!("{} phones have a password", accounts.len());
    inbox.push(Lane::Control, Input::Accounts(accounts));
    Ok(told)
}

async fn apply_config(
    config_dir: &Path,
    current: &Config,
    inbox: &Inbox,
    media: &Workers,
    actor: &str,
) -> anyhow::Result<(Arc<Config>, String)> {
    let (folder, actor) = (config_dir.to_path_buf(), actor.to_owned());
    let loaded = tokio::task::spawn_blocking(move || load(&folder)).await??;
    let next = Arc::new(loaded.config);
    if next.version == current.version {
        return Ok((next, "nothing has changed".to_owned()));
    }
    let needs_restart = needs_restart(&current.node, &next.node);
    anyhow::ensure!(
        needs_restart.is_empty(),
        "{} cannot change while calls are up; restart the node to apply it",
        needs_restart.join(", ")
    );
    let read = {
        let (config_dir, next) = (config_dir.to_path_buf(), Arc::clone(&next));
        move || library(&config_dir, &next).inspect(PromptLibrary::encode)
    };
    media.set_library(Arc::new(tokio::task::spawn_blocking(read).await??));
    let credentials = store::credentials(&next.node.data_dir).await?;
    let accounts = recall::accounts(&next, &credentials);
    let told = format!("configuration {} is in force (was {})", next.version, current.version);
    inbox.push(Lane::Control, Input::Config { config: Arc::clone(&next), accounts, actor });
    Ok((next, told))
}

/// What sockets and files were opened for, and what is read at the start alone: these stay until a restart.
fn needs_restart(now: &Node, then: &Node) -> Vec<&'static str> {
    let changes = [
        ("name", now.name != then.name),
        ("listeners", now.listeners != then.listeners),
        ("media", now.media != then.media),
        ("data_dir", now.data_dir != then.data_dir),
        ("control_socket", now.control_socket != then.control_socket),
        ("metrics", now.metrics != then.metrics),
        ("drain", now.drain != then.drain),
        ("log", now.log != then.log),
        ("canary", now.canary != then.canary),
        ("registration.realm", now.registration.realm != then.registration.realm),
    ];
    changes.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
}

// -- Stopping ---------------------------------------------------------------------------------------------------------

/// Returns at SIGTERM or SIGINT; SIGHUP reloads on the way.
async fn wait_for_stop(reload: &mpsc::Sender<ReloadRequest>) -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hang_up = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hang_up.recv() => {
                let (reply, _) = tokio::sync::oneshot::channel();
                let request = ReloadRequest { actor: "SIGHUP".to_owned(), what: ReloadKind::Config, reply };
                if reload.try_send(request).is_err() {
                    tracing::warn!("too many reloads wait already");
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
                Ok(Reply::Status(status)) if status.calls > 0 => tokio::time::sleep(LOOK_EVERY).await,
                Ok(_) | Err(_) => return,
            }
        }
    };
    tokio::time::timeout(at_most, quiet).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogFormat;
    use crate::ids::ListenerId;

    fn sample() -> Node {
        load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-config")).expect("the sample is whole").config.node
    }

    type Change = fn(&mut Node);

    #[test]
    fn a_reload_refuses_what_is_read_at_the_start_alone() {
        let now = sample();
        let changes: [(&str, Change); 10] = [
            ("name", |node| node.name = "other".to_owned()),
            ("listeners", |node| _ = node.listeners.remove(&ListenerId::new("lab"))),
            ("media", |node| node.media.workers += 1),
            ("data_dir", |node| node.data_dir = "other".into()),
            ("control_socket", |node| node.control_socket = "other".into()),
            ("metrics", |node| node.metrics = None),
            ("drain", |node| node.drain = Duration::from_secs(1)),
            ("log", |node| node.log.format = LogFormat::Json),
            ("canary", |node| {
                node.canary = Some(crate::config::Canary {
                    hospital: "mercy-harbor".into(),
                    every: Duration::from_secs(60),
                    number: "7199".into(),
                    analyst: "canary".into(),
                });
            }),
            ("registration.realm", |node| node.registration.realm = "other.example".to_owned()),
        ];
        for (name, change) in changes {
            let mut then = now.clone();
            change(&mut then);
            assert_eq!(needs_restart(&now, &then), [name]);
        }
    }

    #[test]
    fn a_reload_applies_trunks_and_limits() {
        let now = sample();
        let mut then = now.clone();
        then.max_calls = 7;
        then.trunks.clear();
        then.registration.max_expires = Duration::from_secs(600);
        assert!(needs_restart(&now, &then).is_empty());
    }
}

//! The canary: a test call through the whole desk, made by child processes that speak SIP by another library.
//!
//! One child answers as the canary's analyst, the other dials the canary's number; both must hear the other's tone. Its
//! tickets are marked as tests and left out of every figure.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::process::{Child, Command};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::api::CanaryGauge;
use crate::config::{Canary, Config};
use crate::routing::PhoneKind;
use crate::runtime::clock::MonotonicClock;
use crate::sip::{Host, Transport, Uri};
use crate::time::{Duration, Instant};

/// One test call, ringing and both tones included.
const CALL_WITHIN: Duration = Duration::from_secs(20);
/// Time for the answering child to open its port; an INVITE before that would find nobody there.
const BIND_WITHIN: Duration = Duration::from_millis(500);
/// How long it stays on the line: a caller whom nobody knows is spoken to for 5 s before phones ring, and then the two talk.
const TALK: &str = "10s";
/// What each side sends, and the other must hear, in Hz: apart from each other and from every DTMF tone.
const CALLER_TONE: &str = "440";
const ANALYST_TONE: &str = "620";
/// A phone that registers nowhere and calls from nobody's extension.
const CALLING: &str = "canary";

/// When the canary last went well.
#[derive(Clone)]
pub struct CanaryWatch {
    every: Duration,
    clock: MonotonicClock,
    last: Arc<Mutex<Option<Instant>>>,
}

impl CanaryWatch {
    pub fn gauge(&self) -> CanaryGauge {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        CanaryGauge { every: self.every, succeeded_ago: last.map(|last| self.clock.now().since(last)) }
    }
}

/// Starts the canary, when the configuration has one that can be called. It runs until the runtime stops.
///
/// # Errors
/// When it is declared, but its analyst has no phone at a fixed address or nothing listens on UDP.
pub fn start(config: &Config, clock: MonotonicClock) -> anyhow::Result<Option<CanaryWatch>> {
    let Some(canary) = &config.node.canary else { return Ok(None) };
    let route = route(config, canary)?;
    let watch = CanaryWatch { every: canary.every, clock, last: Arc::new(Mutex::new(None)) };
    tokio::spawn(sing(route, watch.clone()));
    Ok(Some(watch))
}

/// Whom the children dial and where the answering one listens.
struct Route {
    program: PathBuf,
    dial: String,
    listen: String,
}

fn route(config: &Config, canary: &Canary) -> anyhow::Result<Route> {
    let listener = config.node.listeners.values().find(|listener| listener.transports.contains(&Transport::Udp));
    let listener = listener.ok_or_else(|| anyhow::anyhow!("the canary needs a listener on UDP"))?;
    let analyst = config.staff.get(&canary.analyst);
    let phone = analyst.and_then(|analyst| {
        analyst.phones.iter().find_map(|phone| match &phone.kind {
            PhoneKind::Sip { uri } => Uri::parse(uri).ok(),
            PhoneKind::Registered { .. } | PhoneKind::Trunk { .. } => None,
        })
    });
    let at = phone.and_then(|uri| Some((uri.host.ip()?, uri.port?)));
    let (ip, port) = at.ok_or_else(|| {
        anyhow::anyhow!("analyst {} needs a phone {{ sip = \"sip:…@address:port\" }}", canary.analyst)
    })?;
    let host = Host::from(ip);
    Ok(Route {
        program: std::env::current_exe()?,
        dial: format!("sip:{}@{}", canary.number, listener.advertised),
        listen: format!("{host}:{port}"),
    })
}

async fn sing(route: Route, watch: CanaryWatch) {
    let mut turns = interval(watch.every);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let well = timeout(CALL_WITHIN, one_call(&route)).await;
        match well {
            Ok(Ok(true)) => {
                let now = watch.clock.now();
                *watch.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
            }
            Ok(Ok(false)) => tracing::error!("the canary's call did not go well"),
            Ok(Err(error)) => tracing::error!(%error, "the canary could not call"),
            Err(_) => tracing::error!(seconds = CALL_WITHIN.as_secs(), "the canary's call took too long"),
        }
    }
}

async fn one_call(route: &Route) -> anyhow::Result<bool> {
    let answer = ["answer", "--listen", &route.listen, "--calls", "1", "--for", "18s"];
    let mut analyst = child(route, &answer, ANALYST_TONE, CALLER_TONE)?;
    tokio::time::sleep(BIND_WITHIN).await;
    let call = ["call", &route.dial, "--from", CALLING, "--duration", TALK];
    let mut caller = child(route, &call, CALLER_TONE, ANALYST_TONE)?;
    let called = caller.wait().await?.success();
    Ok(analyst.wait().await?.success() && called)
}

/// Killed when dropped: a call that takes too long leaves no process behind.
fn child(route: &Route, words: &[&str], tone: &str, expect: &str) -> anyhow::Result<Child> {
    let mut command = Command::new(&route.program);
    command.args(words).args(["--tone", tone, "--expect-tone", expect, "--json"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    Ok(command.spawn()?)
}

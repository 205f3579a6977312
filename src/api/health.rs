//! /healthz, /readyz and /metrics for orchestrators and Prometheus: plain HTTP, no personal data, read-only.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinHandle;

use crate::api::{ApiState, CanaryGauge, Gauges, metrics};
use crate::store::JournalState;
use crate::switch::Status;
use crate::time::Duration;

/// Connections at once; a scraper needs one.
const MAX_CONNECTIONS: usize = 32;
/// A connection's whole life: one request, one answer.
const CONNECTION_LIFE: Duration = Duration::from_secs(10);
/// Answers of the switch are shared for this long, so that nobody can fill its inbox through here.
const SHARED_FOR: Duration = Duration::from_millis(200);
/// The canary may miss this many of its turns before the node is called not ready.
const CANARY_MISSES: u32 = 3;

/// The state of the node and the last answer of its switch.
struct Watcher {
    state: Arc<ApiState>,
    last: Mutex<Option<(Instant, Result<Status, String>)>>,
}

/// Serves /healthz, /readyz and /metrics until the handle is aborted.
///
/// # Errors
/// When the address can't be bound.
pub async fn public(state: Arc<ApiState>, address: SocketAddr) -> anyhow::Result<JoinHandle<()>> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}/tcp"))?;
    let watcher = Arc::new(Watcher { state, last: Mutex::new(None) });
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(scrape))
        .with_state(watcher);
    Ok(tokio::spawn(accept(listener, router)))
}

async fn accept(listener: TcpListener, router: Router) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accepting on the metrics port failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // A scraper that goes away in mid-answer is its own affair.
            let _ = tokio::time::timeout(CONNECTION_LIFE, connection).await;
            drop(permit);
        });
    }
}

impl Watcher {
    async fn status(&self) -> Result<Status, String> {
        let mut last = self.last.lock().await;
        if let Some((at, status)) = &*last
            && at.elapsed() < SHARED_FOR
        {
            return status.clone();
        }
        let status = self.state.status().await.map_err(|error| format!("{error:#}"));
        *last = Some((Instant::now(), status.clone()));
        status
    }

    fn hindrances(&self, status: &Result<Status, String>) -> Vec<String> {
        hindrances(*self.state.ready.borrow(), status, &(self.state.gauges)())
    }
}

/// Asks for a restart, so by this alone: the switch does not answer. A full journal has records in memory that a restart
/// would lose, and calls that it would cut.
async fn healthz(State(watcher): State<Arc<Watcher>>) -> Response {
    match watcher.status().await {
        Ok(_) => (StatusCode::OK, "ok\n").into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

/// What keeps new calls from being taken, or from being served; empty when well.
fn hindrances(serves: bool, status: &Result<Status, String>, gauges: &Gauges) -> Vec<String> {
    let mut ill = Vec::new();
    if !serves {
        ill.push("not serving".to_owned());
    }
    match status {
        Ok(status) if status.draining => ill.push("draining".to_owned()),
        Ok(_) => {}
        Err(error) => ill.push(error.clone()),
    }
    if gauges.journal == JournalState::Full {
        let why = gauges.trouble.as_ref().map_or("", |trouble| trouble.reason.as_str());
        ill.push(format!("the journal is full: {why}"));
    }
    ill.extend(late_canary(gauges));
    ill
}

/// What is wrong with the canary, in words.
pub(super) fn late_canary(gauges: &Gauges) -> Option<String> {
    let CanaryGauge { every, succeeded_ago } = gauges.canary?;
    let late = succeeded_ago.unwrap_or(gauges.uptime) > every * CANARY_MISSES;
    late.then(|| match succeeded_ago {
        Some(ago) => format!("the canary's last good call was {} s ago", ago.as_secs()),
        None => "no call of the canary went well yet".to_owned(),
    })
}

async fn readyz(State(watcher): State<Arc<Watcher>>) -> Response {
    let status = watcher.status().await;
    let ill = watcher.hindrances(&status);
    if ill.is_empty() {
        return (StatusCode::OK, "ready\n").into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, ill.join("\n") + "\n").into_response()
}

async fn scrape(State(watcher): State<Arc<Watcher>>) -> Response {
    let status = watcher.status().await;
    let ready = watcher.hindrances(&status).is_empty();
    match metrics::text(status.as_ref().ok(), &(watcher.state.gauges)(), ready) {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Seq;
    use crate::media::Counters;
    use crate::store::Projected;
    use crate::store::journal::Trouble;

    fn well() -> Gauges {
        Gauges {
            uptime: Duration::from_secs(3_600),
            journal: JournalState::Healthy,
            trouble: None,
            written: Seq(10),
            projected: Projected { stored: Seq(9), error: None, skipped: 0 },
            media: Counters::default(),
            inbox_dropped: 0,
            inbox_stale: 0,
            tcp_connections: 0,
            tcp_refused: 0,
            udp_send_errors: 0,
            canary: None,
        }
    }

    fn watcher(gauges: Gauges, last: Result<Status, String>) -> Arc<Watcher> {
        let state = crate::api::tests::state_with(move || gauges.clone());
        // What the switch answered just now: none runs here.
        let last = Mutex::new(Some((Instant::now() + std::time::Duration::from_secs(60), last)));
        Arc::new(Watcher { state, last })
    }

    async fn both(gauges: &Gauges, last: Result<Status, String>) -> (u16, u16, String) {
        let watcher = watcher(gauges.clone(), last);
        let health = healthz(State(Arc::clone(&watcher))).await.status().as_u16();
        let ready = readyz(State(watcher)).await;
        let status = ready.status().as_u16();
        let body = axum::body::to_bytes(ready.into_body(), 10_000).await.expect("a body");
        (health, status, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn a_degraded_journal_alone_keeps_nothing_from_anybody() {
        let gauges = Gauges { journal: JournalState::Degraded, ..well() };
        assert_eq!(both(&gauges, Ok(Status::default())).await, (200, 200, "ready\n".to_owned()));
    }

    /// Records that are in memory alone would go with a restart, and calls with them.
    #[tokio::test]
    async fn a_full_journal_takes_no_new_calls_and_asks_for_no_restart() {
        let trouble = Trouble { reason: "no space left".to_owned(), ..Trouble::default() };
        let gauges = Gauges { journal: JournalState::Full, trouble: Some(trouble), ..well() };
        let told = both(&gauges, Ok(Status::default())).await;
        assert_eq!(told, (200, 503, "the journal is full: no space left\n".to_owned()));
    }

    #[tokio::test]
    async fn a_late_canary_is_told_to_who_routes_and_asks_for_no_restart() {
        let canary = CanaryGauge { every: Duration::from_secs(60), succeeded_ago: Some(Duration::from_secs(181)) };
        let gauges = Gauges { canary: Some(canary), ..well() };
        let told = both(&gauges, Ok(Status::default())).await;
        assert_eq!(told, (200, 503, "the canary's last good call was 181 s ago\n".to_owned()));
    }

    #[tokio::test]
    async fn a_switch_that_is_silent_is_what_a_restart_is_for() {
        let told = both(&well(), Err("the switch did not answer within 1 s".to_owned())).await;
        assert_eq!(told, (503, 503, "the switch did not answer within 1 s\n".to_owned()));
        let draining = Status { draining: true, ..Status::default() };
        assert_eq!(both(&well(), Ok(draining)).await, (200, 503, "draining\n".to_owned()));
    }

    #[test]
    fn a_canary_that_has_not_called_yet_has_three_turns() {
        let canary = Some(CanaryGauge { every: Duration::from_secs(60), succeeded_ago: None });
        let young = Gauges { uptime: Duration::from_secs(179), canary, ..well() };
        assert!(hindrances(true, &Ok(Status::default()), &young).is_empty());
        let old = Gauges { uptime: Duration::from_secs(181), canary, ..well() };
        assert_eq!(hindrances(true, &Ok(Status::default()), &old), ["no call of the canary went well yet"]);
    }
}

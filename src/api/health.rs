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
/// The canary may miss this many of its turns before the node is called unhealthy.
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
}

async fn healthz(State(watcher): State<Arc<Watcher>>) -> Response {
    let status = watcher.status().await;
    let ill = illness(&status, &(watcher.state.gauges)());
    if ill.is_empty() {
        return (StatusCode::OK, "ok\n").into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, ill.join("\n") + "\n").into_response()
}

/// What keeps the desk from serving calls; empty when well.
fn illness(status: &Result<Status, String>, gauges: &Gauges) -> Vec<String> {
    let mut ill = Vec::new();
    ill.extend(status.as_ref().err().cloned());
    if gauges.journal == JournalState::Full {
        let why = gauges.trouble.as_ref().map_or("", |trouble| trouble.reason.as_str());
        ill.push(format!("the journal is full: {why}"));
    }
    if let Some(CanaryGauge { every, succeeded_ago }) = gauges.canary {
        let late = succeeded_ago.unwrap_or(gauges.uptime) > every * CANARY_MISSES;
        if late {
            ill.push(match succeeded_ago {
                Some(ago) => format!("the canary's last good call was {} s ago", ago.as_secs()),
                None => "no call of the canary went well yet".to_owned(),
            });
        }
    }
    ill
}

async fn readyz(State(watcher): State<Arc<Watcher>>) -> Response {
    if !*watcher.state.ready.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "not serving\n").into_response();
    }
    match watcher.status().await {
        Ok(status) if status.draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response(),
        Ok(_) => (StatusCode::OK, "ready\n").into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

async fn scrape(State(watcher): State<Arc<Watcher>>) -> Response {
    let status = watcher.status().await.ok();
    let ready = *watcher.state.ready.borrow() && status.as_ref().is_some_and(|status| !status.draining);
    match metrics::text(status.as_ref(), &(watcher.state.gauges)(), ready) {
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

    #[test]
    fn a_degraded_journal_alone_is_no_reason_to_restart_the_node() {
        let gauges = Gauges { journal: JournalState::Degraded, ..well() };
        assert!(illness(&Ok(Status::default()), &gauges).is_empty());
    }

    #[test]
    fn a_silent_switch_a_full_journal_and_a_late_canary_are_each_named() {
        let trouble = Trouble { reason: "no space left".to_owned(), ..Trouble::default() };
        let canary = CanaryGauge { every: Duration::from_secs(60), succeeded_ago: Some(Duration::from_secs(181)) };
        let gauges = Gauges { journal: JournalState::Full, trouble: Some(trouble), canary: Some(canary), ..well() };
        let ill = illness(&Err("the switch did not answer within 1 s".to_owned()), &gauges);
        assert_eq!(
            ill,
            [
                "the switch did not answer within 1 s",
                "the journal is full: no space left",
                "the canary's last good call was 181 s ago"
            ]
        );
    }

    #[test]
    fn a_canary_that_has_not_called_yet_has_three_turns() {
        let canary = Some(CanaryGauge { every: Duration::from_secs(60), succeeded_ago: None });
        let young = Gauges { uptime: Duration::from_secs(179), canary, ..well() };
        assert!(illness(&Ok(Status::default()), &young).is_empty());
        let old = Gauges { uptime: Duration::from_secs(181), canary, ..well() };
        assert_eq!(illness(&Ok(Status::default()), &old), ["no call of the canary went well yet"]);
    }
}

//! Host names of trunks to addresses (RFC 3263): SRV first when no port is named, then A and AAAA. Each question is a
//! task of its own with a time limit; the switch waits for none of them (line D60).

use std::net::SocketAddr;
use std::sync::Arc;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::ids::QueryId;
use crate::runtime::inbox::{Inbox, Lane};
use crate::sip::Transport;
use crate::switch::{Answer, Input};
use crate::time::Duration;

/// One resolution, every server asked included.
const RESOLVE_WITHIN: Duration = Duration::from_secs(8);
/// Resolutions at a time: one for each trunk of a large node.
const MAX_AT_ONCE: usize = 64;
/// Addresses taken of one name, however many its records are.
const MAX_ADDRESSES: usize = 32;
/// SRV targets followed.
const MAX_TARGETS: usize = 8;
const SIP_PORT: u16 = 5060;

pub struct Names {
    runtime: Handle,
    inbox: Arc<Inbox>,
    resolver: Arc<TokioResolver>,
    room: Arc<Semaphore>,
}

impl Names {
    /// # Errors
    /// When the system's resolver configuration cannot be read.
    pub fn new(runtime: Handle, inbox: Arc<Inbox>) -> anyhow::Result<Names> {
        let resolver = TokioResolver::builder_tokio()?.build()?;
        Ok(Names { runtime, inbox, resolver: Arc::new(resolver), room: Arc::new(Semaphore::new(MAX_AT_ONCE)) })
    }

    /// Answers by [`Input::Answer`], always: also when the look-up breaks.
    pub fn resolve(&self, query: QueryId, host: String, port: Option<u16>, transport: Transport) {
        let (inbox, resolver, room) = (Arc::clone(&self.inbox), Arc::clone(&self.resolver), Arc::clone(&self.room));
        self.runtime.spawn(async move {
            let mut owed = Owed { inbox, query, answer: Err("the look-up broke".to_owned()) };
            let _place = room.acquire().await;
            let found = tokio::time::timeout(RESOLVE_WITHIN, look_up(&resolver, &host, port, transport)).await;
            owed.answer = found.unwrap_or_else(|_| Err(format!("no answer for {host} within 8 s")));
        });
    }
}

/// An answer that is given when this is dropped, however the look-up ended.
struct Owed {
    inbox: Arc<Inbox>,
    query: QueryId,
    answer: Result<Vec<SocketAddr>, String>,
}

impl Drop for Owed {
    fn drop(&mut self) {
        let answer = Answer::Resolved(std::mem::replace(&mut self.answer, Ok(Vec::new())));
        self.inbox.push(Lane::Answers, Input::Answer { query: self.query, answer });
    }
}

async fn look_up(
    resolver: &TokioResolver,
    host: &str,
    port: Option<u16>,
    transport: Transport,
) -> Result<Vec<SocketAddr>, String> {
    if let Some(port) = port {
        return addresses(resolver, host, port).await;
    }
    let service = match transport {
        Transport::Udp => format!("_sip._udp.{host}"),
        Transport::Tcp => format!("_sip._tcp.{host}"),
    };
    let mut targets: Vec<(u16, u16, String, u16)> = match resolver.srv_lookup(service).await {
        Ok(found) => found
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(srv) => Some((srv.priority, srv.weight, srv.target.to_utf8(), srv.port)),
                _ => None,
            })
            .collect(),
        // No SRV record is the normal case of a small hospital: its name has an address.
        Err(_) => Vec::new(),
    };
    if targets.is_empty() {
        return addresses(resolver, host, SIP_PORT).await;
    }
    // RFC 2782: lowest priority first; within one, the heavier first, as one node needs no balancing.
    targets.sort_by_key(|(priority, weight, _, _)| (*priority, std::cmp::Reverse(*weight)));
    let mut found = Vec::new();
    for (_, _, target, port) in targets.into_iter().take(MAX_TARGETS) {
        found.extend(addresses(resolver, &target, port).await.unwrap_or_default());
        if found.len() >= MAX_ADDRESSES {
            break;
        }
    }
    if found.is_empty() { Err(format!("no SRV target of {host} has an address")) } else { Ok(found) }
}

async fn addresses(resolver: &TokioResolver, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let found = resolver.lookup_ip(host).await.map_err(|error| error.to_string())?;
    Ok(found.iter().take(MAX_ADDRESSES).map(|address| SocketAddr::new(address, port)).collect())
}

//! What is known of each trunk right now: the addresses behind its host name, and whether it answers OPTIONS.
//!
//! ```text
//!            resolve_at                 probe_at
//! (start) ──Resolve──▶ addresses known ──OPTIONS──▶ up ⇄ down
//!              │ failed: again in 30 s      any final answer: up · none: down
//! ```
//! Name resolution is a query to the runtime; nothing here waits for it, and only calls over that trunk need it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::config::{Config, NextHop, Node, Trunk};
use crate::ids::TrunkId;
use crate::sip::{Flow, Transport};
use crate::time::{Duration, Instant};

/// How long resolved addresses are used before they are asked for again.
const RESOLVE_EVERY: Duration = Duration::from_secs(300);
/// After a resolution that failed or brought nothing.
const RESOLVE_AGAIN: Duration = Duration::from_secs(30);
/// Addresses kept of one name (line D60: 500 SRV records).
const MAX_ADDRESSES: usize = 16;

/// What a trunk wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrunkWork {
    Resolve { trunk: TrunkId, host: String, port: Option<u16>, transport: Transport },
    Probe { trunk: TrunkId, flow: Flow },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Not probed, or no answer yet.
    Unknown,
    Up,
    Down,
}

#[derive(Debug)]
struct TrunkState {
    addresses: Vec<SocketAddr>,
    resolve_at: Option<Instant>,
    probe_at: Option<Instant>,
    health: Health,
}

/// Every trunk of the configuration in force.
#[derive(Debug, Default)]
pub struct Trunks {
    states: BTreeMap<TrunkId, TrunkState>,
}

impl Trunks {
    /// Takes over a configuration: what is known of trunks that stay is kept.
    pub fn apply(&mut self, config: &Config, now: Instant) {
        self.states.retain(|id, _| config.node.trunks.contains_key(id));
        for (id, trunk) in &config.node.trunks {
            let state = self.states.entry(id.clone()).or_insert(TrunkState {
                addresses: Vec::new(),
                resolve_at: None,
                probe_at: None,
                health: Health::Unknown,
            });
            state.resolve_at = match &trunk.next_hop {
                Some(NextHop::Host { .. }) => Some(now),
                Some(NextHop::Address(address)) => {
                    state.addresses = vec![*address];
                    None
                }
                None => None,
            };
            state.probe_at = trunk.probe.map(|_| now);
        }
    }

    /// The trunk a message from `source` came over: a declared address, or one behind a trunk's host name.
    pub fn of<'a>(&self, config: &'a Config, source: IpAddr) -> Option<&'a Trunk> {
        config.trunk_of(source).or_else(|| {
            let known = |state: &TrunkState| state.addresses.iter().any(|address| address.ip() == source);
            let (id, _) = self.states.iter().find(|(_, state)| known(state))?;
            config.trunk(id)
        })
    }

    /// Where a call over `trunk` is sent. `None`: nowhere (no next hop, or its name has no address yet).
    pub fn flow(&self, node: &Node, trunk: &Trunk) -> Option<Flow> {
        let state = self.states.get(&trunk.id)?;
        state.addresses.iter().find_map(|remote| {
            let local = listener(node, trunk.transport, *remote, trunk.listener.as_ref())?;
            Some(Flow { transport: trunk.transport, local, remote: *remote, conn: None })
        })
    }

    pub fn health(&self, trunk: &TrunkId) -> Health {
        self.states.get(trunk).map_or(Health::Unknown, |state| state.health)
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.states.values().flat_map(|state| [state.resolve_at, state.probe_at]).flatten().min()
    }

    /// What is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant, config: &Config) -> Vec<TrunkWork> {
        let mut work = Vec::new();
        for (id, trunk) in &config.node.trunks {
            let Some(state) = self.states.get_mut(id) else { continue };
            if state.resolve_at.is_some_and(|at| at <= now)
                && let Some(NextHop::Host { name, port }) = &trunk.next_hop
            {
                // Pushed back by `resolved`; until then the query may take as long as it likes.
                state.resolve_at = Some(now + RESOLVE_EVERY);
                let (host, port, transport) = (name.clone(), *port, trunk.transport);
                work.push(TrunkWork::Resolve { trunk: id.clone(), host, port, transport });
            }
            if state.probe_at.is_some_and(|at| at <= now) {
                state.probe_at = trunk.probe.map(|every| now + every);
                if let Some(flow) = self.flow(&config.node, trunk) {
                    work.push(TrunkWork::Probe { trunk: id.clone(), flow });
                }
            }
        }
        work
    }

    /// The runtime's answer to [`TrunkWork::Resolve`]. Old addresses stay in use when it failed.
    pub fn resolved(&mut self, now: Instant, trunk: &TrunkId, addresses: Result<Vec<SocketAddr>, String>) {
        let Some(state) = self.states.get_mut(trunk) else { return };
        match addresses {
            Ok(mut addresses) if !addresses.is_empty() => {
                addresses.truncate(MAX_ADDRESSES);
                if state.addresses.is_empty() && state.probe_at.is_some() {
                    state.probe_at = Some(now);
                }
                state.addresses = addresses;
            }
            Ok(_) | Err(_) => state.resolve_at = Some(now + RESOLVE_AGAIN),
        }
    }

    /// How a probe ended: any final response means that somebody is there. Returns the health when it changed.
    pub fn probed(&mut self, trunk: &TrunkId, answered: bool) -> Option<Health> {
        let state = self.states.get_mut(trunk)?;
        let health = if answered { Health::Up } else { Health::Down };
        let changed = state.health != health;
        state.health = health;
        changed.then_some(health)
    }
}

/// The bound address of the listener that speaks to `remote`: the one named, else the first of that transport and
/// address family.
pub fn listener(
    node: &Node,
    transport: Transport,
    remote: SocketAddr,
    named: Option<&crate::ids::ListenerId>,
) -> Option<SocketAddr> {
    let fits = |listener: &&crate::config::Listener| {
        listener.transports.contains(&transport)
            && listener.bind.is_ipv4() == remote.is_ipv4()
            && named.is_none_or(|id| *id == listener.id)
    };
    node.listeners.values().find(fits).map(|listener| listener.bind)
}

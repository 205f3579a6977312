//! What is known of each trunk right now: the addresses behind its host name, and which of them answer OPTIONS.
//!
//! ```text
//!            resolve_at                 probe_at
//! (start) ──Resolve──▶ addresses known ──OPTIONS──▶ each address: up ⇄ down
//!              │ failed: again in 30 s      any final answer: up · none: down
//! ```
//! A call goes to the first address that is not known to be down; the others are what it tries next (RFC 3263 section 4.3).
//! Name resolution is a query to the runtime; nothing here waits for it, and only calls over that trunk need it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::config::{Config, NextHop, Node, Trunk};
use crate::ids::{ConnId, TrunkId};
use crate::sip::{Flow, Transport};
use crate::time::{Duration, Instant};

/// How long resolved addresses are used before they are asked for again.
const RESOLVE_EVERY: Duration = Duration::from_secs(300);
/// After a resolution that failed or brought nothing.
const RESOLVE_AGAIN: Duration = Duration::from_secs(30);
/// Addresses kept of one name (line D60: 500 SRV records).
const MAX_ADDRESSES: usize = 16;

/// The question that a trunk's host name is. An answer counts only while it is still the trunk's question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub trunk: TrunkId,
    pub host: String,
    pub port: Option<u16>,
    pub transport: Transport,
}

/// What a trunk wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrunkWork {
    Resolve(Asked),
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

/// What a probe has brought to light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthNews {
    /// Of the trunk as a whole.
    pub trunk: Health,
    /// Of the address asked, where the trunk has several.
    pub address: Option<Health>,
}

#[derive(Clone, Copy, Debug)]
struct Address {
    at: SocketAddr,
    health: Health,
}

#[derive(Debug)]
struct TrunkState {
    /// Where the addresses come from: another next hop or transport knows nothing of them.
    next_hop: Option<NextHop>,
    transport: Transport,
    /// In the order of the SRV records.
    addresses: Vec<Address>,
    resolve_at: Option<Instant>,
    probe_at: Option<Instant>,
}

impl TrunkState {
    fn new(trunk: &Trunk) -> TrunkState {
        let fixed = match &trunk.next_hop {
            Some(NextHop::Address(at)) => Some(Address { at: *at, health: Health::Unknown }),
            Some(NextHop::Host { .. }) | None => None,
        };
        TrunkState {
            next_hop: trunk.next_hop.clone(),
            transport: trunk.transport,
            addresses: fixed.into_iter().collect(),
            resolve_at: None,
            probe_at: None,
        }
    }

    /// Up while any address answers, down once every one of them does not.
    fn health(&self) -> Health {
        let all_down = !self.addresses.is_empty() && self.addresses.iter().all(|known| known.health == Health::Down);
        if self.addresses.iter().any(|known| known.health == Health::Up) {
            Health::Up
        } else if all_down {
            Health::Down
        } else {
            Health::Unknown
        }
    }

    fn asks(&self, asked: &Asked) -> bool {
        let same = |name: &String, port: &Option<u16>| *name == asked.host && *port == asked.port;
        self.transport == asked.transport
            && matches!(&self.next_hop, Some(NextHop::Host { name, port }) if same(name, port))
    }
}

/// Every trunk of the configuration in force.
#[derive(Debug, Default)]
pub struct Trunks {
    states: BTreeMap<TrunkId, TrunkState>,
    /// Names in the certificates of peers, while their connections are up.
    certified: BTreeMap<ConnId, Vec<String>>,
}

impl Trunks {
    /// Takes over a configuration: what is known of trunks that stay where they are is kept.
    pub fn apply(&mut self, config: &Config, now: Instant) {
        self.states.retain(|id, state| {
            let same = |trunk: &Trunk| trunk.next_hop == state.next_hop && trunk.transport == state.transport;
            config.node.trunks.get(id).is_some_and(same)
        });
        for (id, trunk) in &config.node.trunks {
            let state = self.states.entry(id.clone()).or_insert_with(|| TrunkState::new(trunk));
            state.resolve_at = match &trunk.next_hop {
                Some(NextHop::Host { .. }) => Some(now),
                Some(NextHop::Address(_)) | None => None,
            };
            state.probe_at = trunk.probe.map(|_| now);
            if trunk.probe.is_none() {
                // Nobody asks any more: an old "down" would stay for ever.
                state.addresses.iter_mut().for_each(|known| known.health = Health::Unknown);
            }
        }
    }

    /// The peer of a connection has shown a certificate with these names.
    pub fn certified(&mut self, conn: ConnId, names: Vec<String>) {
        self.certified.insert(conn, names);
    }

    pub fn stream_closed(&mut self, conn: ConnId) {
        self.certified.remove(&conn);
    }

    /// The trunk a message came over: the one whose certificate the peer showed, wherever it is; else by a declared address,
    /// or one behind a trunk's host name. Over an encrypted trunk nothing comes in clear, and nothing from somebody whose
    /// certificate bears another's name (line D58).
    pub fn of<'a>(&self, config: &'a Config, flow: Flow) -> Option<&'a Trunk> {
        let names = flow.conn.and_then(|conn| self.certified.get(&conn)).map_or(&[][..], Vec::as_slice);
        let certified = |trunk: &&Trunk| {
            let shown = |name: &String| names.iter().any(|shown| shown.eq_ignore_ascii_case(name));
            trunk.transport == Transport::Tls && trunk.names_to_verify().iter().any(shown)
        };
        if flow.transport == Transport::Tls
            && let Some(trunk) = config.node.trunks.values().find(certified)
        {
            return Some(trunk);
        }
        let source = flow.remote.ip();
        let by_address = config.trunk_of(source).or_else(|| {
            let known = |state: &TrunkState| state.addresses.iter().any(|known| known.at.ip() == source);
            let (id, _) = self.states.iter().find(|(_, state)| known(state))?;
            config.trunk(id)
        });
        by_address.filter(|trunk| {
            let named = names.is_empty() || trunk.names_to_verify().is_empty();
            trunk.transport != Transport::Tls || flow.transport == Transport::Tls && named
        })
    }

    /// The names that encrypted trunks' certificates must bear, by the addresses that we call.
    pub fn peer_names(&self, config: &Config) -> BTreeMap<SocketAddr, Vec<String>> {
        let trunks = config.node.trunks.values().filter(|trunk| trunk.transport == Transport::Tls);
        let named = trunks.filter_map(|trunk| Some((trunk.names_to_verify(), self.states.get(&trunk.id)?)));
        let named = named.filter(|(names, _)| !names.is_empty());
        named.flat_map(|(names, state)| state.addresses.iter().map(move |known| (known.at, names.clone()))).collect()
    }

    /// Where a call over `trunk` is sent, in the order to try: those known to be down come last. Empty: nowhere (no next
    /// hop, or its name has no address yet). At most [`MAX_ADDRESSES`].
    pub fn flows(&self, node: &Node, trunk: &Trunk) -> Vec<Flow> {
        let Some(state) = self.states.get(&trunk.id) else { return Vec::new() };
        let (down, others): (Vec<&Address>, Vec<&Address>) =
            state.addresses.iter().partition(|known| known.health == Health::Down);
        others.into_iter().chain(down).filter_map(|known| flow_to(node, trunk, known.at)).collect()
    }

    pub fn health(&self, trunk: &TrunkId) -> Health {
        self.states.get(trunk).map_or(Health::Unknown, TrunkState::health)
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
                work.push(TrunkWork::Resolve(Asked { trunk: id.clone(), host, port, transport }));
            }
            if state.probe_at.is_some_and(|at| at <= now) {
                state.probe_at = trunk.probe.map(|every| now + every);
                for known in &mut state.addresses {
                    match flow_to(&config.node, trunk, known.at) {
                        Some(flow) => work.push(TrunkWork::Probe { trunk: id.clone(), flow }),
                        // No listener of ours speaks to that family.
                        None => known.health = Health::Down,
                    }
                }
            }
        }
        work
    }

    /// The runtime's answer to [`TrunkWork::Resolve`]. Old addresses stay in use when it failed; one for a name that the
    /// trunk has no more is left aside.
    pub fn resolved(&mut self, now: Instant, asked: &Asked, addresses: Result<Vec<SocketAddr>, String>) {
        let Some(state) = self.states.get_mut(&asked.trunk).filter(|state| state.asks(asked)) else { return };
        match addresses {
            Ok(found) if !found.is_empty() => {
                let known = std::mem::take(&mut state.addresses);
                for at in found {
                    let twice = state.addresses.iter().any(|taken| taken.at == at);
                    if !twice && state.addresses.len() < MAX_ADDRESSES {
                        let before = known.iter().find(|known| known.at == at);
                        state.addresses.push(before.copied().unwrap_or(Address { at, health: Health::Unknown }));
                    }
                }
                let news = state.addresses.iter().any(|new| known.iter().all(|old| old.at != new.at));
                if news && state.probe_at.is_some() {
                    state.probe_at = Some(now);
                }
            }
            Ok(_) | Err(_) => state.resolve_at = Some(now + RESOLVE_AGAIN),
        }
    }

    /// How a probe ended: any final response means that somebody is there. Returns what is new.
    pub fn probed(&mut self, trunk: &TrunkId, remote: SocketAddr, answered: bool) -> Option<HealthNews> {
        let state = self.states.get_mut(trunk)?;
        let several = state.addresses.len() > 1;
        let known = state.addresses.iter_mut().find(|known| known.at == remote)?;
        let health = if answered { Health::Up } else { Health::Down };
        let before = std::mem::replace(&mut known.health, health);
        (before != health).then(|| HealthNews { trunk: state.health(), address: several.then_some(health) })
    }
}

fn flow_to(node: &Node, trunk: &Trunk, remote: SocketAddr) -> Option<Flow> {
    let local = listener(node, trunk.transport, remote, trunk.listener.as_ref())?;
    Some(Flow { transport: trunk.transport, local, remote, conn: None })
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

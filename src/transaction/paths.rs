//! Which transactions stand or fall with a peer's address or with a stream, so that one that goes away costs what hangs
//! on it and not a look at the whole table.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::ids::ConnId;
use crate::sip::{Flow, Transport};

/// Keys of transactions, by where their messages go.
#[derive(Debug)]
pub(super) struct Paths<K> {
    peers: BTreeMap<(Transport, SocketAddr), BTreeSet<K>>,
    streams: BTreeMap<ConnId, BTreeSet<K>>,
}

impl<K> Default for Paths<K> {
    fn default() -> Paths<K> {
        Paths { peers: BTreeMap::new(), streams: BTreeMap::new() }
    }
}

impl<K: Ord + Copy> Paths<K> {
    pub fn insert(&mut self, flow: &Flow, key: K) {
        self.peers.entry((flow.transport, flow.remote)).or_default().insert(key);
        if let Some(conn) = flow.conn {
            self.streams.entry(conn).or_default().insert(key);
        }
    }

    /// `flow` is the one that the key was inserted with.
    pub fn remove(&mut self, flow: &Flow, key: K) {
        take(&mut self.peers, (flow.transport, flow.remote), key);
        if let Some(conn) = flow.conn {
            take(&mut self.streams, conn, key);
        }
    }

    /// All that go to the peer of `flow`.
    pub fn to(&self, flow: &Flow) -> impl Iterator<Item = K> {
        self.peers.get(&(flow.transport, flow.remote)).into_iter().flatten().copied()
    }

    /// All that use this stream.
    pub fn on(&self, conn: ConnId) -> impl Iterator<Item = K> {
        self.streams.get(&conn).into_iter().flatten().copied()
    }
}

fn take<P: Ord, K: Ord>(paths: &mut BTreeMap<P, BTreeSet<K>>, path: P, key: K) {
    if let Some(keys) = paths.get_mut(&path) {
        keys.remove(&key);
        if keys.is_empty() {
            paths.remove(&path);
        }
    }
}

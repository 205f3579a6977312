//! Where a SIP message came from or goes to, without any socket.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::ids::ConnId;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    Udp,
    Tcp,
}

/// One path between a listener of ours and a peer.
///
/// For an outgoing stream without `conn` the runtime reuses a connection to `remote` or opens one; when that fails
/// the switch hears `Input::Unreachable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flow {
    pub transport: Transport,
    /// Address of our listener (not an ephemeral port of an outgoing connection).
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// The stream connection a message arrived on; always `None` for UDP.
    pub conn: Option<ConnId>,
}

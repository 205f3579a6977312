//! Where a SIP message came from or goes to, without any socket.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::ids::ConnId;

use super::uri::{Scheme, Uri};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    Udp,
    Tcp,
    /// TLS over TCP (RFC 3261 section 26.2.1).
    Tls,
}

impl Transport {
    /// Bytes in order, over a connection.
    pub fn is_stream(self) -> bool {
        match self {
            Transport::Udp => false,
            Transport::Tcp | Transport::Tls => true,
        }
    }

    /// As Via names it (RFC 3261 section 20.42).
    pub fn in_via(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
        }
    }

    /// As files and people name it, and a URI's parameter `transport` (RFC 3261 section 19.1.1).
    pub fn word(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        }
    }

    /// SIP's port where a URI names none (RFC 3261 section 19.1.2).
    pub fn port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
        }
    }

    /// The URI with what it must say to be reached this way; UDP needs no word.
    pub fn mark(self, uri: Uri) -> Uri {
        match self {
            Transport::Udp => uri,
            Transport::Tcp | Transport::Tls => uri.with_param("transport", Some(self.word())),
        }
    }

    /// What a URI asks for: its scheme, then its parameter. `None`: nothing that we know.
    pub fn asked_by(uri: &Uri) -> Option<Transport> {
        if uri.scheme == Scheme::Sips {
            return Some(Transport::Tls);
        }
        let asked = uri.param("transport")?;
        [Transport::Udp, Transport::Tcp, Transport::Tls]
            .into_iter()
            .find(|known| asked.eq_ignore_ascii_case(known.word()))
    }
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

//! What `wardline.toml` settles: where this node listens, whom it talks to, where its data lie.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use crate::identity::NumberRules;
use crate::ids::{AnalystId, Extension, HospitalId, ListenerId, TrunkId};
use crate::sip::Transport;
use crate::sip::digest::Credentials;
use crate::time::Duration;

/// Half an hour: what RFC 4028 section 4 recommends.
pub const SESSION_TIMER: Duration = Duration::from_secs(1800);
/// The public emergency line, which the PBX reaches and the desk never dials.
pub(super) const EMERGENCY: &str = "911";

/// The checked `wardline.toml`. Relative paths are resolved against the folder that holds sip-config/.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Tells whose log it is, in the line "ready" ("ward-1").
    pub name: String,
    /// Journal, store (`wardline.db`) and keys.
    pub data_dir: PathBuf,
    /// Unix socket of the command line.
    pub control_socket: PathBuf,
    /// Where /healthz, /readyz and /metrics answer; `None` switches them off.
    pub metrics: Option<SocketAddr>,
    pub log: Log,
    pub listeners: BTreeMap<ListenerId, Listener>,
    pub trunks: BTreeMap<TrunkId, Trunk>,
    pub media: Media,
    /// What we show to peers over TLS, and whom we believe.
    pub tls: Option<Tls>,
    pub registration: Registration,
    pub canary: Option<Canary>,
    /// Calls at once; beyond it new ones get 503.
    pub max_calls: usize,
    /// How long a stopping node lets calls go on.
    pub drain: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// A filter of tracing-subscriber ("info", "wardline=debug").
    pub filter: String,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    Text,
    Json,
}

/// A listening address of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub id: ListenerId,
    pub bind: SocketAddr,
    /// At least one; each once.
    pub transports: Vec<Transport>,
    /// What Via and Contact say: differs from `bind` behind NAT or when bound to 0.0.0.0.
    pub advertised: SocketAddr,
}

/// Certificates, as files in PEM. Read at the start, and again with every publish and SIGHUP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Ours, with those between it and the root.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Who signs peers' certificates.
    pub authorities: Option<PathBuf>,
    pub clients: ClientCertificates,
}

/// Whether those who connect to us show a certificate of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    None,
    /// Asked for; whoever has none is served all the same, as phones are.
    Asked,
    Required,
}

/// A peer towards PBX or carrier. It belongs to exactly one hospital.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    pub id: TrunkId,
    pub hospital: HospitalId,
    /// Addresses that may call us over it, beside those that a host name resolves to.
    pub peers: Vec<IpNet>,
    /// Where our calls go; `None`: it only brings calls.
    pub next_hop: Option<NextHop>,
    pub transport: Transport,
    /// Its calls' media is secured with keys in SDP; else none of it is.
    pub srtp: bool,
    /// Names, one of which the peer's certificate must bear; empty: its host name, or its address.
    pub certificate_names: Vec<String>,
    /// The listener that speaks to it; `None`: any of the right family and transport.
    pub listener: Option<ListenerId>,
    /// P-Asserted-Identity, Remote-Party-ID, Diversion and History-Info count.
    pub trusted: bool,
    /// The peer's media comes from elsewhere than it signals (see `bridge::Latch`).
    pub nat: bool,
    /// Sends OPTIONS this often; `None`: never.
    pub probe: Option<Duration>,
    /// Calls at once over this trunk, both ways.
    pub max_calls: Option<usize>,
    /// Why signalling and media go unencrypted here, in the admin's words.
    pub plain: Option<String>,
    /// Dialled before numbers that leave the hospital ("9").
    pub outside_prefix: Option<String>,
    /// The session interval that we ask for (RFC 4028), 90 s at least.
    pub session_timer: Duration,
    /// Who we are to a peer that asks; `None`: a challenge is a refusal.
    pub auth: Option<Credentials>,
    /// How the peer writes numbers.
    pub numbers: NumberRules,
}

impl Node {
    /// The trunks that go unencrypted, each with why that is so.
    pub fn plain(&self) -> impl Iterator<Item = (&TrunkId, &str)> {
        let plain = self.trunks.values().filter(|trunk| trunk.transport != Transport::Tls);
        plain.map(|trunk| (&trunk.id, trunk.plain.as_deref().unwrap_or("nobody has said why")))
    }

    /// The session interval that we ask of a phone: its trunk's, or the usual one of a registered phone.
    pub fn session_timer(&self, trunk: Option<&TrunkId>) -> Duration {
        trunk.and_then(|id| self.trunks.get(id)).map_or(SESSION_TIMER, |trunk| trunk.session_timer)
    }
}

impl Trunk {
    /// What its certificate must bear, one of them, whoever connects; empty: the address itself.
    pub fn names_to_verify(&self) -> Vec<String> {
        match &self.next_hop {
            Some(NextHop::Host { name, .. }) if self.certificate_names.is_empty() => vec![name.clone()],
            Some(NextHop::Host { .. } | NextHop::Address(_)) | None => self.certificate_names.clone(),
        }
    }

    /// The digits to dial over this trunk.
    pub fn dial(&self, number: &Extension, outside: bool) -> String {
        match &self.outside_prefix {
            Some(prefix) if outside => format!("{prefix}{number}"),
            Some(_) | None => number.to_string(),
        }
    }

    /// Whether dialling it over this trunk calls 911, with the digit for an outside line or without. Outside, a PBX may act
    /// on the first digits that it knows.
    pub fn dials_emergency(&self, number: &Extension, outside: bool) -> bool {
        let digits = self.dial(number, outside);
        let prefix = self.outside_prefix.as_deref().unwrap_or_default();
        is_emergency(&digits, "") || is_emergency(&digits, prefix) || (outside && digits.starts_with(EMERGENCY))
    }
}

/// Whether the digits are those of the public emergency line, behind `prefix`.
pub(super) fn is_emergency(digits: &str, prefix: &str) -> bool {
    digits.strip_prefix(prefix) == Some(EMERGENCY)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextHop {
    Address(SocketAddr),
    /// RFC 3263: with a port A/AAAA only, else SRV first.
    Host {
        name: String,
        port: Option<u16>,
    },
}

/// Where RTP is received, and how ports are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    pub bind: IpAddr,
    /// What SDP says.
    pub advertised: IpAddr,
    /// First port, even (RTP on it, RTCP on the next: RFC 3550 section 11).
    pub first_port: u16,
    /// Last port, odd.
    pub last_port: u16,
    /// Media threads.
    pub workers: usize,
    /// How long a port rests before it is used again.
    pub quarantine: Duration,
}

impl Media {
    /// How many legs can be up at once.
    pub fn pairs(&self) -> usize {
        (usize::from(self.last_port) + 1).saturating_sub(usize::from(self.first_port)) / 2
    }
}

/// What analysts' phones are told when they register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The digest realm, and the domain of addresses of record.
    pub realm: String,
    pub min_expires: Duration,
    pub max_expires: Duration,
}

/// The test call that shows from outside that the desk works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    pub hospital: HospitalId,
    pub every: Duration,
    /// Dialled by the canary only; reaches `analyst` only.
    pub number: Extension,
    pub analyst: AnalystId,
}

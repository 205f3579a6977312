//! The typed views of single lines: `o=`, `c=`, `m=` and the attributes that offer/answer reads.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// Longest word of an `m=` line; "UDP/TLS/RTP/SAVPF" has 17 bytes.
const MAX_TOKEN: usize = 64;

/// Which way media flows, seen from who says it (RFC 8866 section 6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub const fn new(sends: bool, receives: bool) -> Direction {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    pub const fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    pub const fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// The same flow seen from the other side (RFC 3264 section 6.1).
    pub const fn reversed(self) -> Direction {
        Direction::new(self.receives(), self.sends())
    }

    /// What both allow.
    pub const fn and(self, other: Direction) -> Direction {
        Direction::new(self.sends() && other.sends(), self.receives() && other.receives())
    }

    /// As the attribute writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    pub(super) fn parse(value: &str) -> Option<Direction> {
        match value {
            "sendrecv" => Some(Direction::SendRecv),
            "sendonly" => Some(Direction::SendOnly),
            "recvonly" => Some(Direction::RecvOnly),
            "inactive" => Some(Direction::Inactive),
            _ => None,
        }
    }
}

/// `o=`: who made the description, and which version of it this is (RFC 8866 section 5.2). Equal origins mean that
/// nothing changed (RFC 3264 section 8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub username: String,
    /// Digits; peers write more of them than an integer holds.
    pub session_id: String,
    /// Digits, likewise.
    pub version: String,
    /// Network type, address type and address, as written ("IN IP4 192.0.2.1").
    pub address: String,
}

impl Origin {
    /// Our own: no user name, our address.
    pub fn ours(session_id: u64, version: u64, address: IpAddr) -> Origin {
        Origin {
            username: "-".to_owned(),
            session_id: session_id.to_string(),
            version: version.to_string(),
            address: Connection::ip(address).to_string(),
        }
    }

    pub(super) fn parse(value: &str) -> Option<Origin> {
        let fields: Vec<&str> = value.split_ascii_whitespace().collect();
        let [username, session_id, version, network, family, address] = fields[..] else { return None };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(session_id) || !digits(version) {
            return None;
        }
        Some(Origin {
            username: username.to_owned(),
            session_id: session_id.to_owned(),
            version: version.to_owned(),
            address: format!("{network} {family} {address}"),
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.username, self.session_id, self.version, self.address)
    }
}

/// An address as SDP names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    Ip(IpAddr),
    /// A domain name (RFC 8866 section 5.7 allows it; nobody needs it).
    Name(String),
}

/// `c=`: where media goes (RFC 8866 section 5.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    pub v6: bool,
    pub host: Host,
    /// What stands behind the address of a multicast group ("/127/3"), with its slash; else empty.
    pub group: String,
}

impl Connection {
    pub fn ip(address: IpAddr) -> Connection {
        Connection { v6: address.is_ipv6(), host: Host::Ip(address), group: String::new() }
    }

    pub(super) fn parse(value: &str) -> Option<Connection> {
        let mut fields = value.split_ascii_whitespace();
        let (network, family, address) = (fields.next()?, fields.next()?, fields.next()?);
        if !network.eq_ignore_ascii_case("IN") || fields.next().is_some() {
            return None;
        }
        let v6 = match family.to_ascii_uppercase().as_str() {
            "IP4" => false,
            "IP6" => true,
            _ => return None,
        };
        let (address, group) = match address.find('/') {
            Some(slash) => address.split_at(slash),
            None => (address, ""),
        };
        Some(Connection { v6, host: host(v6, address)?, group: group.to_owned() })
    }
}

/// An address must be of the family that stands before it; anything else must look like a domain name.
fn host(v6: bool, text: &str) -> Option<Host> {
    let ip = if v6 { text.parse::<Ipv6Addr>().map(IpAddr::V6) } else { text.parse::<Ipv4Addr>().map(IpAddr::V4) };
    if let Ok(ip) = ip {
        return Some(Host::Ip(ip));
    }
    let name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    let letter = text.bytes().any(|byte| byte.is_ascii_alphabetic());
    (name && letter).then(|| Host::Name(text.to_owned()))
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.v6 { "IP6" } else { "IP4" };
        match &self.host {
            Host::Ip(ip) => write!(f, "IN {family} {ip}{}", self.group),
            Host::Name(name) => write!(f, "IN {family} {name}{}", self.group),
        }
    }
}

/// `m=`: one stream (RFC 8866 section 5.14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaLine {
    /// "audio", "video", …
    pub kind: String,
    /// 0: the stream is refused or switched off (RFC 3264 section 6).
    pub port: u16,
    /// Number of port pairs of a layered stream, when written.
    pub port_count: Option<u16>,
    /// "RTP/AVP", "RTP/SAVP", "UDP/TLS/RTP/SAVPF", …
    pub protocol: String,
    /// Payload types for RTP; at least one.
    pub formats: Vec<String>,
}

impl MediaLine {
    pub(super) fn parse(value: &str) -> Option<MediaLine> {
        let mut fields = value.split_ascii_whitespace();
        let (kind, port, protocol) = (fields.next()?, fields.next()?, fields.next()?);
        let (port, port_count) = match port.split_once('/') {
            Some((port, count)) => (port, Some(number(count)?)),
            None => (port, None),
        };
        let formats: Vec<String> = fields.map(str::to_owned).collect();
        if formats.is_empty() || ![kind, protocol].into_iter().chain(formats.iter().map(String::as_str)).all(token) {
            return None;
        }
        Some(MediaLine {
            kind: kind.to_owned(),
            port: number(port)?,
            port_count,
            protocol: protocol.to_owned(),
            formats,
        })
    }
}

/// Printable and short: an answer repeats the words of an `m=` line.
fn token(text: &str) -> bool {
    text.len() <= MAX_TOKEN && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Digits only: `u16::from_str` would take "+5004" too.
fn number(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for MediaLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.port)?;
        if let Some(count) = self.port_count {
            write!(f, "/{count}")?;
        }
        write!(f, " {}", self.protocol)?;
        self.formats.iter().try_for_each(|format| write!(f, " {format}"))
    }
}

/// `a=rtpmap`: what a payload type means (RFC 8866 section 6.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpMap {
    pub payload_type: u8,
    /// As written; compared without case.
    pub encoding: String,
    pub clock_hz: u32,
    pub channels: u32,
}

impl RtpMap {
    pub(super) fn parse(value: &str) -> Option<RtpMap> {
        let (payload_type, rest) = value.split_once(|c: char| c.is_ascii_whitespace())?;
        let mut parts = rest.trim().split('/');
        let (encoding, clock) = (parts.next()?, parts.next()?);
        let channels = match parts.next() {
            Some(channels) => channels.parse().ok()?,
            None => 1,
        };
        Some(RtpMap {
            payload_type: payload_type.parse().ok().filter(|number| *number < 128)?,
            encoding: encoding.to_owned(),
            clock_hz: clock.parse().ok()?,
            channels,
        })
    }
}

/// `a=rtcp` (RFC 3605): a port, and an address when it is not that of `c=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtcpAddress {
    pub port: u16,
    pub connection: Option<Connection>,
}

impl RtcpAddress {
    pub(super) fn parse(value: &str) -> Option<RtcpAddress> {
        match value.split_once(' ') {
            Some((port, address)) => {
                Some(RtcpAddress { port: number(port)?, connection: Some(Connection::parse(address)?) })
            }
            None => Some(RtcpAddress { port: number(value)?, connection: None }),
        }
    }
}

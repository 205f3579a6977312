//! The host of a URI or a Via: a name, an IPv4 address or an IPv6 reference, with its port.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::fault::Fault;
use super::grammar;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    Name(String),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    /// A URI without a host: `tel:` and schemes that are not read.
    Absent,
}

impl Host {
    /// Reads a host; an IPv6 address must stand in brackets.
    pub fn parse(text: &str) -> Result<Host, Fault> {
        match HostRef::parse(text)? {
            HostRef::Name(name) => Ok(Host::Name(name.to_owned())),
            HostRef::V4(address) => Ok(Host::V4(address)),
            HostRef::V6(address) => Ok(Host::V6(address)),
        }
    }

    /// The address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::V4(address) => Some(IpAddr::V4(*address)),
            Host::V6(address) => Some(IpAddr::V6(*address)),
            Host::Name(_) | Host::Absent => None,
        }
    }

    /// Same host by RFC 3261 §19.1.4: names without case.
    pub fn same_as(&self, other: &Host) -> bool {
        match (self, other) {
            (Host::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => a == b,
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Host {
        match address {
            IpAddr::V4(address) => Host::V4(address),
            IpAddr::V6(address) => Host::V6(address),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::V4(address) => write!(f, "{address}"),
            Host::V6(address) => write!(f, "[{address}]"),
            Host::Absent => Ok(()),
        }
    }
}

/// A host still in the message.
pub(super) enum HostRef<'a> {
    Name(&'a str),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl<'a> HostRef<'a> {
    pub(super) fn parse(text: &'a str) -> Result<HostRef<'a>, Fault> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(Fault::Host)?;
            return ipv6(inner).map(HostRef::V6).ok_or(Fault::Host);
        }
        if !grammar::is_host_name(text) {
            return Err(Fault::Host);
        }
        // Only text that ends in a digit can be an address; the attempt costs more than this look.
        if text.ends_with(|c: char| c.is_ascii_digit())
            && let Ok(address) = text.parse()
        {
            return Ok(HostRef::V4(address));
        }
        Ok(HostRef::Name(text))
    }

    /// Reads `host [":" port]`. Blanks around the colon are allowed where `lws` says so (Via's sent-by).
    pub(super) fn with_port(text: &'a str, lws: bool) -> Result<(HostRef<'a>, Option<u16>), Fault> {
        let end = match text.strip_prefix('[') {
            Some(_) => text.find(']').map(|at| at + 1).ok_or(Fault::Host)?,
            None => text.find(':').unwrap_or(text.len()),
        };
        let (host, rest) = text.split_at_checked(end).ok_or(Fault::Host)?;
        let (host, rest) = if lws { (grammar::trim(host), grammar::trim(rest)) } else { (host, rest) };
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(parse_port(if lws { grammar::trim(port) } else { port })?),
            None if rest.is_empty() => None,
            None => return Err(Fault::Host),
        };
        Ok((HostRef::parse(host)?, port))
    }

    pub(super) fn to_host(&self) -> Host {
        match self {
            HostRef::Name(name) => Host::Name((*name).to_owned()),
            HostRef::V4(address) => Host::V4(*address),
            HostRef::V6(address) => Host::V6(*address),
        }
    }
}

fn parse_port(text: &str) -> Result<u16, Fault> {
    grammar::digits(text).and_then(|port| u16::try_from(port).ok()).ok_or(Fault::Host)
}

/// An IPv6 address, also with the three colons that the grammar of RFC 3261 makes of `::` before an IPv4 part
/// (RFC 5118 §4.10: receivers should accept it).
fn ipv6(text: &str) -> Option<Ipv6Addr> {
    text.parse().ok().or_else(|| {
        let (head, tail) = text.split_once(":::")?;
        // Only that one fault is forgiven: what follows must be the IPv4 part.
        tail.parse::<Ipv4Addr>().ok()?;
        format!("{head}::{tail}").parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_addresses_or_bracketed_references() {
        assert_eq!(Host::parse("Example.com"), Ok(Host::Name("Example.com".to_owned())));
        assert_eq!(Host::parse("192.0.2.1"), Ok(Host::V4(Ipv4Addr::new(192, 0, 2, 1))));
        assert_eq!(Host::parse("[2001:db8::10]").unwrap().to_string(), "[2001:db8::10]");
        for bad in ["", "2001:db8::10", "[2001:db8::10", "[::1]x", "a b", "[fe80::1%eth0]", "a/b"] {
            assert!(Host::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn three_colons_before_an_ipv4_part_are_read_as_two() {
        assert_eq!(Host::parse("[2001:db8:::192.0.2.1]"), Host::parse("[2001:db8::192.0.2.1]"));
        assert!(Host::parse("[2001:db8:::1]").is_err());
    }

    #[test]
    fn ports_are_sixteen_bits() {
        let port = |text| HostRef::with_port(text, false).map(|(_, port)| port);
        assert_eq!(port("h:5070"), Ok(Some(5070)));
        assert_eq!(port("[2001:db8::10:5070]"), Ok(None));
        assert_eq!(port("[2001:db8::10]:5070"), Ok(Some(5070)));
        for bad in ["h:", "h:65536", "h:-1", "h :1", "[::1]5060", "2001:db8::10"] {
            assert!(port(bad).is_err(), "{bad:?}");
        }
    }
}

//! Via: where a request came by and where its response goes (RFC 3261 §18.2, §20.42; RFC 3581 rport).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::fault::Fault;
use super::grammar;
use super::host::{Host, HostRef};
use super::params::{Params, pieces};

/// What every branch of RFC 3261 begins with (§8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// "UDP", "TCP", or any token, as spelled.
    pub transport: String,
    pub host: Host,
    pub port: Option<u16>,
    pub params: Params,
}

impl Via {
    /// A Via for a request of ours. Asks for rport (RFC 3581 §3).
    pub fn new(transport: &str, local: SocketAddr, branch: &str) -> Via {
        let mut params = Params::new();
        params.set("branch", Some(branch));
        params.set("rport", None);
        Via { transport: transport.to_owned(), host: local.ip().into(), port: Some(local.port()), params }
    }

    pub fn parse(text: &str) -> Result<Via, Fault> {
        let via = ViaRef::parse(text)?;
        Ok(Via {
            transport: via.transport.to_owned(),
            host: via.host.to_host(),
            port: via.port,
            params: Params::parse(via.params)?,
        })
    }

    /// As on the wire; compare with [`Via::rfc3261_branch`] before trusting it to be unique.
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch")
    }

    /// The branch, if it identifies a transaction by itself: the magic cookie and something after it (RFC 4475 §3.2.1).
    pub fn rfc3261_branch(&self) -> Option<&str> {
        self.branch().filter(|branch| {
            branch.get(..MAGIC_COOKIE.len()).is_some_and(|cookie| cookie.eq_ignore_ascii_case(MAGIC_COOKIE))
                && branch.len() > MAGIC_COOKIE.len()
        })
    }

    /// `received`, with or without the brackets that RFC 5118 §4.5 says to expect.
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.get("received")?;
        text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text).parse().ok()
    }

    /// `rport` when it has a value.
    pub fn rport(&self) -> Option<u16> {
        self.params.get("rport").and_then(grammar::digits).and_then(|port| u16::try_from(port).ok())
    }

    /// Notes where the request really came from (§18.2.1, RFC 3581 §4): `received` when the sent-by differs from it or
    /// rport was asked for, and rport's value.
    pub fn stamp(&mut self, source: SocketAddr) {
        let asks_rport = self.params.has("rport");
        if asks_rport {
            self.params.set("rport", Some(&source.port().to_string()));
        }
        if asks_rport || self.host.ip() != Some(source.ip()) {
            self.params.set("received", Some(&source.ip().to_string()));
        } else {
            // A value that the peer put there himself must not steer our response.
            self.params.remove("received");
        }
    }

    /// Where a response goes over UDP (§18.2.2, RFC 3581 §4), once [`Via::stamp`]ed; `None` when the host is a name.
    pub fn response_address(&self) -> Option<SocketAddr> {
        let ip = self.received().or_else(|| self.host.ip())?;
        Some(SocketAddr::new(ip, self.rport().or(self.port).unwrap_or(5060)))
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)
    }
}

/// A checked value still in the message.
pub(super) struct ViaRef<'a> {
    pub transport: &'a str,
    pub host: HostRef<'a>,
    pub port: Option<u16>,
    pub params: &'a str,
}

impl<'a> ViaRef<'a> {
    /// Any protocol name and version is read: the 505 to a `SIP/7.0` request finds its way back by such a Via.
    pub(super) fn parse(text: &'a str) -> Result<ViaRef<'a>, Fault> {
        let text = grammar::trim(text);
        let (protocol, rest) = text.split_once('/').ok_or(Fault::Malformed("Via"))?;
        let (version, rest) = rest.split_once('/').ok_or(Fault::Malformed("Via"))?;
        let (transport, rest) = grammar::take_token(grammar::trim_start(rest));
        let named = [protocol, version].into_iter().all(|part| grammar::is_token(grammar::trim(part)));
        if !named || transport.is_empty() || !rest.starts_with([' ', '\t']) {
            return Err(Fault::Malformed("Via"));
        }
        let rest = grammar::trim(rest);
        let end = rest.find(';').unwrap_or(rest.len());
        let (sent_by, params) = rest.split_at_checked(end).ok_or(Fault::Malformed("Via"))?;
        let (host, port) = HostRef::with_port(grammar::trim(sent_by), true)?;
        for param in pieces(params) {
            param?;
        }
        Ok(ViaRef { transport, host, port, params })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_allowed_around_every_sign() {
        let via = Via::parse("SIP  / 2.0  / TCP     spindle.example.com : 5062  ;  branch  =   z9hG4bK9ikj8").unwrap();
        assert_eq!(via.to_string(), "SIP/2.0/TCP spindle.example.com:5062;branch=z9hG4bK9ikj8");
        assert_eq!(via.rfc3261_branch(), Some("z9hG4bK9ikj8"));
    }

    #[test]
    fn an_empty_or_old_branch_names_no_transaction() {
        for branch in [";branch=z9hG4bK", ";branch=390skdjuw", ""] {
            assert_eq!(Via::parse(&format!("SIP/2.0/UDP h{branch}")).unwrap().rfc3261_branch(), None, "{branch}");
        }
    }

    #[test]
    fn received_is_read_with_and_without_brackets() {
        let with = Via::parse("SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111").unwrap();
        let without = Via::parse("SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3").unwrap();
        assert_eq!(with.received(), Some("2001:db8::9:255".parse().unwrap()));
        assert_eq!(with.received(), without.received());
    }

    #[test]
    fn the_real_source_is_stamped_and_a_forged_one_removed() {
        let source: SocketAddr = "192.0.2.9:40000".parse().unwrap();
        let mut nat = Via::parse("SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKa").unwrap();
        nat.stamp(source);
        assert_eq!(nat.to_string(), "SIP/2.0/UDP 10.0.0.1:5060;rport=40000;branch=z9hG4bKa;received=192.0.2.9");
        assert_eq!(nat.response_address(), Some(source));
        let mut forged = Via::parse("SIP/2.0/UDP 192.0.2.9;received=198.51.100.1;branch=z9hG4bKa").unwrap();
        forged.stamp(source);
        assert_eq!(forged.response_address(), Some("192.0.2.9:5060".parse().unwrap()));
    }

    #[test]
    fn malformed_values_are_refused() {
        for bad in [
            "SIP/2.0/UDP 192.0.2.15;;",
            "SIP/2.0/UDP",
            "SIP/2.0 h",
            "h",
            "",
            "SIP/2.0/UDP h h",
            "SIP/2.0/UDP ;branch=a",
        ] {
            assert!(Via::parse(bad).is_err(), "{bad:?}");
        }
    }
}

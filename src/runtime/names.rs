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
        Transport::Tls => format!("_sips._tcp.{host}"),
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
        return addresses(resolver, host, transport.port()).await;
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

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::net::runtime::TokioRuntimeProvider;
    use tokio::net::UdpSocket;

    use super::*;

    const A: u16 = 1;
    const SRV: u16 = 33;

    fn name(text: &str) -> Vec<u8> {
        let label = |label: &str| [&[u8::try_from(label.len()).expect("short")], label.as_bytes()].concat();
        text.split('.').flat_map(label).chain([0]).collect()
    }

    /// Type and data of each record at a name; none: there is no such name.
    fn zone(asked: &str) -> Vec<(u16, Vec<u8>)> {
        let srv = |priority: u16, weight: u16, port: u16, target: &str| {
            let numbers = [priority, weight, port].into_iter().flat_map(|number| number.to_be_bytes());
            (SRV, numbers.chain(name(target)).collect())
        };
        match asked {
            "_sip._udp.pbx.test" => vec![
                srv(20, 0, 5_066, "third.pbx.test"),
                srv(10, 5, 5_061, "second.pbx.test"),
                srv(10, 60, 5_062, "first.pbx.test"),
                srv(5, 0, 5_069, "gone.pbx.test"),
            ],
            "first.pbx.test" => vec![(A, vec![10, 0, 0, 1])],
            "second.pbx.test" => vec![(A, vec![10, 0, 0, 2])],
            "third.pbx.test" => vec![(A, vec![10, 0, 0, 3])],
            "plain.test" => vec![(A, vec![10, 0, 0, 9]), (A, vec![10, 0, 0, 8])],
            _ => Vec::new(),
        }
    }

    fn answer(query: &[u8]) -> Vec<u8> {
        let (mut labels, mut at) = (Vec::new(), 12);
        while query[at] != 0 {
            let end = at + 1 + usize::from(query[at]);
            labels.push(String::from_utf8_lossy(&query[at + 1..end]).to_lowercase());
            at = end;
        }
        let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
        let known = zone(&labels.join("."));
        let records: Vec<&(u16, Vec<u8>)> = known.iter().filter(|(of, _)| *of == kind).collect();
        let no_such_name = if known.is_empty() { 3 } else { 0 };
        let count = u8::try_from(records.len()).expect("few");
        let mut out =
            [&query[..2], &[0x85, 0x80 | no_such_name, 0, 1, 0, count, 0, 0, 0, 0], &query[12..at + 5]].concat();
        for (kind, data) in records {
            let length = u16::try_from(data.len()).expect("short");
            // The name is the question's; class IN, for a minute.
            out.extend([0xc0, 12]);
            out.extend(kind.to_be_bytes());
            out.extend([0, 1, 0, 0, 0, 60]);
            out.extend(length.to_be_bytes());
            out.extend(data);
        }
        out
    }

    /// A resolver whose only name server is this test.
    async fn resolver() -> TokioResolver {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = socket.local_addr().expect("bound").port();
        tokio::spawn(async move {
            let mut query = [0; 1_500];
            while let Ok((length, from)) = socket.recv_from(&mut query).await {
                let _ = socket.send_to(&answer(&query[..length]), from).await;
            }
        });
        let mut connection = ConnectionConfig::udp();
        connection.port = port;
        let server = NameServerConfig::new(IpAddr::V4(Ipv4Addr::LOCALHOST), true, vec![connection]);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).build().expect("a resolver")
    }

    async fn found(host: &str, port: Option<u16>) -> Result<Vec<String>, String> {
        let found = look_up(&resolver().await, host, port, Transport::Udp).await?;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    #[tokio::test]
    async fn srv_records_are_followed_by_priority_and_weight_past_a_target_that_is_gone() {
        assert_eq!(found("pbx.test", None).await.expect("found"), ["10.0.0.1:5062", "10.0.0.2:5061", "10.0.0.3:5066"]);
    }

    #[tokio::test]
    async fn a_name_without_srv_records_or_with_a_port_is_an_address() {
        let sorted = |mut found: Vec<String>| {
            found.sort();
            found
        };
        assert_eq!(sorted(found("plain.test", None).await.expect("found")), ["10.0.0.8:5060", "10.0.0.9:5060"]);
        assert_eq!(found("first.pbx.test", Some(5_080)).await.expect("found"), ["10.0.0.1:5080"]);
        assert!(found("nobody.test", None).await.is_err());
    }

    #[tokio::test]
    async fn an_answer_comes_even_when_the_look_up_breaks() {
        let inbox = Arc::new(Inbox::new(crate::runtime::clock::MonotonicClock::new()));
        let owed = Owed { inbox: Arc::clone(&inbox), query: QueryId(7), answer: Err("the look-up broke".to_owned()) };
        let broken = tokio::spawn(async move {
            let _owed = owed;
            std::panic::resume_unwind(Box::new("a fault made on purpose"));
        });
        assert!(broken.await.is_err());
        let given = inbox.take(None).expect("open");
        assert!(
            matches!(&given[..], [Input::Answer { query: QueryId(7), answer: Answer::Resolved(Err(_)) }]),
            "{given:?}"
        );
    }
}

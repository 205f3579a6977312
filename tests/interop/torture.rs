//! Torture messages against the running server, from a declared trunk, over UDP and TCP: the published ones where that
//! folder is present (`WARDLINE_TORTURE`, or shared/torture beside the repository), as its manifests say.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::desk::{Analyst, Desk};
use crate::node::{Node, free_address};
use crate::peer::{beside_others, free_ports};

/// An answer that must come has this long; one that may stay away is waited for more briefly.
const MUST: Duration = Duration::from_secs(4);
const MAY: Duration = Duration::from_millis(150);

struct Message {
    name: String,
    bytes: Vec<u8>,
    /// Final statuses, or "none" (no answer), "any", "any-but-400".
    accepted: Vec<String>,
}

impl Message {
    fn accepts(&self, status: Option<u16>) -> bool {
        self.accepted.iter().any(|accepted| match (accepted.as_str(), status) {
            ("any", _) | ("none", None) => true,
            ("any-but-400", Some(status)) => status != 400,
            (accepted, Some(status)) => accepted == status.to_string(),
            (_, None) => false,
        })
    }

    fn patience(&self) -> Duration {
        if self.accepts(None) { MAY } else { MUST }
    }

    /// Where an answer without `rport` goes: the port of the topmost Via (RFC 3261 section 18.2.2).
    fn sent_by_port(&self) -> u16 {
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        let unfolded = text.replace("\r\n ", " ").replace("\r\n\t", " ");
        let is_via = |name: &str| name.trim().eq_ignore_ascii_case("via") || name.trim().eq_ignore_ascii_case("v");
        let via = unfolded.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| is_via(name));
        let first = via.and_then(|(_, value)| value.split([';', ',']).next()).unwrap_or_default();
        let host = first.split_whitespace().next_back().unwrap_or_default();
        // An IPv6 address in brackets ends with "]".
        let port = host.rsplit_once(':').filter(|(name, _)| !name.contains('[') || name.ends_with(']'));
        port.and_then(|(_, port)| port.trim().parse().ok()).unwrap_or(5060)
    }
}

fn folder() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = ["../shared/torture", "../../shared/torture"].map(|path| here.join(path));
    std::env::var_os("WARDLINE_TORTURE").map(PathBuf::from).into_iter().chain(beside).find(|path| path.is_dir())
}

fn messages(folder: &Path) -> Vec<Message> {
    let text = fs::read_to_string(folder.join("MANIFEST.csv")).expect("a manifest");
    let lines = text.lines().skip(1).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let columns: Vec<&str> = line.splitn(7, ',').collect();
            Message {
                name: columns[0].to_owned(),
                bytes: fs::read(folder.join(columns[0])).expect("a message"),
                accepted: columns[5].split('|').map(str::to_owned).collect(),
            }
        })
        .collect()
}

/// The status of a final response to this message; of requests, provisional ones and late answers to others nothing.
///
/// Some of the published messages share a branch: those are one transaction, and are answered by the first one's answer.
fn final_status(bytes: &[u8], message: &Message) -> Option<u16> {
    let text = String::from_utf8_lossy(bytes);
    let sent = String::from_utf8_lossy(&message.bytes).into_owned();
    let is_call_id = |name: &str| name.trim().eq_ignore_ascii_case("call-id") || name.trim().eq_ignore_ascii_case("i");
    let (_, call_id) = text.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| is_call_id(name))?;
    let branch = text.split("branch=").nth(1).and_then(|rest| rest.split([';', '\r', ',']).next());
    let same_branch = branch.is_some_and(|branch| !message.accepts(None) && sent.contains(branch));
    if !sent.contains(call_id.trim()) && !same_branch {
        return None;
    }
    let status: u16 = text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()?;
    (status >= 200).then_some(status)
}

fn over_udp(node: &Node, trunk: Ipv4Addr, message: &Message) -> Option<u16> {
    let socket = UdpSocket::bind((trunk, message.sent_by_port())).expect("an address of this test's own");
    socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a live socket");
    socket.send_to(&message.bytes, node.sip).expect("loopback takes it");
    let end = Instant::now() + message.patience();
    let mut bytes = [0; 65_536];
    while Instant::now() < end {
        let received = socket.recv_from(&mut bytes).ok();
        if let Some(status) = received.and_then(|(count, _)| final_status(&bytes[..count], message)) {
            return Some(status);
        }
    }
    None
}

fn over_tcp(node: &Node, trunk: Ipv4Addr, message: &Message) -> Option<u16> {
    let stream = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    stream.bind(&std::net::SocketAddr::from((trunk, 0)).into()).expect("an address of this test's own");
    stream.connect(&node.sip.into()).expect("the node listens");
    let mut stream = TcpStream::from(stream);
    stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a live socket");
    stream.write_all(&message.bytes).expect("the node reads");
    let end = Instant::now() + message.patience();
    let (mut heard, mut bytes) = (Vec::new(), [0; 65_536]);
    while Instant::now() < end {
        match stream.read(&mut bytes) {
            // The node has closed what it cannot frame any more.
            Ok(0) => break,
            Ok(count) => heard.extend_from_slice(&bytes[..count]),
            Err(_) => {}
        }
        let answers = String::from_utf8_lossy(&heard).into_owned();
        let starts = answers.match_indices("SIP/2.0 ").map(|(at, _)| &answers.as_bytes()[at..]);
        // "Via: SIP/2.0/UDP" has no space there, so only status lines are found.
        if let Some(status) = starts.filter_map(|bytes| final_status(bytes, message)).next() {
            return Some(status);
        }
    }
    None
}

/// Fires all of them one way. Each way has a node of its own: a branch that came by UDP is a retransmission by TCP too.
fn fire(how: &str, ask: impl Fn(&Node, Ipv4Addr, &Message) -> Option<u16>) {
    let Some(folder) = folder() else {
        println!("no folder of published messages: tests/wire holds this project's own");
        return;
    };
    let _machine = beside_others();
    let trunk = free_address();
    let node = Node::start(&Desk { trunk: trunk.into(), ..Desk::of(vec![Analyst::fixed("ada", free_ports(2))]) });
    let mut wrong = Vec::new();
    let mut fired = 0;
    for rfc in ["rfc4475", "rfc5118"] {
        for message in messages(&folder.join(rfc)) {
            fired += 1;
            let status = ask(&node, trunk, &message);
            if !message.accepts(status) {
                let accepted = message.accepted.join("|");
                wrong.push(format!("{rfc}/{}: {status:?}, wanted {accepted}", message.name));
            }
            let left = node.figure("calls") + node.figure("legs") + node.figure("ports{state=\"used\"}");
            if left > 0 || node.get("/healthz").map(|(status, _)| status) != Some(200) {
                wrong.push(format!("{rfc}/{}: {left} calls, legs and ports are left", message.name));
            }
        }
    }
    println!("{fired} messages over {how}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    node.assert_empties();
    assert_eq!(node.tickets().len(), 0, "none of them dials the hotline");
    node.stop();
}

#[test]
fn published_torture_messages_over_udp_are_answered_and_leave_nothing_behind() {
    fire("UDP", over_udp);
}

#[test]
fn published_torture_messages_over_tcp_are_answered_and_leave_nothing_behind() {
    fire("TCP", over_tcp);
}

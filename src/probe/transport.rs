//! UDP and TCP under the probe: one address, messages handed to the dialog whose Call-ID they carry.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdUdpSocket};
use std::sync::{Arc, Mutex, MutexGuard};

use rsip::SipMessage;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::wire;

/// Messages waiting for one dialog; a test phone that is this far behind is stuck.
const INBOX: usize = 256;
/// A message on a stream is not longer than this.
const MAX_MESSAGE: usize = 65_536;
/// Complaints about messages that `rsip` did not read, kept for the report.
const MAX_UNPARSED: usize = 16;
/// Tries to find a port that is free for UDP and for TCP.
const BIND_TRIES: usize = 20;

/// Where a message came from and where its answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Udp(SocketAddr),
    Tcp(SocketAddr),
}

impl Flow {
    pub fn peer(self) -> SocketAddr {
        match self {
            Flow::Udp(peer) | Flow::Tcp(peer) => peer,
        }
    }

    /// The transport as a Via spells it.
    pub fn name(self) -> &'static str {
        match self {
            Flow::Udp(_) => "UDP",
            Flow::Tcp(_) => "TCP",
        }
    }
}

/// A message and its way here.
#[derive(Debug)]
pub struct Packet {
    pub message: SipMessage,
    pub flow: Flow,
}

/// The probe's SIP address. Its reading tasks end when it is dropped.
pub struct Endpoint {
    shared: Arc<Shared>,
    /// Requests that belong to no dialog yet.
    fresh: tokio::sync::Mutex<mpsc::Receiver<Packet>>,
    _tasks: JoinSet<()>,
}

struct Shared {
    udp: UdpSocket,
    local: SocketAddr,
    connections: Mutex<BTreeMap<SocketAddr, mpsc::Sender<Vec<u8>>>>,
    dialogs: Mutex<BTreeMap<String, mpsc::Sender<Packet>>>,
    fresh: mpsc::Sender<Packet>,
    unparsed: Mutex<Vec<String>>,
}

/// A poisoned lock still holds whole values here: nothing is left half done under one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Endpoint {
    /// Takes the address for UDP and TCP; port 0 finds one.
    pub async fn bind(address: SocketAddr) -> io::Result<Endpoint> {
        let (udp, tcp) = bind_both(address).await?;
        let local = udp.local_addr()?;
        let (sender, receiver) = mpsc::channel(INBOX);
        let shared = Arc::new(Shared {
            udp,
            local,
            connections: Mutex::default(),
            dialogs: Mutex::default(),
            fresh: sender,
            unparsed: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(read_udp(shared.clone()));
        tasks.spawn(accept(shared.clone(), tcp));
        Ok(Endpoint { shared, fresh: tokio::sync::Mutex::new(receiver), _tasks: tasks })
    }

    pub fn local(&self) -> SocketAddr {
        self.shared.local
    }

    /// The address by which `peer` reaches us: the bound one, or the one that the route to the peer uses.
    pub fn address_towards(&self, peer: SocketAddr) -> SocketAddr {
        let local = self.shared.local;
        if !local.ip().is_unspecified() {
            return local;
        }
        let any: IpAddr = if peer.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
        let routed = StdUdpSocket::bind((any, 0)).and_then(|socket| {
            socket.connect(peer)?;
            socket.local_addr()
        });
        SocketAddr::new(routed.map_or(local.ip(), |address| address.ip()), local.port())
    }

    /// Sends; on TCP over the connection to that peer, which is opened when there is none.
    pub async fn send(&self, flow: Flow, bytes: &[u8]) -> io::Result<()> {
        match flow {
            Flow::Udp(peer) => self.shared.udp.send_to(bytes, peer).await.map(|_| ()),
            Flow::Tcp(peer) => {
                let known = lock(&self.shared.connections).get(&peer).cloned();
                let connection = match known {
                    Some(connection) => connection,
                    None => open(self.shared.clone(), peer).await?,
                };
                connection.send(bytes.to_vec()).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
            }
        }
    }

    /// From now on messages of this Call-ID go to the returned inbox.
    pub fn join(&self, call_id: &str) -> mpsc::Receiver<Packet> {
        let (sender, receiver) = mpsc::channel(INBOX);
        lock(&self.shared.dialogs).insert(call_id.to_owned(), sender);
        receiver
    }

    pub fn leave(&self, call_id: &str) {
        lock(&self.shared.dialogs).remove(call_id);
    }

    /// The next request outside any dialog that this probe knows.
    pub async fn fresh(&self) -> Option<Packet> {
        self.fresh.lock().await.recv().await
    }

    /// What `rsip` could not read so far, in words.
    pub fn unparsed(&self) -> Vec<String> {
        lock(&self.shared.unparsed).clone()
    }
}

async fn bind_both(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = 0;
    loop {
        let udp = UdpSocket::bind(address).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(_) if address.port() == 0 && tries < BIND_TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

async fn read_udp(shared: Arc<Shared>) {
    let mut buffer = vec![0; MAX_MESSAGE];
    loop {
        // An ICMP refusal shows here as an error of one datagram; reading goes on.
        if let Ok((length, peer)) = shared.udp.recv_from(&mut buffer).await {
            deliver(&shared, Flow::Udp(peer), buffer.get(..length).unwrap_or_default());
        }
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    while let Ok((stream, peer)) = listener.accept().await {
        let (sender, outbox) = mpsc::channel(INBOX);
        lock(&shared.connections).insert(peer, sender);
        connections.spawn(run_stream(shared.clone(), stream, peer, outbox));
    }
}

async fn open(shared: Arc<Shared>, peer: SocketAddr) -> io::Result<mpsc::Sender<Vec<u8>>> {
    let stream = TcpStream::connect(peer).await?;
    let (sender, outbox) = mpsc::channel(INBOX);
    lock(&shared.connections).insert(peer, sender.clone());
    // Ends with its stream, or with the process: a probe lives as long as its calls.
    tokio::spawn(run_stream(shared, stream, peer, outbox));
    Ok(sender)
}

async fn run_stream(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr, mut outbox: mpsc::Receiver<Vec<u8>>) {
    let (mut reader, mut writer) = stream.into_split();
    let mut buffer = Vec::new();
    loop {
        tokio::select! {
            out = outbox.recv() => match out {
                Some(bytes) if writer.write_all(&bytes).await.is_ok() => {}
                _ => break,
            },
            read = reader.read_buf(&mut buffer) => {
                if read.unwrap_or(0) == 0 || buffer.len() > 4 * MAX_MESSAGE {
                    break;
                }
                while let Some(message) = next_message(&mut buffer) {
                    deliver(&shared, Flow::Tcp(peer), &message);
                }
            }
        }
    }
    lock(&shared.connections).remove(&peer);
}

/// Takes one whole message off the stream (RFC 3261 section 18.3), leading empty lines dropped.
fn next_message(buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let blank = buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    buffer.drain(..blank);
    let head = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(buffer.get(..head)?).into_owned();
    let body: usize = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| matches!(name.trim().to_ascii_lowercase().as_str(), "content-length" | "l"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0);
    let whole = head.checked_add(body.min(MAX_MESSAGE))?;
    (buffer.len() >= whole).then(|| buffer.drain(..whole).collect())
}

/// Hands a message to its dialog, or to whoever takes new requests. What nobody takes is dropped, as on a wire.
fn deliver(shared: &Shared, flow: Flow, bytes: &[u8]) {
    // Keep-alives: RFC 5626 section 3.5.1, and phones that send a few zero bytes.
    if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return;
    }
    let message = match wire::parse(bytes) {
        Ok(message) => message,
        Err(why) => {
            let mut unparsed = lock(&shared.unparsed);
            if unparsed.len() < MAX_UNPARSED {
                unparsed.push(why);
            }
            return;
        }
    };
    let headers = match &message {
        SipMessage::Request(request) => &request.headers,
        SipMessage::Response(response) => &response.headers,
    };
    let Some(call_id) = wire::value(headers, "Call-ID") else { return };
    let dialog = lock(&shared.dialogs).get(&call_id).cloned();
    let to = match (&dialog, &message) {
        (Some(inbox), _) => inbox,
        (None, SipMessage::Request(_)) => &shared.fresh,
        (None, SipMessage::Response(_)) => return,
    };
    let _ = to.try_send(Packet { message, flow });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_cut_into_messages_however_it_arrives() {
        let first = b"BYE sip:a SIP/2.0\r\nl: 3\r\n\r\nabc".as_slice();
        let second = b"ACK sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n".as_slice();
        let whole: Vec<u8> = [b"\r\n\r\n".as_slice(), first, second].concat();
        let (mut buffer, mut found) = (Vec::new(), Vec::new());
        for byte in whole {
            buffer.push(byte);
            found.extend(next_message(&mut buffer));
        }
        assert_eq!(found, [first.to_vec(), second.to_vec()]);
    }
}

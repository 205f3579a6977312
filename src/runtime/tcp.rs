//! SIP over TCP and TLS: one task per connection for reading, one for writing, and a bounded queue between the switch and each
//! peer, so that a peer that never reads stalls only itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use bytes::Bytes;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsStream;

use crate::ids::ConnId;
use crate::runtime::inbox::{Inbox, Lane};
use crate::runtime::tls::Secure;
use crate::sip::stream::{Frame, Framer};
use crate::sip::{Flow, Transport};
use crate::switch::Input;
use crate::time::Duration;

/// Connections of all peers together; a hospital has a handful of PBX nodes and some hundred phones.
pub const MAX_CONNECTIONS: usize = 2_048;
/// Connections of one source address: a PBX opens a few, a flood many.
pub const MAX_CONNECTIONS_PER_SOURCE: usize = 128;
/// Messages that wait for a slow reader, or for a connection that is being made, before it is closed.
const MAX_QUEUED: usize = 256;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// A peer that takes nothing for this long is gone (line D54 asks for 32 s).
const WRITE_TIMEOUT: Duration = Duration::from_secs(16);
/// A message that has begun must be whole by then, however often a piece of it comes.
const HALF_MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);
/// Phones keep a flow alive every 120 s at the latest (RFC 5626 section 4.4.1); four of them missed is gone.
const IDLE_TIMEOUT: Duration = Duration::from_secs(480);
/// A peer that has vanished is known within 105 s on a connection that rests (line D54), whatever keep-alive it speaks.
const PROBE_AFTER: Duration = Duration::from_secs(60);
const PROBE_EVERY: Duration = Duration::from_secs(15);
const PROBES: u32 = 3;
/// What was sent and is not acknowledged for this long has failed; so the next request to a vanished peer does, within
/// 32 s (line D54).
const UNACKNOWLEDGED: Duration = Duration::from_secs(28);
/// To say goodbye in (close_notify of TLS); nothing depends on it.
const GOODBYE: Duration = Duration::from_secs(1);
const READ_BUFFER: usize = 16 * 1024;
/// RFC 5626 section 3.5.1.
const PONG: &[u8] = b"\r\n";

struct Connection {
    remote: SocketAddr,
    outgoing: mpsc::Sender<Bytes>,
    /// What asks for no connection by name may leave on it: over TLS, whoever is at its other end is known to be the one
    /// whom that address stands for. Whoever merely connected to us from there is not.
    known: bool,
}

/// What a connection speaks under SIP.
#[derive(Clone)]
pub enum Wire {
    Plain,
    Secure(Arc<Secure>),
}

impl Wire {
    fn transport(&self) -> Transport {
        match self {
            Wire::Plain => Transport::Tcp,
            Wire::Secure(_) => Transport::Tls,
        }
    }
}

/// Every open connection of one listener.
struct Table {
    wire: Wire,
    local: SocketAddr,
    inbox: Arc<Inbox>,
    connections: Mutex<BTreeMap<ConnId, Connection>>,
    /// Counts over all listeners of the process: a [`ConnId`] names one connection ever.
    ids: Arc<AtomicU64>,
    refused: AtomicU64,
}

/// One listener on TCP and the connections that belong to it, accepted or opened by us.
pub struct SipTcp {
    pub local: SocketAddr,
    table: Arc<Table>,
    runtime: Handle,
    accepting: JoinHandle<()>,
}

impl SipTcp {
    pub async fn bind(
        address: SocketAddr,
        wire: Wire,
        inbox: Arc<Inbox>,
        ids: Arc<AtomicU64>,
    ) -> anyhow::Result<SipTcp> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address).with_context(|| format!("cannot listen on {address}/{}", wire.transport().word()))?;
        let listener = socket.listen(512)?;
        let local = listener.local_addr()?;
        let connections = Mutex::new(BTreeMap::new());
        let table = Arc::new(Table { wire, local, inbox, connections, ids, refused: AtomicU64::new(0) });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&table)));
        Ok(SipTcp { local, table, runtime: Handle::current(), accepting })
    }

    pub fn transport(&self) -> Transport {
        self.table.wire.transport()
    }

    /// Queues bytes for a peer: on the connection named, on one to the same address whose peer is known, or on a new one.
    /// What cannot be queued closes the connection; the switch hears of it.
    pub fn send(&self, flow: Flow, bytes: Bytes) {
        let open = {
            let connections = self.table.lock();
            let named = flow.conn.and_then(|conn| connections.get_key_value(&conn));
            let any = || connections.iter().find(|(_, open)| open.known && open.remote == flow.remote);
            named.or_else(any).map(|(conn, connection)| (*conn, connection.outgoing.clone()))
        };
        match open {
            Some((conn, outgoing)) => {
                if outgoing.try_send(bytes).is_err() {
                    self.table.close(conn);
                }
            }
            None => self.open(flow, bytes),
        }
    }

    /// The connection stands in the table before it is made, so that what is sent meanwhile queues on it: nothing leaves
    /// before the handshake has shown whom it leads to.
    fn open(&self, flow: Flow, first: Bytes) {
        let Some(line) = self.table.reserve(flow.remote, true) else {
            self.table.unreachable(flow);
            return;
        };
        if let Some(outgoing) = line.outgoing.upgrade() {
            // The queue is empty: its first message has room.
            let _ = outgoing.try_send(first);
        }
        self.runtime.spawn(connect(Arc::clone(&self.table), flow, line));
    }

    /// Closes a connection once what is queued for it has left.
    pub fn close_after(&self, conn: ConnId) {
        self.table.close(conn);
    }

    pub fn connections(&self) -> usize {
        self.table.lock().len()
    }

    pub fn refused(&self) -> u64 {
        self.table.refused.load(Ordering::Relaxed)
    }
}

impl Drop for SipTcp {
    fn drop(&mut self) {
        self.accepting.abort();
        self.table.lock().clear();
    }
}

impl Table {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ConnId, Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops the connection's queue: its writer finishes, and its reader with it.
    fn close(&self, conn: ConnId) {
        self.lock().remove(&conn);
    }

    /// The peer of a connection that was accepted has shown that it is who its address stands for.
    fn know(&self, conn: ConnId) {
        if let Some(connection) = self.lock().get_mut(&conn) {
            connection.known = true;
        }
    }

    fn next_id(&self) -> ConnId {
        ConnId(self.ids.fetch_add(1, Ordering::Relaxed))
    }

    /// A place for a connection, or `None` when its peer has too many or the table is full. `known`: see [`Connection`].
    fn reserve(&self, remote: SocketAddr, known: bool) -> Option<Line> {
        let conn = self.next_id();
        let (outgoing, queue) = mpsc::channel(MAX_QUEUED);
        let weak = outgoing.downgrade();
        let mut connections = self.lock();
        let same = connections.values().filter(|open| open.remote.ip() == remote.ip()).count();
        if connections.len() >= MAX_CONNECTIONS || same >= MAX_CONNECTIONS_PER_SOURCE {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        connections.insert(conn, Connection { remote, outgoing, known });
        Some(Line { conn, outgoing: weak, queue })
    }

    /// Begins to read and write a connection that is up.
    fn run<S>(self: &Arc<Self>, line: Line, stream: S, remote: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (reading, writing) = tokio::io::split(stream);
        let flow = Flow { transport: self.wire.transport(), local: self.local, remote, conn: Some(line.conn) };
        let reader = tokio::spawn(read(Arc::clone(self), flow, reading, line.outgoing));
        tokio::spawn(write(Arc::clone(self), line.conn, writing, line.queue, reader));
    }

    /// As [`Table::run`], after a handshake. Whose it is comes before what they say.
    fn run_secure(self: &Arc<Self>, line: Line, (stream, names): Shaken, remote: SocketAddr) {
        let conn = line.conn;
        if names.is_empty() || self.inbox.push(Lane::Control, Input::Certified { conn, names }) {
            self.run(line, stream, remote);
        } else {
            self.close(conn);
        }
    }

    /// Nobody is there: whatever was sent that way has failed, on whichever connection it was meant to leave.
    fn unreachable(&self, flow: Flow) {
        self.inbox.push(Lane::Responses, Input::Unreachable { flow: Flow { conn: None, ..flow } });
    }
}

/// The near end of a connection's queue. The table alone holds a sender that keeps it: once that is dropped the writer ends
/// and takes the reader along.
struct Line {
    conn: ConnId,
    outgoing: mpsc::WeakSender<Bytes>,
    queue: mpsc::Receiver<Bytes>,
}

/// A stream whose handshake is over, with the names of the peer's certificate.
type Shaken = (TlsStream<TcpStream>, Vec<String>);

async fn accept(listener: TcpListener, table: Arc<Table>) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                tune(&stream);
                let known = matches!(table.wire, Wire::Plain);
                let Some(line) = table.reserve(remote, known) else { continue };
                match &table.wire {
                    Wire::Plain => table.run(line, stream, remote),
                    Wire::Secure(secure) => greet(&table, secure, line, stream, remote),
                }
            }
            Err(error) => {
                // Out of descriptors, most likely: calls that are up go on, and accepting is tried again.
                tracing::warn!(%error, "accepting a SIP connection failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// A stranger's handshake runs beside the listener, for as long as there is room.
fn greet(table: &Arc<Table>, secure: &Arc<Secure>, line: Line, stream: TcpStream, remote: SocketAddr) {
    let Some(room) = secure.room(remote.ip()) else {
        table.refused.fetch_add(1, Ordering::Relaxed);
        return table.close(line.conn);
    };
    let (table, secure) = (Arc::clone(table), Arc::clone(secure));
    tokio::spawn(async move {
        match secure.accept(stream).await {
            Ok(shaken) => {
                if secure.expects(remote, &shaken.1) {
                    table.know(line.conn);
                }
                table.run_secure(line, shaken, remote);
            }
            Err(error) => {
                tracing::debug!(%remote, %error, "a handshake failed");
                table.refused.fetch_add(1, Ordering::Relaxed);
                table.close(line.conn);
            }
        }
        drop(room);
    });
}

async fn connect(table: Arc<Table>, flow: Flow, line: Line) {
    match timeout(CONNECT_TIMEOUT, reach(&table, flow.remote)).await {
        Ok(Ok(Reached::Plain(stream))) => table.run(line, stream, flow.remote),
        Ok(Ok(Reached::Secure(shaken))) => table.run_secure(line, *shaken, flow.remote),
        Ok(Err(_)) | Err(_) => {
            table.close(line.conn);
            table.unreachable(flow);
        }
    }
}

enum Reached {
    Plain(TcpStream),
    Secure(Box<Shaken>),
}

async fn reach(table: &Table, remote: SocketAddr) -> anyhow::Result<Reached> {
    let stream = connect_from(table.local, remote).await?;
    tune(&stream);
    match &table.wire {
        Wire::Plain => Ok(Reached::Plain(stream)),
        Wire::Secure(secure) => match secure.connect(stream, remote).await {
            Ok(shaken) => Ok(Reached::Secure(Box::new(shaken))),
            Err(error) => {
                // An expired certificate or another's name: only a person can set that right.
                tracing::warn!(%remote, error = %format_args!("{error:#}"), "the handshake with a peer failed");
                Err(error)
            }
        },
    }
}

/// A small request leaves at once, and a peer that has vanished is noticed. A failure costs only time.
fn tune(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let socket = SockRef::from(stream);
    let probes = TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EVERY).with_retries(PROBES);
    let _ = socket.set_tcp_keepalive(&probes);
    let _ = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
}

/// From the listener's own address, which is the one that the peer and its firewall know.
async fn connect_from(local: SocketAddr, remote: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = if remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if !local.ip().is_unspecified() {
        let mut any_port = local;
        any_port.set_port(0);
        socket.bind(any_port)?;
    }
    socket.connect(remote).await
}

async fn read<S: AsyncRead>(table: Arc<Table>, flow: Flow, mut stream: ReadHalf<S>, pong: mpsc::WeakSender<Bytes>) {
    let mut framer = Framer::new();
    let mut buffer = vec![0u8; READ_BUFFER];
    let mut patience = Patience::default();
    loop {
        let length = match timeout_at(patience.until(Instant::now()), stream.read(&mut buffer)).await {
            Ok(Ok(0)) | Ok(Err(_)) | Err(_) => return,
            Ok(Ok(length)) => length,
        };
        framer.push(&buffer[..length]);
        let mut whole = false;
        while let Some(frame) = framer.next_frame() {
            whole = true;
            match frame {
                Frame::Message(bytes) => deliver(&table, Lane::of_message(&bytes), flow, bytes).await,
                Frame::KeepAlive => {
                    if let Some(outgoing) = pong.upgrade() {
                        // A full queue means the peer does not read; the writer will notice.
                        let _ = outgoing.try_send(Bytes::from_static(PONG));
                    }
                }
                Frame::Malformed(bytes) => {
                    // Answered 400 by the switch, which then closes the stream: its framing is lost. In the last lane, so
                    // that whole messages that came before it are answered while the stream is still open.
                    deliver(&table, Lane::Options, flow, bytes).await;
                    return;
                }
            }
        }
        patience.read(Instant::now(), whole, framer.is_idle());
    }
}

/// Until when a connection may keep silent.
#[derive(Debug, Default)]
struct Patience {
    /// By when the message that has begun must be whole.
    half: Option<Instant>,
}

impl Patience {
    fn until(&self, now: Instant) -> Instant {
        self.half.unwrap_or(now + IDLE_TIMEOUT)
    }

    /// After each read: whether it made a message whole, and whether nothing of another one has come yet. More bytes of
    /// the same message gain no time, or a peer that drips would never be cut off.
    fn read(&mut self, now: Instant, whole: bool, idle: bool) {
        let begun = self.half.filter(|_| !whole);
        self.half = (!idle).then(|| begun.unwrap_or(now + HALF_MESSAGE_TIMEOUT));
    }
}

/// Hands a message over; a full lane slows this connection down instead of losing the message.
async fn deliver(table: &Table, lane: Lane, flow: Flow, bytes: Bytes) {
    while !table.inbox.push(lane, Input::Message { flow, bytes: bytes.clone() }) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn write<S: AsyncWrite>(
    table: Arc<Table>,
    conn: ConnId,
    mut stream: WriteHalf<S>,
    mut queue: mpsc::Receiver<Bytes>,
    mut reader: JoinHandle<()>,
) {
    loop {
        tokio::select! {
            bytes = queue.recv() => {
                let Some(bytes) = bytes else { break };
                if !written(&mut stream, &bytes).await {
                    break;
                }
            }
            _ = &mut reader => {
                // What was queued for the peer in answer (a 400) still leaves before the connection closes.
                drain(&mut stream, &mut queue).await;
                break;
            }
        }
    }
    reader.abort();
    table.close(conn);
    table.inbox.push(Lane::Responses, Input::StreamClosed { conn });
    let _ = timeout(GOODBYE, stream.shutdown()).await;
}

/// Within the time that a peer has to take it.
async fn written<S: AsyncWrite>(stream: &mut WriteHalf<S>, bytes: &[u8]) -> bool {
    let whole = async {
        stream.write_all(bytes).await?;
        // What TLS still holds back, where the socket took only a part.
        stream.flush().await
    };
    matches!(timeout(WRITE_TIMEOUT, whole).await, Ok(Ok(())))
}

/// Gives the switch a moment to answer the last message of a stream whose reading has ended.
async fn drain<S: AsyncWrite>(stream: &mut WriteHalf<S>, queue: &mut mpsc::Receiver<Bytes>) {
    while let Ok(Some(bytes)) = timeout(Duration::from_millis(500), queue.recv()).await {
        if !written(stream, &bytes).await {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::clock::MonotonicClock;
    use crate::sip::{Message, Method};

    /// D53: a message that drips in is cut off ten seconds after its first byte, not after its last.
    #[test]
    fn d53_a_dripping_message_has_ten_seconds_in_all() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut patience = Patience::default();
        assert_eq!(patience.until(at(0)), at(480), "nothing has begun");
        patience.read(at(0), false, false);
        patience.read(at(4), false, false);
        patience.read(at(8), false, false);
        assert_eq!(patience.until(at(8)), at(10));
        // The rest of it, and the beginning of the next.
        patience.read(at(9), true, false);
        assert_eq!(patience.until(at(9)), at(19));
        patience.read(at(12), true, true);
        assert_eq!(patience.until(at(12)), at(492));
    }

    /// D54: the system itself asks after a peer that keeps silent, and gives up on what is not acknowledged.
    #[test]
    fn d54_a_peer_that_vanishes_is_noticed_within_120_s_and_the_next_request_fails_within_32_s() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let peer = std::net::TcpListener::bind(LOOPBACK).expect("bound");
        let stream = runtime.block_on(TcpStream::connect(peer.local_addr().expect("an address"))).expect("connected");
        tune(&stream);
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().expect("read"));
        let after = socket.tcp_keepalive_time().expect("read");
        let every = socket.tcp_keepalive_interval().expect("read");
        let retries = socket.tcp_keepalive_retries().expect("read");
        assert!(after + every * retries <= Duration::from_secs(120), "{after:?} {every:?} {retries}");
        let unacknowledged = socket.tcp_user_timeout().expect("read").expect("set");
        assert!(unacknowledged <= Duration::from_secs(32), "{unacknowledged:?}");
    }

    fn options(number: usize) -> String {
        format!(
            "OPTIONS sip:7100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5062;branch=z9hG4bK{number}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:a@127.0.0.1>;tag=a\r\nTo: <sip:7100@127.0.0.1>\r\nCall-ID: d52\r\n\
             CSeq: {number} OPTIONS\r\nContent-Length: 0\r\n\r\n"
        )
    }

    /// What the switch is given of what a peer writes in `pieces` into one connection, until the connection closes, and
    /// what the peer reads meanwhile.
    fn received(pieces: &[&[u8]]) -> (Vec<Input>, Vec<u8>) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("one");
        let inbox = Arc::new(Inbox::new(MonotonicClock::new()));
        let loopback: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let bound = SipTcp::bind(loopback, Wire::Plain, Arc::clone(&inbox), Arc::new(AtomicU64::new(1)));
        let listener = runtime.block_on(bound).expect("bound");
        let heard = runtime.block_on(async {
            let mut stream = TcpStream::connect(listener.local).await.expect("connected");
            stream.set_nodelay(true).expect("set");
            for piece in pieces {
                stream.write_all(piece).await.expect("written");
            }
            stream.shutdown().await.expect("shut");
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await.expect("read to the end");
            heard
        });
        let mut inputs = Vec::new();
        while !inputs.iter().any(|input| matches!(input, Input::StreamClosed { .. })) {
            let deadline = crate::time::Instant::from_millis(60_000);
            let more = inbox.take(Some(deadline)).expect("open");
            assert!(!more.is_empty(), "the connection did not close: {inputs:?}");
            inputs.extend(more);
        }
        // The lane of the messages comes after the one that told of the end.
        inputs.extend(inbox.take(Some(crate::time::Instant::ZERO)).expect("open"));
        (inputs, heard)
    }

    /// CSeq numbers of the messages, in the order in which the switch gets them.
    fn numbers(inputs: &[Input]) -> Vec<u32> {
        inputs
            .iter()
            .filter_map(|input| {
                let Input::Message { bytes, .. } = input else { return None };
                let Ok(Message::Request(request)) = Message::parse(bytes) else { panic!("{bytes:?}") };
                assert_eq!(request.method, Method::Options);
                Some(request.headers.cseq().expect("CSeq").number)
            })
            .collect()
    }

    #[test]
    fn d52_a_stream_written_byte_by_byte_gives_each_message_once() {
        let text = options(1) + "\r\n\r\n" + &options(2);
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        let (inputs, heard) = received(&pieces);
        assert_eq!(numbers(&inputs), [1, 2]);
        assert_eq!(heard, b"\r\n", "one ping, one pong");
    }

    #[test]
    fn d52_fifty_messages_in_one_write_come_once_and_in_order() {
        let text: String = (1..=50).map(options).collect();
        let (inputs, heard) = received(&[text.as_bytes()]);
        assert_eq!(numbers(&inputs), (1..=50).collect::<Vec<u32>>());
        assert_eq!(heard, b"");
    }

    const LOOPBACK: &str = "127.0.0.1:0";

    /// A listener of ours at `address`. Nothing of its runtime moves but inside `block_on`.
    fn ours(address: &str) -> (tokio::runtime::Runtime, Arc<Inbox>, SipTcp) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let inbox = Arc::new(Inbox::new(MonotonicClock::new()));
        let address = address.parse().expect("an address");
        let bound = SipTcp::bind(address, Wire::Plain, Arc::clone(&inbox), Arc::new(AtomicU64::new(1)));
        let listener = runtime.block_on(bound).expect("bound");
        (runtime, inbox, listener)
    }

    fn towards(listener: &SipTcp, remote: SocketAddr) -> Flow {
        Flow { transport: Transport::Tcp, local: listener.local, remote, conn: None }
    }

    #[test]
    fn messages_sent_while_a_connection_is_made_leave_on_that_one_in_order_from_the_listeners_address() {
        let peer = std::net::TcpListener::bind(LOOPBACK).expect("bound");
        let (runtime, _inbox, listener) = ours("127.0.0.2:0");
        let flow = towards(&listener, peer.local_addr().expect("an address"));
        let sent = [options(1), options(2), options(3)];
        for text in &sent {
            listener.send(flow, Bytes::from(text.clone()));
        }
        assert_eq!(listener.connections(), 1);
        let (heard, source) = runtime.block_on(async {
            peer.set_nonblocking(true).expect("set");
            let (mut stream, source) = TcpListener::from_std(peer).expect("taken").accept().await.expect("accepted");
            let mut heard = vec![0; sent.concat().len()];
            stream.read_exact(&mut heard).await.expect("read");
            (heard, source)
        });
        assert_eq!(String::from_utf8(heard).expect("text"), sent.concat());
        assert_eq!(source.ip(), listener.local.ip());
    }

    #[test]
    fn a_peer_that_refuses_connections_is_unreachable_once_for_all_that_was_queued() {
        let gone = std::net::TcpListener::bind(LOOPBACK).and_then(|peer| peer.local_addr()).expect("a free port");
        let (runtime, inbox, listener) = ours(LOOPBACK);
        let flow = towards(&listener, gone);
        listener.send(flow, Bytes::from(options(1)));
        listener.send(flow, Bytes::from(options(2)));
        runtime.block_on(async {
            while listener.connections() > 0 {
                tokio::task::yield_now().await;
            }
        });
        let inputs = inbox.take(Some(crate::time::Instant::from_millis(60_000))).expect("open");
        assert!(matches!(inputs.as_slice(), [Input::Unreachable { flow: lost }] if *lost == flow), "{inputs:?}");
    }

    #[test]
    fn what_waits_for_a_connection_is_bounded() {
        let peer = std::net::TcpListener::bind(LOOPBACK).expect("bound");
        let (_runtime, _inbox, listener) = ours(LOOPBACK);
        let flow = towards(&listener, peer.local_addr().expect("an address"));
        for number in 0..MAX_QUEUED {
            listener.send(flow, Bytes::from(options(number)));
        }
        assert_eq!(listener.connections(), 1);
        listener.send(flow, Bytes::from(options(MAX_QUEUED)));
        assert_eq!(listener.connections(), 0, "given up, as one whose peer never reads");
    }
}

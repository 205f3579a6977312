//! SIP over UDP: a thread per listener that receives, and a socket that the switch's thread sends through.
//!
//! `IP_RECVERR` is set, so an unreachable phone is known at once (line D61): the error queue names the address that the
//! datagram went to.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use anyhow::Context;
use bytes::Bytes;
use nix::cmsg_space;
use nix::sys::socket::{MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};
use socket2::SockRef;

use crate::runtime::inbox::{Inbox, Lane};
use crate::sip::{Flow, Transport};
use crate::switch::Input;
use crate::time::Duration;

/// The largest UDP payload there is; longer ones cannot arrive.
const MAX_DATAGRAM: usize = 65_535;
/// How often a receiving thread looks whether it should end.
const LOOK_UP_EVERY: Duration = Duration::from_millis(200);
/// Room for a burst while the switch is busy: about 2,000 INVITEs.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Errors read from the queue in one go; more come with the next datagram.
const MAX_ERRORS_AT_ONCE: usize = 64;

/// One UDP listener.
pub struct UdpListener {
    pub local: SocketAddr,
    socket: Arc<UdpSocket>,
    stop: Arc<AtomicBool>,
    receiver: Option<JoinHandle<()>>,
    send_errors: AtomicU64,
}

impl UdpListener {
    pub fn bind(address: SocketAddr, inbox: Arc<Inbox>) -> anyhow::Result<UdpListener> {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // A smaller buffer than asked for only shortens the burst that can be absorbed.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        socket.bind(&address.into()).with_context(|| format!("cannot listen on {address}/udp"))?;
        socket.set_read_timeout(Some(LOOK_UP_EVERY))?;
        let socket: UdpSocket = socket.into();
        match address {
            SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?,
            SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?,
        }
        let socket = Arc::new(socket);
        let local = socket.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let receiver = {
            let (socket, stop) = (Arc::clone(&socket), Arc::clone(&stop));
            std::thread::Builder::new()
                .name(format!("sip-udp-{}", local.port()))
                .spawn(move || receive(&socket, local, &inbox, &stop))?
        };
        Ok(UdpListener { local, socket, stop, receiver: Some(receiver), send_errors: AtomicU64::new(0) })
    }

    /// Sends at once or not at all: a full socket buffer is a lost datagram, which SIP's timers mend.
    pub fn send(&self, remote: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        let sent = match self.send_now(remote, bytes) {
            // The error belongs to an earlier datagram (IP_RECVERR); this one has not left yet.
            Err(error) if is_unreachable(&error) => self.send_now(remote, bytes),
            sent => sent,
        };
        if sent.is_err() {
            self.send_errors.fetch_add(1, Ordering::Relaxed);
        }
        sent.map(|_| ())
    }

    /// The socket blocks for its receiving thread's sake; sending must not, or phones that no ARP answers for would fill its
    /// buffer and stop the switch.
    fn send_now(&self, remote: SocketAddr, bytes: &[u8]) -> io::Result<usize> {
        SockRef::from(&*self.socket).send_to_with_flags(bytes, &remote.into(), libc::MSG_DONTWAIT)
    }

    /// Datagrams that the system would not send.
    pub fn send_errors(&self) -> u64 {
        self.send_errors.load(Ordering::Relaxed)
    }
}

impl Drop for UdpListener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(receiver) = self.receiver.take() {
            // The thread ends within LOOK_UP_EVERY; its panic would already be on stderr.
            let _ = receiver.join();
        }
    }
}

fn receive(socket: &UdpSocket, local: SocketAddr, inbox: &Inbox, stop: &AtomicBool) {
    let mut buffer = vec![0u8; MAX_DATAGRAM];
    while !stop.load(Ordering::Relaxed) {
        match socket.recv_from(&mut buffer) {
            Ok((length, remote)) => {
                let bytes = Bytes::copy_from_slice(&buffer[..length]);
                let lane = Lane::of_message(&bytes);
                let flow = Flow { transport: Transport::Udp, local, remote, conn: None };
                inbox.push(lane, Input::Message { flow, bytes });
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) if is_unreachable(&error) => {}
            Err(error) => {
                tracing::warn!(%local, %error, "receiving SIP over UDP failed");
                std::thread::park_timeout(LOOK_UP_EVERY);
            }
        }
        drain_errors(socket, local, inbox);
    }
}

/// Reads what ICMP said of datagrams we sent (ip(7), IP_RECVERR).
fn drain_errors(socket: &UdpSocket, local: SocketAddr, inbox: &Inbox) {
    for _ in 0..MAX_ERRORS_AT_ONCE {
        let mut payload = [0u8; 64];
        let mut slices = [IoSliceMut::new(&mut payload)];
        let mut control = cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let Ok(message) = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags) else {
            return;
        };
        if let Some(remote) = message.address.as_ref().and_then(to_std) {
            let flow = Flow { transport: Transport::Udp, local, remote, conn: None };
            inbox.push(Lane::Responses, Input::Unreachable { flow });
        }
    }
}

fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::V4(SocketAddrV4::new(v4.ip(), v4.port())));
    }
    let v6 = address.as_sockaddr_in6()?;
    Some(SocketAddr::V6(SocketAddrV6::new(v6.ip(), v6.port(), 0, 0)))
}

fn is_unreachable(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::clock::MonotonicClock;
    use crate::time::Instant;

    #[test]
    fn d61_an_unreachable_port_is_reported_with_its_address() {
        let inbox = Arc::new(Inbox::new(MonotonicClock::new()));
        let loopback: SocketAddr = "127.0.0.1:0".parse().expect("address");
        let listener = UdpListener::bind(loopback, Arc::clone(&inbox)).expect("bind");
        // A port that was just free: bound once to learn its number, then closed.
        let gone = UdpSocket::bind(loopback).and_then(|socket| socket.local_addr()).expect("a free port");
        listener.send(gone, b"OPTIONS sip:x SIP/2.0\r\n\r\n").expect("sent");
        let deadline = Instant::from_millis(60_000);
        let inputs = inbox.take(Some(deadline)).expect("open");
        assert!(
            matches!(inputs.as_slice(), [Input::Unreachable { flow }] if flow.remote == gone && flow.local == listener.local),
            "{inputs:?}"
        );
        assert_eq!(listener.send_errors(), 0, "the datagram itself did leave");
    }

    #[test]
    fn a_datagram_that_cannot_leave_is_counted() {
        let inbox = Arc::new(Inbox::new(MonotonicClock::new()));
        let loopback: SocketAddr = "127.0.0.1:0".parse().expect("address");
        let listener = UdpListener::bind(loopback, inbox).expect("bind");
        let longer_than_any_datagram = vec![b'x'; MAX_DATAGRAM + 1];
        assert!(listener.send(listener.local, &longer_than_any_datagram).is_err());
        assert_eq!(listener.send_errors(), 1);
    }
}

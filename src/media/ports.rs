//! Pairs of UDP sockets: RTP on the even port, RTCP on the next (RFC 3550 section 11). Bound at first use and kept, so a port
//! that we were once given is never taken from us by another program.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::bridge::MediaPort;

/// Kernel buffer asked for on an RTP socket: 0.7 s of 20 ms packets even by the kernel's generous accounting.
const RECEIVE_BUFFER: usize = 64 * 1024;
/// Stale datagrams taken off a socket before it serves a new call. More can't be waiting in the buffer asked for above.
const MAX_STALE: usize = 1_024;

/// One leg's two sockets, nonblocking.
#[derive(Debug)]
pub struct PortPair {
    pub rtp: UdpSocket,
    pub rtcp: UdpSocket,
}

impl PortPair {
    fn bind(local: IpAddr, port: MediaPort, dscp: u8) -> io::Result<PortPair> {
        let rtcp_port = port.0.checked_add(1).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(PortPair { rtp: socket(local, port.0, dscp)?, rtcp: socket(local, rtcp_port, dscp)? })
    }

    /// Throws away what a former call's peer still sent, so that a new call never hears it.
    fn drain(&self) {
        let mut scrap = [0; 2_048];
        for socket in [&self.rtp, &self.rtcp] {
            for _ in 0..MAX_STALE {
                match socket.recv_from(&mut scrap) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => {}
                }
            }
        }
    }
}

/// Every pair bound so far. Their number is bounded by the port range of the switch, which counts them out.
#[derive(Debug)]
pub struct Ports {
    bound: HashMap<(IpAddr, MediaPort), Arc<PortPair>>,
    dscp: u8,
}

impl Ports {
    pub fn new(dscp: u8) -> Ports {
        Ports { bound: HashMap::new(), dscp }
    }

    /// The pair at `local`, bound now if it never was, and empty.
    pub fn take(&mut self, local: IpAddr, port: MediaPort) -> io::Result<Arc<PortPair>> {
        if let Some(pair) = self.bound.get(&(local, port)) {
            pair.drain();
            return Ok(pair.clone());
        }
        let pair = Arc::new(PortPair::bind(local, port, self.dscp)?);
        self.bound.insert((local, port), pair.clone());
        Ok(pair)
    }
}

fn socket(local: IpAddr, port: u16, dscp: u8) -> io::Result<UdpSocket> {
    let address = SocketAddr::new(local, port);
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Buffer size and marking are wishes: a kernel or container that refuses them still carries calls.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    let tos = u32::from(dscp) << 2;
    let _ = if address.is_ipv4() { socket.set_tos_v4(tos) } else { socket.set_tclass_v6(tos) };
    socket.bind(&SockAddr::from(address))?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    /// An even port whose neighbour is free too, found by asking the kernel.
    fn free_port() -> MediaPort {
        loop {
            let probe = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = probe.local_addr().unwrap().port() & !1;
            drop(probe);
            if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
                && UdpSocket::bind((Ipv4Addr::LOCALHOST, port + 1)).is_ok()
            {
                return MediaPort(port);
            }
        }
    }

    #[test]
    fn e71_a_port_stays_bound_and_is_emptied_before_reuse() {
        let mut ports = Ports::new(46);
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let port = free_port();
        let first = ports.take(local, port).unwrap();
        let old = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        old.send_to(b"from the old call", (Ipv4Addr::LOCALHOST, port.0)).unwrap();
        drop(first);
        assert!(UdpSocket::bind((Ipv4Addr::LOCALHOST, port.0)).is_err(), "still ours");
        let again = ports.take(local, port).unwrap();
        assert_eq!(again.rtp.recv_from(&mut [0; 64]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_port_in_use_by_another_program_is_an_error() {
        let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = MediaPort(taken.local_addr().unwrap().port());
        assert!(Ports::new(46).take(IpAddr::V4(Ipv4Addr::LOCALHOST), port).is_err());
    }
}

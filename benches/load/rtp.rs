//! The audio of many calls: both phones of each send a packet each 20 ms, stamped with the time at which it left.
//!
//! One thread, one look a millisecond. Arrival is the kernel's stamp (SO_TIMESTAMPNS), so that the delay is that of the
//! relay and not of this thread's own turn.

use std::collections::BTreeMap;
use std::io::IoSliceMut;
use std::net::{SocketAddr, UdpSocket};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::cmsg_space;
use nix::libc::timespec;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};

/// 20 ms of G.711 behind an RTP header.
const PACKET: usize = 172;
const MARK: &[u8; 4] = b"load";
const PTIME_MS: u64 = 20;
/// Packets on their way when the last was sent have this long.
const TAIL: Duration = Duration::from_millis(250);

struct Phone {
    socket: UdpSocket,
    to: Option<SocketAddr>,
    sequence: u16,
}

pub struct RtpLoad {
    /// Caller and analyst of each call, one after the other.
    phones: Vec<Phone>,
    epoll: Epoll,
}

/// What came of one run.
pub struct Heard {
    pub sent: u64,
    pub received: u64,
    pub delays_ms: Vec<f64>,
    pub lasted: Duration,
}

impl RtpLoad {
    pub fn new(calls: usize) -> RtpLoad {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("epoll");
        let phones = (0..calls * 2).map(|index| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
            socket.set_nonblocking(true).expect("nonblocking");
            setsockopt(&socket, sockopt::ReceiveTimestampns, &true).expect("timestamps");
            epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, index as u64)).expect("epoll");
            Phone { socket, to: None, sequence: 0 }
        });
        RtpLoad { phones: phones.collect(), epoll }
    }

    pub fn address(&self, phone: usize) -> SocketAddr {
        self.phones[phone].socket.local_addr().expect("bound")
    }

    pub fn len(&self) -> usize {
        self.phones.len()
    }

    /// Caller's and analyst's port of these calls.
    pub fn ports(&self, calls: Range<usize>) -> Vec<[u16; 2]> {
        calls.map(|call| [self.address(call * 2).port(), self.address(call * 2 + 1).port()]).collect()
    }

    /// Where the phones of the calls from `first` on send to.
    pub fn aim(&mut self, first: usize, to: &[[SocketAddr; 2]]) {
        for (phone, to) in self.phones.iter_mut().skip(first * 2).zip(to.iter().flatten()) {
            phone.to = Some(*to);
        }
    }

    /// Both ways, all calls that have an aim, for so long.
    pub fn run(&mut self, length: Duration) -> Heard {
        let mut heard = Heard { sent: 0, received: 0, delays_ms: Vec::new(), lasted: length };
        let mut due: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for index in (0..self.phones.len()).filter(|index| self.phones[*index].to.is_some()) {
            // Spread over the 20 ms, as phones that started at different times are.
            due.entry(index as u64 % PTIME_MS).or_default().push(index);
        }
        let begun = Instant::now();
        let rounds = length.as_millis() as u64;
        for ms in 0..rounds {
            let now = begun.elapsed();
            std::thread::sleep(Duration::from_millis(ms).saturating_sub(now));
            for index in due.get(&(ms % PTIME_MS)).into_iter().flatten() {
                heard.sent += u64::from(self.phones[*index].send());
            }
            self.listen(&mut heard);
        }
        let end = Instant::now() + TAIL;
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
            self.listen(&mut heard);
        }
        heard
    }

    fn listen(&self, heard: &mut Heard) {
        let mut ready = [EpollEvent::empty(); 512];
        let count = self.epoll.wait(&mut ready, EpollTimeout::ZERO).unwrap_or(0);
        for event in ready.iter().take(count) {
            while let Some(delay_ms) = self.phones[event.data() as usize].hear() {
                // Prompts and ringing of the server are no packets of ours.
                if let Some(delay_ms) = delay_ms {
                    heard.received += 1;
                    heard.delays_ms.push(delay_ms);
                }
            }
        }
    }
}

impl Phone {
    fn send(&mut self) -> bool {
        let Some(to) = self.to else { return false };
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = [0xff; PACKET];
        packet[..2].copy_from_slice(&[0x80, 0]);
        packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(self.sequence) * 160).to_be_bytes());
        packet[8..12].copy_from_slice(&self.socket.as_raw_fd().to_be_bytes());
        packet[12..16].copy_from_slice(MARK);
        packet[16..24].copy_from_slice(&wall_ns().to_le_bytes());
        self.socket.send_to(&packet, to).is_ok()
    }

    /// One datagram: None when there is none, Some(None) when it is not ours, else its delay.
    fn hear(&self) -> Option<Option<f64>> {
        let mut bytes = [0; 2_048];
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let mut control = cmsg_space!(timespec);
        let fd = self.socket.as_raw_fd();
        let message = recvmsg::<()>(fd, &mut slices, Some(&mut control), MsgFlags::MSG_DONTWAIT).ok()?;
        let length = message.bytes;
        let arrived = message.cmsgs().ok()?.find_map(|control| {
            let ControlMessageOwned::ScmTimestampns(at) = control else { return None };
            Some(at.tv_sec() as u64 * 1_000_000_000 + at.tv_nsec() as u64)
        });
        let ours = length == PACKET && &bytes[12..16] == MARK;
        let left = u64::from_le_bytes(bytes[16..24].try_into().expect("eight bytes"));
        Some(ours.then(|| arrived.unwrap_or_else(wall_ns).saturating_sub(left) as f64 / 1e6))
    }
}

fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64
}

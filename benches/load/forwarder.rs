//! The least a relay can do: a socket per leg, take a packet, send it on from the partner's socket. No RTP is read, no
//! source checked, nothing counted. What the server uses beyond it is what its care costs.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::process::own_cpu_us;
use crate::rtp::RtpLoad;

const SWEEP: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Wakes for each packet.
    Wake,
    /// Looks at all sockets once a millisecond.
    Sweep,
}

pub struct Forwarder {
    /// Where the caller and the analyst of each call send to.
    pub inlets: Vec<[SocketAddr; 2]>,
    stop: Arc<AtomicBool>,
    cpu_us: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Forwarder {
    /// CPU time of its thread, as it last said: a hundredth of a second ago at most while packets come.
    pub fn cpu_us(&self) -> f64 {
        self.cpu_us.load(Ordering::Relaxed) as f64
    }

    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the forwarder ends");
    }
}

/// A forwarder between the phones of this load.
pub fn start(style: Style, load: &RtpLoad) -> Forwarder {
    let sockets: Vec<UdpSocket> = (0..load.len()).map(|_| UdpSocket::bind("127.0.0.1:0").expect("loopback")).collect();
    let address = |index: usize| sockets[index].local_addr().expect("bound");
    let inlets = (0..load.len() / 2).map(|call| [address(call * 2), address(call * 2 + 1)]).collect();
    // The even one hears the caller, the odd one the analyst; each sends what the other heard.
    let phones: Vec<SocketAddr> = (0..load.len()).map(|phone| load.address(phone)).collect();
    let (stop, cpu_us) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let thread = {
        let (stop, cpu_us) = (Arc::clone(&stop), Arc::clone(&cpu_us));
        std::thread::spawn(move || forward(style, &sockets, &phones, &stop, &cpu_us))
    };
    Forwarder { inlets, stop, cpu_us, thread }
}

fn forward(style: Style, sockets: &[UdpSocket], phones: &[SocketAddr], stop: &AtomicBool, cpu_us: &AtomicU64) {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("epoll");
    for (index, socket) in sockets.iter().enumerate() {
        socket.set_nonblocking(true).expect("nonblocking");
        epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, index as u64)).expect("epoll");
    }
    let mut ready = vec![EpollEvent::empty(); 512];
    let mut bytes = [0; 2_048];
    let (mut swept, mut told) = (Instant::now(), Instant::now());
    let patience = if style == Style::Sweep { EpollTimeout::ZERO } else { EpollTimeout::from(10u8) };
    while !stop.load(Ordering::Relaxed) {
        if style == Style::Sweep {
            std::thread::sleep(SWEEP.saturating_sub(swept.elapsed()));
            swept = Instant::now();
        }
        let count = epoll.wait(&mut ready, patience).unwrap_or(0);
        for event in ready.iter().take(count) {
            let from = event.data() as usize;
            let partner = from ^ 1;
            if let Ok((length, _)) = sockets[from].recv_from(&mut bytes) {
                let _ = sockets[partner].send_to(&bytes[..length], phones[partner]);
            }
        }
        if told.elapsed() > Duration::from_millis(10) {
            told = Instant::now();
            cpu_us.store(own_cpu_us() as u64, Ordering::Relaxed);
        }
    }
}

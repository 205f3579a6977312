//! The phones: a ward that calls and a desk that answers, two sockets and one thread.
//!
//! ```text
//!  ward ──INVITE──▶ server ──INVITE──▶ desk        the calling extension tells which call it is
//!  ward ◀──200──── server ◀──180, 200── desk       at once
//!  ward ◀──BYE──── server ◀────BYE──── desk        after the talk; the analyst hangs up first, so nobody is asked "Solved?"
//! ```

use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{setsockopt, sockopt};

use crate::node::FIRST_EXTENSION;
use crate::sip::{header, keys_type, media, response, sdp, status, uri, user};

/// T1 and how often something is repeated before its call counts as failed.
const REPEAT_AFTER: Duration = Duration::from_millis(500);
const MAX_REPEATS: u32 = 6;
/// However slow the machine is, a phase ends.
const PATIENCE: Duration = Duration::from_secs(40);
const BUFFER: usize = 4 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Ward,
    Desk,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Dial,
    HangUp,
    /// Sends again what has had no answer; the number is the call's or, at the desk, the leg's.
    Repeat(Side, u32),
}

#[derive(Default)]
struct Call {
    media: [u16; 2],
    talk: Option<Duration>,
    /// Where the server hears the ward.
    server_media: Option<SocketAddr>,
    invited: Option<Instant>,
    rung: Option<Instant>,
    answered: Option<Instant>,
    /// The INVITE, until it is answered.
    pending: Option<String>,
    /// The ACK of the ward, for a 200 that comes again.
    ack: Option<String>,
    /// Its legs at the desk. More than one when the first showed no sign of life in time.
    legs: Vec<usize>,
    /// The ward's leg.
    ended: bool,
    /// An analyst hung up, as the script says, while the ward's leg was up.
    talked: bool,
    failed: Option<String>,
}

/// An analyst's side of a call.
struct Leg {
    call: usize,
    media: Option<SocketAddr>,
    /// 200, then BYE, until it is answered.
    pending: Option<String>,
    bye: String,
    /// The ACK came.
    talking: bool,
    ended: bool,
}

/// What came of the calls since [`Phones::forget`].
#[derive(Debug, Default)]
pub struct Tally {
    pub ok: usize,
    pub failed: usize,
    pub repeats: u32,
    /// Analysts rung beyond one a call: a rung of two groups rings one of each.
    pub rung_twice: usize,
    pub to_200_ms: Vec<f64>,
    pub to_analyst_ms: Vec<f64>,
    /// The first failure, in words.
    pub why: Option<String>,
}

pub struct Phones {
    ward: UdpSocket,
    desk: UdpSocket,
    epoll: Epoll,
    pub server: SocketAddr,
    /// The call at extension [`FIRST_EXTENSION`] + index. Never reused within a run.
    calls: Vec<Call>,
    legs: Vec<Leg>,
    /// By Call-ID.
    at_desk: HashMap<String, usize>,
    timers: BTreeMap<(Instant, u64), (usize, Act)>,
    serial: u64,
    /// Calls before this one are forgotten.
    first: usize,
    repeats: u32,
    /// A socket that takes audio and drops it, for calls without any of their own.
    sink: UdpSocket,
}

impl Phones {
    pub fn bind() -> Phones {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("epoll");
        let bind = |name: u64| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
            socket.set_nonblocking(true).expect("nonblocking");
            // A wish: a smaller buffer only shortens the burst that is taken.
            let _ = setsockopt(&socket, sockopt::RcvBuf, &BUFFER);
            epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, name)).expect("epoll");
            socket
        };
        let (ward, desk) = (bind(0), bind(1));
        Phones {
            ward,
            desk,
            epoll,
            server: "127.0.0.1:0".parse().expect("an address"),
            calls: Vec::new(),
            legs: Vec::new(),
            at_desk: HashMap::new(),
            timers: BTreeMap::new(),
            serial: 0,
            first: 0,
            repeats: 0,
            sink: UdpSocket::bind("127.0.0.1:0").expect("loopback"),
        }
    }

    pub fn desk_address(&self) -> SocketAddr {
        self.desk.local_addr().expect("bound")
    }

    // -- What is measured ------------------------------------------------------------------------------------------

    /// So many calls at so many a second, without audio; returns when all are dialled. The analyst hangs up after `talk`.
    pub fn call(&mut self, calls: usize, rate: u32, talk: Option<Duration>) {
        let sink = self.sink.local_addr().expect("bound").port();
        self.dial(&vec![[sink, sink]; calls], rate, talk);
        let all = self.calls.len();
        self.run(|phones| phones.calls[..all].iter().all(|call| call.invited.is_some()));
    }

    /// Calls with these ports of the ward's and the desk's audio; returns when all are bridged.
    pub fn call_with_media(&mut self, calls: usize, rate: u32, ports: &[[u16; 2]]) {
        assert_eq!(calls, ports.len());
        self.first = self.calls.len();
        self.dial(ports, rate, None);
        self.run(|phones| phones.calls.iter().all(|call| phones.is_over(call) || phones.is_up(call)));
        let failed: Vec<_> = self.calls.iter().filter_map(|call| call.failed.as_ref()).collect();
        assert!(failed.is_empty(), "every call must be bridged: {failed:?}");
    }

    /// Where the server hears each of the latest calls.
    pub fn server_media(&self) -> Vec<[SocketAddr; 2]> {
        let desk = |call: &Call| self.talking(call).and_then(|leg| self.legs[leg].media);
        let of = |call: &Call| [call.server_media, desk(call)].map(|address| address.expect("a bridged call"));
        self.calls[self.first..].iter().map(of).collect()
    }

    /// The leg that won.
    fn talking(&self, call: &Call) -> Option<usize> {
        call.legs.iter().copied().find(|leg| self.legs[*leg].talking && !self.legs[*leg].ended)
    }

    fn is_up(&self, call: &Call) -> bool {
        call.ack.is_some()
            && self.talking(call).is_some()
            && call.legs.iter().all(|leg| self.legs[*leg].pending.is_none())
    }

    fn is_over(&self, call: &Call) -> bool {
        call.failed.is_some() || (call.ended && call.legs.iter().all(|leg| self.legs[*leg].ended))
    }

    /// The desk hangs up whatever is up.
    pub fn hang_up_all(&mut self, rate: u32) {
        let up: Vec<usize> = (0..self.calls.len()).filter(|index| !self.is_over(&self.calls[*index])).collect();
        let now = Instant::now();
        for (place, index) in up.into_iter().enumerate() {
            self.after(now, Duration::from_secs(1) * place as u32 / rate, index, Act::HangUp);
        }
        self.settle();
    }

    /// Until every call is over.
    pub fn settle(&mut self) {
        self.run(|phones| phones.calls.iter().all(|call| phones.is_over(call)));
        let tally = self.tally();
        assert_eq!(tally.failed, 0, "every call must succeed: {:?}", tally.why);
    }

    pub fn forget(&mut self) {
        self.first = self.calls.len();
        self.repeats = 0;
    }

    pub fn tally(&self) -> Tally {
        let mut tally = Tally { repeats: self.repeats, ..Tally::default() };
        for call in &self.calls[self.first..] {
            match (&call.failed, self.is_over(call)) {
                (None, true) if call.talked => tally.ok += 1,
                (None, true) => {
                    tally.failed += 1;
                    tally.why.get_or_insert_with(|| "ended before anybody talked".to_owned());
                }
                (why, _) => {
                    tally.failed += 1;
                    tally.why =
                        tally.why.or_else(|| Some(why.clone().unwrap_or_else(|| "not over in time".to_owned())));
                }
            }
            tally.rung_twice += call.legs.len().saturating_sub(1);
            let since = |at: Option<Instant>| Some((at? - call.invited?).as_secs_f64() * 1e3);
            tally.to_200_ms.extend(since(call.answered));
            tally.to_analyst_ms.extend(since(call.rung));
        }
        tally
    }

    // -- Time ------------------------------------------------------------------------------------------------------

    fn dial(&mut self, ports: &[[u16; 2]], rate: u32, talk: Option<Duration>) {
        let now = Instant::now();
        for (place, media) in ports.iter().enumerate() {
            self.calls.push(Call { media: *media, talk, ..Call::default() });
            let index = self.calls.len() - 1;
            self.after(now, Duration::from_secs(1) * place as u32 / rate, index, Act::Dial);
        }
    }

    fn after(&mut self, now: Instant, wait: Duration, call: usize, act: Act) {
        self.serial += 1;
        self.timers.insert((now + wait, self.serial), (call, act));
    }

    fn run(&mut self, done: impl Fn(&Phones) -> bool) {
        // A long run of dialling is bounded by its own timers.
        let last = self.timers.keys().next_back().map_or_else(Instant::now, |(at, _)| *at);
        let give_up = last.max(Instant::now()) + PATIENCE;
        let mut look = Instant::now();
        loop {
            let now = Instant::now();
            if now >= look {
                look = now + Duration::from_millis(20);
                if done(self) || now > give_up {
                    return;
                }
            }
            while let Some(first) = self.timers.first_entry().filter(|first| first.key().0 <= now) {
                let (call, act) = first.remove();
                self.act(call, act);
            }
            let next = self.timers.keys().next().map_or(look, |(at, _)| (*at).min(look));
            let wait = next.saturating_duration_since(Instant::now()).as_micros().div_ceil(1_000);
            let mut ready = [EpollEvent::empty(); 2];
            let timeout = EpollTimeout::from(u16::try_from(wait).unwrap_or(20));
            let count = self.epoll.wait(&mut ready, timeout).unwrap_or(0);
            for event in ready.iter().take(count) {
                self.hear(if event.data() == 0 { Side::Ward } else { Side::Desk });
            }
        }
    }

    fn act(&mut self, number: usize, act: Act) {
        match act {
            Act::Dial => self.invite(number),
            Act::HangUp => {
                let legs = self.calls[number].legs.clone();
                for leg in legs {
                    self.calls[number].talked |= self.legs[leg].talking && !self.calls[number].ended;
                    if self.legs[leg].talking && !self.legs[leg].ended && self.legs[leg].pending.is_none() {
                        let bye = self.legs[leg].bye.clone();
                        self.pend(Side::Desk, leg, bye);
                    }
                }
            }
            Act::Repeat(side, times) => {
                let Some(message) = self.pending(side, number).clone() else { return };
                if times > MAX_REPEATS {
                    let what = message.lines().next().unwrap_or_default().to_owned();
                    *self.pending(side, number) = None;
                    let call = if side == Side::Ward { number } else { self.legs[number].call };
                    self.fail(call, &format!("no answer to {what}"));
                    return;
                }
                self.repeats += 1;
                self.send(side, &message);
                self.after(Instant::now(), REPEAT_AFTER * (times + 1), number, Act::Repeat(side, times + 1));
            }
        }
    }

    fn invite(&mut self, index: usize) {
        let us = self.ward.local_addr().expect("bound");
        let (server, extension) = (self.server, FIRST_EXTENSION + index);
        let body = sdp(self.calls[index].media[0], "0", 101);
        let invite = format!(
            "INVITE sip:7100@{server} SIP/2.0\r\nVia: SIP/2.0/UDP {us};branch=z9hG4bKward{index};rport\r\nMax-Forwards: 70\r\n\
             From: \"4 West\" <sip:{extension}@{us}>;tag=ward{index}\r\nTo: <sip:7100@{server}>\r\nCall-ID: ward-{index}\r\n\
             CSeq: 1 INVITE\r\nContact: <sip:{extension}@{us}>\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\n\
             User-Agent: bench\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.calls[index].invited = Some(Instant::now());
        self.pend(Side::Ward, index, invite);
    }

    /// What a call's ward, or a leg at the desk, still waits to have answered.
    fn pending(&mut self, side: Side, number: usize) -> &mut Option<String> {
        match side {
            Side::Ward => &mut self.calls[number].pending,
            Side::Desk => &mut self.legs[number].pending,
        }
    }

    /// Sends, and again until it is answered.
    fn pend(&mut self, side: Side, number: usize, message: String) {
        self.send(side, &message);
        *self.pending(side, number) = Some(message);
        self.after(Instant::now(), REPEAT_AFTER, number, Act::Repeat(side, 1));
    }

    fn send(&self, side: Side, message: &str) {
        let socket = if side == Side::Ward { &self.ward } else { &self.desk };
        // Lost: repeated like any lost datagram.
        let _ = socket.send_to(message.as_bytes(), self.server);
    }

    fn fail(&mut self, call: usize, why: &str) {
        let call = &mut self.calls[call];
        call.pending = None;
        call.failed.get_or_insert_with(|| why.to_owned());
    }

    // -- What the server says --------------------------------------------------------------------------------------

    fn hear(&mut self, side: Side) {
        let mut buffer = [0; 4_096];
        loop {
            let socket = if side == Side::Ward { &self.ward } else { &self.desk };
            let Ok(length) = socket.recv(&mut buffer) else { return };
            // RTP of a call that has just ended, at a port that was media's then.
            let Ok(message) = std::str::from_utf8(&buffer[..length]) else { continue };
            match side {
                Side::Ward => self.at_ward(message),
                Side::Desk => self.at_desk(message),
            }
        }
    }

    fn at_ward(&mut self, message: &str) {
        let index = header(message, "Call-ID").and_then(|id| id.strip_prefix("ward-")?.parse::<usize>().ok());
        let Some(index) = index.filter(|index| *index < self.calls.len()) else { return };
        let Some(status) = status(message) else {
            if message.starts_with("BYE ") {
                self.calls[index].ended = true;
            }
            if !message.starts_with("ACK ") {
                self.send(Side::Ward, &response(message, "200 OK", "", "", ""));
            }
            return;
        };
        // Anything at all stops the repeating of an INVITE (RFC 3261 section 17.1.1.2).
        self.calls[index].pending = None;
        match status {
            100..=199 => {}
            200..=299 => self.answered(index, message),
            _ => self.fail(index, &format!("the INVITE was refused: {status}")),
        }
    }

    fn answered(&mut self, index: usize, message: &str) {
        if self.calls[index].ack.is_none() {
            let (from, to) = (header(message, "From").expect("From"), header(message, "To").expect("To"));
            let us = self.ward.local_addr().expect("bound");
            let target = uri(header(message, "Contact").expect("Contact"));
            let call = &mut self.calls[index];
            call.answered = Some(Instant::now());
            call.server_media = media(message);
            call.ack = Some(format!(
                "ACK {target} SIP/2.0\r\nVia: SIP/2.0/UDP {us};branch=z9hG4bKack{index};rport\r\nMax-Forwards: 70\r\nFrom: {from}\r\n\
                 To: {to}\r\nCall-ID: ward-{index}\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
            ));
        }
        let ack = self.calls[index].ack.clone().expect("just made");
        self.send(Side::Ward, &ack);
    }

    fn at_desk(&mut self, message: &str) {
        let Some(call_id) = header(message, "Call-ID") else { return };
        let known = self.at_desk.get(call_id).copied();
        if let (Some(status), Some(leg)) = (status(message), known) {
            // Only BYE was ever asked from here.
            self.legs[leg].pending = None;
            self.legs[leg].ended = true;
            // 481: both hung up at once.
            if status >= 300 && status != 481 {
                self.fail(self.legs[leg].call, &format!("the analyst's BYE was refused: {status}"));
            }
            return;
        }
        match (message.split(' ').next(), known) {
            (Some("INVITE"), None) => self.rung(call_id, message),
            (Some("INVITE"), Some(leg)) => {
                if let Some(answer) = self.legs[leg].pending.clone() {
                    self.send(Side::Desk, &answer);
                }
            }
            (Some("ACK"), Some(leg)) if !self.legs[leg].talking => {
                self.legs[leg].pending = None;
                self.legs[leg].talking = true;
                let call = self.legs[leg].call;
                if let Some(talk) = self.calls[call].talk {
                    self.after(Instant::now(), talk, call, Act::HangUp);
                }
            }
            (Some("ACK"), _) => {}
            (Some("BYE"), Some(leg)) => {
                self.send(Side::Desk, &response(message, "200 OK", "", "", ""));
                self.legs[leg].pending = None;
                self.legs[leg].ended = true;
                let call = self.legs[leg].call;
                // A second analyst who lost the race is let go; the only one is not.
                if self.calls[call].legs.len() == 1 && self.calls[call].talk.is_none() {
                    let why = header(message, "Reason").unwrap_or("no reason given");
                    self.fail(call, &format!("the server ended the analyst's leg: {why}"));
                }
            }
            // A CANCEL comes too late for phones that answer at once.
            _ => self.send(Side::Desk, &response(message, "200 OK", "", "", "")),
        }
    }

    /// A call reaches the desk: rings, and is answered in the same breath.
    fn rung(&mut self, call_id: &str, invite: &str) {
        let (from, to) = (header(invite, "From").expect("From"), header(invite, "To").expect("To"));
        let extension = user(from).and_then(|user| user.parse::<usize>().ok()).expect("the calling extension");
        let index = extension - FIRST_EXTENSION;
        let us = self.desk_address();
        let (analyst, target) = (user(to).expect("an analyst"), uri(header(invite, "Contact").expect("Contact")));
        let leg = self.legs.len();
        self.at_desk.insert(call_id.to_owned(), leg);
        let tag = format!("desk{leg}");
        let contact = format!("Contact: <sip:{analyst}@{us}>\r\n");
        self.send(Side::Desk, &response(invite, "180 Ringing", &tag, &contact, ""));
        let extra = format!("{contact}Content-Type: application/sdp\r\n");
        let body = sdp(self.calls[index].media[1], "0", keys_type(invite).unwrap_or(101));
        let answer = response(invite, "200 OK", &tag, &extra, &body);
        let bye = format!(
            "BYE {target} SIP/2.0\r\nVia: SIP/2.0/UDP {us};branch=z9hG4bKbye{leg};rport\r\nMax-Forwards: 70\r\n\
             From: {to};tag={tag}\r\nTo: {from}\r\nCall-ID: {call_id}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
        );
        self.calls[index].rung.get_or_insert_with(Instant::now);
        self.calls[index].legs.push(leg);
        self.legs.push(Leg { call: index, media: media(invite), pending: None, bye, talking: false, ended: false });
        self.pend(Side::Desk, leg, answer);
    }
}

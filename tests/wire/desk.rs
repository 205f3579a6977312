//! A whole switch in memory: the desk of the simulated calls, with trunks and listeners of both address families.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use wardline::call::media::MediaCommand;
use wardline::config::{Config, File, Folder, Surroundings, compose, render};
use wardline::diagnostic::Report;
use wardline::ids::ConnId;
use wardline::sip::stream::{Frame, Framer};
use wardline::sip::{Flow, Headers, Message, Request, Response, Status, Transport};
use wardline::switch::{Action, Answer, Input, Memory, Query, Switch};
use wardline::time::{Duration, Instant};

const NODE: &str = r#"name = "wire"
data_dir = "data"
[listeners.voice]
bind = "10.0.0.10:5060"
transports = ["udp", "tcp"]
[listeners.voice6]
bind = "[::1]:5060"
transports = ["udp", "tcp"]
[media]
bind = "10.0.0.10"
ports = "20000-20199"
quarantine = "1s"
[registration]
realm = "desk.test"
[trunks.pbx]
hospital = "harbor"
peers = ["10.0.1.0/24"]
host = "10.0.1.1:5060"
trusted = true
plain = "a simulation"
outside_prefix = "9"
[trunks.pbx6]
hospital = "harbor"
peers = ["::1"]
host = "[::1]:5070"
trusted = true
plain = "a simulation"
"#;
const WALL: &str = "2026-11-23T15:00:00Z";
/// Timers B, F, H and J: a transaction and an answer without ACK live so long (RFC 3261 section 17).
pub const T1_64: Duration = Duration::from_secs(32);
/// Steps of one run; more is a loop that time does not end.
const MAX_STEPS: u32 = 20_000;

fn config() -> Arc<Config> {
    static CONFIG: OnceLock<Arc<Config>> = OnceLock::new();
    let file = |name: &str, stem: &str, text: &str| File {
        name: name.to_owned(),
        stem: stem.to_owned(),
        bytes: text.as_bytes().to_vec(),
    };
    let made = || {
        let folder = Folder {
            name: "desk".to_owned(),
            base: PathBuf::from(env!("CARGO_MANIFEST_DIR")),
            node: Some(file("wardline.toml", "wardline", NODE)),
            hospitals: vec![file("hospital.toml", "hospital", include_str!("../calls/desk/hospital.toml"))],
            analysts: vec![file("analysts.toml", "analysts", include_str!("../calls/desk/analysts.toml"))],
            plans: vec![
                file("plans/hotline.toml", "hotline", include_str!("../../sip-config/plans/hotline.toml")),
                file("plans/front-desk.toml", "front-desk", include_str!("../calls/desk/front-desk.toml")),
            ],
            ..Folder::default()
        };
        let surroundings = Surroundings { variables: BTreeMap::new(), now: WALL.parse().expect("a time") };
        match compose(&folder, &surroundings, Report::new()) {
            Ok(loaded) => Arc::new(loaded.config),
            Err(report) => panic!("{}", render::text(&report, false)),
        }
    };
    Arc::clone(CONFIG.get_or_init(made))
}

pub struct Desk {
    switch: Switch,
    now: Instant,
    pub sent: Vec<Message>,
    pub media: Vec<MediaCommand>,
    pub closed: Vec<ConnId>,
}

impl Desk {
    pub fn new() -> Desk {
        let now = Instant::from_millis(10_000);
        let switch = Switch::new(config(), Memory::blank([7; 32]), [5; 32], now, WALL.parse().expect("a time"));
        let mut desk = Desk { switch, now, sent: Vec::new(), media: Vec::new(), closed: Vec::new() };
        desk.drain();
        desk
    }

    /// One datagram of the peer at `remote`.
    pub fn datagram(&mut self, remote: &str, bytes: impl Into<Bytes>) {
        let flow = flow(remote, Transport::Udp);
        self.handle(Input::Message { flow, bytes: bytes.into() });
    }

    /// What the peer at `remote` writes into one stream, in small pieces, as the runtime cuts it.
    pub fn stream(&mut self, remote: &str, bytes: &[u8]) {
        self.stream_in(remote, bytes.chunks(7));
    }

    /// The same in pieces of the test's choice. What follows a close is not read any more.
    pub fn stream_in<'a>(&mut self, remote: &str, pieces: impl IntoIterator<Item = &'a [u8]>) {
        let flow = flow(remote, Transport::Tcp);
        let mut framer = Framer::new();
        for piece in pieces {
            framer.push(piece);
            while let Some(frame) = framer.next_frame() {
                match frame {
                    Frame::Message(bytes) => self.handle(Input::Message { flow, bytes }),
                    Frame::KeepAlive => {}
                    Frame::Malformed(bytes) => return self.handle(Input::Message { flow, bytes }),
                }
            }
        }
    }

    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        let mut steps = 0;
        while let Some(at) = self.switch.poll_timeout().filter(|at| *at <= end) {
            steps += 1;
            assert!(steps < MAX_STEPS, "time does not go on at {:?}", self.now);
            self.now = self.now.max(at);
            self.handle(Input::Timeout);
        }
        self.now = end;
    }

    fn handle(&mut self, input: Input) {
        self.switch.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(action) = self.switch.poll_action() {
            match action {
                Action::Transmit { bytes, .. } => {
                    self.sent.push(read(&bytes));
                }
                Action::Query { id, query: Query::Reserve { .. } } => {
                    self.switch.handle(self.now, Input::Answer { query: id, answer: Answer::Reserved(true) });
                }
                Action::Media(command) => self.media.push(command),
                Action::CloseStream { conn } => self.closed.push(conn),
                Action::PeerNames(_) | Action::TurnedDown(_) => {}
                Action::Record(_) | Action::Reply { .. } | Action::Query { .. } => {}
            }
        }
    }

    /// The final answers so far, each once: an answer that is sent again is the same to the last octet.
    pub fn finals(&self) -> Vec<&Response> {
        let mut finals: Vec<&Response> = Vec::new();
        for message in &self.sent {
            if let Message::Response(response) = message
                && response.status.is_final()
                && !finals.iter().any(|known| known.to_bytes() == response.to_bytes())
            {
                finals.push(response);
            }
        }
        finals
    }

    /// The one final answer.
    pub fn answer(&self) -> Response {
        match self.finals().as_slice() {
            [answer] => (*answer).clone(),
            other => panic!("not one answer: {other:?}"),
        }
    }

    pub fn requests(&self) -> Vec<&Request> {
        self.sent
            .iter()
            .filter_map(|message| match message {
                Message::Request(request) => Some(request),
                Message::Response(_) => None,
            })
            .collect()
    }

    /// Nothing is left open.
    pub fn assert_empty(&self, name: &str) {
        let status = self.switch.status();
        let open = (status.calls, status.legs, status.dialogs, status.transactions, status.ports_used);
        assert_eq!(open, (0, 0, 0, 0, 0), "{name}: calls, legs, dialogs, transactions, ports left open: {status:?}");
    }
}

/// What was sent. A 400 repeats what was wrong with the request, and may be as hard to read.
fn read(bytes: &Bytes) -> Message {
    match Message::parse(bytes) {
        Ok(message) => message,
        Err(error) => {
            assert!(bytes.starts_with(b"SIP/2.0 400 "), "sent {}: {error}", bytes.escape_ascii());
            let (reason, headers, body) = (String::new(), Headers::default(), bytes.clone());
            Message::Response(Response { status: Status::BAD_REQUEST, reason, headers, body })
        }
    }
}

const CONN: ConnId = ConnId(7);

fn flow(remote: &str, transport: Transport) -> Flow {
    let remote: SocketAddr = remote.parse().expect("an address");
    let local = if remote.is_ipv6() { "[::1]:5060" } else { "10.0.0.10:5060" };
    let conn = (transport == Transport::Tcp).then_some(CONN);
    Flow { transport, local: local.parse().expect("an address"), remote, conn }
}

//! Line G81 on a real node: a hundred calls are up and phones, callers and a lead go on when it is killed. Each of them has kept
//! a log of what it was told is done; all of that is there when the node is back.

#![allow(clippy::disallowed_methods)] // A real node takes real time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, UdpSocket};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;
use sqlx::ConnectOptions;
use wardline::sip::Method;
use wardline::sip::digest::{Challenge, RequestLine};

use crate::log::Running;
use crate::publish::Site;
use crate::stop::{signal, until};

/// Up when the node is killed, beside those that were hung up before.
const CALLS: usize = 100;
const FILLED_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// T1 of RFC 3261, and how often a request is sent before its sender gives up.
const T1: Duration = Duration::from_millis(500);
const SENT_AT_MOST: u32 = 10;
/// Users of the sample's registering phones; each has as many phones.
const USERS: [&str; 4] = ["amara", "lena", "ruth", "dana"];
const PHONES: usize = 8;

/// What somebody was told is done.
#[derive(Default)]
struct Log {
    /// Call-IDs of calls that were answered, and of those whose BYE was.
    answered: BTreeSet<String>,
    hung_up: BTreeSet<String>,
    /// Users and their contacts.
    registered: BTreeSet<(&'static str, String)>,
    /// Reasons of changes that the command line says were made.
    changed: BTreeSet<String>,
}

/// A phone's socket that sends a request until it is answered.
struct Line {
    socket: UdpSocket,
    branches: u32,
}

impl Line {
    fn to(node: SocketAddr) -> Line {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.connect(node).expect("an address");
        socket.set_read_timeout(Some(T1)).expect("a time-out");
        Line { socket, branches: 0 }
    }

    fn local(&self) -> SocketAddr {
        self.socket.local_addr().expect("bound")
    }

    /// The final response to this request, which lacks a Via; `None` when the node is gone.
    fn ask(&mut self, first: &str, headers: &str, body: &str) -> Option<String> {
        self.branches += 1;
        let via = format!("Via: SIP/2.0/UDP {0};branch=z9hG4bK-{1}-{0}", self.local(), self.branches);
        let length = body.len();
        let text = format!("{first}\r\n{via}\r\nMax-Forwards: 70\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        let branch = format!("branch=z9hG4bK-{}-", self.branches);
        for _ in 0..SENT_AT_MOST {
            self.socket.send(text.as_bytes()).ok()?;
            let sent = Instant::now();
            while sent.elapsed() < T1 {
                let mut buffer = [0; 4_096];
                match self.socket.recv(&mut buffer) {
                    Ok(length) => {
                        let response = String::from_utf8_lossy(&buffer[..length]).into_owned();
                        if response.starts_with("SIP/2.0 ") && status(&response) >= 200 && response.contains(&branch) {
                            return Some(response);
                        }
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => return None,
                    Err(_) => {}
                }
            }
        }
        None
    }

    fn send(&self, text: &str) {
        // A node that is gone hears nothing; that shows with the next request.
        let _ = self.socket.send(text.as_bytes());
    }
}

fn status(response: &str) -> u16 {
    response.get(8..11).and_then(|code| code.parse().ok()).unwrap_or(0)
}

fn header<'a>(response: &'a str, name: &str) -> &'a str {
    response.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
}

/// Calls from one extension after the other; each fourth is a ward's, which hangs up before anybody has answered.
fn callers(node: SocketAddr, log: &Mutex<Log>) {
    let mut line = Line::to(node);
    let media =
        UdpSocket::bind("127.0.0.1:0").and_then(|socket| Ok((socket.local_addr()?.port(), socket))).expect("a port");
    let sdp = format!(
        "v=0\r\no=w 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 0 101\r\n",
        media.0
    );
    for place in 0.. {
        let leaves = place % 4 == 0;
        let number = if leaves { 4_700 + place / 4 % 16 } else { 4_100 + place };
        let (call, at) = (format!("call-{place}"), line.local());
        let from = format!("From: <sip:{number}@{at}>;tag=w\r\n");
        let id = format!("Call-ID: {call}\r\n");
        let contact = format!("Contact: <sip:{number}@{at}>\r\nContent-Type: application/sdp\r\n");
        let to = format!("<sip:7100@{node}>");
        let headers = format!("{from}To: {to}\r\n{id}CSeq: 1 INVITE\r\n{contact}");
        let Some(answer) = line.ask(&format!("INVITE sip:7100@{node} SIP/2.0"), &headers, &sdp) else { return };
        assert_eq!(status(&answer), 200, "{answer}");
        log.lock().expect("no panic").answered.insert(call.clone());
        let to = header(&answer, "To");
        let via = format!("Via: SIP/2.0/UDP {at};branch=z9hG4bK-ack-{place}\r\nMax-Forwards: 70");
        line.send(&format!(
            "ACK sip:wardline@{node} SIP/2.0\r\n{via}\r\n{from}To: {to}\r\n{id}CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
        ));
        if leaves {
            let headers = format!("{from}To: {to}\r\n{id}CSeq: 2 BYE\r\n");
            let Some(answer) = line.ask(&format!("BYE sip:wardline@{node} SIP/2.0"), &headers, "") else { return };
            assert_eq!(status(&answer), 200, "{answer}");
            log.lock().expect("no panic").hung_up.insert(call);
        }
    }
}

/// One REGISTER with what `more` says, challenged once.
fn register(line: &mut Line, node: SocketAddr, user: &str, password: &str, call: &str, more: &str) -> Option<String> {
    let realm = "desk.mercy-harbor.example";
    let first = format!("REGISTER sip:{node} SIP/2.0");
    // Numbers of a phone grow, also over its next REGISTER.
    let cseq = line.branches + 1;
    let headers = |cseq: u32| {
        let whose = format!("<sip:{user}@{realm}>");
        format!("From: {whose};tag=r\r\nTo: {whose}\r\nCall-ID: {call}\r\nCSeq: {cseq} REGISTER\r\n{more}")
    };
    let challenged = line.ask(&first, &headers(cseq), "")?;
    assert_eq!(status(&challenged), 401, "{challenged}");
    let challenge = Challenge::parse(header(&challenged, "WWW-Authenticate")).expect("a challenge");
    let uri = format!("sip:{node}");
    let answer = challenge.answer(user, password, RequestLine { method: &Method::Register, uri: &uri }, "cnonce", 1);
    line.ask(&first, &format!("{}Authorization: {answer}\r\n", headers(cseq + 1)), "")
}

/// Phones register and refresh, one after the other.
fn phones(node: SocketAddr, passwords: &BTreeMap<&'static str, String>, log: &Mutex<Log>) {
    let mut line = Line::to(node);
    for place in (0..USERS.len() * PHONES).cycle() {
        let (user, phone) = (USERS[place % USERS.len()], place / USERS.len());
        let contact = format!("sip:{user}@127.0.0.1:{}", 7_000 + phone);
        let more = format!("Contact: <{contact}>\r\nExpires: 3600\r\n");
        let Some(answer) = register(&mut line, node, user, &passwords[user], &format!("{user}-{phone}"), &more) else {
            return;
        };
        assert_eq!(status(&answer), 200, "{answer}");
        log.lock().expect("no panic").registered.insert((user, contact));
    }
}

/// A lead changes the state of one analyst again and again, each time for a reason of its own.
fn lead(site: &Site, over: &AtomicBool, log: &Mutex<Log>) {
    for change in 0.. {
        let reason = format!("reason {change}");
        if over.load(Ordering::Relaxed)
            || site.run(&["analysts", "set-state", "joel-whitaker", "paused", "--reason", &reason]).code != 0
        {
            return;
        }
        log.lock().expect("no panic").changed.insert(reason);
    }
}

fn serve(site: &Site) -> Running {
    let mut command = site.command(&["serve"]);
    let mut node = Running(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program runs"));
    let mut log = std::io::BufReader::new(node.0.stderr.take().expect("piped"));
    until(&mut log, " ready ");
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    node
}

/// Lives through all of it until the node is killed in the midst.
fn killed_in_the_midst(
    site: &Site,
    mut node: Running,
    at: SocketAddr,
    passwords: &BTreeMap<&'static str, String>,
) -> Log {
    let (log, over) = (Mutex::new(Log::default()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| callers(at, &log));
        scope.spawn(|| phones(at, passwords, &log));
        scope.spawn(|| lead(site, &over, &log));
        let begun = Instant::now();
        let enough = |log: &Log| {
            log.answered.len() >= CALLS + log.hung_up.len()
                && log.registered.len() == USERS.len() * PHONES
                && log.changed.len() >= 5
        };
        while !enough(&log.lock().expect("no panic")) && begun.elapsed() < FILLED_WITHIN {
            std::thread::sleep(LOOK_EVERY);
        }
        over.store(true, Ordering::Relaxed);
        signal(&node, Signal::SIGKILL);
        node.0.wait().expect("ended");
        let log = log.lock().expect("no panic");
        assert!(
            enough(&log),
            "{} calls, {} phones, {} changes",
            log.answered.len(),
            log.registered.len(),
            log.changed.len()
        );
    });
    log.into_inner().expect("no panic")
}

async fn audited(site: &Site) -> BTreeSet<String> {
    let database = site.home.path().join("data/wardline.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database).read_only(true);
    let mut connection = options.connect().await.expect("the store");
    let reasons = sqlx::query_scalar("SELECT reason FROM audit WHERE reason NOT NULL");
    reasons.fetch_all(&mut connection).await.expect("the audit").into_iter().collect()
}

#[test]
fn g81_killed_with_a_hundred_calls_up_all_that_was_acknowledged_is_there() {
    let site = Site::new();
    site.edit("wardline.toml", "max_calls = 300 ", "max_calls = 900 ");
    site.edit("wardline.toml", "max_calls = 300 ", "max_calls = 900 ");
    let at = SocketAddr::from((site.address, 5060));
    let password =
        |user: &'static str| (user, site.done(&["analysts", "set-password", user, "--generate"]).trim_end().to_owned());
    let passwords: BTreeMap<&str, String> = USERS.into_iter().map(password).collect();
    let log = killed_in_the_midst(&site, serve(&site), at, &passwords);

    let _node = serve(&site);
    let tickets: Vec<Value> =
        serde_json::from_str(&site.done(&["tickets", "list", "--limit", "1000", "--json"])).expect("JSON");
    let of_call: BTreeMap<&str, &Value> =
        tickets.iter().filter_map(|ticket| Some((ticket["sip_call_id"].as_str()?, ticket))).collect();
    assert_eq!(of_call.len(), tickets.len(), "one ticket a call");
    for call in &log.answered {
        let ticket = of_call.get(call.as_str()).unwrap_or_else(|| panic!("{call} was answered and has no ticket"));
        let cause = ticket["end"]["cause"].as_str().unwrap_or("none");
        // Who was hanging up as the node died may have been heard and not been told.
        let allowed: &[&str] = if log.hung_up.contains(call) { &["abandoned"] } else { &["node-failure", "abandoned"] };
        assert!(allowed.contains(&cause), "{cause}: {ticket:#}");
        // Who hung up within two seconds had misdialled, as far as anybody knows.
        let misdialled = cause == "abandoned" && ticket["callback"].is_null();
        assert!(misdialled || ticket["callback"]["reason"] == cause, "each is owed a call: {ticket:#}");
    }
    let cut = tickets.iter().filter(|ticket| ticket["end"]["cause"] == "node-failure").count();
    assert!(cut >= CALLS, "{cut} were up");

    let mut line = Line::to(at);
    for user in USERS {
        let listed = register(&mut line, at, user, &passwords[user], &format!("{user}-asks"), "").expect("an answer");
        for (_, contact) in log.registered.iter().filter(|(whose, _)| *whose == user) {
            assert!(listed.contains(&format!("<{contact}>")), "{contact} was registered: {listed}");
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let audited = runtime.block_on(audited(&site));
    let missing: Vec<&String> = log.changed.difference(&audited).collect();
    assert!(missing.is_empty(), "told done and not in the audit: {missing:?}");
}

//! The server under measurement: a desk of its own in a scratch folder, its own ports on loopback, its own process.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::process;

/// Ward phones, one for each call of a run.
pub const FIRST_EXTENSION: usize = 10_000;
const EXTENSIONS: usize = 2_000;
/// RTP and RTCP of 1,000 legs, outside of the range from which the kernel gives ports.
const MEDIA_PORTS: u16 = 2_000;
const START_WITHIN: Duration = Duration::from_secs(30);
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// The folder that the server runs on.
pub struct Scratch {
    folder: TempDir,
    pub sip: SocketAddr,
    analysts: usize,
}

impl Scratch {
    /// Writes a configuration with so many analysts, whose phones are all at `desk`.
    pub fn write(desk: &SocketAddr, analysts: usize) -> Scratch {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let config = folder.path().join("sip-config");
        fs::create_dir_all(config.join("plans")).expect("scratch");
        symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts"), folder.path().join("prompts")).expect("scratch");
        let sip = free_address();
        let media = free_media_ports();
        let put = |name: &str, text: String| fs::write(config.join(name), text).expect("scratch");
        put("wardline.toml", node_toml(sip, desk, media));
        put("hospital.toml", hospital_toml());
        put("analysts.toml", analysts_toml(desk, analysts));
        put("plans/hotline.toml", PLAN.to_owned());
        Scratch { folder, sip, analysts }
    }

    /// Journal and store, bytes.
    pub fn stored(&self) -> u64 {
        fn below(folder: &Path) -> u64 {
            let entries = fs::read_dir(folder).expect("the data directory").flatten();
            let size =
                |path: PathBuf| if path.is_dir() { below(&path) } else { fs::metadata(path).map_or(0, |m| m.len()) };
            entries.map(|entry| size(entry.path())).sum()
        }
        below(&self.folder.path().join("data"))
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn control(&self) -> PathBuf {
        self.folder.path().join("data/control.sock")
    }
}

fn node_toml(sip: SocketAddr, desk: &SocketAddr, media: u16) -> String {
    let last = media + MEDIA_PORTS - 1;
    format!(
        r#"name = "bench"
data_dir = "data"
max_calls = 330
drain = "1s"
[log]
format = "json"
[listeners.lab]
bind = "{sip}"
transports = ["udp", "tcp"]
[media]
bind = "127.0.0.1"
ports = "{media}-{last}"
workers = 2
quarantine = "1s"
[trunks.pbx]
hospital = "bench"
peers = ["127.0.0.0/8"]
host = "{desk}"
trusted = true
plain = "a benchmark on one machine"
max_calls = 330
"#
    )
}

fn hospital_toml() -> String {
    let last = FIRST_EXTENSION + EXTENSIONS - 1;
    format!(
        r#"id = "bench"
name = "Bench"
time_zone = "America/New_York"
languages = ["en"]
trunk = "pbx"
operator = "40000"
code_numbers = ["55555"]
inside_digits = [5]
[hotlines.7100]
plan = "hotline"
[sites.main]
name = "Main"
[systems.ehr]
name = "Inpatient"
product = "Meridian"
release = "2026.1"
modules = ["charting", "orders"]
[units]
4-west = {{ site = "main", name = "4 West", system = "ehr" }}
[[extensions]]
number = "{FIRST_EXTENSION}-{last}"
unit = "4-west"
"#
    )
}

fn analysts_toml(desk: &SocketAddr, analysts: usize) -> String {
    let mut out = String::new();
    for number in 0..analysts {
        let _ = write!(
            out,
            "[analysts.a{number}]\nname = \"Analyst {number}\"\nhospitals = [\"bench\"]\nphones = [{{ sip = \"sip:a{number}@{desk}\" }}]\n\
             qualifications = [{{ system = \"ehr\", modules = [\"*\"], level = \"advanced\" }}]\n"
        );
    }
    out
}

/// One analyst is rung at a time, so that a call is two dialogs; whoever wraps up is rung too.
const PLAN: &str = r#"name = "hotline"
language = "en"
start = "known"
person = "known"
operator = "operator"
[hunting]
at_once = 1
book_callback_after = "30s"
give_up_after = "60s"
rungs = [{ name = "qualified", who = ["qualified", "wrap-up"], ring_for = "30s" }]
[steps.known]
type = "alert"
next = "greet"
[steps.greet]
type = "play"
say = ["desk", "{unit}"]
next = "connect"
[steps.connect]
type = "connect"
ringing = ["ringing"]
on_call = ["calling-on-call"]
all_busy = ["{module|our}", "analysts-on-calls"]
give_up = "nobody"
[steps.nobody]
type = "callback"
cause = "nobody-free"
say = ["nobody-free", "we-will-call", "{unit|you}", "back"]
no_number = ["nobody-free", "call-again"]
[steps.operator]
type = "transfer"
target = "operator"
say = ["connecting-operator"]
no_answer = "nobody"
"#;

/// An address that the kernel just had to spare, for UDP and TCP.
fn free_address() -> SocketAddr {
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    tcp.local_addr().expect("an address")
}

fn free_media_ports() -> u16 {
    let free = |first: &u16| (*first..*first + MEDIA_PORTS).all(|port| UdpSocket::bind(("127.0.0.1", port)).is_ok());
    (10_000..30_000).step_by(usize::from(MEDIA_PORTS)).find(free).expect("2,000 free ports in a row")
}

/// The running server. It ends with this value, whatever happens.
pub struct Node {
    child: Child,
    control: PathBuf,
    log: PathBuf,
    folder: PathBuf,
    analysts: usize,
}

/// Another build can be measured by naming it.
fn program() -> std::ffi::OsString {
    std::env::var_os("WARDLINE_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_wardline").into())
}

/// Milliseconds of one `wardline check`.
pub fn check(folder: &Path) -> f64 {
    let begun = Instant::now();
    let mut command = Command::new(program());
    command.arg("check").current_dir(folder).env_remove("WARDLINE_CONFIG").stdin(Stdio::null()).stdout(Stdio::null());
    let status = command.status().expect("the program runs");
    let took = begun.elapsed().as_secs_f64() * 1_000.0;
    assert!(status.success(), "the files are valid");
    took
}

impl Node {
    /// Starts the server; also gives the ms until it answered its first OPTIONS.
    pub fn start(scratch: &Scratch) -> (Node, f64) {
        let log = File::options().create(true).append(true).open(scratch.log()).expect("scratch");
        let begun = Instant::now();
        let child = Command::new(program())
            .args(["serve", "--config", "sip-config"])
            .current_dir(scratch.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the server starts");
        let mut node = Node {
            child,
            control: scratch.control(),
            log: scratch.log(),
            folder: scratch.folder.path().to_path_buf(),
            analysts: scratch.analysts,
        };
        node.await_options(scratch.sip, begun);
        (node, begun.elapsed().as_secs_f64() * 1e3)
    }

    fn await_options(&mut self, sip: SocketAddr, begun: Instant) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        socket.connect(sip).expect("loopback");
        socket.set_read_timeout(Some(Duration::from_millis(1))).expect("a timeout");
        let us = socket.local_addr().expect("an address");
        let mut buffer = [0; 2_048];
        for attempt in 0u32.. {
            let options = format!(
                "OPTIONS sip:{sip} SIP/2.0\r\nVia: SIP/2.0/UDP {us};branch=z9hG4bKstart{attempt};rport\r\nMax-Forwards: 70\r\n\
                 From: <sip:bench@{us}>;tag=s{attempt}\r\nTo: <sip:{sip}>\r\nCall-ID: start-{attempt}\r\n\
                 CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            );
            // Refused until the socket is there; then the answer may need longer than one look.
            if socket.send(options.as_bytes()).is_err() {
                std::thread::sleep(Duration::from_micros(500));
                continue;
            }
            if let Ok(length) = socket.recv(&mut buffer)
                && buffer[..length].starts_with(b"SIP/2.0 200")
            {
                return;
            }
            let ended = self.child.try_wait().expect("our child");
            assert!(
                ended.is_none() && begun.elapsed() < START_WITHIN,
                "the server did not come up ({ended:?}):\n{}",
                fs::read_to_string(&self.log).unwrap_or_default()
            );
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn memory_kb(&self) -> f64 {
        process::memory_kb(self.pid())
    }

    /// Makes every analyst available, over the control socket as `wardline analysts set-state` does.
    pub fn sign_everybody_in(&self) {
        for number in 0..self.analysts {
            let body = r#"{"state":"available","reason":null}"#;
            let mut stream = UnixStream::connect(&self.control).expect("the control socket");
            let request = format!(
                "POST /v1/analysts/a{number}/state HTTP/1.1\r\nhost: wardline\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(request.as_bytes()).expect("asked");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("answered");
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    }

    pub fn end(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        let asked = Instant::now();
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"));
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            if asked.elapsed() > STOP_WITHIN {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            // A second TERM is taken as the first was.
            let _ = kill(pid, Signal::SIGTERM);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            // Kept for `wardline explain`.
            let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-failed");
            let _ = fs::remove_dir_all(&kept);
            let _ = Command::new("cp").args(["-a".as_ref(), self.folder.as_os_str(), kept.as_os_str()]).status();
            eprintln!("the server's last words:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
        self.stop();
    }
}

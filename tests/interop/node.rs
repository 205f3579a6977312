//! A running `wardline serve` of a test's own, as its operator sees it: command line, /readyz, /metrics, tickets.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::desk::{Desk, HOTLINE, PASSWORD, Phone};
use crate::papers::Authority;
use crate::peer::{Peer, free_ports_at, until};

const READY_WITHIN: Duration = Duration::from_secs(60);
/// "Solved?" may be asked for 15 s after the caller has left.
const QUIET_WITHIN: Duration = Duration::from_secs(60);
const STOPS_WITHIN: Duration = Duration::from_secs(60);
/// Media ports of a node that shares its address with others.
const FEW_PORTS: u16 = 40;

/// Where a node listens.
#[derive(Clone, Copy)]
pub struct Place {
    pub sip: SocketAddr,
    pub metrics: SocketAddr,
    /// First and last port of RTP, at the same address.
    pub media: (u16, u16),
}

impl Place {
    /// For a desk whose phones are at `local`: IPv4 has an address for every node, IPv6 one for all of them.
    fn beside(local: IpAddr) -> Place {
        if local.is_ipv4() {
            let own = free_address();
            return Place { sip: (own, 5060).into(), metrics: (own, 9464).into(), media: (20_000, 21_599) };
        }
        let port = |count| free_ports_at(local, count);
        let media = port(FEW_PORTS);
        Place { sip: (local, port(2)).into(), metrics: (local, port(2)).into(), media: (media, media + FEW_PORTS - 1) }
    }

    /// Where it speaks TLS: the port after the other one.
    pub fn encrypted(&self) -> SocketAddr {
        SocketAddr::new(self.sip.ip(), self.sip.port() + 1)
    }
}

pub struct Node {
    /// SIP by UDP and TCP.
    pub sip: SocketAddr,
    /// SIP by TLS, where the desk speaks it.
    pub encrypted: SocketAddr,
    /// Where its phones and its PBX are.
    pub local: IpAddr,
    metrics: SocketAddr,
    /// Declared before the folder: it ends before its folder goes.
    process: Option<Peer>,
    folder: TempDir,
}

impl Node {
    /// Writes the desk, starts it, gives each registering phone the [`PASSWORD`] and signs every analyst in.
    pub fn start(desk: &Desk<'_>) -> Node {
        let folder = tempfile::Builder::new().prefix("wardline-interop-").tempdir().expect("a folder");
        let place = Place::beside(desk.local);
        desk.write(folder.path(), &place);
        let (Place { sip, metrics, .. }, encrypted) = (place, place.encrypted());
        let mut node = Node { sip, encrypted, local: desk.local, metrics, process: None, folder };
        node.run();
        for analyst in &desk.analysts {
            if matches!(analyst.phone, Phone::Registers | Phone::RegistersByMd5) {
                node.set_password(&analyst.id);
            }
        }
        for analyst in &desk.analysts {
            node.sign_in(&analyst.id);
        }
        node
    }

    /// Starts the process on whatever its folder holds, and waits until it is ready.
    pub fn run(&mut self) {
        let mut command = self.command(&["serve"]);
        self.process = Some(Peer::start("wardline", self.folder.path(), &mut command));
        until("the node is ready", READY_WITHIN, || {
            let process = self.process.as_mut().expect("it was started");
            assert!(process.child.try_wait().expect("a child").is_none(), "the node ended:\n{}", process.output());
            self.get("/readyz").filter(|(status, _)| *status == 200)
        });
    }

    /// Dies without a word.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("a running node");
        process.signal(Signal::SIGKILL);
        process.wait(STOPS_WITHIN);
    }

    /// Stops it as an administrator would; it must end well.
    pub fn stop(mut self) {
        let mut process = self.process.take().expect("a running node");
        process.signal(Signal::SIGTERM);
        let status = process.wait(STOPS_WITHIN);
        assert!(status.success(), "the node ended with {status}:\n{}", process.output());
    }

    /// A folder for what peers write.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// "sip:7100@127.1.2.3:5060", with `;transport=tcp` when so wanted.
    pub fn hotline(&self, tcp: bool) -> String {
        self.uri(HOTLINE, tcp)
    }

    pub fn encrypted_hotline(&self) -> String {
        format!("sip:{HOTLINE}@{};transport=tls", self.encrypted)
    }

    pub fn uri(&self, user: &str, tcp: bool) -> String {
        let transport = if tcp { ";transport=tcp" } else { "" };
        format!("sip:{user}@{}{transport}", self.sip)
    }

    // -- The command line --------------------------------------------------------------------------------------------

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wardline"));
        command.arg("--config").arg(self.folder.path().join("sip-config")).args(arguments);
        command
    }

    fn cli(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().expect("the command line runs");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "wardline {}: {}: {text}", arguments.join(" "), output.status);
        output
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.cli(arguments);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("wardline {}: {error}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stdout))
        })
    }

    fn set_password(&self, user: &str) {
        let secret = self.folder.path().join("password");
        fs::write(&secret, PASSWORD).expect("a file");
        let mut command = self.command(&["analysts", "set-password", user, "--stdin"]);
        command.stdin(fs::File::open(&secret).expect("a file"));
        let output = command.output().expect("the command line runs");
        assert!(output.status.success(), "set-password: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn sign_in(&self, analyst: &str) {
        self.cli(&["analysts", "set-state", analyst, "available"]);
    }

    /// Puts one extension more on the map, and that into force as a version.
    pub fn publish(&self, number: u64) {
        let path = self.folder.path().join("sip-config/hospital.toml");
        let mut text = fs::read_to_string(&path).expect("a file");
        text.push_str(&format!("\n[[extensions]]\nnumber = \"{}\"\nunit = \"4-west\"\n", 6_000 + number));
        fs::write(&path, text).expect("written");
        let folder = self.folder.path().join("sip-config");
        let wanted =
            json!({"folder": folder, "message": format!("extension {number}"), "onto": null, "at_restart": false});
        let made = self.control("/v1/publish", &wanted);
        assert_eq!((&made["version"], &made["new"]), (&json!(number + 1), &json!(true)), "{made:#}");
    }

    /// Asks the control socket, as the command line does, without a process for each time.
    fn control(&self, path: &str, body: &Value) -> Value {
        let mut stream = UnixStream::connect(self.folder.path().join("data/control.sock")).expect("the node's socket");
        let (body, mut answer) = (body.to_string(), String::new());
        let head = "Host: wardline\r\nConnection: close\r\nContent-Type: application/json";
        write!(stream, "POST {path} HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .expect("written");
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str(body).expect("JSON")
    }

    /// Gives it a certificate of another authority, whom it believes from now on.
    pub fn renew(&self, authority: &Authority) {
        authority.sign(self.folder(), "node", &[&self.encrypted.ip().to_string()]);
        self.cli(&["reload"]);
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.process.as_ref().expect("a running node").output()
    }

    pub fn tickets(&self) -> Vec<Value> {
        let tickets = self.json(&["tickets", "list", "--limit", "1000", "--json"]);
        tickets.as_array().expect("an array of tickets").clone()
    }

    /// The only ticket there is.
    #[track_caller]
    pub fn only_ticket(&self) -> Value {
        let mut tickets = self.tickets();
        assert_eq!(tickets.len(), 1, "exactly one ticket: {tickets:#?}");
        tickets.remove(0)
    }

    /// The raw journal records of a ticket, oldest first.
    pub fn records(&self, ticket: &Value) -> Vec<Value> {
        let number = ticket["number"].to_string();
        let output = self.cli(&["tickets", "show", &number, "--records"]);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("a record a line")).collect()
    }

    // -- What it shows of itself -------------------------------------------------------------------------------------

    /// Status and body of a GET; `None` while nobody answers.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.metrics).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.metrics).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
    }

    /// One figure of /metrics, by name and labels as they are written there, without the prefix "wardline_". 0 when it is
    /// not shown.
    pub fn figure(&self, name: &str) -> u64 {
        let (_, body) = self.get("/metrics").expect("metrics");
        let value = body.lines().find_map(|line| line.strip_prefix(&format!("wardline_{name} ")));
        value.map_or(0, |value| value.trim().parse().expect("a whole number"))
    }

    /// Waits until nothing is up: no call, leg or dialog, no port in use.
    #[track_caller]
    pub fn assert_empties(&self) {
        let names = ["calls", "legs", "dialogs", "media_legs", "ports{state=\"used\"}"];
        let mut left = Vec::new();
        let end = Instant::now() + QUIET_WITHIN;
        while Instant::now() < end {
            left = names.map(|name| (name, self.figure(name))).into_iter().filter(|(_, count)| *count > 0).collect();
            if left.is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the node does not empty: {left:?}");
    }

    /// A path for a file in this test's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // What a failed test leaves behind is there to be read.
        self.folder.disable_cleanup(std::thread::panicking());
    }
}

/// An address of the loopback network that nobody listens on: so every node has all ports to itself.
pub fn free_address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let pid = std::process::id();
    let third = u8::try_from(pid % 250).expect("below 250");
    let second = 100 + u8::try_from(pid / 250 % 100).expect("below 100");
    for _ in 0..250 {
        let address = Ipv4Addr::new(127, second, third, NEXT.fetch_add(1, Ordering::Relaxed));
        if UdpSocket::bind((address, 5060)).is_ok() {
            return address;
        }
    }
    panic!("every address of the loopback network is in use")
}

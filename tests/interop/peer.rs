//! A process of a test: started with its output in a file, waited for with a bound, ended by its id.

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Where peers live on IPv4: some of them send from here, whatever address they were told to bind.
pub const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// How often a bounded wait looks again.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A process that was asked to stop may take this long before it is killed.
const STOPS_WITHIN: Duration = Duration::from_secs(3);
/// Ports of peers lie below the range that the system hands out by itself.
const FIRST_PORT: u16 = 10_000;
const PORTS: u16 = 20_000;
/// Lines of a peer's output that a failure shows.
const SHOWN_LINES: usize = 60;

/// Tests that only wait for their own few calls run side by side; one that fills the machine runs alone.
static MACHINE: RwLock<()> = RwLock::new(());

pub fn beside_others() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

pub fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

/// Looks until there is something to see; panics with `what` was waited for.
pub fn until<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + within;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < end, "{what}: not within {within:?}");
        thread::sleep(LOOK_EVERY);
    }
}

/// Lets a call go on for a while: what is measured then is what was heard meanwhile.
pub fn let_them_talk(seconds: f64) {
    thread::sleep(Duration::from_secs_f64(seconds));
}

/// `count` neighbouring ports on [`LOCAL`], the first one even, that nothing uses now and no other test gets.
pub fn free_ports(count: u16) -> u16 {
    free_ports_at(LOCAL.into(), count)
}

/// Such ports of another address.
pub fn free_ports_at(address: IpAddr, count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let pid = u16::try_from(std::process::id() % 200).expect("a remainder below 200");
    let step = count.next_multiple_of(2);
    for _ in 0..PORTS {
        let offset = (pid * 100 + NEXT.fetch_add(step, Ordering::Relaxed)) % (PORTS - 2 * step);
        let first = FIRST_PORT + offset.next_multiple_of(2);
        let free = |port: u16| UdpSocket::bind((address, port)).is_ok() && TcpListener::bind((address, port)).is_ok();
        if (first..first + count).all(free) {
            return first;
        }
    }
    panic!("no {count} free ports on {address}")
}

/// What is to be started: shown when it is missing.
pub fn installed(program: impl AsRef<Path>) -> PathBuf {
    let program = program.as_ref();
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = if program.components().count() > 1 {
        Some(program.to_path_buf()).filter(|path| path.exists())
    } else {
        std::env::split_paths(&paths).map(|folder| folder.join(program)).find(|path| path.is_file())
    };
    found.unwrap_or_else(|| panic!("{} is missing: run tools/install.sh peers", program.display()))
}

/// A running process. Dropping it ends it; when the test is failing, its last lines are shown.
pub struct Peer {
    pub name: String,
    pub child: Child,
    output: PathBuf,
}

impl Peer {
    /// Starts `command` with its output in `<folder>/<name>.out`. Standard input is a pipe.
    pub fn start(name: &str, folder: &Path, command: &mut Command) -> Peer {
        let output = folder.join(format!("{name}.out"));
        let file = File::options().create(true).append(true).open(&output).expect("an output file");
        let child = command
            .stdin(Stdio::piped())
            .stdout(file.try_clone().expect("a file descriptor"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start ({error}): run tools/install.sh peers"));
        Peer { name: name.to_owned(), child, output }
    }

    /// Everything it has written so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        until(&what, within, || self.child.try_wait().expect("a child of ours"))
    }

    /// Sends a signal to this process and to no other.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().expect("a process id"));
        // It may have ended by itself meanwhile.
        let _ = kill(pid, signal);
    }

    fn end(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        self.signal(Signal::SIGTERM);
        let end = Instant::now() + STOPS_WITHIN;
        while Instant::now() < end {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
        // Nothing more can be done for a process that even this does not end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.end();
        if thread::panicking() {
            let output = self.output();
            let lines: Vec<&str> = output.lines().collect();
            let from = lines.len().saturating_sub(SHOWN_LINES);
            eprintln!("---- {} ({})\n{}", self.name, self.output.display(), lines[from..].join("\n"));
        }
    }
}

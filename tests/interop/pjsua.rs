//! A pjsua2 phone: `phone.py` in its own process, told what to do line by line.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::desk::{PASSWORD, REALM};
use crate::node::Node;
use crate::papers::Papers;
use crate::peer::{LOCAL, Peer, free_ports, installed, until};
use crate::tone::write_tone;

const TOLD_WITHIN: Duration = Duration::from_secs(40);
const RTP_PORTS: u16 = 16;
/// Sampling rate of its conference bridge.
const RATE: u32 = 16_000;

pub struct Pjsua {
    process: Peer,
    recordings: PathBuf,
    seen: usize,
}

/// How a phone is set up; `..Setup::ward("4700")` fills in the rest.
#[derive(Clone)]
pub struct Setup<'a> {
    pub name: &'a str,
    pub user: &'a str,
    /// "PCMU", "PCMA", "G722".
    pub codec: &'a str,
    pub tone: f64,
    pub tcp: bool,
    /// It speaks TLS, shows this certificate, and believes that authority alone.
    pub papers: Option<&'a Papers>,
    /// Its media is secured or there is none.
    pub srtp: bool,
    pub registers: bool,
    /// Rings, and answers by itself.
    pub answers: bool,
    /// Offers telephone-event in SDP.
    pub telephone_event: bool,
    /// Where it listens; 0 finds a free port.
    pub port: u16,
}

impl<'a> Setup<'a> {
    /// A phone behind the PBX.
    pub fn ward(user: &'a str) -> Setup<'a> {
        Setup {
            name: "ward",
            user,
            codec: "PCMU",
            tone: WARD_HZ,
            tcp: false,
            papers: None,
            srtp: false,
            registers: false,
            answers: false,
            telephone_event: true,
            port: 0,
        }
    }

    /// A registered analyst's.
    pub fn analyst(user: &'a str) -> Setup<'a> {
        Setup { name: user, tone: ANALYST_HZ, registers: true, answers: true, ..Setup::ward(user) }
    }
}

/// What the three sorts of phones say.
pub const WARD_HZ: f64 = 523.0;
pub const ANALYST_HZ: f64 = 1_004.0;
pub const OPERATOR_HZ: f64 = 1_337.0;

impl Pjsua {
    pub fn start(node: &Node, setup: &Setup<'_>) -> Pjsua {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let tone = node.file(&format!("{}-tone.wav", setup.name));
        write_tone(&tone, RATE, setup.tone);
        let port = if setup.port == 0 { free_ports(2) } else { setup.port };
        let mut options = json!({
            "id": format!("sip:{}@{LOCAL}", setup.user),
            "address": LOCAL.to_string(),
            "port": port,
            "media_port": free_ports(RTP_PORTS),
            "transport": if setup.tcp { "tcp" } else { "udp" },
            "codec": setup.codec,
            "tone": tone,
            "answer": setup.answers,
            "telephone_event": setup.telephone_event,
            "srtp": setup.srtp,
            "log": node.file(&format!("{}.log", setup.name)),
        });
        if let Some(Papers { certificate, key, authority }) = setup.papers {
            options["transport"] = json!("tls");
            options["tls"] = json!({ "certificate": certificate, "key": key, "authority": authority });
        }
        if setup.registers {
            options["id"] = json!(format!("sip:{}@{REALM}", setup.user));
            options["registrar"] = json!(match setup.papers {
                Some(_) => format!("sip:{};transport=tls", node.encrypted),
                None if setup.tcp => format!("sip:{};transport=tcp", node.sip),
                None => format!("sip:{}", node.sip),
            });
            options["realm"] = json!(REALM);
            options["user"] = json!(setup.user);
            options["password"] = json!(PASSWORD);
        }
        let python = installed(folder.join("target/peers/bin/python"));
        let mut command = Command::new(python);
        command.arg(folder.join("tests/interop/phone.py")).arg(options.to_string());
        let process = Peer::start(setup.name, node.folder(), &mut command);
        let mut phone = Pjsua { process, recordings: node.folder().to_path_buf(), seen: 0 };
        phone.expect("ready", |_| true);
        if setup.registers {
            phone.expect("registered", |told| told["code"] == 200);
        }
        phone
    }

    /// One command of phone.py; returns when it was carried out.
    #[track_caller]
    pub fn tell(&mut self, command: &str) {
        self.tell_only(command);
        let word = command.split(' ').next().unwrap_or_default().to_owned();
        self.events("done", |told| told["command"] == word.as_str(), false);
    }

    fn tell_only(&mut self, command: &str) {
        let input = self.process.child.stdin.as_mut().expect("a pipe");
        writeln!(input, "{command}").expect("the phone reads");
    }

    #[track_caller]
    pub fn call(&mut self, uri: &str) {
        self.tell(&format!("call {uri}"));
        self.expect_call("CONFIRMED");
    }

    #[track_caller]
    pub fn expect_call(&mut self, state: &str) -> Value {
        self.expect("call", |told| told["state"] == state)
    }

    /// Records what it hears from now on, until the next recording or [`Pjsua::stop_recording`].
    #[track_caller]
    pub fn record(&mut self, name: &str) -> PathBuf {
        let path = self.recordings.join(format!("{name}.wav"));
        self.tell(&format!("record {}", path.display()));
        path
    }

    #[track_caller]
    pub fn stop_recording(&mut self) {
        self.tell("stop-recording");
        // The library closes the file in its own time.
        std::thread::sleep(Duration::from_millis(200));
    }

    /// Waits for something it tells, after what was waited for before.
    #[track_caller]
    pub fn expect(&mut self, event: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.events(event, wanted, true)
    }

    #[track_caller]
    fn events(&mut self, event: &str, wanted: impl Fn(&Value) -> bool, consume: bool) -> Value {
        let what = format!("{} tells \"{event}\"", self.process.name);
        until(&what, TOLD_WITHIN, || {
            let told = self.told();
            let failed = told[self.seen..].iter().find(|told| told["event"] == "error");
            assert!(failed.is_none(), "{}: {}", self.process.name, failed.cloned().unwrap_or_default());
            let found = told[self.seen..].iter().position(|told| told["event"] == event && wanted(told))?;
            let value = told[self.seen + found].clone();
            if consume {
                self.seen += found + 1;
            }
            Some(value)
        })
    }

    /// Everything it has told: the JSON lines of its output.
    pub fn told(&self) -> Vec<Value> {
        self.process.output().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

impl Drop for Pjsua {
    fn drop(&mut self) {
        // Recordings are closed before the process ends; it may have ended already.
        let _ = self.process.child.stdin.take();
        let _ = until_ended(&mut self.process);
    }
}

fn until_ended(process: &mut Peer) -> Option<()> {
    let end = std::time::Instant::now() + Duration::from_secs(3);
    while std::time::Instant::now() < end {
        if process.child.try_wait().ok()?.is_some() {
            return Some(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

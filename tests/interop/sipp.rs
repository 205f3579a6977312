//! SIPp: many ward phones in one process, all analysts' phones in another.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::desk::HOTLINE;
use crate::node::Node;
use crate::peer::{LOCAL, Peer, free_ports, installed, until};

/// RTP ports of the wards: one pair a call.
const WARD_PORTS: u16 = 1_000;

pub struct Sipp {
    process: Peer,
    statistics: PathBuf,
    /// Messages that its scenario did not expect.
    errors: PathBuf,
}

/// How many calls, how fast, and how long each.
pub struct Load {
    pub calls: usize,
    pub per_second: usize,
    pub hold: Duration,
    /// Extensions from here on, one a call.
    pub first_extension: usize,
}

impl Sipp {
    /// All analysts' phones, at one port, until [`Sipp::last_figures`] are asked for.
    pub fn analysts(node: &Node, port: u16) -> Sipp {
        let mut command = sipp(node, "analyst.xml", "analysts.csv");
        command.arg("-p").arg(port.to_string());
        command.args(["-rtp_echo", "-mp"]).arg(free_ports(4).to_string());
        Sipp {
            process: Peer::start("analysts", node.folder(), &mut command),
            statistics: node.file("analysts.csv"),
            errors: node.file("analyst.xml.errors"),
        }
    }

    /// The wards: they call the hotline and speak a tone.
    pub fn wards(node: &Node, load: &Load) -> Sipp {
        let extensions: Vec<String> =
            (0..load.calls).map(|call| format!("{}\n", load.first_extension + call)).collect();
        fs::write(node.file("extensions.csv"), format!("SEQUENTIAL\n{}", extensions.concat())).expect("a file");
        fs::write(node.file("tone.ul"), tone()).expect("a file");
        let mut command = sipp(node, "ward.xml", "wards.csv");
        let (calls, first) = (load.calls.to_string(), free_ports(WARD_PORTS));
        command.arg(node.sip.to_string()).args(["-s", HOTLINE, "-inf", "extensions.csv"]);
        command.args(["-p", &free_ports(2).to_string(), "-m", &calls, "-l", &calls]);
        command.args(["-r", &load.per_second.to_string(), "-d", &load.hold.as_millis().to_string()]);
        command.args(["-mp", &first.to_string()]);
        Sipp {
            process: Peer::start("wards", node.folder(), &mut command),
            statistics: node.file("wards.csv"),
            errors: node.file("ward.xml.errors"),
        }
    }

    /// One ward phone that lets us offer, holds and resumes, with `step` between each: sends back what it hears.
    pub fn late_ward(node: &Node, extension: usize, step: Duration) -> Sipp {
        fs::write(node.file("late.inf"), format!("SEQUENTIAL\n{extension}\n")).expect("a file");
        let mut command = sipp(node, "late.xml", "late.csv");
        command.arg(node.sip.to_string()).args(["-s", HOTLINE, "-inf", "late.inf", "-m", "1", "-rtp_echo"]);
        command.args(["-p", &free_ports(2).to_string(), "-mp", &free_ports(4).to_string()]);
        command.args(["-d", &step.as_millis().to_string()]);
        Sipp {
            process: Peer::start("late", node.folder(), &mut command),
            statistics: node.file("late.csv"),
            errors: node.file("late.xml.errors"),
        }
    }

    /// Tells it to end when its last call has ended, and gives its figures.
    #[track_caller]
    pub fn last_figures(&mut self, within: Duration) -> BTreeMap<String, u64> {
        self.process.signal(Signal::SIGUSR1);
        self.figures(within)
    }

    /// Waits for its end and gives its figures; it ends well only when every call went as its scenario says.
    #[track_caller]
    pub fn figures(&mut self, within: Duration) -> BTreeMap<String, u64> {
        let status = self.process.wait(within);
        let text = fs::read_to_string(&self.statistics).expect("SIPp writes its statistics");
        let mut lines = text.lines().map(|line| line.split(';'));
        let names = lines.next().expect("a header");
        let last = lines.next_back().expect("figures");
        let figures = names.zip(last).filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
        let figures: BTreeMap<String, u64> = figures.collect();
        let failed = figures.get("FailedCall(C)").copied().unwrap_or_default();
        let errors = fs::read_to_string(&self.errors).unwrap_or_default();
        assert!(status.success(), "{}: {status}, {failed} calls failed\n{errors}", self.process.name);
        figures
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.process.child.try_wait().expect("a child of ours").is_none()
    }

    /// Waits until it listens.
    pub fn listening(self, port: u16) -> Sipp {
        let taken = || std::net::UdpSocket::bind((LOCAL, port)).is_err().then_some(());
        until("SIPp listens", Duration::from_secs(30), taken);
        self
    }
}

fn sipp(node: &Node, scenario: &str, statistics: &str) -> Command {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/sipp");
    let mut command = Command::new(installed("sipp"));
    command.current_dir(node.folder()).arg("-sf").arg(scenarios.join(scenario)).arg("-i").arg(LOCAL.to_string());
    command.args(["-mi", &LOCAL.to_string(), "-nostdin", "-trace_stat", "-fd", "1", "-stf", statistics]);
    command.args(["-trace_err", "-error_file", &format!("{scenario}.errors")]);
    command
}

/// One second of 500 Hz as G.711 µ-law without a header, as SIPp streams it.
fn tone() -> Vec<u8> {
    let sample = |n: u32| 0.25 * (TAU * 500.0 * f64::from(n) / 8_000.0).sin();
    (0..8_000).map(|n| mu_law(sample(n))).collect()
}

/// G.711 µ-law by its defining segments.
fn mu_law(sample: f64) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 8159 by construction")]
    let magnitude = (sample.abs() * 8_159.0) as u32 + 33;
    let segment = (31 - magnitude.leading_zeros()).saturating_sub(5).min(7);
    let step = (magnitude >> (segment + 1)) & 0x0f;
    let sign = if sample < 0.0 { 0x80 } else { 0 };
    #[expect(clippy::cast_possible_truncation, reason = "seven bits")]
    let code = (segment << 4 | step) as u8;
    !(sign | code)
}

//! How a real node ends: killed, and asked to stop.

#![allow(clippy::disallowed_methods)] // A real node takes real time.

use std::io::{BufRead, BufReader};
use std::process::{ChildStderr, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::log::Running;
use crate::publish::Site;
use crate::says;

/// Line G81. Measured in the node's own CPU time: what the machine does besides is no fault of the node.
const UP_WITHIN: Duration = Duration::from_secs(5);

/// Waits for the line that has this.
#[track_caller]
pub fn until(log: &mut BufReader<ChildStderr>, what: &str) {
    let mut line = String::new();
    while !line.contains(what) {
        line.clear();
        assert!(log.read_line(&mut line).expect("UTF-8") > 0, "the node ended without `{what}`");
    }
}

fn serve(site: &Site) -> (Running, BufReader<ChildStderr>) {
    let mut command = site.command(&["serve"]);
    command.env("WARDLINE__DRAIN", "6s").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut node = Running(command.spawn().expect("the program runs"));
    let mut log = BufReader::new(node.0.stderr.take().expect("piped"));
    until(&mut log, " ready ");
    (node, log)
}

/// A call that only the other side will end.
fn calls(site: &Site, log: &mut BufReader<ChildStderr>, from: &str) -> Running {
    let hotline = format!("sip:7100@{}:5060", site.address);
    let words = ["call", &hotline, "--from", from, "--duration", "60s", "--json"];
    let call = site.command(&words).stdout(Stdio::piped()).spawn().expect("the program runs");
    until(log, "answered");
    Running(call)
}

pub fn signal(node: &Running, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(node.0.id()).expect("a process id")), signal).expect("our child");
}

/// utime and stime, the 14th and 15th field of /proc/PID/stat, which count a hundred a second (proc_pid_stat(5)).
fn worked(node: &Running) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", node.0.id())).expect("it lives");
    // The second field is a name in brackets, which may hold anything.
    let (_, rest) = stat.rsplit_once(") ").expect("a name");
    let ticks = rest.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().expect("a number"));
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

fn tickets(site: &Site) -> Vec<Value> {
    let listed = site.done(&["tickets", "list", "--json"]);
    serde_json::from_str::<Vec<Value>>(&listed).expect("JSON")
}

#[test]
fn g81_a_killed_node_is_up_within_five_seconds_with_every_ticket_and_audit_line() {
    let site = Site::new();
    let (mut node, mut log) = serve(&site);
    site.done(&["analysts", "set-state", "ruth-okafor", "paused", "--reason", "lunch", "--by", "J. Kim"]);
    let _calls = ["4711", "4712", "4713"].map(|from| calls(&site, &mut log, from));
    signal(&node, Signal::SIGKILL);
    node.0.wait().expect("ended");
    let (node, _log) = serve(&site);
    assert!(worked(&node) < UP_WITHIN, "{:?}", worked(&node));
    let tickets = tickets(&site);
    let callers: Vec<&str> = tickets.iter().filter_map(|ticket| ticket["calling"].as_str()).collect();
    assert_eq!(tickets.len(), 3, "each call that was answered: {callers:?}");
    for ticket in &tickets {
        assert_eq!(ticket["end"]["cause"], "node-failure", "{ticket:#}");
        assert_eq!(ticket["callback"]["reason"], "node-failure", "{ticket:#}");
    }
    says(&site.done(&["analysts", "list"]), &["paused"]);
    let audit: Vec<Value> = serde_json::from_str(&site.done(&["audit", "--json"])).expect("JSON");
    let line =
        |action: &str| audit.iter().find(|line| line["action"] == action).unwrap_or_else(|| panic!("{audit:#?}"));
    let paused = line("set analyst state");
    assert_eq!((&paused["object"], &paused["reason"]), (&"ruth-okafor".into(), &"lunch".into()));
    assert!(paused["actor"].as_str().is_some_and(|actor| actor.ends_with(" for J. Kim")), "{paused:#}");
    says(&site.done(&["audit", "--since", "1d"]), &["for J. Kim  set analyst state ruth-okafor: lunch"]);
}

#[test]
fn g83_sigterm_sends_new_calls_elsewhere_ends_the_last_by_bye_and_exits_0() {
    let site = Site::new();
    let (mut node, mut log) = serve(&site);
    let call = calls(&site, &mut log, "4711");
    signal(&node, Signal::SIGTERM);
    until(&mut log, "draining");
    let hotline = format!("sip:7100@{}:5060", site.address);
    let begun = Instant::now();
    // Refused from the moment on that the switch has heard of it.
    while site.run(&["call", &hotline, "--from", "4712", "--duration", "0s", "--expect-status", "503"]).code != 0 {
        assert!(begun.elapsed() < Duration::from_secs(2), "new calls are taken while draining");
    }
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    assert_eq!(node.0.wait().expect("ended").code(), Some(0));
    let mut call = call;
    let said = std::io::read_to_string(call.0.stdout.take().expect("piped")).expect("UTF-8");
    let told: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(told["ended_by"], "peer", "{told:#}");
    let first = tickets(&site).into_iter().find(|ticket| ticket["calling"] == "4711").expect("its ticket");
    assert_eq!(first["end"]["cause"], "shutdown", "{first:#}");
}

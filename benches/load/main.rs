//! `make bench`: what one node costs, measured from outside as a peer would see it, on loopback.
//!
//! ```text
//!  scratch config ─▶ wardline serve ─▶ start-up, idle memory
//!      20 calls ─▶ RTP      200 calls ─▶ RTP, memory per call      bare forwarders under the same RTP
//!      50 calls a second ─▶ CPU per call, time to 200, time to the analyst's INVITE
//!  parser and simulated calls, in this process
//! ```
//! Times are figures and never assertions: the machine has its moods. That every call succeeds is asserted.
#![allow(clippy::disallowed_methods)] // A benchmark asks the clock.
#![allow(clippy::print_stdout, clippy::print_stderr)] // Its output is its purpose.
#![allow(clippy::unwrap_used)] // Whatever fails here ends the measurement.

mod figures;
mod forwarder;
mod node;
mod phones;
mod process;
mod pure;
mod rtp;
mod sip;

#[path = "../../tests/cli/many.rs"]
mod many;
// The simulated world of tests/calls, for whole calls without sockets.
#[allow(dead_code)]
#[path = "../../tests/calls/hush.rs"]
mod hush;
#[allow(dead_code)]
#[path = "../../tests/calls/ladder.rs"]
mod ladder;
#[allow(dead_code)]
#[path = "../../tests/calls/media.rs"]
mod media;
#[allow(dead_code)]
#[path = "../../tests/calls/phone.rs"]
mod phone;
#[allow(dead_code)]
#[path = "../../tests/calls/setting.rs"]
mod setting;
#[allow(dead_code)]
#[path = "../../tests/calls/world.rs"]
mod world;

use std::path::Path;
use std::time::Duration;

use figures::{Figures, percentile};
use forwarder::Style;
use node::{Node, Scratch};
use phones::Phones;
use process::Usage;
use rtp::RtpLoad;

/// A large desk: more than there are calls at once, so that nobody waits. And a small one, with short talks.
const ANALYSTS: usize = 240;
const FEW_ANALYSTS: usize = 25;
/// Calls that carry audio at once.
const CALLS: usize = 200;
/// The small desk, where each packet wakes its worker.
const FEW_CALLS: usize = 20;
/// Calls before anything is measured: first use of sockets, caches and pages.
const WARM_UP: usize = 5;
/// New calls per second of the signalling run, its length, and how long each analyst talks.
const RATE: u32 = 50;
const CALLS_DIALLED: usize = 1_000;
const TALK: Duration = Duration::from_secs(2);
const FEW_CALLS_DIALLED: usize = 500;
const SHORT_TALK: Duration = Duration::from_millis(200);
const RTP_FEW: Duration = Duration::from_secs(5);
const RTP_MANY: Duration = Duration::from_secs(10);
const RTP_FORWARDED: Duration = Duration::from_secs(6);
/// Ended transactions are kept for 64·T1 (RFC 3261 timers H and J, RFC 6026 timer L), so that late repeats are answered.
const FORGOTTEN: Duration = Duration::from_secs(34);
/// Journal and store catch up within this.
const SETTLE: Duration = Duration::from_secs(2);
const RESTARTS: usize = 3;
const CHECKS: usize = 9;

fn main() {
    let mut figures = Figures::default();
    let mut phones = Phones::bind();
    let scratch = Scratch::write(&phones.desk_address(), ANALYSTS);
    let node = start(&scratch, &mut figures);
    phones.server = scratch.sip;
    figures.add("idle_rss_mb", "idle: resident memory", mb(node.memory_kb()), "MB");
    node.sign_everybody_in();

    relay(&node, &mut phones, &mut figures);
    forwarders(&mut figures);
    signalling("", &node, &scratch, &mut phones, &mut figures, (CALLS_DIALLED, TALK));
    node.end();
    small_desk(&mut figures);
    pure::measure(&mut figures);
    checks(&mut figures);

    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench.json");
    figures.write(&out);
    println!("{}\n{}", figures.table(), out.display());
}

/// `wardline check` of 1,000 extensions, 200 analysts and 50 plans: the whole process, files and prompts read.
fn checks(figures: &mut Figures) {
    let folder = many::large();
    let mut took: Vec<f64> = (0..CHECKS).map(|_| node::check(folder.path())).collect();
    figures.add("check_large_ms", "check of a large configuration (median of 9)", percentile(&mut took, 50.0), "ms");
}

/// A fresh data directory first, then restarts on it; the last one stays up.
fn start(scratch: &Scratch, figures: &mut Figures) -> Node {
    let (node, fresh) = Node::start(scratch);
    figures.add("start_fresh_ms", "start to first OPTIONS answered, empty data directory", fresh, "ms");
    let mut node = node;
    let mut again = Vec::new();
    for _ in 0..RESTARTS {
        node.end();
        let (next, took) = Node::start(scratch);
        again.push(took);
        node = next;
    }
    figures.add(
        "start_ms",
        "start to first OPTIONS answered, restart (median of 3)",
        percentile(&mut again, 50.0),
        "ms",
    );
    std::thread::sleep(Duration::from_millis(500));
    node
}

/// Audio of a few and of many bridged calls, and what each call takes of memory.
fn relay(node: &Node, phones: &mut Phones, figures: &mut Figures) {
    phones.call(WARM_UP, RATE, Some(TALK));
    phones.settle();
    std::thread::sleep(SETTLE);
    let before = node.memory_kb();

    let mut load = RtpLoad::new(CALLS);
    phones.call_with_media(FEW_CALLS, RATE, &load.ports(0..FEW_CALLS));
    load.aim(0, &phones.server_media());
    load.run(Duration::from_millis(500));
    let heard = load.run(RTP_FEW);
    figures.relay("relay_20", "relay, 20 calls", &heard, None);

    phones.call_with_media(CALLS - FEW_CALLS, RATE, &load.ports(FEW_CALLS..CALLS));
    load.aim(FEW_CALLS, &phones.server_media());
    load.run(Duration::from_secs(1));
    let cpu = Usage::of(node.pid());
    let heard = load.run(RTP_MANY);
    let used = Usage::of(node.pid()).since(&cpu);
    figures.relay("relay_200", "relay, 200 calls", &heard, Some(used.cpu_ms * 1_000.0));
    figures.threads("relay_200", &used, heard.received as f64, "µs per packet", 1_000.0);

    let at = node.memory_kb();
    phones.hang_up_all(RATE * 2);
    std::thread::sleep(SETTLE);
    let after = node.memory_kb();
    std::thread::sleep(FORGOTTEN);
    let once = node.memory_kb();
    phones.call(CALLS, RATE, Some(TALK));
    phones.settle();
    std::thread::sleep(FORGOTTEN);
    let twice = node.memory_kb();
    let each = |kb: f64| (kb - before) / CALLS as f64;
    figures.add("rss_200_mb", "memory with 200 bridged calls", mb(at), "MB");
    figures.add("memory_per_call_kb", "memory per bridged call (200 up, against before)", each(at), "kB");
    figures.add("memory_kept_kb", "memory per call still held 2 s after they ended", each(after), "kB");
    figures.add("memory_kept_34_kb", "memory per call still held 34 s after they ended", each(once), "kB");
    let more = (twice - once) / CALLS as f64;
    figures.add("memory_kept_again_kb", "what 200 more calls added, 34 s after they ended, per call", more, "kB");
}

/// The least that any relay must do, under the same load: the floor to compare with.
fn forwarders(figures: &mut Figures) {
    for (style, key, label) in [
        (Style::Sweep, "forwarder_sweep", "bare forwarder, 1 ms sweep"),
        (Style::Wake, "forwarder_epoll", "bare forwarder, epoll"),
    ] {
        let mut load = RtpLoad::new(CALLS);
        let forwarder = forwarder::start(style, &load);
        load.aim(0, &forwarder.inlets);
        load.run(Duration::from_millis(500));
        let before = forwarder.cpu_us();
        let heard = load.run(RTP_FORWARDED);
        let used = forwarder.cpu_us() - before;
        forwarder.stop();
        figures.relay(key, label, &heard, Some(used));
    }
    let ratio = figures.get("relay_200_cpu_us") / figures.get("forwarder_sweep_cpu_us");
    figures.add("relay_ratio", "relay, 200 calls, against the swept forwarder", ratio, "×");
}

/// The same signalling at a desk of the usual size: what a choice among fewer costs.
fn small_desk(figures: &mut Figures) {
    let mut phones = Phones::bind();
    let scratch = Scratch::write(&phones.desk_address(), FEW_ANALYSTS);
    let (node, _) = Node::start(&scratch);
    phones.server = scratch.sip;
    node.sign_everybody_in();
    phones.call(WARM_UP, RATE, Some(SHORT_TALK));
    phones.settle();
    signalling("small_", &node, &scratch, &mut phones, figures, (FEW_CALLS_DIALLED, SHORT_TALK));
    node.end();
}

/// New calls at a steady rate, no audio: what a call costs besides its packets.
fn signalling(
    key: &str,
    node: &Node,
    scratch: &Scratch,
    phones: &mut Phones,
    figures: &mut Figures,
    (calls, talk): (usize, Duration),
) {
    phones.forget();
    let idle = Usage::of(node.pid());
    std::thread::sleep(SETTLE);
    let idle = Usage::of(node.pid()).since(&idle);
    figures.add(
        &format!("{key}idle_cpu_percent"),
        "idle: CPU",
        idle.cpu_ms / 10.0 / SETTLE.as_secs_f64(),
        "% of a core",
    );

    let (before, stored) = (Usage::of(node.pid()), scratch.stored());
    phones.call(calls, RATE, Some(talk));
    phones.settle();
    std::thread::sleep(SETTLE);
    let used = Usage::of(node.pid()).since(&before);
    let mut tally = phones.tally();
    let desk = if key.is_empty() { ANALYSTS } else { FEW_ANALYSTS };
    let mut add = |name: &str, label: &str, value: f64, unit: &str| {
        figures.add(&format!("{key}{name}"), &format!("{desk} analysts, {RATE} calls/s: {label}"), value, unit);
    };
    add("calls_ok", "calls ok", tally.ok as f64, "");
    add("calls_failed", "calls failed", tally.failed as f64, "");
    add("repeats", "messages that the phones had to repeat", f64::from(tally.repeats), "");
    add("rung_twice", "second analysts rung (a rung of two groups)", tally.rung_twice as f64, "");
    add("call_cpu_ms", "CPU per bridged call, ticket stored", used.cpu_ms / calls as f64, "ms");
    for (name, label, times) in [
        ("invite_200", "INVITE to 200", &mut tally.to_200_ms),
        ("invite_analyst", "INVITE to the analyst's INVITE", &mut tally.to_analyst_ms),
    ] {
        add(&format!("{name}_p50_ms"), &format!("{label}, p50"), percentile(times, 50.0), "ms");
        add(&format!("{name}_p99_ms"), &format!("{label}, p99"), percentile(times, 99.0), "ms");
    }
    add("stored_kb", "journal and store, per call", (scratch.stored() - stored) as f64 / 1_024.0 / calls as f64, "kB");
    add("rss_after_mb", "resident memory afterwards", mb(node.memory_kb()), "MB");
    figures.threads(&format!("{key}call"), &used, calls as f64, "ms per call", 1.0);
    assert_eq!((tally.ok, tally.failed), (calls, 0), "every call must succeed: {:?}", tally.why);
}

fn mb(kb: f64) -> f64 {
    kb / 1_024.0
}

//! The canary on a real node: two child processes of the program call and answer, and `/healthz` goes by it.

#![allow(clippy::disallowed_methods)] // A real node takes real time.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::log::Running;
use crate::publish::Site;
use crate::says;
use crate::stop::signal;

const SINGS_WITHIN: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(250);

const HOSPITAL: &str = r#"
id = "canary"
name = "Canary"
time_zone = "America/New_York"
languages = ["en"]
trunk = "canary"
operator = "4000"
code_numbers = ["5555"]

[hotlines.7199]
plan = "hotline"

[sites.main]
name = "Main"

[systems.all]
name = "All"
product = "All"
release = "1"
modules = ["charting", "orders", "sign-in", "equipment"]

[units]
desk = { site = "main", name = "Desk", system = "all" }

[[extensions]]
number = "8000"
unit = "desk"
"#;

pub fn get(at: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(at).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: wardline\r\nConnection: close\r\n\r\n").ok()?;
    let mut said = String::new();
    stream.read_to_string(&mut said).ok()?;
    Some(said)
}

fn write(site: &Site) {
    let phone = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let analyst = format!(
        "[analysts.canary]\nname = \"Canary\"\nhospitals = [\"canary\"]\nphones = [{{ sip = \"sip:canary@127.0.0.1:{phone}\" }}]\n\
         qualifications = [{{ system = \"all\", modules = [\"*\"], level = \"basic\" }}]\n"
    );
    let config = site.home.path().join("sip-config");
    fs::write(config.join("hospital-canary.toml"), HOSPITAL).expect("written");
    fs::write(config.join("analysts-canary.toml"), analyst).expect("written");
    site.edit("wardline.toml", "peers = [\"127.0.0.0/8\"]", "peers = [\"127.0.0.2/32\"]");
    site.edit("wardline.toml", "[canary]\nenabled = false", "[canary]\nenabled = true");
    site.edit("wardline.toml", "hospital = \"mercy-harbor\"\nnumber", "hospital = \"canary\"\nnumber");
    let trunk = "[trunks.canary]\nhospital = \"canary\"\npeers = [\"127.0.0.1/32\"]\nhost = \"127.0.0.1:5079\"\nplain = \"this machine\"\n\n[canary]";
    site.edit("wardline.toml", "[canary]", trunk);
}

#[test]
fn the_canary_sings_health_goes_by_it_and_no_figure_counts_it() {
    let site = Site::new();
    write(&site);
    let checked = site.run(&["check"]);
    assert_eq!(checked.code, 0, "{}", checked.out);
    let serve = || {
        let mut command = site.command(&["serve"]);
        Running(command.env("WARDLINE__DRAIN", "1s").stderr(Stdio::null()).spawn().expect("the program runs"))
    };
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < SINGS_WITHIN, "{what}");
            std::thread::sleep(LOOK_EVERY);
        }
    };
    // Nobody is rung who has not signed in; the canary is no exception, and stays signed in.
    let mut node = serve();
    until("it signs in", &|| site.run(&["analysts", "set-state", "canary", "available"]).code == 0);
    // Its children end with it, and leave their phone's port.
    signal(&node, Signal::SIGTERM);
    assert!(node.0.wait().expect("ended").success());
    let _node = serve();
    let at = SocketAddr::from((site.address, 9464));
    let metric = |text: &str, name: &str| -> Option<u64> {
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    };
    // Before its first good call its age is the node's.
    until("it has not sung", &|| {
        let text = get(at, "/metrics").unwrap_or_default();
        let ages = (metric(&text, "wardline_canary_age_seconds"), metric(&text, "wardline_uptime_seconds"));
        matches!(ages, (Some(canary), Some(node)) if canary + 2 < node)
    });
    says(&get(at, "/healthz").expect("an answer"), &["HTTP/1.1 200"]);
    let list = |more: &[&str]| -> Vec<Value> {
        let words = [&["tickets", "list", "--json"], more].concat();
        serde_json::from_str(&site.done(&words)).expect("JSON")
    };
    assert!(list(&["--tests"]).iter().any(|ticket| ticket["test"] == true && ticket["human_heard"].is_string()));
    assert_eq!(list(&[]), Vec::<Value>::new(), "it is nobody's call");
    says(&site.done(&["report"]), &["0 counted", "test call"]);
}

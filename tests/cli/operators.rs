//! What operators and leads type, and what they see.

#![allow(clippy::disallowed_methods)] // Real phones take real time.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::log::Running;
use crate::publish::Site;
use crate::says;

/// A phone that is asked to stop hangs up, gives back what it has and ends; far less than its call would last.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

fn ends(child: &mut Child) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < ENDS_WITHIN {
        if child.try_wait().expect("our child").is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

#[test]
fn a_mistyped_filter_is_64_and_names_the_nearest_instead_of_no_tickets() {
    let site = Site::new();
    for (option, written, told) in [
        ("--hospital", "nosuch", "no hospital is called nosuch; there are"),
        ("--analyst", "amara-ose", "no analyst is called amara-ose; did you mean amara-osei?"),
        ("--unit", "4-wst", "no unit is called 4-wst; did you mean 4-west?"),
    ] {
        let run = site.run(&["tickets", "list", option, written]);
        assert_eq!(run.code, 64, "{option}: {}{}", run.out, run.err);
        says(&run.err, &[told]);
    }
    assert_eq!(site.run(&["analysts", "list", "--hospital", "nosuch"]).code, 64);
}

/// Without a server between them: one test phone calls another.
#[test]
fn an_answering_phone_that_is_stopped_in_a_call_hangs_up_and_ends_and_tells_a_second_caller_480() {
    let site = Site::new();
    let mut answer =
        site.command(&["answer", "--listen", &format!("{}:0", site.address), "--delay", "0s", "--calls", "1"]);
    let mut answer = Running(answer.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program runs"));
    let mut told = BufReader::new(answer.0.stderr.take().expect("piped"));
    let mut line = String::new();
    told.read_line(&mut line).expect("UTF-8");
    let at = line.split_whitespace().nth(2).expect("listening on ADDRESS").to_owned();
    let uri = format!("sip:desk@{at}");
    let call =
        site.command(&["call", &uri, "--from", "4711", "--duration", "60s", "--json"]).stdout(Stdio::piped()).spawn();
    let mut call = Running(call.expect("the program runs"));
    while !line.starts_with("call from") {
        line.clear();
        assert!(told.read_line(&mut line).expect("UTF-8") > 0, "it ended without a call");
    }
    let second = site.run(&["call", &uri, "--from", "4712", "--duration", "0s", "--expect-status", "480"]);
    assert_eq!(second.code, 0, "{}{}", second.out, second.err);
    kill(Pid::from_raw(i32::try_from(answer.0.id()).expect("a process id")), Signal::SIGTERM).expect("our child");
    assert!(ends(&mut answer.0), "it goes on with its call");
    assert!(ends(&mut call.0), "nobody told the caller");
    let report = std::io::read_to_string(call.0.stdout.take().expect("piped")).expect("UTF-8");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["ended_by"], "peer", "{report:#}");
}

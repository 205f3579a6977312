//! What the log of a real node says, and above all what it does not.

#![allow(clippy::disallowed_methods)] // A real node takes real time.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::publish::Site;
use crate::says;

const READY_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Fields whose digits are no numbers of people.
const COUNTED: [&str; 4] = ["timestamp", "call", "seq", "digest"];

/// Ended with the test, however that ends.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawned(command: &mut Command) -> Running {
    Running(command.stdout(Stdio::null()).spawn().expect("the program runs"))
}

/// A call with everything in it that says who somebody is: a calling number, a badge, a password, a claimed name, an
/// analyst's answer; then edits that are refused, and one that is taken with a warning about a person.
#[test]
fn a_day_in_the_log_names_nobody_and_no_number() {
    let site = Site::new();
    site.edit("plans/hotline.toml", "{ at = \"5s\", when = { mapped = true", "{ at = \"1s\", when = { mapped = true");
    let path = site.home.path().join("log");
    let log = File::create(&path).expect("a file");
    let mut serve = site.command(&["serve"]);
    let mut node = spawned(serve.env("WARDLINE__LOG__FORMAT", "json").stderr(log));
    let lines = || -> Vec<Value> {
        let text = fs::read_to_string(&path).expect("UTF-8");
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
    };
    let said = |message: &str| {
        lines().iter().any(|line| line["message"].as_str().is_some_and(|said| said.starts_with(message)))
    };
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < READY_WITHIN, "{what}: {:?}", lines());
            std::thread::sleep(LOOK_EVERY);
        }
    };
    until("it is ready", &|| said("ready"));

    let password = site.done(&["analysts", "set-password", "amara", "--generate"]).trim().to_owned();
    site.done(&["analysts", "set-state", "amara-osei", "available", "--reason", "back from lunch"]);
    let at = format!("sip:{}:5060", site.address);
    let mut answer = site.command(&["answer", "--listen", "127.0.0.1:0", "--register", &at, "--user", "amara"]);
    answer
        .args(["--password-env", "PW", "--delay", "6s", "--calls", "1", "--for", "40s", "--tone", "700"])
        .env("PW", &password);
    let mut answer = spawned(&mut answer);
    let reachable = || site.done(&["analysts", "list", "--json"]).contains("\"reachable\": true");
    until("the phone is registered", &reachable);
    let hotline = format!("sip:7100@{}:5060", site.address);
    for (from, seconds, more) in [
        ("4711", "8s", ["--dtmf", "204170@4s", "--display", "Nurse Bell"]),
        ("5101", "1s", ["--tone", "440", "--display", "Ines"]),
    ] {
        let called = site.run(
            &[&["call", &hotline, "--from", from, "--bind", "127.0.0.1:0", "--duration", seconds][..], &more[..]]
                .concat(),
        );
        assert_eq!(called.code, 0, "{}{}", called.out, called.err);
    }
    let _ = answer.0.wait();
    let wrong_number = format!("sip:7999@{}:5060", site.address);
    site.run(&["call", &wrong_number, "--from", "4711", "--bind", "127.0.0.1:0", "--duration", "0s"]);
    let mut wrong =
        site.command(&["answer", "--listen", "127.0.0.1:0", "--register", &at, "--user", "amara", "--for", "1s"]);
    let _ = spawned(wrong.args(["--password-env", "PW"]).env("PW", "not-hers-at-all")).0.wait();

    // A mistake beside a name, then a mistake that only warns.
    site.edit("analysts.toml", "name = \"Lena Brandt\"", "nam = \"Lena Brandt\"");
    site.refused(&["publish", "-m", "for lena-brandt"]);
    until("it is refused", &|| said("refused"));
    site.edit("analysts.toml", "nam = \"Lena Brandt\"", "name = \"Lena Brandt\"");
    let expires = "modules = [\"*\"], level = \"expert\", valid_until = \"2020-01-01\"";
    site.edit("analysts.toml", "modules = [\"*\"], level = \"expert\"", expires);
    site.done(&["publish", "-m", "for amara-osei"]);
    until("it is in force", &|| said("version 2"));
    kill(Pid::from_raw(i32::try_from(node.0.id()).expect("a process id")), Signal::SIGTERM).expect("our child");
    assert!(node.0.wait().expect("ended").success());

    // All of it happened: the ticket has what the log must not have.
    let ticket = site.done(&["tickets", "show", "1000", "--json"]);
    says(&ticket, &["4711", "amara-osei", "anika-rao"]);
    says(&site.done(&["tickets", "show", "1001", "--json"]), &["5101", "ines-ferreira"]);
    // As the README has it, though the sample's hospitals are in two time zones.
    says(&site.done(&["tickets", "list", "--since", "today"]), &["1000", "1001"]);
    says(&site.done(&["report"]), &["2 in all"]);
    let lines = lines();
    assert!(lines.iter().filter(|line| line.get("call").is_some()).count() > 20, "a call's steps are lines of the log");
    assert!(!lines.iter().any(|line| line["level"] == "DEBUG" || line["level"] == "TRACE"));
    let line = |message: &str, field: &str| {
        let found = lines.iter().find(|line| line["message"] == message && line[field] != Value::Null);
        found.unwrap_or_else(|| panic!("no {message} with {field}: {lines:#?}"))[field].clone()
    };
    assert_eq!(line("call-opened", "ticket"), 1000);
    assert_eq!(line("offer-ended", "outcome"), "answered");
    assert!(line("offer-sent", "rung").is_string());
    assert!(line("call-ended", "cause").is_string() && line("call-ended", "by").is_string());
    assert_eq!((line("INVITE refused", "status"), line("INVITE refused", "trunk")), (404.into(), "lab-pbx".into()));
    assert_eq!(line("REGISTER refused", "reason"), "a wrong password, or no such user");
    let secret = [password.as_str(), "not-hers-at-all", "204170"];
    let numbers = ["4711", "5101"];
    let people = ["amara", "osei", "lena", "brandt", "anika", "rao", "bell", "ines", "ferreira", "lunch"];
    for line in &lines {
        let fields = line.as_object().expect("an object").iter();
        let told: String = fields
            .filter(|(field, _)| !COUNTED.contains(&field.as_str()))
            .map(|(_, value)| format!("{value} "))
            .collect();
        let words = told.to_lowercase();
        let parts: Vec<&str> = words.split(|c: char| !c.is_alphanumeric()).collect();
        for name in people.iter().chain(&numbers) {
            assert!(!parts.contains(name), "{name} is in {line}");
        }
        assert!(secret.iter().all(|secret| !words.contains(secret)), "a secret is in {line}");
    }
}

/// Standard error of a service is its log, too.
#[test]
fn a_start_that_fails_tells_a_log_places_and_nobodys_name() {
    let site = Site::new();
    site.edit("analysts.toml", "name = \"Lena Brandt\"", "nam = \"Lena Brandt\"");
    let run = site.run(&["serve"]);
    assert_eq!(run.code, 64, "{}", run.err);
    says(&run.err, &["analysts.toml:", "see `wardline check`"]);
    assert!(!run.err.to_lowercase().contains("lena"), "{}", run.err);
    says(&site.run(&["check"]).out, &["nam = \"Lena Brandt\""]);
}

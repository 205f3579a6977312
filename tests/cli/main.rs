//! The built program as people and scripts meet it: what it prints, and the exit codes that it promises.

mod acknowledged;
mod canary;
mod coverage;
mod first_day;
mod golive;
mod language;
mod large;
mod log;
mod many;
mod operators;
mod people;
mod publish;
mod simulate;
mod slow_store;
mod stop;

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    fn of(command: &mut Command) -> Run {
        let output: Output = command.output().expect("the program runs");
        Run {
            code: output.status.code().expect("it ended by itself"),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

/// Runs `wardline` in `folder`, away from this process's settings.
fn wardline(folder: &Path, words: &[&str]) -> Run {
    Run::of(&mut program(folder, words))
}

fn program(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wardline"));
    command.current_dir(folder).args(words).stdin(Stdio::null()).env_remove("WARDLINE_CONFIG");
    command
}

fn nowhere() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A folder whose sip-config/ holds these files.
fn with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = nowhere();
    for (name, text) in files {
        let path = folder.path().join("sip-config").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    folder
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in:\n{text}");
    }
}

#[test]
fn help_names_every_command_and_every_exit_code() {
    let run = wardline(nowhere().path(), &["--help"]);
    assert_eq!(run.code, 0);
    let commands = [
        "init",
        "import",
        "serve",
        "check",
        "graph",
        "coverage",
        "stickers",
        "schema",
        "call",
        "answer",
        "tickets",
        "explain",
        "analysts",
        "people",
        "incidents",
        "simulate",
        "golive",
        "report",
        "audit",
        "doctor",
        "publish",
        "versions",
        "diff",
        "rollback",
        "show-version",
        "reload",
        "drain",
    ];
    for command in commands {
        assert!(run.out.lines().any(|line| line.trim_start().starts_with(command)), "{command} is not in\n{}", run.out);
        let own = wardline(nowhere().path(), &[command, "--help"]);
        assert_eq!(own.code, 0, "{command} --help: {}", own.err);
    }
    says(&run.out, &["Exit codes:", "  0   done", "  1   refused", "  2   no server", "  64  the command line"]);
}

#[test]
fn a_mistyped_command_is_64_and_names_the_nearest() {
    let run = wardline(nowhere().path(), &["serv"]);
    assert_eq!(run.code, 64);
    says(&run.err, &["unrecognized subcommand 'serv'", "'serve'"]);
    assert_eq!(wardline(nowhere().path(), &[]).code, 64);
    assert_eq!(wardline(nowhere().path(), &["tickets", "set", "1000", "--by", "amara-osei"]).code, 64);
}

#[test]
fn check_points_at_file_line_and_column_and_says_what_to_do() {
    let folder = with(&[("wardline.toml", "name = \"ward-1\"\nmax_cals = 30\n")]);
    let run = wardline(folder.path(), &["check"]);
    assert_eq!(run.code, 1);
    says(
        &run.out,
        &[
            "sip-config/wardline.toml:2:1",
            "max_cals",
            "did you mean `max_calls`?",
            "the folder holds no hospital.toml",
            "errors",
        ],
    );
    assert!(!run.out.contains('\u{1b}'), "escape codes, though nobody looks at a terminal");
}

#[test]
fn check_speaks_json_to_scripts() {
    let folder = with(&[("wardline.toml", "name = \"ward-1\"\nmax_cals = 30\n")]);
    let run = wardline(folder.path(), &["check", "--format", "json"]);
    assert_eq!(run.code, 1);
    let value: serde_json::Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!(value["valid"], false);
    let findings = value["findings"].as_array().expect("findings");
    let misspelt = findings.iter().find(|finding| finding["nearest"] == "max_calls").expect("the misspelt key");
    assert_eq!(misspelt["line"], 2);
    assert_eq!(misspelt["column"], 1);
    assert_eq!(misspelt["severity"], "error");
}

#[test]
fn the_sample_is_valid() {
    let run = wardline(Path::new(env!("CARGO_MANIFEST_DIR")), &["check"]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    says(
        &run.out,
        &[
            "sip-config is valid: 2 hospitals, 2 hotlines, 1 plan",
            "trunk lab-pbx goes unencrypted: lab on one machine",
            "hotline, at the worst, in seconds from the INVITE:\n  first offer     ≤   6.8 s (limit 8 s)\n",
            "            0  who\n            1  question  speaks 3.7, waits 1.5, silence\n         6.45  ring      phones ring\n",
            "  qualified offer ≤   6.8 s (limit 8 s)   by the same path\n",
            "        backup after 12 s at the most\n",
            "       192.01  nobody               books for 1, speaks 3.53, key 9\n",
            "       207.93                       the call is over\n        + 0.3                       margin\n",
            "  no analyst        operator by key 9\n                    operator by patient (silence)\n",
        ],
    );
    let widest = run.out.lines().skip(1).map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{widest:?} columns:\n{}", run.out);
}

#[test]
fn check_tells_scripts_what_was_proved() {
    let run = wardline(Path::new(env!("CARGO_MANIFEST_DIR")), &["check", "--format", "json"]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    let value: serde_json::Value = serde_json::from_str(&run.out).expect("JSON");
    let first = &value["proofs"]["hotline"]["first_offer"];
    assert_eq!((&first["within_s"], &first["limit_s"]), (&6.745.into(), &8.0.into()));
    let question = &first["witness"]["steps"][1];
    assert_eq!((&question["step"], &question["by"]), (&"question".into(), &"silence".into()));
    assert_eq!(
        (&question["speaks_s"], &question["waits_s"], &question["left_s"]),
        (&3.695.into(), &1.5.into(), &6.445.into())
    );
    assert_eq!(value["proofs"]["hotline"]["coverage"]["rung"], "qualified");
}

#[test]
fn serve_without_a_valid_configuration_is_64_and_shows_why() {
    let folder = with(&[("wardline.toml", "name = 7\n")]);
    let run = wardline(folder.path(), &["serve"]);
    assert_eq!(run.code, 64);
    // Nobody looks at a terminal: standard error is a log, which is told places.
    says(
        &run.err,
        &["the configuration is not valid at sip-config", "sip-config/wardline.toml:1:8", "see `wardline check`"],
    );
    assert_eq!(wardline(nowhere().path(), &["serve"]).code, 64);
}

#[test]
fn commands_for_a_running_server_are_2_without_one() {
    let folder = with(&[("wardline.toml", "data_dir = \"data\"\n")]);
    let words: [&[&str]; 5] = [
        &["golive"],
        &["reload"],
        &["drain"],
        &["analysts", "set-state", "amara-osei", "available"],
        &["tickets", "set", "1000", "--solved", "yes", "--by", "amara-osei"],
    ];
    for words in words {
        let run = wardline(folder.path(), words);
        assert_eq!(run.code, 2, "{words:?}: {}", run.err);
        says(&run.err, &["no server answers on data/control.sock: there is no such socket"]);
    }
}

#[test]
fn a_configuration_under_edit_keeps_nobody_from_the_tickets() {
    let folder = with(&[("wardline.toml", "data_dir = \"data\"\nmax_cals = 30\n")]);
    let run = wardline(folder.path(), &["tickets", "list"]);
    assert_eq!(run.code, 1);
    says(&run.err, &["going on without it", "data is not a data directory: no server has run there"]);
}

#[test]
fn a_configuration_that_is_not_there_is_64() {
    let run = wardline(nowhere().path(), &["tickets", "list"]);
    assert_eq!(run.code, 64);
    says(&run.err, &["sip-config/wardline.toml cannot be read", "--config"]);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = nowhere();
    let mut child = program(folder.path(), &["--help"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("UTF-8");
    assert_eq!(child.wait().expect("ended").code(), Some(0));
    assert_eq!(said, "");
}

#[test]
fn a_password_is_made_and_printed_once() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = nowhere();
    let mut command = program(root, &["analysts", "set-password", "amara-osei", "--generate"]);
    let output = command.env("WARDLINE__DATA_DIR", data.path()).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(0));
    let password = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(password.trim_end().len(), 20, "{password}");
    says(
        &String::from_utf8_lossy(&output.stderr),
        &["the password of amara@desk.mercy-harbor.example is in force when the server starts"],
    );
    let wrong = program(root, &["analysts", "set-password", "amarra", "--generate"])
        .env("WARDLINE__DATA_DIR", data.path())
        .output()
        .expect("the program runs");
    assert_eq!(wrong.status.code(), Some(1));
    says(&String::from_utf8_lossy(&wrong.stderr), &["no analyst's phone registers as amarra; did you mean amara?"]);
}

#[test]
fn schema_prints_one_and_writes_all() {
    let folder = nowhere();
    let run = wardline(folder.path(), &["schema", "plan"]);
    assert_eq!(run.code, 0, "{}", run.err);
    says(&run.out, &["draft-07", "\"if-it-matters\"", "asked only if an answer would change who is rung"]);
    let run = wardline(folder.path(), &["schema", "--out", "schema"]);
    assert_eq!(run.code, 0, "{}", run.err);
    for name in ["wardline", "hospital", "analysts", "plan", "prompts", "cases"] {
        assert!(folder.path().join(format!("schema/{name}.json")).is_file(), "{name}");
    }
    assert_eq!(wardline(folder.path(), &["schema"]).code, 64);
}

/// An editor's own checker, which knows nothing of us but the schemas.
#[test]
fn taplo_passes_the_sample_and_refuses_what_no_reader_would_take() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let taplo = root.join("target/peers/bin/taplo");
    if !taplo.is_file() {
        let why = "skipped: no taplo in target/peers; tools/install.sh peers puts it there";
        writeln!(std::io::stderr(), "{why}").expect("standard error");
        return;
    }
    let lint = |files: &[&Path]| {
        let output = Command::new(&taplo).arg("lint").args(files).output().expect("taplo runs");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let sample = root.join("sip-config");
    let files = [
        "wardline.toml",
        "hospital.toml",
        "analysts.toml",
        "plans/hotline.toml",
        "cases/hotline.toml",
        "../prompts/en/manifest.toml",
    ];
    for file in files {
        let (passed, said) = lint(&[&sample.join(file)]);
        assert!(passed, "{file}: {said}");
    }
    let mistakes = [
        ("wardline.toml", "max_calls = 300 ", "max_cals = 300 ", "max_cals"),
        ("hospital.toml", "class = \"patient\"", "class = \"patinet\"", "patinet"),
        ("analysts.toml", "{ register = \"amara\" }", "{ register = \"amara\", sip = \"sip:a@10.0.0.1\" }", "oneOf"),
        ("plans/hotline.toml", "wait = \"1.5s\"", "wiat = \"1.5s\"", "wiat"),
        ("plans/hotline.toml", "type = \"play\"", "type = \"plya\"", "plya"),
        ("plans/hotline.toml", "ring_for = \"12s\"", "ring_for = 12", "12"),
        ("plans/hotline.toml", "keys.3 =", "keys.9 =", "9"),
    ];
    for (file, from, to, named) in mistakes {
        let text = fs::read_to_string(sample.join(file)).expect("the sample");
        assert!(text.contains(from), "{file} has no {from}");
        let schemas = fs::read_dir(sample.join("schema")).expect("schemas").filter_map(Result::ok);
        let schemas: Vec<_> = schemas.map(|entry| (entry.file_name(), entry.path())).collect();
        let folder = nowhere();
        let path = folder.path().join("sip-config").join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::create_dir_all(folder.path().join("sip-config/schema")).expect("made");
        for (name, from) in schemas {
            fs::copy(from, folder.path().join("sip-config/schema").join(name)).expect("copied");
        }
        fs::write(&path, text.replacen(from, to, 1)).expect("written");
        let (passed, said) = lint(&[&path]);
        assert!(!passed && said.contains(named), "{to} in {file}: {said}");
    }
}

#[test]
fn graph_draws_the_only_plan_or_the_one_that_is_named() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = wardline(root, &["graph"]);
    assert_eq!(run.code, 0, "{}", run.err);
    says(&run.out, &["<svg ", "<title id=\"title\">Dial plan hotline</title>", "talks with an analyst"]);
    let folder = nowhere();
    let picture = folder.path().join("plan.svg");
    let run = wardline(root, &["graph", "hotline", "--out", picture.to_str().expect("a path")]);
    assert_eq!((run.code, run.out.as_str()), (0, ""), "{}", run.err);
    assert_eq!(fs::read_to_string(&picture).expect("written"), wardline(root, &["graph"]).out);
    let run = wardline(root, &["graph", "hotlin"]);
    assert_eq!(run.code, 64);
    says(&run.err, &["say which plan: one of hotline"]);
}

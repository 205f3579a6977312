//! `publish`, `versions`, `diff`, `rollback`: without a node, with one, by two admins at once, and after damage.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Run, says};

/// How often a test looks for what a signal has to bring about; each look starts a process.
const LOOKS: u32 = 500;
const PLAN: &str = "plans/hotline.toml";

/// A copy of the sample with a data directory of its own, on an address of its own.
pub struct Site {
    pub home: TempDir,
    pub address: Ipv4Addr,
}

impl Site {
    pub fn new() -> Site {
        let site = Site { home: tempfile::tempdir().expect("a folder"), address: free_address() };
        site.working_copy("sip-config");
        let prompts = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts");
        symlink(prompts, site.home.path().join("prompts")).expect("linked");
        site
    }

    /// A second folder beside the first, as a second admin has one.
    fn working_copy(&self, name: &str) -> PathBuf {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-config");
        let to = self.home.path().join(name);
        for folder in ["plans", "cases"] {
            fs::create_dir_all(to.join(folder)).expect("made");
        }
        for folder in ["", "plans", "cases"] {
            for entry in fs::read_dir(from.join(folder)).expect("the sample") {
                let path = entry.expect("an entry").path();
                if path.extension().is_some_and(|extension| extension == "toml") {
                    fs::copy(&path, to.join(folder).join(path.file_name().expect("a name"))).expect("copied");
                }
            }
        }
        to
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join("sip-config").join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).expect("a file")
    }

    /// Replaces one text, which must be there.
    #[track_caller]
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        edit(&self.file(name), from, to);
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = crate::program(self.home.path(), words);
        let at = |port: u16| format!("{}:{port}", self.address);
        command.env("WARDLINE__LISTENERS__LAB__BIND", at(5060)).env("WARDLINE__METRICS", at(9464));
        command.env("WARDLINE__MEDIA__BIND", self.address.to_string()).env("WARDLINE__LOG__FORMAT", "text");
        command
    }

    pub fn run(&self, words: &[&str]) -> Run {
        Run::of(&mut self.command(words))
    }

    #[track_caller]
    pub fn done(&self, words: &[&str]) -> String {
        let run = self.run(words);
        assert_eq!(run.code, 0, "{words:?}: {}{}", run.out, run.err);
        run.out
    }

    #[track_caller]
    pub fn refused(&self, words: &[&str]) -> String {
        let run = self.run(words);
        assert_eq!(run.code, 1, "{words:?}: {}{}", run.out, run.err);
        run.err
    }

    #[track_caller]
    fn versions(&self) -> Vec<(u64, String)> {
        let list: Value = serde_json::from_str(&self.done(&["versions", "--json"])).expect("JSON");
        let row = |row: &Value| {
            (row["version"].as_u64().expect("a number"), row["message"].as_str().unwrap_or("damaged").to_owned())
        };
        list.as_array().expect("a list").iter().map(row).collect()
    }

    /// Starts the node and waits for its line "ready".
    #[track_caller]
    pub fn serve(&self) -> Node {
        let mut child = self.command(&["serve"]).stderr(Stdio::piped()).spawn().expect("the program runs");
        let mut log = BufReader::new(child.stderr.take().expect("piped"));
        let mut said = String::new();
        loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).expect("UTF-8") > 0, "the node ended:\n{said}");
            said.push_str(&line);
            if line.contains(" ready ") {
                break;
            }
        }
        // Whoever writes a log needs somebody who reads it.
        let later = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&later);
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                heard.lock().expect("no reader panics").push_str(&format!("{line}\n"));
            }
        });
        Node { child, said, later }
    }

    fn audit(&self) -> Vec<(String, String, Option<String>)> {
        let database = self.home.path().join("data/wardline.db");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database).read_only(true);
            let mut connection = sqlx::ConnectOptions::connect(&options).await.expect("the store");
            sqlx::query_as(
                "SELECT action, object, reason FROM audit WHERE action IN ('publish', 'rollback') ORDER BY id",
            )
            .fetch_all(&mut connection)
            .await
            .expect("the audit")
        })
    }
}

#[track_caller]
fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).expect("a file");
    assert!(text.contains(from), "{from} is not in {}", path.display());
    fs::write(path, text.replacen(from, to, 1)).expect("written");
}

pub struct Node {
    child: Child,
    /// Its log until it was ready.
    pub said: String,
    /// Its log since then.
    later: Arc<Mutex<String>>,
}

impl Node {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(pid, signal).expect("our child");
    }

    fn says_later(&self, what: &str) -> bool {
        self.later.lock().expect("no writer panics").contains(what)
    }

    pub fn stop(mut self) {
        self.signal(Signal::SIGTERM);
        assert!(self.child.wait().expect("ended").success());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Ended already, unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let pid = std::process::id();
    let third = u8::try_from(pid % 250).expect("below 250");
    for _ in 0..250 {
        let address = Ipv4Addr::new(127, 90, third, NEXT.fetch_add(1, Ordering::Relaxed));
        if UdpSocket::bind((address, 5060)).is_ok() {
            return address;
        }
    }
    panic!("every address of the loopback network is in use")
}

/// The first line that names an object of a version's file.
fn object_of(site: &Site, number: u32, name: &str) -> PathBuf {
    let published = site.home.path().join("data/published");
    let text = fs::read(published.join(format!("{number:04}.json"))).expect("a version");
    let version: Value = serde_json::from_slice(&text).expect("JSON");
    let sha256 = version["files"][name]["sha256"].as_str().expect("a hash").to_owned();
    published.join("objects").join(&sha256[..2]).join(&sha256[2..])
}

// -- Without a node ---------------------------------------------------------------------------------------------------

#[test]
fn versions_are_made_compared_and_brought_back_without_a_node() {
    let site = Site::new();
    let data = format!("{}; no node runs: the next start runs it", site.home.path().join("data").display());
    says(&site.done(&["publish", "-m", "the sample"]), &["version 1 (", " is published in ", &data]);
    says(&site.done(&["publish", "-m", "again"]), &["nothing has changed: version 1"]);
    site.edit(PLAN, "wait = \"1.5s\"", "wait = \"2s\" # slow fingers");
    says(&site.done(&["diff"]), &["from version 1 to the files, 1 changed", "~ steps.question: wait 1.5s → 2s"]);
    site.done(&["publish", "-m", "slow fingers"]);
    assert_eq!(site.versions(), [(2, "slow fingers".to_owned()), (1, "the sample".to_owned())]);
    says(&site.done(&["versions"]), &["slow fingers  active"]);
    let difference: Value = serde_json::from_str(&site.done(&["diff", "1", "2", "--json"])).expect("JSON");
    assert_eq!(difference["groups"][0]["changes"][0]["details"][0], "wait 1.5s → 2s");
    says(&site.done(&["diff", "1", "2", "--text"]), &["-wait = \"1.5s\"", "+wait = \"2s\" # slow fingers"]);

    site.edit("analysts.toml", "name = \"Amara Osei\"", "name = \"Amara O\"");
    let told = site.done(&["rollback", "1", "-m", "fingers are fine"]);
    says(&told, &["version 3 (", "plans/hotline.toml is as in version 1", "analysts.toml.draft-3"]);
    assert!(site.text(PLAN).contains("wait = \"1.5s\"\n"), "the comment is gone with its version");
    assert!(site.text("analysts.toml.draft-3").contains("Amara O\""), "what was edited by hand is kept");
    assert!(site.text("analysts.toml").contains("Amara Osei"));
    says(&site.done(&["diff"]), &["version 3 and the files are the same"]);
    says(&site.done(&["versions"]), &["(back to 1) fingers are fine  active"]);
    says(&site.done(&["diff", "1", "3"]), &["version 1 and version 3 are the same"]);

    let out = site.home.path().join("then");
    site.done(&["show-version", "2", "--out", out.to_str().expect("UTF-8")]);
    assert!(fs::read_to_string(out.join("sip-config").join(PLAN)).expect("written").contains("# slow fingers"));
    assert!(out.join("prompts/en/manifest.toml").is_file());
}

/// Of Dana Kowalski, who is on call for Mercy Harbor at night and on weekends.
const NIGHTS: &str = r#"on_call = [
    { days = ["sun", "mon", "tue", "wed", "thu", "fri"], from = "17:00", to = "08:00" },
    { days = ["sat", "sun"], from = "00:00", to = "24:00" },
]
"#;

#[test]
fn publish_tells_what_changes_and_what_it_leaves_to_nobody() {
    let site = Site::new();
    let digest = |text: &str| text.split_once(" (").and_then(|(_, rest)| rest.get(..12)).expect("a digest").to_owned();
    let first = site.done(&["publish", "-m", "the sample"]);
    assert!(!first.contains("changed"), "there is nothing to compare with: {first}");
    let checked = site.done(&["check"]);
    assert!(checked.contains(&format!("({})", digest(&first))), "{checked} and {first} name one content");
    site.edit("analysts.toml", NIGHTS, "");
    let expected =
        ["from version 1 to version 2, ", "~ analysts.dana-kowalski: on_call", "have no analyst for `meridian-prod`"];
    says(&site.done(&["publish", "-m", "no nights"]), &expected);
    let node = site.serve();
    site.edit("analysts.toml", "name = \"Amara Osei\"", "name = \"Amara O\"");
    let expected = ["in force", "~ analysts.amara-osei: name", "have no analyst for `meridian-prod`"];
    says(&site.done(&["publish", "-m", "a name"]), &expected);
    // A change of another is undone: it is said at least.
    site.edit("analysts.toml", "name = \"Amara O\"", "name = \"Amara Osei\"");
    says(&site.done(&["publish", "--onto", "3", "-m", "my copy"]), &["~ analysts.amara-osei: name"]);
    says(
        &site.done(&["rollback", "1", "-m", "nights"]),
        &["from version 4 to version 5, ", "~ analysts.dana-kowalski: on_call"],
    );
    node.stop();
}

#[test]
fn cases_and_rules_of_import_are_part_of_a_version_and_check_reads_them() {
    let site = Site::new();
    site.done(&["publish", "-m", "the sample"]);
    let cases = "cases/hotline.toml";
    site.edit(cases, "answered_by = ", "answerd_by = ");
    let wrong = || {
        let run = site.run(&["check"]);
        assert_eq!(run.code, 1, "{}", run.err);
        run.out
    };
    says(&wrong(), &["sip-config/cases/hotline.toml:", "answerd_by", "answered_by"]);
    site.edit(cases, "answerd_by = ", "answered_by = ");
    for (right, slip) in
        [("rung = [\"joel-whitaker", "whitacker"), ("steps = [\"who", "whom"), ("answered_by = \"amara-osei", "osie")]
    {
        let start = right.rfind(['-', '"']).expect("a name") + 1;
        let slip = format!("{}{slip}", &right[..start]);
        site.edit(cases, right, &slip);
        says(&wrong(), &["unknown ", "did you mean "]);
        site.edit(cases, &slip, right);
    }
    fs::write(site.file("plans/night.tml"), "").expect("written");
    let checked = site.run(&["check"]);
    says(&checked.out, &["plans/night.tml", "belongs to nothing"]);
    let kept = site.text(cases);
    fs::remove_file(site.file(cases)).expect("removed");
    fs::remove_file(site.file("import.toml")).expect("removed");
    says(&site.done(&["publish", "-m", "without cases"]), &["version 2 ("]);
    let told = site.done(&["rollback", "1", "-m", "with cases"]);
    says(&told, &["cases/hotline.toml is as in version 1", "import.toml is as in version 1"]);
    assert_eq!(site.text(cases), kept);
}

#[test]
fn a_version_needs_a_reason_and_holds_nothing_that_check_refuses() {
    let site = Site::new();
    assert_eq!(site.run(&["publish"]).code, 64);
    assert_eq!(site.run(&["publish", "-m", "  "]).code, 64);
    site.edit(PLAN, "silence = \"ring\"", "silence = \"rong\"");
    let run = site.run(&["publish", "-m", "a slip"]);
    assert_eq!(run.code, 1);
    says(&run.err, &["sip-config/plans/hotline.toml:", "rong", "did you mean `ring`?"]);
    says(&site.done(&["versions"]), &["nothing is published yet"]);
    says(&site.refused(&["rollback", "7", "-m", "why"]), &["there is no version 7"]);
}

#[test]
fn a_literal_secret_stands_in_no_version() {
    let site = Site::new();
    for (from, to) in [
        ("phones = [{ register = \"amara\" }]", "phones = [{ register = \"amara\", password = \"tell-nobody\" }]"),
        ("phones = [{ register = \"amara\" }]", "phones = [{ sip = \"sip:amara:tell-nobody@10.1.2.3\" }]"),
    ] {
        site.edit("analysts.toml", from, to);
        let run = site.run(&["publish", "-m", "why"]);
        assert_eq!(run.code, 1, "{to}: {}", run.out);
        assert!(!run.err.contains("tell-nobody"), "{}", run.err);
        site.edit("analysts.toml", to, from);
    }
    site.edit("wardline.toml", "[registration]", "[registration]\nsecret = \"tell-nobody\"");
    assert_eq!(site.run(&["publish", "-m", "why"]).code, 1);
    assert!(!site.home.path().join("data/published").exists());
}

#[test]
fn f79_the_second_of_two_admins_is_told_what_changed_under_them() {
    let site = Site::new();
    site.done(&["publish", "-m", "the sample"]);
    let theirs = site.working_copy("theirs");
    fs::copy(site.file(".base"), theirs.join(".base")).expect("as a clone of the first has it");
    let data = site.home.path().join("data");
    let second = |words: &[&str]| {
        let mut command = site.command(words);
        Run::of(command.env("WARDLINE_CONFIG", &theirs).env("WARDLINE__DATA_DIR", &data))
    };
    site.edit(PLAN, "wait = \"1.5s\"", "wait = \"2s\"");
    edit(&theirs.join("hospital.toml"), "operator = \"4000\"", "operator = \"4001\"");
    site.done(&["publish", "-m", "slow fingers"]);

    let run = second(&["publish", "-m", "a new operator"]);
    assert_eq!(run.code, 1, "{}", run.out);
    let expected = [
        "taken from version 1, and version 2 is active now",
        "version 2, published by ",
        ": slow fingers",
        "~ steps.question: wait 1.5s → 2s",
        "wardline publish --onto 2",
    ];
    says(&run.err, &expected);
    assert!(!run.err.contains("operator"), "it is theirs: {}", run.err);
    assert_eq!(site.versions().len(), 2);
    assert_eq!(second(&["publish", "--onto", "1", "-m", "a new operator"]).code, 1, "that one is not active");

    edit(&theirs.join(PLAN), "wait = \"1.5s\"", "wait = \"2s\"");
    let run = second(&["publish", "--onto", "2", "-m", "a new operator"]);
    assert_eq!(run.code, 0, "{}", run.err);
    says(&site.done(&["diff", "2", "3"]), &["~ operator 4000 → 4001"]);
    // Now the first is behind.
    site.edit("analysts.toml", "name = \"Amara Osei\"", "name = \"Amara O\"");
    says(&site.refused(&["publish", "-m", "a name"]), &["taken from version 2", "~ operator 4000 → 4001"]);
    // A folder that nobody ever published from.
    site.working_copy("third");
    let mut command = site.command(&["--config", "third", "publish", "-m", "mine"]);
    let run = Run::of(&mut command);
    assert_eq!(run.code, 1);
    says(&run.err, &["does not say which version it was taken from", "~ operator 4001 → 4000", "--onto 3"]);
}

// -- With a node ------------------------------------------------------------------------------------------------------

#[test]
fn a_node_runs_what_was_published_and_says_how_the_files_differ() {
    let site = Site::new();
    let node = site.serve();
    assert_eq!(site.versions(), [(1, "first start".to_owned())]);
    says(&site.done(&["doctor"]), &["version 1 runs", "the files are the same"]);
    site.edit(PLAN, "wait = \"1.5s\"", "wait = \"oops");
    let doctor = site.run(&["doctor"]);
    says(&doctor.out, &["version 1 runs", "these files differ: plans/hotline.toml"]);
    says(&site.refused(&["publish", "-m", "broken"]), &["plans/hotline.toml:"]);
    node.stop();
    // A start does not need the files.
    let node = site.serve();
    says(&node.said, &["the files differ from the version that runs", "plans/hotline.toml"]);
    says(&site.run(&["doctor"]).out, &["version 1 runs"]);
    node.stop();
    fs::remove_file(site.file("wardline.toml")).expect("removed");
    site.serve().stop();
}

#[test]
fn versions_come_into_force_by_publish_reload_sighup_and_rollback_each_with_its_audit_line() {
    let site = Site::new();
    let node = site.serve();
    site.edit(PLAN, "wait = \"1.5s\"", "wait = \"2s\"");
    says(&site.done(&["publish", "-m", "slow fingers"]), &["version 2 (", "is in force (was 1 ("]);
    says(&site.done(&["publish", "-m", "slow fingers"]), &["nothing has changed: version 2"]);
    site.edit(PLAN, "wait = \"2s\"", "wait = \"1800ms\"");
    says(&site.done(&["reload"]), &["version 3 (", "is in force"]);
    says(&site.done(&["reload"]), &["nothing has changed"]);
    site.edit(PLAN, "wait = \"1800ms\"", "wait = \"1600ms\"");
    node.signal(Signal::SIGHUP);
    // Changes are taken one after the other.
    let seen = (0..LOOKS).any(|_| site.versions().len() == 4);
    assert!(seen, "SIGHUP published nothing");
    says(
        &site.done(&["rollback", "2", "-m", "too slow"]),
        &["version 5 (", "is in force", "hotline.toml is as in version 2"],
    );
    says(&site.done(&["doctor"]), &["version 5 runs", "the files are the same"]);
    let messages: Vec<String> = site.versions().into_iter().map(|(_, message)| message).collect();
    assert_eq!(messages[0], "too slow");
    assert_eq!(messages[1], "reload by SIGHUP");
    assert!(messages[2].starts_with("reload by "));
    node.stop();
    let audit = site.audit();
    let told: Vec<(&str, &str)> = audit
        .iter()
        .map(|(action, object, _)| (action.as_str(), object.split(" (").next().expect("a version")))
        .collect();
    let expected = [
        ("publish", "version 1"),
        ("publish", "version 2"),
        ("publish", "version 3"),
        ("publish", "version 4"),
        ("rollback", "version 5"),
    ];
    assert_eq!(told, expected);
    assert_eq!(audit[1].2.as_deref(), Some("slow fingers"));
    assert_eq!(audit[4].2.as_deref(), Some("back to version 2: too slow"));
    // Made while no node runs, it is audited by the next start, once.
    site.edit(PLAN, "wait = \"2s\"", "wait = \"1s\"");
    site.done(&["publish", "-m", "at night"]);
    site.serve().stop();
    site.serve().stop();
    let audit = site.audit();
    assert_eq!(audit.len(), 6, "{audit:#?}");
    assert!(audit[5].2.as_deref().is_some_and(|reason| reason.starts_with("at night (at ")), "{audit:#?}");
}

/// What the log says of a reload by signal.
const REFUSED: &str = "the configuration is not valid at sip-config/plans/hotline.toml:";

/// Sound TOML of which every step is known, and still no plan that may run: one that holds callers too long, one that goes
/// round, one that is too large to be proved.
#[test]
fn f79_a_plan_that_is_not_proved_comes_into_force_by_no_way() {
    let site = Site::new();
    let many: String = (0..100_000).map(|step| format!("[steps.s{step}]\ntype = \"hangup\"\n")).collect();
    let good = site.text(PLAN);
    let bad = [
        (good.replacen("wait = \"1.5s\"", "wait = \"4s\"", 1), "the first offer may come 9.25 s after the INVITE"),
        (good.replacen("silence = \"ring\"", "silence = \"question\"", 1), "steps go round: question → question"),
        (format!("{good}\n{many}"), "the plan is longer than 1 MiB"),
    ];
    // No version is there yet: the first start publishes, and proves before.
    for (text, why) in &bad {
        fs::write(site.file(PLAN), text).expect("written");
        let run = site.run(&["serve"]);
        assert_eq!(run.code, 64, "{why}: {}{}", run.out, run.err);
        // The log names the place; the words are for whoever asks.
        says(&run.err, &["the configuration is not valid at sip-config/plans/hotline.toml:"]);
        says(&site.refused(&["publish", "-m", "in vain"]), &[why]);
        says(&site.done(&["versions"]), &["nothing is published yet"]);
    }
    fs::write(site.file(PLAN), &good).expect("written");
    let node = site.serve();
    for (text, why) in &bad {
        fs::write(site.file(PLAN), text).expect("written");
        // Sound as it is, the change beside it is not taken either.
        site.edit("hospital.toml", "operator = \"4000\"", "operator = \"4001\"");
        says(&site.refused(&["publish", "-m", "in vain"]), &[why]);
        says(&site.refused(&["reload"]), &[why]);
        node.later.lock().expect("no writer panics").clear();
        node.signal(Signal::SIGHUP);
        let seen = (0..LOOKS).any(|_| site.run(&["doctor"]).code < 64 && node.says_later(REFUSED));
        assert!(seen, "SIGHUP was not refused: {why}");
        assert_eq!(site.versions(), [(1, "first start".to_owned())]);
        says(&site.run(&["doctor"]).out, &["version 1 runs", "these files differ: hospital.toml, plans/hotline.toml"]);
        site.edit("hospital.toml", "operator = \"4001\"", "operator = \"4000\"");
    }
    // What was proved comes into force as ever.
    fs::write(site.file(PLAN), good.replacen("wait = \"1.5s\"", "wait = \"2s\"", 1)).expect("written");
    says(&site.done(&["publish", "-m", "slow fingers"]), &["version 2 (", "is in force"]);
    node.stop();
}

#[test]
fn what_needs_a_restart_is_said_and_waits_for_it() {
    let site = Site::new();
    let node = site.serve();
    site.edit("wardline.toml", "drain = \"60s\"", "drain = \"5s\"");
    says(&site.refused(&["publish", "-m", "shorter"]), &["drain cannot change while the node runs", "--at-restart"]);
    assert_eq!(site.versions().len(), 1);
    says(
        &site.done(&["publish", "--at-restart", "-m", "shorter"]),
        &["version 2 (", "runs from the next start", "1 ("],
    );
    says(&site.done(&["versions"]), &["shorter  from the next start on", "first start  runs until the next start"]);
    // What cannot wait for the restart: the way to it is told, and leads there.
    site.edit(PLAN, "wait = \"1.5s\"", "wait = \"2s\"");
    let expected = ["drain cannot change", "Version 2 waits for the restart", "wardline rollback 1"];
    says(&site.refused(&["publish", "-m", "urgent"]), &expected);
    says(&site.done(&["rollback", "1", "-m", "for what is urgent"]), &["version 3 (", "is in force"]);
    site.edit(PLAN, "wait = \"1.5s\"", "wait = \"2s\"");
    says(&site.done(&["publish", "-m", "urgent"]), &["version 4 (", "is in force"]);
    site.edit("wardline.toml", "drain = \"60s\"", "drain = \"5s\"");
    site.done(&["publish", "--at-restart", "-m", "shorter again"]);
    says(&site.run(&["doctor"]).out, &["version 4 runs", "version 5 is published and waits for a restart"]);
    node.stop();
    let node = site.serve();
    says(&site.done(&["doctor"]), &["version 5 runs"]);
    node.stop();
}

#[test]
fn a_damaged_version_is_said_loudly_and_the_one_before_runs() {
    let site = Site::new();
    site.done(&["publish", "-m", "whole"]);
    site.edit(PLAN, "wait = \"1.5s\"", "wait = \"2s\"");
    site.done(&["publish", "-m", "soon damaged"]);
    let object = object_of(&site, 2, PLAN);
    fs::write(&object, "name = \"hotline\"\n").expect("damaged");
    let node = site.serve();
    says(&node.said, &["ERROR", "version 2 cannot run: plans/hotline.toml is damaged"]);
    let doctor = site.run(&["doctor"]);
    assert_eq!(doctor.code, 1);
    says(&doctor.out, &["version 2 cannot run", "version 1 runs"]);
    // The files are still those of version 2; publishing them on top of what runs mends it.
    says(&site.done(&["publish", "--onto", "1", "-m", "mended"]), &["version 3 ("]);
    says(&site.done(&["doctor"]), &["version 3 runs"]);
    node.stop();
    fs::remove_file(object).expect("removed");
    for number in [1, 2, 3] {
        fs::write(site.home.path().join(format!("data/published/{number:04}.json")), "{").expect("damaged");
    }
    // No version is whole: the files run, as a version of their own.
    let node = site.serve();
    says(&node.said, &["version 3 cannot run", "version 2 cannot run", "version 1 cannot run"]);
    assert_eq!(site.versions()[0], (4, "no version that was published can run".to_owned()));
    node.stop();
    // And with broken files there is nothing left.
    fs::write(site.home.path().join("data/published/0004.json"), "{").expect("damaged");
    site.edit(PLAN, "name = \"hotline\"", "name = 7");
    let refused = site.run(&["serve"]);
    assert_eq!(refused.code, 64);
    says(&refused.err, &["plans/hotline.toml:", "version 4 cannot run", "version 1 cannot run"]);
}

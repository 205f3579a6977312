use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;

use super::*;
use crate::api::wire::Done;
use crate::cli::{Client, Refused};
use crate::runtime::clock::MonotonicClock;

struct Node {
    state: Arc<ApiState>,
    changes: Receiver<ChangeRequest>,
    folder: tempfile::TempDir,
}

fn sample() -> Config {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-config");
    let now = "2026-03-10T12:00:00Z".parse().expect("a time");
    let surroundings = crate::config::Surroundings { variables: std::collections::BTreeMap::new(), now };
    crate::config::load(&folder, &surroundings).expect("the sample is valid").config
}

/// A ready node of these figures, without a folder and a switch.
pub(super) fn state_with(gauges: impl Fn() -> Gauges + Send + Sync + 'static) -> Arc<ApiState> {
    let mut state = Arc::into_inner(node().state).expect("nobody else has it");
    state.gauges = Arc::new(gauges);
    Arc::new(state)
}

/// A node without a switch: what is asked of it waits in the inbox.
fn node() -> Node {
    let folder = tempfile::tempdir().expect("a folder");
    let (changes, wanted) = mpsc::channel(1);
    let (_, ready) = watch::channel(true);
    let state = ApiState {
        inbox: Arc::new(Inbox::new(MonotonicClock::new())),
        desk: Arc::new(Replies::default()),
        data_dir: folder.path().to_path_buf(),
        ready,
        changes,
        config: watch::channel(Arc::new(sample())).1,
        published: Arc::new(|| unreachable!("no test here asks for the version")),
        gauges: Arc::new(|| unreachable!("no test here asks for figures")),
    };
    Node { state: Arc::new(state), changes: wanted, folder }
}

async fn post(socket: &Path, path: &'static str, body: Value) -> anyhow::Result<Done> {
    let socket = socket.to_path_buf();
    let asked = tokio::task::spawn_blocking(move || Client::new(&socket)?.post::<Done>(path, &body));
    asked.await.expect("no panic")
}

#[tokio::test]
async fn the_socket_is_its_owners_alone_and_goes_with_the_server() {
    let node = node();
    let socket = node.folder.path().join("control.sock");
    // Left behind by a process that was killed.
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("a stale socket"));
    let serving = control(Arc::clone(&node.state), &socket).await.expect("serving");
    let mode = std::fs::metadata(&socket).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let second = control(Arc::clone(&node.state), &socket).await.expect_err("one server a socket");
    assert!(second.to_string().contains("another server answers"), "{second}");
    serving.abort();
    assert!(serving.await.is_err_and(|error| error.is_cancelled()));
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_reload_carries_who_asked_and_brings_back_the_report() {
    let mut node = node();
    let socket = node.folder.path().join("control.sock");
    let _serving = control(Arc::clone(&node.state), &socket).await.expect("serving");
    let asked = tokio::spawn(async move { post(&socket, "/v1/reload", json!({ "what": "config" })).await });
    let request = node.changes.recv().await.expect("a request");
    let me = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).expect("users").expect("this user");
    assert_eq!(request.actor, me.name);
    let message = format!("reload by {}", me.name);
    assert_eq!(request.change, Change::Publish { folder: None, message, onto: None, at_restart: false });
    request.reply.send(Err("error: unknown key `max_cals`\n --> …".to_owned())).expect("somebody waits");
    let refused = asked.await.expect("no panic").expect_err("refused");
    assert!(refused.is::<Refused>());
    assert_eq!(refused.to_string(), "error: unknown key `max_cals`\n --> …");
}

#[tokio::test]
async fn whom_somebody_works_for_is_told_beside_the_systems_user() {
    let mut node = node();
    let socket = node.folder.path().join("control.sock");
    let _serving = control(Arc::clone(&node.state), &socket).await.expect("serving");
    let me = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).expect("users").expect("this user").name;
    for (claimed, told) in [("jkim", format!("{me} for jkim")), (me.as_str(), me.clone())] {
        let (socket, claimed) = (socket.clone(), claimed.to_owned());
        tokio::task::spawn_blocking(move || {
            let client = Client::working_for(&socket, Some(claimed)).expect("a client");
            client.post::<Done>("/v1/reload", &json!({ "what": "accounts" }))
        });
        assert_eq!(node.changes.recv().await.expect("a request").actor, told);
    }
}

#[tokio::test]
async fn what_is_not_understood_changes_nothing_and_says_so() {
    let node = node();
    let socket = node.folder.path().join("control.sock");
    let _serving = control(Arc::clone(&node.state), &socket).await.expect("serving");
    for (path, body) in [
        ("/v1/nothing", json!({})),
        ("/v1/reload", json!({ "what": "everything" })),
        ("/v1/publish", json!({ "message": " ", "at_restart": false })),
        ("/v1/rollback", json!({ "to": "first", "message": "why", "at_restart": false })),
        ("/v1/analysts/amara-osei/state", json!({ "state": "available", "reason": "x".repeat(2_001) })),
        ("/v1/analysts/amara-osei/withdraw", json!({ "system": "s", "release": "1", "reason": " ", "by": "J. Kim" })),
        ("/v1/incidents", json!({ "by": "lead", "hospital": "h", "system": "s", "prompt": "p", "note": " " })),
        ("/v1/incidents", json!({ "by": "", "hospital": "h", "system": "s", "prompt": "p", "note": "slow" })),
    ] {
        let error = post(&socket, path, body).await.expect_err(path);
        assert!(error.is::<Refused>(), "{path}: {error:#}");
    }
    assert_eq!(node.state.inbox.dropped(), 0);
}

/// What would write on the admin's terminal, or break a line of the audit in two, is refused wherever it is written, before
/// the switch is asked.
#[tokio::test]
async fn a_control_character_or_too_long_a_text_is_refused_at_every_text() {
    let node = node();
    let socket = node.folder.path().join("control.sock");
    let _serving = control(Arc::clone(&node.state), &socket).await.expect("serving");
    let texts: [(&'static str, Value, &[&str]); 10] = [
        (
            "/v1/analysts/amara-osei/state",
            json!({ "state": "paused", "reason": "lunch", "by": "J. Kim" }),
            &["reason", "by"],
        ),
        (
            "/v1/analysts/amara-osei/attest",
            json!({ "system": "s", "modules": ["m"], "release": "1", "evidence": "course", "by": "J. Kim" }),
            &["evidence", "by", "system", "release"],
        ),
        (
            "/v1/analysts/amara-osei/withdraw",
            json!({ "system": "s", "modules": ["m"], "release": "1", "reason": "another", "by": "J. Kim" }),
            &["reason", "by", "system", "release"],
        ),
        (
            "/v1/tickets/1000/disposition",
            json!({ "by": "amara-osei", "code": "solved", "solved": true, "note": "restarted" }),
            &["note", "by"],
        ),
        (
            "/v1/incidents",
            json!({ "by": "lead", "hospital": "h", "system": "s", "prompt": "p", "note": "slow", "down": false }),
            &["note", "by", "prompt"],
        ),
        ("/v1/incidents/1/resolve", json!({ "by": "lead" }), &["by"]),
        ("/v1/golive/mercy-harbor/confirm", json!({ "item": "911", "by": "J. Kim", "note": "seen" }), &["by", "note"]),
        (
            "/v1/golive/mercy-harbor/standing",
            json!({ "by": "J. Kim", "to": "rehearse", "reason": "a new PBX" }),
            &["by", "reason"],
        ),
        ("/v1/publish", json!({ "message": "why", "at_restart": false }), &["message"]),
        ("/v1/rollback", json!({ "to": 1, "message": "why", "at_restart": false }), &["message"]),
    ];
    for (path, body, fields) in texts {
        for field in fields {
            let refused = async |text: &str| {
                let mut body = body.clone();
                body[*field] = json!(text);
                post(&socket, path, body).await.expect_err(path).to_string()
            };
            for (text, position) in [("a\u{1b}[2Jb", 2), ("line\nline", 5), ("bell\u{7}", 5), ("\u{9b}2J", 1)] {
                let error = refused(text).await;
                let told = format!("has a control character (position {position})");
                assert!(error.contains(&told), "{path} {field}: {error}");
                assert!(!error.chars().any(char::is_control), "{path} {field}: {error:?}");
            }
            let error = refused(&"x".repeat(2_001)).await;
            assert!(error.contains("characters"), "{path} {field}: {error}");
        }
    }
    let mine =
        post(&socket, "/v1/incidents/1/resolve", json!({ "by": "x".repeat(201) })).await.expect_err("a long name");
    assert_eq!(mine.to_string(), "the name (by) is longer than 200 characters");
}

//! Line F78 on a real node: another program holds the database for five seconds and longer, and a call notices nothing.

#![allow(clippy::disallowed_methods)] // A real node takes real time.

use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Row};

use crate::canary::get;
use crate::log::Running;
use crate::publish::Site;

/// Longer than the database's own patience with others (5 s).
const HELD_FOR: Duration = Duration::from_secs(6);
const FOLLOWS_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// One figure of /metrics.
fn figure(site: &Site, name: &str) -> u64 {
    let text = get(SocketAddr::from((site.address, 9464)), "/metrics").expect("the node answers");
    let shown = text.lines().find_map(|line| line.strip_prefix(&format!("wardline_{name} ")));
    shown.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().expect("a whole number")
}

fn follows(site: &Site) {
    let begun = Instant::now();
    while figure(site, "store_behind_records") > 0 {
        assert!(begun.elapsed() < FOLLOWS_WITHIN, "the store does not follow");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The tickets that the command line lists, which reads the journal, too.
fn listed(site: &Site) -> Vec<Value> {
    serde_json::from_str(&site.done(&["tickets", "list", "--json"])).expect("JSON")
}

/// Those that stand in the database.
async fn stored(database: &mut SqliteConnection) -> Vec<Value> {
    let rows = sqlx::query("SELECT doc FROM tickets").fetch_all(database).await.expect("the tickets");
    rows.iter().map(|row| serde_json::from_str(row.get(0)).expect("JSON")).collect()
}

fn told(phone: Child) -> Value {
    let said = phone.wait_with_output().expect("it ended").stdout;
    serde_json::from_slice(&said).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&said)))
}

#[track_caller]
fn assert_solved(ticket: &Value) {
    assert_eq!((&ticket["calling"], &ticket["end"]["cause"]), (&"4711".into(), &"normal".into()), "{ticket:#}");
    assert_eq!(ticket["owners"], serde_json::json!(["amara-osei"]), "{ticket:#}");
    assert_eq!(ticket["dispositions"][0]["disposition"]["solved"], true, "{ticket:#}");
}

#[test]
fn f78_a_store_that_is_slow_by_five_seconds_is_noticed_by_no_call_and_has_the_ticket_afterwards() {
    let site = Site::new();
    let phone = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
    site.edit("analysts.toml", "register = \"amara\"", &format!("sip = \"sip:amara@{phone}\""));
    let node = site.serve();
    site.done(&["analysts", "set-state", "amara-osei", "available"]);
    follows(&site);

    let (phone, hotline) = (phone.to_string(), format!("sip:7100@{}:5060", site.address));
    let analyst =
        ["answer", "--listen", &phone, "--tone", "700", "--expect-tone", "440", "--calls", "1", "--for", "60s"];
    let analyst = [&analyst[..], &["--on-caller-bye", "1@1s", "--json"]].concat();
    let ward =
        ["call", &hotline, "--from", "4711", "--tone", "440", "--expect-tone", "700", "--duration", "8s", "--json"];
    let start = |words: &[&str]| {
        site.command(words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program runs")
    };
    let mut analyst = Running(start(&analyst));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let path = site.home.path().join("data/wardline.db");
        let mut database = SqliteConnectOptions::new().filename(path).connect().await.expect("the store");
        sqlx::query("BEGIN IMMEDIATE").execute(&mut database).await.expect("nobody else writes");
        let (begun, before) = (Instant::now(), figure(&site, "store_seq"));
        // Set up, bridged, put down, and asked whether it is solved, all of it while nothing can be stored.
        let ward = told(start(&ward));
        let ended = Instant::now();
        while listed(&site).first().is_none_or(|ticket| ticket["dispositions"][0].is_null()) {
            assert!(ended.elapsed() < FOLLOWS_WITHIN, "{:#?}", listed(&site));
            std::thread::sleep(LOOK_EVERY);
        }
        std::thread::sleep(HELD_FOR.saturating_sub(begun.elapsed()));
        assert_eq!(figure(&site, "store_seq"), before, "nothing was stored meanwhile");
        assert!(figure(&site, "store_behind_records") > 10);
        assert_eq!(
            (&ward["status"], &ward["ended_by"], &ward["met"]),
            (&200.into(), &"us".into(), &true.into()),
            "{ward:#}"
        );
        let [ticket] = listed(&site).try_into().expect("one ticket, of the journal");
        assert_solved(&ticket);
        assert!(stored(&mut database).await.is_empty(), "the database knows nothing of it");
        sqlx::query("ROLLBACK").execute(&mut database).await.expect("let go");
        follows(&site);
        let [ticket] = stored(&mut database).await.try_into().expect("one ticket, in the database");
        assert_solved(&ticket);
    });
    assert!(analyst.0.wait().expect("ended").success(), "the analyst heard the ward");
    assert_eq!((figure(&site, "store_skipped_records_total"), figure(&site, "media_legs")), (0, 0));
    node.stop();
}

#![allow(clippy::disallowed_methods)] // Deadlines of what another thread does.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row};
use tempfile::TempDir;

use super::*;
use crate::ids::{AnalystId, Extension, Seq, TicketNumber};
use crate::sip::{Flow, Transport};
use crate::ticket::script::{Script, at, call, opened};
use crate::ticket::*;

mod faults;
mod repeats;

const TABLES: [&str; 13] = [
    "projection",
    "tickets",
    "calls",
    "events",
    "offers",
    "callbacks",
    "repeats",
    "audit",
    "bindings",
    "nonces",
    "analyst_states",
    "nodes",
    "tallies",
];

fn options() -> journal::Options {
    journal::Options { segment_bytes: 64 << 10, ..journal::Options::default() }
}

fn binding(contact: &str, expires: f64) -> BindingRecord {
    let flow = Flow {
        transport: Transport::Udp,
        local: "127.0.0.1:5060".parse().unwrap(),
        remote: "127.0.0.1:5071".parse().unwrap(),
        conn: None,
    };
    BindingRecord {
        aor: "sip:ada@mercy".to_owned(),
        contact: contact.to_owned(),
        flow,
        expires: at(expires),
        call_id: "reg".to_owned(),
        cseq: 7,
        user_agent: None,
    }
}

fn set_state(analyst: &str, state: AnalystStateRecord) -> Event {
    Event::AnalystStateSet { analyst: AnalystId::new(analyst), state, reason: None }
}

/// A morning: a helped call, a repeat of it that is owed a callback, one that is still up, and what the desk did.
fn morning() -> Script {
    let mut script = Script::new();
    script
        .desk(0.0, Event::NodeStarted { version: "0.1.0".to_owned(), config: "v1".to_owned() })
        .desk(0.0, set_state("ada", AnalystStateRecord::Available))
        .desk(0.0, Event::BindingSet(binding("sip:ada@127.0.0.1:5071", 1e9)))
        .desk(0.0, Event::BindingSet(binding("sip:ada@127.0.0.1:5072", 1e9)))
        .desk(0.5, Event::BindingRemoved { aor: "sip:ada@mercy".into(), contact: "sip:ada@127.0.0.1:5072".into() })
        .desk(0.6, Event::NonceUsed { nonce: "abc".to_owned(), count: 3, expires: at(1e9) })
        .desk(0.7, Event::NonceUsed { nonce: "abc".to_owned(), count: 2, expires: at(1e9) });
    let audit = |object: &str| Event::Audit {
        actor: "lead".to_owned(),
        action: "reload".to_owned(),
        object: object.to_owned(),
        reason: Some("new unit".to_owned()),
    };
    script.desk(0.8, audit("config v2"));
    script.open(1000, 1.0).from(1.0, "4-west", "epic").need(1.1, "charting", "epic").helped(5.0, 1, "ada");
    script.ended(60.0, HangupCause::Normal, Party::Caller);
    script.disposition(70.0, "ada", DispositionCode::Solved, Some(true));
    script.open(1001, 100.0).from(100.0, "4-west", "epic").need(100.1, "charting", "epic").offer(100.2, 1, "ada");
    script.booked(110.0, 200.0, CallbackReason::Waiting).ended(115.0, HangupCause::Abandoned, Party::Caller);
    script.open(1002, 120.0).from(120.0, "5-east", "epic").offer(120.1, 1, "ben");
    script
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what} did not happen");
        std::thread::yield_now();
    }
}

/// Every row of every projected table.
async fn dump(connection: &mut SqliteConnection) -> String {
    let mut text = String::new();
    for table in TABLES {
        let columns: Vec<String> = sqlx::query(AssertSqlSafe(format!("SELECT name FROM pragma_table_info('{table}')")))
            .fetch_all(&mut *connection)
            .await
            .unwrap()
            .iter()
            .map(|row| format!("quote({})", row.get::<String, _>(0)))
            .collect();
        let all = format!("SELECT {} AS line FROM {table} ORDER BY line", columns.join(" || ' ' || "));
        for row in sqlx::query(AssertSqlSafe(all)).fetch_all(&mut *connection).await.unwrap() {
            text.push_str(&format!("{table}: {}\n", row.get::<String, _>(0)));
        }
    }
    text
}

/// The dump of a directory into which the script was projected in one go.
async fn projected(script: &Script) -> String {
    let dir = TempDir::new().unwrap();
    let mut connection = sqlite::connect(dir.path()).await.unwrap();
    let last = script.records.last().unwrap().seq;
    projection::project(&mut connection, &script.records, last).await.unwrap();
    dump(&mut connection).await
}

#[tokio::test]
async fn projecting_again_changes_nothing() {
    let script = morning();
    let once = projected(&script).await;
    let dir = TempDir::new().unwrap();
    let mut connection = sqlite::connect(dir.path()).await.unwrap();
    for _ in 0..2 {
        for record in &script.records {
            projection::project(&mut connection, std::slice::from_ref(record), record.seq).await.unwrap();
        }
    }
    // Times of a binding's or a nonce's replay are the records' own, so one by one and twice equals all at once.
    assert_eq!(dump(&mut connection).await, once);
}

#[tokio::test]
async fn a_batch_cut_at_any_moment_leaves_nothing_half_done() {
    let script = morning();
    let whole = projected(&script).await;
    let last = script.records.last().unwrap().seq;
    // How often a projection waits depends on the database's own thread: on a busy machine it may get through at once.
    let (mut cuts, mut uncut) = (0, 0);
    for polls in 1..=100 {
        let dir = TempDir::new().unwrap();
        let mut connection = sqlite::connect(dir.path()).await.unwrap();
        let finished = {
            let mut work = pin!(projection::project(&mut connection, &script.records, last));
            let mut left = polls;
            poll_fn(|context| {
                left -= 1;
                match work.as_mut().poll(context) {
                    Poll::Ready(result) => Poll::Ready(Some(result)),
                    Poll::Pending if left == 0 => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }
            })
            .await
        };
        // The process is gone: nobody says goodbye to the database.
        drop(connection);
        let mut connection = sqlite::connect(dir.path()).await.unwrap();
        let position = sqlite::position(&mut connection).await.unwrap();
        match &finished {
            Some(result) => assert!(result.is_ok(), "{result:?}"),
            None => {
                cuts += 1;
                assert!(position == Seq(0) || position == last, "{position}");
            }
        }
        projection::project(&mut connection, &script.records, last).await.unwrap();
        assert_eq!(dump(&mut connection).await, whole, "cut after {polls} polls");
        uncut += u32::from(finished.is_some());
        if uncut == 5 {
            break;
        }
    }
    assert!(cuts > 0, "nothing was ever cut");
}

#[tokio::test]
async fn the_audit_table_is_append_only() {
    let dir = TempDir::new().unwrap();
    let mut connection = sqlite::connect(dir.path()).await.unwrap();
    let script = morning();
    projection::project(&mut connection, &script.records, Seq(99)).await.unwrap();
    for change in ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"] {
        let refused = sqlx::query(change).execute(&mut connection).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
    let rows = sqlx::query("SELECT actor, object FROM audit").fetch_all(&mut connection).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<String, _>("object"), "config v2");
}

#[test]
fn the_audit_is_read_of_the_store_and_of_the_journal_oldest_first() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(dir.path(), options(), at(130.0)).unwrap();
    let told = || {
        blocking(async || {
            let all = open_readonly(dir.path()).await.unwrap().audit(at(0.0)).await.unwrap();
            assert!(all.is_sorted_by_key(|line| line.at));
            all.into_iter().map(|line| format!("{} {} {}", line.actor, line.action, line.object)).collect::<Vec<_>>()
        })
        .unwrap()
    };
    for record in &morning().records {
        assert_eq!(store.journal.append(record), Appended::Written);
    }
    assert_eq!(told(), ["lead reload config v2"]);
    blocking(async || set_password(dir.path(), "ada", "mercy", "long enough", "wardline for jkim").await)
        .unwrap()
        .unwrap();
    let mut both = told();
    both.sort();
    assert_eq!(both, ["lead reload config v2", "wardline for jkim set-password ada@mercy"]);
    let none = blocking(async || open_readonly(dir.path()).await.unwrap().audit(Timestamp::MAX).await).unwrap();
    assert_eq!(none.unwrap(), []);
}

#[test]
fn a_restart_gives_back_what_was_there() {
    let dir = TempDir::new().unwrap();
    let (store, restored) = open(dir.path(), options(), at(130.0)).unwrap();
    assert_eq!((restored.next_ticket, restored.next_seq), (TicketNumber(1000), Seq(1)));
    let nonce_key = restored.nonce_key.clone();
    for record in &morning().records {
        assert_eq!(store.journal.append(record), Appended::Written);
    }
    let last = morning().records.last().unwrap().seq;
    until("projection", || store.projector.now().stored == last);
    drop(store);
    // Records that only the journal has.
    let (journal, _) = Journal::open(&dir.path().join(JOURNAL_DIR), options()).unwrap();
    let state = set_state("ben", AnalystStateRecord::Paused);
    journal.append(&Record { seq: Seq(last.0 + 1), at: at(130.0), call: None, event: state });
    drop(journal);

    let (_store, restored) = open(dir.path(), options(), at(130.0)).unwrap();
    assert_eq!((restored.next_ticket, restored.next_seq), (TicketNumber(1003), Seq(last.0 + 2)));
    assert_eq!(restored.bindings, [binding("sip:ada@127.0.0.1:5071", 1e9)]);
    assert_eq!(restored.nonces, [NonceCount { nonce: "abc".to_owned(), count: 3, expires: at(1e9) }]);
    let states: Vec<_> = restored.analyst_states.iter().map(|state| (state.analyst.as_str(), state.state)).collect();
    assert_eq!(states, [("ada", AnalystStateRecord::Available), ("ben", AnalystStateRecord::Paused)]);
    let open_calls: Vec<_> = restored.open_calls.iter().map(|open| (open.call, open.ticket, open.opened)).collect();
    assert_eq!(open_calls, [(call(1002), TicketNumber(1002), at(120.0))]);
    assert_eq!(restored.open_calls[0].caller.as_ref().unwrap().extension.as_ref().unwrap().value.as_str(), "4710");
    assert_eq!(restored.callbacks_due.len(), 1);
    let owed = &restored.callbacks_due[0];
    assert_eq!((owed.ticket, owed.number.clone(), owed.due), (TicketNumber(1001), Extension::new("4710"), at(200.0)));
    assert_eq!(restored.nonce_key, nonce_key);
}

#[tokio::test]
async fn continuity_reaches_back_72_hours() {
    let dir = TempDir::new().unwrap();
    let script = morning();
    let (journal, replay) = Journal::open(&dir.path().join(JOURNAL_DIR), options()).unwrap();
    for record in &script.records {
        journal.append(record);
    }
    let vault = secrets::Vault::open(dir.path()).unwrap();
    let mut connection = sqlite::connect(dir.path()).await.unwrap();
    let restored = restore::restore(&mut connection, &vault, &journal, &replay, at(3_600.0)).await.unwrap();
    assert_eq!(restored.continuity.len(), 1);
    let pair = &restored.continuity[0];
    assert_eq!((pair.analyst.as_str(), pair.at), ("ada", at(60.0)));
    assert_eq!(pair.unit.as_ref().map(|unit| unit.as_str()), Some("4-west"));
    assert_eq!(pair.module.as_ref().map(|module| module.as_str()), Some("charting"));
    assert_eq!(restored.idle_since, [(AnalystId::new("ada"), at(60.0))]);
    let restored = restore::restore(&mut connection, &vault, &journal, &replay, at(80.0 * 3_600.0)).await.unwrap();
    assert!(restored.continuity.is_empty());
}

#[test]
fn a_locked_database_delays_no_append_and_is_caught_up() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(dir.path(), options(), at(130.0)).unwrap();
    let script = morning();
    blocking(|| async {
        let mut other = sqlite::connect(dir.path()).await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        for record in &script.records {
            assert_eq!(store.journal.append(record), Appended::Written);
        }
        until("fdatasync", || store.journal.durable_seq() == script.records.last().unwrap().seq);
        assert_eq!(store.projector.now().stored, Seq(0));
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    })
    .unwrap();
    until("projection", || store.projector.now().stored == script.records.last().unwrap().seq);
}

#[test]
fn the_command_line_sees_the_same_before_and_after_projection() {
    let script = morning();
    let journal_only = TempDir::new().unwrap();
    let (journal, _) = Journal::open(&journal_only.path().join(JOURNAL_DIR), options()).unwrap();
    let half = TempDir::new().unwrap();
    let (second, _) = Journal::open(&half.path().join(JOURNAL_DIR), options()).unwrap();
    for record in &script.records {
        journal.append(record);
        second.append(record);
    }
    let mut seen = Vec::new();
    for dir in [journal_only.path(), half.path()] {
        let text = blocking(|| async {
            if dir == half.path() {
                let mut connection = sqlite::connect(dir).await.unwrap();
                let (first, _) = script.records.split_at(14);
                projection::project(&mut connection, first, Seq(14)).await.unwrap();
            }
            let mut view = open_readonly(dir).await.unwrap();
            assert_eq!(view.journaled, script.records.last().unwrap().seq);
            let list = view.list(&Filter::default()).await.unwrap();
            let one = view.by_number(TicketNumber(1000)).await.unwrap().unwrap();
            let same = view.by_call(call(1000)).await.unwrap().unwrap();
            assert_eq!(one, same);
            assert_eq!(view.records(TicketNumber(1000)).await.unwrap().len(), 9);
            let due = view.callbacks_due().await.unwrap();
            let due: Vec<u64> = due.iter().map(|ticket| ticket.number.0).collect();
            assert_eq!(due, [1001]);
            let report = view.report(Period { from: at(0.0), to: at(1_000.0) }, None).await.unwrap();
            let report = serde_json::to_string(&report).unwrap();
            let zone = TimeZone::UTC;
            format!(
                "{}\n{}\n{report}\n{}",
                render_list(&list, |_| zone.clone()),
                render_ticket(&one, &zone),
                export_csv(&list)
            )
        })
        .unwrap();
        seen.push(text);
    }
    assert_eq!(seen[0], seen[1]);
    let lines: Vec<&str> = seen[0].lines().collect();
    assert_eq!(
        lines[0],
        "1002   2026-11-23 12:02:00 UTC   open          4710      5-EAST               -                -"
    );
    assert_eq!(
        lines[2],
        "1000   2026-11-23 12:00:01 UTC   closed        4710      4-WEST               ada              4.0 s"
    );
}

#[test]
fn filters_choose_tickets() {
    let dir = TempDir::new().unwrap();
    let script = morning();
    let numbers = |filter: Filter| {
        let list = blocking(|| async {
            let mut connection = sqlite::connect(dir.path()).await.unwrap();
            projection::project(&mut connection, &script.records, Seq(99)).await.unwrap();
            SqliteTickets::open(dir.path()).await.unwrap().list(&filter).await.unwrap()
        });
        list.unwrap().iter().map(|ticket| ticket.number.0).collect::<Vec<u64>>()
    };
    assert_eq!(numbers(Filter::default()), [1002, 1001, 1000]);
    assert_eq!(numbers(Filter { limit: Some(1), ..Filter::default() }), [1002]);
    assert_eq!(numbers(Filter { analyst: Some("ada".into()), ..Filter::default() }), [1000]);
    assert_eq!(numbers(Filter { unit: Some("4-west".into()), ..Filter::default() }), [1001, 1000]);
    assert_eq!(numbers(Filter { state: Some(Lifecycle::Open), ..Filter::default() }), [1002]);
    assert_eq!(numbers(Filter { callback_due: true, ..Filter::default() }), [1001]);
    assert_eq!(numbers(Filter { calling: Some("4710".to_owned()), ..Filter::default() }), [1002, 1001, 1000]);
    assert_eq!(numbers(Filter { since: Some(at(50.0)), until: Some(at(110.0)), ..Filter::default() }), [1001]);
    assert_eq!(numbers(Filter { hospital: Some("other".into()), ..Filter::default() }), [0; 0]);
}

#[test]
fn pages_hold_every_ticket_once_though_many_were_opened_in_one_microsecond() {
    let mut script = Script::new();
    for number in 1000..1007 {
        script.open(number, 1.0);
    }
    script.open(1007, 0.5);
    // Only the journal knows that these have ended, the newest and the oldest.
    let stored = script.records.len();
    script.on(1006).ended(9.0, HangupCause::Normal, Party::Caller);
    script.on(1000).ended(9.0, HangupCause::Normal, Party::Caller);
    let dir = TempDir::new().unwrap();
    let (journal, _) = Journal::open(&dir.path().join(JOURNAL_DIR), options()).unwrap();
    for record in &script.records {
        journal.append(record);
    }
    let pages = |size: usize, filter: Filter| {
        let mut numbers = Vec::new();
        blocking(|| async {
            let mut connection = sqlite::connect(dir.path()).await.unwrap();
            projection::project(&mut connection, &script.records[..stored], Seq(stored as u64)).await.unwrap();
            let mut view = open_readonly(dir.path()).await.unwrap();
            view.each(Filter { limit: Some(size), ..filter }, |ticket| numbers.push(ticket.number.0)).await.unwrap();
        })
        .unwrap();
        numbers
    };
    for size in 1..=9 {
        let all: Vec<u64> = (1000..1008).rev().collect();
        assert_eq!(pages(size, Filter::default()), all, "pages of {size}");
        let open = Filter { state: Some(Lifecycle::Open), ..Filter::default() };
        assert_eq!(pages(size, open), [1007, 1005, 1004, 1003, 1002, 1001], "pages of {size}");
    }
}

#[tokio::test]
async fn a_record_that_the_database_refuses_does_not_stop_the_others() {
    let dir = TempDir::new().unwrap();
    let (journal, _) = Journal::open(&dir.path().join(JOURNAL_DIR), options()).unwrap();
    let mut script = morning();
    // Another ticket with the number of a known call: one call can't have two tickets.
    script.push(130.0, Some(call(1000)), Event::CallOpened(opened(1003)));
    script.open(1004, 140.0);
    for record in &script.records {
        journal.append(record);
    }
    let mut connection = sqlite::connect(dir.path()).await.unwrap();
    projector::catch_up(&mut connection, &journal).await.unwrap();
    let last = script.records.last().unwrap().seq;
    assert_eq!(sqlite::position(&mut connection).await.unwrap(), last);
    let tickets = SqliteTickets::open(dir.path()).await.unwrap();
    assert!(tickets.by_number(TicketNumber(1003)).await.unwrap().is_none());
    assert!(tickets.by_number(TicketNumber(1004)).await.unwrap().is_some());
}

#[tokio::test]
async fn passwords_are_kept_as_sealed_ha1s_with_an_audit_line() {
    let dir = TempDir::new().unwrap();
    set_password(dir.path(), "Mufasa", "http-auth@example.org", "Circle of Life", "lead").await.unwrap();
    // RFC 7616 section 3.9.1: user, realm and password of its example; the HA1s were computed with md5sum and sha256sum.
    let found = credentials(dir.path()).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].ha1_md5, "3d78807defe7de2157e2b0b6573a855f");
    assert_eq!(found[0].ha1_sha256, "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232");
    assert_eq!(format!("{:?}", found[0]), "Credential(Mufasa@http-auth@example.org, sealed)");
    let file = std::fs::read(dir.path().join("wardline.db")).unwrap();
    assert!(!String::from_utf8_lossy(&file).contains("3d78807defe7"));
    let mut connection = sqlite::connect(dir.path()).await.unwrap();
    let audit = sqlx::query("SELECT actor, action, object FROM audit").fetch_one(&mut connection).await.unwrap();
    assert_eq!(audit.get::<String, _>("action"), "set-password");
    // Moved to another account, it can't be opened.
    sqlx::query("UPDATE credentials SET account = 'Scar'").execute(&mut connection).await.unwrap();
    assert!(credentials(dir.path()).await.unwrap_err().to_string().contains("cannot be opened"));
}

#[tokio::test]
async fn a_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().unwrap();
    set_password(dir.path(), "ada", "mercy", "secret", "lead").await.unwrap();
    let key = dir.path().join("store.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = credentials(dir.path()).await.unwrap_err().to_string();
    assert!(refused.contains("can be read by others"), "{refused}");
    assert!(set_password(dir.path(), "a:b", "mercy", "secret", "lead").await.is_err());
}

#[test]
fn a_data_directory_lets_only_its_owner_in() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    drop(open(&data, journal::Options::default(), at(130.0)).unwrap());
    let mode = |path: &str| std::fs::metadata(data.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("journal")), (0o700, 0o700));
    assert_eq!((mode("journal/lock"), mode("store.key"), mode("wardline.db")), (0o600, 0o600, 0o600));
    // An admin who lets a backup group in is not overruled.
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o750)).unwrap();
    drop(open(&data, journal::Options::default(), at(130.0)).unwrap());
    assert_eq!(mode(""), 0o750);
}

#[tokio::test]
async fn a_directory_without_a_server_is_said_to_be_none() {
    let dir = TempDir::new().unwrap();
    let refused = open_readonly(dir.path()).await.err().unwrap().to_string();
    assert!(refused.contains("is not a data directory"), "{refused}");
}

#[test]
fn csv_runs_no_formula() {
    let mut script = Script::new();
    let calling = "=HYPERLINK(\"x\")".to_owned();
    script.push(0.0, Some(call(1)), Event::CallOpened(CallOpened { calling, ..opened(1) }));
    let csv = export_csv(&[script.ticket()]);
    assert!(csv.contains(",\"'=HYPERLINK(\"\"x\"\")\","), "{csv}");
    assert_eq!(csv.lines().count(), 2);
}

#[test]
fn a_data_directory_from_before_there_was_a_rehearsal_opens_with_its_figures_and_is_not_live() {
    let (dir, now) = (tempfile::tempdir().unwrap(), at(100.0));
    let mut script = Script::new();
    script.open(1000, 0.0).helped(2.0, 1, "ada").ended(30.0, HangupCause::Normal, Party::Caller);
    let (store, _) = open(dir.path(), journal::Options::default(), now).unwrap();
    for record in &script.records {
        store.journal.append(record);
    }
    drop(store);
    blocking(async || {
        let mut connection = sqlite::connect(dir.path()).await.unwrap();
        for old in [
            "DROP TABLE standings",
            "DROP TABLE confirmations",
            "DELETE FROM _sqlx_migrations WHERE version = 4",
            "UPDATE tickets SET doc = json_remove(doc, '$.rehearsal', '$.targets')",
        ] {
            sqlx::query(old).execute(&mut connection).await.unwrap();
        }
    })
    .unwrap();
    let (store, restored) = open(dir.path(), journal::Options::default(), now).unwrap();
    drop(store);
    assert!(restored.standings.of(&"mercy".into()).is_rehearsal(), "nobody has declared it live");
    let period = Period { from: at(0.0), to: at(60.0) };
    let report =
        blocking(async || open_readonly(dir.path()).await.unwrap().report(period, None).await.unwrap()).unwrap();
    assert_eq!((report.tickets, report.counted), (1, 1), "calls from before count as they did");
}

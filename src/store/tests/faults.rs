//! A store that refuses for a while: nothing is lost, nothing doubled, and the position is exact.

use super::*;
use crate::store::projector::{MAX_BATCH, commit};

/// What happens to a table on the way of a morning's records.
const CHANGES: [(&str, &str); 11] = [
    ("INSERT", "tickets"),
    ("INSERT", "calls"),
    ("INSERT", "events"),
    ("INSERT", "offers"),
    ("INSERT", "callbacks"),
    ("INSERT", "repeats"),
    ("INSERT", "bindings"),
    ("INSERT", "nonces"),
    ("INSERT", "analyst_states"),
    ("INSERT", "nodes"),
    ("UPDATE", "projection"),
];

async fn run(connection: &mut SqliteConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.unwrap();
}

#[tokio::test]
async fn whichever_statement_fails_the_batch_is_undone_and_done_again() {
    let script = morning();
    let (whole, last) = (projected(&script).await, script.records.last().unwrap().seq);
    let (first, rest) = script.records.split_at(14);
    for (change, table) in CHANGES {
        let dir = TempDir::new().unwrap();
        let mut connection = sqlite::connect(dir.path()).await.unwrap();
        commit(&mut connection, first, Seq(14)).await.unwrap();
        let before = dump(&mut connection).await;
        // The first batch holds all that is of the desk, so some of it comes again.
        let batch: Vec<Record> = first.iter().chain(rest).cloned().collect();
        run(
            &mut connection,
            &format!(
                "CREATE TRIGGER broken BEFORE {change} ON {table} BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"
            ),
        )
        .await;
        for _ in 0..2 {
            let refused = commit(&mut connection, &batch, last).await.unwrap_err().to_string();
            assert!(refused.contains("disk I/O error"), "{table}: {refused}");
            assert_eq!(sqlite::position(&mut connection).await.unwrap(), Seq(14), "{table}");
            assert_eq!(dump(&mut connection).await, before, "{table}");
        }
        run(&mut connection, "DROP TRIGGER broken").await;
        assert_eq!(commit(&mut connection, &batch, last).await.unwrap(), 0);
        assert_eq!(dump(&mut connection).await, whole, "{table}");
    }
}

#[tokio::test]
async fn a_full_disk_undoes_the_batch_and_more_space_lets_it_through() {
    let mut script = morning();
    for number in 1100..1400 {
        script.open(number, 200.0).from(200.0, "4-west", "epic");
    }
    let (whole, last) = (projected(&script).await, script.records.last().unwrap().seq);
    let dir = TempDir::new().unwrap();
    let mut connection = sqlite::connect(dir.path()).await.unwrap();
    let empty = dump(&mut connection).await;
    let pages: i64 = sqlx::query("PRAGMA page_count").fetch_one(&mut connection).await.unwrap().get(0);
    run(&mut connection, &format!("PRAGMA max_page_count = {}", pages + 20)).await;
    for _ in 0..3 {
        let refused = commit(&mut connection, &script.records, last).await.unwrap_err().to_string();
        assert!(refused.contains("full"), "{refused}");
        assert_eq!(dump(&mut connection).await, empty);
    }
    run(&mut connection, "PRAGMA max_page_count = 1000000").await;
    assert_eq!(commit(&mut connection, &script.records, last).await.unwrap(), 0);
    assert_eq!(dump(&mut connection).await, whole);
}

#[test]
fn a_store_that_is_gone_for_a_while_is_caught_up_to_the_last_record() {
    let script = morning();
    let last = script.records.last().unwrap().seq;
    let dir = TempDir::new().unwrap();
    let (store, _) = open(dir.path(), options(), at(130.0)).unwrap();
    let change = |sql: &'static str| {
        blocking(|| async { run(&mut sqlite::connect(dir.path()).await.unwrap(), sql).await }).unwrap();
    };
    // Not even the position can be read: every statement of every attempt fails.
    change("ALTER TABLE projection RENAME TO projection_gone");
    let (first, rest) = script.records.split_at(14);
    for record in first {
        assert_eq!(store.journal.append(record), Appended::Written);
    }
    until("the alarm", || store.projector.now().error.is_some());
    for record in rest {
        assert_eq!(store.journal.append(record), Appended::Written);
    }
    assert_eq!(store.projector.now().stored, Seq(0));
    change("ALTER TABLE projection_gone RENAME TO projection");
    until("projection", || store.projector.now().stored == last);
    assert_eq!(store.projector.now(), Projected { stored: last, error: None, skipped: 0 });
    drop(store);
    let dumped = blocking(|| async { dump(&mut sqlite::connect(dir.path()).await.unwrap()).await }).unwrap();
    assert_eq!(dumped, blocking(|| projected(&script)).unwrap());
}

#[tokio::test]
async fn more_rows_than_one_statement_takes_are_written_in_order() {
    let mut script = Script::new();
    for number in 0..150 {
        let object = format!("change {number}");
        let event = Event::Audit { actor: "lead".into(), action: "reload".into(), object, reason: None };
        script.desk(0.0, event);
    }
    let dir = TempDir::new().unwrap();
    let mut connection = sqlite::connect(dir.path()).await.unwrap();
    projection::project(&mut connection, &script.records, Seq(150)).await.unwrap();
    let rows = sqlx::query("SELECT seq, object FROM audit ORDER BY id").fetch_all(&mut connection).await.unwrap();
    let written: Vec<(i64, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let expected: Vec<(i64, String)> = (0..150).map(|number| (number + 1, format!("change {number}"))).collect();
    assert_eq!(written, expected);
    assert!(MAX_BATCH > expected.len());
}

#[tokio::test]
async fn the_journal_is_needed_until_the_write_ahead_log_is_in_the_database_file() {
    let dir = TempDir::new().unwrap();
    let mut connection = sqlite::connect_projector(dir.path()).await.unwrap();
    assert!(sqlite::checkpoint(&mut connection).await.unwrap());
    let mut reader = sqlite::connect(dir.path()).await.unwrap();
    run(&mut reader, "BEGIN; SELECT * FROM projection").await;
    projection::project(&mut connection, &morning().records, Seq(99)).await.unwrap();
    // Somebody still reads what was before: the log's pages may not overwrite it yet.
    assert!(!sqlite::checkpoint(&mut connection).await.unwrap());
    run(&mut reader, "COMMIT").await;
    assert!(sqlite::checkpoint(&mut connection).await.unwrap());
}

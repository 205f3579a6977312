//! Which earlier tickets a call is linked to, and that finding them reads no documents.

use super::*;
use crate::store::projection::MAX_REPEATS;

#[tokio::test]
async fn repeats_are_linked_in_the_store() {
    let dir = TempDir::new().unwrap();
    let mut connection = sqlite::connect(dir.path()).await.unwrap();
    projection::project(&mut connection, &morning().records, Seq(99)).await.unwrap();
    let tickets = SqliteTickets::open(dir.path()).await.unwrap();
    let ticket = tickets.by_number(TicketNumber(1001)).await.unwrap().unwrap();
    let expected = Repeat { earlier: TicketNumber(1000), by: RepeatBy::UnitAndSystem, hours: 0, minutes: 1 };
    assert_eq!(ticket.repeats, [expected]);
    assert_eq!(tickets.by_number(TicketNumber(1002)).await.unwrap().unwrap().repeats, []);
    assert_eq!(tickets.stored().await.unwrap(), Seq(99));
}

/// Calls of one unit, a minute apart; the need of each is settled before the next one opens.
fn busy_unit(calls: u64) -> Script {
    let mut script = Script::new();
    for number in 0..calls {
        let second = number as f64 * 60.0;
        script.open(1000 + number, second).from(second, "4-west", "epic").need(second + 1.0, "charting", "epic");
        script.ended(second + 30.0, HangupCause::Abandoned, Party::Caller);
    }
    script
}

async fn linked(connection: &mut SqliteConnection, ticket: i64) -> Vec<i64> {
    let rows = sqlx::query("SELECT earlier FROM repeats WHERE ticket = ? ORDER BY earlier DESC").bind(ticket);
    rows.fetch_all(connection).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_busy_unit_links_to_the_nearest_calls_and_reads_none_of_their_documents() {
    let dir = TempDir::new().unwrap();
    let mut connection = sqlite::connect(dir.path()).await.unwrap();
    let script = busy_unit(41);
    let last = script.records.iter().position(|record| record.call == Some(call(1040))).unwrap();
    let (earlier, newest) = script.records.split_at(last);
    projection::project(&mut connection, earlier, Seq(last as u64)).await.unwrap();
    // A document that was read would fail to.
    sqlx::query("UPDATE tickets SET doc = 'unreadable'").execute(&mut connection).await.unwrap();
    projection::project(&mut connection, newest, Seq(999)).await.unwrap();
    assert_eq!(MAX_REPEATS, 16);
    assert_eq!(linked(&mut connection, 1040).await, (1024..1040).rev().collect::<Vec<i64>>());
    assert_eq!(linked(&mut connection, 1003).await, [1002, 1001, 1000]);
}

#[tokio::test]
async fn another_system_another_hospital_and_the_fourth_day_are_no_repeats() {
    const DAY_S: f64 = 86_400.0;
    let mut script = Script::new();
    script.open(1000, 0.0).from(0.0, "4-west", "epic");
    script.open(1001, 10.0).from(10.0, "4-west", "lab");
    script.event(20.0, Event::CallOpened(CallOpened { hospital: "lakeside".into(), ..opened(1002) }));
    script.records.last_mut().unwrap().call = Some(call(1002));
    script.on(1002).from(20.0, "4-west", "epic");
    script.open(1003, 3.0 * DAY_S - 1.0).from(3.0 * DAY_S - 1.0, "4-west", "epic");
    script.open(1004, 3.0 * DAY_S).from(3.0 * DAY_S, "4-west", "epic");
    let dir = TempDir::new().unwrap();
    let mut connection = sqlite::connect(dir.path()).await.unwrap();
    projection::project(&mut connection, &script.records, Seq(99)).await.unwrap();
    for (ticket, expected) in [(1001, vec![]), (1002, vec![]), (1003, vec![1000]), (1004, vec![1003])] {
        assert_eq!(linked(&mut connection, ticket).await, expected, "{ticket}");
    }
}

#[tokio::test]
async fn a_key_that_changes_the_system_changes_the_links() {
    let mut script = Script::new();
    script.open(1000, 0.0).from(0.0, "4-west", "epic").open(1001, 10.0).from(10.0, "4-west", "lab");
    // Both are known as what they stand at; then the caller's key says what it is about.
    script.open(1002, 20.0).from(20.0, "4-west", "epic").need(25.0, "samples", "lab");
    let dir = TempDir::new().unwrap();
    let mut connection = sqlite::connect(dir.path()).await.unwrap();
    for record in &script.records {
        projection::project(&mut connection, std::slice::from_ref(record), record.seq).await.unwrap();
    }
    assert_eq!(linked(&mut connection, 1002).await, [1001]);
    assert_eq!(dump(&mut connection).await, projected(&script).await);
}

#[tokio::test]
async fn how_records_are_cut_into_batches_changes_nothing() {
    // Calls of one unit that are up together and learn in another order what they are about.
    let mut script = busy_unit(5);
    script.open(1100, 400.0).from(400.0, "4-west", "epic").open(1101, 401.0).from(401.0, "4-west", "lab");
    script.on(1101).need(402.0, "charting", "epic").on(1100).need(403.0, "samples", "lab");
    script.on(1100).helped(404.0, 1, "ada").on(1101).helped(404.0, 1, "ben");
    script.open(1102, 405.0).from(405.0, "4-west", "lab");
    let whole = projected(&script).await;
    for size in [1, 2, 3, 7, 11] {
        let dir = TempDir::new().unwrap();
        let mut connection = sqlite::connect(dir.path()).await.unwrap();
        for records in script.records.chunks(size) {
            projection::project(&mut connection, records, records.last().unwrap().seq).await.unwrap();
        }
        assert_eq!(dump(&mut connection).await, whole, "{size} records a batch");
    }
}

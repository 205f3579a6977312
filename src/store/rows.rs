//! Rows into tables, many with one statement: a statement costs its way to SQLite's thread and back, a row hardly anything.

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

/// Rows of one statement, the largest that fits first: few enough shapes that each stays prepared.
const ROWS_AT_ONCE: [usize; 4] = [64, 16, 4, 1];

/// How a table takes rows.
pub(super) struct Table {
    /// `INSERT INTO … (columns)`.
    pub insert: &'static str,
    /// What happens to a row that is there already.
    pub conflict: &'static str,
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Text(String),
}

impl From<i64> for Cell {
    fn from(value: i64) -> Cell {
        Cell::Int(value)
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Cell {
        Cell::Int(i64::from(value))
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Cell {
        Cell::Text(value.to_owned())
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Cell {
        Cell::Text(value)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::Null, Into::into)
    }
}

/// Writes `rows` in their order.
pub(super) async fn write<const COLUMNS: usize>(
    connection: &mut SqliteConnection,
    table: &Table,
    rows: Vec<[Cell; COLUMNS]>,
) -> Result<(), sqlx::Error> {
    let mut rows = rows.into_iter();
    for at_once in ROWS_AT_ONCE {
        if rows.len() < at_once {
            continue;
        }
        let row = format!("({})", vec!["?"; COLUMNS].join(", "));
        let sql = format!("{} VALUES {} {}", table.insert, vec![row.as_str(); at_once].join(", "), table.conflict);
        while rows.len() >= at_once {
            let mut statement = sqlx::query(AssertSqlSafe(sql.as_str()));
            for cell in rows.by_ref().take(at_once).flatten() {
                statement = match cell {
                    Cell::Null => statement.bind(None::<i64>),
                    Cell::Int(value) => statement.bind(value),
                    Cell::Text(text) => statement.bind(text),
                };
            }
            statement.execute(&mut *connection).await?;
        }
    }
    Ok(())
}

pub(super) const TICKETS: Table = Table {
    insert: "INSERT INTO tickets (number, call_id, hospital, state, opened_us, ended_us, up, test, calling, extension,
             unit, system, module, person, analyst, disposition, human_us, doc)",
    conflict: "ON CONFLICT (number) DO UPDATE SET state = excluded.state, ended_us = excluded.ended_us,
             up = excluded.up, extension = excluded.extension, unit = excluded.unit, system = excluded.system,
             module = excluded.module, person = excluded.person, analyst = excluded.analyst,
             disposition = excluded.disposition, human_us = excluded.human_us, doc = excluded.doc",
};

pub(super) const CALLS: Table =
    Table { insert: "INSERT INTO calls (call_id, ticket)", conflict: "ON CONFLICT (call_id) DO NOTHING" };

pub(super) const EVENTS: Table = Table {
    insert: "INSERT INTO events (seq, ticket, at_us, kind, line, record)",
    conflict: "ON CONFLICT (seq) DO NOTHING",
};

pub(super) const OFFERS: Table = Table {
    insert: "INSERT INTO offers
             (call_id, offer, ticket, analyst, rung, outside, sent_us, ringing_us, ended_us, outcome)",
    conflict: "ON CONFLICT (call_id, offer) DO UPDATE SET
             ringing_us = excluded.ringing_us, ended_us = excluded.ended_us, outcome = excluded.outcome",
};

pub(super) const CALLBACKS: Table = Table {
    insert: "INSERT INTO callbacks (ticket, hospital, number, due_us, reason, attempts, state)",
    conflict: "ON CONFLICT (ticket) DO UPDATE SET number = excluded.number, due_us = excluded.due_us,
             reason = excluded.reason, attempts = excluded.attempts, state = excluded.state",
};

pub(super) const REPEATS: Table = Table {
    insert: "INSERT INTO repeats (ticket, earlier, by, hours)",
    conflict: "ON CONFLICT (ticket, earlier) DO UPDATE SET by = excluded.by, hours = excluded.hours",
};

pub(super) const AUDIT: Table = Table {
    insert: "INSERT INTO audit (seq, at_us, actor, action, object, reason)",
    conflict: "ON CONFLICT (seq) DO NOTHING",
};

pub(super) const BINDINGS: Table = Table {
    insert: "INSERT INTO bindings (aor, contact, expires_us, doc)",
    conflict: "ON CONFLICT (aor, contact) DO UPDATE SET expires_us = excluded.expires_us, doc = excluded.doc",
};

pub(super) const NONCES: Table = Table {
    insert: "INSERT INTO nonces (nonce, count, expires_us)",
    conflict: "ON CONFLICT (nonce) DO UPDATE SET count = MAX(count, excluded.count)",
};

pub(super) const TALLIES: Table = Table {
    insert: "INSERT INTO tallies (hospital, suspect, forgotten_us, doc)",
    conflict: "ON CONFLICT (hospital, suspect) DO UPDATE SET forgotten_us = excluded.forgotten_us, doc = excluded.doc",
};

pub(super) const ANALYST_STATES: Table = Table {
    insert: "INSERT INTO analyst_states (analyst, state, reason, at_us)",
    conflict: "ON CONFLICT (analyst) DO UPDATE SET
             state = excluded.state, reason = excluded.reason, at_us = excluded.at_us",
};

pub(super) const INCIDENTS: Table =
    Table { insert: "INSERT INTO incidents (id, hospital, opened_us, doc)", conflict: "ON CONFLICT (id) DO NOTHING" };

pub(super) const ATTESTATIONS: Table =
    Table { insert: "INSERT INTO attestations (seq, analyst, at_us, doc)", conflict: "ON CONFLICT (seq) DO NOTHING" };

pub(super) const NODES: Table =
    Table { insert: "INSERT INTO nodes (seq, at_us, kind, version, config)", conflict: "ON CONFLICT (seq) DO NOTHING" };

pub(super) const STANDINGS: Table = Table {
    insert: "INSERT INTO standings (hospital, doc)",
    conflict: "ON CONFLICT (hospital) DO UPDATE SET doc = excluded.doc",
};

pub(super) const CONFIRMATIONS: Table = Table {
    insert: "INSERT INTO confirmations (hospital, item, doc)",
    conflict: "ON CONFLICT (hospital, item) DO UPDATE SET doc = excluded.doc",
};

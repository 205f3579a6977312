-- The projection of the journal. Times are microseconds since 1970 (UTC). `doc` is the whole value as JSON; the columns
-- beside it are what is searched. Everything but credentials and secrets can be made again from the journal.

-- How far the journal is projected: one row, written in the transaction of what it describes.
CREATE TABLE projection (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL
) STRICT;
INSERT INTO projection (id, seq) VALUES (1, 0);

-- One row for each ticket, and so for each accepted INVITE.
CREATE TABLE tickets (
    number         INTEGER PRIMARY KEY,
    call_id        TEXT    NOT NULL UNIQUE,
    hospital       TEXT    NOT NULL,
    state          TEXT    NOT NULL,
    opened_us      INTEGER NOT NULL,
    ended_us       INTEGER,
    up             INTEGER NOT NULL,
    test           INTEGER NOT NULL,
    calling        TEXT    NOT NULL,
    extension      TEXT,
    unit           TEXT,
    system         TEXT,
    module         TEXT,
    person         TEXT,
    analyst        TEXT,
    disposition    TEXT,
    human_us       INTEGER,
    doc            TEXT    NOT NULL
) STRICT;
CREATE INDEX tickets_opened ON tickets (hospital, opened_us);
CREATE INDEX tickets_up ON tickets (up) WHERE up = 1;
CREATE INDEX tickets_unit ON tickets (unit, system, opened_us) WHERE unit IS NOT NULL;
CREATE INDEX tickets_person ON tickets (person, opened_us) WHERE person IS NOT NULL;

-- Which call belongs to which ticket: the caller's own, and those of its callbacks.
CREATE TABLE calls (
    call_id TEXT    PRIMARY KEY,
    ticket  INTEGER NOT NULL REFERENCES tickets (number)
) STRICT;

-- Every record of a call as it was journaled, with its line of the timeline.
CREATE TABLE events (
    seq    INTEGER PRIMARY KEY,
    ticket INTEGER NOT NULL REFERENCES tickets (number),
    at_us  INTEGER NOT NULL,
    kind   TEXT    NOT NULL,
    line   TEXT,
    record TEXT    NOT NULL
) STRICT;
CREATE INDEX events_ticket ON events (ticket, seq);

CREATE TABLE offers (
    call_id    TEXT    NOT NULL,
    offer      INTEGER NOT NULL,
    ticket     INTEGER NOT NULL REFERENCES tickets (number),
    analyst    TEXT    NOT NULL,
    rung       TEXT    NOT NULL,
    outside    INTEGER NOT NULL,
    sent_us    INTEGER NOT NULL,
    ringing_us INTEGER,
    ended_us   INTEGER,
    outcome    TEXT,
    PRIMARY KEY (call_id, offer)
) STRICT;
CREATE INDEX offers_analyst ON offers (analyst, sent_us);

CREATE TABLE callbacks (
    ticket   INTEGER PRIMARY KEY REFERENCES tickets (number),
    hospital TEXT    NOT NULL,
    number   TEXT    NOT NULL,
    due_us   INTEGER NOT NULL,
    reason   TEXT    NOT NULL,
    attempts INTEGER NOT NULL,
    state    TEXT    NOT NULL
) STRICT;
CREATE INDEX callbacks_due ON callbacks (state, due_us);

CREATE TABLE repeats (
    ticket  INTEGER NOT NULL REFERENCES tickets (number),
    earlier INTEGER NOT NULL REFERENCES tickets (number),
    by      TEXT    NOT NULL,
    hours   INTEGER NOT NULL,
    PRIMARY KEY (ticket, earlier)
) STRICT;

-- Who did what to what, and why. `seq` is null for a change made while no journal was open; it stands in the change's
-- own transaction then.
CREATE TABLE audit (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    seq    INTEGER UNIQUE,
    at_us  INTEGER NOT NULL,
    actor  TEXT    NOT NULL,
    action TEXT    NOT NULL,
    object TEXT    NOT NULL,
    reason TEXT
) STRICT;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit table is append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit table is append-only'); END;

CREATE TABLE bindings (
    aor        TEXT    NOT NULL,
    contact    TEXT    NOT NULL,
    expires_us INTEGER NOT NULL,
    doc        TEXT    NOT NULL,
    PRIMARY KEY (aor, contact)
) STRICT;

CREATE TABLE nonces (
    nonce      TEXT    PRIMARY KEY,
    count      INTEGER NOT NULL,
    expires_us INTEGER NOT NULL
) STRICT;

CREATE TABLE analyst_states (
    analyst TEXT    PRIMARY KEY,
    state   TEXT    NOT NULL,
    reason  TEXT,
    at_us   INTEGER NOT NULL
) STRICT;

-- Starts and stops of the server.
CREATE TABLE nodes (
    seq     INTEGER PRIMARY KEY,
    at_us   INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    version TEXT,
    config  TEXT
) STRICT;

-- Digest HA1s of a realm, each sealed under store.key with account, realm and algorithm as associated data.
CREATE TABLE credentials (
    account    TEXT    NOT NULL,
    realm      TEXT    NOT NULL,
    md5        BLOB    NOT NULL,
    sha256     BLOB    NOT NULL,
    changed_us INTEGER NOT NULL,
    PRIMARY KEY (account, realm)
) STRICT;

-- Keys of our own (the nonce key), sealed likewise.
CREATE TABLE secrets (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

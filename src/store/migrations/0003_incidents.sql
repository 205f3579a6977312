-- Known problems that callers are told of; resolved ones stay, so that no number is used twice.
CREATE TABLE incidents (
    id          INTEGER PRIMARY KEY,
    hospital    TEXT    NOT NULL,
    opened_us   INTEGER NOT NULL,
    resolved_us INTEGER,
    resolved_by TEXT,
    doc         TEXT    NOT NULL
) STRICT;
CREATE INDEX incidents_active ON incidents (id) WHERE resolved_us IS NULL;

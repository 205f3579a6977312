-- What was vouched for of analysts' qualifications since the files were written.
CREATE TABLE attestations (
    seq     INTEGER PRIMARY KEY,
    analyst TEXT    NOT NULL,
    at_us   INTEGER NOT NULL,
    doc     TEXT    NOT NULL
) STRICT;

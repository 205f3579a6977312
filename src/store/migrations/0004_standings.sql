-- Which hospitals are live. One that has no row is in rehearsal, whatever calls it had before.
CREATE TABLE standings (
    hospital TEXT PRIMARY KEY,
    doc      TEXT NOT NULL
) STRICT;

-- What people have confirmed before a hospital goes live: the latest word on each item.
CREATE TABLE confirmations (
    hospital TEXT NOT NULL,
    item     TEXT NOT NULL,
    doc      TEXT NOT NULL,
    PRIMARY KEY (hospital, item)
) STRICT;

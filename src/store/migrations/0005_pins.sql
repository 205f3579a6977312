-- HMACs of people's PINs, each sealed under store.key with hospital and person as associated data.
CREATE TABLE pins (
    hospital   TEXT    NOT NULL,
    person     TEXT    NOT NULL,
    tag        BLOB    NOT NULL,
    changed_us INTEGER NOT NULL,
    PRIMARY KEY (hospital, person)
) STRICT;

-- Wrong PINs and badges of people and calling numbers, with their locks. `suspect` is JSON.
CREATE TABLE tallies (
    hospital     TEXT    NOT NULL,
    suspect      TEXT    NOT NULL,
    forgotten_us INTEGER NOT NULL,
    doc          TEXT    NOT NULL,
    PRIMARY KEY (hospital, suspect)
) STRICT;

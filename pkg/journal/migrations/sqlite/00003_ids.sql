-- +goose Up
-- Ids are random: an index of them all has most of its pages written with every
-- commit. Here they come many at a time, when they are not among the newest.
CREATE TABLE ids (
    webhook_id TEXT    NOT NULL, -- its first 64 characters
    delivery   INTEGER NOT NULL, -- sequence of the first one with it
    PRIMARY KEY (webhook_id, delivery)
) WITHOUT ROWID;
INSERT INTO ids SELECT SUBSTR(webhook_id, 1, 64), sequence FROM deliveries WHERE webhook_id <> '' AND duplicate_of IS NULL;

-- Whoever writes deliveries gives them their sequences. AUTOINCREMENT would
-- have one more page written with every commit.
CREATE TABLE numbers (
    given INTEGER NOT NULL -- newest sequence when deliveries were last deleted: none is given twice
);
INSERT INTO numbers SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'deliveries';

CREATE TABLE new_deliveries (
    sequence        INTEGER PRIMARY KEY,
    webhook_id      TEXT    NOT NULL, -- '' where the payload has none
    received_at     TEXT    NOT NULL, -- UTC, such as 2026-01-02T03:04:05.678Z
    method          TEXT    NOT NULL,
    path            TEXT    NOT NULL, -- with the query
    remote          TEXT    NOT NULL,
    headers         TEXT    NOT NULL, -- JSON: [["Name","value"],...]
    body            BLOB    NOT NULL, -- as it came
    cut             BOOLEAN NOT NULL, -- body is only the beginning of what came
    event           TEXT    NOT NULL,
    is_test         BOOLEAN NOT NULL,
    project_id      TEXT    NOT NULL,
    data_mart_id    TEXT    NOT NULL,
    data_mart_title TEXT    NOT NULL,
    run_id          TEXT    NOT NULL,
    run_status      TEXT    NOT NULL,
    valid           BOOLEAN NOT NULL,
    findings        TEXT    NOT NULL, -- JSON
    answered        INTEGER NOT NULL, -- HTTP status
    note            TEXT    NOT NULL,
    duplicate_of    INTEGER           -- sequence of the first delivery with the same webhook_id
);
INSERT INTO new_deliveries SELECT * FROM deliveries;
DROP TABLE deliveries;
ALTER TABLE new_deliveries RENAME TO deliveries;

-- +goose Down
DROP TABLE ids;
DROP TABLE numbers;
CREATE INDEX deliveries_webhook_key ON deliveries (SUBSTR(webhook_id, 1, 6));

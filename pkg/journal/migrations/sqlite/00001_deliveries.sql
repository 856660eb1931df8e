-- +goose Up
CREATE TABLE deliveries (
    sequence        INTEGER PRIMARY KEY AUTOINCREMENT,
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
CREATE INDEX deliveries_webhook_id ON deliveries (webhook_id);
CREATE INDEX deliveries_received_at ON deliveries (received_at);

CREATE TABLE attempts (
    sequence     INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery     INTEGER NOT NULL REFERENCES deliveries (sequence) ON DELETE CASCADE,
    attempted_at TEXT    NOT NULL,
    url          TEXT    NOT NULL,
    ok           BOOLEAN NOT NULL,
    status       INTEGER NOT NULL, -- 0: there was no answer
    duration_ms  REAL    NOT NULL,
    error        TEXT    NOT NULL
);
CREATE INDEX attempts_delivery ON attempts (delivery);

-- +goose Down
DROP TABLE attempts;
DROP TABLE deliveries;

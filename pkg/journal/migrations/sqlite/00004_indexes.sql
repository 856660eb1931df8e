-- +goose Up
CREATE TABLE new_deliveries (
    sequence        INTEGER PRIMARY KEY AUTOINCREMENT, -- none is given twice
    webhook_id      TEXT    NOT NULL, -- '' where the payload has none
    received_at     TEXT    NOT NULL, -- UTC, such as 2026-01-02T03:04:05.678Z
    method          TEXT    NOT NULL,
    path            TEXT    NOT NULL, -- with the query
    remote          TEXT    NOT NULL,
    headers         TEXT    NOT NULL, -- JSON: [["Name","value"],...]
    event           TEXT    NOT NULL,
    is_test         BOOLEAN NOT NULL,
    project_id      TEXT    NOT NULL,
    data_mart_id    TEXT    NOT NULL,
    data_mart_title TEXT    NOT NULL,
    run_id          TEXT    NOT NULL,
    run_status      TEXT    NOT NULL,
    valid           BOOLEAN NOT NULL, -- no finding is an error
    state           TEXT    NOT NULL, -- valid, invalid or gone: the sender hung up before the answer
    answered        INTEGER NOT NULL, -- HTTP status; 0: nobody waited for it
    delivered       BOOLEAN NOT NULL, -- an attempt at it was a success
    duplicate_of    INTEGER,          -- sequence of the first one with its webhook_id, which may be pruned by now
    same_run_as     INTEGER,          -- sequence of the first one of its event and run, under another webhook_id
    findings        TEXT    NOT NULL, -- JSON
    cut             BOOLEAN NOT NULL, -- body is only the beginning of what came
    body            BLOB    NOT NULL  -- as it came
);

-- Requests that were refused are not deliveries.
CREATE TABLE refused (
    sequence    INTEGER PRIMARY KEY,
    received_at TEXT    NOT NULL,
    method      TEXT    NOT NULL,
    path        TEXT    NOT NULL,
    remote      TEXT    NOT NULL,
    headers     TEXT    NOT NULL,
    answered    INTEGER NOT NULL,
    reason      TEXT    NOT NULL, -- address, path, method, compressed, size, slow or incomplete
    detail      TEXT    NOT NULL, -- of the reason: the right path, the limit, ...
    cut         BOOLEAN NOT NULL,
    body        BLOB    NOT NULL  -- at most its first 4 KiB
);

-- Until now a sentence said why a request was refused, or its answer and
-- findings did.
INSERT INTO refused
SELECT sequence, received_at, method, path, remote, headers, answered, reason,
    CASE reason
        WHEN 'path' THEN SUBSTR(note, INSTR(note, ' is not ') + 8)
        WHEN 'size' THEN REPLACE(SUBSTR(note, 38), ' bytes', '')
        WHEN 'incomplete' THEN SUBSTR(note, 32)
        WHEN 'compressed' THEN COALESCE((SELECT value ->> 1 FROM json_each(headers) WHERE LOWER(value ->> 0) = 'content-encoding' LIMIT 1), '')
        ELSE ''
    END,
    cut OR LENGTH(body) > 4096, COALESCE(SUBSTR(body, 1, 4096), X'')
FROM (
    SELECT *, CASE
        WHEN answered = 403 AND note LIKE 'address % is not allowed' THEN 'address'
        WHEN answered = 404 AND note LIKE 'path % is not %' THEN 'path'
        WHEN answered = 413 AND note LIKE 'the body is larger than the limit of % bytes' THEN 'size'
        WHEN answered = 408 AND note = 'the body did not arrive in time' THEN 'slow'
        WHEN answered = 400 AND note LIKE 'the body did not arrive whole: %' THEN 'incomplete'
        WHEN answered = 405 AND method <> 'POST' THEN 'method'
        WHEN answered = 415 AND LOWER(headers) LIKE '%["content-encoding","%' THEN 'compressed'
    END AS reason
    FROM deliveries
)
WHERE reason IS NOT NULL;

INSERT INTO new_deliveries
SELECT sequence, webhook_id, received_at, method, path, remote, headers, event, is_test, project_id, data_mart_id, data_mart_title,
    run_id, run_status, valid,
    CASE WHEN answered = 0 OR note = 'the sender hung up before the answer' THEN 'gone' WHEN valid THEN 'valid' ELSE 'invalid' END,
    answered, EXISTS (SELECT 1 FROM attempts WHERE delivery = deliveries.sequence AND ok), duplicate_of, NULL, findings, cut, body
FROM deliveries
WHERE sequence NOT IN (SELECT sequence FROM refused);

DELETE FROM attempts WHERE delivery IN (SELECT sequence FROM refused);
DELETE FROM refused WHERE sequence NOT IN (SELECT sequence FROM refused ORDER BY sequence DESC LIMIT 1000);
UPDATE refused SET sequence = (SELECT COUNT(*) FROM refused AS other WHERE other.sequence <= refused.sequence);

-- No number is given again, not even that of a request that was refused.
DELETE FROM sqlite_sequence WHERE name = 'new_deliveries';
INSERT INTO sqlite_sequence (name, seq)
SELECT 'new_deliveries', MAX(given) FROM (SELECT given FROM numbers UNION ALL SELECT MAX(sequence) FROM deliveries);

DROP TABLE ids;
DROP TABLE numbers;
DROP TABLE deliveries;
ALTER TABLE new_deliveries RENAME TO deliveries;

-- One for each question, in the order that the answers are listed in.
CREATE INDEX deliveries_webhook_id ON deliveries (webhook_id, sequence);
CREATE INDEX deliveries_run ON deliveries (run_id, event, sequence);
CREATE INDEX deliveries_received_at ON deliveries (received_at, sequence);
CREATE INDEX deliveries_data_mart_id ON deliveries (data_mart_id, sequence);
CREATE INDEX deliveries_data_mart_title ON deliveries (data_mart_title, sequence);
CREATE INDEX deliveries_event ON deliveries (event, sequence);
CREATE INDEX deliveries_invalid ON deliveries (valid, sequence) WHERE valid = FALSE;
CREATE INDEX deliveries_test ON deliveries (is_test, sequence) WHERE is_test = TRUE;
CREATE INDEX deliveries_undelivered ON deliveries (delivered, sequence) WHERE delivered = FALSE;

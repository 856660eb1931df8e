-- +goose Up
-- Until now all targets had one cursor, ''. Processes with other targets moved
-- it past what was not theirs.
ALTER TABLE relay_cursors ADD COLUMN began BIGINT NOT NULL DEFAULT 0; -- the delivery after which the target began; sequence: up to which there are jobs for it
UPDATE relay_cursors SET began = sequence;
UPDATE relay_cursors SET sequence = (SELECT common.sequence FROM relay_cursors AS common WHERE common.name = '')
WHERE sequence < (SELECT common.sequence FROM relay_cursors AS common WHERE common.name = '');
DELETE FROM relay_cursors WHERE name = '';

-- +goose Down
INSERT INTO relay_cursors (name, sequence) SELECT '', COALESCE(MIN(sequence), 0) FROM relay_cursors;
UPDATE relay_cursors SET sequence = began WHERE name <> '';
ALTER TABLE relay_cursors DROP COLUMN began;

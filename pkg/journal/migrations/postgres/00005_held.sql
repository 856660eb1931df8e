-- +goose Up
ALTER TABLE attempts ADD COLUMN target TEXT NOT NULL DEFAULT ''; -- of a relay; '' for replay and --forward-to

-- Deliveries that are not deleted to make room, because a relay needs them.
CREATE TABLE held (
    first_sequence BIGINT NOT NULL PRIMARY KEY,
    last_sequence  BIGINT NOT NULL
);

-- +goose Down
DROP TABLE held;
ALTER TABLE attempts DROP COLUMN target;

-- +goose Up
CREATE TABLE relay_cursors (
    name     TEXT   NOT NULL PRIMARY KEY, -- of a target; '' is the relay itself
    sequence BIGINT NOT NULL              -- of the delivery after which the target began; up to which there are jobs
);

-- Deliveries that become one message.
CREATE TABLE relay_windows (
    target         TEXT    NOT NULL,
    first_sequence BIGINT  NOT NULL,
    last_sequence  BIGINT  NOT NULL,
    grouped_by     TEXT    NOT NULL, -- what its deliveries have in common; '' is nothing
    closed         BOOLEAN NOT NULL, -- takes no more deliveries
    PRIMARY KEY (target, first_sequence)
);

-- +goose Down
DROP TABLE relay_windows;
DROP TABLE relay_cursors;

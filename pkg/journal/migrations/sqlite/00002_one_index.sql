-- +goose Up
-- It cost every delivery more than it saved the few that look for a time.
DROP INDEX deliveries_received_at;

-- +goose Down
CREATE INDEX deliveries_received_at ON deliveries (received_at);

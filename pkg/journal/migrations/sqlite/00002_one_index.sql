-- +goose Up
-- It cost every delivery more than it saved the few that look for a time.
DROP INDEX deliveries_received_at;
-- The beginning of an id tells them apart as well, on a third of the pages.
DROP INDEX deliveries_webhook_id;
CREATE INDEX deliveries_webhook_key ON deliveries (SUBSTR(webhook_id, 1, 6));

-- +goose Down
DROP INDEX deliveries_webhook_key;
CREATE INDEX deliveries_webhook_id ON deliveries (webhook_id);
CREATE INDEX deliveries_received_at ON deliveries (received_at);

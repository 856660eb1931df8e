-- +goose Up
-- What conditions took before they were changed does not tell what the target had.
ALTER TABLE relay_cursors ADD COLUMN conditions TEXT NOT NULL DEFAULT ''; -- of the target, as JSON; began: after which delivery it has had them

-- +goose Down
ALTER TABLE relay_cursors DROP COLUMN conditions;

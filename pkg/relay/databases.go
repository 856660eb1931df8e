package relay

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"github.com/owoxhook/owoxhook/pkg/journal"
)

// queueOptions configure a queue.
type queueOptions struct {
	lanes  []lane
	finish time.Duration    // of the time to finish what is under way
	now    func() time.Time // nil: the time of this machine, and of the database
	log    *slog.Logger
}

// newQueue returns the queue in the database of a journal.
func newQueue(ctx context.Context, j *journal.Journal, options queueOptions) (queue, error) {
	if pool := j.Pool(); pool != nil {
		return postgresQueue(ctx, j.DB(), pool, options)
	}
	return sqliteQueue(ctx, j.DB(), options)
}

// sqliteQueue returns the queue in an SQLite database, over one connection that
// writes. Its commits are not synced: what a power cut takes back is done
// again, and the journal, whose commits are synced, has it all.
func sqliteQueue(ctx context.Context, db *sql.DB, options queueOptions) (queue, error) {
	if _, err := db.ExecContext(ctx, "PRAGMA synchronous = NORMAL"); err != nil {
		return nil, err
	}
	start := func(ctx context.Context) (transaction[*sql.Tx], error) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return transaction[*sql.Tx]{}, err
		}
		return transaction[*sql.Tx]{tx, func(query string, args ...any) (int64, error) {
			result, err := tx.ExecContext(ctx, query, args...)
			if err != nil {
				return 0, err
			}
			return result.RowsAffected()
		}, tx.Commit, func() { _ = tx.Rollback() }}, nil
	}
	q := &riverQueue[*sql.Tx]{db: db, driver: riversqlite.New(db), start: start, queueOptions: options}
	return q, newRiver(ctx, q, goose.DialectSQLite3)
}

// postgresQueue returns the queue in a PostgreSQL database.
func postgresQueue(ctx context.Context, db *sql.DB, pool *pgxpool.Pool, options queueOptions) (queue, error) {
	start := func(ctx context.Context) (transaction[pgx.Tx], error) {
		tx, err := pool.Begin(ctx)
		if err != nil {
			return transaction[pgx.Tx]{}, err
		}
		return transaction[pgx.Tx]{tx, func(query string, args ...any) (int64, error) {
			tag, err := tx.Exec(ctx, query, args...)
			return tag.RowsAffected(), err
		}, func() error { return tx.Commit(ctx) }, func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }}, nil
	}
	q := &riverQueue[pgx.Tx]{db: db, driver: riverpgxv5.New(pool), start: start, unlocked: "FOR UPDATE SKIP LOCKED", queueOptions: options}
	return q, newRiver(ctx, q, goose.DialectPostgres)
}

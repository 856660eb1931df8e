package relay

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/owoxhook/owoxhook/pkg/journal"
)

//go:embed migrations
var migrations embed.FS

// riverQueue is a queue of River. Tx is what its driver calls a transaction.
type riverQueue[Tx any] struct {
	queueOptions
	db     *sql.DB // the same database
	driver riverdriver.Driver[Tx]
	start  func(ctx context.Context) (transaction[Tx], error)

	unlocked string // chooses rows that nobody else changes at the moment, and keeps it so

	client *river.Client[Tx]
	do     func(context.Context, claim) verdict // set before jobs are worked
}

// transaction is one of a driver.
type transaction[Tx any] struct {
	raw      Tx
	exec     func(query string, args ...any) (rows int64, err error)
	commit   func() error
	rollback func()
}

// lane is how jobs of a target are done.
type lane struct {
	target string
	side   int           // at a time
	poll   time.Duration // between two looks for jobs that are due
	limit  time.Duration // of the time of one
}

// River's own time limits. A process that is killed leaves jobs behind that
// others must not do until they are surely nobody's.
const (
	rescueAfter  = time.Minute
	fetchPause   = 10 * time.Millisecond
	retention    = 24 * time.Hour // of jobs that are done
	manyAttempts = 1000           // the schedule ends long before; one more has what somebody had tried again
)

func newRiver[Tx any](ctx context.Context, q *riverQueue[Tx], dialect goose.Dialect) error {
	if err := q.migrate(ctx, dialect); err != nil {
		return err
	}
	workers := river.NewWorkers()
	longest := rescueAfter / 2
	config := &river.Config{
		Workers: workers, Logger: q.log, FetchCooldown: fetchPause, SoftStopTimeout: q.finish, MaxAttempts: manyAttempts,
		CompletedJobRetentionPeriod: retention, CancelledJobRetentionPeriod: -1, DiscardedJobRetentionPeriod: -1,
	}
	if q.now == nil {
		q.now = time.Now
	} else {
		config.Test.Time = clock(q.now)
	}
	for _, l := range q.lanes {
		if config.Queues == nil {
			config.Queues = map[string]river.QueueConfig{}
		}
		config.Queues[l.target] = river.QueueConfig{MaxWorkers: l.side, FetchPollInterval: l.poll}
		longest = max(longest, l.limit)
	}
	config.JobTimeout, config.RescueStuckJobsAfter = longest, longest+rescueAfter/2
	river.AddWorker(workers, &worker{now: q.now, do: func(ctx context.Context, c claim) verdict { return q.do(ctx, c) }})
	var err error
	q.client, err = river.NewClient(q.driver, config)
	return err
}

// migrate brings River's tables and our own up to date. Another process may do
// so at the same moment: then a later look finds them so.
func (q *riverQueue[Tx]) migrate(ctx context.Context, dialect goose.Dialect) (err error) {
	migrator, err := rivermigrate.New(q.driver, &rivermigrate.Config{Logger: q.log})
	if err != nil {
		return err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	own, err := goose.NewProvider(dialect, q.db, files, goose.WithTableName("relay_version"))
	if err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		if _, err = own.Up(ctx); err == nil {
			_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		}
		if err == nil || attempt == 5 || ctx.Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond << attempt)
	}
}

// jobArgs are what River keeps of a job.
type jobArgs struct {
	Sequence int64  `json:"sequence"`
	Key      string `json:"key,omitempty"`
	Window   bool   `json:"window,omitempty"`

	next time.Time // when it is to be tried again
}

// clock is a clock of a test's.
type clock func() time.Time

// Now returns what the clock shows.
func (c clock) Now() time.Time { return c() }

// NowOrNil has the database use this clock, and not its own.
func (c clock) NowOrNil() *time.Time {
	now := c()
	return &now
}

const jobKind = "owoxhook_delivery"

// Kind is River's name of the kind of job.
func (jobArgs) Kind() string { return jobKind }

type worker struct {
	river.WorkerDefaults[jobArgs]
	now func() time.Time
	do  func(context.Context, claim) verdict
}

// Work does a job and says it River's way.
func (w *worker) Work(ctx context.Context, j *river.Job[jobArgs]) error {
	c := claim{
		id: j.ID, target: j.Queue, sequence: j.Args.Sequence, key: j.Args.Key, window: j.Args.Window, attempt: j.Attempt, since: j.CreatedAt,
	}
	if j.Attempt == 1 && j.MaxAttempts > manyAttempts {
		c.retried = j.CreatedAt
	}
	v := w.do(ctx, c)
	switch v.fate {
	case failed:
		j.Args.next = w.now().Add(v.wait)
		return errors.New(v.reason)
	case later:
		return river.JobSnooze(max(0, v.wait))
	case givenUp:
		return river.JobCancel(errors.New(v.reason))
	default:
		return nil
	}
}

// NextRetry returns what Work has decided. Of what a process left behind that
// was killed nobody knows that it failed: it is tried at once.
func (w *worker) NextRetry(j *river.Job[jobArgs]) time.Time {
	if j.Args.next.IsZero() {
		return w.now()
	}
	return j.Args.next
}

func (q *riverQueue[Tx]) work(ctx context.Context, do func(context.Context, claim) verdict) error {
	q.do = do
	for err := q.client.Start(context.WithoutCancel(ctx)); err != nil; err = q.client.Start(context.WithoutCancel(ctx)) {
		q.log.Warn("Client: cannot start", "err", err) // the database may be gone just then
		if !sleep(ctx, errorPause) {
			return nil
		}
	}
	<-ctx.Done()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), q.finish+stopMargin)
	defer cancel()
	if err := q.client.Stop(stopping); err != nil {
		return fmt.Errorf("stop the queue: %w: what was under way is done again", err)
	}
	return nil
}

// stopMargin is for a database that does not answer.
const stopMargin = 10 * time.Second

func (q *riverQueue[Tx]) begin(ctx context.Context, newest int64, conditions map[string]string) error {
	for name, has := range conditions {
		_, err := q.db.ExecContext(ctx, `INSERT INTO relay_cursors (name, sequence, began, conditions) VALUES ($1, $2, $2, $3)
			ON CONFLICT (name) DO UPDATE SET conditions = $3, began = CASE WHEN relay_cursors.conditions = '' THEN relay_cursors.began ELSE relay_cursors.sequence END
			WHERE relay_cursors.conditions <> $3`, name, newest, has)
		if err != nil {
			return err
		}
	}
	return nil
}

func (q *riverQueue[Tx]) cursors(ctx context.Context) (map[string]cursor, error) {
	all := map[string]cursor{}
	rows, err := q.db.QueryContext(ctx, "SELECT name, began, sequence FROM relay_cursors")
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		var name string
		var c cursor
		if err := rows.Scan(&name, &c.began, &c.at); err != nil {
			return nil, err
		}
		all[name] = c
	}
	return all, rows.Err()
}

func (q *riverQueue[Tx]) advance(ctx context.Context, targets []string, from, to int64, jobs []job) (moved bool, err error) {
	tx, err := q.start(ctx)
	if err != nil {
		return false, err
	}
	defer tx.rollback()                                          // does nothing after the commit
	for _, name := range slices.Sorted(slices.Values(targets)) { // in one order, or two processes could wait for each other
		rows, err := tx.exec("UPDATE relay_cursors SET sequence = $1 WHERE name = $2 AND sequence = $3", to, name, from)
		if err != nil || rows == 0 {
			return false, err
		}
	}
	var params []river.InsertManyParams
	for _, j := range jobs {
		options := &river.InsertOpts{Queue: j.target}
		if j.group > 0 {
			opened, err := joinWindow(tx, j)
			if err != nil {
				return false, err
			}
			if !opened {
				continue
			}
			options.ScheduledAt = q.now().Add(j.group)
		}
		params = append(params, river.InsertManyParams{Args: jobArgs{Sequence: j.sequence, Key: j.key, Window: j.group > 0}, InsertOpts: options})
	}
	if len(params) > 0 {
		if _, err := q.client.InsertManyFastTx(ctx, tx.raw, params); err != nil {
			return false, err
		}
	}
	return true, tx.commit()
}

// joinWindow adds a delivery to the open window of its target, or opens one.
func joinWindow[Tx any](tx transaction[Tx], j job) (opened bool, err error) {
	rows, err := tx.exec("UPDATE relay_windows SET last_sequence = $1 WHERE target = $2 AND grouped_by = $3 AND closed = FALSE", j.sequence, j.target, j.common)
	if err != nil || rows > 0 {
		return false, err
	}
	_, err = tx.exec("INSERT INTO relay_windows (target, first_sequence, last_sequence, grouped_by, closed) VALUES ($1, $2, $2, $3, FALSE)", j.target, j.sequence, j.common)
	return err == nil, err
}

func (q *riverQueue[Tx]) close(ctx context.Context, c claim) (w window, err error) {
	err = q.db.QueryRowContext(ctx, `UPDATE relay_windows SET closed = TRUE WHERE target = $1 AND first_sequence = $2
		RETURNING first_sequence, last_sequence, grouped_by`, c.target, c.sequence).Scan(&w.first, &w.last, &w.common)
	if errors.Is(err, sql.ErrNoRows) {
		return w, errPruned
	}
	return w, err
}

func (q *riverQueue[Tx]) ahead(ctx context.Context, c claim) (first standing, found bool, err error) {
	err = q.db.QueryRowContext(ctx, `SELECT id FROM river_job WHERE queue = $1 AND state IN ('available', 'retryable', 'running', 'scheduled')
		AND id < $2 AND args->>'key' = $3 ORDER BY id LIMIT 1`, c.target, c.id, c.key).Scan(&first.id)
	if errors.Is(err, sql.ErrNoRows) {
		return first, false, nil
	}
	if err != nil {
		return first, false, err
	}
	row, err := q.client.JobGet(ctx, first.id)
	if errors.Is(err, rivertype.ErrNotFound) {
		return first, true, nil // it was dropped just now, and there may be another one
	}
	if err != nil {
		return first, false, err
	}
	first.atHand, first.next = row.State == rivertype.JobStateRunning, row.ScheduledAt
	return first, true, nil
}

// forward makes their times those of their ids: River takes the earliest first.
func (q *riverQueue[Tx]) forward(ctx context.Context, c claim, first standing) error {
	const statement = `UPDATE river_job SET state = 'available', scheduled_at = created_at WHERE state IN ('available', 'retryable', 'scheduled')
		AND id IN (SELECT id FROM river_job WHERE queue = $1 AND state IN ('available', 'retryable', 'scheduled') AND (state <> 'retryable' OR id = $2)
			AND scheduled_at > created_at AND id < $3 AND args->>'key' = $4 ORDER BY id LIMIT $5 `
	_, err := q.db.ExecContext(ctx, statement+q.unlocked+")", c.target, first.id, c.id, c.key, maxForward)
	return err
}

// maxForward is how many jobs go forward at once.
const maxForward = 1000

func (q *riverQueue[Tx]) oldest(ctx context.Context) (sequence int64, err error) {
	var oldest sql.NullInt64 // jobs of a target are in the order of their deliveries
	err = q.db.QueryRowContext(ctx, "SELECT MIN(CAST(args->>'sequence' AS BIGINT)) FROM river_job WHERE id IN (SELECT MIN(id) FROM river_job WHERE "+unfinished+" GROUP BY queue)").Scan(&oldest)
	return oldest.Int64, err
}

func (q *riverQueue[Tx]) spared(ctx context.Context) (all []journal.Range, err error) {
	rows, err := q.db.QueryContext(ctx, `SELECT given_up.sequence, COALESCE(MAX(last_sequence), given_up.sequence)
		FROM (SELECT queue, CAST(args->>'sequence' AS BIGINT) AS sequence FROM river_job WHERE `+givenUpStates+` ORDER BY id DESC LIMIT $1) AS given_up
		LEFT JOIN relay_windows ON target = queue AND first_sequence = given_up.sequence
		GROUP BY given_up.sequence ORDER BY given_up.sequence`, maxSpared)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		var r journal.Range
		if err := rows.Scan(&r.First, &r.Last); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// maxSpared is how many of the jobs that were given up keep their deliveries, the
// newest.
const maxSpared = 10_000

func (q *riverQueue[Tx]) tidy(ctx context.Context, before int64) error {
	_, err := q.db.ExecContext(ctx, "DELETE FROM relay_windows WHERE closed = TRUE AND last_sequence < $1", before)
	return err
}

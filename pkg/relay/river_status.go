package relay

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// These are River's states, as ours.
const (
	waitingStates = "state IN ('available', 'pending', 'retryable', 'scheduled')"
	givenUpStates = "state IN ('cancelled', 'discarded')"
	openStates    = "state IN ('available', 'cancelled', 'discarded', 'pending', 'retryable', 'scheduled')"
	unfinished    = "state IN ('available', 'pending', 'retryable', 'running', 'scheduled')"
)

func stateOf(s rivertype.JobState) State {
	switch s {
	case rivertype.JobStateRunning:
		return Delivering
	case rivertype.JobStateCompleted:
		return Delivered
	case rivertype.JobStateCancelled, rivertype.JobStateDiscarded:
		return GivenUp
	default:
		return Waiting
	}
}

func (q *riverQueue[Tx]) status(ctx context.Context) ([]Status, error) {
	all, err := q.counts(ctx)
	for i := range all {
		if err == nil && all[i].Waiting > 0 {
			err = q.times(ctx, &all[i])
		}
	}
	return all, err
}

// counts returns the targets that there are, or were, and how many jobs each
// has, in the order of their names.
func (q *riverQueue[Tx]) counts(ctx context.Context) (all []Status, err error) {
	rows, err := q.db.QueryContext(ctx, `SELECT name, NULL, 0 FROM relay_cursors
		UNION ALL SELECT queue, CAST(state AS TEXT), COUNT(*) FROM river_job GROUP BY state, queue ORDER BY 1`) // in the order of an index
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		var name string
		var state sql.NullString
		var n int
		if err := rows.Scan(&name, &state, &n); err != nil {
			return nil, err
		}
		if len(all) == 0 || all[len(all)-1].Target != name {
			all = append(all, Status{Target: name})
		}
		s := &all[len(all)-1]
		if state.Valid {
			*map[State]*int{Waiting: &s.Waiting, Delivering: &s.Delivering, Delivered: &s.Delivered, GivenUp: &s.GivenUp}[stateOf(rivertype.JobState(state.String))] += n
		}
	}
	return all, rows.Err()
}

func (q *riverQueue[Tx]) times(ctx context.Context, s *Status) error {
	waiting := river.NewJobListParams().Queues(s.Target).States(rivertype.JobStateAvailable, rivertype.JobStateRetryable, rivertype.JobStateScheduled).First(1)
	first, err := q.client.JobList(ctx, waiting.OrderBy(river.JobListOrderByID, river.SortOrderAsc))
	if err != nil {
		return err
	}
	next, err := q.client.JobList(ctx, waiting.OrderBy(river.JobListOrderByScheduledAt, river.SortOrderAsc))
	if err != nil {
		return err
	}
	if len(first.Jobs) > 0 && len(next.Jobs) > 0 { // they may be gone by now
		s.Oldest, s.Next = first.Jobs[0].CreatedAt, next.Jobs[0].ScheduledAt
	}
	return nil
}

// conditions returns the SQL that chooses jobs which are not done or under way.
func (s Selection) conditions() (where string, args []any) {
	parts := []string{"kind || '' = '" + jobKind + "'", openStates} // all have that kind: its index is of no use
	add := func(part string, value any) {
		args = append(args, value)
		parts = append(parts, part+" = $"+strconv.Itoa(len(args)))
	}
	switch {
	case s.GivenUp:
		parts[1] = givenUpStates
	case s.Waiting:
		parts[1] = waitingStates
	}
	if s.Target != "" {
		add("queue", s.Target)
	}
	if s.Sequence != 0 {
		add("CAST(args->>'sequence' AS BIGINT)", s.Sequence)
	}
	return strings.Join(parts, " AND "), args
}

func (q *riverQueue[Tx]) jobs(ctx context.Context, which Selection, limit int) (all []Job, err error) {
	where, args := which.conditions()
	rows, err := q.db.QueryContext(ctx, "SELECT id FROM river_job WHERE "+where+" ORDER BY id LIMIT "+strconv.Itoa(limit), args...) //nolint:gosec // of our own texts
	if err != nil {
		return nil, err
	}
	var ids []int64
	for rows.Next() && err == nil {
		ids = append(ids, 0)
		err = rows.Scan(&ids[len(ids)-1])
	}
	if err = errors.Join(err, rows.Err(), rows.Close()); err != nil || len(ids) == 0 {
		return nil, err
	}
	found, err := q.client.JobList(ctx, river.NewJobListParams().IDs(ids...).First(len(ids)).OrderBy(river.JobListOrderByID, river.SortOrderAsc))
	if err != nil {
		return nil, err
	}
	for _, row := range found.Jobs {
		j := Job{Target: row.Queue, State: stateOf(row.State), Attempts: row.Attempt, Added: row.CreatedAt, Next: row.ScheduledAt}
		var args jobArgs
		if err := json.Unmarshal(row.EncodedArgs, &args); err != nil {
			return nil, err
		}
		j.Sequence = args.Sequence
		if n := len(row.Errors); n > 0 {
			j.Error = ourWords.Replace(strings.TrimPrefix(row.Errors[n-1].Error, "JobCancelError: ")) // River's word
		}
		all = append(all, j)
	}
	return all, nil
}

// again has jobs done as if they were new, but for the mark.
func (q *riverQueue[Tx]) again(ctx context.Context, which Selection) (int, error) {
	return q.change(ctx, `UPDATE river_job SET state = 'available', attempt = 0, attempted_at = NULL, finalized_at = NULL, errors = NULL, max_attempts = `+
		strconv.Itoa(manyAttempts+1)+`, created_at = CURRENT_TIMESTAMP, scheduled_at = CURRENT_TIMESTAMP WHERE `, which)
}

func (q *riverQueue[Tx]) drop(ctx context.Context, which Selection) (int, error) {
	return q.change(ctx, "DELETE FROM river_job WHERE ", which)
}

func (q *riverQueue[Tx]) change(ctx context.Context, statement string, which Selection) (int, error) {
	where, args := which.conditions()
	result, err := q.db.ExecContext(ctx, statement+where, args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	if err == nil && n > 0 {
		err = q.look(ctx, which.Target)
	}
	return int(n), err
}

// look has ordered jobs look again whether it is their turn: what they waited for
// may be gone, or done sooner than they know. Those at hand may have looked before
// and be put off only now.
func (q *riverQueue[Tx]) look(ctx context.Context, target string) error {
	const ordered = "args->>'key' <> '' AND $1 IN (queue, '')"
	const statement = `UPDATE river_job SET state = 'available', scheduled_at = created_at WHERE state = 'scheduled'
		AND id IN (SELECT id FROM river_job WHERE state = 'scheduled' AND ` + ordered + ` ORDER BY id `
	for range maxLooks {
		if _, err := q.db.ExecContext(ctx, statement+q.unlocked+")", target); err != nil {
			return err
		}
		atHand := 0
		err := q.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM river_job WHERE state = 'running' AND "+ordered, target).Scan(&atHand)
		if err != nil || atHand == 0 || !sleep(ctx, lookPause) {
			return err
		}
	}
	return nil
}

// River writes within a quarter of a second what becomes of a job.
const (
	maxLooks  = 4
	lookPause = 500 * time.Millisecond
)

package journal

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

// recorder remembers every query: all of them are rebound.
type recorder struct {
	database
	mu      sync.Mutex
	queries []string
}

func (r *recorder) rebind(query string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queries = append(r.queries, query)
	return r.database.rebind(query)
}

// plan returns the steps that a query takes.
func plan(t *testing.T, j *Journal, query string) []string {
	t.Helper()
	rows, err := j.conn.QueryContext(context.Background(), "EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close() //nolint:errcheck // Err tells
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}

// Whatever is asked, no query looks through all deliveries or sorts them,
// except for one that wants them all, or the newest, in their order.
func TestQueriesUseIndexes(t *testing.T) {
	filters := map[string]Filter{
		"event": {Event: owox.RunFailed}, "invalid": {Invalid: true}, "test": {Test: true}, "id of a data mart": {DataMart: sample(0).DataMartID},
		"title": {DataMart: sample(0).Title}, "since": {Since: start}, "id": {ID: "a"}, "sequence": {Sequence: 1}, "undelivered": {Undelivered: true},
		"event and since": {Event: owox.RunFailed, Since: start}, "invalid and test": {Invalid: true, Test: true},
		"data mart and event": {DataMart: "dm", Event: owox.RunFailed}, "since and undelivered": {Since: start, Undelivered: true},
		"data mart and since": {DataMart: "dm", Since: start}, "before": {Before: 3}, "after": {After: 1}, "data mart and before": {DataMart: "dm", Before: 3},
	}
	file := tempFile(t)
	if err := createFile(file); err != nil {
		t.Fatal(err)
	}
	seen := &recorder{database: sqliteFile{file}}
	j, err := openJournal(context.Background(), seen, Options{Keep: 1, KeepBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for n := range 3 {
		_, err := keep(j, sample(n%2))
		err = errors.Join(err, j.KeepForward(int64(n+1), start, delivery.Attempt{}, 200), j.KeepAttempt(int64(n+1), start, delivery.Attempt{}))
		if n == 2 && err != nil {
			t.Fatal(err)
		}
	}
	_, err = keep(j, refusal(1))
	_, attemptsErr := j.Attempts(ctx, 1)
	_, idsErr := j.IDs(ctx, "0", 3)
	if err = errors.Join(err, attemptsErr, idsErr, j.KeepGone(1)); err != nil {
		t.Fatal(err)
	}
	refused(t, j)
	for _, f := range filters {
		for _, f.Oldest = range []bool{false, true} {
			for f.Limit = range 2 {
				list(t, j, f)
				if _, err := j.Sequences(ctx, f); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	list(t, j, Filter{Brief: true, Limit: 30})
	_, keepErr := j.Prune(ctx, 1)
	_, olderErr := j.PruneOlder(ctx, start)
	if err := errors.Join(keepErr, olderErr, j.Close()); err != nil {
		t.Fatal(err)
	}

	j = openFile(t, file, Options{})
	kinds := map[string]int{}
	for _, query := range seen.queries {
		all := strings.Contains(query, "WHERE 1 = 1 ORDER BY") || strings.Contains(query, "FROM deliveries ORDER BY sequence DESC LIMIT 1 OFFSET")
		for _, step := range plan(t, j, query) {
			if strings.HasPrefix(step, "SCAN deliveries") && !all || strings.Contains(step, "TEMP B-TREE") {
				t.Errorf("%s\n\t%s", query, step)
			}
		}
		kinds[strings.Fields(query)[0]]++
	}
	if len(kinds) != 4 || len(seen.queries) < 100 {
		t.Errorf("only %v were looked at", kinds)
	}
}

package inspector

import (
	"database/sql"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

const million = 1_000_000

// newMillion is a house over a journal that SQL filled: a delivery a second,
// every tenth a failed run, every hundredth invalid.
func newMillion(t testing.TB) *house {
	t.Helper()
	file := filepath.Join(t.TempDir(), "journal.db")
	j, err := journal.Open(t.Context(), file, journal.Options{})
	if err == nil {
		err = j.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=synchronous(OFF)&_pragma=cache_size(-200000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it was written
	_, err = db.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO deliveries (sequence, webhook_id, received_at, method, path, remote, headers, event, is_test, project_id, data_mart_id,
			data_mart_title, run_id, run_status, valid, state, answered, delivered, findings, cut, body)
		SELECT i, 'id-' || i, STRFTIME('%Y-%m-%dT%H:%M:%S.000Z', ? - ? + i, 'unixepoch'), 'POST', '/', '192.0.2.1', '[]',
			CASE WHEN i % 10 = 0 THEN ? ELSE ? END, FALSE, 'project', 'dm-' || (i % 97), 'Mart ' || (i % 97), 'run-' || i, '', i % 100 <> 0,
			CASE WHEN i % 100 = 0 THEN 'invalid' ELSE 'valid' END, CASE WHEN i % 100 = 0 THEN 422 ELSE 200 END, FALSE, '[]', FALSE,
			CASE WHEN i > ? THEN ? ELSE X'7b7d' END FROM n`,
		million, time.Now().Unix(), million, string(owox.RunFailed), string(owox.RunSuccessful), million-2*scanned, owox.Documented(owox.RunFailed))
	if err != nil {
		t.Fatal(err)
	}
	return newHouseOver(t, file)
}

// underRace reports whether the race detector is on.
func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

func TestAMillionDeliveriesAreAsQuickAsTen(t *testing.T) {
	if testing.Short() || underRace() {
		t.Skip("it makes a journal of a million deliveries, which takes minutes under the race detector")
	}
	h := newMillion(t)
	for path, rows := range map[string]int{
		"/": pageSize, "/?before=500000": pageSize, "/?before=40": 39, "/?event=failed": pageSize, "/?valid=no&before=900000": pageSize,
		"/?mart=dm-5": pageSize, "/?mart=Mart+5": pageSize, "/?status=422": pageSize, "/?q=id-999": pageSize, "/?since=2h": pageSize, "/deliveries/500000": 0,
	} {
		var times []time.Duration
		for range 5 {
			start := time.Now()
			got := h.get(t, path)
			times = append(times, time.Since(start))
			if n := strings.Count(got.body, `class="delivery"`); got.code != 200 || n != rows {
				t.Errorf("%s: got status %d and %d rows, want 200 and %d", path, got.code, n, rows)
			}
		}
		if slices.Sort(times); times[0] > 100*time.Millisecond {
			t.Errorf("%s: took %v, want at most 100ms", path, times)
		}
	}
}

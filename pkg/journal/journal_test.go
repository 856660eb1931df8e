package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"
	"go.uber.org/goleak"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

func open(t testing.TB, file string, keep int) *Journal {
	t.Helper()
	j, err := Open(context.Background(), file, keep)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)

// sample is the nth delivery.
func sample(n int) delivery.Delivery {
	body := owox.Documented(owox.RunFailed)
	d := delivery.Delivery{
		Identity: owox.Identify(body), ReceivedAt: start.Add(time.Duration(n) * time.Second), Remote: "192.0.2.1", Method: "POST", Path: "/hook?a=b",
		Headers: []owox.Header{{Name: "Host", Value: "x"}, {Name: "X-Webhook-ID", Value: "1"}, {Name: "Via", Value: "b"}, {Name: "Via", Value: "a"}},
		Body:    body, Answered: 200, State: delivery.StateValid,
	}
	d.ID = fmt.Sprintf("%08d-0000-4000-8000-000000000000", n)
	return d
}

func keep(j *Journal, d delivery.Delivery) (sequence int64, err error) {
	err = j.Keep(&d, func() {})
	return d.Sequence, err
}

func list(t *testing.T, j *Journal, f Filter) []Entry {
	t.Helper()
	var entries []Entry
	for e, err := range j.List(context.Background(), f) {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

func sequences(entries []Entry) []int64 {
	var all []int64
	for _, e := range entries {
		all = append(all, e.Sequence)
	}
	return all
}

func TestDeliveriesComeBackAsTheyWere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deep", "journal?#%.db")
	j := open(t, file, 0)
	odd := sample(2)
	odd.Body, odd.Cut, odd.State, odd.Reason, odd.Detail, odd.Answered = []byte("\x00\xff\n"), true, delivery.StateRefused, delivery.TooLarge, "100", 413
	odd.Findings = []validate.Finding{{Line: 1, Column: 2, Offset: 1, Path: "a", Rule: "utf-8", Severity: validate.Error, Message: "bad \xff"}}
	empty := delivery.Delivery{ReceivedAt: start, Method: "GET", Path: "/", Findings: []validate.Finding{}, State: delivery.StateValid}
	again := sample(1)
	for i, d := range []delivery.Delivery{sample(1), odd, empty, again} {
		if sequence, err := keep(j, d); err != nil || sequence != int64(i+1) {
			t.Fatalf("kept as %d, %v", sequence, err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Error(info, err)
	}
	j = open(t, file, 0)
	first, duplicate := sample(1), again
	first.Findings, duplicate.Findings, duplicate.Duplicate = []validate.Finding{}, []validate.Finding{}, true
	duplicate.DuplicateOf = 1
	odd.Findings[0].Message = "bad \ufffd" // JSON is text
	want := []Entry{{first}, {odd}, {empty}, {duplicate}}
	for i := range want {
		want[i].Sequence = int64(i + 1)
	}
	if diff := cmp.Diff(want, list(t, j, Filter{Oldest: true})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What insertUsual has in its text is what insertDelivery would be told.
func TestUsualDeliveriesAreKeptLikeOthers(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"), 0)
	d := sample(1)
	err := j.submit(func(ctx context.Context) error {
		short, err := newRow(d)
		if err == nil {
			_, err = j.insert(ctx, short)
		}
		long := short
		long.usual = false
		long.values = append(long.values, d.Method, d.Cut, "[]", d.Answered, note(d), d.Valid())
		if err == nil {
			_, err = j.insert(ctx, long)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, columns, _ := strings.Cut(insertedColumns, "duplicate_of,")
	var kinds, rows int
	err = j.reader.QueryRow("SELECT COUNT(*), SUM(times) FROM (SELECT COUNT(*) AS times FROM deliveries GROUP BY "+columns+")").Scan(&kinds, &rows)
	if err != nil || kinds != 1 || rows != 2 {
		t.Errorf("%d kinds of %d entries, %v", kinds, rows, err)
	}
}

func TestFilters(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"), 0)
	for n := range 6 {
		d := sample(n)
		switch n {
		case 1:
			d.Event = owox.RunSuccessful
		case 2:
			d.State, d.Findings = delivery.StateInvalid, []validate.Finding{{Severity: validate.Error}}
		case 3:
			d.IsTest = true
		case 4:
			d.DataMartID = "other"
		}
		if _, err := keep(j, d); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.KeepAttempt(6, start, delivery.Attempt{}); err != nil { // without failure: a success
		t.Fatal(err)
	}
	if err := j.KeepAnswer(6, 418); err != nil || list(t, j, Filter{Sequence: 6})[0].Answered != 418 {
		t.Error("the answer was not kept", err)
	}
	for name, tt := range map[string]struct {
		filter Filter
		want   []int64
	}{
		"all, newest first": {Filter{}, []int64{6, 5, 4, 3, 2, 1}},
		"limit":             {Filter{Limit: 2}, []int64{6, 5}},
		"oldest":            {Filter{Limit: 2, Oldest: true}, []int64{1, 2}},
		"event":             {Filter{Event: owox.RunSuccessful}, []int64{2}},
		"invalid":           {Filter{Invalid: true}, []int64{3}},
		"test":              {Filter{Test: true}, []int64{4}},
		"data mart by id":   {Filter{DataMart: "other"}, []int64{5}},
		"by title":          {Filter{DataMart: "Sales Report", Limit: 1}, []int64{6}},
		"since":             {Filter{Since: start.Add(4 * time.Second)}, []int64{6, 5}},
		"id":                {Filter{ID: "00000003"}, []int64{4}},
		"sequence":          {Filter{Sequence: 2}, []int64{2}},
		"undelivered":       {Filter{Undelivered: true}, []int64{5, 4, 3, 2, 1}},
		"nothing":           {Filter{ID: "%"}, nil},
	} {
		if diff := cmp.Diff(tt.want, sequences(list(t, j, tt.filter))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAttempts(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"), 0)
	sequence, err := keep(j, sample(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []delivery.Attempt{
		{URL: "http://a/", Failure: &delivery.Failure{Error: "refused"}},
		{URL: "http://a/", Status: 200, Duration: 1500 * time.Microsecond},
	} {
		if err := j.KeepAttempt(sequence, start, a); err != nil {
			t.Fatal(err)
		}
	}
	got, err := j.Attempts(context.Background(), sequence)
	want := []Attempt{{At: start, URL: "http://a/", Error: "refused"}, {At: start, URL: "http://a/", OK: true, Status: 200, Duration: 1500 * time.Microsecond}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := j.KeepAttempt(99, start, delivery.Attempt{}); err == nil {
		t.Error("an attempt at nothing was kept")
	}
	if _, err := j.Prune(context.Background(), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if got, err := j.Attempts(context.Background(), sequence); err != nil || len(got) > 0 {
		t.Errorf("%d attempts at a delivery that is not there any more, %v", len(got), err)
	}
}

// open1 makes a journal as the first version of its tables was, with so many
// deliveries, one of them deleted.
func open1(t *testing.T, file string, deliveries int) {
	t.Helper()
	db, err := openWriter(file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // what was written is looked at
	files, err := fs.Sub(migrations, migrationsOf)
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(dialect, db, files)
	if err != nil {
		t.Fatal(err)
	}
	_, err = provider.UpTo(context.Background(), 1)
	for n := 1; n <= deliveries && err == nil; n++ {
		r, _ := newRow(sample(n))
		r.values[0] = n
		_, err = db.Exec(insertUsual, r.values...)
	}
	if err == nil {
		_, err = db.Exec(insertAttempt, attemptRow(2, start, delivery.Attempt{})...)
	}
	if err == nil {
		_, err = db.Exec("DELETE FROM deliveries WHERE sequence = ?", deliveries)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestOlderJournalIsBroughtUpToDate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal.db")
	open1(t, file, 4)
	j := open(t, file, 0)
	for _, d := range []delivery.Delivery{sample(2), sample(9)} {
		if _, err := keep(j, d); err != nil {
			t.Fatal(err)
		}
	}
	entries := list(t, j, Filter{Oldest: true})
	if diff := cmp.Diff([]int64{1, 2, 3, 5, 6}, sequences(entries)); diff != "" {
		t.Fatalf("sequences (-want +got):\n%s", diff)
	}
	first := entries[1].Delivery
	first.Sequence, first.Findings = 0, nil
	if diff := cmp.Diff(sample(2), first); diff != "" || entries[3].DuplicateOf != 2 || entries[4].DuplicateOf != 0 {
		t.Errorf("duplicates of %d and %d, entry (-want +got):\n%s", entries[3].DuplicateOf, entries[4].DuplicateOf, diff)
	}
	if attempts, err := j.Attempts(context.Background(), 2); err != nil || len(attempts) != 1 {
		t.Errorf("%d attempts, %v", len(attempts), err)
	}
}

// keepMany writes deliveries in one transaction.
func keepMany(t *testing.T, j *Journal, from, to int) {
	t.Helper()
	err := j.submit(func(ctx context.Context) error {
		for n := from; n < to; n++ {
			r, err := newRow(sample(n))
			if err == nil {
				_, err = j.insert(ctx, r)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// duplicateOf keeps a delivery and returns what it is a duplicate of.
func duplicateOf(t *testing.T, j *Journal, d delivery.Delivery) int64 {
	t.Helper()
	sequence, err := keep(j, d)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := j.Get(context.Background(), sequence)
	if err != nil {
		t.Fatal(err)
	}
	return entry.DuplicateOf
}

func TestDuplicatesAreFound(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, file, 0)
	long, none := sample(4), sample(0)
	long.ID, none.ID = strings.Repeat("x", 10_000), ""
	keepMany(t, j, 1, 4) // sequences are those of the samples
	check := func(when string, d delivery.Delivery, want int64) {
		t.Helper()
		if got := duplicateOf(t, j, d); got != want {
			t.Errorf("%s: %.40q is a duplicate of %d, want %d", when, d.ID, got, want)
		}
	}
	check("the first with it", long, 0)
	check("soon", long, 4)
	check("without id", none, 0)
	check("without id again", none, 0)
	check("soon", sample(1), 1)

	keepMany(t, j, 100, 100+remembered+2*block)
	check("much later", sample(1), 1)
	check("much later", long, 4)
	check("much later", none, 0)
	check("as the last one was", sample(1), 1)
	check("of the newest", sample(100+remembered), remembered+9)

	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, file, 0)
	check("after it was opened again", sample(2), 2)
	check("after it was opened again", sample(100+remembered), remembered+9)

	other := open(t, file, 0)
	news := sample(99)
	if got := duplicateOf(t, other, news); got != 0 {
		t.Errorf("new to another process: duplicate of %d", got)
	}
	kept := list(t, j, Filter{Limit: 1})[0].Sequence
	check("kept by another process", news, kept)

	if _, err := j.Prune(context.Background(), 10, time.Time{}); err != nil {
		t.Fatal(err)
	}
	check("after it was pruned", sample(3), 0)
	var ids int
	if err := j.reader.QueryRow("SELECT COUNT(*) FROM ids").Scan(&ids); err != nil || ids != 0 {
		t.Errorf("%d ids of entries that are not there any more, %v", ids, err)
	}
}

// Ids that are not among the newest must be found without looking through the
// whole journal.
func TestOldIDsAreFoundWithAnIndex(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"), 0)
	rows, err := j.reader.Query("EXPLAIN QUERY PLAN "+selectFirst, "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // Err tells
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(detail + "\n")
	}
	if err := rows.Err(); err != nil || strings.Contains(plan.String(), "SCAN") || !strings.Contains(plan.String(), "SEARCH ids") {
		t.Errorf("%v, plan:\n%s", err, &plan)
	}
}

func TestSequencesAreNotGivenTwice(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal.db")
	for want := int64(1); want < 4; want++ {
		j := open(t, file, 0)
		if got, err := keep(j, sample(1)); err != nil || got != want {
			t.Errorf("kept as %d, want %d, %v", got, want, err)
		}
		if deleted, err := j.Prune(context.Background(), 0, time.Time{}); err != nil || deleted != 1 {
			t.Errorf("%d deleted, %v", deleted, err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// What a group that failed had written is not remembered.
func TestFailedGroupLeavesNothing(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"), 0)
	if _, err := keep(j, sample(1)); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := j.submit(func(ctx context.Context) error {
		r, err := newRow(sample(2))
		if err == nil {
			_, err = j.insert(ctx, r)
		}
		return errors.Join(err, broken)
	})
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if got := duplicateOf(t, j, sample(2)); got != 0 {
		t.Errorf("a duplicate of %d, which was not kept", got)
	}
	if diff := cmp.Diff([]int64{1, 2}, sequences(list(t, j, Filter{Oldest: true}))); diff != "" {
		t.Errorf("sequences (-want +got):\n%s", diff)
	}
}

func TestManyWritersShareCommits(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal.db")
	// Two journals on one file stand for two processes.
	journals := []*Journal{open(t, file, 0), open(t, file, 0)}
	const each = 200
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range each {
				if _, err := keep(journals[i%2], sample(i*each+n)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	entries := list(t, journals[0], Filter{Oldest: true})
	seen := map[string]bool{}
	for i, e := range entries {
		if e.Sequence != int64(i+1) || seen[e.ID] || !bytes.Equal(e.Body, sample(0).Body) {
			t.Fatalf("entry %d is %d, %s", i, e.Sequence, e.ID)
		}
		seen[e.ID] = true
	}
	if len(entries) != 8*each {
		t.Errorf("%d entries, want %d", len(entries), 8*each)
	}
}

func TestWhatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	rubbish := filepath.Join(dir, "rubbish.db")
	if err := os.WriteFile(rubbish, bytes.Repeat([]byte("no database"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(dir, "newer.db")
	j := open(t, newer, 0)
	if _, err := j.conn.ExecContext(context.Background(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)"); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		file string
		want error
	}{
		"missing": {filepath.Join(dir, "missing.db"), ErrMissing},
		"rubbish": {rubbish, ErrCorrupt},
		"newer":   {newer, ErrNewer},
		"folder":  {dir, ErrNoAccess},
	} {
		if _, err := OpenExisting(context.Background(), tt.file); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func TestDamagedPagesAreSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, file, 0)
	for n := range 300 {
		if _, err := keep(j, sample(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 3 * 4096; i < len(content); i++ {
		content[i] = 0xa5
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	j, err = Open(context.Background(), file, 0)
	if err == nil {
		for _, err = range j.List(context.Background(), Filter{}) {
			if err != nil {
				break
			}
		}
		_ = j.Close() // what is damaged need not close well
	}
	if !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v, want %v", err, ErrCorrupt)
	}
}

// A database may have no more than so many pages: that is how SQLite says a
// full disk, without one.
func TestFullDiskIsSaidAndGotOver(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"), 0)
	pages := func(n int) {
		t.Helper()
		if _, err := j.conn.ExecContext(context.Background(), fmt.Sprintf("PRAGMA max_page_count = %d", n)); err != nil {
			t.Fatal(err)
		}
	}
	pages(30)
	kept := 0
	var err error
	for ; err == nil && kept < 1000; kept++ {
		_, err = keep(j, sample(kept))
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("after %d deliveries: %v, want %v", kept, err, ErrFull)
	}
	kept-- // the last one was refused
	pages(1_000_000)
	if _, err := keep(j, sample(5000)); err != nil {
		t.Fatal(err)
	}
	if got := len(list(t, j, Filter{})); got != kept+1 {
		t.Errorf("%d entries, want %d", got, kept+1)
	}
}

func TestReadOnlyIsSaid(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"), 0)
	if _, err := j.conn.ExecContext(context.Background(), "PRAGMA query_only = 1"); err != nil {
		t.Fatal(err)
	}
	if _, err := keep(j, sample(1)); !errors.Is(err, ErrReadOnly) {
		t.Errorf("%v, want %v", err, ErrReadOnly)
	}
}

func TestPruneBesideLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal.db")
	j, other := open(t, file, 100), open(t, file, 0)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 600 {
				if _, err := keep(j, sample(i*600+n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			if _, err := other.Prune(context.Background(), 300, time.Time{}); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	if _, err := other.Prune(context.Background(), 100, time.Time{}); err != nil {
		t.Fatal(err)
	}
	entries := list(t, j, Filter{})
	if len(entries) != 100 || entries[0].Sequence != 2400 || entries[99].Sequence != 2301 {
		t.Errorf("%d entries from %d", len(entries), entries[0].Sequence)
	}
	deleted, err := other.Prune(context.Background(), 0, time.Now().Add(time.Hour))
	if err != nil || deleted != 100 || len(list(t, j, Filter{})) != 0 {
		t.Errorf("deleted %d, %v", deleted, err)
	}
}

func TestClosedJournalRefuses(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"), 0)
	if err := errors.Join(j.Close(), j.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := keep(j, sample(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("%v, want %v", err, ErrClosed)
	}
}

// BenchmarkWriter measures group commit beside one transaction per delivery.
func BenchmarkWriter(b *testing.B) {
	b.Run("group", func(b *testing.B) {
		j := open(b, filepath.Join(b.TempDir(), "journal.db"), 0)
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := keep(j, sample(1)); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("one-transaction-each", func(b *testing.B) {
		file := filepath.Join(b.TempDir(), "journal.db")
		open(b, file, 0)
		writer, err := openWriter(file)
		if err != nil {
			b.Fatal(err)
		}
		defer writer.Close() //nolint:errcheck // the benchmark is over
		r, err := newRow(sample(1))
		if err != nil {
			b.Fatal(err)
		}
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := writer.Exec(insertUsual, r.values...); err != nil { // NULL gets the next number
					b.Error(err)
				}
			}
		})
	})
}

func TestCloseLeavesOneFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, file, 0)
	if _, err := keep(j, sample(1)); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if names, err := filepath.Glob(file + "*"); err != nil || len(names) != 1 {
		t.Errorf("%v, %v, want %s alone", names, err, file)
	}
}

package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"), goleak.Cleanup(func(status int) {
		closeServer()
		os.Exit(status)
	}))
}

// databases make a new database each, and return what opens a journal in it,
// as often as it is called: each one stands for a process.
var databases = map[string]func(t testing.TB) opener{
	"sqlite": func(t testing.TB) opener {
		file := filepath.Join(t.TempDir(), "journal.db")
		return func(t testing.TB, o Options) *Journal { return openFile(t, file, o) }
	},
	"postgres": func(t testing.TB) opener {
		url := newDatabase(t)
		return func(t testing.TB, o Options) *Journal { return openFile(t, url, o) }
	},
}

type opener func(testing.TB, Options) *Journal

// onEach runs a test on each database. What only one of them does is tested in
// its own file.
func onEach(t *testing.T, test func(t *testing.T, open opener)) {
	for name, database := range databases {
		t.Run(name, func(t *testing.T) { test(t, database(t)) })
	}
}

// openFile opens a journal until the end of the test.
func openFile(t testing.TB, file string, o Options) *Journal {
	t.Helper()
	j, err := Open(context.Background(), file, o)
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
	d.ID, d.RunID = fmt.Sprintf("%08d-0000-4000-8000-000000000000", n), fmt.Sprintf("run-%d", n)
	return d
}

// refusal is a request that was refused.
func refusal(n int) delivery.Delivery {
	return delivery.Delivery{
		ReceivedAt: start.Add(time.Duration(n) * time.Second), Remote: "192.0.2.1", Method: "POST", Path: fmt.Sprintf("/%d", n),
		Headers: []owox.Header{{Name: "Host", Value: "x"}}, Body: bytes.Repeat([]byte("x"), 5000), Answered: 404,
		State: delivery.StateRefused, Reason: delivery.WrongPath, Detail: "/",
	}
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

func refused(t *testing.T, j *Journal) []Entry {
	t.Helper()
	entries, err := collect(j.Refused(context.Background(), time.Time{}, 0))
	if err != nil {
		t.Fatal(err)
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
	onEach(t, func(t *testing.T, open opener) {
		j := open(t, Options{})
		odd := sample(2)
		odd.Body, odd.Cut, odd.State, odd.Answered = []byte("\x00\xff\n"), true, delivery.StateInvalid, 422
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
		j = open(t, Options{})
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
		for i, e := range want {
			want[i] = Entry{delivery.Delivery{
				Identity: owox.Identity{ID: e.ID, Event: e.Event, IsTest: e.IsTest, Title: e.Title}, ReceivedAt: e.ReceivedAt, State: e.State,
				Duplicate: e.Duplicate, DuplicateOf: e.DuplicateOf, Answered: e.Answered, Sequence: e.Sequence,
			}}
		}
		if diff := cmp.Diff(want, list(t, j, Filter{Oldest: true, Brief: true})); diff != "" {
			t.Errorf("brief (-want +got):\n%s", diff)
		}
	})
}

// What a duplicate is judged anew for is kept and told.
func TestDuplicatesAreJudgedAgain(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		j := open(t, Options{})
		if _, err := keep(j, sample(1)); err != nil {
			t.Fatal(err)
		}
		d, calls := sample(1), 0
		err := j.Keep(&d, func() {
			calls++
			if !d.Duplicate || d.DuplicateOf != 1 {
				t.Errorf("called without being told of what it is a duplicate: %v, %d", d.Duplicate, d.DuplicateOf)
			}
			d.State, d.Answered, d.Findings = delivery.StateInvalid, 422, []validate.Finding{{Rule: "seen", Severity: validate.Error}}
		})
		if err != nil || calls != 1 {
			t.Fatal(calls, err)
		}
		if diff := cmp.Diff([]Entry{{d}}, list(t, j, Filter{Invalid: true})); diff != "" {
			t.Errorf("(-told +kept):\n%s", diff)
		}
	})
}

// The same run comes under a new id when the sender has crashed.
func TestSameRunUnderAnotherIDIsFound(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		j := open(t, Options{})
		again := func(n int, change func(*delivery.Delivery)) delivery.Delivery {
			d := sample(n)
			d.RunID = "run-1"
			change(&d)
			return d
		}
		for _, tt := range []struct {
			name string
			d    delivery.Delivery
			want int64 // the earlier one; 0: none
		}{
			{"the first", sample(1), 0},
			{"a retry of it", sample(1), 0},
			{"under another id", again(3, func(*delivery.Delivery) {}), 1},
			{"another event of the run", again(4, func(d *delivery.Delivery) { d.Event = owox.RunSuccessful }), 0},
			{"a test event", again(5, func(d *delivery.Delivery) { d.IsTest = true }), 0},
			{"without a run", again(6, func(d *delivery.Delivery) { d.RunID = "" }), 0},
			{"another one without a run", again(7, func(d *delivery.Delivery) { d.RunID = "" }), 0},
			{"once more", again(8, func(*delivery.Delivery) {}), 1},
		} {
			told := false
			err := j.Keep(&tt.d, func() { told = tt.d.SameRun })
			entry, getErr := j.Get(context.Background(), tt.d.Sequence)
			if err != nil || getErr != nil || tt.d.SameRunAs != tt.want || told != (tt.want > 0) || entry.SameRunAs != tt.want || entry.SameRun != told {
				t.Errorf("%s: the same run as %d, kept as %d, told %v, want %d, %v", tt.name, tt.d.SameRunAs, entry.SameRunAs, told, tt.want, err)
			}
		}
	})
}

func TestDuplicatesAreFound(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		j := open(t, Options{})
		check := func(when string, j *Journal, d delivery.Delivery, want int64) {
			t.Helper()
			if err := j.Keep(&d, func() {}); err != nil || d.DuplicateOf != want || d.Duplicate != (want > 0) {
				t.Errorf("%s: %.40q is a duplicate of %d, want %d, %v", when, d.ID, d.DuplicateOf, want, err)
			}
			entry, err := j.Get(context.Background(), d.Sequence)
			if err != nil || entry.DuplicateOf != want || entry.Duplicate != d.Duplicate {
				t.Errorf("%s: kept as a duplicate of %d, want %d, %v", when, entry.DuplicateOf, want, err)
			}
		}
		long, none := sample(4), sample(0)
		long.ID, none.ID = strings.Repeat("x", 10_000), ""
		check("the first", j, sample(1), 0)
		check("another", j, sample(2), 0)
		check("long", j, long, 0)
		check("without id", j, none, 0)
		check("without id again", j, none, 0)
		check("again", j, sample(1), 1)
		check("a third time", j, sample(1), 1)
		check("long again", j, long, 3)
		other := open(t, Options{})
		check("by another process", other, sample(2), 2)
		check("of another process's", other, sample(9), 0)
		check("of another process's", j, sample(9), 10)

		if _, err := j.Prune(context.Background(), 4); err != nil {
			t.Fatal(err)
		}
		for _, e := range list(t, j, Filter{Oldest: true, Limit: 1}) {
			if e.Sequence != 8 || !e.Duplicate || e.DuplicateOf != 0 {
				t.Errorf("%d is a duplicate (%v) of %d, want one of something that is not there", e.Sequence, e.Duplicate, e.DuplicateOf)
			}
		}
		check("after the first was pruned", j, long, 8)
		check("after all were pruned", j, sample(1), 0)
	})
}

// What comes while the journal is busy is written together.
func TestDuplicatesWithinAGroupAreFound(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		j := open(t, Options{})
		busy, free := make(chan struct{}), make(chan struct{})
		var running sync.WaitGroup
		running.Go(func() {
			_ = j.submit(func(context.Context) error { close(busy); <-free; return nil })
		})
		<-busy
		const ids, times = 20, 5
		for n := range ids * times {
			d := sample(n % ids)
			if n/ids == times-1 {
				d.ID = fmt.Sprint("of the same run ", n)
			}
			running.Go(func() {
				if _, err := keep(j, d); err != nil {
					t.Error(err)
				}
			})
		}
		for len(j.queue) < ids*times {
			time.Sleep(time.Millisecond)
		}
		close(free)
		running.Wait()
		first, firstRun := map[string]int64{}, map[string]Entry{}
		for _, e := range list(t, j, Filter{Oldest: true, Limit: ids * times}) {
			if e.DuplicateOf != first[e.ID] || e.Duplicate != (first[e.ID] > 0) {
				t.Errorf("%d is a duplicate of %d, want %d", e.Sequence, e.DuplicateOf, first[e.ID])
			}
			if first[e.ID] == 0 {
				first[e.ID] = e.Sequence
			}
			earlier, seen := firstRun[e.RunID]
			if want := earlier.Sequence; seen && earlier.ID != e.ID && e.SameRunAs != want {
				t.Errorf("%d is of the same run as %d, want %d", e.Sequence, e.SameRunAs, want)
			}
			if !seen {
				firstRun[e.RunID] = e
			}
		}
		if len(first) != 2*ids || len(firstRun) != ids {
			t.Errorf("%d ids and %d runs, want %d and %d", len(first), len(firstRun), 2*ids, ids)
		}
	})
}

func TestFailedGroupLeavesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		j := open(t, Options{})
		if _, err := keep(j, sample(1)); err != nil {
			t.Fatal(err)
		}
		broken := errors.New("broken")
		d := sample(1)
		values, err := newRow(d)
		if err != nil {
			t.Fatal(err)
		}
		err = j.submit(func(ctx context.Context) error {
			return errors.Join(j.insertDelivery(ctx, &row{Delivery: &d, values: values, again: func() {}}), broken)
		})
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if n := len(list(t, j, Filter{})); n != 1 {
			t.Errorf("%d entries, want the first alone", n)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		d = sample(1)
		if err := j.Keep(&d, func() {}); !errors.Is(err, ErrClosed) || cmp.Diff(sample(1), d) != "" {
			t.Errorf("%v, and the delivery is (-want +got):\n%s", err, cmp.Diff(sample(1), d))
		}
	})
}

func TestFilters(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		j := open(t, Options{})
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
				d.ReceivedAt = start.Add(-time.Hour) // a clock that was set back
			}
			if _, err := keep(j, d); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.KeepAttempt(6, start, delivery.Attempt{}); err != nil { // without failure: a success
			t.Fatal(err)
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
			"since":             {Filter{Since: start.Add(2 * time.Second)}, []int64{6, 4, 3}},
			"since, none":       {Filter{Since: start.Add(time.Hour)}, nil},
			"since, and test":   {Filter{Since: start, Test: true}, []int64{4}},
			"id":                {Filter{ID: sample(3).ID}, []int64{4}},
			"sequence":          {Filter{Sequence: 2}, []int64{2}},
			"undelivered":       {Filter{Undelivered: true}, []int64{5, 4, 3, 2, 1}},
			"no such id":        {Filter{ID: "%"}, nil},
		} {
			if diff := cmp.Diff(tt.want, sequences(list(t, j, tt.filter))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		chosen, err := j.Sequences(context.Background(), Filter{Undelivered: true, Oldest: true})
		if diff := cmp.Diff([]int64{1, 2, 3, 4, 5}, chosen); diff != "" || err != nil {
			t.Errorf("%v, sequences (-want +got):\n%s", err, diff)
		}
	})
}

func TestIDsAreFoundByTheirBeginning(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		j := open(t, Options{})
		for _, id := range []string{"abcd2", "abcd1", "abcd1", "abce", "abcd", "ABCD", "", "abcdé"} {
			d := sample(1)
			d.ID = id
			if _, err := keep(j, d); err != nil {
				t.Fatal(err)
			}
		}
		for prefix, want := range map[string][]string{"abcd": {"abcd", "abcd1", "abcd2"}, "abce": {"abce"}, "abcf": nil, "abcd%": nil} {
			got, err := j.IDs(context.Background(), prefix, 3)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%s: %v (-want +got):\n%s", prefix, err, diff)
			}
		}
	})
}

func TestAttempts(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		j := open(t, Options{})
		sequence, err := keep(j, sample(1))
		if err != nil {
			t.Fatal(err)
		}
		failure := delivery.Attempt{URL: "http://a/", Failure: &delivery.Failure{Error: "refused"}}
		for _, a := range []delivery.Attempt{failure, {URL: "http://a/", Status: 200, Duration: 1500 * time.Microsecond}} {
			if err := j.KeepAttempt(sequence, start, a); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.KeepForward(sequence, start, failure, 502); err != nil {
			t.Fatal(err)
		}
		got, err := j.Attempts(context.Background(), sequence)
		failed := Attempt{At: start, URL: "http://a/", Error: "refused"}
		want := []Attempt{failed, {At: start, URL: "http://a/", OK: true, Status: 200, Duration: 1500 * time.Microsecond}, failed}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		entry, err := j.Get(context.Background(), sequence)
		if err != nil || entry.Answered != 502 || len(list(t, j, Filter{Undelivered: true})) != 0 {
			t.Errorf("%v, answered %d, want 502, and delivered for good", err, entry.Answered)
		}
		if err := j.KeepAttempt(99, start, failure); err == nil {
			t.Error("an attempt at nothing was kept")
		}
		if _, err := j.Prune(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
		if got, err := j.Attempts(context.Background(), sequence); err != nil || len(got) > 0 {
			t.Errorf("%d attempts at a delivery that is not there any more, %v", len(got), err)
		}
	})
}

func TestGoneSendersAreNoted(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		j := open(t, Options{})
		sequence, err := keep(j, sample(1))
		if err != nil {
			t.Fatal(err)
		}
		if err := j.KeepGone(sequence); err != nil {
			t.Fatal(err)
		}
		entry, err := j.Get(context.Background(), sequence)
		if err != nil || entry.State != delivery.StateGone || entry.Answered != 0 || len(list(t, j, Filter{Invalid: true})) != 0 {
			t.Errorf("%v, state %s, answered %d, want gone without an answer, and not invalid", err, entry.State, entry.Answered)
		}
	})
}

func TestRefusedRequestsAreKeptApart(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		j := open(t, Options{Keep: 10})
		for n := range 10 {
			if _, err := keep(j, sample(n)); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for n := range 300 {
					if sequence, err := keep(j, refusal(i*300+n)); err != nil || sequence != 0 {
						t.Errorf("kept as %d, %v, want no number", sequence, err)
					}
				}
			})
		}
		wg.Wait()
		last := refusal(5000)
		if _, err := keep(j, last); err != nil {
			t.Fatal(err)
		}
		entries := refused(t, j)
		if len(entries) != 1000 || len(list(t, j, Filter{})) != 10 {
			t.Fatalf("%d refused and %d deliveries, want 1000 and 10", len(entries), len(list(t, j, Filter{})))
		}
		last.Body, last.Cut, last.Findings = last.Body[:4096], true, []validate.Finding{}
		if diff := cmp.Diff(Entry{last}, entries[0]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if _, err := j.PruneOlder(context.Background(), last.ReceivedAt); err != nil || len(refused(t, j)) != 1 {
			t.Errorf("%d refused after pruning by time, want 1, %v", len(refused(t, j)), err)
		}
	})
}

func TestSequencesAreNotGivenTwice(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		for want := int64(1); want < 4; want++ {
			j := open(t, Options{})
			if got, err := keep(j, sample(1)); err != nil || got != want {
				t.Errorf("kept as %d, want %d, %v", got, want, err)
			}
			if deleted, err := j.Prune(context.Background(), 0); err != nil || deleted != 1 {
				t.Errorf("%d deleted, %v", deleted, err)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestManyWritersShareCommits(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		journals := []*Journal{open(t, Options{}), open(t, Options{})}
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
	})
}

func TestPruneBesideLoad(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		j, other := open(t, Options{Keep: 100}), open(t, Options{})
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
				if _, err := other.Prune(context.Background(), 300); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Wait()
		if _, err := other.Prune(context.Background(), 100); err != nil {
			t.Fatal(err)
		}
		entries := list(t, j, Filter{})
		if len(entries) != 100 || entries[0].Sequence != 2400 || entries[99].Sequence != 2301 {
			t.Errorf("%d entries from %d", len(entries), entries[0].Sequence)
		}
		deleted, err := other.PruneOlder(context.Background(), time.Now().Add(time.Hour))
		if err != nil || deleted != 100 || len(list(t, j, Filter{})) != 0 {
			t.Errorf("deleted %d, %v", deleted, err)
		}
	})
}

// Gaps in the sequences are not counted as deliveries.
func TestKeepCountsDeliveries(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		j := open(t, Options{})
		for n := range 30 {
			d := sample(n)
			if n >= 10 && n < 20 {
				d.ReceivedAt = start.Add(-time.Hour)
			}
			if _, err := keep(j, d); err != nil {
				t.Fatal(err)
			}
		}
		if deleted, err := j.PruneOlder(context.Background(), start); err != nil || deleted != 10 {
			t.Fatal(deleted, err)
		}
		if deleted, err := j.Prune(context.Background(), 15); err != nil || deleted != 5 {
			t.Errorf("%d deleted, want 5, %v", deleted, err)
		}
		if got := sequences(list(t, j, Filter{Oldest: true})); got[0] != 6 || len(got) != 15 {
			t.Errorf("kept %v", got)
		}
	})
}

func TestWhatIsHeldIsNotDeletedToMakeRoom(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		j := open(t, Options{})
		for n := range 30 {
			if _, err := keep(j, sample(n)); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Hold(t.Context(), 26, []Range{{First: 8, Last: 9}, {First: 1, Last: 1}, {First: 7, Last: 8}, {First: 15, Last: 15}}); err != nil {
			t.Fatal(err)
		}
		check := func(who string, j *Journal, prune func(*Journal) (int64, error), deleted int64, want string) {
			t.Helper()
			n, err := prune(j)
			if got := fmt.Sprint(sequences(list(t, j, Filter{Oldest: true, Limit: 100}))); err != nil || n != deleted || got != want {
				t.Errorf("%s deleted %d, %v, and left %s, want %d and %s", who, n, err, got, deleted, want)
			}
		}
		byCount := func(keep int) func(*Journal) (int64, error) {
			return func(j *Journal) (int64, error) { return j.Prune(t.Context(), keep) }
		}
		check("the one that holds", j, byCount(20), 6, "[1 7 8 9 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30]")
		check("the one that holds", j, byCount(2), 14, "[1 7 8 9 15 26 27 28 29 30]")
		check("another process", open(t, Options{}), byCount(2), 3, "[1 7 8 9 15 29 30]")
		check("by time", j, func(j *Journal) (int64, error) { return j.PruneOlder(t.Context(), start.Add(time.Hour)) }, 2, "[1 7 8 9 15]")
		if err := j.Hold(t.Context(), 0, nil); err != nil {
			t.Fatal(err)
		}
		check("nothing is held", j, byCount(1), 4, "[15]")
	})
}

func TestKeepBytesBoundsTheDatabase(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		const bound = 8 << 20
		j := open(t, Options{KeepBytes: bound})
		for n := range 40 {
			d := sample(n)
			d.Body = bytes.Repeat([]byte("x"), 1<<20)
			if _, err := keep(j, d); err != nil {
				t.Fatal(err)
			}
			var used int64
			err := j.submit(func(ctx context.Context) (err error) { used, err = j.used(ctx, j.conn, 0); return err })
			if err != nil || used > bound+2*pruneBytes {
				t.Fatalf("%d bytes are used after %d MiB, want about %d, %v", used, n+1, bound, err)
			}
		}
		if got := sequences(list(t, j, Filter{Brief: true})); len(got) < 3 || got[0] != 40 {
			t.Errorf("kept %v, want the newest", got)
		}
	})
}

func TestClosedJournalRefuses(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		j := open(t, Options{})
		if err := errors.Join(j.Close(), j.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := keep(j, sample(1)); !errors.Is(err, ErrClosed) {
			t.Errorf("%v, want %v", err, ErrClosed)
		}
	})
}

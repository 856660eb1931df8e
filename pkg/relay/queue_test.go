package relay

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/owoxhook/owoxhook/pkg/journal"
)

// suite runs a test against the queues of all databases.
func suite(t *testing.T, test func(t *testing.T, q queue)) {
	t.Helper()
	for name, database := range Databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, err := journal.Open(t.Context(), database(t), journal.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = j.Close() })
			lanes := []lane{{target: "a", side: 5, limit: time.Second}, {target: "b", side: 5, limit: time.Second}}
			q, err := newQueue(t.Context(), j, queueOptions{lanes: lanes, finish: time.Second, log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))})
			if err != nil {
				t.Fatal(err)
			}
			if err := q.begin(t.Context(), 10, map[string]string{"a": "all", "b": "all"}); err != nil {
				t.Fatal(err)
			}
			if at, err := q.cursors(t.Context()); err != nil || fmt.Sprint(at) != "map[a:{10 10} b:{10 10}]" {
				t.Fatalf("the targets are at %v, %v, want both at 10", at, err)
			}
			test(t, q)
		})
	}
}

// worked does jobs until the test ends, and returns what was done.
func worked(t *testing.T, q queue, decide func(claim) verdict) (done func() []claim) {
	t.Helper()
	var mu sync.Mutex
	var all []claim
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() {
		ended <- q.work(ctx, func(_ context.Context, c claim) verdict {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, c)
			return decide(c)
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return func() []claim {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

func advance(t *testing.T, q queue, from, to int64, jobs ...job) {
	t.Helper()
	if moved, err := q.advance(t.Context(), []string{"a", "b"}, from, to, jobs); err != nil || !moved {
		t.Fatalf("advance from %d to %d: %v, %v", from, to, moved, err)
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out: %s", what)
		}
	}
}

// one returns the only status of a target.
func one(t *testing.T, q queue, target string) Status {
	t.Helper()
	all, err := q.status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(all, func(s Status) bool { return s.Target == target })
	if at < 0 {
		t.Fatalf("no status of %s in %+v", target, all)
	}
	return all[at]
}

func TestJobsAreAddedWithTheCursor(t *testing.T) {
	suite(t, func(t *testing.T, q queue) {
		advance(t, q, 10, 12, job{target: "a", sequence: 11}, job{target: "b", sequence: 12})
		if moved, err := q.advance(t.Context(), []string{"a"}, 10, 11, []job{{target: "a", sequence: 11}}); moved || err != nil {
			t.Errorf("a cursor that another one has moved: moved %v, %v, want neither", moved, err)
		}
		if moved, err := q.advance(t.Context(), []string{"b"}, 12, 13, []job{{target: "b", sequence: 13}}); !moved || err != nil {
			t.Errorf("a process that has this target alone: moved %v, %v", moved, err)
		}
		if moved, err := q.advance(t.Context(), []string{"a", "b"}, 12, 14, []job{{target: "a", sequence: 13}}); moved || err != nil {
			t.Errorf("one of two cursors was moved: moved %v, %v, want neither", moved, err)
		}
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		if moved, err := q.advance(canceled, []string{"a"}, 12, 13, []job{{target: "a", sequence: 13}}); moved || err == nil {
			t.Errorf("canceled: moved %v, %v, want an error", moved, err)
		}
		if s := one(t, q, "a"); s.Waiting != 1 || s.Oldest.IsZero() || s.Next.IsZero() {
			t.Errorf("status %+v, want one that waits, and times", s)
		}
		if err := q.begin(t.Context(), 13, map[string]string{"a": "all", "c": "all"}); err != nil {
			t.Error(err)
		}
		if at, err := q.cursors(t.Context()); err != nil || fmt.Sprint(at) != "map[a:{10 12} b:{10 13} c:{13 13}]" {
			t.Errorf("the targets are at %v, %v, want the old ones where they were", at, err)
		}
		if err := q.begin(t.Context(), 14, map[string]string{"a": "failed"}); err != nil {
			t.Error(err)
		}
		if at, err := q.cursors(t.Context()); err != nil || at["a"] != (cursor{12, 12}) {
			t.Errorf("the target with other conditions is at %v, %v, want it to begin where it was", at["a"], err)
		}
	})
}

func TestJobsAreDoneByTheirTarget(t *testing.T) {
	suite(t, func(t *testing.T, q queue) {
		done := worked(t, q, func(claim) verdict { return verdict{} })
		advance(t, q, 10, 12, job{target: "a", sequence: 11, key: "k"}, job{target: "b", sequence: 12})
		until(t, "both jobs", func() bool { return len(done()) == 2 })
		for _, c := range done() {
			if want := map[string]int64{"a": 11, "b": 12}[c.target]; c.sequence != want || c.attempt != 1 || time.Since(c.since) > time.Minute {
				t.Errorf("claim %+v, want delivery %d, attempt 1, just added", c, want)
			}
		}
		until(t, "they are delivered", func() bool { return one(t, q, "a").Delivered == 1 && one(t, q, "b").Delivered == 1 })
		if oldest, err := q.oldest(t.Context()); oldest != 0 || err != nil {
			t.Errorf("the oldest that is needed is %d, %v, want none", oldest, err)
		}
	})
}

func TestFailedJobsComeBackWhenTheyShall(t *testing.T) {
	suite(t, func(t *testing.T, q queue) {
		var first time.Time
		done := worked(t, q, func(c claim) verdict {
			switch {
			case c.target == "b" && c.attempt == 1:
				return verdict{fate: failed, wait: time.Hour, reason: "nobody there"}
			case first.IsZero():
				first = time.Now()
				return verdict{fate: failed, wait: 500 * time.Millisecond, reason: "not yet"}
			}
			return verdict{}
		})
		advance(t, q, 10, 12, job{target: "a", sequence: 11}, job{target: "b", sequence: 12})
		until(t, "the second attempt", func() bool { return one(t, q, "a").Delivered == 1 })
		all := done()
		if last := all[len(all)-1]; last.attempt != 2 || time.Since(first) < 500*time.Millisecond {
			t.Errorf("second attempt %+v after %v, want attempt 2 after half a second", last, time.Since(first))
		}
		jobs, err := q.jobs(t.Context(), Selection{}, 10)
		if err != nil || len(jobs) != 1 || jobs[0].Target != "b" || jobs[0].Sequence != 12 || jobs[0].State != Waiting ||
			jobs[0].Attempts != 1 || jobs[0].Error != "nobody there" || time.Until(jobs[0].Next) < 50*time.Minute {
			t.Errorf("jobs %+v, %v, want the one that waits for an hour", jobs, err)
		}
		if n, err := q.again(t.Context(), Selection{Sequence: 12}); n != 1 || err != nil {
			t.Errorf("tried again: %d, %v, want 1", n, err)
		}
		until(t, "it is new again", func() bool {
			all := done()
			return len(all) == 4 && all[3].target == "b" && all[3].attempt == 1 && !all[3].retried.IsZero() && all[0].retried.IsZero()
		})
	})
}

func TestPutOffJobsCountNoAttempt(t *testing.T) {
	suite(t, func(t *testing.T, q queue) {
		times := 0
		done := worked(t, q, func(claim) verdict {
			if times++; times < 3 {
				return verdict{fate: later, wait: 10 * time.Millisecond}
			}
			return verdict{}
		})
		advance(t, q, 10, 11, job{target: "a", sequence: 11})
		until(t, "the third time", func() bool { return len(done()) == 3 })
		if last := done()[2]; last.attempt != 1 {
			t.Errorf("claim %+v, want attempt 1", last)
		}
	})
}

func TestGivenUpJobsStayUntilTheyAreDropped(t *testing.T) {
	suite(t, func(t *testing.T, q queue) {
		worked(t, q, func(claim) verdict { return verdict{fate: givenUp, reason: "gone"} })
		advance(t, q, 10, 13, job{target: "a", sequence: 11}, job{target: "a", sequence: 12}, job{target: "b", sequence: 13})
		until(t, "all are given up", func() bool { return one(t, q, "a").GivenUp == 2 && one(t, q, "b").GivenUp == 1 })
		if oldest, err := q.oldest(t.Context()); oldest != 0 || err != nil {
			t.Errorf("the oldest that is needed is %d, %v, want none", oldest, err)
		}
		if spared, err := q.spared(t.Context()); fmt.Sprint(spared) != "[{11 11} {12 12} {13 13}]" || err != nil {
			t.Errorf("spared are %v, %v, want those that were given up", spared, err)
		}
		for _, drop := range []struct {
			which Selection
			want  int
		}{{Selection{Target: "a", Sequence: 13}, 0}, {Selection{Waiting: true}, 0}, {Selection{Target: "a", Sequence: 11}, 1}, {Selection{GivenUp: true}, 2}, {Selection{}, 0}} {
			if n, err := q.drop(t.Context(), drop.which); n != drop.want || err != nil {
				t.Errorf("dropped %+v: %d, %v, want %d", drop.which, n, err, drop.want)
			}
		}
	})
}

func TestWindowsTakeDeliveriesUntilTheyClose(t *testing.T) {
	suite(t, func(t *testing.T, q queue) {
		windows := make(chan window, 2)
		worked(t, q, func(c claim) verdict {
			w, err := q.close(context.Background(), c)
			if err != nil {
				t.Error(err)
			}
			windows <- w
			return verdict{}
		})
		in := func(sequence int64) job {
			return job{target: "a", sequence: sequence, group: 300 * time.Millisecond, common: "mart"}
		}
		advance(t, q, 10, 12, in(11), in(12))
		advance(t, q, 12, 13, in(13))
		if got := <-windows; got != (window{11, 13, "mart"}) {
			t.Errorf("first window %+v, want 11 to 13", got)
		}
		advance(t, q, 13, 14, in(14))
		if got := <-windows; got != (window{14, 14, "mart"}) {
			t.Errorf("second window %+v, want 14 alone", got)
		}
		if err := q.tidy(t.Context(), 14); err != nil {
			t.Error(err)
		}
		for first, want := range map[int64]bool{11: false, 14: true} {
			if _, err := q.close(t.Context(), claim{target: "a", sequence: first}); (err == nil) != want {
				t.Errorf("the window from %d: %v, want it there: %v", first, err, want)
			}
		}
	})
}

func TestJobsOfTheSameKeyAreAhead(t *testing.T) {
	suite(t, func(t *testing.T, q queue) {
		asked := make(chan string, 1)
		worked(t, q, func(c claim) verdict {
			if c.sequence == 13 {
				first, found, err := q.ahead(context.Background(), c)
				asked <- fmt.Sprint(found, err, first.atHand, time.Until(first.next) > 50*time.Minute)
				return verdict{}
			}
			return verdict{fate: failed, wait: time.Hour, reason: "down"}
		})
		advance(t, q, 10, 12, job{target: "a", sequence: 11, key: "other"}, job{target: "a", sequence: 12, key: "k"})
		until(t, "both failed", func() bool {
			jobs, err := q.jobs(t.Context(), Selection{}, 10)
			return err == nil && len(jobs) == 2 && jobs[0].Error != "" && jobs[1].Error != ""
		})
		advance(t, q, 12, 13, job{target: "a", sequence: 13, key: "k"})
		if got, want := <-asked, "true <nil> false true"; got != want {
			t.Errorf("ahead: found, error, at hand, in an hour: %s, want %s", got, want)
		}
	})
}

// River asks a worker when a job is tried again that nobody is doing any more.
func TestWhatAKilledProcessLeftBehindIsTriedAtOnce(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w := worker{now: func() time.Time { return now }, do: func(context.Context, claim) verdict { return verdict{fate: failed, wait: time.Hour, reason: "down"} }}
	j := &river.Job[jobArgs]{JobRow: &rivertype.JobRow{Attempt: 4}}
	if got := w.NextRetry(j); got != now {
		t.Errorf("left behind: tried at %v, want %v", got, now)
	}
	if err := w.Work(t.Context(), j); err == nil || w.NextRetry(j) != now.Add(time.Hour) {
		t.Errorf("failed with %v: tried at %v, want an hour later", err, w.NextRetry(j))
	}
}

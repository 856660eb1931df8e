package journal

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

func TestPagesGoBySequence(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		j := open(t, Options{})
		for n := range 5 {
			if _, err := keep(j, sample(n)); err != nil {
				t.Fatal(err)
			}
		}
		for name, test := range map[string]struct {
			filter Filter
			want   []int64
		}{
			"before": {Filter{Before: 4, Limit: 2}, []int64{3, 2}},
			"after":  {Filter{After: 3}, []int64{5, 4}},
			"both":   {Filter{After: 1, Before: 4, Oldest: true}, []int64{2, 3}},
		} {
			got, err := j.Sequences(context.Background(), test.filter)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%s: got %v, %v, want %v", name, got, err, test.want)
			}
		}
		oldest, newest, err := j.Ends(context.Background())
		if oldest != 1 || newest != 5 || err != nil {
			t.Errorf("ends: got %d, %d, %v, want 1, 5", oldest, newest, err)
		}
	})
}

func TestRelatedEntriesShareAnIDOrARun(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		j := open(t, Options{})
		deliveries := []delivery.Delivery{sample(1), sample(1), sample(2), sample(3)}
		deliveries[2].RunID = deliveries[0].RunID
		deliveries[3].RunID = "another"
		for _, d := range deliveries {
			if _, err := keep(j, d); err != nil {
				t.Fatal(err)
			}
		}
		e, err := j.Get(context.Background(), 1)
		if err != nil {
			t.Fatal(err)
		}
		related, err := j.Related(context.Background(), e, 10)
		var got []int64
		for _, r := range related {
			got = append(got, r.Sequence)
		}
		if want := []int64{2, 3}; err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v, want %v: 2 has the id, 3 the run", got, err, want)
		}
	})
}

func TestUndeliveredEntriesWereTriedInVain(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		j := open(t, Options{})
		for n := range 4 {
			if _, err := keep(j, sample(n)); err != nil {
				t.Fatal(err)
			}
		}
		failed := delivery.Attempt{Failure: &delivery.Failure{Error: "x"}}
		for _, try := range []struct {
			sequence int64
			attempt  delivery.Attempt
		}{{1, failed}, {2, failed}, {2, delivery.Attempt{Status: 200}}, {3, failed}} {
			if err := j.KeepAttempt(try.sequence, start, try.attempt); err != nil {
				t.Fatal(err)
			}
		}
		got, err := j.Undelivered(context.Background(), []int64{1, 2, 4})
		if want := []int64{1}; err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v, want %v: 2 arrived in the end, 3 was not asked for, 4 not tried", got, err, want)
		}
	})
}

func TestDeliveriesAreCountedByTime(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		j := open(t, Options{})
		for n, at := range []time.Duration{-2 * time.Hour, 0, time.Second, time.Minute, time.Hour} {
			d := sample(n)
			d.ReceivedAt = start.Add(at)
			if n == 3 {
				d.State, d.Findings = delivery.StateInvalid, []validate.Finding{{Rule: "x", Severity: validate.Error}}
			}
			if _, err := keep(j, d); err != nil {
				t.Fatal(err)
			}
		}
		minute := start.Truncate(time.Minute)
		minutes, err := j.CountsPerMinute(context.Background(), start)
		want := []Count{{minute, owox.RunFailed, true, 2}, {minute.Add(time.Minute), owox.RunFailed, false, 1}, {minute.Add(time.Hour), owox.RunFailed, true, 1}}
		if err != nil || !slices.Equal(minutes, want) {
			t.Errorf("minutes: got %v, %v, want %v", minutes, err, want)
		}
		hours, err := j.CountsPerHour(context.Background(), start)
		if err != nil || len(hours) != 3 || hours[2].From != start.Truncate(time.Hour).Add(time.Hour) {
			t.Errorf("hours: got %v, %v, want the valid and invalid of one, and one of the next", hours, err)
		}
	})
}

func TestDeleteDeletesOneEntryWithItsAttempts(t *testing.T) {
	onEach(t, func(t *testing.T, open opener) {
		j := open(t, Options{})
		for n := range 3 {
			if _, err := keep(j, sample(n)); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.KeepAttempt(2, start, delivery.Attempt{Status: 200}); err != nil {
			t.Fatal(err)
		}
		if err := j.Delete(2); err != nil {
			t.Fatal(err)
		}
		left, err := j.Sequences(context.Background(), Filter{})
		attempts, attemptsErr := j.Attempts(context.Background(), 2)
		if !slices.Equal(left, []int64{3, 1}) || len(attempts) != 0 || err != nil || attemptsErr != nil {
			t.Errorf("left: %v with attempts %v, %v, %v, want 3 and 1 without", left, attempts, err, attemptsErr)
		}
	})
}

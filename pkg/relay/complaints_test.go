package relay

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/owoxhook/owoxhook/pkg/journal"
)

func TestAnOutageIsSaidWhenItBeginsAndWhenItIsOver(t *testing.T) {
	lost := errors.New("failed to connect to `user=me`:\n\t127.0.0.1:5432: connection refused")
	locked, busy := errors.New("database is locked"), errors.New("move the cursors: database is locked (5) (SQLITE_BUSY)")
	const (
		begin = "the database cannot be reached: connection refused; trying again"
		river = "the queue: Error fetching jobs: failed to connect: [::1]: refused"
	)
	type step func(c *complaints, log *slog.Logger, now *time.Time)
	looks := func(err error) step { return func(c *complaints, _ *slog.Logger, _ *time.Time) { c.looked(err) } }
	fails := func(err error) step { return func(c *complaints, _ *slog.Logger, _ *time.Time) { c.about(err) } }
	after := func(d time.Duration) step {
		return func(_ *complaints, _ *slog.Logger, now *time.Time) { *now = now.Add(d) }
	}
	says := func(_ *complaints, log *slog.Logger, _ *time.Time) {
		log.Error("Producer: Error fetching jobs", "err", "failed to connect:\n\t[::1]: refused", "queue", "app")
	}
	logs := func(line, failure string) step {
		return func(_ *complaints, log *slog.Logger, _ *time.Time) {
			if failure == "" {
				log.Error(line)
				return
			}
			log.Error(line, "err", failure)
		}
	}
	for name, test := range map[string]struct {
		steps []step
		want  []string
	}{
		"an outage":                   {[]step{looks(nil), says, looks(lost), looks(lost), fails(lost), says, says, looks(nil), says, looks(nil)}, []string{begin, "the database is back"}},
		"two outages":                 {[]step{fails(lost), looks(nil), looks(lost), looks(nil)}, []string{begin, "the database is back", begin, "the database is back"}},
		"River alone":                 {[]step{says, says, looks(nil), says, looks(nil)}, []string{river}},
		"River alone, long after":     {[]step{says, looks(nil), after(time.Hour), says, looks(nil)}, []string{river, river}},
		"what is no outage":           {[]step{looks(locked), looks(locked), after(time.Hour), fails(locked)}, []string{"database is locked", "database is locked"}},
		"River, long after an outage": {[]step{looks(lost), looks(nil), after(time.Minute), says, looks(nil)}, []string{begin, "the database is back", river}},
		"words of libraries": {[]step{
			fails(busy), logs("jobcompleter.BatchCompleter: Completer error (will retry after sleep)", "error committing transaction: database or disk is full (13)"),
			logs("jobcompleter.BatchCompleter: Too many errors; giving up", ""), looks(nil),
		}, []string{
			"another program holds the journal", "the queue: cannot write down what became of deliveries, and tries again: error committing transaction: the disk is full",
			"the queue: could not write down what became of deliveries: they are attempted again",
		}},
		"what takes too long at the end": {[]step{func(_ *complaints, log *slog.Logger, _ *time.Time) { log.Warn("Client: Soft stop timeout; cancelling") }}, []string{"what is under way takes too long: it is cut off, and done again later"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			now := time.Unix(1_700_000_000, 0)
			c := &complaints{log: func(line string) { got = append(got, line) }, now: func() time.Time { return now }, said: map[string]time.Time{}}
			c.explain = func(err error) error {
				switch {
				case errors.Is(err, busy):
					return journal.ErrBusy
				case errors.Is(err, lost):
					return fmt.Errorf("read: %w: connection refused", journal.ErrUnreachable)
				default:
					return err
				}
			}
			for _, step := range test.steps {
				step(c, slog.New(c), &now)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

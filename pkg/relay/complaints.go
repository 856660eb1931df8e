package relay

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/owoxhook/owoxhook/pkg/journal"
)

// complaints passes on what goes wrong beside attempts. While the database is
// gone, all that needs it fails, again and again: that is said when it begins
// and when it is over. All else is said once in a while. It is River's logger.
type complaints struct {
	log     func(string)
	explain func(error) error
	now     func() time.Time

	mu   sync.Mutex
	gone bool                 // the database is
	back time.Time            // when it came back
	held []string             // River's, until a look at the database tells whether they are of an outage
	said map[string]time.Time // when each was said last
}

const (
	sayAgain = 10 * time.Minute
	afterEnd = 10 * time.Second // complaints about an outage that is over still come
	maxHeld  = 20
	maxSaid  = 100
)

func newComplaints(o Options) *complaints {
	return &complaints{log: o.Log, explain: o.Journal.Explain, now: o.Now, said: map[string]time.Time{}}
}

// looked is told how a look at the database went.
func (c *complaints) looked(err error) {
	if err != nil {
		c.about(err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		c.gone, c.back = false, c.now()
		c.log("the database is back")
	}
	c.flush()
}

// about is told what failed.
func (c *complaints) about(err error) {
	if errors.Is(err, context.Canceled) {
		return // that is the end, and no failure
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	explained := c.explain(err)
	if !errors.Is(explained, journal.ErrUnreachable) {
		c.say(oneLine(explained.Error()))
		return
	}
	c.held = nil
	if !c.gone {
		c.gone = true
		_, reason, _ := strings.Cut(explained.Error(), journal.ErrUnreachable.Error())
		c.log(oneLine(journal.ErrUnreachable.Error()+reason) + "; trying again")
	}
}

// flush says what was held.
func (c *complaints) flush() {
	for _, line := range c.held {
		c.say(line)
	}
	c.held = nil
}

func (c *complaints) say(line string) {
	if last, found := c.said[line]; found && c.now().Sub(last) < sayAgain {
		return
	}
	if len(c.said) >= maxSaid {
		clear(c.said)
	}
	c.said[line] = c.now()
	c.log(line)
}

// Enabled implements [slog.Handler].
func (*complaints) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle implements [slog.Handler]. What River says of a failure has no error of
// a type that could be told, only text.
func (c *complaints) Handle(_ context.Context, record slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, what, ok := strings.Cut(record.Message, ": ") // after the name of a part of River
	if !ok {
		what = record.Message
	}
	if strings.HasPrefix(what, "Soft stop timeout") {
		c.log("what is under way takes too long: it is cut off, and done again later")
		return nil
	}
	if c.gone || c.now().Sub(c.back) < afterEnd || len(c.held) == maxHeld {
		return nil
	}
	line := "the queue: " + what
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == "err" || a.Key == "error" {
			line += ": " + a.Value.String()
		}
		return true
	})
	c.held = append(c.held, oneLine(ourWords.Replace(line)))
	return nil
}

// ourWords replace those of libraries that nobody else knows.
var ourWords = strings.NewReplacer(
	"Stuck job rescued by JobRescuer", "relay was ended in the middle of it",
	"Completer error (will retry after sleep)", "cannot write down what became of deliveries, and tries again",
	"Too many errors; giving up", "could not write down what became of deliveries: they are attempted again",
	"database is locked (5) (SQLITE_BUSY)", journal.ErrBusy.Error(),
	"database or disk is full (13)", journal.ErrFull.Error(),
)

// WithAttrs implements [slog.Handler].
func (c *complaints) WithAttrs([]slog.Attr) slog.Handler { return c }

// WithGroup implements [slog.Handler].
func (c *complaints) WithGroup(string) slog.Handler { return c }

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

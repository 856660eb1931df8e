package relay

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/expect"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// Target is where deliveries go.
type Target struct {
	Name    string // lower-case letters and digits, with single hyphens between them, at most 60
	Carrier Carrier
	Conditions
	Group        time.Duration // what comes within it becomes one message; 0: each delivery is one
	GroupByMart  bool          // a message has the deliveries of one data mart
	Ordered      bool          // deliveries of a data mart arrive in their order, one after the other
	Concurrency  int           // at most so many at a time; 0: 5
	For          time.Duration // after which a delivery is given up; 0: 72 h
	Limit        time.Duration // of the time of an attempt; 0: owox.Timeout
	Pause        time.Duration // between two attempts, at least
	MaxPerWindow int           // deliveries of a window that a message names; 0: 10
}

// Carrier makes attempts to deliver to a target. It may be used by several
// goroutines at once.
type Carrier interface {
	// Carry makes one attempt. Its words and URL have no secrets.
	Carry(ctx context.Context, b Batch) delivery.Attempt
	// Show returns what Carry sends, for people, without secrets.
	Show(b Batch) (string, error)
}

// Batch is what becomes one request: a delivery, or the deliveries of a window.
type Batch struct {
	Deliveries []delivery.Delivery // of a window only the first
	Total      int                 // deliveries
	Failed     int                 // that are of failed runs
	DataMarts  int                 // that they are of
	Recovered  int                 // that are the first success of a data mart after failures
	Recoveries []bool              // which of Deliveries are

	sequences []int64 // of all
}

// Single returns the batch of one delivery.
func Single(d delivery.Delivery) Batch {
	b := Batch{}
	b.add(d, false, 1, map[string]bool{})
	return b
}

// Trial returns the batch of a sample, as if OWOX had sent it.
func Trial(s owox.Sample) Batch {
	body := s.JSON()
	headers := append(owox.Headers(s.ID.String(), string(s.Event)), owox.SenderHeaders()...)
	return Single(delivery.Delivery{
		Identity: owox.Identify(body), ReceivedAt: s.Now, Method: owox.Method, Path: "/", Headers: headers, Body: body, State: delivery.StateValid,
	})
}

func (b *Batch) add(d delivery.Delivery, recovered bool, most int, marts map[string]bool) {
	if len(b.Deliveries) < most {
		b.Deliveries, b.Recoveries = append(b.Deliveries, d), append(b.Recoveries, recovered)
	}
	b.Total++
	if recovered {
		b.Recovered++
	}
	if d.Event == owox.RunFailed {
		b.Failed++
	}
	marts[d.DataMartID] = true
	b.DataMarts = len(marts)
	b.sequences = append(b.sequences, d.Sequence)
}

func (t Target) withDefaults() Target {
	t.Concurrency = cmp.Or(t.Concurrency, 5)
	t.For = cmp.Or(t.For, 72*time.Hour)
	t.Limit = cmp.Or(t.Limit, owox.Timeout)
	t.MaxPerWindow = cmp.Or(t.MaxPerWindow, 10)
	return t
}

// Conditions say which deliveries a target gets. The zero value takes all that
// are valid.
type Conditions struct {
	Events    []owox.EventType // of one of these; with Recovered none: only those
	Recovered bool             // the first success of a data mart after a failure
	Matches   []expect.Match   // a payload has all of these values
	Projects  []string         // ids
	DataMarts []string         // ids
	Tests     Tests
	Invalid   bool // those with errors too
}

// Tests says what is done with test events.
type Tests string

// What can be done with test events.
const (
	WithTests    Tests = ""
	WithoutTests Tests = "no"
	OnlyTests    Tests = "only"
)

// want reports whether a delivery is for a target. What it tells stays the same
// as long as the journal has the delivery of the data mart before.
func (r *Relay) want(ctx context.Context, c Conditions, e journal.Entry) (wanted bool, err error) {
	switch {
	case e.Cut,
		!c.Invalid && !validate.Valid(e.Findings),
		c.Tests == WithoutTests && e.IsTest, c.Tests == OnlyTests && !e.IsTest,
		len(c.Projects) > 0 && !slices.Contains(c.Projects, e.ProjectID),
		len(c.DataMarts) > 0 && !slices.Contains(c.DataMarts, e.DataMartID):
		return false, nil
	}
	for _, m := range c.Matches {
		if !m.In(e.Body) {
			return false, nil
		}
	}
	wanted = len(c.Events) == 0 && !c.Recovered || slices.Contains(c.Events, e.Event)
	if wanted || !c.Recovered {
		return wanted, nil
	}
	return r.recovered(ctx, e)
}

// recovered reports whether a delivery is the first success of a data mart after
// a failure.
func (r *Relay) recovered(ctx context.Context, e journal.Entry) (bool, error) {
	if e.Event != owox.RunSuccessful || e.IsTest {
		return false, nil
	}
	previous, found, err := r.journal.Previous(ctx, e)
	return found && previous.Event == owox.RunFailed, err
}

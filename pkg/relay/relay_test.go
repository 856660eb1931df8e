package relay_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
)

// carrier is a target that remembers what reached it.
type carrier struct {
	mu   sync.Mutex
	got  []relay.Batch
	fail func(relay.Batch) *delivery.Failure // nil: nothing fails
}

func (c *carrier) Carry(_ context.Context, b relay.Batch) delivery.Attempt {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := delivery.Attempt{ID: b.Deliveries[0].ID, URL: "test"}
	if c.fail != nil {
		a.Failure = c.fail(b)
	}
	if a.OK() {
		c.got = append(c.got, b)
	}
	return a
}

func (c *carrier) Show(relay.Batch) (string, error) { return "", nil }

func (c *carrier) ids() (ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.got {
		for _, d := range b.Deliveries {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

// event makes a delivery of a run of a data mart.
func event(id string, mart, run string, t owox.EventType) delivery.Delivery {
	return delivery.Delivery{
		Identity:   owox.Identity{ID: id, Event: t, ProjectID: "p", DataMartID: mart, Title: mart, RunID: run},
		ReceivedAt: time.Now(), Method: "POST", Path: "/", State: delivery.StateValid, Body: []byte(`{"id":"` + id + `"}`),
	}
}

func openJournal(t *testing.T) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), filepath.Join(t.TempDir(), "journal.db"), journal.Options{})
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

func keep(t *testing.T, j *journal.Journal, all ...delivery.Delivery) {
	t.Helper()
	for _, d := range all {
		if err := j.Keep(&d, func() {}); err != nil {
			t.Fatal(err)
		}
	}
}

// running relays until the test ends, or stop is called.
func running(t *testing.T, options relay.Options) (r *relay.Relay, stop func()) {
	t.Helper()
	options.Log = func(line string) { t.Log(line) }
	r, err := relay.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return r, stop
}

// eventually waits until what a function returns is as wanted.
func eventually[T any](t *testing.T, what string, want T, got func() T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if fmt.Sprint(got()) == fmt.Sprint(want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: got %v, want %v", what, got(), want)
		}
	}
}

func TestWhatIsKeptReachesEveryTarget(t *testing.T) {
	j := openJournal(t)
	keep(t, j, event("before", "m", "r0", owox.RunFailed))
	a, b := &carrier{}, &carrier{}
	r, _ := running(t, relay.Options{Journal: j, Targets: []relay.Target{{Name: "a", Carrier: a}, {Name: "b", Carrier: b}}})
	var want []string
	for i := range 50 {
		id := fmt.Sprintf("id-%02d", i)
		want = append(want, id)
		keep(t, j, event(id, "m", "r"+id, owox.RunFailed))
		r.Wake()
	}
	for _, c := range []*carrier{a, b} {
		eventually(t, "what arrived", want, func() []string {
			ids := c.ids()
			slices.Sort(ids)
			return ids
		})
	}
}

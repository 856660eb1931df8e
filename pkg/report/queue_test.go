package report

import (
	"errors"
	"testing"

	"github.com/owoxhook/owoxhook/pkg/delivery"
)

// reportFunc is a reporter of deliveries.
type reportFunc func(delivery.Delivery) error

func (r reportFunc) Report(result Result) error { return r(result.(Delivery).Delivery) }
func (r reportFunc) Close() error               { return nil }

func noFlush() error { return nil }

func TestQueueFlushesWhatItReported(t *testing.T) {
	gone := errors.New("gone")
	reported, failed := 0, make(chan struct{})
	q := NewQueue(reportFunc(func(delivery.Delivery) error { reported++; return nil }), func() error { return gone }, func() { close(failed) })
	q.Put(delivery.Delivery{})
	<-failed
	if _, err := q.Close(t.Context()); reported != 1 || !errors.Is(err, gone) {
		t.Errorf("%d reported, %v; want 1, %v", reported, err, gone)
	}
}

func TestQueueReportsEverythingInOrder(t *testing.T) {
	var reported []int
	q := NewQueue(reportFunc(func(d delivery.Delivery) error { reported = append(reported, d.Answered); return nil }), noFlush, func() { t.Error("failed") })
	for i := range 1000 {
		q.Put(delivery.Delivery{Answered: i})
	}
	if omitted, err := q.Close(t.Context()); omitted != 0 || err != nil {
		t.Errorf("omitted %d, %v", omitted, err)
	}
	for i, got := range reported {
		if got != i {
			t.Fatalf("delivery %d was reported at place %d", got, i)
		}
	}
	if len(reported) != 1000 {
		t.Errorf("%d reported, want 1000", len(reported))
	}
}

func TestQueueCountsWhatDoesNotFit(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	reported := 0
	q := NewQueue(reportFunc(func(delivery.Delivery) error {
		if reported++; reported == 1 {
			close(started)
			<-release
		}
		return nil
	}), noFlush, func() { t.Error("failed") })
	q.Put(delivery.Delivery{})
	<-started
	for range 9 {
		q.Put(delivery.Delivery{Body: make([]byte, queueBytes/8)})
	}
	for range queueLength {
		q.Put(delivery.Delivery{})
	}
	close(release)
	omitted, err := q.Close(t.Context())
	if want := 1 + queueLength - (queueLength - 8); omitted != want || err != nil {
		t.Errorf("omitted %d, want %d (%v)", omitted, want, err)
	}
	if reported != 1+queueLength {
		t.Errorf("reported %d, want %d", reported, 1+queueLength)
	}
}

func TestQueueEndsWithItsReader(t *testing.T) {
	gone := errors.New("gone")
	failed := make(chan struct{})
	q := NewQueue(reportFunc(func(delivery.Delivery) error { return gone }), noFlush, func() { close(failed) })
	q.Put(delivery.Delivery{})
	<-failed
	q.Put(delivery.Delivery{})
	if omitted, err := q.Close(t.Context()); omitted != 1 || !errors.Is(err, gone) {
		t.Errorf("omitted %d, %v; want 1, %v", omitted, err, gone)
	}
}

package cmd

import (
	"errors"
	"testing"

	"github.com/owoxhook/owoxhook/pkg/delivery"
)

func noFlush() error { return nil }

func TestOutboxFlushesWhatItSaid(t *testing.T) {
	gone := errors.New("gone")
	said, failed := 0, make(chan struct{})
	o := newOutbox(func(delivery.Delivery) error { said++; return nil }, func() error { return gone }, func() { close(failed) })
	o.put(delivery.Delivery{})
	<-failed
	if _, _, err := o.close(); said != 1 || !errors.Is(err, gone) {
		t.Errorf("%d said, %v", said, err)
	}
}

func TestOutboxSaysEverythingInOrder(t *testing.T) {
	var said []int
	o := newOutbox(func(d delivery.Delivery) error { said = append(said, d.Answered); return nil }, noFlush, func() { t.Error("failed") })
	for i := range 1000 {
		o.put(delivery.Delivery{Answered: i})
	}
	if omitted, stuck, err := o.close(); omitted != 0 || stuck || err != nil {
		t.Errorf("omitted %d, stuck %v, %v", omitted, stuck, err)
	}
	for i, got := range said {
		if got != i {
			t.Fatalf("delivery %d was said at place %d", got, i)
		}
	}
	if len(said) != 1000 {
		t.Errorf("%d said, want 1000", len(said))
	}
}

func TestOutboxCountsWhatDoesNotFit(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	said := 0
	o := newOutbox(func(delivery.Delivery) error {
		if said++; said == 1 {
			close(started)
			<-release
		}
		return nil
	}, noFlush, func() { t.Error("failed") })
	o.put(delivery.Delivery{})
	<-started
	for range 9 {
		o.put(delivery.Delivery{Body: make([]byte, outboxBytes/8)})
	}
	for range outboxLines {
		o.put(delivery.Delivery{})
	}
	close(release)
	omitted, _, err := o.close()
	if want := 1 + outboxLines - (outboxLines - 8); omitted != want || err != nil {
		t.Errorf("omitted %d, want %d (%v)", omitted, want, err)
	}
	if said != 1+outboxLines {
		t.Errorf("said %d, want %d", said, 1+outboxLines)
	}
}

func TestOutboxEndsWithItsReader(t *testing.T) {
	gone := errors.New("gone")
	failed := make(chan struct{})
	o := newOutbox(func(delivery.Delivery) error { return gone }, noFlush, func() { close(failed) })
	o.put(delivery.Delivery{})
	<-failed
	o.put(delivery.Delivery{})
	if omitted, stuck, err := o.close(); omitted != 1 || stuck || !errors.Is(err, gone) {
		t.Errorf("omitted %d, stuck %v, %v", omitted, stuck, err)
	}
}

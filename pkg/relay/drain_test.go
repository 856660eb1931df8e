package relay_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
)

func TestDrain(t *testing.T) {
	if os.Getenv("DRAIN") == "" {
		t.Skip()
	}
	const n = 20000
	j := openFile(t)
	c := &carrier{}
	r, stop := running(t, relay.Options{Journal: j, Targets: []relay.Target{{Name: "a", Carrier: c, Concurrency: 1000}}})
	stop()
	start := time.Now()
	done := make(chan bool)
	for w := range 64 {
		go func() {
			for i := w; i < n; i += 64 {
				d := event(fmt.Sprintf("id-%06d", i), "m", fmt.Sprint(i), owox.RunFailed)
				if err := j.Keep(&d, func() {}); err != nil {
					t.Error(err)
				}
			}
			done <- true
		}()
	}
	for range 64 {
		<-done
	}
	t.Logf("kept in %v", time.Since(start))
	start = time.Now()
	r, _ = running(t, relay.Options{Journal: j, Targets: []relay.Target{{Name: "a", Carrier: c, Concurrency: 1000}}})
	_ = r
	for len(c.ids()) < n {
		time.Sleep(50 * time.Millisecond)
	}
	took := time.Since(start)
	t.Logf("drained %d in %v, %.0f a second", len(c.ids()), took, n/took.Seconds())
}

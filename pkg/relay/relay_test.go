package relay_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/expect"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
	"github.com/owoxhook/owoxhook/pkg/validate"
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

// onEach runs a test on each database.
func onEach(t *testing.T, test func(t *testing.T, j *journal.Journal)) {
	t.Helper()
	for name, database := range relay.Databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, openJournal(t, database(t)))
		})
	}
}

func openFile(t *testing.T) *journal.Journal {
	t.Helper()
	return openJournal(t, relay.Databases["sqlite"](t))
}

func openJournal(t *testing.T, where string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), where, journal.Options{})
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
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if fmt.Sprint(got()) == fmt.Sprint(want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: got %v, want %v", what, got(), want)
		}
	}
}

func TestWhatIsKeptReachesEveryTarget(t *testing.T) {
	onEach(t, func(t *testing.T, j *journal.Journal) {
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
	})
}

func TestAFailingTargetHoldsUpNoOther(t *testing.T) {
	onEach(t, func(t *testing.T, j *journal.Journal) {
		down := &carrier{fail: func(relay.Batch) *delivery.Failure { return &delivery.Failure{Kind: delivery.Refused, Error: "down"} }}
		up := &carrier{}
		r, _ := running(t, relay.Options{Journal: j, Targets: []relay.Target{{Name: "down", Carrier: down}, {Name: "up", Carrier: up}}})
		for i := range 100 {
			keep(t, j, event(fmt.Sprint("id-", i), "m", fmt.Sprint("r-", i), owox.RunFailed))
		}
		r.Wake()
		eventually(t, "delivered to the other", 100, func() int { return len(up.ids()) })
		all, err := r.Status(t.Context())
		if err != nil || all[0].Target != "down" || all[0].Waiting+all[0].Delivering != 100 {
			t.Errorf("status %+v, %v, want 100 that wait for the one that is down", all, err)
		}
	})
}

// A relay that is replaced by one with one more target runs beside it for a
// while, on the same journal.
func TestRelaysOfOtherTargetsTakeNothingAway(t *testing.T) {
	for name, database := range relay.Databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			where := database(t)
			one, two := openJournal(t, where), openJournal(t, where)
			app, alsoApp, alerts := &carrier{}, &carrier{}, &carrier{}
			running(t, relay.Options{Journal: one, Targets: []relay.Target{{Name: "app", Carrier: app}}})
			_, stop := running(t, relay.Options{Journal: two, Targets: []relay.Target{{Name: "app", Carrier: alsoApp}, {Name: "alerts", Carrier: alerts}}})
			for i := range 50 {
				keep(t, one, event(fmt.Sprint("id-", i), "m", fmt.Sprint("r-", i), owox.RunFailed))
			}
			eventually(t, "delivered to both targets", "50 50", func() string { return fmt.Sprint(len(app.ids())+len(alsoApp.ids()), " ", len(alerts.ids())) })

			// what comes while a target has no relay waits for one
			stop()
			for i := range 5 {
				keep(t, one, event(fmt.Sprint("later-", i), "m", fmt.Sprint("later-", i), owox.RunFailed))
			}
			eventually(t, "delivered to the one that is there", 55, func() int { return len(app.ids()) + len(alsoApp.ids()) })
			running(t, relay.Options{Journal: two, Targets: []relay.Target{{Name: "alerts", Carrier: alerts}}})
			eventually(t, "delivered to the other too", 55, func() int { return len(alerts.ids()) })
		})
	}
}

func TestARelayThatStartsDuringAnOutageGoesOn(t *testing.T) {
	server, where := relay.OwnServer(t)
	j, c := openJournal(t, where), &carrier{}
	r, err := relay.Open(t.Context(), relay.Options{Journal: j, Targets: []relay.Target{{Name: "app", Carrier: c}}, Log: func(line string) { t.Log(line) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Crash(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	time.Sleep(2 * time.Second) // it tries meanwhile
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	keep(t, j, event("id", "m", "r", owox.RunFailed))
	eventually(t, "delivered after the outage", 1, func() int { return len(c.ids()) })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Only what is under way is waited for, not what waits for a target.
func TestTheEndDoesNotWaitForATargetThatIsDown(t *testing.T) {
	onEach(t, func(t *testing.T, j *journal.Journal) {
		var failed atomic.Int64
		down := &carrier{fail: func(relay.Batch) *delivery.Failure { return &delivery.Failure{Kind: delivery.Refused, Error: "down"} }}
		_, stop := running(t, relay.Options{
			Journal: j, Targets: []relay.Target{{Name: "down", Carrier: down}, {Name: "ordered", Carrier: down, Ordered: true}}, Finish: time.Minute,
			Attempted: func(delivery.Attempt) { failed.Add(1) },
		})
		for i := range 50 {
			keep(t, j, event(fmt.Sprint("id-", i), "m", fmt.Sprint("r-", i), owox.RunFailed))
		}
		eventually(t, "attempts that failed", true, func() bool { return failed.Load() > 5 })
		began := time.Now()
		stop()
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it ended after %v, though nothing was under way", took)
		}
	})
}

// The clock runs 300 times as fast: an hour takes 12 seconds.
func TestATargetThatIsDownForAnHourGetsEverything(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	onEach(t, func(t *testing.T, j *journal.Journal) {
		const deliveries, speed = 1000, 300
		began := time.Now()
		now := func() time.Time { return began.Add(time.Since(began) * speed) }
		c := &carrier{fail: func(relay.Batch) *delivery.Failure {
			if now().Sub(began) > time.Hour {
				return nil
			}
			return &delivery.Failure{Kind: delivery.Refused, Error: "down"}
		}}
		var failed atomic.Int64
		r, _ := running(t, relay.Options{
			Journal: j, Targets: []relay.Target{{Name: "app", Carrier: c, Concurrency: 50}}, Now: now,
			Attempted: func(a delivery.Attempt) {
				if !a.OK() {
					failed.Add(1)
				}
			},
		})
		var want []string
		for i := range deliveries {
			want = append(want, fmt.Sprintf("id-%04d", i))
			keep(t, j, event(want[i], "m", want[i], owox.RunFailed))
		}
		r.Wake()
		status := func() relay.Status {
			all, err := r.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return all[0]
		}
		eventually(t, "waits or is under way while the target is down", deliveries, func() int { return status().Waiting + status().Delivering })
		for deadline := time.Now().Add(2 * time.Minute); len(c.ids()) < deliveries && time.Now().Before(deadline); {
			time.Sleep(100 * time.Millisecond)
		}
		got := c.ids()
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%d deliveries arrived, want each of %d once", len(got), deliveries)
		}
		if took := now().Sub(began); took < time.Hour || took > 4*time.Hour {
			t.Errorf("all had arrived after %v, want a short time after an hour", took)
		}
		// 5 failures shut the way; then one attempt in 15 seconds, of an hour's 3600.
		if n := failed.Load(); n < 6 || n > 50+3600/15 {
			t.Errorf("%d attempts failed, want some, and by far not one for each delivery and time", n)
		}
	})
}

func TestConditionsChooseDeliveries(t *testing.T) {
	failed := event("failed", "m1", "r1", owox.RunFailed)
	successful := event("successful", "m2", "r2", owox.RunSuccessful)
	test := event("test", "m1", "r3", owox.RunFailed)
	test.IsTest = true
	invalid := event("invalid", "m1", "r4", owox.RunFailed)
	invalid.State, invalid.Findings = delivery.StateInvalid, []validate.Finding{{Rule: "r", Severity: validate.Error}}
	again := event("again", "m1", "r5", owox.RunSuccessful)
	twice := event("twice", "m1", "r6", owox.RunSuccessful)
	repeated := event("failed", "m1", "r1", owox.RunFailed)
	later := event("later", "m1", "r8", owox.RunSuccessful)
	gone := event("gone", "m3", "r7", owox.RunFailed)
	gone.State = delivery.StateGone
	all := []delivery.Delivery{failed, successful, test, invalid, again, twice, repeated, later, gone}
	for _, c := range []struct {
		name       string
		conditions relay.Conditions
		want       []string
	}{
		{"none", relay.Conditions{}, []string{"again", "failed", "gone", "later", "successful", "test", "twice"}},
		{"event", relay.Conditions{Events: []owox.EventType{owox.RunFailed}}, []string{"failed", "gone", "test"}},
		{"recovered", relay.Conditions{Recovered: true}, []string{"again"}},
		{"failed and recovered", relay.Conditions{Events: []owox.EventType{owox.RunFailed}, Recovered: true, Tests: relay.WithoutTests}, []string{"again", "failed", "gone"}},
		{"only tests", relay.Conditions{Tests: relay.OnlyTests}, []string{"test"}},
		{"data mart", relay.Conditions{DataMarts: []string{"m2", "m3"}}, []string{"gone", "successful"}},
		{"project", relay.Conditions{Projects: []string{"other"}}, nil},
		{"match", relay.Conditions{Matches: []expect.Match{{Path: owox.PathID, Value: "twice"}}}, []string{"twice"}},
		{"invalid", relay.Conditions{Invalid: true, Matches: []expect.Match{{Path: owox.PathID, Value: "invalid"}}}, []string{"invalid"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := openFile(t)
			got := &carrier{}
			r, stop := running(t, relay.Options{Journal: j, Targets: []relay.Target{{Name: "a", Carrier: got, Conditions: c.conditions}, {Name: "all", Carrier: &carrier{}}}})
			keep(t, j, all...)
			eventually(t, "relayed to the target without conditions", 7, func() int { return delivered(t, r, "all") })
			stop()
			ids := got.ids()
			slices.Sort(ids)
			if !slices.Equal(ids, c.want) {
				t.Errorf("got %v, want %v", ids, c.want)
			}
		})
	}
}

func delivered(t *testing.T, r *relay.Relay, target string) int {
	t.Helper()
	all, err := r.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Target == target {
			return s.Delivered
		}
	}
	return 0
}

// The sender repeats a run under its id after a timeout, and under a new one
// after a crash of its own.
func TestRepetitionsReachATargetOnce(t *testing.T) {
	onEach(t, func(t *testing.T, j *journal.Journal) {
		c := &carrier{}
		keep(t, j, event("old", "m", "run-old", owox.RunFailed))
		r, _ := running(t, relay.Options{Journal: j, Targets: []relay.Target{{Name: "a", Carrier: c}}})
		late := event("first", "m", "run-1", owox.RunFailed)
		late.ReceivedAt = late.ReceivedAt.Add(25 * time.Hour)
		keep(
			t, j, event("first", "m", "run-1", owox.RunFailed), event("first", "m", "run-1", owox.RunFailed), event("second", "m", "run-1", owox.RunFailed),
			event("third", "m", "run-1", owox.RunSuccessful), event("old", "m", "run-old", owox.RunFailed), late, event("last", "m", "run-2", owox.RunFailed),
		)
		r.Wake()
		want := []string{"first", "first", "last", "old", "third"} // what came before the relay never reached the target
		eventually(t, "what arrived", want, func() []string {
			ids := c.ids()
			slices.Sort(ids)
			return ids
		})
	})
}

// What a target did not want at the time it has not had.
func TestARepetitionArrivesThatIsWantedNow(t *testing.T) {
	onEach(t, func(t *testing.T, j *journal.Journal) {
		c := &carrier{}
		for _, wants := range []struct {
			mart string
			have []string
		}{{"other", []string{"of other"}}, {"m", []string{"id", "of m", "of other"}}} {
			target := relay.Target{Name: "a", Carrier: c, Conditions: relay.Conditions{DataMarts: []string{wants.mart}}}
			r, stop := running(t, relay.Options{Journal: j, Targets: []relay.Target{target}})
			keep(t, j, event("id", "m", "run", owox.RunFailed), event("of "+wants.mart, wants.mart, "run of "+wants.mart, owox.RunFailed))
			r.Wake()
			eventually(t, "what came", wants.have, func() []string { return slices.Sorted(slices.Values(c.ids())) })
			stop()
		}
	})
}

// A target that is no channel any more gets all of a window.
func TestAWindowIsDeliveredOneByOneToATargetThatDoesNotGroup(t *testing.T) {
	onEach(t, func(t *testing.T, j *journal.Journal) {
		channel := &carrier{fail: func(relay.Batch) *delivery.Failure { return &delivery.Failure{Kind: delivery.Refused, Error: "down"} }}
		r, stop := running(t, relay.Options{Journal: j, Targets: []relay.Target{{Name: "a", Carrier: channel, Group: time.Second, GroupByMart: true}}})
		const marts, each = 2, 15 // more than a message names
		for i := range marts * each {
			keep(t, j, event(fmt.Sprint("id-", i), fmt.Sprint("m", i%marts), fmt.Sprint("r", i), owox.RunFailed))
		}
		r.Wake()
		eventually(t, "failed", true, func() bool {
			jobs, err := r.Jobs(t.Context(), relay.Selection{}, 10)
			return err == nil && len(jobs) == marts && jobs[0].Error != "" && jobs[1].Error != ""
		})
		stop()
		var failed atomic.Bool
		application := &carrier{fail: func(b relay.Batch) *delivery.Failure {
			if b.Deliveries[0].ID == "id-20" && failed.CompareAndSwap(false, true) {
				return &delivery.Failure{Kind: delivery.Reset, Error: "cut"}
			}
			return nil
		}}
		r, _ = running(t, relay.Options{Journal: j, Targets: []relay.Target{{Name: "a", Carrier: application}}})
		if _, err := r.Retry(t.Context(), relay.Selection{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "given up or delivered", marts, func() int { return delivered(t, r, "a") })
		got := application.ids()
		slices.Sort(got)
		if n := len(got); n != marts*each || len(slices.Compact(got)) != n {
			t.Errorf("the application got %d deliveries, want %d, each once", n, marts*each)
		}
	})
}

func TestAWindowBecomesOneMessage(t *testing.T) {
	onEach(t, func(t *testing.T, j *journal.Journal) {
		all, marts, recovered := &carrier{}, &carrier{}, &carrier{}
		r, _ := running(t, relay.Options{Journal: j, Targets: []relay.Target{
			{Name: "all", Carrier: all, Group: time.Second, MaxPerWindow: 3},
			{Name: "marts", Carrier: marts, Group: time.Second, GroupByMart: true, Conditions: relay.Conditions{Events: []owox.EventType{owox.RunFailed}}},
			{Name: "recovered", Carrier: recovered, Group: time.Second, MaxPerWindow: 2, Conditions: relay.Conditions{Recovered: true}},
		}})
		for i := range 12 {
			keep(t, j, event(fmt.Sprint("id-", i), fmt.Sprint("m", i%3), fmt.Sprint("r", i), []owox.EventType{owox.RunFailed, owox.RunSuccessful}[i/9]))
		}
		keep(t, j, event("id-0", "m0", "r0", owox.RunFailed)) // a repetition
		r.Wake()
		describe := func(c *carrier) (words []string) {
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, b := range c.got {
				words = append(words, fmt.Sprintf("%d of %d data marts, %d failed, %d recovered, %d named", b.Total, b.DataMarts, b.Failed, b.Recovered, len(b.Deliveries)))
			}
			return words
		}
		eventually(t, "message about all", []string{"12 of 3 data marts, 9 failed, 3 recovered, 3 named"}, func() []string { return describe(all) })
		three := "3 of 1 data marts, 3 failed, 0 recovered, 3 named"
		eventually(t, "message about recoveries", []string{"3 of 3 data marts, 0 failed, 3 recovered, 2 named"}, func() []string { return describe(recovered) })
		eventually(t, "messages by data mart", []string{three, three, three}, func() []string { return describe(marts) })
	})
}

func TestAWindowThatWasGivenUpIsTriedAgainWhole(t *testing.T) {
	onEach(t, func(t *testing.T, j *journal.Journal) {
		var back atomic.Bool
		c := &carrier{fail: func(relay.Batch) *delivery.Failure {
			if back.Load() {
				return nil
			}
			return &delivery.Failure{Kind: delivery.Refused, Error: "down"}
		}}
		options := relay.Options{Journal: j, Targets: []relay.Target{{Name: "a", Carrier: c, Group: 200 * time.Millisecond, For: time.Millisecond}}}
		r, stop := running(t, options)
		for i := range 3 {
			keep(t, j, event(fmt.Sprint("id-", i), "m", fmt.Sprint("r", i), owox.RunFailed))
		}
		r.Wake()
		state := func() string {
			all, err := r.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(all[0].GivenUp, " given up, ", all[0].Delivered, " delivered")
		}
		eventually(t, "the window", "1 given up, 0 delivered", state)
		back.Store(true)
		keep(t, j, event("later", "m", "later", owox.RunFailed))
		eventually(t, "another window", "1 given up, 1 delivered", state)
		stop()
		r, _ = running(t, options) // which looks at what is still needed
		if n, err := r.Retry(t.Context(), relay.Selection{GivenUp: true}); n != 1 || err != nil {
			t.Errorf("%d tried again, %v, want 1", n, err)
		}
		eventually(t, "delivered", "[later id-0 id-1 id-2]", func() string { return fmt.Sprint(c.ids()) })
	})
}

func TestOrderedDeliveriesWaitForThoseBefore(t *testing.T) {
	onEach(t, func(t *testing.T, j *journal.Journal) {
		var once sync.Once
		c := &carrier{}
		c.fail = func(b relay.Batch) (f *delivery.Failure) {
			if b.Deliveries[0].ID == "a-0" {
				once.Do(func() { f = &delivery.Failure{Kind: delivery.Reset, Error: "cut"} })
			}
			return f
		}
		r, _ := running(t, relay.Options{Journal: j, Targets: []relay.Target{{Name: "a", Carrier: c, Ordered: true}}, Jitter: func() float64 { return 0 }})
		var want []string
		for i := range 4 {
			want = append(want, fmt.Sprint("a-", i))
			keep(t, j, event(fmt.Sprint("a-", i), "a", fmt.Sprint("ra-", i), owox.RunFailed), event(fmt.Sprint("b-", i), "b", fmt.Sprint("rb-", i), owox.RunFailed))
		}
		r.Wake()
		of := func(mart string) func() []string {
			return func() []string {
				return slices.DeleteFunc(c.ids(), func(id string) bool { return id[:1] != mart })
			}
		}
		eventually(t, "of the other data mart", []string{"b-0", "b-1", "b-2", "b-3"}, of("b"))
		if early := of("a")(); len(early) > 0 && early[0] != "a-0" {
			t.Errorf("%v came before the one that failed", early)
		}
		eventually(t, "of the data mart whose first failed", want, of("a"))
	})
}

// After an outage jobs are due in any order, and those whose turn has not come
// must leave room for those whose turn it is, whether somebody has them tried
// again or not.
func TestOrderedDeliveriesGoOnAfterAnOutage(t *testing.T) {
	for _, retried := range []bool{false, true} {
		t.Run(fmt.Sprint("retried ", retried), func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, j *journal.Journal) {
				var up atomic.Bool
				c := &carrier{fail: func(relay.Batch) *delivery.Failure {
					if up.Load() {
						return nil
					}
					return &delivery.Failure{Kind: delivery.Refused, Error: "down"}
				}}
				r, _ := running(t, relay.Options{Journal: j, Targets: []relay.Target{{Name: "a", Carrier: c, Ordered: true}}})
				const marts, each = 12, 10
				want := map[string][]string{}
				for i := range marts * each {
					mart := fmt.Sprint("m", i%marts)
					id := fmt.Sprint(mart, "-", i)
					want[mart] = append(want[mart], id)
					keep(t, j, event(id, mart, id, owox.RunFailed))
				}
				r.Wake()
				time.Sleep(8 * time.Second)
				if retried {
					if _, err := r.Retry(t.Context(), relay.Selection{}); err != nil {
						t.Error(err)
					}
				}
				up.Store(true)
				eventually(t, "after the outage", marts*each, func() int { return len(c.ids()) })
				for mart, ids := range want {
					got := slices.DeleteFunc(c.ids(), func(id string) bool { return !strings.HasPrefix(id, mart+"-") })
					if !slices.Equal(got, ids) {
						t.Errorf("of %s came %v, want %v", mart, got, ids)
					}
				}
			})
		})
	}
}

// What was behind a delivery that is dropped, or tried again sooner, knows only
// when that would have been tried.
func TestOrderedDeliveriesGoOnWithoutOneThatIsDropped(t *testing.T) {
	onEach(t, func(t *testing.T, j *journal.Journal) {
		c := &carrier{fail: func(b relay.Batch) *delivery.Failure {
			if b.Deliveries[0].ID == "a-0" {
				return &delivery.Failure{Kind: delivery.Refused, Error: "down"}
			}
			return nil
		}}
		r, _ := running(t, relay.Options{Journal: j, Targets: []relay.Target{{Name: "a", Carrier: c, Ordered: true}}})
		for i := range 3 {
			keep(t, j, event(fmt.Sprint("a-", i), "a", fmt.Sprint("r-", i), owox.RunFailed))
		}
		r.Wake()
		var first []relay.Job
		eventually(t, "attempts at the first", 2, func() int {
			if first, _ = r.Jobs(t.Context(), relay.Selection{}, 1); len(first) == 0 || first[0].State != relay.Waiting {
				return 0
			}
			return first[0].Attempts
		})
		if n, err := r.Drop(t.Context(), relay.Selection{Sequence: 1}); n != 1 || err != nil {
			t.Fatalf("dropped %d, %v, want 1", n, err)
		}
		eventually(t, "the others", []string{"a-1", "a-2"}, c.ids)
		if now := time.Now(); now.After(first[0].Next) {
			t.Errorf("they came at %v, want them before %v, when the dropped one would have been tried", now, first[0].Next)
		}
	})
}

func TestTheJournalKeepsWhatWaits(t *testing.T) {
	j, err := journal.Open(t.Context(), filepath.Join(t.TempDir(), "journal.db"), journal.Options{Keep: 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	c := &carrier{fail: func(relay.Batch) *delivery.Failure { return &delivery.Failure{Kind: delivery.Refused, Error: "down"} }}
	r, stop := running(t, relay.Options{Journal: j, Targets: []relay.Target{{Name: "a", Carrier: c}}})
	const n = 1500
	var group errgroup.Group
	group.SetLimit(64)
	for i := range n {
		d := event(fmt.Sprint("id-", i), "m", fmt.Sprint("r-", i), owox.RunFailed)
		group.Go(func() error { return j.Keep(&d, func() {}) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	r.Wake()
	eventually(t, "jobs", n, func() int {
		all, err := r.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return all[0].Waiting + all[0].Delivering
	})
	stop()
	if kept, err := j.Sequences(t.Context(), journal.Filter{}); err != nil || len(kept) != n {
		t.Errorf("%d deliveries kept, %v, want all that wait", len(kept), err)
	}
}

package inspector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/receiver"
	"github.com/owoxhook/owoxhook/pkg/relay"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// fakeRelay is a relay whose jobs a test chooses.
type fakeRelay struct {
	mu      sync.Mutex
	jobs    []relay.Job
	slowed  bool
	targets map[string]relay.Target
	asked   int
	err     error
}

func (f *fakeRelay) Status(context.Context) (all []relay.Status, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	names := append(slices.Collect(maps.Keys(f.targets)), "old")
	slices.Sort(names)
	for _, name := range names {
		s := relay.Status{Target: name, Delivered: 7, Slowed: f.slowed && name == "app"}
		for _, j := range f.jobs {
			switch {
			case j.Target != name:
			case j.State == relay.GivenUp:
				s.GivenUp++
			default:
				s.Waiting++
				s.Oldest, s.Next = j.Added, j.Next
			}
		}
		all = append(all, s)
	}
	return all, f.err
}

func chosen(which relay.Selection, j relay.Job) bool {
	return (which.Target == "" || which.Target == j.Target) && (which.Sequence == 0 || which.Sequence == j.Sequence) &&
		(!which.GivenUp || j.State == relay.GivenUp) && (!which.Waiting || j.State == relay.Waiting)
}

func (f *fakeRelay) Jobs(_ context.Context, which relay.Selection, limit int) (found []relay.Job, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, j := range f.jobs {
		if len(found) < limit && chosen(which, j) {
			found = append(found, j)
		}
	}
	return found, f.err
}

func (f *fakeRelay) Retry(_ context.Context, which relay.Selection) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for at, j := range f.jobs {
		if chosen(which, j) {
			n, f.jobs[at].State, f.jobs[at].Error = n+1, relay.Waiting, ""
		}
	}
	return n, f.err
}

func (f *fakeRelay) Drop(_ context.Context, which relay.Selection) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.jobs)
	f.jobs = slices.DeleteFunc(f.jobs, func(j relay.Job) bool { return chosen(which, j) })
	return before - len(f.jobs), f.err
}

func (f *fakeRelay) Target(name string) (relay.Target, bool) {
	t, ok := f.targets[name]
	return t, ok
}

func (f *fakeRelay) add(jobs ...relay.Job) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.jobs = append(f.jobs, jobs...)
}

// left tells which jobs there are: target, delivery and state.
func (f *fakeRelay) left() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, j := range f.jobs {
		all = append(all, fmt.Sprintf("%s/%d/%s", j.Target, j.Sequence, j.State))
	}
	return strings.Join(all, " ")
}

// relays has the page of a house stand beside a relay with two targets, and
// what waits for a third one that is not there any more.
func (h *house) relays(t testing.TB) *fakeRelay {
	t.Helper()
	s := sender.New(sender.Options{Relayed: true})
	t.Cleanup(s.Close)
	channel, err := url.Parse(h.hookURL + "services/s3cr3t")
	if err != nil {
		t.Fatal(err)
	}
	to, _ := url.Parse(h.hookURL)
	f := &fakeRelay{targets: map[string]relay.Target{
		"app":    {Name: "app", Carrier: relay.Application(s, to, []owox.Header{{Name: "Authorization", Value: "Bearer s3cr3t"}})},
		"alerts": {Name: "alerts", Carrier: relay.Messages(s, channel, nil, relay.Slack.BuiltIn(), "")},
	}}
	now := h.clock()
	f.add(
		relay.Job{Target: "app", Sequence: 1, State: relay.Waiting, Attempts: 3, Added: now.Add(-3 * time.Hour), Next: now.Add(10*time.Minute + time.Second), Error: "status 503 Service Unavailable"},
		relay.Job{Target: "alerts", Sequence: 1, State: relay.GivenUp, Attempts: 3, Error: "status 404 Not Found, 3 times"},
		relay.Job{Target: "alerts", Sequence: 2, State: relay.GivenUp, Attempts: 1, Error: "status 410 Gone"},
		relay.Job{Target: "old", Sequence: 2, State: relay.Waiting, Added: now},
	)
	h.page.options.Relay = f
	return f
}

func TestRelayPagesShowHowTheRelayStands(t *testing.T) {
	h := newHouse(t)
	h.now = time.Now() // or 10 minutes become 9
	h.deliver(t, sampleBody(t, owox.RunFailed))
	f := h.relays(t)
	f.slowed = true
	for path, test := range map[string]struct{ has, lacks []string }{
		"/": {has: []string{`<a href="/relay">Relay</a>`}},
		"/relay": {has: []string{
			"slowed down", "not configured", "3h ago", "in 10m", "status 503 Service Unavailable", "404 Not Found, 3 times",
			`href="/deliveries/2"`, `id="job-1-app"`, `id="job-2-old"`, `href="/relay/drop?target=old&amp;shown="`, `href="/relay/test?target=app"`,
		}, lacks: []string{"/relay/test?target=old", "s3cr3t"}},
		"/relay?target=app":                     {has: []string{"only <strong>app</strong>", `id="job-1-app"`, "Nothing was given up"}, lacks: []string{"job-1-alerts", "job-2-old"}},
		"/relay?target=nowhere":                 {has: []string{`id="job-1-app"`, `id="job-1-alerts"`}},
		"/relay?retried=1":                      {has: []string{"1 delivery is tried again."}},
		"/relay?dropped=<b>":                    {lacks: []string{"<b>", "dropped."}},
		"/relay/drop?target=alerts&delivery=2":  {has: []string{"Drop delivery 2 for alerts?", "given up after 1 attempt", "410 Gone"}},
		"/relay/drop?state=given-up":            {has: []string{"Drop 2 deliveries?", "All that were given up"}},
		"/relay/drop?state=given-up&target=app": {has: []string{"meanwhile"}},
		"/relay/drop?target=old&shown=old":      {has: []string{"Drop 1 delivery for old?", "All that wait or were given up", `href="/relay?target=old"`}},
		"/relay/drop?target=alerts&delivery=9":  {has: []string{"delivered or dropped meanwhile"}},
		"/relay/drop":                           {has: []string{"Nothing to drop"}},
		"/relay/drop?delivery=x":                {has: []string{"is not the number of a delivery"}},
		"/relay/test?target=alerts":             {has: []string{"Test alerts", "Nothing is kept"}, lacks: []string{"s3cr3t"}},
		"/relay/test?target=old":                {has: []string{"has no target"}},
		"/deliveries/1":                         {has: []string{"Not yet relayed", "3 attempts", "in 10m", "given up"}},
	} {
		got := h.get(t, path)
		for _, want := range test.has {
			if !strings.Contains(got.body, want) {
				t.Errorf("%s has no %q:\n%s", path, want, got.body)
			}
		}
		for _, not := range test.lacks {
			if strings.Contains(got.body, not) {
				t.Errorf("%s has %q:\n%s", path, not, got.body)
			}
		}
	}
	for n := range 2 * pageSize {
		f.add(relay.Job{Target: "app", Sequence: int64(n + 10), State: relay.GivenUp})
	}
	if got := h.get(t, "/relay").body; strings.Count(got, `class="delivery"`) != pageSize+2 || !strings.Contains(got, "The oldest 50 of 102 are listed") {
		t.Errorf("got %d jobs, want the first %d of what was given up, and that there are more", strings.Count(got, `class="delivery"`), pageSize)
	}
	f.err = errors.New("the database is gone")
	for _, path := range []string{"/relay", "/relay/drop?state=given-up", "/relay/drop?target=app&delivery=1"} {
		if got := h.get(t, path); got.code != 500 || !strings.Contains(got.body, "the database is gone") {
			t.Errorf("%s: got status %d, want 500 and what is wrong", path, got.code)
		}
	}
}

func TestActionsOnARelayDoWhatTheySay(t *testing.T) {
	for name, test := range map[string]struct {
		path, form string
		want       int
		goes, left string
	}{
		"retry one":              {"/relay/retry", "target=alerts&delivery=2", 303, "/relay?retried=1", "app/1/waiting alerts/1/given-up alerts/2/waiting old/2/waiting"},
		"retry all given up":     {"/relay/retry", "state=given-up&target=", 303, "/relay?retried=2", "app/1/waiting alerts/1/waiting alerts/2/waiting old/2/waiting"},
		"retry a target":         {"/relay/retry", "target=alerts&shown=app", 303, "/relay?retried=2&target=app", "app/1/waiting alerts/1/waiting alerts/2/waiting old/2/waiting"},
		"drop one":               {"/relay/drop", "target=app&delivery=1", 303, "/relay?dropped=1", "alerts/1/given-up alerts/2/given-up old/2/waiting"},
		"drop all given up":      {"/relay/drop", "state=given-up", 303, "/relay?dropped=2", "app/1/waiting old/2/waiting"},
		"drop a target":          {"/relay/drop", "target=old", 303, "/relay?dropped=1", "app/1/waiting alerts/1/given-up alerts/2/given-up"},
		"drop nothing":           {"/relay/drop", "", 400, "", "app/1/waiting alerts/1/given-up alerts/2/given-up old/2/waiting"},
		"drop what is no number": {"/relay/drop", "target=app&delivery=x", 400, "", "app/1/waiting alerts/1/given-up alerts/2/given-up old/2/waiting"},
		"retry nothing":          {"/relay/retry", "state=waiting", 400, "", "app/1/waiting alerts/1/given-up alerts/2/given-up old/2/waiting"},
	} {
		h := newHouse(t)
		f := h.relays(t)
		form, err := url.ParseQuery(test.form)
		if err != nil {
			t.Fatal(err)
		}
		before := f.left()
		for _, token := range []string{"", "x"} {
			form.Set("token", token)
			if got := h.act(t, test.path, form); got.code != 403 || f.left() != before {
				t.Errorf("%s with the token %q: got status %d and %s, want 403 and no change", name, token, got.code, f.left())
			}
		}
		form.Set("token", h.page.token)
		if got := h.act(t, test.path, form, owox.Header{Name: "Sec-Fetch-Site", Value: "cross-site"}); got.code != 403 || f.left() != before {
			t.Errorf("%s from another site: got status %d and %s, want 403 and no change", name, got.code, f.left())
		}
		got := h.act(t, test.path, form)
		if got.code != test.want || got.header.Get("Location") != test.goes || f.left() != test.left {
			t.Errorf("%s: got status %d to %q, left %s, want %d to %q, left %s", name, got.code, got.header.Get("Location"), f.left(), test.want, test.goes, test.left)
		}
	}
}

func TestATestEventShowsRequestAndAnswer(t *testing.T) {
	h := newHouse(t)
	h.relays(t)
	for name, test := range map[string]struct {
		target, event string
		want          int
		has           string
	}{
		"an application": {"app", "successful", 200, "200 OK"},
		"a channel":      {"alerts", "failed", 200, "404 Not Found"},
		"no event":       {"app", "x", 400, "is not an event"},
		"no target":      {"old", "failed", 404, "has no target"},
	} {
		got := h.act(t, "/relay/test", url.Values{"token": {h.page.token}, "target": {test.target}, "event": {test.event}})
		if got.code != test.want || !strings.Contains(got.body, test.has) {
			t.Errorf("%s: got status %d and %s, want %d and %q", name, got.code, got.body, test.want, test.has)
		}
		if test.want == 200 && !strings.Contains(got.body, "POST http://") || strings.Contains(got.body, "s3cr3t") {
			t.Errorf("%s: got %s, want the request without secrets", name, got.body)
		}
	}
	if e := entry(t, h, 1); !e.IsTest || e.Event != owox.RunSuccessful {
		t.Errorf("the application got %+v, want the test event that was chosen", e.Identity)
	}
}

func TestWithoutARelayThereIsNoPageOfOne(t *testing.T) {
	h := newHouse(t)
	if got := h.get(t, "/").body; strings.Contains(got, "/relay") {
		t.Errorf("the page links to a relay: %s", got)
	}
	for _, path := range []string{"/relay", "/relay/feed", "/relay/drop?state=given-up", "/relay/test?target=app"} {
		if got := h.get(t, path); got.code != 404 || !strings.Contains(got.body, "owoxhook relay --ui") {
			t.Errorf("%s: got status %d, want 404 and what to do", path, got.code)
		}
	}
	for _, path := range []string{"/relay/retry", "/relay/drop", "/relay/test"} {
		if got := h.act(t, path, url.Values{"token": {h.page.token}, "target": {"app"}}); got.code != 404 {
			t.Errorf("%s: got status %d, want 404", path, got.code)
		}
	}
}

func TestRelayFeedBringsChangesOnly(t *testing.T) {
	h := newHouse(t)
	f := h.relays(t)
	start := time.Now()
	h.now = start // or times far away come nearer
	lines, _, end := followAt(t, h, "/relay/feed?target=app", "")
	defer end()
	_, _, endOther := followAt(t, h, "/relay/feed?target=app", "")
	defer endOther()
	await(t, lines, "job-1-app")
	f.add(relay.Job{Target: "app", Sequence: 7, State: relay.GivenUp})
	await(t, lines, "job-7-app")
	await(t, lines, "job-1-app") // it stands below the other one
	await(t, lines, "</section>")
	time.Sleep(2*relayEvery + relayEvery/2)
	for len(lines) > 0 {
		if line := <-lines; strings.Contains(line, "data:") {
			t.Errorf("nothing has changed, and the feed brought %q", line)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if took := time.Since(start); f.asked > int(took/relayEvery)+2 {
		t.Errorf("two readers had the relay asked %d times in %v, want once every %v for both", f.asked, took, relayEvery)
	}
}

// An endpoint may take longer than the server gives those who wait for a page.
func TestAnswersOfSlowEndpointsAreShown(t *testing.T) {
	h := newHouse(t)
	h.relays(t)
	h.deliver(t, sampleBody(t, owox.RunFailed))
	h.receiver.SetPlan(receiver.Plan{Delay: 300 * time.Millisecond})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = strings.TrimPrefix(h.pageURL, "http://")
		h.page.ServeHTTP(w, r)
	}))
	server.Config.ReadTimeout, server.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	server.Start()
	defer server.Close()
	for path, form := range map[string]url.Values{
		"/relay/test": {"target": {"app"}, "event": {"failed"}}, "/send": {"event": {"failed"}, "to": {h.hookURL}}, "/deliveries/1/replay": {"to": {h.hookURL}},
	} {
		form.Set("token", h.page.token)
		got := do(t, http.MethodPost, server.URL+path, form.Encode(), owox.Header{Name: "Content-Type", Value: "application/x-www-form-urlencoded"})
		if got.code != 200 || !strings.Contains(got.body, "200 OK") {
			t.Errorf("%s: got status %d and %s, want the answer", path, got.code, got.body)
		}
	}
	if attempts, err := h.journal.Attempts(t.Context(), 1); len(attempts) != 1 || err != nil || !attempts[0].OK {
		t.Errorf("got attempts %v, %v, want one that succeeded", attempts, err)
	}
}

func TestDurationsAreRough(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 1500 * time.Millisecond: "1s", 119 * time.Second: "119s", 2 * time.Minute: "2m", 119 * time.Minute: "119m", 5 * time.Hour: "5h", 47 * time.Hour: "47h", 72 * time.Hour: "3d",
	} {
		if got := roughly(d); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
}

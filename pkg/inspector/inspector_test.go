package inspector

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/payloads"
	"github.com/owoxhook/owoxhook/pkg/receiver"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

// house is a page beside a receiver, over one journal.
type house struct {
	journal  *journal.Journal
	receiver *receiver.Receiver
	page     *Inspector
	pageURL  string
	hookURL  string
	now      time.Time // zero: the time of day
	feedsEnd func()
}

func newHouse(t testing.TB) *house {
	t.Helper()
	return newHouseOver(t, filepath.Join(t.TempDir(), "journal.db"))
}

func newHouseOver(t testing.TB, file string) *house {
	t.Helper()
	j, err := journal.Open(context.Background(), file, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	validator, err := validate.New(validate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{journal: j}
	h.receiver = receiver.New(receiver.Options{Validator: validator, Keep: j.Keep, Now: h.clock})
	hook := httptest.NewServer(h.receiver)
	t.Cleanup(hook.Close)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.page.ServeHTTP(w, r) }))
	h.page = New(Options{Journal: j, Addr: server.Listener.Addr().String(), Receiver: hook.URL + "/", Answers: h.receiver, Now: h.clock})
	server.Start()
	t.Cleanup(func() { h.page.Close(); server.Close() })
	h.feedsEnd = server.CloseClientConnections
	h.pageURL, h.hookURL = server.URL, hook.URL+"/"
	return h
}

func (h *house) clock() time.Time {
	if h.now.IsZero() {
		return time.Now()
	}
	return h.now
}

// deliver delivers a body as OWOX does.
func (h *house) deliver(t testing.TB, body []byte, headers ...owox.Header) (status int) {
	t.Helper()
	identity := owox.Identify(body)
	return h.post(t, h.hookURL, string(body), append(owox.Headers(identity.ID, string(identity.Event)), headers...)...).code
}

type answer struct {
	code   int
	body   string
	header http.Header
}

func (h *house) post(t testing.TB, to, body string, headers ...owox.Header) answer {
	t.Helper()
	return do(t, http.MethodPost, to, body, headers...)
}

func (h *house) get(t testing.TB, path string, headers ...owox.Header) answer {
	t.Helper()
	return do(t, http.MethodGet, h.pageURL+path, "", headers...)
}

// act submits a form of the page.
func (h *house) act(t testing.TB, path string, form url.Values, headers ...owox.Header) answer {
	t.Helper()
	headers = append([]owox.Header{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}}, headers...)
	return h.post(t, h.pageURL+path, form.Encode(), headers...)
}

func do(t testing.TB, method, to, body string, headers ...owox.Header) answer {
	t.Helper()
	r, err := http.NewRequest(method, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range headers {
		r.Header.Set(header.Name, header.Value)
		if header.Name == "Host" {
			r.Host = header.Value
		}
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	got, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{got.StatusCode, string(text), got.Header}
}

// sampleBody is a valid payload, with its own id.
func sampleBody(t testing.TB, event owox.EventType, edits ...string) []byte {
	t.Helper()
	body := owox.Sample{Event: event, ID: uuid.New(), Now: time.Now()}.JSON()
	return edit(t, body, edits...)
}

// edit changes members of a payload: PATH=VALUE each.
func edit(t testing.TB, body []byte, edits ...string) []byte {
	t.Helper()
	for _, text := range edits {
		path, value, _ := strings.Cut(text, "=")
		var err error
		if body, err = (payloads.Edit{Path: path, Value: value}).Apply(body); err != nil {
			t.Fatal(err)
		}
	}
	return body
}

// keep writes a delivery without the receiver.
func (h *house) keep(t testing.TB, d delivery.Delivery) {
	t.Helper()
	if err := h.journal.Keep(&d, func() {}); err != nil {
		t.Fatal(err)
	}
}

func TestPagesShowWhatTheJournalHas(t *testing.T) {
	h := newHouse(t)
	bad := sampleBody(t, owox.RunFailed, owox.PathRunStatus+"=SUCCESSFUL", owox.PathTitle+"=Orders", owox.PathErrors+`=["{\"code\":403}"]`)
	h.deliver(t, sampleBody(t, owox.RunSuccessful))
	h.deliver(t, bad)
	h.deliver(t, []byte(`{"id": broken`))
	h.deliver(t, bad)

	for path, wants := range map[string][]string{
		"/":                          {`id="d1"`, `id="d2"`, "Orders", "422", `<span class="flag bad">invalid</span>`, `<span class="flag">duplicate</span>`},
		"/?event=successful":         {`id="d1"`},
		"/deliveries/2":              {`<span class="string marked error">&#34;SUCCESSFUL&#34;`, "status-matches-event", "JSON in this string", `<span class="number">403</span>`, "curl --globoff", "delivery 4"},
		"/deliveries/3":              {"The body is not JSON", "json-syntax", "<em>missing</em>"},
		"/deliveries/4?with=example": {"the documented example", "First seen"},
		"/overview":                  {"status-matches-event", "<svg", "Orders"},
		"/rules":                     {`id="status-matches-event"`},
		"/events":                    {owox.PathErrors},
		"/send":                      {"Send an event", h.hookURL},
		"/answers":                   {"statuses in turn"},
	} {
		got := h.get(t, path)
		if got.code != http.StatusOK {
			t.Errorf("%s: got status %d, want 200:\n%s", path, got.code, got.body)
		}
		for _, want := range wants {
			if !strings.Contains(got.body, want) {
				t.Errorf("%s has no %q:\n%s", path, want, got.body)
			}
		}
	}
	for path, notWanted := range map[string]string{"/?event=successful": `id="d2"`, "/?valid=yes": `id="d2"`, "/?valid=no": `id="d1"`, "/?q=nowhere": `id="d`, "/?status=200": `id="d2"`, "/?test=yes": `id="d1"`, "/?since=2999-01-01": `id="d`, "/?mart=x": `id="d`} {
		if got := h.get(t, path); strings.Contains(got.body, notWanted) {
			t.Errorf("%s has %q", path, notWanted)
		}
	}
	for path, want := range map[string]int{"/deliveries/9": 404, "/deliveries/x": 404, "/deliveries/1.txt": 404, "/nowhere": 404, "/?since=x": 400, "/?status=x": 400, "/?before=x": 400, "/assets/none": 404} {
		if got := h.get(t, path); got.code != want {
			t.Errorf("%s: got status %d, want %d", path, got.code, want)
		}
	}
	if got := h.get(t, "/deliveries/2.json"); got.body != string(bad) {
		t.Errorf("download: got %s, want the bytes that came: %s", got.body, bad)
	}
	if got := h.get(t, "/deliveries/2.http"); !strings.HasPrefix(got.body, "POST / HTTP/1.1\r\n") {
		t.Errorf("download: got %.40q, want a raw request", got.body)
	}
}

func TestPagesOfManyDeliveriesFollowEachOther(t *testing.T) {
	h := newHouse(t)
	for n := range 120 {
		d := delivery.Delivery{Identity: owox.Identity{ID: fmt.Sprint("id-", n), Title: fmt.Sprint("mart ", n%2)}, ReceivedAt: time.Now(), Method: "POST", Path: "/", State: delivery.StateValid, Answered: 200}
		h.keep(t, d)
	}
	path, seen := "/?q=mart+1", 0
	for pages := 1; ; pages++ {
		body := h.get(t, path).body
		seen += strings.Count(body, `class="delivery"`)
		_, rest, more := strings.Cut(body, `href="/?before=`)
		if !more {
			if pages != 2 || seen != 60 {
				t.Errorf("got %d deliveries on %d pages, want 60 on 2", seen, pages)
			}
			return
		}
		query, _, _ := strings.Cut(rest, `"`)
		path = "/?before=" + html.UnescapeString(query)
	}
}

func TestFirstViewIsSmall(t *testing.T) {
	h := newHouse(t)
	for range 60 {
		h.deliver(t, sampleBody(t, owox.RunFailed))
	}
	sum := 0
	for _, path := range []string{"/", "/assets/style.css", "/assets/app.js", "/assets/htmx-4.0.1.min.js", "/assets/hx-sse-4.0.1.min.js", "/assets/icon.svg"} {
		got := h.get(t, path, owox.Header{Name: "Accept-Encoding", Value: "gzip"})
		sum += len(got.body)
		if got.code != http.StatusOK {
			t.Errorf("%s: got status %d, want 200", path, got.code)
		}
	}
	if got := len(h.get(t, "/assets/style.css").body); got > 15<<10 {
		t.Errorf("the style sheet has %d bytes, want at most 15 KiB", got)
	}
	if sum > 60<<10 {
		t.Errorf("the first view has %d bytes, want at most 60 KiB", sum)
	}
}

// The journal cannot know how long an answer took: it has the delivery before.
func TestPagesSayHowLongAnAnswerTook(t *testing.T) {
	h := newHouse(t)
	h.keep(t, delivery.Delivery{ReceivedAt: time.Now(), State: delivery.StateValid, Answered: 200})
	h.keep(t, delivery.Delivery{ReceivedAt: time.Now(), State: delivery.StateValid, Answered: 200})
	h.page.Answered(delivery.Delivery{Sequence: 2, Took: 1234567 * time.Nanosecond})
	if body := h.get(t, "/deliveries/2").body; !strings.Contains(body, "200 OK after 1.2ms") {
		t.Errorf("the page of delivery 2 does not say how long its answer took: %s", body)
	}
	if body := h.get(t, "/deliveries/1").body; strings.Contains(body, "200 OK after") {
		t.Errorf("the page of delivery 1 makes up how long its answer took: %s", body)
	}
}

func TestOutcomesOfAttemptsAreTold(t *testing.T) {
	h := newHouse(t)
	h.deliver(t, sampleBody(t, owox.RunFailed))
	for _, a := range []delivery.Attempt{
		{URL: "exec:worked"},
		{URL: "exec:broke", Failure: &delivery.Failure{Error: "exit status 7"}},
		{URL: "http://app/", Status: http.StatusOK},
		{URL: "http://gone/", Status: http.StatusGone, Failure: &delivery.Failure{Error: "status 410 Gone"}},
	} {
		if err := h.journal.KeepAttempt(1, time.Now(), a); err != nil {
			t.Fatal(err)
		}
	}
	page := h.get(t, "/deliveries/1").body
	for where, want := range map[string]string{
		"exec:worked": `good">done<`, "exec:broke": `bad">failed<`, "http://app/": `good">200 OK<`, "http://gone/": `bad">410 Gone<`,
	} {
		before, _, found := strings.Cut(page, "<code>"+where)
		if got := before[strings.LastIndex(before, "pill"):]; !found || !strings.Contains(got, want) {
			t.Errorf("%s: got %.60s, want %s", where, got, want)
		}
	}
}

package inspector

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/receiver"
)

func TestAnswersLetNothingElseRun(t *testing.T) {
	h := newHouse(t)
	for _, path := range []string{"/", "/assets/app.js", "/nowhere"} {
		header := h.get(t, path).header
		for name, want := range map[string]string{"Content-Security-Policy": policy, "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
			if got := header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("the policy allows inline code: %s", policy)
	}
}

// A name that was made to point to this machine must not read its deliveries.
func TestALoopbackAddressIsNotServedUnderOtherNames(t *testing.T) {
	h := newHouse(t)
	port := h.pageURL[strings.LastIndex(h.pageURL, ":"):]
	for host, want := range map[string]int{
		"localhost" + port: 200, "127.0.0.1" + port: 200, "evil.example": 421, "evil.example" + port: 421, "127.0.0.1:1": 421, "localhost": 421,
	} {
		if got := h.get(t, "/", owox.Header{Name: "Host", Value: host}); got.code != want {
			t.Errorf("host %s: got status %d, want %d", host, got.code, want)
		}
	}
}

func TestActionsWithoutATokenChangeNothing(t *testing.T) {
	h := newHouse(t)
	h.deliver(t, sampleBody(t, owox.RunFailed))
	right := h.page.token
	for name, test := range map[string]struct {
		token, site string
		want        int
	}{
		"none":                    {"", "same-origin", 403},
		"wrong":                   {"x" + right[1:], "same-origin", 403},
		"from another site":       {right, "cross-site", 403},
		"from another subdomain":  {right, "same-site", 403},
		"none, by an old browser": {"", "", 403},
	} {
		for path, form := range map[string]url.Values{
			"/deliveries/1/replay": {"to": {h.hookURL}}, "/deliveries/1/delete": {}, "/send": {"event": {"failed"}, "to": {h.hookURL}}, "/answers": {"paused": {"yes"}},
		} {
			form.Set("token", test.token)
			var headers []owox.Header
			if test.site != "" {
				headers = append(headers, owox.Header{Name: "Sec-Fetch-Site", Value: test.site})
			}
			if got := h.act(t, path, form, headers...); got.code != test.want {
				t.Errorf("%s, %s: got status %d, want %d", name, path, got.code, test.want)
			}
			if got := h.get(t, path); path != "/send" && path != "/answers" && got.code != 404 && got.code != 405 {
				t.Errorf("GET %s: got status %d: an action must be a POST", path, got.code)
			}
		}
	}
	if _, newest, err := h.journal.Ends(t.Context()); newest != 1 || err != nil {
		t.Errorf("the journal ends with %d, %v, want the delivery that was there", newest, err)
	}
	if attempts, err := h.journal.Attempts(t.Context(), 1); len(attempts) > 0 || err != nil {
		t.Errorf("got attempts %v, %v, want none", attempts, err)
	}
	if plan := h.receiver.Plan(); plan.Paused {
		t.Error("the receiver was paused")
	}
}

func TestOtherMachinesNeedThePassword(t *testing.T) {
	h := newHouse(t)
	serve := func(o Options, password string) *httptest.ResponseRecorder {
		o.Journal = h.journal
		page := New(o)
		defer page.Close()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if password != "" {
			r.SetBasicAuth("anyone", password)
		}
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		return w
	}
	open := Options{Addr: "192.0.2.1:8788", Password: "right"}
	for name, test := range map[string]struct {
		options  Options
		password string
		want     int
	}{
		"none": {open, "", 401}, "wrong": {open, "wrong", 401}, "right": {open, "right", 200}, "never set": {Options{Addr: "192.0.2.1:8788"}, "right", 403},
	} {
		got := serve(test.options, test.password)
		if got.Code != test.want {
			t.Errorf("%s: got status %d, want %d", name, got.Code, test.want)
		}
		if test.want == 200 && !strings.Contains(got.Body.String(), "not encrypted") {
			t.Errorf("%s: the page does not say that it is not encrypted", name)
		}
	}
}

func TestActionsDoWhatTheySay(t *testing.T) {
	h := newHouse(t)
	token := url.Values{"token": {h.page.token}}
	form := func(pairs ...string) url.Values {
		values := url.Values{"token": token["token"]}
		for n := 0; n < len(pairs); n += 2 {
			values.Set(pairs[n], pairs[n+1])
		}
		return values
	}
	got := h.act(t, "/send", form("event", "failed", "to", h.hookURL, "set", owox.PathTitle+"=From the page\n"+owox.PathProjectID))
	first := entry(t, h, 1)
	if got.code != 200 || !strings.Contains(got.body, "200 OK") || first.Title != "From the page" || first.ProjectID != "" {
		t.Errorf("send: got status %d and %+v, want the delivery with its members changed", got.code, first.Identity)
	}
	if got := h.act(t, "/send", form("event", "failed", "to", "file:///etc/passwd")); got.code != 400 {
		t.Errorf("send to a file: got status %d, want 400", got.code)
	}
	shown := strings.ReplaceAll(owox.Indent(first.Body), "\n", "\r\n")
	got = h.act(t, "/deliveries/1/replay", form("to", h.hookURL, "body", shown))
	if second := entry(t, h, 2); got.code != 200 || string(second.Body) != string(first.Body) {
		t.Errorf("deliver again: got status %d and %s, want the same bytes: %s", got.code, second.Body, first.Body)
	}
	got = h.act(t, "/deliveries/1/replay", form("to", h.hookURL, "body", strings.ReplaceAll(shown, "FAILED", "SUCCESSFUL")))
	if third := entry(t, h, 3); third.Answered != 422 || !strings.Contains(got.body, "422 Unprocessable") || !strings.Contains(got.body, "status-matches-event") {
		t.Errorf("deliver an edited one: got %d and %s, want 422 and the finding", third.Answered, got.body)
	}
	attempts, err := h.journal.Attempts(t.Context(), 1)
	if len(attempts) != 2 || err != nil {
		t.Errorf("got attempts %v, %v, want two", attempts, err)
	}
	if got := h.act(t, "/answers", form("respond", "500, 204", "delay", "1ms")); got.code != 303 {
		t.Errorf("answers: got status %d, want 303", got.code)
	}
	for _, want := range []int{500, 204, 500} {
		if got := h.deliver(t, sampleBody(t, owox.RunFailed)); got != want {
			t.Errorf("rehearsed answer: got %d, want %d", got, want)
		}
	}
	if h.act(t, "/answers", form("paused", "yes")); h.deliver(t, sampleBody(t, owox.RunFailed)) != 503 || h.receiver.Plan().Delay != 0 {
		t.Errorf("paused: got plan %+v, want 503 for everything", h.receiver.Plan())
	}
	for _, wrong := range []string{"99", "x", "600"} {
		if got := h.act(t, "/answers", form("respond", wrong)); got.code != 400 {
			t.Errorf("answers %s: got status %d, want 400", wrong, got.code)
		}
	}
	if got := h.act(t, "/deliveries/2/delete", form()); got.code != 303 || h.get(t, "/deliveries/2").code != 404 {
		t.Errorf("delete: got status %d, and the delivery must be gone", got.code)
	}
	h.receiver.SetPlan(receiver.Plan{})
}

func entry(t *testing.T, h *house, sequence int64) journal.Entry {
	t.Helper()
	e, err := h.journal.Get(t.Context(), sequence)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

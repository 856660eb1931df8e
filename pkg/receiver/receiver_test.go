package receiver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/receiver"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

var (
	payload = owox.Documented(owox.RunFailed)
	now     = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

func validator(t testing.TB, config validate.Config) *validate.Validator {
	t.Helper()
	v, err := validate.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// request is a documented delivery with changes.
func request(body []byte, changes ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
	for _, h := range owox.Headers("550e8400-e29b-41d4-a716-446655440000", string(owox.RunFailed)) {
		r.Header.Set(h.Name, h.Value)
	}
	for _, change := range changes {
		change(r)
	}
	return r
}

func set(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func from(address string) func(*http.Request) {
	return func(r *http.Request) { r.RemoteAddr = address }
}

type brokenBody struct{ err error }

func (b brokenBody) Read([]byte) (int, error) { return 0, b.err }

func TestAnswers(t *testing.T) {
	invalid := bytes.Replace(payload, []byte(`"version":"1"`), []byte(`"version":"2"`), 1)
	tests := []struct {
		name    string
		options receiver.Options
		request *http.Request
		status  int
		detail  string // a part of the answer's body
		valid   bool
	}{
		{"as documented", receiver.Options{}, request(payload), 200, "ok", true},
		{"a warning", receiver.Options{}, request(bytes.Replace(payload, []byte(`"Sales Report"`), []byte(`""`), 1)), 200, "ok", true},
		{"an error", receiver.Options{}, request(invalid), 422, `"rule":"version-documented"`, false},
		{"an error, all accepted", receiver.Options{AcceptAll: true}, request(invalid), 200, "ok", false},
		{"another path", receiver.Options{Path: "/hook"}, request(payload), 404, "nothing is received at this path", false},
		{"another method", receiver.Options{}, request(nil, func(r *http.Request) { r.Method = "GET" }), 405, "must be POST", false},
		{"compressed", receiver.Options{}, request([]byte("\x1f\x8b"), set("Content-Encoding", "gzip")), 415, "must not be compressed", false},
		{"too large", receiver.Options{Validator: validator(t, validate.Config{MaxBody: 100})}, request(payload), 413, "larger than the limit", false},
		{"just not too large", receiver.Options{Validator: validator(t, validate.Config{MaxBody: len(payload)})}, request(payload), 200, "ok", true},
		{"a body that breaks off", receiver.Options{}, request(nil, func(r *http.Request) { r.Body = io.NopCloser(brokenBody{io.ErrUnexpectedEOF}) }), 400, "did not arrive whole", false},
		{"an address that is not allowed", receiver.Options{Allowed: []netip.Prefix{netip.MustParsePrefix(owox.SourceAddress + "/32")}}, request(payload), 403, "this address may not deliver", false},
		{"an address that is", receiver.Options{Allowed: []netip.Prefix{netip.MustParsePrefix(owox.SourceAddress + "/32")}}, request(payload, from(owox.SourceAddress+":999")), 200, "ok", true},
		{"a status of one's own", receiver.Options{Respond: []int{503}}, request(payload), 503, `"status":503`, true},
		{"no body with 204", receiver.Options{Respond: []int{204}}, request(payload), 204, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got delivery.Delivery
			tt.options.Received = func(d delivery.Delivery) { got = d }
			tt.options.Now = func() time.Time { return now }
			if tt.options.Validator == nil {
				tt.options.Validator = validator(t, validate.Config{})
			}
			answer := httptest.NewRecorder()
			receiver.New(tt.options).ServeHTTP(answer, tt.request)
			if answer.Code != tt.status || !strings.Contains(answer.Body.String(), tt.detail) {
				t.Errorf("answered %d %s, want %d with %s", answer.Code, answer.Body, tt.status, tt.detail)
			}
			if got.Answered != tt.status || got.Valid() != tt.valid || got.ReceivedAt != now {
				t.Errorf("delivery answered %d, valid %v, at %v, want %d, %v, %v", got.Answered, got.Valid(), got.ReceivedAt, tt.status, tt.valid, now)
			}
			contentType := answer.Header().Get("Content-Type")
			if problem := tt.status > 299; problem != (contentType == "application/problem+json") {
				t.Errorf("content type %q", contentType)
			}
			if problem := tt.status > 299; problem && !json.Valid(answer.Body.Bytes()) {
				t.Errorf("problem details are not JSON: %s", answer.Body)
			}
			if allow := answer.Header().Get("Allow"); (allow == "POST") != (tt.status == 405) {
				t.Errorf("Allow: %q with %d", allow, tt.status)
			}
		})
	}
}

func TestDeliveryIsKeptAsItCame(t *testing.T) {
	var got delivery.Delivery
	rc := receiver.New(receiver.Options{
		Validator: validator(t, validate.Config{}), Path: "/hook",
		Received: func(d delivery.Delivery) { got = d }, Now: func() time.Time { return now },
	})
	r := request(payload, func(r *http.Request) { r.RequestURI, r.URL.Path = "/hook?a=b&a=%20c", "/hook" }, set("X-Other", "1"))
	rc.ServeHTTP(httptest.NewRecorder(), r)
	want := delivery.Delivery{
		Identity: owox.Identify(payload), ReceivedAt: now, Remote: "192.0.2.1", Peer: "192.0.2.1", Method: "POST", Path: "/hook?a=b&a=%20c",
		Headers: []owox.Header{
			{Name: "Host", Value: "example.com"},
			{Name: "Content-Type", Value: "application/json"},
			{Name: "User-Agent", Value: owox.UserAgent},
			{Name: "X-Event-Type", Value: string(owox.RunFailed)},
			{Name: "X-Other", Value: "1"},
			{Name: "X-Webhook-ID", Value: "550e8400-e29b-41d4-a716-446655440000"},
		},
		Body: payload, State: delivery.StateValid, Answered: 200,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("delivery (-want +got):\n%s", diff)
	}
}

func TestRespondTakesTurns(t *testing.T) {
	rc := receiver.New(receiver.Options{Validator: validator(t, validate.Config{}), Respond: []int{500, 500, 200}})
	var got []int
	for range 7 {
		answer := httptest.NewRecorder()
		rc.ServeHTTP(answer, request(payload))
		got = append(got, answer.Code)
	}
	if diff := cmp.Diff([]int{500, 500, 200, 500, 500, 200, 500}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSecondDeliveryOfAnIDIsADuplicate(t *testing.T) {
	var got []delivery.Delivery
	rc := receiver.New(receiver.Options{
		Validator: validator(t, validate.Config{}),
		Received:  func(d delivery.Delivery) { got = append(got, d) },
	})
	for range 2 {
		rc.ServeHTTP(httptest.NewRecorder(), request(payload))
	}
	if got[0].Duplicate || !got[1].Duplicate || !got[1].Valid() || got[1].Findings[0].Rule != validate.IDSeenBefore {
		t.Errorf("duplicate: %v, then %v with %v", got[0].Duplicate, got[1].Duplicate, got[1].Findings)
	}
}

// The sender makes the id when it sends: after a crash of its own, the same run
// comes under a new one.
func TestSameRunUnderAnotherIDIsReported(t *testing.T) {
	var got []delivery.Delivery
	rc := receiver.New(receiver.Options{
		Validator: validator(t, validate.Config{}),
		Received:  func(d delivery.Delivery) { got = append(got, d) },
	})
	other := []byte(strings.ReplaceAll(string(payload), "550e8400", "660e8400"))
	for _, body := range [][]byte{payload, payload, other} {
		rc.ServeHTTP(httptest.NewRecorder(), request(body, set(owox.HeaderID, owox.Identify(body).ID)))
	}
	if got[0].SameRun || got[1].SameRun || !got[1].Duplicate || !got[2].SameRun || got[2].Duplicate || !got[2].Valid() || got[2].Findings[0].Rule != validate.RunSeenBefore {
		t.Errorf("got %+v", got)
	}
	test := owox.Sample{Event: owox.RunFailed, Test: true, Now: now}
	for _, id := range []string{"11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"} {
		test.ID = uuid.MustParse(id)
		rc.ServeHTTP(httptest.NewRecorder(), request(test.JSON(), set(owox.HeaderID, id)))
	}
	if last := got[len(got)-1]; last.SameRun {
		t.Errorf("a test event is the same run as another: %+v", last)
	}
}

func TestRemoteAddressBehindProxies(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	tests := []struct{ name, peer, forwarded, want string }{
		{"no proxy", "203.0.113.5:1", "", "203.0.113.5"},
		{"an untrusted peer says what it likes", "203.0.113.5:1", "34.38.103.182", "203.0.113.5"},
		{"one proxy", "10.1.1.1:1", "34.38.103.182", "34.38.103.182"},
		{"two proxies", "10.1.1.1:1", "34.38.103.182, 10.2.2.2", "34.38.103.182"},
		{"what is in front of an untrusted hop is not believed", "10.1.1.1:1", "34.38.103.182, 203.0.113.5", "203.0.113.5"},
		{"rubbish", "10.1.1.1:1", "unknown", "10.1.1.1"},
		{"IPv6", "[::1]:1", "2001:db8::1", "2001:db8::1"},
		{"a port, as Azure's gateways write it", "10.1.1.1:1", "34.38.103.182:4711", "34.38.103.182"},
		{"IPv6 with a port in quotes", "10.1.1.1:1", `"[2001:db8::1]:4711"`, "2001:db8::1"},
		{"IPv6 in brackets", "10.1.1.1:1", "[2001:db8::1]", "2001:db8::1"},
		{"IPv4 in IPv6", "[::ffff:10.1.1.1]:1", "34.38.103.182", "34.38.103.182"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got delivery.Delivery
			rc := receiver.New(receiver.Options{
				Validator: validator(t, validate.Config{}), TrustedProxies: proxies,
				Received: func(d delivery.Delivery) { got = d },
			})
			rc.ServeHTTP(httptest.NewRecorder(), request(payload, from(tt.peer), set("X-Forwarded-For", tt.forwarded)))
			if got.Remote != tt.want {
				t.Errorf("remote %s, want %s", got.Remote, tt.want)
			}
		})
	}
}

// Only the tunnel writes the last address of its header, and only on connections
// from this machine.
func TestRemoteAddressBehindATunnel(t *testing.T) {
	const cloudflare, forwarded = "Cf-Connecting-Ip", "X-Forwarded-For"
	tests := []struct{ name, tunnel, peer, header, value, want string }{
		{"the tunnel", cloudflare, "127.0.0.1:1", cloudflare, "34.38.103.182", "34.38.103.182"},
		{"the tunnel by IPv6", cloudflare, "[::1]:1", cloudflare, "2001:db8::1", "2001:db8::1"},
		{"a client adds to the header", forwarded, "127.0.0.1:1", forwarded, "34.38.103.182, 203.0.113.5", "203.0.113.5"},
		{"a client adds a proxy that is trusted", forwarded, "127.0.0.1:1", forwarded, "34.38.103.182, 10.1.1.1", "10.1.1.1"},
		{"another header than the tunnel's", cloudflare, "127.0.0.1:1", forwarded, "34.38.103.182", "127.0.0.1"},
		{"another machine", cloudflare, "203.0.113.5:1", cloudflare, "34.38.103.182", "203.0.113.5"},
		{"no tunnel", "", "127.0.0.1:1", cloudflare, "34.38.103.182", "127.0.0.1"},
		{"rubbish", cloudflare, "127.0.0.1:1", cloudflare, "unknown", "127.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got delivery.Delivery
			rc := receiver.New(receiver.Options{
				Validator: validator(t, validate.Config{}), TunnelHeader: tt.tunnel,
				Allowed: []netip.Prefix{netip.MustParsePrefix("34.38.103.182/32")}, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
				Received: func(d delivery.Delivery) { got = d },
			})
			rc.ServeHTTP(httptest.NewRecorder(), request(payload, from(tt.peer), set(tt.header, tt.value)))
			if got.Remote != tt.want || (got.State == delivery.StateRefused) == (tt.want == "34.38.103.182") {
				t.Errorf("remote %s, state %s, want %s", got.Remote, got.State, tt.want)
			}
		})
	}
}

func TestARehearsed404SaysNothingOfAPath(t *testing.T) {
	rc, recorder := receiver.New(receiver.Options{Validator: validator(t, validate.Config{}), Respond: []int{404}}), httptest.NewRecorder()
	rc.ServeHTTP(recorder, request(payload))
	if got, want := recorder.Body.String(), `{"title":"Not Found","status":404}`+"\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAHiddenReceiverAnswersStrangersAsAnotherPathWould(t *testing.T) {
	answer := func(peer, path string) string {
		rc := receiver.New(receiver.Options{Validator: validator(t, validate.Config{}), Hidden: true, Path: "/hook", Allowed: []netip.Prefix{netip.MustParsePrefix("34.38.103.182/32")}})
		r, recorder := request(payload, from(peer)), httptest.NewRecorder()
		r.URL.Path = path
		rc.ServeHTTP(recorder, r)
		return recorder.Result().Status + " " + recorder.Body.String()
	}
	want := answer("34.38.103.182:1", "/other")
	if got := answer("203.0.113.5:1", "/hook"); got != want || !strings.HasPrefix(want, "404 ") {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSenderThatHangsUpIsNoticed(t *testing.T) {
	var got delivery.Delivery
	rc := receiver.New(receiver.Options{
		Validator: validator(t, validate.Config{}), Delay: time.Hour,
		Received: func(d delivery.Delivery) { got = d },
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rc.ServeHTTP(httptest.NewRecorder(), request(payload).WithContext(ctx))
	if got.Answered != 0 || got.State != delivery.StateGone {
		t.Errorf("answered %d, state %q", got.Answered, got.State)
	}
}

func TestAnswerListsAtMostAHundredFindings(t *testing.T) {
	body := []byte(`{` + strings.TrimSuffix(strings.Repeat(`"a":1,`, 150), ",") + `}`)
	answer := httptest.NewRecorder()
	receiver.New(receiver.Options{Validator: validator(t, validate.Config{})}).ServeHTTP(answer, request(body))
	var problem struct {
		Findings []struct{ Rule, Severity string }
		Omitted  int
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &problem); err != nil {
		t.Fatal(err)
	}
	if len(problem.Findings) != 100 || problem.Omitted == 0 || problem.Findings[0].Severity == "" {
		t.Errorf("%d findings, %d omitted", len(problem.Findings), problem.Omitted)
	}
}

func TestRequestsAreKeptBeforeTheyAreAnswered(t *testing.T) {
	var kept []delivery.Delivery
	var failure error
	answer := httptest.NewRecorder()
	options := receiver.Options{Validator: validator(t, validate.Config{MaxBody: len(payload)}), Path: "/", Keep: func(d *delivery.Delivery, _ func()) error {
		if answer.Body.Len() > 0 || answer.Flushed {
			t.Error("answered before it was kept")
		}
		d.Sequence = int64(len(kept) + 1)
		kept = append(kept, *d)
		return failure
	}}
	var got delivery.Delivery
	options.Received = func(d delivery.Delivery) { got = d }
	rc := receiver.New(options)
	serve := func(r *http.Request) int {
		answer = httptest.NewRecorder()
		rc.ServeHTTP(answer, r)
		return answer.Code
	}
	large := bytes.Repeat([]byte("x"), 2*len(payload))
	for i, tt := range []struct {
		request *http.Request
		status  int
	}{
		{request(payload), 200},
		{request([]byte("{}")), 422},
		{request(nil, func(r *http.Request) { r.Method = "PUT" }), 405},
		{request(payload, func(r *http.Request) { r.URL.Path = "/other" }), 404},
		{request(large), 413},
	} {
		if status := serve(tt.request); status != tt.status || len(kept) != i+1 || kept[i].Answered != tt.status || got.Sequence != int64(i+1) {
			t.Errorf("request %d: answered %d, kept %+v, sequence %d, want %d", i, status, kept, got.Sequence, tt.status)
		}
	}
	if last := kept[len(kept)-1]; !last.Cut || len(last.Body) != len(payload) {
		t.Errorf("a body over the limit is kept with %d bytes, cut %v", len(last.Body), last.Cut)
	}
	failure = errors.New("the disk is full")
	if status := serve(request(payload)); status != 503 || got.State != delivery.StateNotKept || got.Detail != "the disk is full" || strings.Contains(answer.Body.String(), "disk") {
		t.Errorf("what could not be kept was answered %d %s", status, answer.Body)
	}
	failure = nil
	if status := serve(request(payload)); status != 200 {
		t.Errorf("the next one was answered %d", status)
	}
}

func TestAnswerFirstForwardsAfterTheAnswer(t *testing.T) {
	answer := httptest.NewRecorder()
	var got delivery.Delivery
	rc := receiver.New(receiver.Options{
		Validator: validator(t, validate.Config{}), AnswerFirst: true, Received: func(d delivery.Delivery) { got = d },
		Forward: func(_ context.Context, d *delivery.Delivery) (receiver.Answer, bool) {
			if !answer.Flushed || answer.Code != 200 {
				t.Errorf("forwarded before the answer: %d, flushed %v", answer.Code, answer.Flushed)
			}
			d.Forwarded = &delivery.Attempt{Status: 500}
			return receiver.Answer{Status: 500}, true
		},
	})
	rc.ServeHTTP(answer, request(payload))
	if got.Answered != 200 || got.Forwarded == nil || got.Forwarded.Status != 500 {
		t.Errorf("answered %d, forwarded %+v, want 200 and 500", got.Answered, got.Forwarded)
	}
}

func TestApplicationAnswersForTheReceiver(t *testing.T) {
	app := receiver.Answer{Status: 418, ContentType: "text/x-tea", Body: []byte("short and stout")}
	forwards := true
	forward := func(context.Context, *delivery.Delivery) (receiver.Answer, bool) { return app, forwards }
	serve := func(options receiver.Options, r *http.Request) *httptest.ResponseRecorder {
		options.Validator, options.Forward = validator(t, validate.Config{}), forward
		answer := httptest.NewRecorder()
		receiver.New(options).ServeHTTP(answer, r)
		return answer
	}
	if a := serve(receiver.Options{}, request(payload)); a.Code != 418 || a.Body.String() != "short and stout" || a.Header().Get("Content-Type") != "text/x-tea" {
		t.Errorf("answered %d %s %v", a.Code, a.Body, a.Header())
	}
	if a := serve(receiver.Options{Respond: []int{204}}, request(payload)); a.Code != 204 {
		t.Errorf("a rehearsal was answered %d", a.Code)
	}
	if a := serve(receiver.Options{Path: "/hook"}, request(payload)); a.Code != 404 {
		t.Errorf("another path was answered %d", a.Code)
	}
	forwards = false
	if a := serve(receiver.Options{}, request(payload)); a.Code != 200 {
		t.Errorf("what is not forwarded was answered %d", a.Code)
	}
}

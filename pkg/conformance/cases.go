package conformance

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tidwall/sjson"
	"golang.org/x/sync/errgroup"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

const (
	want2xx    = "2xx"
	goodP95    = 2 * time.Second
	burstSize  = 50
	longErrors = 100
	errorSize  = 10_000 // bytes on the wire
	goodDays   = 14
)

var cases = []Case{
	{
		ID: "url-is-usable", Level: Required, Title: "a URL that OWOX can use", Offline: true,
		Delivers: "nothing: looks at the URL and looks up its host", Requires: "http or https, no user name or password, a host name that resolves",
		judge: judgeURL,
	},
	{
		ID: "accepts-test-failed", Level: Required, Title: "the Test button for failed runs",
		Delivers: "what the Test button sends", Requires: "2xx within 10 s",
		judge: acceptsTest(owox.RunFailed),
	},
	{
		ID: "accepts-test-successful", Level: Required, Title: "the Test button for successful runs",
		Delivers: "what the Test button sends", Requires: "2xx within 10 s",
		judge: acceptsTest(owox.RunSuccessful),
	},
	{
		ID: "accepts-failed", Level: Required, Title: "the documented failed event",
		Delivers: "the documented example with fresh ids", Requires: want2xx,
		judge: acceptsSample(owox.RunFailed, nil),
	},
	{
		ID: "accepts-successful", Level: Required, Title: "the documented successful event",
		Delivers: "the documented example with fresh ids", Requires: want2xx,
		judge: acceptsSample(owox.RunSuccessful, nil),
	},
	{
		ID: "accepts-missing-optional", Level: Required, Title: "events without optional members",
		Delivers: "events with only the members that real events always have", Requires: want2xx,
		judge: func(ctx context.Context, r *run) verdict {
			brief := func(s *owox.Sample) { s.Brief = true }
			return r.accept(ctx, r.sample(owox.RunFailed, brief), r.sample(owox.RunSuccessful, brief))
		},
	},
	{
		ID: "accepts-empty-title", Level: Required, Title: "empty titles and ids",
		Delivers: "an event whose data mart has no title and no id, and its run no id", Requires: want2xx,
		judge: acceptsSample(owox.RunFailed, map[string]any{owox.PathTitle: "", owox.PathDataMartID: "", owox.PathRunID: ""}),
	},
	{
		ID: "accepts-relative-url", Level: Required, Title: "a relative URL of the data mart",
		Delivers: "an event as a self-hosted OWOX without a public address sends it", Requires: want2xx,
		judge: acceptsSample(owox.RunSuccessful, map[string]any{owox.PathURL: "/ui/my-project-id/data-marts/dm-abc123/run-history"}),
	},
	{
		ID: "accepts-run-type", Level: Required, Title: "the type of the run",
		Delivers: "an event with the undocumented " + owox.PathRunType, Requires: want2xx,
		judge: acceptsSample(owox.RunFailed, map[string]any{owox.PathRunType: "HTTP_DATA"}),
	},
	{
		ID: "accepts-unknown-members", Level: Required, Title: "members that do not exist yet",
		Delivers: "an event with new members at every level", Requires: want2xx,
		judge: acceptsSample(owox.RunSuccessful, map[string]any{
			"aNewMember": "x", owox.PathData + ".aNewMember": map[string]any{"a": 1}, owox.PathRun + ".aNewMember": []int{1, 2},
		}),
	},
	{
		ID: "accepts-duplicate", Level: Required, Title: "the same event twice",
		Delivers: "the same id twice, as a retry does", Requires: "2xx both times",
		judge: func(ctx context.Context, r *run) verdict {
			payload := r.sample(owox.RunFailed, nil)
			return r.acceptAgain(ctx, payload, payload, "answer 2xx to an id that was handled before: OWOX repeats an event that was not answered in time")
		},
	},
	{
		ID: "accepts-same-run-again", Level: Advised, Title: "the same run under a new id",
		Delivers: "one run twice with different ids, as after a crash of OWOX", Requires: "2xx both times; handle the run once",
		judge: acceptsSameRunAgain,
	},
	{
		ID: "accepts-long-errors", Level: Required, Title: "many long error messages",
		Delivers: "100 errors of 10 kB, JSON inside strings", Requires: want2xx,
		judge: func(ctx context.Context, r *run) verdict {
			message := `{"error":"` + strings.Repeat("x", errorSize-len(`"{\"error\":\"\"}"`)) + `"}`
			messages := slices.Repeat([]string{message}, longErrors)
			return r.accept(ctx, set(r.sample(owox.RunFailed, nil), map[string]any{owox.PathErrors: messages}))
		},
	},
	{
		ID: "accepts-unicode", Level: Required, Title: "titles in any script",
		Delivers: "emoji, right-to-left text, 4-byte characters, quotes, newlines", Requires: want2xx,
		judge: acceptsSample(owox.RunFailed, map[string]any{
			owox.PathTitle:  "📊 تقرير المبيعات 𝔖𝔞𝔩𝔢𝔰 \"日報\" 'x' \\ \n\t\u2028 <b>&amp;",
			owox.PathErrors: []string{"línea 1\nlínea 2", "💥"},
		}),
	},
	{
		ID: "accepts-burst", Level: Required, Title: "a burst of events",
		Delivers: "50 deliveries, 5 at a time, as at the end of a grouping window", Requires: "all 2xx",
		judge: acceptsBurst,
	},
	{
		ID: "answers-in-time", Level: Required, Title: "answers in time",
		Delivers: "all deliveries above", Requires: "under 10 s; advised: 95 % under 2 s",
		judge: answersInTime,
	},
	{
		ID: "answers-directly", Level: Required, Title: "answers without a redirect",
		Delivers: "all deliveries above", Requires: "no redirect",
		judge: answersDirectly,
	},
	{
		ID: "survives-unknown-event", Level: Required, Title: "an event type that does not exist yet",
		Delivers: "an event of a new type", Requires: "no 5xx; advised: 2xx",
		judge: survivesUnknownEvent,
	},
	{
		ID: "refuses-malformed", Level: Required, Title: "requests that are not events",
		Delivers: "broken JSON, an empty body, a wrong " + owox.HeaderContentType, Requires: "an answer that is not 5xx; advised: 4xx",
		judge: refusesMalformed,
	},
	{
		ID: "refuses-get", Level: Advised, Title: "methods other than POST",
		Delivers: "a GET request, as crawlers do", Requires: "405 or 404",
		judge: refusesGet,
	},
	{
		ID: "keeps-idle-connections", Level: Advised, Title: "keeps idle connections open", ahead: true,
		Delivers: "an event, and 5 s later another one", Requires: "the connection is still open, unless the answer announced less",
		judge: keepsIdleConnections,
	},
	{
		ID: "https", Level: Required, Title: "a trusted connection", Offline: true,
		Delivers: "nothing: connects to look at the certificate", Requires: "a trusted certificate; advised: https, 14 days left",
		judge: judgeHTTPS,
	},
	{
		ID: "public-address", Level: Advised, Title: "a public address", Offline: true,
		Delivers: "nothing: looks up every address of the host", Requires: "no private, loopback, link-local or reserved address: OWOX sends nothing to them",
		judge: judgeAddress,
	},
	{
		ID: "keeps-serving", Level: Required, Title: "still serves after all that",
		Delivers: "one more event", Requires: want2xx,
		judge: acceptsSample(owox.RunSuccessful, nil),
	},
}

func acceptsTest(event owox.EventType) func(context.Context, *run) verdict {
	return func(ctx context.Context, r *run) verdict {
		return r.accept(ctx, r.sample(event, func(s *owox.Sample) { s.Test = true }))
	}
}

func acceptsSample(event owox.EventType, values map[string]any) func(context.Context, *run) verdict {
	return func(ctx context.Context, r *run) verdict {
		return r.accept(ctx, set(r.sample(event, nil), values))
	}
}

// acceptsSameRunAgain cannot see whether the run is handled once: only what is
// answered.
func acceptsSameRunAgain(ctx context.Context, r *run) verdict {
	once := r.sample(owox.RunFailed, nil)
	again := set(once, map[string]any{owox.PathID: r.NewID().String()})
	v := r.acceptAgain(ctx, once, again, "answer 2xx and handle the run once: it is the same when "+owox.PathEvent+" and "+owox.PathRunID+" are, where the latter is not empty")
	if v.unmet != "" {
		v.unmet = Advised
	}
	return v
}

// set sets members of a payload of ours. Paths and values are ours too: it
// cannot fail.
func set(payload []byte, values map[string]any) []byte {
	for path, value := range values {
		if changed, err := sjson.SetBytes(payload, path, value); err == nil {
			payload = changed
		}
	}
	return payload
}

// acceptsBurst starts no more deliveries after the first failure: an endpoint
// that hangs would hang for minutes.
func acceptsBurst(ctx context.Context, r *run) verdict {
	var group errgroup.Group
	group.SetLimit(r.Concurrency)
	var failure atomic.Pointer[delivery.Failure]
	for i := range burstSize {
		if failure.Load() != nil || ctx.Err() != nil {
			break
		}
		event := owox.Events()[i%len(owox.Events())].Type
		group.Go(func() error {
			if a := r.deliver(ctx, r.sample(event, nil)); !a.OK() {
				failure.Store(a.Failure)
			}
			return nil
		})
	}
	_ = group.Wait() // the failure tells
	if f := failure.Load(); f != nil {
		advice := "accept at least " + strconv.Itoa(owoxConcurrency) + " deliveries at once: queue them and answer at once"
		if f.Kind == delivery.Refused || f.Kind == delivery.Reset {
			advice += "; " + adviceLost
		}
		return unmet(Required, f.Error, advice)
	}
	return met(fmt.Sprintf("%d answered with 2xx, %d at a time", burstSize, r.Concurrency))
}

func answersInTime(ctx context.Context, r *run) verdict {
	if len(r.attempts) == 0 {
		r.deliver(ctx, r.sample(owox.RunFailed, nil))
	}
	var times []time.Duration
	late := 0
	for _, a := range r.attempts {
		switch {
		case !a.OK() && a.Failure.Kind == delivery.TimedOut:
			late++
		case a.Status != 0:
			times = append(times, a.Duration)
		}
	}
	slices.Sort(times)
	switch {
	case late > 0:
		return unmet(Required, fmt.Sprintf("%d of %d were not answered within %v", late, len(r.attempts), r.Sender.Timeout), "answer first and work later: OWOX tries twice more, then the event is lost")
	case len(times) == 0:
		return untried("there was no answer to measure")
	}
	p95 := times[(len(times)*95+99)/100-1].Round(time.Millisecond / 10)
	seen := fmt.Sprintf("95 %% of %d answers within %v, the slowest in %v", len(times), p95, times[len(times)-1].Round(time.Millisecond/10))
	if p95 >= goodP95 {
		return unmet(Advised, seen, "answer first and work later: a busy day takes longer than a check")
	}
	return met(seen)
}

func answersDirectly(ctx context.Context, r *run) verdict {
	if len(r.attempts) == 0 {
		r.deliver(ctx, r.sample(owox.RunFailed, nil))
	}
	answered := false
	for _, a := range r.attempts {
		answered = answered || a.Status != 0
		if !a.OK() && a.Failure.Kind == delivery.Redirected {
			return unmet(Required, a.Failure.Error, adviceDirectly)
		}
	}
	if !answered {
		return untried("there was no answer to look at")
	}
	return met("no redirect")
}

func survivesUnknownEvent(ctx context.Context, r *run) verdict {
	event := string(owox.RunFailed) + ".retried"
	a := r.send(ctx, r.request(set(r.sample(owox.RunFailed, nil), map[string]any{owox.PathEvent: event})))
	switch {
	case a.OK():
		return met(say(a))
	case unconnected(a):
		return untried("not tried: " + a.Failure.Error)
	case a.Status == 0 || a.Status >= 500 || a.Failure.Kind == delivery.TimedOut:
		return unmet(Required, a.Failure.Error, "ignore event types that you do not know, and answer 2xx")
	default:
		return unmet(Advised, a.Failure.Error, "answer 2xx to event types that you do not know, or every new one counts as a failed delivery")
	}
}

func refusesMalformed(ctx context.Context, r *run) verdict {
	payload := r.sample(owox.RunFailed, nil)
	broken := r.request(payload)
	broken.Body = payload[:len(payload)/2]
	empty := r.request(payload)
	empty.Body = nil
	wrongType := r.request(payload).WithHeader(owox.Header{Name: owox.HeaderContentType, Value: "text/plain"})

	worst := verdict{}
	var seen []string
	for _, malformed := range []struct {
		name    string
		request sender.Request
	}{{"broken JSON", broken}, {"empty body", empty}, {"text/plain", wrongType}} {
		a := r.send(ctx, malformed.request)
		answer := strconv.Itoa(a.Status)
		if a.Status == 0 {
			answer = a.Failure.Error
		}
		seen = append(seen, malformed.name+": "+answer)
		switch {
		case unconnected(a):
			return untried("not tried: " + a.Failure.Error)
		case a.Status == 0, a.Status >= 500, !a.OK() && a.Failure.Kind == delivery.TimedOut:
			worst = unmet(Required, "", "check the request before you use it, and answer 4xx")
		case a.Status < 400 && worst.unmet == "":
			worst = unmet(Advised, "", "answer 4xx to requests that are not events, or nobody notices when something else posts to you")
		}
	}
	worst.seen = strings.Join(seen, ", ")
	return worst
}

func refusesGet(ctx context.Context, r *run) verdict {
	request := r.request(nil)
	request.Method = http.MethodGet
	request = request.WithoutHeader(owox.HeaderContentType)
	a := r.send(ctx, request)
	switch {
	case a.Status == http.StatusMethodNotAllowed, a.Status == http.StatusNotFound:
		return met(say(a))
	case unconnected(a):
		return untried("not tried: " + a.Failure.Error)
	default:
		return unmet(Advised, say(a), "answer 405 to methods other than POST")
	}
}

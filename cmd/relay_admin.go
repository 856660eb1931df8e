package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// admin answers those who watch a relay. It has a port of its own: nobody who
// can deliver can look in.
type admin struct {
	app      *app
	journal  *journal.Journal
	relay    *relay.Relay
	listener net.Listener
	server   *http.Server
	metrics  *metrics.Set
}

func (r *relaying) openAdmin(ctx context.Context, l *listening) (*admin, error) {
	listener, err := listenOn(ctx, "--admin", r.flags.admin)
	if err != nil {
		return nil, err
	}
	a := &admin{app: r.app, journal: l.journal, relay: r.relay, listener: listener, metrics: metrics.NewSet()}
	metrics.ExposeMetadata(true)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { ok(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { ok(w, a.ready(r.Context())) })
	mux.HandleFunc("GET /metrics", a.write)
	a.server = &http.Server{Handler: mux, ReadHeaderTimeout: adminTimeout, ReadTimeout: adminTimeout, WriteTimeout: 3 * adminTimeout, MaxHeaderBytes: 16 << 10}
	r.note("admin: http://%s/metrics", listener.Addr())
	return a, nil
}

const adminTimeout = 10 * time.Second

func (a *admin) start() {
	if a != nil {
		go func() {
			if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
				a.app.note("relay: %s", err.Error())
			}
		}()
	}
}

func (a *admin) end() {
	if a != nil {
		_ = a.server.Close() // nobody waits for an answer of a process that ends
	}
}

func ok(w http.ResponseWriter, err error) {
	w.Header().Set(owox.HeaderContentType, "text/plain; charset=utf-8")
	text := "ok\n"
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		text = report.Escape(err.Error()) + "\n"
	}
	_, _ = w.Write([]byte(text)) // whoever asked may be gone
}

// ready says whether deliveries can be kept and jobs done.
func (a *admin) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout/2)
	defer cancel()
	_, err := await(ctx, func() (struct{}, error) {
		err := a.journal.Check()
		if err == nil { // else both would say the same
			err = a.relay.Check(ctx)
		}
		return struct{}{}, err
	})
	if errors.Is(err, errInterrupted) {
		return fmt.Errorf("the database did not answer within %v", adminTimeout/2)
	}
	return err
}

// received counts a request. What others choose is no label. Validity is what the
// findings say, whatever the answer was.
func (a *admin) received(d delivery.Delivery) {
	if a == nil {
		return
	}
	event := "other"
	if known, ok := owox.Lookup(d.Event); ok {
		event = known.Type.Name()
	}
	if d.State != delivery.StateRefused {
		a.metrics.GetOrCreateCounter(`owoxhook_deliveries_total{event="` + event + `",valid="` + strconv.FormatBool(validate.Valid(d.Findings)) + `"}`).Inc()
	}
	a.metrics.GetOrCreateCounter(`owoxhook_answers_total{status="` + strconv.Itoa(d.Answered) + `"}`).Inc()
	a.metrics.GetOrCreatePrometheusHistogramExt("owoxhook_answer_seconds", secondsUpTo).Update(a.app.now().Sub(d.ReceivedAt).Seconds())
}

func (a *admin) attempted(attempt delivery.Attempt) {
	if a == nil {
		return
	}
	result := "delivered"
	if !attempt.OK() {
		result = string(attempt.Failure.Kind)
	}
	a.metrics.GetOrCreateCounter(`owoxhook_attempts_total{target="` + attempt.Target + `",result="` + result + `"}`).Inc()
	a.metrics.GetOrCreatePrometheusHistogramExt(`owoxhook_attempt_seconds{target="`+attempt.Target+`"}`, secondsUpTo).Update(attempt.Duration.Seconds())
}

// write writes what was counted, which needs no database, and how jobs stand now,
// if the database tells.
func (a *admin) write(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), adminTimeout/2)
	defer cancel()
	all, err := await(ctx, func() ([]relay.Status, error) { return a.relay.Status(ctx) })
	now := metrics.NewSet()
	up := now.GetOrCreateGauge("owoxhook_database_up", nil)
	if err == nil {
		up.Set(1)
		a.jobs(now, all)
	}
	w.Header().Set(owox.HeaderContentType, "text/plain; version=0.0.4; charset=utf-8")
	var text bytes.Buffer
	a.metrics.WritePrometheus(&text)
	now.WritePrometheus(&text)
	_, _ = metricsHelp().WriteString(w, text.String()) // whoever asked may be gone
}

// secondsUpTo are the bounds of buckets: OWOX waits for 10 seconds.
var secondsUpTo = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// metricsHelp adds to the metadata what the metrics are.
var metricsHelp = sync.OnceValue(func() *strings.Replacer {
	var pairs []string
	for _, family := range [][2]string{
		{"answer_seconds", "Time from the arrival of a request to its answer."},
		{"answers_total", "Requests by the HTTP status of the answer; 0: the sender was gone."},
		{"attempt_seconds", "Time of an attempt to deliver to a target."},
		{"attempts_total", "Attempts to deliver by target and result."},
		{"database_up", "Whether the database tells how jobs stand; if not, they are left out."},
		{"deliveries_total", "Deliveries received, by event and validity."},
		{"jobs", "Deliveries by target and state; those that arrived count for 24 hours."},
		{"oldest_waiting_seconds", "Age of the oldest delivery that waits for a target."},
	} {
		line := "# HELP owoxhook_" + family[0]
		pairs = append(pairs, line+"\n", line+" "+family[1]+"\n")
	}
	return strings.NewReplacer(pairs...)
})

// jobs sets how the jobs of each target stand.
func (a *admin) jobs(now *metrics.Set, all []relay.Status) {
	for _, s := range all {
		target := `target="` + s.Target + `"`
		for state, n := range map[relay.State]int{relay.Waiting: s.Waiting, relay.Delivering: s.Delivering, relay.Delivered: s.Delivered, relay.GivenUp: s.GivenUp} {
			now.GetOrCreateGauge(`owoxhook_jobs{`+target+`,state="`+string(state)+`"}`, nil).Set(float64(n))
		}
		oldest := 0.0
		if !s.Oldest.IsZero() {
			oldest = max(0, a.app.now().Sub(s.Oldest).Seconds())
		}
		now.GetOrCreateGauge(`owoxhook_oldest_waiting_seconds{`+target+`}`, nil).Set(oldest)
	}
}

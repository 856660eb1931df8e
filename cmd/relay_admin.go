package cmd

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
	"github.com/owoxhook/owoxhook/pkg/report"
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
		return struct{}{}, errors.Join(a.journal.Check(), a.relay.Check(ctx))
	})
	return err
}

// received counts a request. What others choose is no label.
func (a *admin) received(d delivery.Delivery) {
	if a == nil {
		return
	}
	event := "other"
	if known, ok := owox.Lookup(d.Event); ok {
		event = known.Type.Name()
	}
	if d.State != delivery.StateRefused {
		a.metrics.GetOrCreateCounter(`owoxhook_deliveries_total{event="` + event + `",valid="` + strconv.FormatBool(d.Valid()) + `"}`).Inc()
	}
	a.metrics.GetOrCreateCounter(`owoxhook_answers_total{status="` + strconv.Itoa(d.Answered) + `"}`).Inc()
	a.metrics.GetOrCreateHistogram("owoxhook_answer_seconds").Update(a.app.now().Sub(d.ReceivedAt).Seconds())
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
	a.metrics.GetOrCreateHistogram(`owoxhook_attempt_seconds{target="` + attempt.Target + `"}`).Update(attempt.Duration.Seconds())
}

// write writes what was counted, and how jobs stand now.
func (a *admin) write(w http.ResponseWriter, r *http.Request) {
	all, err := a.relay.Status(r.Context())
	if err != nil {
		ok(w, err)
		return
	}
	w.Header().Set(owox.HeaderContentType, "text/plain; version=0.0.4; charset=utf-8")
	a.metrics.WritePrometheus(w)
	now := metrics.NewSet()
	for _, s := range all {
		target := `target="` + s.Target + `"`
		for state, n := range map[relay.State]int{relay.Waiting: s.Waiting, relay.Delivering: s.Delivering, relay.Delivered: s.Delivered, relay.GivenUp: s.GivenUp} {
			now.GetOrCreateFloatCounter(`owoxhook_jobs{` + target + `,state="` + string(state) + `"}`).Set(float64(n))
		}
		oldest := 0.0
		if !s.Oldest.IsZero() {
			oldest = max(0, a.app.now().Sub(s.Oldest).Seconds())
		}
		now.GetOrCreateFloatCounter(`owoxhook_oldest_waiting_seconds{` + target + `}`).Set(oldest)
	}
	now.WritePrometheus(w)
}

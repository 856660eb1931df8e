// Package inspector is the web page of owoxhook: an [http.Handler] over what a
// journal can answer. It shows deliveries as they arrive, what is wrong with
// each and where in its body, and delivers them again.
//
// Pages are rendered here and readable without JavaScript; htmx adds what
// arrives. Nothing is loaded from elsewhere, and nothing that came in a
// delivery is ever markup, script, style or a link.
//
// A page is a template, a handler and a view model in files of its name.
package inspector

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"iter"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/receiver"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// Journal is what the pages ask and change. A [journal.Journal] satisfies it.
type Journal interface {
	List(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error]
	Ends(ctx context.Context) (oldest, newest int64, err error)
	Attempts(ctx context.Context, sequence int64) ([]journal.Attempt, error)
	Undelivered(ctx context.Context, sequences []int64) ([]int64, error)
	Related(ctx context.Context, e journal.Entry, limit int) ([]journal.Entry, error)
	CountsPerMinute(ctx context.Context, since time.Time) ([]journal.Count, error)
	CountsPerHour(ctx context.Context, since time.Time) ([]journal.Count, error)
	Writable() bool
	Delete(sequence int64) error
	KeepAttempt(sequence int64, at time.Time, a delivery.Attempt) error
}

// Answers is what deliveries are answered with. A [receiver.Receiver]
// satisfies it.
type Answers interface {
	Plan() receiver.Plan
	SetPlan(receiver.Plan)
}

// Options configure an [Inspector]. Only Journal and Addr are required.
type Options struct {
	Journal  Journal
	Addr     string                      // host:port where it is served
	Password string                      // asked for when not ""; without one, only a loopback address is served
	Receiver string                      // URL that receives deliveries; "": nothing does
	Answers  Answers                     // of the receiver; nil: they cannot be changed
	Relay    Relay                       // that delivers what is received; nil: nothing does
	Replay   func(sequence int64) string // the command that delivers again; nil: a plain one
	Now      func() time.Time            // nil: time.Now
	NewID    func() uuid.UUID            // nil: uuid.New
	Version  string
}

// Inspector is the handler. It may serve several requests at once.
type Inspector struct {
	options Options
	mux     *http.ServeMux
	sender  *sender.Sender
	hosts   []string // that requests may be for; nil: any
	token   string   // that actions must bring
	closed  chan struct{}
	close   func()

	feeds   atomic.Int64  // that are open
	stuck   time.Duration // a write to a feed that takes longer ends it
	latest  latest
	outlook outlook
	took    answerTimes
	files   func() map[string]asset
	pages   func() map[string]*template.Template
}

// New returns an inspector. Close it when it is no longer needed.
func New(options Options) *Inspector {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.NewID == nil {
		options.NewID = uuid.New
	}
	if options.Replay == nil {
		options.Replay = func(sequence int64) string { return fmt.Sprintf("owoxhook replay %d", sequence) }
	}
	i := &Inspector{
		options: options, mux: http.NewServeMux(), sender: sender.New(sender.Options{Now: options.Now}), token: options.NewID().String(),
		closed: make(chan struct{}), stuck: feedStuck, files: sync.OnceValue(loadAssets), pages: sync.OnceValue(loadPages),
	}
	i.close = sync.OnceFunc(func() { close(i.closed); i.sender.Close() })
	if isLoopback(options.Addr) {
		i.hosts = loopbackHosts(options.Addr)
	}
	for pattern, handler := range map[string]http.HandlerFunc{
		"GET /{$}":                           i.list,
		"GET /feed":                          i.feed,
		"GET /deliveries/{sequence}":         i.detail,
		"POST /deliveries/{sequence}/replay": i.replay,
		"POST /deliveries/{sequence}/delete": i.delete,
		"GET /overview":                      i.overview,
		"GET /send":                          i.sendForm,
		"POST /send":                         i.send,
		"GET /answers":                       i.answersForm,
		"POST /answers":                      i.answers,
		"GET /relay":                         i.relayOnly(i.relay),
		"GET /relay/feed":                    i.relayOnly(i.relayFeed),
		"POST /relay/retry":                  i.relayOnly(i.relayRetry),
		"GET /relay/drop":                    i.relayOnly(i.dropForm),
		"POST /relay/drop":                   i.relayOnly(i.relayDrop),
		"GET /relay/test":                    i.relayOnly(i.trialForm),
		"POST /relay/test":                   i.relayOnly(i.trial),
		"GET /rules":                         i.rules,
		"GET /events":                        i.events,
		"GET /assets/{name}":                 i.asset,
		"GET /": func(w http.ResponseWriter, r *http.Request) {
			i.fail(w, r, http.StatusNotFound, "There is no such page.")
		},
	} {
		i.mux.HandleFunc(pattern, handler)
	}
	return i
}

// Close ends the feeds, so that a server can shut down.
func (i *Inspector) Close() { i.close() }

// ServeHTTP serves the pages to those who may see them.
func (i *Inspector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	harden(w.Header())
	if i.admit(w, r) {
		i.mux.ServeHTTP(w, r)
	}
}

//go:embed *.html
var templates embed.FS

// loadPages parses each page with the layout around it.
func loadPages() map[string]*template.Template {
	pages := map[string]*template.Template{}
	layout := template.Must(template.New("").Funcs(functions).ParseFS(templates, "layout.html", "row.html", "attempt.html"))
	for _, name := range []string{"list", "detail", "again", "overview", "send", "answers", "relay", "drop", "trial", "rules", "events", "failed"} {
		pages[name] = template.Must(template.Must(layout.Clone()).ParseFS(templates, name+".html"))
	}
	return pages
}

// page is what the layout shows around the view of a page.
type page struct {
	Title, Name string
	Token       string
	Answers     bool // can be changed
	Relay       bool // there is one
	Paused      bool
	Encrypted   bool
	Local       bool // only this machine can see it
	Version     string
	View        any
}

// render writes a page. It is rendered whole first, so that an error is a page.
func (i *Inspector) render(w http.ResponseWriter, r *http.Request, status int, name, title string, view any) {
	p := page{
		Title: title, Name: name, Token: i.token, Answers: i.options.Answers != nil, Relay: i.options.Relay != nil, Encrypted: r.TLS != nil, Local: i.hosts != nil,
		Version: i.options.Version, View: view,
	}
	if p.Answers {
		p.Paused = i.options.Answers.Plan().Paused
	}
	var out bytes.Buffer
	if err := i.pages()[name].ExecuteTemplate(&out, "layout", p); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	compressed(w, r, status, out.Bytes())
}

// fail writes a page that says what is wrong.
func (i *Inspector) fail(w http.ResponseWriter, r *http.Request, status int, message string) {
	i.render(w, r, status, "failed", http.StatusText(status), message)
}

// broken is fail for what the journal could not do.
func (i *Inspector) broken(w http.ResponseWriter, r *http.Request, err error) {
	i.fail(w, r, http.StatusInternalServerError, err.Error())
}

// defaultReceiver is where listen receives, unless it is told otherwise.
var defaultReceiver = url.URL{Scheme: "http", Host: "127.0.0.1:8787", Path: "/"}

// receiverURL is where deliveries go again, unless somebody says where to.
func (i *Inspector) receiverURL() *url.URL {
	if to, err := url.Parse(i.options.Receiver); err == nil && to.Host != "" {
		return to
	}
	to := defaultReceiver
	return &to
}

func isLoopback(addr string) bool {
	at, err := netip.ParseAddrPort(addr)
	return err == nil && at.Addr().Unmap().IsLoopback()
}

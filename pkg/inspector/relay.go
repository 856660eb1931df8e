package inspector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/owoxhook/owoxhook/pkg/relay"
)

// Relay is what the page of a relay asks and changes. A [relay.Relay] satisfies
// it.
type Relay interface {
	Status(ctx context.Context) ([]relay.Status, error)
	Jobs(ctx context.Context, which relay.Selection, limit int) ([]relay.Job, error)
	Retry(ctx context.Context, which relay.Selection) (int, error)
	Drop(ctx context.Context, which relay.Selection) (int, error)
	Target(name string) (relay.Target, bool)
}

// relayView is how a relay stands.
type relayView struct {
	Token            string
	Targets          []targetRow
	Target           string // the one whose jobs are listed; "": all
	Waiting, GivenUp jobList
}

// targetRow is a target with how it stands.
type targetRow struct {
	relay.Status
	Here         bool // this process delivers to it
	Oldest, Next when
}

// jobList is the beginning of what waits, or was given up.
type jobList struct {
	Jobs  []jobRow
	Total int
	Wait  bool // they are tried again
}

// jobRow is a delivery on its way to a target.
type jobRow struct {
	relay.Job
	Token, Shown string // for its forms
	Next         when
}

// when is a time, and how far away it is.
type when struct {
	At   time.Time
	Text string // "": there is no such time
}

// relayOnly serves a page that there is beside a relay only.
func (i *Inspector) relayOnly(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if i.options.Relay == nil {
			i.fail(w, r, http.StatusNotFound, "Nothing is relayed beside this page: start owoxhook relay --ui.")
			return
		}
		serve(w, r)
	}
}

// relayPage is what the page shows around what is live.
type relayPage struct {
	relayView
	Feed string
	Done string // what an action did; "": there was none
}

func (i *Inspector) relay(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	v, err := i.newRelay(r.Context(), query.Get("target"))
	if err != nil {
		i.broken(w, r, err)
		return
	}
	page := relayPage{relayView: v, Feed: "/relay/feed?" + url.Values{"target": {v.Target}}.Encode()}
	for name, word := range map[string]string{"retried": "tried again", "dropped": "dropped"} {
		if n, err := strconv.Atoi(query.Get(name)); err == nil {
			page.Done = counted(n, "delivery is ", "deliveries are ") + word
		}
	}
	i.render(w, r, http.StatusOK, "relay", "Relay", page)
}

// newRelay asks how the relay stands, and lists jobs of a target, or of all.
func (i *Inspector) newRelay(ctx context.Context, target string) (v relayView, err error) {
	v.Token, v.Waiting.Wait = i.token, true
	all, err := i.options.Relay.Status(ctx)
	if err != nil {
		return v, err
	}
	for _, s := range all {
		_, here := i.options.Relay.Target(s.Target)
		v.Targets = append(v.Targets, targetRow{s, here, i.since(s.Oldest), i.until(s.Next)})
		if s.Target == target {
			v.Target = target
		}
	}
	for _, s := range all {
		if v.Target == "" || v.Target == s.Target {
			v.Waiting.Total += s.Waiting
			v.GivenUp.Total += s.GivenUp
		}
	}
	if v.Waiting.Total > 0 {
		v.Waiting.Jobs, err = i.jobs(ctx, relay.Selection{Target: v.Target, Waiting: true})
	}
	if v.GivenUp.Total > 0 && err == nil {
		v.GivenUp.Jobs, err = i.jobs(ctx, relay.Selection{Target: v.Target, GivenUp: true})
	}
	return v, err
}

// jobs returns the first jobs of a selection.
func (i *Inspector) jobs(ctx context.Context, which relay.Selection) (rows []jobRow, err error) {
	all, err := i.options.Relay.Jobs(ctx, which, pageSize)
	for _, j := range all {
		row := jobRow{Job: j, Token: i.token, Shown: which.Target}
		if j.State == relay.Waiting {
			row.Next = i.until(j.Next)
		}
		rows = append(rows, row)
	}
	return rows, err
}

func (i *Inspector) since(at time.Time) when {
	if at.IsZero() {
		return when{}
	}
	return when{at, roughly(i.options.Now().Sub(at)) + " ago"}
}

func (i *Inspector) until(at time.Time) when {
	switch in := at.Sub(i.options.Now()); {
	case at.IsZero():
		return when{}
	case in < time.Second:
		return when{at, "now"}
	default:
		return when{at, "in " + roughly(in)}
	}
}

// roughly writes a duration in its largest unit, so that what is far away does
// not change all the time.
func roughly(d time.Duration) string {
	for _, unit := range []struct {
		name string
		time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}} {
		if d >= 2*unit.Duration {
			return strconv.Itoa(int(d/unit.Duration)) + unit.name
		}
	}
	return strconv.Itoa(int(max(d, 0)/time.Second)) + "s"
}

// selection reads which jobs a form is about. One that names nothing is not
// about everything.
func selection(form url.Values) (which relay.Selection, err error) {
	which.Target, which.GivenUp = form.Get("target"), form.Get("state") == string(relay.GivenUp)
	if text := form.Get("delivery"); text != "" {
		if which.Sequence, err = strconv.ParseInt(text, 10, 64); err != nil {
			return which, fmt.Errorf("%q is not the number of a delivery", text)
		}
	}
	if which == (relay.Selection{}) {
		err = errors.New("neither a target nor a delivery was chosen")
	}
	return which, err
}

func (i *Inspector) relayRetry(w http.ResponseWriter, r *http.Request) {
	i.change(w, r, "retried", i.options.Relay.Retry)
}

func (i *Inspector) relayDrop(w http.ResponseWriter, r *http.Request) {
	i.change(w, r, "dropped", i.options.Relay.Drop)
}

// change changes the jobs that a form is about, and goes back to the page.
func (i *Inspector) change(w http.ResponseWriter, r *http.Request, done string, change func(context.Context, relay.Selection) (int, error)) {
	which, err := selection(r.PostForm)
	if err != nil {
		i.fail(w, r, http.StatusBadRequest, "Nothing was changed: "+err.Error())
		return
	}
	n, err := change(r.Context(), which)
	if err != nil {
		i.broken(w, r, err)
		return
	}
	i.outlook.forget()
	values := url.Values{done: {strconv.Itoa(n)}}
	if shown := r.PostForm.Get("shown"); shown != "" {
		values.Set("target", shown)
	}
	http.Redirect(w, r, "/relay?"+values.Encode(), http.StatusSeeOther)
}

package inspector

import (
	"fmt"
	"net/http"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
)

// trialView is the form that sends a test event through a target, and what came
// of it.
type trialView struct {
	Target string
	Events []owox.Event
	Event  string
	Sent   bool
	Shown  string // what was sent, without secrets
	New    delivery.Attempt
	Answer bodyView
}

func (i *Inspector) trialForm(w http.ResponseWriter, r *http.Request) {
	if v, _, ok := i.newTrial(w, r, r.URL.Query().Get("target")); ok {
		i.render(w, r, http.StatusOK, "trial", "Test "+v.Target, v)
	}
}

func (i *Inspector) newTrial(w http.ResponseWriter, r *http.Request, target string) (v trialView, t relay.Target, ok bool) {
	if t, ok = i.options.Relay.Target(target); !ok {
		i.fail(w, r, http.StatusNotFound, fmt.Sprintf("This relay has no target %q.", target))
	}
	return trialView{Target: target, Events: owox.Events()}, t, ok
}

func (i *Inspector) trial(w http.ResponseWriter, r *http.Request) {
	v, t, ok := i.newTrial(w, r, r.PostForm.Get("target"))
	if !ok {
		return
	}
	v.Event = r.PostForm.Get("event")
	event, ok := owox.ParseEventType(v.Event)
	if !ok {
		i.fail(w, r, http.StatusBadRequest, fmt.Sprintf("Nothing was sent: %q is not an event", v.Event))
		return
	}
	batch := relay.Trial(owox.Sample{Event: event, Test: true, ID: i.options.NewID(), Now: i.options.Now()})
	var err error
	if v.Shown, err = t.Carrier.Show(batch); err != nil {
		i.fail(w, r, http.StatusInternalServerError, "Nothing was sent: "+err.Error())
		return
	}
	answer := unhurried(w)
	v.Sent, v.New = true, t.Carrier.Carry(r.Context(), batch)
	v.Answer = newBody(v.New.Body, nil)
	answer()
	i.render(w, r, http.StatusOK, "trial", "Test "+v.Target, v)
}

// unhurried takes the limits of the server off what a request asks for, which
// has one of its own. The function that it returns gives the answer one again.
func unhurried(w http.ResponseWriter) (answer func()) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // a recorder has none of them
	_ = control.SetWriteDeadline(time.Time{})
	return func() { _ = control.SetWriteDeadline(time.Now().Add(feedStuck)) }
}

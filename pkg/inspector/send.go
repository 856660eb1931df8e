package inspector

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/payloads"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// sendView is the form that sends a sample, and what came of it.
type sendView struct {
	Events   []owox.Event
	Event    string
	Test     bool
	Set      string // a PATH=VALUE a line
	Example  string // of one
	To       string
	Receives bool // a receiver runs beside the page
	Problem  string
	Sent     bool
	New      delivery.Attempt
	Answer   bodyView
}

func (i *Inspector) sendForm(w http.ResponseWriter, r *http.Request) {
	i.render(w, r, http.StatusOK, "send", "Send", i.newSend(url.Values{"test": {"yes"}}))
}

func (i *Inspector) newSend(form url.Values) sendView {
	v := sendView{
		Events: owox.Events(), Event: form.Get("event"), Test: form.Get("test") == "yes", Set: form.Get("set"), To: form.Get("to"),
		Example: owox.PathRunStatus + "=SUCCESSFUL", Receives: i.options.Receiver != "",
	}
	if v.To == "" {
		v.To = i.receiverURL().String()
	}
	return v
}

func (i *Inspector) send(w http.ResponseWriter, r *http.Request) {
	v := i.newSend(r.PostForm)
	request, err := i.sample(v)
	if err != nil {
		v.Problem = err.Error()
		i.render(w, r, http.StatusBadRequest, "send", "Send", v)
		return
	}
	v.Sent = true
	answer := unhurried(w)
	v.New = i.sender.Deliver(r.Context(), request, nil).Last()
	answer()
	v.Answer = newBody(v.New.Body, nil)
	i.render(w, r, http.StatusOK, "send", "Send", v)
}

// sample makes the request that the form describes.
func (i *Inspector) sample(v sendView) (sender.Request, error) {
	to, err := endpoint(v.To)
	if err != nil {
		return sender.Request{}, err
	}
	event, ok := owox.ParseEventType(v.Event)
	if !ok {
		return sender.Request{}, fmt.Errorf("%q is not an event", v.Event)
	}
	payload := owox.Sample{Event: event, Test: v.Test, ID: i.options.NewID(), Now: i.options.Now()}.JSON()
	for text := range strings.Lines(v.Set) {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		path, value, set := strings.Cut(text, "=")
		if payload, err = (payloads.Edit{Path: strings.TrimSpace(path), Value: value, Unset: !set}).Apply(payload); err != nil {
			return sender.Request{}, err
		}
	}
	return sender.NewRequest(to, payload), nil
}

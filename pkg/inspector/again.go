package inspector

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// againView shows the answer to a delivery that was made again beside the old.
type againView struct {
	journal.Entry
	Edited  bool
	New     delivery.Attempt
	Answer  bodyView
	NotKept string // why the attempt is not in the journal; "": it is
}

func (i *Inspector) replay(w http.ResponseWriter, r *http.Request) {
	e, ok := i.entry(w, r)
	if !ok {
		return
	}
	to, err := endpoint(r.PostFormValue("to"))
	if err == nil && e.Cut {
		err = errors.New("the journal has only the beginning of its body")
	}
	if err != nil {
		i.fail(w, r, http.StatusBadRequest, "Nothing was sent: "+err.Error())
		return
	}
	request := sender.Again(to, e.Delivery)
	v := againView{Entry: e}
	if text, ok := edited(r.PostForm, e.Body); ok {
		v.Edited, request = true, withBody(request, text)
	}
	at := i.options.Now()
	answer := unhurried(w)
	v.New = i.sender.Deliver(r.Context(), request, nil).Last()
	answer()
	v.Answer = newBody(v.New.Body, nil)
	if err := i.options.Journal.KeepAttempt(e.Sequence, at, v.New); err != nil {
		v.NotKept = err.Error()
	}
	i.render(w, r, http.StatusOK, "again", fmt.Sprintf("Delivery %d, again", e.Sequence), v)
}

// endpoint reads the URL of an endpoint.
func endpoint(text string) (*url.URL, error) {
	to, err := url.Parse(strings.TrimSpace(text))
	if err != nil || to.Scheme != "http" && to.Scheme != "https" || to.Host == "" {
		return nil, fmt.Errorf("%q is not a URL such as %s", text, &defaultReceiver)
	}
	return to, nil
}

// edited returns the body of a form, compact where it is JSON, and whether it
// is another than the one that was shown. Forms have lines that end with CRLF.
func edited(form url.Values, body []byte) (text []byte, ok bool) {
	shown := strings.TrimSpace(strings.ReplaceAll(owox.Indent(body), "\r\n", "\n"))
	came := strings.TrimSpace(strings.ReplaceAll(form.Get("body"), "\r\n", "\n"))
	if !form.Has("body") || came == shown {
		return nil, false
	}
	compact := jsontext.Value(came)
	if compact.Compact(append(lenient, jsontext.PreserveRawStrings(true))...) != nil {
		return []byte(came), true // what is not JSON is sent as it was written
	}
	return bytes.Clone(compact), true
}

// withBody changes the body, and what the headers say of it.
func withBody(r sender.Request, body []byte) sender.Request {
	r.Body = body
	identity := owox.Identify(body)
	for name, value := range map[string]string{owox.HeaderID: identity.ID, owox.HeaderEvent: string(identity.Event)} {
		if value != "" && r.HasHeader(name) {
			r = r.WithHeader(owox.Header{Name: name, Value: value})
		}
	}
	return r
}

package inspector

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

const (
	pageSize = 50
	// scanned is how many entries are looked at for a page, so that a page of a
	// million deliveries, none of which is meant, does not take longer either.
	scanned = 20_000
)

// filter is what a list is of. Its members are parameters of the URL.
type filter struct {
	Event, Valid, Test, DataMart, Status, Since, Text string
	before                                            int64

	since  time.Time
	status int
}

// values are the parameters that a filter came from, without the page.
func (f filter) values() url.Values {
	values := url.Values{}
	for name, value := range map[string]string{
		"event": f.Event, "valid": f.Valid, "test": f.Test, "mart": f.DataMart, "status": f.Status, "since": f.Since, "q": f.Text,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

// Any reports whether the filter leaves anything out.
func (f filter) Any() bool { return len(f.values()) > 0 }

func parseFilter(values url.Values, now time.Time) (f filter, err error) {
	get := func(name string) string { return strings.TrimSpace(values.Get(name)) }
	f = filter{
		Event: get("event"), Valid: get("valid"), Test: get("test"), DataMart: get("mart"), Status: get("status"), Since: get("since"), Text: get("q"),
	}
	if f.Status != "" {
		if f.status, err = strconv.Atoi(f.Status); err != nil {
			return f, fmt.Errorf("answered %q: want a status such as 422", f.Status)
		}
	}
	if f.Since != "" {
		if f.since, err = parseSince(f.Since, now); err != nil {
			return f, err
		}
	}
	if before := get("before"); before != "" {
		if f.before, err = strconv.ParseInt(before, 10, 64); err != nil {
			return f, fmt.Errorf("before %q: want the number of a delivery", before)
		}
	}
	return f, nil
}

// parseSince reads a time: so long ago, or a date with or without a time.
func parseSince(text string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.AddDate(0, 0, -int(n)), nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	if at, ok := owox.ParseTimestamp([]byte(text)); ok {
		return at, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return day, nil
	}
	return time.Time{}, fmt.Errorf("since %q: want a time such as 2h or 7d, or a date such as 2026-01-31", text)
}

// query is the part of a filter that the journal answers.
func (f filter) query() journal.Filter {
	q := journal.Filter{Event: owox.EventType(f.Event), Invalid: f.Valid == "no", Test: f.Test == "yes", DataMart: f.DataMart, Since: f.since, Before: f.before, Limit: scanned}
	if event, ok := owox.ParseEventType(f.Event); ok {
		q.Event = event
	}
	return q
}

// arrived decides all of it, for what just arrived.
func (f filter) arrived(e journal.Entry) bool {
	q := f.query()
	return (q.Event == "" || e.Event == q.Event) && (!q.Invalid || !validate.Valid(e.Findings)) && (!q.Test || e.IsTest) &&
		(f.DataMart == "" || f.DataMart == e.DataMartID || f.DataMart == e.Title) && !e.ReceivedAt.Before(f.since) && f.match(e)
}

// match decides the rest of it.
func (f filter) match(e journal.Entry) bool {
	return (f.Valid != "yes" || validate.Valid(e.Findings)) &&
		(f.Test != "no" || !e.IsTest) &&
		(f.status == 0 || e.Answered == f.status) &&
		(f.Text == "" || hasText(e, strings.ToLower(f.Text)))
}

// hasText reports whether title, ids or errors have a text in lower case.
func hasText(e journal.Entry, text string) bool {
	for _, part := range []string{e.Title, e.ID, e.DataMartID, e.RunID, e.ProjectID} {
		if strings.Contains(strings.ToLower(part), text) {
			return true
		}
	}
	for _, message := range gjson.GetBytes(e.Body, owox.PathErrors).Array() {
		if strings.Contains(strings.ToLower(message.String()), text) {
			return true
		}
	}
	return false
}

// listView is a page of the list.
type listView struct {
	Filter   filter
	Events   []owox.Event
	Problem  string
	Rows     []row
	Feed     string // URL of what arrives; "": the page does not show the newest
	First    string // URL of the newest, where this is another page
	Older    string // URL of the next page
	Searched int64  // where the search stopped without having filled the page
	Receiver string
}

func (i *Inspector) list(w http.ResponseWriter, r *http.Request) {
	f, err := parseFilter(r.URL.Query(), i.options.Now())
	v := listView{Filter: f, Events: owox.Events(), Receiver: i.options.Receiver}
	if err != nil {
		v.Problem = err.Error()
		i.render(w, r, http.StatusBadRequest, "list", "Deliveries", v)
		return
	}
	values := f.values()
	if strings.Contains(r.URL.RawQuery+"&", "=&") { // forms send what is empty too: a URL to share does without
		http.Redirect(w, r, "/?"+values.Encode(), http.StatusSeeOther)
		return
	}
	// First, or what arrives meanwhile is neither on the page nor in its feed.
	_, newest, err := i.options.Journal.Ends(r.Context())
	if err == nil {
		v.Rows, v.Searched, err = i.rows(r.Context(), f)
	}
	if err != nil {
		i.broken(w, r, err)
		return
	}
	if f.before == 0 {
		values.Set("after", strconv.FormatInt(newest, 10))
		v.Feed = "/feed?" + values.Encode()
		values.Del("after")
	} else {
		v.First = "/?" + values.Encode()
	}
	switch {
	case v.Searched > 0:
		values.Set("before", strconv.FormatInt(v.Searched, 10))
		v.Older = "/?" + values.Encode()
	case len(v.Rows) == pageSize:
		values.Set("before", strconv.FormatInt(v.Rows[pageSize-1].Sequence, 10))
		v.Older = "/?" + values.Encode()
	}
	i.render(w, r, http.StatusOK, "list", "Deliveries", v)
}

// rows returns the rows of a page. Where the search for them stopped before the
// page was full, it says at which sequence.
func (i *Inspector) rows(ctx context.Context, f filter) (rows []row, stopped int64, err error) {
	looked := 0
	for e, err := range i.options.Journal.List(ctx, f.query()) {
		if err != nil {
			return nil, 0, err
		}
		looked, stopped = looked+1, e.Sequence
		if !f.match(e) {
			continue
		}
		if rows = append(rows, i.row(e)); len(rows) == pageSize {
			break
		}
	}
	if len(rows) == pageSize || looked < scanned {
		stopped = 0
	}
	return rows, stopped, i.addAttempts(ctx, rows)
}

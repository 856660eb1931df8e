package inspector

import (
	"context"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// row is a delivery in a list.
type row struct {
	delivery.Delivery
	Today        bool
	Run          string // how long the run took; "": nobody knows
	NotForwarded bool   // it was tried, without success
}

func (i *Inspector) row(e journal.Entry) row {
	r := row{Delivery: e.Delivery, Today: sameDay(e.ReceivedAt, i.options.Now())}
	if ms := gjson.GetBytes(e.Body, owox.PathDurationMS); ms.Type == gjson.Number {
		r.Run = took(time.Duration(ms.Num * float64(time.Millisecond)))
	}
	r.Body = nil // a page of them must not hold what it does not show
	return r
}

// addAttempts tells which deliveries were not forwarded.
func (i *Inspector) addAttempts(ctx context.Context, rows []row) error {
	var sequences []int64
	for _, r := range rows {
		sequences = append(sequences, r.Sequence)
	}
	undelivered, err := i.options.Journal.Undelivered(ctx, sequences)
	for n := range rows {
		rows[n].NotForwarded = slices.Contains(undelivered, rows[n].Sequence)
	}
	return err
}

func sameDay(a, b time.Time) bool {
	return a.Local().Format(time.DateOnly) == b.Local().Format(time.DateOnly)
}

// Worst is the severity of the worst finding, or "".
func (r row) Worst() string {
	worst := validate.Off
	for _, f := range r.Findings {
		worst = max(worst, f.Severity)
	}
	if worst == validate.Off {
		return ""
	}
	return worst.String()
}

// Invalid reports whether a finding is an error, whatever was answered.
func (r row) Invalid() bool { return !validate.Valid(r.Findings) }

// functions are what templates call.
var functions = template.FuncMap{
	"show":   show,
	"took":   took,
	"status": statusText,
	"kind":   statusKind,
	"clock":  func(t time.Time) string { return t.Local().Format("15:04:05") },
	"day":    func(t time.Time) string { return t.Local().Format("2 Jan") },
	"stamp":  func(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05.000 -07:00") },
	"iso":    owox.FormatTimestamp,
	"plural": counted,
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// took writes a duration with about three digits.
func took(d time.Duration) string {
	if d >= time.Minute {
		return d.Round(time.Second).String()
	}
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if d >= unit {
			return d.Round(unit / 100).String()
		}
	}
	return d.String()
}

func statusText(status int) string {
	if status == 0 {
		return "no answer"
	}
	return strconv.Itoa(status) + " " + http.StatusText(status)
}

// statusKind is the class that colours a status.
func statusKind(status int) string {
	switch status / 100 {
	case 2:
		return "good"
	case 3, 4:
		return "warn"
	default:
		return "bad"
	}
}

package inspector

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/tidwall/gjson"

	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

const (
	// sampled is how many of the newest deliveries of a day are read for what
	// only their bodies and findings tell.
	sampled = 10_000
	topFew  = 8
)

// overviewView sums up the last day.
type overviewView struct {
	Hour, Day []chart
	Sampled   int  // deliveries that the lists are made of
	Partial   bool // the day had more
	Slowest   []mart
	Failing   []mart
	Findings  []frequent
}

// mart is a data mart with what its runs did.
type mart struct {
	ID, Title    string
	Runs, Failed int
	total        time.Duration
	timed        int
}

// Mean is how long a run took.
func (m mart) Mean() time.Duration { return m.total / time.Duration(max(m.timed, 1)) }

// Share is how many of a hundred runs failed.
func (m mart) Share() int { return m.Failed * 100 / max(m.Runs, 1) }

// frequent is a rule with how many deliveries broke it.
type frequent struct {
	validate.Rule
	Severity   validate.Severity // as it was found
	Deliveries int
	Latest     int64 // the newest of them
}

func (i *Inspector) overview(w http.ResponseWriter, r *http.Request) {
	now := i.options.Now()
	hour, day := now.Add(-59*time.Minute).Truncate(time.Minute), now.Add(-23*time.Hour).Truncate(time.Hour)
	minutes, err := i.options.Journal.CountsPerMinute(r.Context(), hour)
	if err != nil {
		i.broken(w, r, err)
		return
	}
	hours, err := i.options.Journal.CountsPerHour(r.Context(), day)
	if err != nil {
		i.broken(w, r, err)
		return
	}
	v := overviewView{Hour: newCharts(minutes, hour, time.Minute, 60), Day: newCharts(hours, day, time.Hour, 24)}
	if err := i.sumUp(r.Context(), now.Add(-24*time.Hour), &v); err != nil {
		i.broken(w, r, err)
		return
	}
	i.render(w, r, http.StatusOK, "overview", "Overview", v)
}

// sumUp reads the newest deliveries. A retry of an event is not another run.
func (i *Inspector) sumUp(ctx context.Context, since time.Time, v *overviewView) error {
	marts, rules := map[string]*mart{}, map[string]*frequent{}
	for e, err := range i.options.Journal.List(ctx, journal.Filter{Since: since, Limit: sampled}) {
		if err != nil {
			return err
		}
		v.Sampled++
		countFindings(rules, e)
		if e.IsTest || e.Duplicate || e.DataMartID == "" {
			continue
		}
		m := marts[e.DataMartID]
		if m == nil {
			m = &mart{ID: e.DataMartID, Title: e.Title} // the newest title
			marts[e.DataMartID] = m
		}
		m.Runs++
		if e.Event == owox.RunFailed {
			m.Failed++
		}
		if ms := gjson.GetBytes(e.Body, owox.PathDurationMS); ms.Type == gjson.Number && ms.Num > 0 {
			m.total, m.timed = m.total+time.Duration(ms.Num*float64(time.Millisecond)), m.timed+1
		}
	}
	v.Partial = v.Sampled == sampled
	v.Slowest = topMarts(marts, func(m mart) int64 { return int64(m.Mean()) })
	v.Failing = topMarts(marts, func(m mart) int64 { return int64(m.Failed) })
	for _, f := range rules {
		v.Findings = append(v.Findings, *f)
	}
	slices.SortFunc(v.Findings, func(a, b frequent) int {
		return cmp.Or(cmp.Compare(b.Deliveries, a.Deliveries), cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.ID, b.ID))
	})
	v.Findings = v.Findings[:min(len(v.Findings), topFew)]
	return nil
}

func countFindings(rules map[string]*frequent, e journal.Entry) {
	for n, f := range e.Findings {
		if slices.ContainsFunc(e.Findings[:n], func(earlier validate.Finding) bool { return earlier.Rule == f.Rule }) {
			continue
		}
		if rules[f.Rule] == nil {
			rule, known := validate.FindRule(f.Rule)
			if !known {
				rule.ID = f.Rule
			}
			rules[f.Rule] = &frequent{Rule: rule, Severity: f.Severity, Latest: e.Sequence}
		}
		rules[f.Rule].Deliveries++
	}
}

// topMarts returns the data marts with the highest values above 0.
func topMarts(marts map[string]*mart, value func(mart) int64) []mart {
	var top []mart
	for _, m := range marts {
		if value(*m) > 0 {
			top = append(top, *m)
		}
	}
	slices.SortFunc(top, func(a, b mart) int { return cmp.Or(cmp.Compare(value(b), value(a)), cmp.Compare(a.ID, b.ID)) })
	return top[:min(len(top), topFew)]
}

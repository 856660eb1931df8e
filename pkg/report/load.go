package report

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/dustin/go-humanize"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// Load says how a load went.
type Load struct {
	sender.LoadResult
	URL         string
	Connections int     // at most
	Rate        float64 // deliveries a second that were asked for; 0: as many as can be
}

// percentiles are those that a load is summed up by.
var percentiles = []struct {
	name string
	of   float64
}{{"min", 0}, {"p50", 50}, {"p90", 90}, {"p95", 95}, {"p99", 99}, {"p99.9", 99.9}, {"max", 100}}

// quantile is the latency that a percentile of the deliveries did not exceed.
func quantile(h *hdrhistogram.Histogram, of float64) time.Duration {
	switch of {
	case 0:
		return time.Duration(h.Min()) * time.Microsecond
	case 100:
		return time.Duration(h.Max()) * time.Microsecond
	default:
		return sender.Quantile(h, of)
	}
}

// bar is a part of a histogram.
type bar struct {
	from, to time.Duration
	count    int64
}

const maxBars = 12

// bars divides latencies into parts that grow by the same factor, so that fast
// and slow ones can be seen in one picture.
func bars(h *hdrhistogram.Histogram) []bar {
	if h.TotalCount() == 0 {
		return nil
	}
	shortest, longest := float64(h.Min()), float64(h.Max())
	var parts []bar
	from := time.Duration(0)
	for i := 1; i <= maxBars; i++ {
		to := twoDigits(shortest * math.Pow(longest/shortest, float64(i)/maxBars))
		if i == maxBars {
			to = time.Duration(h.Max()) * time.Microsecond
		}
		if to > from {
			parts = append(parts, bar{from: from, to: to})
			from = to
		}
	}
	at := 0
	for _, b := range h.Distribution() {
		for at < len(parts)-1 && time.Duration(b.To)*time.Microsecond > parts[at].to {
			at++
		}
		parts[at].count += b.Count
	}
	return parts
}

// twoDigits rounds microseconds up to two digits.
func twoDigits(us float64) time.Duration {
	unit := math.Pow(10, max(0, math.Floor(math.Log10(us))-1))
	return time.Duration(math.Ceil(us/unit)*unit) * time.Microsecond
}

// counted is a line of a table of counts.
type counted struct {
	name  string
	count int
	says  string
	good  bool
}

// outcomes are the statuses, and the failures that have none.
func (l Load) outcomes() []counted {
	var lines []counted
	for _, status := range slices.Sorted(maps.Keys(l.Statuses)) {
		lines = append(lines, counted{name: statusText(status), count: l.Statuses[status], good: status/100 == 2})
	}
	for _, f := range l.Failures {
		if f.Kind != delivery.BadStatus && f.Kind != delivery.Redirected {
			lines = append(lines, counted{name: string(f.Kind), count: f.Count, says: f.Error})
		}
	}
	return lines
}

func (l Load) headline() string {
	deliveries := humanize.Comma(int64(l.Deliveries)) + " deliveries"
	if l.Deliveries == 1 {
		deliveries = "1 delivery"
	}
	words := fmt.Sprintf("%s in %v, %s a second, %s", deliveries, round(l.Elapsed),
		perSecond(l.PerSecond()), Summary{{l.Connections, "", "connection", "connections"}})
	if l.Rate > 0 {
		words += ", " + perSecond(l.Rate) + " a second asked for"
	}
	return words
}

func perSecond(rate float64) string {
	if rate >= 100 {
		return humanize.Comma(int64(math.Round(rate)))
	}
	return strconv.FormatFloat(rate, 'g', 3, 64)
}

const barWidth = 40

func (t textReporter) Load(l Load) error {
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s  %s\n", owox.Method, Escape(l.URL), l.headline())
	for _, line := range l.outcomes() {
		paint := t.paint.bad
		if line.good {
			paint = t.paint.good
		}
		fmt.Fprintf(&out, "    %s  %s  %s\n", paint(fmt.Sprintf("%-24s", line.name)), fmt.Sprintf("%10s", humanize.Comma(int64(line.count))), Escape(line.says))
	}
	parts := bars(l.Latency)
	if len(parts) > 0 {
		out.WriteString("latency\n   ")
		for _, p := range percentiles {
			fmt.Fprintf(&out, " %s %v ", t.paint.dim(p.name), round(quantile(l.Latency, p.of)))
		}
		out.WriteByte('\n')
	}
	most := int64(1)
	for _, b := range parts {
		most = max(most, b.count)
	}
	for _, b := range parts {
		length := int(math.Ceil(float64(b.count) / float64(most) * barWidth))
		fmt.Fprintf(&out, "    %9s  %s%s  %s\n", "≤ "+round(b.to).String(), t.paint.info(strings.Repeat("█", length)), strings.Repeat(" ", barWidth-length), humanize.Comma(b.count))
	}
	if err := write(t.out, trimLines(out.String())); err != nil {
		return err
	}
	for _, f := range l.Failures {
		if err := write(t.err, "hint: "+Escape(f.Hint)+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// trimLines takes the spaces off the ends of lines.
func trimLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

type loadJSON struct {
	Type        string              `json:"type"`
	URL         string              `json:"url"`
	Connections int                 `json:"connections"`
	Rate        float64             `json:"rate,omitzero"`
	Deliveries  int                 `json:"deliveries"`
	Succeeded   int                 `json:"succeeded"`
	Failed      int                 `json:"failed"`
	DurationMS  float64             `json:"durationMs"`
	PerSecond   float64             `json:"perSecond"`
	Statuses    map[string]int      `json:"statuses"`
	Failures    []loadFailureJSON   `json:"failures"`
	LatencyMS   map[string]*float64 `json:"latencyMs"` // by percentile; null: there is none
	Histogram   []barJSON           `json:"histogram"`
	Timeline    []intervalJSON      `json:"timeline"`
}

type loadFailureJSON struct {
	Kind  string `json:"kind"`
	Count int    `json:"count"`
	Error string `json:"error"` // of the first one
	Hint  string `json:"hint"`
}

type barJSON struct {
	AboveMS float64 `json:"aboveMs"`
	UpToMS  float64 `json:"upToMs"`
	Count   int64   `json:"count"`
}

type intervalJSON struct {
	StartMS    float64 `json:"startMs"`
	EndMS      float64 `json:"endMs"`
	Deliveries int     `json:"deliveries"`
	Failed     int     `json:"failed"`
	P50MS      float64 `json:"p50Ms"`
	P99MS      float64 `json:"p99Ms"`
	MaxMS      float64 `json:"maxMs"`
}

func (j jsonReporter) Load(l Load) error {
	object := loadJSON{
		Type: "load", URL: l.URL, Connections: l.Connections, Rate: l.Rate,
		Deliveries: l.Deliveries, Succeeded: l.Deliveries - l.Failed, Failed: l.Failed,
		DurationMS: milliseconds(l.Elapsed), PerSecond: math.Round(l.PerSecond()*10) / 10,
		Statuses: map[string]int{}, LatencyMS: map[string]*float64{},
	}
	for status, count := range l.Statuses {
		object.Statuses[strconv.Itoa(status)] = count
	}
	for _, f := range l.Failures {
		object.Failures = append(object.Failures, loadFailureJSON{string(f.Kind), f.Count, f.Error, f.Hint})
	}
	for _, p := range percentiles {
		object.LatencyMS[p.name] = nil
		if l.Latency.TotalCount() > 0 {
			ms := milliseconds(quantile(l.Latency, p.of))
			object.LatencyMS[p.name] = &ms
		}
	}
	for _, b := range bars(l.Latency) {
		object.Histogram = append(object.Histogram, barJSON{milliseconds(b.from), milliseconds(b.to), b.count})
	}
	for _, in := range l.Timeline {
		object.Timeline = append(object.Timeline, intervalJSON{
			milliseconds(in.Start), milliseconds(in.End), in.Deliveries, in.Failed, milliseconds(in.P50), milliseconds(in.P99), milliseconds(in.Max),
		})
	}
	return j.line(object)
}

// problems says what failed in a load, a line for each kind.
func (l Load) problems() []string {
	var lines []string
	for _, f := range l.Failures {
		lines = append(lines, fmt.Sprintf("%s (%d): %s: %s", f.Kind, f.Count, Escape(f.Error), Escape(f.Hint)))
	}
	return lines
}

func (l Load) verdict() string { return fmt.Sprintf("%d of %d not delivered", l.Failed, l.Deliveries) }

func (j *junitReporter) Load(l Load) error {
	j.add("load", owox.Method+" "+l.URL, l.Elapsed, l.verdict(), l.problems(), l.headline())
	return nil
}

func (g *githubReporter) Load(l Load) error {
	good := l.Failed == 0
	p99 := "-"
	if l.Latency.TotalCount() > 0 {
		p99 = "p99 " + round(quantile(l.Latency, 99)).String()
	}
	g.row(good, owox.Method+" "+l.URL, l.headline(), p99)
	if good {
		return nil
	}
	return g.annotate("error", l.verdict()+": "+strings.Join(l.problems(), "; "), place{})
}

func (t both) Load(l Load) error { return errors.Join(t.a.Load(l), t.b.Load(l)) }

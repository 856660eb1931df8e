package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/dustin/go-humanize"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// Load is how a load went.
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
	what  string // happened, where the name does not tell
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
			lines = append(lines, counted{name: string(f.Kind), count: f.Count, what: f.Error})
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

// problems are what failed in a load, a line for each kind.
func (l Load) problems() []string {
	var lines []string
	for _, f := range l.Failures {
		lines = append(lines, fmt.Sprintf("%s (%d): %s: %s", f.Kind, f.Count, Escape(f.Error), Escape(f.Hint)))
	}
	return lines
}

func (l Load) verdict() string { return fmt.Sprintf("%d of %d not delivered", l.Failed, l.Deliveries) }

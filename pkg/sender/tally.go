package sender

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/owoxhook/owoxhook/pkg/delivery"
)

// LoadResult says how a load went.
type LoadResult struct {
	Elapsed    time.Duration
	Deliveries int // that were made
	Failed     int // of these
	Statuses   map[int]int
	Failures   []LoadFailure // most frequent first
	// Latency has microseconds, of the deliveries that were answered or timed out.
	Latency  *hdrhistogram.Histogram
	Timeline []Interval // at most maxIntervals of the same length
}

// PerSecond returns how many deliveries were made a second.
func (r LoadResult) PerSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Deliveries) / r.Elapsed.Seconds()
}

// LoadFailure is a kind of failure: how often it was, and one of them.
type LoadFailure struct {
	delivery.Failure
	Count int
}

// Interval is what ended in a part of a load's time.
type Interval struct {
	Start, End         time.Duration // since the start of the load
	Deliveries, Failed int
	P50, P99, Max      time.Duration // latency
}

// sample is how one delivery went.
type sample struct {
	at      time.Duration // when it ended, since the start of the load
	took    time.Duration
	status  int
	failure *delivery.Failure
}

// tally adds samples up.
type tally struct {
	mu       sync.Mutex
	sum      LoadResult
	failures map[delivery.FailureKind]*LoadFailure
	width    time.Duration // of a part of the timeline
	timeline []*part
}

// part is an interval while it is being added up.
type part struct {
	deliveries, failed int
	latency            *hdrhistogram.Histogram
}

const (
	maxIntervals   = 200
	firstWidth     = 50 * time.Millisecond
	longestLatency = int64(time.Hour / time.Microsecond)
)

func newTally() *tally {
	return &tally{
		sum:      LoadResult{Statuses: map[int]int{}, Latency: hdrhistogram.New(1, longestLatency, 3)},
		failures: map[delivery.FailureKind]*LoadFailure{}, width: firstWidth,
	}
}

func (t *tally) count() (deliveries, failed int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sum.Deliveries, t.sum.Failed
}

func (t *tally) add(samples []sample) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range samples {
		t.sum.Deliveries++
		in := t.part(s.at)
		in.deliveries++
		if s.status != 0 {
			t.sum.Statuses[s.status]++
		}
		if s.failure != nil {
			t.sum.Failed++
			in.failed++
			t.fail(*s.failure)
		}
		if s.status != 0 || s.failure != nil && s.failure.Kind == delivery.TimedOut {
			took := min(max(s.took.Microseconds(), 1), longestLatency)
			_ = t.sum.Latency.RecordValue(took) // it is in range
			_ = in.latency.RecordValue(took)    // it is in range
		}
	}
}

func (t *tally) fail(f delivery.Failure) {
	if t.failures[f.Kind] == nil {
		t.failures[f.Kind] = &LoadFailure{Failure: f}
	}
	t.failures[f.Kind].Count++
}

// part returns the part of the timeline for a time. When there would be too
// many, each two become one.
func (t *tally) part(at time.Duration) *part {
	for int(at/t.width) >= maxIntervals {
		t.width *= 2
		for i := range t.timeline {
			if i%2 == 0 {
				t.timeline[i/2] = t.timeline[i]
				continue
			}
			half := t.timeline[i/2]
			half.deliveries += t.timeline[i].deliveries
			half.failed += t.timeline[i].failed
			half.latency.Merge(t.timeline[i].latency)
		}
		t.timeline = t.timeline[:(len(t.timeline)+1)/2]
	}
	for int(at/t.width) >= len(t.timeline) {
		t.timeline = append(t.timeline, &part{latency: hdrhistogram.New(1, longestLatency, 2)})
	}
	return t.timeline[int(at/t.width)]
}

func (t *tally) result(elapsed time.Duration) LoadResult {
	t.mu.Lock()
	defer t.mu.Unlock()
	result := t.sum
	result.Elapsed = elapsed
	for _, f := range t.failures {
		result.Failures = append(result.Failures, *f)
	}
	slices.SortFunc(result.Failures, func(a, b LoadFailure) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind))
	})
	for i, p := range t.timeline {
		start := time.Duration(i) * t.width
		result.Timeline = append(result.Timeline, Interval{
			Start: start, End: min(start+t.width, max(elapsed, start)), Deliveries: p.deliveries, Failed: p.failed,
			P50: Quantile(p.latency, 50), P99: Quantile(p.latency, 99), Max: Quantile(p.latency, 100),
		})
	}
	return result
}

// Quantile returns a percentile of a histogram of microseconds.
func Quantile(h *hdrhistogram.Histogram, percentile float64) time.Duration {
	return time.Duration(h.ValueAtPercentile(percentile)) * time.Microsecond
}

package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// loadOf has 1,000 latencies from 1 to 1,000 ms, and failures whose words come
// from outside.
func loadOf() Load {
	latency := hdrhistogram.New(1, int64(time.Hour/time.Microsecond), 3)
	for ms := range int64(1000) {
		_ = latency.RecordValue((ms + 1) * 1000) // in range
	}
	return Load{URL: "http://127.0.0.1/<hook>", Connections: 64, LoadResult: sender.LoadResult{
		Elapsed: 2 * time.Second, Deliveries: 1005, Failed: 7, Statuses: map[int]int{200: 998, 503: 2}, Latency: latency,
		Failures: []sender.LoadFailure{
			{Count: 5, Failure: delivery.Failure{Kind: delivery.Refused, Error: "connection refused by \x1b[31m<b>", Hint: "start it"}},
			{Count: 2, Failure: delivery.Failure{Kind: delivery.BadStatus, Error: "status 503 Service Unavailable", Hint: "look"}},
		},
		Timeline: []sender.Interval{
			{End: time.Second, Deliveries: 1000, P50: time.Millisecond, P99: 2 * time.Millisecond, Max: 3 * time.Millisecond},
			{Start: time.Second, End: 2 * time.Second, Deliveries: 5, Failed: 5},
		},
	}}
}

func TestLoadAsText(t *testing.T) {
	var out, errOut bytes.Buffer
	if err := newText(Options{Out: &out, Err: &errOut}).Report(loadOf()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"POST http://127.0.0.1/<hook>  1,005 deliveries in 2s, 503 a second, 64 connections\n",
		"    200 OK                           998\n", "    503 Service Unavailable            2\n",
		"    refused                            5  connection refused by \\x1b[31m<b>\n",
		"latency\n    min 1ms  p50 500ms  p90 900ms  p95 950ms  p99 990ms  p99.9 999ms  max 1s\n",
		"         ≤ 1s  ████████████████████████████████████████  431\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if got := errOut.String(); got != "hint: start it\nhint: look\n" {
		t.Errorf("hints %q", got)
	}
}

func TestBarsHoldEveryLatency(t *testing.T) {
	for _, values := range [][]int64{{1}, {5, 5, 5}, {1, 3_600_000_000}, {99, 100, 101}, {250_000, 1}} {
		h := hdrhistogram.New(1, int64(time.Hour/time.Microsecond), 3)
		for _, v := range values {
			_ = h.RecordValue(v) // in range
		}
		sum, last := int64(0), time.Duration(0)
		for _, b := range bars(h) {
			if b.from != last || b.to <= b.from {
				t.Errorf("%v: a bar from %v to %v after one to %v", values, b.from, b.to, last)
			}
			sum, last = sum+b.count, b.to
		}
		if sum != int64(len(values)) {
			t.Errorf("%v: %d in bars", values, sum)
		}
	}
	if got := bars(hdrhistogram.New(1, 10, 1)); got != nil {
		t.Errorf("bars of nothing: %v", got)
	}
}

func TestLoadAsPage(t *testing.T) {
	var out bytes.Buffer
	if err := WriteHTML(&out, loadOf()); err != nil {
		t.Fatal(err)
	}
	page := out.String()
	for _, want := range []string{"<h1>POST http://127.0.0.1/&lt;hook&gt;</h1>", `\x1b[31m&lt;b&gt;`, `<polyline class="p50" points="265.0,`, `<rect class="bad"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	for _, never := range []string{"http://127.0.0.1/<hook>", "src=", "href=", "<script", "\x1b", "ZgotmplZ", "NaN"} {
		if strings.Contains(page, never) {
			t.Errorf("%q in the page", never)
		}
	}
	empty := Load{LoadResult: sender.LoadResult{Latency: hdrhistogram.New(1, 10, 1)}}
	out.Reset()
	if err := WriteHTML(&out, empty); err != nil || strings.Contains(out.String(), "NaN") {
		t.Errorf("%v, a page of nothing:\n%s", err, &out)
	}
}

package cmd

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

func TestMetricsAreWhatPrometheusReads(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	j, err := journal.Open(t.Context(), filepath.Join(t.TempDir(), "journal.db"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close() //nolint:errcheck // of no use any more
	r, err := relay.Open(t.Context(), relay.Options{Journal: j, Targets: []relay.Target{{Name: "app"}, {Name: "chat"}}})
	if err != nil {
		t.Fatal(err)
	}
	metrics.ExposeMetadata(true)
	a := &admin{app: &app{now: func() time.Time { return now }}, journal: j, relay: r, metrics: metrics.NewSet()}
	for n, took := range []time.Duration{0, 3 * time.Millisecond, 700 * time.Millisecond, time.Hour} {
		a.received(delivery.Delivery{Identity: owox.Identity{Event: owox.RunFailed}, ReceivedAt: now.Add(-took), Answered: 200 + n%2*303})
		a.attempted(delivery.Attempt{Target: []string{"app", "chat"}[n%2], Duration: took})
	}
	answer := httptest.NewRecorder()
	a.write(answer, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	families, err := parseMetrics(answer.Body.String())
	if err != nil {
		t.Fatalf("%v in:\n%s", err, answer.Body)
	}
	for family, want := range map[string]string{
		"owoxhook_answers_total": "counter", "owoxhook_answer_seconds": "histogram", "owoxhook_deliveries_total": "counter",
		"owoxhook_attempts_total": "counter", "owoxhook_attempt_seconds": "histogram",
		"owoxhook_database_up": "gauge", "owoxhook_jobs": "gauge", "owoxhook_oldest_waiting_seconds": "gauge",
	} {
		if got := families[family]; got != want {
			t.Errorf("%s: got type %q, want %q", family, got, want)
		}
	}
}

func TestValidityInMetricsIsThatOfThePayload(t *testing.T) {
	a := &admin{app: &app{now: time.Now}, metrics: metrics.NewSet()}
	wrong := []validate.Finding{{Severity: validate.Error}}
	for state, findings := range map[delivery.State][]validate.Finding{
		delivery.StateValid: nil, delivery.StateNotKept: nil, delivery.StateGone: nil, delivery.StateInvalid: wrong,
	} {
		a.received(delivery.Delivery{State: state, Findings: findings, Identity: owox.Identity{Event: owox.RunFailed}})
	}
	var text strings.Builder
	a.metrics.WritePrometheus(&text)
	for _, want := range []string{`{event="failed",valid="true"} 3`, `{event="failed",valid="false"} 1`} {
		if !strings.Contains(text.String(), "owoxhook_deliveries_total"+want+"\n") {
			t.Errorf("no %s in:\n%s", want, text.String())
		}
	}
}

var sampleLine = regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? ([0-9.e+-]+)$`)

// parseMetrics parses Prometheus' text format as strictly as its readers, and
// returns the types of families.
func parseMetrics(text string) (types map[string]string, err error) {
	types = map[string]string{}
	var family string
	below, labels := 0.0, "" // of the buckets of one histogram
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if words := strings.SplitN(line, " ", 4); words[0] == "#" {
			if len(words) < 4 || words[3] == "" || types[words[2]] != "" {
				return nil, fmt.Errorf("%q: want a text, and each family once", line)
			}
			if words[1] == "TYPE" {
				family, types[words[2]] = words[2], words[3]
			}
			continue
		}
		sample := sampleLine.FindStringSubmatch(line)
		if sample == nil {
			return nil, fmt.Errorf("%q is not a sample", line)
		}
		name, isHistogram := sample[1], types[family] == "histogram"
		value, err := strconv.ParseFloat(sample[3], 64)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		if !isHistogram && name != family {
			return nil, fmt.Errorf("%q: want a sample of %s", line, family)
		}
		switch name {
		case family + "_bucket":
			rest, bound, ok := strings.Cut(sample[2], `le="`)
			if !ok || rest == labels && value < below {
				return nil, fmt.Errorf("%q: want a bound, and at least the %v of the bucket before", line, below)
			}
			below, labels = value, rest
			if bound == `+Inf"` {
				labels = "whole"
			}
		case family + "_count":
			if labels != "whole" || value != below {
				return nil, fmt.Errorf("%q: want the %v of a last bucket +Inf", line, below)
			}
		}
	}
	return types, nil
}

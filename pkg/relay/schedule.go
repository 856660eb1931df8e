package relay

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

// delays are the times between the attempts at a delivery. The last one is
// repeated until time is up.
var delays = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour, 12 * time.Hour,
}

// jitterShare is how much of a delay is left to chance, so that what failed
// together does not come back together.
const jitterShare = 0.2

// refusals are the statuses that say that the next attempt will fail too, with
// how many attempts they get: a proxy says some of them while an application
// restarts.
var refusals = map[int]int{
	http.StatusGone:       1,
	http.StatusBadRequest: 3, http.StatusUnauthorized: 3, http.StatusForbidden: 3, http.StatusNotFound: 3, http.StatusUnprocessableEntity: 3,
}

// after decides what becomes of a job after an attempt.
func (t Target) after(a delivery.Attempt, c claim, now time.Time, jitter float64) verdict {
	if a.OK() {
		return verdict{fate: done}
	}
	v := verdict{fate: failed, reason: a.Failure.Error}
	if most, refused := refusals[a.Status]; refused && c.attempt >= most {
		v.fate = givenUp
		if most > 1 {
			v.reason += fmt.Sprintf(", %d times", c.attempt)
		}
		return v
	}
	delay := float64(delays[min(max(c.attempt, 1), len(delays))-1])
	v.wait = max(time.Duration(delay*(1+jitterShare*(jitter-0.5))), retryAfter(a, now))
	if deadline := c.since.Add(t.For); now.Add(v.wait).After(deadline) {
		v.fate, v.reason = givenUp, fmt.Sprintf("%s: not delivered within %s", a.Failure.Error, words(t.For))
	}
	return v
}

// retryAfter returns how long an answer asks to wait.
func retryAfter(a delivery.Attempt, now time.Time) time.Duration {
	text := strings.TrimSpace(owox.HeaderValue(a.Headers, "Retry-After"))
	if seconds, err := strconv.ParseFloat(text, 64); err == nil { // Discord sends fractions
		return time.Duration(min(max(seconds, 0), maxRetryAfter.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

const maxRetryAfter = 24 * time.Hour

// note says what becomes of a failed delivery.
func (v verdict) note() string {
	switch v.fate {
	case failed:
		return "tried again in " + words(v.wait)
	case givenUp:
		return "given up"
	default:
		return ""
	}
}

// words writes a duration without what nobody needs to know: 72h, 2m, 31s.
func words(d time.Duration) string {
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

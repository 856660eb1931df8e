//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// sample returns a payload whose run has the id of the event, so that both
// become new together: the same run under several ids is a repetition.
func sample() []byte {
	documented := owox.Documented(owox.RunFailed)
	return set(documented, owox.PathRunID, owox.Identify(documented).ID)
}

// post makes a script for wrk out of a seed and the four pieces of a request
// around its three ids: each request has one of its own.
const post = `
local first, second, third, fourth = %[2]q, %[3]q, %[4]q, %[5]q
local random, format = math.random, string.format
function init(args) math.randomseed(%[1]d) end
function request()
  local id = format("%%08x-%%04x-4%%03x-8%%03x-%%06x%%06x", random(0, 0xffffffff), random(0, 0xffff),
    random(0, 0xfff), random(0, 0xfff), random(0, 0xffffff), random(0, 0xffffff))
  return first .. id .. second .. id .. third .. id .. fourth
end
`

// wrk loads a server with deliveries for a time.
func (b *bench) wrk(s *server, connections int, duration time.Duration) error {
	script := filepath.Join(b.dir, "post.lua")
	text, err := deliveriesTo(s.url, time.Now().UnixNano()%1e9)
	if err == nil {
		err = os.WriteFile(script, []byte(text), 0o600)
	}
	if err != nil {
		return err
	}
	var out bytes.Buffer
	used, err := b.run(&out, "wrk", "-t1", fmt.Sprintf("-c%d", connections), fmt.Sprintf("-d%d", int(duration.Seconds())), "--latency", "-s", script, s.url)
	if err != nil {
		return err
	}
	l, err := parseWrk(out.String())
	if err != nil {
		return fmt.Errorf("wrk to %s: %w", s.name, err)
	}
	l.cpu = used.cpu
	s.loads = append(s.loads, l)
	return nil
}

// deliveriesTo returns a script for wrk.
func deliveriesTo(url string, seed int64) (string, error) {
	who := owox.Identify(sample())
	r, err := http.NewRequest(owox.Method, url, bytes.NewReader(sample())) //nolint:noctx // only written down
	if err != nil {
		return "", err
	}
	for _, h := range owox.Headers(who.ID, string(who.Event)) {
		r.Header.Set(h.Name, h.Value)
	}
	var text bytes.Buffer
	if err := r.Write(&text); err != nil {
		return "", err
	}
	pieces := strings.Split(text.String(), who.ID)
	if len(pieces) != 4 {
		return "", fmt.Errorf("the id is %d times in a delivery, want 3", len(pieces)-1)
	}
	return fmt.Sprintf(post, seed, pieces[0], pieces[1], pieces[2], pieces[3]), nil
}

// What wrk prints. Its first table has percentages too: those of samples within
// a standard deviation.
var (
	wrkP99      = regexp.MustCompile(`(?m)^ +99% +(\S+) *$`)
	wrkRequests = regexp.MustCompile(`(?m)^ +(\d+) requests in `)
)

func parseWrk(out string) (l load, err error) {
	_, distribution, _ := strings.Cut(out, "Latency Distribution")
	p99, requests := wrkP99.FindStringSubmatch(distribution), wrkRequests.FindStringSubmatch(distribution)
	switch {
	case strings.Contains(out, "Non-2xx"):
		return l, fmt.Errorf("not everything was answered with 2xx\n%s", out)
	case strings.Contains(out, "Socket errors") && !strings.Contains(out, "connect 0, read 0, write 0"):
		return l, fmt.Errorf("connections broke\n%s", out)
	case p99 == nil || requests == nil || requests[1] == "0":
		return l, fmt.Errorf("nothing was answered, or no percentiles were printed\n%s", out)
	}
	took, err := time.ParseDuration(p99[1])
	l.p99 = float64(took.Microseconds()) / 1000
	_, countErr := fmt.Sscan(requests[1], &l.requests)
	rate, rateErr := number(`Requests/sec:\s+([0-9.]+)`, out)
	l.rate = rate
	return l, errors.Join(err, countErr, rateErr)
}

package conformance

import (
	"context"
	"fmt"
	"net/http/httptrace"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

const (
	goodIdle        = 5 * time.Second // OWOX keeps connections for 4 s
	headerKeepAlive = "Keep-Alive"
	adviceIdle      = "keep connections longer than the 4 s that OWOX does (gunicorn --keep-alive, Node server.keepAliveTimeout, nginx keepalive_timeout): " +
		"an event may be on its way when the endpoint closes the connection; " + adviceLost
)

var announcement = regexp.MustCompile(`timeout=(\d{1,6})`) // more is longer than needed all the same

// keepsIdleConnections delivers over a connection of its own, lets it idle, and
// delivers again: is it still used? Any answer will do.
func keepsIdleConnections(ctx context.Context, r *run) verdict {
	options := r.Sender
	options.IdleTimeout = r.Idle + time.Minute // the endpoint ends it, or nobody
	s := sender.New(options)
	defer s.Close()

	var kept, reused atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		PutIdleConn: func(err error) { kept.Store(err == nil) },
		GotConn:     func(info httptrace.GotConnInfo) { reused.Store(info.Reused) },
	})
	answer := s.Deliver(traced, r.request(r.sample(owox.RunFailed, nil)), nil).Last()
	switch {
	case answer.Status == 0:
		return untried("not tried: " + answer.Failure.Error)
	case !kept.Load():
		return met("the connection ends with the answer, so none idles")
	}
	idle, announced := r.Idle, ""
	header := owox.HeaderValue(answer.Headers, headerKeepAlive)
	if match := announcement.FindStringSubmatch(header); match != nil {
		if n, err := strconv.Atoi(match[1]); err == nil && n > 0 && time.Duration(n)*time.Second < idle {
			idle, announced = time.Duration(n)*time.Second, ", announced with "+headerKeepAlive+": "+header
		}
	}
	idle = idle * 9 / 10 // a server whose limit is exactly this is good enough
	wait(ctx, idle)
	answer = s.Deliver(traced, r.request(r.sample(owox.RunFailed, nil)), nil).Last()
	if !reused.Load() || !answer.OK() && answer.Failure.Kind == delivery.Reset {
		return unmet(Advised, fmt.Sprintf("the connection closed within %v of idleness%s", idle, announced), adviceIdle)
	}
	return met(fmt.Sprintf("still open after %v of idleness%s", idle, announced))
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

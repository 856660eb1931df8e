package inspector

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

// follow opens the feed of the list and returns its lines as they come.
func follow(t *testing.T, h *house, query, last string) (lines <-chan string, status int, end func()) {
	t.Helper()
	return followAt(t, h, "/feed?"+query, last)
}

func followAt(t *testing.T, h *house, path, last string) (lines <-chan string, status int, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.pageURL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	got, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	out, ended := make(chan string, 1000), make(chan bool)
	go func() {
		defer close(ended)
		defer got.Body.Close() //nolint:errcheck // it was read
		for scanner := bufio.NewScanner(got.Body); scanner.Scan(); {
			out <- scanner.Text()
		}
	}()
	return out, got.StatusCode, func() { cancel(); <-ended }
}

// await returns the first line that has a text.
func await(t *testing.T, lines <-chan string, text string) string {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case line := <-lines:
			if strings.Contains(line, text) {
				return line
			}
		case <-timeout:
			t.Fatalf("the feed brought no %q in time", text)
		}
	}
}

func TestFeedBringsWhatArrivesAndMatches(t *testing.T) {
	h := newHouse(t)
	h.deliver(t, sampleBody(t, owox.RunFailed))
	lines, _, end := follow(t, h, "after=1&event=failed", "")
	defer end()
	h.deliver(t, sampleBody(t, owox.RunSuccessful))
	h.deliver(t, sampleBody(t, owox.RunFailed))
	if got := await(t, lines, "id: "); got != "id: 3" {
		t.Errorf("got %q, want id: 3, the sequence", got)
	}
	if got := await(t, lines, "<tr"); !strings.Contains(got, `id="d3"`) {
		t.Errorf("got %q, want delivery 3", got)
	}
	select {
	case line := <-lines:
		if strings.Contains(line, `id="d2"`) {
			t.Errorf("got %q, which does not match", line)
		}
	default:
	}
}

func TestFeedGoesOnWhereTheReaderWas(t *testing.T) {
	h := newHouse(t)
	for range 3 {
		h.deliver(t, sampleBody(t, owox.RunFailed))
	}
	lines, _, end := follow(t, h, "after=0", "2")
	defer end()
	if got := await(t, lines, "<tr"); !strings.Contains(got, `id="d3"`) {
		t.Errorf("got %q, want what came after delivery 2", got)
	}
}

func TestFeedsAreBounded(t *testing.T) {
	h := newHouse(t)
	h.page.feeds.Store(maxFeeds - 1)
	_, status, end := follow(t, h, "after=0", "")
	_, over, endOver := follow(t, h, "after=0", "")
	endOver()
	end()
	if status != 200 || over != 503 {
		t.Errorf("got statuses %d and %d, want 200 for the last one and 503 for one more", status, over)
	}
	h.page.feeds.Add(1 - maxFeeds)
	for deadline := time.Now().Add(5 * time.Second); h.page.feeds.Load() != 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d feeds are open, want none", h.page.feeds.Load())
		}
	}
}

func TestReadersThatStandStillAreDropped(t *testing.T) {
	h := newHouse(t)
	h.page.stuck = 100 * time.Millisecond
	for range feedCrowd { // more than the system keeps for a reader
		h.keep(t, delivery.Delivery{Identity: owox.Identity{Title: strings.Repeat("x", 1<<19)}, ReceivedAt: time.Now(), State: delivery.StateValid, Answered: 200})
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.pageURL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // nothing was read
	if _, err := fmt.Fprintf(conn, "GET /feed HTTP/1.1\r\nHost: %s\r\n\r\n", strings.TrimPrefix(h.pageURL, "http://")); err != nil {
		t.Fatal(err)
	}
	for opened, deadline := false, time.Now().Add(time.Minute); !opened || h.page.feeds.Load() > 0; time.Sleep(time.Millisecond) {
		opened = opened || h.page.feeds.Load() == 1
		if time.Now().After(deadline) {
			t.Fatalf("opened %v, and %d feeds are open, want one that was opened and dropped", opened, h.page.feeds.Load())
		}
	}
}

// Of a crowd the newest are shown, and the way to the others.
func TestFeedLosesNothingOfACrowd(t *testing.T) {
	h := newHouse(t)
	for range feedCrowd + 5 {
		h.keep(t, delivery.Delivery{ReceivedAt: time.Now(), State: delivery.StateValid, Answered: 200})
	}
	lines, _, end := follow(t, h, "after=0&valid=yes", "")
	defer end()
	await(t, lines, `id="d25"`)
	await(t, lines, `id="d6"`)
	if got := await(t, lines, "<tr"); !strings.Contains(got, `href="/?before=6&amp;valid=yes"`) {
		t.Errorf("got %q, want a link to the 5 others", got)
	}
	if got := h.get(t, "/?before=6&valid=yes").body; strings.Count(got, `class="delivery"`) != 5 {
		t.Errorf("got %s, want the 5 others", got)
	}
}

package inspector

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/owoxhook/owoxhook/pkg/journal"
)

// Feeds ask the journal for what arrived: so nobody who receives waits for
// them, and what another process receives arrives too.
const (
	maxFeeds  = 100
	feedEvery = 100 * time.Millisecond
	feedCrowd = 20          // rows at a time, which nobody reads in the time until the next
	feedCalm  = time.Second // between two crowds
	feedAlive = 15 * time.Second
	feedStuck = 10 * time.Second
)

// latest is what arrived last: read, and made rows of, once for all feeds.
type latest struct {
	mu   sync.Mutex
	next time.Time // when the journal is asked again
	crowd
}

// crowd is what arrived after a sequence, up to another, newest first.
type crowd struct {
	after, newest int64
	arrivals      []arrival
	more          bool // than feedCrowd arrived since the crowd before
}

// arrival is a delivery with its row, as lines of a feed.
type arrival struct {
	journal.Entry
	lines []byte
}

func (l *latest) get(ctx context.Context, i *Inspector) (crowd, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Before(l.next) {
		return l.crowd, nil
	}
	_, newest, err := i.options.Journal.Ends(ctx)
	if err != nil {
		return crowd{}, err
	}
	l.next = now.Add(feedEvery / 2)
	if newest == l.newest {
		return l.crowd, nil
	}
	c, err := i.crowd(ctx, filter{}, l.newest, newest)
	if err != nil {
		return crowd{}, err
	}
	if l.crowd = c; c.more {
		l.next = now.Add(feedCalm)
	}
	return c, nil
}

// crowd reads what arrived after a sequence and matches, of many the newest.
func (i *Inspector) crowd(ctx context.Context, f filter, after, newest int64) (crowd, error) {
	c := crowd{after: after, newest: newest}
	query := f.query()
	query.After, query.Limit = after, 4*pageSize
	var rows []row
	looked := 0
	for e, err := range i.options.Journal.List(ctx, query) {
		if err != nil {
			return c, err
		}
		looked++
		c.newest = max(c.newest, e.Sequence)
		if len(rows) == feedCrowd || looked == query.Limit {
			c.after, c.more = e.Sequence, true
			break
		}
		if f.match(e) {
			rows, c.arrivals = append(rows, i.row(e)), append(c.arrivals, arrival{Entry: e})
		}
	}
	if err := i.addAttempts(ctx, rows); err != nil {
		return c, err
	}
	for n := range rows {
		var out bytes.Buffer
		if err := i.pages()["list"].ExecuteTemplate(&out, "rows", rows[n:n+1]); err != nil {
			return c, err
		}
		c.arrivals[n].lines = dataLines(out.Bytes())
	}
	return c, nil
}

// dataLines writes text as the data of a message.
func dataLines(text []byte) []byte {
	return append(bytes.ReplaceAll(append([]byte("data: "), bytes.TrimSpace(text)...), []byte("\n"), []byte("\ndata: ")), '\n')
}

// feed streams the rows that match the parameters and come after a sequence:
// the one that a browser says it saw last, or that its page ends with.
func (i *Inspector) feed(w http.ResponseWriter, r *http.Request) {
	f, err := parseFilter(r.URL.Query(), i.options.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	after, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64)
	if err != nil {
		after, _ = strconv.ParseInt(r.URL.Query().Get("after"), 10, 64) // none: everything
	}
	s := follower{inspector: i, filter: f, after: after}
	i.stream(w, r, s.send)
}

// stream serves a feed: it calls a function that writes what is new, if
// anything is, and returns how long to wait for more.
func (i *Inspector) stream(w http.ResponseWriter, r *http.Request, send func(context.Context, *stream) (time.Duration, error)) {
	if i.feeds.Add(1) > maxFeeds {
		i.feeds.Add(-1)
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	defer i.feeds.Add(-1)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	s := stream{w: w, control: http.NewResponseController(w), closed: i.closed, stuck: i.stuck, send: send}
	_ = s.control.SetReadDeadline(time.Time{}) // the server's is for requests that end; of a recorder there is none
	_ = s.run(r.Context())                     // the reader is gone, or comes back
}

// stream is one feed.
type stream struct {
	w         http.ResponseWriter
	control   *http.ResponseController
	closed    chan struct{}
	stuck     time.Duration // a write that takes longer ends it
	send      func(context.Context, *stream) (time.Duration, error)
	lastWrite time.Time
}

func (s *stream) run(ctx context.Context) error {
	if err := s.write([]byte(": welcome\n\n")); err != nil {
		return err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.closed:
			return nil
		case <-timer.C:
		}
		wait, err := s.send(ctx, s)
		if err == nil && time.Since(s.lastWrite) >= feedAlive {
			err = s.write([]byte(": still here\n\n"))
		}
		if err != nil {
			return err
		}
		timer.Reset(wait)
	}
}

// follower is where a reader of the list is.
type follower struct {
	inspector *Inspector
	filter    filter
	after     int64
}

// send writes what arrived since the last time.
func (s *follower) send(ctx context.Context, to *stream) (wait time.Duration, err error) {
	c, err := s.inspector.latest.get(ctx, s.inspector)
	if err != nil {
		return 0, err
	}
	if c.newest <= s.after {
		return feedEvery, nil
	}
	if s.after < c.after && (!c.more || s.filter.Any()) { // the reader missed some that may match
		if c, err = s.inspector.crowd(ctx, s.filter, s.after, c.newest); err != nil {
			return 0, err
		}
	}
	out := fmt.Appendf(nil, "id: %d\n", c.newest)
	empty := len(out)
	for _, a := range c.arrivals {
		if a.Sequence > s.after && s.filter.arrived(a.Entry) {
			out = append(out, a.lines...)
		}
	}
	wait = feedEvery
	if s.after < c.after {
		wait = feedCalm
		values := s.filter.values()
		values.Set("before", strconv.FormatInt(c.after+1, 10))
		var rest bytes.Buffer
		if err := s.inspector.pages()["list"].ExecuteTemplate(&rest, "rest", "/?"+values.Encode()); err != nil {
			return 0, err
		}
		out = append(out, dataLines(rest.Bytes())...)
	}
	s.after = c.newest // what does not match is not looked at again
	if len(out) == empty {
		return wait, nil
	}
	return wait, to.write(append(out, '\n'))
}

// write writes in time, or drops the reader.
func (s *stream) write(text []byte) error {
	s.lastWrite = time.Now()
	_ = s.control.SetWriteDeadline(s.lastWrite.Add(s.stuck)) // of a recorder there is none
	if _, err := s.w.Write(text); err != nil {               //nolint:gosec // of templates, which escape
		return err
	}
	return s.control.Flush()
}

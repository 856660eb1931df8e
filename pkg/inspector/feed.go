package inspector

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Feeds ask the journal for what arrived: so nobody who receives waits for
// them, and what another process receives arrives too.
const (
	maxFeeds  = 100
	feedEvery = 100 * time.Millisecond
	feedCalm  = time.Second // between two full batches: more than people read
	feedAlive = 15 * time.Second
	feedStuck = 10 * time.Second // a write that takes longer ends the feed
)

// newest is the last sequence of the journal, asked for once for all feeds.
type newest struct {
	mu       sync.Mutex
	at       time.Time
	sequence int64
}

func (n *newest) get(ctx context.Context, j Journal) (int64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if time.Since(n.at) < feedEvery/2 {
		return n.sequence, nil
	}
	_, sequence, err := j.Ends(ctx)
	if err == nil {
		n.at, n.sequence = time.Now(), sequence
	}
	return sequence, err
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
	if i.feeds.Add(1) > maxFeeds {
		i.feeds.Add(-1)
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	defer i.feeds.Add(-1)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	s := stream{inspector: i, w: w, control: http.NewResponseController(w), filter: f, after: after}
	_ = s.control.SetReadDeadline(time.Time{}) // the server's is for requests that end; of a recorder there is none
	_ = s.run(r.Context())                     // the reader is gone, or comes back
}

// stream is one feed.
type stream struct {
	inspector *Inspector
	w         http.ResponseWriter
	control   *http.ResponseController
	filter    filter
	after     int64
	lastWrite time.Time
}

func (s *stream) run(ctx context.Context) error {
	if err := s.write(": welcome\n\n"); err != nil {
		return err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.inspector.closed:
			return nil
		case <-timer.C:
		}
		wait, err := s.send(ctx)
		if err != nil {
			return err
		}
		timer.Reset(wait)
	}
}

// send writes what arrived since the last time, if anything did, and returns
// how long to wait for more.
func (s *stream) send(ctx context.Context) (wait time.Duration, err error) {
	newest, err := s.inspector.newest.get(ctx, s.inspector.options.Journal)
	if err != nil {
		return 0, err
	}
	if newest <= s.after {
		if time.Since(s.lastWrite) < feedAlive {
			return feedEvery, nil
		}
		return feedEvery, s.write(": still here\n\n")
	}
	rows, rest, err := s.rows(ctx)
	s.after = max(s.after, newest) // what does not match is not looked at again
	if err != nil {
		return 0, err
	}
	wait = feedEvery
	if rest != 0 {
		wait = feedCalm
	}
	var out bytes.Buffer
	list := s.inspector.pages()["list"]
	if err := list.ExecuteTemplate(&out, "rows", rows); err != nil {
		return 0, err
	}
	if rest != 0 {
		values := s.filter.values()
		values.Set("before", strconv.FormatInt(rest, 10))
		if err := list.ExecuteTemplate(&out, "rest", "/?"+values.Encode()); err != nil {
			return 0, err
		}
	}
	if out.Len() == 0 {
		return wait, nil
	}
	text := fmt.Sprintf("id: %d\ndata: %s\n\n", s.after, bytes.ReplaceAll(bytes.TrimSpace(out.Bytes()), []byte("\n"), []byte("\ndata: ")))
	return wait, s.write(text)
}

// rows returns what arrived, newest first. Of more than a page only the newest
// are returned: the rest is before a sequence, which is 0 where there is none.
func (s *stream) rows(ctx context.Context) (rows []row, rest int64, err error) {
	query := s.filter.query()
	query.After, query.Limit = s.after, 4*pageSize
	looked := 0
	for e, err := range s.inspector.options.Journal.List(ctx, query) {
		if err != nil {
			return nil, 0, err
		}
		looked++
		s.after = max(s.after, e.Sequence)
		if len(rows) == pageSize || looked == query.Limit {
			rest = e.Sequence + 1
			break
		}
		if s.filter.match(e) {
			rows = append(rows, s.inspector.row(e))
		}
	}
	return rows, rest, s.inspector.addAttempts(ctx, rows)
}

// write writes in time, or drops the reader.
func (s *stream) write(text string) error {
	s.lastWrite = time.Now()
	_ = s.control.SetWriteDeadline(s.lastWrite.Add(feedStuck)) // of a recorder there is none
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}

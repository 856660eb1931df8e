package inspector

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"
)

// outlook is how the relay stands, asked once for all who look: counting takes
// a database the longer the more it has, and gets a small share of its time.
type outlook struct {
	mu    sync.Mutex
	until time.Time         // it is asked again after
	lines map[string][]byte // of a feed, by target
}

const (
	relayEvery = 2 * time.Second
	relayShare = 20 // times as long as asking takes, nothing is asked
)

// forget has the next look see what was changed.
func (o *outlook) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.until = time.Time{}
}

// get returns what a feed shows of a target, or of all.
func (o *outlook) get(ctx context.Context, i *Inspector, target string) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	start := time.Now()
	if start.After(o.until) {
		o.lines = map[string][]byte{}
	}
	if lines, ok := o.lines[target]; ok {
		return lines, nil
	}
	v, err := i.newRelay(ctx, target)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := i.pages()["relay"].ExecuteTemplate(&out, "relay-now", v); err != nil {
		return nil, err
	}
	o.lines[target] = dataLines(out.Bytes())
	o.until = time.Now().Add(max(relayEvery, relayShare*time.Since(start)))
	return o.lines[target], nil
}

// relayFeed streams how the relay stands whenever that has changed.
func (i *Inspector) relayFeed(w http.ResponseWriter, r *http.Request) {
	target := r.URL.Query().Get("target")
	var seen []byte
	i.stream(w, r, func(ctx context.Context, s *stream) (time.Duration, error) {
		lines, err := i.outlook.get(ctx, i, target)
		if err != nil || bytes.Equal(lines, seen) {
			return relayEvery, err
		}
		seen = lines
		return relayEvery, s.write(append(bytes.Clone(lines), '\n'))
	})
}

package receiver

import (
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var jsonOptions = json.JoinOptions(jsontext.AllowInvalidUTF8(true))

const (
	remembered = 1 << 16 // ids
	maxIDSize  = 64      // longer ones are no ids
)

// seen remembers the latest ids. The zero value is empty.
type seen struct {
	mu    sync.Mutex
	known map[string]struct{}
	order []string // a ring, once it is full
	next  int
}

// before reports whether the id was seen before, and remembers it.
func (s *seen) before(id string) bool {
	if len(id) > maxIDSize {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.known[id]; ok {
		return true
	}
	if s.known == nil {
		s.known = make(map[string]struct{})
	}
	s.known[id] = struct{}{}
	if len(s.order) < remembered {
		s.order = append(s.order, id)
		return false
	}
	delete(s.known, s.order[s.next])
	s.order[s.next] = id
	s.next = (s.next + 1) % remembered
	return false
}

package receiver

import (
	"sync"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/owoxhook/owoxhook/pkg/delivery"
)

// memory tells what came before where nothing is kept: for listen --no-journal,
// send --local, and tests that use a Receiver without a journal. It lasts as
// long as the Receiver, and knows the newest events only.
type memory struct {
	mu   sync.Mutex
	ids  *lru.LRU[string, struct{}]
	runs *lru.LRU[string, string] // the id of the first delivery of an event and run
}

const (
	remembered = 1 << 16 // of each
	maxIDSize  = 64      // longer ones are not ids
)

func newMemory() *memory {
	ids, err := lru.NewLRU[string, struct{}](remembered, nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	runs, err := lru.NewLRU[string, string](remembered, nil)
	if err != nil {
		panic(err)
	}
	return &memory{ids: ids, runs: runs}
}

// keep is Options.Keep.
func (m *memory) keep(d *delivery.Delivery, again func()) error {
	if d.State == delivery.StateRefused {
		return nil
	}
	m.mu.Lock()
	if d.ID != "" && len(d.ID) <= maxIDSize {
		d.Duplicate = m.ids.Contains(d.ID)
		m.ids.Add(d.ID, struct{}{})
	}
	if d.RunID != "" && len(d.RunID) <= maxIDSize && !d.IsTest { // the runs of all test events have one id
		run := string(d.Event) + " " + d.RunID
		first, before := m.runs.Get(run)
		if d.SameRun = before && first != d.ID; !before {
			m.runs.Add(run, d.ID)
		}
	}
	m.mu.Unlock()
	if d.Duplicate || d.SameRun {
		again()
	}
	return nil
}

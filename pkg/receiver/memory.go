package receiver

import (
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/owoxhook/owoxhook/pkg/delivery"
)

// memory tells duplicates where nothing is kept: for listen --no-journal, send
// --local, and tests that use a Receiver without a journal. It lasts as long as
// the Receiver, and knows the newest ids only.
type memory struct{ ids *lru.Cache[string, struct{}] }

const (
	remembered = 1 << 16 // ids
	maxIDSize  = 64      // longer ones are not ids
)

func newMemory() memory {
	ids, err := lru.New[string, struct{}](remembered)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return memory{ids}
}

// keep is Options.Keep.
func (m memory) keep(d *delivery.Delivery, again func()) error {
	if d.ID == "" || len(d.ID) > maxIDSize {
		return nil
	}
	if d.Duplicate, _ = m.ids.ContainsOrAdd(d.ID, struct{}{}); d.Duplicate {
		again()
	}
	return nil
}

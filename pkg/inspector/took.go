package inspector

import (
	"sync"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
)

// recent is of how many deliveries it is known how long their answers took: the
// journal has them committed before they are answered.
const recent = 10_000

// answerTimes are those of the newest deliveries, by their sequence.
type answerTimes struct {
	mu    sync.Mutex
	times map[int64]time.Duration
}

// Answered tells of a delivery that was answered, for its page.
func (i *Inspector) Answered(d delivery.Delivery) {
	if d.Sequence == 0 || d.Took == 0 {
		return
	}
	i.took.mu.Lock()
	defer i.took.mu.Unlock()
	if i.took.times == nil {
		i.took.times = map[int64]time.Duration{}
	}
	i.took.times[d.Sequence] = d.Took
	delete(i.took.times, d.Sequence-recent)
}

// of returns how long an answer took, in words, or "" where that is not known.
func (a *answerTimes) of(sequence int64) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	took := a.times[sequence]
	if took == 0 {
		return ""
	}
	return max(took.Round(100*time.Microsecond), 100*time.Microsecond).String()
}

package relay

import (
	"context"
	"time"

	"github.com/owoxhook/owoxhook/pkg/journal"
)

// queue is what a relay needs of a job queue: no more than River does, so that
// its suite tells what a new release of River changes. Jobs are work for one
// target: a delivery, or the deliveries of a window.
type queue interface {
	// begin notes targets, by name, that were not there before as beginning after
	// a delivery, and those whose conditions are others as beginning where they are.
	begin(ctx context.Context, newest int64, conditions map[string]string) error
	// cursors returns how far the targets are that there are, or were.
	cursors(ctx context.Context) (map[string]cursor, error)
	// advance moves the cursors of some targets and adds jobs for them, in one
	// transaction. When one is not where it was, another process has moved it, and
	// nothing is done.
	advance(ctx context.Context, targets []string, from, to int64, jobs []job) (moved bool, err error)
	// work does jobs until the context ends, and then finishes what is under way.
	work(ctx context.Context, do func(context.Context, claim) verdict) error
	// close closes the window of a job, which takes no more deliveries.
	close(ctx context.Context, c claim) (window, error)
	// ahead returns how the first job stands that has the same key and is before a
	// job; false: there is none.
	ahead(ctx context.Context, c claim) (first standing, found bool, err error)
	// forward has the jobs with the same key before a job done next, in their
	// order: the first one, which is due, and those behind it that have not failed.
	forward(ctx context.Context, c claim, first standing) error
	// oldest returns the first delivery that a job still needs which is not given
	// up; 0: none does.
	oldest(ctx context.Context) (sequence int64, err error)
	// spared returns what jobs need that were given up, some of many.
	spared(ctx context.Context) ([]journal.Range, error)
	// tidy forgets the windows before a delivery that no job needs any more.
	tidy(ctx context.Context, before int64) error

	status(ctx context.Context) ([]Status, error)
	jobs(ctx context.Context, which Selection, limit int) ([]Job, error)
	again(ctx context.Context, which Selection) (int, error)
	drop(ctx context.Context, which Selection) (int, error)
}

// cursor is how far a target is.
type cursor struct {
	began int64 // the delivery after which it began, or got its conditions
	at    int64 // up to which there are jobs for it
}

// job is what is added to a queue.
type job struct {
	target   string
	sequence int64         // of the delivery, or of the first of a window
	key      string        // jobs of a target with the same key keep their order; "": no order
	group    time.Duration // how long its window is open; 0: it has none
	common   string        // what the deliveries of the window have in common
}

// claim is a job that is being done.
type claim struct {
	id       int64
	target   string
	sequence int64
	key      string
	window   bool
	attempt  int       // 1 for the first
	since    time.Time // when it was added, or somebody had it tried again
	retried  time.Time // the latter, where this is the first attempt since
}

// standing is how a job stands that is not done.
type standing struct {
	id     int64
	atHand bool      // it is being done, or was when its process ended
	next   time.Time // when it is tried otherwise
}

// window is a run of deliveries that become one message.
type window struct {
	first, last int64
	common      string
}

// verdict is what becomes of a job.
type verdict struct {
	fate   fate
	wait   time.Duration // until it is tried again
	reason string        // why it failed
}

type fate int

const (
	done    fate = iota
	failed       // is tried again
	later        // was not tried
	givenUp      // is not tried again
)

// State is where a job stands.
type State string

// The states of a job.
const (
	Waiting    State = "waiting"
	Delivering State = "delivering"
	Delivered  State = "delivered"
	GivenUp    State = "given-up"
)

// Status is how a target stands.
type Status struct {
	Target     string
	Waiting    int
	Delivering int // at hand: they are being tried, or wait there for the target
	Delivered  int // in the last 24 hours
	GivenUp    int
	Oldest     time.Time // when the oldest that waits was added; zero: none waits
	Next       time.Time // when one that waits is tried next
	// Slowed says that fewer attempts are made than could be: the target keeps
	// failing, or asked for time. Only the process that delivers to it knows.
	Slowed bool
}

// Job is a delivery, or a window of them, on its way to a target.
type Job struct {
	Target   string
	Sequence int64 // of the delivery in the journal, or of the first of its window
	State    State
	Attempts int
	Added    time.Time
	Next     time.Time // when it is tried next, where it waits
	Error    string    // of the last attempt
}

// Selection chooses jobs that are not done. The zero value chooses all.
type Selection struct {
	Target   string // "": any
	GivenUp  bool   // only those
	Waiting  bool   // only those
	Sequence int64  // of this delivery; 0: any
}

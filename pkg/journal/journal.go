// Package journal keeps deliveries in a SQL database, so that nothing that was
// answered with 2xx is ever lost.
//
// [Journal.Keep] returns when the delivery has been committed and synced: only
// then may it be answered. One writer gathers what is waiting and commits it as
// a group, so that durability costs one sync a group. Several processes may use
// one file at once.
package journal

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/owoxhook/owoxhook/pkg/delivery"
)

// What can be wrong with a journal, for errors.Is.
var (
	ErrMissing  = errors.New("there is no journal")
	ErrCorrupt  = errors.New("the file is not a journal, or damaged")
	ErrNewer    = errors.New("the journal was made by a newer version of owoxhook")
	ErrReadOnly = errors.New("the journal cannot be written")
	ErrNoAccess = errors.New("the journal cannot be opened")
	ErrFull     = errors.New("the disk is full")
	ErrClosed   = errors.New("the journal is closed")
)

//go:embed migrations
var migrations embed.FS

// Journal is an open journal. It may be used by several goroutines at once.
type Journal struct {
	file             string
	writer, reader   *sql.DB
	conn             *sql.Conn // writer's only one, for the goroutine that writes
	insertion, usual *sql.Stmt // of a delivery, of one as nearly all are
	attempt          *sql.Stmt // its insertion
	lookup           *sql.Stmt // of an id that is not among the newest
	newest           newest
	keep             int // deliveries; 0: all
	written          int // since the last look at their number
	crowd            int // that was there at the last commit
	patience         *time.Timer

	mu     sync.RWMutex // held for reading while something is queued
	closed bool
	queue  chan *job
	ended  chan struct{} // closed when the writer has ended
}

// job is something to write, in the same commit as what waits beside it.
type job struct {
	do   func(context.Context) error
	done chan error
}

// Limits of a group: what is beyond waits for the next one.
const (
	maxGroup = 512
	maxWait  = 4 * maxGroup // jobs that wait before Keep itself waits

	maxPatience = 2 * time.Millisecond // of a group with those who may be back
)

// Open opens the journal in a file, which is made where there is none. keep is
// the number of deliveries to keep; older ones are deleted in small steps. 0
// keeps all.
func Open(ctx context.Context, file string, keep int) (*Journal, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, failed("make", file, errors.Join(ErrNoAccess, err))
	}
	// Deliveries are nobody else's business. The database says what is wrong
	// with a file that is there.
	if empty, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL, 0o600); err == nil {
		_ = empty.Close() // nothing was written
	}
	writer, err := openWriter(file)
	if err != nil {
		return nil, failed("open", file, explain(err))
	}
	if err := migrate(ctx, writer); err != nil {
		return nil, errors.Join(failed("open", file, explain(err)), writer.Close())
	}
	reader, err := openReader(file)
	if err != nil {
		return nil, errors.Join(failed("open", file, explain(err)), writer.Close())
	}
	j := &Journal{file: file, writer: writer, reader: reader, keep: keep, patience: time.NewTimer(0), queue: make(chan *job, maxWait), ended: make(chan struct{})}
	if err := j.prepare(ctx); err != nil {
		return nil, errors.Join(failed("open", file, explain(err)), j.closeDatabase())
	}
	go j.write(context.WithoutCancel(ctx)) // until it is closed
	return j, nil
}

func (j *Journal) prepare(ctx context.Context) (err error) {
	if j.conn, err = j.writer.Conn(ctx); err != nil {
		return err
	}
	for statement, text := range map[**sql.Stmt]string{&j.insertion: insertDelivery, &j.usual: insertUsual, &j.attempt: insertAttempt, &j.lookup: selectFirst} {
		if *statement, err = j.conn.PrepareContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// closeDatabase closes what was opened of it. Statements first: SQLite does not
// tidy up its files as long as there is one.
func (j *Journal) closeDatabase() error {
	var errs []error
	for _, statement := range []*sql.Stmt{j.insertion, j.usual, j.attempt, j.lookup} {
		if statement != nil {
			errs = append(errs, statement.Close())
		}
	}
	if j.conn != nil {
		errs = append(errs, j.conn.Close())
	}
	return errors.Join(append(errs, j.reader.Close(), j.writer.Close())...)
}

// OpenExisting opens a journal that must be there.
func OpenExisting(ctx context.Context, file string) (*Journal, error) {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, failed("open", file, ErrMissing)
	}
	return Open(ctx, file, 0)
}

// failed says what was being done to which file. The words of this package
// come first: they are what people act on.
func failed(what, file string, err error) error {
	for _, known := range []error{ErrMissing, ErrCorrupt, ErrNewer, ErrReadOnly, ErrNoAccess, ErrFull} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s journal %s: %w", what, file, known)
		}
	}
	return fmt.Errorf("%s journal %s: %w", what, file, err)
}

// migrate brings the tables up to date. Another process may do so at the same
// moment: then the second look finds them so.
func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, migrationsOf)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(dialect, db, files)
	if err != nil {
		return err
	}
	sources := provider.ListSources()
	newest := sources[len(sources)-1].Version
	for attempt := 0; ; attempt++ {
		_, err = provider.Up(ctx)
		if err == nil || attempt == 5 || ctx.Err() != nil || errors.Is(explain(err), ErrCorrupt) || errors.Is(explain(err), ErrReadOnly) {
			break
		}
		time.Sleep(20 * time.Millisecond << attempt)
	}
	if version, versionErr := provider.GetDBVersion(ctx); versionErr == nil && version > newest {
		return ErrNewer
	}
	return err
}

// Close waits until everything that was queued is written.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return nil
	}
	j.closed = true
	close(j.queue)
	j.mu.Unlock()
	<-j.ended
	return j.closeDatabase()
}

// submit queues something to write and waits for its commit. It does not
// return before: whoever gave up waiting could not know whether it was kept.
func (j *Journal) submit(do func(context.Context) error) error {
	w := &job{do: do, done: make(chan error, 1)}
	j.mu.RLock()
	if j.closed {
		j.mu.RUnlock()
		return ErrClosed
	}
	j.queue <- w
	j.mu.RUnlock()
	return <-w.done
}

// write commits what waits, group by group.
func (j *Journal) write(ctx context.Context) {
	defer close(j.ended)
	group := make([]*job, 0, maxGroup)
	for first := range j.queue {
		group = append(group[:0], first)
		group = j.commit(ctx, group)
	}
}

// more adds what waits to a group, if anything does. Whoever has a delivery at
// hand gets a chance to add it, and those who were told of the last commit get a
// moment to be back: the larger the groups, the less a delivery costs.
func (j *Journal) more(group []*job) []*job {
	for tries := 0; tries < 2 && len(group) < maxGroup; tries++ {
		select {
		case w, open := <-j.queue:
			return grow(group, w, open)
		default:
			runtime.Gosched()
		}
	}
	if len(group) < min(j.crowd, maxGroup) {
		select {
		case w, open := <-j.queue:
			return grow(group, w, open)
		case <-j.patience.C: // they are not coming
		}
	}
	return group
}

func grow(group []*job, w *job, open bool) []*job {
	if !open {
		return group
	}
	return append(group, w)
}

// commit writes a group, and what comes while it does, in one transaction and
// tells everybody how it went.
func (j *Journal) commit(ctx context.Context, group []*job) []*job {
	j.patience.Reset(maxPatience)
	defer j.patience.Stop()
	_, err := j.conn.ExecContext(ctx, begin)
	j.newest.current = false
	for i := 0; i < len(group); i++ {
		if err == nil {
			err = group[i].do(ctx)
		}
		if i == len(group)-1 {
			group = j.more(group)
		}
	}
	if err == nil {
		err = j.shrink(ctx, len(group))
	}
	if err == nil {
		_, err = j.conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		_, _ = j.conn.ExecContext(ctx, "ROLLBACK") // the first error tells
		j.newest = newest{}
		err = failed("write", j.file, explain(err))
	}
	j.crowd = len(group) + len(j.queue)
	for _, w := range group {
		w.done <- err
	}
	return group
}

// shrink notes that more was written, and from time to time deletes what is
// beyond the number to keep.
func (j *Journal) shrink(ctx context.Context, written int) error {
	if j.written += written; j.keep == 0 || j.written < pruneEvery {
		return nil
	}
	_, more, err := j.pruneStep(ctx, j.keep, time.Time{})
	if !more {
		j.written = 0
	}
	return err
}

// Keep writes a delivery and returns once it has been committed and synced; it
// sets its Sequence. Where the journal has an earlier delivery with the same
// id, it sets Duplicate and DuplicateOf too, and calls again before it writes.
// After an error the delivery is not in the journal.
func (j *Journal) Keep(d *delivery.Delivery, again func()) error {
	return j.submit(func(ctx context.Context) error {
		if err := j.refresh(ctx); err != nil {
			return err
		}
		first, err := j.firstWith(ctx, d.ID, keyOf(d.ID))
		if err != nil {
			return err
		}
		if d.DuplicateOf, d.Duplicate = first.Int64, first.Valid; d.Duplicate {
			again()
		}
		r, err := newRow(*d)
		if err != nil {
			return err
		}
		d.Sequence, err = j.insert(ctx, r)
		return err
	})
}

// KeepAnswer writes what a delivery that is kept already was answered with.
func (j *Journal) KeepAnswer(sequence int64, status int) error {
	return j.submit(func(ctx context.Context) error { return j.setAnswered(ctx, sequence, status) })
}

func (j *Journal) setAnswered(ctx context.Context, sequence int64, status int) error {
	_, err := j.conn.ExecContext(ctx, "UPDATE deliveries SET answered = ? WHERE sequence = ?", status, sequence)
	return err
}

// KeepAttempt writes an attempt to deliver an entry again.
func (j *Journal) KeepAttempt(sequence int64, at time.Time, a delivery.Attempt) error {
	return j.submitFor(sequence, func(ctx context.Context) (bool, error) { return j.addAttempt(ctx, sequence, at, a) })
}

// KeepForward writes an attempt to forward an entry, and what the entry is
// answered with because of it.
func (j *Journal) KeepForward(sequence int64, at time.Time, a delivery.Attempt, answered int) error {
	return j.submitFor(sequence, func(ctx context.Context) (bool, error) {
		there, err := j.addAttempt(ctx, sequence, at, a)
		return there, errors.Join(err, j.setAnswered(ctx, sequence, answered))
	})
}

// submitFor writes something about an entry. That it is not there any more is
// no error of the database's: that would be one for everybody in the group.
func (j *Journal) submitFor(sequence int64, do func(context.Context) (there bool, err error)) error {
	there := false
	err := j.submit(func(ctx context.Context) (err error) {
		there, err = do(ctx)
		return err
	})
	if err == nil && !there {
		err = fmt.Errorf("write journal %s: there is no delivery %d any more", j.file, sequence)
	}
	return err
}

// addAttempt writes an attempt at an entry, if that is there.
func (j *Journal) addAttempt(ctx context.Context, sequence int64, at time.Time, a delivery.Attempt) (there bool, err error) {
	result, err := j.attempt.ExecContext(ctx, attemptRow(sequence, at, a)...)
	if err != nil {
		return false, err
	}
	rows, err := result.RowsAffected()
	return rows > 0, err
}

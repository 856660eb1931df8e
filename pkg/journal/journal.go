// Package journal keeps deliveries in a SQL database, so that nothing that was
// answered with 2xx is ever lost.
//
// [Journal.Keep] returns when the delivery has been committed and synced: only
// then may it be answered. One writer gathers what is waiting and commits it as
// a group, so that durability costs one sync a group. Several processes may use
// one database at once.
//
// What was refused unread is not a delivery. The newest of it is kept apart,
// and never at the expense of deliveries.
package journal

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"
)

// What can be wrong with a journal, for errors.Is.
var (
	ErrMissing  = errors.New("there is no journal")
	ErrCorrupt  = errors.New("the file is not a journal, or damaged")
	ErrNewer    = errors.New("the journal was made by a newer version of owoxhook")
	ErrOlder    = errors.New("the journal was made by an older version of owoxhook")
	ErrReadOnly = errors.New("the journal cannot be written")
	ErrNoAccess = errors.New("the journal cannot be opened")
	ErrFull     = errors.New("the disk is full")
	ErrBusy     = errors.New("another program holds the journal")
	ErrClosed   = errors.New("the journal is closed")

	// Of a journal in PostgreSQL alone.
	ErrURL         = errors.New("it is not the URL of a PostgreSQL database")
	ErrUnreachable = errors.New("the database cannot be reached")
	ErrLogin       = errors.New("the database refuses the login")
	ErrNoDatabase  = errors.New("the database is not there")
	ErrDenied      = errors.New("the database denies it")
	ErrForeign     = errors.New("the database has tables of another program")
	ErrEncoding    = errors.New("the database is not in UTF-8 but in")
)

//go:embed migrations
var migrations embed.FS

// Options say how much a journal keeps. What is beyond is deleted in small
// steps, the oldest deliveries first. The zero value keeps everything.
type Options struct {
	Keep      int   // deliveries; 0: all
	KeepBytes int64 // of the database; 0: no bound
}

// Journal is an open journal. It may be used by several goroutines at once.
type Journal struct {
	database
	options         Options
	writer          *sql.DB // nil: the journal is only read
	reader          *sql.DB
	conn            *sql.Conn // writer's only one, for the goroutine that writes
	insert, attempt *sql.Stmt // of a delivery, but for the server; of an attempt at one
	shared          *sql.DB   // what DB returns
	server          server    // nil: the database is not behind a network
	rows            []*row    // of the group, for the server
	growth          growth
	held            atomic.Int64 // nothing from this sequence on is deleted to make room; 0: anything may be
	dense           bool         // sequences are known to have no gaps
	crowd           int          // that was there at the last commit
	patience        *time.Timer

	mu     sync.RWMutex // held for reading while something is queued
	closed bool
	queue  chan *job
	ended  chan struct{} // closed when the writer has ended
}

// database is what differs between databases. All else is SQL that every one
// of them understands, with ? for arguments.
type database interface {
	name() string // for messages
	openWriter() (*sql.DB, error)
	openReader(ctx context.Context) (*sql.DB, error)
	migrations() (dialect goose.Dialect, folder string)
	recognise(ctx context.Context, db *sql.DB) error                                // ErrCorrupt: it is another program's
	begin(ctx context.Context, conn *sql.Conn) error                                // a transaction that writes
	end(ctx context.Context, conn *sql.Conn) error                                  // commits it
	rebind(query string) string                                                     // with this database's marks for arguments
	args(values []any) []any                                                        // as this database takes them
	explain(err error) error                                                        // joins one of this package's errors to it
	used(ctx context.Context, conn *sql.Conn, bound int64) (bytes int64, err error) // where it is less than the bound, at most
	giveBack(ctx context.Context, conn *sql.Conn) (more bool, err error)            // some of the space that is not used, if there is much
	tidy(ctx context.Context) error                                                 // gives back all of it
}

// server is a database behind a network: what is sent at once costs one round
// trip, and it may be gone at any moment.
type server interface {
	insertAll(ctx context.Context, conn *sql.Conn, rows []*row) error
	pooled() *pgxpool.Pool
	close()
}

// at returns the database of a journal: in PostgreSQL for a URL, and otherwise
// in a file, which is made unless it must exist.
func at(where string, existing bool) (database, error) {
	switch {
	case IsURL(where):
		return &postgres{url: lowerScheme(where), existing: existing}, nil
	case strings.Contains(where, "://"), isSettings(where):
		return sqliteFile{Redact(where)}, ErrURL
	case existing:
		return sqliteFile{where}, mustExist(where)
	default:
		return sqliteFile{where}, createFile(where)
	}
}

// Open opens the journal in a file, or in the PostgreSQL database of a URL. It
// is made where there is none, and its tables are brought up to date.
func Open(ctx context.Context, where string, options Options) (*Journal, error) {
	db, err := at(where, false)
	if err != nil {
		return nil, failed("make", db.name(), err)
	}
	return openJournal(ctx, db, options)
}

// OpenExisting opens a journal that must be there, to write to it.
func OpenExisting(ctx context.Context, where string) (*Journal, error) {
	db, err := at(where, true)
	if err != nil {
		return nil, failed("open", db.name(), err)
	}
	return openJournal(ctx, db, Options{})
}

// OpenReading opens a journal that must be there, and up to date, without
// writing to it or to its folder more than reading takes beside a writer.
func OpenReading(ctx context.Context, where string) (*Journal, error) {
	db, err := at(where, true)
	if err != nil {
		return nil, failed("open", db.name(), err)
	}
	if p, ok := db.(*postgres); ok {
		p.reading = true
	}
	j := &Journal{database: db}
	j.server, _ = db.(server)
	if j.reader, err = j.openReader(ctx); err == nil {
		err = j.recognise(ctx, j.reader)
	}
	if err == nil {
		err = j.checkVersion(ctx)
	}
	if err != nil {
		return nil, errors.Join(j.failed("open", err), j.closeDatabase())
	}
	j.shared = j.reader
	return j, nil
}

func openJournal(ctx context.Context, db database, options Options) (*Journal, error) {
	j := &Journal{
		database: db, options: options, growth: growth{deliveries: pruneEvery}, // it may have too many already
		patience: time.NewTimer(0), queue: make(chan *job, maxWait), ended: make(chan struct{}),
	}
	j.server, _ = db.(server)
	var err error
	if j.reader, err = j.openReader(ctx); err == nil {
		err = j.recognise(ctx, j.reader) // before the writer changes anything
	}
	if err == nil {
		j.writer, err = j.openWriter()
	}
	if err == nil {
		j.shared, err = j.openWriter() // the writer's connection is taken
	}
	if err == nil {
		err = j.migrate(ctx)
	}
	if err == nil {
		err = j.prepare(ctx)
	}
	if err != nil {
		return nil, errors.Join(j.failed("open", err), j.closeDatabase())
	}
	go j.write(context.WithoutCancel(ctx)) // until it is closed
	return j, nil
}

func (j *Journal) prepare(ctx context.Context) error {
	conn, err := j.writer.Conn(ctx)
	if err != nil {
		return err
	}
	j.conn = conn
	if j.server == nil {
		if _, err = conn.ExecContext(ctx, "PRAGMA "+askOften); err != nil {
			return err
		}
		j.insert, err = conn.PrepareContext(ctx, j.rebind(insertDelivery))
	}
	if err != nil {
		return err
	}
	j.attempt, err = conn.PrepareContext(ctx, j.rebind(insertAttempt))
	return err
}

// DB returns the database for tables that are not the journal's, which are
// another package's to make. It is closed with the journal.
func (j *Journal) DB() *sql.DB { return j.shared }

// Pool returns the connections that DB is made of, or nil where the database is
// in a file.
func (j *Journal) Pool() *pgxpool.Pool {
	if j.server == nil {
		return nil
	}
	return j.server.pooled()
}

// closeConn closes the connection that writes. Statements first: SQLite does
// not tidy up its files as long as there is one.
func (j *Journal) closeConn() error {
	var errs []error
	for _, statement := range []*sql.Stmt{j.insert, j.attempt} {
		if statement != nil {
			errs = append(errs, statement.Close())
		}
	}
	if j.conn != nil {
		errs = append(errs, j.conn.Close())
	}
	return errors.Join(errs...)
}

// closeDatabase closes what was opened of it.
func (j *Journal) closeDatabase() error {
	errs := []error{j.closeConn()}
	for _, db := range []*sql.DB{j.reader, j.shared, j.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if j.server != nil {
		j.server.close()
		return nil // what can go wrong with a server does not matter any more
	}
	return errors.Join(errs...)
}

// Close waits until everything that was queued is written.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return nil
	}
	j.closed = true
	j.mu.Unlock()
	if j.writer != nil {
		close(j.queue)
		<-j.ended
	}
	return j.closeDatabase()
}

// Explain says in this package's errors what the database says to users of
// [Journal.DB] and [Journal.Pool].
func (j *Journal) Explain(err error) error { return inOurWords(j.explain(err)) }

func (j *Journal) failed(what string, err error) error { return failed(what, j.name(), j.explain(err)) }

// failed says what was being done to which journal.
func failed(what, name string, err error) error {
	return fmt.Errorf("%s journal %s: %w", what, name, inOurWords(err))
}

// inOurWords returns the error of this package that an error is, if it is one
// that needs no detail: its words are what people act on.
func inOurWords(err error) error {
	for _, known := range []error{ErrMissing, ErrCorrupt, ErrNewer, ErrOlder, ErrReadOnly, ErrNoAccess, ErrFull, ErrBusy} {
		if errors.Is(err, known) {
			return known
		}
	}
	return err
}

// migrate brings the tables up to date. Another process may do so at the same
// moment: then the second look finds them so.
func (j *Journal) migrate(ctx context.Context) error {
	dialect, folder := j.migrations()
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(dialect, j.writer, files)
	if err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		_, err = provider.Up(ctx)
		if err == nil || attempt == 5 || ctx.Err() != nil || isAny(j.explain(err), ErrCorrupt, ErrReadOnly, ErrBusy, ErrFull, ErrDenied, ErrUnreachable) {
			break
		}
		time.Sleep(20 * time.Millisecond << attempt)
	}
	if isAny(j.explain(err), ErrBusy) {
		return err // another look would wait as long again
	}
	if version, versionErr := provider.GetDBVersion(ctx); versionErr == nil && version > newestVersion(folder) {
		return ErrNewer
	}
	return err
}

// checkVersion is for those who must not migrate.
func (j *Journal) checkVersion(ctx context.Context) error {
	var version int64
	err := j.reader.QueryRowContext(ctx, "SELECT MAX(version_id) FROM goose_db_version").Scan(&version)
	_, folder := j.migrations()
	switch newest := newestVersion(folder); {
	case err != nil:
		return err
	case version > newest:
		return ErrNewer
	case version < newest:
		return ErrOlder
	default:
		return nil
	}
}

// newestVersion is that of the last migration in a folder.
func newestVersion(folder string) int64 {
	entries, _ := migrations.ReadDir(folder) // embedded, sorted
	number, _, _ := strings.Cut(path.Base(entries[len(entries)-1].Name()), "_")
	version, _ := strconv.ParseInt(number, 10, 64)
	return version
}

func isAny(err error, known ...error) bool {
	for _, k := range known {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}

package journal

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteFile is an SQLite database in a file.
type sqliteFile struct{ file string }

// lockTimeout is how long other programs that write are waited for: OWOX gives
// up after 10 seconds, and does not try again then.
const lockTimeout = 4 * time.Second

// SQLite asks for its lock ever more rarely, and a program that writes all the
// time gives it back for moments only: who has to compete with it asks often.
const (
	busyTimeout = "busy_timeout(4000)" // in milliseconds
	askOften    = "busy_timeout(8)"    // and insist
)

// insist does something over a connection that asks often, until it gets the
// lock or has waited for as long as others do.
func (s sqliteFile) insist(do func() error) error {
	for end := time.Now().Add(lockTimeout); ; {
		if err := do(); !isAny(s.explain(err), ErrBusy) || time.Now().After(end) {
			return err
		}
	}
}

// createFile makes the file of a journal, and its folder, where there is none:
// deliveries are private. A symbolic link may lead there. A file
// that exists is not opened, because closing it would drop this process's locks.
func createFile(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return errors.Join(ErrNoAccess, err)
	}
	if err := mustExist(file); !errors.Is(err, ErrMissing) {
		if info, err := os.Stat(file); err == nil && info.Size() == 0 {
			_ = os.Chmod(file, 0o600) // as if it were made here
		}
		return err
	}
	if empty, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
		_ = empty.Close() // nothing was written
	}
	return nil // the database says what is wrong with the file
}

func mustExist(file string) error {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ErrMissing
	case err != nil || !info.Mode().IsRegular(): // a FIFO would have it wait for ever
		return ErrNoAccess
	default:
		return nil
	}
}

func (s sqliteFile) name() string { return s.file }

func (sqliteFile) migrations() (goose.Dialect, string) {
	return goose.DialectSQLite3, "migrations/sqlite"
}

// recognise makes sure that the file is a journal, or nothing yet. Another
// process may be making it at the same moment.
func (sqliteFile) recognise(ctx context.Context, db *sql.DB) error {
	var others, ours int
	err := db.QueryRowContext(ctx, `SELECT COUNT(*), COUNT(*) FILTER (WHERE name = 'deliveries' AND sql LIKE '%webhook_id%')
		FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('goose_db_version', 'sqlite_sequence')`).Scan(&others, &ours)
	if err == nil && others > 0 && ours == 0 {
		return ErrCorrupt
	}
	return err
}

// begin waits for other processes here, not halfway.
func (s sqliteFile) begin(ctx context.Context, conn *sql.Conn) error {
	return s.exec(ctx, conn, "BEGIN IMMEDIATE")
}

// end waits for readers where a file system has no write-ahead log.
func (s sqliteFile) end(ctx context.Context, conn *sql.Conn) error {
	return s.exec(ctx, conn, "COMMIT")
}

// exec insists.
func (s sqliteFile) exec(ctx context.Context, on execer, statement string) error {
	return s.insist(func() error {
		_, err := on.ExecContext(ctx, statement)
		return err
	})
}

// execer is a connection, or a database.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (sqliteFile) rebind(query string) string { return query }

func (sqliteFile) args(values []any) []any { return values }

// openWriter opens the one connection that writes. Its commits are synced
// before they return.
func (s sqliteFile) openWriter() (*sql.DB, error) {
	// The times of the file are not worth a second write for each commit. Where
	// the system has no such sync, the usual one does.
	_, _ = sqlite.Fdatasync(true)
	return s.open("rwc", false, busyTimeout, "temp_store(memory)", "auto_vacuum(incremental)", "journal_mode(WAL)", "synchronous(FULL)")
}

func (s sqliteFile) open(mode string, immutable bool, pragmas ...string) (*sql.DB, error) {
	query := url.Values{"mode": {mode}, "_pragma": pragmas, "_txlock": {"immediate"}}
	if immutable {
		query.Set("immutable", "1")
	}
	file := s.file
	if !filepath.IsAbs(file) {
		file = "." + string(filepath.Separator) + file // or :memory: keeps nothing
	}
	path := filepath.ToSlash((&url.URL{Path: file}).EscapedPath())
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: path, RawQuery: query.Encode()}).String())
	if err == nil && mode != "ro" {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// openReader opens connections that cannot write. SQLite wants to make files
// beside the database for them; where it may not, and no writer has any there,
// the database is read as a file that does not change.
func (s sqliteFile) openReader(ctx context.Context) (*sql.DB, error) {
	db, err := s.open("ro", false, busyTimeout, "query_only(1)", "cache_size(-16000)")
	if err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, "SELECT COUNT(*) FROM sqlite_schema")
	if err == nil || !isAny(s.explain(err), ErrNoAccess, ErrReadOnly) {
		return db, nil // what is wrong shows when it is read
	}
	if log, err := os.Stat(s.file + "-wal"); err == nil && log.Size() > 0 {
		return db, nil
	}
	_ = db.Close() // nothing was read
	return s.open("ro", true, "query_only(1)")
}

// used returns the size of the pages that hold something.
func (sqliteFile) used(ctx context.Context, conn *sql.Conn, _ int64) (bytes int64, err error) {
	err = conn.QueryRowContext(ctx, `SELECT (page_count - freelist_count) * page_size
		FROM pragma_page_count, pragma_freelist_count, pragma_page_size`).Scan(&bytes)
	return bytes, err
}

// Space is given back when a quarter of the file is free: less is soon used
// again. Pages from the end of the file are moved for it, which takes time.
const (
	freeShare   = 4
	freeAtLeast = 1024 // pages
)

func (sqliteFile) giveBack(ctx context.Context, conn *sql.Conn) (more bool, err error) {
	var mode, pages, free int64
	err = conn.QueryRowContext(ctx, "SELECT auto_vacuum, page_count, freelist_count FROM pragma_auto_vacuum, pragma_page_count, pragma_freelist_count").Scan(&mode, &pages, &free)
	if err != nil || mode != autoVacuumIncremental || free < freeAtLeast || free < pages/freeShare {
		return false, err
	}
	_, err = conn.ExecContext(ctx, "PRAGMA incremental_vacuum(256)")
	return err == nil, err
}

const autoVacuumIncremental = 2

// tidy makes the file as small as what is in it. A file that was made before
// space could be given back is written anew for that, once.
func (s sqliteFile) tidy(ctx context.Context) error {
	db, err := s.open("rw", false, askOften, "auto_vacuum(incremental)", "synchronous(FULL)")
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // what was done is committed
	var mode, free int64
	query := func(query string, to *int64) error {
		return s.insist(func() error { return db.QueryRowContext(ctx, query).Scan(to) })
	}
	if err := query("SELECT auto_vacuum FROM pragma_auto_vacuum", &mode); err != nil {
		return err
	}
	if mode != autoVacuumIncremental {
		err = s.exec(ctx, db, "VACUUM")
	}
	for err == nil {
		if err = query("SELECT freelist_count FROM pragma_freelist_count", &free); err != nil || free == 0 {
			break
		}
		err = s.exec(ctx, db, "PRAGMA incremental_vacuum(256)")
	}
	if err == nil {
		_, err = db.ExecContext(ctx, "PRAGMA "+busyTimeout+"; PRAGMA wal_checkpoint(TRUNCATE)") // as far as others let it
	}
	return err
}

// explain turns what the database says into errors of this package.
func (sqliteFile) explain(err error) error {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return err
	}
	switch failure.Code() & 0xff { // the rest is detail
	case sqlite3.SQLITE_FULL:
		return errors.Join(ErrFull, err)
	case sqlite3.SQLITE_READONLY:
		return errors.Join(ErrReadOnly, err)
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return errors.Join(ErrCorrupt, err)
	case sqlite3.SQLITE_CANTOPEN:
		return errors.Join(ErrNoAccess, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return errors.Join(ErrBusy, err)
	default:
		return err
	}
}

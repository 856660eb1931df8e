package journal

import (
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What differs between databases is in this file, and in the migrations that
// it names: the driver, how a connection is made durable, and how errors are
// told apart. Queries elsewhere mark arguments with ?.

const (
	dialect      = goose.DialectSQLite3
	migrationsOf = "migrations/sqlite"
	begin        = "BEGIN IMMEDIATE" // waits for other processes here, not halfway

	selectVersion = "PRAGMA data_version" // changes when other connections commit
)

// openWriter opens the one connection that writes. Its commits are synced
// before they return, and it waits for other processes that write.
func openWriter(file string) (*sql.DB, error) {
	// The times of the file are not worth a second write for each commit. Where
	// the system has no such sync, the usual one does.
	_, _ = sqlite.Fdatasync(true)
	db, err := sql.Open("sqlite", dsn(file, "rwc",
		"busy_timeout(10000)", "temp_store(memory)", "journal_mode(WAL)", "synchronous(FULL)"))
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// openReader opens connections that cannot write.
func openReader(file string) (*sql.DB, error) {
	return sql.Open("sqlite", dsn(file, "ro", "busy_timeout(10000)", "query_only(1)"))
}

func dsn(file, mode string, pragmas ...string) string {
	query := url.Values{"mode": {mode}, "_pragma": pragmas, "_txlock": {"immediate"}}
	return (&url.URL{Scheme: "file", Opaque: filepath.ToSlash((&url.URL{Path: file}).EscapedPath()), RawQuery: query.Encode()}).String()
}

// explain turns what the database says into errors of this package.
func explain(err error) error {
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
	default:
		return err
	}
}

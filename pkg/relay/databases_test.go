package relay

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/owoxhook/owoxhook/testdata/pgtest"
)

// server is the PostgreSQL server of all tests, once one needs it.
var server struct {
	once sync.Once
	*pgtest.Server
	err error
}

func TestMain(m *testing.M) {
	for os.Getenv(helperJournal) != "" { // until it is killed
		fmt.Fprintln(os.Stderr, helper())
		time.Sleep(100 * time.Millisecond) // the database is starting
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"), goleak.Cleanup(func(status int) {
		if server.Server != nil {
			_ = server.Close()
		}
		os.Exit(status)
	}))
}

// OwnServer starts a PostgreSQL server that a test may crash, and returns a
// database of it.
func OwnServer(t *testing.T) (own *pgtest.Server, where string) {
	t.Helper()
	if _, err := pgtest.Find(); err != nil {
		t.Skip(err)
	}
	own, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = own.Close() })
	if where, err = own.Fresh(); err != nil {
		t.Fatal(err)
	}
	return own, where
}

// Databases make a new database each, and return where it is.
var Databases = map[string]func(testing.TB) string{
	"sqlite": func(t testing.TB) string { return filepath.Join(t.TempDir(), "journal.db") },
	"postgres": func(t testing.TB) string {
		if _, err := pgtest.Find(); err != nil {
			t.Skip(err)
		}
		server.once.Do(func() { server.Server, server.err = pgtest.Start() })
		if server.err != nil {
			t.Fatal(server.err)
		}
		url, err := server.Fresh()
		if err != nil {
			t.Fatal(err)
		}
		return url
	},
}

package journal

import (
	"testing"

	"github.com/owoxhook/owoxhook/testdata/pgtest"
)

// running is the server of all tests, once one asks for it.
var running *pgtest.Server //nolint:gochecknoglobals // one takes seconds to make

// startServer starts the server, unless there is none on this machine.
func startServer(t testing.TB) *pgtest.Server {
	t.Helper()
	if _, err := pgtest.Find(); err != nil {
		t.Skip(err)
	}
	if running == nil {
		var err error
		if running, err = pgtest.Start(); err != nil {
			t.Fatal(err)
		}
	}
	return running
}

func closeServer() {
	if running != nil {
		_ = running.Close() // the tests are over
	}
}

// newDatabase returns the URL of one.
func newDatabase(t testing.TB) string {
	t.Helper()
	url, err := startServer(t).Database()
	if err != nil {
		t.Fatal(err)
	}
	return url
}

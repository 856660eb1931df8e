package journal

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
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

// newDatabase returns the URL of a schema that is as good as one.
func newDatabase(t testing.TB) string {
	t.Helper()
	url, err := startServer(t).Fresh()
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// execute runs a statement in a database, as somebody else.
func execute(t testing.TB, url, statement string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err == nil {
		_, err = conn.Exec(ctx, statement)
	}
	if err = errors.Join(err, conn.Close(ctx)); err != nil {
		t.Fatal(err)
	}
}

func TestWhatDatabaseCannotBeOpened(t *testing.T) {
	free := newDatabase(t)
	with := func(statement string) string {
		url := newDatabase(t)
		execute(t, url, statement)
		return url
	}
	changed := func(change func(*url.URL)) string {
		u, err := url.Parse(free)
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return u.String()
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		err = closed.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	newer := newDatabase(t)
	openFile(t, newer, Options{})
	execute(t, newer, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, TRUE)")
	execute(t, free, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
	for name, tt := range map[string]struct {
		url  string
		want error
		says string
	}{
		"nobody there":       {changed(func(u *url.URL) { u.Host = closed.Addr().String() }), ErrUnreachable, "connection refused"},
		"no such host":       {changed(func(u *url.URL) { u.Host = "postgres.invalid" }), ErrUnreachable, "postgres.invalid"},
		"wrong password":     {changed(func(u *url.URL) { u.User = url.UserPassword("owner", "wrong-password") }), ErrLogin, `user "owner"`},
		"no TLS":             {changed(func(u *url.URL) { u.RawQuery = "sslmode=require" }), ErrUnreachable, "TLS"},
		"no such database":   {changed(func(u *url.URL) { u.Path = "/missing" }), ErrNoDatabase, `"missing"`},
		"no such schema":     {changed(func(u *url.URL) { u.RawQuery = "search_path=missing" }), ErrNoDatabase, "search_path"},
		"no journal":         {free, ErrMissing, ""},
		"newer":              {newer, ErrNewer, ""},
		"another program's":  {with("CREATE TABLE deliveries (parcel TEXT)"), ErrForeign, ""},
		"another encoding":   {changed(func(u *url.URL) { u.Path, u.RawQuery = "/latin", "" }), ErrEncoding, "LATIN1"},
		"not a number":       {changed(func(u *url.URL) { u.RawQuery = "pool_max_conns=many&password=wrong-password" }), ErrURL, "pool_max_conns"},
		"one connection":     {changed(func(u *url.URL) { u.RawQuery = "pool_max_conns=1" }), ErrURL, "want 2 or more"},
		"not a URL":          {"postgres://owner:wrong-password@%zz/", ErrURL, ""},
		"another database":   {"mysql://owner:wrong-password@127.0.0.1/d", ErrURL, "mysql://…"},
		"password elsewhere": {changed(func(u *url.URL) { u.User, u.RawQuery = url.User("owner"), "password=wrong-password" }), ErrLogin, ""},
	} {
		for how, open := range map[string]func(context.Context, string) (*Journal, error){"writing": OpenExisting, "reading": OpenReading} {
			_, err := open(context.Background(), tt.url)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s, for %s: %v, want %v with %q", name, how, err, tt.want, tt.says)
			}
			if strings.Contains(err.Error(), "wrong-password") || strings.Contains(err.Error(), pgtest.Password) {
				t.Errorf("%s, for %s: the password is in %v", name, how, err)
			}
		}
	}
}

// A table's owner can have it refuse what PostgreSQL refuses for other reasons.
func TestDatabaseErrorsAreSaidAndGotOver(t *testing.T) {
	where := newDatabase(t)
	j := openFile(t, where, Options{})
	for code, want := range map[string]error{"53100": ErrFull, "25006": ErrReadOnly, "42501": ErrDenied, "53200": ErrUnreachable, "57014": ErrUnreachable} {
		execute(t, where, fmt.Sprintf(`CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE 'no' USING ERRCODE = '%s'; END $$ LANGUAGE plpgsql;
			CREATE TRIGGER refuse BEFORE INSERT ON deliveries FOR EACH ROW EXECUTE FUNCTION refuse();
			CREATE TRIGGER refuse BEFORE INSERT ON held FOR EACH ROW EXECUTE FUNCTION refuse()`, code))
		if err := j.Check(); !errors.Is(err, want) {
			t.Errorf("a check with %s: %v, want %v", code, err, want)
		}
		if _, err := keep(j, sample(1)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", code, err, want)
		}
		execute(t, where, "DROP FUNCTION refuse CASCADE")
		if _, err := keep(j, sample(1)); err != nil || j.Check() != nil {
			t.Errorf("after %s: %v, and a check %v", code, err, j.Check())
		}
	}
}

// Text from outside is kept whatever it is: a group is not lost for one.
func TestTextThatPostgreSQLRefusesIsKept(t *testing.T) {
	j := openFile(t, newDatabase(t), Options{})
	random := make([]byte, 4000)
	_, _ = rand.Read(random) // never fails
	long := base64.StdEncoding.EncodeToString(random)
	odd := sample(1)
	odd.ID, odd.Title, odd.RunID, odd.Path = "a\x00\xff", long, long, "/\x00"+long
	odd.Headers = []owox.Header{{Name: "X", Value: "\x00 \\u0000 \xff"}}
	odd.Findings = []validate.Finding{{Rule: "r", Message: "\x00", Severity: validate.Warning}}
	twin, other := odd, odd
	other.ID, other.RunID = "b", long+"b"
	for i, d := range []*delivery.Delivery{&odd, &twin, &other} {
		if err := j.Keep(d, func() {}); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if twin.DuplicateOf != 1 || other.SameRun {
		t.Errorf("a duplicate of %d, want 1; the same run as %d, want none", twin.DuplicateOf, other.SameRunAs)
	}
	got := list(t, j, Filter{DataMart: long, Oldest: true})
	if len(got) != 3 {
		t.Fatalf("%d found by a long title, want 3", len(got))
	}
	want := odd
	want.ID, want.Path, want.Title, want.RunID = "a\ufffd\ufffd", "/\ufffd"+long, got[0].Title, got[0].RunID
	want.Headers = []owox.Header{{Name: "X", Value: "\ufffd \\u0000 \ufffd"}}
	want.Findings = []validate.Finding{{Rule: "r", Message: "\ufffd", Severity: validate.Warning}}
	if diff := cmp.Diff(Entry{want}, got[0]); diff != "" || !strings.HasPrefix(want.Title, long[:400]) {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := j.KeepAttempt(1, start, delivery.Attempt{URL: "\x00", Failure: &delivery.Failure{Error: "\xff"}}); err != nil {
		t.Error(err)
	}
	if ids, err := j.IDs(context.Background(), "a\x00", 2); err != nil || len(ids) != 1 {
		t.Errorf("%q begin so, %v, want one", ids, err)
	}
}

// A reader that goes on after the last sequence it saw misses none.
func TestSequencesBecomeVisibleInOrder(t *testing.T) {
	where := newDatabase(t)
	const writers, each = 3, 400
	var running sync.WaitGroup
	for i := range writers {
		j := openFile(t, where, Options{})
		for k := range 4 {
			running.Go(func() {
				for n := range each / 4 {
					if _, err := keep(j, sample((i*4+k)*each+n)); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	reader, err := OpenReading(context.Background(), where)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close() //nolint:errcheck // only read
	done := make(chan struct{})
	go func() { running.Wait(); close(done) }()
	seen, last := 0, int64(0)
	for over := false; !over; {
		select {
		case <-done:
			over = true // after one more look
		default:
		}
		rows, err := reader.DB().Query("SELECT sequence FROM deliveries WHERE sequence > $1 ORDER BY sequence", last)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			if err := rows.Scan(&last); err != nil {
				t.Fatal(err)
			}
			seen++
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if seen != writers*each {
		t.Errorf("saw %d of %d", seen, writers*each)
	}
}

// A process that stopped with the lock in its hands does not stop the others.
func TestStoppedWriterLosesTheLock(t *testing.T) {
	where := newDatabase(t)
	j, stopped := openFile(t, where, Options{}), openFile(t, where, Options{})
	release, held := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- stopped.submit(func(context.Context) error { close(held); <-release; return nil })
	}()
	<-held
	began := time.Now()
	if _, err := keep(j, sample(1)); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("kept after %v, %v", time.Since(began), err)
	}
	close(release)
	if err := <-ended; !errors.Is(err, ErrUnreachable) {
		t.Errorf("the stopped one was told %v, want %v", err, ErrUnreachable)
	}
	if _, err := keep(stopped, sample(2)); err != nil {
		t.Errorf("it did not recover: %v", err)
	}
}

// Who waits for a server that says nothing is told in time, the ones who came
// later too.
func TestSilentServerIsSaidInTime(t *testing.T) {
	where, err := url.Parse(newDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := newProxy(t, where.Host)
	where.Host = proxy.Addr().String()
	j := openFile(t, where.String(), Options{})
	if _, err := keep(j, sample(1)); err != nil {
		t.Fatal(err)
	}
	proxy.silent.Store(true)
	took := make(chan error, 2)
	began := time.Now()
	for n := range 2 {
		go func() {
			_, err := keep(j, sample(n))
			took <- err
		}()
		time.Sleep(100 * time.Millisecond)
	}
	for range 2 {
		if err := <-took; !errors.Is(err, ErrUnreachable) || time.Since(began) > 5*time.Second {
			t.Errorf("after %v: %v, want %v within 5s", time.Since(began), err, ErrUnreachable)
		}
	}
	proxy.silent.Store(false)
	if _, err := keep(j, sample(3)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// proxy passes bytes on to a server, unless it is silent.
type proxy struct {
	net.Listener
	silent atomic.Bool
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: listener}
	var running sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close(); running.Wait() })
	pass := func(from, into net.Conn) {
		defer into.Close() //nolint:errcheck // it may be closed
		buffer := make([]byte, 64<<10)
		for {
			n, err := from.Read(buffer)
			if err != nil {
				return
			}
			if !p.silent.Load() {
				_, _ = into.Write(buffer[:n]) // the other side finds out
			}
		}
	}
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			running.Go(func() { pass(client, server) })
			running.Go(func() { pass(server, client) })
		}
	})
	return p
}

// Whatever a server has said is kept is there after a crash, and the journal
// goes on without being opened again.
func TestCrashOfTheServerLosesNothing(t *testing.T) {
	server, where := startServer(t), newDatabase(t)
	j := openFile(t, where, Options{})
	var kept sync.Map
	var failures atomic.Int64
	stop := make(chan struct{})
	var running sync.WaitGroup
	for i := range 16 {
		running.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				d := sample(i*1_000_000 + n)
				began := time.Now()
				if err := j.Keep(&d, func() {}); err == nil {
					kept.Store(d.ID, d.Sequence)
				} else {
					failures.Add(1)
					if !errors.Is(err, ErrUnreachable) || time.Since(began) > 5*time.Second {
						t.Errorf("after %v: %v, want %v within 5s", time.Since(began), err, ErrUnreachable)
					}
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	for range 3 {
		time.Sleep(300 * time.Millisecond)
		if err := errors.Join(server.Crash(), server.Restart()); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(300 * time.Millisecond)
	close(stop)
	running.Wait()
	if _, err := keep(j, sample(99_999_999)); err != nil {
		t.Errorf("the journal did not recover: %v", err)
	}
	there := map[string]int64{}
	for _, e := range list(t, j, Filter{Brief: true}) {
		there[e.ID] = e.Sequence
	}
	count := 0
	kept.Range(func(id, sequence any) bool {
		count++
		if there[id.(string)] != sequence {
			t.Errorf("%s was kept as %d, and is there as %d", id, sequence, there[id.(string)])
		}
		return true
	})
	if count < 100 || failures.Load() == 0 {
		t.Errorf("%d were kept and %d failed: the crashes were not in the middle", count, failures.Load())
	}
}

// A server that was restarted while nothing happened costs no delivery.
func TestRestartInBetweenIsNotNoticed(t *testing.T) {
	server, where := startServer(t), newDatabase(t)
	j := openFile(t, where, Options{})
	if err := errors.Join(server.Crash(), server.Restart()); err != nil {
		t.Fatal(err)
	}
	if sequence, err := keep(j, sample(1)); err != nil || sequence < 1 {
		t.Errorf("kept as %d, %v", sequence, err)
	}
}

func TestPasswordsAreRedacted(t *testing.T) {
	for where, want := range map[string]string{
		"journal.db":                   "journal.db",
		"postgres://u:secret@h:1/d":    "postgres://u:xxxxx@h:1/d",
		"postgresql://u@h/d?sslmode=a": "postgresql://u@h/d?sslmode=a",
		"postgres:///d?host=/run&password=secret&sslPassword=secret": "postgres:///d?host=/run&password=xxxxx&sslPassword=xxxxx",
		"postgres://u:secret%@h/d":                                   "postgres://…",
		"postgres://u:sec/ret@h/d":                                   "postgres://…",
		"POSTGRES://u:secret@h/d":                                    "postgres://u:xxxxx@h/d",
		"mysql://u:secret@h/d":                                       "mysql://…",
		"host=h password=secret dbname=d":                            "…",
		"dbname=d user=u password = 'sec://ret'":                     "…",
		"postgres://u@h/d?host=/run&options=-c a=b user=c":           "postgres://u@h/d?host=/run&options=-c a=b user=c",
		"myhost=a/dbname=b.db":                                       "myhost=a/dbname=b.db",
	} {
		if got := Redact(where); got != want {
			t.Errorf("%s is shown as %s, want %s", where, got, want)
		}
	}
}

func TestRowsOfAStatementAreApart(t *testing.T) {
	of := func(id, run string, test bool, bytes int) *row {
		d := sample(0)
		d.ID, d.RunID, d.IsTest, d.Body = id, run, test, make([]byte, bytes)
		return &row{Delivery: &d}
	}
	for name, c := range map[string]struct {
		rows []*row
		want int
	}{
		"all different":            {[]*row{of("1", "a", false, 0), of("2", "b", false, 0)}, 2},
		"an id again":              {[]*row{of("1", "a", false, 0), of("2", "b", false, 0), of("1", "c", false, 0)}, 2},
		"a run again":              {[]*row{of("1", "a", false, 0), of("2", "a", false, 0)}, 1},
		"the run of test events":   {[]*row{of("1", "a", true, 0), of("2", "a", true, 0)}, 2},
		"no id, no run":            {[]*row{of("", "", false, 0), of("", "", false, 0)}, 2},
		"an id that is stored so":  {[]*row{of("\x00", "a", false, 0), of("\ufffd", "b", false, 0)}, 1},
		"more than a statement":    {[]*row{of("1", "a", false, statementBytes), of("2", "b", false, 1)}, 1},
		"one that is more than it": {[]*row{of("1", "a", false, statementBytes+1), of("2", "b", false, 1)}, 1},
	} {
		if got := len(apart(c.rows)); got != c.want {
			t.Errorf("%s: %d rows in a statement, want %d", name, got, c.want)
		}
	}
}

func TestManyProcessesMakeOneJournal(t *testing.T) {
	where := newDatabase(t)
	var running sync.WaitGroup
	for n := range 4 {
		running.Go(func() {
			j, err := Open(context.Background(), where, Options{})
			if err == nil {
				_, err = keep(j, sample(n))
				err = errors.Join(err, j.Close())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if n := len(list(t, openFile(t, where, Options{}), Filter{})); n != 4 {
		t.Errorf("%d deliveries, want 4", n)
	}
}

// The plan of the first delivery is used for all that follow.
func TestDeliveriesAreLookedForByIndexesFromTheStart(t *testing.T) {
	j := openFile(t, newDatabase(t), Options{})
	values, err := newRow(sample(1))
	if err != nil {
		t.Fatal(err)
	}
	columns, types := j.database.(*postgres).columns([]*row{{values: values}})
	var plan []string
	err = j.submit(func(ctx context.Context) error {
		rows, err := j.conn.QueryContext(ctx, "EXPLAIN "+insertion(types), columns...)
		if err != nil {
			return err
		}
		plan, err = collect(read(j, func() (*sql.Rows, error) { return rows, nil }, func(rows *sql.Rows) (line string, err error) {
			err = rows.Scan(&line)
			return line, err
		}))
		return err
	})
	got := strings.Join(plan, "\n")
	if err != nil || strings.Count(got, "deliveries_webhook_id") != 1 || strings.Count(got, "deliveries_run") != 1 || strings.Contains(got, "Seq Scan") {
		t.Errorf("%v, want a look into deliveries_webhook_id and one into deliveries_run, got\n%s", err, got)
	}
}

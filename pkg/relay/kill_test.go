package relay

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/receiver"
	"github.com/owoxhook/owoxhook/pkg/sender"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// A process of this test receives and relays until it is killed.
const (
	helperJournal = "RELAY_TEST_JOURNAL"
	helperAddr    = "RELAY_TEST_ADDR"
	helperTarget  = "RELAY_TEST_TARGET"
)

func helper() error {
	j, err := journal.Open(context.Background(), os.Getenv(helperJournal), journal.Options{})
	if err != nil {
		return err
	}
	defer j.Close() //nolint:errcheck // it is opened again
	to, err := url.Parse(os.Getenv(helperTarget))
	if err != nil {
		return err
	}
	s := sender.New(sender.Options{Timeout: time.Second, Relayed: true})
	r, err := Open(context.Background(), Options{Journal: j, Targets: []Target{{Name: "a", Carrier: Application(s, to, nil), Limit: time.Second}}})
	if err != nil {
		return err
	}
	validator, err := validate.New(validate.Config{})
	if err != nil {
		return err
	}
	go func() { _ = r.Run(context.Background()) }()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", os.Getenv(helperAddr))
	if err != nil {
		return err
	}
	return http.Serve(listener, receiver.New(receiver.Options{Validator: validator, Keep: j.Keep}))
}

// endpoint is a target that is cut off at times, and counts what arrives.
type endpoint struct {
	mu     sync.Mutex
	server *http.Server
	addr   string
	bodies map[string][]byte
	twice  int
}

func (e *endpoint) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	id := r.Header.Get(owox.HeaderID)
	if _, had := e.bodies[id]; had {
		e.twice++
	}
	e.bodies[id] = body
}

func (e *endpoint) start(t *testing.T) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", e.addr)
	if err != nil {
		t.Fatal(err)
	}
	e.addr = listener.Addr().String()
	e.server = &http.Server{Handler: e, ReadHeaderTimeout: time.Second}
	server := e.server
	go func() { _ = server.Serve(listener) }()
}

// stream delivers to the relays, and notes what was answered with 2xx.
type stream struct {
	mu    sync.Mutex
	acked map[string][]byte
}

func (s *stream) run(ctx context.Context, addr string) {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		id := uuid.New()
		body := owox.Sample{Event: owox.RunFailed, ID: id, Now: time.Now()}.JSON()
		request, _ := http.NewRequest(http.MethodPost, "http://"+addr+"/", bytes.NewReader(body))
		for _, h := range owox.Headers(id.String(), string(owox.RunFailed)) {
			request.Header.Set(h.Name, h.Value)
		}
		response, err := client.Do(request)
		if err != nil {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		_ = response.Body.Close()
		if response.StatusCode/100 == 2 {
			s.mu.Lock()
			s.acked[id.String()] = body
			s.mu.Unlock()
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// wait waits until one more delivery was answered with 2xx.
func (s *stream) wait(t *testing.T) {
	t.Helper()
	count := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.acked)
	}
	before := count()
	until(t, "a delivery is kept", func() bool { return count() > before })
}

// TestNothingIsLostWhenProcessesAreKilled kills relays, cuts off the target and
// crashes the database, at random moments.
func TestNothingIsLostWhenProcessesAreKilled(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		kill(t, filepath.Join(t.TempDir(), "journal.db"), 1, rounds, func() {})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		server, where := OwnServer(t)
		kill(t, where, 2, rounds, func() {
			_ = server.Crash() // it is killed
			if err := server.Restart(); err != nil {
				t.Error(err)
			}
		})
	})
}

func kill(t *testing.T, where string, relays, rounds int, crash func()) {
	t.Helper()
	target := &endpoint{addr: "127.0.0.1:0", bodies: map[string][]byte{}}
	target.start(t)
	t.Cleanup(func() { _ = target.server.Close() })
	deliveries := &stream{acked: map[string][]byte{}}
	sending, stop := context.WithCancel(context.Background())
	defer stop()
	var streams sync.WaitGroup
	var processes []*exec.Cmd
	var addrs []string
	for range relays {
		addr := freeAddr(t)
		addrs, processes = append(addrs, addr), append(processes, launch(t, where, addr, target.addr))
		streams.Go(func() { deliveries.run(sending, addr) })
	}
	var kills atomic.Int64
	for round := range rounds {
		if round%2 == 0 { // in the other ones a relay may be killed while it starts
			deliveries.wait(t)
		}
		time.Sleep(time.Duration(rand.IntN(1500)) * time.Millisecond)
		switch round % 3 {
		case 0:
			_ = target.server.Close()
			time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
			target.start(t)
		case 1:
			crash()
		}
		i := rand.IntN(relays)
		_ = processes[i].Process.Kill() // it runs until then
		_ = processes[i].Wait()         // it was killed
		kills.Add(1)
		processes[i] = launch(t, where, addrs[i], target.addr)
	}
	deliveries.wait(t)
	stop()
	streams.Wait()
	missing := func() (n int) {
		target.mu.Lock()
		defer target.mu.Unlock()
		for id := range deliveries.acked {
			if target.bodies[id] == nil {
				n++
			}
		}
		return n
	}
	waiting := jobsOf(t, where)
	for deadline := time.Now().Add(4 * time.Minute); missing() > 0 && time.Now().Before(deadline); time.Sleep(time.Second) {
		waiting.again(t) // or a delivery that was unlucky four times would wait for ten minutes
	}
	if n := missing(); n > 0 || len(deliveries.acked) < rounds/2 {
		t.Errorf("%d of %d deliveries that were answered with 2xx did not arrive\n%s", n, len(deliveries.acked), waiting.list(t))
		for id := range deliveries.acked {
			if target.bodies[id] == nil {
				waiting.explain(t, id)
			}
		}
	}
	target.mu.Lock()
	defer target.mu.Unlock()
	for id, body := range deliveries.acked {
		if got := target.bodies[id]; got != nil && !bytes.Equal(got, body) {
			t.Errorf("%s arrived as %s, want %s", id, got, body)
		}
	}
	t.Logf("%d deliveries, %d kills: %d arrived twice", len(deliveries.acked), kills.Load(), target.twice)
	if most := batchSize * int(kills.Load()); target.twice > most {
		t.Errorf("%d arrived twice, want at most %d", target.twice, most)
	}
}

// jobs are those of the relays that are killed.
type jobs struct{ *Relay }

func jobsOf(t *testing.T, where string) jobs {
	t.Helper()
	j, err := journal.Open(t.Context(), where, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	r, err := Open(t.Context(), Options{Journal: j})
	if err != nil {
		t.Fatal(err)
	}
	return jobs{r}
}

// again has what waits tried at once.
func (j jobs) again(t *testing.T) {
	t.Helper()
	if _, err := j.Retry(t.Context(), Selection{Waiting: true}); err != nil {
		t.Error(err)
	}
}

func (j jobs) list(t *testing.T) string {
	t.Helper()
	all, err := j.Jobs(t.Context(), Selection{}, 100)
	if err != nil {
		t.Error(err)
	}
	var out strings.Builder
	for _, job := range all {
		fmt.Fprintf(&out, "%+v\n", job)
	}
	return out.String()
}

// explain logs what is known of a delivery that did not arrive.
func (j jobs) explain(t *testing.T, id string) {
	t.Helper()
	for e, err := range j.journal.List(t.Context(), journal.Filter{ID: id}) {
		t.Logf("delivery %d %s, duplicate %v of %d, same run %v as %d, run %s, %v", e.Sequence, e.ID, e.Duplicate, e.DuplicateOf, e.SameRun, e.SameRunAs, e.RunID, err)
		rows, err := j.journal.DB().QueryContext(t.Context(), "SELECT id, CAST(state AS TEXT), attempt, CAST(attempted_at AS TEXT), CAST(errors AS TEXT) FROM river_job WHERE CAST(args->>'sequence' AS BIGINT) = $1", e.Sequence)
		if err != nil {
			t.Error(err)
			return
		}
		for rows.Next() {
			var id, attempt int64
			var state string
			var at, errors sql.NullString
			_ = rows.Scan(&id, &state, &attempt, &at, &errors) // for the log
			t.Logf("job %d is %s after attempt %d at %s: %s", id, state, attempt, at.String, errors.String)
		}
		_ = rows.Close()
	}
	cursors, err := j.queue.cursors(t.Context())
	t.Logf("cursors %v, %v, now %v", cursors, err, time.Now())
}

func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // nothing came
	return listener.Addr().String()
}

// launch starts a relay in a process of its own.
func launch(t *testing.T, where, addr, target string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperJournal+"="+where, helperAddr+"="+addr, helperTarget+"=http://"+target+"/")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be gone
		_ = cmd.Wait()
		if output.Len() > 0 {
			t.Log(fmt.Sprint(addr, ": ", output.String()))
		}
	})
	return cmd
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rogpeppe/go-internal/testscript"
	"go.yaml.in/yaml/v3"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/testdata/hostile"
	"github.com/owoxhook/owoxhook/testdata/pgtest"
	"github.com/owoxhook/owoxhook/testdata/tunnels"
)

var update = flag.Bool("update", false, "rewrite golden files in scripts")

func TestMain(m *testing.M) {
	_ = os.Setenv("GORACE", raceOptions)
	testscript.Main(tests{m}, map[string]func(){
		"owoxhook": main,
		"endpoint": endpoint,
		"measured": measured,

		"cloudflared": tunnels.Cloudflared,
		"ngrok":       tunnels.Ngrok,
		"other":       tunnels.Other,
		"sshservice":  tunnels.SSHService,
	})
}

// tests have programs get the signals that whoever runs the tests has ignored, as
// nohup does: what is caught here is not ignored there.
type tests struct{ *testing.M }

func (t tests) Run() int {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	return t.M.Run()
}

// raceOptions let a program end at once under the race detector, which would
// have it wait for a second.
const raceOptions = "atexit_sleep_ms=0"

// underRace reports whether the race detector is on: programs then need several
// times the memory and the time.
func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// TestScripts runs testdata/script: each file is a promise that owoxhook makes
// to its users, and is named after it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			// The user's own configuration and proxy are none of a test's business.
			env.Setenv("XDG_CONFIG_HOME", env.WorkDir+"/config")
			env.Setenv("XDG_STATE_HOME", env.WorkDir+"/state")
			env.Setenv("NO_PROXY", "*")
			env.Setenv("GORACE", raceOptions)
			env.Values["running"] = map[string]*background{}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"start":       startCommand,
			"ended":       endedCommand,
			"end":         endCommand,
			"status":      statusCommand,
			"until":       untilCommand,
			"rawsend":     rawSendCommand,
			"certificate": certificateCommand,
			"postgres":    postgresCommand,
			"tunnels":     tunnelsCommand,
		},
		Condition: func(word string) (bool, error) {
			if word != "postgres" {
				return false, fmt.Errorf("unknown condition %s", word)
			}
			_, err := pgtest.Find()
			return err == nil, nil
		},
	})
}

// background is a program that a script started. It says its URL in a first
// line of JSON.
type background struct {
	cmd         *exec.Cmd
	out, errOut bytes.Buffer
	drained     chan struct{} // closed when out is whole
}

// startCommand: start NAME PROGRAM ARG... starts a program, waits until it
// listens, and sets $NAME to its URL, $NAME_UI to that of its page, and
// $NAME_JOURNAL to where it says its journal is.
func startCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME PROGRAM ARG...")
	}
	program, err := exec.LookPath(args[1])
	ts.Check(err)
	b := &background{cmd: exec.Command(program, args[2:]...), drained: make(chan struct{})}
	b.cmd.Dir = ts.Getenv("WORK")
	b.cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+ts.Getenv("XDG_CONFIG_HOME"), "XDG_STATE_HOME="+ts.Getenv("XDG_STATE_HOME"), "TZ=UTC")
	b.cmd.Stderr = &b.errOut
	stdout, err := b.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(b.cmd.Start())
	ts.Defer(func() {
		_ = b.cmd.Process.Kill() // it may have ended in good order
		_ = b.cmd.Wait()
	})
	out := bufio.NewReader(stdout)
	line, err := out.ReadString('\n')
	go func() {
		_, _ = b.out.ReadFrom(out) // a full pipe would stop the program
		close(b.drained)
	}()
	if err != nil {
		<-b.drained
		_ = b.cmd.Wait() // for its last words
		ts.Fatalf("%s ended before it listened: %s", args[1], b.errOut.String())
	}
	var listening struct{ Type, URL, UI, Journal string }
	if err := json.Unmarshal([]byte(line), &listening); err != nil || listening.Type != "listening" && listening.Type != "inspecting" {
		ts.Fatalf("%s did not say where it listens: %q", args[1], line)
	}
	ts.Setenv(args[0], listening.URL)
	ts.Setenv(args[0]+"_UI", listening.UI)
	ts.Setenv(args[0]+"_JOURNAL", listening.Journal)
	ts.Value("running").(map[string]*background)[args[0]] = b
}

// endCommand: end NAME STATUS interrupts a program, waits for its end, and
// keeps what it said in NAME.out and NAME.err.
func endCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: end NAME STATUS")
	}
	ts.Check(ts.Value("running").(map[string]*background)[args[0]].cmd.Process.Signal(os.Interrupt))
	endedCommand(ts, neg, args)
}

// endedCommand: ended NAME STATUS is the same for a program that ends by
// itself.
func endedCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: ended NAME STATUS")
	}
	b := ts.Value("running").(map[string]*background)[args[0]]
	<-b.drained
	_ = b.cmd.Wait() // the status tells
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".out"), b.out.Bytes(), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".err"), b.errOut.Bytes(), 0o600))
	if got := strconv.Itoa(b.cmd.ProcessState.ExitCode()); got != args[1] {
		ts.Fatalf("%s ended with %s, want %s\n%s", args[0], got, args[1], b.errOut.String())
	}
}

// statusCommand: status N PROGRAM ARG... runs a program and wants its exit
// status. Its output is kept in files: testscript keeps only that of exec.
func statusCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N PROGRAM ARG...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%s: %v", args[1], err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// untilCommand: until REGEXP PROGRAM ARG... runs a program again and again until
// its standard output matches.
func untilCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until REGEXP PROGRAM ARG...")
	}
	wanted := regexp.MustCompile("(?m)" + args[0])
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && wanted.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v: %v, standard output:\n%s", args[1:], err, ts.ReadFile("stdout"))
		}
	}
}

// rawSendCommand: rawsend URL FILE writes the bytes of a file to a server and
// keeps its answer in answer.http.
func rawSendCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: rawsend URL FILE")
	}
	target, err := url.Parse(args[0])
	ts.Check(err)
	conn, err := net.Dial("tcp", target.Host)
	ts.Check(err)
	defer conn.Close() //nolint:errcheck // only read from here on
	ts.Check(conn.SetDeadline(time.Now().Add(20 * time.Second)))
	_, err = io.WriteString(conn, ts.ReadFile(args[1]))
	ts.Check(err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	ts.Check(err)
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(response.Body)
	ts.Check(err)
	answer := fmt.Sprintf("%s\nAllow: %s\n%s", response.Status, response.Header.Get("Allow"), body)
	ts.Check(os.WriteFile(ts.MkAbs("answer.http"), []byte(answer), 0o600))
}

// database is the PostgreSQL server of the scripts. It ends with the tests.
var database = sync.OnceValues(pgtest.Start)

// postgresCommand: postgres NAME sets $NAME to the URL of an empty database;
// postgres crash and postgres restart do that to its server.
func postgresCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: postgres NAME|crash|restart")
	}
	server, err := database()
	ts.Check(err)
	switch args[0] {
	case "crash":
		ts.Check(server.Crash())
	case "restart":
		ts.Check(server.Restart())
	default:
		where, err := server.Fresh()
		ts.Check(err)
		ts.Setenv(args[0], where)
	}
}

// certificateCommand: certificate makes cert.pem and key.pem for 127.0.0.1.
func certificateCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: certificate")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	ts.Check(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	for file, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: certificate},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: private},
	} {
		ts.Check(os.WriteFile(ts.MkAbs(file), pem.EncodeToMemory(block), 0o600))
	}
}

// tunnelsCommand: tunnels PROGRAM... leaves these programs alone in the PATH, and
// has the public side of tunnels trusted.
func tunnelsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: tunnels PROGRAM...")
	}
	dir := ts.MkAbs("bin")
	ts.Check(os.RemoveAll(dir))
	ts.Check(os.MkdirAll(dir, 0o700))
	for _, name := range append(args, "owoxhook") {
		program, err := exec.LookPath(name)
		ts.Check(err)
		ts.Check(os.Symlink(program, filepath.Join(dir, filepath.Base(program))))
	}
	ts.Setenv("PATH", dir)
	ts.Check(os.WriteFile(ts.MkAbs("edge.pem"), tunnels.CertificatePEM(), 0o600))
	ts.Setenv("SSL_CERT_FILE", ts.MkAbs("edge.pem"))
}

// endpoint is somebody's endpoint for scripts: endpoint MODE... answers the
// requests with the modes in turn, the last one for ever, and says each
// request's method, path and id.
func endpoint() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("{\"type\":\"listening\",\"url\":\"http://%s/\"}\n", listener.Addr())
	modes := os.Args[1:]
	var turn atomic.Int64
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mode := modes[min(int(turn.Add(1)), len(modes))-1]
		fmt.Println(r.Method, r.URL.RequestURI(), r.Header.Get("X-Webhook-Id"), len(body))
		_ = os.WriteFile("received.body", body, 0o600) // a script compares it
		answerAs(w, r, mode)
	})
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() { <-interrupted; os.Exit(0) }()
	_ = http.Serve(listener, handler)
}

func answerAs(w http.ResponseWriter, r *http.Request, mode string) {
	if to, ok := strings.CutPrefix(mode, "redirect-to:"); ok {
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		return
	}
	switch mode {
	case "hang":
		<-r.Context().Done()
	case "slow-body":
		w.WriteHeader(200)
		_, _ = io.WriteString(w, "the beginning") // the client may be gone
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	case "close":
		panic(http.ErrAbortHandler)
	case "redirect":
		http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
	default:
		status, _ := strconv.Atoi(mode)
		w.WriteHeader(status)
		fmt.Fprintf(w, "answer with %d\n\x1b[31mred\x1b[0m\n", status) //nolint:errcheck // the client may be gone
	}
}

// program runs owoxhook in the background of a test.
func program(t *testing.T, args ...string) (cmd *exec.Cmd, out *bufio.Reader) {
	t.Helper()
	path, err := exec.LookPath("owoxhook")
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(path, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+cmd.Dir, "XDG_STATE_HOME="+cmd.Dir, "NO_PROXY=*")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, bufio.NewReader(stdout)
}

// awaitURL waits until a listener listens, and returns its URL.
func awaitURL(t *testing.T, out *bufio.Reader) string {
	t.Helper()
	line, err := out.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var listening struct{ URL string }
	if err := json.Unmarshal(line, &listening); err != nil {
		t.Fatal(err)
	}
	return listening.URL
}

func interrupt(t *testing.T, cmd *exec.Cmd, status int) {
	t.Helper()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != status {
		t.Errorf("interrupted %v ended with %v, want %d", cmd.Args[1:], cmd.ProcessState, status)
	}
}

func TestInterruptedSendSaysSo(t *testing.T) {
	arrived := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not notice the hang-up
		close(arrived)
		<-r.Context().Done()
	}))
	defer server.Close()
	cmd, _ := program(t, "send", "--attempts", "3", server.URL)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	interrupt(t, cmd, 130)
}

func TestInterruptedValidateSaysSo(t *testing.T) {
	cmd, out := program(t, "validate", "-o", "json")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, "{}\nx\n"); err != nil {
		t.Fatal(err)
	}
	for line := ""; !strings.Contains(line, `"line":2`); { // it reads, and has more to read
		if line, err = out.ReadString('\n'); err != nil {
			t.Fatal(line, err)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if line, err := out.ReadString('\n'); err != nil || !strings.Contains(line, `"summary","payloads":2,"valid":0`) {
		t.Errorf("the last line is %q, %v", line, err)
	}
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("ended with %v, want 130", cmd.ProcessState)
	}
}

func TestInterruptedListenEndsRunningRequests(t *testing.T) {
	cmd, out := program(t, "listen", "--addr", "127.0.0.1:0", "-o", "json", "--delay", "300ms", "--accept-all")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	url := awaitURL(t, out)
	conn, err := net.Dial("tcp", strings.Trim(url, "htp:/"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the test is over
	// The receiver says 100 when it is about to read the body: now it is busy.
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer := bufio.NewReader(conn)
	if line, err := answer.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatal(line, err)
	}
	if _, err := io.WriteString(conn, "{}"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { interrupt(t, cmd, 0); close(ended) }()
	if rest, err := io.ReadAll(answer); err != nil || !strings.Contains(string(rest), "HTTP/1.1 200 OK") {
		t.Errorf("the running request was answered %q, %v", rest, err)
	}
	<-ended
}

// The command's own children are ended too: nothing outlives an interrupt.
func TestInterruptLeavesNoProcessBehind(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no process groups here")
	}
	if _, err := exec.LookPath("ps"); err != nil {
		t.Skip("no ps to look for processes with")
	}
	script := `sleep 300 & echo pid $! >&2; echo ready; wait; sleep 300`
	for name, signal := range map[string]os.Signal{"Ctrl-C": os.Interrupt, "SIGTERM": syscall.SIGTERM, "a closed terminal": syscall.SIGHUP} {
		t.Run(name, func(t *testing.T) {
			cmd, out := program(t, "listen", "--addr", "127.0.0.1:0", "--", "sh", "-c", script)
			var errOut bytes.Buffer
			cmd.Stderr = &errOut
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if line, err := out.ReadString('\n'); err != nil || line != "ready\n" {
				t.Fatal(line, err)
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // the status tells
			if got, want := cmd.ProcessState.ExitCode(), 128+int(signal.(syscall.Signal)); got != want {
				t.Errorf("exit status %d, want %d\n%s", got, want, &errOut)
			}
			_, said, _ := strings.Cut(errOut.String(), "pid ")
			var pid int
			if _, err := fmt.Sscan(said, &pid); err != nil {
				t.Fatal(err)
			}
			// A zombie is gone: that nobody has looked at its status is not our doing.
			for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				state, _ := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
				running := strings.TrimSpace(string(state))
				if running == "" || strings.HasPrefix(running, "Z") {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("process %d is still there: %s", pid, running)
				}
			}
		})
	}
}

func TestInterruptedCheckSaysSo(t *testing.T) {
	arrived := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not notice the hang-up
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	defer server.Close()
	cmd, _ := program(t, "check", server.URL)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	interrupt(t, cmd, 130)
}

// What differs between two runs of the same command: of an id, also what an
// excerpt leaves of it.
var varies = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|…[0-9a-f-]+"` +
	`|\brun-[0-9a-f]{16}\b|\d{4}-\d\d-\d\dT[0-9:.]+Z|\b\d\d:\d\d:\d\d\b|127\.0\.0\.1:\d{5}|[0-9.]+(ms|µs)|time="[0-9.]+"`)

// TestReadme runs the commands of the README and of help topics that are marked
// to be run, those of one text in one directory with the files that it shows, and
// compares what they print, but for the order in which two programs wrote and for
// what varies.
func TestReadme(t *testing.T) {
	texts, err := filepath.Glob("cmd/topics/*.md")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, name := range append(texts, "README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(name), func(t *testing.T) { ran += runText(t, string(text)) })
	}
	if ran < 20 {
		t.Errorf("%d commands are marked, want 20 at least", ran)
	}
}

var marked = regexp.MustCompile("(?ms)^<!-- (run|file):? ?([^\n]*?) ?-->\n```\\w+\n(.*?)^```$")

// runText returns how many commands a text has.
func runText(t *testing.T, text string) (commands int) {
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("XDG_STATE_HOME", dir)
	blocks := marked.FindAllStringSubmatch(text, -1)
	if marks := strings.Count(text, "\n<!-- run") + strings.Count(text, "\n<!-- file"); marks != len(blocks) {
		t.Errorf("%d of %d marks stand above a block", len(blocks), marks)
	}
	for _, block := range blocks {
		kind, word, text := block[1], block[2], block[3]
		if kind == "file" {
			if err := os.WriteFile(filepath.Join(dir, word), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		examples := strings.Split(strings.TrimPrefix(text, "$ "), "\n$ ")
		commands += len(examples)
		if missing := slices.DeleteFunc(append(strings.Fields(word), "sh"), has); len(missing) > 0 {
			t.Logf("skipped: no %v is here", missing)
			continue
		}
		for _, example := range examples {
			command, want, _ := strings.Cut(example, "\n")
			shell := exec.Command("sh", "-c", command)
			shell.Dir = dir
			out, _ := shell.CombinedOutput() // its words tell
			if got := string(out); settled(got) != settled(want) {
				t.Errorf("$ %s\nprinted\n%s\nbut the text says\n%s", command, got, want)
			}
		}
	}
	return commands
}

func has(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

func settled(text string) string {
	lines := strings.Split(strings.TrimSpace(varies.ReplaceAllString(text, "~")), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// A reader that stands still must not slow the endpoint, and what it misses is
// counted.
func TestListenDoesNotWaitForItsReader(t *testing.T) {
	cmd, out := program(t, "listen", "--addr", "127.0.0.1:0", "-o", "json", "--accept-all", "--max-body", "2MiB")
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	url := awaitURL(t, out)
	body := `{"a":"` + strings.Repeat("x", 1<<20) + `"}`
	const posts = 80 // more than a pipe and the queue hold
	for range posts {
		client := http.Client{Timeout: 20 * time.Second}
		response, err := client.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close() // only the status counts
		if response.StatusCode != http.StatusOK {
			t.Fatal(response.Status)
		}
	}
	start := time.Now()
	interrupt(t, cmd, 0)
	if took := time.Since(start); took > soon {
		t.Errorf("ended after %v, want 1s at most", took)
	}
	if got := errOut.String(); !regexp.MustCompile(`nobody reads the output: 80 deliveries, .* \d\d lines left out`).MatchString(got) {
		t.Errorf("standard error: %s", got)
	}
}

// kept is what a client knows: the ids that were answered with 2xx.
type kept struct {
	mu     sync.Mutex
	bodies map[string][]byte
}

// one makes a delivery, and notes it when it was answered with 200.
func (k *kept) one(client *http.Client, url string) (status int, err error) {
	id := uuid.NewString()
	body := []byte(fmt.Sprintf(`{"id":%q,"n":"%s"}`, id, strings.Repeat("x", len(id)*int(id[0]))))
	response, err := client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close() // it was read
	if err == nil && response.StatusCode == http.StatusOK {
		k.mu.Lock()
		k.bodies[id] = body
		k.mu.Unlock()
	}
	return response.StatusCode, err
}

// post delivers until the receiver is gone.
func (k *kept) post(url string) {
	client := http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	for {
		if _, err := k.one(&client, url); err != nil {
			return
		}
	}
}

// during delivers while work is done, on new connections from four sides, and
// wants each delivery to be answered with 200.
func (k *kept) during(t *testing.T, url string, work func()) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	var clients sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		clients.Go(func() {
			for pause := time.Tick(2 * time.Millisecond); ; <-pause {
				select {
				case <-done:
					return
				default:
				}
				if status, err := k.one(&client, url); err != nil || status != http.StatusOK {
					t.Errorf("a delivery got %d, %v, want 200", status, err)
				}
			}
		})
	}
	defer clients.Wait()
	defer close(done)
	work()
}

// in wants everything that was answered with 200 to be in a journal.
func (k *kept) in(t *testing.T, where string) {
	t.Helper()
	j, err := journal.OpenExisting(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close() //nolint:errcheck // only read
	found := map[string][]byte{}
	for entry, err := range j.List(t.Context(), journal.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		found[entry.ID] = entry.Body
	}
	for id, body := range k.bodies {
		if !bytes.Equal(found[id], body) {
			t.Errorf("delivery %s was answered with 2xx, but %d of its %d bytes are in the journal", id, len(found[id]), len(body))
		}
	}
	if len(k.bodies) < 20 {
		t.Errorf("only %d deliveries were answered: that says little", len(k.bodies))
	}
	t.Logf("%d answered with 2xx, %d in the journal", len(k.bodies), len(found))
}

// TestKilledListenLosesNothing kills receivers at random moments: what was
// answered with 2xx is in the journal, byte for byte.
func TestKilledListenLosesNothing(t *testing.T) {
	for _, listeners := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d listeners on one file", listeners), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "journal.db")
			k := &kept{bodies: map[string][]byte{}}
			for range 20 {
				killRound(t, file, listeners, k)
			}
			k.in(t, file)
		})
	}
}

// killRound starts receivers, loads them from eight connections each, and kills
// them after a moment.
func killRound(t *testing.T, file string, listeners int, k *kept) {
	t.Helper()
	var clients sync.WaitGroup
	var commands []*exec.Cmd
	for range listeners {
		cmd, out := program(t, "listen", "--addr", "127.0.0.1:0", "-o", "json", "--accept-all", "--keep", "0", "--journal", file)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		commands = append(commands, cmd)
		url := awaitURL(t, out)
		clients.Go(func() { _, _ = io.Copy(io.Discard, out) }) // ends with the program
		for range 8 {
			clients.Go(func() { k.post(url) })
		}
	}
	time.Sleep(time.Duration(mathrand.IntN(150)) * time.Millisecond)
	for _, cmd := range commands {
		_ = cmd.Process.Kill() // the moment of truth
	}
	clients.Wait()
	for _, cmd := range commands {
		_ = cmd.Wait() // killed
	}
}

// Deliveries that come while a receiver is replaced wait in the socket that
// outlives it, as one of systemd does.
func TestRestartsOnASocketThatStaysLoseNothing(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("sockets are not passed on here")
	}
	for _, args := range [][]string{{"listen"}, {"relay", "--to", "http://127.0.0.1:1/"}} {
		t.Run(args[0], func(t *testing.T) {
			socket, at := passable(t, "tcp", "127.0.0.1:0")
			file, k := filepath.Join(t.TempDir(), "journal.db"), kept{bodies: map[string][]byte{}}
			run := func() (*exec.Cmd, *bufio.Reader) {
				cmd, out := program(t, append(args, "-o", "json", "--accept-all", "--keep", "0", "--journal", file)...)
				inherit(cmd, socket)
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				return cmd, out
			}
			k.during(t, "http://"+at+"/", func() {
				for range 5 {
					cmd, out := run()
					if got := awaitURL(t, out); !strings.Contains(got, at) {
						t.Errorf("listens on %s, want %s", got, at)
					}
					serveAMoment(t, cmd, out, syscall.SIGTERM)
				}
				run() // it answers what waits
			})
			k.in(t, file)
		})
	}
}

func TestSocketsThatCannotServeAreRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("sockets are not passed on here")
	}
	tcp, at := passable(t, "tcp", "127.0.0.1:0")
	unix, _ := passable(t, "unix", filepath.Join(os.TempDir(), uuid.NewString())) // as short as it must be
	_, port, _ := net.SplitHostPort(at)
	for _, c := range []struct {
		addr    string
		sockets []*os.File
		want    string
	}{
		{"127.0.0.1:1", []*os.File{tcp}, "--addr 127.0.0.1:1 contradicts the socket that was passed to this process, which listens on " + at},
		{":" + port, []*os.File{tcp}, "--addr :" + port + " contradicts"},
		{at, []*os.File{unix}, "does not listen on TCP"},
		{at, []*os.File{tcp, tcp}, "2 sockets were passed to this process: pass one"},
	} {
		cmd, _ := program(t, "listen", "--no-journal", "--addr", c.addr)
		inherit(cmd, c.sockets...)
		var errOut bytes.Buffer
		cmd.Stderr = &errOut
		_ = cmd.Run() // the status tells
		if status := cmd.ProcessState.ExitCode(); status != 2 || !strings.Contains(errOut.String(), c.want) {
			t.Errorf("--addr %s with %d sockets ended with %d and %q, want 2 and %q", c.addr, len(c.sockets), status, errOut.String(), c.want)
		}
	}
}

// passable returns a socket that listens, as a file to pass on, and its address.
func passable(t *testing.T, network, address string) (socket *os.File, at string) {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // nobody accepts
	socket, err = listener.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() }) // nobody connects any more
	return socket, listener.Addr().String()
}

// inherit passes sockets to a program as systemd does.
func inherit(cmd *exec.Cmd, sockets ...*os.File) {
	cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	cmd.Env = append(cmd.Env, fmt.Sprint("LISTEN_FDS=", len(sockets)))
	cmd.ExtraFiles = sockets
}

// serveAMoment lets a receiver receive before it gets a signal, and waits for its
// end.
func serveAMoment(t *testing.T, cmd *exec.Cmd, out io.Reader, signal os.Signal) {
	t.Helper()
	read := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, out) // ends with the program
		close(read)
	}()
	time.Sleep(300 * time.Millisecond)
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	<-read
	if err := cmd.Wait(); err != nil && signal != os.Kill {
		t.Errorf("%v ended with %v, want 0", cmd.Args, err)
	}
}

// deployed is how relays run in testdata/recipes/deploy: the arguments of
// owoxhook in each file, with the targets of the Kubernetes manifest.
func deployed(t *testing.T) map[string][]string {
	t.Helper()
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join("testdata/recipes/deploy", name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	relays := map[string][]string{}
	_, start, _ := strings.Cut(string(read("owoxhook.service")), "\nExecStart=/usr/bin/owoxhook ")
	start, _, _ = strings.Cut(start, "\n")
	relays["owoxhook.service"] = strings.Fields(start)
	var compose struct {
		Services map[string]struct{ Command []string }
	}
	if err := yaml.Unmarshal(read("compose.yaml"), &compose); err != nil {
		t.Fatal(err)
	}
	relays["compose.yaml"] = compose.Services["relay-1"].Command
	targets := filepath.Join(t.TempDir(), "relay.yaml")
	for documents := yaml.NewDecoder(bytes.NewReader(read("kubernetes.yaml"))); ; {
		var document struct {
			Kind string
			Data map[string]string
			Spec struct {
				Template struct {
					Spec struct{ Containers []struct{ Args []string } }
				}
			}
		}
		if err := documents.Decode(&document); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		switch document.Kind {
		case "ConfigMap":
			if err := os.WriteFile(targets, []byte(document.Data["relay.yaml"]), 0o600); err != nil {
				t.Fatal(err)
			}
		case "Deployment":
			relays["kubernetes.yaml"] = document.Spec.Template.Spec.Containers[0].Args
		}
	}
	for _, args := range relays {
		for i, arg := range args {
			args[i] = strings.ReplaceAll(arg, "/etc/owoxhook/relay.yaml", targets)
		}
	}
	return relays
}

func TestDeployedRelaysStart(t *testing.T) {
	for name, args := range deployed(t) {
		cmd, out := program(t, append(args, "--dry-run")...)
		cmd.Env = append(cmd.Env, "SLACK_URL=https://hooks.slack.com/services/example")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(out) // it tells why
		if err := cmd.Wait(); err != nil || !bytes.Contains(text, []byte("alerts")) {
			t.Errorf("%s: owoxhook %v: %v\n%s\nwant both targets", name, args, err, text)
		}
	}
}

func TestSystemdUnitsAreHardened(t *testing.T) {
	if !has("systemd-analyze") {
		t.Skip("no systemd-analyze on this machine")
	}
	path, err := exec.LookPath("owoxhook")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	units := []string{filepath.Join(dir, "owoxhook.service"), filepath.Join(dir, "owoxhook.socket")}
	for _, unit := range units {
		text, err := os.ReadFile(filepath.Join("testdata/recipes/deploy", filepath.Base(unit)))
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte("/usr/bin/owoxhook"), []byte(path))
		if err := os.WriteFile(unit, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		append([]string{"verify", "--man=no"}, units...),
		{"security", "--offline=true", "--threshold=15", "--no-pager", units[0]}, // of 100
	} {
		out, err := exec.Command("systemd-analyze", args...).CombinedOutput()
		if err != nil || args[0] == "verify" && len(out) > 0 {
			t.Errorf("systemd-analyze %v: %v\n%s", args, err, out)
		}
	}
}

// Two relays on one database are replaced one after the other behind nginx, or
// killed, as compose.yaml and nginx.conf have them: no client notices.
func TestRelaysBehindNginxAreReplacedUnnoticed(t *testing.T) {
	if !has("nginx") {
		t.Skip("no nginx on this machine")
	}
	if _, err := pgtest.Find(); err != nil {
		t.Skip(err)
	}
	server, err := database()
	if err != nil {
		t.Fatal(err)
	}
	where, err := server.Fresh()
	if err != nil {
		t.Fatal(err)
	}
	args := slices.Concat(deployed(t)["compose.yaml"], []string{"--accept-all", "--keep", "0"})
	run := func(address string) (*exec.Cmd, *bufio.Reader) {
		cmd, out := program(t, append(args, "--addr", address)...)
		cmd.Env = append(cmd.Env, "OWOXHOOK_JOURNAL="+where, "SLACK_URL=http://127.0.0.1:1/")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		awaitURL(t, out)
		return cmd, out
	}
	relays := [2]string{freeAddress(t), freeAddress(t)}
	var commands [2]*exec.Cmd
	var outputs [2]*bufio.Reader
	for i, address := range relays {
		commands[i], outputs[i] = run(address)
	}
	k := kept{bodies: map[string][]byte{}}
	k.during(t, startNginx(t, relays), func() {
		for _, signal := range []os.Signal{syscall.SIGTERM, os.Kill} {
			for i, address := range relays {
				serveAMoment(t, commands[i], outputs[i], signal)
				commands[i], outputs[i] = run(address)
			}
		}
	})
	k.in(t, where)
}

// startNginx starts nginx with the recipe's configuration, but for addresses, and
// returns its URL.
func startNginx(t *testing.T, relays [2]string) (url string) {
	t.Helper()
	text, err := os.ReadFile("testdata/recipes/deploy/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	site, front, dir := string(text), freeAddress(t), t.TempDir()
	for was, is := range map[string]string{"listen 80;": "listen " + front + ";", "172.30.87.11:8787": relays[0], "172.30.87.12:8787": relays[1]} {
		if !strings.Contains(site, was) {
			t.Fatalf("nginx.conf has no %s", was)
		}
		site = strings.ReplaceAll(site, was, is)
	}
	config := strings.ReplaceAll(`daemon off; master_process off; pid DIR/pid; error_log DIR/error; events {}
http {
  access_log off; client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
  `, "DIR", dir) + site + "}"
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nginx", "-c", filepath.Join(dir, "config"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has no children
		_ = cmd.Wait()         // killed
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", front)
		if err == nil {
			_ = conn.Close() // it accepts
			return "http://" + front + "/"
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// freeAddress returns an address of this machine that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // its port is what counts
	return listener.Addr().String()
}

// The action's script installs what it is told to, and its problem matcher
// reads what validate prints.
func TestSetupActionInstallsAndMatches(t *testing.T) {
	if runtime.GOOS == "windows" || !has("bash") {
		t.Skip("no bash to run the action's script with")
	}
	dir := t.TempDir()
	for _, name := range []string{"PATH", "OUTPUT"} {
		t.Setenv("GITHUB_"+name, filepath.Join(dir, name))
	}
	t.Setenv("RUNNER_TEMP", dir)
	t.Setenv("RUNNER_OS", "Linux")
	t.Setenv("RUNNER_ARCH", "X64")
	t.Setenv("VERSION", "source")
	if out, err := exec.Command(".github/actions/setup/install.sh").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	added, err := os.ReadFile(filepath.Join(dir, "PATH"))
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(dir, "bad.json")
	if err := os.WriteFile(bad, []byte(`{"version":2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command(filepath.Join(strings.TrimSpace(string(added)), "owoxhook"), "validate", bad).Output() // it is invalid
	text, err := os.ReadFile(".github/actions/setup/matcher.json")
	if err != nil {
		t.Fatal(err)
	}
	var matcher struct {
		ProblemMatcher []struct{ Pattern []struct{ Regexp string } }
	}
	if err := json.Unmarshal(text, &matcher); err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile("(?m)" + matcher.ProblemMatcher[0].Pattern[0].Regexp)
	found := pattern.FindAllStringSubmatch(string(out), -1)
	want := []string{bad, "1", "12", "error", "version is a number, want a string", "member-type"}
	if !slices.ContainsFunc(found, func(groups []string) bool { return slices.Equal(groups[1:], want) }) {
		t.Errorf("matched %q in\n%s", found, out)
	}
}

// measured runs a program, hands a SIGTERM on, and writes the most memory that it
// had resident, in KiB, to a file: measured FILE PROGRAM ARG... A child of the
// test itself would be charged with the test's own memory.
func measured() {
	cmd := exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(125)
	}
	go func() { _ = cmd.Process.Signal(<-terminated) }() // it may have ended
	_ = cmd.Wait()                                       // the status tells
	var usage struct{ Maxrss int64 }                     // only Unix has it
	text, _ := json.Marshal(cmd.ProcessState.SysUsage())
	_ = json.Unmarshal(text, &usage)
	_ = os.WriteFile(os.Args[1], []byte(strconv.FormatInt(usage.Maxrss, 10)), 0o600)
	os.Exit(cmd.ProcessState.ExitCode())
}

// oneDelivery makes a journal with one delivery.
func oneDelivery(t *testing.T) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "journal.db")
	j, err := journal.Open(t.Context(), file, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	body := owox.Documented(owox.RunFailed)
	identity := owox.Identify(body)
	d := delivery.Delivery{
		Identity: identity, ReceivedAt: time.Now(), Method: owox.Method, Path: "/", Body: body, State: delivery.StateValid,
		Headers: owox.Headers(identity.ID, string(identity.Event)), Answered: 200,
	}
	if err := errors.Join(j.Keep(&d, func() {}), j.Close()); err != nil {
		t.Fatal(err)
	}
	return file
}

// waysToSend returns the arguments of every command that delivers to a URL and
// ends by itself.
func waysToSend(journal, url, timeout string) map[string][]string {
	return map[string][]string{
		"send":    {"send", "--timeout", timeout, url},
		"send -v": {"send", "-v", "--timeout", timeout, url},
		"send -n": {"send", "-n", "5", "-c", "5", "--timeout", timeout, url},
		"check":   {"check", "--only", "accepts-failed", "--timeout", timeout, url},
		"replay":  {"replay", "latest", "--journal", journal, "--timeout", timeout, "--to", url},
	}
}

// Whatever an endpoint does, every way of sending ends in time and in little
// memory. What was the machine's doing passes with a limit that is longer.
func TestNoEndpointHoldsUpACommand(t *testing.T) {
	file := oneDelivery(t)
	for _, endpoint := range hostile.Endpoints() {
		t.Run(endpoint.Name, func(t *testing.T) {
			t.Parallel()
			url, end, err := endpoint.Serve(nil)
			if err != nil {
				t.Fatal(err)
			}
			defer end()
			for way := range waysToSend("", "", "") {
				for limit := time.Second; ; limit *= 3 {
					took, status, resident := measure(t, waysToSend(file, url, limit.String())[way])
					if underRace() {
						took, resident = took/2, 0
					}
					if took <= 2*limit && resident < 64<<10 && (status == 0) == endpoint.Delivered {
						break
					}
					if limit > 9*time.Second {
						t.Errorf("%s took %v and %d KiB, and ended with %d, want at most %v, less than 64 MiB, delivered %v", way, took, resident, status, 2*limit, endpoint.Delivered)
						break
					}
				}
			}
		})
	}
}

// measure runs owoxhook to its end.
func measure(t *testing.T, args []string) (took time.Duration, status, resident int) {
	t.Helper()
	cmd, out, file := measuredProgram(t, args...)
	start := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait() // the status tells
	return time.Since(start), cmd.ProcessState.ExitCode(), readResident(t, file)
}

func measuredProgram(t *testing.T, args ...string) (cmd *exec.Cmd, out *bufio.Reader, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "resident")
	cmd, out = program(t, args...)
	measuring, err := exec.LookPath("measured")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Args = append([]string{measuring, file, cmd.Path}, args...)
	cmd.Path, cmd.Stderr = measuring, nil
	return cmd, out, file
}

// readResident returns the most memory that a program had, in KiB; 0 where that
// is not measured.
func readResident(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	resident, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "darwin" {
		resident >>= 10 // it counts bytes
	}
	return resident
}

// The sender gets its answer in time whatever the application behind a receiver
// does, and learns nothing of the application but its answer.
func TestNoApplicationHoldsUpAReceiver(t *testing.T) {
	for _, application := range hostile.Endpoints() {
		t.Run(application.Name, func(t *testing.T) {
			t.Parallel()
			at, end, err := application.Serve(nil)
			if err != nil {
				t.Fatal(err)
			}
			defer end()
			cmd, out, file := measuredProgram(t, "listen", "--addr", "127.0.0.1:0", "--no-journal", "--forward-invalid", "-o", "json", "--forward-to", at)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			url := awaitURL(t, out)
			start := time.Now()
			response, err := http.Post(url, "application/json", bytes.NewReader(owox.Documented(owox.RunFailed)))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			_ = response.Body.Close() // it was read
			if took := time.Since(start); err != nil || took > owox.Timeout+time.Second {
				t.Errorf("answered %s after %v, %v", response.Status, took, err)
			}
			if host := strings.Trim(at, "htps:/"); response.StatusCode/100 == 2 != application.Delivered || response.StatusCode < 200 || bytes.Contains(body, []byte(host)) {
				t.Errorf("answered %s and %.100q, want delivered %v, and nothing of %s", response.Status, body, application.Delivered, host)
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, out)
			_ = cmd.Wait() // its memory tells
			if resident := readResident(t, file); resident >= 64<<10 && !underRace() {
				t.Errorf("%d KiB, want less than 64 MiB", resident)
			}
		})
	}
}

func TestSIGTERMEndsCommandsAtOnce(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGTERM here")
	}
	file := oneDelivery(t)
	for _, endpoint := range hostile.Endpoints() {
		if !slices.Contains([]string{"says nothing", "switches protocols and stays open", "a head that drips", "a TLS handshake that stalls"}, endpoint.Name) {
			continue
		}
		for way := range waysToSend("", "", "") {
			t.Run(way+" to "+endpoint.Name, func(t *testing.T) {
				t.Parallel()
				arrived := make(chan struct{}, 100)
				url, end, err := endpoint.Serve(func() { arrived <- struct{}{} })
				if err != nil {
					t.Fatal(err)
				}
				defer end()
				cmd, _ := program(t, waysToSend(file, url, "1m")[way]...)
				cmd.Stderr = nil
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				select {
				case <-arrived:
				case <-time.After(20 * time.Second):
					t.Fatal("nothing arrived")
				}
				start := time.Now()
				_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
				_ = cmd.Wait()                          // how it ended does not matter
				if took := time.Since(start); took > soon {
					t.Errorf("ended %v after SIGTERM", took)
				}
			})
		}
	}
}

// soon is when a command has ended that waits for nothing, on a machine that is
// busy: whatever it would wait for takes longer.
const soon = 3 * time.Second

// Whatever a command waits for, a signal ends it: a reader that stands still, and
// a journal that another program holds.
func TestEverySignalEndsEveryCommand(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no such signals here")
	}
	file, many := oneDelivery(t), filepath.Join(t.TempDir(), "many.ndjson")
	if err := os.WriteFile(many, bytes.Repeat([]byte(`{"version":2,"long":"`+strings.Repeat("x", 2000)+"\"}\n"), 2000), 0o600); err != nil {
		t.Fatal(err)
	}
	holder, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = holder.Close() }) // nothing was written
	holder.SetMaxOpenConns(1)
	if _, err := holder.ExecContext(t.Context(), "BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"validate":       {"validate", many},
		"send --file":    {"send", "--no-validate", "--file", many, "http://127.0.0.1:1/"},
		"send --dry-run": {"send", "--dry-run", "--no-validate", "--file", many, "http://127.0.0.1:1/"},
		"prune":          {"deliveries", "prune", "--keep", "1", "--journal", file},
		"replay":         {"replay", "latest", "--to", "http://127.0.0.1:1/", "--journal", file},
		"listen":         {"listen", "--addr", "127.0.0.1:0", "--journal", file},
	} {
		for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
			t.Run(fmt.Sprint(name, " ", signal), func(t *testing.T) {
				t.Parallel()
				cmd, out := program(t, args...)
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				if slices.Contains(args, many) {
					_, _ = out.Peek(1) // it writes, and is not read any further
				}
				time.Sleep(500 * time.Millisecond) // it waits now
				start := time.Now()
				if err := cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				_ = cmd.Wait() // the status tells
				if took, status := time.Since(start), cmd.ProcessState.ExitCode(); status != 130 || took > soon {
					t.Errorf("ended with %d after %v, want 130 soon", status, took)
				}
			})
		}
	}
}

// recipe is an endpoint of testdata/recipes.
type recipe struct {
	file  string
	needs []string // succeeds where the recipe can run
	run   []string // takes the port as PORT, in its arguments or its environment
}

// TestRecipes holds the endpoints to what help says of them.
func TestRecipes(t *testing.T) {
	compiled := filepath.Join(t.TempDir(), "recipe.exe")
	if out, err := exec.Command("go", "build", "-o", compiled, "./testdata/recipes/go").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, r := range []recipe{
		{"go/main.go", []string{"go", "version"}, []string{compiled}},
		{"node/http.js", []string{"node", "--version"}, []string{"node", "testdata/recipes/node/http.js"}},
		{"node/express.js", []string{"node", "--eval", `require("express")`}, []string{"node", "testdata/recipes/node/express.js"}},
		{"python/server.py", []string{"python3", "--version"}, []string{"python3", "testdata/recipes/python/server.py"}},
		{"python/flask_app.py", []string{"python3", "-c", "import flask"}, []string{"python3", "testdata/recipes/python/flask_app.py"}},
		{"php/index.php", []string{"php", "--version"}, []string{"php", "-S", "127.0.0.1:PORT", "testdata/recipes/php/index.php"}},
	} {
		t.Run(r.file, func(t *testing.T) {
			t.Parallel()
			source, err := os.ReadFile(filepath.Join("testdata", "recipes", r.file))
			if err != nil {
				t.Fatal(err)
			}
			if code := regexp.MustCompile(`(?m)^\s*[^\s/#]`).FindAll(source, -1); len(code) > 30 {
				t.Errorf("%d lines of code, want 30 at most", len(code))
			}
			event := filepath.Join(t.TempDir(), "event.json")
			if err := os.WriteFile(event, owox.Documented(owox.RunFailed), 0o600); err != nil {
				t.Fatal(err)
			}
			url, said := r.start(t)
			succeeds(t, "send", "--file", event, url)            // handled
			succeeds(t, "send", "--file", event, url)            // a retry
			succeeds(t, "send", "--file", event, "--fresh", url) // the same run under a new id
			succeeds(t, "send", "--test", url)                   // handled
			succeeds(t, "send", "--test", url)                   // handled, though all tests have the same run
			succeeds(t, "send", "--event", "successful", url)    // handled
			for _, want := range []string{
				"failed run of Sales Report", "failed run of Test Data Mart", "failed run of Test Data Mart", "successful run of Sales Report",
			} {
				if got := <-said; got != want {
					t.Fatalf("handled %q, want %q", got, want)
				}
			}
			succeeds(t, "check", "--fail-on", "advised", "--skip", "https,public-address", url)
		})
	}
}

// start starts the endpoint, waits until it accepts connections, and returns
// its URL and the lines that it prints of runs.
func (r recipe) start(t *testing.T) (url string, said <-chan string) {
	t.Helper()
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	npm := os.Getenv("CI_NPM") // .ci/run sets it
	environment := append(os.Environ(), "PORT="+port, "TMPDIR="+t.TempDir(), "NODE_PATH="+filepath.Join(npm, "node_modules"))

	needs := exec.Command(r.needs[0], r.needs[1:]...)
	needs.Env = environment
	if err := needs.Run(); err != nil && (npm == "" || r.needs[0] != "node") {
		t.Skipf("%v: %v", needs.Args, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	cmd := exec.CommandContext(ctx, r.run[0], strings.Fields(strings.ReplaceAll(strings.Join(r.run[1:], " "), "PORT", port))...)
	cmd.Env = environment
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() {
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			if strings.Contains(scanner.Text(), " run of ") { // servers have banners
				lines <- scanner.Text()
			}
		}
		close(lines)
	}()
	t.Cleanup(func() {
		cancel()
		for range lines { // until it is gone
		}
		_ = cmd.Wait() // killed
		if t.Failed() {
			t.Logf("it wrote\n%s", &errOut)
		}
	})
	for ctx.Err() == nil {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close() // it accepts
			return "http://" + address + "/", lines
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it does not listen")
	return "", nil
}

// succeeds wants owoxhook to end with 0.
func succeeds(t *testing.T, args ...string) {
	t.Helper()
	cmd, out := program(t, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(out) // it tells why
	if err := cmd.Wait(); err != nil {
		t.Errorf("owoxhook %v: %v\n%s", args, err, text)
	}
}

// Each promise names the tests that hold it.
func TestPromisesNameTheirTests(t *testing.T) {
	topic, err := os.ReadFile("cmd/topics/trust.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	err = filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name, ok := strings.CutSuffix(filepath.Base(path), ".txtar"); ok {
			tests[name] = true
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, found := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllSubmatch(text, -1) {
			tests[string(found[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	promises := 0
	for line := range strings.Lines(string(topic)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| could |") {
			continue
		}
		cells := strings.Split(line, " | ")
		if len(cells) != 3 {
			t.Errorf("%d cells, want 3: %s", len(cells), line)
			continue
		}
		promises++
		named := regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(cells[2], -1)
		if len(named) == 0 {
			t.Errorf("no test is named: %s", line)
		}
		for _, name := range named {
			if !tests[name[1]] {
				t.Errorf("there is no test %s: %s", name[1], line)
			}
		}
	}
	if promises < 30 {
		t.Errorf("only %d promises were found", promises)
	}
}

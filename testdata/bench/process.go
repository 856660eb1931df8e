//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

func (b *bench) build(what, to string) error {
	cmd := exec.CommandContext(b.ctx, "go", "build", "-o", to, what)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as releases are built
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("build %s: %w\n%s", what, err, out)
	}
	return nil
}

// timed runs a program and returns how long it took, and the most memory that
// it had, in MiB.
func (b *bench) timed(name string, args ...string) (took time.Duration, memory float64, err error) {
	cmd := exec.CommandContext(b.ctx, name, args...)
	cmd.Env = b.environment()
	var said bytes.Buffer
	cmd.Stderr = &said
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, 0, fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, &said)
	}
	return time.Since(start), mebibytes(cmd.ProcessState), nil
}

func mebibytes(state *os.ProcessState) float64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" { // it counts bytes
		return float64(usage.Maxrss) / (1 << 20)
	}
	return float64(usage.Maxrss) / (1 << 10)
}

// environment keeps the user's configuration out of the measurement.
func (b *bench) environment() []string {
	return append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(b.dir, "home"), "XDG_STATE_HOME="+filepath.Join(b.dir, "home"), "NO_PROXY=*")
}

// find runs a program and returns a number from its output.
func (b *bench) find(pattern, name string, args ...string) (float64, error) {
	cmd := exec.CommandContext(b.ctx, name, args...)
	cmd.Env = b.environment()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, out)
	}
	return number(pattern, string(out))
}

func number(pattern, text string) (float64, error) {
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("nothing like %s in %s", pattern, text)
	}
	return strconv.ParseFloat(found[1], 64)
}

// server is a program that serves, and how it did under loads.
type server struct {
	cmd        *exec.Cmd
	url        string
	rates, p99 []float64 // requests a second, ms
}

// serve starts this program again as a server.
func (b *bench) serve(mode string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return b.start(exec.CommandContext(b.ctx, self, mode, b.dir))
}

func (b *bench) listenServer(flags ...string) (*server, error) {
	return b.start(exec.CommandContext(b.ctx, b.owoxhook, append([]string{"listen", "--addr", "127.0.0.1:0"}, flags...)...))
}

// start starts a server whose first line on standard error says where it
// serves. What it writes to standard output is thrown away by the system.
func (b *bench) start(cmd *exec.Cmd) (*server, error) {
	s := &server{cmd: cmd}
	cmd.Env = b.environment()
	out, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	reader := bufio.NewReader(out)
	line, err := reader.ReadString('\n')
	s.url = regexp.MustCompile(`http://\S+`).FindString(line)
	if s.url == "" {
		return nil, fmt.Errorf("%s did not say where it serves: %s%w", filepath.Base(cmd.Path), line, err)
	}
	go io.Copy(io.Discard, reader) //nolint:errcheck // only so that the server does not wait
	return s, nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt) // it may have ended
	_ = s.cmd.Wait()                       // how it ends says nothing
}

// memory returns the most memory that the server has had, in MiB. It ends it.
func (s *server) memory() float64 {
	s.stop()
	return mebibytes(s.cmd.ProcessState)
}

func sample() []byte { return owox.Documented(owox.RunFailed) }

// post makes a script for wrk out of head and tail of a payload: so many
// deliveries, each with an id of its own, that none is seen again while a
// receiver remembers it.
const post = `
local requests, n, next = {}, 100000, 0
function init(args)
  math.randomseed(1)
  local function digits(count) return string.format("%%0" .. count .. "x", math.random(0, 16 ^ count - 1)) end
  for i = 1, n do
    local id = digits(4) .. digits(4) .. "-" .. digits(4) .. "-4" .. digits(3) .. "-8" .. digits(3) .. "-" .. digits(6) .. digits(6)
    requests[i] = wrk.format(%q, nil, {[%q] = %q, [%q] = %q, [%q] = id, [%q] = %q}, %q .. id .. %q)
  end
end
function request()
  next = next %% n + 1
  return requests[next]
end
`

// wrk loads a server with deliveries on 64 connections.
func (b *bench) wrk(s *server) error {
	script := filepath.Join(b.dir, "post.lua")
	who := owox.Identify(sample())
	head, tail, _ := strings.Cut(string(sample()), who.ID)
	text := fmt.Sprintf(post, owox.Method, owox.HeaderContentType, owox.ContentType, owox.HeaderUserAgent, owox.UserAgent,
		owox.HeaderID, owox.HeaderEvent, string(who.Event), head, tail)
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		return err
	}
	out, err := exec.CommandContext(b.ctx, "wrk", "-t1", "-c64", "-d"+b.seconds.String(), "--latency", "-s", script, s.url).CombinedOutput()
	if err != nil {
		return fmt.Errorf("wrk: %w\n%s", err, out)
	}
	if strings.Contains(string(out), "Non-2xx") {
		return fmt.Errorf("wrk: not everything was answered with 2xx\n%s", out)
	}
	rate, rateErr := number(`Requests/sec:\s+([0-9.]+)`, string(out))
	p99 := regexp.MustCompile(`99%\s+(\S+)`).FindStringSubmatch(string(out))
	if rateErr != nil || p99 == nil {
		return errors.Join(rateErr, fmt.Errorf("no p99 in %s", out))
	}
	took, err := time.ParseDuration(p99[1])
	s.rates, s.p99 = append(s.rates, rate), append(s.p99, float64(took.Microseconds())/1000)
	return err
}

func loopback() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") } //nolint:noctx // a benchmark

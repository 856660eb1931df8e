//go:build unix

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// server is a program that serves, and how it did under loads.
type server struct {
	name  string
	cmd   *exec.Cmd
	url   string
	loads []load
}

// load is what a client saw of a server.
type load struct {
	rate, p99 float64 // requests a second, ms
	requests  int
	cpu       time.Duration // of the client
}

// serve starts this program again as a server.
func (b *bench) serve(name, mode, file string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return b.start(name, exec.CommandContext(b.ctx, self, mode, file))
}

func (b *bench) serveBare() (*server, error) { return b.serve("bare net/http", "serve-bare", "") }

func (b *bench) serveListen(flags ...string) (*server, error) {
	return b.start("listen", exec.CommandContext(b.ctx, b.owoxhook, append([]string{"listen", "--addr", "127.0.0.1:0"}, flags...)...))
}

// start starts a server whose first line on standard error, after one that names
// targets, says where it serves. What it writes to standard output is thrown away by the system.
func (b *bench) start(name string, cmd *exec.Cmd) (*server, error) {
	s := &server{name: name, cmd: cmd}
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
	if strings.HasPrefix(line, "relaying to ") {
		line, err = reader.ReadString('\n')
	}
	if s.url = regexp.MustCompile(`http://\S+`).FindString(line); s.url == "" {
		s.stop()
		return nil, fmt.Errorf("%s did not say where it serves: %s%w", filepath.Base(cmd.Path), line, err)
	}
	go io.Copy(io.Discard, reader) //nolint:errcheck // only so that the server does not wait
	return s, nil
}

func (s *server) stop() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Signal(os.Interrupt) // it may have ended
		_ = s.cmd.Wait()                       // how it ends says nothing
	}
}

// rates returns the server's part of a row. It stops the server, as only then
// its CPU time is known.
func (s *server) rates() side {
	s.stop()
	part := side{name: s.name}
	var requests int
	var client time.Duration
	for _, l := range s.loads {
		part.values = append(part.values, l.rate)
		requests, client = requests+l.requests, client+l.cpu
	}
	part.cpu = micros(cpuOf(s.cmd.ProcessState), requests) + "+" + micros(client, requests)
	return part
}

// client loads a server with a program that prints how many of its requests
// succeeded, and perhaps how many a second that were. all is how many must; 0
// is any number.
func (b *bench) client(s *server, all int, succeeded, rate, name string, args ...string) error {
	var out bytes.Buffer
	used, err := b.run(&out, name, args...)
	if err != nil {
		return err
	}
	count, err := number(succeeded, out.String())
	if err == nil && (count == 0 || all > 0 && int(count) != all) {
		err = fmt.Errorf("%s: %v requests succeeded, want %d", filepath.Base(name), count, all)
	}
	if err != nil {
		return err
	}
	l := load{rate: count / used.took.Seconds(), requests: int(count), cpu: used.cpu}
	if rate != "" {
		l.rate, err = number(rate, out.String())
	}
	s.loads = append(s.loads, l)
	return err
}

func (s *server) p99() side {
	part := side{name: s.name}
	for _, l := range s.loads {
		part.values = append(part.values, l.p99)
	}
	return part
}

// resident returns how much memory the server has at this moment, in MiB.
func (s *server) resident(b *bench) (float64, error) {
	out, err := exec.CommandContext(b.ctx, "ps", "-o", "rss=", "-p", strconv.Itoa(s.cmd.Process.Pid)).Output()
	if err != nil {
		return 0, fmt.Errorf("ps: %w", err)
	}
	kibibytes, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return kibibytes / (1 << 10), err
}

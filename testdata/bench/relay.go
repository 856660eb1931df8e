//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const relayed = 100_000

// relay measures receiving with relaying on, what has waited for an endpoint
// that was down, and doing nothing.
func (b *bench) relay() error {
	var up atomic.Bool
	var arrived atomic.Int64
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // it is not looked at
		if !up.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		arrived.Add(1)
	}))
	defer target.Close()
	up.Store(true)
	if err := b.intake(target.URL); err != nil {
		return err
	}
	up.Store(false)
	if err := b.drain(target.URL, &up, &arrived); err != nil {
		return err
	}
	return b.idle(target.URL)
}

func (b *bench) serveRelay(to string, flags ...string) (*server, error) {
	args := append([]string{"relay", "--addr", "127.0.0.1:0", "--keep-bytes", "0", "--to", "app=" + to}, flags...)
	return b.start("relay", exec.CommandContext(b.ctx, b.owoxhook, args...))
}

// intake compares relay with listen, both with a journal.
func (b *bench) intake(to string) error {
	ours, err := b.serveRelay(to, "--journal", filepath.Join(b.dir, "intake.db"))
	if err != nil {
		return err
	}
	defer ours.stop()
	listen, err := b.serveListen("--journal", filepath.Join(b.dir, "listen.db"))
	if err != nil {
		return err
	}
	defer listen.stop()
	for range b.rounds {
		for _, s := range []*server{ours, listen} {
			if err := b.wrk(s, 64, b.load); err != nil {
				return err
			}
		}
	}
	compare("relay, 64 connections", "/s", ours.rates(), listen.rates(), atLeast(0.6, ""))
	return nil
}

// drain has deliveries wait until their endpoint is up.
func (b *bench) drain(to string, up *atomic.Bool, arrived *atomic.Int64) error {
	file := filepath.Join(b.dir, "drain.db")
	s, err := b.serveRelay(to, "--journal", file, "--concurrency", "1000")
	if err != nil {
		return err
	}
	defer s.stop()
	if _, err := b.run(nil, b.owoxhook, "send", "-n", strconv.Itoa(relayed), "-c", "64", s.url); err != nil {
		return err
	}
	waiting, err := s.resident(b)
	if err != nil {
		return err
	}
	arrived.Store(0)
	up.Store(true)
	if _, err := b.run(nil, b.owoxhook, "relay", "retry", "--journal", file, "--target", "app"); err != nil {
		return err
	}
	const most = 10 * time.Minute
	start := time.Now()
	for arrived.Load() < relayed {
		if time.Since(start) > most {
			return fmt.Errorf("%d of %d arrived within %v", arrived.Load(), relayed, most)
		}
		time.Sleep(10 * time.Millisecond)
	}
	took := time.Since(start)
	s.stop()
	alone(fmt.Sprintf("relay -c 1000, %d waited", relayed), "/s", relayed/took.Seconds(), micros(cpuOf(s.cmd.ProcessState), relayed), atLeast(1000, "/s"))
	alone("  its memory while they waited", "MiB", waiting, "", atMost(150, "MiB"))
	alone("  its most memory", "MiB", memoryOf(s.cmd.ProcessState), "", atMost(150, "MiB"))
	return nil
}

// idle measures what a relay takes that has nothing to do.
func (b *bench) idle(to string) error {
	s, err := b.serveRelay(to, "--journal", filepath.Join(b.dir, "idle.db"))
	if err != nil {
		return err
	}
	defer s.stop()
	time.Sleep(b.load) // to start
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return nil // Linux tells
	}
	before, err := cpuNow(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	const span = 20 * time.Second
	time.Sleep(span)
	after, err := cpuNow(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	resident, err := s.resident(b)
	if err != nil {
		return err
	}
	alone("relay, idle, of a core", "%", 100*(after-before).Seconds()/span.Seconds(), "", atMost(3, "%"))
	alone("  its memory", "MiB", resident, "", atMost(40, "MiB"))
	return nil
}

// cpuNow returns the CPU time that a process has taken by now. What ps says is in
// seconds, which is too coarse.
func cpuNow(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	user, err := strconv.Atoi(fields[13])
	system, err2 := strconv.Atoi(fields[14])
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err, err2)
}

//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// build builds a program as the README says.
func (b *bench) build(what, to string) error {
	cmd := exec.CommandContext(b.ctx, "go", "build", "-o", to, what)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("build %s: %w\n%s", what, err, out)
	}
	return nil
}

// usage is what a program took that has ended.
type usage struct {
	took, cpu time.Duration
	memory    float64 // the most, in MiB
}

// run runs a program. Without a writer, what it prints is thrown away by the
// system.
func (b *bench) run(to io.Writer, name string, args ...string) (usage, error) {
	cmd := exec.CommandContext(b.ctx, name, args...)
	cmd.Env = b.environment()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = to, &said
	start := time.Now()
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		return usage{}, fmt.Errorf("%s: %w: %s", filepath.Base(name), err, lines[len(lines)-1])
	}
	return usage{time.Since(start), cpuOf(cmd.ProcessState), memoryOf(cmd.ProcessState)}, nil
}

// each writes the CPU time for one of so many.
func (u usage) each(count int) string { return micros(u.cpu, count) }

func micros(cpu time.Duration, count int) string {
	each := float64(cpu.Nanoseconds()) / 1000 / float64(count)
	if each < 10 {
		return fmt.Sprintf("%.1f", each)
	}
	return fmt.Sprintf("%.0f", each)
}

func cpuOf(state *os.ProcessState) time.Duration { return state.UserTime() + state.SystemTime() }

func memoryOf(state *os.ProcessState) float64 {
	used, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" { // it counts bytes
		return float64(used.Maxrss) / (1 << 20)
	}
	return float64(used.Maxrss) / (1 << 10)
}

// environment keeps the user's configuration out of the measurement.
func (b *bench) environment() []string {
	return append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(b.dir, "home"), "XDG_STATE_HOME="+filepath.Join(b.dir, "home"), "NO_PROXY=*")
}

// number returns a number from the output of a program.
func number(pattern, text string) (float64, error) {
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("nothing like %s in %s", pattern, text)
	}
	return strconv.ParseFloat(found[1], 64)
}

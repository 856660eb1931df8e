//go:build unix

// Command bench measures owoxhook's hot paths beside what people would use
// instead, one after the other on the same machine, and prints the ratios:
// times alone say nothing on a machine that others use too. Run it at the top
// of the project:
//
//	go run ./testdata/bench
//
// It installs nothing. A path whose alternative is not there is skipped. Each
// figure is the median of the rounds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
)

// bench is one run.
type bench struct {
	ctx      context.Context //nolint:containedctx // of the whole program
	dir      string          // for what is built and written
	owoxhook string
	rounds   int
	seconds  time.Duration // of a load
	table    *tabwriter.Writer
}

var paths = []struct {
	name string
	run  func(*bench) error
}{
	{"validate", (*bench).validate},
	{"listen", (*bench).listen},
	{"journal", (*bench).journal},
	{"send", (*bench).send},
	{"start-up", (*bench).startUp},
}

func main() {
	if len(os.Args) == 3 && strings.HasPrefix(os.Args[1], "serve-") {
		if err := serve(os.Args[1], os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	rounds := flag.Int("rounds", 3, "measure each `N` times")
	seconds := flag.Duration("load", 5*time.Second, "`DURATION` of a load with wrk")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: go run ./testdata/bench [flags] [validate|listen|journal|send|start-up]...")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *rounds, *seconds, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds int, seconds time.Duration, only []string) error {
	dir, err := os.MkdirTemp("", "owoxhook-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	b := &bench{ctx: ctx, dir: dir, owoxhook: filepath.Join(dir, "owoxhook"), rounds: rounds, seconds: seconds}
	if err := b.build(".", b.owoxhook); err != nil {
		return err
	}
	b.describe()
	b.table = tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	b.row("path", "owoxhook", "beside", "ratio", "wanted")
	for _, path := range paths {
		if len(only) > 0 && !slices.Contains(only, path.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring %s\n", path.name)
		if err := path.run(b); err != nil {
			return fmt.Errorf("%s: %w", path.name, err)
		}
	}
	return b.table.Flush()
}

// describe says what is measured where.
func (b *bench) describe() {
	fmt.Printf("%s, %s/%s, %d cores%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor())
	for _, tool := range [][]string{{"jq", "--version"}, {"wrk", "-v"}, {"hey"}} {
		path, err := exec.LookPath(tool[0])
		if err != nil {
			fmt.Printf("%s: not on this machine\n", tool[0])
			continue
		}
		version := path
		if len(tool) > 1 {
			out, _ := exec.CommandContext(b.ctx, path, tool[1:]...).CombinedOutput() // wrk -v ends with 1
			version, _, _ = strings.Cut(string(out), "\n")
		} else if out, err := exec.CommandContext(b.ctx, "go", "version", "-m", path).Output(); err == nil {
			for line := range strings.SplitSeq(string(out), "\n") {
				if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "mod" {
					version = fields[1] + " " + fields[2]
				}
			}
		}
		fmt.Printf("%s: %s\n", tool[0], version)
	}
	fmt.Println()
}

// processor names the processor where Linux does.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // elsewhere it is not there
	if name := regexp.MustCompile(`model name\s*:\s*(.+)`).FindSubmatch(text); name != nil {
		return ", " + string(name[1])
	}
	return ""
}

func (b *bench) row(cells ...string) {
	_, _ = fmt.Fprintln(b.table, strings.Join(cells, "\t")) // Flush tells
}

// compare adds a row for a figure of which more is better, or less.
func (b *bench) compare(path, unit string, ours, theirs []float64, beside, wanted string) {
	b.row(path, figure(median(ours), unit), beside+" "+figure(median(theirs), unit), fmt.Sprintf("%.2f", median(ours)/median(theirs)), wanted)
}

// skip says which alternative is missing.
func (b *bench) skip(path, tool string) error {
	b.row(path, "skipped", "no "+tool+" on this machine", "-", "-")
	return nil
}

// figure writes a number with three digits, or all those before the point.
func figure(value float64, unit string) string {
	if value >= 100 {
		return humanize.Comma(int64(math.Round(value))) + " " + unit
	}
	return fmt.Sprintf("%.3g %s", value, unit)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

const payloads = 300_000

func (b *bench) validate() error {
	jq, err := exec.LookPath("jq")
	if err != nil {
		return b.skip("validate", "jq")
	}
	file := filepath.Join(b.dir, "payloads.ndjson")
	size, err := writePayloads(file, payloads)
	if err != nil {
		return err
	}
	var ours, theirs, memory []float64
	for range b.rounds {
		took, _, err := b.timed(jq, "-c", ".id", file)
		if err != nil {
			return err
		}
		theirs = append(theirs, float64(size)/1e6/took.Seconds())
		took, used, err := b.timed(b.owoxhook, "validate", file)
		if err != nil {
			return err
		}
		ours, memory = append(ours, float64(size)/1e6/took.Seconds()), append(memory, used)
	}
	b.compare(fmt.Sprintf("validate, %d payloads", payloads), "MB/s", ours, theirs, "jq -c .id", "≥ 9")
	b.row("  its memory", figure(slices.Max(memory), "MiB"), "", "", "< 64 MiB")
	return nil
}

func (b *bench) listen() error {
	return b.receivers("listen --no-journal", []string{"--no-journal"}, "≥ 0.85", nil)
}

func (b *bench) journal() error {
	file := filepath.Join(b.dir, "journal.db")
	return b.receivers("listen, journal", []string{"--journal", file}, "≥ 0.40", func() (*server, error) {
		return b.serve("serve-naive")
	})
}

// receivers loads listen, a bare handler and, where there is one, another
// server with wrk, in turn.
func (b *bench) receivers(path string, flags []string, wanted string, other func() (*server, error)) error {
	if _, err := exec.LookPath("wrk"); err != nil {
		return b.skip(path, "wrk")
	}
	ours, err := b.listenServer(flags...)
	if err != nil {
		return err
	}
	defer ours.stop()
	bare, err := b.serve("serve-bare")
	if err != nil {
		return err
	}
	defer bare.stop()
	servers := []*server{ours, bare}
	if other != nil {
		naive, err := other()
		if err != nil {
			return err
		}
		defer naive.stop()
		servers = append(servers, naive)
	}
	for range b.rounds {
		for _, s := range servers {
			if err := b.wrk(s); err != nil {
				return err
			}
		}
	}
	b.compare(path, "requests/s", ours.rates, bare.rates, "bare net/http", wanted)
	if len(servers) == 3 {
		b.compare("  the same", "requests/s", ours.rates, servers[2].rates, "a transaction each", "≥ 8")
	} else {
		b.compare("  its p99", "ms", ours.p99, bare.p99, "bare net/http", "≤ 1.5")
	}
	b.row("  its memory", figure(ours.memory(), "MiB"), "", "", "< 100 MiB")
	return nil
}

const deliveries = 200_000

func (b *bench) send() error {
	hey, err := exec.LookPath("hey")
	if err != nil {
		return b.skip("send", "hey")
	}
	body := filepath.Join(b.dir, "body.json")
	if err := os.WriteFile(body, sample(), 0o600); err != nil {
		return err
	}
	// The less an endpoint does, the more it is the client that is measured.
	for _, endpoint := range []struct{ mode, path, wanted string }{
		{"serve-least", fmt.Sprintf("send, %d deliveries", deliveries), "≥ 2"},
		{"serve-bare", "  to bare net/http", ""},
	} {
		s, err := b.serve(endpoint.mode)
		if err != nil {
			return err
		}
		var ours, theirs []float64
		for range b.rounds {
			rate, err := b.find(`Requests/sec:\s+([0-9.]+)`, hey, "-n", fmt.Sprint(deliveries), "-c", "64", "-m", "POST", "-T", "application/json", "-D", body, s.url)
			if err != nil {
				return err
			}
			theirs = append(theirs, rate)
			rate, err = b.find(`"perSecond":([0-9.]+)`, b.owoxhook, "send", "-n", fmt.Sprint(deliveries), "-c", "64", "-o", "json", s.url)
			if err != nil {
				return err
			}
			ours = append(ours, rate)
		}
		s.stop()
		b.compare(endpoint.path, "deliveries/s", ours, theirs, "hey", endpoint.wanted)
	}
	return nil
}

func (b *bench) startUp() error {
	one, libraries := filepath.Join(b.dir, "one"), filepath.Join(b.dir, "libraries")
	if err := errors.Join(b.build("./testdata/bench/one", one), b.build("./testdata/bench/libraries", libraries)); err != nil {
		return err
	}
	programs := [][]string{{one}, {b.owoxhook, "version"}, {b.owoxhook, "sample"}, {libraries}}
	took := make([][]float64, len(programs))
	for range 100 * b.rounds {
		for i, program := range programs {
			t, _, err := b.timed(program[0], program[1:]...)
			if err != nil {
				return err
			}
			took[i] = append(took[i], float64(t.Microseconds())/1000)
		}
	}
	b.compare("version", "ms", took[1], took[0], "a line with cobra", "≤ 1.5")
	b.compare("sample", "ms", took[2], took[0], "a line with cobra", "≤ 1.5")
	b.compare("  its libraries alone", "ms", took[3], took[0], "a line with cobra", "")
	return nil
}

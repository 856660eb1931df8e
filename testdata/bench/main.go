//go:build unix

// Command bench measures owoxhook's hot paths beside what people would use
// instead, one after the other on the same machine, and prints the ratios:
// times alone say nothing on a machine that others use too. Run it at the top
// of the project:
//
//	go run ./testdata/bench
//
// It installs nothing. A path whose alternative is not there is skipped. Each
// figure is the median of the rounds. Files are in TMPDIR: what is durable
// there costs what a sync of that disk costs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// bench is one run.
type bench struct {
	ctx      context.Context //nolint:containedctx // of the whole program
	dir      string          // for what is built and written
	owoxhook string
	options
}

type options struct {
	rounds     int
	load       time.Duration // with wrk
	memory     time.Duration // of the load under which memory is watched
	deliveries int           // in the journal that is read
}

var paths = []struct {
	name string
	tool string // that it takes; "": none
	run  func(*bench) error
}{
	{"validate", "jq", (*bench).validate},
	{"listen", "wrk", (*bench).listen},
	{"pages", "wrk", (*bench).pages},
	{"postgres", "wrk", (*bench).postgres},
	{"no-journal", "wrk", (*bench).noJournal},
	{"memory", "wrk", (*bench).memoryUnderLoad},
	{"deliveries", "", (*bench).deliveriesAt},
	{"replay", "", (*bench).replay},
	{"relay", "wrk", (*bench).relay},
	{"send", "hey", (*bench).send},
	{"start-up", "", (*bench).startUp},
}

func main() {
	if len(os.Args) == 3 && strings.HasPrefix(os.Args[1], "serve-") {
		if err := serve(os.Args[1], os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	var names []string
	for _, path := range paths {
		names = append(names, path.name)
	}
	var opts options
	flag.IntVar(&opts.rounds, "rounds", 3, "measure each `N` times")
	flag.DurationVar(&opts.load, "load", 5*time.Second, "`DURATION` of a load with wrk, in whole seconds")
	flag.DurationVar(&opts.memory, "memory", 20*time.Second, "`DURATION` of the load under which memory is watched")
	flag.IntVar(&opts.deliveries, "deliveries", 1_000_000, "read a journal of `N` deliveries")
	flag.Usage = func() {
		fmt.Fprintf(os.Stderr, "usage: go run ./testdata/bench [flags] [%s]...\n", strings.Join(names, "|"))
		flag.PrintDefaults()
	}
	flag.Parse()
	for _, name := range flag.Args() {
		if !slices.Contains(names, name) {
			flag.Usage()
			os.Exit(2)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, opts, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, opts options, only []string) error {
	if opts.rounds < 1 || opts.load < time.Second || opts.memory < 4*time.Second || opts.deliveries < 1 {
		return errors.New("want at least one round, one delivery, -load 1s and -memory 4s")
	}
	dir, err := os.MkdirTemp("", "owoxhook-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	b := &bench{ctx: ctx, dir: dir, owoxhook: filepath.Join(dir, "owoxhook"), options: opts}
	if err := b.build(".", b.owoxhook); err != nil {
		return err
	}
	b.describe()
	head()
	var failed []string
	for _, path := range paths {
		if len(only) > 0 && !slices.Contains(only, path.name) {
			continue
		}
		if _, err := exec.LookPath(path.tool); path.tool != "" && err != nil {
			row(path.name, "skipped", "", "no "+path.tool+" on this machine", "", "", "", "")
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring %s\n", path.name)
		err := path.run(b)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", path.name, err)
			reason, _, _ := strings.Cut(err.Error(), "\n")
			row(path.name, "failed", "", reason, "", "", "", "")
			failed = append(failed, path.name)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("not measured: %s", strings.Join(failed, ", "))
	}
	return nil
}

//go:build unix

package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// listen measures it as it runs by default: with a journal.
func (b *bench) listen() error {
	for _, with := range []struct {
		connections           int
		besideBare, besideOne limit
	}{
		{64, atLeast(0.22, ""), atLeast(3.5, "")},
		{5, limit{}, atLeast(1.5, "")}, // as OWOX delivers
	} {
		file := filepath.Join(b.dir, fmt.Sprintf("%d.db", with.connections))
		ours, err := b.serveListen("--journal", file)
		if err != nil {
			return err
		}
		defer ours.stop()
		each, err := b.serve("a transaction each", "serve-naive", file+".naive")
		if err != nil {
			return err
		}
		defer each.stop()
		path := fmt.Sprintf("listen, %d connections", with.connections)
		if err := b.besideBare(path, with.connections, ours, each, with.besideBare); err != nil {
			return err
		}
		compare("  the same", "/s", ours.rates(), each.rates(), with.besideOne)
		memoryOfListen(ours)
	}
	return nil
}

func (b *bench) noJournal() error {
	ours, err := b.serveListen("--no-journal")
	if err != nil {
		return err
	}
	defer ours.stop()
	if err := b.besideBare("listen --no-journal, 64", 64, ours, nil, atLeast(0.60, "")); err != nil {
		return err
	}
	memoryOfListen(ours)
	return nil
}

func memoryOfListen(s *server) {
	alone("  its memory", "MiB", memoryOf(s.cmd.ProcessState), "", atMost(100, "MiB"))
}

// besideBare loads listen, a bare handler and perhaps another server, in turn,
// and compares the first two.
func (b *bench) besideBare(path string, connections int, ours, other *server, wanted limit) error {
	bare, err := b.serveBare()
	if err != nil {
		return err
	}
	defer bare.stop()
	for range b.rounds {
		for _, s := range []*server{ours, bare, other} {
			if s == nil {
				continue
			}
			if err := b.wrk(s, connections, b.load); err != nil {
				return err
			}
		}
	}
	compare(path, "/s", ours.rates(), bare.rates(), wanted)
	compare("  its p99", "ms", ours.p99(), bare.p99(), limit{})
	return nil
}

// memoryUnderLoad watches the memory of listen. The first quarter of the time
// is for its caches to fill; after that, it is not to grow.
func (b *bench) memoryUnderLoad() error {
	s, err := b.serveListen("--journal", filepath.Join(b.dir, "memory.db"))
	if err != nil {
		return err
	}
	defer s.stop()
	loaded := make(chan error, 1)
	go func() { loaded <- b.wrk(s, 64, b.memory) }()
	var seen []float64
	for tick := time.Tick(200 * time.Millisecond); ; {
		select {
		case err := <-loaded:
			if err != nil {
				return err
			}
			quarter := len(seen) / 4
			early, late := slices.Max(seen[quarter:2*quarter]), slices.Max(seen[3*quarter:])
			compare(fmt.Sprintf("listen, memory over %v", b.memory), "MiB", side{values: []float64{late}}, side{name: "early in it", values: []float64{early}}, atMost(1.15, ""))
			s.stop()
			memoryOfListen(s)
			return nil
		case <-tick:
			now, err := s.resident(b)
			if err != nil {
				s.stop()
				return errors.Join(err, <-loaded)
			}
			seen = append(seen, now)
		}
	}
}

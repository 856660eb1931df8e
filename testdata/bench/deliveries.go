//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// fill makes a journal full of deliveries where owoxhook has its own by default,
// once, and prints a head for the rows about it.
func (b *bench) fill() error {
	file := filepath.Join(b.dir, "home", "owoxhook", "journal.db")
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		unfinished, start := file+".new", time.Now() // another path does not take it for full
		fmt.Fprintln(os.Stderr, "filling a journal")
		if err := fillJournal(b.ctx, unfinished, b.deliveries); err != nil {
			return fmt.Errorf("fill a journal: %w", err)
		}
		fmt.Fprintf(os.Stderr, "filled in %v\n", time.Since(start).Round(time.Second))
		if err := os.Rename(unfinished, file); err != nil {
			return err
		}
	}
	fmt.Printf("in a journal of %s deliveries:\n", humanize.Comma(int64(b.deliveries)))
	return nil
}

// deliveriesAt measures what people ask the journal, above what starting costs.
func (b *bench) deliveriesAt() error {
	if err := b.fill(); err != nil {
		return err
	}
	number := fmt.Sprint((b.deliveries + 1) / 2)
	who, err := b.identity(number)
	if err != nil {
		return err
	}
	asked := []struct {
		name string
		args []string
	}{
		{"  show NUMBER", []string{"deliveries", "show", number}},
		{"  show ID", []string{"deliveries", "show", who.ID}},
		{"  show PREFIX", []string{"deliveries", "show", who.ID[:8]}},
		{"  list", []string{"deliveries", "list"}},
		{"  list --since 15m", []string{"deliveries", "list", "--since", "15m"}}, // less than it lists at most
		{"  list --data-mart ID", []string{"deliveries", "list", "--data-mart", who.DataMartID}},
		{"  list --event failed", []string{"deliveries", "list", "--event", "failed"}},
		{"  list --invalid", []string{"deliveries", "list", "--invalid"}}, // there is none
		{"  list --test", []string{"deliveries", "list", "--test"}},       // there is none
		{"  completion of an ID", []string{"__complete", "deliveries", "show", who.ID[:4]}},
	}
	for _, question := range asked {
		sides, err := b.inTurn(10*b.rounds, [][]string{{b.owoxhook, "version"}, append([]string{b.owoxhook}, question.args...)})
		if err != nil {
			return err
		}
		sides[0].name = "version"
		above(question.name, "ms", sides[1], sides[0], atMost(50, "ms"))
	}
	return nil
}

// identity returns who a delivery of the journal is.
func (b *bench) identity(number string) (who owox.Identity, err error) {
	var shown bytes.Buffer
	if _, err := b.run(&shown, b.owoxhook, "deliveries", "show", number, "-o", "json"); err != nil {
		return who, err
	}
	var one struct{ Body json.RawMessage }
	if err := json.NewDecoder(&shown).Decode(&one); err != nil {
		return who, fmt.Errorf("deliveries show -o json: %w", err)
	}
	if who = owox.Identify(one.Body); len(who.ID) < 8 {
		return who, errors.New("deliveries show -o json: a payload without id")
	}
	return who, nil
}

// replay measures what goes through all of the journal, and the delivery of a
// part of it.
func (b *bench) replay() error {
	if err := b.fill(); err != nil {
		return err
	}
	for _, command := range [][]string{{"replay", "--unanswered", "--dry-run"}, {"deliveries", "export"}} {
		var rates []float64
		var used usage
		for range b.rounds {
			var err error
			if used, err = b.run(nil, b.owoxhook, command...); err != nil {
				return err
			}
			rates = append(rates, float64(b.deliveries)/used.took.Seconds())
		}
		alone("  "+strings.Join(command, " "), "/s", median(rates), used.each(b.deliveries), atLeast(100_000, "/s"))
		alone("    its memory", "MiB", used.memory, "", limit{})
	}
	s, err := b.serveBare()
	if err != nil {
		return err
	}
	defer s.stop()
	for range b.rounds { // a week of it
		if err := b.client(s, 0, `"succeeded":(\d+)`, "", b.owoxhook, "replay", "--since", "7d", "-c", "64", "-o", "json", "--to", s.url); err != nil {
			return err
		}
	}
	part := s.rates()
	alone("  replay -c 64", "/s", median(part.values), part.cpu, limit{})
	return nil
}

//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

const payloads = 300_000

func (b *bench) validate() error {
	file := filepath.Join(b.dir, "payloads.ndjson")
	size, err := writePayloads(file, payloads)
	if err != nil {
		return err
	}
	ours, theirs := side{}, side{name: "jq -c .id"}
	var memory []float64
	for range b.rounds {
		used, err := b.run(nil, "jq", "-c", ".id", file)
		if err != nil {
			return err
		}
		theirs.values, theirs.cpu = append(theirs.values, float64(size)/1e6/used.took.Seconds()), used.each(payloads)
		used, err = b.run(nil, b.owoxhook, "validate", file)
		if err != nil {
			return err
		}
		ours.values, ours.cpu = append(ours.values, float64(size)/1e6/used.took.Seconds()), used.each(payloads)
		memory = append(memory, used.memory)
	}
	compare(fmt.Sprintf("validate, %d payloads", payloads), "MB/s", ours, theirs, atLeast(9, ""))
	alone("  its memory", "MiB", slices.Max(memory), "", atMost(64, "MiB"))
	return nil
}

const sent = 200_000

// send loads two bare handlers, one for each client: so the CPU time that a
// handler took is known for each.
func (b *bench) send() error {
	body := filepath.Join(b.dir, "body.json")
	if err := os.WriteFile(body, sample(), 0o600); err != nil {
		return err
	}
	ours, err := b.serveBare()
	if err != nil {
		return err
	}
	defer ours.stop()
	theirs, err := b.serveBare()
	if err != nil {
		return err
	}
	defer theirs.stop()
	theirs.name = "hey, one fixed body"
	for range b.rounds {
		err := b.client(theirs, sent, `\[200\]\s+(\d+) responses`, `Requests/sec:\s+([0-9.]+)`,
			"hey", "-n", fmt.Sprint(sent), "-c", "64", "-m", "POST", "-T", "application/json", "-D", body, theirs.url)
		if err == nil {
			err = b.client(ours, sent, `"succeeded":(\d+)`, `"perSecond":([0-9.]+)`,
				b.owoxhook, "send", "-n", fmt.Sprint(sent), "-c", "64", "-o", "json", ours.url)
		}
		if err != nil {
			return err
		}
	}
	compare(fmt.Sprintf("send -n %d -c 64", sent), "/s", ours.rates(), theirs.rates(), atLeast(0.9, ""))
	return nil
}

// inTurn runs programs that take little time, each so many times, and returns
// how many milliseconds they took.
func (b *bench) inTurn(times int, programs [][]string) ([]side, error) {
	sides := make([]side, len(programs))
	for range times {
		for i, program := range programs {
			used, err := b.run(nil, program[0], program[1:]...)
			if err != nil {
				return nil, err
			}
			sides[i].values = append(sides[i].values, float64(used.took.Microseconds())/1000)
		}
	}
	return sides, nil
}

//go:build unix

package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/tidwall/sjson"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// writePayloads writes payloads as OWOX sends them, one a line, half of them
// failed and half successful, with values that vary. It returns how many bytes
// they are. The same count makes the same file.
func writePayloads(path string, count int) (size int64, err error) {
	file, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer file.Close() //nolint:errcheck // flushed below
	out := bufio.NewWriterSize(file, 1<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range count {
		line := append(payload(random, i), '\n')
		size += int64(len(line))
		if _, err := out.Write(line); err != nil {
			return size, err
		}
	}
	return size, out.Flush()
}

var firstDay = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func payload(random *rand.Rand, i int) []byte {
	events := owox.Events()
	event := events[i%len(events)].Type
	text := owox.Sample{Event: event, ID: randomID(random), Now: firstDay.Add(time.Duration(random.Int64N(int64(365 * 24 * time.Hour))))}.JSON()
	mart := fmt.Sprintf("dm-%06x", random.Uint32N(1<<24))
	text = set(text, owox.PathProjectID, fmt.Sprintf("project-%d", random.IntN(500)))
	text = set(text, owox.PathDataMartID, mart)
	text = set(text, owox.PathTitle, fmt.Sprintf("Report %d of région %d", random.IntN(10_000), random.IntN(50)))
	text = set(text, owox.PathURL, "https://app.owox.com/ui/my-project-id/data-marts/"+mart+"/run-history")
	text = set(text, owox.PathRunID, fmt.Sprintf("run-%08x", random.Uint32()))
	if event == owox.RunFailed {
		text = set(text, owox.PathErrors+".0", fmt.Sprintf(`{"error":"table %d not found"}`, random.IntN(1000)))
	}
	return text
}

func set(text []byte, path string, value any) []byte {
	text, err := sjson.SetBytes(text, path, value)
	if err != nil {
		panic(err) // the paths are those of the sample
	}
	return text
}

// randomID makes a UUID of version 4 from a source that can be repeated.
func randomID(random *rand.Rand) (id uuid.UUID) {
	binary.LittleEndian.PutUint64(id[:8], random.Uint64())
	binary.LittleEndian.PutUint64(id[8:], random.Uint64())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

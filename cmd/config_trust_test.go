package cmd

import (
	"context"
	"errors"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReadingAPipeWithoutAWriterEndsWithItsContext(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "ca.pem")
	if err := exec.Command("mkfifo", pipe).Run(); err != nil {
		t.Skip("no mkfifo is here")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := readPEM(ctx, pipe); !errors.Is(err, errInterrupted) {
		t.Errorf("got %v, want %v", err, errInterrupted)
	}
}

func TestHeadersOverrideOthersOfTheirName(t *testing.T) {
	got := overridden([]string{"A: 1", "B: 2", "A: 3"}, []string{"a : 4", "C: 5", "C: 6"})
	if diff := cmp.Diff([]string{"B: 2", "a : 4", "C: 5", "C: 6"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryKeyIsKnownToOpenSomethingUpOrNot(t *testing.T) {
	if diff := cmp.Diff(slices.Sorted(slices.Values(configKeys)), slices.Sorted(maps.Keys(openings))); diff != "" {
		t.Errorf("keys (-all +with an entry in openings):\n%s", diff)
	}
}

func TestLoopbackAddressesOpenNothingUp(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:0": true, "127.9.9.9:80": true, "[::1]:80": true, "localhost:80": true,
		":80": false, "0.0.0.0:80": false, "[::]:80": false, "192.0.2.1:80": false, "localhost.example:80": false, "": false,
	} {
		if got := isLoopback(addr); got != want {
			t.Errorf("isLoopback(%q) = %v, want %v", addr, got, want)
		}
	}
}

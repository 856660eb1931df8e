package cmd

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/relay"
)

func TestStatusIsReadFromAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("needs root: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	file := filepath.Join(dir, "journal.db")
	j, err := journal.Open(t.Context(), file, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close() //nolint:errcheck // the disk is full
	if _, err := relay.Open(t.Context(), relay.Options{Journal: j, Targets: []relay.Target{{Name: "app"}}}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rest"), make([]byte, 2<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%v, want %v", err, syscall.ENOSPC)
	}
	for err == nil {
		err = j.Keep(&delivery.Delivery{Body: make([]byte, 1<<16)}, func() {})
	}
	flags := jobFlags{journalFlags: journalFlags{file: file}}
	err = flags.withRelay(t.Context(), func(*journal.Journal, *relay.Relay) error { return nil })
	if !errors.Is(err, journal.ErrFull) {
		t.Errorf("a change: %v, want %v", err, journal.ErrFull)
	}
	err = flags.readRelay(t.Context(), func(_ *journal.Journal, r *relay.Relay) error {
		all, err := r.Status(t.Context())
		if len(all) != 1 || all[0].Target != "app" {
			t.Errorf("got %+v, want that of app", all)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

package cmd

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/relay"
	"github.com/owoxhook/owoxhook/testdata/smalldisk"
)

func TestStatusIsReadFromAFullDisk(t *testing.T) {
	dir := smalldisk.Mount(t)
	file := filepath.Join(dir, "journal.db")
	j, err := journal.Open(t.Context(), file, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close() //nolint:errcheck // the disk is full
	if _, err := relay.Open(t.Context(), relay.Options{Journal: j, Targets: []relay.Target{{Name: "app"}}}); err != nil {
		t.Fatal(err)
	}
	smalldisk.Fill(t, dir)
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

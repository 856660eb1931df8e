package journal

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/owoxhook/owoxhook/testdata/smalldisk"
)

// A disk that is full takes a transaction that writes nothing.
func TestACheckFindsAFullDisk(t *testing.T) {
	dir := smalldisk.Mount(t)
	j := openFile(t, filepath.Join(dir, "journal.db"), Options{})
	if err := j.Check(); err != nil {
		t.Fatal(err)
	}
	rest := smalldisk.Fill(t, dir)
	var err error
	for n := 0; err == nil && n < 100; n++ { // the log has room for some
		_, err = keep(j, sample(n))
	}
	if check := j.Check(); !errors.Is(err, ErrFull) || !errors.Is(check, ErrFull) {
		t.Errorf("deliveries: %v, a check: %v, want %v", err, check, ErrFull)
	}
	if err := os.Remove(rest); err != nil {
		t.Fatal(err)
	}
	if err := j.Check(); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

package journal

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A disk that is full takes a transaction that writes nothing.
func TestACheckFindsAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("needs root: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	j := openFile(t, filepath.Join(dir, "journal.db"), Options{})
	if err := j.Check(); err != nil {
		t.Fatal(err)
	}
	rest := filepath.Join(dir, "rest")
	if err := os.WriteFile(rest, make([]byte, 2<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%v, want %v", err, syscall.ENOSPC)
	}
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

package journal

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/owoxhook/owoxhook/pkg/delivery"
)

func tempFile(t testing.TB) string { return filepath.Join(t.TempDir(), "journal.db") }

func TestFileIsForItsOwnerAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deep", "journal?#%.db")
	openFile(t, file, Options{})
	dir := t.TempDir()
	link, target := filepath.Join(dir, "link.db"), filepath.Join(dir, "target.db")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	openFile(t, link, Options{})
	for _, file := range []string{file, target, target + "-wal"} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want 0600", file, info, err)
		}
	}
}

func TestWhatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	rubbish := filepath.Join(dir, "rubbish.db")
	if err := os.WriteFile(rubbish, bytes.Repeat([]byte("no database"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(dir, "history.db")
	others, err := sql.Open("sqlite", foreign)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { others.Close() }) //nolint:errcheck // the test is over
	if _, err := others.Exec("CREATE TABLE urls (url TEXT); INSERT INTO urls VALUES ('https://example.com')"); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(foreign)
	if err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(dir, "newer.db")
	j := openFile(t, newer, Options{})
	if _, err := j.conn.ExecContext(context.Background(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)"); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		file string
		want error
	}{
		"missing":           {filepath.Join(dir, "missing.db"), ErrMissing},
		"rubbish":           {rubbish, ErrCorrupt},
		"another program's": {foreign, ErrCorrupt},
		"newer":             {newer, ErrNewer},
		"folder":            {dir, ErrNoAccess},
	} {
		for how, open := range map[string]func(context.Context, string) (*Journal, error){"writing": OpenExisting, "reading": OpenReading} {
			if _, err := open(context.Background(), tt.file); !errors.Is(err, tt.want) {
				t.Errorf("%s, for %s: %v, want %v", name, how, err, tt.want)
			}
		}
	}
	if after, err := os.ReadFile(foreign); err != nil || !bytes.Equal(after, before) {
		t.Errorf("another program's database was changed: %v", err)
	}
}

func TestDamagedPagesAreSaid(t *testing.T) {
	file := tempFile(t)
	j := openFile(t, file, Options{})
	for n := range 300 {
		if _, err := keep(j, sample(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 3 * 4096; i < len(content); i++ {
		content[i] = 0xa5
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	j, err = Open(context.Background(), file, Options{})
	if err == nil {
		for _, err = range j.List(context.Background(), Filter{}) {
			if err != nil {
				break
			}
		}
		_ = j.Close() // what is damaged need not close well
	}
	if !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v, want %v", err, ErrCorrupt)
	}
}

// A database may have no more than so many pages: that is how SQLite says a
// full disk, without one.
func TestFullDiskIsSaidAndGotOver(t *testing.T) {
	j := openFile(t, tempFile(t), Options{})
	pages := func(n int) {
		t.Helper()
		if _, err := j.conn.ExecContext(context.Background(), fmt.Sprintf("PRAGMA max_page_count = %d", n)); err != nil {
			t.Fatal(err)
		}
	}
	pages(50)
	kept := 0
	var err error
	for ; err == nil && kept < 1000; kept++ {
		_, err = keep(j, sample(kept))
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("after %d deliveries: %v, want %v", kept, err, ErrFull)
	}
	kept-- // the last one was refused
	pages(1_000_000)
	if _, err := keep(j, sample(5000)); err != nil {
		t.Fatal(err)
	}
	if got := len(list(t, j, Filter{})); got != kept+1 {
		t.Errorf("%d entries, want %d", got, kept+1)
	}
}

func TestReadOnlyIsSaid(t *testing.T) {
	j := openFile(t, tempFile(t), Options{})
	if _, err := j.conn.ExecContext(context.Background(), "PRAGMA query_only = 1"); err != nil {
		t.Fatal(err)
	}
	if _, err := keep(j, sample(1)); !errors.Is(err, ErrReadOnly) {
		t.Errorf("%v, want %v", err, ErrReadOnly)
	}
}

func TestCloseLeavesOneFile(t *testing.T) {
	file := tempFile(t)
	j := openFile(t, file, Options{})
	if _, err := keep(j, sample(1)); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if names, err := filepath.Glob(file + "*"); err != nil || len(names) != 1 {
		t.Errorf("%v, %v, want %s alone", names, err, file)
	}
}

// hold takes the lock that writers need.
func hold(t *testing.T, file string) (release func()) {
	t.Helper()
	db, err := sqliteFile{file}.openWriter()
	if err == nil {
		_, err = db.ExecContext(context.Background(), "BEGIN EXCLUSIVE")
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// OWOX gives up after ten seconds and does not try again then: all who wait for
// a lock are told before, the ones who came later too.
func TestLockedJournalIsSaidInTime(t *testing.T) {
	file := tempFile(t)
	j := openFile(t, file, Options{})
	release := hold(t, file)
	took := make(chan error, 2)
	began := time.Now()
	for range 2 {
		go func() {
			_, err := keep(j, sample(1))
			took <- err
		}()
		time.Sleep(50 * time.Millisecond)
	}
	for range 2 {
		if err := <-took; !errors.Is(err, ErrBusy) || time.Since(began) > 5*time.Second {
			t.Errorf("after %v: %v, want %v within 5s", time.Since(began), err, ErrBusy)
		}
	}
	release()
	if _, err := keep(j, sample(1)); err != nil {
		t.Error(err)
	}
}

func TestReadingLeavesTheJournalAlone(t *testing.T) {
	file := tempFile(t)
	j := openFile(t, file, Options{})
	if _, err := keep(j, sample(1)); err != nil {
		t.Fatal(err)
	}
	read := func(when string) {
		t.Helper()
		reader, err := OpenReading(context.Background(), file)
		if err != nil {
			t.Errorf("%s: %v", when, err)
			return
		}
		if n := len(list(t, reader, Filter{})); n != 1 {
			t.Errorf("%s: %d entries, want 1", when, n)
		}
		if _, err := keep(reader, sample(2)); !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s: kept, %v", when, err)
		}
		if err := reader.Close(); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	read("beside a writer")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	read("alone")
	if err := errors.Join(os.Chmod(file, 0o400), os.Chmod(filepath.Dir(file), 0o500)); err != nil {
		t.Fatal(err)
	}
	read("in a folder that cannot be written")
	if err := os.Chmod(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed, %v", err)
	}
}

func size(t *testing.T, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// fill keeps deliveries in a few commits.
func fill(t *testing.T, j *Journal, from, to int) {
	t.Helper()
	err := j.submit(func(ctx context.Context) error {
		for n := from; n < to; n++ {
			d := sample(n)
			values, err := newRow(d)
			if err == nil {
				err = j.insertDelivery(ctx, &row{Delivery: &d, values: values, again: func() {}})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPruningMakesTheFileSmaller(t *testing.T) {
	for name, old := range map[string]bool{"a new file": false, "a file that cannot give back yet": true} {
		t.Run(name, func(t *testing.T) {
			file := tempFile(t)
			if old {
				db, err := sql.Open("sqlite", "file:"+file)
				if err == nil {
					_, err = db.Exec("CREATE TABLE t (a); DROP TABLE t")
				}
				if err == nil {
					err = db.Close()
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			j := openFile(t, file, Options{})
			fill(t, j, 0, 5000)
			if deleted, err := j.Prune(context.Background(), 100); err != nil || deleted != 4900 {
				t.Fatal(deleted, err)
			}
			if got := size(t, file) + size(t, file+"-wal"); got > 1<<20 {
				t.Errorf("the file has %d bytes for 100 deliveries", got)
			}
			if got := sequences(list(t, j, Filter{})); len(got) != 100 || got[0] != 5000 {
				t.Errorf("kept %d", len(got))
			}
		})
	}
}

// A crowd of deliveries does not leave a large file behind for good.
func TestKeepGivesBackSpace(t *testing.T) {
	file := tempFile(t)
	j := openFile(t, file, Options{})
	fill(t, j, 0, 10_000)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	full := size(t, file)
	j = openFile(t, file, Options{Keep: 100})
	for n := range 300 {
		if _, err := keep(j, sample(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if got := size(t, file); got > full/2 {
		t.Errorf("the file has %d bytes after %d: nothing was given back", got, full)
	}
}

// BenchmarkWriter measures group commit beside one transaction per delivery.
func BenchmarkWriter(b *testing.B) {
	n := atomic.Int64{}
	unique := func() delivery.Delivery {
		d := sample(int(n.Add(1)))
		d.ID = uuid.NewString()
		return d
	}
	b.Run("group", func(b *testing.B) {
		j := openFile(b, tempFile(b), Options{})
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := keep(j, unique()); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("one-transaction-each", func(b *testing.B) {
		file := tempFile(b)
		openFile(b, file, Options{})
		writer, err := sqliteFile{file}.openWriter()
		if err != nil {
			b.Fatal(err)
		}
		defer writer.Close() //nolint:errcheck // the benchmark is over
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				values, err := newRow(unique())
				if err == nil {
					_, err = writer.Exec(insertDelivery, values...)
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	})
}

package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// oldRow is a delivery as older versions kept it, and as it must come back.
type oldRow struct {
	sequence    int64
	note        string
	duplicateOf any // as it was kept: NULL or a sequence
	delivery.Delivery
}

// oldRows are deliveries 2 to 17; 1 was pruned, and so were 8 and the newest.
func oldRows() (deliveries, refusals []oldRow) {
	deliver := func(sequence int64, note string, duplicateOf any, change func(*delivery.Delivery)) {
		d := sample(int(sequence))
		change(&d)
		d.Sequence = sequence
		if d.Findings == nil {
			d.Findings = []validate.Finding{}
		}
		deliveries = append(deliveries, oldRow{sequence, note, duplicateOf, d})
	}
	refuse := func(sequence int64, note string, status int, reason delivery.Reason, detail string, change func(*delivery.Delivery)) {
		d := refusal(int(sequence))
		d.Answered, d.Reason, d.Detail, d.Body, d.Findings = status, reason, detail, nil, []validate.Finding{}
		change(&d)
		refusals = append(refusals, oldRow{sequence, note, nil, d})
	}
	as := func(*delivery.Delivery) {}
	deliver(2, "", nil, as)
	deliver(3, "", int64(2), func(d *delivery.Delivery) { d.ID, d.Duplicate, d.DuplicateOf = sample(2).ID, true, 2 })
	deliver(4, "", int64(1), func(d *delivery.Delivery) { d.ID, d.Duplicate = sample(1).ID, true }) // of one that was pruned
	deliver(5, "", nil, func(d *delivery.Delivery) {
		d.State, d.Answered, d.Findings = delivery.StateInvalid, 422, []validate.Finding{{Path: "a", Rule: "r", Severity: validate.Error, Message: "<\x01>"}}
	})
	deliver(6, "", nil, func(d *delivery.Delivery) { d.State, d.Answered = delivery.StateGone, 0 })
	deliver(7, "the sender hung up before the answer", nil, func(d *delivery.Delivery) { d.State, d.Answered = delivery.StateGone, 503 })
	deliver(9, "", nil, func(d *delivery.Delivery) { d.Answered = 404 }) // as the application did
	deliver(10, "", nil, func(d *delivery.Delivery) { d.Answered = 415 })
	refuse(11, "address 192.0.2.1 is not allowed", 403, delivery.WrongAddress, "", as)
	refuse(12, "path /12 is not /right is not wrong", 404, delivery.WrongPath, "/right is not wrong", as)
	refuse(13, "the body is larger than the limit of 1048576 bytes", 413, delivery.TooLarge, "1048576", func(d *delivery.Delivery) {
		d.Cut, d.Body = true, []byte(strings.Repeat("x", 4096))
	})
	refuse(14, "the body did not arrive in time", 408, delivery.TooSlow, "", func(d *delivery.Delivery) { d.Cut = true })
	refuse(15, "the body did not arrive whole: unexpected EOF", 400, delivery.Incomplete, "unexpected EOF", func(d *delivery.Delivery) { d.Cut = true })
	refuse(16, "", 405, delivery.WrongMethod, "", func(d *delivery.Delivery) { d.Method = "GET" })
	refuse(17, "", 415, delivery.Compressed, "gzip", func(d *delivery.Delivery) {
		d.Headers = append(d.Headers, owox.Header{Name: "content-encoding", Value: "gzip"})
	})
	return deliveries, refusals
}

// insertOld is what versions 1 to 3 inserted.
const insertOld = `INSERT INTO deliveries (sequence, webhook_id, received_at, method, path, remote, headers, body, cut, event, is_test, project_id,
	data_mart_id, data_mart_title, run_id, run_status, valid, findings, answered, note, duplicate_of)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

func (r oldRow) insert(db *sql.DB) error {
	findings, err := findingsJSON(r.Findings)
	if err != nil {
		return err
	}
	body := notNull(r.Body)
	if r.Reason == delivery.TooLarge {
		body = []byte(strings.Repeat("x", 10_000))
	}
	valid := r.Reason != delivery.WrongMethod && r.Reason != delivery.Compressed && r.State != delivery.StateInvalid
	_, err = db.Exec(insertOld, r.sequence, r.ID, owox.FormatTimestamp(r.ReceivedAt), r.Method, r.Path, r.Remote, headersJSON(r.Headers), body, r.Cut,
		string(r.Event), r.IsTest, r.ProjectID, r.DataMartID, r.Title, r.RunID, r.RunStatus, valid, findings, r.Answered, r.note, r.duplicateOf)
	return err
}

// afterwards is what each version did for a journal whose last given number was
// 20, and whose older half was not among the newest any more.
var afterwards = map[int64][]string{
	1: {"INSERT INTO deliveries SELECT 20, '', received_at, method, path, remote, headers, body, cut, event, is_test, project_id, data_mart_id, data_mart_title, run_id, run_status, valid, findings, answered, note, NULL FROM deliveries WHERE sequence = 2", "DELETE FROM deliveries WHERE sequence = 20"},
	2: {"INSERT INTO deliveries SELECT 20, '', received_at, method, path, remote, headers, body, cut, event, is_test, project_id, data_mart_id, data_mart_title, run_id, run_status, valid, findings, answered, note, NULL FROM deliveries WHERE sequence = 2", "DELETE FROM deliveries WHERE sequence = 20"},
	3: {
		"INSERT INTO ids SELECT SUBSTR(webhook_id, 1, 64), sequence FROM deliveries WHERE sequence < 10 AND webhook_id <> '' AND duplicate_of IS NULL ORDER BY 1, 2 ON CONFLICT DO NOTHING",
		"UPDATE numbers SET given = 20",
	},
}

// openOld makes a journal as a version of its tables was.
func openOld(t *testing.T, file string, version int64) {
	t.Helper()
	if err := createFile(file); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // what was written is looked at
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		t.Fatal(err)
	}
	_, err = provider.UpTo(context.Background(), version)
	deliveries, refusals := oldRows()
	for _, row := range append(deliveries, refusals...) {
		err = errors.Join(err, row.insert(db))
	}
	for i, delivered := range []int64{2, 3, 3, 16} {
		failed := delivery.Attempt{URL: fmt.Sprint("http://a/", i), Failure: &delivery.Failure{Error: "refused"}}
		if i == 2 {
			failed.Failure, failed.Status = nil, 200
		}
		_, insertErr := db.Exec("INSERT INTO attempts (delivery, attempted_at, url, ok, status, duration_ms, error) VALUES (?, ?, ?, ?, ?, ?, ?)",
			attemptRow(delivered, start, failed)[:7]...)
		err = errors.Join(err, insertErr)
	}
	for _, statement := range afterwards[version] {
		_, execErr := db.Exec(statement)
		err = errors.Join(err, execErr)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestOlderJournalsAreBroughtUpToDate(t *testing.T) {
	for version := int64(1); version <= 3; version++ {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			file := tempFile(t)
			openOld(t, file, version)
			if _, err := OpenReading(context.Background(), file); !errors.Is(err, ErrOlder) {
				t.Errorf("opened for reading: %v, want %v", err, ErrOlder)
			}
			j := openFile(t, file, Options{})
			deliveries, refusals := oldRows()
			var want, wantRefused []Entry
			for _, row := range deliveries {
				want = append(want, Entry{row.Delivery})
			}
			for _, row := range refusals {
				wantRefused = append([]Entry{{row.Delivery}}, wantRefused...)
			}
			if diff := cmp.Diff(want, list(t, j, Filter{Oldest: true})); diff != "" {
				t.Errorf("deliveries (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(wantRefused, refused(t, j)); diff != "" {
				t.Errorf("refused (-want +got):\n%s", diff)
			}
			for sequence, want := range map[int64]int{2: 1, 3: 2, 16: 0} {
				if attempts, err := j.Attempts(context.Background(), sequence); err != nil || len(attempts) != want {
					t.Errorf("%d attempts at %d, want %d, %v", len(attempts), sequence, want, err)
				}
			}
			if got := sequences(list(t, j, Filter{Undelivered: true, Oldest: true})); len(got) != 7 || got[1] != 4 {
				t.Errorf("undelivered are %v, want all but 3", got)
			}
			d := sample(2)
			if err := j.Keep(&d, func() {}); err != nil || d.Sequence != 21 || d.DuplicateOf != 2 {
				t.Errorf("kept as %d, a duplicate of %d, want 21 and 2, %v", d.Sequence, d.DuplicateOf, err)
			}
			if _, err := keep(j, refusal(1)); err != nil || len(refused(t, j)) != len(refusals)+1 {
				t.Errorf("%d refused, want %d, %v", len(refused(t, j)), len(refusals)+1, err)
			}
			if _, err := j.PruneOlder(context.Background(), time.Now()); err != nil {
				t.Error(err)
			}
		})
	}
}

package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adrg/xdg"
	"github.com/dustin/go-humanize"
	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/report"
)

// journalFlags say which journal. They are the same for all commands that read
// or write one.
type journalFlags struct{ file string }

func (f *journalFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "journal", "", "journal `FILE`, or the URL of a PostgreSQL database (default owoxhook/journal.db in your state directory)")
}

// journalPath is the file of the journal, or its URL with its password: to open
// it, and never to print.
func (f journalFlags) journalPath() string {
	return cmp.Or(f.file, filepath.Join(xdg.StateHome, "owoxhook", "journal.db"))
}

// redacted is journalPath as it may be printed.
func (f journalFlags) redacted() string { return journal.Redact(f.journalPath()) }

// readByAll reports whether whoever uses the machine may read a file.
func readByAll(file string) bool {
	const others = 0o004
	info, err := os.Stat(file)
	return err == nil && hasModes && info.Mode()&others != 0
}

// withJournal changes a journal that must be there.
func (f journalFlags) withJournal(ctx context.Context, work func(*journal.Journal) error) error {
	return f.using(ctx, journal.OpenExisting, work)
}

// readJournal only reads one.
func (f journalFlags) readJournal(ctx context.Context, work func(*journal.Journal) error) error {
	return f.using(ctx, journal.OpenReading, work)
}

func (f journalFlags) using(ctx context.Context, open func(context.Context, string) (*journal.Journal, error), work func(*journal.Journal) error) error {
	j, err := open(ctx, f.journalPath())
	if err != nil {
		return journalError(err)
	}
	return errors.Join(journalError(work(j)), j.Close())
}

// journalError adds what to do.
func journalError(err error) error {
	if errors.Is(err, journal.ErrURL) {
		return usagef("cannot %w: want one such as postgres://user@host/database", err)
	}
	for known, hint := range map[error]string{
		journal.ErrMissing:  "owoxhook listen creates one; check --journal",
		journal.ErrCorrupt:  "move it away, or pass another --journal",
		journal.ErrNewer:    "install that version, or pass another --journal",
		journal.ErrOlder:    "run owoxhook listen once to upgrade it",
		journal.ErrBusy:     "try again when it is done",
		journal.ErrReadOnly: "check its permissions, or pass another --journal",
		journal.ErrNoAccess: "check the path, or pass another --journal",
		journal.ErrFull:     "free some space, or pass a --journal on another disk",

		journal.ErrUnreachable: "check that PostgreSQL is running there, or pass another --journal",
		journal.ErrLogin:       "check the user and the password, which may also be in PGPASSWORD or ~/.pgpass",
		journal.ErrNoDatabase:  "create it, or pass another --journal",
		journal.ErrDenied:      "have its owner grant that, or pass another --journal",
		journal.ErrForeign:     "pass a database or, with search_path in the URL, a schema of its own",
		journal.ErrEncoding:    "create it with createdb -E UTF8 -T template0",
	} {
		if errors.Is(err, known) {
			return fmt.Errorf("cannot %w: %s", err, hint)
		}
	}
	return err
}

// filterFlags choose deliveries of a journal.
type filterFlags struct {
	event    string
	invalid  bool
	test     bool
	dataMart string
	since    string
}

func (f *filterFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.event, "event", "", "only deliveries of `EVENT`")
	flags.BoolVar(&f.invalid, "invalid", false, "only invalid deliveries")
	flags.BoolVar(&f.test, "test", false, "only test events")
	flags.StringVar(&f.dataMart, "data-mart", "", "only deliveries of the data mart with this `ID` or title")
	flags.StringVar(&f.since, "since", "", "only deliveries received within this time, such as 2h or 7d, or since `DATE`")
	completeLater(cmd, "event", eventNames)
}

func (f filterFlags) filter(a *app) (journal.Filter, error) {
	filter := journal.Filter{Invalid: f.invalid, Test: f.test, DataMart: f.dataMart}
	var err error
	if f.event != "" {
		if filter.Event, err = parseEvent(f.event); err != nil {
			return filter, err
		}
	}
	if f.since != "" {
		if filter.Since, err = parseSince(f.since, a.now()); err != nil {
			return filter, usagef("--since %w", err)
		}
	}
	return filter, nil
}

// parseSince reads a time: so long ago, or a date with or without a time.
func parseSince(text string, now time.Time) (time.Time, error) {
	if ago, err := parseAge(text); err == nil {
		return now.Add(-ago), nil
	}
	if at, ok := owox.ParseTimestamp([]byte(text)); ok {
		return at, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return day, nil
	}
	return time.Time{}, fmt.Errorf("%q: want a time such as 2h or 7d, or a date such as 2026-01-31", text)
}

// parseAge reads a duration, which may also be in days or weeks.
func parseAge(text string) (time.Duration, error) {
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			n, err := strconv.ParseUint(number, 10, 16)
			return time.Duration(n) * length, err
		}
	}
	age, err := time.ParseDuration(text)
	if err == nil && age < 0 {
		return 0, errors.New("it is negative")
	}
	return age, err
}

// latest is the word for the newest delivery.
const latest = "latest"

// shortest is how much of an id names a delivery.
const shortest = 4

// find returns the delivery that a word on the command line means. Senders
// choose the ids, so one must neither be taken for a number nor hide another that
// begins with it: see the help of deliveries. Of several with the same id it is
// the first.
func find(ctx context.Context, j *journal.Journal, word string) (journal.Entry, error) {
	if word == latest {
		return only(ctx, j, word, journal.Filter{Limit: 1})
	}
	number := strings.TrimPrefix(word, "#")
	if number != word || isNumber(word) {
		sequence, err := strconv.ParseInt(number, 10, 64)
		if err != nil || sequence < 1 || !isNumber(number) {
			return journal.Entry{}, usagef("%q is not a delivery number", word)
		}
		return only(ctx, j, word, journal.Filter{Sequence: sequence})
	}
	prefix, written := strings.CutPrefix(word, "id:")
	ids, err := idsFor(ctx, j, prefix)
	whole := slices.Contains(ids, prefix)
	switch {
	case err != nil:
		return journal.Entry{}, err
	case whole && isUUID(prefix):
		ids = []string{prefix}
	case len(prefix) < shortest && (!written || prefix == "" || !whole):
		return journal.Entry{}, usagef("%q is too short: pass at least %d characters of an id, or the number of the delivery", word, shortest)
	case len(ids) == 0:
		return journal.Entry{}, noDelivery(word)
	}
	var entries []journal.Entry
	for _, id := range ids {
		entry, err := only(ctx, j, word, journal.Filter{ID: id, Oldest: true, Limit: 1})
		if err != nil {
			return entry, err
		}
		entries = append(entries, entry)
	}
	if len(entries) > 1 {
		return journal.Entry{}, usagef("%s matches several ids: pass the number of the delivery, such as %d or %d", word, entries[0].Sequence, entries[1].Sequence)
	}
	return entries[0], nil
}

// idsFor returns the first ids that begin with a prefix, as it is or in lower
// case. It itself is the first of them.
func idsFor(ctx context.Context, j *journal.Journal, prefix string) ([]string, error) {
	ids, err := j.IDs(ctx, prefix, 2)
	if lower := strings.ToLower(prefix); err == nil && lower != prefix {
		var more []string
		more, err = j.IDs(ctx, lower, 2)
		ids = append(ids, more...)
	}
	return ids, err
}

func isUUID(word string) bool { return len(word) == 36 && uuid.Validate(word) == nil }

func only(ctx context.Context, j *journal.Journal, word string, filter journal.Filter) (journal.Entry, error) {
	for entry, err := range j.List(ctx, filter) {
		return entry, err
	}
	return journal.Entry{}, noDelivery(word)
}

func noDelivery(word string) error {
	if isNumber(word) && len(word) >= shortest {
		return usagef("no delivery %s in the journal: see owoxhook deliveries list, or write id:%s for the start of an id", word, word)
	}
	return usagef("no delivery %s in the journal: see owoxhook deliveries list", word)
}

func isNumber(word string) bool {
	return word != "" && strings.Trim(word, "0123456789") == ""
}

// completeDeliveries offers recent deliveries: by id where that is safe to
// paste and means no other, by number otherwise.
func completeDeliveries(flags *journalFlags) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		words := []string{latest}
		_ = flags.readJournal(cmd.Context(), func(j *journal.Journal) error { // nothing to offer is no error
			for entry, err := range j.List(cmd.Context(), journal.Filter{Limit: 30, Brief: true}) {
				if err != nil {
					return err
				}
				word := entry.ID
				if !isUUID(word) || strings.Trim(word, "0123456789abcdef-") != "" {
					word = strconv.FormatInt(entry.Sequence, 10)
				}
				words = append(words, cobra.CompletionWithDesc(word, report.Escape(describe(entry.Delivery))))
			}
			return nil
		})
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

func describe(d delivery.Delivery) string {
	return d.ReceivedAt.Local().Format(time.DateTime) + " " + d.Event.Short() + " " + d.Title
}

// fileSize is a bound of bytes that is written like 1GiB; 0 is none.
type fileSize int64

func (s *fileSize) String() string {
	bytes := size(*s)
	return bytes.String()
}

func (s *fileSize) Type() string { return "size" }

func (s *fileSize) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	if err != nil || n != 0 && n < 1<<20 || n > math.MaxInt64 {
		return errors.New("want a size of at least 1MiB, such as 500MiB, or 0")
	}
	*s = fileSize(n)
	return nil
}

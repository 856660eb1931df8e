package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

// journalFlags say which journal. They are the same for all commands that read
// or write one.
type journalFlags struct{ file string }

func (f *journalFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "journal", "", "`FILE` of the journal (default owoxhook/journal.db in your state directory)")
}

func (f journalFlags) journalPath() string {
	return cmp.Or(f.file, filepath.Join(xdg.StateHome, "owoxhook", "journal.db"))
}

// withJournal works with a journal that must be there.
func (f journalFlags) withJournal(ctx context.Context, work func(*journal.Journal) error) error {
	j, err := journal.OpenExisting(ctx, f.journalPath())
	if err != nil {
		return journalError(err)
	}
	return errors.Join(journalError(work(j)), j.Close())
}

// journalError adds what to do.
func journalError(err error) error {
	for known, hint := range map[error]string{
		journal.ErrMissing:  "owoxhook listen makes one; check --journal",
		journal.ErrCorrupt:  "move it away, or pass another --journal",
		journal.ErrNewer:    "install that version, or pass another --journal",
		journal.ErrReadOnly: "check who may write there, or pass another --journal",
		journal.ErrNoAccess: "check the path, or pass another --journal",
		journal.ErrFull:     "make room, or pass a --journal on another disk",
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
	flags.StringVar(&f.event, "event", "", "deliveries of this `EVENT` only")
	flags.BoolVar(&f.invalid, "invalid", false, "invalid deliveries only")
	flags.BoolVar(&f.test, "test", false, "test events only")
	flags.StringVar(&f.dataMart, "data-mart", "", "deliveries of the data mart with this `ID` or title only")
	flags.StringVar(&f.since, "since", "", "deliveries received in this time, such as 2h or 7d, or since this `DATE` only")
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

// find returns the delivery that a word on the command line means: the
// beginning of an id, the number in the journal, or latest. Of several with the
// same id it is the first.
func find(ctx context.Context, j *journal.Journal, word string) (journal.Entry, error) {
	filter := journal.Filter{ID: strings.ToLower(word), Oldest: true}
	if word == latest {
		filter = journal.Filter{Limit: 1}
	}
	var found *journal.Entry
	for entry, err := range j.List(ctx, filter) {
		switch {
		case err != nil:
			return entry, err
		case found == nil:
			found = &entry
		case found.ID != entry.ID:
			return entry, usagef("%s is the beginning of several ids, such as %s and %s: give more of it", word, found.ID, entry.ID)
		}
	}
	if sequence, err := strconv.ParseInt(word, 10, 64); found == nil && err == nil && sequence > 0 {
		if entry, err := j.Get(ctx, sequence); err == nil {
			return entry, nil
		}
	}
	if found == nil {
		return journal.Entry{}, usagef("no delivery %s in the journal: owoxhook deliveries list prints them", word)
	}
	return *found, nil
}

// completeDeliveries offers the ids of recent deliveries.
func completeDeliveries(flags *journalFlags) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		words := []string{latest}
		_ = flags.withJournal(cmd.Context(), func(j *journal.Journal) error { // nothing to offer is no error
			for entry, err := range j.List(cmd.Context(), journal.Filter{Limit: 30}) {
				if err != nil {
					return err
				}
				if entry.ID != "" {
					words = append(words, cobra.CompletionWithDesc(entry.ID, describe(entry.Delivery)))
				}
			}
			return nil
		})
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

func describe(d delivery.Delivery) string {
	return d.ReceivedAt.Local().Format(time.DateTime) + " " + d.Event.Short() + " " + d.Title
}

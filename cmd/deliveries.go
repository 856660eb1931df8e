package cmd

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

func newDeliveriesCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deliveries",
		Short: "List, show, export and prune deliveries in the journal",
		Long: `List, show, export and prune the deliveries that listen keeps in the journal.

Name a delivery by its number in the journal, by at least the first four
characters of its id, or by the word latest for the newest one. Digits alone are
a number; id:1234 is an id that starts with them.

Requests refused unread because of their address, path, method or size are not
deliveries: list --refused prints the newest of them.

More: owoxhook help journal.`,
		Example: `  owoxhook deliveries list --invalid --since 2h
  owoxhook deliveries show latest
  owoxhook deliveries export --event failed > failed.ndjson
  owoxhook deliveries prune --older-than 30d`,
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDeliveriesListCommand(a), newDeliveriesShowCommand(a), newDeliveriesExportCommand(a), newDeliveriesPruneCommand(a))
	return cmd
}

type deliveriesOptions struct {
	journalFlags
	filterFlags
	refused   bool
	limit     int
	format    string
	olderThan string
	keep      int
}

func newDeliveriesListCommand(a *app) *cobra.Command {
	opts := deliveriesOptions{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List deliveries, newest first",
		Example: `  owoxhook deliveries list
  owoxhook deliveries list --event failed --data-mart "Sales Report" --since 2026-01-31 -o json
  owoxhook deliveries list --refused`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range []string{"event", "invalid", "test", "data-mart"} {
				if opts.refused && cmd.Flags().Changed(name) {
					return usagef("--%s and --refused cannot be combined: refused requests were not read", name)
				}
			}
			return runDeliveriesList(cmd.Context(), a, opts)
		},
	}
	opts.journalFlags.bind(cmd)
	opts.filterFlags.bind(cmd)
	cmd.Flags().BoolVar(&opts.refused, "refused", false, "list the newest refused requests, which are not deliveries")
	cmd.Flags().IntVarP(&opts.limit, "limit", "n", 30, "list at most `N`; 0 lists all")
	return cmd
}

func runDeliveriesList(ctx context.Context, a *app, opts deliveriesOptions) error {
	asJSON, err := a.wantsJSON()
	if err != nil {
		return err
	}
	filter, err := opts.filter(a)
	if err != nil {
		return err
	}
	if opts.limit < 0 {
		return usagef("--limit %d: want 0 or more", opts.limit)
	}
	filter.Limit, filter.Brief = opts.limit, !asJSON
	return opts.readJournal(ctx, func(j *journal.Journal) error {
		entries, list, none := j.List(ctx, filter), deliveryList, "no deliveries"
		if opts.refused {
			entries, list, none = j.Refused(ctx, filter.Since, opts.limit), refusedList, "no refused requests"
		}
		var count int
		if asJSON {
			count, err = a.reportEntries(entries)
		} else {
			count, err = a.listEntries(entries, list)
		}
		if err == nil && count == 0 {
			a.note("%s", none)
		}
		return err
	})
}

func (a *app) reportEntries(entries iter.Seq2[journal.Entry, error]) (count int, err error) {
	reporter, _, err := a.reporter(report.Options{})
	if err != nil {
		return 0, err
	}
	for entry, err := range entries {
		if err == nil {
			err = reporter.Report(report.Delivery{Delivery: entry.Delivery})
		}
		if err != nil {
			return count, err
		}
		count++
	}
	return count, nil
}

// aligned is how many lines have common columns: a table waits for them.
const aligned = 1000

// listing says which columns a list of entries has.
type listing struct {
	fits []report.Fit
	line func(journal.Entry) []string
}

var (
	deliveryList = listing{[]report.Fit{report.Keep, report.Keep, report.Keep, report.Keep, report.ID, report.Cut, report.Cut}, listLine}
	refusedList  = listing{[]report.Fit{report.Keep, report.Keep, report.Keep, report.Keep, report.Keep, report.Cut}, refusedLine}
)

// listEntries prints a line for each entry and returns how many there were.
func (a *app) listEntries(entries iter.Seq2[journal.Entry, error], list listing) (count int, err error) {
	table := report.NewTable(list.fits...)
	for entry, err := range entries {
		if err != nil {
			return count, err
		}
		table.Add(list.line(entry)...)
		if count++; count%aligned == 0 {
			if err := a.printTable(table); err != nil {
				return count, err
			}
			table = report.NewTable(list.fits...)
		}
	}
	return count, a.printTable(table)
}

func listLine(e journal.Entry) []string {
	marks := []string{}
	for _, mark := range []struct {
		word string
		set  bool
	}{{"test", e.IsTest}, {"duplicate", e.Duplicate}, {"same-run", e.SameRun}, {string(e.State), e.State != delivery.StateValid}} {
		if mark.set {
			marks = append(marks, mark.word)
		}
	}
	return []string{
		strconv.FormatInt(e.Sequence, 10), e.ReceivedAt.Local().Format(time.DateTime), strconv.Itoa(e.Answered), dash(e.Event.Short()), dash(e.ID),
		dash(strings.Join(marks, ",")), dash(e.Title),
	}
}

func refusedLine(e journal.Entry) []string {
	return []string{e.ReceivedAt.Local().Format(time.DateTime), strconv.Itoa(e.Answered), string(e.Reason), e.Remote, e.Method, sender.Redact(e.Path)}
}

func dash(word string) string {
	if word == "" {
		return "-"
	}
	return word
}

func newDeliveriesShowCommand(a *app) *cobra.Command {
	opts := deliveriesOptions{}
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show the request, body, findings and attempts of a delivery",
		Example: `  owoxhook deliveries show latest
  owoxhook deliveries show 3f0c -o json
  owoxhook deliveries show 17`,
		Args:              atMost(1, "one delivery"),
		ValidArgsFunction: completeDeliveries(&opts.journalFlags),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("no delivery given: pass its number, the start of its id, or %s", latest)
			}
			return runDeliveriesShow(cmd.Context(), a, opts, args[0])
		},
	}
	opts.journalFlags.bind(cmd)
	return cmd
}

func runDeliveriesShow(ctx context.Context, a *app, opts deliveriesOptions, word string) error {
	if _, err := a.wantsJSON(); err != nil {
		return err
	}
	return opts.readJournal(ctx, func(j *journal.Journal) error {
		entry, err := find(ctx, j, word)
		if err != nil {
			return err
		}
		attempts, err := j.Attempts(ctx, entry.Sequence)
		if err != nil {
			return err
		}
		reporter, _, err := a.reporter(report.Options{Verbose: true})
		if err != nil {
			return err
		}
		if err := reporter.Report(report.Delivery{Delivery: entry.Delivery}); err != nil {
			return err
		}
		brief, _, err := a.reporter(report.Options{})
		if err != nil {
			return err
		}
		made := map[string]int{} // by target
		for _, attempt := range attempts {
			made[attempt.Target]++
			if err := brief.Report(report.Attempt{Attempt: asAttempt(entry.Delivery, attempt, made[attempt.Target])}); err != nil {
				return err
			}
		}
		return nil
	})
}

func asAttempt(d delivery.Delivery, a journal.Attempt, number int) delivery.Attempt {
	attempt := delivery.Attempt{ID: d.ID, Event: d.Event, URL: a.URL, Target: a.Target, Number: number, Status: a.Status, Duration: a.Duration}
	if !a.OK {
		attempt.Failure = &delivery.Failure{Kind: delivery.Other, Error: a.Error}
	}
	return attempt
}

var exportFormats = []string{"ndjson", "http"}

func newDeliveriesExportCommand(a *app) *cobra.Command {
	opts := deliveriesOptions{}
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Print deliveries, oldest first, for validate and send --file",
		Example: `  owoxhook deliveries export --invalid > invalid.ndjson
  owoxhook deliveries export --format http | owoxhook validate`,
		Args:        noArgs,
		Annotations: map[string]string{printsData: "payloads or requests as --format says"},
		RunE:        func(cmd *cobra.Command, _ []string) error { return runDeliveriesExport(cmd.Context(), a, opts) },
	}
	opts.journalFlags.bind(cmd)
	opts.filterFlags.bind(cmd)
	cmd.Flags().StringVar(&opts.format, "format", exportFormats[0], "print as `FORMAT`: ndjson (one payload per line) or http (whole requests)")
	complete(cmd, "format", exportFormats...)
	return cmd
}

func runDeliveriesExport(ctx context.Context, a *app, opts deliveriesOptions) error {
	if !slices.Contains(exportFormats, opts.format) {
		return usagef("unknown export format %q%s", opts.format, oneOf(opts.format, exportFormats))
	}
	filter, err := opts.filter(a)
	if err != nil {
		return err
	}
	filter.Oldest = true
	return opts.readJournal(ctx, func(j *journal.Journal) error {
		out := bufio.NewWriter(a.out)
		if opts.format == exportFormats[0] {
			err = a.exportPayloads(a.raw(out), j.Bodies(ctx, filter))
		} else {
			err = exportRequests(a.raw(out), j.List(ctx, filter))
		}
		if err != nil {
			return err
		}
		return out.Flush()
	})
}

func (a *app) exportPayloads(out io.Writer, bodies iter.Seq2[sql.RawBytes, error]) error {
	left := 0
	for body, err := range bodies {
		if err != nil {
			return err
		}
		line := delivery.PayloadLine(body)
		if line == nil {
			left++
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	if left > 0 {
		a.note("export: %s left out because the body is not valid JSON: --format http includes them", plural(left, "delivery was", "deliveries were"))
	}
	return nil
}

func exportRequests(out io.Writer, entries iter.Seq2[journal.Entry, error]) error {
	for entry, err := range entries {
		if err != nil {
			return err
		}
		if _, err := out.Write(entry.HTTP()); err != nil {
			return err
		}
	}
	return nil
}

func newDeliveriesPruneCommand(a *app) *cobra.Command {
	opts := deliveriesOptions{}
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Delete old deliveries",
		Long: `Delete old deliveries and shrink the journal file. This works in small steps, so
listen can keep running. --older-than deletes refused requests too.`,
		Example: `  owoxhook deliveries prune --older-than 30d
  owoxhook deliveries prune --keep 1000`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			byAge, byCount := cmd.Flags().Changed("older-than"), cmd.Flags().Changed("keep")
			if byAge == byCount {
				return usagef("pass either --older-than, such as 30d, or --keep with the number of deliveries to keep")
			}
			return runDeliveriesPrune(cmd.Context(), a, opts, byAge)
		},
	}
	opts.journalFlags.bind(cmd)
	cmd.Flags().StringVar(&opts.olderThan, "older-than", "", "delete deliveries received longer ago than this, such as 30d or 12h, or before `DATE`")
	cmd.Flags().IntVar(&opts.keep, "keep", 0, "delete all but the newest `N`")
	return cmd
}

// changeJSON says how many deliveries a command has changed something about.
type changeJSON struct {
	Type       string `json:"type"`
	Command    string `json:"command"`
	Deliveries int    `json:"deliveries"`
}

func runDeliveriesPrune(ctx context.Context, a *app, opts deliveriesOptions, byAge bool) error {
	var before time.Time
	var err error
	if byAge {
		if before, err = parseSince(opts.olderThan, a.now()); err != nil {
			return usagef("--older-than %w", err)
		}
	} else if opts.keep < 0 {
		return usagef("--keep %d: want 0 or more", opts.keep)
	}
	asJSON, err := a.wantsJSON()
	if err != nil {
		return err
	}
	return opts.withJournal(ctx, func(j *journal.Journal) error {
		var deleted int64
		var err error
		if byAge {
			deleted, err = j.PruneOlder(ctx, before)
		} else {
			deleted, err = j.Prune(ctx, opts.keep)
		}
		if asJSON {
			a.stdout.needsReader(false)
			return errors.Join(a.printLine(changeJSON{"change", "prune", int(deleted)}), err)
		}
		a.note("%s deleted", plural(int(deleted), "delivery", "deliveries"))
		return err
	})
}

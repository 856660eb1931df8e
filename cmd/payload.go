package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/payloads"
)

// payloadFlags are the flags that make a payload. They are the same for sample
// and send.
type payloadFlags struct {
	event string
	test  bool
	edits []payloads.Edit // in the order of the command line
}

func (p *payloadFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&p.event, "event", eventNames()[0], "event type: "+strings.Join(eventNames(), ", ")+", or a full `NAME`")
	flags.BoolVar(&p.test, "test", false, "use the event that the Test button sends")
	flags.Var(&editFlag{edits: &p.edits}, "set", "set a member, such as "+owox.PathRunID+"=r1; a value that is not valid JSON is a string")
	flags.Var(&editFlag{edits: &p.edits, unset: true}, "unset", "remove a member")
	completeLater(cmd, "event", eventNames)
	completeLater(cmd, "set", fieldPaths)
	completeLater(cmd, "unset", fieldPaths)
}

func eventNames() []string {
	var names []string
	for _, e := range owox.Events() {
		names = append(names, e.Type.Name())
	}
	return names
}

// parseEvent reads the name of an event type as people write it.
func parseEvent(word string) (owox.EventType, error) {
	if t, ok := owox.ParseEventType(word); ok {
		return t, nil
	}
	known := eventNames()
	for _, e := range owox.Events() {
		known = append(known, string(e.Type))
	}
	return "", usagef("unknown event %q%s", word, oneOf(word, known))
}

// sample makes a sample payload with its edits.
func (a *app) sample(p payloadFlags) ([]byte, error) {
	event, err := parseEvent(p.event)
	if err != nil {
		return nil, err
	}
	payload := owox.Sample{Event: event, Test: p.test, ID: a.newID(), Now: a.now()}.JSON()
	return a.applyEdits(payload, p.edits)
}

// applyEdits changes members in the order of the command line.
func (a *app) applyEdits(payload []byte, edits []payloads.Edit) ([]byte, error) {
	for _, e := range edits {
		var err error
		if payload, err = e.Apply(payload); err != nil {
			return nil, usageError{err}
		}
		if !e.Known() && !e.Unset {
			a.note("note: %s is not a documented member, setting it anyway%s", e.Path, didYouMean(e.Path, fieldPaths()))
		}
	}
	return payload, nil
}

func fieldPaths() []string {
	var paths []string
	for _, f := range owox.Fields() {
		paths = append(paths, f.Path)
	}
	return paths
}

// fresh gives a payload a new id and the present time.
func (a *app) fresh(payload []byte) ([]byte, error) {
	payload, err := payloads.Renew(payload, a.newID(), a.now())
	if err != nil {
		return nil, usageError{err}
	}
	return payload, nil
}

// editFlag collects --set and --unset in one list.
type editFlag struct {
	edits *[]payloads.Edit
	unset bool
}

func (f *editFlag) Type() string {
	if f.unset {
		return "PATH"
	}
	return "PATH=VALUE"
}

func (f *editFlag) String() string { return "" }

func (f *editFlag) Set(text string) error {
	path, value, ok := text, "", true
	if !f.unset {
		path, value, ok = strings.Cut(text, "=")
	}
	if !ok || path == "" {
		return fmt.Errorf("want %s", f.Type())
	}
	*f.edits = append(*f.edits, payloads.Edit{Path: path, Value: value, Unset: f.unset})
	return nil
}

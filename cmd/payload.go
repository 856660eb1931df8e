package cmd

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// payloadFlags are the flags that make a payload. They are the same for sample
// and send.
type payloadFlags struct {
	event string
	test  bool
	edits []edit
}

// edit is one --set or --unset. They are carried out in the order of the
// command line.
type edit struct {
	path, value string
	unset       bool
}

func (p *payloadFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&p.event, "event", eventNames()[0], "event type: "+strings.Join(eventNames(), ", ")+", or a full `NAME`")
	flags.BoolVar(&p.test, "test", false, "make exactly what the Test button sends")
	flags.Var(&editFlag{edits: &p.edits}, "set", "set a member: "+owox.PathRunID+"=r1; a value that is not JSON is a string")
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

// applyEdits changes members in place: what is not named stays byte for byte.
func (a *app) applyEdits(payload []byte, edits []edit) ([]byte, error) {
	for _, e := range edits {
		if err := checkPath(payload, e); err != nil {
			return nil, err
		}
		var err error
		if e.unset {
			payload, err = sjson.DeleteBytes(payload, e.path)
		} else {
			payload, err = sjson.SetRawBytes(payload, e.path, owox.JSONValue(e.value))
		}
		if err != nil {
			return nil, usagef("cannot change %s: %w", e.path, err)
		}
		if _, known := owox.Resolve(e.path); !known && !e.unset {
			a.note("note: %s is not a member of the contract: set all the same%s", e.path, didYouMean(e.path, fieldPaths()))
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

// checkPath refuses a path that leads nowhere: sjson would replace a string by
// an object, or fill an array with null, without a word.
func checkPath(payload []byte, e edit) error {
	steps := splitPath(e.path)
	if slices.Contains(steps, "") {
		return usagef("malformed path %q: want names with dots between them, such as %s", e.path, owox.PathRunStatus)
	}
	for i := range steps {
		parent := gjson.ParseBytes(payload)
		parentPath := strings.Join(steps[:i], ".")
		if i > 0 {
			parent = gjson.GetBytes(payload, parentPath)
		}
		if err := checkStep(parent, parentPath, steps[i], e); err != nil {
			return err
		}
	}
	return nil
}

func checkStep(parent gjson.Result, parentPath, step string, e edit) error {
	switch {
	case e.unset && (!parent.IsObject() && !parent.IsArray() || !parent.Get(step).Exists()):
		return usagef("cannot unset %s: the payload has no such member", e.path)
	case parent.IsArray():
		size := len(parent.Array())
		if index, err := strconv.Atoi(step); err != nil || index < -1 || index > size {
			return usagef("cannot set %s: %s is an array of %d: want an index from 0 to %d", e.path, parentPath, size, size)
		}
	case parent.Exists() && !parent.IsObject():
		return usagef("cannot set %s: %s is %s, not an object", e.path, parentPath, parent.Type)
	}
	return nil
}

// splitPath splits at dots that have no backslash in front of them. Characters
// that sjson gives a meaning make a step empty, and so malformed.
func splitPath(path string) []string {
	var steps []string
	start := 0
	for i := 0; i < len(path); i++ {
		switch path[i] {
		case '\\':
			i++
		case '.':
			steps = append(steps, path[start:i])
			start = i + 1
		case '*', '?', '|', '#', '@':
			return []string{""}
		}
	}
	return append(steps, path[start:])
}

// fresh gives a payload a new id and the present time.
func (a *app) fresh(payload []byte) ([]byte, error) {
	for path, value := range map[string]string{owox.PathID: a.newID().String(), owox.PathTimestamp: owox.FormatTimestamp(a.now())} {
		var err error
		if payload, err = sjson.SetBytes(payload, path, value); err != nil {
			return nil, usagef("cannot renew %s: %w", path, err)
		}
	}
	return payload, nil
}

// editFlag collects --set and --unset in one list.
type editFlag struct {
	edits *[]edit
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
	*f.edits = append(*f.edits, edit{path, value, f.unset})
	return nil
}

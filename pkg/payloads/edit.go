package payloads

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// Edit changes one member of a payload.
type Edit struct {
	Path  string // names with dots between them, an index for an element of an array
	Value string // JSON as it is; anything else is a string
	Unset bool   // remove the member instead
}

// Known reports whether the contract knows the member.
func (e Edit) Known() bool {
	_, known := owox.Resolve(e.Path)
	return known
}

// Apply returns the payload with the change: what it does not name stays byte
// for byte. The error says why a path leads nowhere, in words for people.
func (e Edit) Apply(payload []byte) ([]byte, error) {
	if err := e.check(payload); err != nil {
		return nil, err
	}
	var err error
	if e.Unset {
		payload, err = sjson.DeleteBytes(payload, e.Path)
	} else {
		payload, err = sjson.SetRawBytes(payload, e.Path, owox.JSONValue(e.Value))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot change %s: %w", e.Path, err)
	}
	return payload, nil
}

// Renew returns the payload with an id and a time of sending of its own.
func Renew(payload []byte, id uuid.UUID, now time.Time) ([]byte, error) {
	for path, value := range map[string]string{owox.PathID: id.String(), owox.PathTimestamp: owox.FormatTimestamp(now)} {
		var err error
		if payload, err = sjson.SetBytes(payload, path, value); err != nil {
			return nil, fmt.Errorf("cannot renew %s: %w", path, err)
		}
	}
	return payload, nil
}

// check refuses a path that leads nowhere: sjson would replace a string by
// an object, or fill an array with null, without a word.
func (e Edit) check(payload []byte) error {
	steps := splitPath(e.Path)
	if slices.Contains(steps, "") {
		return fmt.Errorf("malformed path %q: want names with dots between them, such as %s", e.Path, owox.PathRunStatus)
	}
	for i := range steps {
		parent := gjson.ParseBytes(payload)
		parentPath := strings.Join(steps[:i], ".")
		if i > 0 {
			parent = gjson.GetBytes(payload, parentPath)
		}
		if err := e.step(parent, parentPath, steps[i]); err != nil {
			return err
		}
	}
	return nil
}

func (e Edit) step(parent gjson.Result, parentPath, step string) error {
	switch {
	case e.Unset && (!parent.IsObject() && !parent.IsArray() || !parent.Get(step).Exists()):
		return fmt.Errorf("cannot unset %s: the payload has no such member", e.Path)
	case parent.IsArray():
		size := len(parent.Array())
		if index, err := strconv.Atoi(step); err != nil || index < -1 || index > size {
			return fmt.Errorf("cannot set %s: %s is an array of %d: want an index from 0 to %d", e.Path, parentPath, size, size)
		}
	case parent.Exists() && !parent.IsObject():
		return fmt.Errorf("cannot set %s: %s is %s, not an object", e.Path, parentPath, parent.Type)
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

package inspector

import (
	"context"
	"fmt"

	"github.com/tidwall/gjson"

	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

const maxDifferences = 200

// comparison says which members differ from those of another payload.
type comparison struct {
	With        string // "previous" or "example"
	Previous    int64  // sequence of the previous delivery of the data mart; 0: there is none
	Differences []difference
	Same        int  // members
	Omitted     int  // differences that are not shown
	Readable    bool // both are JSON
}

// difference has the values as JSON, or "" where there is none.
type difference struct{ Path, Here, There string }

// compare compares with the previous delivery of the same data mart, or with
// the documented example where there is none or that is asked for.
func (i *Inspector) compare(ctx context.Context, e journal.Entry, with string) (c comparison, err error) {
	other := owox.Documented(e.Event)
	if other == nil {
		other = owox.Documented(owox.RunFailed)
	}
	c.With = "example"
	if e.DataMartID != "" {
		for previous, err := range i.options.Journal.List(ctx, journal.Filter{DataMart: e.DataMartID, Before: e.Sequence, Limit: 1}) {
			if err != nil {
				return c, err
			}
			c.Previous = previous.Sequence
			if with != c.With {
				c.With, other = "previous", previous.Body
			}
		}
	}
	c.Readable = gjson.ValidBytes(e.Body) && gjson.ValidBytes(other)
	if c.Readable {
		c.differ(e.Body, other)
	}
	return c, nil
}

func (c *comparison) differ(body, other []byte) {
	here, there := map[string]string{}, map[string]string{}
	paths := leaves(gjson.ParseBytes(other), "", there, leaves(gjson.ParseBytes(body), "", here, nil))
	seen := map[string]bool{}
	for _, path := range paths {
		if seen[path] {
			continue
		}
		seen[path] = true
		switch {
		case here[path] == there[path]:
			c.Same++
		case len(c.Differences) == maxDifferences:
			c.Omitted++
		default:
			c.Differences = append(c.Differences, difference{path, here[path], there[path]})
		}
	}
}

// leaves notes the values that are no objects or arrays, or are empty ones, and
// returns the paths to them after those that are given.
func leaves(value gjson.Result, path string, into map[string]string, paths []string) []string {
	inside := false
	if value.IsObject() || value.IsArray() {
		index := 0
		value.ForEach(func(name, member gjson.Result) bool {
			inside = true
			step := name.String()
			if value.IsArray() {
				step = fmt.Sprint(index)
			}
			index++
			if path != "" {
				step = path + "." + step
			}
			paths = leaves(member, step, into, paths)
			return true
		})
	}
	if !inside {
		into[path] = value.Raw
		paths = append(paths, path)
	}
	return paths
}

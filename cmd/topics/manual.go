package topics

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Page returns how the manual names a topic.
func (t Topic) Page() string { return "owoxhook-" + t.Name + "(7)" }

var (
	command = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("(?:owoxhook |`)([a-z]+)\\b") })
	other   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?:owoxhook help |\]\()([a-z-]+)`) })
)

// Commands returns those of some commands that a topic names.
func (t Topic) Commands(all []string) []string { return t.names(command(), all) }

// Topics returns the other topics that a topic names.
func (t Topic) Topics() (others []Topic) {
	var all []string
	for _, topic := range All() {
		if topic != t {
			all = append(all, topic.Name)
		}
	}
	for _, name := range t.names(other(), all) {
		others = append(others, Topic{Name: name})
	}
	return others
}

// names returns those of some names that are found in a topic.
func (t Topic) names(where *regexp.Regexp, all []string) (named []string) {
	for _, found := range where.FindAllStringSubmatch(t.Source(), -1) {
		if slices.Contains(all, found[1]) && !slices.Contains(named, found[1]) {
			named = append(named, found[1])
		}
	}
	slices.Sort(named)
	return named
}

// Manual returns the body of a topic's manual page, in the Markdown that cobra
// makes manual pages of: its tables are lists.
func (t Topic) Manual() string {
	var out strings.Builder
	var before kind
	for _, b := range parse(t.Source(), func(topic string) string { return "**" + Topic{Name: topic}.Page() + "**" }) {
		if before == item && b.kind != item {
			out.WriteString("\n")
		}
		before = b.kind
		switch b.kind {
		case heading:
			fmt.Fprintf(&out, "%s %s\n\n", strings.Repeat("#", b.level), b.text)
		case code:
			fmt.Fprintf(&out, "```\n%s```\n\n", b.text)
		case item:
			fmt.Fprintf(&out, "- %s\n", b.text)
		case table:
			for _, row := range b.rows {
				fmt.Fprintf(&out, "%s\n: %s\n\n", row[0], strings.Join(b.named(row), "\n: "))
			}
		default:
			fmt.Fprintf(&out, "%s\n\n", b.text)
		}
	}
	return out.String()
}

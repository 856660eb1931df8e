// Package topics has the texts of owoxhook help TOPIC. Each Markdown file here
// is one, under its own name and with its first heading as its title: GitHub
// shows it as it is, a terminal as Text, and the manual as Manual.
package topics

import (
	"embed"
	"strings"
)

//go:embed *.md
var files embed.FS

// Topic is a text that help has besides those of commands.
type Topic struct{ Name, Title string }

// All returns the topics by name. It reads no more of them than their titles,
// because every start of the program pays for it.
func All() []Topic {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // they are part of the program
	}
	topics := make([]Topic, len(entries))
	for i, entry := range entries {
		name := strings.TrimSuffix(entry.Name(), ".md")
		topics[i] = Topic{name, titleOf(start(entry.Name()))}
	}
	return topics
}

// start returns the beginning of a file, where the title is.
func start(name string) string {
	file, err := files.Open(name)
	if err != nil {
		panic(err)
	}
	defer file.Close() //nolint:errcheck // it is in memory
	var text [128]byte
	n, _ := file.Read(text[:]) // nor does this fail
	return string(text[:n])
}

func titleOf(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimPrefix(line, "# ")
}

// Source returns the Markdown of a topic.
func (t Topic) Source() string {
	text, err := files.ReadFile(t.Name + ".md")
	if err != nil {
		panic(err) // All names none that is not there
	}
	return string(text)
}

// Command docs writes the manual pages of owoxhook into a directory, for
// releases: one a command in section 1, and one a topic in section 7.
//
//	go run ./cmd/internal/docs man
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/owoxhook/owoxhook/cmd"
	"github.com/owoxhook/owoxhook/cmd/topics"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one directory, got %d arguments", len(args))
	}
	if err := os.MkdirAll(args[0], 0o755); err != nil { //nolint:gosec // for everybody to read
		return err
	}
	root := cmd.Root()
	root.DisableAutoGenTag = true // or every build differs
	if err := doc.GenManTree(root, header("1"), args[0]); err != nil {
		return err
	}
	seeAlso := map[string][]string{} // topics, by the command that they name
	for _, topic := range topics.All() {
		pages := []string{"owoxhook"}
		for _, name := range topic.Commands(names(root)) {
			pages = append(pages, "owoxhook-"+name)
		}
		for _, page := range pages {
			seeAlso[page] = append(seeAlso[page], topic.Page())
		}
		if err := writeTopic(args[0], topic, pages); err != nil {
			return err
		}
	}
	for page, topics := range seeAlso {
		if err := extend(filepath.Join(args[0], page+".1"), topics); err != nil {
			return err
		}
	}
	return nil
}

func header(section string) *doc.GenManHeader {
	return &doc.GenManHeader{Title: "OWOXHOOK", Section: section, Source: "owoxhook", Manual: "owoxhook manual"}
}

func names(root *cobra.Command) []string {
	var names []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

// writeTopic has cobra make the page of a command that has the topic as its
// description, and leaves out how to call it: a topic has no flags either.
func writeTopic(dir string, topic topics.Topic, pages []string) error {
	var page bytes.Buffer
	command := &cobra.Command{Use: "owoxhook-" + topic.Name, Short: topic.Title, DisableAutoGenTag: true}
	command.Long = topic.Manual() + "# SEE ALSO\n**" + strings.Join(pages, "(1)**, **") + "(1)**"
	command.Flags().Bool("help", false, "")
	command.Flags().Lookup("help").Hidden = true
	if err := doc.GenMan(command, header("7"), &page); err != nil {
		return err
	}
	top, rest, _ := strings.Cut(page.String(), "\n.SH SYNOPSIS")
	_, text, _ := strings.Cut(rest, "\n.SH DESCRIPTION")
	return os.WriteFile(filepath.Join(dir, command.Use+".7"), []byte(top+"\n.SH DESCRIPTION"+text), 0o644) //nolint:gosec // for everybody to read
}

// extend adds topics to what a page ends with, which is what else to see.
func extend(file string, topics []string) error {
	page, err := os.ReadFile(file) //nolint:gosec // cobra has just written it
	if err != nil {
		return err
	}
	text := strings.TrimRight(string(page), "\n")
	for _, topic := range topics {
		text += ", \\fB" + topic + "\\fP"
	}
	return os.WriteFile(file, []byte(text+"\n"), 0o644) //nolint:gosec // for everybody to read
}

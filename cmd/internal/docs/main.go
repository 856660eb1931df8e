// Command docs writes the manual pages of owoxhook into a directory, for
// releases: one a command in section 1, and one a topic in section 7.
//
//	go run ./cmd/internal/docs man
package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	root.Use += " COMMAND"
	root.InitDefaultVersionFlag()
	describe(root)
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
		for i := range pages {
			pages[i] += "(1)"
		}
		for _, other := range topic.Topics() {
			pages = append(pages, other.Page())
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
	return filepath.WalkDir(args[0], plain) //nolint:gosec // the directory of whoever builds
}

// describe adds to what is said of a command those below it.
func describe(command *cobra.Command) {
	below := available(command)
	if len(below) == 0 {
		return
	}
	command.Long = cmp.Or(command.Long, command.Short) + "\n\n# COMMANDS\n"
	for _, c := range below {
		describe(c)
		command.Long += "**" + c.Name() + "**\n: " + c.Short + "\n\n"
	}
}

func header(section string) *doc.GenManHeader { // the title is the command
	return &doc.GenManHeader{Section: section, Source: "owoxhook", Manual: "owoxhook manual"}
}

func available(command *cobra.Command) []*cobra.Command {
	return slices.DeleteFunc(slices.Clone(command.Commands()), func(c *cobra.Command) bool { return !c.IsAvailableCommand() })
}

func names(root *cobra.Command) []string {
	var names []string
	for _, c := range available(root) {
		names = append(names, c.Name())
	}
	return names
}

// writeTopic has cobra make the page of a command that has the topic as its
// description, and leaves out how to call it: a topic has no flags either.
func writeTopic(dir string, topic topics.Topic, pages []string) error {
	var page bytes.Buffer
	command := &cobra.Command{Use: "owoxhook-" + topic.Name, Short: topic.Title, DisableAutoGenTag: true}
	command.Long = topic.Manual() + "# SEE ALSO\n**" + strings.Join(pages, "**, **") + "**"
	command.Flags().Bool("help", false, "")
	command.Flags().Lookup("help").Hidden = true
	if err := doc.GenMan(command, header("7"), &page); err != nil {
		return err
	}
	top, rest, _ := strings.Cut(page.String(), "\n.SH SYNOPSIS")
	_, text, _ := strings.Cut(rest, "\n.SH DESCRIPTION")
	return os.WriteFile(filepath.Join(dir, command.Use+".7"), []byte(top+"\n.SH DESCRIPTION"+text), 0o644) //nolint:gosec // for everybody to read
}

// plain leaves out of a page the values of flags that have none, with which cobra
// writes them, as in --help[=false].
func plain(file string, entry fs.DirEntry, err error) error {
	if err != nil || entry.IsDir() {
		return err
	}
	page, err := os.ReadFile(file) //nolint:gosec // it was just written
	if err != nil {
		return err
	}
	page = regexp.MustCompile(`(?m)^(.*\\fB--[a-z-]+\\fP)(\[=(false|"")\]|=""|=\[\])$`).ReplaceAll(page, []byte("$1"))
	return os.WriteFile(file, page, 0o644) //nolint:gosec // for everybody to read
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

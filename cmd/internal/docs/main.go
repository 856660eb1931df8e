// Command docs writes the manual pages of owoxhook into a directory, for
// releases:
//
//	go run ./cmd/internal/docs man
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra/doc"

	"github.com/owoxhook/owoxhook/cmd"
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
	return doc.GenManTree(root, &doc.GenManHeader{Title: "OWOXHOOK", Section: "1", Source: "owoxhook", Manual: "owoxhook manual"}, args[0])
}

// Command one is a program with cobra that prints one line: what a start-up
// costs at least.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	command := &cobra.Command{Use: "one", Run: func(*cobra.Command, []string) { fmt.Println("one") }}
	if command.Execute() != nil {
		os.Exit(1)
	}
}

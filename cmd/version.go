package cmd

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release and commit are set by the linker when a release is built.
var release, commit string

func newVersionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Example: `  owoxhook version
  owoxhook --version`,
		Args:              noArgs,
		PersistentPreRunE: withoutConfig,
		RunE:              func(*cobra.Command, []string) error { return a.print(version() + "\n") },
	}
}

// withoutConfig is for commands that work with a broken configuration.
func withoutConfig(*cobra.Command, []string) error { return nil }

// version names the release, or what Go knows of a build from source.
func version() string {
	number := release
	if info, ok := debug.ReadBuildInfo(); ok && number == "" {
		number = info.Main.Version
	}
	if number == "" {
		number = "(devel)"
	}
	if commit != "" {
		number += ", commit " + commit
	}
	return fmt.Sprintf("owoxhook %s (%s, %s/%s)", number, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

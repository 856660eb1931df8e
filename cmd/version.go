package cmd

import (
	"cmp"
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
		PersistentPreRunE: a.withoutConfig,
		RunE: func(*cobra.Command, []string) error {
			asJSON, err := a.wantsJSON()
			switch {
			case err != nil:
				return err
			case asJSON:
				return a.printLine(versionJSON{"version", releaseNumber(), commit, runtime.Version(), runtime.GOOS, runtime.GOARCH})
			default:
				return a.print(version() + "\n")
			}
		},
	}
}

type versionJSON struct {
	Type    string `json:"type"`
	Version string `json:"version"`
	Commit  string `json:"commit,omitzero"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func version() string {
	number := releaseNumber()
	if commit != "" {
		number += ", commit " + commit
	}
	return fmt.Sprintf("owoxhook %s (%s, %s/%s)", number, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// releaseNumber names the release, or what Go knows of a build from source.
func releaseNumber() string {
	number := release
	if info, ok := debug.ReadBuildInfo(); ok && number == "" {
		number = info.Main.Version
	}
	return cmp.Or(number, "(devel)")
}

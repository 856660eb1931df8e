package cmd

import (
	"io"
	"slices"

	"github.com/spf13/cobra"
)

var shells = []struct {
	name     string
	generate func(root *cobra.Command, w io.Writer) error
}{
	{"bash", func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) }},
	{"zsh", func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) }},
	{"fish", func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) }},
	{"powershell", func(root *cobra.Command, w io.Writer) error { return root.GenPowerShellCompletionWithDesc(w) }},
}

// Shells returns the names of the shells that completions exist for.
func Shells() []string {
	var names []string
	for _, s := range shells {
		names = append(names, s.name)
	}
	return names
}

// WriteCompletion writes the completion script of a shell that is one of
// Shells.
func WriteCompletion(root *cobra.Command, shell string, w io.Writer) error {
	i := slices.Index(Shells(), shell)
	if i < 0 {
		return usagef("unknown shell %q%s", shell, oneOf("", Shells())) // tcsh is not a misspelt bash
	}
	return shells[i].generate(root, w)
}

func newCompletionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the completion script for a shell",
		Long: `Print the completion script for a shell: bash, zsh, fish or powershell. Packages
bring these scripts.

The one for bash needs the package bash-completion: without it, each Tab prints
"_get_comp_words_by_ref: command not found". The one for zsh needs compinit.`,
		Example: `  # bash, for this session
  source <(owoxhook completion bash)

  # bash, permanently
  mkdir -p ~/.local/share/bash-completion/completions
  owoxhook completion bash > ~/.local/share/bash-completion/completions/owoxhook

  # zsh, permanently
  owoxhook completion zsh > "${fpath[1]}/_owoxhook"

  # fish, permanently
  owoxhook completion fish > ~/.config/fish/completions/owoxhook.fish

  # PowerShell, permanently
  owoxhook completion powershell >> $PROFILE`,
		Args:              atMost(1, "one shell"),
		ValidArgs:         Shells(),
		PersistentPreRunE: a.withoutConfig,
		Annotations:       map[string]string{printsData: "a script"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("no shell given%s", oneOf("", Shells()))
			}
			return WriteCompletion(cmd.Root(), args[0], a.out)
		},
	}
}

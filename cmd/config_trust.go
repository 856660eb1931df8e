package cmd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// The rules of trust. The file in the working directory may have come with a
// clone, and its author may want what the user has:
//
//   - header, insecure and ca-cert of a file hold for the endpoints that the
//     same file names, and never for those of the other file.
//   - For a URL that the user types, those of the user's file hold, and those of
//     the working directory's file once it is trusted: an untrusted one could
//     name another Host, or have any certificate accepted.
//   - Flags and variables are the user's own and hold everywhere.
//   - Real deliveries go where the working directory's file says only when the
//     file is trusted, or the user agrees. Samples may go anywhere.
//   - So it is with a journal in a database, which could be anybody's.
//   - What an untrusted file weakens is named: see config_openings.go.
//
// Trusted is a file with its path and its content. The record of that is a file
// named after the path, in the format of sha256sum.

// meantFor returns the flags as they hold for an endpoint.
func (f endpointFlags) meantFor(to target, a *app) (endpointFlags, error) {
	if f.changed == nil {
		f.headers = overridden(to.headers, f.headers)
		return f, nil
	}
	own, err := a.config.flagsOfFiles(to)
	if err != nil {
		return f, err
	}
	usersOwn := func(key string) bool { return f.changed(key) || a.config.from[key] == typed }
	if !usersOwn(keyInsecure) {
		f.insecure = own.insecure
	}
	if !usersOwn(keyCACert) {
		f.caCert = own.caCert
	}
	if usersOwn(keyHeader) {
		f.headers = overridden(to.headers, f.headers)
		return f, nil
	}
	held := len(f.headers) > 0
	f.headers = overridden(own.headers, to.headers)
	if held && len(f.headers) == 0 {
		a.note("note: the headers of %s are not sent to %s, which it does not name: see owoxhook config trust --help",
			a.config.origin[keyHeader], sender.Redact(to.url.String()))
	}
	return f, nil
}

// overridden returns headers without those that others replace, and the others.
func overridden(headers, others []string) []string {
	var kept []string
	for _, h := range headers {
		if !slices.ContainsFunc(others, func(other string) bool { return strings.EqualFold(headerName(other), headerName(h)) }) {
			kept = append(kept, h)
		}
	}
	return append(kept, others...)
}

// flagsOfFiles returns what the files have for an endpoint.
func (c *config) flagsOfFiles(to target) (endpointFlags, error) {
	var own endpointFlags
	command := &cobra.Command{}
	own.bind(command)
	files := []source{to.from}
	if to.from == typed {
		if files = []source{userFile}; c.trusted() {
			files = append(files, workFile)
		}
	}
	for _, from := range files {
		if err := setAll(command, c.file(from)); err != nil {
			return own, err
		}
	}
	return own, nil
}

// setAll gives the flags of a command the values that a file has for them.
func setAll(command *cobra.Command, v *viper.Viper) error {
	for _, f := range configurable(command) {
		if !v.IsSet(f.Name) {
			continue
		}
		if err := set(f, v); err != nil {
			return usagef("%s: %w", f.Name, err)
		}
	}
	return nil
}

// allowReal returns an error unless real deliveries may go to an endpoint.
func (a *app) allowReal(ctx context.Context, to target, yes bool) error {
	if to.from != workFile || yes || a.config.trusted() {
		return nil
	}
	where := report.Escape(sender.Redact(to.url.String()))
	if !isTerminal(a.in) || !isTerminal(a.err) {
		return usagef("%s in this directory chooses %s: pass --yes to deliver there, or trust the file with owoxhook config trust", configFile, where)
	}
	_, _ = fmt.Fprintf(a.err, "%s in this directory chooses %s: deliver there? [y/N] ", configFile, where)
	answer, err := await(ctx, func() (string, error) { return readLine(a.in), nil })
	switch {
	case err != nil:
		a.note("") // the cursor is behind the question
		return err
	case !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))):
		return usagef("nothing was delivered to %s: name another endpoint on the command line", where)
	default:
		return nil
	}
}

// readLine reads a line and not a byte more: a payload may follow.
func readLine(r io.Reader) string {
	var line []byte
	for b := make([]byte, 1); len(line) < 80; {
		if n, err := r.Read(b); n == 0 || err != nil || b[0] == '\n' {
			break
		}
		line = append(line, b[0])
	}
	return string(line)
}

func bindYes(cmd *cobra.Command, yes *bool) {
	cmd.Flags().BoolVar(yes, "yes", false, "send to an endpoint that "+configFile+" in this directory chooses without asking")
}

// strangersJournal reports whether an untrusted file chooses a database.
func (c *config) strangersJournal() bool {
	return c.from[keyJournal] == workFile && journal.IsURL(c.viper.GetString(keyJournal)) && !c.trusted()
}

// trusted reports whether the user trusts the file in the working directory as
// it was read.
func (c *config) trusted() bool {
	text := c.files[workFile].text
	if text == nil {
		return false
	}
	path, err := trustedPath(configFile)
	if err != nil {
		return false
	}
	kept, err := os.ReadFile(trustRecord(path))
	return err == nil && string(kept) == recordOf(path, text)
}

// trustedPath is the path of a file without links in the directories: a link in
// place of the file counts where it is used.
func trustedPath(file string) (string, error) {
	if filepath.Base(file) != configFile {
		return "", usagef("%s is never read as configuration: want a file named %s", file, configFile)
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", readError(err)
	}
	return filepath.Join(dir, configFile), nil
}

func trustRecord(path string) string {
	return filepath.Join(xdg.StateHome, "owoxhook", "trusted", sum([]byte(path)))
}

func recordOf(path string, text []byte) string { return sum(text) + "  " + path + "\n" }

func sum(text []byte) string {
	hash := sha256.Sum256(text)
	return hex.EncodeToString(hash[:])
}

func newTrustCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "trust [FILE]",
		Short: "Trust owoxhook.yaml in this directory, as it is now",
		Long: `Trust owoxhook.yaml in this directory, or FILE of that name elsewhere, until it
changes.

If the file is not trusted, replay, send --file and listen --forward-to ask
before they send to an endpoint that it chooses, its header, insecure and
ca-cert apply only to its own endpoints, listen opens no tunnel for its public,
and settings that loosen security are printed. Trusted or not, its endpoints
never get the headers from your own configuration file.`,
		Example: `  owoxhook config trust

  # after reading it
  cat api/owoxhook.yaml && owoxhook config trust api/owoxhook.yaml`,
		Args: atMost(1, "one file"),
		RunE: func(_ *cobra.Command, args []string) error { return runTrust(a, append(args, configFile)[0], true) },
	}
}

func newUntrustCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "untrust [FILE]",
		Short: "Stop trusting owoxhook.yaml in this directory",
		Example: `  owoxhook config untrust
  owoxhook config untrust api/owoxhook.yaml`,
		Args: atMost(1, "one file"),
		RunE: func(_ *cobra.Command, args []string) error { return runTrust(a, append(args, configFile)[0], false) },
	}
}

func runTrust(a *app, file string, trust bool) error {
	asJSON, err := a.wantsJSON()
	if err != nil {
		return err
	}
	path, err := trustedPath(file)
	if err != nil {
		return err
	}
	words := "no longer trusted: "
	if trust {
		words, err = "trusted: ", keepTrust(path)
	} else if err = os.Remove(trustRecord(path)); errors.Is(err, fs.ErrNotExist) {
		words, err = "not trusted: ", nil
	}
	if err != nil {
		return err
	}
	if !asJSON {
		return a.print(words + report.Escape(path) + "\n")
	}
	return a.printLine(struct {
		Type    string `json:"type"`
		File    string `json:"file"`
		Trusted bool   `json:"trusted"`
	}{"trust", path, trust})
}

func keepTrust(path string) error {
	text, err := readConfigFile(path)
	if err != nil {
		return usageError{err}
	}
	if text == nil {
		return usagef("%s does not exist: pass the file to trust", path)
	}
	record := trustRecord(path)
	if err := os.MkdirAll(filepath.Dir(record), 0o700); err != nil {
		return writeError(err)
	}
	if err := os.WriteFile(record, []byte(recordOf(path, text)), 0o600); err != nil {
		return writeError(err)
	}
	return nil
}

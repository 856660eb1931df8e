package cmd

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// The README has the retry table of package owox.
func TestReadmeHasTheRetryTable(t *testing.T) {
	const file, start, end = "../README.md", "<!-- retries -->\n", "<!-- /retries -->\n"
	readme, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(readme), start)
	got, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("no %q and %q in the README", start, end)
	}
	var want strings.Builder
	want.WriteString("| what your endpoint does | what becomes of the event |\n|---|---|\n")
	for _, row := range owox.Retries() {
		fmt.Fprintf(&want, "| %s | %s |\n", row.Seen, row.Fate())
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+start+want.String()+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want.String() {
		t.Errorf("the README says\n%s\nrun go test ./cmd -update for\n%s", got, &want)
	}
}

package cmd

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/inspector"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

var update = flag.Bool("update", false, "rewrite the files in completions")

// completionFiles are the names under which shells and packages expect them.
var completionFiles = map[string]string{
	"bash": "owoxhook.bash", "zsh": "_owoxhook", "fish": "owoxhook.fish", "powershell": "owoxhook.ps1",
}

func TestCompletionsAreFresh(t *testing.T) {
	for _, shell := range Shells() {
		var want bytes.Buffer
		if err := WriteCompletion(Root(), shell, &want); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("..", "completions", completionFiles[shell])
		if *update {
			if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s is stale: run go test ./cmd -update", file)
		}
	}
}

// commandsIn returns the commands that do something: topics do not.
func commandsIn(root *cobra.Command) []*cobra.Command {
	return slices.DeleteFunc(slices.Clone(root.Commands()), (*cobra.Command).IsAdditionalHelpTopicCommand)
}

func TestHelpHasTwoExamplesAtLeast(t *testing.T) {
	for _, command := range append(commandsIn(Root()), Root()) {
		examples := regexp.MustCompile(`(?m)^ .*\bowoxhook( |$)`).FindAllString(command.Example, -1)
		if len(examples) < 2 {
			t.Errorf("%s has %d examples, want at least 2", command.CommandPath(), len(examples))
		}
		if command.Short == "" {
			t.Errorf("%s does not say what it does", command.CommandPath())
		}
	}
}

// Help is wrapped by hand: a terminal may have 80 columns. Examples are to copy.
func TestHelpFitsATerminal(t *testing.T) {
	const columns = 80
	pending := []*cobra.Command{Root()}
	for len(pending) > 0 {
		command := pending[0]
		pending = append(pending[1:], commandsIn(command)...)
		for line := range strings.Lines(command.Long + "\n" + command.UsageString()) {
			wide := uniseg.StringWidth(strings.TrimSuffix(line, "\n"))
			if wide > columns && !strings.HasPrefix(line, "  owoxhook ") {
				t.Errorf("%s --help has a line of %d columns, want at most %d: %s", command.CommandPath(), wide, columns, line)
			}
		}
	}
}

// Examples are only as good as their flags.
func TestExamplesParse(t *testing.T) {
	for _, command := range Root().Commands() {
		for line := range strings.SplitSeq(command.Example, "\n") {
			for part := range strings.SplitSeq(line, "|") {
				words := strings.Fields(regexp.MustCompile(`[<(]|>.*|\).*`).ReplaceAllString(part, " "))
				for len(words) > 0 && (words[0] == "source" || strings.Contains(words[0], "=")) {
					words = words[1:]
				}
				if len(words) < 2 || words[0] != "owoxhook" || words[1] == "--version" {
					continue
				}
				root := Root()
				found, rest, err := root.Find(words[1:])
				if err != nil || found == root && words[1] != "help" {
					t.Errorf("%q: no such command: %v", line, err)
					continue
				}
				if err := found.ParseFlags(rest); err != nil {
					t.Errorf("%q: %v", line, err)
				}
			}
		}
	}
}

func TestEveryConfigurationKeyHasAFlag(t *testing.T) {
	for _, key := range configKeys {
		if key != keyURL && key != keyEndpoints && findFlag(Root(), key) == nil {
			t.Errorf("no command has a flag --%s", key)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	words := []string{"send", "sample", "schema", "status-matches-event"}
	for word, want := range map[string]string{
		"sned": `: did you mean "send"?`, "SEND": `: did you mean "send"?`, "smaple": `: did you mean "sample"?`,
		"status-match-event": `: did you mean "status-matches-event"?`, "x": "", "listen": "", "": "",
	} {
		if got := didYouMean(word, words); got != want {
			t.Errorf("didYouMean(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestNothingRawIsSaid(t *testing.T) {
	const evil = "x\x1b[31m\u202e"
	for _, args := range [][]string{
		{"send", "--local", "--set", evil + "=1"},
		{"sample", "--unset", evil},
		{"sample", "--all", filepath.Join(t.TempDir(), evil)},
		{"listen", "--match", evil + "=1"},
		{"send", "--file", evil},
		{"send", "--ca-cert", evil, "http://127.0.0.1:1/"},
		{"validate", evil},
		{"check", "--only", evil, "http://127.0.0.1:1/"},
		{"deliveries", "list", "--journal", evil},
		{evil},
	} {
		var out, errOut bytes.Buffer
		Main(func() (context.Context, context.CancelFunc) { return context.WithCancel(t.Context()) }, args, strings.NewReader(""), &out, &errOut)
		if said := out.String() + errOut.String(); strings.ContainsAny(said, "\x1b\u202e") || !strings.Contains(said, "x") {
			t.Errorf("%q says %q", args, said)
		}
	}
}

func TestForwardIsAnsweredForAnApplicationThatIsNot(t *testing.T) {
	hang := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request) { <-hang }))
	defer slow.Close()
	defer close(hang)
	for address, want := range map[string]int{slow.URL: http.StatusGatewayTimeout, "http://127.0.0.1:1": http.StatusBadGateway} {
		to, err := parseEndpoint(address)
		if err != nil {
			t.Fatal(err)
		}
		f := forwarder{app: &app{now: time.Now}, to: to, proto: "http", sender: sender.New(sender.Options{Timeout: 100 * time.Millisecond})}
		d := delivery.Delivery{State: delivery.StateValid, Method: "POST", Path: "/", Body: owox.Documented(owox.RunFailed)}
		answer, ok := f.forward(t.Context(), &d)
		f.close()
		if !ok || answer.Status != want || d.Forwarded == nil || d.Forwarded.OK() {
			t.Errorf("%s: answered %d %s, want %d", address, answer.Status, answer.Body, want)
		}
	}
}

func TestParseSince(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"2h": "2026-03-10T10:00:00.000Z", "3d": "2026-03-07T12:00:00.000Z", "1w": "2026-03-03T12:00:00.000Z", "90m": "2026-03-10T10:30:00.000Z",
		"2026-01-31T08:00:00Z": "2026-01-31T08:00:00.000Z",
		"-2h":                  "", "soon": "", "d": "", "2026-13-01": "", "": "",
	} {
		got, err := parseSince(text, now)
		if (err == nil) != (want != "") || err == nil && owox.FormatTimestamp(got) != want {
			t.Errorf("parseSince(%q) = %v, %v, want %q", text, got, err, want)
		}
	}
	if day, err := parseSince("2026-01-31", now); err != nil || !day.Equal(time.Date(2026, 1, 31, 0, 0, 0, 0, time.Local)) {
		t.Errorf("a date: %v, %v", day, err)
	}
}

func TestForwardedForEndsWithTheRealPeer(t *testing.T) {
	for name, tt := range map[string]struct {
		came []string
		want string
	}{
		"no proxy":              {nil, "192.0.2.1"},
		"one proxy":             {[]string{"10.0.0.1"}, "10.0.0.1, 192.0.2.1"},
		"a forged last hop":     {[]string{"127.0.0.1, 34.38.103.182"}, "127.0.0.1, 34.38.103.182, 192.0.2.1"},
		"several lines":         {[]string{"10.0.0.1", "10.0.0.2, 10.0.0.3"}, "10.0.0.1, 10.0.0.2, 10.0.0.3, 192.0.2.1"},
		"the peer names itself": {[]string{"192.0.2.1"}, "192.0.2.1, 192.0.2.1"},
	} {
		d := delivery.Delivery{Peer: "192.0.2.1"}
		for _, value := range tt.came {
			d.Headers = append(d.Headers, owox.Header{Name: "X-Forwarded-For", Value: value})
		}
		if got := forwardedFor(d); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestOpeningAPipeWithoutAWriterEndsWithItsContext(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe.json")
	if err := exec.Command("mkfifo", pipe).Run(); err != nil {
		t.Skip("no mkfifo is here")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := (&app{}).open(ctx, pipe); !errors.Is(err, errInterrupted) {
		t.Errorf("got %v, want %v", err, errInterrupted)
	}
}

// What is printed for a shell is pasted into one: it must run owoxhook with
// these words, and nothing else.
func TestReplayCommandIsSafeToPaste(t *testing.T) {
	for _, tt := range []struct {
		to, journal string
		want        []string
	}{
		{"http://127.0.0.1:1/hook", "", []string{"replay", "7", "--to", "http://127.0.0.1:1/hook"}},
		{"@prod", "", []string{"replay", "7", "--to", "@prod"}},
		{"http://127.0.0.1:1/$(touch x)`touch x`;touch x", "", []string{"replay", "7", "--to", "http://127.0.0.1:1/$(touch x)`touch x`;touch x"}},
		{"http://u:p@127.0.0.1:1/", "", []string{"replay", "7", "--to"}},
		{"http://127.0.0.1:1/?token=secret", "", []string{"replay", "7", "--to"}},
		{"http://127.0.0.1:1/%20a", "it's $(touch x) 100%.db", []string{"replay", "7", "--journal", "it's $(touch x) 100%.db", "--to", "http://127.0.0.1:1/%20a"}},
	} {
		command := forwardFlags{to: tt.to}.replayCommand(journalFlags{file: tt.journal})(7)
		shell := exec.Command("sh", "-c", `owoxhook() { for word; do printf '%s\n' "$word"; done; }; `+command)
		shell.Dir = t.TempDir()
		out, err := shell.CombinedOutput()
		if got := strings.Split(strings.TrimSpace(string(out)), "\n"); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s runs owoxhook with %q, %v, want %q", command, got, err, tt.want)
		}
		if left, err := os.ReadDir(shell.Dir); err != nil || len(left) > 0 {
			t.Errorf("%s made %v, %v", command, left, err)
		}
	}
}

func TestThePageIsProtectedWhereOthersReachIt(t *testing.T) {
	for name, test := range map[string]struct {
		addr, password string
		certificate    *tls.Config
		want           string // what is said
		encrypted      bool
	}{
		"this machine only":        {"127.0.0.1:8788", "", &tls.Config{}, "", false},
		"others":                   {"192.0.2.1:8788", "", nil, "the page asks for the password 00000000000000000000000000000000\nthe page is not encrypted: whoever is on the way can read its password and deliveries\n", false},
		"others, with a password":  {"192.0.2.1:8788", "own", &tls.Config{}, "", true},
		"others, on every address": {"[::]:8788", "own", nil, "the page is not encrypted: whoever is on the way can read its password and deliveries\n", false},
	} {
		var said bytes.Buffer
		a := &app{err: &said, newID: func() uuid.UUID { return uuid.Nil }}
		options := inspector.Options{Addr: test.addr, Password: test.password}
		encrypted := a.protectPage(&options, test.certificate) != nil
		if said.String() != test.want || encrypted != test.encrypted || strings.HasPrefix(name, "others") != (options.Password != "") {
			t.Errorf("%s: got password %q, encrypted %v, said %q, want encrypted %v and %q", name, options.Password, encrypted, said.String(), test.encrypted, test.want)
		}
	}
}

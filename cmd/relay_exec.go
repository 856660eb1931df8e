package cmd

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
)

// hasModes: the modes of files say who can read and change them.
const hasModes = runtime.GOOS != "windows"

// command is a target that runs a command for each delivery. Status 0 is
// success.
type command struct {
	app   *app
	line  string
	limit time.Duration
}

const (
	maxCommandOutput = 4 << 10
	// maxVariable bounds the value of a variable. Linux takes 128 KiB for each, and
	// macOS 1 MiB for all with those that are there already.
	maxVariable = 4 << 10
)

// Carry implements [relay.Carrier].
func (c command) Carry(ctx context.Context, b relay.Batch) delivery.Attempt {
	d := b.Deliveries[0]
	attempt := delivery.Attempt{ID: d.ID, Event: d.Event, URL: c.shown()}
	limited, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	var output beginning
	cmd := shell(limited, c.line)
	cmd.Env, cmd.Stdin = append(os.Environ(), variables(d)...), bytes.NewReader(d.Body)
	cmd.Stdout, cmd.Stderr = &output, &output
	ownGroup(cmd, nil)
	cmd.Cancel = func() error {
		(&child{cmd: cmd}).signal(os.Kill)
		return nil
	}
	cmd.WaitDelay = time.Second // for what it left behind with its output
	start := c.app.now()
	err := cmd.Run()
	attempt.Duration = c.app.now().Sub(start)
	attempt.Body, attempt.Cut = output.kept, output.cut
	var ended *exec.ExitError
	switch {
	case cmd.ProcessState != nil && cmd.ProcessState.Success(): // whoever still has its output
	case limited.Err() != nil && ctx.Err() == nil:
		attempt.Failure = &delivery.Failure{Kind: delivery.TimedOut, Error: fmt.Sprintf("did not end within %v", c.limit), Hint: "pass a longer --timeout"}
	case errors.As(err, &ended):
		attempt.Failure = &delivery.Failure{Kind: delivery.Other, Error: "exit status " + strconv.Itoa(exitStatus(cmd.ProcessState))}
	default:
		attempt.Failure = &delivery.Failure{Kind: delivery.Other, Error: err.Error()}
	}
	return attempt
}

// beginning keeps the first bytes that are written to it, and takes the rest: a
// command whose output nobody reads would stand still.
type beginning struct {
	kept []byte
	cut  bool
}

func (b *beginning) Write(p []byte) (int, error) {
	room := min(len(p), maxCommandOutput-len(b.kept))
	b.kept, b.cut = append(b.kept, p[:room]...), b.cut || room < len(p)
	return len(p), nil
}

// Show implements [relay.Carrier].
func (c command) Show(b relay.Batch) (string, error) {
	d := b.Deliveries[0]
	return c.shown() + "\n" + strings.Join(variables(d), "\n") + "\n\n" + string(d.Body), nil
}

// program finds the first word of a command that sets no variable. It matches
// only what a shell surely reads the same way.
var program = sync.OnceValue(func() *regexp.Regexp {
	const (
		space    = `[ \t\n](?:[ \t\n]|\\\n)*`
		variable = `\$(?:\w+|\{\w+\})`
		value    = `(?:[^\s'"\\$\x60;&|<>(){}]|\\.|'[^']*'|"(?:[^"\\$\x60]|` + variable + `)*"|` + variable + `)*`
		word     = `((?:[\w./~@%+:,-]|\\.)+)|'([^'=]+)'|"([^"=$\x60]+)"`
	)
	return regexp.MustCompile(`^(?:` + space + `)?(?:[A-Za-z_]\w*\+?=` + value + space + `)*(?:` + word + `)(?:[ \t\n;&|<>)]|$)`)
})

// shown is the program of the command: arguments and variables may be secret.
func (c command) shown() string {
	found := program().FindStringSubmatch(c.line)
	if found == nil {
		return "exec:…"
	}
	return "exec:" + cmp.Or(found[1:]...)
}

func shell(ctx context.Context, line string) *exec.Cmd {
	if runtime.GOOS == "windows" {
		return exec.CommandContext(ctx, "cmd", "/C", line) //nolint:gosec // running the user's command is the job
	}
	return exec.CommandContext(ctx, "sh", "-c", line) //nolint:gosec // running the user's command is the job
}

// variables tell a command about a delivery. No variable can have a NUL byte, or
// be of any length.
func variables(d delivery.Delivery) []string {
	text := func(path string) string { return gjson.GetBytes(d.Body, path).String() }
	var all []string
	for _, v := range [][2]string{
		{"ID", d.ID},
		{"EVENT", d.Event.Short()},
		{"TEST", strconv.FormatBool(d.IsTest)},
		{"PROJECT_ID", d.ProjectID},
		{"PROJECT", text(owox.PathProject)},
		{"DATA_MART_ID", d.DataMartID},
		{"DATA_MART", d.Title},
		{"URL", text(owox.PathURL)},
		{"RUN_ID", d.RunID},
		{"RUN_STATUS", d.RunStatus},
		{"RECEIVED_AT", owox.FormatTimestamp(d.ReceivedAt)},
	} {
		value := strings.ReplaceAll(v[1], "\x00", "")
		if len(value) > maxVariable {
			value = strings.ToValidUTF8(value[:maxVariable], "") // without part of a character
		}
		all = append(all, "OWOX_"+v[0]+"="+value)
	}
	return all
}

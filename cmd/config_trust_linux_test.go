package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestQuestionsEndWithTheirContext(t *testing.T) {
	terminal := openTerminal(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	a := &app{in: terminal, err: terminal, config: &config{}}
	to := target{url: &url.URL{Scheme: "http", Host: "elsewhere.example"}, from: workFile}
	if err := a.allowReal(ctx, to, false); !errors.Is(err, errInterrupted) {
		t.Errorf("got %v, want %v", err, errInterrupted)
	}
}

func TestBytesAreEscapedForTerminalsAlone(t *testing.T) {
	const bytes = "{\"a\":\"\u202e\"}\r\n\x1b[31m\n"
	for _, test := range []struct {
		name string
		out  io.Writer
		want string
	}{
		{"a terminal", openTerminal(t), "{\"a\":\"\\u202e\"}\n\\x1b[31m\n"},
		{"anything else", io.Discard, bytes},
	} {
		var got strings.Builder
		n, err := io.WriteString((&app{out: test.out}).raw(&got), bytes)
		if err != nil || n != len(bytes) || got.String() != test.want {
			t.Errorf("%s gets %q, %v, want %q", test.name, &got, err, test.want)
		}
	}
}

// openTerminal returns a terminal at which nobody types.
func openTerminal(t *testing.T) *os.File {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = keyboard.Close() }) // nothing was typed
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return terminal
}

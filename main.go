// Command owoxhook sends, receives and validates OWOX Data Marts webhooks.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/owoxhook/owoxhook/cmd"
)

func main() { os.Exit(run()) }

func run() int {
	// A reader that is gone is an error of the write, not the end of the process.
	// It is not ignored: programs that we start would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	// net/http logs when an endpoint sends more than its answer, once a delivery.
	log.SetOutput(io.Discard)
	return cmd.Main(interruptible, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// interruptible lets a first signal end the work in good order and a second one
// at once.
func interruptible() (ctx context.Context, stop context.CancelFunc) {
	ctx, stop = signal.NotifyContext(context.Background(), cmd.EndingSignals()...)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

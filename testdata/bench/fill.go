//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

// every is the time between two deliveries of a filled journal.
const every = time.Minute

// fillJournal makes a journal with n deliveries, the newest received just now.
// All of them are valid, real events. It writes them through the journal, so
// that they are what listen keeps: many at a time, as they share commits.
func fillJournal(ctx context.Context, file string, n int) (err error) {
	j, err := journal.Open(ctx, file, journal.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	now := time.Now()
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for worker := range 512 {
		random := rand.New(rand.NewPCG(3, uint64(worker)))
		group.Go(func() error {
			for i := next.Add(1); i <= int64(n) && ctx.Err() == nil; i = next.Add(1) {
				d := received(random, now.Add(-every*time.Duration(int64(n)-i)))
				if err := j.Keep(&d, func() {}); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	return group.Wait()
}

// received makes a delivery with an id and a data mart of its own.
func received(random *rand.Rand, at time.Time) delivery.Delivery {
	events := owox.Events()
	body := owox.Sample{Event: events[random.IntN(len(events))].Type, ID: randomID(random), Now: at}.JSON()
	body = set(body, owox.PathDataMartID, fmt.Sprintf("dm-%06x", random.Uint32N(1<<24)))
	who := owox.Identify(body)
	return delivery.Delivery{
		Identity:   who,
		ReceivedAt: at,
		Remote:     owox.SourceAddress,
		Method:     owox.Method,
		Path:       "/",
		Headers:    append([]owox.Header{{Name: "Host", Value: "hooks.example.com"}}, owox.Headers(who.ID, string(who.Event))...),
		Body:       body,
		State:      delivery.StateValid,
		Answered:   http.StatusOK,
	}
}

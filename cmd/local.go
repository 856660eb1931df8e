package cmd

import (
	"context"
	"errors"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/receiver"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// sendLocally delivers to a receiver of our own. The receiver's side of each
// attempt is printed before the sender's.
func (j *sendJob) sendLocally(ctx context.Context, requests []sender.Request) error {
	listener, err := listenOn(ctx, "--addr", "127.0.0.1:0")
	if err != nil {
		return err
	}
	received := make(chan delivery.Delivery, 1)
	handler := receiver.New(receiver.Options{Validator: j.validator, Now: j.now, Received: func(d delivery.Delivery) { received <- d }})
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- receiver.Server{Handler: handler}.Serve(serving, listener) }()

	j.url.Host = listener.Addr().String()
	err = j.reporter.Report(report.Listening{URL: j.url.String(), Path: j.url.Path})
	if err == nil {
		err = j.send(ctx, requests, func(attempt delivery.Attempt) error {
			if attempt.Status != 0 {
				if err := j.reporter.Report(report.Delivery{Delivery: <-received}); err != nil {
					return err
				}
			}
			return j.reportAttempt(attempt)
		})
	}
	stop()
	return errors.Join(err, <-ended)
}

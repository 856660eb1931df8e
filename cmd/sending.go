package cmd

import (
	"context"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// send delivers one request after the other and says how many failed.
func (j *sendJob) send(ctx context.Context, requests []sender.Request, each func(delivery.Attempt) error) error {
	failed := 0
	for _, request := range requests {
		var reportErr error
		outcome := j.sender.Deliver(ctx, request, func(attempt delivery.Attempt) {
			if reportErr == nil {
				reportErr = each(j.worded(attempt))
			}
			if attempt.Note != "" {
				j.note("note: %s", attempt.Note)
			}
		})
		switch {
		case reportErr != nil:
			return reportErr
		case ctx.Err() != nil:
			return errInterrupted
		case !outcome.OK():
			failed++
		}
	}
	if len(requests) > 1 {
		err := j.summary(len(requests), failed)
		if err != nil {
			return err
		}
	}
	switch {
	case failed == 0:
		return nil
	case len(requests) == 1:
		return judgedf("not delivered")
	default:
		return judgedf("%d of %d not delivered", failed, len(requests))
	}
}

// worded has the line of a failed attempt say whether OWOX would have tried
// again, where it is tried again whatever OWOX would do.
func (j *sendJob) worded(a delivery.Attempt) delivery.Attempt {
	if !j.opts.retryAll || a.Failure == nil {
		return a
	}
	failure, words := *a.Failure, "; OWOX would not have tried again"
	if a.OWOXRetries() {
		words = "; OWOX would have tried again"
	}
	failure.Error += words
	a.Failure = &failure
	return a
}

func (j *sendJob) reportAttempt(a delivery.Attempt) error {
	return j.reporter.Report(report.Attempt{Attempt: a})
}

func (j *sendJob) summary(made, failed int) error {
	return j.reporter.Report(report.Summary{
		{N: made, Name: "deliveries", One: "delivery", Many: "deliveries"},
		{N: made - failed, Name: "succeeded", One: "succeeded", Many: "succeeded"},
		{N: failed, Name: "failed", One: "failed", Many: "failed"},
	})
}

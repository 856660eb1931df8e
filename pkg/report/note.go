package report

import (
	"strings"

	"github.com/owoxhook/owoxhook/pkg/delivery"
)

// note returns in words why a request was refused, not kept, or not answered; it
// is empty where the findings are enough.
func note(d delivery.Delivery) string {
	switch d.State {
	case delivery.StateNotKept:
		return "it could not be kept: " + d.Detail
	case delivery.StateGone:
		return "the sender hung up before the answer"
	case delivery.StateRefused:
		return refusal(d)
	default:
		return ""
	}
}

func refusal(d delivery.Delivery) string {
	switch d.Reason {
	case delivery.WrongAddress:
		return "address " + d.Remote + " is not allowed"
	case delivery.WrongPath:
		path, _, _ := strings.Cut(d.Path, "?")
		return "path " + path + " is not " + d.Detail
	case delivery.WrongMethod:
		return "method " + d.Method + " is not allowed"
	case delivery.Compressed:
		return "the body is compressed with " + d.Detail
	case delivery.TooLarge:
		return "the body is larger than the limit of " + d.Detail + " bytes"
	case delivery.TooSlow:
		return "the body did not arrive in time"
	case delivery.Incomplete:
		return "the body did not arrive whole: " + d.Detail
	default:
		return string(d.Reason)
	}
}

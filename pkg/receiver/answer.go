package receiver

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// refusals are the answers to what is refused. They tell a stranger nothing
// about the receiver: its path may be its only secret.
var refusals = map[delivery.Reason]struct {
	status int
	detail string
}{
	delivery.WrongAddress: {http.StatusForbidden, "this address may not deliver"},
	delivery.WrongPath:    {http.StatusNotFound, "nothing is received at this path"},
	delivery.WrongMethod:  {http.StatusMethodNotAllowed, "the method must be " + owox.Method},
	delivery.Compressed:   {http.StatusUnsupportedMediaType, "the body must not be compressed"},
	delivery.TooLarge:     {http.StatusRequestEntityTooLarge, "the body is larger than the limit"},
	delivery.TooSlow:      {http.StatusRequestTimeout, "the body did not arrive in time"},
	delivery.Incomplete:   {http.StatusBadRequest, "the body did not arrive whole"},
}

const (
	typeOK       = "text/plain; charset=utf-8"
	typeProblem  = "application/problem+json"
	maxProblems  = 100 // findings in an answer
	writeTimeout = 10 * time.Second
)

// answer writes the answer to the wire before it returns. There is no body
// where the status allows none.
func answer(w http.ResponseWriter, d *delivery.Delivery, own Answer) {
	var contentType string
	var body []byte
	switch {
	case own.Status != 0:
		contentType, body = own.ContentType, own.Body
	case d.Answered >= 200 && d.Answered <= 299:
		contentType, body = typeOK, []byte("ok\n")
	default:
		contentType, body = typeProblem, problem(d)
	}
	header := w.Header()
	header["Content-Type"] = nil // or net/http guesses one
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	header.Set("X-Content-Type-Options", "nosniff")
	if d.Answered == http.StatusMethodNotAllowed {
		header.Set("Allow", owox.Method)
	}
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(writeTimeout)) // of a recorder there is none
	hasBody := d.Answered != http.StatusNoContent && d.Answered != http.StatusNotModified
	if hasBody {
		header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(d.Answered)
	if hasBody {
		_, _ = w.Write(body) // a sender that is gone is noticed by the next one
	}
	_ = control.Flush()
}

// Lenient, because messages quote what came.
var jsonOptions = json.JoinOptions(jsontext.AllowInvalidUTF8(true))

// problem is the body of an answer that is not 2xx. Findings are in it when
// one of them is an error.
func problem(d *delivery.Delivery) []byte {
	findings, reason := d.Findings, d.Reason
	if reason == delivery.WrongAddress && d.Answered == http.StatusNotFound {
		reason = delivery.WrongPath // so a stranger is told
	}
	if d.State != delivery.StateInvalid {
		findings = nil
	}
	details := struct {
		Title    string             `json:"title"`
		Status   int                `json:"status"`
		Detail   string             `json:"detail,omitzero"`
		Findings []validate.Finding `json:"findings,omitempty"`
		Omitted  int                `json:"omitted,omitzero"`
	}{
		Title:    http.StatusText(d.Answered),
		Status:   d.Answered,
		Detail:   refusals[reason].detail,
		Findings: findings[:min(len(findings), maxProblems)],
		Omitted:  max(0, len(findings)-maxProblems),
	}
	switch {
	case d.State == delivery.StateNotKept:
		details.Detail = "the delivery could not be kept: send it again"
	case d.Answered == http.StatusUnprocessableEntity:
		details.Title = "The delivery contradicts the documentation of OWOX Data Marts webhooks"
	}
	var out bytes.Buffer
	if err := json.MarshalWrite(&out, details, jsonOptions); err != nil {
		return []byte(`{"status":` + strconv.Itoa(d.Answered) + `}`)
	}
	return append(out.Bytes(), '\n')
}

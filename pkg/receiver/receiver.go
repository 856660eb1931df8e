// Package receiver is the endpoint of owoxhook: an http.Handler that reads a
// request, has it validated against the contract, keeps it, and answers; and
// the [Server] that runs it without trusting its clients. The handler works
// under any net/http server, httptest's too.
//
// Answers are 200 for a delivery without errors, and problem details (RFC 9457)
// with a status that says why otherwise: 422 findings of severity error, 503 a
// delivery that could not be kept, and for what is not a delivery 400 and 408 a
// body that did not arrive, 403 an address that is not allowed, 404 another
// path, 405 another method, 413 a body over the limit, 415 a compressed body.
package receiver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// Options configure a [Receiver]. Only Validator is required.
type Options struct {
	Validator      *validate.Validator // its MaxBody is the limit of a body
	Path           string              // "": "/"
	AcceptAll      bool                // answer 200 whatever the findings
	Allowed        []netip.Prefix      // addresses that may deliver; nil: all
	TrustedProxies []netip.Prefix      // whose X-Forwarded-For is believed
	TunnelHeader   string              // by which a tunnel of this machine names the sender; "": none
	Hidden         bool                // answer 404, not 403, to addresses that are not allowed
	Respond        []int               // statuses to answer deliveries with, in turn
	Delay          time.Duration       // before every answer to a delivery
	AnswerFirst    bool                // answer as soon as it is kept, and forward then
	Now            func() time.Time    // nil: time.Now
	// Keep makes a request durable before it is answered. Where an earlier
	// delivery has the same id, or is of the same run, it sets Duplicate and
	// DuplicateOf, or SameRun and SameRunAs, and calls again before it commits:
	// that may change findings, state and status. After
	// an error the delivery is answered with 503. nil: nothing is kept, and the
	// receiver tells duplicates by the newest ids that it has seen itself.
	Keep func(d *delivery.Delivery, again func()) error
	// Forward passes a delivery on once it was kept, and notes how that went;
	// its answer is the sender's, unless Respond has one. ok is false when the
	// delivery is not to be forwarded. nil: nothing is.
	Forward func(context.Context, *delivery.Delivery) (answer Answer, ok bool)
	// Received is called for every request, after it was answered, from the
	// goroutines that serve requests. nil: not called.
	Received func(delivery.Delivery)
}

// Answer is what an application answered.
type Answer struct {
	Status      int
	ContentType string
	Body        []byte
}

// Receiver is the handler. It may serve several requests at once.
type Receiver struct {
	options Options
	plan    atomic.Pointer[Plan]
	turn    atomic.Uint64
}

// New returns a receiver.
func New(options Options) *Receiver {
	if options.Path == "" {
		options.Path = "/"
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Keep == nil {
		options.Keep = newMemory().keep
	}
	if options.Received == nil {
		options.Received = func(delivery.Delivery) {}
	}
	rc := &Receiver{options: options}
	rc.plan.Store(&Plan{Respond: options.Respond, Delay: options.Delay})
	return rc
}

// ServeHTTP validates the request, keeps it, answers it, and passes it on.
func (rc *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	peer := address(r.RemoteAddr)
	remote := rc.remote(peer, r.Header)
	d := delivery.Delivery{
		ReceivedAt: rc.options.Now(),
		Remote:     remote.String(),
		Peer:       peer.String(),
		Method:     r.Method,
		Path:       r.RequestURI,
		Headers:    slices.Insert(owox.SortHeaders(r.Header), 0, owox.Header{Name: "Host", Value: r.Host}),
	}
	rc.refuse(remote, r, &d)
	if d.State != delivery.StateRefused {
		rc.read(w, r, &d)
	}
	var own Answer
	if d.State == delivery.StateRefused {
		d.Answered = refusals[d.Reason].status
		if rc.options.Hidden && d.Reason == delivery.WrongAddress {
			d.Answered = http.StatusNotFound
		}
		_ = rc.options.Keep(&d, func() {}) // it is refused all the same
	} else {
		own = rc.accept(r, &d)
	}
	later := rc.options.AnswerFirst && rc.options.Forward != nil && (d.State == delivery.StateValid || d.State == delivery.StateInvalid)
	if later {
		w.Header().Set("Connection", "close") // it serves nothing else while the delivery goes on
	}
	answer(w, &d, own)
	if later {
		_, _ = rc.options.Forward(context.WithoutCancel(r.Context()), &d)
	}
	if d.State == delivery.StateGone {
		d.Answered = 0 // nobody reads it, most likely
	}
	rc.options.Received(d)
}

// refuse refuses what need not be read.
func (rc *Receiver) refuse(remote netip.Addr, r *http.Request, d *delivery.Delivery) {
	allowed := func(p netip.Prefix) bool { return p.Contains(remote) }
	encoding, compressed := validate.Compressed(r.Header)
	switch {
	case rc.options.Allowed != nil && !slices.ContainsFunc(rc.options.Allowed, allowed):
		d.State, d.Reason = delivery.StateRefused, delivery.WrongAddress
	case r.URL.Path != rc.options.Path:
		d.State, d.Reason, d.Detail = delivery.StateRefused, delivery.WrongPath, rc.options.Path
	case r.Method != owox.Method:
		d.State, d.Reason = delivery.StateRefused, delivery.WrongMethod
	case compressed:
		d.State, d.Reason, d.Detail = delivery.StateRefused, delivery.Compressed, encoding
	}
}

// read reads the body, or refuses it with what came of it.
func (rc *Receiver) read(w http.ResponseWriter, r *http.Request, d *delivery.Delivery) {
	limit := int64(rc.options.Validator.MaxBody())
	var err error
	d.Body, err = readBody(w, r, limit)
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return
	case errors.As(err, &tooLarge):
		d.Reason, d.Detail = delivery.TooLarge, strconv.FormatInt(limit, 10)
	case errors.Is(err, os.ErrDeadlineExceeded):
		d.Reason = delivery.TooSlow
	default:
		d.Reason, d.Detail = delivery.Incomplete, err.Error()
	}
	d.State, d.Cut = delivery.StateRefused, true
}

// readBody reads the body, or its beginning with an error.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength <= 0 || r.ContentLength > limit {
		return io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	}
	body := make([]byte, r.ContentLength)
	n, err := io.ReadFull(r.Body, body)
	return body[:n], err
}

// accept validates, keeps and forwards a delivery, and says in it what to
// answer, with an application's own answer if there is one.
func (rc *Receiver) accept(r *http.Request, d *delivery.Delivery) (own Answer) {
	d.Identity, d.Findings = rc.options.Validator.Identify(d.Method, r.Header, d.Body)
	plan := rc.Plan()
	rehearsed := rc.nextStatus(plan)
	rc.decide(d, rehearsed)
	err := rc.options.Keep(d, func() {
		if d.Duplicate {
			d.Findings = append(d.Findings, rc.options.Validator.SeenBefore(d.ID, d.DuplicateOf)...)
		}
		if d.SameRun {
			d.Findings = append(d.Findings, rc.options.Validator.RunSeenBefore(d.RunID, d.SameRunAs)...)
		}
		rc.decide(d, rehearsed)
	})
	if err != nil {
		d.State, d.Detail, d.Answered = delivery.StateNotKept, err.Error(), http.StatusServiceUnavailable
		return own
	}
	if rc.options.Forward != nil && !rc.options.AnswerFirst {
		// A sender that has closed its side may still wait for the answer.
		forwarded, ok := rc.options.Forward(context.WithoutCancel(r.Context()), d)
		if ok && rehearsed == 0 {
			own, d.Answered = forwarded, forwarded.Status
		}
	}
	if !wait(r.Context(), plan.Delay) {
		d.State = delivery.StateGone
	}
	return own
}

// decide gives a delivery its state and answer by its findings.
func (rc *Receiver) decide(d *delivery.Delivery, rehearsed int) {
	d.State, d.Answered = delivery.StateValid, http.StatusOK
	if !validate.Valid(d.Findings) {
		d.State = delivery.StateInvalid
		if !rc.options.AcceptAll {
			d.Answered = http.StatusUnprocessableEntity
		}
	}
	if rehearsed != 0 {
		d.Answered = rehearsed
	}
}

// Package receiver is the endpoint of owoxhook: an http.Handler that reads a
// request, has it judged against the contract, and answers; and the server
// that runs it without trusting its clients.
//
// A request is kept before it is answered, where there is something to keep it.
//
// Answers are 200 for a delivery without errors, and problem details (RFC 9457)
// with a status that says why otherwise: 400 and 408 for a body that did not
// arrive, 403 an address that is not allowed, 404 another path, 405 another
// method, 413 a body over the limit, 415 a compressed body, 422 findings of
// severity error, 503 a request that could not be kept.
package receiver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

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
	Respond        []int               // statuses to answer judged deliveries with, in turn
	Delay          time.Duration       // before every answer to a judged delivery
	Now            func() time.Time    // nil: time.Now
	// Keep makes a request durable before it is answered, and gives it its
	// sequence. After an error the answer is 503. nil: nothing is kept.
	Keep func(*delivery.Delivery) error
	// Forward passes a delivery on once it was kept, and notes how that went;
	// its answer is the sender's, unless Respond has one. ok is false when the
	// delivery is not to be forwarded. nil: nothing is.
	Forward func(context.Context, *delivery.Delivery) (answer Answer, ok bool)
	// Received is called for every request, after it was answered, from the
	// goroutines that serve requests. nil: nobody is told.
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
	seen    seen
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
	if options.Received == nil {
		options.Received = func(delivery.Delivery) {}
	}
	return &Receiver{options: options}
}

// ServeHTTP judges the request, answers it, and passes it on.
func (rc *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	remote := rc.remote(peer(r.RemoteAddr), r.Header)
	d := delivery.Delivery{
		ReceivedAt: rc.options.Now(),
		Remote:     remote.String(),
		Method:     r.Method,
		Path:       r.RequestURI,
		Headers:    headers(r),
	}
	status, final := rc.refuse(remote, r.URL.Path, &d), true
	if status == 0 {
		status, final = rc.read(w, r, &d)
	}
	d.Answered = status
	own, waited := rc.finish(r.Context(), &d, final)
	answer(w, &d, own)
	if !waited {
		d.Answered, d.Note = 0, noteHungUp // nobody reads the answer, most likely
	}
	rc.options.Received(d)
}

// finish keeps and forwards a request, and says in d what to answer, with an
// application's own answer if there is one. A final answer is one that neither
// an application nor a rehearsal changes. It reports whether the sender waited.
func (rc *Receiver) finish(ctx context.Context, d *delivery.Delivery, final bool) (own Answer, waited bool) {
	turns := rc.options.Respond
	rehearsed := !final && len(turns) > 0
	if rehearsed {
		d.Answered = turns[(rc.turn.Add(1)-1)%uint64(len(turns))]
	}
	if rc.options.Keep != nil {
		if err := rc.options.Keep(d); err != nil {
			d.Answered, d.Note = http.StatusServiceUnavailable, "it could not be kept: "+err.Error()
			return own, true
		}
	}
	if final {
		return own, true
	}
	if rc.options.Forward != nil {
		if forwarded, ok := rc.options.Forward(ctx, d); ok && !rehearsed {
			own, d.Answered = forwarded, forwarded.Status
		}
	}
	if !rc.wait(ctx) {
		d.Answered = http.StatusServiceUnavailable
		return Answer{}, false
	}
	return own, true
}

// refuse returns the status for a request that is not read at all, or 0.
func (rc *Receiver) refuse(remote netip.Addr, path string, d *delivery.Delivery) int {
	allowed := func(p netip.Prefix) bool { return p.Contains(remote) }
	switch {
	case rc.options.Allowed != nil && !slices.ContainsFunc(rc.options.Allowed, allowed):
		d.Note = "address " + d.Remote + " is not allowed"
		return http.StatusForbidden
	case path != rc.options.Path:
		d.Note = "path " + path + " is not " + rc.options.Path
		return http.StatusNotFound
	default:
		return 0
	}
}

// read reads and judges the request and returns the status to answer with.
func (rc *Receiver) read(w http.ResponseWriter, r *http.Request, d *delivery.Delivery) (status int, final bool) {
	limit := int64(rc.options.Validator.MaxBody())
	var err error
	d.Body, err = readBody(w, r, limit)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		d.Cut = true
		d.Note = "the body is larger than the limit of " + strconv.FormatInt(limit, 10) + " bytes"
		return http.StatusRequestEntityTooLarge, true
	case errors.Is(err, os.ErrDeadlineExceeded):
		d.Cut, d.Note = true, "the body did not arrive in time"
		return http.StatusRequestTimeout, true
	case err != nil:
		d.Cut, d.Note = true, "the body did not arrive whole: "+err.Error()
		return http.StatusBadRequest, true
	default:
		return rc.judge(r.Header, d)
	}
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

// judge judges a request whose body was read and returns the status to answer
// with.
func (rc *Receiver) judge(header http.Header, d *delivery.Delivery) (status int, final bool) {
	d.Identity, d.Findings = rc.options.Validator.Identify(d.Method, header, d.Body)
	if d.ID != "" && rc.seen.before(d.ID) {
		d.Duplicate = true
		d.Findings = append(d.Findings, rc.options.Validator.SeenBefore(d.ID)...)
	}
	_, compressed := validate.Compressed(header)
	switch {
	case d.Method != owox.Method:
		return http.StatusMethodNotAllowed, true
	case compressed:
		return http.StatusUnsupportedMediaType, true
	case d.Valid() || rc.options.AcceptAll:
		return http.StatusOK, false
	default:
		return http.StatusUnprocessableEntity, false
	}
}

const noteHungUp = "the sender hung up before the answer"

// wait delays the answer; it reports whether the sender waited for it.
func (rc *Receiver) wait(ctx context.Context) bool {
	if rc.options.Delay == 0 {
		return true
	}
	timer := time.NewTimer(rc.options.Delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

const (
	textOK      = "ok\n"
	typeOK      = "text/plain; charset=utf-8"
	typeProblem = "application/problem+json"
	maxProblems = 100 // findings in an answer
)

// reply returns what to answer: an application's own answer, or ours. There is
// no body where the status allows none.
func reply(d *delivery.Delivery, own Answer) (contentType string, body []byte) {
	switch {
	case own.Status != 0:
		contentType, body = own.ContentType, own.Body
	case d.Answered >= 200 && d.Answered <= 299:
		contentType, body = typeOK, []byte(textOK)
	default:
		contentType, body = typeProblem, problem(d)
	}
	if !bodyAllowed(d.Answered) {
		body = nil
	}
	return contentType, body
}

func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

const (
	headerNoSniff = "X-Content-Type-Options"
	noSniff       = "nosniff"
)

// answer writes the answer to the wire before it returns.
func answer(w http.ResponseWriter, d *delivery.Delivery, own Answer) {
	contentType, body := reply(d, own)
	header := w.Header()
	header["Content-Type"] = nil // or net/http guesses one
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	header.Set(headerNoSniff, noSniff)
	if d.Answered == http.StatusMethodNotAllowed {
		header.Set("Allow", owox.Method)
	}
	if bodyAllowed(d.Answered) {
		header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(d.Answered)
	_, _ = w.Write(body) // a sender that is gone is noticed by the next one
	_ = http.NewResponseController(w).Flush()
}

// problem is the body of an answer that is not 2xx. Findings are in it when
// one of them is an error.
func problem(d *delivery.Delivery) []byte {
	status := d.Answered
	findings := d.Findings
	if validate.Valid(findings) {
		findings = nil
	}
	details := struct {
		Title    string             `json:"title"`
		Status   int                `json:"status"`
		Detail   string             `json:"detail,omitzero"`
		Findings []validate.Finding `json:"findings,omitempty"`
		Omitted  int                `json:"omitted,omitzero"`
	}{
		Title:    http.StatusText(status),
		Status:   status,
		Detail:   d.Note,
		Findings: findings[:min(len(findings), maxProblems)],
		Omitted:  max(0, len(findings)-maxProblems),
	}
	if status == http.StatusUnprocessableEntity {
		details.Title = "The delivery contradicts the documentation of OWOX Data Marts webhooks"
	}
	var out bytes.Buffer
	// Messages quote what came: it may be no UTF-8.
	if err := json.MarshalWrite(&out, details, jsonOptions); err != nil {
		return []byte(`{"status":` + strconv.Itoa(status) + `}`)
	}
	return append(out.Bytes(), '\n')
}

// headers returns the request's headers as they came where a [Server] has
// listened in. Otherwise Host comes first, the others by name, and the
// documented ones are spelt as documented.
func headers(r *http.Request) []owox.Header {
	if conn, ok := r.Context().Value(wireKey{}).(*wireConn); ok {
		if headers, ok := conn.take(r); ok {
			return headers
		}
	}
	return slices.Insert(owox.SortHeaders(r.Header), 0, owox.Header{Name: "Host", Value: r.Host})
}

// peer reads the address at the other end of a connection.
func peer(text string) netip.Addr {
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

// remote returns the address of the sender. Proxies that are trusted are
// passed over from the last to the first.
func (rc *Receiver) remote(address netip.Addr, header http.Header) netip.Addr {
	if len(rc.options.TrustedProxies) == 0 {
		return address
	}
	forwarded := strings.Split(strings.Join(header.Values("X-Forwarded-For"), ","), ",")
	for _, text := range slices.Backward(forwarded) {
		trusted := func(p netip.Prefix) bool { return p.Contains(address) }
		next, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil || !slices.ContainsFunc(rc.options.TrustedProxies, trusted) {
			break
		}
		address = next.Unmap()
	}
	return address
}

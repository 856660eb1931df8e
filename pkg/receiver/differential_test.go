package receiver_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/receiver"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

const differentialLimit = 2000 // bytes of a body

// records are what a server says it has received.
type records struct {
	mu    sync.Mutex
	lines []string
}

func (r *records) add(method, target string, headers []owox.Header, body []byte, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf("%s %s %v %q %d", method, target, headers, body, status))
}

func (r *records) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.lines
	r.lines = nil
	return lines
}

// plainHandler has the semantics of a Receiver in as few lines as they take.
func plainHandler(got *records) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers := append([]owox.Header{{Name: "Host", Value: r.Host}}, owox.SortHeaders(r.Header)...)
		status, body := http.StatusOK, []byte(nil)
		_, compressed := validate.Compressed(r.Header)
		switch {
		case r.URL.Path != "/":
			status = http.StatusNotFound
		case r.Method != owox.Method:
			status = http.StatusMethodNotAllowed
		case compressed:
			status = http.StatusUnsupportedMediaType
		default:
			var err error
			body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, differentialLimit))
			var tooLarge *http.MaxBytesError
			switch {
			case errors.As(err, &tooLarge):
				status, body = http.StatusRequestEntityTooLarge, nil
			case err != nil:
				status, body = http.StatusBadRequest, nil
			case !validate.Valid(validate.Request(r.Method, r.Header, body)):
				status = http.StatusUnprocessableEntity
			}
		}
		got.add(r.Method, r.RequestURI, headers, body, status)
		w.WriteHeader(status)
		_, _ = w.Write([]byte("x"))
	})
}

// The kinds of RFC 9112: of request lines, header lines and bodies. %s is
// filled in with the length of the body.
var (
	oddLines = []string{
		"POST / HTTP/1.1", "POST / HTTP/1.1", "POST / HTTP/1.1", "POST /?a=b HTTP/1.1", "POST http://a/ HTTP/1.1", "POST / HTTP/1.0", "OPTIONS * HTTP/1.1",
		"GET / HTTP/1.1", "POST /other HTTP/1.1", "post / HTTP/1.1", "POST  / HTTP/1.1", "POST / HTTP/2.0", "POST / HTTP/1.9", "POST /", "POST /a b HTTP/1.1", "\r\nPOST / HTTP/1.1", "POST /%2f HTTP/1.1", "POST /%zz HTTP/1.1",
	}
	oddLengths = []string{
		"Content-Length: %s", "Content-Length: %s", "Content-Length: %s", "content-length:%s ", "Content-Length: %s\r\nContent-Length: %s", "Content-Length: %s\r\nContent-Length: 1",
		"Content-Length: %s, %s", "Content-Length: +%s", "Content-Length: -1", "Content-Length: 0x10", "Content-Length: ", "Content-Length: 99999999999999999999", "Content-Length : %s", "Content-Length:\t%s", "X: y", "Content-Length: 0%s",
	}
	oddCodings = []string{
		"Transfer-Encoding: chunked", "Transfer-Encoding: chunked", "transfer-encoding: Chunked", "Transfer-Encoding: chunked\r\nContent-Length: 3", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: xchunked",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Transfer-Encoding:\x0bchunked", "Transfer-Encoding: identity",
	}
	oddHeaders = []string{
		"", "", "", "X-A: 1\r\n 2", "X-A: 1\r\n\t2", "X-A: 1\rX-B: 2", "X-A: 1\nX-B: 2", "X-A : 1", ": 1", "X-A", "X-A: \x00", "Expect: 100-continue", "Expect: something", "Connection: close", "Connection: keep-alive",
		"Content-Encoding: gzip", "Content-Encoding: identity", "Host: b", "X-Forwarded-For: 1.2.3.4", "X-A: \xff", "X-(A): 1", "Trailer: X-T", "Upgrade: h2c\r\nConnection: Upgrade", "X-Webhook-ID: 1",
	}
	oddChunks = []string{
		"%x\r\n%s\r\n0\r\n\r\n", "%x\r\n%s\r\n0\r\n\r\n", "%x;a=b\r\n%s\r\n0;c\r\n\r\n", "%X\r\n%s\r\n0\r\nX-T: 1\r\n\r\n", "%x\n%s\n0\n\n", "0%x\r\n%s\r\n00\r\n\r\n", "%x\r\n%s0\r\n\r\n", "%x \r\n%s\r\n0\r\n\r\n", "g%x\r\n%s\r\n", "%x\r\n%s\r\n0\r\n", "-%x\r\n%s\r\n0\r\n\r\n", "%x;\"a\nb\"\r\n%s\r\n0\r\n\r\n",
	}
)

func pick(random *rand.Rand, from []string) string { return from[random.IntN(len(from))] }

// oddRequest makes a request that is odd in some ways, or in none.
func oddRequest(random *rand.Rand) string {
	body := pick(random, []string{"{}", string(payload), "", strings.Repeat("x", differentialLimit+1)})
	var out strings.Builder
	out.WriteString(pick(random, oddLines) + "\r\n")
	if random.IntN(20) > 0 {
		out.WriteString("Host: a\r\n")
	}
	for _, h := range owox.Headers("550e8400-e29b-41d4-a716-446655440000", string(owox.RunFailed)) {
		fmt.Fprintf(&out, "%s: %s\r\n", h.Name, h.Value)
	}
	if line := pick(random, oddHeaders); line != "" {
		out.WriteString(line + "\r\n")
	}
	if random.IntN(3) == 0 {
		out.WriteString(pick(random, oddCodings) + "\r\n\r\n")
		fmt.Fprintf(&out, pick(random, oddChunks), len(body), body)
	} else {
		out.WriteString(strings.ReplaceAll(pick(random, oddLengths), "%s", fmt.Sprint(len(body))) + "\r\n\r\n" + body)
	}
	text := out.String()
	if random.IntN(20) == 0 {
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	return text
}

// converse writes a text in pieces, closes its side, and returns the answers.
func converse(t *testing.T, address, text string, pieces []int) (answers []string) {
	t.Helper()
	conn := dial(t, address)
	go func() {
		at := 0
		for _, end := range slices.Concat(pieces, []int{len(text)}) {
			if _, err := io.WriteString(conn, text[at:end]); err != nil {
				return // the server has seen enough
			}
			at = end
		}
		_ = conn.(*net.TCPConn).CloseWrite() // the server may be gone
	}()
	in := bufio.NewReader(conn)
	for {
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			return answers
		}
		_, _ = io.Copy(io.Discard, response.Body) // only the head is compared
		_ = response.Body.Close()                 // it was read
		answers = append(answers, fmt.Sprintf("%d close=%v", response.StatusCode, response.Close))
	}
}

// A receiver sees of any bytes what a plain handler under net/http sees: the
// same requests, with the same headers and bodies, answered with the same
// statuses, on connections that end at the same place.
func TestReceiverSeesWhatNetHTTPSees(t *testing.T) {
	var plain, ours records
	handler := receiver.New(receiver.Options{
		Validator: validator(t, validate.Config{MaxBody: differentialLimit}),
		Received: func(d delivery.Delivery) {
			body := d.Body
			if d.Cut {
				body = nil
			}
			ours.add(d.Method, d.Path, d.Headers, body, d.Answered)
		},
	})
	ourAddress, stop := start(t, receiver.Server{Handler: handler})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	server := &http.Server{Handler: plainHandler(&plain), Protocols: protocols, ReadTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()

	random := rand.New(rand.NewPCG(9112, 2))
	probe := head(fmt.Sprintf("Content-Length: %d\r\n", len(payload))) + string(payload)
	answered := map[string]int{}
	compare := func(text string, pieces []int) {
		t.Helper()
		want, got := converse(t, listener.Addr().String(), text, pieces), converse(t, ourAddress, text, pieces)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("answers to %q (-net/http +receiver):\n%s", text, diff)
		}
		if diff := cmp.Diff(plain.take(), ours.take()); diff != "" {
			t.Errorf("requests seen in %q (-net/http +receiver):\n%s", text, diff)
		}
		for _, answer := range got {
			answered[answer[:3]]++
		}
	}
	for range 1000 {
		var text bytes.Buffer
		for range 1 + random.IntN(3) {
			text.WriteString(oddRequest(random))
		}
		text.WriteString(probe) // answered where the connection persists
		var pieces []int
		for at := random.IntN(text.Len()); at < text.Len(); at += 1 + random.IntN(text.Len()) {
			pieces = append(pieces, at)
		}
		compare(text.String(), pieces)
	}
	every := probe + probe
	for at := range len(every) {
		compare(every, []int{at})
	}
	for _, status := range []string{"200", "400", "404", "405", "413", "415", "422"} {
		if answered[status] < 3 {
			t.Errorf("only %d answers were %s: the requests are too much alike", answered[status], status)
		}
	}
	t.Logf("answers: %v", answered)
	if err := errors.Join(stop(), server.Close()); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

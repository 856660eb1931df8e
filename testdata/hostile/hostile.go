// Package hostile has endpoints that do what no endpoint should. Tests deliver
// to each, in every way that there is.
package hostile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Endpoint is one of them.
type Endpoint struct {
	Name      string
	Scheme    string         // http or https
	Delivered bool           // it answers 2xx, whatever else it does
	serve     func(net.Conn) // until it returns; nil: the connection stays open
}

// Endpoints returns all of them.
func Endpoints() []Endpoint {
	return []Endpoint{
		{"says nothing", "http", false, hold},
		{"never reads", "http", false, nil},
		{"closes at once", "http", false, func(net.Conn) {}},
		{"resets at once", "http", false, reset},
		{"closes after the request", "http", false, after(func(net.Conn) {})},
		{"resets after the request", "http", false, after(reset)},
		{"half-closes after the request", "http", false, after(halfClose)},
		{"half-closes before the request", "http", false, halfClose},
		{"switches protocols and stays open", "http", false, after(says(switching))},
		{"switches protocols and floods", "http", false, after(floods(switching, junk))},
		{"headers without end", "http", false, after(floods("HTTP/1.1 200 OK\r\n", "X-A: b\r\n"))},
		{"a header line without end", "http", false, after(floods("HTTP/1.1 200 OK\r\nX-A: ", junk))},
		{"a status line without end", "http", false, after(floods("HTTP/1.1 200 ", junk))},
		{"a head that drips", "http", false, after(drips("", "HTTP/1.1 200 OK\r\nX-A: "+junk))},
		{"headers that drip", "http", false, after(dripsLines)},
		{"100 without end", "http", false, after(floods("", "HTTP/1.1 100 Continue\r\n\r\n"))},
		{"103 without end", "http", false, after(floods("", "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"))},
		{"conflicting lengths", "http", false, after(says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345"))},
		{"status 000", "http", false, after(says("HTTP/1.1 000 No\r\nContent-Length: 0\r\n\r\n"))},
		{"another protocol", "http", false, says("SSH-2.0-OpenSSH_9.9\r\n")},
		{"no head at all", "http", false, after(says("<html>\r\n\r\n"))},
		{"a redirect to itself", "http", false, after(says("HTTP/1.1 307 Temporary Redirect\r\nLocation: /\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))},
		{"a compressed bomb", "http", false, after(bomb)},
		{"an error with a body without end", "http", false, after(floods("HTTP/1.1 500 No\r\n\r\n", junk))},

		{"huge headers", "http", true, after(says(ok + "X-A: " + strings.Repeat("x", 900<<10) + "\r\nContent-Length: 0\r\n\r\n"))},
		{"a body without end", "http", true, after(floods(ok+"\r\n", junk))},
		{"a body that stalls", "http", true, after(says(ok + "Content-Length: 9\r\n\r\nok"))},
		{"a body that drips", "http", true, after(drips(ok+"Content-Length: 99999\r\n\r\n", junk))},
		{"chunks without end", "http", true, after(floods(chunked, "1\r\nx\r\n"))},
		{"a chunk extension without end", "http", true, after(floods(chunked+"1;", junk))},
		{"trailers without end", "http", true, after(floods(chunked+"0\r\n", "X-A: b\r\n"))},

		{"a TLS handshake that stalls", "https", false, hold},
		{"a TLS alert", "https", false, alert},
		{"a TLS handshake that is closed", "https", false, onBytes(func(net.Conn) {})},
		{"junk instead of TLS", "https", false, onBytes(floods("", junk))},
		{"plain HTTP at https", "https", false, onBytes(says("HTTP/1.1 400 Bad Request\r\n\r\n"))},
	}
}

const (
	ok        = "HTTP/1.1 200 OK\r\n"
	chunked   = ok + "Transfer-Encoding: chunked\r\n\r\n"
	switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
)

var junk = strings.Repeat("x", 1<<14)

// Serve serves an endpoint and calls arrived, where it is not nil, with each
// connection. What it returns ends it.
func (e Endpoint) Serve(arrived func()) (url string, end func(), err error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if arrived != nil {
				arrived()
			}
			serving.Go(func() {
				defer conn.Close()                                          //nolint:errcheck // nothing to lose
				defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // ends what is blocked
				if e.serve == nil {
					<-ctx.Done()
					return
				}
				e.serve(conn)
			})
		}
	})
	return e.Scheme + "://" + listener.Addr().String() + "/", func() {
		cancel()
		_ = listener.Close() // ends the loop
		serving.Wait()
	}, nil
}

// after serves when a request has been read whole.
func after(serve func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		request, err := http.ReadRequest(bufio.NewReader(conn))
		if err == nil {
			_, err = io.Copy(io.Discard, request.Body)
		}
		if err == nil {
			serve(conn)
		}
	}
}

// onBytes serves when something has been read.
func onBytes(serve func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := conn.Read(make([]byte, 1<<14)); err == nil {
			serve(conn)
		}
	}
}

// hold reads on and says nothing.
func hold(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

func reset(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) }

func halfClose(conn net.Conn) {
	_ = conn.(*net.TCPConn).CloseWrite()
	hold(conn)
}

// says says the text once and holds.
func says(text string) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := io.WriteString(conn, text); err == nil {
			hold(conn)
		}
	}
}

// floods says the first text once and the second without end.
func floods(first, more string) func(net.Conn) {
	more = strings.Repeat(more, 1+(1<<14)/len(more))
	return func(conn net.Conn) {
		_, err := io.WriteString(conn, first)
		for err == nil {
			_, err = io.WriteString(conn, more)
		}
	}
}

// drips says the first text once and the second byte by byte.
func drips(first, slow string) func(net.Conn) {
	return func(conn net.Conn) {
		_, err := io.WriteString(conn, first)
		for i := 0; err == nil && i < len(slow); i++ {
			time.Sleep(20 * time.Millisecond)
			_, err = io.WriteString(conn, slow[i:i+1])
		}
	}
}

func dripsLines(conn net.Conn) {
	_, err := io.WriteString(conn, ok)
	for err == nil {
		time.Sleep(20 * time.Millisecond)
		_, err = io.WriteString(conn, "X-A: b\r\n")
	}
}

// bomb answers with 64 MiB in 64 KiB.
func bomb(conn net.Conn) {
	says("HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\n\r\n" + bombed())(conn)
}

var bombed = sync.OnceValue(func() string {
	var body bytes.Buffer
	zip := gzip.NewWriter(&body)
	for range 64 {
		_, _ = zip.Write(make([]byte, 1<<20)) // a buffer takes all
	}
	_ = zip.Close() // the same
	return body.String()
})

// alert refuses every ClientHello: fatal, handshake failure.
func alert(conn net.Conn) { onBytes(says("\x15\x03\x03\x00\x02\x02\x28"))(conn) }

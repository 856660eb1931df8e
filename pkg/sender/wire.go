package sender

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
)

// Wire returns the bytes that the request is on the wire when no proxy is in
// between. They are taken from a real exchange over a connection in memory.
func (r Request) Wire() ([]byte, error) {
	target := *r.URL
	target.Scheme = "http" // what TLS carries is the same
	request, err := r.http(context.Background(), &target)
	if err != nil {
		return nil, err
	}
	client, server := net.Pipe()
	transport := newTransport(Options{})
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return client, nil }
	defer transport.CloseIdleConnections()

	wire := make(chan []byte)
	go func() { wire <- record(server) }()
	response, err := transport.RoundTrip(request)
	if err != nil {
		_ = client.Close() // only ends the recording
		<-wire
		return nil, fmt.Errorf("make a request for %s: %w", Redact(r.URL.String()), err)
	}
	defer response.Body.Close() //nolint:errcheck // it is empty
	return <-wire, nil
}

// record takes one request off a connection, answers it, and returns its
// bytes.
func record(conn net.Conn) []byte {
	defer conn.Close() //nolint:errcheck // in memory
	var wire bytes.Buffer
	request, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, &wire)))
	if err != nil {
		return nil
	}
	_, _ = io.Copy(io.Discard, request.Body)                       // into wire
	_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n") // or the client would wait
	return wire.Bytes()
}

//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

// serve is what measured programs talk to, or are measured beside.
func serve(mode, dir string) error {
	listener, err := loopback()
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "http://%s/\n", listener.Addr())
	switch mode {
	case "serve-bare":
		return http.Serve(listener, http.HandlerFunc(bare))
	case "serve-least":
		return least(listener)
	case "serve-naive":
		handler, err := naive(filepath.Join(dir, "naive.db"))
		if err != nil {
			return err
		}
		return http.Serve(listener, handler)
	default:
		return fmt.Errorf("unknown server %s", mode)
	}
}

// least does as little for a request as can be done: it looks for its end, and
// answers 200. What is measured with it is the client.
func least(listener net.Listener) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close() //nolint:errcheck // a benchmark
			in := bufio.NewReader(conn)
			for err := error(nil); err == nil; {
				err = leastOne(conn, in)
			}
		}()
	}
}

func leastOne(conn net.Conn, in *bufio.Reader) error {
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == len("\r\n") {
			break
		}
		if name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(": ")); len(name) == len("Content-Length") && bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		}
	}
	if _, err := in.Discard(length); err != nil {
		return err
	}
	_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	return err
}

// bare reads the body and answers 200.
func bare(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // a benchmark
	w.WriteHeader(http.StatusOK)
}

// naive keeps each request in a transaction of its own: the same rows in the
// same table as the journal, with the same indexes, and as durable.
func naive(file string) (http.Handler, error) {
	j, err := journal.Open(context.Background(), file, journal.Options{})
	if err != nil {
		return nil, err
	}
	if err := j.Close(); err != nil { // the tables are there now
		return nil, err
	}
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = keep(r, db, body)
		}
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}), nil
}

func keep(r *http.Request, db *sql.DB, body []byte) error {
	who := owox.Identify(body)
	headers, err := json.Marshal(r.Header)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(r.Context(), `INSERT INTO deliveries (webhook_id, received_at, method, path, remote, headers, body, cut, event, is_test,
		project_id, data_mart_id, data_mart_title, run_id, run_status, valid, findings, answered, state, delivered, duplicate_of)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, FALSE, (SELECT MIN(sequence) FROM deliveries WHERE webhook_id = ?))`,
		who.ID, owox.FormatTimestamp(time.Now()), r.Method, r.RequestURI, r.RemoteAddr, string(headers), body, false, string(who.Event), who.IsTest,
		who.ProjectID, who.DataMartID, who.Title, who.RunID, who.RunStatus, true, "[]", http.StatusOK, "valid", who.ID)
	return err
}

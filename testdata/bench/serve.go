//go:build unix

package main

import (
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/valyala/fasthttp"
	_ "modernc.org/sqlite" // the driver of the naive server

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
		return http.Serve(listener, http.HandlerFunc(bare)) //nolint:gosec // a benchmark
	case "serve-fast":
		return fasthttp.Serve(listener, func(ctx *fasthttp.RequestCtx) { ctx.SetStatusCode(http.StatusOK) })
	case "serve-naive":
		handler, err := naive(filepath.Join(dir, "naive.db"))
		if err != nil {
			return err
		}
		return http.Serve(listener, handler) //nolint:gosec // a benchmark
	default:
		return fmt.Errorf("unknown server %s", mode)
	}
}

// bare reads the body and answers 200.
func bare(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // a benchmark
	w.WriteHeader(http.StatusOK)
}

// naive keeps each body in a transaction of its own, as durable as the
// journal.
func naive(file string) (http.Handler, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE deliveries (sequence INTEGER PRIMARY KEY, webhook_id TEXT, received_at TEXT, body BLOB)"); err != nil { //nolint:noctx // a benchmark
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = db.ExecContext(r.Context(), "INSERT INTO deliveries (webhook_id, received_at, body) VALUES (?, ?, ?)",
				r.Header.Get(owox.HeaderID), owox.FormatTimestamp(time.Now()), body)
		}
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}), nil
}

//go:build unix

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

// serve is what measured programs talk to, or are measured beside.
func serve(mode, file string) error {
	var handler http.Handler
	var err error
	switch mode {
	case "serve-bare":
		handler = http.HandlerFunc(bare)
	case "serve-naive":
		handler, err = naive(file)
	case "serve-naive-postgres":
		handler, err = naivePostgres(file)
	default:
		err = fmt.Errorf("unknown server %s", mode)
	}
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // until it is killed
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "http://%s/\n", listener.Addr())
	return http.Serve(listener, handler)
}

// bare reads the body and answers 200.
func bare(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // a benchmark
	w.WriteHeader(http.StatusOK)
}

// A row as the journal writes it, with its columns.
const insertion = `INSERT INTO deliveries (webhook_id, received_at, method, path, remote, headers, body, cut, event, is_test,
	project_id, data_mart_id, data_mart_title, run_id, run_status, valid, findings, answered, state, delivered, duplicate_of, same_run_as)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, FALSE, (SELECT MIN(sequence) FROM deliveries WHERE webhook_id = ?),
		(SELECT CASE WHEN webhook_id <> ? THEN sequence END FROM deliveries WHERE run_id = ? AND event = ? ORDER BY sequence LIMIT 1))`

func values(r *http.Request, body []byte, headers string) []any {
	who := owox.Identify(body)
	return []any{
		who.ID, owox.FormatTimestamp(time.Now()), r.Method, r.RequestURI, r.RemoteAddr, headers, body, false, string(who.Event), who.IsTest,
		who.ProjectID, who.DataMartID, who.Title, who.RunID, who.RunStatus, true, "[]", http.StatusOK, "valid", who.ID, who.ID, who.RunID, string(who.Event),
	}
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
	headers, err := json.Marshal(r.Header)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(r.Context(), insertion, values(r, body, string(headers))...)
	return err
}

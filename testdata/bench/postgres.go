//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/testdata/pgtest"
)

// pgConnections are those of the client, and of a server that does not share
// commits to the database.
const pgConnections = 64

// postgres measures listen with a journal in PostgreSQL. Both sides have
// tables of their own in one server.
func (b *bench) postgres() error {
	if _, err := pgtest.Find(); err != nil {
		row("postgres", "skipped", "", err.Error(), "", "", "", "")
		return nil
	}
	database, err := pgtest.Start()
	if err != nil {
		return err
	}
	defer database.Close() //nolint:errcheck // a temporary folder
	ours, err := database.Fresh()
	if err != nil {
		return err
	}
	theirs, err := database.Fresh()
	if err != nil {
		return err
	}
	listen, err := b.serveListen("--journal", ours)
	if err != nil {
		return err
	}
	defer listen.stop()
	each, err := b.serve("a transaction each", "serve-naive-postgres", theirs)
	if err != nil {
		return err
	}
	defer each.stop()
	for range b.rounds {
		for _, s := range []*server{listen, each} {
			if err := b.wrk(s, pgConnections, b.load); err != nil {
				return err
			}
		}
	}
	compare(fmt.Sprintf("listen on PostgreSQL, %d", pgConnections), "/s", listen.rates(), each.rates(), atLeast(3, ""))
	compare("  its p99", "ms", listen.p99(), each.p99(), limit{})
	memoryOfListen(listen)
	return nil
}

// naivePostgres is the same as naive, with as many connections to the database
// as there are to the server.
func naivePostgres(url string) (http.Handler, error) {
	ctx := context.Background()
	j, err := journal.Open(ctx, url, journal.Options{})
	if err != nil {
		return nil, err
	}
	if err := j.Close(); err != nil { // the tables are there now
		return nil, err
	}
	pool, err := pgxpool.New(ctx, url+fmt.Sprint("&enable_seqscan=off&pool_max_conns=", pgConnections))
	if err != nil {
		return nil, err
	}
	warm := make([]*pgxpool.Conn, pgConnections) // or the load waits for them to be opened
	for i := range warm {
		if warm[i], err = pool.Acquire(ctx); err != nil {
			return nil, err
		}
	}
	for _, conn := range warm {
		conn.Release()
	}
	n := 0
	numbered := regexp.MustCompile(`\?`).ReplaceAllStringFunc(strings.Replace(insertion, "event = ? ORDER BY sequence", "(event || '') = ? ORDER BY sequence + 0", 1), func(string) string {
		n++
		return fmt.Sprint("$", n)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = pool.Exec(r.Context(), numbered, values(r, body, "[]")...)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	}), nil
}

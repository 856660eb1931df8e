//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/testdata/pgtest"
)

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
	const connections = 64
	for range b.rounds {
		for _, s := range []*server{listen, each} {
			if err := b.wrk(s, connections, b.load); err != nil {
				return err
			}
		}
	}
	compare(fmt.Sprintf("listen on PostgreSQL, %d", connections), "/s", listen.rates(), each.rates(), atLeast(3, ""))
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
	pool, err := pgxpool.New(ctx, url+"&pool_max_conns=64")
	if err != nil {
		return nil, err
	}
	n := 0
	numbered := regexp.MustCompile(`\?`).ReplaceAllStringFunc(insertion, func(string) string {
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

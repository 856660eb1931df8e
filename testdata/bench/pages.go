//go:build unix

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
)

const openPages = 20

// pages measures what pages that people look at cost those who deliver.
func (b *bench) pages() error {
	free, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		return err
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		return err
	}
	watched, err := b.serveListen("--journal", filepath.Join(b.dir, "watched.db"), "--ui", "--ui-addr", addr)
	if err != nil {
		return err
	}
	defer watched.stop()
	alone, err := b.serveListen("--journal", filepath.Join(b.dir, "alone.db"))
	if err != nil {
		return err
	}
	defer alone.stop()
	alone.name = "without"
	for range openPages {
		if err := b.openPage("http://" + addr + "/feed"); err != nil {
			return err
		}
	}
	for range b.rounds {
		for _, s := range []*server{alone, watched} {
			if err := b.wrk(s, 64, b.load); err != nil {
				return err
			}
		}
	}
	compare(fmt.Sprintf("listen, %d pages open", openPages), "/s", watched.rates(), alone.rates(), atLeast(0.90, ""))
	return nil
}

// openPage reads a feed until the server ends.
func (b *bench) openPage(feed string) error {
	r, err := http.NewRequestWithContext(b.ctx, http.MethodGet, feed, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r) //nolint:bodyclose // closed when the server ends
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", feed, answer.Status)
	}
	go func() {
		_, _ = io.Copy(io.Discard, answer.Body) // ends with the server
		_ = answer.Body.Close()
	}()
	return nil
}

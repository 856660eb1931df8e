package payloads_test

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest"

	"github.com/owoxhook/owoxhook/pkg/payloads"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// What a log keeps, a payload a line.
func ExampleJudge() {
	log := strings.NewReader("{\"id\": 1}\n\nnothing\n")
	validator, err := validate.New(validate.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = payloads.Judge(context.Background(), log, validator, func(v payloads.Verdict) error {
		for _, f := range v.Findings {
			if f.Rule == validate.JSONSyntax {
				fmt.Printf("%d:%d: %s [%s]\n", f.Line, f.Column, f.Severity, f.Rule)
			}
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// 3:2: error [json-syntax]
	// <nil>
}

// The payloads in a directory.
func ExampleRead() {
	directory := fstest.MapFS{
		"a/lines.ndjson": {Data: []byte("{\"id\": 1}\n{\"id\": 2}\n")},
		"document.json":  {Data: []byte("{\n  \"id\": 3\n}")},
		"notes.txt":      {Data: []byte("not a payload")},
	}
	err := payloads.Walk(directory, func(name string, _ fs.FileMode) error {
		file, err := directory.Open(name)
		if err != nil {
			return err
		}
		defer file.Close() //nolint:errcheck // only read
		return payloads.Read(context.Background(), file, payloads.Options{Limit: 1 << 20}, func(p payloads.Payload) error {
			fmt.Printf("%s:%d: %d bytes\n", name, p.Line+1, len(p.Text))
			return nil
		})
	})
	fmt.Println(err)
	// Output:
	// a/lines.ndjson:1: 9 bytes
	// a/lines.ndjson:2: 9 bytes
	// document.json:1: 13 bytes
	// <nil>
}

package payloads

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/owoxhook/owoxhook/pkg/validate"
)

func compressed(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	if _, err := io.WriteString(zip, text); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestGzipIsReadAsWhatIsInIt(t *testing.T) {
	text := lines(20)
	v := newValidator(t, 700_000)
	want := judged(t, v, strings.NewReader(text), false)
	half := len(text) / 2
	for name, r := range map[string]io.Reader{
		"whole":         strings.NewReader(compressed(t, text)),
		"byte by byte":  iotest.OneByteReader(strings.NewReader(compressed(t, text))),
		"several files": strings.NewReader(compressed(t, text[:half]) + compressed(t, text[half:])),
	} {
		if diff := cmp.Diff(want, judged(t, v, r, true)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestBrokenGzipIsAnErrorOfReading(t *testing.T) {
	whole := compressed(t, "{}\n{}\n")
	for name, tt := range map[string]struct{ text, want string }{
		"only its mark":   {whole[:2], "the gzip data ends too early"},
		"cut":             {whole[:len(whole)-9], "the gzip data ends too early"},
		"a wrong sum":     {whole[:len(whole)-8] + "12345678", "the gzip data is damaged: gzip: invalid checksum"},
		"wrong data":      {whole[:10] + "\xff\xff\xff\xff", "the gzip data is damaged: flate: corrupt input"},
		"a wrong header":  {"\x1f\x8b\x01" + whole[3:], "the gzip data is damaged: gzip: invalid header"},
		"something after": {whole + "something else", "the gzip data is damaged: gzip: invalid header"},
	} {
		err := Judge(t.Context(), strings.NewReader(tt.text), newValidator(t, 0), func(Verdict) error { return nil })
		var unread ReadError
		if !errors.As(err, &unread) || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

func TestBinaryDataIsSaidToBeThat(t *testing.T) {
	zeros := strings.Repeat("\x00", 3000)
	for name, tt := range map[string]struct{ text, want string }{
		"zeros":                {zeros, "the payload is binary data, not JSON"},
		"PNG":                  {"\x89PNG\r\n\x1a\n" + zeros, "the payload is binary data (image/png), not JSON"},
		"ZIP":                  {"PK\x03\x04\x14\x00\n\n" + zeros, "the payload is binary data (application/zip), not JSON"},
		"PDF":                  {"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "the payload is binary data (application/pdf), not JSON"},
		"UTF-16":               {"\xff\xfe{\x00}\x00\n\x00", "the payload is UTF-16 text, not JSON"},
		"a BMP that is text":   {"BMW\nAudi\n", "malformed JSON: invalid character 'B' at start of value"},
		"JSON with a zero":     {"{\"id\":\"\x00\"}", `malformed JSON: invalid character '\x00' in string (expecting non-control character)`},
		"a tape of lines":      {"{}\n" + zeros + "\n{}\n", "the payload is binary data, not JSON"},
		"compressed tape":      {compressed(t, zeros), "the payload is binary data, not JSON"},
		"Latin-1 in the first": {"\xe9t\xe9\n", `malformed JSON: invalid character '\xe9' at start of value`},
	} {
		var got []string
		err := Judge(t.Context(), strings.NewReader(tt.text), newValidator(t, 5000), func(v Verdict) error {
			for _, f := range v.Findings {
				if f.Rule == validate.JSONSyntax {
					got = append(got, f.Message)
				}
			}
			return nil
		})
		if diff := cmp.Diff([]string{tt.want}, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestLineWithoutAnEndIsAnError(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a few hundred MiB")
	}
	source := func() io.Reader {
		return io.MultiReader(strings.NewReader("{}\n"), &endless{lines: bytes.Repeat([]byte("["), 64<<10)})
	}
	for name, err := range map[string]error{
		"Read":  Read(t.Context(), source(), Options{Limit: 1000}, func(Payload) error { return nil }),
		"Judge": Judge(t.Context(), source(), newValidator(t, 1000), func(Verdict) error { return nil }),
	} {
		var unread ReadError
		if want := "line 2 has no end within 256 MiB"; !errors.As(err, &unread) || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

// waiting is a terminal at which nobody types any more.
type waiting struct{ lines io.Reader }

func (w waiting) Read(p []byte) (int, error) {
	if n, err := w.lines.Read(p); err == nil {
		return n, nil
	}
	select {}
}

func TestNothingWaitsForAReadThatHasNoEnd(t *testing.T) {
	enough := errors.New("enough")
	for name, tt := range map[string]struct {
		text string
		each error
		want error
	}{
		"an error of each":    {"{}\n{}\n", enough, enough},
		"an ended context":    {"{}\n{}\n", nil, context.DeadlineExceeded},
		"before any line":     {"", nil, context.DeadlineExceeded},
		"within a compressed": {compressed(t, "{}\n")[:12], nil, context.DeadlineExceeded},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		done := make(chan error, 1)
		go func() {
			done <- Judge(ctx, waiting{strings.NewReader(tt.text)}, newValidator(t, 0), func(Verdict) error { return tt.each })
		}()
		select {
		case err := <-done:
			if !errors.Is(err, tt.want) {
				t.Errorf("%s: got %v, want %v", name, err, tt.want)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s: Judge still waits", name)
		}
	}
}

func TestLineThatIsTooLongIsHandedOnBeforeItsEnd(t *testing.T) {
	enough := errors.New("enough")
	for _, before := range []string{"", "{}\n"} {
		text := before + strings.Repeat("[", 200_000)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		each := func(findings []validate.Finding) error {
			for _, f := range findings {
				if f.Rule == validate.BodySize {
					return enough
				}
			}
			return nil
		}
		v := newValidator(t, 1000)
		err := Read(ctx, waiting{strings.NewReader(text)}, Options{Limit: 1000}, func(p Payload) error { return each(p.Findings(v)) })
		if !errors.Is(err, enough) {
			t.Errorf("Read of %d bytes: got %v, want %v", len(text), err, enough)
		}
		err = Judge(ctx, waiting{strings.NewReader(text)}, v, func(v Verdict) error { return each(v.Findings) })
		if !errors.Is(err, enough) {
			t.Errorf("Judge of %d bytes: got %v, want %v", len(text), err, enough)
		}
	}
}

func TestWalkKnowsPayloadsByTheirNames(t *testing.T) {
	directory := fstest.MapFS{
		"b.json": {}, "B.JSON": {}, "a/c.http": {}, "a/d.jsonl": {}, "a/e.ndjson.gz": {},
		"json": {}, "a/f.txt": {}, "g.gz": {}, "dir.json/h.ndjson": {},
		"pipe.json":  {Mode: fs.ModeNamedPipe},
		"link.json":  {Mode: fs.ModeSymlink, Data: []byte("a/c.http")},
		"loose.json": {Mode: fs.ModeSymlink, Data: []byte("missing")},
		"up.json":    {Mode: fs.ModeSymlink, Data: []byte("a")},
	}
	got := map[string]fs.FileMode{}
	err := Walk(directory, func(name string, mode fs.FileMode) error {
		got[name] = mode.Type()
		return nil
	})
	want := map[string]fs.FileMode{
		"B.JSON": 0, "a/c.http": 0, "a/d.jsonl": 0, "a/e.ndjson.gz": 0, "b.json": 0, "dir.json/h.ndjson": 0,
		"pipe.json": fs.ModeNamedPipe, "link.json": 0, "loose.json": fs.ModeSymlink, "up.json": fs.ModeDir,
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	var unread ReadError
	if err := Walk(fstest.MapFS{}, nil); err != nil {
		t.Errorf("an empty directory: %v", err)
	}
	missing, err := fs.Sub(directory, "missing")
	if err != nil {
		t.Fatal(err)
	}
	if err := Walk(missing, nil); !errors.As(err, &unread) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
}

package payloads

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

func newValidator(t testing.TB, maxBody int) *validate.Validator {
	t.Helper()
	v, err := validate.New(validate.Config{MaxBody: maxBody})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// judged collects what the stream, or one line after the other, has to say of
// a text.
func judged(t *testing.T, v *validate.Validator, r io.Reader, streaming bool) []string {
	t.Helper()
	var got []string
	say := func(v Verdict) {
		for _, f := range v.Findings {
			got = append(got, fmt.Sprintf("%d:%d %d %s", f.Line, f.Column, f.Offset, f.Rule))
		}
	}
	judge := func() error {
		return Read(t.Context(), r, Options{Limit: v.MaxBody()}, func(p Payload) error {
			say(Verdict{Findings: p.Findings(v)})
			return nil
		})
	}
	if streaming {
		judge = func() error { return Judge(t.Context(), r, v, func(v Verdict) error { say(v); return nil }) }
	}
	if err := judge(); err != nil {
		t.Fatal(err)
	}
	return got
}

// lines are payloads of which some are good and some are not, with what else
// stands in such files.
func lines(count int) string {
	random := rand.New(rand.NewPCG(1, 1))
	var out strings.Builder
	for i := range count {
		good := string(owox.Sample{Event: owox.RunFailed, ID: uuid.UUID{byte(i), byte(i >> 8)}, Now: time.Unix(int64(i), 0)}.JSON())
		switch random.IntN(8) {
		case 0:
			out.WriteString("\n \r\n\n")
		case 1:
			out.WriteString("{}\n")
		case 2:
			out.WriteString(strings.Repeat("x", random.IntN(3000)) + "\r\r\n")
		case 3:
			out.WriteString("[" + strings.Repeat(" ", random.IntN(1_000_000)) + "\r\n")
		default:
			out.WriteString(good + "\r\n")
		}
	}
	return "{}\n" + out.String()
}

func TestStreamSaysWhatOneLineAfterTheOtherSays(t *testing.T) {
	text := lines(500)
	readers := map[string]func(io.Reader) io.Reader{
		"whole blocks": func(r io.Reader) io.Reader { return r },
		"halves":       iotest.HalfReader,
		"small reads":  func(r io.Reader) io.Reader { return &smallReader{r, rand.New(rand.NewPCG(2, 2))} },
		"end of data":  iotest.DataErrReader,
	}
	for _, text := range []string{text, strings.TrimRight(text, "\r\n"), "{}", "{}\n", "{}\n\n\n{", "{}\n" + strings.Repeat("x", 3_000_000), strings.Repeat("x", 3_000_000) + "\n{}\n"} {
		for _, maxBody := range []int{10, 1000, 700_000} {
			v := newValidator(t, maxBody)
			want := judged(t, v, strings.NewReader(text), false)
			if len(want) == 0 {
				t.Fatal("nothing was found: nothing is compared")
			}
			for name, wrap := range readers {
				if diff := cmp.Diff(want, judged(t, v, wrap(strings.NewReader(text)), true)); diff != "" {
					t.Errorf("%s, %d bytes, bodies of %d (-line by line +stream):\n%s", name, len(text), maxBody, diff)
				}
			}
		}
	}
}

// smallReader reads no more than 5,000 bytes at a time.
type smallReader struct {
	io.Reader
	random *rand.Rand
}

func (s *smallReader) Read(p []byte) (int, error) {
	return s.Reader.Read(p[:min(len(p), 1+s.random.IntN(5000))])
}

// endless reads the same lines for ever, and counts them.
type endless struct {
	lines []byte
	read  atomic.Int64 // Judge may leave a read behind
}

func (e *endless) Read(p []byte) (int, error) {
	for n, read := 0, int(e.read.Load()); n < len(p); {
		n += copy(p[n:], e.lines[(read+n)%len(e.lines):])
	}
	e.read.Add(int64(len(p)))
	return len(p), nil
}

func TestStreamReadsNoFurtherThanItMust(t *testing.T) {
	source := &endless{lines: []byte("{}\n")}
	enough := errors.New("enough")
	said := 0
	err := Judge(t.Context(), source, newValidator(t, 0), func(v Verdict) error {
		if len(v.Findings) > maxFindings+10 {
			t.Errorf("%d findings wait at once", len(v.Findings))
		}
		if said++; said == 100 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("got %v, want %v", err, enough)
	}
	if read, most := source.read.Load(), int64(32*blockSize); read > most {
		t.Errorf("read %d bytes ahead, want at most %d", read, most)
	}
}

func TestStreamEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := Judge(ctx, &endless{lines: []byte("{}\n")}, newValidator(t, 0), func(Verdict) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestStreamSaysWhatItReadBeforeAnError(t *testing.T) {
	broken := errors.New("broken")
	payloads := 0
	err := Judge(t.Context(), io.MultiReader(strings.NewReader("{}\n{}\n{"), iotest.ErrReader(broken)), newValidator(t, 0), func(v Verdict) error {
		payloads += v.Payloads
		return nil
	})
	if !errors.Is(err, broken) || payloads != 2 {
		t.Errorf("got %d payloads and %v, want 2 and %v", payloads, err, broken)
	}
}

// BenchmarkStream measures judging a payload a line beside one line after the
// other.
func BenchmarkStream(b *testing.B) {
	var text bytes.Buffer
	for i := range 40_000 {
		event := owox.Events()[i%len(owox.Events())].Type
		text.Write(owox.Sample{Event: event, ID: uuid.New(), Now: time.Unix(int64(i)*1000, 0)}.JSON())
		text.WriteByte('\n')
	}
	v := newValidator(b, 0)
	count := func(b *testing.B, payloads int) {
		if payloads != 40_000 {
			b.Fatalf("%d payloads", payloads)
		}
	}
	b.Run("all-cores", func(b *testing.B) {
		b.SetBytes(int64(text.Len()))
		b.ReportAllocs()
		for b.Loop() {
			payloads := 0
			err := Judge(b.Context(), bytes.NewReader(text.Bytes()), v, func(v Verdict) error {
				payloads += v.Payloads
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			count(b, payloads)
		}
	})
	b.Run("line-by-line", func(b *testing.B) {
		b.SetBytes(int64(text.Len()))
		b.ReportAllocs()
		for b.Loop() {
			payloads := 0
			err := Read(b.Context(), bytes.NewReader(text.Bytes()), Options{Limit: v.MaxBody()}, func(p Payload) error {
				p.Findings(v)
				payloads++
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			count(b, payloads)
		}
	})
}

package inspector

import (
	"bytes"
	"flag"
	"fmt"
	"image/png"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/uuid"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

var update = flag.Bool("update", false, "make the README's screenshots anew")

// screenshotDay is when the screenshots are made.
var screenshotDay = time.Date(2026, 3, 12, 14, 30, 0, 0, time.Local)

var fixtureMarts = []struct {
	id, title string
	seconds   int // that a run takes
	failing   int // of a hundred runs
	message   string
}{
	{"dm-orders", "Orders by channel", 95, 10, `{"code":403,"message":"Access Denied: Table shop:sales.orders","status":"PERMISSION_DENIED"}`},
	{"dm-revenue", "Monthly revenue", 240, 4, "Query exceeded resource limits"},
	{"dm-sessions", "Sessions and attribution", 610, 22, "Quota exceeded: too many concurrent queries"},
	{"dm-stock", "Stock levels", 18, 0, ""},
	{"dm-churn", "Churn forecast", 130, 35, "Unrecognized name: customer_segment at [14:9]"},
}

// fill has a day of deliveries arrive, with what goes wrong now and then.
func (h *house) fill(t testing.TB, end time.Time) {
	t.Helper()
	random := rand.New(rand.NewPCG(7, 7))
	for ago := 23 * time.Hour; ago > 0; {
		mart := fixtureMarts[random.IntN(len(fixtureMarts))]
		h.arrive(t, end.Add(-ago), random, mart.id, mart.title, mart.message, mart.seconds, random.IntN(100) < mart.failing)
		ago -= time.Duration(1+random.IntN(20)) * time.Minute / time.Duration(1+int(8*time.Hour/max(ago, time.Hour)))
	}
	h.now = end
}

func (h *house) arrive(t testing.TB, at time.Time, random *rand.Rand, id, title, message string, seconds int, fails bool) {
	t.Helper()
	h.now = at
	event := owox.RunSuccessful
	if fails {
		event = owox.RunFailed
	}
	took := time.Duration(seconds)*time.Second/2 + time.Duration(random.IntN(seconds*1000))*time.Millisecond
	body := owox.Sample{Event: event, ID: randomID(random), Now: at}.JSON()
	body = edit(t, body, owox.PathDataMartID+"="+id, owox.PathTitle+"="+title, owox.PathProjectID+"=shop-analytics", owox.PathRunID+"="+randomID(random).String(),
		owox.PathStartedAt+"="+owox.FormatTimestamp(at.Add(-took)), owox.PathFinishedAt+"="+owox.FormatTimestamp(at))
	if fails {
		body = edit(t, body, owox.PathErrors+"="+fmt.Sprintf("[%q]", message))
	} else {
		body = edit(t, body, owox.PathDurationMS+"="+fmt.Sprint(took.Milliseconds()))
	}
	switch random.IntN(24) {
	case 0:
		body = edit(t, body, owox.PathStartedAt+"=2026-03-12 14:00")
	case 1:
		body = edit(t, body, owox.PathTitle+"=\"\"")
	case 2:
		h.serve(body)
	}
	h.serve(body)
}

// serve delivers as OWOX's machine does.
func (h *house) serve(body []byte) {
	identity := owox.Identify(body)
	r := httptest.NewRequest(owox.Method, "/", bytes.NewReader(body))
	r.RemoteAddr, r.Host = owox.SourceAddress+":41234", "hooks.example.com"
	for _, header := range append(owox.SenderHeaders(), owox.Headers(identity.ID, string(identity.Event))...) {
		r.Header.Set(header.Name, header.Value)
	}
	h.receiver.ServeHTTP(httptest.NewRecorder(), r)
}

func randomID(random *rand.Rand) (id uuid.UUID) {
	for n := range id {
		id[n] = byte(random.UintN(256))
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

// lastDelivery is what the second screenshot shows.
func (h *house) lastDelivery(t testing.TB) {
	t.Helper()
	random := rand.New(rand.NewPCG(8, 8))
	mart := fixtureMarts[0]
	body := owox.Sample{Event: owox.RunFailed, ID: randomID(random), Now: h.now}.JSON()
	h.serve(edit(t, body, owox.PathDataMartID+"="+mart.id, owox.PathTitle+"="+mart.title, owox.PathProjectID+"=shop-analytics",
		owox.PathRunID+"="+randomID(random).String(), owox.PathRunStatus+"=SUCCESSFUL", owox.PathStartedAt+"="+owox.FormatTimestamp(h.now.Add(time.Minute)),
		owox.PathErrors+"="+fmt.Sprintf("[%q]", mart.message)))
}

// The README's screenshots are made here. Their size and what they show is
// held, not their every pixel, which fonts decide.
func TestScreenshotsShowThePages(t *testing.T) {
	h := newHouse(t)
	h.fill(t, screenshotDay)
	h.lastDelivery(t)
	b := newTab(t, h)
	b.size(1280, 860)
	_, newest, err := h.journal.Ends(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.open("/")
	b.until("!document.querySelector('#live').hidden")
	b.shot("list", "Orders by channel", "422", "invalid", "live")
	b.open(fmt.Sprintf("/deliveries/%d", newest))
	b.shot("detail", "status-matches-event", "PERMISSION_DENIED", "Deliver again")
	b.open("/overview")
	b.shot("overview", "Deliveries per minute", "Sessions and attribution", "Most frequent findings")
	h.relays(t).slowed = true
	b.open("/relay")
	b.until("!document.querySelector('#live').hidden")
	b.shot("relay", "slowed down", "3h ago", "in 10m", "410 Gone", "Retry all given up")
}

// shot takes a picture of what must show texts, and compares it with the kept one.
func (b *tab) shot(name string, shows ...string) {
	b.t.Helper()
	text := b.text("body")
	for _, want := range shows {
		if !strings.Contains(text, want) {
			b.t.Errorf("%s does not show %q:\n%s", name, want, text)
		}
	}
	picture := run(b, chromedp.CaptureScreenshot())
	file := filepath.Join("../../testdata/screenshots", name+".png")
	if *update {
		if err := os.WriteFile(file, picture, 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	got, want := sizeOf(b.t, picture), sizeOf(b.t, kept)
	if got != want || len(kept) > 200<<10 {
		b.t.Errorf("%s: got a picture of %s, the README's has %s and %d bytes: run go test ./pkg/inspector -run Screenshots -update", name, got, want, len(kept))
	}
}

func sizeOf(t testing.TB, picture []byte) string {
	t.Helper()
	config, err := png.DecodeConfig(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d x %d", config.Width, config.Height)
}

package inspector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
)

// everyPage has a page of each kind, with what makes it long, wide or odd.
func everyPage(t *testing.T, h *house) []string {
	t.Helper()
	wide := strings.Repeat("x", 400)
	h.deliver(t, sampleBody(t, owox.RunSuccessful))
	h.deliver(t, sampleBody(t, owox.RunFailed, owox.PathTitle+"="+wide, owox.PathDataMartID+"="+wide, owox.PathProjectID+"="+wide, owox.PathErrors+`=["{\"code\":403,\"a\":[`+`\"`+wide+`\"]}"]`, owox.PathRunStatus+"="+wide),
		owox.Header{Name: "X-" + wide, Value: wide})
	f, name := h.relays(t), strings.Repeat("a-", 29)+"aa" // as long as one can be
	f.targets[name] = f.targets["app"]
	f.add(relay.Job{Target: name, Sequence: 2, State: relay.GivenUp, Error: wide}, relay.Job{Target: "app", Sequence: 2, State: relay.Waiting, Next: time.Now(), Error: wide})
	h.deliver(t, []byte("{\"id\": \u200b\x00 "+wide))
	h.post(t, h.hookURL, string(sampleBody(t, owox.RunFailed)), owox.Header{Name: "Content-Type", Value: "text/plain"})
	if got := h.act(t, "/deliveries/2/replay", url.Values{"token": {h.page.token}, "to": {h.hookURL}}); got.code != 200 {
		t.Fatalf("deliver again: got status %d, want 200", got.code)
	}
	return []string{
		"/", "/?event=failed&q=nothing+matches", "/?since=x", "/?before=2", "/deliveries/1", "/deliveries/2", "/deliveries/2?with=example", "/deliveries/3", "/deliveries/4",
		"/overview", "/send", "/answers", "/rules", "/events", "/nowhere",
		"/relay", "/relay?target=app&retried=1", "/relay/drop?target=alerts&delivery=2", "/relay/drop?state=given-up", "/relay/test?target=" + name,
	}
}

func TestPagesFitScreensOfAnyWidth(t *testing.T) {
	h := newHouse(t)
	pages := everyPage(t, h)
	b := newTab(t, h)
	for _, width := range []int64{400, 800, 1600} {
		b.size(width, 1000)
		for _, path := range pages {
			b.open(path)
			if got := eval[int64](b, "document.documentElement.scrollWidth"); got > width {
				t.Errorf("%s is %d pixels wide on a screen of %d:\n%s", path, got, width,
					eval[string](b, fmt.Sprintf("[...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > %d).map((e) => e.outerHTML.slice(0, 80)).slice(0, 5).join('\\n')", width)))
			}
		}
	}
}

func TestPagesAreDarkWhereTheSystemIs(t *testing.T) {
	h := newHouse(t)
	b := newTab(t, h)
	b.open("/overview")
	const ground = `getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + +part, 0) / 3`
	for scheme, dark := range map[string]bool{"dark": true, "light": false} {
		b.prefer("prefers-color-scheme", scheme)
		if got := eval[float64](b, ground); (got < 64) != dark || (got > 192) == dark {
			t.Errorf("%s: the ground has a brightness of %.0f of 255", scheme, got)
		}
	}
}

func TestPrintedPagesHaveWhatPaperCanUse(t *testing.T) {
	h := newHouse(t)
	h.deliver(t, sampleBody(t, owox.RunFailed, owox.PathRunStatus+"=SUCCESSFUL"))
	b := newTab(t, h)
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	b.open("/deliveries/1")
	for selector, want := range map[string]bool{".code .finding": true, "#headers-title": true, ".top nav": false, "form": false, "button": false} {
		if got := eval[bool](b, "[...document.querySelectorAll('"+selector+"')].some((element) => element.offsetParent)"); got != want {
			t.Errorf("%s is printed: %v, want %v", selector, got, want)
		}
	}
}

// npm returns a file of the npm packages that .ci/run installs.
func npm(t *testing.T, name string) string {
	t.Helper()
	if os.Getenv("CI_NPM") == "" {
		t.Skip("CI_NPM names no folder with npm packages: .ci/run sets it")
	}
	return filepath.Join(os.Getenv("CI_NPM"), "node_modules", filepath.FromSlash(name))
}

func TestPagesAreAccessible(t *testing.T) {
	axe, err := os.ReadFile(npm(t, "axe-core/axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t)
	pages := everyPage(t, h)
	b := newTab(t, h)
	for _, scheme := range []string{"light", "dark"} {
		b.prefer("prefers-color-scheme", scheme)
		for _, path := range pages {
			b.open(path)
			eval[any](b, "document.querySelectorAll('details').forEach((details) => details.open = true)")
			eval[any](b, string(axe)+"; null")
			for _, found := range eval[[]struct {
				ID, Impact, Help string
				Nodes            []struct{ HTML, FailureSummary string }
			}](b, "axe.run().then((found) => found.violations)") {
				if found.Impact == "serious" || found.Impact == "critical" {
					t.Errorf("%s, %s: %s: %s: %.500s", path, scheme, found.ID, found.Help, fmt.Sprint(found.Nodes))
				} else {
					t.Logf("%s, %s: %s: %s: %s: %.200s", path, scheme, found.Impact, found.ID, found.Help, fmt.Sprint(found.Nodes))
				}
			}
		}
	}
}

func TestPagesAreValidHTML(t *testing.T) {
	program := npm(t, ".bin/html-validate")
	h := newHouse(t)
	dir := t.TempDir()
	config, err := json.Marshal(map[string]any{"root": true, "extends": []string{"html-validate:standard"}})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, ".htmlvalidate.json"), config, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for n, path := range everyPage(t, h) {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.html", n)), []byte("<!-- "+path+" -->\n"+h.get(t, path).body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), program, "--formatter", "text", dir)
	command.Dir = dir
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("html-validate: %v\n%s", err, bytes.TrimSpace(output))
	}
}

package inspector

import (
	"context"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// tab is a tab of a real Chromium.
type tab struct {
	ctx context.Context //nolint:containedctx // chromedp's way to name a tab
	t   testing.TB
	url string // of the pages
}

// newTab starts a browser that ends with the test.
func newTab(t testing.TB, h *house) *tab {
	t.Helper()
	var program string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Skip("there is no Chromium in PATH: .ci/run installs one")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU)
	ctx, endBrowser := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(endBrowser)
	return (&tab{ctx, t, h.pageURL}).another()
}

// another opens one more tab of the same browser.
func (b *tab) another(options ...chromedp.ContextOption) *tab {
	b.t.Helper()
	ctx, end := chromedp.NewContext(b.ctx, options...)
	b.t.Cleanup(end)
	other := &tab{ctx, b.t, b.url}
	if err := chromedp.Do(ctx); err != nil { // without a deadline, which would end the browser
		b.t.Fatalf("cannot start the browser: %v", err)
	}
	other.size(1600, 1000)
	return other
}

// do runs steps, which must end in time.
func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	run(b, chromedp.Steps(steps...))
}

func run[T any](b *tab, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	got, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatalf("browser: %v", err)
	}
	return got
}

// call runs a command of the protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	got, err := chromedp.Call(b.ctx, command, params)
	if err != nil {
		b.t.Fatalf("browser: %s: %v", command.Method, err)
	}
	return got
}

func (b *tab) open(path string) { b.t.Helper(); b.do(chromedp.Navigate(b.url + path)) }

func (b *tab) size(width, height int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
}

// prefer sets a preference of the system, such as a dark colour scheme.
func (b *tab) prefer(name, value string) {
	b.t.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: name, Value: value}}})
}

func (b *tab) press(keys string)     { b.t.Helper(); b.do(chromedp.KeyEvent(keys)) }
func (b *tab) click(selector string) { b.t.Helper(); b.do(chromedp.Click(chromedp.CSS(selector))) }

// eval returns what a script does, waiting for what it promises.
func eval[T any](b *tab, script string) T {
	b.t.Helper()
	return run(b, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// text returns what a reader sees of an element.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return strings.TrimSpace(eval[string](b, "document.querySelector('"+selector+"')?.innerText ?? 'no "+selector+"'"))
}

// until waits for a condition on a page that is loaded.
func (b *tab) until(condition string) {
	b.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !eval[bool](b, "document.readyState === 'complete' && !!("+condition+")"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("in vain for %s at %s:\n%s", condition, b.path(), b.text("main"))
		}
	}
}

// path returns where the tab is, without the host.
func (b *tab) path() string {
	b.t.Helper()
	at, err := url.Parse(run(b, chromedp.Location()))
	if err != nil {
		b.t.Fatal(err)
	}
	return at.RequestURI()
}

package inspector

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

func TestFiltersAreInTheURL(t *testing.T) {
	h := newHouse(t)
	h.deliver(t, sampleBody(t, owox.RunSuccessful))
	h.deliver(t, sampleBody(t, owox.RunFailed))
	b := newTab(t, h)
	b.open("/")
	eval[any](b, "document.querySelector('[name=event]').value = 'failed'")
	b.click(".filters button")
	b.until("location.search === '?event=failed'")
	if b.text("#rows"); eval[bool](b, "!!document.querySelector('#d1')") || !eval[bool](b, "!!document.querySelector('#d2')") {
		t.Errorf("got %q, want the failed run only", b.text("#rows"))
	}
	b.do(chromedp.NavigateBack())
	b.until("location.search === '' && document.querySelector('#d1')")
	b.do(chromedp.NavigateForward())
	b.until("location.search === '?event=failed' && document.querySelector('[name=event]').value === 'failed'")
}

func TestFindingsStandUnderTheirMember(t *testing.T) {
	h := newHouse(t)
	h.deliver(t, sampleBody(t, owox.RunFailed, owox.PathRunStatus+"=SUCCESSFUL"))
	b := newTab(t, h)
	b.open("/deliveries/1")
	got := eval[struct {
		Line, Marked, Rule string
		Below              bool
	}](b, `(() => {
		const found = document.querySelector(".code .finding.error"), line = found.parentElement.previousElementSibling;
		const [a, b] = [line.getBoundingClientRect(), found.getBoundingClientRect()];
		return { Line: line.innerText, Marked: line.querySelector(".marked").innerText, Rule: found.querySelector("a").getAttribute("href"), Below: b.top >= a.bottom && b.top - a.bottom < 10 };
	})()`)
	_, member, _ := strings.Cut(owox.PathRunStatus, "run.")
	if want := `"` + member + `": "SUCCESSFUL",`; strings.TrimSpace(got.Line) != want || got.Marked != `"SUCCESSFUL"` || !got.Below {
		t.Errorf("got %+v, want the finding right below %s", got, want)
	}
	b.click(".code .finding.error a")
	b.until("location.hash === '#status-matches-event' && document.querySelector(location.hash)")
}

// programs run what the page copies.
var programs = map[string][]string{"curl": {"sh", "-s"}, "fetch": {"node", "--input-type=module", "-"}, "python": {"python3", "-"}}

func TestCopiedCommandsDeliverAgain(t *testing.T) {
	h := newHouse(t)
	body := sampleBody(t, owox.RunFailed, owox.PathTitle+"=It's \\ \"quoted\" $HOME `x` \u00fc\u2028")
	h.deliver(t, body)
	b := newTab(t, h)
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		if _, err := chromedp.CallBrowser(b.ctx, browser.SetPermission, browser.SetPermissionParams{
			Permission: &browser.PermissionDescriptor{Name: name}, Setting: browser.PermissionSettingGranted, Origin: b.url,
		}); err != nil {
			t.Fatal(err)
		}
	}
	call(b, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	b.open("/deliveries/1")
	copied := func(what string, do func()) string {
		eval[any](b, "navigator.clipboard.writeText('nothing')")
		do()
		b.until("document.querySelector('#said').innerText.endsWith('" + what + " copied')")
		eval[any](b, "document.querySelector('#said').innerText = ''; null")
		return eval[string](b, "navigator.clipboard.readText()")
	}
	curl := copied("curl", func() { b.press("c") })
	for name, title := range map[string]string{"curl": "curl", "fetch": "JavaScript", "python": "Python"} {
		text := copied(title, func() { b.click("[data-copy-from=as-" + name + "]") })
		if name == "curl" && text != curl {
			t.Errorf("the key copies %q, the button %q", curl, text)
		}
		program := programs[name]
		if _, err := exec.LookPath(program[0]); err != nil {
			t.Logf("%s was not run: %v", name, err)
			continue
		}
		_, before, _ := h.journal.Ends(t.Context())
		command := exec.CommandContext(t.Context(), program[0], program[1:]...)
		command.Stdin = strings.NewReader(text)
		output, err := command.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s\n%s", name, err, text, output)
			continue
		}
		if again := entry(t, h, before+1); !bytes.Equal(again.Body, body) || again.Answered != 200 || !again.Duplicate {
			t.Errorf("%s: got %d for %s, want the same bytes: %s", name, again.Answered, again.Body, body)
		}
	}
	if got := copied("Body", func() { b.click("[data-copy-from=body-text]") }); got != string(body) {
		t.Errorf("copy body: got %q, want %q", got, body)
	}
	if got, want := copied("header X-Webhook-ID", func() { b.click("[aria-label='Copy header X-Webhook-ID']") }), owox.HeaderID+": "+owox.Identify(body).ID; !strings.EqualFold(got, want) {
		t.Errorf("copy header: got %q, want %q", got, want)
	}
	if got, want := copied("owoxhook", func() { b.click("[data-copy-from=as-replay]") }), "owoxhook replay 1\n"; got != want {
		t.Errorf("copy as owoxhook: got %q, want %q", got, want)
	}
}

func TestDeliverAgainShowsTheNewAnswerBesideTheOld(t *testing.T) {
	h := newHouse(t)
	h.deliver(t, sampleBody(t, owox.RunFailed))
	b := newTab(t, h)
	b.open("/deliveries/1")
	b.click("#again summary")
	eval[any](b, "(() => { const area = document.querySelector('#again textarea'); area.value = area.value.replace('FAILED', 'SUCCESSFUL'); })()")
	b.press("r")
	b.until("document.activeElement.innerText === 'Deliver again'")
	b.press(kb.Enter)
	b.until("document.querySelector('#answer')")
	cards := eval[[]string](b, "[...document.querySelectorAll('.beside .card')].map((card) => card.innerText)")
	if len(cards) != 2 || !strings.Contains(cards[0], "200 OK") || !strings.Contains(cards[1], "422 Unprocessable Entity") || !strings.Contains(cards[1], "status-matches-event") {
		t.Errorf("got %q, want 200 then, and 422 with the finding now", cards)
	}
	if tops := eval[[]float64](b, "[...document.querySelectorAll('.beside .card')].map((card) => card.getBoundingClientRect().top)"); tops[0] != tops[1] {
		t.Errorf("got tops %v, want both answers side by side", tops)
	}
	b.open("/deliveries/1")
	if got := b.text("[aria-labelledby=attempts-title]"); !strings.Contains(got, "422") {
		t.Errorf("attempts: got %q, want the one with 422", got)
	}
}

func TestEverythingIsReachedByKeys(t *testing.T) {
	h := newHouse(t)
	for range 3 {
		h.deliver(t, sampleBody(t, owox.RunFailed))
	}
	b := newTab(t, h)
	b.open("/")
	for _, step := range []struct{ keys, want string }{
		{"j", "document.activeElement.closest('tr')?.id === 'd3'"},
		{"j", "document.activeElement.closest('tr')?.id === 'd2'"},
		{"k", "document.activeElement.closest('tr')?.id === 'd3'"},
		{"/", "document.activeElement.name === 'q'"},
		{"?j", "document.activeElement.name === 'q' && document.activeElement.value.endsWith('?j')"},
		{kb.Escape, "document.activeElement === document.body"},
		{"?", "document.querySelector('#keys').open"},
		{kb.Escape, "!document.querySelector('#keys').open"},
		{"jj" + kb.Enter, "location.pathname === '/deliveries/2'"},
		{"j", "location.pathname === '/deliveries/1'"},
		{"k", "location.pathname === '/deliveries/2'"},
		{"/", "location.pathname === '/'"},
		{"jr", "location.pathname === '/deliveries/3' && document.activeElement.innerText === 'Deliver again'"},
	} {
		b.press(step.keys)
		b.until(step.want)
	}
}

func TestPagesWorkWithoutJavaScript(t *testing.T) {
	h := newHouse(t)
	h.deliver(t, sampleBody(t, owox.RunSuccessful))
	h.deliver(t, sampleBody(t, owox.RunFailed))
	b := newTab(t, h)
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.open("/")
	b.do(chromedp.SendKeys(chromedp.CSS("#search"), "no such title"))
	b.click(".filters button")
	b.until("location.search === '?q=no+such+title' && document.querySelector('#empty')")
	b.click(".filters a")
	b.until("location.search === ''")
	b.click("#d2 a")
	b.until("location.pathname === '/deliveries/2'")
	if eval[bool](b, "[...document.querySelectorAll('.js')].some((button) => button.offsetParent)") {
		t.Error("there are buttons that do nothing without JavaScript")
	}
	b.click("#deliver-again")
	b.until("document.querySelector('#answer')")
	b.open("/deliveries/1")
	b.click(".danger summary")
	b.click("button.danger")
	b.until("location.pathname === '/' && !document.querySelector('#d1') && document.querySelector('#d3')")
	b.open("/send")
	b.click("main button.primary")
	b.until("document.querySelector('#answer')?.innerText.includes('200 OK')")
	b.open("/answers")
	b.click("[name=paused]")
	b.click("main button.primary")
	b.until("document.querySelector('nav').innerText.includes('paused')")
	if got := h.deliver(t, sampleBody(t, owox.RunFailed)); got != 503 {
		t.Errorf("paused: got status %d, want 503", got)
	}
}

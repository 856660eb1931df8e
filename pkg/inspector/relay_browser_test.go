package inspector

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
)

func TestTheRelayIsWatchedAndMended(t *testing.T) {
	h := newHouse(t)
	h.deliver(t, sampleBody(t, owox.RunFailed))
	h.deliver(t, sampleBody(t, owox.RunFailed))
	f := h.relays(t)
	b := newTab(t, h)
	b.open("/relay")
	b.until(isLive)
	b.until("document.querySelector('#given-up .pill').innerText === '2'")

	// what changes is on the page without a reload, and does not take the focus
	eval[any](b, "document.querySelector('#job-2-alerts button').focus(); window.stayed = true")
	f.add(relay.Job{Target: "app", Sequence: 2, State: relay.GivenUp, Attempts: 1, Error: "status 410 Gone"})
	b.until("document.querySelector('#given-up .pill').innerText === '3' && document.querySelector('#job-2-app')")
	if !eval[bool](b, "window.stayed && document.activeElement.closest('tr')?.id === 'job-2-alerts'") {
		t.Error("the page was loaded again, or has lost what had the focus")
	}

	b.click("#job-2-alerts button")
	b.until("document.querySelector('.note')?.innerText === '1 delivery is tried again.' && !document.querySelector('[aria-labelledby=given-up] #job-2-alerts')")
	b.click("#target-app .title")
	b.until("location.search === '?target=app' && document.querySelectorAll('tr.delivery').length === 2")

	// nothing is dropped before somebody was asked
	before := f.left()
	b.click("[aria-labelledby=given-up] .bar a")
	b.until("document.querySelector('h1')?.innerText === 'Drop 1 delivery for app?'")
	b.click("main .buttons a")
	b.until("location.pathname + location.search === '/relay?target=app'")
	if got := f.left(); got != before {
		t.Errorf("kept, and there is %s, want %s", got, before)
	}
	b.click("#job-2-app .buttons a")
	b.until("document.querySelector('h1')?.innerText === 'Drop delivery 2 for app?'")
	b.click("button.danger")
	b.until("document.querySelector('.note')?.innerText === '1 delivery is dropped.' && !document.querySelector('#job-2-app')")

	b.click("#target-app .act a")
	b.click("main button.primary")
	b.until("document.querySelector('#answer')?.innerText.includes('200 OK') && document.querySelector('main pre').innerText.startsWith('POST ')")

	// a page that is not live does the same
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.open("/relay")
	b.click("[aria-labelledby=given-up] .bar button")
	b.until("document.querySelector('.note')?.innerText === '1 delivery is tried again.' && !document.querySelector('#given-up .pill')")
}

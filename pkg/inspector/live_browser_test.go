package inspector

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

const isLive = "!document.querySelector('#live').hidden"

func TestDeliveriesAppearWithin200Milliseconds(t *testing.T) {
	h := newHouse(t)
	b := newTab(t, h)
	b.open("/")
	b.until(isLive)
	eval[any](b, `window.seen = {}; new MutationObserver(() => {
		for (const row of document.querySelectorAll("tr.delivery")) seen[row.id] ??= Date.now();
	}).observe(document.querySelector("#rows"), { childList: true }); null`)
	var waits []time.Duration
	for n := range 9 {
		h.deliver(t, sampleBody(t, owox.RunFailed))
		answered := time.Now()
		row := "d" + strconv.Itoa(n+1)
		b.until("seen." + row)
		waits = append(waits, time.UnixMilli(eval[int64](b, "seen."+row)).Sub(answered))
	}
	slices.Sort(waits)
	if median := waits[len(waits)/2]; median > 200*time.Millisecond {
		t.Errorf("deliveries were on the page %v after their answers, want within 200ms", waits)
	}
	if got := eval[int](b, "document.querySelectorAll('tr.delivery').length"); got != 9 {
		t.Errorf("got %d rows, want each of 9 deliveries once", got)
	}
}

func TestFiltersHoldForWhatArrives(t *testing.T) {
	h := newHouse(t)
	b := newTab(t, h)
	b.open("/?event=failed")
	b.until(isLive)
	h.deliver(t, sampleBody(t, owox.RunSuccessful))
	h.deliver(t, sampleBody(t, owox.RunFailed))
	b.until("document.querySelector('#d2')")
	if eval[bool](b, "!!document.querySelector('#d1')") {
		t.Error("a successful run is on a page of failed ones")
	}
}

func TestNewDeliveriesAreCountedWhileOneIsScrolledAway(t *testing.T) {
	h := newHouse(t)
	for range pageSize {
		h.keep(t, delivery.Delivery{ReceivedAt: time.Now(), State: delivery.StateValid, Answered: 200})
	}
	b := newTab(t, h)
	b.size(1600, 400)
	b.open("/")
	b.until(isLive)
	eval[any](b, "scrollTo(0, 1000)")
	b.until("scrollY > 900")
	for range 3 {
		h.deliver(t, sampleBody(t, owox.RunFailed))
	}
	b.until("document.querySelector('#arrived').innerText === '3 new'")
	b.click("#arrived")
	b.until("scrollY === 0 && document.querySelector('#arrived').hidden")
}

// Browsers allow six connections to a host.
func TestSevenTabsWork(t *testing.T) {
	h := newHouse(t)
	first := newTab(t, h)
	tabs := []*tab{first}
	for len(tabs) < 7 {
		tabs = append(tabs, first.another(chromedp.WithNewWindow(false)))
	}
	for _, b := range tabs {
		b.open("/")
	}
	for n, b := range tabs {
		call(b, cdppage.BringToFront, cdp.Empty{})
		b.until(isLive)
		h.deliver(t, sampleBody(t, owox.RunFailed))
		b.until("document.querySelectorAll('tr.delivery').length === " + strconv.Itoa(n+1))
	}
	for deadline := time.Now().Add(5 * time.Second); h.page.feeds.Load() != 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d feeds are open, want one, of the tab that is seen", h.page.feeds.Load())
		}
	}
}

func TestAPageGoesOnAfterTheServerWasAway(t *testing.T) {
	h := newHouse(t)
	b := newTab(t, h)
	b.open("/")
	b.until(isLive)
	h.deliver(t, sampleBody(t, owox.RunFailed))
	b.until("document.querySelector('#d1')")
	h.feedsEnd()
	h.deliver(t, sampleBody(t, owox.RunFailed))
	b.until("document.querySelector('#d2')")
	if got := eval[int](b, "document.querySelectorAll('tr.delivery').length"); got != 2 {
		t.Errorf("got %d rows, want two: nothing twice, nothing missed", got)
	}
}

package inspector

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	cdppage "github.com/chromedp/cdproto/page"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// injections run, load or change something where text becomes markup, script,
// style or a URL.
var injections = []string{
	`<script>ran("script")</script>`,
	`"><img src=x onerror=ran("image")>`,
	`'"--></style></script></textarea></title></pre><svg onload=ran("svg")>`,
	`<div hx-get="/overview" hx-trigger="load" hx-on:htmx:load="ran('htmx')" hx-sse:connect="/feed">`,
	`<iframe srcdoc="<script>parent.ran('frame')</script>"></iframe>`,
	`<a href="javascript:ran('link')" style="position:fixed;inset:0" autofocus onfocus=ran('focus')>x</a>`,
	`javascript:ran("url")`,
	`{{.}} ${ran("template")} <meta http-equiv=refresh content="0;url=/events"><base href=//evil.example/>`,
	"<link rel=stylesheet href=//evil.example/><style>*{display:none}</style>\r\n\r\n<form action=//evil.example>\u2028\u202e",
}

// watch notes on every page what must not happen.
const watch = `window.wrong = []; window.ran = (what) => wrong.push("ran " + what);
document.addEventListener("securitypolicyviolation", (event) => wrong.push(event.violatedDirective + " " + event.blockedURI));`

// strange looks for what no page has, wherever it came from.
const strange = `wrong.concat([...document.querySelectorAll("*")].flatMap((element) => {
	const bad = [...element.attributes].filter((a) => /^on|^style$|^srcdoc$/.test(a.name) || /^(href|src|action|formaction)$/.test(a.name) && !/^[/#?]/.test(a.value)).map((a) => element.nodeName + " " + a.name + "=" + a.value);
	if (/^(IFRAME|OBJECT|EMBED|BASE|STYLE|IMG)$/.test(element.nodeName) || element.nodeName === "SCRIPT" && !element.src || element.matches("main [hx-get], [hx-on\\:htmx\\:load]")) bad.push(element.outerHTML);
	return bad;
}))`

func TestNothingThatArrivedRuns(t *testing.T) {
	h := newHouse(t)
	validator, err := validate.New(validate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	b := newTab(t, h)
	call(b, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: watch})
	b.open("/")
	b.until(isLive)
	for _, text := range injections {
		for _, body := range hostileBodies(t, text) {
			d := delivery.Delivery{
				ReceivedAt: time.Now(), Method: text, Path: text, Remote: text, State: delivery.StateInvalid, Answered: 422, Body: body,
				Headers: []owox.Header{{Name: text, Value: text}, {Name: owox.HeaderID, Value: text}, {Name: owox.HeaderEvent, Value: text}},
			}
			_, d.Findings = validator.Identify(owox.Method, map[string][]string{owox.HeaderID: {text}, owox.HeaderEvent: {text}, "Content-Type": {text}}, body)
			d.Identity = owox.Identify(body)
			h.keep(t, d)
			if err := h.journal.KeepAttempt(1, time.Now(), delivery.Attempt{URL: text, Status: 500, Failure: &delivery.Failure{Error: text}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, newest, err := h.journal.Ends(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.until(fmt.Sprintf("document.querySelector('#d%d')", newest))
	check := func(path string) {
		t.Helper()
		if got := eval[[]string](b, strange); len(got) > 0 {
			t.Errorf("%s: %q", path, got)
		}
	}
	check("what the feed brought")
	f := h.relays(t)
	for n, text := range injections {
		f.add(relay.Job{Target: "app", Sequence: int64(n + 10), State: relay.GivenUp, Error: text}, relay.Job{Target: "app", Sequence: int64(n + 30), State: relay.Waiting, Error: text})
	}
	paths := []string{"/", "/overview", "/relay", "/relay/drop?target=app&delivery=12", "/deliveries/12"}
	for sequence := range newest {
		paths = append(paths, fmt.Sprintf("/deliveries/%d?with=%s", sequence+1, url.QueryEscape(injections[0])))
	}
	for _, text := range injections {
		word := url.QueryEscape(text)
		paths = append(paths, "/?q="+word+"&event="+word+"&mart="+word, "/?since="+word, "/?status="+word, "/nowhere/"+url.PathEscape(text),
			"/relay?target="+word+"&retried="+word, "/relay/drop?delivery="+word, "/relay/drop?target=app&shown="+word, "/relay/test?target="+word)
	}
	for _, path := range paths {
		b.open(path)
		b.until("document.querySelector('main h1')")
		check(path)
	}
	b.open("/send")
	eval[any](b, "document.querySelector('[name=set]').value = "+string(mustJSON(t, owox.PathTitle+"="+injections[2]+"\n"+injections[1])))
	b.click("main button.primary")
	b.until("document.querySelector('.note.bad, #answer')")
	check("/send")
	for _, text := range injections {
		endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Answer", text)
			_, _ = w.Write([]byte(text))
		}))
		t.Cleanup(endpoint.Close)
		b.open("/deliveries/1")
		eval[any](b, "document.querySelector('[name=to]').value = '"+endpoint.URL+"'")
		b.click("#deliver-again")
		b.until("document.querySelector('#answer')")
		check("an answer of " + text)
	}
}

// hostileBodies are payloads that have a text wherever they can, and the text.
func hostileBodies(t *testing.T, text string) [][]byte {
	t.Helper()
	body := sampleBody(t, owox.RunFailed)
	quoted := string(mustJSON(t, text))
	for _, field := range owox.Fields() {
		if field.Type == owox.String {
			body = edit(t, body, field.Path+"="+quoted)
		}
	}
	body = edit(t, body, owox.PathErrors+"=["+quoted+","+string(mustJSON(t, `{"`+strings.ReplaceAll(text, `"`, `\"`)+`":1}`))+"]")
	named := []byte("{" + quoted + ":[" + quoted + "]," + string(body[1:]))
	return [][]byte{named, []byte(text), []byte(quoted), []byte(`{"` + text)}
}

func mustJSON(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

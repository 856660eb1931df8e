package relay_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

var update = flag.Bool("update", false, "write the golden files")

// received makes a delivery of a payload, edited.
func received(t *testing.T, event owox.EventType, edits map[string]any) delivery.Delivery {
	t.Helper()
	body := owox.Documented(event)
	for path, value := range edits {
		var err error
		if body, err = sjson.SetBytes(body, path, value); err != nil {
			t.Fatal(err)
		}
	}
	return delivery.Delivery{Identity: owox.Identify(body), Method: http.MethodPost, Path: "/", Body: body, ReceivedAt: time.Unix(1_700_000_000, 0)}
}

// batches are what messages are made of, by the name of their golden file.
func batches(t *testing.T) map[string]relay.Batch {
	t.Helper()
	nasty := "\x00\u202e<!channel> <users/all> <http://f|l> *b* `c` ```d``` [e](http://f) & \"g\" \\ " + strings.Repeat("ü€", 5000)
	failed := received(t, owox.RunFailed, map[string]any{
		owox.PathErrors:  []string{`{"error":"{\"message\":\"table not found\\nline 2\\nline 3\\nline 4\"}"}`, "second"},
		owox.PathRunType: "CONNECTOR",
	})
	recovered := relay.Single(received(t, owox.RunSuccessful, nil))
	recovered.Recovered, recovered.Recoveries = 1, []bool{true}
	window := relay.Batch{Total: 12, Failed: 9, DataMarts: 3}
	for i := range 10 {
		window.Deliveries = append(window.Deliveries, received(t, owox.RunFailed, map[string]any{owox.PathTitle: fmt.Sprintf("Report %d", i)}))
	}
	again := received(t, owox.RunSuccessful, nil)
	recoveredWindow := relay.Batch{
		Total: 2, Recovered: 2, DataMarts: 2, Deliveries: []delivery.Delivery{again, again}, Recoveries: []bool{true, true},
	}
	mixedWindow := relay.Batch{
		Total: 3, Failed: 2, Recovered: 1, DataMarts: 2, Deliveries: []delivery.Delivery{failed, again, failed}, Recoveries: []bool{false, true, false},
	}
	hostile := received(t, owox.RunFailed, map[string]any{
		owox.PathTitle: nasty, owox.PathProject: nasty, owox.PathErrors: []string{nasty, nasty, nasty, nasty}, owox.PathRunID: nasty,
	})
	bare := received(t, owox.RunFailed, nil)
	bare.Body = []byte(`{"` + owox.PathEvent + `":"` + string(owox.RunFailed) + `"}`)
	bare.Identity = owox.Identify(bare.Body)
	manyHostile := relay.Batch{Total: 1_000_000, Failed: 1, DataMarts: 9}
	for range 10 {
		manyHostile.Deliveries = append(manyHostile.Deliveries, hostile)
	}
	return map[string]relay.Batch{
		"failed": relay.Single(failed), "successful": relay.Single(received(t, owox.RunSuccessful, nil)), "recovered": recovered,
		"test":      relay.Single(received(t, owox.RunFailed, map[string]any{owox.PathIsTest: true, owox.PathURL: "/ui/relative"})),
		"long_link": relay.Single(received(t, owox.RunFailed, map[string]any{owox.PathURL: "https://app.owox.com/ui/" + strings.Repeat("a", 9000)})),
		"window":    window, "recovered_window": recoveredWindow, "mixed_window": mixedWindow,
		"hostile": relay.Single(hostile), "hostile_window": manyHostile, "bare": relay.Single(bare),
	}
}

// formats say what the services document about their messages.
var formats = map[relay.Service]func(fail func(string, ...any), body []byte){
	relay.Slack: func(fail func(string, ...any), body []byte) {
		require(fail, body, "text", 1, 40_000)
		total := 0
		gjson.GetBytes(body, "blocks").ForEach(func(_, block gjson.Result) bool {
			total += len(block.Get("text.text").Str)
			if block.Get("text.type").Str == "mrkdwn" && strings.Contains(block.Get("text.text").Str, "<!") {
				fail("a mention of everybody: %s", block.Raw)
			}
			switch kind := block.Get("type").Str; kind {
			case "header":
				require(fail, []byte(block.Raw), "text.text", 1, 150)
				require(fail, []byte(block.Raw), "text.type", 10, 10)
			case "section":
				require(fail, []byte(block.Raw), "text.text", 1, 3000)
			case "actions":
				require(fail, []byte(block.Raw), "elements.0.url", 8, 3000)
				require(fail, []byte(block.Raw), "elements.0.text.text", 1, 75)
			default:
				fail("unknown block %s", kind)
			}
			return true
		})
		if total > 13_000 || strings.Contains(gjson.GetBytes(body, "text").Str, "<!") {
			fail("%d characters in blocks, or a mention of everybody", total)
		}
	},
	relay.Discord: func(fail func(string, ...any), body []byte) {
		if link := gjson.GetBytes(body, "embeds.0.url").Str; len(link) > 2048 {
			fail("a link of %d characters", len(link))
		}
		total := require(fail, body, "embeds.0.title", 1, 256) + require(fail, body, "embeds.0.description", 0, 4096)
		gjson.GetBytes(body, "embeds.0.fields").ForEach(func(_, field gjson.Result) bool {
			total += require(fail, []byte(field.Raw), "name", 1, 256) + require(fail, []byte(field.Raw), "value", 1, 1024)
			return true
		})
		if total > 6000 || gjson.GetBytes(body, "allowed_mentions.parse.#").Int() != 0 {
			fail("%d characters, or mentions are allowed", total)
		}
	},
	relay.GoogleChat: func(fail func(string, ...any), body []byte) {
		require(fail, body, "text", 1, 4096)
		require(fail, body, "cardsV2.0.cardId", 0, 255)
		require(fail, body, "cardsV2.0.card.header.title", 1, 200)
		for _, path := range []string{"text", "cardsV2.0.card.header.title"} {
			if text := gjson.GetBytes(body, path).Str; strings.Contains(text, "<") {
				fail("a mention or a link in %s: %s", path, text)
			}
		}
		if n := gjson.GetBytes(body, "cardsV2.0.card.sections.0.widgets.#").Int(); n < 1 || n > 100 || len(body) > 32_000 {
			fail("%d widgets, %d bytes", n, len(body))
		}
	},
	relay.Teams: func(fail func(string, ...any), body []byte) {
		for path, want := range map[string]string{
			"type": "message", "attachments.0.contentType": "application/vnd.microsoft.card.adaptive", "attachments.0.content.type": "AdaptiveCard",
			"attachments.0.content.body.0.type": "TextBlock",
		} {
			if got := gjson.GetBytes(body, path).Str; got != want {
				fail("%s: got %q, want %q", path, got, want)
			}
		}
		if len(body) >= 28<<10 {
			fail("%d bytes, want less than 28 KB", len(body))
		}
	},
	relay.PagerDuty: func(fail func(string, ...any), body []byte) {
		require(fail, body, "routing_key", 32, 32)
		require(fail, body, "dedup_key", 1, 255)
		require(fail, body, "payload.summary", 1, 1024)
		require(fail, body, "payload.source", 1, 1024)
		if action, severity := gjson.GetBytes(body, "event_action").Str, gjson.GetBytes(body, "payload.severity").Str; action != "trigger" && action != "resolve" || severity != "error" {
			fail("action %q, severity %q", action, severity)
		}
	},
}

// require checks the length of a text that must be there.
func require(fail func(string, ...any), body []byte, path string, least, most int) int {
	got := gjson.GetBytes(body, path)
	n := utf8.RuneCountInString(got.Str)
	if got.Type != gjson.String || n < least || n > most {
		fail("%s has %d characters, want %d to %d: %.80s", path, n, least, most, got.Raw)
	}
	return n
}

const key = "0123456789abcdef0123456789abcdef"

func TestMessagesAreAsServicesDocumentThem(t *testing.T) {
	for _, service := range relay.Services() {
		for name, batch := range batches(t) {
			t.Run(string(service)+"/"+name, func(t *testing.T) {
				var body []byte
				fake := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					body, _ = io.ReadAll(r.Body)
					if got := r.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") || !json.Valid(body) {
						t.Errorf("content type %q, body %s", got, body)
					}
					formats[service](t.Errorf, body)
				}))
				defer fake.Close()
				s := sender.New(sender.Options{Relayed: true})
				defer s.Close()
				to, _ := url.Parse(fake.URL + "/services/T000/s3cr3t?key=s3cr3t")
				c := relay.Messages(s, to, nil, service.BuiltIn(), key)
				if a := c.Carry(t.Context(), batch); !a.OK() || strings.Contains(fmt.Sprintf("%+v", a), "s3cr3t") {
					t.Errorf("attempt: %+v", a)
				}
				if shown, err := c.Show(batch); err != nil || strings.Contains(shown, "s3cr3t") || strings.Contains(shown, key) {
					t.Errorf("shown: %s, %v, want no secret", shown, err)
				}
				golden(t, fmt.Sprintf("%s_%s.json", service, name), body)
			})
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, got, "", "  "); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	file := filepath.Join("testdata", "messages", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, pretty.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
		t.Errorf("%s is not as before (-want +got), see -update:\n%s", file, diff)
	}
}

func TestFailuresOfServicesKeepTheSecret(t *testing.T) {
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no such path: "+r.URL.Path, http.StatusNotFound)
	}))
	defer fake.Close()
	s := sender.New(sender.Options{Relayed: true})
	defer s.Close()
	for _, base := range []string{fake.URL, "http://127.0.0.1:1"} {
		to, _ := url.Parse(base + "/services/s3cr3t")
		a := relay.Messages(s, to, nil, relay.Slack.BuiltIn(), "").Carry(t.Context(), relay.Single(received(t, owox.RunFailed, nil)))
		if a.OK() || strings.Contains(fmt.Sprintf("%+v %+v %s", a, a.Failure, a.Body), "s3cr3t") {
			t.Errorf("attempt %+v, failure %+v, answer %s: want a failure without the secret", a, a.Failure, a.Body)
		}
	}
}

func TestTemplatesOfOnesOwn(t *testing.T) {
	d := received(t, owox.RunFailed, nil)
	for text, want := range map[string]string{
		`{"mart": {{json (.Value "` + owox.PathDataMartID + `")}}, "n": {{.Total}}}`: `{"mart": "dm-abc123", "n": 1}`,
		`{{.Title}} ({{.Project}})`: "Sales Report: run failed (My Project)",
	} {
		parsed, err := relay.ParseTemplate("own", text)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		fake := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got = string(body)
		}))
		s := sender.New(sender.Options{})
		to, _ := url.Parse(fake.URL)
		a := relay.Messages(s, to, nil, parsed, "").Carry(t.Context(), relay.Single(d))
		if got != want || !a.OK() {
			t.Errorf("%s: got %s, want %s; %+v", text, got, want, a.Failure)
		}
		s.Close()
		fake.Close()
	}
	if _, err := relay.ParseTemplate("own", "{{.Nope"); err == nil || !strings.HasPrefix(err.Error(), "own:1: ") {
		t.Errorf("got %v, want an error with the place", err)
	}
}

// What answers to Show and Carry is printed, and on a page.
func TestNothingThatIsSetIsShown(t *testing.T) {
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Seen", r.URL.Path)
		_, _ = w.Write([]byte("thanks for " + r.URL.Path + ", which ends with " + path.Base(r.URL.Path)))
	}))
	defer fake.Close()
	s := sender.New(sender.Options{Relayed: true})
	defer s.Close()
	to, _ := url.Parse(fake.URL + "/services/s3cr3t")
	set := []owox.Header{{Name: "authorization", Value: "Bearer t0ken"}}
	batch := relay.Single(received(t, owox.RunFailed, nil))
	shown, err := relay.Application(s, to, set).Show(batch)
	if err != nil || strings.Contains(shown, "t0ken") || !strings.Contains(shown, "authorization: …\n") {
		t.Errorf("an application: got %s, %v, want the header without its value", shown, err)
	}
	channel := relay.Messages(s, to, set, relay.Slack.BuiltIn(), "")
	if shown, err = channel.Show(batch); err != nil || strings.Contains(shown, "t0ken") || strings.Contains(shown, "s3cr3t") {
		t.Errorf("a channel: got %s, %v, want no secret", shown, err)
	}
	a := channel.Carry(t.Context(), batch)
	if all := fmt.Sprintf("%s %+v", a.Body, a.Headers); !a.OK() || !strings.Contains(all, "thanks for …") || strings.Contains(all, "s3cr3t") {
		t.Errorf("a channel that repeats its URL: got %s, %+v, want its answer without the secret", all, a.Failure)
	}
}

func TestAnswersThatRepeatSecretsAreShownWithoutThem(t *testing.T) {
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		unescaped := r.URL.Query().Get("token")
		w.Header().Set("Location", "/there?"+r.URL.RawQuery)
		w.Header().Set("X-Seen", r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusTemporaryRedirect)
		_, _ = fmt.Fprintf(w, "%s %s %s %s for %s", r.Header.Get("Authorization"), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), r.URL.RawQuery, unescaped, r.Header.Get("Content-Type"))
	}))
	defer fake.Close()
	s := sender.New(sender.Options{Relayed: true})
	defer s.Close()
	to, _ := url.Parse(fake.URL + "/hook?token=s3cr3t%2Fone&k=v")
	set := []owox.Header{{Name: "Authorization", Value: "Bearer s3cr3t-two"}, {Name: "Content-Type", Value: "application/json"}}
	text, err := relay.ParseTemplate("own", "{{.Title}}")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]relay.Carrier{"an application": relay.Application(s, to, set), "a template": relay.Messages(s, to, set, text, "")} {
		a := c.Carry(t.Context(), relay.Single(received(t, owox.RunFailed, nil)))
		all := fmt.Sprintf("%s %+v %+v", a.Body, a.Headers, a.Failure)
		if !strings.HasSuffix(string(a.Body), " for application/json") || strings.Contains(all, "s3cr3t") {
			t.Errorf("%s: got %s, want the answer without secrets", name, all)
		}
	}
}

package cmd

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/owoxhook/owoxhook/pkg/relay"
)

func TestKindsOfTargetsHaveNoCaseAndErrorsNoSecrets(t *testing.T) {
	const secret = "s3cr3t"
	for to, want := range map[string]struct{ kind, says string }{
		"https://h/" + secret:                {kindApplication, ""},
		"HTTPS://h/" + secret:                {kindApplication, ""},
		"@name":                              {kindApplication, ""},
		"slack:https://h/" + secret:          {"slack", ""},
		"Slack:https://h/" + secret:          {"slack", ""},
		"TEMPLATE:https://h/" + secret:       {kindTemplate, ""},
		"slak:https://h/" + secret:           {"", `unknown kind of target "slak:": did you mean slack:?`},
		"googlechat:https://h/" + secret:     {"", "did you mean google-chat:?"},
		"webhook:https://h/" + secret:        {"", `unknown kind of target "webhook:": want a URL`},
		"localhost:3000/" + secret:           {"", "want a URL such as https://"},
		"ftp://h/" + secret:                  {"", "scheme ftp is not supported"},
		"h/" + secret:                        {"", "not a target"},
		"h/" + secret + ":" + secret:         {"", "not a target"},
		"h/" + secret + "://slack:" + secret: {"", "not a target"},
	} {
		kind, _, err := kindOf(to)
		if kind != want.kind || (err == nil) != (want.says == "") {
			t.Errorf("%s is of kind %q, %v, want %q", to, kind, err, want.kind)
		}
		if err != nil && (!strings.Contains(err.Error(), want.says) || strings.Contains(err.Error(), secret)) {
			t.Errorf("%s: error %q, want one with %q and without the secret", to, err, want.says)
		}
	}
}

func TestNamesOfTargetsFollowTheRule(t *testing.T) {
	for text, want := range map[string][2]string{
		"app=https://h/":              {"app", "https://h/"},
		"https://h/?a=b":              {"", "https://h/?a=b"},
		"slack:@file=1":               {"", "slack:@file=1"},
		"my app=https://h/":           {"error", ""},
		"APP=https://h/":              {"error", ""},
		"my_app=https://h/":           {"error", ""},
		"=https://h/":                 {"error", ""},
		strings.Repeat("a", 61) + "=": {"error", ""},
	} {
		name, rest, err := splitName(text, false)
		if err != nil {
			name = "error"
		}
		if got := [2]string{name, rest}; got != want {
			t.Errorf("%s is %q, %v, want %q", text, got, err, want)
		}
	}
	if name, rest, err := splitName("TZ=UTC date", true); name != "" || rest != "TZ=UTC date" || err != nil {
		t.Errorf("a command is %q, %q, %v, want it as it is", name, rest, err)
	}
}

func TestKeysOfPagerDutyAreToldFromURLs(t *testing.T) {
	for text, want := range map[string][2]string{
		"R0K3Y":            {relay.PagerDutyURL, "R0K3Y"},
		"https://h/x#R0_K": {"https://h/x", "R0_K"},
		"":                 {},
		"https://h/x":      {},
		"https://h/x#":     {},
		"key with space":   {},
		"a#b#c":            {},
	} {
		address, key, err := pagerDuty(text)
		if got := [2]string{address, key}; got != want || (err == nil) != (want[1] != "") {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestHelpNamesWhatTemplatesHave(t *testing.T) {
	text, err := os.ReadFile("topics/relaying.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []reflect.Type{reflect.TypeFor[relay.Message](), reflect.TypeFor[relay.Fact]()} {
		for _, field := range reflect.VisibleFields(of) {
			if field.IsExported() && !field.Anonymous && !strings.Contains(string(text), "`."+field.Name+"`") {
				t.Errorf("help relaying does not name .%s", field.Name)
			}
		}
	}
}

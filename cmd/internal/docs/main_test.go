package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPagesHaveWhatReadersLookFor(t *testing.T) {
	dir := t.TempDir()
	if err := run([]string{dir}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"owoxhook.1":          {`.TH "OWOXHOOK" "1"`, `\fBowoxhook COMMAND [flags]\fP`, ".SH COMMANDS\n", "\\fBlisten\\fP\nReceive", `\fB--version\fP` + "\n", `\fBowoxhook-ci(7)\fP`},
		"owoxhook-listen.1":   {`.TH "OWOXHOOK-LISTEN" "1"`, `\fB--help\fP` + "\n", `\fB--public\fP` + "\n", `\fB--addr\fP="127.0.0.1:8787"`},
		"owoxhook-relay.1":    {"\\fBstatus\\fP\nShow", `\fBowoxhook-tunnel(7)\fP`},
		"owoxhook-tunnel.7":   {`.TH "OWOXHOOK-TUNNEL" "7"`, `\fBowoxhook-relay(1)\fP`},
		"owoxhook-json.7":     {`\fBowoxhook-validate(1)\fP`},
		"owoxhook-deploy.7":   {"deliveries: 4,221"},
		"owoxhook-relaying.7": {`\fBowoxhook-deploy(7)\fP`},
	} {
		page, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range want {
			if !strings.Contains(string(page), text) {
				t.Errorf("%s has no %q", name, text)
			}
		}
	}
}

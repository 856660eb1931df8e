package cmd

import (
	"testing"
)

func TestCommandsAreShownByTheirProgram(t *testing.T) {
	for line, want := range map[string]string{
		"curl -H s3cr3t":                      "curl",
		" cat>out":                            "cat",
		"true;false":                          "true",
		"date":                                "date",
		"/opt/a-b/run.sh s3cr3t":              "/opt/a-b/run.sh",
		`"/opt/a b/run" s3cr3t`:               "/opt/a b/run",
		`'/opt/a b/run' s3cr3t`:               "/opt/a b/run",
		`/opt/a\ b/run s3cr3t`:                `/opt/a\ b/run`,
		`"C:\Program Files\run.exe" s3cr3t`:   `C:\Program Files\run.exe`,
		`TOKEN=s3cr3t sh -c "exit 1"`:         "sh",
		"A=s3cr3t _b2+=s3cr3t C= sh":          "sh",
		"A=s3cr3t \\\n  B=s3cr3t\nsh":         "sh",
		`A="s3cr3t s3cr3t" B='s3cr3t $(x' sh`: "sh",
		`A="Bearer $s3cr3t"/${s3cr3t}'x' sh`:  "sh",
		`A=x\ s3cr3t sh`:                      "sh",
		"":                                    "…",
		"A=s3cr3t":                            "…",
		"A=s3cr3t; sh":                        "…",
		"A=$(cat s3cr3t) sh":                  "…",
		"A=`cat s3cr3t` sh":                   "…",
		"A=${B:-x s3cr3t } sh":                "…",
		`A=$'\' s3cr3t ' sh`:                  "…",
		`A="\" s3cr3t " sh`:                   "…",
		`A="$(echo " s3cr3t ")" sh`:           "…",
		"A=(x s3cr3t ) sh":                    "…",
		"a[0]=s3cr3t sh":                      "…",
		`A="x s3cr3t `:                        "…",
		`"A=s3cr3t sh"`:                       "…",
		`A="s3cr3t"sh`:                        "…",
		`"/opt/a"'s3cr3t'`:                    "…",
		"# s3cr3t":                            "…",
		"$s3cr3t":                             "…",
		"A=x\\\ns3cr3t sh":                    "…",
		"A=x\rs3cr3t sh":                      "…",
	} {
		if got := (command{line: line}).shown(); got != "exec:"+want {
			t.Errorf("%q is shown as %s, want exec:%s", line, got, want)
		}
	}
}

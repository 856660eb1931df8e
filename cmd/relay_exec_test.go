package cmd

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/sjson"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
)

// runs returns a target that runs a command of sh.
func runs(t *testing.T, line string) command {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no sh is here")
	}
	return command{app: &app{now: time.Now}, line: line, limit: 20 * time.Second}
}

// titled returns a delivery of a data mart with a title.
func titled(t *testing.T, title string) delivery.Delivery {
	t.Helper()
	body, err := sjson.SetBytes(owox.Documented(owox.RunFailed), owox.PathTitle, title)
	if err != nil {
		t.Fatal(err)
	}
	return delivery.Delivery{Identity: owox.Identify(body), Body: body}
}

func TestOutputOfACommandTakesLittleMemory(t *testing.T) {
	c := runs(t, "head -c 300000000 /dev/zero && echo over >&2")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a := c.Carry(t.Context(), relay.Single(titled(t, "x")))
	runtime.ReadMemStats(&after)
	if !a.OK() || !a.Cut || !bytes.Equal(a.Body, make([]byte, maxCommandOutput)) {
		t.Errorf("failure %v, %d bytes of output, cut %t, want the first %d", a.Failure, len(a.Body), a.Cut, maxCommandOutput)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 10<<20 {
		t.Errorf("300 MB of output took %d bytes of memory", took)
	}
	for _, size := range []int{0, maxCommandOutput, maxCommandOutput + 1} {
		a := runs(t, "head -c "+strconv.Itoa(size)+" /dev/zero").Carry(t.Context(), relay.Single(titled(t, "x")))
		if want := min(size, maxCommandOutput); !a.OK() || len(a.Body) != want || a.Cut != (size > want) {
			t.Errorf("%d bytes: failure %v, %d kept, cut %t", size, a.Failure, len(a.Body), a.Cut)
		}
	}
}

func TestStatusOfACommandDecidesWhateverItLeavesRunning(t *testing.T) {
	left := filepath.Join(t.TempDir(), "left")
	for line, want := range map[string]string{
		"sleep 31 & exit 0":                       "",
		"(sleep 3; echo > " + left + ") & exit 0": "",
		"sleep 31 & exit 3":                       "exit status 3",
	} {
		start := time.Now()
		a := runs(t, line).Carry(t.Context(), relay.Single(titled(t, "x")))
		if got := errorOf(a); got != want || time.Since(start) > 15*time.Second {
			t.Errorf("%s: %q after %v, want %q", line, got, time.Since(start), want)
		}
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(left); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatal("what a command left running was ended")
		}
	}
}

func errorOf(a delivery.Attempt) string {
	if a.OK() {
		return ""
	}
	return a.Failure.Error
}

func TestCommandsGetTheBeginningOfLongTexts(t *testing.T) {
	title := "x" + strings.Repeat("é", 50_000)
	d := titled(t, title)
	a := runs(t, `printf %s "$OWOX_DATA_MART" | wc -c | tr -d ' '; wc -c | tr -d ' '`).Carry(t.Context(), relay.Single(d))
	if want := strconv.Itoa(maxVariable-1) + "\n" + strconv.Itoa(len(d.Body)) + "\n"; !a.OK() || string(a.Body) != want {
		t.Errorf("got %q, %v, want %q: whole characters in the variable, and all of the payload", a.Body, a.Failure, want)
	}
	for _, v := range variables(d) {
		if name, value, _ := strings.Cut(v, "="); name == "OWOX_DATA_MART" && !strings.HasPrefix(title, value) {
			t.Errorf("%s does not have the beginning of the title", name)
		}
	}
}

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

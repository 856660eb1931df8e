//go:build unix

package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
)

// describe says what is measured where.
func (b *bench) describe() {
	fmt.Printf("%s, %s/%s, %d cores%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor())
	for _, tool := range [][]string{{"jq", "--version"}, {"wrk", "-v"}, {"hey"}} {
		path, err := exec.LookPath(tool[0])
		if err != nil {
			fmt.Printf("%s: not on this machine\n", tool[0])
			continue
		}
		version := path
		if len(tool) > 1 {
			out, _ := exec.CommandContext(b.ctx, path, tool[1:]...).CombinedOutput() // wrk -v ends with 1
			version, _, _ = strings.Cut(string(out), "\n")
		} else if out, err := exec.CommandContext(b.ctx, "go", "version", "-m", path).Output(); err == nil {
			for line := range strings.SplitSeq(string(out), "\n") {
				if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "mod" {
					version = fields[1] + " " + fields[2]
				}
			}
		}
		fmt.Printf("%s: %s\n", tool[0], version)
	}
	fmt.Println("CPU: microseconds for each delivery, of the server + the client, or of the program")
	fmt.Println()
}

// processor names the processor where Linux does.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // elsewhere it is not there
	if name := regexp.MustCompile(`model name\s*:\s*(.+)`).FindSubmatch(text); name != nil {
		return ", " + string(name[1])
	}
	return ""
}

// side is one program's part of a row.
type side struct {
	name   string
	values []float64 // one a round
	cpu    string
}

// limit is what a figure is wanted to reach. Its zero value is none.
type limit struct {
	sign  string
	value float64
	unit  string
}

func atLeast(value float64, unit string) limit { return limit{"≥", value, unit} }
func atMost(value float64, unit string) limit  { return limit{"≤", value, unit} }

// judge writes the limit, and marks it when the value is beyond.
func (l limit) judge(value float64) string {
	if l.sign == "" {
		return ""
	}
	text := strings.TrimSpace(l.sign + " " + figure(l.value, l.unit))
	if l.sign == "≥" && value < l.value || l.sign == "≤" && value > l.value || math.IsNaN(value) {
		text += "  NOT REACHED"
	}
	return text
}

func head() { row("path", "owoxhook", "CPU", "beside", "", "CPU", "ratio", "wanted") }

// row prints one at once: what comes later may fail.
func row(path, ours, cpu, beside, theirs, theirCPU, ratio, wanted string) {
	fmt.Println(strings.TrimRight(fmt.Sprintf("%-31s %12s %9s   %-19s %12s %9s %9s   %s", path, ours, cpu, beside, theirs, theirCPU, ratio, wanted), " "))
}

// compare prints two sides and their ratio, which the limit is for.
func compare(path, unit string, ours, theirs side, wanted limit) {
	a, b := median(ours.values), median(theirs.values)
	row(path, figure(a, unit), ours.cpu, theirs.name, figure(b, unit), theirs.cpu, fmt.Sprintf("%.2f", a/b), wanted.judge(a/b))
}

// above prints how much more one side is than the other, which the limit is for.
func above(path, unit string, ours, theirs side, wanted limit) {
	a, b := median(ours.values), median(theirs.values)
	row(path, figure(a, unit), ours.cpu, theirs.name, figure(b, unit), theirs.cpu, fmt.Sprintf("%+.1f %s", a-b, unit), wanted.judge(a-b))
}

// alone prints a figure that the limit is for.
func alone(path, unit string, value float64, cpu string, wanted limit) {
	row(path, figure(value, unit), cpu, "", "", "", "", wanted.judge(value))
}

// figure writes a number with three digits, or all those before the point.
func figure(value float64, unit string) string {
	text := fmt.Sprintf("%.3g", value)
	if value >= 100 {
		text = humanize.Comma(int64(math.Round(value)))
	}
	return strings.TrimSpace(text + " " + unit)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

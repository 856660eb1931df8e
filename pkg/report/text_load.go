package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

const (
	barWidth   = 40
	besideBars = 30 // columns of what is on the lines of bars
)

func (t *textReporter) load(l Load) error {
	var out strings.Builder
	out.WriteString(t.line([]string{tied(owox.Method + " " + Escape(l.URL)), l.headline()}, 4))
	for _, line := range l.outcomes() {
		paint := t.paint.bad
		if line.good {
			paint = t.paint.good
		}
		name, count := fmt.Sprintf("%-24s", line.name), fmt.Sprintf("%10s", humanize.Comma(int64(line.count)))
		out.WriteString(t.line([]string{"    " + paint(tied(name)), tied(count), Escape(line.what)}, 8))
	}
	parts := bars(l.Latency)
	if len(parts) > 0 {
		words := make([]string, len(percentiles))
		for i, p := range percentiles {
			words[i] = t.paint.dim(p.name) + tie + round(quantile(l.Latency, p.of)).String()
		}
		out.WriteString("latency\n" + t.line([]string{"    " + strings.Join(words, "  ")}, 4))
	}
	most := int64(1)
	for _, b := range parts {
		most = max(most, b.count)
	}
	longest := barWidth
	if columns := t.columns(); columns > 0 {
		longest = max(1, min(longest, columns-besideBars))
	}
	for _, b := range parts {
		length := int(math.Ceil(float64(b.count) / float64(most) * float64(longest)))
		fmt.Fprintf(&out, "    %9s  %s%s  %s\n", "≤ "+round(b.to).String(), t.paint.info(strings.Repeat("█", length)), strings.Repeat(" ", longest-length), humanize.Comma(b.count))
	}
	if err := write(t.out, trimLines(out.String())); err != nil {
		return err
	}
	for _, f := range l.Failures {
		if err := t.hint(f.Hint); err != nil {
			return err
		}
	}
	return nil
}

// trimLines takes the spaces off the ends of lines.
func trimLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

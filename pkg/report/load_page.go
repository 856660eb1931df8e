package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/owoxhook/owoxhook/pkg/sender"
)

//go:embed load_page.html
var loadPage string

// WriteHTML writes how a load went as a page of its own: charts are SVG in it,
// and it loads nothing.
func WriteHTML(w io.Writer, l Load) error {
	page, err := template.New("load").Parse(loadPage)
	if err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	outcomes, parts := chartBars{}, chartBars{}
	for _, line := range l.outcomes() {
		class := "bad"
		if line.good {
			class = "good"
		}
		outcomes.add(Escape(line.name), class, int64(line.count))
	}
	for _, b := range bars(l.Latency) {
		parts.add("≤ "+round(b.to).String(), "bar", b.count)
	}
	failures := make([]sender.LoadFailure, len(l.Failures))
	for i, f := range l.Failures {
		f.Error, f.Hint = Escape(f.Error), Escape(f.Hint)
		failures[i] = f
	}
	return page.Execute(w, map[string]any{
		"URL": Escape(l.URL), "Headline": l.headline(), "Tiles": l.tiles(), "Charts": l.charts(),
		"Distribution": parts.scaled(), "Outcomes": outcomes.scaled(), "Failures": failures,
	})
}

type tile struct{ Name, Value string }

func (l Load) tiles() []tile {
	tiles := []tile{{"succeeded", humanize.Comma(int64(l.Deliveries - l.Failed))}, {"failed", humanize.Comma(int64(l.Failed))}}
	if l.Latency.TotalCount() == 0 {
		return tiles
	}
	for _, p := range percentiles {
		tiles = append(tiles, tile{p.name, round(quantile(l.Latency, p.of)).String()})
	}
	return tiles
}

// The place of a chart in its picture, as the page has it.
const (
	chartLeft, chartRight = 70.0, 850.0
	chartTop, chartBottom = 10.0, 210.0
	barLeft, barRoom      = 200.0, 570.0
	barStep               = 24
)

// chart is a chart over the time of a load.
type chart struct {
	Title string
	Lines []chartLine
	X, Y  []tick
}

type chartLine struct{ Name, Class, Points string }

type tick struct {
	At    string
	Label string
}

// series is a line of a chart before it is drawn.
type series struct {
	name, class string
	value       func(sender.Interval) float64
}

func (l Load) charts() []chart {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	rate := func(n int, in sender.Interval) float64 { return float64(n) / max((in.End-in.Start).Seconds(), 1e-3) }
	charts := []chart{
		l.chart("Latency over time (ms)",
			series{"p50", "p50", func(in sender.Interval) float64 { return ms(in.P50) }},
			series{"p99", "p99", func(in sender.Interval) float64 { return ms(in.P99) }},
			series{"max", "max", func(in sender.Interval) float64 { return ms(in.Max) }}),
		l.chart("Deliveries a second",
			series{"delivered", "rate", func(in sender.Interval) float64 { return rate(in.Deliveries-in.Failed, in) }},
			series{"failed", "failed", func(in sender.Interval) float64 { return rate(in.Failed, in) }}),
	}
	return charts
}

func (l Load) chart(title string, lines ...series) chart {
	c := chart{Title: title}
	highest := 0.0
	for _, in := range l.Timeline {
		for _, line := range lines {
			highest = max(highest, line.value(in))
		}
	}
	step := niceStep(highest)
	top := max(step, math.Ceil(highest/step)*step)
	y := func(value float64) string {
		return fmt.Sprintf("%.1f", chartBottom-value/top*(chartBottom-chartTop))
	}
	x := func(at time.Duration) float64 {
		return chartLeft + float64(at)/float64(max(l.Elapsed, 1))*(chartRight-chartLeft)
	}
	for value := 0.0; value <= top+step/2; value += step {
		c.Y = append(c.Y, tick{y(value), scaleLabel(value)})
	}
	every := time.Duration(niceStep(l.Elapsed.Seconds()) * float64(time.Second))
	for at := time.Duration(0); at <= l.Elapsed; at += every {
		c.X = append(c.X, tick{fmt.Sprintf("%.1f", min(x(at), chartRight-20)), round(at).String()})
	}
	for _, line := range lines {
		var points []string
		for _, in := range l.Timeline {
			whole := in.End-in.Start > (l.Timeline[0].End-l.Timeline[0].Start)/2 // or its rate means little
			if in.Deliveries > 0 && whole {
				points = append(points, fmt.Sprintf("%.1f,%s", x((in.Start+in.End)/2), y(line.value(in))))
			}
		}
		if len(points) == 1 { // a single point is not a line
			points = append(points, fmt.Sprintf("%.1f,%s", chartRight, y(line.value(l.Timeline[len(l.Timeline)-1]))))
		}
		c.Lines = append(c.Lines, chartLine{line.name, line.class, strings.Join(points, " ")})
	}
	return c
}

func scaleLabel(value float64) string {
	if value == math.Trunc(value) {
		return humanize.Comma(int64(value))
	}
	return strconv.FormatFloat(value, 'g', 3, 64)
}

// niceStep divides a scale into about five parts of 1, 2 or 5 times a power of
// ten.
func niceStep(highest float64) float64 {
	if highest <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(highest/5)))
	for _, times := range []float64{1, 2, 5} {
		if unit*times*5 >= highest {
			return unit * times
		}
	}
	return unit * 10
}

type chartBars struct {
	Height int
	Bars   []chartBar
	most   int64
}

type chartBar struct {
	Name, Class, Count string
	Y                  int
	Width, After       string
	count              int64
}

func (c *chartBars) add(name, class string, count int64) {
	c.Bars = append(c.Bars, chartBar{Name: name, Class: class, Count: humanize.Comma(count), Y: c.Height, count: count})
	c.Height += barStep
	c.most = max(c.most, count)
}

func (c *chartBars) scaled() *chartBars {
	for i := range c.Bars {
		width := float64(c.Bars[i].count) / float64(max(c.most, 1)) * barRoom
		c.Bars[i].Width, c.Bars[i].After = fmt.Sprintf("%.1f", width), fmt.Sprintf("%.1f", barLeft+width+8)
	}
	c.Height = max(c.Height, 1)
	return c
}

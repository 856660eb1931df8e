package inspector

import (
	"time"

	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

// The picture of a chart, in units of its own.
const (
	chartWidth, chartHeight = 600, 120
	chartTop, chartBase     = 14, 104 // of the bars
)

// chart has a bar for each part of time, stacked by what is counted.
type chart struct {
	Title  string
	Legend []legend
	Bars   []bar
	Labels []label
	Total  int
	Most   int // in one part
}

type legend struct {
	Class, Name string
	Count       int
}

type bar struct {
	Class         string
	X, Y          float64
	Width, Height float64
	Title         string
}

type label struct {
	X    int
	Text string
}

// kindOf sorts counts into a chart's kinds.
type kindOf func(journal.Count) int

// newCharts draws counts by event and by validity.
func newCharts(counts []journal.Count, from time.Time, part time.Duration, parts int) []chart {
	byEvent := func(c journal.Count) int {
		switch c.Event {
		case owox.RunSuccessful:
			return 0
		case owox.RunFailed:
			return 1
		default:
			return 2
		}
	}
	byValidity := func(c journal.Count) int {
		if c.Valid {
			return 0
		}
		return 1
	}
	return []chart{
		newChart("By event", []legend{{"successful", "successful", 0}, {"failed", "failed", 0}, {"other", "other", 0}}, byEvent, counts, from, part, parts),
		newChart("By validity", []legend{{"valid", "valid", 0}, {"invalid", "invalid", 0}}, byValidity, counts, from, part, parts),
	}
}

func newChart(title string, kinds []legend, kind kindOf, counts []journal.Count, from time.Time, part time.Duration, parts int) chart {
	c := chart{Title: title, Legend: kinds}
	sums := make([][]int, parts)
	for n := range sums {
		sums[n] = make([]int, len(kinds))
	}
	for _, count := range counts {
		if n := int(count.From.Sub(from) / part); n >= 0 && n < parts {
			k := kind(count)
			sums[n][k] += count.Deliveries
			c.Legend[k].Count += count.Deliveries
			c.Total += count.Deliveries
		}
	}
	for _, sum := range sums {
		c.Most = max(c.Most, total(sum))
	}
	width := float64(chartWidth) / float64(parts)
	for n, sum := range sums {
		at := from.Add(time.Duration(n) * part).Local().Format("15:04")
		y := float64(chartBase)
		for k, count := range sum {
			if count == 0 {
				continue
			}
			height := float64(count) * (chartBase - chartTop) / float64(c.Most)
			y -= height
			c.Bars = append(c.Bars, bar{kinds[k].Class, float64(n)*width + 1, y, width - 2, height, at + ": " + counted(count, kinds[k].Name, kinds[k].Name)})
		}
		if n%(parts/6) == 0 {
			c.Labels = append(c.Labels, label{int(float64(n) * width), at})
		}
	}
	return c
}

func total(counts []int) (sum int) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

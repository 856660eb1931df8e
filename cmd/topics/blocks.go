package topics

import (
	"regexp"
	"strings"
	"sync"
)

// kind is what a part of a text is. Topics use no more of Markdown than this.
type kind int

const (
	paragraph kind = iota
	heading        // level is the number of its #
	item           // of a list
	code           // text is its lines
	table          // rows are its cells; those of many columns name theirs
)

// block is a part of a text. Where it is prose, its text is one line.
type block struct {
	kind  kind
	level int
	text  string
	head  []string
	rows  [][]string
}

// named returns the cells of a row below the first one. Where there are several,
// each says what its column is: they do not stand below their heads.
func (b block) named(row []string) []string {
	if len(row) <= 2 {
		return row[1:]
	}
	var cells []string
	for i, cell := range row[1:] {
		cells = append(cells, b.head[i+1]+": "+cell)
	}
	return cells
}

// parse splits a topic into blocks. Its title, its comments, and pictures, which
// neither terminals nor manuals show, are left out. seeAlso names another topic.
func parse(source string, seeAlso func(topic string) string) []block {
	var blocks []block
	_, body, _ := strings.Cut(source, "\n") // below the title
	open := false                           // the last block may go on
	lines := strings.Split(body, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		last := len(blocks) - 1
		switch {
		case line == "", strings.HasPrefix(line, "<!--"), strings.HasPrefix(line, "!["):
			open = false
		case strings.HasPrefix(line, "```"):
			var text strings.Builder
			for i++; !strings.HasPrefix(lines[i], "```"); i++ {
				text.WriteString(lines[i] + "\n")
			}
			blocks, open = append(blocks, block{kind: code, text: text.String()}), false
		case strings.HasPrefix(line, "#"):
			level := strings.IndexByte(line, ' ')
			blocks, open = append(blocks, block{kind: heading, level: level, text: line[level+1:]}), false
		case strings.HasPrefix(line, "|"):
			cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "| "), " |"), " | ")
			switch {
			case !open || blocks[last].kind != table:
				blocks, open = append(blocks, block{kind: table, head: cells}), true
			case !strings.HasPrefix(line, "|--"):
				blocks[last].rows = append(blocks[last].rows, cells)
			}
		case strings.HasPrefix(line, "- "):
			blocks, open = append(blocks, block{kind: item, text: line[2:]}), true
		case open:
			blocks[last].text += " " + strings.TrimSpace(line)
		default:
			blocks, open = append(blocks, block{kind: paragraph, text: line}), true
		}
	}
	for i := range blocks {
		if blocks[i].kind == code {
			continue
		}
		blocks[i].text = resolve(blocks[i].text, seeAlso)
		for _, row := range blocks[i].rows {
			for n := range row {
				row[n] = resolve(row[n], seeAlso)
			}
		}
	}
	return blocks
}

var link = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\[([^]]+)\]\(([^)]+)\)`) })

// resolve writes links out: a terminal has nothing to click. What is beside them
// names files of the repository and places in the same topic.
func resolve(text string, seeAlso func(string) string) string {
	return link().ReplaceAllStringFunc(text, func(found string) string {
		parts := link().FindStringSubmatch(found)
		words, target := parts[1], parts[2]
		file, _, _ := strings.Cut(target, "#")
		if topic, ok := strings.CutSuffix(file, ".md"); ok && !strings.Contains(file, "/") {
			return words + " (" + seeAlso(topic) + ")"
		}
		if file == "" || strings.HasPrefix(file, "../") {
			return words
		}
		return words + " (" + target + ")"
	})
}

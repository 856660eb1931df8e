package tunnel

import (
	"bytes"
	"cmp"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
)

// event is what a line of a program says of its tunnel.
type event struct {
	url      string // of the tunnel
	up, down bool
	why      string // a trouble, for people
}

// reader makes what reads the lines of one run of a program.
type reader func() func(line string) event

// readCloudflared reads the log of a quick tunnel, which has one connection. The
// URL is in a box of its own; elsewhere there are URLs of documentation.
func readCloudflared() func(line string) event {
	boxed := regexp.MustCompile(`\|\s+(https://[A-Za-z0-9.:-]+)\s+\|`)
	entry := regexp.MustCompile(`^\d\S* ([A-Z]{3}) (.*)`)
	lost := regexp.MustCompile(`Lost connection with the edge|Unregistered tunnel connection|Connection terminated|Retrying connection in`)
	var words sentence
	return func(line string) event {
		e := event{up: strings.Contains(line, "Registered tunnel connection"), down: lost.MatchString(line)}
		if url := boxed.FindStringSubmatch(line); url != nil {
			e.url = url[1]
		}
		switch logged := entry.FindStringSubmatch(line); {
		case logged == nil && (line[0] < '0' || line[0] > '9'): // its libraries begin with a date
			e.why = words.first(line)
		case logged != nil && (logged[1] == "ERR" || logged[1] == "FTL"):
			e.why = logged[2]
			fallthrough
		default:
			words = sentence{}
		}
		return e
	}
}

// readNgrok reads the log of ngrok. It spells its levels with four letters.
func readNgrok() func(line string) event {
	readURL := readAny()
	var words sentence
	return func(line string) event {
		var entry struct {
			Level   string `json:"lvl"`
			Message string `json:"msg"`
			URL     string `json:"url"`
			Err     any    `json:"err"`
		}
		if json.Unmarshal([]byte(line), &entry) != nil {
			why, _ := strings.CutPrefix(line, "ERROR:")
			return event{why: words.first(strings.TrimSpace(why))}
		}
		words = sentence{}
		e := event{up: entry.Message == "client session established"}
		if entry.Message == "started tunnel" {
			e = readURL(entry.URL)
		}
		if entry.Level == "eror" || entry.Level == "crit" {
			e.down = strings.Contains(entry.Message, "reconnect")
			text, _ := entry.Err.(string)
			e.why, _, _ = strings.Cut(strings.TrimSpace(cmp.Or(text, entry.Message)), "\n")
		}
		return e
	}
}

// sentence is what a program says beside its log. The first line tells; codes,
// URLs and usage follow.
type sentence struct{ begun bool }

func (s *sentence) first(line string) string {
	if s.begun {
		return ""
	}
	s.begun = line != ""
	return line
}

// readAny takes the first https URL for that of the tunnel. Which of the other
// lines tells is not known: the last few may.
func readAny() func(line string) event {
	find := urls()
	var said []string
	return func(line string) event {
		for _, url := range find(line) {
			if strings.HasPrefix(url, "https:") {
				said = nil
				return event{url: url, up: true}
			}
		}
		said = append(said, line)
		said = said[max(0, len(said)-lastLines):]
		return event{why: strings.Join(said, " | ")}
	}
}

const lastLines = 3

// urls makes what finds the URLs in a line, without the sentence around them. They
// have nothing that could drive a terminal.
func urls() func(line string) []string {
	pattern := regexp.MustCompile(`https?://[A-Za-z0-9._~:/?#\[\]@!$&()*+,;=%-]+`)
	return func(line string) []string {
		found := pattern.FindAllString(line, -1)
		for i, url := range found {
			found[i] = strings.TrimRight(url, ".,;:)]}")
		}
		return found
	}
}

// lines calls a function for each line that is written to it.
type lines struct {
	each func(line string)
	rest []byte
}

const maxLine = 64 << 10

func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			break
		}
		l.rest = rest
		l.say(line)
	}
	if len(l.rest) > maxLine {
		l.rest = nil // it is no line of a log
	}
	return len(p), nil
}

// end passes on a last line that has no end.
func (l *lines) end() { l.say(l.rest) }

func (l *lines) say(line []byte) {
	if text := strings.TrimSpace(string(line)); text != "" {
		l.each(text)
	}
}

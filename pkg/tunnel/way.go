package tunnel

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Way is a kind of tunnel.
type Way struct {
	name string
	link func(Options) link
	// Header is the header in which the tunnel names the client, as the last
	// address where there are several; nobody else can write it. "": there is
	// none that is known.
	Header string
}

// String is the name of the program or the server.
func (w Way) String() string { return w.name }

const (
	prefixSSH  = "ssh:"
	prefixExec = "exec:"
)

// programs are those that are known, the best one first: it needs no account.
var programs = []struct {
	name   string
	header string
	args   []string
	read   reader
}{
	{"cloudflared", "Cf-Connecting-Ip", []string{"tunnel", "--no-autoupdate", "--url", "http://{target}"}, readCloudflared},
	{"ngrok", "X-Forwarded-For", []string{"http", "{target}", "--log", "stdout", "--log-format", "json"}, readNgrok},
}

// Programs returns the names of the programs that are known, the best one first.
func Programs() []string {
	var names []string
	for _, p := range programs {
		names = append(names, p.name)
	}
	return names
}

// Parse reads a way: the name of a program, ssh:[USER@]HOST[:PORT], or
// exec:COMMAND with {port} in place of the receiver's port. The command is run
// without a shell; its words are split at spaces, and quotes are refused.
func Parse(text string) (Way, error) {
	if address, ok := strings.CutPrefix(text, prefixSSH); ok {
		return parseSSH(address)
	}
	if command, ok := strings.CutPrefix(text, prefixExec); ok {
		return parseExec(command)
	}
	for _, p := range programs {
		if p.name == text {
			return Way{name: p.name, Header: p.header, link: func(o Options) link {
				return program{args: append([]string{p.name}, fill(p.args, o.Target)...), read: p.read}
			}}, nil
		}
	}
	return Way{}, fmt.Errorf("%q is not a way to open a tunnel", text)
}

func parseExec(command string) (Way, error) {
	if strings.ContainsAny(command, `"'`) {
		return Way{}, fmt.Errorf("%s%s: quotes are not read, as words are split at spaces and there is no shell: put the command into a script", prefixExec, command)
	}
	words := strings.Fields(command)
	if !slices.ContainsFunc(words[min(1, len(words)):], func(word string) bool { return strings.Contains(word, "{port}") }) {
		return Way{}, fmt.Errorf("%s%s: want a command with {port} in it, such as exec:lt --port {port}", prefixExec, command)
	}
	return Way{name: words[0], link: func(o Options) link {
		return program{fill(words, o.Target), readAny, "it printed no https URL (only https counts)"}
	}}, nil
}

func parseSSH(address string) (Way, error) {
	name, host, found := strings.Cut(strings.TrimPrefix(address, "//"), "@")
	if !found {
		name, host = "", name
	}
	port := "22"
	if h, p, err := net.SplitHostPort(host); err == nil {
		host, port = h, p
	}
	host = strings.Trim(host, "[]")
	if number, err := strconv.ParseUint(port, 10, 16); host == "" || strings.ContainsAny(host, "/@ ") || err != nil || number == 0 {
		return Way{}, fmt.Errorf("%s%s: want ssh:USER@HOST or ssh:USER@HOST:PORT", prefixSSH, address)
	}
	return Way{name: host, link: func(o Options) link {
		return &server{SSH: o.SSH, user: cmp.Or(name, o.SSH.User), host: host, port: port, target: o.Target}
	}}, nil
}

// fill puts the receiver's address and port where the words want them.
func fill(words []string, target string) []string {
	_, port, _ := net.SplitHostPort(target)
	replacer := strings.NewReplacer("{target}", target, "{port}", port)
	filled := make([]string, len(words))
	for i, word := range words {
		filled[i] = replacer.Replace(word)
	}
	return filled
}

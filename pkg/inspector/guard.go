package inspector

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"slices"
	"strings"
)

// A page is run by nothing but our files, and is in nobody else's frame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// harden sets what every answer has.
func harden(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// maxForm is how large a form may be: an edited body, escaped.
const maxForm = 8 << 20

// admit answers requests that may not go on, and reports whether one may.
func (i *Inspector) admit(w http.ResponseWriter, r *http.Request) bool {
	// A name that was made to point here must not get answers of this machine.
	if i.hosts != nil && !slices.Contains(i.hosts, strings.ToLower(r.Host)) {
		http.Error(w, "this page is served at http://"+i.options.Addr+"/ only", http.StatusMisdirectedRequest)
		return false
	}
	if i.hosts == nil && i.options.Password == "" {
		http.Error(w, "other machines need a password, and none is set", http.StatusForbidden)
		return false
	}
	if _, password, _ := r.BasicAuth(); i.options.Password != "" && !same(password, i.options.Password) {
		w.Header().Set("WWW-Authenticate", `Basic realm="owoxhook", charset="UTF-8"`)
		http.Error(w, "the password is printed where owoxhook was started; any user name will do", http.StatusUnauthorized)
		return false
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	site := r.Header.Get("Sec-Fetch-Site")
	if site != "" && site != "same-origin" || !same(r.PostFormValue("token"), i.token) {
		i.fail(w, r, http.StatusForbidden, "Nothing was changed: the form is not of this page, or of an earlier run. Load the page again.")
		return false
	}
	return true
}

// same compares secrets in a time that tells nothing about them.
func same(got, want string) bool {
	a, b := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// loopbackHosts are the hosts by which this machine reaches a loopback address.
func loopbackHosts(addr string) []string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return []string{addr}
	}
	hosts := []string{addr, net.JoinHostPort("localhost", port)}
	if port == "80" {
		hosts = append(hosts, strings.TrimSuffix(addr, ":80"), "localhost")
	}
	return hosts
}

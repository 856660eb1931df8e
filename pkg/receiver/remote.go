package receiver

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// remote returns the address of the sender. A tunnel connects from this machine,
// and the last address in its header is the one that it wrote. Proxies that are
// trusted are passed over from the last to the first.
func (rc *Receiver) remote(peer netip.Addr, header http.Header) netip.Addr {
	if name := rc.options.TunnelHeader; name != "" && peer.IsLoopback() {
		all := strings.Join(header.Values(name), ",")
		if last := address(all[strings.LastIndex(all, ",")+1:]); last.IsValid() {
			return last
		}
	}
	if len(rc.options.TrustedProxies) == 0 {
		return peer
	}
	forwarded := strings.Split(strings.Join(header.Values("X-Forwarded-For"), ","), ",")
	for _, text := range slices.Backward(forwarded) {
		trusted := func(p netip.Prefix) bool { return p.Contains(peer) }
		next := address(text)
		if !next.IsValid() || !slices.ContainsFunc(rc.options.TrustedProxies, trusted) {
			break
		}
		peer = next
	}
	return peer
}

// address reads an address as connections and proxies write it: with or
// without a port, in quotes or not. It is the zero address where there is none.
func address(text string) netip.Addr {
	text = strings.Trim(strings.TrimSpace(text), `"`)
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap()
	}
	at, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return at.Unmap()
}

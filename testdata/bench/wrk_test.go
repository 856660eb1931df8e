//go:build unix

package main

import (
	"strings"
	"testing"
)

// What wrk printed, as recorded.
const (
	recorded = `Running 1s test @ http://127.0.0.1:19871/
  1 threads and 2 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     6.32ms   11.91ms  64.85ms   88.99%
    Req/Sec     0.96k   448.31     1.51k    70.00%
  Latency Distribution
     50%    1.40ms
     75%    2.93ms
     90%   20.50ms
     99%   56.84ms
  958 requests in 1.00s, 70.17KB read
Requests/sec:    953.41
Transfer/sec:     69.83KB
`

	recorded5xx = `Running 1s test @ http://127.0.0.1:19872/
  1 threads and 2 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   761.38us    2.62ms  27.47ms   94.86%
    Req/Sec    14.68k     5.18k   24.61k    70.00%
  Latency Distribution
     50%   74.00us
     75%  163.00us
     90%    1.71ms
     99%   16.12ms
  14617 requests in 1.11s, 1.28MB read
  Non-2xx or 3xx responses: 14617
Requests/sec:  13154.16
Transfer/sec:      1.15MB
`
)

func TestWrkOutputIsRead(t *testing.T) {
	for _, test := range []struct {
		name, out string
		want      load
		wantErr   string
	}{
		{name: "99% of samples within a deviation", out: recorded, want: load{rate: 953.41, p99: 56.84, requests: 958}},
		{name: "p99 in microseconds", out: strings.Replace(recorded, "56.84ms\n", "735.00us\n", 1), want: load{rate: 953.41, p99: 0.735, requests: 958}},
		{name: "p99 in seconds", out: strings.Replace(recorded, "56.84ms\n", "1.50s\n", 1), want: load{rate: 953.41, p99: 1500, requests: 958}},
		{name: "errors answered", out: recorded5xx, wantErr: "not everything was answered with 2xx"},
		{name: "broken connections", out: strings.Replace(recorded, "Requests/sec", "  Socket errors: connect 0, read 3, write 0, timeout 0\nRequests/sec", 1), wantErr: "connections broke"},
		{name: "slow answers", out: strings.Replace(recorded, "Requests/sec", "  Socket errors: connect 0, read 0, write 0, timeout 2\nRequests/sec", 1), want: load{rate: 953.41, p99: 56.84, requests: 958}},
		{name: "no distribution", out: strings.Replace(recorded, "Latency Distribution", "", 1), wantErr: "nothing was answered"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseWrk(test.out)
			if test.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantErr) {
					t.Fatalf("parseWrk = %+v, %v, want error %q", got, err, test.wantErr)
				}
				return
			}
			if err != nil || got != test.want {
				t.Fatalf("parseWrk = %+v, %v, want %+v", got, err, test.want)
			}
		})
	}
}

func TestLimitsAreJudged(t *testing.T) {
	for _, test := range []struct {
		limit limit
		value float64
		want  string
	}{
		{limit{}, 3, ""},
		{atLeast(0.22, ""), 0.22, "≥ 0.22"},
		{atLeast(0.22, ""), 0.21, "≥ 0.22  NOT REACHED"},
		{atLeast(100_000, "/s"), 99_999, "≥ 100,000 /s  NOT REACHED"},
		{atMost(100, "MiB"), 100, "≤ 100 MiB"},
		{atMost(50, "ms"), 50.1, "≤ 50 ms  NOT REACHED"},
	} {
		if got := test.limit.judge(test.value); got != test.want {
			t.Errorf("%+v of %v: %q, want %q", test.limit, test.value, got, test.want)
		}
	}
}

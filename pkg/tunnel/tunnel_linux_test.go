package tunnel_test

import (
	"bufio"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestProgramsEndWithAProcessThatIsKilled(t *testing.T) {
	cmd := exec.Command("opener")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	host := strings.TrimPrefix(strings.TrimSpace(url), "https://")
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			return
		}
		_ = conn.Close() // it is still there
		if time.Now().After(deadline) {
			t.Fatal("the program outlived its parent")
		}
	}
}

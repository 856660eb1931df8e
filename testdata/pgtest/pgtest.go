// Package pgtest starts PostgreSQL servers of their own for tests and
// benchmarks: on a free port of the loopback interface, in a temporary folder,
// as durable as PostgreSQL is by default.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// Password is that of the only user. It must not show up anywhere.
const Password = "kept-to-itself"

const user = "owner"

// Server is a PostgreSQL server with its data.
type Server struct {
	bin  string // folder of the programs
	dir  string // of the data
	port int
	made atomic.Int64 // schemas

	process *exec.Cmd
	leash   io.WriteCloser // see onLeash
}

// Find returns the folder of PostgreSQL's programs, or an error that says why
// there is none.
func Find() (bin string, err error) {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		initdb, err = filepath.EvalSymlinks(initdb)
		return filepath.Dir(initdb), err
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // Debian has them off PATH
	if len(found) == 0 {
		return "", errors.New("there is no PostgreSQL server: neither initdb in PATH nor /usr/lib/postgresql")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// Start makes a server and starts it.
func Start() (*Server, error) {
	bin, err := Find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "owoxhook-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, dir: dir}
	if err := errors.Join(s.initialise(), s.Restart()); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

const nobody = 65534

func (s *Server) initialise() error {
	if os.Getuid() == 0 {
		if err := os.Chown(s.dir, nobody, nobody); err != nil {
			return err
		}
	}
	file := filepath.Join(s.dir, "password")
	if err := os.WriteFile(file, []byte(Password), 0o644); err != nil { //nolint:gosec // for nobody, and no secret
		return err
	}
	initdb := s.command("initdb", "-D", s.data(), "-U", user, "--pwfile", file, "-A", "scram-sha-256", "-E", "UTF8", "--locale", "C.UTF-8")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		return err
	}
	s.port = free.Addr().(*net.TCPAddr).Port
	return free.Close()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// command runs a program of PostgreSQL, which refuses to serve root.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	args = append([]string{filepath.Join(s.bin, name)}, args...)
	if os.Getuid() == 0 {
		args = append([]string{"setpriv", "--reuid", strconv.Itoa(nobody), "--regid", strconv.Itoa(nobody), "--clear-groups", "--"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...) //nolint:gosec,noctx // what was found
	cmd.Dir = s.dir
	return cmd
}

// onLeash has the shell stop what it runs when it is told to. Where its input
// ends instead, this program has ended, and the folder goes too.
const onLeash = `"$@" & read -r _; told=$?; kill -QUIT $!; wait; [ $told = 0 ] || rm -rf "$0"`

// Restart starts the server where it does not run, and returns when it can be
// used.
func (s *Server) Restart() error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the server has its own
	server := s.command("postgres", "-D", s.data(), "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
	s.process = exec.Command("sh", append([]string{"-c", onLeash, s.dir}, server.Args...)...) //nolint:gosec,noctx // it is on a leash
	s.process.Stdout, s.process.Stderr, s.process.Dir = log, log, s.dir
	if s.leash, err = s.process.StdinPipe(); err != nil {
		return err
	}
	if err := s.process.Start(); err != nil {
		return err
	}
	for tries := 0; ; tries++ {
		if err = s.exec("SELECT 1"); err == nil || tries == 200 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		said, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%w\n%s", err, said)
	}
	return nil
}

// Crash stops the server as a crash does: nothing is finished or written.
func (s *Server) Crash() error { return s.stop("immediate") }

func (s *Server) stop(mode string) error {
	out, err := s.command("pg_ctl", "stop", "-D", s.data(), "-m", mode).CombinedOutput()
	if err != nil {
		return fmt.Errorf("pg_ctl: %w\n%s", err, out)
	}
	return s.wait()
}

func (s *Server) wait() error {
	_, _ = io.WriteString(s.leash, "\n") // the shell waits for it
	_ = s.leash.Close()
	var exit *exec.ExitError
	if err := s.process.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	s.process = nil
	return nil
}

// Close stops the server and removes its data.
func (s *Server) Close() error {
	var err error
	if s.process != nil {
		err = s.wait()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// URL returns that of the database.
func (s *Server) URL() string {
	return (&url.URL{
		Scheme: "postgres", User: url.UserPassword(user, Password), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: "/postgres",
	}).String()
}

// Fresh returns the URL of a new schema, in which there is nothing: that is as
// good as a database, and made at once.
func (s *Server) Fresh() (string, error) {
	name := fmt.Sprint("test", s.made.Add(1))
	return s.URL() + "?search_path=" + name, s.exec("CREATE SCHEMA " + name)
}

func (s *Server) exec(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mien/drivers/serial"
)

// walk runs the self-test with a person beside it, who answers a question by the
// first pair left whose first text it has, else with s, and gives what was printed.
func walk(t *testing.T, config string, person ...[2]string) (string, error) {
	t.Helper()
	path := write(t, config)
	cfg, _, err := loadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	heard, said := io.Pipe()
	typed, types := io.Pipe()
	var all bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		var question strings.Builder
		r := bufio.NewReader(heard)
		for {
			b, err := r.ReadByte()
			if err != nil {
				return
			}
			all.WriteByte(b)
			if question.WriteByte(b); b != ' ' || !strings.HasSuffix(question.String(), "] ") {
				continue
			}
			answer := "s"
			for i, p := range person {
				if strings.Contains(question.String(), p[0]) {
					answer = p[1]
					person = slices.Delete(person, i, i+1)
					break
				}
			}
			question.Reset()
			fmt.Fprintln(types, answer)
		}
	}()
	test := &selfTest{c: &call{out: said, json: new(bool)}, cfg: cfg, ask: true, answers: bufio.NewReader(typed)}
	err = test.run(path, false)
	said.Close()
	<-done
	return all.String(), err
}

const walkConfig = "[unit]\nname = \"bench\"\n[camera]\nclip = \"demo.mjpeg\"\n[state]\ndir = %q\n[serial]\ndevice = %q\nprotocol = %q\nbaud = 19200\nparity = \"even\"\n"

func TestWalk(t *testing.T) {
	master, err := serial.OpenPty("")
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	answered := make(chan string, 1)
	go func() { // a PLC that reads input registers 50 to 53
		var reply []byte
		b := make([]byte, 64)
		for end := time.Now().Add(2 * personTime); len(reply) < 13 && time.Now().Before(end); {
			if _, err := master.Write([]byte{1, 4, 0, 50, 0, 4, 0x50, 0x06}, time.Second); err != nil {
				break
			}
			reply = nil
			for n, err := master.Read(b, time.Second); err == nil; n, err = master.Read(b, 200*time.Millisecond) {
				reply = append(reply, b[:n]...)
			}
		}
		answered <- fmt.Sprintf("% x", reply)
	}()
	out, err := walk(t, fmt.Sprintf(walkConfig, t.TempDir(), master.Peer(), "modbus"), [2]string{"mbpoll", ""}, [2]string{"4660", "yes"})
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if got := <-answered; !strings.HasPrefix(got, "01 04 08 12 34 56 78 3f 80 00 00") {
		t.Errorf("the PLC got %s", got)
	}
	_, report, _ := strings.Cut(out, "self-test of the unit bench")
	for _, want := range []string{"mbpoll -m rtu -a 1 -b 19200 -d 8 -P even -s 1 -0 -1 -t 3 -r 50 -c 4 PORT", "read.\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, want := range []string{"passed   user                   " + testedAs(os.Geteuid()), "passed   camera ", "skipped  lens                   a clip has none", "skipped  lines ",
		"passed   PLC                    it hears the unit, and the unit it", " 0 failed", "tested by ____"} {
		if !strings.Contains(report, want) {
			t.Errorf("no %q in the report\n%s", want, report)
		}
	}
}

// What the person does not try is skipped, what they deny has failed; an answer
// that is none is asked for again.
func TestWalkAnswers(t *testing.T) {
	master, err := serial.OpenPty("")
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	for _, c := range []struct {
		protocol, answer, want string
		fails                  bool
	}{
		{"modbus", "s", "skipped  PLC                    passed over by the tester", false},
		{"ascii", "y", "passed   PLC ", false},
		{"ascii", "n", "failed   PLC                    not confirmed: Does the PLC get a line", true},
		{"ascii", "s", "skipped  PLC ", false},
	} {
		out, err := walk(t, fmt.Sprintf(walkConfig, t.TempDir(), master.Peer(), c.protocol), [2]string{"$MIEN", "what?"}, [2]string{"$MIEN", c.answer}, [2]string{"mbpoll", c.answer})
		if (err != nil) != c.fails || !strings.Contains(out, c.want) {
			t.Errorf("%s, %s: %v\n%s", c.protocol, c.answer, err, out)
		}
	}
	var b bytes.Buffer
	if code := Main([]string{"selftest", "-walk", "-json"}, &b, &b); code != exitUsage {
		t.Errorf("exit %d: %s", code, b.String())
	}
}

// Root, or whoever tests, may open what the unit may not: the report says so.
func TestSelfTestTellsWhoseRightsItHas(t *testing.T) {
	if got := testedAs(0); got != "root, user 0" {
		t.Errorf("tested as %s", got)
	}
	unit, err := os.ReadFile(filepath.Join("..", "..", "board", "mien.service"))
	if err != nil || !strings.Contains(string(unit), "\nUser="+serviceUser+"\n") || !strings.Contains(serviceFolder, "/var/lib/"+serviceUser) {
		t.Errorf("the unit file has another user than %s: %v", serviceUser, err)
	}
	there := func(name string) (*user.User, error) { return &user.User{Username: name, Uid: "997"}, nil }
	none := func(name string) (*user.User, error) { return nil, user.UnknownUserError(name) }
	for _, c := range []struct {
		path   string
		uid    int
		lookup func(string) (*user.User, error)
		told   bool
	}{
		{defaultConfig, 0, there, true},
		{defaultConfig, 1000, there, true},
		{defaultConfig, 997, there, false},
		{defaultConfig, 0, none, false},
		{"bench.toml", 0, there, false},
	} {
		if why := foreign(c.path, c.uid, c.lookup); (why != "") != c.told || c.told && !strings.Contains(why, "sudo -u mien mien selftest") {
			t.Errorf("%s as %d: %q", c.path, c.uid, why)
		}
	}
}

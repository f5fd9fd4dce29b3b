package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"mien/firmware/alarm"
	"mien/firmware/operator"
	"mien/model/assets"
)

// watermark is what the pictures of these tests have in them and nothing else has.
type watermark struct{ bytes []byte }

func newWatermark() *watermark {
	m := &watermark{make([]byte, 512)}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range m.bytes {
		m.bytes[i] = byte(16 + r.IntN(220))
	}
	return m
}

// film is the demo's first seconds as raw luma with the mark in the row above and
// below each other row of the face, and all over the left and right border.
func (m *watermark) film(t *testing.T, path string) {
	t.Helper()
	var out bytes.Buffer
	pictures := bytes.SplitAfter(assets.Demo(), []byte{0xff, 0xd9})
	for i, p := range pictures[:60] {
		img, err := jpeg.Decode(bytes.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		y, ok := img.(*image.Gray)
		if !ok {
			t.Fatalf("picture %d is %T", i, img)
		}
		w, h := y.Rect.Dx(), y.Rect.Dy()
		if i == 0 {
			fmt.Fprintf(&out, "YUV4MPEG2 W%d H%d F15:1 Cmono\n", w, h)
		}
		out.WriteString("FRAME\n")
		for row := range h {
			line := bytes.Clone(y.Pix[row*y.Stride:][:w])
			copy(line[:96], m.bytes[row*96%400:])
			copy(line[w-96:], m.bytes[row*96%400:])
			if row%16 == 0 {
				copy(line[96:w-96], m.bytes)
			}
			out.Write(line)
		}
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// in looks for runs of the mark in what left a process: as they are, every second
// one, and as text in base64, hex and decimal.
func (m *watermark) in(data []byte) string {
	second := make([]byte, 0, len(m.bytes)/2)
	for i := 0; i < len(m.bytes); i += 2 {
		second = append(second, m.bytes[i])
	}
	var decimal strings.Builder
	for _, b := range m.bytes {
		fmt.Fprintf(&decimal, "%d,", b)
	}
	forms := map[string][]byte{"bytes": m.bytes, "every second byte": second, "hex": []byte(hex.EncodeToString(m.bytes)), "decimal": []byte(decimal.String())}
	for shift := range 3 {
		forms[fmt.Sprintf("base64, from %d on", shift)] = []byte(base64.StdEncoding.EncodeToString(m.bytes[shift:]))
	}
	for name, form := range forms {
		run := 8
		if name[0] != 'b' && name[0] != 'e' || strings.HasPrefix(name, "base64") {
			run = 20 // of text, which has fewer letters
		}
		grams := map[string]bool{}
		for i := 0; i+run <= len(form); i++ {
			grams[string(form[i:i+run])] = true
		}
		for i := 0; i+run <= len(data); i++ {
			if grams[string(data[i:i+run])] {
				return name
			}
		}
	}
	return ""
}

var (
	tracedCall = regexp.MustCompile(`(?m)^(?:\[pid +\d+\] |\d+ +)?(\w+)\((.*)$`)
	tracedText = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?`)
)

// traced has a process run under strace, which notes the calls.
func (p *process) traced(calls string) (trace string) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		p.t.Skip("no strace to see what leaves a process")
	}
	trace = filepath.Join(p.dir, "trace")
	p.Args = append([]string{strace, "-D", "-f", "-xx", "-s", "4000000", "-o", trace, "-e", "trace=" + calls, p.Path}, p.Args[1:]...)
	p.Path = strace
	return trace
}

// texts are the bytes that the calls of a trace have in them.
func texts(t *testing.T, trace string) (all []byte, calls map[string]int) {
	t.Helper()
	data, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	calls = map[string]int{}
	for _, m := range tracedCall.FindAllSubmatch(data, -1) {
		calls[string(m[1])]++
		for _, q := range tracedText.FindAllSubmatch(m[2], -1) {
			b, err := hex.DecodeString(strings.ReplaceAll(string(q[1]), `\x`, ""))
			if err != nil || len(q[2]) > 0 {
				t.Fatalf("a call that cannot be read whole: %.200s", m[0])
			}
			all = append(append(all, b...), '\n')
		}
	}
	return all, calls
}

// No byte of a picture leaves mien run: what it writes to its socket, to the serial
// port, to its log and to the disk is looked at whole, while all that can be asked of it is
// asked.
func TestNoPictureLeavesTheUnit(t *testing.T) {
	mark := newWatermark()
	p := newProcess(t)
	film := filepath.Join(p.dir, "film.y4m")
	mark.film(t, film)
	control, err := os.ReadFile(film)
	if err != nil || mark.in(control) == "" || mark.in([]byte(base64.StdEncoding.EncodeToString(control[:4000]))) == "" || mark.in([]byte(hex.EncodeToString(control[:4000]))) == "" {
		t.Fatal("the mark would not be found", err)
	}
	master, slave, err := pty.Open()
	if err != nil {
		t.Skip("no pty for a serial port:", err)
	}
	defer master.Close()
	defer slave.Close()
	go func() { // a PLC that only listens
		for buf := make([]byte, 4096); ; {
			if _, err := master.Read(buf); err != nil {
				return
			}
		}
	}()
	text := fmt.Sprintf("[unit]\nname = \"press\"\npurpose = \"safety\"\npurpose_reason = \"a test\"\n[camera]\nclip = %q\nloop = true\n[health]\nmin_rate = 1\nfrozen = \"1h\"\nmax_temperature = 120\n"+
		"[[alarm]]\nname = \"brow\"\nsignal = \"au4\"\nhigh = 0.1\n[serial]\ndevice = %q\nprotocol = \"ascii\"\n[pilot]\nrecord = true\n[state]\ndir = %q\n[socket]\npath = %q\n",
		film, slave.Name(), filepath.Join(p.dir, "state"), p.socket())
	if err := os.WriteFile(p.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	trace := p.traced("write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg,sendfile,splice,vmsplice,tee,copy_file_range,process_vm_writev,io_uring_setup,memfd_create")
	p.start()
	p.until("the socket", func() bool { return exists(p.socket()) })
	faces := false
	p.until("a face", func() bool {
		c, err := operator.Dial(p.socket())
		if err != nil {
			return false
		}
		defer c.Close()
		next, err := c.Stream(5 * time.Second)
		if err != nil {
			return false
		}
		for range 20 {
			line, err := next()
			if err != nil {
				return false
			}
			faces = faces || bytes.Contains(line, []byte(`"face":{"box"`))
		}
		return faces
	})
	for _, r := range []operator.Request{{Ask: operator.AskStatus}, {Ask: operator.AskAlarms}, {Ask: operator.AskCard}, {Ask: operator.AskSerial}, {Ask: operator.AskConfig}, {Ask: operator.AskTest, For: time.Second},
		{Ask: operator.AskPilot, Pilot: operator.PilotStart, For: time.Hour, Text: "a test"}, {Ask: operator.AskDo, Do: alarm.Acknowledge},
		{Ask: operator.AskMark, Mark: "right"}, {Ask: operator.AskPilot}} {
		if _, err := p.ask(r); err != nil && r.Ask != operator.AskMark {
			t.Error(r, err)
		}
	}
	p.until("frames in a recording", func() bool {
		reply, err := p.ask(operator.Request{Ask: operator.AskPilot})
		return err == nil && reply.Pilot.Frames > 30
	})
	if _, err := p.ask(operator.Request{Ask: operator.AskEvents}); err != nil {
		t.Error(err)
	}
	p.signal(syscall.SIGTERM)
	p.ends()
	wait := func() bool { data, _ := os.ReadFile(trace); return bytes.Contains(data, []byte("+++ exited")) }
	for end := time.Now().Add(20 * time.Second); !wait() && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
	}
	left, calls := texts(t, trace)
	if len(left) < 20_000 || !bytes.Contains(left, []byte(`"face":{"box"`)) {
		t.Fatalf("the trace shows %d bytes only", len(left))
	}
	for _, call := range []string{"sendfile", "splice", "vmsplice", "tee", "copy_file_range", "process_vm_writev", "io_uring_setup", "memfd_create"} {
		if calls[call] > 0 {
			t.Errorf("%s is called, and nobody sees what it carries", call)
		}
	}
	if form := mark.in(left); form != "" {
		t.Errorf("the mark of the pictures leaves the unit, as %s", form)
	}
	filepath.WalkDir(filepath.Join(p.dir, "state"), func(path string, d os.DirEntry, err error) error {
		if data, e := os.ReadFile(path); err == nil && e == nil && mark.in(data) != "" {
			t.Errorf("%s has the mark of the pictures", path)
		}
		return nil
	})
	t.Logf("%d bytes left in %v", len(left), calls)
}

// gatewayProcess is mien gateway as a process, with a user, beside the unit of p.
func gatewayProcess(t *testing.T, socket string) (g *process, address func() string) {
	t.Helper()
	g = newProcess(t)
	g.Args = []string{g.Args[0], "gateway", "-config", g.config(), "-socket", socket}
	folder := filepath.Join(g.dir, "gateway")
	text := fmt.Sprintf("[gateway]\ndir = %q\n[page]\nserve = true\nlisten = \"127.0.0.1:0\"\n", folder)
	if err := os.WriteFile(g.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	add := exec.Command(g.Path, "gateway", "user", "add", "anna", "-role", "engineer", "-config", g.config())
	add.Env, add.Stdin = append(os.Environ(), asProcess+"=1"), strings.NewReader("correct horse battery\n")
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := os.Create(filepath.Join(g.dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	g.Stdout = out
	return g, func() (found string) {
		g.until("its address", func() bool {
			data, _ := os.ReadFile(out.Name())
			m := regexp.MustCompile(`(?m)^page: (\S+)$`).FindSubmatch(data)
			if m != nil {
				found = string(m[1])
			}
			return m != nil
		})
		return found
	}
}

// logIn logs anna in, and gives her cookie and token.
func logIn(t *testing.T, address string) (cookie *http.Cookie, csrf string) {
	t.Helper()
	answer, err := http.Post(address+"api/login", "application/json", strings.NewReader(`{"name":"anna","password":"correct horse battery"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var me struct{ CSRF, Role string }
	if err := json.NewDecoder(answer.Body).Decode(&me); err != nil || me.Role != "engineer" || len(answer.Cookies()) != 1 {
		t.Fatal(answer.Status, me, err)
	}
	return answer.Cookies()[0], me.CSRF
}

// The gateway opens no device, and no file but its config, its own folder, its program
// (which protobuf samples for a number) and what Go itself and the system's name service read.
func TestGatewayOpensNoDevice(t *testing.T) {
	p := newProcess(t)
	p.configure("press")
	p.start()
	p.until("the socket", func() bool { return exists(p.socket()) })
	g, address := gatewayProcess(t, p.socket())
	trace := g.traced("open,openat,openat2,connect,bind,mmap,ioctl,ptrace,execve")
	g.start()
	at := address()
	cookie, csrf := logIn(t, at)
	r, _ := http.NewRequest("POST", at+"api/ask", strings.NewReader(`{"ask":"status"}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Mien-CSRF", csrf)
	r.AddCookie(cookie)
	answer, err := http.DefaultClient.Do(r)
	if err != nil || answer.StatusCode != 200 {
		t.Fatal(answer, err)
	}
	answer.Body.Close()
	r, _ = http.NewRequest("GET", at+"api/stream", nil)
	r.AddCookie(cookie)
	if answer, err = http.DefaultClient.Do(r); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(answer.Body); lines.Scan() && !strings.HasPrefix(lines.Text(), "event: state"); {
	}
	answer.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	g.signal(syscall.SIGTERM)
	g.ends()
	data, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	allowed := regexp.MustCompile(`^(` + regexp.QuoteMeta(g.dir) + `(/gateway(/.*)?|/mien\.toml)|/sys/kernel/mm/transparent_hugepage/.*|/sys/fs/cgroup/.*|/proc/self/.*|/proc/stat|/sys/devices/system/cpu/.*|/etc/(localtime|nsswitch\.conf|passwd|group|hosts|resolv\.conf|ld\.so\.cache)|/usr/share/zoneinfo/.*|/(usr/)?lib/.*\.so[.0-9]*|/proc/sys/net/core/somaxconn|/.*/lib/uPlot\.(iife\.min\.js|min\.css))$`)
	own, _ := os.Executable()
	opened := map[string]bool{}
	for _, m := range tracedCall.FindAllStringSubmatch(string(data), -1) {
		text := ""
		if q := tracedText.FindStringSubmatch(m[2]); q != nil {
			b, _ := hex.DecodeString(strings.ReplaceAll(q[1], `\x`, ""))
			text = string(b)
		}
		switch m[1] {
		case "open", "openat", "openat2":
			opened[text] = true
			if !allowed.MatchString(text) && text != own && !strings.Contains(m[2], "= -1 ENOENT") {
				t.Errorf("it opens %s", text)
			}
		case "connect":
			if !strings.Contains(m[2], "AF_UNIX") || text != p.socket() {
				t.Errorf("it connects to %q: %s", text, m[2])
			}
		case "ptrace":
			t.Errorf("%s", m[0])
		}
	}
	if !opened[g.config()] {
		t.Errorf("the trace shows only %v", opened)
	}
}

// Bad input of the gateway: each is a message that says what to do, and an exit code.
func TestGatewayRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	for _, c := range []struct {
		page string
		code int
		says string
	}{
		{"", exitConfig, "page.serve is false"},
		{"serve = true\nlisten = \"nowhere\"", exitConfig, "an address and a port"},
		{"serve = true\ncertificate = \"/nowhere/a\"", exitConfig, "both page.certificate and page.key"},
		{"serve = true\ncertificate = \"/nowhere/a\"\nkey = \"/nowhere/b\"", exitMissing, "no such file"},
		{fmt.Sprintf("serve = true\nlisten = %q", taken.Addr()), exitMissing, "another gateway"},
		{"serve = true\nlisten = \"192.0.2.1:8470\"", exitMissing, "no such address"},
	} {
		path := write(t, fmt.Sprintf("[gateway]\ndir = %q\n[page]\n%s\n", dir, c.page))
		code, out := mien("gateway", "-config", path)
		if code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%s: exit code %d\n%s", c.page, code, out)
		}
	}
	for _, args := range [][]string{{"user"}, {"user", "add"}, {"user", "add", "anna"}, {"user", "add", "anna", "-role", "king"}, {"user", "dance", "anna"}} {
		if code, out := mien(append([]string{"gateway"}, args...)...); code != exitUsage {
			t.Errorf("%v: exit code %d\n%s", args, code, out)
		}
	}
	for args, says := range map[string]string{"user add -h": "usage: mien gateway user add [options] NAME", "user -h": "usage: mien gateway user COMMAND", "-h": "usage: mien gateway [options] [FILE]"} {
		if code, out := mien(append([]string{"gateway"}, strings.Fields(args)...)...); code != exitOK || !strings.HasPrefix(out, says) {
			t.Errorf("%s: exit code %d\n%s", args, code, out)
		}
	}
	if code, out := mien("gateway", "-config", filepath.Join(dir, "none")); code != exitMissing {
		t.Errorf("no config: exit code %d\n%s", code, out)
	}
}

// A port that is for root only is refused to the gateway, with what to do.
func TestGatewayOnARootsPort(t *testing.T) {
	if first, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err != nil || strings.TrimSpace(string(first)) != "1024" {
		t.Skipf("each user of this machine may open low ports: %s %v", first, err)
	}
	g, _ := gatewayProcess(t, "/nowhere/socket")
	text, err := os.ReadFile(g.config())
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(g.config(), bytes.Replace(text, []byte("127.0.0.1:0"), []byte("127.0.0.1:843"), 1), 0o600)
	if os.Geteuid() == 0 { // as the service's user, who has not that right
		setpriv, err := exec.LookPath("setpriv")
		if err != nil {
			t.Skip(err)
		}
		g.Path, g.Args = setpriv, append([]string{"setpriv", "--bounding-set", "-net_bind_service", "--inh-caps", "-net_bind_service"}, g.Args...)
	}
	g.start()
	select {
	case <-g.ended:
	case <-time.After(30 * time.Second):
		t.Fatal("it serves")
	}
	if code := g.ProcessState.ExitCode(); code != exitMissing || !strings.Contains(g.logged(), "choose a port above 1023") {
		t.Errorf("exit code %d: %s", code, g.logged())
	}
}

// A change of the config's page is in force without a restart; a mistake changes
// nothing.
func TestGatewayFollowsItsConfig(t *testing.T) {
	g, address := gatewayProcess(t, "/nowhere/socket")
	g.start()
	at := address()
	text, err := os.ReadFile(g.config())
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(g.config(), append(bytes.Clone(text), "idel = 3\n"...), 0o600)
	g.until("the refusal", func() bool { return strings.Contains(g.logged(), "config refused") })
	if answer, err := http.Get(at); err != nil {
		t.Error(err)
	} else {
		answer.Body.Close()
	}
	os.WriteFile(g.config(), append(bytes.Clone(text), "idle = \"1m\"\n"...), 0o600)
	g.until("another port", func() bool {
		_, err := http.Get(at)
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	os.WriteFile(g.config(), bytes.Replace(text, []byte("serve = true"), []byte("serve = false"), 1), 0o600)
	select {
	case <-g.ended:
		if g.ProcessState.ExitCode() != exitConfig {
			t.Errorf("it ended: %v", g.ProcessState)
		}
	case <-time.After(30 * time.Second):
		t.Error("it serves, though it may not")
	}
}

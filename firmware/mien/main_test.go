package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mien/board"
	"mien/drivers/camera"
	"mien/drivers/camera/v4l2"
	"mien/drivers/gpio"
	"mien/firmware/alarm"
	"mien/firmware/alarm/store"
	"mien/firmware/health"
	"mien/firmware/state"
	"mien/model/assets"
)

// mien runs the program as a user would, and gives its exit code and output.
func mien(args ...string) (code int, out string) {
	var b bytes.Buffer
	code = Main(args, &b, &b)
	return code, b.String()
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mien.toml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// cardOfAnotherSize is the card of the network in the binary, beside that network,
// with another width than the network takes.
func cardOfAnotherSize(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	card, model := assets.Card(), assets.Network()
	for name, data := range map[string][]byte{"affect.tflite": model, "affect.json": regexp.MustCompile(`"width": \d+`).ReplaceAll(card, []byte(`"width": 96`))} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "affect.json")
}

func TestCommandLine(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	wrong := write(t, "[unit]\nname = \"x\"\n[camera]\nwidht = 3\n")
	card := write(t, "[model]\ncard = \"/nowhere/card.json\"\n")
	second := write(t, "[model]\nsecond = \"/nowhere/card.json\"\n")
	other := write(t, "[model]\ncard = \""+cardOfAnotherSize(t)+"\"\n")
	library := write(t, "[model]\nlibrary = \"/nowhere/lib.so\"\n")
	foreign := write(t, fmt.Sprintf("[model]\nlibrary = %q\n", write(t, "no library of mien's")))
	plain := write(t, "")
	quiet := write(t, "[[alarm]]\nname = \"brow\"\nsignal = \"au4\"\nhigh = 0.5\n[[output]]\nname = \"healthy\"\nchip = \"c\"\nline = \"13\"\nfunction = \"healthy\"\n[[output]]\nname = \"lamp\"\nchip = \"c\"\nline = \"11\"\nfunction = \"lamp\"\n")
	weak := write(t, "[[alarm]]\nname = \"lips\"\nsignal = \"au24\"\nhigh = 0.5\n")
	network := write(t, "[[alarm]]\nname = \"x\"\nsignal = \"au99\"\nhigh = 0.5\n")
	both := write(t, "[camera]\nwidht = 3\n[[alarm]]\nname = \"x\"\nsignal = \"au99\"\nhigh = 0.5\n")
	purpose := write(t, "[[alarm]]\nname = \"x\"\nsignal = \"arousal\"\nhigh = 0.5\n")
	absent := write(t, "[camera]\ndevice = \"/dev/no-camera\"\n[serial]\ndevice = \"/dev/no-port\"\nprotocol = \"modbus\"\n[watchdog]\ndevice = \"/dev/no-dog\"\n")
	noDevice := write(t, fmt.Sprintf("[camera]\ndevice = %q\n", plain))
	movie := write(t, "[camera]\nclip = \"/nowhere/shift.mp4\"\n")
	noMovie := write(t, fmt.Sprintf("[camera]\nclip = %q\n", plain))
	for _, c := range []struct {
		args []string
		code int
		want string // a regular expression
	}{
		{[]string{"check", absent}, exitOK, `mien.toml:2: warning: camera.device: not on this machine.*stat /dev/no-camera: no such file or directory; .*mien probe`},
		{[]string{"check", absent}, exitOK, `mien.toml:4: warning: serial.device: not on this machine.*stat /dev/no-port: no such file`},
		{[]string{"check", absent}, exitOK, `mien.toml:7: warning: watchdog.device: not on this machine.*stat /dev/no-dog: no such file`},
		{[]string{"check", "-strict", absent}, exitConfig, `0 mistakes`},
		{[]string{"check", noDevice}, exitOK, `mien.toml:2: warning: camera.device: .* is no device: a clip's file is named by camera.clip`},
		{[]string{"check", movie}, exitOK, `mien.toml:2: warning: camera.clip: not on this machine: stat /nowhere/shift.mp4: no such file or directory; and a .mp4 file is not played.*ffmpeg -i FILE`},
		{[]string{"check", noMovie}, exitOK, `mien.toml:2: warning: camera.clip: open clip .*: not supported: the file is empty`},
		{nil, exitUsage, `usage: mien COMMAND`},
		{[]string{"help"}, exitOK, `exit codes: 0 done`},
		{[]string{"--help"}, exitOK, `usage: mien COMMAND`},
		{[]string{"help", "demo"}, exitOK, `-modbus`},
		{[]string{"demo", "-h"}, exitOK, `usage: mien demo`},
		{[]string{"help", "nothing"}, exitUsage, `no command "nothing"`},
		{[]string{"help"}, exitOK, `\n  mark right\|false\|missed\|withdraw \[ALARM\]\n {27}say of the newest alarm`},
		{[]string{"pilot", "start", "-socket", missing, "-for", "2w", "-purpose", "x"}, exitUsage, `-for: "2w" is no time: write 14d, 8h or 30m`},
		{[]string{"help", "pilot"}, exitOK, `usage: mien pilot COMMAND(?s:.*)mien help pilot COMMAND lists`},
		{[]string{"help", "pilot", "drill"}, exitOK, `^usage: mien pilot drill \[options\] SCRIPT\n(?s:.*)-lang`},
		{[]string{"pilot", "help", "drill"}, exitOK, `^usage: mien pilot drill`},
		{[]string{"help", "pilot", "dirll"}, exitUsage, `no command "dirll" of pilot: did you mean drill\?`},
		{[]string{"pilot"}, exitUsage, `pilot needs one of start, `},
		{[]string{"events", "-state", t.TempDir()}, exitOK, `^no event is kept in /`},
		{[]string{"events", "-n", "-3"}, exitUsage, `^mien: -n -3 is no number of events: 0 is all that are kept\n$`},
		{[]string{"ack", "brow", "lowered"}, exitUsage, `too many arguments: lowered; a name of several words stands in quotes, such as "eyes closed"`},
		{[]string{"shelve", "brow", "lowered", "30m"}, exitUsage, `stands in quotes`},
		{[]string{"shelve", "brow", "lowered"}, exitUsage, `"lowered" is no time: .*a name of several words stands in quotes`},
		{[]string{"mark", "right", "brow", "lowered"}, exitUsage, `stands in quotes`},
		{[]string{"service", "out", "brow", "lowered"}, exitUsage, `stands in quotes`},
		{[]string{"prob"}, exitUsage, `did you mean probe\?`},
		{[]string{"demo", "-nonsense"}, exitUsage, `^mien: demo has no option -nonsense; mien demo -help lists them\n$`},
		{[]string{"run", "-conf", plain}, exitUsage, `^mien: run has no option -conf: did you mean -config\?; mien run -help lists them\n$`},
		{[]string{"run", "-config"}, exitUsage, `^mien: -config needs FILE behind it; mien run -help tells more\n$`},
		{[]string{"events", "-n", "ten"}, exitUsage, `^mien: -n: "ten" is no whole number\n$`},
		{[]string{"events", "-follow=perhaps"}, exitUsage, `^mien: -follow: "perhaps" is no yes or no: write -follow, or -follow=false\n$`},
		{[]string{"outputs", "-test", "5"}, exitUsage, `^mien: -test: "5" is no time: write 90s, 30m or 1h30m\n$`},
		{[]string{"-v"}, exitOK, `^mien unknown`},
		{[]string{"pilot", "tune", "-help"}, exitOK, `^usage: mien pilot tune \[options\](?s:.*)-levels FILE`},
		{[]string{"pilot", "tune", "-level", "x"}, exitUsage, `^mien: pilot tune has no option -level: did you mean -levels\?; mien pilot tune -help lists them\n$`},
		{[]string{"pilot", "tune", "-filter", "0s,soon"}, exitUsage, `^mien: -filter: "soon" is no time: write the windows as 0s,300ms,1s\n$`},
		{[]string{"check", "-config", plain}, exitOK, `is right`},
		{[]string{"check", "-config", plain, plain}, exitOK, `is right`},
		{[]string{"check", "-config", plain, weak}, exitUsage, `two configs are named`},
		{[]string{"explain", "-config", weak}, exitOK, `alarm "lips"`},
		{[]string{"run", wrong}, exitConfig, `widht`},
		{[]string{"selftest", wrong}, exitConfig, `widht`},
		{[]string{"bench", "-for", "100ms", plain}, exitOK, `frames a second are possible`},
		{[]string{"bench", wrong}, exitConfig, `widht`},
		{[]string{"probe", "surplus"}, exitUsage, `too many arguments: surplus`},
		{[]string{"version"}, exitOK, `^mien unknown, go1`},
		{[]string{"version"}, exitOK, `backends litert, tflite.*; network mien-affect-1 .*; register map version \d`},
		{[]string{"version", "-json"}, exitOK, `"backends": \[\s*"litert",\s*"tflite"`},
		{[]string{"check", missing}, exitMissing, `no such file.*write one \(mien config > .*none\)`},
		{[]string{"chekc"}, exitUsage, `did you mean check\?`},
		{[]string{"xyzzy"}, exitUsage, `no command "xyzzy"; mien help lists them`},
		{[]string{"run", "-h"}, exitOK, `^usage: mien run \[options\] \[FILE\]\nwatch.*\n  -config FILE`},
		{[]string{"check", wrong}, exitConfig, `mien.toml:4.*widht.*width`},
		{[]string{"check", network}, exitConfig, `au99`},
		{[]string{"check", both}, exitConfig, `(?s):2.*widht.*:5.*au99.*2 mistakes`},
		{[]string{"check", card}, exitConfig, `mien.toml:2: model.card: read model card: open /nowhere/card.json: no such file`},
		{[]string{"check", "-json", card}, exitConfig, `"key": "model.card"`},
		{[]string{"run", "-config", card}, exitConfig, `mien.toml:2: model.card: read model card`},
		{[]string{"explain", card}, exitConfig, `mien.toml:2: model.card: read model card`},
		{[]string{"check", other}, exitConfig, `mien.toml:2: model.card: .*affect.json: input: .*tensor \[1 112 96 1\], affect.tflite takes \[1 112 112 1\]`},
		{[]string{"check", second}, exitConfig, `mien.toml:2: model.second: read model card`},
		{[]string{"check", foreign}, exitOK, `mien.toml:2: warning: model.library: .* is not a library that mien was made with`},
		{[]string{"check", library}, exitOK, `mien.toml:2: warning: model.library: not on this machine: stat /nowhere/lib.so: no such file`},
		{[]string{"check", purpose}, exitConfig, `unit.purpose`},
		{[]string{"check", weak}, exitOK, `weak signal`},
		{[]string{"check", "-strict", weak}, exitConfig, `0 mistakes`},
		{[]string{"check", "-json", wrong}, exitConfig, `"line": 4,`},
		{[]string{"check", wrong, "-json"}, exitConfig, `"did_you_mean": "width"`},
		{[]string{"check", "--", wrong, "-json"}, exitUsage, `too many arguments: -json`},
		{[]string{"check", "-json", quiet}, exitOK, `^\[\]\n$`},
		{[]string{"check", wrong}, exitConfig, `: 1 mistake, 1 warning`},
		{[]string{"check", plain}, exitOK, `(?s)warning: alarm: there is none.*is right: 0 alarms, 0 outputs, 0 inputs; 1 warning`},
		{[]string{"ack", "-json"}, exitUsage, `ack has no option -json; mien ack -help lists them`},
		{[]string{"run", "-config", missing}, exitMissing, `mien config > ` + regexp.QuoteMeta(missing)},
		{[]string{"run", "-config", wrong}, exitConfig, `widht`},
		{[]string{"explain", weak}, exitOK, `alarm "lips" \(medium\) is raised when AU24 lip pressor is at or above 0.50 for 1s`},
		{[]string{"explain", "-signals"}, exitOK, `(?s)eyes_closed.*\npain is withdrawn: .*Register 58`},
		{[]string{"explain", "-model"}, exitOK, `sha256`},
		{[]string{"demo", "-plot", filepath.Join(t.TempDir(), "none", "x.html")}, exitUsage, `x.html: there is no folder .*none: make it, or name another file`},
		{[]string{"explain", "-plot", filepath.Join(t.TempDir(), "x.png"), weak}, exitUsage, `x.png: the picture is a page or a drawing: name a .html or .svg file`},
		{[]string{"bench", "-for", "100ms"}, exitOK, `frames a second are possible`},
		{[]string{"config"}, exitOK, `\[\[alarm\]\]`},
		{[]string{"registers"}, exitOK, `heartbeat`},
		{[]string{"registers", "-st"}, exitOK, `VAR_GLOBAL`},
		{[]string{"probe"}, exitOK, `library   libLiteRt.so`},
		{[]string{"alarms", "-socket", missing}, exitMissing, `no unit is running`},
		{[]string{"outputs", "-socket", missing, "-test", "0s"}, exitUsage, `-test 0s is no test: give a time such as 5s`},
		{[]string{"outputs", "-socket", missing, "-test", "-3s"}, exitUsage, `-test -3s is no test`},
		{[]string{"inhibit", "-socket", missing}, exitUsage, `say for how long, or off: mien inhibit 10m`},
		{[]string{"shelve", "-socket", missing, "x"}, exitUsage, `name an alarm and a time`},
		{[]string{"shelve", "-socket", missing, "x", "soon"}, exitUsage, `is no time`},
		{[]string{"service", "-socket", missing, "up", "x"}, exitUsage, `out or in`},
	} {
		code, out := mien(c.args...)
		if code != c.code || !regexp.MustCompile(c.want).MatchString(out) {
			t.Errorf("mien %s: exit %d, want %d and %q:\n%s", strings.Join(c.args, " "), code, c.code, c.want, out)
		}
	}
}

// Without its libraries the demo ends at once, and says what to do.
func TestDemoWithoutLibraries(t *testing.T) {
	t.Setenv("MIEN_LIB", t.TempDir())
	code, out := mien("demo", "-log", "-serial", filepath.Join(t.TempDir(), "pty"))
	if code != exitMissing || !strings.Contains(out, "mien: open face detector: find face_detection_short_range.tflite") || !strings.Contains(out, "run make deps") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// The printed config is one that check takes.
func TestPrintedConfigIsRight(t *testing.T) {
	_, text := mien("config")
	if code, out := mien("check", write(t, text)); code != exitOK {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestPlotIsAPicture(t *testing.T) {
	cfg := write(t, "[[alarm]]\nname = \"brow\"\nsignal = \"au4\"\nhigh = 0.7\n")
	for name, magic := range map[string]string{"a.html": "<!doctype html>", "a.svg": "<svg ", "a": "<!doctype html>"} {
		file := filepath.Join(t.TempDir(), name)
		if code, out := mien("explain", "-plot", file, cfg); code != exitOK {
			t.Fatalf("exit %d: %s", code, out)
		}
		if filepath.Ext(file) == "" {
			file += ".html"
		}
		data, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(data), magic) || len(data) < 5000 {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
}

// An alarm on several signals is drawn with all of them.
func TestPlotHasEveryCondition(t *testing.T) {
	cfg := write(t, "[[alarm]]\nname = \"brow or smile\"\nany = [{signal = \"au4\", high = 0.7}, {signal = \"au12\", high = 0.6}]\n")
	file := filepath.Join(t.TempDir(), "a.svg")
	if code, out := mien("explain", "-plot", file, cfg); code != exitOK {
		t.Fatalf("exit %d: %s", code, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"brow or smile: AU4 brow lowerer at or above 0.70 or AU12 lip corner puller at or above 0.60 for 1s", ">au4<", ">au12<"} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no %q in the picture", want)
		}
	}
}

// No space for the picture is an error that says so, not half a picture and exit 0.
func TestPlotWithoutSpace(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	file := filepath.Join(t.TempDir(), "a.svg")
	if err := os.Symlink("/dev/full", file); err != nil {
		t.Fatal(err)
	}
	code, out := mien("explain", "-plot", file, write(t, "[[alarm]]\nname = \"brow\"\nsignal = \"au4\"\nhigh = 0.7\n"))
	if code != exitFailed || !strings.Contains(out, "write the plot: ") || !strings.Contains(out, "no space left on device") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// A whole run on the clip in the binary, at the clip's own pace: journal and
// alarm states are on the disk when it ends, and nothing else is.
func TestRunKeepsItsJournalAndNoPicture(t *testing.T) {
	if testing.Short() {
		t.Skip("plays the demo clip in real time; left out by -short")
	}
	t.Parallel()
	dir := t.TempDir()
	cfg := write(t, fmt.Sprintf(`
[camera]
clip = "demo.mjpeg"
[state]
dir = %q
[socket]
path = %q
[[alarm]]
name = "brow lowered"
signal = "au4"
high = 0.7
deadband = 0.15
on_delay = "500ms"
latch = true
`, filepath.Join(dir, "state"), filepath.Join(dir, "mien.sock")))
	done := make(chan int, 1)
	go func() { code, _ := mien("run", "-log", "-config", cfg); done <- code }()
	socket := filepath.Join(dir, "mien.sock")
	acked := false
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end) && !acked; time.Sleep(200 * time.Millisecond) {
		if _, out := mien("alarms", "-socket", socket); strings.Contains(out, "unacknowledged") {
			code, out := mien("ack", "-socket", socket, "brow lowered")
			if acked = code == exitOK; !acked {
				t.Errorf("ack: %s", out)
			}
		}
	}
	if !acked {
		t.Error("the frown raised no alarm")
	}
	if code, out := mien("run", "-log", "-config", cfg); code != exitMissing || !strings.Contains(out, "another running mien holds it") {
		t.Errorf("a second unit on the same folder: %d: %s", code, out)
	}
	if code, out := mien("status", "-socket", socket); code != exitOK || !strings.Contains(out, "results are valid") {
		t.Errorf("status %d: %s", code, out)
	}
	if code := <-done; code != exitOK {
		t.Errorf("run ended with %d", code)
	}
	kept, _, err := store.Open(store.Options{Dir: filepath.Join(dir, "state")})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	events, err := kept.Events(0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var raised, acknowledged bool
	for _, e := range events {
		raised = raised || e.Trigger == alarm.Raise
		acknowledged = acknowledged || e.Trigger == alarm.Acknowledge && e.Who != ""
	}
	if !raised || !acknowledged {
		t.Errorf("raised %v, acknowledged %v in %d events", raised, acknowledged, len(events))
	}
	if file := memoryFolder(filepath.Join(dir, "state")); file != "" && filepath.Dir(file) != os.Getenv("RUNTIME_DIRECTORY") {
		t.Errorf("the test leaves %s behind", file)
	}
	total := int64(0)
	filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
		return err
	})
	if total > 64<<10 {
		t.Errorf("%d bytes were written: more than a journal of %d events", total, len(events))
	}
}

// The demo as a user sees it: another program reads the ASCII line from the pty,
// an operator's commands reach it, the report has what the clip shows, and a
// picture of it is drawn.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("plays the demo clip in real time; left out by -short")
	}
	t.Parallel()
	dir := t.TempDir()
	port, socket, picture := filepath.Join(dir, "pty"), filepath.Join(dir, "sock"), filepath.Join(dir, "demo.html")
	type result struct {
		code int
		out  string
	}
	done := make(chan result, 1)
	go func() {
		code, out := mien("demo", "-log", "-serial", port, "-socket", socket, "-plot", picture)
		done <- result{code, out}
	}()
	heard := make(chan []string, 1)
	go func() {
		var f *os.File
		for end := time.Now().Add(10 * time.Second); f == nil && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			f, _ = os.OpenFile(port, os.O_RDWR|unix.O_NOCTTY, 0)
		}
		var lines []string
		if f != nil {
			defer f.Close()
			for scan := bufio.NewScanner(f); scan.Scan(); { // until the demo hangs up
				lines = append(lines, strings.TrimSpace(scan.Text()))
			}
		}
		heard <- lines
	}()
	asked := false
	for end := time.Now().Add(10 * time.Second); !asked && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		code, out := mien("alarms", "-socket", socket)
		asked = code == exitOK && strings.Contains(out, "brow lowered") && strings.Contains(out, "eyes closed")
	}
	if !asked {
		t.Error("mien alarms tells nothing of the demo")
	}
	r := <-done
	if r.code != exitOK {
		t.Errorf("exit %d", r.code)
	}
	for _, want := range []string{`12.0 to 15.0 s  eyes closed`, `s  brow lowered   raise, normal -> unacknowledged: au4 [01]\.\d+, .* above 0\.700, .*frames \d+ to \d+`,
		`brow lowered   acknowledge by input ack button`, `s  brow lowered   clear`, `s  eyes closed    raise`, `eyes closed    clear, .* -> latched`,
		`eyes closed    reset by input reset key, latched acknowledged -> normal`, `\n  healthy +[.#+]+ +[1-9]\d\n`, `\n  lamp +[.#+]*\+[.#+]* +[1-9]\d*\n`, `\n  horn +\.+[#+]+\.+[#+]+\.+ +[1-9]\n`, `how often each changed, its fail value before the first result and at the end with it`,
		`\n[1-9]\d+ results, latency`} {
		if !regexp.MustCompile(want).MatchString(r.out) {
			t.Errorf("no %q in\n%s", want, r.out)
		}
	}
	data, err := os.ReadFile(picture)
	for _, want := range []string{">eyes closed<", ">acknowledge by input ack button<", ">reset by input reset key<", ">latched acknowledged<", ">horn<"} {
		if err != nil || !strings.Contains(string(data), want) {
			t.Errorf("the picture, %d bytes, has no %q: %v", len(data), want, err)
		}
	}
	kinds := map[string]int{}
	for _, line := range <-heard {
		body, sum, ok := strings.Cut(strings.TrimPrefix(line, "$"), "*")
		x := byte(0)
		for i := range len(body) {
			x ^= body[i]
		}
		if !ok || !strings.HasPrefix(line, "$MIEN,") || sum != fmt.Sprintf("%02X", x) {
			t.Errorf("heard %q", line)
			continue
		}
		kinds[strings.Split(body, ",")[1]]++
	}
	if kinds["S"] < 20 || kinds["A"] < 8 {
		t.Errorf("heard %v; want one status a second, and a line for each change of an alarm", kinds)
	}
	if _, err := os.Lstat(port); !os.IsNotExist(err) {
		t.Errorf("the pty's link is left behind: %v", err)
	}
}

func TestViewFitsTheTerminal(t *testing.T) {
	s := &scene{Now: time.Minute, Serial: "modbus on /dev/x", Said: strings.Repeat("long ", 60), Foot: "Ctrl-C ends"}
	s.Clear()
	s.About = &state.About{Unit: "press 3", Outputs: []string{"healthy", "lamp"}, Signals: []state.Signal{{Name: "au4", Max: 1}, {Name: "au12", Max: 1}}}
	s.Outputs, s.Levels = []bool{true, false}, []float32{0.9, nan32}
	s.Alarms = []alarm.Status{{Name: "a name that is longer than its column", State: alarm.Unacknowledged, Signal: "au4", Level: 0.9, Limit: 0.7},
		{Name: "low", Signal: "au12", Level: nan32, Limit: 0.2, Side: alarm.Below}}
	escape := regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)
	for _, width := range []int{60, 80, 200} {
		var b bytes.Buffer
		if err := s.draw(&b, width, 20); err != nil {
			t.Fatal(err)
		}
		rows := strings.Split(escape.ReplaceAllString(b.String(), ""), "\r\n")
		if len(rows) > 20 {
			t.Errorf("%d rows on a terminal of 20", len(rows))
		}
		for _, r := range rows {
			if n := len([]rune(r)); n > width {
				t.Errorf("%d columns on a terminal of %d: %q", n, width, r)
			}
		}
		if !strings.Contains(b.String(), "unacknowledged") {
			t.Errorf("no alarm state in the view of %d columns", width)
		}
	}
}

func TestEventsAreShortInTheView(t *testing.T) {
	e := alarm.Event{Number: 7, Wall: time.Date(2026, 3, 1, 14, 5, 9, 0, time.Local), Alarm: "brow lowered", Trigger: alarm.Raise, To: alarm.Unacknowledged,
		Why: alarm.Explanation{Signal: "au4", Level: 0.987, Limit: 0.7, For: 1040 * time.Millisecond}}
	if got, want := happened(e), "14:05:09 brow lowered: raise, now unacknowledged; au4 0.99, above 0.70 for 1s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	e = alarm.Event{Wall: e.Wall, Alarm: "brow lowered", Trigger: alarm.Shelve, From: alarm.Normal, To: alarm.Normal, Refused: true, Who: "socket anna"}
	if got, want := happened(e), "14:05:09 brow lowered: shelve refused by socket anna"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What to do about a fault stands at the end of its text: it must be readable on
// a small terminal too.
func TestFaultsAreWholeInTheView(t *testing.T) {
	s := new(scene)
	s.Clear()
	s.Faults = []health.Active{{Fault: health.CameraLost, Detail: "open camera usb-cam: permission denied: \"mien\" is not in group \"video\": " +
		"sudo usermod -aG video mien, then log in again (in a systemd unit: SupplementaryGroups=video)"}}
	var b bytes.Buffer
	if err := s.draw(&b, 80, 24); err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`).ReplaceAllString(b.String(), ""), "\r\n")
	if rows[1] != "no result yet" || !strings.HasPrefix(rows[3], "F01 camera lost  0s  open camera usb-cam") || !strings.HasPrefix(rows[4], "        ") ||
		!strings.HasSuffix(rows[5], "SupplementaryGroups=video)") {
		t.Errorf("%q", rows[:7])
	}
	for _, r := range rows {
		if n := len([]rune(r)); n > 80 {
			t.Errorf("%d columns: %q", n, r)
		}
	}
	if got := wrap("x ", "one two "+strings.Repeat("long ", 40), 20, 3); len(got) != 3 || got[0] != "x one two long long" || got[1] != "        long long" {
		t.Errorf("%q", got)
	}
	if got := wrap("x ", "", 20, 3); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

func TestMeter(t *testing.T) {
	for _, c := range []struct {
		v, low, high, limit float32
		want                string
	}{
		{0.5, 0, 1, nan32, "█████·····"}, {0, 0, 1, 0.7, "·······┃··"}, {1, 0, 1, 0.7, "███████┃██"}, {nan32, 0, 1, nan32, "··········"},
		{-0.5, -1, 1, nan32, "···██·····"}, {0.5, -1, 1, nan32, "·····███··"}, {9, 0, 1, nan32, "██████████"}, {0.2, 0, 1, 1, "██·······┃"},
	} {
		if got := meter(c.v, c.low, c.high, c.limit, 10); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	for d, want := range map[time.Duration]string{1500 * time.Millisecond: "1.5s", 125 * time.Second: "2m5s", 2*time.Hour + 11*time.Minute: "2h11m", 75 * time.Hour: "3d3h", 2*time.Hour + 300*time.Millisecond: "2h", 60 * time.Second: "1m"} {
		if got := span(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
}

func TestScriptOfTheDemoIsRight(t *testing.T) {
	s, err := readScript()
	if err != nil || s.Seconds < 10 || len(s.Events) < 5 {
		t.Errorf("%+v %v", s, err)
	}
}

func TestProbeTellsACameraInALine(t *testing.T) {
	fourcc := func(s string) uint32 {
		return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
	}
	vga, hd := v4l2.Size{Width: 640, Height: 480, MaxWidth: 640, MaxHeight: 480, FPS: []float64{30, 15}}, v4l2.Size{Width: 1280, Height: 720, MaxWidth: 1280, MaxHeight: 720, FPS: []float64{10}}
	formats := []v4l2.Format{{FourCC: camera.YUYV, Usable: true, Sizes: []v4l2.Size{vga, hd}}, {FourCC: camera.MJPEG, Usable: true, Sizes: []v4l2.Size{vga}},
		{FourCC: fourcc("H264"), Sizes: []v4l2.Size{{Width: 3840, Height: 2160}}}}
	const want = "YUYV MJPG; 640x480 to 1280x720; up to 30 frames/s; 1 format that mien does not read"
	if got := summarise(formats); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := summarise(nil); got != "" {
		t.Errorf("no format: %q", got)
	}
	f := found{Cameras: []foundCamera{{Name: "Acme", Device: "/dev/video0", Summary: want, Formats: []string{"YUYV 640x480@30", "MJPG 640x480@30"}}},
		Others: []foundCamera{{Name: "Acme", Device: "/dev/video1", Is: "a video output", Problem: "camera /dev/video1: not supported: a video output"}}}
	for all, lines := range map[bool][]string{
		false: {"camera    /dev/video0 Acme: " + want, "video     no cameras: /dev/video1 (a video output)"},
		true:  {"camera    /dev/video0 Acme", "            YUYV 640x480@30", "            MJPG 640x480@30", "video     /dev/video1 Acme", "            camera /dev/video1: not supported: a video output"},
	} {
		var b bytes.Buffer
		if err := f.print(&b, all); err != nil {
			t.Fatal(err)
		}
		if want := strings.Join(lines, "\n") + "\n"; !strings.Contains(b.String(), want) {
			t.Errorf("all %v:\n%s\nwant in it\n%s", all, b.String(), want)
		}
	}
}

// How long an alarm takes, in words: up and down, one and several conditions.
func TestExplainTellsTheTime(t *testing.T) {
	for _, c := range []struct{ alarm, want string }{
		{"signal = \"au4\"\nhigh = 0.75", `AU4 brow lowerer is at or above 0.75 for 1s. From a full, sudden change of the face to the lamp: the filter reaches the limit after 300ms, then the on-delay of 1s, and up to two frames, the second for the mean of both views of the face (200ms): about 1.5s. It returns when that has been gone, by a deadband of 0.05, for 2s.`},
		{"signal = \"au4\"\nlow = 0.75", `AU4 brow lowerer is at or below 0.75 for 1s. From a full, sudden change of the face to the lamp: the filter reaches the limit after 100ms,`},
		{"all = [{signal = \"au4\", high = 0.75}, {signal = \"au12\", high = 0.25, deadband = 0.1}]",
			`AU4 brow lowerer is at or above 0.75 and AU12 lip corner puller is at or above 0.25 for 1s. From a full, sudden change of the face to the lamp: the filters reach the limits after 300ms, then the on-delay of 1s, and up to two frames, the second for the mean of both views of the face (200ms): about 1.5s. It returns when that has been gone, by a deadband of 0.05 and 0.10, for 2s.`},
		{"any = [{signal = \"au4\", high = 0.75}, {signal = \"au12\", high = 0.25}]",
			`above 0.75 or AU12 lip corner puller is at or above 0.25 for 1s. From a full, sudden change of the face to the lamp: the filters reach the limits after 100ms to 300ms, then the on-delay of 1s, and up to two frames, the second for the mean of both views of the face (200ms): about 1.3s to 1.5s.`},
		{"signal = \"perclos\"\nhigh = 0.25", `PERCLOS is at or above 0.25 for 1s. From a full, sudden change of the face to the lamp: the filter reaches the limit after 15s, then the on-delay of 1s, and up to two frames, the second for the mean of both views of the face (200ms): about 16.2s. PERCLOS counts closed eyes over the last 1m, and has no value before 30s of that are known.`},
		{"signal = \"au4\"\nhigh = 0.75\n[model]\nmirror = false", `then the on-delay of 1s, and up to one frame (100ms): about 1.4s.`},
	} {
		code, out := mien("explain", write(t, "[camera]\nfps = 10\n[filter]\naction_units = \"400ms\"\n[[alarm]]\nname = \"x\"\n"+c.alarm))
		if code != exitOK || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit %d, want %q in\n%s", c.alarm, code, c.want, out[max(0, len(out)-600):])
		}
	}
}

// What probe tells of lines, ports and accelerators, on a board that is known.
func TestProbeTellsLinesPortsAndAccelerators(t *testing.T) {
	pi, _ := board.ByID("pi4b")
	chip := describeChip(gpio.Chip{Name: "gpiochip0", Label: "pinctrl-bcm2711", Lines: []gpio.LineInfo{
		{Offset: 5, Name: "GPIO5"}, {Offset: 17, Name: "GPIO17", Used: true, Consumer: "mien lamp"}, {Offset: 42, Used: true}, {Offset: 43}}},
		board.Unit{Board: pi})
	f := found{Chips: []foundChip{chip}, Problems: map[string]string{"camera": "list cameras: none here"},
		Ports: []foundPort{{Device: "/dev/ttyUSB0", Best: "/dev/serial/by-id/usb-FTDI", Driver: "ftdi_sio", Product: "FT232R"},
			{Device: "/dev/ttyAMA0", Best: "/dev/ttyAMA0", Console: true, Board: "pins 8 and 10."}},
		Accelerators: []foundAccelerator{{Name: "Coral USB Accelerator", Path: "usb 2-1", Problem: "install Coral's libedgetpu1-std"}}}
	const pulled = "  5 GPIO5, header pin 29; GPIO5 is pulled up from power-on until mien takes it"
	for all, lines := range map[bool][]string{
		false: {`gpio      gpiochip0 label "pinctrl-bcm2711", 4 lines`, "             17 GPIO17, header pin 11, taken by mien lamp", "             42, taken by a kernel driver",
			"serial    /dev/serial/by-id/usb-FTDI (/dev/ttyUSB0), FT232R, driver ftdi_sio", "serial    /dev/ttyAMA0; the system's console talks on it: free it first; pins 8 and 10.",
			`edge tpu  Coral USB Accelerator, usb 2-1: model.accelerator = "edgetpu" uses it`, "            problem: install Coral's libedgetpu1-std",
			"camera    none: list cameras: none here"},
		true: {pulled, "             43\n"},
	} {
		var b bytes.Buffer
		if err := f.print(&b, all); err != nil {
			t.Fatal(err)
		}
		for _, want := range lines {
			if !strings.Contains(b.String(), want) {
				t.Errorf("all %v:\n%s\nwant in it\n%s", all, b.String(), want)
			}
		}
		if strings.Contains(b.String(), pulled) != all {
			t.Errorf("all %v: lines nobody uses: %s", all, b.String())
		}
	}
}

// A CSI camera has another way out on each kind of board.
func TestProbeTellsTheWayOfACSICamera(t *testing.T) {
	for id, want := range map[string]string{"pi5": "#csi-on-a-raspberry-pi)", "pi-zero-2-w": "#csi-on-a-raspberry-pi)", "orin-nano": "nvarguscamerasrc", "jetson-nano": "#csi-on-a-jetson)", "": "docs/cameras.md)"} {
		b, ok := board.ByID(id)
		if !ok && id != "" {
			t.Fatalf("no board %s", id)
		}
		if got := csiWay(board.Unit{Board: b}); !strings.Contains(got, want) || strings.Contains(got, "libcamera") != strings.HasPrefix(id, "pi") {
			t.Errorf("%s: %s", id, got)
		}
	}
	// Two that share a name are told apart by their sockets.
	var b bytes.Buffer
	f := found{Cameras: []foundCamera{{Name: "HD", Device: "/dev/v4l/by-path/usb-0:1.2", Shared: "/dev/v4l/by-id/usb-HD-index0"}},
		Ports: []foundPort{{Device: "/dev/ttyUSB0", Best: "/dev/serial/by-path/usb-0:1.3", Shared: true}}}
	f.print(&b, false)
	for _, want := range []string{"camera    /dev/v4l/by-path/usb-0:1.2 HD\n            another camera of its kind would have the name usb-HD-index0 too", "usb-0:1.3 (/dev/ttyUSB0); another adapter of its kind"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s\nwant in it %s", b.String(), want)
		}
	}
}

// Where nothing is found, JSON has empty lists, and the reason beside them.
func TestProbeOfAnEmptyMachine(t *testing.T) {
	root := t.TempDir()
	f := look(root)
	if f.Cameras == nil || f.Chips == nil || f.Ports == nil || len(f.Accelerators) != 0 || f.Accelerators == nil {
		t.Errorf("%+v", f)
	}
	if len(f.Cameras)+len(f.Others) == 0 && f.Problems["camera"] == "" {
		t.Error("no camera, and no reason")
	}
	stick := filepath.Join(root, "sys/bus/usb/devices/2-1")
	if err := os.MkdirAll(stick, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"idVendor": "18d1\n", "idProduct": "9302\n"} {
		if err := os.WriteFile(filepath.Join(stick, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if f := look(root); len(f.Accelerators) != 1 || f.Accelerators[0].Path != "usb 2-1" {
		t.Errorf("%+v", f.Accelerators)
	}
}

package pipeline

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mien/drivers/camera"
	"mien/firmware/config"
	"mien/firmware/health"
	"mien/model/affect"
	"mien/model/assets"
)

// byHand is a unit whose watcher is turned by the test.
func byHand(t *testing.T, change func(*config.Config)) (*Unit, *watcher) {
	t.Helper()
	u := newIdle(t)
	cam := &camera.Fake{Format: camera.MJPEG, Pictures: pictures(t, neutralFrom, neutralTo)}
	u.options.OpenSource = func(config.Camera) (camera.Source, error) { return cam.Open() }
	if change != nil {
		change(u.current)
	}
	w := u.newWatcher()
	t.Cleanup(w.close)
	return u, w
}

// looks takes frames until one has come through, or a fault is on.
func looks(t *testing.T, u *Unit, w *watcher) {
	t.Helper()
	for n, end := u.health.Results(), time.Now().Add(10*time.Second); u.health.Results() == n && u.health.Word() == 0; {
		if w.source == nil {
			w.openCamera()
		}
		if _, err := w.frame(); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatal("no result")
		}
	}
}

// A network that fails on a frame is a fault that stops; the network is loaded
// again, and results are trusted again.
func TestNetworkThatFailsIsLoadedAgain(t *testing.T) {
	u, w := byHand(t, nil)
	if wait := w.loadEye(); wait != 0 {
		t.Fatalf("not loaded: %v", u.Faults())
	}
	looks(t, u, w)
	if !u.health.Trusted(u.now()) {
		t.Fatalf("no trust: %v", u.Faults())
	}
	w.look = func(f *camera.Frame) (*Sight, error) { // as Eye.Look does when a network cannot be run
		return &Sight{}, errors.New("frame 7: invoke: injected")
	}
	looks(t, u, w)
	if !u.health.On(health.InferenceFailed) || u.health.Trusted(u.now()) || w.eye != nil {
		t.Fatalf("faults %v, trusted %v", u.Faults(), u.health.Trusted(u.now()))
	}
	if wait := w.loadEye(); wait != 0 || u.health.On(health.InferenceFailed) {
		t.Fatalf("not loaded again: %v", u.Faults())
	}
	looks(t, u, w)
	if !u.health.Trusted(u.now()) {
		t.Errorf("no way back: %v", u.Faults())
	}
}

// A model file that is not the one its card names is refused with ever longer
// waits, and taken when the right one is there.
func TestDamagedModelIsRefusedUntilItIsWhole(t *testing.T) {
	dir := t.TempDir()
	embedded, _, err := affect.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	card, file := filepath.Join(dir, "card.json"), filepath.Join(dir, embedded.File)
	write := func(path string, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(card, assets.Card())
	damaged := append([]byte(nil), assets.Network()...)
	damaged[len(damaged)/2] ^= 1
	write(file, damaged)
	u, w := byHand(t, func(c *config.Config) { c.Model.Card = card })
	first := w.loadEye()
	if !u.health.On(health.ModelRefused) || u.health.On(health.InferenceFailed) || first == 0 {
		t.Fatalf("wait %v, faults %v", first, u.Faults())
	}
	if second := w.loadEye(); second <= first {
		t.Errorf("waits %v, then %v", first, second)
	}
	os.Remove(file)
	if w.loadEye() == 0 || !u.health.On(health.ModelRefused) {
		t.Errorf("without the file: %v", u.Faults())
	}
	write(file, assets.Network())
	if wait := w.loadEye(); wait != 0 || u.health.Word() != 0 {
		t.Fatalf("with the right file: wait %v, faults %v", wait, u.Faults())
	}
	looks(t, u, w)
	if !u.health.Trusted(u.now()) {
		t.Errorf("no trust: %v", u.Faults())
	}
}

// Where one library is damaged and the other does its work, that is told for as long
// as the unit runs.
func TestDamagedLibraryIsToldThoughAnotherComputes(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{assets.LiteRT, assets.TFLiteC, assets.FaceShort} {
		path, err := assets.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if name == assets.LiteRT {
			data[len(data)/2] ^= 1
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("MIEN_LIB", dir)
	u, w := byHand(t, nil)
	if w.loadEye() != 0 || u.health.Word() != health.SelfTestFailed.Bit() || !strings.Contains(fmt.Sprint(u.Faults()), assets.LiteRT) {
		t.Fatalf("faults %v", u.Faults())
	}
}

// A card that is another one than the config was taken over with is refused when the
// networks are loaded again, though it fits its network: a damaged number in it would
// be no error, and other alarms.
func TestCardThatHasChanged(t *testing.T) {
	dir := t.TempDir()
	embedded, _, err := affect.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	card := filepath.Join(dir, "card.json")
	for path, data := range map[string][]byte{card: assets.Card(), filepath.Join(dir, embedded.File): assets.Network()} {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	u, w := byHand(t, func(c *config.Config) { c.Model.Card = card })
	cards, models, err := Cards(u.current.Model)
	if err != nil {
		t.Fatal(err)
	}
	u.network = networkOf(cards, models)
	if w.loadEye() != 0 {
		t.Fatal(u.Faults())
	}
	was := fmt.Sprint(embedded.Outputs.ActionUnits.Thresholds[0])
	changed := strings.Replace(string(assets.Card()), was, "0.987", 1)
	if changed == string(assets.Card()) {
		t.Fatalf("no %s in the card", was)
	}
	if err := os.WriteFile(card, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	if w.loadEye() == 0 || !u.health.On(health.ModelRefused) || !strings.Contains(fmt.Sprint(u.Faults()), card) {
		t.Fatalf("faults %v", u.Faults())
	}
	if err := os.WriteFile(card, assets.Card(), 0o644); err != nil {
		t.Fatal(err)
	}
	if w.loadEye() != 0 || u.health.Word() != 0 {
		t.Fatalf("faults %v", u.Faults())
	}
}

// An accelerator that is not there is told, and the processor does its work.
func TestAcceleratorLostDegrades(t *testing.T) {
	if _, err := os.Stat("/dev/apex_0"); err == nil {
		t.Skip("there is an Edge TPU")
	}
	u, w := byHand(t, func(c *config.Config) { c.Model.Accelerator = "edgetpu" })
	if wait := w.loadEye(); wait != 0 || !u.health.On(health.AcceleratorLost) {
		t.Fatalf("wait %v, faults %v", wait, u.Faults())
	}
	w.openCamera()
	for u.health.Results() == 0 {
		if _, err := w.frame(); err != nil {
			t.Fatal(err)
		}
	}
	if !u.health.Trusted(u.now()) {
		t.Errorf("no trust: %v", u.Faults())
	}
}

// What lies beside the binary and is not what mien was made with is F07: a
// misplaced block of the detector's file made it blind once, without a fault.
func TestDamagedFilesBesideTheBinary(t *testing.T) {
	whole := map[string][]byte{}
	for _, name := range []string{assets.LiteRT, assets.TFLiteC, assets.FaceShort, assets.FaceFullRange} {
		path, err := assets.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		if whole[name], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	misplaced := func(data []byte) []byte {
		d := append([]byte(nil), data...)
		copy(d[8<<12:9<<12], data[20<<12:])
		return d
	}
	for name, change := range map[string]func(*config.Config){
		assets.FaceShort:     func(c *config.Config) { c.Face.Detector = "short" },
		assets.FaceFullRange: func(c *config.Config) { c.Face.Detector = "full" },
		assets.LiteRT:        func(c *config.Config) { c.Model.Backend = "litert" },
		assets.TFLiteC:       func(c *config.Config) { c.Model.Backend = "tflite" },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for other, data := range whole {
				if other == name {
					data = misplaced(data)
				}
				if err := os.WriteFile(filepath.Join(dir, other), data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("MIEN_LIB", dir)
			u, w := byHand(t, change)
			if w.loadEye() == 0 || !u.health.On(health.ModelRefused) || u.health.On(health.InferenceFailed) {
				t.Fatalf("faults %v", u.Faults())
			}
			if said := fmt.Sprint(u.Faults()); !strings.Contains(said, name) || !strings.Contains(said, "unpack the release archive again") {
				t.Errorf("%s", said)
			}
			if err := os.WriteFile(filepath.Join(dir, name), whole[name], 0o644); err != nil {
				t.Fatal(err)
			}
			if wait := w.loadEye(); wait != 0 || u.health.Word() != 0 {
				t.Errorf("with the right file: wait %v, faults %v", wait, u.Faults())
			}
			// One that is not there, or no file, is no other fault.
			path := filepath.Join(dir, name)
			for what, put := range map[string]func() error{
				"none":     func() error { return nil },
				"a pipe":   func() error { return unix.Mkfifo(path, 0o644) },
				"a folder": func() error { return os.Mkdir(path, 0o755) },
				"empty":    func() error { return os.WriteFile(path, nil, 0o644) },
			} {
				os.Remove(path)
				if err := put(); err != nil {
					t.Fatal(err)
				}
				u, w := byHand(t, change)
				if strings.HasSuffix(name, ".so") { // it is open in this process, under its path
					continue
				}
				if w.loadEye() == 0 || !u.health.On(health.ModelRefused) || u.health.On(health.InferenceFailed) {
					t.Errorf("%s: faults %v", what, u.Faults())
				}
			}
		})
	}
}

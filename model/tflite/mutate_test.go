package tflite

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mien/model/assets"
)

// TestMain lets the test binary play the unit: what crashes then is not the
// test. Under an emulator it is told how to start itself.
func TestMain(m *testing.M) {
	if with := os.Getenv("MIEN_TFLITE_LAUNCH"); with != "" {
		launch = append(strings.Fields(with), os.Args[0])
	}
	if backend := os.Getenv("MIEN_TFLITE_CHILD"); backend != "" {
		runUnit(backend)
		return
	}
	os.Exit(m.Run())
}

// runUnit opens and invokes each model that comes on standard input (a 32-bit
// length, then the bytes) and answers each with one line: ok or the error.
func runUnit(backend string) {
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	try = manyInOne()
	for {
		var n uint32
		if err := binary.Read(in, binary.LittleEndian, &n); err != nil {
			return
		}
		model := make([]byte, n)
		if _, err := io.ReadFull(in, model); err != nil {
			return
		}
		if err := openAndInvoke(model, backend); err != nil {
			fmt.Fprintln(out, strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Fprintln(out, "ok")
		}
		out.Flush()
	}
}

// manyInOne tries networks one after another in one child, as long as it lives:
// each file's end is its own.
func manyInOne() func([]byte, *Options) error {
	var t *trial
	tried := 0
	return func(model []byte, o *Options) error {
		if t != nil && (t.cmd.ProcessState != nil || tried == 200) { // what a library leaks is not the fault of a file
			t.stop()
			t = nil
		}
		if t == nil {
			var err error
			if t, err = startTrial(false); err != nil {
				return err
			}
			tried = 0
		}
		tried++
		return t.try(model, o)
	}
}

func openAndInvoke(model []byte, backend string) error {
	switch backend {
	case "crash":
		return fmt.Errorf("status %d", cfunc(8).status()) // no function there
	case "hang":
		select {}
	}
	net, err := Open(model, Options{Backend: backend})
	if err != nil {
		return err
	}
	defer net.Close()
	for seed := range uint32(4) { // pictures that the trial did not show it, too
		fill(net, 100*seed+1)
		if err := net.Invoke(); err != nil {
			return err
		}
	}
	return nil
}

// child is a unit that a model may kill.
type child struct {
	t       *testing.T
	backend string
	timeout time.Duration
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	stderr  *bytes.Buffer
}

// TestCrashesAreSeen: the mutation test would notice.
func TestCrashesAreSeen(t *testing.T) {
	model := readModel(t, "int8.tflite")
	for backend, says := range map[string]string{"crash": "SIGSEGV", "hang": "hangs"} {
		c := &child{t: t, backend: backend, timeout: time.Second}
		defer c.stop()
		for range 2 {
			if _, err := c.try(model); !errors.Is(err, errCrash) || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v", backend, err)
			}
		}
	}
	c := &child{t: t, backend: LiteRT, timeout: 20 * time.Second}
	defer c.stop()
	if answer, err := c.try(model); err != nil || answer != "ok" {
		t.Errorf("%q %v", answer, err)
	}
	if answer, err := c.try(model[:100]); err != nil || !strings.Contains(answer, ErrDamaged.Error()) {
		t.Errorf("%q %v", answer, err)
	}
}

func (c *child) start() {
	c.cmd = exec.Command(os.Args[0])
	c.cmd.Env = append(os.Environ(), "MIEN_TFLITE_CHILD="+c.backend, "GOTRACEBACK=single")
	c.stderr = new(bytes.Buffer)
	c.cmd.Stderr = c.stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		c.t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *child) stop() {
	if c.cmd != nil {
		c.in.Close()
		c.cmd.Wait()
		c.cmd = nil
	}
}

// errCrash is what a model earns that kills the child or makes it hang.
var errCrash = errors.New("crash")

// try gives the child one model. An error of Open or Invoke is a good answer
// and comes back as text; a dead child is errCrash.
func (c *child) try(model []byte) (string, error) {
	if c.cmd == nil {
		c.start()
	}
	hung := time.AfterFunc(c.timeout, func() { c.cmd.Process.Kill() })
	binary.Write(c.in, binary.LittleEndian, uint32(len(model)))
	c.in.Write(model)
	line, err := c.out.ReadString('\n')
	timely := hung.Stop()
	if err == nil {
		return strings.TrimSpace(line), nil
	}
	c.in.Close()
	state := c.cmd.Wait()
	c.cmd = nil
	if !timely {
		return "", fmt.Errorf("hangs: %w", errCrash)
	}
	said := c.stderr.String()
	return "", fmt.Errorf("%v: %s: %w", state, said[:min(len(said), 400)], errCrash)
}

// mutate damages a model in one of the ways that files get damaged, or in one
// that a person with bad intent would choose: at a place that means something.
func mutate(r *rand.Rand, model []byte, places []int) []byte {
	m := bytes.Clone(model)
	interesting := []uint32{0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 64, 100, 127, 128, 255, 256, 1000, 4096, 65535,
		1 << 16, 1 << 20, 1 << 24, 1 << 28, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, 0x7fc00000, 0x00000001, 0x7f800000}
	switch kind := r.IntN(20); {
	case kind == 0: // cut short
		return m[:r.IntN(len(m))]
	case kind == 1: // a block lost
		a := r.IntN(len(m))
		b := min(len(m), a+1+r.IntN(256))
		return append(m[:a], m[b:]...)
	case kind == 2: // a block overwritten with another
		n := 1 + r.IntN(64)
		copy(m[r.IntN(len(m)):], m[r.IntN(len(m)-n):][:n])
	case kind == 3: // a page of zeros, as a worn SD card gives
		a := r.IntN(len(m))
		clear(m[a:min(len(m), a+512)])
	case kind < 7: // bits flip
		for range 1 + r.IntN(8) {
			m[r.IntN(len(m))] ^= 1 << r.IntN(8)
		}
	default: // a number that Check reads becomes another
		for range 1 + r.IntN(2) {
			pos := places[r.IntN(len(places))]
			switch r.IntN(4) {
			case 0:
				m[pos] = byte(r.Uint32())
			case 1:
				m[pos] += byte(r.IntN(7) - 3)
			default:
				if pos+4 <= len(m) {
					binary.LittleEndian.PutUint32(m[pos:], interesting[r.IntN(len(interesting))])
				}
			}
		}
	}
	return m
}

// meaningful gives the places of a model that mean something: what Check looks
// at, the operators' options, and short constants, such as axes and shapes.
func meaningful(t *testing.T, model []byte) []int {
	seen := make([]bool, len(model))
	f := &flatbuffer{data: model, trace: func(pos, n int) {
		if n <= 8 {
			seen[pos] = true
		}
	}}
	if _, err := (&checker{f: f}).model(); err != nil {
		t.Fatal(err)
	}
	root := f.table(f.offset(0))
	for _, op := range root.tables(2)[0].tables(3) {
		if options := op.table(4); options.pos != 0 {
			for i := range options.size {
				seen[options.pos+i] = true
			}
		}
	}
	for _, b := range root.tables(4) {
		if v := b.vector(0, 1); v.n <= 64 {
			for i := range v.n {
				seen[v.pos+i] = true
			}
		}
	}
	var places []int
	for pos, yes := range seen {
		if yes {
			places = append(places, pos)
		}
	}
	return places
}

// mutated are the models that the mutations start from: between them they have
// all operators that networks of faces are made of.
var mutated = []string{"int8.tflite", "uint8.tflite", "float.tflite", "dense_per_channel.tflite", "grouped.tflite",
	"signature.tflite", "any_batch.tflite", "operators_float.tflite", "operators_int8.tflite", "activations_float.tflite", "by_hand.tflite", "steep.tflite", "int8_wide.tflite",
	assets.FaceShort}

// TestMutatedModelsDoNotCrash lets a unit open mutated models with each library.
// None may crash it or make it hang, whatever becomes of the children that it
// tries them in. MIEN_FUZZ_MUTATIONS sets how many there are of each model and
// library, MIEN_FUZZ_SEED which.
func TestMutatedModelsDoNotCrash(t *testing.T) {
	count := 150
	if s := os.Getenv("MIEN_FUZZ_MUTATIONS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		count = n
	}
	if testing.Short() {
		count /= 8
	}
	seed := uint64(1)
	if s := os.Getenv("MIEN_FUZZ_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	for _, backend := range backends {
		t.Run(backend, func(t *testing.T) {
			var tried, passed, opened, took, crashed int
			c := &child{t: t, backend: backend, timeout: 3 * trialTime}
			defer c.stop()
			for k, name := range mutated {
				model := readModel(t, name)
				places := meaningful(t, model)
				r := rand.New(rand.NewPCG(seed, uint64(k)))
				n := count
				if len(model) > 1<<16 { // the detector, 20 times the size of the others
					n /= 10
				}
				for i := range n {
					m := mutate(r, model, places)
					tried++
					if _, err := check(m); err != nil {
						continue
					}
					passed++
					answer, err := c.try(m)
					switch {
					case err != nil:
						crashed++
						path := filepath.Join(os.TempDir(), fmt.Sprintf("crash-%s-%s-%d", backend, name, i))
						os.WriteFile(path, m, 0o644)
						t.Errorf("%s, mutation %d of seed %d, kept as %s: %v", name, i, seed, path, err)
					case answer == "ok":
						opened++
					case strings.Contains(answer, "process of its own"):
						took++
					}
				}
			}
			t.Logf("%d mutations: Check let %d pass, %d ran, %d were refused by the library, %d took their trial down, %d the unit",
				tried, passed, opened, passed-opened-took-crashed, took, crashed)
		})
	}
}

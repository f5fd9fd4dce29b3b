package modbustest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	master "github.com/simonvetter/modbus"

	"mien/firmware/modbus"
)

// onNetwork gives host and port of a path that is "tcp://HOST:PORT", and not a serial port's.
func onNetwork(path string) (host, port string, is bool) {
	address, is := strings.CutPrefix(path, "tcp://")
	if is {
		host, port, _ = strings.Cut(address, ":")
	}
	return host, port, is
}

// Client opens simonvetter/modbus on a serial port (115200 8N1), or on "tcp://HOST:PORT".
func Client(t testing.TB, path string, address byte) *master.ModbusClient {
	t.Helper()
	settings := master.ClientConfiguration{URL: "rtu://" + path, Speed: 115200, DataBits: 8, Parity: master.PARITY_NONE, StopBits: 1, Timeout: AnswerTime}
	if _, _, is := onNetwork(path); is {
		settings = master.ClientConfiguration{URL: path, Timeout: AnswerTime}
	}
	c, err := master.NewClient(&settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetUnitId(address)
	return c
}

// Simonvetter tries the unit on the serial port at path with
// github.com/simonvetter/modbus: every register and every exception it can
// cause.
func Simonvetter(t *testing.T, path string, f Facts) {
	c := Client(t, path, f.Address)
	defer c.Close()
	fail := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	each := func(size, most, base int, read func(at, n uint16) ([]uint16, error)) []uint16 {
		t.Helper()
		var all []uint16
		for at := 0; at < size; at += most {
			n := min(most, size-at)
			values, err := read(uint16(base+at), uint16(n))
			if err != nil || len(values) != n {
				t.Fatalf("%d registers from %d: %d, %v", n, base+at, len(values), err)
			}
			all = append(all, values...)
		}
		return all
	}
	bools := func(read func(at, n uint16) ([]bool, error)) func(at, n uint16) ([]uint16, error) {
		return func(at, n uint16) ([]uint16, error) {
			values, err := read(at, n)
			return make([]uint16, len(values)), err
		}
	}
	input := each(inputs, 125, 0, func(at, n uint16) ([]uint16, error) { return c.ReadRegisters(at, n, master.INPUT_REGISTER) })
	mirror := each(inputs, 125, modbus.MirrorBase, func(at, n uint16) ([]uint16, error) { return c.ReadRegisters(at, n, master.HOLDING_REGISTER) })
	each(holdings, 125, 0, func(at, n uint16) ([]uint16, error) { return c.ReadRegisters(at, n, master.HOLDING_REGISTER) })
	each(discretes, 2000, 0, bools(c.ReadDiscreteInputs))
	each(coils, 2000, 0, bools(c.ReadCoils))
	for at, value := range f.Static {
		if input[at] != value || mirror[at] != value {
			t.Errorf("input register %d is %d, its mirror %d, want %d", at, input[at], mirror[at], value)
		}
	}
	for at := range inputs {
		if v, err := c.ReadRegister(uint16(at), master.INPUT_REGISTER); err != nil {
			t.Fatalf("input register %d alone: %d, %v", at, v, err)
		}
	}
	if v, err := c.ReadFloat32(52, master.INPUT_REGISTER); err != nil || v != 1 {
		t.Errorf("test float: %v, %v", v, err)
	}
	if v, err := c.ReadUint32(50, master.INPUT_REGISTER); err != nil || v != 0x12345678 {
		t.Errorf("test value: %08X, %v", v, err)
	}
	if v, err := c.ReadUint32(44, master.INPUT_REGISTER); err != nil || v > 1<<30 {
		t.Errorf("uptime: %d, %v", v, err)
	}
	// The host heartbeat by 6 and 16, and back.
	for _, value := range []uint16{1, 0xFFFF, 0x8000, 0} {
		if err := c.WriteRegister(0, value); err != nil {
			t.Error(err)
		}
		if v, err := c.ReadRegister(0, master.HOLDING_REGISTER); v != value {
			t.Errorf("heartbeat %d, want %d, %v", v, value, err)
		}
		if err := c.WriteRegisters(0, []uint16{value + 1}); err != nil {
			t.Error(err)
		}
		if v, err := c.ReadRegister(0, master.HOLDING_REGISTER); v != value+1 {
			t.Errorf("heartbeat %d, want %d, %v", v, value+1, err)
		}
	}
	for range 2 { // each command, as a change
		for coil := range uint16(8 + f.Alarms) {
			if coil > 4 && coil < 8 {
				continue
			}
			fail(fmt.Sprintf("coil %d on", coil), c.WriteCoil(coil, true), nil)
			if on, err := c.ReadCoil(coil); !on {
				t.Errorf("coil %d reads back off, %v", coil, err)
			}
			fail(fmt.Sprintf("coil %d off", coil), c.WriteCoils(coil, []bool{false}), nil)
		}
	}
	fail("shelve", c.WriteRegisters(2, []uint16{1, 1}), nil)
	fail("unshelve", c.WriteRegister(2, 0), nil)
	if f.Unlocked >= 0 {
		at := uint16(10 + 4*f.Unlocked)
		before, err := c.ReadRegisters(at, 4, master.HOLDING_REGISTER)
		fail("limits", err, nil)
		fail("set limits", c.WriteRegisters(at, before), nil)
		fail("limit out of range", c.WriteRegister(at, 30000), master.ErrIllegalDataValue)
	}
	if f.Locked >= 0 {
		fail("locked limit", c.WriteRegister(uint16(10+4*f.Locked), 500), master.ErrIllegalDataAddress)
	}
	_, err := c.ReadRegister(uint16(inputs), master.INPUT_REGISTER)
	fail("past the end", err, master.ErrIllegalDataAddress)
	_, err = c.ReadRegisters(uint16(inputs-1), 2, master.INPUT_REGISTER)
	fail("across the end", err, master.ErrIllegalDataAddress)
	_, err = c.ReadRegister(uint16(holdings), master.HOLDING_REGISTER)
	fail("past the end", err, master.ErrIllegalDataAddress)
	_, err = c.ReadCoil(uint16(coils))
	fail("past the end", err, master.ErrIllegalDataAddress)
	_, err = c.ReadDiscreteInput(uint16(discretes))
	fail("past the end", err, master.ErrIllegalDataAddress)
	fail("write the mirror", c.WriteRegister(modbus.MirrorBase, 1), master.ErrIllegalDataAddress)
	fail("shelve minutes 0", c.WriteRegister(3, 0), master.ErrIllegalDataValue)
	if f.Alarms < modbus.MaxAlarms {
		fail("no such alarm", c.WriteCoil(uint16(8+f.Alarms), true), master.ErrIllegalDataAddress)
	}
	if f.Refuse != nil {
		f.Refuse(errors.New("broken"))
		fail("device failure", c.WriteCoil(0, true), master.ErrServerDeviceFailure)
		f.Refuse(modbus.ErrBusy)
		fail("busy", c.WriteCoil(0, true), master.ErrServerDeviceBusy)
	}
	c.SetUnitId(f.Address + 1)
	if _, err := c.ReadRegister(0, master.INPUT_REGISTER); err == nil {
		t.Error("answered for another slave")
	}
}

// Mbpoll tries the unit with mbpoll (libmodbus). It skips where mbpoll is not
// installed.
func Mbpoll(t *testing.T, path string, f Facts) {
	if _, err := exec.LookPath("mbpoll"); err != nil {
		t.Skip("mbpoll is not installed: apt-get install mbpoll")
	}
	run := func(args ...string) (string, error) {
		t.Helper()
		mode := []string{"-m", "rtu", "-b", "115200", "-P", "none"}
		if host, port, is := onNetwork(path); is {
			mode = []string{"-m", "tcp", "-p", port}
			args = slices.Clone(args)
			args[slices.Index(args, path)] = host
		}
		args = append(append(mode, "-a", strconv.Itoa(int(f.Address)), "-0", "-1", "-o", "2"), args...)
		out, err := exec.Command("mbpoll", args...).CombinedOutput()
		return string(out), err
	}
	// read gives what mbpoll prints behind "[address]:".
	read := func(kind string, at, n int) map[int]string {
		t.Helper()
		out, err := run("-t", kind, "-r", strconv.Itoa(at), "-c", strconv.Itoa(n), path)
		if err != nil {
			t.Fatalf("%d of %s from %d: %v\n%s", n, kind, at, err, out)
		}
		values := map[int]string{}
		for line := range strings.Lines(out) {
			var i int
			if _, err := fmt.Sscanf(line, "[%d]:", &i); err == nil {
				// A register above 32767 is shown as "60123 (-5413)".
				values[i] = strings.Fields(line[strings.Index(line, ":")+1:])[0]
			}
		}
		return values
	}
	for _, s := range []struct {
		kind       string
		base, size int
	}{{"3", 0, inputs}, {"4", modbus.MirrorBase, inputs}, {"4", 0, holdings}, {"1", 0, discretes}, {"0", 0, coils}} {
		for at := 0; at < s.size; at += 125 {
			n := min(125, s.size-at)
			values := read(s.kind, s.base+at, n)
			if len(values) != n {
				t.Errorf("mbpoll -t %s: %d of %d values from %d", s.kind, len(values), n, s.base+at)
			}
			for i, v := range values {
				want, ok := f.Static[i-s.base]
				if ok && (s.kind == "3" || s.base > 0) && v != strconv.Itoa(int(want)) {
					t.Errorf("mbpoll -t %s: register %d is %s, want %d", s.kind, i, v, want)
				}
			}
		}
	}
	if out, err := run("-B", "-t", "3:float", "-r", "52", "-c", "1", path); err != nil || !strings.Contains(out, "[52]: \t1\n") {
		t.Errorf("mbpoll: test float: %v\n%s", err, out)
	}
	write := func(want string, args ...string) {
		t.Helper()
		out, err := run(args...)
		if want == "" {
			if err != nil || !strings.Contains(out, "Written") {
				t.Errorf("mbpoll %v: %v\n%s", args, err, out)
			}
		} else if !strings.Contains(out, want) {
			t.Errorf("mbpoll %v: want %q\n%s", args, want, out)
		}
	}
	write("", "-t", "4", "-r", "0", path, "4242")
	if v := read("4", 0, 1)[0]; v != "4242" {
		t.Errorf("mbpoll: heartbeat reads back %s", v)
	}
	write("", "-t", "4", "-r", "2", path, "0", "5")
	write("", "-t", "0", "-r", "2", path, "1")
	if v := read("0", 2, 1)[2]; v != "1" {
		t.Errorf("mbpoll: coil reads back %s", v)
	}
	write("", "-t", "0", "-r", "0", path, "0", "0", "0", "0", "0")
	write("Illegal data address", "-t", "4", "-r", strconv.Itoa(holdings), path, "1")
	write("Illegal data address", "-t", "4", "-r", "1001", path, "1")
	write("Illegal data value", "-t", "4", "-r", "3", path, "0")
	write("Illegal data address", "-t", "3", "-r", strconv.Itoa(inputs), "-c", "1", path)
	if _, _, is := onNetwork(path); !is {
		write("Illegal function", "-u", path) // mbpoll has it on a line only
	}
	if f.Refuse != nil {
		f.Refuse(errors.New("broken"))
		write("Slave device or server failure", "-t", "0", "-r", "0", path, "1")
		f.Refuse(modbus.ErrBusy)
		write("Slave device or server is busy", "-t", "0", "-r", "0", path, "1")
	}
}

// PythonWith finds the Python environment of that name (.venv-modbus) in a
// folder above the working one.
func PythonWith(venv string) (python string, ok bool) {
	dir, err := os.Getwd()
	for err == nil {
		python = filepath.Join(dir, venv, "bin", "python")
		if _, err := os.Stat(python); err == nil {
			return python, true
		}
		if filepath.Dir(dir) == dir {
			break
		}
		dir = filepath.Dir(dir)
	}
	return "", false
}

// Pymodbus tries the unit with pymodbus. It skips where that is not installed.
func Pymodbus(t *testing.T, path string, f Facts) {
	python, ok := PythonWith(".venv-modbus")
	if !ok {
		t.Skip("pymodbus is not installed: python3 -m venv .venv-modbus && .venv-modbus/bin/pip install -r tools/plc/requirements.txt")
	}
	static := make([]string, 0, len(f.Static))
	for at, value := range f.Static {
		static = append(static, fmt.Sprintf("%d:%d", at, value))
	}
	cmd := exec.Command(python, "-", path, strconv.Itoa(int(f.Address)), strconv.Itoa(f.Alarms), strconv.Itoa(f.Unlocked), strconv.Itoa(f.Locked),
		fmt.Sprintf("%d,%d,%d,%d", coils, discretes, inputs, holdings), strings.Join(static, ","))
	cmd.Stdin = strings.NewReader(pymodbusScript)
	done := make(chan struct{})
	var out []byte
	var err error
	go func() {
		defer close(done)
		out, err = cmd.CombinedOutput()
	}()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		cmd.Process.Kill()
		<-done
	}
	if err != nil || !strings.Contains(string(out), "all well") {
		t.Errorf("pymodbus: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}

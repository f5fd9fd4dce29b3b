package modbus_test

import (
	"testing"

	"mien/drivers/serial"
	"mien/firmware/modbus/modbustest"
)

// Other people's masters against the slave on a pty.

func TestSimonvetter(t *testing.T) {
	u := modbustest.Start(t)
	modbustest.Simonvetter(t, u.Path, u.Facts)
}

func TestMbpoll(t *testing.T) {
	u := modbustest.Start(t)
	modbustest.Mbpoll(t, u.Path, u.Facts)
}

func TestPymodbus(t *testing.T) {
	u := modbustest.Start(t)
	modbustest.Pymodbus(t, u.Path, u.Facts)
}

func TestConformanceOnAPty(t *testing.T) {
	if testing.Short() {
		t.Skip("the same cases as TestConformance, in real time")
	}
	u := modbustest.Start(t)
	line, err := serial.Open(serial.Settings{Path: u.Path, Baud: 115200})
	if err != nil {
		t.Fatal(err)
	}
	defer line.Close()
	modbustest.Conformance(t, line, u.Facts)
}

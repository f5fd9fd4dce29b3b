package modbus_test

import (
	"testing"

	"mien/firmware/modbus"
	"mien/firmware/modbus/modbustest"
)

func TestConformance(t *testing.T) {
	r := newRig(t, nil)
	cases := modbustest.Cases(modbustest.Synthetic)
	if len(cases) < 150 {
		t.Errorf("%d cases, want 150", len(cases))
	}
	t.Logf("%d cases", len(cases))
	for i := range cases {
		c := &cases[i]
		address := byte(1 + c.Address)
		if c.Broadcast {
			address = 0
		}
		if err := c.Check(r.askAt(t, address, c.Request...)); err != nil {
			t.Error(err)
		}
	}
}

// Every register that can be read alone gives what it gives in the whole map,
// and the mirror gives the same.
func TestEveryRegisterAloneAndMirrored(t *testing.T) {
	r := newRig(t, nil)
	for _, reg := range modbus.Table() {
		fc := map[modbus.Space]byte{modbus.Coil: 1, modbus.Discrete: 2, modbus.Holding: 3, modbus.Input: 4}[reg.Space]
		alone := r.ask(t, fc, byte(reg.Address>>8), byte(reg.Address), 0, byte(reg.Words))
		if len(alone) < 3 || alone[0] != fc {
			t.Fatalf("%v %s: % X", reg.Space, reg.Name, alone)
		}
		if reg.Space == modbus.Input && !varies[reg.Name] {
			at := reg.Address + modbus.MirrorBase
			mirrored := r.ask(t, 3, byte(at>>8), byte(at), 0, byte(reg.Words))
			if string(mirrored[1:]) != string(alone[1:]) {
				t.Errorf("%s: % X, mirrored % X", reg.Name, alone, mirrored)
			}
		}
	}
}

// varies are registers that change from one request to the next.
var varies = map[string]bool{"result_age": true, "uptime": true, "bus_messages": true, "host_age": true}

func init() {
	for _, reg := range modbus.Table() {
		if reg.Space == modbus.Input && reg.Unit == "s" {
			varies[reg.Name] = true
		}
	}
}

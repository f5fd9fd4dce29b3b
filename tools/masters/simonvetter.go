package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"slices"
	"time"

	master "github.com/simonvetter/modbus"

	"mien/firmware/modbus"
	"mien/firmware/modbus/modbustest"
)

// conformance tries the cases written from the specification, as raw frames.
func conformance(p *proof, port string) {
	const name = "raw frames"
	f := facts()
	if address, network := onNetwork(port); network {
		tried, err := modbustest.TCPConformance(address, f)
		p.check(name, "conformance cases from V1.1b3, also in bytes and in one piece", err, tried, "requests")
		tried, err = modbustest.TCPHeaders(address, f)
		p.check(name, "headers: transaction, protocol, length, unit", err, tried, "connections")
		return
	}
	line, err := open(port)
	if err != nil {
		p.check(name, "open", err)
		return
	}
	defer line.Close()
	cases := modbustest.Cases(f)
	var wrong []error
	for i := range cases {
		c := &cases[i]
		address, wait := f.Address+byte(c.Address), modbustest.AnswerTime
		if c.Broadcast {
			address = 0
		}
		if c.Want.Silence {
			wait = modbustest.Quiet
		}
		answer, err := modbustest.Ask(line, address, c.Request, wait)
		if err == nil {
			err = c.Check(answer)
		}
		if err != nil {
			wrong = append(wrong, err)
		}
	}
	p.check(name, "conformance cases from V1.1b3", errors.Join(wrong...), len(cases), "requests")
}

// simonvetter tries github.com/simonvetter/modbus: functions 1 to 6, 15, 16.
func simonvetter(p *proof, port string) {
	const name = "simonvetter"
	c, err := client(port)
	if err != nil {
		p.check(name, "open", err)
		return
	}
	defer c.Close()
	d, err := read(func(space modbus.Space, at, n int) ([]bool, error) {
		if space == modbus.Coil {
			return c.ReadCoils(uint16(at), uint16(n))
		}
		return c.ReadDiscreteInputs(uint16(at), uint16(n))
	}, func(fc byte, at, n int) ([]uint16, error) {
		if fc == 4 {
			return c.ReadRegisters(uint16(at), uint16(n), master.INPUT_REGISTER)
		}
		return c.ReadRegisters(uint16(at), uint16(n), master.HOLDING_REGISTER)
	})
	if err == nil {
		err = d.check()
	}
	p.check(name, "01 02 03 04: every address, types and bounds", err, len(modbus.Table()), "registers")

	float, err := c.ReadFloat32(52, master.INPUT_REGISTER)
	if err == nil && float != 1 {
		err = fmt.Errorf("the test float is %v", float)
	}
	p.check(name, "04: float and word order", err)

	one := c.WriteRegister(0, 4711)
	back, err := c.ReadRegister(0, master.HOLDING_REGISTER)
	p.check(name, "06: write a register, read back", errors.Join(one, err, differ(back, 4711)))
	many := c.WriteRegisters(0, []uint16{4712, 0, 0, 5})
	all, err := c.ReadRegisters(0, 4, master.HOLDING_REGISTER)
	if !slices.Equal(all, []uint16{4712, 0, 0, 5}) {
		err = errors.Join(err, fmt.Errorf("reads back %v", all))
	}
	p.check(name, "16: write registers, read back", errors.Join(many, err))
	p.check(name, "05: write a coil, read back, and off", errors.Join(c.WriteCoil(2, true), coilIs(c, 2, true), c.WriteCoil(2, false), coilIs(c, 2, false)))
	p.check(name, "15: write coils, read back, and off", errors.Join(c.WriteCoils(0, []bool{true, true, true}), coilIs(c, 1, true), c.WriteCoils(0, make([]bool, 5)), coilIs(c, 1, false)))

	_, past := c.ReadRegister(uint16(size(modbus.Input)), master.INPUT_REGISTER)
	_, across := c.ReadRegisters(uint16(size(modbus.Holding)-1), 2, master.HOLDING_REGISTER)
	p.check(name, "exception 02: end, read-only, locked, no alarm", errors.Join(
		refused(past, master.ErrIllegalDataAddress), refused(across, master.ErrIllegalDataAddress),
		refused(c.WriteRegister(modbus.MirrorBase, 1), master.ErrIllegalDataAddress),
		refused(c.WriteRegister(10, 500), master.ErrIllegalDataAddress),
		refused(c.WriteCoil(10, true), master.ErrIllegalDataAddress)))
	p.check(name, "exception 03: values out of range", errors.Join(
		refused(c.WriteRegister(3, 0), master.ErrIllegalDataValue), refused(c.WriteRegister(3, 61), master.ErrIllegalDataValue),
		refused(c.WriteRegister(2, 4), master.ErrIllegalDataValue)))
	c.SetUnitId(2)
	_, err = c.ReadRegister(0, master.INPUT_REGISTER)
	want := master.ErrRequestTimedOut
	if _, network := onNetwork(port); network {
		want = master.ErrGWTargetFailedToRespond
	}
	p.check(name, "another slave's address is not answered", refused(err, want))
}

func client(path string) (*master.ModbusClient, error) {
	settings := master.ClientConfiguration{URL: "rtu://" + path, Speed: 115200, DataBits: 8, Parity: master.PARITY_NONE, StopBits: 1}
	if _, network := onNetwork(path); network {
		settings = master.ClientConfiguration{URL: path}
	}
	settings.Timeout, settings.Logger = 2*time.Second, log.New(io.Discard, "", 0)
	c, err := master.NewClient(&settings)
	if err != nil {
		return nil, err
	}
	return c, c.Open()
}

func differ(got, want uint16) error {
	if got != want {
		return fmt.Errorf("reads back %d, want %d", got, want)
	}
	return nil
}

func coilIs(c *master.ModbusClient, at uint16, want bool) error {
	on, err := c.ReadCoil(at)
	if err == nil && on != want {
		err = fmt.Errorf("coil %d reads back %v", at, on)
	}
	return err
}

func refused(got, want error) error {
	if !errors.Is(got, want) {
		return fmt.Errorf("got %v, want %w", got, want)
	}
	return nil
}

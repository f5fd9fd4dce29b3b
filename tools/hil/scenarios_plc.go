package main

import (
	"bytes"
	"slices"
	"strings"
	"syscall"
	"time"

	"mien/firmware/alarm"
)

// plcScenarios are a PLC at the serial port: mbpoll, through the emulated UART.
var plcScenarios = []scenario{
	{name: "Modbus: the register map, and a heartbeat that goes up", ci: true, run: func(b *bench) {
		b.seeing("neutral")
		r := b.registers(0, 60)
		b.check(r[50] == 0x1234 && r[51] == 0x5678 && r[52] == 0x3f80 && r[53] == 0, "test values %x", r[50:54])
		b.check(r[2]&3 == 3 && r[3] == 0, "status %#x, faults %#x", r[2], r[3])
		holding, err := b.mbpoll("4", 1050, 2)
		b.need(err)
		b.check(holding[0] == "4660" && holding[1] == "22136", "mirrored as %v", holding)
		b.eventually(slack, "the heartbeat goes up", func() bool { return b.registers(1, 1)[0] != r[1] })
		b.logf("map version %d, AU4 %d/1000, latency %d ms", r[0], r[18], r[7])
	}},
	{name: "Modbus: 100 polls while the network computes", ci: true, run: func(b *bench) {
		b.seeing("neutral")
		first := b.registers(4, 1)[0]
		began := time.Now()
		for i := range 100 {
			if _, err := b.mbpoll("3", 0, 60); err != nil {
				b.fatalf("poll %d: %v", i, err)
			}
		}
		b.logf("100 of 100 answered in %.1f s; meanwhile %d results", time.Since(began).Seconds(), b.registers(4, 1)[0]-first)
	}},
	{name: "Modbus: a coil acknowledges, another resets", ci: true, run: func(b *bench) {
		b.frowning()
		b.check(b.registers(37, 1)[0]&1 == 1, "unacknowledged %#x", b.registers(37, 1)[0])
		b.need(errOf(b.mbpoll("0", 0, 2, "0", "0"))) // at rest, as the unit must have seen them
		b.writeCoil(0, "1")
		b.becomes(horn, false, slack)
		b.check(b.alarm(brow).State == alarm.Acknowledged, "%+v", b.alarm(brow))
		b.show("neutral")
		b.eventually(slack, "latched", func() bool { return b.registers(38, 1)[0]&1 == 1 && b.registers(36, 1)[0]&1 == 0 })
		b.writeCoil(0, "0")
		b.writeCoil(1, "1")
		b.becomes(lamp, false, slack)
		b.writeCoil(1, "0")
		b.says("reset, latched acknowledged -> normal by modbus", slack)
	}},
	{name: "Modbus: what is not there or not allowed is an exception", fault: true, ci: true, run: func(b *bench) {
		b.seeing("neutral")
		for _, c := range []struct {
			what, table  string
			first, count int
			write        []string
			want         string
		}{
			{"an address outside", "3", 20000, 1, nil, "Illegal data address"},
			{"a locked limit", "4", 10, 1, []string{"500"}, "Illegal data address"},
			{"a read-only register", "4", 1000, 1, []string{"1"}, "Illegal data address"},
		} {
			_, err := b.mbpoll(c.table, c.first, c.count, c.write...)
			b.check(err != nil && strings.Contains(err.Error(), "llegal"), "%s: %v", c.what, err)
			b.logf("%s: %v", c.what, err)
		}
		b.registers(0, 10)
	}},
	{name: "Modbus: noise on the line", fault: true, ci: true, run: func(b *bench) {
		b.seeing("neutral")
		var tries []int
		for i := range 5 {
			_, err := b.m.modbus.Write(pattern(97+i, uint32(i)))
			b.need(err)
			// Silence ends the noise. On a busy host the unit may not see it
			// between noise and poll: then it is the second try that counts, as on
			// any line.
			time.Sleep(300 * time.Millisecond)
			tries = append(tries, 1)
			for _, err = b.mbpoll("3", 0, 10); err != nil; _, err = b.mbpoll("3", 0, 10) {
				tries[i]++
				b.check(tries[i] <= 3, "3 polls after burst %d without an answer: %v", i+1, err)
			}
		}
		b.logf("5 bursts of 97 to 101 bytes that are no frames; answered at try %v", tries)
	}},
	{name: "Modbus: breaks on the line", fault: true, ci: true, run: func(b *bench) {
		b.seeing("neutral")
		tries := 0
		for range 3 {
			b.need(b.sendBreak())
			time.Sleep(300 * time.Millisecond)
			b.eventually(slack, "an answer", func() bool { tries++; _, err := b.mbpoll("3", 0, 10); return err == nil })
		}
		count := map[string]uint32{}
		b.need(b.m.call("icount", plcPort, &count))
		b.check(count["brk"] >= 3, "the kernel counts %d breaks", count["brk"])
		b.logf("3 breaks, 3 polls answered in %d tries; the kernel counts %d", tries, count["brk"])
	}},
	{name: "Modbus: a UART that overruns in the middle of a request", fault: true, ci: true, run: func(b *bench) {
		b.seeing("neutral")
		before, after := map[string]uint32{}, map[string]uint32{}
		b.need(b.m.call("icount", plcPort, &before))
		request := []byte{1, 3, 0, 0, 0, 1, 0x84, 0x0a}
		_, err := b.m.modbus.Write(request[:4])
		b.need(err)
		// The emulator waits with characters until there is room for them, but not
		// with breaks; and while the machine stands nobody empties the 16 bytes.
		for _, command := range append(append([]string{"stop"}, slices.Repeat([]string{"chardev-send-break plc"}, 40)...), "cont") {
			_, err := b.m.monitor(command)
			b.need(err)
		}
		_, err = b.m.modbus.Write(request[4:])
		b.need(err)
		b.eventually(slack, "the kernel counts an overrun", func() bool {
			b.need(b.m.call("icount", plcPort, &after))
			return after["overrun"] > before["overrun"]
		})
		tries := 0
		b.eventually(slack, "an answer", func() bool { tries++; _, err := b.mbpoll("3", 0, 10); return err == nil })
		b.toggles(2, slack)
		b.well("F10")
		b.logf("half a request, then 40 breaks at a UART of 16 bytes: the kernel counts %d overruns; the next request answered at try %d, no fault",
			after["overrun"]-before["overrun"], tries)
	}},
	{name: "Modbus: a flood while the unit is stopped", fault: true, run: func(b *bench) {
		b.seeing("neutral")
		b.signal(syscall.SIGSTOP)
		b.m.modbus.SetWriteDeadline(time.Now().Add(time.Minute))
		n, err := b.m.modbus.Write(bytes.Repeat([]byte{1, 3, 0, 0, 0, 99, 0x55}, 150000))
		b.m.modbus.SetWriteDeadline(time.Time{})
		count, before := map[string]uint32{}, uint32(0)
		b.eventually(slack, "the kernel has taken it all", func() bool {
			before = count["rx"]
			b.need(b.m.call("icount", plcPort, &count))
			time.Sleep(time.Second)
			return count["rx"] == before
		})
		b.signal(syscall.SIGCONT)
		b.toggles(2, slack)
		tries := 0
		b.eventually(slack, "an answer", func() bool { tries++; _, err := b.mbpoll("3", 0, 10); return err == nil })
		b.registers(0, 10)
		b.logf("%d bytes sent to a stopped unit (%v); answers again at try %d; the kernel counts %d overruns of its buffer, %d of the UART", n, err, tries, count["buf_overrun"], count["overrun"])
	}},
	{name: "Modbus: across a restart of the unit", fault: true, ci: true, run: func(b *bench) {
		b.seeing("neutral")
		b.registers(0, 10)
		up := b.registers(44, 2)
		b.signal(syscall.SIGKILL)
		b.check(b.unit.wait(slack), "it does not end")
		_, err := b.mbpollFor(time.Second, "3", 0, 1)
		b.check(err != nil, "a killed unit answers")
		b.launch(baseConfig)
		began := time.Now()
		b.eventually(slack, "an answer", func() bool { _, err := b.mbpoll("3", 0, 10); return err == nil })
		r := b.registers(0, 60)
		b.check(r[44]<<16|r[45] < up[0]<<16|up[1]+60, "uptime %v, before the restart %v", r[44:46], up)
		b.logf("answers %.1f s after the start; status %#x: 4 says initialising", time.Since(began).Seconds(), r[2])
		b.check(b.unit.says("first result", 0, 4*time.Minute), "no result")
		b.eventually(slack, "valid results", func() bool { return b.registers(2, 1)[0]&2 != 0 })
	}},
	{name: "Modbus: the port vanishes and comes back", fault: true, ci: true, run: func(b *bench) {
		b.seeing("neutral")
		driver, address := b.serialDriver()
		b.need(b.m.call("write", []string{driver + "unbind", address}, nil))
		b.says("F10", slack)
		b.becomes(faultLine, true, slack)
		b.toggles(2, slack)
		b.need(b.m.call("write", []string{driver + "bind", address}, nil))
		b.devices()
		b.says("F10 serial port lost ended", slack)
		b.eventually(slack, "an answer", func() bool { _, err := b.mbpoll("3", 0, 10); return err == nil })
		b.becomes(faultLine, false, slack)
	}},
}

func errOf(_ []string, err error) error { return err }

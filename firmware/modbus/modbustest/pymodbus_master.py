"""Tries a unit with pymodbus: every function it has, every register, every exception.

Called by Pymodbus in masters.go:
python - PATH ADDRESS ALARMS UNLOCKED LOCKED COILS,DISCRETES,INPUTS,HOLDINGS AT:VALUE,...
"""

import sys

from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.exceptions import ModbusIOException
from pymodbus.framer import FramerType

path, unit, alarms, unlocked, locked = sys.argv[1], *map(int, sys.argv[2:6])
coils, discretes, inputs, holdings = map(int, sys.argv[6].split(","))
static = dict(tuple(map(int, s.split(":"))) for s in sys.argv[7].split(",") if s)

network = path.startswith("tcp://")
if network:
    host, port = path[len("tcp://") :].split(":")
    client = ModbusTcpClient(host, port=int(port), timeout=2, retries=0)
else:
    client = ModbusSerialClient(path, framer=FramerType.RTU, baudrate=115200, timeout=2, retries=0)
assert client.connect(), "cannot open " + path
bad = asked = 0


def ask(what, function, *args, code=0, **kwargs):
    """Gives the answer, which must be the exception code, or none for 0."""
    global bad, asked
    asked += 1
    answer = function(*args, device_id=unit, **kwargs)
    got = answer.exception_code if answer.isError() else 0
    if got != code:
        bad += 1
        print(f"{what}: {answer}, want exception {code}")
    return answer


def want(what, got, expected):
    global bad
    if got != expected:
        bad += 1
        print(f"{what}: {got}, want {expected}")


def words(function, size, base=0):
    values = []
    for at in range(0, size, 125):
        values += ask(f"{size} registers", function, base + at, count=min(125, size - at)).registers
    return values


direct = words(client.read_input_registers, inputs)
mirror = words(client.read_holding_registers, inputs, 1000)
words(client.read_holding_registers, holdings)
for at, value in static.items():
    want(f"input register {at}", direct[at], value)
    want(f"its mirror", mirror[at], value)
want("coils", len(ask("coils", client.read_coils, 0, count=coils).bits) >= coils, True)
want("discrete inputs", len(ask("discrete inputs", client.read_discrete_inputs, 0, count=discretes).bits) >= discretes, True)
floats = ask("test float", client.read_input_registers, 52, count=2).registers
want("test float", client.convert_from_registers(floats, client.DATATYPE.FLOAT32), 1.0)
name = ask("name", client.read_input_registers, 200, count=8).registers
want("name is text", isinstance(client.convert_from_registers(name, client.DATATYPE.STRING), str), True)

for value in (0, 1, 0x7FFF, 0x8000, 0xFFFF):
    ask("write register", client.write_register, 0, value)
    want("reads back", ask("read", client.read_holding_registers, 0).registers, [value])
    ask("write registers", client.write_registers, 0, [value ^ 0x5555])
    want("reads back", ask("read", client.read_holding_registers, 0).registers, [value ^ 0x5555])
ask("write register", client.write_register, 0, 0x12)
ask("mask write", client.mask_write_register, address=0, and_mask=0xF2, or_mask=0x25)
want("mask write", ask("read", client.read_holding_registers, 0).registers, [0x17])
both = ask("read/write", client.readwrite_registers, read_address=0, read_count=2, write_address=0, values=[0x4321])
want("read/write", both.registers[0], 0x4321)
want("read/write 125", len(ask("r/w", client.readwrite_registers, read_address=1000, read_count=125, write_address=0, values=[1]).registers), 125)

for coil in [0, 1, 2, 3, 4] + [8 + n for n in range(alarms)]:
    ask(f"coil {coil} on", client.write_coil, coil, True)
    want(f"coil {coil}", ask("read", client.read_coils, coil).bits[0], True)
    ask(f"coil {coil} off", client.write_coil, coil, False)
ask("coils", client.write_coils, 0, [True, True, True] + [False] * 5 + [True] * alarms)
ask("coils", client.write_coils, 0, [False] * coils)

ask("loopback", client.diag_query_data, b"\xa5\x37")
ask("restart", client.diag_restart_communication, True)
for name in ("diag_read_diagnostic_register", "diag_clear_counters", "diag_read_bus_message_count", "diag_read_bus_comm_error_count",
             "diag_read_bus_exception_error_count", "diag_read_device_message_count", "diag_read_device_no_response_count",
             "diag_read_device_nak_count", "diag_read_device_busy_count", "diag_read_bus_char_overrun_count", "diag_clear_overrun_counter"):
    ask(name, getattr(client, name))
if network:
    ask("listen only", client.diag_force_listen_only, code=1, no_response_expected=False)
else:
    client.diag_force_listen_only(device_id=unit, no_response_expected=True)
    try:
        silent = client.read_holding_registers(0, device_id=unit)
        want("listen only", silent.isError(), True)
    except ModbusIOException:
        pass
    client.diag_restart_communication(False, device_id=unit, no_response_expected=True)
ask("after listen only", client.read_holding_registers, 0)
for code in (1, 2, 3):
    info = ask(f"identification {code}", client.read_device_information, read_code=code, object_id=0)
    want("vendor", info.information[0] != b"", True)
want("product", ask("identification 4", client.read_device_information, read_code=4, object_id=1).information[1] != b"", True)

ask("past the end", client.read_input_registers, inputs, code=2)
ask("across the end", client.read_input_registers, inputs - 1, count=2, code=2)
ask("past the end", client.read_holding_registers, holdings, code=2)
ask("past the end", client.read_coils, coils, code=2)
ask("past the end", client.read_discrete_inputs, discretes, code=2)
ask("past the end", client.write_coil, coils, True, code=2)
ask("past the end", client.write_register, holdings, 1, code=2)
ask("read-only", client.write_register, 1000, 1, code=2)
ask("read-only", client.write_registers, 1000, [1, 2], code=2)
ask("read-only", client.mask_write_register, address=1000, and_mask=0, or_mask=0, code=2)
ask("wrong value", client.write_register, 3, 0, code=3)
ask("no such object", client.read_device_information, read_code=4, object_id=99, code=2)
if alarms < 16:
    ask("no such alarm", client.write_coil, 8 + alarms, True, code=2)
if locked >= 0:
    ask("locked limit", client.write_register, 10 + 4 * locked, 500, code=2)
if unlocked >= 0:
    ask("limit out of range", client.write_register, 10 + 4 * unlocked, 30000, code=3)
for name, args in (("read_exception_status", {}), ("report_device_id", {}), ("diag_get_comm_event_counter", {}),
                   ("diag_get_comm_event_log", {}), ("read_fifo_queue", {"address": 0})):
    ask(name, getattr(client, name), code=1, **args)
ask("unknown sub-function", client.diag_get_comm_event_counter, code=1)
ask("unknown sub-function", client.diag_change_ascii_input_delimeter, code=1)
client.write_register(0, 0x3333, device_id=0, no_response_expected=not network)
want("broadcast", ask("read", client.read_holding_registers, 0).registers, [0x3333])
client.close()
print(f"{asked} requests, {bad} wrong")
print("all well" if bad == 0 else "failed")
sys.exit(bad > 0)

"""Tries a unit with pymodbus: python - PORT COILS DISCRETES INPUTS HOLDINGS.

Prints one JSON line for each function tried, {"what", "error"}, and one with
everything read, {"dump"}, which the caller holds against the register table.
"""

import json
import sys

from pymodbus.client import ModbusSerialClient
from pymodbus.exceptions import ModbusIOException
from pymodbus.framer import FramerType

coils, discretes, inputs, holdings = map(int, sys.argv[2:6])
client = ModbusSerialClient(sys.argv[1], framer=FramerType.RTU, baudrate=115200, timeout=2, retries=0)
if not client.connect():
    sys.exit("pymodbus cannot open " + sys.argv[1])


def ask(function, *args, **kwargs):
    answer = function(*args, device_id=1, **kwargs)
    if answer.isError():
        raise ValueError(str(answer))
    return answer


def same(got, want):
    if got != want:
        raise ValueError(f"{got}, want {want}")


def row(what, function):
    error = ""
    try:
        function()
    except (ValueError, ModbusIOException) as e:
        error = str(e) or repr(e)
    print(json.dumps({"what": what, "error": error}), flush=True)


def words(function, size, base=0):
    values = []
    for at in range(0, size, 125):
        values += ask(function, base + at, count=min(125, size - at)).registers
    return values


def bits(function, size):
    return [int(b) for b in ask(function, 0, count=size).bits[:size]]


dump = {}


def everything():
    dump["Coil"] = bits(client.read_coils, coils)
    dump["Discrete"] = bits(client.read_discrete_inputs, discretes)
    dump["Input"] = words(client.read_input_registers, inputs)
    dump["Mirror"] = words(client.read_holding_registers, inputs, 1000)
    dump["Holding"] = words(client.read_holding_registers, holdings)


def floats():
    registers = ask(client.read_input_registers, 52, count=2).registers
    same(client.convert_from_registers(registers, client.DATATYPE.FLOAT32), 1.0)


def coil(at, on):
    ask(client.write_coil, at, on)
    same(ask(client.read_coils, at).bits[0], on)


def holding(want):
    same(ask(client.read_holding_registers, 0, count=len(want)).registers, want)


def register():
    for value in (0, 1, 0x7FFF, 0x8000, 0xFFFF):
        ask(client.write_register, 0, value)
        holding([value])


def registers():
    ask(client.write_registers, 0, [0x1234, 0, 0, 9])
    holding([0x1234, 0, 0, 9])


def several():
    ask(client.write_coils, 0, [True] * 3 + [False] * 5 + [True] * 2)
    same(bits(client.read_coils, 10), [1, 1, 1, 0, 0, 0, 0, 0, 1, 1])
    ask(client.write_coils, 0, [False] * 10)


def mask():
    ask(client.write_register, 0, 0x12)
    ask(client.mask_write_register, address=0, and_mask=0xF2, or_mask=0x25)
    holding([0x17])  # the example of the specification, 6.16


def both():
    answer = ask(client.readwrite_registers, read_address=0, read_count=4, write_address=0, values=[0x4321])
    same(answer.registers[0], 0x4321)
    same(len(ask(client.readwrite_registers, read_address=1000, read_count=125, write_address=0, values=[1]).registers), 125)


def loopback():
    answer = ask(client.diag_query_data, b"\xa5\x37")
    same(bytes(answer.message if isinstance(answer.message, bytes) else b"".join(answer.message)), b"\xa5\x37")


def listen_only():
    client.diag_force_listen_only(device_id=1, no_response_expected=True)
    try:
        silent = client.read_holding_registers(0, device_id=1)
        if not silent.isError():
            raise ValueError("answered in listen-only mode")
    except ModbusIOException:
        pass
    client.diag_restart_communication(False, device_id=1, no_response_expected=True)
    ask(client.read_holding_registers, 0)


def identification():
    for code in (1, 2, 3):
        same(ask(client.read_device_information, read_code=code, object_id=0).information[0], b"mien")
    same(ask(client.read_device_information, read_code=4, object_id=1).information[1], b"mien")


def refused(code, function, *args, **kwargs):
    answer = function(*args, device_id=1, **kwargs)
    if not answer.isError() or answer.exception_code != code:
        raise ValueError(f"{function.__name__} {args} {kwargs}: {answer}, want exception {code}")


def exception1():
    for function in (client.read_exception_status, client.report_device_id, client.diag_get_comm_event_counter,
                     client.diag_get_comm_event_log, client.diag_change_ascii_input_delimeter):
        refused(1, function)
    refused(1, client.read_fifo_queue, address=0)


def exception2():
    refused(2, client.read_input_registers, inputs)
    refused(2, client.read_input_registers, inputs - 1, count=2)
    refused(2, client.read_holding_registers, holdings)
    refused(2, client.read_coils, coils)
    refused(2, client.read_discrete_inputs, discretes)
    refused(2, client.write_coil, coils, True)
    refused(2, client.write_coil, 10, True)  # the demo has alarms 0 and 1
    refused(2, client.write_register, 1000, 1)
    refused(2, client.write_registers, 1000, [1, 2])
    refused(2, client.write_register, 10, 500)  # locked
    refused(2, client.mask_write_register, address=1000, and_mask=0, or_mask=0)
    refused(2, client.readwrite_registers, read_address=holdings, read_count=1, write_address=0, values=[1])
    refused(2, client.read_device_information, read_code=4, object_id=99)


def exception3():
    refused(3, client.write_register, 3, 0)
    refused(3, client.write_register, 3, 61)  # alarms may be shelved for an hour
    refused(3, client.write_register, 2, 4)  # there is no alarm 2
    before = ask(client.read_holding_registers, 0, count=4).registers
    refused(3, client.write_registers, 0, [7, 0, 0, 0])
    holding(before)  # nothing of a refused request is taken


def broadcast():
    client.write_register(0, 0x3333, device_id=0, no_response_expected=True)
    holding([0x3333])


row("01 02 03 04: every address", everything)
row("04: float and word order", floats)
row("05: write a coil, read back, and off", lambda: [coil(2, True), coil(2, False)])
row("06: write a register, read back", register)
row("15: write coils, read back, and off", several)
row("16: write registers, read back", registers)
row("22: mask write", mask)
row("23: read and write in one request", both)
row("08/0: return query data", loopback)
row("08/1: restart communications", lambda: ask(client.diag_restart_communication, True))
for number, name in ((2, "diag_read_diagnostic_register"), (10, "diag_clear_counters"), (11, "diag_read_bus_message_count"),
                     (12, "diag_read_bus_comm_error_count"), (13, "diag_read_bus_exception_error_count"),
                     (14, "diag_read_device_message_count"), (15, "diag_read_device_no_response_count"),
                     (16, "diag_read_device_nak_count"), (17, "diag_read_device_busy_count"),
                     (18, "diag_read_bus_char_overrun_count"), (20, "diag_clear_overrun_counter")):
    row(f"08/{number}: {name[5:].replace('_', ' ')}", lambda: ask(getattr(client, name)))
row("08/4: listen only, and back", listen_only)
row("43/14: identification, streams and one object", identification)
row("exception 01: six functions it has not", exception1)
row("exception 02: end, read-only, locked, no alarm", exception2)
row("exception 03: values; nothing of it is taken", exception3)
row("broadcast: obeyed, not answered", broadcast)
client.close()
print(json.dumps({"dump": dump}))

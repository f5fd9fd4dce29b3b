"""Tries a unit with pymodbus: python - PORT COILS DISCRETES INPUTS HOLDINGS.

Prints one JSON line for each function tried, {"what", "error"}, and one with
everything read, {"dump"}, which the caller compares with the register table.
"""

import json
import sys

from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.exceptions import ModbusIOException
from pymodbus.framer import FramerType

coils, discretes, inputs, holdings = map(int, sys.argv[2:6])
network = sys.argv[1].startswith("tcp://")
if network:
    host, port = sys.argv[1][len("tcp://") :].split(":")
    client = ModbusTcpClient(host, port=int(port), timeout=2, retries=0)
else:
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
    if network:  # where nobody can be silent, there is no such mode
        return refused(1, client.diag_force_listen_only, no_response_expected=False)
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


def give(code, alarm=0, value=0, one_by_one=False):
    """Gives a command by registers; what came of it by the mirror, and the answer to its last request."""
    number = ask(client.read_holding_registers, 1154).registers[0] % 65535 + 1

    def write(words):
        if not one_by_one:
            return client.write_registers(100, words, device_id=1)
        for at, word in enumerate(words):
            answer = client.write_register(100 + at, word, device_id=1)
            if answer.isError():
                break
        return answer

    if write([0] * 5).isError():
        raise ValueError("the registers cannot be put at rest")
    answer = write([code, alarm, value >> 16, value & 0xFFFF, number])
    done, result = ask(client.read_holding_registers, 1154, count=2).registers
    same(done, number)
    return result, answer


def commands(one_by_one):
    done, nothing, locked = 1, 3, 6
    for code, alarm, value, want in ((0, 0, 0, (nothing,)), (1, 0, 0, (done, nothing)), (2, 1, 0, (done, nothing)), (3, 0, 0, (done, nothing)),
                                     (4, 0, 0, (done, nothing)), (5, 1, 30, (done,)), (6, 1, 0, (done,)), (7, 0, 0, (done,)),
                                     (8, 0, 0, (done,)), (9, 0, 0, (done,)), (10, 0, 0, (done,))):
        result, answer = give(code, alarm, value, one_by_one)
        if result not in want or answer.isError():
            raise ValueError(f"command {code}: result {result}, want {want}: {answer}")
        if code == 5:
            same(ask(client.read_holding_registers, 1127).registers[0], 2)
    for code, alarm, value, want, exception in ((2, 2, 0, 5, 2), (5, 0, 61, 7, 3), (99, 0, 0, 7, 3)):
        result, answer = give(code, alarm, value, one_by_one)
        if result != want or not answer.isError() or answer.exception_code != exception:
            raise ValueError(f"command {code}: result {result}, want {want} and exception {exception}: {answer}")


def clock():
    result, answer = give(11, value=1_800_000_000)
    source, _, high, low = ask(client.read_holding_registers, 1150, count=4).registers
    if source == 2:  # a time source sets the clock of this machine
        same((result, answer.isError() and answer.exception_code), (6, 2))
        return
    same((result in (1, 3), answer.isError(), source), (True, False, 1))
    now = high << 16 | low
    if not 1_800_000_000 - 3 <= now <= 1_800_000_000 + 10:
        raise ValueError(f"the clock is {now}")


def repeated():
    """The same block in each cycle gives one command: the inhibit that has ended does not begin again."""
    give(9)
    block = ask(client.read_holding_registers, 100, count=5).registers
    give(10)
    number = ask(client.read_holding_registers, 1154).registers[0]
    for _ in range(5):
        ask(client.write_registers, 100, [9, 0, 0, 0, number])
    same(ask(client.read_holding_registers, 1157).registers[0], 0)
    same(block[0], 9)


def broadcast():
    client.write_register(0, 0x3333, device_id=0, no_response_expected=not network)
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
row("16, 03: each command by registers, and its result", lambda: commands(False))
row("06, 03: each command by registers, one by one, and its result", lambda: commands(True))
row("16: a block of commands in each cycle gives each once", repeated)
row("16, 03: the clock by registers", clock)
row("unit 0 is the unit" if network else "broadcast: obeyed, not answered", broadcast)
client.close()
print(json.dumps({"dump": dump}))

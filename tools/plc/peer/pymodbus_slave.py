"""A Modbus RTU slave made with pymodbus as its documentation shows it: what our turnaround times are compared with.

python pymodbus_slave.py PORT [BAUD]
It has 1000 registers, answers as slave 1, and prints "ready" when it serves.
"""

import asyncio
import sys

from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice


async def serve(port, baud):
    device = SimDevice(1, [SimData(0, values=[17] * 1000, datatype=DataType.REGISTERS)])
    server = ModbusSerialServer(device, framer=FramerType.RTU, port=port, baudrate=baud)
    await server.serve_forever(background=True)
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(serve(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 115200))

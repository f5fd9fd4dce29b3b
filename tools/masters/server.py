"""A pymodbus RTU server with as many registers as the unit, to measure beside it: python - PORT."""

import sys

from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
from pymodbus.framer import FramerType
from pymodbus.server import StartSerialServer

values = ModbusSequentialDataBlock(1, [(7 * n) & 0xFFFF for n in range(328)])
StartSerialServer(
    ModbusServerContext(devices=ModbusDeviceContext(ir=values, hr=values), single=True),
    framer=FramerType.RTU, port=sys.argv[1], baudrate=115200,
)

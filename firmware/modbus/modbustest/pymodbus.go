package modbustest

import _ "embed"

// pymodbusScript tries a unit with pymodbus; Pymodbus says how it is called.
//
//go:embed pymodbus_master.py
var pymodbusScript string

package board

const (
	jetsonShifter = "The header goes through TXB0108 level shifters, which hold a level with some 4 kΩ only: drive transistors, not relays or optocouplers, and mind pull resistors below 50 kΩ."
	jetsonRelease = "JetPack 6 lets a released or abandoned output go to the default of its pin controller."
	jetsonPinmux  = "JetPack 6 does not switch a pin to GPIO by itself: an output that never moves needs its pin set with /opt/nvidia/jetson-io/jetson-io.py, or a device tree overlay."
	jetsonGetty   = "Free it with: systemctl disable --now nvgetty"
	jetsonGPU     = "the GPU is not used (it needs TensorRT, which has no TFLite); the CPU runs the network; a Coral USB stick works"
)

// In the same places on all Jetson carrier boards.
var jetsonUse = map[int]string{
	11: "UART request to send", 36: "UART clear to send",
	12: "I2S clock", 35: "I2S frame clock", 38: "I2S data in", 40: "I2S data out",
	19: "SPI data out", 21: "SPI data in", 23: "SPI clock", 24: "SPI chip select 0", 26: "SPI chip select 1",
}

// The module's second SPI port, on the carriers of the small modules.
var jetsonSPI1 = map[int]string{
	13: "second SPI clock", 16: "second SPI chip select 1", 18: "second SPI chip select 0",
	22: "second SPI data in", 37: "second SPI data out",
}

// jetsonHeader makes a header table from rows and from what the pins of that
// number are used for.
func jetsonHeader(chips []chip, uses []map[int]string, rows []Pin) []Pin {
	for i := range rows {
		for _, u := range uses {
			if use := u[rows[i].Number]; use != "" {
				rows[i].Use = use
			}
		}
	}
	return pins(chips, rows)
}

var small = []map[int]string{jetsonUse, jetsonSPI1}

var nano = &Board{
	ID: "jetson-nano", Name: "Jetson Nano Developer Kit", SoC: "Tegra X1 (T210)", NoPull: true,
	Compatible: []string{"nvidia,jetson-nano", "nvidia,p3450-0000", "nvidia,p3450-0002"},
	chips:      []chip{tegra210},
	Pins: jetsonHeader([]chip{tegra210}, small, []Pin{
		{Number: 7, Name: "PBB.00"}, {Number: 11, Name: "PG.02"}, {Number: 12, Name: "PJ.07"},
		{Number: 13, Name: "PB.06"}, {Number: 15, Name: "PY.02"}, {Number: 16, Name: "PDD.00"},
		{Number: 18, Name: "PB.07"}, {Number: 19, Name: "PC.00"}, {Number: 21, Name: "PC.01"},
		{Number: 22, Name: "PB.05"}, {Number: 23, Name: "PC.02"}, {Number: 24, Name: "PC.03"},
		{Number: 26, Name: "PC.04"}, {Number: 29, Name: "PS.05"}, {Number: 31, Name: "PZ.00"},
		{Number: 32, Name: "PV.00"}, {Number: 33, Name: "PE.06"}, {Number: 35, Name: "PJ.04"},
		{Number: 36, Name: "PG.03"}, {Number: 37, Name: "PB.04"}, {Number: 38, Name: "PJ.05"},
		{Number: 40, Name: "PJ.06"},
	}),
	Serial: []Serial{
		{Path: "/dev/ttyTHS1", Pins: "8 (transmit), 10 (receive)", Use: true, Notes: jetsonGetty},
		{Path: "/dev/ttyS0", Pins: "the debug header", Notes: "the system console"},
	},
	Thermal:     []string{"CPU-therm", "cpu", "cpu-thermal"},
	USB:         "Cameras on the USB 3 sockets; all four share one hub.",
	Accelerator: jetsonGPU,
	Watchdog:    "tegra_wdt, 120 s",
	Notes: []string{jetsonShifter, jetsonRelease,
		"JetPack 4 (Linux 4.9) speaks the GPIO interface version 1: debouncing is done by mien, pull resistors cannot be set.",
		"glibc 2.27: needs the TFLite C API 2.9.0, LiteRT does not load."},
}

var xavierNX = &Board{
	ID: "xavier-nx", Name: "Jetson Xavier NX Developer Kit", SoC: "Tegra194",
	Compatible: []string{
		"nvidia,p3509-0000+p3668-0000", "nvidia,p3509-0000+p3668-0001", "nvidia,p3449-0000+p3668-0000",
		"nvidia,p3449-0000+p3668-0001", "nvidia,p3449-0000+p3668-0003",
	},
	chips: []chip{tegra194, tegra194AON},
	Pins: jetsonHeader([]chip{tegra194, tegra194AON}, small, []Pin{
		{Number: 7, Name: "PS.04"}, {Number: 11, Name: "PR.04"}, {Number: 12, Name: "PT.05"},
		{Number: 13, Name: "PY.00"}, {Number: 15, Name: "PCC.04"}, {Number: 16, Name: "PY.04"},
		{Number: 18, Name: "PY.03"}, {Number: 19, Name: "PZ.05"}, {Number: 21, Name: "PZ.04"},
		{Number: 22, Name: "PY.01"}, {Number: 23, Name: "PZ.03"}, {Number: 24, Name: "PZ.06"},
		{Number: 26, Name: "PZ.07"}, {Number: 29, Name: "PQ.05"}, {Number: 31, Name: "PQ.06"},
		{Number: 32, Name: "PR.00"}, {Number: 33, Name: "PN.01"}, {Number: 35, Name: "PU.00"},
		{Number: 36, Name: "PR.05"}, {Number: 37, Name: "PY.02"}, {Number: 38, Name: "PT.07"},
		{Number: 40, Name: "PT.06"},
	}),
	Serial: []Serial{
		{Path: "/dev/ttyTHS0", Pins: "8 (transmit), 10 (receive)", Use: true, Notes: jetsonGetty + ". It is the one at 3100000.serial: ls -l /sys/class/tty/ttyTHS*/device"},
		{Path: "/dev/ttyTCU0", Pins: "the debug header", Notes: "the system console"},
	},
	Thermal:     []string{"CPU-therm", "cpu-thermal"},
	USB:         "Cameras on the USB 3 sockets; all four share one hub.",
	Accelerator: jetsonGPU,
	Watchdog:    "tegra_wdt, 120 s",
	Notes: []string{jetsonShifter, jetsonRelease,
		"JetPack 4 (Linux 4.9) numbers the lines otherwise and does not name them; this is taken into account."},
}

// orinSmall is the header of the Orin NX and Orin Nano modules, on either
// carrier board (p3768, p3509).
func orinSmall() []Pin {
	return jetsonHeader([]chip{tegra234, tegra234AON}, small, []Pin{
		{Number: 7, Name: "PAC.06"}, {Number: 11, Name: "PR.04"}, {Number: 12, Name: "PH.07"},
		{Number: 13, Name: "PY.00"}, {Number: 15, Name: "PN.01"}, {Number: 16, Name: "PY.04"},
		{Number: 18, Name: "PY.03"}, {Number: 19, Name: "PZ.05"}, {Number: 21, Name: "PZ.04"},
		{Number: 22, Name: "PY.01"}, {Number: 23, Name: "PZ.03"}, {Number: 24, Name: "PZ.06"},
		{Number: 26, Name: "PZ.07"}, {Number: 29, Name: "PQ.05"}, {Number: 31, Name: "PQ.06"},
		{Number: 32, Name: "PG.06"}, {Number: 33, Name: "PH.00"}, {Number: 35, Name: "PI.02"},
		{Number: 36, Name: "PR.05"}, {Number: 37, Name: "PY.02"}, {Number: 38, Name: "PI.01"},
		{Number: 40, Name: "PI.00"},
	})
}

var orinSerial = []Serial{
	{Path: "/dev/ttyTHS1", Pins: "8 (transmit), 10 (receive)", Use: true, Notes: "JetPack 6; JetPack 5 calls it /dev/ttyTHS0. It is the one at 3100000.serial: ls -l /sys/class/tty/ttyTHS*/device. " + jetsonGetty},
	{Path: "/dev/ttyTCU0", Pins: "the debug header", Notes: "the system console"},
}

var orinThermal = []string{"cpu-thermal", "CPU-therm", "tj-thermal"}

var orinNano = &Board{
	ID: "orin-nano", Name: "Jetson Orin Nano Developer Kit", SoC: "Tegra234",
	Compatible: []string{
		"nvidia,p3768-0000+p3767-0003", "nvidia,p3768-0000+p3767-0004", "nvidia,p3768-0000+p3767-0005",
		"nvidia,p3509-0000+p3767-0003", "nvidia,p3509-0000+p3767-0004", "nvidia,p3509-0000+p3767-0005",
		"nvidia,p3768-0000+p3767-0003-super", "nvidia,p3768-0000+p3767-0004-super", "nvidia,p3768-0000+p3767-0005-super",
		"nvidia,p3509-0000+p3767-0003-super", "nvidia,p3509-0000+p3767-0004-super", "nvidia,p3509-0000+p3767-0005-super",
	},
	chips: []chip{tegra234, tegra234AON}, Pins: orinSmall(), Serial: orinSerial, Thermal: orinThermal,
	USB:         "Cameras on the USB 3 sockets; all four share one hub.",
	Accelerator: jetsonGPU,
	Watchdog:    "tegra186-wdt, 120 s",
	Notes:       []string{jetsonShifter, jetsonRelease, jetsonPinmux},
}

var orinNX = &Board{
	ID: "orin-nx", Name: "Jetson Orin NX", SoC: "Tegra234",
	Compatible: []string{
		"nvidia,p3768-0000+p3767-0000", "nvidia,p3768-0000+p3767-0001", "nvidia,p3768-0000+p3767-0002",
		"nvidia,p3509-0000+p3767-0000", "nvidia,p3509-0000+p3767-0001",
		"nvidia,p3768-0000+p3767-0000-super", "nvidia,p3768-0000+p3767-0001-super",
	},
	chips: []chip{tegra234, tegra234AON}, Pins: orinSmall(), Serial: orinSerial, Thermal: orinThermal,
	USB:         orinNano.USB,
	Accelerator: jetsonGPU,
	Watchdog:    "tegra186-wdt, 120 s",
	Notes:       []string{jetsonShifter, jetsonRelease, jetsonPinmux, "Other makers' carrier boards can wire the header otherwise."},
}

var agxOrin = &Board{
	ID: "agx-orin", Name: "Jetson AGX Orin Developer Kit", SoC: "Tegra234",
	Compatible: []string{
		"nvidia,p3737-0000+p3701-0000", "nvidia,p3737-0000+p3701-0001", "nvidia,p3737-0000+p3701-0004",
		"nvidia,p3737-0000+p3701-0005", "nvidia,p3737-0000+p3701-0008",
	},
	chips: []chip{tegra234, tegra234AON},
	Pins: jetsonHeader([]chip{tegra234, tegra234AON}, []map[int]string{jetsonUse}, []Pin{
		{Number: 7, Name: "PQ.06"}, {Number: 11, Name: "PR.04", Only: "output"}, {Number: 12, Name: "PH.07"},
		{Number: 13, Name: "PR.00"}, {Number: 15, Name: "PN.01"}, {Number: 16, Name: "PBB.01"},
		{Number: 18, Name: "PH.00"}, {Number: 19, Name: "PZ.05"}, {Number: 21, Name: "PZ.04"},
		{Number: 22, Name: "PP.04"}, {Number: 23, Name: "PZ.03"}, {Number: 24, Name: "PZ.06"},
		{Number: 26, Name: "PZ.07"}, {Number: 29, Name: "PAA.01", Use: "CAN 0 receive"},
		{Number: 31, Name: "PAA.00", Use: "CAN 0 transmit"}, {Number: 32, Name: "PBB.00"},
		{Number: 33, Name: "PAA.02", Use: "CAN 1 transmit"}, {Number: 35, Name: "PI.02"},
		{Number: 36, Name: "PR.05"}, {Number: 37, Name: "PAA.03", Use: "CAN 1 receive"},
		{Number: 38, Name: "PI.01"}, {Number: 40, Name: "PI.00"},
	}),
	Serial: orinSerial, Thermal: orinThermal,
	USB:         "Cameras on the USB A sockets.",
	Accelerator: jetsonGPU,
	Watchdog:    "tegra186-wdt, 120 s",
	Notes:       []string{"The header goes through level shifters: drive transistors, not relays or optocouplers.", jetsonRelease, jetsonPinmux},
}

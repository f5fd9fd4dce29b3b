package board

// piHeader is the 40-pin header of all Raspberry Pi since the B+. The numbers
// are those of the SoC; on the Raspberry Pi 5 the RP1 chip has the same.
// Pull-ups: BCM2835 ARM Peripherals, table 6-31 (RP1 does the same):
// GPIO0 to 8 are pulled up from reset on, the others down.
func piHeader(c chip) []Pin {
	return pins([]chip{c}, []Pin{
		{Number: 3, Name: "GPIO2", PullUp: true, Use: "I2C data (1.8 kΩ to 3.3 V on the board)"},
		{Number: 5, Name: "GPIO3", PullUp: true, Use: "I2C clock (1.8 kΩ to 3.3 V on the board); low wakes a halted board"},
		{Number: 7, Name: "GPIO4", PullUp: true, Use: "1-Wire"},
		{Number: 8, Name: "GPIO14", Use: "UART transmit"},
		{Number: 10, Name: "GPIO15", Use: "UART receive"},
		{Number: 11, Name: "GPIO17"},
		{Number: 12, Name: "GPIO18", Use: "I2S clock, PWM"},
		{Number: 13, Name: "GPIO27"},
		{Number: 15, Name: "GPIO22"},
		{Number: 16, Name: "GPIO23"},
		{Number: 18, Name: "GPIO24"},
		{Number: 19, Name: "GPIO10", Use: "SPI data out"},
		{Number: 21, Name: "GPIO9", Use: "SPI data in"},
		{Number: 22, Name: "GPIO25"},
		{Number: 23, Name: "GPIO11", Use: "SPI clock"},
		{Number: 24, Name: "GPIO8", PullUp: true, Use: "SPI chip select 0"},
		{Number: 26, Name: "GPIO7", PullUp: true, Use: "SPI chip select 1"},
		{Number: 27, Name: "GPIO0", PullUp: true, Use: "HAT EEPROM data, read by the firmware at every start"},
		{Number: 28, Name: "GPIO1", PullUp: true, Use: "HAT EEPROM clock, driven by the firmware at every start"},
		{Number: 29, Name: "GPIO5", PullUp: true},
		{Number: 31, Name: "GPIO6", PullUp: true},
		{Number: 32, Name: "GPIO12", Use: "PWM"},
		{Number: 33, Name: "GPIO13", Use: "PWM"},
		{Number: 35, Name: "GPIO19", Use: "I2S frame clock, PWM"},
		{Number: 36, Name: "GPIO16"},
		{Number: 37, Name: "GPIO26"},
		{Number: 38, Name: "GPIO20", Use: "I2S data in"},
		{Number: 40, Name: "GPIO21", Use: "I2S data out"},
	})
}

const (
	piConsole  = "Free it with raspi-config: Interface Options, Serial Port, login shell no, hardware yes."
	piMiniUART = "This is the mini UART: no parity, and its baud rate follows the core clock. Modbus wants the other one: dtoverlay=disable-bt in /boot/firmware/config.txt gives these pins /dev/ttyAMA0 and takes Bluetooth away."
	piRelease  = "A released or abandoned output stays at its last level."
	piSupply   = "Under-voltage slows the processor down without a word: use the board's own power supply."
	piWatchdog = "bcm2835_wdt, 15 s; Raspberry Pi OS lets systemd hold it if RuntimeWatchdogSec is set"
	piTPU      = "none on the board; a Coral USB stick works on a blue (USB 3) socket best"
)

var piThermal = []string{"cpu-thermal"}

var pi3Serial = []Serial{
	{Path: "/dev/ttyAMA0", Pins: "8 (transmit), 10 (receive), after dtoverlay=disable-bt", Use: true, Notes: "PL011. " + piConsole},
	{Path: "/dev/ttyS0", Pins: "8 (transmit), 10 (receive), as shipped", Notes: piMiniUART},
}

var pi3b = &Board{
	ID: "pi3b", Name: "Raspberry Pi 3 Model B", SoC: "BCM2837",
	Compatible: []string{"raspberrypi,3-model-b"},
	chips:      []chip{bcm2835}, Pins: piHeader(bcm2835), Serial: pi3Serial, Thermal: piThermal,
	USB:         "All four sockets and the network share one USB 2 link of 480 Mbit/s: use MJPEG above 640x480.",
	Accelerator: "none on the board; a Coral USB stick works at USB 2 speed",
	Watchdog:    piWatchdog,
	Notes:       []string{piRelease, piSupply},
}

var pi3bPlus = &Board{
	ID: "pi3b+", Name: "Raspberry Pi 3 Model B+", SoC: "BCM2837B0",
	Compatible: []string{"raspberrypi,3-model-b-plus"},
	chips:      []chip{bcm2835}, Pins: piHeader(bcm2835), Serial: pi3Serial, Thermal: piThermal,
	USB:         pi3b.USB,
	Accelerator: pi3b.Accelerator,
	Watchdog:    piWatchdog,
	Notes:       []string{piRelease, piSupply},
}

var pi4b = &Board{
	ID: "pi4b", Name: "Raspberry Pi 4 Model B", SoC: "BCM2711",
	Compatible: []string{"raspberrypi,4-model-b"},
	chips:      []chip{bcm2711}, Pins: piHeader(bcm2711), Thermal: piThermal,
	Serial: []Serial{
		{Path: "/dev/ttyAMA0", Pins: "8 (transmit), 10 (receive), after dtoverlay=disable-bt", Use: true, Notes: "PL011. " + piConsole},
		{Path: "/dev/ttyS0", Pins: "8 (transmit), 10 (receive), as shipped", Notes: piMiniUART},
		{Path: "/dev/ttyAMA3", Pins: "7 (transmit), 29 (receive), after dtoverlay=uart3", Notes: "PL011, leaves Bluetooth alone. Older kernels call it /dev/ttyAMA1: see dmesg."},
	},
	USB:         "Cameras on the blue (USB 3) sockets; two cameras on one USB 2 socket's hub share 480 Mbit/s.",
	Accelerator: piTPU,
	Watchdog:    piWatchdog,
	Notes:       []string{piRelease, piSupply},
}

var pi5 = &Board{
	ID: "pi5", Name: "Raspberry Pi 5", SoC: "BCM2712",
	Compatible: []string{"raspberrypi,5-model-b"},
	chips:      []chip{rp1}, Pins: piHeader(rp1), Thermal: piThermal,
	Serial: []Serial{
		{Path: "/dev/ttyAMA0", Pins: "8 (transmit), 10 (receive), after dtparam=uart0=on in /boot/firmware/config.txt", Use: true, Notes: "PL011. " + piConsole},
		{Path: "/dev/ttyAMA10", Pins: "the three-pin debug socket", Notes: "/dev/serial0 leads here, and so does the console."},
	},
	USB:         "Cameras on the blue (USB 3) sockets. The board gives all sockets together 600 mA unless its supply is a 5 A one.",
	Accelerator: "none on the board; a Coral USB stick works; the AI HAT (Hailo) speaks no TFLite and is not used",
	Watchdog:    piWatchdog,
	Notes: []string{piRelease, piSupply,
		"The number of the header's chip changes with the kernel (gpiochip4, gpiochip0, 11 to 15): go by its label."},
}

var piZero2W = &Board{
	ID: "pi-zero-2-w", Name: "Raspberry Pi Zero 2 W", SoC: "RP3A0 (BCM2710A1)",
	Compatible: []string{"raspberrypi,model-zero-2-w"},
	chips:      []chip{bcm2835}, Pins: piHeader(bcm2835), Serial: pi3Serial, Thermal: piThermal,
	USB:         "One micro-USB socket, USB 2: a camera needs an OTG adapter, and a powered hub if it takes much.",
	Accelerator: "none on the board; a Coral USB stick takes more current than the socket gives: powered hub",
	Watchdog:    piWatchdog,
	Notes: []string{piRelease, piSupply,
		"512 MB of memory: leave the desktop off.", "The header comes without pins."},
}

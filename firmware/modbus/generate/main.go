// Command generate writes the documents of the register map: docs/registers.md
// and docs/plc/*.
package main

import (
	"flag"
	"fmt"
	"os"

	"mien/firmware/modbus"
)

func main() {
	docs := flag.String("docs", "docs", "folder to write to")
	flag.Parse()
	if err := modbus.Generate(*docs); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

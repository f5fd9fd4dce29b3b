// Package docs has those documents that programs read.
package docs

import "embed"

// Licences is licences.md, which the binary shows.
//
//go:embed licences.md
var Licences string

// Blocks has the function blocks in docs/plc that people write: tools/generate
// makes the files of each PLC's maker of them.
//
//go:embed plc/fb_*.st plc/mien_main.st
var Blocks embed.FS

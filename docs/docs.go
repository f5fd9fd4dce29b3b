// Package docs has those documents that the binary itself shows.
package docs

import _ "embed"

// Licences is licences.md.
//
//go:embed licences.md
var Licences string

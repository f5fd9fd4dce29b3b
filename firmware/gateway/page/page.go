// Package page is the commissioning page: HTML, CSS, JavaScript and texts, all of them
// in the binary.
package page

import (
	"embed"
	"io/fs"
)

//go:embed web
var web embed.FS

// Files are the page's, index.html at the top.
func Files() fs.FS {
	files, err := fs.Sub(web, "web")
	if err != nil {
		panic(err) // the name is a constant, and right
	}
	return files
}

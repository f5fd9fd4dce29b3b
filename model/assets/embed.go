package assets

import _ "embed"

// Demo is the demo clip: motion JPEG, a rendered head that frowns, smiles,
// tires and covers its mouth; no real person. DemoJSON tells its size, rate,
// origin and what happens when.
var (
	//go:embed demo.mjpeg
	Demo []byte
	//go:embed demo.json
	DemoJSON []byte
)

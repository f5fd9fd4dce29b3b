package assets

import _ "embed"

// Network is the trained network, a TensorFlow Lite file, and Card its model
// card (JSON), which tells everything particular to it.
var (
	//go:embed affect.tflite
	Network []byte
	//go:embed affect.json
	Card []byte
)

// CardName is the card's name in errors.
const CardName = "affect.json"

// DemoFPS is the demo clip's frame rate; motion JPEG carries none.
const DemoFPS = 15

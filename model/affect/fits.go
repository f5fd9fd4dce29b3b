package affect

import (
	"errors"
	"fmt"

	"mien/model/tflite"
)

// Fits compares the card with the file of its network as Open does, by what the
// file says of its tensors: no library is needed. What only a library can tell,
// the known answer, stays for Open. Errors are Open's.
func (c *Card) Fits(model []byte) error {
	_, err := c.Unloaded(model)
	return err
}

// Unloaded is the network as its file describes it: it needs no library, and so
// infers nothing.
func (c *Card) Unloaded(model []byte) (*Network, error) {
	d, err := tflite.Check(c.File, model)
	if err != nil {
		return nil, fmt.Errorf("open the network of %s: %w", c.path, err)
	}
	return newNetwork(c, unloaded{memory(d.Inputs), memory(d.Outputs)})
}

// unloaded is a network as its file describes it.
type unloaded struct{ inputs, outputs []tflite.Tensor }

func (u unloaded) Inputs() []tflite.Tensor  { return u.inputs }
func (u unloaded) Outputs() []tflite.Tensor { return u.outputs }
func (u unloaded) Invoke() error            { return errors.New("the network is not loaded") }
func (u unloaded) Backend() string          { return "none" }
func (u unloaded) Close() error             { return nil }

// memory gives each tensor its data, as a library would.
func memory(list []tflite.Tensor) []tflite.Tensor {
	for i := range list {
		list[i].Data = make([]byte, list[i].Len()*list[i].Type.Size())
	}
	return list
}

package tflite

import "fmt"

func (c *checker) operator(op table, d *Description) error {
	code := op.u32(0, 0)
	if code >= len(c.codes) {
		return fmt.Errorf("code %d of %d: %w", code, len(c.codes), ErrDamaged)
	}
	for _, i := range op.ints(1) {
		if i < -1 || i >= len(c.tensors) || i >= 0 && !c.tensors[i].defined {
			return fmt.Errorf("reads tensor %d of %d, which nothing computes: %w", i, len(c.tensors), ErrDamaged)
		}
	}
	for _, i := range op.ints(2) {
		if i < 0 || i >= len(c.tensors) || c.tensors[i].defined {
			return fmt.Errorf("writes tensor %d of %d: %w", i, len(c.tensors), ErrDamaged)
		}
		c.tensors[i].defined = true
	}
	return c.f.err
}

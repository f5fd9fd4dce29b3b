package tflite

import (
	"fmt"
	"math"
)

// Limits of a window: far above what networks have, far below what overflows
// 32 bits in a kernel's arithmetic on padding.
const (
	maxStride = 1 << 10
	maxWindow = 1 << 12
)

// window is how a convolution or a pooling moves over a picture.
type window struct {
	padding                      int // 0 same, 1 valid
	strideH, strideW             int
	height, width                int
	dilationH, dilationW, active int
}

// over gives the size of the result on a picture [n, h, w, c].
func (w window) over(shape []int) (h, wide int, err error) {
	if w.padding < 0 || w.padding > 1 || w.strideH < 1 || w.strideW < 1 || w.strideH > maxStride || w.strideW > maxStride ||
		w.height < 1 || w.width < 1 || w.height > maxWindow || w.width > maxWindow ||
		w.dilationH < 1 || w.dilationW < 1 || w.dilationH > maxStride || w.dilationW > maxStride {
		return 0, 0, fmt.Errorf("window %+v: %w", w, ErrDamaged)
	}
	size := func(n, window, stride, dilation int) int {
		if w.padding == 0 {
			return (n + stride - 1) / stride
		}
		return (n-(window-1)*dilation-1)/stride + 1
	}
	if w.padding == 1 && ((w.height-1)*w.dilationH >= shape[1] || (w.width-1)*w.dilationW >= shape[2]) {
		return 0, 0, fmt.Errorf("window of %dx%d in a picture of %dx%d: %w", w.height, w.width, shape[1], shape[2], ErrDamaged)
	}
	return size(shape[1], w.height, w.strideH, w.dilationH), size(shape[2], w.width, w.strideW, w.dilationW), activation(w.active)
}

func picture(t *tensor) error {
	if len(t.Shape) != 4 {
		return fmt.Errorf("shape %v is no picture: %w", t.Shape, ErrDamaged)
	}
	return nil
}

// weighted checks a layer with weights: types, scales, the bias, and the
// factors that quantised sums are rescaled by. Scales lie along the axis.
func (o *call) weighted(x, w *tensor, axis, channels int) error {
	y := o.out[0]
	if !w.constant() && !w.fixed {
		return fmt.Errorf("its weights are computed: %w", ErrUnsupported)
	}
	if err := o.activations(x, y); err != nil {
		return err
	}
	if w.Type != x.Type && !(x.Type == Float32 && w.Type == Float32) {
		return fmt.Errorf("%v weights on %v values: quantise the whole network or nothing of it: %w", w.Type, x.Type, ErrUnsupported)
	}
	var bias *tensor
	if len(o.in) > 2 {
		bias = o.in[2]
	}
	if bias != nil {
		want := Int32
		if x.Type == Float32 {
			want = Float32
		}
		if !bias.constant() && !bias.fixed || bias.Type != want || bias.Len() != channels || len(bias.Shape) != 1 {
			return fmt.Errorf("bias %v %v for %d channels: %w", bias.Type, bias.Shape, channels, ErrDamaged)
		}
	}
	if x.Type == Float32 {
		return nil
	}
	n := len(w.scales)
	if n != 1 && (n != channels || w.axis != axis || w.Type != Int8) {
		return fmt.Errorf("%d weight scales along axis %d, want %d along %d: %w", n, w.axis, channels, axis, ErrDamaged)
	}
	for i, s := range w.scales {
		if w.Type == Int8 && w.zeros[i] != 0 {
			return fmt.Errorf("weights with zero point %d: %w", w.zeros[i], ErrDamaged)
		}
		product := float64(x.Scale) * float64(s)
		if err := ratio(product / float64(y.Scale)); err != nil {
			return err
		}
		// A library compares the bias's scale with the product's, or trusts it.
		if bias != nil {
			if len(bias.scales) != n {
				return fmt.Errorf("%d bias scales for %d of the weights: %w", len(bias.scales), n, ErrDamaged)
			}
			if b := float64(bias.scales[i]); math.Abs(product-b) > 0.02*product {
				return fmt.Errorf("bias scale %g, want %g: %w", b, product, ErrDamaged)
			}
		}
	}
	return nil
}

func conv(o *call) error {
	x, w, y := o.in[0], o.in[1], o.out[0]
	if err := picture(x); err != nil {
		return err
	}
	if err := picture(w); err != nil {
		return err
	}
	p := o.options
	h, wide, err := window{p.i8(0, 0), p.i32(2, 0), p.i32(1, 0), w.Shape[1], w.Shape[2], p.i32(5, 1), p.i32(4, 1), p.i8(3, 0)}.over(x.Shape)
	if err != nil {
		return err
	}
	if p.i8(6, 0) != 0 && p.i8(6, 0) != 2 {
		return fmt.Errorf("sums of type %d: %w", p.i8(6, 0), ErrUnsupported)
	}
	groups := x.Shape[3] / w.Shape[3]
	if groups*w.Shape[3] != x.Shape[3] || groups < 1 || w.Shape[0]%groups != 0 {
		return fmt.Errorf("weights %v on a picture %v: %w", w.Shape, x.Shape, ErrDamaged)
	}
	if err := o.weighted(x, w, 0, w.Shape[0]); err != nil {
		return err
	}
	patch := int64(w.Len() / w.Shape[0])
	// The plain kernels lay all patches out in memory first.
	if patch*int64(x.Shape[0])*int64(h)*int64(wide) > maxPatches {
		return fmt.Errorf("weights %v on a picture %v: %w", w.Shape, x.Shape, ErrUnsupported)
	}
	o.work = int64(y.Len()) * patch
	return o.shaped(0, x.Shape[0], h, wide, w.Shape[0])
}

func depthwise(o *call) error {
	x, w, y := o.in[0], o.in[1], o.out[0]
	if err := picture(x); err != nil {
		return err
	}
	if err := picture(w); err != nil {
		return err
	}
	p := o.options
	h, wide, err := window{p.i8(0, 0), p.i32(2, 0), p.i32(1, 0), w.Shape[1], w.Shape[2], p.i32(6, 1), p.i32(5, 1), p.i8(4, 0)}.over(x.Shape)
	if err != nil {
		return err
	}
	times := p.i32(3, 0)
	if w.Shape[0] != 1 || times < 1 || w.Shape[3]%times != 0 || w.Shape[3]/times != x.Shape[3] {
		return fmt.Errorf("weights %v, %d times, on a picture %v: %w", w.Shape, times, x.Shape, ErrDamaged)
	}
	if o.in[2] == nil {
		return fmt.Errorf("it has no bias, which XNNPACK asks for: %w", ErrUnsupported)
	}
	if err := o.weighted(x, w, 3, w.Shape[3]); err != nil {
		return err
	}
	o.work = int64(y.Len()) * int64(w.Shape[1]*w.Shape[2])
	return o.shaped(0, x.Shape[0], h, wide, w.Shape[3])
}

func fullyConnected(o *call) error {
	x, w, y := o.in[0], o.in[1], o.out[0]
	if len(w.Shape) != 2 || len(x.Shape) < 1 || x.Len()%w.Shape[1] != 0 {
		return fmt.Errorf("weights %v on %v: %w", w.Shape, x.Shape, ErrDamaged)
	}
	p := o.options
	if p.i8(1, 0) != 0 || p.i8(4, 0) != 0 && p.i8(4, 0) != 2 {
		return fmt.Errorf("weights of another format: %w", ErrUnsupported)
	}
	if err := activation(p.i8(0, 0)); err != nil {
		return err
	}
	if err := o.weighted(x, w, 0, w.Shape[0]); err != nil {
		return err
	}
	o.work = int64(y.Len()) * int64(w.Shape[1])
	if p.u8(2, 0) == 0 {
		return o.shaped(0, x.Len()/w.Shape[1], w.Shape[0])
	}
	last := len(x.Shape) - 1
	if x.Shape[last] != w.Shape[1] {
		return fmt.Errorf("weights %v on %v: %w", w.Shape, x.Shape, ErrDamaged)
	}
	return o.shaped(0, append(append([]int{}, x.Shape[:last]...), w.Shape[0])...)
}

func pool(o *call) error {
	x, y := o.in[0], o.out[0]
	if err := picture(x); err != nil {
		return err
	}
	p := o.options
	h, wide, err := window{p.i8(0, 0), p.i32(2, 0), p.i32(1, 0), p.i32(4, 0), p.i32(3, 0), 1, 1, p.i8(5, 0)}.over(x.Shape)
	if err != nil {
		return err
	}
	if err := o.activations(x, y); err != nil {
		return err
	}
	if err := o.sameScale(x, y); err != nil {
		return err
	}
	o.work = int64(y.Len()) * int64(p.i32(4, 0)) * int64(p.i32(3, 0))
	return o.shaped(0, x.Shape[0], h, wide, x.Shape[3])
}

func batchMatMul(o *call) error {
	a, b, y := o.in[0], o.in[1], o.out[0]
	rank := len(a.Shape)
	if rank < 2 || rank > 4 || len(b.Shape) != rank {
		return fmt.Errorf("shapes %v and %v: %w", a.Shape, b.Shape, ErrUnsupported)
	}
	if a.Type != Float32 || b.Type != Float32 || y.Type != Float32 || a.constant() {
		return fmt.Errorf("computes in %v and %v, want float32: %w", a.Type, b.Type, ErrUnsupported)
	}
	m, k, k2, n := a.Shape[rank-2], a.Shape[rank-1], b.Shape[rank-2], b.Shape[rank-1]
	if o.options.u8(0, 0) != 0 {
		m, k = k, m
	}
	if o.options.u8(1, 0) != 0 {
		k2, n = n, k2
	}
	if k != k2 {
		return fmt.Errorf("shapes %v and %v do not fit: %w", a.Shape, b.Shape, ErrDamaged)
	}
	want := append([]int{}, a.Shape...)
	for i := range rank - 2 {
		if a.Shape[i] != b.Shape[i] {
			return fmt.Errorf("shapes %v and %v: %w", a.Shape, b.Shape, ErrUnsupported)
		}
	}
	want[rank-2], want[rank-1] = m, n
	o.work = int64(y.Len()) * int64(k)
	return o.shaped(0, want...)
}

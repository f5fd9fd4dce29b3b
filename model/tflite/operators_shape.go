package tflite

import (
	"fmt"
	"slices"
)

// copies checks an operator that only moves elements: from x, the type and
// the scale stay.
func (o *call) copies(x *tensor) error {
	for _, y := range o.out {
		if err := o.activations(x, y); err != nil {
			return err
		}
		if err := o.sameScale(x, y); err != nil {
			return err
		}
	}
	return nil
}

func reshape(o *call) error {
	x := o.in[0]
	var want []int
	if len(o.in) == 2 {
		list, err := o.numbers(1)
		if err != nil {
			return err
		}
		if o.in[1].Type != Int32 || len(o.in[1].Shape) != 1 {
			return fmt.Errorf("shape as %v %v: %w", o.in[1].Type, o.in[1].Shape, ErrUnsupported)
		}
		want = list
	} else {
		want = o.options.ints(0)
	}
	open, n := -1, 1
	for i, d := range want {
		switch {
		case d == -1 && open < 0:
			open = i
		case d < 1 || d > maxTensor/n:
			return fmt.Errorf("shape %v: %w", want, ErrDamaged)
		default:
			n *= d
		}
	}
	if open >= 0 {
		want = slices.Clone(want)
		want[open] = x.Len() / n
		n *= want[open]
	}
	if n != x.Len() || len(want) == 0 {
		return fmt.Errorf("%v as %v: %w", x.Shape, want, ErrDamaged)
	}
	if err := o.copies(x); err != nil {
		return err
	}
	return o.shaped(0, want...)
}

func squeeze(o *call) error {
	x, dims := o.in[0], o.options.ints(0)
	drop := make([]bool, len(x.Shape))
	for _, d := range dims {
		axis, err := axisOf(d, len(x.Shape))
		if err != nil {
			return err
		}
		if x.Shape[axis] != 1 {
			return fmt.Errorf("axis %d of %v: %w", d, x.Shape, ErrDamaged)
		}
		drop[axis] = true
	}
	if len(dims) > 8 {
		return fmt.Errorf("%d axes: %w", len(dims), ErrDamaged)
	}
	var want []int
	for i, n := range x.Shape {
		if !(drop[i] || len(dims) == 0 && n == 1) {
			want = append(want, n)
		}
	}
	if err := o.copies(x); err != nil {
		return err
	}
	return o.shaped(0, want...)
}

func expandDims(o *call) error {
	x := o.in[0]
	at, err := o.numbers(1)
	if err != nil {
		return err
	}
	if len(at) != 1 {
		return fmt.Errorf("%d axes: %w", len(at), ErrDamaged)
	}
	axis, err := axisOf(at[0], len(x.Shape)+1)
	if err != nil {
		return err
	}
	if err := o.copies(x); err != nil {
		return err
	}
	return o.shaped(0, slices.Insert(slices.Clone(x.Shape), axis, 1)...)
}

func transpose(o *call) error {
	x := o.in[0]
	order, err := o.numbers(1)
	if err != nil {
		return err
	}
	if len(order) != len(x.Shape) || len(order) < 1 || len(order) > 4 || o.in[1].Type != Int32 {
		return fmt.Errorf("order %v of %v: %w", order, x.Shape, ErrUnsupported)
	}
	want := make([]int, len(order))
	seen := make([]bool, len(order))
	for i, from := range order {
		if from < 0 || from >= len(order) || seen[from] {
			return fmt.Errorf("order %v: %w", order, ErrDamaged)
		}
		seen[from] = true
		want[i] = x.Shape[from]
	}
	if err := o.copies(x); err != nil {
		return err
	}
	return o.shaped(0, want...)
}

func concatenation(o *call) error {
	first := o.in[0]
	axis, err := axisOf(o.options.i32(0, 0), len(first.Shape))
	if err != nil {
		return err
	}
	if o.options.i8(1, 0) != 0 || len(first.Shape) > 4 {
		return fmt.Errorf("activation %d over %v: %w", o.options.i8(1, 0), first.Shape, ErrUnsupported)
	}
	want := slices.Clone(first.Shape)
	want[axis] = 0
	for _, x := range o.in {
		if x == nil || x.constant() {
			return fmt.Errorf("joins a constant: %w", ErrUnsupported)
		}
		if len(x.Shape) != len(want) {
			return fmt.Errorf("joins %v and %v: %w", first.Shape, x.Shape, ErrDamaged)
		}
		for i, n := range x.Shape {
			if i == axis {
				want[i] += n
			} else if n != want[i] {
				return fmt.Errorf("joins %v and %v: %w", first.Shape, x.Shape, ErrDamaged)
			}
		}
		if err := o.copies(x); err != nil {
			return err
		}
	}
	return o.shaped(0, want...)
}

func pack(o *call) error {
	first := o.in[0]
	axis, err := axisOf(o.options.i32(1, 0), len(first.Shape)+1)
	if err != nil {
		return err
	}
	if o.options.i32(0, 0) != len(o.in) {
		return fmt.Errorf("%d of %d values: %w", o.options.i32(0, 0), len(o.in), ErrDamaged)
	}
	for _, x := range o.in {
		if x == nil || !slices.Equal(x.Shape, first.Shape) {
			return fmt.Errorf("joins different shapes: %w", ErrDamaged)
		}
		if err := o.copies(x); err != nil {
			return err
		}
	}
	return o.shaped(0, slices.Insert(slices.Clone(first.Shape), axis, len(o.in))...)
}

func split(o *call) error {
	x := o.in[1]
	at, err := o.numbers(0)
	if err != nil {
		return err
	}
	if len(at) != 1 || o.in[0].Type != Int32 || o.options.i32(0, 0) != len(o.out) || len(x.Shape) > 4 {
		return fmt.Errorf("%d parts along %v: %w", o.options.i32(0, 0), at, ErrDamaged)
	}
	axis, err := axisOf(at[0], len(x.Shape))
	if err != nil {
		return err
	}
	if x.Shape[axis]%len(o.out) != 0 {
		return fmt.Errorf("%d parts of %v: %w", len(o.out), x.Shape, ErrDamaged)
	}
	want := slices.Clone(x.Shape)
	want[axis] /= len(o.out)
	for k := range o.out {
		if err := o.shaped(k, want...); err != nil {
			return err
		}
	}
	return o.copies(x)
}

func pad(o *call) error {
	x, widths := o.in[0], o.in[1]
	if len(x.Shape) < 1 || len(x.Shape) > 4 || !widths.constant() || widths.Type != Int32 || !slices.Equal(widths.Shape, []int{len(x.Shape), 2}) {
		return fmt.Errorf("pads %v by %v %v: %w", x.Shape, widths.Type, widths.Shape, ErrUnsupported)
	}
	flat := tensor{Tensor: Tensor{Type: Int32, Shape: []int{2 * len(x.Shape)}}, data: widths.data}
	list, err := (&call{in: []*tensor{&flat}}).numbers(0)
	if err != nil {
		return err
	}
	want := slices.Clone(x.Shape)
	for i := range want {
		if list[2*i] < 0 || list[2*i+1] < 0 || list[2*i] > maxWindow || list[2*i+1] > maxWindow {
			return fmt.Errorf("pads by %v: %w", list, ErrDamaged)
		}
		want[i] += list[2*i] + list[2*i+1]
	}
	if len(o.in) == 3 {
		v := o.in[2]
		if !v.constant() || v.Len() != 1 {
			return fmt.Errorf("pads with %v: %w", v.Shape, ErrUnsupported)
		}
		if err := o.activations(x, v); err != nil {
			return err
		}
		if err := o.sameScale(x, v); err != nil {
			return err
		}
	}
	if err := o.copies(x); err != nil {
		return err
	}
	return o.shaped(0, want...)
}

func slice(o *call) error {
	x := o.in[0]
	begin, err := o.numbers(1)
	if err != nil {
		return err
	}
	size, err := o.numbers(2)
	if err != nil {
		return err
	}
	if len(begin) != len(x.Shape) || len(size) != len(begin) || len(begin) < 1 || len(begin) > 4 {
		return fmt.Errorf("cuts %v at %v by %v: %w", x.Shape, begin, size, ErrDamaged)
	}
	want := make([]int, len(begin))
	for i, b := range begin {
		n := size[i]
		if n == -1 && b >= 0 {
			n = x.Shape[i] - b
		}
		if b < 0 || n < 1 || n > x.Shape[i] || b > x.Shape[i]-n {
			return fmt.Errorf("cuts %v at %v by %v: %w", x.Shape, begin, size, ErrDamaged)
		}
		want[i] = n
	}
	if err := o.copies(x); err != nil {
		return err
	}
	return o.shaped(0, want...)
}

func stridedSlice(o *call) error {
	x, p := o.in[0], o.options
	var lists [3][]int // begin, end, stride
	for k := range lists {
		list, err := o.numbers(k + 1)
		if err != nil {
			return err
		}
		if len(list) != len(x.Shape) || o.in[k+1].Type != Int32 || len(list) < 1 || len(list) > 4 {
			return fmt.Errorf("cuts %v by %v: %w", x.Shape, list, ErrUnsupported)
		}
		lists[k] = list
	}
	beginMask, endMask, shrink := p.i32(0, 0), p.i32(1, 0), p.i32(4, 0)
	if p.i32(2, 0) != 0 || p.i32(3, 0) != 0 || p.u8(5, 0) != 0 {
		return fmt.Errorf("cuts with an ellipsis or a new axis: %w", ErrUnsupported)
	}
	var want []int
	for i, n := range x.Shape {
		begin, end, stride := lists[0][i], lists[1][i], lists[2][i]
		if begin < 0 {
			begin += n
		}
		if end < 0 {
			end += n
		}
		if beginMask>>i&1 != 0 {
			begin = 0
		}
		if endMask>>i&1 != 0 {
			end = n
		}
		if shrink>>i&1 != 0 {
			if begin < 0 || begin >= n || stride != 1 {
				return fmt.Errorf("takes %d of %d: %w", begin, n, ErrDamaged)
			}
			continue
		}
		end = min(end, n)
		if stride < 1 || stride > maxStride || begin < 0 || begin >= end {
			return fmt.Errorf("cuts %d to %d by %d of %d: %w", begin, end, stride, n, ErrUnsupported)
		}
		want = append(want, (end-begin+stride-1)/stride)
	}
	if err := o.copies(x); err != nil {
		return err
	}
	return o.shaped(0, want...)
}

func reduce(o *call) error {
	x, y := o.in[0], o.out[0]
	axes, err := o.numbers(1)
	if err != nil {
		return err
	}
	if len(axes) < 1 || o.in[1].Type != Int32 || len(x.Shape) > 4 {
		return fmt.Errorf("over %v of %v: %w", axes, x.Shape, ErrUnsupported)
	}
	over := make([]bool, len(x.Shape))
	for _, a := range axes {
		axis, err := axisOf(a, len(x.Shape))
		if err != nil {
			return err
		}
		if over[axis] {
			return fmt.Errorf("twice over axis %d: %w", a, ErrDamaged)
		}
		over[axis] = true
	}
	var want []int
	for i, n := range x.Shape {
		switch {
		case !over[i]:
			want = append(want, n)
		case o.options.u8(0, 0) != 0:
			want = append(want, 1)
		}
	}
	if err := o.activations(x, y); err != nil {
		return err
	}
	if x.Type != Float32 {
		if err := ratio(float64(x.Scale) / float64(y.Scale)); err != nil {
			return err
		}
	}
	o.work = int64(x.Len())
	return o.shaped(0, want...)
}

func resize(o *call) error {
	x := o.in[0]
	if err := picture(x); err != nil {
		return err
	}
	size, err := o.numbers(1)
	if err != nil {
		return err
	}
	if len(size) != 2 || o.in[1].Type != Int32 || size[0] < 1 || size[1] < 1 || size[0] > maxWindow || size[1] > maxWindow {
		return fmt.Errorf("to %v: %w", size, ErrDamaged)
	}
	// The fields of the two kinds: new_height and new_width, long unused, lead
	// those of the bilinear one.
	if err := o.copies(x); err != nil {
		return err
	}
	return o.shaped(0, x.Shape[0], size[0], size[1], x.Shape[3])
}

func depthToSpace(o *call) error {
	x, block := o.in[0], o.options.i32(0, 0)
	if err := picture(x); err != nil {
		return err
	}
	if block < 1 || block > 64 || x.Shape[3]%(block*block) != 0 {
		return fmt.Errorf("blocks of %d in %v: %w", block, x.Shape, ErrDamaged)
	}
	if err := o.copies(x); err != nil {
		return err
	}
	return o.shaped(0, x.Shape[0], x.Shape[1]*block, x.Shape[2]*block, x.Shape[3]/(block*block))
}

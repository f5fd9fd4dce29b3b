// Package pixel turns camera pictures into tensors: crop, rotate, scale,
// colour and quantise in one pass over only the pixels that are needed. It
// also decodes motion JPEG, and measures light and sharpness.
//
// # Coordinates
//
// A coordinate is a pixel index: the centre of the first pixel is (0, 0), and
// pixel n covers n-0.5 to n+0.5. An [Affine] maps the centre of a destination
// pixel (x, y) to a source point (u, v):
//
//	u = a*x + b*y + c
//	v = d*x + e*y + f
//
// # The sampling rule
//
// Every pixel of the source is a unit square of one value. A destination pixel
// is the mean of the source over an upright box that is centred on (u, v), with
//
//	width  = max(1, sqrt(a*a + b*b))
//	height = max(1, sqrt(d*d + e*e))
//
// Going down without rotation this box is the destination pixel's footprint
// (the area filter); rotated, it is the upright box with the same area and the
// same spread along both axes. Going up it is one pixel wide, and its mean is
// bilinear interpolation exactly. Pixels outside the picture take the nearest
// edge pixel's value; where the [Target] says so, a destination pixel whose
// centre lies outside has a constant instead.
//
// A table makes the tensor element of the mean, taken in quarters of one of 255
// steps: (value-mean)/std, for integer elements divided by the tensor's scale,
// rounded half away from zero, moved by the zero point and held to the type's
// range.
//
// In other words, for a program that wants the same numbers: with S(x, y) the
// sum of all pixels left of x and above y (x and y being cell borders, S bilinear
// in between, which is exact), l = u+0.5-width/2, r = l+width, t = v+0.5-height/2,
// b = t+height, the value is (S(r,b)-S(l,b)-S(r,t)+S(l,t)) / (width*height).
//
// This package rounds the box's corner, its sides and the weights to 1/256. What a
// camera makes stays within one step of the rule in exact numbers; patterns of
// single black and white pixels may be off by two.
//
// # How it is fast
//
// Two ways lead to the same numbers, both in 64-bit words with four samples to a
// word, alike on every processor. Maps that do not turn go by a grid where they show
// colour or boxes of more than 7 pixels: rows are summed for all columns at once, then
// columns. All others read each box on its own (a face).
//
// # Colour
//
// Grey is the luma as the camera gives it: the Y of YUYV, UYVY, NV12 and the
// planar formats, untouched, so that colour, and its absence in infrared light,
// makes no difference; 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601) of RGB24.
// Red, green and blue from YUV are BT.601 too: limited range (Y 16..235, U and
// V 16..240) for YUYV, UYVY, NV12 and YUV420, which is V4L2's default for
// them, full range for what a JPEG decodes to ([Image.FullRange]). A chroma
// sample counts for all pixels it covers. The box mean is taken in YUV, then
// converted and held to 0..255.
package pixel

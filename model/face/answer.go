package face

import "mien/model/tflite"

// answer is what the detector says to noise: proof that library and processor
// compute this network. The figures are LiteRT 2.3.0's; the TensorFlow Lite C API
// gives the same three digits.
func (r Range) answer() *tflite.Answer {
	if r == Full {
		return &tflite.Answer{Input: "lcg:1", Sampled: [][]float32{
			{-3.663, -3.058, -2.944, -1.902, -0.765, -0.229, -0.428, -0.532, -1.023, -0.868, -1.176, -1.796},
			{-9.508, -8.011, -7.331, -8.637, -7.946, -7.798, -6.835, -6.896, -6.844, -6.587, -7.036, -6.816},
		}}
	}
	return &tflite.Answer{Input: "lcg:1", Sampled: [][]float32{
		{0.346, 4.067, -4.618, -0.280, 1.206, -2.115, -1.303, 15.969, -8.259, -0.092, -0.780, -4.563},
		{-4.197, -3.739, -2.265, -4.051, -2.205, -1.810, -4.489, -8.290, -2.048, -2.144, -3.852, -1.138},
	}}
}

//go:build !race

package tflite

const raceDetector = false

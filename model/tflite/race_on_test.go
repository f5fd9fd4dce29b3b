//go:build race

package tflite

// raceDetector keeps shadow memory of its own.
const raceDetector = true
